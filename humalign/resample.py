"""Every draw and every interval: triplets, pairs, single units, training runs, and differences of them.

Objects (or their concepts) are drawn with replacement, by the counts of :mod:`humalign.draws`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from .draws import DRAWS, SEED, counts
from .errors import InputError
from .results import Measured, interval

ROWS = 64  # rows of scores in memory as float32 at a time


# ---- what is drawn ---------------------------------------------------------------------------------------------------


def drawn_rows(n: int, generator: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Counts with draws of a generator, for units that no other data set shares: float64 (n, draws)."""
    rows = generator.integers(n, size=(draws, n))
    return np.stack([np.bincount(row, minlength=n) for row in rows], 1).astype(np.float64)


def codes(concepts) -> tuple[np.ndarray, int]:
    """Number of the concept of each object, concepts in alphabetical order, and how many there are."""
    names, found = np.unique(np.asarray(concepts), return_inverse=True)
    return found, len(names)


def _incidence(members: np.ndarray, concepts):
    """Which concepts each triplet (or pair) holds, sparse float32 (n, concepts) of 0 and 1, and how many there are."""
    from scipy import sparse

    members, (found, k) = np.asarray(members), codes(concepts)
    if members.ndim != 2 or members.shape[1] not in (2, 3) or (members.size and members.max() >= len(found)):
        raise InputError(f"do not name two or three of {len(found)} objects", "triplets", "align them to the concepts")
    n, each = members.shape
    flat = sparse.coo_array(
        (np.ones(each * n, np.float32), (np.repeat(np.arange(n), each), found[members].ravel())), (n, k)
    ).tocsr()
    flat.data[:] = 1  # a concept that occurs twice in a triplet counts once
    return flat


def _distinct(triplets: np.ndarray):
    """The first row of each distinct triplet (d,), and which rows ask it, sparse float32 (n, d)."""
    from scipy import sparse

    _, first, index = np.unique(np.sort(triplets, axis=1), axis=0, return_index=True, return_inverse=True)
    rows = np.arange(len(triplets))
    return first, sparse.coo_array((np.ones(len(rows), np.float32), (rows, index.ravel()))).tocsr()


