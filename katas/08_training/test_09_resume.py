"""A run that is stopped and resumed ends, bit for bit, where an unstopped one does."""

import io
import math

import numpy as np
import pytest
import safetensors

from dojo.spec import Again, assert_close, assert_equal, raises
from tinytorch import optimizers, training
from tinytorch.layers import Buffer, Dropout, Linear, Module, Sequential, Tanh
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD, Adam
from tinytorch.setup import default_generator, manual_seed
from tinytorch.tensor import Tensor, tensor
from tinytorch.training import (
    Callback,
    CheckpointError,
    EarlyStopping,
    OneCycleLR,
    ProgressBar,
    StepLR,
    Trainer,
    accuracy,
    load_with_metadata,
    save,
    unpack,
)

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 3)).astype(np.float32), RNG.integers(0, 2, 20)
EPOCHS = 4


class RunningMean(Module):
    """A module that keeps the mean of its inputs in a buffer."""

    def __init__(self):
        self.mean = Buffer(tensor([0.0, 0.0, 0.0]))

    def forward(self, x):
        if self.training:
            self.mean.data[...] = 0.9 * self.mean.data + 0.1 * x.data.mean(axis=0)
        return x - self.mean.detach()


def shuffled(generator=None):
    """Batches of 8 in a new order each time, drawn from the default generator or from one of its own."""

    def batches():
        order = (generator or default_generator()).permutation(len(X))
        return [(Tensor(X[rows]), Tensor(Y[rows])) for rows in np.split(order, [8, 16])]

    return Again(batches)


def a_run(seed=0, optimizer="Adam", schedule="OneCycleLR", callbacks=(), generators=(), sides=(3, 8)):
    """A trainer of a small net with dropout and a buffer. Another seed gives other first weights."""
    manual_seed(seed)
    layers = [Linear(*sides), Tanh(), Dropout(0.5), Linear(sides[1], 2)]
    model = Sequential(*([RunningMean()] if sides[0] == 3 else []), *layers)
    options = {"momentum": 0.9} if optimizer in ("SGD", "RMSprop") else {}
    moved = getattr(optimizers, optimizer)(model.parameters(), lr=0.05, **options)
    schedules = {
        "OneCycleLR": lambda: (OneCycleLR(moved, 0.1, total_steps=3 * (EPOCHS + 1)), "step"),
        "StepLR": lambda: (StepLR(moved, 2, 0.5), "epoch"),
        "none": lambda: (None, "epoch"),
    }
    scheduler, interval = schedules[schedule]()
    return Trainer(
        model, cross_entropy, moved, scheduler, interval, {"accuracy": accuracy}, 1.0, callbacks, generators
    )


def assert_same_run(resumed, unstopped):
    """Weights and buffers, history and optimizer agree in every bit; seconds do not count."""
    for name, value in unstopped.model.state_dict().items():
        assert_close(
            resumed.model.state_dict()[name], value.data, f"{name} of the resumed run", rtol=0, atol=0
        )
    assert_equal(resumed.epoch, unstopped.epoch, "the number of finished epochs")
    assert_equal(sorted(resumed.history), sorted(unstopped.history), "the list of the names in the history")
    for name, values in unstopped.history.items():
        if name != "seconds":
            assert_equal(resumed.history[name], values, f"{name} in the history")
    states = [trainer.optimizer.state_dict()["state"] for trainer in (resumed, unstopped)]
    for number, state in states[1].items():
        for name, value in state.items():
            assert_close(states[0][number][name], value, f"{name} of parameter {number}", rtol=0, atol=0)


def state_of(trainer):
    """Everything that a refused checkpoint must not change, as arrays and plain values."""
    arrays = {name: value.data.copy() for name, value in trainer.model.state_dict().items()}
    for number, state in trainer.optimizer.state_dict()["state"].items():
        arrays |= {f"{name} of parameter {number}": np.array(value) for name, value in state.items()}
    groups = [
        {name: value for name, value in group.items() if name != "params"}
        for group in trainer.optimizer.param_groups
    ]
    draws = str(default_generator().bit_generator.state)
    return arrays, [groups, trainer.epoch, dict(trainer.history), trainer.stopped, draws]


