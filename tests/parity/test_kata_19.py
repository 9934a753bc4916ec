"""Kata 19 beside PyTorch and SciPy: timers, intervals, counts, profiles, and processes that average gradients."""

from __future__ import annotations

import json
import statistics
import time
from multiprocessing import Pipe

import numpy as np
import pytest
import scipy.stats
import torch
from torch.utils import benchmark as theirs
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DistributedSampler
from torch.utils.flop_counter import FlopCounterMode

from dojo.run.process import can_fork
from dojo.spec.child import in_child
from tests.parity.beside import drawn
from tinytorch import benchmarking as ours
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.dataloader import TensorDataset
from tinytorch.dispatch import Event
from tinytorch.layers import Linear, Sequential
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.spatial import conv2d
from tinytorch.tensor import Tensor

forks = pytest.mark.skipif(not can_fork(), reason="this system has no fork")


# Time ---------------------------------------------------------------------------------------------------


def machine(seconds):
    """A function that takes this long by a clock of its own."""
    now = [0.0]

    def function():
        now[0] += seconds

    return function, lambda: now[0]


def test_a_block():
    (mine, clock), (other, timer) = machine(0.25), machine(0.25)
    expected = theirs.Timer("f()", globals={"f": other}, timer=timer).timeit(8)
    found = ours.Timer(mine, timer=clock).timeit(8)
    assert (found.number_per_run, list(found.raw_times)) == (expected.number_per_run, expected.raw_times)
    assert ours.time_calls(mine, 8, clock) == expected.raw_times[0]


def test_blocks():
    (mine, clock), (other, timer) = machine(0.004), machine(0.004)
    expected = theirs.Timer("f()", globals={"f": other}, timer=timer).blocked_autorange(min_run_time=1.0)
    found = ours.Timer(mine, timer=clock).blocked_autorange(min_run_time=1.0)
    assert sum(found.raw_times) >= 1 and sum(expected.raw_times) >= 1
    np.testing.assert_allclose(found.median, expected.median)
    assert ours.calls_per_block(mine, 1 / 20, clock) == found.number_per_run


def test_measurement():
    random = np.random.default_rng(0)
    for n in (1, 2, 5, 40):
        raw = random.pareto(2.0, n) + 1
        spec = theirs.utils.common.TaskSpec("f()", "pass")
        expected = theirs.Measurement(7, list(raw), spec)
        found = ours.Measurement(7, tuple(raw))
        np.testing.assert_allclose(found.times, expected.times)
        np.testing.assert_allclose([found.median, found.iqr], [expected.median, expected.iqr], rtol=1e-6)


@pytest.mark.parametrize("seconds", [3.0, 0.02, 4e-5, 5e-8])
def test_units(seconds):
    unit, size = theirs.utils.common.select_unit(seconds)
    assert ours.format_time(seconds) == f"{seconds / size:.3g} {unit}"


@pytest.mark.parametrize("n", [6, 9, 25, 60])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_interval(n, confidence):
    times = np.random.default_rng(n).exponential(size=n)
    expected = scipy.stats.quantile_test(times, p=0.5).confidence_interval(confidence)
    found = ours.Measurement(1, tuple(times)).interval(confidence)
    if np.isnan(expected.low):  # SciPy gives nothing where the whole range is too narrow
        assert found == (times.min(), times.max())
    else:
        np.testing.assert_allclose(found, (expected.low, expected.high))


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_bootstrap(statistic):
    sample = np.random.default_rng(3).exponential(size=60)
    expected = scipy.stats.bootstrap(
        (sample,), statistic, method="percentile", n_resamples=20_000, rng=np.random.default_rng(4)
    ).confidence_interval
    found = ours.bootstrap(sample, statistic, resamples=20_000)
    np.testing.assert_allclose(found, (expected.low, expected.high), rtol=0.02)


def test_compare():
    random = np.random.default_rng(5)
    before, after = 1.3 * random.lognormal(0, 0.1, 30), random.lognormal(0, 0.1, 30)
    found = ours.compare(before, after)
    expected = scipy.stats.bootstrap(
        (np.log(before / after),), np.median, method="percentile", rng=np.random.default_rng(6)
    ).confidence_interval
    np.testing.assert_allclose([found.low, found.high], np.exp([expected.low, expected.high]), rtol=0.02)
    assert found.verdict == "faster" and scipy.stats.wilcoxon(before, after).pvalue < 0.05


