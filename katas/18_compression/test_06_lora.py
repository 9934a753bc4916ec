"""The same idea for learning: what a model learns later is a small difference."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.compression import (
    LoRALinear,
    add_lora,
    l1_unstructured,
    lora_state_dict,
    merge_and_unload,
)
from tinytorch.layers import Linear, ReLU, Sequential
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import load, save
from tinytorch.transformers import GPT, GPTConfig

X = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
IDS = np.array([[1, 5, 2, 0], [3, 3, 6, 4]])


def adapted(**options):
    """A LoRALinear around Linear(6, 4) whose lora_B is not 0 any more."""
    manual_seed(0)
    layer = LoRALinear(Linear(6, 4), **options)
    layer.lora_B.weight.data[...] = np.random.default_rng(1).standard_normal(layer.lora_B.weight.shape)
    return layer


def gpt():
    manual_seed(0)
    return GPT(GPTConfig(vocab_size=7, block_size=6, n_layer=2, n_head=2, n_embd=16))


def test_at_first_nothing_is_added():
    """A new LoRALinear gives exactly what its base gives: lora_B begins with zeros, and lora_A does not."""
    base = Linear(6, 4)
    before = base(Tensor(X)).data
    layer = LoRALinear(base, r=2, alpha=4)
    assert layer.base_layer is base, "base_layer is another layer"
    assert_close(layer(Tensor(X)), before, "the output", rtol=0, atol=0)
    assert_close(layer.lora_B.weight, np.zeros((4, 2), np.float32), "lora_B.weight")
    assert_equal(layer.lora_A.weight.shape, (2, 6), "the shape of lora_A.weight")
    assert (layer.lora_A.weight.data != 0).all(), "lora_A is 0 too: then neither of the two would ever learn"


def test_the_base_is_frozen():
    """After a backward lora_A and lora_B have gradients, and weight and bias of the base have none."""
    layer = adapted(r=2)
    assert_equal(
        sorted(name for name, p in layer.named_parameters() if p.requires_grad),
        ["lora_A.weight", "lora_B.weight"],
        "what learns",
    )
    layer(Tensor(X)).sum().backward()
    assert layer.base_layer.weight.grad is None, "the base got a gradient"
    assert layer.lora_A.weight.grad is not None, "lora_A got no gradient"


def test_the_difference_by_hand():
    """base_layer(x) + alpha / r * B(A(x)): with r 2 and alpha 6 the product counts three times."""
    layer = adapted(r=2, alpha=6)
    assert_close(layer.scaling, 3.0, "scaling")
    product = layer.lora_B.weight.data @ layer.lora_A.weight.data
    weight = layer.base_layer.weight.data + 3 * product
    assert_close(layer(Tensor(X)), X @ weight.T + layer.base_layer.bias.data, "the output", atol=1e-5)


@pytest.mark.parametrize("r", [0, -1])
def test_a_rank_below_1_is_refused(r):
    """r below 1 is a ValueError with the number."""
    with raises(ValueError, r):
        LoRALinear(Linear(6, 4), r=r)


def test_a_base_with_a_mask_is_refused():
    """A pruned base is a ValueError that speaks of the mask: merged weights would be lost in the next forward pass."""
    with raises(ValueError, "mask"):
        LoRALinear(l1_unstructured(Linear(6, 4), "weight", 0.5))


def test_the_adapter_has_the_base_s_dtype():
    """Around a base in float64 both matrices are float64, and so is the output."""
    layer = LoRALinear(Linear(6, 4).to(np.float64), r=2)
    assert_equal(layer(Tensor(X.astype(np.float64))).dtype, np.dtype(np.float64), "the dtype of the output")
    assert_equal(layer.lora_A.weight.dtype, np.dtype(np.float64), "the dtype of lora_A")


@given(r=st.integers(1, 8), alpha=st.sampled_from([0.5, 1, 16]))
def test_merged_it_gives_the_same(r, alpha):
    """After merge() the base alone gives what both gave, and so does the layer; a second merge changes nothing."""
    layer = adapted(r=r, alpha=alpha)
    before = layer(Tensor(X)).data
    for times in ("once", "twice"):
        layer.merge()
        assert layer.merged is True, "merged is not True"
        assert_close(layer.base_layer(Tensor(X)), before, f"merged {times}, the base's output", atol=1e-4)
        assert_close(layer(Tensor(X)), before, f"merged {times}, the layer's output", atol=1e-4)


def test_merging_keeps_the_base_s_parameter():
    """merge writes into the weight of the base: it stays the same Parameter, of the same dtype."""
    layer = adapted(r=2)
    weight = layer.base_layer.weight
    layer.merge()
    assert layer.base_layer.weight is weight, "the weight is another Parameter"
    assert_equal(weight.dtype, np.dtype(np.float32), "its dtype")


def test_a_model_is_adapted():
    """add_lora freezes the whole model, and puts a LoRALinear around the layers of these names in every block."""
    model = gpt()
    before = model(Tensor(IDS)).data
    assert add_lora(model, r=2, alpha=4, target_modules=["q_proj", "v_proj"]) is model, "it returns the model"
    assert_close(model(Tensor(IDS)), before, "the logits", atol=1e-6)
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert_equal(
        len(learning), 2 * 2 * 2, "the number of parameters that learn: A and B, twice, in two blocks,"
    )
    assert all("lora_" in name for name in learning), f"these learn: {learning}"
    found = [module for module in model.modules() if isinstance(module, LoRALinear)]
    assert_equal(
        [(each.lora_A.weight.shape, each.scaling) for each in found], [((2, 16), 2.0)] * 4, "the adapters"
    )


def test_every_linear_is_adapted():
    """Without target_modules every Linear gets an adapter."""
    model = add_lora(Sequential(Linear(6, 4), ReLU(), Sequential(Linear(4, 2))), r=1)
    kinds = [type(each) for each in (model[0], model[1], model[2][0])]
    assert_equal(kinds, [LoRALinear, ReLU, LoRALinear], "the classes of the layers")


def test_adapters_are_not_adapted():
    """A second add_lora would put adapters around adapters: it is a ValueError, and nothing changes."""
    model = add_lora(Sequential(Linear(6, 4)), r=1)
    names = list(model.state_dict())
    with raises(ValueError):
        add_lora(model, r=1)
    assert_equal(list(model.state_dict()), names, "the names of the state")


def test_a_refused_adapter_changes_nothing():
    """With names that no Linear has, or an r of 0, it is a ValueError, and the model learns as before."""
    model = Sequential(Linear(6, 4))
    for options, value in (({"target_modules": ["q"]}, "q"), ({"r": 0}, 0)):
        with raises(ValueError, value):
            add_lora(model, **options)
    assert [type(each) for each in model] == [Linear], "the layer has been replaced"
    assert all(p.requires_grad for p in model.parameters()), "the model is frozen"


def test_a_later_layer_that_is_refused_changes_nothing_either():
    """A masked Linear behind one that could be adapted is a ValueError, and the first one learns as before."""
    model = Sequential(Linear(6, 4), l1_unstructured(Linear(4, 2), "weight", 0.5))
    with raises(ValueError, "mask"):
        add_lora(model)
    assert [type(each) for each in model] == [Linear, Linear], "a layer has been replaced"
    assert all(p.requires_grad for p in model.parameters()), "the layer in front of the refused one is frozen"


def learn(model, steps=6):
    """A few steps on a text that goes backwards."""
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model.loss(Tensor(IDS), Tensor(IDS[:, ::-1].copy()))
        loss.backward()
        optimizer.step()
    return model


def test_the_model_s_own_weights_stay():
    """Training moves the adapters only: in the state, all weights but lora_A and lora_B are what they were."""
    model = gpt()
    before = {name: value.data.copy() for name, value in model.state_dict().items()}
    learn(add_lora(model, r=2, target_modules=["q_proj"]))
    after = {name.replace(".base_layer", ""): value for name, value in model.state_dict().items()}
    for name, value in before.items():
        assert_close(after[name], value, f"{name} after training", rtol=0, atol=0)


def test_what_was_learned_is_a_small_file(tmp_path):
    """lora_state_dict(model) is the adapters alone; saved, and loaded into a new model, it brings what was learned."""
    model = learn(add_lora(gpt(), r=2, target_modules=["q_proj"]))
    state = lora_state_dict(model)
    assert_equal(len(state), 4, "the number of Tensors: A and B in two blocks")
    save(state, tmp_path / "adapter.safetensors")
    other = add_lora(gpt(), r=2, target_modules=["q_proj"])
    assert (other(Tensor(IDS)).data != model(Tensor(IDS)).data).any(), "nothing was learned"
    result = other.load_state_dict(load(tmp_path / "adapter.safetensors"), strict=False)
    assert_equal(result.unexpected_keys, [], "names that the model does not have")
    assert_close(other(Tensor(IDS)), model(Tensor(IDS)).data, "the logits of the other model", atol=1e-5)


def test_the_state_of_one_adapter():
    """lora_state_dict of a LoRALinear itself has lora_A.weight and lora_B.weight."""
    assert_equal(sorted(lora_state_dict(adapted(r=2))), ["lora_A.weight", "lora_B.weight"], "the names")


def test_an_adapted_model_becomes_plain_again():
    """merge_and_unload puts every Linear back: the old names and sizes, and the logits of the adapted model.

    It stays frozen: nothing requires grad.
    """
    names = list(gpt().state_dict())
    model = learn(add_lora(gpt(), r=2, target_modules=["q_proj", "out_proj"]))
    before = model(Tensor(IDS)).data
    assert merge_and_unload(model) is model, "it returns the model"
    assert_equal(sorted(model.state_dict()), sorted(names), "the names of the state")
    assert_close(model(Tensor(IDS)), before, "the logits", atol=1e-4)
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert_equal(learning, [], "what requires grad afterwards")


def test_what_is_merged_already_is_not_merged_again():
    """A layer that was merged before counts once in merge_and_unload."""
    model = Sequential(adapted(r=2))
    before = model(Tensor(X)).data
    model[0].merge()
    assert_close(merge_and_unload(model)(Tensor(X)), before, "the output", atol=1e-4)
