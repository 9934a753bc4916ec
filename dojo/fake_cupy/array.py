"""The array of the strict device: a wrapper around a NumPy array that refuses what CuPy refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

Host = np.ndarray[Any, np.dtype[Any]]

MISSING = """
    acos acosh asin asinh atan atan2 atanh astype bitwise_count bitwise_invert bitwise_left_shift
    bitwise_right_shift concat cumulative_prod cumulative_sum einsum_path frompyfunc isdtype matrix_transpose
    matvec nditer permute_dims pow unique_all unique_counts unique_inverse unique_values unstack vecdot vecmat
""".split()  # noqa: SIM905
"""Names that NumPy 2 has and CuPy 13 does not."""

PROPERTIES = "shape dtype ndim size itemsize nbytes strides".split()  # noqa: SIM905
METHODS = """
    all any argmax argmin argpartition argsort astype choose clip compress conj copy cumprod cumsum diagonal dot
    fill flatten max mean min nonzero partition prod put ravel repeat reshape round sort squeeze std sum swapaxes
    take trace transpose var view
""".split()  # noqa: SIM905
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

    Its plain attributes, methods and operators, from the tables above, are added below the class.
    """

    __slots__ = ("_host",)
    __array_priority__ = 100

    def __init__(self, shape: Any, dtype: Any = float, order: Any = "C") -> None:
        self._host: Host = np.empty(shape, dtype, order)

    # Never to NumPy without an explicit call

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed: this array is on the device. "
            "Work there with get_array_module(x), or copy it to the CPU with x.get()."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        known = getattr(np, ufunc.__name__, None) is ufunc and ufunc.__name__ not in MISSING
        if not known or _gives_way(inputs):
            return NotImplemented
        return getattr(Ufunc(ufunc), method)(*inputs, **kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ in MISSING or not all(t in (ndarray, np.ndarray) for t in types):
            return NotImplemented
        return call(function, *args, **kwargs)

    # To the CPU, by an explicit call

    def get(self, **_: Any) -> Host:
        return self._host.copy(order="C")

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
        index = _index(index)
        found = self._host[index]
        if isinstance(found, np.generic):  # here too a view, where NumPy gives a number
            found = self._host[(*index, ...) if isinstance(index, tuple) else (index, ...)]
        return wrap(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
            raise refused(value)
        self._host[_index(index)] = value._host if isinstance(value, ndarray) else value

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

    def set(self, host: Host) -> None:
        if host.shape != self._host.shape or host.dtype != self._host.dtype:
            raise ValueError(f"an array of shape {self._host.shape} and dtype {self._host.dtype} is needed")
        self._host[...] = host

    def __copy__(self) -> Any:
        return wrap(self._host.copy())

    def __deepcopy__(self, memo: Any) -> Any:
        return wrap(self._host.copy())


def _index(index: Any) -> Any:
    """An index as NumPy takes it. CuPy copies NumPy arrays and lists over, in an index."""
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    return index._host if isinstance(index, ndarray) else index


def _gives_way(operands: Any) -> bool:
    """Whether one, such as a Tensor, wants its own reflected operator instead."""
    return any(getattr(x, "__array_ufunc__", True) is None for x in operands)


def _attribute(name: str) -> property:
    return property(lambda self: getattr(self._host, name))


def _method(name: str) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: call(getattr(np.ndarray, name), self, *args, **kwargs)


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
        if host.dtype.kind not in "biufc":
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


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = function(*unwrap(args), **{name: unwrap(value) for name, value in kwargs.items()})
    out = kwargs.get("out")
    return out if isinstance(out, ndarray) else wrap(result)


class Ufunc:
    """One of CuPy's ufuncs: its operands are arrays on the device and numbers, never lists or NumPy arrays."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self._ufunc = ufunc
        self.__name__ = ufunc.__name__

    def __call__(self, *operands: Any, **kwargs: Any) -> Any:
        _check_operands(operands)
        if isinstance(kwargs.get("out"), tuple):
            (kwargs["out"],) = kwargs["out"]
        return call(self._ufunc, *operands, **kwargs)

    def at(self, array: ndarray, index: Any, *values: Any) -> None:
        _check_operands((array, *values))
        self._ufunc.at(array._host, _index(index), *map(unwrap, values))

    def outer(self, *operands: Any, **kwargs: Any) -> Any:
        _check_operands(operands)
        return call(self._ufunc.outer, *operands, **kwargs)

    def reduce(self, array: ndarray, *args: Any, **kwargs: Any) -> Any:
        return call(self._ufunc.reduce, array, *args, **kwargs)

    def accumulate(self, array: ndarray, *args: Any, **kwargs: Any) -> Any:
        return call(self._ufunc.accumulate, array, *args, **kwargs)

    def reduceat(self, array: ndarray, *args: Any, **kwargs: Any) -> Any:
        return call(self._ufunc.reduceat, array, *args, **kwargs)


def _check_operands(operands: Any) -> None:
    for x in operands:
        if not isinstance(x, (ndarray, bool, int, float, complex, np.generic)):
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


def _complete() -> None:
    """Add to the class what the tables name, and nothing that CuPy lacks."""
    for name in PROPERTIES:
        setattr(ndarray, name, _attribute(name))
    for name in METHODS:
        setattr(ndarray, name, _method(name))
    for name, full in (BINARY | COMPARING | UNARY).items():
        setattr(ndarray, f"__{name}__", _operator(Ufunc(getattr(np, full))))
    for name, full in BINARY.items():
        setattr(ndarray, f"__r{name}__", _reflected(Ufunc(getattr(np, full))))
        setattr(ndarray, f"__i{name}__", _in_place(Ufunc(getattr(np, full))))
    for name, make in {"__divmod__": _operator, "__rdivmod__": _reflected}.items():  # not in place
        setattr(ndarray, name, make(Ufunc(np.divmod)))
    ndarray.__hash__ = None  # type: ignore[assignment,method-assign]


_complete()
