"""Work that is resumed after kills: begun in child processes, killed, compared at its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

import numpy as np
from support.studies import write_study
from support.trials import fingerprint, processor_seconds
from tqdm import tqdm

from brainlm.results.bundle import load_bundle
from brainlm.results.output import hold_output

LONGEST = 300.0  # seconds of processor time that work may take
MOST_SILENT = 240.0  # seconds of the clock, after which a child that sleeps is killed
KILLS_BEFORE_END = 5
tqdm.monitor_interval = 0  # its thread would be in the middle of something when a child is forked


@dataclass(frozen=True)
class Work:
    """Files that are written once, work that is begun and resumed, and a hash of its result."""

    name: str
    prepare: Callable[[Path], object]
    run: Callable[[Path, Path], object]  # the files, and an empty or interrupted folder
    result: Callable[[Path], str]


@dataclass
class Kills:
    """Numbers of one kind of work."""

    kills: int = 0
    ends: int = 0
    wrong: list = field(default_factory=list)
    seconds: float = 0.0


def bundle_hash(folder):
    """Return a hash of all arrays, settings and notes of a bundle."""
    bundle = load_bundle(folder / "out")
    kept = ("analysis", "config", "inputs", "notes", "figures", "arrays")
    about = json.dumps({key: bundle.record[key] for key in kept}, sort_keys=True)
    about = about.replace(str(folder), "FOLDER")
    values = [
        array[name].values
        for key, array in sorted(bundle.arrays.items())
        if key != "time"  # seconds that were measured
        for name in sorted(map(str, array.variables))
    ]
    return fingerprint([about, *values])


def encode(files, folder):
    from brainlm.batch.run import encode_study

    settings = ["targets_per_task=2", "alphas=[1, 10, 100, 1000]"]
    list(encode_study(files / "study.toml", folder / "out", settings=settings))


def write_words(files):
    from support.tiny_models import byte_level_bpe, tiny_llama

    tiny_llama(files, byte_level_bpe())


def embed(files, folder):
    """Embed words in small batches, each of which is recorded as a step."""
    from brainlm import LanguageModel, Stimulus
    from brainlm.storage import store

    store.SECONDS_BETWEEN_RECORDS = 0
    words = [f"word{i % 17}" for i in range(400)]
    model = LanguageModel(files / "tiny-llama", cache=folder / "cache", batch_size=4)
    values = [each.values for each in model.embed(Stimulus(words, "en"), layers="all", context=8)]
    np.save(folder / "done.npy", np.stack(values))


def embedded_hash(folder):
    return fingerprint([np.load(folder / "done.npy")])


def write_image(files):
    import nibabel as nib

    values = 1000 + np.random.default_rng(0).normal(size=(24, 24, 24, 60))
    image = nib.Nifti1Image(values.astype(np.float32), np.eye(4))
    image.header.set_zooms((1, 1, 1, 2))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, files / "bold.nii.gz")
    nib.save(nib.Nifti1Image(np.ones((24, 24, 24), np.uint8), np.eye(4)), files / "mask.nii")


def read_long(files, folder):
    from brainlm import from_image
    from brainlm.storage import long_recordings

    os.environ["BRAINLM_CACHE"] = str(folder / "cache")
    long_recordings.LARGEST_IN_MEMORY = 1 << 18
    found = from_image(files / "bold.nii.gz", files / "mask.nii", 2.0)
    np.save(folder / "done.npy", np.asarray(found.data))


def write_miniature(files):
    from miniatures.datasets import write_datasets
    from miniatures.models import write_models

    models = write_models(files / "cache")
    write_datasets(files / "data", files / "cards", models / "language_models")


def mulcogbench(files, folder):
    from miniatures.models import shipped_as_written

    from brainlm.cli.analyses import load_analysis
    from brainlm.datasets import card
    from brainlm.language_models import sources

    table = shipped_as_written(files / "cache", sources._shipped())
    card._cards_folder = lambda: files / "cards"
    sources._shipped = lambda: table
    os.environ |= {"BRAINLM_DATA": str(files / "data"), "BRAINLM_CACHE": str(files / "cache")}
    options = {"datasets": "binder-en,binder-zh", "permutations": 3, "layers": "-1"}
    load_analysis("mulcogbench").main(out=folder / "out", debug=True, **options)


def write_told(files):
    """Write stories of a simulated listener, and the tiny model that reads them."""
    from golden.made import scratch, speller
    from golden.small_studies import told_as_folder

    speller()
    (files / "options.json").write_text(
        json.dumps({**told_as_folder(), "model": str(scratch() / "speller")}, default=str)
    )


def decode(files, folder):
    from brainlm.cli.analyses import load_analysis

    os.environ["BRAINLM_CACHE"] = str(files / "cache")
    options = json.loads((files / "options.json").read_text())
    options |= {"layer": 2, "context": 4.0, "encoder": "", "draws": 1}
    options["folder"] = Path(options["folder"])
    load_analysis("decode_story_folder").main(out=folder / "out", debug=True, **options)


WORKS = [
    Work("embed", write_words, embed, embedded_hash),
    Work("long recordings", write_image, read_long, embedded_hash),
    Work("encode (a study)", write_study, encode, bundle_hash),
    Work("mulcogbench", write_miniature, mulcogbench, bundle_hash),
    Work("decode", write_told, decode, bundle_hash),
]


def _without_figures():
    """Leave out what is drawn from finished bundles: it takes most of the time."""
    import brainlm.batch.run
    import brainlm.workflow.run

    brainlm.batch.run.save_figures = brainlm.workflow.run.save_figures = lambda *_: []


def _start(work, files, folder):
    """Begin or resume work in a child; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        quiet = os.open(folder.parent / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        warnings.simplefilter("ignore")
        tqdm.set_lock(RLock())  # the usual one is shared: a killed child would keep it for all
        _without_figures()
        work.run(files, folder)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _wait(child, seconds):
    """Return the exit code of a child, or None after so many seconds of processor time."""
    start = time.monotonic()
    while processor_seconds(child) < seconds and time.monotonic() - start < MOST_SILENT:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def run_kills(work, folder, n_kills, seed=0):
    """Kill work so often, at times drawn at random; after every few kills it ends and is compared.

    Work that ended before its kill is compared, too.
    """
    files, place = folder / "files", folder / "run"
    files.mkdir(parents=True)
    work.prepare(files)
    rng, found, began = np.random.default_rng(seed), Kills(), time.monotonic()
    _empty(place)
    before = os.times()
    right = _ended(work, files, place)
    after = os.times()
    length = after.children_user - before.children_user
    length += after.children_system - before.children_system
    _empty(place)
    while found.kills < n_kills:
        child = _start(work, files, place)
        if _wait(child, rng.uniform(0, length)) is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            found.kills += 1
            if found.kills % KILLS_BEFORE_END and found.kills < n_kills:
                continue
        try:
            if _ended(work, files, place) != right:
                found.wrong.append(f"after {found.kills} kills: other values, or files are left")
        except Exception as error:
            found.wrong.append(f"after {found.kills} kills: {error}")
        found.ends += 1
        _empty(place)
    found.seconds = time.monotonic() - began
    return found


def _empty(place):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()


def _ended(work, files, place):
    """Let work go on to its end; return the hash of its result and the names of all files."""
    if (place / "out" / "bundle.json").exists():  # it was killed when it was done
        with suppress(FileExistsError), hold_output(place / "out"):
            pass  # as the next run begins
    else:
        code = _wait(_start(work, files, place), LONGEST)
        log = (place.parent / "log.txt").read_text()[-2000:]
        assert code == 0, f"{work.name}: exit code {code}: {log}"
    return work.result(place), sorted(path.name for path in place.iterdir())
