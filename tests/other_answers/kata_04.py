"""Parts are registered when they are set, as PyTorch's are, and the tree is walked by recursion."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import init
from tinytorch.layers.module import Buffer, LoadResult, Parameter
from tinytorch.setup import default_generator, get_array_module
from tinytorch.tensor import Tensor, matmul, reshape, transpose, where


class Module:
    def __setattr__(self, name: str, value: Any) -> None:
        """PyTorch's way: three dicts beside the attributes. What is what is decided once, when it is set."""
        for each in self._tables():
            each.pop(name, None)
        kinds = (Parameter, Buffer, Module)
        for kind, table in zip(kinds, self._tables(), strict=True):
            if isinstance(value, kind):
                table[name] = value
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        """What is deleted is no part any more."""
        for each in self._tables():
            each.pop(name, None)
        object.__delattr__(self, name)

    def _tables(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The parameters, the buffers and the submodules; no subclass has to call our __init__."""
        own = self.__dict__
        return tuple(own.setdefault(f"_{name}", {}) for name in ("parameters", "buffers", "modules"))  # type: ignore[return-value]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Read from the table of submodules: nothing is looked at twice, and __setattr__ has to be right."""
        yield from self._tables()[2].items()

    def named_modules(self, prefix: str = "", _seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """By recursion, with the set of those that were met passed down: PyTorch's own. As deep as Python's
        stack.
        """
        seen = set() if _seen is None else _seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(prefix + "." * bool(prefix) + name, seen)

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """A list is built first, and tied weights are kept out by a dict from the parameter to its first
        name.
        """
        yield from self._first_names(0, prefix, recurse)

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Buffer]]:
        """As named_parameters, of another table."""
        yield from self._first_names(1, prefix, recurse)

    def _first_names(self, table: int, prefix: str, recurse: bool) -> list[tuple[str, Any]]:
        names: dict[Tensor, str] = {}
        for path, module in list(self.named_modules(prefix)) if recurse else [(prefix, self)]:
            for name, value in module._tables()[table].items():
                names.setdefault(value, ".".join(filter(None, [path, name])))
        return [(name, value) for value, name in names.items()]

    def state_dict(self, prefix: str = "", destination: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """One dict is handed down the tree, and each module writes into it: PyTorch's `destination`."""
        state = OrderedDict() if destination is None else destination
        parameters, buffers, children = self._tables()
        for name in vars(self):  # in the order in which they were set
            if name in parameters or name in buffers:
                state[prefix + name] = getattr(self, name).detach()
        for name, child in children.items():
            child.state_dict(prefix + name + ".", state)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor], strict: bool = True) -> LoadResult:
        """Sets of names, and one list of all that is wrong before anything is copied."""
        mine = self.state_dict()
        result = LoadResult([*(k for k in mine if k not in state)], [*(k for k in state if k not in mine)])
        if strict and any(result):
            raise KeyError(f"missing: {result.missing_keys}, unexpected: {result.unexpected_keys}")
        pairs = {name: (value, state[name]) for name, value in mine.items() if name in state}
        wrong = [f"{k}: {a.shape} here, {b.shape} given" for k, (a, b) in pairs.items() if a.shape != b.shape]
        if wrong:
            raise ValueError("; ".join(wrong))
        for value, new in pairs.values():
            value.data[...] = new.to(device=value.device).data
        return result

    def train(self, mode: bool = True) -> Any:
        """By recursion, as PyTorch does it: each module sets itself and asks its children."""
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def apply(self, fn: Any) -> Any:
        """The list of the whole tree backwards: a child stands behind its parent there, so it comes first."""
        order: list[Module] = []
        waiting: list[Module] = [self]
        while waiting:
            each = waiting.pop()
            order.append(each)
            waiting += each.children()
        for each in reversed(order):
            fn(each)
        return self

    def __repr__(self) -> str:
        """Lines, each child's moved in by two blanks where it has several."""
        rows = [f"({name}): {child!r}" for name, child in self.named_children()]
        if not rows:
            return type(self).__name__ + "(" + self.extra_repr() + ")"
        return "\n".join(
            [f"{type(self).__name__}(", *("  " + row.replace("\n", "\n  ") for row in rows), ")"]
        )


