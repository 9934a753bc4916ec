"""SGD, Adam, AdamW and RMSprop: gradients in, moved parameters out, and what is remembered in between."""

import math

import numpy as np
import pytest

from dojo.spec import ShapeError, assert_close, assert_equal, raises, unchanged
from tinytorch import optimizers
from tinytorch.layers import Parameter
from tinytorch.optimizers import SGD, Adam, AdamW, RMSprop, zeros_like_all
from tinytorch.tensor import Tensor

NAMES = ["SGD", "Adam", "AdamW", "RMSprop"]
every_optimizer = pytest.mark.parametrize("name", NAMES)

OPTIONS = {
    "SGD": {"lr": 0.001, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
    "Adam": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    "AdamW": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
    "RMSprop": {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0},
}


def make(name, params, **options):
    return getattr(optimizers, name)(params, **options)


def parameter(*values):
    return Parameter(np.array(values, np.float32))


def grad(*values):
    return Tensor(np.array(values, np.float32))


# Options


@every_optimizer
def test_options_have_their_usual_values(name):
    """Each optimizer has PyTorch's options with PyTorch's values, in its group and in `defaults`."""
    optimizer = make(name, [parameter(1.0)])
    for what, options in (("defaults", optimizer.defaults), ("group", optimizer.param_groups[0])):
        named = {k: v for k, v in options.items() if k in OPTIONS[name]}
        assert_equal(named, OPTIONS[name], f"the dict of the {what} of {name}")


BAD = [(name, option) for name in NAMES for option in ("lr", "weight_decay")]
BAD += [
    ("SGD", "momentum"),
    ("Adam", "eps"),
    ("RMSprop", "alpha"),
    ("RMSprop", "eps"),
    ("RMSprop", "momentum"),
]


@pytest.mark.parametrize(("name", "option"), BAD)
def test_options_are_not_negative(name, option):
    """A negative option is a ValueError with its name and value."""
    with raises(ValueError, option, -0.5):
        make(name, [parameter(1.0)], **{option: -0.5})


@pytest.mark.parametrize(("betas", "bad"), [((1.0, 0.999), 1.0), ((0.9, 1.0), 1.0), ((-0.25, 0.5), -0.25)])
def test_betas_are_shares(betas, bad):
    """Both betas of Adam lie in [0, 1): anything else is a ValueError with what was given."""
    with raises(ValueError, bad):
        Adam([parameter(1.0)], betas=betas)
    for least in (0.0, 0.5), (0.5, 0.0):
        assert_equal(Adam([parameter(1.0)], betas=least).defaults["betas"], least, "the betas")


def test_nesterov_needs_momentum():
    """SGD with nesterov but without momentum, or with dampening, is a ValueError that says so."""
    with raises(ValueError, "nesterov"):
        SGD([parameter(1.0)], nesterov=True)
    with raises(ValueError, "nesterov"):
        SGD([parameter(1.0)], momentum=0.9, dampening=0.5, nesterov=True)


# The first step


def test_sgd_steps():
    """SGD moves each parameter by lr against its gradient."""
    a, b = parameter(1.0, 2.0), parameter(3.0)
    a.grad, b.grad = grad(1.0, -1.0), grad(4.0)
    SGD([a, b], lr=0.5).step()
    assert_close(a, np.array([0.5, 2.5], np.float32), "the first parameter")
    assert_close(b, np.array([1.0], np.float32), "the second parameter")


def test_adam_steps():
    """The first step of Adam has the size lr; weight decay is added to the gradient, and here only changes its sign."""
    a, b = parameter(1.0, 2.0), parameter(3.0)
    a.grad, b.grad = grad(1.0, -1.0), grad(-1.0)
    Adam([{"params": [a]}, {"params": [b], "weight_decay": 2.0}], lr=0.5).step()
    assert_close(a, np.array([0.5, 2.5], np.float32), "the first parameter")
    assert_close(b, np.array([2.5], np.float32), "the one with weight decay")


def test_adamw_steps():
    """AdamW multiplies the parameter by 1 - lr * weight_decay, and then makes Adam's step."""
    a = parameter(10.0, -10.0)
    a.grad = grad(3.0, 3.0)
    AdamW([a], lr=0.5, weight_decay=0.25).step()
    assert_close(a, np.array([8.25, -9.25], np.float32), "the parameter")


def test_rmsprop_steps():
    """The first step of RMSprop is lr / sqrt(1 - alpha) against the sign of the gradient."""
    a, b = parameter(1.0, 2.0), parameter(3.0)
    a.grad, b.grad = grad(1.0, -5.0), grad(4.0)
    RMSprop([a, b], lr=0.5, alpha=0.75).step()
    assert_close(a, np.array([0.0, 3.0], np.float32), "the first parameter")
    assert_close(b, np.array([2.0], np.float32), "the second parameter")


# What every step keeps


@every_optimizer
def test_a_step_writes_into_the_parameters_own_array(name):
    """After step() `p.data` is the same array as before, still float32, and what shares its memory sees the step."""
    whole = np.ones((2, 3), np.float32)
    p = Parameter(whole[:, :2])
    array, p.grad = p.data, Tensor(np.ones((2, 2), np.float32))
    optimizer = make(name, [p], lr=0.25)
    with unchanged(p.grad):
        optimizer.step()
    assert p.data is array, "the parameter has a new array: the model's state_dict would not see it move"
    assert_equal(str(p.dtype), "float32", "the dtype after the step")
    assert (whole[:, :2] < 1).all(), f"the array did not move: {whole.tolist()}"
    assert_close(whole[:, 2], np.ones(2, np.float32), "the memory beside the parameter")


@every_optimizer
def test_a_parameter_without_a_gradient_stays(name):
    """A parameter whose `.grad` is None is skipped, whatever its weight decay and momentum, and gets no state."""
    a, b = parameter(1.0), parameter(1.0)
    b.grad = grad(1.0)
    momentum = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    optimizer = make(name, [a, b], lr=0.1, weight_decay=0.5, **momentum)
    optimizer.step()
    assert_close(a, np.array([1.0], np.float32), "the parameter without a gradient")
    assert b.data[0] < 1, "the parameter with a gradient did not move"
    assert a not in optimizer.state, "the parameter without a gradient has a state"


@every_optimizer
def test_a_gradient_fits_its_parameter(name):
    """A gradient of another shape is a ValueError with both, and an array as gradient a TypeError; nothing moves."""
    a, b = parameter(1.0), Parameter(np.ones((2, 3), np.float32))
    a.grad = grad(1.0)
    optimizer = make(name, [a, b])
    with raises(ShapeError, (2, 3), (3,)):
        b.grad = grad(1.0, 2.0, 3.0)
        optimizer.step()
    with raises(TypeError, "ndarray"):
        b.grad = np.ones((2, 3), np.float32)
        optimizer.step()
    assert_close(a, np.array([1.0], np.float32), "the parameter in front of the bad one")


@every_optimizer
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1,)], ids=str)
def test_a_gradient_is_neither_reshaped_nor_stretched(name, shape):
    """A gradient of (1, 2), (2, 1) or (1,) for a parameter (2,) is a ValueError with both shapes, and nothing moves."""
    a = parameter(1.0, 1.0)
    optimizer = make(name, [a])
    with unchanged(a), raises(ShapeError, shape, (2,)):
        a.grad = Tensor(np.ones(shape, np.float32))
        optimizer.step()


