"""`make grade` on a small class: from folders to the gradebook, and on again after a kill."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dojo.teach import results, sandbox
from dojo.teach.grade import Progress
from dojo.teach.results import Status
from tests import needs
from tests.small_repository import environment
from tests.teach.crowd import command, grade, log, needs_sandbox, submit


def statuses(out: Path) -> dict[str, str]:
    with (out / "gradebook.csv").open(encoding="utf-8", newline="") as file:
        return {row["student"]: row["status"] for row in csv.DictReader(file)}


@needs_sandbox
@pytest.mark.timeout(240)
def test_one_bad_submission_never_stops_the_rest(tmp_path: Path) -> None:
    class_, out = tmp_path / "class", tmp_path / "out"
    submit(class_, "anna")
    (class_ / "empty").mkdir()
    (submit(class_, "zeros") / "setup.py").write_bytes(b"\0" * 100)
    (submit(class_, "latin") / "setup.py").write_bytes(b"# \xff\xfe\n")
    (submit(class_, "prose") / "setup.py").write_text("Dear teacher, I was ill.", encoding="utf-8")
    (submit(class_, "deep") / "setup.py").write_text("x = " + "(" * 100_000 + ")" * 100_000, encoding="utf-8")
    (submit(class_, "none") / "setup.py").unlink()
    (class_ / "bad.zip").write_bytes(b"PK\x05\x06 not really")
    os.mkdir(os.fsencode(class_) + b"/na\xffme")
    (class_ / '=cmd,"x"').mkdir()
    helped = submit(class_, "helped")
    text = (helped / "setup.py").read_text(encoding="utf-8")
    (helped / "setup.py").write_text(f"{text}\nfrom tinytorch import my_helpers\n", encoding="utf-8")
    (helped / "my_helpers.py").write_text("HELP = 1\n", encoding="utf-8")
    submit(class_, "twice")
    (class_ / "twice.zip").write_bytes(b"PK")
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "student,name,submission\nanna,Anna,\nabsent,Ab Sent,\nout,,../elsewhere\n", encoding="utf-8"
    )
    done = grade(class_, out, f"--roster={roster}")
    assert done.returncode == 0, done.stdout
    loaded = {each.student: each for each in results.load_all(out)}
    found = {name: each.katas[0].status if each.katas else each.status for name, each in loaded.items()}
    assert found == {
        "anna": Status.GRADED,
        "absent": Status.MISSING,
        "out": Status.UNREADABLE,
        "empty": Status.UNREADABLE,
        "zeros": Status.UNREADABLE,
        "latin": Status.UNREADABLE,
        "prose": Status.CANNOT_IMPORT,
        "deep": Status.CANNOT_IMPORT,
        "none": Status.MISSING,
        "bad": Status.UNREADABLE,
        "na\\xffme": Status.UNREADABLE,
        '=cmd,"x"': Status.UNREADABLE,
        "helped": Status.GRADED,
        "twice": Status.UNREADABLE,
    }, done.stdout
    [anna], [helped_] = loaded["anna"].katas, loaded["helped"].katas
    assert anna.green == anna.total == helped_.green and anna.canary == "passed"
    assert helped_.helpers == ["my_helpers.py"]
    assert set(statuses(out)) >= {"anna", "absent"}
    again = grade(class_, out, f"--roster={roster}")
    assert again.returncode == 0 and set(log(out).values()) == {1}, again.stdout


@needs_sandbox
@pytest.mark.timeout(240)
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    class_, out = tmp_path / "class", tmp_path / "out"
    for i in range(5):
        submit(class_, f"s{i}")
    run = subprocess.Popen(
        command(class_, out), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    while not sum(log(out).values()):
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = sum(log(out).values())
    parts = [grade(class_, out, f"--shard={i}/2") for i in (1, 2)]
    assert all(part.returncode == 0 and not (out / "gradebook.csv").exists() for part in parts), parts
    done = grade(class_, out)
    assert done.returncode == 0, done.stdout
    assert statuses(out) == {f"s{i}": "graded" for i in range(5)}
    assert 1 <= kept <= 5 and len(log(out)) == 5 and set(log(out).values()) == {1}


def test_what_is_known_from_before_does_not_make_the_rest_look_quick() -> None:
    progress = Progress(10, jobs=2)
    for _ in range(4):
        progress.done("known", 0.1)
    assert progress.left() == ""
    progress.done("run", 30.0)
    assert progress.left() == "  about 75 s left"


@needs_sandbox
@pytest.mark.timeout(120)
def test_ctrl_c_ends_it_and_leaves_no_process(tmp_path: Path) -> None:
    class_, out = tmp_path / "class", tmp_path / "out"
    tree = submit(class_, "slow")
    (tree / "setup.py").write_text("import time\ntime.sleep(99)\n", encoding="utf-8")
    run = subprocess.Popen(
        command(class_, out), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    time.sleep(6)
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 130 and b"Traceback" not in said, said
    mine = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _names(path, f"dojo-box-{run.pid}")]
    assert not mine


def _names(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only=nobody"], "ONLY=nobody: there is no such student"),
        (["--shard=3/2"], "SHARD=3/2 is no part such as 3/20"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    submit(tmp_path / "class", "anna")
    done = grade(tmp_path / "class", tmp_path / "out", *words)
    assert done.returncode == 2 and said in done.stdout and len(done.stdout.splitlines()) == 1


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    done = grade(tmp_path, tmp_path / "out")
    assert done.returncode == 2 and "there is no submission in it" in done.stdout


def test_ids_that_differ_in_capitals_are_refused(tmp_path: Path) -> None:
    for name in ("anna", "Anna"):
        (tmp_path / name).mkdir()
    done = grade(tmp_path, tmp_path / "out")
    assert done.returncode == 2 and "differ only in capital letters" in done.stdout


def test_a_dry_run_says_who_was_matched_and_runs_nothing(tmp_path: Path) -> None:
    submit(tmp_path / "class", "anna")
    done = grade(tmp_path / "class", tmp_path / "out", "--dry")
    assert done.returncode == 0 and "'anna'" in done.stdout and not (tmp_path / "out").exists()


def test_the_sandbox_is_bubblewrap_where_everything_has_to_be_there() -> None:
    needs.program("bwrap")
    assert sandbox.kind() == sandbox.BUBBLEWRAP, "bubblewrap is installed, and may not do what it has to do"
