"""Calibration of choice probabilities: expected calibration error, distances to human ones, temperature search.

Probabilities are (n, 3) over the pairs (0, 1), (0, 2), (1, 2); class 0, the kept pair, is the truth.
"""

from __future__ import annotations

import numpy as np

from .arrays import is_tensor, one_of, positive, to_numpy
from .errors import InputError
from .odd_one_out import as_probabilities, pair_similarities, softmax

PAPER_MULTIPLIERS = (
    1,
    0.75,
    0.5,
    0.25,
    0.1,
    0.075,
    0.05,
    0.025,
    0.01,
    0.0075,
    0.005,
    0.0025,
    0.001,
    0.0005,
    0.0001,
    0.00005,
    0.00001,
)
CRITERIA = ("ece", "ece_mass", "nll", "kl", "js")


def _bins(confidence, n_bins: int, binning: str):
    if binning == "width":
        return np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    edges = np.quantile(confidence, np.linspace(0, 1, n_bins + 1)[1:-1])
    return np.searchsorted(edges, confidence, side="right")


def calibration_table(probabilities, n_bins: int = 10, binning: str = "width"):
    """Confidence and accuracy in bins of confidence (a reliability diagram as a table).

    Parameters
    ----------
    probabilities : array or tensor, shape (n, classes)
        Class 0 is the truth.
    n_bins : int
    binning : {"width", "mass"}
        Bins of equal width on [0, 1] (each holds its lower edge, the last one also 1), or of equal numbers.

    Returns
    -------
    DataFrame
        One row a bin: bin, n, confidence (mean of the largest probability), accuracy (share with class 0 largest).
        Empty bins have n = 0 and NaN.
    """
    import pandas as pd

    one_of(binning, ("width", "mass"), "binning")
    if int(n_bins) < 1:
        raise InputError(f"is {n_bins}", "n_bins", "give at least 1")
    p = np.asarray(to_numpy(as_probabilities(probabilities)), dtype=np.float64)
    confidence, correct = p.max(1), p.argmax(1) == 0
    index = _bins(confidence, int(n_bins), binning)
    n = np.bincount(index, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(index, confidence, n_bins) / n
        share = np.bincount(index, correct, n_bins) / n
    return pd.DataFrame({"bin": np.arange(n_bins), "n": n, "confidence": mean, "accuracy": share})


def expected_calibration_error(probabilities, n_bins: int = 10, binning: str = "width") -> float:
    r"""Expected calibration error :math:`\sum_b \frac{|B_b|}{n} |\mathrm{acc}(B_b) - \mathrm{conf}(B_b)|`.

    Parameters
    ----------
    probabilities : array or tensor, shape (n, classes)
        Class 0 (the kept pair) is the truth; confidence is the largest probability.
    n_bins, binning
        See :func:`calibration_table`.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    InputError
        For rows that are no probabilities.

    Notes
    -----
    Guo et al. (2017); used by Muttenthaler et al. (2023), appendix, to choose a temperature.
    """
    table = calibration_table(probabilities, n_bins, binning)
    gaps = (table["accuracy"] - table["confidence"]).abs().fillna(0)
    return float((gaps * table["n"]).sum() / table["n"].sum())


def _pair(p, q):
    p, q = as_probabilities(p), as_probabilities(q, "targets")
    if tuple(p.shape) != tuple(q.shape):
        raise InputError(f"have shapes {tuple(p.shape)} and {tuple(q.shape)}", "probabilities", "give two of one shape")
    if is_tensor(p) or is_tensor(q):
        import torch

        device = p.device if is_tensor(p) else q.device
        return torch.as_tensor(p, device=device).double(), torch.as_tensor(q, device=device).double()
    return np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)


def _relative_entropy(p, q):
    if is_tensor(p):
        import torch

        terms = torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p))
        return terms.sum(1).clamp_min(0)
    from scipy.special import rel_entr

    return np.maximum(rel_entr(p, q).sum(1), 0)


