"""Table 1 of the first paper: every network with its facts and this run, and the networks of the drawn world."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import show
from ..source import YOURS, Source
from . import networks, probing, rsa, zero_shot
from .zoo import taught

ROLES, OPTIONAL = ("things", "cichy", "king1", "king2"), ("coarse",)
RUN = {  # column of this run: (dataset, stage, measure, detail)
    "zero-shot": ("things", "zero-shot", "accuracy", "cosine"),
    "probed": ("things", "probed", "accuracy", "dot"),
    "ρ, 118": ("cichy", "zero-shot", "spearman", "correlation"),
    "ρ, 144 (1)": ("king1", "zero-shot", "spearman", "correlation"),
    "ρ, 144 (2)": ("king2", "zero-shot", "spearman", "correlation"),
}


def measure(source: Source) -> pd.DataFrame:
    """Result rows of zero-shot choices, probes and arrangements, further training runs included."""
    together = [(zero_shot.measure,), (probing.measure,), (rsa.measure, probing.measure_rsa)]
    parts = [networks.with_recorded(*(measure(source) for measure in measures)) for measures in together]
    return pd.concat([part.table for part in parts], ignore_index=True)


def with_yours(facts: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Facts of some networks, and after them those of the reader's own."""
    own = source.networks()
    own = own[own["group"] == YOURS]
    both = pd.concat([facts.astype(object), own.astype(object)], ignore_index=True) if len(own) else facts
    return both.assign(number=np.arange(1, len(both) + 1))


def this_run(table: pd.DataFrame | None, models) -> pd.DataFrame:
    """Values of one run, better layer, mean over training runs: one row a network, columns of ``RUN`` (NaN: not run).

    Parameters
    ----------
    table : DataFrame or None
        Result table.
    models : sequence of str
    """
    out = pd.DataFrame(index=pd.Index(list(models), name="model"), columns=list(RUN), dtype=float)
    if table is None or not len(table):
        return out
    for column, (dataset, stage, measure, detail) in RUN.items():
        at = (table["dataset"] == dataset) & (table["stage"] == stage) & (table["measure"] == measure)
        rows = table[at & (table["detail"] == detail)]
        best = rows.groupby(["model", "layer"])["value"].mean().groupby("model").max()
        out[column] = best.reindex(out.index)
    return out


def published(facts: pd.DataFrame, table: pd.DataFrame | None = None, paper: str = "1") -> pd.DataFrame:
    """The networks of a paper: published facts, whether they can be had, the stand-in, and this run.

    Parameters
    ----------
    facts : DataFrame
        :func:`humalign.zoo.table` of profile "full".
    table : DataFrame, optional
        Result table of this run.
    paper : {"1", "2"}
    """
    rows = facts[facts["paper"].astype(str) == paper].reset_index(drop=True)
    million = rows["parameters"].astype(float) / 1e6
    frame = pd.DataFrame({
        "network": rows["name"], "source": rows["source"], "family": rows["family"],
        "training": rows["group"].str.replace(r"^Supervised \((.*)\)$", r"\1", regex=True),
        "objective": rows["objective"], "parameters, M": million.round(1),
        "ImageNet top-1, %": (100 * rows["reference_accuracy"].astype(float)).round(1),
        "public": np.where(rows["public"].astype(bool), "yes", "no"),
        "stand-in": rows["stand_in"].fillna("").map(short),
    })  # fmt: skip
    run = this_run(table, rows["model"])
    if run.notna().any().any():
        frame = pd.concat([frame, run.reset_index(drop=True)], axis=1)
    return frame


def short(loader: str) -> str:
    """A loader name without its package and settings: ``timm:vit_b.tag`` becomes ``vit_b.tag (timm)``."""
    package, colon, rest = str(loader).partition(":")
    if not colon:
        return package
    name, _, weights = rest.partition("?weights=")
    return f"{name}{', ' + weights if weights else ''} ({package})"


def mini(facts: pd.DataFrame, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """The networks of the drawn world with their facts and this run.

    Parameters
    ----------
    facts : DataFrame
        :func:`humalign.source.Source.networks`.
    table : DataFrame, optional
        Result table of this run.
    """
    frame = pd.DataFrame({
        "network": facts["name"], "family": facts["family"], **taught(facts),
        "parameters, k": (facts["parameters"].astype(float) / 1e3).round(0).astype("Int64"),
        "linear probe": facts["reference_accuracy"].astype(float),
    })  # fmt: skip
    return pd.concat([frame, this_run(table, facts["model"]).reset_index(drop=True)], axis=1)


def counts(facts: pd.DataFrame) -> pd.DataFrame:
    """How many networks of the first paper each source has, and how many of them can be had."""
    rows = facts[facts["paper"].astype(str) == "1"]
    public = rows["public"].astype(bool)
    out = rows.assign(public=public, stand_in=~public & (rows["stand_in"].fillna("") != ""))
    out = out.groupby("source", sort=False).agg(
        networks=("model", "size"), public=("public", "sum"), stand_in=("stand_in", "sum")
    )
    out["features only"] = out["networks"] - out["public"] - out["stand_in"]
    return out.rename(columns={"stand_in": "stand-in"}).reset_index()


def numbers(facts: pd.DataFrame, real: dict) -> dict:
    """Numbers for the prose: CLIP on real people before and after the probe, networks of the paper; key to number.

    Parameters
    ----------
    facts : DataFrame
        :func:`humalign.zoo.table` of profile "full".
    real : dict
        :func:`humalign.chapters.real_probing.numbers`.
    """
    count = int((facts["paper"].astype(str) == "1").sum())
    return {
        "t1_before": real["rq_things_clip_before"],
        "t1_after": real["rq_things_clip_after"],
        "t1_networks": show.number(count, provenance="published", source="the authors' code"),
    }
