"""Classic mistakes of kata 15: seconds counted twice, windows mixed up, kernels fast and wrong, or right and slow."""

from dojo.tree.mistakes import mistake

# Looking


@mistake(
    "acceleration.page_faults",
    spec="test_page_faults_are_what_the_system_counted",
    says="expected",
    swap=("ru_minflt", "ru_majflt"),
)
def faults_of_the_disk():
    """The pages that were read from the disk: mostly none."""


@mistake(
    "acceleration.page_faults",
    spec="test_where_the_system_does_not_tell_there_are_none",
    says="None",
    swap=("return None", "return 0"),
)
def faults_that_are_none():
    """0 where nobody knows."""


@mistake(
    "acceleration.new_arrays",
    spec="test_a_new_array_has_memory_of_its_own",
    says="view of x",
    swap=(" and id(_owner(each)) not in known", ""),
)
def everything_is_new():
    """Views of what was given count as new memory."""


@mistake(
    "acceleration.new_arrays",
    spec="test_a_view_of_something_new_is_new",
    says="new array",
    swap=("and id(_owner(each)) not in known", "and each.base is None and id(each) not in known"),
)
def no_view_is_new():
    """A transposed view of new memory does not count."""


@mistake(
    "acceleration.new_arrays",
    spec="test_results_are_arrays_tensors_and_tuples",
    says="Tensor",
    swap=("part.data if isinstance(part, Tensor) else part for part in parts", "part for part in parts"),
)
def arrays_only():
    """The memory of a Tensor is not seen."""


@mistake(
    "acceleration.Profile.__call__",
    spec="test_a_profile_adds_up_calls_and_seconds",
    says="what the observer returns",
    swap=("    return result", "    return None"),
)
def result_is_lost():
    """The observer swallows the result of the call."""


@mistake(
    "acceleration.Profile.__call__",
    spec="test_each_second_counts_once",
    says="seconds",
    swap=("seconds - self.inner.pop()", "seconds - 0 * self.inner.pop()"),
)
def seconds_count_twice():
    """The seconds of an inner call count for the outer one too."""


@mistake(
    "acceleration.Profile.__call__",
    spec="test_each_second_counts_once",
    says="seconds",
    swap=("self.inner[-1] += seconds", "self.inner[-1] = seconds"),
)
def only_the_last_inner_call():
    """Of several inner calls, only the last one is taken off."""


@mistake(
    "acceleration.Profile.__call__",
    spec="test_the_way_back_is_an_operation_of_its_own",
    says="mul_backward",
    swap=('f"{event.name}_backward" if event.kind == "rule" else event.name', "event.name"),
)
def rule_counts_as_its_operation():
    """Forward and backward are added to one number."""


@mistake(
    "acceleration.Profile.__call__",
    spec="test_a_call_that_raises_took_time_too",
    says="seconds",
    swap=[("try:", "if True:"), ("finally:", "if True:")],
)
def error_leaves_its_seconds():
    """A call that raises is not counted, and its caller keeps its seconds."""


@mistake(
    "acceleration.Profile.__call__",
    spec="test_new_memory_and_its_dtypes_are_added_up",
    says="bytes of mul",
    swap=("cost.nbytes += array.nbytes", "cost.nbytes += array.size"),
)
def numbers_for_bytes():
    """The numbers are counted, not their bytes."""


@mistake(
    "acceleration.profile",
    spec="test_profile_ends_with_an_error",
    says="after an error",
    swap=(
        """    try:
        yield seen
    finally:
        observers.remove(seen)""",
        """    yield seen
    observers.remove(seen)""",
    ),
)
def observer_stays_after_an_error():
    """An error leaves the observer in its place."""


@mistake(
    "acceleration.table",
    spec="test_a_table_of_what_took_longest",
    says="first words",
    swap=(", reverse=True", ""),
)
def table_from_below():
    """The shortest comes first."""


@mistake(
    "acceleration.table",
    spec="test_a_table_shows_only_so_many_rows",
    says="total",
    swap=("every = costs.values()", "every = [cost for _, cost in longest[:rows]]"),
)
def total_of_what_is_shown():
    """The total leaves out what is not shown."""


@mistake(
    "acceleration.table",
    spec="test_a_table_of_what_took_longest",
    says="the total",
    swap=("{name for each in every for name in each.dtypes}", "set()"),
)
def total_without_dtypes():
    """The total names no dtype."""


# Products


@mistake(
    "acceleration.add_product",
    spec="test_a_product_is_added",
    says="100 before",
    swap=("total = out[i, j]", "total = 0.0"),
)
def product_that_replaces():
    """What was in out is lost: blocks cannot add up."""


@mistake(
    "acceleration.add_product",
    spec="test_three_loops_and_the_cache",
    says="one entry of out after the other",
)
def product_row_by_row(a, b, out):
    """The loops in another order: quicker, but it does not show what is to be shown."""
    for i in range(a.shape[0]):
        for p in range(a.shape[1]):
            factor = a[i, p]
            for q in range(b.shape[1]):
                out[i, q] = out[i, q] + factor * b[p, q]


@mistake(
    "acceleration.add_product_in_blocks",
    spec="test_blocks_of_all_sizes",
    says="out, which was 1 before",
    swap=("for k in range(0, a.shape[1], block)", "for k in range(0, n, block)"),
)
def blocks_of_square_matrices():
    """The inner side is taken to be that of out."""


@mistake(
    "acceleration.add_product_in_blocks",
    spec="test_blocks_stay_in_the_cache",
    says="blocks fetch",
    swap=[
        ("a[i : i + block, k : k + block]", "a[i : i + block, 0 : a.shape[1]]"),
        ("b[k : k + block, j : j + block]", "b[0 : b.shape[0], j : j + block]"),
        ("for k in range(0, a.shape[1], block)", "for k in range(1)"),
    ],
)
def blocks_as_long_as_the_matrix():
    """Only out is cut into blocks: whole rows of a and columns of b do not fit into the cache."""


@mistake(
    "acceleration.add_product_in_blocks",
    spec="test_a_block_has_a_row",
    says="block",
    swap=("if block < 1:", "if block == 0:"),
)
def blocks_below_nothing():
    """A negative block does nothing, and nobody is told."""


# Columns


@mistake(
    "acceleration.Columns.im2col",
    spec="test_one_picture_after_the_other",
    says="matrix",
    swap=("return self.matrix", "return self.matrix.copy()"),
)
def columns_in_new_memory():
    """Each picture takes new memory."""


