"""The slider of the page on calibration: what the temperature does to a network's answers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import odd_one_out
from ..plots.slider import Panel, slider
from ..similarity import similarity_matrix
from ..source import Source
from . import networks
from .calibration import halves


def along_temperature(source: Source, curves: pd.DataFrame, models, layer: str = "penultimate") -> pd.DataFrame:
    """What the temperature does to the answers of some networks, for the slider.

    Parameters
    ----------
    source : Source
    curves : DataFrame
        Of :func:`measure`.
    models : sequence of str
    layer : str

    Returns
    -------
    DataFrame
        network (name), model, temperature, largest, middle, smallest (sorted probabilities of a triplet; mean over
        the triplets that the curves rest on), ece, provenance.
    """
    triplets, names = source.triplets("things"), networks.names(source.networks())
    first, parts = halves(triplets)[0], []
    for features in source.features("things", (layer,), models):
        similarity = similarity_matrix(features.align(triplets.ids).values, "cosine")
        pairs = np.asarray(odd_one_out.pair_similarities(similarity, triplets.triplets[first]), dtype=np.float64)
        own = curves[curves["model"] == features.model].sort_values("temperature")
        sure = [np.sort(odd_one_out.softmax(pairs / t), axis=1).mean(axis=0)[::-1] for t in own["temperature"]]
        found = pd.DataFrame(sure, columns=["largest", "middle", "smallest"])
        found = found.assign(temperature=own["temperature"].to_numpy(), ece=own["ece"].to_numpy())
        parts.append(found.assign(model=features.model, network=names[features.model], provenance="live"))
    return pd.concat(parts, ignore_index=True)


def slide(table: pd.DataFrame, about: str):
    """The three probabilities of a triplet and the calibration error at one temperature, with a slider.

    Parameters
    ----------
    table : DataFrame
        Of :func:`along_temperature`.
    about : str
        Whose judgments these are.
    """
    sides = {"largest": "largest", "middle": "middle", "smallest": "smallest"}
    shown = (Panel("mean probability", sides, bars=True, ends=(0, 1)),
             Panel("expected calibration error", {"ece": "expected calibration error"}, ends=(0, 0.6)))  # fmt: skip
    return slider(table, "temperature", "temperature", shown, "slide-temperature", about, 1.0)
