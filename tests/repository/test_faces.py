"""The names that PyTorch users know: every face finds its names, and a broken kata stops only its own."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalogue import SOLUTIONS

FACES = ["tinytorch", "tinytorch.nn", "tinytorch.nn.functional", "tinytorch.nn.utils", "tinytorch.optim"]
FACES += ["tinytorch.optim.lr_scheduler", "tinytorch.utils.data"]


@pytest.mark.parametrize("name", FACES)
def test_every_name_of_a_face_is_found(name: str) -> None:
    face = importlib.import_module(name)
    for attribute in dir(face):
        assert getattr(face, attribute) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = face.nothing


@pytest.mark.parametrize("name", FACES)
def test_what_mypy_sees_is_what_is_found(name: str) -> None:
    """The imports under TYPE_CHECKING and the table of the face name the same things from the same katas."""
    face = importlib.import_module(name)
    tree = ast.parse(Path(str(face.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {(alias.name, str(node.module)) for node in imports for alias in node.names}
    table = next(ast.literal_eval(call.args[1]) for call in ast.walk(tree) if _makes_a_face(call))
    found = {(attribute, module) for module, names in table.items() for attribute in names.split()}
    assert found - {("tensor", "tinytorch.tensor")} == seen


def _makes_a_face(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "face"


def test_tensor_is_the_function_as_in_pytorch() -> None:
    import tinytorch

    assert tinytorch.tensor([1.0, 2.0]).tolist() == [1.0, 2.0]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A package in which kata 05 is not Python, and kata 02 fails when it is imported."""
    import shutil

    shutil.copytree(SOLUTIONS, tmp_path / "tinytorch")
    (tmp_path / "tinytorch/losses.py").write_text("def mse_loss(:\n")
    return tmp_path


def python(home: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def test_a_syntax_error_stops_only_its_own_names(broken: Path) -> None:
    code = "import tinytorch; print(tinytorch.nn.functional.relu.__name__); tinytorch.nn.functional.mse_loss"
    out = python(broken, code)
    assert "relu" in out
    last = out.strip().splitlines()[-1]
    assert "tinytorch.nn.functional.mse_loss comes from tinytorch.losses, which cannot be imported" in last
    assert "losses.py, line 1" in last


def test_a_broken_tensor_does_not_stop_kata_01(broken: Path) -> None:
    (broken / "tinytorch/tensor/tensor.py").write_text("1 / 0\n")
    out = python(
        broken, "from tinytorch.setup import Device; print(Device('cpu')); import tinytorch; tinytorch.tensor"
    )
    assert out.startswith("cpu\n")
    assert "tinytorch.tensor comes from tinytorch.tensor, which cannot be imported: division by zero" in out


def test_the_environment_is_printed_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinytorch.setup"], cwd=SOLUTIONS.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "GFLOP/s" in done.stdout
