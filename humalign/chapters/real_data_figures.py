"""Figures of the page on real human data: pure functions of its tables."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn

from ..plots import style

CHANCE = 1 / 3
TITLES = {"things/testset1": "test set 1", "things/testset2": "test set 2", "unseen objects": "unseen objects"}


def _interval(ax, x, y, row, colour, marker="o", horizontal=True, **options):
    if horizontal:
        ax.plot([row.low, row.high], [y, y], color=style.GREY, lw=1.4, zorder=2)
        ax.plot(row.value, y, marker=marker, color=colour, mec=style.OUTLINE, ms=8, ls="", zorder=3, **options)
    else:
        ax.plot([x, x], [row.low, row.high], color=style.GREY, lw=1.4, zorder=2)
        ax.plot(x, row.value, marker=marker, color=colour, mec=style.OUTLINE, ms=8, ls="", zorder=3, **options)


def accuracies(table: pd.DataFrame, facts: pd.DataFrame):
    """Odd-one-out accuracy of embeddings and networks on two human test sets, with the ceilings people set."""
    rows = table[(table.measure == "accuracy") & (table.stage == "zero-shot") & table.dataset.isin(list(TITLES))]
    facts = facts.set_index("model")
    order = rows.groupby("model")["value"].mean().sort_values().index
    fig, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 0.55 * len(order) + 1.7), sharey=True)
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


def row_order(table: pd.DataFrame, facts: pd.DataFrame):
    """What meeting rows by position instead of by name costs, on all trials and on the trials it touches."""
    facts = facts.set_index("model")
    rows = table[table.dataset == "things/test_10_id"].copy()
    rows[["order", "scope"]] = rows["detail"].str.split(", ", expand=True)
    models = [m for m in facts.index if m in set(rows.model)]
    size = (style.WIDTH, 0.55 * len(models) + 1.9)
    fig, axes = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
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
    fig.legend(*axes[0].get_legend_handles_labels(), fontsize=9.5, loc="outside lower center", ncols=2)
    return fig


def probe(table: pd.DataFrame, human: pd.DataFrame):
    """CLIP before and after the linear transform, on unseen triplets and on unseen objects."""
    rows = table[table.stage.isin(["zero-shot", "probed"]) & table.dataset.isin(list(TITLES))]
    rows = rows[rows.layer == "visual"]
    names = [d for d in TITLES if d in set(rows.dataset)]
    fig, ax = plt.subplots(figsize=(style.WIDTH, 3.7), layout="constrained")
    for x, dataset in enumerate(names):
        part = rows[rows.dataset == dataset].set_index("stage")
        before, after = part.loc["zero-shot"], part.loc["probed"]
        ax.plot([x - 0.12, x + 0.12], [before.value, after.value], color=style.GREY, lw=1.5, zorder=1)
        _interval(ax, x - 0.12, None, before, "#c9a0c9", "o", False, label="zero-shot (cosine)" if x == 0 else None)
        _interval(ax, x + 0.12, None, after, "darkmagenta", "s", False, label="after the transform" if x == 0 else None)
        ceiling = human[(human.dataset == dataset) & (human.detail == "leave-one-out")]
        for value in ceiling["value"]:
            ax.plot([x - 0.3, x + 0.3], [value, value], color=style.GREY, ls=":", lw=1.4)
            ax.text(x, value + 0.004, "people, leave-one-out", ha="center", fontsize=9, color=style.GREY)
    style.reference_line(ax, CHANCE, "chance")
    ax.set_xticks(range(len(names)), [TITLES[d] for d in names])
    ax.set(ylabel="odd-one-out accuracy", ylim=(0.31, 0.72), xlim=(-0.6, len(names) - 0.4))
    fig.legend(*ax.get_legend_handles_labels(), fontsize=9.5, loc="outside lower center", ncols=2)
    return fig


def glocal(table: pd.DataFrame):
    """CLIP ViT-L/14 with and without its published transform: similarity structure and choices."""
    fig, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 3.3))
    labels = {"spearman": "Spearman's ρ with\nSPoSE similarities", "accuracy": "odd-one-out accuracy"}
    for ax, (measure, label) in zip(axes, labels.items()):
        part = table[(table.model == "things_eeg2/clip_vit_l14") & (table.measure == measure)].set_index("stage")
        for x, (stage, colour) in enumerate((("zero-shot", "#c9a0c9"), ("gLocal", "darkmagenta"))):
            _interval(ax, x, None, part.loc[stage], colour, "os"[x], False)
        ax.set_xticks([0, 1], ["as it is", "gLocal"])
        ax.set(ylabel=label, xlim=(-0.6, 1.6))
        if measure == "accuracy":
            style.reference_line(ax, CHANCE, "chance")
            ax.set_title(f"{int(part['n'].iloc[0])} trials")
        else:
            ax.set_ylim(0, 1)
            ax.set_title(f"{int(part['n'].iloc[0])} concepts")
    return fig


def rsa92(table: pd.DataFrame):
    """Agreement of SqueezeNet with 16 people on 92 images: with their mean and with each, each with its own ceiling."""
    rows = table[table.dataset == "mur92"]
    ceiling = rows[rows.measure == "ceiling"].set_index("detail")["value"]
    people = int(rows[rows.measure == "ceiling"]["n"].max())
    layers = list(dict.fromkeys(rows[rows.measure == "spearman"]["layer"]))
    titles = {
        "spearman": f"with the mean of {people} people",
        "spearman with each person": "with single people, averaged",
    }
    limits = {"spearman": (ceiling["mean"],) * 2,
              "spearman with each person": (ceiling["single, lower"], ceiling["single, upper"])}  # fmt: skip
    size = (style.WIDTH, 0.6 * len(layers) + 1.9)
    fig, axes = plt.subplots(1, 2, figsize=size, sharey=True, sharex=True, layout="constrained")
    for ax, (measure, title) in zip(axes, titles.items()):
        low, high = limits[measure]
        if low < high:
            ax.axvspan(low, high, color=style.GREY, alpha=0.25, lw=0)
        ax.axvline(high, color=style.GREY, ls=":", lw=1.4)
        words = f"ceiling {high:.2f}" if low == high else f"ceiling {low:.2f} to {high:.2f}"
        ax.annotate(words, (high, 0.97), xycoords=ax.get_xaxis_transform(), xytext=(-4 if high > 0.7 else 4, 0),
                    textcoords="offset points", ha="right" if high > 0.7 else "left", va="top", fontsize=9.5,
                    color=style.GREY)  # fmt: skip
        for y, layer in enumerate(layers):
            part = rows[(rows.measure == measure) & (rows.layer == layer)]
            for row in part.itertuples():
                _interval(ax, None, y, row, "coral", "s")
        ax.set_title(title, fontsize=11)
        ax.set(xlim=(0, 1), ylim=(-0.5, len(layers) - 0.2))
    axes[0].set_yticks(range(len(layers)), layers)
    fig.supxlabel("Spearman's ρ", fontsize=11)
    return fig


def category_rdms(table: pd.DataFrame):
    """Mean dissimilarity between the categories of the 92 images (percentile ranks), people beside SqueezeNet."""
    who = list(dict.fromkeys(table["model"]))
    names = list(dict.fromkeys(table["first"]))
    fig, axes = plt.subplots(1, len(who), figsize=(style.WIDTH, 3.4), sharey=True)
    for ax, one in zip(np.atleast_1d(axes), who):
        part = table[table["model"] == one]
        grid = part.pivot(index="first", columns="second", values="rank").loc[names, names]
        seaborn.heatmap(grid, vmin=0, vmax=100, cmap="viridis", annot=True, fmt=".0f", annot_kws={"fontsize": 8},
                        square=True, cbar=False, ax=ax)  # fmt: skip
        ax.tick_params(length=0, labelsize=9)
        ax.set_xticks(ax.get_xticks(), names, rotation=40, ha="right")
        ax.set(title=one, xlabel="", ylabel="")
    bar = fig.colorbar(ax.collections[0], ax=axes, shrink=0.7, label="dissimilarity,\npercentile rank")
    bar.outline.set_visible(False)
    return fig


def concept_map(places: pd.DataFrame, shown: int = 7):
    """t-SNE map of the concepts, the largest categories in colour and each named at its middle."""
    colours = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b"]
    largest = places[places.category != "other"]["category"].value_counts().index[:shown]
    fig, ax = plt.subplots(figsize=(style.WIDTH, 5.4))
    rest = places[~places.category.isin(largest)]
    ax.scatter(rest.x, rest.y, s=5, color=style.GREY, alpha=0.35, lw=0, label="other")
    for category, colour, marker in zip(largest, colours, "os^PXDv"):
        part = places[places.category == category]
        ax.scatter(part.x, part.y, s=16, color=colour, marker=marker, lw=0, alpha=0.9, label=category)
    ax.legend(fontsize=9, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.02))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return fig
