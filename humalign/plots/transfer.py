"""Figures of transfer, network by network: pure functions of tables."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from . import panels, style

COLUMNS = 3


def _grid(n: int, height: float = 2.5, **options):
    """Axes of ``n`` panels in rows of three; those left over are hidden. Returns the figure and a flat list."""
    columns = min(COLUMNS, n)
    rows = -(-n // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(style.WIDTH, height * rows + 0.7), squeeze=False, layout="constrained", **options
    )
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    return fig, list(axes.flat[:n])


def _legend(fig, groups) -> None:
    style.group_legend(fig, groups, loc="outside lower center", ncols=3, fontsize=9)


def strips(table: pd.DataFrame, floor: str = "chance", people: str = "people"):
    """Every network in every task: a panel a task, networks sorted inside their training group.

    Parameters
    ----------
    table : DataFrame
        panel, on (name of the value axis), group, value, low, high, chance, and, where people are known, limit.
    floor, people : str
        Names of the lines at ``chance`` and ``limit``.
    """
    parts = list(table.groupby("panel", sort=False))
    fig, axes = _grid(len(parts))
    for ax, (title, part) in zip(axes, parts):
        groups = style.order(part["group"])
        rows = part.assign(place=part["group"].map(groups.index)).sort_values(["place", "value"], ignore_index=True)
        x = np.arange(len(rows)) + 2.0 * rows["place"]
        style.points(ax, x, rows["value"], rows["group"], low=rows["low"], high=rows["high"], size=22)
        chance, limit = rows["chance"].iloc[0], rows["limit"].iloc[0] if "limit" in rows else None
        ax.set_ylim(panels.limits(rows, chance, limit))
        ax.set_xlim(-2, x.max() * 1.4 + 1)  # room for the names of the lines, clear of points
        for value, name, ls in ((chance, floor, ":"), (limit, people, "-.")):
            if value is not None and np.isfinite(value):
                style.reference_line(ax, value, name, style=ls)
        ax.set_title(title, fontsize=10)
        ax.set_ylabel(part["on"].iloc[0], fontsize=9)
        ax.set_xticks([])
    for ax in axes[-COLUMNS:]:
        ax.set_xlabel("networks, sorted in each group", fontsize=9)
    _legend(fig, table["group"])
    return fig


def shots(table: pd.DataFrame):
    """Few-shot accuracy by number of examples: a panel a set, a thin line a network, a bold one a group's median.

    Parameters
    ----------
    table : DataFrame
        panel, model, group, shots, value, chance.
    """
    parts = list(table.groupby("panel", sort=False))
    fig, axes = _grid(len(parts), 2.9)
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
    _legend(fig, table["group"])
    return fig


def against_people(table: pd.DataFrame):
    """Transfer against agreement with people, a panel a task, with the least-squares line over trained networks.

    Parameters
    ----------
    table : DataFrame
        panel, on, group, value, low, high, odd_one_out.
    """
    parts = list(table.groupby("panel", sort=False))
    fig, axes = _grid(len(parts), 2.7)
    for ax, (title, part) in zip(axes, parts):
        style.points(ax, part["odd_one_out"], part["value"], part["group"], low=part["low"], high=part["high"], size=26)
        trained = part[part["group"] != "Untrained"]
        panels.fit(ax, trained["odd_one_out"], trained["value"])
        ax.set_title(title, fontsize=10)
        ax.set_ylabel(part["on"].iloc[0], fontsize=9)
        ax.set_xlabel("odd-one-out accuracy", fontsize=9)
    _legend(fig, table["group"])
    return fig
