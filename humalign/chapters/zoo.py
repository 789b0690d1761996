"""The zoo of small networks: how each was trained, what it learned, how large it is."""

from __future__ import annotations

import pandas as pd

from .. import show
from ..plots import panels, style

ROLES, OPTIONAL = (), ()
RECORDS = "training records of the package"


def with_records(models: pd.DataFrame) -> pd.DataFrame:
    """The networks that were trained and evaluated: those with a reference accuracy."""
    return models[models["reference_accuracy"].notna()]


def numbers(models: pd.DataFrame, runs: pd.DataFrame, concepts: int) -> dict:
    """Numbers for the prose: networks, training runs, minutes, parameters, chance; key to number.

    Parameters
    ----------
    models : DataFrame
        reference_accuracy, parameters.
    runs : DataFrame
        cpu_seconds; one row a training run.
    concepts : int
        Number of labels, whose inverse is chance.
    """
    recorded = {"provenance": "recorded", "source": RECORDS}
    own = with_records(models)
    return {
        "zoo_listed": show.number(len(models)),
        "zoo_trained": show.number(len(own), **recorded),
        "zoo_runs": show.number(len(runs), **recorded),
        "zoo_minutes": show.number(runs["cpu_seconds"].sum() / 60, provenance="recorded", digits=0, unit=" minutes"),
        "zoo_smallest": show.number(int(own["parameters"].min()), **recorded),
        "zoo_largest": show.number(int(own["parameters"].max()), **recorded),
        "zoo_chance": show.number(1 / concepts, digits=4),
    }


# ---- tables ----------------------------------------------------------------------------------------------------------


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
    columns = {
        "network": facts["name"], "family": facts["family"], **taught(facts),
        "parameters": facts["parameters"], "epochs": facts["epochs"], "first loss": first["first_loss"],
        "last loss": first["final_loss"], "own task": facts["own_accuracy"],
        "linear probe": facts["reference_accuracy"], "runs": facts["seeds"].str.split().str.len(),
        "CPU s": first["cpu_seconds"].round(0).astype("Int64"),
    }  # fmt: skip
    return pd.DataFrame({name: values.array for name, values in columns.items()})


# ---- figures ---------------------------------------------------------------------------------------------------------


@panels.figure
def learned(facts: pd.DataFrame, chance: float | None = None):
    """What the networks of the drawn world learned: accuracy of a linear probe, by network, sorted within groups.

    Parameters
    ----------
    facts : DataFrame
        Facts with ``reference_accuracy`` (share) and ``own_accuracy`` (share; NaN without labels of one class).
    chance : float, optional
        Accuracy of guessing.
    """
    place = {g: k for k, g in enumerate(style.order(facts["group"]))}
    rows = facts.assign(place=facts["group"].map(place)).dropna(subset=["reference_accuracy"])
    rows = rows.sort_values(["place", "reference_accuracy"], ascending=[False, True]).reset_index(drop=True)
    fig, ax, y = panels.ladder(rows, lines=False)
    panels.dots(ax, rows["reference_accuracy"], y, rows["group"])
    ax.hlines(y, 0, rows["reference_accuracy"], color=style.GREY, lw=0.8, alpha=0.5)
    if chance is not None:
        ax.axvline(chance, color=style.GREY, ls=":", lw=1.2)
    ax.set(xlim=(0, None), xlabel="accuracy of a linear probe, all concepts")
    if chance is not None:
        panels.tops(ax, [("guessing", chance, ":")])
    return fig


@panels.figure
def sizes(facts: pd.DataFrame):
    """Parameters and linear-probe accuracy of all networks, one point each, named where there is room."""
    rows = facts.dropna(subset=["reference_accuracy", "parameters"])
    fig, ax = panels.axes(4.6)
    style.points(ax, rows["parameters"], rows["reference_accuracy"], rows["group"])
    panels.log_ticks(ax, panels.thousands)
    ax.set(xlabel="parameters", ylabel="accuracy of a linear probe")
    style.group_legend(fig, rows["group"], **panels.BELOW)
    fig.canvas.draw()
    panels.label_points(ax, rows["parameters"], rows["reference_accuracy"], rows["name"], most=0.05)
    return fig
