"""Figures of calibration: criteria along the temperature, reliability diagrams, entropy of networks and people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import panels, style

CRITERIA = {
    "ece": ("ECE", "#0072b2", "-"),
    "ece_mass": ("ECE, equal numbers", "#56b4e9", "--"),
    "js": ("JS distance from people", "#d55e00", "-."),
    "kl": ("KL from people, nats", "#009e73", ":"),
}
FEW = 20  # bins with fewer triplets are not drawn
RULES = {"1": ("as they are (temperature 1)", style.GREY, "s"), "log loss": ("temperature by log loss", "#2f6fae", "o")}


def _grid(n: int, height: float, columns: int = 2, **options):
    from matplotlib import pyplot as plt

    rows = -(-n // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(style.WIDTH, height * rows + 0.7), layout="constrained", squeeze=False, **options
    )
    for ax in axes.ravel()[n:]:
        ax.axis("off")
    return fig, axes


def search(curves: pd.DataFrame, chosen: pd.DataFrame, names: dict[str, str], models, top: float = 0.5):
    """Criteria along the temperature, one panel a network (the form of the paper's search).

    Parameters
    ----------
    curves : DataFrame
        model, temperature and the criteria; those that are missing are left out.
    chosen : DataFrame
        model, rule, temperature.
    names : dict of str to str
    models : sequence of str
    top : float
        Upper end of the y axis.
    """
    fig, axes = _grid(len(models), 2.5, sharey=True)
    for k, (ax, model) in enumerate(zip(axes.ravel(), models)):
        part = curves[curves["model"] == model].sort_values("temperature")
        for key, (label, colour, line) in CRITERIA.items():
            if key in part and part[key].notna().any():
                ax.plot(part["temperature"], part[key], color=colour, ls=line, label=label)
        rules = chosen[chosen["model"] == model].set_index("rule")["temperature"]
        ax.axvline(rules["continuous"], color=style.GREY, lw=1, label="temperature with the lowest ECE")
        ax.set(xscale="log", title=names.get(model, model), ylim=(0, top))
        if k >= len(models) - 2:
            ax.set_xlabel("temperature")
        if k % 2 == 0:
            ax.set_ylabel("criterion")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9.5)
    return fig


def curves(table: pd.DataFrame, models: pd.DataFrame):
    """Expected calibration error and log loss of all networks along the temperature.

    Parameters
    ----------
    table : DataFrame
        model, temperature, ece, nll.
    models : DataFrame
        Facts.
    """
    group = models.set_index("model")["group"]
    fig, axes = _grid(2, 3.4)
    for ax, key, label in zip(axes.ravel(), ("ece", "nll"), ("expected calibration error", "log loss, nats")):
        for model, part in table.groupby("model", sort=False):
            part = part.sort_values("temperature")
            above = 2 + 1 / (group == group[model]).sum()  # the lines of small groups lie on those of large ones
            ax.plot(part["temperature"], part[key], zorder=above, **style.thin(group[model], 1, 0.7))
        ax.set(xscale="log", xlabel="temperature", ylabel=label)
    axes[0, 1].axhline(np.log(3), color=style.GREY, ls=":", lw=1.2)
    place = axes[0, 1].get_yaxis_transform()
    axes[0, 1].text(0.98, np.log(3), "guessing", transform=place, ha="right", va="bottom", fontsize=9, color=style.GREY)
    axes[0, 1].set_ylim(table["nll"].min() - 0.01, np.log(3) + 0.15)
    axes[0, 0].set_ylim(0, None)
    style.group_legend(fig, group[table["model"].unique()], lines=True, loc="outside lower center", ncols=3)
    return fig


def reliability(table: pd.DataFrame, names: dict[str, str], models, rules=tuple(RULES)):
    """Share of choices that agree with people against the probability the network gives them; one panel a network.

    The area of a marker is the share of triplets in its bin; bins with fewer than 20 triplets are left out.
    """
    table = table[table["model"].isin(list(models)) & (table["n"] >= FEW)]
    top = min(1.0, 0.05 + table[["confidence", "accuracy"]].max().max())
    fig, axes = _grid(len(models), 2.9, sharex=True, sharey=True)
    for k, (ax, model) in enumerate(zip(axes.ravel(), models)):
        ax.plot([0, 1], [0, 1], color=style.GREY, ls="--", lw=1.1, label="calibrated")
        for rule in rules:
            part = table[(table["model"] == model) & (table["rule"] == rule)]
            label, colour, marker = RULES[rule]
            ax.plot(part["confidence"], part["accuracy"], color=colour, lw=1.2, zorder=2)
            ax.scatter(
                part["confidence"],
                part["accuracy"],
                s=6 + 130 * part["n"] / part["n"].sum(),
                color=colour,
                marker=marker,
                alpha=0.8,
                label=label,
                edgecolors=style.OUTLINE,
                linewidths=0.6,
                zorder=3,
            )
        ax.set(xlim=(0.3, top), ylim=(0.25, top), title=names.get(model, model))
        if k >= len(models) - 2:
            ax.set_xlabel("mean confidence in the bin")
        if k % 2 == 0:
            ax.set_ylabel("share as people chose")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    for handle in handles[1:]:
        handle.set_sizes([45])
    fig.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9.5)
    return fig


def improvement(chosen: pd.DataFrame, models: pd.DataFrame):
    """Expected calibration error at temperature 1 and at the chosen one, network by network, sorted.

    Parameters
    ----------
    chosen : DataFrame
        model, rule, ece.
    models : DataFrame
        Facts.
    """
    from matplotlib import pyplot as plt

    wide = chosen.pivot(index="model", columns="rule", values="ece")
    rows = models.merge(wide, left_on="model", right_index=True).sort_values("continuous", ascending=False)
    fig, ax = plt.subplots(figsize=(style.WIDTH, 1.5 + 0.165 * len(rows)), layout="constrained")
    y = np.arange(len(rows))
    ax.hlines(y, rows["continuous"], rows["1"], color=style.GREY, lw=1, alpha=0.6)
    ax.scatter(rows["1"], y, s=22, facecolors="none", edgecolors=style.GREY)
    for group in style.order(rows["group"]):
        at = (rows["group"] == group).to_numpy()
        ax.scatter(
            rows["continuous"][at],
            y[at],
            s=34,
            c=style.color(group),
            marker=style.marker(group),
            edgecolors=style.OUTLINE,
            linewidths=0.8,
            zorder=3,
        )
    ax.set_yticks(y, [f"{n}  {name}" for n, name in zip(rows["number"], rows["name"])], fontsize=8.5)
    ax.set(
        ylim=(-1, len(rows)),
        xlabel="expected calibration error on other triplets\n(open: temperature 1)",
        xlim=(-0.012 * rows[["1", "continuous"]].max().max(), None),
    )
    ax.grid(axis="y", lw=0.5)
    ax.tick_params(axis="y", length=0)
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=3)
    return fig


def entropy(table: pd.DataFrame, models: pd.DataFrame):
    """Mean entropy of the networks' choices in bins of people's entropy: beside people's own, and by themselves.

    Parameters
    ----------
    table : DataFrame
        model ("people" among them), at (mean of people's entropy in the bin), value.
    models : DataFrame
        Facts.
    """
    from matplotlib import pyplot as plt

    group = models.set_index("model")["group"]
    own = table[table["model"] == "people"]
    rest = table[table["model"] != "people"].assign(group=lambda t: t["model"].map(group))
    fig, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 4.2), layout="constrained")
    for ax, thin in zip(axes, (False, True)):
        for model, part in rest.groupby("model", sort=False) if thin else ():
            ax.plot(part["at"], part["value"], **style.thin(group[model], 0.6, 0.4))
        for name in style.order(rest["group"]):
            part = rest[rest["group"] == name].groupby("low")[["at", "value"]].mean()
            look = {"marker": style.marker(name), "ms": 5, "mec": style.OUTLINE, "mew": 0.6, "lw": 1.4}
            rim = style.casing(name, 1.4)
            ax.plot(part["at"], part["value"], color=style.color(name), path_effects=rim, **look)
        ax.set_xlabel("people's entropy, nats")
    axes[0].plot(own["at"], own["value"], color=style.GREY, ls="--", lw=1.3)
    if len(own):
        words = {"xytext": (8, -4), "textcoords": "offset points", "fontsize": 9.5, "color": style.GREY}
        axes[0].annotate("people", (own["at"].iloc[0], own["value"].iloc[0]), **words)
    style.reference_line(axes[1], float(np.log(3)), "ln 3: guessing", at=0.02)
    axes[0].set(title="a  with people", ylabel="network's entropy, nats")
    axes[1].set(title="b  networks alone, closer")
    style.group_legend(fig, rest["group"], loc="outside lower center", ncols=3)
    return fig


def doubt(table: pd.DataFrame, models: pd.DataFrame):
    """Rank correlation of each network's entropy with people's entropy (x) and with their response times (y)."""
    from matplotlib import pyplot as plt

    rows = models.merge(table, on="model")
    people = table[table["model"] == "people"]
    fig, ax = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
    style.points(ax, rows["entropy"], rows["time"], rows["group"], size=42)
    for value in people["time"]:
        style.reference_line(ax, value, "people's own entropy", at=0.02)
    ax.axhline(0, color=style.GREY, lw=0.8, ls=":")
    ax.axvline(0, color=style.GREY, lw=0.8, ls=":")
    ax.set(xlabel="Spearman's ρ with people's entropy", ylabel="Spearman's ρ with response times")
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=2)
    fig.canvas.draw()
    best = rows.sort_values("entropy", ascending=False).head(6)
    panels.label_points(ax, best["entropy"], best["time"], best["number"])
    return fig
