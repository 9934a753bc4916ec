"""Classic mistakes of kata 05: reductions, broadcasting, logarithms of zero, ignored and weighted classes."""

from dojo.tree.mistakes import mistake


@mistake(
    "losses.mse_loss",
    spec="test_shapes_must_agree",
    says="nothing was raised",
    swap=("_check_shapes(input, target)", "pass"),
)
def mse_loss_broadcasts():
    """(4, 1) against (4,) compares everything with everything."""


@mistake(
    "losses.mse_loss",
    spec="test_reduction_none_keeps_every_loss",
    says="shape",
    swap=(
        "difference * difference, reduction",
        'difference * difference, "sum" if reduction == "sum" else "mean"',
    ),
)
def mse_loss_always_reduces():
    """ "none" is forgotten."""


@mistake(
    "losses.l1_loss",
    spec="test_l1_loss_reduces_as_mse_loss_does",
    says="expected",
    swap=("_reduce(abs(input - target), reduction)", "abs(input - target).mean()"),
)
def l1_loss_ignores_the_reduction():
    """Always the mean."""


@mistake(
    "losses.huber_loss",
    spec="test_huber_loss_bends_at_delta",
    says="wrong",
    swap=("c * (d - 0.5 * c)", "c * (d - 0.5 * c) / delta"),
)
def huber_loss_is_smooth_l1():
    """smooth_l1_loss is huber_loss divided by delta."""


@mistake(
    "losses.binary_cross_entropy_with_logits",
    spec="test_bce_is_exact_for_a_model_that_is_sure",
    says="warning",
    swap=[
        (
            "_check_shapes(input, target)",
            """from tinytorch.tensor import log

    _check_shapes(input, target)""",
        ),
        ("softplus(-input), softplus(input)", "-log(sigmoid(input)), -log(1 - sigmoid(input))"),
    ],
)
def bce_by_probability():
    """log(sigmoid(x)) is -inf where the sigmoid rounds to 0."""


@mistake(
    "losses.binary_cross_entropy_with_logits",
    spec="test_bce_takes_weights",
    says="pos_weight",
    swap=("yes = yes * pos_weight", "yes, no = yes * pos_weight, no * pos_weight"),
)
def bce_weighs_both_outcomes():
    """pos_weight multiplies the whole loss."""


@mistake(
    "losses.nll_loss",
    spec="test_nll_loss_weighs_classes",
    says="weighted mean",
    swap=("_weighted(losses, weights, reduction)", "_reduce(losses, reduction)"),
)
def nll_loss_divides_by_the_count():
    """The mean over samples, where the sum of their weights should divide."""


@mistake(
    "losses.nll_loss",
    spec="test_nll_loss_ignores_what_is_marked",
    says="mean of 1 and 6",
    swap=(
        "return _weighted",
        'return losses.mean() if weight is None and reduction == "mean" else _weighted',
    ),
)
def nll_loss_counts_the_ignored():
    """Ignored samples cost 0, but the mean still counts them."""


@mistake(
    "losses.nll_loss",
    spec="test_a_class_that_does_not_exist_is_refused",
    says="nothing was raised",
    swap=(
        "weights = _target",
        """target = where(target == ignore_index, target, target % input.shape[_class_dim(input)])
    weights = _target""",
    ),
)
def nll_loss_wraps():
    """-1 becomes the last class, as in NumPy's indexing."""


@mistake(
    "losses.nll_loss",
    spec="test_nll_loss_takes_pictures",
    says="outside an axis of size 2",
    swap=(
        "_pick(input, _classes(target, ignore_index))",
        "gather(input, -1, unsqueeze(_classes(target, ignore_index), -1)).reshape(target.shape)",
    ),
)
def nll_loss_classes_last():
    """The classes are looked for on the last axis."""


@mistake(
    "losses.cross_entropy",
    spec="test_cross_entropy_does_not_overflow",
    says="inf",
    swap=[
        (
            "dim = _class_dim(input)",
            """from tinytorch.activations import softmax
    from tinytorch.tensor import log

    dim = _class_dim(input)""",
        ),
        ("log_softmax(input, dim)", "log(softmax(input, dim))"),
    ],
)
def cross_entropy_by_softmax():
    """The logarithm of a softmax that rounded to 0."""


@mistake(
    "losses.cross_entropy",
    spec="test_label_smoothing_spreads_the_truth",
    says="expected",
    swap=[
        (
            "_along(weight, input), dim)",
            '_along(weight, input), dim) - nll_loss(log_p, target, weight, ignore_index, "none")',
        ),
        ("input.shape[dim]", "(input.shape[dim] - 1)"),
    ],
)
def label_smoothing_among_the_others():
    """e / (C - 1) for the wrong classes, where every class gets e / C."""


@mistake(
    "losses.mse_loss_backward",
    spec="test_mse_loss_backward_is_the_slope_of_mse_loss",
    says="times",
    swap=("grad * 2 * (input - target)", "grad * (input - target)"),
)
def mse_loss_backward_forgets_two():
    """The derivative of a square without its 2."""


