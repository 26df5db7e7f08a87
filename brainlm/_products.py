"""Products of large matrices, in full or in half precision.

Half precision (bfloat16: 8 bits of mantissa, sums in single precision) is for choices only, such
as the penalty with the smallest error; nothing that is reported as a score goes through it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["empty", "half_is_fast", "neighbours", "operand", "product", "take_columns"]


@cache
def half_is_fast() -> bool:
    """Return whether this processor multiplies bfloat16 in hardware."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False  # not Linux: single precision is always right
    return "avx512_bf16" in flags or "amx_bf16" in flags


def empty(shape: tuple[int, ...], dtype: Any, half: bool) -> Any:
    """Return room for operands of a product."""
    if not half:
        return np.empty(shape, dtype=dtype)
    import torch

    return torch.empty(shape, dtype=torch.bfloat16)


def operand(A: np.ndarray, half: bool) -> Any:
    """Return ``A`` as ``product`` takes it: rounded to bfloat16, or as it is."""
    if not half:
        return A
    import torch

    return torch.from_numpy(np.ascontiguousarray(A, dtype=np.float32)).to(torch.bfloat16)


def product(A: Any, B: Any) -> np.ndarray:
    """Return ``A @ B.T`` of two operands of the same kind, as float32 or float64."""
    if isinstance(A, np.ndarray):
        return A @ B.T
    return (A @ B.T).float().numpy()


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
