"""What runs beside the training: EarlyStopping and ProgressBar."""

import io
import math
import re
import sys

from dojo.spec import Again, assert_close, assert_equal, raises
from tinytorch.layers import Buffer, Module, Parameter
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD
from tinytorch.tensor import tensor
from tinytorch.training import Callback, EarlyStopping, ProgressBar, Trainer, improves, latest


class Counter(Module):
    """A model whose weight and buffer count its steps: 1, 2, 3, ..."""

    def __init__(self):
        self.weight = Parameter(tensor([0.0]))
        self.seen = Buffer(tensor([0.0]))

    def forward(self, x):
        if self.training:
            self.seen.add_(1.0)
        return x * self.weight


def minus_mean(output, y):
    """A loss whose gradient is always -1 for an input of 1: with lr 1 each step adds 1 to the weight."""
    return -output.mean()


BATCH = ([[1.0]], [[0.0]])


def counting_trainer(callbacks, values=()):
    """A trainer in which val_score is the next of `values` after each epoch, and an epoch is one step."""
    scores = iter(values)

    model = Counter()

    def score(output, y):
        return 0.0 if model.training else next(scores)

    return Trainer(
        model, minus_mean, SGD(model.parameters(), lr=1.0), metrics={"score": score}, callbacks=callbacks
    )


def run(values, epochs=None, **options):
    """The trainer after a run that EarlyStopping watches, and the callback."""
    stopping = EarlyStopping("val_score", **options)
    trainer = counting_trainer([stopping], values)
    batches = [(tensor(BATCH[0]), tensor(BATCH[1]))]
    trainer.fit(batches, batches, epochs=len(values) if epochs is None else epochs)
    return trainer, stopping


# Better or not


def test_improves_by_hand():
    """With "min" 1 improves on 2 and neither 2 nor 3 does; with "max" it is the other way round."""
    assert_equal([improves(v, 2.0, "min") for v in (1.0, 2.0, 3.0)], [True, False, False], 'with "min"')
    assert_equal([improves(v, 2.0, "max") for v in (1.0, 2.0, 3.0)], [False, False, True], 'with "max"')


def test_improves_by_more_than_min_delta():
    """With min_delta=0.5, 1.5 is no improvement on 2, and 1.25 is; with "max" neither is 2.5, and 2.75 is."""
    answers = [improves(v, 2.0, "min", 0.5) for v in (1.5, 1.25)]
    answers += [improves(v, 2.0, "max", 0.5) for v in (2.5, 2.75)]
    assert_equal(answers, [False, True, False, True], "whether 1.5, 1.25, 2.5 and 2.75 improve on 2")


def test_nan_never_improves():
    """nan improves on nothing, in either mode; the first number improves on infinity."""
    answers = [
        improves(math.nan, best, mode) for best in (1.0, math.inf, -math.inf) for mode in ("min", "max")
    ]
    assert_equal(answers, [False] * 6, "whether nan improves")
    assert_equal(improves(1e300, math.inf, "min"), True, "whether 1e300 improves on inf")


def test_the_mode_is_min_or_max():
    """A mode "auto" is a ValueError that names it."""
    with raises(ValueError, "auto"):
        improves(1.0, 2.0, "auto")
    with raises(ValueError, "auto"):
        EarlyStopping(mode="auto")


def test_latest_is_the_newest_number():
    """latest(trainer, "val_loss") is the last number in that list of the history.

    An unknown name is a KeyError with that name and the names in the history.
    """
    trainer = counting_trainer([])
    trainer.history = {"train_loss": [9.0, 8.0], "val_loss": [3.0, 2.0]}
    assert_equal(latest(trainer, "val_loss"), 2.0, "the latest val_loss")
    with raises(KeyError, "val_acc", "train_loss", "val_loss"):
        latest(trainer, "val_acc")


# EarlyStopping


