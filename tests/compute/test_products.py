"""Every kind of operand multiplies as float64 does, to its own rounding."""

import numpy as np
import pytest
import torch

import brainlm.compute.products
from brainlm.compute.products import operand, product


@pytest.mark.parametrize(
    ("kind", "limit"), [("numpy", 1e-5), ("oneDNN", 1e-5), ("half", 3e-2), ("double", 1e-12)]
)
def test_products_are_those_of_float64(rng, monkeypatch, kind, limit):
    monkeypatch.setattr(brainlm.compute.products, "LARGE", 1)
    monkeypatch.setattr(brainlm.compute.products, "blas_is_narrow", lambda: kind == "oneDNN")
    dtype = np.float64 if kind == "double" else np.float32
    A, B = rng.standard_normal((7, 40)).astype(dtype), rng.standard_normal((12, 40)).astype(dtype)
    right = operand(B, half=kind == "half")
    assert isinstance(right, torch.Tensor) == (kind in ("oneDNN", "half"))
    assert getattr(right, "is_mkldnn", False) == (kind == "oneDNN")
    expected = A.astype(float) @ B.astype(float).T
    found = product(A, right)
    assert found.dtype == dtype
    assert np.abs(found - expected).max() < limit * np.abs(expected).max()
    room = np.full((7, 4, 4), np.nan, dtype=dtype)
    product(A, right, out=room[:, 1:])  # a part of something larger
    np.testing.assert_array_equal(room[:, 1:].reshape(7, 12), found)
    assert np.isnan(room[:, 0]).all()


def test_rows_and_columns_that_do_not_lie_side_by_side_multiply_alike(rng, monkeypatch):
    monkeypatch.setattr(brainlm.compute.products, "LARGE", 1)
    monkeypatch.setattr(brainlm.compute.products, "blas_is_narrow", lambda: True)
    A, B = rng.standard_normal((2, 30, 30)).astype(np.float32)
    np.testing.assert_allclose(product(A.T[::2], operand(B.T)), A.T[::2] @ B, atol=1e-4)
