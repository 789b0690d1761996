"""Networks that know photographs in the drawn world: what is recorded, and how they stand beside the small ones."""

import numpy as np
import pandas as pd
import pytest

from humalign import zoo
from humalign.chapters import photographs, probing
from humalign.config import get_profile
from humalign.record import Tables


def made(**values):
    common = {"layer": "penultimate", "low": 0.3, "high": 0.6, "n": 9}
    rows = [{"model": m, "stage": stage, "value": v + 0.01 * k, **common}
            for k, m in enumerate(photographs.MODELS) for stage, v in values.items()]  # fmt: skip
    return Tables({"results": pd.DataFrame(rows)}, "recorded", "2026-01-01")


def test_they_follow_the_networks_of_the_drawn_world():
    tables = made(**{probing.SAME: 0.4, probing.PROBED: 0.5, probing.RAW: 0.38, "regression": 0.45})
    found = photographs.points(tables, probing.PROBED)
    assert found["value"].tolist() == pytest.approx([0.5, 0.51, 0.52])
    assert found["number"].tolist() == [len(zoo.table("mini")) + k for k in (1, 2, 3)]
    assert set(found["group"]) == {photographs.GROUP}
    small = found.assign(model=["a", "b", "c"], name=["A", "B", "C"], group="Web labels", value=[0.41, 0.42, 0.53])
    pairs = photographs.pairs(tables, (probing.SAME, probing.PROBED), small.assign(value=0.4), small)
    assert len(pairs) == 6
    said = photographs.numbers(tables, pairs)
    assert said["ph_gain"].value == pytest.approx(10)
    assert said["ph_gain_small"].value == pytest.approx(100 * np.mean([0.01, 0.02, 0.13]))
    assert (said["ph_best_name"], said["ph_above"].value, said["ph_small"].value) == ("EfficientNet-Lite2", 1, 3)
    assert said["ph_zero"].value == pytest.approx(0.38)


def test_what_is_recorded():
    """A trial of Lite0 had .376 on all triplets; ridge regression on two thirds of the concepts .470."""
    tables = photographs.TABLES.tables(get_profile("mini"))
    assert tables.provenance == "recorded"
    assert photographs.points(tables, probing.RAW)["value"].iloc[0] == pytest.approx(0.376, abs=0.01)
    before, after = (photographs.points(tables, stage) for stage in (probing.SAME, probing.PROBED))
    assert (after["value"] > before["value"]).all()
    assert photographs.points(tables, "regression")["value"].iloc[0] == pytest.approx(0.470, abs=0.03)
