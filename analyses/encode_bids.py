"""Which voxels of your own fMRI, in a BIDS folder, follow a language model?

One subject: images, words of the events and confounds are read from the folder, drifts are
removed, and every voxel (or vertex) is predicted through delays of 2 to 8 s from a layer of a
language model at a depth fixed before, from controls (word rate, length, frequency) and from both.
Runs are left out one after the other; a single run is cut into blocks with a gap. Random vectors
with the geometry of the layer and an autocorrelated baseline without any language are shown with
them, and the verdict says what the model explains beyond each. ``brainlm bids FOLDER`` prints the
call with the options that a folder needs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from brainlm._validation import named_subject
from brainlm.comparison.verdict import verdict, verdict_dataset
from brainlm.data.brain_maps import paint
from brainlm.data.features import Features, concatenate
from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.block_scaler import ridge_of_blocks
from brainlm.encoding.delays import delays_between
from brainlm.encoding.encode import Encoding, Space, encode, with_baselines
from brainlm.encoding.splits import ContiguousBlocks, LeaveOneRunOut, Split
from brainlm.errors import UnknownNameError
from brainlm.features import baselines
from brainlm.io.bids import BidsOptions, read_bids
from brainlm.io.bids_contents import choose_images, word_column
from brainlm.io.run_files import choose_runs, fill, find_runs
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Limits, Run, analysis, option, options, run_command

CONTEXT = 256  # words
GAP = 16.0  # seconds: the longest lag, the Lanczos window, and one sample to spare


@dataclass(frozen=True)
class Images:
    """Options of the images and of their words."""

    subject: str = option("", "Subject, such as 01. Default: the only one.")
    pattern: str = option("", "Images, as brainlm bids prints them. Default: the preprocessed.")
    mask: str = option("", "Mask of the brain, or template (MNI). Default: the one beside.")
    word: str = option("", "Column of the events with the words. Default: word, text, ...")
    language: str = option("en", "Language code of the words.")
    strategy: str = option("", "Confounds of fMRIPrep to remove, such as motion,wm_csf.")
    period: float = option(128.0, "Remove drifts slower than this, in seconds (0: none).", min=0)

    def found(self, folder: Path) -> dict[str, Any]:
        """Return the options of `read_bids`, those that were not given from the folder."""
        row = choose_images(folder, self.pattern)
        word = self.word or word_column(row["columns"].split(", "))
        if word is None:
            raise UnknownNameError(
                f"{folder}: no column of the events is called word (columns: {row['columns']}): "
                "name the column of the words with --word"
            )
        mask = self.mask or (row["mask"] if row["mask"] != "none" else "")
        where = {"template_mask": True} if mask == "template" else {"mask": mask or None}
        strategy = [each.strip() for each in self.strategy.split(",") if each.strip()]
        return {
            "pattern": row["pattern"],
            "word": word,
            "language": self.language,
            "strategy": strategy,
            "constant": "leave out",
            "unit": "BOLD (a.u.)",
            **where,
        }


@analysis
def main(
    run: Run,
    folder: Annotated[Path, typer.Argument(help="BIDS folder.")],
    images: Images = Images(),
    model: options.Model = "smollm2",
    depth: options.Depth = 0.6,
) -> None:
    given = images.found(folder)
    subject = only_subject(folder, given["pattern"], images.subject)
    stimulus, recording = read_bids(folder, subject, **given)
    if images.period and "high_pass" not in given["strategy"]:
        recording = high_pass(recording, images.period)
    stimulus, recording = Limits(seconds=240).when(run.debug).cut(stimulus, recording)
    run.show(stimulus, recording, *recording.notes)
    step = sampling_interval(recording.times[recording.run == recording.runs[0]])
    spaces = spaces_of(stimulus, recording, model, depth)
    split = folds(recording, step)
    result = encode(
        spaces,
        recording,
        split,
        {"ridge encoding": ridge_of_blocks},
        delays=delays_between(step),
        title=f"{model}: {folder.name}, {subject}",
        keep_predictions=False,
        progress=True,
    )
    run.show(f"\n{result.table().to_string()}\n", f"r: mean over {recording.n_targets} targets")
    arrays = maps_of(result, folder, given["pattern"], subject)
    figures = ["glass_brains"] * bool(arrays)
    if model != "none":
        judged = verdict_dataset(verdict(result, n_draws=3 if run.debug else 5), model)
        run.show(judged.attrs["sentence"])
        arrays, figures = {"verdict": judged, **arrays}, ["verdict", *figures]
    files = BidsOptions.of(given).found_files(folder, subject)
    run.data[f"{folder.name}, {subject}"] = {  # images are too large to hash
        name: f"{(folder / name).stat().st_size} bytes" for name in files
    }
    run.save(result, arrays=arrays, figures=[*figures, "alphas"], **given)


def only_subject(folder: Path, pattern: str, named: str) -> str:
    """Return the named subject, or the only one."""
    left = pattern.replace("{hemisphere}", "L")
    there = sorted({name for name, _ in find_runs(folder, left)})
    if not named and len(there) > 1:
        raise UnknownNameError(f"{folder}: choose one with --subject: {', '.join(there)}")
    subject = named_subject(named or "".join(there), there)
    choose_runs(folder, left, subject)  # says what is not there
    return str(subject)


def spaces_of(stimulus: Stimulus, recording: Recording, model: str, depth: float) -> list[Space]:
    """Controls and, unless ``--model none``, a layer, with its random twin."""
    empty = Space(baselines.random_walk(recording), name="empty baseline")
    controls = controls_of(stimulus)
    if model == "none":
        return [Space(controls), empty]
    network = LanguageModel(model)
    layer = round(depth * network.n_layers)
    hidden = network.embed(stimulus, layer, context=CONTEXT, progress=True)
    return with_baselines(hidden, [empty], added=[controls])


def controls_of(stimulus: Stimulus) -> Features:
    """Word rate, length and, where a list has them, frequencies."""
    words = [baselines.word_rate(stimulus), baselines.word_length(stimulus)]
    if baselines.has_frequencies(stimulus.language):
        words.append(baselines.zipf_frequency(stimulus))
    return concatenate(words, "controls")


def folds(recording: Recording, step: float) -> Split:
    """Leave one run out, or blocks of the only one."""
    if len(recording.runs) > 1:
        return LeaveOneRunOut(recording.run)
    return ContiguousBlocks(6, gap=int(np.ceil(GAP / step)), runs=recording.run)


def maps_of(result: Encoding, folder: Path, pattern: str, subject: str) -> dict[str, Any]:
    """Scores of each voxel as maps, of volumes in MNI space."""
    import nibabel as nib

    if "{hemisphere}" in pattern or ".dtseries" in pattern or "space-MNI" not in pattern:
        return {}
    run = choose_runs(folder, pattern, subject)[0]
    image = nib.load(folder / fill(pattern, subject, run))
    grid = nib.Nifti1Image(np.ones(image.shape[:3], dtype=np.uint8), image.affine)
    scores = result.scores["score"].isel(analysis=0).mean("fold")
    kept = [space.name for space in result.spaces if space.kind in ("layer", "added", "reference")]
    values = scores.sel(space=kept).transpose("space", "target").values
    maps = paint(values, result.recording.targets, grid, kept, "held-out r", subject=subject)
    return {f"maps_{subject}": maps.to_xarray()}


if __name__ == "__main__":
    run_command(main)
