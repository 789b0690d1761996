"""Features: hooks, preprocessing, shards; the same result interrupted or not, with one process or two."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from humalign.data.types import Stimuli
from humalign.errors import InputError, MissingData

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from humalign import config, features  # noqa: E402
from humalign.features import hooks, shards  # noqa: E402
from humalign.zoo import Model, Preprocess  # noqa: E402


class Tiny(nn.Module):
    """A small network with every kind of output: map, tokens, vector, and a ReLU that writes in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2)
        self.tokens = nn.Linear(6, 5)
        self.linear = nn.Linear(5, 8)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(8, 4)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        x = self.conv(x)
        x = self.tokens(x.flatten(2).transpose(1, 2))
        return self.fc(self.relu(self.linear(x.mean(1))))


def tiny(seed=0):
    torch.manual_seed(seed)
    pre = Preprocess(size=16, resize=16, squash=True)
    return Model("tiny", Tiny(), pre, {"penultimate": "linear", "logits": "fc"}, f"seed {seed}")


def pictures(n=50, side=16, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    return Stimuli(tuple(f"p{i:03d}" for i in range(n)), "drawn here", "MIT", images=pixels, name="pictures")


def saved(folder, n=50, side=20):
    from PIL import Image

    folder.mkdir()
    for i, pixels in enumerate(pictures(n, side).images):
        Image.fromarray(pixels).save(folder / f"p{i:03d}.png")
    return folder


def test_layers_match_a_plain_forward_pass():
    model, seen = tiny(), pictures()
    found = features.extract(
        model, seen, ["conv:gap", "conv", "tokens:cls", "tokens:gap", "linear", "fc@in", "logits"], batch_size=16
    )
    x = model.preprocess.arithmetic(torch.from_numpy(seen.images))
    with torch.inference_mode():
        net = model.module
        conv = net.conv(x)
        tokens = net.tokens(conv.flatten(2).transpose(1, 2))
        linear = net.linear(tokens.mean(1))
        expected = {
            "conv:gap": conv.mean((2, 3)), "conv": conv.flatten(1), "tokens:cls": tokens[:, 0],
            "tokens:gap": tokens.mean(1), "linear": linear, "fc@in": linear.clamp(min=0),
            "logits": net.fc(linear.clamp(min=0)),
        }  # fmt: skip
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].values, value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
        assert found[name].ids == seen.ids
    assert (found["linear"].values < 0).any()  # taken before the ReLU that writes in place
    assert not model.module.linear._forward_hooks


def test_unknown_layer_names_the_nearest_ones():
    with pytest.raises(InputError, match=r"no layer is called 'linaer'; try .*linear.*--layers' lists all 6"):
        hooks.parse("linaer", tiny())
    with pytest.raises(InputError, match=r"pooling 'max' is not known; choose none, gap, cls"):
        hooks.parse("conv:max", tiny())
    with pytest.raises(InputError, match="layer 'unused' was not used"):
        features.extract(tiny(), pictures(), ["unused"])
    with pytest.raises(InputError, match="no class token"):
        features.extract(tiny(), pictures(), ["conv:cls"])


def test_folder_equals_memory_and_reads_by_ids(tmp_path):
    model, seen = tiny(), pictures()
    memory = features.extract(model, seen, ["penultimate", "logits"], batch_size=4)
    out = features.extract(model, seen, ["penultimate", "logits"], batch_size=4, out=tmp_path / "f", shard_size=12)
    assert len(list(out.glob("shard-*.safetensors"))) == 5
    whole = features.read(out, "logits")
    np.testing.assert_array_equal(whole.values, memory["logits"].values)
    assert whole.ids == seen.ids
    assert features.read(out).layer == "penultimate"
    some = features.read(out, "logits", ids=["p049", "p000", "p013"])
    np.testing.assert_array_equal(some.values, memory["logits"].values[[49, 0, 13]])
    assert some.ids == ("p049", "p000", "p013")
    about = some.meta
    assert about["preprocess"]["size"] == 16
    assert about["weights_digest"] == model.checksum
    assert "torch" in about["versions"]
    file = features.merge(out, tmp_path / "all.safetensors")
    np.testing.assert_array_equal(features.read(file, "logits").values, whole.values)
    with pytest.raises(InputError, match="has no row for nobody"):
        features.read(out, ids=["nobody"])
    with pytest.raises(InputError, match="has no layer 'conv'; choose one of logits, penultimate"):
        features.read(out, "conv")


