"""One rule for each primitive, from the gradient for its output to those for its inputs, in the order of kata 02."""

from inspect import signature

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, check_rule, on_device
from dojo.spec.strategies import (
    arrays,
    arrays_of,
    broadcastable_shapes,
    dims,
    distinct,
    matmul_shapes,
    off_kinks,
    shapes,
)
from tinytorch.autograd import derivatives as rules
from tinytorch.dispatch import is_stub, primitives
from tinytorch.tensor import Tensor, primitives as t

TWO = arrays_of(broadcastable_shapes(2))
POSITIVE = arrays(shapes(), low=0.25)
SOME_AXES = arrays(shapes(min_dims=1))


def check(operation, rule, *inputs, **params):
    """`rule` is the gradient of the primitive, for a random `grad`, also for arrays that lie in memory in pieces."""
    check_rule(primitives[operation], rule, *inputs, **params)


# Arithmetic


def test_add_backward_of_two_numbers():
    """add_backward(grad) for grad 2 is (2, 2): out grows by as much as a grows, or as b grows."""
    grads = rules.add_backward(np.array(2.0))
    assert_equal(len(grads), 2, "the number of gradients")
    for grad in grads:
        assert_close(grad, np.array(2.0))


@given(ab=TWO)
def test_add_backward(ab):
    """add_backward(grad) gives one gradient for a and one for b, of the shape of out: the tape undoes broadcasting."""
    check(t.add, rules.add_backward, *ab)


@given(ab=TWO)
def test_sub_backward(ab):
    """sub_backward(grad): when b grows, out shrinks."""
    check(t.sub, rules.sub_backward, *ab)


def test_mul_backward_of_two_numbers():
    """mul_backward(grad, a, b) for grad 2, a 3 and b 5 is (10, 6)."""
    for grad, expected in zip(
        rules.mul_backward(np.array(2.0), np.array(3.0), np.array(5.0)), (10.0, 6.0), strict=True
    ):
        assert_close(grad, np.array(expected))


@given(ab=TWO)
def test_mul_backward(ab):
    """mul_backward(grad, a, b): how out changes with a depends on b, and the other way round."""
    check(t.mul, rules.mul_backward, *ab)


@given(ab=TWO)
def test_div_backward(ab):
    """div_backward(grad, b, out): the slope of a / b is 1 / b for a, and -a / b**2 for b."""
    a, b = ab
    check(t.div, rules.div_backward, a, np.where(b == 0, 1, b))


@given(ab=broadcastable_shapes(2).flatmap(lambda s: st.tuples(off_kinks(s[0]), arrays(s[1]))))
def test_remainder_backward(ab):
    """remainder_backward(grad, a, b): a - floor(a / b) * b, where floor(a / b) is constant."""
    a, b = ab
    check(t.remainder, rules.remainder_backward, a, np.where(b == 0, 1, b))


@given(ab=broadcastable_shapes(2).flatmap(lambda s: st.tuples(arrays(s[0], low=0.25), arrays(s[1]))))
def test_pow_backward(ab):
    """pow_backward(grad, a, b, out, output_mask): for a a power with exponent b - 1, for b a logarithm."""
    check(t.pow, rules.pow_backward, *ab)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(-2.0, 3.0, 12.0), (-2.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0, 1.0), (0.0, 2.0, 0.0)],
)
def test_pow_backward_of_bases_without_a_logarithm(a, b, expected):
    """For a base of 0 or below, and an exponent that is a Python number, the gradient for a is the slope of a power.

    output_mask is [True, False] then: no logarithm is taken, and the gradient for b is None.
    """
    mine = rules.pow_backward(np.array([1.0]), np.array([a]), b, np.array([a**b]), [True, False])
    assert_close(mine[0], np.array([expected]), "the gradient for a")
    assert_equal(mine[1], None, "the gradient for b, which is not wanted")


@pytest.mark.parametrize(("b", "expected"), [(2.0, 0.0), (0.0, 0.0), (0.5, 0.0)])
def test_pow_backward_for_the_exponent_of_zero(b, expected):
    """0**b is flat for b of 0 and more: the gradient for b is 0, and not 0 * log(0), which is nan."""
    out = np.array([0.0**b])
    mine = rules.pow_backward(np.array([1.0]), np.array([0.0]), np.array([b]), out, [False, True])
    assert_close(mine[1], np.array([expected]), "the gradient for b")


