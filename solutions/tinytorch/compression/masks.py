"""Weights that are held at zero: which ones, how they stay there through training, and how many of them when.

A pruned parameter "weight" of a module is three things: `weight_orig`, the Parameter that is learned; `weight_mask`,
a Buffer of ones and zeros; and `weight`, their product, computed again in every forward pass. So what is masked is 0
whatever the optimizer does to `weight_orig`, as long as that is finite (0 * inf is nan), and it gets no gradient.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from tinytorch.layers import Buffer, Linear, Module, Parameter
from tinytorch.setup import get_array_module
from tinytorch.spatial import Conv2d
from tinytorch.tensor import Tensor, cat
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
    if isinstance(amount, bool) or not isinstance(amount, Real):
        raise TypeError(f"an amount is a share, such as 0.5, or a number, got {type(amount).__name__}")
    if not 0 <= amount <= (size if isinstance(amount, Integral) else 1):
        raise ValueError(f"an amount is a share from 0.0 to 1.0 or a number up to {size}, got {amount}")
    return int(amount) if isinstance(amount, Integral) else round(amount * size)


def magnitude_mask(weight: Tensor, amount: float, mask: Tensor | None = None) -> Tensor:
    """Ones for the weights that stay, zeros for those that go: the smallest in absolute value.

    `how_many` says how many go. What is 0 in `mask`, the result of an earlier call, stays 0 and does not count:
    `amount` is of the others. The result has shape, dtype and device of `weight`, and is not recorded. Raises as
    how_many.
    """
    xp = get_array_module(weight.data)
    kept = xp.ones(weight.shape, weight.dtype) if mask is None else mask.data.copy()
    gone = int((kept == 0).sum())
    magnitudes = xp.where(kept == 0, -1.0, xp.abs(weight.data))  # what is gone comes first
    order = magnitudes.reshape(-1).argsort(kind="stable")
    kept.reshape(-1)[order[: gone + how_many(amount, kept.size - gone)]] = 0
    return Tensor(kept)


def prunable(model: Module) -> list[tuple[Module, str]]:  # given
    """(layer, "weight") for every Linear and Conv2d in the tree, in its order: what is worth pruning."""
    return [(each, "weight") for each in model.modules() if isinstance(each, (Linear, Conv2d))]


def sparsity(parameters: Pruned) -> float:
    """The share of entries that are exactly 0, over all these parameters as they take part in the next forward pass.

    With a mask that is <name>_orig * <name>_mask as they are now, after load_state_dict too. Without any entry it is
    0.0.
    """
    weights = [
        (_product(module, name) if name in _masked(module) else getattr(module, name)).data
        for module, name in parameters
    ]
    total = sum(each.size for each in weights)
    return sum(int((each == 0).sum()) for each in weights) / total if total else 0.0


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
    original = _original(module, name)
    if mask.shape != original.shape:
        raise ValueError(f"{name} has shape {original.shape}, its mask {mask.shape}")
    if name not in _masked(module):
        delattr(module, name)
        setattr(module, f"{name}_orig", original)
        setattr(module, f"{name}_mask", Buffer(_ones_like(original)))
        vars(module)["forward"] = functools.partial(masked_forward, module)
    held = getattr(module, f"{name}_mask")
    held.data[...] = held.data * mask.data
    setattr(module, name, _product(module, name))
    return module


def _ones_like(weight: Tensor) -> Tensor:
    return Tensor(get_array_module(weight.data).ones_like(weight.data))


def _original(module: Module, name: str) -> Parameter:
    """The Parameter behind `name`, masked or not."""
    for attribute in (f"{name}_orig", name):
        if isinstance(found := getattr(module, attribute, None), Parameter):
            return found
    has = [each for each, _ in module.named_parameters(recurse=False)]
    raise KeyError(f"{type(module).__name__} has no parameter {name!r}; it has {has}")


def _masked(module: Module) -> list[str]:
    """The names of a module's parameters that have a mask."""
    names = [attribute.removesuffix("_orig") for attribute in vars(module) if attribute.endswith("_orig")]
    return [name for name in names if f"{name}_mask" in vars(module)]


def _product(module: Module, name: str) -> Tensor:
    """A masked parameter as it takes part in a forward pass now."""
    product: Tensor = getattr(module, f"{name}_orig") * getattr(module, f"{name}_mask")
    return product


def masked_forward(module: Module, *args: Any, **kwargs: Any) -> Any:
    """Multiply every pruned parameter of the module by its mask, then do what its class does in `forward`."""
    for name in _masked(module):
        setattr(module, name, _product(module, name))
    return type(module).forward(module, *args, **kwargs)


