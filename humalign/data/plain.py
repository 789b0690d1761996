"""The plain layout: one folder a study, written and read by names; the drawn world comes in it, and so can your data.

A data folder holds one folder a study (in the drawn world ``things``, ``test``, ``cichy``, ``king1``, ``king2``; choose
any name). Only ``pictures.csv`` must be there; a folder with that file is a study. Tables are UTF-8 text separated by
commas; their first line names the columns, in any order. Pictures are named by their ids in ``pictures.csv``.

``pictures.csv``
    One line a picture. ``id``: any text without control characters, each once. ``file``: path of a PNG, JPEG or WebP
    file below this folder, with ``/``, for instance ``pictures/dog1.png``. Optional: ``concept`` (what it shows;
    default the id: draws of intervals and folds keep pictures of a concept together), ``kind`` (its category), ``part``
    (of a split of the concepts, such as ``seen``). Further columns are kept in ``Stimuli.meta``.
``answers.csv``
    One line an answer to "which is the odd one out?": ``first`` and ``second`` (ids of the pair that stays together),
    ``odd`` (id of the odd one), three different pictures. Optional: ``person``, ``seconds`` (response time, above 0, in
    every line), ``level`` (for instance coarse). Further columns are kept in ``Triplets.meta``.
``control.csv``, ``labels.csv``, ``repeated.csv``, ``repeated-again.csv``
    Columns as in ``answers.csv``. ``control``: answers without relation to the pictures. ``labels``: triplets that
    follow from categories; nobody answered. ``repeated``: answers of several people to the same triplets, for noise
    ceilings. ``repeated-again``: the same people once more, line by line the same triplets as ``repeated``.
``sessions.csv``
    One line a trial, with everything that happened, in the order in which it is to be read: ``participant``, ``kind``
    (``trial``, or ``catch`` for one with a known answer), ``level`` (coarse, fine, boundary; empty in a catch trial),
    ``image1``, ``image2``, ``image3`` (ids as shown; a catch trial may show one picture twice), ``selected`` (id of the
    odd one; empty when nothing was chosen in time), ``seconds`` (empty then). With catch trials also ``correct``.
``arrangement.npz``
    Arrays ``ids`` (m,) text and ``rdm`` (m, m) or (people, m, m): dissimilarities, symmetric, zero diagonal, any unit.
``people.npz``
    How people decide. ``ids`` (m,), ``names`` (d,) of the dimensions, ``dimensions`` (m, d), not negative: the dot
    product of two rows is the similarity of two pictures. Optional: ``probabilities`` (n, 3), for each line of
    ``answers.csv`` the chances that people keep (first, second), (first, odd), (second, odd); ``known`` (true: people
    were simulated and this is the truth, so that a Bayes limit exists; default false: a model of people); ``nearest``
    (how many dimensions an answer is attributed to; default 1); ``title`` (where the dimensions come from).

Arrays are plain: pickled objects are never read. ``humalign world data --out DIR`` writes a folder to imitate, and
:func:`humalign.source.open_source` reads one, 'humalign data verify' checks all of it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from .. import levels
from ..errors import InputError, MissingData
from ..store import atomic_path, digest, write_text
from . import files as read
from .ids import check_finite, check_ids, positions
from .types import HumanRDM, Stimuli, Triplets

PICTURES = "pictures.csv"
ANSWERS = ("first", "second", "odd")
MORE = {"person": "participants", "seconds": "response_times", "level": "level"}  # column: field of Triplets
OWNER = "as its owner says"
LIKE = "'humalign world data --out DIR' writes a folder to imitate"


@dataclass(frozen=True, eq=False)
class People:
    """How people decide, as far as it is known.

    Attributes
    ----------
    ids : tuple of str (m,)
    names : tuple of str (d,)
        Of the dimensions.
    dimensions : float array (m, d)
        Not negative; dot products are similarities.
    probabilities : float array (n, 3), optional
        Chances that people keep pair (0, 1), (0, 2), (1, 2) of each answered triplet.
    known : bool
        People were simulated and this is the truth; else it is a model of people.
    nearest : int
        Dimensions that a triplet is attributed to.
    title, name : str
        Where the dimensions come from, in words; the data set.

    Raises
    ------
    InputError
        For shapes that do not fit, repeated names, values that are negative or not finite, rows that do not sum to 1.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    dimensions: np.ndarray
    probabilities: np.ndarray | None = None
    known: bool = False
    nearest: int = 1
    title: str = "people's dimensions"
    name: str = "people"

    def __post_init__(self):
        object.__setattr__(self, "ids", check_ids(self.ids, self.name))
        object.__setattr__(self, "names", check_ids(self.names, f"{self.name} (names)"))
        found, shape = np.asarray(self.dimensions), (len(self.ids), len(self.names))
        if found.shape != shape or found.dtype.kind not in "fiu":
            told = f"dimensions are {found.dtype} {found.shape} for {shape[0]} ids and {shape[1]} names"
            raise InputError(told, self.name, "give one row a picture and one column a dimension")
        check_finite(found, f"{self.name} (dimensions)")
        if (found < 0).any():
            row = int(np.argwhere(found < 0)[0][0])
            raise InputError(f"row {row} ('{self.ids[row]}') is negative", self.name, "dimensions begin at 0")
        if not 1 <= int(self.nearest) <= shape[1]:
            raise InputError(f"nearest is {self.nearest} of {shape[1]} dimensions", self.name, "choose at least 1")
        if self.probabilities is None:
            return
        chances = np.asarray(self.probabilities)
        if chances.ndim != 2 or chances.shape[1] != 3 or chances.dtype.kind != "f":
            told = f"probabilities are {chances.dtype} {chances.shape}"
            raise InputError(told, self.name, "give floats of shape (answers, 3)")
        check_finite(chances, f"{self.name} (probabilities)")
        bad = (chances < 0).any(1) | (np.abs(chances.sum(1) - 1) > 1e-3)
        if bad.any():
            told = f"row {int(np.argmax(bad))} of the probabilities is negative or does not sum to 1"
            raise InputError(told, self.name, "give chances")

    def align(self, ids) -> People:
        """The same people with pictures in the order of ``ids``; probabilities belong to answers and stay."""
        rows = positions(self.ids, ids, self.name)
        return replace(self, ids=tuple(self.ids[r] for r in rows), dimensions=self.dimensions[rows])

    @cached_property
    def checksum(self) -> str:
        """Digest of all that numbers depend on."""
        return digest(self.ids, self.names, self.dimensions, self.probabilities, self.nearest)


