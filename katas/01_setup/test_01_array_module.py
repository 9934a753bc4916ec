"""Which library works on an array: NumPy or CuPy."""

import sys

import numpy as np
import pytest

from dojo.spec import on_device, refuses_to_mix
from tinytorch.setup import get_array_module


def test_numpy_array_gives_numpy():
    """get_array_module(x) is the module numpy when x is a NumPy array."""
    assert get_array_module(np.zeros((2, 3))) is np


@pytest.mark.parametrize("arguments", [(), (1, 2.5, True), (np.zeros(2), np.zeros((3, 1))), (np.zeros(2), 3)])
def test_any_number_of_arrays_and_numbers(arguments):
    """get_array_module takes any number of arrays and Python numbers, or none at all, and gives numpy for them."""
    assert get_array_module(*arguments) is np


def test_gpu_array_gives_cupy(device):
    """get_array_module(x) is the module cupy when x is an array on a GPU."""
    x = on_device(np.zeros((2, 3), np.float32), device)
    found = get_array_module(x)
    expected = np if device == "cpu" else sys.modules["cupy"]
    assert found is expected, f"the module is {found.__name__}, expected {expected.__name__}"


def test_numbers_do_not_count(device):
    """Numbers are on every device: with an array on a GPU and numbers beside it, the module is still cupy."""
    x = on_device(np.zeros((2, 3), np.float32), device)
    found = get_array_module(2, x, 0.5, np.float32(3))
    expected = np if device == "cpu" else sys.modules["cupy"]
    assert found is expected, f"the module is {found.__name__}, expected {expected.__name__}"


@pytest.mark.parametrize("order", ["the GPU's array first", "the GPU's array last"])
def test_mixed_devices_are_an_error(device, order):
    """Arrays on different devices are a RuntimeError whose message names both, "cpu" and "cuda:0"."""
    arrays = [on_device(np.zeros(2), device), np.zeros(2), np.zeros(3)]
    if order == "the GPU's array last":
        arrays.reverse()
    with refuses_to_mix(device):
        get_array_module(*arrays)


def test_cupy_is_not_imported(monkeypatch, tmp_path):
    """get_array_module never imports cupy: where nobody imported it, no array can be CuPy's, and importing is slow."""
    (tmp_path / "cupy.py").write_text("class ndarray: pass")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "cupy", None)  # so that what was there comes back afterwards
    del sys.modules["cupy"]
    found = get_array_module(np.zeros(2))
    assert "cupy" not in sys.modules, "cupy was imported for a NumPy array"
    assert found is np
