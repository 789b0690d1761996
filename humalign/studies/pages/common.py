"""What several pages ask of a table of points: the trained networks, the best of them, counts."""

from __future__ import annotations

import pandas as pd

from ... import results, show
from ...errors import MissingData


def trained(points: pd.DataFrame) -> pd.DataFrame:
    """Rows of networks that were trained; ``points`` has a column group."""
    return points[points["group"] != "Untrained"]


def best(points: pd.DataFrame) -> pd.Series:
    """The row of the trained network with the largest value."""
    part = trained(points)
    return part.loc[part["value"].idxmax()]


def worst(points: pd.DataFrame) -> pd.Series:
    """The row of the trained network with the smallest value."""
    part = trained(points)
    return part.loc[part["value"].idxmin()]


def count(mask: pd.Series, points: pd.DataFrame) -> show.Number:
    """How many rows a mask holds, with the provenance farthest from live of all rows that were asked.

    Parameters
    ----------
    mask : bool Series (n,)
    points : DataFrame
        The n rows, with a column provenance.
    """
    return show.number(int(mask.sum()), None, results.farthest(points["provenance"], "live"))


def names(models: pd.DataFrame) -> dict[str, str]:
    """Name for readers of each network, by its identifier."""
    return models.set_index("model")["name"].to_dict()


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its column of numbers headed "no."."""
    return table.rename(columns={"number": "no."})


class Found(dict):
    """Values by data set; asking for a data set that is not at hand raises MissingData."""

    def __missing__(self, dataset):
        raise MissingData("is not at hand", dataset, "'humalign plan --profile full' says what is missing")
