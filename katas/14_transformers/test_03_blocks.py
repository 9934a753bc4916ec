"""Look around, then think: FeedForward and TransformerBlock."""

import math

import numpy as np
import pytest

from dojo.spec import Remembered, assert_close, assert_equal, settled
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, cat, zeros
from tinytorch.transformers import FeedForward, GPTConfig, TransformerBlock

X = np.random.default_rng(7).integers(-4, 5, (2, 5, 4)) / 4  # (B, T, D)


def small_block():
    """4 features, 2 heads, and weights that settled() has chosen."""
    return settled(TransformerBlock(GPTConfig(n_head=2, n_embd=4)))


def shapes_of(module):
    return {name: each.shape for name, each in module.state_dict().items()}


# The oracle: a place at a time, with the weights of a state_dict.


def gelu_by_hand(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def norm_by_hand(x, state, name):
    bias = state.get(f"{name}.bias", 0.0)
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5) * state[f"{name}.weight"] + bias


def linear_by_hand(x, state, name):
    return state[f"{name}.weight"] @ x + state.get(f"{name}.bias", 0.0)


def attention_by_hand(rows, state, name, heads):
    """What the last of the rows gets from all of them."""
    side = len(rows[0]) // heads
    query = linear_by_hand(rows[-1], state, f"{name}.q_proj")
    keys = [linear_by_hand(row, state, f"{name}.k_proj") for row in rows]
    values = [linear_by_hand(row, state, f"{name}.v_proj") for row in rows]
    gathered = []
    for h in range(heads):
        part = slice(h * side, (h + 1) * side)
        scores = np.array([query[part] @ key[part] / math.sqrt(side) for key in keys])
        weights = np.exp(scores - scores.max())
        gathered.append(sum(w * v[part] for w, v in zip(weights / weights.sum(), values, strict=True)))
    return linear_by_hand(np.concatenate(gathered), state, f"{name}.out_proj")


def feed_forward_by_hand(x, state, name):
    return linear_by_hand(gelu_by_hand(linear_by_hand(x, state, f"{name}c_fc")), state, f"{name}c_proj")


def block_by_hand(rows, state, heads):
    """All rows after one block."""
    after = []
    for t in range(len(rows)):
        seen = [norm_by_hand(row, state, "ln_1") for row in rows[: t + 1]]
        x = rows[t] + attention_by_hand(seen, state, "attn", heads)
        after.append(x + feed_forward_by_hand(norm_by_hand(x, state, "ln_2"), state, "mlp."))
    return np.array(after)


def arrays_of(module):
    return {name: each.data for name, each in module.state_dict().items()}


# Feed forward


def test_feed_forward_widens_four_times():
    """FeedForward(4) has the Linears c_fc, 4 to 16 features, and c_proj, 16 to 4; with bias=False without biases."""
    expected = {"c_fc.weight": (16, 4), "c_fc.bias": (16,), "c_proj.weight": (4, 16), "c_proj.bias": (4,)}
    assert_equal(shapes_of(FeedForward(4)), expected, "the state")
    without = {"c_fc.weight": (16, 4), "c_proj.weight": (4, 16)}
    assert_equal(shapes_of(FeedForward(4, bias=False)), without, "the state without bias")


def test_feed_forward_bends_with_the_gelu_of_gpt2():
    """c_proj(gelu(c_fc(x), "tanh")) for each place: GPT-2 has the approximate gelu."""
    mlp = settled(FeedForward(4))
    state = arrays_of(mlp)
    expected = [[feed_forward_by_hand(row, state, "") for row in rows] for rows in X]
    assert_close(mlp(Tensor(X)), np.array(expected))


def test_feed_forward_drops_out_while_it_learns():
    """With dropout=0.5 about half of what FeedForward gives is 0 while training, and nothing in eval mode."""
    manual_seed(0)
    mlp = FeedForward(8, dropout=0.5)
    x = Tensor(np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32))
    share = (mlp(x).data == 0).mean()
    assert 0.3 < share < 0.7, f"{share:.0%} of the result is 0, expected about half: dropout comes last"
    assert (mlp.eval()(x).data != 0).all(), "in eval mode something was dropped"


# Blocks


