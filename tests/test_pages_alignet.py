"""What the pages on teacher, students, zoo and drawn world show, on small made-up tables."""

import numpy as np
import pandas as pd
import pytest

from humalign.chapters import alignet_data, rated_pairs, student, table1, teacher, world, zoo
from humalign.data.types import Features
from humalign.experiments import diagnose
from humalign.results import Measured
from humalign.source import open_source
from humalign.zoo import table as zoo_facts


def test_strengths_are_averaged_over_folds():
    rows = [
        ("plain", 0.1, "accuracy", 0.4),
        ("plain", 0.1, "accuracy", 0.6),
        ("untransformed", np.nan, "accuracy", 0.3),
    ]
    table = pd.DataFrame(rows, columns=["kind", "strength", "measure", "value"])
    assert teacher.strength_table(table).to_dict("records") == [{"kind": "plain", "strength": 0.1, "accuracy": 0.5}]


def test_mistakes_are_named():
    found = student.mistakes()
    assert set(found["dataset"]) == {"levels"}
    assert set(found["name"]) == set(diagnose.names())


def test_zoo_headline():
    models = pd.DataFrame({"reference_accuracy": [0.5, None, 0.6], "parameters": [10, 5, 30]})
    out = zoo.numbers(models, pd.DataFrame({"cpu_seconds": [30.0, 90.0]}), 4)
    values = [
        out[f"zoo_{key}"].value for key in ("listed", "trained", "runs", "minutes", "smallest", "largest", "chance")
    ]
    assert values == [3, 2, 2, 2, 10, 30, 0.25]
    assert out["zoo_trained"].provenance == "recorded"


def test_drawings():
    out = world.numbers(pd.DataFrame({"concept": ["cat", "cat", "dog"], "view": [0, 1, 0]}))
    assert [out[f"world_{key}"].value for key in ("concepts", "second")] == [2, 1]


def test_confidences_compare_the_same_rules():
    frame = pd.DataFrame({"s01": [5.0, 0.0], "s02": [0.0, 0.0], "s12": [0.0, 0.0]})
    found = alignet_data.confidences({"random": frame, "cluster": frame}, {"random": frame})
    assert set(found["rule"]) == {"random"}
    sums = found.groupby("teacher", sort=False)["share"].sum()
    assert sums.to_dict() == pytest.approx({"human-aligned": 1, "untransformed": 1})


def test_published_ratings_are_lower_for_the_unaligned():
    assert rated_pairs.published_ratings() == [3.14, 3.93]


def test_table_1(monkeypatch):
    row = {
        "profile": "mini",
        "model": "a",
        "seed": 0,
        "layer": "penultimate",
        "dataset": "things",
        "value": 0.5,
        "n": 9,
    }
    row |= {"stage": "zero-shot", "measure": "accuracy", "detail": "cosine"}
    for study in (table1.zero_shot, table1.probing, table1.rsa):
        found = Measured.of([{**row, "stage": study.__name__}], np.zeros((1, 2)))
        monkeypatch.setattr(study, "measure", lambda _, found=found: found)
    after = Measured.of([{**row, "stage": "probed"}], np.zeros((1, 2)))
    monkeypatch.setattr(table1.probing, "measure_rsa", lambda _: after)
    source = open_source("mini")
    run = table1.measure(source)
    assert run["stage"].str.rpartition(".")[2].tolist() == ["zero_shot", "probing", "rsa", "probed"]
    assert "zero-shot" not in table1.published(zoo_facts("full"), run)  # a run of other networks
    assert table1.mini(zoo_facts("mini"), run)["zero-shot"].isna().all()
    ids = source.ids("things")
    mine = Features(ids, np.eye(len(ids), 2, dtype=np.float32), "mine", "penultimate")
    both = table1.with_yours(zoo_facts("mini"), source.plus(mine))
    assert both["model"].iloc[-1] == "mine"
    assert both["number"].tolist() == list(range(1, len(both) + 1))
    assert table1.mini(both, run)["network"].iloc[-1] == "mine"
    told = {"rq_things_clip_before": 0.3, "rq_things_clip_after": 0.4}
    out = table1.numbers(pd.DataFrame({"paper": [1, "1", 2]}), told)
    assert (out["t1_before"], out["t1_after"], out["t1_networks"].value) == (0.3, 0.4, 2)
