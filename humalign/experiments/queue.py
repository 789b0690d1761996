"""The queue of alignment experiments: runs those of a list that are not finished, and collects the tables.

Two lists stand in it: that of the drawn world (``plan``) and that of real people (``people``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .. import record, results
from ..alignet.images import Pictures
from ..alignet.pipeline import load_or_make
from ..alignet.student import embed
from ..chapters import teacher
from ..chapters.student import DIAGNOSIS, FEATURES, LOG, RUNS, STAGES, pictures
from ..config import get_profile
from ..edition import NOW
from ..errors import HumalignError, InputError, MissingData
from ..levels import LEVELS
from ..processes import OwnProcesses
from ..results import Measured
from ..source import open_source
from ..store import load_arrays, read_json, save_arrays, write_json, write_text
from ..world.splits import shift_ids
from ..world.stimuli import split_ids
from . import measures
from .plan import STUDENTS, Experiment, plan
from .students import start, student_features, trainer, unlabelled

SOURCE = "humalign.experiments"
COMMON = {"profile": "mini", "layer": "penultimate", "provenance": "recorded", "source": SOURCE}  # of all rows


# ---- one experiment --------------------------------------------------------------------------------------------------


def folder(profile) -> Path:
    """Where results of single experiments are kept until they are collected."""
    return profile.cache / "alignet" / "runs"


def _of_network(profile, name: str, seed: int) -> dict:
    source, every = open_source(profile), pd.Index(split_ids("train"))
    found = {split: teacher.features(source, name, split, seed) for split in measures.SPLITS}
    return {**found, "train": teacher.features(source, name, "train", seed)[every.get_indexer(shift_ids())]}


def _of_student(student, profile) -> dict:
    found = {split: student_features(student, profile, split) for split in measures.SPLITS}
    stimuli = unlabelled(profile, "seen").align(shift_ids())
    return {**found, "train": embed(student, Pictures(stimuli.ids, stimuli.images, NOW.side), 512)}


def evaluate(profile, student: str) -> pd.DataFrame:
    """Everything that the drawn world can measure of a student of its networks: a folder with one, or ``mini:NAME``.

    Raises
    ------
    InputError
        For another network.
    """
    profile = profile.with_(name=COMMON["profile"])
    network = load_or_make(profile, student)
    name = network.facts["tower"]
    if not name.startswith("mini:"):
        raise InputError("the drawn world measures networks of the mini zoo", "evaluate", "leave --world out")
    about = {"model": name, "layer": "penultimate", "stage": Path(student).name}
    return measures.measure(_of_student(network, profile), open_source(profile), **about).table


def perform(experiment: Experiment, profile, progress=None) -> tuple[Measured, dict, dict]:
    """Run one experiment: its table, the features of things and arrangement pictures, and facts for the log."""
    began = time.process_time()
    facts = {}
    if experiment.run is None:
        found = _of_network(profile, experiment.model, experiment.seed)
        if experiment.kind:
            fitted = teacher.fitted(open_source(profile), experiment.model, experiment.kind)
            found = {split: fitted.apply(x) for split, x in found.items()}
    else:
        start(experiment.run, profile)  # weights at hand?
        measures.at_hand(open_source(profile))
        ended = trainer(experiment.run, profile).run(progress=progress)
        found = _of_student(ended.student, profile)
        losses = [row["loss"] for row in ended.log]
        facts = {
            "temperature": ended.temperature,
            "displacement": ended.displacement,
            "steps": ended.step,
            "loss_first": float(np.mean(losses[:10])),
            "loss_last": float(np.mean(losses[-30:])),
            "settings": json.dumps(experiment.run.settings.as_dict(), sort_keys=True),
        }
    about = {"model": experiment.model, "seed": experiment.seed, "stage": experiment.stage}
    table = measures.measure(found, open_source(profile), **about, **COMMON)
    facts["cpu_seconds"] = time.process_time() - began
    kept = {k: found[k].astype(np.float16) for k in ("things", *measures.ARRANGED)}
    rows = pd.Index(split_ids("test")).get_indexer(pictures("test")["id"])
    kept["test"] = found["test"][rows].astype(np.float16)
    return table, kept, facts


@dataclass(frozen=True)
class Series:
    """A list of experiments and what is done with each.

    Attributes
    ----------
    plan : callable
        The experiments, in the order in which they are run.
    folder : callable
        Profile to the folder of single results.
    perform : callable
        Experiment and profile to its table, arrays to keep, and facts for the log.
    told : callable
        A table in a few words.
    collect : callable
        Profile to the log; writes the recorded tables.
    """

    plan: Callable
    folder: Callable
    perform: Callable
    told: Callable
    collect: Callable


def series(real: bool = False) -> Series:
    """The experiments of the drawn world, or those with real people."""
    if not real:
        return Series(plan, folder, perform, _told, collect)
    from . import people

    return Series(people.plan, lambda profile: people.folder(profile) / "runs", people.perform, people.told,
                  people.collect)  # fmt: skip


def done(experiment: Experiment, place: Path) -> bool:
    """Whether its results are complete."""
    path = place / f"{experiment.name}.json"
    return path.is_file() and read_json(path).get("key") == experiment.key


def store_results(experiment: Experiment, place: Path, table: Measured, kept: dict, facts: dict) -> None:
    """Write the results of one experiment; the JSON comes last and says that they are complete."""
    table.save(place / f"{experiment.name}.csv")
    if kept:
        save_arrays(place / f"{experiment.name}.features.safetensors", kept)
    _note(experiment, place, "done", **facts)


def _note(experiment: Experiment, place: Path, state: str, **facts) -> None:
    row = {"stage": experiment.stage, "model": experiment.model, "seed": experiment.seed, "state": state, **facts}
    write_json(place / f"{experiment.name}.json", {"key": experiment.key, **row})


def outcome(experiment: Experiment, place: Path) -> tuple[dict, Measured | None, dict]:
    """The log row of an experiment, and, where it is done, its table and the arrays kept."""
    path = place / f"{experiment.name}.json"
    row = read_json(path) if path.is_file() else {"state": "not run"}
    if row.pop("key", experiment.key) != experiment.key:
        row = {"state": "not run"}
    row = {"stage": experiment.stage, "model": experiment.model, "seed": experiment.seed, **row}
    if row["state"] != "done":
        return row, None, {}
    arrays = place / f"{experiment.name}.features.safetensors"
    kept = load_arrays(arrays)[0] if arrays.is_file() else {}
    return row, Measured.load(place / f"{experiment.name}.csv"), kept


@contextlib.contextmanager
def claim(path: Path):
    """True inside for the one process that takes the work; a claim of a process that is gone is taken over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        owner = path.read_text() or "0"
        if owner.isdigit() and Path(f"/proc/{owner}").exists() and int(owner) != os.getpid():
            yield False
            return
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(handle, "w") as file:
        file.write(str(os.getpid()))
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)


