"""Entries in turns, each as if it were alone."""

import zlib

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal
from dojo.spec.child import in_child
from dojo.spec.competition import TASK
from tinytorch.capstone import EntryError, Task, compete

PLAIN = "def load(model, weights):\n    return lambda x: x + weights['bias']\n"


def a_task(**changes):
    return Task(**{**TASK, **changes})


def draw(seed):
    return (np.random.default_rng(seed).standard_normal(3),)


def judge(calls):
    for call in calls:
        if not np.allclose(call.output, draw(call.seed)[0] + 1):
            raise EntryError("a wrong sum")


def competed(folder, texts, task=None, judge=judge, given=None):
    """The results by name, from a process of its own: (bytes, rounds, reason), and the seconds."""

    def run():
        paths = {}
        for name, text in texts.items():
            paths[name] = folder / f"{name}.py"
            paths[name].write_text(text, encoding="utf-8")
        found = compete(task or a_task(), paths, given or {"bias": np.ones(3)}, draw, judge)
        return {
            **{f"{each.name}.seconds": np.array(each.seconds) for each in found},
            **{f"{each.name}.rejected": np.array(each.rejected) for each in found},
            **{f"{each.name}.nbytes": np.array(each.nbytes) for each in found},
            "names": np.array([each.name for each in found]),
        }

    return in_child(run)


def test_every_entry_is_measured_in_every_round(tmp_path):
    """compete gives a Result for each entry, in their order, with as many seconds as rounds."""
    found = competed(tmp_path, {"b": PLAIN, "a": PLAIN})
    assert_equal(found["names"].tolist(), ["b", "a"], "the names")
    for name in "ab":
        assert_equal(str(found[f"{name}.rejected"]), "", f"why {name} is rejected")
        assert_equal(len(found[f"{name}.seconds"]), 6, f"the number of rounds of {name}")


def test_build_makes_the_weights(tmp_path):
    """What an entry's build makes of the given arrays is weighed and loaded; what it leaves in memory is gone."""
    text = """
KEPT = []
def build(model, given):
    KEPT.append(1)
    return {"half": given["bias"] / 2}
def load(model, weights):
    return lambda x: x + 2 * weights["half"] + len(KEPT)
"""
    found = competed(tmp_path, {"a": text, "b": PLAIN})
    assert_equal(str(found["a.rejected"]), "", "why the entry is rejected")
    assert found["a.nbytes"] > 24 + 4, f"the weight is {found['a.nbytes']}"


def test_the_order_alternates(tmp_path):
    """In the first round the first entry is the first; in the next one the last is."""
    diary = tmp_path / "diary"
    text = PLAIN.replace("    return", f"    open({str(diary)!r}, 'a').write(NAME)\n    return")
    competed(tmp_path, {name: f"NAME = {name!r}\n{text}" for name in "abc"})
    assert_equal(diary.read_text(), "abccba" * 3, "who loaded, in order")


def test_a_round_is_judged_by_all_of_its_calls(tmp_path):
    """The judge gets every call of a round, the warm-up and the last one too."""
    seen = []

    def run():
        path = tmp_path / "a.py"
        path.write_text(PLAIN, encoding="utf-8")
        compete(
            a_task(warmup=2, calls=3),
            {"a": path},
            {"bias": np.ones(3)},
            draw,
            lambda calls: seen.append(len(calls)),
        )
        return {"seen": np.array(seen)}

    assert_equal(in_child(run)["seen"].tolist(), [6] * 6, "how many calls the judge got, in each round")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def load(model, weights):\n    return lambda x: x", "a wrong sum"),
        ("def load(model, weights):\n    raise ValueError('too small')", "too small"),
        ("import os\ndef load(model, weights):\n    os._exit(0)", "exit status 0"),
        ("def build(model, given):\n    return {'b': [1]}\n" + PLAIN, "'b'"),
    ],
)
def test_a_bad_entry_is_rejected_and_the_others_are_measured(tmp_path, text, says):
    """What goes wrong with an entry is in `rejected`, in one line; the other entries are measured in all rounds."""
    found = competed(tmp_path, {"bad": text, "good": PLAIN})
    reason = str(found["bad.rejected"])
    assert says in reason and "\n" not in reason, f"rejected: {reason!r}"
    assert_equal(len(found["bad.seconds"]), 0, "the rounds of the bad entry")
    assert_equal(
        (str(found["good.rejected"]), len(found["good.seconds"])), ("", 6), "what became of the good entry"
    )


WORK = """
import time
def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
work(0.01)
def load(model, weights):
    work(0.005)
    calls = []
    def answer(x):
        calls.append(1)
        work({1: 0.01, 4: 0.06}.get(len(calls), 0.004))
        return x + 1
    return answer
"""


@pytest.mark.parametrize(("counted", "expected"), [(False, 0.004), (True, 0.0165)])
def test_the_seconds_of_a_round(tmp_path, counted, expected):
    """The seconds of the calls that count, with count_start also of the start and the warm-up, divided by task.calls.

    The last call is left out. Here the file takes 10 ms, load 5 ms, the warm-up 10 ms, the two calls 4 ms each.
    """
    found = competed(tmp_path, {"a": WORK}, a_task(count_start=counted))
    assert_equal(str(found["a.rejected"]), "", "why the entry is rejected")
    assert_close(np.median(found["a.seconds"]), expected, "the seconds of a round", rtol=0.25, atol=0)


def test_an_entry_may_weigh_max_bytes(tmp_path):
    """An entry that weighs task.max_bytes is measured; one that weighs a byte more is rejected, with its weight."""
    nbytes = 3 * 8 + len("bias") + len(zlib.compress(PLAIN.encode(), 9))
    found = competed(tmp_path, {"a": PLAIN}, a_task(max_bytes=nbytes))
    assert_equal(str(found["a.rejected"]), "", "why the entry is rejected")
    found = competed(tmp_path, {"a": PLAIN}, a_task(max_bytes=nbytes - 1))
    assert str(nbytes) in str(found["a.rejected"]), f"rejected: {str(found['a.rejected'])!r}"


def test_work_in_other_processes_is_counted(tmp_path):
    """An entry that lets another process do its work is rejected: the system has counted more than its own clock."""
    text = """
import os, time
def load(model, weights):
    def answer(x):
        child = os.fork()
        if child == 0:
            busy = time.process_time() + 0.25
            while time.process_time() < busy:
                pass
            os._exit(0)
        os.waitpid(child, 0)
        return x + 1
    return answer
"""
    found = competed(tmp_path, {"a": text}, a_task(rounds=1, warmup=0, calls=1))
    assert "the system counted" in str(found["a.rejected"]), f"rejected: {str(found['a.rejected'])!r}"
