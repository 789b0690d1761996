"""Tidy result tables: one row = data set x model x seed x layer x stage x measure, with its provenance."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from .errors import InputError
from .store import write_text

KEYS = ["profile", "dataset", "model", "seed", "layer", "stage", "measure", "detail"]
COLUMNS = [*KEYS, "value", "low", "high", "n", "provenance", "source"]
PROVENANCE = ("live", "recorded", "published", "second-hand")
DEFAULTS = {
    "seed": 0,
    "layer": "",
    "stage": "",
    "detail": "",
    "low": np.nan,
    "high": np.nan,
    "n": np.nan,
    "provenance": "live",
    "source": "",
}


def farthest(provenances, none: str = "") -> str:
    """Of several provenances the one farthest from live, which a number made from all of them has."""
    return max(set(provenances) - {""}, key=PROVENANCE.index, default=none)


def table(rows, **common) -> pd.DataFrame:
    """A result table from dicts or a frame; ``common`` fills columns, defaults fill the rest.

    Parameters
    ----------
    rows : list of dict or DataFrame
        Each with at least dataset, model, measure and value (and profile, here or in ``common``).

    Raises
    ------
    InputError
        When a column is unknown or missing, a row occurs twice, or a provenance is none of
        live, recorded, published, second-hand.
    """
    frame = pd.DataFrame(rows).copy()
    for key, value in common.items():
        frame[key] = value
    for key, value in DEFAULTS.items():
        if key not in frame:
            frame[key] = value
    if unknown := sorted(set(frame) - set(COLUMNS)):
        raise InputError(f"unknown columns {', '.join(unknown)}", "result table", f"columns are {', '.join(COLUMNS)}")
    if missing := [c for c in COLUMNS if c not in frame]:
        raise InputError(f"columns {', '.join(missing)} are missing", "result table", "fill them")
    frame = frame[COLUMNS].reset_index(drop=True)
    text = ["profile", "dataset", "model", "layer", "stage", "measure", "detail", "provenance", "source"]
    frame[text] = frame[text].astype(object).fillna("").astype(str)
    frame["seed"] = frame["seed"].astype(int)
    frame[["value", "low", "high", "n"]] = frame[["value", "low", "high", "n"]].astype(float)
    if wrong := sorted(set(frame["provenance"]) - set(PROVENANCE)):
        raise InputError(
            f"provenance '{wrong[0]}' is not known", "result table", f"choose one of {', '.join(PROVENANCE)}"
        )
    twice = frame.duplicated([*KEYS, "provenance"])
    if twice.any():
        row = frame.loc[twice, KEYS].iloc[0].tolist()
        raise InputError(f"the row {row} occurs twice", "result table", "one row per key")
    return frame


def combine(*tables) -> pd.DataFrame:
    """Several result tables as one, checked again."""
    tables = [t for t in tables if len(t)]
    return table(pd.concat(tables, ignore_index=True)) if tables else pd.DataFrame(columns=COLUMNS)


def write(frame: pd.DataFrame, path) -> Path:
    """Write a result table as CSV, atomically; numbers to 6 significant digits."""
    return write_text(path, table(frame).to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def read(path, provenance: str | None = None) -> pd.DataFrame:
    """Read a result table; ``provenance`` replaces the one stored (for instance "recorded")."""
    path = Path(path)
    if not path.is_file():
        raise InputError("this result table does not exist", path, "compute it first")
    try:
        frame = pd.read_csv(io.StringIO(path.read_text("utf8")), keep_default_na=True)
    except ValueError as error:
        raise InputError(f"cannot be read as CSV ({error})", path, "compute it again") from None
    return table(frame, **({"provenance": provenance} if provenance else {}))


def best_layer(frame: pd.DataFrame) -> pd.DataFrame:
    """Per key without the layer, the row with the largest value (the paper's best-of-two-layers rule)."""
    keys = [k for k in KEYS if k != "layer"]
    return frame.loc[frame.groupby(keys, sort=False)["value"].idxmax()].reset_index(drop=True)
