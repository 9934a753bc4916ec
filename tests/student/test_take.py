"""`make take`: one function of the reference, with what it needs, in the place of one that is not written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dojo.tree import taking
from tests import small_repository
from tests.small_repository import dojo, write

REFERENCE = '''"""Numbers."""

from __future__ import annotations

import math
from typing import Any

_TWO = 2
"""How many."""


# Alone ----


def double(x: Any) -> Any:
    """Twice."""
    return _times(x, _TWO)  # a comment


def _times(x: Any, n: int) -> Any:
    return x * n


def root(x: float) -> float:
    """The root of it."""
    return math.sqrt(double(x))


class Counter:
    """Counts."""

    def __init__(self, begin: int = 0) -> None:
        """Begin."""
        self._count = begin

    def step(
        self,
        by: int = 1,
    ) -> int:
        """One more."""
        self._count += self._checked(by)
        return self._count

    def _checked(self, by: int) -> int:
        return abs(by)
'''


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A repository where kata 01 is the skeleton of the reference above."""
    home = small_repository.build(tmp_path)
    for name in ("tensor", "optimizers"):
        (home / f"tinytorch/{name}.py").unlink()
    write(home / "solutions/tinytorch/__init__.py", "")
    write(home / "solutions/tinytorch/setup.py", REFERENCE)
    (home / "tinytorch/setup.py").unlink()
    done = dojo(home, "dev-skeleton", "--force")
    assert done.returncode == 0, done.stdout
    return home


def said(home: Path, *words: str, code: int = 0) -> str:
    done = dojo(home, *words)
    assert done.returncode == code, done.stdout
    return " ".join(done.stdout.split())


def mine(home: Path) -> str:
    return (home / "tinytorch/setup.py").read_text()


def test_a_function_comes_with_what_it_needs_and_its_comments(home: Path) -> None:
    text = said(home, "take", "F=double")

    assert "Taken from the reference into tinytorch/setup.py: double." in text
    assert "With it came what it needs: _TWO, _times." in text
    assert (
        'def double(x: Any) -> Any:  # taken\n    """Twice."""\n    return _times(x, _TWO)  # a comment\n'
        in mine(home)
    )
    assert '_TWO = 2\n"""How many."""\n' in mine(home)
    assert mine(home).index("_TWO = 2") < mine(home).index("def double") < mine(home).index("def _times")
    assert "import math" not in mine(home), "root needs it, and is not taken"
    subprocess.run([sys.executable, "-c", f"{mine(home)}\nassert double(4) == 8"], check=True)


def test_the_board_counts_what_was_taken_and_restore_undoes_it(home: Path) -> None:
    before = mine(home)
    said(home, "take", "F=double")
    said(home, "take", "F=root")
    assert ", taken 2" in said(home, "board")
    said(home, "restore", "1")
    said(home, "restore", "3")
    assert mine(home) == before
    assert "taken" not in said(home, "board")


def test_what_is_called_and_not_written_is_named(home: Path) -> None:
    assert "Not written yet, and called by it: double." in said(home, "take", "F=root")
    assert "import math\n" in mine(home)


def test_a_function_that_is_written_stays_unless_it_is_forced(home: Path) -> None:
    stub = '    raise NotImplementedError("kata 01: double")\n'
    write(home / "tinytorch/setup.py", mine(home).replace(stub, "    return x + x\n"))
    before = mine(home)

    text = said(home, "take", "F=double", code=2)

    assert "double is written, so nothing was changed. `make take N=1 F=double FORCE=1` replaces it." in text
    assert mine(home) == before
    said(home, "take", "F=double", "FORCE=1")
    assert "x + x" not in mine(home) and "_times(x, _TWO)" in mine(home)


def test_a_class_is_taken_whole_with_its_private_methods(home: Path) -> None:
    text = said(home, "take", "F=Counter")
    assert "Counter.__init__, Counter.step." in text
    assert "    ) -> int:  # taken\n" in mine(home)
    subprocess.run([sys.executable, "-c", f"{mine(home)}\nassert Counter(1).step(-2) == 3"], check=True)


def test_where_the_state_is_the_students_own_the_class_is_offered(home: Path) -> None:
    stub = '        raise NotImplementedError("kata 01: Counter.__init__")\n'
    write(home / "tinytorch/setup.py", mine(home).replace(stub, "        self.value = begin\n"))
    before = mine(home)

    text = said(home, "take", "F=Counter.step", code=2)

    assert "Counter.step reads self._count, which the reference's Counter has and yours does not." in text
    assert "`make take F=Counter FORCE=1`" in text
    assert mine(home) == before
    rest = said(home, "take", "N=1", "F=rest")
    assert "double, root." in rest and "Not taken: Counter.step reads self._count" in rest
    said(home, "take", "F=Counter", "FORCE=1")
    subprocess.run(
        ["python", "-c", f"{mine(home)}\nassert Counter(1).step(-2) == 3 and root(8) == 4"], check=True
    )


def test_the_rest_is_all_that_is_not_written(home: Path) -> None:
    said(home, "take", "N=1", "F=rest")
    assert taking.taken(mine(home).encode()) == ["double", "root", "Counter.__init__", "Counter.step"]
    assert "Nothing is left to take" in said(home, "take", "N=1", "F=rest")


def test_each_abuse_has_its_sentence(home: Path) -> None:
    assert "Say which function" in said(home, "take", code=2)
    assert "Say which function" in said(home, "take", "F=rest", code=2)
    assert "Did you mean Counter.step?" in said(home, "take", "F=step", code=2)
    write(home / "tinytorch/setup.py", mine(home) + "def (")
    assert "is not Python yet" in said(home, "take", "F=double", code=2)
    (home / "solutions/tinytorch/setup.py").unlink()
    (home / "solutions/tinytorch/__init__.py").unlink()
    (home / "solutions/tinytorch").rmdir()
    assert "that folder is missing" in said(home, "take", "F=double", code=2)
