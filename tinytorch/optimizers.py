"""How parameters move once their gradients are known.

An update is a plain function on lists of arrays. An optimizer finds the arrays, keeps what has to be remembered
between steps, and calls the update. Nothing here is recorded: updates read and write arrays, never Tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinytorch.dispatch import Array, accelerable

Arrays = list[Array]


# Updates: the mathematics, in place, on arrays ----------------------------------------------------------


@accelerable
def sgd_update(
    params: Arrays,
    grads: Arrays,
    momentum_buffers: list[Array | None],
    *,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """Stochastic gradient descent, in place (torch.optim.SGD; Sutskever et al., 2013).

    g = grad + weight_decay * p;  with momentum: buf = momentum * buf + (1 - dampening) * g, where the first buf
    is g itself, and g becomes buf, or g + momentum * buf with nesterov;  p -= lr * g.
    Write into the arrays themselves. Only in `momentum_buffers` a new array is put into the list, in the parameter's
    dtype, where an entry is None, as all are before the first step.
    """
    raise NotImplementedError("kata 06: sgd_update")


@accelerable
def adam_update(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    steps: list[int],
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Adam, in place (torch.optim.Adam; Kingma and Ba, 2015).

    `steps` has the number of steps of each parameter, this one counted.
    m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g * g;
    p -= lr * (m / (1 - beta1**step)) / (sqrt(v / (1 - beta2**step)) + eps).
    Weight decay is added to g, or, `decoupled`, shrinks p first: p *= 1 - lr * weight_decay (AdamW;
    Loshchilov and Hutter, 2019).
    Write into the arrays themselves (m[...] = ...): a new array that is put into the list would be lost.
    """
    raise NotImplementedError("kata 06: adam_update")


@accelerable
def rmsprop_update(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    momentum_buffers: Sequence[Array | None],
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> None:
    """RMSprop, in place (torch.optim.RMSprop; Tieleman and Hinton, 2012).

    g = grad + weight_decay * p;  v = alpha * v + (1 - alpha) * g * g;  d = g / (sqrt(v) + eps);
    with momentum: d = buf = momentum * buf + d, where the first buf is 0;  p -= lr * d.
    `momentum_buffers` holds None where there is no momentum.
    Write into the arrays themselves (v[...] = ...): a new array that is put into the list would be lost.
    """
    raise NotImplementedError("kata 06: rmsprop_update")


# Optimizers: who is updated, and what is remembered -----------------------------------------------------


@accelerable
def zeros_like_all(arrays: Arrays) -> Arrays:
    """Zeros for each array, of its shape, dtype and device: every array in the state of an optimizer begins as one.

    They are apart from each other and from `arrays`. Kata 15 lays those of one call side by side in memory.
    """
    raise NotImplementedError("kata 06: zeros_like_all")


class Optimizer:
    """Groups of parameters with their options, and the state of each parameter (torch.optim.Optimizer).

    `param_groups` is a list of dicts: "params", a list of Tensors, and an entry for each option; what a group
    leaves out comes from `defaults`. `state` maps a parameter to its dict. Subclasses write `step`.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        """`params`: Tensors, or dicts with "params" and options of their own.

        Raises:
            ValueError: there is no parameter, one stands in two places, or one was computed, so that backward gives it
                no gradient; the message names its shape.
            TypeError: one is not a Tensor; the message names its type. Or `params` is a single Tensor and not a list of
                some; the message names its shape. Or it is a "set", which has no order by which a state could be found
                again.
        """
        raise NotImplementedError("kata 06: Optimizer.__init__")

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add a group: a dict with "params" (a Tensor or several) and options, which is not changed.

        Parameters are told apart by identity, because == compares entries. Raises as __init__; nothing is added then.
        """
        raise NotImplementedError("kata 06: Optimizer.add_param_group")

    def zero_grad(self) -> None:
        """Set every `.grad` to None: the next backward would add to it."""
        raise NotImplementedError("kata 06: Optimizer.zero_grad")

    def step(self) -> None:
        """Move every parameter that has a gradient. Each subclass writes its own step.

        Raises (before anything moves, in any group):
            ValueError: a gradient has another shape than its parameter; the message names both.
            TypeError: a gradient is not a Tensor; the message names its type.
            NotImplementedError: the subclass has no step; the message names its class.
        """
        raise NotImplementedError("kata 06: Optimizer.step")

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: state}, "param_groups": [...]} (torch.optim.Optimizer.state_dict).

        Numbers stand for the parameters, counted in order over all groups. Arrays are not copied.
        """
        raise NotImplementedError("kata 06: Optimizer.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take options and state from the `state_dict` of an optimizer whose parameters have the same shapes.

        Arrays are copied, to the dtype and the device of their parameter, into zeros_like_all: those of one name and
        group with one call, in the order of the group's parameters.

        Raises:
            ValueError: the groups have other numbers of parameters; the message names the list of them here and the one
                in the state, as in [2] and [1, 2]. Nothing is changed then.
        """
        raise NotImplementedError("kata 06: Optimizer.load_state_dict")


class SGD(Optimizer):
    """sgd_update as an optimizer (torch.optim.SGD).

    Raises:
        ValueError: lr, momentum or weight_decay is negative; the message names its name and the number. Or nesterov is
            set without momentum or with dampening; it holds "nesterov".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        raise NotImplementedError("kata 06: SGD.__init__")

    def step(self) -> None:
        """One sgd_update for each group; parameters without a gradient are skipped."""
        raise NotImplementedError("kata 06: SGD.step")


class Adam(Optimizer):
    """adam_update as an optimizer (torch.optim.Adam).

    Raises:
        ValueError: lr, eps or weight_decay is negative; the message names its name and the number. Or a beta is not in
            [0, 1); it holds the beta.
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        raise NotImplementedError("kata 06: Adam.__init__")

    def step(self) -> None:
        """One adam_update for each group; parameters without a gradient are skipped and do not count the step."""
        raise NotImplementedError("kata 06: Adam.step")


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 by default (torch.optim.AdamW)."""

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:  # given
        super().__init__(params, lr, betas, eps, weight_decay)


class RMSprop(Optimizer):
    """rmsprop_update as an optimizer (torch.optim.RMSprop).

    Raises:
        ValueError: lr, alpha, eps, weight_decay or momentum is negative; the message names its name and the number.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        raise NotImplementedError("kata 06: RMSprop.__init__")

    def step(self) -> None:
        """One rmsprop_update for each group; parameters without a gradient are skipped."""
        raise NotImplementedError("kata 06: RMSprop.step")
