"""What PyTorch users type every day, and what PyTorch refuses, beside PyTorch: the same lines run on both."""

import copy

import numpy as np
import pytest
import torch

import tinytorch
import tinytorch.optim
from tinytorch import nn
from tinytorch.attention import merge_heads, split_heads
from tinytorch.autograd import numerical_gradient
from tinytorch.dataloader import DataLoader, Normalize, RandomCrop
from tinytorch.spatial import windows
from tinytorch.transformers import GPT, GPTConfig, next_token_loss

BOTH = [pytest.param(torch, id="torch"), pytest.param(tinytorch, id="tinytorch")]
"""For what is an error, or a warning, in both."""

LINES = {
    "pad with a mode": lambda t, x: t.nn.functional.pad(x, (1, 2), "constant", 7.0),
    "pad of booleans": lambda t, x: t.nn.functional.pad(x > 0, (1, 2), "constant"),
    "arange(end=5)": lambda t, x: t.arange(end=5),
    "arange(start=, end=)": lambda t, x: t.arange(start=1, end=5.0, step=2),
    "topk of the smallest": lambda t, x: x.topk(2, largest=False)[1],
    "flip(0, 1)": lambda t, x: x.flip(0, 1),
    "flip((0, 1))": lambda t, x: x.flip((0, 1)),
    "mT": lambda t, x: x.mT,
    "x.to(y)": lambda t, x: x.to(t.tensor([1])),
    "sum over ()": lambda t, x: x.sum(()),
    "mean over ()": lambda t, x: x.mean(dim=(), keepdim=True),
    "var over ()": lambda t, x: x.var(()),
    "amax over ()": lambda t, x: x.amax(()),
    "sum of a 0-d Tensor over (0,)": lambda t, x: x[0, 0, ...].sum((0,)),
    "amin of a 0-d Tensor over (-1,)": lambda t, x: x[0, 0, ...].amin((-1,), keepdim=True),
    "mean of a 0-d Tensor over (0,)": lambda t, x: x[0, 0, ...].mean((0,)),
    "clamp with NumPy's int": lambda t, x: x.clamp(np.int64(0)),
    "clamp with NumPy's float": lambda t, x: x.clamp(np.float64(-0.5), np.float32(0.5)),
    "softplus with NumPy's float": lambda t, x: t.nn.functional.softplus(x, np.float64(2)),
    "masked_fill with a Tensor": lambda t, x: x.masked_fill(x > 0, t.tensor(2)),
    "div_(0)": lambda t, x: x.clone().div_(0),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.filterwarnings("error")
def test_the_same_line(line):
    array = np.array([[0.5, -1.0, 2.0], [3.0, -4.0, 0.0]], np.float32)
    mine, theirs = line(tinytorch, tinytorch.tensor(array)), line(torch, torch.tensor(array))
    assert str(mine.dtype) == str(theirs.dtype).removeprefix("torch.")
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6)


def test_randint_with_one_bound():
    x = tinytorch.randint(10, (1000,))
    assert (x.shape, x.numpy().min(), x.numpy().max()) == ((1000,), 0, 9)


def test_result_type_of_numpys_numbers():
    for array in (np.zeros(2, np.float32), np.zeros(2, np.int64)):
        mine = tinytorch.result_type(array, np.float64(2))
        assert str(mine) == str(torch.result_type(torch.tensor(array), 2.0)).removeprefix("torch.")


@pytest.mark.parametrize("t", BOTH)
def test_masked_fill_gives_its_value_a_gradient(t):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    value = t.tensor(9.0, requires_grad=True)
    x.masked_fill(t.tensor([True, False, True]), value).backward(t.tensor([1.0, 10.0, 100.0]))
    assert (x.grad.tolist(), value.grad.item()) == ([0.0, 10.0, 0.0], 101.0)


