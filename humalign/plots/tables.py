"""Tables that figures are drawn from, panel by panel."""

from __future__ import annotations

import pandas as pd

from . import panels


def pairs(x: dict[str, pd.DataFrame], y: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Panel by panel the networks that two tables of points share; see :func:`humalign.plots.panels.pairs`.

    Parameters
    ----------
    x, y : dict of str to DataFrame
        Panel to points; the panels of ``x`` count.
    """
    return {name: panels.pairs(part, y[name]) for name, part in x.items()}


def stacked(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of several panels as one, its first column the name of the panel."""
    return pd.concat(parts, names=["panel"]).reset_index(level=0)


def labelled(parts: dict[str, pd.DataFrame], column: str) -> pd.DataFrame:
    """The tables of several panels as one, the name of the panel in a column."""
    return pd.concat([part.assign(**{column: name}) for name, part in parts.items()])


def titled(parts, titles: dict[str, str]) -> dict:
    """Values by title in place of values by name, in the order of the titles; names without a value are left out.

    Parameters
    ----------
    parts : dict or pandas.Series
        Name to value.
    titles : dict of str to str
        Name to title.
    """
    return {title: parts[name] for name, title in titles.items() if name in parts}
