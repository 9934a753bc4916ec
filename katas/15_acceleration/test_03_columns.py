"""im2col copies what each place sees into a row, and col2im is the way back: its adjoint."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, unchanged
from dojo.spec.strategies import arrays
from tinytorch.acceleration.columns import Columns
from tinytorch.spatial import conv2d
from tinytorch.tensor import Tensor

PICTURE = np.arange(1.0, 13.0).reshape(3, 4, 1)


def columns_of(shape, kernel, stride=(1, 1), padding=(0, 0), last=True):
    return Columns(shape, kernel, stride, padding, np.float64, last)


def places(shape, kernel, stride, padding):
    """For each place, row of the kernel and column of the kernel: which pixel it is, or None in the padding."""
    (H, W, _), (kh, kw), (sh, sw), (ph, pw) = shape, kernel, stride, padding
    OH, OW = (H + 2 * ph - kh) // sh + 1, (W + 2 * pw - kw) // sw + 1
    for r, c, i, j in np.ndindex(OH, OW, kh, kw):
        row, column = r * sh + i - ph, c * sw + j - pw
        inside = 0 <= row < H and 0 <= column < W
        yield r * OW + c, i * kw + j, (row, column) if inside else None


# im2col


def test_columns_by_hand():
    """Row by row, place by place: what a kernel of 2 * 2 sees of a picture of 3 * 4 pixels."""
    matrix = columns_of((3, 4, 1), (2, 2)).im2col(PICTURE)
    expected = [[1, 2, 5, 6], [2, 3, 6, 7], [3, 4, 7, 8], [5, 6, 9, 10], [6, 7, 10, 11], [7, 8, 11, 12]]
    assert_close(matrix, np.array(expected, float), "the columns")


def test_channels_are_side_by_side():
    """In a row, the channels of the first pixel come first, then those of the second."""
    picture = np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])  # (1, 3, 2)
    matrix = columns_of((1, 3, 2), (1, 2)).im2col(picture)
    assert_close(matrix, np.array([[1.0, 10, 2, 20], [2, 20, 3, 30]]), "the columns of two channels")


def test_padding_is_zeros_and_strides_skip_places():
    """With padding a place sees zeros around the picture; with a stride of 2 every second place is left out."""
    matrix = columns_of((3, 4, 1), (2, 2), (2, 2), (1, 1)).im2col(PICTURE)
    expected = [[0, 0, 0, 1], [0, 0, 2, 3], [0, 0, 4, 0], [0, 5, 0, 9], [6, 7, 10, 11], [8, 0, 12, 0]]
    assert_close(matrix, np.array(expected, float), "the columns")


def test_one_picture_after_the_other():
    """The same memory is used again: the next picture takes the place of the one before, and its padding is 0."""
    columns = columns_of((3, 4, 1), (3, 3), padding=(1, 1))
    first = columns.im2col(PICTURE).copy()
    again = columns.im2col(PICTURE + 50)
    assert again is columns.matrix, "im2col returns the attribute `matrix`, whose memory is used again"
    assert_close(columns.im2col(PICTURE), first, "the columns of the first picture, after a second one")


shapes = st.tuples(st.integers(3, 5), st.integers(3, 6), st.integers(0, 3))
kernels = st.tuples(st.integers(1, 3), st.integers(1, 3))
strides = st.tuples(st.integers(1, 3), st.integers(1, 2))
paddings = st.tuples(st.integers(0, 2), st.integers(0, 1))


@given(data=st.data(), shape=shapes, kernel=kernels, stride=strides, padding=paddings, last=st.booleans())
def test_columns_number_by_number(data, shape, kernel, stride, padding, last):
    """Any kernel, stride and padding, in both orders of memory: each number is the pixel that its place sees there."""
    x = data.draw(arrays(shape, np.float64))
    with unchanged(x):
        matrix = columns_of(shape, kernel, stride, padding, last).im2col(x)
    seen = matrix.reshape(len(matrix), kernel[0] * kernel[1], shape[2])
    for place, position, pixel in places(shape, kernel, stride, padding):
        expected = np.zeros(shape[2]) if pixel is None else x[pixel]
        assert_close(seen[place, position], expected, f"what place {place} sees at position {position}")


# col2im


def test_every_pixel_counts_its_places():
    """col2im of ones says for each pixel how many places see it: fewer at the border."""
    columns = columns_of((4, 4, 1), (3, 3))
    total = columns.col2im(np.ones((4, 9)))
    assert_close(
        total[:, :, 0],
        np.array([[1.0, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]),
        "how often each is seen",
    )


def test_what_came_from_the_padding_is_dropped():
    """With padding, what was copied from the margin goes nowhere; the result has the shape of the picture."""
    columns = columns_of((2, 2, 1), (3, 3), padding=(1, 1))
    total = columns.col2im(np.ones((4, 9)))
    assert_close(total[:, :, 0], np.full((2, 2), 4.0), "how often each of 2 * 2 pixels is seen")


@given(data=st.data(), shape=shapes, kernel=kernels, stride=strides, padding=paddings, last=st.booleans())
def test_sums_number_by_number(data, shape, kernel, stride, padding, last):
    """Any kernel, stride and padding: each number is added to the pixel that it would have been copied from."""
    columns = columns_of(shape, kernel, stride, padding, last)
    matrix = data.draw(arrays(columns.matrix.shape, np.float64))
    expected = np.zeros(shape)
    for place, position, pixel in places(shape, kernel, stride, padding):
        if pixel is not None:
            expected[pixel] += matrix.reshape(len(matrix), kernel[0] * kernel[1], shape[2])[place, position]
    with unchanged(matrix):
        assert_close(columns.col2im(matrix), expected, "the sums")


@given(data=st.data(), shape=shapes, kernel=kernels, stride=strides, padding=paddings)
def test_each_is_the_adjoint_of_the_other(data, shape, kernel, stride, padding):
    """sum(im2col(x) * m) equals sum(x * col2im(m)) for every x and m: so col2im is the gradient of im2col."""
    columns = columns_of(shape, kernel, stride, padding)
    x = data.draw(arrays(shape, np.float64))
    m = data.draw(arrays(columns.matrix.shape, np.float64))
    one, other = (columns.im2col(x) * m).sum(), (x * columns.col2im(m)).sum()
    assert_close(other, one, "sum(x * col2im(m)), beside sum(im2col(x) * m)")


def test_the_ways_there_and_back_do_not_meet():
    """col2im twice does not add up, and im2col after it finds its zeros in the padding."""
    columns = columns_of((3, 4, 1), (3, 3), padding=(1, 1))
    first = columns.im2col(PICTURE).copy()
    ones = np.ones(columns.matrix.shape)
    once = columns.col2im(ones).copy()
    assert_close(columns.col2im(ones), once, "col2im, called a second time")
    assert_close(columns.im2col(PICTURE), first, "im2col after col2im")


# What they are for


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_is_a_product(stride):
    """The columns, times the kernels as a matrix, are conv2d of kata 09."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((5, 6, 3)), rng.standard_normal((4, 3, 2, 3))
    columns = columns_of((5, 6, 3), (2, 3), (stride, stride), (1, 1))
    out = columns.im2col(x) @ weight.transpose(2, 3, 1, 0).reshape(18, 4)  # (OH * OW, 4)
    expected = conv2d(Tensor(x.transpose(2, 0, 1)[None]), Tensor(weight), None, stride, 1).data[0]
    assert_equal(out.shape, (expected[0].size, 4), "the shape of the product")
    assert_close(out.T.reshape(expected.shape), expected, "the product, as pictures")
