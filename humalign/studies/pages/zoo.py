"""The page on the drawn world: numbers in the prose."""

from __future__ import annotations

import pandas as pd

from ... import show


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
