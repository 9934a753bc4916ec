"""The trainer waits for its data: the same epoch a sample at a time, a batch at a time, and ahead of time."""

import threading

import numpy as np

from dojo.spec import assert_equal
from tinytorch.dataloader import DataLoader, Dataset
from tinytorch.layers import Linear, linear_backward
from tinytorch.losses import mse_loss_backward
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

N, BATCH = 64, 8
ONE = np.array(1, np.float32)


class Disk(Dataset):
    """64 samples that are slow to read: `journeys` counts the reads, and `read[i]` is set when batch i was read."""

    def __init__(self):
        generator = np.random.default_rng(0)
        self.x = generator.standard_normal((N, 3)).astype(np.float32)
        self.y = self.x @ np.array([[1.0], [-2.0], [0.5]], np.float32)
        self.journeys = 0
        self.read = [threading.Event() for _ in range(N // BATCH)]

    def travel(self, samples):
        before, self.journeys = self.journeys, self.journeys + 1
        batch = (before + 1) * samples // BATCH - 1
        if batch >= 0:
            self.read[batch].set()

    def __getitem__(self, index):
        self.travel(1)
        return self.x[index], self.y[index]

    def __len__(self):
        return N


class BulkDisk(Disk, Dataset):
    """The same, with one journey for a whole batch."""

    def __getitems__(self, indices):
        self.travel(len(indices))
        return self.x[indices], self.y[indices]


def learn(disk, patience, **options):
    """One epoch. Gives the weight, and for each batch whether the next one was read while the model learned from it."""
    manual_seed(0)
    model, idle = Linear(3, 1), []
    optimizer = SGD(model.parameters(), lr=0.1)
    for n, (x, y) in enumerate(DataLoader(disk, BATCH, shuffle=True, **options)):
        d_out = mse_loss_backward(ONE, model(x).data, y.data)
        _, d_weight, d_bias = linear_backward(d_out, x.data, model.weight.data)
        model.weight.grad, model.bias.grad = Tensor(d_weight), Tensor(d_bias)
        optimizer.step()
        if n + 1 < N // BATCH:
            idle.append(disk.read[n + 1].wait(patience))  # the rest of the learning
    return model.weight.data, idle


def test_one_sample_at_a_time():
    """An epoch of 64 samples takes 64 journeys, none of them while the model learns."""
    disk = Disk()
    _, ahead = learn(disk, patience=0.005)
    assert_equal(disk.journeys, N, "the number of journeys")
    assert_equal(ahead, [False] * 7, "whether the next batch was read while the model learned")


def test_one_batch_at_a_time():
    """Read a batch at a time, the epoch takes 8 journeys, and the model learns the same weights, bit by bit."""
    expected, _ = learn(Disk(), patience=0)
    disk = BulkDisk()
    weight, _ = learn(disk, patience=0)
    assert_equal(disk.journeys, N // BATCH, "the number of journeys")
    assert_equal(weight.tolist(), expected.tolist(), "the weight after the epoch")


def test_ahead_of_time():
    """With one worker every batch except the first is read while the model learns; the weights are the same."""
    expected, _ = learn(Disk(), patience=0)
    weight, ahead = learn(BulkDisk(), patience=3, num_workers=1)
    assert_equal(ahead, [True] * 7, "whether the next batch was read while the model learned")
    assert_equal(weight.tolist(), expected.tolist(), "the weight after the epoch")
