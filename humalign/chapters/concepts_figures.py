"""Figures of the chapter on concepts: by dimension (form of Fig. 5 of the first paper), ranking, regression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import MissingData
from ..plots import panels, style
from . import networks
from .concepts import FEW, PROBED, SAME, ZERO
from .zero_shot import CHANCE

TITLES = {ZERO: "zero-shot", SAME: "zero-shot, same triplets", PROBED: "after probing"}


def swarm(y, at: float, *, step: float, gap: float, most: float = 0.42) -> np.ndarray:
    """Places on the x axis around ``at`` so that points with close values do not hide each other.

    Parameters
    ----------
    y : float (n,)
    step : float
        Distance of neighbours in x.
    gap : float
        Values closer than this count as close.
    most : float
        Largest distance from ``at``.
    """
    y = np.asarray(y, float)
    x = np.full(len(y), float(at))
    offsets = [0.0] + [sign * k * step for k in range(1, int(most / step) + 1) for sign in (1, -1)]
    done: list[int] = []
    for i in np.argsort(y, kind="stable"):
        near = [j for j in done if abs(y[j] - y[i]) < gap]
        free = [o for o in offsets if all(abs(x[j] - at - o) > 0.9 * step for j in near)]
        x[i] = at + (free[0] if free else 0.0)
        done.append(i)
    return x


def _mosaic(pictures, columns: int = 3, gap: int = 2) -> np.ndarray:
    """Pictures (n, s, s, 3) as one RGBA image, transparent between them."""
    pictures = np.asarray(pictures)
    n, size = len(pictures), pictures.shape[1]
    rows = -(-n // columns)
    out = np.zeros((rows * (size + gap) - gap, columns * (size + gap) - gap, 4), np.uint8)
    for k, picture in enumerate(pictures):
        top, left = (k // columns) * (size + gap), (k % columns) * (size + gap)
        out[top : top + size, left : left + size, :3] = picture
        out[top : top + size, left : left + size, 3] = 255
    return out


def limits(points: pd.DataFrame) -> tuple[float, float]:
    """Range of all accuracies that are drawn, out to the next twentieth: the same for all pages."""
    ends = points.loc[points["n"] >= FEW, "value"]
    return np.floor(20 * ends.min()) / 20, np.ceil(20 * ends.max()) / 20


@panels.figure
def page(points: pd.DataFrame, dimensions, pictures: dict, kinds, ylim, stages=(ZERO, PROBED)):
    """Up to three dimensions: leading pictures, accuracy before, accuracy after probing (form of Fig. 5).

    Each dimension has a column of its own. Accuracies on fewer than 20 triplets are left out, and the panel says so.

    Parameters
    ----------
    points : DataFrame
        dimension, stage, kind (place on the x axis), group, value, n: one row a network.
    dimensions : sequence of str
        Up to three.
    pictures : dict of str to uint8 (n, s, s, 3)
        The pictures that load most heavily on each.
    kinds : sequence of str
        Order of the x axis.
    ylim : pair of float
        The same for all pages.

    Raises
    ------
    MissingData
        Without any dimension.
    """
    if not len(dimensions):
        told = "shows no dimensions, as people's have other names than those of the paper's figure"
        raise MissingData(told, "this figure", "nothing is missing: the others follow below")
    heights, wide = [1.15, *[1.5] * len(stages)], max(4.2, 0.65 + (style.WIDTH - 0.65) * len(dimensions) / 3)
    fig, axes = panels.axes(sum(heights) + 1.35, len(heights), len(dimensions), wide, height_ratios=heights,
                            stack="columns", squeeze=False)  # fmt: skip
    for column, name in enumerate(dimensions):
        top = axes[0, column]
        top.imshow(_mosaic(pictures[name]), interpolation="antialiased")
        counts = points[points["dimension"] == name].drop_duplicates("stage").set_index("stage")["n"].reindex(stages)
        top.set_title(f"{name}\n", fontsize=11)
        text = "n = " + ", ".join(f"{n:,.0f}" for n in counts)
        top.text(0.5, 1.03, text, transform=top.transAxes, ha="center", va="bottom", fontsize=8.5, color=style.GREY)
        for ax, stage in zip(axes[1:, column], stages):
            part = points[(points["dimension"] == name) & (points["stage"] == stage)]
            if len(part) and part["n"].iloc[0] < FEW:
                words = f"fewer than {FEW}\ntriplets"
                ax.text(0.5, 0.6, words, transform=ax.transAxes, ha="center", fontsize=8.5, color=style.GREY)
                part = part.iloc[:0]
            _strip(ax, part, kinds, ylim)
            ax.axhline(CHANCE, color=style.GREY, ls=":", lw=1.2, zorder=1)
            if column == len(dimensions) - 1:
                beside = {"xytext": (2, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
                place = ax.get_yaxis_transform()
                ax.annotate("chance", (1, CHANCE), xycoords=place, fontsize=8.5, color=style.GREY, **beside)
            if column == 0 or style.narrow():
                ax.set_ylabel(f"accuracy,\n{TITLES.get(stage, stage)}", fontsize=9.5)
            else:
                ax.set_yticklabels([])
            bottom = stage == stages[-1]
            ax.set_xticks(range(len(kinds)), kinds if bottom else [], rotation=90, fontsize=8.5)
    for ax in axes[0]:
        ax.axis("off")
    style.group_legend(fig, points["group"], loc="outside lower center", ncols=1 + len(dimensions))
    return fig


def explorer(points: pd.DataFrame, dimensions, pictures: dict, about: str):
    """All dimensions to explore, one at a time: accuracy after probing against zero-shot, and the leading pictures.

    Parameters
    ----------
    points, dimensions, pictures
        As for :func:`page`; any number of dimensions. Accuracies on fewer than 20 triplets are left out.
    about : str
        Whose judgments these are.

    Returns
    -------
    humalign.plots.explorer.Explorer or None
        None where no dimension has enough triplets before and after probing.
    """
    from ..plots import explorer

    used = points[(points["n"] >= FEW) & points["dimension"].isin(dimensions)]
    wide = used.pivot(index=["model", "group"], columns=["stage", "dimension"], values="value")
    frame = pd.DataFrame({f"{stage} {name}": wide[stage, name] for stage, name in wide.columns}).reset_index()
    frame = frame.rename(columns={"model": "name"})
    both = [name for name in dimensions if {f"{ZERO} {name}", f"{PROBED} {name}"} <= set(frame)]
    if not both:
        return None
    numbers = [
        explorer.Number(f"{stage} {name}", f"{name}: accuracy {TITLES[stage]}")
        for name in both
        for stage in (ZERO, PROBED)
    ]
    pairs = [explorer.Pair(name, f"{ZERO} {name}", f"{PROBED} {name}", _address(pictures[name]),
                           f"The pictures that weigh most on {name}") for name in both]  # fmt: skip
    return explorer.explorer(frame, numbers, "explore-dimensions", about, pairs)


def _address(pictures) -> str:
    """Pictures (n, s, s, 3) in one row as a ``data:`` address."""
    import base64
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(_mosaic(pictures, columns=len(pictures))).save(out, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _strip(ax, part, kinds, ylim) -> None:
    ax.set_ylim(ylim)
    ax.set_xlim(-0.7, len(kinds) - 0.3)
    ax.tick_params(labelsize=8.5, length=2)
    place = {k: i for i, k in enumerate(kinds)}
    for kind, rows in part.groupby("kind"):
        x = swarm(rows["value"], place[kind], step=0.21, gap=0.045 * (ylim[1] - ylim[0]))
        style.points(ax, x, rows["value"], rows["group"], size=15, alpha=0.75)


@panels.figure
def ranking(table: dict[str, pd.DataFrame]):
    """Mean accuracy of each training group within each dimension, dimensions sorted, one panel a stage.

    The frame holds all values; wide intervals of dimensions with few triplets leave it.

    Parameters
    ----------
    table : dict of str to DataFrame
        Stage to dimension, group, value, low, high.
    """
    last = list(table.values())[-1]
    order = networks.trained(last).groupby("dimension")["value"].mean().sort_values().index
    place = {name: i for i, name in enumerate(order)}
    values = pd.concat(table.values())["value"]
    xlim = values.min() - 0.04, values.max() + 0.04
    fig, axes = panels.axes(1.4 + 0.165 * len(order), 1, len(table), sharey=True, sharex=True, squeeze=False)
    for ax, (stage, part) in zip(axes[0], table.items()):
        y = part["dimension"].map(place)
        ax.hlines(y, part["low"], part["high"], color=style.GREY, lw=0.7, alpha=0.3, zorder=1)
        panels.dots(ax, part["value"], y, part["group"], size=24)
        ax.axvline(CHANCE, color=style.GREY, ls=":", lw=1.2)
        top = ax.get_xaxis_transform()
        ax.text(CHANCE, 1.002, "chance", transform=top, ha="center", va="bottom", fontsize=8.5, color=style.GREY)
        ax.grid(axis="y", lw=0.5)
        ax.set(xlabel="accuracy", ylim=(-1, len(order)), xlim=xlim)
        ax.set_title(TITLES.get(stage, stage), pad=16)
        ax.tick_params(axis="y", length=0)
        ax.set_yticks(range(len(order)), order, fontsize=8.5)
    style.group_legend(fig, last["group"], **panels.BELOW)
    return fig


@panels.figure
def r2(table: dict[str, pd.DataFrame], order):
    """R2 of every dimension from heavy to light: thin lines networks, thick lines means of the training groups.

    Parameters
    ----------
    table : dict of str to DataFrame
        Title of the panel (layer) to model, group, detail (dimension), value.
    order : sequence of str
        Dimensions, the heaviest first.
    """
    if upright := style.narrow():  # dimensions below each other, so that their names have room
        fig, axes = panels.axes((0.16 * len(order) + 0.8) * len(table), len(table), squeeze=False)
    else:
        fig, axes = panels.axes(3.0 * len(table) + 1.4, len(table), sharex=True, squeeze=False)
    x, groups = np.arange(len(order)), set()
    for ax, (title, part) in zip(axes[:, 0], table.items()):
        for _, rows in part.groupby("model"):
            line = (x, rows.set_index("detail")["value"].reindex(order))
            ax.plot(*(line[::-1] if upright else line), **style.thin(rows["group"].iloc[0]))
        for group in style.order(part["group"]):
            mean = part[part["group"] == group].groupby("detail")["value"].mean().reindex(order)
            look = {"color": style.color(group), "marker": style.marker(group), "mec": style.OUTLINE}
            line = (mean, x) if upright else (x, mean)
            ax.plot(*line, ms=4.5, lw=1.3, mew=0.5, path_effects=style.casing(group, 1.3), **look)
            groups.add(group)
        (ax.axvline if upright else ax.axhline)(0, color=style.GREY, lw=1, ls=":")
        ends, label = (max(-0.35, part["value"].min() - 0.05), 1), "R², held-out concepts"
        ax.set(title=title, **({"xlim": ends, "xlabel": label} if upright else {"ylim": ends, "ylabel": label}))
        if upright:
            ax.set_yticks(x, order, fontsize=8.5)
            ax.set_ylim(len(order), -1)
    if not upright:
        axes[-1, 0].set_xticks(x, order, rotation=90, fontsize=8.5)
    style.group_legend(fig, groups, **panels.BELOW)
    return fig


@panels.figure
def regression(pairs: dict[str, pd.DataFrame]):
    """Accuracy of the regressed dimensions (y) against probed accuracy (x), one panel a layer (appendix A9)."""
    fig = panels.identities(pairs, "accuracy, probed", "accuracy, regression", 4.5, chance=CHANCE)
    for ax, part in zip(fig.axes, map(networks.trained, pairs.values())):
        if len(part) > 2:
            text = f"r = {np.corrcoef(part['x'], part['y'])[0, 1]:.2f}".replace("-", "−")
            ax.text(0.16, 0.93, text, transform=ax.transAxes, fontsize=9.5, color=style.GREY)
    return fig
