"""A bundle made of a folder in Hugging Face's layout, such as the published GPT-2 that `make data NAME=gpt2` downloads.

    bundle = from_huggingface(downloads.find("gpt2"))

Their GPT-2 is the model of kata 14, written down in another way. The projections to queries, keys and values are one
matrix, `c_attn`; and their matrices have the axes (in, out), those of a Linear (out, in). So `c_attn` is cut in three,
and the matrices are transposed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch.capstone import Bundle, BundleError
from tinytorch.tensor import Tensor
from tinytorch.tokenization import BPETokenizer, check_fields, read_json
from tinytorch.training import load
from tinytorch.transformers import GPT, GPTConfig

FILES = ("config.json", "tokenizer.json", "model.safetensors")

ONLY: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh", None),  # two names of one function
    "layer_norm_epsilon": (1e-5, None),
    "scale_attn_weights": (True, None),
    "scale_attn_by_inverse_layer_idx": (False, None),
    "reorder_and_upcast_attn": (False, None),
    "add_cross_attention": (False, None),
    "tie_word_embeddings": (True, None),
    "quantization_config": (None,),
}
"""The entries of their config.json that change what is computed, with the values for which kata 14's GPT computes the
same. Where None is among them, the entry may be absent. `n_inner` is checked by itself; the others change nothing."""

SIZES = {"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12}
"""The entries with sizes, and what GPT2Config of `transformers` takes where one is absent."""

IGNORED = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
"""Constants in older files, the published one too: the causal mask, and the score of what is masked."""


def from_huggingface(folder: Path) -> Bundle:
    """The bundle of a GPT-2 that `transformers` has written with save_pretrained, the tokenizer's file beside it.

    The weights become float32. Nothing in the folder is executed: it is JSON and safetensors.

    Raises:
        BundleError: a file is missing or damaged, the model computes something else than kata 14's GPT, a weight is
            missing, unexpected or of another shape, or the tokenizer has not the model's number of tokens. The message
            is one sentence, and names the file.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise BundleError(
                f"{folder} has no {name}: a folder in Hugging Face's layout has {', '.join(FILES)}"
            )
    try:
        config = read_config(folder / "config.json")
        tokenizer = BPETokenizer.load(folder / "tokenizer.json")
        if tokenizer.vocab_size != config.vocab_size:
            raise ValueError(
                f"{folder / 'tokenizer.json'} has {tokenizer.vocab_size} tokens, and the model {config.vocab_size}"
            )
        state = read_weights(folder / "model.safetensors", config)
    except ValueError as error:
        raise BundleError(str(error)) from None
    model = GPT(config)
    model.load_state_dict(state)
    return Bundle(model, tokenizer, {"name": folder.resolve().name, "made_from": "Hugging Face's layout"})


def read_config(path: Path) -> GPTConfig:
    """The sizes in their config.json.

    Raises:
        ValueError: it is no JSON object, or an entry is none that kata 14's GPT can follow. The message names the path.
    """
    entries = read_json(path)
    if not isinstance(entries, dict):
        raise ValueError(f"{path} holds {type(entries).__name__}, expected an object")
    for name, allowed in ONLY.items():
        check_fields(path, name, entries.get(name), allowed)
    sizes = {name: entries.get(name, default) for name, default in SIZES.items()}
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise ValueError(f"{path}: {name} is {size!r}, expected a whole number, 1 or more")
    if sizes["n_embd"] % sizes["n_head"]:
        raise ValueError(f"{path}: n_embd {sizes['n_embd']} cannot be divided among n_head {sizes['n_head']}")
    check_fields(path, "n_inner", entries.get("n_inner"), (None, 4 * sizes["n_embd"]))
    return GPTConfig(block_size=sizes.pop("n_positions"), **sizes)


def shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """The names of the weights in their file, without the prefix "transformer.", and the shape of each."""
    D = config.n_embd
    block = {
        "ln_1.weight": (D,),
        "ln_1.bias": (D,),
        "attn.c_attn.weight": (D, 3 * D),
        "attn.c_attn.bias": (3 * D,),
        "attn.c_proj.weight": (D, D),
        "attn.c_proj.bias": (D,),
        "ln_2.weight": (D,),
        "ln_2.bias": (D,),
        "mlp.c_fc.weight": (D, 4 * D),
        "mlp.c_fc.bias": (4 * D,),
        "mlp.c_proj.weight": (4 * D, D),
        "mlp.c_proj.bias": (D,),
    }
    blocks = {f"h.{i}.{name}": shape for i in range(config.n_layer) for name, shape in block.items()}
    ends = {"wte.weight": (config.vocab_size, D), "wpe.weight": (config.block_size, D)}
    return {**ends, **blocks, "ln_f.weight": (D,), "ln_f.bias": (D,)}


def read_weights(path: Path, config: GPTConfig) -> dict[str, Tensor]:
    """The state of a GPT, from their file.

    Raises:
        CheckpointError: it is damaged, or no safetensors file.
        ValueError: a weight is missing, is not expected, or has another shape or no floating-point type; or the head is
            not tied, but has values of its own. The message names the path and the weight.
    """
    theirs = {name.removeprefix("transformer."): tensor.data for name, tensor in load(path).items()}
    theirs = {name: array for name, array in theirs.items() if not IGNORED.fullmatch(name)}
    head, expected = theirs.pop("lm_head.weight", None), shapes(config)
    for name in [*expected, *theirs]:
        if name not in theirs:
            raise ValueError(f"{path} has no weight {name}")
        if name not in expected:
            raise ValueError(f"{path} has a weight {name}, which this GPT-2 does not have")
        if theirs[name].shape != expected[name] or theirs[name].dtype.kind != "f":
            raise ValueError(
                f"{path}: {name} is {theirs[name].dtype} {theirs[name].shape}, expected floats {expected[name]}"
            )
    if head is not None and not np.array_equal(head, theirs["wte.weight"]):
        raise ValueError(f"{path}: lm_head.weight is not wte.weight, and config.json says that they are tied")
    state: dict[str, Tensor] = {}
    for name, array in theirs.items():
        for our_name, ours in translated(name, array.astype(np.float32, copy=False)).items():
            state[our_name] = Tensor(ours)
    return state | {"lm_head.weight": state["wte.weight"]}


def translated(name: str, array: Any) -> Mapping[str, Any]:
    """One weight of theirs, by the names that kata 14's GPT has for it: three for c_attn, one for any other."""
    block = name.rpartition(".")[0]
    if array.ndim == 2 and block.startswith("h."):
        array = array.T  # (in, out) -> (out, in)
    if block.endswith("attn.c_attn"):
        names = (name.replace("c_attn", f"{each}_proj") for each in "qkv")
        return dict(zip(names, np.split(array, 3), strict=True))
    return {name.replace("attn.c_proj", "attn.out_proj"): array}
