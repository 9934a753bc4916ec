"""Who is updated, and with which options: Optimizer and its groups."""

import numpy as np
import pytest

from dojo.spec import assert_equal, raises
from tinytorch.layers import Linear, Parameter
from tinytorch.optimizers import Optimizer
from tinytorch.tensor import Tensor

DEFAULTS = {"lr": 0.1, "momentum": 0.9}


def parameter(*shape):
    return Parameter(np.ones(shape, np.float32))


def options(group):
    """A group without its parameters."""
    return {name: value for name, value in group.items() if name != "params"}


def assert_same_objects(actual, expected, what):
    assert isinstance(actual, list), f"{what} are a {type(actual).__name__}, expected a list"
    assert_equal(len(actual), len(expected), f"the number of {what}")
    for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
        assert a is b, f"number {i} of {what} is not the object that was given"


def test_parameters_make_one_group():
    """Optimizer(list of Tensors, defaults) has one group in param_groups: a dict with "params" and the defaults."""
    params = [parameter(2, 3), parameter(3)]
    optimizer = Optimizer(params, DEFAULTS)
    assert_equal(len(optimizer.param_groups), 1, "the number of groups")
    assert_same_objects(optimizer.param_groups[0]["params"], params, "the group's parameters")
    assert_equal(options(optimizer.param_groups[0]), DEFAULTS, "the dict of the group's options")
    assert_equal(optimizer.defaults, DEFAULTS, "the dict of the defaults")
    assert_equal(len(optimizer.state), 0, "the number of states, before any step")


def test_parameters_may_come_from_a_generator():
    """model.parameters() will do, although it can be iterated over only once."""
    model = Linear(2, 3)
    optimizer = Optimizer(model.parameters(), DEFAULTS)
    assert_same_objects(optimizer.param_groups[0]["params"], [model.weight, model.bias], "the parameters")


@pytest.mark.parametrize("nothing", [[], iter(())], ids=["an empty list", "a used-up generator"])
def test_an_optimizer_needs_parameters(nothing):
    """No parameters at all is a ValueError: such an optimizer would train nothing, and not say so."""
    with raises(ValueError):
        Optimizer(nothing, DEFAULTS)


def test_a_parameter_is_a_tensor():
    """Anything but a Tensor among the parameters is a TypeError that names its type."""
    with raises(TypeError, "ndarray"):
        Optimizer([parameter(2), np.ones(2)], DEFAULTS)


def test_a_single_tensor_is_not_a_list():
    """A Tensor in place of a list is a TypeError with its shape: iterating over it would give its rows."""
    with raises(TypeError, (2, 3)):
        Optimizer(parameter(2, 3), DEFAULTS)


def test_a_set_has_no_order():
    """A set of parameters, in a group or not, is a TypeError: their numbers would change from run to run."""
    for params in ({parameter(2), parameter(3)}, [{"params": {parameter(2), parameter(3)}}]):
        with raises(TypeError, "set"):
            Optimizer(params, DEFAULTS)


def test_groups_have_options_of_their_own():
    """Dicts with "params" make a group each; what a dict leaves out comes from the defaults."""
    a, b, c = parameter(2), parameter(3), parameter(1)
    groups = [{"params": [a, b]}, {"params": iter([c]), "lr": 0.5}]
    optimizer = Optimizer(groups, DEFAULTS)
    assert_equal(len(optimizer.param_groups), 2, "the number of groups")
    assert_same_objects(optimizer.param_groups[0]["params"], [a, b], "the first group's parameters")
    assert_same_objects(optimizer.param_groups[1]["params"], [c], "the second group's parameters")
    assert_equal(options(optimizer.param_groups[0]), DEFAULTS, "the dict of the first group's options")
    assert_equal(
        options(optimizer.param_groups[1]),
        {"lr": 0.5, "momentum": 0.9},
        "the dict of the second group's options",
    )
    assert_equal(optimizer.defaults["lr"], 0.1, "the lr of the defaults afterwards")


def test_the_callers_dicts_stay_the_callers():
    """The defaults are copied, and the dict given to add_param_group is left as it is."""
    given = {"lr": 0.1, "momentum": 0.9}
    optimizer = Optimizer([parameter(2)], given)
    given["lr"] = 7.0
    params = [parameter(3)]
    group = {"params": params, "momentum": 0.0}
    optimizer.add_param_group(group)
    assert_equal(optimizer.param_groups[1]["lr"], 0.1, "the lr, after the caller changed its own defaults")
    optimizer.param_groups[1]["lr"] = 0.5
    assert_equal(
        sorted(group), ["momentum", "params"], "the list of the names in the caller's group afterwards"
    )
    assert group["params"] is params, "the caller's group has another list of parameters than before"


def test_a_group_can_be_added_later():
    """add_param_group takes one more dict; its "params" may be a single Tensor instead of a list."""
    a, b = parameter(2), parameter(3)
    optimizer = Optimizer([a], DEFAULTS)
    optimizer.add_param_group({"params": b, "momentum": 0.0})
    assert_equal(len(optimizer.param_groups), 2, "the number of groups")
    assert_same_objects(optimizer.param_groups[1]["params"], [b], "the new group's parameters")
    assert_equal(options(optimizer.param_groups[1]), {"lr": 0.1, "momentum": 0.0}, "the dict of its options")


def test_a_parameter_stands_in_one_place():
    """A parameter given twice, in one group or in two, is a ValueError with its shape: it would move twice."""
    a, b = parameter(2, 3), parameter(4)
    with raises(ValueError, (2, 3)):
        Optimizer([a, b, a], DEFAULTS)
    with raises(ValueError, (2, 3)):
        Optimizer([{"params": [a]}, {"params": [b, a]}], DEFAULTS)


def test_equal_parameters_are_not_the_same():
    """Two parameters with the same numbers are two: they are told apart by `is`, because == compares entries."""
    params = [parameter(1), parameter(1), parameter(2), parameter(2)]
    optimizer = Optimizer(params, DEFAULTS)
    assert_same_objects(optimizer.param_groups[0]["params"], params, "the parameters")


def test_a_refused_group_leaves_the_optimizer_as_it_was():
    """When add_param_group raises, it has added nothing."""
    a = parameter(2, 3)
    optimizer = Optimizer([a], DEFAULTS)
    with raises(ValueError, (2, 3)):
        optimizer.add_param_group({"params": [parameter(4), a]})
    with raises(TypeError, "str"):
        optimizer.add_param_group({"params": [parameter(4), "bias"]})
    assert_equal(len(optimizer.param_groups), 1, "the number of groups")
    assert_same_objects(optimizer.param_groups[0]["params"], [a], "the parameters")


def test_zero_grad_forgets_every_gradient():
    """zero_grad() sets `.grad` of every parameter in every group to None, and leaves the numbers alone."""
    a, b = parameter(2), parameter(3)
    optimizer = Optimizer([{"params": [a]}, {"params": [b]}], DEFAULTS)
    a.grad, b.grad = Tensor(np.ones(2, np.float32)), Tensor(np.ones(3, np.float32))
    optimizer.zero_grad()
    assert a.grad is None and b.grad is None, f"the gradients are {a.grad} and {b.grad}, expected None"
    assert_equal(
        (a.data.tolist(), b.data.tolist()), ([1.0] * 2, [1.0] * 3), "the pair of the parameters' values"
    )


def test_each_optimizer_writes_its_own_step():
    """step() of a subclass that does not define it is a NotImplementedError that names the class."""

    class Compass(Optimizer):
        pass

    with raises(NotImplementedError, "Compass"):
        Compass([parameter(2)], DEFAULTS).step()
