"""Classic mistakes of kata 05: reductions, broadcasting, logarithms of zero, ignored and weighted classes."""

from dojo.authors.mistakes import mistake


@mistake("losses.mse_loss", spec="test_shapes_must_agree", says="nothing was raised")
def mse_loss_broadcasts(input, target, reduction="mean"):
    """(4, 1) against (4,) compares everything with everything."""
    difference = input - target
    return _reduce(difference * difference, reduction)


@mistake("losses.mse_loss", spec="test_reduction_none_keeps_every_loss", says="shape")
def mse_loss_always_reduces(input, target, reduction="mean"):
    """ "none" is forgotten."""
    _check_shapes(input, target)
    losses = (input - target) * (input - target)
    return losses.sum() if reduction == "sum" else losses.mean()


@mistake("losses.l1_loss", spec="test_l1_loss_reduces_as_mse_loss_does", says="expected")
def l1_loss_ignores_the_reduction(input, target, reduction="mean"):
    """Always the mean."""
    _check_shapes(input, target)
    return abs(input - target).mean()


@mistake("losses.huber_loss", spec="test_huber_loss_bends_at_delta", says="wrong")
def huber_loss_is_smooth_l1(input, target, reduction="mean", delta=1.0):
    """smooth_l1_loss is huber_loss divided by delta."""
    _check_shapes(input, target)
    d = abs(input - target)
    c = clamp(d, max=delta)
    return _reduce(c * (d - 0.5 * c) / delta, reduction)


@mistake(
    "losses.binary_cross_entropy_with_logits",
    spec="test_bce_is_exact_for_a_model_that_is_sure",
    says="warning",
)
def bce_by_probability(input, target, weight=None, reduction="mean", pos_weight=None):
    """log(sigmoid(x)) is -inf where the sigmoid rounds to 0."""
    from tinytorch.tensor import log

    _check_shapes(input, target)
    p = sigmoid(input)
    loss = -(target * log(p) + (1 - target) * log(1 - p))
    return _reduce(loss if weight is None else loss * weight, reduction)


@mistake("losses.binary_cross_entropy_with_logits", spec="test_bce_takes_weights", says="pos_weight")
def bce_weighs_both_outcomes(input, target, weight=None, reduction="mean", pos_weight=None):
    """pos_weight multiplies the whole loss."""
    _check_shapes(input, target)
    loss = target * softplus(-input) + (1 - target) * softplus(input)
    loss = loss if pos_weight is None else loss * pos_weight
    return _reduce(loss if weight is None else loss * weight, reduction)


