"""One flat buffer: an optimizer moves all parameters with one call of each operation.

An update in a loop over the parameters costs a dozen calls of NumPy for each of them, and a bias of ten numbers takes
as long as one of a thousand. Where all parameters are pieces of one buffer, and so is each kind of state, a step is the
same dozen calls for all of them together. A parameter remains what it was, an array of its shape; only its memory lies
beside that of the next one.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence

import numpy as np

from tinytorch.dispatch import Array, accelerates
from tinytorch.optimizers import Arrays, Optimizer, adam_update, sgd_update, zeros_like_all

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
    raise NotImplementedError("kata 15: side_by_side")


def behind(arrays: Sequence[Array | None]) -> Array | None:
    """The memory of `arrays` as one array (n,), if they are all the pieces of a Buffer, in order; otherwise None.

    It asks for identity: an equal array, a view of a piece or another order of them is not the same.
    """
    raise NotImplementedError("kata 15: behind")


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
    raise NotImplementedError("kata 15: flatten")


@accelerates(zeros_like_all)
def zeros_side_by_side(arrays: Arrays) -> Arrays:
    """zeros_like_all as the pieces of one Buffer; NotImplemented for several dtypes, CuPy, or none."""
    raise NotImplementedError("kata 15: zeros_side_by_side")


def gathered(grads: Arrays, params: Arrays) -> Array | None:
    """All entries of `grads` in a new array (n,); None if one has not the shape and dtype of its parameter."""
    raise NotImplementedError("kata 15: gathered")


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The same BLOCK entries of each array, block after block; the last one may be shorter."""
    raise NotImplementedError("kata 15: blocks")


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
    raise NotImplementedError("kata 15: adam_flat")


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
    raise NotImplementedError("kata 15: sgd_flat")
