"""The loader without workers: samples are read and collated, and every error names its sample."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises, raises_with_note
from tinytorch.dataloader import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    current_generator,
    default_collate,
    default_convert,
    fetch,
    random_split,
    read_stream,
)
from tinytorch.setup import default_generator, manual_seed
from tinytorch.tensor import Tensor


class Squares(Dataset):
    """Sample i is (i, i * i); `read` lists what was read. Sample 13 is broken."""

    def __init__(self, n):
        self.n, self.read = n, []

    def __getitem__(self, index):
        self.read.append(index)
        if index == 13:
            raise OSError("the disk is on fire")
        return index, index * index

    def __len__(self):
        return self.n


class Bulk(Squares, Dataset):
    """The same dataset, which can also read a whole batch, as two arrays."""

    def __getitems__(self, indices):
        self.read.append(list(indices))
        if 13 in indices:
            raise OSError("the disk is on fire")
        return np.array(indices), np.array(indices) ** 2


class Stream(IterableDataset):
    """0, 1, 2, ... up to n; `read` counts what was read. Sample 13 is broken."""

    def __init__(self, n):
        self.n, self.read, self.begun = n, 0, 0

    def __iter__(self):
        self.begun += 1
        return self.numbers()

    def numbers(self):
        for i in range(self.n):
            self.read += 1
            if i == 13:
                raise OSError("the line is dead")
            yield i


def numbers(batches):
    """Batches of single Tensors as lists of numbers."""
    return [batch.tolist() for batch in batches]


def joined(batches):
    """The numbers of all batches, one after the other."""
    return [number for batch in batches for number in batch]


# Reading samples


def test_samples_are_read_one_by_one():
    """fetch(dataset, [2, 0, 3]) is the list of the samples 2, 0 and 3, for any dataset with [index]."""
    assert_equal(fetch(Squares(5), [2, 0, 3]), [(2, 4), (0, 0), (3, 9)], "the list of three samples")
    assert_equal(fetch(["a", "b", "c"], [2, 0]), ["c", "a"], "the list of two samples of a list")


def test_many_samples_are_read_at_once_where_they_can():
    """If many_at_once(dataset) is not None, fetch calls it once, with all indices, and returns its result."""
    dataset = Bulk(5)
    batch = fetch(dataset, [2, 3])
    assert_equal(dataset.read, [[2, 3]], "what was read")
    assert_close(batch[1], np.array([4, 9]), "the second part of the batch")


def test_a_broken_sample_is_named():
    """An error of a sample is raised unchanged, with a note that names the sample's index and the dataset's class."""
    with raises_with_note(OSError, "the disk is on fire", 13, "Squares"):
        fetch(Squares(20), [2, 13, 5])


def test_a_broken_sample_among_many_is_named():
    """If many samples are read at once, the note of an error names all their indices and the dataset's class."""
    with raises_with_note(OSError, "the disk is on fire", [2, 13, 5], "Bulk"):
        fetch(Bulk(20), [2, 13, 5])


def test_reading_stops_when_nobody_waits():
    """Once `stop` is set, fetch reads no further sample and raises concurrent.futures.CancelledError."""
    stop = threading.Event()

    class Stopped(Squares):
        def __getitem__(self, index):
            if index == 2:
                stop.set()
            return super().__getitem__(index)

    dataset = Stopped(9)
    assert_equal(len(fetch(dataset, [0, 1], stop)), 2, "the number of samples before `stop` was set")
    with raises(CancelledError):
        fetch(dataset, [0, 1, 2, 3, 4], stop)
    assert_equal(dataset.read, [0, 1, 0, 1, 2], "what was read until `stop` was set, and after")


def test_a_stream_is_read_as_it_is_asked_for():
    """read_stream(dataset) calls iter(dataset) at once, and reads each sample when it is asked for."""
    dataset = Stream(3)
    samples = read_stream(dataset)
    assert_equal(
        (dataset.begun, dataset.read), (1, 0), "how often iter() was called, and how many samples were read"
    )
    assert_equal((next(samples), dataset.read), (0, 1), "the first sample, and how many were read")
    assert_equal(list(samples), [1, 2], "the list of the other samples")