@mistake("losses.nll_loss", spec="test_nll_loss_weighs_classes", says="weighted mean")
def nll_loss_divides_by_the_count(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """The mean over samples, where the sum of their weights should divide."""
    weights = _target_weights(input, target, weight, ignore_index)
    return _reduce(-_pick(input, _classes(target, ignore_index)) * weights, reduction)


@mistake("losses.nll_loss", spec="test_nll_loss_ignores_what_is_marked", says="mean of 1 and 6")
def nll_loss_counts_the_ignored(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """Ignored samples cost 0, but the mean still counts them."""
    weights = _target_weights(input, target, weight, ignore_index)
    losses = -_pick(input, _classes(target, ignore_index)) * weights
    return (
        losses.sum() / target.numel()
        if reduction == "mean" and weight is None
        else _weighted(losses, weights, reduction)
    )


@mistake("losses.nll_loss", spec="test_a_class_that_does_not_exist_is_refused", says="nothing was raised")
def nll_loss_wraps(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """NumPy's indexing takes -1 for the last class."""
    weights = _target_weights(input, target % input.shape[_class_dim(input)], weight, ignore_index)
    picked = _pick(input, target % input.shape[_class_dim(input)])
    return _weighted(-picked * weights, weights, reduction)


@mistake("losses.nll_loss", spec="test_nll_loss_takes_pictures", says="outside an axis of size 2")
def nll_loss_classes_last(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """Classes looked for on the last axis."""
    picked = gather(input, -1, unsqueeze(_classes(target, ignore_index), -1))
    weights = _target_weights(input, target, weight, ignore_index)
    return _weighted(-picked.reshape(target.shape) * weights, weights, reduction)


@mistake("losses.cross_entropy", spec="test_cross_entropy_does_not_overflow", says="inf")
def cross_entropy_by_softmax(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """The logarithm of a softmax that rounded to 0."""
    from tinytorch.activations import softmax
    from tinytorch.tensor import log

    return nll_loss(log(softmax(input, _class_dim(input))), target, weight, ignore_index, reduction)


@mistake("losses.cross_entropy", spec="test_label_smoothing_spreads_the_truth", says="expected")
def label_smoothing_among_the_others(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """e / (C - 1) for the wrong classes, where every class gets e / C."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(label_smoothing)
    dim = _class_dim(input)
    log_p = log_softmax(input, dim)
    true = nll_loss(log_p, target, weight, ignore_index, "none")
    others = -sum(log_p, dim) - true
    losses = (1 - label_smoothing) * true + label_smoothing / (input.shape[dim] - 1) * others
    weights = _target_weights(input, target, weight, ignore_index)
    return (
        nll_loss(log_p, target, weight, ignore_index, reduction)
        if label_smoothing == 0
        else _weighted(losses, weights, reduction)
    )


@mistake("losses.mse_loss_backward", spec="test_mse_loss_backward_is_the_slope_of_mse_loss", says="times")
def mse_loss_backward_forgets_two(grad, input, target, reduction="mean"):
    """The derivative of a square without its 2."""
    return grad * (input - target) / _divisor(input, reduction)


@mistake(
    "losses.mse_loss_backward", spec="test_mse_loss_backward_is_the_slope_of_mse_loss", says="wrong sign"
)
def mse_loss_backward_points_at_the_target(grad, input, target, reduction="mean"):
    """target - input: descent would climb."""
    return grad * 2 * (target - input) / _divisor(input, reduction)


@mistake(
    "losses.cross_entropy_backward", spec="test_cross_entropy_backward_is_softmax_minus_truth", says="wrong"
)
def cross_entropy_backward_divides_by_entries(grad, input, target, reduction="mean"):
    """The mean is over samples, not over samples and classes."""
    xp = get_array_module(input, target)
    p = xp.exp(log_softmax(Tensor(input), 1).data)
    p[xp.arange(len(target)), target] -= 1
    return p * (grad[:, None] if grad.ndim else grad) / _divisor(input, reduction)


@mistake(
    "losses.nll_loss_backward", spec="test_nll_loss_backward_touches_the_true_class_only", says="upstream"
)
def nll_loss_backward_without_chain_rule(grad, input, target, reduction="mean"):
    """The gradient of the output is not multiplied in."""
    xp = get_array_module(input, target)
    result = xp.zeros_like(input)
    result[xp.arange(len(target)), target] = -1 / _divisor(target, reduction)
    return result


@mistake("losses.l1_loss", spec="test_shapes_must_agree", says="l1_loss")
def l1_loss_broadcasts(input, target, reduction="mean"):
    """Only mse_loss looks at the shapes."""
    return _reduce(abs(input - target), reduction)


@mistake("losses.cross_entropy", spec="test_cross_entropy_finds_the_classes", says="pictures")
def cross_entropy_along_the_last_axis(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """The classes of pictures are on axis 1."""
    return nll_loss(log_softmax(input, -1), target, weight, ignore_index, reduction)


@mistake("losses.cross_entropy", spec="test_cross_entropy_finds_the_classes", says="one sample")
def cross_entropy_along_axis_one(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """One sample has no axis 1: its shares come from no neighbours."""
    log_p = log_softmax(input, 1) if input.ndim > 1 else input
    return nll_loss(log_p, target, weight, ignore_index, reduction)


@mistake("losses.nll_loss", spec="test_nll_loss_ignores_what_is_infinite", says="nan")
def nll_loss_multiplies_by_zero(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """0 * inf is nan."""
    weights = _target_weights(input, target, weight, ignore_index)
    return _weighted(-_pick(input, _classes(target, ignore_index)) * weights, weights, reduction)


@mistake("losses.binary_cross_entropy_with_logits", spec="test_bce_takes_weights", says="mean")
def bce_divides_by_the_weights(input, target, weight=None, reduction="mean", pos_weight=None):
    """The mean of nll_loss is a weighted one, this one is not."""
    _check_shapes(input, target)
    yes = softplus(-input) if pos_weight is None else softplus(-input) * pos_weight
    loss = target * yes + (1 - target) * softplus(input)
    if weight is None:
        return _reduce(loss, reduction)
    return (loss * weight).sum() / weight.expand(loss.shape).sum() if reduction == "mean" else loss * weight


@mistake("losses.cross_entropy_backward", spec="test_gradients_leave_the_target_alone", says="float32")
def cross_entropy_backward_in_float64(grad, input, target, reduction="mean"):
    """One float64 number promotes all."""
    import numpy as np

    xp = get_array_module(input, target)
    p = xp.exp(log_softmax(Tensor(input), 1).data)
    p[xp.arange(len(target)), target] -= 1
    return p * (grad[:, None] if grad.ndim else grad) * np.float64(1 / _divisor(target, reduction))
