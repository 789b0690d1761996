"""Every claim of both papers as a test on result tables: effect, interval, verdict; criteria are in claims.toml."""

from __future__ import annotations

import tomllib
from importlib import resources

import numpy as np
import pandas as pd

from . import multiplicity
from .errors import InputError
from .resample import Networks, networks
from .results import LEVEL, Measured, farthest, interval

VERDICTS = ("replicates", "does not replicate", "undecided", "not measured")
REQUIRED = {"id", "paper", "claim", "source", "status", "test", "criterion"}
NEEDED = (  # by a claim about networks without public weights
    "needed are features of these very networks, as files features/MODEL/PICTURES of the data folder, since others "
    "were trained otherwise"
)


def ledger(file: str = "claims.toml", prefix: str = "") -> list[dict]:
    """The claims as written in a file of this package, before any result was seen.

    Parameters
    ----------
    file : str
        "claims.toml" of the papers' claims; "claims_people.toml" and "claims_aligned.toml" of pages on real people;
        "claims_second.toml" of the second drawn world.
    prefix : str
        Only claims whose id begins so: those of one page.

    Returns
    -------
    list of dict
        Each with id, paper, claim, source, status ("confirmed", "second-hand" or "unverified"), test (dict)
        and criterion (dict).
    """
    text = resources.files("humalign").joinpath(file).read_text("utf8")
    claims = tomllib.loads(text)["claim"]
    for claim in claims:
        if missing := REQUIRED - set(claim):
            raise InputError(f"claim '{claim.get('id')}' lacks {', '.join(sorted(missing))}", file, "add them")
        if claim["test"]["kind"] not in TESTS:
            raise InputError(
                f"claim '{claim['id']}' names the unknown test '{claim['test']['kind']}'",
                file,
                f"choose one of {', '.join(TESTS)}",
            )
    if len({c["id"] for c in claims}) != len(claims):
        raise InputError("two claims have the same id", file, "rename one")
    return [claim for claim in claims if claim["id"].startswith(prefix)]


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson correlation over rows, for every column of y (n, B); x is (n,) or (n, B)."""
    x = np.broadcast_to(x[:, None] if x.ndim == 1 else x, y.shape)
    x, y = x - x.mean(0), y - y.mean(0)
    with np.errstate(all="ignore"):
        return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))


def _rank(x: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(x, axis=0)


def _mask(measured: Measured, test: dict, key: str) -> np.ndarray:
    """Rows of the table that a test looks at under ``key``."""
    mask = np.ones(len(measured.table), bool)
    for column, value in {**test.get("select", {}), **test.get(key, {})}.items():
        mask &= measured.table[column].isin(value if isinstance(value, list) else [value]).to_numpy()
    return mask


def _select(measured: Measured, models: pd.DataFrame, test: dict, key: str = "where") -> Networks:
    return networks(measured.select(_mask(measured, test, key)), models, test.get("layer", "best"))


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
    masks = [_mask(measured, test, key) & allowed for key in (plus, minus)]
    left, right = (runs[mask].unique() for mask in masks)
    both = left.get_level_values(0).intersection(right.get_level_values(0))
    left, right = (side[side.get_level_values(0).isin(both)] for side in (left, right))
    common = left.intersection(right)
    lone = len(left) + len(right) - 2 * len(common)
    first, second = (
        networks(measured.select(mask & runs.isin(common)), models, layer) for mask in masks
    )  # fmt: skip
    i, j = _match(first, second)
    words = f"{len(i)} networks"
    if lone:
        words += f", without {lone} training run{'s' if lone > 1 else ''} that lack{'' if lone > 1 else 's'} a partner"
    return first.both()[i], second.both()[j], words


def provenance(measured: Measured, test: dict) -> str:
    """Where the numbers of a test come from: of several provenances the one farthest from live; "" without rows."""
    keys = ("plus", "minus") if "plus" in test else ("where", "with") if "with" in test else ("where",)
    mask = np.any([_mask(measured, test, key) for key in keys], axis=0)
    return farthest(measured.table["provenance"][mask])


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
    return plus.mean(0) - minus.mean(0), f"{len(a)} against {len(b)} networks"


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
        basis = f"{len(y)} networks"
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
    y = cells.both()[rows]
    known = np.isfinite(x)
    x, labels, y = x[known], labels[known], y[known]
    keep = np.array([(labels == c).sum() >= 2 for c in labels], bool)
    x, labels, y = x[keep], labels[keep], y[keep]
    if len(x) < 3:
        return None
    for c in np.unique(labels):
        inside = labels == c
        x[inside] -= x[inside].mean()
        y[inside] -= y[inside].mean(0)
    return (x[:, None] * y).sum(0) / (x**2).sum(), f"{len(x)} networks in {len(np.unique(labels))} families"


def _line(cells: Networks, test: dict):
    """Centre of a fact (``x``), mean value there and slope of the value on it, and the number of networks."""
    rows = cells.rows(test.get("of"))
    x, y = cells.facts[test["x"]].to_numpy(float)[rows], cells.both()[rows]
    x, y = x[np.isfinite(x)], y[np.isfinite(x)]
    if len(x) < 3 or np.ptp(x) == 0:
        return None
    middle = x.mean()
    return middle, y.mean(0), ((x - middle)[:, None] * y).sum(0) / ((x - middle) ** 2).sum(), len(x)


def slope(measured, models, test):
    """Slope of the value on a fact (``x``) over networks: change per unit of the fact."""
    found = _line(_select(measured, models, test), test)
    return (found[2], f"{found[3]} networks") if found else None


def line_at(measured, models, test):
    """The line of :func:`slope` at a value of the fact (``at``) minus the mean of the networks in ``b``."""
    cells = _select(measured, models, test)
    found, rows = _line(cells, test), cells.rows(test["b"])
    if found is None or not len(rows):
        return None
    middle, level, rise, n = found
    return level + rise * (test["at"] - middle) - cells.both()[rows].mean(0), f"{n} networks against {len(rows)}"


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation over the rows of (n, B), without the bias of few rows (the factor c4 of normal samples)."""
    from scipy.special import gammaln

    n = len(values)
    c4 = np.sqrt(2 / (n - 1)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))
    return values.std(0, ddof=1) / c4


