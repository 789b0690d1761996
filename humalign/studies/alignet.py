"""Recorded runs of students in the drawn world, and their contrasts."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from .. import results
from ..errors import MissingData
from ..results import Measured, interval

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


def contrast(
    measured: Measured,
    plus: str,
    minus: str,
    detail: str,
    dataset: str = "levels",
    measure: str = "accuracy",
    models=None,
) -> pd.DataFrame:
    """Difference of two stages, network by network and on average; paired draws over concepts, mean over common seeds.

    Parameters
    ----------
    measured : Measured
    plus, minus : str
        Stages.
    detail, dataset, measure : str
    models : sequence of str, optional

    Returns
    -------
    DataFrame
        model ("all" last), value, low, high, seeds, detail, plus, minus.
    """
    part = accuracy(measured, detail, dataset, measure)
    index = {(r.stage, r.model, r.seed): i for i, r in enumerate(part.table.itertuples())}
    names = models or list(dict.fromkeys(m for s, m, _ in index if s == plus))
    rng, rows, every = np.random.default_rng(0), [], []
    values = part.table["value"].to_numpy()
    for model in names:
        seeds = sorted(s for stage, m, s in index if stage == plus and m == model and (minus, model, s) in index)
        if not seeds:
            continue
        i, j = ([index[stage, model, s] for s in seeds] for stage in (plus, minus))
        value, drawn = values[i] - values[j], part.draws[i] - part.draws[j]
        pick = rng.integers(len(seeds), size=(len(seeds), drawn.shape[1]))
        drawn = drawn[pick, np.arange(drawn.shape[1])].mean(0)
        every.append((value.mean(), drawn))
        low, high = interval(drawn)
        rows.append(dict(model=model, value=value.mean(), low=float(low), high=float(high), seeds=len(seeds)))
    if every:
        low, high = interval(np.mean([d for _, d in every], 0))
        rows.append(
            dict(
                model="all",
                value=np.mean([v for v, _ in every]),
                low=float(low),
                high=float(high),
                seeds=sum(r["seeds"] for r in rows),
            )
        )
    return pd.DataFrame(rows).assign(detail=detail, dataset=dataset, plus=plus, minus=minus)
