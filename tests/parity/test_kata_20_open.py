"""Kata 20, track open: an entry written with PyTorch and one written with tinytorch on one scoreboard."""

import numpy as np
import pytest
import torch

from dojo.spec.child import in_child
from tinytorch.benchmarking import spawn
from tinytorch.capstone import (
    EntryError,
    check_trial,
    compete,
    fresh_calls,
    load_entry,
    rank,
    read_task,
    run_trial,
    weigh,
)

TASK = """
title = "A layer"
metric = "seconds"
goal = 1.5
rounds = 6
warmup = 1
calls = 20
work = 1
count_start = false
limit = 60
max_bytes = 100_000
touch = ""

[model]

[data]
"""
OURS = """
from tinytorch.tensor import Tensor


def load(model, weights):
    weight, bias = Tensor(weights["weight"]), Tensor(weights["bias"])
    return lambda x: (Tensor(x) @ weight.transpose(0, 1) + bias).data
"""
THEIRS = """
import torch

torch.set_num_threads(1)


def load(model, weights):
    weight, bias = torch.tensor(weights["weight"]), torch.tensor(weights["bias"])
    return lambda x: torch.nn.functional.linear(torch.tensor(x), weight, bias).numpy()
"""
WEIGHTS = {
    "weight": np.random.default_rng(0).standard_normal((16, 32), np.float32),
    "bias": np.random.default_rng(1).standard_normal(16, np.float32),
}


def draw(seed):
    return (np.random.default_rng(seed).standard_normal((64, 32), np.float32),)


def judge(calls):
    for call in calls:
        layer = torch.nn.functional.linear(*map(torch.tensor, (*draw(call.seed), *WEIGHTS.values())))
        if not np.allclose(call.output, layer.numpy(), atol=1e-5):
            raise EntryError("it is no linear layer")


@pytest.fixture
def written(tmp_path):
    for name, text in {"task.toml": TASK, "ours.py": OURS, "theirs.py": THEIRS}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_both_answer_and_weigh_alike(written):
    task = read_task(written / "task.toml")
    source = {}
    for name in ("ours", "theirs"):
        path = written / f"{name}.py"
        judge(fresh_calls(load_entry(path).load({}, WEIGHTS), draw, 3))
        source[name] = weigh(WEIGHTS, path) - weigh({}, path)
    assert source["ours"] == source["theirs"] == 4 * (16 * 32 + 16) + len("weightbias")

    def run():
        [trial] = spawn(run_trial, 1, written / "theirs.py", task, WEIGHTS, draw)
        check_trial(trial, trial.start)
        judge(trial.calls)
        return {"calls": np.array(len(trial.calls))}

    assert in_child(run)["calls"] == 22


def test_both_are_ranked(written):
    def run():
        entries = {name: written / f"{name}.py" for name in ("ours", "theirs")}
        task = read_task(written / "task.toml")
        rows = rank(task, compete(task, entries, WEIGHTS, draw, judge))
        return {
            "places": np.array([row.place for row in rows]),
            "why": np.array([row.rejected for row in rows]),
        }

    found = in_child(run)
    assert found["why"].tolist() == ["", ""]
    assert found["places"].tolist() in ([1, 1], [1, 2])
