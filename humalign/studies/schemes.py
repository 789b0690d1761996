"""What the two schematic figures of the AligNet chapters show: steps and relations, each with an example by rule."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..alignet import mini
from ..config import Profile
from ..odd_one_out import softmax
from . import alignet_mini

STEPS = {  # step: title, then what works on the pictures (words, state), in order
    "fit": (
        "Fit a map to people",
        (("a large network gives features x", "frozen"), ("a linear map z = xW + b", "fitted")),
    ),
    "label": (
        "Ask it about new pictures",
        (("the same network", "frozen"), ("the same map", "frozen")),
    ),
    "train": (
        "Fine-tune another network",
        (("a student network, all its weights", "trained"), ("a pull back to the weights it began with", "pull")),
    ),
}
NEAR, FAR = ("dog", "cat", "giraffe"), ("banana", "car")


def _chances(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Chance that each picture of triplets (n, 3) of rows of ``values`` is the odd one: softmax of the other pair."""
    from ..alignet.dataset import dot_products

    return softmax(dot_products(values, rows))[:, ::-1]  # pairs (0, 1), (0, 2), (1, 2) leave 2, 1, 0


def _judged(profile: Profile) -> list[dict]:
    """The triplet that drawn people are surest of among those that features alone get wrong and the map gets right."""
    from ..world import observers
    from ..world.stimuli import split_ids

    ids, x = np.array(split_ids("things")), mini.features(profile, alignet_mini.TEACHER, "things")
    rows = mini.judged_triplets("seen", 3000)
    answers = {"people": observers.group_probabilities(observers.values(ids), rows)[:, ::-1]}
    for who, kind in (("features alone", "untransformed"), ("map", "uncertainty")):
        answers[who] = _chances(mini.teacher(profile, alignet_mini.TEACHER, kind).apply(x), rows)
    odd = {who: p.argmax(1) for who, p in answers.items()}
    fits = (odd["map"] == odd["people"]) & (odd["features alone"] != odd["people"])
    best = int(np.argmax(np.where(fits, answers["people"].max(1), -1)))
    order = np.argsort(answers["people"][best])
    return [{"who": who, "pictures": ids[rows[best][order]], "odd": p[best][order]} for who, p in answers.items()]


def _labelled(profile: Profile) -> dict:
    """Of the border triplets the one whose label is of median certainty, with its label."""
    table = alignet_mini.sampled(profile, rules=("cluster_border",))["cluster_border"]
    label = softmax(table[["s01", "s02", "s12"]].to_numpy())
    certain = label.max(1)
    place = int(np.argsort(certain, kind="stable")[len(certain) // 2])
    return {"pictures": table.loc[place, ["first", "second", "odd"]].to_numpy(), "odd": label[place][::-1]}


def pipeline(profile: Profile) -> pd.DataFrame:
    """The three steps from people's choices to a student.

    Returns
    -------
    DataFrame
        One row a node: step (1, 2, 3), title, node ("works" or "answers"), words (what works, or whose answers), state
        (frozen, fitted, trained, pull; given for answers), and for answers first, second, third (picture ids) and
        odd_1, odd_2, odd_3 (chance that each is the odd one).
    """
    label = _labelled(profile)
    answers = {
        "fit": _judged(profile),
        "label": [{"who": "soft label", **label}],
        "train": [{"who": "answers are pulled to the soft label", **label}],
    }
    rows = []
    for k, (step, (title, works)) in enumerate(STEPS.items(), 1):
        rows += [dict(step=k, title=title, node="works", words=w, state=s) for w, s in works]
        for a in answers[step]:
            names = dict(zip(("first", "second", "third"), a["pictures"]))
            odd = dict(zip(("odd_1", "odd_2", "odd_3"), map(float, a["odd"])))
            rows.append(dict(step=k, title=title, node="answers", words=a["who"], state="given", **names, **odd))
    return pd.DataFrame(rows)


def relations(near=NEAR, far=FAR) -> pd.DataFrame:
    """A triplet of each level of abstraction, in one small tree of concepts.

    Parameters
    ----------
    near : three concepts of one superordinate
    far : two concepts of two other superordinates

    Returns
    -------
    DataFrame
        level, picture (id), concept, superordinate, odd (share of drawn people who call it odd); three rows a level.
    """
    from ..world import observers
    from ..world.drawing import world
    from ..world.stimuli import concept_of

    first = {c: f"{c}/test0" for c in (*near, *far)}
    triplets = {
        "coarse": [first[near[0]], *(first[c] for c in far)],
        "fine": [first[c] for c in near],
        "boundary": [first[near[0]], f"{near[0]}/test1", first[near[1]]],
    }
    rows = []
    for level, ids in triplets.items():
        odd = observers.group_probabilities(observers.values(ids), np.array([[0, 1, 2]]))[0, ::-1]
        for name, share in zip(ids, odd):
            concept = concept_of(name)
            kind = world().superordinate[concept]
            rows.append(dict(level=level, picture=name, concept=concept, superordinate=kind, odd=float(share)))
    return pd.DataFrame(rows)


def pictures(table: pd.DataFrame, size: int = 96) -> dict:
    """The pictures that a scheme shows: id to uint8 array (size, size, 3)."""
    from ..world.stimuli import draw_ids

    named = table.filter(["first", "second", "third", "odd", "picture"]).select_dtypes(exclude="number")
    names = list(dict.fromkeys(named.stack().dropna()))
    return dict(zip(names, draw_ids(names, size, workers=1, progress=False)[0]))
