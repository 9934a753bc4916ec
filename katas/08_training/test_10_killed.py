"""A run that is killed, at whatever moment, and started again: ModelCheckpoint, and Trainer.resume."""

import math
import warnings

import numpy as np
import pytest

from dojo.spec import Again, assert_close, assert_equal, raises
from dojo.spec.child import die, die_at_file_change, die_when_a_file_grows_beyond, in_child, killed
from tinytorch.layers import Dropout, Linear, Sequential, Tanh
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import default_generator, manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import (
    Callback,
    CheckpointError,
    ModelCheckpoint,
    StepLR,
    Trainer,
    checkpoint_path,
    checkpoints,
    load,
    save,
)

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 3)).astype(np.float32), RNG.integers(0, 2, 20)
EPOCHS, STEPS = 3, 3


def shuffled():
    """Three batches in an order that the default generator draws."""
    order = default_generator().permutation(len(X))
    return [(Tensor(X[rows]), Tensor(Y[rows])) for rows in np.split(order, [8, 16])]


TRAIN, VAL = Again(shuffled), Again(lambda: [(Tensor(X), Tensor(Y))])


def a_run(directory=None, seed=0, extra=(), hidden=8, values=None, **options):
    """A trainer of a small net with dropout. With a directory it keeps checkpoints; `values` become val_score."""
    manual_seed(seed)
    scores = None if values is None else iter(values)
    model = Sequential(Linear(3, hidden), Tanh(), Dropout(0.5), Linear(hidden, 2))
    optimizer = Adam(model.parameters(), lr=0.05)
    kept = [] if directory is None else [ModelCheckpoint(directory, **options)]

    def score(output, y):
        return 0.0 if scores is None or model.training else next(scores)

    return Trainer(
        model,
        cross_entropy,
        optimizer,
        StepLR(optimizer, 1, 0.9),
        metrics={"score": score},
        callbacks=[*kept, *extra],
    )


def weights_of(trainer):
    return {name: value.data for name, value in trainer.model.state_dict().items()}


