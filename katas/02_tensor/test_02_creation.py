"""What a Tensor knows about itself, how its numbers get out, and where Tensors come from."""

import importlib

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises, to_numpy, unchanged
from dojo.spec.strategies import arrays, shapes, strided
from tinytorch.setup import Device, manual_seed
from tinytorch.tensor import (
    Tensor,
    arange,
    eye,
    float16,
    float32,
    float64,
    from_numpy,
    full,
    full_like,
    int32,
    int64,
    linspace,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    tensor,
    zeros,
    zeros_like,
)

# What a Tensor knows


@pytest.mark.parametrize(
    "name, expected",
    [("shape", (2, 3)), ("ndim", 2), ("dtype", np.dtype(np.float32))],
    ids=["shape", "ndim", "dtype"],
)
def test_a_tensor_describes_its_array(name, expected):
    """A Tensor over a float32 array of shape (2, 3) tells its shape, ndim and dtype."""
    x = Tensor(np.zeros((2, 3), np.float32))
    assert_equal(getattr(x, name), expected, f"x.{name}")


def test_a_tensor_over_numpy_is_on_the_cpu():
    """The device of a Tensor over a NumPy array is Device("cpu")."""
    assert_equal(Tensor(np.zeros(2)).device, Device("cpu"), "x.device")


@pytest.mark.parametrize("shape, count", [((2, 3), 6), ((), 1), ((3, 0), 0)], ids=["2x3", "0-d", "3x0"])
def test_numel_counts_the_entries(shape, count):
    """numel() is the number of entries, an int: the product of the sides, so 1 for a 0-d Tensor."""
    number = Tensor(np.ones(shape, np.float32)).numel()
    assert_equal(number, count, f"numel() of shape {shape}")
    assert_equal(type(number).__name__, "int", f"the type of numel() of shape {shape}")


def test_stride_counts_entries():
    """stride() counts entries, not bytes, in ints: a float32 matrix of shape (2, 3) has strides (3, 1)."""
    matrix = np.zeros((2, 3), np.float32)
    assert_equal(Tensor(matrix).stride(), (3, 1), "stride()")
    assert_equal(Tensor(matrix.T).stride(), (1, 3), "stride() of the transposed matrix")
    assert_equal(Tensor(matrix[:, ::2]).stride(), (3, 2), "stride() of every second column")
    assert_equal(Tensor(np.broadcast_to(matrix, (4, 2, 3))).stride(), (0, 3, 1), "stride() when broadcast")
    assert_equal({type(step).__name__ for step in Tensor(matrix).stride()}, {"int"}, "the types of strides")


@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "bool"])
def test_stride_knows_how_wide_an_entry_is(dtype):
    """The strides of a matrix of shape (2, 3) are (3, 1) in every dtype: an entry has 8, 4, 2 or 1 bytes."""
    assert_equal(Tensor(np.zeros((2, 3), dtype)).stride(), (3, 1), f"stride() of {dtype}")


# Numbers out of a Tensor


def test_item_of_a_single_entry():
    """item() is the only entry as a Python number, whatever the shape: float, int or bool."""
    for array, number in [
        (np.array([[2.5]], np.float32), 2.5),
        (np.array(3), 3),
        (np.array([True]), True),
    ]:
        out = Tensor(array).item()
        assert_equal(type(out).__name__, type(number).__name__, f"the type of item() of {array.dtype}")
        assert_equal(out, number, f"item() of {array.dtype}")


def test_item_refuses_more_or_fewer_entries():
    """item() of any other number of entries is a RuntimeError that shows the shape."""
    assert_equal(Tensor(np.array(3)).item(), 3, "item()")
    with raises(RuntimeError, (2,)):
        Tensor(np.zeros(2)).item()
    with raises(RuntimeError, (0, 3)):
        Tensor(np.zeros((0, 3))).item()


