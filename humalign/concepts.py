"""Concepts that networks and people share: triplets by dimension, regression of dimensions, agreement, failures."""

from __future__ import annotations

import numpy as np

from . import odd_one_out
from .arrays import as_matrix, as_triplets, is_tensor, to_numpy
from .errors import InputError
from .rsa import alignment, centred_gram
from .similarity import similarity_matrix

ALPHAS = tuple(10.0**power for power in range(-1, 7))
ENTROPY_EDGES = tuple(round(0.1 * step, 1) for step in range(12))


def attribute(triplets, embedding, k: int = 1):
    """The dimensions that a human choice most likely rested on.

    Parameters
    ----------
    triplets : int array, shape (n, 3)
        0-based rows of ``embedding``, odd one last.
    embedding : array or tensor, shape (m, d)
        Non-negative, interpretable dimensions (VICE, SPoSE, or the observers' own).
    k : int
        How many dimensions.

    Returns
    -------
    int array or tensor, shape (n,) for k = 1, else (n, k)
        Dimensions with the largest mean over the kept pair, largest first; the lower index first among equals.

    Raises
    ------
    InputError
        For bad triplets, or k outside 1 to d.

    Notes
    -----
    Muttenthaler et al. (2023), appendix on the partition of triplets by concept.
    """
    values = as_matrix(embedding, "embedding")
    if not 1 <= int(k) <= values.shape[1]:
        raise InputError(f"is {k}", "k", f"give 1 to {values.shape[1]}")
    rows = as_triplets(triplets, values.shape[0], like=values)
    parts = []
    for start in range(0, rows.shape[0], 1 << 16):
        part = rows[start : start + (1 << 16)]
        pair = values[part[:, 0]] + values[part[:, 1]]
        if k == 1:
            parts.append(pair.argmax(1))
        elif is_tensor(pair):
            parts.append(pair.sort(dim=1, descending=True, stable=True).indices[:, :k])
        else:
            parts.append(np.argsort(-pair, axis=1, kind="stable")[:, :k])
    if is_tensor(values):
        import torch

        return torch.cat(parts)
    return np.concatenate(parts)


def recovered(similarity, triplets):
    """Mask of the triplets whose human choice a similarity (of VICE, say) predicts: bool (n,); the papers' D*."""
    return to_numpy(odd_one_out.choices(similarity, triplets)) == 2


def regress_dimensions(
    features, embedding, triplets=None, *, names=None, alphas=ALPHAS, n_folds: int = 5, seed: int = 42, groups=None
):
    """Predict each dimension of an embedding from features by ridge regression, on held-out objects.

    Parameters
    ----------
    features : array, shape (m, p)
        As they are (the paper does not standardise here).
    embedding : array, shape (m, d)
    triplets : int array, shape (n, 3), optional
        Adds the odd-one-out task on the predictions: triplets wholly inside a held-out fold, cosine similarity.
    names : sequence of str, optional
    alphas : sequence of float
        Candidates; each dimension chooses its own by efficient leave-one-out inside the training objects.
    n_folds, seed : int
        ``KFold(shuffle=True, random_state=seed)`` over objects.
    groups : array, shape (m,), optional
        Objects of a group stay together.

    Returns
    -------
    r2 : DataFrame
        One row a dimension and fold: dimension, name, fold, alpha, r2.
    predictions : array, shape (m, d)
        Each row predicted while it was held out.
    task : DataFrame or None
        One row a fold: fold, n, accuracy.

    Notes
    -----
    Muttenthaler et al. (2023), appendix: ``RidgeCV``, alphas 0.1 to 1e6 in decades, 5 folds, seed 42.
    """
    import pandas as pd
    from sklearn.linear_model import RidgeCV

    from .probing.partitions import object_folds, partition_masks

    x = to_numpy(as_matrix(features)).astype(np.float64)
    y = to_numpy(as_matrix(embedding, "embedding")).astype(np.float64)
    if len(x) != len(y):
        raise InputError(f"has {len(y)} rows", "embedding", f"align it to the {len(x)} objects of the features")
    names = [str(index) for index in range(y.shape[1])] if names is None else [str(name) for name in names]
    if len(names) != y.shape[1]:
        raise InputError(f"are {len(names)}", "names", f"give {y.shape[1]}")
    rows = None if triplets is None else to_numpy(as_triplets(triplets, len(x)))
    predictions, table, task = np.empty_like(y), [], []
    folds = object_folds(len(x), n_folds, seed, groups)
    for fold, train in enumerate(folds):
        model = RidgeCV(alphas=alphas, alpha_per_target=y.shape[1] > 1).fit(x[train], y[train])
        predictions[~train] = model.predict(x[~train]).reshape(-1, y.shape[1])
        held = y[~train]
        residual = np.square(held - predictions[~train]).sum(0)
        total = np.square(held - held.mean(0)).sum(0)
        r2 = 1 - residual / np.where(total > 0, total, np.nan)
        chosen = np.broadcast_to(model.alpha_, y.shape[1])
        table += [
            {"dimension": d, "name": names[d], "fold": fold, "alpha": chosen[d], "r2": r2[d]} for d in range(len(names))
        ]
    if rows is not None:
        similarity = similarity_matrix(predictions, "cosine")
        for fold, train in enumerate(folds):
            held = rows[partition_masks(rows, train, len(x))[1]]
            value = odd_one_out.accuracy(similarity, held) if len(held) else np.nan
            task.append({"fold": fold, "n": len(held), "accuracy": value})
    return pd.DataFrame(table), predictions, pd.DataFrame(task) if rows is not None else None


