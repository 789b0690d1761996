"""The page on the teacher: rows of their figures and tables."""

from __future__ import annotations

import pandas as pd


def fits_and_reference(strengths: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the maps, and of the features without a map (kind "untransformed")."""
    plain = strengths["kind"] == "untransformed"
    return strengths[~plain], strengths[plain]


def by_strength(fits: pd.DataFrame) -> pd.DataFrame:
    """One row a kind of map and strength, one column a measure: mean over folds."""
    return fits.pivot_table(index=["kind", "strength"], columns="measure", values="value").reset_index()
