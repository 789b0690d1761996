"""Object partitioning for cross-validation (Algorithm 1): triplets inside and outside a set of objects."""

from __future__ import annotations

import numpy as np

from ..arrays import as_triplets, to_numpy
from ..errors import InputError


def partition_masks(triplets, train_objects, n_objects: int | None = None):
    """Which triplets lie wholly inside, and which wholly outside, a set of objects.

    Parameters
    ----------
    triplets : int array, shape (n, 3)
    train_objects : int array of object indices, or bool array with one entry an object
    n_objects : int, optional
        Number of objects; default: as many as the two arguments name.

    Returns
    -------
    train, validation : bool arrays, shape (n,)
    """
    rows = to_numpy(as_triplets(triplets, n_objects))
    chosen = (
        to_numpy(train_objects)
        if not isinstance(train_objects, (set, frozenset, range))
        else np.array(sorted(train_objects))
    )
    if chosen.ndim != 1:
        raise InputError(f"have shape {chosen.shape}", "train_objects", "give a list of object indices")
    if chosen.dtype == bool:
        if (n_objects is not None and len(chosen) != n_objects) or len(chosen) <= rows.max():
            raise InputError(f"name {len(chosen)} objects", "train_objects", "give one entry an object")
        member = chosen
    else:
        if chosen.size and (chosen.dtype.kind not in "iu" or chosen.min() < 0):
            raise InputError("are no object indices", "train_objects", "give whole numbers from 0")
        size = max(int(rows.max()), int(chosen.max()) if chosen.size else 0) + 1
        if n_objects is not None and size > n_objects:
            raise InputError(f"name object {size - 1} of {n_objects}", "train_objects", "object indices count from 0")
        member = np.zeros(size, bool)
        member[chosen.astype(np.int64)] = True  # an empty set makes an array of floats
    inside = member[rows[:, 0]].astype(np.int8) + member[rows[:, 1]] + member[rows[:, 2]]
    return inside == 3, inside == 0


def partition(triplets, train_objects):
    """Split triplets by a set of training objects; triplets that straddle are dropped.

    Parameters
    ----------
    triplets : int array, shape (n, 3)
    train_objects : int array of object indices, or bool array with one entry an object

    Returns
    -------
    train, validation : int arrays, shape (n_train, 3) and (n_validation, 3)
        Triplets with all three objects inside, and with all three outside; the order of rows is kept.

    Raises
    ------
    InputError
        For bad triplets or bad object indices.

    Notes
    -----
    Muttenthaler et al. (2023), Algorithm 1.
    """
    train, validation = partition_masks(triplets, train_objects)
    rows = to_numpy(triplets)
    return rows[train], rows[validation]


def object_folds(n_objects: int, n_folds: int = 3, seed: int = 42, groups=None):
    """Training objects of each fold: ``sklearn.model_selection.KFold(shuffle=True, random_state=seed)``.

    Parameters
    ----------
    n_objects, n_folds, seed : int
    groups : array, shape (n_objects,), optional
        Objects of one group (images of one concept) stay together; the folds are then drawn over sorted groups.

    Returns
    -------
    list of bool arrays, shape (n_objects,)
        True for training objects.
    """
    from sklearn.model_selection import KFold

    if groups is None:
        labels, n_groups = np.arange(n_objects), n_objects
    else:
        groups = np.asarray(groups)
        if groups.shape != (n_objects,):
            raise InputError(f"have shape {groups.shape}", "groups", f"give one label for each of {n_objects} objects")
        names, labels = np.unique(groups, return_inverse=True)
        n_groups = len(names)
    if not 2 <= n_folds <= n_groups:
        raise InputError(f"is {n_folds}", "n_folds", f"give 2 to {n_groups}")
    folds = []
    for train, _ in KFold(n_folds, shuffle=True, random_state=seed).split(np.arange(n_groups)):
        member = np.zeros(n_groups, bool)
        member[train] = True
        folds.append(member[labels])
    return folds
