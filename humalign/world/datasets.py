"""What the drawn world's people judged, in the shape of the real data sets; one function a data set."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from scipy.spatial.distance import pdist

from ..data.types import ConceptEmbedding, HumanRDM, Triplets
from ..errors import InputError
from ..levels import LEVELS, exclude, odd_last
from ..odd_one_out import softmax
from . import observers
from .drawing import world
from .observers import GROUPS
from .splits import (
    TRAINING_SETS,
    concept_split,
    concepts_of,
    one_shot_split,
    shift_split,
    training_images,
    training_set,
)
from .stimuli import ARRANGEMENTS, COUNTS, LICENCE, SOURCE, concept_of, generator, split_ids

SIZES = {
    "things": 120_000,  # triplets
    "things_repeated": 1_000,  # distinct triplets
    "repeats": 36,  # people for each of them
    "coarse_labels": 50_000,
    "arrangement_people": 20,
    "arrangement_noise": 0.30,  # sd of the log of a person's dissimilarities
    "levels_groups": 24,  # groups of people who see the same triplets
    "levels_slots": 7,  # people in each
    "levels_trials": (66, 66, 33),  # coarse, fine, boundary in each session
    "levels_catch": 16,
    "levels_catch_sure": 0.99,  # least probability of the right answer of a catch trial, for the mean person
    "levels_missed": 0.004,  # chance of a missed trial, and .05 for a careless person
    "levels_careless": 0.05,  # share of careless people, who lapse in half of the trials
    "levels_limit": 15.0,  # s, later answers count as missed
}
RATINGS = {"pictures": 120, "people": 10, "noise": 1.5}  # noise: sd of a rating, on a scale from 0 to 10
__all__ = [
    "DATASETS",
    "LEVELS",
    "SIZES",
    "TRAINING_SETS",
    "arrangement",
    "coarse_labels",
    "concept_split",
    "concepts_of",
    "embedding",
    "levels",
    "levels_sessions",
    "one_shot_split",
    "permuted",
    "random_triplets",
    "shift_split",
    "test_rows",
    "things",
    "things_repeated",
    "training_images",
    "training_set",
]


def random_triplets(groups: np.ndarray, n: int, rng) -> np.ndarray:
    """``n`` triplets of objects from three different groups (concepts), int64 (n, 3)."""
    out = np.empty((0, 3), np.int64)
    while len(out) < n:
        new = rng.integers(len(groups), size=(n + n // 4 + 8, 3))
        g = groups[new]
        good = (g[:, 0] != g[:, 1]) & (g[:, 0] != g[:, 2]) & (g[:, 1] != g[:, 2])
        out = np.concatenate([out, new[good]])
    return out[:n]


def _codes(names) -> np.ndarray:
    return np.unique(np.asarray(names), return_inverse=True)[1]


def _triplets(ids, shown, odd, name, **more) -> Triplets:
    concepts = tuple(map(concept_of, ids))
    return Triplets(ids, observers.odd_last(shown, odd), SOURCE, LICENCE, name=name, concepts=concepts, **more)


@lru_cache(maxsize=4)
def _things_design():
    ids = split_ids("things")
    rng = generator("things/design")
    shown = random_triplets(_codes([concept_of(i) for i in ids]), SIZES["things"], rng)
    return ids, shown, rng.integers(GROUPS["main"].people, size=len(shown))


def test_rows(n: int) -> np.ndarray:
    """Which of ``n`` rows are in the tenth kept for testing (every tenth row, as the order is random): bool (n,)."""
    return np.arange(n) % 10 == 9


def things(part: str = "all", group: str = "main") -> Triplets:
    """Odd-one-out choices of the main group on 396 pictures, two of each concept (plays THINGS).

    Parameters
    ----------
    part : {"all", "train", "test"}
        All rows, the nine tenths to fit on, the tenth to test on.
    group : {"main", "control"}
        Who chose; the control group sees the same triplets.

    Returns
    -------
    Triplets
        Three different concepts in each, ``participants`` and ``response_times`` (s).
    """
    if part not in ("all", "train", "test"):
        raise InputError(f"no part is called '{part}'", "part", "choose all, train or test")
    ids, shown, who = _things_design()
    odd, seconds = observers.respond(observers.values(ids, group), shown, who, f"things/{group}", group)
    test = test_rows(len(shown))
    keep = {"all": np.ones(len(shown), bool), "train": ~test, "test": test}[part]
    name = "things" if group == "main" else f"things-{group}"
    return _triplets(
        ids,
        shown[keep],
        odd[keep],
        name if part == "all" else f"{name}-{part}",
        participants=who[keep],
        response_times=seconds[keep],
    )


def permuted(part: str = "all") -> Triplets:
    """The choices of the control group, whose taxonomy is permuted over concepts: unrelated to the pictures."""
    return things(part, "control")


def things_repeated(again: bool = False, group: str = "main") -> Triplets:
    """1,000 triplets judged by 36 people each, for noise ceilings (plays testset1 and testset2).

    Parameters
    ----------
    again : bool
        The second answers of the same people to the same triplets, row by row (plays testset2_repeat).
    group : {"main", "control"}
    """
    ids = split_ids("things")
    rng = generator("things repeated/design")
    distinct = random_triplets(_codes([concept_of(i) for i in ids]), 2 * SIZES["things_repeated"], rng)
    keys = np.sort(distinct, 1) @ np.array([len(ids) ** 2, len(ids), 1])
    distinct = distinct[np.sort(np.unique(keys, return_index=True)[1])][: SIZES["things_repeated"]]
    crew = GROUPS["main"].people
    who = rng.random((len(distinct), crew)).argsort(1)[:, : SIZES["repeats"]].ravel()
    shown = np.repeat(distinct, SIZES["repeats"], 0)
    stream = f"things repeated/{group}/{'again' if again else 'first'}"
    odd, seconds = observers.respond(observers.values(ids, group), shown, who, stream, group)
    name = "things-repeated-again" if again else "things-repeated"
    return _triplets(
        ids, shown, odd, name if group == "main" else f"{name}-{group}", participants=who, response_times=seconds
    )


def coarse_labels() -> Triplets:
    """50,000 triplets from superordinate labels of the test pictures (plays CIFAR-100 coarse).

    Two different pictures of one superordinate, one of another; no observer is involved.
    """
    ids = split_ids("test")
    code = _codes([world().superordinate[concept_of(i)] for i in ids])
    rng, n = generator("coarse labels"), SIZES["coarse_labels"]
    order = np.argsort(code, kind="stable")
    first = np.searchsorted(code[order], np.arange(code.max() + 1))
    size = np.bincount(code)
    kept = rng.integers(len(size), size=n)
    other = (kept + rng.integers(1, len(size), size=n)) % len(size)
    a = (rng.random(n) * size[kept]).astype(np.int64)
    b = (a + 1 + (rng.random(n) * (size[kept] - 1)).astype(np.int64)) % size[kept]
    c = (rng.random(n) * size[other]).astype(np.int64)
    rows = np.stack([order[first[kept] + a], order[first[kept] + b], order[first[other] + c]], 1)
    return Triplets(ids, rows, SOURCE, LICENCE, name="coarse-labels", concepts=tuple(map(concept_of, ids)))


def arrangement(name: str = "cichy") -> HumanRDM:
    """Dissimilarities of 20 people of the arrangement group for one set of pictures.

    Parameters
    ----------
    name : {"cichy", "king1", "king2"}
        118 pictures (plays Cichy et al. 2019), or 144 (King et al. 2019, sets A and B).

    Returns
    -------
    HumanRDM
        ``rdm`` (20, m, m): Euclidean distances in each person's weighted dimensions with multiplicative noise, mean 1.
    """
    if name not in ARRANGEMENTS:
        raise InputError(f"no arrangement set is called '{name}'", "name", f"choose one of {', '.join(ARRANGEMENTS)}")
    ids = split_ids(name)
    seen, crew, n = observers.values(ids), observers.people("arrangement"), SIZES["arrangement_people"]
    rng = generator(f"arrangement responses/{name}")
    first = list(ARRANGEMENTS).index(name) * n
    upper = np.triu_indices(len(ids), 1)
    rdm = np.zeros((n, len(ids), len(ids)))
    for person in range(n):
        distance = pdist(seen * np.sqrt(crew.weights[first + person]))  # to the last digit the same with any threads
        distance *= np.exp(rng.normal(0, SIZES["arrangement_noise"], len(upper[0])))
        rdm[person][upper] = distance / distance.mean()
    rdm += rdm.transpose(0, 2, 1)
    return HumanRDM(ids, rdm, SOURCE, LICENCE, name=f"arrangement-{name}")


def ratings() -> HumanRDM:
    """Similarity of pictures as ten people of the main group rate it, 0 to 10 (plays Likert sets).

    Returns
    -------
    HumanRDM
        ``rdm`` (10, m, m): 10 minus the rating, of test pictures of as many different concepts. A rating is ten times
        the cosine in the person's weighted dimensions with normal noise, rounded and kept within the scale.
    """
    rng, n = generator("ratings"), RATINGS["pictures"]
    shown = rng.permutation(list(world().concepts))[:n]
    ids = tuple(f"{concept}/test{k}" for concept, k in zip(shown, rng.integers(COUNTS["test"], size=n)))
    seen, crew = observers.values(ids), observers.people("main")
    upper = np.triu_indices(n, 1)
    rdm = np.zeros((RATINGS["people"], n, n))
    for row, person in enumerate(rng.permutation(len(crew))[: len(rdm)]):
        x = seen * np.sqrt(crew.weights[person])
        near = 1 - pdist(x, "cosine")
        said = np.rint(10 * near + rng.normal(0, RATINGS["noise"], len(near)))
        rdm[row][upper] = 10 - np.clip(said, 0, 10)
    rdm += rdm.transpose(0, 2, 1)
    return HumanRDM(ids, rdm, SOURCE, LICENCE, name="ratings")


def embedding() -> ConceptEmbedding:
    """The group's mean values on every dimension for the things pictures (ground truth; plays VICE)."""
    ids = split_ids("things")
    mean = observers.people("main").weights.mean(0)
    return ConceptEmbedding(
        ids,
        observers.values(ids) * np.sqrt(mean),
        observers.dimension_names(),
        SOURCE,
        LICENCE,
        name="observer-dimensions",
    )


