"""Everything from katas 02 to 06 is differentiable now, without a line changed there. And you know the answers."""

import math

import numpy as np
import pytest
from hypothesis import given

from dojo.spec import assert_close, check_tape, no_warnings, through_the_tape
from dojo.spec.strategies import arrays, arrays_of, distinct, matmul_shapes, off_kinks, shapes
from tinytorch import activations, losses
from tinytorch.layers import Dropout, Linear, ReLU, Sequential, linear, linear_backward
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.tensor import (
    Tensor,
    matmul,
    mean,
    sort,
    split,
    squeeze,
    stack,
    sum,
    topk,
    transpose,
    unsqueeze,
    var,
)


def agrees_with_your_own(function, backward, x):
    """The tape's gradient of `function` at x is what your `backward(grad, x, out)` says."""
    out = function(Tensor(x)).data
    grad = np.random.default_rng(0).standard_normal(out.shape)
    (mine,) = through_the_tape(Tensor, function)(grad, x)
    assert_close(mine, backward(grad, x, out), "the tape's gradient, beside your own by hand", rtol=1e-6)


# Compositions of kata 02


@given(ab=arrays_of(matmul_shapes()))
def test_matmul_for_free(ab):
    """matmul adds an axis to vectors and removes it again: squeeze and unsqueeze are reshapes, which have a rule."""
    check_tape(Tensor, matmul, *ab)


@given(x=arrays(shapes(min_dims=2, min_side=2)))
def test_mean_and_variance_for_free(x):
    """mean and var over an axis, with and without keepdim."""
    check_tape(Tensor, lambda a: mean(a, 0), x)
    check_tape(Tensor, lambda a: var(a, -1, keepdim=True), x)


@given(x=distinct(shapes(min_dims=1, min_side=2)))
def test_sort_and_topk_for_free(x):
    """sort and topk move entries about, and gradients move back. The indices are constants."""
    check_tape(Tensor, lambda a: sort(a, -1)[0], x)
    check_tape(Tensor, lambda a: topk(a, 2)[0], x)


@given(x=arrays(shapes(min_dims=2, max_dims=2, min_side=2)))
def test_shapes_for_free(x):
    """transpose, unsqueeze, squeeze, stack, split and indexing, all in one."""

    def mixed(a):
        first, rest = split(a, [1, a.shape[0] - 1])
        return stack([squeeze(first, 0), rest[0], transpose(a, 0, 1)[:, -1]], 1) * unsqueeze(a[0], 1)

    check_tape(Tensor, mixed, x)


# What you derived by hand in katas 03 to 05

