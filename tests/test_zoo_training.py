"""Objectives fall and obey their formulas; training resumes and repeats itself; the recorded weights are whole."""

import itertools
import json

import numpy as np
import pytest
import torch

from humalign.data.types import Stimuli
from humalign.errors import InputError, MissingData
from humalign.features import extract
from humalign.store import load_arrays, sha256
from humalign.world import augment, fitting, objectives
from humalign.zoo import architectures, facts, small

WEIGHTS = sorted(small.weights_folder().glob("*.safetensors"))


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def features(network, images, layer="penultimate"):
    pictures = Stimuli(tuple(map(str, range(len(images)))), "s", "l", images=images)
    return extract(small.model(network), pictures, layer, device="cpu")[layer].values


def toy(n=256, classes=4, seed=0):
    """Images whose class is the colour of a square at a random place."""
    rng = np.random.default_rng(seed)
    colours = np.array([[220, 40, 40], [40, 200, 60], [50, 60, 220], [230, 210, 60]])[:classes]
    images = rng.integers(60, 120, (n, 3, 32, 32))
    label = rng.integers(0, classes, n)
    for image, k in zip(images, label):
        x, y = rng.integers(2, 16, 2)
        image[:, y : y + 12, x : x + 12] = colours[k][:, None, None]
    return torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(label)


def targets_for(name, label):
    if name == "image/text":
        return torch.stack([label + 1, torch.zeros_like(label)], 1)
    return label


@pytest.mark.parametrize("name", [n for n in objectives.OBJECTIVES if n != "none"])
def test_every_objective_is_finite_and_falls(name):
    images, label = toy(128)
    torch.manual_seed(0)
    body, width = architectures.encoder("resnet-s")
    made = objectives.make(name, width, 5 if name == "image/text" else 4)
    made.batch = 64
    losses = fitting.fit(body, made, images, targets_for(name, label), epochs=6, lr=4e-3)
    assert np.isfinite(losses).all()
    late = losses[-1] if name != "moco v2" else losses[-1] - np.log(2)  # the queue fills with harder keys at first
    assert late < losses[0]
    with torch.no_grad():
        features = body.eval()(augment.scaled(images))
    assert features.shape == (128, width)
    assert features.std(0).max() > 1e-3


@pytest.mark.parametrize("kind", ["mixup", "automatic"])
def test_augmentations_of_labels_train(kind):
    images, label = toy(128)
    body, width = architectures.encoder("resnet-s")
    made = objectives.make("softmax", width, 4, augmentation=kind)
    losses = fitting.fit(body, made, images, label, epochs=4, lr=4e-3)
    assert losses[-1] < losses[0]


def test_logit_norm_and_cosine_softmax():
    logits = torch.randn(5, 7)
    assert torch.allclose(objectives.logit_norm(logits).norm(dim=1), torch.full((5,), 10.0))
    assert torch.allclose(objectives.logit_norm(3 * logits), objectives.logit_norm(logits), atol=1e-5)
    head = architectures.CosineHead(6, 4, 0.1)
    x = torch.randn(3, 6)
    want = torch.nn.functional.cosine_similarity(x[:, None], head.weight[None], dim=2) / 0.1
    assert torch.allclose(head(x), want, atol=1e-5)
    assert torch.allclose(head(5 * x), head(x), atol=1e-4)


def test_squared_error_is_zero_at_its_target_only():
    target = torch.eye(4)
    assert objectives.squared_error(5 * target, target) == 0
    assert objectives.squared_error(torch.zeros(4, 4), target) == pytest.approx(10 * 25 / 4)
    assert objectives.squared_error(5 * target + 1 - target, target) == pytest.approx(3 / 4)


def test_nt_xent_matches_a_loop():
    a, b = torch.randn(4, 3), torch.randn(4, 3)
    z = torch.nn.functional.normalize(torch.cat([a, b]), dim=1).numpy()
    total = 0.0
    for i in range(8):
        s = z @ z[i] / 0.2
        total += np.log(np.exp(np.delete(s, i)).sum()) - s[(i + 4) % 8]
    assert float(objectives.nt_xent(a, b)) == pytest.approx(total / 8, rel=1e-5)


def test_barlow_and_vicreg_closed_forms():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(64, 8)) - 0)[0]
    q = q - q.mean(0)
    q = torch.from_numpy(np.linalg.qr(q)[0] * 8).float()  # centred, uncorrelated, unit variance
    assert float(objectives.barlow(q, q)) == pytest.approx(0, abs=1e-4)
    assert float(objectives.barlow(q, -q)) == pytest.approx(8 * 4, rel=1e-3)
    same = q[:, :1].expand(64, 8)
    assert float(objectives.barlow(same, same)) == pytest.approx(0.01 * 56, rel=1e-3)
    assert float(objectives.vicreg(2 * q, 2 * q)) == pytest.approx(0, abs=1e-4)
    assert float(objectives.vicreg(torch.zeros(64, 8), torch.zeros(64, 8))) == pytest.approx(25 * (1 - 0.01), rel=1e-4)
    assert float(objectives.vicreg(2 * q, 2 * q + 1)) == pytest.approx(25, rel=1e-4)


