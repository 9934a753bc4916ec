"""Changing a Tensor in place, and who else sees the change."""

import numpy as np
import pytest
from hypothesis import example, given

from dojo.spec import ShapeError, assert_close, assert_equal, raises, unchanged
from dojo.spec.strategies import arrays_of, broadcastable_shapes
from tinytorch.tensor import Tensor, clone, flip, float32, float64, tensor, transpose

SIX = np.arange(6, dtype=np.float32).reshape(2, 3)

ARITHMETIC = {
    "add_": lambda a, b: a + b,
    "sub_": lambda a, b: a - b,
    "mul_": lambda a, b: a * b,
    "div_": lambda a, b: a / b,
}

VIEWS = {
    "x[0]": lambda x: x[0],
    "x[:, 1:]": lambda x: x[:, 1:],
    "reshape": lambda x: x.reshape(6),
    "x.T": lambda x: x.T,
    "transpose": lambda x: transpose(x, 0, 1),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "squeeze": lambda x: x.squeeze(),
    "split": lambda x: x.split(1)[1],
    "detach": lambda x: x.detach(),
}

COPIES = {
    "clone": clone,
    "x[[0, 1]]": lambda x: x[[0, 1]],
    "flip": lambda x: flip(x, 0),
    "tensor": tensor,
    "x + 0": lambda x: x + 0,
    "to": lambda x: x.to(float64),
}


def version(x):
    """The given counter of writes, under the name that it has in PyTorch; views share it."""
    return list(getattr(x, "_version"))  # noqa: B009


def test_fill_makes_every_entry_the_same():
    """x.fill_(value) overwrites every entry and returns x itself; the dtype and the array stay."""
    a = SIX.copy()
    x = Tensor(a)
    assert x.fill_(2.5) is x, "fill_ returns another Tensor, expected x itself"
    assert_close(a, np.full((2, 3), 2.5, np.float32), "the memory of x")
    assert_close(Tensor(np.array([1, 2])).fill_(2.75), np.array([2, 2]), "an integer Tensor")


def test_zero_makes_every_entry_zero():
    """x.zero_() is x.fill_(0)."""
    a = SIX.copy()
    x = Tensor(a)
    assert x.zero_() is x, "zero_ returns another Tensor, expected x itself"
    assert_close(a, np.zeros((2, 3), np.float32), "the memory of x")


def test_copy_takes_the_entries_of_another():
    """x.copy_(source) overwrites x with the entries of source (or a number), broadcast and cast; returns x itself."""
    a, source = SIX.copy(), Tensor(np.array([7, 8, 9]))
    x = Tensor(a)
    with unchanged(source):
        assert x.copy_(source) is x, "copy_ returns another Tensor, expected x itself"
    assert_close(a, np.array([[7, 8, 9], [7, 8, 9]], np.float32), "the memory of x")
    x.zero_()
    assert_close(source, np.array([7, 8, 9]), "the source, after x was changed again,")
    assert_close(x.copy_(3), np.full((2, 3), 3, np.float32), "x.copy_(3)")


def test_copy_refuses_a_shape_that_does_not_fit():
    """A source that does not broadcast to the shape of x is an error that names both shapes; x stays as it was."""
    x = Tensor(SIX.copy())
    with unchanged(x), raises(ShapeError, (2, 3), (2,)):
        x.copy_(tensor([1.0, 2.0]))


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_in_place(name):
    """x.add_(y), sub_, mul_ and div_ write into the memory of x and return x itself; y may be a number."""
    a, other = np.array([1, 2, 4], np.float32), np.array([2, 4, 8], np.float32)
    x, y = Tensor(a), Tensor(other)
    expected = ARITHMETIC[name](a.copy(), other)
    with unchanged(y):
        assert getattr(x, name)(y) is x, f"{name} returns another Tensor, expected x itself"
    assert_close(a, expected, f"the memory of x after x.{name}(y)")
    getattr(x, name)(2)
    assert_close(a, ARITHMETIC[name](expected, np.float32(2)), f"the memory of x after x.{name}(2)")


@given(arrays_of(broadcastable_shapes(2)))
@example((np.ones((2, 3), np.float32), np.array([1, 2, 3], np.float32)))
def test_add_in_place_broadcasts_the_other_but_never_x(operands):
    """y broadcasts to the shape of x. Where x would have to grow there is an error, and x stays as it was."""
    a, b = operands
    x, expected = Tensor(a.copy()), a + b
    if expected.shape == a.shape:
        assert_close(x.add_(Tensor(b)), expected, f"x of shape {a.shape} after x.add_(y of shape {b.shape})")
    else:
        with unchanged(x), raises(ShapeError):
            x.add_(Tensor(b))


@pytest.mark.parametrize("name", ARITHMETIC)
def test_integers_take_no_fractions_in_place(name):
    """An integer Tensor cannot hold what x + 1.5 is: the in-place form is a TypeError, and x stays as it was."""
    x = Tensor(np.array([1, 2]))
    with unchanged(x), raises((TypeError, RuntimeError)):
        getattr(x, name)(1.5)
    with unchanged(x), raises((TypeError, RuntimeError)):
        getattr(x, name)(Tensor(np.array([1.5, 2], np.float32)))


