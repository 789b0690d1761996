"""Figures of the chapter on the teacher: pure functions of the tables of :mod:`humalign.chapters.teacher`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..plots import panels, style
from .real_teacher import NETWORKS

KINDS = {"uncertainty": "#2f6fae", "plain": "#d9a441", "glocal": "#228833"}


@panels.figure
def strength_curves(table: pd.DataFrame):
    """Held-out accuracy, cross-entropy and calibration error against the strength of the pull, one line a kind of map.

    Parameters
    ----------
    table : DataFrame
        From :func:`humalign.chapters.teacher.strengths`; the kind "untransformed" is drawn as lines.
    """
    plain = table["kind"] == "untransformed"
    lines, table = table[plain].set_index("measure")["value"], table[~plain]
    measures = ["accuracy", "cross-entropy", "calibration error"]
    fig, axes = panels.axes(8.2, 3, 1, width=style.WIDTH * 0.82, sharex=True)
    for ax, measure in zip(axes, measures):
        for kind, part in table[table["measure"] == measure].groupby("kind", sort=False):
            ax.plot(part["strength"], part["value"], "o-", color=KINDS[kind], ms=5, label=kind)
            ax.fill_between(part["strength"], part["low"], part["high"], color=KINDS[kind], alpha=0.15, lw=0)
        value = lines.get(measure)
        if value is not None and np.isfinite(value):
            style.reference_line(ax, value, "untransformed", at=0.02)
        ax.set(xscale="log", ylabel=measure + (" (nats)" if measure == "cross-entropy" else ""))
    axes[0].legend(fontsize=9)
    axes[-1].set_xlabel("strength of the pull to a scaled identity")
    return fig


@panels.figure
def dots(table: pd.DataFrame, measures=("accuracy", "cross-entropy")):
    """Measures of teachers on people's responses: one row a map, panels by test, a column a measure.

    Parameters
    ----------
    table : DataFrame
        model, detail, stage, measure, value, low, high. Rows of the stage "people" are drawn as lines.
    measures : sequence of two str
    """
    labels = {"cross-entropy": "cross-entropy (nats)", "entropy-disagreement": "ρ, entropy and disagreement"}
    chance = {
        "accuracy": (1 / 3, "chance"),
        "cross-entropy": (np.log(3), "guessing"),
        "entropy-disagreement": (0, "none"),
    }
    part = table[table["measure"].isin(list(measures))]
    rows_of = part[part["stage"] != "people"]
    tests = list(dict.fromkeys(zip(rows_of["model"], rows_of["detail"])))
    sizes = [rows_of[(rows_of["model"] == m) & (rows_of["detail"] == d)]["stage"].nunique() for m, d in tests]
    look = {"height_ratios": [k + 1 for k in sizes], "sharex": "col", "squeeze": False}
    fig, axes = panels.axes(0.31 * sum(sizes) + 1.0 * len(tests), len(tests), 2, stack=False, **look)
    if style.narrow():
        fig.set_size_inches(style.NARROW, 0.31 * sum(sizes) + 1.0 * len(tests))
    for row, (model, detail) in zip(axes, tests):
        own = part[(part["model"] == model) & (part["detail"] == detail)]
        stages = list(dict.fromkeys(own.loc[own["stage"] != "people", "stage"]))[::-1]
        for ax, measure in zip(row, measures):
            found = own[own["measure"] == measure].set_index("stage")
            rows, y = found.reindex(stages), np.arange(len(stages))
            ax.hlines(y, rows["low"], rows["high"], color=style.GREY, lw=1.2, zorder=2)
            colours = [style.GREY if s.endswith("itself") else "darkcyan" for s in stages]
            ax.scatter(rows["value"], y, s=42, c=colours, edgecolors=style.OUTLINE, zorder=3)
            if measure in chance and len(found):
                style.reference_line(ax, chance[measure][0], chance[measure][1], axis="x", at=0.02)
            if "people" in found.index:
                style.reference_line(ax, found.loc["people", "value"], "people", axis="x", style="--", at=0.99)
            ax.set_yticks(y, stages if measure == measures[0] else [""] * len(y))
            ax.set_ylim(-0.6, len(stages) - 0.4)
            if not len(found):
                ax.set_visible(False)
        row[0].set_title(f"{NETWORKS.get(model, model)}: {detail}", loc="left", fontsize=10)
    for column, measure in enumerate(measures):
        shown = [ax for ax in axes[:, column] if ax.get_visible()]
        for ax in shown:
            ax.tick_params(labelbottom=ax is shown[-1])
            if measure == "calibration error":
                ax.set_xlim(left=0)
        shown[-1].set_xlabel(labels.get(measure, measure))
    return fig
