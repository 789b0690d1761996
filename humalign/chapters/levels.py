"""Three levels of abstraction: how people agree and how long they take, and networks on the same triplets."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from .. import levels as measures
from .. import odd_one_out, resample, show
from .. import record as recording
from ..data.types import Triplets
from ..errors import MissingData
from ..results import Measured, Rows
from ..similarity import similarity_matrix
from ..source import Source
from . import networks, zero_shot

ROLES, OPTIONAL = ("levels",), ()
VERSION = 2  # of what is kept: goes up when its numbers change
LAYER, STAGE = "penultimate", "zero-shot"
SHARPNESS = 100.0  # of the cosine, for the doubt of a network
BLOCK = 2048  # triplets compared at a time, so that similarities of all pictures need not fit into memory
SOURCE = "analysis notebook of the Levels experiment, executed by its author"
QUOTED = "quoted by others from the paper"
PUBLISHED = (  # what a source confirms of real people
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
QUANTITIES = {  # how each quantity is called
    "ceiling": "leave-one-out ceiling",
    "majority_share": "mean largest response share",
    "entropy": "mean response entropy (nats)",
    "time_entropy": "Spearman's ρ, log response time and entropy",
    "share_unanimous": "share of unanimous triplets",
    "median_seconds": "median response time (s)",
}
SIMULATED, REAL = (
    ("simulated observers", "real people"),
    ("these sessions", "as reported"),
)  # whose answers, beside whose

# ---- people ----------------------------------------------------------------------------------------------------------


def answers(source: Source, seed: int = 42) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Responses after exclusions, keyed by triplet, and the table of people.

    Raises
    ------
    MissingData
        Where there are no responses; the public sample has trial lists only.
    """
    kept, people = measures.exclude(source.sessions("levels"))
    return measures.responses(kept, seed=seed), people


def judged(source: Source) -> tuple[Triplets, pd.DataFrame]:
    """The triplets that people answered, as presented, and what they answered (:func:`humalign.levels.triplets`).

    Returns
    -------
    Triplets
        With ``level``; nothing is said about the odd one. Concepts are those of the pictures or, where these are not
        at hand, the classes in the names of ImageNet files.
    DataFrame
        One row a triplet.
    """
    table = measures.triplets(answers(source)[0])
    ids, places = np.unique(table[["first", "second", "third"]].to_numpy(str), return_inverse=True)
    ids, level = tuple(ids.tolist()), table["level"].to_numpy(str)
    triplets = Triplets(ids, places.reshape(-1, 3), source.origin, "", name="levels", level=level)
    try:
        shown = source.pictures("levels")
    except MissingData:
        return replace(triplets, concepts=tuple(name.split("_")[0] for name in ids)), table
    used = set(ids)
    shown = shown.align([name for name in shown.ids if name in used])
    triplets = triplets.align(shown.ids)
    return replace(triplets, concepts=shown.concepts, source=shown.source, licence=shown.licence), table


def people_summary(source: Source, seed: int = 0) -> pd.DataFrame:
    """Summary per level with 95 % bootstrap intervals over triplets, beside the published numbers.

    Returns
    -------
    DataFrame
        quantity, level, "simulated observers" and "real people" (of real people: "these sessions" and "as reported"),
        low and high of the former, source of the latter.
    """
    own, _ = answers(source)
    summary = measures.summary(own).set_index("level")
    published = {(q, lv): (value, provenance) for q, lv, value, provenance, _ in PUBLISHED}
    intervals = _intervals(own, seed)
    whose, theirs = REAL if zero_shot.known(source) is None else SIMULATED
    rows = []
    for quantity, label in QUANTITIES.items():
        for level in summary.index:
            value, provenance = published.get((quantity, level), (np.nan, ""))
            low, high = intervals.get((quantity, level), (np.nan, np.nan))
            rows.append({"quantity": label, "level": level, whose: summary.loc[level, quantity], "low": low,
                         "high": high, theirs: value, "source of the latter": provenance})  # fmt: skip
    return pd.DataFrame(rows)


