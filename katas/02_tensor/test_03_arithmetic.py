"""Operators: entry by entry, with broadcasting, and with the dtype that PyTorch would give."""

import operator

import numpy as np
import pytest
from hypothesis import example, given

from dojo.spec import ShapeError, assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays_of, broadcastable_shapes, shapes, strided
from tinytorch.tensor import (
    Tensor,
    add,
    bitwise_and,
    bitwise_or,
    div,
    eq,
    floor_divide,
    ge,
    gt,
    le,
    lt,
    mul,
    ne,
    neg,
    pow,
    remainder,
    sub,
)

ARITHMETIC = {
    "add": (add, operator.add),
    "sub": (sub, operator.sub),
    "mul": (mul, operator.mul),
    "div": (div, operator.truediv),
    "floor_divide": (floor_divide, operator.floordiv),
    "remainder": (remainder, operator.mod),
    "pow": (pow, operator.pow),
}
COMPARISONS = {
    "eq": (eq, operator.eq),
    "ne": (ne, operator.ne),
    "lt": (lt, operator.lt),
    "le": (le, operator.le),
    "gt": (gt, operator.gt),
    "ge": (ge, operator.ge),
}

# One entry with one entry


@pytest.mark.parametrize("function, python", ARITHMETIC.values(), ids=ARITHMETIC)
def test_arithmetic_entry_by_entry(function, python):
    """add(a, b), and so Tensor + Tensor, does to each pair of entries what Python's + does; so do its six siblings."""
    a, b = [7.0, -7.0, 0.5, 2.0], [2.0, 2.0, 4.0, -0.5]
    if function is pow:
        a = [7.0, 1.5, 0.5, 2.0]  # Python makes a negative base complex
    expected = np.array([python(x, y) for x, y in zip(a, b, strict=True)], np.float32)
    x, y = np.array(a, np.float32), np.array(b, np.float32)
    with unchanged(x, y):
        assert_close(function(Tensor(x), Tensor(y)), expected, f"{function.__name__}(a, b)")
        assert_close(python(Tensor(x), Tensor(y)), expected, "the operator")


@given(a=strided(shapes()))
@example(a=np.array([1.0, -2.0], np.float32))
def test_neg_turns_every_sign(a):
    """neg(a), and so -a, has every entry with the other sign, in the dtype of a."""
    expected = np.array([-v for v in a.ravel().tolist()], a.dtype).reshape(a.shape)
    assert_close(neg(Tensor(a)), expected, "neg(a)")
    assert_close(-Tensor(a), expected, "-a")


@given(pair=arrays_of(broadcastable_shapes(2)))
@example(pair=(np.array([[10.0], [20.0]], np.float32), np.array([1.0, 2.0, 3.0], np.float32)))
def test_operands_broadcast(pair):
    """Operands of different shapes broadcast: each entry meets the one beside it in the common shape."""
    a, b = pair
    wide_a, wide_b = np.broadcast_arrays(a, b)
    differences = [x - y for x, y in zip(wide_a.ravel().tolist(), wide_b.ravel().tolist(), strict=True)]
    expected = np.array(differences, np.float32).reshape(wide_a.shape)
    assert_close(Tensor(a) - Tensor(b), expected, f"shape {a.shape} - shape {b.shape}")


def test_operands_that_do_not_broadcast():
    """Shapes that do not broadcast are an error that shows both."""
    two, three = Tensor(np.ones((3, 2))), Tensor(np.ones(3))
    assert_close(two * two, np.ones((3, 2)), "the product of equal shapes")
    with raises(ShapeError, (3, 2), (3,)):
        two * three


# Numbers on either side


@pytest.mark.parametrize("python", [python for _, python in ARITHMETIC.values()], ids=ARITHMETIC)
def test_a_python_number_beside_a_tensor(python):
    """A Python number on either side works as an operand and leaves a float32 Tensor float32."""
    entries = [0.5, 2.0, 4.0]
    x = Tensor(np.array(entries, np.float32))
    right, left = [python(v, 1.5) for v in entries], [python(3, v) for v in entries]
    assert_close(python(x, 1.5), np.array(right, np.float32), "x with 1.5 on its right")
    assert_close(python(3, x), np.array(left, np.float32), "x with 3 on its left")


def test_numpy_beside_a_tensor():
    """A NumPy scalar counts as a Python number; a whole NumPy array beside a Tensor is a TypeError, not a guess."""
    x = Tensor(np.array([1.0, 2.0], np.float32))
    assert_close(x * np.float64(0.5), np.array([0.5, 1.0], np.float32), "x * np.float64(0.5)")
    assert_close(np.float64(0.5) * x, np.array([0.5, 1.0], np.float32), "np.float64(0.5) * x")
    with raises(TypeError, "ndarray"):
        np.ones(2) * x


