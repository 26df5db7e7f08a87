import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainlm.encoders import RidgeEncoder, SimilarityEncoder


@parametrize_with_checks([
    RidgeEncoder(warn_edge=False),
    RidgeEncoder(alpha_per="all", standardize=False, cv=3, warn_edge=False),
    SimilarityEncoder(),
    SimilarityEncoder(center=False),
    SimilarityEncoder(form="mulcogbench"),
])
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)
