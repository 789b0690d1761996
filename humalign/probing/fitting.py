"""Fit one linear transform to human choices: standardise, rotate into the features' own axes, solve, map back."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import torch

from ..arrays import as_triplets, one_of, to_numpy
from ..errors import InputError
from .certificate import certify
from .engine import PENALTIES, Objective, TripletLikelihood, as_tensor
from .solvers import Outcome, adam, lbfgs, scaled_identity
from .transform import LinearTransform, standardisation

SOLVERS = ("exact", "paper")


@contextlib.contextmanager
def one_thread():
    """Run torch on one thread inside the block: in many small steps, threads wait more than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Basis:
    """Standardised features in their principal axes: an exact rotation, and fewer columns than rows.

    Where the features are wider than the number of objects, the axes without variation are dropped: loss and penalties
    are the same there. ``scale`` holds a diagonal change of variables that makes the problem well conditioned.

    Parameters
    ----------
    features : array, shape (m, p)
    device, dtype
    more : array, shape (k, p), optional
        Further rows (images of a contrastive term) that the axes must span, too.
    """

    def __init__(self, features, device=None, dtype=torch.float32, more=None):
        x = as_tensor(features, device, torch.float64)
        self.mean, self.std = standardisation(x)
        x = (x - self.mean) / self.std
        self.full, self.dtype = x.to(dtype), dtype
        rows = x
        if more is not None:
            more = (as_tensor(more, x.device, torch.float64) - self.mean) / self.std
            rows = torch.cat([x, more])
        k, p = rows.shape
        if p <= k:
            values, axes = torch.linalg.eigh(rows.T @ rows)
        else:
            values, left = torch.linalg.eigh(rows @ rows.T)
            kept = values > 1e-12 * values[-1]
            values = values[kept]
            axes = rows.T @ (left[:, kept] / values.sqrt())
        self.axes = axes.to(dtype)
        self.x = (x @ axes).to(dtype)
        self.more = None if more is None else (more @ axes).to(dtype)
        second_moment = self.x.double().square().mean(0)
        scale = (second_moment + 0.01 * second_moment.mean()).rsqrt()
        self.scale = (scale / scale.mean()).to(dtype)

    @property
    def width(self) -> int:
        """Number of columns of the original features."""
        return self.axes.shape[0]

    def inward(self, weights) -> torch.Tensor:
        """Weights (p, p) [and a bias row] in the axes of the basis."""
        weights = torch.as_tensor(to_numpy(weights), dtype=self.dtype, device=self.x.device)
        if tuple(weights.shape) not in ((self.width, self.width), (self.width + 1, self.width)):
            raise InputError(f"has shape {tuple(weights.shape)}", "init", f"give ({self.width}, {self.width})")
        inner = self.axes.T @ weights[: self.width] @ self.axes
        return inner if len(weights) == self.width else torch.cat([inner, weights[self.width :] @ self.axes])

    def transform(self, weights, penalty) -> LinearTransform:
        """The LinearTransform of weights (r, r) [and a bias row] in the axes of the basis."""
        r = self.x.shape[1]
        full = self.axes @ weights[:r] @ self.axes.T
        if penalty == "identity" and r < self.width:
            rest = torch.eye(self.width, dtype=full.dtype, device=full.device) - self.axes @ self.axes.T
            full = full + weights[:r].diagonal().mean() * rest
        bias = None if len(weights) == r else to_numpy(weights[r] @ self.axes.T)
        return LinearTransform(to_numpy(full).astype(np.float32), self.mean, self.std, bias)


def solve_exact(objective: Objective, basis: Basis, start=None, *, tolerance=1e-6, max_iterations=500) -> Outcome:
    """L-BFGS in well-conditioned coordinates; start: weights in the axes of the basis, default a scaled identity."""
    if start is None:
        start = scaled_identity(objective, basis.x.shape[1])
    scale = basis.scale.reshape(-1, 1)
    if len(start) > len(scale):
        scale = torch.cat([scale, scale.new_ones(1, 1)])

    def scaled(inner):
        value, gradient = objective(scale * inner)
        return value, gradient.mul_(scale)

    outcome = lbfgs(scaled, start / scale, tolerance=tolerance, max_iterations=max_iterations)
    outcome.weights = scale * outcome.weights
    return outcome


def random_start(width: int, seed: int, bias: bool, like: torch.Tensor, deviation: float = 1e-3) -> torch.Tensor:
    """Entries drawn from N(0, deviation), as the papers initialise."""
    generator = torch.Generator(device="cpu").manual_seed(seed)
    weights = deviation * torch.randn(width, width, generator=generator)
    if bias:
        weights = torch.cat([weights, torch.zeros(1, width)])
    return weights.to(like)


def starting_point(init, basis: Basis, bias: bool, seed: int):
    """Weights in the axes of the basis from an array, "identity" (None: chosen later) or "random"."""
    if init is None or (isinstance(init, str) and init == "identity"):
        return None
    if isinstance(init, str):
        one_of(init, ("identity", "random"), "init")
        return random_start(basis.x.shape[1], seed, bias, basis.x)
    start = basis.inward(init)
    if bias and len(start) == basis.x.shape[1]:
        start = torch.cat([start, start.new_zeros(1, start.shape[1])])
    return start


def check_settings(penalty, strength, solver) -> None:
    """Raise InputError for an unknown penalty or solver, or a strength below 0."""
    one_of(penalty, PENALTIES, "penalty")
    one_of(solver, SOLVERS, "solver")
    if not 0 <= float(strength) < float("inf"):
        raise InputError(f"is {strength}", "strength", "give a number from 0")


