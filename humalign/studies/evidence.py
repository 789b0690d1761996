"""All results of one profile in one table, for the claims of both papers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import claims, show
from ..chapters import concepts, networks, probing, rsa, zero_shot
from ..config import Profile
from ..errors import MissingData
from ..results import KEYS, Measured, farthest


def join(*parts: Measured) -> Measured:
    """Measured tables as one; the smallest number of draws counts, and of rows with one key the first is kept."""
    draws = min(p.draws.shape[1] for p in parts)
    table = pd.concat([p.table for p in parts], ignore_index=True)
    values = np.concatenate([p.draws[:, :draws] for p in parts])
    first = ~table.duplicated(KEYS).to_numpy()
    return Measured(table[first], values[first])


def paper_one(profile: Profile) -> Measured:
    """Zero-shot accuracy, RSA, probing, regression and (mini) accuracy by dimension, further training runs included."""
    source = networks.source(profile)
    parts = [zero_shot.measure(source), rsa.measure(source), probing.measure_rsa(source), probing.measure(source)]
    parts.append(concepts.regression_accuracy(source))
    if profile.name == "mini":
        parts.append(concepts.measure(networks.source(profile)))
    return join(*map(networks.with_recorded, parts))


def paper_two() -> Measured | None:
    """Recorded alignment runs; None where none is recorded."""
    from ..chapters import student

    try:
        return student.runs()
    except MissingData:
        return None


def collect(profile: Profile) -> tuple[Measured, pd.DataFrame]:
    """Everything that the claims are tested on.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    Measured
        Rows of both papers' studies with their bootstrap draws.
    DataFrame
        Facts of the networks.
    """
    parts = [paper_one(profile)]
    if profile.name == "mini" and (runs := paper_two()) is not None:
        parts.append(runs)
    return join(*parts), networks.facts(profile)


def verdict_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """What a reader wants of :func:`humalign.claims.judge`: each effect with its unit, interval and provenance."""
    effects = [
        "" if row.verdict == "not measured" else show.number(row.effect, (row.low, row.high), row.provenance)
        for row in verdicts.itertuples()
    ]
    basis = [f"{s} ({b})" if b else s for s, b in zip(verdicts["statistic"], verdicts["basis"])]
    return pd.DataFrame(
        {
            "claim (source)": [f"{c} ({s})" for c, s in zip(verdicts["claim"], verdicts["source"])],
            "statistic (basis)": basis,
            "criterion": verdicts["criterion"].to_numpy(),
            "effect": effects,
            "unit": verdicts["unit"].to_numpy(),
            "verdict": verdicts["verdict"].to_numpy(),
        }
    )


def effect_table(effects: pd.DataFrame) -> pd.DataFrame:
    """What a reader wants of :func:`humalign.claims.describe_later`: the same without criterion and verdict."""
    marked = np.where(effects["effect"].isna(), "not measured", "")
    return verdict_table(effects.assign(criterion="", verdict=marked)).drop(columns=["criterion", "verdict"])


def verdict_counts(verdicts: pd.DataFrame, prefix: str = "cl") -> dict[str, show.Number | str]:
    """How many claims of each paper got each verdict: ``<prefix>_<verdict>_<paper>``, ``<prefix>_all_<paper>``.

    Controls are counted apart: ``<prefix>_controls_<paper>``, and ``<prefix>_controls_kept_<paper>`` that hold.
    """
    out = {}
    for paper, part in verdicts.groupby("paper"):
        basis = farthest(part["provenance"], "live")
        control, part = part[part["control"]], part[~part["control"]]
        kept = int((control["verdict"] == "replicates").sum())
        out[f"{prefix}_controls_{paper}"] = show.Words(len(control))
        out[f"{prefix}_controls_kept_{paper}"] = show.number(kept, provenance=basis)
        out[f"{prefix}_all_{paper}"] = show.Words(len(part))
        for verdict in claims.VERDICTS:
            count = int((part["verdict"] == verdict).sum())
            out[f"{prefix}_{verdict.replace(' ', '_')}_{paper}"] = show.number(count, provenance=basis)
    return out