def work(profile, only: str = "", say=print, which: Series | None = None) -> int:
    """Go through a list once: finished experiments are skipped, those without networks wait; how many ran."""
    import torch

    torch.set_num_threads(1)
    which, ran = which or series(), 0
    place = which.folder(profile)
    for experiment in which.plan():
        if only not in experiment.name or done(experiment, place):
            continue
        with claim(place / f".{experiment.name}.lock") as mine:
            if not mine or done(experiment, place):
                continue
            began = time.time()
            try:
                table, kept, facts = which.perform(experiment, profile)
            except MissingData as error:
                say(f"waits    {experiment.name}: {error}", flush=True)
                continue
            except HumalignError as error:
                _note(experiment, place, f"failed: {error}")
                say(f"failed   {experiment.name}: {error}", flush=True)
                continue
            store_results(experiment, place, table, kept, facts)
            ran += 1
            say(f"done     {experiment.name}: {which.told(table)} ({time.time() - began:.0f} s)", flush=True)
    return ran


def _told(table: Measured) -> str:
    """The outcome of a run of the drawn world in a few words."""
    value = table.table.set_index(["dataset", "measure", "detail"])["value"]
    found = [value["levels", "accuracy", f"H2/{level}"] for level in LEVELS]
    found.append(value["one-shot", "accuracy", "H2"])
    return "H2 coarse {:.3f}, fine {:.3f}, boundary {:.3f}, one-shot {:.3f}".format(*found)