def assert_left_alone(trainer, before):
    arrays, plain = state_of(trainer)
    assert_equal(
        sorted(arrays), sorted(before[0]), "the list of the names of the arrays of model and optimizer"
    )
    for name, value in before[0].items():
        assert_close(arrays[name], value, f"{name} after a refused checkpoint", rtol=0, atol=0)
    assert_equal(
        plain,
        before[1],
        "the list of groups, epoch, history, stopped and generator after a refused checkpoint",
    )


# What a run is


def test_the_state_of_a_run():
    """state_dict has each part of a run, and the names of the classes of optimizer and scheduler."""
    stop = EarlyStopping()
    trainer = a_run(schedule="StepLR", callbacks=[stop])
    trainer.fit(shuffled(), shuffled(), epochs=2)
    state = trainer.state_dict()
    parts = [
        "callbacks",
        "classes",
        "epoch",
        "generators",
        "history",
        "model",
        "optimizer",
        "scheduler",
        "stopped",
    ]
    assert_equal(sorted(state), parts, "the list of the parts of the state")
    assert_equal(state["epoch"], 2, "epoch in the state")
    assert_equal(state["stopped"], False, "stopped in the state")
    assert_equal(
        sorted(state["model"]),
        sorted(trainer.model.state_dict()),
        "the list of the names in the model's state",
    )
    assert_equal(state["scheduler"]["last_epoch"], 2, "last_epoch in the scheduler's state")
    assert_equal(
        state["callbacks"], {"EarlyStopping": stop.state_dict()}, "the dict of the callbacks' states"
    )
    assert_equal(len(state["generators"]), 1, "the number of generators")
    assert_equal(state["classes"], {"optimizer": "Adam", "scheduler": "StepLR"}, "the dict of the classes")
    assert_equal(a_run(schedule="none").state_dict()["scheduler"], {}, "the state of no scheduler")


def test_a_state_is_loaded():
    """load_state_dict makes another trainer the same run: model, optimizer, scheduler, epoch, history, generator."""
    old = a_run()
    old.fit(shuffled(), epochs=2)
    state = unpack(*training.pack(old.state_dict()))
    draw = default_generator().random()
    new = a_run(seed=1)
    new.load_state_dict(state)
    assert_same_run(new, old)
    assert_equal(new.scheduler.last_epoch, 6, "last_epoch of the scheduler")
    assert_equal(default_generator().random(), draw, "the next draw of the default generator")


def test_the_history_in_a_state_is_its_own():
    """Neither the run that gave a state nor the run that loaded it writes into the state's history later."""
    old, new = a_run(), a_run(seed=1)
    old.fit(shuffled(), epochs=1)
    state = old.state_dict()
    old.fit(shuffled(), epochs=2)
    assert_equal(len(state["history"]["lr"]), 1, "the length of lr in the state, after its run went on")
    new.load_state_dict(state)
    new.fit(shuffled(), epochs=3)
    assert_equal(
        len(state["history"]["lr"]), 1, "the length of lr in the state, after the loaded run went on"
    )


def test_two_callbacks_of_one_class_have_two_states():
    """The second EarlyStopping is called "EarlyStopping.1" in the state.

    This holds whatever other callbacks are between them, and each gets its own state back.
    """
    callbacks = [EarlyStopping("train_loss"), ProgressBar(io.StringIO()), EarlyStopping("lr", mode="max")]
    trainer = a_run(callbacks=callbacks)
    callbacks[0].best, callbacks[2].best = 1.0, 2.0
    state = trainer.state_dict()
    names = ["EarlyStopping", "EarlyStopping.1", "ProgressBar"]
    assert_equal(sorted(state["callbacks"]), names, "the list of the names of the states")
    others = [EarlyStopping("train_loss"), EarlyStopping("val_loss", mode="max")]
    a_run(callbacks=others).load_state_dict(state)
    assert_equal([each.best for each in others], [1.0, 2.0], "the list of the best values of the new ones")


def test_a_callback_more_or_less_is_no_matter():
    """A callback without a state is left alone, and a state without its callback is ignored."""
    old = a_run(callbacks=[EarlyStopping()])
    new_one = EarlyStopping("train_loss", mode="max")
    a_run().load_state_dict(old.state_dict())
    a_run(callbacks=[new_one]).load_state_dict(a_run().state_dict())
    assert_equal(new_one.best, -math.inf, "best of a callback that the state does not know")


# Exactly


