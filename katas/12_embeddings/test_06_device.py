"""The same on a GPU, or on its strict stand-in."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device, raises, refuses_to_mix
from tinytorch.autograd import no_grad
from tinytorch.embeddings import (
    Embedding,
    LearnedPositions,
    SinusoidalPositions,
    apply_rope,
    embedding,
    rows_for,
)
from tinytorch.layers import Module
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

IDS = np.array([[2, 0, 2], [3, 1, 2]])
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8 - 1
STARTS = np.array([1, 0])
WEIGHT = np.arange(16, dtype=np.float32).reshape(4, 4) % 5 - 2

CASES = {
    "embedding": lambda put: embedding(put(IDS), put(WEIGHT)),
    "embedding_with_padding": lambda put: embedding(put(IDS), put(WEIGHT), -2),
    "apply_rope": lambda put: apply_rope(put(X), 5),
    "apply_rope_of_each_text": lambda put: apply_rope(put(X), put(STARTS).data),
    "rows_for_each_text": lambda put: rows_for(put(WEIGHT), put(X), put(STARTS).data),
}


@pytest.mark.parametrize("compute", CASES.values(), ids=CASES)
def test_rows_stay_on_the_device(device, compute):
    """Rows on a GPU are looked up and rotated there, with the same result as on the CPU."""
    with no_grad():
        out = compute(lambda array: Tensor(on_device(array, device)))
        expected = compute(Tensor)
    assert type(out.data) is type(on_device(X, device)), "the result left the device"
    assert_close(out, expected.data, "the result on the device")


def test_an_id_outside_is_refused_on_the_device(device):
    """Ids on a GPU are checked too: -1 and 4 of 4 rows are an IndexError with both numbers."""
    for bad in (-1, 4):
        with raises(IndexError, bad, 4):
            embedding(Tensor(on_device(np.array([0, bad]), device)), Tensor(on_device(WEIGHT, device)))


def test_ids_and_rows_on_different_devices_are_refused(device):
    """Ids on the CPU and rows on a GPU are an error that names both devices: nothing is moved in secret."""
    with refuses_to_mix(device):
        embedding(Tensor(IDS), Tensor(on_device(WEIGHT, device)))


class Reader(Module):
    """Ids become rows, with two kinds of positions added, then rotated."""

    def __init__(self):
        self.rows = Embedding(4, 4, padding_idx=0)
        self.places = SinusoidalPositions(8, 4)
        self.learned = LearnedPositions(8, 4)

    def forward(self, ids):
        return apply_rope(self.learned(self.places(self.rows(ids), 2), 1))


def test_rows_learn_on_the_device(device):
    """A model of this kata's layers moves to a GPU with its buffer; outputs and gradients are those of the CPU."""
    manual_seed(0)
    model = Reader()
    outs, gradients = {}, {}
    for place in ("cpu", device):
        model.to(place)
        model.zero_grad()
        outs[place] = model(Tensor(on_device(IDS, place)))
        (outs[place] * outs[place]).sum().backward()
        gradients[place] = {name: p.grad for name, p in model.named_parameters()}
    assert type(outs[device].data) is type(on_device(X, device)), "the result left the device"
    assert_close(outs[device], outs["cpu"].data, "the result on the device", atol=1e-5)
    for name, gradient in gradients[device].items():
        assert gradient is not None, f"{name} has no gradient: was an array computed by hand and wrapped?"
        assert type(gradient.data) is type(on_device(X, device)), f"the gradient of {name} left the device"
        assert_close(gradient, gradients["cpu"][name].data, f"the gradient of {name}", atol=1e-4)


def test_rows_are_drawn_on_the_device(device):
    """A layer that was moved to a GPU draws its rows again there, and the row of padding is 0."""
    layer = Embedding(4, 3, padding_idx=1).to(device)
    before = layer.weight.data.copy()
    layer.reset_parameters()
    assert type(layer.weight.data) is type(on_device(X, device)), "the weight left the device"
    assert bool((layer.weight.data != before).any()), "reset_parameters() drew the same numbers"
    assert not bool((layer.weight.data[1] != 0).any()), "the row of padding is not 0"