def test_tolist_nests_as_the_axes_do():
    """tolist() gives nested lists of Python numbers, as item() gives one, and for a 0-d Tensor the number itself."""
    assert_equal(Tensor(np.array([[1, 2, 3], [4, 5, 6]])).tolist(), [[1, 2, 3], [4, 5, 6]], "tolist()")
    halves = Tensor(np.array([0.5, -1.0], np.float32)).tolist()
    assert_equal(halves, [0.5, -1.0], "tolist()")
    assert_equal(
        [type(entry).__name__ for entry in halves], ["float"] * 2, "the list of types in tolist() of float32"
    )
    assert_equal(Tensor(np.array(2.5)).tolist(), 2.5, "tolist() of a 0-d Tensor")


def test_numpy_shares_the_memory():
    """numpy() is the array without a copy: what is written to one is seen in the other."""
    array = np.array([1.0, 2.0, 3.0], np.float32)
    out = Tensor(array).numpy()
    array[0] = 7
    assert_close(out, np.array([7, 2, 3], np.float32), "numpy() after a change of the array")
    out[1] = 8
    assert_close(array, np.array([7, 8, 3], np.float32), "the array after a change of numpy()")


def test_truth_of_one_entry():
    """A Tensor of one entry is true where that entry is not 0; with more entries, asking is a RuntimeError."""
    assert_equal(bool(Tensor(np.array([0.0]))), False, "bool() of an entry 0.0")
    assert_equal(bool(Tensor(np.array(-2))), True, "bool() of an entry -2")
    with raises(RuntimeError, (3,)):
        bool(Tensor(np.zeros(3)))


def test_len_is_the_first_side():
    """len() is the size of the first axis; a 0-d Tensor has none, a TypeError."""
    assert_equal(len(Tensor(np.zeros((4, 2)))), 4, "len() of shape (4, 2)")
    assert_equal(len(Tensor(np.zeros((0, 2)))), 0, "len() of shape (0, 2)")
    with raises(TypeError):
        len(Tensor(np.array(1.0)))


def test_a_tensor_of_one_integer_is_an_index():
    """A Tensor of one integer serves where Python wants an index; any other Tensor is a TypeError."""
    letters = ["a", "b", "c"]
    assert_equal(letters[Tensor(np.array(2))], "c", "letters[Tensor of 2]")
    assert_equal(letters[Tensor(np.array([-3]))], "a", "letters[Tensor of -3]")
    assert_equal(letters[Tensor(np.array(1, np.uint8))], "b", "letters[Tensor of 1, uint8]")
    with raises(TypeError, "float64"):
        letters[Tensor(np.array(1.0))]
    with raises(TypeError, (2,)):
        letters[Tensor(np.array([0, 1]))]


# Another dtype


def test_to_changes_the_dtype():
    """x.to(dtype) is a new Tensor with the entries in that dtype; the fraction is cut off for integers."""
    array = np.array([-1.75, 0.0, 2.5], np.float32)
    with unchanged(array):
        assert_close(Tensor(array).to(float64), array.astype(np.float64), "x.to(float64)")
        assert_close(Tensor(array).to(int64), np.array([-1, 0, 2]), "x.to(int64)")
        assert_close(Tensor(array).to(dtype=np.bool_), np.array([True, False, True]), "x.to(dtype=bool)")


def test_to_the_same_dtype_is_the_same_tensor():
    """x.to(dtype) is x itself where x has that dtype already: nothing is copied."""
    x = Tensor(np.array([1.0], np.float32))
    assert_equal(x.to(float32) is x, True, "x.to(float32) is x")
    assert_equal(x.to(float64) is x, False, "x.to(float64) is x")


# From numbers and arrays


@pytest.mark.parametrize(
    "data, dtype",
    [
        (2.5, "float32"),
        (3, "int64"),
        (True, "bool"),
        ([[1.0, 2.0], [3.0, 4.0]], "float32"),
        ([[1, 2, 3], [4, 5, 6]], "int64"),
        ([1, 2.5], "float32"),
        ((False, True), "bool"),
        ([], "float32"),
    ],
    ids=repr,
)
def test_tensor_of_python_numbers(data, dtype):
    """tensor() takes numbers and nested lists: floats become float32, integers int64, booleans bool."""
    assert_close(tensor(data), np.array(data, dtype), f"tensor({data})")


