"""Transforms of one picture, (C, H, W), or of many, (N, C, H, W), with random draws for each picture."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, extreme, raises, strategies, unchanged
from tinytorch.dataloader import (
    Compose,
    DataLoader,
    ImageDataset,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    ToDtype,
    drawing_from,
)
from tinytorch.tensor import Tensor


def rng(seed=0):
    return np.random.default_rng(seed)


def pixels(*shape):
    """Pictures in which every pixel is another number, from 1 on."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


def drawn(transform, pictures, seed=0):
    with drawing_from(rng(seed)):
        return transform(pictures)


# Numbers


def test_bytes_become_fractions():
    """ToDtype(float32, scale=True) turns the uint8 0, 51 and 255 into the float32 0.0, 0.2 and 1.0."""
    picture = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3)
    with unchanged(picture):
        found = ToDtype(np.float32, scale=True)(picture)
    assert_close(found, np.array([0.0, 0.2, 1.0], np.float32).reshape(1, 1, 3), "the picture")
    wide = np.array([0, 2**15 - 1], np.int16).reshape(1, 1, 2)
    assert_close(
        ToDtype(np.float32, scale=True)(wide), np.array([[[0.0, 1.0]]], np.float32), "an int16 picture"
    )


def test_a_dtype_alone_changes_no_number():
    """Without scale the numbers stay: 51 becomes 51.0. Floats stay as they are with scale too."""
    assert_close(ToDtype(np.float32)(np.full((1, 2, 2), 51, np.uint8)), np.full((1, 2, 2), 51, np.float32))
    assert_close(
        ToDtype(np.float64, scale=True)(np.full((1, 2, 2), 0.5, np.float32)), np.full((1, 2, 2), 0.5)
    )
    assert_close(ToDtype("uint8")(np.full((1, 2, 2), 51.0, np.float32)), np.full((1, 2, 2), 51, np.uint8))


def test_only_floats_hold_fractions():
    """ToDtype(uint8, scale=True) is a ValueError with the dtype."""
    with raises(ValueError, "uint8"):
        ToDtype(np.uint8, scale=True)


def test_each_channel_is_normalised():
    """Normalize([1, 10], [2, 0.5]) gives (x - 1) / 2 for channel 0, (x - 10) / 0.5 for channel 1, in a new array."""
    picture = np.array([[[3.0, 5.0]], [[10.0, 11.0]]], np.float32)
    with unchanged(picture):
        found = Normalize([1, 10], [2, 0.5])(picture)
    assert_close(found, np.array([[[1.0, 2.0]], [[0.0, 2.0]]], np.float32), "the picture")


@given(pictures=strategies.strided(strategies.shapes(min_dims=4, max_dims=4)), seed=st.integers(0, 99))
def test_normalize_any_pictures(pictures, seed):
    """Any pictures (N, C, H, W), also empty or non-contiguous: each is normalised as it would be alone."""
    c = pictures.shape[1]
    mean, std = rng(seed).random(c), rng(seed + 1).random(c) + 0.5
    expected = np.empty_like(pictures)
    for n, ch in np.ndindex(pictures.shape[:2]):
        expected[n, ch] = (pictures[n, ch].astype(np.float64) - mean[ch]) / std[ch]
    with unchanged(pictures):
        found = Normalize(mean.tolist(), std.tolist())(pictures)
    assert_close(found, expected, "the array of pictures")


def test_integers_are_not_normalised():
    """Normalize of uint8 pictures is a TypeError with the dtype: bytes cannot hold x - mean."""
    with raises(TypeError, "uint8"):
        Normalize([0.5], [0.5])(np.ones((1, 2, 2), np.uint8))


def test_a_mean_and_a_std_for_each_channel():
    """Another number of stds than of means, or of channels, is a ValueError with both numbers; so is a std of 0.0."""
    with raises(ValueError, 3, 2):
        Normalize([0.1, 0.2, 0.3], [0.5, 0.5])
    with raises(ValueError, 0.0):
        Normalize([0.1, 0.2], [0.5, 0.0])
    for channels in (3, 1):
        with raises(ValueError, channels, 2):
            Normalize([0.1, 0.2], [0.5, 0.5])(np.ones((channels, 4, 4), np.float32))


