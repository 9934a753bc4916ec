"""Quantized models in files, loaded strictly."""

import json

import numpy as np
import pytest

from dojo.spec import ShapeError, assert_close, assert_equal, raises
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, ReLU, Sequential
from tinytorch.precision import (
    QuantizedLinear,
    load_model,
    memory_footprint,
    quantize_dynamic,
    quantize_layers,
    save_model,
)
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import CheckpointError, load, load_with_metadata, save
from tinytorch.transformers import GPT, GPTConfig

IDS = np.array([[1, 7, 3, 10]])


def small_gpt(seed=0, **options):
    manual_seed(seed)
    return GPT(
        GPTConfig(**{"vocab_size": 11, "block_size": 8, "n_layer": 1, "n_head": 2, "n_embd": 32} | options)
    )


def in_file(path):
    """The shapes of the Tensors by name, and the metadata."""
    tensors, metadata = load_with_metadata(path)
    return {name: each.shape for name, each in tensors.items()}, metadata


@pytest.mark.parametrize(("bits", "group_size"), [(8, None), (8, 16), (4, None), (4, 8)])
def test_saved_and_loaded_it_computes_the_same(tmp_path, bits, group_size):
    """load_model(GPT(config), path) gives the model that save_model wrote: the same layers, bits, and logits."""
    model = quantize_dynamic(small_gpt(), bits, group_size)
    save_model(model, tmp_path / "model.safetensors")
    found = load_model(small_gpt(seed=1), tmp_path / "model.safetensors")
    kinds = [{name: type(each).__name__ for name, each in m.named_modules()} for m in (found, model)]
    assert_equal(*kinds, "the modules")
    assert_equal((found.wte.bits, found.wte.group_size), (bits, group_size), "bits and group_size of wte")
    for name, value in model.state_dict().items():
        assert_close(found.state_dict()[name], value.data, name, rtol=0, atol=0)
    assert_close(found(Tensor(IDS)), model(Tensor(IDS)).data, "the logits", rtol=0, atol=0)


def test_tied_weights_are_in_the_file_once(tmp_path):
    """lm_head and wte share their buffers: the file holds them once, under the first name, and they are tied again.

    The metadata tell it under "tied", as JSON: {"lm_head.qweight": "wte.qweight", ...}.
    """
    save_model(quantize_dynamic(small_gpt()), tmp_path / "model.safetensors")
    shapes, metadata = in_file(tmp_path / "model.safetensors")
    assert_equal(shapes.get("wte.qweight"), (11, 32), "the shape of wte.qweight in the file")
    assert "lm_head.qweight" not in shapes, "lm_head.qweight is in the file too"
    expected = {"lm_head.qweight": "wte.qweight", "lm_head.scales": "wte.scales"}
    assert_equal(json.loads(metadata["tied"]), expected, 'what the metadata say under "tied"')
    found = load_model(small_gpt(seed=1), tmp_path / "model.safetensors")
    assert found.lm_head.qweight is found.wte.qweight, "in the loaded model the weights are not tied"


def test_the_metadata_say_how_layers_are_quantized(tmp_path):
    """Under "quantized_layers" stands, as JSON, the class, the bits and the group size of each quantized layer.

    Your own metadata are written too.
    """
    model = Sequential(Linear(4, 4), ReLU(), Linear(4, 2))
    save_model(quantize_dynamic(model, 4, 2, skip=["0"]), tmp_path / "model.safetensors", {"name": "net"})
    metadata = in_file(tmp_path / "model.safetensors")[1]
    assert_equal(json.loads(metadata["quantized_layers"]), {"2": ["QuantizedLinear", 4, 2]}, "the layers")
    assert_equal(metadata.get("name"), "net", "the metadata that were given")


@pytest.mark.parametrize("name", ["tied", "quantized_layers"])
def test_the_names_of_the_metadata_are_taken(tmp_path, name):
    """Metadata of that name are a ValueError that names it, and nothing is written."""
    with raises(ValueError, name):
        save_model(Linear(2, 2), tmp_path / "model.safetensors", {name: "mine"})
    assert_equal(list(tmp_path.iterdir()), [], "the files that were written")


