"""Classic mistakes of kata 02. Each body takes the place of the reference's; names mean what they mean there."""

from dojo.tree.mistakes import mistake

# Layout


@mistake(
    "tensor.contiguous_strides",
    spec="test_strides_of_a_matrix",
    says="(1, 2)",
    swap=[
        ("in reversed(shape)", "in shape"),
        ("reversed(strides)", "strides"),
    ],
)
def strides_from_the_front():
    """Strides are multiplied up from the first axis: column-major, as in Fortran."""


@mistake(
    "tensor.flat_index",
    spec="test_flat_index_counts_back_from_the_end",
    says="[-1, -3]",
    swap=("(i % side) * stride", "i * stride"),
)
def negative_index_into_memory():
    """A negative index is multiplied as it is, and lands outside of the memory."""


@mistake(
    "tensor.broadcast_shapes",
    spec="test_broadcast_shapes_of_a_column_and_a_row",
    says="do not broadcast",
    swap=[
        ("enumerate(reversed(shape))", "enumerate(shape)"),
        ("reversed(result)", "result"),
    ],
)
def broadcast_from_the_left():
    """Shapes are aligned at their first axis."""


@mistake(
    "tensor.Tensor.stride",
    spec="test_stride_counts_entries",
    says="(12, 4)",
    swap=("step // self.data.itemsize", "step"),
)
def stride_in_bytes():
    """NumPy's strides are passed on; they count bytes."""


# Creation


@mistake(
    "tensor.tensor",
    spec="test_tensor_of_python_numbers",
    says="dtype float64, expected float32",
    swap=('float32 if array.dtype.kind == "f" and not known else array.dtype', "array.dtype"),
)
def tensor_is_float64():
    """NumPy's default dtype is left as it is."""


@mistake(
    "tensor.tensor",
    spec="test_tensor_copies",
    says="after the array was changed",
    swap=("data.copy()", "data"),
)
def tensor_without_copy():
    """np.asarray hands the same array back."""


@mistake(
    "tensor.from_numpy",
    spec="test_from_numpy_shares_the_memory",
    says="after the array was changed",
    swap=("Tensor(array)", "tensor(array)"),
)
def from_numpy_copies():
    """tensor() always copies, and from_numpy must not."""


@mistake(
    "tensor.full",
    spec="test_full_takes_the_kind_of_its_value",
    says="dtype float32, expected int64",
    swap=('{"b": bool_, "i": int64}.get(np.asarray(fill_value).dtype.kind, float32)', "float32"),
)
def full_is_always_float32():
    """The kind of the value is not looked at."""


@mistake(
    "tensor.arange",
    spec="test_arange_stops_before_its_end",
    says="shape",
    swap=("np.arange(start, end, step)", "np.arange(start, end + step, step)"),
)
def arange_has_its_end():
    """The end is taken to be part of the row."""


@mistake(
    "tensor.randn",
    spec="test_randn_is_normal",
    says="the mean of the draws",
    swap=("generator.standard_normal", "generator.random"),
)
def randn_is_uniform():
    """rand and randn are confused."""


@mistake(
    "tensor.rand",
    spec="test_random_tensors_can_be_drawn_again",
    says="after the same seed",
    swap=("generator or default_generator(Device(str(device)))", "generator or np.random.default_rng()"),
)
def rand_ignores_the_seed():
    """A new generator each time: manual_seed has no effect."""


# Arithmetic


@mistake(
    "tensor.add",
    spec="test_dtypes_promote_as_in_pytorch",
    says="dtype float64, expected float32",
    swap=("a, b = promote(a, b)", "pass"),
)
def add_promotes_as_numpy():
    """Without promote, NumPy decides: int32 + float32 is float64."""


@mistake(
    "tensor.div",
    spec="test_division_of_integers",
    says="a / b",
    swap=("floating(a) / floating(b)", 'a // b if a.dtype.kind == "i" else floating(a) / floating(b)'),
)
def integers_divide_to_integers():
    """Division of integers that rounds, as in C."""


@mistake(
    "tensor.floor_divide",
    spec="test_floor_divide_and_remainder_belong_together",
    says="yours -3, expected -4",
    swap=("return a // b", "return np.trunc(a / b).astype(a.dtype)"),
)
def floor_divide_rounds_towards_zero():
    """-7 // 2 is cut to -3, where the floor is -4."""


@mistake(
    "tensor.div",
    spec="test_division_by_zero_is_no_accident",
    says="zero",
    swap=(
        "a, b = promote(a, b)",
        """if np.any(np.asarray(b) == 0):
        raise ZeroDivisionError("division by zero")
    a, b = promote(a, b)""",
    ),
)
def division_by_zero_is_refused():
    """An error where inf or nan is the answer."""


@mistake(
    "tensor.eq",
    spec="test_comparison_entry_by_entry",
    says="eq(a, b)",
    swap=("return a == b", "return np.isclose(a, b, rtol=0, atol=0, equal_nan=True)"),
)
def eq_thinks_nan_equals_nan():
    """nan is taken to equal itself."""


# Functions


@mistake("tensor.exp", spec="test_function_of_integers_is_float32", says="dtype float64, expected float32")
def exp_of_integers_is_float64(a):
    """Without floating, NumPy decides: exp of int64 is float64."""
    return np.exp(a)


@mistake("tensor.log1p", spec="test_log1p_of_tiny_numbers", says="tiny")
def log1p_by_its_definition(a):
    """log(1 + a) is 0 where 1 + a rounds to 1."""
    a = floating(a)
    return np.log(a.dtype.type(1) + a)


