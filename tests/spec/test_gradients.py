"""gradcheck: right gradients pass, each misconception is named, and nothing is claimed that is not so."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from dojo.spec import gradcheck, numerical_gradient
from dojo.spec.strategies import arrays_of, broadcastable_shapes, off_kinks, shapes

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
W = np.array([[1.0, 2.0], [-0.5, 3.0], [0.25, -2.0]])
B = np.array([1.0, -2.0, 0.5])
SQUARE = np.array([[1.0, -2.0], [3.0, 0.5]])
OTHER = np.array([[0.5, 1.5], [-1.0, 2.0]])


def says(forward: Any, backward: Any, *inputs: Any, **kwargs: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        gradcheck(forward, backward, *inputs, **kwargs)
    return str(caught.value)


def mul(a: Any, b: Any) -> Any:
    return a * b


def exp(x: Any) -> Any:  # an older NumPy's has no signature, and so no name for x
    return np.exp(x)


def tanh(x: Any) -> Any:
    return np.tanh(x)


def fit(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Summed over the broadcast axes: the oracle of these tests, by brute force."""
    out = np.zeros(shape)
    for index in np.ndindex(gradient.shape):
        own = index[len(index) - len(shape) :]
        out[tuple(i if n > 1 else 0 for i, n in zip(own, shape, strict=True))] += gradient[index]
    return out


# Right ones pass ----------------------------------------------------------------------------------------


RIGHT: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = {
    "mul": (mul, lambda g, a, b: (g * b, g * a), (X, X + 1)),
    "broadcast": (mul, lambda g, a, b: (g * b, (g * a).sum(0)), (X, B)),
    "matmul": (lambda a, b: a @ b, lambda g, a, b: (g @ b.T, a.T @ g), (X, W)),
    "0-d": (np.exp, lambda g, x: g * np.exp(x), (np.array(0.5),)),
    "0-d as NumPy's numbers": (lambda x: np.float64(x) ** 2, lambda g, x: np.float64(2 * g * x), (1.5,)),
    "zero-size": (np.exp, lambda g, x: g * np.exp(x), (np.zeros((0, 3)),)),
    "a reduction of nothing": (lambda x: x.sum(0), lambda g, x: np.zeros_like(x), (np.zeros((0, 3)),)),
    "a constant": (lambda x: x * 0 + 1, lambda g, x: g * 0, (X,)),
    "a sum of softmax": (
        lambda x: np.sum(np.exp(x) / np.exp(x).sum()),
        lambda g, x: np.zeros_like(x),
        (X,),
    ),
    "tiny gradients": (lambda x: np.exp(x - 200), lambda g, x: g * np.exp(x - 200), (X,)),
    "large outputs": (lambda x: 1e6 + x * x, lambda g, x: 2 * g * x, (X,)),
    "float32 inputs": (np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), (X.astype(np.float32),)),
    "lists": (mul, lambda g, a, b: [g * b, g * a], ([1.0, 2.0], [3.0, 4.0])),
    "an integer input": (lambda x, i: x[i], lambda g, x, i: (index_add(g, i, x.shape), None), (X, [1, 0, 1])),
    "the upstream itself": (lambda x: x + 1, lambda g, x: g, (X,)),
}


def index_add(g: Any, i: Any, shape: Any) -> Any:
    out = np.zeros(shape)
    np.add.at(out, i, g)
    return out


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_right_gradient_passes(name: str, seed: int) -> None:
    forward, backward, inputs = RIGHT[name]
    gradcheck(forward, backward, *inputs, seed=seed)


@given(arrays_of(broadcastable_shapes(2)))
def test_any_broadcast_product_passes(ab: Any) -> None:
    gradcheck(mul, lambda g, a, b: (fit(g * b, a.shape), fit(g * a, b.shape)), *ab)


@given(off_kinks(shapes()))
def test_relu_off_its_kink_passes(x: Any) -> None:
    gradcheck(lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0), x)


def test_tensors_serve_as_well_as_arrays() -> None:
    def tensor(data: Any) -> Any:
        return SimpleNamespace(data=data)

    gradcheck(lambda a, b: tensor(a * b), lambda g, a, b: (tensor(g * b), tensor(g * a)), X, X + 1)


