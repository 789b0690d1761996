"""Studies of the first paper on small made worlds with known answers."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from humalign import odd_one_out, zoo
from humalign.cache import kept
from humalign.chapters import networks, probing, recovery, rsa, zero_shot
from humalign.chapters.claims import join
from humalign.config import get_profile
from humalign.data.types import Features, HumanRDM, Triplets
from humalign.errors import InputError
from humalign.results import Measured
from humalign.similarity import similarity_matrix
from humalign.source import open_source

M, K = 36, 18


@pytest.fixture(scope="module")
def made():
    """Objects with known dimensions; people choose by them; one network knows them, one does not."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(K, 4)).repeat(2, axis=0) + 0.1 * rng.normal(size=(M, 4))
    ids = tuple(f"c{i // 2:02d}/{i % 2}" for i in range(M))
    concepts = tuple(i.partition("/")[0] for i in ids)
    rows = np.array([rng.choice(M, 3, replace=False) for _ in range(12_000)])
    chosen = recovery.simulate(truth @ truth.T, rows, rng)
    triplets = Triplets(ids, chosen, "made", "none", concepts=concepts)
    mixed = (
        truth @ rng.normal(size=(4, 10)) + 0.05 * rng.normal(size=(M, 10)) + 6 * rng.normal(size=(M, 1)) * np.eye(10)[0]
    )
    features = [
        Features(ids, truth.astype(np.float32), "knows", meta={"seed": 0}),
        Features(ids, mixed.astype(np.float32), "mixed", meta={"seed": 0}),
        Features(ids, rng.normal(size=(M, 6)).astype(np.float32), "noise", meta={"seed": 0}),
    ]
    return truth, triplets, features


def test_zero_shot_rows_equal_the_measure(made):
    _, triplets, features = made
    turned = [f.align(f.ids[::-1]) for f in features]  # another order of rows must not matter
    measured = zero_shot.of_features(turned, triplets, ("cosine", "dot"), 20, profile="mini", dataset="things")
    assert len(measured.table) == 6
    for part in features:
        for kernel in ("cosine", "dot"):
            row = measured.table.query("model == @part.model and detail == @kernel").iloc[0]
            similarity = similarity_matrix(part.values, kernel)
            assert row["value"] == pytest.approx(odd_one_out.accuracy(similarity, triplets.triplets))
            assert row["low"] <= row["value"] <= row["high"]
    value = measured.table.query("detail == 'dot'").set_index("model")["value"]
    assert value["knows"] > 0.55 > 0.4 > value["noise"]


def test_rsa_is_one_for_the_people_themselves(made):
    truth, triplets, features = made
    own = np.asarray(rsa.measures.rdm(truth, metric="correlation"))
    human = HumanRDM(triplets.ids, np.stack([own, own]), "made", "none")
    measured = rsa.of_features(features, human, ("correlation",), draws=20, dataset="cichy", profile="mini")
    value = measured.table.query("measure == 'spearman'").set_index("model")["value"]
    assert value["knows"] == pytest.approx(1, abs=1e-5)
    assert abs(value["noise"]) < 0.3
    assert measured.table.query("measure == 'pearson' and model == 'knows'")["value"].item() == pytest.approx(1)


def test_probe_is_judged_on_unseen_concepts_only(made):
    _, triplets, features = made
    probe = probing.fit_probe(features[1], triplets, strengths=(0.03, 0.1))
    folds = probing.probing.object_folds(M, probing.FOLDS, probing.SEED, np.asarray(triplets.concepts))
    for fold, part in probe.table.groupby("fold"):
        concept = np.asarray(triplets.concepts)
        assert not set(concept[folds[fold]]) & set(concept[~folds[fold]])
        assert part["n_validation"].iloc[0] == probing.probing.partition_masks(triplets.triplets, folds[fold])[1].sum()
    held = triplets.triplets[probe.rows]
    outside = [~f for f in folds]
    assert all(any(o[t].all() for o in outside) for t in held)
    similarity = probing.similarity_matrix(features[1].values, "cosine")
    assert probe.before.mean() == pytest.approx(odd_one_out.accuracy(similarity, held))
    assert probe.right.mean() > probe.before.mean() + 0.03  # the probe takes out the disturbing feature
    assert not probe.collapsed


def test_probes_survive_the_cache_and_pair_their_rows(made):
    _, triplets, features = made
    found = [probing.fit_probe(f, triplets, strengths=(0.1,)) for f in features[:2]]
    back = probing._unpack(probing._pack(found[0]), model="knows", layer="penultimate", seed=0)
    assert (back.right == found[0].right).all()
    assert np.allclose(back.transform.weights, found[0].transform.weights)
    assert back.strength == found[0].strength
    assert back.cross_entropy == pytest.approx(found[0].cross_entropy)
    measured = probing.of_probes(found, triplets, 20, dataset="things", profile="mini")
    assert set(measured.table["stage"]) == {"probed", probing.SAME}
    models = pd.DataFrame({"model": ["knows", "mixed"], "number": [1, 2], "group": ["A", "A"]})
    gain = probing.gains(measured, models)
    expected = [p.right.mean() - p.before.mean() for p in found]
    assert gain["value"].to_numpy() == pytest.approx(expected, abs=1e-6)


