"""Ridge encoding against himalaya with the best backend and BLAS that a user can set; ratios.

    python benchmarks/ridge_best.py --targets 20000 --repeats 1
    python benchmarks/ridge_best.py --quick          # does the harness work?

OpenBLAS takes the kernels of AVX2 on AMD's processors with AVX-512, unless OPENBLAS_CORETYPE names
others before numpy is loaded. So every choice is measured in a separate process, which runs the row
``many`` of ``benchmarks/ridge.py``; both sides then count with their best.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

GOALS = {"himalaya / fast": ">= 6", "himalaya / exact": ">= 2.5", "exact / products": "<= 1.25"}
NAMES = ("himalaya", "fast", "exact", "products")


def choices() -> list[tuple[str, str]]:
    """Return backends of himalaya with kernels of OpenBLAS ("": its own choice)."""
    flags = Path("/proc/cpuinfo")
    wide = platform.machine() == "x86_64" and flags.exists() and "avx512f" in flags.read_text()
    return [("numpy", ""), ("torch", ""), *([("numpy", "SkylakeX")] if wide else [])]


def row(backend: str, kernels: str, arguments: list[str]) -> dict:
    """Measure the row with one choice."""
    environment = os.environ | ({"OPENBLAS_CORETYPE": kernels} if kernels else {})
    script = str(Path(__file__).with_name("ridge.py"))
    command = [sys.executable, script, "--rows=many", f"--backend={backend}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict = json.loads(done.stdout.splitlines()[-1])["results"]
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--features", type=int, default=3072)
    parser.add_argument("--targets", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    given = parser.parse_args(arguments)
    sizes = [f"--{key}={value}" for key, value in vars(given).items() if key != "quick"]
    found: dict = {}
    for backend, kernels in choices():
        name = f"{backend} {kernels}".strip()
        found[name] = row(backend, kernels, ["--quick"] if given.quick else sizes)
        print(name, {key: round(found[name][f"{key}, s"], 3) for key in NAMES}, flush=True)
    least = {name: min(each[f"{name}, s"] for each in found.values()) for name in NAMES}
    result: dict = {f"best {name}, s": seconds for name, seconds in least.items()}
    for key in GOALS:
        above, below = key.split(" / ")
        result[f"best {key}"] = least[above] / least[below]
        print(f"best {key:30s} {result[f'best {key}']:8.3g}   {GOALS[key]}")
    print(json.dumps({**vars(given), "choices": found, "results": result}))


if __name__ == "__main__":
    main()
