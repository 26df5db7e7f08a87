"""Products of large matrices, in full or in half precision.

Half precision (bfloat16: 8 bits of mantissa, sums in single precision) is for choices only, such
as the penalty with the smallest error; nothing that is reported as a score goes through it.

Single precision goes through oneDNN where OpenBLAS leaves half of the processor's width unused:
it has no kernels of its own for AMD's processors with AVX-512, and takes those of AVX2.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["half_is_fast", "neighbours", "operand", "product", "take_columns"]

LARGE = 1 << 20  # numbers in an operand, below which laying it out costs more than it saves


@cache
def half_is_fast() -> bool:
    """Return whether this processor multiplies bfloat16 in hardware."""
    return not _flags().isdisjoint({"avx512_bf16", "amx_bf16"})


@cache
def blas_is_narrow() -> bool:
    """Return whether numpy's products use narrower instructions than this processor has."""
    import torch
    from threadpoolctl import threadpool_info

    kernels = {
        info["architecture"] for info in threadpool_info() if info["internal_api"] == "openblas"
    }
    return (
        "avx512f" in _flags()
        and not kernels.isdisjoint({"Haswell", "Zen"})
        and torch.backends.mkldnn.is_available()
    )


@cache
def _flags() -> frozenset[str]:
    try:
        return frozenset(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return frozenset()  # not Linux: numpy is always right


def operand(A: np.ndarray, half: bool = False) -> Any:
    """Return ``A`` as the right side of ``product``: rounded, laid out for oneDNN, or as it is."""
    if half:
        return _tensor(A).bfloat16()
    if A.dtype == np.float32 and A.size >= LARGE and blas_is_narrow():
        return _tensor(A).to_mkldnn()
    return A


def product(A: np.ndarray, B: Any, out: np.ndarray | None = None) -> np.ndarray:
    """Return ``A @ B.T``, where ``B`` is an ``operand``, as float32 or float64.

    ``out`` is an array of that dtype, of any shape that begins with the rows of ``A``.
    """
    if isinstance(B, np.ndarray):
        found = A @ B.T
    else:
        import torch

        if B.is_mkldnn:
            tensor = torch.nn.functional.linear(_tensor(A).to_mkldnn(), B).to_dense()
        else:
            tensor = _tensor(A).to(B.dtype) @ B.T
        if out is not None:
            torch.from_numpy(out).copy_(tensor.reshape(out.shape))
            return out
        found = tensor.float().numpy()
    if out is None:
        return found
    out[:] = found.reshape(out.shape)
    return out


def _tensor(A: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(A))


def neighbours(rows: np.ndarray) -> np.ndarray | slice:
    """Return row numbers that follow on each other as a slice, which copies nothing."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def take_columns(A: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return ``A[:, columns]``: a view of neighbours, slices put together where they are two."""
    jumps = np.flatnonzero(np.diff(columns) != 1) + 1
    if len(jumps) != 1:
        return A[:, neighbours(columns)]
    before, after = np.split(columns, jumps)  # the training samples around a test fold
    return np.concatenate([A[:, neighbours(before)], A[:, neighbours(after)]], axis=1)