def test_probes_with_other_folds_are_refused(made):
    _, triplets, features = made
    found = [probing.fit_probe(features[0], triplets, strengths=(0.1,), seed=s) for s in (0, 1)]
    with pytest.raises(InputError):
        probing.of_probes(found, triplets, 5, dataset="things", profile="mini")


def test_refitted_transform_and_unknown_name(made):
    _, triplets, features = made
    every = probing.fit_probe(features[0], triplets, "all", strengths=(0.1,))
    direct = probing.refit(features[0].values, triplets.triplets, (0.1,))
    a, b = every.transform.apply(features[0].values), direct.apply(features[0].values)
    assert np.allclose(a @ a.T, b @ b.T, atol=1e-2)
    with pytest.raises(InputError):
        probing.fit_probe(features[0], triplets, "best", strengths=(0.1,))


def test_refit_walks_past_the_minimum_at_zero(made):
    _, triplets, features = made
    values, strong = features[0].values, 0.3
    walked = probing.refit(values, triplets.triplets, (0.01, 0.1, strong))
    direct = probing.refit(values, triplets.triplets, (strong,))
    assert walked.report["objective"] <= direct.report["objective"] + 1e-4
    assert np.abs(walked.weights).max() > 1e-3


def test_simulated_choices_follow_their_probabilities():
    similarity = np.array([[0, 2.0, 0], [2.0, 0, 1.0], [0, 1.0, 0]])
    rows = np.tile([0, 1, 2], (20_000, 1))
    out = recovery.simulate(similarity, rows, np.random.default_rng(0))
    assert (np.sort(out, axis=1) == [0, 1, 2]).all()
    share = np.bincount(out[:, 2], minlength=3) / len(out)  # odd one 2 = pair (0, 1) kept, and so on
    expected = np.exp([1.0, 0.0, 2.0]) / np.exp([1.0, 0.0, 2.0]).sum()
    assert share == pytest.approx(expected, abs=0.015)


def test_recovery_names_a_network_that_differs_from_all_others(made):
    _, triplets, features = made
    values = {f.model: f.values for f in features if f.model != "mixed"}
    table = recovery.confusion(values, triplets, (0.0005, 0.05))
    assert len(table) == 4
    assert (table["accuracy"] <= table["limit"] + 0.06).all()
    named = recovery.recovered(table).set_index("generator")
    assert named.loc["knows", "right"]
    assert named.loc["knows", "best"] == "knows"
    assert named.loc["knows", "margin"] < 0


def test_best_of_another_network_has_a_positive_margin():
    frame = pd.DataFrame({"generator": ["a", "a"], "candidate": ["a", "b"], "accuracy": [0.4, 0.5]})
    row = recovery.recovered(frame).iloc[0]
    assert (row["best"], bool(row["right"])) == ("b", False)
    assert row["margin"] == pytest.approx(0.1)


def test_roles_follow_from_what_varies():
    facts = zoo.table(get_profile("mini"))
    role = facts.set_index("model")["role"]
    assert role["softmax-resnet-m"] == "objective architecture size labels"
    assert role["mixup-resnet-m"] == "objective"
    assert role["softmax-mixer-m"] == "architecture"
    assert role["softmax-vit-s"] == "size"
    assert role["taxonomy-vit-m"] == role["sigmoid-vit-m"] == "labels"
    assert role["simclr-resnet-m"] == role["untrained-resnet-m"] == ""
    assert facts["number"].tolist() == list(range(1, len(facts) + 1))
    wanted = {"SimCLR", "MoCo v2", "Barlow Twins", "VICReg", "SwAV", "RotNet", "Jigsaw"}
    assert wanted == set(facts.loc[facts["group"] == "Self-Supervised", "objective"])


def test_every_query_of_the_ledger_finds_networks():
    from humalign import claims
    from humalign.zoo.facts import kinds

    facts = kinds(zoo.table(get_profile("mini")).assign(reference_accuracy=0.5))
    for claim in claims.ledger():
        test = claim["test"]
        for query in [*(test[k] for k in ("of", "a", "b") if k in test), *test.get("order", ())]:
            assert len(facts.query(query)), (claim["id"], query)


def rows_of(values, **common):
    keys = {
        "dataset": "things",
        "measure": "accuracy",
        "stage": "zero-shot",
        "detail": "cosine",
        "layer": "penultimate",
    }
    rows = [{**keys, **common, "model": m, "value": v} for m, v in values.items()]
    return Measured.of(rows, np.repeat([[r["value"]] for r in rows], 10, 1), profile="mini")


