"""PyTorch's tensor with kata 02's calling conventions: arrays, dtypes and devices are NumPy's and kata 01's.

Inside PyTorch's own code a Tensor answers as PyTorch's does. Outside, each line of this class is a convention:

- `Tensor(array)` shares memory with a NumPy array, and `.data` is one, the same as long as the memory is.
- `dtype` is NumPy's, `device` a Device, `shape` a tuple, `_version` a list; those that are given are translated.
- Results are Tensors of this class; a `torch.return_types` is a plain tuple.
- NumPy leaves `array + Tensor` to the Tensor, and a text says `tensor(` in front, as that of PyTorch's own class does.

One line changes behaviour, as docs/assumptions.md says under "Everywhere": what PyTorch refuses by a RuntimeError is of
all kinds that the katas tell apart, `Refused`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from tinytorch import dispatch
from tinytorch.setup import Device

torch.set_num_threads(1)

KINDS = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
TORCH = {np.dtype(kind): getattr(torch, kind) for kind in KINDS}
NUMPY = {theirs: ours for ours, theirs in TORCH.items()}


class Refused(RuntimeError, ValueError, TypeError, IndexError, KeyError):
    """PyTorch's RuntimeError, which is raised for what the katas tell apart by five kinds."""

    __str__ = BaseException.__str__  # KeyError's own puts the message into quotes


def refused(error: RuntimeError) -> RuntimeError:
    """The one place where kinds of errors are translated. NotImplementedError with a text means: no kernel."""
    plain = type(error) is RuntimeError or (type(error) is NotImplementedError and error.args)
    return Refused(str(error)) if plain else error


@contextmanager
def refusing() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise refused(error) from error


def translated(value: Any) -> Any:
    """What PyTorch takes in place of a dtype of NumPy's, a Device, or one of NumPy's numbers."""
    if type(value) in AS_THEY_ARE:
        return value
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return TORCH[np.dtype(value)]
    if isinstance(value, Device):
        return torch.device(str(value))
    return value.item() if isinstance(value, np.generic) else value


def presented(value: Any) -> Any:
    """What PyTorch returned, in the class Tensor."""
    if type(value) is torch.Tensor:
        return value.as_subclass(Tensor)
    if type(value) is list:
        return [*map(presented, value)]
    if type(value) is tuple or type(value).__module__ == "torch.return_types":
        return tuple(map(presented, value))
    return value


def called(function: Any, *args: Any, **kwargs: Any) -> Any:
    """PyTorch's function, as the katas call theirs."""
    if kwargs:
        kwargs = {name: translated(each) for name, each in kwargs.items()}
    with torch._C.DisableTorchFunctionSubclass():
        try:
            out = function(*map(translated, args), **kwargs)
        except RuntimeError as error:
            raise refused(error) from error
    return presented(out)


def inside() -> bool:
    """Whether PyTorch's own code is at work."""
    return not torch._C._is_torch_function_enabled()


def shared(array: Any) -> torch.Tensor:
    """The array as PyTorch's tensor, which has its memory; PyTorch has no negative strides, so those are a copy."""
    if array.size == 0:
        return torch.empty(array.shape, dtype=TORCH[array.dtype])
    if any(step < 0 for step in array.strides):
        array = array.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the array may be read-only
        return torch.from_numpy(array)


@dispatch.tensor_class
class Tensor(torch.Tensor):
    __array_ufunc__ = None

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:
        if not isinstance(data, (np.ndarray, np.generic)):
            raise TypeError(f"Tensor wraps an array, got {type(data).__name__}")
        with refusing():
            self = shared(np.asarray(data)).as_subclass(cls).requires_grad_(requires_grad)
        self.array = data
        return self

    __torch_function__ = classmethod(
        lambda cls, function, types, args=(), kwargs=None: called(function, *args, **(kwargs or {}))
    )

    @property
    def data(self) -> Any:
        if inside():
            return torch.Tensor.data.__get__(self)
        array, last = self.detach().numpy(), getattr(self, "array", None)
        if type(last) is not np.ndarray or last.__array_interface__ != array.__array_interface__:
            self.array = array
        return self.array  # the same object as long as it is the same memory

    @data.setter
    def data(self, value: Any) -> None:
        torch.Tensor.data.__set__(self, value if isinstance(value, torch.Tensor) else shared(value))

    @property
    def grad(self) -> Any:
        grad = torch.Tensor.grad.__get__(self)
        if type(grad) is torch.Tensor and not inside():
            self.grad = grad = presented(grad)  # so that it is the same object each time
        return grad

    @grad.setter
    def grad(self, value: Any) -> None:
        with refusing():
            torch.Tensor.grad.__set__(self, value)

    @property
    def dtype(self) -> Any:
        dtype = torch.Tensor.dtype.__get__(self)
        return dtype if inside() else NUMPY[dtype]

    @property
    def _version(self) -> Any:
        version = torch.Tensor._version.__get__(self)
        return version if inside() else [version]

    @property
    def device(self) -> Any:
        device = torch.Tensor.device.__get__(self)
        return device if inside() else Device(str(device))

    @property
    def shape(self) -> Any:
        shape = torch.Tensor.shape.__get__(self)
        return shape if inside() else tuple(shape)

    def to(self, *args: Any, **options: Any) -> Any:
        return called(torch.Tensor.to, self, *args, **options)

    def __iter__(self) -> Any:
        return iter(called(lambda: [*torch.Tensor.__iter__(self)]))

    def new_empty(self, *args: Any, **options: Any) -> Any:
        return called(torch.Tensor.new_empty, self, *args, **options)  # copy.deepcopy asks for it

    def __repr__(self, **options: Any) -> str:
        return called(torch.Tensor.__repr__, self).replace("Tensor(", "tensor(", 1)


def operator(name: str) -> Any:
    """PyTorch takes any TypeError in an operator, so also a `Refused`, for "not these two": it is asked from here."""
    return lambda self, *others: called(getattr(torch.Tensor, name), self, *others)


ARITHMETIC = [
    f"__{kind}{name}__"
    for name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
    for kind in ("", "r", "i")
]
for name in [*ARITHMETIC, *(f"__{name}__" for name in ["and", "or", "eq", "ne", "lt", "le", "gt", "ge"])]:
    if hasattr(torch.Tensor, name):
        setattr(Tensor, name, operator(name))
Tensor.__hash__ = torch.Tensor.__hash__
AS_THEY_ARE = {Tensor, torch.Tensor, int, float, bool, type(None), tuple, list, str}
