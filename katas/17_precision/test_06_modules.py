"""Models whose matrices are integers."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, peak, raises
from dojo.spec.strategies import arrays
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, Module, Parameter, ReLU, Sequential
from tinytorch.precision import (
    QuantizedEmbedding,
    QuantizedLinear,
    QuantizedRows,
    dequantize_rows,
    memory_footprint,
    quantize_dynamic,
    quantize_layers,
    quantize_rows,
)
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig, generate

KINDS = [(8, None), (8, 2), (4, None), (4, 2)]
kinds = pytest.mark.parametrize(("bits", "group_size"), KINDS)


def filled(module, seed=0):
    """The module with other weights than it was made with, the biases too."""
    rng = np.random.default_rng(seed)
    for parameter in module.parameters():
        parameter.data[...] = rng.standard_normal(parameter.shape)
    return module


def on_the_grid(weight, bits=8, group_size=None):
    """The matrix that is left of a weight."""
    return dequantize_rows(*quantize_rows(Tensor(weight), bits, group_size), weight.shape[1]).data


def small_gpt(**options):
    manual_seed(0)
    return GPT(
        GPTConfig(**{"vocab_size": 11, "block_size": 8, "n_layer": 2, "n_head": 2, "n_embd": 32} | options)
    )


# One layer


@kinds
def test_rows_begin_with_zeros(bits, group_size):
    """QuantizedRows(3, 6) has the buffers qweight and scales of a matrix of zeros, and no other state."""
    layer = QuantizedRows(3, 6, bits, group_size)
    q, scales = quantize_rows(Tensor(np.zeros((3, 6), np.float32)), bits, group_size)
    assert_equal(list(layer.state_dict()), ["qweight", "scales"], "the names of the state")
    assert_close(layer.state_dict()["qweight"], q.data, "qweight")
    assert_equal(layer.state_dict()["scales"].shape, scales.shape, "the shape of scales")
    assert_equal(list(layer.parameters()), [], "the parameters")
    assert_equal((layer.features, layer.bits, layer.group_size), (6, bits, group_size), "the options")


@kinds
def test_rows_hold_a_matrix(bits, group_size):
    """After quantize_(w) the weight is what is left of w on its grid, and it is not in the state."""
    w = np.random.default_rng(1).standard_normal((3, 6)).astype(np.float32)
    layer = QuantizedRows(3, 6, bits, group_size)
    layer.quantize_(Tensor(w))
    assert_close(layer.weight, on_the_grid(w, bits, group_size), "the weight")
    assert_equal(list(layer.state_dict()), ["qweight", "scales"], "the names of the state")


@kinds
def test_a_linear_on_the_grid(bits, group_size):
    """QuantizedLinear.from_float(linear) computes x @ w.T + bias with the w that is left on the grid."""
    linear = filled(Linear(6, 3))
    layer = QuantizedLinear.from_float(linear, bits, group_size)
    x = np.random.default_rng(2).standard_normal((2, 4, 6)).astype(np.float32)
    expected = x @ on_the_grid(linear.weight.data, bits, group_size).T + linear.bias.data
    assert_close(layer(Tensor(x)), expected, "the result", rtol=1e-5, atol=1e-5)


def test_the_float_layer_stays_as_it_is():
    """from_float changes nothing in the Linear, and the new layer's bias is a Parameter of its own, or None."""
    linear = filled(Linear(6, 3))
    before = linear.weight.data.copy(), linear.bias.data.copy()
    layer = QuantizedLinear.from_float(linear)
    assert isinstance(layer.bias, Parameter), "the bias is no Parameter"
    layer.bias.data[...] = 0
    assert_close(linear.weight, before[0], "the weight of the Linear")
    assert_close(linear.bias, before[1], "the bias of the Linear, after that of the new layer was set to 0,")
    for without in (QuantizedLinear.from_float(Linear(6, 3, bias=False)), QuantizedLinear(6, 3, bias=False)):
        assert without.bias is None, "without bias there is one"


@kinds
@given(ids=arrays((2, 3), np.int64, 0, 4))
def test_an_embedding_on_the_grid(bits, group_size, ids):
    """QuantizedEmbedding.from_float(embedding) gives the rows that are left on the grid, for ids of any shape."""
    table = filled(Embedding(5, 6))
    layer = QuantizedEmbedding.from_float(table, bits, group_size)
    left = on_the_grid(table.weight.data, bits, group_size)
    for each in (ids, ids[0, 0], ids[:, :0]):
        assert_close(layer(Tensor(np.asarray(each))), left[each], f"the rows of {np.asarray(each).tolist()}")


def test_only_the_rows_that_are_looked_up():
    """Two rows of 20,000 are looked up without computing the others: it takes less memory than a tenth of the table."""
    layer = QuantizedEmbedding(20_000, 16)
    ids = Tensor(np.array([3, 19_999]))
    layer(ids)
    found, table = peak(lambda: layer(ids)), 20_000 * 16 * 4
    assert found < table / 10, f"looking up 2 rows took {found:,} bytes, the whole table has {table:,}"


