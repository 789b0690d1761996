"""Table 1 of the first paper as data frames, the mini zoo likewise; figures of what the mini zoo learned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import panels, style

RUN = {  # column of this run: (dataset, stage, measure, detail)
    "zero-shot": ("things", "zero-shot", "accuracy", "cosine"),
    "probed": ("things", "probed", "accuracy", "dot"),
    "ρ, 118": ("cichy", "zero-shot", "spearman", "correlation"),
    "ρ, 144 (1)": ("king1", "zero-shot", "spearman", "correlation"),
    "ρ, 144 (2)": ("king2", "zero-shot", "spearman", "correlation"),
}


def this_run(table: pd.DataFrame | None, models) -> pd.DataFrame:
    """Values of one run, better layer, mean over training runs: one row a network, columns of ``RUN`` (NaN: not run).

    Parameters
    ----------
    table : DataFrame or None
        Result table.
    models : sequence of str
    """
    out = pd.DataFrame(index=pd.Index(list(models), name="model"), columns=list(RUN), dtype=float)
    if table is None or not len(table):
        return out
    for column, (dataset, stage, measure, detail) in RUN.items():
        at = (table["dataset"] == dataset) & (table["stage"] == stage) & (table["measure"] == measure)
        rows = table[at & (table["detail"] == detail)]
        best = rows.groupby(["model", "layer"])["value"].mean().groupby("model").max()
        out[column] = best.reindex(out.index)
    return out


def published(facts: pd.DataFrame, table: pd.DataFrame | None = None, paper: str = "1") -> pd.DataFrame:
    """The networks of a paper: published facts, whether they can be had, the stand-in, and this run.

    Parameters
    ----------
    facts : DataFrame
        :func:`humalign.zoo.table` of profile "full".
    table : DataFrame, optional
        Result table of this run.
    paper : {"1", "2"}
    """
    rows = facts[facts["paper"].astype(str) == paper].reset_index(drop=True)
    million = rows["parameters"].astype(float) / 1e6
    frame = pd.DataFrame(
        {
            "network": rows["name"],
            "source": rows["source"],
            "family": rows["family"],
            "training": rows["group"].str.replace(r"^Supervised \((.*)\)$", r"\1", regex=True),
            "objective": rows["objective"],
            "parameters, M": million.round(1),
            "ImageNet top-1, %": (100 * rows["reference_accuracy"].astype(float)).round(1),
            "public": np.where(rows["public"].astype(bool), "yes", "no"),
            "stand-in": rows["stand_in"].fillna("").map(short),
        }
    )
    run = this_run(table, rows["model"])
    if run.notna().any().any():
        frame = pd.concat([frame, run.reset_index(drop=True)], axis=1)
    return frame


def short(loader: str) -> str:
    """A loader name without its package and settings: ``timm:vit_b.tag`` becomes ``vit_b.tag (timm)``."""
    package, colon, rest = str(loader).partition(":")
    if not colon:
        return package
    name, _, weights = rest.partition("?weights=")
    return f"{name}{', ' + weights if weights else ''} ({package})"


def mini(facts: pd.DataFrame, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """The networks of the drawn world with their facts and this run.

    Parameters
    ----------
    facts : DataFrame
        :func:`humalign.source.Source.networks`.
    table : DataFrame, optional
        Result table of this run.
    """
    frame = pd.DataFrame(
        {
            "no.": facts["number"],
            "network": facts["name"],
            "family": facts["family"],
            **taught(facts),
            "parameters, k": (facts["parameters"].astype(float) / 1e3).round(0).astype("Int64"),
            "linear probe": facts["reference_accuracy"].astype(float),
        }
    )
    return pd.concat([frame, this_run(table, facts["model"]).reset_index(drop=True)], axis=1)


def taught(facts: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns "trained on" (a dash where untrained) and "objective" (with an augmentation that is not standard)."""
    extra = facts["augmentation"].fillna("").astype(str)
    return {
        "trained on": facts["training_data"].where(facts["objective"] != "none", "–"),
        "objective": facts["objective"].where(extra == "", facts["objective"] + ", " + extra),
    }


