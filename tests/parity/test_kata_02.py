"""Kata 02 beside PyTorch: value, dtype and shape, at the edges too."""

import itertools
import operator

import numpy as np
import pytest
import torch

from tinytorch import tensor as make
from tinytorch.tensor import (
    Tensor,
    abs,
    add,
    amax,
    amin,
    arange,
    argmax,
    argsort,
    bmm,
    broadcast_shapes,
    cat,
    clamp,
    clone,
    concatenate,
    convert,
    cos,
    cumsum,
    div,
    eq,
    erf,
    exp,
    expand,
    eye,
    flip,
    float64,
    floor_divide,
    full,
    full_like,
    gather,
    index_add,
    isnan,
    linspace,
    log,
    log1p,
    lt,
    masked_fill,
    matmul,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    pad,
    permute,
    pow,
    promote_types,
    remainder,
    reshape,
    sign,
    sin,
    sort,
    split,
    sqrt,
    squeeze,
    stack,
    sub,
    sum,
    tanh,
    topk,
    transpose,
    tril,
    triu,
    unsqueeze,
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


# Shapes and products

SIX = np.arange(6, dtype=np.float32).reshape(2, 3)
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
ONES = np.arange(6, dtype=np.float32).reshape(1, 2, 1, 3)
EMPTY = np.zeros((0, 3), np.float32)
NUMBER = np.array(2, np.float32)


def several(results):
    """One result as a tuple of one."""
    return tuple(results) if isinstance(results, (tuple, list)) else (results,)


def same_all(ours, theirs):
    """The same results, one or several."""
    for one, other in zip(several(ours), several(theirs), strict=True):
        same(one, other)


def same_errors(ours, theirs):
    """Both calls are refused; where PyTorch raises an IndexError, so do we."""
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)) as expected:
        theirs()
    kind = IndexError if expected.type is IndexError else (RuntimeError, ValueError, IndexError, TypeError)
    with pytest.raises(kind):
        ours()


VIEWED = [
    *[(reshape, torch.reshape, SIX, (shape,)) for shape in [(3, 2), (-1,), (2, -1), (1, 2, 3, 1)]],
    (reshape, torch.reshape, SIX.T, ((2, 3),)),
    (reshape, torch.reshape, EMPTY, ((-1,),)),
    (reshape, torch.reshape, NUMBER, ((1, 1),)),
    (reshape, torch.reshape, NUMBER, ((),)),
    *[(permute, torch.permute, CUBE, (dims,)) for dims in [(2, 0, 1), (-1, 0, 1), (0, 1, 2)]],
    (permute, torch.permute, NUMBER, ((),)),
    *[(transpose, torch.transpose, CUBE, dims) for dims in [(0, 1), (0, -1), (-2, -1), (1, 1)]],
    *[(squeeze, torch.squeeze, ONES, (dim,)) for dim in [0, 1, 2, -2, -4, (0, 2), (0, 1)]],
    (squeeze, torch.squeeze, ONES, ()),
    (squeeze, torch.squeeze, NUMBER, (0,)),
    *[(unsqueeze, torch.unsqueeze, SIX, (dim,)) for dim in [0, 1, 2, -1, -2, -3]],
    (unsqueeze, torch.unsqueeze, NUMBER, (-1,)),
    *[(expand, torch.Tensor.expand, SIX, (shape,)) for shape in [(2, 3), (4, 2, 3), (-1, -1), (4, -1, -1)]],
    *[(expand, torch.Tensor.expand, SIX[:1], (shape,)) for shape in [(4, -1), (0, -1), (2, 5, 3)]],
    *[(expand, torch.Tensor.expand, NUMBER, (shape,)) for shape in [(2, 3), ()]],
    *[
        (split, torch.split, SIX, args)
        for args in [(1,), (2,), (5,), (2, 1), (1, -1), ([1, 2], 1), ([0, 3], -1)]
    ],
    (split, torch.split, EMPTY, (2,)),
]


