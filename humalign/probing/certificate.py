r"""How far a probe can be from the global optimum, from the convexity of the problem in M = WW'.

With the squared penalty the objective is :math:`f(M) = L(M) + s\,\mathrm{tr}\,M` over positive semidefinite M, because
:math:`\|W\|_F^2 = \mathrm{tr}\,M`, and L (mean log-sum-exp of linear functions minus a linear function) is convex.
Let :math:`G = \nabla L(M) = X^\top D X`. M is optimal if and only if :math:`G + sI \succeq 0` and
:math:`\langle G + sI, M\rangle = 0`. Two bounds on :math:`f(M) - f^*` follow; the smaller one is reported.

1. Tangent: :math:`\langle G + sI, M\rangle + \max(0, -\lambda_{\min}(G + sI))\, R` with :math:`R \ge \mathrm{tr}\,M^*`.
   Since :math:`L \ge 0`, :math:`s\,\mathrm{tr}\,M^* \le f^* \le \min(f(M), f(0))`, and :math:`f(0) = \ln 3`.
2. Duality: log-sum-exp is :math:`\max_q \langle q, S\rangle + H(q)` over distributions q on the three pairs. For
   any :math:`q_t` with :math:`G(q) + sI \succeq 0`, the mean entropy of the :math:`q_t` is a lower bound of
   :math:`f^*`. With target :math:`y_t` and softmax :math:`p_t`, :math:`q_t = (1 - a) y_t + a p_t` gives
   :math:`G(q) = aG`, which is allowed for
   :math:`a = \min(1, s / {-\lambda_{\min}(G)})`.
   The gap is :math:`f(M) - \frac{1}{n}\sum_t H(q_t)`.

The unsquared penalty is not convex in M, but for every budget t the problem min L(M), tr M <= t is. The bound (the
Frank-Wolfe gap) says how much better any M of no larger norm could be:

.. math:: L(M) - \min_{\mathrm{tr} M' \le t} L(M') \le \langle G, M\rangle + \max(0, -\lambda_{\min}(G))\, t,
    \qquad t = \mathrm{tr}\,M.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch

from ..errors import InputError


@dataclass(frozen=True)
class Certificate:
    """Bound on the distance from the global optimum.

    Attributes
    ----------
    kind : str
        "duality gap" (penalty "fro2") or "gap at equal norm" (penalty "fro" or none).
    value : float
        Objective ("fro2") or mean cross-entropy (else), in nats.
    gap : float
        The value is at most this much above the optimum.
    smallest_eigenvalue : float
        Of G + sI ("fro2") or G.
    slackness : float
        <G + sI, M> or <G, M>; the former is 0 at the best scale.
    trace_bound : float
        R or t above.
    """

    kind: str
    value: float
    gap: float
    smallest_eigenvalue: float
    slackness: float
    trace_bound: float

    def as_dict(self) -> dict:
        """Plain dictionary."""
        return asdict(self)


def certify(objective, weights: torch.Tensor) -> Certificate:
    """Certificate for weights without bias and penalty "fro2", "fro" or None.

    Parameters
    ----------
    objective : humalign.probing.engine.Objective
    weights : tensor, shape (p, q)

    Raises
    ------
    InputError
        For the identity penalty, a bias, or an extra term, whose problems are not convex in M.
    """
    if objective.penalty == "identity" or objective.extra is not None or weights.shape[0] != objective.p:
        raise InputError(
            "gives a problem that is not convex in WW'", "penalty", "certificates exist for 'fro2' and 'fro'"
        )
    z = objective.x @ weights
    similarity = z @ z.T
    cross_entropy, derivative = objective.likelihood(similarity)
    cross_entropy = float(cross_entropy)
    gram = (objective.x.T @ (derivative @ objective.x)).double()
    gram = (gram + gram.T) / 2
    w = weights.double()
    trace = float((w * w).sum())
    slackness = float(((gram @ w) * w).sum())
    smallest = float(torch.linalg.eigvalsh(gram)[0])
    if objective.penalty != "fro2" or objective.strength == 0:
        gap = max(0.0, slackness + max(0.0, -smallest) * trace)
        return Certificate("gap at equal norm", cross_entropy, gap, smallest, slackness, trace)
    s = objective.strength
    value = cross_entropy + s * trace
    share = min(1.0, s / -smallest) if smallest < 0 else 1.0
    dual = value - objective.likelihood.dual_value(similarity, share)
    slackness, smallest = slackness + s * trace, smallest + s
    bound = min(value, math.log(3)) / s
    gap = max(0.0, min(dual, slackness + max(0.0, -smallest) * bound))
    return Certificate("duality gap", value, gap, smallest, slackness, bound)
