"""Why a library multiplies faster: the same additions, in an order that the cache likes."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises, speedup, unchanged
from dojo.spec.strategies import arrays
from tinytorch.acceleration.blas import Cache, Counted, add_product, add_product_in_blocks


def test_a_product_by_hand():
    """add_product adds a @ b to out: rows of a times columns of b."""
    a, b = np.array([[1.0, 2.0], [0.0, 3.0], [1.0, 1.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    out = np.zeros((3, 2))
    add_product(a, b, out)
    assert_close(out, [[19.0, 22.0], [21.0, 24.0], [12.0, 14.0]], "out")


def test_a_product_is_added():
    """What was in out stays in it: the product is added."""
    out = np.full((2, 2), 100.0)
    add_product(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]), out)
    assert_close(out, [[101.0, 102.0], [103.0, 104.0]], "out, which was 100 before")


sizes = st.tuples(*[st.integers(0, 5)] * 3)


@given(data=st.data(), sizes=sizes)
def test_products_of_all_sizes(data, sizes):
    """Matrices of any sizes, 0 too, and views whose memory is not in order: out gets a @ b."""
    n, k, m = sizes
    a, b = data.draw(arrays((k, n), np.float64)).T, data.draw(arrays((k, m), np.float64))
    out = data.draw(arrays((n, m), np.float64))
    expected = out + a @ b
    with unchanged(a, b):
        add_product(a, b, out)
    assert_close(out, expected, "out")


def counted(multiply, n, lines=16, line=8):
    """How many cache lines a product of two (n, n) matrices fetches, and the product."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(-3, 4, (2, n, n)).astype(float)
    cache, out = Cache(lines, line), np.zeros((n, n))
    multiply(Counted(a, cache), Counted(b, cache), Counted(out, cache))
    assert_close(out, a @ b, "the product of counted matrices")
    return cache.fetched


def test_three_loops_and_the_cache():
    """add_product adds up one entry after the other: of 24 * 24 numbers each, it fetches a line for each product.

    A column of b lies in 24 lines, only 16 stay in the cache, and the next column finds none of them.
    """
    fetched = counted(add_product, 24)
    assert fetched >= 24**3, (
        f"{fetched} lines were fetched, and {24**3} numbers of b: add up one entry of out after the other"
    )


@given(data=st.data(), sizes=sizes, block=st.integers(1, 6))
@example(data=None, sizes=(5, 5, 5), block=2)
@example(data=None, sizes=(2, 5, 3), block=2)
def test_blocks_of_all_sizes(data, sizes, block):
    """add_product_in_blocks adds a @ b too, also where the block does not divide the sides or is larger."""
    n, k, m = sizes
    a = np.arange(n * k).reshape(n, k) / 4 if data is None else data.draw(arrays((n, k), np.float64))
    b = np.arange(k * m).reshape(k, m) / 4 if data is None else data.draw(arrays((k, m), np.float64))
    out = np.ones((n, m))
    with unchanged(a, b):
        add_product_in_blocks(a, b, out, block)
    assert_close(out, 1 + a @ b, "out, which was 1 before")


@pytest.mark.parametrize("block", [0, -2])
def test_a_block_has_a_row(block):
    """A block below 1 is a ValueError that names it; out has not changed."""
    out = np.zeros((2, 2))
    with raises(ValueError, block), unchanged(out):
        add_product_in_blocks(np.ones((2, 2)), np.ones((2, 2)), out, block)


def test_blocks_stay_in_the_cache():
    """In blocks of 4 * 4, of which three fit into the cache, the same product fetches a sixth of the lines."""
    plain = counted(add_product, 24)
    blocked = counted(lambda a, b, out: add_product_in_blocks(a, b, out, 4), 24)
    assert blocked * 6 <= plain, (
        f"blocks fetch {blocked} lines and three loops {plain}, expected less than a sixth"
    )


def test_blocks_that_are_too_large_are_none():
    """Blocks as large as the matrix are the matrix: add_product_in_blocks then fetches what add_product does."""
    plain = counted(add_product, 16, lines=8)
    blocked = counted(lambda a, b, out: add_product_in_blocks(a, b, out, 16), 16, lines=8)
    assert_equal(blocked, plain, "the lines of one block of 16 * 16")


def test_beside_the_library():
    """`@` is at least 100 times faster than three loops: BLAS blocks for each cache, and computes 8 or 16 at a time."""
    rng = np.random.default_rng(0)

    def product(a, b):
        out = np.zeros((len(a), b.shape[1]))
        add_product(a, b, out)
        return out

    speedup(
        fast=lambda a, b: a @ b,
        slow=product,
        at_least=100,
        inputs=lambda: rng.standard_normal((2, 32, 32)),
        what="a @ b",
        baseline="add_product",
    )
