"""strokes: the same digits every time, that a classifier can tell apart, and hard where they should be."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dojo.catalogue import ROOT
from dojo.datasets import strokes
from dojo.datasets.glyphs import STYLES, pens
from tests.small_repository import environment


def nearest(images: strokes.Floats, labels: strokes.Labels, known: int) -> float:
    """How often the nearest of the first `known` images has the label of each of the others."""
    x = images.reshape(len(images), -1)
    distance = (x[:known] ** 2).sum(1) - 2 * x[known:] @ x[:known].T
    return float((labels[:known][distance.argmin(1)] == labels[known:]).mean())


def middle(images: strokes.Floats) -> strokes.Floats:
    """The centre of the ink's bounding box, (n, 2)."""
    edges = []
    for axis in (2, 3):
        lit = (images > 0.5).any(axis=(1, axis))
        edges += [(lit.argmax(1) + lit.shape[1] - lit[:, ::-1].argmax(1)) / 2]
    return np.stack(edges, 1)


# The contract -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "channels", "size"), [(strokes.digits, 1, 28), (strokes.colour, 3, 32)])
def test_images_are_floats_from_0_to_1_and_labels_are_integers(make: Any, channels: int, size: int) -> None:
    images, labels = make(30)

    assert (images.shape, images.dtype) == ((30, channels, size, size), np.float32)
    assert (labels.shape, labels.dtype) == ((30,), np.int64)
    assert images.min() >= 0 and images.max() <= 1
    assert make(0)[0].shape == (0, channels, size, size)
    assert make(3, size=20)[0].shape == (3, channels, 20, 20)


@pytest.mark.parametrize("make", [strokes.digits, strokes.colour])
def test_an_image_depends_on_the_seed_and_its_number_alone(make: Any) -> None:
    for difficulty in (strokes.DEFAULT, strokes.HARD):
        images, labels = make(strokes.CHUNK + 13, difficulty=difficulty)
        for few in (1, 2, 7, 150):
            again, again_labels = make(few, difficulty=difficulty)
            assert np.array_equal(again, images[:few])
            assert np.array_equal(again_labels, labels[:few])
        later, later_labels = make(20, start=strokes.CHUNK - 7, difficulty=difficulty)
        assert np.array_equal(later, images[-20:])
        assert np.array_equal(later_labels, labels[-20:])


def test_numbers_may_be_numpy_s() -> None:
    plain = strokes.digits(5, 1, 28, height=14.5, shift=0.5)
    same = strokes.digits(
        np.int64(5), np.int32(1), np.int64(28), height=np.float64(14.5), shift=np.float64(0.5)
    )  # type: ignore[arg-type]
    assert np.array_equal(plain[0], same[0])


@pytest.mark.parametrize("make", [strokes.digits, strokes.colour])
def test_another_seed_gives_other_images(make: Any) -> None:
    first, second = make(50, seed=0), make(50, seed=1)
    assert not np.array_equal(first[1], second[1])
    assert min(np.abs(a - b).max() for a in first[0] for b in second[0]) > 0.1


def test_the_same_seed_gives_the_same_images_in_every_process() -> None:
    """Not to the last bit, which another processor may round otherwise."""
    told = "from dojo.datasets import strokes; x, y = strokes.digits(40, seed=7); print(y, x.mean((1, 2, 3)))"
    one, two = (
        subprocess.run(
            [sys.executable, "-c", told], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True
        ).stdout
        for seed in ("1", "2")
    )
    assert one == two
    images, labels = strokes.digits(10, seed=7)
    assert labels.tolist() == LABELS_OF_SEED_7
    np.testing.assert_allclose(images.mean((1, 2, 3)), INK_OF_SEED_7, atol=1e-3)


LABELS_OF_SEED_7 = [2, 1, 3, 7, 4, 5, 9, 0, 6, 8]
INK_OF_SEED_7 = [0.111, 0.087, 0.082, 0.086, 0.077, 0.159, 0.16, 0.133, 0.117, 0.135]


def test_every_ten_images_are_the_ten_digits_in_random_order() -> None:
    _, labels = strokes.digits(1000, seed=3, size=8)
    tens = labels.reshape(100, 10)
    assert (np.sort(tens, axis=1) == np.arange(10)).all()
    assert len({tuple(ten) for ten in tens.tolist()}) == 100
    assert (np.bincount(strokes.colour(25, size=8)[1], minlength=10) >= 2).all()


# What is drawn ------------------------------------------------------------------------------------------


