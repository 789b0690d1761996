"""Recorded runs of students in the drawn world, and their contrasts."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pandas as pd

from .. import results
from ..errors import MissingData
from ..results import Measured

RUNS, LOG, DIAGNOSIS = "alignet_runs.csv", "alignet_log.csv", "alignet_diagnosis.csv"


def recorded_path(name: str) -> Path:
    """A recorded table that comes with the package."""
    return Path(str(resources.files("humalign").joinpath("recorded", name)))


def runs() -> Measured:
    """All recorded alignment runs, with bootstrap draws over concepts.

    Raises
    ------
    MissingData
        When no run is recorded yet.
    """
    path = recorded_path(RUNS)
    if not path.is_file():
        raise MissingData("no run is recorded", "AligNet experiments", "python -m humalign.alignet.experiments")
    return Measured.load(path, "recorded")


def log() -> pd.DataFrame:
    """One line an experiment of the protocol: stage, model, seed, state (done, failed, not run), facts of training."""
    if not recorded_path(LOG).is_file():
        raise MissingData("no run is recorded", "AligNet experiments", "python -m humalign.alignet.experiments")
    return pd.read_csv(recorded_path(LOG))


def diagnosis() -> pd.DataFrame:
    """Recorded outcomes of the mistakes that ports make."""
    return results.read(recorded_path(DIAGNOSIS), "recorded")


def accuracy(measured: Measured, detail: str, dataset: str = "levels", measure: str = "accuracy") -> Measured:
    """Rows of one measure, for instance ``accuracy(runs(), "H2/coarse")``."""
    t = measured.table
    return measured.select(((t["dataset"] == dataset) & (t["measure"] == measure) & (t["detail"] == detail)).to_numpy())
