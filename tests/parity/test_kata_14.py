"""Kata 14 beside PyTorch: the norms, and a GPT built by hand over there, which loads our file and has our gradients."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from tinytorch import transformers as ours
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import load, save

RNG = np.random.default_rng(0)
SHAPES = [
    ((5,), (5,)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4), (3, 4)),
    ((2, 3, 4), (2, 3, 4)),
    ((0, 4), (4,)),
    ((2, 0), (0,)),
]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def close(found, expected, tight=1.0):
    """Within 1e-5 of the largest entry for float32, and 1e-11 for float64."""
    expected = expected.detach().numpy()
    assert found.dtype == expected.dtype
    size = np.abs(expected).max(initial=1.0)
    relative = (1e-5 if expected.dtype == np.float32 else 1e-11) / tight
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=relative * size)


def both(shape, dtype):
    values = RNG.standard_normal(shape).astype(dtype)
    return Tensor(values.copy(), requires_grad=True), torch.tensor(values, requires_grad=True)


@DTYPES
@pytest.mark.parametrize(("shape", "inner"), SHAPES, ids=str)
@pytest.mark.parametrize("affine", ["none", "weight", "both"])
def test_layer_norm(shape, inner, affine, dtype):
    x, weight, bias = both(shape, dtype), both(inner, dtype), both(inner, dtype)
    given = {"none": (), "weight": (weight,), "both": (weight, bias)}[affine]
    mine = ours.layer_norm(x[0], inner, *(each[0] for each in given))
    theirs = F.layer_norm(x[1], inner, *(each[1] for each in given))
    close(mine, theirs)
    cotangent = RNG.standard_normal(shape).astype(dtype)
    mine.backward(Tensor(cotangent))
    theirs.backward(torch.tensor(cotangent))
    for here, there in (x, *given):
        close(here.grad, there.grad)


@DTYPES
@pytest.mark.parametrize(("shape", "inner"), SHAPES[:5], ids=str)
@pytest.mark.parametrize("eps", [None, 1e-3])
def test_rms_norm(shape, inner, eps, dtype):
    x, weight = both(shape, dtype), both(inner, dtype)
    mine = ours.rms_norm(x[0], inner, weight[0], eps)
    theirs = F.rms_norm(x[1], inner, weight[1], eps)
    close(mine, theirs)
    cotangent = RNG.standard_normal(shape).astype(dtype)
    mine.backward(Tensor(cotangent))
    theirs.backward(torch.tensor(cotangent))
    close(x[0].grad, x[1].grad)
    close(weight[0].grad, weight[1].grad)


@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"elementwise_affine": False}, {"eps": 0.5}], ids=str
)
def test_the_modules_print_and_are_saved_alike(options):
    for mine, theirs in (
        (ours.LayerNorm((2, 3), **options), torch.nn.LayerNorm((2, 3), **options)),
        *([(ours.RMSNorm(3, **options), torch.nn.RMSNorm(3, **options))] if "bias" not in options else []),
    ):
        assert {name: each.shape for name, each in mine.state_dict().items()} == {
            name: tuple(each.shape) for name, each in theirs.state_dict().items()
        }
        assert mine.extra_repr() == theirs.extra_repr().split(", bias=")[0]


# A GPT by hand, with the names of ours


class Attention(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, torch.nn.Linear(c.n_embd, c.n_embd, bias=c.bias))
        self.heads = c.n_head

    def forward(self, x):
        B, T, D = x.shape
        q, k, v = (
            proj(x).view(B, T, self.heads, D // self.heads).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(y.transpose(1, 2).reshape(B, T, D))


class MLP(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c_fc = torch.nn.Linear(c.n_embd, 4 * c.n_embd, bias=c.bias)
        self.c_proj = torch.nn.Linear(4 * c.n_embd, c.n_embd, bias=c.bias)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln_1 = torch.nn.LayerNorm(c.n_embd, bias=c.bias)
        self.attn = Attention(c)
        self.ln_2 = torch.nn.LayerNorm(c.n_embd, bias=c.bias)
        self.mlp = MLP(c)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class TorchGPT(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = torch.nn.Embedding(c.vocab_size, c.n_embd)
        self.wpe = torch.nn.Embedding(c.block_size, c.n_embd)
        self.h = torch.nn.ModuleList(Block(c) for _ in range(c.n_layer))
        self.ln_f = torch.nn.LayerNorm(c.n_embd, bias=c.bias)
        self.lm_head = torch.nn.Linear(c.n_embd, c.vocab_size, bias=False)
        if c.tie_weights:
            self.lm_head.weight = self.wte.weight

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


CONFIGS = {
    "gpt": ours.GPTConfig(97, 32, 3, 4, 64),
    "without biases": ours.GPTConfig(97, 32, 2, 2, 32, bias=False),
    "apart": ours.GPTConfig(97, 32, 2, 1, 32, tie_weights=False),
}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
IDS = RNG.integers(0, 97, (4, 33))


def pair(config, tmp_path, spread=4.0):
    """A GPT here, and one over there that has read its file. Weights are larger than fresh ones: logits differ."""
    manual_seed(3)
    mine = ours.GPT(config)
    for parameter in mine.parameters():
        parameter.data += RNG.standard_normal(parameter.shape).astype(np.float32) * 0.02 * spread
    path = tmp_path / "gpt.safetensors"
    save(mine.state_dict(), path)
    theirs = TorchGPT(config)
    theirs.load_state_dict(load_file(path))
    return mine, theirs


@each_config
def test_pytorch_loads_the_file_and_gives_the_same_logits(config, tmp_path):
    mine, theirs = pair(config, tmp_path)
    logits = theirs(torch.tensor(IDS[:, :-1]))
    assert logits.std() > 0.3
    np.testing.assert_allclose(mine(Tensor(IDS[:, :-1])).data, logits.detach().numpy(), atol=1e-5, rtol=1e-5)


@each_config
def test_the_loss_has_the_same_gradients(config, tmp_path):
    mine, theirs = pair(config, tmp_path)
    loss = mine.loss(Tensor(IDS[:, :-1]), Tensor(IDS[:, 1:]))
    logits = theirs(torch.tensor(IDS[:, :-1]))
    expected = F.cross_entropy(logits.flatten(0, 1), torch.tensor(IDS[:, 1:]).flatten())
    assert math.isclose(loss.item(), expected.item(), rel_tol=1e-6)
    loss.backward()
    expected.backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    assert sorted(gradients) == sorted(name for name, _ in mine.named_parameters())
    for name, parameter in mine.named_parameters():
        there = gradients[name].numpy()
        np.testing.assert_allclose(
            parameter.grad.data, there, rtol=0, atol=2e-5 * np.abs(there).max() + 1e-8, err_msg=name
        )


def test_we_load_the_file_that_pytorch_writes(tmp_path):
    config = CONFIGS["gpt"]
    theirs = TorchGPT(config)
    state = {
        name: each.clone() for name, each in theirs.state_dict().items()
    }  # safetensors wants no shared memory
    save_file(state, tmp_path / "torch.safetensors")
    mine = ours.GPT(config)
    mine.load_state_dict(load(tmp_path / "torch.safetensors"))
    close(mine(Tensor(IDS[:, :-1])), theirs(torch.tensor(IDS[:, :-1])))


def test_ten_steps_of_training_lead_to_the_same_loss(tmp_path):
    config = CONFIGS["gpt"]
    mine, theirs = pair(config, tmp_path)
    here = AdamW(mine.parameters(), lr=1e-3, weight_decay=0.1)
    there = torch.optim.AdamW(theirs.parameters(), lr=1e-3, weight_decay=0.1)
    for _ in range(10):
        here.zero_grad()
        loss = mine.loss(Tensor(IDS[:, :-1]), Tensor(IDS[:, 1:]))
        loss.backward()
        here.step()
        there.zero_grad()
        logits = theirs(torch.tensor(IDS[:, :-1]))
        expected = F.cross_entropy(logits.flatten(0, 1), torch.tensor(IDS[:, 1:]).flatten())
        expected.backward()
        there.step()
        assert math.isclose(loss.item(), expected.item(), rel_tol=1e-4)


@pytest.mark.parametrize("size", ["small", "medium", "large", "xl"])
def test_the_sizes_of_gpt2_on_the_meta_device(size):
    published = {"small": 124_439_808, "medium": 354_823_168, "large": 774_030_080, "xl": 1_557_611_200}
    with torch.device("meta"):
        model = TorchGPT(ours.GPTConfig.gpt2(size))
    assert sum(each.numel() for each in model.parameters()) == published[size]


def test_greedy_text_is_that_of_pytorch(tmp_path):
    mine, theirs = pair(CONFIGS["gpt"], tmp_path)
    ids = torch.tensor(IDS[:2, :4])
    for _ in range(40):
        ids = torch.cat([ids, theirs(ids[:, -32:])[:, -1].argmax(-1, keepdim=True)], 1)
    text = ours.generate(mine, Tensor(IDS[:2, :4]), 40, temperature=0)
    np.testing.assert_array_equal(text.data, ids.numpy())


def test_tied_logits_of_top_k():
    """As nanoGPT and Hugging Face: what is below the k-th largest goes, and what equals it stays."""
    logits = RNG.integers(0, 5, (50, 12)).astype(np.float32)
    for k in (1, 3, 12, 20):
        there = torch.tensor(logits)
        least = torch.topk(there, min(k, 12)).values[:, -1:]
        expected = there.masked_fill(there < least, -math.inf)
        np.testing.assert_array_equal(ours.keep_top_k(Tensor(logits), k).data, expected.numpy())


def test_top_p_as_hugging_face_has_it():
    """Their warper sorts upwards and drops what adds up to 1 - top_p at most."""
    logits = RNG.standard_normal((50, 12)) * 2
    for p in (0.1, 0.5, 0.9, 0.999):
        rising, order = torch.sort(torch.tensor(logits))
        drop = rising.softmax(-1).cumsum(-1) <= 1 - p
        drop[:, -1:] = False
        drop = drop.scatter(1, order, drop)
        expected = torch.tensor(logits).masked_fill(drop, -math.inf)
        np.testing.assert_array_equal(ours.keep_top_p(Tensor(logits), p).data, expected.numpy())
