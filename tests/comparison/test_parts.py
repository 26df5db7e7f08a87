import numpy as np
import pytest
import xarray

from brainlm.comparison.layer_scores import time_summary
from brainlm.comparison.layer_statistics import (
    context_gain,
    curve_agreement,
    depth_difference,
    layer_profile,
    modality_difference,
)
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.stats.paired import null_difference_p

DEPTHS = np.linspace(0, 1, 11)


def part(value):
    return xarray.Dataset({"x": ("a", [value])})


def test_a_killed_study_goes_on_where_it_stopped(tmp_path):
    store = PartStore.beside(tmp_path / "out")
    done = []

    def job(name, fail=False):
        def compute():
            if fail:
                raise KeyboardInterrupt
            done.append(name)
            return part(name)

        return name, {"name": name}, compute

    with pytest.raises(KeyboardInterrupt):
        run_parts([job("a"), job("b"), job("c", fail=True)], store)
    parts, seconds = run_parts([job("a"), job("b"), job("c")], store)
    assert done == ["a", "b", "c"]
    assert [str(each["x"].values[0]) for each in parts.values()] == ["a", "b", "c"]
    assert (seconds["a"], seconds["c"] > 0) == (0, True)
    run_parts([("a", {"name": "a", "seed": 1}, job("again")[2])], store)
    assert done[-1] == "again"
    same = {"data": "one file"}
    parts, _ = run_parts([("x", same, lambda: part("x")), ("y", same, lambda: part("y"))], store)
    assert [str(each["x"].values[0]) for each in parts.values()] == ["x", "y"]
    store.path({"name": "a", "part": "a"}).write_bytes(b"broken")
    with pytest.warns(UserWarning, match="damaged, computed again"):
        run_parts([job("a")], store)
    assert done[-1] == "a"
    with pytest.raises(ValueError, match="two jobs are called 'a'"):
        run_parts([job("a"), job("a")], store)
    store.clear()
    assert not store.folder.exists()


def curves(rng, peak, *, n_folds=10, height=0.1, noise=0.02, factor=1.0):
    shape = np.zeros(11) if peak is None else height * np.exp(-(((DEPTHS - peak) / 0.3) ** 2))
    return factor * (0.1 + shape) + noise * rng.standard_normal((n_folds, 11))


RATIO = 1 / 9


def test_the_planted_depth_is_found_and_none_where_none_was_planted(rng):
    shallow, deep = (layer_profile(curves(rng, peak), DEPTHS, RATIO) for peak in (0.1, 0.9))
    assert shallow.best_depth <= 0.2
    assert deep.best_depth >= 0.8
    assert shallow.slope.high < 0 < deep.slope.low
    difference, p = depth_difference(deep, shallow)
    assert difference > 1
    assert p < 0.001
    flat = [layer_profile(curves(rng, None), DEPTHS, RATIO) for _ in range(300)]
    assert sum(each.p <= 0.05 for each in flat) <= 18  # correction for folds is conservative here
    pairs = [depth_difference(a, b)[1] for a, b in zip(flat[::2], flat[1::2], strict=True)]
    assert np.mean(np.array(pairs) <= 0.05) < 0.1
    random = 0.1 + 0.3 * rng.standard_normal((20, 11))  # a model without meaning differs by more
    assert layer_profile(curves(rng, 0.9), DEPTHS, RATIO, random=random).p > 0.05


def test_curves_that_differ_by_a_factor_do_not_differ_in_depth(rng):
    """r of .75 and of .05 with the same relative curve: raw slopes differ, relative ones do not."""
    strong, weak = (
        [
            layer_profile(curves(rng, 0.9, factor=f, noise=0.05 * f), DEPTHS, RATIO)
            for _ in range(40)
        ]
        for f in (5.0, 0.4)
    )
    assert strong[0].slope.low > weak[0].slope.high
    p = np.array([depth_difference(a, b)[1] for a, b in zip(strong, weak, strict=True)])
    assert (p <= 0.05).mean() < 0.15
    assert abs(modality_difference(strong[:5], weak[:5])[0]) < 0.2
    assert modality_difference(strong[:5], weak[:5])[1] > 0.05
    assert modality_difference(strong[:1], weak)[1] is np.nan
    noise = layer_profile(curves(rng, None, factor=0.0), DEPTHS, RATIO)
    assert np.isnan(noise.relative)
    assert np.isnan(depth_difference(noise, strong[0])[1])


def test_a_slope_that_null_responses_have_too_is_no_slope(rng):
    """Chance falls with depth: folds of noise would make an effect of it."""
    chance = -0.02 * DEPTHS
    noise = chance + 0.01 * rng.standard_normal((10, len(DEPTHS)))
    assert layer_profile(noise, DEPTHS, RATIO).slope.p < 0.05
    assert layer_profile(noise, DEPTHS, RATIO, chance=chance).slope.p > 0.05
    with pytest.raises(ValueError, match="one per layer"):
        layer_profile(noise, DEPTHS, RATIO, chance=chance[1:])
    with pytest.raises(ValueError, match="finite"):
        layer_profile(noise, DEPTHS, RATIO, chance=chance * np.nan)
    with pytest.raises(ValueError, match="two layers above the input"):
        layer_profile(np.ones((5, 1)), np.zeros(1), RATIO)


def test_gain_of_context_does_not_profit_from_the_choice_of_a_layer(rng):
    noise = [
        context_gain(rng.standard_normal((10, 20)), rng.standard_normal(10), RATIO).mean
        for _ in range(200)
    ]
    assert abs(np.mean(noise)) < 0.1
    layers = rng.standard_normal((10, 20)) * 0.1
    layers[:, 7] += 1
    gain = context_gain(layers, np.zeros(10), RATIO)
    assert gain.low > 0.8
    assert gain.p < 1e-6
    null = rng.standard_normal((99, 20)), np.zeros(99)
    chosen = context_gain(layers, np.zeros(10), RATIO, null=null)
    expected = null_difference_p(gain.mean, null[0][:, 7], null[1])
    assert chosen.p == chosen.p_stimuli == expected
    random = rng.standard_normal((20, 1, 20)) * np.ones((20, 10, 1)), np.zeros(20)
    judged = context_gain(layers, np.zeros(10), RATIO, random=random)
    assert judged.p == judged.p_random > 0.05


def test_agreement_of_curves_is_tested_against_curves_of_noise(rng):
    smooth = rng.standard_normal((200, 11)).cumsum(axis=1)  # neighbouring layers are alike
    tau, p = curve_agreement(DEPTHS, DEPTHS + 0.01, smooth)
    assert tau == pytest.approx(1)
    assert p > 1 / 201  # noise too may rise with depth
    wild = rng.standard_normal((199, 11))
    assert curve_agreement(DEPTHS, DEPTHS, wild)[1] == 1 / 200
    with pytest.raises(ValueError, match="three or more"):
        curve_agreement(DEPTHS, DEPTHS, wild[:, :3])


def test_where_the_time_went_is_said_longest_first():
    line = time_summary({"a": 1.0, "b": 30.0, "c": 0.0}, 40.0)
    assert line == "time: 40 s, of which b 30 s, a 1 s; everything else 9 s"
    assert "no part was computed" in time_summary({"a": 0.0}, 2.0)