def _level_triplets(rng, counts, concepts, per_concept: int):
    """(n, 3) picture numbers, concept number x per_concept + picture, and the level of each row."""
    members = {}
    for k, concept in enumerate(concepts):
        members.setdefault(world().superordinate[concept], []).append(k)
    kinds, rows, levels = list(members), [], []

    def one_of(options):
        return options[int(rng.integers(len(options)))]

    for level, count in zip(LEVELS, counts):
        for _ in range(count):
            if level == "coarse":
                chosen = [one_of(members[kinds[s]]) for s in rng.permutation(len(kinds))[:3]]
            elif level == "fine":
                kind = members[one_of([k for k in kinds if len(members[k]) >= 3])]
                chosen = [kind[k] for k in rng.permutation(len(kind))[:3]]
            else:
                twin = int(rng.integers(len(concepts)))
                near = [k for k in members[world().superordinate[concepts[twin]]] if k != twin]
                far = [k for k in range(len(concepts)) if k != twin]
                chosen = [twin, twin, one_of(near if near and rng.random() < 0.5 else far)]
            picture = rng.permutation(per_concept)[:3]
            rows.append([c * per_concept + p for c, p in zip(chosen, picture)])
            levels.append(level)
    rows = np.array(rows)
    return np.take_along_axis(rows, rng.random(rows.shape).argsort(1), 1), np.array(levels)


