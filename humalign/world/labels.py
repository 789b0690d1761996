"""What the networks of the mini zoo are told: label taxonomy, label sets of three scales, captions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from ..errors import InputError
from . import kinds
from .draw import seed_of
from .stimuli import generator

KINDS = ("concepts", "coarse", "taxonomy", "web", "captions")
DROPPED, WRONG = 0.20, 0.05  # of the labels of the web set: missing; replaced by a wrong one
# Probability that a caption has each word, per image set. "wrong": the name is that of another concept.
CAPTION_WORDS = {
    "train": {"name": 0.85, "hypernym": 0.5, "colour": 0.4, "scene": 0.3, "wrong": 0.0},
    "web": {"name": 0.7, "hypernym": 0.4, "colour": 0.3, "scene": 0.3, "wrong": 0.05},
}


@cache
def hierarchy() -> dict[str, tuple[str, tuple[str, ...]]]:
    """The label taxonomy, read from ``taxonomy.txt``.

    Returns
    -------
    dict
        Concept to (superordinate, hypernyms from specific to general). The last hypernym is the top category.

    Raises
    ------
    InputError
        When a line of the file cannot be read.
    """
    table, superordinate = {}, None
    text = resources.files(__package__).joinpath("taxonomy.txt").read_text("utf8")
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("=="):
            superordinate = line[2:].strip()
        elif line and not line.startswith("#"):
            concept, colon, chain = line.partition(":")
            hypernyms = tuple(word.strip() for word in chain.split(",") if word.strip())
            if not colon or not hypernyms or superordinate is None or concept in table:
                raise InputError("is no new 'concept: hypernym, ...'", f"taxonomy.txt line {number}", "mend the line")
            table[concept] = (superordinate, hypernyms)
    for kind, (basic, _) in kinds.table().items():
        table[kind] = _under(table[basic], basic)
    for basic in {basic for basic, _ in kinds.table().values()}:
        table[basic] = _under(table[basic], basic)
    return table


def _under(entry, basic: str):
    """An entry of the taxonomy with the name of a basic concept as its most specific hypernym."""
    return (entry[0], entry[1] if entry[1][0] == basic else (basic, *entry[1]))


def _entry(concept: str):
    try:
        return hierarchy()[concept]
    except KeyError:
        raise InputError(f"has no concept '{concept}'", "taxonomy.txt", "add a line for it") from None


def superordinate(concept: str) -> str:
    """Superordinate of a concept, for instance ``mammal``."""
    return _entry(concept)[0]


def hypernyms(concept: str) -> tuple[str, ...]:
    """Hypernyms of a concept, specific to general; they may cut across superordinates."""
    return _entry(concept)[1]


def top(concept: str) -> str:
    """Top category of a concept, for instance ``living thing``."""
    return _entry(concept)[1][-1]


def names(kind: str, concepts) -> tuple[str, ...]:
    """Label names of a label set over the given concepts, in a fixed order.

    Parameters
    ----------
    kind : {"concepts", "coarse", "taxonomy", "web", "captions"}
    concepts : sequence of str
        The concepts that are labelled (repeats allowed).
    """
    _check(kind)
    if kind == "captions":
        return lexicon()
    known = sorted(set(concepts))
    coarse = sorted({superordinate(c) for c in known})
    if kind == "concepts":
        return tuple(known)
    if kind == "coarse":
        return tuple(coarse)
    further = sorted({f"{word} (hypernym)" for c in known for word in hypernyms(c)})
    return (*known, *(f"{word} (superordinate)" for word in coarse), *further)


def matrix(concepts) -> tuple[np.ndarray, tuple[str, ...]]:
    """Noise-free labels of concepts in the taxonomy.

    Returns
    -------
    matrix : float32 (len(concepts), number of labels), 0 or 1
    names : tuple of str
        Columns: concepts, superordinates, hypernyms.
    """
    columns = names("taxonomy", concepts)
    index = {name: i for i, name in enumerate(columns)}
    values = np.zeros((len(concepts), len(columns)), np.float32)
    for row, concept in enumerate(concepts):
        words = [concept, f"{superordinate(concept)} (superordinate)"]
        words += [f"{word} (hypernym)" for word in hypernyms(concept)]
        values[row, [index[word] for word in words]] = 1
    return values, columns


def rewiring(concepts, share: float) -> dict[str, str]:
    """Concept to the concept whose superordinate and hypernyms it is given: a share of them keep their own.

    The concepts that change are drawn by lot and exchange their entries among each other, none keeps its own; so there
    are as many classes as before, each with as many concepts. What is left at a smaller share is left at a larger one.
    """
    known = sorted(set(concepts))
    rng = generator("rewired taxonomy")
    order = rng.permutation(len(known))
    moved = [known[k] for k in order[round(share * len(known)) :]]
    turn = np.roll(np.arange(len(moved)), 1)  # one cycle through an order by lot
    return {c: c for c in known} | {c: moved[k] for c, k in zip(moved, turn)}


def rewired(concepts, share: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of pictures in a taxonomy of which a share is left as it is; each keeps the name of its own concept.

    Parameters
    ----------
    concepts : sequence of str
        Concept of each picture.
    share : float
        0 to 1.

    Returns
    -------
    labels : float32 (len(concepts), number of labels)
    names : tuple of str
        As :func:`matrix`.
    """
    known, source = sorted(set(concepts)), rewiring(concepts, share)
    table, columns = matrix(known)
    row, own = {c: i for i, c in enumerate(known)}, np.array([name in hierarchy() for name in columns])
    given = table[[row[source[c]] for c in known]]
    given[:, own] = table[:, own]
    return given[[row[c] for c in concepts]], columns


