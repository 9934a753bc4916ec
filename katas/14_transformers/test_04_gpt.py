"""The whole model: tokens and places go in, and for each place what may come next comes out."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import Remembered, ShapeError, Together, assert_close, assert_equal, raises, settled
from tinytorch.layers import init
from tinytorch.losses import cross_entropy
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, cat, tensor, zeros
from tinytorch.training import load, save
from tinytorch.transformers import GPT, GPTConfig, next_token_loss

IDS = np.array([[1, 10, 0, 7, 7], [3, 3, 9, 2, 5]])

PUBLISHED = {"small": 124_439_808, "medium": 354_823_168, "large": 774_030_080, "xl": 1_557_611_200}


def small():
    """Two layers of two heads, four features, 11 tokens, texts of up to 6."""
    return GPT(GPTConfig(vocab_size=11, block_size=6, n_layer=2, n_head=2, n_embd=4))


def expected_shapes(config):
    """The name and the shape of every parameter, as a table."""
    D, bias = config.n_embd, config.bias
    table = {"wte.weight": (config.vocab_size, D), "wpe.weight": (config.block_size, D)}
    for layer in range(config.n_layer):
        here = f"h.{layer}."
        linears = dict.fromkeys(["attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.out_proj"], (D, D))
        linears |= {"mlp.c_fc": (4 * D, D), "mlp.c_proj": (D, 4 * D)}
        table |= {f"{here}{name}.weight": shape for name, shape in linears.items()}
        table |= {f"{here}{name}.bias": shape[:1] for name, shape in linears.items() if bias}
        table |= {f"{here}{name}.weight": (D,) for name in ("ln_1", "ln_2")}
        table |= {f"{here}{name}.bias": (D,) for name in ("ln_1", "ln_2") if bias}
    table |= {"ln_f.weight": (D,)} | ({"ln_f.bias": (D,)} if bias else {})
    return table | ({} if config.tie_weights else {"lm_head.weight": (config.vocab_size, D)})


# Configuration


def test_the_config_is_gpt2s_smallest():
    """GPTConfig() is GPT-2's small model: 50,257 tokens, texts of 1,024, 12 layers of 12 heads, 768 features."""
    c = GPTConfig()
    numbers = (c.vocab_size, c.block_size, c.n_layer, c.n_head, c.n_embd, c.dropout, c.bias, c.tie_weights)
    assert_equal(numbers, (50257, 1024, 12, 12, 768, 0.0, True, True), "the fields in their order")
    assert_equal(GPTConfig.gpt2(), c, "gpt2()")


@pytest.mark.parametrize(
    ("size", "numbers"),
    [("small", (12, 12, 768)), ("medium", (24, 16, 1024)), ("large", (36, 20, 1280)), ("xl", (48, 25, 1600))],
)
def test_gpt2_has_four_sizes(size, numbers):
    """gpt2("medium") has 24 layers, 16 heads and 1,024 features, and so on.

    These numbers give the published numbers of parameters, 124 million up to 1.5 billion.
    """
    c = GPTConfig.gpt2(size)
    assert_equal((c.n_layer, c.n_head, c.n_embd), numbers, f"layers, heads and features of {size}")
    count = sum(math.prod(shape) for shape in expected_shapes(c).values())
    assert_equal(count, PUBLISHED[size], "the number of parameters")


def test_gpt2_may_be_changed():
    """gpt2("large", block_size=64, n_layer=2) is the large one with these two changed."""
    c = GPTConfig.gpt2("large", block_size=64, n_layer=2)
    assert_equal((c.n_layer, c.n_head, c.n_embd, c.block_size, c.vocab_size), (2, 20, 1280, 64, 50257))


def test_gpt2_makes_the_class_that_is_asked():
    """Of a subclass of GPTConfig gpt2() gives that subclass."""

    class Mine(GPTConfig):
        pass

    assert_equal(type(Mine.gpt2("medium")).__name__, "Mine", "the class of Mine.gpt2()")


