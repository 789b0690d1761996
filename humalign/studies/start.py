"""What the first page computes from its made-up table: what each feature is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import odd_one_out
from ..similarity import similarity_matrix


def left_out(features: pd.DataFrame, triplets, seed: int = 0, draws: int = 500) -> pd.DataFrame:
    """Odd-one-out accuracy with all features and with each one left out.

    Parameters
    ----------
    features : DataFrame (m, p)
    triplets : int array (n, 3)
        Answers, odd one last.
    seed, draws : int
        Of the bootstrap over triplets.

    Returns
    -------
    DataFrame
        features ("all", "without ..."), accuracy (ties shared), low, high (95 %).
    """
    resample = np.random.default_rng(seed).integers(0, len(triplets), (draws, len(triplets)))
    rows = []
    for name in [None, *features.columns]:
        values = features if name is None else features.drop(columns=name)
        score = np.asarray(odd_one_out.scores(similarity_matrix(values.to_numpy()), triplets, ties="fraction"))
        low, high = np.quantile(score[resample].mean(1), [0.025, 0.975])
        label = "all" if name is None else f"without {name}"
        rows.append({"features": label, "accuracy": score.mean(), "low": low, "high": high})
    return pd.DataFrame(rows)
