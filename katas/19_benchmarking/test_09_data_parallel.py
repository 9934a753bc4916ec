"""Each process learns from its part of the batch, and all make the same step."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import in_child
from tinytorch.activations import relu
from tinytorch.benchmarking import DistributedSampler, average_gradients, fit_parallel, spawn
from tinytorch.dataloader import TensorDataset
from tinytorch.layers import Dropout, Linear, Module, Parameter, Sequential
from tinytorch.losses import cross_entropy, mse_loss
from tinytorch.optimizers import SGD
from tinytorch.setup import default_generator, manual_seed
from tinytorch.spatial import BatchNorm2d
from tinytorch.tensor import Tensor

PATIENCE = 10.0
"""Seconds that no process should ever wait for another one."""


def orders(n, ranks, **options):
    """The indices of every rank."""
    return [list(DistributedSampler(range(n), ranks, rank, **options)) for rank in range(ranks)]


# The sampler


def test_every_second_index():
    """Without shuffle rank 0 of 2 has 0, 2, 4 and rank 1 has 1, 3, 5, of 6 samples."""
    assert_equal(orders(6, 2, shuffle=False), [[0, 2, 4], [1, 3, 5]], "the indices of both ranks")
    assert_equal(len(DistributedSampler(range(6), 2, 0)), 3, "len of the sampler")


def test_what_is_missing_is_repeated():
    """Of 7 samples in 3 processes each has 3: behind the end come the first ones again, 0 and 1."""
    assert_equal(orders(7, 3, shuffle=False), [[0, 3, 6], [1, 4, 0], [2, 5, 1]], "the indices of three ranks")
    assert_equal(orders(1, 3, shuffle=False), [[0], [0], [0]], "of a single sample, the indices")


def test_what_is_too_much_is_dropped():
    """With drop_last, of 7 samples in 3 processes each has 2, and the last sample is left out."""
    found = orders(7, 3, shuffle=False, drop_last=True)
    assert_equal(found, [[0, 3], [1, 4], [2, 5]], "the indices of three ranks")
    assert_equal(len(DistributedSampler(range(7), 3, 1, drop_last=True)), 2, "len of the sampler")


@given(n=st.integers(1, 40), ranks=st.integers(1, 5), seed=st.integers(0, 9))
@example(6, 2, 0)
def test_together_they_have_all(n, ranks, seed):
    """Shuffled, the processes have every index together, equally many each, and nobody has another one's place."""
    found = orders(n, ranks, seed=seed)
    each = -(-n // ranks)
    assert_equal([len(indices) for indices in found], [each] * ranks, "how many each rank has")
    together = [index for turn in zip(*found, strict=True) for index in turn]
    assert_equal(sorted(together[:n]), list(range(n)), "the first n of all, in the order of their places")
    assert_equal(together[n:], (together * ranks)[: each * ranks - n], "what is repeated")


def test_an_order_is_drawn_from_the_seed_and_the_epoch():
    """Another seed has another order, and another epoch too; the same ones have the same, whatever was drawn before."""
    sampler = DistributedSampler(range(50), 2, 0, seed=3)
    first = list(sampler)
    default_generator().random(5)
    assert_equal(list(sampler), first, "the order, drawn again")
    assert first != sorted(first), "with shuffle the order is 0, 2, 4, ..."
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first, "epoch 1 has the order of epoch 0"
    assert_equal(
        list(DistributedSampler(range(50), 2, 0, seed=4)) != first, True, "whether seed 4 has another order"
    )
    sampler.set_epoch(0)
    assert_equal(list(sampler), first, "back in epoch 0, the order")


@pytest.mark.parametrize(("rank", "ranks"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_is_one_of_them(rank, ranks):
    """A rank that is not from 0 to num_replicas - 1 is a ValueError whose message names both."""
    with raises(ValueError, rank, ranks):
        DistributedSampler(range(6), ranks, rank)


# Gradients


def parameter(values, grad=None, dtype=np.float32, **options):
    tensor = Tensor(np.array(values, dtype), requires_grad=True, **options)
    tensor.grad = None if grad is None else Tensor(np.array(grad, dtype))
    return tensor


def test_gradients_become_their_mean():
    """average_gradients(parameters, group): gradients 1, 3 in one process and 5, 5 in the other are 3, 4 in both."""

    def run():
        def function(group):
            a = parameter([0.0, 0.0], [[1.0, 3.0], [5.0, 5.0]][group.rank])
            b = parameter([[0.0]], [[[2.0], [4.0]][group.rank]])
            average_gradients([a, b], group)
            assert_equal((a.grad.shape, b.grad.shape), ((2,), (1, 1)), "the shapes of the gradients")
            assert_equal(type(a.grad), Tensor, "the type of a gradient")
            return [*a.grad.data, *b.grad.data[0]]

        return {"found": np.array(spawn(function, timeout=PATIENCE))}

    assert_close(
        in_child(run)["found"], np.array([[3, 4, 3]] * 2, np.float32), "the gradients in both processes"
    )


def test_a_missing_gradient_counts_as_zero():
    """Where a process has no gradient it counts as 0, and becomes the mean too; who requires none gets none."""

    def run():
        def function(group):
            a = parameter([0.0, 0.0], [2.0, 4.0] if group.rank else None)
            frozen = Tensor(np.zeros(2, np.float32))
            average_gradients([frozen, a], group)
            assert_equal(frozen.grad, None, "the gradient of what requires none")
            average_gradients([], group)
            return a.grad.data

        return {"found": spawn(function, timeout=PATIENCE)}

    assert_close(
        in_child(run)["found"], np.array([[1, 2]] * 2, np.float32), "the gradients in both processes"
    )


def test_gradients_keep_their_dtypes():
    """Parameters of float32 and float64 side by side have gradients of their own dtypes."""

    def run():
        def function(group):
            a, b = parameter([0.0], [1.0]), parameter([0.0], [1e-9 + 1], np.float64)
            average_gradients([a, b], group)
            assert_equal(
                (a.grad.dtype, b.grad.dtype), (np.dtype("float32"), np.dtype("float64")), "the dtypes"
            )
            return b.grad.data

        return {"found": spawn(function, timeout=PATIENCE)}

    assert_close(in_child(run)["found"], np.array([[1e-9 + 1]] * 2), "the gradient of float64", rtol=1e-14)


# Training


class Net(Module):
    """Two layers with relu in between."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Linear(5, 16), Linear(16, 3)

    def forward(self, x):
        return self.second(relu(self.first(x)))


def points(n=60):
    """n points of 5 numbers and their class, of 3."""
    random = np.random.default_rng(7)
    x = random.standard_normal((n, 5)).astype(np.float32)
    return x, np.argmax(x[:, :3] ** 2, 1)


def together(n, batch, epochs, seed=0):
    """The indices that two processes see together, step by step."""
    for epoch in range(epochs):
        ranks = []
        for rank in (0, 1):
            sampler = DistributedSampler(range(n), 2, rank, seed=seed)
            sampler.set_epoch(epoch)
            ranks.append(list(sampler))
        for start in range(0, len(ranks[0]), batch):
            yield [index for each in ranks for index in each[start : start + batch]]


def fitted(x, y, batch_size, epochs, **options):
    """What fit_parallel makes of a Net with momentum: its losses, its weights, and those after one further step."""
    manual_seed(1)
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = fit_parallel(
        model,
        optimizer,
        cross_entropy,
        TensorDataset(Tensor(x), Tensor(y)),
        batch_size,
        epochs,
        timeout=PATIENCE,
        **options,
    )
    learned = {name: each.data.copy() for name, each in model.named_parameters()}
    one_step(model, optimizer, x, y)
    later = {f"later {name}": each.data for name, each in model.named_parameters()}
    return {"losses": losses, **learned, **later}


def one_step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = cross_entropy(model(Tensor(x)), Tensor(y))
    loss.backward()
    optimizer.step()
    return loss.item()


def alone(x, y, batch_size, epochs):
    """The same steps in one process, on the samples of both."""
    manual_seed(1)
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = [one_step(model, optimizer, x[seen], y[seen]) for seen in together(len(x), batch_size, epochs)]
    learned = {name: each.data.copy() for name, each in model.named_parameters()}
    one_step(model, optimizer, x, y)
    return losses, learned, {name: each.data for name, each in model.named_parameters()}


def test_two_learn_as_one():
    """After 30 steps two processes with 6 samples each have the losses of one with all 12, to 1e-4."""
    x, y = points()
    found = in_child(lambda: fitted(x, y, 6, 6))
    losses, _, _ = alone(x, y, 6, 6)
    assert_equal(found["losses"].shape, (2, 30), "the shape of the losses: processes, steps")
    assert_close(found["losses"].mean(0), losses, "the mean loss of both", rtol=0, atol=1e-4)
    assert losses[-1] < 0.8 * losses[0], (
        f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f}: nothing was learned"
    )


def test_the_model_has_learned_here():
    """Afterwards the model in this process has the weights of rank 0, those that one process would have learned."""
    x, y = points()
    found = in_child(lambda: fitted(x, y, 6, 6))
    for name, expected in alone(x, y, 6, 6)[1].items():
        assert_close(found[name], expected, name, rtol=0, atol=1e-4)


def test_the_optimizer_goes_on_from_there():
    """The optimizer has rank 0's state, so that a further step has its momentum."""
    x, y = points()
    found = in_child(lambda: fitted(x, y, 6, 6))
    for name, expected in alone(x, y, 6, 6)[2].items():
        assert_close(found[f"later {name}"], expected, f"after one further step, {name}", rtol=0, atol=2e-4)


def test_a_process_has_a_loss_of_its_own():
    """The losses have a row for each process: what it saw in its own part of the batch."""
    x, y = points()
    losses = in_child(lambda: fitted(x, y, 6, 1))["losses"]
    manual_seed(1)
    model = Net()
    seen = next(together(60, 6, 1))
    expected = [
        cross_entropy(model(Tensor(x[part])), Tensor(y[part])).item() for part in (seen[:6], seen[6:])
    ]
    assert_close(losses[:, 0], expected, "the first loss of each process", rtol=1e-5)


def test_one_process_is_enough():
    """With world_size=1 there is one row of losses, of all samples."""
    x, y = points()
    losses = in_child(lambda: fitted(x, y, 60, 2, world_size=1))["losses"]
    assert_equal(losses.shape, (1, 2), "the shape of the losses")


class Large(Module):
    """A single weight that counts, among more than fit into the buffer that spawn has by default."""

    def __init__(self):
        super().__init__()
        self.weight = Parameter(np.zeros(2**24 + 1, np.float32))

    def forward(self, x):
        return x * self.weight[0]


def test_a_model_may_be_large():
    """fit_parallel gives spawn a buffer_bytes into which the gradients of all parameters fit: here more than 2**26."""

    def run():
        model, x = Large(), Tensor(np.ones(1, np.float32))
        fit_parallel(
            model,
            SGD(model.parameters(), lr=0.5),
            mse_loss,
            TensorDataset(x, x),
            1,
            world_size=1,
            timeout=PATIENCE,
        )
        return {"weight": model.weight.data[:2]}

    assert_close(
        in_child(run)["weight"], np.array([1, 0], np.float32), "after one step, the first two weights"
    )


def test_the_seed_gives_the_order():
    """Another seed sees the samples in another order."""
    x, y = points()
    one, other = (in_child(lambda seed=seed: fitted(x, y, 6, 1, seed=seed))["losses"] for seed in (0, 1))
    assert np.abs(one - other).max() > 1e-3, "seeds 0 and 1 have the same losses"


def test_every_process_drops_others():
    """Dropout draws other numbers in each process, after manual_seed(seed + rank); the same seed draws the same.

    So rank 1 with the seed 5 draws what rank 0 draws with the seed 6.
    """
    x, y = np.ones((8, 50), np.float32), np.zeros((8, 50), np.float32)

    def run():
        def losses(seed):
            model = Sequential(Linear(50, 50), Dropout(0.5))
            optimizer = SGD(model.parameters(), lr=0.0)
            data = TensorDataset(Tensor(x), Tensor(y))
            return fit_parallel(model, optimizer, mse_loss, data, 4, seed=seed, timeout=PATIENCE)

        manual_seed(0)
        first = losses(5)
        manual_seed(0)
        again = losses(5)
        manual_seed(0)
        return {"first": first, "again": again, "next": losses(6)}

    found = in_child(run)
    assert found["first"][0, 0] != found["first"][1, 0], "both processes drop the same"
    assert_close(found["again"], found["first"], "with the same seed, the losses", rtol=1e-6)
    assert_close(found["next"][0], found["first"][1], "with the seed 6, the losses of rank 0", rtol=1e-6)


class Normed(Module):
    """Batch norm of one channel, and a weight."""

    def __init__(self):
        super().__init__()
        self.norm, self.head = BatchNorm2d(1), Linear(1, 1)

    def forward(self, x):
        return self.head(self.norm(x).reshape(len(x), 1))


def test_statistics_are_those_of_rank_0():
    """Batch norm's running mean is that of the samples which rank 0 saw: each process has statistics of its own."""
    x = np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1) ** 2

    def run():
        manual_seed(0)
        model = Normed()
        model.eval()
        optimizer = SGD(model.parameters(), lr=0.01)
        data = TensorDataset(Tensor(x), Tensor(x.reshape(8, 1)))
        fit_parallel(model, optimizer, mse_loss, data, 4, timeout=PATIENCE)
        return {"mean": model.norm.running_mean, "weight": model.head.weight}

    found = in_child(run)
    seen = list(DistributedSampler(range(8), 2, 0))
    expected = 0.1 * x.reshape(-1)[seen].mean()
    assert_close(
        found["mean"], np.array([expected], np.float32), "the running mean after one step", rtol=1e-5
    )


def test_a_worker_that_fails_leaves_the_model_alone():
    """If the loss raises in a process, fit_parallel is a RuntimeError with its words, and the model is what it was."""
    x, y = points()

    def run():
        manual_seed(1)
        model = Net()
        before = {name: each.data.copy() for name, each in model.named_parameters()}

        def broken(output, target):
            raise LookupError("no such class")

        data = TensorDataset(Tensor(x), Tensor(y))
        with raises(RuntimeError, "LookupError", "no such class"):
            fit_parallel(model, SGD(model.parameters(), lr=0.1), broken, data, 6, timeout=PATIENCE)
        for name, each in model.named_parameters():
            assert_close(each, before[name], f"after an error, {name}", rtol=0, atol=0)

    in_child(run)