@mistake(
    "acceleration.Columns.im2col",
    spec="test_padding_is_zeros_and_strides_skip_places",
    says="columns",
    swap=("self.inside[...] = x", "self.padded[: x.shape[0], : x.shape[1]] = x"),
)
def picture_in_the_corner():
    """The picture is put into the corner of the padded one, and not in its middle."""


@mistake(
    "acceleration.Columns.col2im",
    spec="test_every_pixel_counts_its_places",
    says="seen",
    swap=("+= columns", "= columns"),
)
def last_place_counts():
    """Where windows overlap, the last one replaces the others."""


@mistake(
    "acceleration.Columns.col2im",
    spec="test_the_ways_there_and_back_do_not_meet",
    says="second time",
    swap=("self.total[...] = 0\n", "pass\n"),
)
def sums_of_all_calls():
    """The sums of one picture go on with those of the one before."""


@mistake(
    "acceleration.Columns.col2im",
    spec="test_the_ways_there_and_back_do_not_meet",
    says="after col2im",
)
def one_memory_for_both_ways(self, matrix):
    """The sums are written where im2col expects its zeros."""
    OH, OW, kh, kw, _ = self.shape
    self.padded[...] = 0
    for position in np.ndindex(kh, kw):
        rows = slice(position[0], position[0] + self.stride[0] * OH, self.stride[0])
        these = slice(position[1], position[1] + self.stride[1] * OW, self.stride[1])
        self.padded[rows, these] += matrix.reshape(self.shape)[:, :, position[0], position[1]]
    return self.inside


# What kernels share


@mistake(
    "acceleration.covered",
    spec="test_kernels_work_on_one_floating_point_dtype",
    says="covered",
    swap=("        if each is None:\n            continue\n", ""),
)
def none_is_not_covered():
    """Without a bias there is no kernel."""


@mistake(
    "acceleration.covered",
    spec="test_other_dtypes_are_not_covered",
    says="float16",
    swap=("dtype in (float32, float64)", "dtype is not None"),
)
def every_dtype_is_covered():
    """float16 and integers are taken too."""


@mistake(
    "acceleration.covered",
    spec="test_other_dtypes_are_not_covered",
    says="float32 and float64",
    swap=("each.dtype != dtype)", "each.dtype not in (float32, float64))"),
)
def two_dtypes_are_covered():
    """float32 and float64 together are taken."""


@mistake(
    "acceleration.covered",
    spec="test_other_things_are_not_covered",
    says="float32",
    swap=("type(each) is not np.ndarray", 'not hasattr(each, "dtype")'),
)
def whatever_has_a_dtype():
    """NumPy's numbers and what is no array of NumPy's are taken."""


@mistake(
    "acceleration.where_kept",
    spec="test_what_is_kept_and_what_is_not",
    says="kept",
)
def product_of_floats(kept, x, out=None):
    """0 * inf is nan."""
    return x * kept


@mistake(
    "acceleration.where_kept",
    spec="test_keeping_is_faster_than_choosing",
    says="faster",
)
def chosen_one_by_one(kept, x, out=None):
    """The choice itself: right, and slow."""
    return np.where(kept, x, x.dtype.type(0))


@mistake(
    "acceleration.where_kept",
    spec="test_kept_of_any_shape",
    says="view",
    swap=('f"i{x.itemsize}"', '"i4"'),
)
def float32_alone():
    """float64 has 8 bytes, and is read as integers of 4."""


# relu


@mistake(
    "acceleration.ReluKernel.forward",
    spec="test_relu_of_infinity_and_nan",
    says="nan",
    swap=("~(x <= 0)", "x > 0"),
)
def relu_hides_nan():
    """nan is not larger than 0, and becomes 0."""


@mistake(
    "acceleration.ReluKernel.forward",
    spec="test_relu_hands_back",
    says="hand it back",
    swap=(
        """    if not covered(x):
        return NotImplemented
""",
        "",
    ),
)
def relu_of_everything():
    """Integers are computed by the kernel too."""


@mistake(
    "acceleration.ReluKernel.forward",
    spec="test_relu_of_infinity_and_nan",
    says="gradient",
    swap=("~(x <= 0)", "~(x < 0)"),
)
def relu_lets_0_pass():
    """At 0 the gradient passes."""


@mistake(
    "acceleration.ReluKernel.backward",
    spec="test_relu_of_infinity_and_nan",
    says="nan",
    swap=("where_kept(kept, grad)", "grad * kept"),
)
def relu_makes_nan():
    """An infinite gradient becomes nan where x is negative."""


# linear


@mistake(
    "acceleration.LinearKernel.forward",
    spec="test_linear_by_hand",
    says="result",
    swap=(
        """    if bias is not None:
        out += bias
""",
        "",
    ),
)
def linear_forgets_the_bias():
    """The bias is not added."""


@mistake(
    "acceleration.LinearKernel.forward",
    spec="test_linear_refuses_as_before",
    says="hand them back",
    swap=(
        """    if bias is not None and bias.shape != weight.shape[:1]:
        return NotImplemented
""",
        "",
    ),
)
def linear_takes_every_bias():
    """A bias of another shape broadcasts, or NumPy complains."""


@mistake(
    "acceleration.LinearKernel.forward",
    spec="test_linear_of_infinity_and_nan",
    says="warning",
    swap=("@quiet\n", ""),
)
def linear_warns():
    """NumPy warns of infinity times 0."""


@mistake(
    "acceleration.LinearKernel.forward",
    spec="test_one_product_for_all_rows",
    says="called",
)
def linear_as_before(ctx, x, weight, bias=None):
    """The composition again, called from the kernel."""
    from tinytorch.tensor import Tensor

    ctx.save_for_backward(x, weight)
    product = (Tensor(x) @ Tensor(weight).T).data
    return product if bias is None else product + bias


@mistake(
    "acceleration.LinearKernel.backward",
    spec="test_linear_by_hand",
    says="gradient for bias",
    swap=("add_up(rows, 0)", "add_up(rows, 0) / 2"),
)
def linear_half_the_bias():
    """The gradient of the bias is half of what it is."""


@mistake(
    "acceleration.LinearKernel.backward",
    spec="test_only_the_gradients_that_are_wanted",
    says="which gradients",
    swap=("if ctx.needs_input_grad[0]:", "if True:"),
)
def linear_computes_everything():
    """The gradient for x is computed where nobody wants it: half of the work of the first layer."""


@mistake(
    "acceleration.LinearKernel.backward",
    spec="test_a_million_rows_keep_their_digits",
    says="gradient for bias",
    swap=("add_up(rows, 0)", "rows.sum(0)"),
)
def linear_loses_digits():
    """NumPy adds one row after the other."""


