"""Samplers: in which order samples come, and how many make a batch."""

from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_equal, extreme, raises
from tinytorch.dataloader import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
    batched,
)
from tinytorch.setup import default_generator, manual_seed


def rng(seed=0):
    return np.random.default_rng(seed)


def state(generator):
    return generator.bit_generator.state["state"]


# One after the other, and in random order


def test_sequential_means_in_order():
    """SequentialSampler("abc") gives 0, 1, 2 each time it is iterated over; its length is 3."""
    sampler = SequentialSampler("abc")
    assert_equal([list(sampler), list(sampler)], [[0, 1, 2]] * 2, "the list of two epochs")
    assert_equal(len(sampler), 3, "the length")


def test_a_random_order_holds_each_index_once():
    """An epoch of RandomSampler(range(100)) is a new permutation of 0 to 99, in Python integers."""
    sampler = RandomSampler(range(100), generator=rng())
    first, second = list(sampler), list(sampler)
    assert_equal(sorted(first), list(range(100)), "one epoch, sorted")
    assert_equal(type(first[0]), int, "the type of an index")
    assert first != list(range(100)), "the order is not random"
    assert first != second, "two epochs have the same order"
    assert_equal(len(sampler), 100, "the length")


def test_every_place_is_as_likely():
    """Each of 4 samples comes first in about a quarter of 2000 epochs."""
    sampler = RandomSampler(range(4), generator=rng())
    firsts = np.bincount([next(iter(sampler)) for _ in range(2000)], minlength=4)
    assert (abs(firsts - 500) < 100).all(), f"in 2000 epochs they come first {firsts.tolist()} times"


SAMPLERS = {
    "a permutation": lambda generator: RandomSampler(range(30), generator=generator),
    "with replacement": lambda generator: RandomSampler(range(30), True, generator=generator),
    "by weight": lambda generator: WeightedRandomSampler([1.0] * 30, 30, generator=generator),
}


@pytest.mark.parametrize("kind", SAMPLERS)
def test_an_order_depends_on_its_generator_alone(kind):
    """The same generator gives the same order; without one, the CPU's default generator draws a new one each time."""
    make = SAMPLERS[kind]
    assert_equal(list(make(rng(5))), list(make(rng(5))), "the order, drawn again from the same seed")

    def two_epochs(seed):
        manual_seed(seed)
        sampler = make(None)
        return [list(sampler), list(sampler)]

    first, second = two_epochs(2)
    assert_equal(
        two_epochs(2), [first, second], "the list of two epochs, drawn again from the same manual_seed"
    )
    assert first != second, "without a generator two epochs have the same order: who draws?"
    assert two_epochs(3)[0] != first, "manual_seed(2) and manual_seed(3) gave the same order: who draws?"
    before = state(default_generator("cpu"))
    list(make(rng(5)))
    assert_equal(
        state(default_generator("cpu")), before, "the default generator's state after another one drew"
    )


@pytest.mark.parametrize("wanted", [3, 10, 25])
def test_as_many_as_wanted(wanted):
    """num_samples=25 of 10 gives two permutations and half of a third; num_samples=3 gives a part of one."""
    sampler = RandomSampler(range(10), num_samples=wanted, generator=rng())
    order = list(sampler)
    assert_equal((len(order), len(sampler)), (wanted, wanted), "the number of samples, and len")
    for start in range(0, wanted, 10):
        once = order[start : start + 10]
        assert len(set(once)) == len(once), (
            f"samples {start} to {start + len(once) - 1} hold one twice: {once}"
        )


@pytest.mark.parametrize("replacement", [False, True])
def test_a_part_is_a_part_of_all(replacement):
    """With num_samples=2 of 8, over 200 epochs each of the 8 comes: not only the first two."""
    sampler = RandomSampler(range(8), replacement, num_samples=2, generator=rng())
    seen = {index for _ in range(200) for index in sampler}
    assert_equal(sorted(seen), list(range(8)), "the indices that came")


