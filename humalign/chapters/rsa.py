"""Similarity of whole sets of pictures: how well the dissimilarities of each network agree with those of people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import resample, results, show
from .. import rsa as measures
from ..config import OWN
from ..data.types import HumanRDM
from ..errors import MissingData
from ..plots import factors, panels, style
from ..results import Measured
from ..roles import ARRANGEMENTS
from ..source import LAYERS, Source
from . import networks

ROLES, OPTIONAL = ARRANGEMENTS, ("things",)
VERSION = 2  # of what is kept: goes up when its numbers change
METRICS = ("correlation", "cosine")
METHODS = ("spearman", "pearson")
STAGE = "zero-shot"
PAIRINGS = {"mean": "spearman", "single": "spearman with each person"}  # with whom, and what it is called
CEILINGS = ("reliability", "one person", "mean of all")  # of people, see :func:`ceilings_of`
RECORDED = {"methods": ("spearman",), "details": ("mean", "single, lower", "single, upper"), "measure": "ceiling",
            "stage": "", "source": ""}  # how tables of real people call them  # fmt: skip
KING = ["king1", "king2"]
YLABEL = {"spearman": "Spearman's ρ with people", "pearson": "Pearson's r with people"}
TITLES = {"cichy": "118 pictures", "king1": "144, set 1", "king2": "144, set 2"}

# ---- measuring -------------------------------------------------------------------------------------------------------


def of_features(
    features, human: HumanRDM, metrics=METRICS, methods=METHODS, stage: str = STAGE, draws: int = resample.DRAWS,
    **common,
) -> Measured:  # fmt: skip
    """Agreement of the RDM of each layer with the mean RDM of the people, with bootstrap draws over pictures.

    Parameters
    ----------
    features : iterable of Features
        Raw or transformed; rows for at least the pictures of ``human``.
    human : HumanRDM
    metrics, methods : tuple of str
        Of the network's RDM; of the comparison.
    stage : str
        What was done to the features; :data:`STAGE` for raw ones.
    draws : int
    **common
        Further columns: ``profile`` and ``dataset``.

    Returns
    -------
    Measured
        Measure = method, detail = metric.

    Raises
    ------
    MissingData
        For no features at all.
    """
    mean = human.mean()
    target, rows, drawn = measures.upper_triangle(mean), [], []
    for part in features:
        values = part.align(human.ids).values
        for metric in metrics:
            rdm = np.asarray(measures.rdm(values, metric=metric))
            for method in methods:
                value, spread = resample.pair_correlation(measures.upper_triangle(rdm), target, draws, method)
                rows.append({**networks.identity(part), "detail": metric, "measure": method, "value": value})
                drawn.append(spread)
    if not rows:
        raise MissingData("leaves no features to compare, as every transform collapsed", stage, "fit more triplets")
    return Measured.of(rows, np.stack(drawn), stage=stage, n=len(target), **common)


def of_people(
    features, human: HumanRDM, metric: str = "correlation", draws: int = resample.DRAWS,
    against: tuple[str, ...] = tuple(PAIRINGS), **common,
) -> Measured:  # fmt: skip
    """Agreement of each layer with the mean RDM of the people, and with single people, averaged.

    Two questions with two ceilings, which :func:`ceilings_of` gives.

    Parameters
    ----------
    features : iterable of Features
    human : HumanRDM
        One RDM a person.
    metric : {"correlation", "cosine"}
    draws : int
    against : tuple of {"mean", "single"}
    **common
        Further columns: ``profile`` and ``dataset``.

    Returns
    -------
    Measured
        Measures "spearman" (mean) and "spearman with each person"; detail = metric; draws resample pictures.
    """
    rows, drawn = [], []
    targets = {
        "mean": measures.upper_triangle(human.mean()),
        "single": np.stack([measures.upper_triangle(one) for one in human.rdm]),
    }
    rdms = [(part, np.asarray(measures.rdm(part.align(human.ids).values, metric=metric))) for part in features]
    for whom in against:
        for part, rdm in rdms:
            value, spread = resample.pair_correlation(measures.upper_triangle(rdm), targets[whom], draws)
            rows.append({**networks.identity(part), "measure": PAIRINGS[whom], "value": value})
            drawn.append(spread)
    return Measured.of(rows, np.stack(drawn), stage=STAGE, detail=metric, n=len(human), **common)


def measure(source: Source, models=None, seeds=(0,), roles=ARRANGEMENTS) -> Measured:
    """Agreement of a source's networks with people's arrangements; see :func:`humalign.chapters.networks.measure`."""
    return networks.measure(source, roles, of_features, VERSION, name="rsa", models=models, seeds=seeds)


def titles(source: Source, known: dict[str, str] = TITLES) -> dict[str, str]:
    """Role to the title of its arrangements: those known, or in a folder of the owner's studies the name of the study.

    Parameters
    ----------
    source : Source
    known : dict of str to str
        Titles of the papers' sets.
    """
    return {role: source.role(role).folder if source.kind == OWN else title for role, title in known.items()}


def ceilings(source: Source, roles=ARRANGEMENTS) -> pd.DataFrame:
    """How well people predict people in some arrangement sets: :func:`ceilings_of` each."""
    profile = source.profile.name
    return pd.concat([ceilings_of(source.arrangement(role), dataset=role, profile=profile) for role in roles])


def ceilings_of(human: HumanRDM, methods=METHODS, details=CEILINGS, **common) -> pd.DataFrame:
    """What a perfect model reaches with one set of two people or more; see :func:`humalign.rsa.ceiling`.

    Parameters
    ----------
    human : HumanRDM
        One RDM a person.
    methods : tuple of str
        Of the comparison.
    details : three str
        What the values are called: by default "reliability" (the agreement that the true RDM would have with the mean
        of these people, from random halves; the line in the figures), "one person" (mean agreement of a person with
        the mean of the others) and "mean of all" (each person with the mean of all: the upper end for one person).
    **common
        Columns: ``dataset`` and ``profile``; others in place of model "people", stage "ceiling", measure = method.
    """
    rows = []
    for method in methods:
        values = (measures.ceiling(human.rdm, "mean", method)[0], *measures.ceiling(human.rdm, "single", method))
        rows += [{"measure": method, "detail": detail, "value": value} for detail, value in zip(details, values)]
    common = {"model": "people", "stage": "ceiling", "n": human.people, "source": human.source, **common}
    return results.table(rows, **common)


def limits(ceilings: pd.DataFrame, method: str = "spearman", detail: str = "reliability") -> pd.Series:
    """One value a data set from :func:`ceilings`: what the true dissimilarities, or "one person", would reach.

    Where both sets of 144 pictures are there, "king" is the mean of the two, as for :func:`mean_of`.
    """
    found = ceilings[(ceilings["measure"] == method) & (ceilings["detail"] == detail)].set_index("dataset")["value"]
    return pd.concat([found, pd.Series({"king": found[KING].mean()})]) if set(KING) <= set(found.index) else found


def references(source: Source, roles=ARRANGEMENTS, draws: int = resample.DRAWS) -> dict[str, pd.DataFrame]:
    """Data set to the agreement of simple descriptions of the pictures with people's arrangements.

    None of them is a network: pixels, colour histogram, category, people's dimensions.
    """
    out = {}
    for role in roles:
        human, common = source.arrangement(role), {"dataset": role, "profile": source.profile.name}
        simple = source.descriptions(role, human.ids)
        out[role] = of_features(simple, human, ("cosine",), ("spearman",), "reference", draws, **common).table
    return out


def categories(source: Source, ids, role: str = "cichy") -> list[str]:
    """Category of each picture of an arrangement set; MissingData where nobody says."""
    found = source.pictures(role).align(ids).meta.get("kind")
    if found is None:
        raise MissingData("no categories of the pictures are known", role, "use the profile mini")
    return list(found)


def by_category(source: Source, human: HumanRDM, role: str = "cichy") -> tuple[str, ...]:
    """Ids of an arrangement set sorted by category, then by name."""
    return tuple(name for _, name in sorted(zip(categories(source, human.ids, role), human.ids)))


# ---- tables ----------------------------------------------------------------------------------------------------------


def points(measured: Measured, models: pd.DataFrame, layer: str, roles, method: str, metric: str) -> networks.ByRole:
    """Data set to points of the untransformed networks; see :func:`humalign.chapters.networks.points`."""
    where = {"stage": STAGE, "measure": method, "detail": metric}
    return networks.ByRole({role: networks.points(measured, models, layer, dataset=role, **where) for role in roles})


def two_ways(measured: Measured, models: pd.DataFrame, layer: str, **ways) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points on the 118 pictures measured in two ways.

    Parameters
    ----------
    measured : Measured
    models : DataFrame
    layer : str
    **ways
        A column and its two values, for instance ``measure=("spearman", "pearson")``; the others are "spearman" and
        "correlation".
    """
    usual = {"dataset": "cichy", "stage": STAGE, "measure": "spearman", "detail": "correlation"}
    first, second = ({**usual, **{key: pair[k] for key, pair in ways.items()}} for k in (0, 1))
    return networks.points(measured, models, layer, **first), networks.points(measured, models, layer, **second)


