"""A reader's own features: four forms, always with ids; and the data command's answers."""

import json
import pickle

import h5py
import numpy as np
import pytest

from humalign.cli import main
from humalign.data import features_file
from humalign.data.types import ConceptEmbedding, Features, HumanRDM, Triplets
from humalign.errors import InputError
from humalign.store import save_arrays

IDS = ["dog", "cat", "ice_cream", "car"]
VALUES = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)


def forms(folder):
    """The same features in every form that is understood."""
    np.save(folder / "a.npy", VALUES)
    (folder / "a.ids.txt").write_text("\n".join(IDS) + "\n")
    np.save(folder / "b.npy", VALUES)
    (folder / "b.json").write_text(json.dumps({"ids": IDS}))
    np.savez(folder / "c.npz", features=VALUES, ids=np.array(IDS))
    np.savez(folder / "d.npz", embeddings=VALUES, filenames=np.array([f"images/{i}.jpg".encode() for i in IDS]))
    save_arrays(folder / "e.safetensors", {"features": VALUES}, {"ids": IDS, "model": "net", "layer": "logits"})
    with h5py.File(folder / "f.h5", "w") as file:
        file["features"], file["ids"] = VALUES, IDS
        file.attrs["model"] = "net"
    return [folder / name for name in ("a.npy", "b.npy", "c.npz", "d.npz", "e.safetensors", "f.h5")]


def test_every_form_gives_the_same_features(tmp_path):
    for path in forms(tmp_path):
        found = features_file.read(path)
        assert found.ids == tuple(IDS), path
        np.testing.assert_array_equal(found.values, VALUES)
    assert features_file.read(tmp_path / "e.safetensors").model == "net"
    assert features_file.read(tmp_path / "e.safetensors").layer == "logits"
    assert features_file.read(tmp_path / "f.h5").model == "net"


def test_ids_may_be_given(tmp_path):
    np.save(tmp_path / "x.npy", VALUES)
    assert features_file.read(tmp_path / "x.npy", IDS[::-1]).ids == tuple(IDS[::-1])
    (tmp_path / "names.txt").write_text("\n".join(IDS))
    assert features_file.read(tmp_path / "x.npy", tmp_path / "names.txt").ids == tuple(IDS)


def test_one_of_several_layers(tmp_path):
    np.savez(tmp_path / "x.npz", block1=VALUES, block2=2 * VALUES, ids=np.array(IDS))
    np.testing.assert_array_equal(features_file.read(tmp_path / "x.npz", layer="block2").values, 2 * VALUES)
    with pytest.raises(InputError, match="2 arrays that could be features"):
        features_file.read(tmp_path / "x.npz")
    with pytest.raises(InputError, match="no array called block3"):
        features_file.read(tmp_path / "x.npz", layer="block3")


