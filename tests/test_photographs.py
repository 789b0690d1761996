"""Networks that know photographs in the drawn world: what is recorded, and how they stand beside the small ones."""

import pandas as pd
import pytest

from humalign import zoo
from humalign.chapters import photographs, probing
from humalign.config import get_profile
from humalign.record import Tables

SMALL = ("softmax-resnet-m", "web-resnet-m", "untrained-resnet-m")


def made(**values):
    """Three networks of the drawn world at the values, those that know photographs .1 higher and .01 apart."""
    common = {"layer": "penultimate", "low": 0.3, "high": 0.6, "n": 9}
    models = {**dict.fromkeys(SMALL, 0), **{m: 0.1 + 0.01 * k for k, m in enumerate(photographs.MODELS)}}
    rows = [{"model": m, "stage": stage, "value": v + more, **common}
            for m, more in models.items() for stage, v in values.items()]  # fmt: skip
    return Tables({"results": pd.DataFrame(rows)}, "recorded", "2026-01-01")


def test_they_follow_the_networks_of_the_drawn_world():
    tables = made(**{probing.SAME: 0.4, probing.PROBED: 0.45, probing.RAW: 0.38, "regression": 0.45})
    found = photographs.points(tables, probing.PROBED)
    assert found["value"].tolist() == pytest.approx([*[0.45] * 3, 0.55, 0.56, 0.57])
    assert found["number"].tolist()[3:] == [len(zoo.table("mini")) + k for k in (1, 2, 3)]
    assert (found["group"] == photographs.GROUP).tolist() == [False] * 3 + [True] * 3
    transform, regression = photographs.pairs(tables).values()
    assert transform["difference"].to_numpy() == pytest.approx(0.05)
    assert regression["difference"].to_numpy() == pytest.approx(0)
    said = photographs.numbers(tables)
    assert (said["ph_gain"].value, said["ph_gain_small"].value) == (pytest.approx(5), pytest.approx(5))
    assert (said["ph_best_name"], said["ph_above"].value, said["ph_small"].value) == ("EfficientNet-Lite2", 0, 2)
    assert said["ph_zero"].value == pytest.approx(0.48)


def test_what_is_recorded():
    """A trial of Lite0 had .376 on all triplets; ridge regression on two thirds of the concepts .470."""
    tables = photographs.TABLES.tables(get_profile("mini"))
    assert tables.provenance == "recorded"
    values = {stage: photographs.points(tables, stage).set_index("model")["value"]
              for stage in (probing.RAW, probing.SAME, probing.PROBED, "regression")}  # fmt: skip
    assert {len(one) for one in values.values()} == {len(zoo.table("mini")) + 3}
    lite0, known = photographs.MODELS[0], list(photographs.MODELS)
    assert values[probing.RAW][lite0] == pytest.approx(0.376, abs=0.005)
    assert values["regression"][lite0] == pytest.approx(0.470, abs=0.03)
    gain = values[probing.PROBED] - values[probing.SAME]
    assert gain[known].min() > 0.04
    assert gain.drop(known).mean() < 0.015