def by_layer(measured: Measured, models: pd.DataFrame, method: str, metric: str) -> list[pd.DataFrame]:
    """Points on the 118 pictures at the penultimate layer and at the logits."""
    where = {"dataset": "cichy", "stage": STAGE, "measure": method, "detail": metric}
    return [networks.points(measured, models, name, **where) for name in LAYERS]


def mean_of(parts: list[pd.DataFrame], dataset: str) -> pd.DataFrame:
    """Points of several picture sets as one: mean value, and the interval of a mean of independent values."""
    first, *others = (part.set_index("model") for part in parts)
    aligned = [first, *(part.reindex(first.index) for part in others)]
    value = sum(part["value"] for part in aligned) / len(aligned)
    below = sum((part["value"] - part["low"]) ** 2 for part in aligned) ** 0.5 / len(aligned)
    above = sum((part["high"] - part["value"]) ** 2 for part in aligned) ** 0.5 / len(aligned)
    return first.assign(
        value=value, low=value - below, high=value + above, dataset=dataset, layer="", each=""
    ).reset_index()


def best_of_groups(points: pd.DataFrame, groups=("Web labels", "Concept labels", "Image/Text")) -> pd.DataFrame:
    """The best network of each of some training groups; of none of them, the best of all."""
    rows = [part.loc[part["value"].idxmax()] for g in groups if len(part := points[points["group"] == g])]
    return pd.DataFrame(rows if rows else [points.loc[points["value"].idxmax()]]).reset_index(drop=True)


