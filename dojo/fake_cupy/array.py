"""The array of the strict device: a wrapper around a NumPy array that refuses what CuPy refuses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dojo.fake_cupy import names

Host = np.ndarray[Any, np.dtype[Any]]

OWN = "data cstruct flat dump dumps tofile".split()  # noqa: SIM905
"""What CuPy's array has and NumPy's has otherwise: a pointer to the GPU and the like. Not on the strict device."""

CREATES = """
    arange broadcast_shapes can_cast common_type empty eye full identity indices isdtype isscalar issubdtype ix_
    linspace logspace min_scalar_type ones promote_types result_type tri zeros
""".split()  # noqa: SIM905
"""Functions that need no array on the device. All others want one: `cupy.min([1, 2])` is refused."""

TRUTHS = "allclose array_equal array_equiv".split()  # noqa: SIM905
"""Their result is a 0-d array."""

ATOMIC = {"add": "int32 float16 float32 float64 uint32 uint64".split()}  # noqa: SIM905
ATOMIC |= dict.fromkeys(("maximum", "minimum"), "int32 float32 float64 uint32 uint64".split())  # noqa: SIM905
"""The dtypes for which a GPU can add, or compare, where several threads write to one place. int64 is none of them."""

BINARY = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "pow": "power"}
BINARY |= {"floordiv": "floor_divide", "mod": "remainder", "matmul": "matmul", "and": "bitwise_and"}
BINARY |= {"or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift"}
COMPARING = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
COMPARING |= {"eq": "equal", "ne": "not_equal"}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


# The array ----------------------------------------------------------------------------------------------


class Flags(NamedTuple):
    """What CuPy tells of an array's memory. Nothing here can be set: its arrays cannot be made read-only."""

    c_contiguous: bool
    f_contiguous: bool
    owndata: bool


