"""Classic mistakes of kata 09: kernels flipped, windows cut short, padding that wins, statistics that leak."""

from dojo.tree.mistakes import mistake

# Windows


@mistake(
    "spatial.conv_output_size",
    spec="test_a_stride_skips_places",
    says="conv_output_size(6, 3, 2)",
    swap=("(padded - span) // stride", "-(-(padded - span) // stride)"),
)
def size_rounds_up():
    """Rounded up instead of down: the last place goes beyond the edge."""


@mistake(
    "spatial.conv_output_size",
    spec="test_padding_is_added_on_both_sides",
    says="expected 5",
    swap=("2 * padding", "padding"),
)
def size_pads_one_side():
    """Padding counts once."""


@mistake(
    "spatial.conv_output_size",
    spec="test_dilation_spreads_the_kernel",
    says="spans 6 entries",
    swap=("dilation * (kernel_size - 1) + 1", "dilation * kernel_size"),
)
def size_of_a_kernel_too_wide():
    """The kernel spans dilation * kernel_size, one gap too many."""


@mistake(
    "spatial.conv_output_size",
    spec="test_a_kernel_that_does_not_fit_is_refused",
    says="nothing was raised",
    swap=("if span > padded:", "if False:"),
)
def size_of_nothing():
    """A kernel that does not fit has 0 places, without an error."""


@mistake(
    "spatial.windows",
    spec="test_windows_are_slices",
    says="shape",
    swap=("i * dh : i * dh + height : sh, j * dw : j * dw + width : sw", "i * dh :: sh, j * dw :: sw"),
)
def windows_to_the_end():
    """Each slice goes on to the end of the picture: the first ones are longer than the last."""


@mistake(
    "spatial.windows",
    spec="test_windows_by_hand",
    says="windows(x, 2)[1]",
    swap=[
        ("for i in range(kh)", "for j in range(kw)"),
        ("for j in range(kw)", "for i in range(kh)"),
    ],
)
def windows_column_by_column():
    """The positions of the kernel are gone through column by column."""


@mistake(
    "spatial.windows",
    spec="test_windows_are_slices",
    says="the window of row",
    swap=("j * dw : j * dw + width", "j * sw : j * sw + width"),
)
def windows_dilated_by_the_stride():
    """The kernel's positions begin at multiples of the stride."""


@mistake(
    "spatial.windows",
    spec="test_windows_copy_nothing",
    says="is a copy",
    swap=("j * dw + width : sw]", "j * dw + width : sw] + 0"),
)
def windows_are_copied():
    """Every window is copied: nine times the memory of the picture."""


# Convolution


@mistake(
    "spatial.conv2d",
    spec="test_a_convolution_by_hand",
    says="expected 37",
    swap=("windows(padded, kernel, stride, dilation)", "windows(padded, kernel, stride, dilation)[::-1]"),
)
def conv2d_flips():
    """A convolution as in mathematics: the kernel is flipped."""


@mistake(
    "spatial.conv2d",
    spec="test_conv2d_is_seven_loops",
    says="conv2d(x, weight, bias)",
    swap=[
        ("dilation), 2)", "dilation), 1)"),
        ("N, C, positions, height, width = seen.shape", "N, positions, C, height, width = seen.shape"),
    ],
)
def conv2d_mixes_channels_and_positions():
    """The columns have the kernel's positions outside and the channels inside; the weight has it the other way."""


@mistake(
    "spatial.conv2d",
    spec="test_conv2d_is_seven_loops",
    says="shape",
    swap=("(N, groups, depth, height * width)", "(N, groups, -1, height * width)"),
)
def conv2d_cannot_do_nothing():
    """A side of -1 in reshape cannot be worked out for an empty batch."""


@mistake(
    "spatial.conv2d",
    spec="test_a_bias_is_added_to_each_channel",
    says="the result",
    swap=("reshape(bias, (kernels, 1, 1))", "bias"),
)
def conv2d_adds_bias_to_columns():
    """The bias broadcasts along the last axis, the columns of the picture."""


@mistake(
    "spatial.conv2d",
    spec="test_groups_by_hand",
    says="the result",
    swap=(
        "columns = reshape",
        """seen = reshape(seen, (N, C // groups, groups, positions, height * width)).transpose(1, 2)
    columns = reshape""",
    ),
)
def conv2d_deals_channels_in_turns():
    """Channel c goes to group c % groups, as cards are dealt."""


@mistake(
    "spatial._sides",
    spec="test_conv2d_with_padding",
    says="shape",
    swap=("columns, columns, rows, rows", "rows, rows, columns, columns"),
)
def padding_the_other_way_round():
    """`pad` counts from the last axis backwards, and the rows are given first."""


