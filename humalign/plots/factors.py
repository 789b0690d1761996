"""The figure in the form of Figs. 2 and 3 of the first paper: all networks, then one factor at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import groups, panels, style

AUGMENTATION = {"MixUp": "^", "Automatic augmentation": "D"}
ROOM = 0.03  # share of a name that may cover points or other names


def _means(ax, points, ceiling) -> None:
    """All networks, faint; the mean of each training group with its name; the best network and what it lacks."""
    style.points(ax, points["reference_accuracy"], points["value"], points["group"], size=26, alpha=0.35)
    ax.vlines(
        points["reference_accuracy"], points["low"], points["high"], color=style.GREY, lw=0.7, alpha=0.2, zorder=1
    )
    known = points[points["reference_accuracy"].notna() & (points["group"] != style.YOURS)]
    means = known.groupby("group")[["reference_accuracy", "value"]].mean()
    for group, mean in means.iterrows():
        look = {"c": style.color(group), "marker": style.marker(group), "edgecolors": style.OUTLINE, "zorder": 4}
        ax.scatter(*mean, s=150, linewidths=1.2, label=f"mean of {group}", **look)
    best = known.loc[known["value"].idxmax()] if len(known) else None
    if best is not None and ceiling is not None and best["value"] < ceiling:
        x = best["reference_accuracy"]
        ends = {"arrowstyle": "<->", "color": style.GREY, "lw": 1, "shrinkA": 5, "shrinkB": 0}
        ax.annotate("", (x, ceiling), xytext=(x, best["value"]), arrowprops=ends, zorder=2)
        words = {"xytext": (-5, 0), "textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 9}
        gap = f"{ceiling - best['value']:.2f} below people"
        ax.annotate(gap, (x, (ceiling + best["value"]) / 2), color=style.GREY, **words)
    ax.figure.canvas.draw()
    named = [(*mean, group) for group, mean in means.iterrows()]
    named += [] if best is None else [(best["reference_accuracy"], best["value"], best["name"])]
    named += [(row.reference_accuracy, row.value, row.name) for row in points.itertuples() if row.group == style.YOURS]
    if named:
        panels.label_points(ax, *zip(*named), size=9.5, first=range(len(named)))


def _detail(ax, points, ylim, chance, xlabel: str, shapes=None) -> None:
    """Some networks with their intervals; names follow when the layout is final."""
    ax.set_ylim(ylim)
    panels.lines(ax, chance, None)
    if not len(points):
        ax.text(0.5, 0.5, "no networks", transform=ax.transAxes, ha="center", fontsize=9, color=style.GREY)
        ax.set_xticks([])
        return
    x = points["reference_accuracy"].to_numpy(float)
    ax.vlines(x, points["low"], points["high"], color=style.GREY, lw=0.9, alpha=0.5, zorder=2)
    style.single_runs(ax, points, x)
    shapes = shapes or [style.marker(group) for group in points["group"]]
    for at, value, shape, group in zip(x, points["value"], shapes, points["group"]):
        look = {"edgecolors": style.OUTLINE, "linewidths": 0.8, "zorder": 3}
        ax.scatter(at, value, s=50, marker=shape, c=[style.color(group)], **look)
    ax.margins(x=0.25)
    ax.set_xlabel(xlabel, fontsize=9.5)


@panels.figure
def six(
    points: pd.DataFrame, ylabel: str, *, chance=None, ceiling=None, xlabel: str = "classification accuracy",
    title: str = "", ceiling_label: str = "noise ceiling",
):  # fmt: skip
    """Six panels: all networks, then objectives, architectures, self-supervision, image/text and size.

    The first panel has the mean of each training group by name, networks faint behind it, and what the best network
    lacks. In the others a network is named where there is room; the highest and the lowest are named first.

    Parameters
    ----------
    points : DataFrame
        One row a network: facts (number, name, group, family, role, objective, augmentation, parameters,
        reference_accuracy) and value, low, high.
    ylabel : str
    chance, ceiling : float, optional
        Where the labelled reference lines go.
    xlabel : str
        What ``reference_accuracy`` is.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, found = panels.mosaic("aa;bc;de;ff", 11.8, 3.0, height_ratios=[1.7, 1, 1, 0.9])
    found["a"].set_ylim(panels.limits(points, chance, ceiling))
    panels.lines(found["a"], chance, ceiling, ceiling_label)
    found["a"].set_xlabel(xlabel, fontsize=9.5)
    found["a"].margins(x=0.08)

    points = points.sort_values("number")
    objectives = panels.role(points, "objective")
    augmented = objectives["augmentation"].isin(list(AUGMENTATION))
    shapes = objectives["augmentation"].map(lambda a: AUGMENTATION.get(str(a), "o")).tolist()
    families = panels.role(points, "architecture")
    own, text = points[points["group"] == "Self-Supervised"], points[points["group"] == "Image/Text"]
    sizes = panels.role(points, "size")
    details = {
        "b": (objectives, objectives["objective"].where(~augmented, objectives["augmentation"])),
        "c": (families, families["family"]),
        "d": (own, own["objective"]),
        "e": (text, text["name"].str.removeprefix("Image/text ")),
    }
    shown = pd.concat([part for part, _ in details.values()] + [sizes])
    ylim = panels.limits(shown if len(shown) else points, chance)
    for letter, (part, _) in details.items():
        _detail(found[letter], part, ylim, chance, xlabel, shapes if letter == "b" else None)
    sizes_in_families(found["f"], sizes, ylim, chance)
    titles = ("All networks", "Objectives", "Architectures", "Self-supervised", "Image/text", "Size, within families")
    for (letter, ax), words in zip(found.items(), titles):
        ax.set_title(f"{letter}  {words}")
        if letter not in "ce" or style.narrow():
            ax.set_ylabel(ylabel)
    if title:
        fig.suptitle(title, fontsize=11)
    fig.canvas.draw()
    _means(found["a"], points, ceiling)
    trained = points[points["group"] != "Untrained"]
    panels.fit(found["a"], trained["reference_accuracy"], trained["value"])
    groups.within(found["a"], trained["reference_accuracy"], trained["value"], trained["group"])
    panels.fit(found["e"], text["reference_accuracy"], text["value"])
    for letter, (part, names) in details.items():
        panels.label_points(found[letter], part["reference_accuracy"], part["value"], names, most=ROOM)
    name_families(found["f"], sizes)
    return fig


