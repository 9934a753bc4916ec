"""The clock of specs stands still until something takes time."""

from __future__ import annotations

from dojo.spec import Clock


def test_it_moves_by_what_was_worked() -> None:
    clock = Clock()
    before = clock()
    assert clock() == before
    assert clock.work(2.5, "done")() == "done"
    assert clock() - before == 2.5
