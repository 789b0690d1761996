"""Representational similarity: dissimilarity matrices, their comparison, ceilings over people, CKA."""

from __future__ import annotations

import numpy as np

from .arrays import as_matrix, as_square, is_tensor, one_of, to_numpy
from .errors import InputError
from .similarity import similarity_matrix

METRICS = ("correlation", "cosine", "euclidean")
METHODS = ("spearman", "pearson")


def rdm(features, metric: str = "correlation"):
    """Representational dissimilarity matrix.

    Parameters
    ----------
    features : array or tensor, shape (m, p)
    metric : {"correlation", "cosine", "euclidean"}
        1 - Pearson correlation of rows; 1 - cosine; Euclidean distance.

    Returns
    -------
    array or tensor, shape (m, m)
        Symmetric, zero diagonal; correlations are clipped to [-1, 1].

    Raises
    ------
    InputError
        For features that are not a finite matrix, or an unknown metric.

    Notes
    -----
    Kriegeskorte et al. (2008); Muttenthaler et al. (2023) use "correlation".
    """
    one_of(metric, METRICS, "metric")
    if metric == "euclidean":
        return -similarity_matrix(features, "euclidean")
    similarity = similarity_matrix(features, "pearson" if metric == "correlation" else "cosine")
    if is_tensor(similarity):
        return (1 - similarity.clamp_(-1, 1)).fill_diagonal_(0)
    out = np.subtract(1, np.clip(similarity, -1, 1, out=similarity), out=similarity)
    np.fill_diagonal(out, 0)
    return out


def upper_triangle(matrix):
    """Entries above the diagonal, row by row.

    Parameters
    ----------
    matrix : array or tensor, shape (m, m) or (people, m, m)

    Returns
    -------
    array or tensor, shape (m (m - 1) / 2,) or (people, m (m - 1) / 2)
    """
    if is_tensor(matrix):
        import torch

        rows, columns = torch.triu_indices(matrix.shape[-1], matrix.shape[-1], 1, device=matrix.device)
        return matrix[..., rows, columns]
    matrix = np.asarray(matrix)
    return matrix[..., np.triu(np.ones(matrix.shape[-2:], bool), 1)]


