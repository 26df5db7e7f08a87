import pytest
from bundles_for_tests import make_bundle


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "first")