# The dtype of the result


@pytest.mark.parametrize("function", [add, sub, mul, floor_divide, remainder, pow])
def test_dtypes_promote_as_in_pytorch(function):
    """int64 with float32 is float32 (NumPy would say float64), int32 with int64 is int64."""
    int_32, int_64 = Tensor(np.array([4], np.int32)), Tensor(np.array([2], np.int64))
    float_32, float_64 = Tensor(np.array([2], np.float32)), Tensor(np.array([2], np.float64))
    at_four_and_two = {add: 6, sub: 2, mul: 8, floor_divide: 2, remainder: 0, pow: 16}[function]
    for other, dtype in ((int_64, np.int64), (float_32, np.float32), (float_64, np.float64)):
        what = f"{function.__name__} of int32 and {other.data.dtype}"
        assert_close(function(int_32, other), np.array([at_four_and_two], dtype), what)


@pytest.mark.parametrize(
    "a, b, dtype",
    [
        (np.ones(2, np.float32), np.array(2, np.float64), "float32"),
        (np.array(2, np.float64), np.ones(2, np.float32), "float32"),
        (np.ones(2, np.int32), np.array(2, np.int64), "int32"),
        (np.ones(2, np.int64), np.array(2, np.float64), "float64"),
        (np.ones((), np.float32), np.array(2, np.float64), "float64"),
        (np.ones(2, np.float16), np.ones(2, np.int64) * 2, "float16"),
        (np.ones(2, np.bool_), np.ones(2, np.uint8) * 2, "uint8"),
        (np.ones(2, np.uint8), np.ones(2, np.int8) * 2, "int16"),
    ],
    ids=lambda each: f"{each.dtype}{each.shape}" if isinstance(each, np.ndarray) else each,
)
def test_promotion_case_by_case(a, b, dtype):
    """A 0-d Tensor widens another only from integer to float; use `promote`, which knows the rules."""
    assert_close(Tensor(a) * Tensor(b), np.full(np.broadcast_shapes(a.shape, b.shape), 2, dtype), "a * b")


@pytest.mark.parametrize(
    "x, number, dtype",
    [
        (np.array([2], np.float32), 0.5, "float32"),
        (np.array([2], np.float16), 3, "float16"),
        (np.array([2], np.int32), 3, "int32"),
        (np.array([2], np.int32), 0.5, "float32"),
        (np.array([True]), 3, "int64"),
        (np.array([True]), 0.5, "float32"),
        (np.array([2], np.uint8), True, "uint8"),
    ],
    ids=lambda each: str(each.dtype) if isinstance(each, np.ndarray) else str(each),
)
def test_python_numbers_promote_only_upwards(x, number, dtype):
    """A Python number changes the dtype only from bool to integer, or from integer to float32."""
    assert_close(Tensor(x) + number, np.array([x[0].item() + number], dtype), f"{x.dtype} + {number}")


