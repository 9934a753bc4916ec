"""The gate finds planted faults: a tiny repository of two katas, sound at first, with one thing wrong in each test."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalogue import ROOT

COMMAND = (
    "import argparse, sys; from dojo.authors import gate;"
    "parser = argparse.ArgumentParser(); gate.add_arguments(parser); sys.exit(gate.run(parser.parse_args()))"
)
SETUP = '''
"""Kata 01."""


def limit(n: int) -> int:
    """The largest whole number below n."""
    return n - 1
'''

TENSOR = '''
"""Kata 02."""

from tinytorch.setup import limit


class Line:
    """Numbers in a row."""

    def __init__(self, numbers: list[float]) -> None:
        """Keep the numbers."""
        self.numbers = _whole(numbers)

    def total(self) -> float:
        """All of them added."""
        return sum(self.numbers)


def last(line: Line) -> float:
    """The last number of a line."""
    return line.numbers[limit(len(line.numbers))]


def _whole(numbers: list[float]) -> list[float]:
    return list(numbers)
'''

SPEC_01 = '''
from dojo.spec import assert_equal
from tinytorch.setup import limit


def test_limit_is_below():
    """limit(n) is below n."""
    assert_equal(limit(3), 2, "limit(3)")
'''

SPEC_02 = '''
import pytest
from dojo.spec import assert_equal
from hypothesis import given, strategies as st
from tinytorch.tensor import Line, last


def test_total_adds():
    """A Line adds its numbers."""
    assert_equal(Line([1.0, 2.0, 4.0]).total(), 7.0, "the total of 1, 2 and 4")


@given(st.lists(st.integers(-9, 9), min_size=1))
def test_last_is_the_last(numbers):
    """last gives the number at the end."""
    assert_equal(last(Line(numbers)), numbers[-1], "the last")
'''

MISTAKES_02 = '''
from dojo.tree.mistakes import mistake


@mistake("tensor.Line.total", spec="test_total_adds", says="the total of 1, 2 and 4")
def total_forgets_the_last(self):
    """The last number is left out."""
    return sum(self.numbers[:-1])


@mistake("tensor.last", spec="test_last_is_the_last", says="the last", swap=("len(line.numbers)", "1"))
def last_is_the_first():
    """The number at the beginning."""
'''


SPECS = "katas/02_tensor/test_01_line.py"
LIST = "katas/02_tensor/specs.txt"
SHORT = "def Line.__init__\ndef Line.total\ntest_total_adds 1 short\ntest_last_is_the_last 1\n"
REFERENCE = "solutions/tinytorch/tensor.py"
MISTAKES = "tests/mistakes/kata_02.py"

Problems = dict[str, dict[str, list[str]]]


def build(root: Path, add: dict[str, str] | None = None) -> Path:
    """The tiny repository in `root`; `add` is appended to its files."""
    shutil.copytree(ROOT / "dojo", root / "dojo", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    files = {
        "solutions/tinytorch/__init__.py": '"""The face."""\n',
        "solutions/tinytorch/setup.py": SETUP,
        REFERENCE: TENSOR,
        "katas/01_setup/test_01_limit.py": SPEC_01,
        SPECS: SPEC_02,
        "katas/01_setup/specs.txt": "def limit\ntest_limit_is_below 1 short\n",
        LIST: SHORT,
        MISTAKES: MISTAKES_02,
    }
    for name, text in files.items():
        more = (add or {}).get(name, "")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        between = "\n\n" if name.endswith(".py") and more else ""
        (root / name).write_text(text.lstrip() + between + more.lstrip(), encoding="utf-8")
    return root


def gate(root: Path, *args: str) -> Problems:
    """What the gate finds there, by kata and check."""
    found = root / "found.json"
    command = [sys.executable, "-c", COMMAND, *args, "--json", str(found)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=100)
    assert found.is_file(), done.stdout + done.stderr
    problems: Problems = json.loads(found.read_text(encoding="utf-8"))
    faulty = any(each for checks in problems.values() for each in checks.values())
    assert done.returncode == (1 if faulty else 0), done.stdout
    return problems


def test_a_sound_repository_passes_the_whole_gate(tmp_path: Path) -> None:
    checks = (*"abcdefg", "answers", "mistakes")
    assert gate(build(tmp_path)) == {kata: {check: [] for check in checks} for kata in ("01", "02")}


# Faults that do not touch each other, all in one repository ---------------------------------------------

FAULTS = {
    "katas/01_setup/test_01_limit.py": """
