"""Kata 05 beside PyTorch: every loss with every option, and the gradients."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tinytorch import losses as ours
from tinytorch.tensor import tensor

RNG = np.random.default_rng(0)
X = (RNG.standard_normal((4, 5)) * 3).astype(np.float32)
X[0] = [1000, -1000, 0, 80, -80]
NUMBERS = RNG.random((4, 5), dtype=np.float32)
CLASSES = np.array([1, 4, 0, 2])
WEIGHT = RNG.random(5, dtype=np.float32)
PICTURES = RNG.standard_normal((2, 5, 3, 2)).astype(np.float32)
PIXELS = RNG.integers(0, 5, (2, 3, 2))
REDUCTIONS = ["mean", "sum", "none"]
NUMERIC = ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits"]


def same(actual, expected):
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", NUMERIC)
def test_losses_of_numbers_and_their_gradients_are_pytorchs(name, reduction):
    x = torch.tensor(X, requires_grad=True)
    expected = getattr(F, name)(x, torch.tensor(NUMBERS), reduction=reduction)
    same(getattr(ours, name)(tensor(X), tensor(NUMBERS), reduction=reduction).data, expected)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0))
    expected.backward(grad)
    same(getattr(ours, f"{name}_backward")(grad.numpy(), X, NUMBERS, reduction), x.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
def test_losses_of_classes_and_their_gradients_are_pytorchs(name, reduction):
    x = torch.tensor(X, requires_grad=True)
    expected = getattr(F, name)(x, torch.tensor(CLASSES), reduction=reduction)
    same(getattr(ours, name)(tensor(X), tensor(CLASSES), reduction=reduction).data, expected)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0))
    expected.backward(grad)
    same(getattr(ours, f"{name}_backward")(grad.numpy(), X, CLASSES, reduction), x.grad)


@pytest.mark.parametrize(
    ("weighted", "ignore", "smoothing", "reduction", "pictures"),
    list(itertools.product([False, True], [-100, 4], [0.0, 0.2], REDUCTIONS, [False, True])),
)
def test_every_option_of_cross_entropy_is_pytorchs(weighted, ignore, smoothing, reduction, pictures):
    x, target = (PICTURES, PIXELS) if pictures else (X, CLASSES)
    options = {"ignore_index": ignore, "reduction": reduction, "label_smoothing": smoothing}
    expected = F.cross_entropy(
        torch.tensor(x), torch.tensor(target), torch.tensor(WEIGHT) if weighted else None, **options
    )
    same(
        ours.cross_entropy(tensor(x), tensor(target), tensor(WEIGHT) if weighted else None, **options).data,
        expected,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_of_binary_cross_entropy_are_pytorchs(reduction):
    expected = F.binary_cross_entropy_with_logits(
        torch.tensor(X),
        torch.tensor(NUMBERS),
        torch.tensor(WEIGHT),
        reduction=reduction,
        pos_weight=torch.tensor(WEIGHT + 1),
    )
    weights = {"weight": tensor(WEIGHT), "pos_weight": tensor(WEIGHT + 1)}
    out = ours.binary_cross_entropy_with_logits(tensor(X), tensor(NUMBERS), reduction=reduction, **weights)
    same(out.data, expected)


def test_nothing_that_counts_is_nan_as_in_pytorch():
    target = np.full(4, -100)
    assert np.isnan(ours.cross_entropy(tensor(X), tensor(target)).item())
    assert torch.isnan(F.cross_entropy(torch.tensor(X), torch.tensor(target)))
