"""What mistakes in kata 06 look like from outside. `make hunt N=6` plants one of them in a copy of your code."""

from collections.abc import Callable

from tinytorch.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from tinytorch.tensor import Tensor, tensor


def walk(make: Callable[[Tensor], Optimizer], steps: int, scale: float = 1.0) -> list[float]:
    """The places of one number on its way down scale * x * x / 2, from 10."""
    x = tensor([10.0], requires_grad=True)
    optimizer = make(x)
    places = []
    for _ in range(steps):
        places.append(round(x.item(), 4))
        x.grad = Tensor(scale * x.data)
        optimizer.step()
    return places


def parabola() -> None:
    """The way of SGD down a parabola, from 10."""
    print(walk(lambda x: SGD([x], lr=0.3), 6))


def ball() -> None:
    """The way of a ball with momentum 0.9 down a parabola, from 10: it comes to the other side."""
    print(walk(lambda x: SGD([x], lr=0.1, momentum=0.9), 10))


def looking_ahead() -> None:
    """The same with Nesterov's momentum, which swings less."""
    print(walk(lambda x: SGD([x], lr=0.1, momentum=0.9, nesterov=True), 10))


def first_steps() -> None:
    """The first steps of Adam with lr=0.5: each is as long as the rate, however steep it is."""
    for steep in (0.01, 1.0, 100.0):
        print(f"steepness {steep:g}:", walk(lambda x: Adam([x], lr=0.5), 4, steep))


def shrinking() -> None:
    """What weight decay alone leaves of 10 under AdamW with lr=0.1 and weight_decay=0.5."""
    print(walk(lambda x: AdamW([x], lr=0.1, weight_decay=0.5), 5, 0.0))


def gentle() -> None:
    """The first steps of RMSprop with lr=0.1 where the slope is nearly 0."""
    print(walk(lambda x: RMSprop([x], lr=0.1), 4, 1e-6))


def two_parameters() -> None:
    """Two numbers under Adam, one on a steep slope and one on a flat one."""
    both = [tensor([10.0], requires_grad=True) for _ in range(2)]
    optimizer = Adam(both, lr=0.5)
    for _ in range(5):
        print([round(each.item(), 3) for each in both])
        for each, steep in zip(both, (100.0, 0.01), strict=True):
            each.grad = Tensor(steep * each.data)
        optimizer.step()


def two_groups() -> None:
    """The gradients of two groups after zero_grad."""
    both = [tensor([1.0], requires_grad=True) for _ in range(2)]
    optimizer = SGD([{"params": [both[0]]}, {"params": [both[1]], "lr": 0.1}], lr=1.0)
    for each in both:
        each.grad = Tensor(each.data)
    optimizer.zero_grad()
    print([each.grad for each in both])


def slow_group() -> None:
    """One step of two numbers with slope 1: the rate is 0.5 for one group and 0.001 for the other."""
    both = [tensor([1.0], requires_grad=True) for _ in range(2)]
    optimizer = SGD([{"params": [both[0]]}, {"params": [both[1]], "lr": 0.001}], lr=0.5)
    for each in both:
        each.grad = Tensor(each.data * 0 + 1)
    optimizer.step()
    print([round(each.item(), 4) for each in both])


HUNTS = {
    "sgd_rebinds": parabola,
    "momentum_is_not_kept": ball,
    "nesterov_looks_back": looking_ahead,
    "adam_without_correction": first_steps,
    "adamw_decays_without_lr": shrinking,
    "rmsprop_eps_inside_the_root": gentle,
    "adam_has_one_state_for_a_group": two_parameters,
    "zero_grad_of_the_first_group": two_groups,
    "options_come_from_the_defaults": slow_group,
}