def test_early():
    \"\"\"It needs a higher kata.\"\"\"
    from tinytorch.tensor import last
    last([1.0])
""",
    SPECS: """
def test_nothing():
    \"\"\"It is green on the skeleton.\"\"\"


def test_hides():
    \"\"\"It takes the skeleton's error for the right one.\"\"\"
    with pytest.raises(RuntimeError):
        last(None)


def test_swallows():
    \"\"\"It calls `first` and asks for nothing.\"\"\"
    from tinytorch.tensor import first
    try:
        first(Line([1.0]))
    except NotImplementedError:
        pass


def test_both():
    \"\"\"It needs a lower kata too, which is right.\"\"\"
    from tinytorch.setup import limit
    assert_equal(last(Line([limit(3)])), 2, "the last")
""",
    REFERENCE: """
import warnings

warnings.warn("old", DeprecationWarning)


def first(line: Line) -> float:
    \"\"\"The first number.\"\"\"
    return line.numbers[0]
""",
    LIST: "test_gone 2\n",
    MISTAKES: """
@mistake("tensor.Line.total", spec="test_last_is_the_last", says="the last")
def other_spec(self):
    return 0


@mistake("tensor.Line.total", spec="test_total_adds", says="minus")
def other_words(self):
    return 0


@mistake("tensor.Line.total", spec="test_gone", says="total")
def no_spec(self):
    return 0


@mistake("tensor.Line.gone", spec="test_total_adds", says="total")
def no_function(self):
    return 0


@mistake("tensor.last", spec="test_last_is_the_last", says="the last")
def other_parameters(row):
    return 0


@mistake("tensor.last", spec="test_last_is_the_last", says="")
def no_words(line):
    return 0


@mistake("tensor.last", spec="test_last_is_the_last", says="the last", swap=("limit", "max"))
def swap_and_body(line):
    return 0
""",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Problems:
    return gate(build(tmp_path_factory.mktemp("faulty"), FAULTS), "--quick")


def test_a_spec_that_is_green_on_the_skeleton(found: Problems) -> None:
    green = {each.partition(" ")[0] for each in found["02"]["a"] if "is green on the skeleton" in each}
    assert green == {f"{SPECS}::{name}" for name in ("test_nothing", "test_hides", "test_swallows")}
    assert len(found["02"]["a"]) == len(green)


def test_a_spec_that_is_red_on_the_reference(found: Problems) -> None:
    [problem] = found["02"]["b"]
    assert problem.startswith(f"{SPECS}::test_hides is wrong on the reference")


def test_a_spec_that_needs_a_higher_kata(found: Problems) -> None:
    setup = found["01"]
    assert "test_early is wrong on the skeleton" in setup["a"][0]  # it never asks for kata 01
    assert "test_early is next on the reference" in setup["b"][0] and "kata 02" in setup["b"][0]
    assert "test_early asks for kata 02: last, which is not of kata 01" in setup["e"][0]


def test_specs_that_are_not_as_listed(found: Problems) -> None:
    *new, old = found["02"]["c"]
    assert [each.partition(" ")[0] for each in new] == [
        "test_nothing",
        "test_hides",
        "test_swallows",
        "test_both",
    ]
    assert new[0].startswith(f"test_nothing has 1 cases, and 0 in {LIST}")
    assert old.startswith(f"test_gone has 0 cases, and 2 in {LIST}")


def test_a_skeleton_that_warns_when_it_is_imported(found: Problems) -> None:
    assert found["02"]["d"] == ["the skeleton of tinytorch.tensor does not import: DeprecationWarning: old"]


def test_a_function_that_no_spec_asks_for(found: Problems) -> None:
    assert "first is never asked for: no spec needs it" in found["02"]["e"]


def test_mistakes_that_are_not_caught(found: Problems) -> None:
    said = dict(each.split(": ", 1) for each in found["02"]["mistakes"])
    assert said.keys() == {
        "other_spec", "other_words", "no_spec", "no_function", "other_parameters", "no_words", "swap_and_body"
    }  # fmt: skip
    assert said["other_spec"] == "test_last_is_the_last does not catch it (green)"
    assert said["other_words"].startswith("the report of test_total_adds does not say 'minus'")
    assert said["no_spec"] == "kata 02 has no spec called test_gone any more"
    assert said["no_function"] == "the reference of kata 02 has no Line.gone any more"
    assert said["other_parameters"] == "it has the parameters ['row']; last has (line: Line)"
    assert said["no_words"].startswith("`says` is empty")
    assert said["swap_and_body"] == "swap_and_body has a swap and a body: one of them is enough"


# Faults that need a repository of their own -------------------------------------------------------------


def test_a_spec_that_depends_on_the_order(tmp_path: Path) -> None:
    text = """
