"""PyTorch, and what the workloads ask for besides: a GPT with the parameters of kata 14's, and a cache for it."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Cache:
    """Memory for the keys and values of all layers (StaticCache of Hugging Face's transformers)."""

    def __init__(self, sizes: Any) -> None:
        shape = (sizes.n_layer, 1, sizes.n_head, sizes.block_size, sizes.n_embd // sizes.n_head)
        self.keys, self.values, self.length = torch.zeros(shape), torch.zeros(shape), 0

    def update(self, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class Attention(nn.Module):
    def __init__(self, c: Any) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(c.n_embd, c.n_embd, bias=c.bias) for _ in range(4)
        )
        self.heads = c.n_head

    def forward(self, x: Any, cache: Cache | None, layer: int) -> Any:
        B, T, D = x.shape
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (each(x).view(B, T, self.heads, D // self.heads).transpose(1, 2) for each in projections)
        if cache is not None:
            k, v = cache.update(layer, k, v)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=T > 1)
        return self.out_proj(y.transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    def __init__(self, c: Any) -> None:
        super().__init__()
        self.c_fc = nn.Linear(c.n_embd, 4 * c.n_embd, bias=c.bias)
        self.c_proj = nn.Linear(4 * c.n_embd, c.n_embd, bias=c.bias)

    def forward(self, x: Any) -> Any:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, c: Any) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(c.n_embd, bias=c.bias), Attention(c)
        self.ln_2, self.mlp = nn.LayerNorm(c.n_embd, bias=c.bias), MLP(c)

    def forward(self, x: Any, cache: Cache | None, layer: int) -> Any:
        x = x + self.attn(self.ln_1(x), cache, layer)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Its parameters have the names of kata 14's."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.config = c
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.wpe = nn.Embedding(c.block_size, c.n_embd)
        self.h = nn.ModuleList(Block(c) for _ in range(c.n_layer))
        self.ln_f = nn.LayerNorm(c.n_embd, bias=c.bias)
        self.lm_head = nn.Linear(c.n_embd, c.vocab_size, bias=False)
        if c.tie_weights:
            self.lm_head.weight = self.wte.weight

    def forward(self, ids: Any, cache: Cache | None = None) -> Any:
        past = 0 if cache is None else cache.length
        x = self.wte(ids) + self.wpe(torch.arange(past, past + ids.shape[1]))
        for layer, block in enumerate(self.h):
            x = block(x, cache, layer)
        if cache is not None:
            cache.length += ids.shape[1]
        return self.lm_head(self.ln_f(x))


def generate(model: GPT, ids: Any, tokens: int, cache: Cache | None) -> Any:
    """`tokens` more ids, drawn one after the other."""
    model.eval()
    for _ in range(tokens):
        read = ids[:, -model.config.block_size :] if cache is None else ids[:, cache.length :]
        logits = model(read, cache)[:, -1]
        ids = torch.cat([ids, torch.multinomial(torch.softmax(logits, -1), 1)], 1)
    return ids


def library(tuned: bool = False, device: str = "cpu") -> Any:
    """PyTorch on one thread; `tuned`, with a malloc that keeps what is freed instead of giving it back.

    Until the next call, what PyTorch makes is on the device.
    """
    torch.set_num_threads(1)
    torch.set_default_device(device)
    if tuned:
        keep_memory()
    return SimpleNamespace(
        nn=nn,
        optim=torch.optim,
        device=device,
        tensor=torch.tensor,
        no_grad=torch.no_grad,
        GPT=GPT,
        cache=Cache,
        generate=generate,
    )


def keep_memory() -> None:
    """Raise the sizes from which glibc's malloc maps new memory, and from which it gives memory back to the system.

    By default large arrays are mapped when they are made and unmapped when they are freed, and each page of them
    costs a fault again. Kata 15's pool does the same for tinytorch.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        raise NotImplementedError("only glibc has mallopt")
    m_trim_threshold, m_mmap_threshold = -1, -3
    for option in (m_mmap_threshold, m_trim_threshold):
        libc.mallopt(option, 2**30)


def about() -> dict[str, str]:
    """PyTorch, and the instructions for which it picked its kernels."""
    return {"torch": torch.__version__, "torch CPU capability": torch.backends.cpu.get_cpu_capability()}
