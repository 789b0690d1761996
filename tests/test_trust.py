"""Nothing wrong is accepted in silence, nothing ends in a traceback, nothing is left running or lost: whole classes."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import test_alignet_training as training
import torch
from PIL import Image

from humalign import cli, features, zoo
from humalign.config import get_profile
from humalign.data import features_file, files, known
from humalign.errors import HumalignError, InputError
from humalign.source import open_source
from humalign.store import no_room, read_json, unlike, write_json

world, file = training.world, training.file  # fixtures


def say(arguments, capsys) -> tuple[int, str]:
    """Exit code and complaint of a command, which is one line that names the command."""
    code = cli.main([str(one) for one in arguments])
    told = capsys.readouterr().err.strip()
    if code:
        assert told.startswith(f"humalign {arguments[0]}: "), told
        assert "\n" not in told
    return code, told


def photos(folder, n=3, size=8):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for k in range(n):
        Image.fromarray(rng.integers(0, 255, (size, size, 3), np.uint8)).save(folder / f"p{k}.png")
    return folder


# ---- 1: options without a meaning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("softmax-resnet-s", {"checkpoint": "w.npz"}, "takes no weights file"),
        ("mini:softmax-resnet-s", {"checkpoint": "w.npz"}, "takes no weights file"),
        ("softmax-resnet-s:1", {"seed": 2}, "no network is called"),
        ("mini:softmax-resnet-s:1", {"seed": 2}, "names a training run"),
        ("mini:softmax-resnet-s:1", {"pretrained": False}, "names a training run"),
        ("teacher-web", {"seed": 1}, "no network is called"),
        ("mini:teacher-web", {"seed": 1}, "has one training run"),
        ("timm:resnet10t", {"seed": 1}, "has no meaning for given weights"),
        ("resnet50", {"seed": 1, "checkpoint": "w.npz"}, "has no meaning for given weights"),
        ("resnet50", {"pretrained": False, "checkpoint": "w.npz"}, "not both"),
        ("weights.pth", {"checkpoint": "w.npz"}, "is a weights file itself"),
        ("weights.pth", {"pretrained": False}, "is a weights file itself"),
    ],
)
def test_what_has_no_meaning_for_a_network_is_refused(name, options, words):
    with pytest.raises(InputError, match=words):
        zoo.load(name, **options)


@pytest.mark.parametrize(
    "option", [["--checkpoint", "x.npz"], ["--untrained"], ["--seed", "1"], ["--preprocess", "own"]]
)
def test_what_has_no_meaning_for_a_file_is_refused(option, tmp_path, capsys):
    np.savez(tmp_path / "f.npz", features=np.eye(3), ids=np.array(list("abc")))
    code, told = say(["evaluate", tmp_path / "f.npz", *option], capsys)
    assert code == 2
    assert f"{option[0]}: has no meaning for features" in told


# ---- 2: pictures ----------------------------------------------------------------------------------------------------


def test_every_kind_of_picture_is_8_bit_rgb_as_it_looks(tmp_path):
    from humalign.features.images import read

    grey = np.array([[0, 257 * 128, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "16.png")
    Image.fromarray(grey).save(tmp_path / "16.tif")
    for name in ("16.png", "16.tif"):
        assert read(tmp_path / name)[0].tolist() == [[0] * 3, [128] * 3, [255] * 3], name
    clear = np.array([[[10, 20, 30, 255], [9, 9, 9, 0], [0, 0, 0, 128]]], np.uint8)
    Image.fromarray(clear, "RGBA").save(tmp_path / "clear.png")
    assert read(tmp_path / "clear.png")[0].tolist() == [[10, 20, 30], [255] * 3, [127] * 3]
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([1, 2, 3, 200, 100, 50])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert read(tmp_path / "palette.png")[0].tolist() == [[255] * 3, [200, 100, 50]]
    Image.fromarray(np.full((8, 8, 4), (0, 255, 255, 0), np.uint8), "CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(read(tmp_path / "cmyk.jpg")[4, 4].astype(int) - [255, 0, 0]).max() < 6
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn: networks see pixels as they are stored, as the papers' did
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert read(tmp_path / "turned.jpg").shape == (4, 8, 3)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match=r"float\.tif: has 32 bits"):
        read(tmp_path / "float.tif")
    with Image.open(tmp_path / "16.png") as one:
        assert np.asarray(zoo.Preprocess(size=1, resize=1).geometry(one)).dtype == np.uint8


def test_verification_tells_of_pictures_that_are_turned_on_a_screen_only(tmp_path):
    from humalign.data.verify import verify_study

    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "study").mkdir()
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(tmp_path / "study/a.jpg", exif=exif)
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(tmp_path / "study/b.jpg")
    (tmp_path / "study/pictures.csv").write_text("id,file\na,a.jpg\nb,b.jpg\n")
    report = verify_study(tmp_path, "study")
    assert report.status == "ok"
    assert "a.jpg: 1 of 2 looked at are turned on a screen (EXIF)" in report.notes[0]


# ---- 3: interrupted training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_training_stopped_in_the_middle_of_a_step_goes_on_bit_by_bit(world, file, tmp_path, number, monkeypatch):
    settings = training.SMALL.with_(checkpoint_every=0)
    whole = training.run(world, settings, source=file, norm=True)
    loss = training.Trainer.loss

    def stopped(self, *args):
        found = loss(self, *args)  # batch statistics have moved, weights have not
        if self.step == 3:
            os.kill(os.getpid(), number)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(training.Trainer, "loss", stopped)
        with pytest.raises(KeyboardInterrupt):
            training.run(world, settings, tmp_path, source=file, norm=True)
    assert [p.name for p in tmp_path.glob("step-*.safetensors")] == ["step-00000004.safetensors"]
    again = training.run(world, settings, tmp_path, source=file, norm=True)
    training.same(whole, again)
    for key, value in whole.student.state_dict().items():
        assert torch.equal(value, again.student.state_dict()[key]), key


# ---- 4 and 5: what is resumed from ----------------------------------------------------------------------------------


def test_changed_pictures_of_the_same_name_and_size_are_extracted_again(tmp_path):
    import test_features

    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(8):
        Image.fromarray(np.full((12, 12, 3), 10 * k, np.uint8)).save(folder / f"{k}.bmp")
    model, out = test_features.tiny(), tmp_path / "out"
    options = {"out": out, "batch_size": 2, "shard_size": 2}
    features.extract(model, folder, **options)
    stamps = {p.name: p.stat().st_mtime_ns for p in out.glob("shard-*.safetensors")}
    Image.fromarray(np.full((12, 12, 3), 200, np.uint8)).save(folder / "5.bmp")
    features.extract(model, folder, **options)
    changed = [p.name for p in out.glob("shard-*.safetensors") if p.stat().st_mtime_ns != stamps[p.name]]
    assert changed == ["shard-00002.safetensors"]
    fresh = features.extract(model, folder, batch_size=2)["penultimate"]
    np.testing.assert_array_equal(features.read(out).values, fresh.values)


@pytest.mark.parametrize("damage", ["cut", "flip", "longer", "gone", "state", "other state"])
def test_a_started_file_of_triplets_is_gone_on_from_only_where_it_is_whole(world, tmp_path, damage):
    from humalign.alignet.dataset import TripletWriter

    rng = np.random.default_rng(0)
    names, numbers = rng.choice(list("abcdef"), (40, 3)), rng.integers(0, 9, (40, 3))
    values = -np.sort(-rng.random((40, 3)).astype(np.float32), 1)
    path = tmp_path / "t.npz"
    writer = TripletWriter(path, 40, 3, ["x"])
    writer.append(names[:20], values[:20], numbers[:20])
    for one in writer.files.values():
        one.close()
    part = path.with_name("t.npz.parts") / "similarities"
    state = part.with_name("state.json")
    raw = bytearray(part.read_bytes())
    if damage == "cut":
        part.write_bytes(raw[:-5])
    elif damage == "flip":
        raw[17] ^= 4
        part.write_bytes(raw)
    elif damage == "longer":  # a piece whose state was not written any more: cut off
        part.write_bytes(raw + b"12345")
    elif damage == "gone":
        part.unlink()
    else:
        state.write_text("[" * 100_000 if damage == "state" else '{"key": 3, "done": true}')
    again = TripletWriter(path, 40, 3, ["x"])
    assert again.done == (20 if damage == "longer" else 0)
    again.append(names[again.done :], values[again.done :], numbers[again.done :])
    again.close()
    from humalign.data.alignet import TripletFile

    np.testing.assert_array_equal(TripletFile.read(path, order="report").similarities, values)


@pytest.mark.parametrize("damage", ["cut", "flip", "state"])
def test_a_damaged_table_of_features_is_made_again(tmp_path, damage):
    from humalign.alignet.pipeline import _table

    path, values, made = tmp_path / "features.npy", np.arange(12, dtype=np.float32).reshape(6, 2), []

    def parts():
        made.append(1)
        yield values[:4]
        yield values[4:]

    np.testing.assert_array_equal(_table(path, "k", 6, parts()), values)
    np.testing.assert_array_equal(_table(path, "k", 6, parts()), values)
    assert len(made) == 1
    if damage == "state":
        path.with_suffix(".json").write_text('["k"]')
    else:
        raw = bytearray(path.read_bytes())
        raw[-3] ^= 1
        path.write_bytes(raw[:-4] if damage == "cut" else raw)
    np.testing.assert_array_equal(_table(path, "k", 6, parts()), values)
    assert len(made) == 2


def test_training_is_not_gone_on_with_other_labels_or_pictures(tmp_path):
    """Also where the first labels, the number of pictures, their names and sizes are the same."""
    from humalign.features.images import content, from_folder

    photos(tmp_path / "p", 6)
    one = from_folder(tmp_path / "p")
    before = content(one), content(one, most=3), one.checksum
    raw = bytearray((tmp_path / "p/p3.png").read_bytes())
    raw[-20] ^= 1
    (tmp_path / "p/p3.png").write_bytes(raw)
    other = from_folder(tmp_path / "p")
    assert other.checksum == before[2]  # names and sizes
    assert content(other) != before[0]
    shutil.copytree(tmp_path / "p", tmp_path / "elsewhere/p")
    assert content(from_folder(tmp_path / "elsewhere/p")) == content(other)


# ---- 6: AligNet files -----------------------------------------------------------------------------------------------


def test_every_flipped_bit_of_an_alignet_file_is_noticed_or_harmless(file):
    from humalign.data.alignet import TripletFile

    raw, rng, refused = file.path.read_bytes(), np.random.default_rng(0), 0
    with zipfile.ZipFile(file.path) as archive:
        spans = [(i.header_offset + 30 + len(i.filename) + 20, i.file_size) for i in archive.infolist()]
    wanted = {name: np.array(getattr(file, name)) for name in ("filenames", "similarities", "indices")}
    for k in range(150):
        damaged = bytearray(raw)
        start, size = spans[k % 3] if k < 90 else (0, len(raw))
        place = start + int(rng.integers(size))
        damaged[place] ^= 1 << int(rng.integers(8))
        file.path.write_bytes(damaged)
        try:
            found = TripletFile.read(file.path)
        except InputError:
            refused += 1
            continue
        for name, value in wanted.items():
            np.testing.assert_array_equal(getattr(found, name), value)
    assert refused > 100


# ---- 7 and 8: data sets ---------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return get_profile("full", data=tmp_path / "data")


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_an_imported_file_is_looked_at_although_another_is_missing(data, tmp_path, content):
    from humalign.data import registry
    from humalign.data.adopt import adopt

    several = [e for e in registry.entries("full")
               if sum(not f.optional and not f.folder for f in e.files.values()) > 1]  # fmt: skip
    one = next(e for e in several for f in e.files.values() if f.path.endswith((".npy", ".npz", ".mat")))
    key, file = next((k, f) for k, f in one.files.items() if f.path.endswith((".npy", ".npz", ".mat")))
    source = tmp_path / Path(file.path).name
    source.write_bytes(content)
    with pytest.raises(InputError):
        adopt(source, one.name, data, key=key)
    assert not [p for p in data.data.rglob("*") if p.is_file()]


def test_a_folder_without_pictures_is_no_picture_set_and_one_around_the_data_is_refused(data, tmp_path):
    from humalign.data import registry
    from humalign.data.adopt import adopt

    for one in registry.entries("full"):
        folders = [key for key, file in one.files.items() if file.folder]
        if one.kind != "stimuli" or not folders:
            continue
        source = tmp_path / "sources" / Path(one.files[folders[0]].path).name
        source.mkdir(parents=True, exist_ok=True)
        (source / "README.md").write_text("pictures come later")
        with pytest.raises(InputError):
            adopt(source, one.name, data, key=folders[0])
        assert not [p for p in data.data.rglob("*") if p.is_file()], one.name
    with pytest.raises(InputError, match="holds the data folder itself"):
        adopt(tmp_path, "things/images", data, key="images")


def test_a_killed_import_leaves_nothing_for_ever(data, tmp_path, monkeypatch):
    from humalign.data import adopt

    target = data.data / "a/b.npy"
    for path in (target.with_name(".b.npy.importing"), target.with_name(".b.npy.replaced")):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    adopt._recover(target, target.with_name(".b.npy.replaced"))
    assert target.read_bytes() == b"x"  # what was there before the import that was killed
    assert [p.name for p in target.parent.iterdir()] == ["b.npy"]


@pytest.mark.parametrize("change", [1, -1])
def test_imagenet_labels_with_a_line_too_many_or_too_few_are_refused(tmp_path, change, monkeypatch):
    import rehearsal

    from humalign.data import imagenet, load

    root = tmp_path / "data"
    rehearsal.write(root)
    profile = get_profile("full", data=root)
    truth = next(root.rglob("*ground_truth*"))
    lines = truth.read_text().splitlines(keepends=True)
    monkeypatch.setattr(imagenet, "LABELS", len(lines))
    (root / known.MANIFEST).unlink()
    load("imagenet/val", profile)
    truth.write_text("".join(lines[:1] + lines if change > 0 else lines[1:]))
    with pytest.raises(InputError, match=f"has {len(lines) + change} labels, not {len(lines)}"):
        load("imagenet/val", profile)


# ---- 9 and 10: notebooks --------------------------------------------------------------------------------------------

CELLS = """---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---

