"""Few-shot classes and anomalies by the kept features of a student, measured when runs are collected."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import downstream, resample
from ..results import Measured, Rows

SHOTS = (1, 2, 3)  # examples of each concept; four pictures of each are kept
DRAWS = 10  # of the examples
PART = "H2"  # the held-out concepts that are reported
STRENGTH = 1.0  # of the ridge classifiers, fixed: with so few pictures nothing is left to choose it by
KNOWN_SEED = 1  # of the half of the concepts that is known when anomalies are sought


@lru_cache(maxsize=1)
def labels() -> tuple[np.ndarray, np.ndarray]:
    """Concept and superordinate of each picture whose features are kept, (m,) each."""
    from ..chapters.student import pictures

    shown = pictures("test")
    return shown["concept"].to_numpy(), shown["superordinate"].to_numpy()


def measure(features: np.ndarray, **common) -> Measured:
    """Few-shot accuracy on held-out concepts, and anomaly detection with each superordinate as the normal class.

    Parameters
    ----------
    features : array (m, p)
        Of the first four test pictures of each concept.
    **common
        model, seed, stage and so on of all rows.

    Returns
    -------
    Measured
        Dataset few-shot (measure accuracy, detail = number of examples; draws over concepts) and dataset anomaly
        (measure auroc, detail = superordinate; draws over superordinates). Half of the concepts of every superordinate
        are known (:func:`humalign.downstream.half_of_each`): the normal class is known by these and tested with its
        others. The score is the mean cosine distance to the five nearest known pictures.
    """
    from ..world.splits import concepts_of

    x, (concepts, kinds) = np.asarray(features, np.float32), labels()
    rows = Rows(**common)
    own = np.isin(concepts, concepts_of(PART))
    for shots in SHOTS:
        found = downstream.few_shot(x[own], concepts[own], shots, seeds=range(DRAWS), strength=STRENGTH)
        rows.add("few-shot", "accuracy", str(shots), *resample.unit_means(found["accuracy"].to_numpy()), len(found))
    known = downstream.half_of_each(concepts, kinds, KNOWN_SEED)
    found = downstream.anomaly_detection(x[known], kinds[known], x[~known], kinds[~known])
    rows.add("anomaly", "auroc", "superordinate", *resample.unit_means(found["auroc"].to_numpy()), len(found))
    return rows.measured()
