"""PyTorch's order of the operations, averages that go a part of the way, parameters told apart by `id`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinytorch.dispatch import Array, accelerable
from tinytorch.optimizers import zeros_like_all
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor

Arrays = list[Array]


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
    """In place wherever it can be, as PyTorch: the buffer is multiplied, then added to. Fewer arrays, more
    lines.
    """
    for place, (p, g) in enumerate(zip(params, grads, strict=True)):
        direction = g + weight_decay * p if weight_decay != 0 else g
        if momentum != 0:
            buffer = momentum_buffers[place]
            if buffer is None:
                buffer = momentum_buffers[place] = get_array_module(p).zeros_like(p)
                buffer += direction
            else:
                buffer *= momentum
                buffer += direction * (1 - dampening)
            direction = direction + buffer * momentum if nesterov else buffer
        p += direction * -lr


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
    """Averages go a part of the way (`lerp`), and both corrections become one step size: PyTorch's form, in
    other roundings.
    """
    for i in range(len(params)):
        p, m, v = params[i], exp_avgs[i], exp_avg_sqs[i]
        g = grads[i]
        if weight_decay and decoupled:
            p -= lr * weight_decay * p
        elif weight_decay:
            g = g + p * weight_decay
        m += (g - m) * (1 - betas[0])
        v *= betas[1]
        v += (1 - betas[1]) * (g * g)
        step_size = lr / (1 - betas[0] ** steps[i])
        root = math.sqrt(1 - betas[1] ** steps[i])
        denominator = get_array_module(v).sqrt(v)
        denominator /= root
        denominator += eps
        p -= step_size * (m / denominator)


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
    """`out=` everywhere: each operation names the array that it writes, and one array is made a parameter."""
    for p, g, v, buffer in zip(params, grads, square_avgs, momentum_buffers, strict=True):
        xp = get_array_module(p)
        g = g + weight_decay * p if weight_decay else g
        work = xp.multiply(g, g)
        work *= 1 - alpha
        xp.multiply(v, alpha, out=v)
        xp.add(v, work, out=v)
        work = xp.sqrt(v)
        work += eps
        work = xp.divide(g, work)
        if buffer is not None:
            xp.multiply(buffer, momentum, out=buffer)
            xp.add(buffer, work, out=buffer)
            work = buffer
        p -= work * lr


class Optimizer:
    def add_param_group(self, group: dict[str, Any]) -> None:
        """Known parameters are told apart by `id`, and the group is complete before it is added."""
        params = group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, (set, frozenset)):
            raise TypeError("a set has no order: give a list of Tensors")
        params = list(params)
        known = [id(each) for each in self._each_param()]
        for each in params:
            if not isinstance(each, Tensor):
                raise TypeError(f"{type(each).__name__} is no Tensor")
            if each.grad_fn is not None:
                raise ValueError(f"a Tensor of shape {each.shape} is no leaf: it was computed")
            if id(each) in known:
                raise ValueError(f"a parameter of shape {each.shape} is there twice")
            known.append(id(each))
        complete = {"params": params}
        for name, default in self.defaults.items():
            complete[name] = group.get(name, default)
        for name in group.keys() - complete.keys():
            complete[name] = group[name]
        self.param_groups.append(complete)

    def _each_param(self) -> Iterable[Tensor]:
        for group in self.param_groups:
            yield from group["params"]

    def zero_grad(self) -> None:
        """One loop over all groups: a generator hides that there are several."""
        for each in self._each_param():
            each.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Numbers are handed out while the groups are walked, as PyTorch does it: by `id`, first come first
        served.
        """
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = dict(group)
            packed["params"] = [numbers.setdefault(id(each), len(numbers)) for each in group["params"]]
            groups.append(packed)
        state = {}
        for each, own in self.state.items():
            state[numbers[id(each)]] = {**own}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """From the groups of here to their numbers there: one dict, and each value is copied where it is
        met.
        """
        theirs = state_dict["param_groups"]
        sizes = [[len(each["params"]) for each in groups] for groups in (self.param_groups, theirs)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"{sizes[1]} parameters in the groups of the state, {sizes[0]} here")
        mine = {}
        for group, saved in zip(self.param_groups, theirs, strict=True):
            mine |= dict(zip(saved["params"], group["params"], strict=True))
            for name in saved:
                if name != "params":
                    group[name] = saved[name]
        self.state = {mine[number]: dict(own) for number, own in state_dict["state"].items()}
        for group in self.param_groups:
            for name in {name: 0 for each in group["params"] for name in self.state.get(each, {})}:
                having = [
                    each for each in group["params"] if hasattr(self.state.get(each, {}).get(name), "dtype")
                ]
                for each, empty in zip(having, zeros_like_all([p.data for p in having]), strict=True):
                    value = Tensor(self.state[each][name]).to(dtype=each.dtype, device=each.device)
                    empty += value.data.reshape(empty.shape)
                    self.state[each][name] = empty


class SGD:
    def step(self) -> None:
        """All groups are looked at before any is moved, in a loop of its own: two short loops for a long
        one.
        """
        moving = []
        for group in self.param_groups:
            having = [each for each in group["params"] if each.grad is not None]
            for each in having:
                if not isinstance(each.grad, Tensor):
                    raise TypeError(f"a gradient of type {type(each.grad).__name__}")
                if each.grad.shape != each.shape:
                    raise ValueError(f"gradient {each.grad.shape} for a parameter of shape {each.shape}")
            moving.append((group, having))
        for group, having in moving:
            buffers = [
                self.state[each].get("momentum_buffer") if each in self.state else None for each in having
            ]
            sgd_update(
                [each.data for each in having],
                [each.grad.data for each in having],
                buffers,
                lr=group["lr"],
                momentum=group["momentum"],
                dampening=group["dampening"],
                nesterov=group["nesterov"],
                weight_decay=group["weight_decay"],
            )
            for each, buffer in zip(having, buffers, strict=True):
                if buffer is not None:
                    self.state.setdefault(each, {})["momentum_buffer"] = buffer


class Adam:
    def step(self) -> None:
        """The state of a parameter is made in one place when it is first met, as in PyTorch, and then only
        read.
        """
        moving = [(group, self._checked(group["params"])) for group in self.param_groups]
        for group, having in moving:
            new = [each for each in having if not self.state.get(each)]
            averages, squares = (zeros_like_all([each.data for each in new]) for _ in range(2))
            for each, m, v in zip(new, averages, squares, strict=True):
                self.state[each] = {"step": 0, "exp_avg": m, "exp_avg_sq": v}
            states = [self.state[each] for each in having]
            for each in states:
                each["step"] += 1
            adam_update(
                [each.data for each in having],
                [each.grad.data for each in having],
                *([each[name] for each in states] for name in ("exp_avg", "exp_avg_sq", "step")),
                lr=group["lr"],
                betas=group["betas"],
                eps=group["eps"],
                weight_decay=group["weight_decay"],
                decoupled=self.decoupled,
            )

    def _checked(self, params: list[Tensor]) -> list[Tensor]:
        having = [each for each in params if each.grad is not None]
        for each in having:
            if not isinstance(each.grad, Tensor):
                raise TypeError(f"a gradient is a Tensor, not a {type(each.grad).__name__}")
            if each.grad.shape != each.shape:
                raise ValueError(f"shapes {each.shape} and {each.grad.shape} of a parameter and its gradient")
        return having