def test_points_take_the_better_layer_network_by_network():
    both = join(rows_of({"a": 0.5, "b": 0.3}), rows_of({"a": 0.4, "b": 0.6}, layer="logits"))
    facts = pd.DataFrame({"model": ["b", "a"], "number": [1, 2], "group": ["A", "B"]})
    found = networks.points(both, facts, "best", dataset="things", detail="cosine")
    assert found["model"].tolist() == ["b", "a"]
    assert found["value"].tolist() == pytest.approx([0.6, 0.5])
    assert found["layer"].tolist() == ["logits", "penultimate"]
    one = networks.points(both, facts, "logits", dataset="things", detail="cosine")
    assert one["value"].tolist() == pytest.approx([0.6, 0.4])


def test_join_keeps_the_first_of_equal_keys():
    joined = join(rows_of({"a": 0.5}), rows_of({"a": 0.9, "b": 0.1}))
    assert joined.table["value"].tolist() == pytest.approx([0.5, 0.1])
    assert len(joined.draws) == 2


def test_recorded_runs_join_only_what_was_measured(monkeypatch):
    further = join(rows_of({"a": 0.7, "c": 0.2}, seed=1), rows_of({"a": 0.1}, seed=1, dataset="coarse"))
    monkeypatch.setattr(networks, "recorded", lambda: further)
    joined = networks.with_recorded(rows_of({"a": 0.5, "b": 0.4})).table
    assert joined[["model", "seed", "dataset"]].values.tolist() == [
        ["a", 0, "things"],
        ["b", 0, "things"],
        ["a", 1, "things"],
    ]


def test_points_hold_every_training_run(monkeypatch):
    further = join(rows_of({"a": 0.7}, seed=1), rows_of({"a": 0.6}, seed=2))
    further.table["provenance"] = "recorded"
    monkeypatch.setattr(networks, "recorded", lambda: further)
    both = networks.with_recorded(rows_of({"a": 0.5, "b": 0.4}))
    facts = pd.DataFrame({"model": ["a", "b"], "number": [1, 2], "group": ["A", "B"]})
    found = networks.points(both, facts, "best", dataset="things", detail="cosine").set_index("model")
    assert found.loc["a", "value"] == pytest.approx(0.6)
    assert found["each"].tolist() == ["0.5000 0.7000 0.6000", "0.4000"]
    assert found["runs"].tolist() == [3, 1]
    assert found["provenance"].tolist() == ["recorded", "live"]  # the mean of a is not all from this machine
    assert found.loc["a", "low"] < 0.55 < 0.65 < found.loc["a", "high"]  # draws have no noise: the runs make the width
    assert found.loc["b", "low"] == pytest.approx(found.loc["b", "high"])


def test_kernels_by_group_count_each_network_once():
    parts = [rows_of({"a": 0.5, "b": 0.3, "c": 0.1}, detail=k) for k in ("cosine", "dot", "euclidean")]
    parts.append(rows_of({"a": 0.7}, seed=1))
    facts = pd.DataFrame({"model": ["c", "a", "b"], "group": ["B", "A", "A"]})
    found = zero_shot.by_kernel(join(*parts), facts)
    assert found[["group", "layer"]].values.tolist() == [["B", "penultimate"], ["A", "penultimate"]]
    assert found["cosine"].tolist() == pytest.approx([0.1, 0.45])  # a: mean of two runs, then the mean with b
    assert found["dot"].tolist() == pytest.approx([0.1, 0.4])


def test_category_is_silent_on_triplets_of_three_categories():
    assert 0.5 < zero_shot.three_categories(open_source("mini")) < 1


def test_products_are_kept_under_version_and_inputs(tmp_path):
    profile, calls = get_profile("mini", cache=tmp_path), []

    def make():
        calls.append(1)
        return rows_of({"a": 0.5})

    first, again = (kept(profile, "x", 1, ["one"], make) for _ in range(2))
    kept(profile, "x", 1, ["two"], make)
    kept(profile, "x", 2, ["one"], make)
    assert len(calls) == 3
    pd.testing.assert_frame_equal(first.table, again.table)
    assert (first.draws == again.draws).all()


def test_one_computes_while_others_wait(tmp_path):
    profile, calls = get_profile("mini", cache=tmp_path), []

    def make():
        calls.append(1)
        time.sleep(0.3)
        return {"x": np.arange(3)}

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: kept(profile, "x", 1, [], make), range(3)))
    assert len(calls) == 1
    assert all((one["x"] == [0, 1, 2]).all() for one in found)


def test_tables_and_arrays_come_back_as_they_went(tmp_path):
    profile = get_profile("mini", cache=tmp_path)
    frame = pd.DataFrame({"name": ["a", "b"], "value": [1 / 3, np.nan]})
    pixels = np.arange(6, dtype=np.uint8)  # no text, although it is made of bytes
    for _ in range(2):
        pd.testing.assert_frame_equal(kept(profile, "frame", 1, [], lambda: frame), frame)
        found = kept(profile, "a / b", 1, [], lambda: {"pixels": pixels, "table": frame})
        pd.testing.assert_frame_equal(found["table"], frame)
        np.testing.assert_array_equal(found["pixels"], pixels)
