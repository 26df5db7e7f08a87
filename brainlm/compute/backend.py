"""One interface to numpy and torch, so that each algorithm is written once for both.

An array is a numpy array or a torch tensor. What an algorithm makes lies where its features lie, on
the same device and of the same precision; row numbers, penalties and folds are numpy on the host.
torch is imported only where a tensor or a device is given.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy import linalg


def is_tensor(A: Any) -> bool:
    """Return whether ``A`` is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(A, torch.Tensor)


def is_accelerator(A: Any) -> bool:
    """Return whether ``A`` is on a device other than the processor."""
    return is_tensor(A) and A.device.type != "cpu"


def namespace(A: Any) -> Any:
    """Return the module whose functions take ``A``: numpy or torch."""
    return sys.modules["torch"] if is_tensor(A) else np


def check_device(device: str) -> str:
    """Return ``device`` if torch can use it; raise otherwise, never fall back to the CPU."""
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device {device!r} is not a torch device, such as 'cpu' or 'cuda:0'"
        ) from error
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if (wanted.index or 0) >= there.get(wanted.type, 0):
        found = ", ".join(f"{name} ({count})" for name, count in there.items() if count)
        raise ValueError(
            f"device {device!r} is not on this machine; torch finds: {found}. Leave device out to "
            "compute where the data are, or install torch for that device"
        )
    return device


def place(A: Any, device: str | None, name: str = "X") -> Any:
    """Return ``A`` as a tensor on a device, or unchanged where ``device`` is None.

    Parameters
    ----------
    A : array
    device : str or None
        "cpu" is torch on the processor.
    name : str
        Of ``A``, for the error.

    Raises
    ------
    ValueError
        The device is not there, or does not know double precision.
    """
    if device is None:
        return A
    import torch

    check_device(device)
    tensor = A if is_tensor(A) else torch.from_numpy(native(A))
    if torch.device(device).type == "mps" and tensor.dtype == torch.float64:
        raise ValueError(
            f"{name} is float64, which device {device!r} cannot compute with: convert it to "
            "float32, or use the processor"
        )
    return tensor.to(device)


def like(A: Any, ref: Any, *, keep_dtype: bool = False) -> Any:
    """Return ``A`` on the device and, unless ``keep_dtype``, in the precision of ``ref``."""
    if not is_tensor(ref):
        A = host(A)
        return A if keep_dtype else np.asarray(A, dtype=ref.dtype)
    tensor = A if is_tensor(A) else namespace(ref).from_numpy(native(A))
    if ref.device.type == "mps" and tensor.dtype == namespace(ref).float64:
        tensor = tensor.float()
    return tensor.to(ref.device, None if keep_dtype else ref.dtype)


def host(A: Any) -> np.ndarray:
    """Return ``A`` as a numpy array."""
    return A.detach().cpu().numpy() if is_tensor(A) else np.asarray(A)


def beside(Y: Any, ref: Any) -> Any:
    """Return a template for arrays on the device of ``Y`` in the precision of ``ref``."""
    return ref if is_tensor(Y) or not is_tensor(ref) else host(ref[:0])


def native(A: Any) -> np.ndarray:
    """Return an array that torch takes: its own byte order, forward strides, writeable."""
    A = np.asarray(A)
    A = A.astype(A.dtype.newbyteorder("="), copy=False)
    return A if A.flags.writeable and min(A.strides, default=0) >= 0 else A.copy()


def empty(shape: tuple[int, ...], ref: Any, *, in_double: bool | None = None) -> Any:
    """Return an uninitialised array on the device of ``ref``; see ``full``."""
    return full(shape, None, ref, in_double=in_double)


def full(
    shape: tuple[int, ...], value: float | None, ref: Any, *, in_double: bool | None = None
) -> Any:
    """Return an array of one value (None: any) on the device of ``ref``.

    ``in_double`` True is double, False single precision; None that of ``ref``.
    """
    xp = namespace(ref)
    place = {"device": ref.device} if is_tensor(ref) else {}
    dtype = ref.dtype if in_double is None else _precision(ref, in_double)
    if value is None:
        return xp.empty(shape, dtype=dtype, **place)
    return xp.full(shape, value, dtype=dtype, **place)


def as_rows(Y: Any) -> Any:
    """Return the columns of ``Y`` as rows that are contiguous in memory."""
    return Y.T.contiguous() if is_tensor(Y) else np.ascontiguousarray(Y.T)


def at(rows: Any, ref: Any) -> Any:
    """Return row numbers (or a slice of them) as an index of ``ref``, moved once."""
    if isinstance(rows, slice) or not is_tensor(ref):
        return rows
    return namespace(ref).as_tensor(rows, device=ref.device)


# Precision


def is_single(A: Any) -> bool:
    """Return whether ``A`` is in single precision."""
    return bool(A.dtype == namespace(A).float32)


def _precision(A: Any, in_double: bool) -> Any:
    xp = namespace(A)
    return xp.float64 if in_double and has_double(A) else xp.float32


def has_double(A: Any) -> bool:
    """Return whether the device of ``A`` computes in double precision."""
    return not (is_tensor(A) and A.device.type == "mps")


def eps(A: Any) -> float:
    """Return the rounding error of the precision of ``A``; that of float64 for integers."""
    xp = namespace(A)
    floating = A.is_floating_point() if is_tensor(A) else np.issubdtype(A.dtype, np.floating)
    return float(xp.finfo(A.dtype if floating else xp.float64).eps)


def double(A: Any) -> Any:
    """Return ``A`` in double precision, in single where the device has no other."""
    if is_tensor(A):
        return A.double() if has_double(A) else A
    return np.asarray(A, dtype=np.float64)


