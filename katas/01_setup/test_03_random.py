"""Where random numbers come from, and how to get the same ones again."""

import importlib.util

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, hide_cupy, raises, to_numpy
from tinytorch.setup import Device, default_generator, get_array_module, manual_seed


def test_generator_draws():
    """default_generator("cpu") is a numpy.random.Generator: its random(5) are five numbers from 0 up to 1."""
    draws = default_generator("cpu").random(5)
    assert_equal(draws.shape, (5,), "the shape of random(5)")
    assert ((draws >= 0) & (draws < 1)).all(), f"the draws {draws} do not all lie in [0, 1)"


def test_draws_go_on():
    """A device has one default generator: a second call gives the same object, and its draws continue."""
    assert default_generator("cpu") is default_generator("cpu"), "asked for again, it is another object"
    first, second = default_generator("cpu").random(4), default_generator("cpu").random(4)
    assert not np.array_equal(first, second), f"asked twice, the generator draws {first} again"


def test_generator_of_the_cpu_is_the_default():
    """default_generator() without a device is the CPU's, and a Device may be given in place of its name."""
    assert default_generator() is default_generator("cpu"), "default_generator() is another object"
    assert default_generator(Device("cpu")) is default_generator("cpu"), "a Device gives another generator"


def test_manual_seed_returns_the_generator():
    """manual_seed(seed) returns the CPU's default generator, the one that default_generator("cpu") then gives."""
    generator = manual_seed(0)
    assert generator is default_generator("cpu"), f"manual_seed(0) returned {generator!r}"


@given(seed=st.integers(0, 2**64 - 1), size=st.integers(1, 4))
@example(seed=0, size=3)
def test_same_seed_same_draws(seed, size):
    """After manual_seed(seed) the default generator draws the same numbers, every time."""
    manual_seed(seed)
    first = default_generator("cpu").standard_normal(size)
    manual_seed(seed)
    assert_close(default_generator("cpu").standard_normal(size), first, f"what seed {seed} draws again")


def test_other_seed_other_draws():
    """Different seeds give different draws."""
    draws = {seed: float(manual_seed(seed).random()) for seed in (0, 1, 2, 42, 2**40)}
    assert len(set(draws.values())) == len(draws), f"some of these are the same: {draws}"


def test_numpys_own_random_is_not_involved():
    """The default generator and NumPy's np.random know nothing of each other: neither seeds or changes the other."""
    np.random.seed(5)
    theirs = np.random.random(3)
    ours = manual_seed(0).random(3)
    np.random.seed(5)
    manual_seed(0)
    assert_close(
        np.random.random(3), theirs, "np.random.random(3) after np.random.seed(5) and manual_seed(0)"
    )
    assert_close(
        default_generator("cpu").random(3), ours, "the draws of seed 0 with draws of np.random between"
    )


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(200), 2**64 - 1])
def test_seeds_of_every_kind(seed):
    """A seed is any integer below 2**64, NumPy's integers too: the number counts, not its type."""
    draw = float(manual_seed(seed).random())
    assert_equal(float(manual_seed(int(seed)).random()), draw, f"the draw of seed {int(seed)}")


@pytest.mark.parametrize("seed", [-1, -5, np.int64(-2)])
def test_negative_seeds(seed):
    """A negative seed counts down from 2**64, as in PyTorch: manual_seed(-1) is manual_seed(2**64 - 1)."""
    draw = float(manual_seed(seed).random())
    assert_equal(draw, float(manual_seed(2**64 + int(seed)).random()), f"the draw of seed {int(seed)}")


@pytest.mark.parametrize("seed", [1.5, "0", None])
def test_a_seed_is_an_integer(seed):
    """A seed that is not an integer is a TypeError whose message names it, and the draws continue as before."""
    manual_seed(0)
    expected = default_generator("cpu").random(2)
    manual_seed(0)
    with raises(TypeError, seed):
        manual_seed(seed)
    assert_close(default_generator("cpu").random(2), expected, "the draws after the refused seed")


def test_without_a_seed_every_run_is_different():
    """Before the first manual_seed, each run of a program draws other numbers: the seed is the system's entropy."""
    module = importlib.util.find_spec("tinytorch.setup")
    draws = []
    for _ in range(3):  # three fresh copies of your module, as three programs would have
        fresh = importlib.util.module_from_spec(module)
        module.loader.exec_module(fresh)
        draws.append(float(fresh.default_generator("cpu").random()))
    assert len(set(draws)) == 3, f"three runs drew {draws}"


def test_each_device_draws_for_itself(device):
    """default_generator(device) draws arrays on that device, and is one object for each device."""
    generator = default_generator(device)
    draws = generator.random(4)
    assert get_array_module(draws) is Device(device).array_module, f"the draws are not on {device!r}"
    assert default_generator(device) is generator, "asked again, it is another generator"
    if device == "cuda":
        assert default_generator("cpu") is not generator, "the CPU and the GPU share one generator"
        assert default_generator("cuda:0") is generator, '"cuda" and "cuda:0" are one device'


@pytest.mark.parametrize("used_before", [False, True])
def test_manual_seed_is_for_every_device(device, used_before):
    """manual_seed(seed) seeds the default generator of every device, whether it was used before or not."""
    draws = []
    for _ in range(2):
        if used_before:
            default_generator(device).random(3)
        manual_seed(7)
        draws.append(to_numpy(default_generator(device).random(3)))
    assert_close(draws[1], draws[0], f"what seed 7 draws again on {device!r}")


def test_no_generator_without_a_gpu(monkeypatch):
    """default_generator("cuda:5") is a RuntimeError that names the device where there is no such GPU."""
    hide_cupy(monkeypatch)
    with raises(RuntimeError, "cuda:5"):
        default_generator("cuda:5")
