"""The same on a GPU, or on its strict stand-in."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import (
    GPT,
    GPTConfig,
    generate,
    keep_top_k,
    keep_top_p,
    layer_norm,
    rms_norm,
    sample,
)

X = (np.arange(24, dtype=np.float32).reshape(2, 3, 4) * 7 % 11 - 5) / 4
IDS = np.array([[1, 5, 0], [2, 2, 4]])

CASES = {
    "layer_norm": lambda x: layer_norm(x, 4, x[0, 0], x[0, 1]),
    "rms_norm": lambda x: rms_norm(x, (3, 4)),
    "keep_top_k": lambda x: keep_top_k(x, 2),
    "keep_top_p": lambda x: keep_top_p(x, 0.7),
    "greedy": lambda x: sample(x, temperature=0),
}


@pytest.mark.parametrize("compute", CASES.values(), ids=CASES)
def test_functions_stay_on_the_device(device, compute):
    """Norms, filters and the greedy choice work on the device of their Tensor, and give what they give on the CPU."""
    out = compute(Tensor(on_device(X, device)))
    assert type(out.data) is type(on_device(X, device)), "the result left the device"
    assert_close(out, compute(Tensor(X)).data, "the result on the device", atol=1e-5)


def test_ids_are_drawn_on_the_device(device):
    """Without a generator the device's own default generator draws, and the ids are on that device."""
    ids = sample(Tensor(on_device(X, device)), top_k=3, top_p=0.9)
    assert type(ids.data) is type(on_device(X, device)), "the ids left the device"


def test_a_generator_draws_for_the_device(device):
    """Ids that are drawn with the caller's generator are on the device of the logits, too."""
    ids = sample(Tensor(on_device(X, device)), generator=np.random.default_rng(0))
    assert type(ids.data) is type(on_device(X, device)), "the ids left the device"


def test_a_gpt_learns_and_writes_on_the_device(device):
    """GPT moves to a GPU: loss, gradients and greedy text are there what they are on the CPU, and it is tied still."""
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=6, block_size=5, n_layer=2, n_head=2, n_embd=4))
    for parameter in model.parameters():
        parameter.data *= 20
    losses, gradients, texts = {}, {}, {}
    for place in ("cpu", device):
        model.to(place)
        model.zero_grad()
        ids = Tensor(on_device(IDS, place))
        losses[place] = model.loss(ids, Tensor(on_device(IDS[:, ::-1].copy(), place)))
        losses[place].backward()
        gradients[place] = {name: parameter.grad for name, parameter in model.named_parameters()}
        texts[place] = generate(model, ids, 4, temperature=0, stop=3)
    assert type(texts[device].data) is type(on_device(X, device)), "the text left the device"
    assert_close(losses[device], losses["cpu"].data, "the loss on the device", atol=1e-4)
    assert_close(texts[device], texts["cpu"].data, "the text on the device")
    for name, gradient in gradients[device].items():
        assert type(gradient.data) is type(on_device(X, device)), f"the gradient of {name} left the device"
        assert_close(gradient, gradients["cpu"][name].data, f"the gradient of {name}", rtol=1e-3, atol=1e-4)
    assert model.lm_head.weight is model.wte.weight, "on the device the weights are no longer tied"
