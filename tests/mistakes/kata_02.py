"""Classic mistakes of kata 02. Each body takes the place of the reference's; names mean what they mean there."""

from dojo.mistakes import mistake

# Layout


@mistake("tensor.contiguous_strides", spec="test_strides_of_a_matrix", says="(1, 2)")
def strides_from_the_front(shape):
    """Strides are multiplied up from the first axis: column-major, as in Fortran."""
    strides, step = [], 1
    for side in shape:
        strides.append(step)
        step *= side
    return tuple(strides)


@mistake("tensor.flat_index", spec="test_flat_index_counts_back_from_the_end", says="[-1, -3]")
def negative_index_into_memory(index, shape):
    """A negative index is multiplied as it is, and lands outside of the memory."""
    if len(index) != len(shape) or any(not -n <= i < n for i, n in zip(index, shape)):
        raise IndexError(f"index {tuple(index)} of shape {tuple(shape)}")
    return __import__("builtins").sum(i * stride for i, stride in zip(index, contiguous_strides(shape)))


@mistake(
    "tensor.broadcast_shapes",
    spec="test_broadcast_shapes_of_a_column_and_a_row",
    says="do not broadcast",
)
def broadcast_from_the_left(shapes):
    """Shapes are aligned at their first axis."""
    ndim = max(map(len, shapes), default=0)
    result = [1] * ndim
    for shape in shapes:
        for axis, side in enumerate(shape):
            if side != 1 and result[axis] not in (1, side):
                raise ValueError(f"shapes {shapes} do not broadcast together")
            result[axis] = side if result[axis] == 1 else result[axis]
    return tuple(result)


@mistake("tensor.Tensor.stride", spec="test_stride_counts_entries", says="(12, 4)")
def stride_in_bytes(self):
    """NumPy's strides are passed on; they count bytes."""
    return self.data.strides


# Creation


@mistake("tensor.tensor", spec="test_tensor_of_python_numbers", says="dtype float64, expected float32")
def tensor_is_float64(data, dtype=None, device=None, requires_grad=False):
    """NumPy's default dtype is left as it is."""
    return _finish(np.array(data), dtype, device, requires_grad)


@mistake("tensor.tensor", spec="test_tensor_copies", says="after the array was changed")
def tensor_without_copy(data, dtype=None, device=None, requires_grad=False):
    """np.asarray hands the same array back."""
    array = np.asarray(data.data if isinstance(data, Tensor) else data)
    if dtype is None:
        dtype = float32 if array.dtype.kind == "f" and not hasattr(data, "dtype") else array.dtype
    return _finish(array, dtype, device, requires_grad)


@mistake("tensor.from_numpy", spec="test_from_numpy_shares_the_memory", says="after the array was changed")
def from_numpy_copies(array):
    """tensor() always copies, and from_numpy must not."""
    return tensor(array)


@mistake("tensor.full", spec="test_full_takes_the_kind_of_its_value", says="dtype float32, expected int64")
def full_is_always_float32(shape, fill_value, dtype=None, device="cpu", requires_grad=False):
    """The kind of the value is not looked at."""
    return _finish(np.full(shape, fill_value), dtype or float32, device, requires_grad)


@mistake("tensor.arange", spec="test_arange_stops_before_its_end", says="shape")
def arange_has_its_end(bounds, dtype=None, device="cpu", requires_grad=False):
    """The end is taken to be part of the row."""
    start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    return _finish(np.arange(start, end + step, step), dtype or int64, device, requires_grad)


@mistake("tensor.randn", spec="test_randn_is_normal", says="the mean of the draws")
def randn_is_uniform(shape, generator=None, dtype=None, device="cpu", requires_grad=False):
    """rand and randn are confused."""
    return rand(*shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad)


@mistake("tensor.rand", spec="test_random_tensors_can_be_drawn_again", says="after the same seed")
def rand_ignores_the_seed(shape, generator=None, dtype=None, device="cpu", requires_grad=False):
    """A fresh generator each time: manual_seed has nothing to say."""
    generator = generator or np.random.default_rng()
    return _finish(generator.random(sizes(shape), dtype=dtype), dtype, device, requires_grad)


# Arithmetic


@mistake("tensor.add", spec="test_dtypes_promote_as_in_pytorch", says="dtype float64, expected float32")
def add_promotes_as_numpy(a, b):
    """Without promote, NumPy decides: int32 + float32 is float64."""
    return a + b


@mistake("tensor.div", spec="test_division_of_integers", says="a / b")
def integers_divide_to_integers(a, b):
    """Division of integers that rounds, as in C."""
    a, b = promote(a, b)
    return a // b if a.dtype.kind == "i" else a / b


