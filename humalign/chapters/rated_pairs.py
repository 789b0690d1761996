"""Rated pairs: do people find those pictures alike that alignment moves together? The validation study of paper 2.

The authors chose pairs on which AligNet and UnAligNet disagree most, and asked people how alike the two pictures are.
Of the released students the ratings and pairs are the published ones, where they are on this machine; students of the
drawn world have pairs of their own, which simulated observers rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import resample, show
from ..errors import InputError, MissingData
from ..plots import panels
from ..rsa import rdm
from . import released
from .aligned import Students
from .student import NAMES, STAGES

ROLES, OPTIONAL = (), ("validation",)
RATINGS = "levels/validation_ratings"
RATERS = 49  # as many as the published study kept
PAIRS = 100  # of each kind, as published
MOST = 10  # of one superordinate and kind
SHOWN = 3  # example pairs of each kind
STUDY = "the study's network"  # whose distances come with the ratings, where the authors gave them
SLIDER = "1-5"  # of the people whose mean ratings count; five pilots had a longer one, see RATED
RATED = {  # quantity of :func:`validate`, as published; the correlations include five raters on another scale
    "mean rating, pairs closer under AligNet": 3.93,
    "mean rating, pairs closer under UnAligNet": 3.14,
    "paired t over participants": 20.260,
    "Pearson's r of rating and alignet distance": -0.640,
    "Spearman's ρ of rating and alignet distance": -0.641,
    "Pearson's r of rating and unalignet distance": 0.068,
    "Spearman's ρ of rating and unalignet distance": 0.122,
}
KEY = ["image1", "image2"]


@dataclass(frozen=True, eq=False)
class Rated:
    """Ratings of pairs, and where one student places them.

    Attributes
    ----------
    ratings : DataFrame
        participant, image1, image2, rating; slider, where people had several.
    pairs : DataFrame
        image1, image2, alignet, unalignet (z-scored cosine distances), difference (alignet - unalignet; negative:
        closer under AligNet).
    stages : DataFrame
        image1, image2, and a column of cosine distances for each stage of the student that is there.
    """

    ratings: pd.DataFrame
    pairs: pd.DataFrame
    stages: pd.DataFrame


def rated(students: Students) -> dict[str, Rated]:
    """Rated pairs of each student that is there both as AligNet and as UnAligNet.

    Parameters
    ----------
    students : Students

    Returns
    -------
    dict
        Student to its pairs.

    Raises
    ------
    MissingData
        Where ratings, or features of the rated pictures, are not on this machine.
    """
    if students.drawn:
        found, shown = students.features(), students.pictures()
        out = {}
        for model in _both(found, students.models):
            pairs = divergent(found[model, "AligNet"], found[model, "UnAligNet"], shown)
            out[model] = Rated(drawn_ratings(pairs, shown["id"]), pairs, _distances(found, model, shown["id"], pairs))
        return out
    told = students.source.published(RATINGS).rename(columns={"response": "rating"})
    ratings, pairs, out = told[["participant", *KEY, "rating", "slider"]], told[KEY].drop_duplicates(), {}
    if "alignet" in told:
        both = told.drop_duplicates(KEY).rename(columns={"alignet": "AligNet", "unalignet": "UnAligNet"})
        out[STUDY] = _placed(ratings, both[[*KEY, "AligNet", "UnAligNet"]])
    ids = pd.unique(pairs.to_numpy().ravel())
    try:
        found = released.features(students.source, "validation", ids)
    except MissingData:
        if not out:
            raise
        return out
    for model in _both(found, students.models):
        out[model] = _placed(ratings, _distances(found, model, ids, pairs))
    if not out:
        raise MissingData("no student has features as AligNet and as UnAligNet", "validation study", released.GET)
    return out


def _placed(ratings: pd.DataFrame, stages: pd.DataFrame) -> Rated:
    """Rated pairs with the distances of a student, z-scored over these pairs."""
    scored = {name.lower(): (stages[name] - stages[name].mean()) / stages[name].std(ddof=0)
              for name in ("AligNet", "UnAligNet")}  # fmt: skip
    pairs = stages[KEY].assign(**scored, difference=scored["alignet"] - scored["unalignet"])
    return Rated(ratings, pairs, stages)


def _both(found: dict, models) -> list[str]:
    return [m for m in models if {(m, "AligNet"), (m, "UnAligNet")} <= set(found)]


def _distances(found: dict, model: str, ids, pairs: pd.DataFrame) -> pd.DataFrame:
    """Cosine distance of both pictures of each pair, at every stage of a student that is there."""
    place = {name: k for k, name in enumerate(ids)}
    i, j = (pairs[column].map(place).to_numpy() for column in KEY)
    out = pairs[KEY].copy()
    for stage in STAGES:
        if (model, stage) in found:
            unit = np.asarray(found[model, stage], np.float64)
            unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
            out[stage] = 1 - (unit[i] * unit[j]).sum(1)
    return out


def validate(ratings: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The AligNet validation study: do people rate pairs as AligNet or as UnAligNet places them?

    Parameters
    ----------
    ratings : DataFrame
        participant, image1, image2, rating (1 to 5); slider, where people had several: mean ratings and t are those of
        :data:`SLIDER`, correlations of all, as published.
    pairs : DataFrame
        image1, image2, alignet, unalignet (model distances), difference (z-scored AligNet minus UnAligNet; negative =
        closer under AligNet).

    Returns
    -------
    summary : DataFrame
        quantity, value, p, n: mean rating of the pairs closer under either model, paired t over participants, Pearson
        and Spearman correlation of the mean rating with each model's distance.
    people : DataFrame
        participant, AligNet, UnAligNet: mean rating of the pairs that are closer under either.
    """
    from scipy import stats

    merged = ratings.merge(pairs, on=KEY, how="left", validate="many_to_one")
    if merged["difference"].isna().any():
        told = "a rating names a pair that the list does not have"
        raise InputError(told, "validation study", "align the file names")
    merged["closer"] = np.where(merged["difference"] < 0, "AligNet", "UnAligNet")
    alike = merged[merged["slider"] == SLIDER] if "slider" in merged else merged
    means = alike.pivot_table(index="participant", columns="closer", values="rating").dropna()
    test = stats.ttest_rel(means["AligNet"], means["UnAligNet"])
    rows = [{"quantity": f"mean rating, pairs closer under {name}", "value": means[name].mean()}
            for name in ("AligNet", "UnAligNet")]  # fmt: skip
    rows.append({"quantity": "paired t over participants", "value": test.statistic, "p": test.pvalue})
    rows = [{**row, "n": len(means)} for row in rows]
    by_pair = merged.groupby(KEY)[["rating", "alignet", "unalignet"]].mean()
    for model in ("alignet", "unalignet"):
        for name, method in (("Pearson's r", stats.pearsonr), ("Spearman's ρ", stats.spearmanr)):
            found = method(by_pair[model], by_pair["rating"])
            label = f"{name} of rating and {model} distance"
            rows.append({"quantity": label, "value": found.statistic, "p": found.pvalue, "n": len(by_pair)})
    return pd.DataFrame(rows), means.reset_index()