@every_optimizer
def test_a_refused_step_moves_no_group(name):
    """Every gradient of every group is checked before anything moves."""
    a, b = parameter(1.0), parameter(1.0)
    a.grad = grad(1.0)
    optimizer = make(name, [{"params": [a]}, {"params": [b]}])
    with raises(ShapeError, (1,), (2,)):
        b.grad = grad(1.0, 2.0)
        optimizer.step()
    assert_close(a, np.array([1.0], np.float32), "the parameter of the group in front of the bad one")


# What is remembered


def test_sgd_remembers_its_momentum():
    """SGD keeps "momentum_buffer" in the state of each parameter: gradients of 1 with momentum 0.5 move 1, then 1.5."""
    a, b = parameter(10.0), parameter(10.0, 10.0)
    a.grad, b.grad = grad(1.0), grad(2.0, -2.0)
    optimizer = SGD([a, b], lr=1.0, momentum=0.5)
    optimizer.step()
    optimizer.step()
    assert_close(a, np.array([7.5], np.float32), "the first parameter")
    assert_close(b, np.array([5.0, 15.0], np.float32), "the second parameter")
    assert_equal(sorted(optimizer.state[a]), ["momentum_buffer"], "what is in the state")
    assert_close(optimizer.state[b]["momentum_buffer"], np.array([3.0, -3.0], np.float32), "the buffer")


def test_sgd_without_momentum_remembers_nothing():
    """SGD without momentum keeps no arrays: its state costs no memory."""
    a = parameter(1.0)
    a.grad = grad(1.0)
    optimizer = SGD([a], lr=0.5)
    optimizer.step()
    kept = {name: value for name, value in optimizer.state.get(a, {}).items() if value is not None}
    assert_equal(kept, {}, "what is in the state")


