"""A gradient checker that names the misconception, not only the mismatch.

`backward` is compared with central differences of `forward`, in float64, for a random upstream gradient.
If it is wrong, each well-known mistake is computed, and named only if it gives exactly the wrong numbers
that were returned.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dojo.spec.close import array_of, both, difference
from dojo.spec.device import Array, to_numpy

STEP = 2.0**-19
"""The step of the differences. A power of two, so that x + STEP and x - STEP are exact for small multiples of 1/4."""


UNCONFIRMED = 64
"""Where a gradient is 0, finite differences give rounding noise of `forward`, and another step gives other noise. An
error of up to this many times the difference between the two is tolerated."""


def gradcheck(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *inputs: Any,
    names: Sequence[str] | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-10,
    seed: int = 0,
) -> None:
    """Check that `backward` is the gradient of `forward` at `inputs`.

    `forward(*inputs)` gives one array or Tensor. `backward(grad, *inputs)` gives one gradient an input: a
    tuple, or the array itself where there is one input. Both are called with float64 copies of the inputs;
    integer and boolean inputs are passed as they are, and their gradient is None. Each entry is measured against
    itself: `atol`, relative to the largest entry of a gradient, is for the rounding of `backward` alone. `names`
    are those of forward's parameters where none are given.
    """
    __tracebackhide__ = True
    arrays = [_as_double(x) for x in inputs]
    checked = [i for i, x in enumerate(arrays) if x.dtype == np.float64]
    if not checked:
        raise TypeError("gradcheck needs at least one floating-point input")
    names = list(names) if names else parameter_names(forward, len(arrays))
    upstream = _upstream(_forward(forward, arrays, names), seed)
    returned = _backward(backward, upstream, arrays, names)

    check = Check(forward, backward, arrays, names, upstream, returned, rtol, atol)
    wrong = [i for i in checked if not check.passes(i)]
    if wrong:
        raise AssertionError("\n".join(check.report(wrong[0], wrong)))


def numerical_gradient(
    forward: Callable[..., Any], inputs: Sequence[Any], index: int, cotangent: Any
) -> Array:
    """The gradient of sum(cotangent * forward(*inputs)) for `inputs[index]`, by central differences."""
    arrays = [_as_double(x) for x in inputs]
    return _differences(forward, arrays, index, to_numpy(cotangent))[0]


def _differences(
    forward: Callable[..., Any], arrays: list[Array], index: int, cotangent: Array, h: float = STEP
) -> tuple[Array, Array]:
    """The gradient, and how far rounding in the outputs of `forward` may have moved it."""
    x = arrays[index]
    gradient = np.zeros(x.shape)
    noise = np.zeros(x.shape)
    with np.errstate(all="ignore"):
        for i in np.ndindex(x.shape):
            moved = []
            for step in (h, -h):
                fresh = [a.copy() for a in arrays]
                fresh[index][i] += step
                moved.append(to_numpy(forward(*fresh)).astype(np.float64))
            change = moved[0] - moved[1]
            size = np.abs(moved[0]) + np.abs(moved[1])
            gradient[i] = (cotangent * change).sum() / (2 * h)
            noise[i] = (np.abs(cotangent) * size).sum() * np.finfo(np.float64).eps / h
    return gradient, noise


# Calling the student's code -----------------------------------------------------------------------------


def _forward(forward: Callable[..., Any], arrays: list[Array], names: Sequence[str]) -> Array:
    __tracebackhide__ = True
    given = [x.copy() for x in arrays]
    out = array_of(forward(*given), "the result of forward")
    for name, old, new in zip(names, arrays, given, strict=True):
        if old.tobytes() != new.tobytes():
            raise AssertionError(f"forward changed its input {name} in place{both(before=old, after=new)}")
    if out.dtype != np.float64:
        raise AssertionError(
            f"forward made {out.dtype} of float64 inputs, so its gradient cannot be checked: "
            "keep the dtype of the inputs (is there an astype, a dtype= or a float32 constant?)"
        )
    return out.copy()


def _backward(
    backward: Callable[..., Any], upstream: Array, arrays: list[Array], names: Sequence[str]
) -> list[Array | None]:
    """One gradient an input; None for an input that is not floating point."""
    __tracebackhide__ = True
    given = [x.copy() for x in (upstream, *arrays)]
    result = backward(*given)
    for name, old, new in zip(("the upstream gradient", *names), (upstream, *arrays), given, strict=True):
        if old.tobytes() != new.tobytes():
            raise AssertionError(
                f"backward changed {name} in place: others still need it{both(before=old, after=new)}"
            )
    if result is None:
        raise AssertionError("backward returned None: is a `return` missing?")
    gradients = list(result) if isinstance(result, (tuple, list)) else [result]
    if len(gradients) != len(arrays):
        raise AssertionError(
            f"backward returned {len(gradients)} gradient{'s' * (len(gradients) != 1)}, "
            f"expected {len(arrays)}: one each for {', '.join(names)}"
        )
    copies: list[Array | None] = []
    for name, x, gradient in zip(names, arrays, gradients, strict=True):
        if gradient is not None:
            copies.append(array_of(gradient, f"the gradient of {name}").copy())
        elif x.dtype != np.float64:
            copies.append(None)
        else:
            raise AssertionError(f"the gradient of {name} is None: backward never reached it")
    return copies


def _as_double(value: Any) -> Array:
    array = to_numpy(value)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _upstream(out: Array, seed: int) -> Array:
    """Random, not near 0, and of both signs."""
    rng = np.random.default_rng(seed)
    signs = rng.permutation(np.arange(out.size) % 2 * 2.0 - 1.0).reshape(out.shape)
    return np.asarray(signs * rng.uniform(0.5, 2.5, out.shape))


def parameter_names(forward: Callable[..., Any], count: int) -> list[str]:
    """What the first `count` parameters of a function are called, as far as it says."""
    try:
        names = [p.name for p in inspect.signature(forward).parameters.values() if p.kind <= 1]
    except (TypeError, ValueError):
        names = []
    return names[:count] if len(names) >= count else [f"input {i}" for i in range(count)]


# Saying what is wrong -----------------------------------------------------------------------------------


@dataclass
class Check:
    """One call of gradcheck: what was called, and what it returned."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    arrays: list[Array]
    names: Sequence[str]
    upstream: Array
    returned: list[Array | None]
    rtol: float
    atol: float
    known: dict[int, tuple[Array, Array]] = field(default_factory=dict)

    def expected(self, index: int) -> tuple[Array, Array]:
        """The finite differences for one input, and how far a right gradient may be from them."""
        if index not in self.known:
            self.known[index] = self.for_upstream(index, self.upstream)
        return self.known[index]

    def for_upstream(self, index: int, upstream: Array) -> tuple[Array, Array]:
        gradient, noise = _differences(self.forward, self.arrays, index, upstream)
        if np.isnan(gradient).any():
            raise AssertionError(
                f"forward has no finite difference for {self.names[index]}: it gives nan or infinity there, "
                f"and no gradient can be compared{both(**{self.names[index]: self.arrays[index]})}"
            )
        size = np.abs(gradient)
        largest = size.max(initial=0.0, where=np.isfinite(size))
        return gradient, self.rtol * size + self.atol * largest + noise

    def passes(self, index: int) -> bool:
        mine = self.returned[index]
        right, allowed = self.expected(index)
        if mine is None or mine.shape != right.shape or mine.dtype != np.float64:
            return False
        if _within(mine, right, allowed).all():
            return True
        again, _ = _differences(self.forward, self.arrays, index, self.upstream, 2 * STEP)
        self.known[index] = right, allowed + UNCONFIRMED * np.abs(right - again)
        return bool(_within(mine, *self.known[index]).all())

    def report(self, index: int, wrong: list[int]) -> list[str]:
        """The misconception in the first line, then counts, then the numbers."""
        mine, name = self.returned[index], self.names[index]
        right, allowed = self.expected(index)
        assert mine is not None
        lines = [f"the gradient of {name} {self.diagnosis(index, mine, right, allowed)}"]
        if mine.shape == right.shape:
            bad = ~_within(mine, right, allowed)
            if bad.any():
                lines.append(difference(bad, mine, right, f"your gradient of {name}", "finite difference"))
        for other in wrong[1:]:
            lines.append(f"the gradient of {self.names[other]} is wrong too")
        shown = both(yours=mine, expected=right) + both(upstream=self.upstream)
        return lines + shown.lstrip("\n").splitlines()

    def diagnosis(self, index: int, mine: Array, right: Array, allowed: Array) -> str:
        if mine.shape != right.shape:
            return self._wrong_shape(index, mine, right, allowed)
        if mine.dtype != np.float64:
            return f"has dtype {mine.dtype} for a float64 input: keep the dtype of the inputs"
        for claim in self._misconceptions(index, mine, right, allowed):
            return claim
        return "is wrong"

    def _wrong_shape(self, index: int, mine: Array, right: Array, allowed: Array) -> str:
        said = f"has shape {mine.shape} but the input has shape {right.shape}"
        for other, name in self._others(index):
            if _equal(mine, *self.expected(other)):
                return f"{said}: it is the gradient of {name}; are the two swapped?"
        if mine.ndim > 1 and _equal(mine.T, right, allowed):
            return f"{said}: it is the transpose of the right answer"
        if mine.ndim > 1 and _equal(mine.swapaxes(-1, -2), right, allowed):
            return f"{said}: it is the right answer with its last two axes swapped"
        if _broadcasts(right.shape, mine.shape):
            summed = _unbroadcast(mine, right.shape)
            said = f"{said}: sum over the broadcast axes"
            return said if _equal(summed, right, allowed) else f"{said}, and its values are wrong too"
        if mine.size == right.size and _equal(mine.reshape(right.shape), right, allowed):
            return f"{said}: the numbers are right, reshape them"
        return said

    def _misconceptions(self, index: int, mine: Array, right: Array, allowed: Array) -> Iterator[str]:
        """Sentences that are true of the wrong gradient, the most helpful first."""
        if not np.isfinite(mine).all() and np.isfinite(right).all():
            count = np.count_nonzero(~np.isfinite(mine))
            yield f"is nan or infinite in {count} of {mine.size} entries"
        if not mine.any():
            yield "is all zeros: backward never reached this input"
        ones = np.ones_like(self.upstream)
        if _equal(mine, *self.for_upstream(index, ones)):
            yield (
                "equals the gradient for an upstream of all ones: "
                "did you forget to multiply by the upstream gradient?"
            )
        if _equal(mine, self.upstream, 0.0):
            yield "is the upstream gradient itself: multiply it by the derivative of forward"
        if _equal(mine, -right, allowed):
            yield "has the wrong sign everywhere"
        if (factor := _factor(mine, right, allowed)) is not None:
            yield factor + self._where_from(mine, right)
        for other, name in self._others(index):
            if _equal(mine, *self.expected(other)):
                yield f"is the gradient of {name}: are the two swapped?"
        if mine.ndim > 1 and _equal(mine.T, right, allowed):
            yield "is the transpose of the right answer"
        if mine.ndim > 2 and _equal(mine.swapaxes(-1, -2), right, allowed):
            yield "is the right answer with its last two axes swapped"
        if self._ignores_upstream(index, mine):
            yield "does not change with the upstream gradient: did you forget to multiply by it?"
        bad = ~_within(mine, right, allowed)
        if not bad.all():
            for where, mask in _regions(self.names[index], self.arrays[index], mine, right):
                if np.array_equal(bad, mask):
                    yield f"is right except where {where}"
        if mine.size > 1 and _equal(np.sort(mine, None), np.sort(right, None), allowed.max(initial=0.0)):
            yield "has the right numbers in the wrong places"

    def _others(self, index: int) -> Iterator[tuple[int, str]]:
        for i, x in enumerate(self.arrays):
            if i != index and x.dtype == np.float64:
                yield i, self.names[i]

    def _where_from(self, mine: Array, right: Array) -> str:
        """Which number of entries the factor equals, if any: a mean forgotten, or one too many."""
        largest = np.unravel_index(np.abs(right).argmax(), right.shape)
        factor = mine[largest] / right[largest]
        for name, x in (*zip(self.names, self.arrays, strict=True), ("the result", self.upstream)):
            counts = {f"{name} has {x.size} entries": x.size}
            counts |= {f"axis {axis} of {name} has length {n}": n for axis, n in enumerate(x.shape)}
            for text, n in counts.items():
                if n > 1 and (np.isclose(factor, n) or np.isclose(factor, 1 / n)):
                    return f" ({text})"
        return ""

    def _ignores_upstream(self, index: int, mine: Array) -> bool:
        """Whether backward gives the same result for another upstream gradient."""
        given = [x.copy() for x in (-2.0 * self.upstream, *self.arrays)]
        result = self.backward(*given)
        again = result[index] if isinstance(result, (tuple, list)) else result
        return again is not None and np.array_equal(mine, to_numpy(again))


