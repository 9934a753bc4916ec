"""Where a kernel can stand, and what each of its positions sees there."""

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.strategies import strided
from tinytorch.spatial import conv_output_size, windows
from tinytorch.tensor import Tensor

small = st.integers(1, 3)


def test_a_kernel_slides_along_an_axis():
    """conv_output_size(5, 3) is 3: a kernel of 3 entries begins at 0, 1 or 2."""
    assert_equal(conv_output_size(5, 3), 3)


def test_a_stride_skips_places():
    """With stride 2 every second place counts: 5 entries have 2 places for a kernel of 3, and 6 entries have 2 too."""
    assert_equal(conv_output_size(5, 3, 2), 2, "conv_output_size(5, 3, 2)")
    assert_equal(conv_output_size(6, 3, 2), 2, "conv_output_size(6, 3, 2)")


def test_padding_is_added_on_both_sides():
    """conv_output_size(5, 3, padding=1) is 5: the axis counts as 7."""
    assert_equal(conv_output_size(5, 3, padding=1), 5)


def test_dilation_spreads_the_kernel():
    """conv_output_size(5, 3, dilation=2) is 1: a kernel of 3 with gaps of 1 spans 5 entries."""
    assert_equal(conv_output_size(5, 3, dilation=2), 1)


@given(size=st.integers(1, 9), kernel=small, stride=small, padding=st.integers(0, 2), dilation=small)
@example(7, 2, 3, 1, 2)
def test_every_place_is_counted(size, kernel, stride, padding, dilation):
    """conv_output_size(size, kernel_size, stride, padding, dilation) is the number of places: none is left out."""
    last = size + padding - 1
    places = [
        start for start in range(-padding, size + padding, stride) if start + dilation * (kernel - 1) <= last
    ]
    if places:
        assert_equal(conv_output_size(size, kernel, stride, padding, dilation), len(places))
    else:
        with raises(ValueError):
            conv_output_size(size, kernel, stride, padding, dilation)


def test_a_kernel_that_does_not_fit_is_refused():
    """A kernel that spans more than the padded axis is a ValueError with both lengths."""
    with raises(ValueError, 5, 4):
        conv_output_size(2, 3, padding=1, dilation=2)


def test_options_out_of_range_are_refused():
    """kernel_size, stride and dilation below 1, and padding below 0, are a ValueError with the name and the value."""
    for name, value in (("kernel_size", 0), ("stride", 0), ("padding", -1), ("dilation", -2)):
        with raises(ValueError, name, value):
            conv_output_size(**({"size": 5, "kernel_size": 2} | {name: value}))


def test_windows_by_hand():
    """A kernel of 2 on the picture 0 to 8 in three rows: its four positions see 0 1 3 4, 1 2 4 5, 3 4 6 7, 4 5 7 8."""
    seen = windows(Tensor(np.arange(9).reshape(3, 3)), 2)
    assert_equal(len(seen), 4, "the number of windows")
    for place, expected in enumerate(
        ([[0, 1], [3, 4]], [[1, 2], [4, 5]], [[3, 4], [6, 7]], [[4, 5], [7, 8]])
    ):
        assert_close(seen[place], np.array(expected), f"windows(x, 2)[{place}]")


@given(
    x=strided(st.sampled_from([(7, 8), (2, 7, 9), (2, 1, 8, 7), (0, 2, 7, 7)])),
    kernel=st.tuples(small, small),
    stride=st.tuples(small, small),
    dilation=st.tuples(small, small),
)
def test_windows_are_slices(x, kernel, stride, dilation):
    """Window (i, j) holds x[..., r * stride + i * dilation, c * stride + j * dilation] for every place (r, c)."""
    seen = windows(Tensor(x), kernel, stride, dilation)
    assert_equal(len(seen), kernel[0] * kernel[1], "the number of windows")
    (sh, sw), (dh, dw) = stride, dilation
    rows = [r for r in range(0, x.shape[-2], sh) if r + dh * (kernel[0] - 1) < x.shape[-2]]
    columns = [c for c in range(0, x.shape[-1], sw) if c + dw * (kernel[1] - 1) < x.shape[-1]]
    for place, window in enumerate(seen):
        i, j = divmod(place, kernel[1])
        expected = np.empty((*x.shape[:-2], len(rows), len(columns)), x.dtype)
        for r, row in enumerate(rows):
            for c, column in enumerate(columns):
                expected[..., r, c] = x[..., row + i * dh, column + j * dw]
        assert_close(window, expected, f"the window of row {i}, column {j} of the kernel")


def test_windows_take_one_number_for_both_axes():
    """A stride or dilation of 2 means (2, 2), and a kernel_size of 3 means (3, 3)."""
    x = Tensor(np.arange(54.0).reshape(1, 6, 9))
    one, two = windows(x, 2, 2, 3), windows(x, (2, 2), (2, 2), (3, 3))
    for mine, expected in zip(one, two, strict=True):
        assert_close(mine, expected.data, "a window")
    assert_equal(len(windows(x, 3)), 9, "the number of windows of a kernel_size of 3")


def test_windows_copy_nothing():
    """Each window is a view of x: it shares its memory."""
    x = np.zeros((1, 1, 4, 4), np.float32)
    for place, window in enumerate(windows(Tensor(x), 2)):
        assert np.shares_memory(window.data, x), f"window {place} is a copy"


def test_windows_of_a_picture_that_is_too_small():
    """A kernel larger than the picture, along either axis, is a ValueError with both lengths; so is x of one axis."""
    with raises(ValueError, 3, 2):
        windows(Tensor(np.zeros((1, 2, 8))), 3)
    with raises(ValueError, 5, 4):
        windows(Tensor(np.zeros((1, 8, 4))), (1, 3), 1, 2)
    with raises(ValueError):
        windows(Tensor(np.zeros(8)), 1)
