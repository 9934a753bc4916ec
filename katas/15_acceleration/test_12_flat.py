"""One flat buffer: parameters and the state of their optimizer lie side by side, and move together."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, no_warnings, raises, speedup, unchanged
from tinytorch import optimizers
from tinytorch.acceleration import flat
from tinytorch.acceleration.flat import (
    Buffer,
    adam_flat,
    behind,
    blocks,
    flatten,
    gathered,
    sgd_flat,
    side_by_side,
    zeros_side_by_side,
)
from tinytorch.dispatch import disabled
from tinytorch.layers import Linear, Module, Parameter, Sequential
from tinytorch.optimizers import SGD, Adam, adam_update, sgd_update
from tinytorch.tensor import Tensor

SHAPES = [(2, 3), (4,), (), (0, 2), (1, 2, 2)]
RECIPES = {
    "SGD": {"lr": 0.1},
    "SGD with momentum": {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
    "SGD with nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1},
    "AdamW": {"lr": 0.1, "weight_decay": 0.1},
    "RMSprop": {"lr": 0.1, "momentum": 0.5},
}
every_recipe = pytest.mark.parametrize("recipe", RECIPES)


def arrays_of(shapes=SHAPES, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]


def make(recipe, shapes=SHAPES, dtype=np.float32):
    """Parameters of these shapes, and the optimizer of the recipe."""
    params = [Parameter(each) for each in arrays_of(shapes, dtype)]
    return params, getattr(optimizers, recipe.split()[0])(params, **RECIPES[recipe])


def walk(optimizer, params, numbers):
    """A step for each number, with gradients made of it."""
    for n in numbers:
        for p in params:
            p.grad = Tensor(np.cos(n + np.arange(p.data.size)).reshape(p.shape).astype(p.dtype))
        optimizer.step()


def assert_same(params, others, what):
    for number, (one, other) in enumerate(zip(params, others, strict=True)):
        assert_close(one, other.data, f"parameter {number} {what}", rtol=1e-6, atol=1e-7)


def state_of(optimizer, params, name):
    return [optimizer.state[each][name] for each in params]


# Side by side


def test_arrays_side_by_side():
    """side_by_side gives copies of arrays, of their shapes, that are pieces of one buffer."""
    arrays = arrays_of()
    with unchanged(*arrays):
        pieces = side_by_side(arrays)
    for number, (piece, array) in enumerate(zip(pieces, arrays, strict=True)):
        assert type(piece) is np.ndarray, f"piece {number} is a {type(piece).__name__}"
        assert_close(piece, array, f"piece {number}")
        assert not np.shares_memory(piece, array), f"piece {number} is not a copy"
    assert len({id(piece.base) for piece in pieces}) == 1, "the pieces have several bases"
    base = pieces[0].base
    assert isinstance(base, Buffer), f"the base of the pieces is a {type(base).__name__}, expected a Buffer"
    same = [each() is piece for each, piece in zip(base.pieces, pieces, strict=True)]
    assert all(same), f"whether the Buffer's pieces are those: {same}"


def test_pieces_of_any_strides():
    """Arrays that are transposed or reversed are copied as they read."""
    arrays = [np.arange(6.0).reshape(2, 3).T, np.arange(4.0)[::-1]]
    for piece, array in zip(side_by_side(arrays), arrays, strict=True):
        assert_close(piece, array, "a piece")


def test_what_is_behind_the_pieces():
    """behind gives the whole memory of the pieces as one array (n,): what is written there stands in the pieces."""
    arrays = arrays_of()
    pieces = side_by_side(arrays)
    whole = behind(pieces)
    assert type(whole) is np.ndarray, f"behind gives {type(whole).__name__}"
    assert_close(whole, np.concatenate([each.ravel() for each in arrays]), "the whole buffer")
    whole += 1
    for number, (piece, array) in enumerate(zip(pieces, arrays, strict=True)):
        assert_close(piece, array + 1, f"piece {number}, after 1 was added to the whole")


def test_only_the_pieces_themselves_have_something_behind():
    """behind is None for any other list: a part, another order, a view, a copy, strangers, None, nothing at all."""
    pieces = side_by_side(arrays_of())
    others = side_by_side(arrays_of())
    lists = {
        "a part": pieces[:-1],
        "another order": pieces[::-1],
        "one of them twice": [pieces[0], pieces[0], *pieces[2:]],
        "a view of a piece": [pieces[0][:], *pieces[1:]],
        "a copy": [each.copy() for each in pieces],
        "pieces of two buffers": [pieces[0], *others[1:]],
        "strangers": arrays_of(),
        "None": [None] * len(pieces),
        "a None among them": [*pieces[:-1], None],
        "nothing": [],
    }
    for name, arrays in lists.items():
        assert behind(arrays) is None, f"behind gives something for {name}"


def test_a_buffer_dies_with_its_pieces():
    """When the pieces are gone, so is their memory, without the garbage collector."""
    pieces = side_by_side(arrays_of())
    buffer = weakref.ref(pieces[0].base)
    gc.disable()
    try:
        del pieces
        assert buffer() is None, "the buffer is still there: does it hold its pieces, which hold it?"
    finally:
        gc.enable()


def test_zeros_side_by_side():
    """zeros_side_by_side gives zeros for each array, as pieces of one buffer. Several dtypes are handed back."""
    arrays = arrays_of()
    pieces = zeros_side_by_side(arrays)
    for number, (piece, array) in enumerate(zip(pieces, arrays, strict=True)):
        assert_close(piece, np.zeros_like(array), f"array {number}")
    assert behind(pieces) is not None, "they are not the pieces of a buffer"
    assert zeros_side_by_side([]) is NotImplemented, "no array"
    mixed = [np.ones(2), np.ones(2, np.float32)]
    assert zeros_side_by_side(mixed) is NotImplemented, "two dtypes"


# Moving an optimizer


@every_recipe
def test_flatten_keeps_parameters_and_state(recipe):
    """flatten(optimizer) changes no number: parameters stay the same Tensors, and their state what it was."""
    params, optimizer = make(recipe)
    walk(optimizer, params, range(2))
    values = [each.data.copy() for each in params]
    state, options = copy.deepcopy(optimizer.state_dict()["state"]), optimizer.state_dict()["param_groups"]
    flatten(optimizer)
    for number, (p, value) in enumerate(zip(params, values, strict=True)):
        assert_close(p, value, f"parameter {number}")
        assert optimizer.param_groups[0]["params"][number] is p, f"parameter {number} is another Tensor"
    assert_equal(optimizer.state_dict()["param_groups"], options, "the options")
    for number, names in state.items():
        for name, value in names.items():
            assert_close(
                np.asarray(optimizer.state[params[number]][name]),
                np.asarray(value),
                f"{name} of parameter {number}",
            )


def test_flatten_moves_parameters_and_state():
    """After flatten the parameters of a group are the pieces of a buffer, and so is each kind of their state."""
    params, optimizer = make("Adam")
    with disabled():
        walk(optimizer, params, range(2))
    flatten(optimizer)
    assert behind([each.data for each in params]) is not None, "the parameters are not side by side"
    for name in ("exp_avg", "exp_avg_sq"):
        assert behind(state_of(optimizer, params, name)) is not None, f"{name} is not side by side"


def test_state_that_is_made_later_is_flat_too():
    """State that begins after flatten is laid side by side from the first step on: Adam's comes from zeros_like_all."""
    params, optimizer = make("Adam")
    flatten(optimizer)
    walk(optimizer, params, range(2))
    for name in ("exp_avg", "exp_avg_sq"):
        assert behind(state_of(optimizer, params, name)) is not None, f"{name} is not side by side"


