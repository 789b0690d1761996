"""Levels: people's agreement, uncertainty and response times at three levels, drawn and published."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import levels, resample
from .. import record as recording
from ..data import registry
from ..errors import InputError
from ..source import open_source

SOURCE = "analysis notebook of the Levels experiment, executed by its author"
QUOTED = "quoted by others from the paper"
PUBLISHED = (
    # quantity, level, value, provenance, source
    ("ceiling", "coarse", 0.6192, "second-hand", QUOTED),
    ("ceiling", "fine", 0.6592, "second-hand", QUOTED),
    ("ceiling", "boundary", 0.8921, "second-hand", QUOTED),
    ("ceiling", "all", 0.6896, "published", SOURCE),
    ("majority_share", "all", 0.7893, "published", SOURCE),
    ("time_entropy", "coarse", 0.325, "published", SOURCE),
    ("time_entropy", "fine", 0.364, "published", SOURCE),
    ("time_entropy", "boundary", 0.443, "published", SOURCE),
    ("median_seconds", "coarse", 3.365, "published", SOURCE),
    ("median_seconds", "fine", 3.079, "published", SOURCE),
    ("median_seconds", "boundary", 2.043, "published", SOURCE),
)
QUANTITIES = {
    "ceiling": "leave-one-out ceiling",
    "majority_share": "mean largest response share",
    "entropy": "mean response entropy (nats)",
    "time_entropy": "Spearman's ρ, log response time and entropy",
    "share_unanimous": "share of unanimous triplets",
    "median_seconds": "median response time (s)",
}
"""The published human numbers that a source confirms, and how each quantity is called."""


def trials(profile) -> pd.DataFrame:
    """Raw trials in the columns of :mod:`humalign.levels`: simulated in ``mini``, the published sessions in ``full``.

    Raises
    ------
    MissingData
        In ``slice``: the public sample has trial lists, but no responses.
    """
    return open_source(profile).sessions("levels")


def answers(profile, seed: int = 42) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Responses after exclusions, keyed by triplet, and the table of people."""
    kept, people = levels.exclude(trials(profile))
    return levels.responses(kept, seed=seed), people


def people_summary(profile) -> pd.DataFrame:
    """Summary per level with 95 % bootstrap intervals over triplets, beside the published numbers.

    Returns
    -------
    DataFrame
        quantity, level, "drawn people" and "real people" (full: "these sessions" and "as reported"), low and high of
        the former, source of the latter.
    """
    own, _ = answers(profile)
    summary = levels.summary(own).set_index("level")
    published = {(q, lv): (value, provenance) for q, lv, value, provenance, _ in PUBLISHED}
    intervals = _intervals(own, profile.seed)
    drawn = profile.name == "mini"
    whose, theirs = ("drawn people", "real people") if drawn else ("these sessions", "as reported")
    rows = []
    for quantity, label in QUANTITIES.items():
        for level in summary.index:
            value, provenance = published.get((quantity, level), (np.nan, ""))
            low, high = intervals.get((quantity, level), (np.nan, np.nan))
            rows.append({"quantity": label, "level": level, whose: summary.loc[level, quantity], "low": low,
                         "high": high, theirs: value, "source of the latter": provenance})  # fmt: skip
    return pd.DataFrame(rows)


def _intervals(own: pd.DataFrame, seed: int, draws: int = 200) -> dict:
    """Bootstrap intervals over triplets of the quantities that are means or correlations over triplets."""
    table = levels.triplets(own)
    share = levels.counts(own)[[0, 1, 2]].to_numpy()
    table["majority_share"] = share.max(1) / share.sum(1)
    generator = np.random.default_rng(seed)
    out = {}
    for level in (*levels.LEVELS, "all"):
        part = table if level == "all" else table[table["level"] == level]
        drawn = resample.drawn_rows(len(part), generator, draws)
        columns = {"ceiling": part["agreement"], "majority_share": part["majority_share"], "entropy": part["entropy"],
                   "share_unanimous": part["entropy"] == 0}  # fmt: skip
        found = {quantity: values.to_numpy(float) @ drawn / len(part) for quantity, values in columns.items()}
        found["time_entropy"] = resample.spearman(part["log_seconds"], part["entropy"], drawn)
        for quantity, values in found.items():
            out[quantity, level] = tuple(resample.interval(values))
    return out


