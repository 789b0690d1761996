"""Bootstrap of the studies: equal to brute force where that is possible, and as wide as it should be."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from humalign import draws as kept_draws
from humalign import resample, rsa
from humalign.calibration import expected_calibration_error
from humalign.data.types import Triplets
from humalign.errors import InputError
from humalign.results import monte_carlo_error


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
    assert (resample.counts(30, 50)[:, :20] == first).all()  # the first draws of many are those of few


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
            for t, triplet in enumerate(triplets.triplets):
                plain[b] += (1 + sum(drawn[c, b] - 1 for c in set(codes[triplet]))) * residual[t] / len(residual)
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


# ---- correlations


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("method", "scipys"), [("spearman", spearmanr), ("pearson", pearsonr)])
def test_influence_is_what_one_more_row_changes(ties, method, scipys):
    rng = np.random.default_rng(4)
    x = rng.normal(size=2000)
    y = x + rng.normal(size=2000)
    if ties:
        x = np.round(2 * x)
    value, adds = resample._influence(x, y, method)
    assert value == pytest.approx(scipys(x, y).statistic)
    assert adds.mean() == pytest.approx(0, abs=1e-12)
    for row in range(8):
        more = scipys(np.r_[x, x[row]], np.r_[y, y[row]]).statistic
        assert 2001 * (more - value) == pytest.approx(adds[row], abs=0.02)


@pytest.mark.parametrize("method", rsa.METHODS)
def test_pairs_are_correlated_as_their_matrices(method):
    x, y = np.random.default_rng(6).standard_normal((2, 12, 9))
    a, b = np.round(rsa.rdm(x), 1), rsa.rdm(y)
    value, draws = resample.pair_correlation(rsa.upper_triangle(a), rsa.upper_triangle(b), 300, method)
    assert value == pytest.approx(rsa.compare(a, b, method))
    assert len(draws) == 300
    assert (np.abs(draws) < 1).all()
    value, draws = resample.pair_correlation(rsa.upper_triangle(a), rsa.upper_triangle(a), 20, method)
    assert value == pytest.approx(1)
    assert (draws == value).all()


def test_the_mean_of_correlations_with_several_references():
    own, people = np.random.default_rng(0).normal(size=28), np.random.default_rng(1).normal(size=(3, 28))
    value = resample.pair_correlation(own, people, 20)[0]
    single = [resample.pair_correlation(own, one, 20)[0] for one in people]
    assert value == pytest.approx(np.mean(single))
    same, again = resample.pair_correlation(own, np.stack([people[0]] * 2), 20)
    assert same == pytest.approx(single[0])
    np.testing.assert_allclose(again, resample.pair_correlation(own, people[0], 20)[1])


def test_unknown_methods_are_refused_and_constants_have_no_correlation():
    with pytest.raises(InputError, match="kendall"):
        resample.pair_correlation(np.arange(6.0), np.arange(6.0), method="kendall")
    value, draws = resample.pair_correlation(np.ones(6), np.arange(6.0))
    assert np.isnan(value)
    assert np.isnan(draws).all()


def test_draws_over_units_are_as_wide_as_repeating_them():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, 60).astype(float)
    y = x + 3 * rng.normal(size=60)
    value, draws = resample.unit_correlation(x, y)
    rows = np.array([np.repeat(np.arange(60), count.astype(int)) for count in resample.counts(60).T])
    plain = np.array([spearmanr(x[row], y[row]).statistic for row in rows])
    assert value == pytest.approx(spearmanr(x, y).statistic)
    assert np.corrcoef(draws, plain)[0, 1] > 0.95
    assert draws.std() == pytest.approx(plain.std(), rel=0.1)
    _, few = resample.unit_correlation(x, y, resample.counts(60)[:, :50])
    np.testing.assert_allclose(few, draws[:50])


@pytest.mark.parametrize("noise", [0.3, 30.0])
def test_intervals_of_pairs_cover_the_truth(noise):
    """Also where most of the noise is that of single pairs, which repeating rows and columns counts twice."""
    rng = np.random.default_rng(0)
    i, j = np.triu_indices(60, 1)

    def sample():
        z = rng.normal(size=(60, 4))
        w = z + rng.normal(size=(60, 4))
        far = [((v[i] - v[j]) ** 2).sum(1) for v in (z, w)]
        return far[0] + noise * rng.normal(size=len(i)), far[1]

    truth = np.mean([spearmanr(*sample()).statistic for _ in range(200)])
    found = [resample.pair_correlation(*sample(), 300) for _ in range(150)]
    inside = [low <= truth <= high for low, high in (resample.interval(draws) for _, draws in found)]
    assert 0.88 <= np.mean(inside) <= 1.0
    width = np.mean([draws.std() for _, draws in found])
    assert width == pytest.approx(np.std([value for value, _ in found]), rel=0.2)


def test_how_far_other_draws_would_move_an_interval():
    rng = np.random.default_rng(0)
    ends = [resample.interval(rng.normal(size=500)) for _ in range(400)]
    found = np.mean([monte_carlo_error(rng.normal(size=500)) for _ in range(100)])
    assert found == pytest.approx(np.std([low for low, _ in ends]), rel=0.25)
    assert monte_carlo_error(np.full(20, 0.3)) == 0
    assert np.isnan(monte_carlo_error(np.full(20, np.nan)))


# ---- draws in few numbers


def test_packed_draws_come_back(monkeypatch):
    monkeypatch.setattr(kept_draws, "MOST", 50)
    rng = np.random.default_rng(0)
    values = {n: [rng.random(n) for _ in range(3)] for n in (20, 45)}
    draws = np.stack([resample.unit_means(v)[1] for n in values for v in values[n]])
    other = np.stack([rng.random(draws.shape[1]), np.full(draws.shape[1], np.nan), np.full(draws.shape[1], 0.5)])
    every = np.concatenate([draws, other])
    kinds = ["20"] * 3 + ["45"] * 3 + ["noise", "45", "20"]
    arrays = kept_draws.packed(every, kinds)
    assert arrays["units"].tolist() == [20] * 3 + [45] * 3 + [0] * 3
    assert sum(a.nbytes for a in arrays.values()) < every.astype(np.float16).nbytes / 2
    back = kept_draws.unpacked(arrays)
    np.testing.assert_allclose(back, every, atol=1e-3)
    order = [1, 8, 4, 6, 0]  # rows in any order
    again = kept_draws.unpacked(kept_draws.packed(every[order], [kinds[k] for k in order]))
    np.testing.assert_allclose(again, back[order], atol=2e-4)


def test_rows_that_are_no_sum_are_kept_whole():
    drawn = kept_draws.counts(20) - 1
    draws = np.stack([0.4 + np.arange(20) @ drawn / 1e3, 0.4 + (np.arange(20) @ drawn / 1e2) ** 2])
    arrays = kept_draws.packed(draws, ["a", "a"])
    assert arrays["units"].tolist() == [20, 0]
    np.testing.assert_allclose(kept_draws.unpacked(arrays), draws, rtol=2e-3)


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
    weights = 1 + (resample.counts(60, 400) - 1)[triplets].sum(1)
    right = (p.argmax(1) == 0).astype(float)
    plain = 0.8 - (right @ weights) / weights.sum(0)
    np.testing.assert_allclose(draws - draws.mean(), plain - plain.mean(), atol=1e-9)
    apart = np.std([expected_calibration_error(sample(0.8)) for _ in range(60)])
    assert apart < draws.std() < 3 * apart  # single triplets count with each of their objects: too wide at most
    assert (resample.calibration_error(sample(0.5), triplets, range(60)) >= 0).all()
