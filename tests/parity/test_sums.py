"""What adds up, in every kata, beside PyTorch: a million float32 rows, and float16, where counts and squares overflow.

Where PyTorch's own kernel loses digits or overflows (batch_norm's statistics, avg_pool2d, the losses' counts), a wider
one stands in its place.
"""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional

from tinytorch import activations, attention, layers, losses, spatial, training, transformers  # noqa: E402
from tinytorch.tensor import Tensor, cumsum, mean, sum, var, zeros  # noqa: E402

RNG = np.random.default_rng(0)
ROWS = {
    "tenths": np.full((1_000_000, 2), 0.1, np.float32),
    "uniform": RNG.random((1_000_000, 2), dtype=np.float32),
    "normal": (RNG.standard_normal((1_000_000, 2)) + 1).astype(np.float32),
}
HALF = np.float16


def halves(*shape, scale=1.0):
    return (RNG.standard_normal(shape) * scale).astype(HALF)


def to_1e_6(actual, exact):
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, exact, rtol=1e-6)


def alike(actual, expected, rtol=2e-3, atol=1e-4):
    """Two units of float16: PyTorch rounds a value or two on the way."""
    actual, expected = (
        np.asarray(actual),
        np.asarray(expected.detach() if hasattr(expected, "detach") else expected),
    )
    assert actual.dtype == expected.dtype == HALF
    np.testing.assert_allclose(actual.astype(float), expected.astype(float), rtol=rtol, atol=atol)


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_a_million_rows(rows):
    exact, x = rows.astype(np.float64), Tensor(rows)
    to_1e_6(sum(x, 0).data, exact.sum(0))
    to_1e_6(mean(x, 0).data, exact.mean(0))
    to_1e_6(cumsum(x, 0).data, exact.cumsum(0))
    if (rows != rows[0]).any():
        to_1e_6(var(x, 0).data, exact.var(0, ddof=1))
    bias = zeros(2, requires_grad=True)
    (Tensor(np.zeros_like(rows)) + bias).backward(x)
    to_1e_6(bias.grad.data, exact.sum(0))
    to_1e_6(layers.linear_backward(rows, rows, np.ones((2, 2), np.float32))[2], exact.sum(0))


@pytest.mark.parametrize("rows", [ROWS["uniform"], ROWS["normal"]], ids=["uniform", "normal"])
def test_the_statistics_of_batch_norm(rows):
    running_mean, running_var = zeros(2), zeros(2)
    spatial.batch_norm(Tensor(rows), running_mean, running_var, training=True, momentum=1.0)
    to_1e_6(running_mean.data, rows.astype(np.float64).mean(0))
    to_1e_6(running_var.data, rows.astype(np.float64).var(0, ddof=1))


def test_the_mean_of_a_large_window():
    picture = np.full((1, 1, 128, 128), 0.1, np.float32)
    to_1e_6(spatial.avg_pool2d(Tensor(picture), 128).data, picture[:, :, :1, :1])


def test_sums_of_float16():
    x, y = halves(3000, 4, scale=2) + HALF(1), np.ones(70_000, HALF)
    for dim in (0, 1, (0, 1)):
        alike(sum(Tensor(x), dim).data, torch.from_numpy(x).sum(dim))
        alike(mean(Tensor(x), dim).data, torch.from_numpy(x).mean(dim))
        alike(var(Tensor(x + HALF(30)), dim).data, torch.from_numpy(x + HALF(30)).var(dim))
    alike(cumsum(Tensor(x), 0).data, torch.from_numpy(x).cumsum(0))
    alike(cumsum(Tensor(y), 0).data, torch.from_numpy(y).cumsum(0))
    alike(mean(Tensor(y)).data, torch.from_numpy(y).mean())


