"""The page on similarity of whole sets of pictures: limits, points, pairs of ways to measure, table, numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ... import rsa as measures
from ... import show
from ...chapters import networks
from ...config import Profile
from ...data.types import HumanRDM
from ...results import Measured
from ...roles import ARRANGEMENTS
from .. import rsa


def ceilings(profile: Profile, sets=ARRANGEMENTS) -> pd.DataFrame:
    """How well people predict people in some arrangement sets; see :func:`humalign.studies.rsa.ceilings`."""
    return pd.concat([rsa.ceilings(profile, name) for name in sets])


def limits(found: pd.DataFrame, method: str = "spearman", detail: str = "reliability") -> pd.Series:
    """One value a data set from :func:`ceilings`: what the true dissimilarities, or "one person", would reach."""
    return found[(found["measure"] == method) & (found["detail"] == detail)].set_index("dataset")["value"]


def references(profile: Profile, sets) -> dict[str, pd.DataFrame]:
    """Data set to the agreement of simple descriptions; see :func:`humalign.studies.rsa.references`."""
    return {name: rsa.references(profile, name) for name in sets}


def points(measured: Measured, models: pd.DataFrame, layer: str, sets, method: str, metric: str) -> networks.ByRole:
    """Data set to points of the untransformed networks; see :func:`humalign.chapters.networks.points`."""
    where = {"stage": "zero-shot", "measure": method, "detail": metric}
    return networks.ByRole({name: networks.points(measured, models, layer, dataset=name, **where) for name in sets})


def both(measured: Measured, models: pd.DataFrame, layer: str, **ways) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points on the 118 pictures measured in two ways.

    Parameters
    ----------
    measured : Measured
    models : DataFrame
    layer : str
    **ways
        A column and its two values, for instance ``measure=("spearman", "pearson")``; the others are "spearman" and
        "correlation".
    """
    usual = {"dataset": "cichy", "stage": "zero-shot", "measure": "spearman", "detail": "correlation"}
    first, second = ({**usual, **{key: pair[k] for key, pair in ways.items()}} for k in (0, 1))
    return networks.points(measured, models, layer, **first), networks.points(measured, models, layer, **second)


def by_layer(measured: Measured, models: pd.DataFrame, method: str, metric: str) -> list[pd.DataFrame]:
    """Points on the 118 pictures at the penultimate layer and at the logits."""
    where = {"dataset": "cichy", "stage": "zero-shot", "measure": method, "detail": metric}
    return [networks.points(measured, models, name, **where) for name in networks.LAYERS]


def matrices(profile: Profile, human: HumanRDM, order, examples: pd.DataFrame, metric: str) -> dict[str, np.ndarray]:
    """Dissimilarities of people and of some networks, in one order of the 118 pictures: title to matrix (m, m).

    Parameters
    ----------
    profile : Profile
    human : HumanRDM
    order : sequence of str (m,)
        Ids.
    examples : DataFrame
        Points of the networks; each at its layer.
    metric : {"correlation", "cosine"}
    """
    shown = {"people": human.align(order).mean()}
    rows = examples.set_index("model")
    for part in networks.source(profile).features("cichy", models=list(rows.index)):
        row = rows.loc[part.model]
        if part.layer == row["layer"]:
            shown[f"{row['name']}, ρ = {row['value']:.2f}"] = measures.rdm(part.align(order).values, metric=metric)
    return shown


def table(found: dict[str, pd.DataFrame], titles: dict[str, str]) -> pd.DataFrame:
    """One row a network, in the order of the 118 pictures' points: no., name, group, one estimate a data set.

    Parameters
    ----------
    found : dict of str to DataFrame
        :func:`points`.
    titles : dict of str to str
        Data set to heading.
    """
    first = found["cichy"]
    columns = {titles[name]: show.estimates(part, first["model"]) for name, part in found.items()}
    return networks.numbered(first[["number", "name", "group"]].assign(**columns))


def headline(found: dict[str, pd.DataFrame], people: pd.DataFrame, method: str) -> dict:
    """Numbers for the prose: best network of each data set, people's limits, one person; key to number.

    Parameters
    ----------
    found : dict of str to DataFrame
        :func:`points`.
    people : DataFrame
        :func:`ceilings`.
    method : {"spearman", "pearson"}
    """
    out, top, one = {}, limits(people, method), limits(people, method, "one person")
    for name, part in found.items():
        row = networks.best(part)
        out[f"rsa_best_{name}"] = show.estimate(row)
        out[f"rsa_best_name_{name}"] = row["name"]
        out[f"rsa_limit_{name}"] = show.number(top[name])
    if "cichy" in one:
        out["rsa_one_cichy"] = show.number(one["cichy"])
    return out
