"""Kata 07 beside PyTorch: the gradient of everything, at ties and kinks too, and how graphs behave."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.parity.beside import compare, drawn
from tinytorch import activations, autograd as tape, layers, losses, optimizers
from tinytorch.dispatch import disabled
from tinytorch.tensor import (
    Tensor,
    abs,
    amax,
    amin,
    bmm,
    cat,
    clamp,
    clone,
    cos,
    cumsum,
    erf,
    exp,
    expand,
    flip,
    float64,
    floor_divide,
    gather,
    index_add,
    log,
    log1p,
    masked_fill,
    matmul,
    maximum,
    mean,
    minimum,
    neg,
    pad,
    permute,
    pow,
    remainder,
    reshape,
    sign,
    sin,
    sort,
    split,
    sqrt,
    squeeze,
    stack,
    sum,
    tanh,
    topk,
    transpose,
    tril,
    triu,
    unsqueeze,
    var,
    where,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # of overflow in a forward pass, and of .grad in PyTorch
INF, NAN = np.inf, np.nan


def floats(*shapes, seed=1, positive=False):
    made = drawn(*shapes, dtype=np.float32, seed=seed)
    return [np.abs(each) + np.float32(0.25) for each in made] if positive else made


# Every primitive, with a random upstream gradient -----------------------------------------------------------

PAIRS = [((), ()), ((3,), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4, 1, 3), (2, 1)), ((0, 3), (1, 3))]
BINARY = {
    "add": (lambda a, b: a + b, torch.add),
    "sub": (lambda a, b: a - b, torch.sub),
    "mul": (lambda a, b: a * b, torch.mul),
    "div": (lambda a, b: a / b, torch.div),
    "remainder": (remainder, torch.remainder),
    "pow": (pow, torch.pow),
    "maximum": (maximum, torch.maximum),
    "minimum": (minimum, torch.minimum),
}


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_gradients_over_broadcast_shapes(name, shapes):
    for one, other in (shapes, shapes[::-1]):
        compare(*BINARY[name], *floats(one, other, positive=name in ("div", "remainder", "pow")))


@pytest.mark.parametrize("condition", [(), (3,), (2, 1), (4, 1, 1)])
def test_where_over_broadcast_shapes(condition):
    mask = np.asarray(np.random.default_rng(0).random(condition) > 0.5)
    compare(where, torch.where, mask, *floats((2, 3), (1,)))
    fill = lambda f: lambda m, a: f(a, m, 2.0)  # noqa: E731
    compare(fill(masked_fill), fill(torch.masked_fill), mask, *floats((4, 2, 3)))


NUMBERS = {
    "+": lambda x: 2 + x + 0.5,
    "-": lambda x: 2 - x - 0.5,
    "*": lambda x: 2 * x * 0.5,
    "/": lambda x: 2 / x / 0.5,
    "%": lambda x: x % 0.4,
    "**": lambda x: x**3 + x**0.5 + x**-2.0 + x**0,
    "r**": lambda x: 2**x + 0.5**x + 0**x,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_gradients_beside_python_numbers(name):
    compare(NUMBERS[name], NUMBERS[name], *floats((2, 3), positive=True))


UNARY = {
    **{
        f.__name__: (f, getattr(torch, f.__name__))
        for f in (neg, exp, log, log1p, sqrt, sin, cos, tanh, erf, abs, sign, clone)
    },
    **{
        name: (getattr(activations, name), getattr(F, name))
        for name in ("relu", "sigmoid", "softplus", "silu", "gelu", "leaky_relu")
    },
    "gelu tanh": (lambda x: activations.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh")),
    "clamp": (lambda x: clamp(x, -0.5, 0.5), lambda x: torch.clamp(x, -0.5, 0.5)),
    "clamp below": (lambda x: clamp(x, 0.25), lambda x: torch.clamp(x, 0.25)),
    "clamp above": (lambda x: clamp(x, None, 0.25), lambda x: torch.clamp(x, None, 0.25)),
}


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4)])
@pytest.mark.parametrize("name", UNARY)
def test_gradients_of_functions_of_one_entry(name, shape):
    compare(*UNARY[name], *floats(shape, positive=name in ("log", "log1p", "sqrt")))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2), (-1, 1)])
@pytest.mark.parametrize("name", ["sum", "mean", "var", "amax", "amin"])
def test_gradients_of_reductions(name, dim, keepdim):
    mine = {"sum": sum, "mean": mean, "var": var, "amax": amax, "amin": amin}[name]
    theirs = getattr(torch, name)
    all_of_them = () if name.startswith("am") else None
    compare(
        lambda x: mine(x, dim, keepdim=keepdim),
        lambda x: theirs(x, all_of_them if dim is None else dim, keepdim=keepdim),
        *floats((2, 3, 4)),
    )


ROWS = np.array([1, 0, 1])
PLACES = np.array([[0, 2], [1, 1]])
MOVES = {
    "cumsum": (lambda x: cumsum(x, 1), lambda x: torch.cumsum(x, 1)),
    "reshape": (lambda x: reshape(x, (3, -1)), lambda x: x.reshape(3, -1)),
    "permute": (lambda x: permute(x, (2, -3, 1)), lambda x: x.permute(2, -3, 1)),
    "transpose": (lambda x: transpose(x, 0, -1), lambda x: x.transpose(0, -1)),
    "expand": (
        lambda x: expand(unsqueeze(x, 1), (5, 2, 6, -1, 4)),
        lambda x: x.unsqueeze(1).expand(5, 2, 6, -1, 4),
    ),
    "squeeze": (lambda x: squeeze(x[:, :1], 1), lambda x: x[:, :1].squeeze(1)),
    "flip": (lambda x: flip(x, (0, -1)), lambda x: x.flip((0, -1))),
    "cat": (lambda x: cat([x, x[:, :1], x * x], 1), lambda x: torch.cat([x, x[:, :1], x * x], 1)),
    "stack": (lambda x: stack([x[0], x[1], x[0]], 1), lambda x: torch.stack([x[0], x[1], x[0]], 1)),
    "split": (
        lambda x: split(x, [1, 3], 2)[1] * split(x, 1, 2)[0],
        lambda x: x.split([1, 3], 2)[1] * x.split(1, 2)[0],
    ),
    "pad": (lambda x: pad(x, (1, 2, 0, 3), value=5.0), lambda x: F.pad(x, (1, 2, 0, 3), value=5.0)),
    "tril": (lambda x: tril(x, 1), lambda x: torch.tril(x, 1)),
    "triu": (lambda x: triu(x, -1), lambda x: torch.triu(x, -1)),
    "sort": (lambda x: sort(x, 1)[0], lambda x: torch.sort(x, 1)[0]),
    "topk": (lambda x: topk(x, 2)[0], lambda x: torch.topk(x, 2)[0]),
    "gather": (
        lambda x: gather(x[0], 1, Tensor(PLACES)),
        lambda x: torch.gather(x[0], 1, torch.tensor(PLACES)),
    ),
    "an integer": (lambda x: x[1], lambda x: x[1]),
    "slices": (lambda x: x[:, 1:, ::2], lambda x: x[:, 1:, ::2]),
    "None and ...": (lambda x: x[..., None, 1], lambda x: x[..., None, 1]),
    "a place twice": (lambda x: x[:, Tensor(ROWS)], lambda x: x[:, torch.tensor(ROWS)]),
    "two arrays": (
        lambda x: x[Tensor(ROWS), :, Tensor(ROWS)],
        lambda x: x[torch.tensor(ROWS), :, torch.tensor(ROWS)],
    ),
    "booleans": (lambda x: x[x > 0], lambda x: x[x > 0]),
    "another dtype and back": (lambda x: x.to(float64) ** 2.0, lambda x: x.to(torch.float64) ** 2.0),
    "T": (lambda x: x[0].T, lambda x: x[0].T),
}


@pytest.mark.parametrize("name", MOVES)
def test_gradients_of_what_moves_entries(name):
    mine, theirs = MOVES[name]
    compare(lambda x: mine(x).to(np.float32), lambda x: theirs(x).to(torch.float32), *floats((2, 3, 4)))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gradients_of_index_add(dim):
    index = {0: ROWS, 1: np.array([2, 2]), -1: np.array([3, 0, 3])}[dim]
    shape = [2, 3, 4]
    shape[dim] = len(index)
    compare(
        lambda a, b: index_add(a, dim, Tensor(index), b),
        lambda a, b: torch.index_add(a, dim, torch.tensor(index), b),
        *floats((2, 3, 4), tuple(shape)),
    )


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((3,), (5, 3, 2)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((2, 0), (0, 3)),
    ],
    ids=str,
)
def test_gradients_of_products(shapes):
    compare(matmul, torch.matmul, *floats(*shapes))
    if len(shapes[0]) == len(shapes[1]) == 3:
        compare(bmm, torch.bmm, *floats(*shapes))


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_gradients_of_functions_of_a_row(name, dim):
    x = floats((3, 4))[0]
    x[0] *= 50
    mine, theirs = getattr(activations, name), getattr(torch, name)
    compare(lambda x: mine(x, dim), lambda x: theirs(x, dim), x)


# Ties, kinks, and what is not finite ----------------------------------------------------------------------------

SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, INF, -INF, 1e30, -1e30, 1e-30, 100.0, -100.0]


@pytest.mark.parametrize("given", [3.0, 0.0])
@pytest.mark.parametrize("name", UNARY)
def test_gradients_at_special_places(name, given):
    """-inf under a square root, a logarithm of 0, the kinks of abs, relu and clamp."""
    # where PyTorch computes several entries at once, its gelu(inf) is nan; one alone gives inf, as here
    places = [each for each in SPECIAL if not (name.startswith("gelu") and each == INF)]
    compare(*UNARY[name], np.array(places, np.float32), upstream=np.full(len(places), given))


# sign(nan) is nan here and 0 there
@pytest.mark.parametrize("name", [name for name in UNARY if name not in ("abs", "sign")])
def test_gradients_at_nan(name):
    compare(*UNARY[name], np.array([NAN, 1.0], np.float32), upstream=[3.0, 3.0])


@pytest.mark.parametrize("name", BINARY)
def test_gradients_of_pairs_of_special_numbers(name):
    """0**0, inf - inf, nan beside a number, ties of infinities: 256 pairs."""
    # PyTorch divides to find a remainder: where that overflows, it is nan
    numbers = [x for x in (*SPECIAL, NAN) if not (name == "remainder" and x in (1e30, -1e30))]
    a, b = np.array(list(itertools.product(numbers, repeat=2)), np.float32).T
    compare(*BINARY[name], a, b, upstream=np.full(len(a), 3.0))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, 0.0, 2.0, 1.5, -2.0])
def test_a_power_with_a_number_at_special_places(exponent):
    compare(lambda x: x**exponent, lambda x: x**exponent, np.array([*SPECIAL, NAN], np.float32))


@pytest.mark.parametrize("base", [0, 1, 2, 0.5, 0.0])
def test_a_power_of_a_number_at_special_places(base):
    compare(lambda x: base**x, lambda x: base**x, np.array([*SPECIAL, NAN], np.float32))


@pytest.mark.parametrize("dim", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize(
    "rows",
    [[[1, 1, 0], [2, 2, 2]], [[INF, INF, 1], [-INF, -INF, -INF]], [[NAN, 1, NAN], [1, 2, 3]]],
    ids=["ties", "inf", "nan"],
)
def test_extremes_share_at_a_tie(rows, dim):
    x, theirs = np.array(rows, np.float32), () if dim is None else dim
    compare(lambda x: amax(x, dim), lambda x: torch.amax(x, theirs), x)
    compare(lambda x: amin(x, dim), lambda x: torch.amin(x, theirs), x)


def test_sort_and_topk_at_a_tie():
    x = np.array([2.0, 1.0, 2.0, 1.0], np.float32)
    for down in (False, True):
        compare(
            lambda x, down=down: sort(x, -1, down)[0],
            lambda x, down=down: torch.sort(x, stable=True, dim=-1, descending=down)[0],
            x,
        )


WITH_INFINITY = {
    "where": (lambda x: where(x > 0, x, 1.0), lambda x: torch.where(x > 0, x, 1.0)),
    "maximum": (lambda x: maximum(x, 1.0), lambda x: torch.maximum(x, torch.tensor(1.0))),
    "minimum": (lambda x: minimum(x, -1.0), lambda x: torch.minimum(x, torch.tensor(-1.0))),
    "clamp": (lambda x: clamp(x, 0.0, 1.0), lambda x: torch.clamp(x, 0.0, 1.0)),
    "leaky_relu": (activations.leaky_relu, F.leaky_relu),
    "relu": (activations.relu, F.relu),
    "abs": (abs, torch.abs),
    "sqrt": (sqrt, torch.sqrt),
    "exp": (exp, torch.exp),
    "sigmoid": (activations.sigmoid, torch.sigmoid),
    "mul": (lambda x: x * 0.0, lambda x: x * 0.0),
    "tril": (lambda x: tril(x.reshape(2, 2)).reshape(4), lambda x: torch.tril(x.reshape(2, 2)).reshape(4)),
    "getitem": (lambda x: x[1:], lambda x: x[1:]),
}


@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("name", WITH_INFINITY)
def test_an_upstream_gradient_that_is_not_finite(name, x):
    given = [INF, -INF, NAN, 1.0][: 3 if name == "getitem" else 4]
    compare(*WITH_INFINITY[name], np.full(4, x, np.float32), upstream=given)


def test_the_well_known_trap_of_where():
    """0 times an infinite slope is nan: in both, a where after it does not help sqrt."""
    compare(
        lambda x: where(x > 0, sqrt(x), 0.0),
        lambda x: torch.where(x > 0, torch.sqrt(x), 0.0),
        np.array([-1.0, 0.0, 4.0], np.float32),
    )


@pytest.mark.parametrize("row", [[1.0, 1.0], [INF, 0.0], [-INF, -INF], [NAN, 1.0], [-INF, 0.0]])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_rows_that_are_not_finite(name, row):
    mine, theirs = getattr(activations, name), getattr(torch, name)
    compare(lambda x: mine(x, 0), lambda x: theirs(x, 0), np.array(row, np.float32))


# Graphs ---------------------------------------------------------------------------------------------------------


class Ours:
    """One vocabulary for both libraries: what a story needs."""

    no_grad, enable_grad = tape.no_grad, tape.enable_grad
    Function = tape.Function
    grad, exp, sum, sqrt = staticmethod(tape.grad), staticmethod(exp), staticmethod(sum), staticmethod(sqrt)
    relu, sigmoid = staticmethod(activations.relu), staticmethod(activations.sigmoid)
    softplus, where, cat = staticmethod(activations.softplus), staticmethod(where), staticmethod(cat)
    softmax = staticmethod(activations.softmax)

    @staticmethod
    def tensor(values, requires_grad=False):
        return Tensor(np.array(values, np.float32), requires_grad)


class Theirs:
    no_grad, enable_grad = torch.no_grad, torch.enable_grad
    Function = torch.autograd.Function
    grad, exp, sum, sqrt = torch.autograd.grad, torch.exp, torch.sum, torch.sqrt
    relu, sigmoid, softplus = torch.relu, torch.sigmoid, F.softplus
    where, cat, softmax = torch.where, torch.cat, torch.softmax

    @staticmethod
    def tensor(values, requires_grad=False):
        return torch.tensor(values, dtype=torch.float32, requires_grad=requires_grad)


def told(story, library):
    """What a story gives; an error counts by its type."""
    try:
        return story(library)
    except RuntimeError:
        return "RuntimeError"


def lists(*tensors):
    return [None if each is None else np.round(each.tolist(), 3).tolist() for each in tensors]


STORIES = {}


def story(function):
    STORIES[function.__name__.replace("_", " ")] = function
    return function


@story
def fan_out(L):
    x = L.tensor([0.5, 2.0], True)
    h = L.exp(x)
    y = h
    for _ in range(4):
        y = y * x + h
    L.sum(y + h * h).backward()
    return lists(x.grad)


@story
def diamonds(L):
    x = L.tensor(1.0, True)
    y = x
    for _ in range(30):
        y = y + y
    y.backward()
    return lists(x.grad)


@story
def accumulating(L):
    x = L.tensor([1.0, 2.0], True)
    x.grad = L.tensor([10.0, 10.0])
    for _ in range(3):
        L.sum(x * x).backward()
    return lists(x.grad)


@story
def retain_graph(L):
    x = L.tensor([1.0, 2.0], True)
    y = L.sum(L.exp(x) * x)
    y.backward(retain_graph=True)
    y.backward()
    return lists(x.grad)


@story
def a_second_backward(L):
    x = L.tensor([1.0, 2.0], True)
    y = L.sum(L.exp(x))
    y.backward()
    y.backward()


@story
def a_trunk_that_was_freed(L):
    h = L.exp(L.tensor(1.0, True))
    (h * 2.0).backward()
    L.exp(h).backward()


@story
def retain_grad(L):
    x = L.tensor([1.0, 2.0], True)
    y, z = x * 3.0, x * 5.0
    y.retain_grad()
    x.retain_grad()
    L.sum(y * y * z).backward(retain_graph=True)
    L.sum(y).backward()
    return lists(x.grad, y.grad, z.grad)


@story
def retain_grad_of_a_constant(L):
    L.tensor(1.0).retain_grad()


@story
def a_gradient_for_an_input_in_between_is_not_kept(L):
    x = L.tensor(2.0, True)
    y = x * 3.0
    (y * y).backward()
    return lists(x.grad, y.grad)


@story
def no_grad(L):
    x = L.tensor(3.0, True)
    with L.no_grad():
        y = x * x
        with L.enable_grad():
            z = x * x
    (x * y + z).backward()
    return [y.requires_grad, z.requires_grad, lists(x.grad)]


@story
def detach(L):
    x = L.tensor([3.0], True)
    y = x.detach()
    L.sum(x * y).backward()
    return [y.requires_grad, lists(x.grad, y.grad)]


@story
def leaves_without_gradients(L):
    x, constant, unused = L.tensor(1.0, True), L.tensor(5.0), L.tensor(1.0, True)
    (x * constant).backward()
    return lists(x.grad, constant.grad, unused.grad)


@story
def backward_from_a_constant(L):
    L.sum(L.tensor([1.0])).backward()


@story
def backward_from_a_leaf(L):
    x = L.tensor([[2.0]], True)
    x.backward()
    return lists(x.grad)


@story
def backward_from_several_entries(L):
    (L.tensor([1.0, 2.0], True) * 2.0).backward()


@story
def a_gradient_of_one_entry_too_few(L):
    (L.tensor([1.0], True) * 2.0).backward(L.tensor(1.0))


@story
def a_gradient_that_would_broadcast(L):
    (L.tensor([1.0, 2.0], True) * 2.0).backward(L.tensor([1.0]))


@story
def nothing_flows_through_comparisons(L):
    x = L.tensor([1.0, 3.0], True)
    L.sum(x * (x > 2.0) * x.argmax()).backward()
    return lists(x.grad)


@story
def floor_division_has_no_gradient(L):
    x = L.tensor([5.0], True)
    y = x // 2.0
    assert y.requires_grad
    L.sum(y).backward()


@story
def frozen_weights(L):
    x, w = L.tensor([1.0, 2.0], True), L.tensor([3.0, 4.0], True)
    w.requires_grad_(False)
    L.sum(x * w).backward()
    return lists(x.grad, w.grad)


@story
def descent_in_place(L):
    x = L.tensor([3.0], True)
    for _ in range(3):
        x.grad = None
        L.sum(x * x).backward()
        with L.no_grad():
            x.sub_(x.grad * 0.25)
    return lists(x)


# grad()


@story
def grad_of_leaves_and_in_between(L):
    x, w = L.tensor(2.0, True), L.tensor(5.0, True)
    h = x * w
    found = L.grad(h * h * x, [h, x, w, x])
    return [lists(*found), lists(x.grad, w.grad, h.grad)]


@story
def grad_of_itself(L):
    x = L.tensor(2.0, True)
    y = x * 3.0
    return lists(*L.grad(x, x), *L.grad(y, [y]))


@story
def grad_of_several_outputs(L):
    x = L.tensor([1.0, 2.0], True)
    y = x * x
    return lists(*L.grad([y, L.sum(x), y], x, [L.tensor([1.0, 10.0]), None, L.tensor([1.0, 1.0])]))


@story
def grad_of_an_unused_input(L):
    x, other = L.tensor(2.0, True), L.tensor(2.0, True)
    return lists(*L.grad(x * x, [x, other]))


@story
def grad_allows_unused(L):
    x, other = L.tensor(2.0, True), L.tensor(2.0, True)
    side = x * 5.0
    return lists(*L.grad(x * x, [other, x, side], allow_unused=True))


@story
def grad_of_a_constant(L):
    x, constant = L.tensor(2.0, True), L.tensor(2.0)
    L.grad(x * constant, [x, constant], allow_unused=True)


@story
def grad_frees(L):
    x = L.tensor(2.0, True)
    y = L.exp(x)
    L.grad(y, x)
    y.backward()


@story
def grad_retains(L):
    x = L.tensor(2.0, True)
    y = L.exp(x)
    L.grad(y, x, retain_graph=True)
    y.backward()
    return lists(x.grad)


@story
def a_gradient_is_not_differentiable(L):
    x = L.tensor(2.0, True)
    (found,) = L.grad(x * x * x, x)
    return [found.requires_grad, found.grad_fn]


# In place


@story
def a_leaf_in_place(L):
    L.tensor([1.0], True).add_(1.0)


@story
def a_leaf_in_place_without_recording(L):
    x = L.tensor([1.0], True)
    y = L.sum(x * x)
    with L.no_grad():
        x.add_(1.0)
    y.backward()


@story
def a_view_in_place(L):
    x, w = L.tensor([1.0, 2.0], True), L.tensor([3.0, 4.0])
    y = L.sum(x * w)
    w[:1].fill_(7.0)
    y.backward()


@story
def a_detached_one_in_place(L):
    x = L.tensor([1.0, 2.0], True)
    y = L.sum(x * x)
    x.detach().zero_()
    y.backward()


@story
def in_place_before_it_is_used(L):
    x, w = L.tensor([1.0, 2.0], True), L.tensor([3.0, 4.0])
    w.add_(1.0)
    L.sum(x * w).backward()
    return lists(x.grad)


@story
def an_index_array_makes_a_copy(L):
    x, w = L.tensor([1.0, 2.0], True), L.tensor([3.0, 4.0])
    y = L.sum(x * w)
    w[[0, 1]].fill_(7.0)
    y.backward()
    return lists(x.grad)


# Function


def cube(L):
    class Cube(L.Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            ctx.scale = scale
            return scale * x * x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False)
            return grad * 3 * ctx.scale * x * x, None

    return Cube


@story
def a_function(L):
    x = L.tensor([1.0, 2.0], True)
    y = cube(L).apply(x * 2.0, 10.0)
    L.sum(y * y).backward()
    return [y.requires_grad, lists(x.grad)]


@story
def a_function_without_recording(L):
    with L.no_grad():
        first = cube(L).apply(L.tensor([1.0], True), 1.0)
    return [first.requires_grad, cube(L).apply(L.tensor([1.0]), 1.0).requires_grad]


@story
def a_function_whose_input_was_changed(L):
    x = L.tensor([1.0], True)
    h = x * 1.0
    y = cube(L).apply(h, 1.0)
    with L.no_grad():
        h.zero_()
    y.backward()


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_in_pytorch(name):
    assert told(STORIES[name], Ours) == told(STORIES[name], Theirs)


# What is needed on the way back, and must not change until then: letters for the first input, the second, the output.
NEEDED = {
    "add": (lambda L, a, b: a + b, ""),
    "sub": (lambda L, a, b: a - b, ""),
    "mul": (lambda L, a, b: a * b, "ab"),
    "remainder": (lambda L, a, b: a % b, "ab"),
    "pow": (lambda L, a, b: a**b, "abo"),
    "pow of a number": (lambda L, a, b: 2.0**a, "ao"),
    "neg": (lambda L, a, b: -a, ""),
    **{name: (lambda L, a, b, name=name: getattr(a, name)(), "o") for name in ("exp", "sqrt", "tanh")},
    **{
        name: (lambda L, a, b, name=name: getattr(a, name)(), "a")
        for name in ("log", "log1p", "sin", "cos", "erf", "abs")
    },
    "sign": (lambda L, a, b: a.sign(), ""),
    "maximum": (lambda L, a, b: a.maximum(b), "ab"),
    "minimum": (lambda L, a, b: a.minimum(b), "ab"),
    "clamp": (lambda L, a, b: a.clamp(0.0, 2.5), "a"),
    "where": (lambda L, a, b: L.where(a > 2.0, a, b), ""),
    "sum": (lambda L, a, b: a.sum(), ""),
    "amax": (lambda L, a, b: a.amax(), "ao"),
    "amin": (lambda L, a, b: a.amin(), "ao"),
    "cumsum": (lambda L, a, b: a.cumsum(0), ""),
    "bmm": (lambda L, a, b: a.reshape(1, 2) @ b.reshape(2, 1), "ab"),
    "views": (lambda L, a, b: a[None, 1:].reshape(1, 1).permute(1, 0), ""),
    "expand": (lambda L, a, b: a.expand(3, 2) + 0.0, ""),
    "getitem": (lambda L, a, b: a[[0, 0]], ""),
    "cat": (lambda L, a, b: L.cat([a, b]), ""),
    "clone": (lambda L, a, b: a.clone(), ""),
    "sigmoid": (lambda L, a, b: L.sigmoid(a), "o"),
    "softplus": (lambda L, a, b: L.softplus(a), "a"),
    "softmax": (lambda L, a, b: L.softmax(a, 0), "o"),
}


@pytest.mark.parametrize("name", NEEDED)
def test_changes_in_place_are_noticed_in_the_same_cases(name):
    operation, needed = NEEDED[name]
    for L in (Ours, Theirs):
        noticed = ""
        for place, letter in enumerate("abo"):
            a, b = L.tensor([2.0, 3.0], True) * 1.0, L.tensor([4.0, 5.0], True) * 1.0
            out = operation(L, a, b)
            total = L.sum(out)
            with L.no_grad():
                (a, b, out)[place].zero_()
            try:
                total.backward()
            except RuntimeError:
                noticed += letter
        assert noticed == needed, L.__name__


# What is known to differ, as docs/assumptions.md says it

DIFFERENT = {}


def different(ours, theirs):
    def register(function):
        DIFFERENT[function.__name__.replace("_", " ")] = function, ours, theirs
        return function

    return register


@different("RuntimeError", [[2.0]])
def a_second_backward_where_nothing_was_saved(L):
    x = L.tensor([1.0], True)
    y = L.sum(x + 1.0)
    y.backward()
    y.backward()
    return lists(x.grad)


@different("RuntimeError", [7.389])
def grad_frees_what_lies_below_its_inputs(L):
    x = L.tensor(2.0, True)
    h = L.exp(x)
    L.grad(h * h, h)
    h.backward()
    return lists(x.grad)


@different([[1.0], [2.0]], [[2.0], [2.0]])
def grad_is_another_tensor_after_each_backward(L):
    x = L.tensor([1.0], True)
    L.sum(x).backward()
    first = x.grad
    L.sum(x).backward()
    return lists(first, x.grad)


@different([[1.0, 2.0]], [[7.0, 2.0]])
def an_entry_is_a_copy(L):
    x = L.tensor([1.0, 2.0])
    x[0].fill_(7.0)
    return lists(x)


@different([0.0, 0.0, 2.0], "RuntimeError")
def grad_takes_any_shape(L):
    x = L.tensor([1.0], True)
    x.grad = L.tensor([0.0, 0.0, 2.0])
    return x.grad.tolist()


@different([False, None], "RuntimeError")
def what_was_computed_can_be_frozen(L):
    x = L.tensor([1.0], True)
    y = x * 2.0
    y.requires_grad_(False)
    return [y.requires_grad, *lists(x.grad)]


@different("RuntimeError", [[3.0]])
def an_input_is_kept_for_a_gradient_that_nobody_wants(L):
    x = L.tensor([1.0], True)
    h = x * 1.0
    y = L.sum(h * 3.0)
    with L.no_grad():
        h.zero_()
    y.backward()
    return lists(x.grad)


@different("RuntimeError", [[2.0]])
def relu_keeps_its_input(L):
    x = L.tensor([1.0], True)
    h = x * 2.0
    y = L.sum(L.relu(h))
    with L.no_grad():
        h.zero_()
    y.backward()
    return lists(x.grad)


@different([None], [[1.0]])
def no_gradient_is_filled_after_an_error(L):
    x, z, w = L.tensor([2.0], True), L.tensor([2.0], True), L.tensor([3.0])
    y = L.sum(L.exp(x * w) + z)
    w.add_(1.0)
    with pytest.raises(RuntimeError):
        y.backward()
    return lists(z.grad)


@different([NAN, NAN], [0.0, 0.0])
def abs_at_nan_and_the_sign_of_it(L):
    x = L.tensor([NAN], True)
    L.sum(x.abs()).backward()
    return [x.grad.item(), x.detach().sign().item()]


@different([INF, 0.0], [-INF, NAN])
def a_power_of_one_half_is_no_square_root(L):
    x = L.tensor([-0.0, -INF], True)
    L.sum(x**0.5).backward()
    return x.grad.tolist()


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_is_known_to_differ_still_does(name):
    """Each is a line of docs/assumptions.md, about compositions: remove the line when the two agree."""
    function, mine, theirs = DIFFERENT[name]
    with disabled():  # a kernel may keep other arrays
        ours = told(function, Ours)
    np.testing.assert_equal([ours, told(function, Theirs)], [mine, theirs])


def test_gradients_are_not_differentiable():
    x = Ours.tensor(2.0, True)
    with pytest.raises(TypeError, match="create_graph"):
        tape.grad(x * x, x, create_graph=True)
    assert tape.grad(x * x, x)[0].grad_fn is None


# Losses, and a model --------------------------------------------------------------------------------------------

X = np.array([[0.5, -2.0, 3.0], [1.0, 0.25, -0.75], [40.0, -40.0, 0.0]], np.float32)
TARGET = np.array([[0.0, 1.0, 0.5], [1.0, 0.25, 0.0], [1.0, 1.0, 0.0]], np.float32)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits"])
def test_losses_of_numbers(name, reduction):
    """For the target too: it is an input like any other."""
    mine, theirs = getattr(losses, name), getattr(F, name)
    compare(
        lambda x, y: mine(x, y, reduction=reduction),
        lambda x, y: theirs(x, y, reduction=reduction),
        X,
        TARGET,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "options", [{}, {"ignore_index": 2}, {"label_smoothing": 0.25}, {"weight": True}], ids=str
)
def test_losses_of_classes(options, reduction):
    options, weight = {**options, "reduction": reduction}, np.array([1.0, 2.0, 0.5], np.float32)
    weighted, classes = options.pop("weight", False), np.array([2, 0, 1])

    def loss(function, make):
        extra = {"weight": make(weight)} if weighted else {}
        return lambda x: function(x, make(classes), **options, **extra)

    compare(loss(losses.cross_entropy, Tensor), loss(F.cross_entropy, torch.tensor), X)
    if "label_smoothing" not in options:
        compare(loss(losses.nll_loss, Tensor), loss(F.nll_loss, torch.tensor), X)


def test_twenty_steps_of_adam_move_a_model_alike():
    def model(nn):
        return nn.Sequential(
            nn.Linear(4, 8),
            nn.GELU(),
            nn.Linear(8, 8),
            nn.Tanh(),
            nn.Linear(8, 8),
            nn.ReLU(),
            nn.Linear(8, 3),
        )

    torch.manual_seed(0)
    mine, theirs = model(layers), model(torch.nn)
    mine.load_state_dict({name: Tensor(value.numpy().copy()) for name, value in theirs.state_dict().items()})
    movers = (
        optimizers.Adam(mine.parameters(), lr=0.01),
        torch.optim.Adam(theirs.parameters(), lr=0.01),
    )
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.standard_normal((16, 4)).astype(np.float32), rng.integers(0, 3, 16)
        totals = (
            losses.cross_entropy(mine(Tensor(x)), Tensor(y)),
            F.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y)),
        )
        for mover, total in zip(movers, totals, strict=True):
            mover.zero_grad()
            total.backward()
            mover.step()
        assert totals[0].item() == pytest.approx(totals[1].item(), rel=1e-4)
    for (name, p), q in zip(mine.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-3, atol=1e-4, err_msg=name)


def test_gradcheck_says_the_same():
    def beside(function, *arrays):
        mine = [Tensor(each.copy(), requires_grad=True) for each in arrays]
        theirs = [torch.tensor(each, requires_grad=True) for each in arrays]
        return (
            tape.gradcheck(lambda *x: function(Ours, *x), mine, raise_exception=False),
            torch.autograd.gradcheck(lambda *x: function(Theirs, *x), theirs, raise_exception=False),
        )

    x, w = np.random.default_rng(0).standard_normal((2, 3)), np.random.default_rng(1).random((3, 1)) + 0.5
    assert beside(lambda L, x, w: L.exp(x @ w) * L.sqrt(w).sum(), x, w) == (True, True)
    assert beside(lambda L, x: x * x.detach(), x) == (False, False)


def test_floor_divide_is_recorded_and_has_no_rule():
    out = floor_divide(Ours.tensor([5.0], True), 2.0)
    assert out.requires_grad and out.grad_fn.rule is None