def test_there_is_no_other_gpt2():
    """Another size is a ValueError that names it and the four that there are."""
    with raises(ValueError, "huge", "small", "medium", "large", "xl"):
        GPTConfig.gpt2("huge")


# Parameters


def test_the_model_keeps_its_config():
    """GPT(config).config is that config: whoever writes with the model asks for model.config.block_size."""
    config = GPTConfig(vocab_size=11, block_size=6, n_layer=0, n_head=2, n_embd=4)
    assert_equal(getattr(GPT(config), "config", "no attribute of that name"), config, "model.config")


@given(
    heads=st.integers(1, 2),
    side=st.integers(1, 3),
    layers=st.integers(0, 2),
    vocab_size=st.integers(1, 5),
    block_size=st.integers(1, 4),
    bias=st.booleans(),
    tie=st.booleans(),
)
def test_every_parameter_has_its_name_and_shape(heads, side, layers, vocab_size, block_size, bias, tie):
    """The parameters are wte, wpe, the blocks h.0, h.1, ..., ln_f, and lm_head only where it is not tied to wte."""
    config = GPTConfig(vocab_size, block_size, layers, heads, heads * side, bias=bias, tie_weights=tie)
    found = {name: parameter.shape for name, parameter in GPT(config).named_parameters()}
    expected = expected_shapes(config)
    assert_equal(sorted(found), sorted(expected), "the names of the parameters")
    assert_equal(found, {name: expected[name] for name in found}, "the table of their shapes")


def test_tied_weights_are_one_parameter():
    """With tie_weights lm_head.weight *is* wte.weight: the same object, counted once, and changed at once."""
    model = small()
    assert model.lm_head.weight is model.wte.weight, (
        "lm_head.weight and wte.weight are two parameters: a copy is not tied, the next step parts them"
    )
    apart = GPT(GPTConfig(11, 6, 2, 2, 4, tie_weights=False))
    assert apart.lm_head.weight is not apart.wte.weight, "without tie_weights they are one"


def test_weights_begin_small():
    """Weights are drawn with mean 0 and deviation 0.02, embeddings too; biases are 0, the norms' weights 1."""
    manual_seed(1)
    model = GPT(GPTConfig(vocab_size=200, block_size=80, n_layer=1, n_head=2, n_embd=64, tie_weights=False))
    for name, parameter in model.named_parameters():
        values = parameter.data
        if name.endswith("bias"):
            assert_close(values, np.zeros_like(values), name)
        elif "ln_" in name:
            assert_close(values, np.ones_like(values), name)
        elif "out_proj" not in name and "c_proj" not in name:
            off = abs(values.std() / 0.02 - 1)
            assert off < 0.08, f"{name} has the deviation {values.std():.4f}, expected 0.02"
            assert abs(values.mean()) < 0.002, f"{name} has the mean {values.mean():.4f}, expected 0"


def test_reset_parameters_draws_all_anew():
    """Whatever was there, 7 here: after reset_parameters() weights are small, biases 0 and the norms' weights 1."""
    model = small()
    for parameter in model.parameters():
        parameter.data[...] = 7
    model.reset_parameters()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert_close(parameter, np.zeros(parameter.shape, np.float32), name)
        elif "ln_" in name:
            assert_close(parameter, np.ones(parameter.shape, np.float32), name)
        else:
            assert (np.abs(parameter.data) < 1).all(), f"{name} was filled with 7, and is not drawn again"


def test_what_is_added_begins_smaller_in_deep_models():
    """out_proj and c_proj are drawn with the deviation 0.02 / sqrt(2 * n_layer): 0.00707 for 4 layers."""
    manual_seed(2)
    model = GPT(GPTConfig(vocab_size=5, block_size=4, n_layer=4, n_head=2, n_embd=64))
    for name, parameter in model.named_parameters():
        if name.endswith(("out_proj.weight", "c_proj.weight")):
            std = parameter.data.std()
            assert abs(std / 0.00707107 - 1) < 0.08, f"{name} has the deviation {std:.5f}, expected 0.00707"


