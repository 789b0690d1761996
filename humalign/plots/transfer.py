"""Figures of transfer, network by network: pure functions of tables."""

from __future__ import annotations

import pandas as pd
from matplotlib.ticker import NullFormatter

from . import panels, style


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
