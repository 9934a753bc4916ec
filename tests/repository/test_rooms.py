"""The rooms of the dojo: who may import whom, so that what a student runs never depends on a maintainer's command."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dojo.catalogue import ROOT

DOJO = ROOT / "dojo"
ENTRY = {"__main__", "bootstrap", "catalogue", "commands", "doctor", "errors"}
MAY_IMPORT = {
    "entry": {"entry"},
    "tree": {"entry", "tree"},
    "run": {"entry", "tree", "run"},
    "report": {"entry", "tree", "run", "report", "fake_cupy"},
    "student": {"entry", "tree", "run", "report", "student", "datasets"},
    "serve": {"entry", "tree", "run", "report", "datasets", "serve"},
    "authors": {"entry", "tree", "run", "report", "student", "authors"},
    "teach": {"entry", "tree", "run", "report", "teach"},
    "spec": {"dojo.run.process", "spec"},
    "fake_cupy": {"fake_cupy"},
    "datasets": {"entry", "datasets"},
}
"""Rooms, or single modules of them."""

MODULES = sorted(path for path in DOJO.rglob("*.py"))


def room(module: str) -> str:
    """The room of a module: `dojo.run.warm` is of run, `dojo.errors` of the entry."""
    parts = module.split(".")
    return "entry" if len(parts) == 1 or parts[1] in ENTRY else parts[1]


def name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """Every module of the dojo that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "dojo")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "dojo":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                base = ROOT.joinpath(*inner.split("."))
                yield inner if base.is_dir() or base.with_suffix(".py").is_file() else node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_imports_only_from_rooms_that_its_own_may_know(path: Path) -> None:
    mine = room(name(path))
    for module in imported(path):
        allowed = MAY_IMPORT[mine]
        assert module in allowed or room(module) in allowed, f"{name(path)} ({mine}) imports {module}"


def test_the_rooms_import_each_other_in_no_ring() -> None:
    graph = {name(path): set(imported(path)) for path in MODULES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a ring of imports: {' -> '.join([*way, module])}"
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("room", sorted(set(MAY_IMPORT) - {"entry", "spec", "datasets"} | {"tree/skeleton"}))
def test_a_room_does_nothing_when_it_is_imported(room: str) -> None:
    """Every command comes through some of these files: the way to the first red spec stays short."""
    assert (DOJO / room / "__init__.py").read_text(encoding="utf-8") == ""


def test_the_child_process_module_stands_alone() -> None:
    """Specs use it, and children of every kind: it needs Python and nothing else."""
    tree = ast.parse((DOJO / "run/process.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for each in names:
            assert each.partition(".")[0] in sys.stdlib_module_names, each


def test_what_runs_the_katas_prints_nothing() -> None:
    """The room `run` gives results; what is said of them is said by the rooms above it."""
    for path in (DOJO / "run").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "sys.stdout.write", "say"), f"{path.name}:{node.lineno}"  # type: ignore[attr-defined]
