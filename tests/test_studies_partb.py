"""Concepts, calibration and comparison of networks: closed forms, brute force on small cases, recorded tables."""

import numpy as np
import pandas as pd
import pytest

from humalign import odd_one_out, resample
from humalign.chapters import calibration, concepts, concepts_figures
from humalign.chapters import representation_comparison as comparison
from humalign.chapters import representation_comparison_figures as comparison_plots
from humalign.data.types import Features, Triplets
from humalign.errors import InputError, MissingData
from humalign.results import Measured
from humalign.similarity import similarity_matrix

RNG = np.random.default_rng(7)
M, D = 40, 5
IDS = tuple(f"thing{i // 2:02d}/{i % 2 + 1}" for i in range(M))
NAMES = tuple("abcde")
VALUES = RNG.exponential(0.4, (M, D)) + 2.0 * np.eye(D)[RNG.integers(0, D, M)]


def responses(n=3000, similarity=None, scale=1.0):
    rows = np.stack([RNG.choice(M, 3, replace=False) for _ in range(n)])
    s = VALUES @ VALUES.T if similarity is None else similarity
    pair = np.stack([s[rows[:, a], rows[:, b]] for a, b in ((0, 1), (0, 2), (1, 2))], 1) * scale
    kept = (pair + RNG.gumbel(size=pair.shape)).argmax(1)
    order = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[kept]
    concepts_of = tuple(i.partition("/")[0] for i in IDS)
    return Triplets(IDS, np.take_along_axis(rows, order, 1), "made up", "none", concepts=concepts_of)


TRIPLETS = responses()
FACTS = pd.DataFrame(
    {
        "model": ["one", "two", "three", "raw"],
        "group": ["Image/Text", "Image/Text", "Self-Supervised", "Untrained"],
        "family": ["ResNet", "ViT", "ResNet", "ResNet"],
        "name": ["One", "Two", "Three", "Raw"],
        "number": [1, 2, 3, 4],
    }
)


# ---- concepts


@pytest.mark.parametrize("k", [1, 2])
def test_partition_keeps_what_dimensions_predict_and_attributes_to_the_heaviest(k):
    part = concepts.divide(TRIPLETS, VALUES, NAMES, k)
    similarity = VALUES @ VALUES.T
    for row, (i, j, o) in enumerate(TRIPLETS.triplets[:300]):
        right = similarity[i, j] > max(similarity[i, o], similarity[j, o])
        assert right == (row in part.rows)
    for place in range(0, 200, 7):
        i, j, _ = part.triplets.triplets[place]
        assert list(part.dimension[place]) == list(np.argsort(-(VALUES[i] + VALUES[j]))[:k])
    assert part.total == len(TRIPLETS)
    assert odd_one_out.accuracy(similarity, part.triplets.triplets) == 1


def test_accuracy_within_dimensions_equals_counting_and_subsets_keep_their_triplets():
    part = concepts.divide(TRIPLETS, VALUES, NAMES, 2)
    scores = RNG.random((3, len(part.rows))) < 0.6
    found = concepts.by_dimension([{"model": m} for m in "abc"], scores, part, "x", draws=50, profile="mini")
    value, n = (found.table[column].to_numpy().reshape(3, D) for column in ("value", "n"))
    drawn = found.draws.reshape(3, D, 50)
    for d in range(D):
        inside = (part.dimension == d).any(1)
        assert n[0, d] == inside.sum()
        np.testing.assert_allclose(value[:, d], scores[:, inside].mean(1))
    assert np.nanstd(drawn[0, 0]) > 0
    rows = RNG.permutation(len(TRIPLETS))[:500]
    inner, at = concepts.subset(part, rows)
    np.testing.assert_array_equal(inner.rows, rows[at])
    np.testing.assert_array_equal(inner.triplets.triplets, TRIPLETS.triplets[rows[at]])
    assert set(inner.rows) == set(rows) & set(part.rows)


def test_group_means_and_ranks():
    part = concepts.divide(TRIPLETS, VALUES, NAMES)
    right = {"one": 1.0, "two": 0.5, "three": 0.25}
    scores = [np.arange(len(part.rows)) % 4 < 4 * p for p in right.values()]
    measured = concepts.by_dimension([{"model": m} for m in right], scores, part, "probed", profile="mini")
    table = concepts.by_group(measured, FACTS, "probed").set_index(["dimension", "group"])
    whole = measured.table.set_index(["detail", "model"])["value"]
    for d in NAMES:
        assert table.loc[(d, "Image/Text"), "value"] == pytest.approx((whole[d, "one"] + whole[d, "two"]) / 2)
        assert table.loc[(d, "Image/Text"), "rank"] == 1
        assert table.loc[(d, "Self-Supervised"), "rank"] == 2


