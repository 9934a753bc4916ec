"""A device for machines without a GPU: arrays that never become NumPy arrays by themselves, as CuPy's do not.

Inside `installed()`, `import cupy` finds a stand-in. Its arrays live in main memory, and it refuses what CuPy
refuses: implicit conversion to NumPy, NumPy arrays and lists as operands, names that CuPy does not have. So
code that is dishonest about devices fails on every machine. It proves nothing about speed or kernels. Where
CuPy copies a NumPy array over in silence (assigned through an array as index), this refuses.

It is a wrapper, not a subclass of ndarray: `np.asarray` strips a subclass without a word.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from dojo.fake_cupy.array import (
    MISSING,
    CUDARuntimeError,
    Device,
    Host,
    Ufunc,
    call,
    ndarray,
    refused,
    unwrap,
    wrap,
)

CREATES = """
    arange broadcast_shapes can_cast empty eye full identity indices isscalar issubdtype linspace logspace ones
    promote_types result_type tri zeros
""".split()  # noqa: SIM905
"""Functions that need no array on the device. All others want one: `cupy.min([1, 2])` is refused."""


# To the device and back ---------------------------------------------------------------------------------


def array(value: Any, dtype: Any = None, copy: bool = True, order: Any = "K", **_: Any) -> Any:
    """The only way to the device: from NumPy arrays, lists (also of arrays on the device) and numbers."""
    if isinstance(value, (tuple, list)) and on_device(value):
        value = unwrap(value)
    if isinstance(value, ndarray):
        return wrap(value._host.astype(dtype or value._host.dtype)) if copy or dtype else value
    return wrap(np.array(value, dtype=dtype, order=order))


def asarray(value: Any, dtype: Any = None, order: Any = "K", **_: Any) -> Any:
    return array(value, dtype, copy=False, order=order)


def asnumpy(value: Any, **_: Any) -> Host:
    return value.get() if isinstance(value, ndarray) else np.asarray(value)


def get_array_module(*values: Any) -> ModuleType:
    return cupy if any(isinstance(x, ndarray) for x in values) else np


def on_device(values: Any) -> bool:
    return any(isinstance(x, ndarray) or (isinstance(x, (tuple, list)) and on_device(x)) for x in values)


# Chance -------------------------------------------------------------------------------------------------


class Generator:
    """`cupy.random.Generator`, with the methods that NumPy's has too.

    As in CuPy, a seed gives another stream than in `numpy.random.default_rng`.
    """

    def __init__(self, seed: Any = None) -> None:
        self._host = np.random.Generator(np.random.SFC64(seed))

    def random(self, size: Any = None, dtype: Any = np.float64) -> Any:
        return wrap(np.asarray(self._host.random(size, np.dtype(dtype))))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = np.float64) -> Any:
        drawn = self._host.uniform(unwrap(low), unwrap(high), size)
        return wrap(np.asarray(drawn, dtype))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> Any:
        return wrap(np.asarray(self._host.standard_normal(size, np.dtype(dtype))))

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64, endpoint: bool = False
    ) -> Any:
        return wrap(np.asarray(self._host.integers(low, high, size, np.dtype(dtype), endpoint)))


# The modules --------------------------------------------------------------------------------------------


def function(numpys: Callable[..., Any]) -> Callable[..., Any]:
    """One of NumPy's or SciPy's functions, as CuPy offers it."""
    name = numpys.__name__

    def on_strict(*args: Any, **kwargs: Any) -> Any:
        if name not in CREATES and not on_device((*args, *kwargs.values())):
            raise refused(args[0] if args else None)
        result = call(numpys, *args, **kwargs)
        return wrap(np.asarray(result)) if name in ("allclose", "array_equal", "array_equiv") else result

    on_strict.__name__ = name
    return on_strict


def module(name: str, source: str = "", **names: Any) -> ModuleType:
    """A module with these names, and all other names from NumPy's or SciPy's module `source`."""
    made = ModuleType(name)
    vars(made).update(names)

    def lookup(attribute: str) -> Any:
        known = source and not attribute.startswith("_") and attribute not in MISSING
        found = getattr(importlib.import_module(source), attribute, made) if known else made
        if isinstance(found, np.ufunc):
            return Ufunc(found)
        if isinstance(found, (type, float, type(None))):  # dtypes, pi, newaxis
            return found
        if callable(found):
            return function(found)
        raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

    vars(made)["__getattr__"] = lookup
    return made


random = module("cupy.random", Generator=Generator, default_rng=Generator)
linalg = module("cupy.linalg", "numpy.linalg")
fft = module("cupy.fft", "numpy.fft")
runtime = module(
    "cupy.cuda.runtime",
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=lambda: 1,
    getDevice=lambda: 0,
    getDeviceProperties=lambda device: {"name": b"strict", "totalGlobalMem": 0},
    deviceSynchronize=lambda: None,
)
cuda = module("cupy.cuda", runtime=runtime, Device=Device, is_available=lambda: True, get_device_id=lambda: 0)
cupy = module(
    "cupy",
    "numpy",
    __version__="13.3.0",
    ndarray=ndarray,
    array=array,
    asarray=asarray,
    asanyarray=asarray,
    asnumpy=asnumpy,
    get_array_module=get_array_module,
    is_available=lambda: True,
    random=random,
    linalg=linalg,
    fft=fft,
    cuda=cuda,
)
special = module("cupyx.scipy.special", "scipy.special")
scipy = module("cupyx.scipy", special=special, get_array_module=get_array_module)
cupyx = module("cupyx", scipy=scipy, scatter_add=lambda a, index, values: Ufunc(np.add).at(a, index, values))
MODULES = {made.__name__: made for made in (cupy, random, linalg, fft, cuda, runtime, cupyx, scipy, special)}


# Instead of CuPy ----------------------------------------------------------------------------------------


def install() -> None:
    """From now on `import cupy` finds the strict device."""
    sys.modules.update(MODULES)


def uninstall() -> None:
    """`import cupy` finds again what this machine has."""
    for name, made in MODULES.items():
        if sys.modules.get(name) is made:
            del sys.modules[name]


@contextmanager
def installed() -> Iterator[ModuleType]:
    """Within the block `import cupy` finds the strict device; after it, a CuPy that was imported before is back."""
    before = {name: sys.modules[name] for name in MODULES if name in sys.modules}
    install()
    try:
        yield cupy
    finally:
        uninstall()
        sys.modules.update(before)
