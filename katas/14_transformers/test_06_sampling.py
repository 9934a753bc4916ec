"""From logits to a token: temperature, top-k, top-p, and the draw."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, extreme, no_warnings, raises, unchanged
from dojo.spec.strategies import distinct, shapes
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor, zeros
from tinytorch.transformers import check_sampling, keep_top_k, keep_top_p, sample

INF = math.inf
ODDS = np.array([0.1, 0.4, 0.2, 0.3])
LOGITS = np.log(ODDS).astype(np.float32) + np.float32(5)  # a constant more does not count

ROWS = distinct(shapes(min_dims=1, max_dims=3, min_side=1, max_side=5))


def shares(n=20_000, **options):
    """How often each of the four ids of LOGITS is drawn, of n."""
    rows = Tensor(np.broadcast_to(LOGITS, (n, 4)))
    ids = sample(rows, generator=np.random.default_rng(0), **options).data
    return np.bincount(ids, minlength=4) / n


def expect_shares(found, expected):
    """Within five standard deviations of 20,000 draws."""
    for i, (share, p) in enumerate(zip(found, np.asarray(expected), strict=True)):
        margin = 5 * math.sqrt(p * (1 - p) / 20_000)
        assert abs(share - p) <= margin, (
            f"id {i} is drawn with frequency {share:.3f}, expected {p:.3f} (all: {np.round(found, 3).tolist()}, "
            f"expected {np.round(expected, 3).tolist()})"
        )


# What may be asked for


@pytest.mark.parametrize(
    ("options", "bad"),
    [
        ({"temperature": -0.5}, -0.5),
        ({"temperature": INF}, "inf"),
        ({"temperature": math.nan}, "nan"),
        ({"top_k": 0}, 0),
        ({"top_k": -3}, -3),
        ({"top_p": 0.0}, 0.0),
        ({"top_p": 1.5}, 1.5),
        ({"top_p": math.nan}, "nan"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(options, bad):
    """A temperature below 0 or not finite, top_k below 1 and top_p not in (0, 1] are ValueErrors with what is wrong."""
    with raises(ValueError, bad):
        check_sampling(**options)


def test_what_can_be_asked_for():
    """temperature=0, top_k=1 and top_p=1 are fine, and so is leaving all three out."""
    check_sampling()
    check_sampling(0.0, 1, 1.0)
    check_sampling(temperature=2.5, top_k=1_000_000, top_p=1e-9)


# The k largest


def test_keep_top_k_by_hand():
    """Of [1, 4, 2, 3] the two largest stay, where they are: [-inf, 4, -inf, 3]."""
    x = np.array([[1, 4, 2, 3], [4, 3, 2, 1]], np.float32)
    with unchanged(x):
        out = keep_top_k(Tensor(x), 2)
    assert_close(out, np.array([[-INF, 4, -INF, 3], [4, 3, -INF, -INF]], np.float32))


def test_what_equals_the_kth_stays():
    """Nobody can say which of two equal logits is larger: of [2, 3, 2, 1] the top 2 are [2, 3, 2]."""
    assert_close(keep_top_k(tensor([2.0, 3.0, 2.0, 1.0]), 2), np.array([2, 3, 2, -INF], np.float32))


def test_top_k_may_be_more_than_there_are():
    """top_k=10 of four logits keeps all four."""
    assert_close(keep_top_k(Tensor(LOGITS), 10), LOGITS)


@given(x=ROWS, k=st.integers(1, 6))
def test_the_k_largest_of_every_row(x, k):
    """In each row of any shape k entries stay, and none that is left out is larger than one of them."""
    with no_warnings():
        out = keep_top_k(Tensor(x), k)
    expected = np.where((x[..., None, :] > x[..., :, None]).sum(-1) < k, x, np.float32(-INF))
    assert_close(out, expected)


@pytest.mark.parametrize("k", [0, -1])
def test_keep_top_k_keeps_one_at_least(k):
    """top_k below 1 is a ValueError that names it."""
    with raises(ValueError, k):
        keep_top_k(zeros(4), k)


# The nucleus


def kept(x, p):
    """Which places of one row keep_top_p keeps, as a list."""
    return np.flatnonzero(np.isfinite(keep_top_p(Tensor(x), p).data)).tolist()


def test_keep_top_p_by_hand():
    """Probabilities [0.1, 0.4, 0.2, 0.3]: 0.4 + 0.3 reach 0.6, so ids 1 and 3 stay, with their logits as they were."""
    out = keep_top_p(Tensor(LOGITS), 0.6)
    assert_close(out, np.array([-INF, LOGITS[1], -INF, LOGITS[3]], np.float32))


@pytest.mark.parametrize(("p", "ids"), [(0.3, [1]), (0.5, [1, 3]), (0.8, [1, 2, 3]), (0.95, [0, 1, 2, 3])])
def test_the_one_that_reaches_p_belongs_to_it(p, ids):
    """The probabilities of those that stay add up to top_p at least, and without the last one they do not."""
    assert_equal(kept(LOGITS, p), ids, f"the list of ids that stay for top_p={p}")


def test_the_nucleus_is_never_empty():
    """However small top_p is, the most probable one stays."""
    assert_equal(kept(LOGITS, 1e-12), [1], "the list of ids that stay")


def test_top_p_of_1_keeps_all():
    """top_p=1 keeps even what is so improbable that a sum in float32 does not notice it; -inf stays -inf."""
    x = np.array([30.0, 0.0, -5.0, -INF], np.float32)
    assert_close(keep_top_p(Tensor(x), 1.0), x)


def test_equal_ones_come_in_their_order():
    """Of four equally probable ones the first two make top_p=0.4."""
    assert_equal(kept(np.zeros(4, np.float32), 0.4), [0, 1], "the list of ids that stay")


def test_a_sum_that_equals_p_reaches_it():
    """Of four equally probable ones two make top_p=0.5 exactly, and no third one is needed."""
    assert_equal(kept(np.zeros(4, np.float32), 0.5), [0, 1], "the ids that stay for top_p=0.5")


@given(x=ROWS, p=st.sampled_from([0.05, 0.35, 0.65, 0.9]))
def test_the_nucleus_of_every_row(x, p):
    """In each row of any shape the smallest set of the most probable ones stays that reaches top_p."""
    with no_warnings():
        out = keep_top_p(Tensor(x), p)
    expected = np.full_like(x, -INF)
    for place in np.ndindex(x.shape[:-1]):
        row = x[place].astype(np.float64)
        odds = np.exp(row - row.max())
        odds /= odds.sum()
        reached = 0.0
        for i in sorted(range(len(row)), key=lambda i: -row[i]):
            if reached < p:
                expected[(*place, i)] = x[(*place, i)]
            reached += odds[i]
    assert_close(out, expected)


@pytest.mark.parametrize("p", [0.0, -0.5, 1.25])
def test_keep_top_p_takes_a_share(p):
    """top_p that is not above 0 and at most 1 is a ValueError that names it."""
    with raises(ValueError, p):
        keep_top_p(zeros(4), p)


# Drawing


def test_temperature_0_takes_the_largest():
    """At temperature 0 sample gives the largest logit's place for each row, int64, the first one at a tie."""
    rows = tensor([[[1.0, 5.0, 2.0], *[[3.0, 0.0, 3.0]] * 20]])  # a draw would give 2 for some of them
    with no_warnings():
        assert_close(sample(rows, temperature=0.0), np.array([[1, *[0] * 20]]))


