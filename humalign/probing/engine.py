r"""Loss and gradient of the triplet likelihood in Gram form: one similarity matrix, one fused pass over all triplets.

With :math:`Z = XW + b` and :math:`S = ZZ^\top` the mean cross-entropy is

.. math:: L = \frac{1}{n}\sum_t \log\sum_{q \in t} e^{S_q} \; - \; \frac{1}{n}\langle T, S\rangle,

where q runs over the three pairs of triplet t, and T counts how often each pair was kept (or sums soft targets). T is
computed once, so a pass needs only the three pair indices of each triplet: gather, softmax, scatter. The gradient is
:math:`\partial L/\partial W = 2 X^\top D Z` with the symmetric matrix D of derivatives by the entries of S.
"""

from __future__ import annotations

import numpy as np
import torch

from ..arrays import as_matrix, as_triplets, is_tensor, one_of
from ..errors import InputError

PENALTIES = ("fro", "fro2", "identity", None)


def as_tensor(features, device=None, dtype=torch.float32) -> torch.Tensor:
    """Features as a torch tensor; tensors stay on their device unless another is named."""
    values = as_matrix(features)
    if device is None:
        device = values.device if is_tensor(values) else "cpu"
    return torch.as_tensor(values, dtype=dtype, device=device)


class TripletLikelihood:
    """Mean cross-entropy of triplets as a function of the matrix of similarities.

    Parameters
    ----------
    triplets : int array, shape (n, 3)
        Odd one last.
    n_objects : int
    soft_targets : array, shape (n, 3), optional
        Probabilities of the pairs (0, 1), (0, 2), (1, 2); default: the first pair has probability 1.
    device, dtype
        Of the similarities.

    Attributes
    ----------
    n : int
        Number of triplets given; repeated ones are merged inside.
    target_entropy : float
        Mean entropy of the targets in nats (0 for hard ones): cross-entropy minus this is the KL divergence.
    """

    def __init__(self, triplets, n_objects: int, soft_targets=None, device="cpu", dtype=torch.float32):
        m = int(n_objects)
        rows = torch.as_tensor(as_triplets(triplets, m), device=device).long()
        self.n, self.m = rows.shape[0], m
        self.target_entropy = 0.0
        if soft_targets is None:
            targets = torch.zeros(rows.shape, dtype=torch.float64, device=device)
            targets[:, 0] = 1
        else:
            targets = torch.as_tensor(soft_targets, dtype=torch.float64, device=device)
            if targets.shape != rows.shape:
                raise InputError(f"have shape {tuple(targets.shape)}", "soft_targets", f"give {tuple(rows.shape)}")
            if not bool((targets >= 0).all() & ((targets.sum(1) - 1).abs() < 1e-3).all()):
                raise InputError("are negative, NaN, or do not sum to 1", "soft_targets", "normalise each row")
            targets = targets / targets.sum(1, keepdim=True)
            self.target_entropy = float(torch.special.entr(targets).sum() / self.n)
        self._rows, self._targets = rows, None if soft_targets is None else targets
        first, second, third = rows.unbind(1)
        codes = torch.stack([self._code(first, second), self._code(first, third), self._code(second, third)])
        kept = torch.zeros(m * m, dtype=torch.float64, device=device)
        kept.index_add_(0, codes.reshape(-1), targets.T.reshape(-1))
        # -T/n, halved: both triangles of the symmetric matrix carry the derivative by a pair
        kept = kept.view(m, m) / (-2.0 * self.n)
        self._base = (kept + kept.T).to(dtype)
        # sorted objects, then sorted rows: neighbouring triplets touch neighbouring similarities
        ordered = rows.sort(1).values
        keys = (ordered[:, 0] * m + ordered[:, 1]) * m + ordered[:, 2]
        keys, counts = torch.unique(keys, return_counts=True)
        low, middle, high = keys // (m * m), keys // m % m, keys % m
        self.codes = torch.stack([low * m + middle, low * m + high, middle * m + high])
        self._flat_codes = self.codes.reshape(-1)
        self.weights = None if int(counts.max()) == 1 else (counts.to(dtype) / self.n)
        self._scratch = torch.empty(m * m, dtype=dtype, device=device)

    def _code(self, a, b):
        return torch.minimum(a, b) * self.m + torch.maximum(a, b)

    def __call__(self, similarity: torch.Tensor):
        """Loss (float) and its symmetric derivative D (m, m), with dL = <D, dS> for symmetric changes of S."""
        pairs = similarity.reshape(-1).index_select(0, self._flat_codes).view(3, -1)
        top = pairs.amax(0)
        pairs.sub_(top).exp_()
        total = pairs.sum(0)
        weight = 1.0 / self.n if self.weights is None else self.weights
        pairs.mul_(weight / total)
        partition = total.log_().add_(top)
        value = (
            partition.sum(dtype=torch.float64) / self.n
            if self.weights is None
            else (partition * self.weights).sum(dtype=torch.float64)
        )
        value = value + (self._base * similarity).sum(dtype=torch.float64)
        grad = self._scratch.zero_()
        grad.scatter_add_(0, self._flat_codes, pairs.view(-1))
        grad = grad.view(self.m, self.m)
        derivative = grad + grad.T
        derivative.mul_(0.5).add_(self._base)
        return value, derivative

    def dual_value(self, similarity: torch.Tensor, share: float) -> float:
        """Mean entropy of ``(1 - share) * target + share * softmax``, a lower bound of certificates.

        Rows with the same three objects are taken one by one: their targets differ, their softmax does not.
        """
        first, second, third = self._rows.unbind(1)
        flat = similarity.reshape(-1)
        pairs = torch.stack([first * self.m + second, first * self.m + third, second * self.m + third], dim=1)
        mixed = share * flat[pairs].double().softmax(1)
        if self._targets is None:
            mixed[:, 0] += 1 - share
        else:
            mixed += (1 - share) * self._targets
        return float(torch.special.entr(mixed).sum() / self.n)

    def value(self, similarity: torch.Tensor) -> float:
        """Loss alone."""
        pairs = similarity.reshape(-1).index_select(0, self._flat_codes).view(3, -1)
        partition = pairs.logsumexp(0)
        weight = 1.0 / self.n if self.weights is None else self.weights
        value = (partition * weight).sum(dtype=torch.float64) + (self._base * similarity).sum(dtype=torch.float64)
        return float(value)