def test_each_round_is_shuffled_anew():
    """num_samples=60 of 30 are two permutations, and the second is not the first once more."""
    order = list(RandomSampler(range(30), num_samples=60, generator=rng()))
    assert order[:30] != order[30:], f"both rounds have the order {order[:30]}"


def test_with_replacement_each_is_drawn_from_all():
    """With replacement, 1000 samples of 2 hold about as many of each, and each draw is independent."""
    order = list(RandomSampler(range(2), replacement=True, num_samples=1000, generator=rng()))
    assert_equal(len(order), 1000, "the number of samples")
    assert 400 < sum(order) < 600, f"1 comes {sum(order)} times in 1000"
    pairs = sum(order[i] == order[i + 1] for i in range(0, 1000, 2))
    assert 180 < pairs < 320, f"{pairs} of 500 pairs hold one sample twice, expected about 250"


def test_an_empty_dataset_has_an_empty_epoch():
    """RandomSampler([]) gives nothing, with replacement or without."""
    assert_equal(list(RandomSampler([])), [], "an epoch of nothing")
    assert_equal(list(RandomSampler([], replacement=True)), [], "an epoch of nothing, with replacement")


def test_a_sampler_grows_with_its_data():
    """num_samples follows the length of the data: after one more sample, an epoch is one longer."""
    data = [1, 2]
    sampler = RandomSampler(data)
    data.append(3)
    assert_equal(
        (sampler.num_samples, sorted(sampler)), (3, [0, 1, 2]), "the pair of num_samples and an epoch"
    )


@pytest.mark.parametrize("bad", [0, -1, 2.0, True])
def test_a_random_sampler_wants_a_positive_number(bad):
    """num_samples of 0, -1, 2.0 or True is a ValueError with its name and value."""
    with raises(ValueError, "num_samples", bad):
        RandomSampler(range(3), num_samples=bad)
    with raises(ValueError, "num_samples", bad):
        WeightedRandomSampler([1.0, 2.0, 3.0], num_samples=bad)


def test_replacement_is_yes_or_no():
    """replacement=5, a number of samples in the wrong place, is a TypeError with its name and value."""
    with raises(TypeError, "replacement", 5):
        RandomSampler(range(3), 5)
    with raises(TypeError, "replacement", 5):
        WeightedRandomSampler([1.0, 2.0], 1, 5)


# By weight


def test_heavy_samples_come_more_often():
    """With weights 1, 0 and 3, of 1000 samples about 250 are 0, none is 1, and the rest is 2: Python integers."""
    sampler = WeightedRandomSampler([1, 0, 3], 1000, generator=rng())
    order = list(sampler)
    counts = np.bincount(order, minlength=3)
    assert_equal(
        (len(order), len(sampler), type(order[0])), (1000, 1000, int), "the number, len, and the type"
    )
    assert counts[1] == 0, f"a sample of weight 0 came {counts[1]} times"
    assert 200 < counts[0] < 300, f"the sample of weight 1 of 4 came {counts[0]} times in 1000"
    assert list(sampler) != order, "two epochs are the same"


def test_by_weight_without_replacement():
    """Without replacement no sample comes twice, and heavy ones come first more often."""
    orders = [
        list(WeightedRandomSampler([9.0, 1.0, 0.0, 1.0], 3, replacement=False, generator=rng(seed)))
        for seed in range(50)
    ]
    assert all(sorted(order) == [0, 1, 3] for order in orders), (
        f"an epoch of 3 of 3 possible ones: {orders[0]}"
    )
    heavy = sum(order[0] == 0 for order in orders)
    assert 30 < heavy < 50, f"the heavy sample came first {heavy} times in 50, expected about 41"


@pytest.mark.parametrize("end", [0, 1])
def test_a_weight_of_0_is_never_drawn(end):
    """A draw may be exactly 0, or as near to 1 as there is: a sample of weight 0 does not come then, either."""
    order = list(WeightedRandomSampler([0.0, 1.0, 0.0], 3, generator=extreme(end)))
    assert_equal(order, [1, 1, 1], "the samples")


