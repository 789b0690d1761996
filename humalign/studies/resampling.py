"""Bootstrap over concepts: draws that all rows of a data set share, so that differences of networks are paired."""

from __future__ import annotations

import numpy as np

from ..data.types import Triplets
from ..errors import InputError

DRAWS = 200
SEED = 2023  # of the resampled concepts; the same in every study, so that data sets with the same concepts are paired
ROWS = 64  # rows of scores in memory as float32 at a time


def counts(n: int, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """How often each of ``n`` objects is drawn, with replacement, in each bootstrap sample: float32 (n, draws)."""
    generator = np.random.default_rng([seed, n])
    return generator.multinomial(n, np.full(n, 1 / n), size=draws).T.astype(np.float32)


def concept_codes(concepts) -> tuple[np.ndarray, int]:
    """Number of the concept of each object, concepts in alphabetical order, and how many there are."""
    names, codes = np.unique(np.asarray(concepts), return_inverse=True)
    return codes, len(names)


def incidence(codes: np.ndarray, n_concepts: int):
    """Which concepts each triplet holds: sparse float32 (n, concepts), 0 or 1."""
    from scipy import sparse

    n = len(codes)
    flat = sparse.coo_array(
        (np.ones(3 * n, np.float32), (np.repeat(np.arange(n), 3), codes.ravel())), (n, n_concepts)
    ).tocsr()
    flat.data[:] = 1  # a concept that occurs twice in a triplet counts once
    return flat


def means(scores, triplets: Triplets, draws: int = DRAWS, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    r"""Mean score of each row over triplets, and bootstrap draws over concepts that all rows share.

    A triplet with concepts u weighs :math:`w = 1 + \sum_u (c_u - 1)` where concept u is drawn :math:`c_u` times: the
    first order of the product of the counts, which would multiply the noise of single triplets by up to eight. The
    noise of a triplet that its concepts still count too often is taken out of the width, as cluster-robust variances
    for dyads do (as :func:`humalign.bootstrap.triplet_interval`, here for many rows and with common draws).

    Parameters
    ----------
    scores : bool or float (rows, n)
        One row a network.
    triplets : Triplets
        n triplets; ``concepts`` says which objects are resampled together.

    Returns
    -------
    value : float64 (rows,)
    draws : float32 (rows, B)
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] != len(triplets):
        raise InputError(f"have shape {scores.shape} for {len(triplets)} triplets", "scores", "give (rows, triplets)")
    codes, k = concept_codes(triplets.concepts)
    within = incidence(codes[triplets.triplets], k)
    several = within.sum(1) - 1  # concepts of each triplet, less one
    drawn = counts(k, draws, seed)
    n, used = len(triplets), np.asarray(within.sum(0))
    total = n + used @ drawn - used.sum()
    total = np.where(total > 0, total, np.nan)
    value = scores.mean(1, dtype=np.float64)
    out = np.empty((len(scores), draws), np.float32)
    for start in range(0, len(scores), ROWS):
        rows = slice(start, start + ROWS)
        residual = scores[rows].astype(np.float32) - value[rows, None].astype(np.float32)
        by_concept = (within.T @ residual.T).T
        deviation = (by_concept @ drawn - (residual @ several)[:, None]) / total
        squares = residual**2
        variance = (by_concept.astype(np.float64) ** 2).sum(1)
        honest = np.maximum(variance - squares @ several, squares.sum(1))
        with np.errstate(invalid="ignore", divide="ignore"):
            shrink = np.where(variance > 0, np.sqrt(honest / variance), 1.0)
        out[rows] = value[rows, None] + shrink[:, None] * deviation
    return value, out


class PairBootstrap:
    """Correlations between vectors of pairs of objects, in every bootstrap sample of the objects.

    A pair weighs the product of the counts of its objects; pairs of an object with itself stay out, as usual in RSA.

    Parameters
    ----------
    n : int
        Number of objects; vectors hold the upper triangle of an n x n matrix, row by row.
    """

    def __init__(self, n: int, draws: int = DRAWS, seed: int = SEED):
        drawn = counts(n, draws, seed)
        i, j = np.triu_indices(n, 1)
        self.weights = drawn[i] * drawn[j]
        self.total = self.weights.sum(0, dtype=np.float64)
        self._last: tuple | None = None

    def ranks(self, values: np.ndarray) -> np.ndarray:
        """Rank of each pair among the weighted pairs of each sample: float32 (pairs, B); equal values share a rank."""
        values = np.asarray(values)
        order = np.argsort(values, kind="stable")
        middle = self._middle(values[order], self.weights.take(order, 0))
        out = np.empty_like(middle)
        out[order] = middle
        return out

    @staticmethod
    def _middle(ordered: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Mid-ranks of sorted values, rows in sorted order."""
        upto = np.cumsum(weights, axis=0)  # whole numbers below 2**24: exact in float32
        first = np.r_[True, ordered[1:] != ordered[:-1]]
        if first.all():
            return upto - weights / 2
        start = np.flatnonzero(first)
        end = np.r_[start[1:], len(ordered)] - 1
        before = np.where(start[:, None] > 0, upto[start - 1], 0)
        return ((before + upto[end]) / 2)[np.cumsum(first) - 1]

    def _reference(self, values, method: str) -> np.ndarray:
        """Weights times the standardised reference, (pairs, B); kept for the next call."""
        if self._last is None or self._last[0] is not values or self._last[1] != method:
            used = self.ranks(values) if method == "spearman" else np.asarray(values, np.float32)[:, None]
            mean = (self.weights * used).sum(0, dtype=np.float64) / self.total
            centred = used - mean.astype(np.float32)
            norm = np.sqrt((self.weights * centred**2).sum(0, dtype=np.float64)).astype(np.float32)
            with np.errstate(invalid="ignore", divide="ignore"):
                self._last = (values, method, self.weights * (centred / norm))
        return self._last[2]

    def correlate(self, values, reference, method: str = "spearman") -> np.ndarray:
        """Weighted correlation of two vectors of pairs in every sample: float32 (B,).

        Parameters
        ----------
        values, reference : float (pairs,)
        method : {"spearman", "pearson"}
        """
        target, values = self._reference(reference, method), np.asarray(values)
        if method == "spearman":  # in sorted order, so that nothing has to be put back
            order = np.argsort(values, kind="stable")
            weights, target = self.weights.take(order, 0), target.take(order, 0)
            own = self._middle(values[order], weights)
        else:
            weights, own = self.weights, np.broadcast_to(np.asarray(values, np.float32)[:, None], self.weights.shape)
        own = own - (np.einsum("pb,pb->b", weights, own) / self.total).astype(np.float32)
        spread = np.sqrt(np.einsum("pb,pb,pb->b", weights, own, own))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.einsum("pb,pb->b", target, own) / spread
