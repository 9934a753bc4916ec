"""The other right answers: at least five a kata, each says what is different, and grading believes them.

That they turn the specs green is part of the gate (tests/authors/test_gate.py).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from dojo.authors.gate import functions
from dojo.catalogue import KATAS, SOLUTIONS, Kata, kata
from dojo.errors import DojoError
from dojo.teach import canary
from dojo.tree import answers, reference
from dojo.tree.answers import Answers
from dojo.tree.skeleton.names import names_bound, names_read

ANSWERED = KATAS[1:19]
FILES = [each for kata in ANSWERED for each in answers.load(kata)]


@pytest.mark.parametrize("kata", ANSWERED, ids=lambda kata: kata.name)
def test_five_functions_of_each_kata_are_answered_otherwise(kata: Kata) -> None:
    names = {name for each in answers.load(kata) for name in each.functions}
    assert len(names) >= 5, sorted(names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.stem)
def test_a_file_says_what_is_different_and_stands_alone(file: Answers) -> None:
    assert file.subject
    assert set(file.functions) <= set(functions(file.kata)), "only what a student writes"
    for name in file.functions:
        answer = file.of(name)
        assert answer.says, f"{name} does not say what is different"
        here = ast.parse(answer.text)
        there = names_bound(ast.parse(reference.only(file.kata, name)[1])) - names_bound(here)
        private = {each for each in names_read(here) & there if each.startswith("_")}
        assert not private, f"{name} needs {private} of the reference"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.stem)
def test_an_answer_is_no_copy_of_the_reference(file: Answers) -> None:
    """Most of its text is its own: it is another way, and not another name."""
    for name, node in file.functions.items():
        *_, theirs = reference.only(file.kata, name)
        old, new = _statements(theirs), _statements(node)
        same = [each for each in new if each in old]
        assert 2 * len("".join(same)) <= len("".join(new)), f"{name}: these are the reference's: {same}"


def _statements(node: ast.AST) -> list[str]:
    body = [each for each in ast.walk(node) if isinstance(each, ast.stmt) and each is not node]
    simple = [each for each in body if not hasattr(each, "body") and not isinstance(each, ast.Raise)]
    docstrings = [
        each for each in simple if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    ]
    return [ast.unparse(each) for each in simple if each not in docstrings]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.stem)
def test_grading_finds_nothing_unwritten_in_it_and_can_plant_its_mistakes(file: Answers) -> None:
    files = as_submitted(file)
    assert not canary.unwritten(files, file.kata)
    everything = [each[0].spec for each in canary.known(file.kata.number)]
    assert not canary.forged(files, file.kata, everything)
    for mistake, right, wrong in canary.known(file.kata.number):
        planted = canary.plant(files, mistake, right, wrong)
        assert planted is not None and planted != files, mistake.name


def as_submitted(file: Answers) -> dict[str, bytes]:
    """The kata's files as a student would hand them in who had written these answers."""
    found = {path.relative_to(SOLUTIONS).as_posix(): path.read_bytes() for path in file.kata.files(SOLUTIONS)}
    places = {
        module: path.relative_to(SOLUTIONS).as_posix()
        for module, path in reference.modules(file.kata).items()
    }
    return found | {places[module]: text.encode() for module, text in file.plant().items()}


# How a file is planted ----------------------------------------------------------------------------------

REFERENCE = '''"""Lines."""

import math


class Line:
    def length(self):
        """How long."""
        return math.hypot(*self.sides)

    def half(self):
        return self.length() / 2


def total(lines):
    return sum(line.length() for line in lines)
'''

Read = Callable[[str], Answers]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    path = tmp_path / "tensor.py"
    path.write_text(REFERENCE, encoding="utf-8")
    monkeypatch.setattr(reference, "modules", lambda kata: {"tinytorch.tensor": path})

    def answered(text: str) -> Answers:
        file = tmp_path / "kata_02.py"
        file.write_text(text, encoding="utf-8")
        return Answers(kata(2), file)

    return answered


def test_a_function_takes_the_place_of_the_reference_s_and_brings_what_it_needs(read: Read) -> None:
    file = read(
        "import math\nfrom functools import reduce\n\n\n"
        'def total(lines):\n    """By pairs."""\n    return reduce(_plus, map(math.fabs, lines))\n\n\n'
        "def _plus(a, b):\n    return a + b\n\n\ndef _other():\n    pass\n"
    )
    planted = file.plant()["tinytorch.tensor"]
    assert planted.count("import math") == 1 and "from functools import reduce\n" in planted
    assert planted.index("def _plus(a, b):") < planted.index("class Line:")
    assert "_other" not in planted and "sum(" not in planted
    assert file.of("total").text.startswith("import math\nfrom functools import reduce\n\n\ndef _plus")


def test_a_class_gives_its_methods_and_adds_others(read: Read) -> None:
    text = (
        'class Line:\n    ready = True\n\n    def length(self):\n        """Roots."""\n'
        "        return self._sum() ** 0.5\n\n    def _sum(self):\n        return 2\n"
    )
    file = read(text)
    planted = file.plant()["tinytorch.tensor"]
    scope: dict[str, type] = {}
    exec(planted, scope)
    assert scope["Line"]().half() == 2**0.5 / 2 and scope["Line"].ready
    assert file.of("Line.length").text == text


def test_what_the_reference_does_not_have_is_refused(
    read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read("def half(x):\n    return x / 2\n")
    monkeypatch.setattr(answers, "folder", lambda: tmp_path)
    with pytest.raises(DojoError, match=r"kata_02\.py answers half, which the reference does not have"):
        answers.load(kata(2))
