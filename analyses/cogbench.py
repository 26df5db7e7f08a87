"""CogBench: the scores of the Chinese BabyLM challenge for any model, and what they hide.

The official scores of the cognitive track (word_fmri, fmri, meg, eye_tracking), by the rules of its
public code, for every layer; the challenge scores the last one. Beside each of them: 2v2 and r of
each voxel, sensor or measure inside test folds, what a layer adds to word rate, length, frequency
and position, random vectors with the geometry of the last layer, an untrained copy of the model,
and the baselines that were published.
"""

from typing import Any

from brainlm.comparison.cogbench import TASKS, TaskData, gather, table_of_scores
from brainlm.comparison.cogbench_published import published_scores
from brainlm.comparison.cogbench_rows import cautions_of, last_layers, score_task
from brainlm.comparison.layer_scores import table_of
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import is_on_disk
from brainlm.errors import DataMissingError
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Limits, Run, analysis, open_subjects, options, run_command


@analysis
def main(
    run: Run,
    model: options.Model = "gemma3",
    tasks: options.Tasks = "all",
    subjects: options.Subjects = "all",
    layers: options.Layers = "all",
    twins: options.Twins = 1,
    draws: options.Draws = 3,
) -> None:
    layers = "0,-1" if run.debug and layers == "all" else layers
    network, wanted = LanguageModel(model), options.layer_list(layers)
    copies = [LanguageModel(model, untrained=seed) for seed in range(twins)]
    run.uses(network, *copies)
    rows: list[dict[str, Any]] = []
    for name in chosen_tasks(run, tasks):
        for data in opened(run, name, subjects):
            run.progress(f"{name}: {len(data.recordings)} subjects")
            rows += score_task(data, network, copies, wanted, draws)
    table = table_of_scores(rows)
    run.note(*cautions_of(table), show=True)
    run.show_table("Scores", last_layers(table))
    arrays = {"table": table_of(table), "published": table_of(published_scores())}
    run.save(arrays=arrays, figures=["cogbench"])


def chosen_tasks(run: Run, tasks: str) -> list[str]:
    """The tasks that are asked for; of "all" those whose data are on this machine."""
    if tasks.strip() != "all":
        return options.choose(tasks, list(TASKS), "task")
    found = [name for name, task in TASKS.items() if is_on_disk(task.card, run.root)]
    lacking = [name for name in TASKS if name not in found]
    if not found:
        cards = ", ".join(task.card for task in TASKS.values())
        raise DataMissingError(
            f"no data of CogBench are on this machine ({cards}): `brainlm fetch cogbench-words` "
            "fetches those of word_fmri and fmri"
        )
    if lacking:
        run.note(f"not scored, not on this machine: {', '.join(lacking)}", kind="coverage")
    return found


def opened(run: Run, name: str, subjects: str) -> list[TaskData]:
    """The data of a task; a trial run has one subject, gaze means over all readers."""
    task, limits = TASKS[name], Limits(subjects=1).when(run.debug)
    subjects = "all" if name == "eye_tracking" else subjects
    found = list(open_subjects(task.card, subjects, run.root, limits=limits))
    run.uses(*(recording for _, recording in found))
    return gather(task, found, read_card(task.card).open.options.get("stories", ()))


if __name__ == "__main__":
    run_command(main)
