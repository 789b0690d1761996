"""Figures of the page on real human data: pure functions of its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..plots import panels, style

CHANCE = 1 / 3
TITLES = {"things/testset1": "test set 1", "things/testset2": "test set 2"}


def _interval(ax, x, y, row, colour, marker="o", horizontal=True, **options):
    if horizontal:
        ax.plot([row.low, row.high], [y, y], color=style.GREY, lw=1.4, zorder=2)
        ax.plot(row.value, y, marker=marker, color=colour, mec=style.OUTLINE, ms=8, ls="", zorder=3, **options)
    else:
        ax.plot([x, x], [row.low, row.high], color=style.GREY, lw=1.4, zorder=2)
        ax.plot(x, row.value, marker=marker, color=colour, mec=style.OUTLINE, ms=8, ls="", zorder=3, **options)


@panels.figure
def accuracies(table: pd.DataFrame, facts: pd.DataFrame):
    """Odd-one-out accuracy of embeddings and networks on two human test sets, with the ceilings people set."""
    rows = table[(table.measure == "accuracy") & (table.stage == "zero-shot") & table.dataset.isin(list(TITLES))]
    facts = facts.set_index("model")
    order = rows.groupby("model")["value"].mean().sort_values().index
    fig, axes = panels.axes(0.55 * len(order) + 1.7, 1, 2, sharey=True)
    for ax, dataset in zip(axes, ("things/testset1", "things/testset2")):
        part = rows[rows.dataset == dataset]
        for y, model in enumerate(order):
            own = part[part.model == model]
            best = own.loc[[own.value.idxmax()]].itertuples()
            for row in best:
                group = facts.loc[model, "group"]
                _interval(ax, None, y, row, style.color(group), style.marker(group))
        ceilings = table[(table.measure == "ceiling") & (table.dataset == dataset)]
        marks = [(f"people, {row.detail}", row.value) for row in ceilings.sort_values("value").itertuples()]
        for k, (label, value) in enumerate([("chance", CHANCE), *marks]):
            outer = k == len(marks)  # the last label stands right of its line, the others left of theirs
            ax.axvline(value, color=style.GREY, ls=":", lw=1.4, zorder=1)
            ax.annotate(
                label,
                (value, 0.02),
                xycoords=ax.get_xaxis_transform(),
                xytext=(3 if outer else -2, 0),
                textcoords="offset points",
                ha="left" if outer else "right",
                rotation=90,
                fontsize=9.5,
                color=style.GREY,
            )
        ax.set(title=TITLES[dataset], xlabel="odd-one-out accuracy", xlim=(0.28, 0.78), ylim=(-0.6, len(order) - 0.4))
    axes[0].set_yticks(range(len(order)), [facts.loc[m, "name"] for m in order])
    return fig


@panels.figure
def row_order(table: pd.DataFrame, facts: pd.DataFrame):
    """What meeting rows by position instead of by name costs, on all trials and on the trials it touches."""
    facts = facts.set_index("model")
    rows = table[table.dataset == "things/test_10_id"].copy()
    rows[["order", "scope"]] = rows["detail"].str.split(", ", expand=True)
    models = [m for m in facts.index if m in set(rows.model)]
    size = (style.WIDTH, 0.55 * len(models) + 1.9)
    fig, axes = panels.axes(size[1], 1, 2, width=size[0], sharey=True)
    for ax, scope in zip(axes, ("all trials", "affected trials")):
        for y, model in enumerate(models):
            part = rows[(rows.model == model) & (rows.scope == scope)].set_index("order")
            right, wrong = part.loc["right order"], part.loc["wrong order"]
            ax.plot([wrong.value, right.value], [y, y], color=style.GREY, lw=1.5, zorder=1)
            _interval(ax, None, y, right, "darkcyan", "o", label="rows met by name" if y == 0 else None)
            _interval(ax, None, y, wrong, "coral", "X", label="rows met by position" if y == 0 else None)
        n = int(rows[rows.scope == scope]["n"].max())
        ax.set(title=f"{scope} ({n:,})", xlabel="odd-one-out accuracy", ylim=(-0.6, len(models) - 0.4))
        ax.set_xlim(CHANCE - 0.05, rows["high"].max() + 0.02)
        style.reference_line(ax, CHANCE, "chance", axis="x")
    axes[0].set_yticks(range(len(models)), [facts.loc[m, "name"] for m in models])
    style.legend(fig, *axes[0].get_legend_handles_labels(), fontsize=9.5, loc="outside lower center", ncols=2)
    return fig


@panels.figure
def category_rdms(table: pd.DataFrame):
    """Mean dissimilarity between the categories of the 92 images (percentile ranks), people beside SqueezeNet."""
    who = list(dict.fromkeys(table["model"]))
    names = list(dict.fromkeys(table["first"]))
    fig, axes = panels.axes(3.4, 1, len(who), sharey=True)
    for ax, one in zip(np.atleast_1d(axes), who):
        part = table[table["model"] == one]
        grid = part.pivot(index="first", columns="second", values="rank").loc[names, names]
        look = {"vmin": 0, "vmax": 100, "cmap": "viridis", "square": True, "cbar": False}
        panels.heat_map(ax, grid, annot=True, fmt=".0f", annot_kws={"fontsize": 8.5}, **look)
        ax.tick_params(length=0, labelsize=9)
        ax.set_xticks(ax.get_xticks(), names, rotation=40, ha="right")
        ax.set(title=one, xlabel="", ylabel="")
    bar = fig.colorbar(ax.collections[0], ax=axes, shrink=0.7, label="dissimilarity,\npercentile rank")
    bar.outline.set_visible(False)
    return fig


@panels.figure
def concept_map(places: pd.DataFrame, shown: int = 7):
    """t-SNE map of the concepts, the largest categories in colour and each named at its middle."""
    colours = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b"]
    largest = places[places.category != "other"]["category"].value_counts().index[:shown]
    fig, ax = panels.axes(5.4)
    rest = places[~places.category.isin(largest)]
    ax.scatter(rest.x, rest.y, s=5, color=style.GREY, alpha=0.35, lw=0, label="other")
    for category, colour, marker in zip(largest, colours, "os^PXDv"):
        part = places[places.category == category]
        ax.scatter(part.x, part.y, s=16, color=colour, marker=marker, lw=0, alpha=0.9, label=category)
    style.legend(fig, *ax.get_legend_handles_labels(), fontsize=9, ncols=4, loc="outside lower center")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return fig
