"""Bootstrap of the studies: equal to brute force where that is possible, and as wide as it should be."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from humalign import resample, rsa
from humalign.calibration import expected_calibration_error
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


# ---- what the draws mean


def simulate(rng, m, n, between, within, people):
    """Scores of triplets with effects of objects, of distinct triplets and of single answers; the true mean is 0."""
    triplets = np.argsort(rng.random((n, m)), axis=1)[:, :3]
    effect = between * rng.standard_normal(m)
    scores = effect[triplets].sum(1) + within * rng.standard_normal(n)
    single = np.repeat(scores, people) + 0.5 * (people > 1) * rng.standard_normal(n * people)
    return np.repeat(triplets, people, 0), single


@pytest.mark.parametrize(
    ("between", "within", "n", "people"),
    [(1.0, 0.5, 800, 1), (0.0, 1.0, 400, 1), (0.3, 1.0, 400, 1), (0.0, 1.0, 300, 5), (0.3, 1.0, 300, 5)],
)
def test_intervals_cover_the_truth(between, within, n, people):
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(150):
        triplets, scores = simulate(rng, 30, n, between, within, people)
        _, draws = resample.triplet_means(scores, triplets, range(30), 200, int(rng.integers(1e9)), people > 1)
        low, high = resample.interval(draws)
        hits += low <= 0 <= high
    assert 0.87 <= hits / 150 <= 1.0


def test_answers_to_the_same_triplet_share_their_noise():
    """Without effects of objects, the width is that of independent triplets, however many people answered each."""
    rng = np.random.default_rng(3)
    triplets, scores = simulate(rng, 200, 4000, 0.0, 1.0, 5)
    _, draws = resample.triplet_means(scores, triplets, range(200), 2000, repeated=True)
    _, wide = resample.triplet_means(scores, triplets, range(200), 2000)
    means = scores.reshape(-1, 5).mean(1)
    assert draws.std() == pytest.approx(means.std() / np.sqrt(4000), rel=0.15)
    assert wide.std() > 1.4 * draws.std()
    shuffled = rng.permutation(len(scores))
    _, again = resample.triplet_means(
        scores[shuffled], triplets[shuffled][:, [2, 0, 1]], range(200), 2000, repeated=True
    )
    np.testing.assert_allclose(again, draws, atol=1e-5)
    _, once = resample.triplet_means(means, triplets[::5], range(200), 50)
    _, same = resample.triplet_means(means, triplets[::5], range(200), 50, repeated=True)
    np.testing.assert_allclose(same, once, atol=1e-4)  # few triplets occur twice by chance


def test_concepts_are_drawn_whole():
    rng = np.random.default_rng(0)
    triplets = np.argsort(rng.random((3000, 40)), axis=1)[:, :3]
    concept = np.repeat(np.arange(20), 2)
    scores = rng.standard_normal(20)[concept[triplets]].sum(1)
    value, by_concept = resample.triplet_means(scores, triplets, concept)
    _, by_object = resample.triplet_means(scores, triplets, range(40))
    assert np.ptp(resample.interval(by_concept)) > 1.2 * np.ptp(resample.interval(by_object))
    low, high = resample.interval(by_concept)
    assert low <= value <= high


def test_constant_scores_have_no_width():
    triplets = np.array([[0, 1, 2], [1, 2, 3], [0, 2, 3]])
    value, draws = resample.triplet_means(np.ones(3), triplets, range(4))
    assert value == 1
    assert (draws == 1).all()


@pytest.mark.parametrize("method", rsa.METHODS)
def test_drawn_pairs_are_repeated_rows_without_copies(method):
    """Brute force: repeat rows and columns, drop pairs of an object with its own copy, correlate with SciPy."""
    x, y = np.random.default_rng(6).standard_normal((2, 12, 9))
    a, b = np.round(rsa.rdm(x), 1), rsa.rdm(y)
    drawn = resample.counts(12, 15, 3).astype(np.float64)
    found = resample.Pairs(12, drawn=drawn).correlate(rsa.upper_triangle(a), rsa.upper_triangle(b), method)
    for count, value in zip(drawn.T.astype(int), found):
        rows = np.repeat(np.arange(12), count)
        i, j = np.triu_indices(12, 1)
        i, j = rows[i], rows[j]
        keep = i != j
        u, v = a[i, j][keep], b[i, j][keep]
        expected = spearmanr(u, v).statistic if method == "spearman" else np.corrcoef(u, v)[0, 1]
        assert value == pytest.approx(expected, abs=1e-10)


def test_draws_of_the_calibration_error():
    """Centred on the estimate; the weighted error where it is large; not narrower than errors of new data vary."""
    rng = np.random.default_rng(1)
    triplets = np.argsort(rng.random((4000, 60)), axis=1)[:, :3]

    def sample(sure):
        p = np.tile([[sure, (1 - sure) / 2, (1 - sure) / 2]], (4000, 1))
        wrong = rng.random(4000) > 0.5  # right in half of the triplets
        p[wrong] = p[wrong][:, [1, 0, 2]]
        return p

    p = sample(0.8)
    value, draws = expected_calibration_error(p), resample.calibration_error(p, triplets, range(60), 400)
    assert draws.mean() == pytest.approx(value, abs=1e-6)
    weights = resample.triplet_weights(triplets, range(60), 400)
    right = (p.argmax(1) == 0).astype(float)
    plain = 0.8 - (right @ weights) / weights.sum(0)
    np.testing.assert_allclose(draws - draws.mean(), plain - plain.mean(), atol=1e-9)
    apart = np.std([expected_calibration_error(sample(0.8)) for _ in range(60)])
    assert apart < draws.std() < 3 * apart  # single triplets count with each of their objects: too wide at most
    assert (resample.calibration_error(sample(0.5), triplets, range(60)) >= 0).all()
