"""RSA and CKA against closed forms, SciPy, and known invariances."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata, spearmanr

from humalign import rsa
from humalign.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((25, 7))
Y = RNG.standard_normal((25, 30))


@pytest.mark.parametrize("metric", rsa.METRICS)
def test_rdm_equals_scipy(metric):
    np.testing.assert_allclose(rsa.rdm(X, metric), squareform(pdist(X, metric)), atol=1e-9)
    tensor = rsa.rdm(torch.tensor(X), metric)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(tensor.numpy(), rsa.rdm(X, metric), atol=1e-9)
    assert (np.diag(rsa.rdm(X.astype(np.float32), metric)) == 0).all()


def test_compare_equals_scipy_also_with_ties():
    a, b = rsa.rdm(X), rsa.rdm(Y)
    tri = np.triu_indices(25, 1)
    assert rsa.compare(a, b) == pytest.approx(spearmanr(a[tri], b[tri]).statistic, abs=1e-12)
    assert rsa.compare(a, b, "pearson") == pytest.approx(np.corrcoef(a[tri], b[tri])[0, 1], abs=1e-12)
    coarse = np.round(a, 1)
    assert rsa.compare(coarse, b) == pytest.approx(spearmanr(coarse[tri], b[tri]).statistic, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40))
def test_ranks_equal_scipy(values):
    np.testing.assert_array_equal(rsa.ranks(np.array(values, float)), rankdata(values))


def test_spearman_ignores_monotone_changes():
    a = rsa.rdm(X)
    assert rsa.compare(a, a**3) == pytest.approx(1)
    assert np.isnan(rsa.compare(a, np.ones_like(a)))


def test_noise_ceiling_brackets_the_truth():
    truth = rsa.rdm(X, "euclidean")
    noise = RNG.standard_normal((12, 25, 25)) * 1.5
    people = truth + (noise + noise.swapaxes(1, 2)) / 2
    lower, upper = rsa.noise_ceiling(people)
    own = np.mean([rsa.compare(truth, one) for one in people])
    assert lower < own < upper
    assert 0 < rsa.split_half(people) < 1
    same = np.stack([truth] * 3)
    assert rsa.noise_ceiling(same) == pytest.approx((1, 1))


def brute_cka(x, y):
    h = np.eye(len(x)) - 1 / len(x)
    k, l = h @ x @ x.T @ h, h @ y @ y.T @ h
    return (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())


@pytest.mark.parametrize("pair", [(X, X[:, :3]), (X, Y), (Y, Y[:, :9])])
def test_biased_cka_equals_the_definition_in_both_forms(pair):
    assert rsa.cka(*pair) == pytest.approx(brute_cka(*pair), abs=1e-10)
    assert rsa.cka(*(torch.tensor(v) for v in pair)) == pytest.approx(brute_cka(*pair), abs=1e-10)


def brute_unbiased(k, l):
    """Song et al.: mean over distinct quadruples of k_ij (l_ij + l_qr - 2 l_iq)."""
    import itertools

    total, n = 0.0, 0
    for i, j, q, r in itertools.permutations(range(len(k)), 4):
        total += k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
        n += 1
    return total / n


def test_debiased_cka_equals_the_mean_over_quadruples():
    x, y = X[:7, :3], Y[:7, :4]
    k, l = x @ x.T, y @ y.T
    expected = brute_unbiased(k, l) / np.sqrt(brute_unbiased(k, k) * brute_unbiased(l, l))
    assert rsa.cka(x, y, debiased=True) == pytest.approx(expected, abs=1e-10)


def test_debiased_cka_does_not_rise_with_width():
    many = RNG.standard_normal((40, 2000)), RNG.standard_normal((40, 2000))
    assert rsa.cka(*many) > 0.9
    assert abs(rsa.cka(*many, debiased=True)) < 0.1
    turn, _ = np.linalg.qr(RNG.standard_normal((7, 7)))
    for debiased in (False, True):
        assert rsa.cka(X, 3 * X @ turn + 5, debiased=debiased) == pytest.approx(1)


def test_one_line_errors():
    with pytest.raises(InputError, match="metric"):
        rsa.rdm(X, "manhattan")
    with pytest.raises(InputError, match="NaN"):
        rsa.rdm(np.where(X > 2, np.nan, X) * np.nan)
    with pytest.raises(InputError, match="same ids"):
        rsa.compare(rsa.rdm(X), rsa.rdm(X[:20]))
    with pytest.raises(InputError, match="same ids"):
        rsa.cka(X, Y[:20])
    with pytest.raises(InputError, match="single person"):
        rsa.noise_ceiling(rsa.rdm(X)[None])


def test_tensors_give_the_same_comparison():
    a, b = rsa.rdm(X), rsa.rdm(Y)
    for method in rsa.METHODS:
        assert rsa.compare(torch.tensor(a), torch.tensor(b), method) == pytest.approx(rsa.compare(a, b, method))
        assert rsa.compare(torch.tensor(a), b, method) == pytest.approx(rsa.compare(a, b, method))


def test_upper_triangle_reads_rows_first():
    matrix = np.arange(16).reshape(4, 4)
    np.testing.assert_array_equal(rsa.upper_triangle(matrix), [1, 2, 3, 6, 7, 11])
    np.testing.assert_array_equal(rsa.upper_triangle(np.stack([matrix, matrix + 1]))[1], [2, 3, 4, 7, 8, 12])
    np.testing.assert_array_equal(rsa.upper_triangle(torch.tensor(matrix)), [1, 2, 3, 6, 7, 11])


def test_a_comparison_comes_with_its_own_ceiling():
    rng = np.random.default_rng(3)
    truth = rsa.rdm(rng.normal(size=(30, 5)), "euclidean")
    noise = rng.normal(size=(16, 30, 30))
    people = truth + 1.2 * (noise + noise.transpose(0, 2, 1))
    mean, single = (rsa.ceiling(people, against) for against in ("mean", "single"))
    with_mean = rsa.compare(truth, people.mean(0))
    with_each = np.mean([rsa.compare(truth, one) for one in people])
    # closed form: halves of the people agree with r, all of them with the truth at the root of 2 r / (1 + r)
    half = rsa.split_half(people, n_splits=200)
    assert mean[0] == mean[1] == pytest.approx((2 * half / (1 + half)) ** 0.5)
    assert with_mean == pytest.approx(mean[1], abs=0.03)  # the truth reaches the ceiling for the mean
    assert single == rsa.noise_ceiling(people)
    assert single[0] - 0.02 < with_each < single[1] + 0.02
    assert with_mean > single[1] + 0.1  # what was once set beside the wrong ceiling
    assert rsa.ceiling(np.stack([truth] * 4), "mean") == pytest.approx((1, 1))
    with pytest.raises(InputError, match="against"):
        rsa.ceiling(people, "some")
    with pytest.raises(InputError, match="at least two"):
        rsa.ceiling(people[:1], "mean")


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("HUMALIGN_DATA"), reason="HUMALIGN_DATA is not set: no real files at hand")
def test_ceilings_of_the_92_images_as_the_data_describe_them():
    from humalign.config import get_profile
    from humalign.data import registry

    people = registry.load("mur92", get_profile("slice")).rdm
    assert rsa.ceiling(people, "single") == pytest.approx((0.478, 0.575), abs=5e-4)
    assert rsa.split_half(people, n_splits=200) == pytest.approx(0.642, abs=5e-3)
    assert rsa.ceiling(people, "mean")[0] == pytest.approx(0.88, abs=5e-3)


@pytest.mark.parametrize(("n", "p", "q"), [(60, 10, 200), (40, 300, 300), (100, 20, 20)])
def test_cka_of_noise_is_what_noise_gives_and_nothing_is_left_after_debiasing(n, p, q):
    rng = np.random.default_rng(0)
    pairs = [(rng.standard_normal((n, p)), rng.standard_normal((n, q))) for _ in range(60)]
    biased, debiased = (np.array([rsa.cka(*pair, debiased=d) for pair in pairs]) for d in (False, True))
    assert biased.mean() == pytest.approx(rsa.cka_of_noise(n, p, q), rel=0.02)
    assert abs(debiased.mean()) < 3 * debiased.std(ddof=1) / len(pairs) ** 0.5 + 1e-3
    assert rsa.cka(pairs[0][0], pairs[0][0], debiased=True) == pytest.approx(1)
