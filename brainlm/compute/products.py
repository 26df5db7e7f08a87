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

from brainlm.compute.backend import at, is_accelerator, is_tensor, namespace

LARGE = 1 << 20  # numbers in an operand, below which laying it out costs more than it saves


@cache
def _processor_has_half() -> bool:
    return not _flags().isdisjoint({"avx512_bf16", "amx_bf16"})


def half_is_fast(A: Any) -> bool:
    """Return whether the device of ``A`` multiplies bfloat16 in hardware."""
    return multiplies_half(str(A.device) if is_accelerator(A) else "cpu")


def multiplies_half(device: str) -> bool:
    """Return whether a device, such as "cpu" or "cuda:1", multiplies bfloat16 in hardware."""
    if device == "cpu":
        return _processor_has_half()
    if not device.startswith("cuda"):
        return False
    import torch

    return bool(torch.cuda.get_device_capability(device) >= (8, 0))


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


def operand(A: Any, half: bool = False) -> Any:
    """Return ``A`` as the right side of ``product``: rounded, laid out for oneDNN, or as it is."""
    if half:
        return _tensor(A).bfloat16()
    if not is_tensor(A) and A.dtype == np.float32 and A.size >= LARGE and blas_is_narrow():
        return _tensor(A).to_mkldnn()
    return A


def product(A: Any, B: Any, out: Any = None) -> Any:
    """Return ``A @ B.T``, where ``B`` is an ``operand``, as float32 or float64.

    ``A`` may be a stack of matrices. ``out`` is an array of that dtype, of any shape that begins
    with the rows of ``A``.
    """
    if not is_tensor(B):
        found = np.matmul(A, B.T, out=out if A.ndim == np.ndim(out) else None)
    elif is_tensor(A):
        found = _on_device(A, B, out)
    else:
        if B.is_mkldnn:
            linear = namespace(B).nn.functional.linear
            found = linear(_tensor(A).to_mkldnn(), B).to_dense()
        else:
            found = _tensor(A).to(B.dtype) @ B.T
        if out is not None:
            namespace(B).from_numpy(out).copy_(found.reshape(out.shape))
            return out
        found = found.float().numpy()
    if out is None or found is out:
        return found
    out[:] = found.reshape(out.shape)
    return out


def _on_device(A: Any, B: Any, out: Any) -> Any:
    """Multiply tensors; half precision is summed, and where it can be also returned, in single."""
    torch = namespace(A)
    if A.dtype == B.dtype:
        if out is None or A.ndim > 2:
            return A @ B.T
        torch.mm(A, B.T, out=out.flatten(1))  # a view: only the first axis of out has a stride
        return out
    if A.is_cuda and "dtype" in torch.ops.aten.mm.overloads():  # torch 2.8
        return torch.mm(A.to(B.dtype), B.T, out_dtype=A.dtype)
    return (A.to(B.dtype) @ B.T).to(A.dtype)


def _tensor(A: Any) -> Any:
    import torch

    return A if is_tensor(A) else torch.from_numpy(np.ascontiguousarray(A))


def neighbours(rows: np.ndarray) -> np.ndarray | slice:
    """Return consecutive row numbers as a slice, which copies nothing."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def take_columns(A: Any, columns: np.ndarray) -> Any:
    """Return ``A[:, columns]``: a view of consecutive columns, or two slices joined."""
    jumps = np.flatnonzero(np.diff(columns) != 1) + 1
    if len(jumps) != 1:
        return A[:, at(neighbours(columns), A)]
    before, after = np.split(columns, jumps)  # the training samples around a test fold
    both = [A[:, neighbours(before)], A[:, neighbours(after)]]
    return namespace(A).concatenate(both, axis=1)