@mistake("tensor.isnan", spec="test_isnan_finds_what_is_not_a_number", says="isnan(x)")
def isnan_by_comparison(a):
    """nan equals nothing, itself included."""
    return a == np.nan


@mistake(
    "tensor.clamp",
    spec="test_clamp_moves_entries_to_its_bounds",
    says="min=0",
    swap=("copy=False), min, max", "copy=False), min or None, max or None"),
)
def clamp_takes_zero_for_nothing():
    """`if min:` is false for a bound of 0."""


@mistake(
    "tensor.where",
    spec="test_where_takes_numbers_and_promotes",
    says="dtype float64, expected float32",
    swap=("*promote(a, b)).astype(result_type(a, b), copy=False)", "a, b)"),
)
def where_promotes_as_numpy():
    """NumPy makes float64 of two Python floats."""


@mistake("tensor.masked_fill", spec="test_masked_fill_replaces_what_the_mask_marks", says="was changed")
def masked_fill_in_place(x, mask, value):
    """masked_fill and masked_fill_ are confused."""
    x.data[np.broadcast_to(mask.data, x.shape)] = value
    return x


# Reductions


@mistake(
    "tensor.sum", spec="test_sum_of_rows", says="shape (), expected (2,)", swap=("_axes(dim, a.ndim)", "None")
)
def sum_forgets_dim():
    """dim is ignored: everything is summed."""


@mistake(
    "tensor.sum",
    spec="test_sum_keeps_the_axis_if_asked",
    says="shape (2,), expected (2, 1)",
    swap=("add_up(a, _axes(dim, a.ndim), keepdim)", "add_up(a, _axes(dim, a.ndim))"),
)
def sum_forgets_keepdim():
    """keepdim is ignored."""


@mistake("tensor.argmax", spec="test_argmax_along_an_axis", says="shape (), expected (2,)")
def argmax_of_the_flattened(a, dim=None, keepdim=False):
    """dim is ignored: the place is that in the flattened Tensor."""
    return np.asarray(a.argmax())


@mistake(
    "tensor.argsort",
    spec="test_argsort_keeps_the_order_of_equals",
    says="descending=True",
    swap=("a.shape[dim] - 1 - backwards", 'xp.flip(a.argsort(axis=dim, kind="stable"), dim)'),
)
def argsort_turns_equals_around():
    """Sorted upwards and reversed: equal entries come last first."""


@mistake(
    "tensor.mean", spec="test_mean_of_columns", says="x.mean(dim=0)", swap=("_count(x, dim)", "x.numel()")
)
def mean_divides_by_all():
    """The sum of each column, divided by the number of all entries."""


@mistake(
    "tensor.var", spec="test_var_divides_by_one_less", says="1.25, expected 1.667", swap=(" - correction", "")
)
def var_without_correction():
    """NumPy's default: the variance divided by n."""


@mistake("tensor.var", spec="test_var_far_from_zero", says="10000 and a bit")
def var_by_two_means(x, dim=None, correction=1, keepdim=False):
    """mean(x**2) - mean(x)**2, which cancels far from zero."""
    n = _count(x, dim)
    return (mean(x * x, dim, keepdim) - mean(x, dim, keepdim) * mean(x, dim, keepdim)) * n / (n - correction)


# Shapes


@mistake("tensor.reshape", spec="test_reshape_is_a_view_where_memory_allows", says="expected a view")
def reshape_copies(a, shape):
    """flatten always copies."""
    return a.flatten().reshape(shape)


@mistake("tensor.reshape", spec="test_reshape_keeps_the_order_of_the_entries", says="reshape to")
def reshape_in_the_order_of_memory(a, shape):
    """Order "K" or "A" walks memory as it lies, which for a transposed array is not row-major."""
    try:
        return a.reshape(shape, order="A")
    except ValueError:
        raise ValueError(f"cannot reshape {a.shape} into {tuple(shape)}")


@mistake(
    "tensor.permute", spec="test_permute_puts_the_axes_in_order", says="shape (3, 4, 2), expected (4, 2, 3)"
)
def permute_the_inverse_way(a, dims):
    """Axis i of x goes to place dims[i], instead of coming from there."""
    return a.transpose(np.argsort([dim % a.ndim for dim in dims]))


@mistake(
    "tensor.transpose", spec="test_transpose_exchanges_two_axes", says="transpose(0, 1) of shape (2, 3, 4)"
)
def transpose_reverses_all(x, dim0, dim1):
    """What is right for a matrix is taken for the rule."""
    return permute(x, tuple(reversed(range(x.ndim))))


@mistake(
    "tensor.squeeze",
    spec="test_squeeze_takes_axes_of_size_one_away",
    says="squeeze with dim 0",
    swap=(" or axis not in axes", ""),
)
def squeeze_removes_all():
    """dim is ignored: every axis of size 1 goes."""


@mistake(
    "tensor.unsqueeze",
    spec="test_unsqueeze_puts_an_axis_of_size_one_in",
    says="unsqueeze at -1",
    swap=("_axis(dim, x.ndim + 1)", "_axis(dim, x.ndim if dim < 0 else x.ndim + 1)"),
)
def unsqueeze_counts_from_the_old_end():
    """-1 is taken among ndim axes, so the new one comes before the last."""


@mistake(
    "tensor.expand",
    spec="test_expand_takes_no_memory",
    says="the stride is (3, 1), expected (0, 1)",
    swap=("broadcast_to(a, target)", "broadcast_to(a, target).copy()"),
)
def expand_by_copy():
    """A broadcast array made contiguous: 1000 copies of a row."""