@pytest.mark.parametrize(("ours", "theirs", "array", "args"), VIEWED)
def test_views(ours, theirs, array, args):
    x, tx = Tensor(array), torch.from_numpy(array)
    results, expected = several(ours(x, *args)), several(theirs(tx, *args))
    same_all(results, expected)
    for one, other in zip(results, expected, strict=True):
        if one.data.size:
            assert one.stride() == other.stride()
            assert np.shares_memory(one.data, array) == np.shares_memory(other.numpy(), array)


@pytest.mark.parametrize(
    ("ours", "theirs", "array", "args"),
    [
        *[(reshape, torch.reshape, SIX, (shape,)) for shape in [(4, 2), (-1, -1), (4, -1), (), (0, -1)]],
        (reshape, torch.reshape, EMPTY, ((0, -1),)),
        *[(permute, torch.permute, CUBE, (dims,)) for dims in [(0, 1), (0, 0, 1), (0, 1, 3)]],
        *[(transpose, torch.transpose, SIX, dims) for dims in [(0, 2), (-3, 0)]],
        *[(squeeze, torch.squeeze, SIX, (dim,)) for dim in (2, -3)],
        (squeeze, torch.squeeze, NUMBER, (1,)),
        *[(unsqueeze, torch.unsqueeze, SIX, (dim,)) for dim in (3, -4)],
        *[
            (expand, torch.Tensor.expand, SIX, (shape,))
            for shape in [(2, 1), (3,), (-1, 2, 3), (4, 3), (2, 0)]
        ],
        *[
            (split, torch.split, SIX, args)
            for args in [(0,), (-1,), ([1, 1], 1), ([4, -1], 1), ([], 1), (1, 2)]
        ],
        (flip, torch.flip, SIX, ((2,),)),
        (flip, torch.flip, SIX, ((0, -2),)),
        *[(function, getattr(torch, function.__name__), SIX[0], ()) for function in (tril, triu)],
        *[(topk, torch.topk, SIX, (k,)) for k in (4, -1)],
        (pad, torch.nn.functional.pad, SIX, ((1,),)),
        (pad, torch.nn.functional.pad, SIX, ((1,) * 6,)),
    ],
)
def test_refusals(ours, theirs, array, args):
    x, tx = both(array)
    same_errors(lambda: ours(x, *args), lambda: theirs(tx, *args))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *[
            ((2, 3), (3, 2)),
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 2)),
            ((3,), (4, 3, 2)),
            ((4, 2, 3), (3,)),
        ],
        *[
            ((4, 2, 3), (3, 2)),
            ((2, 1, 2, 3), (4, 3, 1)),
            ((2, 0), (0, 3)),
            ((0,), (0,)),
            ((0, 2, 3), (3, 2)),
        ],
        *[((1, 3), (3,)), ((3,), (1, 3, 1))],
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_matmul(a, b, dtype):
    x, tx = both((np.arange(np.prod(a)) % 5).reshape(a).astype(dtype))
    y, ty = both((np.arange(np.prod(b)) % 7).reshape(b).astype(dtype))
    same(matmul(x, y), tx @ ty)
    same(x @ y, tx @ ty)
    if len(a) == len(b) == 3 and a[0] == b[0]:
        same(bmm(x, y), torch.bmm(tx, ty))


@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 3)), ((), (3,)), ((3,), (2,)), ((2, 2, 3), (3, 3, 2))])
def test_matmul_refusals(a, b):
    x, tx = both(np.ones(a, np.float32))
    y, ty = both(np.ones(b, np.float32))
    same_errors(lambda: matmul(x, y), lambda: tx @ ty)


# Joining, cutting, turning


@pytest.mark.parametrize("dims", [(0,), (-1,), (0, 1), ()])
def test_flip(dims):
    x, tx = both(SIX)
    same(flip(x, dims), torch.flip(tx, dims))


