"""Least-squares lines within groups beside the pooled one: Simpson's paradox shows where they disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import style

LEAST = 3  # points that a group needs for a line
POOLED, WITHIN = "pooled", "within groups"


def slopes(x, y, groups) -> pd.DataFrame:
    """Slope and correlation of y on x over all points, in each group, and within groups.

    Parameters
    ----------
    x, y : float (n,)
        Points where one is NaN are left out.
    groups : sequence (n,)

    Returns
    -------
    DataFrame
        group, n, slope and r. First "pooled", last "within groups": all points less the means of their groups. Groups
        of fewer than three points, or without spread, have no line.
    """
    points = pd.DataFrame({"x": np.asarray(x, float), "y": np.asarray(y, float), "group": np.asarray(groups)}).dropna()
    by = points.groupby("group")[["x", "y"]]
    inside = points.assign(**(points[["x", "y"]] - by.transform("mean")))
    inside = inside[points.groupby("group")["x"].transform("size") >= LEAST] if len(points) else inside
    parts = {POOLED: points}
    parts |= {name: points[points["group"] == name] for name in style.order(points["group"].unique())}
    rows = []
    for name, part in {**parts, WITHIN: inside}.items():
        a, b = part["x"] - part["x"].mean(), part["y"] - part["y"].mean()
        if len(part) >= LEAST and a.abs().max() > 0 and b.abs().max() > 0:
            slope = (a * b).sum() / (a**2).sum()
            r = (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
            rows.append({"group": name, "n": len(part), "slope": slope, "r": r})
    return pd.DataFrame(rows, columns=["group", "n", "slope", "r"])


def within(ax, x, y, groups) -> None:
    """Draw the line of each group of :func:`slopes` in its colour, as far as its points reach."""
    found = slopes(x, y, groups).set_index("group")["slope"].drop([POOLED, WITHIN], errors="ignore")
    points = pd.DataFrame({"x": np.asarray(x, float), "y": np.asarray(y, float), "group": np.asarray(groups)}).dropna()
    for name, slope in found.items():
        part = points[points["group"] == name]
        ends = np.array([part["x"].min(), part["x"].max()])
        line = part["y"].mean() + slope * (ends - part["x"].mean())
        look = {"color": style.color(name), "lw": 1.6, "alpha": 0.8, "zorder": 1.5}
        ax.plot(ends, line, path_effects=style.casing(name, 1.6), **look)
