"""Bounds for the tests of broken files: what hangs is stopped, what swells gets no memory."""

from __future__ import annotations

import contextlib
import signal
import sys

import pytest

ROOM = 1 << 30  # bytes that opening a broken file may take above what is taken now
LONGEST = 20  # seconds for a file of a few kilobytes: beyond that it hangs
LINUX = sys.platform.startswith("linux")
linux_only = pytest.mark.skipif(not LINUX, reason="memory is bounded by Linux's RLIMIT_AS")


@contextlib.contextmanager
def bounded(seconds=LONGEST, room=ROOM):
    """Stop what is busy for longer, and let no more than ``room`` be taken (on Linux)."""
    if not LINUX:
        yield
        return
    import resource

    def stop(*_):
        raise AssertionError(f"still busy after {seconds} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    resource.setrlimit(resource.RLIMIT_AS, (taken + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
