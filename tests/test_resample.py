"""Bootstrap of the studies: equal to brute force where that is possible, and as wide as it should be."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from humalign import resample, rsa
from humalign.data.types import Triplets
from humalign.errors import InputError


def world(m=60, k=30, n=4000, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.array([rng.choice(m, 3, replace=False) for _ in range(n)])
    concepts = [f"c{i % k:02d}" for i in range(m)]
    return rng, Triplets(tuple(f"o{i}" for i in range(m)), rows, "made", "none", concepts=concepts)


def test_counts_are_shared_and_sum_to_the_number_of_objects():
    first, again = resample.counts(30, 20), resample.counts(30, 20)
    assert (first == again).all()
    assert (first.sum(0) == 30).all()
    assert (resample.counts(30, 20, seed=1) != first).any()


def test_means_equal_the_weighted_mean_written_out():
    rng, triplets = world()
    scores = rng.random((2, len(triplets))) < 0.4
    value, draws = resample.triplet_means(scores, triplets.triplets, triplets.concepts, 5)
    codes, k = resample.codes(triplets.concepts)
    drawn = resample.counts(k, 5)
    for row in range(2):
        residual = scores[row] - scores[row].mean()
        plain = np.zeros(5)
        for b in range(5):
            top = total = 0.0
            for t, triplet in enumerate(triplets.triplets):
                weight = 1 + sum(drawn[c, b] - 1 for c in set(codes[triplet]))
                top, total = top + weight * residual[t], total + weight
            plain[b] = top / total
        deviation = draws[row] - value[row]
        shrink = deviation @ plain / (plain @ plain)
        assert np.allclose(deviation, shrink * plain, atol=1e-5)  # the same up to the factor that narrows the width
        assert 0.3 < shrink <= 1
    assert value == pytest.approx(scores.mean(1))


def test_pure_noise_gets_the_width_of_independent_triplets():
    rng, triplets = world(m=200, k=200, n=20_000)
    _, draws = resample.triplet_means(
        (rng.random((1, len(triplets))) < 0.4), triplets.triplets, triplets.concepts, 2000
    )
    assert draws.std() == pytest.approx(np.sqrt(0.24 / 20_000), rel=0.15)


def test_means_agree_with_the_interval_of_one_row():
    rng, triplets = world(m=100, k=50, n=8000)
    effect = rng.normal(0, 0.3, 50)
    codes, _ = resample.codes(triplets.concepts)
    scores = rng.random(len(triplets)) < 0.4 + 0.5 * effect[codes[triplets.triplets]].mean(1)
    _, draws = resample.triplet_means(scores[None], triplets.triplets, triplets.concepts, 2000)
    one = resample.triplet_interval(scores, triplets.triplets, np.asarray(triplets.concepts), n_boot=2000)
    assert np.percentile(draws, [2.5, 97.5]) == pytest.approx([one.low, one.high], abs=0.004)


def test_rows_share_their_draws_so_that_differences_are_paired():
    rng, triplets = world()
    scores = rng.random(len(triplets)) < 0.5
    _, draws = resample.triplet_means(np.stack([scores, scores]), triplets.triplets, triplets.concepts, 50)
    assert np.abs(draws[0] - draws[1]).max() == 0


def test_means_refuse_scores_of_another_length():
    _, triplets = world(n=50)
    with pytest.raises(InputError):
        resample.triplet_means(np.zeros((1, 49)), triplets.triplets, triplets.concepts)
    with pytest.raises(InputError, match="of 5 objects"):
        resample.triplet_means(np.zeros(50), triplets.triplets, triplets.concepts[:5])


def test_a_single_row_is_a_row():
    rng, triplets = world(n=300)
    scores = rng.random(300)
    value, draws = resample.triplet_means(scores, triplets.triplets, triplets.concepts)
    values, rows = resample.triplet_means(scores[None], triplets.triplets, triplets.concepts)
    assert value == values[0]
    np.testing.assert_array_equal(draws, rows[0])


def test_means_over_units_equal_repeating_them():
    values = np.random.default_rng(3).random(20)
    value, draws = resample.unit_means(values)
    assert value == values.mean()
    for count, drawn in zip(resample.counts(20).T, draws):
        assert drawn == pytest.approx(np.repeat(values, count.astype(int)).mean())
    drawn = resample.drawn_rows(20, np.random.default_rng(5), 4)
    rows = np.random.default_rng(5).integers(20, size=(4, 20))
    np.testing.assert_allclose(values @ drawn / 20, values[rows].mean(1))


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_ranks_are_ranks_of_repeated_rows(ties):
    rng = np.random.default_rng(4)
    values = np.round(6 * rng.random(25)) if ties else rng.random(25)
    weights = resample.counts(25, 7)
    found = resample.ranks(values, weights)
    for b in range(7):
        copies = np.repeat(np.arange(25), weights[:, b].astype(int))
        np.testing.assert_allclose(found[copies, b] + 0.5, rankdata(values[copies]))


def test_triplets_weigh_as_much_as_their_concepts_are_drawn():
    weights = resample.triplet_weights([[0, 1, 2], [0, 1, 3]], ["a", "a", "b", "c"])
    drawn = resample.counts(3)
    np.testing.assert_allclose(weights[0], np.maximum(drawn[0] + drawn[1] - 1, 0))
    np.testing.assert_allclose(weights[1], np.maximum(drawn[0] + drawn[2] - 1, 0))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_pair_bootstrap_equals_repeating_the_pairs(ties, method):
    rng = np.random.default_rng(1)
    n = 12
    pairs = n * (n - 1) // 2
    x, y = rng.random(pairs), rng.random(pairs)
    if ties:
        x = np.round(4 * x)
    boot = resample.Pairs(n, 6)
    found = boot.correlate(x, y, method)
    for b in range(6):
        copies = np.repeat(np.arange(pairs), boot.weights[:, b].astype(int))
        a, c = x[copies], y[copies]
        if method == "spearman":
            a, c = rankdata(a), rankdata(c)
        assert found[b] == pytest.approx(np.corrcoef(a, c)[0, 1], abs=1e-5)


def test_pair_bootstrap_keeps_one_reference_at_a_time():
    rng = np.random.default_rng(2)
    x, y, z = rng.random((3, 45))
    boot = resample.Pairs(10, 8)
    first = boot.correlate(x, y)
    boot.correlate(x, z)
    assert np.allclose(boot.correlate(x, y), first)
    assert np.allclose(boot.correlate(x, x), 1, atol=1e-5)


# ---- one value with its interval


def test_counts_sum_to_the_number_of_units_and_are_seeded():
    counts = resample.drawn_counts(7, 20, 1)
    assert (counts.sum(1) == 7).all()
    np.testing.assert_array_equal(counts, resample.drawn_counts(7, 20, 1))
    assert (counts != resample.drawn_counts(7, 20, 2)).any()
    with pytest.raises(InputError, match="two units"):
        resample.drawn_counts(1)


def test_mean_interval_has_the_textbook_width():
    values = np.random.default_rng(1).standard_normal(400)
    interval = resample.mean_interval(values, n_boot=4000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


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
        interval = resample.triplet_interval(scores, triplets, n_boot=200, seed=int(rng.integers(1e9)))
        hits += interval.low <= 0 <= interval.high
    assert 0.87 <= hits / 150 <= 1.0


def test_groups_are_drawn_whole():
    rng = np.random.default_rng(0)
    triplets = np.argsort(rng.random((3000, 40)), axis=1)[:, :3]
    concept = np.repeat(np.arange(20), 2)
    scores = rng.standard_normal(20)[concept[triplets]].sum(1)
    by_concept = resample.triplet_interval(scores, triplets, concept)
    by_object = resample.triplet_interval(scores, triplets)
    assert by_concept.high - by_concept.low > 1.2 * (by_object.high - by_object.low)
    value, low, high = by_concept
    assert low <= value <= high


def test_constant_scores_have_no_width():
    triplets = np.array([[0, 1, 2], [1, 2, 3], [0, 2, 3]])
    assert tuple(resample.triplet_interval(np.ones(3), triplets)) == (1, 1, 1)


def test_one_line_errors():
    triplets = np.array([[0, 1, 2]])
    with pytest.raises(InputError, match="scores"):
        resample.triplet_interval(np.ones(2), triplets)
    with pytest.raises(InputError, match="vector"):
        resample.mean_interval(np.ones(1))
    with pytest.raises(InputError, match="n_boot"):
        resample.mean_interval(np.ones(3), n_boot=0)


@pytest.mark.parametrize("method", rsa.METHODS)
def test_interval_equals_repeating_rows_and_dropping_copies(method):
    """Brute force: repeat rows and columns, drop pairs of an object with its own copy, correlate with SciPy."""
    x, y = np.random.default_rng(6).standard_normal((2, 12, 9))
    a, b = np.round(rsa.rdm(x), 1), rsa.rdm(y)
    interval = resample.rdm_interval(a, b, method, n_boot=15, seed=3)
    counts = resample.drawn_counts(12, 15, 3)
    for count, value in zip(counts, interval.draws):
        drawn = np.repeat(np.arange(12), count)
        i, j = np.triu_indices(12, 1)
        i, j = drawn[i], drawn[j]
        keep = i != j
        u, v = a[i, j][keep], b[i, j][keep]
        expected = spearmanr(u, v).statistic if method == "spearman" else np.corrcoef(u, v)[0, 1]
        assert value == pytest.approx(expected, abs=1e-10)
    assert interval.value == pytest.approx(rsa.compare(a, b, method))
    assert interval.low <= interval.high
