"""One draw for each row, each with its own temperature, top_k, top_p and generator."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, extreme, no_warnings, raises, unchanged
from dojo.spec.strategies import distinct
from tinytorch.caching import keep_rows, sample_rows
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import sample

INF = math.inf
ODDS = np.array([0.1, 0.4, 0.2, 0.3])
LOGITS = np.log(ODDS).astype(np.float32) + np.float32(5)


def draw(logits, temperature=1.0, top_k=None, top_p=None, seeds=None):
    """sample_rows with the same options for all rows, unless a list is given; row r has the seed r."""
    rows = len(logits)
    options = [each if isinstance(each, list) else [each] * rows for each in (temperature, top_k, top_p)]
    generators = [np.random.default_rng(seed) for seed in (range(rows) if seeds is None else seeds)]
    return sample_rows(Tensor(np.asarray(logits)), *options, generators)


def kept(row, top_k, top_p):
    """The ids that stay of one row: a loop over the most probable ones."""
    falling = sorted(range(len(row)), key=lambda place: (-row[place], place))
    least = row[falling[min(top_k, len(row)) - 1]]
    falling = [place for place in falling if row[place] >= least]
    weights = [math.exp(row[place] - row[falling[0]]) for place in falling]
    ids, before = [], 0.0
    for place, weight in zip(falling, weights, strict=True):
        if before >= top_p * math.fsum(weights) and top_p < 1:
            break
        ids.append(place)
        before += weight
    return sorted(ids)


# Filters


def test_filters_by_hand():
    """Of odds 1, 4, 2, 3 top_k=2 keeps ids 1 and 3, top_p=0.35 id 1, and top_k=3 with top_p=0.7 ids 1 and 3.

    A top_p of 1 keeps also what is hardly ever drawn. Only differences of scores count: they may be large.
    """
    scores = 1000 + np.stack([*[np.log(ODDS)] * 3, [0.0, -90, -50, -70]])
    with no_warnings():
        found = keep_rows(scores, np.array([2, 4, 3, 4]), np.array([1.0, 0.35, 0.7, 1.0]))
    ids = [np.flatnonzero(row > -INF).tolist() for row in found]
    assert_equal(ids, [[1, 3], [1], [1, 3], [0, 1, 2, 3]], "the list of ids that stay in each row")
    assert_close(found[0][[1, 3]], scores[0][[1, 3]], "the scores that stay")


def test_equal_scores_stay_together_for_top_k():
    """Of [2, 1, 1, 0] top_k=2 keeps three: those that equal the smallest stay. For top_p the lower id comes first."""
    scores = np.array([[2.0, 1, 1, 0], [1.0, 1, 1, 1], [2.0, 1, 1, 1]])
    found = keep_rows(scores, np.array([2, 4, 4]), np.array([1.0, 0.5, 0.5]))
    ids = [np.flatnonzero(row > -INF).tolist() for row in found]
    assert_equal(ids, [[0, 1, 2], [0, 1], [0, 1]], "the list of ids that stay in each row")


@given(data=st.data(), rows=st.integers(1, 4), size=st.integers(1, 6))
def test_filters_row_by_row(data, rows, size):
    """With a top_k and a top_p for each row, each row keeps what it keeps alone."""
    scores = data.draw(distinct((rows, size)), label="scores").astype(np.float64)
    top_k = data.draw(st.lists(st.integers(1, 8), min_size=rows, max_size=rows), label="top_k")
    top_p = data.draw(
        st.lists(st.sampled_from([0.05, 0.33, 0.71, 0.98, 1.0]), min_size=rows, max_size=rows), label="top_p"
    )
    with unchanged(scores), no_warnings():
        found = keep_rows(scores, np.array(top_k), np.array(top_p))
    for row, options in enumerate(zip(top_k, top_p, strict=True)):
        expected = np.full(size, -INF)
        expected[kept(scores[row].tolist(), *options)] = scores[row][kept(scores[row].tolist(), *options)]
        assert_close(found[row], expected, f"row {row}")


# Draws


def test_each_row_gets_an_id():
    """Logits (3, 4) give ids (3,), int64."""
    ids = draw([LOGITS] * 3)
    assert_equal((ids.shape, str(ids.dtype)), ((3,), "int64"), "shape and dtype")


def test_temperature_0_is_greedy():
    """A row at temperature 0 gives its largest logit, the first one at a tie, beside a row that is drawn."""
    with no_warnings():
        ids = draw([LOGITS, LOGITS, [1, 3, 3, 2]], temperature=[0.0, 1.0, 0.0]).data
    assert_close(ids[[0, 2]], np.array([1, 1]), "the ids of rows 0 and 2")


def test_at_temperature_0_nothing_is_drawn():
    """The generator of a greedy row stays as it was; that of another row has given one number."""
    generators = [np.random.default_rng(5), np.random.default_rng(5)]
    sample_rows(Tensor(np.stack([LOGITS] * 2)), [0.0, 1.0], [None] * 2, [None] * 2, generators)
    fresh = np.random.default_rng(5)
    assert_equal(generators[0].random(), fresh.random(), "the next number of the greedy row")
    assert generators[1].bit_generator.state != np.random.default_rng(5).bit_generator.state, (
        "the row at temperature 1 has not drawn"
    )


@pytest.mark.parametrize(
    ("options", "odds"),
    [
        ({}, ODDS),
        ({"temperature": 0.5}, ODDS**2 / (ODDS**2).sum()),
        ({"top_k": 2}, np.array([0, 4, 0, 3]) / 7),
        ({"top_p": 0.75}, np.array([0, 4, 2, 3]) / 9),
        ({"temperature": 2.0, "top_k": 3}, np.sqrt([0, 4, 2, 3]) / np.sqrt([0, 4, 2, 3]).sum()),
    ],
    ids=str,
)
def test_ids_come_as_often_as_their_probability(options, odds):
    """Of 4,000 rows with odds 1, 4, 2, 3, and a generator each, ids come as often as temperature and filters say."""
    ids = draw(np.stack([LOGITS] * 4000), **options).data
    shares = np.bincount(ids, minlength=4) / 4000
    assert np.abs(shares - odds).max() < 0.035, f"the shares are {shares}, expected about {odds.round(3)}"


def test_a_row_does_not_depend_on_its_neighbours():
    """Each row draws from its own generator: alone, or among others in any order, it gives the same ids."""
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((6, 9)).astype(np.float32) * 3
    temperature = [1.0, 0.0, 2.0, 0.7, 1.0, 5.0]
    top_k, top_p = [None, 3, 4, None, 2, None], [0.9, None, 0.8, None, None, 0.5]
    together = draw(logits, temperature, top_k, top_p).data
    order = [4, 0, 5, 2, 1, 3]
    options = [[each[row] for row in order] for each in (temperature, top_k, top_p)]
    shuffled = draw(logits[order], *options, seeds=order).data
    assert_close(shuffled, together[order], "the ids in another order")
    for row in range(6):
        alone = draw(logits[row : row + 1], temperature[row], top_k[row], top_p[row], seeds=[row])
        assert_close(alone.data[0], together[row], f"the id of row {row} alone")


@pytest.mark.parametrize(
    "options", [(1.0, None, None), (0.7, 20, None), (1.5, None, 0.8), (2.0, 30, 0.9)], ids=str
)
def test_each_row_is_drawn_as_by_sample(options):
    """With the same seed and options sample_rows gives each of 300 rows the id that `sample` of kata 14 gives it."""
    logits = np.random.default_rng(1).standard_normal((300, 40)).astype(np.float32)
    expected = [
        sample(Tensor(row), *options, generator=np.random.default_rng(seed)).item()
        for seed, row in enumerate(logits)
    ]
    assert_close(draw(logits, *options), np.array(expected), "the ids")


def test_rows_with_one_generator_draw_one_after_the_other():
    """A generator that stands in two rows gives each a number of its own: the rows are not alike."""
    generator = np.random.default_rng(0)
    ids = sample_rows(
        Tensor(np.zeros((200, 50), np.float32)), [1.0] * 200, [None] * 200, [None] * 200, [generator] * 200
    ).data
    assert len(set(ids.tolist())) > 30, "200 rows drew from 50 equal ids, and hardly any differ"


def test_without_a_generator_manual_seed_decides():
    """None stands for the default generator: after the same manual_seed the same ids come."""
    logits, found = Tensor(np.zeros((20, 50), np.float32)), []
    for _ in range(2):
        manual_seed(3)
        found.append(sample_rows(logits, [1.0] * 20, [None] * 20, [None] * 20, [None] * 20).data)
    assert_close(found[1], found[0], "the ids after the same manual_seed")


@pytest.mark.parametrize("temperature", [1e-30, 1e-3, 1e300])
def test_no_temperature_overflows(temperature):
    """A tiny temperature is nearly greedy, a huge one nearly even, and NumPy has nothing to warn of."""
    logits = np.array([[3e38, 0, -3e38], [1, 5, 2]], np.float32)
    with no_warnings():
        ids = draw(logits, temperature)
    if temperature < 1:
        assert_close(ids, np.array([0, 1]), "the ids")


@pytest.mark.parametrize("end", [0, 1])
def test_what_has_probability_0_never_comes(end):
    """A draw may be exactly 0, or as near to 1 as there is: an id of -inf does not come then, either."""
    row = np.full(1003, -INF, np.float32)
    row[1:-1] = np.sin(np.arange(1001))
    ids = sample_rows(Tensor(row[None]), [1.0], [None], [None], [extreme(end)]).data
    assert 0 < ids[0] < 1002, f"id {ids[0]} came, which has -inf"


# What is refused


@pytest.mark.parametrize(
    ("options", "bad"),
    [({"temperature": [1.0, -2.0]}, -2.0), ({"top_k": [3, 0]}, 0), ({"top_p": [0.5, 7.5]}, 7.5)],
    ids=str,
)
def test_a_bad_option_of_any_row_is_refused(options, bad):
    """As check_sampling refuses it: a ValueError that names the value. No row has drawn then."""
    generator = np.random.default_rng(5)
    filled = {"temperature": [1.0] * 2, "top_k": [None] * 2, "top_p": [None] * 2} | options
    with raises(ValueError, bad):
        sample_rows(Tensor(np.stack([LOGITS] * 2)), *filled.values(), [generator] * 2)
    assert_equal(generator.random(), np.random.default_rng(5).random(), "the next number of the generator")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    ("row", "word"), [([1, math.nan], "nan"), ([1, INF], "inf"), ([-INF, -INF], "-inf")], ids=str
)
def test_a_broken_row_is_told_of(row, word, temperature):
    """A row with nan or inf in it, or of nothing but -inf, is a ValueError that says so; no row has drawn."""
    generator = np.random.default_rng(5)
    with raises(ValueError, word):
        sample_rows(
            Tensor(np.array([[0, 1], row], np.float32)),
            [temperature] * 2,
            [None] * 2,
            [None] * 2,
            [generator] * 2,
        )
    assert_equal(generator.random(), np.random.default_rng(5).random(), "the next number of the generator")