def test_numerical_gradient_is_that_of_the_weighted_sum() -> None:
    cotangent = np.array([2.0, -1.0])
    found = numerical_gradient(lambda a, b: a @ b, [W.T, B], 1, cotangent)
    np.testing.assert_allclose(found, W @ cotangent, rtol=1e-8)


# Misconceptions -----------------------------------------------------------------------------------------


MISTAKES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...], str]] = {
    "forgot the upstream": (
        mul,
        lambda g, a, b: (b, g * a),
        (X, X + 1),
        "the gradient of a equals the gradient for an upstream of all ones: "
        "did you forget to multiply by the upstream gradient?",
    ),
    "ignores the upstream, and is wrong besides": (
        tanh,
        lambda g, x: 1 - np.tanh(x),
        (X,),
        "the gradient of x does not change with the upstream gradient: did you forget to multiply by it?",
    ),
    "only the upstream": (
        tanh,
        lambda g, x: g,
        (X,),
        "is the upstream gradient itself: multiply it by the derivative of forward",
    ),
    "not summed over the broadcast axis": (
        mul,
        lambda g, a, b: (g * b, g * a),
        (X, B),
        "the gradient of b has shape (2, 3) but the input has shape (3,): sum over the broadcast axes",
    ),
    "not summed where the input is 1 long": (
        mul,
        lambda g, a, b: (g * b, g * a),
        (X, B[:2, None]),
        "the gradient of b has shape (2, 3) but the input has shape (2, 1): sum over the broadcast axes",
    ),
    "not summed, and wrong": (
        mul,
        lambda g, a, b: (g * b, 2 * g * a),
        (X, B),
        "has shape (2, 3) but the input has shape (3,): sum over the broadcast axes, and its values are wrong too",
    ),
    "keepdims forgotten": (
        mul,
        lambda g, a, b: (g * b, (g * a).sum(1)),
        (X, B[:2, None]),
        "has shape (2,) but the input has shape (2, 1): the numbers are right, reshape them",
    ),
    "another shape": (
        mul,
        lambda g, a, b: (g * b, np.zeros(5)),
        (X, B),
        "the gradient of b has shape (5,) but the input has shape (3,)",
    ),
    "twice": (mul, lambda g, a, b: (2 * g * b, g * a), (X, X + 1), "is 2 times too large everywhere"),
    "a third": (mul, lambda g, a, b: (g * b / 7, g * a), (X, X + 1), "is 7 times too small everywhere"),
    "an odd factor": (
        mul,
        lambda g, a, b: (g * b * 1.37, 0),
        (X, X + 1),
        "is 1.37 times too large everywhere",
    ),
    "a negative factor": (
        mul,
        lambda g, a, b: (g * b * -2, g * a),
        (X, X + 1),
        "is 2 times too large everywhere, with the wrong sign",
    ),
    "the division of a mean forgotten": (
        lambda x: x.mean(axis=1) ** 2,
        lambda g, x: (2 * g * x.mean(axis=1))[:, None] * np.ones_like(x),
        (X,),
        "is 3 times too large everywhere (axis 1 of x has length 3)",
    ),
    "a mean for a sum": (
        lambda x: (x**2).sum(),
        lambda g, x: 2 * g * x / x.size,
        (X,),
        "is 6 times too small everywhere (x has 6 entries)",
    ),
    "the sign forgotten": (
        np.subtract,
        lambda g, a, b: (g, g),
        (X, X + 1),
        "is the upstream gradient itself",
    ),
    "wrong sign": (
        mul,
        lambda g, a, b: (g * b, -g * a),
        (X, X + 1),
        "the gradient of b has the wrong sign everywhere",
    ),
    "all zeros": (
        mul,
        lambda g, a, b: (g * b, np.zeros_like(b)),
        (X, B),
        "the gradient of b is all zeros: backward never reached this input",
    ),
    "zeros for tiny gradients": (
        lambda x: np.exp(x - 200),
        lambda g, x: 0 * x,
        (X,),
        "is all zeros: backward never reached this input",
    ),
    "None": (
        mul,
        lambda g, a, b: (g * b, None),
        (X, X + 1),
        "the gradient of b is None: backward never reached it",
    ),
    "transposed": (
        lambda a, b: a @ b,
        lambda g, a, b: (b @ g.T, a.T @ g),
        (SQUARE, OTHER),
        "the gradient of a is the transpose of the right answer",
    ),
    "transposed shape": (
        lambda a, b: a @ b,
        lambda g, a, b: (g @ b.T, g.T @ a),
        (X, W),
        "the gradient of b has shape (2, 3) but the input has shape (3, 2): it is the transpose of the right answer",
    ),
    "last axes swapped": (
        lambda a, b: a @ b,
        lambda g, a, b: ((g @ b.swapaxes(-1, -2)).swapaxes(-1, -2), a.swapaxes(-1, -2) @ g),
        (np.stack([SQUARE, OTHER]), np.stack([OTHER, SQUARE + 1])),
        "the gradient of a is the right answer with its last two axes swapped",
    ),
    "swapped": (
        mul,
        lambda g, a, b: (g * a, g * b),
        (X, X + 1),
        "the gradient of a is the gradient of b: are the two swapped?",
    ),
    "swapped, with other shapes": (
        lambda a, b: a @ b,
        lambda g, a, b: (a.T @ g, g @ b.T),
        (np.ones((2, 4)) * 0.5, W[:, :1].repeat(2, 1)[[0, 1, 2, 0]]),
        "has shape (4, 2) but the input has shape (2, 4): it is the gradient of b; are the two swapped?",
    ),
    "one branch wrong": (
        lambda x: np.where(x > 0, x, 0.1 * x),
        lambda g, x: np.where(x > 0, g, g),
        (X,),
        "is the upstream gradient itself",
    ),
    "the negative branch 0": (
        lambda x: np.where(x > 0, x, 0.1 * x),
        lambda g, x: np.where(x > 0, g, 0),
        (X,),
        "the gradient of x is right except where x is negative",
    ),
    "the clamped tail": (
        lambda x: np.clip(x * x, 0, 1),
        lambda g, x: 2 * g * x,
        (X + 0.125,),
        "the gradient of x is right except where |x| is more than 1",
    ),
    "not accumulated": (
        lambda x: x[[0, 1, 1]],
        lambda g, x: assigned(g, x.shape),
        (np.array([1.0, 2.0, 4.0]),),
        "is right except where the index along axis 0 is 1",
    ),
    "zeros here and there": (
        lambda x: x**3,
        lambda g, x: 3 * g * x * x * np.array([[0, 1, 1], [1, 1, 0]]),
        (X,),
        "is right except where it is 0 and should not be (2 of 6 entries)",
    ),
    "permuted": (
        lambda x: x**3,
        lambda g, x: (3 * g * x * x)[:, [1, 2, 0]],
        (X,),
        "the gradient of x has the right numbers in the wrong places",
    ),
    "nan": (
        np.abs,
        lambda g, x: np.where(x == 0, np.nan, g),
        (np.array([1.0, 0.0]),),
        "is nan or infinite in 1 of 2 entries",
    ),
    "nothing known": (
        tanh,
        lambda g, x: g * (1 - np.tanh(x)),
        (X,),
        "the gradient of x is wrong\nyour gradient of x: 6 of 6 entries wrong, first at [0, 0]: yours",
    ),
    "float32": (
        mul,
        lambda g, a, b: ((g * b).astype(np.float32), g * a),
        (X, X + 1),
        "the gradient of a has dtype float32 for a float64 input: keep the dtype of the inputs",
    ),
    "too few": (
        mul,
        lambda g, a, b: g * b,
        (X, X + 1),
        "backward returned 1 gradient, expected 2: one each for a, b",
    ),
    "no return": (mul, lambda g, a, b: None, (X, X + 1), "backward returned None: is a `return` missing?"),
    "text": (exp, lambda g, x: "text", (X,), "the gradient of x is 'text' (a str), expected an array"),
}