def _catch_trials(rng, kinds: np.ndarray, per: int, seen: np.ndarray) -> np.ndarray:
    """Obvious trials: one picture twice and one of another superordinate; (levels_catch, 3) picture numbers."""
    candidates = random_triplets(kinds, 40 * SIZES["levels_catch"], rng)[:, :2] * per
    candidates = candidates + rng.integers(per, size=candidates.shape)
    rows = candidates[:, [0, 0, 1]]
    sure = softmax(observers.pair_similarities(seen, rows))[:, 0] >= SIZES["levels_catch_sure"]
    return rows[sure][: SIZES["levels_catch"]]


@lru_cache(maxsize=2)
def levels_sessions():
    """Sessions in the columns of :mod:`humalign.levels`: every trial of every person, catch and missed ones included.

    Returns
    -------
    DataFrame
        A catch trial shows one picture twice; its ``level`` is "". ``correct`` is "" in all others.
    """
    import pandas as pd

    s, rng = SIZES, generator("levels/design")
    ids, concepts, per = split_ids("test"), world().concepts, COUNTS["test"]
    seen = observers.values(ids)
    sessions = s["levels_groups"] * s["levels_slots"]
    crew = rng.permutation(GROUPS["main"].people)[:sessions]
    careless = rng.random(sessions) < s["levels_careless"]
    kinds = _codes([world().superordinate[c] for c in concepts])
    parts = []
    for group in range(s["levels_groups"]):
        rows, level = _level_triplets(rng, s["levels_trials"], concepts, per)
        catch = _catch_trials(rng, kinds, per, seen)
        rows, level = np.concatenate([rows, catch]), np.concatenate([level, np.full(len(catch), "")])
        order = rng.permutation(len(rows))
        for slot in range(s["levels_slots"]):
            session = group * s["levels_slots"] + slot
            shuffle = rng.random((len(rows), 3)).argsort(1)
            parts.append(
                (session, group, np.arange(len(rows)), np.take_along_axis(rows[order], shuffle, 1), level[order])
            )
    session = np.concatenate([np.full(len(p[2]), p[0]) for p in parts])
    rows = np.concatenate([p[3] for p in parts])
    level = np.concatenate([p[4] for p in parts])
    who = crew[session]
    lapses = np.where(careless[session], 0.5, observers.people("main").lapses[who])
    odd, seconds = observers.respond(seen, rows, who, "levels", lapses=lapses)
    missed = (seconds > s["levels_limit"]) | (
        rng.random(len(rows)) < np.where(careless[session], 0.05, s["levels_missed"])
    )
    names = np.array(ids)[rows]
    chosen = np.take_along_axis(names, odd[:, None].astype(int), 1)[:, 0]
    single = np.where(rows[:, 0] == rows[:, 1], 2, np.where(rows[:, 0] == rows[:, 2], 1, 0))
    right = np.take_along_axis(names, single[:, None], 1)[:, 0]
    table = {
        "participant": [f"person{w}" for w in who],
        "kind": np.where(level == "", "catch", "trial"),
        "level": level,
        **{f"image{k + 1}": names[:, k] for k in range(3)},
        "selected": pd.Series(chosen).where(~missed),
        "seconds": np.where(missed, np.nan, seconds),
        "correct": np.where(level == "", right, ""),
    }
    return pd.DataFrame(table)


