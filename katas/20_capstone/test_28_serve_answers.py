"""The real server, with your engine, your texts and your shapes, asked over HTTP by a client that knows the API."""

import asyncio

import pytest

from dojo.spec import assert_equal
from dojo.spec.server import beside
from tinytorch.caching import Request, generate_all
from tinytorch.capstone import Bundle, render_chat
from tinytorch.setup import manual_seed
from tinytorch.tokenization import BPETokenizer
from tinytorch.transformers import GPT, GPTConfig

TEXT = "def hello(name):\n    return 'hello ' + name\n" * 4
PROMPTS = ["def ", "return", "hello hello"]


def bundle():
    """A tokenizer of a few merges, and a GPT with random weights that say something."""
    manual_seed(5)
    tokenizer = BPETokenizer.train(TEXT, 270, ["<|endoftext|>"])
    model = GPT(GPTConfig(tokenizer.vocab_size, block_size=48, n_layer=2, n_head=2, n_embd=16))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data *= 12
    return Bundle(model.eval(), tokenizer, {"name": "random"})


@pytest.fixture(scope="module")
def server():
    from dojo.serve.server import serve
    from dojo.serve.settings import Settings

    with beside(lambda started: asyncio.run(serve(bundle(), Settings(port=0, rows=4), started))) as running:
        yield running


@pytest.fixture(scope="module")
def offline():
    """What the model writes after a prompt: a function from (prompt, tokens, stop strings) to the text."""
    found = bundle()

    def write(prompt, tokens, stop=()):
        end = found.tokenizer.special_tokens["<|endoftext|>"]
        request = Request(found.tokenizer.encode(prompt), tokens, temperature=0, stop=end)
        (ids,) = generate_all(found.model, [request])
        text = found.tokenizer.decode([each for each in ids if each != end])
        return text[: min((text.find(each) for each in stop if each in text), default=len(text))]

    return write


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_answer_over_http_is_what_the_model_writes(server, offline, prompt):
    """POST /v1/completions with temperature 0 gives the text that your model writes by itself."""
    answer = server.post("/v1/completions", prompt=prompt, max_tokens=20, temperature=0)
    assert_equal(answer.status_code, 200, "the status")
    assert_equal(answer.json()["choices"][0]["text"], offline(prompt, 20), "the text")


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_pieces_of_a_stream_are_the_whole_text(server, offline, prompt):
    """With stream, the texts of all chunks joined are the same text, one chunk for each token."""
    chunks = server.stream("/v1/completions", prompt=prompt, max_tokens=20, temperature=0)
    assert_equal(
        "".join(each["choices"][0]["text"] for each in chunks), offline(prompt, 20), "the joined text"
    )
    assert_equal(len(chunks), 20, "the number of chunks")
    reasons = [each["choices"][0]["finish_reason"] for each in chunks]
    assert_equal(reasons, [None] * 19 + ["length"], "the finish_reason of each chunk")


def test_a_stop_string_ends_the_answer(server, offline):
    """A text ends before the first of the stop strings, streamed or whole, and the finish_reason is "stop"."""
    text = offline("def ", 40)
    stop = [text[9:12], "\u2603"]
    expected = offline("def ", 40, stop)
    options = {"prompt": "def ", "max_tokens": 40, "temperature": 0, "stop": stop}
    whole = server.post("/v1/completions", **options).json()["choices"][0]
    assert_equal((whole["text"], whole["finish_reason"]), (expected, "stop"), "the text and why it ends")
    chunks = [each["choices"][0] for each in server.stream("/v1/completions", **options)]
    assert_equal("".join(each["text"] for each in chunks), expected, "the joined text of the stream")
    assert_equal(chunks[-1]["finish_reason"], "stop", "the last finish_reason")


def test_a_conversation_is_answered(server, offline):
    """POST /v1/chat/completions goes on with the text of render_chat; the answer is the message of the assistant."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    answer = server.post("/v1/chat/completions", messages=messages, max_tokens=12, temperature=0).json()
    assert_equal(answer["object"], "chat.completion", "the object")
    expected = {"role": "assistant", "content": offline(render_chat(messages), 12)}
    found = {name: answer["choices"][0]["message"][name] for name in expected}
    assert_equal(found, expected, "the message")


def test_usage_counts_the_tokens(server):
    """`usage` counts the tokens read and written: in an answer, and at the end of a stream that asks for it."""
    options = {"prompt": TEXT, "max_tokens": 7, "n": 2, "temperature": 0}
    read = len(bundle().tokenizer.encode(TEXT))
    expected = {"prompt_tokens": read, "completion_tokens": 14, "total_tokens": read + 14}
    assert_equal(server.post("/v1/completions", **options).json()["usage"], expected, "usage")
    chunks = server.stream("/v1/completions", **options, stream_options={"include_usage": True})
    assert_equal(chunks[-1]["usage"], expected, "the usage of the last chunk")
    assert_equal(chunks[-1]["choices"], [], "the choices of the last chunk")


def test_the_same_seed_gives_the_same_choices(server):
    """With `n` there are n choices, which differ; with the same `seed` they are the same again."""
    options = {"prompt": "def ", "max_tokens": 24, "n": 3, "temperature": 2.0}
    first, again = (server.post("/v1/completions", **options, seed=7).json()["choices"] for _ in range(2))
    assert_equal([each["index"] for each in first], [0, 1, 2], "the index of each choice")
    texts = [each["text"] for each in first]
    assert_equal(len(set(texts)), 3, "how many of the three texts differ")
    assert_equal([each["text"] for each in again], texts, "the texts of the second answer")


def test_logprobs_of_prompt_and_answer(server):
    """`echo` and `logprobs` tell how likely each token was: of the prompt too, but for its first."""
    found = server.post("/v1/completions", prompt="hello", max_tokens=3, temperature=0, logprobs=2, echo=True)
    choice = found.json()["choices"][0]
    logprobs, read = choice["logprobs"], len(bundle().tokenizer.encode("hello"))
    assert_equal([len(each) for each in logprobs.values()], [read + 3] * 4, "the lengths of the four lists")
    assert_equal(logprobs["token_logprobs"][0], None, "the logprob of the first token")
    for own, top in list(zip(logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True))[read:]:
        assert_equal(own, max(top.values()), "the logprob of a token that was written at temperature 0")