def test_a_run_without_improvement_is_stopped():
    """With patience=2, scores 5, 4, 6, 4, 3 stop the run after the fourth: 6 and 4 do not improve on 4."""
    trainer, stopping = run([5.0, 4.0, 6.0, 4.0, 3.0], patience=2)
    assert_equal(trainer.epoch, 4, "the number of epochs")
    assert_equal(trainer.stopped, True, "trainer.stopped")
    assert_equal(stopping.best, 4.0, "the best score")
    assert_equal(stopping.wait, 2, "the number of epochs since")


def test_an_improvement_starts_the_count_anew():
    """With patience=2, scores 5, 6, 4, 5, 3, 4 do not stop the run: never two in a row without improvement."""
    trainer, stopping = run([5.0, 6.0, 4.0, 5.0, 3.0, 4.0], patience=2)
    assert_equal(trainer.epoch, 6, "the number of epochs")
    assert_equal(stopping.wait, 1, "the number of epochs since the best one")


def test_patience_is_3_by_default():
    """By default val_loss is watched, and three epochs in a row without improvement stop the run."""
    stopping = EarlyStopping()
    assert_equal(
        (stopping.monitor, stopping.patience, stopping.mode),
        ("val_loss", 3, "min"),
        "the tuple of the defaults",
    )
    trainer, _ = run([1.0, 2.0, 2.0, 2.0, 2.0])
    assert_equal(trainer.epoch, 4, "the number of epochs with scores 1, 2, 2, 2, 2")


def test_more_is_better_with_max():
    """With mode="max" and patience=1, scores 1, 2, 3, 2 stop the run after the fourth."""
    trainer, stopping = run([1.0, 2.0, 3.0, 2.0, 9.0], mode="max", patience=1)
    assert_equal(trainer.epoch, 4, "the number of epochs")
    assert_equal(stopping.best, 3.0, "the best score")


def test_a_small_improvement_is_none():
    """With min_delta=1 and patience=2, scores 5, 4.5, 4.25 stop the run: neither is 1 below 5."""
    trainer, stopping = run([5.0, 4.5, 4.25, 1.0], min_delta=1.0, patience=2)
    assert_equal(trainer.epoch, 3, "the number of epochs")
    assert_equal(stopping.best, 5.0, "the best score")


def test_scores_of_nan_stop_the_run():
    """nan is no improvement: with patience=2, scores 5, nan, nan stop the run."""
    trainer, stopping = run([5.0, math.nan, math.nan, 1.0], patience=2)
    assert_equal(trainer.epoch, 3, "the number of epochs")
    assert_equal(stopping.best, 5.0, "the best score")
    trainer, _ = run([math.nan, 5.0, 4.0], patience=2)
    assert_equal(trainer.epoch, 3, "the number of epochs with scores nan, 5, 4")


def test_early_stopping_takes_no_stop_back():
    """What something else has stopped stays stopped: `trainer.stopped` never becomes False again."""

    class Enough(Callback):
        def on_epoch_end(self, trainer):
            trainer.stopped = True

    trainer = counting_trainer([Enough(), EarlyStopping("val_score", patience=2)], [math.nan, 5.0])
    batches = [(tensor(BATCH[0]), tensor(BATCH[1]))]
    trainer.fit(batches, batches, epochs=2)
    assert_equal(trainer.epoch, 1, "the number of epochs")


def test_the_best_weights_come_back():
    """With restore_best the model has the weights and buffers of its best epoch, here the second, when fit ends."""
    trainer, _ = run([5.0, 4.0, 6.0, 7.0], patience=2, restore_best=True)
    assert_equal(trainer.epoch, 4, "the number of epochs")
    assert_close(trainer.model.weight, tensor([2.0]).data, "the weight")
    assert_close(trainer.model.seen, tensor([2.0]).data, "the buffer")


def test_the_best_weights_come_back_when_time_is_up():
    """The best weights come back also if the run was not stopped, but not without restore_best."""
    trainer, _ = run([5.0, 4.0, 6.0], patience=5, restore_best=True)
    assert_close(trainer.model.weight, tensor([2.0]).data, "the weight with restore_best")
    trainer, _ = run([5.0, 4.0, 6.0], patience=5)
    assert_close(trainer.model.weight, tensor([3.0]).data, "the weight without")


