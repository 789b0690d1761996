"""Every claim of both papers as a test on result tables: effect, interval, verdict; criteria are in claims.toml."""

from __future__ import annotations

import tomllib
from importlib import resources

import numpy as np
import pandas as pd

from . import multiplicity
from .claim_tests import TESTS, selected
from .errors import InputError
from .results import LEVEL, Measured, farthest, interval, monte_carlo_error

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


def provenance(measured: Measured, test: dict) -> str:
    """Where the numbers of a test come from: of several provenances the one farthest from live; "" without rows."""
    keys = ("plus", "minus") if "plus" in test else ("where", "with") if "with" in test else ("where",)
    mask = np.any([selected(measured, test, key) for key in keys], axis=0)
    return farthest(measured.table["provenance"][mask])


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
        criterion, effect, low, high, basis, provenance, error (of the interval's ends, from the number of draws),
        verdict; and counted, tail, holm, which change no verdict.
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
    """Statistic, unit, effect, low, high, basis, provenance, error (and p-values) of one claim; NaN where not measured.

    ``error`` is that of :func:`humalign.results.monte_carlo_error`.
    """
    test = claim["test"]
    found = TESTS[test["kind"]](measured, models, test)
    words = {"statistic": claim.get("statistic", test["kind"].replace("_", " ")), "unit": unit(test)}
    tests = ("counted", "tail") if p else ()
    if found is None:
        lacking = dict.fromkeys(("effect", "low", "high", "error", *tests), np.nan)
        return {**words, **lacking, "basis": _absent(measured, models, test), "provenance": ""}
    values, basis = found
    draws = centred(values, test["kind"])
    low, high = (float(v) for v in interval(draws, level))
    where = {"basis": basis, "provenance": provenance(measured, test), "error": monte_carlo_error(draws, level)}
    if p:
        where |= zip(tests, multiplicity.p_values(float(values[0]), draws, claim["criterion"]))
    return {**words, "effect": float(values[0]), "low": low, "high": high, **where}


def _absent(measured: Measured, models: pd.DataFrame, test: dict) -> str:
    """Why a claim was not measured, in words: no results of its kind, or too few of the networks it compares; and what
    would be needed where those have no public weights."""
    keys = [key for key in ("plus", "minus", "with") if key in test] or ["where"]
    seen = set(measured.table["model"][np.any([selected(measured, test, key) for key in keys], 0)])
    if not seen:
        return f"nothing was measured on {test.get('select', {}).get('dataset', 'these data')}"
    queries = [test[key] for key in ("a", "b", "of") if key in test] + test.get("order", [])
    sides = [models.query(query) for query in queries]
    if not sides:
        return f"features of {len(seen)} of the networks that it compares"
    found = [int(part["model"].isin(seen).sum()) for part in sides]
    closed = [int((~part["public"].astype(bool)).sum()) if "public" in part else 0 for part in sides]
    few, closed, of = min(zip(found, closed, map(len, sides)), key=lambda side: (side[0], -side[1]))
    if not of:
        return "one side that it compares has no network here"
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