def test_sinkhorn_balances_the_codes():
    codes = objectives.sinkhorn(torch.randn(60, 6) * 0.2, rounds=50)
    assert torch.allclose(codes.sum(1), torch.ones(60), atol=1e-4)
    assert torch.allclose(codes.sum(0), torch.full((6,), 10.0), rtol=1e-2)


def test_moco_queue_holds_the_newest_keys_and_the_copy_moves_slowly():
    torch.manual_seed(0)
    made = objectives.make("moco v2", 5, 0)
    body = torch.nn.Linear(3, 5)
    made.prepare(body)
    keys = torch.nn.functional.normalize(torch.randn(10, 64), dim=1)
    loss = made.of(keys, keys)
    assert float(loss) < np.log(made.size)
    assert torch.equal(made.queue[:10], keys)
    assert int(made.at) == 10
    before = made.keys[0].weight.clone()
    with torch.no_grad():
        body.weight.add_(1.0)
    made.after_step(body, 0.5)
    assert torch.allclose(made.keys[0].weight - before, torch.full_like(before, 1 - made.momentum), atol=1e-5)


def test_rotations_and_jigsaw_are_told_right():
    images = augment.scaled(toy(64)[0])
    lots = torch.Generator().manual_seed(1)
    turned, turns = augment.rotate(images, lots)
    assert len(turned) == 4 * 64
    assert turns.bincount().tolist() == [64] * 4
    for k in range(4 * 64):
        assert torch.equal(torch.rot90(images[k % 64], int(turns[k]), (1, 2)), turned[k])
    assert {tuple(o) for o in augment.TILE_ORDERS.tolist()} == set(itertools.permutations(range(4)))
    flat = torch.arange(4.0).reshape(1, 1, 2, 2).repeat_interleave(16, 2).repeat_interleave(16, 3).expand(64, 3, 32, 32)
    mixed, order = augment.jigsaw(flat, lots)
    corners = mixed[:, 0, 8::16, 8::16].reshape(64, 4)
    assert torch.equal(corners, augment.TILE_ORDERS[order].float())


def test_shift_and_flip_moves_whole_images():
    images = torch.arange(32, dtype=torch.uint8).expand(200, 3, 32, 32)
    moved = augment.shift_and_flip(images, torch.Generator().manual_seed(0))
    centre = moved[:, 0, 16, 10:20].int()
    step = centre.diff(dim=1)
    assert set(step.unique().tolist()) == {-1, 1}
    assert (step == step[:, :1]).all()
    middle = torch.where(step[:, 0] > 0, centre[:, 0] - 10, 31 - centre[:, 0] - 10)
    assert middle.abs().max() == 3


def test_one_cycle_rises_then_falls_to_almost_nothing():
    rates = [fitting.one_cycle(k, 100, 1.0) for k in range(100)]
    assert rates[0] == pytest.approx(1 / 25)
    assert int(np.argmax(rates)) == 20
    assert max(rates) == 1
    assert rates[-1] < 1e-2
    assert all(np.diff(rates[20:]) < 0)


@pytest.mark.parametrize("name", ["dropout", "moco v2", "swav", "image/text"])
def test_interrupted_and_resumed_equals_uninterrupted(name, tmp_path):
    images, label = toy(128)
    label = targets_for(name, label)

    def fresh():
        torch.manual_seed(3)
        body, width = architectures.encoder("resnet-s")
        made = objectives.make(name, width, 5)
        made.batch = 64
        return body, made

    whole, made = fresh()
    losses = fitting.fit(whole, made, images, label, epochs=3, lr=4e-3, seed=5)
    file = tmp_path / "partial.safetensors"
    body, made = fresh()
    settings = {"epochs": 3, "lr": 4e-3, "seed": 5, "checkpoint": file, "key": "k"}
    assert fitting.fit(body, made, images, label, stop_after=1, **settings) is None
    before, timing = load_arrays(file)[1], {}
    body, made = fresh()
    assert fitting.fit(body, made, images, label, timing=timing, **settings) == losses
    assert timing["seconds"] >= before["seconds"] > 0
    for (key, a), b in zip(whole.state_dict().items(), body.state_dict().values()):
        assert torch.equal(a, b), key
    body, made = fresh()
    assert len(fitting.fit(body, made, images, label, **{**settings, "key": "other"})) == 3  # not its checkpoint


def test_the_same_seed_gives_the_same_network_and_another_another():
    images, label = toy(128)

    def run(seed):
        torch.manual_seed(seed)
        body, width = architectures.encoder("vit-s")
        fitting.fit(body, objectives.make("softmax", width, 4), images, label, epochs=2, lr=2e-3, seed=seed)
        return body(augment.scaled(images[:4])).detach()

    assert torch.equal(run(0), run(0))
    assert not torch.allclose(run(0), run(1), atol=1e-2)


def test_enough_is_a_share_of_the_fall():
    assert fitting.enough([4.0, 1.05], [4.0, 1.0])
    assert not fitting.enough([4.0, 1.4], [4.0, 1.0])


