"""Similarity of every pair of objects, from their features."""

from __future__ import annotations

from .arrays import as_matrix, is_tensor, one_of

KERNELS = ("cosine", "dot", "euclidean", "pearson")


def _norms(values):
    if is_tensor(values):
        norms = values.norm(dim=1, keepdim=True)
        return norms.masked_fill(norms == 0, 1)
    import numpy as np

    norms = np.linalg.norm(values, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return norms


def similarity_matrix(features, kernel: str = "cosine"):
    r"""Similarity of every pair of rows.

    Parameters
    ----------
    features : array or tensor, shape (m, p)
        One row an object. float64 is computed in float64, everything else in float32.
    kernel : {"cosine", "dot", "euclidean", "pearson"}
        :math:`x_a \cdot x_b / (|x_a||x_b|)`; :math:`x_a \cdot x_b`; :math:`-|x_a - x_b|`; the cosine of rows centred
        over features. A row of zeros (a constant row for "pearson") has similarity 0 to all others.

    Returns
    -------
    array or tensor, shape (m, m)
        Where the features live.

    Raises
    ------
    InputError
        For features that are not a finite matrix, or an unknown kernel.

    Notes
    -----
    Muttenthaler et al. (2023), section 3: cosine for the zero-shot results, dot products after a learned transform.
    """
    one_of(kernel, KERNELS, "kernel")
    values = as_matrix(features)
    if kernel == "euclidean":
        return -_distances(values)
    if kernel == "pearson":
        centred = values - values.mean(1).reshape(-1, 1)
        # what is left of a constant row is rounding noise, not a direction
        scale = abs(values).max() if not is_tensor(values) else values.abs().max()
        tiny = _norms(centred) <= 1e-6 * float(scale) * values.shape[1] ** 0.5
        values = centred * (~tiny)
    if kernel in ("cosine", "pearson"):
        values = values / _norms(values)
    return values @ values.T


def _distances(values):
    """Euclidean distances; centred first, so that a far origin costs no precision."""
    values = values - values.mean(0)
    squares = (values * values).sum(1)
    gram = values @ values.T
    squared = squares.reshape(-1, 1) + squares.reshape(1, -1) - 2 * gram
    if is_tensor(squared):
        distances = squared.clamp_(min=0).sqrt_()
        distances.fill_diagonal_(0)
    else:
        import numpy as np

        distances = np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
        np.fill_diagonal(distances, 0)
    return distances
