"""Canaries: copies that are changed and do the same, mistakes planted in a student's own code, stubs that are green."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from dojo.catalogue import KATAS, SOLUTIONS, STUDENT
from dojo.teach import canary, judge, sandbox
from dojo.teach.judge import Grader, Settings
from dojo.teach.submissions import Content
from dojo.tree import mistakes
from tests.authors.test_right_answers import RIGHT
from tests.teach.crowd import needs_sandbox

LAYERS = KATAS[3]
ACTIVATIONS = KATAS[2]
SPATIAL = KATAS[8]
SOURCE = (SOLUTIONS / "activations.py").read_bytes()


def test_a_copy_is_changed_in_every_function_and_every_line_keeps_its_number() -> None:
    draw = random.Random(0)
    copies = {canary.disturbed({"a.py": SOURCE}, draw)["a.py"] for _ in range(5)}
    assert len(copies) == 5
    before = ast.parse(SOURCE)
    for copy in copies:
        after = ast.parse(copy)
        for old, new in zip(before.body, after.body, strict=False):
            assert old.lineno == new.lineno and type(old) is type(new)
            if isinstance(old, ast.FunctionDef):
                assert ast.get_docstring(old) == ast.get_docstring(new) and ast.dump(old) != ast.dump(new)


@pytest.mark.parametrize(
    "source",
    [
        b"def f(): return 1",
        b'def f():\n    """Only a docstring."""\n',
        b"# -*- coding: latin-1 -*-\ndef f():\n    return '\xe9'\n",
        b"\xef\xbb\xbfdef f():\r\n    if 1: return 2\r\n    else: return 3\r\n",
        b"class A:\n    x: int = 1\n    def f(self): pass; return 1\n",
        b"def f(n):\n    match n:\n        case 1: return 1\n        case _: return 2",
        b"async def f():\n    async with g() as h:\n        await h\n",
        b"\xff\x00",
        b"def f(:\n",
    ],
)
def test_any_source_stays_what_it_is(source: bytes) -> None:
    [copy] = canary.disturbed({"a.py": source}, random.Random(1)).values()
    assert (canary.parsed(copy) is None) == (canary.parsed(source) is None)
    assert copy.count(b"\n") <= source.count(b"\n") + 2


@pytest.mark.parametrize("kata", [each for each in KATAS if each.built], ids=lambda kata: kata.name)
def test_every_mistake_can_be_planted_in_the_reference(kata: object) -> None:
    assert isinstance(kata, type(KATAS[0]))
    files = {path.relative_to(SOLUTIONS).as_posix(): path.read_bytes() for path in kata.files(SOLUTIONS)}
    for mistake, right, wrong in canary.known(kata.number):
        planted = canary.plant(files, mistake, right, wrong)
        assert planted is not None and planted != files, mistake.name
        assert all(canary.parsed(each) for name, each in planted.items() if name.endswith(".py")), (
            mistake.name
        )


def test_a_private_function_is_no_place_for_a_mistake() -> None:
    """A student has other helpers: the mistake would stand in one that nobody calls, and its spec would stay green."""
    private = [each.name for each in mistakes.load(SPATIAL) if each.function == "_sides"]
    assert private and not {each[0].name for each in canary.known(SPATIAL.number)} & set(private)
    assert "Tensor.__setitem__" in {each[0].function for each in canary.known(2)}


def test_a_function_that_is_no_def_is_replaced_at_the_end() -> None:
    mistake, right, wrong = next(each for each in canary.known(3) if each[0].function == "relu")
    planted = canary.plant({"activations.py": b"relu = lambda x: x\n"}, mistake, right, wrong)
    assert planted is not None
    assert planted["activations.py"].decode().rstrip().endswith("relu = _made()")


def test_only_a_stub_that_is_defined_nowhere_else_is_unwritten() -> None:
    stubs = (STUDENT / "activations.py").read_bytes()
    names = canary.unwritten({"activations.py": stubs}, ACTIVATIONS)
    assert names == judge.written(3)
    again = stubs + b"\n\ndef relu(x):\n    return x\n\n\ngelu = relu\n"
    assert names - canary.unwritten({"activations.py": again}, ACTIVATIONS) == {"relu", "gelu"}


def test_harmless_modules_are_no_means_to_reach_the_judge() -> None:
    def suspicious(code: str) -> bool:
        return canary.could_reach_its_judge({"activations.py": code.encode()}, ACTIVATIONS)

    assert not suspicious("import math\nfrom collections import deque\nfrom tinytorch.tensor import Tensor")
    for code in (
        "import pytest",
        "import os.path",
        "x = __import__('gc')",
        "f.__code__ = 1",
        "import dojo.spec",
    ):
        assert suspicious(code), code


@needs_sandbox
@pytest.mark.timeout(120)
def test_a_right_answer_that_is_not_the_reference_s_passes(tmp_path: Path) -> None:
    answer = RIGHT[0]
    [(module, text)] = answer.plant().items()
    files = {path.relative_to(SOLUTIONS).as_posix(): path.read_bytes() for path in LAYERS.files(SOLUTIONS)}
    name = next(each for each in files if f"tinytorch.{each[:-3].replace('/', '.')}" == module)
    settings = Settings(tmp_path, (LAYERS,), sandbox.kind())
    with Grader("s", Content({**files, name: text.encode()}), settings, lambda _: None) as grader:
        result = grader.kata(LAYERS)
    assert (result.status, result.canary) == ("graded", "passed"), result.canaries
