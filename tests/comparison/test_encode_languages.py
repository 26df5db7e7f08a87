"""Languages as units: which are skipped, and means over them."""

import numpy as np
import pandas as pd
import pytest

from brainlm.comparison.languages import over_languages, spoken_of
from brainlm.features.baselines import has_frequencies


@pytest.mark.long
def test_a_model_is_skipped_where_it_does_not_speak():
    languages = ["en", "mr", "zh"]
    spoken, notes = spoken_of({"gemma3": languages, "smollm2": ("en", "fr")}, languages)
    assert spoken == {"gemma3": ("en", "zh"), "smollm2": ("en",)}
    assert notes == [
        "gemma3: skipped 1 of 3 languages that it does not speak: mr",
        "smollm2: skipped 2 of 3 languages that it does not speak: mr, zh",
    ]


def test_a_language_counts_once():
    table = pd.DataFrame(
        {
            "model": "m",
            "language": ["en", "en", "fr", "de", "zh"],
            "beyond": [0.0, 0.2, 0.1, 0.2, 0.3],
            "over_random": [0.1, -0.1, 0.1, -0.1, 0.2],
        }
    )
    found = over_languages(table).set_index("measure")
    assert found["n_languages"].tolist() == [4, 4]
    assert found.loc["beyond", "gain"] == pytest.approx(0.175)
    assert found.loc["beyond", "p"] == 2 / 2**4
    assert found.loc["over_random", "n_positive"] == 2
    few = over_languages(table[:3]).set_index("measure")
    assert np.isnan(few.loc["beyond", "p"])
    assert few.loc["beyond", "n_languages"] == 2


def test_languages_without_a_list_of_frequencies():
    assert has_frequencies("en")
    assert has_frequencies("zh")
    assert not has_frequencies("mr")
