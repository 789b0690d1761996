"""Which concepts networks share with people: by dimension, before and after probing, and by regression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import concepts as measures
from .. import odd_one_out, probing
from ..config import Profile
from ..data import registry
from ..data.types import Triplets
from ..measured import Measured, combine, interval
from ..similarity import similarity_matrix
from . import keep, networks, public, resampling, sources
from . import probing as probes

LAYERS = ("penultimate", "logits")
DATASET = "things-dimensions"  # accuracy and R2 of single dimensions: not "things", which is about all triplets
ZERO, SAME, PROBED, REGRESSION = "zero-shot", probes.SAME, "probed", "regression"
FOLDS, SEED = 5, 42  # of the regression, as in the paper
NEAREST = (
    3  # dimensions of a triplet in the drawn world, where they nest: a hammer is man-made, hand held, a repair tool
)
FIGURE_5 = ("animal", "transport", "sport")  # in the place of animal-related, vehicles and sports
CODE = ("concepts", "similarity", "odd_one_out", "probing.partitions", "studies.concepts", "studies.resampling")


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


def dimensions(profile: Profile) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values (m, d) of what people see in the pictures of the odd-one-out task, rows as its ids."""
    sources.only_mini(profile, "people's dimensions")
    from ..world import observers

    return observers.dimension_names(), observers.values(sources.triplets(profile).ids)


def partition(profile: Profile, k: int = NEAREST) -> Partition:
    """The drawn world's triplets by dimension of its people; see :func:`divide`."""
    names, values = dimensions(profile)
    return divide(sources.triplets(profile), values, names, k)


def of_scores(scores, part: Partition, draws: int = resampling.DRAWS):
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
        value[:, k], drawn[:, k] = resampling.means(scores[:, inside], part.triplets.select(inside), draws)
    return value, drawn, n


def _measured(keys, scores, part, stage, **common) -> Measured:
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


def accuracies(profile: Profile, layer: str = "penultimate", seeds=(0,), models=None, k: int = NEAREST) -> Measured:
    """Odd-one-out accuracy within each of people's dimensions, before and after probing.

    Parameters
    ----------
    profile : Profile
    layer : str
    seeds, models
        As :func:`humalign.studies.networks.iterate`.
    k : int
        Dimensions that a triplet counts in.

    Returns
    -------
    Measured
        Data set "things-dimensions", measure "accuracy", detail = dimension; stages "zero-shot" (all triplets that
        people's dimensions predict), "probed" (those among them that were held out) and "zero-shot, same folds".
    """

    def make():
        part = partition(profile, k)
        keys, right = [], []
        for features in networks.iterate(profile, "things", (layer,), models, seeds):
            similarity = similarity_matrix(features.align(part.triplets.ids).values, "cosine")
            keys.append({"model": features.model, "seed": int(features.meta["seed"]), "layer": layer})
            right.append(odd_one_out.scores(similarity, part.triplets.triplets) == 1)
        found = list(probes.probes(profile, seeds, models, (layer,)))
        held, at = subset(part, found[0].rows)
        own = [{"model": p.model, "seed": p.seed, "layer": layer} for p in found]
        common = {"profile": profile.name}
        return combine(
            _measured(keys, right, part, ZERO, **common),
            _measured(own, [p.before[at] for p in found], held, SAME, **common),
            _measured(own, [p.right[at] for p in found], held, PROBED, **common),
        )

    parts = [probes.state(profile, seeds, models), keep.code(*CODE), layer, k, sources.triplets(profile).checksum]
    return keep.measured(profile, f"concepts-{layer}", parts, make)


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


def order(profile: Profile, k: int = NEAREST) -> pd.DataFrame:
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
    ids = sources.triplets(profile).ids
    concepts = np.asarray(sources.triplets(profile).concepts)
    rows = []
    for k, name in enumerate(names):
        best = np.argsort(-values[:, k], kind="stable")
        first = best[np.sort(np.unique(concepts[best], return_index=True)[1])][:n]
        rows += [{"dimension": name, "rank": r + 1, "id": ids[i], "weight": values[i, k]} for r, i in enumerate(first)]
    return pd.DataFrame(rows)


