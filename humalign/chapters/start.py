"""The first page: what each feature of its made-up table is worth, and its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import odd_one_out, resample
from ..plots import panels, style
from ..similarity import similarity_matrix

ROLES, OPTIONAL = (), ()


def left_out(features: pd.DataFrame, triplets) -> pd.DataFrame:
    """Odd-one-out accuracy with all features and with each one left out.

    Parameters
    ----------
    features : DataFrame (m, p)
    triplets : int array (n, 3)
        Answers, odd one last.

    Returns
    -------
    DataFrame
        features ("all", "without ..."), accuracy (ties shared), low, high (95 %, triplets resampled).
    """
    rows = []
    for name in [None, *features.columns]:
        values = features if name is None else features.drop(columns=name)
        scores = odd_one_out.scores(similarity_matrix(values.to_numpy()), triplets, ties="fraction")
        accuracy, drawn = resample.unit_means(scores)
        low, high = resample.interval(drawn)
        label = "all" if name is None else f"without {name}"
        rows.append({"features": label, "accuracy": accuracy, "low": low, "high": high})
    return pd.DataFrame(rows)


# ---- figures ---------------------------------------------------------------------------------------------------------


@panels.figure
def similarity(matrix, names):
    """Heat map of a similarity matrix.

    Parameters
    ----------
    matrix : array (m, m)
    names : sequence of str (m,)

    Returns
    -------
    figure : matplotlib.figure.Figure
    table : pandas.DataFrame
        Columns a, b, similarity: every pair once.
    """
    names = [str(name) for name in names]
    fig, ax = panels.axes(4.4, width=5.2)
    bar = {"label": "cosine similarity", "shrink": 0.9}
    look = {"vmin": 0, "vmax": 1, "cmap": "viridis", "square": True, "cbar_kws": bar}
    panels.heat_map(ax, matrix, xticklabels=names, yticklabels=names, **look)
    ax.set_xticks(ax.get_xticks(), names, rotation=60, ha="right")
    ax.set_yticks(ax.get_yticks(), names, rotation=0)
    first, second = np.triu_indices(len(names), 1)
    names, values = np.array(names), np.asarray(matrix)[first, second]
    return fig, pd.DataFrame({"a": names[first], "b": names[second], "similarity": values})


@panels.figure
def worth(table: pd.DataFrame, ceiling: float):
    """Odd-one-out accuracy with all features and with each one left out.

    Parameters
    ----------
    table : DataFrame
        From :func:`left_out`: features, accuracy, low, high.
    ceiling : float
        The best accuracy possible, drawn as a line.
    """
    fig, ax = panels.axes(3.2)
    x = np.arange(len(table))
    look = {"color": style.PALETTE["Image/Text"], "ecolor": style.GREY, "capsize": 3, "ms": 7, "mec": style.OUTLINE}
    ax.errorbar(x, table.accuracy, [table.accuracy - table.low, table.high - table.accuracy], fmt="o", **look)
    style.reference_line(ax, 1 / 3, "chance")
    style.reference_line(ax, ceiling, "noise ceiling")
    ax.set_xticks(x, table.features, rotation=20, ha="right")
    ax.set(ylabel="odd-one-out accuracy (share)", ylim=(0.25, max(0.9, ceiling + 0.08)), xlim=(-0.6, len(table) - 0.4))
    return fig
