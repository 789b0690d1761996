"""Figures of the page on AligNet and real people: pure functions of the tables of its chapter."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..plots import panels, style
from .real_alignet import MEASURES, STAGES, STUDENTS, rate_text

SHAPES = {"base": "o", "permuted": "X", "UnAligNet": "^", "AligNet": "D"}
COLOURS = {**style.STAGES, "permuted": "#9e9e9e"}
WORDS = {
    "base": "before",
    "permuted": "teacher with permuted concepts",
    "UnAligNet": "UnAligNet: CLIP, not fitted to people",
    "AligNet": "AligNet: CLIP, fitted to people",
}
MARKS = dict(zip(STUDENTS, "os^"))


def _ceiling(ax, low: float, high: float) -> None:
    """People's limit, as a band or a line, with its words above the axes."""
    if low < high:
        ax.axvspan(low, high, color=style.GREY, alpha=0.25, lw=0)
    else:
        ax.axvline(high, color=style.GREY, ls="-.", lw=1.4)
    words = f"limit {high:.2f}" if low == high else f"limit {low:.2f} to {high:.2f}"
    place = {"xytext": (0, 2), "textcoords": "offset points", "ha": "right" if low < high else "center", "va": "bottom"}
    ax.annotate(words, (high, 1.0), xycoords=ax.get_xaxis_transform(), fontsize=9, color=style.GREY, **place)


@panels.figure
def agreement(parts: dict[str, pd.DataFrame], limits: dict[str, tuple]):
    """Agreement with people before and after, one row a student, one column a comparison, each with its own limit.

    Parameters
    ----------
    parts : dict of str to DataFrame
        Title to model, stage, value, low, high, each (single seeds in words).
    limits : dict of str to (low, high)
    """
    models = [model for model in STUDENTS if model in set(next(iter(parts.values()))["model"])]
    ratios = [1.5, *[1] * (len(parts) - 1)]
    fig, axes = panels.axes(1.35 * len(models) + 1.5, 1, len(parts), sharey=True, width_ratios=ratios)
    axes = np.atleast_1d(axes)
    for ax, (title, part) in zip(axes, parts.items()):
        _ceiling(ax, *limits[title])
        for row, model in enumerate(models):
            own = part[part["model"] == model].set_index("stage")
            place = {stage: -row + 0.27 - 0.18 * k for k, stage in enumerate(STAGES)}
            start = own["value"].get("base", np.nan)
            ax.plot([start] * 2, [place["base"], place["AligNet"]], color=COLOURS["base"], lw=1, ls=":", zorder=1)
            for stage in own.index.intersection(STAGES):
                y, value = place[stage], own["value"][stage]
                if stage != "base":  # the way from before
                    ax.plot([start, value], [y, y], color=COLOURS[stage], lw=5, alpha=0.35, zorder=2,
                            solid_capstyle="butt")  # fmt: skip
                ax.hlines(y, own["low"][stage], own["high"][stage], color=style.GREY, lw=1.2, zorder=3)
                style.single_runs(ax, own.loc[[stage]], [y + 0.075], along="x")
                look = {"marker": SHAPES[stage], "edgecolors": style.OUTLINE, "linewidths": 0.8}
                ax.scatter(value, y, s=58, color=COLOURS[stage], zorder=4, **look)
                end, side = ("low", "right") if value < start else ("high", "left")
                words = {"xytext": (4 if side == "left" else -4, 0), "textcoords": "offset points", "ha": side}
                ax.annotate(f"{value:.2f}", (own[end][stage], y), fontsize=8.5, va="center", color=style.GREY, **words)
        ax.axvline(0, color=style.GREY, lw=0.8, ls=":")
        top = limits[title][1]
        ax.set_xlim(min(-0.03, part["low"].min() - 0.2 * top), 1.13 * top)
        ax.set_title(title, fontsize=10.5, pad=18)
        ax.set_xlabel("Spearman's ρ, 92 images")
        ax.set_ylim(-len(models) + 0.5, 0.5)
        ax.tick_params(axis="y", length=0)
        for row in range(1, len(models)):
            ax.axhline(0.5 - row, color=style.GREY, lw=0.5, alpha=0.5)
    names = [STUDENTS[model].replace("-Lite", "\nLite") for model in models]
    axes[0].set_yticks([-k for k in range(len(models))], names)
    handles = [plt.Line2D([], [], ls="", marker=SHAPES[s], color=COLOURS[s], mec=style.OUTLINE, ms=7) for s in STAGES]
    style.legend(fig, handles, [WORDS[s] for s in STAGES], fontsize=9.5, ncols=2, loc="outside lower center")
    return fig


