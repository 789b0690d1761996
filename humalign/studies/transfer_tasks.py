"""The tasks of transfer: which pictures each needs and how a network is measured on them.

The drawn world has three tasks on its test pictures; the full profile has those of the second paper, on features in the
feature store. To add one, write its function and name it in :data:`TASKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from .. import downstream
from ..chapters import networks
from ..config import Profile
from ..data import registry
from ..data.types import Features, Stimuli
from ..errors import InputError, MissingData
from ..features import shards

LAYER = "penultimate"
STRENGTH = 1.0  # of few-shot ridge classifiers: fixed, for there is nothing left to choose it by
KNOWN_SEED = 1  # of the half of the classes that is known, where anomalies are sought among new classes
HEAD_STRENGTHS = tuple(10.0**k for k in range(-6, 1))  # of the fitted ImageNet head, times the number of rows


@dataclass(frozen=True)
class Task:
    """One task: its name, kind, title, the pictures it needs (names of the studies) and the function that measures it.

    ``measure(task, at)`` gives DataFrames by detail: label, accuracy or auroc, one row a class.
    """

    name: str
    kind: str
    title: str
    pictures: tuple[str, ...]
    measure: Callable
    also: tuple[str, ...] = ()  # further data sets of the registry, which say what the pictures show

    @property
    def value(self) -> str:
        """Name of the measure."""
        return "auroc" if self.kind == "anomaly" else "accuracy"


@dataclass(frozen=True)
class At:
    """One network at a task: profile, model, numbers of shots and draws, and the data sets, each read once for all."""

    profile: Profile
    model: str
    shots: tuple[int, ...]
    draws: int
    load: Callable[[str], Stimuli]

    def pictures(self, name: str) -> Stimuli:
        """Pictures with their classes, by their name in the studies."""
        return self.load(networks.source(self.profile).shown(name))

    def features(self, name: str, layer: str = LAYER) -> Features | None:
        """Features of the network for all pictures of a name; None where it has no such layer."""
        return next(networks.source(self.profile).features(name, (layer,), [self.model]), None)

    def values(self, name: str, ids) -> np.ndarray:
        """Penultimate features of the network for some pictures, aligned by id: (n, p)."""
        found = self.features(name)
        if found is None:
            raise MissingData(
                f"{self.model} has no layer '{LAYER}' for these pictures", name, "extract that layer, too"
            )
        return found.align(ids).values

    def together(self, task: Task):
        """All pictures of a task: their Stimuli, and the features of all, (n, p)."""
        parts = [self.pictures(name) for name in task.pictures]
        return parts, np.concatenate([self.values(name, p.ids) for name, p in zip(task.pictures, parts)])


# ---- tasks of the full profile ---------------------------------------------------------------------------------------


def _few_shot(task, at):
    parts, values = at.together(task)
    labels = np.concatenate([np.asarray(p.concepts) for p in parts])
    split = np.concatenate([np.asarray(p.meta.get("split", ["all"] * len(p))) for p in parts])
    pool = None if set(split) == {"all"} else split != "test"
    return _by_shots(values, labels, pool, at)


def _by_shots(values, labels, pool, at):
    common = {"seeds": range(at.draws), "strength": STRENGTH, "pool": pool}
    return {str(shots): downstream.few_shot(values, labels, shots, **common) for shots in at.shots}


def _breeds(task, at):
    shown = at.load(task.name)
    domain, subclass = np.asarray(shown.meta["domain"]), np.asarray(shown.meta["wnid"])
    values = at.values(task.pictures[0], shown.ids)
    return _by_population(values, np.asarray(shown.concepts), subclass, set(subclass[domain == "source"]))


def _by_population(values, superclass, subclass, source):
    found = downstream.shift(values, superclass, subclass, source)
    return {name: part.rename(columns={"subclass": "label"}) for name, part in found.groupby("population")}


def _own_head(task, at):
    classes, shown = _classes(at), at.pictures("imagenet-a")
    found = at.features("imagenet-a", "logits")
    if found is None or found.values.shape[1] != len(classes):
        return {}
    return {"own head": _restricted(found.align(shown.ids).values, shown.concepts, classes)}


def _fitted_head(task, at):
    classes, shown = _classes(at), at.pictures("imagenet-a")
    names, train = sorted(classes), at.pictures("imagenet-train")
    of = dict(zip(train.ids, train.concepts))
    head = downstream.StreamedRidge(names)
    for ids, values in shards.stream(networks.source(at.profile).stored("imagenet-train", at.model), LAYER):
        if strange := [name for name in ids if name not in of]:
            raise InputError(
                f"has features of {strange[0]}, which is no training picture", "imagenet/train", "extract again"
            )
        head.add(values, [of[name] for name in ids])
    if head.n != len(train):
        raise MissingData(f"has features of {head.n} of {len(train)} pictures", "imagenet/train", "extract the rest")
    val = at.pictures("imagenet-val")
    known, truth = at.values("imagenet-val", val.ids), np.asarray(val.concepts)
    right = {s: np.asarray(names)[head.scores(known, s * head.n).argmax(1)] == truth for s in HEAD_STRENGTHS}
    best = max(right, key=lambda s: right[s].mean())
    values = at.values("imagenet-a", shown.ids)
    on_val = pd.DataFrame({"label": truth, "accuracy": right[best]}).groupby("label", as_index=False).mean()
    return {
        "fitted head": _restricted(head.scores(values, best * head.n), shown.concepts, classes),
        "fitted head, ImageNet": on_val,
    }


def _classes(at) -> dict[str, int]:
    """Class number of each WordNet id of ImageNet."""
    from ..data.imagenet import class_numbers

    return class_numbers(at.pictures("imagenet-val").concepts)


def _restricted(scores, concepts, classes) -> pd.DataFrame:
    labels = np.array([classes[one] for one in concepts])
    right = downstream.restricted_choices(scores, set(labels.tolist())) == labels
    return pd.DataFrame({"label": labels, "accuracy": right}).groupby("label", as_index=False).mean()


def _anomaly(task, at, label="concept", halves=False):
    parts, values = at.together(task)
    concepts = np.concatenate([np.asarray(p.concepts) for p in parts])
    owner = np.concatenate([np.asarray(p.concepts if label == "concept" else p.meta[label]) for p in parts])
    test = np.concatenate([np.asarray(p.meta["split"]) == "test" for p in parts])
    known = downstream.half_of_each(concepts, owner, KNOWN_SEED) if halves else np.ones(len(concepts), bool)
    train, tested = ~test & known, test & (~known if halves else True)
    return {task.kind: downstream.anomaly_detection(values[train], owner[train], values[tested], owner[tested])}


# ---- tasks of the drawn world ----------------------------------------------------------------------------------------


def _drawn(part="all"):
    """Test pictures of a part of the concept split: ids, concepts, superordinates."""
    from ..world.drawing import world
    from ..world.splits import concepts_of
    from ..world.stimuli import concept_of, split_ids

    ids = np.array(split_ids("test"))
    concepts = np.array([concept_of(i) for i in ids])
    keep = np.isin(concepts, concepts_of(part))
    return ids[keep], concepts[keep], np.array([world().superordinate[c] for c in concepts[keep]])


def _drawn_shots(task, at):
    ids, concepts, _ = _drawn("held-out")
    return _by_shots(at.values("test", ids), concepts, None, at)


def _drawn_shift(task, at):
    from ..world.splits import concepts_of

    ids, concepts, kinds = _drawn()
    return _by_population(at.values("test", ids), kinds, concepts, set(concepts_of("seen")))


def _drawn_anomaly(task, at):
    ids, concepts, kinds = _drawn()
    values, known = at.values("test", ids), downstream.half_of_each(concepts, kinds, KNOWN_SEED)
    return {task.kind: downstream.anomaly_detection(values[known], kinds[known], values[~known], kinds[~known])}


FEW = "few-shot"
TASKS = {
    "mini": (
        Task("held-out concepts", FEW, "Held-out concepts", ("test",), _drawn_shots),
        Task("superordinates", "shift", "Superordinates, new concepts", ("test",), _drawn_shift),
        Task("superordinate", "anomaly", "One superordinate", ("test",), _drawn_anomaly),
    ),
    "full": (
        Task("caltech101", FEW, "Caltech-101", ("caltech101",), _few_shot),
        Task("cars196", FEW, "Cars-196", ("cars196",), _few_shot),
        Task("cifar100", FEW, "CIFAR-100", ("cifar100-train", "cifar100-test"), _few_shot),
        Task("dtd", FEW, "DTD", ("dtd",), _few_shot),
        Task("pets", FEW, "Pets", ("pets",), _few_shot),
        Task("ucmerced", FEW, "UC-Merced", ("ucmerced",), _few_shot),
        Task("breeds/entity13", "shift", "BREEDS Entity-13", ("imagenet-val",), _breeds, ("breeds/entity13",)),
        Task("breeds/entity30", "shift", "BREEDS Entity-30", ("imagenet-val",), _breeds, ("breeds/entity30",)),
        Task("breeds/living17", "shift", "BREEDS Living-17", ("imagenet-val",), _breeds, ("breeds/living17",)),
        Task("breeds/nonliving26", "shift", "BREEDS Nonliving-26", ("imagenet-val",), _breeds, ("breeds/nonliving26",)),
        Task("imagenet-a, own head", "head", "ImageNet-A, own head", ("imagenet-a",), _own_head, ("imagenet/val",)),
        Task(
            "imagenet-a, fitted head",
            "head",
            "ImageNet-A, fitted head",
            ("imagenet-train", "imagenet-val", "imagenet-a"),
            _fitted_head,
        ),
        Task(
            "cifar100, superclass",
            "anomaly",
            "CIFAR-100, one superclass",
            ("cifar100-train", "cifar100-test"),
            partial(_anomaly, label="coarse"),
        ),
        Task(
            "cifar100, superclass, new classes",
            "anomaly",
            "CIFAR-100, one superclass, new classes",
            ("cifar100-train", "cifar100-test"),
            partial(_anomaly, label="coarse", halves=True),
        ),
        Task("dtd, texture", "anomaly", "DTD, one texture", ("dtd",), _anomaly),
    ),
}


def superclasses(profile: Profile, task: Task) -> int:
    """How many superclasses a shift has."""
    return len(set(_drawn()[2] if profile.name == "mini" else registry.load(task.name, profile).concepts))
