"""The validation study of the second paper, held with drawn people: do they rate pairs as AligNet or UnAligNet does?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..chapters.student import NAMES
from . import levels

RATERS = 49  # as many as the published study kept
PAIRS = 100  # of each kind, as published
MOST = 10  # of one superordinate and kind
SOURCE = "analysis notebook of the validation study, executed by its author"
PUBLISHED = {  # quantity of levels.validation: value
    "mean rating, pairs closer under AligNet": 3.93,
    "mean rating, pairs closer under UnAligNet": 3.14,
    "paired t over participants": 20.260,
    "Pearson's r of rating and alignet distance": -0.640,
    "Spearman's ρ of rating and alignet distance": -0.641,
    "Pearson's r of rating and unalignet distance": 0.068,
    "Spearman's ρ of rating and unalignet distance": 0.122,
}
"""Published values; the correlations include five raters of a pilot on another scale."""


def divergent(aligned: np.ndarray, control: np.ndarray, shown: pd.DataFrame, n: int = PAIRS) -> pd.DataFrame:
    """Pairs that one network places much closer than the other.

    Parameters
    ----------
    aligned, control : arrays (m, p), (m, q)
        Features of the same pictures by AligNet and UnAligNet.
    shown : DataFrame
        id, concept, superordinate of the pictures. Pairs are two concepts of one superordinate.
    n : int
        Pairs of each kind, at most 10 of one superordinate.

    Returns
    -------
    DataFrame
        first, second (picture numbers), image1, image2, alignet, unalignet (cosine distances, z-scored over all such
        pairs), difference (alignet - unalignet; negative: closer under AligNet).
    """
    from ..rsa import rdm

    kinds, concepts = shown["superordinate"].to_numpy(), shown["concept"].to_numpy()
    i, j = np.triu_indices(len(shown), 1)
    near = (kinds[i] == kinds[j]) & (concepts[i] != concepts[j])
    i, j = i[near], j[near]
    out = {"first": i, "second": j, "image1": shown["id"].to_numpy()[i], "image2": shown["id"].to_numpy()[j]}
    for name, values in (("alignet", aligned), ("unalignet", control)):
        distance = np.asarray(rdm(values, "cosine"), float)[i, j]
        out[name] = (distance - distance.mean()) / distance.std()
    table = pd.DataFrame(out).assign(difference=lambda t: t["alignet"] - t["unalignet"], kind=kinds[i])
    parts = []
    for rising in (True, False):
        order = table.sort_values("difference", ascending=rising, kind="stable")
        parts.append(order[order.groupby("kind").cumcount() < MOST].head(n))
    return pd.concat(parts, ignore_index=True).drop(columns="kind")


def ratings(pairs: pd.DataFrame, ids, n: int = RATERS) -> pd.DataFrame:
    """Drawn people rate pairs from 1 to 5: each sorts all pairs by own similarity into five equal piles.

    Returns
    -------
    DataFrame
        participant, image1, image2, rating.
    """
    from scipy.stats import rankdata

    from ..world import observers

    seen, weights = observers.values(tuple(ids)), observers.people("main").weights[:n]
    similarity = (seen[pairs["first"]] * seen[pairs["second"]]) @ weights.T  # pairs x people
    pile = np.ceil(5 * rankdata(similarity, axis=0) / len(pairs)).clip(1, 5)
    frame = pairs[["image1", "image2"]]
    return pd.concat([frame.assign(participant=k, rating=pile[:, k]) for k in range(n)], ignore_index=True)


def study(features: dict, shown: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The study for every student.

    Returns
    -------
    summary : DataFrame
        quantity, one column a student (drawn people), real people (published), source of the latter.
    people : DataFrame
        student, participant, AligNet, UnAligNet: mean rating of the pairs that are closer under either.
    """
    columns, people = {}, []
    for model, name in NAMES.items():
        if (model, "AligNet") not in features or (model, "UnAligNet") not in features:
            continue
        pairs = divergent(features[model, "AligNet"], features[model, "UnAligNet"], shown)
        rated = ratings(pairs, shown["id"])
        columns[name] = levels.validation(rated, pairs.drop(columns=["first", "second"])).set_index("quantity")["value"]
        closer = np.where(pairs["difference"] < 0, "AligNet", "UnAligNet")
        rated["closer"] = np.tile(closer, rated["participant"].nunique())
        means = rated.pivot_table(index="participant", columns="closer", values="rating").reset_index()
        people.append(means.assign(student=name))
    found = pd.DataFrame(columns).reset_index()
    found["real people"] = found["quantity"].map(PUBLISHED)
    return found.assign(**{"source of the latter": "published"}), pd.concat(people, ignore_index=True)


def published_ratings() -> list[float]:
    """Mean ratings of real people, pairs closer under UnAligNet and under AligNet, as published."""
    pairs = ("UnAligNet", "AligNet")
    return [PUBLISHED[f"mean rating, pairs closer under {name}"] for name in pairs]