# Windows


def test_a_crop_is_a_window_of_the_picture():
    """RandomCrop((2, 3)) of a picture (2, 4, 5) is one of its windows: the same place in both channels."""
    picture = pixels(2, 4, 5)
    windows = [picture[:, t : t + 2, left : left + 3] for t in range(3) for left in range(3)]
    crop = RandomCrop((2, 3))
    for seed in range(20):
        found = drawn(crop, picture, seed)
        assert_equal(found.shape, (2, 2, 3), "the shape of the crop")
        assert any(np.array_equal(found, window) for window in windows), (
            f"no window of the picture: {found.tolist()}"
        )


def test_every_window_is_as_likely():
    """All 12 windows of size 2 in a picture of (4, 5), those at the edges too, come about 100 times in 1200."""
    crops = drawn(RandomCrop(2), np.broadcast_to(pixels(1, 4, 5), (1200, 1, 4, 5)))
    places, counts = np.unique(crops[:, 0, 0, 0], return_counts=True)
    expected = [row * 5 + column + 1 for row in range(3) for column in range(4)]
    assert_equal(places.tolist(), expected, "the list of upper left pixels of all windows that came")
    assert (abs(counts - 100) < 40).all(), f"they come {counts.tolist()} times"


def test_a_margin_is_black():
    """padding=1 first adds a margin of one 0 on all four sides: a window of 3 in a picture (3, 3) has 9 places."""
    picture = pixels(1, 3, 3)
    padded = np.zeros((1, 5, 5), np.float32)
    padded[:, 1:4, 1:4] = picture
    windows = {padded[:, t : t + 3, left : left + 3].tobytes() for t in range(3) for left in range(3)}
    found = {drawn(RandomCrop(3, padding=1), picture, seed).tobytes() for seed in range(100)}
    assert found == windows, f"of 9 windows {len(found & windows)} came, and {len(found - windows)} others"


