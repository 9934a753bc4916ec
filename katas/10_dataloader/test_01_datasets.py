"""Datasets: samples by number, parts of them, and the split into training and validation."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.dataloader import Dataset, Subset, TensorDataset, many_at_once, random_split, split_lengths
from tinytorch.setup import default_generator, manual_seed
from tinytorch.tensor import Tensor


def rows(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


class Squares(Dataset):
    """Sample i is i * i."""

    def __getitem__(self, index):
        return index * index

    def __len__(self):
        return 10


class Bulk(Squares, Dataset):
    """The same dataset, which can also read many samples at once."""

    def __getitems__(self, indices):
        return [("at once", index * index) for index in indices]


class Changed(Bulk, Dataset):
    """A subclass that overrides `__getitem__`, but not `__getitems__`."""

    def __getitem__(self, index):
        return -index


# Tensors


def test_a_sample_is_a_row_of_each_tensor():
    """Sample 2 of TensorDataset(x, y) is the tuple (x[2], y[2]), and its length is the number of rows."""
    x, y = rows(4, 3), np.array([7, 8, 9, 6])
    dataset = TensorDataset(Tensor(x), Tensor(y))
    sample = dataset[2]
    assert_equal(type(sample), tuple, "the type of a sample")
    assert_close(sample[0], x[2], "the first part of the sample")
    assert_close(sample[1], np.array(9), "the second part of the sample")
    assert_equal(len(dataset), 4, "the length")


@pytest.mark.parametrize("n", [2, 5])
def test_tensors_of_a_dataset_have_as_many_rows(n):
    """A TensorDataset of Tensors of 3 and 2 (or 5) rows is a ValueError with both numbers; so is one of no Tensor."""
    with raises(ValueError, 3, n):
        TensorDataset(Tensor(rows(3, 2)), Tensor(rows(3)), Tensor(rows(n)))
    with raises(ValueError):
        TensorDataset()


def test_many_rows_come_at_once():
    """`__getitems__([3, 0, 3])` gives the rows 3, 0 and 3 of each Tensor as one Tensor, in a tuple; [] gives none."""
    x, y = rows(4, 3), np.array([7, 8, 9, 6])
    batch = TensorDataset(Tensor(x), Tensor(y)).__getitems__([3, 0, 3])
    assert_equal(type(batch), tuple, "the type of the batch")
    assert_close(batch[0], x[[3, 0, 3]], "the first part of the batch")
    assert_close(batch[1], np.array([6, 7, 6]), "the second part of the batch")
    assert_close(TensorDataset(Tensor(x)).__getitems__([])[0], x[:0], "the first part of a batch of no rows")


# Many at once, where it can be trusted


def test_many_at_once_finds_getitems():
    """many_at_once(dataset) is the dataset's bound `__getitems__`, or None if the class has none."""
    assert_equal(
        many_at_once(Bulk())([2, 3]), [("at once", 4), ("at once", 9)], "the list of two samples at once"
    )
    assert_equal(many_at_once(Squares()), None, "many_at_once of a dataset without __getitems__")
    assert_equal(many_at_once([1, 2, 3]), None, "many_at_once of a list")


def test_many_at_once_distrusts_what_a_subclass_inherits():
    """For a subclass that overrides only `__getitem__`, many_at_once is None: `__getitems__` ignores the change."""
    assert_equal(many_at_once(Changed()), None, "many_at_once where __getitem__ is newer than __getitems__")


# Parts


def test_a_subset_renumbers():
    """Subset(dataset, [5, 2, 5]) has three samples: 5, 2 and 5 of the dataset; it takes any dataset, a list too."""
    subset = Subset(Squares(), [5, 2, 5])
    assert_equal([subset[0], subset[1], subset[2]], [25, 4, 25], "the list of samples of the subset")
    assert_equal(len(subset), 3, "its length")
    assert_equal(Subset(["a", "b", "c"], [2])[0], "c", "the only sample of a subset of a list")


def test_a_subset_gives_many_at_once_where_its_dataset_does():
    """`__getitems__` of a Subset calls that of the dataset with its own indices; if there is none, it gives a list."""
    many = Subset(Bulk(), [5, 2, 1]).__getitems__([2, 0])
    assert_equal(many, [("at once", 1), ("at once", 25)], "the list of two samples of a subset")
    many = Subset(Squares(), [5, 2, 1]).__getitems__([2, 0])
    assert_equal(many, [1, 25], "the list of two samples, one by one")
    many = Subset(Changed(), [5, 2, 1]).__getitems__([2, 0])
    assert_equal(many, [-1, -5], "the list of two samples of a dataset that reads in its own way")


