"""Teacher, and the whole way from a folder of pictures to an aligned student through the command line."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import rel_entr

from humalign import cli
from humalign.alignet import judged, pipeline, teacher
from humalign.alignet.settings import PRESETS
from humalign.data.alignet import TripletFile
from humalign.data.types import Features, Triplets
from humalign.errors import InputError
from humalign.probing import LinearTransform, object_folds, partition_masks
from humalign.similarity import similarity_matrix
from humalign.store import load_arrays, save_arrays

ID = [f"o{i}" for i in range(30)]


@pytest.fixture
def people():
    """Features that hold a human embedding in some directions, and much else."""
    rng = np.random.default_rng(0)
    z = np.abs(rng.normal(size=(30, 3))) * 1.6
    x = np.hstack([z, rng.normal(size=(30, 5)) * 3]) @ rng.normal(size=(8, 8))
    rows = np.array([rng.permutation(30)[:3] for _ in range(3000)])
    p = teacher.soft_targets(z, rows)
    kept = (p.cumsum(1) < rng.random((3000, 1))).sum(1)
    order = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[np.minimum(kept, 2)]
    return x.astype(np.float32), z, np.take_along_axis(rows, order, 1)


# ---------------------------------------------------------------------------------------------- teacher


def test_soft_targets_are_softmax_of_dot_products():
    z = np.array([[1.0, 0], [2, 0], [0, 1]])
    p = teacher.soft_targets(z, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(p[0], np.exp([2, 0, 0]) / np.exp([2, 0, 0]).sum())


def test_monte_carlo_targets_mean_over_draws():
    z = np.array([[1.0, 0], [2, 0], [0, 1]])
    rows = np.array([[0, 1, 2]])
    zero = teacher.soft_targets(z, rows, std=np.zeros_like(z), draws=3)
    np.testing.assert_allclose(zero, teacher.soft_targets(z, rows))
    noisy = teacher.soft_targets(z, rows, std=np.full_like(z, 0.7), draws=400, seed=1)
    rng = np.random.default_rng(1)
    draws = [np.maximum(z + 0.7 * rng.standard_normal(z.shape), 0) for _ in range(400)]
    expected = np.mean([teacher.soft_targets(d, rows) for d in draws], 0)
    np.testing.assert_allclose(noisy, expected)
    with pytest.raises(InputError):
        teacher.soft_targets(z, rows, std=-np.ones_like(z))


def kl(targets, values, rows):
    s = teacher.soft_targets(values, rows)
    return float(rel_entr(targets, s).sum(1).mean())


def test_uncertainty_distillation_finds_the_embedding(people):
    x, z, rows = people
    targets = teacher.soft_targets(z, rows)
    fitted = teacher.fit(x, rows, targets, strength=1e-5)
    assert fitted.bias is not None
    assert kl(targets, fitted.apply(x), rows) < 0.05
    assert kl(targets, teacher.untransformed(x).apply(x), rows) > 1


def test_strong_pull_gives_a_scaled_identity(people):
    x, z, rows = people
    w = teacher.fit(x, rows, teacher.soft_targets(z, rows), strength=1e5).weights
    assert np.abs(w - np.eye(8) * np.diag(w).mean()).max() < 1e-2 * np.diag(w).mean()


@pytest.mark.parametrize("kind", ["plain", "glocal"])
def test_other_kinds_learn_choices(people, kind):
    from humalign import odd_one_out

    x, _, rows = people
    fitted = teacher.fit(x, rows, kind=kind, strength=1e-3, alpha=0.02)
    before, after = (odd_one_out.accuracy(similarity_matrix(v, "dot"), rows) for v in (x, fitted.apply(x)))
    assert after > before + 0.1


def test_uncertainty_needs_targets(people):
    with pytest.raises(InputError):
        teacher.fit(people[0], people[2])
    with pytest.raises(InputError):
        teacher.fit(people[0], people[2], kind="hard")


def test_cross_validation_is_over_objects(people):
    x, z, rows = people
    targets, groups = teacher.soft_targets(z, rows), np.arange(30) // 2
    table = teacher.cross_validate(x, rows, targets, strengths=(1e-3, 10.0), n_folds=2, groups=groups)
    assert set(table["measure"]) == {"accuracy", "cross-entropy", "entropy", "calibration error"}
    for fold, member in enumerate(object_folds(30, 2, 42, groups)):
        assert not set(groups[member]) & set(groups[~member])
        inside, outside = partition_masks(rows, member)
        assert (table.loc[table["fold"] == fold, "n"] == outside.sum()).all()
        fitted = teacher.fit(x, rows[inside], targets[inside], strength=1e-3)  # triplets of training objects, no other
        found = teacher.scores(similarity_matrix(fitted.apply(x), "dot"), rows[outside])
        own = table[(table["fold"] == fold) & (table["strength"] == 1e-3)].set_index("measure")["value"]
        assert own.to_dict() == pytest.approx(found)
    means = table[table["measure"] == "cross-entropy"].groupby("strength")["value"].mean()
    assert means[teacher.best_strength(table)] == means.min() < means.max()


def test_untransformed_teacher_is_as_sure_as_the_other(people):
    from humalign.alignet.dataset import dot_products
    from humalign.alignet.losses import confidence

    x, z, rows = people
    aligned = teacher.fit(x, rows, teacher.soft_targets(z, rows), strength=0.1).apply(x)
    plain = teacher.scaled_to(x, aligned)
    t = np.array([np.random.default_rng(i).permutation(30)[:3] for i in range(3000)])
    assert confidence(dot_products(plain.apply(x), t)) == pytest.approx(confidence(dot_products(aligned, t)), abs=0.02)
    gram = (x - x.mean(0)) @ (x - x.mean(0)).T
    own = plain.apply(x) @ plain.apply(x).T
    assert np.corrcoef(gram.ravel(), own.ravel())[0, 1] > 0.9999  # the same similarities but for one factor


def test_teacher_round_trip(people, tmp_path):
    x, _, rows = people
    one = teacher.Teacher("mini:x", "plain", teacher.fit(x, rows, kind="plain"), {"strength": 0.1})
    two = teacher.Teacher.load(one.save(tmp_path / "t"))
    np.testing.assert_array_equal(one.apply(x), two.apply(x))
    assert (two.kind, two.meta["strength"]) == ("plain", 0.1)
    LinearTransform(np.eye(8)).save(tmp_path / "t" / "transform.npz")
    with pytest.raises(InputError, match="does not fit"):
        teacher.Teacher.load(tmp_path / "t")


def test_fit_teacher_aligns_by_id(people):
    x, z, rows = people
    order = np.random.default_rng(0).permutation(30)

    class Human:
        values, name = z, "embedding"

    data = judged.Judged(Features(ID, x, "net"), Triplets(ID, rows, "s", "l"), Human, "t")
    one, table = judged.fit_teacher(data, strengths=(0.01, 1.0))
    assert table is not None
    shuffled = Features([ID[i] for i in order], x[order], "net").align(ID)
    two, _ = judged.fit_teacher(judged.Judged(shuffled, data.choices, Human, "t"), strengths=(one.meta["strength"],))
    np.testing.assert_allclose(one.transform.weights, two.transform.weights, atol=1e-5)


# ---------------------------------------------------------------------------------------------- the command line


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of pictures of four colours, an untrained network under a zoo name, and a teacher for it."""
    from humalign.zoo import architectures, small

    monkeypatch.setenv("HUMALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(small, "weights_folder", lambda: tmp_path / "none")
    rng = np.random.default_rng(0)
    for i in range(48):
        pixels = np.clip(rng.normal(60, 40, (20, 24, 3)), 0, 255).astype(np.uint8)
        pixels[..., i % 3] //= 3
        pixels[: 5 + i // 12 * 4] //= 2
        path = tmp_path / "pictures" / f"class{i % 4}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    name = "softmax-resnet-s"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = architectures.build(small.arch_of(name))
    arrays = {k: v.numpy() for k, v in network.state_dict().items()}
    save_arrays(tmp_path / "cache" / "zoo" / f"{name}.s0.safetensors", arrays, {"outputs": 0, "has_logits": False})
    width = 48
    rng = np.random.default_rng(1)
    transform = LinearTransform(np.eye(width) + 0.1 * rng.normal(size=(width, width)), 0.0, 0.3)
    teacher.Teacher(f"mini:{name}", "plain", transform, {"strength": 0.1}).save(tmp_path / "teacher")
    return tmp_path


def run(*words):
    return cli.main(["alignet", *map(str, words)])


def test_folder_of_pictures_to_aligned_student(folder, capsys):
    out, pictures = folder / "alignet", folder / "pictures"
    sample = ["sample", "--teacher", folder / "teacher", "--images", pictures, "-n", 400, "--validation", 120]
    assert run(*sample, "--clusters", 6, "--out", out) == 0
    files = capsys.readouterr().out.split()
    assert [f.split("/")[-2:] for f in files] == [
        ["uncertainty_distillation", "train_cluster_border_6.npz"],
        ["uncertainty_distillation", "val_cluster_border_6.npz"],
    ]
    assert len(TripletFile.read(files[0])) == 400
    assert run(*sample, "--clusters", 6, "--transform", "untransformed", "--out", out) == 0
    train = ["train", "--student", "mini:softmax-resnet-s", "--images", pictures, "--triplets", out, "--preset", "mini",
             "--set", "steps=12", "batch=16", "local=0.1", "checkpoint_every=5"]  # fmt: skip
    assert run(*train, "--out", folder / "student") == 0
    assert "step 12" in capsys.readouterr().out
    assert run(*train, "--out", folder / "student") == 0  # finished: nothing is done twice
    assert run(*train, "--transform", "untransformed", "--out", folder / "control") == 0
    capsys.readouterr()
    csv = folder / "result.csv"
    assert run("evaluate", folder / "student", "--images", pictures, "--triplets", out, "--csv", csv) == 0
    text = capsys.readouterr().out
    assert "val_cluster_border_6, cosine" in text
    assert csv.is_file()
    assert run("evaluate", folder / "student", "--world") == 0
    assert re.search(r"one-shot +accuracy +H2", capsys.readouterr().out)


def test_torchrun_on_two_processes_equals_one(folder, capsys):
    """The documented command itself: torchrun starts the processes, they meet over gloo, the first one writes.

    The preset mirrors and shifts pictures; both see the same.
    """
    pictures, out = folder / "pictures", folder / "alignet"
    assert run("sample", "--teacher", folder / "teacher", "--images", pictures, "-n", 96, "--validation", 0,
               "--clusters", 6, "--out", out) == 0  # fmt: skip
    train = ["train", "--student", "mini:softmax-resnet-s", "--scratch", "--images", pictures, "--triplets", out,
             "--preset", "mini"]  # fmt: skip
    train += ["--set", "steps=3", "batch=8", "local=0", "batch_norm=frozen"]
    assert PRESETS["mini"].augmentation == "flip-shift"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "humalign", "alignet", *map(str, train), "--out", str(folder / "two")]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1", "HUMALIGN_DEVICE": "cpu"}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("step 3") == 1  # one process speaks
    assert run(*train, "--out", folder / "one") == 0
    one, two = (load_arrays(folder / name / "student.safetensors")[0] for name in ("one", "two"))
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=2e-5)
    logs = [np.loadtxt(folder / name / "log.csv", delimiter=",", skiprows=1) for name in ("one", "two")]
    np.testing.assert_allclose(logs[0], logs[1], rtol=1e-4)