@given(a=arrays(shapes()))
def test_neg_backward(a):
    """neg_backward(grad): when a grows, out shrinks."""
    check(t.neg, rules.neg_backward, a)


# Functions of one entry


@given(a=arrays(shapes()))
def test_exp_backward(a):
    """exp_backward(grad, out): exp is its own slope."""
    check(t.exp, rules.exp_backward, a)


@given(a=POSITIVE)
def test_log_backward(a):
    """log_backward(grad, a): log is steep near 0, and gets flatter further out."""
    check(t.log, rules.log_backward, a)


@given(a=arrays(shapes(), low=-0.75))
def test_log1p_backward(a):
    """log1p_backward(grad, a): as log, moved by 1 to the left."""
    check(t.log1p, rules.log1p_backward, a)


@given(a=POSITIVE)
def test_sqrt_backward(a):
    """sqrt_backward(grad, out): the slope of a square root follows from the root itself."""
    check(t.sqrt, rules.sqrt_backward, a)


@given(a=arrays(shapes()))
def test_sin_backward(a):
    """sin_backward(grad, a): a sine is steepest at 0."""
    check(t.sin, rules.sin_backward, a)


@given(a=arrays(shapes()))
def test_cos_backward(a):
    """cos_backward(grad, a): a cosine is flat at 0 and falls after it."""
    check(t.cos, rules.cos_backward, a)


@given(a=arrays(shapes()))
def test_erf_backward(a):
    """erf_backward(grad, a): the slope of an integral is what is integrated."""
    check(t.erf, rules.erf_backward, a)


@given(a=off_kinks(shapes()))
def test_abs_backward(a):
    """abs_backward(grad, a): down on the left of 0, up on its right."""
    check(t.abs, rules.abs_backward, a)


def test_abs_backward_at_zero():
    """At 0, where abs has no slope, the gradient is 0, as in PyTorch."""
    assert_close(rules.abs_backward(np.array([3.0, 3.0]), np.array([0.0, -2.0])), np.array([0.0, -3.0]))


@given(a=off_kinks(shapes()))
def test_sign_backward(a):
    """sign_backward(grad): sign is flat wherever it does not jump."""
    check(t.sign, rules.sign_backward, a)


# Choosing


@given(ab=broadcastable_shapes(2).flatmap(lambda s: st.tuples(arrays(s[0]), off_kinks(s[1]))))
def test_maximum_backward(ab):
    """maximum_backward(grad, a, b): the gradient goes to the larger of the two."""
    check(t.maximum, rules.maximum_backward, *ab)


@given(ab=broadcastable_shapes(2).flatmap(lambda s: st.tuples(arrays(s[0]), off_kinks(s[1]))))
def test_minimum_backward(ab):
    """minimum_backward(grad, a, b): the gradient goes to the smaller of the two."""
    check(t.minimum, rules.minimum_backward, *ab)


@pytest.mark.parametrize("name", ["maximum_backward", "minimum_backward"])
def test_a_tie_is_shared_by_halves(name):
    """Where a equals b, each gets half of the gradient, as in PyTorch."""
    for grad in getattr(rules, name)(np.array([4.0]), np.array([1.0]), np.array([1.0])):
        assert_close(grad, np.array([2.0]))


@given(
    a=off_kinks(shapes()),
    bounds=st.sampled_from([(-1.0, 1.0), (None, 0.5), (-0.5, None)]),
)
def test_clamp_backward(a, bounds):
    """clamp_backward(grad, a, min, max): the gradient is 0 where a was moved to a bound. One bound may be None."""
    check(t.clamp, rules.clamp_backward, a, min=bounds[0], max=bounds[1])


def test_clamp_backward_of_an_infinite_gradient():
    """Where a was moved to a bound the gradient is 0, even if grad is infinite: infinity times 0 would be nan."""
    mine = rules.clamp_backward(np.array([np.inf, np.inf]), np.array([5.0, 1.0]), -1.0, 2.0)
    assert_close(mine, np.array([0.0, np.inf]))


