"""What the pages on teacher, students, zoo and drawn world show, on small made-up tables."""

import numpy as np
import pandas as pd
import pytest

from humalign.chapters import levels
from humalign.config import get_profile
from humalign.results import Measured
from humalign.studies.pages import alignet as alignet_page
from humalign.studies.pages import table1 as table1_page
from humalign.studies.pages import zoo as zoo_page


def test_strengths_are_split_and_averaged_over_folds():
    rows = [("plain", 0.1, "accuracy", 0.4), ("plain", 0.1, "accuracy", 0.6), ("untransformed", 0.0, "accuracy", 0.3)]
    fits, reference = alignet_page.fits_and_reference(
        pd.DataFrame(rows, columns=["kind", "strength", "measure", "value"])
    )
    assert reference["value"].tolist() == [0.3]
    assert alignet_page.by_strength(fits).to_dict("records") == [{"kind": "plain", "strength": 0.1, "accuracy": 0.5}]
    assert len(alignet_page.of_measure(fits, "accuracy")) == 2
    assert not len(alignet_page.of_measure(fits, "spearman"))


def test_mistakes_are_named():
    found = pd.DataFrame({"dataset": ["levels", "shots"], "stage": ["diagnosis: no mean", "diagnosis: other"]})
    assert alignet_page.mistakes(found)["name"].tolist() == ["no mean"]


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
    found = alignet_page.confidences({"random": frame, "cluster": frame}, {"random": frame})
    assert set(found["rule"]) == {"random"}
    sums = found.groupby("teacher", sort=False)["share"].sum()
    assert sums.to_dict() == pytest.approx({"human-aligned": 1, "untransformed": 1})


def test_published_ratings_are_lower_for_the_unaligned():
    assert levels.published_ratings() == [3.14, 3.93]


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
    after = Measured.of([{**row, "stage": "probed"}], np.zeros((1, 2)))
    monkeypatch.setattr(table1_page.probing, "measure_rsa", lambda _: after)
    run = table1_page.run(get_profile("mini"))
    assert run["stage"].str.rpartition(".")[2].tolist() == ["zero_shot", "probing", "rsa", "probed"]
    assert len(table1_page.of_profile(run, "mini")) == 4
    assert table1_page.of_profile(run, "full") is None
    out = table1_page.headline(pd.DataFrame({"paper": [1, "1", 2]}), {"before": 0.3, "after": 0.4})
    assert (out["t1_before"], out["t1_after"], out["t1_networks"].value) == (0.3, 0.4, 2)