def whose(summary: pd.DataFrame) -> tuple[str, str]:
    """The columns of :func:`people_summary` with the answers here and with the published ones."""
    return SIMULATED if SIMULATED[0] in summary else REAL


def _intervals(own: pd.DataFrame, seed: int) -> dict:
    """Bootstrap intervals over triplets of the quantities that are means or correlations over triplets."""
    table = measures.triplets(own)
    share = measures.counts(own)[[0, 1, 2]].to_numpy()
    table["majority_share"] = share.max(1) / share.sum(1)
    generator = np.random.default_rng(seed)
    out = {}
    for level in (*measures.LEVELS, "all"):
        part = table if level == "all" else table[table["level"] == level]
        drawn = resample.drawn_rows(len(part), generator)
        columns = {"ceiling": part["agreement"], "majority_share": part["majority_share"], "entropy": part["entropy"],
                   "share_unanimous": part["entropy"] == 0}  # fmt: skip
        found = {quantity: values.to_numpy(float) @ drawn / len(part) for quantity, values in columns.items()}
        found["time_entropy"] = resample.unit_correlation(part["log_seconds"], part["entropy"], drawn)[1]
        for quantity, values in found.items():
            out[quantity, level] = tuple(resample.interval(values))
    return out


# ---- the real trial lists --------------------------------------------------------------------------------------------


def lists(source: Source) -> pd.DataFrame:
    """What the real lists hold: trials of Levels, by level and all, and the pairs of the AligNet validation study.

    Returns
    -------
    DataFrame
        list, trials, share (of all trials), distinct triplets, people per triplet, images, ImageNet classes.

    Raises
    ------
    MissingData
        Without the files of the slice.
    """
    frame, pairs, out = source.published("levels/trials"), source.published("levels/alignet_pairs"), []
    names = np.sort(frame[measures.IMAGES].to_numpy(str), axis=1)
    frame = frame.assign(key=["|".join(row) for row in names])
    for level in (*measures.LEVELS, "all"):
        part = frame if level == "all" else frame[frame["level"] == level]
        asked = {"share": len(part) / len(frame), "distinct triplets": part["key"].nunique(),
                 "people per triplet": part.groupby("key")["participant"].nunique().mean()}  # fmt: skip
        out.append({"list": f"Levels, {level}", "trials": len(part), **asked, **_images(part[measures.IMAGES])})
    shown = _images(pairs[["image1", "image2"]])
    return pd.DataFrame([*out, {"list": "validation study, pairs", "trials": len(pairs), **shown}])


def _images(names: pd.DataFrame) -> dict:
    """How many images and ImageNet classes occur."""
    shown = np.unique(names.to_numpy(str))
    return {"images": len(shown), "ImageNet classes": len({name.split("_")[0] for name in shown})}


PUBLIC = recording.Study("levels", frozenset({"levels/trials", "levels/alignet_pairs"}), ("lists",), 1,
                         lambda source: {"lists": lists(source)})  # fmt: skip


def list_table(source: Source) -> pd.DataFrame:
    """:func:`lists`, live or recorded; see :meth:`humalign.record.Study.tables`."""
    found = PUBLIC.tables(source.profile)
    return found["lists"].assign(provenance=found.provenance)


# ---- networks --------------------------------------------------------------------------------------------------------


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


def add_levels(rows: Rows, right, doubt, triplets: Triplets, table: pd.DataFrame, **more) -> None:
    """Accuracy and entropy-time correlation of one network on each level of the Levels data set.

    Parameters
    ----------
    rows : Rows
        Two rows a level are added.
    right : float array (n,)
        Score of each choice, see :func:`humalign.levels.correct`.
    doubt : float array (n,)
        Entropy of the network's probabilities, nats.
    triplets : Triplets
        n triplets with ``level``.
    table : DataFrame
        ``log_seconds``: people's mean log response time, a row a triplet.
    **more
        Further columns.
    """
    for level in measures.LEVELS:
        keep = triplets.level == level
        shown, times = triplets.triplets[keep], table["log_seconds"].to_numpy()[keep]
        found = resample.triplet_means(right[keep], shown, triplets.concepts)
        rows.add("levels", "accuracy", level, *found, int(keep.sum()), **more)
        found = resample.triplet_correlation(doubt[keep], times, shown, triplets.concepts)
        rows.add("levels", "entropy-time", level, *found, int(keep.sum()), **more)


