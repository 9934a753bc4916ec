"""How parameters move once their gradients are known.

An update is a plain function on lists of arrays. An optimizer finds the arrays, keeps what has to be remembered
between steps, and calls the update. Nothing here is recorded: updates read and write arrays, never Tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinytorch.dispatch import Array, accelerable
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, tensor

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
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers, strict=True)):
        if weight_decay:
            g = g + weight_decay * p
        if momentum:
            if buffer is None:
                momentum_buffers[i] = buffer = get_array_module(p).array(
                    g, p.dtype
                )  # a copy: g is the caller's
            else:
                buffer[...] = momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * g


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
    beta1, beta2 = betas
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps, strict=True):
        if decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        correction1, correction2 = 1 - beta1**step, 1 - beta2**step
        p -= (lr / correction1) * m / (get_array_module(v).sqrt(v) / math.sqrt(correction2) + eps)


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
    for p, g, v, buffer in zip(params, grads, square_avgs, momentum_buffers, strict=True):
        if weight_decay:
            g = g + weight_decay * p
        v[...] = alpha * v + (1 - alpha) * g * g
        direction = g / (get_array_module(v).sqrt(v) + eps)
        if buffer is not None:
            buffer[...] = momentum * buffer + direction
            direction = buffer
        p -= lr * direction


# Optimizers: who is updated, and what is remembered -----------------------------------------------------


@accelerable
def zeros_like_all(arrays: Arrays) -> Arrays:
    """Zeros for each array, of its shape, dtype and device: every array in the state of an optimizer begins as one.

    They are apart from each other and from `arrays`. Kata 15 lays those of one call side by side in memory.
    """
    return [get_array_module(each).zeros_like(each) for each in arrays]


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
        if isinstance(params, Tensor):  # it could be iterated over, row by row
            raise TypeError(
                f"an optimizer takes a list of Tensors, got one of shape {params.shape}: use [tensor]"
            )
        _check_ordered(params)
        self.defaults = dict(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        groups = list(params)
        if not groups:
            raise ValueError(
                "an optimizer needs parameters, got an empty list: is model.parameters() used up?"
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add a group: a dict with "params" (a Tensor or several) and options, which is not changed.

        Parameters are told apart by identity, because == compares entries. Raises as __init__; nothing is added then.
        """
        _check_ordered(group["params"])
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {each for other in self.param_groups for each in other["params"]}
        for each in params:
            if not isinstance(each, Tensor):
                raise TypeError(f"an optimizer takes Tensors, got {type(each).__name__}")
            if each in known:
                raise ValueError(f"a parameter of shape {each.shape} stands in two places of the optimizer")
            if each.grad_fn is not None:
                raise ValueError(
                    f"an optimizer moves leaves, and the Tensor of shape {each.shape} was computed by {each.grad_fn}"
                )
            known.add(each)
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self) -> None:
        """Set every `.grad` to None: the next backward would add to it."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient. Each subclass writes its own step.

        Raises (before anything moves, in any group):
            ValueError: a gradient has another shape than its parameter; the message names both.
            TypeError: a gradient is not a Tensor; the message names its type.
            NotImplementedError: the subclass has no step; the message names its class.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: state}, "param_groups": [...]} (torch.optim.Optimizer.state_dict).

        Numbers stand for the parameters, counted in order over all groups. Arrays are not copied.
        """
        numbers = {each: n for n, each in enumerate(self._all_params())}
        return {
            "state": {numbers[each]: dict(state) for each, state in self.state.items()},
            "param_groups": [
                {**group, "params": [numbers[each] for each in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take options and state from the `state_dict` of an optimizer whose parameters have the same shapes.

        Arrays are copied, to the dtype and the device of their parameter, into zeros_like_all: those of one name and
        group with one call, in the order of the group's parameters.

        Raises:
            ValueError: the groups have other numbers of parameters; the message names the list of them here and the one
                in the state, as in [2] and [1, 2]. Nothing is changed then.
        """
        given = [len(group["params"]) for group in state_dict["param_groups"]]
        own = [len(group["params"]) for group in self.param_groups]
        if given != own:
            raise ValueError(
                f"the state is for groups of {given} parameters, this optimizer has groups of {own}"
            )
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({name: value for name, value in saved.items() if name != "params"})
        params = self._all_params()
        self.state = {
            params[number]: {name: _copied(value, params[number]) for name, value in saved.items()}
            for number, saved in state_dict["state"].items()
        }
        for group in self.param_groups:
            states = [self.state[each] for each in group["params"] if each in self.state]
            for name in dict.fromkeys(name for state in states for name in state):
                holders = [state for state in states if hasattr(state.get(name), "dtype")]
                for state, zeros in zip(holders, zeros_like_all([s[name] for s in holders]), strict=True):
                    zeros[...] = state[name]
                    state[name] = zeros

    def _all_params(self) -> list[Tensor]:
        return [each for group in self.param_groups for each in group["params"]]

    def _with_gradients(self, group: dict[str, Any]) -> tuple[list[Tensor], Arrays, Arrays]:
        """The group's parameters that have a gradient, their arrays, and their gradients' arrays."""
        params = [each for each in group["params"] if each.grad is not None]
        return params, [each.data for each in params], [_gradient(each) for each in params]

    def _moving(self) -> list[tuple[dict[str, Any], list[Tensor], Arrays, Arrays]]:
        """Each group with what moves in it, as a list: so all gradients are checked before anything moves."""
        return [(group, *self._with_gradients(group)) for group in self.param_groups]

    def _slot(self, params: list[Tensor], name: str) -> Arrays:
        """The arrays called `name` in the states of `params`, zeros at first."""
        new = [each for each in params if name not in self.state.setdefault(each, {})]
        for each, zeros in zip(new, zeros_like_all([each.data for each in new]), strict=True):
            self.state[each][name] = zeros
        return [self.state[each][name] for each in params]


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
        _not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError(f"nesterov needs momentum and no dampening, got {momentum} and {dampening}")
        options = {
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, {"lr": lr, **options})

    def step(self) -> None:
        """One sgd_update for each group; parameters without a gradient are skipped."""
        for group, params, arrays, grads in self._moving():
            buffers = [self.state.get(each, {}).get("momentum_buffer") for each in params]
            options = {k: group[k] for k in ("lr", "momentum", "dampening", "nesterov", "weight_decay")}
            sgd_update(arrays, grads, buffers, **options)
            if group["momentum"]:
                for each, buffer in zip(params, buffers, strict=True):
                    self.state.setdefault(each, {})["momentum_buffer"] = buffer


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
        _not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must lie in [0, 1), got {betas}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def step(self) -> None:
        """One adam_update for each group; parameters without a gradient are skipped and do not count the step."""
        for group, params, arrays, grads in self._moving():
            averages, squares = self._slot(params, "exp_avg"), self._slot(params, "exp_avg_sq")
            for each in params:
                self.state[each]["step"] = self.state[each].get("step", 0) + 1
            steps = [self.state[each]["step"] for each in params]
            options = {k: group[k] for k in ("lr", "betas", "eps", "weight_decay")}
            adam_update(arrays, grads, averages, squares, steps, decoupled=self.decoupled, **options)


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
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        _not_negative(**options)
        super().__init__(params, options)

    def step(self) -> None:
        """One rmsprop_update for each group; parameters without a gradient are skipped."""
        for group, params, arrays, grads in self._moving():
            averages = self._slot(params, "square_avg")
            buffers = self._slot(params, "momentum_buffer") if group["momentum"] else [None] * len(params)
            options = {k: group[k] for k in ("lr", "alpha", "eps", "weight_decay", "momentum")}
            rmsprop_update(arrays, grads, averages, buffers, **options)


def _check_ordered(params: Any) -> None:
    if isinstance(params, (set, frozenset)):
        raise TypeError("an optimizer takes its parameters in an order, got a set: use a list")


def _not_negative(**options: float) -> None:
    for name, value in options.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value}")


def _gradient(parameter: Tensor) -> Array:
    grad = parameter.grad
    if not isinstance(grad, Tensor):
        raise TypeError(f"the gradient of a parameter must be a Tensor, got {type(grad).__name__}")
    if grad.shape != parameter.shape:
        raise ValueError(f"a parameter of shape {parameter.shape} has a gradient of shape {grad.shape}")
    return grad.data


def _copied(value: Any, parameter: Tensor) -> Any:
    """A copy of an array on the device of the parameter; a count stays as it is."""
    return tensor(value, parameter.dtype, parameter.device).data if hasattr(value, "dtype") else value
