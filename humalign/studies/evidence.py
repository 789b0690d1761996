"""All results of one profile in one table, for the claims of both papers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..config import Profile
from ..errors import MissingData
from ..measured import Measured
from ..results import KEYS
from . import concepts, networks, probing, rsa, zero_shot


def join(*parts: Measured) -> Measured:
    """Measured tables as one; the smallest number of draws counts, and of rows with one key the first is kept."""
    draws = min(p.draws.shape[1] for p in parts)
    table = pd.concat([p.table for p in parts], ignore_index=True)
    values = np.concatenate([p.draws[:, :draws] for p in parts])
    first = ~table.duplicated(KEYS).to_numpy()
    return Measured(table[first], values[first])


def paper_one(profile: Profile) -> Measured:
    """Zero-shot accuracy, RSA, probing and regression of the networks of a profile, further training runs included."""
    regression = concepts.regression(profile)
    regression = regression.select(
        ((regression.table["dataset"] == "things") & (regression.table["measure"] == "accuracy")).to_numpy()
    )
    parts = [zero_shot.measure(profile), rsa.measure(profile), probing.measure(profile), regression]
    return join(*map(networks.with_recorded, parts))


def paper_two() -> Measured | None:
    """Recorded alignment runs; None where none is recorded."""
    from . import alignet

    try:
        return alignet.runs()
    except MissingData:
        return None


def collect(profile: Profile) -> tuple[Measured, pd.DataFrame]:
    """Everything that the claims are tested on.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    Measured
        Rows of both papers' studies with their bootstrap draws.
    DataFrame
        Facts of the networks.
    """
    parts = [paper_one(profile)]
    if profile.name == "mini" and (runs := paper_two()) is not None:
        parts.append(runs)
    return join(*parts), networks.facts(profile)
