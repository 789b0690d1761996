"""Schematic drawings: how a teacher and a student are made, and what three levels of abstraction are."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.patches import FancyBboxPatch, Patch

from . import panels, style

WHO = {  # whose answers: how their bars look
    "people": {"fc": "#d55e00"},
    "features alone": {"fc": style.STAGES["base"], "hatch": "////"},
    "map": {"fc": style.STAGES["AligNet"]},
    "soft label": {"fc": style.STAGES["AligNet"]},
}
TARGET = {"fc": "none", "ec": style.STAGES["AligNet"], "ls": "--", "lw": 1.6}  # what a student is to answer
STATES = {  # of what works on the pictures: colour, line and width of the frame, words
    "frozen": (style.GREY, "-", 1.2, "stays as it is"),
    "fitted": (style.STAGES["AligNet"], "-", 2.8, "is fitted"),
    "trained": (style.STAGES["AligNet"], "-", 2.8, "is trained"),
    "pull": (style.GREY, ":", 1.6, ""),
}
MARKS = {"coarse": "o", "fine": "s", "boundary": "D"}
RULES = {
    "coarse": "three superordinates",
    "fine": "three concepts of one superordinate",
    "boundary": "two pictures of one concept, one of another",
}
GAP = 0.1  # inches between two pictures
BAND, BAR = 2.42, 0.5  # inches: height of a step, of a bar of probability 1


def _canvas(width: float, height: float):
    """Axes whose units are inches, without a frame."""
    fig, ax = panels.axes(height, width=width, stack=False)
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.set_axis_off()
    return fig, ax


def _side() -> float:
    """Inches of a picture."""
    return 0.56 if style.narrow() else 0.88


def _picture(ax, pixels, x: float, y: float) -> None:
    limits, side = ax.axis(), _side()
    ax.imshow(pixels, extent=(x, x + side, y, y + side), zorder=2)
    ax.axis(limits)


def _arrow(ax, start, end) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": style.GREY, "lw": 1.5})


def _box(ax, x: float, y: float, width: float, height: float, words: str, state: str) -> None:
    colour, line, thick, note = STATES[state]
    look = {"boxstyle": "round,pad=0,rounding_size=.08", "ec": colour, "fc": "none", "lw": thick, "ls": line}
    ax.add_patch(FancyBboxPatch((x, y), width, height, **look))
    text = textwrap.fill(words, 17 if style.narrow() else 23) + (f"\n({note})" if note else "")
    ax.text(
        x + width / 2,
        y + height / 2,
        text,
        ha="center",
        va="center",
        fontsize=9 if style.narrow() else 10.5,
        linespacing=1.2,
    )


def _answers(ax, answers: pd.DataFrame, places, base: float, target: bool) -> None:
    """Chance of each picture of being the odd one, a bar for each answer, below the pictures; with a key."""
    side, keys = _side(), []
    wide = side * 0.8 / max(len(answers), 2)
    for k, (_, answer) in enumerate(answers.iterrows()):
        look = TARGET if target else {"ec": style.OUTLINE, **WHO[answer["words"]]}
        keys.append(Patch(label=textwrap.fill(answer["words"], 24 if style.narrow() else 60), **look))
        for x, column in zip(places, ("odd_1", "odd_2", "odd_3")):
            left = x + side / 2 + (k - len(answers) / 2) * wide
            ax.bar(left, answer[column] * BAR, wide * 0.86, base, align="edge", zorder=2, **look)
    ax.plot([places[0], places[-1] + side], [base, base], color=style.GREY, lw=1)
    spot = {"loc": "upper left", "bbox_to_anchor": (places[0], base - 0.06), "bbox_transform": ax.transData}
    thin = {"borderpad": 0, "borderaxespad": 0, "handlelength": 1.1, "columnspacing": 1}
    thin |= {"ncols": 2, "fontsize": 9} if style.narrow() else {"ncols": 3, "fontsize": 10.5}
    ax.add_artist(ax.legend(handles=keys, **spot, **thin))


@panels.figure
def pipeline(table: pd.DataFrame, pictures: dict):
    """The steps from people's choices to a student, one above the other: pictures, what works on them, answers.

    Parameters
    ----------
    table : DataFrame
        step, title, node ("works" or "answers"), words, state; for answers also first, second, third (picture ids) and
        odd_1, odd_2, odd_3: as :func:`humalign.chapters.alignet_data.pipeline` gives it.
    pictures : dict
        Picture id to array.
    """
    steps = list(table.groupby("step", sort=True))
    fig, ax = _canvas(style.NARROW if style.narrow() else 5.7, BAND * len(steps))
    side = _side()
    places = [0.05 + k * (side + GAP) for k in range(3)]
    edge = places[-1] + side
    left, wide, high, room = (edge + 0.4, 1.4, 0.74, 0.32) if style.narrow() else (edge + 0.6, 2.05, 0.74, 0.32)
    for row, (step, part) in enumerate(steps):
        top = BAND * (len(steps) - row) - 0.1
        ax.text(places[0], top, f"{step}   {part['title'].iloc[0]}", fontsize=12, va="top", weight="bold")
        answers, works = part[part["node"] == "answers"], part[part["node"] == "works"]
        under = top - 0.34 - side
        for x, name in zip(places, answers.iloc[0][["first", "second", "third"]]):
            _picture(ax, pictures[name], x, under)
        pulled = "pull" in set(works["state"])
        _answers(ax, answers, places, under - BAR - 0.1, pulled)
        first, last = under + side - high, under + side - high - (high + room)
        for y, (_, node) in zip((first, last), works.iterrows()):
            _box(ax, left, y, wide, high, node["words"], node["state"])
        middle, out = left + wide / 2, (edge + 0.05, last + high / 2)
        _arrow(ax, (edge + 0.05, first + high / 2), (left, first + high / 2))
        if pulled:  # the answers are those of the first box, which the second one holds
            _arrow(ax, (middle, last + high), (middle, first))
            _arrow(ax, (left, first + high / 4), out)
        else:
            _arrow(ax, (middle, first), (middle, last + high))
            _arrow(ax, (left, last + high / 2), out)
    return fig


@panels.figure
def relations(table: pd.DataFrame, pictures: dict):
    """A tree of superordinates, concepts and pictures; below it a triplet of each level, with who calls which odd.

    Parameters
    ----------
    table : DataFrame
        level, picture (id), concept, superordinate, odd (share of people): three rows a level, as
        :func:`humalign.chapters.student_examples.relations` gives it.
    pictures : dict
        Picture id to array.
    """
    leaves = table.drop_duplicates("picture")[["superordinate", "concept", "picture"]]
    order = {c: k for k, c in enumerate(table[table["level"] == "fine"]["concept"])}
    leaves = leaves.sort_values("concept", key=lambda c: c.map(lambda v: order.get(v, len(order))), kind="stable")
    side, size = _side(), 9 if style.narrow() else 11
    x = {name: 0.05 + side / 2 + k * (side + 0.06) for k, name in enumerate(leaves["picture"])}
    leaves = leaves.assign(x=leaves["picture"].map(x))
    levels = list(dict.fromkeys(table["level"]))
    row, below = 0.66, 0.66 * len(levels) + 0.1
    fig, ax = _canvas(0.1 + len(x) * (side + 0.06), below + side + 2.65)
    for _, leaf in leaves.iterrows():
        _picture(ax, pictures[leaf["picture"]], leaf["x"] - side / 2, below)
    foot = below + side
    heads = {"coarse": foot + 2.3, "fine": foot + 1.5, "boundary": foot + 0.7}
    concepts = leaves.groupby(["superordinate", "concept"], sort=False)["x"].mean().reset_index()
    kinds = concepts.groupby("superordinate", sort=False)["x"].mean()
    ax.text(
        kinds.mean(), heads["coarse"] + 0.15, "all drawings", ha="center", va="center", fontsize=size, weight="bold"
    )
    _branches(ax, kinds.mean(), kinds.to_numpy(), heads["coarse"], heads["fine"] + 0.3, "coarse")
    for kind, at in kinds.items():
        own = concepts[concepts["superordinate"] == kind]
        ax.text(at, heads["fine"] + 0.15, kind, ha="center", va="center", fontsize=size, weight="bold")
        _branches(ax, at, own["x"].to_numpy(), heads["fine"], heads["boundary"] + 0.3, "fine")
        for _, concept in own.iterrows():
            ax.text(concept["x"], heads["boundary"] + 0.15, concept["concept"], ha="center", va="center", fontsize=size)
            mine = leaves[leaves["concept"] == concept["concept"]]["x"].to_numpy()
            _branches(ax, concept["x"], mine, heads["boundary"], foot + 0.04, "boundary")
    for k, (level, part) in enumerate(table.groupby("level", sort=False)):
        y, colour = below - 0.42 - k * row, style.LEVELS[level]
        at = part["picture"].map(x).to_numpy()
        ax.plot([at.min(), at.max()], [y, y], color=colour, lw=1.6)
        ax.text(0.05, y + 0.2, f"{level}: {RULES[level]}", fontsize=size - 0.5, va="center")
        for place, share in zip(at, part["odd"]):
            odd = share == part["odd"].max()
            ax.plot(place, y, "*" if odd else MARKS[level], ms=15 if odd else 7, color=colour, mec=style.OUTLINE)
            ax.text(place + 0.13, y - 0.03, f"{share:.0%}", fontsize=size - 0.5, va="top")
    return fig


def _branches(ax, x: float, ends, top: float, bottom: float, level: str) -> None:
    """Lines from a node down to what it holds; coloured where it parts, since there a level asks."""
    parts = len(ends) > 1
    look = {"color": style.LEVELS[level] if parts else style.GREY, "lw": 2.6 if parts else 1.1, "zorder": 1}
    half = (top + bottom) / 2 if parts else bottom
    ax.plot([x, x], [top, half], **look)
    if parts:
        ax.plot([min(ends), max(ends)], [half, half], **look)
        for end in ends:
            ax.plot([end, end], [half, bottom], **look)
