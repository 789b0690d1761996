"""The look of every figure: palette and markers of the training groups, reference lines, light and dark mode.

Figures are transparent SVG with mid-grey text, so that one file reads on white and on dark pages. The colours are those
of the papers. Simulated deuteranopia brings two of them close together (Ecoset and self-supervised, CIELAB distance
6.8); therefore each group has its own marker as well. Points carry a grey outline, so that black ones show in the dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

YOURS = "Yours"  # the group of the reader's own network, in every figure
GREY = "#7f7f7f"
OUTLINE = "#a8a8a8"
PAPER = "#fefefe"  # text on bars: white, on a dark page black, as bars are lighter there

PALETTE: Mapping[str, str] = {
    "Image/Text": "darkmagenta",
    "Supervised (ImageNet-1K)": "coral",
    "Supervised (Ecoset)": "brown",
    "Supervised (ImageNet-21K)": "darkcyan",
    "Supervised (JFT-3B)": "black",
    "Supervised (other data)": "#60e0c0",
    "Self-Supervised": "darkgreen",
    "Text only": "#8020e0",
    "Untrained": "#9e9e9e",
    "People": "#7f7f7f",
    YOURS: "#e6a100",
}
MARKERS: Mapping[str, str] = {
    "Image/Text": "o",
    "Supervised (ImageNet-1K)": "s",
    "Supervised (Ecoset)": "^",
    "Supervised (ImageNet-21K)": "P",
    "Supervised (JFT-3B)": "X",
    "Supervised (other data)": "<",
    "Self-Supervised": "D",
    "Text only": ">",
    "Untrained": "v",
    "People": "h",
    YOURS: "*",
}
ALIASES: Mapping[str, str] = {  # groups of the mini zoo: the label set that plays each training set of the paper
    "Concept labels": "Supervised (ImageNet-1K)",
    "Coarse labels": "Supervised (Ecoset)",
    "Taxonomy labels": "Supervised (ImageNet-21K)",
    "Web labels": "Supervised (JFT-3B)",
    "Photographs": "Supervised (other data)",
}
OBJECTIVES: Mapping[str, tuple[str, str]] = {  # classes of objectives in the figures of two layers: colour, marker
    "Softmax": ("#4477aa", "s"),
    "Softmax+": ("#66ccee", "P"),
    "Sigmoid": ("#ee6677", "^"),
    "Squared error": ("#aa7711", "X"),
    "Image/Text (contrastive)": ("darkmagenta", "o"),
    "Self-sup.": ("darkgreen", "D"),
}
STAGES: Mapping[str, str] = {"base": "#a9c4dc", "UnAligNet": "#d9a441", "AligNet": "#2f6fae"}
LEVELS: Mapping[str, str] = {"coarse": "#86be91", "fine": "#1d6c8a", "boundary": "#841e5a"}
WIDTH, NARROW = 7.0, 3.8  # inches: the column of the book, and a phone; text of 8.5 points has 11 pixels on both
_narrow: ContextVar[bool] = ContextVar("narrow", default=False)


@contextmanager
def phone() -> Iterator[None]:
    """Figures that are drawn inside are for a phone: as wide as it is, panels below each other."""
    token = _narrow.set(True)
    try:
        yield
    finally:
        _narrow.reset(token)


def narrow() -> bool:
    """Whether figures are drawn for a phone; see :func:`phone`."""
    return _narrow.get()


def use() -> None:
    """Set matplotlib up for the book; call it in the set-up cell of a notebook."""
    import matplotlib as mpl

    grey = ("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "grid.color", "legend.labelcolor", "text.color",
            "patch.edgecolor", "xtick.color", "xtick.labelcolor", "ytick.color", "ytick.labelcolor")  # fmt: skip
    mpl.rcParams.update({
        **dict.fromkeys(grey, GREY), "axes.facecolor": "none", "axes.labelsize": 11.5, "axes.spines.right": False,
        "axes.spines.top": False, "axes.titlesize": 11.5, "figure.constrained_layout.use": True,
        "figure.facecolor": "none", "figure.figsize": (WIDTH, 4.2), "font.size": 11, "grid.alpha": 0.25,
        "image.cmap": "viridis", "legend.frameon": False, "lines.linewidth": 1.8, "savefig.bbox": "tight",
        "savefig.pad_inches": 0.02, "savefig.transparent": True, "svg.fonttype": "none", "svg.hashsalt": "humalign",
    })  # fmt: skip
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        set_matplotlib_formats("svg")


def color(group: str) -> str:
    """Colour of a training group or class of objectives; grey for one that has none."""
    return PALETTE.get(ALIASES.get(group, group)) or OBJECTIVES.get(group, (GREY, "o"))[0]


def marker(group: str) -> str:
    """Marker of a training group or class of objectives; a circle for one that has none."""
    return MARKERS.get(ALIASES.get(group, group)) or OBJECTIVES.get(group, (GREY, "o"))[1]


def ink_on(colour) -> str:
    """Black or white: what reads better on a colour, in any mode of the page."""
    from matplotlib.colors import to_rgb

    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "#010101" if linear @ [0.2126, 0.7152, 0.0722] > 0.179 else "#ffffff"


def casing(group: str, width: float) -> list | None:
    """Path effects that give the line of a black group a grey rim, so that it shows in the dark; None for others."""
    if color(group) != "black":
        return None
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width + 1.4, foreground=OUTLINE), Normal()]


def line_color(group: str) -> str:
    """Colour of thin lines: that of the group, but dark grey for black, which would vanish in the dark."""
    return "#666666" if color(group) == "black" else color(group)


def thin(group: str, width: float = 0.5, alpha: float = 0.3) -> dict:
    """Look of the thin line of one network among many; grey ones are fainter by themselves and so less transparent."""
    return {"color": line_color(group), "lw": width, "alpha": max(alpha, 0.75) if color(group) == "black" else alpha}


def order(groups: Iterable[str]) -> list[str]:
    """The groups that occur, in the order of the palette, others after them."""
    present = set(groups)
    place = {name: k for k, name in enumerate(PALETTE)}
    return sorted(present, key=lambda g: (place.get(ALIASES.get(g, g), len(place)), g))


def points(ax, x, y, groups, *, low=None, high=None, size: float = 55, alpha: float = 0.9, **options):
    """Scatter points of training groups, with intervals where given.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : array-like (n,)
    groups : array-like of str (n,)
        Training group of each point.
    low, high : array-like (n,), optional
        Ends of the interval of ``y``.
    size : float
        Area of a marker, points squared.
    """
    x, y, groups = np.asarray(x, float), np.asarray(y, float), np.asarray(groups, object).astype(str)
    if low is not None and high is not None:
        ax.vlines(x, np.asarray(low, float), np.asarray(high, float), color=GREY, lw=0.9, alpha=0.6, zorder=2)
    for group in order(groups):
        at = groups == group
        if group == YOURS:  # a star that stands out, and a line where nothing says how far right it belongs
            for value in y[at & ~np.isfinite(x)]:
                ax.axhline(value, color=color(group), lw=1.8, zorder=2.5)
        look = {"c": color(group), "marker": marker(group), "edgecolors": OUTLINE, "linewidths": 0.8, "alpha": alpha}
        above = {"s": 4 * size, "zorder": 5} if group == YOURS else {"s": size, "zorder": 3}
        ax.scatter(x[at], y[at], label=group, **above, **look, **options)


def single_runs(ax, points, at, along: str = "y") -> None:
    """Small ticks at the value of every training run, where a network has several.

    Parameters
    ----------
    points : DataFrame
        Column ``each``: the values in words; without it nothing is drawn.
    at : sequence of float
        Place of each network on the other axis.
    along : {"y", "x"}
        The axis that holds the values.
    """
    for place, words in zip(np.asarray(at, float), points["each"].astype(str) if "each" in points else ()):
        values = [float(v) for v in words.split()] if " " in words else []
        xy = ([place] * len(values), values) if along == "y" else (values, [place] * len(values))
        ax.scatter(*xy, s=16, marker="_" if along == "y" else "|", color=GREY, linewidths=1, zorder=2.5)


def group_legend(target, groups: Iterable[str], lines: bool = False, **options):
    """Legend of training groups, for an Axes or a Figure; ``lines``: lines, not markers."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=line_color(g), lw=2, label=g)
        if lines
        else Line2D([], [], ls="", marker=marker(g), color=color(g), mec=OUTLINE, mew=0.8, ms=7, label=g)
        for g in order(groups)
    ]
    return legend(target, handles, **options)