@mistake(
    "tensor.expand",
    spec="test_expand_stretches_axes_of_size_one",
    says="-1",
    swap=("broadcast_to(a, target)", "broadcast_to(a, shape)"),
)
def expand_without_minus_one():
    """-1 is passed on to the library, which does not know it."""


@mistake(
    "tensor.flip",
    spec="test_flip_reverses_the_order_along_axes",
    says="expected a copy",
    swap=(".copy()", ""),
)
def flip_gives_a_view():
    """NumPy's flip shares memory; PyTorch's does not."""


# Matrix products


@mistake(
    "tensor.bmm",
    spec="test_bmm_multiplies_each_pair_of_matrices",
    says="bmm of shapes (2, 1, 3) and (2, 3, 1)",
    swap=("return a @ b", "return np.dot(a, b)"),
)
def bmm_by_dot():
    """np.dot multiplies every matrix with every other."""


@mistake(
    "tensor.matmul",
    spec="test_matmul_lends_a_vector_an_axis",
    says="expected (3,)",
    swap=[
        ("product = squeeze(product, -1)", "pass"),
        ("squeeze(product, -1 if b.ndim == 1 else -2) if a.ndim == 1 else product", "product"),
    ],
)
def matmul_keeps_the_lent_axis():
    """A vector becomes a row or a column, and the product stays a matrix."""


@mistake(
    "tensor.matmul",
    spec="test_matmul_takes_one_axis_and_more",
    says="matmul of shapes",
    swap=[
        ("squeeze(product, -1)", "squeeze(product)"),
        ("squeeze(product, -1 if b.ndim == 1 else -2)", "squeeze(product)"),
    ],
)
def matmul_squeezes_too_much():
    """A bare squeeze removes axes of size 1 that were there before."""


# Indexing


@mistake("tensor.getitem", spec="test_slices_are_views_and_lists_copy", says="expected a view")
def getitem_copies(a, index):
    """Every part is copied, to be on the safe side."""
    return np.array(a[index])


@mistake(
    "tensor.Tensor.__getitem__",
    spec="test_index_by_tensors",
    says="Tensor",
    swap=("_arrays(index)", "index.data if isinstance(index, Tensor) else index"),
)
def getitem_forgets_tensors_in_a_tuple():
    """Only an index that is a Tensor itself is unwrapped."""


@mistake("tensor.Tensor.__iter__", spec="test_iter_gives_the_slices", says="nothing was raised")
def iter_by_generator(self):
    """As a generator it refuses a 0-d Tensor only when somebody takes the first step."""
    for i in range(len(self)):
        yield self[i]


@mistake(
    "tensor.Tensor.__setitem__",
    spec="test_setitem_refuses_and_leaves_x_alone",
    says="nothing was raised",
    swap=('dispatch.unwrap(value, "__setitem__")', "value.data if isinstance(value, Tensor) else value"),
)
def setitem_takes_lists():
    """Whatever NumPy can assign is assigned."""


@mistake(
    "tensor.argsort",
    spec="test_argsort_of_unsigned_integers",
    says="first at [0]",
    swap=(
        "a.shape[dim] - 1 - backwards",
        '(a * np.asarray(-1).astype(a.dtype)).argsort(axis=dim, kind="stable")',
    ),
)
def argsort_of_the_negated():
    """-x wraps around for unsigned integers."""


@mistake(
    "tensor.gather",
    spec="test_gather_picks_along_any_axis",
    says="gather along 0",
    swap=(
        "get_array_module(a, index).take_along_axis(corner, index, axis=dim)",
        "np.take(a, index.ravel(), axis=dim)",
    ),
)
def gather_in_the_shape_of_x():
    """Whole slices are picked by the first column of the index."""


@mistake(
    "tensor.gather",
    spec="test_gather_refuses_an_index_outside",
    says="nothing was raised",
    swap=("_check_index(index, side)", "pass"),
)
def gather_counts_from_the_end():
    """A negative index is taken as Python takes it."""


@mistake(
    "tensor.index_add",
    spec="test_index_add_adds_twice_for_an_index_that_stands_twice",
    says="yours 2.0, expected 3.0",
    swap=(
        "xp.add.at(out, index, rows)",
        "out[index] += rows",
    ),
)
def index_add_with_plus():
    """Of an index that stands twice only the last is added."""


@mistake("tensor.index_add", spec="test_index_add_adds_slices", says="was changed", swap=("a.copy()", "a"))
def index_add_in_place():
    """index_add and index_add_ are confused."""


@mistake(
    "tensor.topk",
    spec="test_topk_gives_the_largest_first",
    says="the values",
    swap=[
        ("argsort(x, dim, descending=largest)", "argsort(x, dim)"),
        ("slice(k)", "slice(x.shape[dim] - k, None)"),
    ],
)
def topk_smallest_first():
    """The last k of the ascending order, left in that order."""


# Joining and cutting


@mistake(
    "tensor.cat",
    spec="test_cat_joins_a_list_along_an_axis",
    says="dim = -1",
    swap=("*tensors, dim=dim", "*tensors"),
)
def cat_ignores_dim():
    """dim is not passed on."""


@mistake(
    "tensor.stack",
    spec="test_stack_joins_along_a_new_axis",
    says="shape (4, 3), expected (2, 2, 3)",
    swap=("cat([unsqueeze(each, dim) for each in tensors], dim)", "cat(tensors, dim)"),
)
def stack_is_cat():
    """stack and cat are confused: no new axis is made."""


@mistake(
    "tensor.split",
    spec="test_split_into_pieces_of_one_size",
    says="the list of piece sizes",
    swap=(
        "range(0, side or 1, sizes)]",
        """range(0, side - sizes + 1, sizes)]
        side = builtins.sum(sizes)""",
    ),
)
def split_drops_the_rest():
    """Only whole pieces are made."""


