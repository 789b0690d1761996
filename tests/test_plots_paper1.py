"""Figures of the first paper: every network is drawn, in its place, and identified; pure functions of their tables."""

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from humalign import claims as ledger
from humalign.chapters import claims, concepts_figures, networks, probing_figures, rsa, table1, zero_shot, zoo
from humalign.plots import factors, panels, style


@pytest.fixture(autouse=True)
def _close():
    style.use()
    yield
    plt.close("all")


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    rows = []

    def add(n, group, role="", **facts):
        for k in range(n):
            rows.append(
                {"group": group, "role": role, "objective": f"O{k}", "family": f"F{k % 3}", "augmentation": "", **facts}
            )

    add(4, "Concept labels", "objective")
    add(1, "Concept labels", "objective", augmentation="MixUp")
    add(4, "Concept labels", "architecture size")
    add(3, "Self-Supervised")
    add(4, "Image/Text")
    add(2, "Web labels", "labels")
    add(1, "Untrained")
    frame = pd.DataFrame(rows)
    frame["model"] = [f"m{k}" for k in range(len(frame))]
    frame["name"] = [f"Network {k}" for k in range(len(frame))]
    frame["number"] = np.arange(1, len(frame) + 1)
    frame["parameters"] = 1e5 * 2.0 ** rng.integers(0, 3, len(frame))
    frame["reference_accuracy"] = rng.uniform(0.2, 0.7, len(frame))
    frame["value"] = 0.35 + 0.2 * frame["reference_accuracy"]
    frame["low"], frame["high"] = frame["value"] - 0.01, frame["value"] + 0.01
    return frame


def drawn(ax):
    """All scattered points of an axes, sorted."""
    parts = [
        c.get_offsets().data
        for c in ax.collections
        if hasattr(c, "get_offsets") and len(c.get_offsets()) and c.get_paths()
    ]
    scattered = [
        p for c, p in zip([c for c in ax.collections if c.get_paths()], parts) if type(c).__name__ == "PathCollection"
    ]
    return np.array(sorted(map(tuple, np.concatenate(scattered)))) if scattered else np.empty((0, 2))


def test_six_panels_show_every_network_once_each(points):
    fig = factors.six(points, "accuracy", chance=1 / 3, ceiling=0.67)
    axes = fig.axes
    trained = points[["reference_accuracy", "value"]].to_numpy()
    means = points.groupby("group")[["reference_accuracy", "value"]].mean()
    every = np.array(sorted(map(tuple, np.r_[trained, means.to_numpy()])))
    assert np.allclose(drawn(axes[0]), every)  # every network, and the mean of each group
    texts = {t.get_text() for t in axes[0].texts}
    best = points.loc[points["value"].idxmax()]
    assert {"chance", "noise ceiling", best["name"], f"{0.67 - best['value']:.2f} below people", *means.index} <= texts
    groups = (points["role"].str.contains("objective"), points["role"].str.contains("architecture"))
    for ax, at in zip(axes[1:5], (*groups, points["group"] == "Self-Supervised", points["group"] == "Image/Text")):
        assert len(drawn(ax)) == at.sum()
        assert len({t.get_text() for t in ax.texts}) > 1  # some are named
        assert not [t for t in ax.texts if t.get_text().isdigit()]
    lines = [line for line in axes[5].lines if line.get_label() in set(points["family"])]
    assert sum(len(line.get_xdata()) for line in lines) == points["role"].str.contains("size").sum()


def test_six_panels_survive_missing_groups(points):
    few = points[points["group"] == "Web labels"]
    fig = factors.six(few, "accuracy")
    assert sum(t.get_text() == "no networks" for ax in fig.axes for t in ax.texts) == 4


def test_fit_reports_pearson_r(points):
    _, ax = plt.subplots()
    assert panels.fit(ax, points["reference_accuracy"], points["value"]) == pytest.approx(1)
    assert np.isnan(panels.fit(ax, [1, 2], [1, 2]))
    y = np.array([1.0, 3.0, 2.0, 5.0])
    assert panels.fit(ax, [0, 1, 2, 3], y) == pytest.approx(np.corrcoef([0, 1, 2, 3], y)[0, 1])


