"""The tape: what was computed, from what, and the way back through it.

Every Tensor that was computed from one that requires grad has a Node, its `grad_fn`. A Node knows where the gradients
of its inputs go: to their Nodes, or to the inputs themselves where they are leaves. That is all of the graph. The way
back goes from Node to Node, the youngest first: when a Node is reached, everything that used its output has been.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence, Set as AbstractSet
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np

from tinytorch.dispatch import Array, Primitive, install, mode, observed, observers, switch, wrap
from tinytorch.setup import get_array_module
from tinytorch.tensor import Shape, Tensor, add_up

# Switches -----------------------------------------------------------------------------------------------


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread: the dispatcher's `mode.grad_enabled` (torch.is_grad_enabled)."""
    return mode.grad_enabled


@switch
def no_grad() -> Iterator[None]:
    """`with no_grad():` records nothing, in this thread (torch.no_grad).

    Afterwards, and after an error, it is as it was before. `@no_grad()` above a function covers each of its calls: the
    dispatcher's `switch` sees to that.
    """
    before, mode.grad_enabled = mode.grad_enabled, False
    try:
        yield
    finally:
        mode.grad_enabled = before


@switch
def enable_grad() -> Iterator[None]:
    """`with enable_grad():` records again, inside of no_grad; otherwise as no_grad (torch.enable_grad)."""
    before, mode.grad_enabled = mode.grad_enabled, True
    try:
        yield
    finally:
        mode.grad_enabled = before


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
        for version, then in self.versions:
            if version[0] != then:
                raise RuntimeError(
                    f"a Tensor that the gradient of {self.name} needs was changed in place after it was used: "
                    "compute a new Tensor instead, or change a clone()"
                )
        if self.rule is None:
            raise RuntimeError(f"{self.name} has no derivative")
        args = (gradient, *(self.saved or ()))
        result = observed("rule", self.name, self.rule, *args) if observers else self.rule(*args)
        return result if isinstance(result, tuple) else (result,)

    def free(self) -> None:
        """Let go of the graph below: `saved` and `rule` become None, `edges` and `versions` empty."""
        self.rule = self.saved = None
        self.edges = self.versions = ()


def edges_to(inputs: Sequence[Any]) -> list[Edge]:
    """An Edge for each input that is a Tensor and requires grad: to its `grad_fn`, or to itself where it is a leaf."""
    return [
        (place, each.grad_fn or each, each.data.shape, each.data.dtype)
        for place, each in enumerate(inputs)
        if isinstance(each, Tensor) and each.requires_grad
    ]


def youngest_first(starts: Iterable[Node | Tensor]) -> list[Node]:
    """Every Node that can be reached from the Nodes among `starts`, once, in falling order of `number`.

    Neither recursion nor a walk along every path: a chain may have 100,000 Nodes, and 20 diamonds a million paths.
    """
    stack = [start for start in starts if isinstance(start, Node)]
    seen = set(stack)
    while stack:
        for _, to, _, _ in stack.pop().edges:
            if isinstance(to, Node) and to not in seen:
                seen.add(to)
                stack.append(to)
    return sorted(seen, key=attrgetter("number"), reverse=True)