@panels.figure
def trade_off(table: pd.DataFrame):
    """Agreement with people against what the old classifier still says, one line a kind of labels.

    Parameters
    ----------
    table : DataFrame
        label, change, lr, kept, top, near, near_low, near_high: :func:`humalign.chapters.real_alignet.curve`.
    """
    columns = {"kept": "ImageNet answers as before", "top": "ImageNet top-1"}
    fig, axes = panels.axes(4.3, 1, 2, sharey=True)
    base = table[table["label"] == "base"].iloc[0]
    for ax, (column, title) in zip(axes, columns.items()):
        for label in ("UnAligNet", "AligNet"):
            own, colour = table[table["label"] == label].sort_values("lr"), COLOURS[label]
            longer, pulled = (own["change"].str.contains(word) for word in ("steps", "pull|decay"))
            line = own[~longer & ~pulled]
            way = [base[column], *line[column]], [base["near"], *line["near"]]
            ax.plot(*way, color=colour, lw=1.6, zorder=2)
            looks = ((line, SHAPES[label], colour), (own[longer], "s", colour), (own[pulled], SHAPES[label], "none"))
            for part, marker, fill in looks:
                ends = part["near_low"], part["near_high"]
                ax.vlines(part[column], *ends, color=style.GREY, lw=0.9, alpha=0.6, zorder=1)
                edge, width = (colour, 1.6) if fill == "none" else (style.OUTLINE, 0.8)
                ax.scatter(part[column], part["near"], s=62, marker=marker, facecolors=fill, edgecolors=edge,
                           linewidths=width, zorder=3)  # fmt: skip
            if column == "kept" and label == "AligNet":
                place = {"xytext": (6, 6), "textcoords": "offset points", "va": "bottom"}
                for row in line.itertuples():
                    ax.annotate(rate_text(row.lr), (row.kept, row.near), fontsize=9, color=style.GREY, **place)
        look = {"s": 62, "marker": "o", "color": COLOURS["base"], "edgecolors": style.OUTLINE}
        ax.scatter(base[column], base["near"], zorder=3, **look)
        ax.set(xlabel=title)
    axes[0].set_ylabel("ρ with the mean of 16 people")
    look = {"mec": style.OUTLINE, "ms": 7}
    handles = [plt.Line2D([], [], ls="" if s == "base" else "-", marker=SHAPES[s], color=COLOURS[s], **look)
               for s in ("base", "UnAligNet", "AligNet")]  # fmt: skip
    handles += [plt.Line2D([], [], ls="", marker="s", color=style.GREY, ms=7),
                plt.Line2D([], [], ls="", marker="D", mfc="none", mec=style.GREY, mew=1.6, ms=7)]  # fmt: skip
    words = ["before", "UnAligNet", "AligNet", "200 steps", "pulled to the start"]
    style.legend(fig, handles, words, fontsize=9.5, ncols=5, loc="outside lower center", columnspacing=1.2)
    return fig


@panels.figure
def differences(table: pd.DataFrame):
    """Differences with intervals: one column a contrast, one row a measure, small marks single students.

    What is kept of ImageNet stands below, on a scale of its own.

    Parameters
    ----------
    table : DataFrame
        :func:`humalign.chapters.real_alignet.contrasts`.
    """
    pairs = list(dict.fromkeys(zip(table["plus"], table["minus"])))
    parts = [[name for name in MEASURES.values() if name.startswith("ImageNet") == kept] for kept in (False, True)]
    ratios = [len(part) for part in parts]
    fig, axes = panels.axes(0.4 * len(MEASURES) + 2.3, 2, len(pairs), sharey="row", height_ratios=ratios, squeeze=False)
    for column, (plus, minus) in enumerate(pairs):
        own = table[(table["plus"] == plus) & (table["minus"] == minus)]
        for ax, names in zip(axes[:, column], parts):
            for y, name in enumerate(reversed(names)):
                for row in own[own["name"] == name].itertuples():
                    if row.model == "all":
                        ax.hlines(y, row.low, row.high, color=COLOURS["AligNet"], lw=3, zorder=2)
                        ax.scatter(row.value, y, s=70, color=COLOURS["AligNet"], edgecolors="white", zorder=4)
                    else:
                        ax.scatter(row.value, y + 0.29, s=22, marker=MARKS[row.model], color=style.GREY, zorder=3)
            ax.axvline(0, color=style.GREY, lw=1.2)
            ax.set_ylim(-0.6, len(names) - 0.4)
            ax.grid(axis="y", lw=0.5)
            ax.tick_params(axis="y", length=0)
            ax.set_yticks(range(len(names)), list(reversed(names)), fontsize=9)
            ax.locator_params(axis="x", nbins=4)
        axes[0, column].set_title(f"{plus} minus {minus}", fontsize=10.5)
        axes[1, column].set_xlabel("difference")
    handles = [plt.Line2D([], [], ls="", marker=MARKS[m], color=style.GREY, ms=5) for m in MARKS]
    handles.append(plt.Line2D([], [], lw=3, marker="o", color=COLOURS["AligNet"], mec="white", ms=8))
    style.legend(fig, handles, [*STUDENTS.values(), "mean, 95 %"], fontsize=9.5, ncols=4, loc="outside lower center")
    return fig
