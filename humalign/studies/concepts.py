"""Which concepts networks share with people: by dimension, before and after probing, and by regression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import concepts as measures
from .. import odd_one_out, probing, resample
from ..cache import kept
from ..chapters import networks
from ..chapters import probing as probes
from ..config import Profile
from ..data import registry
from ..data.plain import People
from ..data.types import Triplets
from ..errors import MissingData
from ..results import Measured, combine, interval
from ..similarity import similarity_matrix

LAYERS = ("penultimate", "logits")
DATASET = "things-dimensions"  # accuracy and R2 of single dimensions: not "things", which is about all triplets
ZERO, SAME, PROBED, REGRESSION = "zero-shot", probes.SAME, "probed", "regression"
FOLDS, SEED = 5, 42  # of the regression, as in the paper
PAPER = "things/vice_45"  # people's dimensions as the paper has them
FIGURE_5 = ("animal", "transport", "sport")  # in the place of animal-related, vehicles and sports
LABELS = (  # of the paper's 45 dimensions, as in the authors' code
    "Metal", "Food", "Plant-related", "Animal-related", "Furniture", "Clothing", "Royal", "Outdoors-related",
    "Body part", "Vehicles", "Wood", "Tools", "Technology", "Colorful", "Patterns", "Circular", "Sports", "Paper",
    "Liquids", "Sea", "Red", "Powdery", "Hygiene", "Weapons", "Has-grating", "Black", "Sky-related", "Long/thin",
    "White", "Decorative", "Spherical", "Green", "Musical instrument", "Patterned", "Bugs", "Fire-related", "Shiny",
    "String-related", "Arms/legs/skin", "Elongated", "Home-related", "Toy-related", "Yellow", "Medicine-related",
    "Ice/Winter",
)  # fmt: skip
VERSION = 1  # of the tables that are kept: goes up when their numbers change


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
    return Partition(
        rows,
        part,
        np.asarray(measures.attribute(part.triplets, values, k)).reshape(len(rows), k),
        tuple(names),
        len(triplets),
    )


def people(profile: Profile) -> People:
    """What people see in the pictures of the odd-one-out task; in the full profile the first of VICE's at hand."""
    return networks.source(profile).people("things")


def title(profile: Profile) -> str:
    """Where people's dimensions come from, in words."""
    found = people(profile)
    return found.title if found.known else f"{found.title} ({found.name})"


def state(profile: Profile) -> list:
    """What people's dimensions depend on, for cache keys."""
    return [people(profile).checksum]


def nearest(profile: Profile) -> int:
    """Dimensions that a triplet counts in: three in the drawn world, where they nest, else one, as in the paper."""
    return people(profile).nearest