# ---- folders and tables ----------------------------------------------------------------------------------------------


def studies(root) -> list[str]:
    """Names of the studies in the plain layout below a data folder, sorted."""
    root = Path(root)
    return sorted(p.parent.name for p in root.glob(f"*/{PICTURES}") if not p.parent.name.startswith("."))


@contextlib.contextmanager
def new_folder(path):
    """A folder beside ``path`` that becomes it when the block ends well; InputError where ``path`` holds something."""
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError("exists and is not an empty folder", path, "choose another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield made
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(made, 0o777 & ~umask)
        os.replace(made, path)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def read_table(path, columns) -> dict[str, list[str]]:
    """A table as text, column by column; blanks around cells do not count.

    Raises
    ------
    MissingData, InputError
        No file; not UTF-8; a column of ``columns`` missing, one named twice, a line with another number of cells, no
        line at all.
    """
    path = read.exists(path, LIKE)
    try:
        lines = list(csv.reader(io.StringIO(read.read_text(path), newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"cannot be read as a table ({error})", path, "write plain CSV, separated by commas") from None
    while lines and not any(cell.strip() for cell in lines[-1]):
        lines.pop()
    head = [name.strip() for name in lines[0]] if lines else []
    if gone := [name for name in columns if name not in head]:
        mend = f"the first line names the columns {', '.join(columns)}"
        if len(head) == 1 and re.search("[;\t]", head[0]):
            mend = "separate cells by commas"
        raise InputError(f"has no column called {', '.join(gone)} (it has {', '.join(head[:8]) or 'none'})", path, mend)
    if twice := [name for name in head if head.count(name) > 1]:
        raise InputError(f"has two columns called '{twice[0]}'", path, "rename one")
    if len(lines) < 2:
        raise InputError("has a header and no lines", path, "add them, or remove the file")
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(head):
            told = f"line {number} has {len(cells)} cells for {len(head)} columns"
            raise InputError(told, path, 'put text with commas between "quotation marks"')
    return {name: [cell.strip() for cell in cells] for name, cells in zip(head, zip(*lines[1:]))}


def write_table(path, table: dict) -> Path:
    """A table of :func:`read_table`, every digit kept, atomically.

    Raises
    ------
    InputError
        For text that would not come back: control characters, or blanks at its ends.
    """
    for column, values in table.items():
        for number, value in enumerate(values, 2):
            if isinstance(value, str) and (value != value.strip() or not value.isprintable()):
                told = f"line {number}, column {column}: {value!r} has control characters or blanks at its ends"
                raise InputError(told, path, "rename it")
    frame = pd.DataFrame(table)
    return write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def _numbers(values, path, column, mend, empty: bool = False) -> np.ndarray:
    """Text as finite floats; an empty cell is NaN where that is allowed."""
    with contextlib.suppress(ValueError):
        if np.isfinite(out := np.array(values, dtype=float)).all():
            return out
    out = np.empty(len(values))
    for row, text in enumerate(values):
        try:
            out[row] = float(text) if text or not empty else np.nan
            fine = np.isfinite(out[row]) or (empty and not text)
        except ValueError:
            fine = False
        if not fine:
            raise InputError(f"line {row + 2}: {column} is '{text}', not a number", path, mend)
    return out


def _rows(values, pictures: Stimuli, path, column, empty: bool = False) -> np.ndarray:
    """Row of each name in ``pictures``; -1 for an empty cell where that is allowed."""
    index = {name: row for row, name in enumerate(pictures.ids)} | ({"": -1} if empty else {})
    found = [index.get(name) for name in values]
    if None in found:
        row = found.index(None)
        told = f"line {row + 2}: {column} '{values[row]}' is no id of {PICTURES}"
        raise InputError(told, path, f"name a picture of {PICTURES}, or add it there")
    return np.array(found, np.int64)


def _people(values, path) -> np.ndarray:
    """People as whole numbers where all names are such, else as text."""
    if "" in values:
        raise InputError(f"line {values.index('') + 2} names no person", path, "name all, or remove the column")
    whole = all(re.fullmatch("0|[1-9][0-9]{0,17}", name) for name in values)
    return np.array(values, np.int64 if whole else str)


# ---- pictures --------------------------------------------------------------------------------------------------------


def write_pictures(folder, stimuli: Stimuli, **columns) -> None:
    """``pictures.csv`` (id, file, concept, further columns) and the pictures as PNG, without loss.

    Parameters
    ----------
    folder : path
        Of the study.
    stimuli : Stimuli
        With pixels, uint8 (m, h, w, 3).
    **columns
        Further columns, m cells each, for instance ``kind`` and ``part``.
    """
    from PIL import Image

    folder, names, used = Path(folder), [], set()
    for row, name in enumerate(stimuli.ids):
        stem = re.sub(r"[^\w.-]+", "-", name)[:80].lstrip(".") or "picture"
        stem = stem if stem.casefold() not in used else f"{stem}-{row}"
        used.add(stem.casefold())
        names.append(f"pictures/{stem}.png")
    for name, pixels in zip(names, stimuli.images):
        with atomic_path(folder / name) as partial:
            Image.fromarray(pixels).save(partial, format="PNG")
    write_table(folder / PICTURES, {"id": stimuli.ids, "file": names, "concept": stimuli.concepts, **columns})


def read_pictures(folder, source: str = "", licence: str = OWNER) -> Stimuli:
    """Pictures of a study: paths, concepts, all further columns in ``meta``.

    Raises
    ------
    MissingData, InputError
        No table or a picture that is not there; ids that are empty or occur twice, paths that leave the folder, cells
        without a concept.
    """
    folder = Path(folder)
    path = folder / PICTURES
    table = read_table(path, ("id", "file"))
    seen: dict[str, int] = {}
    for number, (name, file) in enumerate(zip(table["id"], table["file"]), 2):
        if not name or not name.isprintable():
            raise InputError(f"line {number} has no id of printable characters", path, "give every picture an id")
        if (first := seen.setdefault(name, number)) != number:
            raise InputError(f"line {number}: id '{name}' stands in line {first} already", path, "rename one")
        pure = PurePosixPath(file)
        inside = pure.parts and not pure.is_absolute() and ".." not in pure.parts and ":" not in pure.parts[0]
        if not inside or "\\" in file or not file.isprintable():
            told = f"line {number}: file '{file}' is no path below this folder"
            raise InputError(told, path, "write it as pictures/NAME.png, with /")
        if not (folder / file).is_file():
            raise MissingData(f"line {number}: {file} does not exist", path, "put the picture there or mend its name")
    concepts = table.get("concept", table["id"])
    if "" in concepts:
        told = f"line {concepts.index('') + 2} has no concept"
        raise InputError(told, path, "name what every picture shows, or remove the column")
    meta = {name: cells for name, cells in table.items() if name not in ("id", "file", "concept")}
    paths = [str(folder / name) for name in table["file"]]
    return Stimuli(tuple(table["id"]), source or folder.name, licence, paths, tuple(concepts), meta, folder.name)


# ---- what people did -------------------------------------------------------------------------------------------------


def write_answers(path, data: Triplets) -> Path:
    """Odd-one-out answers by names of pictures."""
    table = dict(zip(ANSWERS, np.array(data.ids, object)[data.triplets].T))
    more = {column: getattr(data, field) for column, field in MORE.items()}
    return write_table(path, table | {column: values for column, values in more.items() if values is not None})


def read_answers(path, pictures: Stimuli, name: str) -> Triplets:
    """Answers over the objects of ``pictures``, in the order of the lines.

    Raises
    ------
    MissingData, InputError
        No file; missing columns; names that are no pictures; a picture named twice in a line; times that are no numbers
        above 0.
    """
    table = read_table(path, ANSWERS)
    rows = np.stack([_rows(table[column], pictures, path, column) for column in ANSWERS], 1)
    ordered = np.sort(rows, 1)
    if (twice := (ordered[:, 1:] == ordered[:, :-1]).any(1)).any():
        row = int(np.argmax(twice))
        told = f"line {row + 2} names one picture twice ({', '.join(table[column][row] for column in ANSWERS)})"
        raise InputError(told, path, "a triplet has three pictures")
    more: dict = {"meta": {column: cells for column, cells in table.items() if column not in (*ANSWERS, *MORE)}}
    if "person" in table:
        more["participants"] = _people(table["person"], path)
    if "level" in table:
        more["level"] = np.array(table["level"])
    if "seconds" in table:
        mend = "give the time in every line, or remove the column"
        more["response_times"] = _numbers(table["seconds"], path, "seconds", mend)
        if (slow := more["response_times"] <= 0).any():
            raise InputError(f"line {int(np.argmax(slow)) + 2}: seconds are not above 0", path, mend)
    return Triplets(pictures.ids, rows, pictures.source, pictures.licence, name, pictures.concepts, **more)


def check_again(first: Triplets, again: Triplets, path) -> None:
    """InputError where ``again`` does not ask the triplets of ``first`` line by line."""
    one, two = (np.sort(data.triplets, 1) for data in (first, again))
    differs = (one != two).any(1) if one.shape == two.shape else np.ones(1, bool)
    if differs.any():
        told = f"line {int(np.argmax(differs)) + 2}" if one.shape == two.shape else "the number of lines"
        raise InputError(f"{told} differs from repeated.csv", path, "repeat the same triplets line by line")


def write_sessions(path, trials: pd.DataFrame) -> Path:
    """Trials in the columns of :mod:`humalign.levels`; what is missing is left empty."""
    columns = [*levels.COLUMNS, *(["correct"] if "correct" in trials else [])]
    told = trials[columns].astype(object).where(trials[columns].notna(), "")
    return write_table(path, {column: told[column].tolist() for column in columns})


def read_sessions(path, pictures: Stimuli) -> pd.DataFrame:
    """Trials in the columns of :mod:`humalign.levels`, in the order of the lines; missing: ``selected``, ``seconds``.

    Raises
    ------
    MissingData, InputError
        No file; missing columns; names that are no pictures; an unknown kind or level; a choice that was not shown; a
        chosen trial without time.
    """
    table = read_table(path, levels.COLUMNS)
    catch = np.array(table["kind"]) == "catch"
    if (strange := ~catch & (np.array(table["kind"]) != "trial")).any():
        row = int(np.argmax(strange))
        raise InputError(f"line {row + 2}: kind '{table['kind'][row]}' is not known", path, "write trial or catch")
    shown = np.stack([_rows(table[column], pictures, path, column) for column in levels.IMAGES], 1)
    for column in ("selected", *(["correct"] if catch.any() else [])):
        if column not in table:
            raise InputError(f"has catch trials and no column called {column}", path, "say what is right in them")
        made = _rows(table[column], pictures, path, column, empty=True)
        stray = (made >= 0) & (made[:, None] != shown).all(1)
        if stray.any():
            row = int(np.argmax(stray))
            told = f"line {row + 2}: {column} '{table[column][row]}' is none of the three pictures"
            raise InputError(told, path, "name one that was shown")
        if column == "correct" and (made[catch] < 0).any():
            row = int(np.flatnonzero(catch & (made < 0))[0])
            raise InputError(f"line {row + 2} is a catch trial without its right answer", path, "fill in correct")
    seconds = _numbers(table["seconds"], path, "seconds", "write seconds, or nothing where nothing was chosen", True)
    chosen = np.array(table["selected"]) != ""
    if (untimed := chosen & ~(seconds > 0)).any():
        row = int(np.argmax(untimed))
        raise InputError(f"line {row + 2} has a choice without a time above 0", path, "fill in seconds")
    columns = [*levels.COLUMNS, *(["correct"] if "correct" in table else [])]
    frame = pd.DataFrame({column: table[column] for column in columns}).assign(seconds=seconds)
    frame["selected"] = frame["selected"].where(chosen, np.nan)
    try:
        return levels.check_trials(frame)
    except InputError as error:
        raise InputError(error.problem, path, error.remedy) from None


def write_arrangement(path, data: HumanRDM) -> None:
    """Dissimilarities of every person."""
    with atomic_path(path) as partial:
        np.savez_compressed(partial, ids=np.array(data.ids), rdm=data.rdm)


def read_arrangement(path, pictures: Stimuli) -> HumanRDM:
    """Dissimilarities (people, m, m) or (m, m) of some or all pictures of a study.

    Raises
    ------
    MissingData, InputError
        No file; names that are no pictures or occur twice; a matrix of another shape, not symmetric, with NaN, or with
        a diagonal that is not zero.
    """
    found = read.read_npz(path, ("ids", "rdm"))
    ids, concept = _known(found["ids"], pictures, path), dict(zip(pictures.ids, pictures.concepts))
    return _of_file(path, HumanRDM, ids, found["rdm"], pictures.source, pictures.licence, Path(path).parent.name,
                    tuple(concept[name] for name in ids))  # fmt: skip


def write_people(path, people: People) -> None:
    """What is known of people."""
    with atomic_path(path) as partial:
        np.savez_compressed(partial, **{key: value for key, value in vars(people).items()
                                        if key in People.__dataclass_fields__ and value is not None})  # fmt: skip


def read_people(path, pictures: Stimuli) -> People:
    """How people see the pictures of a study, in the order of its pictures.

    Raises
    ------
    MissingData, InputError
        No file; as :class:`People`; a picture without dimensions.
    """
    found = read.read_npz(path, ("ids", "names", "dimensions"))
    names = {key: tuple(map(str, np.atleast_1d(found[key]))) for key in ("ids", "names")}
    _known(names["ids"], pictures, path)
    kinds = {"known": bool, "nearest": int, "title": str, "name": str}
    more = {key: kind(found[key]) for key, kind in kinds.items() if key in found}
    made = _of_file(path, People, **names, dimensions=found["dimensions"], probabilities=found.get("probabilities"),
                    **more)  # fmt: skip
    return _of_file(path, made.align, pictures.ids)


def _known(ids, pictures: Stimuli, path) -> tuple[str, ...]:
    ids, known = tuple(map(str, np.atleast_1d(ids))), set(pictures.ids)
    if strange := [row for row, name in enumerate(ids) if name not in known]:
        told = f"row {strange[0]} of ids: '{ids[strange[0]]}' is no id of {PICTURES}"
        raise InputError(told, path, "name pictures as they are named there")
    return ids


def _of_file(path, make, *values, **named):
    """What ``make`` gives; what is wrong is said of the file."""
    try:
        return make(*values, **named)
    except InputError as error:
        raise InputError(error.problem, path, error.remedy) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"holds something else than this layout asks for ({error})", path, LIKE) from None
