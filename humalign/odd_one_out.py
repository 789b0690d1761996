"""The odd-one-out task: choices, accuracy, probabilities, entropy, and the ceiling that people set.

A triplet is (kept, kept, odd one); its pairs are always ordered (0, 1), (0, 2), (1, 2). All functions gather three
entries of a similarity matrix per triplet, in blocks, so that memory stays small whatever the number of triplets.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .arrays import as_square, as_triplets, is_tensor, one_of, positive, to_numpy
from .errors import InputError

BLOCK = 1 << 14
TIES = ("paper", "fraction")


def _each_block(similarity, triplets, function):
    """Call ``function(rows, s01, s02, s12)`` for blocks of triplets, checked on the way; return the list of results.

    On NumPy arrays the blocks run in threads, since gathering releases the interpreter lock.
    """
    similarity = as_square(similarity)
    m, flat = similarity.shape[0], similarity.reshape(-1)
    if is_tensor(similarity):
        triplets = as_triplets(triplets, m, like=similarity)
        block = 1 << (16 if flat.device.type == "cpu" else 24)
    else:
        triplets = as_triplets(triplets, m, contents=False)
        block = BLOCK
    n = triplets.shape[0]

    def work(start):
        rows = slice(start, min(start + block, n))
        if is_tensor(flat):
            first, second, third = triplets[rows].unbind(1)
        else:
            first, second, third = part = np.ascontiguousarray(triplets[rows].T, dtype=np.intp)
            repeated = (first == second) | (first == third) | (second == third)
            if part.view(np.uintp).max() >= m or repeated.any():  # negative numbers are huge when read without sign
                as_triplets(triplets, m)  # raises the error in words
        row = first * m
        return function(rows, flat.take(row + second), flat.take(row + third), flat.take(second * m + third))

    starts = range(0, n, block)
    if is_tensor(flat) or len(starts) < 8:
        return [work(start) for start in starts]
    with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)) as pool:
        return list(pool.map(work, starts))


def _empty(similarity, shape, dtype: str):
    if is_tensor(similarity):
        import torch

        return torch.empty(shape, dtype=getattr(torch, dtype), device=similarity.device)
    return np.empty(shape, dtype)


def pair_similarities(similarity, triplets):
    """Similarities of the three pairs of every triplet.

    Parameters
    ----------
    similarity : array or tensor, shape (m, m)
    triplets : int array, shape (n, 3)

    Returns
    -------
    array or tensor, shape (n, 3)
        Columns: pairs (0, 1), (0, 2), (1, 2).
    """
    similarity = as_square(similarity)
    out = _empty(similarity, (len(triplets), 3), str(similarity.dtype).split(".")[-1])

    def fill(rows, *columns):
        for position, column in enumerate(columns):
            out[rows, position] = column

    _each_block(similarity, triplets, fill)
    return out


def choices(similarity, triplets):
    """The odd one that a similarity matrix picks in every triplet.

    Parameters
    ----------
    similarity : array or tensor, shape (m, m)
    triplets : int array, shape (n, 3)
        0-based object indices, odd one (the human choice) last.

    Returns
    -------
    int8 array or tensor, shape (n,)
        Position 0, 1 or 2 of the object outside the most similar pair; -1 where all three similarities are equal.
        A two-way tie goes to the first pair in the order (0, 1), (0, 2), (1, 2), as in the papers' code.

    Raises
    ------
    InputError
        For a similarity that is not square or holds NaN, and for bad triplets (shape, indices, repeated objects).
    """
    similarity = as_square(similarity)
    out = _empty(similarity, (len(triplets),), "int8")

    def fill(rows, s01, s02, s12):
        first = (s01 >= s02) & (s01 >= s12)
        equal = (s01 == s02) & (s02 == s12)
        out[rows] = (~first & (s02 >= s12)) + 2 * first - 3 * equal

    _each_block(similarity, triplets, fill)
    return out


def scores(similarity, triplets, ties: str = "paper"):
    """Score of every triplet between 0 and 1: does the similarity pick the human odd one?

    Parameters
    ----------
    similarity, triplets
        As in :func:`choices`.
    ties : {"paper", "fraction"}
        "paper": 1 where the choice is position 2 (two-way ties go to the first pair, three-way ties are wrong);
        "fraction": tied pairs share the point (1/2, 1/3).

    Returns
    -------
    float32 array or tensor, shape (n,)
    """
    one_of(ties, TIES, "ties")
    similarity = as_square(similarity)
    out = _empty(similarity, (len(triplets),), "float32")

    def fill(rows, s01, s02, s12):
        out[rows] = _score(ties, s01, s02, s12)

    _each_block(similarity, triplets, fill)
    return out


def _score(ties, s01, s02, s12):
    best = (s01 >= s02) & (s01 >= s12)
    if ties == "paper":
        return best & ((s01 != s02) | (s01 != s12))
    return best / (1.0 + (s01 == s02) + (s01 == s12))


def accuracy(similarity, triplets, ties: str = "paper") -> float:
    """Share of triplets in which the similarity picks the human odd one (position 2).

    Parameters
    ----------
    similarity : array or tensor, shape (m, m)
    triplets : int array, shape (n, 3)
    ties : {"paper", "fraction"}
        See :func:`scores`.

    Returns
    -------
    float
        Chance is 1/3.

    Raises
    ------
    InputError
        As :func:`choices`; also for an unknown tie rule.

    Notes
    -----
    Muttenthaler et al. (2023), section 3 (zero-shot odd-one-out accuracy).
    """
    one_of(ties, TIES, "ties")
    parts = _each_block(similarity, triplets, lambda rows, *pairs: _score(ties, *pairs).sum())
    return float(sum(parts)) / len(triplets)


def probabilities(similarity, triplets, temperature: float = 1.0):
    """Probability that each pair is kept: softmax of the three similarities divided by the temperature.

    Parameters
    ----------
    similarity : array or tensor, shape (m, m)
    triplets : int array, shape (n, 3)
    temperature : float
        Above 0; the papers' code multiplies by a factor instead, which is 1 / temperature.

    Returns
    -------
    array or tensor, shape (n, 3)
        Columns: pairs (0, 1), (0, 2), (1, 2); rows sum to 1.

    Raises
    ------
    InputError
        As :func:`choices`; also for a temperature that is not above 0.

    Notes
    -----
    Muttenthaler et al. (2023), equation 1.
    """
    scale = positive(temperature, "temperature")
    return softmax(pair_similarities(similarity, triplets) / scale)


def softmax(values):
    """Softmax over the last axis, stable for large values."""
    if is_tensor(values):
        return values.softmax(-1)
    shifted = np.exp(values - values.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def as_probabilities(values, where: str = "probabilities"):
    """Rows of non-negative numbers that sum to 1, or an InputError."""
    values = values if is_tensor(values) else np.asarray(values)
    if values.ndim != 2 or values.shape[0] == 0:
        raise InputError(f"have shape {tuple(values.shape)}", where, "give an array (n, classes)")
    total = values.sum(1)
    if not (bool((values >= 0).all()) and bool((abs(total - 1) < 1e-3).all())):
        raise InputError("are negative, NaN, or do not sum to 1", where, "normalise each row")
    return values


def entropy(probabilities):
    """Shannon entropy of each row in nats, with 0 log 0 = 0.

    Parameters
    ----------
    probabilities : array or tensor, shape (n, 3)

    Returns
    -------
    array or tensor, shape (n,)
        Between 0 and ln 3.

    Raises
    ------
    InputError
        For negative entries, NaN, or rows that do not sum to 1.
    """
    values = as_probabilities(probabilities)
    if is_tensor(values):
        import torch

        return torch.special.entr(values).sum(1)
    from scipy.special import entr

    return entr(values).sum(1)


def response_counts(triplets):
    """Responses to every distinct set of three objects.

    Parameters
    ----------
    triplets : int array, shape (n, 3)
        One row a response, odd one last.

    Returns
    -------
    objects : int array, shape (d, 3)
        The distinct sets, each sorted.
    counts : int array, shape (d, 3)
        How often each of the three was the odd one, in the same order.
    index : int array, shape (n,)
        The set that each response belongs to.
    """
    rows = np.asarray(to_numpy(as_triplets(triplets)), dtype=np.int64)
    size = int(rows.max()) + 1
    ordered = np.sort(rows, axis=1)
    if size > 2_000_000:
        objects, index = np.unique(ordered, axis=0, return_inverse=True)
        index = index.reshape(-1)
    else:
        codes, index = np.unique((ordered[:, 0] * size + ordered[:, 1]) * size + ordered[:, 2], return_inverse=True)
        objects = np.stack([codes // size**2, codes // size % size, codes % size], axis=1)
    odd = (ordered == rows[:, 2:]).argmax(1)
    counts = np.bincount(index * 3 + odd, minlength=3 * len(objects)).reshape(-1, 3)
    return objects, counts, index


def noise_ceiling(triplets, kind: str = "majority", min_responses: int | None = None) -> float:
    """The accuracy that human disagreement leaves open, from triplets that several people judged.

    Parameters
    ----------
    triplets : int array, shape (n, 3)
        One row a response, odd one last; responses to the same three objects belong together in any column order.
    kind : {"majority", "leave-one-out"}
        "majority": mean over distinct triplets of the largest response share. "leave-one-out": each response against
        the majority of the others (a tie of k choices that contains the response counts 1/k), averaged over the
        responses of a triplet, then over triplets.
    min_responses : int, optional
        Triplets with fewer responses are left out; default 1 for "majority", 2 for "leave-one-out".

    Returns
    -------
    float

    Raises
    ------
    InputError
        When no triplet was judged twice, or none reaches ``min_responses``.

    Notes
    -----
    The majority ceiling rises as responses get fewer (one response always agrees with itself); the leave-one-out
    ceiling does not have this bias upwards.
    """
    one_of(kind, ("majority", "leave-one-out"), "kind")
    _, counts, _ = response_counts(triplets)
    total = counts.sum(1)
    if total.max() < 2:
        raise InputError("no triplet was judged more than once", "triplets", "a ceiling needs repeated triplets")
    least = (1 if kind == "majority" else 2) if min_responses is None else int(min_responses)
    if kind == "leave-one-out":
        least = max(least, 2)
    counts, total = counts[total >= least], total[total >= least]
    if len(counts) == 0:
        raise InputError(f"no triplet has {least} responses", "triplets", "lower min_responses")
    if kind == "majority":
        return float((counts.max(1) / total).mean())
    return float(with_others(counts).mean())


def with_others(counts) -> np.ndarray:
    """How often an answer is the most frequent one of the other people, question by question.

    Parameters
    ----------
    counts : int array, shape (d, 3)
        Of :func:`response_counts`; at least two responses a question.

    Returns
    -------
    float array, shape (d,)
        Mean over the responses; a tie of k most frequent answers that contains the response counts 1/k.
    """
    matched = np.zeros(len(counts))
    for position in range(3):
        others = counts.copy()
        others[:, position] -= 1
        top = others.max(1)
        wins = (others[:, position] == top) / (others == top[:, None]).sum(1)
        matched += counts[:, position] * wins
    return matched / counts.sum(1)
