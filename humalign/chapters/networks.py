"""Networks of a source: measured one by one, each kept; their results as points of a figure and rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import record, resample, results, show, zoo
from ..cache import kept
from ..errors import MissingData
from ..results import Measured, combine, farthest
from ..source import LAYERS, Source

# ---- measuring -------------------------------------------------------------------------------------------------------


def each(
    source: Source, role: str, of_features: Callable, version: int, *, name: str, answers=None, inputs=(),
    layers=LAYERS, models=None, seeds=(0,), **options,
) -> list:  # fmt: skip
    """``of_features`` of every training run of a source's networks; what was measured before is read from the cache.

    Parameters
    ----------
    source : Source
    role : str
        Whose pictures and answers; it becomes the column "dataset".
    of_features : callable
        ``of_features(features, answers, **options, dataset=role, profile=...)`` measures one training run;
        ``features`` is a list, one Features a layer. It gives what :func:`humalign.cache.kept` can keep.
    version : int
        Of ``of_features``, see :func:`humalign.cache.kept`.
    name : str
        Of the product, for instance "zero-shot".
    answers : Triplets, HumanRDM or tuple of them, optional
        What people said; default: the answers of the role.
    inputs : list, or callable of network and seed that gives one
        Everything else that ``of_features`` depends on and that is no option.
    layers, models, seeds
        See :meth:`humalign.source.Source.features`; default: all networks at hand, the first training run.
    **options
        Of ``of_features``, and part of the key of the product.

    Raises
    ------
    MissingData
        When there are no features of any network.
    """
    answers = source.answers_of(role) if answers is None else answers
    sums = [one.checksum for one in (answers if isinstance(answers, tuple) else (answers,))]
    common = {"dataset": role, "profile": source.profile.name}
    out = []
    for model, seed in tqdm(source.runs(role, models, seeds), desc=f"{name}, {role}", unit="network", leave=False):

        def make(model=model, seed=seed):
            features = list(source.features(role, layers, [model], (seed,)))
            return of_features(features, answers, **options, **common) if features else {}

        more = inputs(model, seed) if callable(inputs) else inputs
        parts = [source.state(role, [model], (seed,)), sums, layers, sorted(options.items()), list(more)]
        out.append(kept(source.profile, f"{name}-{role}-{model}.s{seed}", version, parts, make))
    return out


def measure(source: Source, roles, of_features: Callable, version: int, *, name: str, by_role=(), **ways) -> Measured:
    """:func:`each`, joined: results of all networks, with draws.

    Parameters
    ----------
    source, of_features, version, name
        As :func:`each`; ``of_features`` gives a Measured.
    roles : str or tuple of str
        One role; or several, of which those without answers or features are left out.
    by_role : dict of str to dict
        Options of ``of_features`` that one role has of its own.
    **ways
        As :func:`each`: answers, inputs, layers, models, seeds, options.

    Raises
    ------
    MissingData
        When no role is at hand, no network has features, or nothing could be measured.
    """
    out, special = [], dict(by_role)
    for role in [roles] if isinstance(roles, str) else source.at_hand(roles):
        made = each(source, role, of_features, version, name=name, **{**ways, **special.get(role, {})})
        found = [one for one in made if isinstance(one, Measured)]  # a network may have nothing that can be measured
        if not found:
            told = "use other networks or layers, or more answers"
            raise MissingData("was measured of no network", f"{name}, {role}", told)
        out += found
    return combine(*out)


def identity(part) -> dict:
    """The columns of a result table that say which training run and layer features are of."""
    return {"model": part.model, "seed": int(part.meta.get("seed", 0)), "layer": part.layer}


# ---- results of all training runs ------------------------------------------------------------------------------------


def recorded_path() -> Path:
    """Results of further training runs that come with the package."""
    return record.FOLDER / "mini_seeds.csv"


@lru_cache(maxsize=1)
def recorded() -> Measured | None:
    """Results of further training runs, recorded by ``humalign record --profile mini``; None without them."""
    return Measured.load(recorded_path(), "recorded") if recorded_path().is_file() else None


KEY = ["dataset", "stage", "measure", "detail", "layer"]


def with_recorded(*parts: Measured) -> Measured:
    """Live results joined by the recorded ones of other training runs of the same networks, for the same measures.

    Parameters
    ----------
    *parts : Measured
        Live results. A network counts as the same for all of them: where its transform collapsed in the live run, the
        other runs still stand for it.
    """
    live, other = combine(*parts), recorded()
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
        :meth:`humalign.source.Source.networks`.
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
    if not mask.any() and len(measured.table):
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


# ---- tables of points ------------------------------------------------------------------------------------------------


def trained(points: pd.DataFrame) -> pd.DataFrame:
    """Rows of networks that were trained; ``points`` has a column group."""
    return points[points["group"] != "Untrained"]


def best(points: pd.DataFrame) -> pd.Series:
    """The row of the trained network with the largest value."""
    part = trained(points)
    return part.loc[part["value"].idxmax()]


def worst(points: pd.DataFrame) -> pd.Series:
    """The row of the trained network with the smallest value."""
    part = trained(points)
    return part.loc[part["value"].idxmin()]


def above(pairs: pd.DataFrame, key: str) -> dict:
    """In how many networks y exceeds x, and in how many it could, as ``key`` and ``key_of`` for the prose.

    Parameters
    ----------
    pairs : DataFrame
        Of :func:`pairs`; networks that lack a side do not count.
    """
    both = pairs.dropna(subset=["x", "y"])
    return {key: count(both["y"] > both["x"], both), f"{key}_of": show.number(len(both))}


def count(mask: pd.Series, points: pd.DataFrame) -> show.Number:
    """How many rows a mask holds, with the provenance farthest from live of all rows that were asked.

    Parameters
    ----------
    mask : bool Series (n,)
    points : DataFrame
        The n rows, with a column provenance.
    """
    return show.number(int(mask.sum()), None, results.farthest(points["provenance"], "live"))


def names(models: pd.DataFrame) -> dict[str, str]:
    """Name for readers of each network, by its identifier."""
    return models.set_index("model")["name"].to_dict()


def examples(source: Source, wanted, role: str = "things") -> list[str]:
    """The wanted networks that are at hand; the first trained one of each group in place of those that are not."""
    here, group = source.models(role), source.networks().set_index("model")["group"]
    found = [m for m in wanted if m in here]
    for name in here:
        if len(found) < len(wanted) and name not in found and group[name] not in {group[m] for m in found}:
            found.append(name)
    return found


def pairs(x: pd.DataFrame, y: pd.DataFrame) -> pd.DataFrame:
    """The networks that two tables of points share, by name: facts, x, y, their intervals, and the difference y - x.

    Parameters
    ----------
    x, y : DataFrame
        Points, one row a network.
    """
    columns = ["model", "value", "low", "high"]
    right = y[columns].rename(columns={"value": "y", "low": "y_low", "high": "y_high"})
    left = x.rename(columns={"value": "x", "low": "x_low", "high": "x_high"})
    out = left.merge(right, on="model", how="inner", validate="one_to_one")
    return out.assign(difference=out["y"] - out["x"])


def pairs_of(x: dict[str, pd.DataFrame], y: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Panel by panel the networks that two tables of points share; the panels of ``x`` count. See :func:`pairs`."""
    return {name: pairs(part, y[name]) for name, part in x.items()}