def test_a_small_entry_is_measured_against_itself() -> None:
    """A slope of 2e-6 beside one of 20: the tolerance of the large one would hide any mistake in the small one."""
    x = np.array([10.0, 1e-6])
    gradcheck(lambda x: x * x, lambda g, x: 2 * g * x, x)
    text = says(lambda x: x * x, lambda g, x: g * np.where(x < 1, 0, 2 * x), x)
    assert "1 of 2 entries wrong, at [1]" in text


def test_nan_is_no_gradient() -> None:
    """Where forward gives nan or infinity, nothing can be compared: that is said, and no gradient passes."""
    with np.errstate(all="ignore"):
        for forward in (np.sqrt, lambda x: x / np.where(x < 0, 0, 1)):
            text = says(forward, lambda g, x: g * np.nan, np.array([1.0, -1.0]))
            assert "forward has no finite difference for" in text and "nan or infinity" in text


def assigned(g: Any, shape: Any) -> Any:
    out = np.zeros(shape)
    out[[0, 1, 1]] = g
    return out


@pytest.mark.parametrize("name", MISTAKES)
def test_the_first_line_names_the_misconception(name: str) -> None:
    forward, backward, inputs, message = MISTAKES[name]
    text = says(forward, backward, *inputs)
    assert message in text
    assert message.splitlines()[0] in text.splitlines()[0]


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_caught_whatever_the_seed(name: str) -> None:
    forward, backward, inputs, _ = MISTAKES[name]
    for seed in (1, 2, 3):
        says(forward, backward, *inputs, seed=seed)


