"""Parts that figures share: panels beside or below each other, rows of networks, names of points, pairs."""

from __future__ import annotations

import functools
import textwrap

import numpy as np
import pandas as pd

from . import style

MARKS = {"odd": ("people", "#d55e00", "*"), "before": ("before", style.STAGES["base"], "o"),
         "after": ("after", style.STAGES["AligNet"], "D")}  # fmt: skip
OFFSETS = [(7, -5), (-7, -5), (6, 3), (6, -13), (-6, 3), (-6, -13), (0, 7), (0, -16), (13, -5), (-13, -5),
           (10, 10), (-10, 10), (12, -18), (-12, -18)]  # of a text, in points  # fmt: skip
BELOW = {"loc": "outside lower center", "ncols": 3}  # where the legend of a figure stands


def figure(draw):
    """Decorator of a function that draws a figure: :func:`humalign.show.figure` can have it drawn for a phone, too.

    The function gives the figure, or a tuple that begins with it; the figure then has ``again()``, which calls the
    function with the same arguments.
    """

    @functools.wraps(draw)
    def drawn(*args, **kwargs):
        made = draw(*args, **kwargs)
        fig = made[0] if isinstance(made, tuple) else made
        if style.narrow():
            _fold(fig)
        fig.again = functools.partial(drawn, *args, **kwargs)
        return made

    return drawn


def _fold(fig) -> None:
    """Break titles and names of axes that are wider than what they belong to."""
    fig.canvas.draw()
    for ax in fig.axes:
        box = ax.get_window_extent()
        names = [label.get_text() for label in ax.get_yticklabels()]
        if len(names) < box.height / (0.5 * fig.dpi) and max(map(len, names), default=0) > 24:
            ax.set_yticks(ax.get_yticks(), [textwrap.fill(name, 20) for name in names])
        for text, room in ((ax.title, box.width), (ax.xaxis.label, box.width), (ax.yaxis.label, box.height)):
            _wrap(text, room, text is ax.yaxis.label)
        _wrap(ax._left_title, fig.bbox.width - box.x0)
    for text in (fig._suptitle, fig._supxlabel):
        if text is not None:
            _wrap(text, fig.bbox.width)


def _wrap(text, room: float, upright: bool = False) -> None:
    """Break a text that is longer than ``room`` (dots of the screen) into lines."""
    words = text.get_text()
    if not words.strip() or not text.get_visible():
        return
    box = text.get_window_extent()
    long, longest = box.height if upright else box.width, max(map(len, words.split("\n")))
    if long > 1.02 * room:
        most = max(int(longest * room / long), 8)
        text.set_text("\n".join(textwrap.fill(line, most) for line in words.split("\n")))


def axes(height: float, rows: int = 1, columns: int = 1, width: float = style.WIDTH, *, stack=True, **options):
    """A figure (size in inches) and its axes, as ``plt.subplots`` gives them; pyplot is imported here, when needed.

    For a phone (:func:`humalign.plots.style.phone`) the panels lie below each other, in the order of reading; the axes
    keep their places in the array. ``stack="columns"`` takes column after column; ``stack=False`` keeps panels beside
    each other, and their proportions.
    """
    from matplotlib import pyplot as plt

    options = {"layout": "constrained", **options}
    if not style.narrow():
        return plt.subplots(rows, columns, figsize=(width, height), **options)
    if columns == 1 or not stack:
        size = (style.NARROW, height if stack else height * style.NARROW / width)
        return plt.subplots(rows, columns, figsize=size, **options)
    shared = {which: options.pop(which, False) for which in ("sharex", "sharey")}
    options.pop("width_ratios", None)
    squeeze = options.pop("squeeze", True)
    ratios = options.pop("height_ratios", np.ones(rows))
    ratios = np.tile(ratios, columns) if stack == "columns" else np.repeat(ratios, columns)
    size = (style.NARROW, height * columns)
    look = {"squeeze": False, "height_ratios": ratios}
    fig, found = plt.subplots(rows * columns, 1, figsize=size, **look, **options)
    found = found.reshape(columns, rows).T if stack == "columns" else found.reshape(rows, columns)
    for row, column in np.ndindex(rows, columns):
        firsts = {True: (0, 0), "all": (0, 0), "row": (row, 0), "col": (0, column)}
        for which, how in shared.items():
            if how in firsts and firsts[how] != (row, column):
                getattr(found[row, column], which)(found[firsts[how]])
    return fig, found.squeeze() if squeeze else found


def mosaic(places: str, height: float, narrow: float, height_ratios=None):
    """Named panels as ``plt.subplot_mosaic`` gives them, for a phone below each other, ``narrow`` inches high each."""
    from matplotlib import pyplot as plt

    size = (style.WIDTH, height)
    if style.narrow():
        names = dict.fromkeys(places.replace(";", ""))
        places, size = ";".join(names), (style.NARROW, narrow * len(names))
        height_ratios = [*height_ratios[:1], *[1] * (len(names) - 1)] if height_ratios else None
    return plt.subplot_mosaic(places, figsize=size, layout="constrained", height_ratios=height_ratios)