```{{code-cell}} ipython3
:tags: [parameters]

{parameters}
```

```{{code-cell}} ipython3
{code}
```
"""


def notebook(folder, code, parameters="seed = 0", name="page"):
    (folder / "notebooks").mkdir(exist_ok=True)
    path = folder / "notebooks" / f"{name}.md"
    path.write_text(CELLS.format(code=code, parameters=parameters))
    return path


def test_what_is_left_out_for_want_of_data_is_said_and_strict_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "from humalign.book import missing\nfrom humalign.errors import MissingData\nassert missing.guard()\n"
    notebook(tmp_path, code + "```\n\n```{code-cell} ipython3\nraise MissingData('is not here', 'things')")
    assert cli.main(["run", "page"]) == 0
    assert "1 cells were left out, the first since things: is not here" in capsys.readouterr().err
    assert cli.main(["run", "page", "--strict"]) == 1
    assert cli.main(["sweep", "page", "-g", "seed", "1", "--strict"]) == 1
    assert "1 of 1 notebooks left cells out" in capsys.readouterr().err
    assert (tmp_path / "runs/page.csv").read_text().splitlines()[0] == "seed,state,notebook,left_out"


def test_two_runs_into_one_folder_keep_their_own_figure_data(tmp_path, monkeypatch):
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    notebook(
        tmp_path,
        "import pandas as pd\nfrom humalign import show\nshow.figure_data(pd.DataFrame({'x': [seed]}), 'fig-x')",
    )
    for seed in "12":
        assert cli.main(["run", "page", "-p", "seed", seed, "-o", f"out/run{seed}.ipynb"]) == 0
    for seed in "12":
        assert pd.read_csv(tmp_path / f"out/run{seed}-data/fig-x.csv").x.tolist() == [int(seed)]
        assert f"run{seed}-data/fig-x.csv" in (tmp_path / f"out/run{seed}.ipynb").read_text("utf8")


# ---- 11 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1e38, 1e-38, 1e-25])
def test_features_whose_products_cannot_be_told_apart_are_refused(tmp_path, factor):
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32) * np.float32(factor)
    np.savez(tmp_path / "f.npz", features=values, ids=np.array(list("abcde")))
    with pytest.raises(InputError, match="products of features are 0 or infinite"):
        features.read(tmp_path / "f.npz")


@pytest.mark.parametrize(
    "content",
    ['{"rehearsal": "no"}', '{"rehearsal": 0}', '{"rehearsals": true}', '{"sha256": []}', '{"sha256": {"a": 1}}', "[]",
     '{"expect": {"things": 3}}', '{"row_order": "raw"}', "null", "7", '"x"', "[" * 200_000],
)  # fmt: skip
def test_the_manifest_of_a_data_folder_is_of_the_known_form(tmp_path, content):
    (tmp_path / known.MANIFEST).write_text(content)
    with pytest.raises(InputError):
        known.manifest(tmp_path)


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.uint8])
def test_weights_that_are_no_real_numbers_are_not_cast(tmp_path, kind):
    from safetensors.torch import save_file

    from humalign.zoo import checkpoints

    module = torch.nn.Linear(2, 2)
    save_file({"weight": torch.ones(2, 2).to(kind), "bias": torch.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="not real numbers"):
        checkpoints.load_into(module, tmp_path / "w.safetensors")
    save_file({"weight": torch.full((2, 2), float("nan")), "bias": torch.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="NaN or infinity"):
        checkpoints.load_into(module, tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["dog/nope", "dog/test99", "nope/1", "dog/", "dog/1/2", "dog/train-1"])
def test_only_pictures_of_the_drawn_world_are_drawn(name, tmp_path, capsys):
    code, told = say(["world", "draw", name, "--out", tmp_path / "x.png"], capsys)
    assert code == 2
    assert "is no picture of the drawn world" in told
    assert not (tmp_path / "x.png").exists()


def test_hdf5_never_reads_other_files(tmp_path):
    import h5py

    (tmp_path / "secret").write_bytes(b"0123456789abcdef" * 4)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", (4, 4), "f4", external=[(str(tmp_path / "secret"), 0, 64)])
        file["ids"] = list("abcd")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.eye(4)
    layout = h5py.VirtualLayout((4, 4), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (4, 4))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("features", layout)
        file["ids"] = list("abcd")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["features"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
        file["ids"] = list("abcd")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("features", (10**9, 10**6), "f4", chunks=(16, 16))
        file["ids"] = list("abcd")
    for name in ("f.h5", "v.h5", "link.h5", "huge.h5"):
        with pytest.raises(InputError):
            features_file.read(tmp_path / name)
    for name in ("f.h5", "v.h5", "huge.h5"):
        shutil.copyfile(tmp_path / name, tmp_path / "x.mat")
        with pytest.raises(InputError):
            files.read_mat(tmp_path / "x.mat")


# ---- options, names, places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["alignet", "train", "--student", "mini:softmax-resnet-s", "--images", ".", "--triplets", ".", "--out", "o",
         "--preset", "mini", "--set", "{set}"],
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "setting",
    ["steps=x", "steps=1.5", "steps=true", "steps=none", "lr=nan", "lr=inf", "lr=-1", "batch=0", "beta1=2", "eps=0",
     "seed=-1", "checkpointing=3", "temperature=0", "temperature=x", "keep=0", "loss=nan", "steps=1e30", "local=x"],
)  # fmt: skip
def test_settings_of_the_wrong_kind_are_one_line(arguments, setting, capsys):
    code, told = say([one.replace("{set}", setting) for one in arguments], capsys)
    assert code == 2
    assert setting.partition("=")[0] in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["extract", "softmax-resnet-s", "--images", "", "--out", "o"],
        ["extract", "softmax-resnet-s", "--images", ".", "--out", "o", "--seed", "-1"],
        ["extract", "softmax-resnet-s", "--images", ".", "--out", "o", "--batch-size", "0"],
        ["extract", "softmax-resnet-s", "--images", ".", "--out", "o", "--batch-size", "many"],
        ["extract", "softmax-resnet-s"],
        ["extract", "softmax-resnet-s", "--images", ".", "--dataset", "x", "--out", "o"],
        ["probe", "f.npz", "--triplets", "things", "--strengths", "1e300"],
        ["probe", "f.npz", "--triplets", "things", "--strengths", "nan"],
        ["probe", "f.npz", "--triplets", "things", "--folds", "1"],
        ["sweep", "page", "-g", "seed", "0", "--workers", "-1"],
        ["run", "page", "--timeout", "0"],
        ["run", "page", "-p", "seed", "2020-01-01"],
        ["run", "page", "-p", "seed", "[" * 5000],
        ["evaluate", "[/red]"],
        ["evaluate", "[/red].npz"],
        ["evaluate", "f.npz", "--bootstrap", "1"],
        ["models", "x", "--nonsense"],
        ["models", "\udcff"],
        ["play", "\udcff"],
        ["world", "train", "softmax-resnet-s", "--seed", "-1"],
        ["world", "train", "softmax-resnet-s", "--jobs", "0"],
        ["world"],
        ["data", "where", ""],
        ["plan", "--gpus", "-1"],
        ["plan", "--profile", "full", "--tflops", "nan"],
    ],
)
def test_options_that_cannot_be_are_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    notebook(tmp_path, "seed")
    assert say(arguments, capsys)[0] == 2
    assert not (tmp_path / "o").exists()


def test_names_with_markup_and_names_that_are_no_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "[bold]x").mkdir(parents=True)
    (tmp_path / "data" / "[bold]x" / "pictures.csv").write_text("id,file\na,a.png\n")
    assert cli.main(["data", "list", "--data", "data"]) == 0
    assert "[bold]x" in capsys.readouterr().out
    photos(tmp_path / "p")
    os.rename(b"p/p0.png", b"p/\xff.png")
    code, told = say(["extract", "softmax-resnet-s", "--images", "p", "--out", "o"], capsys)
    assert code == 2
    assert "no printable text" in told


def test_pipes_among_pictures_are_told_not_waited_for(tmp_path, capsys):
    photos(tmp_path / "p")
    os.mkfifo(tmp_path / "p/q.png")
    code, told = say(["extract", "softmax-resnet-s", "--images", tmp_path / "p", "--out", tmp_path / "o"], capsys)
    assert code == 2
    assert "q.png" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "softmax-resnet-s", "--json", "{}/file/x.json"],
        ["evaluate", "softmax-resnet-s", "--html", "{}/folder"],
        ["probe", "f.npz", "--triplets", "things", "--out", "{}/file/x.npz"],
        ["claims", "--csv", "/proc/x.csv"],
        ["run", "page", "-o", "{}/file/x.ipynb"],
        ["extract", "softmax-resnet-s", "--images", "{}", "--out", "/proc/x"],
    ],
)
def test_places_that_cannot_be_written_are_told_before_the_work(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    module = __import__(f"humalign.commands.{arguments[0]}", fromlist=["main"])
    monkeypatch.setattr(module, "main", lambda args: pytest.fail("the work has begun"))
    assert say([one.format(tmp_path) for one in arguments], capsys)[0] == 1


# ---- side-cars ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "like", "told"),
    [
        ({"a": 1}, {"a": int}, ""),
        ({"a": 1}, {"a": float}, ""),
        ({"a": True}, {"a": int}, "'a' is true or false where a whole number is expected"),
        ({"a": None}, {"a": (str, None)}, ""),
        ({}, {"a": int}, "it has no 'a'"),
        ({}, {"a?": int}, ""),
        ({"a": "x"}, {"a?": [str]}, "'a' is text where a list is expected"),
        (["x", 3], [str], "it[1] is a whole number where text is expected"),
        ({"k": []}, {str: int}, "it['k'] is a list where a whole number is expected"),
        ([], {"a": int}, "it is a list where an object is expected"),
        ({"a": [{"b": 1}]}, {"a": [{"b": str}]}, "'b' is a whole number where text is expected"),
    ],
)
def test_forms_of_side_cars(value, like, told):
    assert unlike(value, like) == told


def test_json_nested_too_deeply_is_one_line(tmp_path):
    (tmp_path / "x.json").write_text("[" * 1_000_000)
    with pytest.raises(InputError, match="nested too deeply"):
        read_json(tmp_path / "x.json")


# ---- notebooks that are none, and the book --------------------------------------------------------------------------

WHOLE = b'{"cells": [%s], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'
BROKEN = {
    "syntax": ("page.md", CELLS.format(parameters="seed = (", code="1").encode()),
    "bytes": ("page.md", b"\xff\xfe\x00\x01" * 50),
    "json": ("page.ipynb", b'{"cells": ['),
    "list": ("page.ipynb", b"[]"),
    "cells": ("page.ipynb", b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'),
    "cell": ("page.ipynb", WHOLE % b"7"),
    "kind": ("page.ipynb", WHOLE % b'{"cell_type": "x", "source": "", "metadata": {}}'),
    "tags": ("page.ipynb", WHOLE % b'{"cell_type": "code", "source": "", "outputs": [], "execution_count": null, '
             b'"metadata": {"tags": 3}}'),
    "deep": ("page.ipynb", b"[" * 200_000),
    "header": ("page.md", b"---\njupytext: [\n---\n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_notebook_is_one_line_that_names_it(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name, content = BROKEN[kind]
    (tmp_path / name).write_bytes(content)
    for more in (["-p", "seed", "1"], ["--show"]):
        code, told = say(["run", name, *more], capsys)
        assert code == 2
        assert name in told
    code, told = say(["sweep", name, "-g", "seed", "1"], capsys)
    assert code == 2
    assert name in told


@pytest.mark.parametrize("kind", ["syntax", "bytes", "cells"])
def test_a_broken_notebook_ends_the_build_with_its_name(kind, tmp_path):
    import test_book_run

    folder = test_book_run.make_book(tmp_path, "1")
    (tmp_path / "notebooks/page.md").unlink()
    name, content = BROKEN[kind]
    (tmp_path / "notebooks" / name).write_bytes(content)
    config = folder / "_config.yml"
    config.write_text(
        config.read_text().replace(
            "humalign_timeout: 60", "humalign_timeout: 60, humalign_parameters: {all: {seed: 1}}"
        )
    )
    done = test_book_run.build(folder)
    assert done.returncode
    assert name in done.stderr.strip().splitlines()[-1], done.stderr[-3000:]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"metadata": []}', '{"metadata": {"humalign": 3}}', "[" * 100_000,
                                     '{"metadata": {"humalign": {"digest": "x", "files": {"a": 1}}}}'])  # fmt: skip
def test_a_damaged_result_counts_as_never_run(tmp_path, content):
    from humalign.book.run import Run, why_stale

    source = notebook(tmp_path, "1")
    (tmp_path / "x.ipynb").write_text(content)
    assert why_stale(Run(source, tmp_path / "x.ipynb")) == "never ran"


# ---- kills, orphans, full disks -------------------------------------------------------------------------------------


def alive(mark: str) -> list[int]:
    """Processes whose environment holds a mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (
                mark.encode() in (place / "environ").read_bytes()
                and (place / "stat").read_text().split(")")[1].split()[0] != "Z"
            ):
                found.append(int(place.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="asks /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_sweep_that_is_ended(tmp_path, number):
    source = notebook(tmp_path, "import time\nopen('begun', 'w').close()\ntime.sleep(300)")
    mark = f"TRUST_{os.getpid()}_{number}"
    command = [sys.executable, "-m", "humalign", "sweep", str(source), "-g", "seed", "1", "2", "--workers", "1"]
    env = {**os.environ, "MARK": mark, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # a shell starts what runs in its background deaf to Ctrl-C, and children inherit that
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=tmp_path, env=env, **pipes) as run:
        try:
            until(lambda: (tmp_path / "notebooks/begun").exists(), 120)
            assert len(alive(mark)) >= 3  # command, worker, kernel
            run.send_signal(number)
            out, err = run.communicate(timeout=60)
            until(lambda: not alive(mark), 30)
        finally:
            for pid in alive(mark):
                os.kill(pid, signal.SIGKILL)
    if number != signal.SIGKILL:
        assert "stopping page.md" in out
        assert err.strip().splitlines()[-1].endswith("what was finished is kept")
        assert run.returncode == (143 if number == signal.SIGTERM else 130)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="asks /proc")
def test_no_experiment_outlives_a_queue_that_is_killed(tmp_path):
    mark = f"TRUST_{os.getpid()}_queue"
    asked = ["--jobs", "3", "--wait", "300", "--only", "softmax-vit-m.s1.alignet"]
    command = [sys.executable, "-m", "humalign.experiments", *asked]
    env = {**os.environ, "MARK": mark, "PYTHONPATH": os.pathsep.join(sys.path), "HUMALIGN_CACHE": str(tmp_path)}
    with open(tmp_path / "said", "w") as said:
        run = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=said, stderr=said)
    try:
        # the training run is not in the cache: who claims it waits, and so does who finds it claimed
        until(lambda: "waits" in (tmp_path / "said").read_text() and len(alive(mark)) >= 3, 300)
        run.kill()
        until(lambda: not alive(mark), 60)
    finally:
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)
        run.wait(60)


