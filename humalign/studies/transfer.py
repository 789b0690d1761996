"""What features are good for beside human judgments, network by network: few shots, shift, ImageNet-A, anomalies.

A task names its pictures and how it is measured. The drawn world has three tasks on its test pictures; the full profile
has those of the second paper, on the features that lie in the feature store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import downstream
from ..config import Profile
from ..data import registry
from ..data.types import Stimuli
from ..errors import InputError, MissingData
from ..features import shards
from ..measured import Measured, combine
from ..store import digest
from . import feature_store, keep, networks, resampling, sources

STAGE = "transfer"
LAYER = "penultimate"
STRENGTH = 1.0  # of few-shot ridge classifiers: fixed, for there is nothing left to choose it by
KNOWN_SEED = 1  # of the half of the classes that is known, where anomalies are sought among new classes
HEAD_STRENGTHS = tuple(10.0**k for k in range(-6, 1))  # of the fitted ImageNet head, times the number of rows


@dataclass(frozen=True)
class Task:
    """One task: its name, kind, title, the pictures it needs (names of the studies) and the function that measures it.

    ``measure(profile, task, model, settings)`` gives DataFrames by detail: label, accuracy or auroc, one row a class.
    """

    name: str
    kind: str
    title: str
    pictures: tuple[str, ...]
    measure: Callable

    @property
    def value(self) -> str:
        """Name of the measure."""
        return "auroc" if self.kind == "anomaly" else "accuracy"


def _load(profile: Profile, name: str) -> Stimuli:
    """Pictures with their classes."""
    return registry.load(sources.pictures(name), profile)


def _values(profile: Profile, name: str, model: str, ids, layer: str = LAYER) -> np.ndarray:
    """Features of a network for some pictures, aligned by id: (n, p)."""
    return next(networks.iterate(profile, name, (layer,), [model])).align(ids).values


# ---- tasks of the full profile ---------------------------------------------------------------------------------------


def _few_shot(profile, task, model, settings):
    parts = [_load(profile, name) for name in task.pictures]
    labels = np.concatenate([np.asarray(p.concepts) for p in parts])
    split = np.concatenate([np.asarray(p.meta.get("split", ["all"] * len(p))) for p in parts])
    pool = None if set(split) == {"all"} else split != "test"
    values = np.concatenate([_values(profile, name, model, p.ids) for name, p in zip(task.pictures, parts)])
    return _by_shots(values, labels, pool, settings)


def _by_shots(values, labels, pool, settings):
    common = {"seeds": range(settings["draws"]), "strength": STRENGTH, "pool": pool}
    return {str(shots): downstream.few_shot(values, labels, shots, **common) for shots in settings["shots"]}


def _breeds(profile, task, model, settings):
    shown = registry.load(task.name, profile)
    domain, subclass = np.asarray(shown.meta["domain"]), np.asarray(shown.meta["wnid"])
    values = _values(profile, task.pictures[0], model, shown.ids)
    return _by_population(values, np.asarray(shown.concepts), subclass, set(subclass[domain == "source"]))


def _by_population(values, superclass, subclass, source):
    found = downstream.shift(values, superclass, subclass, source)
    return {name: part.rename(columns={"subclass": "label"}) for name, part in found.groupby("population")}


def _own_head(profile, task, model, settings):
    classes, shown = _classes(profile), _load(profile, "imagenet-a")
    scores = _values(profile, "imagenet-a", model, shown.ids, "logits")
    if scores.shape[1] != len(classes):
        return {}
    return {"own head": _restricted(scores, shown.concepts, classes)}


def _fitted_head(profile, task, model, settings):
    classes, shown = _classes(profile), _load(profile, "imagenet-a")
    names, train = sorted(classes), _load(profile, "imagenet-train")
    of = dict(zip(train.ids, train.concepts))
    head = downstream.StreamedRidge(names)
    for ids, values in shards.stream(feature_store.find(profile, model, "imagenet-train"), LAYER):
        if strange := [name for name in ids if name not in of]:
            raise InputError(
                f"has features of {strange[0]}, which is no training picture", "imagenet/train", "extract again"
            )
        head.add(values, [of[name] for name in ids])
    if head.n != len(train):
        raise MissingData(f"has features of {head.n} of {len(train)} pictures", "imagenet/train", "extract the rest")
    val = _load(profile, "imagenet-val")
    known, truth = _values(profile, "imagenet-val", model, val.ids), np.asarray(val.concepts)
    right = {s: np.asarray(names)[head.scores(known, s * head.n).argmax(1)] == truth for s in HEAD_STRENGTHS}
    best = max(right, key=lambda s: right[s].mean())
    values = _values(profile, "imagenet-a", model, shown.ids)
    on_val = pd.DataFrame({"label": truth, "accuracy": right[best]}).groupby("label", as_index=False).mean()
    return {
        "fitted head": _restricted(head.scores(values, best * head.n), shown.concepts, classes),
        "fitted head, ImageNet": on_val,
    }


def _classes(profile) -> dict[str, int]:
    """Class number of each WordNet id of ImageNet."""
    from ..data.imagenet import class_numbers

    return class_numbers(_load(profile, "imagenet-val").concepts)


def _restricted(scores, concepts, classes) -> pd.DataFrame:
    labels = np.array([classes[one] for one in concepts])
    right = downstream.restricted_choices(scores, set(labels.tolist())) == labels
    return pd.DataFrame({"label": labels, "accuracy": right}).groupby("label", as_index=False).mean()


def _anomaly(profile, task, model, settings, label="concept", halves=False):
    parts = [_load(profile, name) for name in task.pictures]
    concepts = np.concatenate([np.asarray(p.concepts) for p in parts])
    owner = np.concatenate([np.asarray(p.concepts if label == "concept" else p.meta[label]) for p in parts])
    test = np.concatenate([np.asarray(p.meta["split"]) == "test" for p in parts])
    values = np.concatenate([_values(profile, name, model, p.ids) for name, p in zip(task.pictures, parts)])
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


def _drawn_shots(profile, task, model, settings):
    ids, concepts, _ = _drawn("held-out")
    return _by_shots(_values(profile, "test", model, ids), concepts, None, settings)


def _drawn_shift(profile, task, model, settings):
    from ..world.splits import concepts_of

    ids, concepts, kinds = _drawn()
    return _by_population(_values(profile, "test", model, ids), kinds, concepts, set(concepts_of("seen")))


def _drawn_anomaly(profile, task, model, settings):
    ids, concepts, kinds = _drawn()
    values, known = _values(profile, "test", model, ids), downstream.half_of_each(concepts, kinds, KNOWN_SEED)
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
        Task("breeds/entity13", "shift", "BREEDS Entity-13", ("imagenet-val",), _breeds),
        Task("breeds/entity30", "shift", "BREEDS Entity-30", ("imagenet-val",), _breeds),
        Task("breeds/living17", "shift", "BREEDS Living-17", ("imagenet-val",), _breeds),
        Task("breeds/nonliving26", "shift", "BREEDS Nonliving-26", ("imagenet-val",), _breeds),
        Task("imagenet-a, own head", "head", "ImageNet-A, own head", ("imagenet-a",), _own_head),
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


# ---- all networks ----------------------------------------------------------------------------------------------------


def networks_of(profile: Profile, task: Task) -> list[str]:
    """Networks that have features of all pictures of a task, in the order of the table."""
    if profile.name == "mini":
        return networks.trained(profile)
    sets = [set(feature_store.models(profile, name)) for name in task.pictures]
    return [name for name in feature_store.models(profile, task.pictures[0]) if all(name in one for one in sets)]


def at_hand(profile: Profile) -> list[Task]:
    """The tasks of a profile that have their files and features of at least one network.

    Raises
    ------
    MissingData
        When there is none.
    """
    found, told = [], ""
    for task in TASKS.get(profile.name, ()):
        if missing := _missing(profile, task):
            told = told or missing
        else:
            found.append(task)
    if not found:
        raise MissingData(told or f"the profile '{profile.name}' has no networks for transfer; use mini or full")
    return found


def _missing(profile: Profile, task: Task) -> str:
    """What keeps a task from being measured, in one line; "" if nothing."""
    if profile.name == "mini":
        return ""
    if profile.data is None:
        return "transfer needs a data folder: point HUMALIGN_DATA or --data at it"
    names = [sources.pictures(name) for name in task.pictures]
    if task.kind == "head":
        names.append("imagenet/val")  # says which classes there are
    names += [task.name] if task.measure is _breeds else []
    for name in names:
        if gone := registry.entry(name, "full").missing(profile.data):
            return f"{name}: {gone[0]} is not here; 'humalign data where {name}' says how to get it"
    if not networks_of(profile, task):
        return str(feature_store.none_found(profile, task.pictures[0]))
    return ""


def measure(profile: Profile, shots=(1, 2, 5), draws: int = 10) -> Measured:
    """All tasks that are at hand, for all networks with the features they need; kept in the cache, task by task.

    Parameters
    ----------
    profile : Profile
    shots : sequence of int
        Examples of each class, in few-shot tasks.
    draws : int
        Draws of the examples.

    Returns
    -------
    Measured
        dataset = name of the task; measure "accuracy" or "auroc"; detail = number of shots, "source" and "target",
        "own head", "fitted head" and "fitted head, ImageNet" (that head on the validation images, which chose its
        strength), or "anomaly"; bootstrap draws over classes (shift: subclasses).

    Raises
    ------
    MissingData
        When no task is at hand.
    """
    settings = {"shots": [int(n) for n in shots], "draws": int(draws)}
    code = keep.code("downstream", "studies.transfer", "studies.resampling")
    out = []
    for task in tqdm(at_hand(profile), desc="transfer", unit="task", leave=False):
        models = networks_of(profile, task)
        parts = [_state(profile, task, models), settings if task.kind == FEW else {}, code]
        out.append(
            keep.measured(
                profile, f"transfer-{task.name.replace('/', '-').replace(', ', '-').replace(' ', '-')}", parts,
                partial(_measure, profile, task, models, settings),
            )
        )  # fmt: skip
    return combine(*out)


def _state(profile: Profile, task: Task, models) -> list:
    """What the numbers of a task depend on: weights or features of every network, and the classes of the pictures."""
    if profile.name == "mini":
        return networks.state(profile)
    paths = [(m, name, feature_store.find(profile, m, name)) for m in models for name in task.pictures]
    told = [[m, name, feature_store.about(path)["digest"]] for m, name, path in paths]
    names = [sources.pictures(name) for name in task.pictures]
    names += [task.name] if task.measure is _breeds else []
    return [told, [digest(_load_named(name, profile)) for name in names]]


def _load_named(name: str, profile: Profile) -> list:
    """Ids, classes and parts of a picture set, for cache keys."""
    found = registry.load(name, profile)
    return [list(found.ids), list(found.concepts), {key: list(value) for key, value in found.meta.items()}]


def _measure(profile, task, models, settings) -> Measured:
    rows, drawn = [], []
    for model in tqdm(models, desc=task.title, unit="network", leave=False):
        for detail, found in task.measure(profile, task, model, settings).items():
            each = found[task.value].to_numpy(float)
            counts = resampling.counts(len(each)).astype(np.float64)
            layer = "logits" if detail == "own head" else LAYER
            rows.append({"model": model, "seed": 0, "layer": layer, "dataset": task.name, "measure": task.value,
                         "detail": detail, "stage": STAGE, "n": len(each), "value": each.mean()})  # fmt: skip
            drawn.append((each @ counts) / counts.sum(0))
    if not rows:
        raise MissingData(f"no network has what {task.title} needs", task.name, "extract logits, too")
    return Measured.of(rows, np.stack(drawn), profile=profile.name)


# ---- tables for figures ----------------------------------------------------------------------------------------------


def points(profile: Profile, measured: Measured, models: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a network and task, with the facts of the network.

    Few-shot tasks with the smallest number of shots, shift on the target population.

    Returns
    -------
    DataFrame
        As :func:`networks.points`, with task, panel (its title), kind, chance, on (what was measured, for axes).
    """
    models = networks.facts(profile) if models is None else models
    out = []
    for task, details in _present(profile, measured):
        first = {"shift": "target", FEW: min(details, key=lambda d: int(d) if d.isdigit() else 0)}
        detail = first.get(task.kind, details[0])
        one = networks.points(measured, models, dataset=task.name, detail=detail)
        shots = f"{detail} example" + ("s" if detail != "1" else "")
        said = {FEW: f"accuracy, {shots} a class", "shift": "accuracy, new subclasses", "head": "accuracy",
                "anomaly": "area under the ROC curve"}  # fmt: skip
        out.append(one.assign(task=task.name, panel=task.title, kind=task.kind, on=said[task.kind],
                              chance=_chance(measured, task, profile)))  # fmt: skip
    return pd.concat(out, ignore_index=True)