def test_division_of_integers():
    """7 / 2 of two integer Tensors is 3.5 in float32; // and % stay integers."""
    a, b = Tensor(np.array([7, -7, 6])), Tensor(np.array([2, 2, 3]))
    assert_close(a / b, np.array([3.5, -3.5, 2.0], np.float32), "a / b")
    assert_close(a / 2, np.array([3.5, -3.5, 3.0], np.float32), "a / 2")
    assert_close(a / Tensor(np.array([2.0, 2.0, 3.0])), np.array([3.5, -3.5, 2.0]), "int64 / float64")
    assert_close(a // b, np.array([3, -4, 2]), "a // b")
    assert_close(a % b, np.array([1, 1, 0]), "a % b")


@pytest.mark.parametrize(
    "a, b, expected",
    [
        (np.ones(1, np.float16), np.array([2]), np.array([0.5], np.float16)),
        (np.ones(1, np.float32), np.array(2, np.float64), np.array([0.5], np.float32)),
        (np.array([2**24 + 1]), np.array(1, np.float64), np.array([2**24 + 1], np.float64)),
    ],
    ids=["float16 by int64", "float32 by 0-d float64", "int64 by 0-d float64"],
)
def test_division_promotes(a, b, expected):
    """Division follows the same rules before anything becomes float32: float16 / int64 is float16."""
    assert_close(Tensor(a) / Tensor(b), expected, "a / b")


@pytest.mark.parametrize("sign", [1, -1], ids=["b above 0", "b below 0"])
def test_floor_divide_and_remainder_belong_together(sign):
    """a // b rounds down, also below zero, and a % b is what is then left over, with the sign of b."""
    a, b = np.arange(-7, 8), np.arange(1, 5)[:, None] * sign
    down = np.array([[x // y for x in a.tolist()] for y in b.ravel().tolist()])
    left = np.array([[x % y for x in a.tolist()] for y in b.ravel().tolist()])
    assert_close(floor_divide(Tensor(a), Tensor(b)), down, "a // b")
    assert_close(remainder(Tensor(a), Tensor(b)), left, "a % b")


def test_division_by_zero_is_no_accident():
    """1 / 0 is inf, -1 / 0 is -inf and 0 / 0 is nan, without an error or a warning; pow(0, -1) is inf."""
    a, zero = Tensor(np.array([1, -1, 0], np.float32)), Tensor(np.zeros(3, np.float32))
    inf, nan = float("inf"), float("nan")
    with no_warnings():
        assert_close(a / zero, np.array([inf, -inf, nan], np.float32), "a / 0")
        assert_close(Tensor(np.array([1, 0])) / 0, np.array([inf, nan], np.float32), "integers / 0")
        assert_close(a // zero, np.array([inf, -inf, nan], np.float32), "a // 0")
        assert_close(a % zero, np.array([nan, nan, nan], np.float32), "a % 0")
        assert_close(zero**-1, np.array([inf, inf, inf], np.float32), "0 ** -1")


# Comparisons


@pytest.mark.parametrize("function, python", COMPARISONS.values(), ids=COMPARISONS)
def test_comparison_entry_by_entry(function, python):
    """lt(a, b), and so a < b, is a Tensor of booleans, with broadcasting, numbers and nan; so are its five siblings."""
    a, b = [[1.0], [2.0], [float("nan")]], [1.0, 1.5, 2.0, float("nan")]
    expected = np.array([[python(x, y) for y in b] for (x,) in a])
    x, y = Tensor(np.array(a, np.float32)), Tensor(np.array(b, np.float32))
    with no_warnings():
        assert_close(function(x, y), expected, f"{function.__name__}(a, b)")
        assert_close(python(x, y), expected, "the operator")
    assert_close(python(y, 1.5), np.array([python(v, 1.5) for v in b]), "the operator with 1.5")
    mixed = function(Tensor(np.array([1, 2])), Tensor(np.array([1.5, 1.5], np.float32)))
    assert_close(mixed, np.array([python(1, 1.5), python(2, 1.5)]), "the comparison of int64 with float32")


@pytest.mark.parametrize("function, python", COMPARISONS.values(), ids=COMPARISONS)
def test_comparison_promotes(function, python):
    """A comparison promotes before it compares: beside float32, 2**24 + 1 is 2**24, and a 0-d 0.1 is float32's 0.1."""
    same = np.array([python(1, 1)])
    whole, rounded = Tensor(np.array([2**24 + 1])), Tensor(np.array([2**24], np.float32))
    assert_close(function(whole, rounded), same, f"{function.__name__}(int64 2**24 + 1, float32 2**24)")
    assert_close(function(rounded, whole), same, f"{function.__name__}(float32 2**24, int64 2**24 + 1)")
    assert_close(function(rounded, whole), same, f"{function.__name__}(float32 2**24, int64 2**24 + 1)")
    tenth, precise = Tensor(np.array([0.1], np.float32)), Tensor(np.array(0.1))
    assert_close(function(tenth, precise), same, f"{function.__name__}(float32 0.1, 0-d float64 0.1)")
    assert_close(function(precise, tenth), same, f"{function.__name__}(0-d float64 0.1, float32 0.1)")


# Logic


@pytest.mark.parametrize(
    "function, python",
    [(bitwise_and, operator.and_), (bitwise_or, operator.or_)],
    ids=["bitwise_and", "bitwise_or"],
)
def test_and_or_of_booleans_and_bits(function, python):
    """a & b and a | b combine booleans, and integers bit by bit, with broadcasting and promotion."""
    booleans = np.array([False, True])
    table = np.array([[python(p, q) for q in (False, True)] for p in (False, True)])
    assert_close(function(Tensor(booleans[:, None]), Tensor(booleans)), table, f"{function.__name__}(p, q)")
    six, three = Tensor(np.array([6, 4])), Tensor(np.array([3, 1]))
    assert_close(python(six, three), np.array([python(6, 3), python(4, 1)]), "the operator for integers")
    assert_close(python(six, 3), np.array([python(6, 3), python(4, 3)]), "the operator with 3")
    small, number = Tensor(np.array([6], np.uint8)), Tensor(np.array(3, np.int64))
    assert_close(
        python(small, number), np.array([python(6, 3)], np.uint8), "the operator with uint8 and 0-d int64"
    )


def test_not_of_booleans_and_bits():
    """~a is not a for booleans; for integers every bit flips, so that ~5 is -6."""
    assert_close(~Tensor(np.array([False, True])), np.array([True, False]), "~a of booleans")
    assert_close(~Tensor(np.array([5, 0, -1])), np.array([-6, -1, 0]), "~a of integers")
