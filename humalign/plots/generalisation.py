"""Figures of transfer and shift before and after alignment: pure functions of tables."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from . import style
from .hierarchy import bars

__all__ = ["anomalies", "bars", "few_shot"]


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
