"""One small kernel at every place: seven loops, turned inside out."""

import itertools

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, raises, unchanged
from dojo.spec.strategies import arrays, arrays_of, strided
from tinytorch.spatial import conv2d
from tinytorch.tensor import Tensor

small = st.integers(1, 3)
pairs = st.tuples(small, small)
ZEROS = np.zeros(3, np.float32)


def seven_loops(x, weight, bias, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """The oracle: loops over picture, kernel, row, column, channel, and row and column of the kernel."""
    (N, _, H, W), (kernels, depth, kh, kw) = x.shape, weight.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    OH, OW = (H + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (W + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    out = np.zeros((N, kernels, OH, OW), x.dtype)
    for n, o, r, c in itertools.product(range(N), range(kernels), range(OH), range(OW)):
        total = float(bias[o])
        for k, i, j in itertools.product(range(depth), range(kh), range(kw)):
            row, column = r * sh + i * dh - ph, c * sw + j * dw - pw
            if 0 <= row < H and 0 <= column < W:  # elsewhere there are zeros
                channel = o // (kernels // groups) * depth + k
                total += float(weight[o, k, i, j]) * float(x[n, channel, row, column])
        out[n, o, r, c] = total
    return out


@st.composite
def problems(draw, groups=1, sides=(4, 5)):
    """x, weight and bias of fitting shapes, nothing square."""
    N, depth, per_group = (
        draw(st.sampled_from([0, 1, 2, 2])),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
    )
    kernel = draw(pairs)
    shapes = (N, groups * depth, *sides), (groups * per_group, depth, *kernel), (groups * per_group,)
    return draw(arrays_of(st.just(shapes)))


def check(x, weight, bias, **options):
    actual = conv2d(Tensor(x), Tensor(weight), Tensor(bias), **options)
    assert_close(actual, seven_loops(x, weight, bias, **options), "conv2d(x, weight, bias)", atol=1e-5)


def test_a_convolution_by_hand():
    """The picture 1 to 9 in three rows with the kernel 1 2, 3 4: 1*1 + 2*2 + 4*3 + 5*4 = 37, then 47, 67, 77."""
    x, weight = np.arange(1.0, 10.0).reshape(1, 1, 3, 3), np.arange(1.0, 5.0).reshape(1, 1, 2, 2)
    assert_close(conv2d(Tensor(x), Tensor(weight)), np.array([[[[37.0, 47.0], [67.0, 77.0]]]]))


def test_a_kernel_has_a_layer_for_each_channel():
    """Two channels, 1 and 10 everywhere, with the kernel layers 2 and 3: one output channel of 2 + 30 = 32."""
    x = np.ones((1, 2, 2, 3)) * [[[1.0]], [[10.0]]]
    weight = np.array([2.0, 3.0]).reshape(1, 2, 1, 1)
    assert_close(conv2d(Tensor(x), Tensor(weight)), np.full((1, 1, 2, 3), 32.0))


def test_every_kernel_makes_a_channel():
    """Three kernels of one entry, 1, 10 and 100, and a picture 7 make the channels 7, 70 and 700."""
    weight = np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1, 1)
    out = conv2d(Tensor(np.full((1, 1, 1, 2), 7.0)), Tensor(weight))
    assert_close(out, np.array([[[[7.0, 7.0]], [[70.0, 70.0]], [[700.0, 700.0]]]]))


def test_a_bias_is_added_to_each_channel():
    """The bias [0.5, -0.5] of two kernels is added to all of channel 0 and all of channel 1."""
    x, weight = Tensor(np.zeros((1, 1, 2, 2))), Tensor(np.ones((2, 1, 1, 1)))
    out = conv2d(x, weight, Tensor(np.array([0.5, -0.5])))
    assert_close(out, np.array([[[[0.5, 0.5]] * 2, [[-0.5, -0.5]] * 2]]))


@given(problem=problems())
def test_conv2d_is_seven_loops(problem):
    """For any number of pictures, kernels and channels, conv2d gives what seven plain loops add up."""
    with unchanged(*problem):
        check(*problem)


@given(problem=problems(sides=(6, 7)), stride=pairs)
def test_conv2d_with_a_stride(problem, stride):
    """stride (rows, columns) is the step from one place to the next."""
    check(*problem, stride=stride)


@given(problem=problems(), padding=st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_conv2d_with_padding(problem, padding):
    """padding (rows, columns) adds that many zeros above and below, and left and right."""
    check(*problem, padding=padding)


@given(problem=problems(sides=(7, 8)), dilation=pairs)
def test_conv2d_with_dilation(problem, dilation):
    """dilation (rows, columns) is the step between the entries that neighbours in the kernel see."""
    check(*problem, dilation=dilation)


def test_groups_by_hand():
    """Four channels 1, 10, 100, 1000 and two kernels of ones in two groups: 11 and 1100."""
    x = np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1, 1)
    out = conv2d(Tensor(x), Tensor(np.ones((2, 2, 1, 1))), groups=2)
    assert_close(out, np.array([11.0, 1100.0]).reshape(1, 2, 1, 1))


@given(data=st.data(), groups=st.integers(2, 3))
def test_conv2d_with_groups(data, groups):
    """Kernels of the first group see only the first channels, and so on."""
    check(*data.draw(problems(groups)), groups=groups)


@given(problem=problems(3, (6, 7)), stride=pairs, padding=pairs, dilation=st.sampled_from([(1, 2), (2, 1)]))
@example(
    (np.arange(126, dtype=np.float32).reshape(1, 3, 6, 7), np.ones((3, 1, 2, 3), np.float32), ZEROS),
    (2, 1),
    (1, 2),
    (1, 2),
)
def test_conv2d_with_all_options(problem, stride, padding, dilation):
    """Stride, padding, dilation and groups work together."""
    check(*problem, stride=stride, padding=padding, dilation=dilation, groups=3)


def test_one_number_counts_for_both_axes():
    """stride=2, padding=1 and dilation=2 mean (2, 2), (1, 1) and (2, 2)."""
    x, weight = np.arange(48, dtype=np.float32).reshape(1, 1, 6, 8), np.ones((1, 1, 2, 3), np.float32)
    expected = seven_loops(x, weight, [0.0], (2, 2), (1, 1), (2, 2))
    out = conv2d(Tensor(x), Tensor(weight), None, stride=2, padding=1, dilation=2)
    assert_close(out, expected, "conv2d(x, weight, None, 2, 1, 2)")


@given(x=strided((2, 2, 4, 5)), weight=strided((2, 2, 2, 3)))
def test_conv2d_of_views(x, weight):
    """x and weight may be non-contiguous: transposed or strided views."""
    check(x, weight, ZEROS[:2])


@given(x=arrays((2, 3, 5)), weight=arrays((1, 2, 2, 3)))
def test_one_picture_gives_one(x, weight):
    """One picture (C, H, W) gives one (O, OH, OW), of three axes even if there is one kernel."""
    expected = seven_loops(x[None], weight, [0.0], padding=(1, 0))[0]
    assert_close(conv2d(Tensor(x), Tensor(weight), padding=(1, 0)), expected)


@given(x=arrays((2, 4, 6)), weight=arrays((2, 1, 2, 3)), bias=arrays((2,)))
@example(np.ones((2, 4, 6), np.float32), np.ones((2, 1, 2, 3), np.float32), np.ones(2, np.float32))
def test_one_picture_with_all_options(x, weight, bias):
    """Bias, stride, padding, dilation and groups count for one picture (C, H, W) as they do for many."""
    options = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    expected = seven_loops(x[None], weight, bias, **options)[0]
    out = conv2d(Tensor(x), Tensor(weight), Tensor(bias), **options)
    assert_close(out, expected, "conv2d of one picture", atol=1e-5)


def test_valid_is_no_padding():
    """padding="valid" is padding 0."""
    x, weight = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4), np.ones((1, 1, 2, 2), np.float32)
    expected = seven_loops(x, weight, [0.0])
    assert_close(conv2d(Tensor(x), Tensor(weight), padding="valid"), expected)


def test_same_pads_the_odd_zero_at_the_end():
    """padding="same" of a kernel 1 10 on the row 1 2 3 pads one zero, at the end: 21, 32, 3."""
    x, weight = np.array([[[[1.0, 2.0, 3.0]]]]), np.array([[[[1.0, 10.0]]]])
    out = conv2d(Tensor(x), Tensor(weight), padding="same")
    assert_close(out, np.array([[[[21.0, 32.0, 3.0]]]]))


@given(x=arrays((1, 1, 5, 6)), weight=arrays(pairs.map(lambda kernel: (2, 1, *kernel))), dilation=pairs)
def test_same_keeps_height_and_width(x, weight, dilation):
    """padding="same" adds dilation * (k - 1) zeros along an axis, half before and half after, an odd one after."""
    kh, kw = weight.shape[2:]
    rows, columns = dilation[0] * (kh - 1), dilation[1] * (kw - 1)
    padded = np.zeros((1, 1, 5 + rows, 6 + columns), np.float32)
    padded[:, :, rows // 2 : rows // 2 + 5, columns // 2 : columns // 2 + 6] = x
    expected = seven_loops(padded, weight, np.zeros(2), dilation=dilation)
    out = conv2d(Tensor(x), Tensor(weight), padding="same", dilation=dilation)
    assert_equal(out.shape, (1, 2, 5, 6), "the shape")
    assert_close(out, expected, "conv2d with padding='same'")


@given(x=arrays((1, 2, 4, 4)), y=arrays((1, 2, 4, 4)), weight=arrays((2, 2, 2, 2)))
def test_conv2d_is_linear(x, y, weight):
    """Without a bias, conv2d of 2 * x - y is twice that of x less that of y."""
    kernel = Tensor(weight)
    both = conv2d(Tensor(2 * x - y), kernel)
    apart = 2 * conv2d(Tensor(x), kernel).data - conv2d(Tensor(y), kernel).data
    assert_close(both, apart, "conv2d(2 * x - y)")


@given(x=arrays((1, 1, 3, 3)), weight=arrays((1, 1, 3, 3)), down=st.integers(0, 3), right=st.integers(0, 2))
def test_what_moves_in_moves_out(x, weight, down, right):
    """If the strokes move on the canvas by some pixels, the output is the same, moved by as many."""

    def on_canvas(row, column):
        canvas = np.zeros((1, 1, 10, 9), np.float32)
        canvas[:, :, row : row + 3, column : column + 3] = x
        return conv2d(Tensor(canvas), Tensor(weight)).data

    still, moved = on_canvas(2, 2), on_canvas(2 + down, 2 + right)
    assert_close(moved[:, :, down:, right:], still[:, :, : 8 - down, : 7 - right], "the output, moved back")


@given(x=arrays((2, 3, 2, 4)), weight=arrays((5, 3, 1, 1)))
def test_a_kernel_of_one_entry_is_a_linear_layer(x, weight):
    """A 1x1 kernel takes the channels of each pixel as a vector, and multiplies by the matrix (O, C)."""
    out = conv2d(Tensor(x), Tensor(weight)).data
    for n, r, c in itertools.product(range(2), range(2), range(4)):
        assert_close(out[n, :, r, c], weight[:, :, 0, 0] @ x[n, :, r, c], f"pixel ({r}, {c}) of picture {n}")


@given(x=arrays((2, 3, 4, 4)), weight=arrays((3, 1, 2, 2)))
def test_a_group_for_every_channel_is_depthwise(x, weight):
    """With groups = C every channel has its own kernel, and nothing is summed over channels."""
    out = conv2d(Tensor(x), Tensor(weight), groups=3).data
    for channel in range(3):
        alone = seven_loops(x[:, [channel]], weight[[channel]], [0.0])
        assert_close(out[:, [channel]], alone, f"channel {channel}")


def test_a_nan_is_seen_only_where_it_stands():
    """A nan or inf in one pixel spoils the places whose window holds it, and no others."""
    x = np.ones((2, 1, 4, 4), np.float32)
    x[0, 0, 0, 0], x[0, 0, 3, 3] = np.nan, np.inf
    out = conv2d(Tensor(x), Tensor(np.ones((1, 1, 2, 2), np.float32))).data
    expected = np.full((2, 1, 3, 3), 4, np.float32)
    expected[0, 0, 0, 0], expected[0, 0, 2, 2] = np.nan, np.inf
    assert_close(out, expected)


def test_sums_are_as_exact_as_float32_allows():
    """64 channels of 5x5 windows, 1600 products a sum, agree with float64 to 1e-5 of their size."""
    rng = np.random.default_rng(0)
    x, weight = rng.random((1, 64, 6, 6), np.float32), rng.random((2, 64, 5, 5), np.float32)
    exact = np.zeros((1, 2, 2, 2))
    for r, c in itertools.product(range(2), range(2)):
        window = x[0, :, r : r + 5, c : c + 5].astype(np.float64)
        exact[0, :, r, c] = [(window * kernel).sum() for kernel in weight]
    out = conv2d(Tensor(x), Tensor(weight))
    assert_close(out, exact.astype(np.float32), rtol=1e-5, atol=0)


def test_conv2d_refuses_what_is_no_picture():
    """x with other than 3 or 4 axes, or a weight with other than 4, is a ValueError with the shape."""
    weight = Tensor(np.ones((2, 1, 1, 1), np.float32))
    for shape in ((4, 5), (1, 1, 1, 4, 5)):
        with raises(ShapeError, shape):
            conv2d(Tensor(np.ones(shape, np.float32)), weight)
    with raises(ShapeError, (1, 1, 1)):
        conv2d(Tensor(np.ones((1, 4, 5), np.float32)), Tensor(np.ones((1, 1, 1), np.float32)))


def test_conv2d_refuses_integers():
    """A picture of whole numbers, as files hold them, is a TypeError with its dtype: it must become float first."""
    with raises(TypeError, "uint8"):
        conv2d(Tensor(np.ones((1, 1, 2, 2), np.uint8)), Tensor(np.ones((1, 1, 1, 1), np.float32)))


def test_conv2d_refuses_channels_that_do_not_fit():
    """Channels of x other than groups * weight.shape[1] are a ValueError with both shapes and groups."""
    with raises(ShapeError, (1, 3, 4, 4), (2, 2, 1, 1), 1):
        conv2d(Tensor(np.ones((1, 3, 4, 4))), Tensor(np.ones((2, 2, 1, 1))))
    with raises(ShapeError, (4, 5, 5), (2, 1, 1, 1), 2):
        conv2d(Tensor(np.ones((4, 5, 5))), Tensor(np.ones((2, 1, 1, 1))), groups=2)


def test_conv2d_refuses_groups_that_do_not_divide():
    """Three kernels in two groups, or 0 groups, are a ValueError with both shapes and groups."""
    for groups in (2, 0):
        with raises(ShapeError, (1, 4, 4, 4), (3, 2, 1, 1), groups):
            conv2d(Tensor(np.ones((1, 4, 4, 4))), Tensor(np.ones((3, 2, 1, 1))), groups=groups)


def test_conv2d_refuses_a_bias_of_another_shape():
    """A bias that is not (O,) is a ValueError with its shape, even if it would broadcast."""
    for shape in ((1,), (3,), (2, 1)):
        with raises(ShapeError, shape):
            conv2d(Tensor(np.ones((1, 1, 3, 3))), Tensor(np.ones((2, 1, 1, 1))), Tensor(np.ones(shape)))


def test_conv2d_refuses_a_kernel_that_does_not_fit():
    """A kernel that spans more than the padded picture is a ValueError with both lengths."""
    x, weight = Tensor(np.ones((1, 1, 2, 9))), Tensor(np.ones((1, 1, 3, 1)))
    with raises(ShapeError, 5, 4):
        conv2d(x, weight, padding=1, dilation=2)


def test_conv2d_refuses_words_it_does_not_know():
    """Another word for padding, or "same" with a stride, is a ValueError with the word and the stride."""
    x, weight = Tensor(np.ones((1, 1, 4, 4))), Tensor(np.ones((1, 1, 3, 3)))
    with raises(ShapeError, "full"):
        conv2d(x, weight, padding="full")
    with raises(ShapeError, "same", (2, 1)):
        conv2d(x, weight, stride=(2, 1), padding="same")


def test_conv2d_refuses_options_out_of_range():
    """stride and dilation below 1, and padding below 0, are a ValueError with the name and the value."""
    x, weight = Tensor(np.ones((1, 1, 4, 4))), Tensor(np.ones((1, 1, 2, 2)))
    for name, value in (("stride", 0), ("padding", -1), ("dilation", 0)):
        with raises(ShapeError, name, value):
            conv2d(x, weight, **{name: (1, value)})
