"""What is saved, counted: bytes on the disk, and multiply-adds."""

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.strategies import arrays, shapes
from tinytorch import dispatch
from tinytorch.compression import (
    count_macs,
    global_unstructured,
    load_sparse,
    low_rank,
    prunable,
    remove,
    remove_channels,
    save_sparse,
)
from tinytorch.layers import Dropout, Flatten, Linear, Module, ReLU, Sequential
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor, ones, zeros
from tinytorch.training import CheckpointError, load, save
from tinytorch.transformers import GPT, GPTConfig


def sparse_array(size, share, seed=0):
    """float32 (size,), a share of it 0 and the rest not."""
    rng = np.random.default_rng(seed)
    array = (1 + rng.random(size)).astype(np.float32)
    array[rng.permutation(size)[: round(share * size)]] = 0
    return array


def test_a_state_comes_back(tmp_path):
    """What save_sparse wrote, load_sparse gives again: names, shapes, dtypes and values, dense or not."""
    state = {
        "dense": Tensor(np.arange(1, 7, dtype=np.float32).reshape(2, 3)),
        "sparse": Tensor(sparse_array(600, 0.9).reshape(20, 30)),
        "doubles": Tensor(sparse_array(99, 0.8).astype(np.float64)),
        "zeros": zeros(7, 9, 2),
        "count": Tensor(np.array(3)),
        "empty": zeros(0, 4),
    }
    save_sparse(state, tmp_path / "file")
    loaded = load_sparse(tmp_path / "file")
    assert_equal(sorted(loaded), sorted(state), "the names")
    for name, value in state.items():
        assert_close(loaded[name], value.data, name, rtol=0, atol=0)


@pytest.mark.parametrize("share", [0.5, 0.75, 0.9, 0.99])
def test_bytes_on_the_disk(share, tmp_path):
    """Of 40,000 float32 numbers, those that are not 0 take 4 bytes each, and all of them one bit: nothing else.

    The header of a file is below 600 bytes.
    """
    save_sparse({"weight": Tensor(sparse_array(40_000, share))}, tmp_path / "file")
    content = 40_000 // 8 + 4 * round((1 - share) * 40_000)
    size = (tmp_path / "file").stat().st_size
    assert content <= size <= content + 600, f"the file has {size} bytes, expected {content} and a header"


def test_what_would_not_get_smaller_is_written_as_it_is(tmp_path):
    """Without zeros the bits would come on top: such a Tensor is in the file under its own name, as save writes it.

    Of 32 numbers of 4 bytes one zero saves 4 bytes, and the bits take 4: that is not smaller.
    """
    for array in (sparse_array(4000, 0.02), sparse_array(32, 1 / 32)):
        save_sparse({"weight": Tensor(array)}, tmp_path / "file")
        assert_equal(
            list(load(tmp_path / "file")), ["weight"], f"the names in the file, for {array.size} numbers"
        )


def test_what_is_in_the_file(tmp_path):
    """[[0, 5], [0, 0], [7, 0], [0, 0]] is the bits 01001000 and the values [5, 7]."""
    array = np.array([[0, 5], [0, 0], [7, 0], [0, 0]], np.float32)
    save_sparse({"w": Tensor(array)}, tmp_path / "file")
    parts = load(tmp_path / "file")
    assert_close(parts["bits:w"], np.array([0b01001000], np.uint8), "the bits")
    assert_close(parts["values:w"], np.array([5, 7], np.float32), "the values")


@given(array=arrays(shapes(max_side=9), np.float32), transposed=st.booleans())
def test_any_array_comes_back(array, transposed, tmp_path_factory):
    """Whatever its shape, its order in memory and its zeros, an array comes back."""
    array = array.T if transposed else array
    path = tmp_path_factory.getbasetemp() / "any"
    save_sparse({"a": Tensor(array)}, path)
    assert_close(load_sparse(path)["a"], np.ascontiguousarray(array).reshape(array.shape), "the array", 0, 0)


def test_nan_and_infinity_are_no_zeros(tmp_path):
    """nan, inf and -inf come back."""
    array = np.zeros(400, np.float32)
    array[:3] = np.nan, np.inf, -np.inf
    save_sparse({"a": Tensor(array)}, tmp_path / "file")
    assert_close(load_sparse(tmp_path / "file")["a"], array, "the array")