def resumed_and_unstopped(path, stop, **options):
    """A run of EPOCHS epochs, and one that was stopped after `stop` of them and resumed in another trainer."""
    unstopped = a_run(**options)
    unstopped.fit(shuffled(), shuffled(), epochs=EPOCHS)
    first = a_run(**options)
    first.fit(shuffled(), shuffled(), epochs=stop)
    first.save_checkpoint(path)
    first.fit(shuffled(), epochs=stop + 1)  # what comes after the checkpoint does not matter
    second = a_run(seed=99, **options)
    second.load_checkpoint(path)
    second.fit(shuffled(), shuffled(), epochs=EPOCHS)
    return second, unstopped


@pytest.mark.parametrize("stop", range(EPOCHS + 1))
def test_a_resumed_run_ends_where_an_unstopped_one_does(tmp_path, stop):
    """A run that was stopped after any epoch and resumed in another trainer is the same in every bit.

    It has dropout, shuffling, a buffer, Adam and a rate that changes at each step.
    """
    assert_same_run(*resumed_and_unstopped(tmp_path / "run", stop))


@pytest.mark.parametrize("schedule", ["StepLR", "none"])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "RMSprop"])
def test_every_optimizer_is_resumed(tmp_path, optimizer, schedule):
    """The same holds for every optimizer, with a scheduler that steps after each epoch, and without one."""
    assert_same_run(*resumed_and_unstopped(tmp_path / "run", 2, optimizer=optimizer, schedule=schedule))


def test_a_generator_of_its_own_is_resumed(tmp_path):
    """A run that shuffles with a generator of its own is resumed exactly if the trainer was given that generator."""

    def started(seed):
        generator = np.random.default_rng(seed)
        return a_run(seed, generators=[generator]), shuffled(generator)

    unstopped, batches = started(3)
    unstopped.fit(batches, epochs=EPOCHS)
    first, batches = started(3)
    first.fit(batches, epochs=2)
    first.save_checkpoint(tmp_path / "run")
    second, batches = started(4)
    second.load_checkpoint(tmp_path / "run")
    second.fit(batches, epochs=EPOCHS)
    assert_same_run(second, unstopped)


def test_a_stopped_run_stays_stopped(tmp_path):
    """After a resume, a run that EarlyStopping ended makes no further epoch, and its best weights come back."""

    def started(seed, *others):
        stopping = EarlyStopping("lr", mode="max", patience=1, restore_best=True)
        return a_run(seed, callbacks=[stopping, *others])

    class Saving(Callback):
        def on_checkpoint(self, trainer):
            trainer.save_checkpoint(tmp_path / "run")

    first = started(0, Saving())
    first.fit(shuffled(), epochs=EPOCHS)
    assert_equal(
        (first.stopped, first.epoch), (True, 3), "whether the first run was stopped, and after which epoch"
    )
    second = started(99)
    second.load_checkpoint(tmp_path / "run")
    second.fit(shuffled(), epochs=EPOCHS)
    assert_same_run(second, first)


def test_optimizers_keep_their_types(tmp_path):
    """Counts of steps are integers and betas are a tuple, as they were."""
    trainer = a_run()
    trainer.fit(shuffled(), epochs=1)
    trainer.save_checkpoint(tmp_path / "run")
    other = a_run(seed=1)
    other.load_checkpoint(tmp_path / "run")
    state = other.optimizer.state_dict()
    assert_equal(state["state"][0]["step"], 3, "the count of steps")
    expected = trainer.optimizer.param_groups[0]["betas"]
    assert_equal(state["param_groups"][0]["betas"], expected, "the tuple of the betas")


# The file


def test_a_checkpoint_is_a_safetensors_file(tmp_path):
    """The file has the weights as model.1.weight and so on, for any program to read; the rest is in the metadata."""
    trainer = a_run()
    trainer.fit(shuffled(), epochs=1)
    trainer.save_checkpoint(tmp_path / "run")
    with safetensors.safe_open(tmp_path / "run", framework="np") as file:
        names = sorted(file.keys())
        assert "model.1.weight" in names, f"the names in the file are {names}"
        weight = file.get_tensor("model.1.weight")
    assert_close(
        weight, trainer.model.state_dict()["1.weight"].data, "the weight in the file", rtol=0, atol=0
    )
    _, metadata = load_with_metadata(tmp_path / "run")
    assert_equal(list(metadata), ["run"], "the list of the names in the metadata")


