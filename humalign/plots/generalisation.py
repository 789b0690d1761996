"""Figures of transfer and shift before and after alignment: pure functions of tables."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from . import style


def few_shot(table: pd.DataFrame, names: dict):
    """Accuracy by number of examples, a panel for each student."""
    models = [m for m in names if m in set(table["model"])]
    fig, axes = plt.subplots(2, 2, figsize=(style.WIDTH, 5.2), sharex=True, sharey=True)
    for ax, model in zip(axes.flat, models):
        for stage, marker in (("base", "o"), ("UnAligNet", "^"), ("AligNet", "s")):
            part = table[(table["model"] == model) & (table["stage"] == stage)].sort_values("shots")
            if len(part):
                ax.plot(
                    part["shots"],
                    part["value"],
                    marker=marker,
                    color=style.STAGES[stage],
                    mec=style.OUTLINE,
                    label=stage,
                )
                ax.fill_between(part["shots"], part["low"], part["high"], color=style.STAGES[stage], alpha=0.2, lw=0)
        style.reference_line(ax, table["chance"].iloc[0], "chance")
        ax.set_title(names[model])
        ax.set_xticks(sorted(table["shots"].unique()))
    for ax in axes.flat[len(models) :]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("examples of each concept")
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return fig


def anomalies(table: pd.DataFrame, names: dict):
    """AUROC of anomaly detection per student and stage."""
    panel = {"all": "one superordinate against the rest"}
    fig = bars(table.assign(detail="all"), names, panel, "AUROC", {"all": 0.5})
    fig.axes[0].set_ylim(0.45, 1.0)
    return fig


def bars(table: pd.DataFrame, names: dict, panels: dict, ylabel: str, chance: dict | None = None):
    """Base, UnAligNet and AligNet side by side for every student, a panel for each detail, with intervals.

    Parameters
    ----------
    table : DataFrame
        Result rows of one data set and measure (means over seeds; ``each`` where there are several).
    names : dict
        Display names of the students.
    panels : dict
        ``detail`` to title.
    chance : dict, optional
        ``detail`` to the value of a dotted line, without words: bars leave no room for them.
    """
    models = [m for m in names if m in set(table["model"])]
    stages = [s for s in ("base", "UnAligNet", "AligNet") if s in set(table["stage"])]
    fig, axes = plt.subplots(1, len(panels), figsize=(style.WIDTH, 3.6), sharey=True, squeeze=False)
    for ax, (detail, title) in zip(axes[0], panels.items()):
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
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(stages), fontsize=9)
    return fig
