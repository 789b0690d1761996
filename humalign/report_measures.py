"""The rows of a report card: zero-shot, probed, calibration, RSA and ceilings of one data set, with intervals."""

from __future__ import annotations

import numpy as np

from . import calibration, odd_one_out, resample, rsa
from .data.types import Features, HumanRDM, Triplets
from .errors import InputError
from .levels import LEVELS
from .similarity import similarity_matrix

KERNELS = ("cosine", "dot")
CALIBRATION_TRIPLETS = 20_000
PROBE_TRIPLETS = 150_000
PROBE = {"penalty": "identity", "strengths": (0.3, 0.1, 0.03), "tolerance": 1e-4, "max_iterations": 60}


def _levels(data: Triplets) -> list[str]:
    """Levels that occur, from coarse to boundary."""
    order = {name: k for k, name in enumerate(LEVELS)}
    return sorted(dict.fromkeys(data.level), key=lambda name: order.get(name, len(order)))


def triplet_rows(features: Features, data: Triplets, *, n_boot: int, seed: int) -> tuple[list, list]:
    """Zero-shot accuracies (both kernels, per level where there are levels) and calibration of one layer.

    Returns
    -------
    rows : list of dict
    curves : list of dict
        Reliability curves.
    """
    rows, curves = [], []
    values = features.align(data.ids).values
    levels = [""] if data.level is None else _levels(data)
    options = {"n_boot": n_boot, "seed": seed}
    for kernel in KERNELS:
        similarity = similarity_matrix(values, kernel)
        scores = odd_one_out.scores(similarity, data.triplets, ties="fraction")
        for level in levels:
            at = np.ones(len(data), bool) if not level else data.level == level
            groups = np.asarray(data.concepts)
            if len(set(groups)) < 2:
                groups = np.asarray(data.ids)
            found = resample.triplet_interval(scores[at], data.triplets[at], groups, **options)
            rows.append(
                {"stage": "zero-shot", "measure": "accuracy", "detail": f"{kernel}, {level}" if level else kernel,
                 "value": found.value, "low": found.low, "high": found.high, "n": found.n}
            )  # fmt: skip
        if kernel == "cosine" and not levels[0]:
            more, curve = calibration_rows(similarity, data.triplets, n_boot=n_boot, seed=seed)
            rows += more
            curves += curve
    return rows, curves


def calibration_rows(similarity, triplets, *, n_boot: int, seed: int) -> tuple[list, list]:
    """Calibration at temperature 1 and at the temperature that half of the triplets choose, both on the other half."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(triplets))[: 2 * CALIBRATION_TRIPLETS]
    fit, held = triplets[rows[::2]], triplets[rows[1::2]]
    try:
        temperature = calibration.fit_temperature(similarity, fit, "nll")
    except InputError:  # all similarities equal
        return [], []
    out, curves = [], []
    for stage, t in (("zero-shot", 1.0), ("calibrated", temperature)):
        p = np.asarray(odd_one_out.probabilities(similarity, held, t))
        low, high = resample.calibration_interval(p, held, n_boot=min(n_boot, 200), seed=seed)
        value = calibration.expected_calibration_error(p)
        out.append({"stage": stage, "measure": "ece", "detail": f"temperature {t:.3g}", "value": value, "low": low,
                    "high": high, "n": len(held)})  # fmt: skip
        table = calibration.calibration_table(p)
        for row in table[table["n"] > 0].itertuples():
            curves.append({"stage": stage, "confidence": row.confidence, "accuracy": row.accuracy, "n": int(row.n)})
    return out, curves


def probe_rows(features: Features, data: Triplets, *, n_boot: int, seed: int) -> list[dict]:
    """Accuracy on objects that the transform never saw, before and after it, and the paired difference."""
    from . import probing

    if len(data) > PROBE_TRIPLETS:
        data = data.select(np.sort(np.random.default_rng(seed).permutation(len(data))[:PROBE_TRIPLETS]))
    values = features.align(data.ids).values
    groups = np.asarray(data.concepts)
    found = probing.cross_validation(values, data.triplets, groups=groups, **PROBE)
    held = found.held_out()
    triplets = data.triplets[held["triplet"].to_numpy()]
    before = odd_one_out.scores(similarity_matrix(values, "cosine"), triplets, ties="fraction")
    after = (held["choice"].to_numpy() == 2).astype(float)
    rows = []
    for stage, measure, scores in (
        ("zero-shot, same folds", "accuracy", before), ("probed", "accuracy", after),
        ("probed", "gain", after - before),
    ):  # fmt: skip
        one = resample.triplet_interval(scores, triplets, groups, n_boot=n_boot, seed=seed)
        detail = "cosine" if stage.startswith("zero") else f"strength {found.strength:g}"
        rows.append({"stage": stage, "measure": measure, "detail": detail, "value": one.value, "low": one.low,
                     "high": one.high, "n": one.n})  # fmt: skip
    return rows


def rdm_rows(features: Features, data: HumanRDM, *, n_boot: int, seed: int) -> list[dict]:
    """RSA with the mean of the people (Spearman, Pearson), and the mean agreement with single people."""
    own = rsa.rdm(features.align(data.ids).values, "correlation")
    rows = []
    for method in rsa.METHODS:
        found = resample.rdm_interval(own, data.mean(), method, n_boot=min(n_boot, 400), seed=seed)
        rows.append({"stage": "zero-shot", "measure": method, "detail": "correlation", "value": found.value,
                     "low": found.low, "high": found.high, "n": found.n})  # fmt: skip
    if data.people > 1:
        single = np.array([rsa.compare(own, one) for one in data.rdm])
        one = resample.mean_interval(single, n_boot=n_boot, seed=seed)
        rows.append({"stage": "zero-shot", "measure": "spearman with each person", "detail": "correlation",
                     "value": one.value, "low": one.low, "high": one.high, "n": data.people})  # fmt: skip
    return rows


def ceiling_rows(data, repeated=None) -> list[dict]:
    """What people leave open: ceilings of a data set (none where nobody answered twice, or one person was asked)."""
    if isinstance(data, HumanRDM):
        if data.people < 2:
            return []
        low, high = rsa.ceiling(data.rdm, "single")
        return [
            {
                "measure": "spearman",
                "detail": "reliability",
                "value": rsa.ceiling(data.rdm, "mean")[0],
                "n": data.people,
            },
            {"measure": "spearman with each person", "detail": "lower", "value": low, "n": data.people},
            {"measure": "spearman with each person", "detail": "upper", "value": high, "n": data.people},
        ]
    repeated = data if repeated is None else repeated
    levels = [""] if repeated.level is None else _levels(repeated)
    rows = []
    for level in levels:
        part = repeated.triplets if not level else repeated.triplets[repeated.level == level]
        if len(np.unique(np.sort(part, 1), axis=0)) > 0.7 * len(part):
            continue  # hardly any triplet was answered more than once
        for kind in ("majority", "leave-one-out"):
            rows.append({"measure": "accuracy", "detail": f"{kind}, {level}" if level else kind,
                         "value": odd_one_out.noise_ceiling(part, kind), "n": len(part)})  # fmt: skip
    return rows
