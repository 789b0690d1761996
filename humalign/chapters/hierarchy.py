"""How alignment reshapes the conceptual hierarchy: distances by relation, maps, likeness of networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import resample
from ..hierarchy import distance_change, model_similarity, principal_components
from ..plots import panels, style
from ..results import Measured, Rows, farthest
from .student import NAMES, STAGES, averaged

ROLES, OPTIONAL = (), ()  # students of the drawn world, recorded; nothing is kept
RELATIONS = ("same concept", "same superordinate", "different superordinate")
LEVELS = ("concept", "superordinate")
ALIGNED = ("UnAligNet", "AligNet")
COLOURS = {"same concept": "#0072b2", "same superordinate": "#e69f00", "different superordinate": "#7f7f7f"}
LINES = {"same concept": "-", "same superordinate": "--", "different superordinate": ":"}

# ---- measuring -------------------------------------------------------------------------------------------------------


def of_features(before, after, shown: pd.DataFrame, **common) -> Measured:
    """Mean change of relative distance (cosine) by relation, one network before and after, draws over concepts.

    Parameters
    ----------
    before, after : arrays (m, p), (m, q)
        Features of the same pictures.
    shown : DataFrame
        concept, superordinate of the m pictures.
    **common
        Further columns: model, seed, stage and so on.

    Returns
    -------
    Measured
        Dataset "hierarchy", measure "distance-change", detail = relation; n pairs.
    """
    labels = [shown[level].to_numpy() for level in LEVELS]
    before, after = (np.asarray(x, np.float32) for x in (before, after))
    found = distance_change(before, after, labels, names=RELATIONS)
    rows, pairs = Rows(**common), found[["first", "second"]].to_numpy()
    values = found["change"].to_numpy(np.float32)
    for name in RELATIONS:
        at = (found["relation"] == name).to_numpy()
        drawn = resample.triplet_means(values[at], pairs[at], labels[0])
        rows.add("hierarchy", "distance-change", name, *drawn, int(at.sum()))
    return rows.measured()


def alike(vectors: dict, **common) -> list[Measured]:
    """How much the dissimilarities in each network are those in the others of its kind.

    Parameters
    ----------
    vectors : dict
        Network to its dissimilarities, upper triangle of an (n, n) matrix row by row; two networks or more.
    **common
        Further columns: stage and so on.

    Returns
    -------
    list of Measured
        One a network, dataset "model-similarity", measure "spearman": the mean correlation with the others; n networks.
    """
    names, found = list(vectors), {}
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            found[a, b] = resample.pair_correlation(vectors[a], vectors[b])
    out = []
    for name in names:
        own = [v for pair, v in found.items() if name in pair]
        rows = Rows(**{"seed": 0, **common, "model": name})
        draws = np.mean([d for _, d in own], 0)
        rows.add("model-similarity", "spearman", "things", np.mean([v for v, _ in own]), draws, len(own))
        out.append(rows.measured())
    return out


def changes(features: dict, shown: pd.DataFrame, stages=ALIGNED, metric="cosine", scale="mean") -> pd.DataFrame:
    """Change of relative distance from base, pair by pair, of every student.

    Parameters
    ----------
    features : dict
        (model, stage) to features of pictures, (m, p).
    shown : DataFrame
        concept, superordinate of the m pictures.
    stages : sequence of str
    metric, scale : str
        See :func:`humalign.hierarchy.relative_distances`.

    Returns
    -------
    DataFrame
        model, stage, relation, change: one row a pair of pictures.
    """
    labels = [shown[level].to_numpy() for level in LEVELS]
    parts = []
    for (model, stage), values in features.items():
        if stage in stages and (model, "base") in features:
            base = features[model, "base"]
            found = distance_change(base, values, labels, metric=metric, scale=scale, names=RELATIONS)
            parts.append(found[["relation", "change"]].assign(model=model, stage=stage))
    return pd.concat(parts, ignore_index=True)


def densities(table: pd.DataFrame, bins: int = 60) -> pd.DataFrame:
    """Histogram densities of the changes: model, stage, relation, change (middle of the bin), density."""
    low, high = np.percentile(table["change"], [0.2, 99.8])
    edges = np.linspace(low, high, bins + 1)
    parts = []
    for key, part in table.groupby(["model", "stage", "relation"], observed=True):
        named = dict(zip(("model", "stage", "relation"), key))
        density, _ = np.histogram(part["change"], edges, density=True)
        parts.append(pd.DataFrame({**named, "change": (edges[1:] + edges[:-1]) / 2, "density": density}))
    return pd.concat(parts, ignore_index=True)


def components(features: dict, shown: pd.DataFrame, model: str) -> pd.DataFrame:
    """First two principal components of one student at each stage.

    Returns
    -------
    DataFrame
        stage, the columns of ``shown``, x, y (standard deviations over all pictures of the first component).
    """
    parts = []
    for stage in STAGES:
        if (model, stage) in features:
            scores = principal_components(features[model, stage])
            scores = scores / scores[:, 0].std()
            parts.append(shown.assign(stage=stage, x=scores[:, 0], y=scores[:, 1]))
    return pd.concat(parts, ignore_index=True)


def likeness(features: dict, stages=STAGES) -> pd.DataFrame:
    """RSA between students at each stage: stage, first, second, spearman."""
    rows = []
    for stage in stages:
        own = {m: v for (m, s), v in features.items() if s == stage}
        if len(own) > 1:
            found = model_similarity(own, "correlation")
            rows += [{"stage": stage, "first": a, "second": b, "spearman": found.loc[a, b]}
                     for a in found.index for b in found.columns]  # fmt: skip
    return pd.DataFrame(rows)


# ---- tables ----------------------------------------------------------------------------------------------------------


def change_table(runs: Measured) -> pd.DataFrame:
    """Mean change of relative distance by student, stage and relation, training runs averaged, for display."""
    t = runs.table
    wanted = (t["dataset"] == "hierarchy") & (t["measure"] == "distance-change")
    found = averaged(runs.select(wanted.to_numpy()), STAGES)
    found["model"] = found["model"].map(lambda m: NAMES.get(m, m))
    columns = ["model", "stage", "detail", "value", "low", "high", "seeds"]
    named = {"model": "student", "detail": "relation", "value": "change"}
    return found[columns].rename(columns=named).assign(provenance=farthest(runs.table["provenance"], "live"))


def scale_table(features: dict, shown: pd.DataFrame, provenance: str = "recorded") -> pd.DataFrame:
    """Mean change by relation in both units: relative to the mean distance, and in standard deviations (z).

    Parameters
    ----------
    features, shown
        As for :func:`changes`.
    provenance : str
        Of the features.

    Returns
    -------
    DataFrame
        student, stage, unit, and one column a relation.
    """
    parts = [changes(features, shown, scale=scale).assign(unit=unit)
             for scale, unit in (("mean", "mean distance"), ("z", "standard deviation"))]  # fmt: skip
    grouped = pd.concat(parts).groupby(["model", "stage", "unit", "relation"], observed=True)["change"].mean()
    out = grouped.unstack()[list(RELATIONS)].reset_index()
    order = _ordered(out["model"])
    out = out.sort_values(["unit", "model", "stage"], ignore_index=True,
                          key=lambda c: c.map(order.index) if c.name == "model" else c)  # fmt: skip
    out["model"] = out["model"].map(lambda m: NAMES.get(m, m))
    return out.rename(columns={"model": "student"}).assign(provenance=provenance)


# ---- figures ---------------------------------------------------------------------------------------------------------


def _ordered(models) -> list[str]:
    """The networks that occur: those of ``NAMES`` first, in their order."""
    present = list(dict.fromkeys(models))
    return [m for m in NAMES if m in present] + [m for m in present if m not in NAMES]


@panels.figure
def density_curves(table: pd.DataFrame):
    """Density of the change of relative distance by relation: a row a student, a column a stage.

    Parameters
    ----------
    table : DataFrame
        :func:`densities`.
    """
    models = _ordered(table["model"])
    stages = [s for s in ALIGNED if s in set(table["stage"])]
    fig, axes = panels.axes(1.7 * len(models) + 0.9, len(models), len(stages), sharex=True, squeeze=False)
    for row, model in zip(axes, models):
        for ax, stage in zip(row, stages):
            part = table[(table["model"] == model) & (table["stage"] == stage)]
            for relation, colour in COLOURS.items():
                own = part[part["relation"] == relation]
                ax.plot(own["change"], own["density"], color=colour, ls=LINES[relation], label=relation)
                ax.fill_between(own["change"], own["density"], color=colour, alpha=0.12, lw=0)
            ax.axvline(0, color=style.GREY, lw=1)
            ax.set(yticks=[])
            ax.spines["left"].set_visible(False)
            ax.set_title(f"{NAMES.get(model, model)}: {stage}", fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("change of relative distance")
    style.legend(fig, *axes[0, 0].get_legend_handles_labels(), fontsize=9, **panels.BELOW)
    return fig


@panels.figure
def maps(table: pd.DataFrame, shown: int = 8):
    """Principal components at each stage, the largest superordinates in colour.

    Parameters
    ----------
    table : DataFrame
        :func:`components`.
    shown : int
        How many superordinates get a colour.
    """
    colours = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#999933"]
    largest = table["superordinate"].value_counts().index[:shown]
    stages = list(dict.fromkeys(table["stage"]))
    fig, axes = panels.axes(3.3, 1, len(stages), squeeze=False)
    for ax, stage in zip(axes[0], stages):
        part = table[table["stage"] == stage]
        rest = part[~part["superordinate"].isin(largest)]
        ax.scatter(rest["x"], rest["y"], s=5, color=style.GREY, alpha=0.3, lw=0)
        for kind, colour, marker in zip(largest, colours, "os^PXDv*"):
            own = part[part["superordinate"] == kind]
            look = {"s": 16, "color": colour, "marker": marker, "lw": 0.4, "edgecolors": style.OUTLINE}
            ax.scatter(own["x"], own["y"], label=kind, **look)
        ax.set(title=stage, xlabel="component 1", xticks=[], yticks=[])
    axes[0, 0].set_ylabel("component 2")
    style.legend(fig, *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    return fig


@panels.figure
def heat_maps(table: pd.DataFrame):
    """RSA between students at each stage, with the values in the cells.

    Parameters
    ----------
    table : DataFrame
        :func:`likeness`.
    """
    stages, models = list(dict.fromkeys(table["stage"])), _ordered(table["first"])
    names = [NAMES.get(m, m) for m in models]
    fig, axes = panels.axes(3.2, 1, len(stages), sharey=True, squeeze=False)
    for ax, (stage, part) in zip(axes[0], table.groupby("stage", sort=False)):
        grid = part.pivot(index="first", columns="second", values="spearman").loc[models, models]
        look = {"vmin": 0, "vmax": 1, "cmap": "viridis", "cbar": False, "square": True}
        panels.heat_map(ax, grid, annot=True, fmt=".2f", annot_kws={"size": 9}, **look)
        ax.set(title=stage, xlabel="", ylabel="")
        ax.set_xticks(np.arange(len(models)) + 0.5, names, rotation=40, ha="right", fontsize=9)
        ax.set_yticks(np.arange(len(models)) + 0.5, names, rotation=0, fontsize=9)
        ax.tick_params(length=0)
    return fig
