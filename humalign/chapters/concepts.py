"""Which concepts networks share with people: by dimension, before and after probing, and by regression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from .. import concepts as measures
from .. import odd_one_out, resample, show
from .. import probing as solvers
from ..data.types import Triplets
from ..results import Measured, combine, interval
from ..similarity import similarity_matrix
from ..source import LAYERS, YOURS, Source
from . import networks, probing, zero_shot

ROLES, OPTIONAL = ("things",), ()
VERSION = 2  # of what is kept: goes up when its numbers change
DATASET = "things-dimensions"  # accuracy and R2 of single dimensions: not "things", which is about all triplets
PREDICTED = "things-predicted"  # accuracy on the triplets that people's dimensions predict
ZERO, SAME, PROBED, REGRESSION = probing.RAW, probing.SAME, probing.PROBED, "regression"
FOLDS, SEED = 5, 42  # of the regression, as in the paper
FEW = 20  # accuracies on fewer triplets are not shown
HELD = 100  # held-out triplets that a dimension needs to be named in the prose
COLUMNS = ["dimension", "stage", "model", "group", "kind", "layer", "value", "low", "high", "n", "provenance"]
R2 = ["model", "group", "layer", "detail", "value", "low", "high", "provenance"]
PAPER = "things/vice_45"  # people's dimensions as the paper has them
FIGURE_5 = ("animal", "transport", "sport",  # in the place of animal-related, vehicles and sports
            "Animal-related", "Vehicles", "Sports")  # fmt: skip
LABELS = (  # of the paper's 45 dimensions, as in the authors' code
    "Metal", "Food", "Plant-related", "Animal-related", "Furniture", "Clothing", "Royal", "Outdoors-related",
    "Body part", "Vehicles", "Wood", "Tools", "Technology", "Colorful", "Patterns", "Circular", "Sports", "Paper",
    "Liquids", "Sea", "Red", "Powdery", "Hygiene", "Weapons", "Has-grating", "Black", "Sky-related", "Long/thin",
    "White", "Decorative", "Spherical", "Green", "Musical instrument", "Patterned", "Bugs", "Fire-related", "Shiny",
    "String-related", "Arms/legs/skin", "Elongated", "Home-related", "Toy-related", "Yellow", "Medicine-related",
    "Ice/Winter",
)  # fmt: skip
VICE_LABELS = {  # columns of the public embedding, with the paper's label for the same leading objects (judged)
    22: "Metal", 41: "Food", 31: "Plant-related", 12: "Animal-related", 1: "Furniture", 39: "Clothing", 4: "Royal",
    34: "Outdoors-related", 5: "Long, thin, pointed", 27: "Wood", 24: "Vehicles", 21: "Body part", 26: "Technology",
    28: "Colorful", 3: "Small repeated items", 32: "Circular", 36: "Sports", 17: "Paper", 18: "Liquids", 38: "Sea",
    10: "Red", 11: "Bathing, medical", 35: "Powdery", 25: "Weapons", 15: "Nets, grating", 20: "White",
    14: "Arms, legs, skin", 30: "Sky-related", 19: "Elongated", 23: "Spherical", 8: "Decorative",
    33: "Musical instrument", 40: "Patterned", 0: "Green", 7: "Fire-related", 29: "Black", 13: "String-related",
    16: "Shiny", 37: "Eyes", 6: "Toy, child", 2: "Yellow", 9: "Seating, suspended",
}  # fmt: skip

# ---- people's dimensions, and the triplets that rest on them ---------------------------------------------------------


def title(source: Source) -> str:
    """Where people's dimensions come from, in words."""
    found = source.people("things")
    return "those that the simulated observers see by" if found.known else f"{found.title} ({found.name})"


