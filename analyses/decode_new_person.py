"""Does a decoder of other people work on a new person, and how much of their own data does it take?

Simulated people hear the same stories; hidden states of a language model pass through weights that
differ between people (so no voxel of one means what it means in another), a haemodynamic response
and noise. Each in turn is the new person. Their story is decoded by their own decoder, by that of
the others as it is, and by that of the others after an alignment (Procrustes, shared response
model, ridge) that is learned from the first ``--minutes`` of their training stories. Windows of
20 s of the held-out story are identified in pairs (chance .5); in the null the decoded story is
turned against the text. ``--snrs 1,0`` adds a group without any signal. See the section on what
decoding can and cannot do in docs/decoding.md before you use it on people.
"""

from dataclasses import dataclass

import numpy as np

from brainlm.decoding.new_person import NewPersonSettings
from brainlm.decoding.new_person_study import (
    decode_people,
    new_person_lines,
    over_people,
    story_states,
)
from brainlm.decoding.story_folder import subject_simulator
from brainlm.workflow import Run, analysis, options, run_command
from brainlm.workflow import decoding_steps as steps
from brainlm.workflow.decoding_options import PlantedOptions
from brainlm.workflow.option_groups import option


@dataclass(frozen=True)
class PeopleOptions(PlantedOptions):
    """Options of the simulated people, of their stories and of the decoded embedding."""

    layer: int = option(9, "Layer whose hidden states are decoded.", min=1)
    context: int = option(16, "Minimum context of a word, in words.", min=1)
    snrs: str = option("1,0", "Signal-to-noise ratios, separated by commas.")
    voxels: int = option(200, "Voxels of a person.", min=20)
    people: int = option(5, "Simulated people, each the new one in turn.", min=3)
    sections: int = option(9, "Number of stories, counted from the last.", min=3)
    stories: int = option(2, "Number of stories to decode.", min=1)
    minutes: str = option("1,2,5,10,20,40", "Minutes of the new person's own training data.")


PEOPLE = PeopleOptions()


@analysis
def main(run: Run, model: options.Model = "smollm2", people: PeopleOptions = PEOPLE) -> None:
    import xarray

    network = steps.decoding_model(model)
    planted = steps.open_planted_model(network, people)
    text, source = steps.open_story_text(network, "en", run.root, debug=run.debug)
    text = text.select(np.isin(text.run, text.runs[-people.sections :]))
    snrs = steps.parse_numbers(people.snrs, "--snrs")
    minutes = steps.parse_numbers(people.minutes, "--minutes")
    settings, n_people = NewPersonSettings(), people.people
    if run.debug:
        settings, minutes, n_people = NewPersonSettings(n_shared=8, window=3), [1.0], 3
    simulate = subject_simulator(planted, text, people.voxels, people.planted_layer)
    states, cells = {}, []
    for snr in snrs:
        group = [simulate(snr, seed=seed) for seed in range(n_people)]
        if not states:
            given = {"layer": people.layer, "context": people.context}
            states = story_states(network, group[0], language="en", **given)
        tests = list(states)[-people.stories :]
        cells.append(decode_people(group, states, tests, minutes, settings, run.progress))
    every = xarray.concat(cells, "snr").assign_coords(snr=snrs)
    scores = over_people(every).assign_attrs(title=f"{n_people} simulated people, {source}")
    for snr in snrs:
        run.show(f"signal-to-noise ratio {snr:g}", *new_person_lines(scores.sel(snr=snr)))
    run.note(*steps.simulation_notes(people))
    run.uses(network, planted)
    run.save(arrays={"scores": scores, "cells": every}, figures=["new_person"], text=source)


if __name__ == "__main__":
    run_command(main)
