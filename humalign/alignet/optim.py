"""Adam with decoupled decay towards the weights a network started from, and its learning-rate schedule.

theta <- theta - lr * (m / (sqrt(v) + eps) + decay * (theta - theta_0)), for every parameter, biases, normalisation and
head included. Source: Muttenthaler et al. (2025), released configuration (``decay_to_init``).
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..errors import InputError

TOWARDS = ("start", "zero")


def learning_rate(step: int, peak: float = 3e-5, warmup: int = 5000, total: int = 100_000) -> float:
    """Learning rate of a step, counted from 0: linear from 0 to ``peak`` in ``warmup`` steps, then cosine to 0.

    Parameters
    ----------
    step : int
    peak : float
    warmup : int
    total : int
        All steps, the warm-up included (optax ``warmup_cosine_decay_schedule``).

    Raises
    ------
    InputError
        When the warm-up does not fit into the total.
    """
    if not 0 <= warmup < total:
        raise InputError(f"a warm-up of {warmup} steps in {total}", "schedule", "give 0 <= warmup < total")
    if step < warmup:
        return peak * step / warmup
    done = min((step - warmup) / (total - warmup), 1.0)
    return peak * 0.5 * (1.0 + math.cos(math.pi * done))


def rate_sum(peak: float, warmup: int, total: int) -> float:
    """Sum of the learning rate over all steps; times ``decay`` it says how strong the pull is over a training."""
    return float(sum(learning_rate(step, peak, warmup, total) for step in range(total)))


class AdamToStart(torch.optim.Optimizer):
    """Adam whose decay pulls each parameter to the value it had when the optimiser was made.

    Make it **after** the pretrained weights are loaded.

    Parameters
    ----------
    parameters : iterable of (name, parameter)
        ``module.named_parameters()``; names address the state in checkpoints.
    lr : float
        Usually set anew before each step.
    betas : (float, float)
    eps : float
    decay : float
        1 in the released configuration. Since a step of Adam moves a weight by about ``lr``, no weight can go further
        than about 1 / decay.
    towards : {"start", "zero"}
        "zero" is the mistake of taking AdamW's weight decay for it; kept to show what happens.
    """

    def __init__(self, parameters, lr=3e-5, betas=(0.9, 0.999), eps=1e-8, decay=1.0, towards="start"):
        if towards not in TOWARDS:
            raise InputError(f"'{towards}' is not known", "towards", "choose start or zero")
        if lr < 0 or decay < 0 or eps <= 0 or not all(0 <= b < 1 for b in betas):
            raise InputError(f"lr {lr}, betas {betas}, eps {eps}, decay {decay}", "optimiser", "check signs and ranges")
        named = [(name, p) for name, p in parameters if p.requires_grad]
        self.names = [name for name, _ in named]
        super().__init__([p for _, p in named], dict(lr=lr, betas=tuple(betas), eps=eps, decay=decay))
        self.towards, self.count = towards, 0
        self.values = self.param_groups[0]["params"]
        with torch.no_grad():
            self.start = [p.detach().clone() if towards == "start" else torch.zeros_like(p) for p in self.values]
            self.first = [torch.zeros_like(p) for p in self.values]
            self.second = [torch.zeros_like(p) for p in self.values]

    @torch.no_grad()
    def step(self, closure=None):
        """One update; parameters without a gradient count as having a gradient of zero."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        group = self.param_groups[0]
        lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["decay"]
        self.count += 1
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.values]
        torch._foreach_lerp_(self.first, gradients, 1 - beta1)
        torch._foreach_mul_(self.second, beta2)
        torch._foreach_addcmul_(self.second, gradients, gradients, 1 - beta2)
        below = torch._foreach_sqrt(self.second)
        torch._foreach_div_(below, math.sqrt(1 - beta2**self.count))
        torch._foreach_add_(below, eps)
        away = torch._foreach_sub(self.values, self.start) if decay else None
        torch._foreach_addcdiv_(self.values, self.first, below, -lr / (1 - beta1**self.count))
        if decay:
            torch._foreach_add_(self.values, away, alpha=-lr * decay)
        return loss

    def displacement(self) -> float:
        """Length of the change of all weights, relative to the length of the weights at the start."""
        with torch.no_grad():
            moved = sum(float(((p - s) ** 2).sum()) for p, s in zip(self.values, self.start))
            begin = sum(float((s**2).sum()) for s in self.start)
        return math.sqrt(moved / begin) if begin else math.inf

    def arrays(self) -> dict[str, np.ndarray]:
        """The state as named arrays, for a checkpoint."""
        kinds = {"start": self.start, "first": self.first, "second": self.second}
        return {
            f"{kind}/{name}": value.cpu().numpy()
            for kind, values in kinds.items()
            for name, value in zip(self.names, values)
        }

    @torch.no_grad()
    def load(self, arrays: dict[str, np.ndarray], count: int) -> None:
        """Take up the state that :meth:`arrays` gave.

        Raises
        ------
        InputError
            When an array is missing or has another shape.
        """
        for kind in ("start", "first", "second"):
            for name, own in zip(self.names, getattr(self, kind)):
                found = arrays.get(f"{kind}/{name}")
                if found is None or tuple(found.shape) != tuple(own.shape):
                    raise InputError(
                        f"does not fit this network ({kind}/{name})",
                        "checkpoint",
                        "resume with the same student and settings, or start a new folder",
                    )
                own.copy_(torch.from_numpy(found))
        self.count = int(count)
