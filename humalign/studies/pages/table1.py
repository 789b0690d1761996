"""The page with all networks of the first paper: the results of this run, numbers in the prose."""

from __future__ import annotations

import pandas as pd

from ... import show
from ...chapters import networks, probing, rsa, zero_shot
from ...config import Profile


def run(profile: Profile) -> pd.DataFrame:
    """Result rows of zero-shot choices, probes and arrangements, further training runs included."""
    source = networks.source(profile)
    parts = [zero_shot.measure(source), probing.measure(source), rsa.measure(source), probing.measure_rsa(source)]
    return pd.concat([networks.with_recorded(part).table for part in parts], ignore_index=True)


def of_profile(found: pd.DataFrame, profile: str) -> pd.DataFrame | None:
    """Result rows of a profile, "mini" or "full"; None where there are none."""
    rows = found[found["profile"] == profile]
    return rows if len(rows) else None


def headline(facts: pd.DataFrame, real: dict) -> dict:
    """Numbers for the prose: CLIP on real people before and after the probe, networks of the paper; key to number.

    Parameters
    ----------
    facts : DataFrame
        :func:`humalign.zoo.table` of profile "full".
    real : dict
        :func:`humalign.chapters.real_data.numbers`.
    """
    count = int((facts["paper"].astype(str) == "1").sum())
    return {
        "t1_before": real["real_before"],
        "t1_after": real["real_after"],
        "t1_networks": show.number(count, provenance="published", source="the authors' code"),
    }
