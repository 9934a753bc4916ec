"""The shapes of OpenAI's API: what their clients read, entry by entry."""

import json

from dojo.spec import assert_equal
from tinytorch.capstone import (
    Choice,
    Scored,
    chat_chunk,
    chat_completion,
    chat_logprobs,
    completion,
    completion_logprobs,
    usage,
)
from tinytorch.tokenization import BPETokenizer, CharTokenizer

HEAD = {"id": "cmpl-1", "created": 1700000000, "model": "tiny"}


def bpe():
    return BPETokenizer([(b"t", b"o"), (b" ", b"to"), (b"\xf0", b"\x9f")])


SPACED, CUT, BYTE, TO, B = 257, 258, 172, 256, 65  # the ids of kata 11: 256 bytes, and then the merges


def test_a_completion_has_its_choices():
    """A completion has the entries of head, "object": "text_completion", and its choices, each with four entries."""
    found = completion(HEAD, [Choice(0, "to be", "stop"), Choice(1, "or not", "length", {"tokens": []})])
    choices = [
        {"index": 0, "text": "to be", "logprobs": None, "finish_reason": "stop"},
        {"index": 1, "text": "or not", "logprobs": {"tokens": []}, "finish_reason": "length"},
    ]
    assert_equal(found, {**HEAD, "object": "text_completion", "choices": choices}, "the completion")
    assert_equal(sorted(HEAD), ["created", "id", "model"], "the entries of head, which is the caller's")


def test_further_entries_are_added():
    """Further arguments are entries: the usage of an answer, and usage=None, which is null in JSON."""
    found = completion(HEAD, [], usage=usage(3, 4))
    expected = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert_equal(found.get("usage"), expected, "the usage")
    assert_equal(completion(HEAD, [Choice(0)], usage=None).get("usage", "missing"), None, "usage=None")
    assert "usage" not in completion(HEAD, [Choice(0)]), "there is a usage, and nobody gave one"


def test_a_chat_has_messages():
    """The answer of a chat is of the object "chat.completion": a choice has a message of the role assistant."""
    found = chat_completion(HEAD, [Choice(1, "Hello", "stop", {"content": []})], usage=usage(1, 2))
    message = {"role": "assistant", "content": "Hello", "refusal": None}
    choices = [{"index": 1, "message": message, "logprobs": {"content": []}, "finish_reason": "stop"}]
    right = {**HEAD, "object": "chat.completion", "choices": choices, "usage": usage(1, 2)}
    assert_equal(found, right, "the answer")


def test_a_chunk_of_a_chat_has_deltas():
    """A chunk is of the object "chat.completion.chunk": a choice has a delta, whose content is the new text."""
    found = chat_chunk(HEAD, [Choice(0, "Hel"), Choice(2, "", "length")], usage=None)
    choices = [
        {"index": 0, "delta": {"content": "Hel"}, "logprobs": None, "finish_reason": None},
        {"index": 2, "delta": {"content": ""}, "logprobs": None, "finish_reason": "length"},
    ]
    right = {**HEAD, "object": "chat.completion.chunk", "choices": choices, "usage": None}
    assert_equal(found, right, "the chunk")


def test_the_first_delta_says_who_speaks():
    """The delta of a choice's first piece has the role too, that of a later one has not."""
    found = chat_chunk(HEAD, [Choice(0, "H", first=True), Choice(1, "i")])
    deltas = [each["delta"] for each in found["choices"]]
    assert_equal(deltas, [{"role": "assistant", "content": "H"}, {"content": "i"}], "the deltas")


