"""Small made-up tables that the tests of the pages share."""

import numpy as np
import pandas as pd

from humalign.results import Measured

MODELS = pd.DataFrame(
    {
        "model": ["a", "b", "u"],
        "number": [1, 2, 3],
        "name": ["Alpha", "Beta", "Blank"],
        "group": ["Web labels", "Image/Text", "Untrained"],
    }
)

FACTS = MODELS.assign(family=["ResNet", "ViT", "ResNet"])
STAGES = ("zero-shot", "probed")


def points(*values, provenance="live"):
    """Points of the networks of MODELS with intervals of a tenth to either side."""
    value = np.array(values, float)
    return MODELS.assign(value=value, low=value - 0.1, high=value + 0.1, provenance=provenance)


def measured(rows):
    """Measured values with two equal draws; a row is a dict, the rest is filled in."""
    common_columns = {"profile": "mini", "layer": "penultimate", "stage": "zero-shot", "detail": "correlation"}
    rows = [{"seed": 0, "n": 9, "measure": "spearman", "dataset": "cichy", **common_columns, **row} for row in rows]
    return Measured.of(rows, np.array([[row["value"]] * 2 for row in rows]))
