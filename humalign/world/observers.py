"""Simulated people: what they attend to, how they choose the odd one out, how long it takes them.

A picture has a value on each dimension of ``dims.txt`` and on seven colours, from the drawn main colour. The similarity
of two pictures is the sum over dimensions of a person's weight times both values; the pair that is kept together is
drawn with the softmax of the three similarities (the choice rule of SPoSE and VICE: Hebart et al. 2020, Muttenthaler
et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..edition import NOW
from ..errors import InputError
from ..odd_one_out import softmax
from . import kinds
from .drawing import PALETTE, World, world
from .stimuli import concept_of, generator, main_colour

DIMENSIONS = Path(__file__).with_name("dims.txt")
SCALE = NOW.scale  # chosen by the rule in PROTOCOL.md: Bayes accuracy nearest .672
PARAMETERS = {
    "colour_weight": 1.0,  # value of a picture on the dimension of its main colour
    "concept_jitter": 0.25,  # sd of the log of authored values
    "floor": 0.05,  # mean of an exponential floor on every value
    "exemplar_jitter": 0.10,  # sd of the log of a picture's deviation from its concept
    "response_base": 1.0,  # s, median of an answer without doubt
    "response_gain": 2.0,  # s per nat of entropy of the person's choice probabilities
    "response_person": 0.20,  # sd of the log of a person's pace
    "response_trial": 0.35,  # sd of the log of a trial's time
}


@dataclass(frozen=True)
class Group:
    """People who share a taxonomy: how many, sd of the log of their weights, mean of their lapse rates (Beta)."""

    name: str
    people: int
    weight_sd: float = 0.25
    lapse: float = 0.03
    permuted: bool = False


GROUPS = {
    "main": Group("main", 240),
    "arrangement": Group("arrangement", 60, weight_sd=0.40),
    "control": Group("control", 240, permuted=True),
}


@dataclass(frozen=True, eq=False)
class Crew:
    """Drawn people: ``weights`` (n, d), ``lapses`` (n,), ``pace`` (n,)."""

    weights: np.ndarray
    lapses: np.ndarray
    pace: np.ndarray

    def __len__(self):
        return len(self.weights)


def parse_dimensions(text: str, drawings: World, where="dims.txt"):
    """(names, values (concepts, d), colour name -> palette names).

    Raises
    ------
    InputError
        Naming the line: an unknown token, a weight that is no number, a dimension given twice.
    """
    concepts = drawings.concepts
    row = {concept: i for i, concept in enumerate(concepts)}
    names, columns, colours = [], [], {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        at = f"{where}:{number}"
        name, colon, rest = line.partition(":")
        name = name.strip()
        if not colon or name in names or name.removeprefix("@") in colours:
            raise InputError("a line must read 'dimension: token token*weight', each dimension once", at)
        if name.startswith("@"):
            colours[name[1:]] = tuple(rest.split())
            if unknown := [c for c in colours[name[1:]] if c not in PALETTE]:
                raise InputError(f"'{unknown[0]}' is no palette colour", at)
            continue
        column, own = np.zeros(len(concepts)), {}
        for token in rest.split():
            key, _, weight = token.partition("*")
            try:
                weight = float(weight or 1)
            except ValueError:
                raise InputError(f"'{token}' has no number behind *", at) from None
            if key in drawings.superordinates:
                column[[row[c] for c in drawings.members(key)]] = weight
            elif key in row:
                own[key] = weight
            else:
                raise InputError(
                    f"'{key}' is neither a concept nor a superordinate", at, "humalign world data --concepts lists them"
                )
        column[[row[c] for c in own]] = list(own.values())
        names.append(name)
        columns.append(column)
    return tuple(names), np.stack(columns, 1), colours


@lru_cache(maxsize=1)
def _authored():
    names, values, colours = parse_dimensions(DIMENSIONS.read_text("utf8"), world())
    row = {concept: i for i, concept in enumerate(world().concepts)}
    for kind, (basic, changed) in kinds.table().items():
        values[row[kind]] = values[row[basic]]
        for dimension, weight in changed.items():
            if dimension not in names:
                raise InputError(f"'{kind}' names no dimension of the people: '{dimension}'", kinds.FILE.name)
            values[row[kind], names.index(dimension)] = weight
    return names, values, colours


def dimension_names() -> tuple[str, ...]:
    """Names of all dimensions, the colours last (``colour: red`` ...)."""
    names, _, colours = _authored()
    return (*names, *(f"colour: {c}" for c in colours))


def authored_values() -> np.ndarray:
    """Values of dims.txt as written, without jitter: (concepts in alphabetical order, authored dimensions)."""
    return _authored()[1].copy()


@lru_cache(maxsize=1)
def concept_values() -> np.ndarray:
    """Values people see: authored values with multiplicative jitter and an exponential floor (concepts, dimensions)."""
    values = _authored()[1]
    rng = generator("concept values")
    jitter = np.exp(rng.normal(0, PARAMETERS["concept_jitter"], values.shape))
    return values * jitter + rng.exponential(PARAMETERS["floor"], values.shape)


@lru_cache(maxsize=1)
def permutation() -> dict:
    """Control taxonomy: concept -> the concept whose rows it is given (no concept keeps its own)."""
    concepts = world().concepts
    rng = generator("control permutation")
    order = np.arange(len(concepts))
    while (order == np.arange(len(concepts))).any():
        order = rng.permutation(len(concepts))
    return {concept: concepts[k] for concept, k in zip(concepts, order)}


def values(ids, group: str = "main", scale: float | None = None) -> np.ndarray:
    """What people see in pictures: (m, d), rows in the order of ``ids``.

    The row of a picture is that of its concept times a small deviation of its own, and its main colour. For the control
    group the picture of ``dog`` is given the row of the same-numbered picture of another concept, colour included.
    """
    if group not in GROUPS:
        raise InputError(f"no group of observers is called '{group}'", "group", f"choose one of {', '.join(GROUPS)}")
    ids = tuple(ids)
    if GROUPS[group].permuted:
        other = permutation()
        ids = tuple(f"{other[concept_of(name)]}/{name.partition('/')[2]}" for name in ids)
    row = {concept: i for i, concept in enumerate(world().concepts)}
    try:
        rows = [row[concept_of(name)] for name in ids]
    except KeyError as error:
        raise InputError(f"{error} is no concept of the drawn world", "ids") from None
    base, colours = concept_values(), _authored()[2]
    deviation = np.stack([generator(f"exemplar/{name}").normal(0, 1, base.shape[1]) for name in ids])
    seen = base[rows] * np.exp(PARAMETERS["exemplar_jitter"] * deviation)
    main = [main_colour(name) for name in ids]
    hue = np.array([[PARAMETERS["colour_weight"] * (m in palette) for palette in colours.values()] for m in main])
    return (SCALE if scale is None else scale) * np.hstack([seen, hue])


@lru_cache(maxsize=8)
def people(group: str = "main") -> Crew:
    """The people of a group, drawn once: weights lognormal, lapse rates Beta, paces lognormal."""
    spec = GROUPS[group]
    rng = generator(f"people/{group}")
    n, d = spec.people, len(dimension_names())
    weights = np.exp(rng.normal(0, spec.weight_sd, (n, d)))
    lapses = rng.beta(2, 2 / spec.lapse - 2, n)
    return Crew(weights, lapses, np.exp(rng.normal(0, PARAMETERS["response_person"], n)))


def pair_similarities(seen: np.ndarray, triplets: np.ndarray, weights=None) -> np.ndarray:
    """Similarity of the pairs (0, 1), (0, 2), (1, 2) of each triplet: (n, 3).

    Parameters
    ----------
    seen : (m, d)
    triplets : int (n, 3)
    weights : (d,) or (n, d), optional
        One person's weights, or those of whoever answers each triplet.
    """
    out = np.empty((len(triplets), 3))
    for start in range(0, len(triplets), 20000):
        rows = slice(start, start + 20000)
        a, b, c = (seen[triplets[rows, k]] for k in range(3))
        w = 1.0 if weights is None else weights[rows] if np.ndim(weights) == 2 else weights
        aw, bw = a * w, b * w
        out[rows] = np.stack([(aw * b).sum(1), (aw * c).sum(1), (bw * c).sum(1)], 1)
    return out


def group_probabilities(seen: np.ndarray, triplets: np.ndarray, group: str = "main", scale: float = 1.0) -> np.ndarray:
    """Chance that a person drawn from the group keeps pair (0, 1), (0, 2), (1, 2): mean over people, lapses included.

    Returns
    -------
    (n, 3); the mean of the row maxima is the Bayes accuracy: no model of the group can be right more often.
    """
    who = people(group)
    total = np.empty((len(triplets), 3))
    for start in range(0, len(triplets), 4000):
        a, b, c = (seen[triplets[start : start + 4000, k]] for k in range(3))
        pairs = np.stack([(x * y) @ (who.weights.T * scale**2) for x, y in ((a, b), (a, c), (b, c))], -1)
        kept = (1 - who.lapses[:, None]) * softmax(pairs) + who.lapses[:, None] / 3
        total[start : start + 4000] = kept.mean(1)
    return total


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy in nats over the last axis; response times are frozen to its last digit."""
    return -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(-1)


