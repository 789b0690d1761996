"""The optimiser loop of the mini zoo: AdamW, one cycle, resumable after each epoch; and the linear probe."""

from __future__ import annotations

import contextlib
import math
import time

import numpy as np

from ..errors import HumalignError, InputError
from ..store import digest, load_arrays, save_arrays

LADDER = (6, 9, 13, 19, 28, 42)  # epochs to choose from (see enough)
ENOUGH = 0.90  # share of the fall of the loss that is enough


def one_cycle(step: int, total: int, peak: float, rise: float = 0.2) -> float:
    """Learning rate at a step: cosine from peak/25 to the peak in the first fifth, then cosine to peak/10000."""
    turn = max(1.0, rise * total)
    if step < turn:
        low, high, share = peak / 25, peak, step / turn
    else:
        low, high, share = peak, peak / 1e4, min(1.0, (step - turn) / max(1.0, total - turn))
    return high + (low - high) * (1 + math.cos(math.pi * share)) / 2


def _state(encoder, objective, optimiser):
    arrays = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    arrays |= {f"objective.{k}": v for k, v in objective.state_dict().items()}
    for i, parameter in enumerate(optimiser.param_groups[0]["params"]):
        arrays |= {f"optimiser.{i}.{k}": v for k, v in optimiser.state[parameter].items()}
    return {key: value.detach().cpu().numpy() for key, value in arrays.items()}


def _restore(arrays, encoder, objective, optimiser):
    import torch

    parts = {"encoder": {}, "objective": {}, "optimiser": {}}
    for key, value in arrays.items():
        part, _, rest = key.partition(".")
        parts[part][rest] = torch.from_numpy(value)
    encoder.load_state_dict(parts["encoder"])
    objective.load_state_dict(parts["objective"])
    for i, parameter in enumerate(optimiser.param_groups[0]["params"]):
        own = {k.partition(".")[2]: v for k, v in parts["optimiser"].items() if k.partition(".")[0] == str(i)}
        if own:
            optimiser.state[parameter] = {
                "step": own["step"].reshape(()),
                "exp_avg": torch.empty_like(parameter).copy_(own["exp_avg"].view_as(parameter)),
                "exp_avg_sq": torch.empty_like(parameter).copy_(own["exp_avg_sq"].view_as(parameter)),
            }


def fit(
    encoder,
    objective,
    images,
    targets,
    *,
    epochs,
    lr,
    seed=0,
    weight_decay=0.02,
    device="cpu",
    checkpoint=None,
    key="",
    stop_after=None,
    progress=None,
    timing=None,
):
    """Train an encoder on an objective.

    Parameters
    ----------
    encoder, objective : torch modules
        Changed in place.
    images : uint8 tensor (n, 3, h, w)
    targets : tensor (n, ...) or None
    epochs : int
    lr : float
        Peak of the one cycle.
    checkpoint : path, optional
        Written after each epoch; training goes on from it when it was made by the same ``key``.
    stop_after : int, optional
        Return after this many epochs of this call (an interruption).
    progress : callable, optional
        Called after each epoch with (epoch, mean loss).
    timing : dict, optional
        Gets ``seconds`` and ``cpu_seconds``, those before an interruption included.

    Returns
    -------
    list of float
        Mean training loss of each epoch, or None when stopped early.

    Notes
    -----
    AdamW; gradients are clipped at norm 1. All lots of an epoch come from the seed and the number of the epoch, so a
    resumed run equals an uninterrupted one.
    """
    import torch

    parameters = [*encoder.parameters(), *objective.trained()]
    encoder.to(device, memory_format=torch.channels_last)
    objective.to(device)
    objective.prepare(encoder)
    optimiser = torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)
    losses: list[float] = []
    spent, started = {"seconds": 0.0, "cpu_seconds": 0.0}, (time.time(), time.process_time())

    def clock():
        now = {"seconds": time.time() - started[0], "cpu_seconds": time.process_time() - started[1]}
        return {key: round(spent[key] + now[key], 3) for key in spent}

    if checkpoint is not None:
        with contextlib.suppress(InputError):
            arrays, meta = load_arrays(checkpoint)
            if meta.get("key") == key:
                _restore(arrays, encoder, objective, optimiser)
                losses, spent = meta["losses"], {key: meta.get(key, 0.0) for key in spent}
    n, batch = len(images), min(objective.batch, len(images))
    steps = n // batch
    images = images.to(device)
    targets = None if targets is None else targets.to(device)
    begun = len(losses)
    for epoch in range(begun, epochs):
        lots = torch.Generator().manual_seed(int.from_bytes(bytes.fromhex(digest("epoch", seed, epoch)[:12]), "big"))
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=lots)))  # for dropout
        encoder.train()
        objective.train()
        order = torch.randperm(n, generator=lots)
        total = 0.0
        for k in range(steps):
            rows = order[k * batch : (k + 1) * batch].to(device)
            step = epoch * steps + k
            for group in optimiser.param_groups:
                group["lr"] = one_cycle(step, epochs * steps, lr)
            loss = objective.loss(encoder, images[rows], None if targets is None else targets[rows], lots)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            objective.after_step(encoder, (step + 1) / (epochs * steps))
            total += float(loss.detach())
        losses.append(total / steps)
        if not math.isfinite(losses[-1]):
            raise HumalignError(f"training diverged in epoch {epoch + 1}; lower the learning rate")
        if checkpoint is not None and epoch + 1 < epochs:
            save_arrays(checkpoint, _state(encoder, objective, optimiser), {"key": key, "losses": losses, **clock()})
        if progress is not None:
            progress(epoch + 1, losses[-1])
        if stop_after is not None and epoch + 1 - begun >= stop_after and epoch + 1 < epochs:
            return None
    if timing is not None:
        timing.update(clock())
    return losses


def settle(encoder, images, batch: int = 256, rounds: int = 20):
    """Let batch normalisation gather its statistics on training images, without training (untrained networks)."""
    import torch

    from .augment import scaled

    encoder.train()
    with torch.no_grad():
        for k in range(rounds):
            encoder(scaled(images[torch.arange(k, len(images), max(1, len(images) // batch))[:batch]]))


def linear_probe(train, train_labels, test, test_labels, penalty: float = 1e-2, iterations: int = 100) -> float:
    """Test accuracy of multinomial logistic regression on standardised features.

    Parameters
    ----------
    train, test : float arrays (n, p), (m, p)
    train_labels, test_labels : int arrays (n,), (m,)
    penalty : float
        Times half the sum of squared weights (biases left out), added to the mean cross-entropy.
    iterations : int
        Most steps of L-BFGS.
    """
    import torch

    x, z = torch.from_numpy(np.asarray(train)).float(), torch.from_numpy(np.asarray(test)).float()
    mean, sd = x.mean(0), x.std(0) + 1e-6
    x, z = (x - mean) / sd, (z - mean) / sd
    y = torch.from_numpy(np.asarray(train_labels)).long()
    weights = torch.zeros(x.shape[1] + 1, int(y.max()) + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weights[:-1] + weights[-1], y)
        loss = loss + penalty / 2 * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        choice = (z @ weights[:-1] + weights[-1]).argmax(1).numpy()
    return float((choice == np.asarray(test_labels)).mean())


def enough(shorter, longer) -> bool:
    """Has the shorter run made ``ENOUGH`` of the fall of the longer one? Both are lists of epoch-mean losses."""
    start = max(shorter[0], longer[0])
    return start - shorter[-1] >= ENOUGH * (start - longer[-1])
