"""The tasks of transfer: which pictures each needs and how a network is measured on them.

Pictures of the drawn world and of the second paper stand in one table, :data:`TASKS`; those of a source that has the
pictures are measured. To add one, write its function and name it in the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from .. import downstream
from ..data import registry
from ..data.types import Features, Stimuli
from ..errors import InputError, MissingData
from ..features import shards
from ..source import Source

LAYER = "penultimate"
STRENGTH = 1.0  # of few-shot ridge classifiers: fixed, for there is nothing left to choose it by
KNOWN_SEED = 1  # of the half of the classes that is known, where anomalies are sought among new classes
HEAD_STRENGTHS = tuple(10.0**k for k in range(-6, 1))  # of the fitted ImageNet head, times the number of rows
FEW = "few-shot"
HELD_OUT = ("H1", "H2")  # parts of the concepts of drawn pictures that no training set of labels shows


@dataclass(frozen=True)
class Task:
    """One task: its name, kind, title, the pictures it needs (roles) and the function that measures it.

    Attributes
    ----------
    measure : callable
        ``measure(task, at)`` gives DataFrames by detail: label, accuracy or auroc, one row a class.
    classes : callable, optional
        Of a shift: ``classes(task, source)`` gives id, superclass, subclass and known (whether the subclass is learned
        from), one row a picture.
    also : tuple of str
        Further data sets of the registry, which say what the pictures show.
    columns : tuple of str
        What has to be known of the pictures (``Stimuli.meta``).
    train : str
        Role of the pictures that the classifier of a shift learns from, for a network that has features of them; "":
        it learns from a part of the task's own pictures.
    """

    name: str
    kind: str
    title: str
    pictures: tuple[str, ...]
    measure: Callable
    classes: Callable | None = None
    also: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    train: str = ""

    @property
    def value(self) -> str:
        """Name of the measure."""
        return "auroc" if self.kind == "anomaly" else "accuracy"

    def chance(self, source: Source, classes: int) -> float:
        """One of so many classes; for shifts one of the superclasses; .5 for anomalies."""
        if self.kind == "anomaly":
            return 0.5
        return 1 / (self.classes(self, source)["superclass"].nunique() if self.classes else classes)


@dataclass(frozen=True)
class At:
    """One network at a task: source, network, numbers of examples and draws of them; whether it has features of the
    task's training pictures."""

    source: Source
    model: str
    shots: tuple[int, ...]
    draws: int
    learns: bool = False

    def features(self, role: str, layer: str = LAYER) -> Features | None:
        """Features of the network for all pictures of a role; None where it has no such layer."""
        return next(self.source.features(role, (layer,), [self.model]), None)

    def values(self, role: str, ids) -> np.ndarray:
        """Penultimate features of the network for some pictures, aligned by id: (n, p)."""
        found = self.features(role)
        if found is None:
            told = f"{self.model} has no layer '{LAYER}' for these pictures"
            raise MissingData(told, role, "extract that layer, too")
        return found.align(ids).values

    def stream(self, role: str):
        """Features of the network for all pictures of a role, batch by batch, with their concepts.

        Raises
        ------
        InputError, MissingData
            For features of strange pictures; for features that lack some.
        """
        shown, seen = self.source.pictures(role), 0
        name, of = self.source.shown(role), dict(zip(shown.ids, shown.concepts))
        for ids, values in shards.stream(self.source.stored(role, self.model), LAYER):
            if strange := [one for one in ids if one not in of]:
                raise InputError(f"has features of {strange[0]}, which is no training picture", name, "extract again")
            seen += len(ids)
            yield values, np.array([of[one] for one in ids])
        if seen != len(shown):
            raise MissingData(f"has features of {seen} of {len(shown)} pictures", name, "extract the rest")

    def together(self, task: Task) -> tuple[list[Stimuli], np.ndarray]:
        """All pictures of a task, role by role, and the features of all, (n, p)."""
        parts = [self.source.pictures(role) for role in task.pictures]
        return parts, np.concatenate([self.values(role, p.ids) for role, p in zip(task.pictures, parts)])


def _column(parts: list[Stimuli], name: str) -> np.ndarray:
    """Concepts, or another column, of all pictures."""
    return np.concatenate([np.asarray(p.concepts if name == "concept" else p.meta[name]) for p in parts])


def _is_test(parts: list[Stimuli]) -> np.ndarray | None:
    """Which pictures are for testing alone; None where the data set does not say."""
    split = np.concatenate([np.asarray(p.meta.get("split", ["all"] * len(p))) for p in parts])
    return None if set(split) == {"all"} else split == "test"


# ---- few examples ----------------------------------------------------------------------------------------------------


def _few_shot(task, at, part=None):
    """Naming classes, of a part of the concepts where one is given, from few examples."""
    parts, values = at.together(task)
    labels, test = _column(parts, "concept"), _is_test(parts)
    if part is not None:
        inside = np.isin(_column(parts, "part"), part)
        labels, values = labels[inside], values[inside]
    common = {"seeds": range(at.draws), "strength": STRENGTH, "pool": None if test is None else ~test}
    return {str(shots): downstream.few_shot(values, labels, shots, **common) for shots in at.shots}


# ---- shift -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _registered(name, profile):
    """A data set of the registry, read once for all networks."""
    return registry.load(name, profile)


def _breeds(task, source) -> pd.DataFrame:
    shown = _registered(task.name, source.profile)
    known = np.asarray(shown.meta["domain"]) == "source"
    table = {"id": shown.ids, "superclass": shown.concepts, "subclass": shown.meta["wnid"]}
    return pd.DataFrame(table).assign(known=lambda t: t["subclass"].isin(set(t["subclass"][known])))