def bad_files(folder):
    def npz(name, **arrays):
        np.savez(folder / name, **arrays)
        return folder / name

    spoilt = VALUES.copy()
    spoilt[2, 1] = np.nan
    ids = np.array(IDS)
    np.save(folder / "alone.npy", VALUES)
    yield "has no ids", folder / "alone.npy"
    yield "does not exist|no such file", folder / "nowhere.npz"
    yield "4 ids for 3 rows", npz("short.npz", features=VALUES[:3], ids=ids)
    yield "more than once", npz("twice.npz", features=VALUES, ids=np.array(["dog", "dog", "cat", "car"]))
    yield "is empty", npz("blank.npz", features=VALUES, ids=np.array(["dog", "", "cat", "car"]))
    yield "NaN or infinite", npz("nan.npz", features=spoilt, ids=ids)
    yield "all rows are the same", npz("flat.npz", features=np.ones((4, 5)), ids=ids)
    yield "shape", npz("cube.npz", features=np.ones((4, 5, 6)), ids=ids)
    yield "ids for 0 rows", npz("none.npz", features=np.ones((0, 1, 6)), ids=ids)
    yield "linear transform", npz("transform.npz", weights=np.eye(5), mean=np.float64(0), std=np.float64(1))
    yield "could be features", npz("nothing.npz", ids=ids)
    yield "float|real|<U", npz("words.npz", features=VALUES.astype(str), ids=ids)
    (folder / "model.pkl").write_bytes(pickle.dumps({"features": VALUES}))
    yield "never loaded", folder / "model.pkl"
    np.save(folder / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    yield "never loaded", folder / "objects.npy"
    (folder / "x.safetensors").write_bytes(b"no tensors")
    yield "safetensors", folder / "x.safetensors"
    (folder / "x.h5").write_bytes(b"no HDF5")
    yield "HDF5", folder / "x.h5"
    whole = (folder / "flat.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[:200])
    yield "truncated", folder / "cut.npz"
    save_arrays(folder / "s.safetensors", {"features": VALUES}, {"ids": IDS, "model": "net"})
    changed = bytearray((folder / "s.safetensors").read_bytes())
    changed[-1] ^= 1
    (folder / "s.safetensors").write_bytes(changed)
    yield "checksum of its side-car", folder / "s.safetensors"


def test_bad_files_are_refused_in_one_line(tmp_path):
    seen = 0
    for pattern, path in bad_files(tmp_path):
        with pytest.raises(InputError, match=pattern) as caught:
            features_file.read(path)
        told = str(caught.value)
        assert "\n" not in told
        assert path.name in told
        assert ";" in told
        seen += 1
    assert seen == 18


# ---------------------------------------------------------------------------------------------- the types


@pytest.mark.parametrize(
    ("kind", "values", "pattern"),
    [
        (Triplets, {"triplets": [[1, 2, 3], [2, 3, 4]]}, "1-based"),
        (Triplets, {"triplets": [[0, 1, 4]]}, "there are 4 objects"),
        (Triplets, {"triplets": [[0, 1, -1]]}, "there are 4 objects"),
        (Triplets, {"triplets": [[0, 1, 1]]}, "one object twice"),
        (Triplets, {"triplets": [[0, 1]]}, "shape"),
        (Triplets, {"triplets": [[0, 1, 0.5]]}, "not whole"),
        (Triplets, {"triplets": [[0, 1, 2]], "participants": [1, 2]}, "one value per triplet"),
        (HumanRDM, {"rdm": np.ones((4, 4)) - np.eye(4) + np.tri(4)}, "not symmetric|not zero"),
        (HumanRDM, {"rdm": np.ones((4, 4))}, "diagonal that is not zero"),
        (HumanRDM, {"rdm": np.zeros((3, 3))}, "for 4 ids"),
        (HumanRDM, {"rdm": np.full((4, 4), np.nan)}, "NaN"),
        (ConceptEmbedding, {"values": np.ones((4, 2)), "dimensions": ["a", "b"]}, "all rows are the same"),
        (ConceptEmbedding, {"values": VALUES, "dimensions": ["a"]}, "dimension names"),
        (Features, {"values": np.ones((4, 2)), "model": "net"}, "all rows are the same"),
        (Features, {"values": VALUES[:3], "model": "net"}, "for 4 ids"),
    ],
)
def test_types_refuse_what_cannot_be(kind, values, pattern):
    more = {} if kind is Features else {"source": "s", "licence": "l"}
    with pytest.raises(InputError, match=pattern) as caught:
        kind(ids=IDS, **values, **more)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------- the command


def test_list_and_where_without_any_data(capsys, monkeypatch):
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    assert main(["data", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"name", "licence", "source", "size", "by_hand", "row_order", "files"} <= set(rows[0])
    assert main(["data", "where", "things/vice_42"]) == 0
    assert "row order  raw" in capsys.readouterr().out
    assert main(["data", "where", "things/vice_42", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert len(one["files"][0]["sha256"]) == 64
    assert main(["data", "list", "--json", "--profile", "mini"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"]: row["licence"] for row in rows} == dict.fromkeys(
        ("cichy", "king1", "king2", "test", "things"), "MIT"
    )
    assert main(["data", "verify", "king1", "--profile", "mini"]) == 0
    assert "144 pictures, 144 concepts, 144 arrangement" in capsys.readouterr().out
    assert main(["data", "where", "things/vice42"]) == 2
    assert "nearest: things/vice_42" in capsys.readouterr().err


def test_verify_says_what_is_wrong_and_exits_2(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    assert main(["data", "verify", "--profile", "slice"]) == 2
    assert "needs a data folder" in capsys.readouterr().err
    assert (
        main(["data", "verify", "--profile", "slice", "--data", str(tmp_path)]) == 0
    )  # nothing is here, nothing is wrong
    assert "0 ok, 0 with problems" in capsys.readouterr().out
    assert main(["data", "verify", "mur92", "--profile", "slice", "--data", str(tmp_path)]) == 2
    assert "missing" in capsys.readouterr().out
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/breeds.json").write_text("{}")
    assert main(["data", "verify", "--profile", "slice", "--data", str(tmp_path), "--json"]) == 2
    (bad,) = [r for r in json.loads(capsys.readouterr().out) if r["status"] == "problem"]
    assert "breeds.json: differs from the known checksum" in bad["problems"][0]
    assert main(["data", "verify", "nothing*", "--profile", "slice", "--data", str(tmp_path)]) == 2
