"""A repository with three tiny katas, for tests of the commands: real files, and no .venv of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dojo.catalogue import ROOT

STUB = """
def double(x):
    raise NotImplementedError("kata 01: double")


def triple(x):
    raise NotImplementedError("kata 01: triple")
"""
SETUP = """
def double(x):
    return 2 * x


def triple(x):
    return 3 * x
"""
TENSOR = """
from tinytorch.setup import double


def total(values):
    return sum(values)


def twice(values):
    return double(total(values))
"""
OPTIMIZERS = """
def step(x, gradient, lr):
    return x - lr * gradient
"""
SPECS = {
    "01_setup/test_01_double.py": '''
from tinytorch.setup import double


def test_double_of_two():
    """`double(2)` is 4."""
    assert double(2) == 4


def test_double_of_a_negative():
    """`double(-3)` is -6."""
    assert double(-3) == -6
''',
    "01_setup/test_02_triple.py": '''
from tinytorch.setup import triple


def test_triple_of_two():
    """`triple(2)` is 6."""
    assert triple(2) == 6
''',
    "02_tensor/test_01_total.py": '''
from tinytorch.tensor import total, twice


def test_total():
    """`total` adds up a list."""
    assert total([1, 2, 3]) == 6


def test_twice():
    """`twice` is double the total."""
    assert twice([1, 2, 3]) == 12
''',
    "06_optimizers/test_01_step.py": '''
from tinytorch.optimizers import step


def test_step():
    """`step` goes against the gradient."""
    assert step(1.0, 2.0, lr=0.5) == 0.0
''',
}
LISTS = {
    "01_setup": "test_double_of_two 1\ntest_double_of_a_negative 1\ntest_triple_of_two 1\n",
    "02_tensor": "test_total 1\ntest_twice 1\n",
    "06_optimizers": "test_step 1\n",
}
HINTS = """
[test_double_of_two]
question = "What is a number added to itself?"
method = "Multiply by two."
code = "return 2 * ..."

[test_triple_of_two]
question = "And three times?"
method = "Multiply by three."
code = "return 3 * ..."
"""


def build(home: Path) -> Path:
    """The small repository in `home`: kata 01 not written, katas 02 and 06 written."""
    shutil.copytree(ROOT / "dojo", home / "dojo", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py", "constraints.txt", "constraints-dev.txt"):
        shutil.copy(ROOT / name, home / name)
    for name, text in SPECS.items():
        write(home / "katas" / name, text)
        write(home / "katas" / name.split("/")[0] / "README.md", "# a kata\n")
        write(home / "katas" / name.split("/")[0] / "hints.toml", HINTS)
    for name, text in LISTS.items():
        write(home / "katas" / name / "specs.txt", text)
    write(home / "tinytorch/__init__.py", "")
    for name, text in {"setup": STUB, "tensor": TENSOR, "optimizers": OPTIMIZERS}.items():
        write(home / f"tinytorch/{name}.py", text)
    return home


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def environment(**more: str) -> dict[str, str]:
    """What a person's shell would give, and nothing of the pytest that runs now."""
    ours = ("PYTEST", "COV", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "NO_COLOR": "1", **more}


def dojo(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m dojo ...` there, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "dojo", *words],
        cwd=home,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