def l1_unstructured(module: Module, name: str, amount: float) -> Module:
    """Mask the smallest weights of one parameter (torch.nn.utils.prune.l1_unstructured). Returns the module.

    `amount` is that of `magnitude_mask`, of the weights that are left.

    Raises:
        KeyError: as custom_from_mask.
        ValueError, TypeError: as how_many. Nothing is changed then.
    """
    mask = magnitude_mask(_original(module, name), amount, getattr(module, f"{name}_mask", None))
    return custom_from_mask(module, name, mask)


def global_unstructured(parameters: Pruned, amount: float) -> None:
    """Mask the smallest weights of all these parameters together (torch.nn.utils.prune.global_unstructured).

    A layer of small weights loses more than its share, a layer of large ones less. `amount` is that of
    `magnitude_mask`, of all weights that are left. Raises as l1_unstructured; nothing is changed then.
    """
    parameters = list(parameters)
    weights = [_original(module, name).detach() for module, name in parameters]
    masks = [
        getattr(module, f"{name}_mask", _ones_like(weight))
        for (module, name), weight in zip(parameters, weights, strict=True)
    ]
    flat = magnitude_mask(
        cat([each.reshape(-1) for each in weights]), amount, cat([each.reshape(-1) for each in masks])
    )
    begin = 0
    for (module, name), weight in zip(parameters, weights, strict=True):
        end = begin + weight.numel()
        custom_from_mask(module, name, flat[begin:end].reshape(weight.shape))
        begin = end


def is_pruned(module: Module) -> bool:
    """Whether anything in the tree has a mask (torch.nn.utils.prune.is_pruned)."""
    return any(_masked(each) for each in module.modules())


def remove(module: Module, name: str) -> Module:
    """Make the zeros permanent, and forget the mask (torch.nn.utils.prune.remove). Returns the module.

    <name> is again the Parameter that it was before pruning, the same object, with zeros in it. Without a mask left,
    calling the module calls its own `forward` again.

    Raises:
        ValueError: the parameter has no mask; the message names it.
    """
    if name not in _masked(module):
        raise ValueError(f"{name!r} of this {type(module).__name__} has no mask that could be removed")
    original, mask = getattr(module, f"{name}_orig"), getattr(module, f"{name}_mask")
    original.data[...] = original.data * mask.data
    for attribute in (name, f"{name}_orig", f"{name}_mask"):
        delattr(module, attribute)
    setattr(module, name, original)
    if not _masked(module):
        del vars(module)["forward"]
    return module


# A little more at each step -----------------------------------------------------------------------------


def cubic_sparsity(step: int, final: float, begin: int, end: int, initial: float = 0.0) -> float:
    """The share of zeros that a gradual schedule wants at a step (Zhu and Gupta, 2017, equation 1).

    final + (initial - final) * (1 - (step - begin) / (end - begin))**3: fast at first, while most weights say little,
    and slower the fewer there are. It is `initial` up to step `begin` and `final` from step `end` on.

    Raises:
        ValueError: `end` is not larger than `begin`; the message names both.
    """
    if end <= begin:
        raise ValueError(f"a schedule ends after it begins, got begin {begin} and end {end}")
    left = 1 - min(max((step - begin) / (end - begin), 0.0), 1.0)
    return final + (initial - final) * left**3


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
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        cubic_sparsity(0, final, begin, end, initial)  # refuses begin and end
        self.parameters, self.final, self.begin, self.end = list(parameters), final, begin, end
        self.every, self.initial, self.steps = every, initial, 0
        global_unstructured(self.parameters, 0)

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """Count the step, and where it is one to prune at, mask as many more weights as the schedule wants.

        The number of zeros in the masks is then the wanted share of all weights, rounded. More zeros than that are left
        alone. A weight that is 0 by itself is no zero of a mask, but one of the smallest.
        """
        self.steps += 1
        if self.begin <= self.steps <= self.end and (
            (self.steps - self.begin) % self.every == 0 or self.steps == self.end
        ):
            wanted = cubic_sparsity(self.steps, self.final, self.begin, self.end, self.initial)
            masks = [getattr(module, f"{name}_mask").data for module, name in self.parameters]
            gone = sum(int((each == 0).sum()) for each in masks)
            more = round(wanted * sum(each.size for each in masks)) - gone
            global_unstructured(self.parameters, max(more, 0))

    def state_dict(self) -> dict[str, Any]:  # given
        """{"steps"}; the masks are in the model's state."""
        return {"steps": self.steps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # given
        """Load what `state_dict` gave."""
        self.steps = state_dict["steps"]
