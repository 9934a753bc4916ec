"""The names that PyTorch users know: every face finds its names, and a broken kata stops only its own."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalogue import KATAS, SOLUTIONS

FACES = ["tinytorch", "tinytorch.nn", "tinytorch.nn.functional", "tinytorch.nn.utils", "tinytorch.optim"]
FACES += ["tinytorch.nn.utils.prune", "tinytorch.optim.lr_scheduler", "tinytorch.utils.benchmark"]
FACES += ["tinytorch.utils.data", "tinytorch.amp", "tinytorch.ao.quantization"]


@pytest.mark.parametrize("name", FACES)
def test_every_name_of_a_face_is_found(name: str) -> None:
    face = importlib.import_module(name)
    for attribute in dir(face):
        assert getattr(face, attribute) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = face.nothing


def lists() -> list[Path]:
    """The files that say which names there are: the faces, and the packages of katas."""
    faces = [Path(str(importlib.import_module(name).__file__)) for name in FACES]
    return [
        *faces,
        *(SOLUTIONS / kata.slug / "__init__.py" for kata in KATAS if (SOLUTIONS / kata.slug).is_dir()),
    ]


def listed(path: Path) -> list[str]:
    """What is imported there, `import *` included: what that file lists is listed here."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Name) and node.id == "__all__"), f"{path} lists its names again"
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            starred = SOLUTIONS.joinpath(*str(node.module).split(".")[1:]).with_suffix(".py")
            names += listed(starred) if alias.name == "*" else [alias.name]
    return names


@pytest.mark.parametrize("path", lists(), ids=lambda path: str(path.relative_to(SOLUTIONS)))
def test_no_name_is_listed_twice(path: Path) -> None:
    names = listed(path)
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", FACES)
def test_a_face_is_read_from_the_imports_that_a_type_checker_sees(name: str) -> None:
    face = importlib.import_module(name)
    tree = ast.parse(Path(str(face.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        module = importlib.import_module(str(node.module))
        for alias in node.names:
            names = [each for each in vars(module) if each[0] != "_"] if alias.name == "*" else [alias.name]
            for each in names:
                assert each in dir(face)
                assert getattr(face, each) is getattr(module, each)


def test_tinytorch_shows_what_torch_shows() -> None:
    """What a kata offers to other katas alone, or under torch.nn, is not there."""
    import tinytorch

    some = {
        "Tensor",
        "tensor",
        "zeros",
        "add",
        "topk",
        "int8",
        "relu",
        "logsumexp",
        "no_grad",
        "manual_seed",
        "save",
    }
    assert some <= set(dir(tinytorch))
    assert not {"pad", "flat_index", "getitem", "nn", "np", "gelu", "evaluating"} & set(dir(tinytorch))


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