def _check(kind: str) -> None:
    if kind not in KINDS:
        raise InputError(f"no label set is called '{kind}'", "kind", f"choose one of {', '.join(KINDS)}")


def targets(ids, concepts, facts, kind: str, seed: int = 0) -> tuple[np.ndarray, tuple[str, ...]]:
    """Training targets of images.

    Parameters
    ----------
    ids : sequence of str
        Image ids; the noise of the web set and of captions belongs to an id, not to a position.
    concepts : sequence of str
        Concept of each image.
    facts : sequence of dict
        What the renderer chose, for captions (see :func:`captions`).
    kind : {"concepts", "coarse", "taxonomy", "web", "captions"}
        Class numbers (int64, (n,)) for the first two, 0/1 labels (float32, (n, labels)) for the next two, word numbers
        (int64, (n, 4)) for captions.
    seed : int
        Seed of the noise.

    Returns
    -------
    targets : array
    names : tuple of str
        Label names, or words.
    """
    _check(kind)
    if len(ids) != len(concepts):
        raise InputError(f"{len(ids)} ids for {len(concepts)} concepts", "targets", "give one concept per id")
    if kind == "captions":
        said = captions(ids, concepts, facts, seed)
        return said.tokens, said.words
    columns = names(kind, concepts)
    index = {name: i for i, name in enumerate(columns)}
    if kind in ("concepts", "coarse"):
        words = concepts if kind == "concepts" else [superordinate(c) for c in concepts]
        return np.array([index[word] for word in words], np.int64), columns
    known = sorted(set(concepts))
    table, columns = matrix(known)
    position = {concept: i for i, concept in enumerate(known)}
    values = table[[position[c] for c in concepts]]
    return (noisy(values, ids, seed) if kind == "web" else values), columns


def noisy(labels: np.ndarray, ids, seed: int = 0) -> np.ndarray:
    """Labels with noise: a true one is missing with probability ``DROPPED``, another in its place with ``WRONG``."""
    values = labels.copy()
    for row, name in enumerate(ids):
        rng = np.random.default_rng([seed, seed_of(f"web labels/{name}")])
        true = np.flatnonzero(labels[row])
        lot = rng.random(len(true))
        values[row, true[lot < DROPPED + WRONG]] = 0
        wrong = int(np.sum((lot >= DROPPED) & (lot < DROPPED + WRONG)))
        if wrong:
            values[row, rng.choice(np.flatnonzero(labels[row] == 0), wrong, replace=False)] = 1
    return values


@dataclass(frozen=True)
class Captions:
    """Captions as word numbers.

    Attributes
    ----------
    tokens : int64 array (n, 4)
        Columns name, hypernym, colour, scene; 0 where the caption lacks the word.
    words : tuple of str
        The lexicon; word 0 is the empty one.
    """

    tokens: np.ndarray
    words: tuple[str, ...]

    def text(self, row: int) -> str:
        """The caption of a row as words."""
        return " ".join(self.words[t] for t in self.tokens[row][[2, 0, 1, 3]] if t)


@cache
def lexicon() -> tuple[str, ...]:
    """All caption words: concept names, superordinates, hypernyms, colour names, scene names."""
    from .drawing import COLOURS, world

    words = list(hierarchy()) + [h for sup, chain in hierarchy().values() for h in (sup, *chain)]
    return ("", *dict.fromkeys([*words, *COLOURS, *world().scenes]))


def captions(ids, concepts, facts, seed: int = 0) -> Captions:
    """One caption per image.

    Parameters
    ----------
    ids, concepts : sequences of str
        Image ids (their noise belongs to the id) and concepts. Ids of the web split use its probabilities.
    facts : sequence of dict
        What the renderer chose: ``slots`` (colour name of slot A) and ``scene`` (None for a plain background).
    seed : int

    Notes
    -----
    A caption names the concept, one hypernym (superordinate or WordNet-like, by lot), the main colour and the scene,
    each with the probability in ``CAPTION_WORDS``; a caption without any word gets the hypernym. The words were
    written without sight of the observers' dimensions; they overlap all the same (PROTOCOL.md, section 7), and the
    colour is the one that the observers see, too.
    """
    words = lexicon()
    index = {word: i for i, word in enumerate(words)}
    everything = list(hierarchy())
    tokens = np.zeros((len(ids), 4), np.int64)
    for row, (name, concept, fact) in enumerate(zip(ids, concepts, facts)):
        chance = CAPTION_WORDS["web" if name.partition("/")[2].startswith("web") else "train"]
        rng = np.random.default_rng([seed, seed_of(f"captions/{name}")])
        lot, pick = rng.random(5), rng.integers(1 << 30, size=2)
        kin = (superordinate(concept), *hypernyms(concept))
        spoken = everything[pick[1] % len(everything)] if lot[4] < chance["wrong"] else concept
        said = (spoken, kin[pick[0] % len(kin)], fact["slots"].get("A"), fact.get("scene"))
        for column, key in enumerate(("name", "hypernym", "colour", "scene")):
            if said[column] and lot[column] < chance[key]:
                tokens[row, column] = index.get(said[column], 0)
        if not tokens[row].any():
            tokens[row, 1] = index[said[1]]
    return Captions(tokens, words)
