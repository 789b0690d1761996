"""What the page on concepts shows of its study, on small made-up tables."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages_made import FACTS, MODELS, measured, points

from humalign.chapters import concepts, concepts_figures, networks
from humalign.chapters.concepts import SAME
from humalign.errors import MissingData


def by_dimension(value, dimension="red", model="a", stage="zero-shot", n=30):
    """One accuracy within a dimension, as the study measures it."""
    return {"detail": dimension, "model": model, "stage": stage, "value": value, "n": n, "dataset": "things"}


def test_concepts_points_kinds_and_limits():
    rows = [by_dimension(0.41), by_dimension(0.72, model="b"), by_dimension(0.5, model="u")]
    rows += [by_dimension(0.1, "blue", n=5), by_dimension(0.9, stage=SAME), by_dimension(0.6, stage="probed")]
    found = concepts.points(measured(rows), FACTS)
    assert SAME not in set(found["stage"])
    assert list(found["group"][:3]) == list(MODELS["group"])
    assert concepts.kinds(found) == ["Image/text", "Untrained", "ResNet"]
    assert concepts_figures.limits(found) == pytest.approx((0.4, 0.75))  # the accuracy on five triplets is not drawn
    rows = concepts.rows(found, ["blue"])
    assert list(rows.columns) == concepts.COLUMNS
    assert rows["value"].tolist() == [0.1]


def test_concepts_explorer_holds_each_dimension_with_enough_triplets():
    rows = [by_dimension(0.5 + 0.1 * (stage == "probed"), d, stage=stage, n=5 if d == "c" else 50)
            for d in "acdef" for stage in ("zero-shot", "probed")]  # fmt: skip
    found = concepts.points(measured(rows), FACTS)
    shown = dict.fromkeys("acdef", np.zeros((6, 4, 4, 3), np.uint8))
    made = concepts_figures.explorer(found, list("acdef"), shown, "drawn")
    assert [pair.title for pair in made.pairs] == list("adef")  # c has too few triplets
    assert made.pairs[0].image.startswith("data:image/webp;base64,")
    assert made.frame[[made.pairs[1].x, made.pairs[1].y]].iloc[0].tolist() == pytest.approx([0.5, 0.6])
    with pytest.raises(MissingData):
        concepts_figures.page(found, [], shown, ["ResNet"], (0, 1))


def test_concepts_pictures_follow_the_leading_ones(monkeypatch):
    leading = pd.DataFrame({"dimension": ["red", "red", "blue"], "id": ["x", "y", "x"]})
    drawn = {"x": np.zeros((2, 2, 3), np.uint8), "y": np.ones((2, 2, 3), np.uint8)}
    monkeypatch.setattr(concepts, "leading", lambda _: leading)
    source = SimpleNamespace(seen=lambda role, ids, side: {i: drawn[i] for i in ids})
    found = concepts.pictures(source, 2)
    assert found["red"].shape == (2, 2, 2, 3)
    assert found["red"][1].all()
    assert not found["blue"].any()


def groups(red, blue, green):
    """Mean accuracies of two groups within three dimensions, the last with few triplets; untrained networks apart."""
    rows = [("red", red, 200), ("blue", blue, 100), ("green", green, 99)]
    table = pd.DataFrame(rows, columns=["dimension", "value", "n"])
    return pd.concat([table.assign(group="Web labels"), table.assign(group="Untrained", value=0.0)])


ORDER = pd.DataFrame({"dimension": ["blue", "red", "green"], "triplets": [300, 400, 98]})


def test_concepts_numbers_leave_small_dimensions_out(monkeypatch):
    alone = concepts.Partition(np.arange(4), None, np.array([[0], [1], [2], [3]]), ("red",), 9)
    part = replace(alone, dimension=np.zeros((4, 3), int))
    monkeypatch.setattr(concepts, "title", lambda _: "made")
    monkeypatch.setattr(concepts, "partition", lambda source, nearest: alone)
    same = {SAME: groups(0.5, 0.3, 0.1), "probed": groups(0.6, 0.5, 0.9)}
    out = concepts.numbers(None, part, same, ORDER)
    assert (out["con_best"], out["con_worst"], out["con_gain"]) == ("red, blue", "blue, red", "blue, red")
    assert (out["con_best_value"].value, out["con_worst_value"].value) == (0.6, 0.5)
    assert out["con_held"].value == pytest.approx(50)
    assert out["con_source"] == "made"
    assert [out[f"con_{key}"].value for key in ("kept", "single", "nearest", "total")] == [4, 25, 3, 9]


def test_concepts_table_is_in_order():
    table = concepts.table(groups(0.6, 0.5, 0.9), ORDER, ["Untrained", "Web labels"])
    assert list(table.columns) == ["triplets", "held out", "Untrained", "Web labels"]
    assert list(table.index) == ["blue", "red", "green"]
    assert table["held out"].tolist() == [100, 200, 99]


def test_concepts_by_stage():
    found = concepts.by_stage(measured([by_dimension(0.4, stage=SAME), by_dimension(0.6, stage="probed")]), FACTS)
    assert {stage: part["value"].item() for stage, part in found.items()} == {SAME: 0.4, "probed": 0.6}


def test_concepts_regression_table():
    rows = [{"measure": "r2", "model": "a", "detail": d, "value": v} for d, v in (("red", 0.2), ("blue", 0.4))]
    rows += [{"measure": "accuracy", "model": "a", "dataset": "things", "stage": "probed", "detail": "", "value": 0.7}]
    found = measured(rows)
    r2 = concepts.r2(found, FACTS)
    assert list(r2.columns) == concepts.R2
    assert {name: len(part) for name, part in concepts.of_layers(r2).items()} == {"penultimate": 2, "logits": 0}
    x = concepts.accuracy(found, FACTS[:1], "probed")
    assert x["penultimate"]["value"].item() == 0.7
    pairs = networks.pairs_of({"penultimate": x["penultimate"]}, {"penultimate": points(0.6, 0.1, 0.1)})
    row = concepts.regression_table(pairs, r2).iloc[0]
    assert (row["network"], row["mean R²"]) == ("Alpha", pytest.approx(0.3))
    assert (row["regression"].value, row["probed"].value) == (0.6, 0.7)
