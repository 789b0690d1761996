"""Results with their bootstrap draws, so that any contrast of rows has an interval that respects shared objects."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from . import results
from .errors import InputError
from .store import load_arrays, save_arrays

LEVEL = 0.95


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
            raise InputError(
                f"draws of shape {self.draws.shape} for {len(self.table)} rows", "measured", "one row each"
            )
        self.table = self.table.reset_index(drop=True)

    @classmethod
    def of(cls, rows, draws, **common) -> Measured:
        """A result table with its intervals filled from ``draws``."""
        draws = np.asarray(draws, dtype=np.float32)
        table = results.table(rows, **common)
        table["low"], table["high"] = interval(draws)
        return cls(table, draws)

    def select(self, rows) -> Measured:
        """Rows by mask or by a pandas query string."""
        if isinstance(rows, str):
            rows = self.table.index.isin(self.table.query(rows).index)
        rows = np.asarray(rows)
        return Measured(self.table[rows], self.draws[rows])

    def save(self, path) -> Path:
        """Write ``path`` (CSV) and the draws beside it (safetensors), atomically."""
        path = Path(path)
        results.write(self.table, path)
        save_arrays(
            path.with_suffix(".draws.safetensors"), {"draws": self.draws.astype(np.float16)}, {"rows": len(self.table)}
        )
        return path

    @classmethod
    def load(cls, path, provenance: str | None = None) -> Measured:
        """Read what :meth:`save` wrote."""
        path = Path(path)
        table = results.read(path, provenance)
        arrays, _ = load_arrays(path.with_suffix(".draws.safetensors"))
        return cls(table, arrays["draws"])


def combine(*parts: Measured) -> Measured:
    """Several measured tables as one; they must have equally many draws."""
    sizes = {p.draws.shape[1] for p in parts}
    if len(sizes) != 1:
        raise InputError(f"parts have {sorted(sizes)} draws", "measured", "compute them with one number of draws")
    return Measured(results.combine(*[p.table for p in parts]), np.concatenate([p.draws for p in parts]))