def test_command_line_refuses_in_one_line(folder, capsys):
    train = ["train", "--student", "mini:softmax-resnet-s", "--images", folder / "pictures", "--out", folder / "s"]
    assert run(*train, "--triplets", folder / "nothing") == 2
    assert run(*train, "--triplets", folder, "--preset", "maxi") == 2
    assert run(*train, "--triplets", folder, "--set", "speed=3") == 2
    assert run(*train, "--triplets", folder, "--set", "teacher=untransformed") == 2
    assert run("sample", "--teacher", folder / "teacher", "--out", folder / "x") == 2
    assert run("teacher", "--out", folder / "x") == 2
    assert run("evaluate", folder / "teacher") == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 7
    assert all(line.startswith("humalign alignet: ") for line in errors)


def test_classes_come_from_folders_or_names():
    assert pipeline.classes(["a/1.png", "a/2.png", "b/c/3.png"]).tolist() == ["a", "a", "b/c"]
    assert pipeline.classes(["n01_5.JPEG", "n02_5.JPEG"]).tolist() == ["n01", "n02"]


def test_settings_from_text():
    assert pipeline.parse_settings(["steps=10", "decay=0.5", "temperature=none", "loss=kl", "checkpointing=true"]) == {
        "steps": 10, "decay": 0.5, "temperature": None, "loss": "kl", "checkpointing": True,
    }  # fmt: skip
    assert pipeline.parse_settings(["augmentation=none"]) == {"augmentation": "none"}  # a name, not a gap
    with pytest.raises(InputError):
        pipeline.parse_settings(["steps"])
