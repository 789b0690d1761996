"""A crowd that answered the same questions: how often people agree, how sure they are, and how well that is known.

Counts are (questions, 3): how often each of the three objects of a question was called odd.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .odd_one_out import entropy, response_counts

SPLITS = 200
SEED = 2023


@dataclass(frozen=True)
class Crowd:
    """Answers of several people to the same questions.

    Attributes
    ----------
    questions : int array (q, 3)
        Objects of each question, sorted.
    odd : int8 array (people, q)
        Which of the three each person called odd.
    """

    questions: np.ndarray
    odd: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How often each object of a question was called odd, (q, 3)."""
        return counted(self.odd)


def counted(odd: np.ndarray) -> np.ndarray:
    """Answers (people, q) as counts (q, 3)."""
    return np.stack([(odd == k).sum(0) for k in range(3)], axis=1)


def of_answers(triplets, participants) -> Crowd:
    """The crowd in a list of answers.

    Parameters
    ----------
    triplets : int array (n, 3)
        Odd one last.
    participants : array (n,)

    Raises
    ------
    InputError
        When somebody left a question out, or answered one twice.
    """
    questions, _, index = response_counts(triplets)
    who, person = np.unique(np.asarray(participants), return_inverse=True)
    times = np.bincount(person * len(questions) + index, minlength=len(who) * len(questions))
    if (times != 1).any():
        name = who[int(np.argmax(times != 1)) // len(questions)]
        told = f"has not one answer of person {name} to each of {len(questions)} questions"
        raise InputError(told, "crowd", "leave out people or questions that are not complete")
    odd = np.empty((len(who), len(questions)), np.int8)
    odd[person, index] = (questions[index] == np.asarray(triplets)[:, 2:]).argmax(1)
    return Crowd(questions, odd)


def two_agree(counts) -> np.ndarray:
    """Chance that two different people agree, question by question, without bias: (q,); NaN for one answer alone."""
    counts = np.asarray(counts, float)
    total = counts.sum(1)
    with np.errstate(invalid="ignore"):
        return (counts * (counts - 1)).sum(1) / (total * (total - 1))


def across(first, second) -> np.ndarray:
    """Chance that a person of one crowd agrees with a person of another, question by question: (q,)."""
    first, second = (np.asarray(one, float) for one in (first, second))
    return (first * second).sum(1) / (first.sum(1) * second.sum(1))


def majority(counts) -> np.ndarray:
    """1 for the most frequent answer to each question, 1/k for each of k such answers, else 0: (q, 3)."""
    top = counts == counts.max(1, keepdims=True)
    return top / top.sum(1, keepdims=True)


def doubt(counts) -> np.ndarray:
    """Entropy of the answers to each question, nats: (q,)."""
    counts = np.asarray(counts, float)
    return entropy(counts / counts.sum(1, keepdims=True))


def true_doubt(counts) -> np.ndarray:
    """Entropy of the distribution that the answers come from, nats: (q,).

    Counts of n people are more uneven than this distribution, so that :func:`doubt` is too small by about
    (kinds of answers given - 1) / 2n; this is added.

    Notes
    -----
    Miller (1955), Note on the bias of information estimates. The mean over questions is the log loss of a model that
    knows the distribution.
    """
    counts = np.asarray(counts)
    return doubt(counts) + ((counts > 0).sum(1) - 1) / (2 * counts.sum(1))


def halves_of_people(odd: np.ndarray, splits: int = SPLITS, seed: int = SEED) -> Iterator[tuple]:
    """Counts of two random halves of the people, again and again; of an odd number one person stays out."""
    generator, half = np.random.default_rng(seed), len(odd) // 2
    for _ in range(splits):
        order = generator.permutation(len(odd))
        yield counted(odd[order[:half]]), counted(odd[order[half : 2 * half]])


def halves_of_answers(counts: np.ndarray, splits: int = SPLITS, seed: int = SEED) -> Iterator[tuple]:
    """The same where it is not known who answered: the answers to each question are split by themselves."""
    generator = np.random.default_rng(seed)
    half = counts.sum(1) // 2
    for _ in range(splits):
        first = np.empty_like(counts)
        first[:, 0] = generator.hypergeometric(counts[:, 0], counts[:, 1:].sum(1), half)
        first[:, 1] = generator.hypergeometric(counts[:, 1], counts[:, 2], half - first[:, 0])
        first[:, 2] = half - first[:, 0] - first[:, 1]
        yield first, counts - first


def spearman_brown(half: float) -> float:
    """Reliability of the whole from the correlation of its halves."""
    return 2 * half / (1 + half)