def cast(A: Any, *, in_double: bool) -> Any:
    """Return a copy of ``A`` in double or in single precision."""
    dtype = _precision(A, in_double)
    return A.to(dtype, copy=True) if is_tensor(A) else A.astype(dtype)


def itemsize(A: Any) -> int:
    """Return the bytes of a value of ``A``, which may be anything with a ``dtype``."""
    return A.itemsize if is_tensor(A) else np.dtype(A.dtype).itemsize


# Sums


def column_means(A: Any) -> Any:
    """Return the mean of each column, summed in double precision, in the precision of ``A``."""
    if is_tensor(A):
        return double(A).mean(axis=0).to(A.dtype)
    return A.mean(axis=0, dtype=np.float64).astype(A.dtype)


def std(A: Any) -> Any:
    """Return the standard deviation of each column, divisor n."""
    return A.std(axis=0, correction=0) if is_tensor(A) else A.std(axis=0)


def spread(A: Any) -> Any:
    """Return largest minus smallest value of each column."""
    return A.amax(0) - A.amin(0) if is_tensor(A) else np.ptp(A, axis=0)


def squares(A: Any) -> Any:
    """Return the sum of squares over the last axis."""
    if is_tensor(A):
        return namespace(A).linalg.vector_norm(A, dim=-1) ** 2
    return np.einsum("...m,...m->...", A, A)


def row_dots(A: Any, B: Any) -> Any:
    """Return the product of each row of ``A`` with that of ``B``, (n,)."""
    return (A * B).sum(1) if is_tensor(A) else np.einsum("bm,bm->b", A, B)


def row_norms(A: Any) -> Any:
    """Return the length of each row, (n, 1)."""
    return namespace(A).linalg.norm(A, None, 1, True)


def column_norms(A: Any) -> Any:
    """Return the length of each column."""
    return namespace(A).linalg.norm(A, None, 0)


def largest(A: Any, axis: int) -> Any:
    """Return the largest absolute value along an axis, which is kept."""
    if is_tensor(A):
        return abs(A).amax(axis, keepdim=True)
    return np.abs(A).max(axis=axis, keepdims=True)


# Linear algebra


def shift(A: Any, value: float) -> Any:
    """Add ``value`` to the diagonal of ``A``, in place, and return it."""
    if is_tensor(A):
        A.diagonal().add_(value)
    else:
        A.flat[:: len(A) + 1] += value
    return A


def cholesky(A: Any) -> Any:
    """Return the factor of a positive definite matrix for ``solve``; ``A`` may be overwritten."""
    if is_tensor(A):
        return namespace(A).linalg.cholesky(A)
    return linalg.cho_factor(A, overwrite_a=True, check_finite=False)


def solve(factor: Any, B: Any) -> Any:
    """Return A^-1 B, where ``factor`` is ``cholesky(A)``."""
    if is_tensor(factor):
        return namespace(B).cholesky_solve(B, factor)
    return linalg.cho_solve(factor, B, check_finite=False)


def inverse(A: Any) -> Any:
    """Return the inverse of a positive definite matrix; only its lower triangle is defined."""
    if is_tensor(A):
        xp = namespace(A)
        return xp.cholesky_inverse(xp.linalg.cholesky(A))
    potri = linalg.get_lapack_funcs("potri", (A,))
    # A is symmetric, and its transpose in the order that LAPACK works on without a copy.
    factor, _ = linalg.cho_factor(A.T, lower=True, overwrite_a=True, check_finite=False)
    return potri(factor, lower=True, overwrite_c=True)[0]


def rows_of_symmetric(lower: Any, S: np.ndarray) -> Any:
    """Return rows S of the symmetric matrix whose lower triangle is given, (n_S, n), a copy."""
    if is_tensor(lower):
        return lower[at(S, lower)]  # torch fills both triangles
    first, stop = int(S[0]), int(S[-1]) + 1
    if stop - first > 2 * len(S):  # far apart: row by row
        whole = np.tril(lower, -1)
        return (whole + whole.T)[S] + np.diag(np.diagonal(lower))[S]
    # Neighbours, nearly: what stands left of them, their own square, what stands below.
    block = np.empty((stop - first, len(lower)), dtype=lower.dtype, order="F")
    block[:, :first] = lower[first:stop, :first]
    square = np.tril(lower[first:stop, first:stop])
    block[:, first:stop] = square + np.tril(square, -1).T
    block[:, stop:] = lower[stop:, first:stop].T
    return block if stop - first == len(S) else block[S - first]


def eigh(A: Any) -> tuple[Any, Any]:
    """Return eigenvalues (rising) and eigenvectors of a symmetric ``A``; it may be overwritten."""
    if is_tensor(A):
        return tuple(namespace(A).linalg.eigh(A))
    return linalg.eigh(A, overwrite_a=True, check_finite=False, driver="evd")


def eigvalsh(A: Any) -> Any:
    """Return the eigenvalues of a symmetric ``A``, which may be overwritten."""
    if is_tensor(A):
        return namespace(A).linalg.eigvalsh(A)
    return linalg.eigvalsh(A, overwrite_a=True, check_finite=False)


def svd(A: Any) -> tuple[Any, Any, Any]:
    """Return U, s and V' of ``A = U diag(s) V'``."""
    if is_tensor(A):
        return tuple(namespace(A).linalg.svd(A, full_matrices=False))
    return linalg.svd(A, full_matrices=False, check_finite=False)


def qr(A: Any) -> tuple[Any, Any]:
    """Return Q and R of the economic QR decomposition."""
    if is_tensor(A):
        return tuple(namespace(A).linalg.qr(A))
    return linalg.qr(A, mode="economic", check_finite=False)
