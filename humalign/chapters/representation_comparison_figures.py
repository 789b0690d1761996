"""Figures that set networks beside networks: pairs, shared failures, doubt, example triplets, maps, layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn

from ..plots import panels, style
from ..plots.panels import limits, lines

HUES = seaborn.color_palette("colorblind").as_hex()
SHAPES = ("o", "s", "^", "D", "P", "X", "v", "<", ">", "p", "h")
FLARE = seaborn.color_palette("flare", as_cmap=True)
ONE_LABEL = "Supervised (ImageNet-1K)"  # or the group that plays it in the drawn world
MOST = 6  # names of rows and columns, so that numbers of two panels fit side by side
MEASURES = {"agreement": "Odd-one-out choice agreement", "CKA": "Centred kernel alignment (CKA)"}
CATEGORIES = {  # the paper's colours of the superordinates, brightened where they would vanish on a dark page
    "animal": ("#d62728", "o"),
    "vehicle": ("#2ca02c", "s"),
    "clothing": ("#ff9f1c", "^"),
    "plant": ("#3a86ff", "P"),
    "food": ("#9c6644", "X"),
    "furniture": ("#9b5de5", "D"),
    "container": ("#ff8fab", "v"),
    "other": (style.GREY, "."),
}


@panels.figure
def heatmaps(table: pd.DataFrame, order, models: pd.DataFrame):
    """Agreement and CKA of all pairs of networks, one row of panels a layer (appendix A10).

    Parameters
    ----------
    table : DataFrame
        first, second, value, measure ("agreement", "CKA"), layer.
    order : sequence of str
        Of rows and columns; a coloured strip shows the training groups.
    models : DataFrame
        Facts.
    """
    from matplotlib.patches import Rectangle

    layers = list(dict.fromkeys(table["layer"]))
    group = models.set_index("model")["group"]
    fig, axes = panels.axes(3.55 * len(layers) + 1.2, len(layers), 2, squeeze=False)
    for row, layer in zip(axes, layers):
        for ax, (measure, title) in zip(row, MEASURES.items()):
            part = table[(table["layer"] == layer) & (table["measure"] == measure)]
            here = [n for n in order if n in set(part["first"])]
            grid = part.pivot(index="first", columns="second", values="value").loc[here, here]
            picture = ax.imshow(grid, vmin=0, vmax=1, cmap=FLARE, alpha=0.9, interpolation="nearest")
            for k, name in enumerate(here):
                colour = style.color(group.get(name, "People"))
                edge = {"ec": style.OUTLINE, "lw": 0.4} if colour == "black" else {"lw": 0}  # shows in the dark
                place = (-0.5 - 0.035 * len(here), k - 0.5)
                ax.add_patch(Rectangle(place, 0.03 * len(here), 1, fc=colour, clip_on=False, **edge))
            ax.set(xticks=[], yticks=[], title=title if layer == layers[0] else "")
            ax.spines[:].set_visible(False)
        row[0].set_ylabel(layer, labelpad=14)
    bar = fig.colorbar(picture, ax=axes, shrink=0.6, location="bottom", aspect=40)
    bar.outline.set_visible(False)
    bar.set_label("agreement (share of triplets), CKA", fontsize=9.5)
    style.group_legend(fig, [group.get(n, "People") for n in order], **panels.BELOW)
    return fig


@panels.figure
def failures(table: pd.DataFrame):
    """How many networks miss the human choice: counted, expected if they erred independently, and what people find."""
    fig, (left, right) = panels.axes(3.7, 1, 2)
    left.bar(table["wrong"], table["share"], color="#2f6fae", alpha=0.75, width=0.85, label="counted", edgecolor="none")
    left.plot(table["wrong"], table["independent"], color=style.GREY, ls="--", label="independent errors")
    left.set(xlabel="networks that miss people's choice", ylabel="share of triplets")
    left.legend(fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    some = table[table["triplets"] > 20]
    shown = {"people's dimensions are right, share": (some["dimensions"], "#d55e00", "o"),
             "people's entropy, share of its maximum": (some["entropy"] / np.log(3), "#009e73", "s")}  # fmt: skip
    for label, (values, colour, marker) in shown.items():
        right.plot(some["wrong"], values, color=colour, marker=marker, ms=4, label=label)
    right.set(xlabel="networks that miss people's choice", ylabel="share", ylim=(0, 1))
    right.legend(fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return fig


@panels.figure
def doubt(table: pd.DataFrame, groups: pd.DataFrame):
    """Error by people's entropy: thin lines networks, thick lines training groups, dashed people's dimensions.

    Parameters
    ----------
    table, groups : DataFrame
        group, low, high, n, error; ``table`` has one line a model, ``groups`` one a group.
    """
    fig, ax = panels.axes(4.7, width=5.8)
    for _, part in table.groupby("model", sort=False):
        ax.plot((part["low"] + part["high"]) / 2, part["error"], **style.thin(part["group"].iloc[0]))
    for name in style.order(groups["group"]):
        part = groups[groups["group"] == name]
        line = {"ls": "--", "marker": ""} if name == "People" else {"marker": style.marker(name)}
        look = {"color": style.color(name), "ms": 6, "mec": style.OUTLINE, "mew": 0.6, **line}
        ax.plot((part["low"] + part["high"]) / 2, part["error"], path_effects=style.casing(name, 1.8), **look)
    own = groups[groups["group"] == "People"]
    if len(own):
        middle = own.iloc[len(own) // 2]
        at = ((middle["low"] + middle["high"]) / 2, middle["error"])
        place = {"xytext": (6, -12), "textcoords": "offset points"}
        ax.annotate("people's dimensions", at, fontsize=9.5, color=style.GREY, **place)
    style.reference_line(ax, 2 / 3, "guessing", at=0.01)
    ax.set(xlabel="people's entropy, nats (bins of 0.1)", ylabel="share of choices unlike people's", ylim=(0, 0.8))
    style.group_legend(fig, [g for g in groups["group"] if g != "People"], loc="outside lower center", ncols=2)
    return fig


@panels.figure
def triplets(rows: pd.DataFrame, pictures: dict, first: str, second: str):
    """Example triplets: framed what people set apart, marked what each group does (form of Fig. 1).

    Parameters
    ----------
    rows : DataFrame
        a, b, odd (ids), first_choice, second_choice (0, 1, 2 = position among a, b, odd).
    pictures : dict of str to uint8 (s, s, 3)
    first, second : str
        The two training groups.
    """
    high = -(-max(len(rows), 1) // 2)
    ratios = [1, 1, 1, 0.15, 1, 1, 1]
    fig, axes = panels.axes(1.5 * high + 0.6, high, 7, width_ratios=ratios, squeeze=False, stack=False)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for k, row in enumerate(rows.to_dict("records")):
        for position, column in enumerate(("a", "b", "odd")):
            ax = axes[k // 2, 4 * (k % 2) + position]
            ax.imshow(pictures[row[column]])
            if column == "odd":
                ax.spines[:].set_visible(True)
                ax.spines[:].set(color="#32a852", linewidth=3)
            for group, x, choice in ((first, 0.32, row["first_choice"]), (second, 0.68, row["second_choice"])):
                if choice == position:
                    look = {"marker": style.marker(group), "color": style.color(group), "mec": style.OUTLINE, "ms": 9}
                    ax.plot(x, -0.14, clip_on=False, transform=ax.transAxes, **look)
            ax.set_xlabel(" ", fontsize=9)
    if not len(rows):
        axes[0, 0].text(0, 0.5, "no such triplet", transform=axes[0, 0].transAxes, color=style.GREY)
    style.group_legend(fig, [first, second], loc="outside lower center", ncols=2)
    return fig


@panels.figure
def maps(table: pd.DataFrame, names: dict[str, str]):
    """t-SNE maps side by side, coloured by the kind of object (appendix A11)."""
    models = list(dict.fromkeys(table["model"]))
    fig, axes = panels.grid(len(models), 3.3, 2)
    for ax, model in zip(axes, models):
        part = table[table["model"] == model]
        for category, (colour, marker) in reversed(CATEGORIES.items()):
            at = part["category"] == category
            look = {"s": 16, "color": colour, "marker": marker, "alpha": 0.35 if category == "other" else 0.9, "lw": 0}
            ax.scatter(part["x"][at], part["y"][at], label=category, **look)
        ax.set(xticks=[], yticks=[], title=names.get(model, model))
        ax.spines[:].set(visible=True, alpha=0.4)
    handles, labels = axes[0].get_legend_handles_labels()
    style.legend(fig, handles[::-1], labels[::-1], loc="outside lower center", ncols=4, fontsize=9.5)
    return fig


@panels.figure
def layers(table: pd.DataFrame, models: pd.DataFrame):
    """Zero-shot accuracy along the depth of networks (x: share of the layers passed), two panels.

    **a** networks with one label per image, one colour a network; **b** all others, one colour a training group, beside
    the network of the first panel with the architecture that most of them have. A panel without networks is left out.

    Parameters
    ----------
    table : DataFrame
        model, detail (number of the layer), value, low, high.
    models : DataFrame
        Facts.
    """
    facts = models.set_index("model").loc[list(dict.fromkeys(table["model"]))]
    plain = facts[[style.ALIASES.get(group, group) == ONE_LABEL for group in facts["group"]]]
    other = facts.drop(plain.index)
    base = plain[plain["arch"] == other["arch"].mode().get(0, "")].index[:1] if "arch" in facts else plain.index[:0]
    parts = [(plain, plain.index, "Architectures, one label per image"), (other, [*base, *other.index], "Training")]
    parts = [part for part in parts if len(part[0])]
    heights = [max(4.3, 0.8 + 0.2 * len(names)) for _, names, _ in parts]  # a line of the legend each
    fig, axes = panels.axes(sum(heights), len(parts), sharex=True, squeeze=False, height_ratios=heights)
    for letter, ax, (shown, names, title) in zip("ab", axes[:, 0], parts):
        for k, model in enumerate(names):
            part = table[table["model"] == model]
            part = part.assign(depth=part["detail"].astype(int)).sort_values("depth")
            x = (part["depth"] - 1) / max(part["depth"].max() - 1, 1)
            group = facts.loc[model, "group"]
            colour = HUES[k % len(HUES)] if shown is plain else style.color(group)
            rim = None if shown is plain else style.casing(group, 1.6)
            ax.fill_between(x, part["low"], part["high"], color=colour, alpha=0.08, lw=0)
            look = {"color": colour, "marker": SHAPES[k % len(SHAPES)], "ms": 5.5, "mec": style.OUTLINE, "mew": 0.6}
            ax.plot(x, part["value"], lw=1.6, label=facts.loc[model, "name"], path_effects=rim, **look)
        ax.set(title=f"{letter}  {title}", ylabel="odd-one-out accuracy", ylim=limits(table, 1 / 3))
        lines(ax, 1 / 3, None)
        place = (
            {"loc": "upper left", "bbox_to_anchor": (0, -0.42)}
            if style.narrow()
            else {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
        )
        ax.legend(**place, fontsize=9)
    ax.set_xlabel("depth (0: first block or stage, 1: last layer)")
    return fig


@panels.figure
def public_pairs(table: pd.DataFrame, names: dict[str, str], measures: dict[str, str] = MEASURES):
    """How alike the public embeddings, features and people are, by two measures, as numbers on colour."""
    beside = len(measures) if len(names) <= MOST else 1  # panels in a row
    high = len(measures) // beside
    wide = 0.94 * style.WIDTH if beside > 1 else 0.72 * style.WIDTH + 0.08 * len(names)
    tall = (3.9 if len(names) <= MOST else 4.5) * high
    fig, axes = panels.axes(tall, high, beside, width=wide, squeeze=False)
    for ax, (measure, title) in zip(axes.flat, measures.items()):
        part = table[table["measure"] == measure]
        known = list(dict.fromkeys([*part["detail"], *part["model"]]))
        here = [n for n in names if n in known]
        grid = pd.DataFrame(np.eye(len(here)), here, here)
        for row in part.itertuples():
            grid.loc[row.model, row.detail] = grid.loc[row.detail, row.model] = row.value
        labels = [names[n] for n in here]
        short = grid.map(lambda v: f"{v:.2f}".removeprefix("0"))
        look = {"vmin": 0, "vmax": 1, "cmap": FLARE, "square": True, "cbar": False, "yticklabels": labels}
        panels.heat_map(ax, grid, annot=short, fmt="", annot_kws={"fontsize": 9}, **look)
        ax.set_xticks(ax.get_xticks(), labels, rotation=40, ha="right")
        ax.tick_params(length=0, labelsize=8.5)
        ax.set_title(title)
    return fig