def kl_divergence(p, q):
    """KL(p || q) of each row, in nats; infinite where q is 0 and p is not.

    Parameters
    ----------
    p, q : arrays or tensors, shape (n, classes)
        p is the target (people), q the model.

    Returns
    -------
    array or tensor, shape (n,)
    """
    return _relative_entropy(*_pair(p, q))


def jensen_shannon_distance(p, q):
    """Square root of the Jensen-Shannon divergence of each row (natural logarithm; at most sqrt(ln 2)).

    Parameters
    ----------
    p, q : arrays or tensors, shape (n, classes)

    Returns
    -------
    array or tensor, shape (n,)
    """
    p, q = _pair(p, q)
    middle = (p + q) / 2
    return ((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2) ** 0.5


def _criterion(name, p, targets, n_bins):
    if name == "ece":
        return expected_calibration_error(p, n_bins)
    if name == "ece_mass":
        return expected_calibration_error(p, n_bins, "mass")
    if name == "nll":
        with np.errstate(divide="ignore"):
            return float(-np.log(p[:, 0]).mean())
    return float((kl_divergence(targets, p) if name == "kl" else jensen_shannon_distance(targets, p)).mean())


def search_temperature(similarity, triplets, targets=None, temperatures=None, n_bins: int = 10):
    """All calibration criteria over a grid of temperatures.

    Parameters
    ----------
    similarity : array or tensor, shape (m, m)
    triplets : int array, shape (n, 3)
    targets : array, shape (n, 3), optional
        Human (or VICE) probabilities; adds the columns kl and js.
    temperatures : sequence of float, optional
        Default: one over the paper's grid of multipliers, 1 to 0.00001.
    n_bins : int

    Returns
    -------
    DataFrame
        One row a temperature: temperature, multiplier (1 / temperature), ece, ece_mass, nll, kl, js. The paper selects
        the row with the lowest ece.

    Notes
    -----
    Muttenthaler et al. (2023), appendix on temperature.
    """
    import pandas as pd

    if temperatures is None:
        temperatures = [1 / value for value in PAPER_MULTIPLIERS]
    pairs = np.asarray(to_numpy(pair_similarities(similarity, triplets)), dtype=np.float64)
    targets = None if targets is None else to_numpy(targets)
    rows = []
    for temperature in temperatures:
        p = softmax(pairs / positive(temperature, "temperature"))
        names = CRITERIA if targets is not None else CRITERIA[:3]
        rows.append(
            {
                "temperature": float(temperature),
                "multiplier": 1 / float(temperature),
                **{name: _criterion(name, p, targets, n_bins) for name in names},
            }
        )
    return pd.DataFrame(rows)


def fit_temperature(similarity, triplets, criterion: str = "nll", targets=None, n_bins: int = 10) -> float:
    """The temperature with the lowest criterion, by continuous search.

    Parameters
    ----------
    similarity : array or tensor, shape (m, m)
    triplets : int array, shape (n, 3)
    criterion : {"nll", "ece", "ece_mass", "kl", "js"}
        "kl" and "js" need ``targets``.
    targets : array, shape (n, 3), optional
    n_bins : int

    Returns
    -------
    float

    Notes
    -----
    A grid of 41 logarithmic steps around the spread of the similarities, then a bounded search beside its best point
    (the calibration error is not smooth in the temperature).
    """
    from scipy.optimize import minimize_scalar

    one_of(criterion, CRITERIA, "criterion")
    if criterion in ("kl", "js") and targets is None:
        raise InputError("are missing", "targets", f"'{criterion}' compares with human probabilities")
    pairs = np.asarray(to_numpy(pair_similarities(similarity, triplets)), dtype=np.float64)
    spread = float((pairs - pairs.mean(1, keepdims=True)).std())
    if spread == 0:
        raise InputError("are all equal", "similarity", "no temperature can help")
    targets = None if targets is None else to_numpy(targets)

    def value(logarithm):
        return _criterion(criterion, softmax(pairs / np.exp(logarithm)), targets, n_bins)

    grid = np.log(spread) + np.linspace(np.log(1e-3), np.log(1e3), 41)
    values = [value(point) for point in grid]
    best = int(np.nanargmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x if found.fun <= values[best] else grid[best]))
