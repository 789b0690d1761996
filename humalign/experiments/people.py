"""AligNet on real people: the list of runs (PROTOCOL_PEOPLE.md), one run, the choice of settings, recorded tables."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from .. import odd_one_out, record, resample, results
from ..alignet import judged, pipeline
from ..alignet.optim import rate_sum
from ..alignet.settings import PRESETS, Settings
from ..alignet.student import Student
from ..alignet.teacher import Teacher
from ..cache import kept
from ..chapters import rsa
from ..chapters.real_alignet import CHOOSING, CHOSEN, HELD_OUT, LOG, NATIVE, REFERENCES, RUNS, STUDENTS
from ..data import registry
from ..results import Measured
from ..similarity import similarity_matrix
from ..source import open_source
from ..store import digest, read_json, write_json, write_text
from ..zoo.loading import load
from . import people_measures as measures
from .plan import Experiment

VERSION = 1  # of what single runs keep: goes up when their numbers change
SOURCE = "humalign.experiments --real"
FEATURES, CHOICES = "things/clip_vit_b32", "things/test_10_id"
STRENGTHS, FOLDS = (0.03, 0.1, 0.3), 3
SIDE = 128  # pixels, in training and evaluation
SEEDS = (0, 1, 2)
LABELS = {"AligNet": "human-aligned", "UnAligNet": "untransformed", "permuted": "permuted"}
PRESET = PRESETS["photographs"]
RATES = (1e-5, 3e-5, 1e-4, 3e-4)  # of the curve; the first is not among those that are chosen from
PULL = 1.0  # decay x sum of learning rates, where there is decay
PULLED = "pulled to the start"
LONGER = 200  # steps: nearly as good where settings were chosen; stages LONGER of the chapter
TOUCHED = "a held-out concept in each triplet"
EMBEDDING = "things/spose_49"  # by which settings are chosen, on seen concepts


def held_out(choosing: bool = False) -> list[str]:
    """Concepts that are held out; with those for choosing settings, where settings are chosen."""
    files = (HELD_OUT, CHOOSING) if choosing else (HELD_OUT,)
    return judged.names_of(*(record.FOLDER / name for name in files))


def decay_of(settings: Settings, pull: float = PULL) -> float:
    """The decay at which decay times the sum of learning rates is ``pull``."""
    return pull / rate_sum(settings.lr, settings.warmup, settings.steps)


@dataclass(frozen=True)
class PeopleRun:
    """One alignment run on photographs.

    Attributes
    ----------
    student : str
        Network of the zoo.
    label : str
        Key of :data:`LABELS`.
    settings : Settings
        With the seed.
    side : int
        Pixels.
    choosing : bool
        Concepts for choosing settings are held out, too.
    """

    student: str
    label: str = "AligNet"
    settings: Settings = PRESET
    side: int = SIDE
    choosing: bool = False

    @property
    def key(self) -> str:
        """Digest of all choices, and of the split."""
        plain = {k: v for k, v in self.__dict__.items() if k != "settings"}
        return digest("people run", VERSION, plain, self.settings.as_dict(), held_out(self.choosing), STRENGTHS)


def folder(profile) -> Path:
    """Where results of single runs are kept until they are collected."""
    return profile.cache / "alignet" / "people"


# ---- one run ---------------------------------------------------------------------------------------------------------


def teacher(profile, choosing: bool = False) -> Path:
    """Folder of the teacher, fitted to people once: what ``humalign alignet teacher --exclude`` makes.

    Where settings are chosen its strength is not chosen, too, but the middle one.
    """
    place, out = folder(profile), held_out(choosing)
    place = place / ("teacher-choosing" if choosing else "teacher")
    strengths = STRENGTHS[1:2] if choosing else STRENGTHS
    key = digest("people teacher", VERSION, FEATURES, CHOICES, strengths, FOLDS, out)
    if (place / "teacher.json").is_file() and read_json(place / "teacher.json").get("made_from") == key:
        return place
    data = judged.judged(profile, features=FEATURES, dataset=CHOICES, exclude=out)
    found, table = judged.fit_teacher(data, "plain", strengths, FOLDS)
    place.mkdir(parents=True, exist_ok=True)
    if table is not None:
        write_text(place / "folds.csv", table.to_csv(index=False, float_format="%.6g"))
    found.meta["made_from"] = key
    return found.save(place)


def pictures_folder(profile) -> Path:
    """The folder with the photographs."""
    return registry.entry("things_cc0/images").files["images"].find(profile.data)


def labels(profile, run: PeopleRun) -> Path:
    """Folder of the labels of a run: what ``humalign alignet sample`` makes. Only "permuted" depends on the seed."""
    seed = run.settings.seed if run.label == "permuted" else 0
    place = folder(profile) / f"labels{'-choosing' if run.choosing else ''}-{run.label}-{seed}"
    options = {"images": pictures_folder(profile), "features": FEATURES, "transform": LABELS[run.label], "seed": seed}
    options |= {"rule": pipeline.ALL, "validation": 0, "exclude": held_out(run.choosing)}
    pipeline.make_triplets(profile, teacher(profile, run.choosing), place, **options)
    return place


def train(profile, run: PeopleRun, place: Path):
    """What ``humalign alignet train`` does; a started folder is continued."""
    options = {"transform": LABELS[run.label], "sampling": pipeline.ALL, "side": run.side}
    return pipeline.train(
        profile, run.student, pictures_folder(profile), labels(profile, run), run.settings, place, **options
    )


def untouched(profile, student: str, side: int | None) -> Student:
    """The network as it was published."""
    return Student(load(student, head=False, side=side, profile=profile), 0, "native").eval()


@lru_cache(maxsize=8)
def _before(profile, student: str, side: int) -> measures.Seen:
    """What the untouched network makes of all pictures."""
    found = measures.answers(_source(profile), tuple(held_out()))
    return measures.look(untouched(profile, student, side), found, profile)


@lru_cache(maxsize=2)
def _source(profile):
    return open_source(profile)


def with_people(student: Student, profile, model: str, stage: str, seed: int = 0, **common) -> Measured:
    """All measures of a student with real people, its ImageNet answers set beside those of the untouched network."""
    profile = profile.with_(name="slice")
    found = measures.answers(_source(profile), held_out())
    base = _before(profile, model, student.side)
    seen = measures.look(student, found, profile)
    about = {"profile": "slice", "model": model, "stage": stage, "seed": seed, **common}
    return measures.measure(seen, base, found, **about)


def before_and_after(student: Student, profile, model: str, stage: str) -> pd.DataFrame:
    """All measures of a student with real people, below those of the network that it was: a result table."""
    base = with_people(untouched(profile.with_(name="slice"), model, student.side), profile, model, "base")
    return results.combine(base.table, with_people(student, profile, model, stage).table)


def perform(experiment: Experiment, profile) -> tuple[Measured, dict, dict]:
    """Run one experiment: its table, nothing else to keep, and facts for the log."""
    began, run = time.process_time(), experiment.run
    facts = {}
    if run is None:
        student = untouched(profile, experiment.model, None if experiment.stage == NATIVE else SIDE)
        facts["side"] = student.side
    else:
        place = folder(profile) / "students" / experiment.name
        outcome = train(profile, run, place)
        student, losses = outcome.student.eval(), [row["loss"] for row in outcome.log]
        facts = {
            "temperature": outcome.temperature,
            "displacement": outcome.displacement,
            "steps": outcome.step,
            "loss_first": float(np.mean(losses[:10])),
            "loss_last": float(np.mean(losses[-30:])),
            "settings": json.dumps(run.settings.as_dict(), sort_keys=True),
            "side": run.side,
        }
    common = {"provenance": "recorded", "source": SOURCE}
    table = with_people(student, profile, experiment.model, experiment.stage, experiment.seed, **common)
    facts["cpu_seconds"] = time.process_time() - began
    if run is not None:
        shutil.rmtree(place, ignore_errors=True)
    return table, {}, facts


# ---- the list --------------------------------------------------------------------------------------------------------


def _run(stage: str, model: str, seed: int, label: str, **changes) -> Experiment:
    settings = PRESET.with_(teacher=LABELS[label], seed=seed, **changes)
    return Experiment(stage, model, seed, PeopleRun(model, label, settings))


def curve() -> dict[str, dict]:
    """The settings of the trade-off curve beside the chosen ones: name of the change to settings."""
    out = {f"learning rate {rate:g}": {"lr": rate} for rate in RATES if rate != PRESET.lr}
    if not PRESET.decay:
        return {**out, PULLED: {"decay": decay_of(PRESET)}}
    return {**{k: v | {"decay": decay_of(PRESET.with_(**v))} for k, v in out.items()}, "no decay": {"decay": 0.0}}


def plan(seeds=SEEDS) -> list[Experiment]:
    """All runs in the order of PROTOCOL_PEOPLE.md.

    Parameters
    ----------
    seeds : sequence of int
        Training runs of each student and label; others than the recorded ones repeat the experiment.
    """
    kind, first = f"people {VERSION}", next(iter(STUDENTS))
    main = [Experiment(stage, model, kind=kind) for stage in ("base", NATIVE) for model in STUDENTS]
    main += [_run(label, model, seeds[0], label) for label in LABELS for model in STUDENTS]
    main += [_run(label, model, seed, label) for seed in seeds[1:] for label in LABELS for model in STUDENTS]
    if tuple(seeds) == SEEDS:
        main += [_run(f"{label}, {name}", first, SEEDS[0], label, **changes)
                 for name, changes in curve().items() for label in ("AligNet", "UnAligNet")]  # fmt: skip
        main += [_run(f"{label}, {LONGER} steps", model, seed, label, steps=LONGER)
                 for seed in SEEDS for label in ("AligNet", "UnAligNet") for model in STUDENTS]  # fmt: skip
    return main


# ---- the choice of settings ------------------------------------------------------------------------------------------


def _judged_by_choice(profile, run: PeopleRun) -> dict:
    """Agreement on the concepts for choosing of one run that never saw them; kept in one file."""
    path = folder(profile) / "choosing" / f"{run.key}.json"
    if path.is_file():
        return read_json(path)
    began, place = time.process_time(), folder(profile) / "students" / f"choosing-{run.key}"
    outcome = train(profile, run, place)
    source = open_source(profile.with_(name="slice"))
    concepts = judged.names_of(record.FOLDER / CHOOSING)
    value = measures.with_embedding(outcome.student.eval(), concepts, source, EMBEDDING)
    found = {"value": value, "loss": outcome.log[-1]["loss"], "displacement": outcome.displacement,
             "cpu_seconds": time.process_time() - began}  # fmt: skip
    write_json(path, found)
    shutil.rmtree(place, ignore_errors=True)
    return found


def choose(profile, say=print) -> pd.DataFrame:
    """Choose settings on seen concepts, one after the other, and record the table.

    Returns
    -------
    DataFrame
        question, lr, decay, steps, AligNet, UnAligNet (Spearman with the embedding), mean, chosen (of this question).
    """
    profile, student = profile.with_(name="slice"), next(iter(STUDENTS))
    best, rows = PRESET.with_(lr=3e-5, decay=0.0, steps=LONGER, warmup=LONGER // 10, seed=0), []

    def ask(question: str, options: list[Settings]) -> Settings:
        found = []
        for settings in options:
            row = {"question": question, "lr": settings.lr, "decay": settings.decay, "steps": settings.steps}
            for label in ("AligNet", "UnAligNet"):
                own = settings.with_(teacher=LABELS[label])
                run = PeopleRun(student, label, own, choosing=True)
                row[label] = _judged_by_choice(profile, run)["value"]
            row["mean"] = (row["AligNet"] + row["UnAligNet"]) / 2
            say(f"choosing {row}", flush=True)
            found.append(row)
        place = int(np.argmax([row["mean"] for row in found]))
        rows.extend({**row, "chosen": k == place} for k, row in enumerate(found))
        return options[place]

    best = ask("learning rate", [best.with_(lr=rate) for rate in RATES[1:]])
    best = ask("decay", [best, best.with_(decay=decay_of(best))])
    shorter = best.with_(steps=100)
    ask("steps", [best, shorter if not best.decay else shorter.with_(decay=decay_of(shorter))])
    table = pd.DataFrame(rows)
    write_text(record.FOLDER / CHOSEN, table.to_csv(index=False, float_format="%.6g"))
    return table


# ---- the recorded tables ---------------------------------------------------------------------------------------------


def teacher_table(profile) -> pd.DataFrame:
    """What the teacher is worth on people's responses: object-wise folds, and triplets that touch a held-out concept.

    Returns
    -------
    DataFrame
        A result table: stages "AligNet" (the map) and "UnAligNet" (the features as they are), accuracy.
    """
    profile = profile.with_(name="slice")
    source, found = open_source(profile), Teacher.load(teacher(profile))
    features = source.published(FEATURES)
    stages = {"AligNet": (found.apply(features.values), "dot"), "UnAligNet": (features.values, "cosine")}
    rows, draws = [], []
    for name in (CHOICES, "things/testset1", "things/testset2"):
        responses = source.published(name)
        part = responses.select(np.isin(responses.ids, held_out())[responses.triplets].any(1))
        for stage, (values, kernel) in stages.items():
            own = similarity_matrix(replace(features, values=values).align(part.ids).values, kernel)
            right = odd_one_out.scores(own, part.triplets)
            value, drawn = resample.triplet_means(right, part.triplets, part.concepts, repeated=True)
            rows.append({"dataset": name, "detail": TOUCHED, "stage": stage, "value": value, "n": len(part)})
            draws.append(drawn)
    common = {"profile": "slice", "model": FEATURES, "layer": "penultimate", "measure": "accuracy"}
    table = Measured.of(rows, np.stack(draws), **common, provenance="recorded", source=SOURCE).table
    folds = pd.read_csv(teacher(profile) / "folds.csv")
    folds = folds[(folds["strength"] == found.meta["strength"]) & (folds["measure"] == "accuracy")]
    held = {"dataset": CHOICES, "detail": "object-wise folds", "stage": "AligNet", "value": folds["value"].mean(),
            "n": folds["n"].sum()}  # fmt: skip
    fitted = [{"dataset": CHOICES, "stage": "AligNet", "measure": key, "value": found.meta[name]}
              for key, name in (("strength", "strength"), ("responses", "triplets"))]  # fmt: skip
    told = [results.table([held], **common, provenance="recorded", source=SOURCE)]
    told += [results.table(fitted, **{k: v for k, v in common.items() if k != "measure"}, provenance="recorded")]
    return results.combine(table, *told)


def references(profile) -> pd.DataFrame:
    """What students are set beside: the teacher, people's limits on the 92 images, and chance."""
    profile = profile.with_(name="slice")
    made_from = [VERSION, "3", Teacher.load(teacher(profile)).key, held_out()]
    return kept(profile, "people-references", VERSION, made_from, lambda: _references(profile))


