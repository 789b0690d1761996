"""Two ways to minimise a probe's objective: full-batch L-BFGS ("exact") and the papers' mini-batch Adam ("paper")."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

import torch
from torch.nn import functional

from .engine import Objective, penalty_value


@dataclass
class Outcome:
    """Where a solver stopped.

    Attributes
    ----------
    weights : tensor
    value : float
        Objective at the weights.
    iterations, evaluations : int
    seconds : float
    converged : bool
        False when the limit of iterations ended the search.
    """

    weights: torch.Tensor
    value: float
    iterations: int
    evaluations: int
    seconds: float
    converged: bool


def _direction(gradient, pairs):
    """Two-loop recursion: minus the inverse-Hessian estimate times the gradient."""
    q = gradient.clone()
    scales = []
    for step, change, rho in reversed(pairs):
        a = rho * float(torch.vdot(step, q))
        scales.append(a)
        q.add_(change, alpha=-a)
    if pairs:
        step, change, rho = pairs[-1]
        q.mul_(1.0 / (rho * float(torch.vdot(change, change))))
    for (step, change, rho), a in zip(pairs, reversed(scales)):
        q.add_(step, alpha=a - rho * float(torch.vdot(change, q)))
    return q.neg_()


def lbfgs(
    function,
    start,
    *,
    memory: int = 20,
    max_iterations: int = 500,
    tolerance: float = 1e-6,
    patience: int = 5,
    collapse: float = 1e-4,
):
    """Minimise ``function(x) -> (value, gradient)`` by L-BFGS with a weak-Wolfe bisection line search.

    Parameters
    ----------
    function : callable
        Value as float, gradient as tensor of the shape of x.
    start : tensor
    memory : int
        Number of kept steps.
    max_iterations : int
    tolerance : float
        Stop after ``patience`` iterations in a row that lower the value by less than this share of max(1, value).
    collapse : float
        Return zero once x has shrunk to this share of its initial norm.

    Returns
    -------
    Outcome
    """
    began = time.perf_counter()
    x = start.clone()
    shape, size = x.shape, float(x.norm())
    value, gradient = function(x)
    gradient = gradient.reshape(-1)
    evaluations, small, converged, iteration = 1, 0, False, 0
    pairs: deque = deque(maxlen=memory)
    while iteration < max_iterations:
        norm = float(gradient.norm())
        if norm == 0 or not math.isfinite(value):
            converged = norm == 0
            break
        direction = _direction(gradient, pairs)
        slope = float(torch.vdot(gradient, direction))
        if not slope < 0:
            pairs.clear()
            direction, slope = -gradient, -norm * norm
        length = 1.0 if pairs else 0.1 * max(float(x.norm()), 1e-3) / norm
        low, high = 0.0, math.inf
        found = None
        for _ in range(25):
            candidate = x + length * direction.view(shape)
            new_value, new_gradient = function(candidate)
            new_gradient = new_gradient.reshape(-1)
            evaluations += 1
            if not new_value <= value + 1e-4 * length * slope:
                high = length
            elif float(torch.vdot(new_gradient, direction)) < 0.9 * slope:
                low, found = length, (candidate, new_value, new_gradient)
            else:
                found = (candidate, new_value, new_gradient)
                break
            length = 2 * low if high == math.inf else 0.5 * (low + high)
        if found is None:
            if not pairs:  # no descent even along the gradient: at the precision of the numbers
                converged = True
                break
            pairs.clear()
            continue
        candidate, new_value, new_gradient = found
        step, change = (candidate - x).reshape(-1), new_gradient - gradient
        curvature = float(torch.vdot(step, change))
        if curvature > 1e-10 * float(change.norm()) * float(step.norm()):
            pairs.append((step, change, 1.0 / curvature))
        small = small + 1 if value - new_value < tolerance * max(1.0, abs(value)) else 0
        x, value, gradient = candidate, new_value, new_gradient
        iteration += 1
        if float(x.norm()) < collapse * size:  # shrinks to zero, a strict local minimum under the unsquared norm
            x = torch.zeros_like(x)
            value, converged = function(x)[0], True
            evaluations += 1
            break
        if small >= patience:
            converged = True
            break
    return Outcome(x, value, iteration, evaluations, time.perf_counter() - began, converged)


def scaled_identity(objective: Objective, width: int) -> torch.Tensor:
    """The multiple of the identity with the lowest objective (found on a logarithmic grid, then refined)."""
    x = objective.x[:, : objective.p]
    gram = x @ x.T
    scale = float(gram.diagonal().mean())
    unit = torch.eye(objective.p, width, dtype=x.dtype, device=x.device)

    def value(log_square):
        square = math.exp(log_square)
        cost = 0.0
        if objective.penalty is not None and objective.strength > 0:
            cost = objective.strength * float(penalty_value(unit * square**0.5, objective.penalty)[0])
        return objective.likelihood.value(gram * square) + cost

    start = -math.log(scale)
    grid = [start + step for step in range(-4, 9, 2)]
    best = min(grid, key=value)
    low, high = best - 2, best + 2
    ratio = (5**0.5 - 1) / 2
    for _ in range(8):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if value(a) < value(b) else (a, high)
    weights = unit * math.exp((low + high) / 4)
    if objective.x.shape[1] > objective.p:
        weights = torch.cat([weights, weights.new_zeros(1, width)])
    return weights


class EarlyStopping:
    """Stop when the validation loss has not fallen by ``min_delta`` for ``patience`` epochs, after ``min_epochs``.

    One object shared by all folds keeps its best score and its counter, which imitates a defect of the papers' code.
    """

    def __init__(self, patience: int = 10, min_delta: float = 1e-4):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited = math.inf, 0

    def __call__(self, value: float) -> bool:
        if value < self.best - self.min_delta:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience


def adam(
    objective: Objective,
    triplets,
    start,
    validation=None,
    *,
    soft_targets=None,
    learning_rate: float = 1e-3,
    batch: int = 256,
    max_epochs: int = 100,
    min_epochs: int = 10,
    clip: float = 1.0,
    seed: int = 0,
    stopping: EarlyStopping | None = None,
) -> Outcome:
    """The papers' solver: Adam on mini-batches of triplets, gradient norm clipped, early stopping on validation loss.

    Parameters
    ----------
    objective : Objective
        Holds standardised features, penalty and strength.
    triplets : int tensor, shape (n, 3)
    start : tensor
        Initial weights (papers: N(0, 1e-3)).
    validation : callable, optional
        Loss of weights on held-out triplets; without it all epochs run.
    soft_targets : tensor, shape (n, 3), optional
    learning_rate, batch, max_epochs, min_epochs, clip, seed
    stopping : EarlyStopping, optional

    Returns
    -------
    Outcome
        The last weights, not the best ones (as the papers do).
    """
    began = time.perf_counter()
    x, p = objective.x, objective.p
    weights = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([weights], lr=learning_rate)
    generator = torch.Generator(device="cpu").manual_seed(seed)
    stopping = stopping or EarlyStopping()
    steps, converged = 0, False
    for epoch in range(max_epochs):
        order = torch.randperm(len(triplets), generator=generator).to(triplets.device)
        for start_row in range(0, len(triplets), batch):
            rows = order[start_row : start_row + batch]
            # the rows of the batch only: no product over all objects
            z = (x[triplets[rows].reshape(-1)] @ weights).view(len(rows), 3, -1)
            logits = torch.stack(
                [(z[:, 0] * z[:, 1]).sum(1), (z[:, 0] * z[:, 2]).sum(1), (z[:, 1] * z[:, 2]).sum(1)], 1
            )
            if soft_targets is None:
                value = functional.cross_entropy(logits, logits.new_zeros(len(rows), dtype=torch.long))
            else:
                value = functional.cross_entropy(logits, soft_targets[rows].to(logits.dtype))
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            if objective.penalty is not None and objective.strength > 0:
                weights.grad[:p].add_(
                    penalty_value(weights.detach()[:p], objective.penalty)[1], alpha=objective.strength
                )
            torch.nn.utils.clip_grad_norm_([weights], clip)
            optimiser.step()
            steps += 1
        if validation is not None and stopping(validation(weights.detach())) and epoch + 1 >= min_epochs:
            converged = True
            break
    final = weights.detach()
    return Outcome(final, objective(final)[0], epoch + 1, steps, time.perf_counter() - began, converged)
