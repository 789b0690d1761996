"""Concept analyses against loops and data with known answers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from humalign import concepts, odd_one_out, rsa
from humalign.errors import InputError

RNG = np.random.default_rng(0)
EMBEDDING = RNG.gamma(0.5, 1, (50, 6))
TRIPLETS = np.argsort(RNG.random((4000, 50)), axis=1)[:, :3]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_attribution_equals_a_loop(k, seed):
    rng = np.random.default_rng(seed)
    embedding = rng.integers(0, 4, (8, 5)).astype(float)  # many ties
    triplets = np.array([rng.permutation(8)[:3] for _ in range(40)])
    expected = [sorted(range(5), key=lambda d: -(embedding[i, d] + embedding[j, d]) / 2)[:k] for i, j, _ in triplets]
    for values in (embedding, torch.tensor(embedding)):
        out = np.asarray(concepts.attribute(triplets, values, k))
        assert out.shape == ((40,) if k == 1 else (40, k))
        np.testing.assert_array_equal(out.reshape(40, k), expected)


def test_recovered_triplets_are_those_predicted():
    s = EMBEDDING @ EMBEDDING.T
    mask = concepts.recovered(s, TRIPLETS)
    assert mask.mean() == odd_one_out.accuracy(s, TRIPLETS)
    assert odd_one_out.accuracy(s, TRIPLETS[mask]) == 1


def test_regression_equals_scikit_learn_dimension_by_dimension():
    x = EMBEDDING @ RNG.standard_normal((6, 20)) + 0.5 * RNG.standard_normal((50, 20))
    r2, predictions, task = concepts.regress_dimensions(x, EMBEDDING, TRIPLETS, names=list("abcdef"))
    folds = list(KFold(5, shuffle=True, random_state=42).split(x))
    for d in range(6):
        for fold, (train, test) in enumerate(folds):
            model = RidgeCV(alphas=concepts.ALPHAS).fit(x[train], EMBEDDING[train, d])
            row = r2[(r2["dimension"] == d) & (r2["fold"] == fold)].iloc[0]
            assert row["alpha"] == pytest.approx(model.alpha_)
            np.testing.assert_allclose(predictions[test, d], model.predict(x[test]), atol=1e-6)
            assert row["r2"] == pytest.approx(r2_score(EMBEDDING[test, d], model.predict(x[test])), abs=1e-6)
    unit = predictions / np.linalg.norm(predictions, axis=1, keepdims=True)
    for fold, (_, test) in enumerate(folds):
        held = TRIPLETS[np.isin(TRIPLETS, test).all(1)]
        assert task.loc[fold, "n"] == len(held)
        assert task.loc[fold, "accuracy"] == pytest.approx(odd_one_out.accuracy(unit @ unit.T, held))


def test_agreement_equals_a_loop_and_knows_no_choice():
    choices = {name: RNG.integers(-1, 3, 500).astype(np.int8) for name in "abc"} | {"people": np.full(500, 2, np.int8)}
    table = concepts.agreement(choices)
    for a in choices:
        for b in choices:
            assert table.loc[a, b] == pytest.approx((choices[a] == choices[b]).mean(), abs=1e-6)


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_matrix_equals_pairs(debiased):
    features = {"a": EMBEDDING, "b": EMBEDDING[:, :3], "c": RNG.standard_normal((50, 9))}
    table = concepts.cka_matrix(features, debiased)
    for a in features:
        for b in features:
            assert table.loc[a, b] == pytest.approx(rsa.cka(features[a], features[b], debiased), abs=1e-9)


def test_entropy_bins_hold_their_upper_edge():
    entropy = np.array([0, 0.05, 0.1, 0.11, 0.35, 1.0986, 1.05])
    choices = {"a": np.array([2, 0, 2, 0, 2, 1, 2]), "b": np.full(7, 2)}
    table = concepts.entropy_bins(choices, entropy)
    a = table[table["model"] == "a"]
    assert a["n"].tolist() == [3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert a["error"].tolist()[:2] == pytest.approx([1 / 3, 1])
    assert a["error"].iloc[-1] == 0.5
    assert np.isnan(a["error"].iloc[2])
    assert (table[table["model"] == "b"]["error"].dropna() == 0).all()


def test_contrast_of_two_families():
    choices = {
        "a1": np.array([2, 2, 0, 0, 2, -1]),
        "a2": np.array([2, 2, 0, 0, 2, -1]),
        "b1": np.array([0, 0, 1, 0, 2, 0]),
        "b2": np.array([0, 1, 1, 0, 2, 0]),
    }
    table = concepts.contrast(choices, ["a1", "a2"], ["b1", "b2"])
    assert table.to_dict("list") == {
        "triplet": [0, 2],
        "kind": ["first right, second wrong", "both wrong, different"],
        "first_choice": [2, 0],
        "second_choice": [0, 1],
    }
    mirrored = concepts.contrast(choices, ["b1", "b2"], ["a1", "a2"])
    assert mirrored["triplet"].tolist() == [2, 0]
    assert mirrored["kind"].tolist() == ["both wrong, different", "second right, first wrong"]


BAD = [
    (lambda: concepts.attribute(TRIPLETS, EMBEDDING, 7), "give 1 to 6"),
    (lambda: concepts.attribute(TRIPLETS + 1, EMBEDDING), "1-based"),
    (lambda: concepts.agreement({"a": np.ones(3), "b": np.ones(4)}), "same triplets"),
    (lambda: concepts.agreement({}), "there are none"),
    (lambda: concepts.regress_dimensions(EMBEDDING[:20], EMBEDDING), "align it"),
    (lambda: concepts.cka_matrix({"a": EMBEDDING, "b": EMBEDDING[:4]}), "align all"),
    (lambda: concepts.contrast({"a": np.ones(3)}, ["a"], ["b"]), "no choices for b"),
    (lambda: concepts.entropy_bins({"a": np.ones(3)}, np.ones(4)), "entropy"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_a_one_line_error(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
