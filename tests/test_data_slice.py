"""The real files: every loader of the slice, the row orders, and what a wrong one costs (needs HUMALIGN_DATA)."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from humalign.config import get_profile
from humalign.data import known, registry, things
from humalign.data.describe import open_downloads
from humalign.data.verify import verify, verify_one
from humalign.errors import InputError, MissingData

DATA = os.environ.get("HUMALIGN_DATA")
pytestmark = [pytest.mark.data, pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")]


@pytest.fixture(scope="module")
def profile():
    return get_profile("slice", data=DATA)


def test_every_slice_file_verifies_with_its_checksum(profile):
    reports = verify(profile)
    assert {r.name: r.problems for r in reports if r.status != "ok"} == {}
    assert all(r.unknown == 0 and r.checksums > 0 for r in reports)


def test_all_files_of_the_folder_are_known(profile):
    found = {p.relative_to(profile.data).as_posix() for p in profile.data.rglob("*") if p.is_file()}
    assert found - {"README.md"} <= set(known.published())
    fetched = {item.path for one in registry.entries() for item in open_downloads(one)}
    assert set(known.published()) - found <= fetched


def test_row_orders_of_the_real_map(profile):
    maps = registry.load("things/orders", profile)
    ids = tuple(maps.index)
    assert len(ids) == 1854
    differ = [a for a, b in zip(ids, things.in_order(ids, "raw")) if a != b]
    assert len(differ) == 21
    assert {name.split("_")[0].split("-")[0].rstrip("0123456789") for name in differ} == {
        "camera", "chicken", "crystal", "hot", "ice", "pepper",
    }  # fmt: skip
    for order in things.ORDERS:  # the rules reproduce the published map
        assert things.in_order(ids, order, maps) == things.in_order(ids, order)
    raw, python, upper = (things.in_order(ids, order) for order in ("raw", "python", "upper"))
    assert {a for a, b in zip(raw, python) if a != b} == {"ice", "ice-cream_cone"}
    assert sum(a != b for a, b in zip(ids, upper)) == 192
    assert sum(a != b for a, b in zip(python, upper)) == 178  # the count that the data's description gives


def test_embeddings_follow_their_names_not_their_rows(profile):
    with open(profile.data / "things/concepts/row_orders.csv") as file:
        rows = {row["uniqueID"]: row for row in csv.DictReader(file)}
    vice = registry.load("things/vice_42", profile)
    lying = np.load(profile.data / "things/embeddings/vice_42d.npy")
    clip = registry.load("things/clip_vit_b32", profile)
    clip_lying = np.load(profile.data / "things/features/clip_vit_b32.npy")
    for name in ("camera_lens", "ice", "ice-cream_cone", "pepper1", "aardvark", "zucchini"):
        np.testing.assert_array_equal(vice.values[vice.ids.index(name)], lying[int(rows[name]["raw_index"])])
        np.testing.assert_array_equal(clip.values[clip.ids.index(name)], clip_lying[int(rows[name]["upper_index"])])


def test_triplets_keep_their_columns(profile):
    ids = registry.load("things/test_10_id", profile)
    raw = np.loadtxt(profile.data / "things/triplets/test_10_ID.txt", dtype=int)
    np.testing.assert_array_equal(ids.triplets, raw[:, :3])
    np.testing.assert_array_equal(ids.participants, raw[:, 3])
    assert len(np.unique(ids.participants)) == 264


def test_what_a_wrong_order_costs(profile):
    from humalign.chapters import real_data
    from humalign.source import open_source

    table = real_data.row_order_cost(open_source(profile)).set_index(["dataset", "model", "detail"])["value"]
    for model in ("things/vice_42", "things/spose_49"):
        right, wrong = (
            table["things/test_10_id", model, f"{word} order, affected trials"] for word in ("right", "wrong")
        )
        assert 0.10 < right - wrong < 0.14
        assert 0.63 < table["things/test_10_id", model, "right order, all trials"] < 0.65
    # CLIP as the data's description has it, and as it was read before its order was known
    for name, right, wrong in (("testset1", 0.520, 0.498), ("testset2", 0.506, 0.488), ("test_10_id", 0.505, None)):
        own = [
            table[f"things/{name}", "things/clip_vit_b32", f"{word} order, all trials"] for word in ("right", "wrong")
        ]
        assert own[0] == pytest.approx(right, abs=6e-4)
        assert wrong is None or own[1] == pytest.approx(wrong, abs=6e-4)


def test_mur92_people_and_images(profile):
    rdm, images = registry.load("mur92", profile), registry.load("mur92/images", profile)
    assert rdm.rdm.shape == (16, 92, 92)
    assert rdm.ids == images.ids
    assert images.images.shape == (92, 175, 175, 3)
    animal = np.array(images.meta["animal"])
    assert animal.sum() == 48
    # the same order: people put animate images nearer to each other than to inanimate ones
    mean = rdm.mean()
    within = mean[np.ix_(animal, animal)].sum() / (animal.sum() * (animal.sum() - 1))
    assert within < 0.8 * mean[np.ix_(animal, ~animal)].mean()


def test_categories_are_met_by_name(profile):
    table = registry.load("things/categories_53", profile)
    assert table.loc["dog", "animal"]
    assert table.loc["ice_cream", "dessert"]
    assert not table.loc["ice-cream_cone", "animal"]
    rough = registry.load("things/categories_27", profile)
    assert list(rough.index) == list(table.index)
    both = [c for c in rough if c in table]
    assert (rough[both] == table[both]).to_numpy().mean() > 0.98


def test_eeg2_rows_are_things_concepts(profile):
    features = registry.load("things_eeg2/clip_vit_l14", profile)
    assert set(features.ids) <= set(registry.load("things/concepts", profile).index)
    np.testing.assert_allclose(np.linalg.norm(features.values, axis=1), 1, atol=1e-4)


def test_glocal_transforms_apply(profile):
    features = registry.load("things_eeg2/clip_vit_l14", profile)
    transform = registry.load("glocal/clip_ViT-L_14_visual", profile)
    arrays = np.load(profile.data / "glocal_transforms/clip_ViT-L_14_visual.npz")
    expected = (features.values - arrays["mean"]) / arrays["std"] @ arrays["weights"]
    np.testing.assert_allclose(transform.apply(features.values), expected, rtol=1e-4, atol=1e-4)


def test_levels_lists_and_pairs(profile):
    trials = registry.load("levels/trials", profile)
    assert trials["level"].value_counts().to_dict() == {"coarse": 2710, "fine": 2530, "boundary": 1360}
    assert len(registry.load("levels/alignet_pairs", profile)) == 200


def test_the_licence_came_with_the_responses(profile):
    assert "CC-BY-4.0" in (profile.data / things.LICENCE.path).read_text("utf8")


def test_breeds_sizes(profile):
    tasks = registry.load("tables/breeds", profile)
    shapes = {k: (len(v), len(v[0]["source"]), len(v[0]["target"])) for k, v in tasks.items()}
    assert shapes == {
        "entity13": (13, 10, 10),
        "entity30": (30, 4, 4),
        "living17": (17, 2, 2),
        "nonliving26": (26, 2, 2),
    }


def test_one_changed_byte_is_noticed(profile, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(profile.data / "things/concepts", root / "things/concepts")
    (root / "things/embeddings").mkdir()
    path = Path(shutil.copy(profile.data / "things/embeddings/vice_42d.npy", root / "things/embeddings"))
    path.chmod(0o644)
    own = get_profile("slice", data=root)
    assert verify_one(registry.entry("things/vice_42"), own).status == "ok"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"vice_42d.npy: differs from the known checksum.*; get it again"
        ) as caught:
            registry.load("things/vice_42", own)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole[:-4])
    with pytest.raises(InputError, match=r"311596 bytes, published 311600"):
        registry.load("things/vice_42", own)


def test_absent_files_are_missing_not_wrong(profile, tmp_path):
    own = get_profile("slice", data=tmp_path)
    with pytest.raises(MissingData, match="humalign data where things/testset1"):
        registry.load("things/testset1", own)
    with pytest.raises(MissingData, match="HUMALIGN_DATA"):
        registry.load("things/testset1", profile.with_(data=None))
    assert registry.available(own) == []


def test_command_line(profile, capsys):
    from humalign.cli import main

    assert main(["data", "verify", "things/testset1", "--profile", "slice", "--data", str(profile.data), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert report["facts"]["trials"] == 15640
    assert main(["data", "list", "--profile", "slice", "--data", str(profile.data)]) == 0
    assert "things/vice_42" in capsys.readouterr().out
