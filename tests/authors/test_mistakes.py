"""Every classic mistake is caught by the spec it names, in words that point at it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dojo.authors.gate import built
from dojo.catalogue import Kata, kata
from dojo.errors import DojoError
from dojo.tree import reference
from dojo.tree.mistakes import Mistake, load, mistake, parts
from tests.authors.test_gate import problems

ENOUGH = {2: 12}  # of the kata that has most to write
MISTAKES = [each for kata in built() for each in load(kata)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.kata.id}-{mistake.name}")
def test_mistake_is_caught(mistake: Mistake) -> None:
    found = problems(mistake.kata.number, "mistakes")["mistakes"]
    mine = [problem for problem in found if problem.startswith(f"{mistake.name}:")]
    assert not mine, "\n" + "\n".join(mine)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kata", built(), ids=lambda kata: kata.name)
def test_each_kata_knows_its_classic_mistakes(kata: Kata) -> None:
    mistakes = load(kata)
    names = {mistake.name for mistake in mistakes}
    assert len(mistakes) >= ENOUGH.get(kata.number, 8)
    strays = [
        each for each in problems(kata.number, "mistakes")["mistakes"] if each.partition(":")[0] not in names
    ]
    assert not strays, strays


@pytest.mark.parametrize("kata", built(), ids=lambda kata: kata.name)
def test_a_mistake_is_a_swap_or_a_body_that_copies_nothing(kata: Kata) -> None:
    """A body that repeats the reference would stay behind when the reference moves on: a swap cannot."""
    for each in load(kata):
        body = parts(each.source)[2]
        assert bool(each.swaps) != bool(body), f"{each.name}: a swap or a body"
        _, text, node = reference.only(kata, each.function)
        right = {line.strip() for line in parts(reference.source(text, node))[2].splitlines()}
        copied = [line for line in body.splitlines() if line.strip() and line.strip() in right]
        assert len(copied) <= 1, f"{each.name} copies the reference, write a swap: {copied}"


# How a mistake is planted -------------------------------------------------------------------------------

LINE = '''"""Numbers in a row."""


class Line:
    # Nobody changes it.
    @property
    def total(self) -> float:
        """The sum: return sum(self.numbers)."""
        if not self.numbers:  # nothing to add
            return 0.0
        return sum(self.numbers)

    def first(self) -> float:
        return self.numbers[0]  # sum
'''

Plant = Callable[..., str]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Plants a mistake in Line.total, by swaps or by a body, and gives the text of the module."""
    path = tmp_path / "tensor.py"
    path.write_text(LINE, encoding="utf-8")
    monkeypatch.setattr(reference, "modules", lambda kata: {"tinytorch.tensor": path})

    def planted(*swaps: tuple[str, str], body: str = "", function: str = "Line.total") -> str:
        source = f'def off(self):\n    """It is wrong."""\n{body}'
        return Mistake("off", kata(2), function, "test_total", "1", list(swaps), source).plant()[
            "tinytorch.tensor"
        ]

    return planted


def test_a_swap_changes_its_text_and_nothing_else(plant: Plant) -> None:
    assert plant(("return sum(self.numbers)", "return len(self.numbers)")) == LINE.replace(
        "        return sum(self.numbers)", "        return len(self.numbers)"
    )


def test_a_swap_of_several_lines_is_written_as_in_a_function_that_is_not_indented(plant: Plant) -> None:
    old = "return 0.0\n    return sum(self.numbers)"
    new = "self.numbers = []\n    return 1.0"
    assert plant((old, new)) == LINE.replace(
        "return 0.0\n        return sum(self.numbers)", "self.numbers = []\n        return 1.0"
    )


def test_a_swap_may_be_in_the_signature(plant: Plant) -> None:
    assert plant(("@property\n", ""), ("-> float", "-> int")) == LINE.replace("    @property\n", "").replace(
        "total(self) -> float", "total(self) -> int"
    )


def test_swaps_do_not_see_each_other(plant: Plant) -> None:
    swapped = plant(("0.0", "sum(self.numbers)"), ("sum(self.numbers)", "0.0"))
    assert "return sum(self.numbers)\n        return 0.0\n" in swapped


@pytest.mark.parametrize(
    ("swaps", "message"),
    [
        ([("len", "sum")], "off swaps 'len', found 0 times in Line.total, not once"),
        (
            [("0.0", "1.0"), ("self.numbers", "[]")],
            "off swaps 'self.numbers', found 2 times in Line.total, not once",
        ),
        ([("sum: return", "")], "off swaps 'sum: return', found 0 times"),  # that is the docstring
        ([("Nobody changes", "")], "off swaps 'Nobody changes', found 0 times"),  # that is the class
        ([("return 0.0", "return 1.0"), ("0.0", "2.0")], "the swaps of off overlap"),
        ([("return sum(", "return sum((")], "Line.total with off in it is not Python: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_swap_that_does_not_fit(plant: Plant, swaps: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(DojoError) as caught:
        plant(*swaps)
    assert str(caught.value).startswith(message)


def test_a_body_takes_the_place_of_the_body_and_nothing_else(plant: Plant) -> None:
    right = LINE.partition('numbers)."""\n')[2].partition("\n    def first")[0]
    assert plant(body="    # Wrong.\n    return 1.0\n") == LINE.replace(
        right, "        # Wrong.\n        return 1.0\n"
    )


def test_a_mistake_has_one_of_the_two(plant: Plant) -> None:
    with pytest.raises(DojoError, match="off has a swap and a body"):
        plant(("0.0", "1.0"), body="    return 1.0\n")
    with pytest.raises(DojoError, match="it has no body"):
        plant()


def test_a_function_that_is_gone_or_there_twice(plant: Plant, tmp_path: Path) -> None:
    with pytest.raises(DojoError, match=r"the reference of kata 02 has no Line\.last any more"):
        plant(("0.0", "1.0"), function="Line.last")
    (tmp_path / "tensor.py").write_text(LINE + LINE, encoding="utf-8")
    with pytest.raises(DojoError, match=r"the reference defines Line\.total more than once"):
        plant(("0.0", "1.0"))


def test_one_swap_or_a_list_of_them() -> None:
    def off() -> None:
        """It is wrong."""

    one = mistake("tensor.Line.total", spec="test_total", says="1", swap=("a", "b"))(off)
    two = mistake("tensor.Line.total", spec="test_total", says="1", swap=[("a", "b"), ("c", "d")])(off)
    assert one.swaps == [("a", "b")] and two.swaps == [("a", "b"), ("c", "d")]
