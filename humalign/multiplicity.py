"""Many tests at once: p-values of claims from their draws, and which verdicts survive Holm's correction."""

from __future__ import annotations

import numpy as np


def p_values(effect: float, draws, criterion: dict) -> tuple[float, float]:
    """Two-sided p-values of one claim against the edge of its criterion, both approximate.

    Parameters
    ----------
    effect : float
    draws : float array (B,)
        Of :func:`humalign.claims.centred`.
    criterion : dict
        ``above`` or ``below``: against this value. ``within`` [a, b]: of an effect inside the larger p of both edges
        (equivalence, two one-sided tests), of one outside that against the nearer edge.

    Returns
    -------
    counted : float
        Twice the share of draws on the other side of the edge, as (k + 1) / (B + 1) (Davison and Hinkley 1997, section
        4.2): never below 2 / (B + 1).
    tail : float
        From a normal distribution with the standard deviation of the draws, for p below what B draws can count.
    """
    from scipy.stats import norm

    draws = np.asarray(draws, float)
    draws = draws[np.isfinite(draws)]
    if not len(draws) or not np.isfinite(effect):
        return float("nan"), float("nan")
    spread = draws.std(ddof=1) if len(draws) > 1 else 0.0

    def against(edge: float) -> tuple[float, float]:
        beyond = min((draws <= edge).sum(), (draws >= edge).sum())
        far = abs(effect - edge)
        tail = 2 * norm.sf(far / spread) if spread > 0 else float(far == 0)
        return min(1.0, 2 * (beyond + 1) / (len(draws) + 1)), float(tail)

    edges = criterion["within"] if "within" in criterion else [criterion.get("above", criterion.get("below"))]
    found = np.array([against(edge) for edge in edges])
    if len(edges) == 2 and not edges[0] < effect < edges[1]:
        return tuple(found[np.argmin(np.abs(np.asarray(edges) - effect))])
    return tuple(found.max(0))


def holm(p) -> np.ndarray:
    """p-values (n,) adjusted for n tests (Holm 1979): what is below a level survives at it; NaN is no test."""
    p = np.asarray(p, float)
    out, known = np.full(p.shape, np.nan), np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = np.maximum.accumulate(p[order] * (len(order) - np.arange(len(order)))) if len(order) else []
    out[order] = np.minimum(steps, 1.0)
    return out
