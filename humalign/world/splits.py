"""Who learns from what: concept split, training sets, one-shot, shift and level tests of the drawn world."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..data.types import Stimuli, Triplets
from ..edition import NOW
from ..errors import InputError
from ..levels import LEVELS
from . import kinds, observers
from .drawing import world
from .stimuli import COUNTS, LICENCE, SOURCE, concept_of, generator, images, split_ids

PER_LEVEL = 6000  # triplets of each level and part of the split
SHIFT_PICTURES = 20  # train pictures of each seen concept that a superordinate classifier learns from


def concept_split() -> dict:
    """Concept -> "seen" (60 %), "H1" or "H2" (held out, to choose and to report), stratified by superordinate.

    A kind goes with its basic concept.
    """
    return dict(_split())


@lru_cache(maxsize=1)
def _split() -> dict:
    rng, part = generator("concept split"), {}
    spare = 0.0
    turn = 0
    for superordinate in world().superordinates:
        members = list(rng.permutation([c for c in world().members(superordinate) if kinds.basic(c) == c]))
        exact = 0.6 * len(members) + spare
        seen = round(exact)
        spare = exact - seen
        for k, concept in enumerate(members):
            part[str(concept)] = "seen" if k < seen else ("H1", "H2")[(k + turn) % 2]
        turn += len(members) - seen
    part |= {kind: part[basic] for kind, (basic, _) in kinds.table().items()}
    return dict(sorted(part.items()))


def concepts_of(part: str) -> tuple[str, ...]:
    """Concepts of a part of the concept split: "seen", "H1", "H2", "held-out" (both) or "all"."""
    wanted = {"held-out": ("H1", "H2"), "all": ("seen", "H1", "H2")}.get(part, (part,))
    chosen = tuple(c for c, p in concept_split().items() if p in wanted)
    if not chosen:
        raise InputError(
            f"no part of the concept split is called '{part}'", "part", "choose seen, H1, H2, held-out or all"
        )
    return chosen


# name: (splits, part of the concepts, kind of labels)
TRAINING_SETS = {
    "concepts": (("train",), "seen", "concepts"),
    "coarse": (("train",), "seen", "coarse"),
    "taxonomy": (("train",), "seen", "taxonomy"),
    "web": (("train", "web"), "all", "web"),
    "captions": (("train",), "all", "captions"),
    "captions-web": (("train", "web"), "all", "captions"),
    "unlabelled": (("train",), "all", None),
}
if NOW.folder:  # of the second world's control, a teacher that was told the names of all concepts
    TRAINING_SETS["all"] = (("train",), "all", "concepts")


def training_images(name: str, size: int = NOW.side, profile=None) -> Stimuli:
    """Pictures of a training set (see ``TRAINING_SETS``)."""
    if name not in TRAINING_SETS:
        raise InputError(f"no training set is called '{name}'", "name", f"choose one of {', '.join(TRAINING_SETS)}")
    splits, part, _ = TRAINING_SETS[name]
    wanted, sets = set(concepts_of(part)), [images(split, size, profile) for split in splits]
    keep = [np.array([c in wanted for c in s.concepts]) for s in sets]
    ids = tuple(i for s, k in zip(sets, keep) for i, good in zip(s.ids, k) if good)
    pixels = np.concatenate([s.images[k] for s, k in zip(sets, keep)])
    facts = [f for s, k in zip(sets, keep) for f, good in zip(s.meta["facts"], k) if good]
    return Stimuli(
        ids,
        SOURCE,
        LICENCE,
        images=pixels,
        concepts=tuple(map(concept_of, ids)),
        meta={"facts": facts},
        name=f"training-{name}",
    )


def training_set(name: str, size: int = NOW.side, profile=None, seed: int = 0):
    """Pictures and labels of a training set: (Stimuli, labels).

    The labels are what :func:`humalign.world.labels.targets` returns, (targets, names); None for the unlabelled set.
    """
    stimuli = training_images(name, size, profile)
    kind = TRAINING_SETS[name][2]
    if kind is None:
        return stimuli, None
    from . import labels

    return stimuli, labels.targets(stimuli.ids, stimuli.concepts, stimuli.meta["facts"], kind, seed)


def one_shot_split(seed: int = 0, part: str = "H2") -> dict:
    """One labelled test picture of each held-out concept, the others to be named.

    Returns
    -------
    dict
        ``classes``; ``support`` (one id a class, same order); ``query`` ids and ``query_labels`` (class numbers).
    """
    classes, rng = concepts_of(part), generator(f"one shot/{part}/{seed}")
    picked = rng.integers(COUNTS["test"], size=len(classes))
    query = [(f"{c}/test{k}", n) for n, c in enumerate(classes) for k in range(COUNTS["test"]) if k != picked[n]]
    return {
        "classes": classes,
        "support": tuple(f"{c}/test{k}" for c, k in zip(classes, picked)),
        "query": tuple(q for q, _ in query),
        "query_labels": np.array([n for _, n in query]),
    }


def shift_split(seed: int = 0, part: str = "all", per_concept: int = 20) -> dict:
    """Superordinate classes whose source and target concepts differ (in the style of BREEDS).

    Every superordinate with at least two concepts of ``part`` is a class; its concepts are halved by lot.

    Returns
    -------
    dict
        ``classes``; ``source_concepts``, ``target_concepts``; ids and class numbers ``train`` (train pictures of source
        concepts), ``source`` and ``target`` (test pictures), each with ``..._labels``.
    """
    rng, wanted = generator(f"shift/{part}/{seed}"), set(concepts_of(part))
    classes, halves = [], ([], [])
    for superordinate in world().superordinates:
        members = [c for c in world().members(superordinate) if c in wanted]
        if len(members) < 2:
            continue
        members = [members[k] for k in rng.permutation(len(members))]
        half = (len(members) + int(rng.integers(2))) // 2
        for side, chosen in zip(halves, (members[:half], members[half:])):
            side += [(c, len(classes)) for c in sorted(chosen)]
        classes.append(superordinate)
    source, target = halves
    out = {
        "classes": tuple(classes),
        "source_concepts": tuple(c for c, _ in source),
        "target_concepts": tuple(c for c, _ in target),
    }
    plan = {
        "train": (source, "train", per_concept),
        "source": (source, "test", COUNTS["test"]),
        "target": (target, "test", COUNTS["test"]),
    }
    for key, (side, split, n) in plan.items():
        out[key] = tuple(f"{c}/{split}{k}" for c, _ in side for k in range(n))
        out[f"{key}_labels"] = np.repeat([label for _, label in side], n)
    return out


def shift_ids() -> tuple[str, ...]:
    """Train pictures of seen concepts that the superordinate classifier learns from."""
    return tuple(f"{c}/train{k}" for c in concepts_of("seen") for k in range(SHIFT_PICTURES))


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

    rng, ids, per = generator(f"alignet/levels/{part}"), split_ids("test"), COUNTS["test"]
    seen = observers.values(ids)
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
    odd, seconds = observers.respond(seen, shown, who, f"alignet/levels/{part}")
    return Triplets(
        ids, observers.odd_last(shown, odd), SOURCE, LICENCE, name=f"levels-{part}",
        concepts=tuple(map(concept_of, ids)), participants=who, response_times=seconds, level=np.repeat(LEVELS, n),
    )  # fmt: skip


def _all_differ(codes: np.ndarray) -> np.ndarray:
    return (codes[:, 0] != codes[:, 1]) & (codes[:, 0] != codes[:, 2]) & (codes[:, 1] != codes[:, 2])
