"""Students and their training: exact resume, two processes equal one, what the labels do."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from humalign.alignet import dataset, sampling
from humalign.alignet.batches import FileBatches, PoolBatches
from humalign.alignet.images import Pictures
from humalign.alignet.settings import PRESETS, Settings, preset
from humalign.alignet.student import Student, load_student
from humalign.alignet.training import Trainer, batch_similarities
from humalign.data.alignet import TripletFile
from humalign.errors import InputError
from humalign.store import load_arrays
from humalign.zoo import Model, Preprocess, load

M = 40


def small_tower(norm=False, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6) if norm else nn.Identity(), nn.GELU(), nn.Dropout(dropout)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(54, 5))
    seen = Preprocess(size=8, resize=8, mean=(0.5,) * 3, std=(0.25,) * 3)
    return Model("test", network, seen, {}, frozen=False)


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (M, 8, 8, 3), dtype=np.uint8)
    values = rng.normal(size=(M, 4)).astype(np.float32) * 2
    return Pictures([f"{i}.png" for i in range(M)], pixels, 8), values, sampling.Groups(np.arange(M) % 8)


@pytest.fixture
def file(world, tmp_path):
    pictures, values, groups = world
    path = dataset.write_triplets(tmp_path / "t.npz", 50, "cluster_border", values, pictures.ids, groups)
    return TripletFile.read(path)


SMALL = Settings(steps=6, warmup=2, batch=10, lr=0.01, head=7, temperature=2.0, checkpoint_every=0, checkpoints_kept=2)


def run(world, settings, folder=None, stop=None, source=None, norm=False, dropout=0.0):
    pictures, values, groups = world
    if source is not None:
        batches = FileBatches(source, pictures, settings.steps, settings.batch, settings.seed, settings.augmentation)
    else:
        batches = PoolBatches(
            values,
            pictures,
            settings.steps,
            settings.batch,
            "mixed",
            groups,
            20,
            values,
            settings.seed,
            settings.augmentation,
        )
    student = Student(small_tower(norm, dropout), settings.head, settings.input, settings.seed)
    trainer = Trainer(student, batches, settings, folder)
    if folder:
        trainer.resume()
    return trainer.run(stop)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.student.arrays().values(), b.student.arrays().values()))


# ---------------------------------------------------------------------------------------------- settings


def test_the_default_is_the_human_aligned_setting_of_the_paper():
    s = Settings()
    assert s.teacher == "human-aligned"
    assert all(p.teacher == "human-aligned" for p in PRESETS.values())
    assert (s.loss, s.temperature, s.head, s.steps, s.warmup, s.batch) == ("jsd", 100.0, 1024, 100_000, 5_000, 512)
    assert (s.lr, s.beta1, s.beta2, s.eps, s.decay, s.towards, s.seed) == (3e-5, 0.9, 0.999, 1e-8, 1.0, "start", 42)
    assert (s.input, s.augmentation, s.similarity, s.checkpoint_every, s.checkpoints_kept) == (
        "unit",
        "none",
        "dot",
        10_000,
        3,
    )


def test_settings_refuse_nonsense():
    for bad in ({"loss": "mse"}, {"temperature": 0.0}, {"steps": 0}, {"decay": -1.0}, {"towards": "nowhere"}):
        with pytest.raises(InputError):
            Settings(**bad)
    assert preset("mini", steps=100).warmup == 5
    with pytest.raises(InputError):
        preset("maxi")


# ---------------------------------------------------------------------------------------------- batches


def test_file_batches_match_names_and_cover_every_row(world, file):
    pictures, values, _ = world
    batches = FileBatches(file, pictures, 10, 10)
    gram = values @ values.T
    seen = []
    for step in range(5):
        b = batches.whole(step)
        pixels = pictures.pixels(np.arange(M)).flatten(1)
        rows = torch.cdist(b.pixels.flatten(1), pixels).argmin(1).numpy()[b.triplets.numpy()]
        np.testing.assert_allclose(b.targets[:, 0], gram[rows[:, 0], rows[:, 1]], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(b.targets[:, 2], gram[rows[:, 1], rows[:, 2]], rtol=1e-4, atol=1e-4)
        seen += [tuple(r) for r in rows]
    assert sorted(seen) == sorted(map(tuple, np.asarray(file.indices)))  # one epoch = every row once
    assert not torch.equal(batches.whole(0).targets, batches.whole(5).targets)  # another order in the next


def test_shares_of_processes_make_the_whole(world, file):
    batches = FileBatches(file, world[0], 4, 10)
    whole = batches.whole(1)
    parts = [batches.make(1, rank, 2) for rank in range(2)]
    torch.testing.assert_close(torch.cat([p.targets for p in parts]), whole.targets)
    with pytest.raises(InputError):
        batches.make(0, 0, 3)


def mirrored(pixels, seed):
    """What one process has always done with the pictures of a step."""
    generator = np.random.default_rng(seed)
    flip = torch.from_numpy(generator.random(len(pixels)) < 0.5)
    down, right = generator.integers(-2, 3, size=2).tolist()
    return torch.roll(torch.where(flip[:, None, None, None], pixels.flip(3), pixels), (down, right), (2, 3))


def digest_of(batches):
    return hashlib.sha256(b"".join(b.pixels.contiguous().mul(255).round().byte().numpy().tobytes() for b in batches))


@pytest.mark.parametrize("pool", [False, True])
def test_augmentation_of_one_process_stays_what_recorded_runs_used(world, file, pool):
    pictures, values, groups = world
    if pool:
        batches = PoolBatches(values, pictures, 4, 12, "mixed", groups, 50, seed=3, augmentation="flip-shift")
    else:
        batches = FileBatches(file, pictures, 4, 10, 42, "flip-shift")
    for step in range(4):
        assert torch.equal(batches[step].pixels, mirrored(batches.whole(step).pixels, [3 if pool else 42, step, 1]))
    golden = "5114be3c20d650b6" if pool else "7b3c893096ff9e4b"  # computed before the step was shared between processes
    assert digest_of(batches[s] for s in range(4)).hexdigest()[:16] == golden


@pytest.mark.parametrize("augmentation", ["none", "flip-shift"])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("n_processes", [2, 5])
def test_processes_see_the_pictures_of_one(world, file, pool, augmentation, n_processes):
    """Triplet by triplet, the pictures of all shares are those that one process alone sees, to the bit."""
    pictures, values, groups = world
    if pool:
        batches = PoolBatches(values, pictures, 4, 12, "mixed", groups, 50, seed=3, augmentation=augmentation)
    else:
        batches = FileBatches(file, pictures, 4, 10, 42, augmentation)
    for step in range(4):
        one = batches.make(step, 0, 1)
        parts = [batches.make(step, rank, n_processes) for rank in range(n_processes)]
        assert torch.equal(torch.cat([p.pixels[p.triplets] for p in parts]), one.pixels[one.triplets])
        assert torch.equal(torch.cat([p.targets for p in parts]), one.targets)
        assert all(len(p.pixels) == len(p.triplets.unique()) for p in parts)  # no picture that it does not need


def test_pool_batches_label_with_the_teacher(world):
    pictures, values, groups = world
    batches = PoolBatches(values, pictures, 3, 12, "mixed", groups, 50, values)
    b = batches.whole(0)
    z = b.reference
    t = b.triplets
    expected = torch.stack([(z[t[:, i]] * z[t[:, j]]).sum(1) for i, j in ((0, 1), (0, 2), (1, 2))], 1)
    torch.testing.assert_close(b.targets, expected, rtol=1e-4, atol=1e-5)
    assert len(b.pixels) == 12
    assert (t[:, 0] != t[:, 1]).all()
    with pytest.raises(InputError):
        PoolBatches(values, pictures, 3, 12, "within_class", groups)
    with pytest.raises(InputError):
        PoolBatches(values[:-1], pictures, 3, 12, "random")


def test_similarities_of_triplets_agree_both_ways():
    v, t = torch.randn(6, 4), torch.tensor([[0, 1, 2], [3, 5, 4]])
    many = batch_similarities(v, t.repeat(10, 1))[:2]
    torch.testing.assert_close(batch_similarities(v, t), many)
    torch.testing.assert_close(many[0], torch.stack([v[0] @ v[1], v[0] @ v[2], v[1] @ v[2]]))


# ---------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("loss", ["kl", "jsd", "contrastive"])
def test_training_lowers_each_loss(world, file, loss):
    out = run(
        world,
        Settings(steps=150, warmup=5, batch=25, lr=0.01, decay=0.0, head=16, temperature=1.0, loss=loss),
        source=file,
    )
    values = [row["loss"] for row in out.log]
    assert np.mean(values[-10:]) < 0.6 * np.mean(values[:10])
    assert out.finished


@pytest.mark.parametrize(("pool", "dropout"), [(False, 0.0), (True, 0.3)])
def test_resumed_training_is_exactly_the_uninterrupted_one(world, file, tmp_path, pool, dropout):
    s = SMALL.with_(local=0.1 if pool else 0.0, augmentation="flip-shift" if pool else "none", temperature=None)
    source = None if pool else file
    straight = run(world, s, tmp_path / "a", source=source, norm=pool, dropout=dropout)
    half = run(world, s, tmp_path / "b", stop=3, source=source, norm=pool, dropout=dropout)
    assert (half.step, half.finished) == (3, False)
    torch.manual_seed(77)  # the state of the global generator must not matter
    rest = run(world, s, tmp_path / "b", source=source, norm=pool, dropout=dropout)
    assert same(straight, rest)
    assert straight.log == rest.log
    assert straight.temperature == rest.temperature
    assert (tmp_path / "a" / "log.csv").read_text() == (tmp_path / "b" / "log.csv").read_text()


def test_damaged_checkpoint_falls_back_and_a_foreign_one_is_refused(world, file, tmp_path):
    s = SMALL.with_(checkpoint_every=2)
    whole = run(world, s, tmp_path / "a", stop=4, source=file)
    newest = sorted((tmp_path / "a").glob("step-*.safetensors"))[-1]
    newest.write_bytes(b"cut off")
    again = run(world, s, tmp_path / "a", stop=4, source=file)
    assert same(whole, again)
    with pytest.raises(InputError, match="other settings"):
        run(world, s.with_(lr=0.02), tmp_path / "a", source=file)
    assert len(list((tmp_path / "a").glob("step-*.safetensors"))) <= s.checkpoints_kept


def test_interruption_keeps_what_was_done(world, file, tmp_path):
    pictures = world[0]
    batches = FileBatches(file, pictures, SMALL.steps, SMALL.batch, SMALL.seed)
    trainer = Trainer(Student(small_tower(), SMALL.head), batches, SMALL, tmp_path)

    def stop(step, loss):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(progress=stop)
    assert same(run(world, SMALL, tmp_path, source=file), run(world, SMALL, source=file))


def test_readers_in_other_processes_change_nothing(world, file):
    pictures = world[0]
    outs = []
    for workers in (0, 1):
        batches = FileBatches(file, pictures, SMALL.steps, SMALL.batch, SMALL.seed)
        outs.append(Trainer(Student(small_tower(), SMALL.head), batches, SMALL, workers=workers).run())
    assert same(*outs)


def test_frozen_batch_norm_keeps_its_statistics(world):
    for mode, moved in (("frozen", False), ("train", True)):
        s = SMALL.with_(batch_norm=mode, batch=12)
        before = small_tower(norm=True).module[1].running_mean.clone()
        after = run(world, s, norm=True).student.tower[1].running_mean
        assert torch.equal(before, after) != moved


def test_strong_decay_caps_the_change(world, file):
    free = run(world, SMALL.with_(steps=60, decay=0.0, lr=0.05), source=file)
    held = run(world, SMALL.with_(steps=60, decay=10.0, lr=0.05), source=file)
    assert held.displacement < 0.5 * free.displacement


def test_bfloat16_stays_close(world, file):
    a, b = (run(world, SMALL.with_(precision=p), source=file) for p in ("float32", "bfloat16"))
    assert abs(a.log[-1]["loss"] - b.log[-1]["loss"]) < 0.05 * a.log[-1]["loss"]
    assert a.log[-1]["loss"] != b.log[-1]["loss"]


def test_input_range_and_head(world):
    student = Student(small_tower(), 0, "native")
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(student.features(x), student.tower((x - 0.5) / 0.25))
    torch.testing.assert_close(student(x)[1], student.features(x))  # without a head the features are the logits
    unit = Student(small_tower(), 4, "unit")
    torch.testing.assert_close(unit.features(x), unit.tower(x))
    assert unit(x)[1].shape == (2, 4)
    assert unit.head.weight.std().item() == pytest.approx(5**-0.5, rel=0.5)


def test_timm_student_checkpointing_and_round_trip(tmp_path):
    small = load("timm:test_vit", pretrained=False, head=False)
    student = Student(small, 8)
    student.eval()
    x = torch.rand(2, 3, student.side, student.side)
    before = student(x)[1]
    student.save(tmp_path / "student.safetensors")
    torch.testing.assert_close(load_student(tmp_path)(x)[1], before)
    student.train()
    plain = student(x)[1].sum()
    gradient = torch.autograd.grad(plain, student.head.weight)[0]
    student.set_checkpointing()
    again = torch.autograd.grad(student(x)[1].sum(), student.head.weight)[0]
    torch.testing.assert_close(gradient, again)


def test_unknown_towers_are_refused():
    for name in ("resnett50", "timm:no_such_model", "open_clip:none/none", "mini:no-such", "mini:softmax-vit-s:x"):
        with pytest.raises(InputError):
            load(name, pretrained=False, head=False)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0", "mini:cosine-softmax-resnet-m"])
def test_a_student_gives_the_penultimate_layer_of_the_network(name):
    """Without its head a network gives what the ordinary extraction records, from the same pixels."""
    from humalign.data.types import Stimuli
    from humalign.features import extract

    whole = load(name, pretrained=name.startswith("mini:"), seed=0)
    side = whole.preprocess.size
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    whole.preprocess = whole.preprocess.with_(resize=side)
    found = extract(whole, Stimuli(("a", "b", "c"), "s", "l", images=pixels), device="cpu")["penultimate"].values
    student = Student(load(name, pretrained=name.startswith("mini:"), seed=0, head=False), 0, "native").eval()
    assert all(p.requires_grad for p in student.parameters())
    assert student.facts["width"] == found.shape[1]
    with torch.no_grad():
        own = student.features(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255).numpy()
    np.testing.assert_allclose(own, found, rtol=1e-3, atol=1e-4 * np.abs(found).max())


PROGRAM = """
    import json, sys
    sys.path.insert(0, {tests!r})
    import numpy as np, torch
    torch.set_num_threads(1)
    from test_alignet_training import *
    rng = np.random.default_rng(0)
    pictures = Pictures([f"{{i}}.png" for i in range(M)], rng.integers(0, 255, (M, 8, 8, 3), dtype=np.uint8), 8)
    file = TripletFile.read({path!r})
    from humalign.alignet.training import Processes
    group = Processes.join("cpu")
    s = SMALL.with_(steps=4, warmup=1, augmentation={augmentation!r})
    batches = FileBatches(file, pictures, s.steps, s.batch, s.seed, s.augmentation)
    out = Trainer(Student(small_tower(), s.head), batches, s, {folder!r}, group).run()
    if group.rank == 0:
        open({result!r}, "w").write(json.dumps([row["loss"] for row in out.log]))
    group.leave()
"""


@pytest.mark.parametrize("augmentation", ["none", "flip-shift"])
def test_two_processes_equal_one(world, file, tmp_path, augmentation):
    """Two gloo processes, started with the variables that torchrun sets: the same losses and weights as one process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program, result = tmp_path / "program.py", tmp_path / "losses.json"
    program.write_text(
        textwrap.dedent(PROGRAM).format(
            tests=os.path.dirname(__file__),
            path=str(file.path),
            folder=str(tmp_path / "two"),
            result=str(result),
            augmentation=augmentation,
        )
    )
    common = {**os.environ, "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(program)], stderr=subprocess.PIPE, text=True,
            env={**common, "MASTER_PORT": str(port), "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    settings = SMALL.with_(steps=4, warmup=1, augmentation=augmentation)
    one = run(world, settings, tmp_path / "one", source=file)
    for process in ranks:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-2000:]
    np.testing.assert_allclose(json.loads(result.read_text()), [row["loss"] for row in one.log], rtol=1e-5)
    two = load_arrays(tmp_path / "two" / "student.safetensors")[0]
    for name, value in one.student.arrays().items():
        np.testing.assert_allclose(two[name], value, atol=2e-5)
