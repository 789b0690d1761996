"""What a student of the drawn world is worth: levels by concept split, one-shot, shift, arrangements, times."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from .. import levels as levels_data
from .. import odd_one_out, resample, rsa
from ..chapters.levels import SHARPNESS, add_levels, judged
from ..data.types import Triplets
from ..results import Measured, Rows
from ..similarity import similarity_matrix
from ..source import open_source

SPLITS = ("test", "things", "cichy", "king1", "king2")
ARRANGED = ("cichy", "king1", "king2")
PARTS = ("seen", "H1", "H2")
LEVELS = ("coarse", "fine", "boundary")
PER_LEVEL = 6000  # triplets of each level and part
SHOTS = 20  # draws of the one-shot examples
SHIFT_PICTURES = 20  # train pictures of each seen concept that the superordinate classifier learns from
RIDGE = 0.02  # of the number of rows


# ---- triplets of the concept split -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _seen() -> np.ndarray:
    """What people see in the test pictures."""
    from ..world import observers
    from ..world.stimuli import split_ids

    return observers.values(split_ids("test"))


@lru_cache(maxsize=8)
def level_triplets(part: str) -> Triplets:
    """Triplets of test pictures about concepts of a part of the split, each judged once by a person of the main group.

    Coarse: three concepts of the part, of three superordinates. Fine: one concept of the part and two others of its
    superordinate, seen or of the same part. Boundary: two pictures of a concept of the part and one of another concept,
    seen or of the same part, half the time of the same superordinate.

    Parameters
    ----------
    part : {"seen", "H1", "H2"}

    Returns
    -------
    Triplets
        ``level`` says which; 6,000 rows each, odd one last.
    """
    from ..world import observers
    from ..world.drawing import world
    from ..world.splits import concepts_of
    from ..world.stimuli import COUNTS, LICENCE, SOURCE, concept_of, generator, split_ids

    rng, ids, per = generator(f"alignet/levels/{part}"), split_ids("test"), COUNTS["test"]
    names = np.array(world().concepts)
    number = {name: i for i, name in enumerate(names)}
    kinds = np.unique([world().superordinate[c] for c in names], return_inverse=True)[1]
    own = np.array([number[c] for c in concepts_of(part)])
    pool = np.array(sorted({*own.tolist(), *(number[c] for c in concepts_of("seen"))}))
    n = PER_LEVEL

    def one(options, size):
        return options[rng.integers(len(options), size=size)]

    def rejected(draw, good):
        out = draw(n)
        while (bad := ~good(out)).any():
            out[bad] = draw(int(bad.sum()))
        return out

    coarse = rejected(lambda k: np.stack([one(own, k) for _ in range(3)], 1), lambda c: _all_differ(kinds[c]))
    fine = rejected(
        lambda k: np.stack([one(own, k), one(pool, k), one(pool, k)], 1),
        lambda c: _all_differ(c) & (kinds[c] == kinds[c[:, :1]]).all(1),
    )
    near = rng.random(n) < 0.5
    alone = np.array([(kinds[pool] == k).sum() < 2 for k in range(kinds.max() + 1)])
    twin = one(own, n)
    other = one(pool, n)
    while (bad := (other == twin) | (near & ~alone[kinds[twin]] & (kinds[other] != kinds[twin]))).any():
        other[bad] = one(pool, int(bad.sum()))
    boundary = np.stack([twin, twin, other], 1)
    chosen = np.concatenate([coarse, fine, boundary])
    picture = np.argsort(rng.random((len(chosen), per)), 1)[:, :3]
    shown = chosen * per + picture
    shown = np.take_along_axis(shown, np.argsort(rng.random(shown.shape), 1), 1)
    who = rng.integers(observers.GROUPS["main"].people, size=len(shown))
    odd, seconds = observers.respond(_seen(), shown, who, f"alignet/levels/{part}")
    return Triplets(
        ids, observers.odd_last(shown, odd), SOURCE, LICENCE, name=f"levels-{part}",
        concepts=tuple(map(concept_of, ids)), participants=who, response_times=seconds, level=np.repeat(LEVELS, n),
    )  # fmt: skip


def _all_differ(codes: np.ndarray) -> np.ndarray:
    return (codes[:, 0] != codes[:, 1]) & (codes[:, 0] != codes[:, 2]) & (codes[:, 1] != codes[:, 2])


@lru_cache(maxsize=2)
def level_set(profile):
    """The Levels data set of the drawn world: (Triplets as presented, table of :func:`humalign.levels.triplets`)."""
    from ..world.stimuli import concept_of, split_ids

    (triplets, table), ids = judged(open_source(profile)), split_ids("test")
    return replace(triplets.align(ids), concepts=tuple(map(concept_of, ids))), table


# ---- measures --------------------------------------------------------------------------------------------------------


def _levels(rows: Rows, similarity, profile) -> None:
    for part in PARTS:
        data = level_triplets(part)
        right = odd_one_out.scores(similarity, data.triplets)
        for level in LEVELS:
            keep = data.level == level
            found = resample.triplet_means(right[keep], data.triplets[keep], data.concepts)
            rows.add("levels", "accuracy", f"{part}/{level}", *found, int(keep.sum()))
    data, table = level_set(profile)
    chosen = odd_one_out.choices(similarity, data.triplets)
    right = levels_data.correct(chosen, table["top"].to_numpy())
    doubt = odd_one_out.entropy(odd_one_out.probabilities(similarity, data.triplets, 1 / SHARPNESS))
    add_levels(rows, right, doubt, data, table)


def one_shot(features: np.ndarray, ids, part: str) -> np.ndarray:
    """Accuracy of naming test pictures of the concepts of a part from one example each, cosine, per concept.

    Features are centred on all test pictures; mean over 20 draws of the examples.
    """
    from ..world.splits import one_shot_split

    row = {name: i for i, name in enumerate(ids)}
    x = features - features.mean(0)
    x = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-12)
    total = 0.0
    for seed in range(SHOTS):
        split = one_shot_split(seed, part)
        example = x[[row[i] for i in split["support"]]]
        right = (x[[row[i] for i in split["query"]]] @ example.T).argmax(1) == split["query_labels"]
        total = total + np.bincount(split["query_labels"], right) / np.bincount(split["query_labels"])
    return total / SHOTS


def shift(train: np.ndarray, train_concepts, test: np.ndarray, test_concepts, part: str) -> np.ndarray:
    """Superordinate of test pictures by a ridge classifier learned on seen concepts, per concept of ``part``.

    Parameters
    ----------
    train : (n, p)
        Features of train pictures of seen concepts.
    test : (m, p)
    part : {"seen", "H1", "H2"}
        "seen" is the source population, the others are targets.
    """
    from ..world.drawing import world
    from ..world.splits import concepts_of

    kind = world().superordinate
    names = sorted(set(kind.values()))
    labels = np.array([names.index(kind[c]) for c in train_concepts])
    mean, std = train.mean(0), train.std(0) + 1e-5
    x = ((train - mean) / std).astype(np.float64)
    y = np.eye(len(names))[labels]
    weights = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean(0)))
    keep = np.isin(test_concepts, concepts_of(part))
    found = (((test[keep] - mean) / std) @ weights + y.mean(0)).argmax(1)
    own = np.asarray(test_concepts)[keep]
    right = found == np.array([names.index(kind[c]) for c in own])
    codes = np.unique(own, return_inverse=True)[1]
    return np.bincount(codes, right) / np.bincount(codes)


def measure(features: dict, profile, **common) -> Measured:
    """All measures of one network of the drawn world.

    Parameters
    ----------
    features : dict
        Split ("test", "things", "cichy", "king1", "king2") to float array (m, p) in the order of the split's ids, and
        "train": features of the first 20 train pictures of each seen concept, as :func:`shift_ids` lists them.
    profile : Profile
    common
        model, seed, layer, stage and so on of all rows.

    Returns
    -------
    Measured
        Datasets levels (details ``H2/coarse`` ... on the concept split; ``coarse`` ... on the whole Levels set, also
        with measure ``entropy-time``), one-shot, shift (seen, H1, H2), things (cosine accuracy of the test choices
        and of all choices about held-out concepts only), cichy, king1, king2 (Spearman).
    """
    from ..world.datasets import arrangement, things
    from ..world.splits import concepts_of
    from ..world.stimuli import concept_of, split_ids

    rows = Rows(profile=profile.name, **common)
    test, ids = features["test"], split_ids("test")
    owners = [concept_of(i) for i in ids]
    _levels(rows, similarity_matrix(test, "cosine"), profile)
    for part in ("H1", "H2"):
        each = one_shot(test, ids, part)
        rows.add("one-shot", "accuracy", part, *resample.unit_means(each), len(each))
    owner = [concept_of(i) for i in shift_ids()]
    for part in PARTS:
        each = shift(features["train"], owner, test, owners, part)
        rows.add("shift", "accuracy", part, *resample.unit_means(each), len(each))
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
        draws = resample.Pairs(len(people)).correlate(rsa.upper_triangle(own), rsa.upper_triangle(people))
        rows.add(name, "spearman", "correlation", rsa.compare(own, people), draws, len(people))
    return rows.measured()


def shift_ids() -> tuple[str, ...]:
    """Train pictures of seen concepts that the superordinate classifier learns from."""
    from ..world.splits import concepts_of

    return tuple(f"{c}/train{k}" for c in concepts_of("seen") for k in range(SHIFT_PICTURES))


def gains(aligned: Measured, base: Measured) -> Measured:
    """Aligned minus base, row by row, as measure "gain" (paired draws)."""
    key = ["dataset", "measure", "detail", "model", "seed"]
    left = aligned.table.reset_index().merge(base.table.reset_index(), on=key, suffixes=("", "_base"))
    left = left[left["measure"] == "accuracy"]
    i, j = left["index"].to_numpy(), left["index_base"].to_numpy()
    frame = aligned.table.loc[i].drop(columns=["low", "high"]).reset_index(drop=True)
    frame["value"] = frame["value"] - base.table["value"].to_numpy()[j]
    frame["measure"] = "gain"
    return Measured.of(pd.DataFrame(frame), aligned.draws[i] - base.draws[j])
