"""Analyses by name: their files, modules and questions."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from brainlm.errors import unknown_name


def analyses_folder() -> Path:
    """Return the folder of the analyses: in the installed package, or in the checkout."""
    here = Path(__file__).parents[1]
    for folder in (here / "analyses", here.parent / "analyses"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("the analyses are not installed: reinstall brainlm")


def list_analyses() -> list[str]:
    """Return the names of the analyses, sorted."""
    return sorted(p.stem for p in analyses_folder().glob("*.py") if not p.stem.startswith("_"))


def analysis_path(name: str) -> Path:
    """Return the file of an analysis."""
    if name.removesuffix(".py") not in list_analyses():
        raise unknown_name("analysis", name, list_analyses())
    return analyses_folder() / f"{name.removesuffix('.py')}.py"


def load_analysis(name: str) -> ModuleType:
    """Return the module of an analysis."""
    path = analysis_path(name)
    spec = importlib.util.spec_from_file_location(f"brainlm_analyses.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def question_of(name: str) -> str:
    """Return what an analysis asks, without importing it."""
    source = analysis_path(name).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
