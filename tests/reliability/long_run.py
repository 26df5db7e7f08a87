"""The long part of the reliability tests: damaged inputs and kills, counted.

::

    python tests/reliability/long_run.py --inputs 10000 --kills 500

prints a table of each, and ends with an error where anything went wrong. docs/reliability.md holds
the counts of the last run.
"""

import argparse
import importlib
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
LOADED_FIRST = ("torch", "transformers", "sklearn.linear_model", "nilearn.image", "mne_bids")
LOADED_FIRST += ("brainlm.batch.run", "brainlm.workflow", "brainlm.cli.app", "brainlm.comparison")
LOADED_FIRST += ("nilearn.interfaces.fmriprep", "xarray", "h5netcdf", "matplotlib.pyplot")
SHARES = {  # of the kills
    "embed": 0.59,
    "long recordings": 0.19,
    "encode (a study)": 0.19,
    "mulcogbench": 0.02,
    "decode": 0.01,
}


def fuzz(n_inputs, seed, folder):
    """Read damaged inputs of every family; return how many went wrong."""
    from support.families import FAMILIES
    from support.trials import report, run_all

    counts, seconds = run_all(FAMILIES, folder, n_inputs, seed)
    print(report(counts, seconds))
    return sum(len(count.bad) for count in counts.values())


def kill(n_kills, seed, folder):
    """Kill and resume every kind of work; return how many results were wrong."""
    from support.resumable import WORKS, run_kills

    print("| work | kills | compared | wrong | seconds |\n|---|---|---|---|---|", flush=True)
    n_wrong = 0
    for i, work in enumerate(WORKS):
        found = run_kills(work, folder / f"k{i}", round(SHARES[work.name] * n_kills), seed)
        n_wrong += len(found.wrong)
        row = (work.name, found.kills, found.ends, len(found.wrong), round(found.seconds))
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        for wrong in found.wrong:
            print(f"  {wrong}", flush=True)
    return n_wrong


def main():
    parser = argparse.ArgumentParser(description="Damaged inputs and kills, counted.")
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged inputs (0: none)")
    parser.add_argument("--kills", type=int, default=500, help="kills (0: none)")
    parser.add_argument("--seed", type=int, default=20160608)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in LOADED_FIRST:  # children are forked, and need not load them again
        importlib.import_module(name)
    import torch

    import brainlm.compute.memory as memory

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        wrong = kill(given.kills, given.seed, Path(folder)) if given.kills else 0
        memory.available_memory = lambda: 1 << 29  # readers may take half of what is counted
        wrong += fuzz(given.inputs, given.seed, Path(folder)) if given.inputs else 0
    sys.exit(f"{wrong} went wrong" if wrong else 0)


if __name__ == "__main__":
    main()
