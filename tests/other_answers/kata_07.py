"""Kahn's algorithm, as in PyTorch's engine, instead of sequence numbers, and rules in other forms."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence, Set as AbstractSet
from typing import Any

import numpy as np

from tinytorch.autograd.tape import no_grad
from tinytorch.dispatch import Array, derivative, mode
from tinytorch.setup import get_array_module
from tinytorch.tensor import Dims, Shape, Tensor, add_up, primitives as t


@derivative(t.sub)
def sub_backward(grad: Array) -> tuple[Array, Array]:
    """0 - grad: one constant more than the sign, and another zero where grad is 0."""
    return grad, 0 - grad


@derivative(t.div)
def div_backward(grad: Array, b: Array, out: Array) -> tuple[Array, Array]:
    """1 / b once, and two products: a division less, and one rounding more in the first gradient."""
    share = grad * (1 / b)
    return share, -share * out


@derivative(t.pow)
def pow_backward(
    grad: Array, a: Array, b: Array, out: Array, output_mask: Sequence[bool]
) -> tuple[Array | None, Array | None]:
    """The special cases are chosen afterwards, as PyTorch does it: the general formula may give nan where
    it is not read.
    """
    xp = get_array_module(grad)
    for_a = for_b = None
    if output_mask[0]:
        slope = b * a ** (b - 1)
        for_a = grad * (
            slope * (b != 0) if isinstance(b, (int, float)) and b else xp.where(xp.asarray(b) == 0, 0, slope)
        )
    if output_mask[1]:
        slope = xp.asarray(out * xp.log(a))
        slope[xp.broadcast_to(xp.asarray((a == 0) & (b >= 0)), slope.shape)] = 0
        for_b = grad * slope
    return for_a, for_b


@derivative(t.sqrt)
def sqrt_backward(grad: Array, out: Array) -> Array:
    """Half of the gradient first: another rounding, and no array of 2 * out."""
    return 0.5 * grad / out


@derivative(t.abs)
def abs_backward(grad: Array, a: Array) -> Array:
    """grad, or its negative, or 0: three cases, chosen one after the other."""
    xp = get_array_module(grad)
    return xp.where(a > 0, grad, xp.where(a < 0, -grad, xp.where(a == 0, 0, a)))


@derivative(t.maximum)
def maximum_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """PyTorch's way: half of the gradient is masked where the other is larger, and the other half where it
    is as large.
    """
    half = grad / 2
    xp = get_array_module(grad)
    nan = (a != a) | (b != b)
    tie = xp.where((a == b) | nan, half, 0)
    full_a, full_b = xp.where(a > b, grad, tie), xp.where(b > a, grad, tie)
    return xp.where(nan, grad, full_a), xp.where(nan, grad, full_b)


@derivative(t.sum)
def sum_backward(grad: Array, a_shape: Shape, dim: Dims, keepdim: bool) -> Array:
    """The axes are put back one by one, and the gradient is broadcast: a view with strides of zero, without
    a copy.
    """
    if not keepdim and a_shape:
        axes = range(len(a_shape)) if dim is None or dim == () else [dim] if isinstance(dim, int) else dim
        for axis in sorted(axis % len(a_shape) for axis in axes):
            grad = get_array_module(grad).expand_dims(grad, axis)
    return get_array_module(grad).broadcast_to(grad.reshape(()) if not a_shape else grad, a_shape)


@derivative(t.cumsum)
def cumsum_backward(grad: Array, dim: int) -> Array:
    """What is left of the total: all, minus the running sum, plus the entry itself. No flip, and one
    rounding more.
    """
    if grad.ndim == 0:
        return grad
    wide = grad.astype(np.float64)
    return wide.sum(axis=dim, keepdims=True) - wide.cumsum(axis=dim) + wide


@derivative(t.bmm)
def bmm_backward(
    grad: Array, a: Array, b: Array, output_mask: Sequence[bool]
) -> tuple[Array | None, Array | None]:
    """Einstein's sums: the letters show which axis goes where, and no transpose is written."""
    xp = get_array_module(grad)
    return (
        xp.einsum("...nm,...km->...nk", grad, b) if output_mask[0] else None,
        xp.einsum("...nk,...nm->...km", a, grad) if output_mask[1] else None,
    )


@derivative(t.permute)
def permute_backward(grad: Array, dims: Sequence[int]) -> Array:
    """Sorting the axes is undoing their order: `argsort` is the inverse of a permutation."""
    return grad.transpose(np.argsort([dim % grad.ndim for dim in dims]).tolist() if grad.ndim else ())


