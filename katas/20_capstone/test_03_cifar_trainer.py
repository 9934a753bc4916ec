"""An epoch in several processes; all else is kata 08's Trainer."""

import os
import time

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import in_child
from tinytorch.activations import relu
from tinytorch.benchmarking import shared_array
from tinytorch.capstone import ParallelTrainer, WeightAveraging
from tinytorch.dataloader import DataLoader
from tinytorch.layers import Linear, Module, Parameter
from tinytorch.losses import cross_entropy, mse_loss
from tinytorch.optimizers import SGD
from tinytorch.setup import default_generator, manual_seed
from tinytorch.spatial import BatchNorm2d
from tinytorch.tensor import Tensor
from tinytorch.training import Callback, OneCycleLR, Trainer, accuracy

PATIENCE = 10.0
"""Seconds that no process should ever wait for another one."""
EPOCHS, BATCH, POINTS = 2, 12, 60


class Net(Module):
    """Two layers with relu in between."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Linear(5, 16), Linear(16, 3)

    def forward(self, x):
        return self.second(relu(self.first(x)))


def points(n=POINTS):
    """n points of 5 numbers and their class, of 3."""
    random = np.random.default_rng(7)
    x = random.standard_normal((n, 5)).astype(np.float32)
    return Tensor(x), Tensor(np.argmax(x[:, :3] ** 2, 1))


def run_of(kind, clip=None, callbacks=(), interval="step", **options):
    """A run of a Net, always the same: shuffled, with momentum, and a learning rate that changes at each interval."""
    manual_seed(1)
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = OneCycleLR(optimizer, max_lr=0.3, total_steps=(EPOCHS + 1) * POINTS // BATCH)
    x, y = points()
    loader = DataLoader([(x[n], y[n]) for n in range(POINTS)], BATCH, shuffle=True)
    made = kind(
        model,
        cross_entropy,
        optimizer,
        scheduler,
        interval,
        {"accuracy": accuracy},
        clip,
        callbacks,
        **options,
    )
    return made, loader


def result(trainer):
    """The weights and the history of a run, and what its generator draws next."""
    weights = {name: each.data.copy() for name, each in trainer.model.named_parameters()}
    history = {name: np.array(each) for name, each in trainer.history.items()}
    return weights | history | {"drawn": default_generator().random(3)}


def alone(epochs=EPOCHS, clip=None):
    """What a Trainer comes to, in one process."""
    trainer, loader = run_of(Trainer, clip)
    trainer.fit(loader, None, epochs)
    return result(trainer)


def together(world_size=2, epochs=(EPOCHS,), clip=None):
    """What a ParallelTrainer comes to; `epochs` are those of one `fit` after the other."""

    def run():
        trainer, loader = run_of(ParallelTrainer, clip, world_size=world_size, timeout=PATIENCE)
        for each in epochs:
            trainer.fit(loader, None, each)
        return result(trainer)

    return in_child(run)


def same_weights(found, expected):
    for name in (name for name in expected if "." in name):
        assert_close(found[name], expected[name], name, rtol=0, atol=1e-5)


# One step


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_step_without_a_group(interval):
    """train_step outside of a fork is that of a Trainer: the same loss, output and weights.

    The learning rate changes after a step only if scheduler_interval is "step".
    """
    found = []
    for kind in (Trainer, ParallelTrainer):
        trainer, _ = run_of(kind, 0.5, interval=interval)
        for _ in range(3):
            loss, output = trainer.train_step(*points(12))
        rate = {"lr": np.array(trainer.optimizer.param_groups[0]["lr"])}
        found.append({"loss": loss.data, "output": output.data} | rate | result(trainer))
    for name in found[0]:
        assert_close(found[1][name], found[0][name], f"after three steps, {name}", rtol=1e-6)


# Epochs


def test_two_learn_as_one():
    """After two epochs, two processes have the weights that one has on the same batches, to 1e-5."""
    same_weights(together(), alone())


@pytest.mark.parametrize("world_size", [1, 3])
def test_it_does_not_matter_how_many(world_size):
    """One process and three processes have them too."""
    same_weights(together(world_size), alone())


def test_the_whole_gradient_is_clipped():
    """With clip_grad_norm, it is the norm of the batch's gradient that is clipped, and not that of a share's."""
    same_weights(together(clip=0.2), alone(clip=0.2))


@pytest.mark.parametrize("world_size", [2, 3])
def test_each_process_has_a_share(world_size):
    """There are world_size processes besides this one, and each trains on its share of the samples."""

    def run():
        samples, numbers = shared_array((world_size,), np.int64), shared_array((world_size,), np.int64)

        class Looks(Callback):
            def on_step_end(self, trainer, loss, count):
                samples[trainer.group.rank] += count
                numbers[trainer.group.rank] = os.getpid()

        options = {"world_size": world_size, "timeout": PATIENCE}
        trainer, loader = run_of(ParallelTrainer, callbacks=[Looks()], **options)
        trainer.fit(loader)
        return {"samples": samples, "processes": len({os.getpid(), *numbers.tolist()})}

    found = in_child(run)
    share = POINTS // world_size
    assert_equal(found["samples"].tolist(), [share] * world_size, "the samples that each process trained on")
    assert_equal(
        int(found["processes"]), world_size + 1, "how many processes there were, with the one that waits"
    )


def test_a_further_epoch():
    """A later `fit` goes on: momentum, learning rate and the order of the samples are where they were."""
    same_weights(together(epochs=(1, 2, 3)), alone(3))


def test_the_generator_goes_on():
    """Afterwards the default generator draws what it would draw after the same epochs in one process."""
    assert_close(together()["drawn"], alone()["drawn"], "three numbers drawn after the run", rtol=0, atol=0)


def test_the_history_is_of_the_whole_batches():
    """Loss and accuracy in the history are the means over all processes, as one process has them."""
    found, expected = together(), alone()
    for name in ("train_loss", "train_accuracy", "lr"):
        assert_close(found[name], expected[name], name, rtol=0, atol=1e-5)


def test_cpu_seconds_of_the_slowest():
    """ "train_cpu_seconds" is the CPU time of the process that needed most: here process 1, which does more."""

    class Slow(Callback):
        def on_step_end(self, trainer, loss, samples):
            until = time.process_time() + 0.05 * trainer.group.rank
            while time.process_time() < until:
                pass

    def run():
        trainer, loader = run_of(ParallelTrainer, callbacks=[Slow()], timeout=PATIENCE)
        trainer.fit(loader)
        return result(trainer)

    (seconds,) = in_child(run)["train_cpu_seconds"]
    assert 0.24 <= seconds < 5, (
        f"process 1 computes for more than 0.25 s, and train_cpu_seconds is {seconds:.3f}"
    )


# What comes back


def test_callbacks_bring_their_state():
    """What a callback has counted and kept in the forks is here afterwards: the averaged weights of all steps."""

    def run():
        average = WeightAveraging(0.5)
        trainer, loader = run_of(ParallelTrainer, callbacks=[average], timeout=PATIENCE)
        trainer.fit(loader, None, EPOCHS)
        return {"steps": average.steps} | {name: each.data for name, each in average.weights.items()}

    average = WeightAveraging(0.5)
    trainer, loader = run_of(Trainer, callbacks=[average])
    trainer.fit(loader, None, EPOCHS)
    found = in_child(run)
    assert_equal(int(found["steps"]), average.steps, "the steps that the callback has seen")
    for name, expected in average.weights.items():
        assert_close(found[name], expected, f"averaged, {name}", rtol=0, atol=1e-5)


class Normed(Module):
    """Batch norm of one channel, and a weight."""

    def __init__(self):
        super().__init__()
        self.norm, self.head = BatchNorm2d(1), Linear(1, 1)

    def forward(self, x):
        return self.head(self.norm(x).reshape(len(x), 1))


def test_statistics_are_those_of_all():
    """Batch norm's running mean after one step is that of all samples: a tenth of their mean."""
    x = np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1) ** 2

    def run():
        manual_seed(0)
        model = Normed()
        trainer = ParallelTrainer(
            model, mse_loss, SGD(model.parameters(), lr=0.01), world_size=2, timeout=PATIENCE
        )
        trainer.fit([(Tensor(x), Tensor(x.reshape(8, 1)))])
        return {"mean": model.norm.running_mean, "count": model.norm.num_batches_tracked}

    found = in_child(run)
    assert_close(found["mean"], np.array([0.1 * x.mean()], np.float32), "the running mean", rtol=1e-5)
    assert_equal(int(found["count"]), 1, "num_batches_tracked")