def test_sgd_hands_all_its_options_on():
    """dampening, weight_decay and nesterov of a group reach the update: two steps by hand."""
    a, b = parameter(8.0), parameter(8.0)
    groups = [{"params": [a], "dampening": 0.75, "weight_decay": 0.5}, {"params": [b], "nesterov": True}]
    optimizer = SGD(groups, lr=0.5, momentum=0.5)
    for _ in range(2):
        a.grad, b.grad = grad(4.0), grad(4.0)
        optimizer.step()
    # a: the buffer is 4 + 4, so a is 4; then 0.5 * 8 + 0.25 * (4 + 2) = 5.5. b: 4 + 0.5 * 4, then 4 + 0.5 * 6.
    assert_close(a, np.array([1.25], np.float32), "with dampening and weight_decay")
    assert_close(b, np.array([1.5], np.float32), "with nesterov")


def test_state_begins_as_zeros():
    """zeros_like_all gives an array of zeros for each array of a list, of its shape and dtype, each for itself."""
    arrays = [np.ones((2, 3), np.float32), np.ones((2, 3), np.float32), np.array(1.0), np.ones((0, 4))]
    with unchanged(*arrays):
        state = zeros_like_all(arrays)
    assert_equal(len(state), 4, "the number of arrays for 4 arrays")
    for number, (zeros, array) in enumerate(zip(state, arrays, strict=True)):
        assert_close(zeros, np.zeros_like(array), f"array {number}")
    state[0][0, 0] = 5
    assert_close(state[1], np.zeros((2, 3), np.float32), "array 1, after a change of array 0")
    assert_equal(zeros_like_all([]), [], "zeros_like_all([])")


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_adam_remembers_both_averages_and_its_steps(name):
    """Adam and AdamW keep "step", "exp_avg" and "exp_avg_sq" in the state of each parameter, arrays of its shape."""
    a, b = parameter(5.0), parameter(5.0, 5.0)
    optimizer = make(name, [a, b], lr=0.5, betas=(0.5, 0.5), weight_decay=0.0)
    for _ in range(3):
        a.grad, b.grad = grad(3.0), grad(-4.0, 4.0)
        optimizer.step()
    assert_close(a, np.array([3.5], np.float32), "three steps of size lr along a constant gradient")
    assert_equal(sorted(optimizer.state[a]), ["exp_avg", "exp_avg_sq", "step"], "what is in the state")
    assert_close(float(optimizer.state[a]["step"]), 3.0, "the count of steps")
    assert_close(
        optimizer.state[b]["exp_avg"], np.array([-3.5, 3.5], np.float32), "exp_avg after three steps"
    )
    assert_close(optimizer.state[b]["exp_avg_sq"], np.array([14.0, 14.0], np.float32), "exp_avg_sq")


def test_adam_hands_all_its_options_on():
    """betas, eps and weight_decay of a group reach the update: two steps by hand."""
    a = parameter(0.0)
    optimizer = Adam([{"params": [a], "betas": (0.5, 0.75), "eps": 1.0, "weight_decay": 0.5}], lr=1.0)
    for g in (3.0, -1.0):
        a.grad = grad(g)
        optimizer.step()
    first = -3 / (3 + 1)  # p after the first step; its weight decay counts in the second
    g = -1 + 0.5 * first
    m, v = 0.5 * 1.5 + 0.5 * g, 0.75 * 2.25 + 0.25 * g * g
    second = first - (m / 0.75) / (math.sqrt(v / (1 - 0.75**2)) + 1)
    assert_close(a, np.array([second], np.float32), "the parameter after two steps")


def test_a_skipped_step_does_not_count():
    """A parameter that had no gradient for a while continues with its own count of steps and its own averages."""
    a, b = parameter(5.0), parameter(5.0)
    optimizer = Adam([a, b], lr=0.5)
    for i in range(4):
        a.grad, b.grad = grad(3.0), grad(3.0) if i in (0, 3) else None
        optimizer.step()
    assert_close(a, np.array([3.0], np.float32), "the parameter that made four steps")
    assert_close(b, np.array([4.0], np.float32), "the parameter that made two steps")
    assert_close(float(optimizer.state[b]["step"]), 2.0, "its count of steps")


def test_a_refused_step_does_not_count():
    """A step of Adam that raises is not counted: the next good one is number 1."""
    a, b = parameter(1.0), parameter(1.0)
    optimizer = Adam([a, b], lr=0.5)
    a.grad = grad(1.0)
    with raises(ShapeError, (1,), (2,)):
        b.grad = grad(1.0, 2.0)
        optimizer.step()
    b.grad = grad(1.0)
    optimizer.step()
    assert_close(float(optimizer.state[a]["step"]), 1.0, "the count of steps, without the refused one")


