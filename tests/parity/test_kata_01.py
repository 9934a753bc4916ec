"""Kata 01 beside PyTorch."""

import pytest
import torch

from tinytorch.setup import Device, default_generator, manual_seed, matmul_flops


@pytest.mark.parametrize("name", ["cpu", "cuda:0", "cuda:1", "cuda:12"])
def test_devices_read_alike(name):
    ours, theirs = Device(name), torch.device(name)
    assert (ours.type, ours.index) == (theirs.type, theirs.index)
    assert str(ours) == str(theirs)
    assert (ours == name) == (theirs == name)


@pytest.mark.parametrize(
    "name", ["gpu", "CPU", " cpu", "cpux", "cpu\n", "cuda:", "cuda:x", "cuda:-1", "cuda1", ""]
)
def test_devices_are_refused_alike(name):
    with pytest.raises(RuntimeError):
        torch.device(name)
    with pytest.raises(ValueError, match="there is no device"):
        Device(name)


@pytest.mark.parametrize(
    ("a", "b"), [("cpu", "cpu"), ("cpu", "cuda:0"), ("cuda:0", "cuda:0"), ("cuda:0", "cuda:1")]
)
def test_devices_compare_alike(a, b):
    assert (Device(a) == Device(b)) == (torch.device(a) == torch.device(b))


@pytest.mark.parametrize(("seed", "positive"), [(-1, 2**64 - 1), (-5, 2**64 - 5), (-(2**63), 2**63)])
def test_negative_seeds_count_down_alike(seed, positive):
    assert torch.manual_seed(seed).initial_seed() == positive
    assert manual_seed(seed).random() == manual_seed(positive).random()


def test_manual_seed_returns_the_default_generator_alike():
    assert torch.manual_seed(0) is torch.default_generator
    assert manual_seed(0) is default_generator("cpu")


def test_matmul_flops_count_alike():
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        torch.zeros(2, 3) @ torch.zeros(3, 4)
    assert matmul_flops(2, 3, 4) == counter.get_total_flops()
