"""Numbers of every network side by side, for the scatters that a reader explores."""

from __future__ import annotations

import pandas as pd

from ..config import whose
from ..plots.explorer import Number
from ..record import Tables
from ..source import Source
from . import networks, probing, real_networks, rsa, zero_shot

ROLES, OPTIONAL = ("things",), rsa.ROLES
FACTS = (
    Number("parameters", "millions of parameters", log=True),
    Number("reference_accuracy", "accuracy of a linear classifier"),
)
DRAWN = (
    Number("choices", "odd-one-out accuracy, zero-shot"),
    *FACTS,
    Number("probed", "odd-one-out accuracy after the linear transform, held-out concepts"),
    *(Number(role, f"correlation with people's arrangements, {title}") for role, title in rsa.TITLES.items()),
)
REAL = (
    Number("choices", "odd-one-out accuracy, zero-shot"),
    Number("spose", "correlation with SPoSE (in-sample)"),
    FACTS[0],
    Number("reference_accuracy", "ImageNet top-1"),
    Number("mean", "correlation with the mean of 16 people"),
    Number("single", "correlation with single people"),
)


def _columns(facts: pd.DataFrame, measured: dict[str, pd.DataFrame]) -> pd.DataFrame:
    out = facts[["model", "name", "group", "parameters", "reference_accuracy"]].copy()
    out["parameters"] = out["parameters"] / 1e6
    for name, points in measured.items():
        part = points[["model", "value", "low", "high"]]
        names = {"value": name, "low": f"{name} low", "high": f"{name} high"}
        out = out.merge(part.rename(columns=names), on="model", how="left", validate="one_to_one")
    told = pd.concat(measured.values()).groupby("model")["provenance"].agg(networks.farthest)
    return out.assign(provenance=out["model"].map(told)).dropna(subset=["provenance"]).reset_index(drop=True)


def drawn(source: Source) -> tuple[pd.DataFrame, tuple[Number, ...]]:
    """Networks of a source: one row each, and the numbers that it has.

    Parameters
    ----------
    source : Source

    Returns
    -------
    DataFrame
        model, name, group, parameters (millions), reference_accuracy; of each measure value, low and high; provenance.
    tuple of Number
        What an axis can show: columns without any value are left out.
    """
    models, measured = source.networks(), {}
    choices = networks.with_recorded(zero_shot.measure(source, roles=("things",)))
    measured["choices"] = networks.points(choices, models, dataset="things", measure="accuracy", detail="cosine")
    measured["probed"] = probing.accuracy(
        networks.with_recorded(probing.measure(source)), models, probing.PROBED, "best"
    )
    sets = [role for role in rsa.ROLES if not source.missing(role)]
    if sets:
        arranged = networks.with_recorded(rsa.measure(source, roles=tuple(sets)))
        measured |= rsa.points(arranged, models, "best", tuple(sets), "spearman", "correlation")
    table = _columns(models, measured)
    return table, tuple(n for n in DRAWN if n.column in table and table[n.column].notna().any())


def real(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Published networks and real people, one row each; columns as in :func:`drawn`.

    Parameters
    ----------
    tables : Tables
        Of :mod:`humalign.chapters.real_networks`.
    models : DataFrame
        The facts.
    """
    asked = {
        "choices": {"dataset": "photographs", "measure": "accuracy"},
        "mean": {"dataset": "mur92", "measure": "spearman"},
        "single": {"dataset": "mur92", "measure": "spearman with each person"},
        "spose": {"dataset": "spose_49", "measure": "spearman"},
    }
    return _columns(models, {name: real_networks.points(tables, models, **where) for name, where in asked.items()})


def gallery(table: pd.DataFrame, numbers, profile: str) -> pd.DataFrame:
    """The measures of :func:`drawn` or :func:`real` as rows for :mod:`humalign.report_gallery`.

    Parameters
    ----------
    table : DataFrame
    numbers : sequence of Number
        Facts among them are left out.
    profile : str
        Its name.
    """
    parts = []
    for number in numbers:
        if number.column in ("parameters", "reference_accuracy"):
            continue
        part = table[["name"]].rename(columns={"name": "model"})
        ends = {end: table[f"{number.column} {end}"] for end in ("low", "high")}
        dataset, _, measure = number.title.partition(", ")
        part = part.assign(whose=whose(profile), dataset=dataset, measure=measure, value=table[number.column], **ends)
        parts.append(part.assign(chance=float("nan"), ceiling=float("nan"), layer="best", n=float("nan")))
    return pd.concat(parts, ignore_index=True).dropna(subset=["value"])
