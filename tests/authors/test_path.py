"""How the short path is found: what is written down of a run, and how the lists are made of it."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path

import pytest

from dojo import catalogue
from dojo.authors import gate, path, small
from dojo.authors.specs import write
from dojo.catalogue import KATAS, Kata, kata
from dojo.run import process, specs
from dojo.tree import backups
from dojo.tree.skeleton import derive
from dojo.tree.skeleton.names import names_bound, names_read
from dojo.tree.source import definitions
from dojo.tree.taking import Taking


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "record"
    monkeypatch.setattr(path, "record", os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT))
    monkeypatch.setattr(path, "seen", set())
    return file


@pytest.mark.skipif(not process.can_fork(), reason="the gate forks")
def test_calls_in_threads_and_in_child_processes_are_written_down_once(record: Path) -> None:
    def here() -> None:
        path.ran("f", "kata 02: f")
        path.ran("f", "kata 02: f")

    thread = threading.Thread(target=lambda: path.ran("g", "kata 02: g"))
    here()
    thread.start()
    thread.join()
    process.fork(lambda: path.ran("h", "kata 03: h")).wait()

    assert path._called(record) == {"kata 02: f", "kata 02: g", "kata 03: h"}
    assert len(record.read_text().splitlines()) == 3


def test_of_an_installed_class_every_method_is_needed_if_one_was_called(record: Path) -> None:
    class Base:
        def inherited(self) -> str:
            return "kata 07: Base.inherited"

    class Tape(Base):
        def record(self) -> str:
            return "kata 07: Tape.record"

        @property
        def length(self) -> str:
            return "kata 07: Tape.length"

    class Other(Base):
        def apply(self) -> str:
            return "kata 15: Other.apply"

    path._write_down(Tape)
    path._write_down(Other)
    path._write_down(len)
    assert path._called(record) == set(), "nobody called them"
    path.ran("Tape.record", "kata 07: Tape.record")
    assert path._called(record) == {"kata 07: Tape.record", "kata 07: Tape.length", "kata 07: Base.inherited"}


def test_a_list_says_which_cases_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    ids = ["k/t.py::test_a[1]", "k/t.py::test_a[2]", "k/t.py::test_b", "k/t.py::test_c"]
    write(kata(1), ["f"], ids, {ids[0], ids[2]})
    assert specs.path(kata(1)).read_text() == 'def f\ntest_a 2 short ["1"]\ntest_b 1 short\ntest_c 1\n'


def test_every_milestone_has_small_settings_and_is_played() -> None:
    parts = [part for kata in KATAS for part in kata.parts if part.milestone_script.is_file()]
    assert list(small.SMALL) == [part.key for part in parts]
    played = {
        each.kata.key
        for _, _, plugins in path.scenes()
        for each in plugins
        if isinstance(each, small.Milestone)
    }
    assert played == set(small.SMALL)
    assert {file.stem for file in (kata(20).folder / "tasks").glob("*.toml")} == set(small.TASKS)


@pytest.mark.parametrize("each", gate.built(), ids=lambda kata: kata.name)
def test_each_story_is_played(each: Kata) -> None:
    played = [args for kata, args, plugins in path.scenes() if kata == each and not plugins]
    files = sorted(each.folder.glob("test_*.py")) if each.tracks else gate.stories(each)
    files = [file for file in files if not file.stem.endswith("_device")]
    assert [Path(name).name for args in played for name in args] == [file.name for file in files]


# What is taken, on the real katas -----------------------------------------------------------------------


def taking(number: int) -> Taking:
    """Kata `number`, of which nothing is written."""
    return Taking(kata(number), *(backups.part(kata(number), files) for files in trees()))


@cache
def trees() -> tuple[dict[Path, bytes], dict[Path, bytes]]:
    """The reference and its skeleton."""
    return backups.contents(catalogue.SOLUTIONS), derive.files(catalogue.SOLUTIONS)


@pytest.mark.parametrize("number", [2, 7, 11])
def test_all_that_is_taken_is_the_reference(number: int) -> None:
    take = taking(number)
    for name in take.chosen("rest"):
        take.take(name)
    for file, module in take.reference.items():
        mine, theirs = ({name for name, _ in definitions(each.tree)} for each in (take.yours[file], module))
        assert mine == theirs, file
    assert not any(take.missing_state(name) for name in take.names)


def test_each_function_alone_finds_every_name_that_it_reads() -> None:
    for name in taking(13).names:
        take = taking(13)
        take.take(name)
        for file, module in take.reference.items():
            read = names_read(take.yours[file].tree) & names_bound(module.tree)
            assert read <= names_bound(take.yours[file].tree), name