def test_pairs_meet_by_name(points):
    other = points.assign(value=points["value"] + 0.1).sample(frac=1, random_state=1).iloc[:-2]
    found = networks.pairs(points, other)
    assert len(found) == len(points) - 2
    assert found["difference"].to_numpy() == pytest.approx(np.full(len(found), 0.1))


def test_identity_shows_pairs_and_the_diagonal(points):
    found = networks.pairs(points, points.assign(value=points["value"] + 0.02))
    _, ax = plt.subplots()
    panels.identity(ax, found, "x", "y", chance=1 / 3)
    assert np.allclose(drawn(ax), np.array(sorted(map(tuple, found[["x", "y"]].to_numpy()))))
    assert ax.get_xlim() == ax.get_ylim()
    assert any(np.allclose(line.get_xdata(), line.get_ydata()) for line in ax.lines)


def test_labels_stay_apart():
    fig, ax = plt.subplots()
    x = np.full(4, 0.5)
    ax.scatter(x, x)
    fig.canvas.draw()
    panels.label_points(ax, x, x, ["1", "2", "3", "4"])
    boxes = [t.get_window_extent() for t in ax.texts]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_mean_of_sets_aligns_and_narrows(points):
    other = points.assign(value=points["value"] + 0.2, low=points["low"] + 0.2, high=points["high"] + 0.2)
    mean = rsa.mean_of([points, other.sample(frac=1, random_state=0)], "king").set_index("model")
    expected = points.set_index("model")["value"] + 0.1
    assert mean["value"].to_numpy() == pytest.approx(expected.loc[mean.index].to_numpy())
    assert (mean["high"] - mean["value"]).to_numpy() == pytest.approx(np.full(len(mean), 0.01 / np.sqrt(2)))


def test_single_figures_show_all_networks(points):
    found = networks.pairs(points, points.assign(value=points["value"] + 0.02))
    references = pd.DataFrame({"model": ["colour histogram", "category"], "value": [0.36, 0.37]})
    ceilings = pd.DataFrame({"detail": ["Bayes"], "value": [0.67]})
    fig = zero_shot.ladder(points, references, ceilings)
    labels = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert labels[0].endswith(points.loc[points["value"].idxmin(), "name"])
    assert len(drawn(fig.axes[0])) == len(points)
    assert len(drawn(zero_shot.two_layers(found).axes[0])) == len(points)
    assert len(zero_shot.differences(found).axes[0].patches) >= len(points)
    for ax in panels.identities({"penultimate": found, "logits": found}, "dot", "cosine").axes[:2]:
        assert len(drawn(ax)) == len(points)
    assert len(drawn(zero_shot.control(found).axes[0])) == len(points)
    assert len(drawn(zero_shot.coarse(points, points).axes[1])) == len(points)
    fig = rsa.sets({"a": points, "b": points}, {"a": 0.9, "b": 0.9}, {"a": references, "b": references})
    assert [len(drawn(ax)) for ax in fig.axes[:2]] == [len(points)] * 2
    fig = probing_figures.effect(found, {"one": found, "two": found, "three": found}, 0.67)
    assert [len(drawn(ax)) for ax in fig.axes[:4]] == [len(points)] * 4
    fig = probing_figures.effects({"one": found, "two": found}, {"two": 0.67})
    assert [len(drawn(ax)) for ax in fig.axes[:2]] == [len(points)] * 2
    words = [[text.get_text() for text in ax.texts] for ax in fig.axes[:2]]
    assert all(name.partition(" ")[0] in words[0] for name in found["name"])
    assert [("noise ceiling" in some) for some in words] == [False, True]
    known = found["group"].iloc[0]
    fig = probing_figures.photographs({"one": found, "two": found}, known)
    assert [len(drawn(ax)) for ax in fig.axes[:2]] == [len(points)] * 2
    assert sum(text.get_text() in set(found["name"]) for text in fig.axes[0].texts) == (found["group"] == known).sum()
    assert len(drawn(probing_figures.gains(points).axes[0])) == len(points)
    assert len(drawn(zoo.learned(points, 0.01).axes[0])) == len(points)
    assert len(drawn(zoo.sizes(points).axes[0])) == len(points)