@pytest.mark.parametrize("bad", [-0.5, float("inf"), float("nan")])
def test_weights_are_numbers_from_0_on(bad):
    """A weight of -0.5, inf or nan is a ValueError with it."""
    with raises(ValueError, bad):
        WeightedRandomSampler([1.0, bad], 2)


def test_what_has_no_weight_cannot_be_drawn():
    """Only zero weights, too few above 0 without replacement, or a 2-d array of weights, are a ValueError."""
    with raises(ValueError):
        WeightedRandomSampler([0.0, 0.0], 1)
    with raises(ValueError, 3, 2):
        WeightedRandomSampler([1.0, 0.0, 1.0], 3, replacement=False)
    with raises(ValueError, (2, 1)):
        WeightedRandomSampler([[1.0], [1.0]], 1)


# Batches


def test_items_in_groups():
    """batched(iter("abcde"), 2) gives ["a", "b"], ["c", "d"], ["e"]; with drop_last the short one is left out."""
    assert_equal(
        list(batched(iter("abcde"), 2, False)), [["a", "b"], ["c", "d"], ["e"]], "the list of groups"
    )
    assert_equal(
        list(batched(iter("abcde"), 2, True)), [["a", "b"], ["c", "d"]], "the list of groups with drop_last"
    )
    assert_equal(
        list(batched(iter("abcd"), 2, True)),
        [["a", "b"], ["c", "d"]],
        "the list of groups that come out even",
    )
    assert_equal(list(batched(iter(""), 2, False)), [], "the list of groups of nothing")


def test_groups_are_made_as_they_are_asked_for():
    """batched takes items from an endless iterator, and no more of them than it was asked for."""
    numbers = count()
    groups = batched(numbers, 3, False)
    assert_equal(next(groups), [0, 1, 2], "the first group")
    assert_equal(next(numbers), 3, "the item that comes next")


@pytest.mark.parametrize(
    ("drop_last", "expected"), [(False, [[0, 1], [2, 3], [4]]), (True, [[0, 1], [2, 3]])]
)
def test_a_batch_sampler_groups_indices(drop_last, expected):
    """BatchSampler makes 2, 2 and 1 of 5 indices, or leaves the last batch out; len is the number of batches."""
    sampler = BatchSampler(SequentialSampler(range(5)), 2, drop_last)
    assert_equal(list(sampler), expected, "an epoch")
    assert_equal(list(sampler), expected, "another epoch")
    assert_equal(len(sampler), len(expected), "the length")


@given(n=st.integers(0, 12), batch_size=st.integers(1, 5), drop_last=st.booleans())
def test_the_length_of_a_batch_sampler(n, batch_size, drop_last):
    """len(BatchSampler) is the number of batches that it gives, for any length and batch_size."""
    sampler = BatchSampler(range(n), batch_size, drop_last)
    assert_equal(len(sampler), len(list(sampler)), f"len with {n} indices")


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, None])
def test_batches_have_a_size(bad):
    """A batch_size of 0, -1, 2.0, True or None is a ValueError with its name and value; so is drop_last=3."""
    with raises(ValueError, "batch_size", bad):
        BatchSampler(range(5), bad, False)
    with raises(ValueError, "drop_last", 3):
        BatchSampler(range(5), 2, 3)


# When random numbers are drawn


@pytest.mark.parametrize("replacement", [False, True])
def test_all_is_drawn_when_an_epoch_begins(replacement):
    """iter(sampler) draws for the whole epoch: reading the indices draws nothing more from the generator."""
    one, other = rng(1), rng(1)
    samplers = [
        RandomSampler(range(100), replacement, 100, generator=one),
        WeightedRandomSampler([1.0] * 100, 50, replacement, generator=other),
    ]
    for sampler, generator in zip(samplers, (one, other), strict=True):
        name = type(sampler).__name__
        before = state(generator)
        epoch = iter(BatchSampler(sampler, 8, False))
        drawn = state(generator)
        assert drawn != before, f"iter(BatchSampler({name})) drew nothing: when does the order come about?"
        list(islice(epoch, 4))
        assert state(generator) == drawn, f"{name} draws while its indices are read"