# All or nothing


def test_a_damaged_checkpoint_changes_nothing(tmp_path):
    """A file cut short or with a changed byte is a CheckpointError with the path, and the run is as it was before."""
    other, trainer = a_run(seed=1), a_run()
    other.save_checkpoint(tmp_path / "run")
    trainer.fit(shuffled(), epochs=1)
    whole, before = (tmp_path / "run").read_bytes(), state_of(trainer)
    for damaged in (
        whole[:-1],
        whole[:50],
        whole[:-1] + bytes([whole[-1] ^ 1]),
        whole.replace(b"epoch", b"epocH", 1),
    ):
        (tmp_path / "run").write_bytes(damaged)
        with raises(CheckpointError, tmp_path / "run"):
            trainer.load_checkpoint(tmp_path / "run")
        assert_left_alone(trainer, before)


def other_optimizer():
    return a_run(optimizer="SGD"), "SGD"


def other_scheduler():
    return a_run(schedule="StepLR"), "StepLR"


def other_shape():
    return a_run(sides=(3, 9)), (9, 3)


def other_layers():
    return a_run(sides=(4, 8)), "0.weight"


def other_generators():
    return a_run(generators=[np.random.default_rng(0)]), 2


@pytest.mark.parametrize(
    "other", [other_optimizer, other_scheduler, other_shape, other_layers, other_generators]
)
def test_the_checkpoint_of_another_run_changes_nothing(tmp_path, other):
    """The checkpoint of another run is a ValueError that names the path and what differs, and nothing is changed.

    It has another optimizer, scheduler, model or number of generators.
    """
    source, word = other()
    source.save_checkpoint(tmp_path / "run")
    trainer = a_run(seed=1)
    trainer.fit(shuffled(), epochs=1)
    before = state_of(trainer)
    with raises(ValueError, tmp_path / "run", word):
        trainer.load_checkpoint(tmp_path / "run")
    assert_left_alone(trainer, before)


def test_a_run_that_fits_half_changes_nothing():
    """If the model fits and the optimizer does not, it is a ValueError, and the model is as it was before."""
    source = a_run(seed=1, schedule="none")
    source.fit(shuffled(), epochs=1)
    params = list(source.model.parameters())
    source.optimizer = Adam([{"params": params[:1]}, {"params": params[1:]}])
    trainer = a_run(schedule="none")
    trainer.fit(shuffled(), epochs=1)
    before = state_of(trainer)
    with raises(ValueError, [1, 3], [4]):
        trainer.load_state_dict(source.state_dict())
    assert_left_alone(trainer, before)


class Limit(Callback):
    """A callback that refuses a state with another limit than its own."""

    def __init__(self, limit):
        self.limit = limit

    def state_dict(self):
        return {"limit": self.limit}

    def load_state_dict(self, state_dict):
        if state_dict["limit"] != self.limit:
            raise ValueError(f"a limit of {state_dict['limit']}")


def test_a_callback_that_refuses_changes_nothing():
    """If a callback refuses its state, it is a ValueError that repeats its message, and everything is as before.

    That includes what was loaded before: the scheduler and the other callbacks.
    """
    source = a_run(seed=1, callbacks=[EarlyStopping(), Limit(7)])
    source.fit(shuffled(), shuffled(), epochs=2)
    stopping = EarlyStopping()
    trainer = a_run(callbacks=[stopping, Limit(8)])
    trainer.fit(shuffled(), shuffled(), epochs=1)
    before, known = state_of(trainer), (trainer.scheduler.last_epoch, stopping.best)
    with raises(ValueError, "a limit of 7"):
        trainer.load_state_dict(source.state_dict())
    assert_left_alone(trainer, before)
    found = (trainer.scheduler.last_epoch, stopping.best)
    assert_equal(found, known, "the pair of last_epoch of the scheduler and best of the other callback")


def test_a_file_without_a_run(tmp_path):
    """A file of weights alone is a ValueError with the path, and not a CheckpointError: the file is not damaged."""
    save({"w": tensor([1.0])}, tmp_path / "weights")
    try:
        with raises(ValueError, tmp_path / "weights"):
            Trainer(Linear(1, 1), cross_entropy, SGD([tensor([1.0])])).load_checkpoint(tmp_path / "weights")
    except CheckpointError as error:
        raise AssertionError(f"a whole file is called damaged: {error}") from None
