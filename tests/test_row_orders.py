"""Which row order of the THINGS concepts a file is in, told by people's choices: on tiny files and real ones."""

import json
import os

import numpy as np
import pytest
import rehearsal

from humalign.cli import main
from humalign.config import get_profile
from humalign.data import registry, row_orders
from humalign.data.features_file import read
from humalign.data.row_orders import ORDERS, detect, in_order
from humalign.errors import InputError, MissingData

DATA = os.environ.get("HUMALIGN_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")
CONCEPTS = rehearsal.CONCEPTS


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A tiny folder of THINGS, and the embedding that its simulated people choose by, in THINGS' own order."""
    root = rehearsal.write(tmp_path_factory.mktemp("tiny") / "data")
    return root, registry.load("things/spose_49", get_profile("full", data=root)).align(CONCEPTS).values


def rows_of(order, names):
    """Rows of a table in THINGS' own order, put into another one."""
    place = {name: row for row, name in enumerate(names)}
    return [place[name] for name in in_order(names, order)]


# ---------------------------------------------------------------------------------------------- by rule


def test_the_four_rules_by_hand():
    names = ("camera_lens", "camera1", "ice", "ice_cream", "ice-cream_cone")  # THINGS' own order
    assert in_order(names, "raw") == ("camera1", "camera_lens", "ice-cream_cone", "ice", "ice_cream")
    assert in_order(names, "python") == ("camera1", "camera_lens", "ice", "ice-cream_cone", "ice_cream")
    assert in_order(("ab", "a_c", "aB"), "upper") == ("ab", "aB", "a_c")  # the underscore comes after letters
    assert in_order(("ab", "a_c"), "python") == ("a_c", "ab")
    with pytest.raises(InputError, match="choose one of sorted, raw, python, upper"):
        in_order(names, "alphabetical")


@pytest.mark.parametrize("order", ORDERS)
def test_rows_in_each_order_are_named(tiny, order):
    root, values = tiny
    found = detect(values[rows_of(order, CONCEPTS)], data=root)
    assert found.best == order
    assert found.candidates == (order,)
    assert found.table.set_index("order")["accuracy"].idxmax() == order
    assert set(found.pairs["other"]) == set(ORDERS) - {order}
    assert (found.pairs["z"] >= row_orders.DECIDES).all()
    assert found.refutes(order) == ""
    assert all(f"not in {other} order but in {order}" in found.refutes(other) for other in ORDERS if other != order)


@pytest.mark.parametrize("order", ORDERS)
def test_triplets_in_each_order_are_named(tiny, order):
    root, _ = tiny
    trials = np.loadtxt(root / "things/triplets/test_10_ID.txt", dtype=int)
    place = np.argsort(rows_of(order, CONCEPTS))
    moved = np.column_stack([place[trials[:, :3]], trials[:, 3]])
    found = detect(moved, data=root)
    assert (found.kind, found.best, found.layout) == ("triplets", order, "")
    assert "column 0" in detect(moved[:, [2, 0, 1]], data=root).layout


def test_accuracy_is_that_of_the_library(tiny):
    from humalign import odd_one_out
    from humalign.similarity import similarity_matrix

    root, values = tiny
    trials = np.concatenate([np.loadtxt(root / f"things/triplets/{name}.txt", dtype=int)[:, :3]
                             for name in ("test_10_ID", "testset1", "testset2")])  # fmt: skip
    moved = np.any([np.array(in_order(CONCEPTS, o)) != np.array(CONCEPTS) for o in ORDERS[1:]], axis=0)
    affected = trials[moved[trials].any(1)]
    table = detect(values, data=root).table.set_index("order")
    assert set(table["n"]) == {len(affected)}
    for order in ORDERS:  # the file taken for one in another order
        names = in_order(CONCEPTS, order)
        taken = values[[names.index(name) for name in CONCEPTS]]
        by_kernel = [odd_one_out.accuracy(similarity_matrix(taken, kernel), affected) for kernel in ("cosine", "dot")]
        assert min(abs(table.loc[order, "accuracy"] - one) for one in by_kernel) < 1e-3


def test_values_too_poor_to_decide(tiny):
    root, values = tiny
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(size=(len(CONCEPTS), 8))
        found = detect(noise, data=root)
        assert found.best is None
        assert "no better than by chance" in found.reason
        assert found.refutes("raw") == ""
    shuffled = values[np.random.default_rng(0).permutation(len(values))]
    assert detect(shuffled, data=root).best is None


