"""Analyses by name: their files, modules and questions."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from brainlm._progress import shown_progress, step
from brainlm.errors import unknown_name
from brainlm.workflow.signatures import check_options, described, flat_options


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


def command_of(name: str) -> Callable[..., None]:
    """Return the command of an analysis, which imports its code once its options are good.

    That import takes seconds; help and wrong options do not wait for it. The options need a few
    names of the module only: those in the annotations and defaults of ``main``, and what these
    names are made of.

    Parameters
    ----------
    name : str
    """
    tree = ast.parse(analysis_path(name).read_text(encoding="utf-8"))
    main = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main")
    main.body, main.decorator_list = [ast.Pass()], []
    main.args.args[0].annotation = None  # the run
    kept: list[ast.stmt] = [main]
    needed = _names_in(main)
    for statement in reversed(tree.body[: tree.body.index(main)]):
        if part := _part_that_binds(statement, needed):
            kept.insert(0, part)
            needed |= _names_in(part)
    module = ModuleType(f"brainlm_outlines.{analysis_path(name).stem}", ast.get_docstring(tree))
    sys.modules[module.__name__] = module  # dataclasses look their module up
    outline = ast.fix_missing_locations(ast.Module(kept, []))
    exec(compile(outline, str(analysis_path(name)), "exec"), vars(module))

    def command(**given: Any) -> None:
        check_options(given)
        with shown_progress(), step(f"load the code of {name}"):
            analysis = load_analysis(name)
        analysis.main(**given)

    _, form = flat_options(module.main, analysis_path(name).stem)
    return described(command, module.main, form)


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _part_that_binds(statement: ast.stmt, names: set[str]) -> ast.stmt | None:
    """Return what of a statement binds some of the names; of a class not its methods."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        wanted = [a for a in statement.names if (a.asname or a.name.partition(".")[0]) in names]
        statement.names = wanted
        return statement if wanted else None
    if isinstance(statement, ast.ClassDef) and statement.name in names:
        statement.body = [n for n in statement.body if not isinstance(n, ast.FunctionDef)]
        return statement
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return statement if names & set().union(*map(_names_in, targets)) else None
    return None


def question_of(name: str) -> str:
    """Return what an analysis asks, without importing it."""
    source = analysis_path(name).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