REFUSED = {
    "a mode of pad that is none": lambda t: t.nn.functional.pad(t.zeros(2), (1, 1), "mirror"),
    "masked_fill with axes": lambda t: t.zeros(2).masked_fill(t.zeros(2) > 0, t.zeros(2)),
    "index_add of floats to integers": lambda t: t.index_add(t.arange(2), 0, t.tensor([1]), t.tensor([0.9])),
    "index_add with booleans": lambda t: t.index_add(t.zeros(2), 0, t.zeros(2) > 0, t.zeros(2)),
    "gather with floats": lambda t: t.gather(t.zeros(2), 0, t.zeros(2)),
    "a non-leaf to optimize": lambda t: t.optim.SGD([t.zeros(2, requires_grad=True) * 2], 0.1),
    "a set to optimize": lambda t: t.optim.SGD([{"params": {t.zeros(2, requires_grad=True)}}], 0.1),
    "weights for other classes": lambda t: t.nn.functional.cross_entropy(
        t.zeros(2, 3), t.tensor([0, 1]), t.ones(5)
    ),
    "one weight for all classes": lambda t: t.nn.functional.nll_loss(
        t.zeros(2, 3), t.tensor([0, 0]), t.ones(1)
    ),
    "a larger weight of bce": lambda t: t.nn.functional.binary_cross_entropy_with_logits(
        t.zeros(3), t.zeros(3), t.ones(2, 3)
    ),
    "a larger pos_weight": lambda t: t.nn.functional.binary_cross_entropy_with_logits(
        t.zeros(3), t.zeros(3), pos_weight=t.ones(2, 3)
    ),
    "a weight that broadcasts": lambda t: t.nn.functional.layer_norm(t.zeros(2, 3), (3,), t.ones(1)),
    "a bias that broadcasts": lambda t: t.nn.functional.layer_norm(t.zeros(2, 3), (3,), None, t.ones(2, 3)),
    "a weight of rms_norm that broadcasts": lambda t: t.nn.functional.rms_norm(
        t.zeros(2, 3), (3,), t.ones(1)
    ),
    "a bias of linear with more axes": lambda t: t.nn.functional.linear(
        t.zeros(2, 3), t.zeros(4, 3), t.ones(5, 1, 4)
    ),
    "booleans minus booleans": lambda t: t.tensor([True]) - t.tensor([True]),
    "minus booleans": lambda t: -t.tensor([True]),
    "~ of floats": lambda t: ~t.zeros(2),
    "deepcopy of what was computed": lambda t: copy.deepcopy(t.zeros(2, requires_grad=True) * 2),
    "a module that is not there": lambda t: t.nn.Sequential(t.nn.ReLU())[3],
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("t", BOTH)
def test_refused_by_both(t, call):
    with pytest.raises((ValueError, TypeError, RuntimeError, IndexError, NotImplementedError)) as caught:
        call(t)
    if t is tinytorch:
        leaked = ("ufunc", "numpy", "index out of range", "has no attribute")
        assert not any(words in str(caught.value) for words in leaked), str(caught.value)


@pytest.mark.parametrize("t", BOTH)
def test_no_grad_covers_generators(t):
    log = []

    @t.no_grad()
    def generator():
        try:
            log.append((t.is_grad_enabled(), (yield 1)))
            yield 2
        except KeyError:
            log.append(t.is_grad_enabled())
            yield 3
        finally:
            log.append(t.is_grad_enabled())
        return 4

    running = generator()
    assert (next(running), t.is_grad_enabled(), running.send("sent")) == (1, True, 2)
    assert (running.throw(KeyError()), t.is_grad_enabled()) == (3, True)
    with pytest.raises(StopIteration) as end:
        next(running)
    assert (end.value.value, log) == (4, [(False, "sent"), False, False])
    closed = generator()
    next(closed)
    closed.close()
    assert (t.is_grad_enabled(), log[3:]) == (True, [False])


@pytest.mark.parametrize("t", BOTH)
def test_a_copy_of_a_leaf(t):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    x.grad.zero_()
    assert (y.requires_grad, y.tolist(), y.grad.tolist()) == (True, [1.0, 2.0], [2.0, 4.0])
    model = nn.Linear(2, 2) if t is tinytorch else torch.nn.Linear(2, 2)
    assert type(copy.deepcopy(model).weight) is type(model.weight)


@pytest.mark.parametrize("t", BOTH)
def test_weights_of_losses_are_buffers(t):
    loss = t.nn.BCEWithLogitsLoss(t.ones(3), pos_weight=t.ones(3))
    assert list(loss.state_dict()) == ["weight", "pos_weight"]
    assert str(loss.to(t.float64).pos_weight.dtype).endswith("float64")
    assert list(t.nn.CrossEntropyLoss(t.ones(3)).state_dict()) == ["weight"]
    assert list(t.nn.NLLLoss().state_dict()) == []


@pytest.mark.parametrize("t", BOTH)
def test_statistics_that_are_not_tracked_any_more(t):
    layer = t.nn.BatchNorm2d(2)
    layer.track_running_stats = False
    layer(t.arange(16).reshape(2, 2, 2, 2).to(t.float32))
    assert (layer.running_mean.tolist(), layer.num_batches_tracked.item()) == ([0.0, 0.0], 0)


@pytest.mark.parametrize("t", BOTH)
def test_a_used_up_generator_is_clipped_with_a_warning(t):
    parameters = t.nn.Linear(2, 2).parameters()
    list(parameters)
    with pytest.warns(UserWarning):
        assert t.nn.utils.clip_grad_norm_(parameters, 1.0).item() == 0


FEW_AXES = {
    "windows": lambda: windows(tinytorch.zeros(3), 1),
    "split_heads": lambda: split_heads(tinytorch.zeros(3), 1),
    "merge_heads": lambda: merge_heads(tinytorch.zeros(3, 2)),
    "GPT": lambda: GPT(GPTConfig(5, 4, 1, 1, 4))(tinytorch.tensor(1)),
    "next_token_loss": lambda: next_token_loss(tinytorch.zeros(()), tinytorch.tensor(1)),
    "RandomCrop": lambda: RandomCrop(1)(np.zeros((3, 3))),
    "Normalize": lambda: Normalize([0.0], [1.0])(np.zeros((3, 3))),
    "linear": lambda: tinytorch.nn.functional.linear(tinytorch.zeros(2, 3), tinytorch.zeros(3)),
    "split": lambda: tinytorch.tensor(1.0).split(1),
    "topk": lambda: tinytorch.tensor(1.0).topk(1),
    "gather": lambda: tinytorch.gather(tinytorch.tensor(1.0), 0, tinytorch.tensor(0)),
    "sort": lambda: tinytorch.tensor(1.0).sort(),
}


@pytest.mark.parametrize("call", FEW_AXES.values(), ids=FEW_AXES)
def test_too_few_axes_are_named(call):
    """A ValueError about axes, and not Python's "tuple index out of range" or "not enough values to unpack"."""
    with pytest.raises(ValueError, match=r"axis|shape|axes|\("):
        try:
            call()
        except ValueError as error:
            assert "unpack" not in str(error), str(error)
            raise


def test_what_only_we_refuse():
    """PyTorch goes on without a word, or cannot get there."""
    x = tinytorch.tensor([1.0, 2.0], requires_grad=True)
    optimizer = tinytorch.optim.SGD([x], 1.0)
    scheduler = tinytorch.optim.lr_scheduler.StepLR(optimizer, 1)
    optimizer.add_param_group({"params": [tinytorch.zeros(2)]})
    with pytest.raises(ValueError, match="groups"):
        scheduler.step()

    class Ends:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return next(iter([]))

    for workers in (0, 1):
        with pytest.raises(RuntimeError):
            list(DataLoader(Ends(), num_workers=workers))
    with pytest.raises(ZeroDivisionError):
        numerical_gradient(lambda x: 1 / 0, [x], 0, np.ones(2))
    assert x.tolist() == [1.0, 2.0]
    x.grad = tinytorch.tensor([1.0])
    with pytest.raises(RuntimeError, match="shape"):
        (x * x).sum().backward()
    assert x.grad.tolist() == [1.0]
