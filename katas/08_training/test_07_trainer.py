"""The loop, written once: evaluating, Trainer."""

import math
import time

import numpy as np
import pytest

from dojo.spec import Again, assert_close, assert_equal, no_warnings, raises, unchanged
from tinytorch.layers import Dropout, Linear, Module, Parameter, Sequential
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD
from tinytorch.tensor import tensor
from tinytorch.training import Callback, StepLR, Trainer, evaluating

PAIR = ([[1.0], [2.0]], [[3.0], [6.0]])


class Line(Module):
    """y = slope * x; it notes its mode."""

    def __init__(self, slope=1.0):
        self.slope = Parameter(tensor([slope]))
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        return x * self.slope


class Log(Callback):
    """A callback that records which hooks are called, and when."""

    def __init__(self, seen):
        self.seen = seen

    def on_fit_start(self, trainer):
        self.seen.append("fit starts")

    def on_epoch_start(self, trainer):
        self.seen.append(f"epoch starts after {trainer.epoch}")

    def on_step_end(self, trainer, loss, samples):
        self.seen.append(f"step of {samples}")

    def on_epoch_end(self, trainer):
        self.seen.append(f"epoch {trainer.epoch} ends")

    def on_checkpoint(self, trainer):
        self.seen.append(f"checkpoint {trainer.epoch}")

    def on_fit_end(self, trainer):
        self.seen.append("fit ends")


def batch(x, y):
    return tensor(x), tensor(y)


def line_trainer(slope=1.0, lr=0.1, **options):
    """A trainer of a Line under the mean squared error, with plain descent."""
    model = Line(slope)
    return Trainer(model, mse_loss, SGD(model.parameters(), lr=lr), **options)


def walk(slope, batches, lr, epochs=1):
    """The oracle: the slope after each epoch, and the mean loss in each, in NumPy's float64."""
    slopes, losses = [], []
    for _ in range(epochs):
        squares = []
        for x, y in batches:
            x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
            squares += list(((slope * x - y) ** 2).flat)
            slope -= lr * np.mean(2 * (slope * x - y) * x)
        slopes.append(slope)
        losses.append(np.mean(squares))
    return slopes, losses


# One step


def test_a_step_by_hand():
    """A step moves the parameters against their gradients, and returns the loss and the output.

    For a Linear(1, 1) with weight 1 and bias 0, x [1, 2] and y [3, 6] the loss is 10 and the gradients are -10 and -6,
    so a step with lr 0.1 gives 2 and 0.6.
    """
    model = Linear(1, 1)
    model.load_state_dict({"weight": tensor([[1.0]]), "bias": tensor([0.0])})
    trainer = Trainer(model, mse_loss, SGD(model.parameters(), lr=0.1))
    loss, output = trainer.train_step(*batch(*PAIR))
    assert_close(model.weight, np.array([[2.0]], np.float32), "the weight")
    assert_close(model.bias, np.array([0.6], np.float32), "the bias")
    assert_close(loss, np.array(10.0, np.float32), "the loss")
    assert_close(output, np.array([[1.0], [2.0]], np.float32), "the output")


def test_gradients_of_the_last_step_are_forgotten():
    """Each step uses the gradient of its own batch only: three steps equal those of a loop by hand."""
    trainer, batches = line_trainer(lr=0.05), [PAIR, ([[1.0]], [[0.0]]), PAIR]
    for each in batches:
        trainer.train_step(*batch(*each))
    assert_close(float(trainer.model.slope.data[0]), walk(1.0, batches, 0.05)[0][0], "the slope", rtol=1e-5)


def test_gradients_from_elsewhere_are_forgotten():
    """A gradient from before the first step does not count: 1 becomes 2."""
    trainer = line_trainer()
    trainer.model.slope.grad = tensor([70.0])
    trainer.train_step(*batch(*PAIR))
    assert_close(trainer.model.slope, np.array([2.0], np.float32), "the slope")


def test_a_step_is_clipped():
    """With clip_grad_norm=2 the gradient -10 counts as -2: the slope goes from 1 to 1.2 with lr 0.1."""
    trainer = line_trainer(clip_grad_norm=2.0)
    trainer.train_step(*batch(*PAIR))
    assert_close(trainer.model.slope, np.array([1.2], np.float32), "the slope")