def test_few_human_trials_do_not_decide(tiny):
    root, values = tiny
    trials = np.loadtxt(root / "things/triplets/test_10_ID.txt", dtype=int)[:60, :3]
    found = detect(values, trials, data=root)
    assert found.best is None
    assert "sorted" in found.candidates


def test_a_repeated_question_is_no_more_evidence(tiny):
    root, values = tiny
    trials = np.loadtxt(root / "things/triplets/test_10_ID.txt", dtype=int)[:2000, :3]
    once, often = (detect(values, np.tile(trials, (n, 1)), data=root) for n in (1, 9))
    assert len(once.pairs) == 3
    np.testing.assert_allclose(once.pairs["z"], often.pairs["z"])
    np.testing.assert_allclose(once.table["standard_error"], often.table["standard_error"])


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (np.zeros((7, 5)) + 0.5, "have 7 rows for 30 THINGS concepts"),
        (np.full((30, 4), np.nan), "NaN|not finite"),
        (np.zeros(30), r"shape \(30,\)"),
        (np.array([["a", "b"]] * 30), "give numbers with two axes"),
        (np.zeros((30, 6)), "no better than by chance|no similarities"),
    ],
)
def test_bad_values_get_one_line(tiny, values, line):
    try:
        told = detect(values, data=tiny[0]).reason
    except InputError as error:
        told = str(error)
    assert "\n" not in told
    import re

    assert re.search(line, told)


def test_without_data_it_says_what_is_needed(tmp_path, monkeypatch):
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    with pytest.raises(MissingData, match="HUMALIGN_DATA"):
        detect(np.ones((1854, 3)) * 0.5)
    with pytest.raises(MissingData, match=r"things_concepts\.tsv"):
        detect(np.ones((1854, 3)) * 0.5, data=tmp_path)


# ---------------------------------------------------------------------------------------------- in use


def test_a_declared_order_that_people_contradict_is_refused(tiny, tmp_path):
    import shutil

    root = shutil.copytree(tiny[0], tmp_path / "data")
    path = root / "things/features/word2vec.npy"
    np.save(path, np.load(path)[rows_of("upper", CONCEPTS)])
    profile = get_profile("full", data=root)
    with pytest.raises(InputError, match=r"word2vec\.npy: is not in sorted order but in upper order") as caught:
        registry.load("things/word2vec", profile)
    assert "\n" not in str(caught.value)
    manifest = root / "humalign-data.json"
    told = json.loads(manifest.read_text())
    assert '{"row_order": {"things/word2vec": "upper"}}' in str(caught.value)  # and what the line says helps
    manifest.write_text(json.dumps({**told, "row_order": {"things/word2vec": "upper"}}))
    assert registry.load("things/word2vec", profile).ids == CONCEPTS


def test_features_without_ids_are_named_by_the_evidence_alone(tiny, tmp_path):
    root, values = tiny
    path = tmp_path / "net.npy"
    np.save(path, values[rows_of("upper", CONCEPTS)])
    found = read(path, data=root)
    assert found.ids == in_order(CONCEPTS, "upper")
    assert found.meta["facts"]["row order"].startswith("upper")
    np.save(path, np.random.default_rng(0).normal(size=values.shape))
    with pytest.raises(InputError, match=r"has no ids, and .* no better than by chance"):
        read(path, data=root)
    np.save(path, values[:20])
    with pytest.raises(InputError, match="has no ids; write one id a line"):
        read(path, data=root)


