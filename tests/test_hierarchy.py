"""Distances along the hierarchy: known changes are found, relations are the finest shared level."""

import numpy as np
import pytest

from humalign import hierarchy
from humalign.errors import InputError

CONCEPT = np.repeat(np.arange(8), 4)
SUPER = CONCEPT // 2
TOP = CONCEPT // 4


def features(concept, sup, top, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    parts = [
        concept * rng.standard_normal((8, 30))[CONCEPT],
        sup * rng.standard_normal((4, 30))[SUPER],
        top * rng.standard_normal((2, 30))[TOP],
        noise * rng.standard_normal((32, 30)),
    ]
    return sum(parts)


def test_relations():
    kind = hierarchy.relations(CONCEPT, SUPER, TOP)
    assert kind[0, [1, 4, 8, 16]].tolist() == [0, 1, 2, 3]
    assert (kind == kind.T).all()
    with pytest.raises(InputError):
        hierarchy.relations()


def test_pulling_superordinates_together_shows_as_such():
    base, aligned = features(1, 0.2, 0.2), features(0.4, 1, 1)
    changes = hierarchy.distance_change(base, aligned, [CONCEPT, SUPER, TOP])
    assert len(changes) == 32 * 31 // 2
    mean = changes.groupby("relation", observed=True)["change"].mean()
    assert mean["same superordinate"] < 0 < mean["different"]


def test_nothing_changes_for_a_rescaled_rotation():
    base = features(1, 1, 1)
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((30, 30)))
    for scale in ("mean", "z"):
        change = hierarchy.distance_change(base, 5 * base @ turn, [CONCEPT, SUPER], scale=scale, metric="euclidean")[
            "change"
        ]
        assert np.abs(change).max() < 1e-4
    with pytest.raises(InputError):
        hierarchy.relative_distances(base, scale="other")


def test_model_similarity_and_components():
    base = features(1, 1, 1)
    table = hierarchy.model_similarity(
        {"a": base, "b": base * 2, "c": np.random.default_rng(3).standard_normal((32, 30))}
    )
    assert table.loc["a", "b"] == pytest.approx(1)
    assert table.loc["a", "c"] < 0.3
    scores = hierarchy.principal_components(base)
    assert scores.shape == (32, 2)
    np.testing.assert_allclose(scores.T @ scores, np.diag(np.diag(scores.T @ scores)), atol=1e-8)
