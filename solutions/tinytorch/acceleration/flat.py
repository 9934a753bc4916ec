"""One flat buffer: an optimizer moves all parameters with one call of each operation.

An update in a loop over the parameters costs a dozen calls of NumPy for each of them, and a bias of ten numbers takes
as long as one of a thousand. Where all parameters are pieces of one buffer, and so is each kind of state, a step is the
same dozen calls for all of them together. A parameter remains what it was, an array of its shape; only its memory lies
beside that of the next one.
"""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Iterator, Sequence

import numpy as np

from tinytorch.acceleration.memory import empty
from tinytorch.dispatch import Array, accelerates
from tinytorch.optimizers import Arrays, Optimizer, adam_update, sgd_update, zeros_like_all
from tinytorch.tensor import Tensor

BLOCK = 1 << 15
"""Entries that a kernel moves at a time: all that it reads and writes for them stays in the processor's cache."""


class Buffer(np.ndarray):  # given
    """One-dimensional memory of which arrays are pieces. `pieces` refers to them weakly, in order.

    A piece holds the buffer, which is its `base`. If the buffer held its pieces, both would stay in memory for ever.
    """

    pieces: list[weakref.ref[Array]]


def side_by_side(arrays: Arrays) -> Arrays:
    """Copies of `arrays`, which have one dtype, as the pieces of one new Buffer, in order.

    Make it with Buffer(n, dtype): a view as Buffer would not become the `base` of its pieces. A piece is an ordinary
    array over it: numpy.ndarray(shape, dtype, buffer, offset in bytes). A slice of a Buffer would be a Buffer again.
    """
    buffer = Buffer(sum(each.size for each in arrays), arrays[0].dtype)
    copies: Arrays = []
    offset = 0
    for each in arrays:
        copies.append(np.ndarray(each.shape, each.dtype, buffer, offset))
        copies[-1][...] = each
        offset += each.nbytes
    buffer.pieces = [weakref.ref(each) for each in copies]
    return copies


def behind(arrays: Sequence[Array | None]) -> Array | None:
    """The memory of `arrays` as one array (n,), if they are all the pieces of a Buffer, in order; otherwise None.

    It asks for identity: an equal array, a view of a piece or another order of them is not the same.
    """
    buffer = getattr(arrays[0], "base", None) if arrays else None
    if not isinstance(buffer, Buffer) or len(buffer.pieces) != len(arrays):
        return None
    same = all(map(operator.is_, arrays, [piece() for piece in buffer.pieces]))
    return buffer.view(np.ndarray) if same else None


def flatten(optimizer: Optimizer) -> None:
    """Lay the parameters of each group side by side, and each kind of their state: the kernels then see it.

    The parameters stay the same Tensors with the same values. Call it before the training, or at any time of it; what
    else is done to the optimizer or to the model remains possible. A parameter that is given another array (by
    `Module.to`, for example) makes the steps of its group slow, and never wrong; so does one without a gradient. Then
    call it again. What shared the memory of a parameter before no longer does.

    Raises:
        ValueError: the parameters of a group have several dtypes or devices, or two of any groups share memory; the
            message names the dtypes, or the two shapes. Nothing is moved then.
    """
    groups = [group["params"] for group in optimizer.param_groups]
    for params in groups:
        kinds = {f"{each.dtype} on {each.device}" for each in params}
        if len(kinds) > 1:
            raise ValueError(f"one buffer has one dtype and one device, a group has {sorted(kinds)}")
    _refuse_shared([each for params in groups for each in params if isinstance(each.data, np.ndarray)])
    for params in groups:
        if all(isinstance(each.data, np.ndarray) for each in params):
            for each, piece in zip(params, side_by_side([each.data for each in params]), strict=True):
                each.data = piece
    optimizer.load_state_dict(optimizer.state_dict())  # copies the state, into zeros_like_all


def _refuse_shared(params: list[Tensor]) -> None:
    """Raise if two share memory: by address, one shares it only with those that have not ended where it begins."""
    spans = sorted((*np.lib.array_utils.byte_bounds(each.data), place) for place, each in enumerate(params))
    open_: list[tuple[int, int, int]] = []
    for begin, end, place in spans:
        open_ = [each for each in open_ if each[1] > begin]
        for _, _, other in open_:
            if np.shares_memory(params[place].data, params[other].data):
                shapes = f"{params[place].shape} and {params[other].shape}"
                raise ValueError(f"parameters of shape {shapes} share memory, and would be torn apart")
        open_.append((begin, end, place))