# cross entropy


@mistake(
    "acceleration.CrossEntropyKernel.forward",
    spec="test_large_logits_do_not_overflow",
    says="entries",
    swap=("input[rows, input.argmax(1), None]", "input.dtype.type(0)"),
)
def cross_entropy_overflows():
    """The largest logit is not subtracted."""


@mistake(
    "acceleration.CrossEntropyKernel.forward",
    spec="test_cross_entropy_refuses_as_before",
    says="hand it back",
    swap=(" or target.min() < 0", ""),
)
def cross_entropy_from_the_end():
    """A negative class counts from the end, as NumPy's indices do."""


@mistake(
    "acceleration.CrossEntropyKernel.forward",
    spec="test_cross_entropy_hands_back",
    says="hand it back",
    swap=("ignore_index >= 0 or ", ""),
)
def cross_entropy_ignores_nothing():
    """The class to be ignored counts."""


@mistake(
    "acceleration.CrossEntropyKernel.forward",
    spec="test_cross_entropy_is_what_it_was",
    says="result",
    swap=('1 / N if reduction == "mean" else 1.0', "1 / N"),
)
def cross_entropy_always_divides():
    """The sum is divided too."""


@mistake(
    "acceleration.CrossEntropyKernel.forward",
    spec="test_cross_entropy_needs_less_memory",
    says="MB",
    swap=("np.exp(e, out=e)", "e, ctx.z, ctx.input, ctx.more = np.exp(e), e, input.copy(), input * 1"),
)
def cross_entropy_keeps_it_all():
    """Whatever was computed is kept for backward."""


@mistake(
    "acceleration.CrossEntropyKernel.backward",
    spec="test_cross_entropy_by_hand",
    says="gradient",
    swap=("result[np.arange(len(target)), target] -= share\n", "pass\n"),
)
def cross_entropy_forgets_the_truth():
    """The gradient is what the model says, without what is true."""


@mistake(
    "acceleration.CrossEntropyKernel.backward",
    spec="test_a_gradient_for_each_loss",
    says="gradient",
    swap=("grad * ctx.share", "grad.sum() * ctx.share"),
)
def cross_entropy_one_gradient_for_all():
    """Every row gets the sum of the gradients."""


@mistake(
    "acceleration.CrossEntropyKernel.backward",
    spec="test_the_gradient_is_in_float32",
    says="float64",
    swap=[
        ("np.broadcast_to(grad * ctx.share, target.shape)", "grad * np.full(target.shape, ctx.share)"),
        (", out=empty(e.shape, e.dtype)", ""),
    ],
)
def cross_entropy_in_float64():
    """An array of shares in float64 makes everything float64."""


# gelu


@mistake(
    "acceleration.chunks",
    spec="test_chunks_cover_everything_once",
    says="numbers",
    swap=("range(0, size, step)", "range(0, size - step + 1, step)"),
)
def chunks_without_the_rest():
    """What is left over at the end is left out."""


@mistake(
    "acceleration.tanh_inside",
    spec="test_the_tanh_of_gelu_makes_no_other_array",
    says="allocated",
)
def tanh_with_temporaries(x, out):
    """The formula as it stands: a new array for every operation."""
    out[...] = np.tanh(SQRT_2_OVER_PI * (x + 0.044715 * (x * x * x)))


@mistake(
    "acceleration.tanh_inside",
    spec="test_the_tanh_of_gelu_in_place",
    says="out",
    swap=("out *= SQRT_2_OVER_PI * 0.044715", "out *= 0.044715"),
)
def tanh_of_another_polynomial():
    """The factor stands before one of the two terms only."""


@mistake(
    "acceleration.GeluKernel.forward",
    spec="test_gelu_hands_back",
    says="hand it back",
    swap=(' or approximate != "tanh"', ""),
)
def gelu_always_tanh():
    """The exact gelu is approximated too."""


@mistake(
    "acceleration.GeluKernel.forward",
    spec="test_gelu_needs_less_memory",
    says="MB",
    swap=("ctx.save_for_backward(x)", "ctx.save_for_backward(x); ctx.kept = [x * n for n in range(6)]"),
)
def gelu_keeps_it_all():
    """Everything between is kept for backward."""


@mistake(
    "acceleration.GeluKernel.backward",
    spec="test_gelu_by_hand",
    says="gradient",
    swap=("out *= upstream[part]", "pass"),
)
def gelu_without_upstream():
    """The upstream gradient is forgotten."""


@mistake(
    "acceleration.GeluKernel.backward",
    spec="test_gelu_by_hand",
    says="gradient",
    swap=("SQRT_2_OVER_PI * 3 * 0.044715", "SQRT_2_OVER_PI * 0.044715"),
)
def gelu_with_another_slope():
    """The derivative of x * x * x without its 3."""


# layer norm


@mistake(
    "acceleration.LayerNormKernel.forward",
    spec="test_layer_norm_of_random_rows",
    says="result",
    swap=("/ n + eps", "/ (n - 1) + eps"),
)
def layer_norm_of_a_sample():
    """The variance is divided by n - 1."""


@mistake(
    "acceleration.LayerNormKernel.forward",
    spec="test_layer_norm_refuses_as_before",
    says="error is layer_norm's own",
    swap=(" or shapes != {shape}", " or x.shape[x.ndim - len(shape) :] != shape"),
)
def layer_norm_takes_every_weight():
    """The shape of weight and bias is not checked."""


@mistake(
    "acceleration.LayerNormKernel.forward",
    spec="test_layer_norm_hands_back",
    says="hand it back",
    swap=("x.size == 0 or ", ""),
)
def layer_norm_of_nothing():
    """An x without entries is divided by."""


@mistake(
    "acceleration.LayerNormKernel.forward",
    spec="test_layer_norm_hands_back",
    says="hand it back",
    swap=("covered(x, weight, bias)", "covered(x, weight)"),
)
def layer_norm_rounds_the_bias():
    """A bias in float64 is rounded to float32."""


@mistake(
    "acceleration.CrossEntropyKernel.forward",
    spec="test_cross_entropy_hands_back",
    says="hand it back",
    swap=("ignore_index >= 0", "ignore_index > 0"),
)
def class_0_is_never_ignored():
    """ignore_index=0 is not seen."""


@mistake(
    "acceleration.LayerNormKernel.backward",
    spec="test_layer_norm_is_what_it_was",
    says="gradient of x",
    swap=("result -= add_up(h, 1, keepdims=True) / n\n", "pass\n"),
)
def layer_norm_forgets_the_mean():
    """The mean is taken for a constant."""


