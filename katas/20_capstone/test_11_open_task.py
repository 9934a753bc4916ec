"""A task file says what is measured, how, and when it is reached; what it does not say, nobody may guess."""

import tomllib

import pytest

from dojo.spec import assert_equal, raises
from tinytorch.capstone import TaskError, read_task

TEXT = """
title = "Fastest step"
metric = "seconds"
goal = 2
rounds = 6
warmup = 0
calls = 1
work = 1
count_start = false
limit = 1
max_bytes = 1
touch = "all"

[model]
n_layer = 2

[data]
"""


def written(folder, text):
    path = folder / "step.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_is_what_its_file_says(tmp_path):
    """read_task gives a Task with every key of the file, and the file's name without .toml."""
    task = read_task(written(tmp_path, TEXT))
    assert_equal(task.name, "step", "the task's name")
    for key, value in tomllib.loads(TEXT).items():
        assert_equal(getattr(task, key), value, f"what the task says of {key}")
    assert type(task.goal) is float, "a whole number will do for goal, and becomes a float"


@pytest.mark.parametrize("key", ["metric", "count_start", "model"])
def test_a_task_says_everything(tmp_path, key):
    """A key that is missing is a TaskError with the file's name and the key."""
    text = TEXT.replace("[model]\nn_layer = 2\n", "") if key == "model" else TEXT
    lines = [line for line in text.splitlines() if not line.startswith(key)]
    with raises(TaskError, "step.toml", key):
        read_task(written(tmp_path, "\n".join(lines)))


def test_a_key_that_no_task_has_is_a_slip(tmp_path):
    """A key that no task has, such as "goals", is a TaskError with the file's name and the key."""
    with raises(TaskError, "step.toml", "goals"):
        read_task(written(tmp_path, "goals = 3\n" + TEXT))
    with raises(TaskError, "step.toml", "name"):
        read_task(written(tmp_path, 'name = "another"\n' + TEXT))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("rounds = 6", "rounds = 6.5", "rounds"),
        ("warmup = 0", "warmup = true", "warmup"),
        ("count_start = false", "count_start = 0", "count_start"),
        ('metric = "seconds"', "metric = 1", "metric"),
        ("goal = 2", 'goal = "2"', "goal"),
        ("goal = 2", "goal = true", "goal"),
    ],
)
def test_a_value_has_its_type(tmp_path, old, new, key):
    """A value of another type is a TaskError with the file's name and the key; true is no number, 0 not false."""
    with raises(TaskError, "step.toml", key):
        read_task(written(tmp_path, TEXT.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('metric = "seconds"', 'metric = "minutes"', "metric"),
        ("goal = 2", "goal = 1", "goal"),
        ("goal = 2", "goal = nan", "goal"),
        ("rounds = 6", "rounds = 5", "rounds"),
        ("calls = 1", "calls = 0", "calls"),
        ("warmup = 0", "warmup = -1", "warmup"),
        ("limit = 1", "limit = 0", "limit"),
        ("max_bytes = 1", "max_bytes = 0", "max_bytes"),
        ("work = 1", "work = 0", "work"),
    ],
)
def test_a_value_has_a_meaning(tmp_path, old, new, key):
    """An unknown metric, a goal that is not above 1, or a number that is too small is a TaskError with file and key."""
    with raises(TaskError, "step.toml", key):
        read_task(written(tmp_path, TEXT.replace(old, new)))


def test_a_file_that_is_no_task_is_named(tmp_path):
    """A file that is missing or no TOML is a TaskError with its name."""
    with raises(TaskError, "nowhere.toml"):
        read_task(tmp_path / "nowhere.toml")
    with raises(TaskError, "step.toml"):
        read_task(written(tmp_path, "title = "))
