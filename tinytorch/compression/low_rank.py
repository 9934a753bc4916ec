"""A matrix as the product of two thin ones: the best of their rank, by the singular value decomposition."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tinytorch.layers import Linear, Module, Sequential
from tinytorch.tensor import Tensor


def rank_for_energy(weight: Tensor, energy: float) -> int:
    """The smallest rank whose largest singular values hold this share of the energy of a matrix.

    The energy is the sum of the squares of all singular values, which is that of all entries. A rank is at least 1.

    Raises:
        ValueError: `energy` is not between 0 and 1; the message names it. Or the weight does not have two axes.
    """
    raise NotImplementedError("kata 18: rank_for_energy")


def factorize(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(out, in) as (out, rank) @ (rank, in): no other two factors come nearer (Eckart and Young, 1936).

    Nearer: in the sum of the squared differences. Both factors take the square root of each singular value, so they are
    of one size. They have the dtype and the device of `weight`, and are not recorded.

    Raises:
        ValueError: the rank is not between 1 and the shorter side, or the weight does not have two axes; the message
            names the rank or the shape.
    """
    raise NotImplementedError("kata 18: factorize")


def low_rank(layer: Linear, rank: int) -> Linear | Sequential:
    """A Linear as two of them with `rank` features in between; or the layer itself, if that is not smaller.

    Sequential(Linear(in, rank, bias=False), Linear(rank, out)), with the factors of its weight and a copy of its bias,
    if it has one, all of its dtype. It has rank * (in + out) weights. Where these are not fewer than in * out, the
    layer stays.

    Raises:
        ValueError: the rank is below 1; the message names it.
    """
    raise NotImplementedError("kata 18: low_rank")


def replace_linears(
    model: Module, change: Callable[[Linear], Module], target_modules: Collection[str] | None = None
) -> None:
    """Put change(layer) in the place of every Linear below `model`, or of those with these names (as in peft).

    A name is the last part of a layer's name in the tree, such as "q_proj": it means the layers of this name in every
    block. A layer that stands in two places is changed once.

    Raises:
        ValueError: there is no such layer; the message names `target_modules`. Nothing is changed then.
    """
    raise NotImplementedError("kata 18: replace_linears")
