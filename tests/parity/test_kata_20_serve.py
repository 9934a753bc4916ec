"""Kata 20 beside others: torch, `tokenizers`, safetensors, the checksums of huggingface_hub, OpenAI's client."""

import json

import numpy as np
import pytest
import torch
from huggingface_hub.utils.sha import sha_fileobj
from hypothesis import given, strategies as st
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

import tinytorch.capstone as ours
from tests import needs
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
    yours = certain = ""
    for each in ids:
        yours += stream.push(each)
        certain += decoder.step(theirs, each) or ""
        assert yours.startswith(certain)  # it keeps a whole token back where a character at its end is cut
    assert yours + stream.flush() == certain == text


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


def test_check_files_takes_the_checksums_of_huggingface_hub(tmp_path) -> None:
    manual_seed(0)
    tokenizer = BPETokenizer()
    bundle = ours.Bundle(GPT(GPTConfig(tokenizer.vocab_size, 8, 1, 1, 4)), tokenizer, {"name": "tiny"})
    ours.save_bundle(bundle, tmp_path / "b")
    path = tmp_path / "b" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for name in manifest["files"]:
        with (tmp_path / "b" / name).open("rb") as file:
            manifest["files"][name] = sha_fileobj(file).hex()
    path.write_text(json.dumps(manifest), encoding="utf-8")
    ours.check_files(tmp_path / "b")


HEAD = {"id": "cmpl-1", "created": 1700000000, "model": "tiny"}
SCORED = [ours.Scored(65, -0.5, [(65, -0.5), (172, -2.0)]), ours.Scored(172, -3.0, [])]


def test_the_openai_client_reads_every_shape() -> None:
    """Its types, read strictly: completion and chat_completion, chat_chunk, completion_logprobs and chat_logprobs."""
    needs.module("openai")
    from openai.types import Completion
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    tokenizer = BPETokenizer()
    of_texts = ours.completion_logprobs(tokenizer, SCORED, [0, 1])
    of_chats = ours.chat_logprobs(tokenizer, SCORED)
    used = ours.usage(3, 4)
    text = ours.completion(HEAD, [ours.Choice(0, "to", "stop", of_texts)], usage=used)
    chat = ours.chat_completion(HEAD, [ours.Choice(1, "to", "length", of_chats)], usage=used)
    chunk = ours.chat_chunk(HEAD, [ours.Choice(1, "to", None, of_chats, first=True)], usage=None)
    for kind, shape in ((Completion, text), (ChatCompletion, chat), (ChatCompletionChunk, chunk)):
        read = kind.model_validate_json(json.dumps(shape), strict=True)
        assert read.model_dump(exclude_unset=True) == shape


def test_render_chat_and_message_text_are_a_template_of_hugging_face() -> None:
    """Hugging Face's chat templates are programs in Jinja: this is ours as one of them."""
    needs.module("jinja2")
    from jinja2 import Template

    template = Template(
        "{% for each in messages %}{{ each.role | capitalize }}:\n"
        "{% if each.content is string %}{{ each.content }}"
        "{% else %}{{ each.content | map(attribute='text') | join }}{% endif %}"
        "\n\n{% endfor %}Assistant:\n",
        keep_trailing_newline=True,
    )
    parts = [{"type": "text", "text": "He"}, {"type": "text", "text": " llo\n"}]
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Why?\n\n"},
    ]
    assert ours.render_chat(messages) == template.render(messages=messages)
    assert ours.message_text(parts) == "He llo\n"
