"""What mistakes in kata 19 look like from outside. `make hunt N=19` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import benchmarking as b
from tinytorch.tensor import Tensor


class Ticks:
    """A clock that goes on by one second whenever a function works or somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def work(self) -> None:
        self.calls += 1
        self.now += 5.0 if self.calls == 1 else 1.0


def in_words() -> None:
    """Six times in words."""
    print([b.format_time(each) for each in (1234.0, 1.0, 0.9996, 0.25, 0.0123, 4.56e-8)])


def first_call() -> None:
    """The seconds of a call that takes 5 s the first time and 1 s from then on, by Timer.timeit(4)."""
    clock = Ticks()
    print(f"{b.Timer(clock.work, timer=clock).timeit(4).median:.2f}")


def how_often() -> None:
    """How often a function is called to time 10 calls."""
    clock = Ticks()
    b.time_calls(clock.work, 10, clock)
    print(clock.calls)


def disturbed() -> None:
    """How many times faster a function became that took 2 s and takes 1 s, where one round of 20 was disturbed."""
    before, after = np.full(20, 2.0), np.full(20, 1.0)
    before[3] = 200.0
    found = b.compare(before, after)
    print(f"{found.ratio:.2f}, {found.verdict}")


def noise() -> None:
    """Twelve rounds of two functions whose times vary by half: is one faster?"""
    rng = np.random.default_rng(0)
    found = b.compare(1.1 + rng.random(12), 1 + rng.random(12))
    print(f"{found.ratio:.2f} times, between {found.low:.2f} and {found.high:.2f}: {found.verdict}")


def slowing_down() -> None:
    """A function that takes half of the time of another, on a machine that slows down all the while."""
    rounds = np.arange(1, 21)
    found = b.compare(2.0 * rounds, 1.0 * rounds)
    print(f"{found.ratio:.2f} times, between {found.low:.2f} and {found.high:.2f}")


def operations() -> None:
    """The additions and multiplications of (10, 20) @ (20, 30), and the bytes that it moves, in float32."""
    x, y = Tensor(np.ones((10, 20), np.float32)), Tensor(np.ones((20, 30), np.float32))
    found = b.count(lambda: x @ y)
    print(found.flops, found.bytes)


def shared_out() -> None:
    """The samples of ten that each of three processes reads."""
    for rank in range(3):
        print(list(b.DistributedSampler(range(10), 3, rank, shuffle=False)))


def epochs() -> None:
    """The orders of two epochs in one of two processes."""
    sampler = b.DistributedSampler(range(12), 2, 0)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        print(list(sampler))


HUNTS = {
    "rounds_after_the_unit": in_words,
    "does_not_warm_up": first_call,
    "times_one_call": how_often,
    "the_mean_of_the_ratios": disturbed,
    "the_ratio_decides": noise,
    "rounds_do_not_belong_together": slowing_down,
    "counts_multiplications_only": operations,
    "only_reads": operations,
    "blocks_for_turns": shared_out,
    "every_epoch_alike": epochs,
}
