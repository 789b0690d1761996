"""Similarity kernels against SciPy, on both array libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from humalign.errors import InputError
from humalign.similarity import KERNELS, similarity_matrix

X = np.random.default_rng(0).normal(3, 2, (17, 6))
EXPECTED = {
    "cosine": 1 - cdist(X, X, "cosine"),
    "dot": X @ X.T,
    "euclidean": -cdist(X, X),
    "pearson": np.corrcoef(X),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_agree_with_scipy(kernel):
    np.testing.assert_allclose(similarity_matrix(X, kernel), EXPECTED[kernel], atol=1e-7)
    tensor = similarity_matrix(torch.tensor(X), kernel)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(tensor.numpy(), EXPECTED[kernel], atol=1e-7)
    single = similarity_matrix(X.astype(np.float32), kernel)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, EXPECTED[kernel], rtol=1e-4, atol=3e-4)


def test_half_precision_and_integers_are_computed_in_single():
    assert similarity_matrix(X.astype(np.float16)).dtype == np.float32
    assert similarity_matrix(torch.ones(3, 2, dtype=torch.bfloat16), "dot").dtype == torch.float32
    np.testing.assert_array_equal(similarity_matrix(np.eye(3, dtype=int), "dot"), np.eye(3))


def test_far_origin_costs_the_distances_no_precision():
    moved = (X + 1e4).astype(np.float32)
    np.testing.assert_allclose(similarity_matrix(moved, "euclidean"), -cdist(moved, moved), atol=1e-2)


@pytest.mark.parametrize("kernel", ["cosine", "pearson"])
def test_rows_without_direction_are_similar_to_nothing(kernel):
    x = X.copy()
    x[3] = 0 if kernel == "cosine" else 2.7
    out = similarity_matrix(x, kernel)
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(out[3], 0)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (5, 3), elements=st.floats(-50, 50)), st.floats(0.1, 20))
def test_cosine_ignores_scale_and_stays_in_range(values, scale):
    out = similarity_matrix(values)
    assert np.abs(out).max() <= 1 + 1e-9
    np.testing.assert_allclose(out, out.T, atol=1e-12)
    if (np.linalg.norm(values, axis=1) > 1e-3).all():
        np.testing.assert_allclose(similarity_matrix(values * scale), out, atol=1e-9)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones(3), "shape"),
        (np.ones((0, 3)), "shape"),
        (np.array([[1.0, np.nan]]), "NaN"),
        (torch.tensor([[1.0, torch.inf]]), "NaN or infinite"),
        (np.array([["a", "b"]]), "numbers"),
    ],
)
def test_bad_features_are_one_line_errors(features, message):
    with pytest.raises(InputError, match=message) as caught:
        similarity_matrix(features)
    assert "\n" not in str(caught.value)


def test_unknown_kernel():
    with pytest.raises(InputError, match="choose 'cosine'"):
        similarity_matrix(X, "jaccard")
