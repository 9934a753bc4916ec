"""The two extension points through which a later kata improves an earlier one. Given: read it, do not edit it.

A *primitive* is a function on arrays, lifted to one on Tensors. While kata 07's tape is installed, every
call of a primitive is recorded on it, so the katas below become differentiable without a line changed.

An *accelerable* function is a composition of primitives. Kata 15 puts a fused kernel in its place, and
`with disabled():` goes back to the composition, which stays the specification of the kernel. Kata 15 is imported at
the first call that could use a kernel.

Nothing else connects a lower kata to a higher one. This module imports no kata.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tinytorch.tensor import Tensor

Array = NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])


class Mode(threading.local):
    """Switches that each thread has for itself."""

    grad_enabled: bool = True
    accelerated: bool = True


mode = Mode()


def switch(function: Callable[[], Iterator[None]]) -> Callable[[], AbstractContextManager[None]]:
    """contextlib's contextmanager, for what switches a mode: `with no_grad():` and `@no_grad()`.

    As a decorator it covers generator functions too. contextmanager covers only the call of one, in which nothing of it
    runs; here the mode is on whenever the generator works, and off while it waits.
    """
    managed = contextmanager(function)

    class Switch(AbstractContextManager[None]):
        def __enter__(self) -> None:
            self.block = managed()
            self.block.__enter__()

        def __exit__(self, *error: Any) -> bool | None:
            return self.block.__exit__(*error)

        def __call__(self, function: F) -> F:
            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                with managed():
                    return function(*args, **kwargs)

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                source = function(*args, **kwargs)
                resume: Callable[[], Any] = functools.partial(next, source)
                while True:
                    with managed():
                        try:
                            value = resume()
                        except StopIteration as end:
                            return end.value
                    try:
                        resume = functools.partial(source.send, (yield value))
                    except BaseException as error:  # of the caller's throw() or close()
                        resume = functools.partial(source.throw, error)

            return generator if inspect.isgeneratorfunction(function) else call  # type: ignore[return-value]

    def switched() -> Switch:
        return Switch()

    return functools.update_wrapper(switched, function)


# Tensors ------------------------------------------------------------------------------------------------

tensor_type: type[Tensor]


def tensor_class(cls: type[Tensor]) -> type[Tensor]:
    """Tell the dispatcher which class wraps arrays."""
    global tensor_type
    tensor_type = cls
    return cls


def wrap(array: Array) -> Tensor:
    """A Tensor over `array`, without a copy. NumPy's scalars become 0-d arrays."""
    tensor = tensor_type.__new__(tensor_type)
    plain = type(array) is not np.ndarray and isinstance(array, (np.generic, float, int))
    tensor.data = np.asarray(array) if plain else array
    tensor.grad = None
    tensor.grad_fn = None
    tensor._requires_grad = False
    tensor._version = [0]
    return tensor


def unwrap(value: Any, name: str) -> Any:
    """The array of a Tensor; Python numbers stay as they are. Anything else is a TypeError."""
    if isinstance(value, tensor_type):
        return value.data
    if type(value) in (float, int, bool):
        return value
    if isinstance(value, np.generic):  # NumPy's scalars would promote float32 to float64
        return value.item()
    raise TypeError(
        f"{name}() takes Tensors and numbers, not {type(value).__name__}: wrap it, tensor(...), or take the .data "
        "of the Tensors to go on with arrays"
    )


@contextmanager
def mutating(tensor: Tensor, *sources: Any) -> Iterator[None]:
    """Every in-place operation writes to `tensor.data` inside `with mutating(self, other):`.

    Before the block, a Tensor that requires grad is refused: in-place operations are never recorded, so its
    gradient would be wrong, and nothing would say so. After the block the version, which views share, goes up by
    one, so that backward notices the write. If the write fails, the version stays as it was.
    """
    if recording():
        for each in (tensor, *sources):
            if isinstance(each, tensor_type) and each.requires_grad:
                raise RuntimeError(
                    f"a Tensor of shape {each.shape} that requires grad takes part in an in-place operation: "
                    "do it inside `with no_grad():`, or compute a new Tensor"
                )
    try:
        yield
    except TypeError as error:
        raise _in_our_words(error, "this operation", tensor.data) from error.__cause__
    tensor._version[0] += 1