class Ends(IterableDataset):
    """0, 1 and 2, and then an end that comes once: whoever asks again is given 3, as by a queue that fills up again."""

    def __init__(self):
        self.asked = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.asked += 1
        if self.asked == 4:
            raise StopIteration
        return self.asked - 1 - (self.asked > 4)


def test_a_stream_has_one_end():
    """After its end read_stream asks a stream for nothing more, however often it is asked itself."""
    samples = read_stream(Ends())
    assert_equal(list(samples), [0, 1, 2], "the samples")
    assert_equal([next(samples, "no more") for _ in range(2)], ["no more"] * 2, "what comes after the end")


def test_a_broken_sample_of_a_stream_is_named():
    """An error of a stream has a note with the number of the sample, counted from 0, and the class."""
    samples = read_stream(Stream(20))
    assert_equal([next(samples) for _ in range(13)], list(range(13)), "the list of samples before it")
    with raises_with_note(OSError, "the line is dead", 13, "Stream"):
        next(samples)


def test_a_stream_stops_when_nobody_waits():
    """Once `stop` is set, read_stream reads no further sample and raises CancelledError."""
    stop, dataset = threading.Event(), Stream(9)
    samples = read_stream(dataset, stop)
    next(samples)
    stop.set()
    with raises(CancelledError):
        next(samples)
    assert_equal(dataset.read, 1, "how many samples were read")


# What the options mean


def test_the_usual_values():
    """By default, DataLoader(dataset) has batches of 1 in order, no workers, and drops nothing."""
    dataset = Squares(5)
    loader = DataLoader(dataset)
    found = (
        loader.batch_size,
        loader.num_workers,
        loader.drop_last,
        loader.generator,
        loader.prefetch_factor,
    )
    assert_equal(
        found, (1, 0, False, None, None), "batch_size, num_workers, drop_last, generator, prefetch_factor"
    )
    assert loader.dataset is dataset, "loader.dataset is not the dataset"
    assert loader.collate_fn is default_collate, "loader.collate_fn is not default_collate"
    assert_equal(type(loader.sampler), SequentialSampler, "the type of loader.sampler")
    assert_equal(type(loader.batch_sampler), BatchSampler, "the type of loader.batch_sampler")
    assert_equal(DataLoader(dataset, num_workers=3).prefetch_factor, 2, "prefetch_factor with workers")


def test_what_the_options_leave():
    """With shuffle, sampler is a RandomSampler with the loader's generator; with batch_sampler, batch_size is None."""
    generator = np.random.default_rng(0)
    loader = DataLoader(Squares(5), 2, shuffle=True, generator=generator)
    assert_equal(type(loader.sampler), RandomSampler, "the type of loader.sampler with shuffle")
    assert loader.sampler.generator is generator, "the sampler does not draw from the loader's generator"
    batches = [[0, 1], [4]]
    loader = DataLoader(Squares(5), batch_sampler=batches)
    assert loader.batch_sampler is batches, "loader.batch_sampler is not the one that was given"
    assert_equal(loader.batch_size, None, "batch_size with a batch_sampler")
    loader = DataLoader(Squares(5), None)
    assert_equal(loader.batch_sampler, None, "batch_sampler with batch_size=None")
    assert loader.collate_fn is default_convert, "with batch_size=None collate_fn is not default_convert"


CONFLICTS = [
    ({"batch_sampler": [[0]], "batch_size": 2}, "batch_size"),
    ({"batch_sampler": [[0]], "batch_size": None}, "batch_size"),
    ({"batch_sampler": [[0]], "shuffle": True}, "shuffle"),
    ({"batch_sampler": [[0]], "sampler": [0]}, "sampler"),
    ({"batch_sampler": [[0]], "drop_last": True}, "drop_last"),
    ({"sampler": [0], "shuffle": True}, "shuffle"),
    ({"batch_size": None, "drop_last": True}, "drop_last"),
    ({"prefetch_factor": 2, "num_workers": 0}, "num_workers"),
]


@pytest.mark.parametrize(("options", "name"), CONFLICTS, ids=["-".join(options) for options, _ in CONFLICTS])
def test_options_that_contradict_each_other(options, name):
    """Two options that contradict each other are a ValueError with both names."""
    with raises(ValueError, name, next(iter(options))):
        DataLoader(Squares(5), **options)


