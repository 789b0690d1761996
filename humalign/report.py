"""The report card of one model: every data set at hand that its ids or its eyes fit, measured, with ceilings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from . import choices, results
from . import report_measures as measures
from .config import Profile
from .data.types import Features, HumanRDM, Stimuli, Triplets
from .errors import HumalignError, InputError
from .results import Measured

CHANCE = 1 / 3
LEAST_TRIPLETS, LEAST_IMAGES = 200, 10
DRAWN_SIDE = 128  # pixels of drawn images for networks that are not of the mini world
DRAWN = {  # data set of the drawn world: (split of its pictures, probed, also for networks from outside)
    "things": ("things", True, True),
    "levels": ("test", False, False),
    "coarse-labels": ("test", False, False),
    "arrangement-cichy": ("cichy", False, True),
    "arrangement-king1": ("king1", False, True),
    "arrangement-king2": ("king2", False, True),
}
PICTURES = {"cifar100/coarse_triplets": "cifar100/train"}  # others: NAME/images
SKIPPED = ("things/testset2_repeat", "things-control", "things-repeated", "things-repeated-again")


@dataclass
class DataTest:
    """One data set that models can be compared with.

    Attributes
    ----------
    name : str
        As the registry calls it.
    world : {"mini", "slice", "full"}
    load : callable
        Gives Triplets or HumanRDM.
    pictures : callable, optional
        ``pictures(side)`` gives the Stimuli, where the images are at hand.
    probed : bool
        Fit a transform on it, object-wise cross-validated.
    outside : bool
        Also run on networks that are not of the mini world.
    repeated : callable, optional
        Gives the Triplets that people answered repeatedly, for ceilings; default the data set itself.
    """

    name: str
    world: str
    load: Callable
    pictures: Callable | None = None
    probed: bool = False
    outside: bool = True
    repeated: Callable | None = None

    @cached_property
    def data(self):
        """The human data."""
        return self.load()


@dataclass
class Report:
    """What was found of one model.

    Attributes
    ----------
    model : str
    table : DataFrame
        Result table (:mod:`humalign.results`): the model's rows, and the people's (model "people", stage "ceiling").
    reliability : DataFrame
        Reliability curves: dataset, layer, stage, confidence, accuracy, n.
    facts : dict
    notes : list of str
        What was left out and why, one line each.
    concepts : DataFrame
        Of choices: agreement with people's majority by concept; dataset, model, concept, value, n.
    """

    model: str
    table: pd.DataFrame
    reliability: pd.DataFrame
    facts: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    concepts: pd.DataFrame = field(default_factory=pd.DataFrame)

    def as_dict(self) -> dict:
        """Plain values for JSON."""

        def records(frame):
            return frame.astype(object).where(frame.notna(), None).to_dict("records")

        facts = {k: v for k, v in self.facts.items() if isinstance(v, (str, int, float, bool)) and v == v and v != ""}
        return {
            "model": self.model, "facts": facts, "summary": records(summary(self)), "results": records(self.table),
            "reliability": records(self.reliability), "notes": self.notes, "concepts": records(self.concepts),
        }  # fmt: skip


# ------------------------------------------------------------------------------------------------- what can be tested


def sets_at_hand(profile: Profile, drawn: bool = True) -> list[DataTest]:
    """Every data set at hand: those of the drawn world, and those in the data folder of the profile.

    Parameters
    ----------
    profile : Profile
    drawn : bool
        With the drawn world.
    """
    from .data import registry

    found = []
    if drawn:
        from .world import datasets, stimuli

        mini = profile.with_(name="mini")
        for name, (split, probed, outside) in DRAWN.items():
            found.append(
                DataTest(
                    name, "mini", lambda name=name: datasets.load(name),
                    lambda side, split=split: stimuli.images(split, side, mini), probed, outside,
                    (lambda: datasets.load("things-repeated")) if name == "things" else None,
                )
            )  # fmt: skip
    if profile.data is not None:
        real = profile if profile.name != "mini" else profile.with_(name="slice")
        here = set(registry.available(real))
        sets = [e for e in registry.entries(real) if e.name in here and e.name not in SKIPPED]
        for entry in sets:
            if entry.kind in ("triplets", "rdm"):
                names = (PICTURES.get(entry.name), f"{entry.name}/images", f"{entry.name.split('/')[0]}/images")
                images = next((n for n in names if n in here), None)
                pictures = None if images is None else (lambda side, images=images: registry.load(images, real))
                loads = lambda name=entry.name: registry.load(name, real)  # noqa: E731
                found.append(DataTest(entry.name, real.name, loads, pictures))
        triplets = [
            t for t in found if t.world != "mini" and t.name.startswith("things/") and isinstance(t.data, Triplets)
        ]
        fitting = [t for t in triplets if LEAST_TRIPLETS * 50 <= len(t.data) <= 2 * measures.PROBE_TRIPLETS]
        if fitting:
            max(fitting, key=lambda t: len(t.data)).probed = True
    return found


def _shared(test: DataTest, ids) -> list[str]:
    """Ids of the data set that are among ``ids``, in the data set's order."""
    known = set(ids)
    return [one for one in test.data.ids if one in known]