def test_joining():
    x, tx = both(SIX)
    y, ty = both(SIX.astype(np.int64) + 6)
    e, te = both(EMPTY)
    n, tn = both(NUMBER)
    for dim in (0, 1, -1, -2):
        same(cat([x, y, x], dim), torch.cat([tx, ty, tx], dim))
        same(concatenate(x, y, dim=dim), torch.cat([tx, ty], dim))
    for dim in (0, 1, 2, -1, -3):
        same(stack([x, x], dim), torch.stack([tx, tx], dim))
    same(cat([e, x]), torch.cat([te, tx]))
    same(stack([n, n]), torch.stack([tn, tn]))
    same_errors(lambda: cat([]), lambda: torch.cat([]))
    same_errors(lambda: cat([n, n]), lambda: torch.cat([tn, tn]))
    same_errors(lambda: cat([x, x.T]), lambda: torch.cat([tx, tx.T]))
    same_errors(lambda: cat([x, x], 2), lambda: torch.cat([tx, tx], 2))
    same_errors(lambda: stack([]), lambda: torch.stack([]))
    same_errors(lambda: stack([x, n]), lambda: torch.stack([tx, tn]))
    same_errors(lambda: stack([x, x], 3), lambda: torch.stack([tx, tx], 3))


@pytest.mark.parametrize("widths", [(1, 2), (0, 1, 2, 0), (0, 0), ()])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_pad(widths, dtype):
    x, tx = both(SIX.astype(dtype))
    same(pad(x, widths), torch.nn.functional.pad(tx, widths))
    same(pad(x, widths, value=1.0), torch.nn.functional.pad(tx, widths, value=1.0))


@pytest.mark.parametrize("diagonal", [0, 1, -1, 5, -5])
@pytest.mark.parametrize("array", [SIX, CUBE, CUBE > 3, np.full((2, 2), -INF, np.float32), EMPTY])
def test_triangles(array, diagonal):
    x, tx = both(array)
    same(tril(x, diagonal), torch.tril(tx, diagonal))
    same(triu(x, diagonal), torch.triu(tx, diagonal))


# Indexing

