"""`make dev-mutants` in a tiny repository: what is changed, what is killed, what is kept, which entry is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.authors.mutants import EQUIVALENT, equivalents
from dojo.catalogue import ROOT
from tests import needs
from tests.authors.test_gate_itself import REFERENCE, SPECS, build

COMMAND = (
    "import argparse, sys; from dojo.authors import mutants;"
    "parser = argparse.ArgumentParser(); mutants.add_arguments(parser); sys.exit(mutants.run(parser.parse_args()))"
)
MORE = '''
def _doubled(function):
    def call(*args):
        return 2 * function(*args)

    return call


@_doubled
def longest(line: Line, other: int = 0) -> int:
    """Twice the length of a line, or twice `other` if that is more."""
    n = len(line.numbers)
    return n if n > other else other


def count(line: Line) -> int:
    """How many numbers there are."""
    n = 0
    while n != len(line.numbers):
        n += 1
    return n


def lucky() -> int:  # given
    return 7 + 1
'''
MORE_SPECS = '''
from tinytorch.tensor import count, longest


def test_longest():
    """longest doubles the length."""
    assert_equal(longest(Line([1.0, 2.0])), 4, "longest")


def test_count():
    """count counts."""
    assert_equal(count(Line([1.0, 2.0, 3.0])), 3, "count")
    assert_equal(count(Line([])), 0, "count")
'''
SHARPER = '''
def test_longest_of_another():
    """longest knows another length."""
    assert_equal(longest(Line([]), 3), 6, "longest")
'''
TIE = "[[equivalent]]\nkata = 2\nfunction = 'longest'\nchange = '^> other -> >= other$'\nwhy = 'both are the same'\n"
GAP = "[[equivalent]]\nkata = 2\nfunction = 'longest'\nchange = 'or True'\nwhy = 'nobody passes another'\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs.module("mutmut")
    root = build(tmp_path_factory.mktemp("repository"), {REFERENCE: MORE, SPECS: MORE_SPECS})
    (root / "tests/mutation").mkdir()
    return root


def played(root: Path, entries: str, *args: str) -> tuple[int, str]:
    """The exit status and the output of the command, with these equivalent mutants."""
    (root / "tests/mutation/equivalent.toml").write_text(entries or "equivalent = []\n", encoding="utf-8")
    command = [sys.executable, "-c", COMMAND, *args]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=100)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def kept(root: Path) -> dict[tuple[str, str], str]:
    """The spec that killed each mutant of kata 02, by function and change."""
    found = json.loads((root / ".dojo/mutants/02.json").read_text(encoding="utf-8"))["mutants"]
    return {(each["place"].split()[1].partition(":")[0], each["change"]): each["killer"] for each in found}


def test_mutants_are_killed_kept_and_judged(repository: Path) -> None:
    code, output = played(repository, TIE)
    assert re.search(r"kata 01 +2 mutants +2 killed +0 equivalent +0 left", output), output
    assert re.search(r"kata 02 +\d+ mutants +\d+ killed +1 equivalent +1 left", output), output
    gap = "tinytorch.tensor longest:38  n if n > other else other -> n if (n > other) or True else other  in  return"
    assert (code, gap in output) == (1, True), output

    killers = kept(repository)
    spec = f"{SPECS}::test_"
    assert killers["_doubled", "2 * function(*args) -> 2 / function(*args)"] == f"{spec}longest"
    assert killers["longest", "n = len(line.numbers) -> n = None"] == f"{spec}longest", "it is decorated"
    assert killers["count", "n += 1 -> n -= 1"] == f"{spec}count", "it never ends"
    assert killers["Line.total", "sum(self.numbers) -> sum(None)"] == f"{spec}total_adds"
    assert ("longest", "0 -> 1") not in killers, "the skeleton has the defaults"
    assert not any(function == "lucky" for function, _ in killers), "it is given"

    code, output = played(repository, TIE + GAP)
    assert (code, "2 equivalent     0 left" in output) == (0, True), output
    code, output = played(repository, TIE + GAP + TIE.replace("longest", "shortest"))
    assert (code, "matches no mutant: kata = 2, function = 'shortest'" in output) == (1, True), output

    specs = repository / SPECS
    before = (repository / ".dojo/mutants/02.json").stat().st_mtime_ns
    specs.write_text(specs.read_text(encoding="utf-8") + SHARPER, encoding="utf-8")
    code, output = played(repository, TIE + GAP, "2")
    assert (repository / ".dojo/mutants/02.json").stat().st_mtime_ns > before, "the specs changed"
    killed = f"specs kill all 1 ({spec}longest_of_another)"
    assert (code, killed in output, " 0 left" in output) == (1, True, True), output


def test_an_entry_says_what_is_changed_and_why() -> None:
    assert EQUIVALENT.is_relative_to(ROOT / "tests")
    assert len(equivalents()) == len({entry[1:] for entry in equivalents()}), "two entries say the same"
