"""Channels that are really gone: every array that had an entry for them gets shorter.

A zero costs as much as any other number, because a matrix product does not look at what it multiplies. A matrix with
fewer rows costs less. But a channel is known in many places: in the layer that computes it, in the batch norm behind
it, in the layer that reads it, and in what the optimizer remembers of each of their parameters.
"""

from __future__ import annotations

from tinytorch.layers import Linear, Sequential
from tinytorch.optimizers import Optimizer
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor


def channel_scores(layer: Linear | Conv2d, n: float = 2.0) -> Tensor:
    """How large the weights of each output of a layer are together: (out,), not recorded.

    (sum of |w|**n over all axes but the first) ** (1 / n).
    """
    raise NotImplementedError("kata 18: channel_scores")


def keep_entries(tensor: Tensor, dim: int, keep: Tensor, optimizer: Optimizer | None = None) -> None:
    """Leave only the entries `keep`, (k,) integers, along axis `dim` of a parameter or buffer, in that order.

    The Tensor stays the same object, and gets another array. Its gradient, if it has one, loses the same entries, as
    does every array of its shape in optimizer.state[tensor]: momentum belongs to an entry, and goes with it.
    """
    raise NotImplementedError("kata 18: keep_entries")


def keep_outputs(
    layer: Linear | Conv2d | BatchNorm2d, keep: Tensor, optimizer: Optimizer | None = None
) -> None:
    """Leave only the outputs `keep` of a layer: the entries along axis 0 of all its parameters and buffers.

    Its out_features, out_channels or num_features is their number. num_batches_tracked has no axis, and stays.
    """
    raise NotImplementedError("kata 18: keep_outputs")


def keep_inputs(
    layer: Linear | Conv2d, keep: Tensor, channels: int, optimizer: Optimizer | None = None
) -> None:
    """Leave only the inputs of the channels `keep`, of `channels` that the layer reads: axis 1 of its weight.

    A Linear behind a Flatten reads many features of each channel: of in_features = channels * area, those of channel c
    are c * area up to (c + 1) * area. in_features or in_channels is the number of inputs afterwards.

    Raises:
        ValueError: the inputs of the layer are not a multiple of `channels`; the message names both.
    """
    raise NotImplementedError("kata 18: keep_inputs")


def remove_channels(
    model: Sequential, index: int, amount: float, n: float = 2.0, optimizer: Optimizer | None = None
) -> Tensor:
    """Remove the outputs of model[index] whose channel_scores are smallest, from the whole model.

    They go from model[index], from every BatchNorm2d behind it, and from the next Linear or Conv2d, which reads them,
    with what `optimizer` remembers. `how_many` says how many go. The others keep their order; their numbers are the
    result.

    Raises:
        ValueError: nothing would be left (the message names the number of channels), no Linear or Conv2d follows, one
            of the two has a mask or several groups, or as how_many. Or model[index] is a Linear, and the next layer is
            a Conv2d, or has another number of inputs (the message names both numbers): a Flatten behind a Linear puts
            its outputs side by side, once for each place. Nothing is changed then.
        TypeError: model[index], or a layer with parameters or buffers in between, is of another class; the message
            names it.
    """
    raise NotImplementedError("kata 18: remove_channels")