def test_a_tiny_temperature_takes_the_largest():
    """sample([1, 2, 3], 1e-40) is 2: dividing by so small a number may not give inf or nan."""
    assert_equal(sample(tensor([1.0, 2.0, 3.0]), 1e-40).item(), 2, "the id")


@pytest.mark.parametrize(("options", "bad"), [({"top_k": 0}, 0), ({"top_p": 7.5}, 7.5)], ids=str)
def test_temperature_0_excuses_nothing(options, bad):
    """A bad option is a ValueError at temperature 0, too."""
    with raises(ValueError, bad):
        sample(Tensor(LOGITS), 0, **options)


def test_greedy_draws_nothing():
    """At temperature 0 the generator is left alone."""
    generator = np.random.default_rng(5)
    sample(Tensor(LOGITS), temperature=0, generator=generator)
    assert_equal(generator.random(), np.random.default_rng(5).random(), "what the generator draws next")


def test_sample_gives_an_id_for_each_row():
    """(2, 3, V) gives ids (2, 3) and (V,) gives one, int64, all of them from 0 to V - 1."""
    rng = np.random.default_rng(0)
    for shape in [(2, 3), (), (0,)]:
        ids = sample(Tensor(rng.standard_normal((*shape, 7))), generator=rng)
        assert_equal((ids.shape, str(ids.dtype)), (shape, "int64"), f"shape and dtype for rows {shape}")
        assert ((ids.data >= 0) & (ids.data < 7)).all(), f"ids outside 0 to 6: {ids.data}"


