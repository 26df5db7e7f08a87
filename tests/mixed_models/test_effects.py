"""Effects with intervals over units: worked out by hand, and their rate of false alarms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from brainlm.mixed_models.effects import effects_over_subjects, effects_over_units

# Each unit has x = -1 and 1 and a slope of its own; left out, the slope is the mean of the others.
SLOPES = {"a": 1.0, "b": 2.0, "c": 6.0}
TABLE = pd.DataFrame(
    [{"unit": u, "x": x, "y": 10 + b * x} for u, b in SLOPES.items() for x in (-1.0, 1.0)]
)


@pytest.mark.parametrize("over", [effects_over_units, effects_over_subjects])
def test_three_slopes_by_hand(over):
    name = "units" if over is effects_over_units else "subject"
    row = over(TABLE, "y", ["x"], **{name: "unit"}).loc["x"]
    se = np.sqrt(7) / np.sqrt(3)  # sd of 1, 2 and 6 over the root of their number
    assert row["coefficient"] == pytest.approx(3)
    assert row["t"] == pytest.approx(3 / se)
    assert row["high"] - row["low"] == pytest.approx(2 * student.ppf(0.975, 2) * se)
    assert row["p"] == pytest.approx(2 * student.sf(3 / se, 2))
    assert row["n_units"] == 3


def test_effects_that_differ_between_texts_are_no_effect(rng):
    """Slopes of texts vary about zero: 5 % false alarms; rows as units would have far more."""
    p = []
    for _ in range(300):
        x = rng.normal(size=(12, 40))
        y = rng.normal(0, 0.5, (12, 1)) * x + rng.normal(size=(12, 40))
        table = pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "text": np.repeat(np.arange(12), 40)})
        p.append(effects_over_units(table, "y", ["x"], units="text").loc["x", "p"])
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_a_planted_effect_is_found_beside_a_correlated_control(rng):
    control = rng.normal(size=600)
    x = 0.7 * control + rng.normal(size=600)
    y = 0.3 * x + 1.0 * control + rng.normal(size=600)
    table = pd.DataFrame({"x": x, "control": control, "y": y, "text": np.repeat(np.arange(12), 50)})
    found = effects_over_units(table, "y", ["x", "control"], units="text")
    assert found.index.tolist() == ["x", "control"]
    assert found.loc["x", "low"] < 0.3 < found.loc["x", "high"]
    assert found.loc["x", "p"] < 0.001
    by_person = effects_over_subjects(table, "y", ["x", "control"], subject="text")
    assert by_person.loc["x", "coefficient"] == pytest.approx(0.3, abs=0.1)


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(ValueError, match="unit: 2 units, an interval over them needs three"):
        effects_over_units(TABLE[TABLE["unit"] != "c"], "y", ["x"], units="unit")
    twice = TABLE.assign(z=2 * TABLE["x"])
    with pytest.raises(ValueError, match="sums of each other: rank 2 of 3"):
        effects_over_units(twice, "y", ["x", "z"], units="unit")
    with pytest.raises(ValueError, match="unit: 0 with enough trials"):
        effects_over_subjects(twice, "y", ["x", "z"], subject="unit")
