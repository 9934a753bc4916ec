"""Memory is time: a pool lends the memory of arrays that nobody uses any more, and never that of a live one."""

import queue
import random
import sys
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, no_thread_left
from tinytorch.acceleration import memory
from tinytorch.acceleration.memory import empty, empty_cache, rounded

MB = 1 << 20


def place(array):
    """The address of the first entry."""
    return array.__array_interface__["data"][0]


@pytest.fixture
def fresh():
    """Begin with an empty pool, and leave none behind."""
    empty_cache()
    yield
    empty_cache()


@contextmanager
def traced():
    """Count what is allocated: yields a function that gives the bytes in use, and the most at any time since then."""
    tracemalloc.start()
    try:
        yield tracemalloc.get_traced_memory
    finally:
        tracemalloc.stop()


def lent_again(before, shape, dtype=np.float32):
    """Whether `empty(shape, dtype)` is at the address `before`, while others take what the pool does not hold."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    decoys = [bytearray(size) for _ in range(4)] + [bytearray(rounded(size)) for _ in range(4)]
    found = place(empty(shape, dtype)) == before
    decoys.clear()
    return found


def in_a_thread(function):
    """What `function()` gives in a new thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


# Sizes


def test_sizes_of_blocks():
    """rounded gives the next of eight sizes in each doubling: from 65,536 on they are 8,192 apart."""
    assert_equal(rounded(65_536), 65_536, "rounded(65_536)")
    assert_equal(rounded(65_537), 73_728, "rounded(65_537)")
    assert_equal(rounded(100_000), 106_496, "rounded(100_000)")
    assert_equal(rounded(131_073), 147_456, "rounded(131_073)")


@given(nbytes=st.integers(1 << 16, 1 << 40))
@example(nbytes=(1 << 17) - 1)
def test_sizes_waste_little(nbytes):
    """A block is large enough, and at most an eighth larger; a size is its own block. Each doubling has eight sizes."""
    size = rounded(nbytes)
    assert nbytes <= size <= nbytes * 9 / 8, f"rounded({nbytes}) is {size}"
    assert_equal(rounded(size), size, f"rounded({size})")
    step = 1 << (nbytes.bit_length() - 4)
    assert size % step == 0, f"rounded({nbytes}) is {size}, which is no multiple of {step}"


# An array


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 4), (256, 128), 70_000, (2, 0, 50_000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, bool])
def test_empty_is_an_ordinary_array(shape, dtype):
    """empty(shape, dtype) is an array of that shape and dtype, dense, writable and of no other type."""
    array = empty(shape, dtype)
    expected = np.empty(shape, dtype)
    assert type(array) is np.ndarray, f"empty gives {type(array).__name__}"
    assert_equal((array.shape, array.dtype), (expected.shape, expected.dtype), "shape and dtype")
    assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned, array.flags
    array[...] = 1
    assert (array == 1).all(), "it does not keep what is written into it"


def test_float32_is_the_default():
    """empty(shape) is float32."""
    assert_equal(empty((300, 300)).dtype, np.dtype(np.float32), "the dtype of empty((300, 300))")


# Lending


def test_memory_is_lent_again(fresh):
    """When an array is gone, the next of as many bytes has its memory, from SMALL on, whatever shape and dtype."""
    first = empty((512, 512), np.float32)
    before = place(first)
    del first
    assert lent_again(before, (1024, 128), np.float64), "empty took new memory, although as much was free"
    before = place(empty(memory.SMALL, np.int8))
    assert lent_again(before, memory.SMALL, np.int8), "empty took new memory for an array of SMALL bytes"


def test_a_new_block_leaves_the_others_alone(fresh):
    """Arrays of several sizes take turns: to make a block of one size does not give up a free one of another size."""
    before = place(empty((512, 512)))
    empty((256, 256))
    assert lent_again(before, (512, 512)), "the free block was given up when one of another size was made"


def test_arrays_of_nearly_the_same_size_share_a_block(fresh):
    """A block of rounded size serves any array that fits: of 1,000,000 bytes, then of 1,001,000."""
    first = empty(1_000_000, np.int8)
    before = place(first)
    del first
    assert lent_again(before, 1_001_000, np.int8), "empty took new memory for an array that fits the block"


def test_live_arrays_have_memory_of_their_own(fresh):
    """As long as an array can be reached, its memory is not lent: neither at first nor when blocks come back."""
    kept = [empty((256, 256)) for _ in range(4)]
    places = [place(each) for each in kept]
    assert len(set(places)) == 4, "two live arrays begin at one place"
    del kept[1]
    new = [empty((256, 256)), empty((256, 256))]
    assert len({place(each) for each in [*kept, *new]}) == 5, "the memory of a live array was lent again"


