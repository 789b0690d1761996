"""gLocal: a global transform towards human choices that keeps the local structure of many images."""

from __future__ import annotations

import time

import numpy as np
import torch

from ..arrays import positive
from ..errors import InputError
from .engine import Objective, TripletLikelihood
from .fitting import Basis, report, solve_exact, starting_point
from .transform import LinearTransform


def _off_diagonal_log_softmax(values: torch.Tensor, temperature: float) -> torch.Tensor:
    unit = torch.nn.functional.normalize(values, dim=1)
    similarity = unit @ unit.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(unit), dtype=torch.bool, device=unit.device), -torch.inf)
    return similarity.log_softmax(1)


def local_loss(before: torch.Tensor, after: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    """Cross-entropy between the neighbourhoods of images before (target) and after a transform.

    Parameters
    ----------
    before, after : tensors, shape (k, p) and (k, q)
    temperature : float
        Of the cosine similarities; an image is never its own neighbour.

    Returns
    -------
    tensor, 0-d
        In nats, mean over images.
    """
    target = _off_diagonal_log_softmax(before, temperature).exp().detach()
    log_p = _off_diagonal_log_softmax(after, temperature)
    eye = torch.eye(len(target), dtype=torch.bool, device=target.device)
    return -(target * log_p.masked_fill(eye, 0)).sum(1).mean()


def fit_glocal(
    features,
    triplets,
    images,
    *,
    alpha: float = 0.25,
    temperature: float = 0.1,
    penalty="identity",
    strength: float = 1.0,
    bias: bool = False,
    batch: int = 1024,
    seed: int = 0,
    init=None,
    device=None,
    dtype=torch.float32,
    tolerance: float = 1e-6,
    max_iterations: int = 300,
) -> LinearTransform:
    r"""Minimise :math:`(1-\alpha) L_\mathrm{global} + \alpha L_\mathrm{local} + \lambda\,\mathrm{penalty}` by L-BFGS.

    Parameters
    ----------
    features : array, shape (m, p)
        Features of the objects that people judged.
    triplets : int array, shape (n, 3)
    images : array, shape (k, p)
        Features of other images by the same network and layer; standardised by the objects' mean and deviation. They
        are split once (seeded) into batches of at most ``batch`` images; the local term is the mean over batches.
    alpha : float
        Share of the local term, 0 to 1.
    temperature : float
        Of the local term.
    penalty, strength, bias, init, seed, device, dtype, tolerance, max_iterations
        As in :func:`humalign.probing.fit`.

    Returns
    -------
    LinearTransform
        With ``report`` as in :func:`humalign.probing.fit`, and "local" (the local loss) in it.

    Raises
    ------
    InputError
        For alpha outside 0 to 1, fewer than three images, or bad input.

    Notes
    -----
    Muttenthaler et al. (2023b, gLocal). The papers use SGD over random batches; the full sum over fixed batches makes
    the result reproducible.
    """
    began = time.perf_counter()
    if not 0 <= alpha <= 1:
        raise InputError(f"is {alpha}", "alpha", "give a share from 0 to 1")
    positive(temperature, "temperature")
    if len(images) < 3 or images.shape[1] != np.shape(features)[1]:
        raise InputError(
            f"have shape {tuple(images.shape)}", "images", "give at least 3 rows with the features' columns"
        )
    basis = Basis(features, device, dtype, more=images)
    order = np.random.default_rng(seed).permutation(len(images))
    pieces = [
        torch.as_tensor(part, device=basis.x.device)
        for part in np.array_split(order, -(-len(order) // batch))
        if len(part) > 2
    ]
    batches = [basis.more[part] for part in pieces]

    def local(weights):
        leaf = weights.detach().requires_grad_(True)
        r = basis.x.shape[1]
        total = 0.0
        for part in batches:
            after = part @ leaf[:r]
            if bias:
                after = after + leaf[r]
            value = local_loss(part, after, temperature) / len(batches)
            value.backward()
            total += float(value.detach())
        return total, leaf.grad

    likelihood = TripletLikelihood(triplets, basis.x.shape[0], None, basis.x.device, dtype)
    extra = local if alpha > 0 else None
    objective = Objective(basis.x, likelihood, penalty, strength, bias, extra, alpha)
    outcome = solve_exact(
        objective, basis, starting_point(init, basis, bias, seed), tolerance=tolerance, max_iterations=max_iterations
    )
    transform = basis.transform(outcome.weights, penalty)
    transform.report = {
        **report(objective, outcome, bias, time.perf_counter() - began),
        "local": local(outcome.weights)[0],
    }
    return transform
