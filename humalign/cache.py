"""Products worth keeping: under their name, a version that goes up with their numbers, and what they were made from."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from . import results
from .results import Measured
from .store import cached, lock

FOLDER = "products"
TABLE, MEASURED = "table: ", "measured"  # how arrays that hold a table as text are called


def kept(profile, name: str, version: int, inputs, make):
    """What ``make()`` gave when it was last called with the same version and inputs; one process computes, others wait.

    Parameters
    ----------
    profile : Profile
        Names the cache folder.
    name : str
        Of the product, for instance "zero-shot-things"; letters that a file name cannot hold are replaced.
    version : int
        Goes up whenever the numbers may change. ``tests/test_versions.py`` compares the products of a small source with
        those recorded for the present versions, so that a change without a new version is noticed.
    inputs : list
        Everything else that decides the product, see :func:`humalign.store.digest`: checksums of data and features,
        parameters.
    make : callable
        Gives a DataFrame, a Measured, or a dict of arrays and DataFrames. Tables are kept as CSV text at full
        precision.

    Returns
    -------
    As ``make()``; tables as they come back from their text, also the first time.
    """
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    folder = profile.cache / FOLDER
    with lock(folder / f".{name}.lock"):
        return _unpack(cached(folder, name, [version, inputs], lambda: _pack(make())))


def _pack(made) -> dict:
    if isinstance(made, Measured):
        return {MEASURED: _text(made.table), "draws": made.draws}
    if isinstance(made, pd.DataFrame):
        return {TABLE: _text(made)}
    return {TABLE + k if (table := isinstance(v, pd.DataFrame)) else k: _text(v) if table else v
            for k, v in made.items()}  # fmt: skip


def _unpack(arrays: dict):
    if MEASURED in arrays:
        return Measured(results.table(_frame(arrays[MEASURED])), arrays["draws"])
    if TABLE in arrays:
        return _frame(arrays[TABLE])
    return {k.removeprefix(TABLE): _frame(v) if k.startswith(TABLE) else v for k, v in arrays.items()}


def _text(table: pd.DataFrame) -> np.ndarray:
    return np.frombuffer(table.to_csv(index=False).encode(), np.uint8)


def _frame(stored: np.ndarray) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(stored.tobytes()))
