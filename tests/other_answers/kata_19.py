"""Loops without numbers, quantiles by sorting, intervals by bisection, rooflines by the ridge, endless orders."""

from __future__ import annotations

import bisect
import gc
import itertools
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch.benchmarking.comparing import MIN_ROUNDS, Comparison
from tinytorch.benchmarking.limits import Roofline
from tinytorch.benchmarking.profiler import Row
from tinytorch.dispatch import Array, wrap
from tinytorch.setup import matmul_flops
from tinytorch.tensor import Tensor


def time_calls(
    function: Callable[[], Any], number: int, timer: Callable[[], float] = time.process_time
) -> float:
    """The loop is itertools' `repeat`, as in Python's own timeit: it makes no numbers, and so costs less a
    call.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        calls = itertools.repeat(None, number)
        begin = timer()
        for _ in calls:
            function()
        end = timer()
    finally:
        if before:
            gc.enable()
    return end - begin


def format_time(seconds: float) -> str:
    """Rounded by a format with an exponent, whose power of ten says which unit it is."""
    if not seconds:
        return "0 ns"
    digits, power = f"{seconds:.2e}".split("e")
    group = min(max((2 - int(power)) // 3, 0), 3)
    value = float(digits) * 10.0 ** (int(power) + 3 * group)
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return f"{float(f'{float(text):.3g}'):.15g} {('s', 'ms', 'us', 'ns')[group]}"


class Measurement:
    @property
    def median(self) -> float:
        """The library of Python has it: the middle of the sorted times, or the mean of the two in the
        middle.
        """
        return float(statistics.median(self.times.tolist()))

    @property
    def iqr(self) -> float:
        """Both quartiles by hand: a place among the sorted times, and the share of the way to the next one."""
        ordered = sorted(self.times.tolist())

        def quantile(share: float) -> float:
            whole, part = divmod(share * (len(ordered) - 1), 1)
            low = ordered[int(whole)]
            return low + part * (ordered[min(int(whole) + 1, len(ordered) - 1)] - low)

        return quantile(0.75) - quantile(0.25)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Running sums of a row of Pascal's triangle, as whole numbers, and the place is found by bisection."""
        ordered = sorted(self.times.tolist())
        n = len(ordered)
        heads = list(itertools.accumulate(math.comb(n, k) for k in range((n + 1) // 2)))
        k = max(bisect.bisect_right(heads, (1 - confidence) / 2 * 2**n) - 1, 0)
        return ordered[k], ordered[n - 1 - k]


def bootstrap(
    sample: Sequence[float] | Array,
    statistic: Callable[..., Any] = np.median,
    confidence: float = 0.95,
    resamples: int = 1000,
    generator: np.random.Generator | None = None,
) -> tuple[float, float]:
    """`choice` draws the experiments, and `quantile` cuts both tails off."""
    values = np.array(sample, dtype=float)
    if not values.size:
        raise ValueError("an empty sample")
    if confidence <= 0 or confidence >= 1:
        raise ValueError(f"a confidence of {confidence}")
    draw = np.random.default_rng(0) if generator is None else generator
    found = statistic(draw.choice(values, size=(resamples, values.size)), axis=1)
    tail = (1 - confidence) / 2
    return float(np.quantile(found, tail)), float(np.quantile(found, 1 - tail))


def compare(
    before: Sequence[float] | Array,
    after: Sequence[float] | Array,
    confidence: float = 0.95,
    margin: float = 0.02,
    generator: np.random.Generator | None = None,
) -> Comparison:
    """Differences of logarithms, and not logarithms of quotients: nothing can overflow."""
    a, b = [float(each) for each in before], [float(each) for each in after]
    if len(a) != len(b) or len(a) < MIN_ROUNDS:
        raise ValueError(f"{len(a)} and {len(b)} rounds, of {MIN_ROUNDS} at least")
    for each in (*a, *b):
        if not each > 0:
            raise ValueError(f"a time of {each}")
    gains = np.array([math.log(x) - math.log(y) for x, y in zip(a, b, strict=True)])
    interval = bootstrap(gains, np.median, confidence, generator=generator)
    ratio, low, high = (math.exp(each) for each in (statistics.median(gains.tolist()), *interval))
    return Comparison(ratio, low, high, margin)


def flops(event: Any, result: Any) -> int:
    """The sides of each product that is made are written down, and one line multiplies them."""
    if event.name != "bmm":
        return 0
    if event.kind == "primitive":
        a, b = event.args[-2], event.args[-1]
        made, times = result, 1
    elif event.kind == "rule":
        made, a, b = event.args[:3]
        times = len([each for each in result if each is not None])
    else:
        return 0
    pairs = int(np.prod(made.shape[:-2], dtype=int))
    return times * pairs * matmul_flops(a.shape[-2], a.shape[-1], b.shape[-1])


def roofline(flops: int, nbytes: int, seconds: float, peak_gflops: float, peak_bandwidth: float) -> Roofline:
    """The ridge decides: the intensity at which arithmetic and memory take equally long. What is above it
    computes.
    """
    numbers = {
        "seconds": seconds,
        "peak_gflops": peak_gflops,
        "peak_bandwidth": peak_bandwidth,
        "nbytes": nbytes,
    }
    if (
        nbytes < 1
        or not min(seconds, peak_gflops, peak_bandwidth) > 0
        or any(x != x for x in numbers.values())
    ):
        raise ValueError(", ".join(f"{name}={value}" for name, value in numbers.items()))
    intensity = flops / nbytes
    bound = "compute" if intensity >= peak_gflops / peak_bandwidth else "memory"
    reached = min(peak_gflops, intensity * peak_bandwidth)  # billions of operations a second, at best
    least = flops / (reached * 1e9) if reached else nbytes / (peak_bandwidth * 1e9)
    return Roofline(intensity, bound, least, least / seconds)


class DistributedSampler:
    def __iter__(self) -> Iterator[int]:
        """The order goes round and round, `islice` takes as many as all need, and every one takes its own:
        no array is repeated.
        """
        n = len(self.dataset)
        order = range(n)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(n).tolist()
        endless = itertools.islice(itertools.cycle(order), len(self) * self.num_replicas)
        return itertools.islice(endless, self.rank, None, self.num_replicas)


def average_gradients(parameters: Iterable[Tensor], group: Any) -> None:
    """One long array is made first, and each parameter has a view of it: what is summed there is its
    gradient.
    """
    learned = [each for each in parameters if each.requires_grad]
    if not learned:
        return
    dtype = np.result_type(*(each.dtype for each in learned))
    flat = np.zeros(sum(each.data.size for each in learned), dtype)
    views, start = [], 0
    for each in learned:
        views.append(flat[start : start + each.data.size].reshape(each.shape))
        if each.grad is not None:
            views[-1][...] = each.grad.data
        start += each.data.size
    group.all_reduce(flat)
    for each, view in zip(learned, views, strict=True):
        each.grad = wrap((view / group.world_size).astype(each.dtype))


def ring_steps(rank: int, world_size: int) -> list[int]:
    """One step back each time, all around: the second round begins one piece further."""
    pieces = []
    for start in (rank - 1, rank):
        piece = start
        for _ in range(world_size - 1):
            pieces.append(piece % world_size)
            piece -= 1
    return pieces


class profile:
    def key_averages(self) -> list[Any]:
        """Sums grow in a dict of lists while the records are read: one pass."""
        sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0, 0])
        for record in self.records:
            total = sums[record.name, record.kind]
            for place, value in enumerate((1, record.own, record.seconds, record.flops, record.bytes)):
                total[place] += value
        rows = [Row(*key, *total) for key, total in sums.items()]
        rows.sort(key=lambda row: -row.own)
        return rows
