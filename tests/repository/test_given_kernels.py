"""The kernels of kata 15 that are given: the same values and gradients as the compositions, and registered in time."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from dojo.authors.gate import skeletons
from dojo.catalogue import ROOT, kata
from dojo.spec import assert_close, check_kernel
from dojo.spec.kernels import channels_last
from tinytorch.acceleration import given
from tinytorch.acceleration.given import BatchNormKernel, EmbeddingKernel, MseKernel
from tinytorch.dispatch import disabled, kernels
from tinytorch.embeddings import embedding
from tinytorch.losses import mse_loss
from tinytorch.spatial import batch_norm
from tinytorch.tensor import Tensor

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def drawn(*shapes: tuple[int, ...], dtype: Any = np.float64) -> list[Any]:
    rng = np.random.default_rng(5)  # not the draws of the upstream gradient
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@both_dtypes
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(1,), (3, 4), (2, 1, 5), (300, 70)])
def test_mse(shape: tuple[int, ...], reduction: str, dtype: Any) -> None:
    check_kernel(Tensor, disabled, MseKernel, mse_loss, *drawn(shape, shape, dtype=dtype), reduction)


@both_dtypes
@pytest.mark.parametrize("parts", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("shape", [(6, 3), (5, 1), (4, 3, 7), (3, 4, 5, 6)])
def test_batch_norm(shape: tuple[int, ...], parts: tuple[bool, bool], dtype: Any) -> None:
    x, weight, bias = drawn(shape, shape[1:2], shape[1:2], dtype=dtype)
    some = [each if there else None for each, there in zip((weight, bias), parts, strict=True)]
    for pixels in (x, channels_last(x)) if x.ndim == 4 else (x,):
        check_kernel(Tensor, disabled, BatchNormKernel, batch_norm, pixels, None, None, *some, training=True)


def test_batch_norm_moves_its_statistics() -> None:
    (x,) = drawn((8, 3, 4, 4))
    found = []
    for call in (BatchNormKernel.apply, batch_norm):
        mean, var = Tensor(np.full(3, 0.5)), Tensor(np.full(3, 2.0))
        with disabled():
            call(Tensor(x), mean, var, None, None, True, 0.25, 1e-5)
        found.append((mean.data, var.data))
    for mine, right in zip(*found, strict=True):
        assert_close(mine, right, "a running statistic")


@both_dtypes
@pytest.mark.parametrize("padding_idx", [None, 0, -1])
@pytest.mark.parametrize("shape", [(), (1,), (40,), (6, 7)])
def test_embedding(shape: tuple[int, ...], padding_idx: int | None, dtype: Any) -> None:
    ids = np.random.default_rng(1).integers(0, 5, shape)
    (weight,) = drawn((5, 3), dtype=dtype)
    found = []
    for call in (EmbeddingKernel.apply, embedding):
        rows = Tensor(weight, requires_grad=True)
        with disabled():
            out = call(Tensor(np.asarray(ids)), rows, padding_idx)
        out.backward(Tensor(np.cos(np.arange(out.numel())).reshape(out.shape).astype(dtype)))
        assert rows.grad is not None
        found.append((out.data, rows.grad.data))
    for mine, right in zip(*found, strict=True):
        assert_close(mine, right, "the rows or their gradient")


def test_what_the_composition_refuses_is_handed_back() -> None:
    ids, weight = Tensor(np.array([1, 2])), Tensor(np.ones((3, 2)))
    x, other = Tensor(np.ones((3, 2))), Tensor(np.ones((2, 3)))
    handed_back = [
        MseKernel.apply(x, other, "mean"),
        MseKernel.apply(x, x, "product"),
        BatchNormKernel.apply(x, None, None, other, None, True, 0.1, 1e-5),
        BatchNormKernel.apply(x, None, None, None, None, False, 0.1, 1e-5),
        EmbeddingKernel.apply(Tensor(np.array([3])), weight, None),
        EmbeddingKernel.apply(x, weight, None),
        EmbeddingKernel.apply(ids, Tensor(np.ones(3)), None),
    ]
    assert handed_back == [NotImplemented] * len(handed_back)


def test_they_are_active_with_all_eight_and_not_before() -> None:
    assert {mse_loss, batch_norm, embedding} <= kernels.keys()
    assert len(set(given.EIGHT)) == 8
    text = skeletons([kata(15)])["tinytorch.acceleration.tiles"]
    script = (
        "import sys, types\n"
        "from dojo.tree import overlay\n"
        "from dojo.catalogue import SOLUTIONS\n"
        "overlay.install(overlay.Plan(SOLUTIONS, source={'tinytorch.acceleration.tiles': sys.stdin.read()}))\n"
        "import tinytorch.acceleration\n"
        "from tinytorch import dispatch, losses, layers\n"
        "print(losses.mse_loss in dispatch.kernels, layers.linear in dispatch.kernels)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.split() == ["False", "True"], done.stdout + done.stderr
