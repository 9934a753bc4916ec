"""The two extension points of the dispatcher, proved with a toy tape and a toy kernel on kata 02 of the reference."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinytorch import autograd, dispatch
from tinytorch.dispatch import Array, accelerable, accelerates, closed_above, disabled, primitive
from tinytorch.tensor import Tensor, add, exp, gather, mul, reshape, sum, transpose


def leaf(values: Any, dtype: Any = np.float32) -> Tensor:
    """A Tensor made without any primitive."""
    return Tensor(np.array(values, dtype))


class Recorder:
    """A tape: the calls in order, and a backward that walks them in reverse with each primitive's rule."""

    def __init__(self) -> None:
        self.calls: list[tuple[dispatch.Primitive, tuple[Any, ...], dict[str, Any], Tensor]] = []

    def record(self, op: Any, inputs: Any, params: dict[str, Any], output: Tensor) -> None:
        self.calls.append((op, tuple(inputs), params, output))

    def backward(self, tensor: Tensor, gradient: Tensor | None, retain_graph: bool) -> None:
        grads = {id(tensor): np.ones_like(tensor.data) if gradient is None else gradient.data}
        for op, inputs, params, output in reversed(self.calls):
            grad = grads.pop(id(output), None)
            if grad is None:
                continue
            assert op.rule is not None, f"{op.name} has no rule"
            results = op.rule(grad, *op.save(inputs, params, output)[0])
            for each, result in zip(
                inputs, results if isinstance(results, tuple) else (results,), strict=True
            ):
                grads[id(each)] = grads.get(id(each), 0) + result
                each.grad = dispatch.wrap(grads[id(each)])

    def retain_grad(self, tensor: Tensor) -> None: ...