# ---- regression ------------------------------------------------------------------------------------------------------


def r2_draws(target, predicted, folds, groups, draws: int = resampling.DRAWS):
    """R2 of each dimension, mean over folds of held-out objects, and its bootstrap draws over groups of objects.

    Parameters
    ----------
    target, predicted : float (m, d)
        Each row predicted while it was held out.
    folds : list of bool (m,)
        Training objects of each fold.
    groups : sequence (m,)
        Concept of each object.

    Returns
    -------
    value : float (d,)
    drawn : float (d, B)
    """
    codes, k = resampling.concept_codes(groups)
    counts = np.c_[np.ones(k), resampling.counts(k, draws)][codes]
    parts = []
    for train in folds:
        weight, y = counts[~train].T, target[~train]
        total = weight.sum(1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = weight @ y**2 - (weight @ y) ** 2 / total
            r2 = 1 - (weight @ (y - predicted[~train]) ** 2) / np.where(spread > 1e-9 * total, spread, np.nan)
        parts.append(r2)
    both = np.nanmean(np.stack(parts), axis=0)
    return both[0], both[1:].T


def of_features(features, triplets: Triplets, values, names, draws: int = resampling.DRAWS, **common) -> Measured:
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
        value, spread = r2_draws(values, predicted, folds, concepts, draws)
        key = {"model": part.model, "seed": int(part.meta.get("seed", 0)), "layer": part.layer, "stage": REGRESSION}
        keys.append(key)
        rows += [
            {**key, "dataset": DATASET, "measure": "r2", "detail": n, "value": v, "n": len(x)}
            for n, v in zip(names, value)
        ]
        drawn.append(spread)
        right.append(odd_one_out.scores(similarity_matrix(predicted, "cosine"), held.triplets) == 1)
    value, scores = resampling.means(np.stack(right), held, draws)
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
            networks.iterate(profile, "things", layers, models, seeds), desc="regression", unit="layer", leave=False
        )
        return of_features(features, sources.triplets(profile), values, names, profile=profile.name)

    parts = [networks.state(profile, seeds, models), keep.code(*CODE), sources.triplets(profile).checksum, layers]
    return keep.measured(profile, "regression", parts, make)


# ---- the public files ------------------------------------------------------------------------------------------------

VICE_LABELS = {  # columns of the public embedding, with the paper's label for the same leading objects (judged)
    22: "Metal",
    41: "Food",
    31: "Plant-related",
    12: "Animal-related",
    1: "Furniture",
    39: "Clothing",
    4: "Royal",
    34: "Outdoors-related",
    5: "Long, thin, pointed",
    27: "Wood",
    24: "Vehicles",
    21: "Body part",
    26: "Technology",
    28: "Colorful",
    3: "Small repeated items",
    32: "Circular",
    36: "Sports",
    17: "Paper",
    18: "Liquids",
    38: "Sea",
    10: "Red",
    11: "Bathing, medical",
    35: "Powdery",
    25: "Weapons",
    15: "Nets, grating",
    20: "White",
    14: "Arms, legs, skin",
    30: "Sky-related",
    19: "Elongated",
    23: "Spherical",
    8: "Decorative",
    33: "Musical instrument",
    40: "Patterned",
    0: "Green",
    7: "Fire-related",
    29: "Black",
    13: "String-related",
    16: "Shiny",
    37: "Eyes",
    6: "Toy, child",
    2: "Yellow",
    9: "Seating, suspended",
}
CLIP, WORDS, VICE, SPOSE = "things/clip_vit_b32", "things/word2vec", "things/vice_42", "things/spose_49"
RESPONSES = ("things/testset1", "things/testset2", "things/test_10_id")
NEEDED = frozenset({CLIP, WORDS, VICE, SPOSE, *RESPONSES, "things/concepts"})
NAMES = {
    CLIP: "CLIP ViT-B/32",
    WORDS: "word2vec (names)",
    VICE: "VICE, 42 dimensions",
    SPOSE: "SPoSE, 49 dimensions",
    "people": "people",
}
STRENGTH = 0.1  # of the probe of CLIP; the page on real human data chooses among several
INFO = ("probing", *CODE)


