"""Tables of the small public files: computed where the files are at hand, else as they were last recorded."""

from __future__ import annotations

import datetime
import importlib.metadata
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from . import __version__, results
from .cache import kept
from .data import registry
from .edition import NOW
from .errors import InputError, MissingData
from .source import Source, open_source
from .store import content, read_json, sha256, write_json, write_text

RECORDED = Path(str(resources.files("humalign"))) / "recorded"
FOLDER = NOW.within(RECORDED)
PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "timm")


def write(name: str, tables: dict, *, profile: str, inputs: dict, folder=None) -> list[Path]:
    """Store tables as CSV and beside them what they were made from.

    Parameters
    ----------
    name : str
        The record, for instance "slice".
    tables : dict of str to DataFrame
        Each becomes ``<name>_<key>.csv``.
    profile : str
    inputs : dict
        Name and checksum of every data set used.

    Returns
    -------
    list of Path
        The files written; the description ``<name>.json`` last.
    """
    folder = FOLDER if folder is None else Path(folder)
    paths = []
    for key, frame in tables.items():
        text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        paths.append(write_text(folder / f"{name}_{key}.csv", text))
    facts = {
        "profile": profile, "date": datetime.date.today().isoformat(), "version": __version__, "inputs": inputs,
        "packages": {p: importlib.metadata.version(p) for p in PACKAGES},
        "tables": {p.name: sha256(p) for p in paths},
    }  # fmt: skip
    return [*paths, write_json(folder / f"{name}.json", facts)]


def facts(name: str, folder=None) -> dict:
    """What a record was made from: date, version, inputs, packages."""
    path = (FOLDER if folder is None else Path(folder)) / f"{name}.json"
    if not path.is_file():
        raise MissingData(f"nothing called '{name}' was recorded", path, "run 'humalign record' where the data are")
    return read_json(path)


def read(name: str, key: str, folder=None) -> pd.DataFrame:
    """One recorded table; result tables come back with provenance "recorded".

    Raises
    ------
    InputError
        When the file does not match the checksum it was recorded with.
    """
    folder = FOLDER if folder is None else Path(folder)
    path = folder / f"{name}_{key}.csv"
    known = facts(name, folder)["tables"].get(path.name)
    if known is None:
        raise MissingData(f"has no table '{key}'", folder / f"{name}.json", "run 'humalign record' where the data are")
    if not path.is_file() or sha256(path) != known:
        raise InputError("is missing or was changed after it was recorded", path, "run 'humalign record' again")
    return _mended(pd.read_csv(io.StringIO(path.read_text("utf8"))), provenance="recorded")


def _mended(frame: pd.DataFrame, **common) -> pd.DataFrame:
    """A table as it comes back from CSV; of result tables, empty words are words again."""
    if set(results.COLUMNS) <= set(frame.columns):
        return results.table(frame[results.COLUMNS], **common)
    return frame


# ---- live or recorded ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tables:
    """Named tables, where they come from ("live" or "recorded") and the date of the computation."""

    tables: dict[str, pd.DataFrame]
    provenance: str
    when: str

    def __getitem__(self, key: str) -> pd.DataFrame:
        return self.tables[key]


@dataclass(frozen=True)
class Study:
    """Some tables of the small public files, or of the drawn world: their record, what they need, how they are made.

    Of a profile count its data folder, seed, cache and device, not its name: real people are read in every profile.

    Attributes
    ----------
    name : str
        Of the record, for instance "slice_probing".
    needed : frozenset of str
        Names in the data registry.
    keys : tuple of str
        Names of the tables.
    version : int
        Goes up when the numbers change.
    make : callable
        Source of the public files to dict of str to DataFrame.
    live : bool
        False: it takes many minutes, so pages show what was recorded also where the files are; ``humalign record``
        computes it.
    profile : str
        "slice" for the small public files, "mini" for the drawn world.
    """

    name: str
    needed: frozenset[str]
    keys: tuple[str, ...]
    version: int
    make: Callable[[Source], dict]
    live: bool = True
    profile: str = "slice"

    def source(self, profile) -> Source:
        """The public files in the data folder of a profile, or the drawn world."""
        return open_source(profile.with_(name=self.profile))

    def missing(self, profile) -> str:
        """What keeps the tables from being computed, in words; "" where all files are there."""
        if profile.data is None and self.needed:
            return "needs a data folder"
        gone = sorted(self.needed - set(registry.available(profile.with_(name="slice"))))
        return f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} not here" if gone else ""

    def inputs(self, profile) -> dict:
        """Checksums of the files read, by their path in the data folder; of a folder one of all its files."""
        found = [p for name in sorted(self.needed) for p in registry.entry(name).files_in(profile.data).values()]
        return {path.relative_to(profile.data).as_posix(): content(path) for path in found}

    def compute(self, profile) -> dict:
        """All tables by name, computed now or taken from the cache."""
        source = self.source(profile)
        parts = [self.inputs(profile), profile.seed]
        made = kept(profile, self.name, self.version, parts, lambda: self.make(source))
        return {key: _mended(table) for key, table in made.items()}

    def record(self, profile, folder=None) -> list[Path]:
        """Compute all tables and store them with the package, or in another folder; see :func:`write`.

        Raises
        ------
        MissingData
            Without the files, so that no record is recorded again.
        """
        if gone := self.missing(profile):
            raise MissingData(gone, self.name, "point HUMALIGN_DATA or --data at the folder with the public files")
        made = self.compute(profile)
        return write(self.name, made, profile=self.profile, inputs=self.inputs(profile), folder=folder)

    def tables(self, profile) -> Tables:
        """The tables: live where the files are there and it does not take long, else recorded."""
        if self.live and not self.missing(profile):
            return Tables(self.compute(profile), "live", datetime.date.today().isoformat())
        return Tables({key: read(self.name, key) for key in self.keys}, "recorded", facts(self.name)["date"])


def file_of(name: str, what: str, command: str) -> Path:
    """Path of a recorded file; MissingData says what is not recorded, and the command that records it."""
    path = FOLDER / name
    if not path.is_file():
        raise MissingData("no run is recorded", what, command)
    return path