def test_a_norm_of_zero_is_a_norm():
    """clip_grad_norm=0.0 is not None: every gradient is clipped to 0, and nothing moves."""
    trainer = line_trainer(clip_grad_norm=0.0)
    trainer.train_step(*batch(*PAIR))
    assert_close(trainer.model.slope, np.array([1.0], np.float32), "the slope")


def test_the_scheduler_steps_after_the_optimizer():
    """With scheduler_interval="step" each step of the optimizer is followed by one of the scheduler.

    For a gradient that is always -1, the rates 1, 0.5 and 0.25 make 1.75.
    """
    model = Line(0.0)
    optimizer = SGD(model.parameters(), lr=1.0)
    trainer = Trainer(model, lambda out, y: -out.mean(), optimizer, StepLR(optimizer, 1, 0.5), "step")
    for expected in (1.0, 1.5, 1.75):
        trainer.train_step(*batch([[1.0]], [[0.0]]))
        assert_close(model.slope, np.array([expected], np.float32), "the slope")


def test_the_interval_is_epoch_or_step():
    """A scheduler_interval "batch" is a ValueError that names it."""
    with raises(ValueError, "batch"):
        line_trainer(scheduler_interval="batch")


# Looking without learning


def test_evaluating_records_nothing_and_drops_nothing():
    """In `with evaluating(model):` every module is in eval mode, and results do not require grad."""
    model = Sequential(Line(), Dropout(0.5))
    with evaluating(model):
        modes = [module.training for module in (model, model[0], model[1])]
        output = model(tensor([[1.0]]))
    assert_equal(modes, [False, False, False], "`training` of each module inside")
    assert_equal(output.requires_grad, False, "whether the output requires grad")


@pytest.mark.parametrize("modes", [[True, True, False], [False, True, False]])
def test_afterwards_each_module_is_as_it_was(modes):
    """Each module gets back its own mode, which may be eval mode, and gradients are recorded again."""
    model = Sequential(Line(), Dropout(0.5))
    for module, mode in zip((model, model[0], model[1]), modes, strict=True):
        module.training = mode
    with evaluating(model):
        pass
    found = [module.training for module in (model, model[0], model[1])]
    assert_equal(found, modes, "`training` of each module afterwards")
    assert_equal(model(tensor([[1.0]])).requires_grad, True, "whether the output requires grad afterwards")


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_error_inside_changes_nothing(error):
    """An error of the block, or Ctrl-C, goes on to the caller, and the modes come back all the same."""
    model = Line()
    with raises(error, "stop"), evaluating(model):
        raise error("stop")
    assert_equal(model.training, True, "`training` after an error")
    assert_equal(
        model(tensor([[1.0]])).requires_grad, True, "whether the output requires grad after an error"
    )


# Epochs


def test_an_epoch_is_a_step_for_every_batch():
    """train_epoch makes a step for every batch, in order, and gives the mean loss: {"loss": ...}."""
    batches = [PAIR, ([[1.0], [-1.0]], [[0.0], [1.0]])]
    trainer = line_trainer()
    numbers = trainer.train_epoch([batch(*each) for each in batches])
    slopes, losses = walk(1.0, batches, 0.1)
    assert_close(float(trainer.model.slope.data[0]), slopes[0], "the slope", rtol=1e-5)
    assert_equal(sorted(numbers), ["loss"], "what is measured")
    assert_equal(type(numbers["loss"]), float, "the type of the loss")
    assert_close(numbers["loss"], losses[0], "the loss", rtol=1e-5)


def test_a_smaller_batch_counts_less():
    """The mean is one over samples: a batch of 3 with loss 0 and one of 1 with loss 8 make 2, in training and after."""
    batches = [batch([[0.0]] * 3, [[0.0]] * 3), batch([[0.0]], [[math.sqrt(8)]])]
    trainer = line_trainer(metrics={"rows": lambda out, y: float(len(y))})
    for numbers in (trainer.train_epoch(batches), trainer.evaluate(batches)):
        assert_close(numbers["loss"], 2.0, "the loss", rtol=1e-5)
        assert_close(numbers["rows"], 2.5, "a metric that is 3 for the first batch and 1 for the second")


def test_metrics_see_the_output_and_the_target():
    """Each metric is a function of the model's output and y, and its mean stands under its name."""
    metrics = {"sum": lambda out, y: float(out.data.sum()), "target": lambda out, y: float(y.data.sum())}
    numbers = line_trainer(metrics=metrics).train_epoch([batch(*PAIR)])
    assert_equal(sorted(numbers), ["loss", "sum", "target"], "what is measured")
    assert_close([numbers["sum"], numbers["target"]], [3.0, 9.0], "the metrics, of the model before the step")