@mistake(
    "tensor.pad",
    spec="test_pad_is_read_from_the_last_axis",
    says="pad with (0, 0, 1, 0)",
    swap=("[(0, 0)] * (a.ndim - len(pairs)) + pairs[::-1]", "pairs + [(0, 0)] * (a.ndim - len(pairs))"),
)
def pad_from_the_first_axis():
    """The pairs are read from the first axis, as NumPy has them."""


@mistake(
    "tensor.triu",
    spec="test_triangles_erase_infinities",
    says="triu",
    swap=(
        "return get_array_module(a).triu(a, diagonal)",
        """with np.errstate(all="ignore"):
        return a * np.triu(np.ones(a.shape[-2:], a.dtype), diagonal)""",
    ),
)
def triu_by_multiplication():
    """A mask of zeros and ones makes nan of an infinity."""


# In place


@mistake(
    "tensor.Tensor.add_",
    spec="test_arithmetic_in_place",
    says="the memory of x after x.add_(y)",
    swap=(
        'self.data += dispatch.unwrap(other, "add_")',
        'self.data = self.data + dispatch.unwrap(other, "add_")',
    ),
)
def add_rebinds():
    """self gets another array, and those who share the old one do not see the change."""


@mistake(
    "tensor.Tensor.mul_", spec="test_augmented_assignment_changes_the_tensor_itself", says="expected x itself"
)
def mul_gives_a_new_tensor(self, other):
    """The result is not in place at all."""
    return self * other


@mistake(
    "tensor.Tensor.sub_",
    spec="test_every_write_is_counted",
    says="sub_ is not counted",
    swap=("with dispatch.mutating(self, other):", "if True:"),
)
def sub_is_not_counted():
    """The version stays, and kata 07 will not notice the write."""


@mistake(
    "tensor.Tensor.copy_",
    spec="test_copy_takes_the_entries_of_another",
    says="the memory of x",
    swap=(
        'self.data[...] = dispatch.unwrap(source, "copy_")',
        "self.data = np.broadcast_to(source.data, self.shape)",
    ),
)
def copy_takes_the_array():
    """The array of the source is taken, not its entries."""


@mistake(
    "tensor.Tensor.detach", spec="test_detach_shares_the_memory_and_wants_no_gradient", says="detach copies"
)
def detach_copies(self):
    """detach and clone are confused."""
    return Tensor(self.data.copy())


@mistake(
    "tensor.Tensor.detach",
    spec="test_a_write_through_a_view_is_seen",
    says="detach is not counted",
    swap=("result._version = self._version", "pass"),
)
def detach_with_a_version_of_its_own():
    """The memory is shared, and the counter is not."""


@mistake(
    "tensor.Tensor.to",
    spec="test_to_takes_dtype_and_device_in_any_way",
    says="expected x itself",
    swap=("if (dtype, device) == (self.dtype, self.device):", "if False:"),
)
def to_always_copies():
    """A new Tensor even where nothing changes."""


# On a device


@mistake("tensor.Tensor.numpy", spec="test_numpy_refuses_to_copy_behind_your_back", says="nothing was raised")
def numpy_copies_in_silence(self):
    """A copy that claims to share memory."""
    return self.data if isinstance(self.data, np.ndarray) else self.data.get()


@mistake("tensor.exp", spec="test_function_on_the_device", says="array")
def exp_through_numpy(a):
    """np.asarray of an array on the device."""
    return np.exp(np.asarray(floating(a)))


@mistake(
    "tensor.gather",
    spec="test_joining_never_mixes_devices",
    says="cpu",
    swap=(
        "side, dim = ",
        """index = index.get() if hasattr(index, "get") else index
    a = a.get() if hasattr(a, "get") else a
    side, dim = """,
    ),
)
def gather_never_asks():
    """The index is on another device, and no error says so."""


@mistake(
    "tensor.matmul",
    spec="test_matmul_refuses_a_number",
    says="AttributeError",
    swap=('if not hasattr(each, "ndim"):', "if False:"),
)
def matmul_trusts_its_operands():
    """An int is asked for its axes."""


# What is missing at the edges


@mistake(
    "tensor.flat_index",
    spec="test_flat_index_refuses_an_index_outside",
    says="should hold 7",
    swap=(
        "index {i} is outside an axis of size {side}; index {tuple(index)}, shape {tuple(shape)}",
        "an index is outside an axis of size {side}",
    ),
)
def flat_index_shows_the_side_only():
    """The error says how long the axis is, and not which index was asked for."""


@mistake("tensor.Tensor.numel", spec="test_numel_counts_the_entries", says="the type of numel() of shape ()")
def numel_by_prod(self):
    """The product of no sides is 1.0, a float."""
    return np.prod(self.shape)


@mistake(
    "tensor.Tensor.item",
    spec="test_item_of_a_single_entry",
    says="the type of item() of float32",
    swap=("self.data.item()", "self.data.reshape(1)[0]"),
)
def item_gives_numpys_number():
    """An entry of a NumPy array is a NumPy scalar."""


@mistake("tensor.Tensor.tolist", spec="test_tolist_nests_as_the_axes_do", says="tolist()")
def tolist_by_list(self):
    """list() goes one axis deep and leaves NumPy's arrays and scalars in it."""
    return list(self.data) if self.ndim else self.item()


@mistake(
    "tensor.Tensor.__index__",
    spec="test_a_tensor_of_one_integer_is_an_index",
    says="uint8",
    swap=('not in "iu"', '!= "i"'),
)
def index_of_signed_integers_only():
    """Unsigned integers have a kind of their own."""


