"""Forget and compute again: memory for time.

Backward needs what forward computed, and so a deep model keeps everything until then. A checkpoint keeps only what went
into a part of the model, and forgets what the part computed. When backward arrives, the part is computed again, and
its gradients at once: only one part has its values in memory at a time (Chen et al., 2016).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from tinytorch.autograd import Node, backpropagate, edges_to, enable_grad, youngest_first
from tinytorch.dispatch import Array
from tinytorch.setup import Device, default_generator, generators
from tinytorch.tensor import Tensor


def generator_again(device: Device) -> Callable[[], Any]:
    """A function that makes generators which draw what the default generator of `device` will draw from now on.

    For the CPU they are copies of it as it is now (copy.deepcopy). CuPy's cannot be copied: there one draw of it is the
    seed of a new one, which becomes the default generator, and of those that are made.
    """
    generator = default_generator(device)
    if isinstance(generator, np.random.Generator):
        return partial(copy.deepcopy, copy.deepcopy(generator))
    seed = int(generator.integers(2**62))
    make = partial(device.array_module.random.default_rng, seed)
    generators[device] = make()
    return make


@contextmanager
def drawing_from_again(fresh: dict[Device, Any]) -> Iterator[None]:
    """In this block the default generators are those of `fresh`; after it, and after an error, they are as before.

    They stand in kata 01's dict `generators`.
    """
    before = dict(generators)
    generators.update(fresh)
    try:
        yield
    finally:
        generators.clear()
        generators.update(before)


def leaves_below(output: Tensor, older: int = -1) -> list[Tensor]:
    """The leaves that `output` was computed from and that require grad, each once.

    Raises:
        RuntimeError: on the way there is a Node whose number is not above `older`, so a Tensor that the part did not
            compute itself; the message names the Node and says "inputs".
    """
    nodes = youngest_first([output.grad_fn or output])
    for node in nodes:
        if node.number <= older:
            raise RuntimeError(
                f"a checkpoint uses a Tensor that was computed outside of it, by {node}: make it one of its inputs"
            )
    reached = [to for node in nodes for _, to, _, _ in node.edges] if nodes else [output]
    return list(dict.fromkeys(each for each in reached if isinstance(each, Tensor)))


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
    devices = {Device("cpu"), *(each.device for each in inputs if isinstance(each, Tensor))}
    again = {device: generator_again(device) for device in devices}

    def compute() -> tuple[Tensor, list[Any]]:
        fresh = [_leaf(each) if isinstance(each, Tensor) else each for each in inputs]
        return function(*fresh), fresh

    older = Node("begin", None, []).number
    output, fresh = compute()
    if not isinstance(output, Tensor):
        raise TypeError(f"the function of a checkpoint gives a Tensor, got {type(output).__name__}")
    if not output.requires_grad:
        return output
    places = {each: place for place, each in enumerate(fresh) if isinstance(each, Tensor)}
    leaves: list[int | Tensor] = [places.get(each, each) for each in leaves_below(output, older)]

    def rule(grad: Array) -> tuple[Array | None, ...]:
        with enable_grad(), drawing_from_again({device: make() for device, make in again.items()}):
            output, fresh = compute()
        found = backpropagate({output.grad_fn or output: grad}, retain_graph=False)
        return tuple(found.get(fresh[each] if isinstance(each, int) else each) for each in leaves)

    origins = [inputs[each] if isinstance(each, int) else each for each in leaves]
    result = output.detach()
    kept = [each for each in (*inputs, *origins) if isinstance(each, Tensor)]
    result.grad_fn = Node("checkpoint", rule, edges_to(origins), tensors=kept)
    result.requires_grad = True
    return result


def _leaf(tensor: Tensor) -> Tensor:
    leaf = tensor.detach()
    leaf.requires_grad = tensor.requires_grad
    return leaf
