"""Many entries to one: sums, extremes, their places, running sums, mean and variance."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, assert_followed, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, dims, distinct, shapes, strided
from tinytorch import dispatch
from tinytorch.tensor import Tensor, amax, amin, argmax, argsort, cumsum, masked_fill, mean, sum, var


def reduce_by_hand(function, a, dim, keepdim):
    """`function` of the list of all entries that share a place once the axes `dim` are gone. Plain loops."""
    axes = (
        set(range(a.ndim))
        if dim is None
        else {d % max(a.ndim, 1) for d in ([dim] if isinstance(dim, int) else dim)}
    )
    kept = [1 if d in axes else side for d, side in enumerate(a.shape)]
    groups = {place: [] for place in np.ndindex(*kept)}
    for index in np.ndindex(a.shape):
        groups[tuple(0 if d in axes else i for d, i in enumerate(index))].append(a[index].item())
    out = np.array([function(group) for group in groups.values()], np.float64).reshape(kept)
    return out if keepdim else out.reshape([side for d, side in enumerate(kept) if d not in axes])


@st.composite
def array_and_dim(draw, min_dims=0, min_side=1):
    """An array, and the axes to reduce: None, one of them, or several, perhaps counted from the back."""
    a = draw(strided(shapes(min_dims=min_dims, min_side=min_side)))
    several = st.lists(st.integers(0, a.ndim - 1), min_size=1, unique=True) if a.ndim else st.nothing()
    return a, draw(st.none() | dims(a.ndim) | several.map(tuple) if a.ndim else st.none())


TABLE = np.array([[1, 2, 3], [4, 5, 6]], np.float32)

# Sums


def test_sum_of_everything():
    """sum() adds up all entries and gives a 0-d Tensor of the same dtype."""
    assert_close(sum(Tensor(TABLE)), np.array(21, np.float32), "sum(x)")
    assert_close(Tensor(TABLE.astype(np.float64)).sum(), np.array(21, np.float64), "x.sum() of float64")


def test_sum_of_rows():
    """sum(dim=1) adds up along axis 1, which vanishes: one number for each row; dim=-1 is the last axis."""
    assert_close(Tensor(TABLE).sum(dim=1), np.array([6, 15], np.float32), "x.sum(dim=1)")
    assert_close(Tensor(TABLE).sum(dim=0), np.array([5, 7, 9], np.float32), "x.sum(dim=0)")
    assert_close(Tensor(TABLE).sum(-1), np.array([6, 15], np.float32), "x.sum(-1)")


def test_sum_keeps_the_axis_if_asked():
    """With keepdim=True the reduced axis stays, with size 1, so that the result broadcasts against x."""
    assert_close(
        Tensor(TABLE).sum(1, keepdim=True), np.array([[6], [15]], np.float32), "sum(1, keepdim=True)"
    )
    assert_close(
        Tensor(TABLE).sum(None, keepdim=True), np.array([[21]], np.float32), "sum(None, keepdim=True)"
    )


@given(case=array_and_dim(min_side=0), keepdim=st.booleans())
@example(case=(TABLE, (0, 1)), keepdim=True)
@example(case=(np.zeros((0, 2), np.float32), 0), keepdim=False)
@example(case=(np.array(5, np.float32), (0,)), keepdim=False)
@example(case=(np.array(5, np.float32), (-1,)), keepdim=True)
def test_sum_over_any_axes(case, keepdim):
    """sum() takes one axis, several (a tuple or a list), or None for all; the sum of no entries is 0."""
    a, dim = case
    expected = reduce_by_hand(math.fsum, a, dim, keepdim).astype(np.float32)
    with unchanged(a):
        assert_close(sum(Tensor(a), dim, keepdim), expected, f"sum of shape {a.shape}, {dim=}, {keepdim=}")
    if isinstance(dim, tuple):
        assert_close(sum(Tensor(a), list(dim), keepdim), expected, "sum with dim as a list")


def test_sum_of_integers_is_int64():
    """Integers and booleans add up in int64, so that small ones do not overflow and True counts as 1."""
    assert_close(Tensor(np.array([100, 100], np.int8)).sum(), np.array(200), "the sum of int8")
    assert_close(Tensor(np.array([200, 100], np.uint8)).sum(), np.array(300), "the sum of uint8")
    assert_close(Tensor(np.array([2**30] * 4, np.int32)).sum(0), np.array(2**32), "the sum of int32")
    assert_close(Tensor(np.array([True, False, True])).sum(dim=0), np.array(2), "the sum of booleans")


def test_sum_keeps_its_digits():
    """The float32 sum of 100,000 rows is right to 1e-6: one after the other, they would get lost in the sum."""
    tenths = np.full((1000, 100, 2), 0.1, np.float32)
    expected = np.full(2, math.fsum(tenths[..., 0].ravel().tolist()), np.float32)
    assert_close(sum(Tensor(tenths.reshape(-1, 2)), 0), expected, "the sum of 100,000 rows of 0.1", rtol=1e-6)
    assert_close(sum(Tensor(tenths), (0, 1)), expected, "the same, over two axes", rtol=1e-6)
    falling = np.linspace(3, 1, 100_000, dtype=np.float32)
    columns = np.stack([falling, falling[::-1]])  # (2, 100_000), and in memory a column is a row
    exact = np.full(2, math.fsum(falling.tolist()), np.float32)
    assert_close(
        sum(Tensor(np.asfortranarray(columns)), 1), exact, "the sum of rows that lie apart", rtol=1e-6
    )


def test_sum_of_float16():
    """float16 knows no integer between 2048 and 2050: it adds up in float32, and the sum is float16 again."""
    ones = Tensor(np.ones((5000, 2), np.float16))
    assert_close(sum(ones, 0), np.full(2, 5000, np.float16), "the sum of 5,000 ones of float16")
    assert_close(sum(ones), np.array(10_000, np.float16), "the sum of 10,000 ones of float16")


@pytest.mark.parametrize("reduction", [sum, amax, argmax, cumsum], ids=lambda f: f.__name__)
def test_an_axis_that_is_not_there(reduction):
    """A dim outside the axes of x is an IndexError that shows it."""
    x = Tensor(np.array([[5.0, 5.0]]))
    assert_equal(reduction(x, 0).data.size, 2, "the number of entries left along axis 0")
    with raises(IndexError, 2):
        reduction(x, 2)


# Extremes


@given(case=array_and_dim(), keepdim=st.booleans())
@example(case=(np.array([[1, 5], [7, 2]], np.float32), 1), keepdim=False)
@example(case=(np.array([[1, 5], [7, 2]], np.float32), (0, 1)), keepdim=False)
def test_amax_and_amin_over_any_axes(case, keepdim):
    """amax() is the largest and amin() the smallest entry along the axes; dim and keepdim as for sum."""
    a, dim = case
    for reduction, oracle in ((amax, max), (amin, min)):
        expected = reduce_by_hand(oracle, a, dim, keepdim).astype(np.float32)
        what = f"{reduction.__name__} of shape {a.shape}, {dim=}, {keepdim=}"
        assert_close(reduction(Tensor(a), dim, keepdim), expected, what)
        if isinstance(dim, tuple):
            assert_close(reduction(Tensor(a), list(dim), keepdim), expected, f"{what}, with dim as a list")


@pytest.mark.parametrize("reduction", [amax, amin], ids=["amax", "amin"])
def test_amax_and_amin_keep_nan_and_dtype(reduction):
    """One nan makes the result nan, without a warning; integers keep their dtype."""
    rows = Tensor(np.array([[1, float("nan")], [2, 2]], np.float32))
    with no_warnings():
        assert_close(reduction(rows, dim=1), np.array([float("nan"), 2], np.float32), "with nan")
    assert_close(reduction(Tensor(np.array([3, 3], np.int8))), np.array(3, np.int8), "of int8")


def test_argmax_along_an_axis():
    """argmax(dim) is where the largest entry is along dim, int64; of equals it is the first; keepdim as for sum."""
    x = Tensor(np.array([[1, 5, 5], [7, 2, 3]], np.float32))
    assert_close(argmax(x, 1), np.array([1, 0]), "argmax(x, 1)")
    assert_close(x.argmax(dim=0), np.array([1, 0, 0]), "x.argmax(dim=0)")
    assert_close(x.argmax(dim=-1, keepdim=True), np.array([[1], [0]]), "x.argmax(dim=-1, keepdim=True)")


@given(a=distinct(shapes(min_side=1)))
@example(a=np.array([[1, 2, 3], [6, 5, 4]], np.float32))
def test_argmax_of_everything(a):
    """Without dim, argmax() is the place of the largest entry in the flattened Tensor."""
    entries = a.ravel().tolist()
    assert_close(argmax(Tensor(a)), np.array(entries.index(max(entries))), f"argmax of shape {a.shape}")


# Order


def test_argsort_of_a_row():
    """argsort() gives, int64, which entry comes first, second and so on; descending=True starts at the largest."""
    x = Tensor(np.array([30, 10, 40, 20], np.float32))
    assert_close(argsort(x), np.array([1, 3, 0, 2]), "argsort(x)")
    assert_close(x.argsort(descending=True), np.array([2, 0, 3, 1]), "x.argsort(descending=True)")
    assert_close(
        Tensor(np.array([[2, 1], [0, 3]])).argsort(dim=0), np.array([[1, 0], [0, 1]]), "argsort(dim=0)"
    )


@given(a=arrays(shapes(min_dims=1), np.int64), data=st.data(), descending=st.booleans())
@example(a=np.array([1, 0, 1, 0]), data=None, descending=True)
@example(a=np.arange(100) * 7 % 3, data=None, descending=False)
@example(a=np.arange(100) * 7 % 3, data=None, descending=True)
def test_argsort_keeps_the_order_of_equals(a, data, descending):
    """Entries that are equal keep their order, upwards and downwards, however many: the sort is stable."""
    dim = data.draw(dims(a.ndim), label="dim") if data else 0
    lines = np.moveaxis(a, dim, -1)
    expected = np.zeros(lines.shape, np.int64)
    for place in np.ndindex(lines.shape[:-1]):
        line = lines[place].tolist()
        expected[place] = sorted(range(len(line)), key=lambda i: -line[i] if descending else line[i])
    actual = argsort(Tensor(a), dim, descending)
    assert_close(actual, np.moveaxis(expected, -1, dim), f"argsort of shape {a.shape}, {dim=}, {descending=}")


@given(a=strided(shapes(min_dims=1)), data=st.data())
@example(a=TABLE, data=None)
def test_cumsum_is_the_sum_so_far(a, data):
    """Entry i of cumsum(x, dim) is the sum of entries 0 to i along dim; the shape stays."""
    dim = data.draw(dims(a.ndim), label="dim") if data else 1
    lines, expected = np.moveaxis(a, dim, -1), np.zeros(a.shape, np.float32)
    for place in np.ndindex(lines.shape):
        so_far = lines[place[:-1]][: place[-1] + 1]
        np.moveaxis(expected, dim, -1)[place] = math.fsum(so_far.tolist())
    assert_close(cumsum(Tensor(a), dim), expected, f"cumsum of shape {a.shape}, {dim=}")


def test_cumsum_of_integers_is_int64():
    """Running sums of integers and booleans are int64, as sums are."""
    assert_close(cumsum(Tensor(np.array([100, 100], np.int8)), 0), np.array([100, 200]), "cumsum of int8")
    assert_close(cumsum(Tensor(np.array([200, 100], np.uint8)), 0), np.array([200, 300]), "cumsum of uint8")
    assert_close(cumsum(Tensor(np.array([1, 2], np.int32)), 0), np.array([1, 3]), "cumsum of int32")
    assert_close(Tensor(np.array([True, True])).cumsum(dim=0), np.array([1, 2]), "cumsum of booleans")


def test_cumsum_keeps_its_digits():
    """A running sum is right to 1e-6 after 100,000 terms, and that of float16 is the exact one, rounded once."""
    terms = np.full((100_000, 1), 0.1, np.float32)
    exact = terms.astype(np.float64) * np.arange(1, 100_001)[:, None]
    assert_close(cumsum(Tensor(terms), 0), exact.astype(np.float32), "cumsum of 100,000 times 0.1", rtol=1e-6)
    count = np.arange(1, 5001).astype(np.float16)
    assert_close(cumsum(Tensor(np.ones(5000, np.float16)), 0), count, "cumsum of 5,000 ones of float16")


# Mean and variance


def test_mean_of_columns():
    """mean() divides the sum by the number of entries that went into it, not by all there are."""
    assert_close(mean(Tensor(TABLE)), np.array(3.5, np.float32), "mean(x)")
    assert_close(Tensor(TABLE).mean(dim=0), np.array([2.5, 3.5, 4.5], np.float32), "x.mean(dim=0)")
    assert_close(
        Tensor(TABLE).mean(1, keepdim=True), np.array([[2], [5]], np.float32), "mean(1, keepdim=True)"
    )


@given(case=array_and_dim(), keepdim=st.booleans())
@example(case=(TABLE, (0, -1)), keepdim=False)
def test_mean_over_any_axes(case, keepdim):
    """mean() takes the axes that sum() takes: None, one, or several, from the front or the back."""
    a, dim = case
    expected = reduce_by_hand(statistics.fmean, a, dim, keepdim).astype(np.float32)
    assert_close(mean(Tensor(a), dim, keepdim), expected, f"mean of shape {a.shape}, {dim=}, {keepdim=}")


@pytest.mark.parametrize(("reduce", "expected"), [(sum, 12), (amax, 6), (amin, 1), (mean, 3), (var, 14 / 3)])
def test_an_empty_dim_means_all_axes(reduce, expected):
    """dim=() is as dim=None, in every reduction, though for NumPy axis=() is no axis at all."""
    x = Tensor(np.array([[1, 2], [3, 6]], np.float32))
    assert_close(reduce(x, (), keepdim=True), np.array([[expected]], np.float32), f"{reduce.__name__}(x, ())")


def test_mean_of_no_entries():
    """0 / 0 is nan: the mean of no entries is nan, without a warning, and there may be no mean to compute."""
    x = Tensor(np.zeros((0, 3), np.float32))
    with no_warnings():
        assert_close(
            x.mean(0), np.array([float("nan")] * 3, np.float32), "the mean of shape (0, 3) over dim 0"
        )
        assert_close(x.mean(1), np.zeros(0, np.float32), "the mean of shape (0, 3) over dim 1")


def test_mean_needs_floating_point():
    """The mean of integers is a TypeError that names the dtype: convert them first."""
    assert_close(mean(Tensor(np.array([1.0, 2.0]))), np.array(1.5), "the mean of float64")
    with raises(TypeError, "int64"):
        mean(Tensor(np.array([1, 2])))


def test_var_divides_by_one_less():
    """var() is the sum of (x - mean)**2 divided by n - 1; correction=0 divides by n."""
    x = Tensor(np.array([1, 2, 3, 4], np.float32))
    assert_close(var(x), np.array(5 / 3, np.float32), "var(x)")
    assert_close(x.var(correction=0), np.array(1.25, np.float32), "x.var(correction=0)")


@given(case=array_and_dim(min_side=2), keepdim=st.booleans())
@example(case=(TABLE, 1), keepdim=True)
@example(case=(TABLE, (0, 1)), keepdim=False)
def test_var_over_any_axes(case, keepdim):
    """var() takes the axes that sum() takes; each group of entries has a mean of its own."""
    a, dim = case
    if a.ndim == 0:
        a = np.stack([a, a + 1])
    expected = reduce_by_hand(statistics.variance, a, dim, keepdim).astype(np.float32)
    out = var(Tensor(a), dim, keepdim=keepdim)
    assert_close(out, expected, f"var of shape {a.shape}, {dim=}, {keepdim=}")


def test_var_far_from_zero():
    """var() subtracts the mean before it squares: mean(x**2) - mean(x)**2 loses every digit far from zero."""
    far = 10_000 + np.array([0.0, 0.25, 0.5], np.float32)
    assert_close(var(Tensor(far)), np.array(0.0625, np.float32), "the variance of 10000 and a bit")


def test_var_of_a_single_entry():
    """One entry leaves 0 / 0 (n - 1 is 0): the variance is nan; and where n - correction is below 0 it counts as 0."""
    with no_warnings():
        one = var(Tensor(np.array([[3.0], [4.0]], np.float32)), dim=1)
    assert_close(one, np.array([float("nan")] * 2, np.float32), "the variance of single entries")
    with no_warnings():
        three = var(Tensor(np.array([1, 2, 3], np.float32)), correction=5)
    assert_close(three, np.array(float("inf"), np.float32), "the variance of 3 entries with correction=5")


@pytest.mark.parametrize(
    "name, call",
    [
        ("mean", lambda x: mean(x, 0)),
        ("var", lambda x: var(x, 1)),
        ("masked_fill", lambda x: masked_fill(x, Tensor(TABLE > 2), 0.5)),
    ],
    ids=["mean", "var", "masked_fill"],
)
def test_compositions_are_made_of_primitives(name, call):
    """mean, var and masked_fill are made of primitives, called on Tensors, so that kata 07 can follow them."""
    assert_followed(dispatch.observers, call, Tensor(TABLE), what=f"the result of {name}")
