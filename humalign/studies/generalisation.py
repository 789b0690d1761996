"""What alignment does for transfer: one-shot and few-shot classification, subpopulation shift, anomaly detection."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import downstream
from ..measured import Measured
from . import aligned, alignet, hierarchy

NAMES = aligned.NAMES
MAIN = ("base", "UnAligNet", "AligNet")


def pick(runs: Measured, dataset: str, measure: str, details, stages=MAIN) -> pd.DataFrame:
    """Rows of the students at the given stages, training runs averaged (see :func:`aligned.averaged`)."""
    t = runs.table
    wanted = (t["dataset"] == dataset) & (t["measure"] == measure) & t["detail"].isin(list(details))
    return aligned.averaged(runs.select(wanted.to_numpy()), stages, tuple(NAMES))


def chance() -> tuple[dict, dict]:
    """Chance of one-shot naming (one of the concepts of H1 or H2), and of naming one of all superordinates."""
    from ..world.drawing import world
    from ..world.splits import concepts_of

    kinds = len(set(world().superordinate.values()))
    return {p: 1 / len(concepts_of(p)) for p in ("H1", "H2")}, {p: 1 / kinds for p in ("seen", "H1", "H2")}


def few_shot(features: dict, shown: pd.DataFrame, shots=(1, 2, 3), draws: int = 10, part: str = "H2") -> pd.DataFrame:
    """Few-shot accuracy by number of examples, ridge classifiers on test pictures of held-out concepts.

    Returns
    -------
    DataFrame
        model, stage, shots, value, low, high (95 % bootstrap over concepts), chance.
    """
    from ..world.splits import concepts_of

    concepts = set(concepts_of(part))
    rows_of = shown["concept"].isin(concepts).to_numpy()
    labels = shown["concept"].to_numpy()[rows_of]
    generator = np.random.default_rng(0)
    k = len(np.unique(labels))
    samples = generator.integers(k, size=(200, k))
    out = []
    for (model, stage), values in features.items():
        if model not in NAMES or stage not in MAIN:
            continue
        for n in shots:
            found = downstream.few_shot(values[rows_of], labels, n, seeds=range(draws), strength=1.0)[
                "accuracy"
            ].to_numpy()
            low, high = np.percentile(found[samples].mean(1), [2.5, 97.5])
            out.append({"model": model, "stage": stage, "shots": n, "value": found.mean(), "low": low, "high": high,
                        "chance": 1 / k})  # fmt: skip
    return pd.DataFrame(out)


def anomalies(features: dict, shown: pd.DataFrame) -> pd.DataFrame:
    """One superordinate against the rest: AUROC by nearest neighbours, half of the concepts as the known ones.

    Returns
    -------
    DataFrame
        model, stage, value, low, high (95 % bootstrap over superordinates).
    """
    concepts = np.array(sorted(set(shown["concept"])))
    known = set(np.random.default_rng(1).permutation(concepts)[: len(concepts) // 2])
    train = shown["concept"].isin(known).to_numpy()
    label = shown["superordinate"].to_numpy()
    out = []
    for (model, stage), values in features.items():
        if model in NAMES and stage in MAIN:
            found = downstream.anomaly_detection(values[train], label[train], values[~train], label[~train])[
                "auroc"
            ].to_numpy()
            samples = np.random.default_rng(0).integers(len(found), size=(200, len(found)))
            low, high = np.percentile(found[samples].mean(1), [2.5, 97.5])
            out.append({"model": model, "stage": stage, "value": found.mean(), "low": low, "high": high})
    return pd.DataFrame(out)


def load():
    """Runs, features of test pictures and facts of the pictures, as recorded."""
    return alignet.runs(), hierarchy.recorded_features("test"), hierarchy.pictures("test")
