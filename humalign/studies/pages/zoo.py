"""The pages on the drawn zoo and the drawn world: numbers in the prose."""

from __future__ import annotations

import pandas as pd

from ... import show

SOURCE = "training records of the package"


def trained(models: pd.DataFrame) -> pd.DataFrame:
    """The networks that were trained and evaluated: those with a reference accuracy."""
    return models[models["reference_accuracy"].notna()]


def headline(models: pd.DataFrame, runs: pd.DataFrame, concepts: int) -> dict:
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
    recorded = {"provenance": "recorded", "source": SOURCE}
    own = trained(models)
    return {
        "zoo_listed": show.number(len(models)),
        "zoo_trained": show.number(len(own), **recorded),
        "zoo_runs": show.number(len(runs), **recorded),
        "zoo_minutes": show.number(runs["cpu_seconds"].sum() / 60, provenance="recorded", digits=0, unit=" minutes"),
        "zoo_smallest": show.number(int(own["parameters"].min()), **recorded),
        "zoo_largest": show.number(int(own["parameters"].max()), **recorded),
        "zoo_chance": show.number(1 / concepts, digits=4),
    }


def drawings(check: pd.DataFrame) -> dict:
    """Numbers for the prose: concepts that are drawn, and those with a second view; key to number.

    Parameters
    ----------
    check : DataFrame
        concept, view: :func:`humalign.studies.world.naming_check`.
    """
    views = check.groupby("concept")["view"].nunique()
    return {
        "world_concepts": show.number(len(views)),
        "world_second": show.number(int((views > 1).sum())),
    }