def test_command(tiny, tmp_path, capsys):
    root, values = tiny
    table = values[rows_of("raw", CONCEPTS)]
    np.save(tmp_path / "net.npy", table)
    np.savetxt(tmp_path / "net.txt", table)
    np.savetxt(tmp_path / "net.csv", table, delimiter=",")
    np.savez(tmp_path / "net.npz", features=table)
    for name in ("net.npy", "net.txt", "net.csv", "net.npz"):
        assert main(["data", "order", str(tmp_path / name), "--data", str(root), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["order"] == "raw"
        assert {row["order"] for row in told["table"]} == set(ORDERS)
    assert main(["data", "order", str(tmp_path / "net.npy"), "--data", str(root)]) == 0
    assert "net.npy: raw" in capsys.readouterr().out
    np.save(tmp_path / "net.npy", np.random.default_rng(1).normal(size=table.shape))
    assert main(["data", "order", str(tmp_path / "net.npy"), "--data", str(root)]) == 0
    assert "undecided" in capsys.readouterr().out
    (tmp_path / "net.pkl").write_bytes(b"x")
    for bad in ("net.pkl", "gone.npy"):
        assert main(["data", "order", str(tmp_path / bad), "--data", str(root)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


# ---------------------------------------------------------------------------------------------- the real files

FILES = {  # as measured: three files by people's choices alone, and one that they leave open between two orders
    "things/features/clip_vit_b32.npy": ("upper",),
    "things/features/word2vec.npy": ("sorted",),
    "things/embeddings/vice_42d.npy": ("raw",),
    "things/embeddings/spose_embedding_49d_sorted.txt": ("sorted",),
    "things/features/vgg16_srf200.npy": ("raw", "python"),
}
TABLE = {  # accuracies of the data's description, on the 50,320 trials that touch a concept whose row differs
    "things/features/clip_vit_b32.npy": (0.426, 0.429, 0.430, 0.502),
    "things/features/word2vec.npy": (0.467, 0.464, 0.464, 0.412),
    "things/features/vgg16_srf200.npy": (0.450, 0.455, 0.455, 0.406),
    "things/embeddings/vice_42d.npy": (0.626, 0.638, 0.638, 0.505),
    "things/embeddings/spose_embedding_49d_sorted.txt": (0.639, 0.624, 0.625, 0.496),
}


@needs_data
@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_every_file_of_things_in_every_order(name):
    from humalign.data.files import read_matrix

    values = read_matrix(os.path.join(DATA, name))
    found = detect(values)
    assert found.candidates == FILES[name]
    assert (found.best is None) == (len(FILES[name]) > 1)
    assert set(found.table["n"]) == {50320}
    np.testing.assert_allclose(found.table["accuracy"], TABLE[name], atol=6e-4)
    names = row_orders.concept_names()
    own = dict(zip(in_order(names, FILES[name][0]), values))
    for order in ORDERS:  # put on purpose into each other order
        moved = detect(np.stack([own[concept] for concept in in_order(names, order)]))
        assert order in moved.candidates
        if len(FILES[name]) == 1:
            assert moved.best == order


@needs_data
@pytest.mark.data
def test_vgg_is_in_raw_order_by_its_likeness_to_clip():
    """People's choices leave raw and python open; how alike both networks see ice and ice-cream_cone does not."""
    from humalign.similarity import similarity_matrix

    profile = get_profile("slice")
    names = row_orders.concept_names()
    lying = np.load(os.path.join(DATA, "things/features/vgg16_srf200.npy"))
    clip = similarity_matrix(registry.load("things/clip_vit_b32", profile).align(names).values, "cosine")
    likeness = {}
    for order in ("raw", "python"):
        place = in_order(names, order)
        own = similarity_matrix(lying[[place.index(name) for name in names]].astype(float), "cosine")
        rows = [names.index(name) for name in ("ice", "ice-cream_cone")]
        likeness[order] = np.mean([np.corrcoef(own[row], clip[row])[0, 1] for row in rows])
    assert likeness["raw"] > likeness["python"] + 0.08


@needs_data
@pytest.mark.data
@pytest.mark.parametrize("name", ["testset1", "testset2", "testset2_repeat", "test_10_ID", "responses_2025"])
def test_every_file_of_responses(name):
    found = detect(np.loadtxt(os.path.join(DATA, f"things/triplets/{name}.txt")))
    assert (found.kind, found.best, found.layout) == ("triplets", "sorted", "")


@needs_data
@pytest.mark.data
def test_sorted_order_of_people_is_confirmed_by_photographs_with_names():
    """A check from outside the circle of files without names: features of photographs that are named."""
    from humalign import odd_one_out
    from humalign.similarity import similarity_matrix

    profile = get_profile("slice")
    features = registry.load("things_cc0/features", profile)["efficientnet_lite0", "logits"]
    names = row_orders.concept_names()
    trials = np.concatenate([registry.load(name, profile).align(names).triplets for name in row_orders.PEOPLE])
    similarity = similarity_matrix(features.values.astype(float), "cosine")
    right = {}
    for order in ("sorted", "upper"):  # the trials' numbers read in each order
        place = {name: row for row, name in enumerate(features.ids)}
        known = np.array([place.get(name, -1) for name in in_order(names, order)])[trials]
        touched = np.array(in_order(names, order)) != np.array(
            in_order(names, "sorted" if order == "upper" else "upper")
        )
        use = (known >= 0).all(1) & touched[trials].any(1)
        right[order] = odd_one_out.accuracy(similarity, known[use]), int(use.sum())
    (own, n), (other, m) = right["sorted"], right["upper"]
    assert min(n, m) > 30
    assert own > other
