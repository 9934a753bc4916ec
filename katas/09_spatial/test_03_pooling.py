"""Fewer pixels: of each window, the largest entry or the mean."""

import itertools
import math

import numpy as np
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, strided
from tinytorch.spatial import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from tinytorch.tensor import Tensor

X = np.array([[1, 5, 2, 0], [3, 4, 8, 6], [9, 7, -1, -3], [0, 2, -2, -4]], np.float32)
pictures = strided(st.sampled_from([(2, 1, 6, 7), (1, 2, 7, 6), (0, 2, 6, 6)]))
kernels = st.tuples(st.integers(1, 3), st.integers(1, 3))
strides = st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def halves(draw, kernel):
    """A padding of at most half a kernel."""
    return tuple(draw(st.integers(0, side // 2)) for side in kernel)


def pooled(x, reduce, kernel, stride, padding, dilation=(1, 1)):
    """The oracle: `reduce` makes one number of the list of pixels in a window, without padding."""
    (N, C, H, W), (sh, sw) = x.shape, stride or kernel
    rows, columns = (
        [
            [start + k * step for k in range(side)]
            for start in range(-pad, size + pad - step * (side - 1), skip)
        ]
        for size, side, skip, pad, step in zip((H, W), kernel, (sh, sw), padding, dilation, strict=True)
    )
    out = np.zeros((N, C, len(rows), len(columns)), x.dtype)
    for n, c, r, s in itertools.product(range(N), range(C), range(len(rows)), range(len(columns))):
        places = itertools.product(rows[r], columns[s])
        out[n, c, r, s] = reduce([float(x[n, c, i, j]) for i, j in places if 0 <= i < H and 0 <= j < W])
    return out


def test_max_pool2d_by_hand():
    """max_pool2d(x, 2) of 1 5 2 0, 3 4 8 6, 9 7 -1 -3, 0 2 -2 -4 is 5 8, 9 -1."""
    out = max_pool2d(Tensor(X[None, None]), 2)
    assert_close(out, np.array([[[[5, 8], [9, -1]]]], np.float32))


@given(x=pictures, kernel=kernels, stride=strides)
def test_max_pool2d_takes_the_largest(x, kernel, stride):
    """max_pool2d gives the largest entry of every window; the stride is kernel_size by default."""
    with unchanged(x):
        out = max_pool2d(Tensor(x), kernel, stride)
    assert_close(out, pooled(x, max, kernel, stride, (0, 0)), "max_pool2d(x, kernel_size, stride)")


@given(data=st.data(), x=arrays((2, 2, 5, 6), low=-9, high=-1), kernel=kernels, stride=strides)
def test_padding_is_never_the_largest(data, x, kernel, stride):
    """Padding counts as -inf: in a picture of negative numbers no window has the maximum 0."""
    padding = data.draw(halves(kernel))
    out = max_pool2d(Tensor(x), kernel, stride, padding)
    assert_close(out, pooled(x, max, kernel, stride, padding), "max_pool2d(x, kernel_size, stride, padding)")


@given(x=arrays((1, 2, 7, 8)), kernel=kernels, dilation=kernels)
def test_max_pool2d_with_dilation(x, kernel, dilation):
    """dilation (rows, columns) is the step between neighbours in a window, as for conv2d."""
    out = max_pool2d(Tensor(x), kernel, 1, 0, dilation)
    assert_close(
        out, pooled(x, max, kernel, (1, 1), (0, 0), dilation), "max_pool2d(x, kernel_size, 1, 0, dilation)"
    )


def test_padding_is_no_number_at_all():
    """In a picture of -inf every maximum is -inf, at the edges too: padding with a very small number is not enough."""
    x = np.full((1, 1, 3, 3), -np.inf, np.float32)
    out = max_pool2d(Tensor(x), 3, 1, 1)
    assert_close(out, x, "max_pool2d(x, 3, 1, 1)")


def test_a_window_with_a_nan_is_nan():
    """nan counts as larger than everything, wherever it is in the window; it does not affect other windows."""
    for row, column in itertools.product(range(2), range(2)):
        x = np.ones((1, 1, 2, 4), np.float32)
        x[0, 0, row, column] = np.nan
        with no_warnings():
            out = max_pool2d(Tensor(x), 2)
        assert_close(out, np.array([[[[np.nan, 1]]]], np.float32), f"with nan at [{row}, {column}]")


def test_max_pool2d_makes_a_new_tensor():
    """The result has its own memory, even with a kernel of one entry."""
    x = np.ones((1, 1, 2, 2), np.float32)
    out = max_pool2d(Tensor(x), 1)
    assert_close(out, np.ones((1, 1, 2, 2), np.float32))
    assert not np.shares_memory(out.data, x), (
        "the result shares memory with x: changing one changes the other"
    )


def test_avg_pool2d_by_hand():
    """avg_pool2d(x, 2) of 1 5 2 0, 3 4 8 6, 9 7 -1 -3, 0 2 -2 -4 is 3.25 4, 4.5 -2.5."""
    out = avg_pool2d(Tensor(X[None, None]), 2)
    assert_close(out, np.array([[[[3.25, 4], [4.5, -2.5]]]], np.float32))


@given(x=pictures, kernel=kernels, stride=strides)
def test_avg_pool2d_takes_the_mean(x, kernel, stride):
    """avg_pool2d gives the mean of every window; the stride is kernel_size by default."""
    with unchanged(x):
        out = avg_pool2d(Tensor(x), kernel, stride)
    expected = pooled(x, lambda seen: sum(seen) / len(seen), kernel, stride, (0, 0))
    assert_close(out, expected, "avg_pool2d(x, kernel_size, stride)")


@given(data=st.data(), x=arrays((2, 2, 5, 6)), kernel=kernels, stride=strides)
def test_padding_counts_as_zeros(data, x, kernel, stride):
    """The sum of a window is divided by the size of the kernel, padding included."""
    padding = data.draw(halves(kernel))
    out = avg_pool2d(Tensor(x), kernel, stride, padding)
    expected = pooled(x, lambda seen: sum(seen) / math.prod(kernel), kernel, stride, padding)
    assert_close(out, expected, "avg_pool2d(x, kernel_size, stride, padding)")


@given(data=st.data(), x=arrays((2, 2, 5, 6)), kernel=kernels, stride=strides)
def test_padding_does_not_count(data, x, kernel, stride):
    """With count_include_pad=False the sum is divided by the number of pixels in the window, without padding."""
    padding = data.draw(halves(kernel))
    out = avg_pool2d(Tensor(x), kernel, stride, padding, count_include_pad=False)
    expected = pooled(x, lambda seen: sum(seen) / len(seen), kernel, stride, padding)
    assert_close(out, expected, "avg_pool2d(..., count_include_pad=False)")


def test_pools_take_one_number_for_both_axes():
    """kernel_size 3, stride 2, padding 1 and dilation 2 mean (3, 3), (2, 2), (1, 1) and (2, 2)."""
    x = np.arange(63, dtype=np.float32).reshape(1, 1, 7, 9)
    expected = pooled(x, max, (3, 3), (2, 2), (1, 1), (2, 2))
    assert_close(max_pool2d(Tensor(x), 3, 2, 1, 2), expected, "max_pool2d(x, 3, 2, 1, 2)")
    expected = pooled(x, lambda seen: sum(seen) / 9, (3, 3), (2, 2), (1, 1))
    assert_close(avg_pool2d(Tensor(x), 3, 2, 1), expected, "avg_pool2d(x, 3, 2, 1)")


def test_adaptive_avg_pool2d_to_one_pixel():
    """adaptive_avg_pool2d(x, 1) is the mean of each channel: of 1 2 3, 4 5 6 it is 3.5."""
    x = np.array([[[[1, 2, 3], [4, 5, 6]]]], np.float32)
    assert_close(adaptive_avg_pool2d(Tensor(x), 1), np.array([[[[3.5]]]], np.float32))


def test_parts_overlap_where_they_do_not_divide():
    """Two parts of the row 1 2 3 4 5 are 1 2 3 and 3 4 5, with the means 2 and 4: both hold the 3."""
    x = np.array([[[[1, 2, 3, 4, 5]]]], np.float32)
    assert_close(adaptive_avg_pool2d(Tensor(x), (1, 2)), np.array([[[[2, 4]]]], np.float32))


@given(
    x=strided(st.tuples(st.integers(0, 2), st.just(2), st.integers(1, 7), st.integers(1, 7))),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
)
def test_adaptive_avg_pool2d_to_any_size(x, size):
    """Part i of n along an axis goes from floor(i * size / n) to ceil((i + 1) * size / n), even when n > size."""
    H, W = x.shape[2:]
    expected = np.zeros((*x.shape[:2], *size), np.float32)
    for r, c in itertools.product(range(size[0]), range(size[1])):
        rows = range(math.floor(r * H / size[0]), math.ceil((r + 1) * H / size[0]))
        columns = range(math.floor(c * W / size[1]), math.ceil((c + 1) * W / size[1]))
        for i, j in itertools.product(rows, columns):
            expected[:, :, r, c] += x[:, :, i, j] / np.float32(len(rows) * len(columns))
    assert_close(adaptive_avg_pool2d(Tensor(x), size), expected, atol=1e-5)


def test_a_part_with_an_inf_spoils_no_other():
    """An inf or a nan in one part changes only the mean of this part."""
    x = np.ones((1, 1, 4, 4), np.float32)
    x[0, 0, 0, 0], x[0, 0, 3, 3] = np.inf, np.nan
    with no_warnings():
        out = adaptive_avg_pool2d(Tensor(x), 2)
    assert_close(out, np.array([[[[np.inf, 1], [1, np.nan]]]], np.float32))


@given(x=arrays((3, 4, 6)))
def test_one_picture_is_pooled_to_one(x):
    """One picture (C, H, W) gives one (C, OH, OW), in all three functions."""

    def oracle(reduce, padding=(0, 0)):
        return pooled(x[None], reduce, (2, 3), None, padding)[0]

    def average(seen):
        return sum(seen) / len(seen)

    mean = oracle(average)
    assert_close(max_pool2d(Tensor(x), (2, 3)), oracle(max), "max_pool2d")
    assert_close(avg_pool2d(Tensor(x), (2, 3)), mean, "avg_pool2d")
    out = avg_pool2d(Tensor(x), (2, 3), None, 1, count_include_pad=False)
    assert_close(out, oracle(average, (1, 1)), "avg_pool2d with padding that does not count")
    assert_close(adaptive_avg_pool2d(Tensor(x), 2), mean, "adaptive_avg_pool2d")


def test_pools_refuse_more_padding_than_half_a_kernel():
    """A padding of more than half of kernel_size, along either axis, is a ValueError with both, as they were given."""
    x = Tensor(np.ones((1, 1, 5, 5), np.float32))
    for pool in (max_pool2d, avg_pool2d):
        with raises(ShapeError, (0, 2), (3, 3)):
            pool(x, (3, 3), 1, (0, 2))
        with raises(ShapeError, (2, 0), (3, 4)):
            pool(x, (3, 4), 1, (2, 0))


def test_pools_refuse_options_out_of_range():
    """kernel_size or stride below 1, or padding below 0, alone or in a pair, is a ValueError with name and value."""
    x = Tensor(np.ones((1, 1, 4, 4), np.float32))
    for pool in (max_pool2d, avg_pool2d):
        for name, value in (("kernel_size", 0), ("stride", -1), ("stride", 0), ("padding", -1)):
            for given_value in ((1, value), value):
                with raises(ShapeError, name, value):
                    pool(x, **({"kernel_size": (2, 3)} | {name: given_value}))


def test_pools_refuse_what_is_no_picture():
    """x with other than 3 or 4 axes is a ValueError with its shape; whole numbers are a TypeError with their dtype."""
    for pool in (max_pool2d, avg_pool2d, adaptive_avg_pool2d):
        for shape in ((4, 4), (1, 1, 1, 4, 4)):
            with raises(ShapeError, shape):
                pool(Tensor(np.ones(shape, np.float32)), 2)
        with raises(TypeError, "int64"):
            pool(Tensor(np.ones((1, 1, 4, 4), np.int64)), 2)


def test_pools_refuse_a_kernel_that_does_not_fit():
    """A kernel that is larger than the padded picture is a ValueError with both lengths."""
    for pool in (max_pool2d, avg_pool2d):
        with raises(ShapeError, 5, 4):
            pool(Tensor(np.ones((1, 1, 2, 9), np.float32)), (5, 2), 1, (1, 0))


def test_adaptive_avg_pool2d_refuses_no_parts():
    """An output_size below 1 is a ValueError with it, and a picture without pixels is one with its shape."""
    with raises(ShapeError, (2, 0)):
        adaptive_avg_pool2d(Tensor(np.ones((1, 1, 4, 4), np.float32)), (2, 0))
    for shape in ((1, 1, 0, 4), (1, 0, 4)):
        with raises(ShapeError, shape):
            adaptive_avg_pool2d(Tensor(np.ones(shape, np.float32)), 2)