def test_patience_is_at_least_1():
    """A patience of 0 is a ValueError that names it."""
    with raises(ValueError, 0):
        EarlyStopping(patience=0)


def test_what_is_watched_must_be_there():
    """A monitor that is not in the history is a KeyError with its name and the names in the history."""
    trainer = counting_trainer([EarlyStopping("val_loss")])
    with raises(KeyError, "val_loss", "train_loss"):
        trainer.fit([(tensor(BATCH[0]), tensor(BATCH[1]))])


def test_the_state_of_early_stopping():
    """A new EarlyStopping with the state of an old one stops when that would have stopped, and has its best weights."""
    _, old = run([5.0, 4.0, 6.0], patience=2, restore_best=True)
    new = EarlyStopping("val_score", patience=2, restore_best=True)
    new.load_state_dict(old.state_dict())
    trainer = counting_trainer([new], [7.0, 8.0])
    batches = [(tensor(BATCH[0]), tensor(BATCH[1]))]
    trainer.fit(batches, batches, epochs=2)
    assert_equal(trainer.epoch, 1, "the number of epochs: the one before the stop counts")
    assert_equal(new.best, 4.0, "the best score")
    assert_close(trainer.model.weight, tensor([2.0]).data, "the weight, of the best epoch before the stop")
    plain = run([5.0, 4.0], patience=2)[1].state_dict()
    assert_equal(plain, {"best": 4.0, "wait": 0, "weights": {}}, "the state without restore_best")


# ProgressBar