def fit(gradient: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """A gradient made to fit its input: summed with add_up over the axes along which that was broadcast, and cast.

    Raises:
        RuntimeError: it does not fit, broadcast or not; the message holds both shapes.
    """
    total = gradient
    if total.ndim > len(shape):
        total = add_up(total, tuple(range(total.ndim - len(shape))))
    if total.ndim == len(shape) and total.shape != shape:
        stretched = tuple(axis for axis, side in enumerate(shape) if side == 1)
        total = add_up(total, stretched, keepdims=True)
    if total.shape != shape:
        raise RuntimeError(f"a gradient of shape {gradient.shape} for an input of shape {shape}")
    return total if total.dtype == dtype else total.astype(dtype)


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
    nodes = youngest_first(gradients)
    for node in nodes:
        if node.saved is None:
            raise RuntimeError(
                "backward a second time through a graph that the first time freed: compute it again, or say "
                "backward(retain_graph=True) the first time"
            )
    found = {}
    with no_grad(), np.errstate(all="ignore"):
        for node in nodes:
            gradient = gradients.pop(node, None)
            if gradient is None:  # no rule above gave it one
                continue
            if node in wanted or node.retained is not None:
                found[node] = gradient
            results = node.backward(gradient)
            for place, to, shape, dtype in node.edges:
                if (result := results[place]) is not None:
                    result = fit(result, shape, dtype)
                    gradients[to] = gradients[to] + result if to in gradients else result
            if not retain_graph:
                node.free()
    return found | gradients


def first_gradient(output: Tensor, gradient: Tensor | None) -> Array:
    """What backward from `output` begins with: 1 for a single number, otherwise `gradient`, in the dtype of `output`.

    Raises:
        RuntimeError: `output` does not require grad; it has several entries and there is no "gradient"; or that has
            another shape, or is on another device. The message holds the shapes, or the devices.
    """
    if not output.requires_grad:
        raise RuntimeError(
            f"a Tensor of shape {output.shape} that does not require grad has no graph to go back through: was it "
            "computed under no_grad, detached, or from nothing that requires grad?"
        )
    if gradient is None:
        if output.numel() != 1:
            raise RuntimeError(
                f"backward from a Tensor of shape {output.shape} needs a gradient of that shape: make one number of "
                "it, .sum(), or pass gradient="
            )
        return get_array_module(output.data).ones_like(output.data)
    if gradient.shape != output.shape:
        raise RuntimeError(f"gradient has shape {gradient.shape}, the Tensor has shape {output.shape}")
    get_array_module(output.data, gradient.data)  # refuses a mix of devices
    return gradient.data.astype(output.dtype, copy=False)


class Tape:
    """What the dispatcher calls: `record` after each primitive, the others for the methods of Tensor."""

    def record(self, op: Primitive, inputs: Sequence[Any], params: dict[str, Any], output: Tensor) -> None:
        """Give `output` a `grad_fn` and let it require grad, if it is floating point and an input requires grad.

        `inputs` are Tensors and Python numbers; `op.save` gives what the rule needs. Called only where recording is
        on.
        """
        edges = edges_to(inputs)
        if edges and output.data.dtype.kind == "f":
            output.grad_fn = Node(op.name, op.rule, edges, *op.save(inputs, params, output))
            output.requires_grad = True

    def retain_grad(self, tensor: Tensor) -> None:
        """Let a Tensor that is not a leaf keep its gradient too (torch.Tensor.retain_grad). A leaf does anyway.

        Its Node gets a weak reference to it, `retained`.

        Raises:
            RuntimeError: it does not require grad; the message holds its shape.
        """
        if not tensor.requires_grad:
            raise RuntimeError(
                f"a Tensor of shape {tensor.shape} that does not require grad gets no gradient"
            )
        if tensor.grad_fn is not None:
            tensor.grad_fn.retained = weakref.ref(tensor)

    def backward(self, tensor: Tensor, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
        """Add to `.grad` of every leaf that `tensor` was computed from how `tensor` changes with it
        (torch.Tensor.backward).

        `.grad` is a new Tensor each time, that shares no memory with anything. After an error none has changed.

        Raises:
            RuntimeError: as first_gradient and backpropagate; or the `.grad` that is there has another shape than its
                leaf; the message holds both.
        """
        start = {tensor.grad_fn or tensor: first_gradient(tensor, gradient)}
        found = [
            (to if isinstance(to, Tensor) else to.output(), total)
            for to, total in backpropagate(start, retain_graph).items()
        ]
        kept = [(each, total) for each, total in found if each is not None]
        for each, total in kept:
            if each.grad is not None and each.grad.shape != total.shape:
                raise RuntimeError(f"a Tensor of shape {total.shape} has a .grad of shape {each.grad.shape}")
        for each, total in kept:
            each.grad = wrap(total.copy() if each.grad is None else each.grad.data + total)


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
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if grad_outputs is None or isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs] * (len(outputs) if grad_outputs is None else 1)
    if len(grad_outputs) != len(outputs):
        raise ValueError(f"{len(grad_outputs)} grad_outputs for {len(outputs)} outputs")
    for place, each in enumerate(inputs):
        if not each.requires_grad:
            raise RuntimeError(f"input {place}, of shape {each.shape}, does not require grad")
    start: dict[Node | Tensor, Array] = {}
    for output, gradient in zip(outputs, grad_outputs, strict=True):
        first, key = first_gradient(output, gradient), output.grad_fn or output
        start[key] = start[key] + first if key in start else first
    wanted = [each.grad_fn or each for each in inputs]
    found = backpropagate(start, retain_graph, set(wanted))
    for place, (each, to) in enumerate(zip(inputs, wanted, strict=True)):
        if to not in found and not allow_unused:
            raise RuntimeError(
                f"input {place}, of shape {each.shape}, was not used for the outputs: allow_unused=True gives None"
            )
    return tuple(wrap(found[to].copy()) if to in found else None for to in wanted)


install(Tape())
