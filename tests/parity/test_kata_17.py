"""Kata 17 beside PyTorch: bfloat16 bit by bit, the grids of its observers, its GradScaler, fused convolutions."""

import copy
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_model as their_load_model, save_model as their_save_model
from torch.ao.quantization import MinMaxObserver, MovingAverageMinMaxObserver, observer as theirs
from torch.ao.quantization.fx import _decomposed  # noqa: F401, it defines torch.ops.quantized_decomposed
from torch.nn.utils import fusion

from tests.parity.beside import compare, drawn
from tinytorch import precision as ours
from tinytorch.layers import Linear, Sequential
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor
from tinytorch.training import load_with_metadata

DTYPES = {(-128, 127): torch.qint8, (0, 255): torch.quint8}


def some(*shape, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) * 3).astype(np.float32)


# Floats


def test_to_bfloat16_and_from_bfloat16():
    rng = np.random.default_rng(0)
    bits = np.concatenate(
        [
            (np.arange(2**16, dtype=np.uint32) << 16) + right
            for right in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)
        ]
        + [rng.integers(0, 2**32, 200_000, dtype=np.uint32)]
    ).astype(np.uint32)
    x = bits.view(np.float32)
    expected = torch.from_numpy(x).to(torch.bfloat16)
    found = ours.to_bfloat16(x)
    number = ~np.isnan(x)
    np.testing.assert_array_equal(found[number], expected.view(torch.int16).numpy().view(np.uint16)[number])
    np.testing.assert_array_equal(ours.from_bfloat16(found), expected.float().numpy())


@pytest.mark.parametrize(
    ("form", "dtype"),
    [(ours.FLOAT32, torch.float32), (ours.FLOAT16, torch.float16), (ours.BFLOAT16, torch.bfloat16)],
)
def test_finfo(form, dtype):
    found, expected = ours.finfo(form), torch.finfo(dtype)
    for name in ("max", "smallest_normal", "eps"):
        assert getattr(found, name) == getattr(expected, name), name


def test_float_fields_and_float_value_of_every_bfloat16():
    bits = np.arange(2**16, dtype=np.uint16)
    expected = torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16).double().numpy()
    found = ours.float_value(*ours.float_fields(bits, ours.BFLOAT16), ours.BFLOAT16)
    np.testing.assert_array_equal(found, expected)


# Grids


@pytest.mark.parametrize("limits", DTYPES)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("shift", [-20, -1, 0, 1, 20])
def test_calculate_qparams_and_the_observer(limits, symmetric, shift):
    x = some(5, 7) + np.float32(shift)
    scheme = torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine
    peer = MinMaxObserver(dtype=DTYPES[limits], qscheme=scheme)
    mine = ours.MinMaxObserver(*limits, symmetric=symmetric)
    for part in (x, x / 2, x[:0]):
        mine(Tensor(part))
        peer(torch.tensor(part))
    scale, zero_point = peer.calculate_qparams()
    found = mine.calculate_qparams()
    np.testing.assert_allclose(found[0].item(), scale.item(), rtol=1e-6)
    assert found[1].item() == zero_point.item()
    assert sorted(mine.state_dict()) == sorted(set(peer.state_dict()) - {"eps"})


def test_the_observer_of_a_moving_average():
    peer = MovingAverageMinMaxObserver(averaging_constant=0.3, dtype=torch.qint8)
    mine = ours.MovingAverageMinMaxObserver(averaging_constant=0.3)
    for seed in range(4):
        peer(torch.tensor(some(5, seed=seed)))
        mine(Tensor(some(5, seed=seed)))
    np.testing.assert_allclose(mine.min_val.item(), peer.min_val.item(), rtol=1e-6)
    np.testing.assert_allclose(mine.max_val.item(), peer.max_val.item(), rtol=1e-6)