@pytest.mark.parametrize("wrong", [5, -1])
def test_an_id_outside_of_the_table(wrong):
    """An id that is no row is an IndexError that names it, as that of Embedding."""
    with raises(IndexError, wrong):
        QuantizedEmbedding(5, 6)(Tensor(np.array([0, wrong])))


def test_gradients_pass_through():
    """x gets its gradient through a QuantizedLinear, and the bias too; the weight has none."""
    layer = QuantizedLinear.from_float(filled(Linear(6, 3)))
    x = Tensor(np.ones((2, 6), np.float32), requires_grad=True)
    upstream = np.array([[1, 2, 3], [-1, 0, 2]], np.float32)
    layer(x).backward(Tensor(upstream))
    assert_close(x.grad, upstream @ layer.weight.data, "the gradient of x", rtol=1e-5, atol=1e-5)
    assert_close(layer.bias.grad, upstream.sum(0), "the gradient of the bias")


@kinds
def test_a_state_is_saved_and_loaded(bits, group_size):
    """A new QuantizedLinear(6, 3) with the same options loads the state, and then computes the same."""
    layer = QuantizedLinear.from_float(filled(Linear(6, 3)), bits, group_size)
    other = QuantizedLinear(6, 3, True, bits, group_size)
    other.load_state_dict(layer.state_dict())
    x = Tensor(np.arange(12, dtype=np.float32).reshape(2, 6))
    assert_close(other(x), layer(x).data, "the result")


def test_a_state_that_does_not_fit_is_refused():
    """The state of a Linear is a KeyError: its weight would be cut to integers. 4 bits for 8 are a ValueError."""
    layer = QuantizedLinear(6, 3)
    with raises(KeyError, "weight", "qweight"):
        layer.load_state_dict(Linear(6, 3).state_dict())
    with raises(ShapeError, "qweight"):
        layer.load_state_dict(QuantizedLinear(6, 3, bits=4).state_dict())


# A whole model


class Shared(Module):
    """One Linear in two places, and a subclass of Linear that computes something else."""

    def __init__(self):
        self.first = Linear(6, 6)
        self.again = self.first
        self.own = Doubled(6, 6)

    def forward(self, x):
        return self.own(self.again(self.first(x)))


class Doubled(Linear):
    def forward(self, x):
        return super().forward(x) * 2


@kinds
def test_every_linear_and_embedding_is_replaced(bits, group_size):
    """quantize_dynamic(model, bits, group_size) replaces each Linear and Embedding, and leaves everything else."""
    model = Sequential(Embedding(5, 6), Linear(6, 4), ReLU(), Sequential(Linear(4, 3, bias=False)))
    found = quantize_dynamic(filled(model), bits, group_size)
    names = {name: type(each).__name__ for name, each in found.named_modules() if name}
    expected = {
        "0": "QuantizedEmbedding",
        "1": "QuantizedLinear",
        "2": "ReLU",
        "3": "Sequential",
        "3.0": "QuantizedLinear",
    }
    assert_equal(names, expected, "the modules")
    w = [on_the_grid(model[i].weight.data, bits, group_size) for i in (0, 1)]
    last = on_the_grid(model[3][0].weight.data, bits, group_size)
    hidden = np.maximum(w[0][[1, 4]] @ w[1].T + model[1].bias.data, 0)
    assert_close(found(Tensor(np.array([1, 4]))), hidden @ last.T, "the result", rtol=1e-4, atol=1e-4)


def test_the_model_stays_as_it_is():
    """The result is a copy with memory of its own: the float model keeps its layers, and shares no LayerNorm."""
    model = small_gpt()
    names = {name: type(each) for name, each in model.named_modules()}
    found = quantize_dynamic(model)
    assert_equal(
        {name: type(each) for name, each in model.named_modules()}, names, "the modules of the float model"
    )
    found.ln_f.weight.data[...] = 7
    assert_close(
        model.ln_f.weight, np.ones(32, np.float32), "ln_f.weight of the float model, after the copy's was set"
    )


def test_a_model_that_is_one_layer():
    """A Linear alone becomes a QuantizedLinear."""
    assert isinstance(quantize_dynamic(Linear(6, 3)), QuantizedLinear), "it is no QuantizedLinear"


def test_a_module_in_two_places_stays_one():
    """A Linear that stands in two places is replaced in both, by one layer; a subclass of Linear is left alone."""
    found = quantize_dynamic(filled(Shared()))
    assert isinstance(found.first, QuantizedLinear), "the Linear was not replaced"
    assert found.first is found.again, "in the two places there are two layers"
    assert type(found.own) is Doubled, f"the subclass became a {type(found.own).__name__}"


