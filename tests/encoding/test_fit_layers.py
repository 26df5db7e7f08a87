"""RidgeEncoder.fit_layers: as many single fits, the targets passed once."""

import numpy as np
import pytest

import brainlm.encoding._ridge.search
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks


@pytest.fixture
def study(rng):
    layers = [rng.standard_normal((60, width)) for width in (20, 90, 30)]
    Y = layers[1][:, :2] @ rng.standard_normal((2, 7)) + rng.standard_normal((60, 7))
    return layers, Y


@pytest.mark.parametrize("at_once", [1, 1 << 30])
@pytest.mark.parametrize(
    "given",
    [{}, {"criterion": "r"}, {"widen": True}, {"alpha_per": "all"}, {"search": "exact"}],
    ids=str,
)
def test_every_layer_is_fitted_as_if_alone(study, monkeypatch, at_once, given):
    monkeypatch.setattr(brainlm.encoding._ridge.search, "SPACES_BYTES", at_once)
    layers, Y = study
    encoder = RidgeEncoder(np.logspace(-1, 5, 7), cv=ContiguousBlocks(4, 2), warn_edge=False)
    encoder.set_params(**given)
    together = encoder.fit_layers(layers, Y)
    assert not hasattr(encoder, "alpha_")
    for X, found in zip(layers, together, strict=True):
        alone = RidgeEncoder(**encoder.get_params()).fit(X, Y)
        np.testing.assert_array_equal(found.alpha_, alone.alpha_)
        np.testing.assert_allclose(found.cv_curve_, alone.cv_curve_, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.coef_, alone.coef_, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.predict(X), alone.predict(X), rtol=1e-9, atol=1e-12)


def test_one_target_keeps_its_shape(study):
    layers, Y = study
    for X, found in zip(
        layers, RidgeEncoder(warn_edge=False).fit_layers(layers, Y[:, 0]), strict=True
    ):
        assert found.predict(X).shape == (60,)


def test_layers_of_different_precision_are_all_worked_in_the_higher(study):
    layers, Y = study
    mixed = [layers[0].astype(np.float32), layers[1]]
    first, second = RidgeEncoder(warn_edge=False).fit_layers(mixed, Y)
    assert first.coef_.dtype == second.coef_.dtype == np.float64


def test_layers_that_do_not_fit_are_refused(study):
    layers, Y = study
    with pytest.raises(ValueError, match="layers is empty"):
        RidgeEncoder().fit_layers([], Y)
    with pytest.raises(ValueError, match="rows of layer 1"):
        RidgeEncoder().fit_layers([layers[0], layers[1][:-1]], Y)
    layers[2][3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        RidgeEncoder().fit_layers(layers, Y)


def test_banded_layers_are_banded_fits(study):
    layers, Y = study
    encoder = BandedRidgeEncoder([10, 10], n_draws=4, warn_edge=False)
    (found,) = encoder.fit_layers(layers[:1], Y)
    alone = BandedRidgeEncoder([10, 10], n_draws=4, warn_edge=False).fit(layers[0], Y)
    np.testing.assert_array_equal(found.shares_, alone.shares_)
