"""Operations and bytes: counted, not measured."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_equal, on_device, raises
from tinytorch import dispatch
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.benchmarking import bytes_moved, count, flops, observing
from tinytorch.dispatch import Event
from tinytorch.layers import Linear
from tinytorch.tensor import Tensor

sides = st.integers(1, 5)


def ones(*shape, dtype=np.float32, **options):
    return Tensor(np.ones(shape, dtype), **options)


@pytest.fixture(autouse=True)
def nobody_observes():
    """Whatever a spec leaves among the dispatcher's observers is gone for the next one."""
    yield
    dispatch.observers.clear()


def test_an_observer_sees_every_operation():
    """Inside `with observing(observer):` the observer is called for each operation, as observer(event, run)."""
    seen = []

    def observer(event, run):
        seen.append(event.name)
        return run()

    x = ones(2, 3)
    with observing(observer):
        (x + x).exp()
    x * x
    assert_equal(seen, ["add", "exp"], "the operations that were seen")


def test_an_observer_sees_nothing_after_an_error():
    """If the block raises, the dispatcher has no observer any more."""
    with raises(ZeroDivisionError), observing(lambda event, run: run()):
        1 // 0  # noqa: B018
    assert_equal(len(dispatch.observers), 0, "the number of observers that are left")


def test_a_product_by_hand():
    """A primitive "bmm" of (2, 3) and (3, 4) has 2 * 2 * 3 * 4 = 48 flops: 24 multiplications and 24 additions."""
    event = Event("primitive", "bmm", (np.ones((2, 3)), np.ones((3, 4))), {})
    assert_equal(flops(event, np.ones((2, 4))), 48, "the flops of (2, 3) @ (3, 4)")


def test_products_that_broadcast():
    """(5, 1, 2, 3) @ (7, 3, 4) makes 35 products of 48 flops: the leading axes of the result count."""
    event = Event("primitive", "bmm", (np.ones((5, 1, 2, 3)), np.ones((7, 3, 4))), {})
    assert_equal(flops(event, np.ones((5, 7, 2, 4))), 35 * 48, "the flops of (5, 1, 2, 3) @ (7, 3, 4)")


def test_everything_else_has_no_flops():
    """Only products of matrices count: an addition of two arrays has 0 flops, as in torch.utils.flop_counter."""
    a = np.ones((2, 3))
    assert_equal(flops(Event("primitive", "add", (a, a), {}), a), 0, "the flops of add")
    assert_equal(flops(Event("rule", "add", (a,), {}), (a, a)), 0, "the flops of the rule of add")


@pytest.mark.parametrize("missing", [(), (0,), (1,), (0, 1)])
def test_a_rule_has_a_product_for_each_gradient(missing):
    """The rule of "bmm" has as many flops as bmm for each gradient that it gives; a gradient that is None costs 0.

    Where a and b broadcast, it is the leading axes of the gradient that it is given that count.
    """
    a, b, grad = np.ones((5, 2, 3)), np.ones((5, 3, 4)), np.ones((5, 2, 4))
    result = tuple(None if place in missing else each for place, each in enumerate((a, b)))
    event = Event("rule", "bmm", (grad, a, b, [True, True]), {})
    assert_equal(
        flops(event, result), (2 - len(missing)) * 5 * 48, f"without the gradients {missing}, the flops"
    )
    wide = Event("rule", "bmm", (np.ones((7, 5, 2, 4)), a, np.ones((7, 1, 3, 4)), [True, True]), {})
    expected = (2 - len(missing)) * 35 * 48
    assert_equal(flops(wide, result), expected, f"without the gradients {missing}, the flops of 35 products")


def test_bytes_by_hand():
    """(2, 3) + (3,) in float32 reads 24 and 12 bytes and writes 24: bytes_moved is 60. In float64 it is twice that."""
    for dtype, expected in ((np.float32, 60), (np.float64, 120)):
        a, b = np.ones((2, 3), dtype), np.ones(3, dtype)
        event = Event("primitive", "add", (a, b), {})
        assert_equal(bytes_moved(event, a + b), expected, f"the bytes of (2, 3) + (3,) in {np.dtype(dtype)}")


def test_numbers_have_no_bytes():
    """A number among the arguments, and what else is no array, has no bytes: (2, 3) * 2.0 reads 24 and writes 24."""
    a = np.ones((2, 3), np.float32)
    assert_equal(bytes_moved(Event("primitive", "mul", (a, 2.0), {}), a * 2), 48, "the bytes of (2, 3) * 2.0")
    args = (a, a * 2, [(2, 3)], None)
    assert_equal(
        bytes_moved(Event("rule", "mul", args, {}), (a + 1, None)), 72, "the bytes of a rule with a mask"
    )


