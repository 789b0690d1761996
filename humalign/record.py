"""Recorded results: numbers computed earlier from data that are not in the repository, with what made them."""

from __future__ import annotations

import datetime
import importlib.metadata
import io
from importlib import resources
from pathlib import Path

import pandas as pd

from . import __version__, results
from .errors import InputError, MissingData
from .store import read_json, sha256, write_json, write_text

FOLDER = Path(str(resources.files("humalign"))) / "recorded"
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
    frame = pd.read_csv(io.StringIO(path.read_text("utf8")))
    if set(results.COLUMNS) <= set(frame.columns):
        return results.table(frame[results.COLUMNS], provenance="recorded")
    return frame