def test_r2_of_a_perfect_an_average_and_a_weighted_prediction():
    folds = [np.arange(M) % 2 == 0, np.arange(M) % 2 == 1]
    groups = [f"thing{i // 4}" for i in range(M)]
    value, drawn = resample.r2(VALUES, VALUES, folds, groups, draws=20)
    np.testing.assert_allclose(value, 1)
    np.testing.assert_allclose(drawn, 1)
    flat = np.empty_like(VALUES)
    for train in folds:
        flat[~train] = VALUES[~train].mean(0)
    np.testing.assert_allclose(resample.r2(VALUES, flat, folds, groups, draws=5)[0], 0, atol=1e-9)
    noisy = VALUES + RNG.normal(0, 0.3, VALUES.shape)
    from sklearn.metrics import r2_score

    expected = [np.mean([r2_score(VALUES[~t, d], noisy[~t, d]) for t in folds]) for d in range(D)]
    np.testing.assert_allclose(resample.r2(VALUES, noisy, folds, groups, draws=5)[0], expected)
    spread = sum(((VALUES[~t] - VALUES[~t].mean(0)) ** 2).sum(0) for t in folds)
    pooled = 1 - ((VALUES - noisy) ** 2).sum(0) / spread
    np.testing.assert_allclose(resample.r2(VALUES, noisy, folds, groups, draws=5, pooled=True)[0], pooled)


def test_regression_finds_linear_dimensions_and_none_in_noise():
    mix = RNG.standard_normal((D, 9))
    good = Features(IDS, (VALUES @ mix).astype(np.float32), "one", "penultimate")
    bad = Features(IDS, RNG.standard_normal((M, 9)).astype(np.float32), "raw", "penultimate")
    found = concepts.regress([good, bad], TRIPLETS, VALUES, NAMES, draws=20, profile="mini")
    assert isinstance(found, Measured)
    assert set(found.table["stage"]) == {"regression"}
    r2 = found.table[found.table["measure"] == "r2"].groupby("model")["value"].mean()
    assert r2["one"] > 0.95
    assert r2["raw"] < 0.2
    task = found.table[found.table["measure"] == "accuracy"].set_index("model")
    assert set(task["dataset"]) == {"things"}
    assert task.loc["one", "value"] > task.loc["raw", "value"] + 0.1
    assert task.loc["one", "low"] < task.loc["one", "value"] < task.loc["one", "high"]


def test_vice_labels_name_every_column_once():
    assert sorted(concepts.VICE_LABELS) == list(range(42))
    assert len(set(concepts.VICE_LABELS.values())) == 42


# ---- calibration


def test_the_temperature_that_made_the_choices_is_found():
    similarity = similarity_matrix(RNG.standard_normal((M, 12)), "cosine")
    triplets = responses(8000, similarity, 1 / 0.2)
    rows = calibration.halves(triplets, 8000)
    assert not set(rows[0]) & set(rows[1])
    assert len(rows[0]) == len(rows[1]) == 4000
    made = calibration.of_similarity(similarity, triplets.triplets, rows)
    chosen = made["chosen"].set_index("rule")
    assert chosen.loc["log loss", "temperature"] == pytest.approx(0.2, rel=0.15)
    assert chosen.loc["continuous", "ece"] < 0.05 < chosen.loc["1", "ece"]
    assert chosen["accuracy"].nunique() == 1
    assert len(made["entropy"]) == 4000
    assert chosen.loc["1", "entropy"] > chosen.loc["log loss", "entropy"]
    binned = calibration.binned(np.array([1.0, 3, 5]), np.array([0.1, 0.2, 0.9]), np.array([0, 0.5, 1]))
    assert binned["value"].tolist() == [2, 5]
    assert binned["n"].tolist() == [2, 1]


# ---- comparison


def found_choices(n=4000):
    people = np.full(n, 2, np.int8)
    noise = {m: RNG.integers(0, 3, n).astype(np.int8) for m in FACTS["model"]}
    return {comparison.PEOPLE: people, **noise}


def test_failures_count_and_expect_independence():
    found = found_choices()
    table = comparison.failures(found, np.linspace(0, 1, 4000), FACTS)
    errors = sum((found[m] != 2).astype(int) for m in ("one", "two", "three"))
    np.testing.assert_array_equal(table["triplets"], np.bincount(errors, minlength=4))
    assert table["independent"].sum() == pytest.approx(1)
    np.testing.assert_allclose(table["share"], table["independent"], atol=0.03)  # they are independent here
    assert (table["dimensions"].dropna() == 1).all()


def test_doubt_by_group_is_the_mean_of_its_networks():
    found = found_choices()
    table = comparison.doubt(found, RNG.random(4000) * 1.09, FACTS)
    assert (table[table["model"] == comparison.PEOPLE]["error"] == 0).all()
    groups = comparison.by_group(table).set_index(["group", "low"])["error"]
    wide = table.set_index(["model", "low"])["error"]
    for low in table["low"].unique():
        assert groups["Image/Text", low] == pytest.approx((wide["one", low] + wide["two", low]) / 2)


