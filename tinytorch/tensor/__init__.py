"""Kata 02: an n-dimensional array with PyTorch's behaviour. Given: the names that the files beside this one define."""

from tinytorch.tensor.layout import (
    Shape as Shape,
    contiguous_strides as contiguous_strides,
    flat_index as flat_index,
    sizes as sizes,
)
from tinytorch.tensor.primitives import (
    Dims as Dims,
    concatenate as concatenate,
    convert as convert,
    expand as expand,
    getitem as getitem,
    pad as pad,
)
from tinytorch.tensor.promotion import (
    bool_ as bool_,
    floating as floating,
    promote as promote,
    promote_types as promote_types,
)
from tinytorch.tensor.public import *  # noqa: F403
from tinytorch.tensor.sums import (
    add_up as add_up,
    at_least_float32 as at_least_float32,
)
