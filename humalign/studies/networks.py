"""The networks of a profile: their facts, and their results as points."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from .. import resample
from ..config import Profile
from ..errors import MissingData
from ..results import Measured, combine, farthest
from ..source import LAYERS, Source, open_source

__all__ = ["LAYERS", "facts", "points", "recorded", "source", "with_recorded"]


def facts(profile: Profile) -> pd.DataFrame:
    """One row a network, the same columns in every profile: :func:`humalign.zoo.table`."""
    from .. import zoo

    return zoo.table(profile)


def source(profile: Profile) -> Source:
    """The source of the chapters on networks and people.

    Raises
    ------
    MissingData
        In the profile slice, whose data have a page of their own.
    """
    if profile.name == "slice":
        told = "the page on real human data shows what the slice offers; else use mini or full"
        raise MissingData("has no chapters on networks and people", "profile slice", told)
    return open_source(profile)


# ---- results of all training runs ------------------------------------------------------------------------------------


def recorded_path() -> Path:
    """Results of further training runs that come with the package."""
    return Path(str(resources.files("humalign").joinpath("recorded", "mini_seeds.csv")))


@lru_cache(maxsize=1)
def recorded() -> Measured | None:
    """Results of further training runs, recorded by ``humalign record --profile mini``; None without them."""
    return Measured.load(recorded_path(), "recorded") if recorded_path().is_file() else None


KEY = ["dataset", "stage", "measure", "detail", "layer"]


def with_recorded(live: Measured) -> Measured:
    """Live results joined by the recorded ones of other training runs of the same networks, for the same measures."""
    other = recorded()
    if other is None:
        return live
    wanted = set(live.table[KEY].itertuples(index=False, name=None))
    have = set(zip(live.table["model"], live.table["seed"]))
    models = set(live.table["model"])
    keep_rows = [
        key in wanted and model in models and (model, seed) not in have
        for key, model, seed in zip(
            other.table[KEY].itertuples(index=False, name=None), other.table["model"], other.table["seed"]
        )
    ]
    other = other.select(np.array(keep_rows, bool))
    return combine(live, other) if len(other.table) else live


def points(measured: Measured, models: pd.DataFrame, layer: str = "best", **where) -> pd.DataFrame:
    """One row a network for a figure: facts, value (mean over training runs), 95 % interval over concepts and runs.

    Parameters
    ----------
    measured : Measured
    models : DataFrame
        :func:`facts`.
    layer : str
        "penultimate", "logits", or "best": the one with the larger value, network by network (the paper's rule).
    **where
        Columns of the result table and the value wanted, for instance ``dataset="things", detail="cosine"``.

    Returns
    -------
    DataFrame
        Facts, dataset, stage, measure, detail, layer, value, low, high, runs (how many training runs), each (the value
        of every run, in words), provenance (of several the one farthest from live); in the order of the facts.
    """
    mask = np.ones(len(measured.table), bool)
    for column, value in where.items():
        mask &= (measured.table[column] == value).to_numpy()
    part = measured.select(mask)
    cells = resample.networks(part, models, layer)
    if not len(cells.value) and len(measured.table) and measured.table["profile"].iloc[0] != "mini":
        asked = ", ".join(f"{key} {value}" for key, value in {**where, "layer": layer}.items())
        raise MissingData("nothing was measured", asked, "'humalign plan --profile full' says what is missing")
    low, high = resample.interval(cells.draws) if len(cells.draws) else (np.empty(0), np.empty(0))
    out = cells.facts.assign(value=cells.value, low=low, high=high)
    rows = part.table if layer in ("", "best") else part.table[part.table["layer"] == layer]
    means = rows.groupby(["model", "layer"], sort=False)["value"].mean()
    used = {m: means[m].idxmax() if layer == "best" else layer for m in out["model"]}
    out["layer"] = out["model"].map(used)
    own = rows if layer == "" else rows[rows["layer"] == rows["model"].map(used)]
    own = own.sort_values("seed", kind="stable").groupby("model")
    out["each"] = out["model"].map(own["value"].agg(lambda v: " ".join(f"{x:.4f}" for x in v)))
    out["provenance"] = out["model"].map(own["provenance"].agg(farthest))
    for column in ("dataset", "stage", "measure", "detail"):
        out[column] = where.get(column, "")
    return out.sort_values("number").reset_index(drop=True)
