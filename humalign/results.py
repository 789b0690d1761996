"""Tidy result tables: one row = data set x model x seed x layer x stage x measure, with its provenance.

A :class:`Measured` adds bootstrap draws row by row, so that any contrast of rows has an interval that respects shared
objects.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .draws import packed, unpacked
from .errors import InputError
from .store import load_arrays, save_arrays, write_text

KEYS = ["profile", "dataset", "model", "seed", "layer", "stage", "measure", "detail"]
COLUMNS = [*KEYS, "value", "low", "high", "n", "provenance", "source"]
PROVENANCE = ("live", "recorded", "published", "second-hand")
LEVEL = 0.95  # coverage of intervals
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


def interval(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of bootstrap draws along the last axis; NaN draws are left out.

    Parameters
    ----------
    draws : float array (..., B)
    level : float
        Coverage, for instance .95.

    Returns
    -------
    low, high : float arrays (...)
    """
    tail = 50 * (1 - level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows without any draw have no interval: NaN
        low, high = np.nanpercentile(np.asarray(draws, dtype=float), [tail, 100 - tail], axis=-1)
    return low, high


def monte_carlo_error(draws: np.ndarray, level: float = LEVEL) -> float:
    """How far an end of an :func:`interval` would move with other draws (B,): its standard error, the larger of both.

    Half the distance of the order statistics one standard error of a binomial count below and above the quantile
    (Woodruff 1952).
    """
    draws = np.asarray(draws, float)
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return float("nan")
    tail = (1 - level) / 2
    step = np.sqrt(tail * (1 - tail) / len(draws))
    ends = [np.quantile(draws, np.clip([q - step, q + step], 0, 1)) for q in (tail, 1 - tail)]
    return float(max((high - low) / 2 for low, high in ends))


@dataclass
class Measured:
    """A result table and, row by row, bootstrap draws of its values.

    Attributes
    ----------
    table : DataFrame
        Columns of :mod:`humalign.results`.
    draws : float array (rows, B)
        Draw b of every row of one data set uses the same resampled objects, so differences of rows are paired.
    """

    table: pd.DataFrame
    draws: np.ndarray

    def __post_init__(self):
        self.draws = np.asarray(self.draws, dtype=np.float32)
        if self.draws.ndim != 2 or len(self.draws) != len(self.table):
            raise InputError(f"draws of shape {self.draws.shape} for {len(self.table)} rows", "results", "one row each")
        self.table = self.table.reset_index(drop=True)

    @classmethod
    def of(cls, rows, draws, **common) -> Measured:
        """A result table with its intervals filled from ``draws``."""
        draws = np.asarray(draws, dtype=np.float32)
        frame = table(rows, **common)
        frame["low"], frame["high"] = interval(draws)
        return cls(frame, draws)

    def select(self, rows) -> Measured:
        """Rows by mask or by a pandas query string."""
        if isinstance(rows, str):
            rows = self.table.index.isin(self.table.query(rows).index)
        rows = np.asarray(rows)
        return Measured(self.table[rows], self.draws[rows])

    def save(self, path, small: bool = False) -> Path:
        """Write ``path`` (CSV) and the draws beside it (safetensors), atomically.

        Parameters
        ----------
        path : path
        small : bool
            Draws in few numbers (:func:`humalign.draws.packed`, some seconds): for tables that stay in the repository.
        """
        path, table = Path(path), self.table
        write(table, path)
        kinds = [str(row) for row in table[["dataset", "measure", "detail", "n"]].itertuples(index=False, name=None)]
        arrays = packed(self.draws, kinds) if small else {"draws": self.draws.astype(np.float16)}
        save_arrays(path.with_suffix(".draws.safetensors"), arrays, {"rows": len(table)})
        return path

    @classmethod
    def load(cls, path, provenance: str | None = None) -> Measured:
        """Read what :meth:`save` wrote."""
        path = Path(path)
        arrays, _ = load_arrays(path.with_suffix(".draws.safetensors"))
        return cls(read(path, provenance), unpacked(arrays) if "units" in arrays else arrays["draws"])


def combine(*parts):
    """Several result tables as one, checked again; or several :class:`Measured`, with as many draws as each part has.

    Raises
    ------
    InputError
        Without any.
    """
    if not parts:
        raise InputError("nothing was measured", "results", "name networks and layers whose features are at hand")
    if not any(isinstance(part, Measured) for part in parts):
        tables = [part for part in parts if len(part)]
        return table(pd.concat(tables, ignore_index=True)) if tables else pd.DataFrame(columns=COLUMNS)
    draws = min(part.draws.shape[1] for part in parts)  # the first draws of many are those of few
    return Measured(combine(*[part.table for part in parts]), np.concatenate([part.draws[:, :draws] for part in parts]))


class Rows:
    """Collects rows of a result table with their draws; ``common`` fills columns of all rows."""

    def __init__(self, **common):
        self.common, self.rows, self.draws = common, [], []

    def add(self, dataset, measure, detail, value, draws, n, **more):
        """One row; ``draws`` (B,); ``more`` columns beside the common ones."""
        own = {"dataset": dataset, "measure": measure, "detail": detail, "value": float(value), "n": n}
        self.rows.append({**own, **self.common, **more})
        self.draws.append(np.asarray(draws, np.float32))

    def measured(self) -> Measured:
        """The table."""
        return Measured.of(self.rows, np.stack(self.draws))
