"""Random numbers in threads: a seed for each epoch, a generator for each batch, and a thread's current generator."""

import threading

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_equal, raises
from tinytorch.dataloader import batch_generator, current_generator, draw_seed, drawing_from
from tinytorch.setup import default_generator, manual_seed


def test_a_seed_is_drawn():
    """draw_seed(generator) is a Python integer from 0 to 2**63 - 1, a new one each time, half of them above 2**62."""
    generator = np.random.default_rng(0)
    seeds = [draw_seed(generator) for _ in range(50)]
    assert_equal(type(seeds[0]), int, "the type of a seed")
    assert all(0 <= seed < 2**63 for seed in seeds), f"the seeds are from {min(seeds)} to {max(seeds)}"
    assert len(set(seeds)) == 50, f"of 50 seeds {len(set(seeds))} are different"
    high = sum(seed >= 2**62 for seed in seeds)
    assert 10 < high < 40, f"{high} of 50 seeds are 2**62 and above, expected about 25"


def test_a_seed_comes_from_the_generator_that_was_named():
    """The same generator gives the same seed; without one, the CPU's default generator draws it, and only then."""
    assert_equal(
        draw_seed(np.random.default_rng(7)), draw_seed(np.random.default_rng(7)), "a seed, drawn again"
    )

    def two_seeds(seed):
        manual_seed(seed)
        draw_seed(np.random.default_rng(7))
        return draw_seed(), draw_seed()

    first, second = two_seeds(1)
    assert_equal(two_seeds(1), (first, second), "the pair of seeds, drawn again from the same manual_seed")
    assert first != second, "without a generator two seeds are the same: who draws?"
    assert two_seeds(2)[0] != first, "manual_seed(1) and manual_seed(2) gave the same seed: who draws?"
    manual_seed(1)
    first = default_generator("cpu").integers(2**62)
    manual_seed(1)
    draw_seed(np.random.default_rng(7))
    assert_equal(default_generator("cpu").integers(2**62), first, "what the default generator gives next")


@given(seed=st.integers(0, 2**63 - 1), number=st.integers(0, 1000))
def test_a_batch_has_a_generator_of_its_own(seed, number):
    """batch_generator(seed, number) is reproducible, and batch n of one epoch is not batch n + 1 of the next seed."""
    draws = [batch_generator(seed, number).integers(2**62) for _ in range(2)]
    assert_equal(draws[0], draws[1], "its first draw, twice")
    for other in ((seed, number + 1), (seed + 1, number), (seed + 1, max(number - 1, 0)), (number, seed)):
        if other != (seed, number):
            assert batch_generator(*other).integers(2**62) != draws[0], (
                f"seed {other[0]} with batch {other[1]} draws what seed {seed} with batch {number} draws"
            )


def test_the_default_generator_is_current():
    """Outside of every block, current_generator() is the CPU's default generator, also after a new manual_seed."""
    manual_seed(1)
    assert current_generator() is default_generator("cpu"), "current_generator() is not the default generator"
    manual_seed(2)
    assert current_generator() is default_generator("cpu"), (
        "after manual_seed it is not the default generator"
    )


def test_a_block_has_its_generator():
    """Inside `with drawing_from(g):` current_generator() is g; blocks may be nested, and restore the one before."""
    outer, inner = np.random.default_rng(1), np.random.default_rng(2)
    with drawing_from(outer):
        assert current_generator() is outer, "inside the block it is not the block's generator"
        with drawing_from(inner):
            assert current_generator() is inner, (
                "inside the inner block it is not the inner block's generator"
            )
        assert current_generator() is outer, "after the inner block it is not the outer block's again"
    assert current_generator() is default_generator("cpu"), "after the block it is not the default one again"


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_error_ends_a_block_too(error):
    """After an error or Ctrl-C inside `with drawing_from(g):`, the default generator is current again.

    The error leaves the block.
    """
    with raises(error, "inside"), drawing_from(np.random.default_rng(1)):
        raise error("inside")
    assert current_generator() is default_generator("cpu"), "after the error it is not the default one again"


def test_a_block_is_one_threads_own():
    """Another thread does not see the block: there the default generator is current."""
    seen = []
    with drawing_from(np.random.default_rng(1)):
        thread = threading.Thread(target=lambda: seen.append(current_generator()), daemon=True)
        thread.start()
        thread.join(5)
    assert len(seen) == 1, "current_generator() did not come back in another thread"
    assert seen[0] is default_generator("cpu"), "another thread draws from this thread's block"
