"""What the pages on teacher, students, zoo and drawn world show, on small made-up tables."""

import pandas as pd

from humalign.studies.pages import alignet as alignet_page
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
