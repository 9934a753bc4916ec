"""The same on a GPU, or on its strict stand-in."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device
from tinytorch.layers import Linear
from tinytorch.optimizers import SGD
from tinytorch.precision import (
    FLOAT32,
    GradScaler,
    MinMaxObserver,
    StaticQuantizedLinear,
    calculate_qparams,
    convert,
    dequantize_per_channel,
    dequantize_rows,
    float_fields,
    float_value,
    from_bfloat16,
    load_model,
    prepare,
    quantize_dynamic,
    quantize_per_channel,
    quantize_rows,
    save_model,
    to_bfloat16,
    value_range,
)
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig

X = (np.arange(160, dtype=np.float32).reshape(4, 40) * 37 % 101 - 50) / 16


def check(found, expected, device, what):
    assert type(found.data) is type(on_device(X, device)), f"{what} left the device"
    assert_close(found, expected.data, f"{what} on the device", rtol=1e-5, atol=1e-5)


def test_bits_on_the_device(device):
    """Fields, values and bfloat16 of an array on a GPU stay there."""
    x = on_device(X, device)
    bits = to_bfloat16(x)
    assert type(bits) is type(x), "the bits left the device"
    assert_close(Tensor(from_bfloat16(bits)), from_bfloat16(to_bfloat16(X)), "the rounded numbers")
    values = float_value(*float_fields(x.view(np.uint32), FLOAT32), FLOAT32)
    assert type(values) is type(x), "the values left the device"
    assert_close(Tensor(values), X.astype(np.float64), "the values")


def there_and_back(x):
    grids = calculate_qparams(*value_range(x, 0))
    return dequantize_per_channel(quantize_per_channel(x, *grids, 0), *grids, 0)


@pytest.mark.parametrize("bits", [8, 4])
def test_grids_on_the_device(device, bits):
    """Per channel, and packed in groups, a Tensor on a GPU is quantized and dequantized there."""
    results = {}
    for place in ("cpu", device):
        x = Tensor(on_device(X, place))
        results[place] = (
            there_and_back(x),
            *quantize_rows(x, bits),
            dequantize_rows(*quantize_rows(x, bits), 40),
        )
    for what, found, expected in zip(
        ("per channel", "the integers", "the scales", "the matrix"),
        results[device],
        results["cpu"],
        strict=True,
    ):
        check(found, expected, device, what)


def test_a_quantized_model_on_the_device(device, tmp_path):
    """A GPT is quantized on a GPU, or moved there afterwards, saved from there, and loaded again."""
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=32))
    ids = np.array([[1, 7, 3, 10]])
    expected = quantize_dynamic(model, 4)(Tensor(ids))
    moved = quantize_dynamic(model, 4).to(device)
    check(moved(Tensor(on_device(ids, device))), expected, device, "the logits of the model that was moved")
    made_there = quantize_dynamic(model.to(device), 4)
    check(
        made_there(Tensor(on_device(ids, device))),
        expected,
        device,
        "the logits of the model that was made there",
    )
    save_model(made_there, tmp_path / "model.safetensors")
    found = load_model(model, tmp_path / "model.safetensors")
    check(found(Tensor(on_device(ids, device))), expected, device, "the logits of the model that was loaded")


def test_scaled_gradients_on_the_device(device):
    """A GradScaler divides gradients on a GPU, and sees what overflowed there."""
    for value, expected in ((4.0, 0.5), (np.inf, 1.0)):
        parameter = Tensor(on_device(np.ones(1, np.float32), device), requires_grad=True)
        parameter.grad = Tensor(on_device(np.array([value], np.float32), device))
        scaler = GradScaler(init_scale=8.0)
        scaler.step(SGD([parameter], lr=1.0))
        assert_close(
            parameter.detach(), np.array([expected], np.float32), f"after the gradient {value}, the parameter"
        )


def test_calibration_on_the_device(device):
    """A model on a GPU is watched and converted there."""
    manual_seed(0)
    linear = Linear(40, 3).to(device)
    x = Tensor(on_device(X, device))
    watched = prepare(linear)
    watched(x)
    static = convert(watched)
    assert isinstance(static, StaticQuantizedLinear), "it is no StaticQuantizedLinear"
    observer = MinMaxObserver()
    observer(Tensor(X))
    assert_close(static.input_scale, observer.calculate_qparams()[0].data, "the scale of the input")
    assert type(static(x).data) is type(x.data), "the result left the device"
