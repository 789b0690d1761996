"""Do networks know how sure people are? Choice probabilities at a temperature, their calibration and their entropy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import calibration as measures
from .. import odd_one_out, record
from ..cache import kept
from ..chapters import networks
from ..config import Profile
from ..data.types import Triplets
from ..errors import MissingData
from ..similarity import similarity_matrix
from . import vice as slices

TEMPERATURES = tuple(float(f"{t:.4g}") for t in np.geomspace(0.02, 20, 21))
N = 16_000  # triplets at most: half of them choose a temperature, the other half judge it
BINS = 10
VERSION = 1  # of the tables that are kept: goes up when their numbers change
CRITERIA = {
    "ece": "ECE",
    "ece_mass": "ECE, equal numbers",
    "nll": "log loss, nats",
    "kl": "KL from people, nats",
    "js": "JS distance",
}


def halves(triplets: Triplets, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Rows to choose a temperature on, and rows to judge it on: evenly spread, taken in turn."""
    rows = np.linspace(0, len(triplets) - 1, min(n, len(triplets))).astype(int)
    return rows[::2], rows[1::2]


def people(profile: Profile, rows) -> np.ndarray:
    """Probabilities (n, 3) with which people keep each pair of some triplets.

    Raises
    ------
    MissingData
        Where nobody knows: people were not simulated.
    """
    found = networks.source(profile).people()
    if not found.known:
        raise MissingData("are not known of real people", "probabilities of answers", "use the profile mini")
    return found.probabilities[rows]


def of_similarity(similarity, triplets, rows, targets=None, temperatures=TEMPERATURES) -> dict[str, pd.DataFrame]:
    """Temperature search of one network on one half of the rows, calibration on the other half.

    Parameters
    ----------
    similarity : float (m, m)
    triplets : int (n, 3)
    rows : pair of int arrays
        From :func:`halves`.
    targets : pair of float arrays (., 3), optional
        People's probabilities for both halves; adds the criteria "kl" and "js".
    temperatures : sequence of float
        The grid.

    Returns
    -------
    dict of str to DataFrame
        "curves": criteria along the grid (first half). "chosen": one row a rule ("grid" and "continuous" with the
        lowest ECE as in the paper, "log loss", and "1"): temperature, and on the second half ece, ece_mass, nll,
        entropy (mean), sureness (mean largest probability), accuracy. "reliability": bins of confidence for "1" and
        "log loss", second half. "entropy": entropy (n,) of the second half at the temperature "log loss".
    """
    first, second = rows
    targets = targets or (None, None)
    curves = measures.search_temperature(similarity, triplets[first], targets[0], temperatures, BINS)
    rules = {
        "grid": float(curves.loc[curves["ece"].idxmin(), "temperature"]),
        "continuous": measures.fit_temperature(similarity, triplets[first], "ece", n_bins=BINS),
        "log loss": measures.fit_temperature(similarity, triplets[first], "nll"),
        "1": 1.0,
    }
    pairs = np.asarray(odd_one_out.pair_similarities(similarity, triplets[second]), dtype=np.float64)
    chosen, reliability = [], []
    for rule, temperature in rules.items():
        p = odd_one_out.softmax(pairs / temperature)
        h = odd_one_out.entropy(p)
        with np.errstate(divide="ignore"):
            nll = float(-np.log(p[:, 0]).mean())
        chosen.append(
            {
                "rule": rule,
                "temperature": temperature,
                "ece": measures.expected_calibration_error(p, BINS),
                "ece_mass": measures.expected_calibration_error(p, BINS, "mass"),
                "nll": nll,
                "entropy": float(h.mean()),
                "sureness": float(p.max(1).mean()),
                "accuracy": float((p.argmax(1) == 0).mean()),
                "n": len(p),
            }
        )
        if rule in ("1", "log loss"):
            reliability.append(measures.calibration_table(p, BINS).assign(rule=rule))
        if rule == "log loss":
            doubt = h
    return {
        "curves": curves,
        "chosen": pd.DataFrame(chosen),
        "reliability": pd.concat(reliability, ignore_index=True),
        "entropy": doubt,
    }


