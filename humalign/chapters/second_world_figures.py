"""Figures of the page on the second drawn world: pure functions of the tables of its chapter."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..plots import panels, style
from .second_world import STAGES, WAYS

LOOK = {  # way to gain agreement: colour, marker
    "labels": (style.PALETTE["Supervised (ImageNet-21K)"], "P"),
    "linear transform": (style.GREY, "s"),
    "UnAligNet": (style.STAGES["UnAligNet"], "^"),
    "AligNet": (style.STAGES["AligNet"], "D"),
}
COLOURS = {**style.STAGES, "permuted": "#9e9e9e"}
SHAPES = {"base": "o", "permuted": "X", "UnAligNet": "^", "AligNet": "D"}
WORDS = {"base": "before", "permuted": "teacher with permuted concepts"}


@panels.figure
def overlap(points: pd.DataFrame, real: float):
    """What four ways add to odd-one-out accuracy, against the overlap of a network's labels with the observers.

    Parameters
    ----------
    points : DataFrame
        way, overlap, value, low, high.
    real : float
        The overlap of real labels with real people.
    """
    fig, ax = panels.axes(3.9)
    ax.axhline(0, color=style.GREY, lw=1.2)
    ways = [way for way in WAYS if way in set(points["way"])]
    for way in ways:
        part = points[points["way"] == way].sort_values("overlap")
        colour, marker = LOOK[way]
        ax.vlines(part["overlap"], part["low"], part["high"], color=colour, lw=1.3, alpha=0.8)
        ax.plot(part["overlap"], part["value"], color=colour, marker=marker, ms=7, mec=style.OUTLINE, lw=1.6)
        end = part.iloc[-1]
        ax.annotate(way, (end["overlap"], end["value"]), xytext=(9, 0), textcoords="offset points", va="center",
                    fontsize=10, color=style.GREY)  # fmt: skip
    ax.axvline(real, color=style.GREY, ls=":", lw=1.4)
    top = points["high"].max()
    ax.set_ylim(top=top + 0.12 * (top - min(0, points["low"].min())))
    ax.annotate("THINGS and real people", (real, 1), xycoords=ax.get_xaxis_transform(), xytext=(-5, -2),
                textcoords="offset points", ha="right", va="top", fontsize=9.5)  # fmt: skip
    ax.set_xlim(-0.03, points["overlap"].max() * 1.28)
    ax.set_xlabel("overlap of labels and observers (Mantel correlation)")
    ax.set_ylabel("gain in odd-one-out accuracy")
    return fig


@panels.figure
def naming(table: pd.DataFrame):
    """What a linear probe names: trivial descriptions, untrained and self-supervised networks, sorted.

    Parameters
    ----------
    table : DataFrame
        name, group, value.
    """
    fig, ax = panels.axes(0.27 * len(table) + 0.9)
    y = np.arange(len(table))
    colours = [style.GREY if g == "Description" else style.color(g) for g in table["group"]]
    ax.hlines(y, 0, table["value"], color=colours, lw=1.6)
    for group in dict.fromkeys(table["group"]):
        own = (table["group"] == group).to_numpy()
        marker = "|" if group == "Description" else style.marker(group)
        colour = style.GREY if group == "Description" else style.color(group)
        ax.plot(table["value"][own], y[own], ls="", marker=marker, ms=8, color=colour, mec=style.OUTLINE,
                mew=1.6 if group == "Description" else 0.8)  # fmt: skip
    for k, value in enumerate(table["value"]):
        ax.annotate(f"{value:.2f}", (value, k), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(y, table["name"], fontsize=9.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, table["value"].max() * 1.15)
    ax.set_xlabel("test pictures named by a linear probe")
    return fig


@panels.figure
def told(table: pd.DataFrame, bayes: float):
    """Odd-one-out accuracy by what networks were told: the mean of three architectures, and each of them.

    Parameters
    ----------
    table : DataFrame
        told, value, each (values in words).
    bayes : float
        What no model can exceed.
    """
    fig, ax = panels.axes(0.34 * len(table) + 1.0)
    y = np.arange(len(table))[::-1]
    for k, row in zip(y, table.itertuples()):
        each = np.array(row.each.split(), float)
        ax.plot([each.min(), each.max()], [k, k], color=style.GREY, lw=1.2, alpha=0.7)
        ax.plot(each, np.full(len(each), k), ls="", marker="|", ms=9, color=style.GREY)
        ax.plot(row.value, k, marker="o", ms=8, color=style.STAGES["AligNet"], mec=style.OUTLINE)
        ax.annotate(f"{row.value:.3f}", (each.max(), k), xytext=(9, 0), textcoords="offset points", va="center",
                    fontsize=9)  # fmt: skip
    ax.set_yticks(y, table["told"], fontsize=10)
    ax.tick_params(axis="y", length=0)
    style.reference_line(ax, 1 / 3, "chance", axis="x", at=0.02)
    ax.set_xlim(0.325, max(float(v) for row in table["each"] for v in row.split()) + 0.03)
    ax.set_xlabel(f"odd-one-out accuracy (no model can exceed {bayes:.2f})")
    return fig


@panels.figure
def students(table: pd.DataFrame):
    """Students before alignment, after it, and after the controls; one panel a measure.

    Parameters
    ----------
    table : DataFrame
        panel, stage, value, low, high.
    """
    parts = list(table.groupby("panel", sort=False))
    fig, found = panels.grid(len(parts), height=1.75, columns=2)
    for ax, (title, part) in zip(found, parts):
        part = part.set_index("stage").reindex([s for s in STAGES if s in set(part["stage"])])
        y = np.arange(len(part))[::-1]
        if "base" in part.index:
            ax.axvline(part["value"]["base"], color=style.GREY, lw=1, ls=":")
        for k, (stage, row) in zip(y, part.iterrows()):
            ax.hlines(k, row["low"], row["high"], color=COLOURS[stage], lw=2)
            ax.plot(row["value"], k, marker=SHAPES[stage], ms=8, color=COLOURS[stage], mec=style.OUTLINE)
            ax.annotate(f"{row['value']:.2f}", (row["high"], k), xytext=(5, 0), textcoords="offset points", va="center",
                        fontsize=9)  # fmt: skip
        ax.set_yticks([])
        ax.set_ylim(-0.6, len(part) - 0.4)
        low, high = part["low"].min(), part["high"].max()
        ax.set_xlim(low - 0.08 * (high - low), high + 0.22 * (high - low))
        ax.set_title(title, fontsize=10.5)
    stages = [stage for stage in STAGES if stage in set(table["stage"])]
    handles = [plt.Line2D([], [], ls="", marker=SHAPES[s], color=COLOURS[s], mec=style.OUTLINE, ms=8) for s in stages]
    fig.legend(handles, [WORDS.get(s, s) for s in stages], fontsize=9.5, ncols=2, loc="outside lower center")
    return fig
