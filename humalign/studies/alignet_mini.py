"""AligNet in the drawn world: teacher and sampling."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..alignet import dataset as files
from ..alignet import mini, sampling, teacher
from ..cache import kept
from ..config import Profile

TEACHER = "teacher-web"
VERSION = 1  # of the tables that are kept: goes up when their numbers change
STRENGTHS = (0.01, 0.1, 1.0)
KINDS = ("uncertainty", "plain", "glocal")
RULES = ("between_class", "class_border", "within_class", "cluster", "cluster_border", "random", "mixed")


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


def _pool(profile, network: str, kind: str, clusters: int):
    """Test pictures as the pool: the teacher's representations, clusters, concepts, superordinates."""
    from ..world.drawing import world
    from ..world.stimuli import concept_of, split_ids

    ids = split_ids("test")
    found = mini.teacher(profile, network, kind)
    values = found.apply(mini.features(profile, network, "test"))

    def make():
        return {"labels": sampling.kmeans(values - values.mean(0), clusters, seed=0)[0]}

    inputs = [found.key, clusters, _state(profile, network)]
    labels = kept(profile, f"alignet-clusters-{kind}", VERSION, inputs, make)["labels"]
    concepts = np.array([concept_of(i) for i in ids])
    return ids, values, labels, concepts, np.array([world().superordinate[c] for c in concepts])


def sampled(
    profile: Profile,
    network: str = TEACHER,
    kind: str = "uncertainty",
    clusters: int = mini.CLUSTERS,
    n: int = 20_000,
    rules=RULES,
) -> dict:
    """Triplets of test pictures by each rule, ordered, with the teacher's similarities.

    Returns
    -------
    dict
        Rule to DataFrame: first, second, odd (ids), s01, s02, s12, concepts (how many), superordinates (how many).
    """
    ids, values, labels, concepts, kinds = _pool(profile, network, kind, clusters)
    names, out = np.array(ids), {}
    groups = {"classes": sampling.Groups(concepts), "clusters": sampling.Groups(labels), None: None}
    for rule in rules:
        rows = sampling.sample(
            n, rule, len(ids), groups[sampling.RULES[rule][1]], rng=np.random.default_rng([1, len(rule)])
        )
        rows, similarities = files.order_rows(rows, files.dot_products(values, rows))
        frame = pd.DataFrame(names[rows], columns=["first", "second", "odd"])
        frame[["s01", "s02", "s12"]] = similarities
        for column, code in (("concepts", concepts), ("superordinates", kinds)):
            own = np.sort(np.unique(code, return_inverse=True)[1][rows], 1)
            frame[column] = 1 + (np.diff(own, axis=1) > 0).sum(1)
        out[rule] = frame
    return out


def shares(triplets: dict) -> pd.DataFrame:
    """Shares of kinds of triplets a rule: rule, one concept, two concepts, one superordinate, others."""
    rows = []
    for rule, frame in triplets.items():
        one, two = frame["concepts"] == 1, frame["concepts"] == 2
        near = (frame["concepts"] == 3) & (frame["superordinates"] == 1)
        kinds = {"one concept": one, "two concepts": two, "one superordinate": near, "others": ~(one | two | near)}
        rows.append({"rule": rule, **{k: v.mean() for k, v in kinds.items()}})
    return pd.DataFrame(rows)


def confidences(triplets: dict, name: str, bins: int = 20) -> pd.DataFrame:
    """Distribution of the largest label probability: rule, teacher, probability (middle of a bin), share."""
    from ..odd_one_out import softmax

    edges, parts = np.linspace(1 / 3, 1, bins + 1), []
    for rule, frame in triplets.items():
        top = softmax(frame[["s01", "s02", "s12"]].to_numpy()).max(1)
        share = np.histogram(top, edges)[0] / len(top)
        parts.append(
            pd.DataFrame({"rule": rule, "teacher": name, "probability": (edges[1:] + edges[:-1]) / 2, "share": share})
        )
    return pd.concat(parts, ignore_index=True)
