"""Figures of the chapter on probing: the form of Fig. 4 of the first paper, gains, strengths and solvers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..plots import panels, style
from ..plots.slider import Panel, slider
from .zero_shot import CHANCE

EXACT, PAPER = "#4477aa", "#ee6677"  # of two ways to do the same
DOT = {"edgecolors": style.OUTLINE, "zorder": 3}
TITLES = {"cichy": "118 pictures", "king1": "144 pictures, set 1", "king2": "144 pictures, set 2"}


def effect(accuracy: pd.DataFrame, agreement: dict[str, pd.DataFrame], ceiling: float | None = None):
    """Before and after the transform: odd-one-out accuracy, and agreement with arrangements (form of Fig. 4).

    Parameters
    ----------
    accuracy : DataFrame
        Pairs: x = zero-shot accuracy on the held-out triplets, y = probed accuracy.
    agreement : dict of str to DataFrame
        Title to pairs: x = Spearman's rho of raw features, y = of transformed features.
    ceiling : float, optional
        Limit set by people on the accuracy.
    """
    shown = {"Choices on held-out concepts": accuracy, **agreement}
    words = {title: ("Spearman's ρ, raw", "Spearman's ρ, transformed") for title in agreement}
    return _before_after(shown, {"Choices on held-out concepts": ceiling}, words)


@panels.figure
def effects(accuracy: dict[str, pd.DataFrame], ceilings: dict[str, float]):
    """The same for accuracy on several sets of answers; few networks, so each is named.

    Parameters
    ----------
    accuracy : dict of str to DataFrame
        Title to pairs: x = zero-shot accuracy, y = probed accuracy on the same triplets.
    ceilings : dict of str to float
        Title to the limit set by people, where one is known.
    """
    fig = _before_after(accuracy, ceilings, {})
    fig.canvas.draw()
    for ax, pairs in zip(fig.axes, accuracy.values()):
        panels.label_points(ax, pairs["x"], pairs["y"], pairs["name"].str.partition(" ")[0])
    return fig


@panels.figure
def photographs(parts: dict[str, pd.DataFrame], group: str):
    """The transform, and regression after it, of all networks; those of one group are named.

    Parameters
    ----------
    parts : dict of str to DataFrame
        Title to pairs: zero-shot and probed accuracy, then probed accuracy and that with regressed dimensions.
    group : str
    """
    fig, axes = panels.axes(4.6, 1, 2)
    words = (("accuracy, zero-shot", "accuracy, probed"), ("accuracy, probed", "accuracy, regression"))
    for ax, (xlabel, ylabel), (title, pairs) in zip(axes, words, parts.items()):
        panels.identity(ax, pairs, xlabel, ylabel, title=title, chance=CHANCE)
    style.group_legend(fig, pd.concat(parts.values())["group"], **panels.BELOW)
    fig.canvas.draw()
    for ax, pairs in zip(axes, parts.values()):
        known = pairs[pairs["group"] == group]
        panels.label_points(ax, known["x"], known["y"], known["name"].str.removeprefix("EfficientNet-"))
    return fig


@panels.figure
def _before_after(parts: dict[str, pd.DataFrame], ceilings: dict, words: dict):
    """Panels of values after against before, with letters; titles that are not among ``words`` are about accuracy."""
    fig, axes = panels.axes(7.9, 2, 2)
    for ax, letter, (title, pairs) in zip(axes.flat, "abcd", parts.items()):
        xlabel, ylabel = words.get(title, ("accuracy, zero-shot", "accuracy, probed"))
        limits = {} if title in words else {"chance": CHANCE, "ceiling": ceilings.get(title)}
        panels.identity(ax, pairs, xlabel, ylabel, title=f"{letter}  {title}", **limits)
    for ax in axes.ravel()[len(parts) :]:
        ax.axis("off")
    style.group_legend(fig, next(iter(parts.values()))["group"], **panels.BELOW)
    return fig


@panels.figure
def gains(points: pd.DataFrame):
    """What the probe adds, network by network, sorted (percentage points, with intervals).

    Parameters
    ----------
    points : DataFrame
        Facts; value, low, high: the difference as a share.
    """
    rows = points.sort_values("value").reset_index(drop=True)
    fig, ax, y = panels.ladder(rows)
    ax.hlines(y, 100 * rows["low"], 100 * rows["high"], color=style.GREY, lw=1, alpha=0.7, zorder=2)
    panels.dots(ax, 100 * rows["value"], y, rows["group"])
    ax.axvline(0, color=style.GREY, lw=1)
    ax.set_xlabel("probed minus zero-shot, percentage points, same held-out triplets")
    return fig


@panels.figure
def strengths(curves: pd.DataFrame, models: pd.DataFrame, top: float | None = None):
    """Held-out cross-entropy and accuracy along the strength of the penalty, one line a network; dots: selected.

    Parameters
    ----------
    curves : DataFrame
        model, strength, ce, accuracy, selected.
    models : DataFrame
        Facts, for the colours.
    top : float, optional
        Upper end of the frame of the cross-entropy, nats; what lies higher leaves it.
    """
    group = models.set_index("model")["group"]
    fig, axes = panels.axes(4.0, 1, 2)
    for model, part in curves.groupby("model", sort=False):
        part = part.sort_values("strength")
        look = {"c": [style.color(group[model])], "marker": style.marker(group[model])}
        for ax, column in zip(axes, ("ce", "accuracy")):
            ax.plot(part["strength"], part[column], **style.thin(group[model], 1, 0.6))
            chosen = part[part["selected"]]
            ax.scatter(chosen["strength"], chosen[column], s=22, linewidths=0.6, **look, **DOT)
    for ax in axes:
        ax.set_xscale("log")
        ax.set_xlabel("strength of the penalty, λ")
    if top is not None:
        axes[0].set_ylim(curves["ce"].min() - 0.05 * (top - curves["ce"].min()), top)
    axes[0].axhline(np.log(3), color=style.GREY, ls=":", lw=1.4, zorder=1)
    place = {"xycoords": axes[0].get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
    axes[0].annotate("ln 3", (1, np.log(3)), xytext=(3, 0), fontsize=9, color=style.GREY, **place)
    panels.lines(axes[1], CHANCE, None)
    axes[0].set_ylabel("held-out cross-entropy, nats")
    axes[1].set_ylabel("held-out accuracy")
    style.group_legend(fig, group[curves["model"].unique()], loc="outside lower center", ncols=3)
    return fig


def slide(curves: pd.DataFrame, names: dict[str, str], about: str):
    """Cross-entropy on the triplets of training and on held-out ones, and accuracy, at one strength, with a slider.

    Parameters
    ----------
    curves : DataFrame
        model, strength, train_ce, ce, accuracy; the network with the highest accuracy is shown at first.
    names : dict of str to str
        Model to the name shown.
    about : str
        Whose judgments these are.
    """
    rows = curves.assign(network=curves["model"].map(names), best=curves.groupby("model")["accuracy"].transform("max"))
    rows = rows.sort_values(["best", "model"], ascending=False)
    shown = (Panel("cross-entropy, nats", {"train_ce": "triplets of training", "ce": "held-out triplets"}),
             Panel("held-out accuracy", {"accuracy": "held-out accuracy"}))  # fmt: skip
    return slider(rows, "strength", "strength of the penalty", shown, "slide-strength", about, rows["strength"].min())


@panels.figure
def solvers(table: pd.DataFrame, names: dict[str, str] | None = None):
    """Training objective and time of the exact solver beside the paper's, network by network.

    Parameters
    ----------
    table : DataFrame
        model, solver ("exact", "paper"), objective, seconds.
    names : dict of str to str, optional
        Display names.
    """
    wide = table.pivot(index="model", columns="solver", values=["objective", "seconds"])
    wide = wide.reindex(table["model"].unique())
    names, y = names or {}, np.arange(len(wide))
    fig, axes = panels.axes(1.7 + 0.45 * len(wide), 1, 2, sharey=True)
    for ax, column, label in ((axes[0], "objective", "training objective, nats"), (axes[1], "seconds", "seconds")):
        exact, paper = wide[column, "exact"], wide[column, "paper"]
        ax.hlines(y, exact, paper, color=style.GREY, lw=1.2, zorder=2)
        ax.scatter(exact, y, s=60, marker="o", c=EXACT, label="exact (full batch, Gram form)", **DOT)
        ax.scatter(paper, y, s=60, marker="s", c=PAPER, label="paper (mini-batch Adam)", **DOT)
        ax.set_xlabel(label)
    panels.log_ticks(axes[1], lambda value, _: f"{value:g}")
    axes[0].locator_params(axis="x", nbins=4)
    axes[0].set_yticks(y, [names.get(m, m) for m in wide.index])
    axes[0].set_ylim(-0.6, len(wide) - 0.4)
    for k, (fast, slow) in enumerate(zip(wide["seconds", "exact"], wide["seconds", "paper"])):
        place = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center", "fontsize": 9, "color": style.GREY}
        axes[1].annotate(f"{slow / fast:.0f} times", ((fast * slow) ** 0.5, k), **place)
    style.legend(fig, *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return fig


@panels.figure
def nested(table: pd.DataFrame, names: dict[str, str] | None = None):
    """Accuracy with the strength chosen on the reported folds and by nested folds, side by side."""
    wide = table.pivot(index="model", columns="selection", values="accuracy").reindex(table["model"].unique())
    names, y = names or {}, np.arange(len(wide))
    fig, ax = panels.axes(1.6 + 0.4 * len(wide), width=5.6)
    ax.hlines(y, wide.min(axis=1), wide.max(axis=1), color=style.GREY, lw=1.2)
    for column, shape, colour in (("same folds", "o", EXACT), ("nested folds", "s", PAPER)):
        ax.scatter(wide[column], y, s=60, marker=shape, c=colour, label=f"λ chosen on {column}", **DOT)
    ax.set_yticks(y, [names.get(m, m) for m in wide.index])
    ax.set(xlabel="held-out accuracy", ylim=(-0.6, len(wide) - 0.4))
    ax.locator_params(axis="x", nbins=5)
    style.legend(fig, *ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return fig