def training(facts: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """How the networks of the drawn world were trained, and what they learned; losses and time of seed 0.

    Parameters
    ----------
    facts : DataFrame
        :func:`humalign.source.Source.networks`.
    runs : DataFrame
        Training records: model, seed, first_loss, final_loss, cpu_seconds.
    """
    first = runs[runs["seed"] == 0].set_index("model").reindex(facts["model"]).reset_index()
    return pd.DataFrame(
        {
            "no.": facts["number"].to_numpy(),
            "network": facts["name"].to_numpy(),
            "family": facts["family"].to_numpy(),
            **{column: values.to_numpy() for column, values in taught(facts).items()},
            "parameters": facts["parameters"].to_numpy(),
            "epochs": facts["epochs"].to_numpy(),
            "first loss": first["first_loss"],
            "last loss": first["final_loss"],
            "own task": facts["own_accuracy"].to_numpy(),
            "linear probe": facts["reference_accuracy"].to_numpy(),
            "runs": facts["seeds"].str.split().str.len().to_numpy(),
            "CPU s": first["cpu_seconds"].round(0).astype("Int64"),
        }
    )


def counts(facts: pd.DataFrame) -> pd.DataFrame:
    """How many networks of the first paper each source has, and how many of them can be had."""
    rows = facts[facts["paper"].astype(str) == "1"]
    public = rows["public"].astype(bool)
    out = rows.assign(public=public, stand_in=~public & (rows["stand_in"].fillna("") != ""))
    out = out.groupby("source", sort=False).agg(
        networks=("model", "size"), public=("public", "sum"), stand_in=("stand_in", "sum")
    )
    out["features only"] = out["networks"] - out["public"] - out["stand_in"]
    return out.rename(columns={"stand_in": "stand-in"}).reset_index()


def learned(facts: pd.DataFrame, chance: float | None = None):
    """What the networks of the drawn world learned: accuracy of a linear probe, by network, sorted within groups.

    Parameters
    ----------
    facts : DataFrame
        Facts with ``reference_accuracy`` (share) and ``own_accuracy`` (share; NaN without labels of one class).
    chance : float, optional
        Accuracy of guessing.
    """
    from matplotlib import pyplot as plt

    place = {g: k for k, g in enumerate(style.order(facts["group"]))}
    rows = facts.assign(place=facts["group"].map(place)).dropna(subset=["reference_accuracy"])
    rows = rows.sort_values(["place", "reference_accuracy"], ascending=[False, True]).reset_index(drop=True)
    fig, ax = plt.subplots(figsize=(style.WIDTH, 1.4 + 0.165 * len(rows)), layout="constrained")
    y = np.arange(len(rows))
    for group in style.order(rows["group"]):
        at = rows["group"] == group
        ax.scatter(
            rows["reference_accuracy"][at],
            y[at],
            s=34,
            c=style.color(group),
            marker=style.marker(group),
            edgecolors=style.OUTLINE,
            linewidths=0.8,
            zorder=3,
        )
    ax.hlines(y, 0, rows["reference_accuracy"], color=style.GREY, lw=0.8, alpha=0.5)
    if chance is not None:
        ax.axvline(chance, color=style.GREY, ls=":", lw=1.2)
    ax.set_yticks(y, [f"{n}  {name}" for n, name in zip(rows["number"], rows["name"])], fontsize=8.5)
    ax.set(ylim=(-1, len(rows)), xlim=(0, None), xlabel="accuracy of a linear probe, all concepts")
    ax.tick_params(axis="y", length=0)
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=3)
    if chance is not None:
        panels.tops(ax, [("guessing", chance, ":")])
    return fig


def sizes(facts: pd.DataFrame):
    """Parameters and linear-probe accuracy of all networks, one point each, numbered where there is room."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    rows = facts.dropna(subset=["reference_accuracy", "parameters"])
    fig, ax = plt.subplots(figsize=(style.WIDTH, 4.6), layout="constrained")
    style.points(ax, rows["parameters"], rows["reference_accuracy"], rows["group"])
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(panels.thousands))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="parameters", ylabel="accuracy of a linear probe")
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=3)
    fig.canvas.draw()
    panels.label_points(ax, rows["parameters"], rows["reference_accuracy"], rows["number"], most=0.05)
    return fig