def test_training_is_in_train_mode_and_evaluation_is_not():
    """The model is in train mode while it learns and in eval mode while it is evaluated, whatever it was before."""
    trainer = line_trainer()
    trainer.model.eval()
    trainer.train_epoch([batch(*PAIR)])
    trainer.evaluate([batch(*PAIR)])
    assert_equal(trainer.model.modes, [True, False], "`training` during train_epoch and during evaluate")


def test_evaluate_leaves_everything_as_it_was():
    """evaluate changes no parameter and no gradient, and leaves each module in the mode that it had before."""
    model = Sequential(Line(), Dropout(0.5))
    trainer = Trainer(model, mse_loss, SGD(model.parameters(), lr=0.1))
    model.train()
    model[1].eval()
    slope = model[0].slope
    slope.grad = tensor([7.0])
    with unchanged(slope, slope.grad):
        numbers = trainer.evaluate([batch(*PAIR)])
    assert_close(numbers["loss"], 10.0, "the loss")
    assert_equal(
        [m.training for m in (model, model[0], model[1])], [True, True, False], "`training` of each module"
    )


def test_evaluate_leaves_the_mode_even_after_an_error():
    """If a batch raises an error, that error is raised, and the model is in train mode again."""
    trainer = line_trainer()
    trainer.model.train()
    with raises(ValueError):
        trainer.evaluate([batch([[1.0]], [[1.0], [2.0]])])
    assert_equal(trainer.model.training, True, "`training` afterwards")
    output = trainer.model(tensor([[1.0]]))
    assert_equal(output.requires_grad, True, "whether a new output requires grad afterwards")


def test_evaluate_and_metrics_are_not_recorded():
    """While a model is evaluated nothing is recorded, nor is what metrics compute in training."""
    losses, metrics = [], []

    def loss_fn(out, y):
        loss = mse_loss(out, y)
        losses.append(loss.requires_grad)
        return loss

    def metric(out, y):
        metrics.append((out * 2.0).requires_grad)
        return 0.0

    model = Line()
    trainer = Trainer(model, loss_fn, SGD(model.parameters(), lr=0.1), metrics={"metric": metric})
    trainer.train_epoch([batch(*PAIR)])
    assert_equal(metrics, [False], "requires_grad of what the metric computed, in training")
    losses.clear()
    metrics.clear()
    trainer.evaluate([batch(*PAIR)])
    assert_equal(losses, [False], "requires_grad of the loss, in evaluate")
    assert_equal(metrics, [False], "requires_grad of what the metric computed, in evaluate")


def test_predict_gives_all_outputs():
    """predict gives the outputs for all batches, concatenated, in eval mode, not recorded."""
    trainer = line_trainer(slope=2.0)
    output = trainer.predict([batch(*PAIR), batch([[5.0]], [[0.0]])])
    assert_close(output, np.array([[2.0], [4.0], [10.0]], np.float32), "the outputs")
    assert_equal(output.requires_grad, False, "whether they require grad")
    assert_equal(trainer.model.modes, [False, False], "`training` meanwhile")


def test_predict_leaves_the_mode_as_it_was():
    """After predict each module is in the mode that it had before, also if a batch raises an error."""

    def broken():
        yield batch(*PAIR)
        raise ValueError("the disk is gone")

    model = Sequential(Line(), Dropout(0.5))
    trainer = Trainer(model, mse_loss, SGD(model.parameters(), lr=0.1))
    model.train()
    model[1].eval()
    trainer.predict([batch(*PAIR)])
    modes = [module.training for module in (model, model[0], model[1])]
    assert_equal(modes, [True, True, False], "`training` of each module after predict")
    with raises(ValueError, "the disk is gone"):
        trainer.predict(Again(broken))
    modes = [module.training for module in (model, model[0], model[1])]
    assert_equal(modes, [True, True, False], "`training` of each module after an error in predict")


def test_no_batches_are_an_error():
    """train_epoch, evaluate and predict without any batch are ValueErrors; the last two leave the mode as it was."""
    for name in ("train_epoch", "evaluate", "predict"):
        trainer = line_trainer()
        with raises(ValueError):
            getattr(trainer, name)([])
        assert_equal(trainer.model.training, True, f"`training` after {name}")


# fit


