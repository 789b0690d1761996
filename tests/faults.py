"""Damaged files, odd command lines, kills and full disks: what comes of them is one line, or the right result.

    python tests/faults.py --seed 7 --files 5000 --lines 600 --kills 20

Counts tracebacks (any error but ``HumalignError``), silent acceptances (a value that differs from the undamaged one,
although the file carries a checksum or a form that tells), complaints that are not one line, orphans, and runs that do
not go on to the result of an undisturbed one. ``tests/test_faults.py`` runs a short campaign with a fixed seed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from humalign import cli
from humalign.errors import HumalignError
from humalign.store import digest


@dataclass
class Campaign:
    """What came of it: counts, and a few lines about each thing that should not be."""

    counts: Counter = field(default_factory=Counter)
    told: list = field(default_factory=list)

    def bad(self, kind: str, what: str) -> None:
        """Note something that should not be."""
        self.counts[kind] += 1
        if len(self.told) < 60:
            self.told.append(f"{kind}: {what}")

    @property
    def failed(self) -> int:
        """How many things should not be."""
        return sum(self.counts[k] for k in ("traceback", "silent", "not one line", "orphan", "not resumed"))


# ---- whole files, and how each is read ------------------------------------------------------------------------------


@dataclass
class Kind:
    """A whole file, its readers, and whether it carries a checksum that covers everything that is read."""

    path: Path
    read: object
    sealed: bool = False


def kinds(root: Path) -> dict[str, Kind]:  # noqa: PLR0915 (a list of kinds of file)
    """One whole file of each kind below ``root``."""
    import h5py
    import torch
    from PIL import Image
    from safetensors.numpy import save_file

    from humalign import features
    from humalign.alignet import dataset, pipeline, sampling, teacher
    from humalign.book.run import Run, check_parameters, left_out, scalars, why_stale
    from humalign.commands import run as run_command
    from humalign.data import choices, features_file, files, known, plain
    from humalign.data.alignet import TripletFile
    from humalign.data.types import HumanRDM, Stimuli
    from humalign.features import images, shards
    from humalign.probing import LinearTransform
    from humalign.store import save_arrays, write_json
    from humalign.zoo import checkpoints

    rng = np.random.default_rng(0)
    ids = [f"p{k}" for k in range(12)]
    values = rng.normal(size=(12, 5)).astype(np.float32)
    found: dict[str, Kind] = {}

    def add(name, path, read, sealed=False):
        found[name] = Kind(root / path, read, sealed)

    np.save(root / "f.npy", values)
    (root / "f.ids.txt").write_text("\n".join(ids))
    add("features.npy", "f.npy", features.read)
    add("ids.txt", "f.ids.txt", lambda path: features_file.read(root / "f.npy", path))
    np.savez(root / "g.npz", features=values, ids=np.array(ids))
    add("features.npz", "g.npz", features.read, True)  # a zip has checksums
    with h5py.File(root / "h.h5", "w") as file:
        file["features"], file["ids"] = values, ids
    add("features.h5", "h.h5", features.read)
    save_file({"features": values}, root / "s.safetensors")
    write_json(root / "s.safetensors.json", {"ids": ids, "layer": "x"})
    add("side-car of features", "s.safetensors.json", lambda path: features.read(path.with_suffix("")))
    save_arrays(root / "k.safetensors", {"features": values}, {"ids": ids})
    add("features with a checksum", "k.safetensors", features.read, True)
    save_file({"weight": torch.ones(3, 2).numpy(), "bias": torch.zeros(3).numpy()}, root / "w.safetensors")
    torch.save({"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, root / "w.pt")
    np.savez(root / "w.npz", weight=np.ones((3, 2), np.float32), bias=np.zeros(3, np.float32))

    def weights(path):
        module = torch.nn.Linear(2, 3)
        checkpoints.load_into(module, path)
        return {k: v.numpy() for k, v in module.state_dict().items()}

    for name in ("w.safetensors", "w.pt", "w.npz"):
        add(f"weights {name}", name, weights)

    study = root / "study"
    shown = Stimuli(tuple(ids), "", "", images=rng.integers(0, 255, (12, 9, 9, 3), np.uint8))
    study.mkdir()
    plain.write_pictures(study, shown, kind=["a", "b"] * 6)
    shown = plain.read_pictures(study)
    rows = np.stack([rng.permutation(12)[:3] for _ in range(40)])
    lines = [",".join(ids[k] for k in row) for row in rows]
    (study / "answers.csv").write_text("first,second,odd,person,seconds\n" + "".join(f"{x},1,2.5\n" for x in lines))
    (root / "choices.csv").write_text("a,b,c,odd\n" + "".join(f"{x},{ids[r[2]]}\n" for x, r in zip(lines, rows)))
    trial = "s1,trial,coarse,{},{},{},{},1.5\n"
    told = "".join(trial.format(*(ids[k] for k in row), ids[row[0]]) for row in rows)
    (study / "sessions.csv").write_text("participant,kind,level,image1,image2,image3,selected,seconds\n" + told)
    x = rng.random((3, 12, 12))
    rdm = x + x.transpose(0, 2, 1)
    rdm[:, np.arange(12), np.arange(12)] = 0
    plain.write_arrangement(study / "arrangement.npz", HumanRDM(tuple(ids), rdm, "", ""))
    chances = np.full((40, 3), 1 / 3)
    plain.write_people(study / "people.npz", plain.People(tuple(ids), ("a", "b"), rng.random((12, 2)), chances))
    add("pictures.csv", "study/pictures.csv", lambda path: plain.read_pictures(path.parent))
    add("answers.csv", "study/answers.csv", lambda path: plain.read_answers(path, shown, "x"))
    add("sessions.csv", "study/sessions.csv", lambda path: plain.read_sessions(path, shown))
    add("arrangement.npz", "study/arrangement.npz", lambda path: plain.read_arrangement(path, shown), True)
    add("people.npz", "study/people.npz", lambda path: plain.read_people(path, shown), True)
    add("choices.csv", "choices.csv", choices.read)
    add("picture.png", "study/pictures/p0.png", images.read)
    Image.fromarray(shown_pixels := np.asarray(rng.integers(0, 255, (30, 40, 3), np.uint8))).save(root / "p.jpg")
    add("picture.jpg", "p.jpg", images.read)
    Image.fromarray(shown_pixels).save(root / "p.gif")
    add("picture.gif", "p.gif", images.read)

    about = {"format": 1, "model": "m", "n": 12, "shard_size": 6, "order": ["penultimate"], "weights": "w",
             "layers": {"penultimate": {"module": "x", "width": 5}}, "weights_digest": "", "preprocess": {},
             "ids_digest": digest(tuple(ids)), "dtype": "float32", "source": "s", "licence": "l"}  # fmt: skip
    write_json(root / "shards/manifest.json", about)
    for k in range(2):
        part = slice(6 * k, 6 * k + 6)
        shards.write_shard(root / "shards", k, ids[part], {"penultimate": values[part]})
    for name in ("manifest.json", "shard-00001.safetensors", "shard-00000.safetensors.json"):
        sealed = name.endswith("safetensors")
        add(f"extracted {name}", f"shards/{name}", lambda path: features.read(path.parent), sealed)

    groups = sampling.Groups(np.arange(12) % 4)
    dataset.write_triplets(root / "t.npz", 30, "cluster_border", values, [f"{i}.png" for i in ids], groups)
    add("alignet triplets", "t.npz", TripletFile.read, True)
    made = teacher.Teacher("mini:softmax-resnet-s", "plain", LinearTransform(np.eye(5), 0.0, 1.0), {"strength": 0.1})
    made.save(root / "teacher")
    add("teacher.json", "teacher/teacher.json", lambda path: teacher.Teacher.load(path.parent))
    add("transform.npz", "teacher/transform.npz", lambda path: teacher.Teacher.load(path.parent), True)
    pipeline._table(root / "table.npy", "k", 12, [values])
    add("table of features", "table.npy", lambda path: pipeline._table(path, "k", 12, [values]), True)
    add("state of a table", "table.json",
        lambda path: pipeline._table(path.with_suffix(".npy"), "k", 12, [values]), True)  # fmt: skip

    (root / known.MANIFEST).write_text(json.dumps(
        {"sha256": {"a.npy": "0" * 64}, "row_order": {"things": "raw"}, "expect": {"things": {"n": 3}}}))  # fmt: skip
    add("manifest of data", known.MANIFEST, lambda path: known.manifest(path.parent))
    add("json", "j.json", files.read_json)
    (root / "j.json").write_text(json.dumps({"a": [1, 2.5, {"b": None}], "c": "text"}))

    cell = {"cell_type": "code", "source": "seed = 0", "metadata": {"tags": ["parameters"]}, "outputs": [],
            "execution_count": 1, "id": "a"}  # fmt: skip
    shown_cell = {**cell, "id": "b", "metadata": {}, "outputs": [
        {"output_type": "display_data", "data": {"application/papermill.record/text/plain": "2.5"},
         "metadata": {"scrapbook": {"name": "x"}}}]}  # fmt: skip
    record = {"humalign": {"digest": "d", "files": {"humalign:x.py": "1"}, "listing": None, "outputs": []}}
    whole = {"cells": [cell, shown_cell], "metadata": record, "nbformat": 4, "nbformat_minor": 5}
    (root / "n.ipynb").write_text(json.dumps(whole))
    (root / "n.md").write_text(
        "---\njupytext: {text_representation: {extension: .md, format_name: myst}}\n---\n\n"
        "```{code-cell} ipython3\n:tags: [parameters]\n\nseed = 0\n```\n"
    )

    def executed(path):
        return [scalars(path), left_out(path), why_stale(Run(root / "n.md", path))]

    def source(path):
        with contextlib.suppress(HumalignError):
            check_parameters(path, {"seed": 1})
        return check_parameters(path, {})

    add("executed notebook", "n.ipynb", executed)
    add("notebook.ipynb", "n.ipynb", source)
    add("notebook.md", "n.md", source)
    (root / "grid.yml").write_text("seed: [0, 1]\nscale: [1.5, two]\n")
    add("grid.yml", "grid.yml", lambda path: run_command.value_of(files.read_text(path), path))
    return found


def published(root: Path) -> list[tuple]:
    """(name, file, reader) of the tiny files in published layouts."""
    import rehearsal

    from humalign.config import get_profile
    from humalign.data import known, registry

    rehearsal.write(root)
    profile, found = get_profile("full", data=root), []

    def reader(name):
        def read(_):
            known.file_digest.cache_clear()
            return registry.load(name, profile)

        return read

    for one in registry.entries("full"):
        for path in one.files_in(root).values():
            if path.is_file():
                found.append((one.name, Kind(path, reader(one.name))))
    return found


# ---- damages --------------------------------------------------------------------------------------------------------

WORDS = ["", "nan", "inf", "-1", "1e999", "0", "\x00", "\ud800", "[/red]", "../../etc/passwd", "x" * 5000, "é",
         '"', ",", "\n", "\r", "=1+1", "true", "null", "999999999999999999999999", "p0", " p0 ", "\u202e"]  # fmt: skip
VALUES = [None, True, False, 0, -1, 3.5, 1e308, 10**40, "", "x", [], {}, [[]], {"a": 1}, [None], "../x", float("nan")]


def deep(depth: int, kind) -> object:
    """A list or object nested ``depth`` times."""
    out = None
    for _ in range(depth):
        out = [out] if kind else {"a": out}
    return out


def of_json(raw: bytes, dice: random.Random) -> bytes:
    """JSON in which one node is another value, gone, doubled, or nested deeply."""
    try:
        value = json.loads(raw)
    except ValueError:
        return of_bytes(raw, dice)
    places = []

    def visit(node):
        if isinstance(node, dict):
            for key in node:
                places.append((node, key))
                visit(node[key])
        elif isinstance(node, list):
            for k in range(len(node)):
                places.append((node, k))
                visit(node[k])

    visit(value)
    if not places or dice.random() < 0.1:
        return json.dumps(dice.choice([*VALUES, deep(200, True)])).encode()
    node, key = dice.choice(places)
    action = dice.random()
    if action < 0.2:
        del node[key]
    elif action < 0.3:
        node[key] = "@deep"
        return json.dumps(value).replace('"@deep"', "[" * 50_000 + "]" * 50_000).encode()
    elif action < 0.4 and isinstance(node, dict):
        node[dice.choice(WORDS)] = node.pop(key)
    elif action < 0.5 and isinstance(node, list):
        node.insert(key, node[key])
    else:
        node[key] = dice.choice(VALUES + WORDS)
    return json.dumps(value).encode("utf8", "surrogatepass")


def of_table(raw: bytes, dice: random.Random) -> bytes:
    """Text lines with a cell, a line or a character that is another."""
    lines = raw.decode("utf8", "replace").split("\n")
    row = dice.randrange(len(lines))
    action = dice.randrange(7)
    if action == 0:
        del lines[row]
    elif action == 1:
        lines.insert(row, lines[row])
    elif action == 2:
        lines[row] = dice.choice(WORDS)
    elif action == 3:
        lines = [line.replace(",", ";") for line in lines]
    else:
        cells = lines[row].split(",")
        cell = dice.randrange(len(cells))
        cells[cell] = dice.choice([*WORDS, cells[cell] + ",", cells[cell][:-1]])
        lines[row] = ",".join(cells)
    return "\n".join(lines).encode("utf8", "surrogatepass")


def of_npy(raw: bytes, dice: random.Random) -> bytes:
    """A .npy file whose header says something else."""
    descr = dice.choice(
        ["'<f8'", "'|O'", "'<U5'", "'<i8'", "'|b1'", "'<c16'", "[('a', '<f4')]", "'<M8[s]'", "'<f2'", "3", "'|V7'"]
    )
    shape = dice.choice(
        ["(12, 5)", "()", "(0, 5)", "(-1, 5)", "(60,)", "(10**18, 5)", "(12, 5, 1)", "(True,)", "5", "('a',)"]
    )
    order = dice.choice(["False", "True", "None", "7"])
    head = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    head = dice.choice(
        [head, head, head, "(" * 300, "{'descr': ", head + ", 'x': 1}", "__import__('os').system('true')"]
    )
    head += " " * (117 - len(head) % 64) + "\n"
    size = dice.choice([len(head), len(head), 65535, 0])
    return b"\x93NUMPY\x01\x00" + (size & 0xFFFF).to_bytes(2, "little") + head.encode() + raw[128:]


def of_zip(raw: bytes, dice: random.Random) -> bytes:
    """An archive with a member that is another, twice there, gone, or no array."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return of_bytes(raw, dice)
    name, out = dice.choice(sorted(members)), io.BytesIO()
    action = dice.randrange(6)
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", dice.choice([0, 8])) as archive:
        warnings.simplefilter("ignore")
        for key, content in members.items():
            if key == name:
                if action == 0:
                    continue
                content = [b"", of_npy(content, dice), of_npy(content, dice), b"no array", content[: len(content) // 2],
                           content][action]  # fmt: skip
                key = dice.choice([key, key, key, key.removesuffix(".npy"), "../" + key])
            archive.writestr(key, content)
        if action == 5:
            archive.writestr(name, members[name][:-4])
    return out.getvalue()


def of_bytes(raw: bytes, dice: random.Random) -> bytes:
    """Bytes flipped, lost, doubled, zeroed, cut or added."""
    raw = bytearray(raw)
    if not raw:
        return b"x"
    action, place = dice.randrange(9), dice.randrange(len(raw))
    length = min(dice.choice([1, 2, 8, 64, 512]), len(raw) - place)
    if action <= 2:
        for _ in range(dice.choice([1, 1, 1, 3, 20])):
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    elif action == 3:
        del raw[place : place + length]
    elif action == 4:
        raw[place:place] = raw[place : place + length]
    elif action == 5:
        raw[place : place + length] = bytes(length)
    elif action == 6:
        del raw[place:]
    elif action == 7:
        raw += bytes(dice.randrange(256) for _ in range(length))
    else:
        raw[place : place + length] = bytes(dice.randrange(256) for _ in range(length))
    return bytes(raw)


SPECIAL = {".json": of_json, ".ipynb": of_json, ".csv": of_table, ".tsv": of_table, ".txt": of_table, ".md": of_table,
           ".yml": of_table, ".npy": of_npy, ".npz": of_zip}  # fmt: skip


def damaged(path: Path, raw: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """One damage of a file."""
    roll = dice.random()
    if roll < 0.03:
        return b""
    if roll < 0.08:
        return dice.choice(others)
    special = SPECIAL.get(path.suffix)
    return special(raw, dice) if special and roll < 0.65 else of_bytes(raw, dice)


def content(value) -> str:
    """A digest of anything that a reader gives."""
    import pandas as pd

    if hasattr(value, "similarities"):
        return digest(*(np.array(getattr(value, k)) for k in ("filenames", "similarities", "indices")))
    if hasattr(value, "key") and hasattr(value, "transform"):
        return value.key
    if isinstance(value, pd.DataFrame):
        return digest(value.to_csv())
    if isinstance(value, np.ndarray):
        return digest(np.array(value))
    if hasattr(value, "checksum"):
        return value.checksum
    return digest(repr(value))


def damage_files(found: Campaign, n: int, seed: int) -> None:
    """Damage whole files and read them."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = Path(scratch)
        (root / "own").mkdir()
        every = list(kinds(root / "own").items()) + published(root / "published")
        whole = {kind.path: kind.path.read_bytes() for _, kind in every}
        others = list(whole.values())
        wanted = {}
        for name, kind in every:
            wanted[name, kind.path] = content(kind.read(kind.path))
        for k in range(n):
            name, kind = every[k % len(every)]
            raw = damaged(kind.path, whole[kind.path], others, dice)
            if raw == whole[kind.path]:
                continue
            found.counts["files"] += 1
            kind.path.write_bytes(raw)
            os.utime(kind.path, ns=(k, k))
            outcome(found, f"{name} ({kind.path.name}), damage {k} of seed {seed}", kind, wanted[name, kind.path])
            kind.path.write_bytes(whole[kind.path])


def outcome(found: Campaign, what: str, kind: Kind, wanted: str) -> None:
    """Read a damaged file and note what came of it."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            value = kind.read(kind.path)
    except HumalignError as error:
        found.counts["refused"] += 1
        if "\n" in str(error) or (kind.path.name not in str(error) and kind.path.stem not in str(error)):
            found.counts["refused without the file's name"] += 1
        if "\n" in str(error):
            found.bad("not one line", f"{what}: {error}")
        return
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:  # the command line tells it in one line, too
            found.counts["refused by the system"] += 1
            return
        where = traceback.extract_tb(error.__traceback__)[-1]
        found.bad(
            "traceback",
            f"{what}: {type(error).__name__}: {str(error)[:150]} ({Path(where.filename).name}:{where.lineno})",
        )
        return
    if content(value) == wanted:
        found.counts["harmless"] += 1
    elif kind.sealed:
        found.bad("silent", what)
    else:
        found.counts["accepted, nothing could tell"] += 1


# ---- odd command lines ----------------------------------------------------------------------------------------------

ODD = ["", "-1", "0", "nan", "1e300", "x", "[/red]", "\udcff", "no/such", ".", "/", "/dev/null", "/proc/x", "9" * 20,
       "--", "-", "é", "things", "mini", "full", "softmax-resnet-s", "mini:x:y", "timm:", "open_clip:/", "features.npz",
       "a b", "{}", "[1", "null", "true", "*", "~", "..", "study", "own/n.md", "own/t.npz", "own/teacher", "own/shards",
       "own/s.safetensors", "own/n.ipynb", "own/h.h5", "own/w.pt"]  # fmt: skip


def command_lines(found: Campaign, n: int, seed: int) -> None:
    """Examples of all helps with words taken away, added, doubled and exchanged; their work is stood in for."""
    import importlib
    from unittest import mock

    import test_examples

    dice = random.Random(seed)
    lines = [line for _, line in test_examples.commands()]
    before = os.getcwd()

    def begin(*_, **__):
        raise test_examples.Reached("the work begins")

    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = Path(scratch)
        (root / "own").mkdir()
        kinds(root / "own")
        test_examples.make(root)
        for place in (*test_examples.WORK, "humalign.world.draw.render", "humalign.zoo.loading._build"):
            module, _, name = place.rpartition(".")
            stack.enter_context(mock.patch.object(importlib.import_module(module), name, begin))
        stack.enter_context(mock.patch.dict(os.environ, {"HF_HUB_OFFLINE": "1", "HOME": scratch}))
        stack.enter_context(mock.patch.object(sys, "stdin", io.StringIO()))
        os.chdir(scratch)
        stack.callback(os.chdir, before)
        for _ in range(n):
            words = odd_words(dice, test_examples, lines)
            if not words or words[0] == "record":
                continue
            found.counts["lines"] += 1
            out, err = io.StringIO(), io.StringIO()
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    code = cli.main(words)
            except SystemExit as stop:
                code = stop.code
            except BaseException as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(where.filename).name}:{where.lineno}"
                found.bad("traceback", f"{words}: {type(error).__name__}: {str(error)[:150]} ({place})")
                continue
            told = err.getvalue().strip()
            found.counts[f"exit code {code}"] += 1
            if code and ("\n" in told or not told.startswith("humalign")):
                found.bad("not one line", f"{words}: {told[:300]}")


def odd_words(dice, test_examples, lines) -> list[str]:
    """One odd command line."""
    line = dice.choice(lines).replace("$HUMALIGN_DATA", "DATA")
    line = line.partition("$(")[0] if "$(" in line else line
    words = test_examples.words(line, None)
    for _ in range(dice.choice([1, 1, 2, 3])):
        place = dice.randrange(1, len(words) + 1) if words else 0
        action = dice.randrange(4)
        if action == 0 and len(words) > 1:
            del words[min(place, len(words) - 1)]
        elif action == 1:
            words.insert(place, dice.choice(ODD))
        elif action == 2 and len(words) > 1:
            words[min(place, len(words) - 1)] = dice.choice(ODD)
        elif words:
            words.insert(place, dice.choice(words))
    return words


# ---- kills ----------------------------------------------------------------------------------------------------------

SLOW = """
import sys, time
from humalign.features import shards
from humalign import cli
write = shards.write_shard
def slowly(*args):
    write(*args)
    time.sleep(.05)
shards.write_shard = slowly
sys.exit(cli.main(sys.argv[1:]))
"""


def kills(found: Campaign, n: int, seed: int) -> None:
    """Kill extractions at any moment; the same command goes on to the same files, and nothing is left running."""
    from PIL import Image

    dice, mark = random.Random(seed), f"FAULTS_{os.getpid()}_{seed}"
    places = os.pathsep.join([str(Path(__file__).resolve().parents[1]), *filter(None, sys.path)])
    env = {**os.environ, "MARK": mark, "OMP_NUM_THREADS": "1", "PYTHONPATH": places}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "p").mkdir()
        rng = np.random.default_rng(seed)
        for k in range(40):
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(root / f"p/{k}.png")
        options = ["--images", "p", "--batch-size", "2", "--workers", "1", "--out"]
        command = [sys.executable, "-c", SLOW, "extract", "softmax-resnet-s", *options]
        quiet = {"cwd": root, "env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        start = time.monotonic()
        subprocess.run([*command, "whole"], check=True, **quiet)
        took = time.monotonic() - start
        wanted = {p.name: p.read_bytes() for p in (root / "whole").glob("shard-*")}
        for k in range(n):
            out, number = f"out{k}", dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            run = subprocess.Popen([*command, out], **quiet)
            time.sleep(dice.uniform(0.3, 1.0) * took)
            run.send_signal(number)
            err = run.communicate(timeout=120)[1]
            found.counts["kills"] += 1
            if "Traceback" in err and number != signal.SIGKILL and "humalign" in err:
                found.bad("traceback", f"kill {k} of seed {seed} by {number}: {err[-300:]}")
            if not gone(mark):
                found.bad("orphan", f"kill {k} of seed {seed} by {number}")
            subprocess.run([*command, out], **quiet)
            if {p.name: p.read_bytes() for p in (root / out).glob("shard-*")} != wanted:
                found.bad("not resumed", f"kill {k} of seed {seed} by {number}")
            shutil.rmtree(root / out, ignore_errors=True)


def gone(mark: str, seconds: float = 20) -> bool:
    """Whether all processes with a mark in their environment end within some seconds; the others are ended."""
    end = time.monotonic() + seconds
    while left := marked(mark):
        if time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.2)
    return True


def marked(mark: str) -> list[int]:
    """Processes whose environment holds a mark, zombies apart."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            zombie = (place / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not zombie and mark.encode() in (place / "environ").read_bytes() and int(place.name) != os.getpid():
                found.append(int(place.name))
    return found


def campaign(seed: int, n_files: int, n_lines: int, n_kills: int) -> Campaign:
    """All of it."""
    found = Campaign()
    damage_files(found, n_files, seed)
    command_lines(found, n_lines, seed)
    if n_kills:
        kills(found, n_kills, seed)
    return found


def main() -> int:
    """Run a campaign and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("seed", 0), ("files", 5000), ("lines", 600), ("kills", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    found = campaign(args.seed, args.files, args.lines, args.kills)
    for line in found.told:
        print(line.encode("ascii", "backslashreplace").decode())
    print(dict(sorted(found.counts.items())))
    return int(bool(found.failed))


if __name__ == "__main__":
    sys.exit(main())
