"""How samples become a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, stack, tensor


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
    if len(batch) == 0:
        raise ValueError("a batch of no samples has no shape")
    first = batch[0]
    if isinstance(first, Tensor):
        _alike("shapes", [each.shape for each in batch])
        return stack(list(batch))
    if _is_array(first):
        _alike("shapes", [each.shape for each in batch])
        return Tensor(get_array_module(*batch).stack([_numeric(each) for each in batch]))
    if isinstance(first, (bool, int, float)):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        _alike("keys", [set(each) for each in batch])
        return {key: default_collate([each[key] for each in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        _alike("lengths", [len(each) for each in batch])
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise TypeError(
        f"a batch is made of Tensors, arrays, numbers, texts, dicts, tuples and lists, not of "
        f"{type(first).__name__}: give the loader a collate_fn"
    )


def default_convert(data: Any) -> Any:
    """The arrays in `data`, NumPy's or CuPy's, as Tensors that share their memory (torch.utils.data.default_convert).

    It goes into dicts, tuples and lists as default_collate does; everything else stays as it is.
    """
    if _is_array(data):
        return Tensor(_numeric(data))
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, (tuple, list)):
        parts = [default_convert(each) for each in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    return data


def _is_array(value: Any) -> bool:
    """NumPy's arrays and numbers, and CuPy's arrays."""
    return hasattr(value, "dtype") and not isinstance(value, Tensor)


def _numeric(array: Any) -> Any:
    if array.dtype.kind not in "buif":
        raise TypeError(f"a Tensor holds numbers, got an array of {array.dtype}")
    return array


def _alike(what: str, values: list[Any]) -> None:
    for value in values:
        if value != values[0]:
            raise ValueError(f"the samples of a batch have different {what}: {values[0]} and {value}")
