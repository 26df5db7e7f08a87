"""What does it cost to open 100,000 voxels x 10,000 samples, and to read a block of them?

``python benchmarks/open.py`` writes ten runs of fMRI volumes in the BIDS layout (int16, not packed;
2 GB at full size) into a temporary folder and opens them three times in fresh processes: the first
time, when the samples of each voxel are laid side by side in the cache, and again; then one block
of targets is read. Seconds, the memory above that of the imported package, and the bytes read.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import nibabel as nib
import numpy as np

RUNS = 10


def write_subject(folder: Path, voxels: int, samples: int) -> None:
    """Volumes of noise around 1,000 over a full mask, and one word per second of each run."""
    grid = (voxels // 100, 10, 10)
    rng = np.random.default_rng(0)
    nib.save(nib.Nifti1Image(np.ones(grid, np.uint8), np.eye(4)), folder / "mask.nii")
    for run in range(1, RUNS + 1):
        n = samples // RUNS
        volumes = (1000 + 50 * rng.standard_normal((*grid, n), dtype=np.float32)).astype(np.int16)
        image = nib.Nifti1Image(volumes, np.eye(4))
        image.header.set_zooms((3, 3, 3, 2))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, folder / f"sub-1_run-{run}_bold.nii")
        words = [f"{second}.0\t0.5\tword{second}" for second in range(1, 2 * n - 2)]
        lines = ["onset\tduration\tword", *words]
        (folder / f"sub-1_run-{run}_events.tsv").write_text("\n".join(lines) + "\n")


def measure(folder: str, block: int) -> None:
    """Open the subject and read a block of its targets; print what it took."""
    from brainlm.io import read_bids

    def peak() -> float:  # ru_maxrss would be that of the parent, too
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

    def read() -> int:
        lines = Path("/proc/self/io").read_text().splitlines()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt * resource.getpagesize()
        return int(dict(line.split(": ") for line in lines)["rchar"]) + faults

    before, start = peak(), perf_counter()
    _, recording = read_bids(
        folder,
        "1",
        pattern="sub-{subject}_run-{run}_bold.nii",
        mask="mask.nii",
        word="word",
        language="en",
        unit="BOLD",
    )
    found = {
        "open_s": perf_counter() - start,
        "open_MiB": peak() - before,
        "read_MiB": read() / 2**20,
    }
    some = slice(5 * block, 6 * block)
    start = perf_counter()
    part = np.array(recording.data[:, some])
    found |= {"block_s": perf_counter() - start, "block_MiB": part.nbytes / 2**20}
    found["peak_MiB"] = peak() - before
    print(json.dumps(found))


def main(arguments: list[str] | None = None) -> None:
    """Write, open, open again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--block", type=int, default=1000, help="targets read at once")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    options = parser.parse_args(arguments)
    if options.quick:
        options.voxels, options.samples, options.block = 200, 120, 50
    if options.measure:
        measure(options.measure, options.block)
        return
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        write_subject(Path(folder), options.voxels, options.samples)
        start = perf_counter()
        for path in Path(folder).glob("*_bold.nii"):
            path.read_bytes()
        raw = perf_counter() - start
        print(f"{options.voxels} voxels x {options.samples} samples; reading the files {raw:.1f} s")
        for name in ("first opening", "second opening"):
            done = subprocess.run(
                [sys.executable, __file__, "--measure", folder, "--block", str(options.block)],
                env=os.environ | {"BRAINLM_CACHE": cache},
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in found.items()))


if __name__ == "__main__":
    main()
