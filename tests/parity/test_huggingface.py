"""GPT-2 as `transformers` writes it, and what from_huggingface makes of it: the same logits, the same text."""

import json
from hashlib import sha256

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from dojo.datasets import downloads, stdlib
from dojo.serve.huggingface import from_huggingface, read_config
from tinytorch.autograd import no_grad
from tinytorch.caching import Request, generate_all
from tinytorch.capstone import BundleError, load_bundle, save_bundle
from tinytorch.tensor import Tensor
from tinytorch.tokenization import BPETokenizer, vocabulary

TOKENS, PLACES = 400, 48
PUBLISHED = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 50256,
    "embd_pdrop": 0.1,
    "eos_token_id": 50256,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": 50257,
}
"""The config.json of the published GPT-2 small."""


def write_gpt2(folder, **changes):
    """A folder with a random GPT-2 and a tokenizer whose special token comes last, as in the published one."""
    torch.manual_seed(0)
    sizes = {"vocab_size": TOKENS, "n_positions": PLACES, "n_embd": 24, "n_layer": 3, "n_head": 4}
    model = GPT2LMHeadModel(GPT2Config(**{**sizes, "initializer_range": 0.3, **changes})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or ".ln_" in name:
                parameter += 0.3 * torch.randn_like(parameter)  # transformers begins with zeros and ones
    model.save_pretrained(folder)
    merges = BPETokenizer.train(stdlib.text(20_000), TOKENS - 1).merges
    end = "<|endoftext|>"
    BPETokenizer(merges, [end], [*vocabulary(merges), end.encode()]).save(folder / "tokenizer.json")
    return model


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    theirs = write_gpt2(folder)
    return folder, theirs, from_huggingface(folder)


def logits_of(model, ids):
    with no_grad():
        return model(Tensor(ids)).data


def test_the_logits_are_theirs(both):
    _, theirs, bundle = both
    ids = np.random.default_rng(0).integers(0, TOKENS, (3, PLACES))
    with torch.no_grad():
        expected = theirs(torch.tensor(ids)).logits.numpy()
    assert np.abs(expected).max() > 3  # not all alike
    np.testing.assert_allclose(logits_of(bundle.model, ids), expected, atol=1e-4, rtol=0)


def test_the_greedy_text_is_theirs(both):
    _, theirs, bundle = both
    prompts = np.random.default_rng(1).integers(0, TOKENS, (6, 12))
    ours = generate_all(bundle.model, [Request(ids.tolist(), PLACES - 12, temperature=0) for ids in prompts])
    given = torch.tensor(prompts)
    options = {"attention_mask": torch.ones_like(given), "pad_token_id": 0, "do_sample": False}
    found = theirs.generate(given, max_new_tokens=PLACES - 12, **options)
    assert ours == found[:, 12:].tolist()
    assert len(set(map(tuple, ours))) > 3


def test_the_bundle_is_saved_and_loaded(both, tmp_path):
    folder, _, bundle = both
    save_bundle(bundle, tmp_path / "bundle")
    again = load_bundle(tmp_path / "bundle")
    assert again.card["name"] == folder.name
    assert again.model.lm_head.weight is again.model.wte.weight
    ids = np.arange(10)[None]
    np.testing.assert_array_equal(logits_of(again.model, ids), logits_of(bundle.model, ids))


def test_a_file_as_the_published_one_is_read(both, tmp_path):
    """Its names have no prefix, and every block has a mask."""
    folder, _, bundle = both
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    weights = {
        name.removeprefix("transformer."): each
        for name, each in load_file(folder / "model.safetensors").items()
    }
    masks = {f"h.{i}.attn.bias": torch.ones(1, 1, PLACES, PLACES).tril() for i in range(3)}
    save_file({**weights, **masks}, tmp_path / "model.safetensors")
    ids = np.arange(10)[None]
    np.testing.assert_array_equal(
        logits_of(from_huggingface(tmp_path).model, ids), logits_of(bundle.model, ids)
    )


def test_weights_of_float16_become_float32(tmp_path):
    model = write_gpt2(tmp_path)
    model.half().save_pretrained(tmp_path)
    found = from_huggingface(tmp_path).model.wte.weight.data
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, model.transformer.wte.weight.float().detach().numpy())


def test_the_published_config_fits(tmp_path):
    """These are its bytes: the checksum is the one that the download has to have."""
    text = json.dumps(PUBLISHED, indent=2).encode()
    sums = {each.name: each.sha256 for each in downloads.dataset("gpt2").sources}
    assert sha256(text).hexdigest() == sums["config.json"]
    (tmp_path / "config.json").write_bytes(text)
    config = read_config(tmp_path / "config.json")
    assert (config.vocab_size, config.block_size, config.n_layer, config.n_head, config.n_embd) == (
        50257,
        1024,
        12,
        12,
        768,
    )


# What does not fit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "value", "says"),
    [
        ("model_type", "llama", "model_type is 'llama'"),
        ("activation_function", "relu", "activation_function is 'relu'"),
        ("activation_function", "gelu", "activation_function is 'gelu'"),
        ("n_inner", 100, "n_inner is 100"),
        ("layer_norm_epsilon", 1e-6, "layer_norm_epsilon is 1e-06"),
        ("scale_attn_weights", False, "scale_attn_weights is False"),
        ("scale_attn_by_inverse_layer_idx", True, "scale_attn_by_inverse_layer_idx is True"),
        ("reorder_and_upcast_attn", True, "reorder_and_upcast_attn is True"),
        ("add_cross_attention", True, "add_cross_attention is True"),
        ("tie_word_embeddings", False, "tie_word_embeddings is False"),
        ("quantization_config", {"bits": 4}, "quantization_config is {'bits': 4}"),
        ("n_head", 5, "cannot be divided among n_head 5"),
        ("n_head", "4", "n_head is '4', expected a whole number"),
        ("n_layer", 4, "has no weight h.3.ln_1.weight"),
        ("n_layer", 2, "has a weight h.2."),
        ("n_positions", 47, "wpe.weight is float32 (48, 24), expected floats (47, 24)"),
        ("vocab_size", 401, "has 400 tokens, and the model 401"),
    ],
)
def test_another_model_is_refused(both, tmp_path, entry, value, says):
    copied(both[0], tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, entry: value}))
    refused(tmp_path, says)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_or_damaged_file_is_told(both, tmp_path, name):
    copied(both[0], tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-7])
    refused(tmp_path, name)
    (tmp_path / name).unlink()
    refused(tmp_path, f"has no {name}")


def test_a_head_of_its_own_is_refused(both, tmp_path):
    copied(both[0], tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({**weights, "lm_head.weight": torch.zeros(TOKENS, 24)}, tmp_path / "model.safetensors")
    refused(tmp_path, "lm_head.weight is not wte.weight")


def test_weights_that_are_no_floats_are_refused(both, tmp_path):
    copied(both[0], tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["transformer.ln_f.bias"] = torch.zeros(24, dtype=torch.int8)
    save_file(weights, tmp_path / "model.safetensors")
    refused(tmp_path, "ln_f.bias is int8 (24,), expected floats (24,)")


def copied(source, folder):
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_bytes((source / name).read_bytes())


def refused(folder, says):
    with pytest.raises(BundleError) as caught:
        from_huggingface(folder)
    message = str(caught.value)
    assert says in message and str(folder) in message and "\n" not in message, message