@mistake(
    "tensor.Tensor.__repr__",
    spec="test_repr_reads_as_code",
    says="[300,   4]",
    swap=(', prefix="tensor("', ""),
)
def repr_without_prefix():
    """The second row begins where the first does not."""


@mistake(
    "tensor.arange",
    spec="test_arange_takes_a_dtype_and_refuses_a_step_that_does_not_lead_there",
    says="nothing was raised, expected ValueError with a message that holds -1",
    swap=(" or (end - start) * step < 0", ""),
)
def arange_away_from_its_end():
    """Only a step of 0 is refused; NumPy gives an empty array for one that leads away."""


@mistake(
    "tensor.linspace",
    spec="test_creation_takes_requires_grad",
    says="requires_grad of linspace",
    swap=("dtype, device, requires_grad", "dtype, device, False"),
)
def linspace_forgets_requires_grad():
    """The parameter is accepted and ignored."""


@mistake(
    "tensor.eye",
    spec="test_creation_takes_requires_grad",
    says="requires_grad of eye",
    swap=("dtype, device, requires_grad", "dtype, device, False"),
)
def eye_forgets_requires_grad():
    """The parameter is accepted and ignored, in eye."""


@mistake(
    "tensor.rand",
    spec="test_rand_is_uniform",
    says="requires_grad of rand",
    swap=("dtype, device, requires_grad", "dtype, device, False"),
)
def rand_forgets_requires_grad():
    """The parameter is accepted and ignored, in rand."""


@mistake(
    "tensor.randn",
    spec="test_randn_is_normal",
    says="requires_grad of randn",
    swap=("dtype, device, requires_grad", "dtype, device, False"),
)
def randn_forgets_requires_grad():
    """The parameter is accepted and ignored, in randn."""


@mistake(
    "tensor.randint",
    spec="test_randint_draws_every_number_equally_often",
    says="int32",
    swap=("dtype, device, False", "None, device, False"),
)
def randint_ignores_dtype():
    """The generator's int64 is left as it is."""


@mistake(
    "tensor.full",
    spec="test_creation_on_a_device",
    says="the .device of",
    swap=("dtype, device", "dtype, None"),
)
def full_stays_on_the_cpu():
    """device= is accepted and ignored."""


@mistake(
    "tensor.div",
    spec="test_division_promotes",
    says="dtype float32, expected float16",
    swap=("a, b = promote(a, b)", "pass"),
)
def div_without_promote():
    """Each becomes floating point on its own: int64 is float32, and float16 meets that."""


@mistake(
    "tensor.eq",
    spec="test_comparison_promotes",
    says="eq(int64 2**24 + 1, float32 2**24)",
    swap=("a, b = promote(a, b)", "pass"),
)
def eq_without_promote():
    """NumPy compares int64 and float32 in float64."""


@mistake("tensor.lt", spec="test_comparison_promotes", says="lt(", swap=("a, b = promote(a, b)", "pass"))
def lt_without_promote():
    """NumPy lets a 0-d float64 widen float32."""


@mistake(
    "tensor.bitwise_and",
    spec="test_and_or_of_booleans_and_bits",
    says="uint8 and 0-d int64",
    swap=("a, b = promote(a, b)", "pass"),
)
def and_without_promote():
    """NumPy lets a 0-d int64 widen uint8."""


@mistake(
    "tensor.erf",
    spec="test_function_of_every_entry",
    says="expected float16",
    swap=(".astype(a.dtype, copy=False)", ""),
)
def erf_in_scipys_dtype():
    """SciPy has no erf of float16 and answers in another dtype."""


@mistake(
    "tensor.sign",
    spec="test_sign_is_all_that_stays",
    says="sign",
    swap=('a.copy() if a.dtype.kind == "b" else get_array_module(a).sign(a)', "get_array_module(a).sign(a)"),
)
def sign_of_numbers_only():
    """NumPy's sign refuses booleans."""


@mistake(
    "tensor.sum",
    spec="test_sum_of_integers_is_int64",
    says="the sum of uint8",
    swap=(
        "return add_up(",
        """if a.dtype.kind != "f":
        return a.sum(axis=_axes(dim, a.ndim), keepdims=keepdim)
    return add_up(""",
    ),
)
def sum_in_numpys_dtype():
    """NumPy adds unsigned integers up in uint64."""


@mistake(
    "tensor.cumsum",
    spec="test_cumsum_of_integers_is_int64",
    says="cumsum of uint8",
    swap=("float64 if floats else int64", "float64 if floats else None"),
)
def cumsum_in_numpys_dtype():
    """The same for running sums."""


@mistake(
    "tensor.amin", spec="test_amax_and_amin_over_any_axes", says="list", swap=("_axes(dim, a.ndim)", "dim")
)
def amin_hands_a_list_on():
    """NumPy takes several axes as a tuple only."""


@mistake(
    "tensor.mean",
    spec="test_mean_of_no_entries",
    says="over dim 0",
    swap=("_count(x, dim)", "builtins.max(_count(x, dim), 1)"),
)
def mean_of_nothing_is_zero():
    """The count is kept from being 0, and the mean of nothing is 0."""


@mistake(
    "tensor.var",
    spec="test_var_of_a_single_entry",
    says="correction=5",
    swap=("builtins.max(_count(x, dim) - correction, 0)", "(_count(x, dim) - correction)"),
)
def var_below_zero():
    """A correction larger than the count makes a variance negative."""


# Right numbers that no gradient can follow


