"""What a student that looked at photographs is worth: agreement with real people, transfer, and what it still knows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .. import downstream, odd_one_out, resample, rsa
from ..alignet.images import Pictures
from ..alignet.student import Student, embed, with_published_head
from ..chapters import rsa as rsa_chapter
from ..chapters.real_alignet import EMBEDDINGS, KINDS, SHOTS, examples
from ..data.types import Features, HumanRDM, Stimuli, Triplets
from ..errors import InputError
from ..features import extract
from ..results import Measured, Rows, combine
from ..similarity import similarity_matrix
from ..source import LAYERS, Source


@dataclass(frozen=True)
class Answers:
    """What students are compared with.

    Attributes
    ----------
    photographs, images : Stimuli
        The photographs of THINGS concepts, and the 92 images (``concepts`` = their six categories).
    arranged : HumanRDM
        Of 16 people, on the 92 images.
    triplets, shares : int (n, 3), float (n, 3)
        All triplets of the 92 images, and the share of people whose dissimilarities leave each of the three out.
    responses : Triplets
        Odd-one-out choices of people among the concepts of the photographs.
    embeddings : dict of str to Features
        Fitted to people's choices.
    held_out : tuple of str
        Concepts that no fitted response touched and that no student saw.
    classes : dict of str to int
        ImageNet class of each photograph whose concept is one.
    """

    photographs: Stimuli
    images: Stimuli
    arranged: HumanRDM
    triplets: np.ndarray
    shares: np.ndarray
    responses: Triplets
    embeddings: dict
    held_out: tuple
    classes: dict


def imagenet_classes(wordnet) -> dict[str, int]:
    """Number of the ImageNet class (0 to 999) of each concept whose WordNet synset is one of the classes.

    Parameters
    ----------
    wordnet : Series
        WordNet id ("n02082791") by concept.
    """
    from .. import compat  # noqa: F401  (before timm)

    from timm.data import ImageNetInfo  # isort: skip

    number = {name: k for k, name in enumerate(ImageNetInfo().label_names())}
    return {name: number[one] for name, one in wordnet.items() if one in number}


def chosen_shares(rdm: np.ndarray, triplets: np.ndarray) -> np.ndarray:
    """Share of people (people, m, m) who, by their dissimilarities, leave out each of a triplet's three: (n, 3)."""
    chosen = np.stack([odd_one_out.choices(-one, triplets) for one in np.asarray(rdm, float)])
    return np.stack([(chosen == k).mean(0) for k in range(3)], 1)


@lru_cache(maxsize=2)
def _gathered(source: Source, held_out: tuple) -> Answers:
    photographs, arranged = source.published("things_cc0/images"), source.published("mur92")
    images = source.published("mur92/images").align(arranged.ids)
    if lost := sorted(set(held_out) - set(photographs.ids)):
        raise InputError(f"'{lost[0]}' has no photograph", "held-out concepts", "take the list that was recorded")
    if len(set(images.concepts)) != len(KINDS):
        raise InputError(f"have {len(set(images.concepts))} categories", "92 images", "take the published file")
    triplets = np.array(list(itertools.combinations(range(len(arranged)), 3)))
    ids = photographs.ids
    wordnet = source.published("things/concepts").loc[list(ids), "WordNet ID"]
    return Answers(
        photographs, images, arranged, triplets, chosen_shares(arranged.rdm, triplets),
        source.triplets("photographs"), {name: source.published(name).align(ids) for name in EMBEDDINGS},
        held_out, imagenet_classes(wordnet),
    )  # fmt: skip


def answers(source: Source, held_out) -> Answers:
    """Everything that students are compared with, gathered once a process."""
    return _gathered(source, tuple(held_out))


@dataclass(frozen=True)
class Seen:
    """Penultimate features and logits of the photographs and of the 92 images, rows in the order of their ids."""

    photographs: np.ndarray
    images: np.ndarray
    photograph_logits: np.ndarray
    image_logits: np.ndarray


def look(student: Student, found: Answers, profile) -> Seen:
    """What a student makes of the photographs and of the 92 images."""
    whole, out = with_published_head(student, profile), {}
    for layer in LAYERS:
        out[layer] = []
    for part in (found.photographs, found.images):
        for layer, values in extract(whole, part, LAYERS, device="cpu", progress=False).items():
            out[layer].append(values.align(part.ids).values)
    return Seen(*out["penultimate"], *out["logits"])


def _features(seen: Seen, ids, common: dict) -> list[Features]:
    """Both layers of the 92 images as features."""
    about = {"source": "here", "licence": "as the network's", "model": common["model"]}
    about["meta"] = {"seed": common.get("seed", 0)}
    parts = {"penultimate": seen.images, "logits": seen.image_logits}
    return [Features(ids=ids, values=values, layer=layer, **about) for layer, values in parts.items()]


