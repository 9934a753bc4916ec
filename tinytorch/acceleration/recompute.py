"""Forget and compute again: memory for time.

Backward needs what forward computed, and so a deep model keeps everything until then. A checkpoint keeps only what went
into a part of the model, and forgets what the part computed. When backward arrives, the part is computed again, and
its gradients at once: only one part has its values in memory at a time (Chen et al., 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tinytorch.setup import Device
from tinytorch.tensor import Tensor


def generator_again(device: Device) -> Callable[[], Any]:
    """A function that makes generators which draw what the default generator of `device` will draw from now on.

    For the CPU they are copies of it as it is now (copy.deepcopy). CuPy's cannot be copied: there one draw of it is the
    seed of a new one, which becomes the default generator, and of those that are made.
    """
    raise NotImplementedError("kata 15: generator_again")


@contextmanager
def drawing_from_again(fresh: dict[Device, Any]) -> Iterator[None]:
    """In this block the default generators are those of `fresh`; after it, and after an error, they are as before.

    They stand in kata 01's dict `generators`.
    """
    raise NotImplementedError("kata 15: drawing_from_again")


def leaves_below(output: Tensor, older: int = -1) -> list[Tensor]:
    """The leaves that `output` was computed from and that require grad, each once.

    Raises:
        RuntimeError: on the way there is a Node whose number is not above `older`, so a Tensor that the part did not
            compute itself; the message names the Node and says "inputs".
    """
    raise NotImplementedError("kata 15: leaves_below")


def checkpoint(function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """function(*inputs), of which only the inputs are kept for backward (torch.utils.checkpoint.checkpoint).

    Value and gradients are as without it, those of the parameters that `function` uses included. `function` is called
    once more when backward arrives, with copies of the inputs that are leaves, and draws the same random numbers again,
    those of the CPU and of the devices of the inputs; what else it does, such as a batch norm that moves its averages,
    it does twice. Without recording it is called once.

    Raises:
        RuntimeError: `function` uses a Tensor that requires grad, was computed and is not among the inputs: the message
            names the Node and says "inputs". Or, at backward, an input or a parameter was changed "in place" since.
        TypeError: `function` gives no Tensor; the message names the type.
    """
    raise NotImplementedError("kata 15: checkpoint")