def test_stream_is_the_folder_shard_by_shard(tmp_path):
    features.extract(tiny(), pictures(), batch_size=5, out=tmp_path / "f", shard_size=20)
    parts = list(shards.stream(tmp_path / "f"))
    assert [len(ids) for ids, _ in parts] == [20, 20, 10]
    whole = shards.read(tmp_path / "f")
    assert sum((ids for ids, _ in parts), ()) == tuple(whole.ids)
    np.testing.assert_array_equal(np.concatenate([values for _, values in parts]), whole.values)
    shards.shard_path(tmp_path / "f", 1).with_suffix(".safetensors.json").unlink()
    with pytest.raises(MissingData, match="1 of 3 shards"):
        list(shards.stream(tmp_path / "f"))


def test_resume_keeps_whole_shards_and_mends_damaged_ones(tmp_path):
    model, seen = tiny(), pictures()
    out = features.extract(model, seen, batch_size=5, out=tmp_path / "f", shard_size=10)
    before = {p.name: p.read_bytes() for p in out.glob("shard-*.safetensors")}
    shards.shard_path(out, 1).unlink()
    shards.shard_path(out, 3).write_bytes(before["shard-00003.safetensors"][:-7])
    (out / ".shard-00004-abc.safetensors").write_bytes(b"half")
    kept = shards.shard_path(out, 0).stat().st_mtime_ns
    with pytest.raises(InputError, match=r"is missing or has no side-car|does not match"):
        features.read(out)
    features.extract(model, seen, batch_size=5, out=out, shard_size=10)
    assert {p.name: p.read_bytes() for p in out.glob("shard-*.safetensors")} == before
    assert shards.shard_path(out, 0).stat().st_mtime_ns == kept
    assert not list(out.glob(".shard*"))


def test_other_settings_are_refused(tmp_path):
    seen = pictures(20)
    out = features.extract(tiny(), seen, out=tmp_path / "f")
    with pytest.raises(InputError, match=r"other settings \(differs in weights_digest\).*--restart"):
        features.extract(tiny(1), seen, out=out)
    with pytest.raises(InputError, match="differs in layers"):
        features.extract(tiny(), seen, ["logits"], out=out)
    with pytest.raises(InputError, match="images_digest"):
        features.extract(tiny(), pictures(20, seed=1), out=out)
    features.extract(tiny(1), seen, out=out, resume=False)
    assert features.read(out).meta["weights"] == "seed 1"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="holds other files"):
        features.extract(tiny(), seen, out=tmp_path / "mine")


def test_unfinished_folder_says_so(tmp_path):
    out = features.extract(tiny(), pictures(), batch_size=5, out=tmp_path / "f", shard_size=10)
    for number in (2, 3):
        shards.shard_path(out, number).with_suffix(".safetensors.json").unlink()
    with pytest.raises(MissingData, match="2 of 5 shards are not there yet; run the same 'humalign extract' again"):
        features.read(out)


def test_a_size_that_the_network_cannot_see_is_one_line():
    model = Model(
        "wide", nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)), tiny().preprocess, {"logits": "1"}, "w"
    )
    with pytest.raises(InputError, match=r"wide: cannot look at 16 x 16 pixels .*own preprocessing") as caught:
        features.extract(model, pictures(), "logits")
    assert "\n" not in str(caught.value)


def test_bf16_is_close_and_stored_as_float32():
    model, seen = tiny(), pictures()
    full = features.extract(model, seen)["penultimate"].values
    half = features.extract(model, seen, dtype="bf16")["penultimate"].values
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.05 * np.abs(full).max()


def test_images_from_a_folder(tmp_path):
    folder = saved(tmp_path / "im", 12)
    (folder / "sub").mkdir()
    (folder / "p003.png").rename(folder / "sub" / "p003.png")
    (folder / "notes.txt").write_text("no image")
    (folder / ".thumbs").mkdir()
    for hidden in (folder / ".thumbs" / "p000.png", folder / "._p001.png"):
        hidden.write_bytes(b"what a file manager leaves behind")
    seen = features.from_folder(folder)
    assert seen.ids == (*(f"p{i:03d}" for i in range(12) if i != 3), "sub/p003")
    direct = features.extract(tiny(), pictures(12, 20), workers=0)["penultimate"]
    for workers in (0, 2):
        found = features.extract(tiny(), seen, workers=workers, batch_size=5)["penultimate"]
        np.testing.assert_allclose(found.values[-1], direct.values[3], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.values[:3], direct.values[:3], rtol=1e-5, atol=1e-6)
    (folder / "p007.png").write_bytes((folder / "p007.png").read_bytes()[:60])
    for workers in (0, 2):
        with pytest.raises(InputError, match=r"p007\.png: cannot be read as an image \(.*repair it") as caught:
            features.extract(tiny(), seen, workers=workers)
        assert "\n" not in str(caught.value)