def _in_our_words(error: TypeError, name: str, *arrays: Any) -> TypeError:
    """`error`, or another one where NumPy speaks of ufuncs, and of operators that Tensors do not have."""
    if "numpy boolean" in str(error):
        return TypeError("booleans have no minus: write a != b or ~a, or convert them with .to(int64)")
    if "not supported for the input types" in str(error):
        given = [str(getattr(each, "dtype", type(each).__name__)) for each in arrays]
        return TypeError(f"{name} does not take {' and '.join(given)}")
    return error


# The first extension point: primitives and the tape -----------------------------------------------------


@dataclass(eq=False)
class Primitive:
    """A primitive and its backward rule. Kata 07 reads it when it records a call."""

    name: str
    compute: Callable[..., Array]
    inputs: tuple[str, ...]
    params: tuple[str, ...]
    defaults: dict[str, Any]
    variadic: bool
    view: bool
    rule: Callable[..., Any] | None = None
    needs: tuple[tuple[str, Any], ...] = ()
    """The arguments of `rule` after the gradient: the kind of each, and which input or param."""

    def save(
        self, inputs: Sequence[Any], params: dict[str, Any], output: Tensor
    ) -> tuple[list[Any], list[Tensor]]:
        """The arguments of `rule` after the gradient, and the Tensors whose arrays they are.

        Those arrays must not change before the rule is called.
        """
        values: list[Any] = []
        tensors: list[Tensor] = []
        for kind, key in self.needs:
            if kind == "input" and isinstance(inputs[key], tensor_type):
                tensors.append(inputs[key])
                values.append(inputs[key].data)
            elif kind == "out":
                tensors.append(output)
                values.append(output.data)
            elif kind == "param":
                values.append(params[key] if key in params else self.defaults[key])
            elif kind == "output_mask":
                values.append([isinstance(each, tensor_type) and each.requires_grad for each in inputs])
            elif kind == "input":
                values.append(inputs[key])  # a Python number
            else:  # "shape", "device"
                values.append(
                    [getattr(each, kind, ()) for each in inputs]
                    if self.variadic
                    else getattr(inputs[key], kind, ())
                )
        return values, tensors


class Tape(Protocol):
    """What kata 07 installs: it records calls of primitives and runs backward."""

    def record(
        self, op: Primitive, inputs: Sequence[Any], params: dict[str, Any], output: Tensor
    ) -> None: ...

    def backward(self, tensor: Tensor, gradient: Tensor | None, retain_graph: bool) -> None: ...

    def retain_grad(self, tensor: Tensor) -> None: ...


tape: Tape | None = None
unwritten = ""
"""The method that kept a tape from being installed, because it is still a stub."""

primitives: dict[Callable[..., Any], Primitive] = {}


@overload
def primitive(function: Callable[..., Array]) -> Callable[..., Tensor]: ...


@overload
def primitive(*, view: bool) -> Callable[[Callable[..., Array]], Callable[..., Tensor]]: ...


def primitive(function: Callable[..., Array] | None = None, *, view: bool = False) -> Any:
    """Lift a function on arrays to one on Tensors.

    Positional parameters annotated `Array` are inputs (`*arrays: Array` takes many). At least one is needed, or
    it is a TypeError. The rest are params, by position or by keyword. The result is one array. `view=True` says that
    it may share the memory of its first input; if it does, it shares the version counter too.
    """
    if function is None:
        return functools.partial(primitive, view=view)
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    names = tuple(p.name for p in parameters)
    inputs = tuple(p.name for p in parameters if p.annotation in ("Array", Array))
    if not inputs:
        raise TypeError(
            f"no parameter of {function.__name__}{signature} is annotated as Array: a primitive takes at least one"
        )
    params = tuple(name for name in names if name not in inputs)
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    inputs_first = names[: len(inputs)] == inputs
    compute = function if inputs_first else _by_name(function, inputs)
    op = Primitive(function.__name__, compute, inputs, params, defaults, variadic, view)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        if not variadic and (len(args) != len(inputs) or not inputs_first):
            args, kwargs = _bind(function, names, inputs, args, kwargs)
        if kwargs:
            for key, value in kwargs.items():
                if isinstance(value, (np.generic, tensor_type)):
                    kwargs[key] = _param(value, key, op)
        arrays = [a.data if isinstance(a, tensor_type) else unwrap(a, op.name) for a in args]
        try:
            if observers:
                output = wrap(observed("primitive", op.name, compute, *arrays, **kwargs))
            else:
                output = wrap(compute(*arrays, **kwargs))
        except TypeError as error:
            raise _in_our_words(error, f"{op.name}()", *arrays) from error.__cause__
        if view and np.may_share_memory(arrays[0], output.data):
            output._version = args[0]._version
        if tape is not None and recording():
            tape.record(op, args, kwargs, output)
        return output

    primitives[call] = op
    return call


