"""What was timed is what was answered: new questions, and answers that are finished when the clock stops."""

import random
import time

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import in_child
from tinytorch.capstone import EntryError, fresh_calls


def still_clock():
    """A clock that moves only when somebody moves it: clock.now += 1."""

    def clock():
        return clock.now

    clock.now = 100.0
    return clock


def draw(seed):
    return np.random.default_rng(seed).standard_normal(3), seed


def test_every_call_has_its_question_and_its_answer():
    """fresh_calls(answer, draw, 4) gives 4 Calls: the output of each is answer(*draw(seed)) for its seed."""
    calls = fresh_calls(lambda x, seed: 2 * x + seed, draw, 4)
    assert_equal(len(calls), 4, "the number of calls")
    for call in calls:
        x, seed = draw(call.seed)
        assert_close(call.output, 2 * x + seed, "the output of a call")


def test_questions_do_not_come_again():
    """No two calls have the same seed, and none is foretold by random.seed or np.random.seed."""

    def seeds():
        random.seed(0)
        np.random.seed(0)
        return [call.seed for call in fresh_calls(lambda x, seed: x, draw, 8)]

    found = seeds() + seeds()
    assert_equal(len(set(found)), 16, "how many different seeds there are in 16 calls")
    assert all(type(seed) is int and seed >= 0 for seed in found), (
        f"seeds are whole numbers from 0 on: {found}"
    )


def test_a_question_is_made_right_before_its_call():
    """The next question is drawn only after the last one was answered."""
    happened = []

    def drawn(seed):
        happened.append("draw")
        return (seed,)

    def answer(seed):
        happened.append("answer")
        return seed

    fresh_calls(answer, drawn, 3)
    assert_equal(happened, ["draw", "answer"] * 3, "what happened, in order")


def test_only_the_answer_is_timed():
    """The seconds of a call are those of the answer, by `clock`, and not those of the drawing."""
    clock = still_clock()

    def drawn(seed):
        clock.now += 50
        return (seed,)

    def answer(seed):
        clock.now += 2
        return 1

    found = [call.seconds for call in fresh_calls(answer, drawn, 3, clock)]
    assert_close(found, [2.0, 2.0, 2.0], "the seconds of the calls")


def test_a_lazy_answer_is_computed_while_the_clock_runs():
    """An answer that computes itself when somebody looks at it has to do so before the clock stops."""
    clock = still_clock()

    class Later:
        def __array__(self, dtype=None, copy=None):
            clock.now += 7
            return np.ones(2)

    [call] = fresh_calls(lambda x, seed: Later(), draw, 1, clock)
    assert_close(call.seconds, 7.0, "the seconds of the call")
    assert type(call.output) is np.ndarray, "the output is a NumPy array"


def test_what_happens_to_an_answer_later_is_not_seen():
    """The output is a copy: a buffer that the next answer is written into does not change it."""
    buffer = np.zeros(3)

    def answer(x, seed):
        buffer[:] = x
        return buffer

    for call in fresh_calls(answer, draw, 3):
        assert_close(call.output, draw(call.seed)[0], "the output of a call")


@pytest.mark.parametrize("answer", [print, lambda x, seed: ["a", "b"], lambda x, seed: {1: 2}])
def test_an_answer_is_numbers(answer, capsys):
    """An answer that np.array makes no numbers of is an EntryError."""
    with raises(EntryError):
        fresh_calls(answer, draw, 1)


def test_a_clock_that_is_changed_later_does_not_count():
    """time.process_time is taken when your module is imported: an entry that puts another one there changes nothing."""

    def run():
        time.process_time = lambda: 0.0
        [call] = fresh_calls(lambda x, seed: sum(range(2_000_000)), draw, 1)
        return {"seconds": call.seconds}

    assert in_child(run)["seconds"] > 0, "the seconds of a call, after time.process_time was replaced"
