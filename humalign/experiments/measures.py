"""What a student of the drawn world is worth, and what is computed when runs are collected."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from .. import downstream, odd_one_out, resample, rsa
from .. import levels as levels_data
from ..chapters import hierarchy, released, teacher
from ..chapters.levels import SHARPNESS, add_levels
from ..chapters.student import PART, SHOTS, STAGES, level_set, pictures
from ..results import Measured, Rows
from ..similarity import similarity_matrix
from ..source import Source
from ..world.splits import concepts_of, level_triplets, one_shot_split, shift_ids

SPLITS = ("test", "things", "cichy", "king1", "king2")
ARRANGED = ("cichy", "king1", "king2")
PARTS = ("seen", "H1", "H2")
ONE_SHOT_DRAWS, FEW_SHOT_DRAWS = 20, 10  # of the examples
RIDGE = 0.02  # of the number of rows
STRENGTH = 1.0  # of the few-shot classifiers, fixed: with so few pictures nothing is left to choose it by
AGAINST = "softmax-resnet-s"  # the network that pictures are chosen against; it is no student
KNOWN_SEED = 1  # of the half of the concepts that is known when anomalies are sought


# ---- of one network --------------------------------------------------------------------------------------------------


def _levels(rows: Rows, similarity, source) -> None:
    for part in PARTS:
        data = level_triplets(part)
        right = odd_one_out.scores(similarity, data.triplets)
        for level in levels_data.LEVELS:
            keep = data.level == level
            found = resample.triplet_means(right[keep], data.triplets[keep], data.concepts)
            rows.add("levels", "accuracy", f"{part}/{level}", *found, int(keep.sum()))
    data, table = level_set(source)
    chosen = odd_one_out.choices(similarity, data.triplets)
    right = levels_data.correct(chosen, table["top"].to_numpy())
    doubt = odd_one_out.entropy(odd_one_out.probabilities(similarity, data.triplets, 1 / SHARPNESS))
    add_levels(rows, right, doubt, data, table)


def one_shot(features: np.ndarray, ids, part: str) -> np.ndarray:
    """Accuracy of naming test pictures of the concepts of a part from one example each, cosine, per concept.

    Features are centred on all test pictures; mean over 20 draws of the examples.
    """
    row = {name: i for i, name in enumerate(ids)}
    x = features - features.mean(0)
    x = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-12)
    total = 0.0
    for seed in range(ONE_SHOT_DRAWS):
        split = one_shot_split(seed, part)
        example = x[[row[i] for i in split["support"]]]
        right = (x[[row[i] for i in split["query"]]] @ example.T).argmax(1) == split["query_labels"]
        total = total + np.bincount(split["query_labels"], right) / np.bincount(split["query_labels"])
    return total / ONE_SHOT_DRAWS


def tasks() -> dict[str, dict]:
    """Shift tasks: name to (concept to class); concepts outside a task have none. "" is that of all superordinates."""
    from ..world import labels
    from ..world.drawing import world

    kind = world().superordinate
    living = {c: k for c, k in kind.items() if labels.top(c) == "living thing"}
    made = {c: k for c, k in kind.items() if labels.top(c) == "artifact"}
    return {"": kind, "living": living, "made": made, "broad": {c: labels.top(c) for c in kind}}


def shift(train: np.ndarray, train_concepts, test: np.ndarray, test_concepts, part: str, kind=None) -> np.ndarray:
    """Class of test pictures by a ridge classifier learned on seen concepts, per concept of ``part``.

    Parameters
    ----------
    train : (n, p)
        Features of train pictures of seen concepts.
    test : (m, p)
    part : {"seen", "H1", "H2"}
        "seen" is the source population, the others are targets.
    kind : dict, optional
        A task of :func:`tasks`; default: superordinates.
    """
    kind = tasks()[""] if kind is None else kind
    known = np.isin(train_concepts, list(kind))
    train, train_concepts = train[known], np.asarray(train_concepts)[known]
    classes = sorted({kind[c] for c in train_concepts})
    head = downstream.StreamedRidge(classes).add(train, [kind[c] for c in train_concepts])
    inside = np.isin(test_concepts, [c for c in concepts_of(part) if kind.get(c) in classes])
    chosen = head.classes[head.scores(test[inside], RIDGE * len(train)).argmax(1)]
    concepts = np.asarray(test_concepts)[inside]
    right = chosen == np.array([kind[c] for c in concepts])
    codes = np.unique(concepts, return_inverse=True)[1]
    return np.bincount(codes, right) / np.bincount(codes)


def _named(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Whether a ridge classifier of the seen concepts, learned on train pictures, names each of their test pictures."""
    from ..world.stimuli import concept_of, split_ids

    own = np.array([concept_of(i) for i in split_ids("test")])
    inside = np.isin(own, concepts_of("seen"))
    head = downstream.StreamedRidge(concepts_of("seen")).add(train, [concept_of(i) for i in shift_ids()])
    return head.classes[head.scores(test[inside], RIDGE * len(train)).argmax(1)] == own[inside]