def _deviation(adds, within, drawn: np.ndarray, one=None) -> np.ndarray:
    r"""Deviation of a statistic from its estimate in each bootstrap sample of the concepts, to first order: (rows, B).

    A triplet with concepts u weighs :math:`1 + \sum_u (c_u - 1)` where concept u is drawn :math:`c_u` times: the first
    order of the product of the counts, which would multiply the noise of single triplets by up to eight. The noise of a
    triplet that its concepts still count too often is taken out of the width, as cluster-robust variances for dyads do.

    Parameters
    ----------
    adds : float (rows, n)
        What each triplet (pair) adds to the statistic, mean 0 over the triplets.
    within : sparse (n, k)
        Its concepts.
    drawn : float (k, B)
    one : tuple of int (d,) and sparse (n, d), optional
        First row of each distinct triplet and which rows ask it, where its rows share their noise.
    """
    by_concept = (within.T @ adds.T).T
    first, same = (slice(None), None) if one is None else one
    squares = (adds if same is None else (same.T @ adds.T).T) ** 2
    several = (within.sum(1) - 1)[first]  # concepts of each triplet, less one
    variance = (by_concept.astype(np.float64) ** 2).sum(1)
    honest = np.maximum(variance - squares @ several, squares.sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(variance > 0, np.sqrt(honest / variance), 1.0)
    return factor[:, None] * (by_concept @ (drawn - 1)) / adds.shape[1]


# ---- means -----------------------------------------------------------------------------------------------------------


def unit_means(values) -> tuple[float, np.ndarray]:
    """Mean over units (n,), such as classes or concepts, and its bootstrap draws (B,)."""
    values = np.asarray(values)
    drawn = counts(len(values)).astype(np.float64)
    return values.mean(), (values @ drawn) / drawn.sum(0)


def triplet_means(
    scores, triplets, concepts, draws: int = DRAWS, seed: int = SEED, repeated: bool = False
):  # fmt: skip
    """Mean score of each row over triplets, and bootstrap draws over concepts that all rows share.

    Parameters
    ----------
    scores : bool or float (n,) or (rows, n)
        One row a network.
    triplets : int (n, 3) or (n, 2)
        Triplets, or pairs.
    concepts : sequence (m,)
        Concept of each object; objects of a concept are drawn together.
    draws, seed : int
    repeated : bool
        Several people answered the same triplets: answers to one triplet share its noise. Default: every row has its
        own, so that intervals on repeated triplets come out too wide.

    Returns
    -------
    value : float64 (rows,), or a number
    draws : float32 (rows, B), or (B,)

    Raises
    ------
    InputError
        For scores of another length, or triplets of other objects.
    """
    scores = np.asarray(scores)
    if scores.ndim == 1:
        value, out = triplet_means(scores[None], triplets, concepts, draws, seed, repeated)
        return float(value[0]), out[0]
    n = len(triplets)
    if scores.ndim != 2 or scores.shape[1] != n:
        raise InputError(f"have shape {scores.shape} for {n} triplets", "scores", "give (rows, triplets)")
    within = _incidence(triplets, concepts)
    drawn, one = counts(within.shape[1], draws, seed), _distinct(triplets) if repeated else None
    value = scores.mean(1, dtype=np.float64)
    out = np.empty((len(scores), draws), np.float32)
    for start in range(0, len(scores), ROWS):
        rows = slice(start, start + ROWS)
        residual = scores[rows].astype(np.float32) - value[rows, None].astype(np.float32)
        out[rows] = value[rows, None] + _deviation(residual, within, drawn, one)
    return value, out


def r2(target, predicted, folds, groups, draws: int = DRAWS, pooled: bool = False):
    """R2 of each dimension on held-out objects and its bootstrap draws over groups of objects.

    Parameters
    ----------
    target, predicted : float (m, d)
        Each row predicted while it was held out.
    folds : list of bool (m,)
        Training objects of each fold.
    groups : sequence (m,)
        Concept of each object.
    pooled : bool
        Squares summed over folds before they are divided, instead of the mean of the folds' R2 (the paper); steadier
        where a fold holds few objects of a dimension.

    Returns
    -------
    value : float (d,)
    drawn : float (d, B)
    """
    code, k = codes(groups)
    weights = np.c_[np.ones(k), counts(k, draws)][code]
    parts = []
    for train in folds:
        weight, y = weights[~train].T, target[~train]
        total = weight.sum(1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = weight @ y**2 - (weight @ y) ** 2 / total
            residual = weight @ (y - predicted[~train]) ** 2
        parts.append((residual, np.where(spread > 1e-9 * total, spread, np.nan)))
    residual, spread = (np.stack(part) for part in zip(*parts))
    residual = np.where(np.isnan(spread), np.nan, residual)
    both = 1 - np.nansum(residual, 0) / np.nansum(spread, 0) if pooled else np.nanmean(1 - residual / spread, axis=0)
    return both[0], both[1:].T


def calibration_error(probabilities, triplets, concepts, draws: int = DRAWS, bins: int = 10) -> np.ndarray:
    """Bootstrap draws (B,) of the expected calibration error, over concepts, centred on the estimate.

    Noise of the samples only adds to the error, so their mean lies above the estimate; this difference is taken away.

    Parameters
    ----------
    probabilities : float (n, 3)
        Class 0 is the truth.
    triplets : int (n, 3)
    concepts : sequence (m,)
        Concept of each object.
    draws, bins : int
    """
    within, confidence = _incidence(triplets, concepts), probabilities.max(1)
    gap = (probabilities.argmax(1) == 0) - confidence
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    member = (index == np.arange(bins)[:, None]) * gap  # (bins, n)
    by_concept, used = (within.T @ member.T).T, np.asarray(within.sum(0))  # weights are 1 + sum of (count - 1)
    drawn = counts(within.shape[1], draws) - 1
    found = np.abs(member.sum(1, keepdims=True) + by_concept @ drawn).sum(0) / (len(gap) + used @ drawn)
    return np.maximum(found - (np.nanmean(found) - np.abs(member.sum(1)).sum() / len(gap)), 0)


# ---- correlations ----------------------------------------------------------------------------------------------------


def _above(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Sum of ``v`` over the rows whose ``x`` is larger, and half of it over those where it is equal; (n,)."""
    ordered = np.sort(x)
    total = np.r_[0, np.cumsum(v[np.argsort(x, kind="stable")])]
    return total[-1] - (total[np.searchsorted(ordered, x, "left")] + total[np.searchsorted(ordered, x, "right")]) / 2


def _influence(x, y, method: str) -> tuple[float, np.ndarray]:
    """Correlation of two vectors (n,), and its influence function at each row: mean 0, (n,).

    Of Pearson's r of standardised a, b it is ab - r (a^2 + b^2) / 2. Spearman's rho is that of mid-ranks, and a row
    also moves the ranks of the rows above it.
    """
    from scipy.stats import rankdata

    if method not in ("spearman", "pearson"):
        raise InputError(f"'{method}' has no draws", "method", "choose spearman or pearson")
    a, b = (rankdata(v) if method == "spearman" else np.asarray(v, np.float64) for v in (x, y))
    a, b = a - a.mean(), b - b.mean()
    first, second = a.std(), b.std()
    if not first or not second:
        return float("nan"), np.full(len(a), np.nan)
    a, b = a / first, b / second
    r = (a * b).mean()
    adds = a * b - r / 2 * (a**2 + b**2)
    if method == "spearman":
        adds += _above(x, b - r * a) / first + _above(y, a - r * b) / second
    return float(r), adds - adds.mean()


def _on_z(value: float, deviation: np.ndarray) -> np.ndarray:
    """Draws of a correlation from their first-order deviation, on Fisher's z, so that none leaves -1 to 1."""
    if 1 - abs(value) < 1e-12:
        return np.full(deviation.shape, value)
    return np.tanh(np.arctanh(value) + deviation / (1 - value**2))


def unit_correlation(x, y, drawn: np.ndarray | None = None, method: str = "spearman") -> tuple[float, np.ndarray]:
    """Correlation of two values of each unit (n,), and its bootstrap draws (B,) over units.

    Parameters
    ----------
    x, y : float (n,)
    drawn : float (n, B), optional
        How often each unit is drawn; default: :func:`counts`.
    method : {"spearman", "pearson"}
    """
    value, adds = _influence(np.asarray(x), np.asarray(y), method)
    drawn = counts(len(adds)) if drawn is None else drawn
    return value, _on_z(value, adds @ (drawn - 1) / len(adds))


def triplet_correlation(x, y, triplets, concepts, draws: int = DRAWS, method: str = "spearman"):
    """Correlation of two values of each triplet, and bootstrap draws over concepts.

    Parameters
    ----------
    x, y : float (n,)
    triplets : int (n, 3) or (n, 2)
        Distinct triplets, or pairs.
    concepts : sequence (m,)
        Concept of each object.
    draws : int
    method : {"spearman", "pearson"}

    Returns
    -------
    value : float
    draws : float (B,)
        First order in the counts, by the influence of each triplet; width as in :func:`triplet_means`.
    """
    value, adds = _influence(np.asarray(x), np.asarray(y), method)
    within = _incidence(triplets, concepts)
    return value, _on_z(value, _deviation(adds[None], within, counts(within.shape[1], draws))[0])


@lru_cache(maxsize=4)
def _pairs(n: int):
    """Which objects each pair of ``n`` holds, upper triangle row by row: sparse (pairs, n)."""
    return _incidence(np.stack(np.triu_indices(n, 1), 1), np.arange(n))


def pair_correlation(values, reference, draws: int = DRAWS, method: str = "spearman") -> tuple[float, np.ndarray]:
    """Correlation of two vectors of pairs of objects, such as RDMs, and bootstrap draws (B,) over objects.

    Parameters
    ----------
    values : float (pairs,)
        Upper triangle of an (n, n) matrix, row by row.
    reference : float (pairs,) or (references, pairs)
        Of several references the mean of the correlations with each.
    draws : int
    method : {"spearman", "pearson"}

    Returns
    -------
    value : float
    draws : float (B,)
        First order in the counts, by the influence of each pair; width as in :func:`triplet_means`. Pairs of an object
        with its own copy, zero in both matrices, play no part.
    """
    found = [_influence(np.asarray(values), one, method) for one in np.atleast_2d(reference)]
    value, adds = (np.mean(part, axis=0) for part in zip(*found))
    within = _pairs(round((1 + (1 + 8 * len(adds)) ** 0.5) / 2))
    return float(value), _on_z(float(value), _deviation(adds[None], within, counts(within.shape[1], draws))[0])


# ---- networks and their training runs --------------------------------------------------------------------------------


def over_runs(draws, name: str = "", seed: int = 0) -> np.ndarray:
    """Draws of the mean over training runs, with the runs resampled as well.

    Parameters
    ----------
    draws : array (runs, B)
        Draws over objects of each training run, in the order of the seeds.
    name : str
        Of the network: all measures of one network resample its runs alike, so that differences stay paired.

    Returns
    -------
    array (B,)
    """
    draws = np.asarray(draws)
    generator = np.random.default_rng([seed, zlib.crc32(str(name).encode())])
    pick = generator.integers(len(draws), size=draws.shape)
    return draws[pick, np.arange(draws.shape[1])].mean(0)


def averaged(measured: Measured, by) -> pd.DataFrame:
    """Mean over training runs of all rows that agree in some columns.

    Parameters
    ----------
    measured : Measured
    by : sequence of str
        Columns of the result table, ``model`` among them.

    Returns
    -------
    DataFrame
        These columns, value, low, high (95 %, objects and training runs resampled), seeds (how many runs), each (the
        single runs in words, where there are several).
    """
    by, rows = list(by), []
    for key, own in measured.table.sort_values("seed", kind="stable").groupby(by, sort=False):
        found = dict(zip(by, key))
        low, high = interval(over_runs(measured.draws[own.index], found["model"]))
        each = " ".join(f"{v:.4f}" for v in own["value"]) if len(own) > 1 else ""
        rows.append({**found, "value": own["value"].mean(), "low": float(low), "high": float(high),
                     "seeds": len(own), "each": each})  # fmt: skip
    return pd.DataFrame(rows, columns=[*by, "value", "low", "high", "seeds", "each"])


@dataclass(frozen=True)
class Networks:
    """One value a network (mean over its training runs), with draws that resample objects and runs together.

    Attributes
    ----------
    value : float (networks,)
    draws : float (networks, B)
    facts : DataFrame
        Of these networks, with ``runs``: how many training runs each has.
    """

    value: np.ndarray
    draws: np.ndarray
    facts: pd.DataFrame

    def rows(self, query: str | None) -> np.ndarray:
        """Row numbers of the networks a pandas query names (all when empty)."""
        if not query:
            return np.arange(len(self.facts))
        return self.facts.index.get_indexer(self.facts.query(query).index)

    def both(self) -> np.ndarray:
        """Values and draws side by side, (networks, 1 + B)."""
        return np.concatenate([self.value[:, None], self.draws], axis=1)


def networks(measured: Measured, facts: pd.DataFrame, layer: str = "best") -> Networks:
    """Results of one measure, a row a network.

    Parameters
    ----------
    measured : Measured
        Rows of one measure; where a network has several layers, ``layer`` says which counts.
    facts : DataFrame
        Facts of the networks, column ``model``; others are left out.
    layer : str
        A layer name, or "best" for the larger value of those present (the first paper's rule), or "" for any.
    """
    if layer not in ("", "best"):
        measured = measured.select((measured.table["layer"] == layer).to_numpy())
    measured = measured.select(measured.table["model"].isin(facts["model"]).to_numpy())
    names, values, draws, runs = [], [], [], []
    for name, rows in measured.table.sort_values("seed", kind="stable").groupby("model", sort=False):
        if layer == "best":  # one layer a network: that with the larger mean over runs
            rows = rows[rows["layer"] == rows.groupby("layer")["value"].mean().idxmax()]
        names.append(name)
        runs.append(len(rows))
        values.append(rows["value"].mean())
        draws.append(over_runs(measured.draws[rows.index], name))
    known = facts.drop_duplicates("model").set_index("model")
    known = known.loc[names].reset_index() if names else known.iloc[:0].reset_index()
    drawn = np.array(draws).reshape(len(names), measured.draws.shape[1])
    return Networks(np.array(values), drawn, known.assign(runs=runs))


def difference(measured: Measured, plus: dict, minus: dict, by=("model",)) -> pd.DataFrame:
    """Rows that match ``plus`` less rows that match ``minus``: paired draws, mean over the training runs of both.

    Parameters
    ----------
    measured : Measured
        Rows of one measure, data set and detail.
    plus, minus : dict
        Columns and their values, for instance ``{"stage": "AligNet"}``.
    by : sequence of str
        Columns that both sides share, ``model`` among them.

    Returns
    -------
    DataFrame
        These columns, value, low, high (95 %), seeds (common runs); the mean over all lines comes last, as model "all".
        No lines where nothing is common.

    Raises
    ------
    InputError
        When several rows of one run match.
    """
    table, by, sides = measured.table, list(by), []
    for where in (plus, minus):
        own = table[np.all([table[column] == value for column, value in where.items()], axis=0)]
        if own.duplicated([*by, "seed"]).any():
            raise InputError(f"{where} names several rows of a run", "difference", "select one measure and detail")
        sides.append(own[[*by, "seed"]].reset_index())
    common = sides[0].merge(sides[1], on=[*by, "seed"], suffixes=("", "_minus")).sort_values("seed", kind="stable")
    order = sides[0][by].drop_duplicates().merge(common[by].drop_duplicates())
    values, rows, drawn = table["value"].to_numpy(), [], []
    for key in order.itertuples(index=False, name=None):
        own = common[(common[by] == list(key)).all(axis=1)]
        i, j, found = own["index"], own["index_minus"], dict(zip(by, key))
        drawn.append(over_runs(measured.draws[i] - measured.draws[j], found["model"]))
        rows.append({**found, "value": (values[i] - values[j]).mean(), "seeds": len(own)})
    if rows:
        mean, runs = np.mean([row["value"] for row in rows]), sum(row["seeds"] for row in rows)
        rows.append({**dict.fromkeys(by, ""), "model": "all", "value": mean, "seeds": runs})
        low, high = interval(np.stack([*drawn, np.mean(drawn, 0)]))
    else:
        low = high = np.empty(0)
    out = pd.DataFrame(rows, columns=[*by, "value", "seeds"])
    return out.assign(low=low, high=high)[[*by, "value", "low", "high", "seeds"]]
