"""Every network on the Levels triplets: accuracy against people's majority, and doubt against response times."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from .. import levels, odd_one_out, resample
from ..cache import kept
from ..chapters import networks
from ..config import Profile
from ..data import registry
from ..data.types import Triplets
from ..results import Measured, Rows, combine
from ..similarity import similarity_matrix
from .levels import QUANTITIES, answers, people_summary

LAYER = "penultimate"
SHARPNESS = 100.0  # of the cosine, for the doubt of a network
STAGE = "zero-shot"
VERSION = 1  # of the tables that are kept: goes up when their numbers change
BLOCK = 2048  # triplets compared at a time, so that similarities of all pictures need not fit into memory


def level_set(profile: Profile) -> tuple[Triplets, pd.DataFrame]:
    """The triplets that people answered, as presented, and what they answered (:func:`humalign.levels.triplets`).

    Raises
    ------
    MissingData
        When there are no responses, or no features of their pictures.
    """
    if profile.name == "mini":
        from ..chapters import student

        return student.level_set(networks.source(profile))
    table = levels.triplets(answers(profile)[0])
    networks.source(profile).at_hand(["levels"])
    columns = ["first", "second", "third"]
    ids, places = np.unique(table[columns].to_numpy(str), return_inverse=True)
    about = registry.entry("levels", "full")
    return Triplets(
        tuple(ids.tolist()),
        places.reshape(-1, 3),
        about.source,
        about.licence,
        name="levels",
        concepts=tuple(name.split("_")[0] for name in ids.tolist()),
        level=table["level"].to_numpy(str),
    ), table


def choices(values: np.ndarray, triplets: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """A network's choice on each triplet and its doubt, cosine similarity, block after block.

    Parameters
    ----------
    values : array (m, p)
    triplets : int array (n, 3)
        As presented; nothing is said about the odd one.
    sharpness : float
        The softmax sees cosine similarities times this.

    Returns
    -------
    chosen : int array (n,)
        Position of the odd one; -1 where all similarities are equal.
    doubt : float array (n,)
        Entropy of the softmax, nats.
    """
    chosen, doubt = np.empty(len(triplets), np.int8), np.empty(len(triplets))
    for start in range(0, len(triplets), BLOCK):
        part = slice(start, start + BLOCK)
        used, rows = np.unique(triplets[part], return_inverse=True)
        similarity, rows = similarity_matrix(values[used], "cosine"), rows.reshape(-1, 3)
        chosen[part] = odd_one_out.choices(similarity, rows)
        doubt[part] = odd_one_out.entropy(odd_one_out.probabilities(similarity, rows, 1 / sharpness))
    return chosen, doubt


def add_levels(rows: Rows, right, doubt, data: Triplets, table: pd.DataFrame, **more) -> None:
    """Accuracy and entropy-time correlation of one network on each level of the Levels data set.

    Parameters
    ----------
    rows : Rows
        Two rows a level are added.
    right : float array (n,)
        Score of each choice, see :func:`humalign.levels.correct`.
    doubt : float array (n,)
        Entropy of the network's probabilities, nats.
    data : Triplets
        n triplets with ``level``.
    table : DataFrame
        ``log_seconds``: people's mean log response time, a row a triplet.
    **more
        Further columns.
    """
    for level in levels.LEVELS:
        keep = data.level == level
        triplets, times = data.triplets[keep], table["log_seconds"].to_numpy()[keep]
        found = resample.triplet_means(right[keep], triplets, data.concepts)
        rows.add("levels", "accuracy", level, *found, int(keep.sum()), **more)
        once = resample.spearman(doubt[keep], times, np.ones((keep.sum(), 1)))[0]
        draws = resample.spearman(doubt[keep], times, resample.triplet_weights(triplets, data.concepts))
        rows.add("levels", "entropy-time", level, once, draws, int(keep.sum()), **more)


def measure(profile: Profile) -> Measured:
    """Both measures of every network of a profile; each network is kept.

    Returns
    -------
    Measured
        Dataset "levels", detail = level; measures "accuracy" (any of tied majority labels counts) and "entropy-time"
        (Spearman's rho of doubt and people's mean log response time); draws over concepts, in the full profile over
        ImageNet classes.

    Raises
    ------
    MissingData
        As for :func:`level_set`.
    """
    data, table = level_set(profile)
    source = networks.source(profile)
    fixed = [data.checksum, table.to_csv()]
    out = []
    for model in source.models("levels"):
        state = source.state("levels", [model])
        make = partial(_of_network, profile, model, data, table)
        out.append(kept(profile, f"levels-{model}", VERSION, [state, *fixed], make))
    return combine(*out)


def _of_network(profile, model, data, table) -> Measured:
    rows = Rows(profile=profile.name, stage=STAGE)
    for part in networks.source(profile).features("levels", (LAYER,), [model]):
        chosen, doubt = choices(part.align(data.ids).values, data.triplets, SHARPNESS)
        right = levels.correct(chosen, table["top"].to_numpy())
        common = {"model": part.model, "seed": int(part.meta.get("seed", 0)), "layer": part.layer}
        add_levels(rows, right, doubt, data, table, **common)
    return rows.measured()


def panels(profile: Profile, measured: Measured, what: str = "accuracy") -> pd.DataFrame:
    """Points of all networks at each level, for figures.

    Parameters
    ----------
    profile : Profile
    measured : Measured
        :func:`measure`.
    what : {"accuracy", "entropy-time"}

    Returns
    -------
    DataFrame
        As :func:`networks.points`, with panel (the level), on (what is measured, for axes), chance and limit (people).
    """
    facts, summary = networks.facts(profile), people_summary(profile).set_index(["quantity", "level"])
    people = summary["drawn people" if profile.name == "mini" else "these sessions"]
    quantity = QUANTITIES["ceiling" if what == "accuracy" else "time_entropy"]
    table = level_set(profile)[1]
    chance = table["top"].map(lambda mask: int(mask).bit_count() / 3).groupby(table["level"]).mean()
    out = []
    for level in levels.LEVELS:
        one = networks.points(measured, facts, dataset="levels", measure=what, detail=level)
        lines = {"chance": chance[level] if what == "accuracy" else 0.0, "limit": people[quantity, level]}
        out.append(one.assign(panel=level, on="accuracy" if what == "accuracy" else "Spearman's ρ", **lines))
    return pd.concat(out, ignore_index=True)
