"""Bootstrap over concepts: draws that all rows of a data set share, so that differences of networks are paired."""

from __future__ import annotations

import numpy as np

from ..data.types import Triplets
from ..errors import InputError

DRAWS = 200
SEED = 2023  # of the resampled concepts; the same in every study, so that data sets with the same concepts are paired
BLOCK = 16_384


def counts(n: int, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """How often each of ``n`` objects is drawn, with replacement, in each bootstrap sample: float32 (n, draws)."""
    generator = np.random.default_rng([seed, n])
    return generator.multinomial(n, np.full(n, 1 / n), size=draws).T.astype(np.float32)


def concept_codes(concepts) -> tuple[np.ndarray, int]:
    """Number of the concept of each object, concepts in alphabetical order, and how many there are."""
    names, codes = np.unique(np.asarray(concepts), return_inverse=True)
    return codes, len(names)


def triplet_weights(codes: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Weight of each triplet in each sample: the product of the counts of the different concepts in it.

    Parameters
    ----------
    codes : int (n, 3)
        Concept of each object of each triplet.
    drawn : (concepts, B)
        From :func:`counts`.

    Returns
    -------
    float32 (n, B)
    """
    a, b, c = codes.T
    weights = drawn[a]
    for column, differs in ((b, b != a), (c, (c != a) & (c != b))):
        part = drawn[column]
        weights *= part if differs.all() else np.where(differs[:, None], part, 1)
    return weights


def means(scores, triplets: Triplets, draws: int = DRAWS, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Mean score of each row over triplets, and the same in every bootstrap sample of concepts.

    Parameters
    ----------
    scores : bool or float (rows, n)
        One row a network; NaN is not allowed.
    triplets : Triplets
        n triplets; ``concepts`` says which objects are resampled together.

    Returns
    -------
    value : float64 (rows,)
    draws : float32 (rows, B)
        NaN where a sample holds no triplet.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] != len(triplets):
        raise InputError(f"have shape {scores.shape} for {len(triplets)} triplets", "scores", "give (rows, triplets)")
    codes, k = concept_codes(triplets.concepts)
    drawn = counts(k, draws, seed)
    top = np.zeros((len(scores), draws))
    total = np.zeros(draws)
    for start in range(0, len(triplets), BLOCK):
        rows = slice(start, start + BLOCK)
        weights = triplet_weights(codes[triplets.triplets[rows]], drawn)
        top += scores[:, rows].astype(np.float32) @ weights
        total += weights.sum(0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return scores.mean(1, dtype=np.float64), (top / total).astype(np.float32)


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
        order = np.argsort(values, kind="stable")
        weights = self.weights[order]
        upto = np.cumsum(weights, axis=0)
        ordered = np.asarray(values)[order]
        first = np.r_[True, ordered[1:] != ordered[:-1]]
        if first.all():
            middle = upto - weights / 2
        else:
            start = np.flatnonzero(first)
            end = np.r_[start[1:], len(ordered)] - 1
            before = np.where(start[:, None] > 0, upto[start - 1], 0)
            middle = ((before + upto[end]) / 2)[np.cumsum(first) - 1]
        out = np.empty_like(middle)
        out[order] = middle
        return out

    def _standard(self, values: np.ndarray) -> np.ndarray:
        values = values if values.ndim == 2 else np.asarray(values, np.float32)[:, None]
        mean = np.einsum("pb,pb->b", self.weights, np.broadcast_to(values, self.weights.shape)) / self.total
        centred = values - mean.astype(np.float32)
        norm = np.sqrt(np.einsum("pb,pb,pb->b", self.weights, centred, centred))
        with np.errstate(invalid="ignore", divide="ignore"):
            return centred / norm

    def correlate(self, values, reference, method: str = "spearman") -> np.ndarray:
        """Weighted correlation of two vectors of pairs in every sample: float32 (B,)."""
        key = (id(reference), method)
        if self._last is None or self._last[0] != key:
            ranked = self.ranks(reference) if method == "spearman" else np.asarray(reference, np.float32)
            self._last = (key, reference, self._standard(ranked))
        own = self._standard(self.ranks(values) if method == "spearman" else np.asarray(values, np.float32))
        return np.einsum("pb,pb,pb->b", self.weights, own, self._last[2])
