"""Kata 20 beside others: torch's log_softmax, the DecodeStream of `tokenizers`, and safetensors for torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

import tinytorch.capstone as ours
from tinytorch.setup import manual_seed
from tinytorch.tokenization import BPETokenizer
from tinytorch.transformers import GPT, GPTConfig

TEXT = "to be, or not to be: that is the question. \U0001f44b\U0001f3fd héllo 你好 " * 4


def test_score_tokens_is_log_softmax_and_topk() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (5, 97)).astype(np.float32)
    scores = torch.log_softmax(torch.tensor(logits), -1)
    values, places = scores.topk(6)
    for row, scored in enumerate(ours.score_tokens(logits, [3, 96, 0, 7, 50], 6)):
        assert abs(scored.logprob - scores[row, scored.token].item()) < 1e-5
        assert [token for token, _ in scored.top] == places[row].tolist()
        np.testing.assert_allclose(
            [score for _, score in scored.top], values[row].tolist(), rtol=1e-5, atol=1e-6
        )


@pytest.fixture(scope="module", params=[256, 290])
def pair(request, tmp_path_factory):
    """A tokenizer of ours, and the same one as `tokenizers` loads it."""
    mine, path = BPETokenizer.train(TEXT, request.param), tmp_path_factory.mktemp("parity") / "tokenizer.json"
    mine.save(path)
    return mine, Tokenizer.from_file(str(path))


@given(text=st.text(st.sampled_from("to be\U0001f44b\U0001f3fdé你好"), max_size=30))
def test_push_and_flush_give_the_text_of_decode_stream(pair, text) -> None:
    mine, theirs = pair
    decoder, stream, ids = DecodeStream(skip_special_tokens=False), ours.TextStream(mine), mine.encode(text)
    assert [stream.push(each) for each in ids] == [decoder.step(theirs, each) or "" for each in ids]
    assert stream.flush() == ""


def test_torch_reads_what_save_bundle_writes(tmp_path) -> None:
    tokenizer = BPETokenizer.train(TEXT, 270)
    manual_seed(0)
    model = GPT(GPTConfig(270, 16, 2, 2, 8))
    ours.save_bundle(ours.Bundle(model, tokenizer, {"name": "tiny"}), tmp_path / "b")
    state = load_file(tmp_path / "b" / "model.safetensors")
    found = ours.load_bundle(tmp_path / "b").model.state_dict()
    for name, each in state.items():
        np.testing.assert_array_equal(found[name].data, each.numpy())
    theirs = Tokenizer.from_file(str(tmp_path / "b" / "tokenizer.json"))
    assert theirs.get_vocab_size() == model.config.vocab_size