@lru_cache(maxsize=2)
def _missed(drawn: Source) -> np.ndarray:
    """Which test pictures of seen concepts the reference network :data:`AGAINST` does not name: bool."""
    from ..world.stimuli import split_ids

    rows = pd.Index(split_ids("train")).get_indexer(shift_ids())
    train, test = (teacher.features(drawn, AGAINST, split) for split in ("train", "test"))
    return ~_named(train[rows], test)


def at_hand(drawn: Source) -> None:
    """MissingData where a network is not trained that :func:`measure` needs, so that no student is trained in vain."""
    teacher.state(drawn, AGAINST)


def _further(rows: Rows, features: dict, drawn: Source) -> None:
    """Four shift tasks, naming pictures that were chosen against a network, and ratings of pairs."""
    from ..world.datasets import ratings
    from ..world.stimuli import concept_of, split_ids

    ids = split_ids("test")
    test, owners, owner = features["test"], [concept_of(i) for i in ids], [concept_of(i) for i in shift_ids()]
    for name, kind in tasks().items():
        for part in PARTS:
            each = shift(features["train"], owner, test, owners, part, kind)
            rows.add("shift", "accuracy", f"{part}, {name}" if name else part, *resample.unit_means(each), len(each))
    right, missed = _named(features["train"], test), _missed(drawn)
    shown = np.array(owners)[np.isin(owners, concepts_of("seen"))]
    for name, keep in (("all", np.ones_like(missed)), ("chosen against a network", missed)):
        code = np.unique(shown[keep], return_inverse=True)[1]
        each = np.bincount(code, right[keep]) / np.bincount(code)
        rows.add("naming", "accuracy", name, *resample.unit_means(each), int(keep.sum()))
    rated = ratings()
    own = rsa.rdm(test[pd.Index(ids).get_indexer(list(rated.ids))], "cosine")
    people = rated.mean()
    found = resample.pair_correlation(rsa.upper_triangle(own), rsa.upper_triangle(people))
    rows.add("ratings", "spearman", "cosine", *found, len(people))


def measure(features: dict, drawn: Source, **common) -> Measured:
    """All measures of one network of the drawn world.

    Parameters
    ----------
    features : dict
        Split ("test", "things", "cichy", "king1", "king2") to float array (m, p) in the order of the split's ids, and
        "train": features of some train pictures of each seen concept (:func:`humalign.world.splits.shift_ids`).
    drawn : Source
        The drawn world.
    **common
        model, seed, layer, stage and so on of all rows.

    Returns
    -------
    Measured
        Datasets levels (details ``H2/coarse`` ... on the concept split; ``coarse`` ... on the whole Levels set, also
        with measure ``entropy-time``), one-shot, shift (seen, H1, H2; of four :func:`tasks`), naming (pictures of seen
        concepts: all, and those that a network misnames), ratings (Spearman), things (cosine accuracy of the test
        choices and of all choices about held-out concepts only), cichy, king1, king2 (Spearman).
    """
    from ..world.datasets import arrangement, things
    from ..world.stimuli import split_ids

    rows = Rows(**{"profile": drawn.profile.name, **common})
    test, ids = features["test"], split_ids("test")
    _levels(rows, similarity_matrix(test, "cosine"), drawn)
    for part in ("H1", "H2"):
        each = one_shot(test, ids, part)
        rows.add("one-shot", "accuracy", part, *resample.unit_means(each), len(each))
    _further(rows, features, drawn)
    data, similarity = things("test"), similarity_matrix(features["things"], "cosine")
    found = resample.triplet_means(odd_one_out.scores(similarity, data.triplets), data.triplets, data.concepts)
    rows.add("things", "accuracy", "cosine", *found, len(data))
    data = things("all")
    held = np.isin(np.array(data.concepts), concepts_of("held-out"))
    data = data.select(held[data.triplets].all(1))
    found = resample.triplet_means(odd_one_out.scores(similarity, data.triplets), data.triplets, data.concepts)
    rows.add("things", "accuracy", "cosine, held-out concepts", *found, len(data))
    for name in ARRANGED:
        people = arrangement(name).mean()
        own = rsa.rdm(features[name], "correlation")
        found = resample.pair_correlation(rsa.upper_triangle(own), rsa.upper_triangle(people))
        rows.add(name, "spearman", "correlation", *found, len(people))
    return rows.measured()