@mistake(
    "acceleration.LayerNormKernel.backward",
    spec="test_layer_norm_of_random_rows",
    says="gradient of x",
    swap=("result *= ctx.scale", "result *= 1"),
)
def layer_norm_forgets_the_scale():
    """The division is forgotten."""


@mistake(
    "acceleration.LayerNormKernel.backward",
    spec="test_layer_norm_computes_the_gradients_that_are_wanted",
    says="which gradients",
    swap=("if ctx.needs_input_grad[2]:", "if weight is not None:"),
)
def layer_norm_computes_everything():
    """The gradient for weight is computed where nobody wants it."""


# Convolution


@mistake(
    "acceleration.conv2d_forward",
    spec="test_a_convolution_number_by_number",
    says="with a bias",
    swap=("weight.transpose(2, 3, 1, 0).reshape(kh * kw * C, K)", "weight.reshape(K, kh * kw * C).T"),
)
def kernels_channel_by_channel():
    """The rows of the kernels are in the order of weight's memory, and not in that of the columns."""


@mistake(
    "acceleration.conv2d_forward",
    spec="test_many_channels_come_last_in_memory",
    says="order of the axes",
    swap=("return channels_first(out)", "return np.ascontiguousarray(channels_first(out))"),
)
def convolution_copied():
    """The result is copied into the usual order."""


@mistake(
    "acceleration.conv2d_weight",
    spec="test_both_gradients_belong_to_the_convolution",
    says="change of weight",
    swap=("total += columns", "total = columns"),
)
def weight_of_the_last_picture():
    """Only the last picture counts."""


@mistake(
    "acceleration.conv2d_input",
    spec="test_both_gradients_belong_to_the_convolution",
    says="change of x",
    swap=("weight.transpose(0, 2, 3, 1).reshape(K, kh * kw * C)", "weight.reshape(K, kh * kw * C)"),
)
def input_channel_by_channel():
    """The kernels are in the order of weight's memory, and not in that of the columns."""


@mistake(
    "acceleration.conv2d_gradients",
    spec="test_both_gradients_at_once",
    says="gradient for x",
    swap=("weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)", "weight.transpose(2, 3, 0, 1)"),
)
def weight_is_not_turned():
    """The weight is used as it stands."""


@mistake(
    "acceleration.conv2d_gradients",
    spec="test_both_gradients_at_once",
    says="gradient for weight",
    swap=(".transpose(2, 3, 0, 1)[:, :, ::-1, ::-1]", ".transpose(2, 3, 0, 1)"),
)
def gradient_is_not_turned_back():
    """The gradient for the turned weight is returned."""


@mistake(
    "acceleration.Conv2dKernel.forward",
    spec="test_conv2d_hands_back",
    says="hand it back",
    swap=('pair(dilation, "dilation") != (1, 1)', "False"),
)
def convolution_without_dilation():
    """Dilation is ignored."""


@mistake(
    "acceleration.Conv2dKernel.forward",
    spec="test_conv2d_hands_back",
    says="hand it back",
    swap=("covered(x, weight, bias)", "covered(x, weight)"),
)
def convolution_rounds_the_bias():
    """A bias in float64 is rounded to float32."""


@mistake(
    "acceleration.Conv2dKernel.forward",
    spec="test_conv2d_hands_back_shapes_that_do_not_fit",
    says="hand it back",
    swap=("    if bias is not None and bias.shape != weight.shape[:1]:\n        return NotImplemented\n", ""),
)
def convolution_with_one_bias():
    """A bias of one number is added to all channels."""


@mistake(
    "acceleration.Conv2dKernel.backward",
    spec="test_conv2d_of_infinity_and_nan",
    says="gradient of weight",
    swap=("if np.isfinite(for_weight).all():", "if True:"),
)
def convolution_spreads_nan():
    """The zeros of the padding meet infinity, and their products are nan."""


@mistake(
    "acceleration.Conv2dKernel.backward",
    spec="test_where_the_gradients_do_not_come_together",
    says="stride = (1, 2)",
    swap=("ctx.stride == (1, 1) and", "ctx.stride[0] == 1 and"),
)
def convolution_looks_at_one_stride():
    """Only one of the two strides is looked at."""


@mistake(
    "acceleration.Conv2dKernel.backward",
    spec="test_where_the_gradients_do_not_come_together",
    says="padding must be 0 or more",
    swap=(" and ctx.padding[1] < kernel[1]", ""),
)
def convolution_looks_at_one_padding():
    """Only the padding of rows is compared with the kernel."""


@mistake(
    "acceleration.Conv2dKernel.backward",
    spec="test_the_first_layer_needs_no_gradient_for_pictures",
    says="which gradients",
    swap=("wanted[0] and wanted[1] and together", "together"),
)
def convolution_computes_everything():
    """The gradient for the pictures is computed in the first layer too."""


# Pooling


@mistake(
    "acceleration.MaxPool2dKernel.forward",
    spec="test_nan_is_handed_back",
    says="hand it back",
    swap=(
        """    if np.isnan(out.sum()):
        return NotImplemented
""",
        "",
    ),
)
def pool_keeps_nan():
    """nan is pooled, and its gradient goes nowhere."""


@mistake(
    "acceleration.MaxPool2dKernel.forward",
    spec="test_max_pool2d_is_what_it_was",
    says="result",
    swap=("kernel if stride is None", "(1, 1) if stride is None"),
)
def pool_steps_by_one():
    """Without a stride, windows overlap."""


@mistake(
    "acceleration.MaxPool2dKernel.backward",
    spec="test_the_first_of_equal_ones_gets_the_gradient",
    says="gradient",
    swap=(" & free", ""),
)
def pool_gives_to_all():
    """Every pixel that equals the largest gets the whole gradient."""


@mistake(
    "acceleration.MaxPool2dKernel.backward",
    spec="test_windows_that_overlap_add_up",
    says="gradient",
    swap=("if sh < kh or sw < kw:", "if False:"),
)
def pool_overwrites():
    """Where windows overlap, the last one replaces the others."""


@mistake(
    "acceleration.MaxPool2dKernel.backward",
    spec="test_max_pool2d_of_infinity",
    says="nan",
    swap=("where_kept(largest, grad[part], gradients)", "gradients[...] = grad[part] * largest"),
)
def pool_makes_nan():
    """An infinite gradient makes nan of its neighbours."""


@mistake(
    "acceleration.MaxPool2dKernel.backward",
    spec="test_max_pool2d_of_many_pictures",
    says="gradient of x",
    swap=("for part in chunks(len(x), step):", "for part in chunks(min(len(x), step), step):"),
)
def pool_stops_after_the_first_part():
    """Only the first pictures get gradients."""