@given(
    array=st.sampled_from(["float64", "float32", "int32", "uint8", "bool"]).flatmap(
        lambda dtype: strided(shapes(), dtype, low=0)
    )
)
@example(array=np.array([0.5, 1.0]))
def test_tensor_keeps_the_dtype_of_an_array(array):
    """tensor() of an array or of a Tensor has that array's dtype: a float64 array stays float64."""
    assert_close(tensor(array), array, "tensor(array)")
    assert_close(tensor(Tensor(array)), array, "tensor(a Tensor)")
    assert_close(tensor(array, dtype=float64), array.astype(np.float64), "tensor(array, dtype=float64)")


def test_tensor_takes_numpy_scalars():
    """tensor() of a NumPy scalar is a 0-d Tensor of its dtype."""
    assert_close(tensor(np.float64(0.5)), np.array(0.5, np.float64), "tensor(np.float64(0.5))")
    assert_close(tensor(np.int32(3)), np.array(3, np.int32), "tensor(np.int32(3))")


def test_tensor_copies():
    """tensor() always copies: a later change of the array or Tensor it was made from is not seen."""
    array = np.array([1.0, 2.0], np.float32)
    from_array, from_tensor = tensor(array), tensor(Tensor(array))
    array[0] = 100
    assert_close(from_array, [1.0, 2.0], "tensor(array), after the array was changed")
    assert_close(from_tensor, [1.0, 2.0], "tensor(x), after x was changed")


def test_tensor_that_requires_grad():
    """tensor(..., requires_grad=True) requires grad; by default it does not, and with integers it is an error."""
    assert_equal(tensor([1.0], requires_grad=True).requires_grad, True, "requires_grad")
    assert_equal(tensor([1.0]).requires_grad, False, "requires_grad by default")
    with raises(RuntimeError, "int64"):
        tensor([1], requires_grad=True)


def test_tensor_refuses_what_is_not_an_array_of_numbers():
    """Lists of unequal lengths are a ValueError; text is a TypeError that shows what was given."""
    assert_close(tensor([1]), np.array([1]), "tensor([1])")
    with raises(ValueError):
        tensor([[1, 2], [3]])
    with raises(TypeError, "seven"):
        tensor("seven")


def test_from_numpy_shares_the_memory():
    """from_numpy() copies nothing: a change of the array is a change of the Tensor, and the dtype stays."""
    array = np.array([1.0, 2.0])
    x = from_numpy(array)
    array[0] = 100
    assert_close(x, np.array([100.0, 2.0]), "from_numpy(array), after the array was changed")


def test_from_numpy_refuses_lists():
    """from_numpy() of anything but a NumPy array is a TypeError that names what was given."""
    assert_close(from_numpy(np.array([1])), np.array([1]), "from_numpy(array)")
    with raises(TypeError, "list"):
        from_numpy([1.0, 2.0])


# Filled with one value


@pytest.mark.parametrize(
    "value, dtype", [(2.5, "float32"), (7, "int64"), (True, "bool")], ids=["float", "int", "bool"]
)
def test_full_takes_the_kind_of_its_value(value, dtype):
    """full(shape, value) is value everywhere; a float gives float32, an integer int64, a bool bool."""
    assert_close(full((2, 3), value), np.array([[value] * 3] * 2, dtype), f"full((2, 3), {value})")
    assert_close(full((), value), np.array(value, dtype), f"full((), {value})")
    assert_close(full((2,), value, dtype=float64), np.array([value] * 2, np.float64), "with dtype=float64")


@pytest.mark.parametrize("create, value", [(zeros, 0.0), (ones, 1.0)], ids=["zeros", "ones"])
def test_zeros_and_ones_take_a_shape_in_two_ways(create, value):
    """zeros(2, 3) and zeros((2, 3)) are the same, float32 by default; ones() likewise."""
    rows = [[value] * 3] * 2
    assert_close(create(2, 3), np.array(rows, np.float32), "the call with 2, 3")
    assert_close(create((2, 3)), np.array(rows, np.float32), "the call with (2, 3)")
    assert_close(create(()), np.array(value, np.float32), "the call with ()")
    assert_close(create(0, 3), np.zeros((0, 3), np.float32), "the call with 0, 3")
    assert_close(create(2, dtype=int64), np.array([value] * 2, np.int64), "with dtype=int64")
    assert_equal(create(2, requires_grad=True).requires_grad, True, "requires_grad")