def penalty_value(weights: torch.Tensor, penalty):
    """Value (0-d tensor) and gradient of a penalty on a square or rectangular matrix.

    "fro": Frobenius norm, not squared (the papers' code); "fro2": its square (as in print); "identity": squared
    Frobenius distance to the mean of the diagonal times the identity.
    """
    one_of(penalty, PENALTIES, "penalty")
    if penalty is None:
        return weights.new_zeros(()), torch.zeros_like(weights)
    if penalty == "fro2":
        return (weights * weights).sum(dtype=torch.float64), 2 * weights
    if penalty == "fro":
        norm = (weights * weights).sum(dtype=torch.float64).sqrt()
        return norm, weights / norm.clamp_min(1e-30).to(weights.dtype)
    if weights.shape[0] != weights.shape[1]:
        raise InputError(
            f"is not square ({tuple(weights.shape)})", "weights", "the identity penalty needs a square matrix"
        )
    residual = weights.clone()
    residual.diagonal().sub_(weights.diagonal().mean())
    # the mean of the residual's diagonal is zero, so its own derivative drops out
    return (residual * residual).sum(dtype=torch.float64), 2 * residual


class Objective:
    """Mean cross-entropy plus strength times penalty, as a function of the weights (a last row is the bias).

    Parameters
    ----------
    features : tensor, shape (m, p)
        Standardised features.
    likelihood : TripletLikelihood
    penalty, strength
    bias : bool
        The weights then have p + 1 rows; the penalty leaves the last one alone.
    extra : callable, optional
        ``extra(weights) -> (value, gradient)``, added with factor ``extra_strength`` while the likelihood gets
        ``1 - extra_strength``.
    """

    def __init__(self, features, likelihood, penalty, strength, bias=False, extra=None, extra_strength=0.0):
        one_of(penalty, PENALTIES, "penalty")
        if not 0 <= float(strength) < float("inf"):
            raise InputError(f"is {strength}", "strength", "give a number from 0")
        if likelihood.m != features.shape[0]:
            raise InputError(f"have {features.shape[0]} rows", "features", f"the triplets are over {likelihood.m}")
        self.p = features.shape[1]
        if bias:
            features = torch.cat([features, features.new_ones(features.shape[0], 1)], dim=1)
        self.x, self.likelihood, self.penalty, self.strength = features, likelihood, penalty, float(strength)
        self.extra, self.extra_strength = extra, float(extra_strength)
        self.calls = 0

    def __call__(self, weights: torch.Tensor):
        """Objective (float) and gradient."""
        self.calls += 1
        z = self.x @ weights
        value, derivative = self.likelihood(z @ z.T)
        gradient = self.x.T @ (derivative @ z)
        gradient.mul_(2)
        if self.extra is not None:
            more, slope = self.extra(weights)
            value = (1 - self.extra_strength) * value + self.extra_strength * more
            gradient.mul_(1 - self.extra_strength).add_(slope, alpha=self.extra_strength)
        if self.penalty is not None and self.strength > 0:
            cost, slope = penalty_value(weights[: self.p], self.penalty)
            value = value + self.strength * cost
            gradient[: self.p].add_(slope, alpha=self.strength)
        return float(value), gradient


def loss(weights, features, triplets, penalty="fro", strength: float = 0.0, *, bias=None, soft_targets=None) -> float:
    """Mean cross-entropy of triplets plus strength times penalty, for features as given (no standardising).

    Parameters
    ----------
    weights : array, shape (p, q)
    features : array, shape (m, p)
    triplets : int array, shape (n, 3)
        0-based, odd one last.
    penalty : {"fro", "fro2", "identity", None}
        Frobenius norm (not squared), its square, squared distance to mean(diagonal) times the identity, or none.
    strength : float
    bias : array, shape (q,), optional
    soft_targets : array, shape (n, 3), optional
        Target probabilities of the pairs (0, 1), (0, 2), (1, 2).

    Returns
    -------
    float
        In nats; similarities are dot products of ``features @ weights + bias``. Computed in float64.

    Raises
    ------
    InputError
        For shapes that do not fit, bad triplets, NaN, or an unknown penalty.

    Notes
    -----
    Muttenthaler et al. (2023), equation 2 (there with the square; their code has the norm itself).
    """
    one_of(penalty, PENALTIES, "penalty")
    x = as_tensor(features, dtype=torch.float64)
    w = as_tensor(weights, device=x.device, dtype=torch.float64)
    if w.shape[0] != x.shape[1]:
        raise InputError(f"have {w.shape[0]} rows", "weights", f"the features have {x.shape[1]} columns")
    z = x @ w
    if bias is not None:
        z = z + torch.as_tensor(np.asarray(bias) if not is_tensor(bias) else bias, dtype=x.dtype, device=x.device)
    value = TripletLikelihood(triplets, x.shape[0], soft_targets, x.device, torch.float64).value(z @ z.T)
    if penalty is not None and strength:
        value += float(strength) * float(penalty_value(w, penalty)[0])
    return value