def sizes_in_families(ax, points, ylim, chance) -> None:
    """Value against the number of parameters, one line a family, in the colour of its training group."""
    ax.set_ylim(ylim)
    panels.log_ticks(ax, panels.thousands)
    panels.lines(ax, chance, None)
    for family, part in points.groupby("family", sort=False):
        part = part.sort_values("parameters")
        group = part["group"].iloc[0]
        ax.vlines(part["parameters"], part["low"], part["high"], color=style.GREY, lw=0.9, alpha=0.5, zorder=2)
        style.single_runs(ax, part, part["parameters"])
        look = {"color": style.line_color(group), "marker": style.marker(group), "ms": 7, "mec": style.OUTLINE}
        ax.plot(part["parameters"], part["value"], lw=1.5, label=family, zorder=3, mew=0.8, **look)
    if len(points):
        ax.margins(x=0.12)
    ax.set_xlabel("parameters", fontsize=9.5)


def name_families(ax, points) -> None:
    """The name of each family beside its largest network."""
    ends = points.sort_values("parameters").groupby("family", sort=False).tail(1)
    if len(ends):
        x, y = points["parameters"].to_numpy(float), points["value"].to_numpy(float)
        names = np.where(points.index.isin(ends.index), points["family"], "")
        panels.label_points(ax, x, y, names, first=np.flatnonzero(names != ""))