def dimensions(profile: Profile) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values (m, d) of what people see in the pictures of the odd-one-out task, in its order.

    Of real people: heaviest dimension first. That is the order of the paper's labels; those of the public embedding
    were judged, see ``vice.VICE_LABELS``.
    """
    found = people(profile)
    if found.known:
        return found.names, found.dimensions
    heavy = np.argsort(-found.dimensions.sum(0), kind="stable")
    from .vice import VICE_LABELS

    known = dict(zip(heavy.tolist(), LABELS)) if found.name == PAPER else VICE_LABELS
    return tuple(known.get(int(k), f"dimension {int(k) + 1}") for k in heavy), found.dimensions[:, heavy]


def pictures(profile: Profile, ids, size: int) -> dict[str, np.ndarray]:
    """Pictures by id, uint8 (size, size, 3): drawn without pixel noise; photographs of THINGS in the full profile."""
    if profile.name == "full":
        from PIL import Image, ImageOps

        found = registry.load("things/images", profile).align(tuple(ids))
        return {
            i: np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), (size, size)))
            for i, path in zip(found.ids, found.images)
        }
    from ..world import stimuli

    return {i: stimuli.picture(i, size, noise=False)[0] for i in ids}


def first_three(names) -> list[str]:
    """The dimensions of Fig. 5, as far as they are among the names."""
    return [name for name in (*FIGURE_5, "Animal-related", "Vehicles", "Sports") if name in names]


def some(names) -> None:
    """MissingData for an empty page: there are fewer dimensions than pages."""
    if not len(names):
        raise MissingData("shows no dimensions, as there are no more", "this page", "nothing is missing")


def partition(profile: Profile, k: int = 0) -> Partition:
    """The triplets of the profile by dimension of its people; see :func:`divide`. ``k=0``: :func:`nearest`."""
    names, values = dimensions(profile)
    return divide(networks.source(profile).triplets(), values, names, k or nearest(profile))


def largest(profile: Profile) -> float:
    """Share of the triplets that the largest dimension would take if each counted in one dimension only."""
    part = partition(profile, 1)
    return float(np.bincount(part.dimension.ravel()).max() / len(part.rows))


def of_scores(scores, part: Partition, draws: int = resample.DRAWS):
    """Accuracy within each dimension, with bootstrap draws over concepts.

    Parameters
    ----------
    scores : bool (networks, n)
        For the triplets of ``part``.
    part : Partition

    Returns
    -------
    value : float (networks, d)
        NaN where a dimension has no triplets.
    drawn : float32 (networks, d, B)
    n : int (d,)
    """
    scores, d = np.asarray(scores), len(part.names)
    value, drawn = np.full((len(scores), d), np.nan), np.full((len(scores), d, draws), np.nan, np.float32)
    n = np.bincount(part.dimension.ravel(), minlength=d)
    for k in np.flatnonzero(n):
        inside = np.flatnonzero((part.dimension == k).any(1))
        value[:, k], drawn[:, k] = resample.triplet_means(
            scores[:, inside], part.triplets.triplets[inside], part.triplets.concepts, draws
        )
    return value, drawn, n


def group_rows(keys, scores, part, stage, **common) -> Measured:
    value, drawn, n = of_scores(np.stack(scores), part)
    rows = [
        {
            **key,
            "dataset": DATASET,
            "stage": stage,
            "measure": "accuracy",
            "detail": name,
            "value": value[i, k],
            "n": n[k],
        }
        for i, key in enumerate(keys)
        for k, name in enumerate(part.names)
    ]
    return Measured.of(rows, drawn.reshape(len(rows), -1), **common)


def subset(part: Partition, rows: np.ndarray) -> tuple[Partition, np.ndarray]:
    """The triplets of a partition among some rows of the full set, and their places in ``rows``."""
    place = np.full(part.total, -1)
    place[part.rows] = np.arange(len(part.rows))
    at = np.flatnonzero(place[rows] >= 0)
    inside = place[rows[at]]
    return replace(part, rows=rows[at], triplets=part.triplets.select(inside), dimension=part.dimension[inside]), at


def accuracies(profile: Profile, layer: str = "penultimate", seeds=(0,), models=None, k: int = 0) -> Measured:
    """Odd-one-out accuracy within each of people's dimensions, before and after probing.

    Parameters
    ----------
    profile : Profile
    layer : str
    seeds, models
        As :meth:`humalign.source.Source.features`.
    k : int
        Dimensions that a triplet counts in; 0: :func:`nearest`.

    Returns
    -------
    Measured
        Data set "things-dimensions", measure "accuracy", detail = dimension; stages "zero-shot" (all triplets that
        people's dimensions predict), "probed" (those among them that were held out) and "zero-shot, same folds".
    """

    def make():
        part = partition(profile, k)
        keys, right = [], []
        for features in networks.source(profile).features("things", (layer,), models, seeds):
            similarity = similarity_matrix(features.align(part.triplets.ids).values, "cosine")
            keys.append({"model": features.model, "seed": int(features.meta["seed"]), "layer": layer})
            right.append(odd_one_out.scores(similarity, part.triplets.triplets) == 1)
        found = list(probes.probes(networks.source(profile), models, seeds, (layer,)))
        held, at = subset(part, found[0].rows)
        own = [{"model": p.model, "seed": p.seed, "layer": layer} for p in found]
        common = {"profile": profile.name}
        return combine(
            group_rows(keys, right, part, ZERO, **common),
            group_rows(own, [p.before[at] for p in found], held, SAME, **common),
            group_rows(own, [p.right[at] for p in found], held, PROBED, **common),
        )

    source = networks.source(profile)
    parts = [source.state("things", models, seeds), *probes.SETTINGS, layer, k or nearest(profile), state(profile)]
    return kept(profile, f"concepts-{layer}", VERSION, [*parts, source.triplets().checksum], make)


def kinds(models: pd.DataFrame) -> pd.Series:
    """Class of each network on the x axis of the concept figures: architecture family, or its way of training."""
    other = {"Image/Text": "Image/text", "Self-Supervised": "Self-superv.", "Untrained": "Untrained"}
    return models["group"].map(other).fillna(models["family"])


def by_group(measured: Measured, models: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Mean accuracy of each training group within each dimension, with intervals, and the rank of the group.

    Returns
    -------
    DataFrame
        dimension, group, networks, value, low, high, n (triplets), rank (1 = best group of this dimension).
    """
    part = measured.select((measured.table["stage"] == stage).to_numpy())
    group = part.table["model"].map(models.set_index("model")["group"])
    out = []
    for (name, which), index in part.table.groupby(["detail", group], sort=False).groups.items():
        low, high = interval(part.draws[index].mean(0))
        rows = part.table.loc[index]
        out.append(
            {
                "dimension": name,
                "group": which,
                "networks": rows["model"].nunique(),
                "value": rows["value"].mean(),
                "low": float(low),
                "high": float(high),
                "n": int(rows["n"].iloc[0]),
            }
        )
    table = pd.DataFrame(out)
    return table.assign(rank=table.groupby("dimension")["value"].rank(ascending=False, method="min").astype("Int64"))


def order(profile: Profile, k: int = 0) -> pd.DataFrame:
    """The dimensions from heavy to light, as the paper orders VICE's: sum over all pictures; with their triplets.

    Returns
    -------
    DataFrame
        dimension, weight (sum of the column), triplets (attributed to it).
    """
    names, values = dimensions(profile)
    part = partition(profile, k)
    table = pd.DataFrame(
        {
            "dimension": names,
            "weight": values.sum(0),
            "triplets": np.bincount(part.dimension.ravel(), minlength=len(names)),
        }
    )
    return table.sort_values("weight", ascending=False, ignore_index=True)


def top(profile: Profile, n: int = 6) -> pd.DataFrame:
    """The pictures with the largest weight on each dimension, at most one a concept: dimension, rank, id, weight."""
    names, values = dimensions(profile)
    ids = networks.source(profile).triplets().ids
    concepts = np.asarray(networks.source(profile).triplets().concepts)
    rows = []
    for k, name in enumerate(names):
        best = np.argsort(-values[:, k], kind="stable")
        first = best[np.sort(np.unique(concepts[best], return_index=True)[1])][:n]
        rows += [{"dimension": name, "rank": r + 1, "id": ids[i], "weight": values[i, k]} for r, i in enumerate(first)]
    return pd.DataFrame(rows)


# ---- regression ------------------------------------------------------------------------------------------------------


def of_features(features, triplets: Triplets, values, names, draws: int = resample.DRAWS, **common) -> Measured:
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
    folds = probing.object_folds(len(triplets.ids), FOLDS, SEED, concepts)
    inside = np.zeros(len(triplets), bool)
    for train in folds:
        inside |= probing.partition_masks(triplets.triplets, np.flatnonzero(train), len(triplets.ids))[1]
    held = triplets.select(np.flatnonzero(inside))
    keys, rows, drawn, right = [], [], [], []
    for part in features:
        x = part.align(triplets.ids).values
        _, predicted, _ = measures.regress_dimensions(x, values, names=names, n_folds=FOLDS, seed=SEED, groups=concepts)
        value, spread = resample.r2(values, predicted, folds, concepts, draws, pooled=True)
        key = {"model": part.model, "seed": int(part.meta.get("seed", 0)), "layer": part.layer, "stage": REGRESSION}
        keys.append(key)
        rows += [
            {**key, "dataset": DATASET, "measure": "r2", "detail": n, "value": v, "n": len(x)}
            for n, v in zip(names, value)
        ]
        drawn.append(spread)
        right.append(odd_one_out.scores(similarity_matrix(predicted, "cosine"), held.triplets) == 1)
    value, scores = resample.triplet_means(np.stack(right), held.triplets, held.concepts, draws)
    task = [
        {**k, "dataset": "things", "measure": "accuracy", "detail": "cosine", "value": v, "n": len(held)}
        for k, v in zip(keys, value)
    ]
    return combine(Measured.of(task, scores, **common), Measured.of(rows, np.concatenate(drawn), **common))


def regression(profile: Profile, seeds=(0,), models=None, layers=LAYERS) -> Measured:
    """Ridge regression of people's dimensions from every network and layer (:func:`of_features`), kept in the cache."""

    def make():
        names, values = dimensions(profile)
        features = tqdm(
            networks.source(profile).features("things", layers, models, seeds),
            desc="regression",
            unit="layer",
            leave=False,
        )
        return of_features(features, networks.source(profile).triplets(), values, names, profile=profile.name)

    source = networks.source(profile)
    features = source.state("things", models, seeds)
    parts = [features, source.triplets().checksum, layers, state(profile)]
    return kept(profile, "regression", VERSION, parts, make)


def regression_accuracy(profile: Profile, seeds=(0,), models=None) -> Measured:
    """The rows of :func:`regression` that compare with other studies: odd-one-out accuracy on all triplets."""
    found = regression(profile, seeds, models)
    return found.select(((found.table["dataset"] == "things") & (found.table["measure"] == "accuracy")).to_numpy())


def predicted(profile: Profile, layer: str = "penultimate", models=None) -> Measured:
    """Accuracy on all triplets ("things") and on those that people's dimensions predict ("things-predicted").

    Cosine similarity; the second set is the one that the accuracies by dimension are about.
    """
    from ..chapters import zero_shot

    source = networks.source(profile)

    def make():
        sets = {"things": source.triplets(), "things-predicted": partition(profile).triplets}
        features = list(source.features("things", (layer,), models))
        return combine(*(zero_shot.of_features(features, part, ("cosine",), dataset=name, profile=profile.name)
                         for name, part in sets.items()))  # fmt: skip

    parts = [source.state("things", models), layer, source.triplets().checksum]
    return kept(profile, "predicted", VERSION, [*parts, state(profile)], make)
