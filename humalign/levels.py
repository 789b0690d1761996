"""Levels: odd-one-out judgments of images at three levels, from single trials to ceilings, entropies and times.

Trials are a table with one row a trial: ``participant``, ``kind`` ("trial" or "catch"), ``level`` ("coarse", "fine",
"boundary"), ``image1``, ``image2``, ``image3``, ``selected`` (the odd one; missing when nothing was chosen in time),
``seconds`` and, for catch trials, ``correct`` (the image that should be chosen).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .errors import InputError
from .rsa import compare_vectors

LEVELS = ("coarse", "fine", "boundary")
IMAGES = ["image1", "image2", "image3"]
COLUMNS = ["participant", "kind", "level", *IMAGES, "selected", "seconds"]


def check_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """The table as it is, or an InputError that says what is missing or wrong."""
    if missing := [c for c in COLUMNS if c not in trials]:
        raise InputError(f"columns {', '.join(missing)} are missing", "trials", f"needed are {', '.join(COLUMNS)}")
    experiment = trials[trials["kind"] == "trial"]
    if unknown := sorted(set(experiment["level"]) - set(LEVELS)):
        raise InputError(f"level '{unknown[0]}' is not known", "trials", f"use {', '.join(LEVELS)}")
    made = trials.dropna(subset=["selected"])
    stray = ~(made[IMAGES].to_numpy() == made["selected"].to_numpy()[:, None]).any(1)
    if stray.any():
        raise InputError(
            f"the choice in row {made.index[stray][0]} is none of its three images", "trials", "check the file names"
        )
    return trials


def exclude(trials: pd.DataFrame, max_missed: int = 10, min_catch: float = 0.9) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out people who missed too many trials or failed catch trials.

    Parameters
    ----------
    trials : DataFrame
        See the module.
    max_missed : int
        People with more missed experimental trials are left out.
    min_catch : float
        People with a smaller share of correct catch trials are left out; a missed catch trial is wrong.

    Returns
    -------
    kept : DataFrame
        Answered experimental trials of the people kept.
    people : DataFrame
        participant, missed, catch_accuracy, kept.
    """
    check_trials(trials)
    experiment, catch = trials[trials["kind"] == "trial"], trials[trials["kind"] == "catch"]
    people = pd.DataFrame({"missed": experiment["selected"].isna().groupby(experiment["participant"]).sum()})
    if len(catch):
        right = (catch["selected"] == catch["correct"]).groupby(catch["participant"]).mean()
        people["catch_accuracy"] = right.reindex(people.index)
    else:
        people["catch_accuracy"] = np.nan
    bad = (people["missed"] > max_missed) | (people["catch_accuracy"] < min_catch)
    people["kept"] = ~bad
    keep = experiment["participant"].map(people["kept"]).to_numpy(bool) & experiment["selected"].notna().to_numpy()
    return experiment[keep].reset_index(drop=True), people.reset_index()


def odd_last(trials: pd.DataFrame, ids) -> np.ndarray:
    """Answered trials as triplets, the chosen image last: int (n, 3), places in ``ids``.

    Parameters
    ----------
    trials : DataFrame
        image1, image2, image3, selected.
    ids : sequence of str

    Raises
    ------
    InputError
        For an image that is not among the ids.
    """
    place, names = {name: row for row, name in enumerate(ids)}, trials[IMAGES].to_numpy(str)
    if strange := sorted(set(names.ravel()) - set(place)):
        raise InputError(f"name '{strange[0]}', which is none of the pictures", "trials", "check the file names")
    rows = np.array([place[name] for name in names.ravel()]).reshape(names.shape)
    odd = names == trials["selected"].to_numpy(str)[:, None]
    return np.column_stack([rows[~odd].reshape(-1, 2), rows[odd]])


def responses(trials: pd.DataFrame, least: int = 4, most: int = 5, seed: int = 42) -> pd.DataFrame:
    """Responses keyed by triplet: the three images sorted, the choice as a position in that order.

    Parameters
    ----------
    trials : DataFrame
        Answered experimental trials, as :func:`exclude` returns them.
    least, most : int
        Triplets with fewer responses are dropped; of more, ``most`` are drawn at random.
    seed : int

    Returns
    -------
    DataFrame
        triplet (number), level, participant, first, second, third (image names, sorted), choice (0, 1, 2), seconds.
    """
    names = np.sort(trials[IMAGES].to_numpy(str), axis=1)
    frame = pd.DataFrame(names, columns=["first", "second", "third"])
    frame["choice"] = (names == trials["selected"].to_numpy(str)[:, None]).argmax(1).astype(np.int8)
    for column in ("level", "participant", "seconds"):
        frame[column] = trials[column].to_numpy()
    frame["triplet"] = frame.groupby(["level", "first", "second", "third"], sort=True).ngroup()
    order = np.random.default_rng(seed).permutation(len(frame))
    shuffled = frame.iloc[order]
    rank = shuffled.groupby("triplet").cumcount()
    size = shuffled.groupby("triplet")["choice"].transform("size")
    return shuffled[(rank < most) & (size >= least)].sort_index().reset_index(drop=True)


