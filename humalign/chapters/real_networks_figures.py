"""Figures of the page on real networks: pure functions of its tables; hollow marks are published numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..plots import factors, panels, style
from . import networks, zero_shot

HOLLOW = {"facecolors": "none", "linewidths": 1.1, "zorder": 2.5}
FILLS = {"penultimate": 1.0, "logits": 0.45}
CHANCE = zero_shot.CHANCE


@panels.figure
def ladder(points: pd.DataFrame, references: pd.DataFrame, ceilings: pd.DataFrame, published: pd.DataFrame):
    """Every network in order, as in the drawn world, with what others published of the nearest network as hollow marks.

    Parameters
    ----------
    points : DataFrame
        One row a network.
    references, ceilings : DataFrame
        Result tables.
    published : DataFrame
        Columns here (key of a row of ``points``) and value.
    """
    fig = zero_shot.ladder(points, references, ceilings)
    ax, order = fig.axes[0], list(points.sort_values("value")["model"])
    shown = published[published["here"].isin(order)]
    y = [order.index(model) for model in shown["here"]]
    ax.scatter(shown["value"], y, s=42, marker="D", edgecolors=style.GREY, label="published, nearest network", **HOLLOW)
    for legend in list(fig.legends):
        legend.remove()
    fig.set_size_inches(fig.get_figwidth(), 2.8 + 0.25 * len(order))
    handles = [*style.group_legend(ax, points["group"]).legend_handles, ax.collections[-1]]
    ax.get_legend().remove()
    words = [*style.order(points["group"]), "published, nearest network"]
    style.legend(fig, handles, words, fontsize=9.5, loc="outside lower center", ncols=2)
    return fig


@panels.figure
def overview(points: pd.DataFrame, layers: pd.DataFrame, arranged: pd.DataFrame, published: pd.DataFrame):
    """Four panels: ImageNet top-1, layer, size within families, and the other task.

    Parameters
    ----------
    points, arranged : DataFrame
        One row a network: accuracy on triplets (a), and correlation with people's arrangements.
    layers : dict of str to DataFrame
        Points at the penultimate layer and at the logits.
    published : DataFrame
        Columns reference_accuracy, value and layer: drawn hollow in a.
    """
    fig, axes = panels.axes(7.4, 2, 2)
    low, high = panels.limits(points, CHANCE)
    ax = axes[0, 0]
    known, told = points[points["reference_accuracy"].notna()], published[published["reference_accuracy"].notna()]
    for layer, marker in (("penultimate", "s"), ("logits", "v")):
        part = told[told["layer"] == layer]
        ax.scatter(part["reference_accuracy"], part["value"], s=34, marker=marker, edgecolors=style.GREY,
                   label=f"published, {layer}", **HOLLOW)  # fmt: skip
    style.points(ax, known["reference_accuracy"], known["value"], known["group"], low=known["low"], high=known["high"])
    panels.lines(ax, CHANCE, None)
    ax.set(title="a  ImageNet accuracy", xlabel="ImageNet top-1", ylabel=zero_shot.YLABEL, ylim=(low, high))
    hollow = [one for one in ax.collections if str(one.get_label()).startswith("published")]
    ax.legend(handles=hollow, fontsize=8.5, loc="upper left")

    ax, pairs = axes[0, 1], networks.pairs(layers["penultimate"], layers["logits"])
    pairs[["x_low", "x_high", "y_low", "y_high"]] = (
        np.nan
    )  # both layers share their concepts: what counts is in a table
    panels.identity(ax, pairs, "penultimate", "logits", title="b  Layer", chance=CHANCE)

    ax, part = axes[1, 0], panels.role(layers["penultimate"], "size").sort_values("number")
    factors.sizes_in_families(ax, part, (low, high), CHANCE)
    ax.set(title="c  Size, within families", ylabel=zero_shot.YLABEL)

    ax, tasks = axes[1, 1], networks.pairs(points, arranged)
    ax.hlines(tasks["y"], tasks["x_low"], tasks["x_high"], color=style.GREY, lw=0.8, alpha=0.4, zorder=2)
    style.points(ax, tasks["x"], tasks["y"], tasks["group"], low=tasks["y_low"], high=tasks["y_high"], size=42)
    style.reference_line(ax, CHANCE, "chance", axis="x")
    ax.set(title="d  The other task", xlabel=zero_shot.YLABEL, ylabel="Spearman's ρ, 92 images")
    style.group_legend(fig, pd.concat([known["group"], pairs["group"], tasks["group"]]), loc="outside lower center",
                       ncols=3)  # fmt: skip
    fig.canvas.draw()
    for ax, frame, x, y in ((axes[0, 0], known, "reference_accuracy", "value"), (axes[0, 1], pairs, "x", "y"),
                            (axes[1, 1], tasks, "x", "y")):  # fmt: skip
        panels.label_points(ax, frame[x], frame[y], frame["name"], most=factors.ROOM)
    factors.name_families(axes[1, 0], part)
    return fig


@panels.figure
def columns(parts: dict[str, pd.DataFrame], limits: dict[str, tuple], xlabel="Spearman's ρ", chance=0.0):
    """Networks in rows, one column a comparison, the layers of each network, and the ceiling of each comparison.

    Parameters
    ----------
    parts : dict of str to DataFrame
        Title to points of one layer or both: model, name, number, group, layer, value, low, high.
    limits : dict of str to tuple
        Title to (lower, upper) end of the ceiling; equal ends are one line. Titles without are drawn without.
    xlabel : str or dict of str to str
        Of all columns; or by title, and each column has an axis of its own.
    chance : float or dict of str to float
        Where the dotted line stands.
    """
    from matplotlib import pyplot as plt

    rows = pd.concat(parts.values()).groupby(["model", "name", "number"], sort=False)["value"].max()
    rows = rows.sort_values().reset_index()
    fig, axes = panels.axes(1.8 + 0.3 * len(rows), 1, len(parts), sharey=True, sharex=isinstance(xlabel, str))
    place = {model: k for k, model in enumerate(rows["model"])}
    for ax, (title, part) in zip(np.atleast_1d(axes), parts.items()):
        if title in limits:
            low, high = limits[title]
            if low < high:
                ax.axvspan(low, high, color=style.GREY, alpha=0.25, lw=0)
            else:
                ax.axvline(high, color=style.GREY, ls="-.", lw=1.4)
            words = f"people {high:.2f}" if low == high else f"people {low:.2f} to {high:.2f}"
            ax.annotate(words, (low, 1.0), xycoords=ax.get_xaxis_transform(), xytext=(0, 2), fontsize=9,
                        textcoords="offset points", ha="center", va="bottom", color=style.GREY)  # fmt: skip
        for layer, shift in (("logits", 0.16), ("penultimate", -0.16)):
            own = part[part["layer"] == layer]
            paired = own["model"].isin(part[part["layer"] != layer]["model"])
            y = own["model"].map(place) + shift * paired
            ax.hlines(y, own["low"], own["high"], color=style.GREY, lw=1, alpha=0.6, zorder=2)
            for group in style.order(own["group"]):
                at = own["group"] == group
                ax.scatter(own["value"][at], y[at], s=38, c=style.color(group), marker=style.marker(group),
                           edgecolors=style.OUTLINE, linewidths=0.8, alpha=FILLS[layer], zorder=3)  # fmt: skip
        ax.axvline(chance[title] if isinstance(chance, dict) else chance, color=style.GREY, lw=0.8, ls=":")
        ax.set_xlabel(xlabel if isinstance(xlabel, str) else xlabel[title])
        ax.set_title(title, fontsize=10.5, pad=18 if limits else 6)
        ax.set_ylim(-0.7, len(rows) - 0.3)
        ax.grid(axis="y", lw=0.5)
        ax.tick_params(axis="y", length=0)
    np.atleast_1d(axes)[0].set_yticks(range(len(rows)), rows["name"], fontsize=9)
    everything = pd.concat(parts.values())
    handles = list(style.group_legend(fig, everything["group"]).legend_handles)
    fig.legends[0].remove()
    layers = [layer for layer in FILLS if layer in set(everything["layer"])]
    layers = layers if len(layers) > 1 else []
    handles += [plt.Line2D([], [], ls="", marker="s", color=style.GREY, alpha=FILLS[layer], ms=7) for layer in layers]
    words = [*style.order(everything["group"]), *layers]
    style.legend(fig, handles, words, fontsize=9.5, loc="outside lower center", ncols=3)
    return fig
