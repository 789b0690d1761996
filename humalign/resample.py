"""Every draw and every interval: triplets, pairs, single units, training runs, and differences of them.

Objects (or their concepts) are drawn with replacement. There is one set of counts for each number of units, so that all
rows of a data set share their draws and differences of rows are paired.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .errors import InputError
from .results import Measured, interval

DRAWS = 200
SEED = 2023  # of the resampled concepts; the same in every study, so that data sets with the same concepts are paired
ROWS = 64  # rows of scores in memory as float32 at a time


# ---- what is drawn ---------------------------------------------------------------------------------------------------


def counts(n: int, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """How often each of ``n`` units is drawn, with replacement, in each bootstrap sample: float32 (n, draws)."""
    generator = np.random.default_rng([seed, n])
    return generator.multinomial(n, np.full(n, 1 / n), size=draws).T.astype(np.float32)


def drawn_rows(n: int, generator: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """The same with draws of a generator, for units that no other data set shares: float64 (n, draws)."""
    rows = generator.integers(n, size=(draws, n))
    return np.stack([np.bincount(row, minlength=n) for row in rows], 1).astype(np.float64)


def codes(concepts) -> tuple[np.ndarray, int]:
    """Number of the concept of each object, concepts in alphabetical order, and how many there are."""
    names, found = np.unique(np.asarray(concepts), return_inverse=True)
    return found, len(names)


def _incidence(triplets: np.ndarray, concepts):
    """Which concepts each triplet holds, sparse float32 (n, concepts) of 0 and 1, and the number of concepts."""
    from scipy import sparse

    triplets, (found, k) = np.asarray(triplets), codes(concepts)
    if triplets.ndim != 2 or triplets.shape[1] != 3 or (triplets.size and triplets.max() >= len(found)):
        raise InputError(f"do not name three of {len(found)} objects", "triplets", "align them to the concepts")
    n = len(triplets)
    flat = sparse.coo_array(
        (np.ones(3 * n, np.float32), (np.repeat(np.arange(n), 3), found[triplets].ravel())), (n, k)
    ).tocsr()
    flat.data[:] = 1  # a concept that occurs twice in a triplet counts once
    return flat, k


def _distinct(triplets: np.ndarray):
    """The first row of each distinct triplet (d,), and which rows ask it, sparse float32 (n, d)."""
    from scipy import sparse

    _, first, index = np.unique(np.sort(triplets, axis=1), axis=0, return_index=True, return_inverse=True)
    rows = np.arange(len(triplets))
    return first, sparse.coo_array((np.ones(len(rows), np.float32), (rows, index.ravel()))).tocsr()


def triplet_weights(triplets, concepts, draws: int = DRAWS) -> np.ndarray:
    """Weight of each triplet in each bootstrap sample of the concepts: 1 + sum of (count - 1), at least 0; (n, B)."""
    within, k = _incidence(triplets, concepts)
    return np.maximum(1 + within @ (counts(k, draws).astype(np.float64) - 1), 0)


# ---- means -----------------------------------------------------------------------------------------------------------


def unit_means(values) -> tuple[float, np.ndarray]:
    """Mean over units (n,), such as classes or concepts, and its bootstrap draws (B,)."""
    values = np.asarray(values)
    drawn = counts(len(values)).astype(np.float64)
    return values.mean(), (values @ drawn) / drawn.sum(0)


def triplet_means(
    scores, triplets, concepts, draws: int = DRAWS, seed: int = SEED, repeated: bool = False
):  # fmt: skip
    r"""Mean score of each row over triplets, and bootstrap draws over concepts that all rows share.

    A triplet with concepts u weighs :math:`w = 1 + \sum_u (c_u - 1)` where concept u is drawn :math:`c_u` times: the
    first order of the product of the counts, which would multiply the noise of single triplets by up to eight. The
    noise of a triplet that its concepts still count too often is taken out of the width, as cluster-robust variances
    for dyads do.

    Parameters
    ----------
    scores : bool or float (n,) or (rows, n)
        One row a network.
    triplets : int (n, 3)
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
    within, k = _incidence(triplets, concepts)
    several = within.sum(1) - 1  # concepts of each triplet, less one
    first, one = _distinct(triplets) if repeated else (slice(None), None)
    drawn, used = counts(k, draws, seed), np.asarray(within.sum(0))
    total = n + used @ drawn - used.sum()
    total = np.where(total > 0, total, np.nan)
    value = scores.mean(1, dtype=np.float64)
    out = np.empty((len(scores), draws), np.float32)
    for start in range(0, len(scores), ROWS):
        rows = slice(start, start + ROWS)
        residual = scores[rows].astype(np.float32) - value[rows, None].astype(np.float32)
        by_concept = (within.T @ residual.T).T
        deviation = (by_concept @ drawn - (residual @ several)[:, None]) / total
        squares = (residual if one is None else (one.T @ residual.T).T) ** 2
        out[rows] = value[rows, None] + _honest(by_concept, squares, several[first])[:, None] * deviation
    return value, out


def _honest(by_concept, squares, several) -> np.ndarray:
    """Factor of the width of draws, (rows,): without the noise of triplets that their concepts count too often."""
    variance = (by_concept.astype(np.float64) ** 2).sum(1)
    honest = np.maximum(variance - squares @ several, squares.sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 0, np.sqrt(honest / variance), 1.0)


