"""The teacher of the drawn world: strengths of the pull."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..alignet import mini, teacher
from ..cache import kept
from ..config import Profile

TEACHER = "teacher-web"
VERSION = 1  # of the tables that are kept: goes up when their numbers change
STRENGTHS = (0.01, 0.1, 1.0)
KINDS = ("uncertainty", "plain", "glocal")


def _state(profile, network: str):
    from ..world import stimuli

    return [mini.weights_of(profile, network), stimuli.drawings_digest()]


def strengths(profile: Profile, network: str = TEACHER) -> pd.DataFrame:
    """Object-wise cross-validation of three kinds of maps over strengths, drawn people; folds over concepts.

    Returns
    -------
    DataFrame
        kind, strength, measure, value (mean of three folds), low, high (range), and the kind "untransformed" at the
        temperature that fits best (strength NaN).
    """
    inputs = _state(profile, network)
    return kept(profile, "alignet-strengths", VERSION, inputs, lambda: _strengths(profile, network))


def _strengths(profile, network):
    from tqdm import tqdm

    from .. import calibration
    from ..probing import object_folds, partition_masks
    from ..similarity import similarity_matrix
    from ..world.datasets import embedding, things

    x, choices = mini.features(profile, network, "things"), things("train")
    rows = choices.triplets[::3]
    targets = teacher.soft_targets(embedding().values, rows)
    groups = np.unique(choices.concepts, return_inverse=True)[1]
    parts = []
    for kind in tqdm(KINDS, desc="maps", leave=False):
        own = targets if kind == "uncertainty" else None
        parts.append(teacher.cross_validate(x, rows, own, kind, STRENGTHS, groups=groups).assign(kind=kind))
    similarity = similarity_matrix(x, "cosine")
    plain = []
    for fold, member in enumerate(object_folds(len(x), 3, 42, groups)):
        inside, outside = partition_masks(rows, member)
        fitted = similarity / calibration.fit_temperature(similarity, rows[inside])
        found = teacher.scores(fitted, rows[outside])
        plain += [dict(fold=fold, strength=np.nan, measure=k, value=v, kind="untransformed") for k, v in found.items()]
    table = pd.concat([*parts, pd.DataFrame(plain)], ignore_index=True)
    grouped = table.groupby(["kind", "strength", "measure"], sort=False, dropna=False)["value"]
    return grouped.agg(value="mean", low="min", high="max").reset_index()