def spread_difference(measured, models, test):
    """Standard deviation between networks (or groups, ``a_by``) of ``a`` minus that between those of ``b``."""
    cells = _select(measured, models, test)
    both, out, sizes = cells.both(), [], []
    for key in ("a", "b"):
        rows = cells.rows(test[key])
        part = both[rows]
        if by := test.get(f"{key}_by"):
            labels = cells.facts[by].to_numpy()[rows]
            part = np.stack([part[labels == c].mean(0) for c in np.unique(labels)]) if len(rows) else part
        if len(part) < 3:
            return None
        sizes.append(len(part))
        out.append(_spread(part))
    return out[0] - out[1], f"{sizes[0]} against {sizes[1]} cells"


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
    return (cells.both()[rows].min(0), f"{len(rows)} networks") if len(rows) else None


def mean(measured, models, test):
    """Mean value over networks."""
    cells = _select(measured, models, test)
    rows = cells.rows(test.get("of"))
    return (cells.both()[rows].mean(0), f"{len(rows)} networks") if len(rows) else None


def ordered(measured, models, test):
    """Smallest step between the means of consecutive groups in ``order`` (all steps up when positive)."""
    cells = _select(measured, models, test)
    both, means = cells.both(), []
    for query in test["order"]:
        rows = cells.rows(query)
        if not len(rows):
            return None
        means.append(both[rows].mean(0))
    return np.diff(np.stack(means), axis=0).min(0), f"{len(means)} groups"


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


def check(claim: dict, models: pd.DataFrame) -> None:
    """Whether every query of a claim names two networks or more of a table; queries are those of its test.

    Parameters
    ----------
    claim : dict
        Of :func:`ledger` or :func:`later`.
    models : DataFrame
        Facts of the networks (:func:`humalign.zoo.facts.kinds`), measured or not.

    Raises
    ------
    InputError
        With the claim's name, where a query names none or a single one.
    """
    test = claim["test"]
    own = models[models["student"] == ""] if claim["paper"] == 1 else models
    for query in [test[key] for key in ("of", "a", "b") if key in test] + test.get("order", []):
        found = own.query(query)["model"].tolist()
        if len(found) < 2:
            told = f"selects {found[0]} alone" if found else "selects no network"
            raise InputError(
                f"claim '{claim['id']}' {told} by {query}", "claims.toml", "select by facts that are there"
            )


