"""Layers along the depth: which ones there are, their order in the store, and what is measured of them."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from humalign import features
from humalign.chapters import representation_comparison as comparison
from humalign.config import Profile
from humalign.data.types import Stimuli, Triplets
from humalign.errors import InputError, MissingData
from humalign.features import shards
from humalign.source import Source, open_source
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
            made = recorder.activations(2)
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


# ---- what is measured


def test_layers_are_the_outermost_blocks_in_order():
    class Block(nn.Module):
        def __init__(self, *inner):
            super().__init__()
            self.inner = nn.Sequential(*inner)

    class InvertedResidual(nn.Module):
        pass

    deep = nn.Module()
    deep.encoder = nn.Sequential(nn.Conv2d(1, 1, 1), Block(Block()), InvertedResidual())
    found = stages.blocks(SimpleNamespace(module=deep, layers=["penultimate"]))
    assert found == ["encoder.1:gap", "encoder.2:gap", "penultimate"]
    plain = nn.Module()
    plain.encoder = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Linear(1, 1))
    plain.head = nn.Linear(1, 1)
    found = stages.blocks(SimpleNamespace(module=plain, layers=["penultimate", "logits"]))
    assert found == ["encoder.0:gap", "encoder.2:gap", "penultimate", "logits"]


RNG = np.random.default_rng(3)
ONES, N = 12, 40  # objects a class, classes of the tiny store
IDS = tuple(f"thing{k // 2:02d}/{k % 2}" for k in range(2 * ONES))


def responses():
    """People set apart the object of the other half."""
    rows = []
    for _ in range(300):
        half = RNG.integers(2)
        a, b = RNG.choice(ONES, 2, replace=False) + half * ONES
        rows.append((a, b, RNG.integers(ONES) + (1 - half) * ONES))
    return Triplets(IDS, np.array(rows), "made up", "none", concepts=tuple(i.partition("/")[0] for i in IDS))


def halves(angle: float) -> np.ndarray:
    """Two clusters of directions, ``angle`` (radians) apart; those of zero are shuffled over the halves."""
    side = np.repeat([0, 1], ONES) * angle + RNG.normal(0, 0.01, 2 * ONES)
    return np.stack([np.cos(side), np.sin(side)], 1).astype(np.float32)


def store(root, model, arrays):
    path = root / "features" / model / "things" / "images.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    shuffled = RNG.permutation(2 * ONES)  # rows are met by id
    np.savez(path, ids=np.array(IDS)[shuffled], **{k: v[shuffled] for k, v in arrays.items()})


@pytest.fixture
def full(tmp_path, monkeypatch):
    triplets = responses()
    monkeypatch.setattr(Source, "triplets", lambda source, role="things": triplets)
    right = halves(1.0)
    wrong = np.ones_like(right) + np.eye(2 * ONES)[:, :2].astype(np.float32) * 0.1  # all but two rows are the same
    store(tmp_path, "resnet18", {"z": wrong, "layer.10": right, "layer.2": halves(0.5), "logits": right})
    store(tmp_path, "vgg16", {"penultimate": right, "logits": right})
    store(tmp_path, "clip_ViT-B/32", {"blocks.0": halves(2.0), "penultimate": right})
    return Profile("full", tmp_path, tmp_path / "cache"), triplets


def test_accuracy_of_each_layer_in_order_of_depth(full):
    profile, _ = full
    source = open_source(profile)
    one = comparison.along_depth(source, ["clip_ViT-B/32"]).table
    assert set(one["model"]) == {"clip_ViT-B/32"}
    table = comparison.along_depth(source, ["softmax-resnet-m"]).table  # which is not there
    assert table["model"].tolist() == ["resnet18"] * 4 + ["clip_ViT-B/32"] * 2
    assert table["layer"].tolist() == ["z", "layer.10", "layer.2", "logits", "blocks.0", "penultimate"]
    assert table["detail"].astype(int).tolist() == [1, 2, 3, 4, 1, 2]
    assert table["value"].tolist()[1:] == [1.0] * 5  # the halves are further apart than anything within
    assert table["value"][0] < 0.2  # ties of all three are wrong
    again = comparison.along_depth(source, ["resnet18"])  # from the cache
    pd.testing.assert_frame_equal(again.table, table.iloc[:4], check_dtype=False)


def test_a_layer_equals_the_zero_shot_measure(full):
    from humalign import odd_one_out
    from humalign.similarity import similarity_matrix

    profile, triplets = full
    noisy = RNG.normal(size=(2 * ONES, 5)).astype(np.float32)
    store(profile.data, "alexnet", {"features.2": noisy, "penultimate": halves(1.0)})
    table = comparison.along_depth(open_source(profile), ["alexnet"]).table
    expected = odd_one_out.accuracy(similarity_matrix(noisy, "cosine"), triplets.triplets)
    assert table["value"][0] == pytest.approx(expected)
    assert table["low"][0] <= expected <= table["high"][0]


def test_without_layers_between_the_remedy_is_a_whole_command(full):
    profile, _ = full
    for name in ("resnet18", "clip_ViT-B"):
        for path in (profile.data / "features" / name).rglob("*.npz"):
            path.unlink()
    with pytest.raises(MissingData) as caught:
        comparison.along_depth(open_source(profile))
    between = " ".join(f"features.{k}:gap" for k in (4, 9, 16, 23, 30))
    assert caught.value.remedy == (
        f"humalign extract vgg16 --dataset things/images --layers {between} penultimate logits --bf16 --profile full "
        "--out $HUMALIGN_DATA/features/vgg16/things/images"
    )
    assert "layers between" in str(caught.value)


def test_the_command_replaces_a_folder_that_one_run_made(tmp_path):
    profile = Profile("full", tmp_path, tmp_path / "cache")
    assert comparison.command(open_source(profile)).startswith(
        "humalign extract resnet18 --dataset things/images --layers layer1:gap "
    )
    assert not comparison.command(open_source(profile)).endswith("--restart")
    out = tmp_path / "features" / "mocov2-rn50" / "things" / "images"
    features.extract(chain(), pictures(), out=out)
    said = comparison.command(open_source(profile))
    assert " mocov2-rn50 " in said
    assert " layer4:gap penultimate --bf16 " in said  # it has no logits
    assert said.endswith(f"{out.relative_to(tmp_path)} --restart")


def test_figure_leaves_out_a_panel_without_networks():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from humalign.chapters import representation_comparison_figures as plot

    rows = [(m, d, 0.4, 0.3, 0.5) for m in ("one", "two") for d in "12"]
    table = pd.DataFrame(rows, columns=["model", "detail", "value", "low", "high"])
    facts = pd.DataFrame({"model": ["one", "two"], "name": ["One", "Two"], "arch": "ResNet"})
    both = plot.layers(table, facts.assign(group=["Supervised (ImageNet-1K)", "Self-Supervised"]))
    assert [ax.get_title() for ax in both.axes] == ["a  Architectures, one label per image", "b  Training"]
    assert [len(ax.get_legend().get_texts()) for ax in both.axes] == [1, 2]  # the first again, for comparison
    alone = plot.layers(table, facts.assign(group="Image/Text"))
    assert [ax.get_title() for ax in alone.axes] == ["a  Training"]
    plt.close("all")


def test_the_page_says_whether_layers_between_are_there(full, monkeypatch):
    from humalign.book import requirements

    profile, _ = full
    monkeypatch.setattr(requirements, "_file", lambda: {"page": {"full": {"layers": True}, "slice": {}}})
    (line,) = requirements.lines(profile, "page")
    assert line.what == "features of 2 networks for things/images that hold layers between input and penultimate"
    assert line.here
    assert "--layers $(humalign models MODEL --stages) " in line.get
    (line,) = requirements.lines(Profile("full", None, profile.cache), "page")
    assert not line.here
    assert line.optional
    assert requirements.lines(profile.with_(name="slice"), "page") == []