def test_then_come_counts_and_the_numbers() -> None:
    def backward(g: Any, a: Any, b: Any) -> Any:
        return g * b, g * np.array([2.0, 3.0])

    text = says(mul, backward, np.array([2.0, 5.0]), np.array([4.0, 1.0]))
    lines = text.splitlines()
    assert lines[0].startswith("the gradient of b ")
    assert lines[1].startswith("your gradient of b: 1 of 2 entries wrong, at [1]: yours ")
    assert ", finite difference " in lines[1]
    assert [line.split(":")[0].strip() for line in lines[2:]] == ["yours", "expected", "upstream"]


def test_other_wrong_inputs_are_mentioned() -> None:
    text = says(mul, lambda g, a, b: (2 * g * b, 3 * g * a), X, X + 1)
    assert "the gradient of a is 2 times too large" in text
    assert "\nthe gradient of b is wrong too" in text


def test_a_single_entry_is_not_said_to_be_off_by_an_odd_factor() -> None:
    text = says(exp, lambda g, x: 1.37 * g * np.exp(x), np.array([1.0]))
    assert "times too" not in text
    assert text.startswith("the gradient of x is wrong\nyour gradient of x is ")


def test_names_come_from_forward_or_are_given() -> None:
    def wrong(g: Any, *xs: Any) -> Any:
        return tuple(0 * x for x in xs)

    assert "of weight is" in says(lambda weight: weight * 2, wrong, X)
    assert "of input 0 is" in says(lambda *xs: xs[0] * 2, wrong, X)
    assert "of w is" in says(lambda *xs: xs[0] * 2, wrong, X, names=["w"])


def test_a_forward_in_float32_is_a_failure_of_its_own() -> None:
    text = says(lambda x: (x * 2).astype(np.float32), lambda g, x: 2 * g, X)
    assert text.startswith("forward made float32 of float64 inputs, so its gradient cannot be checked")


def test_changing_what_was_given_is_a_failure() -> None:
    def forward(x: Any) -> Any:
        x *= 2
        return x

    def double(g: Any, x: Any) -> Any:
        g *= 2
        return g

    def spoil(g: Any, x: Any) -> Any:
        x += 1
        return 2 * g

    assert "forward changed its input x in place" in says(forward, lambda g, x: 2 * g, X)
    assert "backward changed the upstream gradient in place" in says(lambda x: x * 2, double, X)
    assert "backward changed x in place" in says(lambda x: x * 2, spoil, X)


def test_errors_of_the_students_pass_through() -> None:
    def unwritten(*_: Any) -> Any:
        raise NotImplementedError("kata 03: relu_backward")

    with pytest.raises(NotImplementedError, match="kata 03"):
        gradcheck(np.exp, unwritten, X)
    with pytest.raises(NotImplementedError, match="kata 03"):
        gradcheck(unwritten, np.exp, X)


def test_without_a_floating_point_input_there_is_nothing_to_check() -> None:
    with pytest.raises(TypeError, match="floating-point"):
        gradcheck(lambda i: i * 1.0, lambda g, i: None, np.array([1, 2]))
