"""Kata 16 beside PyTorch: a cached step of a transformer, draws with a generator a row, and filters."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import tinytorch.caching as ours
from tinytorch.dispatch import disabled
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig, next_logits

RNG = np.random.default_rng(0)
CONFIG = GPTConfig(97, 24, 3, 4, 32)


class StaticCache:
    """The cache of fixed size as it is written in PyTorch: index_copy_ into zeros."""

    def __init__(self, rows):
        shape = (CONFIG.n_layer, rows, CONFIG.n_head, CONFIG.block_size, CONFIG.n_embd // CONFIG.n_head)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    def update(self, layer, key, value, start):
        places = torch.arange(start, start + key.shape[2])
        self.keys[layer].index_copy_(2, places, key)
        self.values[layer].index_copy_(2, places, value)
        end = start + key.shape[2]
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]


def theirs(model, ids, cache, start):
    """The logits after ids, which stand from place `start` on: GPT-2's forward in PyTorch's functions."""
    weights = {name: torch.tensor(each.data) for name, each in model.state_dict().items()}

    def linear(x, name):
        return F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def norm(x, name):
        return F.layer_norm(x, (CONFIG.n_embd,), weights[f"{name}.weight"], weights[f"{name}.bias"])

    B, T = ids.shape
    x = weights["wte.weight"][ids] + weights["wpe.weight"][start : start + T]
    for layer in range(CONFIG.n_layer):
        at, h = f"h.{layer}.attn", norm(x, f"h.{layer}.ln_1")
        q, k, v = (
            linear(h, f"{at}.{name}_proj").view(B, T, CONFIG.n_head, -1).transpose(1, 2) for name in "qkv"
        )
        k, v = cache.update(layer, k, v, start)
        mask = torch.arange(start + T) <= torch.arange(start, start + T)[:, None]
        h = F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).reshape(B, T, -1)
        x = x + linear(h, f"{at}.out_proj")
        h = F.gelu(linear(norm(x, f"h.{layer}.ln_2"), f"h.{layer}.mlp.c_fc"), approximate="tanh")
        x = x + linear(h, f"h.{layer}.mlp.c_proj")
    return linear(norm(x, "ln_f"), "lm_head")[:, -1]


@pytest.mark.parametrize("kernel", [True, False])
def test_cached_steps_have_the_logits_of_pytorch(kernel):
    manual_seed(3)
    model, ids = GPT(CONFIG), RNG.integers(0, 97, (3, 20))
    for parameter in model.parameters():
        parameter.data += RNG.standard_normal(parameter.shape).astype(np.float32) * 0.1
    mine, other, start = ours.KVCache(CONFIG, 3), StaticCache(3), 0
    for end in (7, 8, 9, 15, 16, 20):
        expected = theirs(model, torch.tensor(ids[:, start:end]), other, start)
        if kernel:
            found = next_logits(model, Tensor(ids[:, :end]), mine)
        else:
            with disabled():
                found = next_logits(model, Tensor(ids[:, :end]), mine)
        np.testing.assert_allclose(found.data, expected.numpy(), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(mine.keys[:, :, :, :end], other.keys[:, :, :, :end], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            mine.values[:, :, :, :end], other.values[:, :, :, :end], rtol=1e-4, atol=1e-5
        )
        start = end


def test_attended_is_scaled_dot_product_attention_of_one_query():
    manual_seed(3)
    attn, cache = GPT(CONFIG).h[0].attn, ours.KVCache(CONFIG, 2)
    cache.keys[...] = RNG.standard_normal(cache.keys.shape)
    cache.values[...] = RNG.standard_normal(cache.values.shape)
    cache.lengths[:] = [9, 4]
    x = RNG.standard_normal((2, 32)).astype(np.float32)
    found = ours.attended(x, attn, cache, 1)
    q = F.linear(torch.tensor(x), torch.tensor(attn.q_proj.weight.data), torch.tensor(attn.q_proj.bias.data))
    mask = torch.arange(10) <= torch.tensor([9, 4])[:, None, None, None]
    keys, values = (torch.tensor(each[1, :, :, :10]) for each in (cache.keys, cache.values))
    heads = F.scaled_dot_product_attention(q.view(2, 4, 1, 8), keys, values, mask).reshape(2, 32)
    expected = F.linear(heads, torch.tensor(attn.out_proj.weight.data), torch.tensor(attn.out_proj.bias.data))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_the_parts_on_arrays():
    x = RNG.standard_normal((5, 32)).astype(np.float32)
    there, model = torch.tensor(x), GPT(CONFIG)
    norm, linear = model.ln_f, model.h[0].mlp.c_fc
    norm.weight.data[...] = RNG.standard_normal(32)
    norm.bias.data[...] = RNG.standard_normal(32)
    expected = F.layer_norm(there, (32,), torch.tensor(norm.weight.data), torch.tensor(norm.bias.data))
    np.testing.assert_allclose(ours.normalized(x, norm), expected.numpy(), rtol=1e-4, atol=1e-5)
    expected = F.linear(there, torch.tensor(linear.weight.data), torch.tensor(linear.bias.data))
    np.testing.assert_allclose(ours.projected(x, linear), expected.numpy(), rtol=1e-4, atol=1e-5)
    expected = F.gelu(there, approximate="tanh").numpy()
    np.testing.assert_allclose(ours.gelu_tanh(x), expected, rtol=1e-5, atol=1e-6)


def test_filters_as_hugging_face_has_them():
    """Their warpers, one row after the other: top_k masks what is below the k-th, top_p sorts upwards."""
    scores = RNG.standard_normal((40, 12)) * 2
    top_k, top_p = RNG.integers(1, 14, 40), RNG.choice([0.1, 0.5, 0.9, 0.999], 40)
    found = ours.keep_rows(scores, top_k, top_p)
    for row in range(40):
        there = torch.tensor(scores[row])
        least = torch.topk(there, min(int(top_k[row]), 12)).values[-1]
        there = there.masked_fill(there < least, -math.inf)
        rising, order = torch.sort(there)
        drop = rising.softmax(-1).cumsum(-1) <= 1 - top_p[row]
        drop[-1:] = False
        drop = drop.scatter(0, order, drop)
        np.testing.assert_array_equal(found[row], there.masked_fill(drop, -math.inf).numpy())


def test_ids_come_as_often_as_from_multinomial():
    logits = np.tile(RNG.standard_normal(6).astype(np.float32), (6000, 1))
    options = [[0.7] * 6000, [4] * 6000, [None] * 6000]
    ids = ours.sample_rows(Tensor(logits), *options, [np.random.default_rng(0)] * 6000).data
    there = torch.tensor(logits[:1]) / 0.7
    there = there.masked_fill(there < torch.topk(there, 4).values[:, -1:], -math.inf)
    drawn = torch.multinomial(there.softmax(-1), 6000, True, generator=torch.Generator().manual_seed(0))
    shares = [np.bincount(each.ravel(), minlength=6) / 6000 for each in (ids, drawn.numpy())]
    np.testing.assert_allclose(*shares, atol=0.03)


def model_of():
    manual_seed(3)
    model, rng = GPT(CONFIG), np.random.default_rng(5)
    for parameter in model.parameters():
        parameter.data += rng.standard_normal(parameter.shape).astype(np.float32) * 0.1
    return model


def greedy(model, ids, tokens):
    """The text that PyTorch writes alone, with its own cache."""
    ids, cache, start = list(ids), StaticCache(1), 0
    for _ in range(tokens):
        logits = theirs(model, torch.tensor([ids[start:]]), cache, start)
        start = len(ids)
        ids.append(int(logits.argmax()))
    return ids[-tokens:]


def test_a_crowd_writes_what_pytorch_writes_for_each_alone():
    model, prompts = model_of(), [[1, 5, 2], [7], [1, 5, 2, 9, 4], [3, 3], [1, 5]]
    requests = [ours.Request(ids, 6 + 3 * (place % 3), temperature=0) for place, ids in enumerate(prompts)]
    texts = ours.generate_all(model, requests, 2, ours.PrefixCache(CONFIG, 2))
    assert texts == [greedy(model, each.ids, each.max_new_tokens) for each in requests]


def test_a_batch_goes_on_when_one_is_released():
    model = model_of()
    batch = ours.Batch(model, 2)
    gone, stays = (ours.Request(ids, 9, temperature=0) for ids in ([4, 4], [1, 5, 2]))
    batch.add(gone)
    batch.add(stays)
    batch.step()
    batch.release(gone)
    batch.read(stays, 0)  # all but its last token again: nothing changes
    while batch.requests:
        batch.step()
    assert stays.written == greedy(model, [1, 5, 2], 9)


def test_known_beginnings_and_rows_that_were_copied_or_cut():
    model, ids = model_of(), RNG.integers(0, 97, (1, 12))
    expected = theirs(model, torch.tensor(ids), StaticCache(1), 0).numpy()
    cache, known, other = ours.KVCache(CONFIG), ours.PrefixCache(CONFIG), ours.KVCache(CONFIG, 2)
    next_logits(model, Tensor(ids[:, :10]), cache)
    known.store(ids[0, :10].tolist(), cache, 0)
    assert known.fetch(ids[0].tolist(), other, 1) == 10
    other.copy_row(0, other, 1, 7)
    other.truncate([5, 5])
    assert other.length == 5
    found = next_logits(model, Tensor(np.repeat(ids, 2, 0)), other)
    np.testing.assert_allclose(found.data, np.repeat(expected, 2, 0), rtol=1e-4, atol=1e-4)


def test_what_is_common_by_a_cumulative_product():
    for _ in range(50):
        a, b = RNG.integers(0, 2, (2, 6))
        expected = int((torch.tensor(a) == torch.tensor(b)).long().cumprod(0).sum())
        assert ours.common_prefix(a.tolist(), b.tolist()) == expected


def test_decode_takes_the_step_of_pytorch():
    model, ids = model_of(), RNG.integers(0, 97, (2, 6))
    cache, other = ours.KVCache(CONFIG, 2), StaticCache(2)
    for end in range(1, 7):
        each = Tensor(ids[:, :end])
        assert ours.can_decode(model, each, cache)
        expected = theirs(model, torch.tensor(ids[:, end - 1 : end]), other, end - 1)
        np.testing.assert_allclose(
            ours.decode(model, each, cache).data, expected.numpy(), rtol=1e-4, atol=1e-4
        )


def test_two_texts_in_shared_pages():
    model, ids = model_of(), RNG.integers(0, 97, (1, 9))
    pool = ours.PagePool(CONFIG, 6, page_size=4)
    cache = ours.PagedCache(pool)
    next_logits(model, Tensor(ids), cache)
    cache.reserve(1)
    fork = cache.fork()
    for token, each in ((5, cache), (8, fork)):
        longer = np.append(ids, [[token]], 1)
        expected = theirs(model, torch.tensor(longer), StaticCache(1), 0).numpy()
        np.testing.assert_allclose(
            next_logits(model, Tensor(longer), each).data, expected, rtol=1e-4, atol=1e-4
        )
    cache.release()
    fork.release()
    assert pool.allocate(6) == list(range(6))
