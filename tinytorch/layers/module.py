"""A model is a tree of modules with parameters at its leaves, and it knows the name of each.

A module finds its parameters, buffers and submodules among its own attributes, in the order in which they were
set. Nothing needs to be registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
        raise NotImplementedError("kata 04: Module.forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """module(x) is module.forward(x)."""
        raise NotImplementedError("kata 04: Module.__call__")

    # The tree and its names

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The submodules that are attributes of this module, each with its name, without those below them."""
        raise NotImplementedError("kata 04: Module.named_children")

    def children(self) -> Iterator[Module]:
        """As named_children, without the names."""
        raise NotImplementedError("kata 04: Module.children")

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module, named `prefix`, and all below it, each before its children; names are joined by dots.

        A module that stands in two places is listed once, under its first name.
        """
        raise NotImplementedError("kata 04: Module.named_modules")

    def modules(self) -> Iterator[Module]:
        """As named_modules, without the names."""
        raise NotImplementedError("kata 04: Module.modules")

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter of the tree with its name, such as "0.weight"; without `recurse`, of this module only.

        A parameter that stands in two places (tied weights) is listed once, under its first name.
        """
        raise NotImplementedError("kata 04: Module.named_parameters")

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """As named_parameters, without the names: what an optimizer is given."""
        raise NotImplementedError("kata 04: Module.parameters")

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Buffer]]:
        """Every buffer of the tree with its name; otherwise as named_parameters."""
        raise NotImplementedError("kata 04: Module.named_buffers")

    def buffers(self, recurse: bool = True) -> Iterator[Buffer]:
        """As named_buffers, without the names."""
        raise NotImplementedError("kata 04: Module.buffers")

    # State

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and buffers by name, detached; they share memory with the model (torch.nn.Module.state_dict).

        `prefix` is put before every name unchanged: end it with a dot, "encoder." What stands in two places is
        listed under both names.
        """
        raise NotImplementedError("kata 04: Module.state_dict")

    def load_state_dict(self, state: Mapping[str, Tensor], strict: bool = True) -> LoadResult:
        """Copy the values of `state` into the parameters and buffers of the same names.

        Everything is checked before anything is copied, so that a model is never half loaded.

        Raises:
            KeyError: under `strict`, names are missing or unexpected; the message lists them.
            ValueError: a shape differs; the message shows its name and both shapes.
        """
        raise NotImplementedError("kata 04: Module.load_state_dict")

    # Changing the whole tree

    def train(self, mode: bool = True) -> Self:
        """Set `training` in the whole tree; returns self, as eval, requires_grad_, apply and to do."""
        raise NotImplementedError("kata 04: Module.train")

    def eval(self) -> Self:
        """train(False)."""
        raise NotImplementedError("kata 04: Module.eval")

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or thaw every parameter."""
        raise NotImplementedError("kata 04: Module.requires_grad_")

    def zero_grad(self) -> None:
        """Forget every gradient: `.grad` is None again."""
        raise NotImplementedError("kata 04: Module.zero_grad")

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module of the tree, children before their parents: for initialising weights."""
        raise NotImplementedError("kata 04: Module.apply")

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move parameters and buffers as Tensor.to does: to("cuda"), to(float64). Integers keep their dtype.

        The Tensors stay the same objects, so that an optimizer still knows them.
        """
        raise NotImplementedError("kata 04: Module.to")

    # How it prints

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed module; nothing by default."""
        raise NotImplementedError("kata 04: Module.extra_repr")

    def __repr__(self) -> str:
        """The tree, a line for each module, as PyTorch prints it:

        Sequential(
          (0): Linear(in_features=2, out_features=8, bias=True)
          (1): ReLU()
        )
        """
        raise NotImplementedError("kata 04: Module.__repr__")
