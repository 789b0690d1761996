"""What a student is trained on: how far its choices in a triplet are from the teacher's.

A triplet has three pairs, always in the order (0, 1), (0, 2), (1, 2). The teacher's similarities s give
p = softmax(s), without a temperature; the student's S = u_i . u_j give q = softmax(S / temperature). Everything is
computed from log-probabilities in float32 (float64 stays float64).

Source: Muttenthaler et al. (2025), Methods, and the released ``losses.py`` (kl, jsd and contrastive, temperature 100).
"""

from __future__ import annotations

import functools

import numpy as np

from ..arrays import is_tensor, one_of, positive
from ..errors import InputError

SIMILARITIES = ("dot", "cosine")
PAIRS = ((0, 1), (0, 2), (1, 2))


def _torch():
    import torch

    return torch


def _precise(value):
    """A tensor in float32, or in float64 if it came so."""
    torch = _torch()
    value = value if is_tensor(value) else torch.as_tensor(np.asarray(value))
    return value if value.dtype == torch.float64 else value.to(torch.float32)


def _bridge(function):
    """NumPy in, NumPy out; torch in, torch out."""

    @functools.wraps(function)
    def call(first, *others, **options):
        out = function(first, *others, **options)
        return out if is_tensor(first) else out.detach().numpy()

    return call


def _targets(values, rows: int):
    values = _precise(values)
    if tuple(values.shape) != (rows, 3):
        raise InputError(
            f"have shape {tuple(values.shape)} for {rows} triplets",
            "teacher similarities",
            "give one row of (s01, s02, s12) per triplet",
        )
    return values


def pair_similarities(logits, similarity: str = "dot"):
    """Similarities of the pairs (0, 1), (0, 2), (1, 2) of each triplet.

    Parameters
    ----------
    logits : tensor or array (b, 3, d)
        What the student says of the three images; not normalised.
    similarity : {"dot", "cosine"}
        "dot" is the papers' choice.

    Returns
    -------
    tensor (b, 3)

    Raises
    ------
    InputError
        For another shape.
    """
    one_of(similarity, SIMILARITIES, "similarity")
    values = _precise(logits)
    if values.ndim != 3 or values.shape[1] != 3 or 0 in tuple(values.shape):
        raise InputError(f"have shape {tuple(values.shape)}", "logits", "give (triplets, 3, dimensions)")
    if similarity == "cosine":
        values = _torch().nn.functional.normalize(values, dim=2)
    a, b, c = values.unbind(1)
    return _torch().stack([(a * b).sum(1), (a * c).sum(1), (b * c).sum(1)], 1)


def _log_student(similarities, temperature: float):
    return _torch().log_softmax(similarities / positive(temperature, "temperature"), 1)


def kl_of_similarities(similarities, target_similarities, temperature: float = 100.0):
    """:func:`kl` of pair similarities (b, 3) that are already known."""
    similarities = _precise(similarities)
    log_p = _torch().log_softmax(_targets(target_similarities, len(similarities)), 1)
    return (log_p.exp() * (log_p - _log_student(similarities, temperature))).sum(1)


def jsd_of_similarities(similarities, target_similarities, temperature: float = 100.0):
    """:func:`jsd` of pair similarities (b, 3) that are already known."""
    similarities = _precise(similarities)
    log_p = _torch().log_softmax(_targets(target_similarities, len(similarities)), 1)
    log_q = _log_student(similarities, temperature)
    log_m = _torch().logaddexp(log_p, log_q) - float(np.log(2))
    return 0.5 * ((log_p.exp() * (log_p - log_m)).sum(1) + (log_q.exp() * (log_q - log_m)).sum(1))


def contrastive_of_similarities(similarities, target_similarities=None, temperature: float = 100.0):
    """:func:`contrastive` of pair similarities (b, 3); where targets are given, their largest pair is the right one.

    Files of AligNet triplets are ordered so that this is the pair (0, 1).
    """
    log_q = _log_student(_precise(similarities), temperature)
    if target_similarities is None:
        return -log_q[:, 0]
    best = _targets(target_similarities, len(log_q)).argmax(1, keepdim=True)
    return -log_q.gather(1, best)[:, 0]


@_bridge
def kl(logits, target_similarities, temperature: float = 100.0, similarity: str = "dot"):
    r"""Kullback-Leibler divergence from the student's choices to the teacher's, :math:`\sum_k p_k \log(p_k / q_k)`.

    Parameters
    ----------
    logits : tensor or array (b, 3, d)
        The student's vectors of the three images of each triplet, not normalised.
    target_similarities : tensor or array (b, 3)
        The teacher's similarities of the pairs (0, 1), (0, 2), (1, 2); softmax without temperature.
    temperature : float
        Divides the student's similarities.
    similarity : {"dot", "cosine"}
        Between the student's vectors.

    Returns
    -------
    tensor or array (b,)
        Nats, one value a triplet.

    Raises
    ------
    InputError
        For shapes that do not fit or a temperature that is not positive.

    Notes
    -----
    The objective that the paper describes; the released configuration uses :func:`jsd`.
    """
    return kl_of_similarities(pair_similarities(logits, similarity), target_similarities, temperature)


