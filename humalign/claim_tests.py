"""The statistics that claims are tested by: each from results of networks to an effect, its draws, and its basis."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .resample import Networks, networks
from .results import Measured


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson correlation over rows, for every column of y (n, B); x is (n,) or (n, B)."""
    x = np.broadcast_to(x[:, None] if x.ndim == 1 else x, y.shape)
    x, y = x - x.mean(0), y - y.mean(0)
    with np.errstate(all="ignore"):
        return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))


def _rank(x: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(x, axis=0)


def selected(measured: Measured, test: dict, key: str) -> np.ndarray:
    """Rows of the table that a test looks at under ``key``."""
    mask = np.ones(len(measured.table), bool)
    for column, value in {**test.get("select", {}), **test.get(key, {})}.items():
        mask &= measured.table[column].isin(value if isinstance(value, list) else [value]).to_numpy()
    return mask


def _select(measured: Measured, models: pd.DataFrame, test: dict, key: str = "where") -> Networks:
    return networks(measured.select(selected(measured, test, key)), models, test.get("layer", "best"))


def _pairs(measured: Measured, models: pd.DataFrame, test: dict, plus: str = "plus", minus: str = "minus"):
    """Values of both sides, (networks, 1 + B) each, matched by network and training run; and what they rest on.

    A run that one side lacks, as where its transform collapsed, is left out of the other side too, and counted; a
    network that one side lacks altogether is not.
    """
    layer, known = test.get("layer", "best"), models.query(test["of"]) if test.get("of") else models
    allowed = measured.table["model"].isin(known["model"]).to_numpy()
    if layer not in ("", "best"):
        allowed = allowed & (measured.table["layer"] == layer).to_numpy()
    runs = pd.MultiIndex.from_frame(measured.table[["model", "seed"]])
    masks = [selected(measured, test, key) & allowed for key in (plus, minus)]
    left, right = (runs[mask].unique() for mask in masks)
    both = left.get_level_values(0).intersection(right.get_level_values(0))
    left, right = (side[side.get_level_values(0).isin(both)] for side in (left, right))
    common = left.intersection(right)
    lone = len(left) + len(right) - 2 * len(common)
    first, second = (
        networks(measured.select(mask & runs.isin(common)), models, layer) for mask in masks
    )  # fmt: skip
    i, j = _match(first, second)
    words = _told(first, i) if len(i) else ""
    if lone:
        words += f", without {lone} that lack{'' if lone > 1 else 's'} a partner"
    return first.both()[i], second.both()[j], words


def _runs(facts) -> str:
    """How many training runs networks have, in words."""
    few, most = facts["runs"].min(), facts["runs"].max()
    return "one training run each" if most == 1 else f"{few if few == most else f'{few} to {most}'} training runs each"


def _told(cells: Networks, rows, *others) -> str:
    """How many networks (of each side) a test rests on, and training runs, in words."""
    sides = [rows, *others]
    every = np.concatenate([np.asarray(side) for side in sides])
    sizes = [len(side) for side in sides]
    noun = "network" if sizes[-1] == 1 else "networks"
    return f"{' against '.join(map(str, sizes))} {noun}, {_runs(cells.facts.iloc[every])}"


def _match(a: Networks, b: Networks):
    """The networks both have, in one order: rows of a, rows of b."""
    common = [m for m in a.facts["model"] if m in set(b.facts["model"])]
    return (a.facts.set_index("model").index.get_indexer(common), b.facts.set_index("model").index.get_indexer(common))


def _resampled(both: np.ndarray, test: dict, *, seed: int = 0) -> np.ndarray:
    """Rows (networks) drawn anew in every draw where a test asks for ``networks``; column 0 is the value and stays.

    Equal calls with equally many rows draw alike, so that two measures of the same networks stay paired.
    """
    if not test.get("networks"):
        return both
    pick = np.random.default_rng([seed, len(both)]).integers(len(both), size=both.shape)
    pick[:, 0] = np.arange(len(both))
    return np.take_along_axis(both, pick, 0)


def group_difference(measured, models, test):
    """Mean of the networks in ``a`` minus mean of those in ``b``."""
    cells = _select(measured, models, test)
    a, b = cells.rows(test["a"]), cells.rows(test["b"])
    if not len(a) or not len(b):
        return None
    both = cells.both()
    plus, minus = _resampled(both[a], test), _resampled(both[b], test, seed=1)
    return plus.mean(0) - minus.mean(0), _told(cells, a, b)


def paired_difference(measured, models, test):
    """Mean over networks of the value under ``plus`` minus that under ``minus``."""
    plus, minus, basis = _pairs(measured, models, test)
    if not len(plus):
        return None
    return _resampled(plus, test).mean(0) - _resampled(minus, test).mean(0), basis


def share_positive(measured, models, test):
    """Share of networks whose value under ``plus`` exceeds that under ``minus``."""
    plus, minus, basis = _pairs(measured, models, test)
    return ((plus > minus).mean(0), basis) if len(plus) else None


def correlation(measured, models, test):
    """Correlation over networks with a fact (``x``), or with another measure (``with``)."""
    if "with" in test:
        y, x, basis = _pairs(measured, models, test, "where", "with")
    else:
        cells = _select(measured, models, test)
        rows = cells.rows(test.get("of"))
        x = cells.facts[test["x"]].to_numpy(float)[rows]
        rows, x = rows[np.isfinite(x)], x[np.isfinite(x)]
        y = cells.both()[rows]
        basis = _told(cells, rows) if len(rows) else ""
    if len(y) < 3:
        return None
    x = _resampled(np.broadcast_to(x[:, None], y.shape) if x.ndim == 1 else x, test)
    y = _resampled(y, test)
    if test.get("method", "pearson") == "spearman":
        x, y = _rank(x), _rank(y)
    return _pearson(x, y), basis


def correlation_difference(measured, models, test):
    """Correlation with ``x`` in data set ``plus`` minus that in ``minus``."""
    parts = []
    for key in ("plus", "minus"):
        found = correlation(measured, models, {**test, "where": test[key]})
        if found is None:
            return None
        parts.append(found[0])
    return parts[0] - parts[1], found[1]


def slope_within(measured, models, test):
    """Slope on log2 of a fact (``x``) within the classes of ``within`` (fixed effects): change per doubling."""
    cells = _select(measured, models, test)
    rows = cells.rows(test.get("of"))
    x = np.log2(cells.facts[test["x"]].to_numpy(float)[rows])
    labels = cells.facts[test["within"]].to_numpy()[rows]
    known = np.isfinite(x)
    rows, x, labels = rows[known], x[known], labels[known]
    keep = np.array([(labels == c).sum() >= 2 for c in labels], bool)
    rows, x, labels = rows[keep], x[keep], labels[keep]
    y = cells.both()[rows]
    if len(x) < 3:
        return None
    for c in np.unique(labels):
        inside = labels == c
        x[inside] -= x[inside].mean()
        y[inside] -= y[inside].mean(0)
    words = f"{len(x)} networks in {len(np.unique(labels))} families, {_runs(cells.facts.iloc[rows])}"
    return (x[:, None] * y).sum(0) / (x**2).sum(), words


def _line(cells: Networks, test: dict):
    """Centre of a fact (``x``), mean value there and slope of the value on it, and the rows of the networks."""
    rows = cells.rows(test.get("of"))
    x = cells.facts[test["x"]].to_numpy(float)[rows]
    rows, x = rows[np.isfinite(x)], x[np.isfinite(x)]
    if len(x) < 3 or np.ptp(x) == 0:
        return None
    middle, y = x.mean(), cells.both()[rows]
    return middle, y.mean(0), ((x - middle)[:, None] * y).sum(0) / ((x - middle) ** 2).sum(), rows


def slope(measured, models, test):
    """Slope of the value on a fact (``x``) over networks: change per unit of the fact."""
    cells = _select(measured, models, test)
    found = _line(cells, test)
    return (found[2], _told(cells, found[3])) if found else None


def line_at(measured, models, test):
    """The line of :func:`slope` at a value of the fact (``at``) minus the mean of the networks in ``b``."""
    cells = _select(measured, models, test)
    found, rows = _line(cells, test), cells.rows(test["b"])
    if found is None or not len(rows):
        return None
    middle, level, rise, used = found
    return level + rise * (test["at"] - middle) - cells.both()[rows].mean(0), _told(cells, used, rows)


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation over the rows of (n, B), without the bias of few rows (the factor c4 of normal samples)."""
    from scipy.special import gammaln

    n = len(values)
    c4 = np.sqrt(2 / (n - 1)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))
    return values.std(0, ddof=1) / c4


def spread_difference(measured, models, test):
    """Standard deviation between networks (or groups, ``a_by``) of ``a`` minus that between those of ``b``."""
    cells = _select(measured, models, test)
    both, out, sizes, used = cells.both(), [], [], []
    for key in ("a", "b"):
        rows = cells.rows(test[key])
        part = both[rows]
        if by := test.get(f"{key}_by"):
            labels = cells.facts[by].to_numpy()[rows]
            part = np.stack([part[labels == c].mean(0) for c in np.unique(labels)]) if len(rows) else part
        if len(part) < 3:
            return None
        sizes.append(len(part))
        used.extend(rows)
        out.append(_spread(part))
    return out[0] - out[1], f"{sizes[0]} against {sizes[1]} cells, {_runs(cells.facts.iloc[used])}"


def spread_change(measured, models, test):
    """Standard deviation between networks of the value under ``plus`` minus that of the value under ``minus``."""
    plus, minus, basis = _pairs(measured, models, test)
    if len(plus) < 3:
        return None
    return _spread(plus) - _spread(minus), basis


def smallest(measured, models, test):
    """Smallest value over networks."""
    cells = _select(measured, models, test)
    rows = cells.rows(test.get("of"))
    return (cells.both()[rows].min(0), _told(cells, rows)) if len(rows) else None


def mean(measured, models, test):
    """Mean value over networks."""
    cells = _select(measured, models, test)
    rows = cells.rows(test.get("of"))
    return (cells.both()[rows].mean(0), _told(cells, rows)) if len(rows) else None


def ordered(measured, models, test):
    """Smallest step between the means of consecutive groups in ``order`` (all steps up when positive)."""
    cells = _select(measured, models, test)
    both, means, used = cells.both(), [], []
    for query in test["order"]:
        rows = cells.rows(query)
        if not len(rows):
            return None
        used.extend(rows)
        means.append(both[rows].mean(0))
    return np.diff(np.stack(means), axis=0).min(0), f"{len(means)} groups, {_told(cells, used)}"


TESTS = {
    f.__name__: f
    for f in (
        group_difference,
        paired_difference,
        share_positive,
        correlation,
        correlation_difference,
        slope,
        line_at,
        slope_within,
        spread_difference,
        spread_change,
        smallest,
        mean,
        ordered,
    )
}