def finish(directory, seed=99, epochs=EPOCHS, **options):
    """What a user's program does: build, resume, fit. Gives the weights, and the history without the seconds."""
    trainer = a_run(directory, seed, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resumed = trainer.resume(directory)
    history = trainer.fit(TRAIN, VAL, epochs=epochs)
    numbers = {name: values for name, values in history.items() if name != "seconds"}
    return {**weights_of(trainer), **numbers, "resumed": 0 if resumed is None else int(resumed.stem[-5:])}


def assert_bit_for_bit(found, expected, when):
    for name, value in expected.items():
        if name != "resumed":
            assert_close(found[name], np.asarray(value), f"{name} of a run {when}", rtol=0, atol=0)


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


# Which checkpoints there are


def test_where_a_checkpoint_stands(tmp_path):
    """The checkpoint after 12 epochs is directory/epoch-00012.safetensors; the directory may be a string."""
    assert_equal(checkpoint_path(tmp_path, 12), tmp_path / "epoch-00012.safetensors", "the path")
    assert_equal(checkpoint_path(str(tmp_path), 123456).name, "epoch-123456.safetensors", "the name")


def test_checkpoints_are_found(tmp_path):
    """checkpoints gives paths by their epoch, in rising order; other files do not count, nor half-written ones."""
    for epoch in (100_000, 9, 99_999, 10):
        (tmp_path / f"epoch-{epoch:05d}.safetensors").touch()
    for other in (
        "best.safetensors",
        "epoch-00011.safetensors.tmp",
        "epoch-x.safetensors",
        "notes",
        "my-epoch-00001.safetensors",
    ):
        (tmp_path / other).touch()
    found = checkpoints(str(tmp_path))
    assert_equal(list(found), [9, 10, 99_999, 100_000], "the list of the epochs")
    assert_equal(found[10], tmp_path / "epoch-00010.safetensors", "the path of epoch 10")


def test_no_directory_has_no_checkpoints(tmp_path):
    """Where there is no directory there are no checkpoints, and none is made."""
    assert_equal(checkpoints(tmp_path / "nowhere"), {}, "the dict of the checkpoints")
    assert_equal(names_in(tmp_path), [], "the list of the files")


# ModelCheckpoint


def test_the_newest_two_are_kept(tmp_path):
    """After each epoch the run is saved, and the newest two files stay. The directory is made if it is missing."""
    directory = tmp_path / "runs" / "a"
    seen = []

    class Look(Callback):
        def on_checkpoint(self, trainer):
            seen.append(list(checkpoints(directory)))

    a_run(directory, extra=[Look()]).fit(TRAIN, VAL, epochs=4)
    assert_equal(
        seen, [[1], [1, 2], [2, 3], [3, 4]], "the list of the epochs of the checkpoints, after each epoch"
    )
    assert_equal(
        names_in(directory), ["epoch-00003.safetensors", "epoch-00004.safetensors"], "the list of the files"
    )


@pytest.mark.parametrize(("keep", "left"), [(1, [12]), (3, [10, 11, 12])])
def test_as_many_as_are_asked_for_are_kept(tmp_path, keep, left):
    """With keep=1 only the newest stays, with keep=3 the newest three: 10 is newer than 9."""
    a_run(tmp_path, keep=keep).fit(TRAIN, VAL, epochs=12)
    assert_equal(list(checkpoints(tmp_path)), left, "the list of the epochs of the checkpoints that are left")


def test_a_checkpoint_is_the_whole_run(tmp_path):
    """The run is saved after on_epoch_end of every callback, those after ModelCheckpoint in the list too."""

    class Late(Callback):
        def __init__(self):
            self.count = 0

        def on_epoch_end(self, trainer):
            self.count += 1

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state_dict):
            self.count = state_dict["count"]

    a_run(tmp_path, extra=[Late()]).fit(TRAIN, VAL, epochs=2)
    late = Late()
    trainer = a_run(extra=[late])
    trainer.load_checkpoint(checkpoint_path(tmp_path, 2))
    assert_equal(
        (trainer.epoch, late.count),
        (2, 2),
        "the pair of the epoch of the loaded run and how often Late was called in it",
    )


def test_the_best_is_kept_too(tmp_path):
    """With monitor="val_score" and scores 3, 1, 2 the run after epoch 2 is also best.safetensors.

    The other checkpoints are kept as before.
    """
    trainer = a_run(tmp_path, values=[3.0, 1.0, 2.0], monitor="val_score")
    trainer.fit(TRAIN, VAL, epochs=3)
    expected = ["best.safetensors", "epoch-00002.safetensors", "epoch-00003.safetensors"]
    assert_equal(names_in(tmp_path), expected, "the list of the files")
    best = a_run()
    best.load_checkpoint(tmp_path / "best.safetensors")
    assert_equal(best.epoch, 2, "the epoch of best.safetensors")
    assert_equal(trainer.callbacks[0].best, 1.0, "the best score")


def test_the_best_may_be_the_largest(tmp_path):
    """With mode="max" and scores 1, 3, nan, 2 the best run is the one after epoch 2."""
    a_run(tmp_path, values=[1.0, 3.0, math.nan, 2.0], monitor="val_score", mode="max").fit(
        TRAIN, VAL, epochs=4
    )
    best = a_run()
    best.load_checkpoint(tmp_path / "best.safetensors")
    assert_equal(best.epoch, 2, "the epoch of best.safetensors")


def test_the_best_is_remembered(tmp_path):
    """A resumed run knows the best score so far: scores 1, then 2 after the stop, leave epoch 1 the best."""
    a_run(tmp_path, values=[1.0], monitor="val_score").fit(TRAIN, VAL, epochs=1)
    second = a_run(tmp_path, values=[2.0], monitor="val_score")
    second.resume(tmp_path)
    second.fit(TRAIN, VAL, epochs=2)
    best = a_run()
    best.load_checkpoint(tmp_path / "best.safetensors")
    assert_equal(best.epoch, 1, "the epoch of best.safetensors")


