"""Figures of transfer and shift, of students and of all networks: pure functions of tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from ..plots import panels, style

# ---- students before and after alignment -----------------------------------------------------------------------------


@panels.figure
def bars(table: pd.DataFrame, names: dict, titles: dict, ylabel: str, chance: dict | None = None):
    """Base, UnAligNet and AligNet side by side for every student, a panel for each detail, with intervals.

    Parameters
    ----------
    table : DataFrame
        Result rows of one data set and measure (means over seeds; ``each`` where there are several).
    names : dict
        Display names of the students.
    titles : dict
        ``detail`` to title of the panel.
    chance : dict, optional
        ``detail`` to the value of a dotted line, without words: bars leave no room for them.
    """
    models = [m for m in names if m in set(table["model"])]
    stages = [s for s in ("base", "UnAligNet", "AligNet") if s in set(table["stage"])]
    fig, axes = panels.axes(3.6, 1, len(titles), sharey=True, squeeze=False)
    for ax, (detail, title) in zip(axes[0], titles.items()):
        part = table[table["detail"] == detail].set_index(["model", "stage"])
        for k, stage in enumerate(stages):
            x = np.arange(len(models)) + 0.27 * (k - (len(stages) - 1) / 2)
            rows = part.reindex([(m, stage) for m in models])
            ax.bar(x, rows["value"], 0.25, color=style.STAGES[stage], label=stage)
            ax.vlines(x, rows["low"], rows["high"], color=style.GREY, lw=1.2)
            style.single_runs(ax, rows, x + 0.06)
        ax.set_xticks(range(len(models)), [names.get(m, m) for m in models], rotation=35, ha="right", fontsize=9)
        if chance:
            ax.axhline(chance[detail], color=style.GREY, ls=":", lw=1.4, zorder=4)
        ax.set_title(title)
    axes[0, 0].set_ylabel(ylabel)
    style.legend(fig, *axes[0, 0].get_legend_handles_labels(), fontsize=9, **panels.BELOW)
    return fig


@panels.figure
def few_shot(table: pd.DataFrame, names: dict):
    """Accuracy by number of examples, a panel for each student."""
    models = [m for m in names if m in set(table["model"])]
    fig, axes = panels.grid(len(models), 2.3, 2, sharex=True, sharey=True)
    for ax, model in zip(axes, models):
        for stage, marker in (("base", "o"), ("UnAligNet", "^"), ("AligNet", "s")):
            part = table[(table["model"] == model) & (table["stage"] == stage)].sort_values("shots")
            if len(part):
                look = {"marker": marker, "color": style.STAGES[stage], "mec": style.OUTLINE}
                ax.plot(part["shots"], part["value"], label=stage, **look)
                ax.fill_between(part["shots"], part["low"], part["high"], color=style.STAGES[stage], alpha=0.2, lw=0)
        style.reference_line(ax, table["chance"].iloc[0], "chance")
        ax.set_title(names[model])
        ax.set_xticks(sorted(table["shots"].unique()))
    for ax in axes[-2:]:
        ax.set_xlabel("examples of each concept")
    for ax in axes[::2]:
        ax.set_ylabel("accuracy")
    style.legend(fig, *axes[0].get_legend_handles_labels(), fontsize=9, **panels.BELOW)
    return fig


@panels.figure
def anomalies(table: pd.DataFrame, names: dict):
    """AUROC of anomaly detection per student and stage."""
    titles = {"all": "one superordinate against the rest"}
    fig = bars(table.assign(detail="all"), names, titles, "AUROC", {"all": 0.5})
    fig.axes[0].set_ylim(0.45, 1.0)
    return fig


# ---- all networks ----------------------------------------------------------------------------------------------------


@panels.figure
def shots(table: pd.DataFrame):
    """Few-shot accuracy by number of examples: a panel a set, a thin line a network, a bold one a group's median.

    Parameters
    ----------
    table : DataFrame
        panel, model, group, shots, value, chance.
    """
    parts = list(table.groupby("panel", sort=False))
    fig, axes = panels.grid(len(parts), 2.9)
    for ax, (title, part) in zip(axes, parts):
        for _, one in part.groupby("model", sort=False):
            one = one.sort_values("shots")
            ax.plot(one["shots"], one["value"], zorder=2, **style.thin(one["group"].iloc[0]))
        for group in style.order(part["group"]):
            median = part[part["group"] == group].groupby("shots")["value"].median()
            look = {"color": style.line_color(group), "mfc": style.color(group), "marker": style.marker(group)}
            ax.plot(median.index, median, lw=2, ms=6, mec=style.OUTLINE, zorder=3, **look)
        ax.set_ylim(panels.limits(part, chance=part["chance"].iloc[0]))
        panels.lines(ax, part["chance"].iloc[0], None)
        ax.set_xscale("log")
        ticks = sorted(part["shots"].unique())
        ax.set_xticks(ticks, [str(t) for t in ticks])
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("examples of each class")
        ax.set_ylabel("accuracy")
    style.group_legend(fig, table["group"], loc="outside lower center", ncols=3, fontsize=9)
    return fig


@panels.figure
def against_people(table: pd.DataFrame):
    """Transfer against agreement with people, a panel a task, with the least-squares line over trained networks.

    Parameters
    ----------
    table : DataFrame
        panel, on, group, value, low, high, odd_one_out.
    """
    parts = list(table.groupby("panel", sort=False))
    fig, axes = panels.grid(len(parts), 2.7)
    for ax, (title, part) in zip(axes, parts):
        style.points(ax, part["odd_one_out"], part["value"], part["group"], low=part["low"], high=part["high"], size=26)
        trained = part[part["group"] != "Untrained"]
        panels.fit(ax, trained["odd_one_out"], trained["value"])
        ax.set_title(title, fontsize=10)
        ax.set_ylabel(part["on"].iloc[0], fontsize=9)
        ax.set_xlabel("odd-one-out accuracy", fontsize=9)
    style.group_legend(fig, table["group"], loc="outside lower center", ncols=3, fontsize=9)
    return fig
