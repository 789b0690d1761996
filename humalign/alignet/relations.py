"""What is computed when runs are collected: gains, changes of distances, similarity of networks, transfer."""

from __future__ import annotations

import numpy as np

from .. import resample, rsa
from ..chapters import hierarchy
from ..chapters.student import pictures
from ..results import Measured, Rows
from . import transfer
from .measure import gains

STAGES = ("base", "AligNet", "UnAligNet")


def _pairs(features: np.ndarray) -> np.ndarray:
    """Upper triangle of the RDM of concept means (correlation distance)."""
    codes, k = resample.codes(pictures("things")["concept"].to_numpy())
    x = features.astype(np.float32)
    means = np.stack([np.bincount(codes, x[:, d], k) for d in range(x.shape[1])], 1) / np.bincount(codes)[:, None]
    return rsa.rdm(means, "correlation")[np.triu_indices(k, 1)]


def network_similarity(by_stage: dict, models, stage: str, seed: int, **common) -> list[Measured]:
    """Mean Spearman correlation of each network's RDM of concepts with those of the others, at one stage."""
    present = [m for m in models if (stage, m, seed) in by_stage]
    if len(present) < 2:
        return []
    n = pictures("things")["concept"].nunique()
    pairs = resample.Pairs(n, drawn=resample.counts(n).astype(np.float64))  # many pairs: sums of float32 lose digits
    vectors = {m: _pairs(by_stage[stage, m, seed][1]["things"]) for m in present}
    found = {}
    for i, a in enumerate(present):
        for b in present[i + 1 :]:
            once = rsa.compare(_square(vectors[a]), _square(vectors[b]), "spearman")
            found[a, b] = (float(once), pairs.correlate(vectors[a], vectors[b]))
    out = []
    for m in present:
        own = [v for pair, v in found.items() if m in pair]
        rows = Rows(model=m, seed=seed, stage=stage, **common)
        draws = np.mean([d for _, d in own], 0)
        rows.add("model-similarity", "spearman", "things", np.mean([v for v, _ in own]), draws, len(own))
        out.append(rows.measured())
    return out


def _square(vector: np.ndarray) -> np.ndarray:
    n = round((1 + (1 + 8 * len(vector)) ** 0.5) / 2)
    out = np.zeros((n, n), vector.dtype)
    out[np.triu_indices(n, 1)] = vector
    return out + out.T


def derived(by_stage: dict, models) -> list[Measured]:
    """Tables that need more than one experiment, and transfer by the kept features.

    Parameters
    ----------
    by_stage : dict
        (stage, model, seed) to (Measured, features by split).
    models : sequence of str
        The students.
    """
    common = {
        "profile": "mini",
        "layer": "penultimate",
        "provenance": "recorded",
        "source": "humalign.alignet.experiments",
    }
    out = []
    for (stage, model, seed), (table, kept) in by_stage.items():
        if stage in STAGES and model in models:
            out.append(transfer.measure(kept["test"], model=model, seed=seed, stage=stage, **common))
        base = by_stage.get(("base", model, seed))
        if base is None or stage == "base" or stage.startswith("teacher"):
            continue
        out.append(gains(table, base[0]))
        own = {"model": model, "seed": seed, "stage": stage, **common}
        out.append(hierarchy.of_features(base[1]["things"], kept["things"], pictures("things"), **own))
    for seed in sorted({seed for _, _, seed in by_stage}):
        for stage in STAGES:
            out += network_similarity(by_stage, models, stage, seed, **common)
    return out
