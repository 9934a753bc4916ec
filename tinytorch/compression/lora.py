"""What a model learns later is small: freeze it, and learn the difference as a product of two thin matrices.

LoRA (Hu et al., 2022). The names are those of Hugging Face's peft.
"""

from __future__ import annotations

from collections.abc import Collection

from tinytorch.layers import Linear, Module
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
        raise NotImplementedError("kata 18: LoRALinear.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """base_layer(x), and as long as it is not merged, scaling * lora_B(lora_A(x)) more: (*, in) -> (*, out)."""
        raise NotImplementedError("kata 18: LoRALinear.forward")

    def merge(self) -> None:
        """Add scaling * B @ A to the weight of the base, in place: from now on the base alone gives the same.

        A second call changes nothing.
        """
        raise NotImplementedError("kata 18: LoRALinear.merge")


def add_lora(
    model: Module, r: int = 8, alpha: float = 16, target_modules: Collection[str] | None = None
) -> Module:
    """Freeze the whole model, and put a LoRALinear around its Linears (peft.get_peft_model). Returns the model.

    `target_modules` are the names of replace_linears. What requires grad afterwards is lora_A and lora_B alone.

    Raises:
        ValueError: the model has adapters already, or as replace_linears or LoRALinear. Nothing is changed then.
    """
    raise NotImplementedError("kata 18: add_lora")


def lora_state_dict(model: Module) -> dict[str, Tensor]:  # given
    """The part of model.state_dict() that was learned: lora_A and lora_B (peft.get_peft_model_state_dict).

    model.load_state_dict(state, strict=False) takes it.
    """
    return {name: each for name, each in model.state_dict().items() if ".lora_" in f".{name}"}


def merge_and_unload(model: Module) -> Module:
    """Merge every LoRALinear, and put its Linear back in its place (peft's merge_and_unload). Returns the model.

    The model has its old names and sizes, gives what it gave, and stays frozen.
    """
    raise NotImplementedError("kata 18: merge_and_unload")
