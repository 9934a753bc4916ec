"""Channels that are really gone: every array that had an entry for them gets shorter.

A zero costs as much as any other number, because a matrix product does not look at what it multiplies. A matrix with
fewer rows costs less. But a channel is known in many places: in the layer that computes it, in the batch norm behind
it, in the layer that reads it, and in what the optimizer remembers of each of their parameters.
"""

from __future__ import annotations

from tinytorch.compression.masks import how_many, is_pruned
from tinytorch.dispatch import Array
from tinytorch.layers import Linear, Sequential
from tinytorch.optimizers import Optimizer
from tinytorch.setup import get_array_module
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor, arange


def channel_scores(layer: Linear | Conv2d, n: float = 2.0) -> Tensor:
    """How large the weights of each output of a layer are together: (out,), not recorded.

    (sum of |w|**n over all axes but the first) ** (1 / n).
    """
    weight = layer.weight.data
    rows = get_array_module(weight).abs(weight.reshape(len(weight), -1))
    return Tensor((rows**n).sum(1) ** (1 / n))


def keep_entries(tensor: Tensor, dim: int, keep: Tensor, optimizer: Optimizer | None = None) -> None:
    """Leave only the entries `keep`, (k,) integers, along axis `dim` of a parameter or buffer, in that order.

    The Tensor stays the same object, and gets another array. Its gradient, if it has one, loses the same entries, as
    does every array of its shape in optimizer.state[tensor]: momentum belongs to an entry, and goes with it.
    """

    def kept(array: Array) -> Array:
        return get_array_module(array).take(array, keep.data, axis=dim)

    shape = tensor.shape
    state = {} if optimizer is None else optimizer.state.get(tensor, {})
    for name, value in state.items():
        if getattr(value, "shape", None) == shape:
            state[name] = kept(value)
    if tensor.grad is not None:
        tensor.grad = Tensor(kept(tensor.grad.data))
    tensor.data = kept(tensor.data)


def keep_outputs(
    layer: Linear | Conv2d | BatchNorm2d, keep: Tensor, optimizer: Optimizer | None = None
) -> None:
    """Leave only the outputs `keep` of a layer: the entries along axis 0 of all its parameters and buffers.

    Its out_features, out_channels or num_features is their number. num_batches_tracked has no axis, and stays.
    """
    for each in [*layer.parameters(), *layer.buffers()]:
        if each.ndim:
            keep_entries(each, 0, keep, optimizer)
    for name in ("out_features", "out_channels", "num_features"):
        if hasattr(layer, name):
            setattr(layer, name, len(keep))


def keep_inputs(
    layer: Linear | Conv2d, keep: Tensor, channels: int, optimizer: Optimizer | None = None
) -> None:
    """Leave only the inputs of the channels `keep`, of `channels` that the layer reads: axis 1 of its weight.

    A Linear behind a Flatten reads many features of each channel: of in_features = channels * area, those of channel c
    are c * area up to (c + 1) * area. in_features or in_channels is the number of inputs afterwards.

    Raises:
        ValueError: the inputs of the layer are not a multiple of `channels`; the message names both.
    """
    inputs = layer.weight.shape[1]
    if inputs % channels:
        raise ValueError(f"a layer with {inputs} inputs cannot read {channels} channels alike")
    area = inputs // channels
    places = (keep.unsqueeze(1) * area + arange(area, device=keep.device)).reshape(-1)  # (k, 1) + (area,)
    keep_entries(layer.weight, 1, places, optimizer)
    setattr(layer, "in_channels" if isinstance(layer, Conv2d) else "in_features", len(places))


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
    layer, norms, reader = _behind(model, index)
    for neighbour in (layer, reader):
        if is_pruned(neighbour) or getattr(neighbour, "groups", 1) > 1:
            raise ValueError(
                f"channels cannot be removed from a layer with a mask or with groups: {neighbour!r}"
            )
    channels, inputs = layer.weight.shape[0], reader.weight.shape[1]
    if isinstance(layer, Linear) and (isinstance(reader, Conv2d) or inputs != channels):
        raise ValueError(
            f"{reader!r} with {inputs} inputs does not read the {channels} outputs of a Linear one by one"
        )
    count = how_many(amount, channels)
    if count == channels:
        raise ValueError(f"at least one of {channels} channels has to stay")
    order = channel_scores(layer, n).data.argsort(kind="stable")
    keep = Tensor(get_array_module(order).sort(order[count:]))
    keep_inputs(reader, keep, channels, optimizer)
    for each in (layer, *norms):
        keep_outputs(each, keep, optimizer)
    return keep


def _behind(model: Sequential, index: int) -> tuple[Linear | Conv2d, list[BatchNorm2d], Linear | Conv2d]:
    """model[index], the batch norms behind it, and the layer that reads them."""
    layer, *others = list(model)[range(len(model))[index] :]
    if not isinstance(layer, (Linear, Conv2d)):
        raise TypeError(f"channels are those of a Linear or Conv2d, got {type(layer).__name__}")
    norms: list[BatchNorm2d] = []
    for each in others:
        if isinstance(each, (Linear, Conv2d)):
            return layer, norms, each
        if isinstance(each, BatchNorm2d):
            norms.append(each)
        elif [*each.parameters(), *each.buffers()]:
            raise TypeError(f"it is not known how to remove channels from {type(each).__name__}")
    raise ValueError(f"no Linear or Conv2d reads the outputs of layer {index}: they are those of the model")
