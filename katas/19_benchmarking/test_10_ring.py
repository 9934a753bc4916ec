"""The same sum in a ring: however many processes there are, each reads less than two arrays."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal
from dojo.spec.child import in_child
from tinytorch.benchmarking import ring_all_reduce, ring_steps, spawn

PATIENCE = 10.0
"""Seconds that no process should ever wait for another one."""


def test_two_in_a_ring():
    """Of two, rank 0 adds piece 1 of its neighbour to its own and then copies piece 0; rank 1 has them reversed."""
    assert_equal([ring_steps(0, 2), ring_steps(1, 2)], [[1, 0], [0, 1]], "the pieces of both")


def test_one_is_no_ring():
    """A single process has nothing to add: no steps."""
    assert_equal(ring_steps(0, 1), [], "the steps of one")


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_a_ring_step_by_step(n):
    """After n - 1 steps that add and n - 1 that copy, as ring_steps says, every process has the sum of every piece."""
    plans = [ring_steps(rank, n) for rank in range(n)]
    assert_equal(
        {len(plan) for plan in plans}, {2 * (n - 1)}, f"for {n} processes, the set of the numbers of steps"
    )
    rows = np.arange(n * n).reshape(n, n) ** 2
    expected = np.tile(rows.sum(0), (n, 1))
    for step in range(2 * (n - 1)):
        before = rows.copy()
        for rank in range(n):
            piece, left = plans[rank][step], (rank - 1) % n
            assert 0 <= piece < n, f"rank {rank} takes piece {piece} of {n}"
            if step < n - 1:
                rows[rank, piece] += before[left, piece]
            else:
                rows[rank, piece] = before[left, piece]
    assert_close(rows, expected, f"the pieces of {n} processes")


@pytest.mark.parametrize("n", [2, 3, 5])
def test_nobody_reads_what_is_being_written(n):
    """In no step does a process read a piece that its left neighbour writes in the same step."""
    plans = [ring_steps(rank, n) for rank in range(n)]
    for step in range(2 * (n - 1)):
        for rank in range(n):
            piece = plans[rank][step]
            assert piece != plans[(rank - 1) % n][step], (
                f"in step {step} rank {rank} reads piece {piece}, being written"
            )


@pytest.mark.parametrize(("n", "shape"), [(1, (3,)), (2, (7,)), (3, (2, 5)), (4, (2,)), (3, (0,))])
def test_ring_all_reduce(n, shape):
    """ring_all_reduce(group, array) leaves the sum in every process, also of fewer entries than there are processes."""

    def run():
        def function(group):
            array = (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1) * 10**group.rank
            ring_all_reduce(group, array)
            return array

        return {"found": np.stack(spawn(function, n, timeout=PATIENCE))}

    one = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1
    expected = np.stack([one * sum(10**rank for rank in range(n))] * n).astype(np.float32)
    assert_close(in_child(run)["found"], expected, f"the sums of {n} processes")


def test_one_ring_after_the_other():
    """Nobody writes the next array while another one still reads the last: 200 sums in a row are all right."""

    def run():
        def function(group):
            wrong = 0
            for turn in range(200):
                array = np.full(20_000, turn + group.rank, np.float32)
                ring_all_reduce(group, array)
                wrong += bool((array != 3 * turn + 3).any())
            return wrong

        return {"found": spawn(function, 3, timeout=PATIENCE)}

    assert_close(
        in_child(run)["found"], [0] * 3, "of 200 sums in each of three processes, the number of wrong ones"
    )
