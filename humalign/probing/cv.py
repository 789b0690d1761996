"""Object-wise cross-validation of probes (Algorithm 1), with the papers' selection and with nested folds."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from .. import odd_one_out
from ..arrays import as_triplets, one_of, to_numpy
from ..errors import InputError, MissingData
from .engine import Objective, TripletLikelihood
from .fitting import Basis, check_settings, run_adam, solve_exact, starting_point, unreduced
from .partitions import object_folds, partition_masks
from .solvers import EarlyStopping
from .transform import LinearTransform

STRENGTHS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
COLUMNS = [
    "fold",
    "strength",
    "n_train",
    "n_validation",
    "train_ce",
    "ce",
    "accuracy",
    "seconds",
    "iterations",
    "converged",
    "selected",
]


def harsh_scores(similarity, triplets):
    """The papers' tie rule for probes: wrong as soon as two of the three probabilities are the same number.

    Also wrong: all three agree after rounding to two decimals.

    Parameters
    ----------
    similarity : array or tensor, shape (m, m)
    triplets : int array, shape (n, 3)

    Returns
    -------
    float32 array, shape (n,)
    """
    p = to_numpy(odd_one_out.probabilities(similarity, triplets)).astype(np.float32)
    tied = (p[:, 0] == p[:, 1]) | (p[:, 0] == p[:, 2]) | (p[:, 1] == p[:, 2])
    rounded = p.round(2)
    tied |= (rounded[:, 0] == rounded[:, 1]) & (rounded[:, 1] == rounded[:, 2])
    return ((p.argmax(1) == 0) & ~tied).astype(np.float32)


def select_strength(table) -> float:
    """The strength with the lowest mean held-out cross-entropy.

    Runs are skipped as in the papers' code: not finite, exactly ln 3 (collapsed to zero), or accuracy exactly 1.

    Parameters
    ----------
    table : DataFrame with columns strength, ce, accuracy

    Raises
    ------
    InputError
        When nothing is left.
    """
    usable = _usable(table)
    if not len(usable):
        raise InputError("every probe collapsed or failed", "strengths", "try smaller strengths")
    return float(usable.idxmin())


def _usable(table):
    """Mean held-out cross-entropy of the strengths that count, see :func:`select_strength`."""
    means = table.groupby("strength")[["ce", "accuracy"]].mean()
    usable = np.isfinite(means["ce"]) & (abs(means["ce"] - math.log(3)) > 1e-7) & (means["accuracy"] < 1)
    return means["ce"][usable]


class CrossValidation:
    """Result of :func:`cross_validation`.

    Attributes
    ----------
    table : DataFrame
        One row a fold and strength, see :func:`cross_validate`.
    folds : list of bool arrays, shape (m,)
        Training objects of each fold.
    """

    def __init__(self, table, folds, held_rows, choices, weights, make):
        self.table, self.folds = table, folds
        self._rows, self._choices, self._weights, self._make = held_rows, choices, weights, make

    @property
    def strength(self) -> float:
        """The selected strength (lowest mean held-out cross-entropy); InputError where every probe collapsed."""
        return select_strength(self.table)

    def _selected(self):
        if not self.table["selected"].any():
            select_strength(self.table)  # says why there is none
        return self.table[self.table["selected"]]

    def _strength(self, fold: int, strength):
        if strength is not None:
            if (fold, float(strength)) not in self._choices:
                raise InputError(f"{strength} was not fitted in fold {fold}", "strength", "choose one of the table")
            return float(strength)
        rows = self._selected().query("fold == @fold")
        return float(rows["strength"].iloc[0])

    @property
    def accuracy(self) -> float:
        """Mean held-out accuracy over folds at the selected strength (of each fold, when nested)."""
        return float(self._selected()["accuracy"].mean())

    def held_out(self, strength: float | None = None):
        """Choices on held-out triplets, for concept-wise analyses.

        Parameters
        ----------
        strength : float, optional
            Default: the selected one.

        Returns
        -------
        DataFrame
            Columns triplet (row of the given triplets), fold, choice (int8; 2 agrees with the human).
        """
        import pandas as pd

        parts = []
        for fold, rows in enumerate(self._rows):
            choice = self._choices[fold, self._strength(fold, strength)]
            parts.append(pd.DataFrame({"triplet": rows, "fold": fold, "choice": choice}))
        return pd.concat(parts, ignore_index=True)

    def transform(self, fold: int | str = "last", strength: float | None = None) -> LinearTransform:
        """The transform of one fold (default: the last, as the papers save it), or "mean" of the folds' Gram matrices.

        Parameters
        ----------
        fold : int, "last" or "mean"
            "mean": a square root of the mean of WW' over folds, so that similarities are averaged.
        strength : float, optional
            Default: the selected one.
        """
        if fold == "mean":
            grams = [self.transform(index, strength) for index in range(len(self.folds))]
            if any(one.bias is not None for one in grams):
                raise InputError("cannot be averaged with a bias", "fold", "choose one fold")
            mean = sum(one.weights.astype(np.float64) @ one.weights.T for one in grams) / len(grams)
            values, vectors = np.linalg.eigh(mean)
            root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
            return LinearTransform(root.astype(np.float32), grams[0].mean, grams[0].std)
        fold = len(self.folds) - 1 if fold == "last" else range(len(self.folds))[fold]
        return self._make(self._weights[fold, self._strength(fold, strength)])


class _Part:
    """Some of the triplets, renumbered over the objects that occur in them: smaller matrices, the same numbers."""

    def __init__(self, basis, rows, targets, index, solver, bias):
        used = np.zeros(basis.x.shape[0], bool)
        used[rows[index]] = True
        objects = torch.as_tensor(np.flatnonzero(used), device=basis.x.device)
        self.x = (basis.x if solver == "exact" else basis.full)[objects]
        self.triplets = (np.cumsum(used) - 1)[rows[index]]
        self.targets = None if targets is None else targets[index]
        self.bias = bias
        self.likelihood = TripletLikelihood(self.triplets, len(objects), self.targets, basis.x.device, basis.dtype)

    def __len__(self):
        return len(self.triplets)

    def similarity(self, weights):
        """Dot products after the transform."""
        z = _with_bias(self.x, self.bias) @ weights
        return z @ z.T

    def evaluate(self, weights, ties):
        """Cross-entropy, choices (int8) and accuracy."""
        similarity = self.similarity(weights)
        chosen = to_numpy(odd_one_out.choices(similarity, self.triplets))
        if ties == "harsh":
            score = float(harsh_scores(similarity, self.triplets).mean())
        else:
            score = odd_one_out.accuracy(similarity, self.triplets, ties=ties)
        return self.likelihood.value(similarity), chosen, score


def cross_validation(
    features,
    triplets,
    strengths=STRENGTHS,
    n_folds: int = 3,
    seed: int = 42,
    *,
    groups=None,
    nested: bool = False,
    penalty="fro",
    solver: str = "exact",
    ties: str = "paper",
    soft_targets=None,
    bias: bool = False,
    init=None,
    shared_early_stopping: bool = False,
    device=None,
    dtype=torch.float32,
    tolerance: float = 1e-5,
    max_iterations: int = 300,
    progress=None,
    **adam_options,
) -> CrossValidation:
    """Object-wise cross-validation of a probe over a grid of strengths, with all products kept.

    Parameters
    ----------
    features : array or tensor, shape (m, p)
    triplets : int array, shape (n, 3)
    strengths : sequence of float
    n_folds, seed : int
        ``KFold(n_folds, shuffle=True, random_state=seed)`` over objects, or over groups.
    groups : array, shape (m,), optional
        Label of each object; objects of a group stay together.
    nested : bool
        Choose the strength of each fold by a further cross-validation inside its training objects, so that no reported
        number was used for choosing. Default: the papers' way, one strength by the same folds' mean cross-entropy.
    penalty, solver, soft_targets, bias, init, device, dtype
        As in :func:`humalign.probing.fit`.
    ties : {"paper", "fraction", "harsh"}
        Tie rule of the accuracy; "harsh" is the papers' rule for probes (:func:`harsh_scores`).
    shared_early_stopping : bool
        Solver "paper": one early-stopping state for all folds, as happens in the papers' code. Default: a fresh one.
    tolerance, max_iterations
        Of the exact solver, which is warm-started along the grid from weak to strong.
    progress : callable, optional
        Called with each finished row (dict).
    **adam_options
        learning_rate, batch, max_epochs, min_epochs of solver "paper".

    Returns
    -------
    CrossValidation

    Raises
    ------
    InputError
        For bad input, or a fold without training or held-out triplets.

    Notes
    -----
    Muttenthaler et al. (2023), Algorithm 1. Standardisation uses all objects, as there.
    """
    import pandas as pd

    one_of(ties, (*odd_one_out.TIES, "harsh"), "ties")
    strengths = sorted({float(value) for value in np.atleast_1d(strengths)})
    for strength in strengths:
        check_settings(penalty, strength, solver)
    basis = Basis(features, device, dtype)
    m = basis.x.shape[0]
    rows = to_numpy(as_triplets(triplets, m))
    targets = None if soft_targets is None else to_numpy(soft_targets)
    folds = object_folds(m, n_folds, seed, groups)
    shared = EarlyStopping() if shared_early_stopping else None
    settings = dict(
        penalty=penalty,
        solver=solver,
        bias=bias,
        init=init,
        tolerance=tolerance,
        max_iterations=max_iterations,
        seed=seed,
        shared=shared,
        options=adam_options,
    )
    table, held_rows, choices, weights = [], [], {}, {}
    for fold, member in enumerate(folds):
        train, held = (np.flatnonzero(mask) for mask in partition_masks(rows, member))
        held_rows.append(held)
        training, validation = _split(basis, rows, targets, train, held, solver, bias)
        for began, strength, outcome in _grid(basis, training, validation, strengths, **settings):
            cross_entropy, chosen, score = validation.evaluate(outcome.weights, ties)
            row = dict(
                fold=fold,
                strength=strength,
                n_train=len(train),
                n_validation=len(held),
                train_ce=training.likelihood.value(training.similarity(outcome.weights)),
                ce=cross_entropy,
                accuracy=score,
                seconds=time.perf_counter() - began,
                iterations=outcome.iterations,
                converged=outcome.converged,
                selected=False,
            )
            table.append(row)
            choices[fold, strength], weights[fold, strength] = chosen, outcome.weights
            if progress is not None:
                progress(row)
    table = pd.DataFrame(table, columns=COLUMNS).sort_values(["fold", "strength"], ignore_index=True)
    if nested:
        for fold, member in enumerate(folds):
            best = _inner_strength(basis, rows, targets, member, groups, n_folds, strengths, settings)
            table.loc[(table["fold"] == fold) & (table["strength"] == best), "selected"] = True
    else:
        usable = _usable(table)
        table["selected"] = table["strength"] == (usable.idxmin() if len(usable) else np.nan)
    make = (lambda w: basis.transform(w, penalty)) if solver == "exact" else (lambda w: unreduced(basis, w))
    return CrossValidation(table, folds, held_rows, choices, weights, make)


def _with_bias(x, bias):
    return torch.cat([x, x.new_ones(len(x), 1)], dim=1) if bias else x


def _split(basis, rows, targets, train, held, solver, bias):
    if len(train) == 0 or len(held) == 0:
        raise MissingData(
            f"a fold has {len(train)} training and {len(held)} held-out triplets",
            "triplets",
            "use fewer folds or more triplets",
        )
    return _Part(basis, rows, targets, train, solver, bias), _Part(basis, rows, targets, held, solver, bias)


def _grid(
    basis,
    training,
    validation,
    strengths,
    *,
    penalty,
    solver,
    bias,
    init,
    tolerance,
    max_iterations,
    seed,
    shared,
    options,
):
    """Fit all strengths on one split; yields (start time, strength, outcome)."""
    start = starting_point(init, basis, bias, seed) if solver == "exact" else None
    for strength in strengths:
        began = time.perf_counter()
        objective = Objective(training.x, training.likelihood, penalty, strength, bias)
        if solver == "exact":
            outcome = solve_exact(objective, basis, start, tolerance=tolerance, max_iterations=max_iterations)
            start = outcome.weights if float(outcome.weights.norm()) > 1e-3 else None
        else:
            outcome = run_adam(
                objective,
                training.triplets,
                lambda weights: validation.likelihood.value(validation.similarity(weights)),
                training.targets,
                init,
                bias,
                seed,
                stopping=shared or EarlyStopping(),
                **options,
            )
        yield began, strength, outcome


def _inner_strength(basis, rows, targets, member, groups, n_folds, strengths, settings) -> float:
    """Strength chosen inside the training objects of one fold."""
    import pandas as pd

    objects = np.flatnonzero(member)
    inner = object_folds(
        len(objects), n_folds, settings["seed"], None if groups is None else np.asarray(groups)[objects]
    )
    inside = np.flatnonzero(partition_masks(rows, member)[0])
    table = []
    for chosen in inner:
        train_member = np.zeros(len(member), bool)
        train_member[objects[chosen]] = True
        train, held = (inside[mask] for mask in partition_masks(rows[inside], train_member))
        training, validation = _split(basis, rows, targets, train, held, settings["solver"], settings["bias"])
        for _, strength, outcome in _grid(basis, training, validation, strengths, **settings):
            cross_entropy, _, score = validation.evaluate(outcome.weights, "paper")
            table.append({"strength": strength, "ce": cross_entropy, "accuracy": score})
    return select_strength(pd.DataFrame(table))


def cross_validate(features, triplets, strengths=STRENGTHS, n_folds: int = 3, seed: int = 42, **settings):
    """Object-wise cross-validation as a tidy table: :func:`cross_validation` without the products.

    Parameters
    ----------
    features, triplets, strengths, n_folds, seed, **settings
        As in :func:`cross_validation`.

    Returns
    -------
    DataFrame
        One row a fold and strength: fold, strength, n_train, n_validation, train_ce and ce (nats), accuracy (held-out
        objects), seconds, iterations, converged, selected (the row's strength is the one chosen for its fold; False in
        all rows where every probe collapsed or failed, see :func:`select_strength`).
    """
    return cross_validation(features, triplets, strengths, n_folds, seed, **settings).table
