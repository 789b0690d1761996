"""Bootstrap of the studies: equal to brute force where that is possible, and as wide as it should be."""

import numpy as np
import pytest
from scipy.stats import rankdata

from humalign import bootstrap
from humalign.data.types import Triplets
from humalign.errors import InputError
from humalign.studies import resampling


def world(m=60, k=30, n=4000, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.array([rng.choice(m, 3, replace=False) for _ in range(n)])
    concepts = [f"c{i % k:02d}" for i in range(m)]
    return rng, Triplets(tuple(f"o{i}" for i in range(m)), rows, "made", "none", concepts=concepts)


def test_counts_are_shared_and_sum_to_the_number_of_objects():
    first, again = resampling.counts(30, 20), resampling.counts(30, 20)
    assert (first == again).all()
    assert (first.sum(0) == 30).all()
    assert (resampling.counts(30, 20, seed=1) != first).any()


def test_means_equal_the_weighted_mean_written_out():
    rng, triplets = world()
    scores = rng.random((2, len(triplets))) < 0.4
    value, draws = resampling.means(scores, triplets, 5)
    codes, k = resampling.concept_codes(triplets.concepts)
    drawn = resampling.counts(k, 5)
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
    _, draws = resampling.means((rng.random((1, len(triplets))) < 0.4), triplets, 2000)
    assert draws.std() == pytest.approx(np.sqrt(0.24 / 20_000), rel=0.15)


def test_means_agree_with_the_interval_of_one_row():
    rng, triplets = world(m=100, k=50, n=8000)
    effect = rng.normal(0, 0.3, 50)
    codes, _ = resampling.concept_codes(triplets.concepts)
    scores = rng.random(len(triplets)) < 0.4 + 0.5 * effect[codes[triplets.triplets]].mean(1)
    _, draws = resampling.means(scores[None], triplets, 2000)
    one = bootstrap.triplet_interval(scores, triplets.triplets, np.asarray(triplets.concepts), n_boot=2000)
    assert np.percentile(draws, [2.5, 97.5]) == pytest.approx([one.low, one.high], abs=0.004)


def test_rows_share_their_draws_so_that_differences_are_paired():
    rng, triplets = world()
    scores = rng.random(len(triplets)) < 0.5
    _, draws = resampling.means(np.stack([scores, scores]), triplets, 50)
    assert np.abs(draws[0] - draws[1]).max() == 0


def test_means_refuse_scores_of_another_length():
    _, triplets = world(n=50)
    with pytest.raises(InputError):
        resampling.means(np.zeros((1, 49)), triplets)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_pair_bootstrap_equals_repeating_the_pairs(ties, method):
    rng = np.random.default_rng(1)
    n = 12
    pairs = n * (n - 1) // 2
    x, y = rng.random(pairs), rng.random(pairs)
    if ties:
        x = np.round(4 * x)
    boot = resampling.PairBootstrap(n, 6)
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
    boot = resampling.PairBootstrap(10, 8)
    first = boot.correlate(x, y)
    boot.correlate(x, z)
    assert np.allclose(boot.correlate(x, y), first)
    assert np.allclose(boot.correlate(x, x), 1, atol=1e-5)