@pytest.mark.parametrize(
    "create, value",
    [(zeros_like, 0), (ones_like, 1), (lambda x, **options: full_like(x, 5, **options), 5)],
    ids=["zeros_like", "ones_like", "full_like"],
)
def test_like_takes_shape_and_dtype_from_another(create, value):
    """zeros_like(x), ones_like(x) and full_like(x, 5) have x's shape and dtype, unless dtype= says otherwise."""
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int32)
    with unchanged(x):
        assert_close(create(Tensor(x)), np.array([[value] * 3] * 2, np.int32), "the result for an int32 x")
        assert_close(
            create(Tensor(x), dtype=float64), np.full((2, 3), value, np.float64), "with dtype=float64"
        )


# Rows of numbers


@pytest.mark.parametrize(
    "bounds, expected",
    [
        ((4,), [0, 1, 2, 3]),
        ((2, 5), [2, 3, 4]),
        ((5, 0, -2), [5, 3, 1]),
        ((0, 1, 0.25), [0.0, 0.25, 0.5, 0.75]),
        ((2.5,), [0.0, 1.0, 2.0]),
        ((0,), []),
    ],
    ids=str,
)
def test_arange_stops_before_its_end(bounds, expected):
    """arange(start, end, step) stops before end; int64 if all three are integers, else float32."""
    dtype = np.float32 if any(isinstance(b, float) for b in bounds) else np.int64
    assert_close(arange(*bounds), np.array(expected, dtype), f"arange{bounds}")


def test_arange_takes_a_dtype_and_refuses_a_step_that_does_not_lead_there():
    """arange(3, dtype=float32) is float32; a step of 0, or one that leads away from end, is a ValueError."""
    assert_close(arange(3, dtype=float32), np.array([0, 1, 2], np.float32), "arange(3, dtype=float32)")
    with raises(ValueError, 0):
        arange(1, 5, 0)
    with raises(ValueError, -1):
        arange(0, 5, -1)


def test_linspace_has_both_ends():
    """linspace(0, 1, 5) is five float32 numbers at equal distances, the first 0 and the last 1."""
    assert_close(linspace(0, 1, 5), np.array([0, 0.25, 0.5, 0.75, 1], np.float32), "linspace(0, 1, 5)")
    assert_close(linspace(2, -2, 3), np.array([2, 0, -2], np.float32), "linspace(2, -2, 3)")
    assert_close(linspace(3, 9, 1), np.array([3], np.float32), "linspace(3, 9, 1)")


def test_eye_has_ones_on_its_diagonal():
    """eye(n) is the identity matrix; eye(n, m) has n rows and m columns."""
    assert_close(eye(2), np.array([[1, 0], [0, 1]], np.float32), "eye(2)")
    assert_close(eye(2, 3), np.array([[1, 0, 0], [0, 1, 0]], np.float32), "eye(2, 3)")
    assert_close(eye(2, 1, dtype=int32), np.array([[1], [0]], np.int32), "eye(2, 1, dtype=int32)")


@pytest.mark.parametrize(
    "name, args",
    [("full", ((2,), 0.5)), ("arange", (2.5,)), ("linspace", (0, 1, 3)), ("eye", (2,))],
    ids=["full", "arange", "linspace", "eye"],
)
def test_creation_takes_requires_grad(name, args):
    """full, arange, linspace and eye take requires_grad=True too; by default a new Tensor does not require grad."""
    create = getattr(importlib.import_module("tinytorch.tensor"), name)
    assert_equal(create(*args, requires_grad=True).requires_grad, True, f"requires_grad of {name}")
    assert_equal(create(*args).requires_grad, False, f"requires_grad of {name} by default")


# Random numbers


