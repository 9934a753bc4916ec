"""Kata 18 beside PyTorch: masks, of one layer and of several and in training; the rest beside a few lines of theirs."""

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional
from torch.nn.utils import prune as theirs
from torch.utils.flop_counter import FlopCounterMode

from tests.parity.beside import compare, drawn
from tinytorch import compression as ours
from tinytorch.layers import Linear, Sequential
from tinytorch.optimizers import SGD, Adam
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor

SHAPES = [(4, 6), (3, 8), (5, 3)]


def layers():
    """Linears of theirs and ours with the same weights."""
    pairs = []
    for seed, shape in enumerate(SHAPES):
        (weight,), (bias,) = (
            drawn(shape, dtype=np.float32, seed=seed),
            drawn(shape[:1], dtype=np.float32, seed=9),
        )
        mine, other = Linear(shape[1], shape[0]), torch.nn.Linear(shape[1], shape[0])
        mine.weight.data[...], mine.bias.data[...] = weight, bias
        with torch.no_grad():
            other.weight.copy_(torch.tensor(weight))
            other.bias.copy_(torch.tensor(bias))
        pairs.append((mine, other))
    return pairs


def same_masks(mine, other):
    np.testing.assert_array_equal(mine.weight_mask.data, other.weight_mask.numpy())
    np.testing.assert_array_equal(mine.weight.data, other.weight.detach().numpy())
    assert sorted(mine.state_dict()) == sorted(other.state_dict())


@pytest.mark.parametrize("amount", [0, 1, 5, 0.0, 0.3, 0.5, 1.0])
def test_l1_unstructured(amount):
    for mine, other in layers():
        for _ in range(2 if amount not in (5, 1.0) else 1):  # how_many of what is left, the second time
            ours.l1_unstructured(mine, "weight", amount)
            theirs.l1_unstructured(other, "weight", amount)
            same_masks(mine, other)
        assert ours.is_pruned(mine) == theirs.is_pruned(other)


def test_magnitude_mask():
    for mine, other in layers():
        expected = theirs.L1Unstructured(0.4).compute_mask(other.weight, torch.ones_like(other.weight))
        np.testing.assert_array_equal(ours.magnitude_mask(mine.weight, 0.4).data, expected.numpy())


@pytest.mark.parametrize("amount", [7, 0.5])
def test_global_unstructured(amount):
    pairs = layers()
    for _ in range(2):
        ours.global_unstructured([(mine, "weight") for mine, _ in pairs], amount)
        theirs.global_unstructured(
            [(other, "weight") for _, other in pairs], theirs.L1Unstructured, amount=amount
        )
        for mine, other in pairs:
            same_masks(mine, other)
    zeros = sum(int((other.weight == 0).sum()) for _, other in pairs) / sum(a * b for a, b in SHAPES)
    assert ours.sparsity([(mine, "weight") for mine, _ in pairs]) == pytest.approx(zeros)