def test_the_checksum_of_pictures_does_not_tell_where_they_lie(tmp_path):
    import shutil

    first = features.from_folder(saved(tmp_path / "one", 3))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert features.from_folder(tmp_path / "two").checksum == first.checksum
    (tmp_path / "two" / "p001.png").write_bytes((tmp_path / "two" / "p001.png").read_bytes() + b"x")
    assert features.from_folder(tmp_path / "two").checksum != first.checksum


def test_bad_folders(tmp_path):
    with pytest.raises(MissingData, match="this folder does not exist"):
        features.from_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has no images"):
        features.from_folder(tmp_path)
    with pytest.raises(InputError, match="is not usable here"):
        features.extract(tiny(), pictures(), device="cuda:93")
    folder = saved(tmp_path / "im", 2)
    (folder / "p000.jpg").write_bytes((folder / "p000.png").read_bytes())
    with pytest.raises(InputError, match="two images are called 'p000'"):
        features.from_folder(folder)


@pytest.mark.parametrize("name", ["cuda", "auto"])
def test_each_process_tries_its_own_gpu(monkeypatch, name):
    tried = []
    monkeypatch.setattr(torch, "empty", lambda *_, device: tried.append(str(device)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert str(config.torch_device(name)) == "cuda"
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert str(config.torch_device(name)) == "cuda"
    assert str(config.torch_device("cuda:1")) == "cuda:1"
    assert tried == ["cuda", "cuda:2", "cuda:1"]


def test_nan_names_the_image():
    from humalign.errors import HumalignError

    model, seen = tiny(), pictures(8)
    with torch.no_grad():
        model.module.linear.weight[0, 0] = float("nan")
    with pytest.raises(HumalignError, match="layer 'penultimate' gives NaN or infinity for the image 'p000'"):
        features.extract(model, seen)


CHILD = """
import sys, time
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from test_features import tiny, pictures
from humalign import features
from humalign.features import shards
if {slow}:
    write = shards.write_shard
    def slowly(*args):
        write(*args)
        print("shard", flush=True)
        time.sleep(.2)
    shards.write_shard = slowly
features.extract(tiny(), pictures(400), ["penultimate", "logits"], batch_size=8, out={out!r}, shard_size=16)
"""


def child(out, slow=False, prefix=(), **env):
    code = CHILD.format(tests=str(Path(__file__).parent), out=str(out), slow=slow)
    file = out.parent / f"child-{slow}.py"
    file.write_text(code)
    command = [sys.executable, *prefix, str(file)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **env}
    )


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.glob("shard-*")}


