"""Figures of the first steps: a similarity matrix, and what each feature is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import style


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
    import matplotlib.pyplot as plt

    names = [str(name) for name in names]
    fig, ax = plt.subplots(figsize=(5.2, 4.4))
    image = ax.imshow(matrix, vmin=0, vmax=1)
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right")
    ax.set_yticks(range(len(names)), names)
    fig.colorbar(image, ax=ax, label="cosine similarity", shrink=0.9)
    first, second = np.triu_indices(len(names), 1)
    table = pd.DataFrame(
        {"a": np.array(names)[first], "b": np.array(names)[second], "similarity": np.asarray(matrix)[first, second]}
    )
    return fig, table


def left_out(table: pd.DataFrame, ceiling: float):
    """Odd-one-out accuracy with all features and with each one left out.

    Parameters
    ----------
    table : DataFrame
        From :func:`humalign.studies.start.left_out`: features, accuracy, low, high.
    ceiling : float
        The best accuracy possible, drawn as a line.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(style.WIDTH, 3.2))
    x = np.arange(len(table))
    ax.errorbar(
        x,
        table.accuracy,
        [table.accuracy - table.low, table.high - table.accuracy],
        fmt="o",
        color=style.PALETTE["Image/Text"],
        ecolor=style.GREY,
        capsize=3,
        ms=7,
        mec=style.OUTLINE,
    )
    style.reference_line(ax, 1 / 3, "chance")
    style.reference_line(ax, ceiling, "noise ceiling")
    ax.set_xticks(x, table.features, rotation=20, ha="right")
    ax.set(ylabel="odd-one-out accuracy (share)", ylim=(0.25, max(0.9, ceiling + 0.08)), xlim=(-0.6, len(table) - 0.4))
    return fig
