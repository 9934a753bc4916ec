"""Kata 02 beside PyTorch: value, dtype and shape, at the edges too."""

import itertools
import operator

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from tinytorch import tensor as make  # noqa: E402
from tinytorch.tensor import (  # noqa: E402
    Tensor,
    abs,
    add,
    amax,
    amin,
    arange,
    argmax,
    argsort,
    broadcast_shapes,
    clamp,
    cos,
    cumsum,
    div,
    eq,
    erf,
    exp,
    eye,
    floor_divide,
    full,
    full_like,
    isnan,
    linspace,
    log,
    log1p,
    lt,
    masked_fill,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    pow,
    promote_types,
    remainder,
    sign,
    sin,
    sqrt,
    sub,
    sum,
    tanh,
    var,
    where,
    zeros,
)

INF, NAN = float("inf"), float("nan")
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
EDGES = np.array([-INF, -1e30, -2.5, -1, -0.0, 0.0, 1e-20, 0.5, 1, 3, 1e30, INF, NAN], np.float32)


def same(ours, theirs, rtol=1e-6):
    """The same shape, dtype and values; a float32 may differ in its last digits."""
    array = ours.data
    assert array.shape == tuple(theirs.shape)
    assert str(array.dtype) == str(theirs.dtype).removeprefix("torch.")
    if array.dtype == np.float16:
        rtol = 2e-3
    np.testing.assert_allclose(array, theirs.numpy(), rtol=rtol, atol=0)


def both(array):
    return Tensor(array), torch.from_numpy(array.copy())


# Creation


@pytest.mark.parametrize(
    "data",
    [2.5, 3, True, [], [[], []], [1, 2.5], [True, 2], [[1], [2]], np.ones(2), np.float64(1), np.int8(3)],
)
def test_tensor_of(data):
    same(make(data), torch.tensor(data))


@pytest.mark.parametrize("bounds", [(4,), (0,), (2, 5), (5, 0, -2), (0, 1, 0.25), (2.5,), (-1.5, 2)])
def test_arange(bounds):
    same(arange(*bounds), torch.arange(*bounds))


def test_other_creation():
    same(linspace(-1, 2, 7), torch.linspace(-1, 2, 7))
    same(eye(3, 2), torch.eye(3, 2))
    same(zeros(0, 3), torch.zeros(0, 3))
    for value in (2.5, 3, True):
        same(full((2, 3), value), torch.full((2, 3), value))
        same(full_like(make([1, 2]), value), torch.full_like(torch.tensor([1, 2]), value))


@pytest.mark.parametrize(
    "array",
    [
        np.float32([1, 2]),
        np.array(3),
        np.float32(2),
        np.zeros((0, 3), np.float32),
        np.array([[1, 2], [3, 4]]),
    ],
)
def test_repr_of_round_numbers(array):
    array = np.asarray(array)
    assert repr(Tensor(array)) == repr(torch.from_numpy(array.copy()))


def test_strides():
    for array in (np.zeros((2, 3, 4)), np.zeros((2, 3, 4)).transpose(2, 0, 1), np.zeros(())):
        assert Tensor(array).stride() == torch.from_numpy(array).stride()
    assert zeros(2, 0, 3).stride() == torch.zeros(2, 0, 3).stride()


@pytest.mark.parametrize("shapes", [((2, 1), (3,)), ((1,), (0,)), ((4, 1, 2), (3, 1), ()), ()])
def test_broadcast_shapes(shapes):
    assert broadcast_shapes(*shapes) == tuple(torch.broadcast_shapes(*shapes))


# Promotion


@pytest.mark.parametrize("a, b", list(itertools.product(DTYPES, DTYPES)))
def test_promotion_of_every_pair(a, b):
    expected = torch.promote_types(getattr(torch, a), getattr(torch, b))
    assert f"torch.{promote_types(np.dtype(a), np.dtype(b))}" == str(expected)
    for shape_a, shape_b in itertools.product([(2,), ()], [(2,), ()]):
        x, tx = both(np.ones(shape_a, a))
        y, ty = both(np.ones(shape_b, b))
        for ours, theirs in ((add, torch.add), (mul, torch.mul), (div, torch.div), (eq, torch.eq)):
            same(ours(x, y), theirs(tx, ty))
        same(maximum(x, y), torch.maximum(tx, ty))
        mask, tmask = both(np.array([True, False]))
        same(where(mask, x, y), torch.where(tmask, tx, ty))