@pytest.fixture(autouse=True)
def extension_points(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both extension points as they are before any higher kata is imported, and put back afterwards."""
    monkeypatch.setattr(dispatch, "tape", None)
    monkeypatch.setattr(dispatch, "kernels", {})
    monkeypatch.setattr(dispatch, "kernels_to_load", None)
    monkeypatch.setattr(dispatch, "observers", [])
    monkeypatch.setattr(dispatch, "highest", 20)
    rules = {op: (op.rule, op.needs) for op in dispatch.primitives.values()}
    for op in rules:
        op.rule, op.needs = None, ()
    known = dict(dispatch.primitives)
    yield
    for op, (rule, needs) in rules.items():
        op.rule, op.needs = rule, needs
    dispatch.primitives.clear()
    dispatch.primitives.update(known)


@pytest.fixture
def tape() -> Recorder:
    recorder = Recorder()
    dispatch.install(recorder)
    return recorder


# The first extension point ------------------------------------------------------------------------------


def test_without_a_tape_nothing_is_recorded_and_backward_says_why() -> None:
    x = leaf([1.0, 2.0])
    assert (x * x).tolist() == [1.0, 4.0]
    with pytest.raises(RuntimeError, match="kata 07 is not written yet"):
        sum(x).backward()


def test_a_tape_records_each_primitive_with_inputs_params_and_output(tape: Recorder) -> None:
    x = leaf([[1.0, 2.0, 3.0]])
    y = sum(exp(x), dim=1, keepdim=True)
    (first, inputs, params, out), (second, inputs2, params2, out2) = tape.calls
    assert (first.name, inputs, params) == ("exp", (x,), {})
    assert (second.name, inputs2, params2) == ("sum", (out,), {"dim": 1, "keepdim": True})
    assert out2 is y


def test_a_method_an_operator_and_a_function_are_recorded_alike(tape: Recorder) -> None:
    x = leaf([1.0, 2.0])
    for call in (lambda: x + x, lambda: x.add(x), lambda: add(x, x)):
        call()
    assert [(op.name, inputs) for op, inputs, _, _ in tape.calls] == [("add", (x, x))] * 3


def test_params_may_come_by_position_and_inputs_by_name(tape: Recorder) -> None:
    x, index = leaf([[1.0, 2.0]]), leaf([[1, 0]], np.int64)
    gather(x, 1, index)
    gather(index=index, dim=1, a=x)
    assert [(inputs, params) for _, inputs, params, _ in tape.calls] == [((x, index), {"dim": 1})] * 2


def test_rules_make_what_kata_02_computes_differentiable(tape: Recorder) -> None:
    @dispatch.derivative(mul)
    def mul_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return grad * b, grad * a

    @dispatch.derivative(exp)
    def exp_backward(grad: Array, out: Array) -> Array:
        return grad * out

    @dispatch.derivative(sum)
    def sum_backward(grad: Array, a_shape: tuple[int, ...], dim: Any, keepdim: bool) -> Array:
        assert (dim, keepdim) == (None, False)  # defaults are passed too
        return np.broadcast_to(grad, a_shape)

    x, w = leaf([0.0, 1.0]), leaf([3.0, 5.0])
    sum(exp(x) * w).backward(leaf(2.0))
    assert x.grad is not None and w.grad is not None
    np.testing.assert_allclose(x.grad.data, 2 * np.exp(x.data) * w.data, rtol=1e-6)
    np.testing.assert_allclose(w.grad.data, 2 * np.exp(x.data), rtol=1e-6)


def test_a_rule_that_asks_for_what_the_primitive_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match=r"asks for \['weight'\].*'a', 'a_device', 'a_shape', 'b', "):

        @dispatch.derivative(mul)
        def mul_backward(grad: Array, weight: Array) -> Array:
            return grad * weight


def test_a_rule_that_is_not_written_is_asked_for_by_its_name() -> None:
    @dispatch.derivative(mul)
    def mul_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
        """Not written yet."""
        raise NotImplementedError("kata 07: mul_backward")

    rule = dispatch.primitives[mul].rule
    assert rule is not None
    with pytest.raises(NotImplementedError, match="kata 07: mul_backward"):
        rule(*[np.ones(2)] * 3)


def test_a_stub_is_never_installed() -> None:
    class Tape(Recorder):
        def record(self, op: Any, inputs: Any, params: dict[str, Any], output: Tensor) -> None:
            """Not written yet."""
            raise NotImplementedError("kata 07: Tape.record")

    dispatch.install(Tape())
    assert dispatch.tape is None


def test_an_abstract_method_of_the_students_own_is_no_stub() -> None:
    def forward(x: Array) -> Array:
        raise NotImplementedError("forward of a subclass")

    assert not dispatch.is_stub(forward)


def test_grad_mode_belongs_to_each_thread(tape: Recorder) -> None:
    x = leaf([1.0])
    dispatch.mode.grad_enabled = False
    try:
        other = threading.Thread(target=lambda: exp(x))
        other.start()
        other.join()
        assert len(tape.calls) == 1
        exp(x)
        assert len(tape.calls) == 1
    finally:
        dispatch.mode.grad_enabled = True


def test_a_primitive_takes_tensors_and_python_numbers_and_nothing_else() -> None:
    x = leaf([1.0, 2.0])
    assert mul(x, np.float64(2.0)).dtype == np.float32  # NumPy's scalar does not promote
    for wrong in ([1.0, 2.0], np.ones(2), None):
        with pytest.raises(TypeError, match=type(wrong).__name__):
            mul(x, wrong)


def test_arguments_that_do_not_fit_are_named() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match=r"mul\(\) missing 1 required positional argument: 'b'"):
        mul(x)
    with pytest.raises(TypeError, match=r"exp\(\) takes 1 positional argument but 2 were given"):
        exp(x, x)
    for twice in (lambda: mul(x, x, a=x), lambda: mul(x, a=x), lambda: sum(x, 0, dim=0)):
        with pytest.raises(TypeError, match=r"(mul|sum)\(\) got multiple values for argument '(a|dim)'"):
            twice()


def test_a_primitive_without_an_array_is_refused_when_it_is_made() -> None:
    known = dict(dispatch.primitives)
    message = (
        r"^no parameter of glue\(a: 'Tensor', dim: 'int' = 0\) .*annotated as Array.*takes at least one$"
    )
    with pytest.raises(TypeError, match=message):

        @primitive
        def glue(a: Tensor, dim: int = 0) -> Array:
            return a.data

    with pytest.raises(TypeError, match=r"view\(\)"):

        @primitive(view=True)
        def view() -> Array:
            return np.ones(2)

    assert dispatch.primitives == known


def test_a_primitive_of_a_higher_kata_joins_the_same_seam(tape: Recorder) -> None:
    @primitive
    def glue(*arrays: Array, dim: int = 0) -> Array:
        return np.concatenate(arrays, dim)

    x, y = leaf([1.0]), leaf([2.0])
    assert glue(x, y, dim=0).tolist() == [1.0, 2.0]
    op, inputs, params, _ = tape.calls[0]
    assert (op.name, op.variadic, inputs, params) == ("glue", True, (x, y), {"dim": 0})


# In place -----------------------------------------------------------------------------------------------


def test_a_write_moves_the_version_and_views_share_it() -> None:
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    view, copy = transpose(x, 0, 1), exp(x)
    before = x._version[0]
    view[0, 1] = 7.0
    assert x.tolist() == [[1.0, 2.0], [7.0, 4.0]]
    assert x._version is view._version and x._version[0] == before + 1
    assert copy._version is not x._version and copy._version[0] == 0


def test_a_view_primitive_that_had_to_copy_has_a_version_of_its_own() -> None:
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    assert reshape(x, shape=(4,))._version is x._version
    copied = reshape(transpose(x, 0, 1), shape=(4,))
    copied.zero_()
    assert copied._version is not x._version and x._version[0] == 0


def test_mutating_refuses_a_tensor_that_requires_grad_while_it_is_recorded(tape: Recorder) -> None:
    x, w = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    w.requires_grad = True
    for write in (lambda: w.add_(1.0), lambda: x.add_(w)):
        with pytest.raises(RuntimeError, match=r"shape \(2,\) that requires grad.*no_grad"):
            write()
    assert x.tolist() == w.tolist() == [1.0, 2.0]
    dispatch.mode.grad_enabled = False
    try:
        w.add_(1.0)
    finally:
        dispatch.mode.grad_enabled = True
    assert w.tolist() == [2.0, 3.0]


# The second extension point -----------------------------------------------------------------------------


@accelerable
def double(x: Tensor) -> Tensor:
    """The composition that kernels replace."""
    return x + x


def test_a_kernel_takes_the_place_of_the_composition_and_disabled_goes_back() -> None:
    @accelerates(double)
    def double_kernel(x: Tensor) -> Tensor:
        return x * 20.0

    x = leaf([1.0])
    assert double(x).item() == 20.0
    with disabled():
        assert double(x).item() == 2.0
        other: list[float] = []
        thread = threading.Thread(target=lambda: other.append(double(x).item()))
        thread.start()
        thread.join()
        assert other == [20.0]  # each thread has a switch of its own
    assert double(x).item() == 20.0


def test_a_kernel_for_what_cannot_be_accelerated_is_refused() -> None:
    def plain(x: Tensor) -> Tensor:
        return x

    with pytest.raises(TypeError, match="plain is not @accelerable"):
        accelerates(plain)


def test_a_kernel_that_returns_notimplemented_hands_the_call_back() -> None:
    @accelerates(double)
    def double_kernel(x: Tensor) -> Tensor:
        return NotImplemented if x.ndim == 0 else x * 20.0  # type: ignore[return-value]

    assert (double(leaf(1.0)).item(), double(leaf([1.0])).item()) == (2.0, 20.0)


def test_a_stub_kernel_is_refused_and_so_is_a_function_with_one_unwritten_method() -> None:
    @accelerates(double)
    def double_kernel(x: Tensor) -> Tensor:
        raise NotImplementedError("kata 15: double_kernel")

    @accelerates(double)
    class Double:
        @staticmethod
        def forward(ctx: Any, x: Array) -> Array:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, grad: Array) -> Array:
            raise NotImplementedError("kata 15: Double.backward")

        @classmethod
        def apply(cls, x: Tensor) -> Tensor:
            return dispatch.wrap(cls.forward(None, x.data))

    assert not dispatch.kernels


def test_a_function_is_a_kernel_by_its_apply() -> None:
    @accelerates(double)
    class Double:
        @classmethod
        def apply(cls, x: Tensor) -> Tensor:
            return x * 20.0

    assert double(leaf([1.0])).item() == 20.0


@accelerable
def scale(x: Tensor, by: Tensor, times: float = 3.0, more: float = 0.0) -> Tensor:
    """A composition with defaults."""
    return x * by * (times + more)


class Scale(autograd.Function):
    """It takes all arguments of `scale` by position, and hands integers back."""

    @staticmethod
    def forward(ctx: Any, x: Array, by: Array, times: float, more: float) -> Array:  # type: ignore[override]
        if x.dtype.kind != "f":
            return NotImplemented
        ctx.save_for_backward(x, by)
        ctx.factor = times + more
        return 100 * x * by * ctx.factor

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        x, by = ctx.saved_tensors
        return 100 * grad * by * ctx.factor, 100 * grad * x * ctx.factor, None, None


def test_a_function_is_called_as_the_composition_is() -> None:
    accelerates(scale)(Scale)
    dispatch.install(autograd.Tape())
    for args, kwargs, factor in (
        ((), {}, 3.0),
        ((5.0, 1.0), {}, 6.0),
        ((5.0,), {}, 5.0),
        ((), {"more": 1.0}, 4.0),
        ((), {"more": 1.0, "times": 5.0}, 6.0),
    ):
        x, by = leaf([2.0]).requires_grad_(), leaf([7.0]).requires_grad_()
        named = dict(zip(("times", "more"), args, strict=False)) | kwargs
        for out in (scale(x, by, *args, **kwargs), scale(by=by, x=x, **named)):
            assert out.item() == 100 * 14 * factor
            out.backward(leaf([1.0]))
        assert x.grad is not None and by.grad is not None
        assert (x.grad.item(), by.grad.item()) == (2 * 700 * factor, 2 * 200 * factor)


def test_a_function_hands_back_too() -> None:
    accelerates(scale)(Scale)
    assert scale(leaf([2], np.int64), leaf([7], np.int64), times=1).tolist() == [14]


def test_an_array_is_no_tensor_with_a_kernel_either() -> None:
    accelerates(scale)(Scale)
    with pytest.raises(TypeError, match="takes Tensors and numbers, not ndarray"):
        scale(np.ones(2), leaf([7.0]))  # type: ignore[arg-type]


def test_arguments_that_fit_neither_are_named_as_without_a_kernel() -> None:
    accelerates(scale)(Scale)
    with pytest.raises(TypeError, match=r"scale\(\) missing 1 required positional argument: 'by'"):
        scale(leaf([2.0]))
    with pytest.raises(TypeError, match=r"scale\(\) got an unexpected keyword argument 'bye'"):
        scale(leaf([2.0]), bye=leaf([2.0]))


def test_arguments_that_do_not_fit_a_kernel_that_is_a_function_are_named_as_without_it() -> None:
    @accelerates(double)
    def double_kernel(x: Tensor) -> Tensor:
        raise AssertionError("called with arguments that do not fit")

    with pytest.raises(TypeError, match=r"double\(\) missing 1 required positional argument: 'x'"):
        double()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"double\(\) got an unexpected keyword argument 'y'"):
        double(leaf([2.0]), y=leaf([2.0]))  # type: ignore[call-arg]


def test_an_accelerable_primitive_is_still_a_primitive(tape: Recorder) -> None:
    @accelerable
    @primitive
    def twice(a: Array) -> Array:
        return 2 * a

    @dispatch.derivative(twice)
    def twice_backward(grad: Array) -> Array:
        return 2 * grad

    x = leaf([1.0])
    y = twice(x)
    assert [op.name for op, *_ in tape.calls] == ["twice"]
    y.backward(leaf([5.0]))
    assert x.grad is not None and x.grad.item() == 10.0

    @accelerates(twice)
    def twice_kernel(a: Tensor) -> Tensor:
        return a * 20.0

    assert twice(x).item() == 20.0


def test_kernels_are_loaded_when_one_could_be_used_and_once() -> None:
    loaded: list[float] = []

    def load() -> None:
        loaded.append(double(leaf([1.0])).item())  # to call one while they are loaded is no circle

        @accelerates(double)
        def double_kernel(x: Tensor) -> Tensor:
            return x * 20.0

    dispatch.load_kernels_with(load)
    with closed_above(14):
        assert double(leaf([1.0])).item() == 2.0
    with disabled():
        assert double(leaf([1.0])).item() == 2.0
    assert loaded == []
    assert [double(leaf([1.0])).item(), double(leaf([1.0])).item()] == [20.0, 20.0]
    assert loaded == [2.0]


def test_import_loads_no_kernels_and_a_broken_kata_15_breaks_nothing_else() -> None:
    script = """
import sys
sys.path.insert(0, "solutions")
import tinytorch
from tinytorch import relu, tensor
assert "tinytorch.acceleration" not in sys.modules

class Broken:
    asked = []
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "tinytorch.acceleration":
            cls.asked.append(name)
            1 / 0

sys.meta_path.insert(0, Broken)
x = tensor([-1.0, 2.0])
assert not Broken.asked
assert relu(x).tolist() == relu(x).tolist() == [0.0, 2.0]
assert len(Broken.asked) == 1, Broken.asked
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


# Both ---------------------------------------------------------------------------------------------------


def test_closed_above_closes_the_tape_below_7_and_kernels_below_15(tape: Recorder) -> None:
    @accelerates(double)
    def double_kernel(x: Tensor) -> Tensor:
        return x * 20.0

    x = leaf([1.0])
    for kata, recorded, result in ((6, 0, 2.0), (7, 1, 2.0), (14, 1, 2.0), (15, 1, 20.0)):
        tape.calls.clear()
        with closed_above(kata):
            assert double(x).item() == result
            assert len(tape.calls) == recorded
    with closed_above(6), pytest.raises(RuntimeError, match="kata 07 is not written yet"):
        x.backward()
    tape.calls.clear()
    double(x)
    assert len(tape.calls) == 1


def test_observers_see_primitives_and_kernels_and_may_change_the_result() -> None:
    @accelerates(double)
    def double_kernel(x: Tensor) -> Tensor:
        return x * 20.0

    seen: list[tuple[str, str]] = []

    def watch(event: dispatch.Event, go_on: Any) -> Any:
        seen.append((event.kind, event.name))
        return go_on()

    def halve(event: dispatch.Event, go_on: Any) -> Any:
        return go_on() / 2 if event.kind == "primitive" else go_on()

    dispatch.observers.append(watch)
    assert double(leaf([1.0])).item() == 20.0
    assert seen == [("kernel", "double"), ("primitive", "mul")]
    dispatch.observers.append(halve)
    assert double(leaf([1.0])).item() == 10.0