@mistake(
    "tensor.mean",
    spec="test_compositions_are_made_of_primitives",
    says="the result of mean leaves",
    swap=(
        "return sum(x, dim=dim, keepdim=keepdim) / _count(x, dim)",
        """with quiet:
        return x.__class__(np.asarray(x.data.mean(axis=_axes(dim, x.ndim), keepdims=keepdim)))""",
    ),
)
def mean_of_the_array():
    """NumPy's mean of x.data, wrapped."""


@mistake(
    "tensor.var",
    spec="test_compositions_are_made_of_primitives",
    says="the result of var leaves",
    swap=(
        "return sum(deviation * deviation, dim, keepdim) / builtins.max(_count(x, dim) - correction, 0)",
        """squares = sum(deviation * deviation, dim, keepdim).data
    with quiet:
        return x.__class__(squares / squares.dtype.type(builtins.max(_count(x, dim) - correction, 0)))""",
    ),
)
def var_of_the_array():
    """A sum of primitives, divided by hand."""


@mistake("tensor.masked_fill", spec="test_compositions_are_made_of_primitives", says="masked_fill leaves")
def masked_fill_of_the_array(x, mask, value):
    """A copy of the array is written to, and wrapped."""
    array = x.data.copy()
    array[np.broadcast_to(mask.data, x.shape)] = value
    return x.__class__(array)


@mistake(
    "tensor.matmul",
    spec="test_other_compositions_are_made_of_primitives",
    says="matmul leaves",
    swap=(
        "product = bmm",
        """return a.__class__(np.asarray(np.matmul(*promote(a.data, b.data))))
    product = bmm""",
    ),
)
def matmul_of_the_arrays():
    """NumPy's @, which takes vectors too."""


@mistake(
    "tensor.cat",
    spec="test_other_compositions_are_made_of_primitives",
    says="the result of cat leaves",
    swap=(
        "return concatenate(*tensors, dim=dim)",
        "return tensors[0].__class__(np.concatenate(promote(*(each.data for each in tensors)), axis=dim))",
    ),
)
def cat_of_the_arrays():
    """The arrays are joined, and the result is wrapped."""


@mistake(
    "tensor.stack",
    spec="test_other_compositions_are_made_of_primitives",
    says="stack leaves",
    swap=(
        "cat([unsqueeze(each, dim) for each in tensors], dim)",
        "tensors[0].__class__(np.stack([each.data for each in tensors], axis=dim))",
    ),
)
def stack_of_the_arrays():
    """The same for stack."""


@mistake(
    "tensor.split",
    spec="test_other_compositions_are_made_of_primitives",
    says="split leaves",
    swap=(
        "x[(slice(None),) * dim + (slice(start, start + size),)]",
        "x.__class__(x.data[(slice(None),) * dim + (slice(start, start + size),)])",
    ),
)
def split_of_the_array():
    """Views of the array, wrapped one by one."""


@mistake(
    "tensor.sort",
    spec="test_other_compositions_are_made_of_primitives",
    says="sort leaves",
    swap=("gather(x, dim, indices)", "x.__class__(np.take_along_axis(x.data, indices.data, axis=dim))"),
)
def sort_of_the_array():
    """The values are picked from the array."""


@mistake(
    "tensor.Tensor.T",
    spec="test_other_compositions_are_made_of_primitives",
    says="x.T leaves",
    swap=("primitives.permute(self, dims=range(self.ndim)[::-1])", "Tensor(self.data.T)"),
)
def transpose_of_the_array():
    """The transposed array, wrapped: nobody knows whose memory it is."""


@mistake(
    "tensor.bmm",
    spec="test_bmm_refuses_vectors",
    says="nothing was raised",
    swap=("if a.ndim < 2 or b.ndim < 2:", "if False:"),
)
def bmm_takes_vectors():
    """NumPy's @ lends vectors an axis by itself."""


@mistake(
    "tensor.matmul",
    spec="test_matmul_lends_a_vector_an_axis",
    says="(3,)",
    swap=("unsqueeze(a, 0) if a.ndim == 1 else a, unsqueeze(b, 1) if b.ndim == 1 else b", "a, b"),
)
def matmul_is_bmm():
    """Nothing is lent: matmul hands its operands on."""


# Writes


@mistake(
    "tensor.Tensor.copy_",
    spec="test_copy_takes_the_entries_of_another",
    says="'int' object has no attribute",
    swap=('self.data[...] = dispatch.unwrap(source, "copy_")', "self.data[...] = source.data"),
)
def copy_from_tensors_only():
    """A number has no .data."""


@mistake(
    "tensor.Tensor.add_",
    spec="test_a_write_that_fails_changes_nothing",
    says="the version of x after add_",
    swap=(
        "    self.data += ",
        """    pass
    self.data += """,
    ),
)
def add_counts_before_it_writes():
    """The version moves on, and then there is no write."""


@mistake(
    "tensor.Tensor.mul_",
    spec="test_every_write_is_counted",
    says="mul_ is not counted",
    swap=(
        """with dispatch.mutating(self, other):
        self.data""",
        """dispatch.mutating(self, other)
    self.data""",
    ),
)
def mul_without_with():
    """A context manager that is called and not entered does nothing."""


# Digits


@mistake(
    "tensor.sum",
    spec="test_sum_keeps_its_digits",
    says="100,000 rows of 0.1",
    swap=(
        "add_up(a, _axes(dim, a.ndim), keepdim)",
        'a.sum(axis=_axes(dim, a.ndim), keepdims=keepdim, dtype=None if a.dtype.kind == "f" else int64)',
    ),
)
def sum_row_after_row():
    """NumPy adds row after row, in the dtype of the array."""