def test_layers_may_differ(tmp_path):
    """Layers of 8 bits, of 4 bits and of float32 can stand side by side, and come back as they were."""
    model = Sequential(Embedding(5, 6), Linear(6, 6), Linear(6, 3))
    mixed = quantize_layers(model, {"1": (QuantizedLinear, 4, 2), "2": (QuantizedLinear, 8, None)})
    save_model(mixed, tmp_path / "model.safetensors")
    found = load_model(
        Sequential(Embedding(5, 6), Linear(6, 6), Linear(6, 3)), tmp_path / "model.safetensors"
    )
    assert_equal(
        [type(each).__name__ for each in found],
        ["Embedding", "QuantizedLinear", "QuantizedLinear"],
        "the layers",
    )
    assert_equal([found[1].bits, found[2].bits], [4, 8], "their bits")
    ids = Tensor(np.array([0, 4, 2]))
    assert_close(found(ids), mixed(ids).data, "the result", rtol=0, atol=0)


def test_float_models_too(tmp_path):
    """A float model is saved and loaded in the same way, also with nan, and its tied weight is in the file once."""
    model = small_gpt()
    model.wte.weight.data[5, 0] = np.nan  # of a token that is not read: in the logits nothing else is nan
    save_model(model, tmp_path / "model.safetensors")
    assert "lm_head.weight" not in in_file(tmp_path / "model.safetensors")[0], (
        "the tied weight is there twice"
    )
    found = load_model(small_gpt(seed=1), tmp_path / "model.safetensors")
    assert_close(found(Tensor(IDS)), model(Tensor(IDS)).data, "the logits", rtol=0, atol=0)
    assert found.lm_head.weight is found.wte.weight, "in the loaded model the weights are not tied"


def test_a_state_dict_that_kata_08_saved(tmp_path):
    """A file that `save` wrote of a float state_dict is loaded too."""
    model = small_gpt()
    save(model.state_dict(), tmp_path / "model.safetensors")
    found = load_model(small_gpt(seed=1), tmp_path / "model.safetensors")
    assert_close(found(Tensor(IDS)), model(Tensor(IDS)).data, "the logits", rtol=0, atol=0)


