"""TRACK=: a kata with tracks, of which a student chooses one, is run, hinted, counted and reached track by track."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dojo.catalogue import KATAS, kata
from dojo.run import specs
from dojo.teach.points import Points, Worth
from dojo.teach.results import KataResult, SpecResult, Status
from tests import small_repository
from tests.small_repository import dojo, write

CAPSTONE = """
def train():
    raise NotImplementedError("kata 20: train")


def rank(scores):
    return sorted(scores)


def serve():
    raise NotImplementedError("kata 20: serve")
"""
SPEC = '''
from tinytorch.capstone import {call}


def test_{track}():
    """`{call}` does its work."""
    assert {call}{arguments} == [1, 2]
'''
HINTS = '[test_{track}]\nquestion = "{track}?"\nmethod = "m"\ncode = "c"\n\n'
SCENE = """
def main(report):
    report.on = "three entries"
    report.figure("table").write_bytes(b"a picture")
    return report.verdict(True, "all are ranked")
"""
CALLS = {"cifar": ("train", "()"), "open": ("rank", "([2, 1])"), "serve": ("serve", "()")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = small_repository.build(tmp_path_factory.mktemp("repository"))
    folder = home / "katas/20_capstone"
    for number, (track, (call, arguments)) in enumerate(CALLS.items()):
        write(
            folder / f"test_{number}1_{track}_first.py",
            SPEC.format(track=track, call=call, arguments=arguments),
        )
    write(folder / "README.md", "# a kata\n")
    write(folder / "hints.toml", "".join(HINTS.format(track=track) for track in CALLS))
    write(folder / "specs.txt", "".join(f"test_{track} 1 {track}\n" for track in CALLS))
    write(folder / "milestone_open.py", SCENE)
    write(folder / "milestone_serve.py", SCENE)
    write(home / "tinytorch/capstone.py", CAPSTONE)
    return home


def said(home: Path, *words: str, code: int) -> str:
    done = dojo(home, *words)
    assert done.returncode == code, done.stdout
    return " ".join(done.stdout.split())


def test_one_track_is_run_alone(home: Path) -> None:
    text = said(home, "kata", "TRACK=open", "K=", "N=20", code=1)  # katas 01 is red below it
    assert "running kata 20_capstone, track open ..." in text and "1/1 green" in text

    text = said(home, "kata", "N=20", "TRACK=serve", code=1)
    assert "next: write `serve`" in text and "make hint N=20 TRACK=serve" in text


def test_a_hint_is_about_the_track(home: Path) -> None:
    text = said(home, "hint", "N=20", "TRACK=serve", code=0)
    assert "hint 1 of 3 for test_serve" in text and "`make hint N=20 TRACK=serve` again" in text
    assert "track open is green: no hint is needed" in said(home, "hint", "N=20", "TRACK=open", code=0)


def test_the_board_has_a_row_for_each_track(home: Path) -> None:
    rows = [" ".join(line.split()) for line in dojo(home, "board", COLUMNS="100").stdout.splitlines()]
    assert "20 capstone open 1 0 green a scoreboard of your own entries" in rows
    assert "20 capstone serve 0 1 not begun a GPT behind a real server" in rows


def test_a_milestone_needs_only_the_specs_of_its_track(home: Path) -> None:
    text = said(home, "milestone", "N=20", "TRACK=open", code=0)
    assert "Milestone reached on three entries: all are ranked" in text
    assert ".dojo/milestones/20_open_table.png" in text
    assert json.loads((home / ".dojo/milestones/20_open.json").read_text())["passed"] is True

    text = said(home, "milestone", "N=20", "TRACK=serve", code=1)
    assert "The track is not green yet (0/1, the first red spec is test_serve)" in text
    assert "`make kata N=20 TRACK=serve` shows it" in text
    assert json.loads((home / ".dojo/milestones/20_serve.json").read_text())["passed"] is False
    board = dojo(home, "board", COLUMNS="100").stdout
    assert board.count("reached on three entries") == 1


def test_deleted_spec_files_of_a_track_are_missed(home: Path) -> None:
    spec = home / "katas/20_capstone/test_11_open_first.py"
    text = spec.read_text()
    spec.unlink()
    try:
        said(home, "milestone", "N=20", "TRACK=open", code=1)
        assert "test_*_open_*.py" in said(home, "kata", "N=20", "TRACK=open", code=2)
    finally:
        write(spec, text)


CHOICE = "TRACK=cifar, TRACK=open or TRACK=serve."


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["kata", "N=20", "TRACK=srv"], f"Kata 20_capstone has no track 'srv': try {CHOICE}"),
        (["hint", "N=20", "TRACK=srv"], f"Kata 20_capstone has no track 'srv': try {CHOICE}"),
        (["watch", "N=20", "TRACK=srv"], f"Kata 20_capstone has no track 'srv': try {CHOICE}"),
        (["milestone", "N=20", "TRACK=srv"], f"Kata 20_capstone has no track 'srv': try {CHOICE}"),
        (["kata", "N=2", "TRACK=open"], "Kata 02_tensor has no tracks: leave TRACK=open out."),
        (["watch", "TRACK=open"], "Say which kata, too: `make watch N=20 TRACK=open`."),
        *(
            (
                [command, "N=20"],
                f"You choose one of the tracks of kata 20_capstone: `make {command} N=20` with {CHOICE}",
            )
            for command in ("kata", "hint", "milestone")
        ),
        (
            ["milestone", "N=20", "TRACK=cifar"],
            "Kata 20_capstone, track cifar has no milestone. These katas have one: "
            "20 TRACK=open (a scoreboard of your own entries), 20 TRACK=serve (a GPT behind a real server).",
        ),
        (
            ["show", "N=20"],
            f"Kata 20_capstone draws in its milestones: `make milestone N=20` with {CHOICE} The pictures are then in "
            ".dojo/milestones, as 20_TRACK_*.png.",
        ),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(home: Path, words: list[str], sentence: str) -> None:
    assert said(home, *words, code=2) == sentence


def test_a_list_of_specs_is_narrowed_to_a_track(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dojo.catalogue.ROOT", home)
    assert specs.listed(kata(20).on("open")) == {"test_open": 1}
    assert specs.total(kata(20)) == 3
    assert [part.key for part in kata(20).parts] == ["20_cifar", "20_open", "20_serve"]
    assert KATAS[1].parts == (KATAS[1],)


@pytest.mark.parametrize(
    ("green", "weights", "points"),
    [
        ({"serve": 2}, {}, 50.0),
        ({"cifar": 1, "open": 2}, {}, 100.0),
        ({"serve": 2}, {"test_serve_1": 3.0}, 75.0),
        ({"serve": 2}, {f"test_serve_{place}": 0.0 for place in (1, 2, 3, 4)}, 0.0),
        ({}, {}, 0.0),
    ],
)
def test_a_grade_is_that_of_the_best_track(
    green: dict[str, int], weights: dict[str, float], points: float
) -> None:
    sizes = {"cifar": 2, "open": 2, "serve": 4}
    found = [
        SpecResult(f"test_{track}_{place}", f"test_01_{track}_topic.py", 1, int(place <= green.get(track, 0)))
        for track, size in sizes.items()
        for place in range(1, size + 1)
    ]
    if weights.get("test_serve_1") == 3.0:
        weights = {**weights, "test_serve_2": 0.0, "test_serve_4": 0.0}
    scored = Points({20: Worth(specs=weights)}).scored(KataResult(20, Status.GRADED, specs=found))
    assert (scored.points, scored.possible) == (points, 100.0)