def test_the_parts_of_a_block():
    """A block has ln_1, attn, ln_2 and mlp, of the sizes in the config."""
    four = {"weight": (4, 4), "bias": (4,)}
    expected = {f"ln_1.{name}": (4,) for name in ("weight", "bias")}
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        expected |= {f"attn.{part}.{name}": shape for name, shape in four.items()}
    expected |= {f"ln_2.{name}": (4,) for name in ("weight", "bias")}
    expected |= {f"mlp.{name}": shape for name, shape in shapes_of(FeedForward(4)).items()}
    assert_equal(shapes_of(TransformerBlock(GPTConfig(n_head=2, n_embd=4))), expected, "the state")


def test_a_block_without_biases():
    """With bias=False in the config no part of a block has one."""
    block = TransformerBlock(GPTConfig(n_head=2, n_embd=4, bias=False))
    biases = [name for name in block.state_dict() if name.endswith("bias")]
    assert_equal(biases, [], "the biases")


def test_a_block_adds_to_what_was_there():
    """Where out_proj and c_proj are 0, attention and mlp add nothing, and x goes through as it is."""
    block = small_block()
    for part in (block.attn.out_proj, block.mlp.c_proj):
        part.weight.data[...], part.bias.data[...] = 0, 0
    assert_close(block(Tensor(X)), X)


def test_a_block_place_by_place():
    """x = x + attn(ln_1(x)), then x + mlp(ln_2(x)): what a part reads is normalized, and not the sum.

    Attention looks back only, with the config's number of heads.
    """
    block = small_block()
    expected = np.array([block_by_hand(rows, arrays_of(block), 2) for rows in X])
    assert_close(block(Tensor(X)), expected)


def test_later_places_change_nothing():
    """Place t does not know what comes after it: a change at place 3 leaves places 0, 1 and 2 as they were."""
    block = small_block()
    changed = X.copy()
    changed[:, 3:, 0] += 1  # one feature: LayerNorm would not see the same step in all
    before, after = block(Tensor(X)).data, block(Tensor(changed)).data
    assert_close(after[:, :3], before[:, :3], "places 0 to 2")
    assert (np.abs(after[:, 3] - before[:, 3]) > 1e-6).any(), "place 3 does not see its own change"


@pytest.mark.parametrize("part", ["attn", "mlp"])
def test_a_block_drops_out_of_what_it_adds(part):
    """While training, dropout acts on what attention adds, and on what mlp adds, but never on x itself.

    Here all weights are 0, and only the bias of one last layer is 1: with dropout=0.5 it adds 2 to x, or nothing.
    """
    manual_seed(0)
    block = TransformerBlock(GPTConfig(n_head=2, n_embd=8, dropout=0.5))
    for parameter in block.parameters():
        parameter.data[...] = 0
    last = block.attn.out_proj if part == "attn" else block.mlp.c_proj
    last.bias.data[...] = 1
    x = np.full((2, 20, 8), 3.0, np.float32)
    found = sorted(set(block(Tensor(x)).data.ravel().tolist()))
    assert_equal(found, [3.0, 5.0], "what 3 becomes while training")
    assert_close(block.eval()(Tensor(x)), x + 1, "what 3 becomes in eval mode")


def test_weights_of_attention_are_dropped_too():
    """The config's dropout reaches attention's own weights, as in GPT-2: block.attn.dropout is that number."""
    block = TransformerBlock(GPTConfig(n_head=2, n_embd=8, dropout=0.25))
    assert_equal(block.attn.dropout, 0.25, "the dropout of attn")


def test_a_block_hands_the_cache_on():
    """block(x, cache, layer) gives both to attention: keys and values go to that layer, and new places see old ones."""
    block, cache = small_block(), Remembered(cat, 3)
    first = block(Tensor(X[:, :2]), cache, 2).data
    assert_equal(
        [len(given) for given in cache.given], [0, 0, 1], "with layer=2, the count of update calls by layer"
    )
    second = block(Tensor(X[:, 2:]), cache, 2).data
    assert_close(np.concatenate([first, second], 1), block(Tensor(X)).data, "the two pieces")


def test_a_block_of_nothing():
    """No sequences, and sequences without tokens, give a result of the same shape."""
    block = TransformerBlock(GPTConfig(n_head=2, n_embd=4))
    for shape in [(0, 3, 4), (2, 0, 4)]:
        assert_equal(block(zeros(shape)).shape, shape, f"the shape for {shape}")