def test_ids_come_as_often_as_their_probability_says():
    """Of 20,000 draws each id has the share softmax(logits) says: here 0.1, 0.4, 0.2 and 0.3."""
    expect_shares(shares(), ODDS)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_the_logits(temperature):
    """softmax(logits / temperature): below 1 the probable ones come more often, above 1 less often."""
    odds = ODDS ** (1 / temperature)
    expect_shares(shares(temperature=temperature), odds / odds.sum())


def test_top_k_draws_from_the_k_largest():
    """With top_k=2 only ids 1 and 3 come, 4 times to 3 times."""
    expect_shares(shares(top_k=2), [0, 4 / 7, 0, 3 / 7])


def test_top_p_draws_from_the_nucleus():
    """With top_p=0.8 ids 1, 3 and 2 come, as 4 to 3 to 2."""
    expect_shares(shares(top_p=0.8), [0, 4 / 9, 2 / 9, 3 / 9])


def test_temperature_comes_before_the_nucleus():
    """At temperature 0.25 the fourth powers count: 0.4 has 72 % then, and is alone in top_p=0.7; before it is not."""
    expect_shares(shares(temperature=0.25, top_p=0.7), [0, 1, 0, 0])


def test_the_nucleus_is_of_what_top_k_has_left():
    """Of top_k=2 id 1 has 4/7 = 57 %, which reach top_p=0.5 alone; of all four it has 40 %, which do not."""
    expect_shares(shares(top_k=2, top_p=0.5), [0, 1, 0, 0])


def test_the_same_seed_draws_the_same():
    """Generators with one seed draw the same ids, and a second call draws others; by default manual_seed decides."""
    rows = Tensor(np.zeros((50, 100), np.float32))
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    first = sample(rows, generator=one).data
    assert_close(sample(rows, generator=two), first, "the draws of another generator with that seed")
    assert (sample(rows, generator=one).data != first).any(), "the second call draws the same as the first"
    manual_seed(9)
    first = sample(rows).data
    manual_seed(9)
    assert_close(sample(rows), first, "the draws after the same manual_seed")


def test_each_row_draws_for_itself():
    """Rows with the same logits get different ids: each has a draw of its own."""
    ids = sample(Tensor(np.zeros((40, 100), np.float32)), generator=np.random.default_rng(0)).data
    assert len(set(ids.tolist())) > 10, f"40 rows of 100 equal logits gave only {sorted(set(ids.tolist()))}"


def test_what_is_forbidden_is_never_drawn():
    """A logit of -inf has probability 0, and large logits do not overflow."""
    rows = Tensor(np.tile(np.array([-INF, 5000.0, -INF, 5000.0, -INF], np.float32), (2000, 1)))
    with no_warnings():
        ids = sample(rows, generator=np.random.default_rng(0)).data
    assert_equal(sorted(set(ids.tolist())), [1, 3], "the list of ids that come")


@pytest.mark.parametrize("end", [0, 1])
def test_the_ends_of_a_draw_allow_nothing_new(end):
    """A draw may be exactly 0, or as near to 1 as there is: what has probability 0 does not come then, either."""
    row = np.full(1003, -INF, np.float32)
    row[1:-1] = np.sin(np.arange(1001))
    ids = sample(Tensor(np.stack([row, row])), generator=extreme(end)).data
    assert (ids > 0).all() and (ids < 1002).all(), (
        f"the ids {ids.tolist()} came, and ids 0 and 1002 have -inf"
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    ("row", "word"), [([1, math.nan], "nan"), ([1, INF], "inf"), ([-INF, -INF], "-inf")], ids=str
)
def test_a_broken_model_is_told_of(row, word, temperature):
    """A row with nan or inf in it, or of nothing but -inf, is a ValueError that says so, at any temperature."""
    with raises(ValueError, word):
        sample(Tensor(np.array([[0, 1], row], np.float32)), temperature)