# Memory


@mistake(
    "acceleration.rounded",
    spec="test_sizes_of_blocks",
    says="rounded(65_536)",
    swap=("-(-nbytes // step)", "(nbytes // step + 1)"),
)
def rounded_always_up():
    """A size that is its own block gets a larger one."""


@mistake(
    "acceleration.rounded",
    spec="test_sizes_of_blocks",
    says="rounded(65_537)",
    swap=("- 4)", "- 1)"),
)
def rounded_to_powers_of_two():
    """Blocks are powers of two, and up to half of one is wasted."""


@mistake(
    "acceleration.rounded",
    spec="test_sizes_waste_little",
    says="which is no multiple",
    swap=("return -(-nbytes // step) * step", "return -(-nbytes // 8192) * 8192"),
)
def rounded_by_a_fixed_step():
    """The step does not grow with the size: large arrays share nothing."""


@mistake(
    "acceleration.empty",
    spec="test_a_view_keeps_the_memory",
    says="is still there, and its memory was lent",
    swap=("bytearray(size)", "np.empty(size, np.uint8)"),
)
def empty_over_an_array():
    """The block is an array: views refer to it, and not to the array that was lent."""


@mistake(
    "acceleration.empty",
    spec="test_live_arrays_have_memory_of_their_own",
    says="lent again",
    swap=("blocks.pop() if blocks", "blocks[-1] if blocks"),
)
def empty_leaves_the_block_in_the_pool():
    """A lent block stays in the list."""


@mistake(
    "acceleration.empty",
    spec="test_memory_is_lent_again",
    says="new memory",
    swap=("    weakref.finalize(array, blocks.append, block).atexit = False\n", ""),
)
def empty_never_gets_anything_back():
    """Nobody tells the pool that an array is gone."""


@mistake(
    "acceleration.empty",
    spec="test_arrays_of_nearly_the_same_size_share_a_block",
    says="new memory",
    swap=("size = rounded(nbytes)", "size = nbytes"),
)
def empty_by_exact_size():
    """A block serves arrays of exactly its size only."""


@mistake(
    "acceleration.empty",
    spec="test_idle_memory_is_bounded",
    says="with IDLE",
    swap=("if not blocks and sum(", "if False and sum("),
)
def empty_keeps_everything():
    """Blocks that nobody needs any more stay for ever."""


@mistake(
    "acceleration.empty",
    spec="test_a_new_block_leaves_the_others_alone",
    says="given up",
    swap=(
        "if not blocks and sum(each * len(free) for each, free in pool.free.items()) > IDLE:",
        "if not blocks:",
    ),
)
def empty_gives_up_all_others():
    """Each new block costs all that are free."""


@mistake(
    "acceleration.empty",
    spec="test_memory_is_lent_again",
    says="SMALL bytes",
    swap=("if nbytes < SMALL:", "if nbytes <= SMALL:"),
)
def empty_of_more_than_small():
    """The smallest block is never lent."""


@mistake(
    "acceleration.empty",
    spec="test_an_array_may_die_in_another_thread",
    says="thread that dropped it",
    swap=(
        "weakref.finalize(array, blocks.append, block)",
        "weakref.finalize(array, lambda: pool.free[size].append(block))",
    ),
)
def empty_gives_back_to_whoever_drops_it():
    """The block goes to the pool of the thread that drops the array."""


@mistake(
    "acceleration.empty",
    spec="test_each_thread_has_a_pool_of_its_own",
    says="another one",
    swap=("blocks = pool.free[size]", "blocks = empty.__dict__.setdefault(size, [])"),
)
def empty_of_all_threads():
    """One pool for all threads."""


@mistake(
    "acceleration.empty",
    spec="test_empty_is_an_ordinary_array",
    says="not iterable",
    swap=("shape if isinstance(shape, int) else math.prod(shape)", "math.prod(shape)"),
)
def empty_without_a_number():
    """A shape that is one number is not understood."""


@mistake(
    "acceleration.empty_cache",
    spec="test_empty_cache_gives_up_what_is_free",
    says="was not lent again",
    swap=("    for blocks in pool.free.values():\n        blocks.clear()", "    pool.free.clear()"),
)
def empty_cache_forgets_the_lists():
    """The lists themselves are dropped, and what is lent now comes back to lists that nobody looks into."""


@mistake(
    "acceleration.empty",
    spec="test_nothing_comes_back_when_the_program_ends",
    says="at exit",
    swap=("block).atexit = False", "block)"),
)
def empty_gives_back_at_exit():
    """When the program ends, memory that is still in use goes back to the pool."""


# Tiles


@mistake(
    "acceleration.tile_scores",
    spec="test_a_causal_tile_leaves_its_future_out",
    says="the scores of queries 0, 1 and 2",
    swap=("last = scores[..., start:]", "last = scores[..., start + 1 :]"),
)
def tile_sees_the_next():
    """Each query sees one key of its future."""


@mistake(
    "acceleration.tile_scores",
    spec="test_a_causal_tile_leaves_its_future_out",
    says="where mask",
    swap=("last = scores[..., start:]", "last = scores"),
)
def tile_counts_from_0():
    """Every tile is masked as if it were the first one."""


@mistake(
    "acceleration.tile_scores",
    spec="test_a_mask_of_a_tile",
    says="with a mask of numbers",
    swap=("scores += mask[..., start : start + TILE, :]", "scores += mask[..., : scores.shape[-2], :]"),
)
def tile_adds_the_first_rows():
    """Numbers are added from the first rows of the mask, whatever the tile."""


@mistake(
    "acceleration.tile_scores",
    spec="test_a_mask_of_a_tile",
    says="with a boolean mask",
    swap=("where=~mask", "where=mask"),
)
def tile_hides_what_may_be_seen():
    """True is taken for hidden."""


@mistake(
    "acceleration.attend",
    spec="test_a_blind_query_gets_0",
    says="warning",
    swap=("top[top == -math.inf] = 0", "pass"),
)
def attend_subtracts_infinity():
    """-inf - -inf is nan."""


@mistake(
    "acceleration.attend",
    spec="test_a_blind_query_gets_0",
    says="divide",
    swap=("count[count == 0] = 1", "pass"),
)
def attend_divides_by_0():
    """A blind query has the sum 0, and 0 / 0 is nan."""


@mistake(
    "acceleration.attend",
    spec="test_large_scores_do_not_overflow",
    says="the sum of exp",
    swap=("largest[tile], total[tile] = top, count", "largest[tile], total[tile] = top + np.log(count), 1"),
)
def attend_saves_a_logarithm():
    """The logarithm of the sum is added to the largest score, and rounded away."""