@given(
    pictures=strategies.strided(
        strategies.shapes(min_dims=3, max_dims=5, min_side=1), dtype=np.uint8, low=0, high=9
    ),
    padding=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_crops_of_any_pictures(pictures, padding, seed):
    """Pictures with any number of leading axes keep them, and their dtype; each crop is a window of its own picture."""
    *lead, c, h, w = pictures.shape
    height, width = min(h + 2 * padding, 2), min(w + 2 * padding, 3)
    with unchanged(pictures):
        found = drawn(RandomCrop((height, width), padding), pictures, seed)
    assert_equal((found.shape, found.dtype), ((*lead, c, height, width), pictures.dtype), "shape and dtype")
    for i in np.ndindex(*lead):
        padded = np.pad(pictures[i], ((0, 0), (padding, padding), (padding, padding)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
        fits = (windows == found[i][:, None, None]).all(axis=(0, 3, 4))
        assert fits.any(), f"crop {list(i)} is no window of its picture: {found[i].tolist()}"


def test_a_window_fits_into_its_picture():
    """A window of (6, 3) in a picture of (4, 5) is a ValueError with both sizes; with padding=1 it fits."""
    with raises(ValueError, (6, 3), (4, 5)):
        RandomCrop((6, 3))(pixels(2, 4, 5))
    with raises(ValueError, (3, 8), (6, 7)):
        RandomCrop((3, 8), padding=1)(pixels(2, 4, 5))
    assert_equal(RandomCrop((6, 3), padding=1)(pixels(2, 4, 5)).shape, (2, 6, 3), "the shape of the crop")


@pytest.mark.parametrize(("size", "padding", "bad"), [(0, 0, 0), ((3, -1), 0, -1), (2, -4, -4)])
def test_a_window_has_a_size(size, padding, bad):
    """A side of the window below 1, or a padding below 0, is a ValueError with it."""
    with raises(ValueError, bad):
        RandomCrop(size, padding)


# Mirrors


def test_a_flip_turns_left_and_right():
    """RandomHorizontalFlip(1.0) mirrors a picture along its last axis; with 0.0 it stays. Both give a new array."""
    picture, mirrored = pixels(2, 2, 3), pixels(2, 2, 3)[:, :, ::-1].copy()
    with unchanged(picture):
        assert_close(RandomHorizontalFlip(1.0)(picture), mirrored, "the picture with p=1")
    assert_close(RandomHorizontalFlip(0.0)(picture), picture, "the picture with p=0")
    for p in (0.0, 1.0):
        for pictures in (picture, picture[None]):
            found = RandomHorizontalFlip(p)(pictures)
            assert not np.shares_memory(found, picture), f"with p={p} the result is no new array, but a view"


@pytest.mark.parametrize("p", [0.25, 0.5])
def test_each_picture_is_turned_for_itself(p):
    """Of 1000 pictures at once about 1000 * p are mirrored, each as a whole; p is 0.5 by default."""
    pictures = pixels(1000, 2, 1, 2)
    found = drawn(RandomHorizontalFlip() if p == 0.5 else RandomHorizontalFlip(p), pictures)
    turned = (found == pictures[..., ::-1]).all(axis=(1, 2, 3))
    stayed = (found == pictures).all(axis=(1, 2, 3))
    assert (turned | stayed).all(), "a picture is neither turned over nor as it was"
    assert abs(turned.sum() - 1000 * p) < 60, f"{turned.sum()} of 1000 pictures are turned over"
    alternations = int((turned[1:] != turned[:-1]).sum())
    assert alternations > 250, (
        f"neighbours differ only {alternations} times: do the pictures draw for themselves?"
    )


@given(
    pictures=strategies.strided(strategies.shapes(min_dims=3, max_dims=5), dtype=np.uint8, low=0, high=9),
    seed=st.integers(0, 99),
)
def test_flips_of_any_pictures(pictures, seed):
    """Any leading axes, also empty or non-contiguous pictures: each one is mirrored or as it was."""
    with unchanged(pictures):
        found = drawn(RandomHorizontalFlip(), pictures, seed)
    assert_equal((found.shape, found.dtype), (pictures.shape, pictures.dtype), "shape and dtype")
    for i in np.ndindex(*pictures.shape[:-3]):
        kept = [np.array_equal(found[i], each) for each in (pictures[i], pictures[i][..., ::-1])]
        assert any(kept), f"picture {list(i)} became {found[i].tolist()}"


@pytest.mark.parametrize("end", [0, 1])
def test_a_probability_of_0_is_never_and_of_1_always(end):
    """Whatever is drawn, be it 0, RandomHorizontalFlip(0) turns no picture over, and RandomHorizontalFlip(1) all."""
    pictures = pixels(2, 1, 1, 3)
    for p, expected in ((0.0, pictures), (1.0, pictures[..., ::-1])):
        with drawing_from(extreme(end)):
            assert_close(RandomHorizontalFlip(p)(pictures), expected, f"the pictures with p={p}")


@pytest.mark.parametrize("p", [-0.5, 1.5])
def test_p_is_a_probability(p):
    """A p outside of [0, 1] is a ValueError with it."""
    with raises(ValueError, p):
        RandomHorizontalFlip(p)


# All transforms


@pytest.mark.parametrize("transform", ["RandomCrop", "RandomHorizontalFlip"])
def test_chance_is_the_current_generators(transform):
    """Random transforms draw from current_generator(): the same state gives the same pictures, another one others."""
    make = {"RandomCrop": lambda: RandomCrop(4, 2), "RandomHorizontalFlip": RandomHorizontalFlip}[transform]
    pictures = pixels(64, 1, 4, 4)
    first, again, other = (drawn(make(), pictures, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again), "the same generator gave other pictures"
    assert not np.array_equal(first, other), "another generator gave the same pictures"
    with drawing_from(rng(1)):
        one, two = make()(pictures), make()(pictures)
    assert not np.array_equal(one, two), "called twice, it did the same twice: it should draw again each time"


def test_one_after_the_other():
    """Compose([f, g])(x) is g(f(x)), with any functions; Compose([]) changes nothing."""
    both = Compose([ToDtype(np.float32, scale=True), Normalize([0.5], [0.5]), lambda x: x + 1])
    assert_close(both(np.full((1, 1, 2), 255, np.uint8)), np.full((1, 1, 2), 2, np.float32), "the picture")
    assert_close(Compose([])(pixels(1, 2, 2)), pixels(1, 2, 2), "the picture after nothing")


@pytest.mark.parametrize("transform", ["ToDtype", "Normalize", "RandomCrop", "RandomHorizontalFlip"])
def test_tensors_stay_tensors(transform):
    """Of a Tensor a transform makes a Tensor, with the same numbers as of an array."""
    make = {
        "ToDtype": lambda: ToDtype(np.float64),
        "Normalize": lambda: Normalize([0.5, 0.5], [0.5, 0.25]),
        "RandomCrop": lambda: RandomCrop(2),
        "RandomHorizontalFlip": lambda: RandomHorizontalFlip(1.0),
    }[transform]
    picture = pixels(2, 3, 4)
    found = drawn(make(), Tensor(picture))
    assert isinstance(found, Tensor), f"the picture came out as a {type(found).__name__}"
    assert_close(found, drawn(make(), picture), "the picture")


# Pictures in memory


def half(pictures):
    """A transform that works for one picture and for many."""
    return pictures / 2


def test_a_picture_and_its_label():
    """Sample i of ImageDataset(data, targets) is (data[i], targets[i]): the picture transformed, a Python int."""
    data, targets = pixels(3, 1, 2, 2), np.array([7, 8, 9])
    dataset = ImageDataset(data, targets, classes=["a", "b"])
    picture, label = dataset[1]
    assert_close(picture, data[1], "the picture")
    assert_equal((label, type(label), len(dataset), dataset.classes), (8, int, 3, ("a", "b")), "the rest")
    assert_close(ImageDataset(data, targets, half)[1][0], data[1] / 2, "the picture after the transform")


def test_many_pictures_are_transformed_at_once():
    """`__getitems__([2, 0])` gives pictures and labels 2 and 0; the transform is called once, with both pictures."""
    data, targets, shapes = pixels(3, 1, 2, 2), np.array([7, 8, 9]), []

    def noted(pictures):
        shapes.append(pictures.shape)
        return pictures / 2

    pictures, labels = ImageDataset(data, targets, noted).__getitems__([2, 0])
    assert_close(pictures, data[[2, 0]] / 2, "the array of pictures")
    assert_close(labels, np.array([9, 7]), "the array of labels")
    assert_equal(shapes, [(2, 1, 2, 2)], "the list of shapes that the transform was called with")
    assert_close(ImageDataset(data, targets).__getitems__([0, 0])[0], data[[0, 0]], "the same picture twice")
    assert_close(ImageDataset(data, targets).__getitems__([])[1], targets[:0], "the array of no labels")


def test_pictures_have_four_axes():
    """Data of shape (3, 2, 2) is a ValueError with the shape; 3 pictures with 2 targets are one with both numbers."""
    with raises(ValueError, (3, 2, 2)):
        ImageDataset(pixels(3, 2, 2), np.arange(3))
    with raises(ValueError, 3, 2):
        ImageDataset(pixels(3, 1, 2, 2), np.arange(2))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_loader_over_pictures(num_workers):
    """A loader gives [pictures, labels], Tensors that are copies: writing into a batch leaves the data as they are."""
    data, targets = pixels(5, 1, 2, 2), np.arange(5)
    with unchanged(data, targets):
        for n, (pictures, labels) in enumerate(
            DataLoader(ImageDataset(data, targets), 2, num_workers=num_workers)
        ):
            assert_close(pictures, data[2 * n : 2 * n + 2], f"the array of pictures of batch {n}")
            assert_close(labels, targets[2 * n : 2 * n + 2], f"the array of labels of batch {n}")
            pictures.data[...] = 0
            labels.data[...] = 0


def test_a_subclass_that_reads_in_its_own_way_is_heard():
    """If a subclass of ImageDataset overrides `__getitem__`, the loader calls it for each sample."""

    class Numbered(ImageDataset):
        def __getitem__(self, index):
            return index, super().__getitem__(index)[1]

    numbers, labels = next(iter(DataLoader(Numbered(pixels(3, 1, 2, 2), np.array([7, 8, 9])), 3)))
    assert_close(numbers, np.array([0, 1, 2]), "the array of numbers in the place of the pictures")
    assert_close(labels, np.array([7, 8, 9]), "the array of labels")