@kinds
def test_tied_weights_stay_tied(bits, group_size):
    """wte and lm_head of a GPT share one weight; quantized they share the buffers, which count once."""
    model = quantize_dynamic(small_gpt(), bits, group_size)
    assert model.lm_head.qweight is model.wte.qweight, "lm_head and wte have a qweight each"
    assert model.lm_head.scales is model.wte.scales, "lm_head and wte have scales each"
    names = [name for name, _ in model.named_buffers()]
    assert "lm_head.qweight" not in names, "the tied weight is counted twice"


def test_tied_weights_on_two_grids_come_apart():
    """If a recipe gives wte 8 bits and lm_head 4, each has integers of its own, as its bits say."""
    model = small_gpt()
    found = quantize_layers(
        model, {"wte": (QuantizedEmbedding, 8, None), "lm_head": (QuantizedLinear, 4, 16)}
    )
    for name, bits, size in (("wte", 8, None), ("lm_head", 4, 16)):
        q, scales = quantize_rows(model.wte.weight, bits, size)
        assert_close(getattr(found, name).qweight, q.data, f"qweight of {name}")
        assert_close(getattr(found, name).scales, scales.data, f"scales of {name}")


def test_a_gpt_computes_with_what_is_left():
    """A quantized GPT gives the logits of a float GPT whose matrices were put on the grid, and generates text."""
    model, rounded = small_gpt(), small_gpt()
    for module in rounded.modules():
        if type(module) in (Linear, Embedding) and module is not rounded.lm_head:
            module.weight.data[...] = on_the_grid(module.weight.data, 4)
    quantized = quantize_dynamic(model, bits=4)
    ids = Tensor(np.array([[1, 7, 3, 10], [0, 2, 2, 5]]))
    assert_close(quantized(ids), rounded(ids).data, "the logits", rtol=1e-4, atol=1e-5)
    text = generate(quantized, ids, 6, temperature=0)
    assert_equal(text.shape, (2, 10), "the shape of the text")
    assert_close(text, generate(rounded, ids, 6, temperature=0).data, "the text")


def test_some_layers_can_be_skipped():
    """Layers named in `skip` stay float; a name that is no Linear or Embedding is a ValueError that names it."""
    model = Sequential(Linear(6, 4), ReLU(), Linear(4, 3))
    found = quantize_dynamic(model, skip=["2"])
    assert_equal(
        [type(each).__name__ for each in found], ["QuantizedLinear", "ReLU", "Linear"], "the modules"
    )
    for wrong in ("1", "lm_head"):
        with raises(ValueError, wrong):
            quantize_dynamic(model, skip=[wrong])


def test_each_layer_as_a_recipe_says():
    """quantize_layers(model, recipe) replaces what the recipe names, by that class with these bits and group size."""
    model = Sequential(Embedding(5, 6), Linear(6, 4), Linear(4, 3))
    found = quantize_layers(model, {"0": (QuantizedEmbedding, 8, None), "2": (QuantizedLinear, 4, 2)})
    assert_equal(
        [type(each).__name__ for each in found],
        ["QuantizedEmbedding", "Linear", "QuantizedLinear"],
        "the modules",
    )
    assert_equal([found[0].bits, found[2].bits, found[2].group_size], [8, 4, 2], "their options")


@pytest.mark.parametrize(
    ("name", "kind"), [("3", "QuantizedLinear"), ("1", "QuantizedLinear"), ("0", "QuantizedEmbedding")]
)
def test_a_recipe_for_another_model_is_refused(name, kind):
    """A name that the model does not have, and a layer of another kind, are a ValueError that names the layer."""
    classes = {"QuantizedLinear": QuantizedLinear, "QuantizedEmbedding": QuantizedEmbedding}
    with raises(ValueError, name):
        quantize_layers(Sequential(Linear(6, 4), ReLU()), {name: (classes[kind], 8, None)})


def test_the_mode_stays():
    """A model in eval mode stays in eval mode, in every module."""
    found = quantize_dynamic(Sequential(Linear(6, 4), ReLU()).eval())
    assert_equal([each.training for each in found.modules()], [False] * 3, "training of each module")


@given(bits=st.sampled_from([4, 8]))
def test_how_many_bytes_a_model_has(bits):
    """memory_footprint adds up parameters and buffers, each once: of a float GPT, four bytes for each parameter."""
    model = small_gpt()
    floats = sum(each.numel() for each in model.parameters())
    assert_equal(memory_footprint(model), 4 * floats, "the bytes of the float model")
    matrices = 11 * 32 + 2 * (4 * 32 * 32 + 2 * 4 * 32 * 32)
    rows = 11 + 2 * (4 * 32 + 4 * 32 + 32)
    groups = rows if bits == 8 else matrices // 32
    expected = 4 * (floats - matrices) + matrices * bits // 8 + 4 * groups
    assert_equal(memory_footprint(quantize_dynamic(model, bits)), expected, f"with {bits} bits, the bytes")