def test_what_is_false_contradicts_nothing():
    """shuffle=False and drop_last=False contradict nothing: a sampler, a batch_sampler and a stream accept them."""
    no = {"shuffle": False, "drop_last": False}
    assert_equal(len(DataLoader(Squares(5), sampler=[0, 1], **no)), 2, "len with a sampler")
    assert_equal(len(DataLoader(Squares(5), batch_sampler=[[0, 1]], **no)), 1, "len with a batch_sampler")
    assert_equal(len(DataLoader(Squares(5), None, **no)), 5, "len with batch_size=None")
    assert_equal(numbers(DataLoader(Stream(2), 2, **no)), [[0, 1]], "the list of batches of a stream")


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_a_stream_has_no_order_to_choose(options):
    """An IterableDataset with shuffle, sampler or batch_sampler is a ValueError with that name and the class."""
    with raises(ValueError, "IterableDataset", next(iter(options))):
        DataLoader(Stream(5), **options)


BAD = [
    ("batch_size", 0),
    ("batch_size", 2.5),
    ("batch_size", True),
    ("num_workers", -1),
    ("num_workers", 1.5),
    ("num_workers", True),
    ("prefetch_factor", -2),
    ("prefetch_factor", 0),
    ("prefetch_factor", True),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_options_are_positive_integers(name, value):
    """batch_size or prefetch_factor below 1, num_workers below 0, or a value that is no int, is a ValueError.

    The message has the name and the value. True is not taken for 1.
    """
    more = {"num_workers": 1} if name == "prefetch_factor" else {}
    with raises(ValueError, name, value):
        DataLoader(Squares(5), **{name: value}, **more)
    if name == "batch_size":
        with raises(ValueError, name, value):
            DataLoader(Stream(5), batch_size=value)


# An epoch


def test_batches_in_order():
    """Ten samples, 4 at a time: batches of 4, 4 and 2, each part a Tensor, in every epoch; len(loader) is 3."""
    loader = DataLoader(Squares(10), batch_size=4)
    assert_equal(len(loader), 3, "len(loader)")
    for epoch in ("the first epoch", "the second epoch"):
        batches = list(loader)
        assert all(isinstance(part, Tensor) for batch in batches for part in batch), "a part is not a Tensor"
        squares = numbers(batch[1] for batch in batches)
        assert_equal(squares, [[0, 1, 4, 9], [16, 25, 36, 49], [64, 81]], f"the list of squares of {epoch}")


def test_the_last_batch_may_be_dropped():
    """With drop_last the short batch at the end is left out, and len(loader) does not count it."""
    loader = DataLoader(Squares(10), 4, drop_last=True)
    assert_equal(len(loader), 2, "len(loader)")
    assert_equal(numbers(batch[0] for batch in loader), [[0, 1, 2, 3], [4, 5, 6, 7]], "the list of batches")


def test_a_batch_is_read_when_it_is_asked_for():
    """Without workers, nothing is read before the first next(), which then reads one batch."""
    dataset = Squares(10)
    batches = iter(DataLoader(dataset, 3))
    assert_equal(dataset.read, [], "what was read by iter(loader)")
    next(batches)
    assert_equal(dataset.read, [0, 1, 2], "what was read by the first next()")


def test_shuffle():
    """With shuffle each sample comes once, in a new order in every epoch; the same generator gives the same orders."""

    def epochs(seed):
        loader = DataLoader(Squares(12), 5, shuffle=True, generator=np.random.default_rng(seed))
        return [joined(numbers(batch[0] for batch in loader)) for _ in range(2)]

    first, second = epochs(0)
    assert_equal(sorted(first), list(range(12)), "the list of samples of an epoch, sorted")
    assert first != sorted(first), "the samples come in order"
    assert first != second, "two epochs have the same order"
    assert_equal(epochs(0), [first, second], "the list of two epochs, again from the same seed")


def test_a_sampler_says_which_and_a_batch_sampler_what_with_what():
    """sampler=[3, 1, 3] gives these samples, batch_sampler=[[0, 1], [5]] these batches; len(loader) is theirs."""
    loader = DataLoader(Squares(10), 2, sampler=[3, 1, 3])
    assert_equal(numbers(batch[0] for batch in loader), [[3, 1], [3]], "the list of batches of a sampler")
    assert_equal(len(loader), 2, "len(loader) with a sampler")
    loader = DataLoader(Squares(10), batch_sampler=[[0, 1], [5]])
    assert_equal(
        numbers(batch[0] for batch in loader), [[0, 1], [5]], "the list of batches of a batch_sampler"
    )
    assert_equal(len(loader), 2, "len(loader) with a batch_sampler")


def test_without_a_batch_size_samples_come_as_they_are():
    """batch_size=None gives single samples, not collated; their arrays become Tensors, and nothing else changes."""
    dataset = [np.array([1.0, 2.0]), "cat", (np.array(3.0), 4)]
    found = list(DataLoader(dataset, None))
    assert isinstance(found[0], Tensor), f"an array came as a {type(found[0]).__name__}"
    assert_close(found[0], dataset[0], "the first sample")
    assert_equal((found[1], found[2][1]), ("cat", 4), "the rest")
    loader = DataLoader(Bulk(9), None, sampler=[2, 4])
    assert_equal(
        [list(sample) for sample in loader],
        [[2, 4], [4, 16]],
        "the list of two samples of a dataset with many at once",
    )
    assert_equal(len(loader), 2, "len(loader)")


@given(n=st.integers(0, 12), batch_size=st.integers(1, 5), drop_last=st.booleans(), stream=st.booleans())
def test_every_sample_comes_once(n, batch_size, drop_last, stream):
    """Each sample comes once and in order, all batches except the last are full, and len counts them."""
    dataset = Stream(n) if stream else list(range(n))
    loader = DataLoader(dataset, batch_size, drop_last=drop_last)
    batches = numbers(loader)
    kept = n - n % batch_size if drop_last else n
    assert_equal(joined(batches), list(range(kept)), "the list of all samples")
    assert all(len(batch) == batch_size for batch in batches[:-1]), f"the batches are {batches}"
    if not stream:
        assert_equal(len(loader), len(batches), "len(loader)")


def test_a_stream_begins_anew_in_each_epoch():
    """Each iter(loader) calls iter() of an IterableDataset again; if it has no length, len(loader) is a TypeError."""
    dataset = Stream(5)
    loader = DataLoader(dataset, 2)
    for epoch in (1, 2):
        assert_equal(numbers(loader), [[0, 1], [2, 3], [4]], f"epoch {epoch}")
    assert_equal(dataset.begun, 2, "how often iter(dataset) was called")
    assert_equal(list(DataLoader(Stream(3), None)), [0, 1, 2], "a stream with batch_size=None")
    with raises(TypeError):
        len(loader)


def test_a_stream_that_knows_its_length():
    """If the stream has a length, len(loader) is the number of batches."""

    class Known(Stream):
        def __len__(self):
            return self.n

    assert_equal(len(DataLoader(Known(5), 2)), 3, "len(loader)")
    assert_equal(len(DataLoader(Known(5), 2, drop_last=True)), 2, "len(loader) with drop_last")
    assert_equal(len(DataLoader(Known(5), None)), 5, "len(loader) with batch_size=None")


class Nones(IterableDataset):
    def __iter__(self):
        return iter([None, 0, None])


@pytest.mark.parametrize("num_workers", [0, 1])
def test_none_is_a_sample_like_any_other(num_workers):
    """A stream of None, 0 and None ends after the third sample: None does not mean the end of a stream."""
    assert_equal(list(read_stream(Nones())), [None, 0, None], "the list of samples of read_stream")
    loader = DataLoader(Nones(), None, num_workers=num_workers)
    assert_equal(list(loader), [None, 0, None], "the list of samples of a loader with batch_size=None")
    loader = DataLoader(Nones(), 1, num_workers=num_workers, collate_fn=lambda samples: samples[0])
    assert_equal(
        list(loader), [None, 0, None], "the list of batches of a collate_fn that gives the only sample"
    )


# Collating


def test_a_collate_fn_puts_together():
    """collate_fn gets the list of the samples of a batch, and its result is the batch."""
    found = list(DataLoader(Squares(5), 2, collate_fn=lambda samples: ("mine", samples)))
    assert_equal(found[0], ("mine", [(0, 0), (1, 1)]), "the first batch")
    found = list(DataLoader(Stream(3), 2, collate_fn=lambda samples: ("mine", samples)))
    assert_equal(found, [("mine", [0, 1]), ("mine", [2])], "the list of batches of a stream")


class Listed(Squares, Dataset):
    """`__getitems__` gives a list of samples, as in PyTorch."""

    def __getitems__(self, indices):
        return [self[index] for index in indices]


def test_a_list_of_many_samples_is_put_together():
    """If `__getitems__` gives a list, it is a list of samples and is collated, also for a Subset of any dataset."""
    for dataset in (
        Listed(5),
        Subset(Squares(9), [0, 1, 2, 3, 4]),
        random_split(Squares(5), [1.0], np.random.default_rng(0))[0],
    ):
        name = f"a {type(dataset).__name__}"
        batches = list(DataLoader(dataset, 2))
        kinds = {type(part).__name__ for batch in batches for part in batch}
        assert_equal(kinds, {"Tensor"}, f"the set of types of the parts of the batches of {name}")
        sizes = [[tuple(part.shape) for part in batch] for batch in batches]
        assert_equal(
            sizes, [[(2,), (2,)], [(2,), (2,)], [(1,), (1,)]], f"the list of shapes in the batches of {name}"
        )
        for i, squares in batches:
            assert_equal((i * i).tolist(), squares.tolist(), f"the list of squares in a batch of {name}")


class OneArray(Squares, Dataset):
    """`__getitems__` gives one array with a row for each sample."""

    def __getitems__(self, indices):
        return np.array([[index, index * index] for index in indices])


def test_a_batch_that_is_one_already_is_only_converted():
    """A tuple of arrays from `__getitems__` becomes a list of Tensors, one array a Tensor, without a new axis."""
    dataset = Bulk(10)
    for loader in (DataLoader(dataset, 3), DataLoader(dataset, 3, collate_fn=default_collate)):
        batch = next(iter(loader))
        assert_equal(type(batch), list, "the type of the batch")
        assert isinstance(batch[1], Tensor), f"a part of the batch is a {type(batch[1]).__name__}"
        assert_close(batch[1], np.array([0, 1, 4]), "the second part of the batch")
    x = Tensor(np.arange(6, dtype=np.float32).reshape(3, 2))
    assert_close(next(iter(DataLoader(TensorDataset(x), 2)))[0], x.data[:2], "a batch of a TensorDataset")
    batch = next(iter(DataLoader(OneArray(5), 3)))
    assert isinstance(batch, Tensor), f"a batch that was one array is a {type(batch).__name__}"
    assert_close(batch, np.array([[0, 0], [1, 1], [2, 4]]), "a batch that was one array")


def test_a_collate_fn_gets_samples_all_the_same():
    """A custom collate_fn gets a list of samples, even if the dataset gives a whole batch: a tuple or one array."""
    x, y = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([7, 8, 9])
    samples = next(
        iter(DataLoader(TensorDataset(Tensor(x), Tensor(y)), 2, collate_fn=lambda samples: samples))
    )
    assert_equal((type(samples), len(samples)), (list, 2), "what collate_fn got")
    assert_close(samples[1][0], x[1], "the first part of the second sample")
    assert_close(samples[1][1], np.array(8), "the second part of the second sample")
    samples = next(iter(DataLoader(OneArray(5), 3, collate_fn=lambda samples: samples)))
    assert_equal(
        (type(samples), len(samples)), (list, 3), "what collate_fn got, where the batch was one array"
    )
    assert_close(samples[2], np.array([2, 4]), "the third sample, where the batch was one array")


# Errors


@pytest.mark.parametrize("kind", [Squares, Bulk])
def test_the_loader_names_a_broken_sample(kind):
    """The error of a broken sample is raised unchanged, after the batches before it, with the note that names it."""
    taken = []
    with raises_with_note(OSError, "the disk is on fire", 13, kind.__name__):
        for batch in DataLoader(kind(20), 5):
            taken.append(batch[0].tolist())
    assert_equal(taken, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], "the list of batches before it")


