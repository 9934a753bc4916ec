"""The tape: what was computed, from what, and the way back through it.

Every Tensor that was computed from one that requires grad has a Node, its `grad_fn`. A Node knows where the gradients
of its inputs go: to their Nodes, or to the inputs themselves where they are leaves. That is all of the graph. The way
back goes from Node to Node, the youngest first: when a Node is reached, everything that used its output has been.
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

    Afterwards, and after an error, it is as it was before. `@no_grad()` above a function covers each of its calls: the
    dispatcher's `switch` sees to that.
    """
    raise NotImplementedError("kata 07: no_grad")


@switch
def enable_grad() -> Iterator[None]:
    """`with enable_grad():` records again, inside of no_grad; otherwise as no_grad (torch.enable_grad)."""
    raise NotImplementedError("kata 07: enable_grad")


# The graph ----------------------------------------------------------------------------------------------

Edge = tuple[int, "Node | Tensor", Shape, np.dtype[Any]]
"""An input that wants a gradient: its place among the inputs, where the gradient goes, its shape and its dtype."""

numbers = count()


class Node:
    """One recorded operation (torch.autograd.graph.Node).

    It holds arrays and other Nodes, never the Tensor that it made: that one holds the Node, and a ring of two keeps
    both alive until the garbage collector comes round.
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
        """Args:
        rule: called as rule(gradient for the output, *saved), gives those for the inputs.
        edges: where they go.
        tensors: whose arrays are in `saved`; their versions are kept.
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
        """The Tensor that keeps its gradient, if it does and is still there."""
        return None if self.retained is None else self.retained()

    def backward(self, gradient: Array) -> tuple[Array | None, ...]:
        """The gradients for the inputs, one each, from the one for the output: what `rule` gives, always as a tuple.

        The rule is called through `observed("rule", name, rule, gradient, *saved)`, so that observers see it.

        Raises:
            RuntimeError: a version has moved, so what the rule needs was changed "in place"; or the operation has no
                "derivative". The message holds that, and the name of the Node.
        """
        raise NotImplementedError("kata 07: Node.backward")

    def free(self) -> None:
        """Let go of the graph below: `saved` and `rule` become None, `edges` and `versions` empty."""
        raise NotImplementedError("kata 07: Node.free")


def edges_to(inputs: Sequence[Any]) -> list[Edge]:
    """An Edge for each input that is a Tensor and requires grad: to its `grad_fn`, or to itself where it is a leaf."""
    raise NotImplementedError("kata 07: edges_to")


def youngest_first(starts: Iterable[Node | Tensor]) -> list[Node]:
    """Every Node that can be reached from the Nodes among `starts`, once, in falling order of `number`.

    Neither recursion nor a walk along every path: a chain may have 100,000 Nodes, and 20 diamonds a million paths.
    """
    raise NotImplementedError("kata 07: youngest_first")


def fit(gradient: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """A gradient made to fit its input: summed with add_up over the axes along which that was broadcast, and cast.

    Raises:
        RuntimeError: it does not fit, broadcast or not; the message holds both shapes.
    """
    raise NotImplementedError("kata 07: fit")


def backpropagate(
    gradients: dict[Node | Tensor, Array],
    retain_graph: bool,
    wanted: AbstractSet[Node | Tensor] = frozenset(),
) -> dict[Node | Tensor, Array]:
    """From `gradients`, those of some Nodes and leaves, to those of every leaf below them.

    A gradient that comes from several sides is their sum. The `backward` of each Node that gets a gradient is called
    once, unrecorded and without NumPy's warnings; then the Node is freed, unless `retain_graph`. In the result are
    also the gradients of the Nodes that are in `wanted` or have `retained`.

    Raises:
        RuntimeError: a Node was freed before; the message says how to keep it, "retain_graph". Nothing is called then.
    """
    raise NotImplementedError("kata 07: backpropagate")


def first_gradient(output: Tensor, gradient: Tensor | None) -> Array:
    """What backward from `output` begins with: 1 for a single number, otherwise `gradient`, in the dtype of `output`.

    Raises:
        RuntimeError: `output` does not require grad; it has several entries and there is no "gradient"; or that has
            another shape, or is on another device. The message holds the shapes, or the devices.
    """
    raise NotImplementedError("kata 07: first_gradient")


class Tape:
    """What the dispatcher calls: `record` after each primitive, the others for the methods of Tensor."""

    def record(self, op: Primitive, inputs: Sequence[Any], params: dict[str, Any], output: Tensor) -> None:
        """Give `output` a `grad_fn` and let it require grad, if it is floating point and an input requires grad.

        `inputs` are Tensors and Python numbers; `op.save` gives what the rule needs. Called only where recording is
        on.
        """
        raise NotImplementedError("kata 07: Tape.record")

    def retain_grad(self, tensor: Tensor) -> None:
        """Let a Tensor that is not a leaf keep its gradient too (torch.Tensor.retain_grad). A leaf does anyway.

        Its Node gets a weak reference to it, `retained`.

        Raises:
            RuntimeError: it does not require grad; the message holds its shape.
        """
        raise NotImplementedError("kata 07: Tape.retain_grad")

    def backward(self, tensor: Tensor, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
        """Add to `.grad` of every leaf that `tensor` was computed from how `tensor` changes with it
        (torch.Tensor.backward).

        `.grad` is a new Tensor each time, that shares no memory with anything. After an error none has changed.

        Raises:
            RuntimeError: as first_gradient and backpropagate; or the `.grad` that is there has another shape than its
                leaf; the message holds both.
        """
        raise NotImplementedError("kata 07: Tape.backward")


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` for `inputs`, which may be leaves or not; no `.grad` is touched
    (torch.autograd.grad).

    Args:
        grad_outputs: what each output's gradient begins with, as in backward.
        allow_unused: gives None for an input that was not used, instead of an error.

    Raises:
        RuntimeError: an input does not require grad, or was not used, and the message says "allow_unused"; it holds the
            place among `inputs`, and the shape. Otherwise as backward.
        ValueError: there are not as many `grad_outputs` as outputs; the message holds both numbers.
    """
    raise NotImplementedError("kata 07: grad")


install(Tape())