def test_each_group_has_a_buffer():
    """Each group has its own buffer, so that its options move it alone, and groups may have different dtypes."""
    a, b, c = (Parameter(np.ones(n, np.float32)) for n in (2, 3, 4))
    d = Parameter(np.ones(5))
    optimizer = Adam([{"params": [a, b]}, {"params": [c], "lr": 0.5}, {"params": [d]}], lr=0.1)
    flatten(optimizer)
    assert behind([a.data, b.data]) is not None and behind([c.data]) is not None, (
        "groups are not side by side"
    )
    walk(optimizer, [a, b, c, d], [0])
    assert_close(
        a, np.full(2, 0.9, np.float32) + np.array([0, 0], np.float32), "a parameter with lr 0.1", rtol=1e-4
    )
    assert_close(c.data[:2], np.full(2, 0.5, np.float32), "a parameter with lr 0.5", rtol=1e-4)


def test_parameters_of_two_dtypes_do_not_fit_one_buffer():
    """A group with several dtypes is a ValueError that names them, and nothing is moved."""
    a, b = Parameter(np.ones(2, np.float32)), Parameter(np.ones(2))
    first = Parameter(np.ones(3))
    optimizer = SGD([{"params": [first]}, {"params": [a, b]}], lr=0.1)
    before = first.data
    with raises(ValueError, "float32", "float64"):
        flatten(optimizer)
    assert first.data is before, "another group was moved"


