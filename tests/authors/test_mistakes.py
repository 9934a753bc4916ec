"""Every classic mistake is caught by the spec it names, in words that point at it."""

from __future__ import annotations

import pytest

from dojo.authors.gate import built
from dojo.authors.mistakes import Mistake, load
from dojo.catalogue import Kata
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
