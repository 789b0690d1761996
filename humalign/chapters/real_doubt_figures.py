"""Figures of the page on doubt: pure functions of its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn

from ..plots import panels, style
from . import zero_shot

BLUE, ORANGE = "#2f6fae", "#d55e00"
BANDS = {"first": ("most frequent answer", 0.8), "second": ("second", 0.45), "third": ("third", 0.2)}


@panels.figure
def shares(table: pd.DataFrame):
    """Shares of the three answers, question by question, from the clearest to the most disputed.

    Parameters
    ----------
    table : DataFrame
        first, second, third (shares), one row a question.
    """
    rows = table.sort_values("first", ascending=False).reset_index(drop=True)
    fig, ax = panels.axes(3.4)
    below, x = np.zeros(len(rows)), np.arange(1, len(rows) + 1)
    for name, (words, alpha) in BANDS.items():
        above = below + rows[name].to_numpy()
        ax.fill_between(x, below, above, color=BLUE, alpha=alpha, lw=0)
        ax.text(len(rows) * 1.015, (below[-1] + above[-1]) / 2, words, fontsize=10, color=style.GREY, va="center")
        below = above
    split = int((rows["first"] >= 0.5).sum())
    ax.axvline(split, color=style.GREY, lw=1.2, ls="--")
    ax.annotate(f"most people agree on {split}", (split, 1), xytext=(-5, 3), textcoords="offset points", ha="right",
                fontsize=10, color=style.GREY, annotation_clip=False)  # fmt: skip
    ax.annotate(f"on {len(rows) - split} they do not", (split, 1), xytext=(5, 3), textcoords="offset points",
                fontsize=10, color=style.GREY, annotation_clip=False)  # fmt: skip
    ax.set(xlim=(1, len(rows)), ylim=(0, 1), xlabel="questions, the clearest first", ylabel="share of the people")
    return fig


@panels.figure
def persons(table: pd.DataFrame):
    """Agreement with each person of the crowd, one row a judge: every person a dot, the median a bar.

    Parameters
    ----------
    table : DataFrame
        name, group, value: one row a person and judge.
    """
    order = table.groupby("name")["value"].median().sort_values().index
    fig, ax = panels.axes(1.3 + 0.5 * len(order))
    group = table.groupby("name")["group"].first()
    colours = [BLUE if group[name] == "Crowd" else style.line_color(group[name]) for name in order]
    look = {"order": order, "hue": "name", "hue_order": order, "palette": colours, "legend": False}
    seaborn.swarmplot(table, x="value", y="name", size=2.6, alpha=0.6, linewidth=0, warn_thresh=1, ax=ax, **look)
    for y, name in enumerate(order):
        part = table[table["name"] == name]
        ax.vlines(part["value"].median(), y - 0.36, y + 0.36, color=style.GREY, lw=2.6, zorder=4)
        ax.annotate(f"{part['value'].median():.2f}", (part["value"].median(), y + 0.36), ha="center", va="bottom",
                    fontsize=9, color=style.GREY)  # fmt: skip
    ax.set_yticks(range(len(order)), order)
    style.reference_line(ax, zero_shot.CHANCE, "chance", axis="x", at=0.02)
    ax.set(xlabel="share of the questions on which it agrees with a person", ylabel="", ylim=(-0.6, len(order) - 0.3))
    ax.tick_params(axis="y", length=0)
    return fig


@panels.figure
def doubt(entropy: pd.DataFrame, errors: pd.DataFrame, models: pd.DataFrame):
    """How unsure each model is, and how often it is unlike the majority, in bins of people's entropy.

    Parameters
    ----------
    entropy, errors : DataFrame
        model, at (mean of people's entropy in the bin), value or error.
    models : DataFrame
        model, name, group.
    """
    facts = models.set_index("model")
    fig, axes = panels.axes(4.3, 1, 2)
    for ax, table, column in ((axes[0], entropy, "value"), (axes[1], errors, "error")):
        ends = {}
        for model, part in table[table["model"].isin(facts.index)].groupby("model", sort=False):
            group = facts.loc[model, "group"]
            ax.plot(part["at"], part[column], color=style.line_color(group), marker=style.marker(group), ms=5,
                    mec=style.OUTLINE, mew=0.6, lw=1.5)  # fmt: skip
            ends[facts.loc[model, "name"].partition(" (")[0]] = part["at"].iloc[-1], part[column].iloc[-1]
        if ax is axes[1]:  # in the first the lines end together
            _at_the_end(ax, ends)
        ax.set_xlabel("people's entropy, nats")
    people = entropy[~entropy["model"].isin(facts.index)]
    axes[0].plot(people["at"], people["value"], color=BLUE, ls="--", lw=1.6)
    place = {"textcoords": "offset points", "ha": "right", "fontsize": 10, "color": style.GREY}
    axes[0].annotate("people", (people["at"].iloc[1], people["value"].iloc[1]), xytext=(-8, 4), **place)
    style.reference_line(axes[0], float(np.log(3)), "guessing", at=0.02)
    style.reference_line(axes[1], 1 - zero_shot.CHANCE, "guessing", at=0.02)
    axes[0].set(title="a  how unsure", ylabel="model's entropy, nats", ylim=(None, 1.16))
    axes[1].set(title="b  how often unlike the majority", ylabel="share of the questions", ylim=(0, None))
    style.group_legend(fig, facts.loc[[m for m in facts.index if m in set(entropy["model"])], "group"],
                       loc="outside lower center", ncols=4)  # fmt: skip
    return fig


def _at_the_end(ax, ends: dict, gap: float = 0.06) -> None:
    """Names right of the ends of lines, moved apart where they would meet."""
    low, high = ax.get_ylim()
    place = -np.inf
    for name, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        place = max(y, place + gap * (high - low))
        ax.annotate(name, (x, y), xytext=(x + 0.03 * np.ptp(ax.get_xlim()), place), textcoords="data", fontsize=9,
                    va="center", color=style.GREY, annotation_clip=False)  # fmt: skip
    ax.set_xlim(ax.get_xlim()[0], ax.get_xlim()[1] + 0.42 * np.ptp(ax.get_xlim()))


@panels.figure
def pictured(table: pd.DataFrame, pictures: dict):
    """Questions with photographs: below each object, how many people and how many networks call it the odd one.

    Parameters
    ----------
    table : DataFrame
        question, concept, people (share), answers, networks (count), of: three rows a question.
    pictures : dict
        Concept to array; a concept without one is written out.
    """
    questions = list(dict.fromkeys(table["question"]))
    fig, axes = panels.axes(2.75 * len(questions), 2 * len(questions), 3, width=style.WIDTH * 0.8, stack=False,
                             squeeze=False, height_ratios=[3.2, 1] * len(questions))  # fmt: skip
    for k, question in enumerate(questions):
        for j, row in enumerate(table[table["question"] == question].itertuples()):
            ax, bars = axes[2 * k, j], axes[2 * k + 1, j]
            name = row.concept.replace("_", " ")
            if row.concept in pictures:
                ax.imshow(pictures[row.concept])
                ax.set_title(name, fontsize=11)
            else:
                ax.text(0.5, 0.5, name, ha="center", va="center", fontsize=12, transform=ax.transAxes)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(row.concept not in pictures)
            bars.barh([1, 0], [row.people, row.networks / row.of], color=[ORANGE, BLUE], height=0.72, alpha=0.9)
            words = f"{row.people * row.answers:.0f} of {row.answers}", f"{row.networks} of {row.of}"
            for y, share, text in zip((1, 0), (row.people, row.networks / row.of), words):
                bars.text(share + 0.03, y, text, va="center", fontsize=9.5)
            bars.set(xlim=(0, 1.45), xticks=[], yticks=[1, 0], ylim=(-0.6, 1.6))
            bars.set_yticklabels(["people", "networks"] if j == 0 else ["", ""], fontsize=9.5)
            bars.tick_params(length=0)
            bars.spines[["bottom", "top", "right"]].set_visible(False)
    return fig
