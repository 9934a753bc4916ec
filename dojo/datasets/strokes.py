"""Digits written by a pen: as many as you like, with no download, always the same ones from one seed.

    images, labels = strokes.digits(1000)               # like MNIST: (1000, 1, 28, 28) in 0..1, and (1000,)
    images, labels = strokes.digits(1000, shift=1.0)    # moved about on the canvas
    images, labels = strokes.colour(1000)               # like CIFAR-10: (1000, 3, 32, 32)

An image depends on the seed and its own number alone: `digits(10)` begins with the five images of `digits(5)`, and
`digits(5, start=5)` are the other five. Each block of ten has every digit once, in random order.
"""

from __future__ import annotations

import math
import operator
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dojo.datasets.glyphs import POINTS, Floats, pens

Labels = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Index = NDArray[np.uint64]

CHUNK = 500  # images at a time: what is worked on stays in the processor's cache
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@dataclass(frozen=True)
class Difficulty:
    """How untidy the hand is. Every number is the most that happens to a digit; lengths are shares of its height."""

    thinnest: float = 0.08
    """The thinnest pen."""
    thickest: float = 0.17
    """The thickest pen."""
    slant: float = 0.4
    """How far the digit leans to either side."""
    rotation: float = 12.0
    """How far it is turned either way, in degrees."""
    wobble: float = 0.08
    """How far the pen misses each of its points, sideways and up or down."""
    noise: float = 0.0
    """How much a pixel gets brighter or darker by chance."""
    clutter: int = 0
    """Short strokes that belong to no digit."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{field.name} must be zero or more, and is {value}")
        if self.thickest < self.thinnest:
            raise ValueError(
                f"the thickest pen ({self.thickest}) is thinner than the thinnest ({self.thinnest})"
            )


EASY = Difficulty(thinnest=0.12, thickest=0.14, slant=0.2, rotation=5.0, wobble=0.03)
DEFAULT = Difficulty()
HARD = Difficulty(thinnest=0.06, thickest=0.2, slant=0.5, rotation=18.0, wobble=0.1, noise=0.25, clutter=2)


def digits(
    n: int,
    seed: int = 0,
    size: int = 28,
    *,
    height: float | None = None,
    shift: float = 0.0,
    difficulty: Difficulty = DEFAULT,
    start: int = 0,
) -> tuple[Floats, Labels]:
    """Bright digits on black: float32 (n, 1, size, size) from 0 to 1, and int64 (n,).

    Args:
        n: how many.
        seed: which ones.
        size: of the canvas, in pixels.
        height: of the digits, in pixels; 20 of 28 if it is not given, as in MNIST. Some are a tenth smaller.
        shift: from 0.0, every digit in the middle, to 1.0, anywhere on the canvas where it fits as a whole.
        difficulty: EASY, DEFAULT, HARD or a `Difficulty` of your own.
        start: the number of the first image.

    Raises:
        ValueError: a number is out of its range. The message gives its name and the number.
    """
    size, height = _canvas(size, height)
    if not 0 <= shift <= 1:
        raise ValueError(f"shift is a share of the free room, from 0.0 to 1.0, and is {shift}")
    images = np.empty((_count("n", n), 1, size, size), np.float32)
    labels = np.empty(n, np.int64)
    for part, index, random in _chunks(n, seed, start):
        labels[part] = _labels(index, random)
        ink = _written(labels[part], random, size, height, float(shift), difficulty)
        images[part, 0] = _noisy(ink, random, difficulty.noise)
    return images, labels


def colour(
    n: int, seed: int = 0, size: int = 32, *, difficulty: Difficulty = DEFAULT, start: int = 0
) -> tuple[Floats, Labels]:
    """Digits of any colour, anywhere on a ground of another colour with blotches and stripes.

    They are float32 (n, 3, size, size) from 0 to 1, with int64 (n,), and at most four fifths as high as the canvas.
    Arguments and errors are those of `digits`.
    """
    size, _ = _canvas(size, None)
    images = np.empty((_count("n", n), 3, size, size), np.float32)
    labels = np.empty(n, np.int64)
    for part, index, random in _chunks(n, seed, start):
        labels[part] = _labels(index, random)
        height = size * random.between(0.55, 0.8, "height", 1)
        ink = _written(labels[part], random, size, height, 1.0, difficulty)[:, None]
        ground, pen = _two_colours(random)
        ground = ground + _texture(random, size)
        images[part] = _noisy(ground + ink * (pen - ground), random, max(difficulty.noise, 0.05))
    return images, labels


def to_uint8(images: Floats) -> Bytes:
    """0.0 to 1.0 becomes 0 to 255, as image files have it."""
    return (images * 255).round().astype(np.uint8)


def write_cifar10(
    folder: str | os.PathLike[str], train: int = 50_000, test: int = 10_000, seed: int = 0
) -> Path:
    """Write colour digits in the format of CIFAR-10's binary version.

    In `folder/cifar-10-batches-bin` five files `data_batch_1.bin` to `data_batch_5.bin` share the `train` images,
    `test_batch.bin` has the `test` images, `batches.meta.txt` the names of the classes. An image is one byte for its
    label and 3072 for its pixels: all red ones row by row, then green, then blue. The folder appears as a whole or
    not at all, and replaces one that this function wrote before.

    Returns:
        The path of `cifar-10-batches-bin`.

    Raises:
        FileExistsError: there is a folder of that name that this function did not write, such as the real CIFAR-10.
    """
    home = Path(folder).expanduser() / "cifar-10-batches-bin"
    if home.exists() and not _is_ours(home):
        raise FileExistsError(f"{home} is there already and does not hold digits: choose another folder")
    _count("train", train), _count("test", test)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cifar-10-", dir=home.parent) as name:
        new = Path(name) / "new"
        new.mkdir()
        ends = [round(train * k / 5) for k in range(6)]
        for k, (begin, end) in enumerate(pairwise(ends), 1):
            _write_records(new / f"data_batch_{k}.bin", begin, end, seed)
        _write_records(new / "test_batch.bin", train, train + test, seed)
        (new / "batches.meta.txt").write_text("\n".join([*NAMES, ""]))
        if home.exists():
            home.rename(Path(name) / "old")
        new.rename(home)
    return home


def _is_ours(home: Path) -> bool:
    try:
        return (home / "batches.meta.txt").read_text().split() == NAMES
    except OSError:
        return False


def _write_records(path: Path, begin: int, end: int, seed: int) -> None:
    with open(path, "wb") as file:
        for start in range(begin, end, CHUNK):
            images, labels = colour(min(CHUNK, end - start), seed, start=start)
            records = np.empty((len(labels), 1 + 3 * 32 * 32), np.uint8)
            records[:, 0] = labels
            records[:, 1:] = to_uint8(images).reshape(len(labels), -1)
            file.write(records.tobytes())


# Arguments ----------------------------------------------------------------------------------------------


def _count(name: str, value: int) -> int:
    if operator.index(value) < 0:
        raise ValueError(f"{name} must be zero or more, and is {value}")
    return value


def _canvas(size: int, height: float | None) -> tuple[int, float]:
    """Both as Python's own numbers: NumPy's would make everything float64."""
    size = operator.index(size)
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels, and is {size}")
    if height is None:
        return size, size * 20 / 28
    if not 5 <= height <= size:
        raise ValueError(f"height must be from 5 pixels to the size of the canvas, {size}, and is {height}")
    return size, float(height)


# Randomness ---------------------------------------------------------------------------------------------

STEP = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: Index) -> Index:
    """SplitMix64's last step (Steele, Lea, Flood 2014): it turns neighbouring numbers into unrelated ones."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class _Random:
    """Random numbers that depend on the seed, the image's own number and what they are for, and on nothing else."""

    def __init__(self, seed: int, index: Index) -> None:
        self._seed = _mixed(np.array([operator.index(seed) % 2**64], np.uint64))
        self._index = index

    def of(self, index: Index, purpose: str, count: int) -> Floats:
        """(len(index), count) numbers from 0 to 1, without 1."""
        word = np.array([int.from_bytes(purpose.encode(), "little")], np.uint64)
        keys = _mixed(_mixed(self._seed + _mixed(word)) + index * STEP)
        bits = _mixed(keys[:, None] + np.arange(count, dtype=np.uint64) * STEP)
        return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)

    def between(self, low: float, high: float, purpose: str, count: int) -> Floats:
        """(n, count) numbers from low to high."""
        return np.float32(low) + np.float32(high - low) * self.of(self._index, purpose, count)


