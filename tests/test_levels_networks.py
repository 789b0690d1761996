"""Every network on the Levels triplets: a known answer, blocks that change nothing, and the row of each panel."""

import numpy as np
import pytest

from humalign import odd_one_out
from humalign.chapters import levels
from humalign.config import get_profile
from humalign.similarity import similarity_matrix
from humalign.source import Source, open_source


def test_blocks_give_what_one_matrix_gives(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 5))
    triplets = np.array([rng.permutation(40)[:3] for _ in range(300)])
    similarity = similarity_matrix(values, "cosine")
    monkeypatch.setattr(levels, "BLOCK", 37)
    chosen, doubt = levels.choices(values, triplets, 10.0)
    np.testing.assert_array_equal(chosen, odd_one_out.choices(similarity, triplets))
    expected = odd_one_out.entropy(odd_one_out.probabilities(similarity, triplets, 0.1))
    np.testing.assert_allclose(doubt, expected, atol=1e-6)


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A network that sees what people see, and one of noise."""
    from humalign.data.types import Features
    from humalign.world import observers
    from humalign.world.stimuli import split_ids

    ids = split_ids("test")
    made = {
        "softmax-resnet-m": observers.values(ids),
        "softmax-vit-m": np.random.default_rng(0).normal(size=(len(ids), 20)),
    }

    def features(source, role, layers, models, seeds):
        assert (role, layers) == ("levels", ("penultimate",))
        for model in models:
            values = made[model]
            yield Features(
                tuple(ids), values.astype(np.float32), model, layers[0], "made up", "none", model, {"seed": 0}
            )

    monkeypatch.setattr(Source, "features", features)
    monkeypatch.setattr(Source, "models", lambda source, role, seed=0: list(made))
    monkeypatch.setattr(Source, "state", lambda *a, **k: "made up")
    return open_source(get_profile("mini", cache=tmp_path))


def test_eyes_of_people_are_better_than_noise_and_noise_is_at_chance(drawn):
    measured = levels.measure(drawn)
    told = drawn.networks(), levels.people_summary(drawn), levels.judged(drawn)[1]
    shown = levels.by_level(measured, *told)
    assert shown["panel"].drop_duplicates().tolist() == ["coarse", "fine", "boundary"]
    eyes, noise = (shown[shown["model"] == m].set_index("panel") for m in ("softmax-resnet-m", "softmax-vit-m"))
    assert (eyes["value"] > noise["value"] + 0.1).all()
    assert ((noise["low"] <= noise["chance"]) & (noise["chance"] <= noise["high"])).all()
    assert (shown["chance"] < shown["limit"]).all()
    times = levels.by_level(measured, *told, "entropy-time")
    assert (times["chance"] == 0).all()
    assert (times.loc[times["model"] == "softmax-resnet-m", "low"] > 0).all()
