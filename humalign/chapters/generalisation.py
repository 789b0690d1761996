"""What features are good for beside human judgments: few examples, shift, ImageNet-A, anomalies; students, networks."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import resample
from ..cache import kept
from ..data import registry
from ..errors import MissingData
from ..results import Measured, combine
from ..source import Source
from ..store import digest
from . import networks, student, zero_shot
from .generalisation_tasks import FEW, LAYER, TASKS, At, Task

ROLES = tuple(dict.fromkeys(role for task in TASKS for role in task.pictures))
OPTIONAL = ("things",)
VERSION = 2  # of what is kept: goes up when its numbers change
STAGE = "transfer"
PLAN = "'humalign plan --profile full' says what is missing"
MAIN = ("base", "UnAligNet", "AligNet")
LEARNED = {True: "training images", False: "validation images"}  # of ImageNet, that classifiers of BREEDS learn from
STUDENT_TASKS = {  # words: (dataset, measure, detail)
    "one example, H2": ("one-shot", "accuracy", "H2"),
    "three examples, H2": ("few-shot", "accuracy", "3"),
    "shift, H2": ("shift", "accuracy", "H2"),
    "anomalies": ("anomaly", "auroc", "superordinate"),
}

# ---- students before and after alignment -----------------------------------------------------------------------------


def of_students(runs: Measured, dataset: str, measure: str, details) -> pd.DataFrame:
    """Rows of the students at the given stages, training runs averaged (see :func:`student.averaged`)."""
    t = runs.table
    wanted = (t["dataset"] == dataset) & (t["measure"] == measure) & t["detail"].isin(list(details))
    return student.averaged(runs.select(wanted.to_numpy()), MAIN, tuple(student.NAMES))


def chance() -> tuple[dict, dict]:
    """Chance of one-shot naming (one of the concepts of H1 or H2), and of naming one of all superordinates."""
    from ..world.drawing import world
    from ..world.splits import concepts_of

    kinds = len(set(world().superordinate.values()))
    return {p: 1 / len(concepts_of(p)) for p in ("H1", "H2")}, {p: 1 / kinds for p in ("seen", "H1", "H2")}


def by_examples(runs: Measured) -> pd.DataFrame:
    """Few-shot accuracy on held-out concepts (H2) by number of examples, training runs averaged.

    Returns
    -------
    DataFrame
        model, stage, shots, value, low, high, seeds, each, chance.
    """
    found = of_students(runs, "few-shot", "accuracy", [str(n) for n in student.SHOTS])
    return found.assign(shots=found["detail"].astype(int), chance=chance()[0][student.PART])


def contrasts(runs: Measured) -> pd.DataFrame:
    """What alignment brings at all, and what of it comes from people: mean difference over students.

    Returns
    -------
    DataFrame
        task, "AligNet minus" ("base": all that alignment brings, "UnAligNet": what people add), value, low, high (95 %,
        paired over objects and training runs), students, verdict, provenance.
    """
    students, rows = runs.select(runs.table["model"].isin(list(student.NAMES)).to_numpy()), []
    for task, (dataset, measure, detail) in STUDENT_TASKS.items():
        for minus in ("base", "UnAligNet"):
            found = resample.difference(
                student.of_measure(students, detail, dataset, measure), {"stage": "AligNet"}, {"stage": minus}
            )
            own = found[found["model"] == "all"].iloc[0]
            rows.append({"task": task, "AligNet minus": minus, "value": own["value"], "low": own["low"],
                         "high": own["high"], "students": len(found) - 1,
                         "verdict": student.verdict(own["low"], own["high"]), "provenance": "recorded"})  # fmt: skip
    return pd.DataFrame(rows)


# ---- all networks ----------------------------------------------------------------------------------------------------


def with_features(source: Source, task: Task) -> list[str]:
    """Networks that have features of all pictures of a task, in the order of the table."""
    first, *rest = (source.models(role) for role in task.pictures)
    return [name for name in first if all(name in one for one in rest)]


def missing(source: Source, task: Task) -> str:
    """What keeps a task from being measured, in one line; "" if nothing."""
    for role in task.pictures:
        if told := source.missing(role):
            return told
    for name in task.also:
        if gone := registry.entry(name, "full").missing(source.root):
            return f"{name}: {gone[0]} is not here; 'humalign data where {name}' says how to get it"
    for column in task.columns:
        if column not in source.pictures(task.pictures[0]).meta:
            return f"{task.pictures[0]}: the table of pictures has no column {column}"
    return "" if with_features(source, task) else str(source.no_features(task.pictures[0]))


def at_hand(source: Source) -> list[Task]:
    """The tasks of a source that have their files and features of at least one network.

    Raises
    ------
    MissingData
        When there is none.
    """
    told = {task: missing(source, task) for task in TASKS}
    found = [task for task, line in told.items() if not line]
    if not found:
        raise MissingData(next(iter(told.values())))
    return found


def measure(source: Source, shots=(1, 2, 5), draws: int = 10, models=None, kinds=None) -> Measured:
    """All tasks that are at hand, for all networks with the features they need; each network and task is kept.

    Parameters
    ----------
    source : Source
    shots : sequence of int
        Examples of each class, in few-shot tasks.
    draws : int
        Draws of the examples.
    models : list of str, optional
        Default: all.
    kinds : tuple of str, optional
        Kinds of tasks; default: all.

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
    shots, draws = tuple(int(n) for n in shots), int(draws)
    out, empty = [], []
    tasks = [task for task in at_hand(source) if kinds is None or task.kind in kinds]
    for task in tqdm(tasks, desc="transfer", unit="task", leave=False):
        wanted = [model for model in with_features(source, task) if models is None or model in models]
        training = () if not task.train or source.missing(task.train) else source.models(task.train)
        fixed = [_shown(source, task), [shots, draws] if task.kind == FEW else []] if wanted else []
        for model in tqdm(wanted, desc=task.title, unit="network", leave=False):
            at = At(source, model, shots, draws, learns=model in training)
            inputs = [[source.state(role, [model]) for role in task.pictures], *fixed]
            if task.train:  # which pictures its classifier learns from
                inputs += [task.train, source.state(task.train, [model]) if at.learns else []]
            make = partial(of_network, task, at)
            try:
                out.append(kept(source.profile, f"transfer-{task.name}-{model}", VERSION, inputs, make))
            except MissingData as error:  # this network cannot do it: all others stand
                if error.where != task.name:
                    raise
                empty.append(error)
    if not out:
        raise empty[0] if empty else MissingData("no task has features of these networks", "transfer", PLAN)
    return combine(*out)