def fit(
    features,
    triplets,
    *,
    penalty="fro",
    strength: float = 1e-3,
    seed: int = 0,
    solver: str = "exact",
    soft_targets=None,
    bias: bool = False,
    init=None,
    validation=None,
    device=None,
    dtype=torch.float32,
    tolerance: float = 1e-7,
    max_iterations: int = 500,
    learning_rate: float = 1e-3,
    batch: int = 256,
    max_epochs: int = 100,
    min_epochs: int = 10,
    stopping=None,
) -> LinearTransform:
    """Learn a linear transform of features under which dot products predict human odd-one-out choices.

    Parameters
    ----------
    features : array or tensor, shape (m, p)
        Standardised inside by one global mean and standard deviation.
    triplets : int array, shape (n, 3)
        0-based rows of ``features``, odd one last.
    penalty : {"fro", "fro2", "identity", None}
        Frobenius norm as in the papers' code (default), its square as in print, squared distance to a scaled identity.
    strength : float
        Factor of the penalty.
    seed : int
        Of random starts and mini-batches.
    solver : {"exact", "paper"}
        Full-batch L-BFGS in Gram form, or the papers' mini-batch Adam (learning_rate, batch, epochs, gradient clipping
        at norm 1, early stopping on ``validation`` triplets when given).
    soft_targets : array, shape (n, 3), optional
        Probabilities of the pairs (0, 1), (0, 2), (1, 2): the loss becomes the KL divergence from them up to a constant
        (uncertainty distillation).
    bias : bool
        Learn an affine transform.
    init : array (p, p), "identity" or "random", optional
        Start; default a scaled identity ("exact") or N(0, 1e-3) ("paper").
    validation : int array, shape (v, 3), optional
        Used by solver "paper" for early stopping only.
    device, dtype
        Where and how precisely to compute; default: where the features are, float32.
    tolerance, max_iterations
        Of the exact solver.

    Returns
    -------
    LinearTransform
        Its attribute ``report`` is a dict: objective, cross_entropy, kl, iterations, evaluations, seconds, converged,
        and certificate (see :mod:`humalign.probing.certificate`; None where the problem is not convex).

    Raises
    ------
    InputError
        For bad features, triplets, targets, penalty, solver or start.

    Notes
    -----
    Muttenthaler et al. (2023), section 3 and equation 2; Muttenthaler et al. (2025), Methods (affine teacher).
    """
    check_settings(penalty, strength, solver)
    began = time.perf_counter()
    basis = Basis(features, device, dtype)
    likelihood = TripletLikelihood(triplets, basis.x.shape[0], soft_targets, basis.x.device, dtype)
    if solver == "exact":
        objective = Objective(basis.x, likelihood, penalty, strength, bias)
        outcome = solve_exact(
            objective,
            basis,
            starting_point(init, basis, bias, seed),
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
        transform = basis.transform(outcome.weights, penalty)
    else:
        objective = Objective(basis.full, likelihood, penalty, strength, bias)
        outcome = run_adam(
            objective,
            triplets,
            validation,
            soft_targets,
            init,
            bias,
            seed,
            stopping=stopping,
            learning_rate=learning_rate,
            batch=batch,
            max_epochs=max_epochs,
            min_epochs=min_epochs,
        )
        transform = unreduced(basis, outcome.weights)
    transform.report = report(objective, outcome, bias, time.perf_counter() - began)
    return transform


def unreduced(basis: Basis, weights) -> LinearTransform:
    """The LinearTransform of weights learned on the features without rotation."""
    p = basis.width
    bias = None if len(weights) == p else to_numpy(weights[p])
    return LinearTransform(to_numpy(weights[:p]), basis.mean, basis.std, bias)


def run_adam(objective, triplets, validation, soft_targets, init, bias, seed, **options) -> Outcome:
    """The papers' solver on an objective without rotation."""
    x, m = objective.x, objective.x.shape[0]
    p = objective.p
    rows = torch.as_tensor(np.ascontiguousarray(to_numpy(as_triplets(triplets, m))), device=x.device).long()
    if soft_targets is not None:
        soft_targets = torch.as_tensor(to_numpy(soft_targets), dtype=x.dtype, device=x.device)
    if init is None or (isinstance(init, str) and init == "random"):
        start = random_start(p, seed, bias, x)
    elif isinstance(init, str):
        one_of(init, ("identity", "random"), "init")
        start = scaled_identity(objective, p)
    else:
        start = torch.as_tensor(to_numpy(init), dtype=x.dtype, device=x.device)
        if bias and len(start) == p:
            start = torch.cat([start, start.new_zeros(1, start.shape[1])])
    held_out = validation if callable(validation) else None
    if validation is not None and held_out is None and len(validation):
        likelihood, inputs = TripletLikelihood(validation, m, None, x.device, x.dtype), x

        def held_out(weights):
            z = inputs @ weights
            return likelihood.value(z @ z.T)

    return adam(objective, rows, start, held_out, soft_targets=soft_targets, seed=seed, **options)


def report(objective: Objective, outcome: Outcome, bias: bool, seconds: float) -> dict:
    """What the solver reached, in plain values."""
    z = objective.x @ outcome.weights
    cross_entropy = objective.likelihood.value(z @ z.T)
    convex = objective.penalty in ("fro2", "fro", None) and not bias and objective.extra is None
    return {
        "objective": outcome.value,
        "cross_entropy": cross_entropy,
        "kl": cross_entropy - objective.likelihood.target_entropy,
        "norm": float(outcome.weights[: objective.p].double().norm()),
        "iterations": outcome.iterations,
        "evaluations": outcome.evaluations,
        "converged": outcome.converged,
        "seconds": seconds,
        "certificate": certify(objective, outcome.weights).as_dict() if convex else None,
    }
