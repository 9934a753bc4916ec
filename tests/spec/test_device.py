"""on_device and to_numpy: to a device and back."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from dojo.fake_cupy.modules import installed
from dojo.spec import hide_cupy, on_device, to_numpy


def test_an_array_on_a_device_is_a_copy() -> None:
    """Also on the CPU: a spec may write into it."""
    x = np.ones(3)
    with installed():
        for device in ("cpu", "cuda"):
            on_device(x, device)[:] = 5
            again = on_device(x, device)
            on_device(again, device)[:] = 5
            assert to_numpy(again).tolist() == x.tolist() == [1, 1, 1]
    assert to_numpy(x) is x


def test_there_and_back() -> None:
    with installed() as cupy:
        x = on_device(np.arange(3.0), "cuda")
        assert isinstance(x, cupy.ndarray)
        np.testing.assert_array_equal(to_numpy(x), [0, 1, 2])
        np.testing.assert_array_equal(to_numpy(SimpleNamespace(data=x)), [0, 1, 2])
        np.testing.assert_array_equal(to_numpy([x[0], 5]), [0, 5])


def test_hidden_cupy_cannot_be_imported() -> None:
    with installed() as cupy, pytest.MonkeyPatch.context() as monkeypatch:
        hide_cupy(monkeypatch)
        for name in ("cupy", "cupy.random"):
            with pytest.raises(ImportError):
                importlib.import_module(name)
        monkeypatch.undo()
        assert importlib.import_module("cupy") is cupy


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(ValueError, match="'tpu'"):
        on_device(np.ones(3), "tpu")


@pytest.mark.parametrize(
    "value", [None, "text", {}, object(), SimpleNamespace(data="text"), memoryview(b"ab")]
)
def test_what_is_no_array_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        to_numpy(value)
