"""Weights that are held at zero: which ones, how they stay there through training, and how many of them when.

A pruned parameter "weight" of a module is three things: `weight_orig`, the Parameter that is learned; `weight_mask`,
a Buffer of ones and zeros; and `weight`, their product, computed again in every forward pass. So what is masked is 0
whatever the optimizer does to `weight_orig`, as long as that is finite (0 * inf is nan), and it gets no gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinytorch.layers import Linear, Module
from tinytorch.spatial import Conv2d
from tinytorch.tensor import Tensor
from tinytorch.training import Callback, Trainer

Pruned = Iterable[tuple[Module, str]]
"""Parameters to prune: each a module and the name of the parameter in it, (layer, "weight")."""


# Which weights ------------------------------------------------------------------------------------------


def how_many(amount: float, size: int) -> int:
    """How many of `size` things `amount` means: a float is a share of them, an int is a number.

    A share is rounded to the nearest whole number, as `round` does: how_many(0.5, 9) is 4, how_many(3, 9) is 3.

    Raises:
        ValueError: a share is not between 0 and 1, or a number is negative or larger than `size`; the message names it.
        TypeError: `amount` is neither a float nor an int; the message names its type.
    """
    raise NotImplementedError("kata 18: how_many")


def magnitude_mask(weight: Tensor, amount: float, mask: Tensor | None = None) -> Tensor:
    """Ones for the weights that stay, zeros for those that go: the smallest in absolute value.

    `how_many` says how many go. What is 0 in `mask`, the result of an earlier call, stays 0 and does not count:
    `amount` is of the others. The result has shape, dtype and device of `weight`, and is not recorded. Raises as
    how_many.
    """
    raise NotImplementedError("kata 18: magnitude_mask")


def prunable(model: Module) -> list[tuple[Module, str]]:  # given
    """(layer, "weight") for every Linear and Conv2d in the tree, in its order: what is worth pruning."""
    return [(each, "weight") for each in model.modules() if isinstance(each, (Linear, Conv2d))]


def sparsity(parameters: Pruned) -> float:
    """The share of entries that are exactly 0, over all these parameters as they take part in the next forward pass.

    With a mask that is <name>_orig * <name>_mask as they are now, after load_state_dict too. Without any entry it is
    0.0.
    """
    raise NotImplementedError("kata 18: sparsity")


# Masks that hold ----------------------------------------------------------------------------------------


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Hold the entries of a parameter at 0 where `mask` is 0 (torch.nn.utils.prune.custom_from_mask).

    The Parameter itself becomes module.<name>_orig, so an optimizer that has it still moves it. <name>_mask is a new
    Buffer of its dtype, and <name> their product: a plain Tensor, recorded, so it is no parameter any more. The module
    gets an attribute `forward` of its own, which comes before that of its class, and calls `masked_forward` with the
    module. If the parameter has a mask already, both hold: the masks are multiplied. Returns the module.

    Raises:
        KeyError: the module has no parameter of this name; the message names it.
        ValueError: the mask has another shape than the parameter; the message names both.
    """
    raise NotImplementedError("kata 18: custom_from_mask")


def masked_forward(module: Module, *args: Any, **kwargs: Any) -> Any:
    """Multiply every pruned parameter of the module by its mask, then do what its class does in `forward`."""
    raise NotImplementedError("kata 18: masked_forward")


def l1_unstructured(module: Module, name: str, amount: float) -> Module:
    """Mask the smallest weights of one parameter (torch.nn.utils.prune.l1_unstructured). Returns the module.

    `amount` is that of `magnitude_mask`, of the weights that are left.

    Raises:
        KeyError: as custom_from_mask.
        ValueError, TypeError: as how_many. Nothing is changed then.
    """
    raise NotImplementedError("kata 18: l1_unstructured")


def global_unstructured(parameters: Pruned, amount: float) -> None:
    """Mask the smallest weights of all these parameters together (torch.nn.utils.prune.global_unstructured).

    A layer of small weights loses more than its share, a layer of large ones less. `amount` is that of
    `magnitude_mask`, of all weights that are left. Raises as l1_unstructured; nothing is changed then.
    """
    raise NotImplementedError("kata 18: global_unstructured")


def is_pruned(module: Module) -> bool:
    """Whether anything in the tree has a mask (torch.nn.utils.prune.is_pruned)."""
    raise NotImplementedError("kata 18: is_pruned")


def remove(module: Module, name: str) -> Module:
    """Make the zeros permanent, and forget the mask (torch.nn.utils.prune.remove). Returns the module.

    <name> is again the Parameter that it was before pruning, the same object, with zeros in it. Without a mask left,
    calling the module calls its own `forward` again.

    Raises:
        ValueError: the parameter has no mask; the message names it.
    """
    raise NotImplementedError("kata 18: remove")


# A little more at each step -----------------------------------------------------------------------------


def cubic_sparsity(step: int, final: float, begin: int, end: int, initial: float = 0.0) -> float:
    """The share of zeros that a gradual schedule wants at a step (Zhu and Gupta, 2017, equation 1).

    final + (initial - final) * (1 - (step - begin) / (end - begin))**3: fast at first, while most weights say little,
    and slower the fewer there are. It is `initial` up to step `begin` and `final` from step `end` on.

    Raises:
        ValueError: `end` is not larger than `begin`; the message names both.
    """
    raise NotImplementedError("kata 18: cubic_sparsity")


class GradualPruning(Callback):
    """Prune a little more at each step of a Trainer, along `cubic_sparsity`, all parameters together.

    The arguments are attributes of the same names, `steps` counts the steps so far.
    """

    def __init__(
        self,
        parameters: Pruned,
        final: float,
        begin: int,
        end: int,
        every: int = 1,
        initial: float = 0.0,
    ) -> None:
        """Prune at step `begin`, then every `every` steps, and at step `end`.

        The first step is step 1. With begin=0 nothing is pruned before the training, and first at step `every`.

        All parameters get their masks at once, of ones: so the names in the model's state are the same from the first
        checkpoint to the last.

        Raises:
            ValueError: `end` is not larger than `begin` (as cubic_sparsity), or `every` is below 1; the message names
                it.
        """
        raise NotImplementedError("kata 18: GradualPruning.__init__")

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """Count the step, and where it is one to prune at, mask as many more weights as the schedule wants.

        The number of zeros in the masks is then the wanted share of all weights, rounded. More zeros than that are left
        alone. A weight that is 0 by itself is no zero of a mask, but one of the smallest.
        """
        raise NotImplementedError("kata 18: GradualPruning.on_step_end")

    def state_dict(self) -> dict[str, Any]:  # given
        """{"steps"}; the masks are in the model's state."""
        return {"steps": self.steps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # given
        """Load what `state_dict` gave."""
        self.steps = state_dict["steps"]
