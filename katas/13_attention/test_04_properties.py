"""What must be true of attention, whoever writes it."""

import numpy as np
from hypothesis import given, strategies as st

from dojo.spec import assert_close
from dojo.spec.strategies import arrays
from tinytorch.attention import attention_weights, causal_mask, scaled_dot_product_attention
from tinytorch.tensor import Tensor

sequences = arrays((5, 3), np.float64)
orders = st.permutations(range(5))


def attend(query, key, value, **options):
    return scaled_dot_product_attention(Tensor(query), Tensor(key), Tensor(value), **options).data


@given(query=sequences, key=sequences, mask=arrays((5, 5), np.float64))
def test_the_weights_of_a_query_add_up_to_1(query, key, mask):
    """Weights are never negative, and those of a query that may look anywhere at all add up to 1."""
    weights = attention_weights(Tensor(query), Tensor(key), Tensor(mask))
    assert_close(weights.data.sum(-1), np.ones(5), "the sum of each row of weights")
    assert (weights.data >= 0).all(), "a weight is negative"


@given(x=sequences, y=sequences, now=st.integers(0, 4))
def test_changing_the_future_never_changes_the_past(x, y, now):
    """With is_causal, what the places up to `now` get does not depend on any place after it."""
    changed = np.concatenate([x[: now + 1], y[now + 1 :]])
    before, after = attend(x, x, x, is_causal=True), attend(changed, changed, changed, is_causal=True)
    assert_close(after[: now + 1], before[: now + 1], f"what the places up to {now} get, the rest changed,")


@given(now=st.integers(0, 4), then=st.integers(0, 4))
def test_changing_the_past_changes_the_future(now, then):
    """With is_causal, every place looks at every earlier place and at itself: a value of 1 at `then` reaches them."""
    value = np.zeros((5, 1))
    value[then] = 1
    out = attend(np.zeros((5, 2)), np.zeros((5, 2)), value, is_causal=True)
    assert_close(
        out[now, 0], 1 / (now + 1) if then <= now else 0.0, f"how much of value {then} reaches place {now}"
    )


@given(x=sequences, order=orders)
def test_attention_does_not_know_the_order(x, order):
    """Without a mask, the same places in another order get the same, in that order: positions are up to kata 12."""
    assert_close(
        attend(x[order], x[order], x[order]), attend(x, x, x)[order], f"in the order {order}, what each gets"
    )


@given(query=sequences, key=sequences, value=sequences, order=orders)
def test_keys_may_be_shuffled_with_their_values(query, key, value, order):
    """What a query gets does not depend on the order of the keys, as long as each keeps its value and its mask."""
    mask = (np.arange(5)[:, None] + np.arange(5)) % 3 > 0
    expected = attend(query, key, value, attn_mask=Tensor(mask))
    out = attend(query, key[order], value[order], attn_mask=Tensor(mask[:, order]))
    assert_close(out, expected, f"with the keys in the order {order}, the result")


@given(query=sequences, key=sequences, value=sequences, shift=arrays((3,), np.float64))
def test_what_all_keys_share_says_nothing(query, key, value, shift):
    """The same vector added to every key raises all scores of a query alike, and changes nothing."""
    assert_close(
        attend(query, key + shift, value), attend(query, key, value), "with shifted keys, the result"
    )


@given(query=sequences, key=sequences, value=sequences)
def test_a_query_gets_a_mean_of_the_values(query, key, value):
    """Each feature of the result lies between the smallest and the largest of the values that the query may see."""
    out = attend(query, key, value, is_causal=True)
    for i in range(5):
        seen = value[: i + 1]
        inside = (seen.min(0) - 1e-9 <= out[i]) & (out[i] <= seen.max(0) + 1e-9)
        assert inside.all(), f"query {i} sees {seen.tolist()} and gets {out[i].tolist()}"


@given(query=sequences, key=sequences, value=sequences, offset=st.integers(0, 4))
def test_the_last_queries_alone(query, key, value, offset):
    """The queries from `offset` on, with causal_mask(L, S, offset), get what they get among all with is_causal."""
    mask = causal_mask(5 - offset, 5, offset)
    out = attend(query[offset:], key, value, attn_mask=mask)
    expected = attend(query, key, value, is_causal=True)[offset:]
    assert_close(out, expected, f"what the queries from {offset} on get")
