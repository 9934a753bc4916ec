"""Again: something to go through more than once, and new each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dojo.spec import Again


def test_each_time_it_is_made_anew() -> None:
    count = iter(range(3))
    again = Again(lambda: [next(count)])
    assert [list(again) for _ in range(3)] == [[0], [1], [2]]


def test_it_is_no_iterator_and_has_no_length() -> None:
    again = Again(lambda: iter([1, 2]))
    assert not isinstance(again, Iterator)
    with pytest.raises(TypeError):
        len(again)  # type: ignore[arg-type]
    first, second = iter(again), iter(again)
    assert [next(first), next(second), next(first), next(second)] == [1, 1, 2, 2]