# Splitting


def test_lengths_are_counts_or_fractions():
    """10 samples split by [7, 3] or by [0.7, 0.3] are parts of 7 and 3; these lengths are Python integers."""
    assert_equal(split_lengths(10, [7, 3]), [7, 3], "split_lengths(10, [7, 3])")
    assert_equal(split_lengths(10, [0.7, 0.3]), [7, 3], "split_lengths(10, [0.7, 0.3])")
    assert_equal(split_lengths(0, [0.7, 0.3]), [0, 0], "split_lengths(0, [0.7, 0.3])")


def test_what_fractions_leave_is_dealt_out_from_the_front():
    """A fraction gets floor(n * fraction); 11 in thirds leaves 2 over: the first two parts get one more each."""
    assert_equal(split_lengths(11, [1 / 3, 1 / 3, 1 / 3]), [4, 4, 3], "11 in thirds")
    assert_equal(split_lengths(7, [0.5, 0.5]), [4, 3], "7 in halves")


@pytest.mark.parametrize(("lengths", "total"), [([5, 4], 9), ([0.5, 0.25], 0.75), ([6, 6], 12)])
def test_lengths_sum_up(lengths, total):
    """Lengths that sum up neither to the number of samples nor to 1 are a ValueError with the sum and the number."""
    with raises(ValueError, total, 10):
        split_lengths(10, lengths)


@pytest.mark.parametrize("lengths", [[12, -2], [1.5, -0.5], [2.5, 7.5]])
def test_lengths_make_sense(lengths):
    """A negative length, or a count that is not whole, is a ValueError with the lengths."""
    with raises(ValueError, lengths):
        split_lengths(10, lengths)


@given(n=st.integers(0, 40), weights=st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_any_fractions_split_everything(n, weights):
    """Whatever the fractions, every sample is in a part, and no part is more than 1 from its share."""
    total = sum(weights) or len(weights)
    fractions = [(weight if sum(weights) else 1) / total for weight in weights]
    sizes = split_lengths(n, fractions)
    assert_equal(sum(sizes), n, f"the sum of the lengths {sizes}")
    for size, fraction in zip(sizes, fractions, strict=True):
        assert abs(size - n * fraction) <= 1, f"{fraction:.3f} of {n} is {size}"


def test_a_random_split_loses_nothing():
    """random_split(dataset, [60, 40]) gives two Subsets that together hold each sample once, in random order."""
    dataset = TensorDataset(Tensor(rows(100)))
    first, second = random_split(dataset, [60, 40], np.random.default_rng(0))
    assert_equal((len(first), len(second)), (60, 40), "the pair of lengths")
    found = [int(part[i][0]) for part in (first, second) for i in range(len(part))]
    assert_equal(sorted(found), list(range(100)), "the sorted list of the samples of both parts")
    assert found != list(range(100)), "the samples are in their old order: is the split random?"
    assert set(found[:60]) != set(range(60)), (
        "the first part holds the first 60 samples: is the split random?"
    )


def test_a_split_depends_on_its_generator_alone():
    """The same generator gives the same split; without one, the CPU's default generator draws a new one each time."""
    splits = [random_split(range(50), [0.5, 0.5], np.random.default_rng(3)) for _ in range(2)]
    assert_equal(list(splits[0][0]), list(splits[1][0]), "the first part, split again")
    manual_seed(1)
    before = default_generator("cpu").bit_generator.state
    random_split(range(50), [0.5, 0.5], np.random.default_rng(3))
    assert default_generator("cpu").bit_generator.state == before, (
        "the default generator drew, not the given one"
    )

    def two_splits(seed):
        manual_seed(seed)
        return [list(random_split(range(50), [0.5, 0.5])[0]) for _ in range(2)]

    first, second = two_splits(1)
    assert_equal(
        two_splits(1),
        [first, second],
        "the list of first parts of two splits, again from the same manual_seed",
    )
    assert first != second, "split twice without a generator, the parts are the same: who draws?"
    assert two_splits(2)[0] != first, "manual_seed(1) and manual_seed(2) gave the same split: who draws?"