@mistake(
    "spatial._sides",
    spec="test_same_pads_the_odd_zero_at_the_end",
    says="[0, 0, 0, 0]",
    swap=(
        "extra_w // 2, extra_w - extra_w // 2, extra_h // 2, extra_h - extra_h // 2",
        "extra_w - extra_w // 2, extra_w // 2, extra_h - extra_h // 2, extra_h // 2",
    ),
)
def same_pads_the_odd_zero_first():
    """The odd zero comes before the picture."""


@mistake(
    "spatial._sides",
    spec="test_same_keeps_height_and_width",
    says="shape",
    swap=("dh * (high - 1), dw * (wide - 1)", "high - 1, wide - 1"),
)
def same_forgets_dilation():
    """Half a kernel is added, without regard to dilation."""


@mistake(
    "spatial._check_kernels",
    spec="test_conv2d_refuses_a_bias_of_another_shape",
    says="should hold (1,)",
    swap=("if bias is not None and bias.shape != weight.shape[:1]:", "if False:"),
)
def conv2d_takes_any_bias():
    """The shape of the bias is not checked."""


@mistake(
    "spatial._check_kernels",
    spec="test_conv2d_refuses_channels_that_do_not_fit",
    says="should hold",
    swap=(
        "if groups < 1 or x.shape[-3] != groups * weight.shape[1] or weight.shape[0] % groups:",
        "if False:",
    ),
)
def conv2d_says_nothing_of_use():
    """NumPy's own message is about columns, which the caller does not know."""


@mistake(
    "spatial.conv2d",
    spec="test_one_picture_with_all_options",
    says="conv2d of one picture",
    swap=("0), weight, bias", "0), weight, None"),
)
def one_picture_loses_its_bias():
    """The batch of one is made without the bias."""


@mistake(
    "spatial.conv2d",
    spec="test_one_picture_with_all_options",
    says="groups=1",
    swap=("stride, padding, dilation, groups), 0)", "1, padding), 0)"),
)
def one_picture_loses_its_options():
    """The batch of one is made without stride, dilation and groups."""


@mistake(
    "spatial.conv2d",
    spec="test_one_picture_gives_one",
    says="shape",
    swap=("groups), 0)", "groups))"),
)
def one_picture_of_one_kernel_loses_an_axis():
    """squeeze without a number drops every axis of one entry, and one kernel makes one."""


# Pooling


@mistake(
    "spatial.max_pool2d",
    spec="test_padding_is_never_the_largest",
    says="max_pool2d(x, kernel_size, stride, padding)",
    swap=(", value=-math.inf", ""),
)
def max_pool_pads_with_zeros():
    """Padding is 0, and larger than every negative pixel."""


@mistake(
    "spatial.max_pool2d",
    spec="test_padding_is_no_number_at_all",
    says="max_pool2d(x, 3, 1, 1)",
    swap=("-math.inf", "-1e9"),
)
def max_pool_pads_with_a_small_number():
    """-1e9 is taken for smaller than any pixel."""


@mistake(
    "spatial.max_pool2d",
    spec="test_pools_refuse_options_out_of_range",
    says="nothing was raised",
    swap=('kernel if stride is None else pair(stride, "stride")', "stride or kernel"),
)
def max_pool_takes_a_stride_of_zero_for_none():
    """`or` takes a stride of 0 for none given."""


@mistake(
    "spatial.avg_pool2d",
    spec="test_pools_refuse_options_out_of_range",
    says="nothing was raised",
    swap=('kernel if stride is None else pair(stride, "stride")', "stride or kernel"),
)
def avg_pool_takes_a_stride_of_zero_for_none():
    """The same in the other pool."""


@mistake(
    "spatial.max_pool2d",
    spec="test_a_window_with_a_nan_is_nan",
    says="with nan at",
    swap=("(each > best) | isnan(each)", "each > best"),
)
def max_pool_loses_nan():
    """nan is not larger than anything: it is gone, unless it came first."""


@mistake(
    "spatial.max_pool2d",
    spec="test_where_two_are_largest_the_first_gets_the_gradient",
    says="the gradient of",
    swap=[
        (
            "_check_pictures(x)",
            """from tinytorch.tensor import maximum

    _check_pictures(x)""",
        ),
        ("where((each > best) | isnan(each), each, best)", "maximum(best, each)"),
    ],
)
def max_pool_halves():
    """`maximum` gives each of two equal pixels half."""


@mistake(
    "spatial.max_pool2d",
    spec="test_where_two_are_largest_the_first_gets_the_gradient",
    says="the gradient of",
    swap=("each > best", "each >= best"),
)
def max_pool_takes_the_last():
    """Of equal pixels the last one is chosen."""


@mistake(
    "spatial.max_pool2d",
    spec="test_max_pool2d_by_hand",
    says="shape",
    swap=("kernel if stride is None", "(1, 1) if stride is None"),
)
def max_pool_steps_by_one():
    """The stride is 1 by default, as for conv2d."""


