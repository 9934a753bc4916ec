"""Closures as in micrograd: what a rule needs is inside of it, and the way back is a topological order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set as AbstractSet
from typing import Any

import numpy as np

from tinytorch.autograd.tape import Node, fit, no_grad
from tinytorch.dispatch import Array, Primitive
from tinytorch.tensor import Tensor


class Tape:
    def record(self, op: Primitive, inputs: Sequence[Any], params: dict[str, Any], output: Tensor) -> None:
        """The arguments of the rule stay in a closure: a Node is a name and a function, and nobody else can
        read them.
        """
        needs = [
            (place, each.grad_fn if each.grad_fn is not None else each, each.shape, each.dtype)
            for place, each in enumerate(inputs)
            if isinstance(each, Tensor) and each.requires_grad
        ]
        if not needs or output.dtype.kind != "f":
            return
        values, tensors = op.save(inputs, params, output)
        rule = op.rule

        def backward(grad: Array) -> Any:
            return rule(grad, *values)

        output.grad_fn = Node(op.name, backward if rule else None, needs, tensors=tensors)
        output.requires_grad_()


def youngest_first(starts: Iterable[Any]) -> list[Any]:
    """micrograd's topological order, depth first, parents after their children, and then turned round: no
    numbers are read.
    """
    order: list[Any] = []
    seen: set[Any] = set()
    for start in starts:
        stack = [(start, False)]
        while stack:
            node, left = stack.pop()
            if left:
                order.append(node)
            elif isinstance(node, Node) and node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(to, False) for _, to, _, _ in node.edges]
    return order[::-1]


def backpropagate(
    gradients: dict[Any, Array],
    retain_graph: bool,
    wanted: AbstractSet[Any] = frozenset(),
) -> dict[Any, Array]:
    """The gradients of each Node are collected in a list, and added up when it is its turn: all of them are
    in memory until then.
    """
    order = youngest_first(gradients)
    for node in order:
        if node.saved is None:
            raise RuntimeError("freed by the first backward: say retain_graph=True there")
    pieces: dict[Any, list[Array]] = {to: [first] for to, first in gradients.items()}
    result: dict[Any, Array] = {}
    with no_grad(), np.errstate(all="ignore"):
        for node in order:
            if node not in pieces:
                continue
            total = _total(pieces.pop(node))
            if node in wanted or node.retained is not None:
                result[node] = total
            found = node.backward(total)
            for place, to, shape, dtype in node.edges:
                if found[place] is not None:
                    pieces.setdefault(to, []).append(fit(found[place], shape, dtype))
            if not retain_graph:
                node.free()
    return result | {leaf: _total(each) for leaf, each in pieces.items()}


def _total(pieces: list[Array]) -> Array:
    total = pieces[0]
    for each in pieces[1:]:
        total = total + each
    return total