def test_all_is_float32():
    """Every parameter and the logits are float32."""
    model = small()
    kinds = {name: str(parameter.dtype) for name, parameter in model.named_parameters()}
    assert_equal(set(kinds.values()), {"float32"}, "the dtypes of the parameters")
    assert_equal(str(model(Tensor(IDS)).dtype), "float32", "the dtype of the logits")


# Forward


def test_logits_have_a_row_for_every_token():
    """ids (B, T) give logits (B, T, vocab_size)."""
    model = small()
    assert_equal(model(Tensor(IDS)).shape, (2, 5, 11), "the shape of the logits")
    assert_equal(model(zeros(2, 0, dtype=np.int64)).shape, (2, 0, 11), "the shape for texts without tokens")


def test_a_fresh_model_knows_nothing():
    """Before the first step all tokens are about as likely: the loss is near ln(vocab_size), not far above it."""
    manual_seed(0)
    rng = np.random.default_rng(0)
    model = GPT(GPTConfig(vocab_size=65, block_size=32, n_layer=2, n_head=2, n_embd=64))
    loss = model.loss(Tensor(rng.integers(0, 65, (8, 32))), Tensor(rng.integers(0, 65, (8, 32)))).item()
    assert abs(loss - math.log(65)) < 0.1, f"the loss of a fresh model is {loss:.3f}, expected ln 65 = 4.174"


def test_a_gpt_without_blocks():
    """Without blocks the logits of a token are lm_head(ln_f(its row of wte + the row of wpe for its place))."""
    model = settled(GPT(GPTConfig(11, 6, 0, 2, 4)))
    state = {name: each.data for name, each in model.state_dict().items()}
    expected = np.empty((2, 5, 11))
    for b, t in np.ndindex(IDS.shape):
        x = state["wte.weight"][IDS[b, t]] + state["wpe.weight"][t]
        x = (x - x.mean()) / math.sqrt(x.var() + 1e-5) * state["ln_f.weight"] + state["ln_f.bias"]
        expected[b, t] = state["lm_head.weight"] @ x
    assert_close(model(Tensor(IDS)), expected, "the logits")


def test_every_block_is_passed_in_order():
    """The blocks h[0], h[1], ... follow one another between the embeddings and ln_f."""
    model = settled(small())
    x = model.wpe(model.wte(Tensor(IDS)))
    expected = model.lm_head(model.ln_f(model.h[1](model.h[0](x)))).data
    assert_close(model(Tensor(IDS)), expected, "the logits")


def test_no_token_knows_what_comes_after_it():
    """Row t of the logits depends on the tokens 0 to t only: another token at place 3 leaves rows 0 to 2 alone."""
    model = settled(small())
    changed = IDS.copy()
    changed[:, 3] = [4, 6]
    before, after = model(Tensor(IDS)).data, model(Tensor(changed)).data
    assert_close(after[:, :3], before[:, :3], "rows 0 to 2")
    assert (np.abs(after[:, 4] - before[:, 4]) > 1e-6).any(), "row 4 does not see the token at place 3"


def test_the_order_of_tokens_counts():
    """The same tokens in another order give the last place other logits: places are added to tokens."""
    model = settled(small())
    one, other = (model(Tensor(np.array([ids]))).data[0, -1] for ids in ([1, 2, 3, 4], [3, 2, 1, 4]))
    assert (np.abs(one - other) > 1e-6).any(), "both orders give the same logits"


def test_a_text_may_not_be_longer_than_block_size():
    """6 tokens fit into block_size 6; 7 are a ValueError that holds both numbers."""
    model = small()
    assert_equal(model(zeros(1, 6, dtype=np.int64)).shape, (1, 6, 11), "the shape for 6 tokens")
    with raises(ValueError, 7, 6):
        model(zeros(1, 7, dtype=np.int64))


