"""The same on a GPU, or on its strict stand-in."""

import numpy as np

from dojo.spec import assert_close, assert_equal, on_device, to_numpy
from tinytorch.compression import (
    LoRALinear,
    channel_scores,
    count_macs,
    distill,
    factorize,
    global_unstructured,
    load_sparse,
    low_rank,
    magnitude_mask,
    prunable,
    rank_for_energy,
    remove,
    remove_channels,
    save_sparse,
    sparsity,
)
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor

X = np.random.default_rng(0).standard_normal((4, 2, 5, 5)).astype(np.float32)
W = ((np.arange(24) * 7 % 23 - 11) / 8).reshape(4, 6).astype(np.float32)


def convolutions():
    manual_seed(0)
    return Sequential(Conv2d(2, 6, 3), BatchNorm2d(6), ReLU(), Flatten(), Linear(54, 3))


def everywhere(device, compute):
    """compute(put, place) on the CPU and on the device gives the same, and there it stays on the device."""
    results = {
        place: compute(lambda array, place=place: Tensor(on_device(array, place)), place)
        for place in ("cpu", device)
    }
    assert type(results[device].data) is type(on_device(X, device)), "the result left the device"
    assert_close(results[device], to_numpy(results["cpu"]), "the result on the device", rtol=1e-3, atol=1e-4)


def test_masks_on_the_device(device):
    """A mask is made where its weight is, with an earlier mask and without."""
    everywhere(device, lambda put, place: magnitude_mask(put(W), 0.5))
    everywhere(device, lambda put, place: magnitude_mask(put(W), 3, magnitude_mask(put(W), 0.5)))


def test_a_pruned_model_on_the_device(device):
    """Pruned on a GPU, a model computes there with its masks; and masks move with the model."""

    def pruned_there(put, place):
        model = convolutions().to(place)
        global_unstructured(prunable(model), 0.5)
        assert_close(sparsity(prunable(model)), 0.5, "the sparsity", atol=0.01)
        return model(put(X))

    def pruned_before(put, place):
        model = convolutions()
        global_unstructured(prunable(model), 0.5)
        return remove(model.to(place)[0], "weight")(put(X))

    everywhere(device, pruned_there)
    everywhere(device, pruned_before)


def test_channels_are_removed_on_the_device(device):
    """Scores, channels and the optimizer's state stay on the GPU."""

    def removed(put, place):
        model = convolutions().to(place)
        optimizer = Adam(model.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            (model(put(X)) * model(put(X))).sum().backward()
            optimizer.step()
            if model[0].out_channels == 6:
                remove_channels(model, 0, 0.5, optimizer=optimizer)
        return channel_scores(model[0])

    everywhere(device, removed)


def test_thin_matrices_on_the_device(device):
    """A matrix is decomposed where it is, and the thin layers are there too."""

    def product(put, place):
        left, right = factorize(put(W), rank_for_energy(put(W), 0.9))
        return left @ right

    def thin(put, place):
        manual_seed(0)
        return low_rank(Linear(50, 30).to(place), 4)(put(X.reshape(4, 50)))

    everywhere(device, product)
    everywhere(device, thin)


def test_an_adapter_on_the_device(device):
    """A LoRALinear around a layer on the GPU is there as a whole, and merges there."""

    def adapted(put, place):
        manual_seed(0)
        layer = LoRALinear(Linear(6, 4).to(place), r=2)
        layer.lora_A.weight.data[...] = put(W[:2]).data
        layer.lora_B.weight.data[...] = put(W[:, :2]).data
        before = layer(put(W))
        layer.merge()
        assert_close(layer(put(W)), to_numpy(before), "the output after merging", rtol=1e-3, atol=1e-4)
        return before

    everywhere(device, adapted)


def test_distillation_on_the_device(device):
    """Student and teacher on the GPU: the student learns there."""

    def taught(put, place):
        manual_seed(0)
        student, teacher = Linear(6, 3).to(place), Linear(6, 3).to(place)
        batches = [(put(W), put(np.array([0, 2, 1, 1])))]
        distill(student, teacher, batches, Adam(student.parameters(), lr=0.1))
        return student.weight

    everywhere(device, taught)


def test_costs_on_the_device(device, tmp_path):
    """What is saved from a GPU is read on the CPU; multiply-adds are counted anywhere."""
    layer = Linear(40, 20).to(device)
    layer.weight.data[1:] = 0
    save_sparse(layer.state_dict(), tmp_path / "file")
    loaded = load_sparse(tmp_path / "file")["weight"]
    assert_close(loaded, to_numpy(layer.weight), "the weight")
    assert_equal(
        count_macs(layer, Tensor(on_device(np.zeros((3, 40), np.float32), device))), 2400, "the products"
    )