def test_rand_is_uniform():
    """rand() draws float32 numbers evenly from 0 to 1, 1 left out: a tenth of them in each tenth."""
    manual_seed(0)
    x = rand(100, 200)
    assert_equal((x.data.shape, str(x.data.dtype)), ((100, 200), "float32"), "(shape, dtype) of rand()")
    assert_equal(bool((x.data >= 0).all() and (x.data < 1).all()), True, "0 <= rand() < 1")
    in_each_tenth = np.bincount((x.data.ravel() * 10).astype(int), minlength=10) / x.data.size
    assert_close(in_each_tenth, [0.1] * 10, "the share of draws in each tenth", rtol=0.15)
    fine = rand(100, dtype=float64).data
    assert_equal(bool((fine == fine.astype(np.float32)).any()), False, "whether float64 has float32's digits")
    assert_equal(
        rand(2, requires_grad=True).requires_grad, True, "requires_grad of rand(2, requires_grad=True)"
    )


def test_randn_is_normal():
    """randn() draws float32 numbers with mean 0 and variance 1: 68 % lie between -1 and 1, 95 % between -2 and 2."""
    manual_seed(0)
    x = randn(100, 200)
    assert_equal((x.data.shape, str(x.data.dtype)), ((100, 200), "float32"), "(shape, dtype) of randn()")
    assert_close(x.data.mean(dtype=float), 0.0, "the mean of the draws", atol=0.05)
    assert_close(float(np.mean(np.abs(x.data) < 1)), 0.683, "the share of draws in (-1, 1)", atol=0.02)
    assert_close(float(np.mean(np.abs(x.data) < 2)), 0.954, "the share of draws in (-2, 2)", atol=0.01)
    assert_equal(
        randn(2, requires_grad=True).requires_grad, True, "requires_grad of randn(2, requires_grad=True)"
    )


@pytest.mark.parametrize("draw", [rand, randn], ids=["rand", "randn"])
def test_random_numbers_of_float16(draw):
    """rand and randn draw float16 as well, which NumPy's generators cannot; what rand draws stays below 1."""
    manual_seed(0)
    x = draw(100_000, dtype=float16)
    assert_equal(str(x.data.dtype), "float16", "the dtype")
    assert_close(x.data.mean(dtype=float), 0.5 if draw is rand else 0.0, "the mean of the draws", atol=0.02)
    if draw is rand:
        assert_equal(bool((x.data >= 0).all() and (x.data < 1).all()), True, "0 <= rand() < 1")


def test_randint_draws_every_number_equally_often():
    """randint(low, high, shape) draws int64 numbers from low to high - 1; an empty range is a ValueError."""
    manual_seed(0)
    x = randint(-2, 3, (100, 50))
    assert_equal((x.data.shape, str(x.data.dtype)), ((100, 50), "int64"), "(shape, dtype) of randint()")
    values, counts = np.unique(x.data, return_counts=True)
    assert_equal(values.tolist(), [-2, -1, 0, 1, 2], "the list of numbers that randint(-2, 3) draws")
    assert_close(counts / x.data.size, [0.2] * 5, "the share of draws for each number", rtol=0.15)
    assert_equal(str(randint(0, 9, (2,), dtype=int32).data.dtype), "int32", "the dtype with dtype=int32")
    with raises(ValueError, 3):
        randint(3, 3, (2,))


def test_randint_begins_at_0():
    """randint(high, shape) draws from 0 to high - 1."""
    manual_seed(0)
    x = randint(3, (50,))
    assert_equal(np.unique(x.data).tolist(), [0, 1, 2], "the numbers that randint(3, (50,)) draws")


@pytest.mark.parametrize(
    "draw",
    [rand, randn, lambda n, **options: randint(0, 1000, (n,), **options)],
    ids=["rand", "randn", "randint"],
)
def test_random_tensors_can_be_drawn_again(draw):
    """After manual_seed(n) the same numbers come again; where generator= is given, that one draws instead."""
    manual_seed(7)
    first, second = draw(4).data, draw(4).data
    assert_equal(bool((first == second).all()), False, "whether a second draw equals the first")
    manual_seed(7)
    assert_close(draw(4), first, "the draw after the same seed")
    once = draw(4, generator=np.random.default_rng(1))
    again = draw(4, generator=np.random.default_rng(1))
    assert_close(again, once.data, "the draw from a generator in the same state")
    manual_seed(7)
    draw(4, generator=np.random.default_rng(1))
    assert_close(draw(4), first, "the draw after one from another generator")