@pytest.mark.parametrize("limits", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("scale", [0.25, 0.02, 1.7])
def test_quantize_per_tensor_and_dequantize_per_tensor(limits, shape, scale):
    x = some(*shape) * 4
    expected = torch.quantize_per_tensor(torch.tensor(x), scale, 5, DTYPES[limits])
    q = ours.quantize_per_tensor(Tensor(np.asarray(x)), scale, 5, *limits)
    np.testing.assert_array_equal(q.data, expected.int_repr().numpy())
    assert q.data.dtype == expected.int_repr().numpy().dtype
    np.testing.assert_allclose(
        ours.dequantize_per_tensor(q, scale, 5).data, expected.dequantize().numpy(), rtol=1e-6
    )


def test_halves_and_what_lies_outside():
    x = np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 1e9, -1e9, math.inf, -math.inf], np.float32)
    expected = torch.ops.quantized_decomposed.quantize_per_tensor(
        torch.tensor(x), 1.0, 0, -128, 127, torch.int8
    )
    np.testing.assert_array_equal(ours.quantize_per_tensor(Tensor(x), 1.0).data, expected.numpy())


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("symmetric", [False, True])
def test_quantize_per_channel_and_dequantize_per_channel(axis, symmetric):
    x = some(2, 3, 4) * np.array([1, 10, 0.1], np.float32)[:, None]
    scheme = torch.per_channel_symmetric if symmetric else torch.per_channel_affine
    peer = theirs.PerChannelMinMaxObserver(ch_axis=axis, dtype=torch.qint8, qscheme=scheme)
    peer(torch.tensor(x))
    scales, zeros = peer.calculate_qparams()
    grids = ours.calculate_qparams(*ours.value_range(Tensor(x), axis), symmetric=symmetric)
    np.testing.assert_allclose(grids[0].data, scales.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(grids[1].data, zeros.numpy())
    expected = torch.quantize_per_channel(torch.tensor(x), scales, zeros, axis, torch.qint8)
    q = ours.quantize_per_channel(Tensor(x), *grids, axis)
    np.testing.assert_array_equal(q.data, expected.int_repr().numpy())
    back = ours.dequantize_per_channel(q, *grids, axis)
    np.testing.assert_allclose(back.data, expected.dequantize().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_value_range_is_aminmax_of_the_other_axes(axis):
    x = some(3, 4)
    expected = torch.aminmax(torch.tensor(x), dim=1 - axis % 2)
    for found, right in zip(ours.value_range(Tensor(x), axis), expected, strict=True):
        np.testing.assert_array_equal(found.data, right.numpy())


def test_quantize_rows_is_the_weight_observer_of_the_static_linear():
    """fbgemm puts a weight on a symmetric grid for each row too, as the default observer of its weights does."""
    w = some(6, 32)
    peer = torch.ao.quantization.default_per_channel_weight_observer()
    peer(torch.tensor(w))
    expected = torch.quantize_per_channel(torch.tensor(w), *peer.calculate_qparams(), 0, torch.qint8)
    q, scales = ours.quantize_rows(Tensor(w))
    differ = q.data != expected.int_repr().numpy()
    places = np.abs(w / scales.data)[differ]  # the largest entry of a row lies halfway between two steps
    np.testing.assert_allclose(places, 127.5, rtol=1e-6)
    back = ours.dequantize_rows(q, scales, 32)
    np.testing.assert_allclose(back.data[~differ], expected.dequantize().numpy()[~differ], rtol=1e-6)


# Layers and models


def their_linear(mine):
    theirs = torch.nn.Linear(*mine.weight.shape[::-1])
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(mine.weight.data))
        theirs.bias.copy_(torch.tensor(mine.bias.data))
    return theirs


def test_quantize_dynamic_is_near_theirs():
    """Theirs puts the inputs on a grid too, and has one grid for the whole matrix; both are near the float layer."""
    mine = Linear(64, 32)
    engine = next(each for each in torch.backends.quantized.supported_engines if each != "none")
    torch.backends.quantized.engine = engine
    peer = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(their_linear(mine)), dtype=torch.qint8)
    x = some(8, 64)
    quantized = ours.quantize_dynamic(mine)
    exact = mine(Tensor(x)).data
    errors = [
        np.abs(found - exact).mean() for found in (quantized(Tensor(x)).data, peer(torch.tensor(x)).numpy())
    ]
    assert errors[0] < errors[1] < 0.03 * np.abs(exact).mean()


def test_a_static_layer_computes_what_pytorch_s_reference_does():
    """StaticQuantizedLinear, by prepare and convert, beside a Linear of dequantized weights and inputs in PyTorch."""
    mine = Linear(64, 32)
    x = some(8, 64)
    watched = ours.prepare(mine)
    watched(Tensor(x))
    static = ours.convert(watched)
    scale, zero = static.input_scale.item(), int(static.input_zero_point.item())
    q = torch.quantize_per_tensor(torch.tensor(x), scale, zero, torch.qint8).dequantize()
    expected = torch.nn.functional.linear(q, torch.tensor(static.weight.data), torch.tensor(mine.bias.data))
    np.testing.assert_allclose(static(Tensor(x)).data, expected.numpy(), rtol=1e-4, atol=1e-4)


