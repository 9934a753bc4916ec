"""Kata 20 beside PyTorch."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DistributedSampler

from dojo.run.process import can_fork
from dojo.spec.child import in_child
from tinytorch import capstone
from tinytorch.benchmarking import spawn
from tinytorch.layers import Linear, ReLU, Sequential
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor
from tinytorch.training import OneCycleLR

forks = pytest.mark.skipif(not can_fork(), reason="this system has no fork")
random = np.random.default_rng(0)


# cifar --------------------------------------------------------------------------------------------------


def same_state(ours, theirs):
    """Load the state of a model of PyTorch into one of ours, by name."""
    ours.load_state_dict(
        {name: Tensor(each.detach().numpy().copy()) for name, each in theirs.state_dict().items()}
    )
    return ours


def convolutions():
    """The same network twice, in eval mode, with statistics of some use.

    Always the same: the largest weight of a channel lies half way between two integers, and of two right divisions one
    may round it up and the other one down.
    """
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.Conv2d(6, 4, 3, stride=2),
    )
    with torch.no_grad():
        theirs(torch.randn(50, 3, 8, 8) * 2 + 1)
        theirs[1].weight.uniform_(0.5, 2)
    ours = Sequential(Conv2d(3, 6, 3, padding=1), BatchNorm2d(6), ReLU(), Conv2d(6, 4, 3, stride=2))
    return same_state(ours, theirs).eval(), theirs.eval()


def test_fold_batch_norms():
    ours, theirs = convolutions()
    x = random.standard_normal((2, 3, 8, 8)).astype(np.float32)
    fused = torch.ao.quantization.fuse_modules(copy.deepcopy(theirs), [["0", "1"]])
    found, expected = capstone.fold_batch_norms(ours), fused(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found(Tensor(x)).data, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[0].weight.data, fused[0].weight.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_quantized_convolutions():
    """QuantizedConv2d.from_float, and quantize_network: the weight of PyTorch's quantize_per_channel, dequantized."""
    ours, theirs = convolutions()
    x = random.standard_normal((2, 3, 8, 8)).astype(np.float32)
    layer = capstone.QuantizedConv2d.from_float(ours[3])
    weight = theirs[3].weight.detach()
    scales = torch.from_numpy(layer.rows.scales.data.reshape(-1).copy())
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    on_grid = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
    np.testing.assert_array_equal(layer.rows.qweight.data.reshape(weight.shape), on_grid.int_repr().numpy())
    between = theirs[:3](torch.from_numpy(x)).detach()
    expected = torch.nn.functional.conv2d(between, on_grid.dequantize(), theirs[3].bias, stride=2)
    found = capstone.quantize_network(ours)[3](Tensor(between.numpy()))
    np.testing.assert_allclose(found.data, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_weight_averaging():
    """on_step_end and averaged: AveragedModel with the same decay, buffers included."""

    def average(mean, now, n):
        decay = min(0.9, (1 + n.item()) / (10 + n.item()))
        return decay * mean + (1 - decay) * now

    ours, theirs = convolutions()
    mean = AveragedModel(theirs, avg_fn=average, use_buffers=True)
    callback = capstone.WeightAveraging(0.9)
    for _ in range(12):
        with torch.no_grad():
            for each in theirs.state_dict().values():
                if each.dtype.is_floating_point:
                    each += torch.rand(each.shape)
        same_state(ours, theirs)
        mean.update_parameters(theirs)

        class Run:
            model = ours

        callback.on_step_end(Run(), 0.0, 1)  # type: ignore[arg-type]
    with callback.averaged(ours):
        for name, each in mean.module.state_dict().items():
            if each.dtype.is_floating_point:
                np.testing.assert_allclose(
                    ours.state_dict()[name].data, each.numpy(), rtol=1e-4, err_msg=name
                )


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_shares(ranks):
    """The samples of a batch that a process has are those that DistributedSampler gives it, without shuffle."""
    x = Tensor(np.arange(8))
    for rank in range(ranks):
        ((mine, _),) = capstone.shares([(x, x)], rank, ranks)
        sampler = DistributedSampler(range(8), ranks, rank, shuffle=False)
        np.testing.assert_array_equal(mine.data, list(sampler))


@forks
def test_average_buffers():
    """The mean over processes, as torch.mean of the buffers stacked."""
    values = random.standard_normal((2, 3)).astype(np.float32)

    def run():
        def function(group):
            norm = BatchNorm2d(3)
            norm.running_mean.data[...] = values[group.rank]
            capstone.average_buffers(norm, group)
            return norm.running_mean.data

        return {"found": spawn(function, timeout=10.0)[0]}

    np.testing.assert_allclose(in_child(run)["found"], torch.from_numpy(values).mean(0).numpy(), rtol=1e-6)


@forks
def test_data_parallel_training():
    """train_epoch, train_share and train_step in two processes: the steps of PyTorch in one, on the whole batches.

    That is what DistributedDataParallel promises, for equal shares.
    """
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    ours = same_state(Sequential(Linear(4, 8), ReLU(), Linear(8, 2)), theirs)
    batches = [
        (random.standard_normal((6, 4)).astype(np.float32), random.standard_normal((6, 2)).astype(np.float32))
        for _ in range(5)
    ]
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    for _ in range(2):
        for x, y in batches:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y)).backward()
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
            optimizer.step()
            scheduler.step()

    def run():
        optimizer = SGD(ours.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        trainer = capstone.ParallelTrainer(
            ours,
            mse_loss,
            optimizer,
            OneCycleLR(optimizer, max_lr=0.1, total_steps=10),
            "step",
            clip_grad_norm=0.5,
            timeout=10.0,
        )
        trainer.fit([(Tensor(x), Tensor(y)) for x, y in batches], None, 2)
        return {name: each.data for name, each in ours.named_parameters()}

    found = in_child(run)
    for name, each in theirs.named_parameters():
        np.testing.assert_allclose(found[name], each.detach().numpy(), rtol=1e-3, atol=1e-5, err_msg=name)