# As text


@pytest.mark.parametrize(
    "array, text",
    [
        (np.array([1.0, 2.0], np.float32), "tensor([1., 2.])"),
        (np.array(3), "tensor(3)"),
        (np.array([1 / 3]), "tensor([0.3333], dtype=float64)"),
        (np.zeros((0, 3)), "tensor([], size=(0, 3), dtype=float64)"),
        (np.array([[1, 20], [300, 4]]), "tensor([[  1,  20],\n        [300,   4]])"),
    ],
    ids=["float32", "0-d", "float64", "empty", "rows"],
)
def test_repr_reads_as_code(array, text):
    """repr() is tensor(...) around the entries, of 4 digits, and the dtype unless it is float32, int64 or bool."""
    assert_equal(repr(Tensor(array)), text, "repr(x)")


@given(array=arrays(shapes(min_dims=1, max_dims=2, min_side=1)))
@example(array=np.array([[1, 2], [3, 4]], np.float32))
def test_repr_shows_every_entry_of_a_small_tensor(array):
    """repr() of a small Tensor shows all its entries, row under row, and says when it requires grad."""
    text = repr(Tensor(array, requires_grad=True))
    assert_equal(text.endswith(", requires_grad=True)"), True, f"whether {text!r} says requires_grad=True")
    entries = text.removeprefix("tensor(").removesuffix(", requires_grad=True)")
    assert_equal(eval(entries), array.tolist(), "the list of entries in repr(x)")
    expected = "tensor([0.5], dtype=float64, requires_grad=True)"
    assert_equal(repr(Tensor(np.array([0.5]), requires_grad=True)), expected, "repr(x) of float64")
    assert_equal(repr(Tensor(np.zeros(0, np.float32))), "tensor([])", "repr(x) of shape (0,)")


# On a device


def assert_is_on(result, device, what):
    """The array of `result` is on the device, and `.device` says so."""
    assert_equal(str(result.device), str(Device(device)), f"the .device of {what}")
    place = "cpu" if isinstance(result.data, np.ndarray) else "cuda"
    assert_equal(place, Device(device).type, f"where the array of {what} is")


@pytest.mark.parametrize(
    "name, args",
    [
        ("zeros", (2, 3)),
        ("ones", (2, 3)),
        ("full", ((2, 3), 2.5)),
        ("tensor", ([[1.0, 2.0]],)),
        ("arange", (5,)),
        ("linspace", (0, 1, 5)),
        ("eye", (3,)),
    ],
    ids=["zeros", "ones", "full", "tensor", "arange", "linspace", "eye"],
)
def test_creation_on_a_device(device, name, args):
    """Every way to make a Tensor takes device=..., a string or a Device: the array is there, and .device says so."""
    create = getattr(importlib.import_module("tinytorch.tensor"), name)
    for where in (device, Device(device)):
        result = create(*args, device=where)
        assert_is_on(result, device, f"{name}(..., device={where!r})")
        assert_close(result, to_numpy(create(*args)), f"{name} on the device")


@pytest.mark.parametrize(
    "name, args",
    [("rand", (50, 4)), ("randn", (50, 4)), ("randint", (0, 9, (50, 4)))],
    ids=["rand", "randn", "randint"],
)
def test_chance_on_a_device(device, name, args):
    """Random Tensors are drawn on the device, in the shape and dtype that they have on the CPU."""
    draw = getattr(importlib.import_module("tinytorch.tensor"), name)
    result = draw(*args, device=device)
    assert_is_on(result, device, f"{name}(..., device={device!r})")
    assert_equal((result.shape, result.dtype), ((50, 4), draw(*args).dtype), f"(shape, dtype) of {name}")
    assert len(np.unique(to_numpy(result))) > 5, f"{name} draws the same number again and again"