def dissimilarities(source: Source, human: HumanRDM, order, points: pd.DataFrame, metric: str) -> dict[str, np.ndarray]:
    """Dissimilarities of people and of some networks, in one order of the 118 pictures: title to matrix (m, m).

    Parameters
    ----------
    source : Source
    human : HumanRDM
    order : sequence of str (m,)
        Ids.
    points : DataFrame
        Of the networks; each at its layer.
    metric : {"correlation", "cosine"}
    """
    shown = {"people": human.align(order).mean()}
    rows = points.set_index("model")
    for part in source.features("cichy", models=list(rows.index)):
        row = rows.loc[part.model]
        if part.layer == row["layer"]:
            shown[f"{row['name']}, ρ = {row['value']:.2f}"] = measures.rdm(part.align(order).values, metric=metric)
    return shown


def _as_ranks(rdm: np.ndarray) -> np.ndarray:
    """Ranks of the dissimilarities above the diagonal, row by row: above 0, the largest 1."""
    values = measures.upper_triangle(np.asarray(rdm))
    return measures.ranks(values) / len(values)


def ranks(rdms: dict[str, np.ndarray], ids) -> pd.DataFrame:
    """The ranks that :func:`matrices` draws: every pair of pictures once (a, b), one column a matrix, 0 to 1."""
    i, j = np.triu_indices(len(ids), 1)
    columns = {title: _as_ranks(rdm).round(3) for title, rdm in rdms.items()}
    return pd.DataFrame({"a": np.asarray(ids)[i], "b": np.asarray(ids)[j], **columns})


