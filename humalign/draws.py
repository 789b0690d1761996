"""Bootstrap samples: how often each unit is drawn, and draws in few numbers, as what each unit adds to them.

There is one set of counts for each number of units, so that all rows of a data set share their draws and differences of
rows are paired.
"""

from __future__ import annotations

import numpy as np

DRAWS = 2000
SEED = 2023  # of the resampled units; the same in every study, so that data sets with the same concepts are paired
MOST, LEAST = 400, 0.99  # units that are looked for; share of the variance of draws that their sum has to explain


def counts(n: int, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """How often each of ``n`` units is drawn, with replacement, in each bootstrap sample: float32 (n, draws).

    Fewer draws are the first of many.
    """
    generator = np.random.default_rng([seed, n])
    return generator.multinomial(n, np.full(n, 1 / n), size=draws).T.astype(np.float32)


def _explained(draws: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Share of the variance of draws (rows, B) that others have in common with them, (rows,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - (draws - made).var(1) / draws.var(1)


def _units(rows: np.ndarray) -> np.ndarray:
    """How many units each row of draws (rows, B) was drawn from: those whose counts it is a sum of; 0 without any."""
    rows = rows - rows.mean(1, keepdims=True)
    norm, found = np.linalg.norm(rows, axis=1), np.zeros(len(rows), int)
    for n in range(2, min(MOST, rows.shape[1] // 3) + 1):
        if not (left := np.flatnonzero(found == 0)).size:
            break
        drawn = counts(n, rows.shape[1]) - 1
        made = (rows[left] @ drawn.T) @ drawn
        alike = (made * rows[left]).sum(1) / (np.linalg.norm(made - made.mean(1, keepdims=True), axis=1) * norm[left])
        found[left[alike > 0.8]] = n  # near sqrt(n / B) by chance
    return found


def packed(draws: np.ndarray, kinds) -> dict[str, np.ndarray]:
    """Draws in few numbers: of rows that are a sum over units, what each unit adds; other rows as they are.

    Parameters
    ----------
    draws : float (rows, B)
    kinds : sequence (rows,)
        Rows of one kind were drawn over the same units.

    Returns
    -------
    dict
        ``units`` (rows,): how many each row has, 0 where it is kept whole; ``adds``: one row after the other;
        ``whole`` (rows kept whole, B); ``mean`` (rows,): without any deviation; ``draws``: B.
    """
    draws, kinds = np.asarray(draws, np.float64), np.asarray(kinds)
    mean, units, adds = draws.mean(1), np.zeros(len(draws), np.int32), {}
    moving = draws.std(1) > 0  # not NaN, and with some width: others are kept whole
    names, first, kind = np.unique(kinds[moving], return_index=True, return_inverse=True)
    for number, n in enumerate(_units(draws[moving][first]) if len(names) else []):
        if not n:
            continue
        rows = np.flatnonzero(moving)[kind == number]
        drawn = counts(n, draws.shape[1]).astype(np.float64) - 1
        deviation = draws[rows] - mean[rows, None]
        found = np.linalg.lstsq((drawn - drawn.mean(1, keepdims=True)).T, deviation.T, rcond=1e-6)[0].T
        fits = _explained(deviation, found @ drawn) > LEAST
        units[rows[fits]] = n
        mean[rows] -= found @ drawn.mean(1)
        adds |= dict(zip(rows[fits], found[fits]))
    return {
        "units": units,
        "adds": np.concatenate([adds[row] for row in sorted(adds)] or [np.zeros(0)]).astype(np.float16),
        "mean": mean.astype(np.float32),
        "whole": draws[units == 0].astype(np.float16),
        "draws": np.array([draws.shape[1]], np.int32),
    }


def unpacked(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The draws of :func:`packed`: float32 (rows, B)."""
    units, draws = arrays["units"], int(arrays["draws"][0])
    out = np.empty((len(units), draws), np.float32)
    out[units == 0] = arrays["whole"]
    ends = np.cumsum(units)
    for n in np.unique(units[units > 0]):
        rows = np.flatnonzero(units == n)
        adds = np.stack([arrays["adds"][ends[row] - n : ends[row]] for row in rows]).astype(np.float32)
        out[rows] = arrays["mean"][rows, None] + adds @ (counts(n, draws) - 1)
    return out