def _chunks(n: int, seed: int, start: int) -> Iterator[tuple[slice, Index, _Random]]:
    _count("start", start)
    for begin in range(0, n, CHUNK):
        end = min(begin + CHUNK, n)
        index = np.arange(start + begin, start + end, dtype=np.uint64)
        yield slice(begin, end), index, _Random(seed, index)


def _labels(index: Index, random: _Random) -> Labels:
    """The digit of each image. Ten neighbours are the ten digits in random order."""
    blocks, place = np.divmod(index, np.uint64(10))
    order = np.argsort(random.of(blocks, "order", 10), axis=1, kind="stable")
    return np.take_along_axis(order, place.astype(np.int64)[:, None], 1)[:, 0]


# From digits to ink -------------------------------------------------------------------------------------


def _written(
    labels: Labels, random: _Random, size: int, height: Floats | float, shift: float, how: Difficulty
) -> Floats:
    """The ink, (n, size, size) from 0 to 1. `height` is in pixels: a number, or one for each image, (n, 1)."""
    heights: Floats = height * random.between(0.9, 1, "smaller", 1)
    thickness = heights * random.between(how.thinnest, how.thickest, "pen", 1)
    steps = _placed(_traced(labels, random, how), random, size, heights, thickness, shift)
    if how.clutter:
        steps = np.concatenate([steps, _stray(random, size, heights, how.clutter)], axis=1)
    return _inked(steps, size, thickness, blur=heights / np.float32(25))