def screen(terminal):
    """A stream that keeps what is written, and says whether it is a terminal."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    return stream


def four_batches():
    """Four batches of 5 samples each."""
    return [(tensor([[1.0]] * 5), tensor([[0.0]] * 5))] * 4


def ticking(seconds):
    """A clock that advances by so many seconds each time that it is read."""
    now = [0.0]

    def clock():
        now[0] += seconds
        return now[0]

    return clock


def watched(batches, terminal, epochs=1):
    """What a ProgressBar writes during a run."""
    stream = screen(terminal)
    model = Counter()
    bar = ProgressBar(stream, clock=ticking(1.0), width=8)
    Trainer(model, mse_loss, SGD(model.parameters(), lr=0.0), callbacks=[bar]).fit(batches, epochs=epochs)
    return stream.getvalue()


def test_a_log_has_a_line_for_each_epoch():
    """If the stream is no terminal, ProgressBar writes one line for each epoch, with each number of the history."""
    lines = watched(four_batches(), terminal=False, epochs=2).splitlines()
    assert_equal(len(lines), 2, "the number of lines")
    for number, line in enumerate(lines, 1):
        assert line.startswith(f"epoch {number}: "), f"line {number} is {line!r}"
        for word in ("lr 0", "train_loss 0", "seconds "):
            assert word in line, f"line {number} should hold {word!r}, it is {line!r}"
        names = [each.split(" ")[0] for each in line.partition(": ")[2].split(", ")]
        assert_equal(sorted(names), ["lr", "seconds", "train_loss"], f"the names in line {number}")
    assert "\r" not in "".join(lines), "there is a carriage return in what is no terminal"


def test_the_bar_goes_to_stderr(monkeypatch):
    """Without a stream, ProgressBar writes to sys.stderr."""
    stream, model = screen(False), Counter()
    monkeypatch.setattr(sys, "stderr", stream)
    Trainer(model, mse_loss, SGD(model.parameters(), lr=0.0), callbacks=[ProgressBar()]).fit(four_batches())
    assert stream.getvalue().startswith("epoch 1: "), f"sys.stderr got {stream.getvalue()!r}"


def test_a_terminal_has_a_line_that_grows():
    """On a terminal the line is written again after each step, after a carriage return: half a bar after 2 of 4."""
    text = watched(four_batches(), terminal=True)
    parts = text.split("\r")[1:]
    assert_equal(len(parts), 5, "how often the line is written: four steps, and the end of the epoch")
    for number, bar in enumerate(("[==      ] 1/4", "[====    ] 2/4", "[======  ] 3/4", "[========] 4/4")):
        assert f"epoch 1 {bar} loss 0.0000 " in parts[number], (
            f"after step {number + 1} it is {parts[number]!r}"
        )
    assert parts[4].startswith("epoch 1: ") and parts[4].endswith("\n"), f"the last one is {parts[4]!r}"


def test_the_speed_and_the_time_left():
    """The line shows the loss of the last batch, the samples per second, and the time left at that speed."""
    now, model = [100.0], Counter()
    bar = ProgressBar(screen(True), clock=lambda: now[0], width=8)
    trainer = Trainer(model, mse_loss, SGD(model.parameters(), lr=0.0), callbacks=[bar])
    trainer.steps_per_epoch = 4
    bar.on_epoch_start(trainer)
    now[0] += 60.0
    bar.on_step_end(trainer, 0.5, 60)
    first = "epoch 1 [==      ] 1/4 loss 0.5000 1 samples/s 3:00 left"
    assert_equal(bar.line(trainer), first, "the line after a minute")
    bar.on_step_end(trainer, 0.25, 240)
    second = "epoch 1 [====    ] 2/4 loss 0.2500 5 samples/s 1:00 left"
    assert_equal(bar.line(trainer), second, "the line after the second step, at the same moment")
    trainer.steps_per_epoch = 2
    last = "epoch 1 [========] 2/2 loss 0.2500 5 samples/s 0:00 left"
    assert_equal(bar.line(trainer), last, "the line if the second step is the last")
    trainer.steps_per_epoch = 5
    bar.on_epoch_start(trainer)
    now[0] += 0.5
    bar.on_step_end(trainer, 0.5, 60)
    third = "epoch 1 [=       ] 1/5 loss 0.5000 120 samples/s 0:02 left"
    assert_equal(bar.line(trainer), third, "the line half a second into another epoch")


def seen_on(terminal):
    """The lines that a terminal shows: after a carriage return, new text replaces the old text."""
    lines, column = [""], 0
    for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.|\n", terminal, re.DOTALL):
        if token == "\r":
            column = 0
        elif token == "\n":
            lines.append("")
            column = 0
        elif token in ("\x1b[K", "\x1b[0K"):
            lines[-1] = lines[-1][:column]
        elif token == "\x1b[2K":
            lines[-1] = " " * column
        else:
            assert len(token) == 1, (
                f"the escape sequence {token!r} was written, which not every terminal knows"
            )
            lines[-1] = lines[-1][:column].ljust(column) + token + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def test_nothing_stays_of_a_longer_line():
    """On a terminal a line replaces the one before, which may have been longer: nothing of it remains."""
    stream, model = screen(True), Counter()
    bar = ProgressBar(stream, clock=ticking(1.0), width=8)
    trainer = Trainer(model, mse_loss, SGD(model.parameters(), lr=0.0), callbacks=[bar])
    trainer.steps_per_epoch = 4
    bar.on_epoch_start(trainer)
    for loss, words in ((12345678.0, "loss 12345678.0000 "), (0.5, "loss 0.5000 ")):
        bar.on_step_end(trainer, loss, 5)
        line = seen_on(stream.getvalue())[-1]
        assert words in line and re.search(r" \d+:\d\d left$", line), f"the terminal shows {line!r}"
    trainer.epoch, trainer.history = 1, {"lr": [0.5]}
    bar.on_epoch_end(trainer)
    assert_equal(seen_on(stream.getvalue()), ["epoch 1: lr 0.5", ""], "what the terminal shows in the end")


def test_without_a_length_there_is_no_bar():
    """If the number of steps is not known, the line counts them: "epoch 1 2 steps loss ..."."""
    parts = watched(Again(four_batches), terminal=True).split("\r")[1:]
    assert parts[1].startswith("epoch 1 2 steps loss 0.0000 "), f"after step 2 it is {parts[1]!r}"
    assert "left" not in parts[1], f"after step 2 it is {parts[1]!r}"