def test_the_model_that_is_given_stays_as_it_is(tmp_path):
    """load_model gives a new model; the one that it was given keeps its layers and its values."""
    save_model(quantize_dynamic(small_gpt()), tmp_path / "model.safetensors")
    given = small_gpt(seed=1)
    before = {name: each.data.copy() for name, each in given.state_dict().items()}
    load_model(given, tmp_path / "model.safetensors")
    assert_equal(list(given.state_dict()), list(before), "the names of its state")
    for name, value in before.items():
        assert_close(given.state_dict()[name], value, name, rtol=0, atol=0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_values_of_the_given_model_do_not_matter(tmp_path, value):
    """A model full of nan is as good as any other: only its layers and shapes count."""
    model = quantize_dynamic(small_gpt())
    save_model(model, tmp_path / "model.safetensors")
    given = small_gpt(seed=1)
    for parameter in given.parameters():
        parameter.data[...] = value
    found = load_model(given, tmp_path / "model.safetensors")
    assert_close(found(Tensor(IDS)), model(Tensor(IDS)).data, "the logits", rtol=0, atol=0)
    assert not np.isfinite(given.wte.weight.data).any(), "the model that was given is another now"


@pytest.mark.parametrize("bits", [None, 8])
def test_the_model_that_is_given_decides_what_is_tied(tmp_path, bits):
    """A model whose weights are not tied gets the file's one Tensor under both names, each with memory of its own."""
    model = small_gpt() if bits is None else quantize_dynamic(small_gpt(), bits)
    save_model(model, tmp_path / "model.safetensors")
    found = load_model(small_gpt(seed=1, tie_weights=False), tmp_path / "model.safetensors")
    name = "weight" if bits is None else "qweight"
    for layer in ("wte", "lm_head"):
        held = getattr(getattr(found, layer), name)
        assert_close(held, getattr(model.wte, name).data, f"{layer}.{name}", rtol=0, atol=0)
    getattr(found.wte, name).data[...] = 0
    assert getattr(found.lm_head, name).data.any(), "lm_head and wte are tied, which the given model is not"


def test_how_small_the_file_is(tmp_path):
    """The file is hardly larger than memory_footprint: at most 4,000 bytes for names and metadata."""
    model = quantize_dynamic(small_gpt(n_embd=64), bits=4)
    save_model(model, tmp_path / "model.safetensors")
    extra = (tmp_path / "model.safetensors").stat().st_size - memory_footprint(model)
    assert 0 < extra <= 4000, f"the file is {extra} bytes larger than the model"


# Strictly


def test_a_missing_tensor_is_refused(tmp_path):
    """A file without one of the Tensors is a KeyError that names it."""
    path = tmp_path / "model.safetensors"
    save_model(quantize_dynamic(small_gpt()), path)
    tensors, metadata = load_with_metadata(path)
    del tensors["h.0.mlp.c_fc.scales"]
    save(tensors, path, metadata)
    with raises(KeyError, "h.0.mlp.c_fc.scales"):
        load_model(small_gpt(), path)


def test_a_model_of_another_size_is_refused(tmp_path):
    """A model whose matrices have another shape is a ValueError that names the Tensor and its shape.

    A model that lacks a layer is a ValueError that names the layer.
    """
    path = tmp_path / "model.safetensors"
    save_model(quantize_dynamic(small_gpt()), path)
    with raises(ShapeError, "wte.qweight", (11, 32)):
        load_model(small_gpt(vocab_size=12), path)
    with raises(ValueError, "wte"):
        load_model(Sequential(Linear(2, 2)), path)


def test_another_dtype_is_refused(tmp_path):
    """A Tensor of the right name and shape but another dtype is a ValueError that names the Tensor and both dtypes."""
    path = tmp_path / "model.safetensors"
    save_model(QuantizedLinear(4, 2), path)
    tensors, metadata = load_with_metadata(path)
    tensors["qweight"] = Tensor(np.full((2, 4), 0.5, np.float32))
    save(tensors, path, metadata)
    with raises(ValueError, "qweight", "int8", "float32"):
        load_model(Linear(4, 2), path)


def test_different_values_for_tied_weights_are_refused(tmp_path):
    """If wte and lm_head are one in the model and differ in the file, it is a ValueError that names both."""
    path = tmp_path / "model.safetensors"
    save_model(small_gpt(tie_weights=False), path)
    with raises(ValueError, "wte.weight", "lm_head.weight"):
        load_model(small_gpt(), path)
    model = quantize_dynamic(small_gpt(tie_weights=False))
    save_model(model, path)
    with raises(ValueError, "wte.qweight", "lm_head.qweight"):
        load_model(small_gpt(), path)


def test_a_damaged_file_is_refused(tmp_path):
    """A file with one changed byte is kata 08's CheckpointError, which names the path."""
    path = tmp_path / "model.safetensors"
    save_model(quantize_dynamic(small_gpt()), path)
    blob = bytearray(path.read_bytes())
    blob[-3] ^= 1
    path.write_bytes(blob)
    with raises(CheckpointError, path):
        load_model(small_gpt(), path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"quantized_layers": "no JSON"},
        {"quantized_layers": '["0"]'},
        {"quantized_layers": '{"0": ["Linear", 8, null]}'},
        {"quantized_layers": '{"0": ["QuantizedLinear", 8]}'},
        {"quantized_layers": '{"": ["QuantizedLinear", 3, null]}'},
        {"quantized_layers": '{"": ["QuantizedLinear", "8", null]}'},
        {"quantized_layers": '{"": ["StaticQuantizedLinear", 4, null]}'},
        {"quantized_layers": '{"": ["QuantizedLinear", 8, 1099511627776]}'},
        {"quantized_layers": '{"": ["QuantizedLinear", 8, "2"]}'},
        {"tied": '{"bias": "nothing"}'},
        {"tied": '{"bias": "weight"}'},
        {"tied": "3"},
    ],
    ids=str,
)
def test_metadata_that_say_nothing_are_refused(tmp_path, metadata):
    """Metadata that are no JSON, or name a class or Tensor that does not exist, are a CheckpointError with the path.

    So are bits that the class does not have, a group_size above the length of a row, and a tied name that has a Tensor
    of its own in the file.
    """
    path = tmp_path / "model.safetensors"
    save(Linear(4, 2).state_dict(), path, metadata)
    with raises(CheckpointError, path):
        load_model(Linear(4, 2), path)


def test_the_file_can_be_read_without_the_model(tmp_path):
    """It is a plain safetensors file: kata 08's load gives int8 and float32 Tensors by name."""
    save_model(quantize_dynamic(small_gpt()), tmp_path / "model.safetensors")
    dtypes = {str(each.dtype) for each in load(tmp_path / "model.safetensors").values()}
    assert_equal(sorted(dtypes), ["float32", "int8"], "the dtypes in the file")
