"""The lists of specs: what counts as green, and what is missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dojo import catalogue
from dojo.catalogue import Kata, kata, kata_of
from dojo.run import specs, standing
from dojo.run.results import Result

FILE = "katas/01_setup/test_01.py"


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kata]:
    """Kata 01 with a list of two specs, one of them of three cases."""
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    folder = tmp_path / "katas/01_setup"
    folder.mkdir(parents=True)
    (folder / "specs.txt").write_text("test_a 3\ntest_b 1\n", encoding="utf-8")
    yield kata(1)


def result(id: str, state: str = "green") -> Result:
    return Result(f"{FILE}::{id}", state, "", "", None, 0.0)


ALL = ["test_a[1]", "test_a[2]", "test_a[3]", "test_b"]


def test_all_cases_are_green(listed: Kata) -> None:
    assert specs.listed(listed) == {"test_a": 3, "test_b": 1} and specs.total(listed) == 4
    found = standing.judge(listed, [result(id) for id in ALL])
    assert (found.green, found.total, found.red) == (4, 4, "")


@pytest.mark.parametrize(
    ("ids", "green"),
    [
        (["test_a[1]"] * 3 + ["test_b"], 2),  # one case, reported three times
        (["test_a[1]", "test_a[2]", "test_b"], 3),  # a case that is gone
        ([*ALL[:3], "test_c"], 3),  # a spec that nobody listed
        ([*(f"test_a[{i}]" for i in range(9))], 3),  # more cases than the list says
        ([], 0),
    ],
)
def test_fewer_is_an_error(listed: Kata, ids: list[str], green: int) -> None:
    found = standing.judge(listed, [result(id) for id in ids])
    assert (found.green, found.total) == (green, 4)
    assert found.red, "a spec that was not run is red"


def test_what_this_system_cannot_run_is_neither_missed_nor_green(listed: Kata) -> None:
    found = standing.judge(listed, [*(result(id) for id in ALL[:3]), result("test_b", "elsewhere")])
    assert (found.green, found.total, found.red) == (3, 3, "")


def test_a_kata_without_a_list_is_not_green(listed: Kata) -> None:
    specs.path(listed).unlink()
    found = standing.judge(listed, [result(id) for id in ALL])
    assert found.red and "specs.txt lists no specs" in found.summary


def test_from_a_path_to_its_kata() -> None:
    root = catalogue.ROOT
    assert kata_of(root / "katas/02_tensor/test_03.py") == kata(2)
    assert kata_of(root / "tests/test_03.py") is None and kata_of(root / "katas") is None
    assert kata_of(Path("tensor/layout.py"), Path()) == kata_of(Path("tensor.py"), Path()) == kata(2)
    assert kata_of(Path("dispatch.py"), Path()) is None
    assert kata_of(Path("elsewhere/homework/capstone/web/page.html"), Path("elsewhere/homework")) == kata(20)
    assert specs.kata_of_id("katas/14_transformers/test_01.py::test_x[a/b]") == kata(14)


# The short path -----------------------------------------------------------------------------------------

LINES = 'def f\ndef C.g\ntest_a 3 short ["1", "a b"]\ntest_b 1 short\ntest_c 2\n'


def test_the_short_path_is_read_and_written(listed: Kata) -> None:
    specs.path(listed).write_text(LINES, encoding="utf-8")

    assert specs.functions(listed) == ["f", "C.g"]
    assert specs.listed(listed) == {"test_a": 3, "test_b": 1, "test_c": 2}
    assert specs.listed(listed, specs.SHORT) == {"test_a": 2, "test_b": 1}
    assert (specs.total(listed), specs.total(listed, specs.SHORT)) == (6, 3)
    assert specs.written(specs.functions(listed), specs.read(listed)) == LINES


def test_which_cases_are_short(listed: Kata) -> None:
    specs.path(listed).write_text(LINES, encoding="utf-8")
    ids = [
        f"{FILE}::{each}"
        for each in ("test_a[1]", "test_a[a b]", "test_a[2]", "test_b", "test_c[1]", "test_d")
    ]

    short = specs.chooser(listed, specs.SHORT)
    assert [id.partition("::")[2] for id in ids if short(id)] == ["test_a[1]", "test_a[a b]", "test_b"]
    assert short(f"{FILE}::import"), "a file that cannot be imported is told of"
    assert all(map(specs.chooser(listed, specs.WHOLE), ids))


def test_a_short_kata_is_green_without_the_others(listed: Kata) -> None:
    specs.path(listed).write_text(LINES, encoding="utf-8")
    found = standing.judge(listed, [result(id) for id in ("test_a[1]", "test_a[a b]", "test_b")], specs.SHORT)
    assert (found.green, found.total, found.red) == (3, 3, "")
