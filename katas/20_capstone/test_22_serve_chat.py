"""A conversation as one text."""

import pytest

from dojo.spec import assert_equal, raises
from tinytorch.capstone import CHAT_STOP, TextStream, message_text, render_chat
from tinytorch.tokenization import CharTokenizer


def says(role, content):
    return {"role": role, "content": content}


def test_a_text_is_its_own_text():
    """message_text of a string is that string, as it is."""
    assert_equal(message_text(" Hello\n"), " Hello\n", "the text of a text")
    assert_equal(message_text(""), "", "the text of an empty text")


def test_text_parts_are_joined():
    """message_text of a list of text parts is their texts, joined with nothing between them."""
    parts = [{"type": "text", "text": "Hello, "}, {"type": "text", "text": "world"}]
    assert_equal(message_text(parts), "Hello, world", "the text of two parts")
    assert_equal(message_text([]), "", "the text of no part")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "None"),
        (7, "7"),
        ({"type": "text", "text": "a"}, "type"),
        ([{"type": "image_url", "image_url": {"url": "x"}}], "image_url"),
        ([{"type": "refusal", "text": "No."}], "refusal"),
        ([{"type": "text"}], "text"),
        ([{"type": "text", "text": 7}], "7"),
        (["Hello"], "Hello"),
    ],
)
def test_what_is_no_text_is_refused(content, named):
    """Content that is neither a text nor a list of text parts is a ValueError that names it."""
    with raises(ValueError, named):
        message_text(content)


def test_a_message_asks_for_an_answer():
    """One message is "User:", a line break, its text, an empty line; then "Assistant:" and a line break."""
    assert_equal(render_chat([says("user", "Hello")]), "User:\nHello\n\nAssistant:\n", "the text")


def test_a_conversation_has_all_messages_in_their_order():
    """Each message stands in its place under its role; that of a developer is a system message."""
    found = render_chat(
        [says("system", "Be kind."), says("user", "Hi"), says("assistant", "Ho"), says("user", "Why?")]
    )
    right = "System:\nBe kind.\n\nUser:\nHi\n\nAssistant:\nHo\n\nUser:\nWhy?\n\nAssistant:\n"
    assert_equal(found, right, "the text")
    assert_equal(
        render_chat([says("developer", "x")]),
        "System:\nx\n\nAssistant:\n",
        "the text of a developer's message",
    )


def test_a_message_may_be_of_parts():
    """render_chat takes messages whose content is a list of text parts."""
    parts = [{"type": "text", "text": "He"}, {"type": "text", "text": "llo"}]
    assert_equal(render_chat([says("user", parts)]), "User:\nHello\n\nAssistant:\n", "the text")


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        ([], "message"),
        ([says("user", "a"), says("tool", "b")], "messages[1]"),
        ([says("user", "a"), says("tool", "b")], "tool"),
        ([{"content": "a"}], "messages[0]"),
        ([says(["user"], "a")], "messages[0]"),
        (["Hello"], "messages[0]"),
        ([says("user", "a"), says("user", None)], "messages[1]"),
    ],
)
def test_a_wrong_message_is_named(messages, named):
    """No message, one that is no object, another role, or other content is a ValueError: it names which message."""
    with raises(ValueError, named):
        render_chat(messages)


def test_an_answer_ends_where_the_next_message_begins():
    """If the model goes on with the next message itself, CHAT_STOP ends the answer there, without the empty line."""
    text = "Well.\n\nNo.\n\nUser:\nAnd"
    of = CharTokenizer(sorted(set(text)))
    stream = TextStream(of, CHAT_STOP)
    found = "".join(map(stream.push, of.encode(text))) + stream.flush()
    assert_equal(found, "Well.\n\nNo.", "the answer")
    asked = render_chat([says("user", text)])
    assert asked.endswith("Assistant:\n"), f"the text ends in {asked[-20:]!r}"