def test_pairs_within_and_between_groups():
    names = ["one", "two", "three", comparison.PEOPLE]
    square = pd.DataFrame(np.arange(16.0).reshape(4, 4), names, names)
    square = (square + square.T) / 2
    table = comparison.within_and_between(comparison._long(square, "CKA", "logits"), FACTS).set_index("group")
    assert table.loc["Image/Text", "within"] == square.loc["one", "two"]
    assert table.loc["Image/Text", "between"] == square.loc[["one", "two"], "three"].mean()
    assert table.loc["Self-Supervised", "people"] == square.loc["three", comparison.PEOPLE]
    assert np.isnan(table.loc["Self-Supervised", "within"])
    assert comparison.order(pd.DataFrame({"first": names}), FACTS)[0] == comparison.PEOPLE


def test_clear_examples_use_no_concept_twice_and_start_with_the_surest():
    rows = [
        ("x", 0.3, "a/1", "b/1", "c/1"),
        ("x", 0.1, "d/1", "e/1", "f/1"),
        ("x", 0.2, "d/2", "g/1", "h/1"),
        ("x", 0.0, "i/1", "i/2", "k/1"),
    ]
    table = pd.DataFrame(rows, columns=["kind", "entropy", "a", "b", "odd"]).assign(triplet=range(4))
    assert comparison.clearest(table, {"x": 4})["triplet"].tolist() == [1, 0]
    assert not len(comparison.clearest(table, {"y": 4}))


# ---- figures and records


def test_swarm_keeps_close_points_apart():
    y = np.r_[np.full(4, 0.5), 0.9]
    x = concepts_figures.swarm(y, 3, step=0.2, gap=0.05)
    assert len(np.unique(np.round(x[:4], 6))) == 4
    assert x[4] == 3
    assert abs(x - 3).max() <= 0.42
    tiles = concepts_figures._mosaic(np.full((4, 6, 6, 3), 9, np.uint8), columns=3, gap=2)
    assert tiles.shape == (14, 22, 4)
    assert tiles[:6, :6, 3].min() == 255
    assert tiles[8:, 8:, 3].max() == 0


def test_figures_from_tables_alone():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    points = pd.DataFrame(
        {
            "dimension": "a",
            "stage": ["zero-shot", "probed"] * 4,
            "kind": "ResNet",
            "group": "Image/Text",
            "value": 0.5,
            "n": 9,
        }
    )
    fig = concepts_figures.page(points, ["a"], {"a": np.zeros((6, 8, 8, 3), np.uint8)}, ["ResNet"], (0.2, 0.9))
    assert sum(ax.get_visible() for ax in fig.axes) == 3
    found = found_choices(600)
    wrong = comparison.failures(found, np.zeros(600), FACTS)
    assert comparison_plots.failures(wrong).axes[0].get_ylabel() == "share of triplets"
    similarity = similarity_matrix(VALUES, "cosine")
    made = calibration.of_similarity(similarity, TRIPLETS.triplets, calibration.halves(TRIPLETS))
    fig = calibration.reliability(made["reliability"].assign(model="one"), {"one": "One"}, ["one"])
    assert fig.axes[0].get_title() == "One"
    plt.close("all")


def test_recorded_tables_stand_in_where_the_files_are_not(tmp_path, monkeypatch):
    from humalign import record as recording
    from humalign.config import Profile

    frame = pd.DataFrame({"model": ["m"], "value": [0.5]})
    study = recording.Study("tiny", frozenset({"things/word2vec"}), ("table",), 1, lambda source: {"table": frame})
    nowhere = Profile("mini", None, tmp_path)
    with pytest.raises(MissingData):
        study.record(nowhere, tmp_path)
    monkeypatch.setattr(recording, "FOLDER", tmp_path)
    recording.write("tiny", {"table": frame}, profile="slice", inputs={})
    found = study.tables(nowhere)
    assert found.provenance == "recorded"
    assert found["table"]["value"].tolist() == [0.5]
    (tmp_path / "tiny_table.csv").write_text("model,value\nm,0.9\n")
    with pytest.raises(InputError):
        study.tables(nowhere)


def test_what_the_package_records_of_the_public_files():
    from humalign import record as recording

    study = comparison.PUBLIC
    made = {key: recording.read(study.name, key) for key in study.keys}
    assert all(len(frame) for frame in made.values())
    pairs = made["pairs"].set_index(["measure", "model", "detail"])["value"]
    clip, _, vice, spose = comparison.COMPARED
    assert pairs["agreement", "people", vice] == pytest.approx(0.65, abs=0.02)  # as data/README.md says
    assert pairs["agreement", spose, vice] > pairs["agreement", vice, clip]
