"""Transfer of every network: known answers, the tables behind its figures, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from humalign import downstream
from humalign.chapters import generalisation, generalisation_figures, networks
from humalign.config import get_profile
from humalign.errors import InputError, MissingData
from humalign.features import shards
from humalign.plots import panels
from humalign.source import Source, open_source


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Two networks on the drawn test pictures: one whose features are the concept and superordinate, one of noise."""
    from humalign.data.types import Features

    source = open_source(get_profile("mini", cache=tmp_path))
    shown = open_source("mini").pictures("test")
    ids, concepts, kinds = np.array(shown.ids), np.array(shown.concepts), np.array(shown.meta["kind"])
    names, groups = np.unique(concepts), np.unique(kinds)
    perfect = np.c_[concepts[:, None] == names, 3 * (kinds[:, None] == groups)].astype(np.float32)
    noise = np.random.default_rng(0).normal(size=(len(ids), 20)).astype(np.float32)
    made = {"softmax-resnet-m": perfect, "softmax-vit-m": noise}

    def features(source, role, layers, models, seeds=(0,)):
        for model in models:
            order = np.random.default_rng(len(model)).permutation(len(ids))  # aligned by id, never by place
            yield Features(
                tuple(ids[order]), made[model][order], model, layers[0], "made up", "none", model, {"seed": 0}
            )

    monkeypatch.setattr(Source, "features", features)
    monkeypatch.setattr(Source, "models", lambda source, role, seed=0: list(made))
    monkeypatch.setattr(Source, "state", lambda *a, **k: "made up")
    monkeypatch.setattr(Source, "pictures", lambda source, role, side=None: shown)
    return source


def test_perfect_features_are_perfect_and_noise_is_at_chance(drawn):
    measured = generalisation.measure(drawn, shots=(1, 2), draws=2)
    shown = generalisation.points(drawn, measured, drawn.networks()).set_index(["model", "task"])
    assert (shown.loc["softmax-resnet-m", "value"] == 1).all()
    noise = shown.loc["softmax-vit-m"]
    assert (noise["value"] - noise["chance"]).abs().max() < 0.06
    assert (noise["low"] <= noise["value"]).all()
    assert (noise["value"] <= noise["high"]).all()
    curves = generalisation.curves(drawn, measured, drawn.networks())
    assert sorted(curves["shots"].unique()) == [1, 2]


def test_figures_have_a_panel_a_task_and_a_point_a_network(drawn):
    measured = generalisation.measure(drawn, shots=(1, 2), draws=2)
    shown = generalisation.points(drawn, measured, drawn.networks())
    fig = panels.strips(shown)
    drawn_points = [sum(len(c.get_offsets()) for c in ax.collections if hasattr(c, "get_sizes")) for ax in fig.axes]
    assert drawn_points == [2, 2, 2]
    assert [ax.get_title() for ax in fig.axes] == list(dict.fromkeys(shown["panel"]))
    fig = generalisation_figures.shots(generalisation.curves(drawn, measured, drawn.networks()))
    assert len(fig.axes) == 1
    fig = generalisation_figures.against_people(shown.assign(odd_one_out=np.linspace(0.3, 0.5, len(shown))))
    assert len(fig.axes) == 3


def test_breeds_learns_from_training_images_where_a_network_saw_them(tmp_path):
    """Training images whose superclasses are turned round make every answer wrong: so it is these that were learned."""
    import rehearsal

    from humalign.data import registry

    profile = get_profile("full", data=rehearsal.write(tmp_path / "data"), cache=tmp_path / "cache", device="cpu")
    groups = registry.load("tables/breeds", profile)["living17"]
    train, val = (registry.load(f"imagenet/{part}", profile) for part in ("train", "val"))
    place = {wnid: k for k, wnid in enumerate(sorted(set(val.concepts)))}
    of = {number: k for k, group in enumerate(groups) for side in ("source", "target") for number in group[side]}

    def store(model, part, shown, turn=0):
        path = profile.data / "features" / model / "imagenet" / f"{part}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        codes = [(of[place[c]] + turn) % len(groups) if place[c] in of else len(groups) for c in shown.concepts]
        np.savez(path, ids=np.array(shown.ids), penultimate=np.eye(len(groups) + 1, dtype=np.float32)[codes])

    for model, turn in (("resnet18", 0), ("resnet50", 1)):
        store(model, "val", val)
        store(model, "train", train, turn)
    store("vgg16", "val", val)
    measured = generalisation.measure(open_source(profile), (1,), 2, kinds=("shift",))
    found = measured.table[measured.table["dataset"] == "breeds/living17"].set_index(["model", "detail"])
    value = found["value"]
    assert (value["resnet18"] == 1).all()
    assert (value["resnet50"] == 0).all()
    assert (value["vgg16"] == 1).all()
    assert found["source"].groupby("model").first().to_dict() == {
        "resnet18": "training images", "resnet50": "training images", "vgg16": "validation images"}  # fmt: skip
    told = generalisation.learned_from(measured)
    assert told == "training images of ImageNet (2 networks) and validation images of ImageNet (1 networks)"
    (profile.data / "features/resnet18/imagenet/train.npz").unlink()  # without them it is another measurement
    again = generalisation.measure(open_source(profile), (1,), 2, models=["resnet18"], kinds=("shift",))
    assert set(again.table["source"]) == {"validation images"}


def test_halves_of_every_superclass_are_known():
    concepts = np.array(list("aabbccddee"))
    owner = np.array(list("xxxxyyyyyy"))
    known = downstream.half_of_each(concepts, owner)
    assert len(set(concepts[known & (owner == "x")])) == 1
    assert len(set(concepts[known & (owner == "y")])) == 1
    assert not set(concepts[known]) & set(concepts[~known])


