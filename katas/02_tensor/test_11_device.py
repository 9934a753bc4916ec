"""The same functions for arrays on a device: nothing comes back to the CPU unless somebody asks for it.

Where there is no GPU, a strict stand-in for CuPy takes its place: its arrays refuse what CuPy's refuse.
"""

import importlib

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, on_device, raises, refuses_to_mix, to_numpy
from tinytorch.setup import Device
from tinytorch.tensor import Tensor, cat, float64, full_like, ones_like, stack, tensor, zeros_like

ARRAYS = {
    "x": np.array([[1.5, -2, 0.25], [3, -0.5, 2]], np.float32),
    "y": np.array([0.5, 2, -1], np.float32),
    "p": np.array([[0.25, 1, 4], [2.25, 9, 1]], np.float32),
    "w": np.array([[1, 0], [2, -1], [0, 3]], np.float32),
    "i": np.array([[5, -3, 2], [7, 1, 4]]),
    "j": np.array([2, 3, -2]),
    "n": np.array([[2**53 + 1, -1, 0], [2**60 + 1, -(2**60) - 1, 3]]),  # float64 has no room for them
    "b": np.array([[True, False, True], [False, False, True]]),
    "c": np.array([True, True, False]),
    "places": np.array([[2, 0], [1, 1]]),
    "rows": np.array([1, 1]),
}

CALLS = [
    *[(name, "x y", {}) for name in ("add", "sub", "mul", "div", "maximum", "minimum", "matmul")],
    *[(name, "i j", {}) for name in ("floor_divide", "remainder", "bitwise_or", "bitwise_and", "add", "div")],
    *[(name, "x y", {}) for name in ("eq", "ne", "lt", "le", "gt", "ge")],
    *[
        (name, "x", {})
        for name in ("neg", "exp", "sin", "cos", "tanh", "erf", "abs", "sign", "isnan", "clone")
    ],
    *[(name, "p", {}) for name in ("log", "log1p", "sqrt")],
    *[(name, "i", {}) for name in ("exp", "erf", "sum", "sort")],
    *[(name, "x", {"dim": 1}) for name in ("sum", "amax", "amin", "mean", "var", "argmax", "cumsum", "sort")],
    *[(name, "x", {}) for name in ("sum", "amax", "mean", "var", "argmax", "argsort")],
    ("argsort", "x", {"dim": 0, "descending": True}),
    ("topk", "x", {"k": 2}),
    ("pow", "p y", {}),
    ("bitwise_not", "b", {}),
    ("bitwise_and", "b c", {}),
    ("clamp", "x", {"min": -1, "max": 1.5}),
    ("where", "b x y", {}),
    ("masked_fill", "x b", {"value": -7.0}),
    ("bmm", "x w", {}),
    ("matmul", "y w", {}),
    ("reshape", "x", {"shape": (3, -1)}),
    ("permute", "x", {"dims": (1, 0)}),
    ("transpose", "x", {"dim0": 0, "dim1": 1}),
    ("squeeze", "x", {}),
    ("unsqueeze", "x", {"dim": 1}),
    ("expand", "y", {"shape": (2, -1)}),
    ("flip", "x", {"dims": (0, 1)}),
    ("concatenate", "x p i", {"dim": 1}),
    ("split", "x", {"sizes": 2, "dim": 1}),
    ("pad", "x", {"pad": (1, 0, 0, 2), "value": 0.5}),
    ("tril", "x", {}),
    ("triu", "x", {"diagonal": 1}),
    ("getitem", "x", {"index": (0, slice(1, None))}),
    ("gather", "x", {"dim": 1, "index": "places"}),
    ("index_add", "x", {"dim": 0, "index": "rows", "source": "p"}),
    ("index_add", "i", {"dim": 0, "index": "rows", "source": "i"}),
    ("index_add", "n", {"dim": 0, "index": "rows", "source": "n"}),
    ("index_add", "b", {"dim": 0, "index": "rows", "source": "b"}),
    ("convert", "x", {"dtype": float64}),
]

PAIRS = [each for each in CALLS if len(each[1].split()) == 2]


def spelled(name, inputs, params):
    """A call as a short text: "sum-x-dim=1"."""
    return "-".join(
        [name, *inputs.split(), *(f"{key}={value}".replace(" ", "") for key, value in params.items())]
    )


def tensors(device):
    """The arrays above as Tensors on the device."""
    return {name: Tensor(on_device(array, device)) for name, array in ARRAYS.items()}