@_bridge
def jsd(logits, target_similarities, temperature: float = 100.0, similarity: str = "dot"):
    r"""Jensen-Shannon divergence, :math:`\tfrac12 KL(p\|m) + \tfrac12 KL(q\|m)` with :math:`m = (p + q)/2`.

    At most log 2. Parameters, result and errors as in :func:`kl`.

    Notes
    -----
    The loss of the released configuration; the mixture is formed in log space, where the released code clamps.
    """
    return jsd_of_similarities(pair_similarities(logits, similarity), target_similarities, temperature)


@_bridge
def contrastive(logits, temperature: float = 100.0, similarity: str = "dot"):
    r"""Hard labels: :math:`-\log q_{01}`, the pair (0, 1) being the one the teacher keeps.

    Parameters, result and errors as in :func:`kl`, without targets.
    """
    return contrastive_of_similarities(pair_similarities(logits, similarity), None, temperature)


LOSSES = {"kl": kl_of_similarities, "jsd": jsd_of_similarities, "contrastive": contrastive_of_similarities}


@_bridge
def local(features, reference, temperature: float = 0.1):
    """How much the neighbourhoods within a batch differ from those of a reference (the local term of gLocal).

    KL divergence between the softmax, over all other rows, of cosine similarities of ``reference`` (target) and of
    ``features``, both divided by ``temperature``; one value a row.

    Parameters
    ----------
    features : tensor or array (b, d)
    reference : tensor or array (b, e)
    temperature : float

    Returns
    -------
    tensor or array (b,)
    """
    torch = _torch()
    temperature = positive(temperature, "temperature")
    rows = len(features)
    if len(reference) != rows or rows < 3:
        raise InputError(
            f"{rows} rows against {len(reference)}", "local loss", "give at least 3 rows and one reference each"
        )
    keep = ~torch.eye(rows, dtype=torch.bool, device=features.device if is_tensor(features) else None)
    logs = []
    for values in (reference, features):
        unit = torch.nn.functional.normalize(_precise(values), dim=1)
        logs.append(torch.log_softmax((unit @ unit.T / temperature)[keep].view(rows, rows - 1), 1))
    target, own = logs
    return (target.exp() * (target - own)).sum(1)


def match_temperature(similarities, target_similarities, low: float = 1e-3, high: float = 1e5) -> float:
    """The temperature at which a student that has not been trained is nearest its teacher (mean KL).

    Parameters
    ----------
    similarities : array (n, 3)
        Of the untouched student, with its random head if it has one.
    target_similarities : array (n, 3)
    low, high : float
        Ends of the grid, in percent of the largest spread of the similarities within a triplet.

    Returns
    -------
    float
        Minimum over a grid of 60 values, refined once.

    Notes
    -----
    With a temperature far below it the student starts much more confident than the teacher, and the first steps go
    into shrinking its features.
    """
    torch = _torch()
    similarities, targets = _precise(similarities).detach(), _precise(target_similarities)
    spread = float((similarities.max(1).values - similarities.min(1).values).max())
    if not np.isfinite(spread) or spread <= 0:
        raise InputError("the similarities of the student do not vary", "temperature", "check its features")
    grid = np.geomspace(low, high, 60) * spread / 100
    with torch.no_grad():
        for _ in range(2):
            best = int(np.argmin([float(kl_of_similarities(similarities, targets, t).mean()) for t in grid]))
            temperature = float(grid[best])
            grid = np.geomspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 21)
    return temperature


def confidence(similarities) -> float:
    """Mean largest probability of softmax(similarities) over triplets (n, 3)."""
    return float(_torch().softmax(_precise(similarities), 1).max(1).values.mean())


def match_confidence(similarities, reference, low: float = 1e-8, high: float = 1e4) -> float:
    """The factor at which ``similarities`` are, on average, as confident as ``reference`` (both (n, 3)).

    Used for UnAligNet in the drawn world, so that the control differs in what its labels say, not in how sure they are.
    """
    similarities, goal = _precise(similarities), confidence(reference)
    if not confidence(similarities * low) <= goal <= confidence(similarities * high):
        raise InputError("no factor makes the similarities that confident", "match_confidence", "check both teachers")
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if confidence(similarities * middle) < goal else (low, middle)
    return (low * high) ** 0.5