def of_features(features, triplets: Triplets, table: pd.DataFrame, **common) -> Measured:
    """Accuracy at each level, and how a network's doubt goes with people's response times.

    Parameters
    ----------
    features : iterable of Features
    triplets : Triplets
    table : DataFrame
        Both of :func:`judged`.
    **common
        Further columns: ``profile`` and ``dataset``.

    Returns
    -------
    Measured
        Dataset "levels", stage "zero-shot", detail = level; measures "accuracy" (any of tied majority labels counts)
        and "entropy-time" (Spearman's rho of doubt and people's mean log response time); draws over concepts.
    """
    rows = Rows(stage=STAGE, **common)
    for part in features:
        chosen, doubt = choices(part.align(triplets.ids).values, triplets.triplets, SHARPNESS)
        right = measures.correct(chosen, table["top"].to_numpy())
        add_levels(rows, right, doubt, triplets, table, **networks.identity(part))
    return rows.measured()


def measure(source: Source, models=None, seeds=(0,)) -> Measured:
    """Both measures of the networks of a source; see :func:`humalign.chapters.networks.measure`."""
    triplets, table = judged(source)
    models = source.models("levels") if models is None else models  # released students, too
    return networks.measure(
        source, "levels", partial(of_features, table=table), VERSION, name="levels", answers=triplets,
        inputs=[table.to_csv()], layers=(LAYER,), models=models, seeds=seeds,
    )  # fmt: skip


def by_level(measured: Measured, models: pd.DataFrame, summary, table, what: str = "accuracy") -> pd.DataFrame:
    """Points of all networks at each level, for figures.

    Parameters
    ----------
    measured : Measured
        :func:`measure`.
    models : DataFrame
        :meth:`humalign.source.Source.networks`.
    summary, table : DataFrame
        :func:`people_summary`; of :func:`judged`.
    what : {"accuracy", "entropy-time"}

    Returns
    -------
    DataFrame
        As :func:`networks.points`, with panel (the level), on (what is measured, for axes), chance and limit (people).
    """
    people = summary.set_index(["quantity", "level"])[whose(summary)[0]]
    quantity = QUANTITIES["ceiling" if what == "accuracy" else "time_entropy"]
    chance = table["top"].map(lambda mask: int(mask).bit_count() / 3).groupby(table["level"]).mean()
    out = []
    for level in measures.LEVELS:
        one = networks.points(measured, models, dataset="levels", measure=what, detail=level)
        lines = {"chance": chance[level] if what == "accuracy" else 0.0, "limit": people[quantity, level]}
        out.append(one.assign(panel=level, on="accuracy" if what == "accuracy" else "Spearman's ρ", **lines))
    return pd.concat(out, ignore_index=True)


def numbers(people: pd.DataFrame, table: pd.DataFrame) -> dict:
    """Numbers of the prose, by key.

    Parameters
    ----------
    people, table : DataFrame
        Of :func:`answers` and :func:`judged`.
    """
    found = {"people": len(people), "kept": int(people["kept"].sum()), "triplets": len(table)}
    return {f"lv_{key}": show.number(value, None, "live", digits=0) for key, value in found.items()}


def numbers_of_people(summary: pd.DataFrame) -> dict:
    """Noise ceiling and median seconds at each level, of the answers here, for the prose; of :func:`people_summary`."""
    own, out = summary.set_index(["quantity", "level"])[whose(summary)[0]], {}
    for level in measures.LEVELS:
        out[f"lv_ceiling_{level}"] = show.number(own[QUANTITIES["ceiling"], level])
        out[f"lv_seconds_{level}"] = show.number(own[QUANTITIES["median_seconds"], level], digits=1, unit=" s")
    return out
