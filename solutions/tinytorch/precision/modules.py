"""Models whose matrices are integers: what is stored is small, and what is computed is float32.

The weights of Linear and Embedding are nearly all of a model. They are replaced, one module by another, and the rest
of the model notices nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Self

from tinytorch.embeddings import Embedding, embedding
from tinytorch.layers import Buffer, Linear, Module, Parameter, linear
from tinytorch.precision.groups import dequantize_rows, quantize_rows
from tinytorch.tensor import Tensor, zeros


class QuantizedRows(Module):
    """A matrix (rows, features) as quantize_rows gives it: the buffers qweight and scales.

    features, bits and group_size are kept as attributes. The two buffers are the state: no `weight` is in it.
    """

    def __init__(self, rows: int, features: int, bits: int = 8, group_size: int | None = None) -> None:
        """Begin with a matrix of zeros, into which a state can be loaded.

        Raises:
            ValueError: as quantize_rows.
        """
        self.features = features
        self.bits = bits
        self.group_size = group_size
        self.quantize_(zeros(rows, features))

    def quantize_(self, weight: Tensor) -> None:
        """Put `weight` (rows, features), as quantize_rows gives it, into new buffers; it lies on weight's device."""
        qweight, scales = quantize_rows(weight, self.bits, self.group_size)
        self.qweight, self.scales = Buffer(qweight), Buffer(scales)

    @property
    def weight(self) -> Tensor:
        """The matrix that the integers stand for: (rows, features), computed each time."""
        return dequantize_rows(self.qweight, self.scales, self.features)

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
        super().__init__(out_features, in_features, bits, group_size)
        self.bias = Parameter(zeros(out_features)) if bias else None

    @classmethod
    def from_float(cls, module: Linear, bits: int = 8, group_size: int | None = None) -> Self:
        """The layer with the weight of `module` on a grid, and a copy of its bias, all on its device.

        `module` stays as it is.
        """
        layer = cls(module.in_features, module.out_features, module.bias is not None, bits, group_size)
        layer.quantize_(module.weight)
        layer.bias = copy.deepcopy(module.bias)
        return layer.to(module.weight.device)

    def forward(self, x: Tensor) -> Tensor:
        """linear(x, weight, bias): x gets its gradient, the weight has none."""
        return linear(x, self.weight, self.bias)


class QuantizedEmbedding(QuantizedRows):
    """An Embedding whose weight is on a grid: ids (...) -> (..., embedding_dim) (torch.ao.nn.quantized.Embedding)."""

    def __init__(  # given
        self, num_embeddings: int, embedding_dim: int, bits: int = 8, group_size: int | None = None
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, bits, group_size)

    @classmethod
    def from_float(cls, module: Embedding, bits: int = 8, group_size: int | None = None) -> Self:
        """The layer with the weight of `module` on a grid, on its device. `module` stays as it is."""
        layer = cls(module.num_embeddings, module.embedding_dim, bits, group_size)
        layer.quantize_(module.weight)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        """Look up the integers and the scales of the rows, and dequantize these rows only; errors as embedding."""
        return dequantize_rows(embedding(input, self.qweight), embedding(input, self.scales), self.features)


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
    modules = dict(model.named_modules())
    known: dict[tuple[Tensor, int, int | None], QuantizedRows] = {}
    memo: dict[int, Module] = {}
    for name, (kind, bits, group_size) in recipe.items():
        module = modules.get(name)
        wanted = Embedding if issubclass(kind, QuantizedEmbedding) else Linear
        if not isinstance(module, wanted):
            raise ValueError(
                f"{name!r} should be a {wanted.__name__}, but is {type(module).__name__}: give the float model"
            )
        layer = kind.from_float(module, bits, group_size)  # type: ignore[arg-type]
        first = known.setdefault((module.weight, bits, group_size), layer)
        layer.qweight, layer.scales = first.qweight, first.scales
        memo[id(module)] = layer.train(module.training)
    return copy.deepcopy(model, memo)


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
    kinds = {Linear: QuantizedLinear, Embedding: QuantizedEmbedding}
    recipe = {
        name: (kinds[type(module)], bits, group_size)
        for name, module in model.named_modules()
        if type(module) in kinds
    }
    if unknown := [name for name in skip if name not in recipe]:
        raise ValueError(f"{unknown} cannot be skipped: there is no Linear or Embedding of that name")
    return quantize_layers(model, {name: how for name, how in recipe.items() if name not in skip})


def memory_footprint(model: Module) -> int:
    """The bytes of all parameters and buffers; what stands in two places counts once (get_memory_footprint).

    transformers.PreTrainedModel.get_memory_footprint counts in the same way.
    """
    return sum(each.data.nbytes for each in [*model.parameters(), *model.buffers()])
