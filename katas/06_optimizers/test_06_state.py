"""State: what an optimizer remembers, saved and loaded, so that training can continue where it stopped."""

import copy

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch import optimizers
from tinytorch.layers import Parameter
from tinytorch.optimizers import SGD, Adam
from tinytorch.tensor import Tensor

RECIPES = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.9, "momentum": 0.5}),
]
every_optimizer = pytest.mark.parametrize(("name", "options"), RECIPES, ids=[name for name, _ in RECIPES])


def parameters(dtype=np.float32):
    return [Parameter(np.ones((2, 2), dtype)), Parameter(np.ones(3, dtype)), Parameter(np.ones(1, dtype))]


def walk(optimizer, params, numbers):
    """A step for each number, with gradients made of it."""
    for n in numbers:
        for p in params:
            p.grad = Tensor(np.cos(n + np.arange(p.data.size)).reshape(p.shape).astype(p.dtype))
        optimizer.step()


def test_state_dict_numbers_the_parameters():
    """state_dict()["param_groups"] holds the options, and numbers for the parameters, counted over all groups."""
    a, b, c = parameters()
    state = SGD([{"params": [a, b]}, {"params": [c], "lr": 0.5}], lr=0.25, momentum=0.5).state_dict()
    options = {"momentum": 0.5, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
    assert_equal(sorted(state), ["param_groups", "state"], "the list of the names in the state_dict")
    expected = [{"lr": 0.25, **options, "params": [0, 1]}, {"lr": 0.5, **options, "params": [2]}]
    groups = [{name: group.get(name) for name in expected[0]} for group in state["param_groups"]]
    assert_equal(groups, expected, "the list of the groups")
    assert_equal(state["state"], {}, "the state before any step")


def test_state_dict_holds_the_state_by_number():
    """state_dict()["state"] maps the number of each parameter that has a state to it; the arrays are not copied."""
    params = parameters()
    optimizer = Adam([{"params": params[:2]}, {"params": params[2:]}])
    for p in params[1:]:
        p.grad = Tensor(np.ones(p.shape, np.float32))
    optimizer.step()
    state = optimizer.state_dict()["state"]
    assert_equal(sorted(state), [1, 2], "the list of the numbers of the parameters with a state")
    assert_equal(sorted(state[1]), ["exp_avg", "exp_avg_sq", "step"], "what is in a state")
    for number in (1, 2):
        same = state[number]["exp_avg"] is optimizer.state[params[number]]["exp_avg"]
        assert same, "the state_dict has another array than the optimizer"


@every_optimizer
def test_state_dict_does_not_ask_for_gradients(name, options):
    """After zero_grad() the state_dict still holds the state of every parameter: a run is often saved there."""
    params = parameters()
    optimizer = getattr(optimizers, name)(params, **options)
    walk(optimizer, params, [1])
    optimizer.zero_grad()
    assert_equal(sorted(optimizer.state_dict()["state"]), [0, 1, 2], "the parameters with a state")


def test_state_dict_is_not_the_optimizers_own():
    """A new lr in the optimizer afterwards does not show in the state_dict, nor the other way round."""
    optimizer = SGD(parameters(), lr=0.25)
    state = optimizer.state_dict()
    optimizer.param_groups[0]["lr"] = 0.5
    assert_equal(state["param_groups"][0]["lr"], 0.25, "the lr in the state_dict")
    state["param_groups"][0]["lr"] = 0.75
    assert_equal(optimizer.param_groups[0]["lr"], 0.5, "the lr of the optimizer")


@every_optimizer
def test_a_resumed_optimizer_ends_where_an_unstopped_one_does(name, options):
    """Three steps, the state into a new optimizer over copies, three more: bit for bit the same as six steps."""
    cls, params = getattr(optimizers, name), parameters()
    unstopped = cls(params, **options)
    walk(unstopped, params, range(6))

    early = parameters()
    first = cls(early, **options)
    walk(first, early, range(3))
    late = [Parameter(p.data.copy()) for p in early]
    second = cls(late, lr=9.0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    walk(second, late, range(3, 6))
    for number, (resumed, expected) in enumerate(zip(late, params, strict=True)):
        assert_close(resumed, expected.data, f"parameter {number} of the resumed run", rtol=0, atol=0)


@every_optimizer
def test_load_state_dict_copies(name, options):
    """Two optimizers that share a state_dict do not share memory: a step of one leaves the other's state alone."""
    cls, params, others = getattr(optimizers, name), parameters(), parameters()
    one, two = cls(params, **options), cls(others, **options)
    walk(one, params, [1])
    two.load_state_dict(one.state_dict())
    before = copy.deepcopy(one.state_dict()["state"])
    walk(two, others, [2, 3])
    after = one.state_dict()["state"]
    for number, state in before.items():
        for key, value in state.items():
            assert_close(after[number][key], value, f"{key} of parameter {number} in the first optimizer")


def test_load_state_dict_takes_the_options_and_keeps_the_parameters():
    """Options come from the state, group by group; the parameters stay the optimizer's own Tensors."""
    a, b, c = parameters()
    source = SGD(
        [{"params": parameters()[:2], "lr": 0.5}, {"params": parameters()[:1]}], lr=0.25, momentum=0.5
    )
    target = SGD([{"params": [a, b]}, {"params": [c]}], lr=9.0)
    target.load_state_dict(source.state_dict())
    assert_equal(
        [group["lr"] for group in target.param_groups], [0.5, 0.25], "the list of the lr of both groups"
    )
    assert_equal([group["momentum"] for group in target.param_groups], [0.5, 0.5], "their momentum")
    kept = [
        p is q for p, q in zip([a, b, c], [p for g in target.param_groups for p in g["params"]], strict=True)
    ]
    assert_equal(kept, [True, True, True], "whether the parameters are the same Tensors")


@every_optimizer
def test_an_empty_state_clears_a_used_optimizer(name, options):
    """Loading the state of an optimizer that has made no step removes everything that was remembered before."""
    cls, params = getattr(optimizers, name), parameters()
    used, fresh = cls(params, **options), cls(parameters(), **options)
    walk(used, params, [1])
    used.load_state_dict(fresh.state_dict())
    assert_equal(len(used.state), 0, "the number of states, after an empty state was loaded")


def test_load_state_dict_fits_the_parameters_dtype():
    """A float64 state is loaded into an optimizer of float32 parameters as float32; the count stays a count."""
    wide, narrow = parameters(np.float64), parameters()
    source, target = Adam(wide, lr=0.1), Adam(narrow, lr=0.1)
    walk(source, wide, [1, 2])
    target.load_state_dict(source.state_dict())
    expected = source.state[wide[0]]["exp_avg"].astype(np.float32)
    assert_close(target.state[narrow[0]]["exp_avg"], expected, "exp_avg")
    assert_close(float(target.state[narrow[0]]["step"]), 2.0, "the count of steps")


def test_load_state_dict_refuses_other_groups():
    """A state whose groups have other sizes is a ValueError with both lists of sizes, and nothing is loaded."""
    a, b, c = parameters()
    state = SGD([a, b], lr=0.5).state_dict()
    target = SGD([{"params": [a]}, {"params": [b, c]}], lr=0.25, momentum=0.5)
    walk(target, [a, b, c], [1])
    with raises(ValueError, [2], [1, 2]):
        target.load_state_dict(state)
    assert_equal([group["lr"] for group in target.param_groups], [0.25, 0.25], "the lr afterwards")
    assert_equal(len(target.state), 3, "the number of states afterwards")