def table(points: dict[str, pd.DataFrame], titles: dict[str, str]) -> pd.DataFrame:
    """One row a network, in the order of the 118 pictures' points: no., name, group, one estimate a data set.

    Parameters
    ----------
    points : dict of str to DataFrame
        :func:`points`.
    titles : dict of str to str
        Data set to heading.
    """
    first = points["cichy"]
    columns = {titles[name]: show.estimates(part, first["model"]) for name, part in points.items()}
    return first[["name", "group"]].assign(**columns)


def numbers(points: dict[str, pd.DataFrame], ceilings: pd.DataFrame, method: str) -> dict:
    """Numbers of the prose, by key: best network of each data set, noise ceilings, one person.

    Parameters
    ----------
    points : dict of str to DataFrame
        :func:`points`.
    ceilings : DataFrame
        :func:`ceilings`.
    method : {"spearman", "pearson"}
    """
    out, top, one = {}, limits(ceilings, method), limits(ceilings, method, "one person")
    for name, part in points.items():
        best = networks.best(part)
        out[f"rsa_best_{name}"] = show.estimate(best)
        out[f"rsa_best_name_{name}"] = best["name"]
        out[f"rsa_limit_{name}"] = show.number(top[name])
    if "cichy" in one:
        out["rsa_one_cichy"] = show.number(one["cichy"])
    return out


def numbers_of_tasks(pairs: pd.DataFrame) -> dict:
    """Pearson's correlation of both tasks over networks, for the prose; of :func:`humalign.chapters.networks.pairs`."""
    return {"rsa_tasks": show.number(float(np.corrcoef(pairs["x"], pairs["y"])[0, 1]), digits=2)}


# ---- figures ---------------------------------------------------------------------------------------------------------


def overview(points: pd.DataFrame, ceiling: float | None = None, title: str = "", method: str = "spearman"):
    """Six panels of agreement with one arrangement set (form of Fig. 3); see :func:`humalign.plots.factors.six`."""
    return factors.six(points, YLABEL[method], ceiling=ceiling, title=title, ceiling_label="noise ceiling")


