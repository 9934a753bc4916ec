"""A batch is shared: each process has some of its samples, and together they have all."""

from itertools import count

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.capstone import shares
from tinytorch.tensor import Tensor


def batch(n, start=0):
    """n samples of two numbers, 10 * place and 10 * place + 1, with their place as y."""
    places = np.arange(start, start + n)
    return Tensor(np.stack([10.0 * places, 10.0 * places + 1], 1).astype(np.float32)), Tensor(places)


def test_every_second_sample():
    """Of a batch of 6, process 0 of 2 has the samples 0, 2, 4, and process 1 has 1, 3, 5: x and y alike."""
    for rank in (0, 1):
        ((x, y),) = shares([batch(6)], rank, 2)
        places = np.arange(rank, 6, 2)
        assert_close(y, places, f"the y of process {rank}")
        assert_close(x, np.stack([10 * places, 10 * places + 1], 1).astype(np.float32), f"its x, {rank}")


def test_alone_it_is_the_whole_batch():
    """One process of 1 has everything, in its order."""
    ((x, y),) = shares([batch(5)], 0, 1)
    assert_close(y, np.arange(5), "y")
    assert_close(x, batch(5)[0].data, "x")


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), ranks=st.integers(1, 4))
@example([3, 1], 2)
def test_together_they_have_all(sizes, ranks):
    """Batch by batch, all processes together have each sample once, and each has equally many."""
    batches = [batch(size * ranks, 100 * number) for number, size in enumerate(sizes)]
    found = [list(shares(batches, rank, ranks)) for rank in range(ranks)]
    assert_equal([len(each) for each in found], [len(sizes)] * ranks, "how many batches each process has")
    for number, size in enumerate(sizes):
        parts = [each[number][1].data for each in found]
        assert_equal([len(part) for part in parts], [size] * ranks, f"the shares of batch {number}")
        together = sorted(np.concatenate(parts).tolist())
        assert_equal(together, batches[number][1].data.tolist(), f"the samples of batch {number}, together")


@pytest.mark.parametrize(("samples", "ranks"), [(5, 2), (1, 2), (16, 3)])
def test_a_batch_that_cannot_be_shared(samples, ranks):
    """A batch that has no equal shares is a ValueError whose message names its size and the number of processes."""
    with raises(ValueError, samples, ranks):
        list(shares([batch(samples)], 0, ranks))


def test_one_batch_at_a_time():
    """A batch is asked for when it is needed: of a stream without an end, the first ones come at once."""
    asked = []

    def stream():
        for number in count():
            asked.append(number)
            yield batch(4, 100 * number)

    mine = iter(shares(stream(), 1, 2))
    assert_close(next(mine)[1], np.array([1, 3]), "the first share")
    assert_close(next(mine)[1], np.array([101, 103]), "the second share")
    assert_equal(asked, [0, 1], "the batches that were asked for")