def test_fit_by_hand():
    """Three epochs over two batches give the slope and the history of a loop by hand; fit returns the history."""
    batches = [PAIR, ([[1.0]], [[0.0]])]
    trainer = line_trainer(lr=0.05)
    history = trainer.fit([batch(*each) for each in batches], epochs=3)
    slopes, losses = walk(1.0, batches, 0.05, epochs=3)
    assert_close(float(trainer.model.slope.data[0]), slopes[-1], "the slope", rtol=1e-5)
    assert history is trainer.history, "fit gave another history than trainer.history"
    assert_close(history["train_loss"], losses, "train_loss", rtol=1e-5)
    assert_equal(trainer.epoch, 3, "the number of finished epochs")


def test_the_history_has_a_number_for_every_epoch():
    """The names are lr, seconds, and train_ and val_ before loss and each metric; no val_ without a validation set."""
    train, val = [batch(*PAIR)], [batch([[1.0]], [[1.0]])]
    metrics = {"one": lambda out, y: 1.0}
    began = time.monotonic()
    history = line_trainer(metrics=metrics).fit(train, val, epochs=2)
    elapsed = time.monotonic() - began
    names = ["lr", "seconds", "train_loss", "train_one", "val_loss", "val_one"]
    assert_equal(sorted(history), names, "the list of the names in the history")
    for name, values in history.items():
        assert_equal([type(value) for value in values], [float, float], f"the list of the types in {name}")
    seconds = history["seconds"]
    assert min(seconds) >= 0 and math.fsum(seconds) <= elapsed, f"seconds are {seconds}, fit took {elapsed}"
    assert_equal(
        sorted(line_trainer().fit(train, epochs=1)),
        ["lr", "seconds", "train_loss"],
        "the list of the names without val",
    )


def test_validation_comes_after_the_epoch():
    """val_loss is that of the model at the end of each epoch, over the whole validation set."""
    held_out = [([[1.0], [2.0]], [[0.0], [0.0]]), ([[3.0]], [[1.0]])]
    history = line_trainer(lr=0.05).fit([batch(*PAIR)], [batch(*each) for each in held_out], epochs=3)
    slopes, _ = walk(1.0, [PAIR], 0.05, epochs=3)
    expected = [(s**2 + (2 * s) ** 2 + (3 * s - 1) ** 2) / 3 for s in slopes]
    assert_close(history["val_loss"], expected, "val_loss", rtol=1e-5)


def test_an_empty_validation_set_is_an_error():
    """val=[] is not None: fit raises a ValueError instead of silently leaving validation out."""
    with raises(ValueError):
        line_trainer().fit([batch(*PAIR)], [], epochs=1)


def test_the_rate_in_the_history_is_the_first_group_s():
    """For an optimizer with two groups, with rates 0.1 and 0.2, "lr" in the history is 0.1."""
    model = Linear(1, 1)
    groups = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.2}]
    trainer = Trainer(model, mse_loss, SGD(groups, lr=0.1))
    assert_close(trainer.fit([batch(*PAIR)])["lr"], [0.1], "lr in the history")


def test_the_scheduler_steps_once_an_epoch():
    """By default the scheduler steps after each epoch; "lr" in the history is that with which the epoch began."""
    model = Line()
    optimizer = SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, mse_loss, optimizer, StepLR(optimizer, 1, 0.5))
    history = trainer.fit([batch(*PAIR), batch(*PAIR)], epochs=3)
    assert_close(history["lr"], [0.1, 0.05, 0.025], "lr in the history")
    assert_close(optimizer.param_groups[0]["lr"], 0.0125, "the rate after three epochs")
    slope = 1.0
    for lr in history["lr"]:
        slope = walk(slope, [PAIR, PAIR], lr)[0][0]
    assert_close(float(model.slope.data[0]), slope, "the slope", rtol=1e-5)


def test_epochs_are_counted_in_all():
    """`epochs` counts from the start of the run: fit(epochs=2) and then fit(epochs=5) make 5 epochs, not 7."""
    trainer = line_trainer(lr=0.01)
    for epochs, finished in ((2, 2), (5, 5), (5, 5), (1, 5)):
        trainer.fit([batch(*PAIR)], epochs=epochs)
        assert_equal(trainer.epoch, finished, f"the number of finished epochs after fit(epochs={epochs})")
        assert_equal(len(trainer.history["train_loss"]), finished, "the length of the history")