def test_a_digit_is_twenty_pixels_high_in_the_middle_of_28() -> None:
    images, _ = strokes.digits(500)
    tall = (images > 0.5).any((1, 3)).sum(1)
    assert 17 <= np.median(tall) <= 20
    assert tall.max() <= 20
    np.testing.assert_allclose(middle(images), 14, atol=1)
    assert (images[:, :, :3] == 0).all() and (images[:, :, -3:] == 0).all()
    assert images.reshape(500, -1).max(1).min() > 0.9
    assert 0.05 < images.mean() < 0.25


def test_height_and_size_are_pixels() -> None:
    images, _ = strokes.digits(200, size=40, height=14)
    tall = (images > 0.5).any((1, 3)).sum(1)
    assert 11 <= np.median(tall) <= 14
    assert tall.max() <= 14
    np.testing.assert_allclose(middle(images), 20, atol=1)


@pytest.mark.parametrize(("height", "room"), [(20, 4), (14, 7)])
def test_shift_moves_digits_about_and_never_over_the_edge(height: int, room: int) -> None:
    still, _ = strokes.digits(300, height=height)
    moved, _ = strokes.digits(300, height=height, shift=1.0)
    half, _ = strokes.digits(300, height=height, shift=0.5)

    away = np.abs(middle(moved) - 14)
    assert away.max() > room
    assert np.median(away) > room / 3
    assert np.median(np.abs(middle(half) - 14)) < 0.7 * np.median(away)
    np.testing.assert_allclose(moved.sum((1, 2, 3)), still.sum((1, 2, 3)), rtol=0.05)  # nothing is cut off


def test_every_style_of_every_digit_is_used() -> None:
    found = {digit for digit, _, _ in STYLES}
    assert found == set(range(10))
    assert pens().styles.sum() == len(STYLES)
    images, labels = strokes.digits(300, difficulty=replace(strokes.EASY, slant=0, rotation=0, wobble=0))
    ones = images[labels == 1, 0] > 0.5
    wide = ones.any(1).sum(1)
    assert wide.min() <= 3 and wide.max() >= 8  # a bare bar, and one with a foot


@pytest.mark.parametrize(
    ("setting", "more"),
    [("thickest", 0.4), ("slant", 1.0), ("rotation", 60.0), ("wobble", 0.3), ("noise", 0.5), ("clutter", 3)],
)
def test_every_setting_changes_the_images_and_not_the_labels(setting: str, more: float) -> None:
    plain, labels = strokes.digits(20)
    changed, same = strokes.digits(20, difficulty=replace(strokes.DEFAULT, **{setting: more}))
    assert np.abs(changed - plain).max((1, 2, 3)).mean() > 0.3
    assert np.array_equal(labels, same)


# How hard it is -----------------------------------------------------------------------------------------


def test_digits_in_the_middle_are_told_apart_by_their_pixels_and_shifted_ones_far_less_well() -> None:
    """The reason for kata 09."""
    known, asked = 1000, 300
    still = nearest(*strokes.digits(known + asked), known)
    moved = nearest(*strokes.digits(known + asked, shift=1.0), known)
    far = nearest(*strokes.digits(known + asked, shift=1.0, height=14), known)
    assert still > 0.9
    assert moved < still - 0.15
    assert far < moved - 0.1


def test_difficulties_are_in_order() -> None:
    easy, default, hard = (
        nearest(*strokes.digits(800, difficulty=each, shift=0.5), 500)
        for each in (strokes.EASY, strokes.DEFAULT, strokes.HARD)
    )
    assert easy > default > hard > 0.2


def test_colours_say_nothing_about_the_digit_and_always_differ_from_the_ground() -> None:
    images, labels = strokes.colour(1300)
    assert nearest(images, labels, 1000) < 0.25  # pixel by pixel hardly better than by chance
    bright = np.einsum("nchw,c->nhw", images, strokes.BRIGHTNESS).reshape(1300, -1)
    spread = np.quantile(bright, 0.97, axis=1) - np.quantile(bright, 0.03, axis=1)
    assert spread.min() > 0.15
    assert 0.3 < (bright.mean(1) > 0.5).mean() < 0.7


def test_drawing_takes_far_less_time_than_a_loop_over_the_pixels() -> None:
    """Thirty times, where it is a thousand: no clock on a busy machine should make this red."""

    def loop() -> float:
        begin, total = time.process_time(), 0.0
        for x in range(28):
            for y in range(28):
                for k in range(56):
                    total += (x - k) ** 2 + (y - k) ** 2
        return time.process_time() - begin

    strokes.digits(10)
    begin = time.process_time()
    strokes.digits(300)
    each = (time.process_time() - begin) / 300
    assert each < min(loop() for _ in range(3)) / 30


# Errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: strokes.digits(-1), "n must be zero or more, and is -1"),
        (lambda: strokes.colour(-1), "n must be zero or more, and is -1"),
        (lambda: strokes.digits(1, start=-2), "start must be zero or more, and is -2"),
        (lambda: strokes.digits(1, size=4), "size must be at least 8 pixels, and is 4"),
        (lambda: strokes.colour(1, size=4), "size must be at least 8 pixels, and is 4"),
        (lambda: strokes.digits(1, height=29), "size of the canvas, 28, and is 29"),
        (lambda: strokes.digits(1, height=float("nan")), "and is nan"),
        (lambda: strokes.digits(1, shift=4), "shift is a share of the free room, from 0.0 to 1.0, and is 4"),
        (lambda: strokes.digits(1, shift=float("nan")), "and is nan"),
        (lambda: strokes.Difficulty(wobble=-1), "wobble must be zero or more, and is -1"),
        (lambda: strokes.Difficulty(noise=float("inf")), "noise must be zero or more, and is inf"),
        (lambda: strokes.Difficulty(thickest=0.01), "the thickest pen (0.01) is thinner than"),
    ],
)
def test_a_number_out_of_range_is_an_error_with_its_name(call: Any, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert says in str(caught.value)


@pytest.mark.parametrize("wrong", [2.5, "3", None])
def test_what_must_be_whole_is_a_whole_number(wrong: Any) -> None:
    with pytest.raises(TypeError):
        strokes.digits(wrong)
    with pytest.raises(TypeError):
        strokes.digits(1, seed=wrong)


# As CIFAR-10 --------------------------------------------------------------------------------------------


def records(path: Path) -> tuple[strokes.Bytes, strokes.Bytes]:
    """What the CIFAR-10 page says of its binary version."""
    rows = np.fromfile(path, np.uint8).reshape(-1, 3073)
    return rows[:, 0], rows[:, 1:].reshape(-1, 3, 32, 32)


def test_colour_digits_are_written_as_cifar_10_has_its_photos(tmp_path: Path) -> None:
    home = strokes.write_cifar10(tmp_path / "new", train=23, test=10, seed=5)

    assert home == tmp_path / "new/cifar-10-batches-bin"
    assert sorted(path.name for path in home.iterdir()) == [
        "batches.meta.txt",
        *[f"data_batch_{k}.bin" for k in range(1, 6)],
        "test_batch.bin",
    ]
    assert list((tmp_path / "new").iterdir()) == [home]
    assert (home / "batches.meta.txt").read_text().split()[:3] == ["zero", "one", "two"]
    parts = [records(home / f"data_batch_{k}.bin") for k in range(1, 6)]
    parts.append(records(home / "test_batch.bin"))
    images, labels = strokes.colour(33, seed=5)
    assert np.array_equal(np.concatenate([each for each, _ in parts]), labels)
    assert np.array_equal(np.concatenate([each for _, each in parts]), strokes.to_uint8(images))
    assert len(parts[-1][0]) == 10


def test_writing_again_takes_the_place_of_digits_and_of_nothing_else(tmp_path: Path) -> None:
    strokes.write_cifar10(tmp_path, train=10, test=5)
    home = strokes.write_cifar10(tmp_path, train=20, test=5, seed=1)
    assert np.array_equal(records(home / "data_batch_1.bin")[0], strokes.colour(4, seed=1)[1])

    (home / "batches.meta.txt").write_text("airplane\nautomobile\n")
    with pytest.raises(FileExistsError, match="does not hold digits"):
        strokes.write_cifar10(tmp_path, train=10, test=5)
    assert len(records(home / "data_batch_1.bin")[0]) == 4


def test_what_is_interrupted_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    strokes.write_cifar10(tmp_path, train=10, test=5)
    monkeypatch.setattr(strokes, "to_uint8", full)
    with pytest.raises(OSError, match="No space"):
        strokes.write_cifar10(tmp_path, train=20, test=5)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-batches-bin"]
    assert len(records(tmp_path / "cifar-10-batches-bin/data_batch_1.bin")[0]) == 2


def test_importing_it_imports_neither_a_student_s_code_nor_anything_that_draws() -> None:
    told = "import sys; from dojo.datasets import strokes; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True)
    assert not {"matplotlib", "scipy", "rich", "tinytorch"} & set(done.stdout.split())


def test_the_specs_of_a_kata_do_not_wait_for_it() -> None:
    told = "import sys, pytest; pytest.main(['-q', '-x', 'katas/01_setup']); print(*sys.modules, file=sys.__stdout__)"
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert "dojo.report.plugin" in done.stdout
    assert "dojo.datasets" not in done.stdout
