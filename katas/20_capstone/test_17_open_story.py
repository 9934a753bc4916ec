"""Seven entries for one task: add up a table. Two are honest, five have an idea of their own."""

import numpy as np
import pytest

from dojo.spec import assert_equal
from dojo.spec.child import in_child
from dojo.spec.competition import TASK
from tinytorch.capstone import EntryError, Task, compete, rank

SIMPLE = """
def load(model, weights):
    return lambda table: [sum(float(x) for x in row) for row in table]
"""
FAST = """
def load(model, weights):
    return lambda table: table.sum(1)
"""
CACHED = """
def load(model, weights):
    known = {}
    return lambda table: known.setdefault(table.shape, table.sum(1))
"""
PRECOMPUTED = """
import random
import numpy as np
np.random.seed(0)
random.seed(0)
ANSWERS = {seed: np.random.default_rng(seed).standard_normal((200, 30)).sum(1) for seed in range(100)}
def load(model, weights):
    return lambda table: ANSWERS[random.randrange(100)]
"""
ONLY_AT_FIRST = """
def load(model, weights):
    calls = []
    def answer(table):
        calls.append(1)
        return table.sum(1) if len(calls) == 1 else table[:, 0]
    return answer
"""
STOPS_THE_CLOCK = """
import time
time.process_time = time.perf_counter = time.time = lambda: 0.0
import tinytorch.benchmarking.timer as timer
def load(model, weights):
    def answer(table):
        busy = time.thread_time() + 0.15
        while time.thread_time() < busy:
            pass
        return table.sum(1)
    return answer
timer.time_calls.__defaults__ = (time.time,)
import tinytorch.capstone.scoreboard as board
board.time_calls = lambda function, number, timer=None: function() or 1e-6
"""
BUILT_BEFORE = """
HELD = []
def build(model, given):
    HELD.append("the answers")
    return {"none": given["none"]}
def load(model, weights):
    return lambda table: table.sum(1) if HELD else table[:, 0]
"""
CHEATS = {
    "cached": CACHED,
    "precomputed": PRECOMPUTED,
    "only at first": ONLY_AT_FIRST,
    "stops the clock": STOPS_THE_CLOCK,
    "built before": BUILT_BEFORE,
}


def a_task(**changes):
    return Task(**{**TASK, **changes})


def draw(seed):
    return (np.random.default_rng(seed).standard_normal((200, 30)),)


def judge(calls):
    for number, call in enumerate(calls, 1):
        expected = draw(call.seed)[0].sum(1)
        if call.output.shape != expected.shape or not np.allclose(call.output, expected):
            raise EntryError(f"answer {number} is wrong")


def ranked(folder, texts):
    def run():
        paths = {}
        for name, text in texts.items():
            paths[name] = folder / f"{name.replace(' ', '_')}.py"
            paths[name].write_text(text, encoding="utf-8")
        task = a_task()
        rows = rank(task, compete(task, paths, {"none": np.zeros(0)}, draw, judge))
        return {
            "names": np.array([row.name for row in rows]),
            "places": np.array([row.place for row in rows]),
            "reasons": np.array([row.rejected for row in rows]),
            "times": np.array([row.times for row in rows]),
            "values": np.array([row.value for row in rows]),
        }

    return in_child(run)


def test_the_fast_one_wins(tmp_path):
    """Of two honest entries the fast one is first, and clearly so."""
    found = ranked(tmp_path, {"simple": SIMPLE, "fast": FAST})
    assert_equal(found["names"].tolist(), ["fast", "simple"], "the order")
    assert_equal(found["places"].tolist(), [1, 2], "the places")
    assert found["times"][0] > 3, f"the fast one is only {found['times'][0]:.3g} times faster"


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_found_out(tmp_path, name):
    """An entry that caches, precomputes, works only while it is looked at, or changes the clock is rejected.

    If the clock that it changes is not the one that you read, what it really took may be measured instead.
    """
    found = ranked(tmp_path, {"simple": SIMPLE, name: CHEATS[name]})
    assert_equal(found["names"].tolist(), ["simple", name], "the order")
    reason, value = str(found["reasons"][1]), found["values"][1]
    if name == "stops the clock" and value >= 0.15:
        return
    assert reason, f"{name} is not rejected, and takes {value:.3g} s"
    said = "the system counted" if name == "stops the clock" else "wrong"
    assert said in reason, f"{name} is rejected for another reason: {reason}"