@pytest.mark.parametrize(
    ("ours", "theirs", "inputs"),
    [
        (lambda x: activations.softmax(x, 0), lambda x: torch.softmax(x, 0), [halves(50, 60, scale=3)]),
        (lambda x: activations.log_softmax(x, 1), lambda x: torch.log_softmax(x, 1), [halves(50, 60)]),
        (lambda x: activations.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1), [halves(50, 60)]),
        (lambda x: activations.softmax(x, 0), lambda x: torch.softmax(x, 0), [np.zeros(70_000, HALF)]),
        (lambda x: attention.safe_softmax(x, 0), lambda x: torch.softmax(x, 0), [np.zeros(70_000, HALF)]),
        (
            lambda x, w, b: transformers.layer_norm(x, 32, w, b),
            lambda x, w, b: F.layer_norm(x, (32,), w, b),
            [np.sign(halves(64, 32)) * HALF(300), halves(32), halves(32)],
        ),
        (
            lambda x, w: transformers.rms_norm(x, 32, w),
            lambda x, w: F.rms_norm(x, (32,), w),
            [np.sign(halves(64, 32)) * HALF(300), halves(32)],
        ),
        (lambda x: transformers.rms_norm(x, 4), lambda x: F.rms_norm(x, (4,)), [np.full((2, 4), 1e-4, HALF)]),
        (
            lambda x, w, b: spatial.batch_norm(x, None, None, w, b, training=True),
            lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
            [np.sign(halves(64, 32)) * HALF(300), halves(32), halves(32)],
        ),
        (
            lambda x, m, v: spatial.batch_norm(x, m.detach(), v.detach(), eps=1e-3),
            lambda x, m, v: F.batch_norm(x, m.detach(), v.detach(), eps=1e-3),
            [halves(64, 32, scale=30), halves(32), np.abs(halves(32))],
        ),
        (lambda x: spatial.avg_pool2d(x, 64), lambda x: F.avg_pool2d(x, 64), [np.ones((1, 2, 64, 64), HALF)]),
        (
            lambda x: spatial.adaptive_avg_pool2d(x, (3, 5)),
            lambda x: F.adaptive_avg_pool2d(x, (3, 5)),
            [halves(2, 3, 20, 31)],
        ),
        (losses.mse_loss, F.mse_loss, [halves(70_000), halves(70_000)]),
        (losses.l1_loss, F.l1_loss, [halves(70_000), halves(70_000)]),
        (losses.huber_loss, F.huber_loss, [halves(70_000), halves(70_000)]),
        (
            losses.binary_cross_entropy_with_logits,
            F.binary_cross_entropy_with_logits,
            [halves(70_000), np.abs(halves(70_000)) % HALF(1)],
        ),
        (losses.cross_entropy, F.cross_entropy, [halves(500, 40), RNG.integers(0, 40, 500)]),
        (losses.nll_loss, F.nll_loss, [halves(500, 40), RNG.integers(0, 40, 500)]),
    ],
    ids=[
        *("softmax", "log_softmax", "logsumexp", "softmax of many", "safe_softmax", "layer_norm", "rms_norm"),
        *(
            "eps of rms_norm",
            "batch_norm",
            "batch_norm, eval",
            "avg_pool2d",
            "adaptive_avg_pool2d",
            "mse_loss",
        ),
        *("l1_loss", "huber_loss", "binary_cross_entropy", "cross_entropy", "nll_loss"),
    ],
)
def test_float16_and_its_gradient(ours, theirs, inputs):
    """The gradient beside that of PyTorch's float32: in float16 it takes the rounded output for the exact one."""
    mine, halved = [Tensor(each) for each in inputs], [torch.from_numpy(each) for each in inputs]
    out, expected = ours(mine[0].requires_grad_(), *mine[1:]), theirs(*halved)
    alike(out.data, expected, atol=2e-3)
    wide = [each.float() if each.dtype == torch.half else each for each in halved]
    gradient = np.linspace(0.5, 1.5, math.prod(out.shape)).reshape(out.shape).astype(HALF)
    out.backward(Tensor(gradient))
    theirs(wide[0].requires_grad_(), *wide[1:]).backward(torch.from_numpy(gradient).float())
    alike(mine[0].grad.data, wide[0].grad.half())


@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss"])
def test_classes_of_more_float16_rows_than_it_can_count(loss):
    """PyTorch's count overflows: beside its float32."""
    x, target, weight = halves(70_000, 5), RNG.integers(0, 5, 70_000), np.abs(halves(5)) + HALF(1)
    for weights in ([], [weight]):
        out = getattr(losses, loss)(Tensor(x), Tensor(target), *map(Tensor, weights))
        wide = [torch.from_numpy(each).float() for each in weights]
        alike(out.data, getattr(F, loss)(torch.from_numpy(x).float(), torch.from_numpy(target), *wide).half())
    gradient = getattr(losses, f"{loss}_backward")(np.ones((), HALF), x, target)
    wide = torch.from_numpy(x).float().requires_grad_()
    getattr(F, loss)(wide, torch.from_numpy(target)).backward()
    alike(gradient, wide.grad.half(), atol=1e-7)


@pytest.mark.parametrize("loss", ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits"])
def test_gradients_of_losses_by_hand(loss):
    x, target = halves(70_000), np.abs(halves(70_000)) % HALF(1)
    theirs = torch.from_numpy(x).requires_grad_()
    getattr(F, loss)(theirs, torch.from_numpy(target)).backward()
    alike(getattr(losses, f"{loss}_backward")(np.ones((), HALF), x, target), theirs.grad, atol=1e-7)


def test_gradients_that_are_added_up():
    ones = np.ones((5000, 3), HALF)
    bias, theirs = (
        zeros(3, dtype=HALF, requires_grad=True),
        torch.zeros(3, dtype=torch.half, requires_grad=True),
    )
    (Tensor(ones) + bias).backward(Tensor(ones))
    (torch.from_numpy(ones) + theirs).backward(torch.from_numpy(ones))
    alike(bias.grad.data, theirs.grad)
    x, y = Tensor(ones, requires_grad=True), torch.from_numpy(ones).requires_grad_()
    x.amax(0).backward(Tensor(np.full(3, 5000, HALF)))
    y.amax(0).backward(torch.full((3,), 5000.0, dtype=torch.half))
    alike(x.grad.data, y.grad)
    x, y = Tensor(ones, requires_grad=True), torch.from_numpy(ones).requires_grad_()
    x.cumsum(0).backward(Tensor(ones))
    y.cumsum(0).backward(torch.from_numpy(ones))
    alike(x.grad.data, y.grad)


def test_clipping_by_a_norm_that_float16_cannot_hold():
    x = Tensor(np.zeros(70_000, HALF), requires_grad=True)
    x.grad = Tensor(np.full(70_000, 300, HALF))
    norm = training.clip_grad_norm_([x], 10.0)
    assert np.isposinf(norm.data)
    alike(x.grad.data, np.full(70_000, 10 / math.sqrt(70_000), HALF))


def test_dropout_keeps_float16():
    assert layers.dropout(Tensor(np.ones((3, 4), HALF)), 0.5).dtype == HALF