@mistake(
    "acceleration.attend",
    spec="test_large_scores_do_not_overflow",
    says="overflow",
    swap=("scores -= top", "top[...] = 0"),
)
def attend_overflows():
    """The largest score is not subtracted."""


@mistake(
    "acceleration.attend",
    spec="test_attend_goes_through_all_tiles",
    says="the result",
    swap=("range(0, q.shape[-2], TILE)", "range(0, q.shape[-2] - TILE + 1, TILE)"),
)
def attend_drops_the_rest():
    """Queries of a tile that is not full are left out."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of k",
    swap=("dk[..., keys, :] += ds", "dk[..., keys, :] = ds"),
)
def backward_keeps_the_last_tile():
    """Each tile overwrites what the tiles before it gave to the keys."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of",
    swap=("ds -= np.vecdot(p, ds)[..., None]", "pass"),
)
def backward_forgets_the_sum():
    """The softmax is taken for an exponential: its sum has a gradient too."""


@mistake(
    "acceleration.LinearKernel.forward",
    spec="test_one_product_for_all_rows",
    says="in place",
    swap=("out += bias\n", "out = out + bias\n"),
)
def linear_with_a_second_result():
    """The bias is added to a copy of the result."""


@mistake(
    "acceleration.LinearKernel.forward",
    spec="test_linear_hands_back_other_dtypes",
    says="hand them back",
    swap=("covered(x, weight, bias)", "covered(x, weight)"),
)
def linear_rounds_the_bias():
    """A bias in float64 is rounded to float32."""


@mistake(
    "acceleration.side_by_side",
    spec="test_arrays_side_by_side",
    says="expected a Buffer",
    swap=(
        "Buffer(sum(each.size for each in arrays), arrays[0].dtype)",
        "np.empty(sum(each.size for each in arrays), arrays[0].dtype).view(Buffer)",
    ),
)
def buffer_by_a_view():
    """A view as Buffer: NumPy makes the array below it the base of the pieces."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_large_scores",
    says="composed",
    swap=("np.vecdot(p, ds)[..., None]", "np.vecdot(p @ v[..., keys, :], grad[tile])[..., None]"),
)
def backward_takes_the_sum_from_the_output():
    """The same sum, from the result and its gradient: where one weight is 1, it does not cancel."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of",
    swap=("p /= total[tile]", "pass"),
)
def backward_forgets_to_divide():
    """The exponentials are taken for the weights."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of",
    swap=("dk[...], dv[...] = 0, 0", "dk[...] = 0"),
)
def backward_adds_to_what_is_there():
    """dv begins with whatever stands in the memory."""


@mistake(
    "acceleration.TiledAttention.forward",
    spec="test_the_function_has_the_gradients_of_the_composition",
    says="result",
    swap=("q = query * query.dtype.type(scale)", "q = query / query.dtype.type(math.sqrt(query.shape[-1]))"),
)
def kernel_with_its_own_scale():
    """The scale that is given does not count."""


@mistake(
    "acceleration.TiledAttention.forward",
    spec="test_merging_the_heads_copies_nothing",
    says="the strides are",
    swap=("like_heads(", "np.empty("),
)
def kernel_with_ordinary_memory():
    """The result lies head by head, and merging the heads copies it."""


@mistake(
    "acceleration.TiledAttention.forward",
    spec="test_memory_grows_with_the_length",
    says="MB for 2048",
    swap=("ctx.mask, ctx.is_causal", "ctx.weights = q @ key.swapaxes(-1, -2)\n    ctx.mask, ctx.is_causal"),
)
def kernel_keeps_the_scores():
    """All scores are kept, for later."""


@mistake(
    "acceleration.TiledAttention.backward",
    spec="test_the_function_has_the_gradients_of_the_composition",
    says="the gradient of query",
    swap=("    dq *= query.dtype.type(ctx.scale)\n", ""),
)
def kernel_forgets_the_scale():
    """The gradient for the scaled query is taken for that of the query."""


@mistake(
    "acceleration.like_heads",
    spec="test_memory_lies_as_merge_heads_reads_it",
    says="the strides are",
    swap=("return empty((*lead, T, H, E), dtype).swapaxes(-3, -2)", "return empty(shape, dtype)"),
)
def heads_in_ordinary_memory():
    """The memory has the order of the axes."""


@mistake(
    "acceleration.like_heads",
    spec="test_memory_lies_as_merge_heads_reads_it",
    says="one sample",
    swap=("if len(shape) < 3:", "if len(shape) < 4:"),
)
def heads_of_batches_only():
    """Without a batch the heads lie in ordinary memory."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_fits_the_tiles",
    says="a mask that learns",
    swap=("mask.requires_grad or ", ""),
)
def tiles_for_a_mask_that_learns():
    """The mask gets no gradient, and nobody says so."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_fits_the_tiles",
    says="a sum of values",
    swap=("score < limit and key.shape[-2] * v < limit", "score < limit and v < limit"),
)
def tiles_for_large_values():
    """Values whose sum overflows before it is divided are taken."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_fits_the_tiles",
    says="scores that overflow",
    swap=("score < limit and key.shape[-2] * v < limit", "math.isfinite(q + k + v)"),
)
def tiles_for_finite_inputs():
    """All entries are finite, but their products are not."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_fits_the_tiles",
    says="negative",
    swap=("max(each.data.max(), -each.data.min())", "each.data.max()"),
)
def tiles_for_large_negative_numbers():
    """The largest number is taken for the largest absolute one."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_fits_the_tiles",
    says="what fits is refused",
    swap=("side not in (1, whole)", "side != whole"),
)
def tiles_for_whole_masks_only():
    """A mask that broadcasts is refused."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_fits_the_tiles",
    says="a sum of features",
    swap=("query.shape[-1] * q * max(k, 1)", "q * max(k, 1)"),
)
def tiles_for_one_feature():
    """A score is taken for one product, and it is a sum."""


@mistake(
    "acceleration.attention_in_tiles",
    spec="test_what_the_kernel_leaves_to_the_composition",
    says="by their scale",
    swap=("attn_mask, 1.0 if scale is None else scale)", "attn_mask)"),
)
def tiles_for_any_scale():
    """The scale is not looked at."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_fits_the_tiles",
    says="float16",
    swap=("query.dtype not in (np.float32, np.float64) or ", ""),
)
def tiles_for_halves():
    """float16 is computed in float16."""