@mistake("tensor.sum", spec="test_sum_keeps_its_digits", says="over two axes")
def sum_keeps_digits_along_one_axis_only(a, dim=None, keepdim=False):
    """Several axes are left to NumPy."""
    if isinstance(dim, int) or a.dtype.kind != "f" or a.dtype.itemsize == 2:
        return add_up(a, _axes(dim, a.ndim), keepdim)
    return a.sum(axis=_axes(dim, a.ndim), keepdims=keepdim)


@mistake("tensor.sum", spec="test_sum_keeps_its_digits", says="rows that lie apart")
def sum_keeps_digits_along_the_first_axis_only(a, dim=None, keepdim=False):
    """NumPy adds the last axis in pairs, but only where it is the dense one in memory."""
    if dim != 1 or a.dtype.kind != "f":
        return add_up(a, _axes(dim, a.ndim), keepdim)
    return a.sum(axis=_axes(dim, a.ndim), keepdims=keepdim)


@mistake("tensor.sum", spec="test_sum_of_float16", says="5,000 ones of float16")
def sum_in_blocks_of_float16(a, dim=None, keepdim=False):
    """float32 is taken care of, float16 is not."""
    if a.dtype == np.float16:
        return a.sum(axis=_axes(dim, a.ndim), keepdims=keepdim)
    return add_up(a, _axes(dim, a.ndim), keepdim)


@mistake(
    "tensor.sum",
    spec="test_sum_of_float16",
    says="dtype float32, expected float16",
    swap=("add_up(a,", "add_up(a.astype(np.float32) if a.dtype == np.float16 else a,"),
)
def sum_stays_wide():
    """What was added up in float32 is not cast back."""


@mistake(
    "tensor.cumsum",
    spec="test_cumsum_keeps_its_digits",
    says="100,000 times 0.1",
    swap=("float64 if floats", "a.dtype if floats"),
)
def cumsum_row_after_row():
    """Each running sum is rounded to the dtype of the array."""


@mistake(
    "tensor.cumsum",
    spec="test_cumsum_keeps_its_digits",
    says="ones of float16",
    swap=("float64 if floats", "(a.dtype if a.dtype == np.float16 else float64) if floats"),
)
def cumsum_of_float32_only():
    """float64 for float32; float16 adds up in float16."""


@mistake(
    "tensor.rand",
    spec="test_random_numbers_of_float16",
    says="0 <= rand() < 1",
    swap=("array -= array % 2**-11", "pass"),
)
def rand_rounds_up_to_1():
    """float32 draws just below 1 become 1 in float16."""


@mistake(
    "tensor.randn",
    spec="test_random_numbers_of_float16",
    says="Unsupported dtype",
    swap=("_drawn(dtype)", "dtype"),
)
def randn_asks_for_float16():
    """The generator is asked for a dtype that it does not know."""


@mistake(
    "tensor.Tensor.stride",
    spec="test_stride_knows_how_wide_an_entry_is",
    says="stride() of float64 is (6, 2), expected (3, 1)",
    swap=("step // self.data.itemsize", "step // 4"),
)
def stride_of_four_bytes():
    """Every entry is taken for one of float32."""


@mistake(
    "tensor.Tensor.dtype",
    spec="test_a_tensor_describes_its_array",
    says="x.dtype is 'float32' (a str)",
    swap=("return self.data.dtype", "return str(self.data.dtype)"),
)
def dtype_as_text():
    """The name of the dtype: NumPy says that it equals the dtype."""


@mistake(
    "tensor.Tensor.dtype",
    spec="test_a_tensor_describes_its_array",
    says="x.dtype is <class 'numpy.float32'>",
    swap=("return self.data.dtype", "return self.data.dtype.type"),
)
def dtype_as_class():
    """The class of an entry: NumPy says that it equals the dtype."""


@mistake(
    "tensor.index_add",
    spec="test_index_add_refuses_a_source_of_another_dtype",
    says="nothing was raised",
    swap=[
        ("if source.dtype != a.dtype:", "if False:"),
        ("out, index, rows)", "out, index, rows.astype(a.dtype))"),
    ],
)
def index_add_casts():
    """The source is brought to the dtype of x, whatever gets lost."""


@mistake(
    "tensor.masked_fill",
    spec="test_masked_fill_takes_a_tensor_for_its_value",
    says="leaves the primitives",
    swap=("value.to(x.dtype)", "value.item()"),
)
def masked_fill_makes_a_number():
    """The value is taken out of its graph."""


@mistake(
    "tensor.pad",
    spec="test_pad_knows_one_mode",
    says="nothing was raised",
    swap=('if mode != "constant":', "if False:"),
)
def pad_is_always_constant():
    """The mode is taken, and not looked at."""


@mistake(
    "tensor.topk",
    spec="test_topk_gives_the_smallest_too",
    says="the values",
    swap=("descending=largest", "descending=True"),
)
def topk_knows_the_largest_only():
    """largest is taken, and not looked at."""


@mistake(
    "tensor.amax",
    spec="test_an_empty_dim_means_all_axes",
    says="amax(x, ())",
    swap=("_axes(dim, a.ndim)", "dim"),
)
def amax_of_no_axis():
    """NumPy gets () as it is."""


@mistake(
    "tensor.randint",
    spec="test_randint_begins_at_0",
    says="the numbers that randint(3, (50,)) draws",
    swap=("shape = 0, low", "shape = 1, low"),
)
def randint_begins_at_1():
    """One bound counts from 1."""