def levels(least: int = 5) -> Triplets:
    """Levels-like choices on test pictures, exclusions made: coarse, fine and boundary triplets with response times.

    Coarse: three superordinates. Fine: three concepts of one superordinate (Levels proper takes three pictures of one
    ImageNet class, which drawings are too alike for). Boundary: two pictures of one concept and one of another, which
    half the time is of the same superordinate.

    Parameters
    ----------
    least : int
        Triplets with fewer valid answers are dropped.
    """
    trials, ids = exclude(levels_sessions())[0], split_ids("test")
    rows = odd_last(trials, ids)
    _, inverse, count = np.unique(np.sort(rows, 1), axis=0, return_inverse=True, return_counts=True)
    enough = count[inverse.ravel()] >= least
    rows, trials = rows[enough], trials[enough]
    return Triplets(
        ids,
        rows,
        SOURCE,
        LICENCE,
        name="levels",
        concepts=tuple(map(concept_of, ids)),
        participants=trials["participant"].str.removeprefix("person").astype(int).to_numpy(),
        response_times=trials["seconds"].to_numpy(),
        level=trials["level"].to_numpy(str),
    )


DATASETS = {  # title, and what makes it
    "things": ("120,000 odd-one-out choices on 396 pictures (plays THINGS).", things),
    "things-repeated": ("1,000 triplets judged by 36 people each, for ceilings.", things_repeated),
    "things-repeated-again": (
        "The same people and triplets once more, for within-person ceilings.",
        partial(things_repeated, again=True),
    ),
    "things-control": ("Choices of the control group with a permuted taxonomy.", permuted),
    "coarse-labels": ("50,000 triplets from superordinate labels (plays CIFAR-100 coarse).", coarse_labels),
    "levels": ("Coarse, fine and boundary triplets with response times (plays Levels).", levels),
    "arrangement-cichy": ("Arrangements of 118 pictures by 20 people (plays Cichy).", partial(arrangement, "cichy")),
    "arrangement-king1": ("Arrangements of 144 pictures by 20 people (plays King).", partial(arrangement, "king1")),
    "arrangement-king2": ("Arrangements of 144 others by 20 people (plays King).", partial(arrangement, "king2")),
    "observer-dimensions": ("What the main group sees in the things pictures.", embedding),
}