def wide(points: pd.DataFrame) -> pd.DataFrame:
    """Points of several panels as one row a network, a column a panel.

    Parameters
    ----------
    points : DataFrame
        number, name, group, panel, value, provenance: one row a network and panel.

    Returns
    -------
    DataFrame
        network, training group, the panels in their order (empty where a network was not measured), provenance (of
        several the one farthest from live); in the order of ``number``.
    """
    keys = ["number", "name", "group"]
    values = points.pivot(index=keys, columns="panel", values="value")[list(dict.fromkeys(points["panel"]))]
    told = points.groupby(keys)["provenance"].agg(results.farthest)
    table = values.assign(provenance=told).reset_index().rename_axis(columns=None)
    return table.drop(columns="number").rename(columns={"name": "network", "group": "training group"})


def published(page: str) -> pd.DataFrame:
    """What others published that belongs beside a page: one row a work, quantity and network, a column a data set.

    Parameters
    ----------
    page : str
        Name of the notebook.

    Returns
    -------
    DataFrame
        by, quantity, network, the data sets, what it is, caveat, provenance.
    """
    found = zoo.published_others(page)
    keys = ["work", "quantity", "network", "what", "caveat"]
    values = found.pivot(index=keys, columns="responses", values="value")[list(dict.fromkeys(found["responses"]))]
    order = found[keys].drop_duplicates()
    table = order.merge(values.reset_index(), on=keys, validate="one_to_one").rename_axis(columns=None)
    told = {"work": "by", "what": "what it is"}
    columns = ["work", "quantity", "network", *values.columns, "what", "caveat"]
    return table[columns].rename(columns=told).assign(provenance="published")


def stacked(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of several panels as one, its first column the name of the panel."""
    return pd.concat(tables, names=["panel"]).reset_index(level=0)


def labelled(tables: dict[str, pd.DataFrame], column: str) -> pd.DataFrame:
    """The tables of several panels as one, the name of the panel in a column."""
    return pd.concat([part.assign(**{column: name}) for name, part in tables.items()])


def titled(values, titles: dict[str, str]) -> dict:
    """Values by title in place of values by name, in the order of the titles; names without a value are left out.

    Parameters
    ----------
    values : dict or pandas.Series
        Name to value.
    titles : dict of str to str
        Name to title.
    """
    return {title: values[name] for name, title in titles.items() if name in values}


class ByRole(dict):
    """Values by role; asking for a role that was not measured raises MissingData."""

    def __missing__(self, role):
        raise MissingData("was not measured", role, "'humalign plan --profile full' says what is missing")