def until(true, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_a_killed_worker_fails_its_notebook_alone_and_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "import os, signal\nif seed == 1:\n    os.kill(os.getppid(), signal.SIGKILL)\nelse:\n    print(seed)"
    notebook(tmp_path, code)
    assert cli.main(["sweep", "page", "-g", "seed", "1", "2", "--workers", "2"]) == 1
    told = capsys.readouterr().err
    assert "1 of 2 cells failed" in told
    assert "page.md: its process was ended from outside (SIGKILL: perhaps memory ran out)" in told
    assert "page" in (tmp_path / "runs/page.csv").read_text()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from humalign.cli import main
sys.exit(main(sys.argv[1:]))
"""


def limited(arguments, cwd, limit=2000):
    """A command that may write files of some bytes only: the error of a full disk."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", LIMITED.format(limit=limit), *map(str, arguments)], cwd=cwd, env=env,
                          capture_output=True, text=True, timeout=300)  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Pictures, features and a notebook for commands that write."""
    root = tmp_path_factory.mktemp("small")
    photos(root / "pictures", 12, 64)
    rng = np.random.default_rng(0)
    ids = [f"p{k}" for k in range(12)]
    np.savez(root / "f.npz", ids=np.array(ids), features=rng.normal(size=(12, 400)).astype(np.float32))
    notebook(root, "print('x' * 9000)")
    rows = [rng.permutation(12)[:3] for _ in range(60)]
    lines = [",".join([*(ids[k] for k in row), ids[row[2]]]) for row in rows]
    (root / "answers.csv").write_text("a,b,c,odd\n" + "\n".join(lines) + "\n")
    return root


WRITING = {
    "extract": ["extract", "softmax-resnet-s", "--images", "pictures", "--out", "features"],
    "merge": ["extract", "softmax-resnet-s", "--images", "pictures", "--out", "ready", "--merge", "all.safetensors"],
    "draw": ["world", "draw", "dog", "--out", "dog.png"],
    "models": ["models", "--json", "models.json"],
    "run": ["run", "notebooks/page.md", "-o", "page.ipynb"],
    "play": ["play", "pictures", "--triplets", "answers.csv", "--out", "game"],
    "import": ["data", "import", "big.npy", "--as", "things/train_90", "--profile", "full", "--data", "."],
}


@pytest.mark.parametrize("name", WRITING)
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(name, small):
    if name == "merge":
        assert (
            cli.main([*WRITING["extract"][:2], "--images", str(small / "pictures"), "--out", str(small / "ready")]) == 0
        )
    if name == "import":
        np.save(small / "big.npy", np.tile(np.array([[0, 1, 2]], np.int32), (4000, 1)))
    done = limited(WRITING[name], small)
    assert done.returncode == 1, done.stderr
    told = done.stderr.strip().splitlines()
    assert [line for line in told if line.startswith("humalign ")] == told[-1:], done.stderr
    assert "no room is left" in told[-1]
    assert "Traceback" not in done.stderr
    if name != "import":
        again = limited(WRITING[name], small, -1)
        assert again.returncode == 0, again.stderr
    assert not [p for p in small.rglob(".*") if p.is_file() and not p.name.endswith(".lock")]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError("400 requested and 96 written"),
        OSError("encoder error -2 when writing image file"),
        RuntimeError("I/O error: File too large (os error 27)"),
    ],
)
def test_libraries_tell_of_a_full_disk_in_their_own_words(error):
    assert no_room(error)
    assert not no_room(OSError(2, "No such file"))
    assert not no_room(ValueError("bad"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_triplets_on_a_full_disk_are_one_line_and_gone_on_from(tmp_path):
    from humalign.alignet.dataset import TripletWriter

    names, values, numbers = np.full((5, 3), "a"), np.zeros((5, 3), np.float32), np.zeros((5, 3), np.int64)
    with TripletWriter(tmp_path / "t.npz", 10, 1, []) as writer:
        writer.append(names, values, numbers)
        writer.files["indices"].close()
        writer.files["indices"] = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 (closed by the writer)
        with pytest.raises(HumalignError, match="no room is left"):
            writer.append(names, values, numbers)
    with TripletWriter(tmp_path / "t.npz", 10, 1, []) as again:
        assert again.done == 5


def test_commands_wait_passively_for_threads():
    code = (
        "import os; os.environ.pop('OMP_WAIT_POLICY', None); import humalign, sys; assert 'torch' not in sys.modules; "
    )
    code += "print(os.environ['OMP_WAIT_POLICY'])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=env).strip() == "passive"


def test_one_bad_file_does_not_end_the_verification_of_others(data, monkeypatch, capsys):
    from humalign.data import registry, verify

    def broken(*_):
        raise ZeroDivisionError("of one file")

    (data.data / "triplets").mkdir()
    one = next(
        e
        for e in registry.entries("full")
        if e.files and all(not f.folder and not f.optional for f in e.files.values())
    )
    for file in one.files.values():
        (data.data / file.path).parent.mkdir(parents=True, exist_ok=True)
        (data.data / file.path).write_bytes(b"x")
    monkeypatch.setattr(verify, "_check_content", broken)
    monkeypatch.setattr(known, "check_known", lambda *_: False)
    reports = {r.name: r for r in verify.verify(data)}
    assert "nobody foresaw (ZeroDivisionError: of one file)" in reports[one.name].problems[0]
    assert len(reports) == len(registry.entries("full"))


def test_probe_takes_a_folder_that_extract_wrote(tmp_path, monkeypatch):
    from humalign.commands import probe

    profile = get_profile("mini")
    ids = open_source(profile).triplets("things").ids
    out = tmp_path / "features"
    values = np.random.default_rng(0).normal(size=(len(ids), 3)).astype(np.float32)
    from humalign.features import shards
    from humalign.store import digest

    about = {"format": 1, "model": "m", "n": len(ids), "shard_size": len(ids), "order": ["penultimate"], "weights": "w",
             "layers": {"penultimate": {"module": "x", "width": 3}}, "weights_digest": "",
             "ids_digest": digest(tuple(ids)), "preprocess": {}, "dtype": "float32"}  # fmt: skip
    write_json(out / "manifest.json", about)
    shards.write_shard(out, 0, ids, {"penultimate": values})
    seen = []

    def stop(features, *_, **__):
        seen.append(features)
        raise HumalignError("far enough")

    monkeypatch.setattr("humalign.probing.cross_validation", stop)
    assert cli.main(["probe", str(out), "--triplets", "things"]) == 1
    assert seen[0].shape == values.shape
    assert probe.EXAMPLE