@mistake(
    "losses.mse_loss_backward",
    spec="test_mse_loss_backward_is_the_slope_of_mse_loss",
    says="wrong sign",
    swap=("grad * 2 * (input - target)", "grad * 2 * (target - input)"),
)
def mse_loss_backward_points_at_the_target():
    """target - input: descent would climb."""


@mistake(
    "losses.cross_entropy_backward",
    spec="test_cross_entropy_backward_is_softmax_minus_truth",
    says="wrong",
    swap=("_divisor(target, reduction)", "_divisor(input, reduction)"),
)
def cross_entropy_backward_divides_by_entries():
    """The mean is over samples, not over samples and classes."""


@mistake(
    "losses.nll_loss_backward",
    spec="test_nll_loss_backward_touches_the_true_class_only",
    says="upstream",
    swap=("-grad / _divisor(target, reduction)", "-1 / _divisor(target, reduction)"),
)
def nll_loss_backward_without_chain_rule():
    """The gradient of the output is not multiplied in."""


@mistake(
    "losses.l1_loss",
    spec="test_shapes_must_agree",
    says="l1_loss",
    swap=("_check_shapes(input, target)", "pass"),
)
def l1_loss_broadcasts():
    """Only mse_loss looks at the shapes."""


@mistake(
    "losses.cross_entropy",
    spec="test_cross_entropy_finds_the_classes",
    says="pictures",
    swap=("_class_dim(input)", "-1"),
)
def cross_entropy_along_the_last_axis():
    """The classes of pictures are on axis 1."""


@mistake(
    "losses.cross_entropy",
    spec="test_cross_entropy_finds_the_classes",
    says="one sample",
    swap=("log_softmax(input, dim)", "log_softmax(input, dim) if input.ndim > 1 else input"),
)
def cross_entropy_along_axis_one():
    """One sample has no axis 1 to take the softmax along."""


@mistake(
    "losses.nll_loss",
    spec="test_nll_loss_ignores_what_is_infinite",
    says="nan",
    swap=("losses = where(target == ignore_index, 0.0, losses)", "pass"),
)
def nll_loss_multiplies_by_zero():
    """0 * inf is nan."""


@mistake(
    "losses.binary_cross_entropy_with_logits",
    spec="test_bce_takes_weights",
    says="mean",
    swap=(
        "return _reduce",
        """if weight is not None and reduction == "mean":
        return (loss * weight).sum() / weight.expand(loss.shape).sum()
    return _reduce""",
    ),
)
def bce_divides_by_the_weights():
    """The mean of nll_loss is a weighted one, this one is not."""


@mistake(
    "losses.cross_entropy_backward",
    spec="test_gradients_leave_the_target_alone",
    says="float32",
    swap=("/ _divisor(target, reduction)", "* xp.float64(1 / _divisor(target, reduction))"),
)
def cross_entropy_backward_in_float64():
    """One float64 number promotes all."""


@mistake(
    "losses.cross_entropy",
    spec="test_label_smoothing_spreads_the_truth",
    says="label_smoothing",
    swap=("label_smoothing <= 1", "label_smoothing < 1"),
)
def smoothing_of_1_is_refused():
    """All of the truth may be spread."""


@mistake(
    "losses._classes",
    spec="test_nll_loss_ignores_what_is_marked",
    says="1",
    swap=("0, target", "1, target"),
)
def ignored_entries_look_up_class_1():
    """There need not be a class 1."""


@mistake(
    "losses.cross_entropy",
    spec="test_label_smoothing_of_several_places",
    says="the losses: ",
    swap=("label_smoothing / input.shape[dim]", "label_smoothing / input.shape[-1]"),
)
def smoothing_shares_among_places():
    """The share is divided by the last axis, which need not be that of the classes."""


@mistake(
    "losses._along",
    spec="test_label_smoothing_of_several_places",
    says="(3,)",
    swap=("weight.reshape(-1, *[1] * (input.ndim - 1 - _class_dim(input)))", "weight"),
)
def weights_along_the_last_axis():
    """The weights multiply the last axis, be it that of the classes or not."""


@mistake(
    "losses.binary_cross_entropy_with_logits",
    spec="test_bce_refuses_weights_that_would_make_it_larger",
    says="nothing was raised",
    swap=("!= input.shape", "!= broadcast_shapes(input.shape, each.shape)"),
)
def bce_lets_weights_broadcast():
    """The losses are stretched to the shape of the weights."""


@mistake(
    "losses.nll_loss",
    spec="test_nll_loss_needs_a_weight_for_each_class",
    says="nothing was raised",
    swap=(
        "weights = _target_weights(",
        "weight = None if weight is None else weight[: input.shape[_class_dim(input)]]\n    weights = _target_weights(",
    ),
)
def nll_loss_takes_the_first_weights():
    """Nobody asks how many weights there are."""
