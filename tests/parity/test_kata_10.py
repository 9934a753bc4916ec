"""Kata 10 beside PyTorch: what samplers, collate and the loader promise. Pictures: the formulas of torchvision."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils import data as theirs

from tinytorch import dataloader as ours
from tinytorch.tensor import Tensor


def arrays(value):
    """Tensors of either kind as arrays, all else as it is."""
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, Tensor):
        return value.data
    if isinstance(value, dict):
        return {key: arrays(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [arrays(each) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else parts
    return value


def same(mine, yours, float64_for_numbers=True):
    """The same structure, shapes, dtypes and numbers. Python floats are float64 in PyTorch, and float32 here."""
    if isinstance(yours, dict):
        assert list(mine) == list(yours)
        for key in yours:
            same(mine[key], yours[key])
    elif isinstance(yours, (list, tuple)):
        assert type(mine) is type(yours) and len(mine) == len(yours)
        for a, b in zip(mine, yours, strict=True):
            same(a, b)
    elif isinstance(yours, np.ndarray):
        assert mine.shape == yours.shape
        if not (mine.dtype == np.float32 and yours.dtype == np.float64):
            assert mine.dtype == yours.dtype
        np.testing.assert_allclose(mine, yours, rtol=1e-6)
    else:
        assert mine == yours


SAMPLES = {
    "integers": [1, 2, 3],
    "floats": [0.5, 1.5],
    "booleans": [True, False],
    "NumPy's numbers": [np.int32(3), np.int32(4)],
    "uint8": [np.zeros((2, 3), np.uint8), np.ones((2, 3), np.uint8)],
    "0-d": [np.array(1.0), np.array(2.0)],
    "empty": [np.zeros((0, 3), np.float32)] * 2,
    "texts": ["a", "b"],
    "bytes": [b"a", b"b"],
    "pairs": [(np.zeros(2), 1), (np.ones(2), 2)],
    "lists": [[1, 0.5], [2, 1.5]],
    "dicts": [{"x": 1, "y": ("a", np.ones(2))}, {"x": 2, "y": ("b", np.zeros(2))}],
    "one sample": [(np.zeros(2), 1)],
}


@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)
def test_collate_and_convert(samples):
    same(arrays(ours.default_collate(samples)), arrays(theirs.default_collate(samples)))
    same(arrays(ours.default_convert(samples)), arrays(theirs.default_convert(samples)))


@pytest.mark.parametrize(
    "samples",
    [
        [None, None],
        [object()],
        [np.zeros(2), np.zeros(3)],
        [(1, 2), (1, 2, 3)],
        [np.array(["a"])],
        [{"a": 1}, {"b": 1}],
    ],
)
def test_what_cannot_be_put_together_there_cannot_be_here(samples):
    with pytest.raises(Exception):  # noqa: B017
        theirs.default_collate(samples)
    with pytest.raises((TypeError, ValueError)):
        ours.default_collate(samples)


CASES = [
    (n, batch_size, drop_last)
    for n in (0, 1, 5, 6)
    for batch_size in (1, 2, 3, 7)
    for drop_last in (False, True)
]


@pytest.mark.parametrize(("n", "batch_size", "drop_last"), CASES)
def test_samplers_in_order(n, batch_size, drop_last):
    made = [m.BatchSampler(m.SequentialSampler(range(n)), batch_size, drop_last) for m in (ours, theirs)]
    assert list(made[0]) == list(made[1])
    assert len(made[0]) == len(made[1])


@pytest.mark.parametrize(
    ("replacement", "num_samples"), [*itertools.product([False, True], [None, 1, 4, 10, 11])]
)
def test_random_samplers_promise_the_same(replacement, num_samples):
    mine, yours = (m.RandomSampler(range(4), replacement, num_samples) for m in (ours, theirs))
    assert len(mine) == len(yours) == len(list(mine)) == len(list(yours))
    assert mine.num_samples == yours.num_samples
    if not replacement:
        for order in (list(mine), list(yours)):
            for i in range(0, len(order) - 3, 4):
                assert sorted(order[i : i + 4]) == [0, 1, 2, 3]


@pytest.mark.parametrize("replacement", [False, True])
def test_weighted_samplers_promise_the_same(replacement):
    weights, draws = [1.0, 0.0, 3.0, 4.0], 4000
    found = []
    for module, rng in ((ours, np.random.default_rng(0)), (theirs, torch.Generator().manual_seed(0))):
        counts = np.zeros(4)
        sampler = module.WeightedRandomSampler(weights, 2, replacement, rng)
        for _ in range(draws):
            counts[list(sampler)] += 1
        found.append(counts / draws)
    np.testing.assert_allclose(found[0], found[1], atol=0.04)


@pytest.mark.parametrize("bad", [0, -1, 2.0, True])
def test_bad_sizes_are_value_errors_there_and_here(bad):
    for module in (ours, theirs):
        with pytest.raises(ValueError):
            module.BatchSampler(range(3), bad, False)
        if bad is not True:  # PyTorch takes True for 1
            with pytest.raises(ValueError):
                module.RandomSampler(range(3), num_samples=bad)
        with pytest.raises(TypeError):
            module.RandomSampler(range(3), 5)


LENGTHS = [[7, 3], [10, 0], [0.7, 0.3], [0.5, 0.5], [1 / 3] * 3, [0.29, 0.71], [0.1] * 10, [1.0]]


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("n", [10, 11, 100])
@pytest.mark.filterwarnings("ignore:Length of split")
def test_split_lengths(n, lengths):
    try:
        expected = [len(part) for part in theirs.random_split(range(n), lengths)]
    except ValueError:
        with pytest.raises(ValueError):
            ours.random_split(range(n), lengths)
        return
    parts = ours.random_split(range(n), lengths)
    assert [len(part) for part in parts] == expected
    assert sorted(i for part in parts for i in part.indices) == list(range(n))


def both_loaders(samples, **options):
    return ours.DataLoader(samples, **options), theirs.DataLoader(samples, **options)


OPTIONS = [
    {},
    {"batch_size": 3},
    {"batch_size": 3, "drop_last": True},
    {"batch_size": None},
    {"batch_size": 2, "sampler": [4, 1, 1]},
    {"batch_sampler": [[0, 1], [4]]},
    {"batch_size": 2, "collate_fn": list},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    "samples", [[np.full(2, i, np.float32) for i in range(5)], [(i, str(i)) for i in range(5)]]
)
def test_loaders_give_the_same_batches(samples, options):
    mine, yours = both_loaders(samples, **options)
    assert len(mine) == len(yours)
    assert mine.batch_size == yours.batch_size
    same(arrays(list(mine)), arrays(list(yours)))


@pytest.mark.parametrize(
    "options", [{"batch_size": 2}, {"batch_size": 2, "drop_last": True}, {"batch_size": None}]
)
def test_streams_give_the_same_batches(options):
    def stream(module):
        class Stream(module.IterableDataset):
            def __iter__(self):
                return iter(range(5))

        return Stream()

    batches = [list(module.DataLoader(stream(module), **options)) for module in (ours, theirs)]
    same(arrays(batches[0]), arrays(batches[1]))


def test_tensor_datasets_and_subsets():
    x, y = np.arange(12, dtype=np.float32).reshape(4, 3), np.arange(4)
    mine = ours.Subset(ours.TensorDataset(Tensor(x), Tensor(y)), [3, 1, 2])
    yours = theirs.Subset(theirs.TensorDataset(torch.tensor(x), torch.tensor(y)), [3, 1, 2])
    for i in range(3):
        same(arrays(mine[i]), arrays(yours[i]))
    batches = [list(module.DataLoader(dataset, 2)) for module, dataset in ((ours, mine), (theirs, yours))]
    same(arrays(batches[0]), arrays(batches[1]))


BAD = [
    {"batch_sampler": [[0]], "batch_size": 2},
    {"batch_sampler": [[0]], "shuffle": True},
    {"batch_sampler": [[0]], "sampler": [0]},
    {"batch_sampler": [[0]], "drop_last": True},
    {"sampler": [0], "shuffle": True},
    {"batch_size": None, "drop_last": True},
    {"prefetch_factor": 2},
    {"num_workers": -1},
    {"batch_size": 0},
    {"batch_size": True},
    {"prefetch_factor": -2, "num_workers": 1},
]


@pytest.mark.parametrize("options", BAD, ids=["-".join(options) for options in BAD])
def test_options_that_are_refused_there_are_refused_here(options):
    for module in (ours, theirs):
        with pytest.raises(ValueError):
            module.DataLoader([1, 2, 3], **options)


@pytest.mark.parametrize("options", [{"sampler": [0]}, {"batch_sampler": [[0]]}, {"batch_size": None}])
def test_what_is_false_is_refused_neither_there_nor_here(options):
    for module in (ours, theirs):
        assert len(list(module.DataLoader([1, 2, 3], shuffle=False, drop_last=False, **options))) in (1, 3)


def test_getitems_gives_a_list_of_samples_there_and_may_here():
    class Bulk(list):
        def __getitems__(self, indices):
            return [self[i] * 10 for i in indices]

    mine, yours = both_loaders(Bulk([1, 2, 3]), batch_size=2)
    same(arrays(list(mine)), arrays(list(yours)))


def test_normalize_is_torchs_formula():
    """torchvision's normalize is sub_ and div_ with a view of mean and std."""
    rng = np.random.default_rng(0)
    pictures = rng.random((4, 3, 5, 6)).astype(np.float32)
    mean, std = rng.random(3).tolist(), (rng.random(3) + 0.1).tolist()
    found = ours.Normalize(mean, std)(pictures)
    expected = (
        torch.tensor(pictures).sub_(torch.tensor(mean).view(-1, 1, 1)).div_(torch.tensor(std).view(-1, 1, 1))
    )
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6)