class Large(Module):
    """A single weight that counts, among more than fit into the buffer that spawn has by default."""

    def __init__(self):
        super().__init__()
        self.weight = Parameter(np.zeros(2**24 + 1, np.float32))

    def forward(self, x):
        return x * self.weight[0]


def test_a_model_may_be_large():
    """spawn gets a buffer_bytes into which all parameters fit: here more than 2**26."""

    def run():
        model, x = Large(), Tensor(np.ones(1, np.float32))
        optimizer = SGD(model.parameters(), lr=0.5)
        ParallelTrainer(model, mse_loss, optimizer, world_size=1, timeout=PATIENCE).fit([(x, x)])
        return {"weight": model.weight.data[:2]}

    assert_close(in_child(run)["weight"], np.array([1, 0], np.float32), "after one step, the first weights")


def test_an_error_leaves_everything_as_it_was():
    """If a process raises, fit is a RuntimeError with its words; weights, epoch and callbacks are as before."""

    class Breaks(Callback):
        def on_step_end(self, trainer, loss, samples):
            if trainer.epoch == 1 and trainer.group.rank == 1:
                raise LookupError("no such class")

    def run():
        average = WeightAveraging()
        trainer, loader = run_of(ParallelTrainer, callbacks=[average, Breaks()], timeout=PATIENCE)
        trainer.fit(loader)
        before = result(trainer)
        with raises(RuntimeError, "LookupError", "no such class"):
            trainer.fit(loader, None, 2)
        assert_equal((trainer.epoch, average.steps), (1, POINTS // BATCH), "epoch, and steps of the callback")
        for name, each in trainer.model.named_parameters():
            assert_close(each, before[name], f"after an error, {name}", rtol=0, atol=0)

    in_child(run)


def test_nobody_waits_for_ever():
    """If a process waits longer than `timeout` seconds for the others, fit is a RuntimeError that names the seconds."""

    class Hangs(Callback):
        def on_step_end(self, trainer, loss, samples):
            time.sleep(0.3 * trainer.group.rank)

    def run():
        trainer, loader = run_of(ParallelTrainer, callbacks=[Hangs()], timeout=0.15)
        with raises(RuntimeError, 0.15):
            trainer.fit(loader)

    in_child(run)


def test_a_batch_that_cannot_be_shared_says_so():
    """A batch of 9 samples for two processes is an error that says what to do."""

    def run():
        trainer, _ = run_of(ParallelTrainer, timeout=PATIENCE)
        with raises(RuntimeError, "ValueError", 9):
            trainer.fit([points(9)])

    in_child(run)