def _by_name(function: Callable[..., Array], inputs: tuple[str, ...]) -> Callable[..., Array]:
    """`function` with its inputs first. In gather(a, dim, index), for example, they are not side by side."""
    return lambda *arrays, **params: function(**dict(zip(inputs, arrays, strict=True)), **params)


def _bind(
    function: Callable[..., Array], names: Sequence[str], inputs: Sequence[str], args: Any, kwargs: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The inputs of a call in order, and its params by name. (`Signature.bind` takes twice as long.)"""
    given = dict(zip(names, args, strict=False)) | kwargs
    if len(given) < len(args) + len(kwargs) or not given.keys() >= set(inputs):
        function(*args, **kwargs)  # raises: Python itself says best which arguments do not fit
    return tuple(given.pop(name) for name in inputs), given


def _param(value: Any, key: str, op: Primitive) -> Any:
    """NumPy's number as Python's: it would promote float32 to float64. A Tensor is refused."""
    if isinstance(value, np.generic):
        return value.item()
    if key not in op.params:
        return value  # Python itself says best that it does not fit
    raise TypeError(
        f"{op.name}() takes no Tensor for {key}, got one of shape {value.shape}: give the number, .item()"
    )


def recording() -> bool:
    """Whether calls of primitives are recorded now, in this thread."""
    return tape is not None and mode.grad_enabled and highest >= 7


def install(new: Tape) -> None:
    """Make `new` the tape, unless one of its methods is not written yet."""
    global tape, unwritten
    kind = type(new)
    stubs = [f"{kind.__name__}.{name}" for name in vars(kind) if is_stub(getattr(kind, name))]
    unwritten = stubs[0] if stubs else ""
    if not unwritten:
        tape = new


def require_tape(what: str) -> Tape:
    """The tape. Without one, an error says why."""
    if tape is None and unwritten and highest >= 7:
        raise NotImplementedError(f"kata 07: {unwritten}")
    if tape is None or highest < 7:
        raise RuntimeError(f"{what} needs the tape, and kata 07 is not written yet")
    return tape


def derivative(operation: Callable[..., Any]) -> Callable[[F], F]:
    """Register the backward rule of a primitive: `rule(grad, ...)` gives a gradient (or None) for each input.

    The names of its other parameters say what has to be saved, as in PyTorch's derivatives.yaml: an input, `out`,
    a param, an input's shape or device (`a_shape`, `a_device`), or `output_mask` (which inputs need a gradient).
    Only that is saved. For `*arrays` there is `arrays_shape`, the list of their shapes. A rule that is not written yet
    is registered too: backward, where it needs it, asks for it by its name.
    """
    op = primitives[operation]
    known: dict[str, tuple[str, Any]] = {"out": ("out", None), "output_mask": ("output_mask", None)}
    known |= {name: ("param", name) for name in op.params}
    for place, name in enumerate(op.inputs):
        known |= {f"{name}_{kind}": (kind, place) for kind in ("shape", "device")}
        if not op.variadic:
            known[name] = ("input", place)

    def register(rule: F) -> F:
        needs = tuple(inspect.signature(rule).parameters)[1:]
        if unknown := [name for name in needs if name not in known]:
            raise TypeError(f"{rule.__name__} asks for {unknown}; {op.name} has {sorted(known)}")
        op.rule, op.needs = rule, tuple(known[name] for name in needs)
        return rule

    return register


# The second extension point: accelerable functions and their kernels ------------------------------------

accelerables: set[Callable[..., Any]] = set()
kernels: dict[Callable[..., Any], Callable[..., Any]] = {}
kernels_to_load: Callable[[], Any] | None = None
"""What registers all kernels, until it has been called."""


def load_kernels_with(load: Callable[[], Any]) -> None:
    """Let `load` register the kernels at the first call that could use one: not before, as that takes a while."""
    global kernels_to_load
    kernels_to_load = load


def _load_kernels() -> None:
    global kernels_to_load
    load, kernels_to_load = kernels_to_load, None  # at once: `load` may call accelerable functions itself
    if load is not None:  # it may be, by now, if another thread was here
        load()


def accelerable(function: F) -> F:
    """Mark a function that kata 15 may replace by a faster one. Above `@primitive`, it stays a primitive."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if mode.accelerated and highest >= 15:
            if kernels_to_load is not None:
                _load_kernels()
            kernel = kernels.get(call)
            if kernel is not None:
                if observers:
                    result = observed("kernel", function.__name__, kernel, *args, **kwargs)
                else:
                    result = kernel(*args, **kwargs)
                if result is not NotImplemented:
                    return result
        return function(*args, **kwargs)

    accelerables.add(call)
    if function in primitives:
        primitives[call] = primitives[function]
    return call  # type: ignore[return-value]


def accelerates(function: Callable[..., Any]) -> Callable[[F], F]:
    """Register a kernel, of the same signature, that is called instead of `function`.

    If it returns NotImplemented, `function` is called after all. So it is if the arguments do not fit: its own error
    says best what is wrong. A class must be an `autograd.Function`, whose forward takes, after ctx, every argument of
    `function` in the same order: its `apply` is the kernel.
    """
    if function not in accelerables:
        raise TypeError(
            f"{getattr(function, '__name__', function)} is not @accelerable, so no kernel can replace it"
        )

    def register(kernel: F) -> F:
        if not is_stub(kernel):
            apply = getattr(kernel, "apply", None)  # of a class
            kernels[function] = _by_position(apply, function) if apply else _fitting(kernel, function)
        return kernel

    return register


def _by_position(apply: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """`apply`, called as `function` is: keywords go to their places, and defaults are filled in."""
    signature = inspect.signature(function)
    defaults = [p.default for p in signature.parameters.values()]
    required = defaults.count(inspect.Parameter.empty)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        if np.ndarray in [type(each) for each in args]:
            return NotImplemented  # `apply` would take an array for a Tensor; `function` says that it is none
        if kwargs or not required <= len(args) <= len(defaults):
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError:
                return NotImplemented  # `function` itself says best which arguments do not fit
            bound.apply_defaults()
            args = tuple(bound.arguments.values())
        return apply(*args, *defaults[len(args) :])

    return kernel


def _fitting(kernel: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """`kernel`, which hands back arguments that do not fit: its own error would name the kernel, not `function`."""
    signature = inspect.signature(function)

    @functools.wraps(kernel)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return kernel(*args, **kwargs)
        except TypeError:
            try:
                signature.bind(*args, **kwargs)
            except TypeError:
                return NotImplemented
            raise

    return call


@switch
def disabled() -> Iterator[None]:
    """Call no kernels inside this block, in this thread."""
    before, mode.accelerated = mode.accelerated, False
    try:
        yield
    finally:
        mode.accelerated = before


# Both extension points ----------------------------------------------------------------------------------


class Event(NamedTuple):
    """A call, as an observer sees it. `kind` is "primitive", "rule", "function" or "kernel"."""

    kind: str
    name: str
    args: tuple[Any, ...]
    params: dict[str, Any]


observers: list[Callable[[Event, Callable[[], Any]], Any]] = []


def observed(kind: str, name: str, function: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Call `function` through every observer: observer(event, run) calls run() and returns the result."""
    run: Callable[[], Any] = functools.partial(function, *args, **params)
    event = Event(kind, name, args, params)
    for observer in observers:
        run = functools.partial(observer, event, run)
    return run()


highest = 20


@contextmanager
def closed_above(kata: int) -> Iterator[None]:
    """Switch off what katas above `kata` add: no tape below 7, no kernels below 15."""
    global highest
    before, highest = highest, kata
    try:
        yield
    finally:
        highest = before


def is_stub(thing: Any) -> bool:
    """Whether a function is a stub of the skeleton, or a class has such a method."""
    if isinstance(thing, type):
        members = [inspect.getattr_static(thing, name) for name in dir(thing)]
        return any(is_stub(member) for member in members if not isinstance(member, type))
    function = inspect.unwrap(getattr(thing, "__func__", thing))  # of a static or class method
    code = getattr(function, "__code__", None)
    return (
        code is not None
        and code.co_names == ("NotImplementedError",)
        and any(str(constant).startswith("kata ") for constant in code.co_consts)
    )