@mistake(
    "tensor.index_add",
    spec="test_function_on_the_device",
    says="cupy.add.at only supports",
    swap=('if xp is not np and out.dtype.kind in "biu":', "if False:"),
)
def index_add_of_int64_on_a_gpu():
    """CuPy's add.at takes no int64."""


@mistake(
    "tensor.convert",
    spec="test_no_tensor_moves_to_a_gpu_that_is_not_there",
    says="nothing was raised",
    swap=(
        'str(device) == ("cpu" if isinstance(a, np.ndarray) else f"cuda:{a.device.id}")',
        'device.type == ("cpu" if isinstance(a, np.ndarray) else "cuda")',
    ),
)
def one_gpu_is_like_another():
    """An array on some GPU is taken to be on the one that was asked for."""


@mistake(
    "tensor.mul",
    spec="test_what_finds_no_room_says_so",
    says="nothing was raised",
    swap=("return a * b", "try:\n        return a * b\n    except MemoryError:\n        return a"),
)
def an_error_that_is_hidden():
    """Where there is no room for the product, the first factor comes back."""


@mistake(
    "tensor.contiguous_strides",
    spec="test_strides_refuse_a_negative_side",
    says="(0, 3)",
    swap=("side < 0", "side < 1"),
)
def strides_refuse_a_side_of_0():
    """A side may be 0: the array has no entries."""


@mistake(
    "tensor.flat_index",
    spec="test_flat_index_refuses_an_index_outside",
    says="expected IndexError",
    swap=("i < side", "i <= side"),
)
def flat_index_takes_the_side_itself():
    """Index 2 of an axis of 2 is one too far."""


@mistake(
    "tensor.Tensor.stride",
    spec="test_stride_counts_entries",
    says="the types of strides",
    swap=("step // self", "step / self"),
)
def stride_is_a_fraction():
    """True division gives floats."""


@mistake(
    "tensor.Tensor.__repr__",
    spec="test_repr_reads_as_code",
    says="0.3333",
    swap=(", precision=4", ""),
)
def repr_shows_every_digit():
    """NumPy shows eight digits."""


@mistake(
    "tensor.where",
    spec="test_where_takes_numbers_and_promotes",
    says="where(mask, int64, float32)",
    swap=("result_type(a, b)", "result_type(a)"),
)
def where_takes_the_dtype_of_the_first():
    """The dtype is that of both."""


@mistake(
    "tensor.masked_fill",
    spec="test_masked_fill_takes_a_tensor_for_its_value",
    says="of integers",
    swap=("value.to(x.dtype)", "value"),
)
def masked_fill_takes_the_dtype_of_the_value():
    """A value of float32 makes float32 of integers."""


@mistake(
    "tensor.rand",
    spec="test_rand_is_uniform",
    says="digits",
    swap=("_drawn(dtype)", "float32"),
)
def rand_draws_float32_only():
    """Cast to float64, a draw of float32 has its digits."""


@mistake(
    "tensor.argsort",
    spec="test_argsort_keeps_the_order_of_equals",
    says="(100,)",
    swap=('a.argsort(axis=dim, kind="stable").reshape', "a.argsort(axis=dim).reshape"),
)
def argsort_is_stable_in_short_rows_only():
    """NumPy sorts short rows in a stable way by default, long ones not."""


@mistake(
    "tensor.argsort",
    spec="test_argsort_keeps_the_order_of_equals",
    says="descending=True",
    swap=('xp.flip(a, dim).argsort(axis=dim, kind="stable")', "xp.flip(a, dim).argsort(axis=dim)"),
)
def argsort_is_stable_upwards_only():
    """Downwards, entries that are equal keep their order in short rows only."""


@mistake(
    "tensor.index_add",
    spec="test_function_on_the_device",
    says="index_add",
    swap=("rows.astype(xp.uint64)", "rows.astype(float)"),
)
def index_add_by_way_of_float64():
    """On a device an integer of more than 53 bits is rounded."""


@mistake(
    "tensor.topk",
    spec="test_topk_gives_the_largest_first",
    says="topk with k = 4",
    swap=("<= _side(x, dim):", "< _side(x, dim):"),
)
def topk_refuses_all():
    """All entries are the k largest, too."""


@mistake(
    "tensor.split",
    spec="test_split_into_pieces_of_one_size",
    says="[0]",
    swap=("side or 1", "side"),
)
def split_of_nothing_gives_nothing():
    """A side of 0 is one piece, of 0."""


@mistake(
    "tensor.Tensor.to",
    spec="test_there_and_back",
    says="cuda:0",
    swap=("isinstance(each, (str, Device))", 'str(each) in ("cpu", "cuda")'),
)
def to_takes_no_number_of_a_device():
    """The name cuda:0 is a device, too."""


@mistake(
    "tensor._axes",
    spec="test_sum_over_any_axes",
    says="AxisError",
    swap=(" if ndim else tuple(each for each in dim if each not in (0, -1))", ""),
)
def a_number_has_no_axes_to_sum():
    """A 0-d Tensor allows dim=(0,), as it allows dim=0."""


@mistake(
    "tensor.matmul",
    spec="test_matmul_takes_one_axis_and_more",
    says="(2, 2, 3)",
    swap=("squeeze(product, -1)", "squeeze(product, 1)"),
)
def matmul_removes_axis_1():
    """Of a stack of matrices the lent axis is the last one."""


@mistake(
    "tensor.matmul",
    spec="test_matmul_takes_one_axis_and_more",
    says="(1, 2, 2)",
    swap=("squeeze(product, -1 if b.ndim == 1 else -2)", "squeeze(product)"),
)
def matmul_removes_every_axis_of_1():
    """Only the lent axis goes, and not a stack's side of 1."""