@mistake(
    "tensor.floor_divide",
    spec="test_floor_divide_and_remainder_belong_together",
    says="yours -3, expected -4",
)
def floor_divide_rounds_towards_zero(a, b):
    """-7 // 2 is cut to -3, where the floor is -4."""
    a, b = promote(a, b)
    return np.trunc(a / b).astype(a.dtype)


@mistake("tensor.div", spec="test_division_by_zero_is_no_accident", says="zero")
def division_by_zero_is_refused(a, b):
    """An error where inf or nan is the answer."""
    if np.any(np.asarray(b) == 0):
        raise ZeroDivisionError("division by zero")
    a, b = promote(a, b)
    return floating(a) / floating(b)


@mistake("tensor.eq", spec="test_comparison_entry_by_entry", says="eq(a, b)")
def eq_thinks_nan_equals_nan(a, b):
    """nan is taken to equal itself."""
    a, b = promote(a, b)
    return np.isclose(a, b, rtol=0, atol=0, equal_nan=True)


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


@mistake("tensor.clamp", spec="test_clamp_moves_entries_to_its_bounds", says="min=0")
def clamp_takes_zero_for_nothing(a, min=None, max=None):
    """`if min:` is false for a bound of 0."""
    if min is None and max is None:
        raise ValueError("clamp needs min, max or both")
    if min:
        a = np.maximum(a, a.dtype.type(min))
    if max:
        a = np.minimum(a, a.dtype.type(max))
    return a


@mistake("tensor.where", spec="test_where_takes_numbers_and_promotes", says="dtype float64, expected float32")
def where_promotes_as_numpy(condition, a, b):
    """NumPy makes float64 of two Python floats."""
    if condition.dtype.kind != "b":
        raise TypeError(f"where needs a boolean condition, got {condition.dtype}")
    return np.where(condition, a, b)


@mistake("tensor.masked_fill", spec="test_masked_fill_replaces_what_the_mask_marks", says="was changed")
def masked_fill_in_place(x, mask, value):
    """masked_fill and masked_fill_ are confused."""
    x.data[np.broadcast_to(mask.data, x.shape)] = value
    return x


# Reductions


@mistake("tensor.sum", spec="test_sum_of_rows", says="shape (), expected (2,)")
def sum_forgets_dim(a, dim=None, keepdim=False):
    """dim is ignored: everything is summed."""
    return a.sum()


@mistake("tensor.sum", spec="test_sum_keeps_the_axis_if_asked", says="shape (2,), expected (2, 1)")
def sum_forgets_keepdim(a, dim=None, keepdim=False):
    """keepdim is ignored."""
    return a.sum(axis=_axes(dim))


@mistake("tensor.argmax", spec="test_argmax_along_an_axis", says="shape (), expected (2,)")
def argmax_of_the_flattened(a, dim=None, keepdim=False):
    """dim is ignored: the place is that in the flattened Tensor."""
    return np.asarray(a.argmax())


@mistake("tensor.argsort", spec="test_argsort_keeps_the_order_of_equals", says="descending=True")
def argsort_turns_equals_around(a, dim=-1, descending=False):
    """Sorted upwards and reversed: equal entries come last first."""
    order = a.argsort(axis=dim, kind="stable")
    return np.flip(order, dim) if descending else order


@mistake("tensor.mean", spec="test_mean_of_columns", says="x.mean(dim=0)")
def mean_divides_by_all(x, dim=None, keepdim=False):
    """The sum of each column, divided by the number of all entries."""
    if x.dtype.kind != "f":
        raise TypeError(f"mean needs a floating point Tensor, got {x.dtype}")
    return sum(x, dim, keepdim) / x.numel()


@mistake("tensor.var", spec="test_var_divides_by_one_less", says="1.25, expected 1.667")
def var_without_correction(x, dim=None, correction=1, keepdim=False):
    """NumPy's default: the variance divided by n."""
    deviation = x - mean(x, dim, keepdim=True)
    return mean(deviation * deviation, dim, keepdim)


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


@mistake("tensor.squeeze", spec="test_squeeze_takes_axes_of_size_one_away", says="squeeze with dim 0")
def squeeze_removes_all(x, dim=None):
    """dim is ignored: every axis of size 1 goes."""
    return reshape(x, [side for side in x.shape if side != 1])


@mistake("tensor.unsqueeze", spec="test_unsqueeze_puts_an_axis_of_size_one_in", says="unsqueeze at -1")
def unsqueeze_counts_from_the_old_end(x, dim):
    """-1 is taken among ndim axes, so the new one comes before the last."""
    place = dim % x.ndim if dim < 0 else dim
    if place > x.ndim:
        raise IndexError(f"dim {dim}")
    return reshape(x, (*x.shape[:place], 1, *x.shape[place:]))


