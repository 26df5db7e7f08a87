from types import SimpleNamespace

import pytest

from brainlm.workflow import Study, study


@pytest.mark.parametrize(
    ("debug", "datasets", "names", "models"),
    [
        (True, "all", ["binder-en", "provo", "binder-zh"], ["minilm", "gemma3"]),
        (True, "provo,ucl-gaze,binder-zh", None, ["minilm", "smollm2", "gemma3"]),
        (False, "all", None, ["minilm", "smollm2", "gemma3"]),
    ],
)
def test_a_trial_run_on_all_data_is_small_and_says_so(debug, datasets, names, models, monkeypatch):
    every = ["binder-en", "provo", "ucl-gaze", "binder-zh"]
    modality = {"binder-en": "en ratings", "binder-zh": "zh ratings"}
    card = {
        name: SimpleNamespace(modality=modality.get(name, "gaze"), languages=(name[-2:],))
        for name in every
    } | {
        name: SimpleNamespace(modality="gaze", languages=("en",)) for name in ("provo", "ucl-gaze")
    }
    monkeypatch.setattr(study, "read_card", card.get)
    monkeypatch.setattr(study, "choose_datasets", lambda *_: (every, ["en", "zh"], []))
    told = []
    run = SimpleNamespace(
        debug=debug, root=None, note=lambda *notes, **_: told.extend(map(str, notes))
    )
    small = Study(run, " ".join(every), datasets)
    assert small.names == (names or every)
    assert list(small.models("minilm:en,smollm2:en,gemma3:en+zh")) == models
    notes = [
        "one data set of each modality: 1 left out",
        "one model of each language: smollm2 left out",
    ]
    assert told == (notes if names else [])
