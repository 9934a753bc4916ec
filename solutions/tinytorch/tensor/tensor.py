"""The Tensor: an array that knows what PyTorch's tensors know.

Its operations are the functions of `primitives`, bound as methods. Katas 07 and later add gradients and speed
through the dispatcher, without a change here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinytorch import dispatch
from tinytorch.dispatch import Array
from tinytorch.setup import Device
from tinytorch.tensor import primitives
from tinytorch.tensor.layout import Shape, contiguous_strides, sizes


@dispatch.tensor_class
class Tensor:
    """An n-dimensional array with PyTorch's behaviour.

    `data` is the array: NumPy's on the CPU, CuPy's on a GPU. `Tensor(array)` wraps it without a copy;
    `tensor([...])` makes one from lists and numbers.
    """

    __slots__ = ("__weakref__", "_requires_grad", "_version", "data", "grad", "grad_fn")
    __array_ufunc__ = None  # so that array + Tensor asks the Tensor
    __hash__ = object.__hash__  # by identity: == compares entries

    data: Array
    grad: Tensor | None
    grad_fn: Any
    _requires_grad: bool
    _version: list[int]

    def __init__(self, data: Array, requires_grad: bool = False) -> None:  # given
        if not hasattr(data, "dtype") or not hasattr(data, "ndim"):
            raise TypeError(
                f"Tensor wraps an array, got {type(data).__name__}: use tensor(...) for lists and numbers"
            )
        self.data = np.asarray(data) if isinstance(data, np.generic) else data
        self.grad = None
        self.grad_fn = None
        self._version = [0]
        self.requires_grad = requires_grad

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:  # given
        """A copy with memory of its own, and its own `.grad`; only of a leaf, as in PyTorch."""
        if self.grad_fn is not None:
            raise RuntimeError(
                f"deepcopy of a Tensor of shape {self.shape} that was computed, by {self.grad_fn}: copy a leaf, or "
                "take .detach().clone()"
            )
        memo[id(self)] = copied = type(self).__new__(type(self))
        copied.data, copied.grad = self.data.copy(), copy.deepcopy(self.grad, memo)
        copied.grad_fn, copied._requires_grad, copied._version = None, self._requires_grad, [0]
        return copied

    # What it is

    @property
    def shape(self) -> Shape:
        """The size of each axis, a tuple (torch.Tensor.shape)."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """How many axes (torch.Tensor.ndim)."""
        return self.data.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries, as NumPy names it (torch.Tensor.dtype)."""
        return self.data.dtype

    @property
    def device(self) -> Device:
        """Where the entries live: Device("cpu"), or Device("cuda:0") and so on (torch.Tensor.device)."""
        return Device("cpu") if isinstance(self.data, np.ndarray) else Device(f"cuda:{self.data.device.id}")

    def numel(self) -> int:
        """How many entries (torch.Tensor.numel)."""
        return self.data.size

    def stride(self) -> Shape:
        """For each axis, how many entries of memory lie between neighbours (torch.Tensor.stride).

        NumPy's strides count bytes. A Tensor without entries has the strides that it would have if every
        side of 0 were 1.
        """
        if self.data.size == 0:  # NumPy's strides mean nothing where there is no entry
            return contiguous_strides([max(side, 1) for side in self.shape])
        return tuple(step // self.data.itemsize for step in self.data.strides)

    # Out of the Tensor

    def item(self) -> float:
        """The only entry as a Python number (torch.Tensor.item).

        Raises:
            RuntimeError: there is more than one entry, or none; the message names the shape.
        """
        if self.data.size != 1:
            raise RuntimeError(
                f"a Tensor with {self.data.size} entries, shape {self.shape}, is not one number"
            )
        return self.data.item()

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers; a 0-d Tensor gives a number (torch.Tensor.tolist)."""
        return self.data.tolist()

    def numpy(self) -> Array:
        """The array itself, sharing memory (torch.Tensor.numpy).

        Raises:
            TypeError: the Tensor is on a GPU; the message names the device and "cpu". Nothing is copied behind the
                user's back.
        """
        if not isinstance(self.data, np.ndarray):
            raise TypeError(f'a Tensor on {self.device} has no NumPy array: copy it with .to("cpu") first')
        return self.data

    def detach(self) -> Tensor:
        """The same memory and version counter, outside every graph: it never requires grad (torch.Tensor.detach)."""
        result = dispatch.wrap(self.data)
        result._version = self._version
        return result

    def to(self, *args: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """This Tensor in another dtype, on another device, or both: x.to(float64), x.to("cuda") (torch.Tensor.to).

        x.to(y) takes both from the Tensor y. Gradients flow through. Where nothing changes it is the very same Tensor.
        """
        for each in args:
            if isinstance(each, Tensor):
                dtype, device = each.dtype, each.device
            elif isinstance(each, (str, Device)):
                device = each
            else:
                dtype = each
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        device = self.device if device is None else Device(str(device))
        if (dtype, device) == (self.dtype, self.device):
            return self
        return primitives.convert(self, dtype=dtype, device=device)

    def __repr__(self) -> str:
        """As PyTorch prints it: tensor([1., 2.]), and the dtype, device and requires_grad that are not the default."""
        data = self.data if isinstance(self.data, np.ndarray) else self.data.get()
        text = np.array2string(data, separator=", ", prefix="tensor(", precision=4)
        extra = f", size={self.shape}" if self.data.size == 0 and self.ndim > 1 else ""
        if self.dtype not in (np.float32, np.int64, np.bool_):
            extra += f", dtype={self.dtype}"
        if self.device.type != "cpu":
            extra += f", device='{self.device}'"
        if self.requires_grad:
            extra += ", requires_grad=True"
        return f"tensor({text}{extra})"

    def __len__(self) -> int:
        """The size of the first axis.

        Raises:
            TypeError: the Tensor is 0-d.
        """
        if self.ndim == 0:
            raise TypeError("a 0-d Tensor has no len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        """The slices along the first axis, one after the other."""
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        """The truth of the only entry.

        Raises:
            RuntimeError: there is more than one entry, or none: whether all or any are meant is not clear. The
                message names the shape.
        """
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        """The only entry as an index: range(t), a[t].

        Raises:
            TypeError: the entry is not an integer (of any size, signed or not), or there is not exactly one; the
                message names the dtype and the shape.
        """
        if self.dtype.kind not in "iu" or self.data.size != 1:
            raise TypeError(
                f"only a Tensor of one integer can be an index, got {self.dtype} of shape {self.shape}"
            )
        return int(self.data.item())

    # Indexing and changing in place

    def __getitem__(self, index: Any) -> Tensor:
        """The entries at `index`: integers, slices, None, Ellipsis, and integer or boolean arrays or Tensors.

        The primitive `getitem` takes arrays only, so this method unwraps the Tensors in the index, alone or in a
        tuple.

        Raises:
            IndexError: an index is outside its axis, or there are too many; the message names the number.
        """
        return primitives.getitem(self, index=_arrays(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write `value`, a Tensor or a number, into the entries at `index`, which is unwrapped as in __getitem__.

        Raises:
            TypeError: the value is neither a Tensor nor a number; the message names its type.
            ValueError: its shape does not broadcast to that of the entries.
            IndexError: as in __getitem__.
        """
        with dispatch.mutating(self, value):
            self.data[_arrays(index)] = dispatch.unwrap(value, "__setitem__")

    def copy_(self, source: Any) -> Tensor:
        """Overwrite the entries with `source`, a Tensor or a number, which broadcasts and is cast to this dtype.

        Returns self, as all methods do whose name ends in _.

        Raises:
            ValueError: `source` does not broadcast to this shape; the message names both shapes.
        """
        with dispatch.mutating(self, source):
            self.data[...] = dispatch.unwrap(source, "copy_")
        return self

    def fill_(self, value: float) -> Tensor:
        """Every entry becomes `value`."""
        with dispatch.mutating(self):
            self.data.fill(value)
        return self

    def zero_(self) -> Tensor:
        """Every entry becomes 0."""
        return self.fill_(0)

    def add_(self, other: Any) -> Tensor:
        """Add `other` to the entries, without new memory. After an error, nothing has changed.

        Raises:
            ValueError: the result would not have this shape.
            TypeError: it would be floating point and this Tensor is not.
        """
        with dispatch.mutating(self, other):
            self.data += dispatch.unwrap(other, "add_")
        return self

    def sub_(self, other: Any) -> Tensor:
        """Subtract `other` from the entries; errors as in add_."""
        with dispatch.mutating(self, other):
            self.data -= dispatch.unwrap(other, "sub_")
        return self

    def mul_(self, other: Any) -> Tensor:
        """Multiply the entries by `other`; errors as in add_."""
        with dispatch.mutating(self, other):
            self.data *= dispatch.unwrap(other, "mul_")
        return self

    @primitives.quiet
    def div_(self, other: Any) -> Tensor:
        """Divide the entries by `other`; errors as in add_."""
        with dispatch.mutating(self, other):
            self.data /= dispatch.unwrap(other, "div_")
        return self

    __iadd__ = add_
    __isub__ = sub_
    __imul__ = mul_
    __itruediv__ = div_

    # Operators

    __add__ = primitives.add
    __sub__ = primitives.sub
    __mul__ = primitives.mul
    __truediv__ = primitives.div
    __floordiv__ = primitives.floor_divide
    __mod__ = primitives.remainder
    __pow__ = primitives.pow
    __matmul__ = primitives.matmul
    __neg__ = primitives.neg
    __abs__ = primitives.abs
    __invert__ = primitives.bitwise_not
    __and__ = primitives.bitwise_and
    __or__ = primitives.bitwise_or
    __eq__ = primitives.eq  # type: ignore[assignment]
    __ne__ = primitives.ne  # type: ignore[assignment]
    __lt__ = primitives.lt
    __le__ = primitives.le
    __gt__ = primitives.gt
    __ge__ = primitives.ge

    def __radd__(self, other: Any) -> Tensor:
        return primitives.add(other, self)

    def __rsub__(self, other: Any) -> Tensor:
        return primitives.sub(other, self)

    def __rmul__(self, other: Any) -> Tensor:
        return primitives.mul(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return primitives.div(other, self)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return primitives.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Tensor:
        return primitives.remainder(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return primitives.pow(other, self)

    # The same functions as methods: x.exp() is exp(x)

    add = primitives.add
    sub = primitives.sub
    mul = primitives.mul
    div = primitives.div
    pow = primitives.pow
    neg = primitives.neg
    exp = primitives.exp
    log = primitives.log
    log1p = primitives.log1p
    sqrt = primitives.sqrt
    sin = primitives.sin
    cos = primitives.cos
    tanh = primitives.tanh
    erf = primitives.erf
    abs = primitives.abs
    sign = primitives.sign
    isnan = primitives.isnan
    maximum = primitives.maximum
    minimum = primitives.minimum
    clamp = primitives.clamp
    masked_fill = primitives.masked_fill
    sum = primitives.sum
    mean = primitives.mean
    var = primitives.var
    amax = primitives.amax
    amin = primitives.amin
    argmax = primitives.argmax
    argsort = primitives.argsort
    cumsum = primitives.cumsum
    sort = primitives.sort
    topk = primitives.topk
    matmul = primitives.matmul
    bmm = primitives.bmm
    transpose = primitives.transpose
    squeeze = primitives.squeeze
    unsqueeze = primitives.unsqueeze
    split = primitives.split
    tril = primitives.tril
    triu = primitives.triu
    gather = primitives.gather
    index_add = primitives.index_add
    clone = primitives.clone

    def reshape(self, *shape: Any) -> Tensor:
        """x.reshape(2, 3) or x.reshape((2, 3)); one side may be -1 (torch.Tensor.reshape)."""
        return primitives.reshape(self, shape=sizes(shape))

    def permute(self, *dims: Any) -> Tensor:
        """x.permute(1, 0) or x.permute((1, 0)): the axes in that order (torch.Tensor.permute)."""
        return primitives.permute(self, dims=sizes(dims))

    def expand(self, *shape: Any) -> Tensor:
        """x.expand(4, -1) or x.expand((4, -1)): axes of size 1 stretched (torch.Tensor.expand)."""
        return primitives.expand(self, shape=sizes(shape))

    def flip(self, *dims: Any) -> Tensor:  # given
        """x.flip(0, 1) or x.flip((0, 1)): the order reversed along these axes (torch.Tensor.flip)."""
        return primitives.flip(self, dims=sizes(dims))

    @property
    def mT(self) -> Tensor:  # given
        """The last two axes exchanged: the transpose of each matrix (torch.Tensor.mT)."""
        return primitives.transpose(self, -2, -1)

    @property
    def T(self) -> Tensor:
        """The axes in reverse order; for a matrix, its transpose (torch.Tensor.T)."""
        return primitives.permute(self, dims=range(self.ndim)[::-1])

    # Gradients: filled by hand up to kata 06, by the tape from kata 07 on

    @property
    def requires_grad(self) -> bool:  # given
        """Whether gradients are wanted for this Tensor. Only floating point can require them."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:  # given
        if value and self.data.dtype.kind != "f":
            raise RuntimeError(f"only floating point Tensors can require grad, this one is {self.data.dtype}")
        self._requires_grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:  # given
        """Set `requires_grad` and return self (torch.Tensor.requires_grad_)."""
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: Tensor | None = None, retain_graph: bool = False) -> None:  # given
        """Compute the gradient for each leaf this Tensor comes from, and add it to that leaf's `.grad` (kata 07)."""
        dispatch.require_tape("backward").backward(self, gradient, retain_graph)

    def retain_grad(self) -> None:  # given
        """Keep the gradient of this Tensor too, although it is not a leaf (kata 07)."""
        dispatch.require_tape("retain_grad").retain_grad(self)


def _arrays(index: Any) -> Any:
    """The index, with each Tensor in it replaced by its array."""
    if isinstance(index, tuple):
        return tuple(_arrays(each) for each in index)
    return index.data if isinstance(index, Tensor) else index