@mistake("tensor.expand", spec="test_expand_takes_no_memory", says="the stride is (3, 1), expected (0, 1)")
def expand_by_copy(a, shape):
    """A broadcast array made contiguous: 1000 copies of a row."""
    target = [a.shape[i - len(shape) + a.ndim] if side == -1 else side for i, side in enumerate(shape)]
    return np.broadcast_to(a, target).copy()


@mistake("tensor.expand", spec="test_expand_stretches_axes_of_size_one", says="-1")
def expand_without_minus_one(a, shape):
    """-1 is passed on to the library, which does not know it."""
    return np.broadcast_to(a, shape)


@mistake("tensor.flip", spec="test_flip_reverses_the_order_along_axes", says="expected a copy")
def flip_gives_a_view(a, dims):
    """NumPy's flip shares memory; PyTorch's does not."""
    return np.flip(a, _axes(dims))


# Matrix products


@mistake(
    "tensor.bmm",
    spec="test_bmm_multiplies_each_pair_of_matrices",
    says="bmm of shapes (2, 1, 3) and (2, 3, 1)",
)
def bmm_by_dot(a, b):
    """np.dot multiplies every matrix with every other."""
    a, b = promote(a, b)
    return np.dot(a, b)


@mistake("tensor.matmul", spec="test_matmul_lends_a_vector_an_axis", says="expected (3,)")
def matmul_keeps_the_lent_axis(a, b):
    """A vector becomes a row or a column, and the product stays a matrix."""
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul of shapes {a.shape} and {b.shape}")
    return bmm(unsqueeze(a, 0) if a.ndim == 1 else a, unsqueeze(b, 1) if b.ndim == 1 else b)


@mistake("tensor.matmul", spec="test_matmul_takes_one_axis_and_more", says="matmul of shapes")
def matmul_squeezes_too_much(a, b):
    """A bare squeeze takes axes of size 1 away that were there before."""
    product = bmm(unsqueeze(a, 0) if a.ndim == 1 else a, unsqueeze(b, 1) if b.ndim == 1 else b)
    return squeeze(product) if a.ndim == 1 or b.ndim == 1 else product


# Indexing


@mistake("tensor.getitem", spec="test_slices_are_views_and_lists_copy", says="expected a view")
def getitem_copies(a, index):
    """Every part is copied, to be on the safe side."""
    return np.array(a[index])


@mistake("tensor.Tensor.__getitem__", spec="test_index_by_tensors", says="Tensor")
def getitem_forgets_tensors_in_a_tuple(self, index):
    """Only an index that is a Tensor itself is unwrapped."""
    return primitives.getitem(self, index=index.data if isinstance(index, Tensor) else index)


@mistake("tensor.Tensor.__iter__", spec="test_iter_gives_the_slices", says="nothing was raised")
def iter_by_generator(self):
    """As a generator it refuses a 0-d Tensor only when somebody takes the first step."""
    for i in range(len(self)):
        yield self[i]


@mistake(
    "tensor.Tensor.__setitem__", spec="test_setitem_refuses_and_leaves_x_alone", says="nothing was raised"
)
def setitem_takes_lists(self, index, value):
    """Whatever NumPy can assign is assigned."""
    with dispatch.mutating(self, value):
        self.data[_arrays(index)] = value.data if isinstance(value, Tensor) else value


@mistake("tensor.argsort", spec="test_argsort_of_unsigned_integers", says="first at [0]")
def argsort_of_the_negated(a, dim=-1, descending=False):
    """-x wraps around for unsigned integers."""
    return (a * np.asarray(-1).astype(a.dtype) if descending else a).argsort(axis=dim, kind="stable")


@mistake("tensor.gather", spec="test_gather_picks_along_any_axis", says="gather along 0")
def gather_in_the_shape_of_x(a, dim, index):
    """Whole slices are picked by the first column of the index."""
    _check_index(index, a.shape[dim])
    if index.ndim != a.ndim or any(
        n > m for d, (n, m) in enumerate(zip(index.shape, a.shape)) if d != dim % a.ndim
    ):
        raise ValueError(f"{index.shape} {a.shape}")
    return np.take(a, index.ravel(), axis=dim)


@mistake("tensor.gather", spec="test_gather_refuses_an_index_outside", says="nothing was raised")
def gather_counts_from_the_end(a, dim, index):
    """A negative index is taken as Python takes it."""
    corner = a[tuple(slice(None) if d == dim else slice(n) for d, n in enumerate(index.shape))]
    return np.take_along_axis(corner, index, axis=dim)


