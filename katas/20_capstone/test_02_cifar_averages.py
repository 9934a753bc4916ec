"""Two means: of what each process has seen, and of the weights of all steps."""

from types import SimpleNamespace

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import in_child
from tinytorch.benchmarking import spawn
from tinytorch.capstone import WeightAveraging, average_buffers
from tinytorch.layers import Buffer, Linear, Module
from tinytorch.spatial import BatchNorm2d
from tinytorch.tensor import Tensor

PATIENCE = 10.0
"""Seconds that no process should ever wait for another one."""


# Over the processes


def statistics(ranks, low=1.0):
    """The state of a BatchNorm2d in every process, after average_buffers; before, process r had (r + low) * [1, 2]."""

    def run():
        def function(group):
            norm = BatchNorm2d(2)
            norm.running_mean.data[...] = (group.rank + low) * np.array([1.0, 2.0])
            norm.running_var.data[...] = 10.0 * (group.rank + low)
            norm.num_batches_tracked.data[...] = 7
            norm.weight.data[...] = group.rank
            kept = norm.running_mean.data
            average_buffers(norm, group)
            assert_equal(norm.running_mean.data is kept, True, "whether the buffer is the same array")
            return {name: each.data for name, each in norm.state_dict().items()}

        found = spawn(function, ranks, timeout=PATIENCE)
        return {f"{name} {rank}": each[name] for rank, each in enumerate(found) for name in each}

    return in_child(run)


def test_statistics_become_their_mean():
    """With [1, 2] in one process and [2, 4] in the other, the running mean is [1.5, 3] in both; the variance too."""
    found = statistics(2)
    for rank in (0, 1):
        assert_close(found[f"running_mean {rank}"], np.array([1.5, 3], np.float32), f"running_mean of {rank}")
        assert_close(found[f"running_var {rank}"], np.array([15, 15], np.float32), f"running_var of {rank}")


def test_three_processes_have_a_mean_too():
    """Of three processes with 1, 2 and 3 times [1, 2] it is [2, 4]."""
    assert_close(statistics(3)["running_mean 2"], np.array([2, 4], np.float32), "running_mean of process 2")


def test_counts_and_parameters_stay():
    """An integer buffer is a count, and stays what it is; so does every parameter."""
    found = statistics(2)
    for rank in (0, 1):
        assert_equal(int(found[f"num_batches_tracked {rank}"]), 7, f"num_batches_tracked of {rank}")
        assert_close(found[f"weight {rank}"], np.full(2, rank, np.float32), f"the weight of {rank}")


# Over the steps


class One(Module):
    """A parameter, a buffer that is averaged, and one that counts."""

    def __init__(self, value=0.0):
        self.layer = Linear(1, 1, bias=False)
        self.mean, self.count = Buffer(Tensor(np.zeros(1, np.float32))), Buffer(Tensor(np.array(0)))
        self.set(value)

    def set(self, value):
        self.layer.weight.data[...] = value
        self.mean.data[...] = 2 * value
        self.count.data[...] = round(10 * value)


def averaged(values, decay=0.999):
    """A WeightAveraging that has seen One with these values, one a step, and the model."""
    callback, model = WeightAveraging(decay), One()
    for value in values:
        model.set(value)
        callback.on_step_end(SimpleNamespace(model=model), 0.0, 1)
    return callback, model


def test_the_first_step_sets_them():
    """After one step `weights` are those of the model, by name, and `steps` is 1."""
    callback, model = averaged([3.0])
    assert_equal(sorted(callback.weights), sorted(model.state_dict()), "the names of the weights")
    assert_close(callback.weights["layer.weight"], np.array([[3]], np.float32), "the weight after one step")
    assert_equal(callback.steps, 1, "steps")


def test_the_second_step_moves_them():
    """In the second step the decay is 2 / 11: of 1 and then 12 the mean is 1 * 2 / 11 + 12 * 9 / 11 = 10."""
    callback, _ = averaged([1.0, 12.0])
    assert_close(callback.weights["layer.weight"], np.array([[10]], np.float32), "the weight after two steps")
    assert_close(callback.weights["mean"], np.array([20], np.float32), "the buffer after two steps")


@pytest.mark.parametrize("decay", [0.0, 0.1, 0.5, 0.9])
def test_the_decay_by_hand(decay):
    """After many steps it is `decay` itself: (1 + n) / (10 + n) counts only while it is smaller."""
    values = np.random.default_rng(1).integers(-8, 8, 30) / 4
    expected = values[0]
    for n, value in enumerate(values[1:], 1):
        share = min(decay, (1 + n) / (10 + n))
        expected = share * expected + (1 - share) * value
    callback, _ = averaged(values.tolist(), decay)
    assert_close(
        callback.weights["layer.weight"].data.item(),
        expected,
        f"the weight after 30 steps, decay {decay}",
        atol=1e-5,
    )


def test_a_count_has_no_mean():
    """An integer is copied: after 10 and 20 the count is 20."""
    callback, _ = averaged([1.0, 2.0])
    assert_equal(callback.weights["count"].data.item(), 20, "the count")
    assert_equal(callback.weights["count"].data.dtype.kind, "i", "the kind of its dtype")


def test_the_weights_are_its_own():
    """What happens to the model afterwards does not change them, and the average does not change the model."""
    callback, model = averaged([1.0, 12.0])
    assert_close(model.layer.weight, np.array([[12]], np.float32), "the model's weight")
    model.set(-5.0)
    assert_close(callback.weights["layer.weight"], np.array([[10]], np.float32), "the averaged weight")


def test_averaged_is_for_a_block():
    """`with callback.averaged(model)` the model has the averages; behind it, its own values again."""
    callback, model = averaged([1.0, 12.0])
    with callback.averaged(model):
        assert_close(model.layer.weight, np.array([[10]], np.float32), "the weight in the block")
        assert_close(model.mean, np.array([20], np.float32), "the buffer in the block")
    assert_close(model.layer.weight, np.array([[12]], np.float32), "the weight behind the block")
    assert_equal(model.count.data.item(), 120, "the count behind the block")
    assert_close(
        callback.weights["layer.weight"], np.array([[10]], np.float32), "the average behind the block"
    )


def test_its_own_weights_come_back_after_an_error():
    """So they do if the block raises."""
    callback, model = averaged([1.0, 12.0])
    with raises(LookupError), callback.averaged(model):
        raise LookupError("no such picture")
    assert_close(model.layer.weight, np.array([[12]], np.float32), "the weight after an error")
