"""Figures of the conceptual hierarchy before and after alignment: pure functions of tables."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from . import style

COLOURS = {"same concept": "#0072b2", "same superordinate": "#e69f00", "different superordinate": "#7f7f7f"}
LINES = {"same concept": "-", "same superordinate": "--", "different superordinate": ":"}


def _ordered(models, names: dict) -> list[str]:
    """The networks that occur: those of ``names`` first, in their order."""
    present = list(dict.fromkeys(models))
    return [m for m in names if m in present] + [m for m in present if m not in names]


def densities(table: pd.DataFrame, names: dict):
    """Density of the change of relative distance by relation: a row a student, a column a stage."""
    models = _ordered(table["model"], names)
    stages = [s for s in ("UnAligNet", "AligNet") if s in set(table["stage"])]
    fig, axes = plt.subplots(len(models), len(stages), figsize=(style.WIDTH, 1.7 * len(models) + 0.9), sharex=True,
                             squeeze=False)  # fmt: skip
    for row, model in zip(axes, models):
        for ax, stage in zip(row, stages):
            part = table[(table["model"] == model) & (table["stage"] == stage)]
            for relation, colour in COLOURS.items():
                own = part[part["relation"] == relation]
                ax.plot(own["change"], own["density"], color=colour, ls=LINES[relation], label=relation)
                ax.fill_between(own["change"], own["density"], color=colour, alpha=0.12, lw=0)
            ax.axvline(0, color=style.GREY, lw=1)
            ax.set(yticks=[])
            ax.spines["left"].set_visible(False)
            ax.set_title(f"{names.get(model, model)}: {stage}", fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("change of relative distance")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return fig


def maps(table: pd.DataFrame, shown: int = 8):
    """Principal components at each stage, the largest superordinates in colour."""
    colours = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#999933"]
    largest = table["superordinate"].value_counts().index[:shown]
    stages = list(dict.fromkeys(table["stage"]))
    fig, axes = plt.subplots(1, len(stages), figsize=(style.WIDTH, 3.3), squeeze=False)
    for ax, stage in zip(axes[0], stages):
        part = table[table["stage"] == stage]
        rest = part[~part["superordinate"].isin(largest)]
        ax.scatter(rest["x"], rest["y"], s=5, color=style.GREY, alpha=0.3, lw=0)
        for kind, colour, marker in zip(largest, colours, "os^PXDv*"):
            own = part[part["superordinate"] == kind]
            ax.scatter(
                own["x"], own["y"], s=16, color=colour, marker=marker, lw=0.4, edgecolors=style.OUTLINE, label=kind
            )
        ax.set(title=stage, xlabel="component 1", xticks=[], yticks=[])
    axes[0, 0].set_ylabel("component 2")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9)
    return fig


def similarities(table: pd.DataFrame, names: dict):
    """RSA between students at each stage, as heat maps with the values in the cells."""
    stages = list(dict.fromkeys(table["stage"]))
    models = _ordered(table["first"], names)
    fig, axes = plt.subplots(1, len(stages), figsize=(style.WIDTH, 3.2), sharey=True, squeeze=False)
    for ax, stage in zip(axes[0], stages):
        grid = (
            table[table["stage"] == stage].pivot(index="first", columns="second", values="spearman").loc[models, models]
        )
        ax.imshow(grid, vmin=0, vmax=1, cmap="viridis")
        for i, j in np.ndindex(grid.shape):
            value = grid.iloc[i, j]
            ax.text(
                j, i, f"{value:.2f}", ha="center", va="center", fontsize=9, color="white" if value < 0.6 else "black"
            )
        labels = [names.get(m, m) for m in models]
        ax.set_xticks(range(len(models)), labels, rotation=40, ha="right", fontsize=9)
        ax.set_yticks(range(len(models)), labels, fontsize=9)
        ax.set_title(stage)
        ax.spines[:].set_visible(False)
    return fig