def test_parameters_that_share_memory_are_not_torn_apart():
    """Two Parameters over one memory, in one group or two, are a ValueError with both shapes; nothing is moved."""
    array = np.ones((2, 3))
    a, b, c = Parameter(array), Parameter(array.T), Parameter(np.ones((2, 3)))
    for groups in ([a, c, b], [{"params": [a]}, {"params": [c, b]}]):
        with raises(ShapeError, (2, 3), (3, 2)):
            flatten(SGD(groups, lr=0.1))
        assert a.data is array, "a parameter was moved"


def test_parameters_may_lie_between_each_other():
    """Parameters that take turns in one memory, each its own entries, share nothing, and are laid side by side."""
    array = np.arange(8.0)
    a, b = Parameter(array[::2]), Parameter(array[1::2])
    flatten(SGD([a, b], lr=0.1))
    assert_close(behind([a.data, b.data]), np.array([0.0, 2, 4, 6, 1, 3, 5, 7]), "the buffer")


# Steps


def lists(shapes, dtype, like=arrays_of):
    return [like(shapes, dtype, seed) for seed in range(4)]


ADAM = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}
SGD_OPTIONS = {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "nesterov": False, "weight_decay": 0.1}
ROUNDING = {np.float32: {"rtol": 4e-6, "atol": 1e-7}, np.float64: {"rtol": 1e-14, "atol": 1e-15}}
few_shapes = st.lists(st.lists(st.integers(0, 3), max_size=3).map(tuple), min_size=1, max_size=4)


def test_gradients_are_gathered():
    """gathered gives one new array of all gradients; None where a dtype or shape is not its parameter's."""
    for dtype in (np.float64, np.float32):
        g, p = arrays_of(dtype=dtype, seed=1), arrays_of(dtype=dtype)
        with unchanged(*g):
            whole = gathered(g, p)
            assert_close(whole, np.concatenate([each.ravel() for each in g]), "the gathered gradients")
            whole += 1
    assert gathered([each.astype(np.float64) for each in g], p) is None, "gradients in float64"
    assert gathered([g[0].T, *g[1:]], p) is None, "a gradient of another shape"


def test_blocks_cover_everything():
    """blocks gives the same slices of each array, of BLOCK entries at most; together they are the arrays."""
    n = 2 * flat.BLOCK + 3
    a, b = np.arange(n), -np.arange(n)
    pieces = list(blocks(a, b))
    assert max(len(one) for one, _ in pieces) <= flat.BLOCK, "a block is too long"
    assert_equal(np.concatenate([one for one, _ in pieces]).tolist(), a.tolist(), "the blocks of a")
    assert_equal(np.concatenate([one for _, one in pieces]).tolist(), b.tolist(), "the blocks of b")
    assert np.shares_memory(pieces[0][0], a), "a block is a copy: what is written into it is lost"