def _within(mine: Array, right: Array, allowed: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.abs(mine - right) <= allowed)


def _equal(mine: Array, right: Array, allowed: Any) -> bool:
    return mine.shape == right.shape and bool(_within(mine, right, allowed).all())


def _factor(mine: Array, right: Array, allowed: Array) -> str | None:
    """ "is 2 times too large everywhere", if one factor turns the wrong gradient into the right one.

    For a single entry some factor always does, so there only whole numbers and their inverses count.
    """
    if not right.any() or not np.isfinite(right).all():
        return None
    k = float((mine * right).sum() / (right * right).sum())
    if k == 0 or not _equal(mine, k * right, abs(k) * allowed):
        return None
    size = max(abs(k), 1 / abs(k))
    whole = abs(size - round(size)) < 1e-5 * size
    if np.count_nonzero(right) == 1 and not whole:
        return None
    shown = f"{round(size)}" if whole else f"{size:.4g}"
    sign = ", with the wrong sign" if k < 0 else ""
    return f"is {shown} times too {'large' if abs(k) > 1 else 'small'} everywhere{sign}"


def _regions(name: str, x: Array, mine: Array, right: Array) -> Iterator[tuple[str, Array]]:
    """Parts of the input where a rule with branches may have one branch wrong."""
    yield f"{name} is negative", x < 0
    yield f"{name} is positive", x > 0
    yield f"{name} is 0", x == 0
    yield f"{name} is negative or 0", x <= 0
    yield f"{name} is positive or 0", x >= 0
    yield f"|{name}| is more than 1", np.abs(x) > 1
    yield f"|{name}| is at most 1", np.abs(x) <= 1
    zero = (mine == 0) & (right != 0)
    yield f"it is 0 and should not be ({int(zero.sum())} of {mine.size} entries)", zero
    for axis, n in enumerate(x.shape):
        where = np.arange(n).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
        for i in range(n if n > 2 else 0):
            yield f"the index along axis {axis} is {i}", np.broadcast_to(where == i, x.shape)


def _broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


def _unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Summed over the axes along which an array of `shape` was repeated."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1)
    return np.asarray(gradient.sum(axis=stretched, keepdims=True))


def fitted(gradient: Any, shape: tuple[int, ...]) -> Any:
    """The gradient summed to `shape` where it has the shape of something broadcast; otherwise as it is."""
    array = np.asarray(gradient)
    return (
        _unbroadcast(array, shape) if array.shape != shape and _broadcasts(shape, array.shape) else gradient
    )