@derivative(t.pad)
def pad_backward(grad: Array, a_shape: Shape, pad: Sequence[int]) -> Array:
    """Axis by axis, the margin is cut off: a slice for each, and as many views."""
    for pair in range(len(pad) // 2):
        axis = len(a_shape) - 1 - pair
        cut = [slice(None)] * grad.ndim
        cut[axis] = slice(pad[2 * pair], pad[2 * pair] + a_shape[axis])
        grad = grad[tuple(cut)]
    return grad


@derivative(t.getitem)
def getitem_backward(grad: Array, a_shape: Shape, index: Any) -> Array:
    """Every entry has a number; `bincount` adds up the gradients by number. One way for every index, and
    all in float64.
    """
    xp = get_array_module(grad)
    size = math.prod(a_shape)
    numbers = xp.arange(size).reshape(a_shape)[index]
    flat = xp.bincount(numbers.reshape(-1), weights=grad.reshape(-1), minlength=size)
    return flat[:size].reshape(a_shape).astype(grad.dtype)


class Node:
    def free(self) -> None:
        """Everything is replaced by what is empty, in a loop over the names."""
        for name, empty in {"rule": None, "saved": None, "edges": [], "versions": []}.items():
            setattr(self, name, empty)


def edges_to(inputs: Sequence[Any]) -> list[Any]:
    """A loop with `continue`: what is no Tensor, and what needs no gradient, is left out early."""
    edges = []
    for place, each in enumerate(inputs):
        if not isinstance(each, Tensor) or not each.requires_grad:
            continue
        target = each if each.grad_fn is None else each.grad_fn
        edges.append((place, target, each.shape, each.dtype))
    return edges


def youngest_first(starts: Iterable[Any]) -> list[Any]:
    """Found breadth first with a dict for a set that keeps its order, then sorted: the queue is short where
    graphs are chains.
    """
    waiting = deque(each for each in starts if not isinstance(each, Tensor))
    seen = dict.fromkeys(waiting)
    while waiting:
        for _, to, _, _ in waiting.popleft().edges:
            if not isinstance(to, Tensor) and to not in seen:
                seen[to] = None
                waiting.append(to)
    return sorted(seen, key=lambda node: -node.number)


def fit(gradient: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """All axes to add up are found first, as if the shape had ones in front, and summed at once."""
    front = gradient.ndim - len(shape)
    full = (1,) * front + tuple(shape)
    if front < 0 or any(side not in (1, there) for side, there in zip(full, gradient.shape, strict=True)):
        raise RuntimeError(f"no broadcasting makes {gradient.shape} of {shape}")
    axes = tuple(axis for axis, side in enumerate(full) if axis < front or side != gradient.shape[axis])
    if axes:
        gradient = add_up(gradient, axes, keepdims=True)
    return gradient.reshape(shape).astype(dtype, copy=False)


def backpropagate(
    gradients: dict[Any, Array],
    retain_graph: bool,
    wanted: AbstractSet[Any] = frozenset(),
) -> dict[Any, Array]:
    """Kahn's algorithm, as PyTorch's engine: count how often each Node is used, and call it when the count
    is down to 0.
    """
    nodes = youngest_first(gradients)
    if any(node.saved is None for node in nodes):
        raise RuntimeError("the graph was freed: retain_graph=True keeps it for a second backward")
    users = Counter(to for node in nodes for _, to, _, _ in node.edges if isinstance(to, Node))
    ready = [node for node in nodes if not users[node]]
    kept: dict[Any, Array] = {}
    with no_grad(), np.errstate(all="ignore"):
        while ready:
            node = ready.pop()
            gradient = gradients.pop(node, None)
            if gradient is not None and (node in wanted or node.retained is not None):
                kept[node] = gradient
            results = () if gradient is None else node.backward(gradient)
            edges = node.edges
            if not (retain_graph or gradient is None):
                node.free()
            for place, to, shape, dtype in edges:
                if gradient is not None and results[place] is not None:
                    piece = fit(results[place], shape, dtype)
                    gradients[to] = piece if to not in gradients else gradients[to] + piece
                if isinstance(to, Node):
                    users[to] -= 1
                    if users[to] == 0:
                        ready.append(to)
    return {**kept, **gradients}


def numerical_gradient(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], place: int, cotangent: Array, eps: float = 1e-6
) -> Array:
    """Along the flat entries of a copy, which is put in the Tensor for the time: the array itself is never
    written to.
    """
    tensor = inputs[place]
    own = tensor.data
    result = np.zeros(own.size)
    before, mode.grad_enabled = mode.grad_enabled, False
    try:
        for entry in range(own.size):
            for sign in (1, -1):
                moved = own.copy()
                moved.reshape(-1)[entry] += sign * eps
                tensor.data = moved
                result[entry] += sign * np.vdot(cotangent, function(*inputs).data)
    finally:
        tensor.data = own
        mode.grad_enabled = before
    return (result / (2 * eps)).reshape(own.shape)