def test_float32_stays_float32_in_place():
    """x keeps its dtype, even where the other is float64."""
    x = Tensor(np.array([1, 2], np.float32))
    assert_close(x.add_(Tensor(np.array([0.5, 0.5]))), np.array([1.5, 2.5], np.float32))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("+=", [5, 10]), ("-=", [3, 6]), ("*=", [4, 16]), ("/=", [4, 4])],
    ids=["+=", "-=", "*=", "/="],
)
def test_augmented_assignment_changes_the_tensor_itself(name, expected):
    """After `y = x`, `y += 1` changes x too: no new Tensor is made. So do -=, *= and /=."""
    x, other = Tensor(np.array([4, 8], np.float32)), Tensor(np.array([1, 2], np.float32))
    y = x
    if name == "+=":
        y += other
    elif name == "-=":
        y -= other
    elif name == "*=":
        y *= other
    else:
        y /= other
    assert y is x, f"{name} made a new Tensor, expected x itself"
    assert_close(x, np.array(expected, np.float32), f"x after y {name} ...")


def test_clone_has_memory_of_its_own():
    """clone(x), or x.clone(), has the same entries in new memory, in order."""
    a = SIX.T.copy().T
    for copy in (clone(Tensor(a)), Tensor(a).clone()):
        assert_close(copy, SIX, "the clone")
        assert not np.shares_memory(copy.data, a), "the clone shares the memory of x, expected a copy"


def test_detach_shares_the_memory_and_wants_no_gradient():
    """x.detach() is another Tensor over the same array; it never requires grad, and x still does."""
    x = Tensor(SIX.copy(), requires_grad=True)
    free = x.detach()
    assert free is not x, "detach returns x itself, expected another Tensor"
    assert free.data is x.data or np.shares_memory(free.data, x.data), (
        "detach copies, expected the same memory"
    )
    assert_equal((free.requires_grad, x.requires_grad), (False, True), "the requires_grad of (detach(), x)")


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_through_a_view_is_seen(name):
    """A view shares the memory of x and its version, which counts the writes: a write to one is one to both."""
    x = Tensor(SIX[:, :].copy())
    view, before = VIEWS[name](x), version(x)
    view.fill_(100)
    assert_equal(
        int((x.data == 100).sum()), view.data.size, f"the number of entries of x changed through {name}"
    )
    assert version(x) != before, f"the write through {name} is not counted in the version of x"
    assert_equal(version(view), version(x), f"the version of {name}")


@pytest.mark.parametrize("name", COPIES)
def test_a_write_to_a_copy_is_not_seen(name):
    """A copy has memory and a version of its own."""
    x = Tensor(SIX.copy())
    copy, before = COPIES[name](x), version(x)
    with unchanged(x):
        copy.fill_(100)
    assert_equal(version(x), before, f"the version of x after a write to {name}")


@pytest.mark.parametrize("write", ["fill_", "zero_", "copy_", "add_", "sub_", "mul_", "div_", "x[0] = ..."])
def test_every_write_is_counted(write):
    """Every operation in place moves the version of x on: it writes inside `with dispatch.mutating(self, ...):`."""
    x = Tensor(SIX.copy())
    before = version(x)
    if write == "zero_":
        x.zero_()
    elif write == "x[0] = ...":
        x[0] = 1
    elif write == "copy_":
        x.copy_(Tensor(SIX))
    else:
        getattr(x, write)(2.0)
    assert version(x) != before, f"{write} is not counted in the version of x"


@pytest.mark.parametrize("name", [*ARITHMETIC, "copy_", "x[...] = ..."])
def test_a_write_that_fails_changes_nothing(name):
    """After an error x has the same array, the same entries and the same version: there was no write to count."""
    x, too_many = Tensor(SIX.copy()), Tensor(np.ones((4, 2, 3), np.float32))
    array, before = x.data, version(x)
    with unchanged(x), raises(ShapeError):
        if name == "x[...] = ...":
            x[...] = too_many
        else:
            getattr(x, name)(too_many)
    assert x.data is array, f"x has another array after {name} failed, expected the same memory"
    assert_equal(version(x), before, f"the version of x after {name} failed")


def test_to_takes_dtype_and_device_in_any_way():
    """x.to takes a dtype, a device or both, or another Tensor's; where nothing changes it gives x itself."""
    x = Tensor(SIX.copy())
    for result in (
        x.to(float64),
        x.to("cpu", float64),
        x.to(float64, device="cpu"),
        x.to(device="cpu", dtype=float64),
        x.to(Tensor(np.zeros(1))),
    ):
        assert_close(result, SIX.astype(np.float64))
    for same in (x.to(float32), x.to("cpu"), x.to(x.device), x.to("cpu", float32), x.to()):
        assert same is x, "to() made a new Tensor where nothing changes, expected x itself"