@given(
    shapes=few_shapes,
    dtype=st.sampled_from([np.float32, np.float64]),
    decoupled=st.booleans(),
    step=st.integers(1, 9),
)
def test_adam_moves_all_together(shapes, dtype, decoupled, step):
    """adam_flat moves parameters and averages as adam_update does, to the rounding of one operation."""
    p, g, m, v = lists(shapes, dtype)
    v = [np.asarray(np.abs(each)) for each in v]
    expected = [[each.copy() for each in arrays] for arrays in (p, m, v)]
    mine = [side_by_side(arrays) for arrays in (p, m, v)]
    options = {**ADAM, "decoupled": decoupled}
    with no_warnings(), unchanged(*g):
        result = adam_flat(mine[0], g, mine[1], mine[2], [step] * len(shapes), **options)
        assert result is None, f"adam_flat gives {result}"
        with disabled():
            adam_update(expected[0], g, expected[1], expected[2], [step] * len(shapes), **options)
    for name, one, other in zip(("params", "exp_avgs", "exp_avg_sqs"), mine, expected, strict=True):
        for number, (array, right) in enumerate(zip(one, other, strict=True)):
            assert_close(array, right, f"{name}[{number}]", **ROUNDING[dtype])


@given(
    shapes=few_shapes,
    dtype=st.sampled_from([np.float32, np.float64]),
    nesterov=st.booleans(),
    first=st.booleans(),
    weight_decay=st.sampled_from([0.0, 0.1]),
)
def test_sgd_moves_all_together(shapes, dtype, nesterov, first, weight_decay):
    """sgd_flat moves parameters and momentum as sgd_update does, to rounding; the first buffers are the gradients."""
    p, g, m, _ = lists(shapes, dtype)
    options = {**SGD_OPTIONS, "weight_decay": weight_decay}
    if nesterov:
        options |= {"nesterov": True, "dampening": 0.0}
    right, buffers = [each.copy() for each in p], [None if first else each.copy() for each in m]
    mine, own = side_by_side(p), [None] * len(p) if first else side_by_side(m)
    with no_warnings(), unchanged(*g):
        result = sgd_flat(mine, g, own, **options)
        assert result is None, f"sgd_flat gives {result}"
        with disabled():
            sgd_update(right, g, buffers, **options)
    for name, one, other in (("params", mine, right), ("momentum_buffers", own, buffers)):
        for number, (array, expected) in enumerate(zip(one, other, strict=True)):
            assert_close(array, expected, f"{name}[{number}]", **ROUNDING[dtype])
    assert behind(own) is not None, "the buffers are not side by side"


def test_momentum_that_is_made_later_is_flat_too():
    """Momentum that begins after flatten is laid side by side from the first step on: it comes from sgd_flat."""
    params, optimizer = make("SGD with momentum")
    flatten(optimizer)
    walk(optimizer, params, range(2))
    assert behind(state_of(optimizer, params, "momentum_buffer")) is not None, "it is not side by side"


def test_a_buffer_longer_than_a_block():
    """A buffer of several blocks is moved to its end: every entry once."""
    n = 2 * flat.BLOCK + 17
    p, m, v = (side_by_side([np.zeros(n - 5), np.zeros(5)]) for _ in range(3))
    g = [np.ones(n - 5), np.ones(5)]
    adam_flat(p, g, m, v, [1, 1], lr=0.5, betas=(0.9, 0.99), eps=0.0, weight_decay=0.0, decoupled=False)
    assert_close(behind(p), np.full(n, -0.5), "the parameters")


