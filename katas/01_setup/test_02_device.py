"""The place where an array lives, and whether there is a GPU at all."""

import sys
import types

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, hide_cupy, raises
from tinytorch.setup import Device, cuda_is_available


def test_cpu():
    """Device("cpu") has the type "cpu" and the index None."""
    device = Device("cpu")
    assert_equal(device.type, "cpu", 'Device("cpu").type')
    assert_equal(device.index, None, 'Device("cpu").index')


@pytest.mark.parametrize(("name", "index"), [("cuda:0", 0), ("cuda:1", 1), ("cuda:12", 12)])
def test_gpu_has_an_index(name, index):
    """Device("cuda:1") has the type "cuda" and the index 1, an int."""
    device = Device(name)
    assert_equal(device.type, "cuda", f'Device("{name}").type')
    assert_equal(device.index, index, f'Device("{name}").index')


def test_cuda_alone_is_the_first_gpu():
    """Device("cuda") means the first GPU: its index is 0."""
    device = Device("cuda")
    assert_equal(device.type, "cuda", 'Device("cuda").type')
    assert_equal(device.index, 0, 'Device("cuda").index')


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "CPU",
        " cpu",
        "cpux",
        "cpu\n",
        "cuda:",
        "cuda:x",
        "cuda:-1",
        "cuda:1.5",
        "cuda:1 ",
        "cuda1",
        "",
        7,
        None,
    ],
)
def test_unknown_device_is_an_error(name):
    """Any other value is a ValueError whose message names it and says what is possible: "cpu", "cuda" and "cuda:1"."""
    with raises(ValueError, name, "cpu", "cuda", "cuda:1"):
        Device(name)


@pytest.mark.parametrize(("name", "text"), [("cpu", "cpu"), ("cuda:1", "cuda:1"), ("cuda", "cuda:0")])
def test_str_is_the_name(name, text):
    """str(device) is "cpu" or, with the index always written, "cuda:1"."""
    assert_equal(str(Device(name)), text, f'str(Device("{name}"))')


def test_repr_is_what_one_would_type():
    """repr(device) is what one types to make it: Device("cuda:1")."""
    text = repr(Device("cuda:1")).replace("'", '"')
    assert_equal(text, 'Device("cuda:1")', 'repr(Device("cuda:1"))')


def test_equal_devices():
    """Devices that name the same place are equal, "cuda" and "cuda:0" among them; others are not."""
    assert_equal(Device("cpu") == Device("cpu"), True, 'Device("cpu") == Device("cpu")')
    assert_equal(Device("cuda") == Device("cuda:0"), True, 'Device("cuda") == Device("cuda:0")')
    assert_equal(Device("cuda:1") == Device("cuda:0"), False, 'Device("cuda:1") == Device("cuda:0")')
    assert_equal(Device("cpu") == Device("cuda"), False, 'Device("cpu") == Device("cuda")')
    assert_equal(Device("cpu") != Device("cuda"), True, 'Device("cpu") != Device("cuda")')


@pytest.mark.parametrize("other", ["cpu", None, 0])
def test_a_device_is_not_its_name(other):
    """A Device equals no string, None or number: comparing is False and never an error."""
    assert_equal(Device("cpu") == other, False, f'Device("cpu") == {other!r}')


def test_equal_devices_are_one_key():
    """Equal Devices have equal hashes, so a dictionary finds with one what was stored with the other."""
    stored = {Device("cpu"): "main memory", Device("cuda:1"): "second GPU"}
    assert_equal(stored.get(Device("cuda:1")), "second GPU", 'what is stored at Device("cuda:1")')
    assert_equal(stored.get(Device("cpu")), "main memory", 'what is stored at Device("cpu")')
    assert_equal(stored.get(Device("cuda:0")), None, 'what is stored at Device("cuda:0")')


@given(index=st.integers(0, 100))
@example(index=10)
def test_a_device_survives_its_name(index):
    """Device(str(device)) is the same device again, and so is Device(device)."""
    device = Device(f"cuda:{index}")
    assert_equal(Device(str(device)) == device, True, f"Device({str(device)!r}) == the device of that name")
    assert_equal(Device(device) == device, True, "Device(device) == device")
    assert_equal(Device(device).index, index, "the index of Device(device)")


def test_array_module_of_the_cpu():
    """Device("cpu").array_module, a property, is the module numpy."""
    assert Device("cpu").array_module is np


def test_no_cupy_means_no_gpu(monkeypatch):
    """cuda_is_available() is False where CuPy is not installed."""
    hide_cupy(monkeypatch)
    assert_equal(cuda_is_available(), False, "cuda_is_available()")


@pytest.mark.parametrize("error", [RuntimeError, ImportError, OSError, ValueError])
def test_a_broken_cupy_means_no_gpu(monkeypatch, error):
    """cuda_is_available() never raises: whatever CuPy raises, for a driver that is missing or too old, means False."""
    hide_cupy(monkeypatch)

    def fail(name):
        raise error(f"cudaErrorInsufficientDriver: no {name}")

    broken = types.ModuleType("cupy")
    broken.__getattr__ = fail
    monkeypatch.setitem(sys.modules, "cupy", broken)
    assert_equal(cuda_is_available(), False, "cuda_is_available()")


def test_gpu_is_seen(device):
    """cuda_is_available() is True where CuPy is installed and there is a GPU."""
    seen = cuda_is_available()
    if device == "cuda":
        assert_equal(seen, True, "cuda_is_available()")


@pytest.mark.parametrize("name", ["cuda:0", "cuda:3"])
def test_array_module_without_a_gpu(monkeypatch, name):
    """Where there is no GPU, Device("cuda:3") can be made, but its array_module is a RuntimeError that names it."""
    hide_cupy(monkeypatch)
    device = Device(name)
    with raises(RuntimeError, name):
        _ = device.array_module


@pytest.mark.parametrize("name", ["cuda:99", "cuda:1000000"])
def test_a_gpu_that_is_not_there(device, name):
    """Where there are GPUs, but not so many, the array_module of Device("cuda:99") is a RuntimeError that names it."""
    missing = Device(name)
    with raises(RuntimeError, name):
        _ = missing.array_module


def test_array_module_of_a_gpu(device):
    """Device("cuda").array_module is the module cupy where there is a GPU."""
    found = Device(device).array_module
    expected = np if device == "cpu" else sys.modules["cupy"]
    assert found is expected, f"the module is {found.__name__}, expected {expected.__name__}"
