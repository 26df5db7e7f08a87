"""CogBench: the scores of the Chinese BabyLM challenge for any model, and what they hide.

The official scores of the cognitive track (word_fmri, fmri, meg, eye_tracking), by the rules of its
public code, for every layer; the challenge scores the last one. Beside each of them: 2v2 and r of
each voxel, sensor or measure inside test folds, what a layer adds to word rate, length, frequency
and position, random vectors with the geometry of the last layer, an untrained copy of the model,
and the baselines that were published.
"""

from typing import Any

from brainlm.comparison.cogbench import (
    TASKS,
    TaskData,
    control_scores,
    gather,
    held_out_scores,
    mean_pattern,
    official_scores,
    table_of_scores,
)
from brainlm.comparison.cogbench_published import published_scores
from brainlm.comparison.layer_scores import table_of
from brainlm.data.features import Features
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import is_on_disk
from brainlm.errors import DataMissingError
from brainlm.features.baselines import random_like
from brainlm.language_models.challenge_reading import embed_for_challenge
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Limits, Run, analysis, open_subjects, options, run_command

SATURATED = (
    "word_fmri is .55 to .56 in 15 of 23 published rows, from 14 million to 1.4 billion "
    "parameters, and for a model that is at chance in tests of grammar: compare it with the row "
    "'mean pattern', a prediction that knows no word, and judge by r, beyond and pairwise"
)
DIPPED = (
    "meg: the official score chooses sensors on the words that it scores; 'undipped' chooses them "
    "in the training words of each fold"
)
REPEATED = (
    "eye_tracking: a word has equal measures wherever it stands, so that random vectors of words "
    "score, too; r, beyond and pairwise keep all responses to a word in one fold"
)


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
            rows += scored(data, network, copies, wanted, draws)
    table = table_of_scores(rows)
    run.note(*notes_of(table), show=True)
    run.show_table("Scores", shown(table))
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


def scored(
    data: TaskData,
    network: LanguageModel,
    copies: list[LanguageModel],
    layers: str | list[int],
    draws: int,
) -> list[dict[str, Any]]:
    """Rows of all spaces on one data set: layers, twins, random vectors, controls, null."""
    reading = data.task.reading
    hidden = embed_for_challenge(network, data.stimulus, reading, layers)
    spaces: list[tuple[str, str, Features]] = [("layer", each.name, each) for each in hidden]
    for twin in copies:
        made = embed_for_challenge(twin, data.stimulus, reading, layers)
        spaces += [("untrained", f"{twin.name}, {each.name}", each) for each in made]
    spaces += [("random", f"random {k}", random_like(hidden[-1], seed=k)) for k in range(draws)]
    about = {
        "task": data.task.name,
        "n_subjects": len(data.recordings),
        "n_samples": data.first.n_samples,
    }
    rows = []
    for kind, name, features in spaces:
        X = data.design(features)
        scores = {**official_scores(data, X), **held_out_scores(data, X)}
        rows.append({**about, "space": name, "kind": kind, **scores})
        rows[-1]["layer"] = int(features.origin.get("layer", -1))
    known = {"space": "word rate, length, frequency, position", "kind": "controls", "layer": -1}
    rows.append({**about, **known, **control_scores(data)})
    if data.task.name == "word_fmri":
        null = {"official": mean_pattern(data, data.design(hidden[-1])), "undipped": float("nan")}
        null |= {"space": "mean pattern", "kind": "null", "layer": -1, "r": 0.0, "beyond": 0.0}
        rows.append({**about, **null, "pairwise": 0.5})
    return rows


def notes_of(table: Any) -> list[str]:
    """What a reader must know beside the scores of these tasks."""
    cautions = {"word_fmri": SATURATED, "meg": DIPPED, "eye_tracking": REPEATED}
    return [text for name, text in cautions.items() if name in set(table["task"])]


def shown(table: Any) -> Any:
    """The last layer of each task, its twins, and everything it is compared with."""
    layered = table["kind"].isin(["layer", "untrained"])
    last = table[layered].groupby("task")["layer"].transform("max")
    kept = ~layered
    kept[last.index] = table.loc[last.index, "layer"] == last
    columns = ["task", "space", "official", "undipped", "pairwise", "r", "beyond", "n_subjects"]
    return table.loc[kept, columns].round(3)


if __name__ == "__main__":
    run_command(main)