def call(name, inputs, params, values):
    """Call a function of the kata by its name. The results, one or several, as a tuple."""
    function = getattr(importlib.import_module("tinytorch.tensor"), name)
    params = {key: values[value] if isinstance(value, str) else value for key, value in params.items()}
    result = function(*(values[each] for each in inputs.split()), **params)
    return result if isinstance(result, tuple) else (result,)


def assert_stays(result, device, what):
    """The array of `result` is on the device."""
    at_home = isinstance(result.data, np.ndarray)
    assert at_home == (device == "cpu"), (
        f"{what} is on the {'CPU' if at_home else 'device'}, expected {device}"
    )


@pytest.mark.parametrize(("name", "inputs", "params"), CALLS, ids=[spelled(*each) for each in CALLS])
def test_function_on_the_device(device, name, inputs, params):
    """Every function gives on the device what it gives on the CPU, and its result stays on the device."""
    results = call(name, inputs, params, tensors(device))
    expected = call(name, inputs, params, tensors("cpu"))
    assert_equal(len(results), len(expected), "the number of results")
    for result, right in zip(results, expected, strict=True):
        assert_stays(result, device, f"the result of {name}")
        assert_close(result, to_numpy(right), f"{name} on the device")


def test_likes_stay_where_their_model_is(device):
    """zeros_like, ones_like and full_like make a Tensor on the device of x."""
    x = tensors(device)["x"]
    for result, value in [(zeros_like(x), 0), (ones_like(x), 1), (full_like(x, 2.5), 2.5)]:
        assert_stays(result, device, "the result")
        assert_close(result, np.full((2, 3), value, np.float32))


def test_cat_and_stack_on_the_device(device):
    """cat and stack join what is on one device."""
    values = tensors(device)
    for result, expected in [
        (cat([values["x"], values["p"]], 1), np.concatenate([ARRAYS["x"], ARRAYS["p"]], 1)),
        (stack([values["x"], values["p"]], 1), np.stack([ARRAYS["x"], ARRAYS["p"]], 1)),
    ]:
        assert_stays(result, device, "the result")
        assert_close(result, expected)


def test_operators_on_the_device(device):
    """Operators, numbers on either side, and methods work on the device."""
    values = tensors(device)
    x, y, a, b = values["x"], values["y"], ARRAYS["x"], ARRAYS["y"]
    for result, expected in [
        (2 * x - y / 4, 2 * a - b / 4),
        ((1 - x) ** 2, (1 - a) ** 2),
        (-x, -a),
        (x > 0, a > 0),
        (x @ y, a @ b),
        (x.T.reshape(-1).sum(), a.sum()),
    ]:
        assert_stays(result, device, "the result")
        assert_close(result, np.asarray(expected, to_numpy(result).dtype))


def test_indexing_on_the_device(device):
    """Places, slices and masks, to read and to write; an index Tensor is on the device too."""
    values = tensors(device)
    x, a = values["x"], ARRAYS["x"].copy()
    for result, expected in [
        (x[0, 1:], a[0, 1:]),
        (x[1, 2], a[1, 2]),
        (x[values["rows"]], a[[1, 1]]),
        (x[values["b"]], a[ARRAYS["b"]]),
        (x[:, None], a[:, None]),
    ]:
        assert_stays(result, device, "the result")
        assert_close(result, np.asarray(expected))
    x[0] = values["y"]
    x[values["b"]] = 9
    a[0] = ARRAYS["y"]
    a[ARRAYS["b"]] = 9
    assert_close(x, a, "x after x[0] = y and x[mask] = 9")


def test_in_place_on_the_device(device):
    """fill_, zero_, copy_ and the arithmetic in place write into the memory of the device."""
    values = tensors(device)
    x, y = values["x"], values["y"]
    data = x.data
    x += y
    x *= 2
    x -= 1
    x /= y
    assert_close(x, ((ARRAYS["x"] + ARRAYS["y"]) * 2 - 1) / ARRAYS["y"])
    assert_close(x.copy_(y), np.stack([ARRAYS["y"], ARRAYS["y"]]), "x.copy_(y)")
    assert_close(x.fill_(2.5), np.full((2, 3), 2.5, np.float32), "x.fill_(2.5)")
    assert_close(x.zero_(), np.zeros((2, 3), np.float32), "x.zero_()")
    assert x.data is data, "x has another array than before, expected the same memory"


