"""The same on a GPU, or on its strict stand-in."""

import numpy as np

from dojo.spec import assert_close, assert_equal, on_device
from tinytorch.layers import Dropout, Linear, Parameter, Sequential, Tanh
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import (
    EarlyStopping,
    Trainer,
    accuracy,
    clip_grad_norm_,
    clip_grad_value_,
    load,
    pack,
    save,
    top_k_accuracy,
    unpack,
)

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 3)).astype(np.float32), RNG.integers(0, 2, 12)


def batches(device):
    return [
        (Tensor(on_device(X[i : i + 5], device)), Tensor(on_device(Y[i : i + 5], device))) for i in (0, 5, 10)
    ]


def a_run(device, p=0.5, seed=0, callbacks=()):
    """A trainer of a small net on the device, with the same weights as on the CPU."""
    manual_seed(seed)
    model = Sequential(Linear(3, 4), Tanh(), Dropout(p), Linear(4, 2)).to(device)
    optimizer = Adam(model.parameters(), lr=0.05)
    metrics = {"accuracy": accuracy}
    return Trainer(model, cross_entropy, optimizer, metrics=metrics, clip_grad_norm=0.5, callbacks=callbacks)


def kind_of(device):
    return type(on_device(X, device))


def test_clipping_stays_on_the_device(device):
    """Gradients on a GPU are clipped there, and the norm is a Tensor there."""
    p = Parameter(on_device(np.zeros(2, np.float32), device))
    for kind in (2.0, float("inf")):
        p.grad = Tensor(on_device(np.array([3.0, 4.0], np.float32), device))
        norm = clip_grad_norm_([p], 1.0, norm_type=kind)
        assert type(norm.data) is kind_of(device), "the norm left the device"
        assert type(p.grad.data) is kind_of(device), "the gradient left the device"
        expected = 5.0 if kind == 2.0 else 4.0
        assert_close(norm, np.array(expected, np.float32), "the norm")
        assert_close(p.grad, np.array([3.0, 4.0], np.float32) / np.float32(expected), "the gradient")
    clip_grad_value_([p], 0.25)
    assert_close(p.grad, np.array([0.25, 0.25], np.float32), "the gradient after clip_grad_value_")


def test_metrics_look_at_the_device(device):
    """Logits and targets on a GPU give a Python float."""
    logits = Tensor(on_device(np.array([[1.0, 3.0, 2.0], [5.0, 2.0, 4.0]], np.float32), device))
    target = Tensor(on_device(np.array([1, 2]), device))
    assert_equal(
        [accuracy(logits, target), top_k_accuracy(logits, target, 2)],
        [0.5, 1.0],
        "the pair of accuracy and top 2",
    )


def test_a_file_knows_no_device(device, tmp_path):
    """What is saved from a GPU is loaded to the CPU by default, and with `device` to that device."""
    save({"x": Tensor(on_device(X, device))}, tmp_path / "a")
    assert type(load(tmp_path / "a")["x"].data) is np.ndarray, "what is loaded is not on the CPU"
    back = load(tmp_path / "a", device=device)["x"]
    assert type(back.data) is kind_of(device), "what is loaded with `device` is not there"
    assert_close(back, X, "the Tensor", rtol=0, atol=0)


def test_a_packed_state_is_on_the_cpu(device):
    """pack brings Tensors and arrays to the CPU."""
    state = {"w": Tensor(on_device(X, device)), "m": on_device(X, device)}
    tensors, text = pack(state)
    assert_equal(
        {type(each.data) for each in tensors.values()},
        {np.ndarray},
        "the set of the types of the packed arrays",
    )
    assert_close(unpack(tensors, text)["m"], X, "the array", rtol=0, atol=0)


def test_a_run_on_the_device_is_that_on_the_cpu(device):
    """Without dropout the losses and weights are the CPU's, and the weights stay on the device."""
    here, there = a_run("cpu", p=0.0), a_run(device, p=0.0)
    here.fit(batches("cpu"), batches("cpu"), epochs=2)
    there.fit(batches(device), batches(device), epochs=2)
    assert_close(there.history["val_loss"], here.history["val_loss"], "val_loss", rtol=1e-4)
    for name, value in here.model.state_dict().items():
        moved = there.model.state_dict()[name]
        assert type(moved.data) is kind_of(device), f"{name} left the device"
        assert_close(moved, value.data, name, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_goes_from_device_to_device(device, tmp_path):
    """A run that was saved on a GPU can be resumed on the CPU, and the other way round."""
    for source, target in ((device, "cpu"), ("cpu", device)):
        first, second = a_run(source, p=0.0), a_run(target, p=0.0, seed=1)
        first.fit(batches(source), epochs=1)
        first.save_checkpoint(tmp_path / "run")
        second.load_checkpoint(tmp_path / "run")
        first.fit(batches(source), epochs=2)
        second.fit(batches(target), epochs=2)
        for name, value in first.model.state_dict().items():
            moved = second.model.state_dict()[name]
            assert type(moved.data) is kind_of(target), f"{name} left the device"
            assert_close(moved.to("cpu"), value.to("cpu").data, name, rtol=1e-4, atol=1e-5)


def test_dropout_on_the_device_is_resumed(device, tmp_path):
    """A run with dropout on a GPU is resumed exactly.

    The state of a GPU's generator cannot be read, so each epoch makes a new one, from a seed that the CPU's draws.
    """
    unstopped = a_run(device)
    unstopped.fit(batches(device), epochs=3)
    first = a_run(device)
    first.fit(batches(device), epochs=1)
    first.save_checkpoint(tmp_path / "run")
    second = a_run(device, seed=9)
    second.load_checkpoint(tmp_path / "run")
    second.fit(batches(device), epochs=3)
    for name, value in unstopped.model.state_dict().items():
        assert_close(
            second.model.state_dict()[name], value.data, f"{name} of the resumed run", rtol=0, atol=0
        )


def test_the_epochs_on_a_device_are_not_alike(device):
    """Each epoch has another dropout: even with lr 0, train_loss differs from epoch to epoch."""
    trainer = a_run(device)
    trainer.optimizer.param_groups[0]["lr"] = 0.0
    losses = trainer.fit(batches(device), epochs=4)["train_loss"]
    assert len(set(losses)) > 1, f"train_loss is {losses}: the same dropout in every epoch"


def test_the_best_weights_come_back_to_the_device(device):
    """EarlyStopping keeps and restores weights on a GPU, even after its state was saved and loaded."""
    stopping = EarlyStopping("lr", patience=1, restore_best=True)
    trainer = a_run(device, callbacks=[stopping])
    best = {}
    for epochs in (1, 2):
        trainer.fit(batches(device), epochs=epochs)
        best = best or {
            name: value.to("cpu").numpy().copy() for name, value in trainer.model.state_dict().items()
        }
        stopping.load_state_dict(unpack(*pack(stopping.state_dict())))
    for name, value in trainer.model.state_dict().items():
        assert type(value.data) is kind_of(device), f"{name} left the device"
        assert_close(value, best[name], name, rtol=0, atol=0)