def test_the_loader_names_a_broken_sample_of_a_stream():
    """The error of a stream's sample is raised unchanged, after the batches before it, with the note that names it."""
    taken = []
    with raises_with_note(OSError, "the line is dead", 13, "Stream"):
        for batch in DataLoader(Stream(20), 5):
            taken.append(batch.tolist())
    assert_equal(len(taken), 2, "the number of batches before it")


def only_twos(samples):
    """A collate_fn that accepts only samples of length 2."""
    if any(len(sample) != 2 for sample in samples):
        raise ValueError("a sample of another length")
    return len(samples)


def test_samples_that_do_not_fit_together_are_named():
    """An error of collate_fn has a note with the number of the batch, counted from 0, and the dataset's class."""
    ragged = [np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(3)]
    batches = iter(DataLoader(ragged, 2, collate_fn=only_twos))
    next(batches)
    with raises_with_note(ValueError, "a sample of another length", 1, "list"):
        next(batches)


# Random numbers


def test_an_epoch_draws_when_it_begins_and_never_again():
    """iter(loader) draws the epoch's seed, and what the order needs; reading the batches draws nothing more."""
    generator = np.random.default_rng(0)
    loader = DataLoader(Squares(12), 3, generator=generator)
    before = generator.bit_generator.state["state"]
    batches = iter(loader)
    begun = generator.bit_generator.state["state"]
    assert begun != before, "iter(loader) drew no seed"
    list(batches)
    assert_equal(generator.bit_generator.state["state"], begun, "the generator's state after the epoch")


