"""Figures of the chapter on students: pure functions of the tables of :mod:`humalign.chapters.student`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from ..plots import panels, style
from .student import MEASURES, NAMES, named

CHANCE = 1 / 3
SHAPES = {"base": "o", "UnAligNet": "^", "AligNet": "D"}


@panels.figure
def reach(table: pd.DataFrame):
    """How far a weight can travel: learning rate, and the change under a constant gradient, for several decays."""
    fig, axes = panels.axes(5.6, 2, 1, width=style.WIDTH * 0.8, sharex=True)
    first = table[table["decay"] == table["decay"].iloc[0]]
    axes[0].plot(first["step"], first["lr"], color="darkcyan")
    axes[0].set_ylabel("learning rate")
    marks = ("-", "--", "-.", ":")
    for mark, (decay, part) in zip(marks, table.groupby("decay", sort=False)):
        axes[1].plot(part["step"], part["change"], mark, color="darkmagenta", label=f"decay {decay:g}")
    axes[1].set(xlabel="step", ylabel="change of a weight", yscale="log", ylim=(table["change"].max() * 1e-3, None))
    axes[1].legend(fontsize=9)
    return fig


@panels.figure
def contrasts(table: pd.DataFrame):
    """Differences with intervals, one panel a contrast, one row a measure, one marker a network and the mean in front.

    Parameters
    ----------
    table : DataFrame
        :func:`humalign.chapters.student.contrasts`.
    """
    pairs = list(dict.fromkeys(zip(table["plus"], table["minus"])))
    told = pd.Series([named(*key) for key in zip(table["dataset"], table["detail"])], index=table.index)
    measures = [one for one in MEASURES.values() if one in set(told)]
    fig, axes = panels.axes(
        (0.52 * len(measures) + 1.0) * len(pairs), len(pairs), 1, width=style.WIDTH * 0.86, squeeze=False
    )
    present = [m for m in dict.fromkeys(table["model"]) if m != "all"]
    present.sort(key=lambda m: [*NAMES, m].index(m))
    marks = dict(zip(present, "os^DvPX*"))
    for ax, (plus, minus) in zip(axes[:, 0], pairs):
        own = (table["plus"] == plus) & (table["minus"] == minus)
        for y, measure in enumerate(reversed(measures)):
            for row in table[own & (told == measure)].itertuples():
                if row.model == "all":
                    ax.hlines(y, row.low, row.high, color=style.STAGES["AligNet"], lw=3, zorder=2)
                    ax.plot(row.value, y, "o", color=style.STAGES["AligNet"], ms=9, mec="white", zorder=4)
                else:
                    ax.plot(row.value, y + 0.24, marks.get(row.model, "o"), color=style.GREY, ms=5, zorder=3)
        ax.axvline(0, color=style.GREY, lw=1.2)
        ax.set_yticks(range(len(measures)), list(reversed(measures)))
        ax.set_title(f"{plus} minus {minus}", loc="left")
        ax.set_xlabel("difference of accuracy")
    handles = [Line2D([], [], ls="", marker=marks[m], color=style.GREY, label=NAMES.get(m, m)) for m in present]
    handles.append(Line2D([], [], ls="-", lw=3, marker="o", color=style.STAGES["AligNet"], label="mean, 95 %"))
    style.legend(fig, handles, fontsize=9, loc="outside upper center")
    return fig


@panels.figure
def controls(table: pd.DataFrame, columns: dict, lines: dict | None = None):
    """Value of each run of one network in several measures, one row a run, as given.

    Parameters
    ----------
    table : DataFrame
        stage, and for each key k of ``columns``: k, k_low, k_high, and k_each where there are several training runs.
    columns : dict
        Column to its title.
    lines : dict, optional
        Column to {label: value}, besides the dotted line of the base network.
    """
    fig, axes = panels.axes(0.3 * len(table) + 1.5, 1, len(columns), sharey=True, squeeze=False)
    y = np.arange(len(table))[::-1]
    for ax, (column, title) in zip(axes[0], columns.items()):
        ax.hlines(y, table[f"{column}_low"], table[f"{column}_high"], color=style.GREY, lw=1.2, zorder=2)
        for name, marker in SHAPES.items():
            own = (table["stage"].str.partition(",")[0] == name).to_numpy()
            look = {"color": style.STAGES[name], "marker": marker, "edgecolors": style.OUTLINE, "label": name}
            ax.scatter(table.loc[own, column], y[own], s=44, zorder=3, **look)
        if f"{column}_each" in table:
            style.single_runs(ax, table[[f"{column}_each"]].set_axis(["each"], axis=1), y, along="x")
        base = table.loc[table["stage"] == "base", column]
        if len(base):
            ax.axvline(base.iloc[0], color=style.GREY, ls=":", lw=1.2)
        for label, value in (lines or {}).get(column, {}).items():
            style.reference_line(ax, value, label, axis="x", style="--", at=0.99)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("accuracy")
        ax.margins(y=0.02)
    axes[0, 0].set_yticks(y, table["stage"].where(table["stage"] != "base", "before alignment"), fontsize=9)
    return fig


@panels.figure
def trade_off(table: pd.DataFrame, columns: dict):
    """What is gained and lost: every run of one network, coarse accuracy along x, other measures in panels.

    Parameters
    ----------
    table : DataFrame
        As for :func:`controls`, with ``coarse``.
    columns : dict
        Column to the words of its axis.
    """
    fig, axes = panels.axes(3.4, 1, len(columns), squeeze=False)
    main = table["stage"].isin(list(SHAPES)).to_numpy()
    for ax, (column, words) in zip(axes[0], columns.items()):
        for name, marker in SHAPES.items():
            own = (table["stage"].str.partition(",")[0] == name).to_numpy()
            for part, size, alpha in ((own & ~main, 28, 0.55), (own & main, 95, 1.0)):
                look = {"color": style.STAGES[name], "marker": marker, "edgecolors": style.OUTLINE, "alpha": alpha}
                look["label"] = name if size > 50 else None
                ax.scatter(table.loc[part, "coarse"], table.loc[part, column], s=size, zorder=3, **look)
        low, high = table[column].min(), table[column].max()
        room = max(0.02, 0.075 - (high - low) / 2)  # so that noise does not look like a pattern
        ax.set(xlabel="coarse, H2", title=words, ylim=(low - room, high + room))
        ax.title.set_size(10)
    axes[0, 0].set_ylabel("accuracy")
    style.legend(fig, *axes[0, 0].get_legend_handles_labels(), fontsize=9.5, ncols=3, loc="outside upper center")
    return fig


@panels.figure
def mistakes(table: pd.DataFrame):
    """What each mistake costs: accuracy on coarse and boundary triplets, one row a mistake.

    Parameters
    ----------
    table : DataFrame
        name, detail (for instance ``H2/coarse``), value, low, high.
    """
    names = list(dict.fromkeys(table["name"]))
    details = {"H2/coarse": "coarse, held-out concepts", "seen/boundary": "boundary, seen concepts"}
    fig, axes = panels.axes(0.42 * len(names) + 1.3, 1, 2, sharey=True)
    for ax, (detail, title) in zip(axes, details.items()):
        rows = table[table["detail"] == detail].set_index("name").loc[names]
        y = np.arange(len(names))[::-1]
        ax.hlines(y, rows["low"], rows["high"], color=style.GREY, lw=1.2, zorder=2)
        right = [n.startswith("right") or n == "base" for n in names]
        colours = ["#2f6fae" if ok else "coral" for ok in right]
        ax.scatter(rows["value"], y, s=46, c=colours, edgecolors=style.OUTLINE, zorder=3)
        style.reference_line(ax, CHANCE, "chance", axis="x", at=0.02)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("accuracy")
    axes[0].set_yticks(np.arange(len(names))[::-1], names, fontsize=9)
    return fig


@panels.figure
def by_stage(table: pd.DataFrame, ylabel: str, lines: dict | None = None):
    """Values before and after alignment: one panel below the other, one column a network, one marker a stage.

    Parameters
    ----------
    table : DataFrame
        panel, model, stage (base, UnAligNet, AligNet), value, low, high, and ``each`` where there are several runs.
    ylabel : str
    lines : dict, optional
        Panel to {label: value}: chance and people.
    """
    titles = list(dict.fromkeys(table["panel"]))
    models = [m for m in NAMES if m in set(table["model"])] or list(dict.fromkeys(table["model"]))
    fig, axes = panels.axes(
        2.35 * len(titles) + 0.9, len(titles), 1, width=style.WIDTH * 0.86, sharex=True, squeeze=False
    )
    for ax, title in zip(axes[:, 0], titles):
        for k, stage in enumerate(SHAPES):
            own = table[(table["panel"] == title) & (table["stage"] == stage)]
            rows = own.set_index("model").reindex(models)
            x = np.arange(len(models)) + 0.22 * (k - 1)
            ax.vlines(x, rows["low"], rows["high"], color=style.GREY, lw=1.2, zorder=2)
            look = {"color": style.STAGES[stage], "marker": SHAPES[stage], "edgecolors": style.OUTLINE, "label": stage}
            ax.scatter(x, rows["value"], s=52, zorder=3, **look)
            style.single_runs(ax, rows, x + 0.07)
        for label, value in (lines or {}).get(title, {}).items():
            style.reference_line(ax, value, label, style=":" if label in ("chance", "none") else "--", at=0.995)
        ax.set(ylabel=ylabel, xlim=(-0.5, len(models) - 0.2))
        ax.set_title(title, loc="left")
    tilted = {"rotation": 30, "ha": "right"} if len(models) > len(NAMES) else {}
    axes[-1, 0].set_xticks(range(len(models)), [NAMES.get(m, m) for m in models], **tilted)
    style.legend(fig, *axes[0, 0].get_legend_handles_labels(), fontsize=9.5, ncols=3, loc="outside upper center")
    return fig
