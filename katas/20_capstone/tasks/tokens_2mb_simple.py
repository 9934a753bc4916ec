"""Rows of int8, read back as float32. Each reader waits for the one before, and each token reads the text again."""

import numpy as np

from tinytorch.autograd import no_grad
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig, generate

NEW = 32


def build(model, given):
    """Each row of a matrix becomes int8 and a scale; the rest is half as long as it was."""
    weights = {}
    for name, array in given.items():
        if array.ndim == 2:
            scale = np.abs(array).max(1, keepdims=True) / 127
            weights[name], weights[name + "*"] = (
                np.round(array / scale).astype(np.int8),
                scale.astype(np.float32),
            )
        else:
            weights[name] = array.astype(np.float16)
    return weights


def restored(model, weights):
    gpt = GPT(GPTConfig(**model))
    arrays = {
        name: array.astype(np.float32) * weights.get(name + "*", np.float32(1))
        for name, array in weights.items()
        if not name.endswith("*")
    }
    gpt.load_state_dict({name: Tensor(array) for name, array in arrays.items()})
    return gpt


def load(model, weights):
    gpt = restored(model, weights)

    def write(prompts):
        with no_grad():
            return [generate(gpt, Tensor(prompt), NEW, temperature=0).data.tolist() for prompt in prompts]

    return write