def counts(answers: pd.DataFrame) -> pd.DataFrame:
    """How often each position was chosen in each triplet: index triplet, columns level, 0, 1, 2."""
    table = pd.crosstab(answers["triplet"], answers["choice"]).reindex(columns=[0, 1, 2], fill_value=0)
    table.insert(0, "level", answers.groupby("triplet")["level"].first())
    return table


def leave_one_out(answers: pd.DataFrame) -> pd.Series:
    """Agreement of each response with the majority of the others, averaged per triplet.

    A response that matches the majority counts 1, one that is part of a tie (of two or three) counts 1/2, else 0: the
    rule of the published analysis.

    Returns
    -------
    Series
        Index triplet, values 0 to 1. Needs at least 2 responses per triplet.
    """
    table = counts(answers)
    n = table[[0, 1, 2]].to_numpy()
    if (n.sum(1) < 2).any():
        raise InputError("a triplet has a single response", "levels", "ask for at least 2 responses per triplet")
    matched = np.zeros(len(n))
    for own in range(3):
        others = n.copy()
        others[:, own] -= 1
        top = others.max(1)
        winners = (others == top[:, None]).sum(1)
        score = (others[:, own] == top) * np.where(winners == 1, 1.0, 0.5)
        matched += n[:, own] * score
    return pd.Series(matched / n.sum(1), index=table.index, name="agreement")


def distributions(answers: pd.DataFrame, size: int = 4, seed: int = 42) -> pd.DataFrame:
    """Response distribution from ``size`` responses drawn without replacement, its entropy and the majority label.

    Returns
    -------
    DataFrame
        Index triplet: level, p0, p1, p2, entropy (nats), top (bit mask of the positions that share the majority).
    """
    order = np.random.default_rng(seed).permutation(len(answers))
    drawn = answers.iloc[order]
    drawn = drawn[drawn.groupby("triplet").cumcount() < size]
    table = counts(drawn)
    n = table[[0, 1, 2]].to_numpy(float)
    p = n / n.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(p > 0, -p * np.log(p), 0.0).sum(1)
    top = ((n == n.max(1, keepdims=True)) * [1, 2, 4]).sum(1)
    out = pd.DataFrame(p, index=table.index, columns=["p0", "p1", "p2"])
    out.insert(0, "level", table["level"])
    return out.assign(entropy=entropy, top=top)


def log_times(answers: pd.DataFrame) -> pd.Series:
    """Mean natural logarithm of the response time in seconds, per triplet."""
    return np.log(answers["seconds"]).groupby(answers["triplet"]).mean().rename("log_seconds")


def triplets(answers: pd.DataFrame) -> pd.DataFrame:
    """One row a triplet: images, level, ceiling agreement, response distribution, entropy, majority, mean log time."""
    names = answers.groupby("triplet")[["first", "second", "third"]].first()
    parts = [names, distributions(answers), leave_one_out(answers), log_times(answers)]
    return pd.concat(parts, axis=1)


def correct(chosen: np.ndarray, top: np.ndarray, ties: str = "either") -> np.ndarray:
    """Score of a model's choices against majority labels.

    Parameters
    ----------
    chosen : int array (n,)
        Position the model picks as odd; -1 where it cannot decide.
    top : int array (n,)
        Bit mask of the positions that share the majority.
    ties : {"either", "drop"}
        "either": any of the tied labels counts; "drop": tied triplets are NaN.

    Returns
    -------
    float array (n,)
    """
    if ties not in ("either", "drop"):
        raise InputError(f"'{ties}' is no tie rule", "ties", "use either or drop")
    chosen, top = np.asarray(chosen, int), np.asarray(top, int)
    hit = (chosen >= 0) & ((top >> np.maximum(chosen, 0)) & 1).astype(bool)
    out = hit.astype(float)
    if ties == "drop":
        out[(top & (top - 1)) != 0] = np.nan
    return out


def summary(answers: pd.DataFrame) -> pd.DataFrame:
    """Per level and for all: ceiling, mean largest share, entropy, and Spearman correlation of log time with entropy.

    Returns
    -------
    DataFrame
        level, triplets, responses, ceiling (leave-one-out), majority_share, entropy (nats), time_entropy (Spearman's
        rho), share_unanimous, median_seconds (median over people of their median).
    """
    table = triplets(answers)
    share = counts(answers)[[0, 1, 2]].to_numpy()
    table["majority_share"] = share.max(1) / share.sum(1)
    out = []
    for level in (*[k for k in LEVELS if k in set(table["level"])], "all"):
        part = table if level == "all" else table[table["level"] == level]
        own = answers if level == "all" else answers[answers["level"] == level]
        rho = compare_vectors(part["log_seconds"].to_numpy(), part["entropy"].to_numpy())
        out.append({
            "level": level, "triplets": len(part), "responses": len(own), "ceiling": part["agreement"].mean(),
            "majority_share": part["majority_share"].mean(), "entropy": part["entropy"].mean(), "time_entropy": rho,
            "share_unanimous": float((part["entropy"] == 0).mean()),
            "median_seconds": own.groupby("participant")["seconds"].median().median(),
        })  # fmt: skip
    return pd.DataFrame(out)
