"""Trials of damaged inputs in child processes: crashes, hangs, memory, silent errors."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from support.mutations import TEXTS, damaged

LONGEST = 10.0  # seconds of one input
MOST_SILENT = 6  # times as long, where the machine is busy with other things
MOST = 1 << 30  # bytes that one input may take
ALLOWED = (ValueError, FileNotFoundError, PermissionError, MemoryError)
# A text, or HDF5 that was changed as the format allows, may hold other content without any fault.
FINE = ("refused", "same", "other values", "other content", "unchanged")


@dataclass
class Count:
    """Outcomes of the inputs of one family, and the first examples of each bad one."""

    outcomes: Counter = field(default_factory=Counter)
    bad: list = field(default_factory=list)

    def add(self, outcome, note):
        self.outcomes[outcome] += 1
        if outcome not in FINE:
            self.bad.append((outcome, note))


def fingerprint(values):
    """Return a hash of arrays and texts, nested in tuples and dicts."""
    digest = hashlib.sha256()
    for value in values:
        array = np.asarray(value)
        if array.dtype.kind in "OUT":
            digest.update(repr(array.tolist()).encode("utf-8", "surrogatepass"))
        else:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


def attempt(family, folder, whole, rng):
    """Damage one file of the folder, read it, and return the outcome and a note."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and family.takes(p))
    path = files[rng.integers(len(files))]
    original = path.read_bytes()
    kind = damaged(path, rng)
    if kind is None:
        return "unchanged", ""
    note = f"{path.name}: {kind}"
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak counts from here
    before = _peak()
    try:
        facts, digest = family.read(folder)
    except ALLOWED as error:
        outcome, told = "refused", str(error)
        if not any(name in told for name in (str(folder), "tiny-llama")) or "\n" in told.strip():
            outcome = "unclear"
        note += f": {type(error).__name__}: {told}"
    except Exception as error:
        own = [each for each in traceback.extract_tb(error.__traceback__) if "brainlm/" in each[0]]
        own = [f"{os.path.basename(each[0])}:{each[1]}" for each in own]
        outcome, note = "traceback", f"{note}: {type(error).__name__}: {error} at {own[-2:]}"
    else:
        if facts != whole[0]:
            may_differ = path.suffix in TEXTS or kind.startswith("hdf5")
            outcome = "other content" if may_differ else "wrong"
            note += f": {facts} for {whole[0]}"
        else:
            outcome = "same" if digest == whole[1] else "other values"
    if _peak() - before > MOST:
        outcome, note = "memory", f"{note}: {(_peak() - before) >> 20} MiB"
    if path.parent.exists():
        path.write_bytes(original)
    return outcome, note


def _child(family, template, scratch, whole, seed, numbers, pipe):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    for number in numbers:
        os.write(pipe, f"{number}\n".encode())
        rng = np.random.default_rng([seed, number])
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(template, scratch)
        outcome, note = attempt(family, scratch, whole, rng)
        line = json.dumps([outcome, note[:2000]])
        os.write(pipe, f"{line}\n".encode())


def processor_seconds(child):
    """Return the processor time of a process since it was started."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _lines(pipe, child):
    """Yield the lines of a child; None where it is silent for too long, and it is killed."""
    rest, silent, used = b"", 0, 0.0
    while True:
        ready, _, _ = select.select([pipe], [], [], LONGEST)
        if ready:
            silent, used = 0, processor_seconds(child)
        elif silent < MOST_SILENT and processor_seconds(child) - used < LONGEST / 2:
            silent += 1  # the machine is busy with other things
            continue
        if not ready:
            os.kill(child, signal.SIGKILL)
            yield None
            return
        got = os.read(pipe, 1 << 16)
        if not got:
            return
        *lines, rest = (rest + got).split(b"\n")
        yield from lines


def run_family(family, folder, n_inputs, seed=20160608):
    """Try so many damaged inputs of a family; return their `Count`."""
    template, scratch, count = folder / "whole", folder / "tried", Count()
    template.mkdir(parents=True)
    family.write(template)
    shutil.copytree(template, scratch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = family.read(scratch)
    seed = seed + int(hashlib.sha256(family.name.encode()).hexdigest()[:6], 16)
    left = list(range(n_inputs))
    while left:
        left = _batch(family, template, scratch, whole, seed, left, count)
    shutil.rmtree(folder)
    return count


def _batch(family, template, scratch, whole, seed, numbers, count):
    """Run inputs in one child until it ends; return those that are left."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 1
        try:
            _child(family, template, scratch, whole, seed, numbers, writer)
            code = 0
        except BaseException:
            os.write(writer, json.dumps(["harness", traceback.format_exc()]).encode() + b"\n")
        finally:
            os._exit(code)
    os.close(writer)
    done, running, hung = 0, False, False
    for line in _lines(reader, child):
        if line is None:
            hung = True
        elif line.isdigit():
            running = True
        else:
            count.add(*json.loads(line))
            done, running = done + 1, False
    os.close(reader)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if running or code:
        count.add(
            "hang" if hung else "crash", f"input {numbers[min(done, len(numbers) - 1)]}: {code}"
        )
        done += 1
    return numbers[done:]


def report(counts, seconds):
    """Return the counts as a table in Markdown."""
    names = sorted({name for count in counts.values() for name in count.outcomes})
    rows = [["family", "inputs", *names]]
    total = sum((count.outcomes for count in counts.values()), Counter())
    for name, outcomes in [*((n, c.outcomes) for n, c in counts.items()), ("all", total)]:
        rows.append([name, sum(outcomes.values()), *(outcomes[each] for each in names)])
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + f"\n\n{seconds:.0f} s"


def run_all(families, folder, n_inputs, seed=20160608, told=sys.stdout):
    """Try ``n_inputs`` damaged inputs, spread over the families, and write the counts."""
    start, counts = time.monotonic(), {}
    for i, family in enumerate(families):
        share = n_inputs // len(families) + (i < n_inputs % len(families))
        began = time.monotonic()
        counts[family.name] = run_family(family, folder / f"f{i}", share, seed)
        bad = counts[family.name].bad
        if told:
            seconds = time.monotonic() - began
            print(f"{family.name}: {share} inputs, {len(bad)} bad, {seconds:.0f} s", file=told)
            for outcome, note in bad:
                print(f"  {outcome}: {note[:300]!r}", file=told)
            told.flush()
    return counts, time.monotonic() - start
