"""Networks that know photographs look at the drawn world: what a transform brings out of rich features."""

from __future__ import annotations

from functools import partial

import pandas as pd

from .. import record, show, zoo
from ..record import Tables
from ..results import combine
from ..source import Source
from . import concepts, networks, probing, zero_shot

ROLES, OPTIONAL = ("things",), ()
VERSION = 3  # of what is recorded: goes up when its numbers change
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
    """Accuracy of all networks, those of the drawn world and those beside them, at the penultimate layer."""
    small = combine(zero_shot.measure(source, roles=("things",)), probing.measure(source), concepts.regression(source))
    source = beside(source)
    names, values = concepts.dimensions(source)
    ways = {
        "zero-shot": (partial(zero_shot.of_features, kernels=("cosine",)), zero_shot.VERSION),
        "probing": (partial(probing.of_features, fit=partial(probing.kept_probe, source)), probing.VERSION),
        "regression": (partial(concepts.regress, values=values, names=names), concepts.VERSION),
    }
    settings = {"inputs": probing.SETTINGS, "layers": (LAYER,), "models": list(MODELS)}
    found = [networks.measure(source, "things", way, version, name=f"photographs-{name}", **settings)
             for name, (way, version) in ways.items()]  # fmt: skip
    rows = combine(small, *found).table
    cosine = (rows["stage"] != zero_shot.STAGE) | (rows["detail"] == "cosine")
    return {"results": rows[(rows["measure"] == "accuracy") & (rows["layer"] == LAYER) & cosine]}


TABLES = record.Study("mini_photographs", frozenset(), ("results",), VERSION, _tables, live=False, profile="mini")
"""Accuracy zero-shot, probed and by regression, one training run each. Pictures of this size take minutes, so it is
recorded, the small networks with them."""


def points(tables: Tables, stage: str) -> pd.DataFrame:
    """One row a network: facts, value, low, high (95 %, over concepts); numbers go on where the drawn world's end."""
    rows = tables["results"]
    small = zoo.table("mini")[["model", "name", "group", "number"]]
    more = pd.DataFrame([{"model": name, **_facts(name), "number": len(small) + k} for k, name in enumerate(MODELS, 1)])
    facts = pd.concat([small, more[small.columns]], ignore_index=True)
    rows = rows.loc[rows["stage"] == stage, ["model", "layer", "value", "low", "high", "n"]]
    return facts.merge(rows, on="model", validate="one_to_one").assign(provenance=tables.provenance, runs=1)


def pairs(tables: Tables) -> dict[str, pd.DataFrame]:
    """Title to pairs (:func:`humalign.chapters.networks.pairs`): the transform, and regression after it."""
    stages = (probing.SAME, probing.PROBED, concepts.REGRESSION)
    before, after, fitted = (points(tables, stage) for stage in stages)
    return {
        "a  The transform": networks.pairs(before, after),
        "b  Regression of dimensions": networks.pairs(after, fitted),
    }


def numbers(tables: Tables) -> dict:
    """Numbers of the prose, by key."""
    told, both = tables.provenance, networks.trained(next(iter(pairs(tables).values())))
    know = both["group"] == GROUP
    zero, ridge = (
        points(tables, stage).set_index("model")["value"] for stage in (zero_shot.STAGE, concepts.REGRESSION)
    )
    best, gain = both[know].nlargest(1, "y").iloc[0], 100 * both["difference"]
    return {
        "ph_zero": show.number(zero[MODELS[0]], None, told),
        "ph_gain": show.number(gain[know].mean(), None, told, digits=1),
        "ph_gain_small": show.number(gain[~know].mean(), None, told, digits=1),
        "ph_best": show.number(best["y"], (best["y_low"], best["y_high"]), told),
        "ph_best_name": best["name"],
        "ph_before": show.number(best["x"], (best["x_low"], best["x_high"]), told),
        "ph_above": show.number(int((both[~know]["y"] > best["y"]).sum()), None, told),
        "ph_small": show.number(int((~know).sum()), None, told),
        "ph_ridge": show.number(ridge[list(MODELS)].max(), None, told),
        "ph_ridge_above": show.number(int((ridge.drop(list(MODELS)) > ridge[list(MODELS)].max()).sum()), None, told),
    }