# ---- the recorded tables ---------------------------------------------------------------------------------------------


def recorded_folder() -> Path:
    """Folder of the tables that come with the package."""
    return record.FOLDER


def collect(profile, target: Path | None = None) -> pd.DataFrame:
    """Gather all finished experiments into the recorded tables; returns the log.

    Writes ``alignet_runs.csv`` (with draws), ``alignet_log.csv`` (one line an experiment: done, failed, not run) and
    ``alignet_features.safetensors`` (half precision; seed 0 of base, AligNet and UnAligNet).
    """
    target = target or recorded_folder()
    log, tables, stored, by_stage = [], [], {}, {}
    for experiment in plan():
        row, table, kept = outcome(experiment, folder(profile))
        log.append(row)
        if table is not None:
            tables.append(table)
            by_stage[experiment.stage, experiment.model, experiment.seed] = (table, kept)
            if experiment.seed == 0 and experiment.stage in STAGES and experiment.model in STUDENTS:
                stored |= {f"{experiment.model}/{experiment.stage}/{k}": v for k, v in kept.items()}
    frame = pd.DataFrame(log)
    if tables:
        tables += measures.derived(by_stage, STUDENTS, **COMMON)
        results.combine(*tables).save(target / RUNS, small=True)
        if stored and not NOW.folder:  # no page shows features of the second world
            save_arrays(target / FEATURES, stored, {"source": SOURCE})
        columns = [
            "stage",
            "model",
            "seed",
            "state",
            "steps",
            "temperature",
            "displacement",
            "loss_first",
            "loss_last",
            "cpu_seconds",
            "settings",
        ]
        write_text(target / LOG, frame.reindex(columns=columns).to_csv(index=False, float_format="%.5g"))
    return frame


def _go_through(real: bool, only: str, wait: float) -> None:
    """Work until the experiments of a list are finished, or none can be run and there is no waiting for networks."""
    profile, which = _listed(real)
    while True:
        ran = work(profile, only, which=which)
        left = [e for e in which.plan() if only in e.name and not done(e, which.folder(profile))]
        if not left or (not wait and not ran):
            return
        if ran:  # what there is, while more is to come; gathering costs more than a run
            which.collect(profile)
        if not ran:
            time.sleep(wait)


def _listed(real: bool) -> tuple:
    """The profile of a list and the list."""
    return get_profile("slice" if real else "mini"), series(real)


def main(argv=None) -> int:
    """Command line of the queue."""
    parser = argparse.ArgumentParser(
        description="Run those alignment experiments, of the drawn world or with real people, that are not finished."
    )
    parser.add_argument("--real", action="store_true", help="those with real people (needs the public files)")
    parser.add_argument("--choose", action="store_true", help="with --real: choose the settings on seen concepts anew")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time, one thread each (default: 1)")
    parser.add_argument("--only", default="", help="only experiments whose name contains this text")
    parser.add_argument(
        "--wait", type=float, default=0, metavar="S", help="look again after S seconds while networks are missing"
    )
    parser.add_argument("--list", action="store_true", help="show what is finished and stop")
    args = parser.parse_args(argv)
    profile, which = _listed(args.real)
    place = which.folder(profile)
    if args.real and args.choose:
        from . import people

        people.choose(profile)
        return 0
    if args.list:
        for experiment in which.plan():
            print("done   " if done(experiment, place) else "to do  ", experiment.name)
        return 0
    rest = args.real, args.only, args.wait
    with OwnProcesses(max(args.jobs - 1, 1)) as pool:
        others = [pool.submit(_go_through, *rest) for _ in range(args.jobs - 1)]
        _go_through(*rest)
        ended = [error for other in others if (error := other.exception())]
    if not args.real and (not args.only or "diagnosis" in args.only):
        from . import diagnose

        with claim(folder(profile) / ".diagnosis.lock") as mine:
            if mine:
                diagnose.record(profile, recorded_folder() / DIAGNOSIS)
    frame = which.collect(profile)
    print(frame["state"].str.split(":").str[0].value_counts().to_string())
    for error in ended:
        print(f"humalign.experiments: a worker: {error}", file=sys.stderr)
    return 1 if ended else 0
