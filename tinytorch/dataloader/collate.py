"""Samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of samples to one batch, N entries along a new first axis (torch.utils.data.default_collate).

    * Tensors of one shape: one Tensor with the shape (N, ...), on their device;
    * arrays (NumPy's or CuPy's: anything with a `dtype`) and NumPy's numbers: the same, their dtype kept;
    * Python numbers: a Tensor of shape (N,): bool, int64 or float32;
    * str and bytes: a list, as they are;
    * dicts: a dict of the collated values of each key;
    * tuples and lists: a list of the collated first parts, second parts, ...; a namedtuple stays one.

    Raises:
        ValueError: there is no sample; the shapes, the lengths or the keys of the samples differ: the message holds
            that of the first sample and that of the first other one.
        TypeError: something else; the message holds its type.
    """
    raise NotImplementedError("kata 10: default_collate")


def default_convert(data: Any) -> Any:
    """The arrays in `data`, NumPy's or CuPy's, as Tensors that share their memory (torch.utils.data.default_convert).

    Goes into dicts, tuples and lists as default_collate does; everything else stays as it is.
    """
    raise NotImplementedError("kata 10: default_convert")