def test_dropout_acts_in_training_only():
    """While training two passes differ, in eval mode they do not; the sum of the embeddings is dropped out first."""
    manual_seed(0)
    model = GPT(GPTConfig(11, 6, 0, 2, 16, dropout=0.5))
    ids = Tensor(IDS)
    assert (model(ids).data != model(ids).data).any(), "two passes while training are the same"
    model.eval()
    assert_close(model(ids), model(ids).data, "the second pass in eval mode")


@pytest.mark.parametrize("zero", ["wte", "wpe"])
def test_tokens_and_places_are_dropped_out_together(zero):
    """drop acts on the sum: with wte all 0 two passes while training differ still, and with wpe all 0, too."""
    manual_seed(0)
    model = settled(GPT(GPTConfig(11, 6, 0, 2, 16, dropout=0.5, tie_weights=False)))
    getattr(model, zero).weight.data[...] = 0
    first, second = (model(Tensor(IDS)).data for _ in range(2))
    assert (first != second).any(), (
        f"with {zero}.weight 0 two passes are the same: only {zero} is dropped out"
    )


@pytest.mark.parametrize("n_layer", [1, 0])
def test_features_must_fit_the_heads(n_layer):
    """n_embd 6 among n_head 4 is a ValueError with both numbers, also if there is no block."""
    with raises(ValueError, 6, 4):
        GPT(GPTConfig(vocab_size=5, block_size=4, n_layer=n_layer, n_head=4, n_embd=6))


# With a cache


@pytest.mark.parametrize("cuts", [[], [1], [4], [2, 3], [1, 2, 3, 4]], ids=str)
def test_a_text_may_come_in_pieces(cuts):
    """With a cache, a text in pieces gives the logits of the whole text.

    Each layer has a memory of its own, and the places of a piece begin at cache.length.
    """
    model, cache = settled(small()), Remembered(cat, 2)
    pieces = [model(Tensor(piece), cache).data for piece in np.split(IDS, cuts, axis=1)]
    assert_close(np.concatenate(pieces, 1), model(Tensor(IDS)).data, f"cut at {cuts}, the logits")


def test_what_the_cache_holds_counts_for_block_size():
    """4 tokens in the cache and 3 new ones exceed block_size 6: a ValueError with 7 and 6; the cache is unchanged."""
    model, cache = small(), Remembered(cat, 2)
    model(zeros(1, 4, dtype=np.int64), cache)
    with raises(ValueError, 7, 6):
        model(zeros(1, 3, dtype=np.int64), cache)
    assert_equal(cache.length, 4, "the tokens in the cache")


@pytest.mark.parametrize("lengths", [[3, 1], [0, 4], [2, 2], [0, 0]], ids=str)
def test_texts_of_a_batch_may_have_unequal_lengths(lengths):
    """Where cache.length is an array, one number for each text, each text has the logits that it has alone."""
    model, texts = settled(small()), [Remembered(cat, 2) for _ in lengths]
    new, expected = [], []
    for row, text, length in zip(IDS, texts, lengths, strict=True):
        if length:
            model(Tensor(row[None, :length]), text)
        new.append(row[length : length + 1])
        expected.append(model(Tensor(row[None, : length + 1])).data[:, -1:])
    logits = model(Tensor(np.stack(new)), Together(texts))
    assert_close(
        logits, np.concatenate(expected), f"texts of {lengths} tokens and a new one each: the logits"
    )


def test_the_longest_text_counts_for_block_size():
    """With texts of 1 and 4 tokens in the cache 3 new ones exceed block_size 6: a ValueError with 7 and 6."""
    model, texts = small(), [Remembered(cat, 2), Remembered(cat, 2)]
    for text, length in zip(texts, (1, 4), strict=True):
        model(zeros(1, length, dtype=np.int64), text)
    with raises(ValueError, 7, 6):
        model(zeros(2, 3, dtype=np.int64), Together(texts))
    assert_equal([text.length for text in texts], [1, 4], "the list of tokens in the cache, text by text,")


