"""Figures of people's judgments at three levels: pure functions of the tables of :mod:`humalign.chapters.levels`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn

from ..levels import LEVELS
from ..plots import panels, style
from ..rsa import compare_vectors
from . import levels


@panels.figure
def people(table: pd.DataFrame, answers: pd.DataFrame):
    """Three panels: response entropy per level, log response time against entropy, log response time per level.

    Parameters
    ----------
    table : DataFrame
        One row a triplet, from :func:`humalign.levels.triplets`.
    answers : DataFrame
        One row a response.
    """
    fig, axes = panels.axes(9.2, 3, 1, width=style.WIDTH * 0.86)
    grid = np.unique(np.round(table["entropy"], 3))
    for k, level in enumerate(LEVELS):
        part = table[table["level"] == level]
        share = [(np.abs(part["entropy"] - g) < 1e-3).mean() for g in grid]
        axes[0].bar(np.arange(len(grid)) + 0.27 * (k - 1), share, 0.25, color=style.LEVELS[level], label=level)
    axes[0].set_xticks(range(len(grid)), [f"{abs(g):.2f}" for g in grid])
    axes[0].set(xlabel="response entropy of four answers (nats)", ylabel="share of triplets")
    axes[0].legend(title="level", fontsize=9)

    jitter = np.random.default_rng(0)
    for level, marker in zip(LEVELS, "os^"):
        part = table[table["level"] == level]
        x, y = part["log_seconds"].to_numpy(), part["entropy"].to_numpy()
        rho = compare_vectors(x, y)
        axes[1].scatter(
            x, y + jitter.normal(0, 0.015, len(y)), s=7, marker=marker, color=style.LEVELS[level], alpha=0.35, lw=0
        )
        slope, intercept = np.polyfit(x, y, 1)
        ends = np.percentile(x, [1, 99])
        axes[1].plot(ends, slope * ends + intercept, color=style.LEVELS[level], lw=2.2, label=f"{level}, ρ = {rho:.2f}")
    axes[1].set(xlabel="mean log response time (log s)", ylabel="response entropy (nats)")
    style.legend(
        axes[1], *axes[1].get_legend_handles_labels(), fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0)
    )

    look = {"order": LEVELS[::-1], "hue_order": LEVELS[::-1], "palette": dict(style.LEVELS), "legend": False}
    own = answers.assign(log_seconds=np.log(answers["seconds"]))
    seaborn.violinplot(own, x="log_seconds", y="level", hue="level", inner=None, linewidth=0, alpha=0.55, ax=axes[2],
                       **look)  # fmt: skip
    for y, level in enumerate(look["order"]):
        low, middle, high = np.percentile(own[own["level"] == level]["log_seconds"], [25, 50, 75])
        axes[2].plot([low, high], [y, y], color=style.GREY, lw=4, solid_capstyle="butt")
        axes[2].plot(middle, y, "o", color="white", mec=style.GREY, ms=6)
    axes[2].set(xlabel="log response time of single answers (log s)", ylabel="")
    return fig


@panels.figure
def ceilings(summary: pd.DataFrame):
    """Leave-one-out ceilings of drawn and of real people per level, with chance.

    Parameters
    ----------
    summary : DataFrame
        From :func:`humalign.chapters.levels.people_summary`.
    """
    rows = summary[summary["quantity"] == "leave-one-out ceiling"].set_index("level").loc[list(LEVELS)]
    own, theirs = levels.whose(summary)
    fig, ax = panels.axes(3.2, width=style.WIDTH * 0.86)
    for x, (level, row) in enumerate(rows.iterrows()):
        ax.plot([x - 0.12, x - 0.12], [row["low"], row["high"]], color=style.GREY, lw=1.5)
        ax.plot(x - 0.12, row[own], "o", ms=9, color=style.LEVELS[level], mec=style.OUTLINE,
                label=own if x == 0 else None)  # fmt: skip
        ax.plot(x + 0.12, row[theirs], "D", ms=8, color="none", mec=style.LEVELS[level], mew=2,
                label=f"{theirs} (second-hand)" if x == 0 else None)  # fmt: skip
    style.reference_line(ax, 1 / 3, "chance")
    ax.set_xticks(range(len(rows)), rows.index)
    ax.set(ylabel="leave-one-out agreement", ylim=(0.3, 1), xlim=(-0.6, len(rows) - 0.4))
    ax.legend(fontsize=9, loc="upper left")
    return fig


@panels.figure
def validation(people: pd.DataFrame, published: tuple[float, float]):
    """Mean rating of the pairs closer under UnAligNet and under AligNet, student by student, a line a person.

    Parameters
    ----------
    people : DataFrame
        student, UnAligNet, AligNet: mean ratings of each person.
    published : two floats
        The same means of real people, in this order.
    """
    colours = {"UnAligNet": "#2e8b57", "AligNet": "#7b4ea3"}
    students = list(dict.fromkeys(people["student"]))
    fig, ax = panels.axes(3.8)
    for x, student in enumerate(students):
        own = people[people["student"] == student]
        ends = own[list(colours)].to_numpy().T
        ax.plot([[x - 0.12], [x + 0.12]] * np.ones((1, len(own))), ends, color=style.GREY, lw=0.6, alpha=0.35)
        for name, side in zip(colours, (-1, 1)):
            ax.bar(x + 0.2 * side, own[name].mean() - 1, 0.36, bottom=1, color=colours[name], alpha=0.5,
                   label=f"closer under {name}" if x == 0 else None)  # fmt: skip
            ax.scatter(np.full(len(own), x + 0.12 * side), own[name], s=8, color=colours[name], zorder=3)
    for colour, real, side in zip(colours.values(), published, (-1, 1)):
        ax.bar(len(students) + 0.2 * side, real - 1, 0.36, bottom=1, color="none", edgecolor=colour, lw=1.6, ls="--")
    ax.set_xticks(range(len(students) + 1), [*students, "real people\n(published)"])
    ax.set(ylabel="mean rating, 1 to 5", ylim=(1, 5))
    ax.legend(fontsize=9.5, loc="upper left")
    return fig