def test_a_file_of_save_is_read_too(tmp_path):
    """load_sparse reads what `save` wrote."""
    save({"weight": Tensor(np.arange(3.0))}, tmp_path / "file")
    assert_close(load_sparse(tmp_path / "file")["weight"], np.arange(3.0), "the weight")


def test_a_name_that_is_taken_is_refused(tmp_path):
    """A state with a sparse "w" and a dense "bits:w" is a ValueError with that name, and no file is left.

    Without the sparse "w", a "bits:w" is a name like any other.
    """
    with raises(ValueError, "bits:w"):
        save_sparse({"w": zeros(100), "bits:w": ones(3)}, tmp_path / "file")
    assert_equal(list(tmp_path.iterdir()), [], "what is in the folder")
    save_sparse({"w": ones(3), "bits:w": ones(3)}, tmp_path / "file")
    assert_equal(sorted(load_sparse(tmp_path / "file")), ["bits:w", "w"], "the names that come back")


BROKEN = {
    "too few bits": {"bits:w": np.array([255], np.uint8), "values:w": np.ones(8, np.float32)},
    "too many values": {"bits:w": np.array([1, 0, 0], np.uint8), "values:w": np.ones(2, np.float32)},
    "one value for many bits": {"bits:w": np.array([3, 0, 0], np.uint8), "values:w": np.ones(1, np.float32)},
    "no values": {"bits:w": np.array([1, 0, 0], np.uint8)},
}


@pytest.mark.parametrize("parts", BROKEN.values(), ids=BROKEN)
def test_parts_that_do_not_fit_are_refused(parts, tmp_path):
    """A file whose bits, values and shape do not fit together is a CheckpointError with its path."""
    path = tmp_path / "file"
    tensors = {name: Tensor(array) for name, array in parts.items()}
    save(tensors, path, {"sparse": json.dumps({"w": [4, 6]})})
    with raises(CheckpointError, path):
        load_sparse(path)


def test_a_damaged_file_is_refused(tmp_path):
    """One bit that is turned over is a CheckpointError, as in `load`."""
    path = tmp_path / "file"
    save_sparse({"weight": Tensor(sparse_array(4000, 0.9))}, path)
    blob = bytearray(path.read_bytes())
    blob[-7] ^= 4
    path.write_bytes(blob)
    with raises(CheckpointError, path):
        load_sparse(path)


def test_a_pruned_model_is_a_small_file(tmp_path):
    """With nine of ten weights at 0, and the masks removed, the file has at most 0.16 of the bytes it had.

    A tenth of the values, one bit in 32 for each entry, and the biases.
    """
    manual_seed(0)
    model = Sequential(Linear(64, 128), ReLU(), Linear(128, 64))
    save(model.state_dict(), tmp_path / "dense")
    expected = model.state_dict()
    global_unstructured(prunable(model), 0.9)
    for module, name in prunable(model):
        remove(module, name)
    save_sparse(model.state_dict(), tmp_path / "sparse")
    dense, sparse = ((tmp_path / name).stat().st_size for name in ("dense", "sparse"))
    assert sparse < 0.16 * dense, f"{sparse} bytes of {dense}: {sparse / dense:.2f}, expected at most 0.16"
    other = Sequential(Linear(64, 128), ReLU(), Linear(128, 64))
    other.load_state_dict(load_sparse(tmp_path / "sparse"))
    x = Tensor(np.ones((2, 64), np.float32))
    assert_close(other(x), model(x).data, "the output of the model that was loaded", atol=1e-6)
    assert_equal(sorted(other.state_dict()), sorted(expected), "its names")


# Multiply-adds