def test_rules_ask_for_the_array_library(device):
    """A rule makes new arrays with get_array_module(grad), so that they are where grad is: here on a device."""
    grad, a = (on_device(np.array(values, np.float32), device) for values in ([1.0, 2.0], [5.0, 1.0]))
    mine = rules.clamp_backward(grad, a, None, 2.0)
    assert_equal(type(mine), type(grad), "the type of the gradient of clamp")
    assert_close(mine, np.array([0.0, 2.0], np.float32), "the gradient of clamp")
    assert_close(
        rules.sum_backward(grad[0], (3,), None, False), np.ones(3, np.float32), "the gradient of sum"
    )


def test_clamp_backward_at_a_bound():
    """An entry that lies exactly on a bound was not moved: the gradient passes, as in PyTorch."""
    mine = rules.clamp_backward(np.array([3.0, 3.0]), np.array([-1.0, 2.0]), -1.0, 2.0)
    assert_close(mine, np.array([3.0, 3.0]))


@given(
    abc=broadcastable_shapes(3).flatmap(
        lambda s: st.tuples(arrays(s[0], dtype=np.bool_), arrays(s[1]), arrays(s[2]))
    )
)
def test_where_backward(abc):
    """where_backward(grad, condition): None for the condition, and the gradient to what was chosen."""
    check(t.where, rules.where_backward, *abc)


def test_where_backward_of_an_infinite_gradient():
    """What was not chosen gets 0 even where grad is infinite: infinity times 0 would be nan."""
    _, a, b = rules.where_backward(np.array([np.inf, np.inf]), np.array([True, False]))
    assert_close(a, np.array([np.inf, 0.0]), "the gradient for a")
    assert_close(b, np.array([0.0, np.inf]), "the gradient for b")


# Reductions


def test_sum_backward_of_a_row():
    """sum_backward(grad, a_shape, dim, keepdim) for grad 2 and a_shape (3,) is [2, 2, 2]."""
    assert_close(rules.sum_backward(np.array(2.0), (3,), None, False), np.array([2.0, 2.0, 2.0]))


AXES = shapes().flatmap(
    lambda s: st.tuples(
        arrays(s),
        st.sampled_from([None, 0, -1, (0,), (0, -1) if len(s) > 1 else (0,)])
        if s
        else st.sampled_from([None, 0]),
        st.booleans(),
    )
)


@given(case=AXES)
def test_sum_backward(case):
    """sum_backward: each entry of a counts once. `dim` is an axis, several, or None; axes may be negative."""
    a, dim, keepdim = case
    check(t.sum, rules.sum_backward, a, dim=dim, keepdim=keepdim)


NOT_EMPTY = shapes(min_side=1).flatmap(
    lambda s: st.tuples(
        distinct(s),
        st.sampled_from([None, 0, -1, (0, -1) if len(s) > 1 else (0,)]) if s else st.sampled_from([None, 0]),
        st.booleans(),
    )
)


@given(case=NOT_EMPTY)
def test_amax_backward(case):
    """amax_backward(grad, a, out, dim, keepdim): the gradient goes to the largest entry alone."""
    a, dim, keepdim = case
    check(t.amax, rules.amax_backward, a, dim=dim, keepdim=keepdim)


@given(case=NOT_EMPTY)
def test_amin_backward(case):
    """amin_backward(grad, a, out, dim, keepdim): the gradient goes to the smallest entry alone."""
    a, dim, keepdim = case
    check(t.amin, rules.amin_backward, a, dim=dim, keepdim=keepdim)


@pytest.mark.parametrize(
    ("name", "a"), [("amax_backward", [1.0, 5.0, 5.0]), ("amin_backward", [9.0, 5.0, 5.0])]
)
def test_entries_that_tie_share_evenly(name, a):
    """Two entries that are both the largest (the smallest) share a gradient of 6: [0, 3, 3]."""
    mine = getattr(rules, name)(np.array(6.0), np.array(a), np.array(5.0), None, False)
    assert_close(mine, np.array([0.0, 3.0, 3.0]))