def restricted(data, ids):
    """The part of a data set that lies within ``ids``; None when too little is left."""
    known = set(ids)
    common = [one for one in data.ids if one in known]
    if isinstance(data, HumanRDM):
        return data.align(common) if len(common) >= min(LEAST_IMAGES, len(data)) else None
    inside = np.isin(np.array(data.ids), common)
    rows = inside[data.triplets].all(1)
    return data.select(rows).align(common) if rows.sum() >= LEAST_TRIPLETS else None


def no_match(found: list[DataTest], ids, where) -> InputError:
    """The error for features whose ids fit nothing: how many were found where, and what ids look like there."""
    by_ids: dict[tuple, list] = {}
    for test in found:
        by_ids.setdefault(tuple(test.data.ids[:3]), []).append(test)
    parts, hint = [], ""
    for group in by_ids.values():
        own = group[0].data.ids
        hits = len(set(own) & set(ids))
        names = ", ".join(t.name for t in group[:3])
        parts.append(f"{hits} of {len(own)} ids of {names} (such as '{own[0]}')")
        if not hint:
            stems = {Path(one).stem for one in ids}
            if len(stems & set(own)) > 0.5 * len(own):
                hint = "; the stems of the ids would match: drop folder and suffix"
            elif len({one.lower().replace(" ", "_") for one in ids} & {o.lower() for o in own}) > 0.5 * len(own):
                hint = "; the ids would match in lower case with _ for spaces"
    told = "; ".join(parts) if parts else "no data set is at hand"
    return InputError(
        f"its {len(ids)} ids (such as '{next(iter(ids))}') match no data set well enough: {told}", where,
        f"name the rows as a data set does{hint}, or point --data at other data",
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ the card


def subject(
    name: str, *, pretrained: bool = True, checkpoint=None, seed: int = 0, preprocess=None, layer=None, ids=None,
    profile=None,
):  # fmt: skip
    """What ``humalign evaluate`` is asked about: Features of a file or folder, else a Model.

    Parameters
    ----------
    name : str
        Path, or a name for :func:`humalign.zoo.load`, which takes the other options.
    layer, ids : str, optional
        Of a features file: which layer; a file with the ids of its rows.
    """
    path = Path(name).expanduser()
    if path.is_dir() or path.suffix in (".npy", ".npz", ".safetensors", ".h5", ".hdf5"):
        from .data.features_file import read as read_others
        from .features import read

        if not path.exists():
            raise InputError("there is no such file", path, "check the path")
        data = getattr(profile, "data", None)
        return read(path, layer, data=data) if ids is None else read_others(path, ids, layer=layer)
    if path.is_file():
        raise InputError(f"has the ending '{path.suffix}'", path, "features come as .npy, .npz, .safetensors or .h5")
    from .zoo import load

    return load(name, pretrained, checkpoint, seed=seed, preprocess=preprocess, profile=profile)


def _features_of(model, stimuli: Stimuli, profile: Profile, progress) -> list[Features]:
    from .features import extract

    wanted, seen = [], set()
    for layer in ("penultimate", "logits"):
        if layer in model.layers and model.layers[layer] not in seen:
            wanted.append(layer)
            seen.add(model.layers[layer])
    return list(extract(model, stimuli, wanted, device=profile.device, progress=progress).values())


def card(
    what, profile: Profile, *, drawn: bool = True, probe: bool = True, n_boot: int = 1000, seed: int = 0, say=None,
    progress: bool | None = None, where=None,
) -> Report:  # fmt: skip
    """Measure one model on every data set at hand.

    Parameters
    ----------
    what : Features or Model
        Features are compared with every data set that shares enough ids; a network is shown every picture at hand.
    profile : Profile
        Names the data folder, the cache and the device.
    drawn : bool
        With the drawn world's data sets.
    probe : bool
        Also fit transforms.
    n_boot : int
        Bootstrap draws behind each interval.
    seed : int
    say : callable, optional
        Called with a line before each longer step.
    progress : bool, optional
        Bars of the extraction.
    where : str, optional
        What to call the features in messages.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        When no data set fits.
    """
    say = say or (lambda line: None)
    found = sets_at_hand(profile, drawn)
    is_file = isinstance(what, Features)
    name = what.model if is_file else what.name
    rows, curves, notes, shown = [], [], [], {}
    for test in found:
        if is_file:
            data, layers = restricted(test.data, what.ids), [what]
            if data is None:
                if hits := len(_shared(test, what.ids)):
                    notes.append(f"{test.name}: only {hits} of {len(test.data.ids)} ids are there, too few to measure")
                continue
            if len(data.ids) < len(test.data.ids):
                size = f"{len(data)} triplets" if isinstance(data, Triplets) else f"{len(data)} images"
                notes.append(f"{test.name}: restricted to {len(data.ids)} of {len(test.data.ids)} ids ({size})")
        else:
            data, layers = _look(what, test, profile, shown, notes, say, progress)
            if layers is None:
                continue
        say(f"{test.name}: measuring")
        for one in layers:
            base = {"dataset": test.name, "model": name, "layer": one.layer, "profile": test.world}
            base["seed"] = int(one.meta.get("seed", 0)) if isinstance(one.meta, dict) else 0
            if isinstance(data, HumanRDM):
                more = measures.rdm_rows(one, data, n_boot=n_boot, seed=seed)
            else:
                more, curve = measures.triplet_rows(one, data, n_boot=n_boot, seed=seed)
                curves += [{"dataset": test.name, "layer": one.layer, **c} for c in curve]
                if probe and test.probed:
                    try:
                        say(f"{test.name}: fitting transforms of {one.layer}")
                        more += measures.probe_rows(one, data, n_boot=n_boot, seed=seed)
                    except InputError as error:
                        notes.append(f"{test.name}, {one.layer}: no probe ({error})")
            rows += [{**base, **row, "source": data.source} for row in more]
        people = {
            "dataset": test.name,
            "model": "people",
            "stage": "ceiling",
            "profile": test.world,
            "seed": 0,
            "layer": "",
        }
        rows += [
            {**people, **row, "source": data.source}
            for row in measures.ceiling_rows(data, test.repeated and test.repeated())
        ]
    if not rows:
        if is_file:
            raise no_match(found, what.ids, where or what.name)
        raise HumalignError(f"{name}: no data set could be shown to it ({'; '.join(notes) or 'none is at hand'})")
    reliability = pd.DataFrame(curves, columns=["dataset", "layer", "stage", "confidence", "accuracy", "n"])
    facts = dict(what.meta.get("facts", {})) if is_file else dict(what.facts or {})
    facts |= (
        {"weights": what.weights, "weights_digest": what.checksum} if not is_file else {"file": str(where or what.name)}
    )
    return Report(name, results.table(rows), reliability, facts, notes)


def _look(model, test: DataTest, profile, shown: dict, notes: list, say, progress):
    """Features of the pictures of a data set in a network; (None, None) when it is not shown them."""
    mini = model.facts.get("source") == "mini"
    if test.pictures is None:
        notes.append(f"{test.name}: its images are not at hand, so the network cannot see them")
        return None, None
    if test.world == "mini" and not mini and not test.outside:
        notes.append(f"{test.name}: left out for networks from outside the drawn world (many pictures)")
        return None, None
    stimuli = test.pictures(model.preprocess.size if mini and test.world == "mini" else DRAWN_SIDE)
    if wanted := _shared(test, stimuli.ids):
        stimuli = stimuli.align(wanted) if len(wanted) < len(stimuli) else stimuli
    data = restricted(test.data, stimuli.ids)
    if data is None:
        notes.append(f"{test.name}: the images at hand are not its images")
        return None, None
    if stimuli.ids not in shown:
        say(f"{test.name}: showing {len(stimuli)} pictures")
        shown[stimuli.ids] = _features_of(model, stimuli, profile, progress)
    return data, shown[stimuli.ids]


def choices_card(made: dict[str, Triplets], profile: Profile, *, drawn: bool = True, where=None) -> Report:
    """Hold choices against the answers of people to the same questions, in every data set at hand.

    Parameters
    ----------
    made : dict of str to Triplets
        By who chose, see :func:`humalign.data.choices.read`.
    profile : Profile
    drawn : bool
        With the observers of the drawn world.
    where : path, optional
        Named by errors.

    Returns
    -------
    Report
        Measures of :mod:`humalign.choices`; those of two choosers have the other one's name as detail.

    Raises
    ------
    InputError
        When no data set has 20 of the questions.
    """
    from itertools import combinations

    rows, draws, concepts, notes, tests = [], [], [], [], []
    for test in sets_at_hand(profile, drawn):
        if not isinstance(test.data, Triplets):
            continue
        tests.append(test)
        people = test.repeated() if test.repeated else test.data
        common = {"dataset": people.name, "profile": test.world}
        for model, own in made.items():
            found, drawn_values = choices.of_choices(own, people, model, people.name)
            rows += [{**row, **common, "source": people.source} for row in found]
            draws += drawn_values
            if found:
                concepts.append(choices.by_concept(own, people).assign(dataset=people.name, model=model))
                asked = choices.shared(own, people).people
                if not (limits := choices.limits(asked)):
                    notes.append(f"{people.name}: few of these questions were asked twice, so there is no ceiling")
                for (measure, detail), value in limits.items():
                    rows.append({**common, "model": "people", "stage": "ceiling", "measure": measure, "detail": detail,
                                 "value": value, "n": len(asked), "source": people.source})  # fmt: skip
                    draws.append(np.full(len(drawn_values[0]), np.nan))
        for first, second in combinations(made, 2):
            found, drawn_values = choices.compare(made[first], made[second], people)
            rows += [{**row, **common, "model": first, "detail": second, "stage": "choices"} for row in found]
            draws += drawn_values
    if not rows:
        raise no_questions(tests, made, where)
    rows, draws = _once(rows, draws)
    name = next(iter(made)) if len(made) == 1 else str(where or "choices")
    table = pd.concat(concepts, ignore_index=True)[["dataset", "model", "concept", "value", "n"]]
    empty = pd.DataFrame(columns=["dataset", "layer", "stage", "confidence", "accuracy", "n"])
    facts = {"file": str(where or ""), "choices": int(sum(map(len, made.values())))}
    return Report(name, Measured.of(rows, np.stack(draws)).table, empty, facts, list(dict.fromkeys(notes)), table)


def _once(rows: list, draws: list) -> tuple[list, list]:
    """Rows with the keys of an earlier one left out (several choosers share their questions, and so the ceiling)."""
    seen: dict[tuple, int] = {}
    for k, row in enumerate(rows):
        seen.setdefault(tuple(row.get(key, "") for key in results.KEYS), k)
    return [rows[k] for k in seen.values()], [draws[k] for k in seen.values()]


def no_questions(tests, made: dict[str, Triplets], where) -> InputError:
    """The error for choices about questions that nobody was asked."""
    names = sorted({name for one in made.values() for name in one.ids})
    known = {name for test in tests for name in test.data.ids}
    strange = [name for name in names if name not in known]
    if strange:
        told = f"{len(strange)} of {len(names)} names are no objects of any data set at hand, such as '{strange[0]}'"
        return InputError(told, where, "use the names of the data set (for THINGS: uniqueID), or point --data at it")
    told = f"fewer than {choices.LEAST} of its questions were answered by people in any data set at hand"
    return InputError(told, where, "ask about triplets that people judged")


CHANCE_OF = {"accuracy": CHANCE, "agreement": CHANCE, "spearman": 0.0, "pearson": 0.0, "error consistency": 0.0}
CEILING = {
    "accuracy": ("leave-one-out", "majority"),
    "agreement with majority": ("one person",),
    "spearman": ("reliability",),
    "spearman with each person": ("upper",),
}


def summary(report: Report) -> pd.DataFrame:
    """The card in short: one row a data set, layer, stage and measure, with chance, ceiling and the distance to it.

    Returns
    -------
    DataFrame
        dataset, model, layer, stage, measure, detail, value, low, high, chance, ceiling, ceiling_kind, distance (to the
        ceiling), share (of the way from chance to the ceiling), n.
    """
    table = report.table
    people = table[table["model"] == "people"]
    rows = []
    for row in table[table["model"] != "people"].itertuples():
        level = row.detail.partition(", ")[2]
        ceiling, kind = np.nan, ""
        for detail in CEILING.get(row.measure, ()):
            wanted = f"{detail}, {level}" if level else detail
            at = people[
                (people["dataset"] == row.dataset) & (people["measure"] == row.measure) & (people["detail"] == wanted)
            ]
            if len(at):
                ceiling, kind = float(at["value"].iloc[0]), wanted
                break
        chance = CHANCE_OF.get(row.measure.split(" with ")[0], np.nan)
        rows.append(
            {"dataset": row.dataset, "model": row.model, "layer": row.layer, "stage": row.stage, "measure": row.measure,
             "detail": row.detail, "value": row.value, "low": row.low, "high": row.high, "chance": chance,
             "ceiling": ceiling,
             "ceiling_kind": kind, "distance": ceiling - row.value,
             "share": (row.value - chance) / (ceiling - chance) if ceiling > chance else np.nan, "n": int(row.n)}
        )  # fmt: skip
    return pd.DataFrame(rows)
