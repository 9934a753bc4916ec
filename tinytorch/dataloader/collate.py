"""How samples become a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def default_collate(batch: Sequence[Any]) -> Any:
    """Make one batch of a list of N samples, along a new first axis (torch.utils.data.default_collate).

    * Tensors of one shape: one Tensor of shape (N, ...), on their device;
    * arrays (NumPy's or CuPy's: anything with a `dtype`) and NumPy's numbers: the same, with their dtype;
    * Python numbers: a Tensor of shape (N,): bool, int64 or float32;
    * str and bytes: a list, as they are;
    * dicts: a dict of the collated values of each key;
    * tuples and lists: a list of the collated first parts, second parts, ...; a namedtuple stays one.

    Raises:
        ValueError: there is no sample; or the shapes, the lengths or the keys of the samples differ: the message names
            those of the first sample and of the first that differs.
        TypeError: a sample is something else; the message names its type.
    """
    raise NotImplementedError("kata 10: default_collate")


def default_convert(data: Any) -> Any:
    """The arrays in `data`, NumPy's or CuPy's, as Tensors that share their memory (torch.utils.data.default_convert).

    It goes into dicts, tuples and lists as default_collate does; everything else stays as it is.
    """
    raise NotImplementedError("kata 10: default_convert")
