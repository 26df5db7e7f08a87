"""Log of a run: output and warnings with their times, kept for the bundle.

``keep_log`` listens to standard output, standard error and warnings while a command runs;
``brainlm.results.bundle.save_bundle`` writes what was heard into the bundle as ``log.txt``.
Progress bars are left out.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

_CURRENT: ContextVar[_Log | None] = ContextVar("log", default=None)


class _Log:
    def __init__(self) -> None:
        self.start = perf_counter()
        self.lines: list[str] = [f"started {datetime.now(UTC).isoformat(timespec='seconds')}"]

    def add(self, text: str) -> None:
        """Record the lines of a text, each with the seconds since the start."""
        stamp = f"{perf_counter() - self.start:9.1f} s  "
        self.lines += [stamp + line for line in text.splitlines() if line.strip()]


class _Ear:
    """A stream that passes everything on and keeps its whole lines."""

    def __init__(self, stream: Any, log: _Log) -> None:
        self._stream, self._log, self._begun = stream, log, ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            if "\r" not in line:  # a progress bar draws over itself
                self._log.add(line)
        if "\r" in self._begun:
            self._begun = "\r"  # a long bar is not remembered
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def keep_log() -> Iterator[None]:
    """Record printed output and warnings; an outer ``keep_log`` records them, too."""
    if _CURRENT.get() is not None:
        yield
        return
    log = _Log()
    streams, show = (sys.stdout, sys.stderr), warnings.showwarning

    def heard(message: Any, category: type[Warning], *rest: Any, **named: Any) -> None:
        log.add(f"warning: {category.__name__}: {message}")
        sys.stderr, ear = streams[1], sys.stderr  # the log has it already
        try:
            show(message, category, *rest, **named)
        finally:
            sys.stderr = ear

    token = _CURRENT.set(log)
    sys.stdout, sys.stderr = (_Ear(stream, log) for stream in streams)
    warnings.showwarning = heard
    try:
        yield
    finally:
        _CURRENT.reset(token)
        sys.stdout, sys.stderr = streams
        if warnings.showwarning is heard:
            warnings.showwarning = show


def say(line: str) -> None:
    """Print a line on standard error, above any progress bar, and record it."""
    from tqdm import tqdm

    log = _CURRENT.get()
    n_heard = 0 if log is None else len(log.lines)
    tqdm.write(line, file=sys.stderr)
    if log is not None and len(log.lines) == n_heard:  # a bar was drawn in the same line
        log.add(line)


def log_lines() -> list[str]:
    """Return the lines of the log so far; none outside of ``keep_log``."""
    log = _CURRENT.get()
    if log is None:
        return []
    log.add("bundle is written")
    return list(log.lines)
