"""The queue of alignment experiments: runs those of the list that are not finished, and collects the tables."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
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
from ..errors import HumalignError, InputError, MissingData
from ..levels import LEVELS
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
    return {**found, "train": embed(student, Pictures(stimuli.ids, stimuli.images, 32), 512)}


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
        outcome = trainer(experiment.run, profile).run(progress=progress)
        found = _of_student(outcome.student, profile)
        losses = [row["loss"] for row in outcome.log]
        facts = {
            "temperature": outcome.temperature,
            "displacement": outcome.displacement,
            "steps": outcome.step,
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


def done(experiment: Experiment, profile) -> bool:
    """Whether its results are complete."""
    path = folder(profile) / f"{experiment.name}.json"
    return path.is_file() and read_json(path).get("key") == experiment.key


def store_results(experiment: Experiment, profile, table: Measured, kept: dict, facts: dict) -> None:
    """Write the results of one experiment; the JSON comes last and says that they are complete."""
    base = folder(profile) / experiment.name
    table.save(base.with_name(base.name + ".csv"))
    save_arrays(base.with_name(base.name + ".features.safetensors"), kept)
    row = {"stage": experiment.stage, "model": experiment.model, "seed": experiment.seed, "state": "done", **facts}
    write_json(base.with_name(base.name + ".json"), {"key": experiment.key, **row})


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


def work(profile, only: str = "", say=print) -> int:
    """Go through the list once: finished experiments are skipped, those without networks wait; how many ran."""
    import torch

    torch.set_num_threads(1)
    ran = 0
    for experiment in plan():
        if only not in experiment.name or done(experiment, profile):
            continue
        with claim(folder(profile) / f".{experiment.name}.lock") as mine:
            if not mine or done(experiment, profile):
                continue
            began = time.time()
            try:
                if experiment.run is not None:
                    start(experiment.run, profile)  # weights at hand?
                table, kept, facts = perform(experiment, profile)
            except MissingData as error:
                say(f"waits    {experiment.name}: {error}", flush=True)
                continue
            except HumalignError as error:
                row = {
                    "stage": experiment.stage,
                    "model": experiment.model,
                    "seed": experiment.seed,
                    "state": f"failed: {error}",
                }
                write_json(folder(profile) / f"{experiment.name}.json", {"key": experiment.key, **row})
                say(f"failed   {experiment.name}: {error}", flush=True)
                continue
            store_results(experiment, profile, table, kept, facts)
            ran += 1
            value = table.table.set_index(["dataset", "measure", "detail"])["value"]
            found = [value["levels", "accuracy", f"H2/{level}"] for level in LEVELS]
            found.append(value["one-shot", "accuracy", "H2"])
            text = "H2 coarse {:.3f}, fine {:.3f}, boundary {:.3f}, one-shot {:.3f}".format(*found)
            say(f"done     {experiment.name}: {text} ({time.time() - began:.0f} s)", flush=True)
        collect(profile)
    return ran


# ---- the recorded tables ---------------------------------------------------------------------------------------------


def recorded_folder() -> Path:
    """Folder of the tables that come with the package."""
    return record.FOLDER


def _load(experiment: Experiment, profile):
    base = folder(profile) / experiment.name
    table = Measured.load(base.with_name(base.name + ".csv"))
    return table, load_arrays(base.with_name(base.name + ".features.safetensors"))[0]


def collect(profile, target: Path | None = None) -> pd.DataFrame:
    """Gather all finished experiments into the recorded tables; returns the log.

    Writes ``alignet_runs.csv`` (with draws), ``alignet_log.csv`` (one line an experiment: done, failed, not run) and
    ``alignet_features.safetensors`` (half precision; seed 0 of base, AligNet and UnAligNet).
    """
    target = target or recorded_folder()
    log, tables, stored, by_stage = [], [], {}, {}
    for experiment in plan():
        path = folder(profile) / f"{experiment.name}.json"
        row = read_json(path) if path.is_file() else {"state": "not run"}
        if row.pop("key", experiment.key) != experiment.key:
            row = {"state": "not run"}
        log.append({"stage": experiment.stage, "model": experiment.model, "seed": experiment.seed, **row})
        if row["state"] == "done":
            table, kept = _load(experiment, profile)
            tables.append(table)
            by_stage[experiment.stage, experiment.model, experiment.seed] = (table, kept)
            if experiment.seed == 0 and experiment.stage in STAGES and experiment.model in STUDENTS:
                stored |= {f"{experiment.model}/{experiment.stage}/{k}": v for k, v in kept.items()}
    frame = pd.DataFrame(log)
    if tables:
        tables += measures.derived(by_stage, STUDENTS, **COMMON)
        results.combine(*tables).save(target / RUNS)
        if stored:
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


def main(argv=None) -> int:
    """Command line of the queue."""
    parser = argparse.ArgumentParser(
        description="Run the alignment experiments of the drawn world that are not finished."
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time, one thread each (default: 1)")
    parser.add_argument("--only", default="", help="only experiments whose name contains this text")
    parser.add_argument(
        "--wait", type=float, default=0, metavar="S", help="look again after S seconds while networks are missing"
    )
    parser.add_argument("--list", action="store_true", help="show what is finished and stop")
    args = parser.parse_args(argv)
    profile = get_profile("mini")
    if args.list:
        for experiment in plan():
            print("done   " if done(experiment, profile) else "to do  ", experiment.name)
        return 0
    children = []
    if args.jobs > 1:
        import subprocess

        command = [sys.executable, "-m", "humalign.experiments", "--only", args.only, "--wait", str(args.wait)]
        children = [subprocess.Popen(command) for _ in range(args.jobs - 1)]
    while True:
        ran = work(profile, args.only)
        left = [e for e in plan() if args.only in e.name and not done(e, profile)]
        if not left or (not args.wait and not ran):
            break
        if not ran:
            time.sleep(args.wait)
    for child in children:
        child.wait()
    if not args.only or "diagnosis" in args.only:
        from . import diagnose

        with claim(folder(profile) / ".diagnosis.lock") as mine:
            if mine:
                diagnose.record(profile, recorded_folder() / DIAGNOSIS)
    frame = collect(profile)
    print(frame["state"].str.split(":").str[0].value_counts().to_string())
    return 0
