"""A rumour becomes knowledge: "a batch is faster, because it computes less"."""

import numpy as np

from dojo.spec import Inconclusive, assert_close, assert_equal
from dojo.spec.child import in_child
from tinytorch.autograd import no_grad
from tinytorch.benchmarking import (
    alternate,
    compare,
    count,
    peak_memory,
    profile,
    roofline,
    spawn,
)
from tinytorch.layers import Linear
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

ROWS = 64


def layer_and_rows():
    manual_seed(0)
    layer = Linear(32, 32)
    return layer, np.random.default_rng(0).standard_normal((ROWS, 32)).astype(np.float32)


def test_a_batch_computes_no_less():
    """Counted, 64 rows one by one have the flops of one batch of 64, but they read the weight 64 times."""
    layer, rows = layer_and_rows()
    with no_grad():
        batch = count(lambda: layer(Tensor(rows)))
        one_by_one = count(lambda: [layer(Tensor(row[None])) for row in rows])
    assert_equal(batch.flops, 2 * ROWS * 32 * 32, "the flops of the batch")
    assert_equal(one_by_one.flops, batch.flops, "the flops one by one")
    again = one_by_one.bytes - batch.bytes
    assert again >= (ROWS - 1) * 4 * 32 * 32, f"one by one moves only {again} bytes more"


def test_it_makes_fewer_calls():
    """Profiled, one by one calls 64 products, and the batch one."""
    layer, rows = layer_and_rows()
    calls = []
    with no_grad():
        for parts in (rows[None], rows[:, None]):
            with profile() as p:
                for part in parts:
                    layer(Tensor(part))
            calls.append(
                sum(row.calls for row in p.key_averages() if row.kind != "rule") // len(p.key_averages())
            )
    assert_equal(calls[1], ROWS * calls[0], "how many operations of a name there are, one by one")


def test_it_is_faster_all_the_same():
    """Compared in turns, the batch is at least 4 times faster, and that is sure."""
    layer, rows = layer_and_rows()

    def one_by_one():
        with no_grad():
            return [layer(Tensor(row[None])) for row in rows]

    def batch():
        with no_grad():
            return layer(Tensor(rows))

    assert_close(
        batch(), np.concatenate([each.data for each in one_by_one()]), "what the batch gives", atol=1e-5
    )
    found = compare(*alternate(one_by_one, batch))
    if found.verdict == "no difference":
        raise Inconclusive(f"inconclusive, run again: {found}")
    assert found.low > 4, f"the batch is {found}"


def test_and_the_memory():
    """Weighed, a batch has 64 results in memory at once; and a single row is bound by the memory's speed."""
    layer, rows = layer_and_rows()
    with no_grad():
        whole = peak_memory(lambda: layer(Tensor(rows)))
        single = peak_memory(lambda: layer(Tensor(rows[:1])))
        counts = count(lambda: layer(Tensor(rows[:1])))
    assert whole >= ROWS * 32 * 4, f"64 results of 32 float32 take {whole} bytes"
    assert whole > single, f"the batch has a peak of {whole} bytes, one row of {single}"
    bound = roofline(counts.flops, counts.bytes, 1e-3, peak_gflops=100.0, peak_bandwidth=10.0).bound
    assert_equal(bound, "memory", "what bounds one row, at 100 GFLOP/s and 10 GB/s")


def test_two_processes_have_half_the_work_each():
    """Counted in each of two processes, half of the batch has half of the flops, and together they give the same."""
    layer, rows = layer_and_rows()

    def run():
        def half(group):
            mine = np.zeros((ROWS, 32), np.float32)
            part = slice(group.rank * ROWS // 2, (group.rank + 1) * ROWS // 2)
            with no_grad():
                counts = count(lambda: mine.__setitem__(part, layer(Tensor(rows[part])).data))
            group.all_reduce(mine)
            return counts.flops, mine

        (flops, first), (other, second) = spawn(half, timeout=10.0)
        return {"flops": [flops, other], "first": first, "second": second}

    found = in_child(run)
    assert_close(found["flops"], [ROWS * 32 * 32] * 2, "the flops of each process")
    with no_grad():
        expected = layer(Tensor(rows)).data
    assert_close(found["first"], expected, "what process 0 has in the end", atol=1e-5)
    assert_close(found["second"], expected, "what process 1 has in the end", atol=1e-5)
