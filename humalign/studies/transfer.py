"""What features are good for beside human judgments, network by network: few shots, shift, ImageNet-A, anomalies."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import resample
from ..cache import kept
from ..chapters import networks, zero_shot
from ..config import Profile
from ..data import registry
from ..errors import MissingData
from ..results import Measured, combine
from ..store import digest
from .transfer_tasks import FEW, LAYER, TASKS, At, Task, superclasses

STAGE = "transfer"
VERSION = 1  # of the tables that are kept: goes up when their numbers change


# ---- all networks ----------------------------------------------------------------------------------------------------


def networks_of(profile: Profile, task: Task) -> list[str]:
    """Networks that have features of all pictures of a task, in the order of the table."""
    first, *rest = (networks.source(profile).models(name) for name in task.pictures)
    return [name for name in first if all(name in one for one in rest)]


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
    source = networks.source(profile)
    for name in [*map(source.shown, task.pictures), *task.also]:
        if gone := registry.entry(name, "full").missing(profile.data):
            return f"{name}: {gone[0]} is not here; 'humalign data where {name}' says how to get it"
    if not networks_of(profile, task):
        return str(source.no_features(task.pictures[0]))
    return ""


def measure(profile: Profile, shots=(1, 2, 5), draws: int = 10) -> Measured:
    """All tasks that are at hand, for all networks with the features they need; each network and task is kept.

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
    shots, draws = tuple(int(n) for n in shots), int(draws)
    load = lru_cache(maxsize=None)(partial(registry.load, profile=profile))  # each data set is read once
    out, empty = [], []
    for task in tqdm(at_hand(profile), desc="transfer", unit="task", leave=False):
        fixed = [_shown(profile, task, load), [shots, draws] if task.kind == FEW else []]
        for model in tqdm(networks_of(profile, task), desc=task.title, unit="network", leave=False):
            at = At(profile, model, shots, draws, load)
            try:
                parts, make = [_state(profile, task, model), *fixed], partial(_of_network, task, at)
                out.append(kept(profile, f"transfer-{task.name}-{model}", VERSION, parts, make))
            except MissingData as error:  # this network cannot do it: all others stand
                if error.where != task.name:
                    raise
                empty.append(error)
    if not out:
        raise empty[0]
    return combine(*out)


def _state(profile: Profile, task: Task, model: str) -> list:
    """What the numbers of one network depend on: its weights, or its features of all pictures of a task."""
    return [networks.source(profile).state(name, [model]) for name in task.pictures]


def _shown(profile: Profile, task: Task, load) -> list:
    """Ids, classes and parts of the pictures of a task, digested for cache keys."""
    if profile.name == "mini":
        return []  # decided by code alone
    found = [load(name) for name in (*map(networks.source(profile).shown, task.pictures), *task.also)]
    return [digest([list(f.ids), list(f.concepts), {k: list(v) for k, v in f.meta.items()}]) for f in found]


def _of_network(task: Task, at: At) -> Measured:
    rows, drawn = [], []
    for detail, found in task.measure(task, at).items():
        each = found[task.value].to_numpy(float)
        value, draws = resample.unit_means(each)
        layer = "logits" if detail == "own head" else LAYER
        rows.append({"model": at.model, "seed": 0, "layer": layer, "dataset": task.name, "measure": task.value,
                     "detail": detail, "stage": STAGE, "n": len(each), "value": value})  # fmt: skip
        drawn.append(draws)
    if not rows:
        raise MissingData(f"{at.model} has not what {task.title} needs", task.name, "extract logits, too")
    return Measured.of(rows, np.stack(drawn), profile=at.profile.name)


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
        return 1 / superclasses(profile, task)
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

    Raises
    ------
    MissingData
        When no network has both.
    """
    chosen = zero_shot.measure(networks.source(profile), roles=("things",))
    found = networks.points(chosen, networks.facts(profile), dataset="things", detail="cosine").set_index("model")
    both = shown[shown["model"].isin(found.index)]
    if both.empty:
        raise MissingData("no network has features for a transfer task and for THINGS, too", "transfer and people",
                          "'humalign plan --profile full' says what is missing")  # fmt: skip
    columns = {"odd_one_out": "value", "odd_low": "low", "odd_high": "high"}
    return both.assign(**{new: found.loc[both["model"], old].to_numpy() for new, old in columns.items()})