def _traced(labels: Labels, random: _Random, how: Difficulty) -> Floats:
    """The pen's steps before the digit has its size and place: (n, STEPS, 2 ends, x and y)."""
    n = len(labels)
    all_pens = pens()
    choice = (random.between(0, 1, "style", 1)[:, 0] * all_pens.styles[labels]).astype(np.int64)
    style = all_pens.first[labels] + choice
    missed = random.between(-how.wobble, how.wobble, "wobble", 2 * POINTS).reshape(n, POINTS, 2)
    points = all_pens.points[style] + missed
    steps = (all_pens.curves[style].reshape(n, -1, POINTS) @ points).reshape(n, -1, 2, 2)

    wide = random.between(0.8, 1.15, "wide", 1)[:, 0]
    slant = random.between(-how.slant, how.slant, "slant", 1)[:, 0]
    turn = random.between(-how.rotation, how.rotation, "turn", 1)[:, 0] * np.float32(math.pi / 180)
    upright = np.stack([wide, -slant, np.zeros_like(wide), np.ones_like(wide)], -1).reshape(n, 2, 2)
    turned = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], -1).reshape(n, 2, 2)
    done: Floats = steps @ (turned @ upright).swapaxes(1, 2)[:, None]
    return done


def _placed(
    steps: Floats, random: _Random, size: int, height: Floats, thickness: Floats, shift: float
) -> Floats:
    """The steps in pixels: the longer side as long as the digit is high, in the middle or shifted from there."""
    low, high = steps.min((1, 2)), steps.max((1, 2))  # (n, 2)
    scale = (height - thickness) / (high - low).max(1, keepdims=True)
    extent = (high - low) * scale + thickness
    room = np.maximum(size - extent, 0) / 2
    middle = size / np.float32(2) + shift * room * random.between(-1, 1, "shift", 2)
    placed: Floats = (steps - ((low + high) / 2)[:, None, None]) * scale[:, None, None] + middle[
        :, None, None
    ]
    return placed