class Linear:
    def reset_parameters(self) -> None:
        """PyTorch's own words: kaiming_uniform_ with a = sqrt(5) gives the same bound, 1 / sqrt(in)."""
        if self.in_features:
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            init.uniform_(self.bias, -bound, bound)


@accelerable
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """All leading axes become one, so that one product of two matrices does it: two reshapes for less work
    in BLAS.
    """
    if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"x {x.shape} does not meet a weight of shape {weight.shape}")
    if bias is not None and bias.shape != (weight.shape[0],):
        raise ValueError(f"bias {bias.shape} does not fit weight {weight.shape}")
    rows = reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    out = matmul(rows, transpose(weight, 0, 1))
    if bias is not None:
        out = out + bias
    return reshape(out, (*x.shape[:-1], weight.shape[0]))


def linear_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Contractions over all leading axes, named by number: nothing is reshaped. The bias adds up in float64."""
    xp = get_array_module(grad)
    axes = list(range(grad.ndim - 1))
    for_weight = xp.tensordot(grad, x, (axes, axes))
    for_bias = grad.sum(axis=tuple(axes), dtype=xp.float64).astype(grad.dtype)
    return xp.matmul(grad, weight), for_weight, for_bias


class ModuleList:
    def __len__(self) -> int:
        """Counted one by one: no list is made."""
        return sum(1 for _ in self.named_children())

    def __getitem__(self, index: int) -> Module:
        """By its name, the number in words: no list of all modules."""
        place = index + len(self) if index < 0 else index
        found = dict(self.named_children()).get(str(place))
        if found is None:
            raise IndexError(f"place {index} of {len(self)} modules")
        return found


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """What is kept is chosen with `where`: an entry that is infinite or nan, and dropped, is 0 and not nan."""
    if not (p >= 0 and p <= 1):
        raise ValueError(f"p is a probability, got {p}")
    if not training or p == 0:
        return x
    draws = default_generator(x.device).random(x.shape)
    if p == 1:
        return where(Tensor(draws < 0), x, 0.0)
    return where(Tensor(draws < 1 - p), x / (1 - p), 0.0)


class Flatten:
    def forward(self, x: Tensor) -> Tensor:
        """One -1 for the merged axes: reshape works out the number, if no side is 0."""
        start, end = range(x.ndim)[self.start_dim], range(x.ndim)[self.end_dim]
        side = -1 if x.numel() else int(np.prod(x.shape[start : end + 1]))
        return x.reshape((*x.shape[:start], side, *x.shape[end + 1 :]))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """The draws are scaled and moved where they lie, and copied once at the end: no third array."""
    draws = default_generator(tensor.device).standard_normal(tensor.shape)
    draws *= std
    draws += mean
    get_array_module(draws).copyto(tensor.data, draws, casting="same_kind")
    return tensor


def calculate_fan(tensor: Tensor) -> tuple[int, int]:
    """The sides are unpacked by name, and what is left is the field: no axis has a number."""
    if len(tensor.shape) < 2:
        raise ValueError(f"a weight has (out, in, ...), got {tensor.shape}")
    out, inputs, *field = tensor.shape
    places = int(np.prod(field, dtype=int))
    return inputs * places, out * places


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """A table: what has no slope of its own is one entry."""
    slope = 0.01 if param is None else param
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": 2**0.5,
        "leaky_relu": (2 / (1 + slope**2)) ** 0.5,
    }
    if nonlinearity not in gains:
        raise ValueError(f"{nonlinearity} is not among {', '.join(gains)}")
    return gains[nonlinearity]
