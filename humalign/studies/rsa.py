"""Representational similarity analysis: networks, with and without the transform, against people's arrangements."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import resample, results
from .. import rsa as measures
from ..cache import kept
from ..chapters import networks
from ..config import Profile
from ..data.types import HumanRDM
from ..errors import MissingData
from ..results import Measured, combine
from ..roles import ARRANGEMENTS

METRICS = ("correlation", "cosine")
METHODS = ("spearman", "pearson")
LAYERS = ("penultimate", "logits")
VERSION = 1  # of the tables that are kept: goes up when their numbers change


def upper(rdm: np.ndarray) -> np.ndarray:
    """Upper triangle of a square matrix, row by row."""
    return rdm[np.triu_indices(len(rdm), 1)]


def of_features(
    features, human: HumanRDM, stage: str, metrics=METRICS, methods=METHODS, draws=resample.DRAWS, **common
) -> Measured:
    """Agreement of each network's RDM with the mean RDM of the people, with bootstrap draws over images.

    Parameters
    ----------
    features : iterable of Features
        Raw or transformed; aligned to the ids of ``human`` here.
    human : HumanRDM
    stage : str
        "zero-shot" for raw features, "probed" after the transform.
    metrics, methods : tuple of str
        Of the network's RDM; of the comparison.

    Returns
    -------
    Measured
        Measure = method, detail = metric.
    """
    target, pairs = upper(human.mean()), resample.Pairs(len(human), draws)
    rows, drawn = [], []
    for part in features:
        values = part.align(human.ids).values
        for metric in metrics:
            rdm = np.asarray(measures.rdm(values, metric=metric))
            for method in methods:
                rows.append(
                    {
                        "model": part.model,
                        "seed": int(part.meta.get("seed", 0)),
                        "layer": part.layer,
                        "detail": metric,
                        "measure": method,
                        "value": float(measures.compare(rdm, human.mean(), method=method)),
                    }
                )
                drawn.append(pairs.correlate(upper(rdm), target, method))
    if not rows:
        raise MissingData("leaves no features to compare, as every transform collapsed", stage, "fit more triplets")
    return Measured.of(rows, np.stack(drawn), stage=stage, n=len(target), **common)


def measure(profile: Profile, seeds=(0,), datasets=ARRANGEMENTS, models=None, transformed: bool = True) -> Measured:
    """RSA of the networks of a profile on the arrangement sets, raw and transformed; kept in the cache.

    Parameters
    ----------
    profile : Profile
    seeds : tuple of int
        Training runs.
    datasets : tuple of str
    models : list of str, optional
        Default: all.
    transformed : bool
        Also after the transform learned on odd-one-out choices (:mod:`humalign.chapters.probing`), stage "probed".
    """
    out = []
    for dataset in networks.source(profile).at_hand(datasets):
        human = networks.source(profile).arrangement(dataset)
        parts = [networks.source(profile).state(dataset, models, seeds), human.checksum]

        def raw(dataset=dataset, human=human):
            features = list(networks.source(profile).features(dataset, LAYERS, models, seeds))
            features = tqdm(features, desc=f"RSA on {dataset}", unit="layer", leave=False)
            return of_features(features, human, "zero-shot", dataset=dataset, profile=profile.name)

        out.append(kept(profile, f"rsa-{dataset}", VERSION, parts, raw))
        if transformed:
            from ..chapters import probing

            out.append(probing.measure_rsa(networks.source(profile), models, seeds, (dataset,)))
    return combine(*out)


@lru_cache(maxsize=8)
def ceilings(profile: Profile, dataset: str, splits: int = 50) -> pd.DataFrame:
    """How well people predict people in an arrangement set.

    Returns
    -------
    DataFrame
        A result table with model "people", stage "ceiling", measures "spearman" and "pearson" and detail "one person"
        (mean agreement of a person with the mean of the others), "mean of all" (each person with the mean of all: the
        upper end for one person) and "reliability" (the agreement that the true RDM would have with the mean of these
        people: square root of the split-half agreement after Spearman and Brown; the line in the figures).
    """
    human = networks.source(profile).arrangement(dataset)
    vectors = np.stack([upper(r) for r in human.rdm])
    people, generator = len(vectors), np.random.default_rng(resample.SEED)
    mean, rows = vectors.mean(0), []
    for method in METHODS:

        def agree(a, b, method=method):
            return correlate(a, b, method)

        halves = []
        for _ in range(splits):
            order = generator.permutation(people)
            a, b = vectors[order[: people // 2]].mean(0), vectors[order[people // 2 : 2 * (people // 2)]].mean(0)
            halves.append(agree(a, b))
        half = float(np.mean(halves))
        others = [agree(v, (mean * people - v) / (people - 1)) for v in vectors]
        same = [agree(v, mean) for v in vectors]
        reliability = np.sqrt(max(2 * half / (1 + half), 0.0))
        for detail, value in (
            ("one person", np.mean(others)),
            ("mean of all", np.mean(same)),
            ("reliability", reliability),
        ):
            rows.append({"measure": method, "detail": detail, "value": float(value)})
    return results.table(
        rows, profile=profile.name, dataset=dataset, model="people", stage="ceiling", n=people, source=human.source
    )


def correlate(a: np.ndarray, b: np.ndarray, method: str = "spearman") -> float:
    """Spearman or Pearson correlation of two vectors."""
    if method == "spearman":
        from scipy.stats import rankdata

        a, b = rankdata(a), rankdata(b)
    return float(np.corrcoef(a, b)[0, 1])


def references(profile: Profile, dataset: str, draws: int = resample.DRAWS) -> pd.DataFrame:
    """Agreement of simple descriptions of the same pictures with people's arrangements; none is a network."""
    human = networks.source(profile).arrangement(dataset)
    features = networks.source(profile).descriptions(dataset, human.ids)
    part = of_features(
        features, human, "reference", ("cosine",), ("spearman",), draws, dataset=dataset, profile=profile.name
    )
    return part.table


def categories(profile: Profile, ids, dataset: str = "cichy") -> list[str]:
    """Category of each picture of an arrangement set; MissingData where nobody says."""
    found = networks.source(profile).pictures(dataset).align(ids).meta.get("kind")
    if found is None:
        raise MissingData("no categories of the pictures are known", dataset, "use the profile mini")
    return list(found)


def by_category(profile: Profile, human: HumanRDM) -> tuple[str, ...]:
    """Ids of an arrangement set sorted by category, then by name."""
    return tuple(name for _, name in sorted(zip(categories(profile, human.ids), human.ids)))


def examples(points: pd.DataFrame, groups=("Web labels", "Concept labels", "Image/Text")) -> pd.DataFrame:
    """The best network of each of some training groups."""
    rows = [part.loc[part["value"].idxmax()] for g in groups if len(part := points[points["group"] == g])]
    return pd.DataFrame(rows if rows else [points.loc[points["value"].idxmax()]]).reset_index(drop=True)
