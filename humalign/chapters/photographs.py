"""Networks that know photographs look at the drawn world: what a transform brings out of rich features."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from .. import record, show, zoo
from ..record import Tables
from ..results import combine
from ..source import Source
from . import concepts, networks, probing, zero_shot

ROLES, OPTIONAL = ("things",), ()
VERSION = 1  # of what is recorded: goes up when its numbers change
MODELS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
GROUP = "Photographs"  # in the figures of the drawn world
LAYER = "penultimate"


def beside(source: Source, models=MODELS) -> Source:
    """The drawn world with networks that were trained on photographs and on none of its labels.

    Each sees the pictures drawn at its own size.
    """
    for name in models:
        source = source.plus(name, **_facts(name))
    return source


def _facts(name: str) -> dict:
    known = zoo.facts_of(name)
    return {"name": known["name"], "group": GROUP, "palette": GROUP, "parameters": known["parameters"]}


def _tables(source: Source) -> dict:
    source = beside(source)
    models = source.networks()["model"].tail(len(MODELS)).tolist()
    names, values = concepts.dimensions(source)
    ways = {
        "zero-shot": (partial(zero_shot.of_features, kernels=("cosine",)), zero_shot.VERSION),
        "probing": (partial(probing.of_features, fit=partial(probing.kept_probe, source)), probing.VERSION),
        "regression": (partial(concepts.regress, values=values, names=names), concepts.VERSION),
    }
    found = [networks.measure(source, "things", way, version, name=f"photographs-{name}", inputs=probing.SETTINGS,
                              layers=(LAYER,), models=models) for name, (way, version) in ways.items()]  # fmt: skip
    rows = combine(*found).table
    return {"results": rows[rows["measure"] == "accuracy"]}


TABLES = record.Study("mini_photographs", frozenset(), ("results",), VERSION, _tables, live=False, profile="mini")
"""Accuracy of these networks zero-shot, probed and by regression. Their pictures take minutes, so it is recorded."""


def points(tables: Tables, stage: str) -> pd.DataFrame:
    """One row a network: facts, value, low, high (95 %, over concepts); numbers go on where the drawn world's end."""
    rows = tables["results"]
    rows = rows[rows["stage"] == stage].set_index("model").loc[list(MODELS)].reset_index()
    first = len(zoo.table("mini")) + 1
    facts = pd.DataFrame([{"model": name, **_facts(name)} for name in MODELS])
    facts = facts.assign(number=np.arange(first, first + len(facts)), provenance=tables.provenance, runs=1)
    return facts.merge(rows[["model", "layer", "value", "low", "high", "n"]], on="model", validate="one_to_one")


def pairs(tables: Tables, stages: tuple[str, str], x: pd.DataFrame, y: pd.DataFrame) -> pd.DataFrame:
    """Networks of the drawn world and those that know photographs, as :func:`humalign.chapters.networks.pairs`.

    Parameters
    ----------
    tables : Tables
    stages : pair of str
        What x and y are.
    x, y : DataFrame
        Points of the drawn world's networks at these stages.
    """
    found = [networks.pairs(x, y), networks.pairs(*(points(tables, stage) for stage in stages))]
    return pd.concat(found, ignore_index=True)


def numbers(tables: Tables, pairs: pd.DataFrame) -> dict:
    """Numbers of the prose, by key.

    Parameters
    ----------
    tables : Tables
    pairs : DataFrame
        Zero-shot (x) and probed (y) accuracy, see :func:`pairs`.
    """
    told, own = tables.provenance, networks.trained(pairs)
    know = own["group"] == GROUP
    zero, ridge = points(tables, zero_shot.STAGE), points(tables, concepts.REGRESSION)
    best, gain = own[know].nlargest(1, "y").iloc[0], 100 * own["difference"]
    small = own[~know].nlargest(1, "difference").iloc[0]
    return {
        "ph_zero": show.number(zero["value"].iloc[0], None, told),
        "ph_gain": show.number(gain[know].mean(), None, told, digits=1),
        "ph_gain_small": show.number(gain[~know].mean(), digits=1),
        "ph_gain_most": show.number(100 * small["difference"], digits=1),
        "ph_gain_most_name": small["name"],
        "ph_best": show.number(best["y"], (best["y_low"], best["y_high"]), told),
        "ph_best_name": best["name"],
        "ph_before": show.number(best["x"], (best["x_low"], best["x_high"]), told),
        "ph_above": show.number(int((own[~know]["y"] > best["y"]).sum()), None, told),
        "ph_small": show.number(int((~know).sum())),
        "ph_ridge": show.number(ridge["value"].max(), None, told),
    }