def test_a_completion_says_how_likely_its_tokens_were():
    """The logprobs of a completion are four lists: tokens, token_logprobs, top_logprobs and text_offset.

    top_logprobs has a dict for each token, from text to logarithm: the likeliest, and the token itself too.
    """
    scored = [Scored(TO, -0.5, [(TO, -0.5), (B, -1.5)]), Scored(B, -3.0, [(SPACED, -0.25), (TO, -2.0)])]
    right = {
        "tokens": ["to", "b"],
        "token_logprobs": [-0.5, -3.0],
        "top_logprobs": [{"to": -0.5, "b": -1.5}, {" to": -0.25, "to": -2.0, "b": -3.0}],
        "text_offset": [7, 9],
    }
    assert_equal(completion_logprobs(bpe(), scored, [7, 9]), right, "the logprobs")


def test_logprobs_of_no_other_token_are_of_the_token_itself():
    """With no likeliest tokens a dict of top_logprobs has only the token itself."""
    found = completion_logprobs(bpe(), [Scored(TO, -0.5, [])], [0])
    assert_equal(found["top_logprobs"], [{"to": -0.5}], "top_logprobs")


def test_the_first_token_of_a_prompt_has_no_logprob():
    """A token without a logprob, the first of a prompt that is echoed, has None in token_logprobs and top_logprobs."""
    found = completion_logprobs(bpe(), [Scored(TO, None, []), Scored(B, -2.0, [])], [0, 2])
    assert_equal(found["token_logprobs"], [None, -2.0], "token_logprobs")
    assert_equal(found["top_logprobs"], [None, {"b": -2.0}], "top_logprobs")


def test_parts_of_a_character_have_names_of_their_own():
    """Tokens that are part of a character are named by token_text, so that no two of them are one entry of a dict."""
    found = completion_logprobs(bpe(), [Scored(CUT, -0.5, [(CUT, -0.5), (BYTE, -2.0)])], [0])
    assert_equal(found["tokens"], ["bytes:\\xf0\\x9f"], "tokens")
    assert_equal(found["top_logprobs"], [{"bytes:\\xf0\\x9f": -0.5, "bytes:\\xf0": -2.0}], "top_logprobs")


def test_a_chat_says_how_likely_its_tokens_were():
    """The logprobs of a chat have a dict for each token: token, logprob, bytes, and top_logprobs, a list of dicts."""
    found = chat_logprobs(bpe(), [Scored(B, -3.0, [(SPACED, -0.25), (CUT, -2.0)]), Scored(TO, -1.0, [])])
    top = [
        {"token": " to", "logprob": -0.25, "bytes": [32, 116, 111]},
        {"token": "bytes:\\xf0\\x9f", "logprob": -2.0, "bytes": [240, 159]},
    ]
    right = {
        "content": [
            {"token": "b", "logprob": -3.0, "bytes": [98], "top_logprobs": top},
            {"token": "to", "logprob": -1.0, "bytes": [116, 111], "top_logprobs": []},
        ],
        "refusal": None,
    }
    assert_equal(found, right, "the logprobs")


def test_characters_have_logprobs_too():
    """With a CharTokenizer the bytes are those of the character in UTF-8."""
    of = CharTokenizer("aé")
    entry = chat_logprobs(of, [Scored(1, -1.0, [(0, -0.5)])])["content"][0]
    assert_equal((entry["token"], entry["bytes"]), ("é", [195, 169]), "token and bytes of é")
    found = completion_logprobs(of, [Scored(1, -1.0, [(0, -0.5)])], [0])
    assert_equal(found["top_logprobs"], [{"a": -0.5, "é": -1.0}], "top_logprobs")


def test_every_shape_is_json():
    """json.dumps writes each shape, and what is read back is the same."""
    scored = [Scored(CUT, -0.5, [(B, -0.5)])]
    for shape in (
        completion(HEAD, [Choice(0, "a", None, completion_logprobs(bpe(), scored, [0]))], usage=usage(1, 1)),
        chat_completion(HEAD, [Choice(0, "a", "stop", chat_logprobs(bpe(), scored))]),
        chat_chunk(HEAD, [Choice(0, "é", None, None, True)], usage=None),
    ):
        assert_equal(json.loads(json.dumps(shape)), shape, "the shape that was written and read")