def _stack(choices):
    if not choices:
        raise InputError("there are none", "choices", "give a dict of model name to choices")
    names = list(choices)
    arrays = [to_numpy(choices[name]).astype(np.int8) for name in names]
    if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
        raise InputError("differ in length", "choices", "evaluate all models on the same triplets")
    return names, np.stack(arrays)


def agreement(choices):
    """Share of triplets in which two models choose the same odd one.

    Parameters
    ----------
    choices : dict of str to int array, shape (n,)
        Choices of each model on the same triplets; people or VICE enter as an array of 2s. The choice -1 (three equal
        similarities) agrees with nothing but -1.

    Returns
    -------
    DataFrame
        Symmetric, models by models, ones on the diagonal.
    """
    import pandas as pd

    names, stack = _stack(choices)
    out = np.zeros((len(names), len(names)))
    for start in range(0, stack.shape[1], 1 << 18):
        part = stack[:, start : start + (1 << 18)]
        for option in np.unique(part):
            hit = (part == option).astype(np.float32)
            out += hit @ hit.T
    return pd.DataFrame(out / stack.shape[1], index=names, columns=names)


def cka_matrix(features, debiased: bool = False):
    """Linear CKA of every pair of models; each centred Gram matrix is computed once.

    Parameters
    ----------
    features : dict of str to array, shape (m, p_model)
        Rows are the same objects in the same order.
    debiased : bool

    Returns
    -------
    DataFrame
        Symmetric, models by models.
    """
    import pandas as pd

    names = list(features)
    if not names or len({len(features[name]) for name in names}) != 1:
        raise InputError(
            "are missing or differ in their number of rows", "features", "align all models to the same objects"
        )
    out = np.eye(len(names))
    grams = [centred_gram(features[name], debiased) for name in names]
    for i in range(len(names)):
        for j in range(i):
            out[i, j] = out[j, i] = alignment(grams[i], grams[j])
    return pd.DataFrame(out, index=names, columns=names)


def entropy_bins(choices, entropy, edges=ENTROPY_EDGES):
    """Error of each model by the uncertainty of the human choice.

    Parameters
    ----------
    choices : dict of str to int array, shape (n,)
    entropy : array, shape (n,)
        In nats, of the people's (or VICE's) probabilities.
    edges : sequence of float
        Bins hold their upper edge; the first one its lower edge, too.

    Returns
    -------
    DataFrame
        One row a model and bin: model, low, high, n, error (share of choices that differ from people; NaN when empty).
    """
    import pandas as pd

    names, stack = _stack(choices)
    entropy, edges = np.asarray(to_numpy(entropy), dtype=float), np.asarray(edges, dtype=float)
    if entropy.shape != stack.shape[1:]:
        raise InputError(
            f"has shape {entropy.shape}", "entropy", f"give one number for each of {stack.shape[1]} triplets"
        )
    index = np.maximum(np.searchsorted(edges, entropy, side="left") - 1, 0)
    index[entropy < edges[0]] = index[entropy > edges[-1]] = len(edges) - 1
    n = np.bincount(index, minlength=len(edges))[:-1]
    table = []
    for name, row in zip(names, stack):
        errors = np.bincount(index, row != 2, len(edges))[:-1]
        for position in range(len(edges) - 1):
            table.append(
                {
                    "model": name,
                    "low": edges[position],
                    "high": edges[position + 1],
                    "n": int(n[position]),
                    "error": errors[position] / n[position] if n[position] else np.nan,
                }
            )
    return pd.DataFrame(table)


def contrast(choices, first, second):
    """Triplets that tell two families of models apart.

    Parameters
    ----------
    choices : dict of str to int array, shape (n,)
    first, second : sequences of str
        Names of the members of each family.

    Returns
    -------
    DataFrame
        Columns triplet (row), kind, first_choice, second_choice; kind is "first right, second wrong" (all of the first
        agree with people, all of the second with each other on another object), "both wrong, different" or, after
        these, "second right, first wrong".

    Notes
    -----
    Muttenthaler et al. (2023): the source of examples such as their Figure 1.
    """
    import pandas as pd

    for family in (first, second):
        unknown = [name for name in family if name not in choices]
        if unknown or not len(family):
            raise InputError(
                f"has no choices for {', '.join(unknown) or 'an empty family'}", "families", "name evaluated models"
            )
    _, a = _stack({name: choices[name] for name in first})
    _, b = _stack({name: choices[name] for name in second})
    unanimous = (a == a[0]).all(0) & (b == b[0]).all(0) & (a[0] >= 0) & (b[0] >= 0)
    right, mirrored = (unanimous & (one[0] == 2) & (other[0] != 2) for one, other in ((a, b), (b, a)))
    both = unanimous & (a[0] != 2) & (b[0] != 2) & (a[0] != b[0])
    kind = np.select([right, both], ["first right, second wrong", "both wrong, different"], "second right, first wrong")
    rows = np.r_[np.flatnonzero(right | both), np.flatnonzero(mirrored)]
    choice = {"first_choice": a[0][rows], "second_choice": b[0][rows]}
    return pd.DataFrame({"triplet": rows, "kind": kind[rows], **choice})