def test_strengths_mark_what_was_selected(points):
    grid = (0.01, 0.1)
    curves = pd.DataFrame(
        [
            {"model": m, "strength": s, "ce": 1.0 + s, "accuracy": 0.4 - s, "selected": s == 0.1}
            for m in points["model"][:3]
            for s in grid
        ]
    )
    fig = probing_figures.strengths(curves, points)
    assert np.allclose(drawn(fig.axes[0]), [[0.1, 1.1]] * 3)
    low, high = probing_figures.strengths(curves, points, top=1.05).axes[0].get_ylim()
    assert low < 1.01 < high == 1.05


def test_solvers_and_nested_name_their_speed():
    table = pd.DataFrame(
        {
            "model": ["a", "a", "b", "b"],
            "solver": ["exact", "paper"] * 2,
            "objective": [1, 1.1, 1, 1.2],
            "seconds": [1, 30, 2, 20],
        }
    )
    fig = probing_figures.solvers(table, {"a": "A", "b": "B"})
    assert {"30 times", "10 times"} <= {t.get_text() for t in fig.axes[1].texts}
    table = pd.DataFrame({"model": ["a", "a"], "selection": ["same folds", "nested folds"], "accuracy": [0.5, 0.4]})
    assert np.allclose(drawn(probing_figures.nested(table).axes[0]), [[0.4, 0], [0.5, 0]])


def test_forest_shows_each_claim_with_its_verdict():
    criteria = {"a": {"above": 0.0}, "b": {"within": [-1, 1]}, "c": {"below": 0.5}, "d": {"above": 0.0}}
    rows = [
        ("a", 0.2, 0.1, 0.3, "replicates"),
        ("b", 3.0, 2.0, 4.0, "does not replicate"),
        ("c", 0.4, 0.2, 0.6, "undecided"),
        ("d", np.nan, np.nan, np.nan, "not measured"),
    ]
    table = pd.DataFrame(rows, columns=["id", "effect", "low", "high", "verdict"]).assign(claim="It holds.", paper=1)
    fig = claims.forest(table, criteria)
    assert len(fig.axes) == 4
    for ax, row in zip(fig.axes, rows):
        assert row[4] in {t.get_text() for t in ax.texts}
    assert np.allclose(drawn(fig.axes[0]), [[0.2, 0]])
    assert set(claims.COLOURS) == set(claims.SHAPES) == set(ledger.VERDICTS)
    fig = claims.tally(table)
    assert sum(int(t.get_text()) for t in fig.axes[0].texts) == 4


def test_objective_classes_are_those_of_the_paper():
    rows = [
        ("Concept labels", "Softmax", "", "Softmax"),
        ("Concept labels", "Dropout", "", "Softmax"),
        ("Concept labels", "Softmax", "Automatic augmentation", "Softmax"),
        ("Concept labels", "Softmax", "MixUp", "Softmax+"),
        ("Concept labels", "Extra L2", "", "Softmax+"),
        ("Taxonomy labels", "Sigmoid", "", "Sigmoid"),
        ("Concept labels", "Squared error", "", "Squared error"),
        ("Self-Supervised", "SimCLR", "", "Self-sup."),
        ("Image/Text", "Image/text", "", "Image/Text (contrastive)"),
        ("Supervised (ImageNet-1K)", "softmax CE + logit penalty", "", "Softmax+"),
    ]
    facts = pd.DataFrame(rows, columns=["group", "objective", "augmentation", "want"])
    assert zero_shot.objective_class(facts).tolist() == facts["want"].tolist()
    assert set(facts["want"]) == set(style.OBJECTIVES)