def test_multiply_adds_of_a_linear_layer():
    """Five rows through Linear(6, 4) are 5 * 6 * 4 multiply-adds; adding the bias is none."""
    assert_equal(count_macs(Linear(6, 4), zeros(5, 6)), 120, "the multiply-adds")
    assert_equal(count_macs(Linear(6, 4), zeros(2, 5, 6)), 240, "the multiply-adds of two times five rows")
    assert_equal(count_macs(Linear(6, 4), zeros(6)), 24, "the multiply-adds of one row")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2 * 8 * (6 * 6) * (4 * 3 * 3)),
        ({"padding": 1, "stride": 2}, 2 * 8 * (4 * 4) * (4 * 3 * 3)),
        ({"groups": 4}, 2 * 8 * (6 * 6) * (1 * 3 * 3)),
        ({"dilation": 2}, 2 * 8 * (4 * 4) * (4 * 3 * 3)),
    ],
    ids=["plain", "stride", "groups", "dilation"],
)
def test_multiply_adds_of_a_convolution(options, expected):
    """Each output takes as many as its kernel has weights: N * out * OH * OW * (in / groups * kh * kw)."""
    layer = Conv2d(4, 8, 3, **options)
    assert_equal(count_macs(layer, zeros(2, 4, 8, 8)), expected, "the multiply-adds")


def test_multiply_adds_of_a_model_are_those_of_its_layers():
    """They add up over the layers; batch norm, activations and dropout have no matrix product."""
    model = Sequential(
        *(Conv2d(1, 4, 3), BatchNorm2d(4), ReLU(), Flatten()),
        *(Linear(64, 10), Dropout(0.5), Linear(10, 3)),
    )
    expected = 2 * (4 * 16 * 9 + 64 * 10 + 10 * 3)
    assert_equal(count_macs(model, zeros(2, 1, 6, 6)), expected, "the multiply-adds")


def test_multiply_adds_of_attention():
    """A block has twelve matrices of 8 by 8 for each of 5 tokens, and attention itself 2 * 5 * 5 * 8; then the head."""
    model = GPT(GPTConfig(vocab_size=11, block_size=6, n_layer=1, n_head=2, n_embd=8))
    expected = 5 * 12 * 8 * 8 + 2 * 5 * 5 * 8 + 5 * 8 * 11
    assert_equal(count_macs(model, Tensor(np.arange(5)[None])), expected, "the multiply-adds")


def test_zeros_save_nothing():
    """A model whose weights are all masked has as many multiply-adds as before: a product does not look at them."""
    model = Sequential(Linear(6, 4), ReLU(), Linear(4, 2))
    before = count_macs(model, zeros(5, 6))
    global_unstructured(prunable(model), 1.0)
    assert_equal(count_macs(model, zeros(5, 6)), before, "the multiply-adds")


def test_what_is_really_gone_is_saved():
    """Half the channels of the middle are half of the multiply-adds on both sides; a rank of 2 is 2 * (in + out)."""
    model = Sequential(Linear(6, 4), ReLU(), Linear(4, 2))
    remove_channels(model, 0, 0.5)
    assert_equal(count_macs(model, zeros(1, 6)), 6 * 2 + 2 * 2, "the multiply-adds with half the channels")
    assert_equal(
        count_macs(low_rank(Linear(16, 8), 2), zeros(1, 16)), 2 * (16 + 8), "the multiply-adds of rank 2"
    )


class Odd(Module):
    """Takes two inputs, notes its mode, and fails if it is told to."""

    def __init__(self):
        self.linear, self.seen = Linear(3, 2), []

    def forward(self, x, y, fail=False):
        self.seen.append(self.training)
        out = self.linear(x) @ y
        self.seen.append(out.requires_grad)
        if fail:
            raise ZeroDivisionError
        return out


def test_counting_changes_nothing():
    """The model is called once, in eval mode and unrecorded; then it is in the mode it had, and nobody watches.

    A part that was in eval mode stays in it.
    """
    model, before = Odd(), list(dispatch.observers)
    model.linear.eval()
    assert_equal(count_macs(model, zeros(5, 3), zeros(2, 7)), 5 * 3 * 2 + 5 * 2 * 7, "the multiply-adds")
    assert_equal(model.seen, [False, False], "whether it trained, and whether it was recorded,")
    assert model.training, "the model is in eval mode afterwards"
    assert not model.linear.training, "a part that was in eval mode is in train mode afterwards"
    with raises(ZeroDivisionError):
        count_macs(model, zeros(5, 3), zeros(2, 7), True)
    assert dispatch.observers == before, (
        "an observer is left in dispatch.observers, which slows down every operation"
    )