def measure(seen: Seen, base: Seen, found: Answers, **common) -> Measured:
    """All measures of one student.

    Parameters
    ----------
    seen, base : Seen
        Of the student, and of the network before it was aligned, at the same size of the pictures.
    found : Answers
    **common
        model, seed, stage and so on of all rows.

    Returns
    -------
    Measured
        Datasets mur92 (spearman with the mean of people and with single people, at both layers; accuracy, detail "odd
        one out": share of people's choices; "categories, K examples"), photographs (accuracy on people's responses
        among held-out and among seen concepts), the embeddings (spearman), imagenet (layer logits: accuracy on
        photographs of its classes, agreement with the answers before, logit correlation).
    """
    rows, ids = Rows(**common), found.photographs.ids
    layer = {"layer": "penultimate"}
    more = {k: v for k, v in common.items() if k not in ("model", "seed", "stage")}
    with_people = rsa_chapter.of_people(
        _features(seen, found.arranged.ids, common), found.arranged, dataset="mur92", **more
    )
    with_people.table["stage"] = common["stage"]
    chosen = odd_one_out.choices(similarity_matrix(seen.images, "cosine"), found.triplets)
    share = found.shares[np.arange(len(chosen)), chosen] * (chosen >= 0)
    drawn = resample.triplet_means(share, found.triplets, found.arranged.ids)
    rows.add("mur92", "accuracy", "odd one out", *drawn, len(share), **layer)
    for shots in SHOTS:
        each = downstream.nearest_centroid(seen.images, found.images.concepts, shots)
        known = np.isfinite(each)
        drawn = resample.unit_means(np.where(known, each, each[known].mean()))
        rows.add("mur92", "accuracy", examples(shots), *drawn, int(known.sum()), **layer)
    similarity = similarity_matrix(seen.photographs, "cosine")
    right = odd_one_out.scores(similarity, found.responses.align(ids).triplets)
    held = np.isin(ids, found.held_out)
    for detail, part in (("held-out", held), ("seen", ~held)):
        inside = part[found.responses.align(ids).triplets].all(1)
        if inside.any():
            triplets = found.responses.align(ids).triplets[inside]
            drawn = resample.triplet_means(right[inside], triplets, ids, repeated=True)
            rows.add("photographs", "accuracy", detail, *drawn, int(inside.sum()), **layer)
        at = np.flatnonzero(part)
        own = rsa.upper_triangle(similarity[np.ix_(at, at)])
        for name, people in found.embeddings.items():
            human = rsa.upper_triangle(similarity_matrix(people.values[at], "dot"))
            rows.add(name, "spearman", detail, *resample.pair_correlation(own, human), len(at), **layer)
    _kept(rows, seen, base, found, held)
    return combine(with_people, rows.measured())


def _kept(rows: Rows, seen: Seen, base: Seen, found: Answers, held: np.ndarray) -> None:
    """What the old classifier still says."""
    ids, layer = found.photographs.ids, {"layer": "logits"}
    before, now = base.photograph_logits, seen.photograph_logits
    known = np.array([name in found.classes for name in ids])
    label = np.array([found.classes.get(name, -1) for name in ids])
    right = (now.argmax(1) == label).astype(float)
    for detail, part in (("photographs", known), ("held-out photographs", known & held)):
        if part.any():
            rows.add("imagenet", "accuracy", detail, *resample.unit_means(right[part]), int(part.sum()), **layer)
    same = {"held-out": (before[held], now[held]), "seen": (before[~held], now[~held]),
            "92 images": (base.image_logits, seen.image_logits)}  # fmt: skip
    for detail, (old, new) in same.items():
        agreed = (old.argmax(1) == new.argmax(1)).astype(float)
        rows.add("imagenet", "agreement", detail, *resample.unit_means(agreed), len(agreed), **layer)
        each = row_correlations(old, new)
        rows.add("imagenet", "logit correlation", detail, *resample.unit_means(each), len(each), **layer)


def row_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of each row of ``a`` (n, p) with the same row of ``b``: (n,); 0 where one is constant."""
    a, b = (np.asarray(x, np.float64) - np.mean(x, 1, keepdims=True, dtype=np.float64) for x in (a, b))
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), scale, out=np.zeros(len(a)), where=scale > 0)


def with_embedding(student: Student, concepts, source: Source, embedding: str) -> float:
    """Spearman correlation of a student's similarities (cosine) of photographs with dot products of an embedding."""
    shown = source.published("things_cc0/images").align(tuple(concepts))
    own = similarity_matrix(embed(student, Pictures(shown.ids, shown.images, student.side)), "cosine")
    people: Features = source.published(embedding).align(shown.ids)
    return rsa.compare_vectors(rsa.upper_triangle(own), rsa.upper_triangle(similarity_matrix(people.values, "dot")))
