"""What the first pages show of a study, on small made-up tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages_made import MODELS, STAGES, measured, points

from humalign import show
from humalign.chapters import networks, probing, rsa, zero_shot
from humalign.data.types import Features, HumanRDM, Stimuli, Triplets
from humalign.probing import LinearTransform
from humalign.results import Measured


def test_best_and_worst_are_trained():
    found = points(0.2, 0.4, 0.9)
    assert networks.best(found)["name"] == "Beta"
    assert networks.worst(points(0.2, 0.4, 0.1))["name"] == "Alpha"
    assert list(networks.trained(found)["model"]) == ["a", "b"]
    assert networks.names(MODELS)["u"] == "Blank"


def test_count_is_as_far_from_live_as_its_rows():
    found = points(0.2, 0.4, 0.9).assign(provenance=["live", "recorded", "live"])
    number = networks.count(found["value"] > 0.3, found)
    assert (number.value, number.provenance) == (2, "recorded")


def test_tables_of_panels():
    x, y = {"p": points(0.1, 0.2, 0.3)}, {"p": points(0.2, 0.2, 0.1)}
    pairs = networks.pairs_of(x, y)["p"]
    assert pairs["difference"].to_numpy() == pytest.approx([0.1, 0, -0.2])
    both = networks.stacked({"p": pairs, "q": pairs})
    assert both.columns[0] == "panel"
    assert list(both["panel"]) == ["p"] * 3 + ["q"] * 3
    assert list(networks.labelled({"p": pairs}, "layer")["layer"]) == ["p"] * 3
    assert networks.titled({"two": 2, "one": 1}, {"one": "One", "two": "Two", "three": "Three"}) == {"One": 1, "Two": 2}
    assert networks.titled(pd.Series({"one": 1}), {"one": "One", "two": "Two"}) == {"One": 1}


def test_glue_all_puts_the_prefix_first(monkeypatch):
    glued = {}
    monkeypatch.setattr(show, "glue", glued.__setitem__)
    show.glue_all({"a": 1, "b": "x"}, "te_")
    assert glued == {"te_a": 1, "te_b": "x"}


def people(method="spearman"):
    rows = [("cichy", "reliability", 0.9), ("cichy", "one person", 0.5), ("king1", "reliability", 0.8)]
    table = pd.DataFrame(rows, columns=["dataset", "detail", "value"]).assign(measure=method)
    return pd.concat([table, table.assign(measure="other", value=0.0)])


def test_rsa_numbers_and_limits():
    found = {"cichy": points(0.2, 0.4, 0.9), "king1": points(0.3, 0.1, 0.9)}
    out = rsa.numbers(found, people(), "spearman")
    assert out["rsa_best_name_cichy"] == "Beta"
    assert out["rsa_best_name_king1"] == "Alpha"
    assert out["rsa_best_cichy"].value == 0.4
    assert out["rsa_best_cichy"].interval == pytest.approx((0.3, 0.5))
    assert (out["rsa_limit_king1"].value, out["rsa_one_cichy"].value) == (0.8, 0.5)
    assert "rsa_one_cichy" not in rsa.numbers(found, people()[lambda t: t["detail"] == "reliability"], "spearman")
    assert rsa.limits(people()).to_dict() == {"cichy": 0.9, "king1": 0.8}


def test_rsa_table_follows_the_first_set():
    table = rsa.table({"cichy": points(0.2, 0.4, 0.9), "king1": points(0.3, 0.1, 0.9)[::-1]}, rsa.TITLES)
    assert list(table.columns) == ["name", "group", "118 pictures", "144, set 1"]
    assert [n.value for n in table["144, set 1"]] == [0.3, 0.1, 0.9]


def test_rsa_two_ways_and_two_layers():
    rows = [
        {"model": "a", "value": 0.1},
        {"model": "a", "value": 0.2, "measure": "pearson"},
        {"model": "a", "value": 0.3, "layer": "logits"},
        {"model": "a", "value": 0.4, "dataset": "king1"},
    ]
    found, models = measured(rows), MODELS[:1]
    first, second = rsa.two_ways(found, models, "penultimate", measure=("spearman", "pearson"))
    assert (first["value"].item(), second["value"].item()) == (0.1, 0.2)
    layers = rsa.by_layer(found, models, "spearman", "correlation")
    assert [part["value"].item() for part in layers] == [0.1, 0.3]
    sets = rsa.points(found, models, "best", ("cichy", "king1"), "spearman", "correlation")
    assert sets["cichy"]["layer"].item() == "logits"
    assert sets["king1"]["value"].item() == 0.4


def test_rsa_matrices_are_in_the_order_asked_for():
    ids, values = ("x", "y", "z"), np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0.5]])
    parts = [Features(ids, values, "a", layer) for layer in ("penultimate", "logits")]
    source = SimpleNamespace(features=lambda *_, **__: parts)
    rdm = np.array([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]])
    human = HumanRDM(ids, rdm[None], "made", "none")
    example = points(0.2, 0.4, 0.9)[:1].assign(layer="logits")
    found = rsa.dissimilarities(source, human, ("z", "y", "x"), example, "cosine")
    assert list(found) == ["people", "Alpha, ρ = 0.20"]
    assert np.array_equal(found["people"], rdm[::-1, ::-1])
    assert found["Alpha, ρ = 0.20"][0, 1] == pytest.approx(1 - 1 / 1.5)


# ---- zero-shot -------------------------------------------------------------------------------------------------------


def test_zero_shot_numbers():
    ids = ("c0/0", "c0/1", "c1/0", "c2/0")
    choices = Triplets(ids, np.array([[0, 1, 2], [0, 2, 3]]), "made", "none", concepts=("c0", "c0", "c1", "c2"))
    shown = Stimuli(ids, "made", "none", concepts=choices.concepts, meta={"kind": ["x", "x", "y", "z"]})
    source = SimpleNamespace(triplets=lambda role: choices, pictures=lambda role: shown)
    ceilings = pd.DataFrame({"detail": ["majority", "Bayes"], "value": [0.7, 0.8]})
    references = pd.DataFrame({"model": ["pixels"], "value": [0.4], "low": [0.3], "high": [0.5], "provenance": "live"})
    control = points(0.2, 0.4, 0.9, provenance="recorded")
    out = zero_shot.numbers(source, points(0.2, 0.4, 0.9), ceilings, references)
    out |= zero_shot.numbers_of_control(control)
    assert [out[f"zs_{key}"].value for key in ("pictures", "concepts", "span")] == [4, 3, 0.5]
    assert (out["zs_best_name"], out["zs_worst_name"], out["zs_networks"].value) == ("Beta", "Alpha", 3)
    assert (out["zs_bayes"].value, out["zs_majority"].value, out["zs_pixels"].value) == (0.8, 0.7, 0.4)
    assert not {"zs_loo", "zs_category"} & set(out)
    assert (out["zs_above"].value, out["zs_below"].value) == (1, 1)  # intervals wholly beside chance
    assert out["zs_above"].provenance == "recorded"


def test_zero_shot_table_and_layers():
    rows = [
        {"model": "a", "dataset": "things", "detail": "dot", "value": 0.1},
        {"model": "a", "dataset": "things", "detail": "dot", "value": 0.3, "layer": "logits"},
        {"model": "b", "dataset": "things", "detail": "dot", "value": 0.2},
    ]
    layers = zero_shot.by_layer(measured(rows), MODELS[:2], "dot")
    assert {name: list(part["value"]) for name, part in layers.items()} == {"penultimate": [0.1, 0.2], "logits": [0.3]}
    best = points(0.3, 0.2, 0.1)[:2].assign(reference_accuracy=0.5, runs=1)
    table = zero_shot.table(best, layers)
    assert list(table.columns) == ["name", "group", "linear probe", "penultimate", "logits", "runs", "best"]
    assert table["logits"].isna().tolist() == [False, True]
    assert [n.value for n in table["best"]] == [0.3, 0.2]


# ---- probing ---------------------------------------------------------------------------------------------------------


def test_probing_headline():
    gains = points(0.05, 0.2, 0.9, provenance="recorded")
    arranged = {"king1": MODELS.assign(difference=[0.1, -0.1, 0.1], provenance="live")}
    out = probing.numbers(points(0.2, 0.4, 0.9), gains, MODELS[:1], arranged)
    assert (out["pr_best_name"], out["pr_best"].value) == ("Beta", 0.4)
    assert [out[f"pr_{key}"].value for key in ("rise", "sure", "networks", "shrunk", "king1")] == [2, 1, 2, 1, 1]
    assert out["pr_gain"].value == pytest.approx(12.5)
    assert (out["pr_gain"].provenance, out["pr_king1"].provenance) == ("recorded", "live")


def test_probing_table_follows_the_probed_networks():
    after = points(0.2, 0.4, 0.9)[:2]
    turned = points(0.1, 0.3, 0.5)[::-1]
    table = probing.table(turned, after, turned, turned[turned["model"] == "b"])
    assert list(table.columns)[2:] == ["zero-shot, same triplets", "probed", "gain", "probed, logits"]
    assert [n.value for n in table["gain"]] == [0.1, 0.3]
    assert table["probed, logits"].isna().tolist() == [True, False]


def test_probing_points_before_and_after():
    rows = [{"model": "a", "dataset": "things", "measure": "accuracy", "detail": "", "stage": "probed", "value": 0.5}]
    rows += [{**rows[0], "stage": probing.SAME, "value": 0.4}]
    before, after = probing.choices(measured(rows), MODELS[:1], "penultimate")
    assert (before["value"].item(), after["value"].item()) == (0.4, 0.5)
    sets = probing.OPTIONAL
    rows = [{"model": "a", "dataset": d, "stage": s, "value": v} for d in sets for s, v in zip(STAGES, (0.1, 0.2))]
    pairs = probing.arrangements(measured(rows), MODELS[:1], "penultimate")
    assert list(pairs) == list(sets)
    assert {(part["x"].item(), part["y"].item()) for part in pairs.values()} == {(0.1, 0.2)}


def test_probing_transforms_have_a_column_each(monkeypatch):
    asked = []

    def probes(*_, transform, **__):
        asked.append(transform)
        who = {"model": "a", "layer": "penultimate", "seed": 0}
        rest = dict.fromkeys(("table", "rows", "right", "before"))
        yield probing.Probe(**who, **rest, transform=LinearTransform(np.eye(3)))

    human = HumanRDM(("x", "y", "z"), np.array([[[0.0, 1, 2], [1, 0, 3], [2, 3, 0]]]), "made", "none")
    row = {"model": "a", "value": 0.5, "low": 0.4, "high": 0.6, "provenance": "live"}
    found = Measured(pd.DataFrame([row]), np.zeros((1, 2)))
    shown = [Features(("x", "y", "z"), np.eye(3), "a", "penultimate")]
    profile = SimpleNamespace(name="mini")
    source = SimpleNamespace(profile=profile, arrangement=lambda _: human, features=lambda *_: shown)
    monkeypatch.setattr(probing, "probes", probes)
    monkeypatch.setattr(probing.rsa, "of_features", lambda moved, *_, **__: list(moved) and found)
    table = probing.transforms(source, ["a"], "penultimate", {"a": "Alpha"})
    assert asked == ["last", "mean", "all"]
    assert list(table.columns) == list(probing.TRANSFORMS.values())
    assert table.loc["Alpha", "mean of the folds"].value == 0.5


def test_probing_solvers_are_named():
    table = probing.solver_table(pd.DataFrame({"model": ["a"], "held_out": [1.0], "gap": [0.1]}), {"a": "Alpha"})
    assert table.to_dict("records") == [{"network": "Alpha", "held-out cross-entropy": 1.0, "gap": 0.1}]


def test_every_network_in_a_row_every_panel_in_a_column():
    from humalign.chapters import networks

    points = pd.DataFrame({
        "number": [2, 1, 1], "name": ["b", "a", "a"], "group": ["Untrained", "Web labels", "Web labels"],
        "panel": ["second", "second", "first"], "value": [0.2, 0.1, 0.3], "provenance": ["live", "live", "recorded"],
    })  # fmt: skip
    table = networks.wide(points)
    assert table.columns.tolist() == ["network", "training group", "second", "first", "provenance"]
    assert table["network"].tolist() == ["a", "b"]
    assert table["first"].isna().tolist() == [False, True]
    assert table["provenance"].tolist() == ["recorded", "live"]