class ndarray:
    """`cupy.ndarray` on the strict device.

    Its plain attributes and methods, from the list of CuPy's names, and its operators are added below the class.
    """

    __slots__ = ("_host",)
    __array_priority__ = 100
    shape: tuple[int, ...]
    ndim: int
    dtype: np.dtype[Any]
    _module: ClassVar[Any]
    """The module cupy; modules.py, which makes it, puts it here."""

    def __init__(self, shape: Any, dtype: Any = float, order: Any = "C") -> None:
        self._host: Host = np.empty(shape, dtype, order)

    # Never to NumPy without an explicit call

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed: this array is on the device. "
            "Work there with get_array_module(x), or copy it to the CPU with x.get()."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        known: Any = getattr(self._module, ufunc.__name__, None)
        if known is None or method != "__call__" or not all(isinstance(x, OPERANDS) for x in inputs):
            return NotImplemented
        return known(*inputs, **kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        path = [*function.__module__.split(".")[1:], function.__name__]
        try:
            known: Any = functools.reduce(getattr, path, self._module)
        except AttributeError:
            return NotImplemented
        if not all(t in (ndarray, np.ndarray) for t in types):
            return NotImplemented
        return known(*args, **kwargs)

    # To the CPU, by an explicit call

    def get(
        self, stream: Any = None, order: Any = "C", out: Host | None = None, blocking: bool = True
    ) -> Host:
        if out is None:
            return np.array(self._host, order=order)
        if out.shape != self._host.shape or out.dtype != self._host.dtype:
            raise TypeError(f"{out.dtype} array of shape {out.shape} cannot be obtained from this array")
        np.copyto(out, self._host)
        return out

    def item(self) -> Any:
        return self._host.item()

    def tolist(self) -> Any:
        return self._host.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        return self._host.tobytes(order)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __complex__(self) -> complex:
        return complex(self._host)

    def __repr__(self) -> str:
        return repr(self._host)

    def __str__(self) -> str:
        return str(self._host)

    def __format__(self, spec: str) -> str:
        return format(self._host, spec)

    def __reduce__(self) -> Any:
        return wrap, (self.get(),)

    # Its parts

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[Any]:
        if not self._host.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        index = _index(index, self._host.shape)
        found = self._host[index]
        if isinstance(found, np.generic):  # here too a view, where NumPy gives a number
            found = self._host[(*index, ...)]
        return wrap(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        index = _index(index, self._host.shape)
        if not any(
            isinstance(each, np.ndarray) for each in index
        ):  # then CuPy copies what is on the CPU over
            if isinstance(value, np.ndarray) and value.ndim:
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            if isinstance(value, (list, tuple)):
                raise refused(value)
        self._host[index] = value._host if isinstance(value, ndarray) else value

    # What is CuPy's own

    @property
    def T(self) -> Any:
        return wrap(self._host.T)

    @property
    def base(self) -> Any:
        return wrap(self._host.base)

    @property
    def flags(self) -> Flags:
        return Flags(*[getattr(self._host.flags, name) for name in Flags._fields])

    @property
    def device(self) -> Device:
        return Device(0)

    def set(self, arr: Host, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray) or arr.dtype != self._host.dtype:
            raise TypeError(f"a numpy.ndarray of dtype {self._host.dtype} is needed")
        if arr.shape != self._host.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self._host.shape}, new shape: {arr.shape}")
        self._host[...] = arr

    def scatter_add(self, slices: Any, value: Any) -> None:
        scatter("add", self, slices, value)

    def scatter_max(self, slices: Any, value: Any) -> None:
        scatter("maximum", self, slices, value)

    def scatter_min(self, slices: Any, value: Any) -> None:
        scatter("minimum", self, slices, value)

    def __copy__(self) -> Any:
        return wrap(self._host.copy())

    def __deepcopy__(self, memo: Any) -> Any:
        return wrap(self._host.copy())


def _index(index: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index as NumPy takes it, always a tuple. CuPy copies NumPy arrays and lists over, in an index.

    A place in an array that is out of range is taken modulo the length: a kernel raises no IndexError.
    """
    parts = [
        each._host
        if isinstance(each, ndarray)
        else np.asarray(each)
        if isinstance(each, (list, np.ndarray))
        else each
        for each in (index if isinstance(index, tuple) else (index,))
    ]
    axes = [0 if each is None else each.ndim if _is_mask(each) else 1 for each in parts]
    axis = 0
    for number, each in enumerate(parts):
        if each is Ellipsis:
            axis = len(shape) - sum(axes[number + 1 :])
            continue
        if isinstance(each, np.ndarray) and each.dtype.kind in "iu" and axis < len(shape) and shape[axis]:
            parts[number] = each % shape[axis]
        axis += axes[number]
    return tuple(parts)


def _is_mask(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind == "b"


def _gives_way(operands: Any) -> bool:
    """Whether one, such as a Tensor, wants its own reflected operator instead."""
    return any(getattr(x, "__array_ufunc__", True) is None for x in operands)


def _attribute(name: str) -> property:
    return property(lambda self: wrap(getattr(self._host, name)))


def _method(name: str) -> Callable[..., Any]:
    return function(getattr(np.ndarray, name), f"cupy.ndarray.{name}")


def _operator(ufunc: Ufunc) -> Callable[..., Any]:
    return lambda *operands: NotImplemented if _gives_way(operands) else ufunc(*operands)


def _reflected(ufunc: Ufunc) -> Callable[..., Any]:
    return lambda self, other: NotImplemented if _gives_way([other]) else ufunc(other, self)


def _in_place(ufunc: Ufunc) -> Callable[..., Any]:
    return lambda self, other: ufunc(self, other, out=self)


# NumPy does the work ------------------------------------------------------------------------------------


def wrap(value: Any) -> Any:
    """NumPy's result as an array on the device: numbers become 0-d arrays, as in CuPy."""
    if isinstance(value, (np.ndarray, np.generic)):
        host = np.asarray(value)
        if host.dtype.kind not in "biufc" or host.dtype.char in "gG":  # no long double
            raise ValueError(f"Unsupported dtype {host.dtype}")
        array = object.__new__(ndarray)
        array._host = host
        return array
    if isinstance(value, (tuple, list)):
        return list(map(wrap, value)) if isinstance(value, list) else tuple(map(wrap, value))
    return value


def unwrap(value: Any) -> Any:
    """The NumPy array of an argument on the device. An array of NumPy itself is refused."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise refused(value)
    if type(value) in (tuple, list):
        return type(value)(map(unwrap, value))
    return value


def refused(value: Any) -> TypeError:
    what = f" of shape {value.shape}" if isinstance(value, np.ndarray) else ""
    return TypeError(f"Unsupported type {type(value)}{what} on the device: move it there with xp.asarray")


def call(compute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Let NumPy compute, without its warnings: a GPU gives none."""
    try:
        with np.errstate(all="ignore"):
            result = compute(*unwrap(args), **{name: unwrap(value) for name, value in kwargs.items()})
    except MemoryError as error:
        raise OutOfMemoryError(f"Out of memory allocating: {error}") from None
    out = kwargs.get("out")
    return out if isinstance(out, ndarray) else wrap(result)


def function(numpys: Callable[..., Any], name: str) -> Callable[..., Any]:
    """One of NumPy's or SciPy's functions or methods with the parameters, and only those, of CuPy's of that name."""
    parameters = names.signature(name).parameters.values()
    needed = [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ]

    def on_strict(*args: Any, **kwargs: Any) -> Any:
        try:
            names.signature(name).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        if numpys.__name__ not in CREATES and not on_device((*args, *kwargs.values())):
            raise refused(args[0] if args else None)
        by_place = [kwargs.pop(each) for each in needed[len(args) :]]  # NumPy has other names for them
        result = call(numpys, *args, *by_place, **kwargs)
        return wrap(np.asarray(result)) if numpys.__name__ in TRUTHS else result

    on_strict.__name__ = name
    return on_strict


def on_device(values: Any) -> bool:
    return any(isinstance(x, ndarray) or (isinstance(x, (tuple, list)) and on_device(x)) for x in values)


class Ufunc:
    """One of CuPy's ufuncs: its operands are arrays on the device and numbers, never lists or NumPy arrays.

    It has the loops and the methods of CuPy's ufunc of that name: where NumPy has a loop more, this is a TypeError, and
    the result has the dtype of CuPy's loop.
    """

    def __init__(self, ufunc: np.ufunc, name: str = "") -> None:
        self._ufunc = ufunc
        self.__name__ = ufunc.__name__
        self._name = name or f"cupy.{ufunc.__name__}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _check_operands(args)
        wrong = {key: value for key, value in kwargs.items() if key not in ("out", "dtype", "casting")}
        if wrong:
            raise TypeError(f"Wrong arguments {wrong}")
        gives = self._gives(args[: self._ufunc.nin]) if kwargs.get("dtype") is None else None
        if isinstance(kwargs.get("out"), tuple):
            (kwargs["out"],) = kwargs["out"]
        result = call(self._ufunc, *args, **kwargs)
        if gives is None or len(args) > self._ufunc.nin or kwargs.get("out") is not None:
            return result
        results = result if isinstance(result, tuple) else (result,)
        cast = tuple(
            wrap(each._host.astype(char, copy=False)) for each, char in zip(results, gives, strict=True)
        )
        return cast if isinstance(result, tuple) else cast[0]

    def _gives(self, operands: Any) -> str | None:
        """The dtypes of the results: those of the first loop to which the operands can be cast safely."""
        if not names.loops(self._name):
            return None  # matmul has none of its own
        strong = [x.dtype for x in operands if hasattr(x, "dtype")]
        taken = [x.dtype if hasattr(x, "dtype") else np.result_type(*strong, x) for x in operands]
        for takes, gives in names.loops(self._name):
            if all(map(np.can_cast, taken, takes)):
                return gives
        raise TypeError(f"Wrong type ({tuple(map(str, taken))}) of arguments for {self._name}")

    def _has(self, method: str) -> None:
        if method not in names.methods(self._name):
            raise NotImplementedError(f"`{self._name}.{method}` is not supported yet")

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        self._has("at")
        scatter(self.__name__, a, indices, b)

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        _check_operands((A, B))
        return call(self._ufunc.outer, A, B, **kwargs)

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        self._has("reduce")
        return call(self._ufunc.reduce, array, axis, dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        self._has("accumulate")
        return call(self._ufunc.accumulate, array, axis, dtype, out=out)

    def reduceat(self, array: Any, indices: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        self._has("reduceat")
        return call(self._ufunc.reduceat, array, indices, axis, dtype, out=out)


def scatter(operation: str, a: ndarray, index: Any, value: Any) -> None:
    """a[index] += value, or another operation, where the same place can come twice."""
    parts = _index(index, a.shape)
    places = [each for each in parts if isinstance(each, np.ndarray)]
    if not all(map(_is_mask, places)) and a.dtype.name not in ATOMIC[operation]:
        only = ", ".join(ATOMIC[operation])
        raise TypeError(f"cupy.{operation}.at only supports {only}, as data type, and this is {a.dtype}")
    if not places and isinstance(value, (np.ndarray, list, tuple)):
        raise refused(value)
    value = value._host if isinstance(value, ndarray) else value
    getattr(np, operation).at(a._host, parts, np.asarray(value).astype(a.dtype) if places else value)


def _check_operands(operands: Any) -> None:
    for x in operands:
        if isinstance(x, np.ndarray) or not isinstance(x, OPERANDS):
            raise refused(x)


class Device:
    """`cupy.cuda.Device`. There is one, number 0."""

    def __init__(self, device: Any = None) -> None:
        self.id: int = device.id if isinstance(device, Device) else int(device or 0)

    def use(self) -> None:
        if self.id != 0:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def synchronize(self) -> None:
        pass

    def __enter__(self) -> Device:
        self.use()
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __int__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


class CUDARuntimeError(RuntimeError):
    """The error that CuPy raises if the driver refuses."""


class OutOfMemoryError(MemoryError):
    """The error that CuPy raises if an array finds no room on the GPU."""


OPERANDS = (ndarray, np.ndarray, bool, int, float, complex, np.generic)
"""What `__array_ufunc__` hands on to a ufunc. That one refuses NumPy's arrays."""


def _complete() -> None:
    """Add to the class what the list names, and nothing that CuPy lacks."""
    for full, rest in names.LISTED.items():
        prefix, _, name = full.rpartition(".")
        if (
            prefix == "cupy.ndarray"
            and name not in vars(ndarray)
            and name not in OWN
            and hasattr(np.ndarray, name)
        ):
            setattr(ndarray, name, _method(name) if rest else _attribute(name))
    for name, full in (BINARY | COMPARING | UNARY).items():
        setattr(ndarray, f"__{name}__", _operator(Ufunc(getattr(np, full))))
    for name, full in BINARY.items():
        setattr(ndarray, f"__r{name}__", _reflected(Ufunc(getattr(np, full))))
        setattr(ndarray, f"__i{name}__", _in_place(Ufunc(getattr(np, full))))
    for name, make in {"__divmod__": _operator, "__rdivmod__": _reflected}.items():  # not in place
        setattr(ndarray, name, make(Ufunc(np.divmod)))
    ndarray.__hash__ = None  # type: ignore[assignment,method-assign]


_complete()