@pytest.mark.parametrize("number", [True, 2, 2.5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_promotion_with_python_numbers(dtype, number):
    x, tx = both(np.ones(2, dtype))
    mask, tmask = both(np.array([True, False]))
    for op in (operator.add, operator.mul, operator.truediv, operator.eq, operator.lt):
        same(op(x, number), op(tx, number))
    for op in (operator.add, operator.mul, operator.truediv):
        same(op(number, x), op(number, tx))
    same(where(mask, x, number), torch.where(tmask, tx, number))
    if dtype != "bool":
        same(clamp(x, min=number), torch.clamp(tx, min=number))
        same(x**number, tx**number)
        same(x // number, tx // number)
    if not (isinstance(number, float) and np.dtype(dtype).kind != "f"):
        same(masked_fill(x, mask, number), tx.masked_fill(tmask, number))


# Entry by entry


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", [add, sub, mul, div, floor_divide, remainder, pow, maximum, minimum, lt])
def test_two_inputs_at_the_edges(function):
    x, tx = both(EDGES[:, None].copy())
    y, ty = both(EDGES)
    same(function(x, y), getattr(torch, function.__name__)(tx, ty), rtol=1e-5)


@pytest.mark.parametrize("function", [floor_divide, remainder])
def test_integer_division_at_all_signs(function):
    x, tx = both(np.arange(-7, 8)[:, None])
    y, ty = both(np.array([-3, -2, -1, 1, 2, 3]))
    same(function(x, y), getattr(torch, function.__name__)(tx, ty))


@pytest.mark.parametrize("function", [exp, log, log1p, sqrt, tanh, erf, abs, neg, isnan])
@pytest.mark.parametrize(
    "array", [EDGES, np.array(1.0), np.zeros((0, 2), np.float16), np.array([0, 1, 3])], ids=str
)
def test_one_input(function, array):
    x, tx = both(array)
    same(function(x), getattr(torch, function.__name__)(tx), rtol=1e-5)


@pytest.mark.parametrize("function", [sin, cos, sign])
def test_one_finite_input(function):
    for array in (EDGES[2:10], np.array([0, 1, 3]), np.array([0.5, 3], np.float16)):
        x, tx = both(array)
        same(function(x), getattr(torch, function.__name__)(tx))


@pytest.mark.parametrize("bounds", [(-1, 1), (None, 0), (0, None), (2.0, 1.0), (-INF, INF)])
def test_clamp(bounds):
    x, tx = both(EDGES)
    same(clamp(x, *bounds), torch.clamp(tx, *bounds))


# Reductions


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dim", [None, 0, -1, (0, 1)], ids=str)
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("function", [sum, mean, var, amax, amin])
def test_reductions(function, dim, keepdim):
    name = function.__name__
    plain = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
    edged = np.array([[1, NAN, 2], [INF, 0, 1]], np.float32)
    for array in (plain, edged, plain.astype(np.float64)):
        x, tx = both(array)
        theirs = getattr(torch, name)
        everything = {} if name in ("amax", "amin") else {"dim": None}
        expected = theirs(tx, **everything | ({} if dim is None else {"dim": dim}), keepdim=keepdim)
        same(function(x, dim, keepdim=keepdim), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_reductions(dtype):
    x, tx = both(np.array([[1, 0, 1], [0, 1, 1]], dtype))
    same(sum(x, 1), tx.sum(1))
    same(cumsum(x, 0), tx.cumsum(0))
    same(amax(x, 0), tx.amax(0))
    same(argsort(x, 1, True), torch.argsort(tx, dim=1, descending=True, stable=True))
    if dtype != "bool":
        same(argmax(x, 1), tx.argmax(1))
        same(argmax(x, keepdim=True), tx.argmax(keepdim=True))


def test_reductions_without_entries_and_without_axes():
    x, tx = both(np.zeros((0, 3), np.float32))
    same(sum(x, 0), tx.sum(0))
    same(cumsum(x, 0), tx.cumsum(0))
    same(amax(x, 1), tx.amax(1))
    same(argsort(x), tx.argsort())
    with np.errstate(all="ignore"):
        same(mean(x, 0), tx.mean(0))
    x, tx = both(np.array(3.0, np.float32))
    for function in (sum, mean, amax, cumsum):
        same(function(x, 0), getattr(torch, function.__name__)(tx, 0))


def test_argsort_puts_nan_last():
    x, tx = both(np.array([3, NAN, 1, 3, -INF], np.float32))
    same(argsort(x), torch.argsort(tx, stable=True))
    same(argsort(x, descending=True), torch.argsort(tx, descending=True, stable=True))


@pytest.mark.filterwarnings("ignore:var")
@pytest.mark.parametrize("correction", [0, 1, 2, 3])
def test_var_without_degrees_of_freedom(correction):
    for entries in ([3.0, 1.0], [3.0], []):
        x, tx = both(np.array(entries, np.float32))
        same(var(x, correction=correction), tx.var(correction=correction))