@accelerates(zeros_like_all)
def zeros_side_by_side(arrays: Arrays) -> Arrays:
    """zeros_like_all as the pieces of one Buffer; NotImplemented for several dtypes, CuPy, or none."""
    if not arrays or not all(isinstance(each, np.ndarray) for each in arrays):
        return NotImplemented
    if any(each.dtype != arrays[0].dtype for each in arrays):
        return NotImplemented
    copies = side_by_side(arrays)
    for each in copies:
        each[...] = 0
    return copies


def gathered(grads: Arrays, params: Arrays) -> Array | None:
    """All entries of `grads` in a new array (n,); None if one has not the shape and dtype of its parameter."""
    dtype = params[0].dtype
    if any(g.dtype != dtype or g.shape != p.shape for g, p in zip(grads, params, strict=True)):
        return None
    flat = empty(sum(each.size for each in params), dtype)
    return np.concatenate([each.ravel() for each in grads], out=flat)


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The same BLOCK entries of each array, block after block; the last one may be shorter."""
    for start in range(0, len(arrays[0]), BLOCK):
        yield tuple(each[start : start + BLOCK] for each in arrays)


@accelerates(adam_update)
def adam_flat(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    steps: list[int],
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """adam_update on the `blocks` of all parameters together, in place: the same to the rounding of each operation.

    NotImplemented unless params, exp_avgs and exp_avg_sqs are the pieces of a Buffer each, and all steps are equal.
    """
    p, m, v = behind(params), behind(exp_avgs), behind(exp_avg_sqs)
    g = None if p is None else gathered(grads, params)
    if p is None or m is None or v is None or g is None or len(set(steps)) > 1:
        return NotImplemented
    beta1, beta2 = betas
    correction1, correction2 = 1 - beta1 ** steps[0], 1 - beta2 ** steps[0]
    scratch = empty(min(BLOCK, p.size), p.dtype)
    for p_, g_, m_, v_ in blocks(p, g, m, v):
        t = scratch[: p_.size]
        if decoupled:
            p_ *= 1 - lr * weight_decay
        elif weight_decay:
            g_ += np.multiply(p_, weight_decay, out=t)
        m_ *= beta1
        m_ += np.multiply(g_, 1 - beta1, out=t)
        np.multiply(g_, 1 - beta2, out=t)
        v_ *= beta2
        v_ += np.multiply(t, g_, out=t)
        np.sqrt(v_, out=t)
        t /= math.sqrt(correction2)
        t += eps
        np.multiply(m_, lr / correction1, out=g_)
        p_ -= np.divide(g_, t, out=t)
    return None


@accelerates(sgd_update)
def sgd_flat(
    params: Arrays,
    grads: Arrays,
    momentum_buffers: list[Array | None],
    *,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """sgd_update on the `blocks` of all parameters together, in place: the same to the rounding of each operation.

    At the first step the pieces of a new Buffer are put into `momentum_buffers`. NotImplemented unless params are the
    pieces of a Buffer, and so are momentum_buffers where they are arrays. Without momentum too: to gather the gradients
    would take as long as the two operations that the composition needs.
    """
    p = behind(params) if momentum else None
    g = None if p is None else gathered(grads, params)
    if p is None or g is None:
        return NotImplemented
    first = all(each is None for each in momentum_buffers)
    if first:
        momentum_buffers[:] = side_by_side(params)
    buffer = behind(momentum_buffers)
    if buffer is None:
        return NotImplemented
    scratch = empty(min(BLOCK, p.size), p.dtype)
    for p_, g_, buffer_ in blocks(p, g, buffer):
        t = scratch[: p_.size]
        if weight_decay:
            g_ += np.multiply(p_, weight_decay, out=t)
        if first:
            buffer_[...] = g_
        else:
            buffer_ *= momentum
            buffer_ += np.multiply(g_, 1 - dampening, out=t)
        if nesterov:
            g_ += np.multiply(buffer_, momentum, out=t)
        p_ -= np.multiply(g_ if nesterov else buffer_, lr, out=t)
    return None