SEEN = []


def test_one():
    \"\"\"One.\"\"\"
    SEEN.append(last(Line([1.0])))


def test_two():
    \"\"\"Two.\"\"\"
    assert SEEN, last(Line([1.0]))
"""
    problems = gate(build(tmp_path, {SPECS: text}), "2", "--only", "b")["02"]["b"]
    assert problems and all(
        "test_two is wrong on the reference, shuffled with seed" in each for each in problems
    )


def test_a_short_path_that_is_too_short(tmp_path: Path) -> None:
    root = build(tmp_path)
    (root / LIST).write_text(SHORT.replace("def Line.__init__\n", ""), encoding="utf-8")
    story = 'from tinytorch.tensor import last\n\n\ndef test_story():\n    """It."""\n    last(None)\n'
    (root / "katas/02_tensor/test_02_story.py").write_text(story, encoding="utf-8")
    with (root / LIST).open("a", encoding="utf-8") as file:
        file.write("test_story 1\n")

    problems = gate(root, "2", "--quick", "--only", "g")["02"]["g"]

    assert problems[0].startswith("the story test_story is not on the short path")
    assert "asks for kata 02: Line.__init__, which is off the short path" in problems[1]
    assert "Line.total is never asked for: no spec needs it" in problems[-1]


def test_a_spec_that_dies(tmp_path: Path) -> None:
    text = """
def test_dies():
    \"\"\"Dies.\"\"\"
    last(Line([1.0]))
    import os
    os._exit(0)
"""
    problems = gate(build(tmp_path, {SPECS: text}), "2", "--quick", "--only", "b", "--only", "walk")["02"]
    assert "The process ended in the middle, with exit status 0." in problems["b"][0]
    assert "the walk did not come to its end" in problems["e"][0] and "test_dies" in problems["e"][0]


def test_a_function_that_is_only_asked_for_together_with_another(tmp_path: Path) -> None:
    text = """
def hidden(line: Line) -> float:
    \"\"\"The first number.\"\"\"
    return line.numbers[0]
"""
    spec = """
WRITTEN = []


def test_once():
    \"\"\"The first time it is asked for, and never again.\"\"\"
    from tinytorch.tensor import hidden
    if len(WRITTEN) < 2:
        WRITTEN.append(last(Line([1.0])))
        hidden(Line([1.0]))
    else:
        last(Line([1.0]))
"""
    root = build(tmp_path, {REFERENCE: text, SPECS: spec})
    problems = gate(root, "2", "--quick", "--only", "walk")["02"]["e"]
    assert problems == ["hidden alone made a skeleton again: no spec says `next: write hidden`"]