@mistake(
    "acceleration.attention_in_tiles",
    spec="test_what_the_kernel_leaves_to_the_composition",
    says="dropout",
    swap=("if dropout_p or (", "if ("),
)
def tiles_without_dropout():
    """Dropout is forgotten."""


@mistake(
    "acceleration.attention_in_tiles",
    spec="test_the_kernel_is_the_composition",
    says="entries wrong",
    swap=("if scale is None else float(scale)", ""),
)
def tiles_with_the_usual_scale():
    """Whatever scale is given, the usual one is taken."""


# Flat


@mistake(
    "acceleration.side_by_side",
    spec="test_a_buffer_dies_with_its_pieces",
    says="still there",
    swap=("[weakref.ref(each) for each in copies]", "[lambda each=each: each for each in copies]"),
)
def buffer_holds_its_pieces():
    """Buffer and pieces hold each other, and nothing ever frees them."""


@mistake(
    "acceleration.side_by_side",
    spec="test_arrays_side_by_side",
    says="piece",
    swap=("offset += each.nbytes", "offset += each.size"),
)
def offsets_in_entries():
    """The offset is counted in entries, not in bytes: pieces overlap."""


@mistake(
    "acceleration.side_by_side",
    spec="test_arrays_side_by_side",
    says="is a Buffer",
    swap=(
        "np.ndarray(each.shape, each.dtype, buffer, offset)",
        "buffer[offset // each.itemsize :][: each.size].reshape(each.shape)",
    ),
)
def pieces_are_buffers():
    """Slices of a Buffer are Buffers, and so is all that is computed from them."""


@mistake(
    "acceleration.behind",
    spec="test_only_the_pieces_themselves_have_something_behind",
    says="another order",
    swap=("return buffer.view(np.ndarray) if same else None", "return buffer.view(np.ndarray)"),
)
def behind_any_views():
    """One base is enough: pieces in another order are taken for the buffer."""


@mistake(
    "acceleration.behind",
    spec="test_only_the_pieces_themselves_have_something_behind",
    says="a part",
    swap=(" or len(buffer.pieces) != len(arrays)", ""),
)
def behind_a_part():
    """A list that is shorter than the buffer passes."""


@mistake(
    "acceleration.flatten",
    spec="test_flatten_moves_parameters_and_state",
    says="exp_avg is not side by side",
    swap=("    optimizer.load_state_dict(optimizer.state_dict())", "    pass"),
)
def flatten_only_parameters():
    """The state stays where it was, and no step is flat."""


@mistake(
    "acceleration.flatten",
    spec="test_flatten_keeps_parameters_and_state",
    says="parameter",
    swap=(
        "side_by_side([each.data for each in params])",
        "zeros_side_by_side([each.data for each in params])",
    ),
)
def flatten_to_zeros():
    """The parameters get a place, and lose their values."""


@mistake(
    "acceleration.flatten",
    spec="test_parameters_of_two_dtypes_do_not_fit_one_buffer",
    says="too small",
    swap=("if len(kinds) > 1:", "if False:"),
)
def flatten_mixes_dtypes():
    """float64 parameters become float32."""


@mistake(
    "acceleration.flatten",
    spec="test_parameters_that_share_memory_are_not_torn_apart",
    says="nothing was raised",
    swap=(
        "    _refuse_shared([each for params in groups for each in params if isinstance(each.data, np.ndarray)])\n",
        "",
    ),
)
def flatten_tears_apart():
    """Parameters that share memory get a piece each."""


@mistake(
    "acceleration.flatten",
    spec="test_parameters_that_share_memory_are_not_torn_apart",
    says="nothing was raised",
    swap=(
        "_refuse_shared([each for params in groups for each in params if isinstance(each.data, np.ndarray)])",
        "[_refuse_shared(params) for params in groups]",
    ),
)
def flatten_looks_into_one_group_at_a_time():
    """Two groups over one memory are torn apart."""


@mistake(
    "acceleration.flatten",
    spec="test_parameters_may_lie_between_each_other",
    says="share memory",
    swap=(
        "_refuse_shared([each for params in groups for each in params if isinstance(each.data, np.ndarray)])",
        """_refuse_shared([each for params in groups for each in params])
    if any(np.may_share_memory(params[0].data, each.data) for params in groups for each in params[1:]):
        raise ValueError("parameters share memory")""",
    ),
)
def flatten_compares_bounds_only():
    """Parameters whose entries take turns are refused, although they share none."""


@mistake(
    "acceleration.zeros_side_by_side",
    spec="test_zeros_side_by_side",
    says="array 0",
    swap=("        each[...] = 0\n", "        pass\n"),
)
def zeros_that_are_copies():
    """The copies keep their entries."""


@mistake(
    "acceleration.zeros_side_by_side",
    spec="test_zeros_side_by_side",
    says="out of range",
    swap=("if not arrays or not all(", "if not all("),
)
def zeros_of_nothing():
    """Without an array there is no dtype."""


@mistake(
    "acceleration.gathered",
    spec="test_gradients_are_gathered",
    says="gradients in float64",
    swap=("g.dtype != dtype or ", ""),
)
def gathered_and_cast():
    """Gradients of another dtype are cast in silence."""


@mistake(
    "acceleration.gathered",
    spec="test_gradients_are_gathered",
    says="gathered gradients",
    swap=(
        "flat = empty(sum(each.size for each in params), dtype)",
        "flat = empty(sum(each.size for each in params))",
    ),
)
def gathered_in_float32():
    """float64 gradients are rounded to float32."""


@mistake(
    "acceleration.blocks",
    spec="test_blocks_cover_everything",
    says="the blocks of a",
    swap=("range(0, len(arrays[0]), BLOCK)", "range(0, len(arrays[0]) - BLOCK, BLOCK)"),
)
def blocks_without_the_last():
    """The end of the arrays is left out."""


@mistake(
    "acceleration.adam_flat",
    spec="test_adam_hands_back_what_is_not_flat",
    says="steps",
    swap=(" or len(set(steps)) > 1", ""),
)
def adam_with_one_step_for_all():
    """Parameters that joined later are corrected as if they were there from the start."""


@mistake(
    "acceleration.adam_flat",
    spec="test_adam_moves_all_together",
    says="params[0]",
    swap=("t /= math.sqrt(correction2)\n        t += eps", "t += eps\n        t /= math.sqrt(correction2)"),
)
def adam_corrects_eps():
    """eps is added before the correction."""


@mistake(
    "acceleration.adam_flat",
    spec="test_a_buffer_longer_than_a_block",
    says="shape",
    swap=("t = scratch[: p_.size]", "t = scratch"),
)
def adam_with_full_blocks_only():
    """The last block is shorter than the scratch array."""