def test_save_model_and_load_model_beside_those_of_safetensors(tmp_path):
    """A tied model that safetensors.torch saved has one Tensor for both names, as ours has, and it reads our files."""

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.wte = torch.nn.Embedding(5, 4)
            self.lm_head = torch.nn.Linear(4, 5, bias=False)
            self.lm_head.weight = self.wte.weight

    from tinytorch.embeddings import Embedding
    from tinytorch.layers import Module

    class Mine(Module):
        def __init__(self):
            self.wte = Embedding(5, 4)
            self.lm_head = Linear(4, 5, bias=False)
            self.lm_head.weight = self.wte.weight

    mine, peer = Mine(), Tied()
    their_save_model(peer, str(tmp_path / "theirs"))
    ours.save_model(mine, tmp_path / "ours")
    assert (
        len(load_with_metadata(tmp_path / "ours")[0]) == len(load_with_metadata(tmp_path / "theirs")[0]) == 1
    )
    their_load_model(peer, str(tmp_path / "ours"), strict=False)
    np.testing.assert_array_equal(peer.wte.weight.detach().numpy(), mine.wte.weight.data)
    again = ours.load_model(Mine(), tmp_path / "ours")
    np.testing.assert_array_equal(again.lm_head.weight.data, peer.lm_head.weight.detach().numpy())


