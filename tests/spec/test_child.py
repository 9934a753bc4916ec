"""in_child, killed, and the three ways to die: what comes back, and what is left behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import select
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dojo.run import process
from dojo.run.process import Child
from dojo.spec.child import (
    die,
    die_at_file_change,
    die_when_a_file_grows_beyond,
    in_child,
    interrupt_at_file_change,
    killed,
)


def test_arrays_come_back_bit_for_bit() -> None:
    given = {
        "a": np.array([0.1, np.nan, -0.0], np.float32),
        "b": np.arange(6).reshape(2, 3),
        "c": np.array(1.5),
    }
    back = in_child(lambda: given)
    assert back.keys() == given.keys()
    for name, array in given.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()


def test_nothing_may_come_back() -> None:
    assert in_child(lambda: None) == {}


def test_the_child_is_another_process_and_leaves_this_one_alone() -> None:
    memory = np.zeros(1)

    def change() -> dict[str, int]:
        memory[0] = 1
        return {"pid": os.getpid()}

    assert in_child(change)["pid"] != os.getpid()
    assert memory[0] == 0


def test_an_unwritten_function_is_raised_as_itself() -> None:
    def unwritten() -> None:
        raise NotImplementedError("kata 08: save")

    for run in (in_child, killed):
        with pytest.raises(NotImplementedError, match=r"^kata 08: save$"):
            run(unwritten)


def test_an_unwritten_function_in_the_traceback_of_a_further_process_is_raised_as_itself() -> None:
    def failed() -> None:
        raise RuntimeError("process 1 raised:\n\nTraceback ...\nNotImplementedError: kata 08: save\n")

    with pytest.raises(NotImplementedError, match=r"^kata 08: save$"):
        in_child(failed)


def test_any_other_error_is_told() -> None:
    def wrong() -> None:
        raise KeyError("weights")

    for run in (in_child, killed):
        with pytest.raises(AssertionError, match="in a child process of this spec: KeyError: 'weights'"):
            run(wrong)


def test_exit_is_an_error() -> None:
    with pytest.raises(AssertionError, match=r"exit status 0\. Does your code call"):
        in_child(lambda: os._exit(0))
    with pytest.raises(AssertionError, match="exit status 3"):
        in_child(lambda: os._exit(3))
    with pytest.raises(AssertionError, match="SIGTERM"):
        killed(lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(AssertionError, match="SIGKILL"):
        in_child(die)


def test_nothing_runs_after_death(tmp_path: Path) -> None:
    def cautious() -> None:
        try:
            die()
        finally:
            (tmp_path / "after").touch()

    assert killed(cautious)
    assert not killed(lambda: None)
    assert not list(tmp_path.iterdir())


def test_death_comes_before_the_nth_change_of_a_file(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    outside.touch()

    def change(number: int) -> None:
        die_at_file_change(number, inside)
        outside.read_bytes()
        outside.write_bytes(b"not watched")
        inside.mkdir()  # change 0
        (inside / "new").write_bytes(b"1")  # change 1
        (inside / "new").read_bytes()
        os.replace(inside / "new", inside / "name")  # change 2
        (inside / "name").unlink()  # change 3

    left = []
    for number in range(5):
        dead = killed(lambda number=number: change(number))
        left.append((dead, sorted(path.name for path in inside.iterdir()) if inside.exists() else None))
        for path in inside.iterdir() if inside.exists() else ():
            path.unlink()
        if inside.exists():
            inside.rmdir()
    assert left == [(True, None), (True, []), (True, ["new"]), (True, ["name"]), (False, [])]


def test_ctrl_c_comes_once_before_the_nth_change(tmp_path: Path) -> None:
    def change() -> dict[str, object]:
        interrupt_at_file_change(1, tmp_path)
        (tmp_path / "first").touch()
        try:
            (tmp_path / "second").touch()
        except KeyboardInterrupt:
            (tmp_path / "third").touch()  # only the one before is interrupted
            return {"interrupted": np.array(True)}
        return {"interrupted": np.array(False)}

    assert in_child(change)["interrupted"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "third"]


def test_death_comes_in_the_middle_of_a_write(tmp_path: Path) -> None:
    def write() -> None:
        die_when_a_file_grows_beyond(5)
        (tmp_path / "small").write_bytes(b"12345")
        (tmp_path / "large").write_bytes(b"123456789")

    assert killed(write)
    assert (tmp_path / "small").read_bytes() == b"12345"
    assert (tmp_path / "large").read_bytes() == b"12345"


def forever() -> None:
    while True:
        time.sleep(1)


@contextmanager
def out_of_time(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with pytest.raises(TimeoutError):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_child_does_not_outlive_a_spec_that_ran_out_of_time() -> None:
    reading, writing = os.pipe()

    def wait() -> None:
        os.write(writing, str(os.getpid()).encode())
        forever()

    with out_of_time(0.2):
        in_child(wait)
    with pytest.raises(ProcessLookupError):
        os.kill(int(os.read(reading, 20)), 0)


@pytest.mark.parametrize("waits", [True, False], ids=["out of time", "in time"])
def test_what_a_child_started_ends_with_it(waits: bool) -> None:
    reading, writing = os.pipe()  # at its end when nobody holds `writing` any more

    def start() -> None:
        context = multiprocessing.get_context("fork")
        context.Process(target=forever).start()
        if waits:
            forever()
        os.write(writing, b"done")

    if waits:
        with out_of_time(0.5):
            in_child(start)
    else:
        assert in_child(start) == {}
        assert os.read(reading, 4) == b"done"
    os.close(writing)
    assert select.select([reading], [], [], 10)[0], "a process that the child started is still there"
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_what_a_child_started_at_its_end_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is slow to say that it is there: later than the child's end, and before its report is closed."""
    reading, writing = os.pipe()
    close, tell = Child._close, process.tell

    def close_late(child: Child, status: int) -> None:
        time.sleep(0.4)
        close(child, status)

    def tell_late(record: Mapping[str, Any]) -> None:
        time.sleep(0.2 * ("forked" in record))
        tell(record)

    def start() -> None:
        multiprocessing.get_context("fork").Process(target=forever).start()
        die()

    monkeypatch.setattr(Child, "_close", close_late)
    monkeypatch.setattr(process, "tell", tell_late)
    assert killed(start)
    os.close(writing)
    assert select.select([reading], [], [], 10)[0], "a process that the child started is still there"
    os.close(reading)


def test_objects_are_no_numbers() -> None:
    with pytest.raises(AssertionError, match="TypeError: 'losses' holds Fractions, not numbers"):
        in_child(lambda: {"losses": np.array([Fraction(1, 2)])})


def test_the_frames_of_a_further_process_are_told() -> None:
    def failed() -> None:
        try:
            json.loads("{")
        except ValueError:
            raise RuntimeError(f"process 1 raised:\n\n{traceback.format_exc()}") from None

    with pytest.raises(AssertionError) as caught:
        in_child(failed)
    told = caught.value.child_frames  # type: ignore[attr-defined]
    assert told[-1].name == "raw_decode"
    assert Path(told[-1].filename).name == "decoder.py"