def test_adam_hands_back_what_is_not_flat():
    """adam_flat gives NotImplemented, and has moved nothing, unless all three lists are flat and all steps equal."""
    p, g, m, v = lists(SHAPES, np.float32)
    flats = [side_by_side(each) for each in (p, m, v)]
    options, n = {**ADAM, "decoupled": False}, len(p)
    whole = [behind(each) for each in flats]
    with unchanged(*whole):
        for i, name in enumerate(("params", "exp_avgs", "exp_avg_sqs")):
            given = [[p, m, v][j] if i == j else flats[j] for j in range(3)]
            assert adam_flat(given[0], g, given[1], given[2], [1] * n, **options) is NotImplemented, name
        assert adam_flat(flats[0], g, flats[1], flats[2], [1] * (n - 1) + [2], **options) is NotImplemented, (
            "steps"
        )
        wide = [each.astype(np.float64) for each in g]
        assert adam_flat(flats[0], wide, flats[1], flats[2], [1] * n, **options) is NotImplemented, (
            "float64 gradients"
        )


def test_sgd_hands_back_what_is_not_flat():
    """sgd_flat gives NotImplemented, and has changed nothing, without momentum and unless both lists are flat."""
    p, g, m, _ = lists(SHAPES, np.float32)
    flats = [side_by_side(each) for each in (p, m)]
    whole = [behind(each) for each in flats]
    with unchanged(*whole):
        assert sgd_flat(p, g, flats[1], **SGD_OPTIONS) is NotImplemented, "params"
        assert sgd_flat(flats[0], g, m, **SGD_OPTIONS) is NotImplemented, "momentum_buffers"
        wide = [each.astype(np.float64) for each in g]
        assert sgd_flat(flats[0], wide, flats[1], **SGD_OPTIONS) is NotImplemented, "float64 gradients"
        some = [None, *flats[1][1:]]
        assert sgd_flat(flats[0], g, some, **SGD_OPTIONS) is NotImplemented, "some buffers are None"
        plain = {**SGD_OPTIONS, "momentum": 0.0}
        none = [None] * len(p)
        assert sgd_flat(flats[0], g, none, **plain) is NotImplemented, "no momentum"
        assert_equal(none, [None] * len(p), "the buffers without momentum")


# Nothing is lost


@every_recipe
def test_training_goes_the_same_way(recipe):
    """Five steps, flatten, five more: the parameters are where they would be without it."""
    params, optimizer = make(recipe)
    others, usual = make(recipe)
    with disabled():
        walk(usual, others, range(10))
    walk(optimizer, params, range(5))
    flatten(optimizer)
    walk(optimizer, params, range(5, 10))
    assert_same(params, others, f"after ten steps of {recipe}")


@every_recipe
def test_a_state_is_loaded_and_stays_flat(recipe):
    """A state can be loaded after flatten: training continues from it, with the state side by side again."""
    others, usual = make(recipe)
    with disabled():
        walk(usual, others, range(3))
    params, optimizer = make(recipe)
    flatten(optimizer)
    walk(optimizer, params, [7])
    for p, other in zip(params, others, strict=True):
        p.copy_(other.detach()) if not p.requires_grad else p.detach().copy_(other.detach())
    optimizer.load_state_dict(copy.deepcopy(usual.state_dict()))
    walk(optimizer, params, range(3, 6))
    with disabled():
        walk(usual, others, range(3, 6))
    assert_same(params, others, f"of {recipe}, after the state was loaded")
    assert behind([each.data for each in params]) is not None, "the parameters are no longer side by side"
    for name in ("momentum_buffer", "exp_avg", "exp_avg_sq"):
        if name in optimizer.state.get(params[0], {}):
            assert behind(state_of(optimizer, params, name)) is not None, (
                f"{name} is not side by side after loading"
            )


@every_recipe
def test_a_group_can_be_added(recipe):
    """add_param_group works after flatten: the new group moves, and flat as well once flatten is called again."""
    params, optimizer = make(recipe)
    others, usual = make(recipe)
    flatten(optimizer)
    new = [Parameter(each) for each in arrays_of([(3,), (2, 2)], seed=9)]
    new_others = [Parameter(each) for each in arrays_of([(3,), (2, 2)], seed=9)]
    optimizer.add_param_group({"params": new, "lr": 0.01})
    usual.add_param_group({"params": new_others, "lr": 0.01})
    walk(optimizer, params + new, range(2))
    flatten(optimizer)
    walk(optimizer, params + new, range(2, 4))
    with disabled():
        walk(usual, others + new_others, range(4))
    assert_same(params + new, others + new_others, f"of {recipe} with a second group")
    assert behind([each.data for each in new]) is not None, "the new group is not side by side"


