"""The pages on teacher, labels, students and levels: rows of their figures and tables."""

from __future__ import annotations

import pandas as pd

from .. import alignet_mini


def fits_and_reference(strengths: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the maps, and of the features without a map (kind "untransformed")."""
    plain = strengths["kind"] == "untransformed"
    return strengths[~plain], strengths[plain]


def by_strength(fits: pd.DataFrame) -> pd.DataFrame:
    """One row a kind of map and strength, one column a measure: mean over folds."""
    return fits.pivot_table(index=["kind", "strength"], columns="measure", values="value").reset_index()


def of_measure(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Rows of one measure."""
    return table[table["measure"] == measure]


def mistakes(diagnosis: pd.DataFrame) -> pd.DataFrame:
    """Rows of the short runs on the drawn levels, each with the name of its mistake."""
    rows = diagnosis[diagnosis["dataset"] == "levels"]
    return rows.assign(name=rows["stage"].str.removeprefix("diagnosis: "))


def confidences(aligned: dict, plain: dict) -> pd.DataFrame:
    """How sure the labels of two teachers are; see :func:`humalign.studies.alignet_mini.confidences`.

    Parameters
    ----------
    aligned, plain : dict of str to DataFrame
        Rule to triplets, of the human-aligned teacher and of the untransformed one; the rules of ``plain`` count.
    """
    same = {rule: aligned[rule] for rule in plain}
    parts = {"human-aligned": same, "untransformed": plain}
    return pd.concat([alignet_mini.confidences(found, name) for name, found in parts.items()])
