"""The tape: it records what was computed from what, and goes back through it.

Every Tensor that was computed from one that requires grad has a Node, its `grad_fn`. A Node knows where the gradients
of its inputs go: to their Nodes, or to the inputs themselves where they are leaves. That is all of the graph. The way
back goes from Node to Node, the youngest first: when a Node is reached, everything that used its output is done.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence, Set as AbstractSet
from itertools import count
from typing import Any

import numpy as np

from tinytorch.dispatch import Array, Primitive, install, switch
from tinytorch.tensor import Shape, Tensor

# Switches -----------------------------------------------------------------------------------------------


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread: the dispatcher's `mode.grad_enabled` (torch.is_grad_enabled)."""
    raise NotImplementedError("kata 07: is_grad_enabled")


@switch
def no_grad() -> Iterator[None]:
    """`with no_grad():` records nothing, in this thread (torch.no_grad).

    Afterwards, and after an error, recording is as it was before. `@no_grad()` above a function covers each of its
    calls: the dispatcher's `switch` sees to that.
    """
    raise NotImplementedError("kata 07: no_grad")


@switch
def enable_grad() -> Iterator[None]:
    """`with enable_grad():` records again, inside of no_grad; all else is as in no_grad (torch.enable_grad)."""
    raise NotImplementedError("kata 07: enable_grad")


# The graph ----------------------------------------------------------------------------------------------

Edge = tuple[int, "Node | Tensor", Shape, np.dtype[Any]]
"""An input that requires grad: its place among the inputs, where its gradient goes, its shape and its dtype."""

numbers = count()


class Node:
    """One recorded operation (torch.autograd.graph.Node).

    It refers to arrays and other Nodes, never to the Tensor that it made. That Tensor refers to the Node, and a
    reference back would be a cycle, which stays in memory until the garbage collector runs.
    """

    __slots__ = ("__weakref__", "edges", "name", "number", "retained", "rule", "saved", "versions")

    name: str
    rule: Callable[..., Any] | None
    saved: Sequence[Any] | None
    edges: Sequence[Edge]
    versions: Sequence[tuple[list[int], int]]
    number: int
    retained: weakref.ref[Tensor] | None

    def __init__(
        self,
        name: str,
        rule: Callable[..., Any] | None,
        edges: Sequence[Edge],
        saved: Sequence[Any] = (),
        tensors: Iterable[Tensor] = (),
    ) -> None:  # given
        """Record one operation.

        Args:
            rule: called as rule(gradient for the output, *saved), returns the gradients for the inputs.
            edges: where those gradients go.
            tensors: the Tensors whose arrays are in `saved`; their versions are kept.
        """
        self.name = name
        self.rule = rule
        self.edges = edges
        self.saved = saved
        self.versions = [(each._version, each._version[0]) for each in tensors]
        self.number = next(numbers)  # larger than those of the Nodes that its edges lead to
        self.retained = None

    def __repr__(self) -> str:  # given
        return f"<{self.name}>"

    def output(self) -> Tensor | None:  # given
        """The Tensor that this Node made, if it retains its gradient and still exists, else None."""
        return None if self.retained is None else self.retained()

    def backward(self, gradient: Array) -> tuple[Array | None, ...]:
        """The gradients for the inputs, from the one for the output: what `rule` returns, always as a tuple.

        The rule is called through `observed("rule", name, rule, gradient, *saved)`, so that observers see it. Its
        gradient is a view that is read-only: other Nodes may still need that memory, and so may the caller of backward.
        (CuPy's arrays are passed as they are: they cannot be made read-only.)

        Raises:
            RuntimeError: a version has changed, so what the rule needs was changed "in place"; the operation has no
                "derivative"; or the rule wrote into its gradient, which is "read-only". The message says so in these
                words, and names the Node.
        """
        raise NotImplementedError("kata 07: Node.backward")

    def free(self) -> None:
        """Release the graph below: `saved` and `rule` become None, `edges` and `versions` empty."""
        raise NotImplementedError("kata 07: Node.free")


