"""What the pages on teacher, students, zoo and drawn world show, on small made-up tables."""

import numpy as np
import pandas as pd
import pytest

from humalign.chapters import alignet_data, student, teacher
from humalign.config import get_profile
from humalign.experiments import diagnose
from humalign.results import Measured
from humalign.studies import validation
from humalign.studies.pages import table1 as table1_page
from humalign.studies.pages import zoo as zoo_page


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
    out = zoo_page.headline(models, pd.DataFrame({"cpu_seconds": [30.0, 90.0]}), 4)
    values = [
        out[f"zoo_{key}"].value for key in ("listed", "trained", "runs", "minutes", "smallest", "largest", "chance")
    ]
    assert values == [3, 2, 2, 2, 10, 30, 0.25]
    assert out["zoo_trained"].provenance == "recorded"


def test_drawings():
    out = zoo_page.drawings(pd.DataFrame({"concept": ["cat", "cat", "dog"], "view": [0, 1, 0]}))
    assert [out[f"world_{key}"].value for key in ("concepts", "second")] == [2, 1]


def test_confidences_compare_the_same_rules():
    frame = pd.DataFrame({"s01": [5.0, 0.0], "s02": [0.0, 0.0], "s12": [0.0, 0.0]})
    found = alignet_data.confidences({"random": frame, "cluster": frame}, {"random": frame})
    assert set(found["rule"]) == {"random"}
    sums = found.groupby("teacher", sort=False)["share"].sum()
    assert sums.to_dict() == pytest.approx({"human-aligned": 1, "untransformed": 1})


def test_published_ratings_are_lower_for_the_unaligned():
    assert validation.published_ratings() == [3.14, 3.93]


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
    for study in (table1_page.zero_shot, table1_page.probing, table1_page.rsa):
        found = Measured.of([{**row, "stage": study.__name__}], np.zeros((1, 2)))
        monkeypatch.setattr(study, "measure", lambda _, found=found: found)
    run = table1_page.run(get_profile("mini"))
    assert run["stage"].str.rpartition(".")[2].tolist() == ["zero_shot", "probing", "rsa"]
    assert len(table1_page.of_profile(run, "mini")) == 3
    assert table1_page.of_profile(run, "full") is None
    out = table1_page.headline(pd.DataFrame({"paper": [1, "1", 2]}), {"before": 0.3, "after": 0.4})
    assert (out["t1_before"], out["t1_after"], out["t1_networks"].value) == (0.3, 0.4, 2)
