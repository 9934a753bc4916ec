"""Classic mistakes of kata 09: kernels flipped, windows cut short, padding that wins, statistics that leak."""

from dojo.authors.mistakes import mistake

# Windows


@mistake("spatial.conv_output_size", spec="test_a_stride_skips_places", says="conv_output_size(6, 3, 2)")
def size_rounds_up(size, kernel_size, stride=1, padding=0, dilation=1):
    """The last place hangs over the edge: rounded up instead of down."""
    return -(-(size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride) + 1


@mistake("spatial.conv_output_size", spec="test_padding_is_added_on_both_sides", says="expected 5")
def size_pads_one_side(size, kernel_size, stride=1, padding=0, dilation=1):
    """Padding counts once."""
    return (size + padding - dilation * (kernel_size - 1) - 1) // stride + 1


@mistake("spatial.conv_output_size", spec="test_dilation_spreads_the_kernel", says="expected 1")
def size_of_a_kernel_too_wide(size, kernel_size, stride=1, padding=0, dilation=1):
    """The kernel spans dilation * kernel_size, one gap too many."""
    return (size + 2 * padding - dilation * kernel_size) // stride + 1


@mistake(
    "spatial.conv_output_size", spec="test_a_kernel_that_does_not_fit_is_refused", says="nothing was raised"
)
def size_of_nothing(size, kernel_size, stride=1, padding=0, dilation=1):
    """A kernel that does not fit has 0 places, and nobody is told."""
    return max((size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1, 0)


@mistake("spatial.windows", spec="test_windows_are_slices", says="shape")
def windows_to_the_end(x, kernel_size, stride=1, dilation=1):
    """Each slice goes on to the end of the picture: the first ones are longer than the last."""
    (kh, kw), (sh, sw), (dh, dw) = pair(kernel_size, "k"), pair(stride, "s"), pair(dilation, "d")
    conv_output_size(x.shape[-2], kh, sh, 0, dh), conv_output_size(x.shape[-1], kw, sw, 0, dw)
    return [x[..., i * dh :: sh, j * dw :: sw] for i in range(kh) for j in range(kw)]


@mistake("spatial.windows", spec="test_windows_by_hand", says="windows(x, 2)[1]")
def windows_column_by_column(x, kernel_size, stride=1, dilation=1):
    """The positions of the kernel are gone through column by column."""
    (kh, kw), (sh, sw), (dh, dw) = pair(kernel_size, "k"), pair(stride, "s"), pair(dilation, "d")
    height = sh * (conv_output_size(x.shape[-2], kh, sh, 0, dh) - 1) + 1
    width = sw * (conv_output_size(x.shape[-1], kw, sw, 0, dw) - 1) + 1
    return [
        x[..., i * dh : i * dh + height : sh, j * dw : j * dw + width : sw]
        for j in range(kw)
        for i in range(kh)
    ]


@mistake("spatial.windows", spec="test_windows_are_slices", says="the window of row")
def windows_dilated_by_the_stride(x, kernel_size, stride=1, dilation=1):
    """The kernel's positions begin at multiples of the stride."""
    (kh, kw), (sh, sw), (dh, dw) = pair(kernel_size, "k"), pair(stride, "s"), pair(dilation, "d")
    height = sh * (conv_output_size(x.shape[-2], kh, sh, 0, dh) - 1) + 1
    width = sw * (conv_output_size(x.shape[-1], kw, sw, 0, dw) - 1) + 1
    return [x[..., i * dh : i * dh + height : sh, j : j + width : sw] for i in range(kh) for j in range(kw)]


@mistake("spatial.windows", spec="test_windows_copy_nothing", says="is a copy")
def windows_are_copied(x, kernel_size, stride=1, dilation=1):
    """Every window is copied: nine times the memory of the picture."""
    (kh, kw), (sh, sw), (dh, dw) = pair(kernel_size, "k"), pair(stride, "s"), pair(dilation, "d")
    height = sh * (conv_output_size(x.shape[-2], kh, sh, 0, dh) - 1) + 1
    width = sw * (conv_output_size(x.shape[-1], kw, sw, 0, dw) - 1) + 1
    return [
        x[..., i * dh : i * dh + height : sh, j * dw : j * dw + width : sw] + 0
        for i in range(kh)
        for j in range(kw)
    ]


# Convolution


@mistake("spatial.conv2d", spec="test_a_convolution_by_hand", says="expected 37")
def conv2d_flips(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """A convolution as mathematicians mean it: the kernel is turned round."""
    seen = stack(windows(x, weight.shape[2:], stride, dilation)[::-1], 2)
    n, c, k, h, w = seen.shape
    out = reshape(weight, (weight.shape[0], c * k)) @ reshape(seen, (n, c * k, h * w))
    return reshape(out, (n, weight.shape[0], h, w))


@mistake("spatial.conv2d", spec="test_conv2d_is_seven_loops", says="conv2d(x, weight, bias)")
def conv2d_mixes_channels_and_positions(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The columns have the kernel's positions outside and the channels inside; the weight has it the other way."""
    seen = stack(windows(x, weight.shape[2:], stride, dilation), 1)
    n, k, c, h, w = seen.shape
    out = reshape(weight, (weight.shape[0], c * k)) @ reshape(seen, (n, c * k, h * w))
    return reshape(out, (n, weight.shape[0], h, w)) + reshape(bias, (weight.shape[0], 1, 1))


@mistake("spatial.conv2d", spec="test_conv2d_is_seven_loops", says="shape")
def conv2d_cannot_do_nothing(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """A side of -1 is nothing that an empty batch could tell."""
    seen = stack(windows(x, weight.shape[2:], stride, dilation), 2)
    out = reshape(weight, (weight.shape[0], -1)) @ reshape(seen, (len(x), -1, seen.shape[3] * seen.shape[4]))
    return reshape(out, (len(x), weight.shape[0], *seen.shape[3:])) + reshape(bias, (weight.shape[0], 1, 1))


@mistake("spatial.conv2d", spec="test_a_bias_is_added_to_each_channel", says="the result")
def conv2d_adds_bias_to_columns(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The bias broadcasts along the last axis, the columns of the picture."""
    seen = stack(windows(x, weight.shape[2:], stride, dilation), 2)
    n, c, k, h, w = seen.shape
    out = reshape(reshape(weight, (weight.shape[0], c * k)) @ reshape(seen, (n, c * k, h * w)), (n, -1, h, w))
    return out if bias is None else out + bias


@mistake("spatial.conv2d", spec="test_groups_by_hand", says="the result")
def conv2d_deals_channels_in_turns(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Channel c goes to group c % groups, as cards are dealt."""
    seen = stack(windows(x, weight.shape[2:], stride, dilation), 2)
    n, c, k, h, w = seen.shape
    o = weight.shape[0]
    if groups > 1:
        seen = reshape(seen, (n, c // groups, groups, k, h * w)).transpose(1, 2)
    columns = reshape(seen, (n, groups, c // groups * k, h * w))
    out = reshape(weight, (groups, o // groups, c // groups * k)) @ columns
    return reshape(out, (n, o, h, w))


@mistake("spatial._sides", spec="test_conv2d_with_padding", says="shape")
def padding_the_other_way_round(padding, kernel, stride, dilation):
    """`pad` counts from the last axis backwards, and the rows are given first."""
    ph, pw = pair(padding, "padding")
    return ph, ph, pw, pw


@mistake("spatial._sides", spec="test_same_pads_the_odd_zero_at_the_end", says="[0, 0, 0, 0]")
def same_pads_the_odd_zero_first(padding, kernel, stride, dilation):
    """The odd zero comes before the picture."""
    h, w = dilation[0] * (kernel[0] - 1), dilation[1] * (kernel[1] - 1)
    return (w - w // 2, w // 2, h - h // 2, h // 2) if padding == "same" else (0, 0, 0, 0)


@mistake("spatial._sides", spec="test_same_keeps_height_and_width", says="shape")
def same_forgets_dilation(padding, kernel, stride, dilation):
    """Half a kernel is added, whatever it spans."""
    h, w = kernel[0] - 1, kernel[1] - 1
    return (w // 2, w - w // 2, h // 2, h - h // 2) if padding == "same" else (0, 0, 0, 0)


@mistake(
    "spatial._check_kernels", spec="test_conv2d_refuses_a_bias_of_another_shape", says="should hold (1,)"
)
def conv2d_takes_any_bias(x, weight, bias, groups):
    """The shape of the bias is not looked at: whatever happens, happens."""
    if weight.ndim != 4 or groups < 1 or x.shape[-3] != groups * weight.shape[1] or weight.shape[0] % groups:
        raise ValueError(f"x {x.shape}, weight {weight.shape} and groups={groups} do not fit")


@mistake("spatial._check_kernels", spec="test_conv2d_refuses_channels_that_do_not_fit", says="should hold")
def conv2d_says_nothing_of_use(x, weight, bias, groups):
    """NumPy's own message speaks of columns that the caller has never seen."""
    if x.shape[-3] != groups * weight.shape[1]:
        raise ValueError("matmul: operands could not be multiplied")


@mistake("spatial.conv2d", spec="test_one_picture_with_all_options", says="conv2d of one picture")
def one_picture_loses_its_bias(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The batch of one is made without the bias."""
    _check_kernels(x, weight, bias, groups)
    if x.ndim == 3:
        return squeeze(conv2d(unsqueeze(x, 0), weight, None, stride, padding, dilation, groups), 0)
    seen = stack(
        windows(
            pad(x, _sides(padding, weight.shape[2:], pair(stride, "s"), pair(dilation, "d"))),
            weight.shape[2:],
            stride,
            dilation,
        ),
        2,
    )
    n, c, k, h, w = seen.shape
    o, depth = weight.shape[0], c // groups * k
    out = reshape(weight, (groups, o // groups, depth)) @ reshape(seen, (n, groups, depth, h * w))
    out = reshape(out, (n, o, h, w))
    return out if bias is None else out + reshape(bias, (o, 1, 1))


@mistake("spatial.conv2d", spec="test_one_picture_with_all_options", says="groups=1")
def one_picture_loses_its_options(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The batch of one is made without stride, dilation and groups."""
    _check_kernels(x, weight, bias, groups)
    if x.ndim == 3:
        return squeeze(conv2d(unsqueeze(x, 0), weight, bias, 1, padding), 0)
    seen = stack(
        windows(
            pad(x, _sides(padding, weight.shape[2:], pair(stride, "s"), pair(dilation, "d"))),
            weight.shape[2:],
            stride,
            dilation,
        ),
        2,
    )
    n, c, k, h, w = seen.shape
    o, depth = weight.shape[0], c // groups * k
    out = reshape(weight, (groups, o // groups, depth)) @ reshape(seen, (n, groups, depth, h * w))
    out = reshape(out, (n, o, h, w))
    return out if bias is None else out + reshape(bias, (o, 1, 1))


# Pooling


@mistake(
    "spatial.max_pool2d",
    spec="test_padding_is_never_the_largest",
    says="max_pool2d(x, kernel_size, stride, padding)",
)
def max_pool_pads_with_zeros(x, kernel_size, stride=None, padding=0, dilation=1):
    """Padding is 0, and larger than every negative pixel."""
    _check_pictures(x)
    kernel = pair(kernel_size, "kernel_size")
    sides = _pool_sides(padding, kernel)
    best, *others = windows(pad(x, sides), kernel, kernel if stride is None else stride, dilation)
    for each in others:
        best = where((each > best) | isnan(each), each, best)
    return best


@mistake("spatial.max_pool2d", spec="test_padding_is_no_number_at_all", says="max_pool2d(x, 3, 1, 1)")
def max_pool_pads_with_a_small_number(x, kernel_size, stride=None, padding=0, dilation=1):
    """-1e9 is smaller than any pixel, as far as anybody knows."""
    _check_pictures(x)
    kernel = pair(kernel_size, "kernel_size")
    padded = pad(x, _pool_sides(padding, kernel), -1e9)
    best, *others = windows(padded, kernel, kernel if stride is None else stride, dilation)
    for each in others:
        best = where((each > best) | isnan(each), each, best)
    return best


@mistake("spatial.max_pool2d", spec="test_pools_refuse_options_out_of_range", says="nothing was raised")
def max_pool_takes_a_stride_of_zero_for_none(x, kernel_size, stride=None, padding=0, dilation=1):
    """`or` takes 0 for a stride that was not given."""
    _check_pictures(x)
    kernel = pair(kernel_size, "kernel_size")
    stride = stride or kernel_size
    best, *others = windows(pad(x, _pool_sides(padding, kernel), -math.inf), kernel, stride, dilation)
    for each in others:
        best = where((each > best) | isnan(each), each, best)
    return best


@mistake("spatial.avg_pool2d", spec="test_pools_refuse_options_out_of_range", says="nothing was raised")
def avg_pool_takes_a_stride_of_zero_for_none(
    x, kernel_size, stride=None, padding=0, *, count_include_pad=True
):
    """The same in the other pool."""
    _check_pictures(x)
    kernel = pair(kernel_size, "kernel_size")
    sides = _pool_sides(padding, kernel)
    stride = stride or kernel_size
    total = _sum(windows(pad(x, sides), kernel, stride))
    inside = pad(ones(x.shape[-2:], dtype=x.dtype, device=x.device), sides)
    count = kernel[0] * kernel[1] if count_include_pad else _sum(windows(inside, kernel, stride))
    return total / count


@mistake("spatial.max_pool2d", spec="test_a_window_with_a_nan_is_nan", says="with nan at")
def max_pool_loses_nan(x, kernel_size, stride=None, padding=0, dilation=1):
    """nan is not larger than anything: it is gone, unless it came first."""
    best, *others = windows(x, kernel_size, kernel_size if stride is None else stride, dilation)
    for each in others:
        best = where(each > best, each, best)
    return best


@mistake(
    "spatial.max_pool2d",
    spec="test_where_two_are_largest_the_first_gets_the_gradient",
    says="the gradient of",
)
def max_pool_halves(x, kernel_size, stride=None, padding=0, dilation=1):
    """`maximum` gives each of two equal pixels half."""
    kernel = pair(kernel_size, "kernel_size")
    best, *others = windows(
        pad(x, _pool_sides(padding, kernel), -math.inf), kernel, stride or kernel, dilation
    )
    for each in others:
        best = where(
            isnan(best) | (best > each), best, where(isnan(each) | (each > best), each, (each + best) / 2)
        )
    return best


@mistake(
    "spatial.max_pool2d",
    spec="test_where_two_are_largest_the_first_gets_the_gradient",
    says="the gradient of",
)
def max_pool_takes_the_last(x, kernel_size, stride=None, padding=0, dilation=1):
    """Of equal pixels the last one is chosen."""
    kernel = pair(kernel_size, "kernel_size")
    best, *others = windows(
        pad(x, _pool_sides(padding, kernel), -math.inf), kernel, stride or kernel, dilation
    )
    for each in others:
        best = where((each >= best) | isnan(each), each, best)
    return best


@mistake("spatial.max_pool2d", spec="test_max_pool2d_by_hand", says="shape")
def max_pool_steps_by_one(x, kernel_size, stride=None, padding=0, dilation=1):
    """The stride is 1 where none is given, as for conv2d."""
    best, *others = windows(x, kernel_size, 1 if stride is None else stride, dilation)
    for each in others:
        best = where((each > best) | isnan(each), each, best)
    return best


@mistake("spatial.max_pool2d", spec="test_max_pool2d_makes_a_new_tensor", says="shares memory")
def max_pool_gives_x_away(x, kernel_size, stride=None, padding=0, dilation=1):
    """With a kernel of one entry there is nothing to compare, and the window itself is returned."""
    best, *others = windows(x, kernel_size, kernel_size if stride is None else stride, dilation)
    for each in others:
        best = where((each > best) | isnan(each), each, best)
    return best


@mistake(
    "spatial.avg_pool2d", spec="test_padding_does_not_count", says="avg_pool2d(..., count_include_pad=False)"
)
def avg_pool_always_counts(x, kernel_size, stride=None, padding=0, *, count_include_pad=True):
    """count_include_pad is not looked at."""
    _check_pictures(x)
    kernel = pair(kernel_size, "kernel_size")
    sides = _pool_sides(padding, kernel)
    return _sum(windows(pad(x, sides), kernel, kernel if stride is None else stride)) / (
        kernel[0] * kernel[1]
    )


@mistake(
    "spatial._pool_sides", spec="test_pools_refuse_more_padding_than_half_a_kernel", says="nothing was raised"
)
def pools_take_any_padding(padding, kernel):
    """Windows of nothing but padding are let through: their maximum is -inf."""
    rows, columns = _padding(padding)
    return columns, columns, rows, rows


@mistake("spatial._parts", spec="test_parts_overlap_where_they_do_not_divide", says="expected 2.0")
def parts_do_not_overlap(size, n):
    """Each part ends where the next begins."""
    return [(i * size // n, (i + 1) * size // n) for i in range(n)]


@mistake(
    "spatial.adaptive_avg_pool2d", spec="test_a_part_with_an_inf_spoils_no_other", says="a warning was given"
)
def adaptive_by_matrices(x, output_size):
    """Means as products with matrices of zeros and shares: 0 times inf is nan."""
    rows, columns = pair(output_size, "output_size")
    sums = []
    for size, n in ((x.shape[-2], rows), (x.shape[-1], columns)):
        shares = zeros(n, size)
        for i, (start, end) in enumerate(_parts(size, n)):
            shares[i, start:end] = 1 / (end - start)
        sums.append(shares)
    return sums[0] @ x @ sums[1].T


# Normalisation


@mistake("spatial.batch_norm", spec="test_running_statistics_take_a_step", says="running_var")
def running_variance_is_biased(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """The running variance takes the one that was divided by n."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    batch_mean, batch_var = mean(x, axes, True), x.var(axes, 0, True)
    _move(running_mean, batch_mean.data, momentum)
    _move(running_var, batch_var.data, momentum)
    return (x - batch_mean) / sqrt(batch_var + eps)


@mistake("spatial.batch_norm", spec="test_batch_norm_by_hand", says="expected -1.0")
def batch_is_normalised_unbiased(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """The batch is normalised by the variance that was divided by n - 1."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    return (x - mean(x, axes, True)) / sqrt(x.var(axes, 1, True) + eps)


@mistake("spatial.batch_norm", spec="test_every_channel_is_normalised_alone", says="batch_norm(x)")
def normalised_over_the_batch_only(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Every pixel has a mean of its own over the batch."""
    return (x - mean(x, 0, True)) / sqrt(x.var(0, 0, True) + eps)


@mistake("spatial.batch_norm", spec="test_eps_is_added_to_the_variance", says="expected -0.5")
def eps_beside_the_root(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """eps is added to the deviation, after the root."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    return (x - mean(x, axes, True)) / (sqrt(x.var(axes, 0, True)) + eps)


@mistake("spatial.batch_norm", spec="test_a_large_mean_does_not_hide_the_variance", says="entries wrong")
def variance_of_squares(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """The mean of the squares less the square of the mean: two large numbers, and little between them."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    m = mean(x, axes, True)
    return (x - m) / sqrt(where(mean(x * x, axes, True) > m * m, mean(x * x, axes, True) - m * m, 0.0) + eps)


@mistake("spatial.batch_norm", spec="test_the_gradient_of_batch_norm_in_training", says="gradient of x")
def statistics_are_detached(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Mean and variance are taken for constants."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    m, v = mean(x, axes, True).detach(), x.var(axes, 0, True).detach()
    return (x - m) / sqrt(v + eps) * reshape(weight, m.shape[1:]) + reshape(bias, m.shape[1:])


@mistake("spatial.batch_norm", spec="test_one_running_statistic_may_be_missing", says="running_mean without")
def both_statistics_or_none(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Nothing takes a step where one of the two is missing."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    n = x.numel() // x.shape[1]
    batch_mean, batch_var = mean(x, axes, True), x.var(axes, 0, True)
    if running_mean is not None and running_var is not None:
        _move(running_mean, batch_mean.data, momentum)
        _move(running_var, batch_var.data * (n / (n - 1)), momentum)
    return (x - batch_mean) / sqrt(batch_var + eps)


@mistake("spatial._move", spec="test_running_statistics_take_a_step", says="running_mean")
def momentum_the_wrong_way_round(running, batch, momentum):
    """momentum as in an optimizer: how much of the old is kept."""
    if running is not None:
        running.data[...] = momentum * running.data + (1 - momentum) * batch.reshape(running.shape)


@mistake("spatial._move", spec="test_running_statistics_of_every_channel", says="the array of running_mean")
def running_statistics_are_replaced(running, batch, momentum):
    """A new array each time: who holds the old one sees nothing."""
    if running is not None:
        running.data = ((1 - momentum) * running.data + momentum * batch.reshape(running.shape)).astype(
            running.dtype
        )


@mistake("spatial._move", spec="test_running_statistics_of_every_channel", says="kata")
def running_statistics_forget_nothing(running, batch, momentum):
    """The batch is added to the sum of all, without weakening it."""
    if running is not None:
        running.data[...] = running.data + momentum * batch.reshape(running.shape)


# Modules


@mistake("spatial.Conv2d.reset_parameters", spec="test_kernels_start_small", says="a draw of")
def kernels_start_by_their_channels(self):
    """The bound looks at the channels and forgets the size of the kernel."""
    bound = 1 / math.sqrt(self.weight.shape[1])
    init.uniform_(self.weight, -bound, bound)
    if self.bias is not None:
        init.uniform_(self.bias, -bound, bound)


@mistake("spatial.Conv2d.reset_parameters", spec="test_kernels_follow_the_seed", says="after the same seed")
def kernels_ignore_the_seed(self):
    """NumPy's own generator, of which manual_seed knows nothing."""
    import numpy as np

    fan_in, _ = init.calculate_fan(self.weight)
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    for each in (self.weight, self.bias):
        if each is not None:
            each.data[...] = np.random.uniform(-bound, bound, each.shape)


@mistake("spatial.Conv2d.__init__", spec="test_a_layer_tells_what_it_is", says="no attribute padding_mode")
def layer_forgets_padding_mode(
    self,
    in_channels,
    out_channels,
    kernel_size,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    bias=True,
    padding_mode="zeros",
):
    """An argument that is checked and not kept."""
    self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
    self.kernel_size, self.stride = pair(kernel_size, "kernel_size"), pair(stride, "stride")
    self.padding = padding if isinstance(padding, str) else pair(padding, "padding")
    self.dilation = pair(dilation, "dilation")
    self.weight = Parameter(zeros(out_channels, in_channels // groups, *self.kernel_size))
    self.bias = Parameter(zeros(out_channels)) if bias else None
    self.reset_parameters()


@mistake("spatial.Conv2d.forward", spec="test_conv2d_layer_computes", says="the layer with")
def layer_forgets_dilation(self, x):
    """One option is not passed on."""
    return conv2d(x, self.weight, self.bias, self.stride, self.padding, 1, self.groups)


@mistake(
    "spatial.BatchNorm2d.forward", spec="test_a_refused_batch_is_not_remembered", says="num_batches_tracked"
)
def refused_batches_are_counted(self, x):
    """The count goes up before the batch is looked at."""
    if x.ndim != 4:
        raise ValueError(f"BatchNorm2d needs pictures (N, C, H, W), got {x.shape}")
    if self.num_batches_tracked is not None:
        self.num_batches_tracked.data[...] += 1
    return batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
    )


@mistake(
    "spatial.BatchNorm2d.forward", spec="test_batch_norm_layer_learns_and_then_remembers", says="in eval mode"
)
def always_in_training(self, x):
    """eval mode changes nothing."""
    if self.num_batches_tracked is not None:
        self.num_batches_tracked.data[...] += 1
    return batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, True, self.momentum, self.eps
    )


@mistake(
    "spatial.BatchNorm2d.forward", spec="test_without_momentum_all_batches_count_alike", says="running_mean"
)
def none_is_the_default(self, x):
    """momentum=None is taken for 0.1."""
    out = batch_norm(
        x,
        self.running_mean,
        self.running_var,
        self.weight,
        self.bias,
        self.training,
        self.momentum or 0.1,
        self.eps,
    )
    self.num_batches_tracked.data[...] += 1
    return out


@mistake("spatial.BatchNorm2d.forward", spec="test_batch_norm_layer_without_memory", says="running_mean")
def memory_is_taken_for_granted(self, x):
    """In eval mode there may be no running statistics to use."""
    return batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
    )


@mistake("spatial.BatchNorm2d.forward", spec="test_a_fresh_layer_can_be_looked_at", says="ZeroDivisionError")
def momentum_is_needed_for_looking(self, x):
    """momentum=None is worked out in eval mode too, where no batch is counted."""
    if x.ndim != 4:
        raise ValueError(f"BatchNorm2d needs pictures (N, C, H, W), got {x.shape}")
    count = self.num_batches_tracked
    momentum = self.momentum
    if momentum is None:
        momentum = 1 / (count.item() + self.training) if count is not None else 0.0
    training = self.training or self.running_mean is None
    out = batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps
    )
    if self.training and count is not None:
        count.data[...] += 1
    return out


@mistake("spatial.BatchNorm2d.forward", spec="test_a_momentum_of_zero_is_a_number", says="running_mean")
def no_momentum_is_none(self, x):
    """`not momentum`: 0.0 counts as None."""
    if x.ndim != 4:
        raise ValueError(f"BatchNorm2d needs pictures (N, C, H, W), got {x.shape}")
    count = self.num_batches_tracked
    momentum = self.momentum
    if not momentum:
        momentum = 1 / (1 + count.item()) if count is not None else 0.0
    training = self.training or self.running_mean is None
    out = batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps
    )
    if self.training and count is not None:
        count.data[...] += 1
    return out


@mistake(
    "spatial.BatchNorm2d.forward",
    spec="test_the_count_stays_a_buffer",
    says="the names in state_dict() after training",
)
def the_count_becomes_a_tensor(self, x):
    """A sum of a Buffer and 1 is a plain Tensor, and takes its place."""
    if x.ndim != 4:
        raise ValueError(f"BatchNorm2d needs pictures (N, C, H, W), got {x.shape}")
    count = self.num_batches_tracked
    momentum = self.momentum
    if momentum is None:
        momentum = 1 / (1 + count.item()) if count is not None else 0.0
    training = self.training or self.running_mean is None
    out = batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps
    )
    if self.training and count is not None:
        self.num_batches_tracked = count + 1
    return out