def test_numbers_leave_the_device_when_asked(device):
    """item, tolist, float, bool, len, stride and a loop over x work on the device."""
    x = tensors(device)["x"]
    assert_equal(x[0, 0].item(), 1.5, "item()")
    assert_equal(x.tolist(), ARRAYS["x"].tolist(), "tolist()")
    assert_equal((float(x[0, 1]), bool(x[1, 1] > 0), int(x[1, 0])), (-2.0, False, 3), "(float, bool, int)")
    assert_equal(
        (len(x), x.shape, x.numel(), x.stride()), (2, (2, 3), 6, (3, 1)), "(len, shape, numel, stride)"
    )
    assert_equal([row.sum().item() for row in x], [-0.25, 4.5], "the list of row sums")


def test_repr_names_the_device(device):
    """The text of a Tensor says where it is, unless that is the CPU."""
    text = repr(Tensor(on_device(np.array([1, 2], np.float32), device)))
    assert_equal(
        text, "tensor([1., 2.])" if device == "cpu" else "tensor([1., 2.], device='cuda:0')", "repr(x)"
    )
    wide = repr(Tensor(on_device(np.array([1.0]), device)))
    assert_equal("dtype=float64" in wide, True, f"whether {wide!r} says dtype=float64")


def test_there_and_back(device):
    """x.to(device) is a copy there, x.to("cpu") a copy here; without a change it is x itself."""
    x = Tensor(ARRAYS["x"])
    there = x.to(device)
    assert_stays(there, device, f"x.to({device!r})")
    assert_equal(str(there.device), str(Device(device)), "the device")
    for name in (device, str(Device(device))):  # "cuda:0" too
        assert there.to(name) is there, "to() made a new Tensor where nothing changes, expected x itself"
    back = there.to("cpu", float64)
    assert_stays(back, "cpu", 'x.to("cpu", float64)')
    assert_close(back, ARRAYS["x"].astype(np.float64))


def test_no_tensor_moves_to_a_gpu_that_is_not_there(device):
    """x.to("cuda:99") is a RuntimeError that names the device, from the CPU and from another GPU; x stays as it is."""
    for x in (Tensor(ARRAYS["x"]), tensors(device)["x"]):
        with raises(RuntimeError, "cuda:99"):
            x.to("cuda:99")
        assert_close(x, ARRAYS["x"], "x after the error")


def test_what_finds_no_room_says_so(device):
    """A result of more bytes than the device has is a MemoryError, and what was there before can be used as before."""
    x = tensors(device)["x"]
    with raises(MemoryError):
        x[:1, :1].expand(2**50, 1) * 2.0
    assert_stays(x + 1, device, "x + 1")
    assert_close(x + 1, ARRAYS["x"] + 1, "x + 1")


def test_numpy_refuses_to_copy_behind_your_back(device):
    """x.numpy() of a Tensor on the device is a TypeError that says what to write instead: x.to("cpu")."""
    x = tensors(device)["x"]
    if device == "cpu":
        assert np.shares_memory(x.numpy(), x.data), "x.numpy() is another array than that of x"
    else:
        with raises(TypeError, "cuda:0", "cpu"):
            x.numpy()
    assert_close(x.to("cpu").numpy(), ARRAYS["x"], 'x.to("cpu").numpy()')


@pytest.mark.parametrize(("name", "inputs", "params"), PAIRS, ids=[spelled(*each) for each in PAIRS])
def test_devices_are_never_mixed(device, name, inputs, params):
    """One operand on the CPU and one on the device is a RuntimeError that names both places."""
    here, there = tensors("cpu"), tensors(device)
    first, second = inputs.split()
    for values in (here | {first: there[first]}, here | {second: there[second]}):
        with refuses_to_mix(device):
            call(name, inputs, params, values)


def test_joining_never_mixes_devices(device):
    """cat, gather and index_add with Tensors on two devices are a RuntimeError that names both places."""
    here, there = tensors("cpu"), tensors(device)
    with refuses_to_mix(device):
        cat([here["x"], there["x"]])
    with refuses_to_mix(device):
        call("gather", "x", {"dim": 1, "index": "places"}, here | {"x": there["x"]})
    with refuses_to_mix(device):
        call("index_add", "x", {"dim": 0, "index": "rows", "source": "p"}, here | {"x": there["x"]})


def test_tensor_copies_on_the_device(device):
    """tensor(x) of a Tensor on the device stays there; the copy has memory of its own."""
    x = tensors(device)["x"]
    copy = tensor(x)
    assert_stays(copy, device, "tensor(x)")
    copy.zero_()
    assert_close(x, ARRAYS["x"], "x after its copy was changed")
