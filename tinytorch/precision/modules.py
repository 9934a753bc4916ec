"""Models whose matrices are integers: what is stored is small, and what is computed is float32.

The weights of Linear and Embedding are nearly all of a model. They are replaced, one module by another, and the rest
of the model notices nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, Module
from tinytorch.tensor import Tensor


class QuantizedRows(Module):
    """A matrix (rows, features) as quantize_rows gives it: the buffers qweight and scales.

    features, bits and group_size are kept as attributes. The two buffers are the state: no `weight` is in it.
    """

    def __init__(self, rows: int, features: int, bits: int = 8, group_size: int | None = None) -> None:
        """Begin with a matrix of zeros, into which a state can be loaded.

        Raises:
            ValueError: as quantize_rows.
        """
        raise NotImplementedError("kata 17: QuantizedRows.__init__")

    def quantize_(self, weight: Tensor) -> None:
        """Put `weight` (rows, features), as quantize_rows gives it, into new buffers; it lies on weight's device."""
        raise NotImplementedError("kata 17: QuantizedRows.quantize_")

    @property
    def weight(self) -> Tensor:
        """The matrix that the integers stand for: (rows, features), computed each time."""
        raise NotImplementedError("kata 17: QuantizedRows.weight")

    def extra_repr(self) -> str:  # given
        return f"{self.qweight.shape[0]}, {self.features}, bits={self.bits}, group_size={self.group_size}"


class QuantizedLinear(QuantizedRows):
    """A Linear whose weight is on a grid: (*, in_features) -> (*, out_features) (torch.ao.nn.quantized.dynamic.Linear).

    The bias stays a Parameter of float32, or None.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        bits: int = 8,
        group_size: int | None = None,
    ) -> None:
        """A layer of zeros, into which a state can be loaded; errors as quantize_rows."""
        raise NotImplementedError("kata 17: QuantizedLinear.__init__")

    @classmethod
    def from_float(cls, module: Linear, bits: int = 8, group_size: int | None = None) -> Self:
        """The layer with the weight of `module` on a grid, and a copy of its bias, all on its device.

        `module` stays as it is.
        """
        raise NotImplementedError("kata 17: QuantizedLinear.from_float")

    def forward(self, x: Tensor) -> Tensor:
        """linear(x, weight, bias): x gets its gradient, the weight has none."""
        raise NotImplementedError("kata 17: QuantizedLinear.forward")


class QuantizedEmbedding(QuantizedRows):
    """An Embedding whose weight is on a grid: ids (...) -> (..., embedding_dim) (torch.ao.nn.quantized.Embedding)."""

    def __init__(  # given
        self, num_embeddings: int, embedding_dim: int, bits: int = 8, group_size: int | None = None
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, bits, group_size)

    @classmethod
    def from_float(cls, module: Embedding, bits: int = 8, group_size: int | None = None) -> Self:
        """The layer with the weight of `module` on a grid, on its device. `module` stays as it is."""
        raise NotImplementedError("kata 17: QuantizedEmbedding.from_float")

    def forward(self, input: Tensor) -> Tensor:
        """Look up the integers and the scales of the rows, and dequantize these rows only; errors as embedding."""
        raise NotImplementedError("kata 17: QuantizedEmbedding.forward")


Recipe = Mapping[str, tuple[type[QuantizedLinear] | type[QuantizedEmbedding], int, int | None]]
"""For the name of a module: the class that replaces it, bits and group_size."""


def quantize_layers(model: Module, recipe: Recipe) -> Module:
    """A copy of the model in which the named modules are replaced by kind.from_float(module, bits, group_size).

    The rest is a copy with memory of its own, as copy.deepcopy gives it; `model` stays as it is. A new layer is in
    training mode or not, as the old one. A module that stands in two places is replaced in both by the same one. Where
    two modules share a weight (tied weights), the new ones share their buffers, if bits and group_size are the same.

    Raises:
        ValueError: named_modules of the model lists no such name (the message names it), or that module is neither
            Linear nor Embedding, as its kind needs (it names the class). Also as quantize_rows.
    """
    raise NotImplementedError("kata 17: quantize_layers")


def quantize_dynamic(
    model: Module, bits: int = 8, group_size: int | None = None, skip: Collection[str] = ()
) -> Module:
    """A copy of the model with every Linear and Embedding on a grid (torch.ao.quantization.quantize_dynamic).

    Subclasses are left alone, because they may compute something else, and so are the modules whose names, as
    named_modules lists them, are in `skip`. Otherwise as quantize_layers. The model itself may be a Linear, named "".

    Raises:
        ValueError: a name in `skip` is not the name of a Linear or Embedding; the message names it. Also as
            quantize_rows.
    """
    raise NotImplementedError("kata 17: quantize_dynamic")


def memory_footprint(model: Module) -> int:
    """The bytes of all parameters and buffers; what stands in two places counts once (get_memory_footprint).

    transformers.PreTrainedModel.get_memory_footprint counts in the same way.
    """
    raise NotImplementedError("kata 17: memory_footprint")