def legend(target, handles, labels=None, *, ncols: int = 3, fontsize: float = 9.5, **options):
    """A legend of an Axes or a Figure, in as many columns as there is room for, ``ncols`` at most."""
    handles = list(handles)
    labels = [h.get_label() for h in handles] if labels is None else list(labels)
    figure = target.get_figure() or target
    share = 1.0 if target is figure else target.get_position().width
    longest = max((len(str(label)) for label in labels), default=1)
    room = 72 * figure.get_figwidth() * share / ((0.55 * longest + 3.8) * fontsize)
    return target.legend(handles, labels, fontsize=fontsize, ncols=max(1, min(ncols, int(room))), **options)


def reference_line(ax, value: float, label: str, *, axis: str = "y", style: str = ":", at: float = 0.99) -> None:
    """A line at ``value`` with its label on it, such as chance or a human ceiling.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    value : float
        Where, in data units.
    label : str
    axis : {"y", "x"}
        The axis that holds the value: "y" draws a horizontal line.
    at : float
        Place of the label along the line, 0 to 1.
    """
    line, words = {"color": GREY, "ls": style, "lw": 1.4, "zorder": 1}, {"fontsize": 9.5, "color": GREY}
    if axis == "y":
        place = {"transform": ax.get_yaxis_transform(), "ha": "right" if at > 0.5 else "left", "va": "bottom"}
        ax.axhline(value, **line)
        ax.text(at, value, label, **place, **words)
    else:
        place = {"transform": ax.get_xaxis_transform(), "ha": "right", "va": "top" if at > 0.5 else "bottom"}
        ax.axvline(value, **line)
        ax.text(value, at, label, rotation=90, **place, **words)


def identity_line(ax) -> None:
    """The dashed line y = x over the present limits."""
    low, high = min(ax.get_xlim()[0], ax.get_ylim()[0]), max(ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot([low, high], [low, high], color=GREY, ls="--", lw=1.1, zorder=1)
    ax.set(xlim=(low, high), ylim=(low, high))
    place = {"xytext": (-24, -12), "textcoords": "offset points", "ha": "right"}  # beside the line, not across it
    ax.annotate("equal", (high, high), fontsize=9.5, color=GREY, **place)


def fit_line(ax, x, y) -> tuple[float, float]:
    """Least-squares line through the points, dashed; returns slope and intercept (NaN with fewer than 2 points)."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    at = np.isfinite(x) & np.isfinite(y)
    if at.sum() < 2 or np.ptp(x[at]) == 0:
        return float("nan"), float("nan")
    slope, intercept = np.polyfit(x[at], y[at], 1)
    ends = np.array([x[at].min(), x[at].max()])
    ax.plot(ends, slope * ends + intercept, color=GREY, ls="--", lw=1.3, zorder=1)
    return float(slope), float(intercept)
