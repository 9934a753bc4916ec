"""no_thread_left: it fails while a thread lives, and lets errors through."""

from __future__ import annotations

import threading

import pytest

from dojo.spec import no_thread_left


def test_threads_that_have_ended_are_no_matter() -> None:
    with no_thread_left():
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()


def test_a_thread_that_lives_is_named() -> None:
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, name="worker 7")
    with pytest.raises(AssertionError, match=r"1 threads were left behind.*: worker 7"), no_thread_left():
        thread.start()
    with no_thread_left():  # it was there before
        pass
    go_on.set()
    thread.join()


def test_an_error_of_the_block_is_its_own() -> None:
    with pytest.raises(KeyError), no_thread_left():
        raise KeyError("its own")