def test_sets_show_values_at_a_common_scale_and_the_limit_as_a_number(points):
    parts = {"one": points, "two": points.assign(value=points["value"] + 0.1)}
    fig = rsa.sets(parts, {"one": 0.95, "two": 0.4})
    assert fig.axes[0].get_xlim() == fig.axes[1].get_xlim()
    assert fig.axes[0].get_xlim()[1] < 0.95
    assert "noise ceiling 0.95 →" in fig.axes[0].get_xlabel()
    assert "limit" not in fig.axes[1].get_xlabel()


def test_single_runs_are_ticks_where_there_are_several():
    _, ax = plt.subplots()
    style.single_runs(ax, pd.DataFrame({"each": ["0.1 0.2 0.4", "0.3"]}), [5.0, 6.0])
    assert drawn(ax).tolist() == [[5.0, 0.1], [5.0, 0.2], [5.0, 0.4]]
    style.single_runs(ax, pd.DataFrame({"value": [0.1]}), [5.0])


def test_recovery_marks_the_best_of_each_row():
    frame = pd.DataFrame(
        [(g, c, 0.5 if g == c else 0.4, 0.3) for g in "ab" for c in "ab"],
        columns=["generator", "candidate", "accuracy", "zero_shot"],
    )
    fig = claims.recovery(frame, {"a": "A", "b": "B"})
    bold = [t for t in fig.axes[0].texts if t.get_weight() == "bold"]
    assert [t.get_position() for t in bold] == [(0.5, 0.5), (1.5, 1.5)]
    assert all(t.get_text() == "50.0" for t in bold)


def test_matrices_scale_each_to_its_ranks():
    rng = np.random.default_rng(0)
    one = rng.random((6, 6))
    one = one + one.T
    fig = rsa.matrices({"a": one, "b": 5 * one**3}, ["x"] * 5 + ["y"])
    first, second = (ax.collections[0].get_array() for ax in fig.axes[:2])
    assert np.allclose(first.filled(0), second.filled(0))  # ranks do not change under a rising function


def test_training_table_takes_losses_of_the_first_run_by_name():
    facts = pd.DataFrame({"model": ["a", "b"], "number": [1, 2], "name": ["A", "B"], "seeds": ["0 1", ""]})
    for column in ("family", "training_data", "objective", "augmentation"):
        facts[column] = "x"
    facts = facts.assign(parameters=[10.0, np.nan], epochs=13, own_accuracy=0.5, reference_accuracy=0.4)
    runs = pd.DataFrame({"model": ["a", "a"], "seed": [1, 0], "first_loss": [9.0, 4.0], "final_loss": [8.0, 1.0],
                         "cpu_seconds": [70.0, 50.4]})  # fmt: skip
    table = zoo.training(facts.iloc[::-1], runs).set_index("network")
    assert table.index.tolist() == ["B", "A"]
    assert table.loc["A", ["first loss", "last loss", "runs", "CPU s"]].tolist() == [4.0, 1.0, 2, 50.0]
    assert np.isnan(table.loc["B", "last loss"])
    assert table.loc["B", "runs"] == 0


def test_table1_joins_by_model_and_keeps_what_was_not_run(points):
    facts = pd.DataFrame(
        {
            "model": ["x", "y"],
            "name": ["X", "Y"],
            "source": ["s", "s"],
            "family": ["f", "f"],
            "group": ["g", "g"],
            "objective": ["o", "o"],
            "parameters": [1.5e6, None],
            "reference_accuracy": [0.7, None],
            "public": [True, False],
            "stand_in": ["", "timm:z.tag"],
            "paper": ["1", "1"],
        }
    )
    keys = {"dataset": "things", "stage": "zero-shot", "measure": "accuracy", "detail": "cosine"}
    run = pd.DataFrame(
        [
            {**keys, "model": "y", "layer": "penultimate", "value": 0.4},
            {**keys, "model": "y", "layer": "logits", "value": 0.5},
            {**keys, "model": "other", "layer": "logits", "value": 0.9},
        ]
    )
    frame = table1.published(facts, run).set_index("network")
    assert frame.loc["Y", "zero-shot"] == 0.5
    assert np.isnan(frame.loc["X", "zero-shot"])
    assert frame.loc["Y", "public"] == "no"
    assert frame.loc["Y", "stand-in"] == "z.tag (timm)"
    assert "zero-shot" not in table1.published(facts)
    counts = table1.counts(facts).iloc[0]
    assert (counts["networks"], counts["public"], counts["stand-in"], counts["features only"]) == (2, 1, 1, 0)
    assert table1.short("torchvision:resnet50?weights=V1") == "resnet50, V1 (torchvision)"


