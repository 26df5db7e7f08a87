"""Free device memory, and targets streamed to a device in blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from brainlm.compute.backend import empty, host, is_accelerator, is_tensor, like, namespace, native
from brainlm.compute.lazy_arrays import column_blocks
from brainlm.compute.memory import available_memory

ACCELERATOR_BLOCK = 1 << 30  # bytes of intermediate results at a time that fill a card
SHARE = 8  # of the free memory of a card, at most, for such a block
COPIERS = 4  # threads that copy a block into pinned memory
IN_FLIGHT = 2  # blocks of targets on a card: one in use, one on its way


def free_memory(A: Any) -> int:
    """Return the free memory on the device of ``A``, in bytes."""
    if is_tensor(A) and A.device.type == "cuda":
        cuda = namespace(A).cuda
        held = cuda.memory_reserved(A.device) - cuda.memory_allocated(A.device)
        return int(cuda.mem_get_info(A.device)[0] + held)
    return available_memory()


def block_bytes(A: Any, on_processor: int, *, at_most: int = ACCELERATOR_BLOCK) -> int:
    """Return how many bytes to work on at a time: a share of the card, or ``on_processor``."""
    if not is_accelerator(A):
        return on_processor
    return max(1, min(at_most, free_memory(A) // SHARE))


def column_stream(
    Y: Any, columns: Iterable[slice], ref: Any, *, keep_dtype: bool = False
) -> Iterator[tuple[slice, Any]]:
    """Yield blocks of columns of ``Y`` on the device and in the precision of ``ref``.

    For a CUDA device, copying overlaps with computation: a thread reads the next block into pinned
    memory, and a separate CUDA stream copies it.

    Parameters
    ----------
    Y : array, or anything that gives columns as ``Y[:, a:b]``
    columns : iterable of slice
    ref : array
    keep_dtype : bool
        Leave them in their own precision.
    """
    if is_tensor(Y) or not is_tensor(ref) or ref.device.type != "cuda":
        for block in columns:
            yield block, like(Y[:, block], ref, keep_dtype=keep_dtype)
        return
    torch = namespace(ref)
    with torch.cuda.device(ref.device):
        copies, current = torch.cuda.Stream(), torch.cuda.current_stream()

    def bring(block: slice, before: Any) -> tuple[Any, Any]:
        values = np.asarray(Y[:, block])
        if before is not None:  # blocks in flight are counted, or a fast reader fills the card
            before.synchronize()
        with torch.cuda.device(ref.device):
            dtype = torch.from_numpy(native(values[:0])).dtype if keep_dtype else ref.dtype
            pinned = torch.empty(values.shape, dtype=dtype, pin_memory=True)
            into = pinned.numpy()
            cuts = np.linspace(0, len(values), COPIERS + 1, dtype=int).tolist()

            def copy(first: int, stop: int) -> None:
                np.copyto(into[first:stop], values[first:stop], casting="same_kind")

            list(pool.map(copy, cuts[:-1], cuts[1:]))  # one thread does not fill the bus
            with torch.cuda.stream(copies):
                there, arrived = pinned.to(ref.device, non_blocking=True), torch.cuda.Event()
                arrived.record(copies)
        return there, arrived

    remaining = deque(columns)
    used: deque[Any] = deque([None] * (IN_FLIGHT - 1))
    with ThreadPoolExecutor(1 + COPIERS) as pool:
        coming = pool.submit(bring, remaining[0], None) if remaining else None
        while remaining:
            block = remaining.popleft()
            assert coming is not None
            there, arrived = coming.result()
            if remaining:
                coming = pool.submit(bring, remaining[0], used.popleft())
            current.wait_event(arrived)
            there.record_stream(current)
            yield block, there
            del there
            done = torch.cuda.Event()
            done.record(current)
            used.append(done)


def resident(Y: Any, ref: Any) -> Any:
    """Return ``Y`` on the accelerator of ``ref`` if it takes no more than a quarter of its room.

    Otherwise, and where ``ref`` lies on the processor, ``Y`` itself.
    """
    n_bytes = Y.shape[0] * Y.shape[1] * ref.itemsize
    if is_tensor(Y) or not is_accelerator(ref) or n_bytes > free_memory(ref) // 4:
        return Y
    there = empty(tuple(Y.shape), ref)
    for columns, block in column_stream(Y, column_blocks(Y.shape[1], n_bytes // Y.shape[1]), ref):
        there[:, columns] = block
    return there


def affine(A: Any, W: Any, b: Any) -> Any:
    """Return ``A @ W + b``; where A is on a device and W on the host, in blocks and on the host."""
    if is_tensor(A) == is_tensor(W):
        return A @ W + b
    found, b = np.empty((len(A), W.shape[1]), dtype=W.dtype), np.broadcast_to(b, W.shape[1:])
    for columns, block in column_stream(W, column_blocks(W.shape[1], W.nbytes // W.shape[1]), A):
        found[:, columns] = host(A @ block) + b[columns]
    return found