def triplet_spearman(x, y, triplets, concepts, draws: int = DRAWS) -> tuple[float, np.ndarray]:
    """Spearman correlation of two values of each triplet, and bootstrap draws over concepts.

    Parameters
    ----------
    x, y : float (n,)
    triplets : int (n, 3)
        Distinct.
    concepts : sequence (m,)
        Concept of each object.
    draws : int

    Returns
    -------
    value : float
    draws : float (B,)
        Weights of :func:`triplet_weights`, and the width of :func:`triplet_means` for what each triplet adds to the
        correlation.
    """
    plain = np.ones((len(x), 1))
    value = float(spearman(x, y, plain)[0])
    drawn = spearman(x, y, triplet_weights(triplets, concepts, draws))
    within, _ = _incidence(triplets, concepts)
    a, b = (((r := ranks(v, plain)[:, 0]) - r.mean()) / r.std() for v in (x, y))
    adds = (a * b - value / 2 * (a**2 + b**2))[None]
    return value, value + _honest((within.T @ adds.T).T, adds**2, within.sum(1) - 1) * (drawn - value)


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
    weights, confidence = triplet_weights(triplets, concepts, draws), probabilities.max(1)
    gap = (probabilities.argmax(1) == 0) - confidence
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    member = (index == np.arange(bins)[:, None]) * gap  # (bins, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.abs(member @ weights).sum(0) / weights.sum(0)
    return np.maximum(found - (np.nanmean(found) - np.abs(member.sum(1)).sum() / len(gap)), 0)


# ---- correlations ----------------------------------------------------------------------------------------------------


def _middle(ordered: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mid-ranks of sorted values (n,) that occur ``weights`` (n, B) times, rows in sorted order."""
    upto = np.cumsum(weights, axis=0)  # whole numbers below 2**24: exact in float32
    first = np.r_[True, ordered[1:] != ordered[:-1]]
    if first.all():
        return upto - weights / 2
    start = np.flatnonzero(first)
    end = np.r_[start[1:], len(ordered)] - 1
    before = np.where(start[:, None] > 0, upto[start - 1], 0)
    return ((before + upto[end]) / 2)[np.cumsum(first) - 1]


def ranks(values, weights: np.ndarray) -> np.ndarray:
    """Mid-ranks of values (n,) among rows that occur ``weights`` (n, B) times; equal values share a rank: (n, B)."""
    values = np.asarray(values)
    order = np.argsort(values, kind="stable")
    middle = _middle(values[order], weights.take(order, 0))
    out = np.empty_like(middle)
    out[order] = middle
    return out


def spearman(x, y, weights: np.ndarray) -> np.ndarray:
    """Spearman correlation of two vectors (n,) whose rows occur ``weights`` (n, B) times: float (B,).

    NaN where no row is drawn, or all that are drawn are equal.
    """
    a, b = ranks(x, weights), ranks(y, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        w = weights / weights.sum(0)
        a, b = a - (w * a).sum(0), b - (w * b).sum(0)
        return (w * a * b).sum(0) / np.sqrt((w * a * a).sum(0) * (w * b * b).sum(0))


class Pairs:
    """Correlations between vectors of pairs of objects, in every bootstrap sample of the objects.

    A pair weighs the product of the counts of its objects, as if rows and columns were repeated; pairs of an object
    with itself stay out, as usual in RSA (they are zero in both matrices and would inflate the result).

    Parameters
    ----------
    n : int
        Number of objects; vectors hold the upper triangle of an n x n matrix, row by row.
    drawn : float array (n, B), optional
        Default: :func:`counts`.
    """

    def __init__(self, n: int, draws: int = DRAWS, drawn: np.ndarray | None = None):
        drawn = counts(n, draws) if drawn is None else drawn
        i, j = np.triu_indices(n, 1)
        self.weights = drawn[i] * drawn[j]
        self.total = self.weights.sum(0, dtype=np.float64)
        self._last: tuple | None = None

    def _reference(self, values, method: str) -> np.ndarray:
        """Weights times the standardised reference, (pairs, B); kept for the next call."""
        if self._last is None or self._last[0] is not values or self._last[1] != method:
            kind = self.weights.dtype
            several = np.asarray(values) if np.ndim(values) == 2 else np.asarray(values)[None]
            total = 0
            for one in several:
                used = ranks(one, self.weights) if method == "spearman" else np.asarray(one, kind)[:, None]
                mean = (self.weights * used).sum(0, dtype=np.float64) / self.total
                centred = used - mean.astype(kind)
                norm = np.sqrt((self.weights * centred**2).sum(0, dtype=np.float64)).astype(kind)
                with np.errstate(invalid="ignore", divide="ignore"):
                    total = total + centred / norm
            self._last = (values, method, self.weights * total / len(several))
        return self._last[2]

    def correlate(self, values, reference, method: str = "spearman") -> np.ndarray:
        """Weighted correlation of two vectors of pairs in every sample: (B,).

        Parameters
        ----------
        values : float (pairs,)
        reference : float (pairs,) or (references, pairs)
            Of several references the mean of the correlations with each.
        method : {"spearman", "pearson"}
        """
        target, values = self._reference(reference, method), np.asarray(values)
        kind = self.weights.dtype
        if method == "spearman":  # in sorted order, so that nothing has to be put back
            order = np.argsort(values, kind="stable")
            weights, target = self.weights.take(order, 0), target.take(order, 0)
            own = _middle(values[order], weights)
        else:
            weights, own = self.weights, np.broadcast_to(np.asarray(values, kind)[:, None], self.weights.shape)
        own = own - (np.einsum("pb,pb->b", weights, own) / self.total).astype(kind)
        spread = np.sqrt(np.einsum("pb,pb,pb->b", weights, own, own))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.einsum("pb,pb->b", target, own) / spread


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
