"""Is the plan of a study right? A small study is planned, run and timed; then the speed of a GPU.

    python benchmarks/plan.py             # 2 models x 3 layers x 2 subjects x 4,000 targets
    python benchmarks/plan.py --quick     # does the harness work?

``brainlm plan`` measures the speed of a worker by a regression; the study runs as
``brainlm encode`` runs it, on one core, its bundle included. The speed of a GPU is that of the
record ``gpu_h100.json`` in the operations that plans count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from brainlm.batch.plan import THREADS, measured_gflops
from brainlm.batch.study_reading import read_study
from brainlm.encoding._ridge.cost import fold_operations

GOAL = "0.67 to 1.5"
# One regression of benchmarks/gpu.py: a fit without test samples, and its number of penalties.
GPU_FIT = {"n_train": 3000, "n_test": 0, "n_features": 3072, "n_targets": 100_000, "n_alphas": 20}


def write_study(folder: Path, shape: tuple[int, int, int], n_spaces: int, n_subjects: int) -> Path:
    """Write a study of random arrays; features are delayed four times."""
    rng, (n, p, v) = np.random.default_rng(0), shape
    lines = ["delays = [1, 2, 3, 4]", "targets_per_task = 2000", "empty_baseline = false"]
    lines.append("[features]")
    for number in range(n_spaces):
        np.save(folder / f"X{number}.npy", rng.standard_normal((n, p), dtype=np.float32))
        lines.append(f'"space {number}" = "X{number}.npy"')
    lines.append("[targets]")
    for number in range(n_subjects):
        np.save(folder / f"Y{number}.npy", rng.standard_normal((n, v), dtype=np.float32))
        lines.append(f'S{number} = "Y{number}.npy"')
    path = folder / "study.toml"
    path.write_text("\n".join(lines))
    return path


def seconds_of(path: Path) -> float:
    """Seconds of processor of the study on one core, without the start of the program."""
    command = "import sys; from brainlm.cli.app import main; sys.argv[0] = 'brainlm'; main()"
    environment = os.environ | dict.fromkeys(THREADS, "1")

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def run(*arguments: str) -> float:
        start = spent()
        subprocess.run(
            [sys.executable, "-c", command, *arguments],
            env=environment,
            capture_output=True,
            check=True,
        )
        return spent() - start

    out = str(path.parent / "bundle")
    return run("encode", str(path), "--out", out) - run("encode", "--help")


def gpu_gflops() -> dict:
    """Speed of the recorded card in a regression, GFLOP/s."""
    record = json.loads(Path(__file__).with_name("gpu_h100.json").read_text())
    rows = {row["row"]: row for row in record["rows"]}
    seconds = rows["ridge, fast"]["brainlm_s"]
    return {"card": record["card"], "gpu_gflops": fold_operations(**GPU_FIT) / seconds / 1e9}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    given = parser.parse_args(arguments)
    shape, n_spaces, n_subjects = ((120, 5, 30), 1, 1) if given.quick else ((1200, 128, 4000), 6, 2)
    with tempfile.TemporaryDirectory() as folder:
        path = write_study(Path(folder), shape, n_spaces, n_subjects)
        study = read_study(path)
        speed = measured_gflops(study.typical())
        planned = study.total_need().flops / speed / 1e9
        measured = seconds_of(path)
    card = gpu_gflops()
    print(f"speed of a worker, GFLOP/s         {speed:10.1f}")
    print(f"planned, s                         {planned:10.1f}")
    print(f"measured, s                        {measured:10.1f}")
    print(f"measured / planned                 {measured / planned:10.2f}   {GOAL}")
    print(f"{card['card']}, GFLOP/s   {card['gpu_gflops']:10.0f}")
    result = {"speed": speed, "planned, s": planned, "measured, s": measured, **card}
    print(json.dumps({**vars(given), "machine": platform.machine(), "results": result}))


if __name__ == "__main__":
    main()