@given(case=shapes(min_dims=1).flatmap(lambda s: st.tuples(arrays(s), dims(len(s)))))
def test_cumsum_backward(case):
    """cumsum_backward(grad, dim): the first entry is part of every sum, the last one of one."""
    a, dim = case
    check(t.cumsum, rules.cumsum_backward, a, dim=dim)


def test_cumsum_backward_of_a_0d_tensor():
    """cumsum of a 0-d Tensor takes dim 0 too: its gradient is grad, 0-d."""
    assert_close(rules.cumsum_backward(np.array(2.0), 0), np.array(2.0))


def test_rules_of_reductions_keep_their_digits():
    """The last of 100,000 running sums is right to 1e-6, and 5,000 float16 entries that tie are counted exactly."""
    tenths = np.full((100_000, 1), 0.1, np.float32)
    first = np.asarray(rules.cumsum_backward(tenths, 0))[0]
    assert_close(
        first.astype(np.float32), np.full(1, 10_000, np.float32), "the gradient of the first", rtol=1e-6
    )
    ones = np.ones((5000, 2), np.float16)
    shares = rules.amax_backward(np.full(2, 5000, np.float16), ones, np.ones(2, np.float16), 0, False)
    assert_close(np.asarray(shares, np.float16), ones, "the share of each of 5,000")


# Products


@given(ab=arrays_of(matmul_shapes(min_dims=2)))
def test_bmm_backward(ab):
    """bmm_backward(grad, a, b, output_mask): two products with a transpose in each; the shapes say which."""
    check(t.bmm, rules.bmm_backward, *ab)


@pytest.mark.parametrize("mask", [[True, False], [False, True]])
def test_bmm_backward_computes_only_what_is_wanted(mask):
    """output_mask says which gradients are wanted; the other is None, and its product is not computed."""
    grads = rules.bmm_backward(np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4)), mask)
    assert_equal([grad is not None for grad in grads], mask, "which gradients are given")


# Shapes


@given(a=arrays(shapes()))
def test_reshape_backward(a):
    """reshape_backward(grad, a_shape): the same entries, in the shape that they had."""
    check(t.reshape, rules.reshape_backward, a, shape=(a.size,))


@given(data=st.data(), a=arrays(shapes()))
def test_permute_backward(data, a):
    """permute_backward(grad, dims): the axes go back to where they were. Some dims may be negative, and others not."""
    order = data.draw(st.permutations(range(a.ndim)), "order")
    dims = [dim - a.ndim * data.draw(st.booleans(), "negative") for dim in order]
    check(t.permute, rules.permute_backward, a, dims=dims)


@given(ab=broadcastable_shapes(2))
def test_expand_backward(ab):
    """expand_backward(grad): the tape sums over what was stretched, as after broadcasting."""
    small, out = ab[0], np.broadcast_shapes(*ab)
    check(t.expand, rules.expand_backward, np.arange(np.prod(small, dtype=int)).reshape(small) / 4, shape=out)


@given(case=shapes(min_dims=1).flatmap(lambda s: st.tuples(arrays(s), dims(len(s)), st.booleans())))
def test_flip_backward(case):
    """flip_backward(grad, dims): a second flip undoes the first. dims is one axis or several."""
    a, dim, several = case
    check(t.flip, rules.flip_backward, a, dims=(dim,) if several else dim)


# Joining and cutting


@given(data=st.data(), shape=shapes(min_dims=1), count=st.integers(1, 3))
def test_concatenate_backward(data, shape, count):
    """concatenate_backward(grad, arrays_shape, dim): each array gets back its own piece, as a tuple."""
    dim = data.draw(dims(len(shape)), "dim")
    sides = [data.draw(st.integers(0, 3), "side") for _ in range(count)]
    pieces = []
    for side in sides:
        sized = list(shape)
        sized[dim] = side
        pieces.append(data.draw(arrays(tuple(sized)), "array"))
    check(t.concatenate, rules.concatenate_backward, *pieces, dim=dim)


@given(a=SOME_AXES, left=st.integers(0, 2), right=st.integers(0, 2), pairs=st.integers(1, 2))
def test_pad_backward(a, left, right, pairs):
    """pad_backward(grad, a_shape, pad): the margin is cut off. pad begins with the last axis: (left, right, top)."""
    widths = [left, right, 1, 0][: 2 * min(pairs, a.ndim)]
    check(t.pad, rules.pad_backward, a, pad=widths)