def test_missing_data_and_profiles_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    with pytest.raises(MissingData, match="data folder"):
        generalisation.at_hand(open_source(get_profile("full", cache=tmp_path)))
    with pytest.raises(MissingData, match="slice"):
        generalisation.at_hand(open_source(get_profile("slice", data=tmp_path, cache=tmp_path)))
    with pytest.raises(MissingData, match="few-shot"):
        generalisation.curves(None, type("M", (), {"table": pd.DataFrame({"dataset": [], "detail": []})})(), None)


def test_parts_of_stored_features_are_those_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    values, ids = rng.normal(size=(5, 3)).astype(np.float32), tuple("abcde")
    np.savez(tmp_path / "mine.npz", ids=np.array(ids), penultimate=values)
    (got, whole), *rest = shards.stream(tmp_path / "mine.npz", "penultimate")
    assert (tuple(got), rest) == (ids, [])
    np.testing.assert_array_equal(whole, values)


def test_a_strange_picture_in_the_training_features_is_refused(tmp_path, monkeypatch):
    import rehearsal

    from humalign.data import registry

    root = rehearsal.write(tmp_path / "data")
    profile = get_profile("full", data=root, cache=tmp_path / "cache")
    ids = list(registry.load("imagenet/train", profile).ids)
    path = root / "features" / "resnet18" / "imagenet" / "train.npz"
    path.parent.mkdir(parents=True)
    at = generalisation.At(open_source(profile), "resnet18", (1,), 1)
    task = next(t for t in generalisation.TASKS if t.name == "imagenet-a, fitted head")
    for names, error, text in (
        (["n0_1.JPEG", *ids[1:]], InputError, "no training picture"),
        (ids[1:], MissingData, "features of"),
    ):
        np.savez(path, ids=np.array(names), penultimate=np.eye(len(names), dtype=np.float32))
        with pytest.raises(error, match=text):
            task.measure(task, at)


def _features(root, profile, model, pictures):
    """Noise in place of the penultimate features of a network, in a file of others."""
    from humalign.data import registry

    ids = list(registry.load(pictures, profile).ids)
    path = root / "features" / model / f"{pictures}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).normal(size=(len(ids), 8)).astype(np.float32)
    np.savez(path, ids=np.array(ids), penultimate=values)


def test_a_network_without_logits_has_no_own_head_and_keeps_its_other_tasks(tmp_path):
    import rehearsal

    root = rehearsal.write(tmp_path / "data")
    profile = get_profile("full", data=root, cache=tmp_path / "cache")
    _features(root, profile, "resnet18", "imagenet_a")
    with pytest.raises(MissingData, match=r"own head.*logits"):
        generalisation.measure(open_source(profile), (1,), 1)
    _features(root, profile, "resnet18", "dtd")
    source = open_source(profile)
    shown = generalisation.points(source, generalisation.measure(source, (1,), 1), source.networks())
    assert set(shown["task"]) == {"dtd", "dtd, texture"}


def test_transfer_and_people_without_a_common_network_is_one_line(monkeypatch):
    from humalign.chapters import zero_shot

    monkeypatch.setattr(zero_shot, "measure", lambda *a, **k: None)
    monkeypatch.setattr(networks, "points", lambda *a, **k: pd.DataFrame({"model": ["alexnet"]}))
    with pytest.raises(MissingData, match="THINGS, too"):
        generalisation.beside_people(None, pd.DataFrame({"model": ["resnet18"]}), None)


def test_contrasts_tell_people_from_a_good_teacher():
    from humalign.chapters.student import NAMES
    from humalign.results import Measured

    rows, draws = [], []
    for model in NAMES:
        for stage, value in (("base", 0.2), ("UnAligNet", 0.5), ("AligNet", 0.6)):
            for dataset, measure, detail in generalisation.STUDENT_TASKS.values():
                rows.append({"model": model, "stage": stage, "dataset": dataset, "measure": measure, "detail": detail,
                             "value": value, "seed": 0, "layer": "penultimate", "n": 5, "profile": "mini"})  # fmt: skip
                draws.append(np.full(20, value) + np.linspace(-0.2, 0.2, 20))  # shared noise: gone in differences
    found = generalisation.contrasts(Measured.of(rows, np.array(draws))).set_index(["task", "AligNet minus"])
    assert len(found) == 2 * len(generalisation.STUDENT_TASKS)
    for minus, value in (("base", 0.4), ("UnAligNet", 0.1)):
        part = found.xs(minus, level="AligNet minus")
        np.testing.assert_allclose(part[["value", "low", "high"]], value, atol=1e-6)
        assert part["verdict"].str.startswith("higher").all()


def test_what_is_computed_for_one_network_stays(drawn, monkeypatch):
    seen, features = [], Source.features

    def counted(source, role, layers, models, seeds=(0,)):
        seen.extend(models)
        return features(source, role, layers, models, seeds)

    monkeypatch.setattr(Source, "features", counted)
    monkeypatch.setattr(Source, "models", lambda source, role, seed=0: ["softmax-resnet-m"])
    generalisation.measure(drawn, shots=(1,), draws=1)
    monkeypatch.setattr(Source, "models", lambda source, role, seed=0: ["softmax-resnet-m", "softmax-vit-m"])
    first = len(seen)
    generalisation.measure(drawn, shots=(1,), draws=1)
    assert first == 3
    assert seen[first:] == 3 * ["softmax-vit-m"]
