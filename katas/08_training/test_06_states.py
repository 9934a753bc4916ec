"""Everything that is a state, in a file of Tensors and a text: pack and unpack."""

import json
import math

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.tensor import Tensor, tensor
from tinytorch.training import pack, unpack

WORDS = st.sampled_from(["", "a", "0", "é"])
PLAIN = st.none() | st.booleans() | st.integers(-(2**130), 2**130) | st.floats(allow_nan=False) | WORDS
STATES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(WORDS | st.integers(-3, 3), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_tensors_and_text():
    """pack gives Tensors by name and a JSON text; a name is made of the keys that lead to the Tensor: "model.0.w"."""
    state = {
        "model": {"0.w": tensor([1.0, 2.0])},
        "buffers": [np.array([3]), {"m": np.array([4.0])}],
        "epoch": 3,
    }
    tensors, text = pack(state)
    assert_equal(
        sorted(tensors), ["buffers.0", "buffers.1.m", "model.0.w"], "the list of the names of the Tensors"
    )
    for name, value in tensors.items():
        assert isinstance(value, Tensor), f"{name} is a {type(value).__name__}, expected a Tensor"
    assert_close(tensors["model.0.w"], np.array([1.0, 2.0], np.float32), "model.0.w")
    assert isinstance(text, str), f"the text is a {type(text).__name__}, expected a str"
    json.loads(text)


def test_unpack_puts_all_together_again():
    """unpack of both is the state again: Tensors are Tensors, arrays are arrays, with their values and dtypes."""
    state = {
        "model": {"w": tensor([1.0, 2.0])},
        "adam": {0: {"m": np.array([3.0, 4.0]), "step": 5}},
        "lr": 0.1,
    }
    back = unpack(*pack(state))
    assert_equal(sorted(back), ["adam", "lr", "model"], "the list of the keys")
    weight, average = back["model"]["w"], back["adam"][0]["m"]
    assert isinstance(weight, Tensor), f"a Tensor became a {type(weight).__name__}"
    assert isinstance(average, np.ndarray), f"an array became a {type(average).__name__}"
    assert_close(weight, np.array([1.0, 2.0], np.float32), "the Tensor", rtol=0, atol=0)
    assert_close(average, np.array([3.0, 4.0]), "the array", rtol=0, atol=0)
    assert_equal(back["adam"][0]["step"], 5, "the number beside the array")


def kinds(state):
    """The type of every value in a state: 1 equals 1.0, and int is not float."""
    if isinstance(state, dict):
        return {key: kinds(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(map(kinds, state))
    return type(state).__name__


@given(state=STATES)
@example(state={"betas": (0.9, 0.999), 0: [None, True, 1, 1.0, "1"], "0": {}})
@example(state=[math.inf, -math.inf, -0.0, 0.1 + 0.2, 2**127 + 1])
@example(state={"tuple": [1], "dict": {"tensor": "x"}, "array": ()})
def test_plain_values_keep_their_types(state):
    """Numbers, strings, booleans, None, lists, tuples and dicts come back as they were.

    Numbers may be large or inf. A tuple is no list, 1 is not 1.0, and the key 0 is not "0".
    """
    tensors, text = pack(state)
    assert_equal(tensors, {}, "the dict of the Tensors of a state without any")
    assert_equal(unpack({}, text), state, "the state")
    assert_equal(kinds(unpack({}, text)), kinds(state), "the types in the state")


def test_nan_comes_back():
    """A nan in the history comes back as nan."""
    assert_equal(unpack(*pack({"loss": [math.nan]})), {"loss": [math.nan]}, "the state")


def test_a_state_of_a_generator():
    """The state of a random generator, with its integers of 128 bits, makes another one draw the same."""
    one, other = np.random.default_rng(3), np.random.default_rng(4)
    other.bit_generator.state = unpack(*pack(one.bit_generator.state))
    assert_close(other.random(3), one.random(3), "the draws of the other generator", rtol=0, atol=0)


def test_what_is_packed_does_not_change():
    """Tensors and arrays are copied: what training does to them afterwards does not change what was packed."""
    weight, average = tensor([1.0, 2.0]), np.array([3.0])
    tensors, _ = pack({"w": weight, "m": average})
    weight.fill_(9)
    average[...] = 9
    assert_close(tensors["w"], np.array([1.0, 2.0], np.float32), "the packed Tensor")
    assert_close(tensors["m"], np.array([3.0]), "the packed array")


def test_packing_changes_nothing():
    """The state is left as it was, and a Tensor that requires grad still does."""
    state = {"w": tensor([1.0], requires_grad=True), "list": [1, (2, {"x": 3})]}
    pack(state)
    assert_equal(state["list"], [1, (2, {"x": 3})], "the list in the state")
    assert_equal(state["w"].requires_grad, True, "requires_grad of the Tensor")


def test_a_state_may_be_one_tensor():
    """A state need not be a dict: a single Tensor, 0-d too, or a list or tuple of one will do."""
    assert_close(unpack(*pack(tensor([1.0, 2.0]))), np.array([1.0, 2.0], np.float32), "the Tensor alone")
    assert_close(unpack(*pack([tensor([1.0])]))[0], np.array([1.0], np.float32), "the Tensor in a list")
    assert_close(unpack(*pack((2, tensor([1.0]))))[1], np.array([1.0], np.float32), "the Tensor in a tuple")
    assert_close(unpack(*pack({"x": tensor(2.5)}))["x"], np.array(2.5, np.float32), "the 0-d Tensor")


def test_numpy_s_numbers_become_python_s():
    """np.float32(0.5), np.int64(3) and np.bool_(True) come back as 0.5, 3 and True: a float, an int and a bool."""
    state = {"lr": np.float32(0.5), "step": np.int64(3), "wide": np.float64(0.1), "stop": np.bool_(True)}
    expected = {"lr": 0.5, "step": 3, "wide": 0.1, "stop": True}
    back = unpack(*pack(state))
    assert_equal(kinds(back), kinds(expected), "the types in the state")
    assert_equal(back, expected, "the state")


def test_what_is_no_state():
    """A set, an object or a complex number is a TypeError that names the type and the keys that lead to it.

    For a key that is neither string nor integer it names the keys that lead to its dict.
    """
    with raises(TypeError, "set", "model.0"):
        pack({"model": [{1, 2}]})
    with raises(TypeError, "object", "x"):
        pack({"x": object()})
    with raises(TypeError, "complex", "x"):
        pack({"x": 1j})
    for key in (1.5, True):
        with raises(TypeError, "x"):
            pack({"x": {key: 2}})


def test_two_tensors_have_two_names():
    """{"a": {"b.c": Tensor}, "a.b": {"c": Tensor}} would give two Tensors one name: a ValueError that names it."""
    with raises(ValueError, "a.b.c"):
        pack({"a": {"b.c": tensor([1.0])}, "a.b": {"c": tensor([2.0])}})