def transfer(features: np.ndarray, **common) -> Measured:
    """Few-shot accuracy on held-out concepts, and anomaly detection with each superordinate as the normal class.

    Parameters
    ----------
    features : array (m, p)
        Of the first four test pictures of each concept.
    **common
        model, seed, stage and so on of all rows.

    Returns
    -------
    Measured
        Dataset few-shot (measure accuracy, detail = number of examples; draws over concepts) and dataset anomaly
        (measure auroc, detail = superordinate; draws over superordinates). Half of the concepts of every superordinate
        are known (:func:`humalign.downstream.half_of_each`): the normal class is known by these and tested with its
        others. The score is the mean cosine distance to the five nearest known pictures.
    """
    x, shown = np.asarray(features, np.float32), pictures("test")
    concepts, kinds = shown["concept"].to_numpy(), shown["superordinate"].to_numpy()
    rows = Rows(**common)
    own = np.isin(concepts, concepts_of(PART))
    for shots in SHOTS:
        found = downstream.few_shot(x[own], concepts[own], shots, seeds=range(FEW_SHOT_DRAWS), strength=STRENGTH)
        rows.add("few-shot", "accuracy", str(shots), *resample.unit_means(found["accuracy"].to_numpy()), len(found))
    known = downstream.half_of_each(concepts, kinds, KNOWN_SEED)
    found = downstream.anomaly_detection(x[known], kinds[known], x[~known], kinds[~known])
    rows.add("anomaly", "auroc", "superordinate", *resample.unit_means(found["auroc"].to_numpy()), len(found))
    return rows.measured()


# ---- of several experiments ------------------------------------------------------------------------------------------


def _pairs(features: np.ndarray) -> np.ndarray:
    """Upper triangle of the RDM of concept means (correlation distance)."""
    codes, k = resample.codes(pictures("things")["concept"].to_numpy())
    x = features.astype(np.float32)
    means = np.stack([np.bincount(codes, x[:, d], k) for d in range(x.shape[1])], 1) / np.bincount(codes)[:, None]
    return rsa.rdm(means, "correlation")[np.triu_indices(k, 1)]


def network_similarity(by_stage: dict, models, stage: str, seed: int, **common) -> list[Measured]:
    """Mean Spearman correlation of each network's RDM of concepts with those of the others, at one stage."""
    present = [m for m in models if (stage, m, seed) in by_stage]
    if len(present) < 2:
        return []
    vectors = {m: _pairs(by_stage[stage, m, seed][1]["things"]) for m in present}
    return hierarchy.alike(vectors, seed=seed, stage=stage, **common)


def derived(by_stage: dict, models, **common) -> list[Measured]:
    """Tables that need more than one experiment, and transfer by the kept features.

    Parameters
    ----------
    by_stage : dict
        (stage, model, seed) to (Measured, features by split).
    models : sequence of str
        The students.
    **common
        Further columns of all rows.
    """
    out = []
    for (stage, model, seed), (table, kept) in by_stage.items():
        if stage in STAGES and model in models:
            out.append(transfer(kept["test"], model=model, seed=seed, stage=stage, **common))
        base = by_stage.get(("base", model, seed))
        if base is None or stage == "base" or stage.startswith("teacher"):
            continue
        out.append(released.gains(table, base[0]))
        own = {"model": model, "seed": seed, "stage": stage, **common}
        out.append(hierarchy.of_features(base[1]["things"], kept["things"], pictures("things"), **own))
    for seed in sorted({seed for _, _, seed in by_stage}):
        for stage in STAGES:
            out += network_similarity(by_stage, models, stage, seed, **common)
    return out
