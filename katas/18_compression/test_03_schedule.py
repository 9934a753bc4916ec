"""A little more at each step: the others have time to take over."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import Again, assert_close, assert_equal, raises
from tinytorch.compression import GradualPruning, cubic_sparsity, l1_unstructured, prunable, sparsity
from tinytorch.layers import Linear, ReLU, Sequential
from tinytorch.losses import mse_loss
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import Callback, ModelCheckpoint, Trainer

X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


def test_the_schedule_by_hand():
    """From 0 to 0.8 in four steps: 0, 0.4625, 0.7, 0.7875 and 0.8. Most goes at first, when most says little."""
    shares = [cubic_sparsity(step, 0.8, begin=0, end=4) for step in range(5)]
    assert_close(shares, [0, 0.4625, 0.7, 0.7875, 0.8], "the shares at the steps 0 to 4")


def test_before_and_after_the_schedule():
    """Up to step `begin` the share is `initial`, from step `end` on it is `final`."""
    shares = [cubic_sparsity(step, 0.9, begin=10, end=20, initial=0.1) for step in (0, 10, 20, 1000)]
    assert_close(shares, [0.1, 0.1, 0.9, 0.9], "the shares at the steps 0, 10, 20 and 1000")


@given(begin=st.integers(0, 5), length=st.integers(1, 9), step=st.integers(0, 16))
def test_the_rest_falls_with_the_third_power(begin, length, step):
    """Of what is still to be removed, the part that is left falls from 1 to 0 with the third power of the time left."""
    share = cubic_sparsity(step, 0.7, begin, begin + length, initial=0.2)
    time_left = np.interp(step, [begin, begin + length], [1, 0])
    assert_close((0.7 - share) / 0.5, time_left * time_left * time_left, "the part that is left", atol=1e-9)


def test_a_schedule_ends_after_it_begins():
    """An `end` that is not larger than `begin` is a ValueError with both."""
    for refused in (
        lambda: cubic_sparsity(3, 0.5, begin=7, end=7),
        lambda: GradualPruning([(Linear(2, 2), "weight")], 0.5, begin=7, end=7),
    ):
        with raises(ValueError, 7):
            refused()


def test_pruning_every_0_steps_is_refused():
    """every=0 is a ValueError that names it, and no parameter has got a mask."""
    layer = Linear(2, 2)
    with raises(ValueError, 0):
        GradualPruning([(layer, "weight")], 0.5, begin=0, end=4, every=0)
    assert "weight" in layer.state_dict(), "the layer has got a mask"


def test_masks_are_there_from_the_beginning():
    """A new GradualPruning gives every parameter a mask of ones: so the names of the state never change."""
    model = Sequential(Linear(4, 3), ReLU(), Linear(3, 1))
    GradualPruning(prunable(model), 0.5, begin=100, end=200)
    names = ["0.bias", "0.weight_mask", "0.weight_orig", "2.bias", "2.weight_mask", "2.weight_orig"]
    assert_equal(sorted(model.state_dict()), names, "the names of the state")
    assert_equal(sparsity(prunable(model)), 0.0, "the sparsity")


class Watching(Callback):
    """Notes how many weights of the model are 0 after each step."""

    def __init__(self, parameters):
        self.parameters, self.zeros = parameters, []

    def on_step_end(self, trainer, loss, samples):
        self.zeros.append(round(sparsity(self.parameters) * 15))


def run(pruning, model, epochs=1, steps=8, callbacks=()):
    """Train on `steps` batches an epoch; gives how many of the 15 weights are 0 after each step."""
    batches = [(Tensor(X[i % 8 : i % 8 + 1]), Tensor(X[i % 8 : i % 8 + 1, :1])) for i in range(steps)]
    watching = Watching(prunable(model))
    trainer = Trainer(
        model, mse_loss, Adam(model.parameters(), lr=0.01), callbacks=[pruning, watching, *callbacks]
    )
    trainer.fit(batches, epochs=epochs)
    return watching.zeros


def model_of_15_weights():
    manual_seed(2)
    return Sequential(Linear(4, 3), ReLU(), Linear(3, 1))


def test_a_trainer_prunes_at_every_step():
    """On the way to a share of 0.6, from step 2 to step 6, the zeros among 15 weights are 0, 5, 8, 9 and 9."""
    model = model_of_15_weights()
    zeros = run(GradualPruning(prunable(model), 0.6, begin=2, end=6), model)
    assert_equal(zeros, [0, 0, 5, 8, 9, 9, 9, 9], "the number of zeros after each step")


def test_a_trainer_prunes_every_third_step_and_at_the_end():
    """With every=3 it prunes at the steps 1 and 4, and at the end, 6, though that is not a third step."""
    model = model_of_15_weights()
    zeros = run(GradualPruning(prunable(model), 0.8, begin=1, end=6, every=3), model)
    assert_equal(zeros, [0, 0, 0, 11, 11, 12, 12, 12], "the number of zeros after each step")


def test_it_begins_with_the_initial_share():
    """With initial=0.4, step `begin` masks 6 of 15 weights at once."""
    model = model_of_15_weights()
    zeros = run(GradualPruning(prunable(model), 0.8, begin=1, end=3, initial=0.4), model, steps=3)
    assert_equal(zeros, [6, 11, 12], "the number of zeros after each step")


def test_more_zeros_than_wanted_stay():
    """A model of which 13 of 15 weights are gone before keeps them gone, and loses no more."""
    model = model_of_15_weights()
    l1_unstructured(model[0], "weight", 1.0)
    l1_unstructured(model[2], "weight", 1)
    zeros = run(GradualPruning(prunable(model), 0.8, begin=1, end=4), model, steps=5)
    assert_equal(zeros, [13] * 5, "the number of zeros after each step")


def test_a_weight_that_is_0_by_itself_is_no_zero_of_a_mask():
    """With four weights at 0 by themselves, 0.4 of 15 are still six zeros in the masks, those four among them."""
    model = model_of_15_weights()
    model[0].weight.data[0] = 0.0
    pruning = GradualPruning(prunable(model), 0.4, begin=1, end=2)
    pruning.steps = 1
    pruning.on_step_end(None, 0.0, 1)
    masks = [layer.weight_mask.data for layer in (model[0], model[2])]
    assert_equal(sum(int((mask == 0).sum()) for mask in masks), 6, "the number of zeros in the masks")
    assert_close(masks[0][0], np.zeros(4, np.float32), "the mask of the weights that are 0")


def test_the_smallest_of_that_moment_go():
    """At each step the weights that are smallest then go, over all layers: what training has moved counts."""
    model = model_of_15_weights()
    pruning = GradualPruning(prunable(model), 1 / 15, begin=1, end=2)
    model[2].weight_orig.data[...] = 1.0
    model[0].weight_orig.data[...] = np.arange(12.0).reshape(3, 4) + 2
    model[0].weight_orig.data[1, 2] = 0.5
    pruning.steps = 1
    pruning.on_step_end(None, 0.0, 1)
    mask = np.ones((3, 4), np.float32)
    mask[1, 2] = 0
    assert_close(model[0].weight_mask, mask, "the mask of the first layer")
    assert_close(model[2].weight_mask, np.ones((1, 3), np.float32), "the mask of the second layer")


def test_a_run_is_resumed_in_the_middle_of_its_schedule(tmp_path):
    """A run that is stopped after one epoch and resumed ends with the weights and masks of one that was not stopped."""

    def night(epochs):
        model = model_of_15_weights()
        pruning = GradualPruning(prunable(model), 0.8, begin=2, end=10)
        trainer = Trainer(
            model, mse_loss, Adam(model.parameters(), lr=0.01), callbacks=[pruning, ModelCheckpoint(tmp_path)]
        )
        trainer.resume(tmp_path)
        batch = (Tensor(X), Tensor(X[:, :1]))
        trainer.fit(Again(lambda: [batch] * 6), epochs=epochs)
        return model.state_dict()

    night(1)
    resumed = night(2)
    for path in tmp_path.iterdir():
        path.unlink()
    for name, value in night(2).items():
        assert_close(resumed[name], value.data, f"{name} of the resumed run", rtol=0, atol=0)


@pytest.mark.parametrize(("share", "zeros"), [(0.6, 9), (1.0, 15)])
def test_all_weights_may_go(share, zeros):
    """A final share of 1.0 leaves none of 15 weights, and one of 0.6 leaves 6."""
    model = model_of_15_weights()
    counts = run(GradualPruning(prunable(model), share, begin=0, end=2), model, steps=2)
    assert_equal(counts[-1], zeros, "the number of zeros at the end")