def test_custom_from_mask_and_masked_forward_in_training():
    mine, other = layers()[0]
    optimizers = (
        SGD(mine.parameters(), lr=0.1, momentum=0.9),
        torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9),
    )
    x, mask = drawn((5, 6), (4, 6), dtype=np.float32)
    mask = (mask > 0).astype(np.float32)
    ours.custom_from_mask(mine, "weight", Tensor(mask))
    theirs.custom_from_mask(other, "weight", torch.tensor(mask))
    for _ in range(4):
        for model, optimizer, make in ((mine, optimizers[0], Tensor), (other, optimizers[1], torch.tensor)):
            optimizer.zero_grad()
            out = model(make(x))
            (out * out).sum().backward()
            optimizer.step()
        np.testing.assert_allclose(
            mine.weight_orig.grad.data, other.weight_orig.grad.numpy(), rtol=1e-4, atol=1e-4
        )
    np.testing.assert_allclose(
        ours.masked_forward(mine, Tensor(x)).data, other(torch.tensor(x)).detach(), rtol=1e-3
    )
    ours.remove(mine, "weight")
    theirs.remove(other, "weight")
    assert sorted(mine.state_dict()) == sorted(other.state_dict())
    np.testing.assert_allclose(mine.weight.data, other.weight.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("amount", [-0.1, 1.5, -1, 10**6, "0.5"])
def test_the_same_amounts_are_refused(amount):
    mine, other = layers()[0]
    for prune, layer in ((ours, mine), (theirs, other)):
        with pytest.raises((ValueError, TypeError)):
            prune.l1_unstructured(layer, "weight", amount)
    if not isinstance(amount, str) and amount != 10**6:
        with pytest.raises(ValueError):
            ours.how_many(amount, 24)


@pytest.mark.parametrize("n", [1.0, 2.0])
def test_channel_scores_are_those_of_ln_structured(n):
    """What ln_structured would mask has the smallest of our scores."""
    (weight,) = drawn((6, 3, 2, 2), dtype=np.float32)
    mine, other = Conv2d(3, 6, 2), torch.nn.Conv2d(3, 6, 2)
    mine.weight.data[...] = weight
    with torch.no_grad():
        other.weight.copy_(torch.tensor(weight))
    theirs.ln_structured(other, "weight", amount=2, n=n, dim=0)
    gone = np.flatnonzero((other.weight_mask.numpy() == 0).all(axis=(1, 2, 3)))
    np.testing.assert_array_equal(np.sort(np.argsort(ours.channel_scores(mine, n).data)[:2]), gone)


def test_factorize_and_rank_for_energy():
    for seed, shape in enumerate(SHAPES):
        (weight,) = drawn(shape, seed=seed)
        u, s, vh = torch.linalg.svd(torch.tensor(weight), full_matrices=False)
        left, right = ours.factorize(Tensor(weight), 2)
        np.testing.assert_allclose(left.data @ right.data, (u[:, :2] * s[:2] @ vh[:2]).numpy(), atol=1e-10)
        share = float((s[:2] ** 2).sum() / (s**2).sum())
        assert ours.rank_for_energy(Tensor(weight), share - 1e-6) == 2
        assert ours.rank_for_energy(Tensor(weight), share + 1e-6) == 3


@pytest.mark.parametrize(("temperature", "alpha"), [(1.0, 1.0), (4.0, 0.9), (8.0, 0.3), (0.5, 0.0)])
def test_distillation_loss(temperature, alpha):
    target = np.array([0, 3, 1])

    def other(student, teacher):
        soft = functional.kl_div(
            functional.log_softmax(student / temperature, -1),
            functional.softmax(teacher.detach() / temperature, -1),
            reduction="batchmean",
        )
        hard = functional.cross_entropy(student, torch.tensor(target))
        return alpha * temperature**2 * soft + (1 - alpha) * hard + 0 * teacher.sum()

    compare(
        lambda student, teacher: (
            ours.distillation_loss(student, teacher, Tensor(target), temperature, alpha) + 0 * teacher.sum()
        ),
        other,
        *drawn((3, 4), (3, 4)),
    )


def test_a_teacher_with_a_class_of_0():
    student, teacher = drawn((2, 3), (2, 3))
    teacher[:, 1] = -np.inf
    expected = functional.kl_div(
        functional.log_softmax(torch.tensor(student), -1),
        functional.softmax(torch.tensor(teacher), -1),
        reduction="batchmean",
    )
    mine = ours.distillation_loss(Tensor(student), Tensor(teacher), temperature=1.0, alpha=1.0)
    np.testing.assert_allclose(mine.data, expected.numpy())


def convolutions():
    """The same small network of ours and of theirs, with random weights and statistics."""
    parts = [(Conv2d, (2, 6, 3)), (BatchNorm2d, (6,)), (Conv2d, (6, 3, 2))]
    mine = Sequential(*(part(*args) for part, args in parts)).to(np.float64)
    other = torch.nn.Sequential(*(getattr(torch.nn, part.__name__)(*args) for part, args in parts)).double()
    for seed, (name, value) in enumerate(mine.state_dict().items()):
        if value.dtype.kind == "f":
            value.data[...] = np.abs(drawn(value.shape, seed=seed)[0])
            other.state_dict()[name].copy_(torch.tensor(value.data))
    return mine, other


def test_remove_channels_is_slicing_and_training_goes_on():
    """By keep_entries, keep_outputs and keep_inputs, what is left moves as if it had been cut out there by hand."""
    mine, other = convolutions()
    (x,) = drawn((4, 2, 5, 5))
    optimizer, theirs_optimizer = (
        Adam(mine.parameters(), lr=0.01),
        torch.optim.Adam(other.parameters(), lr=0.01),
    )

    def step():
        optimizer.zero_grad(), theirs_optimizer.zero_grad()
        for out in (mine(Tensor(x)), other(torch.tensor(x))):
            (out * out).sum().backward()
        optimizer.step(), theirs_optimizer.step()

    step()
    keep = ours.remove_channels(mine, 0, 0.5, optimizer=optimizer).data
    for layer, axis in ((other[0], 0), (other[1], 0), (other[2], 1)):
        for name, each in [*layer.named_parameters(), *layer.named_buffers()]:
            if each.ndim > axis and (axis == 0 or name == "weight"):
                for held in (each, *theirs_optimizer.state.get(each, {}).values()):
                    if held.ndim > axis:
                        held.data = held.data.index_select(axis, torch.tensor(keep))
                each.grad = None
    step()
    for name, value in mine.state_dict().items():
        if name != "0.bias":  # behind it is a batch norm, so its gradient is rounding only
            np.testing.assert_allclose(value.data, other.state_dict()[name].numpy(), rtol=1e-6, err_msg=name)


def test_low_rank_by_replace_linears():
    mine, other = layers()[0]
    model = Sequential(mine)
    ours.replace_linears(model, lambda layer: ours.low_rank(layer, 2))
    u, s, vh = torch.linalg.svd(other.weight, full_matrices=False)
    (x,) = drawn((5, 6), dtype=np.float32)
    expected = functional.linear(torch.tensor(x), u[:, :2] * s[:2] @ vh[:2], other.bias).detach().numpy()
    np.testing.assert_allclose(model(Tensor(x)).data, expected, rtol=1e-4, atol=1e-5)


def test_LoRALinear_learns_what_theirs_learns():
    """Two steps of add_lora's adapters, then merge, by merge_and_unload."""
    mine, other = layers()[0]
    model = ours.add_lora(Sequential(mine), r=2, alpha=4)
    assert isinstance(model[0], ours.LoRALinear)
    (x,) = drawn((5, 6), dtype=np.float32)
    a, b = (
        torch.tensor(each.weight.data.copy(), requires_grad=True)
        for each in (model[0].lora_A, model[0].lora_B)
    )
    optimizers = (
        SGD([p for p in model.parameters() if p.requires_grad], lr=0.01),
        torch.optim.SGD([a, b], lr=0.01),
    )

    def adapted():
        return other(torch.tensor(x)) + 2 * functional.linear(functional.linear(torch.tensor(x), a), b)

    for _ in range(2):
        for out, optimizer in ((model(Tensor(x)), optimizers[0]), (adapted(), optimizers[1])):
            optimizer.zero_grad()
            (out * out).sum().backward()
            optimizer.step()
    expected = adapted().detach().numpy()
    np.testing.assert_allclose(model(Tensor(x)).data, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.merge_and_unload(model)(Tensor(x)).data, expected, rtol=1e-3, atol=1e-4)


def test_distill():
    mine, other = layers()[0]
    teacher, theirs_teacher = layers()[0]
    teacher.weight.data[...] *= 2
    with torch.no_grad():
        theirs_teacher.weight.mul_(2)
    (x,) = drawn((5, 6), dtype=np.float32)
    y = np.array([0, 3, 1, 2, 2])
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    for _ in range(3):
        loss = ours.distill(mine, teacher, [(Tensor(x), Tensor(y))], SGD(mine.parameters(), lr=0.1), 2.0, 0.6)
        optimizer.zero_grad()
        student = other(torch.tensor(x))
        soft = functional.kl_div(
            functional.log_softmax(student / 2, -1),
            functional.softmax(theirs_teacher(torch.tensor(x)).detach() / 2, -1),
            reduction="batchmean",
        )
        expected = 0.6 * 4 * soft + 0.4 * functional.cross_entropy(student, torch.tensor(y))
        expected.backward()
        optimizer.step()
        assert loss == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("initial", [0.0, 0.2])
def test_cubic_sparsity_is_PolynomialLR(initial):
    """The part that is still to be removed falls as a learning rate with the power 3."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.8 - initial)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=5, power=3)
    for step in range(8):
        left = optimizer.param_groups[0]["lr"]
        assert ours.cubic_sparsity(10 + step, 0.8, 10, 15, initial) == pytest.approx(0.8 - left)
        optimizer.step()
        scheduler.step()


def test_GradualPruning_is_theirs_step_by_step():
    pairs = layers()
    pruning = ours.GradualPruning([(mine, "weight") for mine, _ in pairs], 0.7, begin=1, end=4)
    for step in range(1, 6):
        pruning.on_step_end(None, 0.0, 1)
        gone = sum(int((other.weight == 0).sum()) for _, other in pairs)
        more = round(ours.cubic_sparsity(step, 0.7, 1, 4) * sum(a * b for a, b in SHAPES)) - gone
        theirs.global_unstructured(
            [(other, "weight") for _, other in pairs], theirs.L1Unstructured, amount=more
        )
        for mine, other in pairs:
            same_masks(mine, other)


def test_save_sparse_and_load_sparse(tmp_path):
    """Their library reads the file, and finds the values that their sparse layout has."""
    (array,) = drawn((30, 40), dtype=np.float32)
    array[array < 1] = 0
    ours.save_sparse({"w": Tensor(array)}, tmp_path / "file")
    parts = safetensors.torch.load_file(tmp_path / "file")
    expected = torch.tensor(array).to_sparse_coo().coalesce().values()
    np.testing.assert_array_equal(parts["values:w"].numpy(), expected.numpy())
    np.testing.assert_array_equal(ours.load_sparse(tmp_path / "file")["w"].data, array)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2}, {"dilation": 2}])
def test_count_macs_is_half_of_FlopCounterMode(options):
    mine = Sequential(Conv2d(2, 6, 3, **options), BatchNorm2d(6), Conv2d(6, 3, 2))
    other = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, **options), torch.nn.BatchNorm2d(6), torch.nn.Conv2d(6, 3, 2)
    )
    (x,) = drawn((4, 2, 8, 8), dtype=np.float32)
    with FlopCounterMode(display=False) as counter:
        other(torch.tensor(x))
    assert 2 * ours.count_macs(mine, Tensor(x)) == counter.get_total_flops()