def binned(values, by, edges) -> pd.DataFrame:
    """Mean of ``values`` in bins of ``by``: low, high, n, at (mean of ``by``), value."""
    index = np.clip(np.digitize(by, edges) - 1, 0, len(edges) - 2)
    n = np.bincount(index, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        at, mean = (np.bincount(index, v, len(edges) - 1) / n for v in (by, values))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": n, "at": at, "value": mean})


def study(profile: Profile, layer: str = "penultimate", models=None, seeds=(0,)) -> dict[str, pd.DataFrame]:
    """Calibration of every network of a profile, from cosine similarities; kept in the cache.

    Parameters
    ----------
    profile : Profile
    layer : str
    models, seeds
        As :meth:`humalign.source.Source.features`.

    Returns
    -------
    dict of str to DataFrame
        "curves", "chosen" and "reliability" of :func:`of_similarity` with a column model; "entropy": the networks' mean
        entropy in ten equally filled bins of people's entropy (model "people" is the reference), nats; "doubt":
        Spearman correlation over triplets of each network's entropy with people's entropy and with response time
        (NaN without such times). In the full profile people's entropy is VICE's; without it the last two are empty,
        see :func:`known`, and the criteria "kl" and "js", which need people's probabilities, are always missing.
    """
    triplets, mini = networks.source(profile).triplets(), profile.name == "mini"
    inputs = [] if mini else [_certainty(profile, slice(None))]

    def make():
        rows = halves(triplets)
        targets = tuple(people(profile, r) for r in rows) if mini else None
        human = odd_one_out.entropy(targets[1]) if mini else _certainty(profile, rows[1])
        seconds = None if triplets.response_times is None else triplets.response_times[rows[1]]
        found: dict = {k: [] for k in ("curves", "chosen", "reliability", "entropy", "doubt")}
        found["entropy"].append(pd.DataFrame(columns=["model", "low", "high", "n", "at", "value"]))
        found["doubt"].append(pd.DataFrame(columns=["model", "entropy", "time"]))

        def relate(model, own):
            if human is not None:
                edges = np.quantile(human, np.linspace(0, 1, 11))
                found["entropy"].append(binned(own, human, edges).assign(model=model))
                related = {"model": model, "entropy": _rho(own, human), "time": _rho(own, seconds)}
                found["doubt"].append(pd.DataFrame([related]))

        relate("people", human)
        for part in tqdm(
            networks.source(profile).features("things", (layer,), models, seeds),
            desc="calibration",
            unit="network",
            leave=False,
        ):
            similarity = similarity_matrix(part.align(triplets.ids).values, "cosine")
            made = of_similarity(similarity, triplets.triplets, rows, targets)
            for key in ("curves", "chosen", "reliability"):
                found[key].append(made[key].assign(model=part.model))
            relate(part.model, made["entropy"])
        return {k: pd.concat([p for p in v if len(p)] or v, ignore_index=True) for k, v in found.items()}

    state = networks.source(profile).state("things", models, seeds)
    parts = [state, triplets.checksum, layer, TEMPERATURES, N, BINS, inputs]
    return kept(profile, f"calibration-{layer}", VERSION, parts, make)


def _rho(a, b) -> float:
    """Spearman correlation; NaN where one side is not known."""
    from scipy.stats import spearmanr

    return np.nan if b is None else float(spearmanr(a, b).statistic)


def _certainty(profile: Profile, rows) -> np.ndarray | None:
    try:
        chances = networks.source(profile).people().probabilities
    except MissingData:
        return None
    return None if chances is None else odd_one_out.entropy(chances[rows])


def known(found: dict[str, pd.DataFrame], key: str) -> pd.DataFrame:
    """A table of :func:`study`, or "time": the rows of "doubt" with response times.

    Raises
    ------
    MissingData
        When it has no rows, because nobody says how sure people are or how long they took.
    """
    table = found["doubt"].dropna(subset="time") if key == "time" else found[key]
    if len(table):
        return table
    if key == "time" and len(found["doubt"]):
        raise MissingData("have no response times", "people's answers", "use the profile mini for this figure")
    told = "'humalign data where things/vice_probabilities' says what is needed"
    raise MissingData("it is not known how sure people are", key, told)


# ---- the public files ------------------------------------------------------------------------------------------------

SIMILARITIES = {slices.CLIP: "cosine", slices.WORDS: "cosine", slices.VICE: "dot", slices.SPOSE: "dot"}


def _public(source) -> dict:
    """Temperatures chosen on test_10_ID (at most half of N responses), calibration on both repeated test sets."""
    training, test = (slices.responses(source.profile, names) for names in (slices.RESPONSES[2:], slices.RESPONSES[:2]))
    first = np.linspace(0, len(training) - 1, min(N // 2, len(training))).astype(int)
    triplets = np.concatenate([training.triplets[first], test.triplets])
    rows = np.arange(len(first)), np.arange(len(first), len(triplets))
    found: dict = {k: [] for k in ("curves", "chosen", "reliability")}
    for model, kernel in SIMILARITIES.items():
        values = source.published(model).align(training.ids).values
        grid = np.geomspace(0.005, 2, 21).round(6) if kernel == "cosine" else np.geomspace(0.05, 20, 21)
        made = of_similarity(similarity_matrix(values, kernel), triplets, rows, temperatures=grid)
        for key in found:
            found[key].append(made[key].assign(model=model))
    return {key: pd.concat(parts, ignore_index=True) for key, parts in found.items()}


# version 2: rows of CLIP by their right names
PUBLIC = record.Study("slice_calibration", slices.NEEDED, ("curves", "chosen", "reliability"), 2, _public)
