"""Figures of zero-shot odd-one-out accuracy: the form of Fig. 2 of the first paper and of its appendix figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import panels, style

CHANCE = 1 / 3
YLABEL = "odd-one-out accuracy"


def overview(points: pd.DataFrame, ceiling: float | None = None, title: str = ""):
    """Six panels of zero-shot accuracy (form of Fig. 2); see :func:`humalign.plots.panels.six`."""
    return panels.six(points, YLABEL, chance=CHANCE, ceiling=ceiling, title=title)


def ladder(points: pd.DataFrame, references: pd.DataFrame, ceilings: pd.DataFrame):
    """Every network as one bar of a ladder, with simple descriptions, chance and people's limits beside them.

    Parameters
    ----------
    points : DataFrame
        Facts, value, low, high.
    references, ceilings : DataFrame
        Result tables of :func:`humalign.studies.zero_shot.references` and ``ceilings``.
    """
    from matplotlib import pyplot as plt

    rows = points.sort_values("value").reset_index(drop=True)
    fig, ax = plt.subplots(figsize=(style.WIDTH, 1.6 + 0.165 * len(rows)), layout="constrained")
    y = np.arange(len(rows))
    ax.hlines(y, rows["low"], rows["high"], color=style.GREY, lw=1, alpha=0.6, zorder=2)
    style.single_runs(ax, rows, y, along="x")
    for group in style.order(rows["group"]):
        at = rows["group"] == group
        ax.scatter(
            rows["value"][at],
            y[at],
            s=34,
            c=style.color(group),
            marker=style.marker(group),
            edgecolors=style.OUTLINE,
            linewidths=0.8,
            zorder=3,
        )
    ax.set_yticks(y, [f"{n}  {name}" for n, name in zip(rows["number"], rows["name"])], fontsize=8.5)
    ax.set_ylim(-1, len(rows))
    marks = [("chance", CHANCE, ":")]
    marks += [(r.model, r.value, "--") for r in references.itertuples()]
    marks += [(f"people, {r.detail}", r.value, "-.") for r in ceilings.itertuples()]
    for _, value, line in marks:
        ax.axvline(value, color=style.GREY, ls=line, lw=1.1, zorder=1)
    ax.set_xlabel(YLABEL)
    ax.grid(axis="y", lw=0.5)
    ax.tick_params(axis="y", length=0)
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=3)
    panels.tops(ax, marks)
    return fig


def coarse(things: pd.DataFrame, coarse_points: pd.DataFrame, ceiling: float | None = None):
    """Accuracy on the coarse category task and on human choices against classification accuracy (appendix A1)."""
    from matplotlib import pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 4.0), layout="constrained")
    for ax, points, title, top in (
        (axes[0], coarse_points, "coarse categories", None),
        (axes[1], things, "people's choices", ceiling),
    ):
        style.points(
            ax,
            points["reference_accuracy"],
            points["value"],
            points["group"],
            low=points["low"],
            high=points["high"],
            size=42,
        )
        trained = points[points["group"] != "Untrained"]
        panels.fit(ax, trained["reference_accuracy"], trained["value"])
        ax.set_ylim(panels.limits(points, CHANCE, top))
        panels.lines(ax, CHANCE, top)
        ax.set(xlabel="classification accuracy", title=title)
    axes[0].set_ylabel(YLABEL)
    style.group_legend(fig, things["group"], loc="outside lower center", ncols=3)
    return fig


def objective_class(facts: pd.DataFrame) -> pd.Series:
    """Class of each network's objective, as the paper's figures of two layers mark it.

    Parameters
    ----------
    facts : DataFrame
        group, objective, augmentation.
    """
    plus = ("cosine softmax", "logit norm", "label smoothing", "logit penalty", "extra", "mixup")

    def name(row) -> str:
        words = f"{row.objective} {row.augmentation}".lower()
        if row.group == "Image/Text":
            return "Image/Text (contrastive)"
        if row.group == "Self-Supervised":
            return "Self-sup."
        if "sigmoid" in words:
            return "Sigmoid"
        if "squared error" in words:
            return "Squared error"
        return "Softmax+" if any(p in words for p in plus) else "Softmax"

    return pd.Series([name(row) for row in facts.itertuples()], index=facts.index, dtype=object)


def two_layers(pairs: pd.DataFrame, ceiling: float | None = None, what: str = YLABEL, chance: float | None = CHANCE):
    """Logits against penultimate layer, every network one point, marked by its objective (appendix A2 and A3)."""
    from matplotlib import pyplot as plt

    pairs = pairs.assign(group=objective_class(pairs))
    fig, ax = plt.subplots(figsize=(5.4, 5.6), layout="constrained")
    panels.identity(ax, pairs, f"{what}, penultimate", f"{what}, logits", chance=chance, ceiling=ceiling)
    far = pairs.reindex(pairs["difference"].abs().sort_values(ascending=False).index).head(8)
    style.group_legend(fig, pairs["group"], loc="outside lower center", ncols=2)
    fig.canvas.draw()
    panels.label_points(ax, far["x"], far["y"], far["number"])
    return fig


def kernels(by_layer: dict[str, pd.DataFrame]):
    """Cosine against dot product, one panel a layer (appendix A4).

    Parameters
    ----------
    by_layer : dict of str to DataFrame
        Layer to pairs: x = dot product, y = cosine.
    """
    from matplotlib import pyplot as plt

    fig, axes = plt.subplots(1, len(by_layer), figsize=(style.WIDTH, 4.4), layout="constrained", squeeze=False)
    for ax, (layer, pairs) in zip(axes[0], by_layer.items()):
        panels.identity(ax, pairs, "accuracy, dot product", "accuracy, cosine", title=layer, chance=CHANCE)
    groups = pd.concat(by_layer.values())["group"]
    style.group_legend(fig, groups, loc="outside lower center", ncols=3)
    return fig


def differences(pairs: pd.DataFrame, label: str = "logits minus penultimate, percentage points"):
    """Bars of the difference of two values, network by network, sorted; bars below zero are hatched."""
    from matplotlib import pyplot as plt

    rows = pairs.sort_values("difference").reset_index(drop=True)
    fig, ax = plt.subplots(figsize=(style.WIDTH, 1.4 + 0.165 * len(rows)), layout="constrained")
    y, value = np.arange(len(rows)), 100 * rows["difference"]
    bars = ax.barh(
        y, value, color=[style.color(g) for g in rows["group"]], edgecolor=style.OUTLINE, lw=0.6, height=0.75
    )
    for bar, v in zip(bars, value):
        if v < 0:
            bar.set_hatch("////")
    ax.axvline(0, color=style.GREY, lw=1)
    ax.set_yticks(y, [f"{n}  {name}" for n, name in zip(rows["number"], rows["name"])], fontsize=8.5)
    ax.set_ylim(-1, len(rows))
    ax.set_xlabel(label)
    ax.tick_params(axis="y", length=0)
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=3)
    return fig


def control(pairs: pd.DataFrame):
    """Accuracy for the observers whose concepts are permuted (y) against the ordinary observers (x)."""
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
    ax.hlines(pairs["y"], pairs["x_low"], pairs["x_high"], color=style.GREY, lw=0.8, alpha=0.4, zorder=2)
    style.points(ax, pairs["x"], pairs["y"], pairs["group"], low=pairs["y_low"], high=pairs["y_high"], size=42)
    panels.lines(ax, CHANCE, None)
    ends = panels.limits(pairs.rename(columns={"y": "value", "y_low": "low", "y_high": "high"}), CHANCE)
    middle, half = CHANCE, max(abs(ends[0] - CHANCE), abs(ends[1] - CHANCE), 0.02)
    ax.set(
        xlabel="accuracy, people",
        ylabel="accuracy, people with\npermuted concepts",
        ylim=(middle - half, middle + half),
    )
    style.group_legend(fig, pairs["group"], loc="outside lower center", ncols=2)
    return fig