def trial_list_summary(profile) -> pd.DataFrame:
    """What the real trial lists of Levels hold: shares per level, classes, images, people per triplet.

    Returns
    -------
    DataFrame
        level, trials, share, distinct triplets, people per triplet, images, ImageNet classes.

    Raises
    ------
    MissingData
        Without the files of the slice.
    """
    frame = registry.load("levels/trials", profile.with_(name="slice"))
    images = ["image1", "image2", "image3"]
    names = np.sort(frame[images].to_numpy(str), axis=1)
    frame = frame.assign(key=["|".join(row) for row in names])
    out = []
    for level in (*levels.LEVELS, "all"):
        part = frame if level == "all" else frame[frame["level"] == level]
        shown = np.unique(part[images].to_numpy(str))
        out.append({
            "level": level, "trials": len(part), "share": len(part) / len(frame),
            "distinct triplets": part["key"].nunique(),
            "people per triplet": part.groupby("key")["participant"].nunique().mean(),
            "images": len(shown), "ImageNet classes": len({n.split("_")[0] for n in shown}),
        })  # fmt: skip
    return pd.DataFrame(out)


def _lists(source) -> dict:
    """Both summaries of the real lists in one table."""
    lists, pairs = trial_list_summary(source.profile), pair_list_summary(source.profile)
    lists.insert(0, "list", "Levels, " + lists.pop("level"))
    pairs = pairs.rename(columns={"pairs": "trials"}).assign(list="validation study, pairs")
    return {"lists": pd.concat([lists, pairs], ignore_index=True)[lists.columns]}


PUBLIC = recording.Study("levels", frozenset({"levels/trials", "levels/alignet_pairs"}), ("lists",), 1, _lists)


def lists_or_recorded(profile) -> pd.DataFrame:
    """Both summaries of the real lists; see :meth:`humalign.record.Study.tables`."""
    found = PUBLIC.tables(profile)
    return found["lists"].assign(provenance=found.provenance)


def pair_list_summary(profile) -> pd.DataFrame:
    """What the real list of the AligNet validation study holds: pairs, images, classes."""
    pairs = registry.load("levels/alignet_pairs", profile.with_(name="slice"))
    shown = np.unique(pairs[["image1", "image2"]].to_numpy(str))
    classes = {name.split("_")[0] for name in shown}
    return pd.DataFrame([{"pairs": len(pairs), "images": len(shown), "ImageNet classes": len(classes)}])


def validation(ratings: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The AligNet validation study: do people rate pairs as AligNet or as UnAligNet places them?

    Parameters
    ----------
    ratings : DataFrame
        participant, image1, image2, rating (1 to 5).
    pairs : DataFrame
        image1, image2, alignet, unalignet (model distances), difference (z-scored AligNet minus UnAligNet; negative =
        closer under AligNet).

    Returns
    -------
    DataFrame
        quantity, value, p, n: mean rating of the pairs closer under either model, paired t over participants, Pearson
        and Spearman correlation of the mean rating with each model's distance.
    """
    from scipy import stats

    key = ["image1", "image2"]
    merged = ratings.merge(pairs, on=key, how="left", validate="many_to_one")
    if merged["difference"].isna().any():
        raise InputError(
            "a rating names a pair that the list does not have", "validation study", "align the file names"
        )
    merged["closer"] = np.where(merged["difference"] < 0, "AligNet", "UnAligNet")
    means = merged.pivot_table(index="participant", columns="closer", values="rating").dropna()
    test = stats.ttest_rel(means["AligNet"], means["UnAligNet"])
    rows = [
        {"quantity": "mean rating, pairs closer under AligNet", "value": means["AligNet"].mean(), "n": len(means)},
        {"quantity": "mean rating, pairs closer under UnAligNet", "value": means["UnAligNet"].mean(), "n": len(means)},
        {"quantity": "paired t over participants", "value": test.statistic, "p": test.pvalue, "n": len(means)},
    ]
    by_pair = merged.groupby(key).agg(
        rating=("rating", "mean"), alignet=("alignet", "first"), unalignet=("unalignet", "first")
    )
    for model in ("alignet", "unalignet"):
        for name, method in (("Pearson's r", stats.pearsonr), ("Spearman's ρ", stats.spearmanr)):
            found = method(by_pair[model], by_pair["rating"])
            label = f"{name} of rating and {model} distance"
            rows.append({"quantity": label, "value": found.statistic, "p": found.pvalue, "n": len(by_pair)})
    return pd.DataFrame(rows)