@mistake(
    "spatial.max_pool2d",
    spec="test_max_pool2d_makes_a_new_tensor",
    says="shares memory",
    swap=("-math.inf)", "-math.inf) if padding else x"),
)
def max_pool_gives_x_away():
    """With a kernel of one entry there is nothing to compare, and the window itself is returned."""


@mistake(
    "spatial.avg_pool2d",
    spec="test_padding_does_not_count",
    says="avg_pool2d(..., count_include_pad=False)",
    swap=("if count_include_pad or not any(sides):", "if True:"),
)
def avg_pool_always_counts():
    """count_include_pad is ignored."""


@mistake(
    "spatial._pool_sides",
    spec="test_pools_refuse_more_padding_than_half_a_kernel",
    says="nothing was raised",
    swap=("if 2 * rows > kernel[0] or 2 * columns > kernel[1]:", "if False:"),
)
def pools_take_any_padding():
    """Windows of only padding are allowed: their maximum is -inf."""


@mistake(
    "spatial._parts",
    spec="test_parts_overlap_where_they_do_not_divide",
    says="expected 2.0",
    swap=("(i * size // n, -(-(i + 1) * size // n))", "(i * size // n, (i + 1) * size // n)"),
)
def parts_do_not_overlap():
    """Each part ends where the next begins."""


@mistake(
    "spatial.adaptive_avg_pool2d",
    spec="test_a_part_with_an_inf_spoils_no_other",
    says="a warning was given",
    swap=(
        "x = stack",
        """sums = []
    for size, n in ((x.shape[-2], rows), (x.shape[-1], columns)):
        shares = zeros(n, size)
        for i, (start, end) in enumerate(_parts(size, n)):
            shares[i, start:end] = 1 / (end - start)
        sums.append(shares)
    return sums[0] @ x @ sums[1].T
    x = stack""",
    ),
)
def adaptive_by_matrices():
    """Means as products with matrices of zeros and shares: 0 times inf is nan."""


@mistake(
    "spatial.adaptive_avg_pool2d",
    spec="test_one_picture_is_pooled_to_one",
    says="adaptive_avg_pool2d",
    swap=("start:end, :], -2)", "start:end, :], 2)"),
)
def adaptive_counts_axes_from_the_front():
    """The rows are axis 2 of many pictures, and axis 1 of one."""


# Normalisation


@mistake(
    "spatial.batch_norm",
    spec="test_running_statistics_take_a_step",
    says="running_var",
    swap=(" * (n / (n - 1))", ""),
)
def running_variance_is_biased():
    """running_var is updated with the variance divided by n."""


@mistake(
    "spatial.batch_norm",
    spec="test_batch_norm_by_hand",
    says="expected -1.0",
    swap=("sqrt(batch_var + eps)", "sqrt(batch_var * (n / (n - 1)) + eps)"),
)
def batch_is_normalised_unbiased():
    """The batch is normalised by the variance divided by n - 1."""


@mistake(
    "spatial.batch_norm",
    spec="test_every_channel_is_normalised_alone",
    says="batch_norm(x)",
    swap=("[axis for axis in range(x.ndim) if axis != 1]", "[0]"),
)
def normalised_over_the_batch_only():
    """Every pixel has a mean of its own over the batch."""


@mistake(
    "spatial.batch_norm",
    spec="test_eps_is_added_to_the_variance",
    says="expected -0.5",
    swap=("sqrt(batch_var + eps)", "(sqrt(batch_var) + eps)"),
)
def eps_beside_the_root():
    """eps is added to the deviation, after the root."""


@mistake(
    "spatial.batch_norm",
    spec="test_a_large_mean_does_not_hide_the_variance",
    says="entries wrong",
    swap=(
        "mean(deviation * deviation, axes, keepdim=True)",
        "mean(x * x, axes, keepdim=True) - batch_mean * batch_mean",
    ),
)
def variance_of_squares():
    """The mean of the squares minus the square of the mean: two large numbers with a small difference."""


@mistake(
    "spatial.batch_norm",
    spec="test_the_gradient_of_batch_norm_in_training",
    says="gradient of x",
    swap=[
        ("mean(x, axes, keepdim=True)", "mean(x, axes, keepdim=True).detach()"),
        (
            "mean(deviation * deviation, axes, keepdim=True)",
            "mean(deviation * deviation, axes, keepdim=True).detach()",
        ),
    ],
)
def statistics_are_detached():
    """Mean and variance are taken for constants."""


@mistake(
    "spatial.batch_norm",
    spec="test_one_running_statistic_may_be_missing",
    says="running_mean without",
    swap=(
        """if training:
        _move""",
        """if training and running_mean is not None and running_var is not None:
        _move""",
    ),
)
def both_statistics_or_none():
    """Neither is updated when one of the two is missing."""