def _references(profile) -> pd.DataFrame:
    found = measures.answers(_source(profile), tuple(held_out()))
    common = {"dataset": "mur92", "profile": "slice", "provenance": "recorded", "source": SOURCE}
    best, chance = found.shares.max(1).mean(), 1 / len(set(found.images.concepts))
    rows = [{"measure": "accuracy", "detail": "best answer", "value": best, "n": len(found.shares)},
            {"measure": "accuracy", "detail": "chance", "value": 1 / 3},
            {"measure": "categories", "detail": "chance", "value": chance}]  # fmt: skip
    own = found.responses.align(found.photographs.ids).triplets
    held = own[np.isin(found.photographs.ids, found.held_out)[own].all(1)]
    asked = np.unique(np.sort(held, 1), axis=0, return_counts=True)[1]
    counts = {"questions": len(asked), "answers to the most asked": asked.max()}
    told = [{"measure": key, "detail": "held-out", "value": value, "n": len(held)} for key, value in counts.items()]
    return results.combine(
        teacher_table(profile),
        rsa.people_ceilings(found.arranged, **common),
        results.table(rows, model="people", stage="ceiling", **common),
        results.table(told, model="people", stage="count", **{**common, "dataset": "photographs"}),
    )


def told(table: Measured) -> str:
    """The outcome of a run in a few words."""
    value = table.table.set_index(["dataset", "measure", "detail", "layer"])["value"]
    near = value["mur92", "spearman", "correlation", "penultimate"]
    same = value["imagenet", "agreement", "held-out", "logits"]
    return f"16 people {near:.3f}, ImageNet answers as before {same:.2f}"


COLUMNS = ["stage", "model", "seed", "state", "side", "steps", "temperature", "displacement", "loss_first", "loss_last",
           "cpu_seconds", "settings"]  # of the log  # fmt: skip


def collect(profile, target: Path | None = None) -> pd.DataFrame:
    """Gather all finished runs into the recorded tables; returns the log (one line a run: done, failed, not run)."""
    from . import queue

    target, log, tables = target or record.FOLDER, [], []
    for experiment in plan():
        row, table, _ = queue.outcome(experiment, folder(profile) / "runs")
        log.append(row)
        tables += [] if table is None else [table]
    frame = pd.DataFrame(log).reindex(columns=COLUMNS)
    if tables:
        results.combine(*tables).save(target / RUNS)
        write_text(target / LOG, frame.to_csv(index=False, float_format="%.5g"))
        results.write(references(profile), target / REFERENCES)
    return frame