def test_a_generator_of_its_own_leaves_the_default_one_alone():
    """With generator=g nothing is drawn from the default generator; without it, everything is."""
    manual_seed(1)
    before = default_generator("cpu").bit_generator.state["state"]
    list(DataLoader(Squares(12), 3, shuffle=True, generator=np.random.default_rng(0)))
    assert_equal(
        default_generator("cpu").bit_generator.state["state"], before, "the default generator's state"
    )

    def two_epochs(seed):
        manual_seed(seed)
        loader = DataLoader(Squares(12), 3, shuffle=True)
        return [numbers(batch[0] for batch in loader) for _ in range(2)]

    first, second = two_epochs(1)
    assert_equal(two_epochs(1), [first, second], "the list of two epochs, again from the same manual_seed")
    assert first != second, "without a generator two epochs have the same batches: who draws?"
    assert two_epochs(2)[0] != first, "manual_seed(1) and manual_seed(2) gave the same batches: who draws?"


class Noise(Dataset):
    """Sample i is a random number from the current generator."""

    def __getitem__(self, index):
        return current_generator().integers(2**62)

    def __len__(self):
        return 6


class NoisyStream(IterableDataset):
    def __iter__(self):
        return (current_generator().integers(2**62) for _ in range(6))


@pytest.mark.parametrize("kind", [Noise, NoisyStream])
def test_each_batch_draws_from_its_own_generator(kind):
    """While a batch is read, its own generator is current: new numbers in each batch and epoch, all from the seed."""

    def epochs():
        loader = DataLoader(kind(), 2, generator=np.random.default_rng(0))
        return [joined(numbers(loader)) for _ in range(2)]

    manual_seed(1)
    before = default_generator("cpu").bit_generator.state["state"]
    first, second = epochs()
    assert_equal(len({*first, *second}), 12, "how many different numbers two epochs of 6 samples have")
    assert_equal(
        default_generator("cpu").bit_generator.state["state"], before, "the default generator's state"
    )
    assert_equal(epochs(), [first, second], "the list of two epochs, again from the same generator")
    assert current_generator() is default_generator("cpu"), (
        "after the epoch the default generator is not current"
    )


def test_the_generator_is_current_while_a_batch_is_put_together():
    """A collate_fn that draws random numbers draws them from the batch's generator too."""

    def draws():
        loader = DataLoader(
            Squares(4),
            2,
            collate_fn=lambda samples: int(current_generator().integers(2**62)),
            generator=np.random.default_rng(0),
        )
        return list(loader)

    first = draws()
    assert first[0] != first[1], "two batches drew the same number"
    assert_equal(draws(), first, "the list of draws, again from the same generator")


def test_the_callers_draws_are_not_the_batchs():
    """Inside the loop, in the caller's thread, the default generator is current, not that of a batch."""
    for _ in DataLoader(Squares(4), 2):
        assert current_generator() is default_generator("cpu"), (
            "inside the loop the default generator is not current"
        )
