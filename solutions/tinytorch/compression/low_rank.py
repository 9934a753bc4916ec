"""A matrix as the product of two thin ones: the best of their rank, by the singular value decomposition."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tinytorch.dispatch import Array
from tinytorch.layers import Linear, Module, Parameter, Sequential
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, float32, promote_types


def rank_for_energy(weight: Tensor, energy: float) -> int:
    """The smallest rank whose largest singular values hold this share of the energy of a matrix.

    The energy is the sum of the squares of all singular values, which is that of all entries. A rank is at least 1.

    Raises:
        ValueError: `energy` is not between 0 and 1; the message names it. Or the weight does not have two axes.
    """
    if not 0 <= energy <= 1:
        raise ValueError(f"energy is a share from 0.0 to 1.0, got {energy}")
    held = (_decomposed(weight)[1].astype(float) ** 2).cumsum()  # by each rank from 1 on
    return 1 + int((held[:-1] < energy * held[-1:]).sum())


def factorize(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(out, in) as (out, rank) @ (rank, in): no other two factors come nearer (Eckart and Young, 1936).

    Nearer: in the sum of the squared differences. Both factors take the square root of each singular value, so they are
    of one size. They have the dtype and the device of `weight`, and are not recorded.

    Raises:
        ValueError: the rank is not between 1 and the shorter side, or the weight does not have two axes; the message
            names the rank or the shape.
    """
    u, s, vt = _decomposed(weight)
    if not 1 <= rank <= len(s):
        raise ValueError(f"a matrix of {weight.shape} has a rank from 1 to {len(s)}, got {rank}")
    root = s[:rank] ** 0.5
    left, right = u[:, :rank] * root, root[:, None] * vt[:rank]  # (out, rank), (rank, in)
    return Tensor(left).to(weight.dtype), Tensor(right).to(weight.dtype)


def _decomposed(weight: Tensor) -> tuple[Array, Array, Array]:
    if weight.ndim != 2:
        raise ValueError(f"a rank is that of a matrix, got {weight.shape}")
    array = weight.detach().to(promote_types(weight.dtype, float32)).data  # LAPACK has no float16
    u, s, vt = get_array_module(array).linalg.svd(array, full_matrices=False)
    return u, s, vt


def low_rank(layer: Linear, rank: int) -> Linear | Sequential:
    """A Linear as two of them with `rank` features in between; or the layer itself, if that is not smaller.

    Sequential(Linear(in, rank, bias=False), Linear(rank, out)), with the factors of its weight and a copy of its bias,
    if it has one, all of its dtype. It has rank * (in + out) weights. Where these are not fewer than in * out, the
    layer stays.

    Raises:
        ValueError: the rank is below 1; the message names it.
    """
    outputs, inputs = layer.weight.shape
    if rank * (inputs + outputs) >= inputs * outputs:
        return layer
    left, right = factorize(layer.weight.detach(), rank)
    first, second = Linear(inputs, rank, bias=False), Linear(rank, outputs, bias=False)
    first.weight, second.weight = Parameter(right), Parameter(left)
    if layer.bias is not None:
        second.bias = Parameter(layer.bias.detach().clone())
    return Sequential(first, second)


def replace_linears(
    model: Module, change: Callable[[Linear], Module], target_modules: Collection[str] | None = None
) -> None:
    """Put change(layer) in the place of every Linear below `model`, or of those with these names (as in peft).

    A name is the last part of a layer's name in the tree, such as "q_proj": it means the layers of this name in every
    block. A layer that stands in two places is changed once.

    Raises:
        ValueError: there is no such layer; the message names `target_modules`. Nothing is changed then.
    """
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, Linear) and (target_modules is None or name in target_modules)
    ]
    if not found:
        raise ValueError(f"there is no Linear to be replaced, with target_modules {target_modules}")
    changed = {child: change(child) for child in dict.fromkeys(child for _, _, child in found)}
    for parent, name, child in found:
        setattr(parent, name, changed[child])