def heat_map(ax, values, **look) -> None:
    """:func:`seaborn.heatmap` with numbers in black or white, whichever reads better on its cell."""
    import seaborn

    seaborn.heatmap(values, ax=ax, **look)
    mesh = ax.collections[0]
    mesh.update_scalarmappable()
    shown = ~np.ma.getmaskarray(mesh.get_array()).ravel()
    for text, colour in zip(ax.texts, mesh.get_facecolors()[shown]):
        text.set_color(style.ink_on(colour))


def grid(n: int, height: float = 2.5, columns: int = 3, **options):
    """Axes of ``n`` panels in rows of ``columns``; those left over are hidden. Returns the figure and a flat list."""
    columns = 1 if style.narrow() else min(columns, n)
    rows = -(-n // columns)
    fig, found = axes(height * rows + 0.7, rows, columns, squeeze=False, **options)
    for ax in found.flat[n:]:
        ax.set_visible(False)
    return fig, list(found.flat[:n])


def name_rows(ax, rows: pd.DataFrame, lines: bool = True) -> np.ndarray:
    """Networks as rows of a figure, the first one lowest, with their names; returns their places.

    Parameters
    ----------
    rows : DataFrame
        Column name.
    lines : bool
        A thin line through each row.
    """
    y = np.arange(len(rows))
    ax.set_yticks(y, rows["name"], fontsize=9)
    ax.set_ylim(-1, len(rows))
    ax.tick_params(axis="y", length=0)
    if lines:
        ax.grid(axis="y", lw=0.5)
    return y


def ladder(rows: pd.DataFrame, room: float = 1.4, lines: bool = True):
    """One panel with a row a network and the legend of the training groups: figure, axes, places of the rows.

    Parameters
    ----------
    rows : DataFrame
        name, group; the first one lowest.
    room : float
        Inches beside the rows.
    lines : bool
        See :func:`name_rows`.
    """
    fig, ax = axes(room + 0.165 * len(rows))
    style.group_legend(fig, rows["group"], **BELOW)
    return fig, ax, name_rows(ax, rows, lines)


def dots(ax, x, y, groups, size: float = 34) -> None:
    """A mark a network, in the colour and with the marker of its training group."""
    x, y, groups = np.asarray(x), np.asarray(y), pd.Series(np.asarray(groups))
    for group in style.order(groups):
        at = (groups == group).to_numpy()
        ax.scatter(x[at], y[at], s=size, c=style.color(group), marker=style.marker(group), edgecolors=style.OUTLINE,
                   linewidths=0.8, zorder=3)  # fmt: skip


def role(points: pd.DataFrame, word: str) -> pd.DataFrame:
    """Networks whose role holds a word, such as "objective", "architecture" or "size"."""
    return points[points["role"].astype(str).str.contains(word, regex=False)]


def label_points(ax, x, y, texts, size: float = 9, most: float | None = None, first=None) -> None:
    """Write a short text beside each point, where it hides as little as possible and stays inside the axes.

    Call it when the layout of the figure is final (after ``fig.canvas.draw()``).

    Parameters
    ----------
    most : float, optional
        Leave a text out that would cover points and other texts with more than this share of its area.
    first : sequence of int, optional
        Order in which texts look for room; at first those of the highest and the lowest points.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    texts, good = [str(t) for t in texts], np.isfinite(x) & np.isfinite(y)
    scale = 72 / ax.figure.dpi
    at = ax.transData.transform(np.column_stack([x, y])) * scale
    frame = ax.get_window_extent()
    left_end, right_end = frame.x0 * scale, frame.x1 * scale
    boxes = [(px - 4, py - 4, px + 4, py + 4) for px, py in at[good]]
    boxes += [tuple(text.get_window_extent().extents * scale) for text in ax.texts if text.get_text()]
    if first is None:
        first = np.argsort(-np.abs(y - np.median(y[good]))) if good.any() else []
    for k in first:
        if not good[k]:
            continue
        wide, high = (0.56 if len(texts[k]) > 3 else 0.66) * size * len(texts[k]), 1.2 * size
        best = None
        for dx, dy in OFFSETS:
            left = at[k, 0] + dx - (0 if dx > 0 else wide if dx < 0 else wide / 2)
            low = at[k, 1] + dy
            box = (left, low, left + wide, low + high)
            out = max(left_end - left, 0) + max(left + wide - right_end, 0)
            covered = sum(_overlap(box, other) for other in boxes) + 4 * out * high
            cost = covered + 0.02 * (abs(dx) + abs(dy))
            if best is None or cost < best[0]:
                best = (cost, dx, dy, box, covered)
        _, dx, dy, box, covered = best
        if most is not None and covered > most * wide * high:
            continue
        boxes.append(box)
        side = "left" if dx > 0 else "right" if dx < 0 else "center"
        place = {"xytext": (dx, dy), "textcoords": "offset points", "ha": side, "va": "bottom"}
        ax.annotate(texts[k], (x[k], y[k]), fontsize=size, color=style.GREY, annotation_clip=False, **place)


def _overlap(a, b) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def limits(points: pd.DataFrame, chance=None, ceiling=None) -> tuple[float, float]:
    """Range of the values with their intervals and the reference lines, with a margin."""
    ends = pd.concat([points["low"].fillna(points["value"]), points["high"].fillna(points["value"])]).to_numpy(float)
    ends = np.r_[ends, [v for v in (chance, ceiling) if v is not None]]
    ends = ends[np.isfinite(ends)]
    pad = 0.08 * max(np.ptp(ends), 1e-3)
    return ends.min() - (1.3 if chance is not None else 1) * pad, ends.max() + 1.3 * pad


def lines(ax, chance, ceiling, ceiling_label="noise ceiling") -> None:
    """The labelled lines for chance (name below the line) and for the ceiling (name above)."""
    if chance is not None:
        ax.axhline(chance, color=style.GREY, ls=":", lw=1.4, zorder=1)
        place = {"xycoords": ax.get_yaxis_transform(), "xytext": (0, -2), "textcoords": "offset points", "va": "top"}
        ax.annotate("chance", (0.99, chance), ha="right", fontsize=9, color=style.GREY, **place)
    if ceiling is not None:
        style.reference_line(ax, ceiling, ceiling_label, style="-.")


def tops(ax, marks, gap: float = 0.042) -> None:
    """Names of vertical lines above the axes, turned, moved apart where they would meet.

    ``marks``: (name, value, line style); ``gap``: least distance, as a share of the width.
    """
    order = sorted(marks, key=lambda m: m[1])
    left, right = ax.get_xlim()
    gap, at = gap * (right - left) * (3.5 if style.narrow() else 1), []
    for _, value, _ in order:
        at.append(max(value, at[-1] + gap) if at else value)
    if style.narrow():  # turned names reach to the right: the last ones begin well inside the axes
        last = right - 2.5 * gap
        at = [min(place, last - gap * k) for place, k in zip(at, range(len(at) - 1, -1, -1))]
    for (name, value, _), place in zip(order, at):
        units = {"xycoords": ax.get_xaxis_transform(), "textcoords": ax.get_xaxis_transform()}
        look = {"rotation": 60, "fontsize": 8.5, "ha": "left", "va": "bottom", "color": style.GREY}
        ax.annotate(name, (value, 1), xytext=(place, 1.012), annotation_clip=False, **units, **look)


def fit(ax, x, y, clear=()) -> float:
    """Dashed least-squares line and Pearson's r in the emptiest corner; returns r (NaN with fewer than 3 points).

    ``clear``: places on the x axis of lines that the text should not cross.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    at = np.isfinite(x) & np.isfinite(y)
    if at.sum() < 3 or np.ptp(x[at]) == 0 or np.ptp(y[at]) == 0:
        return float("nan")
    style.fit_line(ax, x, y)
    r = float(np.corrcoef(x[at], y[at])[0, 1])
    inside = ax.transAxes.inverted().transform(ax.transData.transform(np.column_stack([x[at], y[at]])))
    corners = [(0.03, 0.86), (0.97, 0.86), (0.03, 0.2), (0.97, 0.2)]
    lines = [ax.transAxes.inverted().transform(ax.transData.transform((place, 0.0)))[0] for place in clear]
    crowd = [(np.abs(inside - c) < (0.25, 0.12)).all(1).sum() + sum(abs(line - c[0]) < 0.16 for line in lines)
             for c in corners]  # fmt: skip
    across, up = corners[int(np.argmin(crowd))]
    place = {"transform": ax.transAxes, "va": "center", "ha": "left" if across < 0.5 else "right"}
    ax.text(across, up, f"r = {r:.2f}".replace("-", "−"), fontsize=9, color=style.GREY, **place)
    return r


def thousands(value: float, _=None) -> str:
    """A number of parameters, short: 85k, 1.2M."""
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k"


def log_ticks(ax, words) -> None:
    """Ticks at 1, 2, 5, 10 and so on of a logarithmic x axis; ``words`` gives the text of a value."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(words))
    ax.xaxis.set_minor_formatter(NullFormatter())


def crosses(ax, pairs: pd.DataFrame, alpha: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Points of two values a network with both intervals; returns the values. ``pairs``: as for :func:`identity`."""
    x, y = pairs["x"].to_numpy(float), pairs["y"].to_numpy(float)
    ax.hlines(y, pairs["x_low"], pairs["x_high"], color=style.GREY, lw=0.8, alpha=0.35, zorder=2)
    style.points(ax, x, y, pairs["group"], low=pairs["y_low"], high=pairs["y_high"], size=42, alpha=alpha)
    return x, y


def identity(ax, pairs: pd.DataFrame, xlabel: str, ylabel: str, *, title: str = "", chance=None, ceiling=None):
    """Points of two values a network against the dashed identity.

    Parameters
    ----------
    pairs : DataFrame
        group, x, x_low, x_high, y, y_low, y_high.
    """
    x, y = crosses(ax, pairs, 0.85)
    ends = np.r_[x, y, [v for v in (chance, ceiling) if v is not None]]
    ends = ends[np.isfinite(ends)]
    pad = 0.07 * max(np.ptp(ends), 1e-3) if len(ends) else 1
    if len(ends):
        ax.set(xlim=(ends.min() - 1.3 * pad, ends.max() + pad), ylim=(ends.min() - 1.3 * pad, ends.max() + 1.4 * pad))
    style.identity_line(ax)
    if chance is not None:
        lines(ax, chance, None)
        ax.axvline(chance, color=style.GREY, ls=":", lw=1.4, zorder=1)
    if ceiling is not None:
        style.reference_line(ax, ceiling, "noise ceiling", style="-.", at=0.02)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.set_aspect("equal")


@figure
def identities(parts, xlabel: str, ylabel: str, side: float = 4.4, **options):
    """Two values a network against the identity: one panel, or several side by side.

    Parameters
    ----------
    parts : DataFrame, or dict of str to DataFrame
        Pairs, or title to pairs; see :func:`identity`, which takes the options.
    side : float
        Height of the figure, inches; of one panel also its width.
    """
    if one := isinstance(parts, pd.DataFrame):
        parts = {"": parts}
    fig, found = axes(side, 1, len(parts), width=side if one else style.WIDTH, squeeze=False)
    for ax, (title, pairs) in zip(found[0], parts.items()):
        identity(ax, pairs, xlabel, ylabel, title=title, **options)
    style.group_legend(fig, pd.concat(parts.values())["group"], **{**BELOW, "ncols": 2 if one else 3})
    return fig


@figure
def examples(table: pd.DataFrame, pictures: dict):
    """One row a triplet: three pictures, and below each the marks of those who call it odd.

    Parameters
    ----------
    table : DataFrame
        first, second, odd, before, after (picture ids), kind, count, people (share).
    pictures : dict
        Picture id to array.
    """
    from matplotlib.lines import Line2D

    fig, found = axes(2.05 * len(table) + 0.4, len(table), 3, width=style.WIDTH * 0.72, squeeze=False, stack=False)
    for row, (_, triplet) in zip(found, table.iterrows()):
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
    handles = [Line2D([], [], ls="", marker=m, color=c, mec=style.OUTLINE, ms=8, label=f"odd one, {words}")
               for words, c, m in MARKS.values()]  # fmt: skip
    style.legend(fig, handles, ncols=3, fontsize=9.5, loc="outside lower center")
    return fig


@figure
def strips(table: pd.DataFrame, floor: str = "chance"):
    """Every network in every task: a panel a task, networks sorted inside their training group.

    Parameters
    ----------
    table : DataFrame
        panel, on (name of the value axis), group, value, low, high, chance, and, where people are known, limit.
    floor : str
        Name of the line at ``chance``.
    """
    parts = list(table.groupby("panel", sort=False))
    fig, found = grid(len(parts))
    for ax, (title, part) in zip(found, parts):
        groups = style.order(part["group"])
        rows = part.assign(place=part["group"].map(groups.index)).sort_values(["place", "value"], ignore_index=True)
        x = np.arange(len(rows)) + 2.0 * rows["place"]
        style.points(ax, x, rows["value"], rows["group"], low=rows["low"], high=rows["high"], size=22)
        chance, limit = rows["chance"].iloc[0], rows["limit"].iloc[0] if "limit" in rows else None
        ax.set_ylim(limits(rows, chance, limit))
        ax.set_xlim(-2, x.max() * 1.4 + 1)  # room for the names of the lines, clear of points
        for value, name, ls in ((chance, floor, ":"), (limit, "people", "-.")):
            if value is not None and np.isfinite(value):
                style.reference_line(ax, value, name, style=ls)
        ax.set_title(title, fontsize=10)
        ax.set_ylabel(part["on"].iloc[0], fontsize=9)
        ax.set_xticks([])
    for ax in found[-3:]:
        ax.set_xlabel("networks, sorted in each group", fontsize=9)
    style.group_legend(fig, table["group"], loc="outside lower center", ncols=3, fontsize=9)
    return fig
