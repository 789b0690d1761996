"""Pages that show every network in several panels: the table in which each point of such a figure can be looked up."""

from __future__ import annotations

import pandas as pd

from ... import results


def wide(points: pd.DataFrame) -> pd.DataFrame:
    """One row a network, a column a panel.

    Parameters
    ----------
    points : DataFrame
        number, name, group, panel, value, provenance: one row a network and panel.

    Returns
    -------
    DataFrame
        no., network, training group, the panels in their order (empty where a network was not measured), provenance (of
        several the one farthest from live); in the order of the numbers.
    """
    keys = ["number", "name", "group"]
    values = points.pivot(index=keys, columns="panel", values="value")[list(dict.fromkeys(points["panel"]))]
    told = points.groupby(keys)["provenance"].agg(results.farthest)
    table = values.assign(provenance=told).reset_index().rename_axis(columns=None)
    return table.rename(columns={"number": "no.", "name": "network", "group": "training group"})
