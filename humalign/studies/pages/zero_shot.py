"""The page on zero-shot odd-one-out: points by layer, the table of all networks, numbers in the prose."""

from __future__ import annotations

import pandas as pd

from ... import show
from ...data.types import Triplets
from ...results import Measured
from .. import networks
from . import common

CEILINGS = {"bayes": "Bayes", "majority": "majority", "loo": "leave-one-out"}
REFERENCES = {"pixels": "pixels", "colours": "colour histogram", "category": "category", "dims": "people's dimensions"}


def by_layer(measured: Measured, models: pd.DataFrame, kernel: str) -> dict[str, pd.DataFrame]:
    """Layer to points on people's choices; see :func:`humalign.studies.networks.points`."""
    where = {"dataset": "things", "detail": kernel}
    return {name: networks.points(measured, models, name, **where) for name in networks.LAYERS}


def table(points: pd.DataFrame, layers: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a network: facts, accuracy at each layer, training runs, and ``points`` as estimates ("best").

    Parameters
    ----------
    points : DataFrame
        Of the better layer.
    layers : dict of str to DataFrame
        :func:`by_layer`.
    """
    out = points[["number", "name", "group", "reference_accuracy"]].copy()
    for name, part in layers.items():
        out[name] = points["model"].map(part.set_index("model")["value"]).to_numpy()
    out = out.assign(runs=points["runs"], best=show.estimates(points, points["model"]))
    return common.numbered(out).rename(columns={"reference_accuracy": "linear probe"})


def task(choices: Triplets, silent: float) -> dict:
    """Numbers for the prose: pictures, concepts, and the share of triplets of three categories; key to number."""
    return {
        "zs_pictures": show.number(len(choices.ids)),
        "zs_concepts": show.number(len(set(choices.concepts))),
        "zs_span": show.number(silent, digits=2),
    }


def control(permuted: pd.DataFrame, chance: float = 1 / 3) -> dict:
    """Numbers for the prose: how many intervals lie wholly above chance, and below; key to number.

    Parameters
    ----------
    permuted : DataFrame
        Points of the control, observers whose concepts are permuted.
    chance : float
    """
    return {
        "zs_above": common.count(permuted["low"] > chance, permuted),
        "zs_below": common.count(permuted["high"] < chance, permuted),
    }


def headline(points: pd.DataFrame, ceilings: pd.DataFrame, references: pd.DataFrame) -> dict:
    """Numbers for the prose: best and worst network, people's limits, simple descriptions; key to number.

    Parameters
    ----------
    points : DataFrame
        One row a network.
    ceilings, references : DataFrame
        Result tables; details and models that are not among them get no key.
    """
    best, worst = common.best(points), common.worst(points)
    out = {
        "zs_networks": show.number(len(points)),
        "zs_best": show.estimate(best),
        "zs_best_name": best["name"],
        "zs_worst": show.estimate(worst),
        "zs_worst_name": worst["name"],
    }
    limit, simple = ceilings.set_index("detail")["value"], references.set_index("model")
    out |= {f"zs_{key}": show.number(limit[name]) for key, name in CEILINGS.items() if name in limit}
    out |= {f"zs_{key}": show.estimate(simple.loc[name]) for key, name in REFERENCES.items() if name in simple.index}
    return out