def test_linear_probe_finds_separable_classes_and_only_those():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 10)) + 6 * np.eye(10)[label]
    assert fitting.linear_probe(x[:200], label[:200], x[200:], label[200:]) > 0.97
    assert fitting.linear_probe(x[:200, 3:], label[:200], x[200:, 3:], label[200:]) < 0.6


@pytest.mark.parametrize("arch", list(architectures.ARCHITECTURES))
def test_architectures_build_and_name_their_layers(arch):
    network = architectures.build(arch, 7).eval()
    assert list(dict(network.named_children())) == ["encoder", "penultimate", "logits"]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    wide = features(network, images)
    assert wide.shape[0] == 2
    assert wide.dtype == np.float32
    assert features(network, images, "logits").shape == (2, 7)
    assert sum(p.numel() for p in network.parameters()) < 500_000


def test_the_list_varies_each_factor_alone():
    zoo = list(small.zoo().values())
    base = small.spec("softmax-resnet-m")
    same = [z for z in zoo if z["arch"] == "resnet-m" and z["data"] == "concepts"]
    assert len({(z["objective"], z["augmentation"]) for z in same}) == len(same) == 11
    assert all(z["epochs"] == base["epochs"] for z in same)
    assert all(z["epochs"] == 0 for z in zoo if z["group"] == "Untrained")
    plain = [z for z in zoo if (z["objective"], z["augmentation"], z["data"]) == ("softmax", "standard", "concepts")]
    assert len({z["family"] for z in plain}) >= 8
    sizes = {f: {z["size"] for z in plain if z["family"] == f} for f in {z["family"] for z in plain}}
    assert sum(len(s) >= 3 for s in sizes.values()) >= 4
    assert len({z["objective"] for z in zoo if z["group"] == "Self-Supervised"}) == 7
    pairs = {(z["arch"], z["data"]) for z in zoo if z["group"] == "Image/Text"}
    assert {(a, d) for a in ("resnet-m", "vit-m") for d in ("captions", "captions-web")} <= pairs
    for data in ("taxonomy", "web", "coarse"):
        assert {z["arch"] for z in zoo if z["data"] == data} >= {"resnet-m", "vit-m", "vgg-m"}


def test_bad_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="nonesuch"):
        small.spec("nonesuch")
    with pytest.raises(InputError, match="architecture"):
        architectures.build("nonesuch")
    with pytest.raises(InputError, match="objective"):
        objectives.make("nonesuch", 3, 3)
    with pytest.raises(InputError, match="no logits layer"):
        features(architectures.build("resnet-s"), np.zeros((1, 32, 32, 3), np.uint8), "logits")
    from humalign.config import Profile

    with pytest.raises(MissingData, match="world train"):
        small.load("softmax-resnet-m", seed=99, profile=Profile(cache=tmp_path))


# ---- what is recorded ------------------------------------------------------------------------------------------------


def test_all_weights_take_at_most_25_megabytes():
    assert WEIGHTS, "no weights come with the package"
    assert sum(f.stat().st_size for f in WEIGHTS) <= 25e6


def test_weights_match_their_side_cars_the_list_and_the_table():
    runs = small.records().set_index(["model", "seed"])
    for file in WEIGHTS:
        meta = json.loads(file.with_name(file.name + ".json").read_text("utf8"))
        assert meta["sha256"] == sha256(file), file.name
        if meta.get("model") not in small.zoo():
            continue
        assert file.name == f"{meta['model']}.s{meta['seed']}.safetensors"
        entry = small.spec(meta["model"])
        for fact in ("arch", "objective", "data", "augmentation", "epochs"):
            assert meta[fact] == entry[fact], f"{file.name}: {fact}; train it again"
        assert len(meta["losses"]) == meta["epochs"]
        assert runs.loc[(meta["model"], meta["seed"]), "sha256"] == meta["sha256"]


def test_every_recorded_network_loads_and_its_table_row_is_filled():
    table = facts.table("mini").set_index("model")
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    recorded = [name for name, row in table.iterrows() if "0" in row["seeds"].split()]
    assert recorded
    for name in recorded:
        network = small.trained(name)
        values = features(network, images)
        assert np.isfinite(values).all()
        assert values.std(0).max() > 0
        assert bool(table.loc[name, "logits"]) == hasattr(network, "logits")
        assert table.loc[name, "parameters"] > 1e4


def test_recorded_accuracy_is_that_of_the_recorded_weights():
    from humalign.world import splits, stimuli

    name = "softmax-resnet-m"
    meta = load_arrays(small.weights_path(name))[1]
    assert meta["world"] == stimuli.drawings_digest(), "the weights belong to another world"
    seen = sorted(splits.concepts_of("seen"))
    ids = [f"{c}/test{k}" for c in seen for k in range(4)]
    pixels, _ = stimuli.draw_ids(ids, 32, workers=1, progress=False)
    logits = features(small.trained(name), pixels, "logits")
    hits = np.array(seen)[logits.argmax(1)] == np.repeat(seen, 4)
    p = meta["own_accuracy"]
    assert abs(hits.mean() - p) < 4 * np.sqrt(p * (1 - p) / len(ids))
