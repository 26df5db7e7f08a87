"""Dependencies: pinned with hashes, and under licences that a BSD package may build on."""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Copyleft licences, and the extra that asks for each package; SECURITY.md names them for users.
COPYLEFT = {"pyreadr": "r", "gensim": "fasttext", "openneuro-py": "openneuro", "kenlm": "kenlm"}
HASH = r"--hash=sha256:[0-9a-f]{64}"


def locked():
    """Return the requirements of the lock file with the text of their hashes."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    entries = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines()
    parts = [each.partition("--hash") for each in entries if each.strip()]
    return [(Requirement(first), hashes + rest) for first, hashes, rest in parts]


def constraints():
    text = (ROOT / "constraints.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, lines)}


def needed_by(texts, found=None):
    """Return all packages that requirements bring along, by name."""
    found = set() if found is None else found
    for requirement in map(Requirement, texts):
        name, extras = canonicalize_name(requirement.name), requirement.extras or {""}
        marker = requirement.marker
        if name in found or (marker and not any(marker.evaluate({"extra": e}) for e in extras)):
            continue
        try:
            below = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(name)
        asked = [Requirement(each) for each in below]
        needed_by(
            [
                str(each)
                for each in asked
                if not each.marker or any(each.marker.evaluate({"extra": e}) for e in extras)
            ],
            found,
        )
    return found


def is_copyleft(name):
    about = metadata(name)
    stated = [about.get("License-Expression") or "", (about.get("License") or "")[:300]]
    stated += [each for each in about.get_all("Classifier") or [] if "License" in each]
    free = any(word in " ".join(stated) for word in ("MIT", "BSD", "Apache"))  # a choice of two
    return bool(re.search(r"GPL|General Public|Affero", " ".join(stated))) and not free


def test_every_package_is_locked_with_its_version_and_hashes():
    pinned = constraints()
    names = []
    for requirement, hashes in locked():
        name = canonicalize_name(requirement.name)
        assert str(requirement.specifier) == pinned[name], name
        assert re.fullmatch(rf"(\s*{HASH})+\s*", hashes), name
        names.append(name)
    assert len(set(names)) == len(names) > 100
    direct = [*PROJECT["dependencies"], *EXTRAS["dev"], *EXTRAS["test"], *EXTRAS["docs"]]
    asked = {canonicalize_name(Requirement(each).name) for each in direct} - {"brainlm", "torch"}
    assert asked <= set(names)
    assert "torch" not in names  # its builds differ: named exactly in the Makefile instead


def test_the_lock_names_no_place_to_download_from():
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"https?:|--index|--find-links|file:|/opt|/work", text)


def test_the_lock_is_what_is_installed_here():
    for requirement, _ in locked():
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            version = metadata(requirement.name)["Version"]
        except PackageNotFoundError:
            pytest.skip(f"{requirement.name} is not installed: not the environment of make")
        assert requirement.specifier.contains(version), requirement.name


def test_no_copyleft_package_is_installed_unasked():
    core = needed_by(PROJECT["dependencies"])
    assert {"numpy", "tokenizers", "nilearn"} <= core
    assert [name for name in sorted(core) if is_copyleft(name)] == []


def test_copyleft_packages_of_extras_are_named_to_users():
    told = (ROOT / "SECURITY.md").read_text("utf-8")
    for name, extra in COPYLEFT.items():
        assert any(Requirement(each).name == name for each in EXTRAS[extra])
        assert re.search(rf"`{name}`.*`brainlm\[{extra}\]`", told), name
    brought = needed_by([e for each in EXTRAS.values() for e in each if "brainlm[" not in e])
    assert {name for name in brought if is_copyleft(name)} <= set(COPYLEFT)


@pytest.mark.skipif(sys.platform == "win32", reason="make is no part of Windows")
def test_the_makefile_checks_hashes_and_pins_pip():
    text = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^PIP := pip==[\d.]+$", text, re.M)
    assert "--require-hashes --no-deps --requirement requirements.lock" in text
