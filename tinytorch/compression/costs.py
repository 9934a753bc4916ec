"""What a model costs: the bytes of its file, and its multiply-adds. Zeros save the first and not the second."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tinytorch.layers import Module
from tinytorch.tensor import Tensor


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
    raise NotImplementedError("kata 18: save_sparse")


def load_sparse(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state that was given to save_sparse; a file of `save` is read too. What was -0.0 may be 0.0.

    Raises:
        CheckpointError: as `load`, or the parts of a Tensor do not fit together; the message names the path.
    """
    raise NotImplementedError("kata 18: load_sparse")


def count_macs(model: Module, *inputs: Any) -> int:
    """The multiply-adds of all matrix products in model(*inputs), exactly: (n, k) @ (k, m) has n * k * m.

    Convolutions and attention are made of them. The model runs in eval mode, unrecorded and without kernels, so that
    every product is one call of the primitive `bmm`, which an observer in dispatch.observers sees. Afterwards each of
    its modules is in the mode that it had before.
    """
    raise NotImplementedError("kata 18: count_macs")