def test_alternate():
    slow, fast = torch.ones(200, 200), torch.ones(100, 100)
    before, after = ours.alternate(
        lambda: slow @ slow, lambda: fast @ fast, rounds=8, timer=time.process_time
    )
    assert statistics.median(before) > statistics.median(after)


# Counts -------------------------------------------------------------------------------------------------

CASES = {
    "linear": (lambda x, w: x @ w, lambda x, w: x @ w, [(7, 5), (5, 3)]),
    "stacks": (lambda x, w: x @ w, lambda x, w: x @ w, [(2, 3, 7, 5), (2, 3, 5, 4)]),
    "convolution": (
        lambda x, w: conv2d(x, w, padding=1),
        lambda x, w: torch.nn.functional.conv2d(x, w, padding=1),
        [(2, 3, 8, 6), (4, 3, 3, 3)],
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backward", [False, True])
def test_flops(name, backward):
    mine, other, shapes = CASES[name]
    arrays = drawn(*shapes)
    with FlopCounterMode(display=False) as counter:
        out = other(*(torch.tensor(each, requires_grad=True) for each in arrays))
        if backward:
            out.sum().backward()
    tensors = [Tensor(each, requires_grad=True) for each in arrays]

    def step():
        out = mine(*tensors)
        if backward:
            out.sum().backward()

    assert ours.count(step).flops == counter.get_total_flops()


def test_flops_of_attention():
    arrays = drawn((2, 2, 5, 4), (2, 2, 7, 4), (2, 2, 7, 4))
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        torch.nn.functional.scaled_dot_product_attention(*map(torch.tensor, arrays))
    found = ours.count(lambda: scaled_dot_product_attention(*map(Tensor, arrays)))
    assert found.flops == counter.get_total_flops()


class Bytes(TorchDispatchMode):
    """Adds up the bytes of the Tensors that operations take and give."""

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [each for each in args if torch.is_tensor(each)]
        if out.data_ptr() not in [each.data_ptr() for each in tensors]:
            self.total += sum(each.nbytes for each in (*tensors, out))
        return out


def test_bytes_moved():
    arrays = drawn((7, 5), (5, 3), (3,))
    x, w, b = map(torch.tensor, arrays)
    with Bytes() as counter:
        (((x @ w) + b).exp() * 2.0).view(-1)
    x, w, b = map(Tensor, arrays)
    assert ours.count(lambda: (((x @ w) + b).exp() * 2.0).reshape(-1)).bytes == counter.total
    add = Event("primitive", "add", (arrays[0], 1.0), {})
    assert ours.bytes_moved(add, arrays[0] + 1) == 2 * arrays[0].nbytes and ours.flops(add, arrays[0]) == 0


def test_observing():
    names = []

    def observer(event, run):
        names.append(event.name)
        return run()

    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            expected.append(func.overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    expected = []
    mine, other = Tensor(np.ones(3)), torch.ones(3)
    with ours.observing(observer):
        mine.exp() + mine
    with Names():
        other.exp() + other
    assert names == expected


def test_profile(tmp_path):
    other, mine = torch.ones(20, 20), Tensor(np.ones((20, 20), np.float32))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as p:
        for _ in range(3):
            torch.bmm(other[None], other[None]).exp()
    with ours.profile() as q:
        for _ in range(3):
            (mine[None] @ mine[None]).exp()
    calls = {row.key.removeprefix("aten::"): row.count for row in p.key_averages()}
    for row in q.key_averages():
        if row.name in ("bmm", "exp"):
            assert row.calls == calls[row.name]
    for text in (p.key_averages().table(), q.table()):
        assert "bmm" in text and "exp" in text
    kept = []
    for each, name in ((p, "theirs"), (q, "ours")):
        each.export_chrome_trace(str(tmp_path / name))
        events = json.loads((tmp_path / name).read_text())["traceEvents"]
        kept.append(next(e for e in events if e["name"].endswith("bmm") and e["ph"] == "X"))
    assert {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"} <= set(kept[0]) & set(kept[1])


# Limits -------------------------------------------------------------------------------------------------


def test_peak_memory():
    with torch.profiler.profile(profile_memory=True) as p:
        torch.ones(1000, 1000)
    expected = max(row.self_cpu_memory_usage for row in p.key_averages())
    assert ours.peak_memory(lambda: np.ones((1000, 1000), np.float32)) == pytest.approx(expected, rel=0.01)


def test_bandwidth_and_roofline():
    source, target = torch.ones(2**26, dtype=torch.uint8), torch.empty(2**26, dtype=torch.uint8)
    target.copy_(source)
    seconds = min(theirs.Timer("t.copy_(s)", globals={"t": target, "s": source}).timeit(3).times)
    speed = ours.bandwidth()
    assert 0.1 < ours.roofline(0, 2**27, seconds, 1.0, speed).share < 10


# Processes ----------------------------------------------------------------------------------------------


def gloo(group, path):
    """Make PyTorch's own process group of the processes of ours."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{path}", rank=group.rank, world_size=group.world_size
    )


@forks
def test_all_reduce(tmp_path):
    def run():
        def function(group):
            gloo(group, tmp_path / "store")
            mine = np.random.default_rng(group.rank).standard_normal((3, 5)).astype(np.float32)
            ring, other = mine.copy(), torch.tensor(mine)
            shared = ours.shared_array((group.world_size,))
            assert group.row(group.rank, shared).shape == (group.world_size,)
            torch.distributed.all_reduce(other)
            torch.distributed.barrier()
            group.all_reduce(mine)
            group.barrier()
            ours.ring_all_reduce(group, ring)
            torch.distributed.destroy_process_group()
            return np.stack([other.numpy(), mine, ring])

        return {"found": np.stack(ours.spawn(function, 3, timeout=30))}

    for expected, mine, ring in in_child(run)["found"]:
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ring, expected, rtol=1e-5, atol=1e-6)
    assert len(ours.ring_steps(0, 3)) == 4


@forks
def test_average_gradients_and_fit_parallel(tmp_path):
    """One epoch of ours beside DistributedDataParallel, with the samples in our sampler's order."""
    x, y = drawn((16, 4), (16, 2), dtype=np.float32)
    manual_seed(0)
    model = Sequential(Linear(4, 2))
    weight, bias = (each.data.copy() for each in model.parameters())

    def other():
        def function(group):
            gloo(group, tmp_path / "store")
            linear = torch.nn.Linear(4, 2)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight))
                linear.bias.copy_(torch.tensor(bias))
            ddp = torch.nn.parallel.DistributedDataParallel(linear)
            optimizer = torch.optim.SGD(ddp.parameters(), lr=0.1, momentum=0.9)
            order = list(ours.DistributedSampler(range(16), 2, group.rank))
            for start in range(0, 8, 2):
                part = order[start : start + 2]
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(ddp(torch.tensor(x[part])), torch.tensor(y[part])).backward()
                optimizer.step()
                mine = Tensor(weight, requires_grad=True)
                mine.grad = Tensor(linear.weight.grad.numpy().copy())
                ours.average_gradients([mine], group)  # they are averaged already
                np.testing.assert_allclose(mine.grad.data, linear.weight.grad.numpy(), rtol=1e-5)
            torch.distributed.destroy_process_group()
            return linear.weight.detach().numpy()

        return {"found": np.stack(ours.spawn(function, 2, timeout=30))}

    expected = in_child(other)["found"]

    def run():
        data = TensorDataset(Tensor(x), Tensor(y))
        ours.fit_parallel(model, SGD(model.parameters(), lr=0.1, momentum=0.9), mse_loss, data, 2, timeout=30)
        return {"found": next(iter(model.parameters()))}

    found = in_child(run)["found"]
    for each in expected:
        np.testing.assert_allclose(found, each, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("n", "ranks"), [(12, 3), (13, 3), (2, 5)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_sampler(n, ranks, drop_last):
    for rank in range(ranks):
        expected = DistributedSampler(range(n), ranks, rank, shuffle=False, drop_last=drop_last)
        found = ours.DistributedSampler(range(n), ranks, rank, shuffle=False, drop_last=drop_last)
        assert (list(found), len(found)) == (list(expected), len(expected))
    with pytest.raises(ValueError):
        DistributedSampler(range(n), ranks, ranks)
    with pytest.raises(ValueError):
        ours.DistributedSampler(range(n), ranks, ranks)


@forks
def test_errors_of_processes():
    """As torch.multiprocessing: an exception with its traceback, a death with its signal."""
    expected = torch.multiprocessing.ProcessRaisedException("Traceback ... LookupError: gone", 1, 1)
    ours_end, theirs_end = Pipe(duplex=False)

    def function(group):
        raise LookupError("gone")

    ours.work(theirs_end, function, ours.ProcessGroup(1, np.zeros((2, 8), np.uint8), None, 1.0), ())
    with pytest.raises(RuntimeError, match="LookupError: gone"):
        ours.collect([], [ours_end])
    assert "LookupError: gone" in str(expected)