def _categories(task, source) -> pd.DataFrame:
    shown = source.pictures(task.pictures[0])
    table = {"id": shown.ids, "superclass": shown.meta["kind"], "subclass": shown.concepts}
    return pd.DataFrame(table).assign(known=np.asarray(shown.meta["part"]) == "seen")


def _shift(task, at):
    """Superclasses of new subclasses."""
    table = task.classes(task, at.source)
    values, known = at.values(task.pictures[0], table["id"].tolist()), set(table["subclass"][table["known"]])
    shown = values, table["superclass"].to_numpy(), table["subclass"].to_numpy(), known
    if at.learns:
        head = _trained(task, at, table)
        found = downstream.shift_of_head(head, *shown, [s * head.n for s in HEAD_STRENGTHS])
    else:
        found = downstream.shift(*shown)
    return {name: part.rename(columns={"subclass": "label"}) for name, part in found.groupby("population")}


def _trained(task, at, table: pd.DataFrame) -> downstream.StreamedRidge:
    """A classifier of superclasses that learned from the training pictures of the known subclasses."""
    of = dict(zip(table["subclass"][table["known"]], table["superclass"][table["known"]]))
    head = downstream.StreamedRidge(sorted(set(of.values())))
    for values, concepts in at.stream(task.train):
        known = np.isin(concepts, list(of))
        if known.any():
            head.add(values[known], [of[one] for one in concepts[known]])
    return head


# ---- ImageNet-A ------------------------------------------------------------------------------------------------------


def _own_head(_task, at):
    classes, shown = _classes(at), at.source.pictures("imagenet-a")
    found = at.features("imagenet-a", "logits")
    if found is None or found.values.shape[1] != len(classes):
        return {}
    return {"own head": _restricted(found.align(shown.ids).values, shown.concepts, classes)}


def _fitted_head(_task, at):
    classes, shown = _classes(at), at.source.pictures("imagenet-a")
    names = sorted(classes)
    head = downstream.StreamedRidge(names)
    for values, concepts in at.stream("imagenet-train"):
        head.add(values, concepts)
    val = at.source.pictures("imagenet-val")
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

    return class_numbers(at.source.pictures("imagenet-val").concepts)


def _restricted(scores, concepts, classes) -> pd.DataFrame:
    labels = np.array([classes[one] for one in concepts])
    right = downstream.restricted_choices(scores, set(labels.tolist())) == labels
    return pd.DataFrame({"label": labels, "accuracy": right}).groupby("label", as_index=False).mean()


# ---- anomalies -------------------------------------------------------------------------------------------------------


def _anomaly(task, at, label="concept", halves=False):
    """Pictures of other classes; with halves the known class is learned from half of its concepts, tested on others."""
    parts, values = at.together(task)
    owner, train, tested = _column(parts, label), np.ones(len(values), bool), np.ones(len(values), bool)
    if (test := _is_test(parts)) is not None:
        train, tested = ~test, test
    if halves:
        known = downstream.half_of_each(_column(parts, "concept"), owner, KNOWN_SEED)
        train, tested = train & known, tested & ~known
    return {task.kind: downstream.anomaly_detection(values[train], owner[train], values[tested], owner[tested])}


# ---- all tasks -------------------------------------------------------------------------------------------------------


def _breed(name: str) -> Task:
    data = f"breeds/{name.lower().replace('-', '')}"
    return Task(data, "shift", f"BREEDS {name}", ("imagenet-val",), _shift, _breeds, (data,),
                train="imagenet-train")  # fmt: skip


_CIFAR, _DRAWN = ("cifar100-train", "cifar100-test"), ("test",)
TASKS = (
    Task("caltech101", FEW, "Caltech-101", ("caltech101",), _few_shot),
    Task("cars196", FEW, "Cars-196", ("cars196",), _few_shot),
    Task("cifar100", FEW, "CIFAR-100", _CIFAR, _few_shot),
    Task("dtd", FEW, "DTD", ("dtd",), _few_shot),
    Task("pets", FEW, "Pets", ("pets",), _few_shot),
    Task("ucmerced", FEW, "UC-Merced", ("ucmerced",), _few_shot),
    *map(_breed, ("Entity-13", "Entity-30", "Living-17", "Nonliving-26")),
    Task("imagenet-a, own head", "head", "ImageNet-A, own head", ("imagenet-a",), _own_head, also=("imagenet/val",)),
    Task("imagenet-a, fitted head", "head", "ImageNet-A, fitted head",
         ("imagenet-train", "imagenet-val", "imagenet-a"), _fitted_head),
    Task("cifar100, superclass", "anomaly", "CIFAR-100, one superclass", _CIFAR, partial(_anomaly, label="coarse")),
    Task("cifar100, superclass, new classes", "anomaly", "CIFAR-100, one superclass, new classes", _CIFAR,
         partial(_anomaly, label="coarse", halves=True)),
    Task("dtd, texture", "anomaly", "DTD, one texture", ("dtd",), _anomaly),
    Task("held-out concepts", FEW, "Held-out concepts", _DRAWN, partial(_few_shot, part=HELD_OUT), columns=("part",)),
    Task("superordinates", "shift", "Superordinates, new concepts", _DRAWN, _shift, _categories,
         columns=("part", "kind")),
    Task("superordinate", "anomaly", "One superordinate", _DRAWN, partial(_anomaly, label="kind", halves=True),
         columns=("kind",)),
)  # fmt: skip