def test_ranks_behind_the_matrices_hold_every_pair_once():
    one = np.array([[0, 0.2, 0.9], [0.2, 0, 0.5], [0.9, 0.5, 0]])
    table = rsa.ranks({"people": one}, ["a", "b", "c"])
    assert table[["a", "b"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert table["people"].tolist() == [0.333, 1.0, 0.667]


def test_numbers_without_room_are_left_out():
    fig, ax = plt.subplots()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    x = np.r_[np.full(30, 0.5), 0.1]
    fig.canvas.draw()
    panels.label_points(ax, x, np.r_[np.linspace(0.5, 0.52, 30), 0.1], range(31), most=0.05)
    written = {text.get_text() for text in ax.texts}
    assert "30" in written
    assert 1 < len(written) < 31


def test_thin_lines_of_black_groups_show_in_the_dark():
    assert style.color("Web labels") == "black"
    assert style.thin("Web labels")["color"] == style.line_color("Web labels") != "black"
    assert style.thin("Image/Text") == {"color": style.color("Image/Text"), "lw": 0.5, "alpha": 0.3}


def test_a_page_of_concepts_has_a_column_for_each_dimension():
    rows = [{"dimension": "d", "stage": stage, "kind": "VGG", "group": "Untrained", "value": 0.4, "n": 30}
            for stage in ("zero-shot", "probed")]  # fmt: skip
    fig = concepts_figures.page(pd.DataFrame(rows), ["d"], {"d": np.zeros((6, 4, 4, 3), np.uint8)}, ["VGG"], (0, 1))
    assert len(fig.axes) == 3
    assert all(ax.get_visible() for ax in fig.axes)
    assert [text.get_text() for text in fig.axes[1].texts] == ["chance"]


def test_what_a_network_was_taught_names_an_unusual_augmentation():
    facts = pd.DataFrame({"training_data": ["pictures", "concepts"], "objective": ["none", "Softmax"],
                          "augmentation": ["", "MixUp"]})  # fmt: skip
    columns = zoo.taught(facts)
    assert columns["trained on"].tolist() == ["–", "concepts"]
    assert columns["objective"].tolist() == ["none", "Softmax, MixUp"]


def test_slopes_within_groups_show_simpsons_paradox():
    from humalign.plots import groups

    x = np.array([0.0, 1, 2, 3, 4, 5, 9])
    y = np.array([2.0, 1, 0, 6, 5, 4, 9])
    names = ["a"] * 3 + ["b"] * 3 + ["alone"]
    found = groups.slopes(x, y, names).set_index("group")
    assert list(found.index) == ["pooled", "a", "b", "within groups"]
    assert found.loc["pooled", "slope"] == pytest.approx(np.polyfit(x, y, 1)[0])
    assert found.loc["pooled", "slope"] > 0.5
    assert found.loc[["a", "b", "within groups"], "slope"].tolist() == pytest.approx([-1, -1, -1])
    assert found.loc["within groups", "r"] == pytest.approx(-1)
    assert found["n"].tolist() == [7, 3, 3, 6]
    assert groups.slopes([], [], []).empty
    assert groups.slopes([1, 1, 1], [1, 2, 3], "aaa").empty