def _shown(source: Source, task: Task) -> list:
    """Ids, classes and parts of the pictures of a task, digested for cache keys."""
    found = [source.pictures(role) for role in task.pictures]
    found += [registry.load(name, source.profile) for name in task.also]
    return [digest([list(f.ids), list(f.concepts), {k: list(v) for k, v in f.meta.items()}]) for f in found]


def of_network(task: Task, at: At) -> Measured:
    """One network at one task, with bootstrap draws over classes.

    Raises
    ------
    MissingData
        Where the network has not what the task needs.
    """
    rows, drawn = [], []
    for detail, found in task.measure(task, at).items():
        each = found[task.value].to_numpy(float)
        value, draws = resample.unit_means(each)
        told = LEARNED[at.learns] if task.train else ""
        layer = "logits" if detail == "own head" else LAYER
        rows.append({"model": at.model, "seed": 0, "layer": layer, "dataset": task.name, "measure": task.value,
                     "detail": detail, "stage": STAGE, "n": len(each), "value": value,
                     "source": told})  # fmt: skip
        drawn.append(draws)
    if not rows:
        raise MissingData(f"{at.model} has not what {task.title} needs", task.name, "extract logits, too")
    return Measured.of(rows, np.stack(drawn), profile=at.source.profile.name)


def learned_from(measured: Measured) -> str:
    """Which images the classifiers of BREEDS learned from, in words, with how many networks each.

    Parameters
    ----------
    measured : Measured
        :func:`measure`.
    """
    t = measured.table
    found = t[t["source"].isin(list(LEARNED.values()))].groupby("source")["model"].nunique()
    told = [f"{words} of ImageNet ({found[words]} networks)" for words in LEARNED.values() if words in found]
    return " and ".join(told) or "seen concepts of the drawn world"


# ---- tables for figures ----------------------------------------------------------------------------------------------


def points(source: Source, measured: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """One row a network and task, with the facts of the network.

    Few-shot tasks with the smallest number of shots, shift on the target population.

    Parameters
    ----------
    source : Source
    measured : Measured
        :func:`measure`.
    models : DataFrame
        :meth:`humalign.source.Source.networks`.

    Returns
    -------
    DataFrame
        As :func:`networks.points`, with task, panel (its title), kind, chance, on (what was measured, for axes).
    """
    out = []
    for task, details, chance in _measured_tasks(source, measured):
        first = {"shift": "target", FEW: min(details, key=lambda d: int(d) if d.isdigit() else 0)}
        detail = first.get(task.kind, details[0])
        one = networks.points(measured, models, dataset=task.name, detail=detail)
        shots = f"{detail} example" + ("s" if detail != "1" else "")
        said = {FEW: f"accuracy, {shots} a class", "shift": "accuracy, new subclasses", "head": "accuracy",
                "anomaly": "area under the ROC curve"}  # fmt: skip
        told = {"task": task.name, "panel": task.title, "kind": task.kind, "on": said[task.kind]}
        out.append(one.assign(**told, chance=chance))
    return pd.concat(out, ignore_index=True)


def curves(source: Source, measured: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """Few-shot accuracy by number of examples: facts of the network, panel, shots, value, low, high, chance."""
    out = []
    for task, details, chance in _measured_tasks(source, measured):
        for detail in details if task.kind == FEW else ():
            one = networks.points(measured, models, dataset=task.name, detail=detail)
            out.append(one.assign(panel=task.title, shots=int(detail), chance=chance))
    if not out:
        raise MissingData("no few-shot data set is on this machine", "few-shot", PLAN)
    return pd.concat(out, ignore_index=True)


def _measured_tasks(source: Source, measured: Measured):
    """Tasks that were measured, with their details in order and chance."""
    for task in TASKS:
        rows = measured.table[measured.table["dataset"] == task.name]
        if len(rows):
            yield task, rows["detail"].drop_duplicates().tolist(), task.chance(source, int(rows["n"].iloc[0]))


def beside_people(source: Source, points: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Transfer beside agreement with people: the points with the zero-shot odd-one-out accuracy of their network.

    Parameters
    ----------
    source : Source
    points : DataFrame
        :func:`points`.
    models : DataFrame
        :meth:`humalign.source.Source.networks`.

    Returns
    -------
    DataFrame
        The rows of networks that have both, with odd_one_out (better layer, cosine), odd_low, odd_high.

    Raises
    ------
    MissingData
        When no network has both.
    """
    chosen = zero_shot.measure(source, roles=("things",))
    found = networks.points(chosen, models, dataset="things", detail="cosine").set_index("model")
    both = points[points["model"].isin(found.index)]
    if both.empty:
        raise MissingData(
            "no network has features for a transfer task and for THINGS, too", "transfer and people", PLAN
        )
    columns = {"odd_one_out": "value", "odd_low": "low", "odd_high": "high"}
    return both.assign(**{new: found.loc[both["model"], old].to_numpy() for new, old in columns.items()})
