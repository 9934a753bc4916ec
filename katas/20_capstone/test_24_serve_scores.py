"""How likely a token was: the logarithms of the probabilities, for all rows at once."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings, unchanged
from tinytorch.capstone import Scored, score_tokens


def by_hand(row):
    """The logarithms of the probabilities of a row of logits, with exact sums."""
    largest = max(row)
    total = math.log(math.fsum(math.exp(each - largest) for each in row))
    return [each - largest - total for each in row]


def test_a_token_has_the_logarithm_of_its_probability():
    """score_tokens(logits, tokens, 0) gives a Scored for each row: its token, and the logarithm of its probability."""
    logits = np.log(np.array([[1, 2, 5], [6, 1, 1]], np.float32))
    found = score_tokens(logits, [1, 0], 0)
    assert_equal(len(found), 2, "how many Scored there are")
    assert all(isinstance(each, Scored) for each in found), f"score_tokens gives {found!r}"
    assert_equal([each.token for each in found], [1, 0], "the tokens")
    assert_close(np.array([each.logprob for each in found]), np.log([0.25, 0.75]), "the logprobs", rtol=1e-5)
    assert_equal(
        [list(each.top) for each in found], [[], []], "the likeliest tokens, of which none were asked for"
    )


def test_the_likeliest_tokens_come_first():
    """`top` are the likeliest tokens with their logarithms, the most likely first, whatever the token was."""
    logits = np.log(np.array([[1, 2, 4, 9], [8, 4, 3, 1]], np.float32))
    found = score_tokens(logits, [0, 0], 3)
    assert_equal(
        [[token for token, _ in each.top] for each in found], [[3, 2, 1], [0, 1, 2]], "the likeliest tokens"
    )
    right = np.log(np.array([[9, 4, 2], [8, 4, 3]]) / 16)
    assert_close(
        np.array([[score for _, score in each.top] for each in found]), right, "their logprobs", rtol=1e-5
    )


@pytest.mark.parametrize("top", [1, 1000])
def test_the_likeliest_tokens_of_many(top):
    """The likeliest tokens are found among thousands, and in order."""
    logits = np.random.default_rng(0).permutation(4000).reshape(2, 2000).astype(np.float32) / 100
    for row, scored in zip(logits, score_tokens(logits, [0, 0], top), strict=True):
        right = sorted(range(2000), key=lambda each: -row[each])[:top]
        assert_equal([token for token, _ in scored.top], right, "the likeliest tokens")


def test_there_are_no_more_than_all_tokens():
    """A `top` above the size of the vocabulary gives all tokens."""
    found = score_tokens(np.log(np.array([[1, 3]], np.float32)), [0], 5)
    assert_equal(
        [token for token, _ in found[0].top], [1, 0], "the likeliest of two tokens, when five are asked for"
    )


def test_large_logits_do_not_overflow():
    """Logits of 1000 and of -1000 give finite logarithms, and no warning, in one row and in two."""
    with no_warnings():
        found = score_tokens(np.array([[1000, 998, -1000], [-998, -1000, -1000]], np.float32), [2, 0], 2)
    assert np.isfinite(found[1].logprob), f"the logprob of the second row is not finite: {found[1].logprob}"
    assert_close(
        np.array(found[0].logprob), np.array(-2000 - math.log(1 + math.exp(-2))), "the logprob", rtol=1e-5
    )
    assert_close(
        np.array(found[0].top[1][1]),
        np.array(-2 - math.log(1 + math.exp(-2))),
        "that of the second",
        rtol=1e-5,
    )


def test_scores_are_numbers_of_python():
    """Tokens are ints and logarithms are floats of Python's: json.dumps writes no others."""
    found = score_tokens(np.zeros((1, 3), np.float32), [1], 2)[0]
    kinds = [type(found.token), type(found.logprob), *(type(each) for pair in found.top for each in pair)]
    assert_equal(kinds, [int, float, int, float, int, float], "the types of the numbers")


@given(
    rows=st.lists(st.permutations(range(6)), min_size=1, max_size=4),
    token=st.integers(0, 5),
    top=st.integers(0, 7),
    scale=st.sampled_from([0.25, 3.0]),
)
def test_scores_are_those_of_the_definition(rows, token, top, scale):
    """The scores are logit - log(sum of exp(logits)) for any logits, which stay as they are."""
    logits = np.array(rows, np.float32) * np.float32(scale)
    with unchanged(logits):
        found = score_tokens(logits, [token] * len(rows), top)
    for row, scored in zip(logits.tolist(), found, strict=True):
        right = by_hand(row)
        order = sorted(range(6), key=lambda each: -right[each])[:top]
        assert_equal([each for each, _ in scored.top], order, f"the likeliest tokens of {row}")
        for each, score in [(token, scored.logprob), *scored.top]:
            assert_close(
                np.array(score),
                np.array(right[each]),
                f"logprob of {each} in {row}",
                rtol=1e-4,
                atol=1e-5,
            )
