"""Choices of anything that chooses against people's: agreement, ceilings on the same questions, error consistency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import odd_one_out, resample
from .data.types import Triplets

MAJORITY, SINGLE, CONSISTENCY = "agreement with majority", "accuracy", "error consistency"
LEAST = 20  # questions that a set of answers has to share with the choices
ACCIDENT = 1e-6  # chance below which choices that equal people's answers are these answers


@dataclass(frozen=True)
class Shared:
    """Choices about questions that people answered, too.

    Attributes
    ----------
    choices : Triplets
        Those of the choices, in the objects of the people.
    counts : float array (n, 3)
        How often people called each of the three odd, in the order of the row's columns; where a choice is one of
        these answers itself, without it.
    people : Triplets
        People's answers to these questions.
    own : bool
        Whether choices are among people's answers.
    """

    choices: Triplets
    counts: np.ndarray
    people: Triplets
    own: bool = False

    @property
    def single(self) -> np.ndarray:
        """Share of people's answers that equal each choice, (n,)."""
        return self.counts[:, 2] / self.counts.sum(1)

    @property
    def majority(self) -> np.ndarray:
        """Whether each choice is people's most frequent answer; k equal ones count 1/k, (n,)."""
        top = self.counts == self.counts.max(1, keepdims=True)
        return top[:, 2] / top.sum(1)

    @property
    def question(self) -> np.ndarray:
        """The three objects of each choice, sorted, (n, 3)."""
        return np.sort(self.choices.triplets, axis=1)


def shared(choices: Triplets, people: Triplets) -> Shared | None:
    """The choices about questions that other people answered; None where there are fewer than 20.

    A question is a set of three objects, met by name. Choices that are people's own answers (:func:`among`) are left
    out of what they are held against.

    Parameters
    ----------
    choices, people : Triplets
    """
    place = {name: row for row, name in enumerate(people.ids)}
    known = np.array([place.get(name, -1) for name in choices.ids])[choices.triplets]
    rows = np.flatnonzero((known >= 0).all(1))
    objects, counts, index = odd_one_out.response_counts(people.triplets)
    table = {tuple(three): k for k, three in enumerate(objects.tolist())}
    found = np.array([table.get(tuple(three), -1) for three in np.sort(known[rows], 1).tolist()], int)
    rows, found = rows[found >= 0], found[found >= 0]
    if len(np.unique(found)) < LEAST:
        return None
    own, order = known[rows], np.argsort(np.argsort(known[rows], axis=1), axis=1)
    more = {key: getattr(choices, key)[rows] for key in ("participants",) if getattr(choices, key) is not None}
    taken = Triplets(people.ids, own, choices.source, choices.licence, choices.name, people.concepts, **more)
    asked = people.select(np.flatnonzero(np.isin(index, found)))
    against = np.take_along_axis(counts[found], order, 1).astype(float)
    itself = among(taken, asked)
    against[itself, 2] -= 1
    left = against.sum(1) > 0  # somebody else answered
    if not left.all():
        if len(np.unique(found[left])) < LEAST:
            return None
        taken, against = taken.select(left), against[left]
    return Shared(taken, against, asked, bool(itself.any()))


def among(choices: Triplets, people: Triplets) -> np.ndarray:
    """Which choices are people's own answers, (n,) bool.

    A person whose choices all equal those of one participant, on 20 questions or more, is this participant. Without
    persons or participants, all choices are, or none: all, where every answer is there as often and this would be a
    strange accident (below one in a million) if others had given them.

    Parameters
    ----------
    choices, people : Triplets
        Of the same objects.
    """
    if choices.participants is None or people.participants is None:
        return np.full(len(choices), _contained(choices.triplets, people.triplets))
    given: dict[tuple, set] = {}
    for three, odd, person in zip(_sorted(people), people.triplets[:, 2].tolist(), people.participants.tolist()):
        given.setdefault((three, odd), set()).add(person)
    names, out = choices.participants, np.zeros(len(choices), bool)
    keys = list(zip(_sorted(choices), choices.triplets[:, 2].tolist()))
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        same = set.intersection(*(given.get(keys[row], set()) for row in rows))
        out[rows] = bool(same) and len({keys[row][0] for row in rows}) >= LEAST
    return out


def _sorted(answers: Triplets) -> list[tuple]:
    return list(map(tuple, np.sort(answers.triplets, axis=1).tolist()))


def _contained(choices: np.ndarray, people: np.ndarray) -> bool:
    """Whether all choices are among people's answers, each as often as there, and hardly by accident."""
    objects, counts, _ = odd_one_out.response_counts(people)
    table = {tuple(three): row for three, row in zip(objects.tolist(), counts)}
    asked, own, _ = odd_one_out.response_counts(choices)
    there = np.array([table[tuple(three)] for three in asked.tolist()])
    if len(asked) < LEAST or (own > there).any():
        return False
    order = np.argsort(-there, axis=1, kind="stable")  # the frequent answers first
    own, there = np.take_along_axis(own, order, 1), np.take_along_axis(there, order, 1)
    share = (there + 1) / (there.sum(1, keepdims=True) + 3)
    chance = 0.0
    for k in range(3):  # what is still to be had while the answers k are taken: not the earlier ones that are used up
        open_ = (there > 0) & ((own < there) | (np.arange(3) >= k))
        with np.errstate(divide="ignore", invalid="ignore"):
            chance += np.where(own[:, k] > 0, own[:, k] * np.log((share * open_).sum(1)), 0).sum()
    return bool(chance < np.log(ACCIDENT))