def edges_to(inputs: Sequence[Any]) -> list[Edge]:
    """An Edge for each Tensor that requires grad: to its `grad_fn`, or to the Tensor itself where it is a leaf."""
    raise NotImplementedError("kata 07: edges_to")


def youngest_first(starts: Iterable[Node | Tensor]) -> list[Node]:
    """Every Node that can be reached from the Nodes among `starts`, once, the largest `number` first.

    Use no recursion, and do not follow every path: a chain may have 100,000 Nodes, and 20 diamonds a million paths.
    """
    raise NotImplementedError("kata 07: youngest_first")


def fit(gradient: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Make a gradient fit its input: sum with add_up over the axes that broadcasting added or stretched, and cast.

    Raises:
        RuntimeError: no broadcasting leads from `shape` to the gradient's shape; the message names both shapes.
    """
    raise NotImplementedError("kata 07: fit")


def backpropagate(
    gradients: dict[Node | Tensor, Array],
    retain_graph: bool,
    wanted: AbstractSet[Node | Tensor] = frozenset(),
) -> dict[Node | Tensor, Array]:
    """The gradients of all leaves below some Nodes and leaves, whose own gradients are given.

    Gradients that meet at a Node or a leaf are added up. The `backward` of each Node that gets a gradient is called
    once, without recording and without NumPy's warnings; then the Node is freed, unless `retain_graph`. The result
    also has the gradients of the Nodes that are in `wanted` or whose `retained` is set.

    Raises:
        RuntimeError: a Node was freed before; the message says "retain_graph". No rule is called then.
    """
    raise NotImplementedError("kata 07: backpropagate")


def first_gradient(output: Tensor, gradient: Tensor | None) -> Array:
    """What backward from `output` begins with, in the dtype of `output`: `gradient`, or 1 for a single number.

    Raises:
        RuntimeError: `output` does not require grad; it has several entries and no "gradient" is given; or the
            gradient has another shape, or is on another device. The message names the shapes, or the devices.
    """
    raise NotImplementedError("kata 07: first_gradient")


class Tape:
    """What the dispatcher calls: `record` after each primitive, the rest for the methods of Tensor."""

    def record(self, op: Primitive, inputs: Sequence[Any], params: dict[str, Any], output: Tensor) -> None:
        """Give `output` a `grad_fn` and let it require grad, if it is floating point and an input requires grad.

        `inputs` are Tensors and Python numbers; `op.save` gives what the rule needs. The dispatcher calls this only
        while recording is on.
        """
        raise NotImplementedError("kata 07: Tape.record")

    def retain_grad(self, tensor: Tensor) -> None:
        """Let a Tensor that is not a leaf keep its gradient (torch.Tensor.retain_grad). A leaf keeps it anyway.

        `retained` of its Node becomes a weak reference to the Tensor.

        Raises:
            RuntimeError: the Tensor does not require grad; the message names its shape.
        """
        raise NotImplementedError("kata 07: Tape.retain_grad")

    def backward(self, tensor: Tensor, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
        """Add the gradients of `tensor` to the `.grad` of the leaves it was computed from (torch.Tensor.backward).

        `.grad` is a new Tensor each time, which shares memory with nothing else. After an error no `.grad` has changed.

        Raises:
            RuntimeError: as first_gradient and backpropagate; or the `.grad` that is there has another shape than its
                leaf; the message names both.
        """
        raise NotImplementedError("kata 07: Tape.backward")


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` for `inputs`; no `.grad` is changed (torch.autograd.grad).

    Inputs need not be leaves.

    Args:
        grad_outputs: the gradient that each output begins with, as in backward.
        allow_unused: return None for an input that was not used, instead of an error.

    Raises:
        RuntimeError: an input does not require grad, or was not used (then the message says "allow_unused"); the
            message names its place among `inputs`, and its shape. Otherwise as in backward.
        ValueError: there are not as many `grad_outputs` as outputs; the message names both numbers.
    """
    raise NotImplementedError("kata 07: grad")


install(Tape())
