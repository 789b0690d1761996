"""Triplets as pictures, with the odd one of people and of networks marked."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from . import style

MARKS = {"odd": ("people", "#d55e00", "*"), "before": ("before", style.STAGES["base"], "o"),
         "after": ("after", style.STAGES["AligNet"], "D")}  # fmt: skip


def examples(table: pd.DataFrame, pictures: dict):
    """One row a triplet: three pictures, and below each the marks of those who call it odd.

    Parameters
    ----------
    table : DataFrame
        first, second, odd, before, after (picture ids), kind, count, people (share).
    pictures : dict
        Picture id to array.
    """
    fig, axes = plt.subplots(len(table), 3, figsize=(style.WIDTH * 0.72, 2.05 * len(table) + 0.4), squeeze=False)
    for row, (_, triplet) in zip(axes, table.iterrows()):
        for ax, name in zip(row, triplet[["first", "second", "odd"]]):
            ax.imshow(pictures[name])
            ax.set(xticks=[], yticks=[], xlabel=name.partition("/")[0].replace("_", " "))
            ax.spines[:].set_visible(False)
            places = [k for k in MARKS if triplet[k] == name]
            for k, who in enumerate(places):
                _, colour, marker = MARKS[who]
                x = 0.5 + 0.16 * (k - (len(places) - 1) / 2)
                ax.plot(x, 1.08, marker, ms=9, color=colour, mec=style.OUTLINE, transform=ax.transAxes, clip_on=False)
        row[0].set_title(f"{triplet['kind']} ({triplet['count']})", loc="left", fontsize=10, pad=16)
    handles = [plt.Line2D([], [], ls="", marker=m, color=c, mec=style.OUTLINE, ms=8, label=f"odd one, {words}")
               for words, c, m in MARKS.values()]  # fmt: skip
    fig.legend(handles=handles, ncols=3, fontsize=9.5, loc="outside lower center")
    return fig