VIEWS = {
    "a row": lambda a: a[7],
    "the transpose": lambda a: a.T,
    "a view of a view": lambda a: a[2:].T[1:].T[::3],
    "a view of another dtype": lambda a: a.view(np.int8)[5:],
    "a broadcast view": lambda a: np.broadcast_to(a[3:], (2, 253, 256)),
    "a memoryview": lambda a: memoryview(a[4]),
    "a sliding window": lambda a: np.lib.stride_tricks.sliding_window_view(a[0], 5),
}


@pytest.mark.parametrize("kind", VIEWS)
def test_a_view_keeps_the_memory(fresh, kind):
    """While a view of an array can be reached, the memory is not lent, although the array itself is gone."""
    array = empty((256, 256))
    array[...] = 3
    view = VIEWS[kind](array)
    before, expected = place(array), np.array(view)
    del array
    other = empty((256, 256))
    assert place(other) != before, f"{kind} is still there, and its memory was lent"
    other[...] = 4
    assert np.array_equal(np.array(view), expected), f"{kind} has changed"
    del view
    assert lent_again(before, (256, 256)), f"{kind} is gone, and its memory was not lent"


def test_nothing_comes_back_when_the_program_ends(monkeypatch):
    """What runs at the end of a program may still read its arrays: no finalizer of empty has `atexit` set."""
    made = []

    class Watched(weakref.finalize):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(weakref, "finalize", Watched)
    array = empty((256, 256))
    assert not any(each.atexit for each in made), (
        f"at exit, the memory of {array.shape} would be lent while in use"
    )


def test_memory_comes_back_at_once(fresh):
    """A hundred arrays, one after the other, need the memory of one: no more than its block is ever allocated."""
    with traced() as memory_in_use:
        for _ in range(100):
            empty((512, 512))[...] = 1
        _, most = memory_in_use()
    assert most < 1.5 * MB, f"100 arrays of 1 MB, one at a time, took {most / MB:.1f} MB"


def test_idle_memory_is_bounded(fresh, monkeypatch):
    """Blocks that nobody uses are given up before a new one is made, once they have more than IDLE bytes in all."""
    monkeypatch.setattr(memory, "IDLE", 2 * MB)
    with traced() as memory_in_use:
        for size in range(1_000_000, 3_000_000, 150_000):
            empty(size, np.int8)
        _, most = memory_in_use()
    assert most < 6 * MB, f"14 arrays of 1 to 3 MB, one at a time, took {most / MB:.1f} MB with IDLE = 2 MB"


def test_empty_cache_gives_up_what_is_free(fresh):
    """empty_cache() drops all free blocks of this thread; those that are lent come back later as always."""
    with traced() as memory_in_use:
        kept, _ = empty((512, 512)), empty((1024, 512))
        del _
        empty_cache()
        now, _ = memory_in_use()
        assert now < 1.5 * MB, f"{now / MB:.1f} MB are in use after empty_cache(), and 1 MB is lent"
    before = place(kept)
    del kept
    assert lent_again(before, (512, 512)), "what was lent at the time of empty_cache() was not lent again"


# Threads


def test_each_thread_has_a_pool_of_its_own(fresh):
    """A block that is free in one thread is not lent to another one."""
    before = place(empty((256, 256)))
    assert in_a_thread(lambda: place(empty((256, 256)))) != before, (
        "a thread was lent the block of another one"
    )
    assert lent_again(before, (256, 256)), "the block is no longer free where it was"


def test_an_array_may_die_in_another_thread(fresh):
    """An array that another thread drops comes back to the pool that lent it."""
    box = [empty((256, 256))]
    before = place(box[0])

    def drop():
        box.clear()
        return empty((256, 256))

    other = in_a_thread(drop)
    assert place(other) != before, "the block went to the pool of the thread that dropped it"
    assert lent_again(before, (256, 256)), "the block did not come back"


@pytest.mark.parametrize("seed", range(3))
def test_no_array_is_ever_overwritten(seed):
    """Four threads make, keep, exchange and drop arrays: each keeps what was written into it until it is dropped."""
    mail, wrong, rounds = queue.SimpleQueue(), [], 150

    def work(name):
        chance, mine = random.Random(10 * seed + name), []
        for number in range(rounds):
            mark = name * rounds + number
            array = empty((chance.choice([130, 131, 150]), 128))
            array[...] = mark
            mine.append((mark, array[chance.randrange(9) :]))
            if chance.random() < 0.3:
                mail.put(mine.pop(chance.randrange(len(mine))))
            if chance.random() < 0.3 and not mail.empty():
                try:
                    mine.append(mail.get_nowait())
                except queue.Empty:  # another thread was quicker
                    continue
            while len(mine) > 6 or (mine and chance.random() < 0.4):
                mark, array = mine.pop(chance.randrange(len(mine)))
                if not (array == mark).all():
                    wrong.append(mark)
                del array

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with no_thread_left(), ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))  # raises what one of them raised
    finally:
        sys.setswitchinterval(interval)
    assert not wrong, f"{len(wrong)} of {4 * rounds} arrays were changed while somebody held them"
