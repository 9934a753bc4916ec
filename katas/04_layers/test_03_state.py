"""State: all numbers of a model under their names, out and in again."""

import numpy as np

from dojo.spec import ShapeError, assert_close, assert_equal, raises
from tinytorch.layers import Buffer, Module, Parameter
from tinytorch.tensor import Tensor, ones, zeros


class Leaf(Module):
    def __init__(self, size, value):
        self.weight = Parameter(ones(size) * value)
        self.mean = Buffer(zeros(size))


class Model(Module):
    def __init__(self, value):
        self.a = Leaf(2, value)
        self.b = Leaf(3, value + 1)
        self.bias = Parameter(ones(1) * value)


def weights(model):
    return {name: parameter.data.tolist() for name, parameter in model.named_parameters()}


def test_state_dict_holds_parameters_and_buffers():
    """state_dict() maps the path of every parameter and buffer to its Tensor, which does not require grad."""
    state = Model(1.0).state_dict()
    assert_equal(sorted(state), ["a.mean", "a.weight", "b.mean", "b.weight", "bias"])
    assert_close(state["b.weight"], np.full(3, 2.0, np.float32), "b.weight")
    assert_equal([value.requires_grad for value in state.values()], [False] * 5)


def test_state_dict_shares_memory():
    """The Tensors of state_dict() are views of the model: what the model learns later shows in them."""
    model = Model(1.0)
    state = model.state_dict()
    model.bias.data[0] = 9.0
    assert_close(state["bias"], np.array([9.0], np.float32), "the bias in the state")


def test_state_dict_lists_tied_parameters_twice():
    """A parameter in two places is listed under both names, so that either model can read the other's state."""
    model = Model(1.0)
    model.b.weight = model.a.weight
    assert_equal(sorted(model.state_dict()), ["a.mean", "a.weight", "b.mean", "b.weight", "bias"])


def test_load_state_dict_copies_values():
    """load_state_dict(state) copies every value into the parameters and buffers, which stay the same objects."""
    source, target = Model(5.0), Model(0.0)
    source.a.mean.data[:] = 7.0
    before = target.a.weight
    target.load_state_dict(source.state_dict())
    assert target.a.weight is before, "the parameter is another object: an optimizer would lose it"
    assert_equal(weights(target), weights(source))
    assert_close(target.a.mean, np.array([7.0, 7.0], np.float32), "the buffer")
    source.a.weight.data[0] = -1.0
    assert_close(target.a.weight, np.array([5.0, 5.0], np.float32), "the copy, after the source changed")
    assert target.a.weight.requires_grad


def test_load_state_dict_is_strict():
    """A state with a missing or an unexpected name, or both, is refused: the error lists them."""
    state = Model(5.0).state_dict()
    state["colour"] = state.pop("bias")
    with raises((KeyError, RuntimeError), "bias", "colour"):
        Model(0.0).load_state_dict(state)
    state["bias"] = Tensor(np.zeros(1, np.float32))
    with raises((KeyError, RuntimeError), "colour"):
        Model(0.0).load_state_dict(state)
    del state["colour"], state["bias"]
    with raises((KeyError, RuntimeError), "bias"):
        Model(0.0).load_state_dict(state)


def test_load_state_dict_can_be_lenient():
    """With strict=False what fits is loaded, and missing_keys and unexpected_keys of the result say what did not."""
    model, state = Model(0.0), Model(5.0).state_dict()
    state["colour"] = state.pop("bias")
    result = model.load_state_dict(state, strict=False)
    assert_equal((result.missing_keys, result.unexpected_keys), (["bias"], ["colour"]))
    assert_equal(weights(model), {"bias": [0.0], "a.weight": [5.0, 5.0], "b.weight": [6.0, 6.0, 6.0]})


def test_load_state_dict_loads_all_or_nothing():
    """A wrong shape is an error with the name and both shapes, and then nothing was loaded, not even what fits."""
    model, state = Model(0.0), Model(5.0).state_dict()
    before = weights(model)
    state["b.weight"] = Tensor(np.zeros((1, 3), np.float32))
    with raises(ShapeError, "b.weight", (3,), (1, 3)):
        model.load_state_dict(state)
    assert_equal(weights(model), before)


def test_load_state_dict_stretches_nothing():
    """A value of shape (1,) for a parameter of shape (3,) is refused too, though it could be copied into it."""
    model, state = Model(0.0), Model(5.0).state_dict()
    state["b.weight"] = Tensor(np.ones(1, np.float32))
    with raises(ShapeError, "b.weight", (3,), (1,)):
        model.load_state_dict(state)


def test_load_state_dict_converts():
    """A state in float64 is loaded into a float32 model, which stays float32."""
    model = Leaf(2, 0.0)
    model.load_state_dict({"weight": Tensor(np.array([1.0, 2.0])), "mean": Tensor(np.zeros(2))})
    assert_close(model.weight, np.array([1.0, 2.0], np.float32))