@panels.figure
def sets(
    points: dict[str, pd.DataFrame], ceilings: dict[str, float], references: dict[str, pd.DataFrame] | None = None
):
    """All networks in all arrangement sets side by side, sorted by group, one column a set, one scale for all.

    The limit set by people is off the scale where networks are far from it; its value then stands below the column.

    Parameters
    ----------
    points : dict of str to DataFrame
        Title of the set to points.
    ceilings : dict of str to float
        Title to the limit set by people.
    references : dict of str to DataFrame, optional
        Title to the result table of descriptions that are no networks.
    """
    first = next(iter(points.values()))
    rows = first.assign(place=first["group"].map({g: k for k, g in enumerate(style.order(first["group"]))}))
    rows = rows.sort_values(["place", "value"], ascending=[False, True]).reset_index(drop=True)
    fig, axes = panels.axes(1.7 + 0.165 * len(rows), 1, len(points), sharey=True, sharex=True, squeeze=False)
    marks, away = {}, {}
    shown = {} if references is None else {t: r.set_index("model")["value"] for t, r in references.items()}
    ends = [pd.concat(points.values())[["value", "low", "high"]].to_numpy(float).ravel()]
    ends = np.concatenate([*ends, [0.0], [s["category"] for s in shown.values() if "category" in s]])
    ends = ends[np.isfinite(ends)]
    left, right = ends.min() - 0.06 * np.ptp(ends), ends.max() + 0.06 * np.ptp(ends)
    for ax, (title, part) in zip(axes[0], points.items()):
        part, y = part.set_index("model").reindex(rows["model"]).reset_index(), panels.name_rows(ax, rows)
        ax.hlines(y, part["low"], part["high"], color=style.GREY, lw=1, alpha=0.6, zorder=2)
        style.single_runs(ax, part, y, along="x")
        panels.dots(ax, part["value"], y, rows["group"], size=30)
        ax.axvline(0, color=style.GREY, lw=0.8, ls=":")
        marks[ax] = [("zero", 0.0, ":")]
        if "category" in shown.get(title, ()):
            marks[ax].append(("category", shown[title]["category"], "--"))
        if ceilings[title] <= right:
            marks[ax].append(("noise ceiling", ceilings[title], "-."))
        else:
            away[title] = f"\nnoise ceiling {ceilings[title]:.2f} →"
        for _, value, line in marks[ax][1:]:
            ax.axvline(value, color=style.GREY, ls=line, lw=1.1, zorder=1)
        ax.set_xlim(left, right)
        ax.set_xlabel(f"ρ, {title}{away.get(title, '')}", fontsize=10)
    style.group_legend(fig, rows["group"], **panels.BELOW)
    for ax, lines in marks.items():
        panels.tops(ax, lines, 0.12)
    return fig


@panels.figure
def matrices(rdms: dict[str, np.ndarray], groups=None):
    """Dissimilarity matrices side by side, each scaled to its own ranks; lines separate the groups of pictures.

    Parameters
    ----------
    rdms : dict of str to (m, m)
        Title to matrix, pictures in the same order.
    groups : sequence of str (m,), optional
        Label of each picture, equal labels adjacent.
    """
    fig, axes = panels.grid(len(rdms), 3.4, 2)
    look = {"vmin": 0, "vmax": 1, "cmap": "viridis", "square": True, "cbar": False, "rasterized": True,
            "xticklabels": False, "yticklabels": False}  # fmt: skip
    for ax, (title, rdm) in zip(axes, rdms.items()):
        i, j = np.triu_indices(len(rdm), 1)
        shown = np.full(rdm.shape, np.nan)
        shown[i, j] = shown[j, i] = _as_ranks(rdm)
        panels.heat_map(ax, shown, **look)
        ax.set_title(title)
        if groups is not None:
            labels = np.asarray(groups)
            starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
            ends = np.r_[starts[1:], len(labels)]
            wide = ends - starts >= 5  # smaller groups have no room for a name
            ax.set_yticks(((starts + ends) / 2)[wide], labels[starts][wide], fontsize=8.5, rotation=0)
            for start in starts[1:]:
                ax.axhline(start, color="white", lw=0.3)
                ax.axvline(start, color="white", lw=0.3)
        ax.tick_params(length=0)
    bar = fig.colorbar(ax.collections[0], ax=axes, shrink=0.5, location="bottom", aspect=40)
    bar.set_label("rank of dissimilarity (0 most alike, 1 least)", fontsize=9)
    return fig


@panels.figure
def tasks(pairs: pd.DataFrame):
    """Agreement with arrangements (y) against odd-one-out accuracy (x), one point a network."""
    fig, ax = panels.axes(4.8, width=5.6)
    panels.crosses(ax, pairs)
    style.reference_line(ax, 1 / 3, "chance", axis="x")
    ax.axhline(0, color=style.GREY, ls=":", lw=1.2)
    ax.set(xlabel="odd-one-out accuracy", ylabel="Spearman's ρ with arrangements")
    style.group_legend(fig, pairs["group"], loc="outside lower center", ncols=2)
    fig.canvas.draw()
    panels.fit(ax, pairs["x"], pairs["y"], clear=[1 / 3])
    return fig
