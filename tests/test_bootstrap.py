"""Bootstrap intervals: weights against repeated rows, and coverage on data with known truth."""

import numpy as np
import pytest

from humalign import bootstrap
from humalign.errors import InputError


def test_counts_sum_to_the_number_of_units_and_are_seeded():
    counts = bootstrap.multinomial_counts(7, 20, 1)
    assert (counts.sum(1) == 7).all()
    np.testing.assert_array_equal(counts, bootstrap.multinomial_counts(7, 20, 1))
    assert (counts != bootstrap.multinomial_counts(7, 20, 2)).any()
    with pytest.raises(InputError, match="two units"):
        bootstrap.multinomial_counts(1)


def test_mean_by_group_equals_repeating_groups():
    rng = np.random.default_rng(0)
    values, groups = rng.random(30), rng.integers(0, 6, 30)
    interval = bootstrap.mean_interval(values, groups, n_boot=10, seed=4)
    for count, replicate in zip(bootstrap.multinomial_counts(6, 10, 4), interval.replicates):
        drawn = np.concatenate([np.tile(values[groups == g], c) for g, c in enumerate(count)])
        assert replicate == pytest.approx(drawn.mean())
    assert interval.value == pytest.approx(values.mean())


def test_mean_interval_has_the_textbook_width():
    values = np.random.default_rng(1).standard_normal(400)
    interval = bootstrap.mean_interval(values, n_boot=4000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_product_weights_equal_drawing_objects():
    rng = np.random.default_rng(0)
    triplets = np.array([rng.permutation(6)[:3] for _ in range(40)])
    scores = rng.random(40)
    interval = bootstrap.triplet_interval(scores, triplets, method="product", n_boot=10, seed=5)
    for count, replicate in zip(bootstrap.multinomial_counts(6, 10, 5), interval.replicates):
        weight = count[triplets].prod(1)
        expected = (weight * scores).sum() / weight.sum() if weight.sum() else np.nan
        assert replicate == pytest.approx(expected, nan_ok=True)


def simulate(rng, m, n, between, within):
    triplets = np.argsort(rng.random((n, m)), axis=1)[:, :3]
    effect = between * rng.standard_normal(m)
    return triplets, effect[triplets].sum(1) + within * rng.standard_normal(n)


@pytest.mark.parametrize(("between", "within", "n"), [(1.0, 0.5, 800), (0.0, 1.0, 400), (0.3, 1.0, 400)])
def test_linear_intervals_cover_the_truth(between, within, n):
    """Triplets with effects of objects, of single triplets, or both; the true mean is 0."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(150):
        triplets, scores = simulate(rng, 30, n, between, within)
        interval = bootstrap.triplet_interval(scores, triplets, n_boot=200, seed=int(rng.integers(1e9)))
        hits += interval.low <= 0 <= interval.high
    assert 0.87 <= hits / 150 <= 1.0


def test_product_weights_are_wider_where_triplets_are_noisy():
    triplets, scores = simulate(np.random.default_rng(3), 60, 400, 0.0, 1.0)
    linear = bootstrap.triplet_interval(scores, triplets)
    product = bootstrap.triplet_interval(scores, triplets, method="product")
    assert linear.high - linear.low == pytest.approx(2 * 1.96 / 20, rel=0.35)
    assert product.high - product.low > 1.7 * (linear.high - linear.low)


def test_groups_are_drawn_whole():
    rng = np.random.default_rng(0)
    triplets = np.argsort(rng.random((3000, 40)), axis=1)[:, :3]
    concept = np.repeat(np.arange(20), 2)
    scores = rng.standard_normal(20)[concept[triplets]].sum(1)
    by_concept = bootstrap.triplet_interval(scores, triplets, concept)
    by_object = bootstrap.triplet_interval(scores, triplets)
    assert by_concept.high - by_concept.low > 1.2 * (by_object.high - by_object.low)
    value, low, high = by_concept
    assert low <= value <= high


def test_constant_scores_have_no_width():
    triplets = np.array([[0, 1, 2], [1, 2, 3], [0, 2, 3]])
    assert tuple(bootstrap.triplet_interval(np.ones(3), triplets)) == (1, 1, 1)


def test_one_line_errors():
    triplets = np.array([[0, 1, 2]])
    with pytest.raises(InputError, match="scores"):
        bootstrap.triplet_interval(np.ones(2), triplets)
    with pytest.raises(InputError, match="method"):
        bootstrap.triplet_interval(np.ones(1), triplets, method="jackknife")
    with pytest.raises(InputError, match="level"):
        bootstrap.mean_interval(np.arange(4), level=95)
