"""Every person of a study in turn as the new one: decoded with and without alignment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t, ttest_1samp

from brainlm.decoding.new_person import LABELS, NewPersonSettings, Stories, decode_new_person
from brainlm.decoding.stimulus_model import learn_space, row_times, story_rows
from brainlm.decoding.stories import Story
from brainlm.decoding.words import read_states
from brainlm.language_models import LanguageModel
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import xarray

N_COMPONENTS = 32  # of the words' states


def story_states(
    model: LanguageModel, stories: Sequence[Story], *, layer: int, context: int, language: str
) -> dict[str, np.ndarray]:
    """Return the hidden states of the words of each story, by name."""
    return {
        each.name: read_states(model, each.words, language, layer=layer, context=context)
        for each in stories
    }


def story_embeddings(
    states: Stories, stories: Sequence[Story], test: str, n_components: int = N_COMPONENTS
) -> dict[str, np.ndarray]:
    """Return the embedding of each story on the samples of its responses.

    Components of the states are learned on the stories other than ``test``.

    Parameters
    ----------
    states : mapping of str to array
        From `story_states`.
    stories : sequence of Story
        Of any person.
    test : str
    n_components : int
    """
    train = np.concatenate([states[name] for name in states if name != test])
    space = learn_space(train, min(n_components, *train.shape))
    return {
        each.name: story_rows(
            space.project(states[each.name]), each.middle, row_times(each.times, 0)
        )
        for each in stories
    }


def decode_people(
    people: Sequence[Sequence[Story]],
    states: Stories,
    tests: Sequence[str],
    minutes: Sequence[float],
    settings: NewPersonSettings,
    say: Callable[[str], None] = lambda line: None,
) -> xarray.Dataset:
    """Decode each test story of each person, whose decoder and map are learned without it.

    Parameters
    ----------
    people : sequence of sequence of Story
        The same stories for each; three people or more.
    states : mapping of str to array
        From `story_states`.
    tests : sequence of str
    minutes : sequence of float
    settings : NewPersonSettings
    say : callable
        Told a line per person.

    Returns
    -------
    xarray.Dataset
        ``accuracy``, ``null_mean`` and ``p`` (person, story, decoder, minutes).
    """
    import xarray

    responses = [{each.name: np.asarray(each.responses) for each in own} for own in people]
    rows = []
    for k, own in enumerate(responses):
        others = [each for i, each in enumerate(responses) if i != k]
        cells = []
        for test in tests:
            embedding = story_embeddings(states, people[k], test)
            found = decode_new_person(embedding, own, others, test, minutes, settings=settings)
            cells.append(found.assign(null_mean=found["null"].mean("turn")).drop_vars("null"))
        rows.append(xarray.concat(cells, "story"))
        say(f"person {k + 1} of {len(people)}")
    names = [f"person {k + 1}" for k in range(len(people))]
    return xarray.concat(rows, "person").assign_coords(person=names, story=list(tests))


def over_people(cells: xarray.Dataset) -> xarray.Dataset:
    """Return the mean over stories and people, its interval, and p against the null.

    People are the units: an interval by t, and a one-sided t test of their accuracy minus the mean
    of its null.

    Parameters
    ----------
    cells : xarray.Dataset
        From `decode_people`, possibly with more dimensions.

    Returns
    -------
    xarray.Dataset
        ``accuracy``, ``low``, ``high``, ``null_mean``, ``p`` and ``q`` (Benjamini-Hochberg's over
        all) without ``person`` and ``story``.
    """
    own = cells.mean("story")
    n = own.sizes["person"]
    mean = own["accuracy"].mean("person")
    half = t.ppf(0.975, n - 1) * own["accuracy"].std("person", ddof=1) / np.sqrt(n)
    gain = (own["accuracy"] - own["null_mean"]).transpose("person", ...)
    p = ttest_1samp(gain.values, 0, axis=0, alternative="greater").pvalue
    return mean.to_dataset(name="accuracy").assign(
        low=mean - half,
        high=mean + half,
        null_mean=own["null_mean"].mean("person"),
        p=(gain.dims[1:], p),
        q=(gain.dims[1:], fdr(np.asarray(p))),
    )


def new_person_lines(scores: xarray.Dataset) -> list[str]:
    """Return accuracies by method and minutes as text."""
    minutes = scores["minutes"].values
    lines = [f"{'pairwise accuracy (chance .5)':42}" + "".join(f"{m:8g} min" for m in minutes)]
    for method in scores["decoder"].values:
        row = scores.sel(decoder=method)
        values = [
            f"{float(a):7.3f}{'*' if q <= 0.05 else ' '}    "
            for a, q in zip(row["accuracy"].values, row["q"].values, strict=True)
        ]
        lines.append(f"{LABELS[str(method)]:42}" + "".join(values))
    return [*lines, "*: above its null over people, q <= .05"]