def divergent(aligned: np.ndarray, control: np.ndarray, shown: pd.DataFrame, n: int = PAIRS) -> pd.DataFrame:
    """Pairs that one network places much closer than the other.

    Parameters
    ----------
    aligned, control : arrays (m, p), (m, q)
        Features of the same pictures by AligNet and UnAligNet.
    shown : DataFrame
        id, concept, superordinate of the pictures. Pairs are two concepts of one superordinate.
    n : int
        Pairs of each kind, at most 10 of one superordinate.

    Returns
    -------
    DataFrame
        first, second (picture numbers), image1, image2, alignet, unalignet (cosine distances, z-scored over all such
        pairs), difference (alignet - unalignet; negative: closer under AligNet).
    """
    kinds, concepts = shown["superordinate"].to_numpy(), shown["concept"].to_numpy()
    i, j = np.triu_indices(len(shown), 1)
    near = (kinds[i] == kinds[j]) & (concepts[i] != concepts[j])
    i, j = i[near], j[near]
    out = {"first": i, "second": j, "image1": shown["id"].to_numpy()[i], "image2": shown["id"].to_numpy()[j]}
    for name, values in (("alignet", aligned), ("unalignet", control)):
        distance = np.asarray(rdm(values, "cosine"), float)[i, j]
        out[name] = (distance - distance.mean()) / distance.std()
    table = pd.DataFrame(out).assign(difference=lambda t: t["alignet"] - t["unalignet"], kind=kinds[i])
    parts = []
    for rising in (True, False):
        order = table.sort_values("difference", ascending=rising, kind="stable")
        parts.append(order[order.groupby("kind").cumcount() < MOST].head(n))
    return pd.concat(parts, ignore_index=True).drop(columns="kind")


def drawn_ratings(pairs: pd.DataFrame, ids) -> pd.DataFrame:
    """Drawn people rate pairs from 1 to 5: each sorts all pairs by own similarity into five equal piles.

    Returns
    -------
    DataFrame
        participant, image1, image2, rating.
    """
    from scipy.stats import rankdata

    from ..world import observers

    seen, weights = observers.values(tuple(ids)), observers.people("main").weights[:RATERS]
    similarity = (seen[pairs["first"]] * seen[pairs["second"]]) @ weights.T  # pairs x people
    pile = np.ceil(5 * rankdata(similarity, axis=0) / len(pairs)).clip(1, 5)
    frame = pairs[["image1", "image2"]]
    return pd.concat([frame.assign(participant=k, rating=pile[:, k]) for k in range(RATERS)], ignore_index=True)