def test_a_single_number_of_numpy_has_bytes():
    """A sum over everything may be one number of NumPy, np.float32, and no array: it is written, 4 bytes of it."""
    assert_equal(count(lambda: ones(2, 3).sum()).bytes, 24 + 4, "the bytes of the sum of (2, 3)")


def test_a_view_moves_nothing():
    """What shares memory with an argument is not written, and who writes nothing reads nothing: a view has 0 bytes."""
    a = np.ones((2, 3), np.float32)
    assert_equal(
        bytes_moved(Event("primitive", "reshape", (a,), {"shape": (6,)}), a.reshape(6)), 0, "of a view"
    )
    assert_equal(bytes_moved(Event("primitive", "reshape", (a.T,), {}), a.T.reshape(6)), 48, "of a copy")
    assert_equal(
        bytes_moved(Event("rule", "sub", (a,), {}), (a, -a)), 48, "of a rule that gives grad and -grad"
    )


def test_a_kernel_is_counted_by_what_it_calls():
    """An event of kind "kernel" has 0 bytes: the operations in it are events of their own."""
    x = ones(2, 3)
    assert_equal(bytes_moved(Event("kernel", "relu", (x,), {}), x + 1), 0, "the bytes of a kernel")


def test_count_adds_everything_up():
    """count(function) calls it once and gives the flops and bytes of its operations: here a product, + and tanh."""
    x, w, b, calls = ones(2, 3), ones(3, 4), ones(4), []

    def layer():
        calls.append(1)
        return (x @ w + b).tanh()

    found = count(layer)
    assert_equal(found.flops, 48, "the flops")
    product, addition, tanh = 4 * (6 + 12 + 8), 4 * (8 + 4 + 8), 4 * (8 + 8)
    assert_equal(found.bytes, product + addition + tanh, "the bytes")
    assert_equal(len(calls), 1, "how often the function was called")


@given(n=sides, k=sides, m=sides)
def test_a_step_forward_and_back(n, k, m):
    """Forward and backward through x @ w are three products of equal size: 6 n k m flops, if both need a gradient."""
    x, w = ones(n, k, requires_grad=True), ones(k, m, requires_grad=True)
    found = count(lambda: (x @ w).sum().backward())
    assert_equal(found.flops, 6 * n * k * m, f"for ({n}, {k}) @ ({k}, {m}) the flops")


def test_an_input_that_needs_no_gradient_saves_a_product():
    """If only the weight of a Linear requires grad, backward is one product: 4 * N * in * out in all."""
    layer, x = Linear(3, 5), ones(7, 3)
    found = count(lambda: layer(x).sum().backward())
    assert_equal(found.flops, 4 * 7 * 3 * 5, "the flops of Linear(3, 5) on 7 rows, forward and backward")


@given(b=sides, heads=sides, length=sides, keys=sides, features=sides)
def test_attention_is_two_products(b, heads, length, keys, features):
    """Attention of B x H heads, L queries, S keys and E features has 4 * B * H * L * S * E flops, with kernels off."""
    q, k = ones(b, heads, length, features), ones(b, heads, keys, features)
    found = count(lambda: scaled_dot_product_attention(q, k, k))
    assert_equal(found.flops, 4 * b * heads * length * keys * features, "the flops of attention")


def test_kernels_are_off_while_counting():
    """count calls compositions, whose operations can be counted, and no kernels; afterwards kernels are on again."""
    seen = []
    count(lambda: seen.append(dispatch.mode.accelerated))
    assert_equal(seen, [False], "whether kernels were on while it counted")
    assert_equal(dispatch.mode.accelerated, True, "whether kernels are on afterwards")


def test_counting_ends_with_an_error():
    """If the function raises, nothing observes any more, and kernels are on again."""
    with raises(ZeroDivisionError):
        count(lambda: 1 // 0)
    assert_equal(len(dispatch.observers), 0, "the number of observers that are left")
    assert_equal(dispatch.mode.accelerated, True, "whether kernels are on afterwards")


def test_counts_are_the_same_on_every_device(device):
    """On a GPU there is as much to do as on the CPU."""
    x, w = (Tensor(on_device(np.ones(shape, np.float32), device)) for shape in ((2, 3), (3, 4)))
    found = count(lambda: (x @ w).reshape(8).exp())
    assert_equal(found.flops, 48, f"the flops on {device}")
    what = f"the bytes on {device}, where arrays are not NumPy's: an array is what has nbytes;"
    assert_equal(found.bytes, 4 * (6 + 12 + 8) + 4 * (8 + 8), what)