SCALES = {  # kinds whose draws lie beside their value, and the scale on which their width hardly depends on it
    "correlation": (lambda r: np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), np.tanh),
    "share_positive": (lambda p: np.arcsin(np.sqrt(p)), lambda a: np.sin(np.clip(a, 0, np.pi / 2)) ** 2),
}


def centred(values: np.ndarray, kind: str) -> np.ndarray:
    """Draws (B,) of a statistic, from its value and draws (1 + B,).

    Draws add noise to measured values that have noise already. A correlation near 1 and a share near 1 can then only
    fall, so that the percentiles may exclude the value itself; these draws are moved until their median is the value,
    on the scale of Fisher's z and of the arcsine of the root. Draws of other kinds stay as they are.
    """
    if kind not in SCALES:
        return values[1:]
    forth, back = SCALES[kind]
    with np.errstate(invalid="ignore"):
        scaled = forth(np.asarray(values, float))
    if not np.isfinite(scaled[1:]).any():
        return values[1:]
    return back(scaled[1:] - np.nanmedian(scaled[1:]) + scaled[0])


def training_runs(measured: Measured, **where) -> str:
    """How many training runs (seeds) the networks of the rows that match have: "3", or "2 to 3"; "0" without any."""
    frame = measured.table
    for column, value in where.items():
        frame = frame[frame[column] == value]
    counts = sorted(set(frame.groupby("model")["seed"].nunique())) or [0]
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def verdict(effect: float, low: float, high: float, criterion: dict) -> str:
    """Apply a criterion to an interval.

    ``{above: t}``: replicates when the whole interval lies above t, does not when it lies below, else undecided;
    ``{below: t}`` likewise; ``{within: [a, b]}`` (equivalence): replicates when the interval lies inside, does not when
    it lies entirely outside.
    """
    if not np.isfinite([effect, low, high]).all():
        return "not measured"
    if "above" in criterion:
        t = criterion["above"]
        return "replicates" if low > t else "does not replicate" if high < t else "undecided"
    if "below" in criterion:
        t = criterion["below"]
        return "replicates" if high < t else "does not replicate" if low > t else "undecided"
    if "within" in criterion:
        a, b = criterion["within"]
        return "replicates" if a < low and high < b else "does not replicate" if low > b or high < a else "undecided"
    raise InputError(f"unknown criterion {criterion}", "claims.toml", "use above, below or within")


def describe(criterion: dict) -> str:
    """A criterion in words."""
    if "within" in criterion:
        words = f"interval inside {criterion['within'][0]:g} to {criterion['within'][1]:g}"
    else:
        key = "above" if "above" in criterion else "below"
        words = f"interval {key} {criterion[key]:.3g}"
    return words.replace("-", "−")


CONTROL = "control of this book"  # the source of a claim that no paper makes
QUANTITY = {"spearman": "Spearman's ρ", "spearman with each person": "Spearman's ρ", "entropy-time": "Spearman's ρ",
            "distance-change": "relative distance", "agreement": "share of answers"}  # fmt: skip
SHARES = {"accuracy": "accuracy", "gain": "accuracy"}  # shares of triplets or pictures, 0 to 1


def unit(test: dict) -> str:
    """What the effect of a test is measured in, in words."""
    kind, measure = test["kind"], str({**test.get("select", {}), **test.get("where", {})}.get("measure", ""))
    if kind.startswith("correlation"):
        words = "Spearman's ρ" if test.get("method") == "spearman" else "Pearson's r"
        return f"difference of {words}" if kind.endswith("difference") else words
    if kind == "share_positive":
        return "share of networks"
    words = QUANTITY.get(measure, SHARES.get(measure, measure))
    if kind == "slope_within":
        return f"{words} per doubling"
    if kind == "slope":
        return f"{words} per unit of {test['x']}"
    return f"{words} (standard deviation)" if kind.startswith("spread") else words