def _stray(random: _Random, size: int, height: Floats, count: int) -> Floats:
    """Short straight strokes anywhere: (n, 6 count, 2, 2)."""
    n = len(height)
    begin = random.between(0, size, "begin", 2 * count).reshape(n, count, 1, 2)
    angle = random.between(0, 2 * math.pi, "angle", count)
    length = height * random.between(0.15, 0.35, "length", count)
    way = (length[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1))[:, :, None]  # (n, count, 1, 2)
    t = np.linspace(0, 1, 7, dtype=np.float32)[:, None]
    points = begin + t * way
    return np.stack([points[:, :, :-1], points[:, :, 1:]], 3).reshape(n, -1, 2, 2)


def _inked(steps: Floats, size: int, thickness: Floats, blur: Floats) -> Floats:
    """Ink where a pixel's middle is nearer to the pen's way than half its thickness, with an edge a pixel wide.

    The distance d comes from a sum over all steps instead of a minimum: along a line, the sum of
    length * exp(-d^2 / (2 blur^2)) over small steps is known, so d follows from it. In x and y apart each exponential
    is a factor, and the sum over steps is one matrix product for each image.
    """
    middles = steps.mean(2)  # (n, steps, 2)
    lengths = np.linalg.norm(steps[:, :, 1] - steps[:, :, 0], axis=2)
    pixels = np.arange(size, dtype=np.float32) + np.float32(0.5)
    narrow = 1 / (np.float32(math.sqrt(2)) * blur)  # (n, 1)
    x, y = (
        np.exp(-np.square((pixels - middles[:, :, axis, None]) * narrow[:, None])) for axis in (0, 1)
    )  # (n, steps, size)
    x *= (lengths * narrow / np.float32(math.sqrt(math.pi)))[:, :, None]
    total = y.swapaxes(1, 2) @ x  # (n, size, size)
    distance = np.sqrt(np.maximum(-np.log(np.maximum(total, np.float32(1e-30))), 0)) / narrow[:, None]
    ink: Floats = (thickness[:, None] / 2 - distance) / np.float32(1.2) + np.float32(0.5)
    return ink.clip(0, 1)


def _noisy(images: Floats, random: _Random, noise: float) -> Floats:
    if noise:
        images = images + random.between(-noise, noise, "noise", images[0].size).reshape(images.shape)
    return np.clip(images, 0, 1)


# Colours ------------------------------------------------------------------------------------------------

BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue to the eye (ITU-R BT.601)
CONTRAST = 0.4


def _two_colours(random: _Random) -> tuple[Floats, Floats]:
    """Two colours of which one is clearly brighter, each (n, 3, 1, 1). Either may be the ground."""
    hues = random.between(0, 1, "hues", 6).reshape(-1, 2, 3)
    bright = (hues * BRIGHTNESS).sum(-1)  # (n, 2)
    dark = random.between(0.1, 0.9 - CONTRAST, "dark", 1)
    light = dark + random.between(CONTRAST, CONTRAST + 0.2, "light", 1)
    wanted = np.concatenate([dark, light], 1)
    swap = random.between(0, 1, "swap", 1) < 0.5
    wanted = np.where(swap, wanted[:, ::-1], wanted)
    colours = np.clip(hues + (wanted - bright)[..., None], 0, 1)
    return colours[:, 0, :, None, None], colours[:, 1, :, None, None]


def _texture(random: _Random, size: int) -> Floats:
    """What is added to the ground: soft blotches in each colour and stripes across, (n, 3, size, size)."""
    grid = random.between(-0.15, 0.15, "blotches", 3 * 5 * 5).reshape(-1, 3, 5, 5)
    where = np.linspace(0, 4, size, dtype=np.float32)
    between = np.maximum(1 - np.abs(where[:, None] - np.arange(5, dtype=np.float32)), 0)  # (size, 5)
    blotches = between @ grid @ between.T

    angle, phase = np.split(random.between(0, 2 * math.pi, "stripes", 2)[..., None], 2, axis=1)  # (n, 1, 1)
    waves = random.between(2, 8, "waves", 1)[..., None] * np.float32(2 * math.pi / size)
    strength = random.between(-0.1, 0.1, "strength", 3)[..., None, None]
    across = np.arange(size, dtype=np.float32) * waves
    stripes = np.sin(np.cos(angle) * across + (np.sin(angle) * across).swapaxes(1, 2) + phase)
    texture: Floats = blotches + strength * stripes[:, None]
    return texture
