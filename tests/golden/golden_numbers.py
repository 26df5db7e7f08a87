"""Record the numbers of today's code, and check that none moved.

::

    python tests/golden/golden_numbers.py record [--only TEXT] [--part core|data|analyses|all]
    python tests/golden/golden_numbers.py check  [--only TEXT] [--part core|data|analyses|all]
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # rounding follows the number of threads
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from golden import store  # noqa: E402
from golden.cases import CASES, Case, MissingInputError  # noqa: E402

NUMBERS = HERE / "numbers"


def main() -> int:
    """Run the cases; return 1 if any number moved."""
    options = _parse()
    cases = _chosen(options.part, options.only)
    with _fresh_cache():
        moved = [case.name for case in cases if not _run(case, record=options.action == "record")]
    if options.action == "record":
        size = sum(path.stat().st_size for path in NUMBERS.glob("*.npz"))
        _say(f"{len(cases)} cases; {size / 1e6:.2f} MB in {NUMBERS.name}")
    elif moved:
        _say(f"{len(moved)} of {len(cases)} cases MOVED: {', '.join(moved)}")
    else:
        _say(f"{len(cases)} cases: no number moved")
    return int(bool(moved))


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("action", choices=["record", "check"])
    parser.add_argument("--only", default="", help="Cases whose name contains this text.")
    parser.add_argument("--part", default="all", choices=["core", "data", "analyses", "all"])
    return parser.parse_args()


def _chosen(part: str, only: str) -> list[Case]:
    if part in ("core", "all"):
        from golden import core  # noqa: F401
    if part in ("data", "all"):
        from golden import data  # noqa: F401
    if part in ("analyses", "all"):
        from golden import analyses  # noqa: F401
    cases = [case for case in CASES.values() if only in case.name]
    if not cases:
        sys.exit(f"no case of part {part!r} has {only!r} in its name")
    return cases


@contextmanager
def _fresh_cache() -> Iterator[None]:
    """Hide cached embeddings: fetched data and models stay, everything else is computed."""
    import pooch

    usual = Path(os.environ.get("BRAINLM_CACHE") or pooch.os_cache("brainlm"))
    before = os.environ.get("BRAINLM_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("data", "language_models"):
            if (usual / name).is_dir():
                Path(folder, name).symlink_to(usual / name, target_is_directory=True)
        os.environ["BRAINLM_CACHE"] = folder
        try:
            yield
        finally:
            os.environ.pop("BRAINLM_CACHE")
            if before is not None:
                os.environ["BRAINLM_CACHE"] = before


def _run(case: Case, *, record: bool) -> bool:
    """Compute one case, store or compare it, print a line; return whether it is as it was."""
    path, start = NUMBERS / f"{case.name}.npz", time.perf_counter()
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            fresh = case.compute()
    except MissingInputError as error:
        _say(f"{case.name}: skipped, {error}")
        return True
    except Exception:
        _say(f"{case.name}: FAILED\n{traceback.format_exc()}")
        return False
    line = f"{case.name}: {time.perf_counter() - start:.2f} s, {len(fresh)} arrays"
    if record:
        store.save(path, fresh, values=case.values)
        _say(line)
        return True
    if not path.is_file():
        _say(f"{line}, no stored numbers: record them first")
        return False
    limits = (case.tolerance, store.EXACT_ENOUGH[1])
    found = store.compare(store.load(path), fresh, limits, values=case.values)
    verdict = "ok" if found.same else "MOVED"
    _say(f"{line}, deviation {found.deviation:.1e}, {verdict}", *store.lines_of(found))
    return found.same


if __name__ == "__main__":
    sys.exit(main())