@given(a=arrays(shapes(min_dims=2)), diagonal=st.integers(-2, 2))
def test_tril_backward(a, diagonal):
    """tril_backward(grad, diagonal): the gradient is 0 where out became 0."""
    check(t.tril, rules.tril_backward, a, diagonal=diagonal)


@given(a=arrays(shapes(min_dims=2)), diagonal=st.integers(-2, 2))
def test_triu_backward(a, diagonal):
    """triu_backward(grad, diagonal): the gradient is 0 where out became 0."""
    check(t.triu, rules.triu_backward, a, diagonal=diagonal)


# Places

INDICES = {
    "an integer": 1,
    "a negative integer": -1,
    "a slice": slice(0, 3, 2),
    "a reversed slice": slice(None, None, -1),
    "None": None,
    "Ellipsis": ...,
    "a tuple": (slice(1, None), 2),
    "a new axis inside": (0, None, slice(2)),
    "an index array": np.array([2, 0]),
    "a list": [1, 1, 2],
    "a place twice": (np.array([0, 0, 1]), np.array([2, 2, 1])),
    "booleans": np.array([True, False, True]),
    "a slice and an array": (slice(None), np.array([3, 3, 0])),
}


@pytest.mark.parametrize("name", INDICES)
def test_getitem_backward(name):
    """getitem_backward(grad, a_shape, index): grad goes to the indexed places, twice if named twice; else 0."""
    a = np.arange(12.0).reshape(3, 4)
    check(t.getitem, rules.getitem_backward, a, index=INDICES[name])


@given(data=st.data(), a=arrays(shapes(min_dims=1, min_side=1)))
def test_gather_backward(data, a):
    """gather_backward(grad, a_shape, dim, index): grad goes where each entry was picked, twice if picked twice."""
    dim = data.draw(dims(a.ndim), "dim")
    sides = list(a.shape)
    sides[dim] = data.draw(st.integers(1, 3), "picks")
    index = data.draw(arrays(tuple(sides), np.int64, low=0, high=a.shape[dim] - 1), "index")
    check_rule(primitives[t.gather], rules.gather_backward, a, index, dim=dim)


@given(data=st.data(), a=arrays(shapes(min_dims=1, min_side=1)), count=st.integers(0, 3))
def test_index_add_backward(data, a, count):
    """index_add_backward(grad, dim, index): three gradients, None for index; slice i of source went to index[i]."""
    dim = data.draw(dims(a.ndim), "dim")
    index = data.draw(arrays((count,), np.int64, low=0, high=a.shape[dim] - 1), "index")
    sides = list(a.shape)
    sides[dim] = count
    source = data.draw(arrays(tuple(sides)), "source")
    check_rule(primitives[t.index_add], rules.index_add_backward, a, index, source, dim=dim)


# Copies


@given(a=arrays(shapes()))
def test_clone_backward(a):
    """clone_backward(grad): a copy changes as the original does."""
    check(t.clone, rules.clone_backward, a)


def test_convert_backward_on_the_same_device():
    """convert_backward(grad, a_device): if grad is on that device already, it is returned; the tape casts."""
    device = Tensor(np.zeros(2)).device
    assert_close(rules.convert_backward(np.array([1.0, 2.0]), device), np.array([1.0, 2.0]))


# All of them

WITHOUT = {"floor_divide", "eq", "ne", "lt", "le", "gt", "ge", "isnan", "argmax", "argsort"}
WITHOUT |= {"bitwise_not", "bitwise_and", "bitwise_or"}


def test_every_primitive_has_its_rule():
    """Each primitive of katas 02 and 03 that has a slope has a rule, registered with @derivative."""
    missing = [op.name for op in primitives.values() if op.rule is None and op.name not in WITHOUT]
    for rule in (op.rule for op in primitives.values()):
        if rule is not None and is_stub(rule):
            rule(*[None] * len(signature(rule).parameters))  # says that it is not written yet
    assert not missing, f"these primitives have no rule: {', '.join(missing)}"
