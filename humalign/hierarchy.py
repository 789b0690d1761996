"""How distances between representations follow the conceptual hierarchy, and how that changes with alignment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .errors import InputError
from .rsa import compare, rdm

RELATIONS = ("same concept", "same superordinate", "same top category", "different")


def relations(*levels) -> np.ndarray:
    """Finest level that two objects share.

    Parameters
    ----------
    *levels : arrays (m,)
        Labels from the finest to the broadest, for instance concept, superordinate, top category.

    Returns
    -------
    int array (m, m)
        0 where the finest label is shared, 1 where the next finest is, ..., ``len(levels)`` where none is.
    """
    if not levels:
        raise InputError("no labels were given", "relations", "give at least one level")
    arrays = [np.asarray(level) for level in levels]
    out = np.full((len(arrays[0]), len(arrays[0])), len(arrays), dtype=np.int8)
    for rank in range(len(arrays) - 1, -1, -1):
        out[arrays[rank][:, None] == arrays[rank][None]] = rank
    return out


def relative_distances(features, metric: str = "cosine", scale: str = "mean"):
    """Distances in units that two networks share.

    Parameters
    ----------
    features : float array (m, p)
    metric : {"correlation", "cosine", "euclidean"}
    scale : {"mean", "z"}
        "mean": divided by the mean over pairs; "z": z-scored over pairs.

    Returns
    -------
    float array (m, m)
    """
    distances = np.asarray(rdm(features, metric), dtype=float)
    pairs = distances[np.triu_indices(len(distances), 1)]
    if scale == "mean":
        return distances / pairs.mean()
    if scale == "z":
        return (distances - pairs.mean()) / pairs.std()
    raise InputError(f"'{scale}' is no scale", "relative_distances", "use mean or z")


def distance_change(
    base, aligned, labels, *, metric: str = "cosine", scale: str = "mean", names=RELATIONS
) -> pd.DataFrame:
    """Change of relative distance from one network to another, pair by pair.

    Parameters
    ----------
    base, aligned : float arrays (m, p), (m, q)
        Features of the same objects.
    labels : sequence of arrays (m,)
        From the finest to the broadest level, see :func:`relations`.
    names : sequence of str
        Name of each relation, one more than there are levels.

    Returns
    -------
    DataFrame
        first, second (object numbers), relation, change (aligned - base): one row a pair.

    Notes
    -----
    d_rel(x, y) = d(x, y) / mean over pairs of d; change = d_rel after alignment - d_rel before.
    """
    if len(base) != len(aligned):
        raise InputError(f"{len(base)} and {len(aligned)} rows", "distance_change", "give features of the same objects")
    kind = relations(*labels)
    names = [*names[: len(labels)], names[-1]] if len(names) > len(labels) + 1 else list(names)
    upper = np.triu_indices(len(base), 1)
    change = (relative_distances(aligned, metric, scale) - relative_distances(base, metric, scale))[upper]
    relation = pd.Categorical.from_codes(kind[upper], names)
    return pd.DataFrame({"first": upper[0], "second": upper[1], "relation": relation, "change": change})


def model_similarity(features: dict, metric: str = "cosine") -> pd.DataFrame:
    """Spearman correlation of the RDMs of every pair of networks.

    Parameters
    ----------
    features : dict of name to float array (m, p)
        Features of the same objects.

    Returns
    -------
    DataFrame (networks, networks)
        Symmetric, ones on the diagonal.
    """
    names = list(features)
    rdms = [rdm(features[name], metric) for name in names]
    out = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for i in range(len(names)):
        for j in range(i):
            out.iloc[i, j] = out.iloc[j, i] = compare(rdms[i], rdms[j])
    return out


def principal_components(features, n: int = 2) -> np.ndarray:
    """Scores on the first principal components, (m, n); the sign makes each largest loading positive."""
    x = np.asarray(features, dtype=float)
    x = x - x.mean(0)
    u, s, v = np.linalg.svd(x, full_matrices=False)
    sign = np.sign(v[np.arange(n), np.abs(v[:n]).argmax(1)])
    return u[:, :n] * s[:n] * sign