def test_a_text_that_is_refused_leaves_the_cache_alone():
    """An id that is not in the vocabulary is an IndexError before any layer puts something into the cache."""
    model, cache = small(), Remembered(cat, 2)
    with raises(IndexError, 11):
        model(Tensor(np.array([[1, 11]])), cache)
    assert_equal([len(given) for given in cache.given], [0, 0], "the count of update calls by layer")


def test_a_model_with_a_cache_drops_out_too():
    """While training with dropout=1 nothing of the text is left, also with a cache.

    The logits are those of the bias of ln_f alone.
    """
    model, cache = settled(GPT(GPTConfig(11, 6, 2, 2, 4, dropout=1.0))), Remembered(cat, 2)
    expected = model.ln_f.bias.data @ model.lm_head.weight.data.T
    for piece in np.split(IDS, [2], axis=1):
        logits = model(Tensor(piece), cache)
        assert_close(logits, np.broadcast_to(expected, logits.shape), "the logits of a piece", atol=1e-5)


# Loss


def test_the_loss_of_one_token_by_hand():
    """Logits [0, ln 3] give the probabilities 1/4 and 3/4: target 0 costs ln 4, and target 1 ln(4/3)."""
    logits = tensor([[[0.0, math.log(3)], [0.0, math.log(3)]]])  # (1, 2, 2)
    assert_close(next_token_loss(logits, tensor([[0, 0]])), np.float32(math.log(4)), "the loss for target 0")
    both = np.float32((math.log(4) + math.log(4 / 3)) / 2)
    assert_close(next_token_loss(logits, tensor([[0, 1]])), both, "the mean for both")


def test_the_loss_is_over_all_places():
    """The loss is the mean over batch and time; a target of -100 does not count."""
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((2, 3, 5)), np.array([[1, 4, -100], [0, -100, 2]])
    costs = [
        math.log(np.exp(logits[place]).sum()) - logits[place][targets[place]]
        for place in np.ndindex(2, 3)
        if targets[place] != -100
    ]
    assert_close(next_token_loss(Tensor(logits), Tensor(targets)), np.mean(costs), "the loss")


def test_loss_of_a_model():
    """model.loss(ids, targets) is the loss of what it says about ids."""
    model = settled(small())
    targets = np.roll(IDS, -1, axis=1)
    logits = model(Tensor(IDS)).data
    expected = cross_entropy(Tensor(logits.reshape(10, 11)), Tensor(targets.reshape(10))).data
    assert_close(model.loss(Tensor(IDS), Tensor(targets)), expected, "the loss")


def test_targets_must_fit_the_logits():
    """Logits (2, 3, 5) need targets (2, 3): others are a ValueError with both shapes, even as many in another order."""
    for shape in [(3, 2), (2, 4), (6,)]:
        with raises(ShapeError, (2, 3, 5), shape):
            next_token_loss(zeros(2, 3, 5), zeros(shape, dtype=np.int64))


# The file


def test_a_model_is_saved_and_loaded(tmp_path):
    """A model that was saved and loaded gives the same logits, and its weights are still tied.

    save(model.state_dict(), path), then load_state_dict(load(path)) on a fresh model.
    """
    model, other = small(), small()
    save(model.state_dict(), tmp_path / "gpt.safetensors")
    other.load_state_dict(load(tmp_path / "gpt.safetensors"))
    assert_close(other(Tensor(IDS)), model(Tensor(IDS)).data, "the logits of the loaded model")
    assert other.lm_head.weight is other.wte.weight, "the loaded model is no longer tied"


def test_gpt2_small_has_124_439_808_parameters(monkeypatch):
    """The small GPT-2, built for once in its full size, has 124,439,808 parameters."""
    monkeypatch.setattr(
        init, "normal_", lambda tensor, *args, **kwargs: tensor
    )  # 124 million draws take a while
    monkeypatch.setattr(init, "uniform_", lambda tensor, *args, **kwargs: tensor)
    model = GPT(GPTConfig.gpt2("small"))
    assert_equal(sum(parameter.numel() for parameter in model.parameters()), 124_439_808, "the number")