def dimensions(source: Source) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values (m, d) of what people see in the pictures of the odd-one-out task, in its order.

    Of real people: heaviest dimension first. That is the order of the paper's labels; those of the public embedding
    were judged, see ``VICE_LABELS``.
    """
    found = source.people("things")
    if found.known:
        return found.names, found.dimensions
    heavy = np.argsort(-found.dimensions.sum(0), kind="stable")
    known = dict(zip(heavy.tolist(), LABELS)) if found.name == PAPER else VICE_LABELS
    return tuple(known.get(int(k), f"dimension {int(k) + 1}") for k in heavy), found.dimensions[:, heavy]


@dataclass(frozen=True)
class Partition:
    """Triplets that people's own dimensions predict, and the dimension that each rests on most.

    Attributes
    ----------
    rows : int (n,)
        Rows of the full set of triplets (the paper's D*).
    triplets : Triplets
        These triplets.
    dimension : int (n, k)
        Positions in ``names``; a triplet counts in each of its k dimensions.
    names : tuple of str
    total : int
        Number of triplets before the selection.
    """

    rows: np.ndarray
    triplets: Triplets
    dimension: np.ndarray
    names: tuple[str, ...]
    total: int


def divide(triplets: Triplets, values: np.ndarray, names, k: int = 1) -> Partition:
    """Keep the triplets whose human choice the dot products of ``values`` predict; attribute each to k dimensions.

    Parameters
    ----------
    triplets : Triplets
    values : float (m, d)
        Non-negative dimensions of the objects, rows as ``triplets.ids``.
    names : sequence of str (d,)
    k : int
        The dimensions with the largest mean over the pair that people kept; the paper's figures use one.
    """
    rows = np.flatnonzero(measures.recovered(similarity_matrix(values, "dot"), triplets.triplets))
    part = triplets.select(rows)
    nearest = np.asarray(measures.attribute(part.triplets, values, k)).reshape(len(rows), k)
    return Partition(rows, part, nearest, tuple(names), len(triplets))


def partition(source: Source, nearest: int = 0) -> Partition:
    """The triplets of a source by dimension of its people; see :func:`divide`.

    Parameters
    ----------
    source : Source
    nearest : int
        Dimensions that a triplet counts in. 0: as the people say; three in the drawn world, where dimensions nest, else
        one, as in the paper.
    """
    names, values = dimensions(source)
    return divide(source.triplets("things"), values, names, nearest or source.people("things").nearest)


def subset(part: Partition, rows: np.ndarray) -> tuple[Partition, np.ndarray]:
    """The triplets of a partition among some rows of the full set, and their places in ``rows``."""
    place = np.full(part.total, -1)
    place[part.rows] = np.arange(len(part.rows))
    at = np.flatnonzero(place[rows] >= 0)
    inside = place[rows[at]]
    return replace(part, rows=rows[at], triplets=part.triplets.select(inside), dimension=part.dimension[inside]), at


def by_weight(source: Source, nearest: int = 0) -> pd.DataFrame:
    """The dimensions from heavy to light, as the paper orders VICE's: sum over all pictures; with their triplets.

    Returns
    -------
    DataFrame
        dimension, weight (sum of the column), triplets (attributed to it).
    """
    names, values = dimensions(source)
    counts = np.bincount(partition(source, nearest).dimension.ravel(), minlength=len(names))
    table = pd.DataFrame({"dimension": names, "weight": values.sum(0), "triplets": counts})
    return table.sort_values("weight", ascending=False, ignore_index=True)


def leading(source: Source, n: int = 6) -> pd.DataFrame:
    """The pictures with the largest weight on each dimension, at most one a concept: dimension, rank, id, weight."""
    (names, values), triplets, rows = dimensions(source), source.triplets("things"), []
    concepts = np.asarray(triplets.concepts)
    for k, name in enumerate(names):
        best = np.argsort(-values[:, k], kind="stable")
        first = best[np.sort(np.unique(concepts[best], return_index=True)[1])][:n]
        rows += [(name, rank, triplets.ids[i], values[i, k]) for rank, i in enumerate(first, 1)]
    return pd.DataFrame(rows, columns=["dimension", "rank", "id", "weight"])


def pictures(source: Source, side: int) -> dict[str, np.ndarray]:
    """The leading pictures of each dimension: name to uint8 (n, side, side, 3)."""
    found = leading(source)
    seen = source.seen("things", found["id"].unique(), side)
    return {name: np.stack([seen[i] for i in rows["id"]]) for name, rows in found.groupby("dimension")}


def first_three(names) -> list[str]:
    """The dimensions of Fig. 5, as far as they are among the names."""
    return [name for name in FIGURE_5 if name in names]


# ---- accuracy by dimension -------------------------------------------------------------------------------------------


def by_dimension(who, scores, part: Partition, stage: str, draws: int = resample.DRAWS, **common) -> Measured:
    """Accuracy within each dimension, with bootstrap draws over concepts.

    Parameters
    ----------
    who : list of dict
        Columns that say which network and layer each row of scores is of.
    scores : list of bool (n,)
        For the triplets of ``part``.
    part : Partition
    stage : str
    **common
        Further columns, for instance ``profile``.

    Returns
    -------
    Measured
        Data set "things-dimensions", measure "accuracy", detail = dimension; value NaN without triplets.
    """
    scores, d = np.stack(scores), len(part.names)
    value, drawn = np.full((len(scores), d), np.nan), np.full((len(scores), d, draws), np.nan, np.float32)
    n = np.bincount(part.dimension.ravel(), minlength=d)
    for k in np.flatnonzero(n):
        inside = np.flatnonzero((part.dimension == k).any(1))
        rows, concepts = part.triplets.triplets[inside], part.triplets.concepts
        value[:, k], drawn[:, k] = resample.triplet_means(scores[:, inside], rows, concepts, draws)
    rows = [{**one, "detail": name, "value": value[i, k], "n": n[k]}
            for i, one in enumerate(who) for k, name in enumerate(part.names)]  # fmt: skip
    common = {**common, "dataset": DATASET, "stage": stage, "measure": "accuracy"}
    return Measured.of(rows, drawn.reshape(len(rows), -1), **common)


def of_features(
    features, triplets: Triplets, part: Partition, fit=probing.fit_probe, draws: int = resample.DRAWS, **common
) -> Measured:
    """Odd-one-out accuracy of one training run within each of people's dimensions, before and after probing.

    Parameters
    ----------
    features : list of Features
        One a layer.
    triplets : Triplets
    part : Partition
        Of these triplets.
    fit : callable
        Gives the :class:`humalign.chapters.probing.Probe` of features and triplets.
    draws : int
    **common
        Further columns: ``profile``.

    Returns
    -------
    Measured
        Data set "things-dimensions", measure "accuracy", detail = dimension; stages "zero-shot" (all triplets of the
        partition), "probed" (those among them that were held out) and "zero-shot, same folds".
    """
    who = [networks.identity(one) for one in features]
    found = [fit(one, triplets) for one in features]
    held, at = subset(part, found[0].rows)
    stages = {
        ZERO: (part, [zero_shot.right(one, part.triplets) for one in features]),
        SAME: (held, [probe.before[at] for probe in found]),
        PROBED: (held, [probe.right[at] for probe in found]),
    }
    return combine(*(by_dimension(who, scores, of, name, draws, **common) for name, (of, scores) in stages.items()))


def measure(source: Source, layer: str = "penultimate", models=None, seeds=(0,), nearest: int = 0) -> Measured:
    """:func:`of_features` of a source's networks; see :func:`humalign.chapters.networks.measure`, :func:`partition`."""
    part = partition(source, nearest)
    inputs = [source.people("things").checksum, part.dimension.shape[1], *probing.settings_of(source)]
    of_kept = partial(of_features, part=part, fit=partial(probing.kept_probe, source))
    return networks.measure(source, "things", of_kept, VERSION, name="concepts", inputs=inputs, layers=(layer,),
                            models=models, seeds=seeds)  # fmt: skip


def predicted(source: Source, layer: str = "penultimate", models=None) -> Measured:
    """Accuracy on all triplets ("things") and on those that people's dimensions predict ("things-predicted").

    Cosine similarity; the second set is the one that the accuracies by dimension are about.
    """
    part = partition(source)

    def of_both(features, triplets, **common):
        sets = {"things": triplets, PREDICTED: part.triplets}
        return combine(*(zero_shot.of_features(features, one, ("cosine",), **{**common, "dataset": name})
                         for name, one in sets.items()))  # fmt: skip

    inputs = [source.people("things").checksum, zero_shot.VERSION]
    return networks.measure(source, "things", of_both, VERSION, name="predicted", inputs=inputs, layers=(layer,),
                            models=models)  # fmt: skip


# ---- regression ------------------------------------------------------------------------------------------------------


def regress(features, triplets: Triplets, values, names, draws: int = resample.DRAWS, **common) -> Measured:
    """Ridge regression of dimensions from features, and the odd-one-out task on what it predicts for held-out objects.

    Parameters
    ----------
    features : iterable of Features
    triplets : Triplets
    values : float (m, d)
        Dimensions, rows as ``triplets.ids``.
    names : sequence of str (d,)

    Returns
    -------
    Measured
        Measure "r2" (data set "things-dimensions", detail = dimension) and measure "accuracy" (data set "things",
        detail "cosine": triplets wholly inside a held-out fold); stage "regression".
    """
    concepts = np.asarray(triplets.concepts)
    folds = solvers.object_folds(len(triplets.ids), FOLDS, SEED, concepts)
    inside = np.zeros(len(triplets), bool)
    for train in folds:
        inside |= solvers.partition_masks(triplets.triplets, np.flatnonzero(train), len(triplets.ids))[1]
    held, who, rows, drawn, right = triplets.select(np.flatnonzero(inside)), [], [], [], []
    for part in features:
        x = part.align(triplets.ids).values
        _, fitted, _ = measures.regress_dimensions(x, values, names=names, n_folds=FOLDS, seed=SEED, groups=concepts)
        value, spread = resample.r2(values, fitted, folds, concepts, draws, pooled=True)
        who.append(networks.identity(part))
        rows += [{**who[-1], "detail": name, "value": v, "n": len(x)} for name, v in zip(names, value)]
        drawn.append(spread)
        right.append(odd_one_out.scores(similarity_matrix(fitted, "cosine"), held.triplets) == 1)
    value, scores = resample.triplet_means(np.stack(right), held.triplets, held.concepts, draws)
    common = {"dataset": "things", "stage": REGRESSION, **common}
    task = [{**one, "value": v} for one, v in zip(who, value)]
    return combine(
        Measured.of(task, scores, measure="accuracy", detail="cosine", n=len(held), **common),
        Measured.of(rows, np.concatenate(drawn), measure="r2", **{**common, "dataset": DATASET}),
    )


def regression(source: Source, models=None, seeds=(0,)) -> Measured:
    """:func:`regress` of a source's networks, both layers; see :func:`humalign.chapters.networks.measure`."""
    names, values = dimensions(source)
    inputs = [source.people("things").checksum, FOLDS, SEED]
    return networks.measure(source, "things", partial(regress, values=values, names=names), VERSION, name="regression",
                            inputs=inputs, models=models, seeds=seeds)  # fmt: skip


def regression_accuracy(source: Source, models=None, seeds=(0,)) -> Measured:
    """The rows of :func:`regression` that compare with other studies: odd-one-out accuracy on all triplets."""
    found = regression(source, models, seeds)
    return found.select((found.table["measure"] == "accuracy").to_numpy())


# ---- tables ----------------------------------------------------------------------------------------------------------


def points(measured: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """Accuracies zero-shot and probed, one row a dimension and network, with group and kind of the network.

    The kind is its place on the x axis of the figures: architecture family, or its way of training.
    """
    other = {"Image/Text": "Image/text", "Self-Supervised": "Self-superv.", "Untrained": "Untrained", YOURS: YOURS}
    kind = models["group"].map(other).fillna(models["family"]).set_axis(models["model"])
    table = measured.table[measured.table["stage"] != SAME].rename(columns={"detail": "dimension"})
    table = table.assign(kind=table["model"].map(kind), group=table["model"].map(models.set_index("model")["group"]))
    return table.sort_values("stage", key=lambda stage: stage != ZERO, kind="stable")


def kinds(points: pd.DataFrame) -> list[str]:
    """Kinds of networks among :func:`points`, the one with the highest mean zero-shot accuracy first."""
    means = points[points["stage"] == ZERO].groupby("kind")["value"].mean()
    return list(means.sort_values(ascending=False).index)


def rows(points: pd.DataFrame, names) -> pd.DataFrame:
    """The rows of :func:`points` behind the figure of some dimensions."""
    return points.loc[points["dimension"].isin(names), COLUMNS]


def by_group(measured: Measured, models: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Mean accuracy of each training group within each dimension, with intervals, and the rank of the group.

    Returns
    -------
    DataFrame
        dimension, group, networks, value, low, high, n (triplets), rank (1 = best group of this dimension).
    """
    part = measured.select((measured.table["stage"] == stage).to_numpy())
    group, out = part.table["model"].map(models.set_index("model")["group"]), []
    for (name, which), index in part.table.groupby(["detail", group], sort=False).groups.items():
        (low, high), own = interval(part.draws[index].mean(0)), part.table.loc[index]
        out.append({"dimension": name, "group": which, "networks": own["model"].nunique(), "value": own["value"].mean(),
                    "low": float(low), "high": float(high), "n": int(own["n"].iloc[0])})  # fmt: skip
    table = pd.DataFrame(out)
    return table.assign(rank=table.groupby("dimension")["value"].rank(ascending=False, method="min").astype("Int64"))


def by_stage(measured: Measured, models: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Stage to mean accuracies of training groups, before and after the transform on the same triplets."""
    return {stage: by_group(measured, models, stage) for stage in (SAME, PROBED)}


def held_out(groups: pd.DataFrame) -> pd.Series:
    """Number of triplets of each dimension in a table of :func:`by_group`."""
    return groups.drop_duplicates("dimension").set_index("dimension")["n"]


def table(groups: pd.DataFrame, order: pd.DataFrame, columns) -> pd.DataFrame:
    """One row a dimension, in order: triplets, held out, accuracy of each training group.

    Parameters
    ----------
    groups : DataFrame
        dimension, group, value, n.
    order : DataFrame
        dimension, triplets.
    columns : sequence of str
        Training groups, in the order wanted.
    """
    wide = groups.pivot(index="dimension", columns="group", values="value")[list(columns)]
    wide.insert(0, "triplets", order.set_index("dimension")["triplets"])
    wide.insert(1, "held out", held_out(groups))
    return wide.loc[order["dimension"]].rename_axis("dimension")


def r2(fitted: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """R2 of every network, layer and dimension (column detail), with training groups."""
    part = fitted.table[fitted.table["measure"] == "r2"]
    return part.assign(group=part["model"].map(models.set_index("model")["group"]))[R2]


def of_layers(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Layer to the rows of that layer."""
    return {name: table[table["layer"] == name] for name in LAYERS}


def accuracy(measured: Measured, models: pd.DataFrame, stage: str) -> dict[str, pd.DataFrame]:
    """Layer to points: accuracy on people's choices at the stage "probed" or "regression"."""
    return {name: probing.accuracy(measured, models, stage, name) for name in LAYERS}


def regression_table(pairs: dict[str, pd.DataFrame], fit: pd.DataFrame) -> pd.DataFrame:
    """One row a network and layer: mean R2 over dimensions, accuracy by regression and after probing.

    Parameters
    ----------
    pairs : dict of str to DataFrame
        Layer to pairs, x probed, y regression; see :func:`humalign.chapters.networks.pairs`.
    fit : DataFrame
        :func:`r2`.
    """
    out, mean = [], fit.groupby(["layer", "model"])["value"].mean()
    for row in networks.labelled(pairs, "layer").to_dict("records"):
        estimates = {label: show.number(row[at], (row[f"{at}_low"], row[f"{at}_high"]), row["provenance"])
                     for label, at in (("regression", "y"), ("probed", "x"))}  # fmt: skip
        known = {"network": row["name"], "layer": row["layer"]}
        out.append({**known, "mean R²": mean[row["layer"], row["model"]], **estimates})
    return pd.DataFrame(out)


def numbers(source: Source, part: Partition, same: dict[str, pd.DataFrame], order: pd.DataFrame) -> dict:
    """Numbers of the prose, by key: the division of triplets, the dimensions with the extreme accuracies and gains.

    Means over trained groups; dimensions with fewer than 100 held-out triplets do not count.

    Parameters
    ----------
    source : Source
    part : Partition
    same : dict of str to DataFrame
        :func:`by_stage`.
    order : DataFrame
        :func:`by_weight`.
    """
    alone, held = np.bincount(partition(source, 1).dimension.ravel()), held_out(same[PROBED])
    before, after = (_means(same[stage], held) for stage in (SAME, PROBED))
    every = order.set_index("dimension")["triplets"][held.index]
    return {
        "con_kept": show.number(len(part.rows)),
        "con_total": show.number(part.total),
        "con_source": title(source),
        "con_single": show.number(100 * alone.max() / len(part.rows), digits=0, unit=" %"),
        "con_nearest": show.number(part.dimension.shape[1]),
        "con_held": show.number(100 * held.sum() / every.sum(), digits=0, unit=" %"),
        "con_best": ", ".join(after.nlargest(4).index),
        "con_worst": ", ".join(after.nsmallest(4).index),
        "con_gain": ", ".join((after - before).nlargest(4).index),
        "con_best_value": show.number(after.max()),
        "con_worst_value": show.number(after.min()),
    }


def _means(groups: pd.DataFrame, held: pd.Series) -> pd.Series:
    """Mean of the trained groups within each dimension with enough held-out triplets."""
    means = networks.trained(groups).groupby("dimension")["value"].mean()
    return means[held[means.index] >= HELD]
