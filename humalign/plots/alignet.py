"""Figures of the AligNet chapters: pure functions of the tables of ``humalign.studies.alignet``."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from . import style

CHANCE = 1 / 3
KINDS = {"uncertainty": "#2f6fae", "plain": "#d9a441", "glocal": "#228833", "untransformed": style.GREY}
RELATION = {"one concept": "#1d6c8a", "two concepts": "#841e5a", "one superordinate": "#86be91", "others": "#c9c9c9"}
SHAPES = {"base": "o", "UnAligNet": "^", "AligNet": "D"}


def _error(ax, x, y, low, high, horizontal=False):
    if horizontal:
        ax.hlines(y, low, high, color=style.GREY, lw=1.2, zorder=2)
    else:
        ax.vlines(x, low, high, color=style.GREY, lw=1.2, zorder=2)


def strengths(table: pd.DataFrame, reference: pd.DataFrame):
    """Held-out accuracy, cross-entropy and calibration error against the strength of the pull, one line a kind of map.

    Parameters
    ----------
    table : DataFrame
        kind, strength, measure, value (mean over folds), low, high (range over folds).
    reference : DataFrame
        measure, value: the untransformed features.
    """
    measures = ["accuracy", "cross-entropy", "calibration error"]
    fig, axes = plt.subplots(3, 1, figsize=(style.WIDTH * 0.82, 8.2), sharex=True)
    for ax, measure in zip(axes, measures):
        for kind, part in table[table["measure"] == measure].groupby("kind", sort=False):
            ax.plot(part["strength"], part["value"], "o-", color=KINDS[kind], ms=5, label=kind)
            ax.fill_between(part["strength"], part["low"], part["high"], color=KINDS[kind], alpha=0.15, lw=0)
        value = reference.set_index("measure")["value"].get(measure)
        if value is not None and np.isfinite(value):
            style.reference_line(ax, value, "untransformed", at=0.02)
        ax.set(xscale="log", ylabel=measure + (" (nats)" if measure == "cross-entropy" else ""))
    axes[0].legend(fontsize=9)
    axes[-1].set_xlabel("strength of the pull to a scaled identity")
    return fig


def real_teacher(table: pd.DataFrame, names: dict, measures=("accuracy", "cross-entropy")):
    """Measures of teachers on people's responses: one row a map, panels by test, a column a measure.

    Parameters
    ----------
    table : DataFrame
        model, detail, stage, measure, value, low, high. Rows of the stage "people" are drawn as lines.
    names : dict
        Network to its title.
    measures : sequence of two str
    """
    labels = {"cross-entropy": "cross-entropy (nats)", "entropy-disagreement": "ρ, entropy and disagreement"}
    chance = {
        "accuracy": (1 / 3, "chance"),
        "cross-entropy": (np.log(3), "guessing"),
        "entropy-disagreement": (0, "none"),
    }
    part = table[table["measure"].isin(list(measures))]
    rows_of = part[part["stage"] != "people"]
    tests = list(dict.fromkeys(zip(rows_of["model"], rows_of["detail"])))
    sizes = [rows_of[(rows_of["model"] == m) & (rows_of["detail"] == d)]["stage"].nunique() for m, d in tests]
    fig, axes = plt.subplots(
        len(tests), 2, figsize=(style.WIDTH, 0.31 * sum(sizes) + 1.0 * len(tests)), squeeze=False,
        gridspec_kw={"height_ratios": [k + 1 for k in sizes]}, sharex="col",
    )  # fmt: skip
    for row, (model, detail) in zip(axes, tests):
        own = part[(part["model"] == model) & (part["detail"] == detail)]
        stages = list(dict.fromkeys(own.loc[own["stage"] != "people", "stage"]))[::-1]
        for ax, measure in zip(row, measures):
            found = own[own["measure"] == measure].set_index("stage")
            rows, y = found.reindex(stages), np.arange(len(stages))
            _error(ax, None, y, rows["low"], rows["high"], True)
            colours = [style.GREY if s.endswith("itself") else "darkcyan" for s in stages]
            ax.scatter(rows["value"], y, s=42, c=colours, edgecolors=style.OUTLINE, zorder=3)
            if measure in chance and len(found):
                style.reference_line(ax, chance[measure][0], chance[measure][1], axis="x", at=0.02)
            if "people" in found.index:
                style.reference_line(ax, found.loc["people", "value"], "people", axis="x", style="--", at=0.99)
            ax.set_yticks(y, stages if measure == measures[0] else [""] * len(y))
            ax.set_ylim(-0.6, len(stages) - 0.4)
            if not len(found):
                ax.set_visible(False)
        row[0].set_title(f"{names.get(model, model)}: {detail}", loc="left", fontsize=10)
    for column, measure in enumerate(measures):
        shown = [ax for ax in axes[:, column] if ax.get_visible()]
        for ax in shown:
            ax.tick_params(labelbottom=ax is shown[-1])
            if measure == "calibration error":
                ax.set_xlim(left=0)
        shown[-1].set_xlabel(labels.get(measure, measure))
    return fig


def sampling(shares: pd.DataFrame):
    """What each sampling rule draws: shares of kinds of triplets (rows sum to one)."""
    fig, ax = plt.subplots(figsize=(style.WIDTH * 0.9, 0.42 * len(shares) + 1.4))
    left = np.zeros(len(shares))
    y = np.arange(len(shares))[::-1]
    for column, colour in RELATION.items():
        ax.barh(y, shares[column], left=left, color=colour, label=column)
        left = left + shares[column].to_numpy()
    ax.set_yticks(y, shares["rule"])
    ax.set(xlabel="share of triplets", xlim=(0, 1))
    ax.legend(ncols=2, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return fig


def confidence(labels: pd.DataFrame):
    """Distribution of the largest label probability, by sampling rule and teacher."""
    rules = list(dict.fromkeys(labels["rule"]))
    fig, axes = plt.subplots(
        len(rules), 1, figsize=(style.WIDTH * 0.8, 1.5 * len(rules) + 0.7), sharex=True, squeeze=False
    )
    for ax, rule in zip(axes[:, 0], rules):
        for teacher, part in labels[labels["rule"] == rule].groupby("teacher", sort=False):
            colour = style.STAGES["AligNet"] if teacher == "human-aligned" else style.STAGES["UnAligNet"]
            ax.step(part["probability"], part["share"], where="mid", color=colour, label=teacher)
        ax.set_ylabel("share")
        ax.set_title(rule, loc="left", fontsize=10)
    axes[0, 0].legend(fontsize=9)
    axes[-1, 0].set_xlabel("largest probability of the soft label")
    return fig


def reach(table: pd.DataFrame):
    """How far a weight can travel: learning rate, and the change under a constant gradient, for several decays."""
    fig, axes = plt.subplots(2, 1, figsize=(style.WIDTH * 0.8, 5.6), sharex=True)
    first = table[table["decay"] == table["decay"].iloc[0]]
    axes[0].plot(first["step"], first["lr"], color="darkcyan")
    axes[0].set_ylabel("learning rate")
    marks = ("-", "--", "-.", ":")
    for mark, (decay, part) in zip(marks, table.groupby("decay", sort=False)):
        axes[1].plot(part["step"], part["change"], mark, color="darkmagenta", label=f"decay {decay:g}")
    axes[1].set(xlabel="step", ylabel="change of a weight", yscale="log", ylim=(table["change"].max() * 1e-3, None))
    axes[1].legend(fontsize=9)
    return fig


def contrasts(table: pd.DataFrame, labels: dict, names: dict):
    """Differences with intervals, one panel a contrast, one row a measure, one marker a network and the mean in front.

    Parameters
    ----------
    table : DataFrame
        From :func:`humalign.studies.alignet.contrast`, several put together.
    labels : dict
        (dataset, detail) to the words of a row, in order.
    names : dict
        Network to the words of the legend.
    """
    pairs = list(dict.fromkeys(zip(table["plus"], table["minus"])))
    fig, axes = plt.subplots(
        len(pairs), 1, figsize=(style.WIDTH * 0.86, (0.52 * len(labels) + 1.0) * len(pairs)), squeeze=False
    )
    marks = dict(zip(names, "os^D"))
    for ax, (plus, minus) in zip(axes[:, 0], pairs):
        own = table[(table["plus"] == plus) & (table["minus"] == minus)]
        for y, (key, _) in enumerate(reversed(labels.items())):
            rows = own[(own["dataset"] == key[0]) & (own["detail"] == key[1])]
            for row in rows.itertuples():
                if row.model == "all":
                    ax.hlines(y, row.low, row.high, color=style.STAGES["AligNet"], lw=3, zorder=2)
                    ax.plot(row.value, y, "o", color=style.STAGES["AligNet"], ms=9, mec="white", zorder=4)
                else:
                    ax.plot(row.value, y + 0.24, marks.get(row.model, "o"), color=style.GREY, ms=5, zorder=3)
        ax.axvline(0, color=style.GREY, lw=1.2)
        ax.set_yticks(range(len(labels)), list(reversed(labels.values())))
        ax.set_title(f"{plus} minus {minus}", loc="left")
        ax.set_xlabel("difference of accuracy")
    from matplotlib.lines import Line2D

    present = [m for m in marks if m in set(table["model"])]
    handles = [Line2D([], [], ls="", marker=marks[m], color=style.GREY, label=names[m]) for m in present]
    handles.append(Line2D([], [], ls="-", lw=3, marker="o", color=style.STAGES["AligNet"], label="mean, 95 %"))
    axes[0, 0].legend(handles=handles, fontsize=9, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.12))
    return fig


def controls(table: pd.DataFrame, columns: dict, lines: dict | None = None):
    """Value of each run of one network in several measures, one row a run, as given.

    Parameters
    ----------
    table : DataFrame
        stage, and for each key k of ``columns``: k, k_low, k_high, and k_each where there are several training runs.
    columns : dict
        Column to its title.
    lines : dict, optional
        Column to {label: value}, besides the dotted line of the base network.
    """
    fig, axes = plt.subplots(1, len(columns), figsize=(style.WIDTH, 0.3 * len(table) + 1.5), sharey=True, squeeze=False)
    y = np.arange(len(table))[::-1]
    for ax, (column, title) in zip(axes[0], columns.items()):
        _error(ax, None, y, table[f"{column}_low"], table[f"{column}_high"], True)
        for name, marker in SHAPES.items():
            own = (table["stage"].str.partition(",")[0] == name).to_numpy()
            look = {"color": style.STAGES[name], "marker": marker, "edgecolors": style.OUTLINE, "label": name}
            ax.scatter(table.loc[own, column], y[own], s=44, zorder=3, **look)
        if f"{column}_each" in table:
            style.single_runs(ax, table[[f"{column}_each"]].set_axis(["each"], axis=1), y, along="x")
        base = table.loc[table["stage"] == "base", column]
        if len(base):
            ax.axvline(base.iloc[0], color=style.GREY, ls=":", lw=1.2)
        for label, value in (lines or {}).get(column, {}).items():
            style.reference_line(ax, value, label, axis="x", style="--", at=0.99)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("accuracy")
        ax.margins(y=0.02)
    axes[0, 0].set_yticks(y, table["stage"].where(table["stage"] != "base", "before alignment"), fontsize=9)
    return fig


def trade_off(table: pd.DataFrame, columns: dict):
    """What is gained and lost: every run of one network, coarse accuracy along x, other measures in panels.

    Parameters
    ----------
    table : DataFrame
        As for :func:`controls`, with ``coarse``.
    columns : dict
        Column to the words of its axis.
    """
    fig, axes = plt.subplots(1, len(columns), figsize=(style.WIDTH, 3.4), squeeze=False)
    main = table["stage"].isin(list(SHAPES)).to_numpy()
    for ax, (column, words) in zip(axes[0], columns.items()):
        for name, marker in SHAPES.items():
            own = (table["stage"].str.partition(",")[0] == name).to_numpy()
            for part, size, alpha in ((own & ~main, 28, 0.55), (own & main, 95, 1.0)):
                look = {"color": style.STAGES[name], "marker": marker, "edgecolors": style.OUTLINE, "alpha": alpha}
                look["label"] = name if size > 50 else None
                ax.scatter(table.loc[part, "coarse"], table.loc[part, column], s=size, zorder=3, **look)
        low, high = table[column].min(), table[column].max()
        room = max(0.02, 0.075 - (high - low) / 2)  # so that noise does not look like a pattern
        ax.set(xlabel="coarse, H2", title=words, ylim=(low - room, high + room))
        ax.title.set_size(10)
    axes[0, 0].set_ylabel("accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, fontsize=9.5, ncols=3, loc="outside upper center")
    return fig


def diagnosis(table: pd.DataFrame):
    """What each mistake costs: accuracy on coarse and boundary triplets, one row a mistake.

    Parameters
    ----------
    table : DataFrame
        name, detail (for instance ``H2/coarse``), value, low, high.
    """
    names = list(dict.fromkeys(table["name"]))
    details = {"H2/coarse": "coarse, held-out concepts", "seen/boundary": "boundary, seen concepts"}
    fig, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 0.42 * len(names) + 1.3), sharey=True)
    for ax, (detail, title) in zip(axes, details.items()):
        rows = table[table["detail"] == detail].set_index("name").loc[names]
        y = np.arange(len(names))[::-1]
        _error(ax, None, y, rows["low"], rows["high"], True)
        right = [n.startswith("right") or n == "base" for n in names]
        ax.scatter(
            rows["value"], y, s=46, c=["#2f6fae" if ok else "coral" for ok in right], edgecolors=style.OUTLINE, zorder=3
        )
        style.reference_line(ax, CHANCE, "chance", axis="x", at=0.02)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("accuracy")
    axes[0].set_yticks(np.arange(len(names))[::-1], names, fontsize=9)
    return fig


def by_stage(table: pd.DataFrame, names: dict, ylabel: str, lines: dict | None = None):
    """Values before and after alignment: one panel below the other, one column a network, one marker a stage.

    Parameters
    ----------
    table : DataFrame
        panel, model, stage (base, UnAligNet, AligNet), value, low, high, and ``each`` where there are several runs.
    names : dict
        Network to the words below the axis, in order.
    ylabel : str
    lines : dict, optional
        Panel to {label: value}: chance and people.
    """
    titles = list(dict.fromkeys(table["panel"]))
    models = [m for m in names if m in set(table["model"])]
    fig, axes = plt.subplots(
        len(titles), 1, figsize=(style.WIDTH * 0.86, 2.35 * len(titles) + 0.9), sharex=True, squeeze=False
    )
    for ax, title in zip(axes[:, 0], titles):
        for k, stage in enumerate(SHAPES):
            own = table[(table["panel"] == title) & (table["stage"] == stage)]
            rows = own.set_index("model").reindex(models)
            x = np.arange(len(models)) + 0.22 * (k - 1)
            _error(ax, x, None, rows["low"], rows["high"])
            look = {"color": style.STAGES[stage], "marker": SHAPES[stage], "edgecolors": style.OUTLINE, "label": stage}
            ax.scatter(x, rows["value"], s=52, zorder=3, **look)
            style.single_runs(ax, rows, x + 0.07)
        for label, value in (lines or {}).get(title, {}).items():
            style.reference_line(ax, value, label, style=":" if label in ("chance", "none") else "--", at=0.995)
        ax.set(ylabel=ylabel, xlim=(-0.5, len(models) - 0.2))
        ax.set_title(title, loc="left")
    axes[-1, 0].set_xticks(range(len(models)), [names[m] for m in models])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, fontsize=9.5, ncols=3, loc="outside upper center")
    return fig