def respond(seen, triplets, who, name: str, group: str = "main", lapses=None):
    """Let people judge triplets.

    Parameters
    ----------
    seen : (m, d)
        From :func:`values`.
    triplets : int (n, 3)
    who : int (n,)
        Number of the person who answers each triplet.
    name : str
        Names the random stream: the same name gives the same answers.
    lapses : (n,), optional
        Lapse rates instead of the people's own.

    Returns
    -------
    odd : int8 (n,)
        Position 0, 1 or 2 of the chosen odd one out.
    seconds : (n,)
        Response times: lognormal around pace * (base + gain * entropy of the person's choice probabilities); a lapse
        is answered as fast as a choice without doubt.
    """
    crew, rng = people(group), generator(f"responses/{name}")
    p = PARAMETERS
    keep = softmax(pair_similarities(seen, triplets, crew.weights[who]))
    lapse = rng.random(len(triplets)) < (crew.lapses[who] if lapses is None else lapses)
    u = rng.random((len(triplets), 1))
    pair = np.minimum((np.where(lapse[:, None], 1 / 3, keep).cumsum(1) < u).sum(1), 2)
    doubt = np.where(lapse, 0.0, entropy(keep))
    spread = np.exp(rng.normal(0, p["response_trial"], len(triplets)))
    seconds = crew.pace[who] * (p["response_base"] + p["response_gain"] * doubt) * spread
    return (2 - pair).astype(np.int8), seconds


def odd_last(triplets: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """Reorder each triplet so that the odd one stands last: int64 (n, 3)."""
    order = np.array([[1, 2, 0], [0, 2, 1], [0, 1, 2]])[odd]
    return np.take_along_axis(np.asarray(triplets), order, 1)
