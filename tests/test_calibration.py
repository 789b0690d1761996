"""Calibration against hand-made bins, SciPy, and temperatures that are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from humalign import calibration, odd_one_out
from humalign.errors import InputError

RNG = np.random.default_rng(2)


def some(n, seed=0, concentration=0.7):
    return np.random.default_rng(seed).dirichlet([concentration] * 3, n)


def loop_ece(p, n_bins):
    total = 0
    confidence = p.max(1)
    for b in range(n_bins):
        upper = 1.1 if b == n_bins - 1 else (b + 1) / n_bins
        inside = (confidence >= b / n_bins) & (confidence < upper)
        if inside.any():
            total += inside.mean() * abs((p[inside].argmax(1) == 0).mean() - confidence[inside].mean())
    return total


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_ece_equals_a_loop(seed, n_bins):
    p = some(200, seed)
    assert calibration.expected_calibration_error(p, n_bins) == pytest.approx(loop_ece(p, n_bins), abs=1e-9)
    assert calibration.expected_calibration_error(torch.tensor(p), n_bins) == pytest.approx(
        loop_ece(p, n_bins), abs=1e-9
    )


def test_ece_by_hand():
    certain_right = np.tile([1.0, 0, 0], (5, 1))
    certain_wrong = np.tile([0, 1.0, 0], (5, 1))
    assert calibration.expected_calibration_error(certain_right) == 0
    assert calibration.expected_calibration_error(certain_wrong) == 1
    assert calibration.expected_calibration_error(np.vstack([certain_right, certain_wrong])) == pytest.approx(0.5)
    p = np.array([[0.6, 0.3, 0.1], [0.25, 0.65, 0.1], [0.8, 0.1, 0.1]])
    assert calibration.expected_calibration_error(p) == pytest.approx((2 * abs(0.5 - 0.625) + abs(1 - 0.8)) / 3)


def test_equal_mass_bins_hold_equal_numbers():
    table = calibration.calibration_table(some(1000), 10, "mass")
    assert table["n"].tolist() == [100] * 10
    assert table["confidence"].is_monotonic_increasing


def test_distances_equal_scipy():
    p, q = some(50, 1), some(50, 2)
    p[0] = [1, 0, 0]
    np.testing.assert_allclose(calibration.kl_divergence(p, q), entropy(p, q, axis=1), atol=1e-12)
    np.testing.assert_allclose(calibration.jensen_shannon_distance(p, q), jensenshannon(p, q, axis=1), atol=1e-9)
    for function in (calibration.kl_divergence, calibration.jensen_shannon_distance):
        np.testing.assert_allclose(function(torch.tensor(p), q).numpy(), function(p, q), atol=1e-9)
        np.testing.assert_allclose(function(p, p), 0, atol=1e-9)
    assert np.isinf(calibration.kl_divergence(q[:1], np.array([[1.0, 0, 0]])))[0]
    with pytest.raises(InputError, match="one shape"):
        calibration.kl_divergence(p, q[:10])


@pytest.fixture(scope="module")
def planted():
    """Choices drawn from softmax(s / 0.2)."""
    rng = np.random.default_rng(0)
    s = rng.standard_normal((40, 40))
    s = (s + s.T) / 4
    sets = np.array([rng.permutation(40)[:3] for _ in range(30_000)])
    p = odd_one_out.probabilities(s, sets, 0.2)
    kept = (p.cumsum(1) > rng.random((len(p), 1))).argmax(1)
    order = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[kept]
    triplets = np.take_along_axis(sets, order, 1)
    return s, triplets, odd_one_out.probabilities(s, triplets, 0.2)


@pytest.mark.parametrize("criterion", calibration.CRITERIA)
def test_continuous_search_finds_the_planted_temperature(planted, criterion):
    s, triplets, target = planted
    found = calibration.fit_temperature(s, triplets, criterion, target)
    assert found == pytest.approx(0.2, rel=0.1)


def test_grid_search_has_all_criteria_and_its_best_row_is_near(planted):
    s, triplets, target = planted
    table = calibration.search_temperature(s, triplets, target, temperatures=[0.05, 0.1, 0.2, 0.4, 1])
    assert (table["temperature"] * table["multiplier"]).to_numpy() == pytest.approx(1)
    for criterion in calibration.CRITERIA:
        assert table.loc[table[criterion].idxmin(), "temperature"] == 0.2
    assert table.loc[2, "kl"] == pytest.approx(0, abs=1e-12)
    paper = calibration.search_temperature(s, triplets)
    assert paper["multiplier"].to_numpy() == pytest.approx(calibration.PAPER_MULTIPLIERS)
    assert "kl" not in paper


def test_one_line_errors(planted):
    s, triplets, _ = planted
    with pytest.raises(InputError, match="sum to 1"):
        calibration.expected_calibration_error(np.ones((3, 3)))
    with pytest.raises(InputError, match="n_bins"):
        calibration.expected_calibration_error(some(3), 0)
    with pytest.raises(InputError, match="targets"):
        calibration.fit_temperature(s, triplets, "kl")
    with pytest.raises(InputError, match="all equal"):
        calibration.fit_temperature(np.ones((40, 40)), triplets)