@mistake(
    "tensor.index_add",
    spec="test_index_add_adds_twice_for_an_index_that_stands_twice",
    says="yours 2.0, expected 3.0",
)
def index_add_with_plus(a, dim, index, source):
    """Of an index that stands twice only the last is added."""
    out = np.moveaxis(a.copy(), dim, 0)
    out[index] += np.moveaxis(source, dim, 0)
    return np.moveaxis(out, 0, dim)


@mistake("tensor.index_add", spec="test_index_add_adds_slices", says="was changed")
def index_add_in_place(a, dim, index, source):
    """index_add and index_add_ are confused."""
    out = np.moveaxis(a, dim, 0)
    np.add.at(out, index, np.moveaxis(source, dim, 0))
    return a


@mistake("tensor.topk", spec="test_topk_gives_the_largest_first", says="the values")
def topk_smallest_first(x, k, dim=-1):
    """The last k of the ascending order, left in that order."""
    order = argsort(x, dim)
    side = x.shape[dim]
    indices = order[(slice(None),) * _axis(dim, x.ndim) + (slice(side - k, side),)]
    return gather(x, dim, indices), indices


# Joining and cutting


@mistake("tensor.cat", spec="test_cat_joins_a_list_along_an_axis", says="dim = -1")
def cat_ignores_dim(tensors, dim=0):
    """dim is not passed on."""
    if not tensors:
        raise ValueError("an empty list")
    return concatenate(*tensors)


@mistake("tensor.stack", spec="test_stack_joins_along_a_new_axis", says="shape (4, 3), expected (2, 2, 3)")
def stack_is_cat(tensors, dim=0):
    """stack and cat are confused: no new axis is made."""
    return cat(tensors, dim)


