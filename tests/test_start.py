"""The first page: what each feature is worth, against the measure itself, and its figure."""

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest

from humalign import odd_one_out
from humalign.chapters import start
from humalign.similarity import similarity_matrix


def test_leaving_a_feature_out_is_the_measure_without_its_column():
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.random((12, 3)), columns=list("abc"))
    rows = np.array([rng.permutation(12)[:3] for _ in range(800)])
    s = similarity_matrix(features.to_numpy())
    chosen = odd_one_out.choices(s, rows)
    rows = np.take_along_axis(rows, np.array([[1, 2, 0], [0, 2, 1], [0, 1, 2]])[chosen], 1)  # the features decide
    table = start.left_out(features, rows).set_index("features")
    assert list(table.index) == ["all", "without a", "without b", "without c"]
    assert table.loc["all", "accuracy"] == 1
    without = odd_one_out.accuracy(similarity_matrix(features[["a", "c"]].to_numpy()), rows, ties="fraction")
    row = table.loc["without b"]
    assert row["accuracy"] == pytest.approx(without)
    half = 1.96 * np.sqrt(without * (1 - without) / len(rows))
    assert (row["high"] - row["low"]) / 2 == pytest.approx(half, rel=0.15)
    fig = start.worth(table.reset_index(), 0.9)
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()] == list(table.index)