def of_similarity(similarity, questions: Triplets, name: str = "") -> Triplets:
    """What a similarity matrix chooses; questions on which all three similarities are equal are left out.

    Parameters
    ----------
    similarity : float array (m, m)
        Of the objects of ``questions``, in their order.
    questions : Triplets
    name : str
        Of who chose.
    """
    odd = np.asarray(odd_one_out.choices(similarity, questions.triplets)).astype(int)
    rows, kept = np.flatnonzero(odd >= 0), np.array([[1, 2, 0], [0, 2, 1], [0, 1, 2]])
    picked = np.take_along_axis(questions.triplets[rows], kept[odd[rows]], 1)
    return Triplets(questions.ids, picked, questions.source, questions.licence, name, questions.concepts)


def error_consistency(same, first, second):
    r"""Cohen's kappa of two choosers being right or wrong on the same questions.

    .. math:: \kappa = \frac{c_{obs} - c_{exp}}{1 - c_{exp}}, \quad c_{exp} = p_1 p_2 + (1 - p_1)(1 - p_2)

    Parameters
    ----------
    same : float or array
        Share of the questions on which both are right or both are wrong.
    first, second : float or array
        Share on which each is right.

    Returns
    -------
    float or array
        0: errors as consistent as those of independent choosers of these accuracies; NaN where both are always right.

    Notes
    -----
    Geirhos, Meding, Wichmann (2020), Beyond accuracy, NeurIPS.
    """
    expected = first * second + (1 - first) * (1 - second)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected < 1, (same - expected) / (1 - expected), np.nan)


def of_choices(choices: Triplets, people: Triplets, model: str = "", dataset: str = "") -> tuple[list, list]:
    """How far choices agree with people's answers to the same questions.

    Parameters
    ----------
    choices, people : Triplets
    model, dataset : str
        Columns of the rows.

    Returns
    -------
    rows : list of dict
        Of a result table: measure "accuracy" (share of people's answers that equal the choice) and "agreement with
        majority"; n choices. Empty where fewer than 20 questions are shared.
    draws : list of float array (B,)
        Bootstrap draws over concepts.
    """
    found = shared(choices, people)
    if found is None:
        return [], []
    measures = {SINGLE: found.single, MAJORITY: found.majority}
    own = found.choices
    value, drawn = resample.triplet_means(np.stack(list(measures.values())), own.triplets, own.concepts)
    common = {"dataset": dataset, "model": model, "stage": "choices", "n": len(own)}
    return [{**common, "measure": name, "value": v} for name, v in zip(measures, value)], list(drawn)


def limits(people: Triplets) -> dict[tuple[str, str], float]:
    """What people's disagreement on these questions leaves open: (measure, detail) to value; {} if few were repeated.

    For "accuracy" the share of the most frequent answer ("majority", the best possible) and one answer against the
    others' majority ("leave-one-out", a person); for "agreement with majority" the latter alone ("one person").
    """
    if (odd_one_out.response_counts(people.triplets)[1].sum(1) > 1).sum() < LEAST:
        return {}
    person = odd_one_out.noise_ceiling(people.triplets, "leave-one-out")
    best = odd_one_out.noise_ceiling(people.triplets, "majority", 2)
    return {(SINGLE, "majority"): best, (SINGLE, "leave-one-out"): person, (MAJORITY, "one person"): person}


def compare(first: Triplets, second: Triplets, people: Triplets) -> tuple[list, list]:
    """Two choosers on the questions that both and people answered: how often they agree, and how alike they err.

    Parameters
    ----------
    first, second, people : Triplets
        A question that a chooser answered several times counts with its first answer.

    Returns
    -------
    rows, draws
        As :func:`of_choices`: measures "agreement" and "error consistency" (right = people's majority). Empty where
        fewer than 20 questions are shared.
    """
    both = [shared(one, people) for one in (first, second)]
    if any(one is None for one in both):
        return [], []
    keys = [{tuple(three): k for k, three in reversed(list(enumerate(one.question.tolist())))} for one in both]
    common = [three for three in keys[0] if three in keys[1]]
    if len(common) < LEAST:
        return [], []
    rows = [np.array([table[three] for three in common]) for table in keys]
    right = [one.majority[at] for one, at in zip(both, rows)]
    same = (both[0].choices.triplets[rows[0], 2] == both[1].choices.triplets[rows[1], 2]).astype(float)
    observed = right[0] * right[1] + (1 - right[0]) * (1 - right[1])
    asked = both[0].choices.select(rows[0])
    value, drawn = resample.triplet_means(np.stack([same, observed, *right]), asked.triplets, asked.concepts)
    made = [{"measure": "agreement", "value": value[0], "n": len(common)},
            {"measure": CONSISTENCY, "value": float(error_consistency(*value[1:])), "n": len(common)}]  # fmt: skip
    return made, [drawn[0], error_consistency(*drawn[1:])]


def by_concept(choices: Triplets, people: Triplets, least: int = 5) -> pd.DataFrame:
    """Agreement with people's majority for each concept, over the questions that hold it.

    Returns
    -------
    DataFrame
        concept, value, n (choices); concepts in fewer than ``least`` choices are left out; worst first.
    """
    found = shared(choices, people)
    if found is None:
        return pd.DataFrame(columns=["concept", "value", "n"])
    names = np.array(found.choices.concepts, object)[found.choices.triplets]
    table = pd.DataFrame({"concept": names.ravel(), "value": np.repeat(found.majority, 3)})
    out = table.groupby("concept")["value"].agg(["mean", "size"]).reset_index()
    out.columns = ["concept", "value", "n"]
    return out[out["n"] >= least].sort_values(["value", "concept"]).reset_index(drop=True)