@pytest.mark.parametrize("recipe", ["Adam", "SGD with momentum"])
def test_a_model_can_change_its_dtype(recipe):
    """After model.to(float64) the steps are right, although nothing is flat any more."""
    moved = []
    for flat_first in (True, False):
        model = Sequential(Linear(3, 2), Linear(2, 1))
        for n, p in enumerate(model.parameters()):
            p.data[...] = np.arange(p.data.size).reshape(p.shape) + n
        params = list(model.parameters())
        optimizer = getattr(optimizers, recipe.split()[0])(params, **RECIPES[recipe])
        if flat_first:
            flatten(optimizer)
        model.to(np.float64)
        walk(optimizer, params, range(3))
        assert all(p.dtype == np.float64 for p in params), [str(p.dtype) for p in params]
        moved.append(params)
    assert_same(*moved, "in float64")


def test_a_parameter_without_a_gradient_stays():
    """A parameter without a gradient is skipped after flatten as before; the others move, and it joins them later."""
    for recipe in ("Adam", "SGD with momentum"):
        runs = []
        for flat_first in (True, False):
            params, optimizer = make(recipe)
            if flat_first:
                flatten(optimizer)
            walk(optimizer, params, [0])
            for p in params:
                p.grad = Tensor(np.ones_like(p.data))
            params[1].grad = None
            before = params[1].data.copy()
            optimizer.step()
            assert_close(params[1], before, "a parameter without a gradient")
            walk(optimizer, params, [2])
            runs.append(params)
        assert_same(*runs, f"of {recipe}")


class Tied(Module):
    def __init__(self):
        self.first = Linear(2, 2)
        self.second = Linear(2, 2)
        self.second.weight = self.first.weight


def test_a_model_is_saved_and_copied_as_before():
    """state_dict, load_state_dict, deepcopy and pickle work on a flattened model; tied weights stay tied."""
    model = Tied()
    optimizer = Adam(model.parameters(), lr=0.1)
    flatten(optimizer)
    walk(optimizer, list(model.parameters()), [0])
    assert model.second.weight is model.first.weight, "tied weights were torn apart"
    state = {name: value.data.copy() for name, value in model.state_dict().items()}
    twin = copy.deepcopy(model)
    assert not np.shares_memory(twin.first.weight.data, model.first.weight.data), "a deepcopy shares memory"
    back = pickle.loads(pickle.dumps(model.first.bias.data))
    assert_close(back, model.first.bias.data, "a pickled parameter")
    assert_equal(
        len(pickle.dumps(model.first.bias.data)), len(pickle.dumps(model.first.bias.data.copy())), "bytes"
    )
    walk(optimizer, list(model.parameters()), [1])
    for name, value in twin.state_dict().items():
        assert_close(value, state[name], f"{name} of the copy, after a step of the model")
    model.load_state_dict(twin.state_dict())
    for name, value in model.state_dict().items():
        assert_close(value, state[name], f"{name} after load_state_dict")
    assert behind([p.data for p in model.parameters()]) is not None, "load_state_dict moved the parameters"


def test_many_small_parameters_move_faster():
    """A step of AdamW on 100 parameters of 12 numbers is at least 2.5 times faster flat than one by one."""
    shapes = [(3, 4)] * 100
    params, optimizer = make("AdamW", shapes)
    others, usual = make("AdamW", shapes)
    flatten(optimizer)
    gradients = [Tensor(each) for each in arrays_of(shapes, seed=1)]
    for p, other, g in zip(params, others, gradients, strict=True):
        p.grad = other.grad = g

    def one_by_one():
        with disabled():
            usual.step()

    optimizer.step()
    one_by_one()
    assert_same(params, others, "after one step")
    speedup(optimizer.step, one_by_one, 2.5, check=lambda *_: None, what="a flat step", baseline="one by one")
