"""A model is a tree of modules with parameters at its leaves, and it knows the name of each.

A module finds its parameters, buffers and submodules among its own attributes, in the order in which they were
set. Nothing needs to be registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from textwrap import indent
from typing import Any, NamedTuple, Self

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor


class Parameter(Tensor):
    """A Tensor that a model learns; it requires grad (torch.nn.Parameter). It shares the memory of `data`."""

    __slots__ = ()

    def __init__(self, data: Tensor | Array, requires_grad: bool = True) -> None:  # given
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad)


class Buffer(Tensor):
    """A Tensor that belongs to a model's state and is not learned, such as a running mean (torch.nn.Buffer)."""

    __slots__ = ()

    def __init__(self, data: Tensor | Array) -> None:  # given
        super().__init__(data.data if isinstance(data, Tensor) else data)


class LoadResult(NamedTuple):
    """The names that `load_state_dict` could not match; both are empty where it was strict."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A part of a model: parameters, buffers, submodules, and a `forward` that computes (torch.nn.Module).

    A subclass sets its parts as attributes in `__init__` and writes `forward`; calling the module calls it.
    `training` says whether the model is learning now: dropout, for example, depends on it.
    """

    training: bool = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; each subclass writes its own.

        Raises:
            NotImplementedError: the subclass has none; the message names its class.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward: write `def forward(self, x)` in it")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """module(x) is module.forward(x)."""
        return self.forward(*args, **kwargs)

    # The tree and its names

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The submodules that are attributes of this module, each with its name, without those below them."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """As named_children, without the names."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module, named `prefix`, and all below it, each before its children; names are joined by dots.

        A module that stands in two places is listed once, under its first name.
        """
        seen: set[Module] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if module not in seen:
                seen.add(module)
                yield path, module
                stack += reversed([(_join(path, name), child) for name, child in module.named_children()])

    def modules(self) -> Iterator[Module]:
        """As named_modules, without the names."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter of the tree with its name, such as "0.weight"; without `recurse`, of this module only.

        A parameter that stands in two places (tied weights) is listed once, under its first name.
        """
        return self._named(Parameter, prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """As named_parameters, without the names: what an optimizer is given."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Buffer]]:
        """Every buffer of the tree with its name; otherwise as named_parameters."""
        return self._named(Buffer, prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Buffer]:
        """As named_buffers, without the names."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(self, kind: type[Any], prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        seen: set[Tensor] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, value in vars(module).items():
                if isinstance(value, kind) and value not in seen:
                    seen.add(value)
                    yield _join(path, name), value

    # State

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and buffers by name, detached; they share memory with the model (torch.nn.Module.state_dict).

        `prefix` is put before every name unchanged: end it with a dot, "encoder." What stands in two places is
        listed under both names.
        """
        state = {
            prefix + name: value.detach()
            for name, value in vars(self).items()
            if isinstance(value, (Parameter, Buffer))
        }
        for name, child in self.named_children():
            state |= child.state_dict(f"{prefix}{name}.")
        return state

    def load_state_dict(self, state: Mapping[str, Tensor], strict: bool = True) -> LoadResult:
        """Copy the values of `state` into the parameters and buffers of the same names.

        Everything is checked before anything is copied, so that a model is never half loaded.

        Raises:
            KeyError: under `strict`, names are missing or unexpected; the message lists them.
            ValueError: a shape differs; the message shows its name and both shapes.
        """
        own = self.state_dict()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            raise KeyError(f"the state does not fit this model: missing {missing}, unexpected {unexpected}")
        common = [name for name in own if name in state]
        for name in common:
            if own[name].shape != state[name].shape:
                raise ValueError(f"{name} has shape {own[name].shape}, the state has {state[name].shape}")
        for name in common:
            own[name].copy_(state[name].detach().to(own[name].device))
        return LoadResult(missing, unexpected)

    # Changing the whole tree

    def train(self, mode: bool = True) -> Self:
        """Set `training` in the whole tree; returns self, as eval, requires_grad_, apply and to do."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or thaw every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget every gradient: `.grad` is None again."""
        for parameter in self.parameters():
            parameter.grad = None

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module of the tree, children before their parents: for initialising weights."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move parameters and buffers as Tensor.to does: to("cuda"), to(float64). Integers keep their dtype.

        The Tensors stay the same objects, so that an optimizer still knows them.
        """
        for tensor in [*self.parameters(), *self.buffers()]:
            tensor.data = _moved(tensor, *args, **kwargs).data
            if tensor.grad is not None:
                tensor.grad = _moved(tensor.grad, *args, **kwargs)
        return self

    # How it prints

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed module; nothing by default."""
        return ""

    def __repr__(self) -> str:
        """The tree, a line for each module, as PyTorch prints it:

        Sequential(
          (0): Linear(in_features=2, out_features=8, bias=True)
          (1): ReLU()
        )
        """
        name = type(self).__name__
        lines = "".join(
            indent(f"({child}): {module!r}", "  ") + "\n" for child, module in self.named_children()
        )
        return f"{name}(\n{lines})" if lines else f"{name}({self.extra_repr()})"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _moved(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """tensor.to(...), in its own dtype if that is an integer's."""
    moved = tensor.detach().to(*args, **kwargs)
    return moved if tensor.dtype.kind == "f" else moved.to(tensor.dtype)
