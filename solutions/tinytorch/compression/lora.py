"""What a model learns later is small: freeze it, and learn the difference as a product of two thin matrices.

LoRA (Hu et al., 2022). The names are those of Hugging Face's peft.
"""

from __future__ import annotations

import functools
from collections.abc import Collection

from tinytorch.compression.low_rank import replace_linears
from tinytorch.compression.masks import is_pruned
from tinytorch.layers import Linear, Module, init
from tinytorch.tensor import Tensor


class LoRALinear(Module):
    """A frozen Linear plus what is learned: base_layer(x) + scaling * lora_B(lora_A(x)) (peft's lora.Linear).

    `base_layer` is the Linear itself, whose parameters do not require grad any more. `lora_A` is Linear(in, r), and
    `lora_B` Linear(r, out), both without bias and with the dtype and device of the base. `lora_B` begins with zeros, so
    that at first nothing is added. `scaling` is alpha / r. `merged` says whether the product is in the base already.
    """

    def __init__(self, base_layer: Linear, r: int = 8, alpha: float = 16) -> None:
        """Freeze the base, and begin with a difference of 0.

        Raises:
            ValueError: r is below 1; the message names it. Or the base has a mask, which would be lost.
        """
        if r < 1:
            raise ValueError(f"the rank r must be at least 1, got {r}")
        if is_pruned(base_layer):
            raise ValueError("the layer has a mask: call remove(layer, name) first")
        outputs, inputs = base_layer.weight.shape
        self.base_layer = base_layer.requires_grad_(False)
        self.lora_A = Linear(inputs, r, bias=False)
        self.lora_B = Linear(r, outputs, bias=False)
        init.zeros_(self.lora_B.weight)
        for each in (self.lora_A, self.lora_B):
            each.to(base_layer.weight.dtype).to(base_layer.weight.device)
        self.scaling = alpha / r
        self.merged = False

    def forward(self, x: Tensor) -> Tensor:
        """base_layer(x), and as long as it is not merged, scaling * lora_B(lora_A(x)) more: (*, in) -> (*, out)."""
        out: Tensor = self.base_layer(x)
        return out if self.merged else out + self.lora_B(self.lora_A(x)) * self.scaling

    def merge(self) -> None:
        """Add scaling * B @ A to the weight of the base, in place: from now on the base alone gives the same.

        A second call changes nothing.
        """
        if not self.merged:
            difference = self.lora_B.weight.data @ self.lora_A.weight.data  # (out, r) @ (r, in)
            self.base_layer.weight.data += self.scaling * difference
            self.merged = True


def add_lora(
    model: Module, r: int = 8, alpha: float = 16, target_modules: Collection[str] | None = None
) -> Module:
    """Freeze the whole model, and put a LoRALinear around its Linears (peft.get_peft_model). Returns the model.

    `target_modules` are the names of replace_linears. What requires grad afterwards is lora_A and lora_B alone.

    Raises:
        ValueError: the model has adapters already, or as replace_linears or LoRALinear. Nothing is changed then.
    """
    if any(isinstance(each, LoRALinear) for each in model.modules()):
        raise ValueError("the model has adapters already: call merge_and_unload(model) first")
    frozen = [each for each in model.parameters() if each.requires_grad]
    try:
        replace_linears(model, functools.partial(LoRALinear, r=r, alpha=alpha), target_modules)
    except ValueError:  # the bases of those that came before are frozen already
        for each in frozen:
            each.requires_grad_(True)
        raise
    for each in frozen:
        each.requires_grad_(False)
    return model


def lora_state_dict(model: Module) -> dict[str, Tensor]:  # given
    """The part of model.state_dict() that was learned: lora_A and lora_B (peft.get_peft_model_state_dict).

    model.load_state_dict(state, strict=False) takes it.
    """
    return {name: each for name, each in model.state_dict().items() if ".lora_" in f".{name}"}


def merge_and_unload(model: Module) -> Module:
    """Merge every LoRALinear, and put its Linear back in its place (peft's merge_and_unload). Returns the model.

    The model has its old names and sizes, gives what it gave, and stays frozen.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoRALinear):
                child.merge()
                setattr(parent, name, child.base_layer)
    return model
