"""The odd-one-out measures against loops, closed forms and hand-made cases."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from humalign import odd_one_out
from humalign.errors import InputError

RNG = np.random.default_rng(1)


def all_triplets(m):
    return np.array(list(itertools.permutations(range(m), 3)))


def loop_choice(s, triplet):
    i, j, k = triplet
    pairs = [s[i, j], s[i, k], s[j, k]]
    if pairs[0] == pairs[1] == pairs[2]:
        return -1
    return [2, 1, 0][int(np.argmax(pairs))]


def loop_fraction(s, triplet):
    i, j, k = triplet
    pairs = [s[i, j], s[i, k], s[j, k]]
    return (pairs[0] == max(pairs)) / pairs.count(max(pairs))


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 7), st.integers(1, 3), st.integers(0, 10**6))
def test_choices_and_accuracy_equal_a_loop_with_many_ties(m, levels, seed):
    rng = np.random.default_rng(seed)
    s = rng.integers(0, levels + 1, (m, m)).astype(float)
    s = (s + s.T) / 2
    triplets = all_triplets(m)
    expected = np.array([loop_choice(s, row) for row in triplets])
    fraction = np.mean([loop_fraction(s, row) for row in triplets])
    for values, rows in ((s, triplets), (torch.tensor(s), torch.tensor(triplets)), (torch.tensor(s), triplets)):
        out = odd_one_out.choices(values, rows)
        assert str(out.dtype).endswith("int8")
        assert isinstance(out, torch.Tensor) == isinstance(values, torch.Tensor)
        np.testing.assert_array_equal(np.asarray(out), expected)
        assert odd_one_out.accuracy(values, rows) == pytest.approx((expected == 2).mean(), abs=1e-12)
        assert odd_one_out.accuracy(values, rows, ties="fraction") == pytest.approx(fraction, abs=1e-6)
        for ties in odd_one_out.TIES:
            scores = np.asarray(odd_one_out.scores(values, rows, ties))
            assert scores.mean() == pytest.approx(odd_one_out.accuracy(values, rows, ties), abs=1e-6)


def test_hand_made_ties():
    def matrix(s01, s02, s12):
        return np.array([[1, s01, s02], [s01, 1, s12], [s02, s12, 1]], float)

    row = np.array([[0, 1, 2]])
    cases = {
        (3, 2, 1): (2, 1, 1),
        (2, 3, 1): (1, 0, 0),
        (1, 2, 3): (0, 0, 0),
        (2, 2, 1): (2, 1, 0.5),
        (2, 1, 2): (2, 1, 0.5),
        (1, 2, 2): (1, 0, 0),
        (1, 1, 1): (-1, 0, 1 / 3),
        (2, 1, 1): (2, 1, 1),
    }
    for pairs, (choice, paper, fraction) in cases.items():
        s = matrix(*pairs)
        assert odd_one_out.choices(s, row)[0] == choice
        assert odd_one_out.accuracy(s, row) == paper
        assert odd_one_out.accuracy(s, row, ties="fraction") == pytest.approx(fraction)


def test_many_blocks_in_threads_equal_one_gather():
    m, n = 60, 9 * odd_one_out.BLOCK + 5
    s = RNG.standard_normal((m, m)).astype(np.float32)
    triplets = np.argsort(RNG.random((n, m)).astype(np.float32)[:, :12], axis=1)[:, :3].astype(np.int32)
    pairs = np.stack([s[triplets[:, a], triplets[:, b]] for a, b in ((0, 1), (0, 2), (1, 2))], 1)
    np.testing.assert_array_equal(odd_one_out.pair_similarities(s, triplets), pairs)
    np.testing.assert_array_equal(odd_one_out.choices(s, triplets), np.array([2, 1, 0])[pairs.argmax(1)])
    assert odd_one_out.accuracy(s, triplets) == pytest.approx((pairs.argmax(1) == 0).mean(), abs=1e-12)
    broken = triplets.copy()
    broken[-1] = [5, 5, 6]
    with pytest.raises(InputError, match=f"row {n - 1} names an object twice"):
        odd_one_out.accuracy(s, broken)


def test_probabilities_divide_by_the_temperature_and_are_stable():
    s = np.array([[0, 2.0, 1.0], [2.0, 0, 0.5], [1.0, 0.5, 0]])
    row = np.array([[0, 1, 2]])
    for temperature in (0.25, 1, 8):
        z = np.exp(np.array([2, 1, 0.5]) / temperature)
        np.testing.assert_allclose(odd_one_out.probabilities(s, row, temperature)[0], z / z.sum())
    np.testing.assert_allclose(odd_one_out.probabilities(s * 1e5, row)[0], [1, 0, 0])
    np.testing.assert_allclose(odd_one_out.probabilities(torch.tensor(s) * 1e5, row)[0].numpy(), [1, 0, 0])
    assert odd_one_out.probabilities(s, row, 0.01)[0, 0] > odd_one_out.probabilities(s, row, 100)[0, 0]
    for bad in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="above 0"):
            odd_one_out.probabilities(s, row, bad)


def test_entropy_closed_forms():
    p = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]])
    for values in (p, torch.tensor(p)):
        np.testing.assert_allclose(odd_one_out.entropy(values), [0, np.log(3), np.log(2)], atol=1e-12)
    with pytest.raises(InputError, match="sum to 1"):
        odd_one_out.entropy(p * 2)


def loop_ceiling(triplets, kind):
    groups = {}
    for row in triplets:
        groups.setdefault(tuple(sorted(row)), []).append(row[2])
    values = []
    for odd in groups.values():
        if kind == "majority":
            values.append(max(odd.count(x) for x in odd) / len(odd))
        elif len(odd) > 1:
            score = 0
            for position, one in enumerate(odd):
                others = odd[:position] + odd[position + 1 :]
                counts = {x: others.count(x) for x in others}
                top = [x for x, c in counts.items() if c == max(counts.values())]
                score += (one in top) / len(top)
            values.append(score / len(odd))
    return np.mean(values)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 120))
def test_noise_ceilings_equal_a_loop(seed, n):
    rng = np.random.default_rng(seed)
    triplets = np.array([rng.permutation(4)[:3] for _ in range(n)])  # n responses to only four sets
    for kind in ("majority", "leave-one-out"):
        expected = loop_ceiling(triplets.tolist(), kind)
        assert odd_one_out.noise_ceiling(triplets, kind) == pytest.approx(expected)
        swapped = triplets[:, [1, 0, 2]]
        assert odd_one_out.noise_ceiling(torch.tensor(swapped), kind) == pytest.approx(expected)


def test_noise_ceiling_by_hand():
    five = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 1, 2], [0, 2, 1]])  # odd: 2 2 0 2 1
    assert odd_one_out.noise_ceiling(five) == pytest.approx(3 / 5)
    assert odd_one_out.noise_ceiling(five, "leave-one-out") == pytest.approx(3 / 5)
    four = np.array([[0, 1, 2], [0, 1, 2], [2, 1, 0], [2, 1, 0]])
    assert odd_one_out.noise_ceiling(four, "leave-one-out") == 0
    three = np.array([[0, 1, 2], [0, 1, 2], [0, 2, 1]])  # the others of a 2 are 2 and 1: a tie
    assert odd_one_out.noise_ceiling(three, "leave-one-out") == pytest.approx((0.5 + 0.5 + 0) / 3)
    alone = np.vstack([five, [[3, 4, 5]]])
    assert odd_one_out.noise_ceiling(alone) == pytest.approx((3 / 5 + 1) / 2)
    assert odd_one_out.noise_ceiling(alone, min_responses=2) == pytest.approx(3 / 5)
    assert odd_one_out.noise_ceiling(alone, "leave-one-out") == pytest.approx(3 / 5)
    with pytest.raises(InputError, match="more than once"):
        odd_one_out.noise_ceiling(np.array([[0, 1, 2], [0, 1, 3]]))


def test_response_counts_for_large_indices():
    big = 3_000_000
    rows = np.array([[big, 1, 2], [1, big, 2], [2, 1, big]])
    objects, counts, index = odd_one_out.response_counts(rows)
    np.testing.assert_array_equal(objects, [[1, 2, big]])
    np.testing.assert_array_equal(counts, [[0, 2, 1]])
    np.testing.assert_array_equal(index, 0)


S4 = np.eye(4)


@pytest.mark.parametrize(
    ("similarity", "triplets", "message"),
    [
        (S4, np.array([[1, 2, 4], [2, 3, 1]]), "1-based"),
        (S4, np.array([[0, 2, 9]]), "name object 9, but there are 4"),
        (S4, np.array([[0, 2, -1]]), "negative"),
        (S4, np.array([[0, 2, 2]]), "twice"),
        (S4, np.array([[0, 2]]), "shape"),
        (S4, np.array([0, 1, 2]), "shape"),
        (S4, np.zeros((0, 3), int), "none"),
        (S4, np.array([[0.0, 1, 2]]), "integer"),
        (np.ones((3, 4)), np.array([[0, 1, 2]]), "square"),
        (np.full((3, 3), np.nan), np.array([[0, 1, 2]]), "NaN"),
    ],
)
@pytest.mark.parametrize("function", [odd_one_out.choices, odd_one_out.accuracy, odd_one_out.probabilities])
def test_bad_input_is_a_one_line_error(function, similarity, triplets, message):
    for values in (similarity, torch.tensor(similarity)):
        with pytest.raises(InputError, match=message) as caught:
            function(values, triplets)
        assert "\n" not in str(caught.value)


def test_unknown_options():
    with pytest.raises(InputError, match="ties"):
        odd_one_out.accuracy(S4, np.array([[0, 1, 2]]), ties="best")
    with pytest.raises(InputError, match="kind"):
        odd_one_out.noise_ceiling(np.array([[0, 1, 2]]), "mean")