def judge(
    measured: Measured,
    models: pd.DataFrame,
    claims: list[dict] | None = None,
    level: float = LEVEL,
    p: bool = False,
) -> pd.DataFrame:
    """Test every claim.

    Parameters
    ----------
    measured : Measured
        All results of one profile.
    models : DataFrame
        Facts of the networks.
    claims : list of dict, optional
        Default: :func:`ledger`.
    level : float
        Coverage of the intervals.
    p : bool
        With the p-values of :func:`humalign.multiplicity.p_values`, and Holm's for all these tests as one family.

    Returns
    -------
    DataFrame
        id, paper, claim, source, status, control (a check of this book, no claim of a paper), statistic, unit,
        criterion, effect, low, high, basis, provenance, verdict; and counted, tail, holm, which change no verdict.
    """
    out = []
    for claim in ledger() if claims is None else claims:
        row = {key: claim[key] for key in ("id", "paper", "claim", "source", "status")}
        row |= {"control": claim["source"] == CONTROL, "criterion": describe(claim["criterion"])}
        row |= effect(measured, models, claim, level, p)
        row["verdict"] = verdict(row["effect"], row["low"], row["high"], claim["criterion"])
        out.append(row)
    frame = pd.DataFrame(out)
    return frame.assign(holm=multiplicity.holm(frame["tail"])) if p and len(frame) else frame


def effect(measured: Measured, models: pd.DataFrame, claim: dict, level: float = LEVEL, p: bool = False) -> dict:
    """Statistic, unit, effect, low, high, basis, provenance (and p-values) of one claim; NaN where not measured."""
    test = claim["test"]
    found = TESTS[test["kind"]](measured, models, test)
    words = {"statistic": claim.get("statistic", test["kind"].replace("_", " ")), "unit": unit(test)}
    tests = ("counted", "tail") if p else ()
    if found is None:
        lacking = dict.fromkeys(("effect", "low", "high", *tests), np.nan)
        return {**words, **lacking, "basis": _absent(measured, models, test), "provenance": ""}
    values, basis = found
    draws = centred(values, test["kind"])
    low, high = (float(v) for v in interval(draws, level))
    where = {"basis": basis, "provenance": provenance(measured, test)}
    if p:
        where |= zip(tests, multiplicity.p_values(float(values[0]), draws, claim["criterion"]))
    return {**words, "effect": float(values[0]), "low": low, "high": high, **where}


def _absent(measured: Measured, models: pd.DataFrame, test: dict) -> str:
    """Why a claim was not measured, in words: no results of its kind, or too few of the networks it compares; and what
    would be needed where those have no public weights."""
    keys = [key for key in ("plus", "minus", "with") if key in test] or ["where"]
    seen = set(measured.table["model"][np.any([_mask(measured, test, key) for key in keys], 0)])
    if not seen:
        return f"nothing was measured on {test.get('select', {}).get('dataset', 'these data')}"
    queries = [test[key] for key in ("a", "b", "of") if key in test] + test.get("order", [])
    sides = [models.query(query) for query in queries]
    if not sides:
        return f"features of {len(seen)} of the networks that it compares"
    found = [int(part["model"].isin(seen).sum()) for part in sides]
    closed = [int((~part["public"].astype(bool)).sum()) if "public" in part else 0 for part in sides]
    few, closed, of = min(zip(found, closed, map(len, sides)), key=lambda side: (side[0], -side[1]))
    told = f"features of {few} of the {of} networks that it compares"
    return told + (f"; {closed} of them have no public weights: {NEEDED}" if closed else "")


def later() -> list[dict]:
    """Statements of the papers that got no criterion before results were seen: ``claims_later.toml``.

    They are shown with effect and interval, and without verdict. Keys: id, paper, claim, source, statistic, test.
    """
    return tomllib.loads(resources.files("humalign").joinpath("claims_later.toml").read_text("utf8"))["claim"]


def describe_later(measured: Measured, models: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Effects of :func:`later`: id, paper, claim, source, statistic, unit, effect, low, high, basis, provenance."""
    keys = ("id", "paper", "claim", "source")
    return pd.DataFrame([{k: c[k] for k in keys} | effect(measured, models, c, level) for c in later()])
