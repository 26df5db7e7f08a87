"""The package as a whole: quick to import, complete, and no code where only data belong."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_socket

import brainlm

ROOT = Path(brainlm.__file__).parent


def test_import_is_light():
    """No heavy library is loaded, which is what keeps the import under half a second."""
    code = (
        "import brainlm, sys; print([m for m in sys.modules if m.split('.')[0] in "
        "('torch', 'transformers', 'numpy', 'scipy', 'sklearn', 'nilearn', 'mne', 'pandas')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    assert done.stdout.strip() == "[]"


PACKAGES = [name for name in brainlm.__all__ if (ROOT / name).is_dir() or name == "errors"]
NAMES = [name for name in brainlm.__all__ if name not in PACKAGES]


def test_packages_are_attributes_and_types_are_shipped():
    assert {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()} <= {
        *PACKAGES,
        "analyses",
    }
    assert all(inspect.ismodule(getattr(brainlm, name)) for name in PACKAGES)
    assert (ROOT / "py.typed").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_documented(name):
    member = getattr(brainlm, name)
    assert member.__doc__ not in (None, type(member).__doc__)
    first, *rest = inspect.cleandoc(member.__doc__).split("\n\n")
    assert first.endswith(".")
    if len(inspect.signature(member).parameters) > 2:
        assert any(part.startswith(("Parameters", "Attributes")) for part in rest)


def test_encoders_load_neither_data_sets_nor_language_models():
    code = (
        "import sys, brainlm.encoding.ridge, brainlm.encoding.cross_validation; "
        "print([m for m in sys.modules if m.startswith("
        "('brainlm.datasets', 'brainlm.lang', 'torch'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    assert done.stdout.strip() == "[]"


def test_the_library_prints_nothing():
    printing = [
        path.name
        for path in ROOT.rglob("*.py")
        if "analyses" not in path.parts
        for line in path.read_text("utf-8").splitlines()
        if line.strip().startswith("print(")
    ]
    assert printing == []


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_the_network_is_blocked_in_tests():
    import socket

    with pytest.raises(pytest_socket.SocketBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