BY_HAND = {
    "relu": lambda grad, x, out: activations.relu_backward(grad, x),
    "leaky_relu": lambda grad, x, out: activations.leaky_relu_backward(grad, x),
    "sigmoid": lambda grad, x, out: activations.sigmoid_backward(grad, out),
    "silu": lambda grad, x, out: activations.silu_backward(grad, x),
    "softplus": lambda grad, x, out: activations.softplus_backward(grad, x),
    "gelu": lambda grad, x, out: activations.gelu_backward(grad, x),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_activations_agree_with_your_own(name):
    """backward through an activation gives what you wrote by hand in kata 03, at the kink of relu too."""
    x = np.concatenate([np.linspace(-4, 4, 17), [-30.0, 30.0]])
    agrees_with_your_own(getattr(activations, name), BY_HAND[name], x)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_functions_of_a_row_agree_with_your_own(name):
    """softmax and log_softmax subtract a detached maximum: their gradients are still those of kata 03."""
    by_hand = getattr(activations, f"{name}_backward")
    x = np.array([[0.5, -1.0, 2.0], [30.0, 0.0, -30.0], [1.0, 1.0, 1.0]])
    agrees_with_your_own(
        lambda a: getattr(activations, name)(a, 1), lambda grad, x, out: by_hand(grad, out, 1), x
    )


@given(x=arrays(shapes(min_dims=1, max_dims=2, min_side=1), np.float64))
def test_logsumexp_is_the_sum_of_softmax(x):
    """The gradient of logsumexp is softmax: a function whose gradient you did not write, and need not."""
    grad = np.ones(x.shape[:-1])
    (mine,) = through_the_tape(Tensor, lambda a: activations.logsumexp(a, -1))(grad, x)
    e = np.exp(x - x.max(-1, keepdims=True))
    assert_close(mine, e / e.sum(-1, keepdims=True), rtol=1e-9)


def test_linear_agrees_with_your_own():
    """x, weight and bias of linear get what linear_backward of kata 04 gives, for a batch of matrices too."""
    rng = np.random.default_rng(0)
    for lead in ((5,), (2, 3)):
        x, weight, bias = rng.standard_normal((*lead, 4)), rng.standard_normal((2, 4)), rng.standard_normal(2)
        grad = rng.standard_normal((*lead, 2))
        mine = through_the_tape(Tensor, linear)(grad, x, weight, bias)
        for name, one, other in zip(
            ("x", "weight", "bias"), mine, linear_backward(grad, x, weight), strict=True
        ):
            assert_close(one, other, f"the gradient of {name}")


REGRESSION = ["mse_loss", "l1_loss", "huber_loss"]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", [*REGRESSION, "binary_cross_entropy_with_logits"])
def test_losses_agree_with_your_own(name, reduction):
    """backward through a loss gives what you wrote by hand in kata 05, for each reduction."""
    loss, by_hand = getattr(losses, name), getattr(losses, f"{name}_backward")
    target = np.array([[0.0, 1.0, 0.5], [1.0, 0.25, 0.0]])
    agrees_with_your_own(
        lambda a: loss(a, Tensor(target), reduction=reduction),
        lambda grad, x, out: by_hand(grad, x, target, reduction),
        np.array([[0.5, -2.0, 3.0], [1.0, 0.25, -0.75]]),
    )


@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
def test_classification_agrees_with_your_own(name):
    """Picking the true class by its number is differentiable, and so is all of cross_entropy."""
    loss, by_hand = getattr(losses, name), getattr(losses, f"{name}_backward")
    target = np.array([2, 0])
    agrees_with_your_own(
        lambda a: loss(a, Tensor(target)),
        lambda grad, x, out: by_hand(grad, x, target),
        np.array([[0.5, -2.0, 3.0], [1.0, 0.25, -0.75]]),
    )


def test_options_you_never_derived():
    """Class weights, ignored entries and label smoothing: gradients that you never had to write."""
    target, weight = Tensor(np.array([2, -100, 0])), Tensor(np.array([1.0, 2.0, 0.5]))

    def loss(a):
        return losses.cross_entropy(a, target, weight, label_smoothing=0.25)

    check_tape(Tensor, loss, np.array([[0.5, -2.0, 3.0], [9.0, 9.0, 9.0], [1.0, 0.25, -0.75]]))


def test_gradients_in_the_tails():
    """Far out, gradients are finite and right in float32: logits of 1,000, without a warning."""
    x = Tensor(np.array([[1000.0, -1000.0]], np.float32), requires_grad=True)
    with no_warnings():
        losses.cross_entropy(x, Tensor(np.array([1]))).backward()
    assert_close(x.grad, np.array([[1.0, -1.0]], np.float32), "the gradient of the logits")


@given(x=off_kinks((2, 3)))
def test_a_kink_is_met_on_either_side(x):
    """Off its kinks, a composition of relu, abs, clamp and maximum has the slopes of its pieces."""
    half = Tensor(np.array(0.5))
    check_tape(Tensor, lambda a: activations.relu(a) + abs(a) * a.clamp(-1.0, 1.0) + a.maximum(half), x)


# Modules and optimizers of katas 04 and 06


def test_every_parameter_of_a_model_gets_its_gradient():
    """One backward fills `.grad` of each parameter, in the parameter's shape and in float32."""
    manual_seed(0)
    model = Sequential(Linear(3, 4), ReLU(), Linear(4, 2))
    sum(model(Tensor(np.ones((5, 3), np.float32)))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert_close(parameter.grad.shape, parameter.shape, f"the shape of the gradient of {name}")
        assert parameter.grad.dtype == np.float32, f"the gradient of {name} is {parameter.grad.dtype}"


def test_a_frozen_layer_passes_gradients_on():
    """After requires_grad_(False) a layer's parameters get no gradient, and those of the layers before it still do."""
    manual_seed(0)
    model = Sequential(Linear(3, 4), Linear(4, 2))
    model[1].requires_grad_(False)
    sum(model(Tensor(np.ones((5, 3), np.float32)))).backward()
    assert model[1].weight.grad is None, "a frozen weight has a gradient"
    assert model[0].weight.grad is not None, "the layer before the frozen one has no gradient"


def test_dropout_drops_gradients_too():
    """An entry that dropout set to 0 has gradient 0; the others have its factor."""
    manual_seed(0)
    x = Tensor(np.ones(1000, np.float32), requires_grad=True)
    out = Dropout(0.25)(x)
    sum(out).backward()
    assert_close(x.grad, out.data, "the gradient, which is the mask that was drawn")


def test_a_step_of_an_optimizer():
    """zero_grad, backward, step: what kata 06 did with gradients by hand. The step itself is not recorded."""
    weight = Tensor(np.array([2.0, -1.0], np.float32), requires_grad=True)
    optimizer = SGD([weight], lr=0.25)
    for _ in range(2):
        optimizer.zero_grad()
        sum(weight * weight).backward()
        optimizer.step()
    assert_close(weight, np.array([0.5, -0.25], np.float32), "the weight after two steps that halve it")
    assert weight.grad_fn is None, "the step was recorded"


def test_log_two_by_hand():
    """Binary cross-entropy of an undecided model is log(2); its gradient for a target of 1 is p - 1, or -0.5."""
    x = Tensor(np.array([0.0], np.float32), requires_grad=True)
    loss = losses.binary_cross_entropy_with_logits(x, Tensor(np.array([1.0], np.float32)))
    loss.backward()
    assert_close(loss, np.array(math.log(2), np.float32), "the loss")
    assert_close(x.grad, np.array([-0.5], np.float32), "the gradient")