@mistake("tensor.split", spec="test_split_into_pieces_of_one_size", says="the sizes of the pieces")
def split_drops_the_rest(x, sizes, dim=0):
    """Only whole pieces are made."""
    side = x.shape[dim]
    if isinstance(sizes, int):
        sizes = [sizes] * (side // sizes)
    pieces, start = [], 0
    for size in sizes:
        pieces.append(x[(slice(None),) * _axis(dim, x.ndim) + (slice(start, start + size),)])
        start += size
    return tuple(pieces)


@mistake("tensor.pad", spec="test_pad_is_read_from_the_last_axis", says="pad with (0, 0, 1, 0)")
def pad_from_the_first_axis(a, pad, value=0.0):
    """The pairs are read from the first axis, as NumPy has them."""
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    widths = pairs + [(0, 0)] * (a.ndim - len(pairs))
    return np.pad(a, widths, constant_values=value)


@mistake("tensor.triu", spec="test_triangles_erase_infinities", says="triu")
def triu_by_multiplication(a, diagonal=0):
    """A mask of zeros and ones makes nan of an infinity."""
    if a.ndim < 2:
        raise ValueError(f"{a.shape}")
    with np.errstate(all="ignore"):
        return a * np.triu(np.ones(a.shape[-2:], a.dtype), diagonal)


# In place


@mistake("tensor.Tensor.add_", spec="test_arithmetic_in_place", says="the memory of x after x.add_(y)")
def add_rebinds(self, other):
    """self gets another array, and whoever shares the old one sees nothing."""
    with dispatch.mutating(self, other):
        self.data = self.data + dispatch.unwrap(other, "add_")
    return self


@mistake(
    "tensor.Tensor.mul_", spec="test_augmented_assignment_changes_the_tensor_itself", says="expected x itself"
)
def mul_gives_a_new_tensor(self, other):
    """The result is not in place at all."""
    return self * other


@mistake("tensor.Tensor.sub_", spec="test_every_write_is_counted", says="sub_ is not counted")
def sub_is_not_counted(self, other):
    """The version stays, and kata 07 will not notice the write."""
    self.data -= dispatch.unwrap(other, "sub_")
    return self


@mistake("tensor.Tensor.copy_", spec="test_copy_takes_the_entries_of_another", says="the memory of x")
def copy_takes_the_array(self, source):
    """The array of the source is taken, not its entries."""
    with dispatch.mutating(self, source):
        self.data = np.broadcast_to(source.data, self.shape)
    return self


@mistake(
    "tensor.Tensor.detach", spec="test_detach_shares_the_memory_and_wants_no_gradient", says="detach copies"
)
def detach_copies(self):
    """detach and clone are confused."""
    return Tensor(self.data.copy())


@mistake("tensor.Tensor.detach", spec="test_a_write_through_a_view_is_seen", says="detach is not counted")
def detach_with_a_version_of_its_own(self):
    """The memory is shared, and the counter is not."""
    return Tensor(self.data)


@mistake("tensor.Tensor.to", spec="test_to_takes_dtype_and_device_in_any_way", says="expected x itself")
def to_always_copies(self, *args, dtype=None, device=None):
    """A new Tensor also where nothing changes."""
    for each in args:
        if str(each).partition(":")[0] in ("cpu", "cuda"):
            device = each
        else:
            dtype = each
    device = self.device if device is None else Device(str(device))
    return primitives.convert(self, dtype=np.dtype(dtype or self.dtype), device=device)


# On a device


@mistake("tensor.Tensor.numpy", spec="test_numpy_refuses_to_copy_behind_your_back", says="nothing was raised")
def numpy_copies_in_silence(self):
    """A copy that claims to share memory."""
    return self.data if isinstance(self.data, np.ndarray) else self.data.get()


@mistake("tensor.exp", spec="test_function_on_the_device", says="array")
def exp_through_numpy(a):
    """np.asarray of an array on the device."""
    return np.exp(np.asarray(floating(a)))


@mistake("tensor.gather", spec="test_joining_never_mixes_devices", says="cpu")
def gather_never_asks(a, dim, index):
    """The places are on another device, and nobody says so."""
    _check_index(index, a.shape[dim])
    index = index.get() if hasattr(index, "get") else index
    array = a.get() if hasattr(a, "get") else a
    corner = array[tuple(slice(None) if d == dim else slice(n) for d, n in enumerate(index.shape))]
    return np.take_along_axis(corner, index, axis=dim)


@mistake("tensor.matmul", spec="test_matmul_refuses_a_number", says="AttributeError")
def matmul_trusts_its_operands(a, b):
    """An int is asked for its axes."""
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul of shapes {a.shape} and {b.shape}")
    product = bmm(unsqueeze(a, 0) if a.ndim == 1 else a, unsqueeze(b, 1) if b.ndim == 1 else b)
    if b.ndim == 1:
        product = squeeze(product, -1)
    return squeeze(product, -1 if b.ndim == 1 else -2) if a.ndim == 1 else product


# What is missing at the edges


@mistake("tensor.flat_index", spec="test_flat_index_refuses_an_index_outside", says="should hold 7")
def flat_index_shows_the_side_only(index, shape):
    """The error says how long the axis is, and not which index was asked for."""
    place = 0
    for i, side, stride in zip(index, shape, contiguous_strides(shape)):
        if not -side <= i < side:
            raise IndexError(f"an index is outside an axis of size {side}")
        place += (i % side) * stride
    return place


@mistake("tensor.Tensor.numel", spec="test_numel_counts_the_entries", says="the type of numel() of shape ()")
def numel_by_prod(self):
    """The product of no sides is 1.0, a float."""
    return np.prod(self.shape)


@mistake("tensor.Tensor.item", spec="test_item_of_a_single_entry", says="the type of item() of float32")
def item_gives_numpys_number(self):
    """An entry of a NumPy array is a NumPy scalar."""
    if self.data.size != 1:
        raise RuntimeError(f"shape {self.shape}")
    return self.data.reshape(1)[0]


@mistake("tensor.Tensor.tolist", spec="test_tolist_nests_as_the_axes_do", says="tolist()")
def tolist_by_list(self):
    """list() goes one axis deep and leaves NumPy's arrays and scalars in it."""
    return list(self.data) if self.ndim else self.item()


@mistake("tensor.Tensor.__index__", spec="test_a_tensor_of_one_integer_is_an_index", says="uint8")
def index_of_signed_integers_only(self):
    """Unsigned integers have a kind of their own."""
    if self.dtype.kind != "i" or self.data.size != 1:
        raise TypeError(f"an index needs an integer, got {self.dtype} of shape {self.shape}")
    return int(self.data.item())


@mistake("tensor.Tensor.__repr__", spec="test_repr_reads_as_code", says="[300,   4]")
def repr_without_prefix(self):
    """The second row begins where the first does not."""
    text = np.array2string(self.data, separator=", ", precision=4)
    extra = f", size={self.shape}" if self.data.size == 0 and self.ndim > 1 else ""
    if self.dtype not in (np.float32, np.int64, np.bool_):
        extra += f", dtype={self.dtype}"
    return f"tensor({text}{extra})"


@mistake(
    "tensor.arange",
    spec="test_arange_takes_a_dtype_and_refuses_a_step_that_does_not_lead_there",
    says="nothing was raised, expected ValueError with a message that holds -1",
)
def arange_away_from_its_end(bounds, dtype=None, device="cpu", requires_grad=False):
    """Only a step of 0 is refused; NumPy gives an empty array for one that leads away."""
    start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    if step == 0:
        raise ValueError(f"a step of {step}")
    array = np.arange(start, end, step)
    return _finish(array, dtype or (float32 if array.dtype.kind == "f" else int64), device, requires_grad)


@mistake("tensor.linspace", spec="test_creation_takes_requires_grad", says="requires_grad of linspace")
def linspace_forgets_requires_grad(start, end, steps, dtype=None, device="cpu", requires_grad=False):
    """The parameter is there and nobody looks at it."""
    return Tensor(np.linspace(start, end, steps)).to(dtype, device=device)


@mistake("tensor.eye", spec="test_creation_takes_requires_grad", says="requires_grad of eye")
def eye_forgets_requires_grad(n, m=None, dtype=None, device="cpu", requires_grad=False):
    """The same for the identity."""
    return Tensor(np.eye(n, m)).to(dtype, device=device)


@mistake("tensor.rand", spec="test_rand_is_uniform", says="requires_grad of rand")
def rand_forgets_requires_grad(shape, generator=None, dtype=None, device="cpu", requires_grad=False):
    """The same for chance."""
    generator = generator or default_generator(Device(str(device)))
    return Tensor(generator.random(sizes(shape), dtype=dtype)).to(dtype, device=device)


@mistake("tensor.randn", spec="test_randn_is_normal", says="requires_grad of randn")
def randn_forgets_requires_grad(shape, generator=None, dtype=None, device="cpu", requires_grad=False):
    """And again."""
    generator = generator or default_generator(Device(str(device)))
    return Tensor(generator.standard_normal(sizes(shape), dtype=dtype)).to(dtype, device=device)


@mistake("tensor.randint", spec="test_randint_draws_every_number_equally_often", says="int32")
def randint_ignores_dtype(low, high, shape, generator=None, dtype=None, device="cpu"):
    """The generator's int64 is left as it is."""
    if low >= high:
        raise ValueError(f"randint needs low < high, got {low} and {high}")
    generator = generator or default_generator(Device(str(device)))
    return Tensor(generator.integers(low, high, size=shape))


@mistake("tensor.full", spec="test_creation_on_a_device", says="the .device of")
def full_stays_on_the_cpu(shape, fill_value, dtype=None, device="cpu", requires_grad=False):
    """device= is accepted and forgotten."""
    if dtype is None:
        dtype = {"b": bool_, "i": int64}.get(np.asarray(fill_value).dtype.kind, float32)
    return _finish(np.full(shape, fill_value, dtype), dtype, None, requires_grad)


@mistake("tensor.div", spec="test_division_promotes", says="dtype float32, expected float16")
def div_without_promote(a, b):
    """Each becomes floating point on its own: int64 is float32, and float16 meets that."""
    return floating(a) / floating(b)


@mistake("tensor.eq", spec="test_comparison_promotes", says="eq(int64 2**24 + 1, float32 2**24)")
def eq_without_promote(a, b):
    """NumPy compares int64 and float32 in float64."""
    return a == b


@mistake("tensor.lt", spec="test_comparison_promotes", says="lt(")
def lt_without_promote(a, b):
    """NumPy lets a 0-d float64 widen float32."""
    return a < b


@mistake("tensor.bitwise_and", spec="test_and_or_of_booleans_and_bits", says="uint8 and 0-d int64")
def and_without_promote(a, b):
    """NumPy lets a 0-d int64 widen uint8."""
    return a & b


@mistake("tensor.erf", spec="test_function_of_every_entry", says="expected float16")
def erf_in_scipys_dtype(a):
    """SciPy has no erf of float16 and answers in another dtype."""
    from scipy import special

    return special.erf(floating(a))


@mistake("tensor.sign", spec="test_sign_is_all_that_stays", says="sign")
def sign_of_numbers_only(a):
    """NumPy's sign refuses booleans."""
    return get_array_module(a).sign(a)


@mistake("tensor.sum", spec="test_sum_of_integers_is_int64", says="the sum of uint8")
def sum_in_numpys_dtype(a, dim=None, keepdim=False):
    """NumPy adds unsigned integers up in uint64."""
    return a.sum(axis=_axes(dim), keepdims=keepdim)


@mistake("tensor.cumsum", spec="test_cumsum_of_integers_is_int64", says="cumsum of uint8")
def cumsum_in_numpys_dtype(a, dim):
    """The same for running sums."""
    return a.cumsum(axis=dim).reshape(a.shape)


@mistake("tensor.amin", spec="test_amax_and_amin_over_any_axes", says="list")
def amin_hands_a_list_on(a, dim=None, keepdim=False):
    """NumPy takes several axes as a tuple only."""
    return a.min(axis=dim, keepdims=keepdim)


@mistake("tensor.mean", spec="test_mean_of_no_entries", says="over dim 0")
def mean_of_nothing_is_zero(x, dim=None, keepdim=False):
    """The count is kept from being 0, and the mean of nothing is 0."""
    if x.dtype.kind != "f":
        raise TypeError(f"mean needs a floating point Tensor, got {x.dtype}")
    return sum(x, dim, keepdim) / builtins.max(_count(x, dim), 1)


@mistake("tensor.var", spec="test_var_of_a_single_entry", says="correction=5")
def var_below_zero(x, dim=None, correction=1, keepdim=False):
    """A correction larger than the count makes a variance negative."""
    deviation = x - mean(x, dim, keepdim=True)
    return sum(deviation * deviation, dim, keepdim) / (_count(x, dim) - correction)


# Right numbers that no gradient can follow


@mistake("tensor.mean", spec="test_compositions_are_made_of_primitives", says="the result of mean leaves")
def mean_of_the_array(x, dim=None, keepdim=False):
    """NumPy's mean of x.data, wrapped."""
    if x.dtype.kind != "f":
        raise TypeError(f"mean needs a floating point Tensor, got {x.dtype}")
    with quiet:
        return x.__class__(np.asarray(x.data.mean(axis=_axes(dim), keepdims=keepdim)))


@mistake("tensor.var", spec="test_compositions_are_made_of_primitives", says="the result of var leaves")
def var_of_the_array(x, dim=None, correction=1, keepdim=False):
    """A sum of primitives, divided by hand."""
    deviation = x - mean(x, dim, keepdim=True)
    squares = sum(deviation * deviation, dim, keepdim).data
    with quiet:
        return x.__class__(squares / squares.dtype.type(builtins.max(_count(x, dim) - correction, 0)))


@mistake("tensor.masked_fill", spec="test_compositions_are_made_of_primitives", says="masked_fill leaves")
def masked_fill_of_the_array(x, mask, value):
    """A copy of the array is written to, and wrapped."""
    array = x.data.copy()
    array[np.broadcast_to(mask.data, x.shape)] = value
    return x.__class__(array)


@mistake("tensor.matmul", spec="test_other_compositions_are_made_of_primitives", says="matmul leaves")
def matmul_of_the_arrays(a, b):
    """NumPy's @, which takes vectors too."""
    return a.__class__(np.asarray(np.matmul(*promote(a.data, b.data))))


@mistake("tensor.cat", spec="test_other_compositions_are_made_of_primitives", says="the result of cat leaves")
def cat_of_the_arrays(tensors, dim=0):
    """The arrays are joined, and the result is wrapped."""
    return tensors[0].__class__(np.concatenate(promote(*(each.data for each in tensors)), axis=dim))


@mistake("tensor.stack", spec="test_other_compositions_are_made_of_primitives", says="stack leaves")
def stack_of_the_arrays(tensors, dim=0):
    """The same for stack."""
    return tensors[0].__class__(np.stack([each.data for each in tensors], axis=dim))


@mistake("tensor.split", spec="test_other_compositions_are_made_of_primitives", says="split leaves")
def split_of_the_array(x, sizes, dim=0):
    """Views of the array, wrapped one by one."""
    side = x.shape[dim]
    if isinstance(sizes, int):
        sizes = [builtins.min(sizes, side - start) for start in range(0, side or 1, sizes)]
    ends = np.cumsum(sizes)[:-1]
    return tuple(x.__class__(piece) for piece in np.split(x.data, ends, axis=dim))


@mistake("tensor.sort", spec="test_other_compositions_are_made_of_primitives", says="sort leaves")
def sort_of_the_array(x, dim=-1, descending=False):
    """The values are picked from the array."""
    indices = argsort(x, dim, descending)
    return x.__class__(np.take_along_axis(x.data, indices.data, axis=dim)), indices


@mistake("tensor.Tensor.T", spec="test_other_compositions_are_made_of_primitives", says="x.T leaves")
def transpose_of_the_array(self):
    """The transposed array, wrapped: nobody knows whose memory it is."""
    return Tensor(self.data.T)


@mistake("tensor.bmm", spec="test_bmm_refuses_vectors", says="nothing was raised")
def bmm_takes_vectors(a, b):
    """NumPy's @ lends vectors an axis by itself."""
    a, b = promote(a, b)
    return a @ b


@mistake("tensor.matmul", spec="test_matmul_lends_a_vector_an_axis", says="(3,)")
def matmul_is_bmm(a, b):
    """Nothing is lent: matmul hands its operands on."""
    return bmm(a, b)


# Writes


@mistake(
    "tensor.Tensor.copy_", spec="test_copy_takes_the_entries_of_another", says="'int' object has no attribute"
)
def copy_from_tensors_only(self, source):
    """A number has no .data."""
    with dispatch.mutating(self, source):
        self.data[...] = source.data
    return self


@mistake(
    "tensor.Tensor.add_", spec="test_a_write_that_fails_changes_nothing", says="the version of x after add_"
)
def add_counts_before_it_writes(self, other):
    """The version moves on, and then there is no write."""
    with dispatch.mutating(self, other):
        pass
    self.data += dispatch.unwrap(other, "add_")
    return self


@mistake("tensor.Tensor.mul_", spec="test_every_write_is_counted", says="mul_ is not counted")
def mul_without_with(self, other):
    """A context manager that is called and not entered does nothing."""
    dispatch.mutating(self, other)
    self.data *= dispatch.unwrap(other, "mul_")
    return self


# Digits


@mistake("tensor.sum", spec="test_sum_keeps_its_digits", says="100,000 rows of 0.1")
def sum_row_after_row(a, dim=None, keepdim=False):
    """NumPy adds row after row, in the dtype of the array."""
    return a.sum(axis=_axes(dim), keepdims=keepdim, dtype=None if a.dtype.kind == "f" else int64)


@mistake("tensor.sum", spec="test_sum_keeps_its_digits", says="over two axes")
def sum_keeps_digits_along_one_axis_only(a, dim=None, keepdim=False):
    """Several axes are left to NumPy."""
    if isinstance(dim, int) or a.dtype.kind != "f" or a.dtype.itemsize == 2:
        return add_up(a, _axes(dim), keepdim)
    return a.sum(axis=_axes(dim), keepdims=keepdim)


@mistake("tensor.sum", spec="test_sum_keeps_its_digits", says="rows that lie apart")
def sum_keeps_digits_along_the_first_axis_only(a, dim=None, keepdim=False):
    """NumPy adds the last axis in pairs, but only where it is the dense one in memory."""
    if dim != 1 or a.dtype.kind != "f":
        return add_up(a, _axes(dim), keepdim)
    return a.sum(axis=_axes(dim), keepdims=keepdim)


@mistake("tensor.sum", spec="test_sum_of_float16", says="5,000 ones of float16")
def sum_in_blocks_of_float16(a, dim=None, keepdim=False):
    """float32 is taken care of, float16 is not."""
    if a.dtype == np.float16:
        return a.sum(axis=_axes(dim), keepdims=keepdim)
    return add_up(a, _axes(dim), keepdim)


@mistake("tensor.sum", spec="test_sum_of_float16", says="dtype float32, expected float16")
def sum_stays_wide(a, dim=None, keepdim=False):
    """What was added up in float32 is not cast back."""
    return add_up(a.astype(np.float32) if a.dtype == np.float16 else a, _axes(dim), keepdim)


@mistake("tensor.cumsum", spec="test_cumsum_keeps_its_digits", says="100,000 times 0.1")
def cumsum_row_after_row(a, dim):
    """Each running sum is rounded to the dtype of the array."""
    return a.cumsum(axis=dim, dtype=None if a.dtype.kind == "f" else int64).reshape(a.shape)


@mistake("tensor.cumsum", spec="test_cumsum_keeps_its_digits", says="ones of float16")
def cumsum_of_float32_only(a, dim):
    """float64 for float32; float16 adds up in float16."""
    wide = {"float32": "float64", "float64": "float64", "float16": "float16"}.get(str(a.dtype), "int64")
    sums = a.cumsum(axis=dim, dtype=wide).reshape(a.shape)
    return sums.astype(a.dtype) if a.dtype.kind == "f" else sums


@mistake("tensor.rand", spec="test_random_numbers_of_float16", says="0 <= rand() < 1")
def rand_rounds_up_to_1(*shape, generator=None, dtype=None, device="cpu", requires_grad=False):
    """float32 draws just below 1 become 1 in float16."""
    generator = generator or default_generator(Device(str(device)))
    return _finish(generator.random(sizes(shape), dtype=_drawn(dtype)), dtype, device, requires_grad)


@mistake("tensor.randn", spec="test_random_numbers_of_float16", says="Unsupported dtype")
def randn_asks_for_float16(*shape, generator=None, dtype=None, device="cpu", requires_grad=False):
    """The generator is asked for a dtype that it does not know."""
    generator = generator or default_generator(Device(str(device)))
    return _finish(generator.standard_normal(sizes(shape), dtype=dtype), dtype, device, requires_grad)