def ranks(values):
    """Average ranks (from 1) of a vector; ties get the mean of their ranks.

    Parameters
    ----------
    values : array or tensor, shape (n,)

    Returns
    -------
    float64 array or tensor, shape (n,)
    """
    if is_tensor(values):
        import torch

        _, group, counts = torch.unique(values, return_inverse=True, return_counts=True)
        last = counts.cumsum(0).double()
        return (last - (counts.double() - 1) / 2)[group]
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.append(starts, len(order)))
    out = np.empty(len(order))
    out[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return out


def _correlate(a, b):
    a, b = a - a.mean(), b - b.mean()
    scale = float((a * a).sum()) * float((b * b).sum())
    return float((a * b).sum()) / scale**0.5 if scale > 0 else float("nan")


def compare_vectors(a, b, method: str = "spearman") -> float:
    """Spearman (average ranks) or Pearson correlation of two vectors; NaN when one is constant."""
    one_of(method, METHODS, "method")
    if method == "spearman":
        return _correlate(ranks(a), ranks(b))
    if is_tensor(a):
        return _correlate(a.double(), b.double())
    return _correlate(a.astype(np.float64), b.astype(np.float64))


def _both(rdm_a, rdm_b):
    a, b = as_square(rdm_a, "first RDM"), as_square(rdm_b, "second RDM")
    if a.shape != b.shape:
        raise InputError(f"have shapes {tuple(a.shape)} and {tuple(b.shape)}", "RDMs", "align both to the same ids")
    if a.shape[0] < 3:
        raise InputError(f"have {a.shape[0]} objects", "RDMs", "give at least three")
    if is_tensor(a) != is_tensor(b):
        import torch

        device = a.device if is_tensor(a) else b.device
        a, b = torch.as_tensor(a, device=device), torch.as_tensor(b, device=device)
    return a, b


def compare(rdm_a, rdm_b, method: str = "spearman") -> float:
    """Correlation of two dissimilarity matrices over their upper triangles.

    Parameters
    ----------
    rdm_a, rdm_b : arrays or tensors, shape (m, m)
        Rows of both are the same objects in the same order.
    method : {"spearman", "pearson"}
        Spearman with average ranks for ties.

    Returns
    -------
    float
        NaN when one of them is constant.

    Raises
    ------
    InputError
        For matrices that are not square, hold NaN, or differ in size.
    """
    one_of(method, METHODS, "method")
    a, b = _both(rdm_a, rdm_b)
    return compare_vectors(upper_triangle(a), upper_triangle(b), method)


def _people(rdms):
    rdms = np.asarray(to_numpy(rdms), dtype=np.float64)
    if rdms.ndim != 3 or rdms.shape[1] != rdms.shape[2]:
        raise InputError(f"have shape {rdms.shape}", "RDMs of people", "give an array (people, m, m)")
    if len(rdms) < 2:
        raise InputError(
            "there is a single person" if len(rdms) else "there are no people",
            "RDMs of people",
            "a ceiling needs at least two",
        )
    vectors = upper_triangle(rdms)
    if np.isnan(vectors).any():
        raise InputError("hold NaN", "RDMs of people", "leave these people or objects out")
    return vectors


def noise_ceiling(rdms, method: str = "spearman") -> tuple[float, float]:
    """How well people predict each other: lower and upper bound of what a perfect model reaches.

    Parameters
    ----------
    rdms : array, shape (people, m, m)
    method : {"spearman", "pearson"}

    Returns
    -------
    lower, upper : float
        Mean correlation of each person with the mean of the others, and with the mean of all.

    Raises
    ------
    InputError
        For fewer than two people, or NaN.

    Notes
    -----
    Nili et al. (2014). Dissimilarities are averaged as they are (not z-scored or ranked first), since the papers
    compare networks with the plain mean over people.
    """
    vectors = _people(rdms)
    total = vectors.sum(0)
    n = len(vectors)
    lower = np.mean([compare_vectors(vector, (total - vector) / (n - 1), method) for vector in vectors])
    upper = np.mean([compare_vectors(vector, total / n, method) for vector in vectors])
    return float(lower), float(upper)


def split_half(rdms, method: str = "spearman", *, n_splits: int = 100, seed: int = 0) -> float:
    """Mean correlation between the mean matrices of random halves of people.

    Parameters
    ----------
    rdms : array, shape (people, m, m)
    method : {"spearman", "pearson"}
    n_splits : int
    seed : int or numpy.random.Generator

    Returns
    -------
    float
    """
    vectors = _people(rdms)
    rng = np.random.default_rng(seed)
    half = len(vectors) // 2
    values = []
    for _ in range(int(n_splits)):
        order = rng.permutation(len(vectors))
        values.append(compare_vectors(vectors[order[:half]].mean(0), vectors[order[half:]].mean(0), method))
    return float(np.mean(values))


AGAINST = ("mean", "single")


def ceiling(people, against: str = "mean", method: str = "spearman", *, n_splits: int = 200, seed: int = 0):
    """What a perfect model would reach: one bound for the mean of people, another for single people.

    Parameters
    ----------
    people : array, shape (people, m, m)
    against : {"mean", "single"}
        "mean": the correlation of a model with the mean RDM of these people. "single": its average correlation with
        each of them. A model of the mean reaches far more, since averaging removes what people do not share.
    method : {"spearman", "pearson"}
    n_splits : int
    seed : int or numpy.random.Generator
        Random halves behind "mean".

    Returns
    -------
    lower, upper : float
        "single": each person with the mean of the others, and with the mean of all (Nili et al. 2014). "mean": both are
        the square root of the reliability of the mean, which is the agreement of random halves stepped up to all people
        (Spearman 1910; Brown 1910): what the true RDM would correlate with the mean of these people; 0 where halves
        do not agree.

    Raises
    ------
    InputError
        For fewer than two people, or NaN.
    """
    one_of(against, AGAINST, "against")
    if against == "single":
        return noise_ceiling(people, method)
    half = max(split_half(people, method, n_splits=n_splits, seed=seed), 0.0)
    top = (2 * half / (1 + half)) ** 0.5
    return top, top


def centred_gram(features, debiased: bool = False):
    """Gram matrix for CKA: double-centred, or U-centred for the unbiased estimator (float64).

    Parameters
    ----------
    features : array or tensor, shape (m, p)
    debiased : bool

    Returns
    -------
    array or tensor, shape (m, m)
    """
    values = as_matrix(features)
    values = values.double() if is_tensor(values) else values.astype(np.float64)
    values = values - values.mean(0)  # leaves the centred Gram matrix as it is, and keeps precision
    gram = values @ values.T
    return _u_centred(gram) if debiased else gram


def _u_centred(gram):
    """A Gram matrix with zero diagonal whose rows and columns sum to zero (Szekely and Rizzo 2014)."""
    m = gram.shape[0]
    if m < 4:
        raise InputError(f"have {m} rows", "features", "the unbiased estimator needs at least four objects")

    def hollow(matrix):
        return matrix - (matrix.diagonal().diag() if is_tensor(matrix) else np.diag(matrix.diagonal()))

    gram = hollow(gram)
    means = gram.sum(0) / (m - 2)
    return hollow(gram - means.reshape(-1, 1) - means.reshape(1, -1) + gram.sum() / ((m - 1) * (m - 2)))


def cka(x, y, debiased: bool = False) -> float:
    r"""Linear centred kernel alignment of two feature matrices over the same objects.

    .. math:: \mathrm{CKA} = \frac{\langle HKH, HLH\rangle}{\|HKH\|\,\|HLH\|}, \quad K = XX^\top, \; L = YY^\top

    Parameters
    ----------
    x, y : arrays or tensors, shape (m, p) and (m, q)
    debiased : bool
        The unbiased estimator of HSIC (Song et al. 2012) in all three places. Default: the biased one, as in the paper.

    Returns
    -------
    float
        NaN when one of them is constant.

    Raises
    ------
    InputError
        For different numbers of rows, or features that are not finite matrices.

    Notes
    -----
    Kornblith et al. (2019); Muttenthaler et al. (2023), appendix.
    """
    if x.shape[0] != y.shape[0]:
        raise InputError(f"have {x.shape[0]} and {y.shape[0]} rows", "features", "align both to the same ids")
    return alignment(centred_gram(x, debiased), centred_gram(y, debiased))


def cka_of_noise(n: int, p, q):
    r"""Linear (biased) CKA that independent Gaussian features of these sizes have; debiased CKA has 0.

    .. math:: \sqrt{\frac{pq}{(n + p)(n + q)}}

    from the moments of Wishart matrices, :math:`E\,\mathrm{tr}\,K^2 = p (n - 1)(n + p)` and
    :math:`E\,\mathrm{tr}\,KL = pq(n - 1)` for centred Gram matrices of n objects. Correlated features count as fewer.

    Parameters
    ----------
    n : int
        Objects.
    p, q : int or int arrays
        Numbers of features.
    """
    p, q = np.asarray(p, float), np.asarray(q, float)
    return np.sqrt(p * q / ((n + p) * (n + q)))


def alignment(gram_a, gram_b) -> float:
    """Cosine of two (centred) Gram matrices."""
    scale = float((gram_a * gram_a).sum()) * float((gram_b * gram_b).sum())
    return float((gram_a * gram_b).sum()) / scale**0.5 if scale > 0 else float("nan")
