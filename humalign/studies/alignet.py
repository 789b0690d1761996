"""Recorded runs of students in the drawn world, and their contrasts."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from .. import results
from ..errors import MissingData
from ..results import Measured
from ..store import load_arrays

RUNS, LOG, DIAGNOSIS = "alignet_runs.csv", "alignet_log.csv", "alignet_diagnosis.csv"
PER_CONCEPT = 4  # test pictures whose features are kept, of each concept


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


def recorded_features(split: str = "test") -> dict[tuple[str, str], np.ndarray]:
    """Features of the students (seed 0) by (model, stage).

    Parameters
    ----------
    split : {"test", "things", "cichy", "king1", "king2"}
        "test" holds the first 4 pictures of each concept.

    Returns
    -------
    dict
        Float32 arrays (pictures, p).

    Raises
    ------
    MissingData
        When no experiment was recorded.
    """
    from ..alignet import experiments

    path = experiments.recorded_folder() / experiments.FEATURES
    if not path.is_file():
        raise MissingData("no features of students were recorded", path, "run 'python -m humalign.alignet.experiments'")
    arrays, _ = load_arrays(path)
    keys = (key.split("/") for key in sorted(arrays))
    return {(m, s): arrays[f"{m}/{s}/{k}"].astype(np.float32) for m, s, k in keys if k == split}


def pictures(split: str = "test") -> pd.DataFrame:
    """Concept and superordinate of the pictures of :func:`recorded_features`: id, concept, superordinate."""
    from ..world.drawing import world
    from ..world.stimuli import concept_of, split_ids

    ids = split_ids(split)
    if split == "test":
        ids = [i for i in ids if int(i.rsplit("test", 1)[1]) < PER_CONCEPT]
    concepts = [concept_of(i) for i in ids]
    return pd.DataFrame({"id": ids, "concept": concepts, "superordinate": [world().superordinate[c] for c in concepts]})
