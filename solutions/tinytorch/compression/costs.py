"""What a model costs: the bytes of its file, and its multiply-adds. Zeros save the first and not the second."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinytorch import dispatch
from tinytorch.dispatch import Event
from tinytorch.layers import Module
from tinytorch.tensor import Tensor
from tinytorch.training import CheckpointError, evaluating, load_with_metadata, save


def save_sparse(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Write a state as `save` does, but a Tensor with many zeros as a bit for each entry and the others' values.

    In the file, such a Tensor is two: "bits:<name>", uint8, with a 1 for each entry that is not 0 (np.packbits of the
    entries in C order), and "values:<name>", the entries that are not 0. Its shape stands in the metadata "sparse", a
    dict in JSON. A Tensor that would not get smaller is written as it is.

    Raises:
        ValueError: a name is taken: the state has a sparse "w", and a "bits:w" or "values:w" of its own; the message
            has that name. (Without a sparse "w", "bits:w" is a name like any other.) Also as `save`. Nothing is written
            then.
    """
    tensors: dict[str, Tensor] = {}
    shapes = {}
    for name, value in state.items():
        array = value.to("cpu").data
        bits, values = np.packbits(array != 0), array[array != 0]
        if bits.nbytes + values.nbytes < array.nbytes:
            shapes[name] = list(array.shape)
            tensors |= {f"bits:{name}": Tensor(bits), f"values:{name}": Tensor(values)}
        else:
            tensors[name] = value
    if len(tensors) < len(state) + len(shapes):
        raise ValueError(f"a name in the file is taken twice, of {sorted(tensors)}")
    save(tensors, path, {"sparse": json.dumps(shapes)})


def load_sparse(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state that was given to save_sparse; a file of `save` is read too. What was -0.0 may be 0.0.

    Raises:
        CheckpointError: as `load`, or the parts of a Tensor do not fit together; the message names the path.
    """
    tensors, metadata = load_with_metadata(path)
    try:
        for name, shape in json.loads(metadata.get("sparse", "{}")).items():
            bits, values = tensors.pop(f"bits:{name}"), tensors.pop(f"values:{name}")
            array = np.zeros(math.prod(shape), values.dtype)
            there = np.unpackbits(bits.data, count=array.size) == 1
            if bits.shape != (-(-array.size // 8),) or values.shape != (there.sum(),):
                raise ValueError(f"{name!r} has {bits.shape} bytes of bits and {values.shape} values")
            array[there] = values.data
            tensors[name] = Tensor(array.reshape(shape))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{path} holds no sparse Tensors that fit together: {error}") from error
    return tensors


def count_macs(model: Module, *inputs: Any) -> int:
    """The multiply-adds of all matrix products in model(*inputs), exactly: (n, k) @ (k, m) has n * k * m.

    Convolutions and attention are made of them. The model runs in eval mode, unrecorded and without kernels, so that
    every product is one call of the primitive `bmm`, which an observer in dispatch.observers sees. Afterwards each of
    its modules is in the mode that it had before.
    """
    total = 0

    def watch(event: Event, run: Callable[[], Any]) -> Any:
        nonlocal total
        result = run()
        if event.name == "bmm":
            total += result.size * event.args[0].shape[-1]
        return result

    dispatch.observers.append(watch)
    try:
        with dispatch.disabled(), evaluating(model):
            model(*inputs)
    finally:
        dispatch.observers.remove(watch)
    return total