def test_model_checkpoint_refuses_what_it_cannot_do(tmp_path):
    """keep=0 and mode="low" are ValueErrors that name them; an unknown monitor is a KeyError with its name."""
    with raises(ValueError, 0):
        ModelCheckpoint(tmp_path, keep=0)
    with raises(ValueError, "low"):
        ModelCheckpoint(tmp_path, mode="low")
    with raises(KeyError, "val_acc"):
        a_run(tmp_path, monitor="val_acc").fit(TRAIN, VAL, epochs=1)


def test_a_run_does_not_write_over_one_that_came_further(tmp_path):
    """A run that was not resumed, in a directory whose run came further, gets a ValueError with that checkpoint's path.

    It comes before anything is trained or written.
    """
    a_run(tmp_path, keep=1).fit(TRAIN, VAL, epochs=3)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    forgetful = a_run(tmp_path)
    with raises(ValueError, checkpoint_path(tmp_path, 3)):
        forgetful.fit(TRAIN, VAL, epochs=5)
    assert_equal(forgetful.epoch, 0, "the number of finished epochs")
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert_equal(sorted(after), sorted(before), "the list of the files afterwards")
    assert after == before, "a checkpoint of the other run was written over"


# resume


def test_resume_finds_the_newest(tmp_path):
    """resume loads the newest checkpoint and gives its path; the run then ends where an unstopped one does."""
    unstopped = a_run()
    unstopped.fit(TRAIN, VAL, epochs=4)
    a_run(tmp_path).fit(TRAIN, VAL, epochs=2)
    trainer = a_run(tmp_path, seed=99)
    assert_equal(trainer.resume(str(tmp_path)), checkpoint_path(tmp_path, 2), "what resume gives")
    assert_equal(trainer.epoch, 2, "the number of finished epochs")
    trainer.fit(TRAIN, VAL, epochs=4)
    assert_bit_for_bit(weights_of(trainer), weights_of(unstopped), "that was resumed")


def test_nothing_to_resume_is_a_beginning(tmp_path):
    """Where there is no checkpoint, and no directory either, resume gives None and changes nothing."""
    trainer = a_run()
    before = weights_of(a_run())
    for directory in (tmp_path, tmp_path / "nowhere"):
        assert_equal(trainer.resume(directory), None, "what resume gives")
    assert_equal(trainer.epoch, 0, "the number of finished epochs")
    assert_bit_for_bit(weights_of(trainer), before, "with nothing to resume")


def cut(blob):
    return blob[: len(blob) // 2]


def flip(blob):
    return blob[:-3] + bytes([blob[-3] ^ 0x10]) + blob[-2:]


def empty(blob):
    return b""


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage):
    """If the newest checkpoint is damaged, the one before it is loaded, with a warning that names the damaged path.

    The run does that epoch again, and ends in the same bits.
    """
    unstopped = a_run()
    unstopped.fit(TRAIN, VAL, epochs=4)
    a_run(tmp_path).fit(TRAIN, VAL, epochs=3)
    newest = checkpoint_path(tmp_path, 3)
    newest.write_bytes(damage(newest.read_bytes()))
    trainer = a_run(tmp_path, seed=99)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = trainer.resume(tmp_path)
    assert_equal(found, checkpoint_path(tmp_path, 2), "what resume gives")
    told = [str(each.message) for each in caught]
    assert len(told) == 1 and str(newest) in told[0], (
        f"the warnings are {told}, expected one that holds {newest}"
    )
    trainer.fit(TRAIN, VAL, epochs=4)
    assert_bit_for_bit(weights_of(trainer), weights_of(unstopped), "whose newest checkpoint was damaged")
    assert_equal(list(checkpoints(tmp_path)), [3, 4], "the list of the checkpoints in the end")
    load(newest)


