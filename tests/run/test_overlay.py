"""Which file `tinytorch` comes from, on trees of a few lines."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from dojo.catalogue import SOLUTIONS, STUDENT, Kata
from dojo.errors import DojoError
from dojo.tree import overlay
from dojo.tree.overlay import Plan


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """No `tinytorch` is imported in a test, and what was imported before is there again afterwards."""
    finders, modules = (
        sys.meta_path[:],
        {n: m for n, m in sys.modules.items() if n.split(".")[0] == "tinytorch"},
    )
    for name in modules:
        del sys.modules[name]
    yield
    for name in [n for n in sys.modules if n.split(".")[0] == "tinytorch"]:
        del sys.modules[name]
    sys.meta_path[:] = finders
    sys.modules.update(modules)


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """The student's tree, where tensor is a package, and the reference's, where it is a file."""
    files = {
        "student/__init__.py": "WHO = 'student'",
        "student/setup.py": "WHO = 'student'",
        "student/tensor/__init__.py": "from tinytorch.tensor.layout import WHO",
        "student/tensor/layout.py": "WHO = 'student'",
        "student/autograd.py": "WHO = 'student'",
        "reference/__init__.py": "WHO = 'reference'",
        "reference/setup.py": "WHO = 'reference'",
        "reference/tensor.py": "WHO = 'reference'",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return tmp_path / "student", tmp_path / "reference"


def who(module: str) -> str:
    found: str = importlib.import_module(module).WHO
    return found


def test_everything_comes_from_the_tree(trees: tuple[Path, Path]) -> None:
    overlay.install(Plan(trees[0]))
    assert [who(f"tinytorch{m}") for m in ("", ".setup", ".tensor", ".tensor.layout")] == ["student"] * 4
    assert importlib.import_module("tinytorch.tensor.layout").__file__ == str(
        trees[0] / "tensor" / "layout.py"
    )


def test_a_special_package_stands_in_for_a_file(trees: tuple[Path, Path]) -> None:
    overlay.install(Plan(trees[1], special={"tensor": trees[0]}))
    assert [who(f"tinytorch{m}") for m in ("", ".setup", ".tensor")] == ["reference", "reference", "student"]


def test_a_special_file_stands_in_for_a_package(trees: tuple[Path, Path]) -> None:
    overlay.install(Plan(trees[0], special={"tensor": trees[1]}))
    assert who("tinytorch.tensor") == "reference"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tinytorch.tensor.layout")


def test_a_closed_kata_says_which_kata_it_is(trees: tuple[Path, Path]) -> None:
    overlay.install(Plan(trees[0], closed=frozenset({"autograd"})))
    with pytest.raises(ImportError, match=r"tinytorch\.autograd is kata 07, which is above"):
        importlib.import_module("tinytorch.autograd")


def test_a_source_stands_in_for_what_is_in_the_file(trees: tuple[Path, Path]) -> None:
    text = "WHO = 'text'\n\ndef fail():\n    raise KeyError(WHO)\n"
    overlay.install(Plan(trees[0], source={"tinytorch.setup": text}))
    assert who("tinytorch.setup") == "text"
    with pytest.raises(KeyError) as error:
        importlib.import_module("tinytorch.setup").fail()
    frame = traceback.extract_tb(error.value.__traceback__)[-1]
    assert (frame.filename, frame.line) == (str(trees[0] / "setup.py"), "raise KeyError(WHO)")


def test_an_edit_of_the_same_size_and_second_is_seen(trees: tuple[Path, Path]) -> None:
    overlay.install(Plan(trees[0]))
    path = trees[0] / "setup.py"
    assert who("tinytorch.setup") == "student"
    before = path.stat()
    path.write_text("WHO = 'STUDENT'\n", encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    del sys.modules["tinytorch.setup"]
    assert who("tinytorch.setup") == "STUDENT"
    assert not list(trees[0].rglob("*.pyc"))


def test_a_null_byte_is_named_with_its_file(trees: tuple[Path, Path]) -> None:
    overlay.install(Plan(trees[0]))
    (trees[0] / "setup.py").write_bytes(b"A = 1\nB = '\0'\n")
    with pytest.raises(SyntaxError, match="null byte") as error:
        importlib.import_module("tinytorch.setup")
    assert (error.value.filename, error.value.lineno) == (str(trees[0] / "setup.py"), 2)


def test_a_missing_module_is_not_looked_for_elsewhere(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kata, "built", True)
    monkeypatch.syspath_prepend(trees[0].parent)
    overlay.install(Plan(trees[1]))
    (trees[1] / "tensor.py").unlink()
    with pytest.raises(ModuleNotFoundError, match=r"There is no .*tensor\.py, and no .*make reset N=2"):
        importlib.import_module("tinytorch.tensor")


def test_it_is_too_late_once_tinytorch_is_imported(trees: tuple[Path, Path]) -> None:
    overlay.install(Plan(trees[0]))
    overlay.install(Plan(trees[1]))
    assert who("tinytorch.setup") == "reference"
    assert overlay.installed() == Plan(trees[1])
    with pytest.raises(DojoError, match="too late"):
        overlay.install(Plan(trees[0]))


def test_the_plans_of_impl() -> None:
    assert overlay.plan_for("student") == Plan(STUDENT)
    assert overlay.plan_for("solutions") == Plan(SOLUTIONS)
    with pytest.raises(DojoError, match="--impl nowhere"):
        overlay.plan_for("nowhere")


def test_impl_takes_a_tree_or_the_folder_that_holds_one(tmp_path: Path) -> None:
    tree = tmp_path / "tinytorch"
    tree.mkdir()
    assert overlay.plan_for(str(tmp_path)) == overlay.plan_for(str(tree)) == Plan(tree)


def test_impl_finds_the_only_tree_in_a_folder_of_homework(tmp_path: Path) -> None:
    (tmp_path / "homework/tinytorch").mkdir(parents=True)
    assert overlay.plan_for(str(tmp_path)) == Plan(tmp_path / "homework/tinytorch")
    (tmp_path / "homework/old/tinytorch").mkdir(parents=True)
    with pytest.raises(DojoError, match=r"there are 2 tinytorch folders in it.*Name one"):
        overlay.plan_for(str(tmp_path))


def test_impl_on_a_folder_with_nothing_of_a_kata_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DojoError, match="there is no tinytorch folder in it"):
        overlay.plan_for(str(tmp_path))
    (tmp_path / "tensor.py").touch()
    assert overlay.plan_for(str(tmp_path)) == Plan(tmp_path)


def test_alone_takes_one_kata_from_impl_and_closes_those_above() -> None:
    plan = overlay.plan_for("student", alone=3)
    assert plan.tree_of("activations") == STUDENT
    assert plan.tree_of("tensor") == plan.tree_of("dispatch") == plan.tree_of("") == SOLUTIONS
    assert "layers" in plan.closed and "capstone" in plan.closed
    assert not plan.closed & {"setup", "tensor", "activations", "dispatch", "nn"}