def test_kill_half_way_and_two_processes_give_the_same_files(tmp_path):
    """kill -9 in the middle, then resume; and torchrun with two processes: byte for byte what one quiet run writes."""
    quiet = features.extract(
        tiny(), pictures(400), ["penultimate", "logits"], batch_size=8, out=tmp_path / "quiet", shard_size=16
    )
    out = tmp_path / "killed"
    with child(out, slow=True) as run:
        for _ in range(7):
            assert run.stdout.readline() == "shard\n"
        run.send_signal(signal.SIGKILL)
    done = len(list(out.glob("shard-*.json")))
    assert 7 <= done < 25
    stamps = {p.name: p.stat().st_mtime_ns for p in out.glob("shard-*.json")}
    time.sleep(0.01)
    with child(out) as run:
        assert run.wait(120) == 0
    assert contents(out) == contents(quiet)
    assert all((out / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    with child(tmp_path / "two", prefix=torchrun) as run:
        assert run.wait(120) == 0
    assert contents(tmp_path / "two") == contents(quiet)


def test_preprocessing_equals_torchvision_timm_and_open_clip():
    from PIL import Image

    from humalign import compat  # noqa: F401

    rng = np.random.default_rng(3)
    noise = Image.fromarray(rng.integers(0, 256, (30, 41, 3), dtype=np.uint8)).resize(
        (301, 220), Image.Resampling.BICUBIC
    )
    tall = noise.rotate(90, expand=True)
    from torchvision.models import EfficientNet_B1_Weights, ResNet50_Weights, ViT_B_16_Weights

    from humalign.zoo import preprocess as pre

    for image in (noise, tall):
        for weights in (
            ResNet50_Weights.IMAGENET1K_V2,
            ResNet50_Weights.IMAGENET1K_V1,
            EfficientNet_B1_Weights.IMAGENET1K_V2,
            ViT_B_16_Weights.IMAGENET1K_V1,
        ):
            own = pre.of_torchvision(weights)(image)
            torch.testing.assert_close(own, weights.transforms()(image), rtol=0, atol=1e-5)
    import timm
    from timm.data import create_transform, resolve_model_data_config

    for name in ("resnet18.a1_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "vit_base_patch16_siglip_224.webli"):
        with torch.device("meta"):
            module = timm.create_model(name)
        theirs = create_transform(**resolve_model_data_config(module), is_training=False)
        torch.testing.assert_close(pre.of_timm(module)(tall), theirs(tall), rtol=0, atol=1e-5)


def test_caffe_and_alignet_preprocessing():
    from humalign.zoo import preprocess as pre

    red = np.zeros((227, 227, 3), np.uint8)
    red[..., 0] = 200
    found = pre.CAFFE_SQUEEZENET(red)
    assert [float(v) for v in found[:, 0, 0]] == [-104.0, -117.0, 200.0 - 123.0]  # blue, green, red
    ramp = np.repeat(np.arange(8, dtype=np.uint8)[None, :, None] * 30, 8, 0).repeat(3, 2)
    half = pre.ALIGNET.with_(size=4, resize=4)(ramp)
    # OpenCV's cubic kernel (a = -0.75) at half-way points: weights -.09375, .59375, .59375, -.09375, edges repeated
    weights = np.array([-0.09375, 0.59375, 0.59375, -0.09375])
    row = ramp[0, :, 0].astype(float)
    padded = np.concatenate([row[:1], row, row[-1:]])
    expected = [np.clip(round(float(padded[i : i + 4] @ weights)), 0, 255) / 255 for i in (0, 2, 4, 6)]
    np.testing.assert_allclose(half[0, 0].numpy(), expected, atol=1.01 / 255)


def test_command_line(tmp_path, capsys):
    from humalign import cli

    folder = saved(tmp_path / "im", 6, 40)
    command = ["extract", "resnet-s", "--images", str(folder), "--out", str(tmp_path / "f")]

    def said(*more):
        code = cli.main([*command[:1], *more])
        out = capsys.readouterr()
        return code, (out.err if code else out.out).strip()

    mini = ["softmax-resnet-m", "--untrained", "--device", "cpu"]
    layers = ["--layers", "penultimate", "encoder.layer1:gap"]
    code, out = said(*mini, *command[2:], *layers, "--merge", str(tmp_path / "f.safetensors"))
    assert code == 0
    assert re.search(r"^penultimate: 6 x \d+ \(penultimate\)$", out, re.M)
    found = features.read(tmp_path / "f", "encoder.layer1:gap")
    assert found.ids == tuple(f"p{i:03d}" for i in range(6))
    np.testing.assert_array_equal(features.read(tmp_path / "f.safetensors", "encoder.layer1:gap").values, found.values)
    assert found.meta["preprocess"]["size"] == 32
    for more, match in (
        (("softmax-resnet-n", *command[2:]), "no network is called 'softmax-resnet-n'; nearest: .*softmax-resnet-m"),
        ((*mini, *command[2:], "--layers", "enkoder"), "no layer is called 'enkoder'; try penultimate.*encoder"),
        ((*mini, "--images", str(tmp_path / "no"), "--out", str(tmp_path / "g")), "this folder does not exist"),
        ((*mini, "--dataset", "no", "--out", str(tmp_path / "g")), "no data set is called 'no'"),
        ((*mini, "--dataset", "claims", "--out", str(tmp_path / "g")), "no data set is called 'claims'"),
        ((*mini, *command[2:], "--batch-size", "0"), "--batch-size: 0 is out of range"),
    ):
        code, error = said(*more)
        assert code == 2, more
        assert "\n" not in error
        assert re.search(match, error), error