def test_damaged_checkpoints_of_later_epochs_do_not_count(tmp_path):
    """Damaged checkpoints of later epochs do not count among the newest that are kept.

    Of the checkpoints 3, 4 and 5 the last two are damaged. The run resumes from 3, and keeps one from now on. When
    epoch 4 is done, its checkpoint is that one, beside the damaged one of epoch 5; 3 is deleted.
    """
    a_run(tmp_path, keep=3).fit(TRAIN, VAL, epochs=5)
    for epoch in (4, 5):
        checkpoint_path(tmp_path, epoch).write_bytes(b"damaged")
    trainer = a_run(tmp_path, seed=99, keep=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.resume(tmp_path)
    trainer.fit(TRAIN, VAL, epochs=4)
    assert_equal(
        list(checkpoints(tmp_path)), [4, 5], "the list of the checkpoints that are left after epoch 4"
    )
    load(checkpoint_path(tmp_path, 4))


def test_all_damaged_is_no_beginning(tmp_path):
    """If every checkpoint is damaged, it is a CheckpointError with the directory.

    The program must not begin again by itself, and overwrite what may still be repaired.
    """
    a_run(tmp_path).fit(TRAIN, VAL, epochs=2)
    for path in checkpoints(tmp_path).values():
        path.write_bytes(b"")
    trainer = a_run(tmp_path)
    with warnings.catch_warnings(), raises(CheckpointError, tmp_path):
        warnings.simplefilter("ignore")
        trainer.resume(tmp_path)
    assert_equal(trainer.epoch, 0, "the number of finished epochs")


def test_the_run_of_another_model_is_not_passed_over(tmp_path):
    """If the newest checkpoint is whole but does not fit, it is a ValueError with its path: no older one is tried."""
    a_run(tmp_path).fit(TRAIN, VAL, epochs=2)
    save({"w": Tensor(X)}, checkpoint_path(tmp_path, 3))
    with raises(ValueError, checkpoint_path(tmp_path, 3)):
        a_run().resume(tmp_path)
    with raises(ValueError, checkpoint_path(tmp_path, 3)):
        a_run(hidden=9).resume(tmp_path)


# Killed


class DieAtStep(Callback):
    """SIGKILL after so many steps of the run, counted from 1."""

    def __init__(self, step):
        self.left = step

    def on_step_end(self, trainer, loss, samples):
        self.left -= 1
        if self.left == 0:
            die()


class DieWhen(Callback):
    """SIGKILL in one of the hooks of one epoch; the callback comes after ModelCheckpoint."""

    def __init__(self, hook, epoch):
        self.hook, self.epoch = hook, epoch

    def on_epoch_end(self, trainer):
        if (self.hook, self.epoch) == ("on_epoch_end", trainer.epoch):
            die()

    def on_checkpoint(self, trainer):
        if (self.hook, self.epoch) == ("on_checkpoint", trainer.epoch):
            die()


@pytest.mark.parametrize("step", [1, STEPS, STEPS + 2, 3 * STEPS])
def test_killed_at_a_step(tmp_path, step):
    """A run that is killed after this many steps (3 make an epoch) and resumed has the weights of an unkilled run.

    Weights and history are the same bit for bit. The signal is SIGKILL, and another process resumes.
    """
    expected = in_child(lambda: finish(tmp_path / "unstopped", seed=0))
    directory = tmp_path / "killed"
    assert killed(lambda: finish(directory, seed=0, extra=[DieAtStep(step)])), f"there was no step {step}"
    found = in_child(lambda: finish(directory) if step > STEPS else finish(directory, seed=0))
    assert_equal(int(found["resumed"]), (step - 1) // STEPS, "the epoch that the run was resumed at")
    assert_bit_for_bit(found, expected, f"that was killed after step {step}")


@pytest.mark.parametrize(
    ("hook", "epoch", "saved"),
    [("on_epoch_end", 2, 1), ("on_checkpoint", 2, 2), ("on_checkpoint", EPOCHS, EPOCHS)],
)
def test_killed_at_the_end_of_an_epoch(tmp_path, hook, epoch, saved):
    """Killed between the end of an epoch and its checkpoint, a run does the epoch again.

    Killed after its checkpoint is written, it does not.
    """
    expected = in_child(lambda: finish(tmp_path / "unstopped", seed=0))
    directory = tmp_path / "killed"
    assert killed(lambda: finish(directory, seed=0, extra=[DieWhen(hook, epoch)])), (
        f"no {hook} of epoch {epoch}"
    )
    found = in_child(lambda: finish(directory))
    assert_equal(int(found["resumed"]), saved, "the epoch that the run was resumed at")
    assert_bit_for_bit(found, expected, f"that was killed in {hook} of epoch {epoch}")


def test_killed_at_any_change_of_the_directory(tmp_path):
    """Killed before any change of the directory, the run keeps a checkpoint, resumes and ends in the same bits.

    A change is each file that the run opens for writing, renames or deletes. best.safetensors is the same too. Only
    one checkpoint is kept here.
    """
    options = {"keep": 1, "monitor": "train_loss", "epochs": 2}
    unstopped = tmp_path / "unstopped"
    expected = in_child(lambda: finish(unstopped, seed=0, **options))
    best = load(unstopped / "best.safetensors")

    def run(directory, number):
        die_at_file_change(number, directory)
        finish(directory, seed=0, **options)

    newest = 0
    for number in range(60):
        directory = tmp_path / str(number)
        if not killed(lambda directory=directory, number=number: run(directory, number)):
            break
        when = f"that was killed before change {number} of its directory"
        seed = (
            99 if checkpoints(directory) else 0
        )  # before the first one there is only the seed to begin with
        found = in_child(lambda directory=directory, seed=seed: finish(directory, seed=seed, **options))
        assert int(found["resumed"]) >= newest, (
            f"a run {when} was resumed at epoch {int(found['resumed'])}, and epoch {newest} was saved before"
        )
        newest = int(found["resumed"])
        assert_bit_for_bit(found, expected, when)
        for name, value in load(directory / "best.safetensors").items():
            assert_close(
                value, best[name].data, f"{name} in best.safetensors of a run {when}", rtol=0, atol=0
            )
    assert 2 <= number < 60, f"the run made {number} changes in its directory"


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_killed_in_the_middle_of_a_checkpoint(tmp_path, share):
    """If a run is killed when this share of its second checkpoint is written, the first one is there and is resumed."""
    expected = in_child(lambda: finish(tmp_path / "unstopped", seed=0))
    size = checkpoint_path(tmp_path / "unstopped", 2).stat().st_size

    class Limit(Callback):
        def on_epoch_end(self, trainer):
            if trainer.epoch == 2:
                die_when_a_file_grows_beyond(int(share * size))

    directory = tmp_path / "killed"
    assert killed(lambda: finish(directory, seed=0, extra=[Limit()])), "the second checkpoint was not written"
    found = in_child(lambda: finish(directory))
    assert_equal(int(found["resumed"]), 1, "the epoch that the run was resumed at")
    assert_bit_for_bit(found, expected, f"killed when {share:.0%} of the second checkpoint was written")
    assert_equal(names_in(directory), names_in(tmp_path / "unstopped"), "the list of the files in the end")


def test_killed_again_and_again(tmp_path):
    """A run that is killed after 4 steps, resumed, killed after 4 more, and so on, finishes all the same."""
    expected = in_child(lambda: finish(tmp_path / "unstopped", seed=0))
    directory = tmp_path / "killed"
    seeds = [0, *range(90, 94)]
    deaths = [
        killed(lambda seed=seed: finish(directory, seed, extra=[DieAtStep(STEPS + 1)])) for seed in seeds
    ]
    assert_equal(
        deaths.index(False), EPOCHS - 1, "the number of processes that were killed before one arrived"
    )
    assert_bit_for_bit(in_child(lambda: finish(directory)), expected, "that was killed again and again")