@mistake(
    "acceleration.sgd_flat",
    spec="test_sgd_moves_all_together",
    says="params[0]",
    swap=("        if first:\n            buffer_[...] = g_\n        else:\n", "        if True:\n"),
)
def sgd_damps_the_first_step():
    """The first buffer is momentum times whatever is there, plus a damped gradient."""


@mistake(
    "acceleration.sgd_flat",
    spec="test_sgd_hands_back_what_is_not_flat",
    says="float64 gradients",
    swap=("gathered(grads, params)", "np.concatenate([each.ravel() for each in grads])"),
)
def sgd_takes_all_gradients():
    """Gradients of another dtype are taken as they come."""


@mistake(
    "acceleration.sgd_flat",
    spec="test_sgd_hands_back_what_is_not_flat",
    says="no momentum",
    swap=("behind(params) if momentum else None", "behind(params)"),
)
def sgd_flat_without_momentum():
    """Without momentum a buffer is made, and the caller's list is changed."""


# Forget and compute again


@mistake(
    "acceleration.generator_again",
    spec="test_a_generator_can_draw_again",
    says="second generator",
    swap=(
        "partial(copy.deepcopy, copy.deepcopy(generator))",
        "partial(lambda each: each, copy.deepcopy(generator))",
    ),
)
def generator_again_once():
    """The same generator each time: the second pass draws on."""


@mistake(
    "acceleration.generator_again",
    spec="test_dropout_drops_the_same_again",
    says="the gradient, where 0 or 2",
    swap=("copy.deepcopy(generator))", "generator)"),
)
def generator_again_too_late():
    """The generator is copied when it has drawn already."""


@mistake(
    "acceleration.generator_again",
    spec="test_dropout_on_a_device",
    says="the gradient",
    swap=("    generators[device] = make()\n", ""),
)
def generator_again_on_the_cpu_only():
    """On a GPU the first pass draws from another generator than the second."""


@mistake(
    "acceleration.drawing_from_again",
    spec="test_generators_are_exchanged_for_a_while",
    says="after an error",
    swap=(
        "    try:\n        yield\n    finally:\n        generators.clear()\n        generators.update(before)",
        "    yield\n    generators.clear()\n    generators.update(before)",
    ),
)
def generators_lost_by_an_error():
    """After an error the generators stay exchanged."""


@mistake(
    "acceleration.leaves_below",
    spec="test_what_is_older_is_not_below",
    says="nothing was raised",
    swap=("node.number <= older", "node.number < older"),
)
def leaves_below_the_node_itself():
    """The Node that has the number `older` is let through."""


@mistake(
    "acceleration.leaves_below",
    spec="test_what_is_older_is_not_below",
    says="nothing was raised",
    swap=("node.number <= older", "node.number < 0"),
)
def leaves_of_anything():
    """Nobody asks where a Tensor was computed."""


@mistake(
    "acceleration.leaves_below",
    spec="test_the_leaves_below_an_output",
    says="their number",
    swap=(
        "list(dict.fromkeys(each for each in reached if isinstance(each, Tensor)))",
        "[each for each in reached if isinstance(each, Tensor)]",
    ),
)
def leaves_twice():
    """A leaf that is used twice is listed twice, and its gradient counts twice."""


@mistake(
    "acceleration.checkpoint",
    spec="test_checkpoints_may_be_nested",
    says="Error",
    swap=("with enable_grad(), drawing", "with drawing"),
)
def checkpoint_without_recording():
    """Backward does not record, so there is nothing to go back through."""


@mistake(
    "acceleration.checkpoint",
    spec="test_what_was_computed_is_forgotten",
    says="whether the Tensor in the middle",
    swap=("result = output.detach()", "rule.__dict__['first'] = output\n    result = output.detach()"),
)
def checkpoint_remembers():
    """The rule holds the first output, and with it all that was computed."""


@mistake(
    "acceleration.checkpoint",
    spec="test_changes_in_place_are_noticed",
    says="nothing was raised",
    swap=(", tensors=kept)", ")"),
)
def checkpoint_without_versions():
    """Inputs may change before they are used again."""


@mistake(
    "acceleration.checkpoint",
    spec="test_changes_in_place_are_noticed",
    says="nothing was raised",
    swap=("tensors=kept)", "tensors=origins)"),
)
def checkpoint_watches_what_learns():
    """A constant input may change before it is used again."""


@mistake(
    "acceleration.checkpoint",
    spec="test_dropout_drops_the_same_again",
    says="the gradient, where 0 or 2",
    swap=(
        "with enable_grad(), drawing_from_again({device: make() for device, make in again.items()}):",
        "with enable_grad():",
    ),
)
def checkpoint_draws_on():
    """The second call drops other entries."""


@mistake(
    "acceleration.checkpoint",
    spec="test_the_function_is_called_twice",
    says="under no_grad",
    swap=("if not output.requires_grad:", "if False:"),
)
def checkpoint_always_records():
    """A Node is made for what needs no gradient, too."""


@mistake(
    "acceleration.checkpoint",
    spec="test_inputs_may_be_computed",
    says="the gradient",
    swap=("edges_to(origins)", "edges_to(list(places) or origins)"),
)
def checkpoint_ends_at_its_leaves():
    """The edges lead to the leaves that stand for the inputs, and no further."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_attention_on_a_gpu_needs_no_tiles",
    says="Implicit conversion",
    swap=("isinstance(each, Tensor) and isinstance(each.data, np.ndarray)", "isinstance(each, Tensor)"),
)
def tiles_for_every_device():
    """Tiles are computed of whatever comes."""


@mistake(
    "acceleration.flatten",
    spec="test_a_flattened_optimizer_steps_on_a_gpu",
    says="Implicit conversion",
    swap=("if all(isinstance(each.data, np.ndarray) for each in params):", "if params:"),
)
def flat_on_the_cpu():
    """Parameters on a GPU are laid side by side on the CPU."""


@mistake(
    "acceleration.zeros_side_by_side",
    spec="test_zeros_on_a_gpu_are_not_laid_side_by_side",
    says="Implicit conversion",
    swap=(" or not all(isinstance(each, np.ndarray) for each in arrays)", ""),
)
def zeros_on_the_cpu():
    """The zeros of a GPU's arrays are on the CPU."""


@mistake(
    "acceleration.covered",
    spec="test_a_model_trains_on_a_gpu_as_on_the_cpu",
    says="covered of an array on cuda",
    swap=("type(each) is not np.ndarray or ", ""),
)
def kernels_for_every_device():
    """A kernel takes an array of a GPU for one of NumPy's."""