def curves(profile: Profile, measured: Measured, models: pd.DataFrame | None = None) -> pd.DataFrame:
    """Few-shot accuracy by number of examples: facts of the network, panel, shots, value, low, high, chance."""
    models = networks.facts(profile) if models is None else models
    out = []
    for task, details in _present(profile, measured):
        for detail in details if task.kind == FEW else ():
            one = networks.points(measured, models, dataset=task.name, detail=detail)
            chance = _chance(measured, task, profile)
            out.append(one.assign(panel=task.title, shots=int(detail), chance=chance))
    if not out:
        raise MissingData("no few-shot data set is at hand", "few-shot", "'humalign plan' says what is missing")
    return pd.concat(out, ignore_index=True)


def _present(profile: Profile, measured: Measured):
    """Tasks that were measured, with their details in order."""
    for task in TASKS[profile.name]:
        found = measured.table.loc[measured.table["dataset"] == task.name, "detail"].drop_duplicates()
        if len(found):
            yield task, found.tolist()


def _chance(measured: Measured, task: Task, profile: Profile) -> float:
    """Chance: one of the classes; for shifts one of the superclasses; .5 for anomalies."""
    if task.kind == "anomaly":
        return 0.5
    if task.kind == "shift":
        if profile.name == "mini":
            return 1 / len(set(_drawn()[2]))
        return 1 / len(set(registry.load(task.name, profile).concepts))
    rows = measured.table[measured.table["dataset"] == task.name]
    return 1 / int(rows["n"].iloc[0])


def alignment(profile: Profile, shown: pd.DataFrame) -> pd.DataFrame:
    """Transfer beside agreement with people: the points with the zero-shot odd-one-out accuracy of their network.

    Parameters
    ----------
    profile : Profile
    shown : DataFrame
        :func:`points`.

    Returns
    -------
    DataFrame
        The rows of networks that have both, with odd_one_out (better layer, cosine), odd_low, odd_high.
    """
    from . import zero_shot

    chosen = zero_shot.measure(profile, datasets=("things",))
    found = networks.points(chosen, networks.facts(profile), dataset="things", detail="cosine").set_index("model")
    both = shown[shown["model"].isin(found.index)]
    columns = {"odd_one_out": "value", "odd_low": "low", "odd_high": "high"}
    return both.assign(**{new: found.loc[both["model"], old].to_numpy() for new, old in columns.items()})
