"""Figures of agreement with people's arrangements: the form of Fig. 3 of paper 1 and of its appendix figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import panels, style

YLABEL = {"spearman": "Spearman's ρ with people", "pearson": "Pearson's r with people"}
TITLES = {"cichy": "118 pictures", "king1": "144, set 1", "king2": "144, set 2"}


def overview(points: pd.DataFrame, ceiling: float | None = None, title: str = "", measure: str = "spearman"):
    """Six panels of RSA with one arrangement set (form of Fig. 3); see :func:`humalign.plots.panels.six`."""
    return panels.six(points, YLABEL[measure], ceiling=ceiling, title=title, ceiling_label="people's limit")


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
    from matplotlib import pyplot as plt

    first = next(iter(points.values()))
    rows = first.assign(place=first["group"].map({g: k for k, g in enumerate(style.order(first["group"]))}))
    rows = rows.sort_values(["place", "value"], ascending=[False, True]).reset_index(drop=True)
    fig, axes = plt.subplots(
        1, len(points), figsize=(style.WIDTH, 1.7 + 0.165 * len(rows)), sharey=True, sharex=True, layout="constrained"
    )
    marks, away = {}, {}
    shown = {} if references is None else {t: r.set_index("model")["value"] for t, r in references.items()}
    ends = [pd.concat(points.values())[["value", "low", "high"]].to_numpy(float).ravel()]
    ends = np.concatenate([*ends, [0.0], [s["category"] for s in shown.values() if "category" in s]])
    ends = ends[np.isfinite(ends)]
    left, right = ends.min() - 0.06 * np.ptp(ends), ends.max() + 0.06 * np.ptp(ends)
    for ax, (title, part) in zip(np.atleast_1d(axes), points.items()):
        part = part.set_index("model").reindex(rows["model"]).reset_index()
        y = np.arange(len(part))
        ax.hlines(y, part["low"], part["high"], color=style.GREY, lw=1, alpha=0.6, zorder=2)
        style.single_runs(ax, part, y, along="x")
        for group in style.order(rows["group"]):
            at = rows["group"] == group
            ax.scatter(
                part["value"][at],
                y[at],
                s=30,
                c=style.color(group),
                marker=style.marker(group),
                edgecolors=style.OUTLINE,
                linewidths=0.8,
                zorder=3,
            )
        ax.axvline(0, color=style.GREY, lw=0.8, ls=":")
        marks[ax] = [("zero", 0.0, ":")]
        if "category" in shown.get(title, ()):
            marks[ax].append(("category", shown[title]["category"], "--"))
        if ceilings[title] <= right:
            marks[ax].append(("people's limit", ceilings[title], "-."))
        else:
            away[title] = f"\npeople's limit {ceilings[title]:.2f} →"
        for _, value, line in marks[ax][1:]:
            ax.axvline(value, color=style.GREY, ls=line, lw=1.1, zorder=1)
        ax.set_xlim(left, right)
        ax.set_xlabel(f"ρ, {title}{away.get(title, '')}", fontsize=10)
        ax.set_ylim(-1, len(part))
        ax.grid(axis="y", lw=0.5)
        ax.tick_params(axis="y", length=0)
    axes = np.atleast_1d(axes)
    axes[0].set_yticks(
        np.arange(len(rows)), [f"{n}  {name}" for n, name in zip(rows["number"], rows["name"])], fontsize=8.5
    )
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=3)
    for ax, lines in marks.items():
        panels.tops(ax, lines, 0.12)
    return fig


def metrics(pairs: pd.DataFrame, xlabel: str, ylabel: str):
    """Two ways to compute the same agreement against each other."""
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(5.2, 5.2), layout="constrained")
    panels.identity(ax, pairs, xlabel, ylabel)
    style.group_legend(fig, pairs["group"], loc="outside lower center", ncols=2)
    return fig


def matrices(rdms: dict[str, np.ndarray], groups=None):
    """Dissimilarity matrices side by side, each scaled to its own ranks; lines separate the groups of pictures.

    Parameters
    ----------
    rdms : dict of str to (m, m)
        Title to matrix, pictures in the same order.
    groups : sequence of str (m,), optional
        Label of each picture, equal labels adjacent.
    """
    from matplotlib import pyplot as plt
    from scipy.stats import rankdata

    columns = 2
    rows = -(-len(rdms) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, 3.5 * rows), layout="constrained", squeeze=False)
    for ax in axes.ravel()[len(rdms) :]:
        ax.axis("off")
    for ax, (title, rdm) in zip(axes.ravel(), rdms.items()):
        i, j = np.triu_indices(len(rdm), 1)
        ranks = rankdata(rdm[i, j]) / len(i)
        shown = np.full(rdm.shape, np.nan)
        shown[i, j] = shown[j, i] = ranks
        picture = ax.imshow(shown, vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(title)
        ax.set_xticks([])
        if groups is None:
            ax.set_yticks([])
        else:
            labels = np.asarray(groups)
            starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
            ends = np.r_[starts[1:], len(labels)]
            wide = ends - starts >= 5  # smaller groups have no room for a name
            ax.set_yticks(((starts + ends - 1) / 2)[wide], labels[starts][wide], fontsize=8.5)
            for start in starts[1:]:
                ax.axhline(start - 0.5, color="white", lw=0.3)
                ax.axvline(start - 0.5, color="white", lw=0.3)
        ax.tick_params(length=0)
    bar = fig.colorbar(picture, ax=axes, shrink=0.5, location="bottom", aspect=40)
    bar.set_label("rank of dissimilarity (0 most alike, 1 least)", fontsize=9)
    return fig


def ranks(rdms: dict[str, np.ndarray], ids) -> pd.DataFrame:
    """The ranks that :func:`matrices` draws: every pair of pictures once (a, b), one column a matrix, 0 to 1."""
    from scipy.stats import rankdata

    i, j = np.triu_indices(len(ids), 1)
    columns = {title: (rankdata(rdm[i, j]) / len(i)).round(3) for title, rdm in rdms.items()}
    return pd.DataFrame({"a": np.asarray(ids)[i], "b": np.asarray(ids)[j], **columns})


def tasks(pairs: pd.DataFrame):
    """Agreement with arrangements (y) against odd-one-out accuracy (x), one point a network."""
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(5.6, 4.8), layout="constrained")
    ax.hlines(pairs["y"], pairs["x_low"], pairs["x_high"], color=style.GREY, lw=0.8, alpha=0.4, zorder=2)
    style.points(ax, pairs["x"], pairs["y"], pairs["group"], low=pairs["y_low"], high=pairs["y_high"], size=42)
    style.reference_line(ax, 1 / 3, "chance", axis="x")
    ax.axhline(0, color=style.GREY, ls=":", lw=1.2)
    ax.set(xlabel="odd-one-out accuracy", ylabel="Spearman's ρ with arrangements")
    style.group_legend(fig, pairs["group"], loc="outside lower center", ncols=2)
    fig.canvas.draw()
    panels.fit(ax, pairs["x"], pairs["y"], clear=[1 / 3])
    return fig
