import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from brainlm.comparison.layer_gains import compare_levels


def test_levels_are_compared_over_data_sets():
    depths = {"word": [0.2, 0.3, 0.1], "discourse": [0.6, 0.5], "sentence": [0.4]}
    rows = [
        {"model": "one", "level": level, "best_depth": depth}
        for level, own in depths.items()
        for depth in own
    ]
    found = compare_levels(pd.DataFrame(rows)).set_index(["first", "second"])
    assert list(found.index) == [
        ("word", "sentence"),
        ("word", "discourse"),
        ("sentence", "discourse"),
    ]
    pair = found.loc[("word", "discourse")]
    assert pair["difference"] == pytest.approx(0.2 - 0.55)
    expected = ttest_ind(depths["word"], depths["discourse"], equal_var=False).pvalue
    assert pair["p"] == pair["q"] == pytest.approx(expected)
    assert np.isnan(found.loc[("word", "sentence"), ["p", "q"]].to_numpy(dtype=float)).all()
    assert compare_levels(pd.DataFrame(rows[:3])).empty