@mistake(
    "spatial._move",
    spec="test_running_statistics_take_a_step",
    says="running_mean",
    swap=("(1 - momentum) * running.data + momentum", "momentum * running.data + (1 - momentum)"),
)
def momentum_the_wrong_way_round():
    """momentum as in an optimizer: how much of the old is kept."""


@mistake(
    "spatial._move",
    spec="test_running_statistics_of_every_channel",
    says="the array of running_mean",
    swap=("running.data[...] =", "running.data ="),
)
def running_statistics_are_replaced():
    """A new array each time: whoever holds the old one sees no change."""


@mistake(
    "spatial._move",
    spec="test_running_statistics_of_every_channel",
    says="kata",
    swap=("(1 - momentum) * running.data", "running.data"),
)
def running_statistics_forget_nothing():
    """The batch is added, and the old statistic is not scaled down."""


@mistake(
    "spatial.batch_norm",
    spec="test_statistics_in_float16_lose_nothing",
    says="the result",
    swap=(".to(x.dtype)", ""),
)
def the_running_variance_stays_float16():
    """eps is added in float16, whose number next to 1e-7 is a fifth larger."""


# Modules


@mistake(
    "spatial.Conv2d.reset_parameters",
    spec="test_kernels_start_small",
    says="a draw of",
    swap=("fan_in, _ = init.calculate_fan(self.weight)", "fan_in = self.weight.shape[1]"),
)
def kernels_start_by_their_channels():
    """The bound uses the channels and forgets the size of the kernel."""


@mistake(
    "spatial.Conv2d.reset_parameters",
    spec="test_kernels_follow_the_seed",
    says="after the same seed",
    swap=(
        "init.uniform_(self.weight, -bound, bound)",
        """import numpy as np

    self.weight.data[...] = np.random.uniform(-bound, bound, self.weight.shape)""",
    ),
)
def kernels_ignore_the_seed():
    """NumPy's own generator, which manual_seed does not seed."""


@mistake(
    "spatial.Conv2d.__init__",
    spec="test_a_layer_tells_what_it_is",
    says="no attribute padding_mode",
    swap=("self.padding_mode = padding_mode", "pass"),
)
def layer_forgets_padding_mode():
    """An argument that is checked but not kept."""


@mistake(
    "spatial.Conv2d.forward",
    spec="test_conv2d_layer_computes",
    says="the layer with",
    swap=("self.dilation", "1"),
)
def layer_forgets_dilation():
    """One option is not passed on."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_a_refused_batch_is_not_remembered",
    says="num_batches_tracked",
    swap=[
        (
            "out = batch_norm(",
            """if self.training and self.num_batches_tracked is not None:
        self.num_batches_tracked.data[...] += 1
    out = batch_norm(""",
        ),
        ("        self.num_batches_tracked.data[...] += 1", "        pass"),
    ],
)
def refused_batches_are_counted():
    """The count goes up before the batch is checked."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_batch_norm_layer_learns_and_then_remembers",
    says="in eval mode",
    swap=("self.training or self.running_mean is None", "True"),
)
def always_in_training():
    """eval mode changes nothing."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_without_momentum_all_batches_count_alike",
    says="running_mean",
    swap=(
        "1 / (1 + self.num_batches_tracked.item()) if self.num_batches_tracked is not None else 0.0",
        "0.1",
    ),
)
def none_is_the_default():
    """momentum=None is taken for 0.1."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_batch_norm_layer_without_memory",
    says="running_mean",
    swap=("self.training or self.running_mean is None", "self.training"),
)
def memory_is_taken_for_granted():
    """In eval mode there may be no running statistics to use."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_a_fresh_layer_can_be_looked_at",
    says="ZeroDivisionError",
    swap=("1 + self.num_batches_tracked.item()", "self.num_batches_tracked.item() + self.training"),
)
def momentum_is_needed_for_looking():
    """momentum=None is computed in eval mode too, where no batch is counted."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_a_momentum_of_zero_is_a_number",
    says="running_mean",
    swap=("if momentum is None:", "if not momentum:"),
)
def no_momentum_is_none():
    """`not momentum`: 0.0 counts as None."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_the_count_stays_a_buffer",
    says="names in state_dict() after training",
    swap=(
        "self.num_batches_tracked.data[...] += 1",
        "self.num_batches_tracked = self.num_batches_tracked + 1",
    ),
)
def the_count_becomes_a_tensor():
    """A sum of a Buffer and 1 is a plain Tensor, and takes its place."""


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_batch_norm_layer_that_stops_to_track",
    says="was changed",
    swap=("self.training and not self.track_running_stats", "False"),
)
def tracking_is_decided_once():
    """track_running_stats is looked at in __init__ alone."""
