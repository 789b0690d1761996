"""Bootstrap intervals over concepts, objects or any other unit, by multinomial counts and matrix products."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .arrays import as_triplets, to_numpy
from .errors import InputError


@dataclass(frozen=True)
class Interval:
    """A value with its bootstrap interval.

    Attributes
    ----------
    value, low, high : float
    n : int
        Number of observations behind the value.
    level : float
        Coverage aimed at, such as 0.95.
    replicates : array, shape (n_boot,)
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95
    replicates: np.ndarray = field(default=None, repr=False, compare=False)

    def __iter__(self):
        return iter((self.value, self.low, self.high))


def multinomial_counts(n_units: int, n_boot: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each unit is drawn in each replicate: int array (n_boot, n_units), rows sum to n_units."""
    if n_units < 2:
        raise InputError(f"there is {n_units}", "units", "a bootstrap needs at least two units")
    if n_boot < 1:
        raise InputError(f"is {n_boot}", "n_boot", "give at least 1")
    return np.random.default_rng(seed).multinomial(n_units, np.full(n_units, 1 / n_units), size=n_boot)


def interval_of(replicates, value: float, n: int, level: float = 0.95) -> Interval:
    """Percentile interval of replicates (NaN replicates are left out)."""
    if not 0 < level < 1:
        raise InputError(f"is {level}", "level", "give a share between 0 and 1")
    replicates = np.asarray(replicates, dtype=float)
    finite = replicates[np.isfinite(replicates)]
    if len(finite) == 0:
        return Interval(float(value), float("nan"), float("nan"), int(n), level, replicates)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high), int(n), level, replicates)


def mean_interval(values, groups=None, *, n_boot: int = 1000, level: float = 0.95, seed: int = 0) -> Interval:
    """Mean of values, resampled by unit.

    Parameters
    ----------
    values : array, shape (n,)
    groups : array, shape (n,), optional
        Unit of each value; units are drawn whole. Default: every value is a unit.
    n_boot, level, seed

    Returns
    -------
    Interval
    """
    values = np.asarray(to_numpy(values), dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise InputError(f"have shape {values.shape}", "values", "give a vector of at least two")
    if groups is None:
        sums, sizes = values, np.ones(len(values))
    else:
        _, labels = np.unique(np.asarray(groups), return_inverse=True)
        sums, sizes = np.bincount(labels, values), np.bincount(labels)
    counts = multinomial_counts(len(sums), n_boot, seed)
    return interval_of(counts @ sums / (counts @ sizes), values.mean(), len(values), level)


def triplet_interval(
    scores,
    triplets,
    groups=None,
    *,
    method: str = "linear",
    n_boot: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    n_objects: int | None = None,
) -> Interval:
    r"""Mean score of triplets with an interval over the objects (or concepts) that they are made of.

    Parameters
    ----------
    scores : array, shape (n,)
        Score of each triplet, as :func:`humalign.odd_one_out.scores` gives; for a paired comparison of two models the
        difference of their scores.
    triplets : int array, shape (n, 3)
    groups : array, shape (m,), optional
        Concept of each object; concepts are drawn whole. Default: every object is a unit.
    method : {"linear", "product"}
        "product": a triplet weighs the product of the counts of its three units. That multiplies the noise of single
        triplets by up to eight. "linear" (default) keeps the first order,
        :math:`w = 1 + \sum_u (c_u - 1)`, and then takes out the noise of a triplet that its three units count twice too
        often (as cluster-robust variances for dyads do); it costs one matrix product for all replicates.
    n_boot, level, seed
    n_objects : int, optional
        Number of objects; default: as many as ``groups`` or the triplets name.

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        For shapes that do not fit, or fewer than two units.
    """
    if method not in ("linear", "product"):
        raise InputError(f"'{method}' is not known", "method", "choose 'linear' or 'product'")
    scores = np.asarray(to_numpy(scores), dtype=float)
    rows = to_numpy(as_triplets(triplets, n_objects if groups is None else len(groups)))
    if scores.shape != (len(rows),):
        raise InputError(f"have shape {scores.shape}", "scores", f"give one for each of {len(rows)} triplets")
    if groups is not None:
        _, labels = np.unique(np.asarray(groups), return_inverse=True)
        rows = labels[rows]
    # only units that occur can be drawn: the others carry no information
    units, index = np.unique(rows, return_inverse=True)
    index = index.reshape(rows.shape)
    counts = multinomial_counts(len(units), n_boot, seed)
    value = scores.mean()
    if method == "product":
        replicates = np.empty(n_boot)
        columns = index.T.copy()
        for replicate, count in enumerate(counts):
            weight = count[columns[0]] * count[columns[1]] * count[columns[2]]
            total = weight.sum()
            replicates[replicate] = weight @ scores / total if total else np.nan
        return interval_of(replicates, value, len(rows), level)
    flat = index.reshape(-1)
    residual = scores - value
    by_unit = np.bincount(flat, np.repeat(residual, 3), len(units))
    size = np.bincount(flat, minlength=len(units))
    total = counts @ size - 2.0 * len(rows)
    deviation = (counts @ by_unit) / np.where(total > 0, total, np.nan)
    # variance over units counts the own noise of each distinct triplet three times: take two out
    keys = np.sort(index, axis=1)
    keys = (keys[:, 0] * len(units) + keys[:, 1]) * len(units) + keys[:, 2]
    _, same = np.unique(keys, return_inverse=True)
    own = np.square(np.bincount(same, residual)).sum() / len(rows) ** 2
    variance = np.square(by_unit).sum() / len(rows) ** 2
    shrink = np.sqrt(max(variance - 2 * own, own) / variance) if variance > 0 else 1.0
    return interval_of(value + shrink * deviation, value, len(rows), level)
