"""A device for machines without a GPU: arrays that never become NumPy arrays by themselves, as CuPy's do not.

Inside `installed()`, `import cupy` finds a stand-in. Its arrays live in main memory, NumPy computes, and it refuses
what CuPy refuses. It has the names and the parameters of the CuPy that `names.txt` was made from, and no other: a name
that CuPy lacks is an AttributeError, a keyword a TypeError. Ufuncs have CuPy's dtypes and methods; int64 cannot be
added with `add.at`; a place out of range is taken modulo the length; single entries and sums are 0-d arrays; NumPy
arrays and lists are no operands; nothing warns; a generator cannot be copied.

It is a wrapper, not a subclass of ndarray: `np.asarray` strips a subclass without a word.

What it cannot show, so that only a GPU can:

* Speed, and how much memory there is. `int(x)`, `bool(x)`, `.item()` and `.get()` wait for the GPU; here nothing waits.
* Last digits: kernels add in another order, and exp, erf and products of matrices are rounded otherwise.
* The order in which threads write to one place: `add.at` on a GPU gives sums of floats in a different order each time,
  and `x[index] = values`, where a place comes twice, keeps any of them.
* More than one GPU, streams, events, memory pools, kernels of one's own, pointers (`array.data`), DLPack.
* Dtypes inside: sums of float16 and products of matrices can be accumulated in another type.
* CuPy's streams of random numbers, and `cupy.random` but for `default_rng`.

Where it is stricter than CuPy: a function that gets NumPy arrays only is refused, where `cupy.sum(numpy_array)` calls
the array's own method. What it has not yet says so, as in "CuPy has cupy.in1d, and its stand-in does not", but for
`argmax(dtype=)`.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from dojo.fake_cupy import names
from dojo.fake_cupy.array import (
    CUDARuntimeError,
    Device,
    Host,
    OutOfMemoryError,
    Ufunc,
    function,
    ndarray,
    on_device,
    scatter,
    unwrap,
    wrap,
)

# To the device and back ---------------------------------------------------------------------------------


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> Any:
    """The only way to the device: from NumPy arrays, lists (also of arrays on the device) and numbers."""
    if isinstance(obj, (tuple, list)) and on_device(obj):
        obj = unwrap(obj)
    if isinstance(obj, ndarray):
        if not copy and obj.ndim >= ndmin and dtype in (None, obj.dtype):
            return obj
        obj = obj._host
    return wrap(np.array(obj, dtype=dtype, order=order, ndmin=ndmin))


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: bool | None = None, blocking: bool = False
) -> Any:
    return array(a, dtype, bool(copy), order or "K")


def asnumpy(a: Any, stream: Any = None, order: Any = "C", out: Any = None, *, blocking: bool = True) -> Host:
    return a.get(stream, order, out) if isinstance(a, ndarray) else np.asarray(a, order=order)


def get_array_module(*values: Any) -> ModuleType:
    return cupy if any(isinstance(x, ndarray) for x in values) else np


# Chance -------------------------------------------------------------------------------------------------


class Generator:
    """`cupy.random.Generator`. As in CuPy, a seed gives another stream than in `numpy.random.default_rng`.

    It has the methods of the list, with their parameters. A generator of CuPy's holds a lock, so none can be copied.
    """

    def __init__(self, seed: Any = None) -> None:
        self._host = np.random.Generator(np.random.SFC64(seed))
        self.lock = threading.Lock()

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = np.float64) -> Any:
        return wrap(np.asarray(self._host.uniform(unwrap(low), unwrap(high), size), dtype))


def _draws(name: str) -> Callable[..., Any]:
    full = f"cupy.random.Generator.{name}"

    def draw(self: Generator, *args: Any, **kwargs: Any) -> Any:
        names.signature(full).bind(self, *args, **kwargs)
        drawn = getattr(self._host, name)(
            *unwrap(args), **{key: unwrap(each) for key, each in kwargs.items()}
        )
        return wrap(np.asarray(drawn))

    return draw


for _full in names.LISTED:
    _prefix, _, _name = _full.rpartition(".")
    if _prefix == "cupy.random.Generator" and not hasattr(Generator, _name):
        setattr(Generator, _name, _draws(_name))


# The modules --------------------------------------------------------------------------------------------


def module(name: str, source: str = "", **own: Any) -> ModuleType:
    """A module with these names, and those of NumPy's or SciPy's module `source` that CuPy's module has, too."""
    made = ModuleType(name)
    vars(made).update(own)

    def lookup(attribute: str) -> Any:
        full = f"{name}.{attribute}"
        if full not in names.LISTED:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        found = getattr(importlib.import_module(source), attribute, made) if source else made
        if isinstance(found, np.ufunc) and names.LISTED[full].startswith(":"):
            return Ufunc(found, full)
        if callable(found) and names.LISTED[full].startswith("("):
            return function(found, full)
        if found is not made and not names.LISTED[full]:  # dtypes, pi, newaxis
            return found
        raise AttributeError(
            f"CuPy has {full}, and its stand-in does not: write it in dojo/fake_cupy/modules.py"
        )

    vars(made)["__getattr__"] = lookup
    return made


def default_rng(seed: Any = None) -> Generator:
    return Generator(seed)


random = module("cupy.random", Generator=Generator, default_rng=default_rng)
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
memory = module("cupy.cuda.memory", OutOfMemoryError=OutOfMemoryError)
cuda = module(
    "cupy.cuda",
    runtime=runtime,
    memory=memory,
    Device=Device,
    is_available=lambda: True,
    get_device_id=lambda: 0,
)
cupy = module(
    "cupy",
    "numpy",
    __version__=names.VERSION,
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
ndarray._module = cupy
special = module("cupyx.scipy.special", "scipy.special")
scipy = module("cupyx.scipy", special=special, get_array_module=get_array_module)
cupyx = module(
    "cupyx",
    scipy=scipy,
    scatter_add=partial(scatter, "add"),
    scatter_max=partial(scatter, "maximum"),
    scatter_min=partial(scatter, "minimum"),
)
MODULES = {
    made.__name__: made for made in (cupy, random, linalg, fft, cuda, runtime, memory, cupyx, scipy, special)
}


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