def responses(profile, names=RESPONSES) -> Triplets:
    """Human responses to THINGS triplets of several files as one set, in THINGS' sorted order of objects."""
    ids = tuple(registry.load("things/concepts", profile).index)
    parts = [registry.load(name, profile).align(ids) for name in names]
    return replace(
        parts[0],
        triplets=np.concatenate([p.triplets for p in parts]),
        participants=None,
        response_times=None,
        level=None,
    )


def _public(profile) -> dict:
    everything, training = responses(profile), responses(profile, RESPONSES[2:])
    ids = everything.ids
    vice = registry.load(VICE, profile).align(ids).values
    heavy = np.argsort(-vice.sum(0), kind="stable")
    vice, names = vice[:, heavy], [VICE_LABELS[int(k)] for k in heavy]
    part = divide(everything, vice, names)
    clip = registry.load(CLIP, profile).align(ids).values
    words = registry.load(WORDS, profile).align(ids).values
    scores = [odd_one_out.scores(similarity_matrix(x, "cosine"), part.triplets.triplets) == 1 for x in (clip, words)]
    out = [_measured([{"model": CLIP}, {"model": WORDS}], scores, part, ZERO, profile="slice")]
    device = profile.torch_device()
    cross = probing.cross_validation(
        clip, training.triplets, strengths=(STRENGTH,), n_folds=3, seed=SEED, penalty="identity", device=device
    )
    held = cross.held_out()
    rows = held["triplet"].to_numpy()
    inside, at = subset(divide(training, vice, names), rows)
    before = odd_one_out.scores(similarity_matrix(clip, "cosine"), training.triplets[rows]) == 1
    for stage, right in ((SAME, before), (PROBED, held["choice"].to_numpy() == 2)):
        out.append(_measured([{"model": CLIP}], [right[at]], inside, stage, profile="slice"))
    spose = registry.load(SPOSE, profile).align(ids).values
    spose = spose[:, np.argsort(-spose.sum(0), kind="stable")]
    fits = []
    folds = probing.object_folds(len(ids), FOLDS, SEED)
    for target, values, labels in (
        (VICE, vice, names),
        (SPOSE, spose, [f"dimension {k + 1}" for k in range(spose.shape[1])]),
    ):
        for model, x in ((CLIP, clip), (WORDS, words)):
            _, predicted, _ = measures.regress_dimensions(x, values, names=labels, n_folds=FOLDS, seed=SEED)
            value, drawn = r2_draws(values, predicted, folds, ids)
            low, high = interval(drawn)
            fits.append(
                pd.DataFrame(
                    {
                        "target": target,
                        "model": model,
                        "position": np.arange(1, len(labels) + 1),
                        "dimension": labels,
                        "r2": value,
                        "low": low,
                        "high": high,
                    }
                )
            )
    examples = [
        {"dimension": n, "rank": r + 1, "concept": ids[i].replace("_", " ")}
        for k, n in enumerate(names)
        for r, i in enumerate(np.argsort(-vice[:, k])[:6])
    ]
    facts = [{"what": "triplets", "value": part.total}, {"what": "predicted by VICE", "value": len(part.rows)}]
    return {
        "accuracy": combine(*out).table,
        "r2": pd.concat(fits),
        "examples": pd.DataFrame(examples),
        "facts": pd.DataFrame(facts),
    }


PUBLIC = public.Study("slice_concepts", NEEDED, ("accuracy", "r2", "examples", "facts"), INFO, _public)


def record(profile, folder=None) -> list:
    """Store the tables from the public files with the package (``slice_concepts``)."""
    return PUBLIC.record(profile, folder)
