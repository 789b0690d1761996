r"""How far a probe can be from the global optimum, from the convexity of the problem in M = WW'.

With the squared penalty the objective is :math:`f(M) = L(M) + s\,\mathrm{tr}\,M` over positive semidefinite M, because
:math:`\|W\|_F^2 = \mathrm{tr}\,M`, and L (log-sum-exp of linear functions minus a linear function) is convex. Let
:math:`G = \nabla L(M) = X^\top D X`. M is optimal if and only if :math:`G + sI \succeq 0` and
:math:`\langle G + sI, M\rangle = 0`. For any M, convexity gives

.. math:: f(M) - f^* \le \langle G + sI, M\rangle + \max(0, -\lambda_{\min}(G + sI))\, R, \qquad R \ge \mathrm{tr}\,M^*,

and :math:`L \ge 0` gives :math:`R = \min(f(M), \ln 3)/s`, since :math:`s\,\mathrm{tr}\,M^* \le f^* \le f(0) = \ln 3`.
With soft targets L is at least their entropy, which only makes R smaller.

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
        <G + sI, M> or <G, M>; 0 at a stationary scale.
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
    entropy_term, derivative = objective.likelihood(z @ z.T)
    entropy_term = float(entropy_term)
    gram = (objective.x.T @ (derivative @ objective.x)).double()
    gram = (gram + gram.T) / 2
    w = weights.double()
    trace = float((w * w).sum())
    slackness = float(((gram @ w) * w).sum())
    smallest = float(torch.linalg.eigvalsh(gram)[0])
    if objective.penalty == "fro2" and objective.strength > 0:
        s = objective.strength
        value = entropy_term + s * trace
        slackness, smallest = slackness + s * trace, smallest + s
        bound = min(value, math.log(3)) / s
        kind = "duality gap"
    else:
        value, bound, kind = entropy_term, trace, "gap at equal norm"
    gap = max(0.0, slackness + max(0.0, -smallest) * bound)
    return Certificate(kind, value, gap, smallest, slackness, bound)