def test_rmsprop_remembers_the_average_square():
    """RMSprop keeps "square_avg" in the state, and "momentum_buffer" where there is momentum: two steps by hand."""
    a, b = parameter(5.0), parameter(5.0, 5.0)
    groups = [{"params": [a]}, {"params": [b], "momentum": 0.5, "weight_decay": 0.0, "eps": 0.0}]
    optimizer = RMSprop(groups, lr=0.5, alpha=0.75)
    for _ in range(2):
        a.grad, b.grad = grad(3.0), grad(-4.0, 4.0)
        optimizer.step()
    second = 1 / math.sqrt(1 - 0.75**2)
    assert_close(a, np.array([5 - 0.5 * (2 + second)], np.float32), "the parameter without momentum")
    moved = 0.5 * (2 + (0.5 * 2 + second))
    assert_close(b, np.array([5 + moved, 5 - moved], np.float32), "the parameter with momentum")
    assert_close(optimizer.state[a]["square_avg"], np.array([9 * 0.4375], np.float32), "square_avg")
    assert_close(
        optimizer.state[b]["momentum_buffer"], np.array([-1 - second, 1 + second], np.float32), "the buffer"
    )


def test_rmsprop_without_momentum_has_no_buffer():
    """RMSprop without momentum keeps "square_avg" and no buffer, which would cost memory for nothing."""
    a = parameter(1.0)
    a.grad = grad(1.0)
    optimizer = RMSprop([a], lr=0.5)
    optimizer.step()
    kept = sorted(name for name, value in optimizer.state[a].items() if value is not None)
    assert_equal([name for name in kept if name != "step"], ["square_avg"], "what is in the state")


@pytest.mark.parametrize(
    ("name", "options"), [("SGD", {}), ("RMSprop", {"alpha": 0.0})], ids=["SGD", "RMSprop"]
)
def test_a_skipped_step_keeps_the_momentum(name, options):
    """After a step without a gradient a parameter continues with its own buffer: here from 10, lr 1, momentum 0.5."""
    a, b = parameter(10.0), parameter(10.0)
    optimizer = make(name, [a, b], lr=1.0, momentum=0.5, **options)
    for i in range(3):
        a.grad, b.grad = grad(1.0) if i != 1 else None, grad(1.0)
        optimizer.step()
    assert_close(b, np.array([5.75], np.float32), "the parameter that made three steps")
    assert_close(a, np.array([7.5], np.float32), "the parameter that was skipped once")


@pytest.mark.parametrize(
    ("name", "options"), [("Adam", {}), ("RMSprop", {"momentum": 0.5})], ids=["Adam", "RMSprop"]
)
def test_the_state_has_the_parameters_dtype(name, options):
    """The arrays in the state of a float64 parameter are float64."""
    p = Parameter(np.ones(2))
    p.grad = Tensor(np.ones(2))
    optimizer = make(name, [p], **options)
    optimizer.step()
    dtypes = {key: str(value.dtype) for key, value in optimizer.state[p].items() if key != "step"}
    assert_equal(dtypes, dict.fromkeys(dtypes, "float64"), "the dict of the dtypes in the state")


def test_rmsprop_hands_all_its_options_on():
    """eps and weight_decay of a group reach the update: g is 2 + 0.5 * 4, its average 4, and eps 2 halves the step."""
    a = parameter(4.0)
    a.grad = grad(2.0)
    RMSprop([a], lr=1.0, alpha=0.75, eps=2.0, weight_decay=0.5).step()
    assert_close(a, np.array([3.0], np.float32), "the parameter")


# Options that change


@every_optimizer
def test_each_group_has_its_own_lr(name):
    """The lr of a group moves its parameters only, and a new value in param_groups is used from the next step on."""
    a, b = parameter(1.0), parameter(1.0)
    optimizer = make(name, [{"params": [a], "lr": 0.0}, {"params": [b]}], lr=0.25)
    a.grad, b.grad = grad(1.0), grad(1.0)
    optimizer.step()
    assert_close(a, np.array([1.0], np.float32), "the parameter of lr 0")
    assert b.data[0] < 1, "the parameter of lr 0.25 did not move"
    before = float(b.data[0])
    optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = 0.5, 0.0
    optimizer.step()
    assert a.data[0] < 1, "the lr of the first group is 0.5 now, and its parameter did not move"
    assert_close(float(b.data[0]), before, "the parameter whose lr is 0 now")
