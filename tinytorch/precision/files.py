"""A quantized model in a file, and back: safetensors of kata 08, each Tensor once, loaded strictly.

safetensors has no aliases and no types of layers, so the metadata say which name shares the Tensor of which other
one, and which modules are quantized, and how.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from tinytorch.layers import Module
from tinytorch.precision.calibration import StaticQuantizedLinear
from tinytorch.precision.modules import QuantizedEmbedding, QuantizedLinear

TIED = "tied"
"""In the metadata: JSON, {name: the name under which its Tensor is in the file}."""

LAYERS = "quantized_layers"
"""In the metadata: JSON, {name of a module: [name of its class, bits, group_size]}."""

KINDS = {kind.__name__: kind for kind in (QuantizedLinear, QuantizedEmbedding, StaticQuantizedLinear)}


def save_model(model: Module, path: str | os.PathLike[str], metadata: Mapping[str, str] = {}) -> None:
    """Write the state of a model, quantized or not, with kata 08's `save` (safetensors.torch.save_model).

    Names whose Tensors are the same memory (tied weights) are written once, under the first of them. The file's
    metadata are `metadata`, the other names under TIED, and the quantized layers under LAYERS, both as JSON.

    Raises:
        ValueError: `metadata` has TIED or LAYERS of its own; the message names it. Also as save.
    """
    raise NotImplementedError("kata 17: save_model")


def load_model(model: Module, path: str | os.PathLike[str]) -> Module:
    """The model of a file: a copy of `model`, its layers quantized as those of the file, with the file's Tensors.

    `model` is a float model of the same architecture, such as a new GPT(config); its values do not matter, not even
    nan, and it stays as it is. Files that kata 08's `save` wrote of a state_dict are loaded too. It is strict: every
    name must be there, no other one, and each Tensor has the shape and the dtype that the model has. Which weights are
    tied is the model's matter: a Tensor of the file is copied to all of its names, tied in `model` or not.

    Raises:
        CheckpointError: the file is damaged, or what its metadata say of TIED or LAYERS is not as save_model writes it:
            also a name in TIED that is in the file, and bits or a group_size that the class refuses. The message
            names the path.
        KeyError: names are missing or unexpected; the message lists them.
        ValueError: a shape or a dtype differs (the message names the Tensor and both), a layer of the file is not in
            the model (it names the layer), or the file has different values for tied weights (it names both).
    """
    raise NotImplementedError("kata 17: load_model")
