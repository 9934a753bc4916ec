"""A round in a process of its own, and the system's own count of its seconds."""

import importlib
import sys
import time

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import in_child
from dojo.spec.competition import TASK
from tinytorch.benchmarking import spawn
from tinytorch.capstone import Call, EntryError, Task, Trial, check_trial, run_trial

ENTRY = """
def load(model, weights):
    return lambda x: model["gain"] * x + weights["bias"]
"""


def a_task(**changes):
    return Task(**{**TASK, **changes})


def an_entry(folder, text=ENTRY):
    path = folder / "entry.py"
    path.write_text(text, encoding="utf-8")
    return path


def draw(seed):
    return (np.random.default_rng(seed).standard_normal(3),)


def trial(path, task, clock=time.process_time):
    """The trial in a process of its own, as arrays."""

    def run():
        [found] = spawn(run_trial, 1, path, task, {"bias": np.ones(3)}, draw, clock)
        return {
            "start": found.start,
            "seeds": np.array([call.seed for call in found.calls]),
            "seconds": np.array([call.seconds for call in found.calls]),
            "outputs": np.array([call.output for call in found.calls]),
        }

    return in_child(run)


def test_a_trial_loads_and_answers(tmp_path):
    """run_trial imports the entry, gives the table `model` and the weights to its load, and asks fresh questions."""
    found = trial(an_entry(tmp_path), a_task(model={"gain": 3}))
    expected = [3 * draw(int(seed))[0] + 1 for seed in found["seeds"]]
    assert_close(found["outputs"], expected, "the outputs")


@pytest.mark.parametrize(("warmup", "calls"), [(0, 1), (2, 3)])
def test_one_more_call_than_counts(tmp_path, warmup, calls):
    """A trial has warmup + calls + 1 calls: the last one that counts has to leave everything right for another."""
    found = trial(an_entry(tmp_path), a_task(model={"gain": 1}, warmup=warmup, calls=calls))
    assert_equal(len(found["seeds"]), warmup + calls + 1, "the number of calls")


def test_importing_and_loading_are_the_start(tmp_path):
    """`start` is what importing the file and load take together, by `clock`; calls are no part of it."""
    text = """
from tests_clock import clock

clock.now += 5


def load(model, weights):
    clock.now += 3

    def answer(x):
        clock.now += 0.5
        return x

    return answer
"""
    module = tmp_path / "tests_clock.py"
    module.write_text(
        "class Clock:\n    now = 100.0\n    def __call__(self):\n        return self.now\nclock = Clock()\n"
    )

    def run():
        sys.path.insert(0, str(tmp_path))
        clock = importlib.import_module("tests_clock").clock
        [found] = spawn(run_trial, 1, an_entry(tmp_path, text), a_task(), {}, draw, clock)
        return {"start": found.start, "seconds": np.array([call.seconds for call in found.calls])}

    found = in_child(run)
    assert_close(found["start"], 8.0, "the start")
    assert_close(found["seconds"], [0.5] * 4, "the seconds of the calls")


def test_the_task_s_tables_stay_as_they_are(tmp_path):
    """load gets copies of `model` and of the weights: what it writes into these dicts is seen nowhere else."""
    text = "def load(model, weights):\n    model['gain'] = 9\n    weights.clear()\n    return lambda x: x\n"
    model, weights = {"gain": 1}, {"bias": np.ones(3)}

    def run():
        def both(group):
            run_trial(group, an_entry(tmp_path, text), a_task(model=model), weights, draw)
            return model["gain"], len(weights)

        return {"found": np.array(spawn(both, 1)[0])}

    assert_equal(in_child(run)["found"].tolist(), [1, 1], "the gain, and the number of weights")


@pytest.mark.timeout(20)
def test_a_trial_without_end_is_ended(tmp_path):
    """An entry that never answers is ended by the system after task.limit seconds, whatever it catches."""
    text = "import time\ndef load(model, weights):\n    while True:\n        time.sleep(0.1)\n"

    def run():
        try:
            spawn(run_trial, 1, an_entry(tmp_path, text), a_task(limit=1), {}, draw)
        except RuntimeError as error:
            if "SIGALRM" not in str(error):
                raise
            return {"ended": np.array(True)}
        return {"ended": np.array(False)}

    assert in_child(run)["ended"], "the process that never answers was not ended"


def calls(*seconds):
    return [Call(seed, each, np.zeros(1)) for seed, each in enumerate(seconds)]


@pytest.mark.parametrize("counted", [0.1, 3.0, 6.2])
def test_an_honest_trial_is_believed(counted):
    """A round that says that it took 3 s is believed if the system counted up to 6 s and the SLACK."""
    check_trial(Trial(1.0, calls(0.5, 0.5, 1.0)), counted)


@pytest.mark.parametrize(
    ("start", "seconds"), [(0.0, (0.1, 0.1)), (0.5, (1.0, 1.0)), (float("nan"), (9.0, 9.0))]
)
def test_a_trial_that_took_longer_than_it_says_is_refused(start, seconds):
    """A round whose start and calls are not even half of what the system counted is an EntryError with both numbers.

    In front of the system's own number are the words "the system counted".
    """
    said = f"{start + sum(seconds):.3g}"
    with raises(EntryError, said, "the system counted 7"):
        check_trial(Trial(start, calls(*seconds)), 7.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_call_that_took_no_time_is_refused(seconds):
    """A round in which a call took no time, or less, is an EntryError with that number."""
    with raises(EntryError, f"{seconds:.3g}"):
        check_trial(Trial(1.0, calls(1.0, seconds, 1.0)), 0.1)
