"""Interruptions of work on files at each of its steps: kills, and power cuts.

The work runs once. At every step (a rename, a removal, a flush) the tree is remembered as it is in
memory, and what of it is certainly on the disk: a file as it was when it was last flushed, a folder
with the entries that it had when it was last flushed. A kill leaves what is in memory. A power cut
leaves, of each file and each folder, any version since the last flush.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from pathlib import Path

import numpy as np

SECTOR = 32  # bytes; the files are small
HOOKED = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "fsync")


class Disk:
    """Versions of all files and folders below ``root`` since they were last flushed."""

    def __init__(self, root):
        self.root = Path(root)
        self.names = {}  # inode -> number of the object that has it now
        self.numbers = itertools.count()
        self.versions = {}  # number -> versions of it; the first one is on the disk
        self.steps = []
        self.look()
        for number in self.versions:
            self.versions[number] = self.versions[number][-1:]
        self.top = self.names[os.stat(self.root).st_ino]
        self.save()

    def look(self):
        """Add a version of everything that has changed."""
        seen = {}
        for folder, folders, files in os.walk(self.root):
            seen[os.stat(folder).st_ino] = (folder, [*folders, *files])
            for name in files:
                path = os.path.join(folder, name)
                seen[os.stat(path).st_ino] = (path, None)
        self.names = {inode: n for inode, n in self.names.items() if inode in seen}
        for inode in seen:
            if inode not in self.names:  # a new object: nothing of it is on the disk
                self.names[inode] = next(self.numbers)
                is_folder = seen[inode][1] is not None
                self.versions[self.names[inode]] = [{} if is_folder else b""]
        for inode, (path, entries) in seen.items():
            number = self.names[inode]
            if entries is None:
                found = Path(path).read_bytes()
            else:
                inodes = {name: os.lstat(os.path.join(path, name)).st_ino for name in entries}
                found = {name: self.names[each] for name, each in inodes.items()}
            if found != self.versions[number][-1]:
                self.versions[number].append(found)

    def save(self):
        self.steps.append({number: list(each) for number, each in self.versions.items()})

    def flushed(self, inode):
        number = self.names.get(inode)
        if number is not None:
            self.versions[number] = self.versions[number][-1:]

    def restore(self, step, target, rng=None):
        """Write what is left after a kill at a step, or with ``rng`` after a power cut."""
        versions = self.steps[step]

        def chosen(number):
            each = versions[number]
            if rng is None:
                return each[-1]
            version = each[rng.integers(len(each))]
            if isinstance(version, bytes) and len(each) > 1 and rng.random() < 0.5:
                return torn(each[0], each[-1], rng)
            return version

        def write(number, path):
            version = chosen(number)
            if isinstance(version, bytes):
                path.write_bytes(version)
                return
            path.mkdir()
            for name, each in version.items():
                write(each, path / name)

        shutil.rmtree(target, ignore_errors=True)
        write(self.top, Path(target))


def torn(flushed, latest, rng):
    """Return a file of which the length was written, and only some of the sectors."""
    old = flushed[: len(latest)].ljust(len(latest), b"\0")
    starts = range(0, len(latest), SECTOR)
    parts = [(old, latest)[rng.integers(2)][start : start + SECTOR] for start in starts]
    return b"".join(parts)


@contextlib.contextmanager
def watched(root):
    """Yield a `Disk` that remembers every step of what is done to the files below ``root``."""
    disk = Disk(root)
    originals = {name: getattr(os, name) for name in HOOKED}

    def hook(name):
        def wrapped(*given, **options):
            disk.look()
            disk.save()
            flushes = name == "fsync"
            inode = os.fstat(given[0]).st_ino if flushes else None
            result = originals[name](*given, **options)
            disk.look()
            if flushes:
                disk.flushed(inode)
            disk.save()
            return result

        return wrapped

    try:
        for name in HOOKED:
            setattr(os, name, hook(name))
        yield disk
    finally:
        for name in HOOKED:
            setattr(os, name, originals[name])
        disk.look()
        disk.save()


def interruptions(disk, target, seed, cuts=3):
    """Yield a label for a kill and some power cuts at each step, restored in ``target``."""
    for step in range(len(disk.steps)):
        disk.restore(step, target)
        yield f"kill at step {step}"
        for cut in range(cuts):
            disk.restore(step, target, np.random.default_rng([seed, step, cut]))
            yield f"power cut {cut} at step {step}"