def summary(found: dict[str, Rated]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The validation study for every student.

    Parameters
    ----------
    found : dict
        Of :func:`rated`.

    Returns
    -------
    summary : DataFrame
        quantity, one column a student, real people (published), source of the latter.
    people : DataFrame
        student, participant, AligNet, UnAligNet: mean rating of the pairs that are closer under either.
    """
    columns, people = {}, []
    for model, one in found.items():
        placed = one.pairs[[*KEY, "alignet", "unalignet", "difference"]]
        table, means = validate(one.ratings, placed)
        columns[name := NAMES.get(model, model)] = table.set_index("quantity")["value"]
        people.append(means.assign(student=name))
    table = pd.DataFrame(columns).rename_axis("quantity").reset_index()
    table["real people"] = table["quantity"].map(RATED)
    return table.assign(**{"source of the latter": "published"}), pd.concat(people, ignore_index=True)


def agreement(found: dict[str, Rated], provenance: str = "live") -> pd.DataFrame:
    """How well the distances in each network, at each stage, go with the mean ratings: Spearman's rho, sign turned.

    Parameters
    ----------
    found : dict
        Of :func:`rated`.
    provenance : str
        Of the features.

    Returns
    -------
    DataFrame
        panel, model, stage, value, low, high (95 %, pairs resampled), n (pairs), provenance.
    """
    rows = []
    for model, one in found.items():
        rating = one.ratings.groupby(KEY)["rating"].mean()
        table = one.stages.set_index(KEY).join(rating, how="inner")
        for stage in (s for s in STAGES if s in table):
            near = -table[stage].to_numpy()
            value, drawn = resample.unit_correlation(near, table["rating"].to_numpy())
            low, high = resample.interval(drawn)
            rows.append({"panel": "rated pairs", "model": model, "stage": stage, "value": value, "low": float(low),
                         "high": float(high), "n": len(table), "provenance": provenance})  # fmt: skip
    return pd.DataFrame(rows)


def examples(one: Rated, n: int = SHOWN) -> pd.DataFrame:
    """The pairs on which a student's AligNet and UnAligNet differ most, with what people said.

    Parameters
    ----------
    one : Rated
    n : int
        Pairs of each kind.

    Returns
    -------
    DataFrame
        closer ("AligNet" or "UnAligNet"), image1, image2, alignet, unalignet, rating (mean), people.
    """
    found = one.ratings.groupby(KEY)["rating"].agg(["mean", "size"]).set_axis(["rating", "people"], axis=1)
    table = one.pairs.set_index(KEY).join(found, how="inner").reset_index().sort_values("difference", kind="stable")
    parts = [table.head(n).assign(closer="AligNet"), table.iloc[::-1].head(n).assign(closer="UnAligNet")]
    columns = ["closer", *KEY, "alignet", "unalignet", "rating", "people"]
    return pd.concat(parts, ignore_index=True)[columns]


def pictures(students: Students, table: pd.DataFrame, side: int) -> dict[str, np.ndarray]:
    """The pictures of :func:`examples` by id, uint8 (side, side, 3).

    Raises
    ------
    MissingData
        Where they are not on this machine.
    """
    role = "test" if students.drawn else "validation"
    return students.source.seen(role, pd.unique(table[KEY].to_numpy().ravel()), side)


def published_ratings() -> list[float]:
    """Mean ratings of real people, pairs closer under UnAligNet and under AligNet, as published."""
    return [RATED[f"mean rating, pairs closer under {name}"] for name in ("UnAligNet", "AligNet")]


def numbers(found: dict[str, Rated], students: Students) -> dict:
    """How many people rated, and who they are, for the prose; key to words."""
    raters = max(one.ratings["participant"].nunique() for one in found.values())
    whose = "simulated observers" if students.drawn else "people, with their published ratings"
    return {"lv_raters": show.Words(raters), "lv_whose_ratings": show.Words(whose)}


# ---- figure ----------------------------------------------------------------------------------------------------------


@panels.figure
def pairs_shown(table: pd.DataFrame, pictures: dict):
    """Example pairs: one column a pair, those closer under AligNet above, with the mean rating and both distances.

    Parameters
    ----------
    table : DataFrame
        :func:`examples`.
    pictures : dict
        Id to array.
    """
    kinds = list(dict.fromkeys(table["closer"]))
    most = int(table["closer"].value_counts().max())
    fig, axes = panels.axes(1.9 * len(kinds) + 0.2, len(kinds), most, squeeze=False)
    for row, kind in zip(axes, kinds):
        own = table[table["closer"] == kind].to_dict("records")
        for ax, pair in zip(row, own):
            both = np.concatenate([pictures[pair[column]] for column in KEY], 1)
            ax.imshow(both)
            ax.axvline(both.shape[1] / 2 - 0.5, color="white", lw=2)
            places = f"AligNet {pair['alignet']:+.1f}, UnAligNet {pair['unalignet']:+.1f}"
            ax.set_xlabel(f"rated {pair['rating']:.1f}\n{places}", fontsize=9)
        for ax in row:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        row[0].set_title(f"closer under {kind}", loc="left", fontsize=10)
    return fig
