"""Kata 15: the simple version is the specification of the fast one. Given: the names that the files define."""

from tinytorch.acceleration import given as given
from tinytorch.acceleration.blas import (
    Cache as Cache,
    Counted as Counted,
    add_product as add_product,
    add_product_in_blocks as add_product_in_blocks,
)
from tinytorch.acceleration.columns import Columns as Columns
from tinytorch.acceleration.convolution import (
    Conv2dKernel as Conv2dKernel,
    MaxPool2dKernel as MaxPool2dKernel,
    conv2d_forward as conv2d_forward,
    conv2d_gradients as conv2d_gradients,
    conv2d_input as conv2d_input,
    conv2d_weight as conv2d_weight,
)
from tinytorch.acceleration.flat import (
    flatten as flatten,
)
from tinytorch.acceleration.kernels import (
    CrossEntropyKernel as CrossEntropyKernel,
    GeluKernel as GeluKernel,
    LayerNormKernel as LayerNormKernel,
    LinearKernel as LinearKernel,
    ReluKernel as ReluKernel,
    chunks as chunks,
    covered as covered,
    tanh_inside as tanh_inside,
    where_kept as where_kept,
)
from tinytorch.acceleration.memory import (
    empty as empty,
    empty_cache as empty_cache,
    rounded as rounded,
)
from tinytorch.acceleration.observing import (
    Cost as Cost,
    Profile as Profile,
    new_arrays as new_arrays,
    page_faults as page_faults,
    profile as profile,
    table as table,
)
from tinytorch.acceleration.recompute import (
    checkpoint as checkpoint,
)
from tinytorch.acceleration.tiles import (
    TiledAttention as TiledAttention,
)