@pytest.mark.parametrize("place", ["train", "val"])
def test_an_iterator_is_refused(place):
    """A generator, or iter(list), is used up after one epoch: a TypeError that names its type, before training."""
    trainer = line_trainer()
    batches = {"train": [batch(*PAIR)], "val": [batch(*PAIR)]}
    for iterator, name in (
        (iter([batch(*PAIR)]), "list_iterator"),
        ((each for each in [batch(*PAIR)]), "generator"),
    ):
        with unchanged(trainer.model.slope), raises(TypeError, name):
            trainer.fit(**{**batches, place: iterator}, epochs=2)
    assert_equal(trainer.epoch, 0, "the number of finished epochs")


def test_whatever_can_be_gone_through_again_will_do():
    """Batches may come from any object with __iter__; steps_per_epoch is its length, None where it has none."""
    trainer = line_trainer()
    history = trainer.fit(Again(lambda: [batch(*PAIR)] * 2), Again(lambda: [batch(*PAIR)]), epochs=2)
    assert_equal(len(history["val_loss"]), 2, "the length of val_loss")
    assert_equal(trainer.steps_per_epoch, None, "steps_per_epoch without a length")
    trainer.fit([batch(*PAIR)] * 3, epochs=3)
    assert_equal(trainer.steps_per_epoch, 3, "steps_per_epoch of a list of 3")


def test_callbacks_are_told():
    """Every hook is called at its time; on_checkpoint comes after on_epoch_end of every callback."""
    seen = []
    trainer = line_trainer(callbacks=[Log(seen), Log(seen)])
    trainer.fit([batch(*PAIR), batch([[1.0]], [[0.0]])], [batch(*PAIR)], epochs=2)
    expected = ["fit starts", "fit starts"]
    for epoch in (1, 2):
        expected += [f"epoch starts after {epoch - 1}"] * 2 + ["step of 2"] * 2 + ["step of 1"] * 2
        expected += [f"epoch {epoch} ends"] * 2 + [f"checkpoint {epoch}"] * 2
    assert_equal(
        seen,
        [*expected, "fit ends", "fit ends"],
        "the list of the hooks that were called, each of both callbacks",
    )


def test_a_callback_is_told_the_loss_of_a_step():
    """on_step_end gets the loss of the step as a float, and how many samples it had."""
    told = []

    class Told(Callback):
        def on_step_end(self, trainer, loss, samples):
            told.append((loss, samples))

    line_trainer(callbacks=[Told()]).fit([batch(*PAIR), batch([[0.0]], [[2.0]])])
    assert_equal([type(loss) for loss, _ in told], [float, float], "the list of the types of the losses")
    assert_close([loss for loss, _ in told], [10.0, 4.0], "the losses")
    assert_equal([samples for _, samples in told], [2, 1], "the list of the numbers of samples")


def test_a_callback_sees_the_whole_epoch():
    """In on_epoch_end the history has the epoch's numbers, the epoch is counted, and the scheduler has stepped."""
    seen = []

    class Look(Callback):
        def on_epoch_end(self, trainer):
            rate = trainer.optimizer.param_groups[0]["lr"]
            seen.append((trainer.epoch, {len(values) for values in trainer.history.values()}, rate))

    model = Line()
    optimizer = SGD(model.parameters(), lr=1.0)
    trainer = Trainer(model, mse_loss, optimizer, StepLR(optimizer, 1, 0.5), callbacks=[Look()])
    with no_warnings():
        trainer.fit([batch([[0.1]], [[0.0]])], epochs=2)
    assert_equal(seen, [(1, {1}, 0.5), (2, {2}, 0.25)], "the list of epoch, lengths in the history, and rate")


def test_a_callback_can_stop_the_run():
    """trainer.stopped = True ends the run after that epoch.

    on_checkpoint and on_fit_end are still called, and a later fit makes no epoch.
    """
    seen = []

    class Stop(Callback):
        def on_epoch_end(self, trainer):
            trainer.stopped = trainer.epoch == 2

    trainer = line_trainer(lr=0.01, callbacks=[Stop(), Log(seen)])
    trainer.fit([batch(*PAIR)], epochs=5)
    assert_equal(trainer.epoch, 2, "the number of finished epochs")
    assert_equal(seen[-3:], ["epoch 2 ends", "checkpoint 2", "fit ends"], "the list of the last hooks")
    trainer.fit([batch(*PAIR)], epochs=5)
    assert_equal(trainer.epoch, 2, "the number of finished epochs after another fit")