# Training


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_a_GradScaler_step_by_step(interval):
    """scale, unscale_, step, update, get_scale, state_dict, load_state_dict: gradients that overflow at times."""
    from tinytorch.optimizers import SGD

    options = {"init_scale": 8.0, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": interval}
    mine, peer = ours.GradScaler(**options), torch.amp.GradScaler("cpu", **options)
    w, v = Tensor(np.array([1.0], np.float32), requires_grad=True), torch.ones(1, requires_grad=True)
    one, other = SGD([w], lr=0.1), torch.optim.SGD([v], lr=0.1)
    for number, factor in enumerate([1, 2, math.inf, 3, 1, math.nan, 2, 2, 2, -math.inf, 1]):
        one.zero_grad()
        other.zero_grad()
        mine.scale((w * w).sum()).backward()
        peer.scale((v * v).sum()).backward()
        w.grad, v.grad = Tensor(w.grad.data * np.float32(factor)), v.grad * factor
        if number % 2:
            mine.unscale_(one)
            peer.unscale_(other)
            np.testing.assert_allclose(w.grad.data, v.grad.numpy(), rtol=1e-6)
        mine.step(one)
        peer.step(other)
        mine.update()
        peer.update()
        assert mine.get_scale() == peer.get_scale(), number
        np.testing.assert_allclose(w.data, v.detach().numpy(), rtol=1e-6)
        assert mine.state_dict() == peer.state_dict()
    again = ours.GradScaler()
    again.load_state_dict(peer.state_dict())
    assert again.state_dict() == mine.state_dict()


# Fusion


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_fuse_conv_bn_eval(bias, affine):
    mine, norm = Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias), BatchNorm2d(6, affine=affine)
    rng = np.random.default_rng(0)
    norm.running_mean.data[...], norm.running_var.data[...] = rng.standard_normal(6), rng.random(6) + 0.1
    if affine:
        norm.weight.data[...], norm.bias.data[...] = rng.standard_normal(6), rng.standard_normal(6)
    peer = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias)
    their_norm = torch.nn.BatchNorm2d(6, affine=affine)
    for module, other in ((mine, peer), (norm, their_norm)):
        other.load_state_dict({name: torch.tensor(each.data) for name, each in module.state_dict().items()})
    expected = fusion.fuse_conv_bn_eval(peer.eval(), their_norm.eval())
    found = ours.fuse_conv_bn_eval(mine.eval(), norm.eval())
    np.testing.assert_allclose(found.weight.data, expected.weight.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.bias.data, expected.bias.detach().numpy(), rtol=1e-5, atol=1e-6)
    x = some(2, 4, 5, 5)
    np.testing.assert_allclose(
        found(Tensor(x)).data, expected(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5
    )
    assert copy.deepcopy(found).stride == tuple(expected.stride)


@pytest.mark.parametrize("missing", [(), (0,), (1, 2)])
def test_fuse_conv_bn_weights_and_its_gradients(missing):
    weight, *rest = drawn((3, 2, 3, 3), (3,), (3,), (3,))

    def fused(function, mean, variance):
        def call(w, *given):
            bias, scale, shift = (None if i in missing else each for i, each in enumerate(given))
            return function(w, bias, mean, variance, 0.1, scale, shift)[0]

        return call

    mean, variance = np.array([0.5, -1, 2]), np.array([1.0, 0.2, 3])
    found = fused(ours.fuse_conv_bn_weights, Tensor(mean), Tensor(variance))(
        Tensor(weight), *map(Tensor, rest)
    )
    expected = fused(fusion.fuse_conv_bn_weights, torch.tensor(mean), torch.tensor(variance))(
        torch.tensor(weight), *map(torch.tensor, rest)
    )
    np.testing.assert_allclose(found.data, expected.detach().numpy(), rtol=1e-10)


def test_the_gradient_of_x_through_a_QuantizedLinear():
    """x @ w.T + bias of the weight that is left: value and gradient as in PyTorch."""
    layer = ours.QuantizedLinear.from_float(Linear(6, 3), bits=4)
    compare(
        lambda x: layer(x),
        lambda x: torch.nn.functional.linear(
            x, torch.tensor(layer.weight.data), torch.tensor(layer.bias.data)
        ),
        some(4, 6),
    )


def test_a_QuantizedEmbedding_of_8_bits():
    """The rows that an embedding of the dequantized weight gives."""
    from tinytorch.embeddings import Embedding

    table = Embedding(7, 6)
    layer = ours.QuantizedEmbedding.from_float(table)
    ids = np.array([[0, 6], [3, 3]])
    expected = torch.nn.functional.embedding(torch.tensor(ids), torch.tensor(layer.weight.data))
    np.testing.assert_allclose(layer(Tensor(ids)).data, expected.numpy(), rtol=1e-6)


def test_pack_int4_and_unpack_int4():
    q = np.random.default_rng(0).integers(-8, 8, (3, 10)).astype(np.int8)
    bits = torch.tensor(q).view(torch.uint8)
    expected = (bits[:, 0::2] & 15) | (bits[:, 1::2] << 4)
    packed = ours.pack_int4(Tensor(q))
    np.testing.assert_array_equal(packed.data, expected.numpy())
    signed = torch.stack([expected << 4, expected], -1).view(torch.int8) >> 4  # shifts that keep the sign
    np.testing.assert_array_equal(ours.unpack_int4(packed).data, signed.reshape(3, 10).numpy())


def test_QuantizedRows_is_what_fake_quantize_leaves():
    """quantize_ in groups of 32 beside torch.fake_quantize_per_channel_affine of the reshaped matrix."""
    w = some(6, 64)
    layer = ours.QuantizedRows(6, 64, bits=4)
    layer.quantize_(Tensor(w))
    groups, scales = torch.tensor(w).reshape(-1, 32), torch.tensor(layer.scales.data).reshape(-1)
    expected = torch.fake_quantize_per_channel_affine(groups, scales, torch.zeros(12).int(), 0, -8, 7)
    halfway = np.isclose(np.abs(groups.numpy() / scales.numpy()[:, None]), 7.5, rtol=1e-6)
    found = layer.weight.data.reshape(-1, 32)
    np.testing.assert_allclose(found[~halfway], expected.numpy()[~halfway], rtol=1e-5, atol=1e-6)


def test_quantize_layers_leaves_the_others():
    model = Sequential(Linear(8, 6), Linear(6, 4))
    found = ours.quantize_layers(model, {"1": (ours.QuantizedLinear, 8, None)})
    peer = torch.nn.Sequential(*map(their_linear, model))
    with torch.no_grad():
        peer[1].weight.copy_(torch.tensor(found[1].weight.data))
    x = some(3, 8)
    np.testing.assert_allclose(
        found(Tensor(x)).data, peer(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6
    )


def test_memory_footprint():
    """As transformers counts: parameters and buffers, each once."""
    mine = Sequential(Conv2d(2, 3, 3), BatchNorm2d(3))
    peer = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    expected = sum(each.nbytes for each in [*peer.parameters(), *peer.buffers()])
    assert ours.memory_footprint(mine) == expected
