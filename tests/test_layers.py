"""Layers along the depth: which ones there are, their order in the store, and what is measured of them."""

import json

import numpy as np
import pytest

from humalign import features
from humalign.data.types import Stimuli
from humalign.errors import InputError
from humalign.features import shards
from humalign.store import write_json

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from humalign.features import stages  # noqa: E402
from humalign.zoo import Model, Preprocess  # noqa: E402


class Chain(nn.Module):
    """A network whose modules run in another order than that of their names; ReLUs write in place, one runs twice."""

    def __init__(self):
        super().__init__()
        self.z, self.b, self.a = (nn.Linear(n, 4) for n in (12, 4, 4))
        self.relu, self.early = nn.ReLU(inplace=True), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.early(self.z(x.mean((2, 3)).repeat(1, 4)))
        return self.a(self.relu(self.b(self.relu(x - 0.1))))


def chain():
    torch.manual_seed(0)
    return Model("chain", Chain(), Preprocess(size=8, resize=8, squash=True), {"penultimate": "a@in", "logits": "a"})


def pictures(n=5):
    pixels = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    return Stimuli(tuple(f"p{i}" for i in range(n)), "drawn here", "MIT", images=pixels, name="pictures")


ASKED = ["logits", "b", "penultimate", "early@in", "z", "relu"]
DEPTH = ["z", "early@in", "b", "relu", "penultimate", "logits"]  # the shared ReLU where it ran last


# ---- the order of depth


def test_order_of_depth_is_that_of_the_forward_pass(tmp_path):
    found = features.extract(chain(), pictures(), ASKED)
    assert list(found) == DEPTH
    out = features.extract(chain(), pictures(), ASKED, out=tmp_path / "f")
    assert shards.layers(out) == DEPTH
    assert list(shards.manifest(out)["layers"]) == sorted(DEPTH)
    assert shards.layers(features.merge(out, tmp_path / "all.safetensors")) == DEPTH
    for name, one in found.items():
        np.testing.assert_array_equal(features.read(out, name).values, one.values)


def test_an_input_is_taken_before_a_module_writes_into_it():
    found = features.extract(chain(), pictures(), ["z", "early@in", "early"])
    assert (found["z"].values < 0).any()
    np.testing.assert_array_equal(found["early@in"].values, found["z"].values)
    np.testing.assert_array_equal(found["early"].values, found["z"].values.clip(min=0))


def test_a_manifest_without_order_is_read_by_name_and_mended_by_the_next_run(tmp_path):
    out = features.extract(chain(), pictures(), ASKED, out=tmp_path / "f")
    about = json.loads((out / shards.MANIFEST).read_text())
    write_json(out / shards.MANIFEST, {k: v for k, v in about.items() if k != "order"})
    assert shards.layers(out) == ["b", "early@in", "relu", "z", "penultimate", "logits"]
    features.extract(chain(), pictures(), ASKED, out=out)
    assert shards.layers(out) == DEPTH


def test_layers_of_files_of_others(tmp_path):
    ids, x = np.array(["a", "b"]), np.ones((2, 3), np.float32)
    names = ("late.10", "late.2", "penultimate", "early")
    np.savez(tmp_path / "f.npz", ids=ids, note=np.array("text"), bias=np.ones(3), **dict.fromkeys(names, x))
    assert shards.layers(tmp_path / "f.npz") == list(names)  # as its owner wrote them
    by_name = ["early", "late.2", "late.10", "penultimate"]
    from safetensors.numpy import save_file

    save_file(dict.fromkeys(names, x) | {"bias": np.ones(3)}, tmp_path / "f.safetensors")
    assert shards.layers(tmp_path / "f.safetensors") == by_name
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["ids"] = ids.astype("S")
        for name in names:
            file[name] = x
    assert shards.layers(tmp_path / "f.h5") == by_name
    np.save(tmp_path / "f.npy", x)
    assert shards.layers(tmp_path / "f.npy") == []
    (tmp_path / "g.npz").write_bytes((tmp_path / "f.npz").read_bytes()[:-9])
    with pytest.raises(InputError, match="is truncated or damaged"):
        shards.layers(tmp_path / "g.npz")


# ---- which layers


FOUR = [f"layer{k}:gap" for k in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", [*FOUR, "penultimate", "logits"]),
        ("simclr-rn50", [*FOUR, "penultimate"]),  # no classifier
        ("vgg11", [*(f"features.{k}:gap" for k in (2, 5, 10, 15, 20)), "penultimate", "logits"]),  # its poolings
        ("squeezenet1_0", [*(f"features.{k}:gap" for k in (3, 4, 5, 7, 8, 9, 10, 12)), "penultimate", "logits"]),
        ("convnext_tiny", [*(f"features.{k}:gap" for k in range(8)), "penultimate", "logits"]),
        ("timm:convnext_atto", [*(f"stages.{k}:gap" for k in range(4)), "penultimate", "logits"]),
        ("timm:vit_tiny_patch16_224", [*(f"blocks.{k}:gap" for k in range(12)), "penultimate", "logits"]),
        ("open_clip:RN50", [*(f"visual.{one}" for one in FOUR), "penultimate", "logits"]),
        ("softmax-resnet-m", [*(f"encoder.{one}" for one in FOUR), "penultimate"]),
    ],
)
def test_stages_are_passed_in_order_and_give_a_row_per_picture(name, expected):
    from humalign import zoo
    from humalign.features import hooks

    with torch.device("meta"), torch.inference_mode():
        model = zoo.load(name, pretrained=False)
        found = stages.stages(model)
        with hooks.Recorder(model, [hooks.parse(text, model) for text in found]) as recorder:
            model.module(torch.empty(2, 3, model.preprocess.size, model.preprocess.size))
            made = recorder.take(2)
    assert found == expected
    assert list(made) == expected
    assert all(value.ndim == 2 for value in made.values())


def test_stages_without_numbers_are_the_parts_with_weights():
    net = nn.Sequential()
    for name in ("stem", "body", "relu", "head"):
        net.add_module(name, nn.ReLU() if name == "relu" else nn.Linear(2, 2))
    found = stages.stages(Model("plain", net, Preprocess(size=8, resize=8), {"logits": "head"}))
    assert found == ["stem:gap", "body:gap", "head:gap", "logits"]


def test_stages_on_the_command_line(capsys):
    from humalign import cli

    assert cli.main(["models", "resnet18", "--stages"]) == 0
    assert capsys.readouterr().out == " ".join([*FOUR, "penultimate", "logits"]) + "\n"