INDICES = [
    *[0, -1, slice(0, 0), slice(1, 9), slice(None, None, 2), (Ellipsis, 0), (None, 0), None, Ellipsis, ()],
    *[[0, 1], [1, 1, 0], ([0, 1], [1, 2]), (slice(None), [2, 0]), [True, False], (0, [1, 2]), [], (0, 1, 2)],
    *[([0], None, [1]), (slice(None), None), True, False],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_reading_and_writing(index):
    x, tx = both(CUBE)
    same(x[index], tx[index])
    x, tx = Tensor(CUBE.copy()), torch.from_numpy(CUBE.copy())
    x[index] = -1.5
    tx[index] = -1.5
    same(x, tx)


def test_indexing_by_tensors():
    x, tx = both(CUBE)
    rows, trows = both(np.array([1, 0, 1]))
    same(x[rows], tx[trows])
    same(x[:, rows], tx[:, trows])
    same(x[rows, :, rows], tx[trows, :, trows])
    same(x[x > 3], tx[tx > 3])
    same(x[make(1)], tx[torch.tensor(1)])
    for wrong in (2, -3, (0, 0, 0, 0), 1.5, [2]):
        same_errors(lambda wrong=wrong: x[wrong], lambda wrong=wrong: tx[wrong])
    for shape in [(2,), (3, 4, 1)]:
        y, ty = both(np.ones(shape, np.float32))
        same_errors(lambda y=y: x.__setitem__(0, y), lambda ty=ty: tx.__setitem__(0, ty))


@pytest.mark.parametrize(
    ("dim", "index"),
    [
        (1, [[0, 2], [1, 1]]),
        (0, [[0, 1, 1]]),
        (-1, [[0]]),
        (0, [[1, 0, 1]] * 4),
        (1, np.zeros((0, 0), np.int64)),
    ],
)
def test_gather(dim, index):
    x, tx = both(SIX)
    i, ti = both(np.array(index))
    same(gather(x, dim, i), torch.gather(tx, dim, ti))


@pytest.mark.parametrize(
    ("dim", "index"),
    [(1, [[0, 3]]), (1, [[0, -1]]), (1, [0]), (1, [[0]] * 3), (0, [[0] * 4]), (2, [[0]]), (1, [[0.5]])],
)
def test_gather_refusals(dim, index):
    x, tx = both(SIX)
    i, ti = both(np.array(index))
    same_errors(lambda: gather(x, dim, i), lambda: torch.gather(tx, dim, ti))


@pytest.mark.parametrize(
    ("dim", "index", "shape"),
    [(0, [0, 0, 1], (3, 3)), (1, [2, 2], (2, 2)), (-1, [2], (2, 1)), (0, [], (0, 3))],
)
def test_index_add(dim, index, shape):
    x, tx = both(SIX)
    i, ti = both(np.array(index, np.int64))
    s, ts = both(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    same(index_add(x, dim, i, s), torch.index_add(tx, dim, ti, ts))


@pytest.mark.parametrize(
    ("dim", "index", "shape"),
    [(0, [-1], (1, 3)), (0, [2], (1, 3)), (0, [1, 1], (1, 3)), (0, [1], (1, 2)), (2, [1], (1, 3))],
)
def test_index_add_refusals(dim, index, shape):
    x, tx = both(SIX)
    i, ti = both(np.array(index))
    s, ts = both(np.ones(shape, np.float32))
    same_errors(lambda: index_add(x, dim, i, s), lambda: torch.index_add(tx, dim, ti, ts))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_sort(dim, descending):
    for array in (
        np.array([[3, 1, 3, 2], [0, 5, 0, 5]], np.float32),
        np.array([[1, NAN, 3, NAN], [2, 1, NAN, 0]], np.float32),
        np.array([[3, 0, 255]], np.uint8),
        np.array([[True, False, True]]),
        np.zeros((2, 0), np.float32),
    ):
        x, tx = both(array)
        same_all(sort(x, dim, descending), torch.sort(tx, dim=dim, descending=descending, stable=True))


@pytest.mark.parametrize(("k", "dim"), [(0, -1), (1, 0), (2, 1), (4, -1), (2, 0)])
def test_topk(k, dim):
    x, tx = both(np.array([[3, 1, 4, 2], [0, 5, -1, 6]], np.float32))
    same_all(topk(x, k, dim), torch.topk(tx, k, dim))


# In place, copies, numbers


@pytest.mark.parametrize("name", ["add_", "sub_", "mul_", "div_", "copy_"])
def test_in_place(name):
    for array in (np.float32([1, 2, 4]), np.array(2, np.float32), np.ones((2, 3)), np.array([[2]])):
        x, tx = Tensor(SIX.copy()), torch.from_numpy(SIX.copy())
        y, ty = both(array)
        same(getattr(x, name)(y), getattr(tx, name)(ty))
        same(x, tx)
    for dtype, array in [
        ("float32", np.ones((4, 2, 3))),
        ("float32", np.ones(2)),
        ("int64", np.float32([1, 2, 3])),
    ]:
        if name != "copy_" or dtype != "int64":
            x, tx = Tensor(SIX.astype(dtype)), torch.from_numpy(SIX.astype(dtype))
            y, ty = both(array)
            same_errors(lambda x=x, y=y: getattr(x, name)(y), lambda tx=tx, ty=ty: getattr(tx, name)(ty))
            same(x, tx)


def test_filling():
    for dtype in ("float32", "int64", "bool"):
        x, tx = Tensor(SIX.astype(dtype)), torch.from_numpy(SIX.astype(dtype))
        same(x.fill_(2.75), tx.fill_(2.75))
        same(x.zero_(), tx.zero_())


def test_copies_and_conversions():
    x, tx = both(SIX)
    same(clone(x), torch.clone(tx))
    same(x.detach(), tx.detach())
    same(convert(x, dtype=float64), tx.to(torch.float64))
    for dtype in DTYPES:
        same(x.to(np.dtype(dtype)), tx.to(getattr(torch, dtype)))
    assert x.to("cpu") is x
    assert tx.to("cpu") is tx


@pytest.mark.parametrize(
    "array", [SIX, SIX[0], NUMBER, np.array([2]), np.array([[1.5]]), np.zeros(0)], ids=str
)
@pytest.mark.parametrize("function", [len, bool, float, int, range], ids=lambda f: f.__name__)
def test_protocols(function, array):
    x, tx = both(array)
    try:
        expected = function(tx)
    except (TypeError, ValueError, RuntimeError):
        same_errors(lambda: function(x), lambda: function(tx))
    else:
        assert function(x) == expected
