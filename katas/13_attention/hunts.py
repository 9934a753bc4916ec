"""What mistakes in kata 13 look like from outside. `make hunt N=13` plants one of them in a copy of your code."""

import math

import numpy as np

from tinytorch import attention as a
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, ones, randn, tensor


def table(x: Tensor) -> None:
    for row in x.data.reshape(-1, x.shape[-1]):
        print(" ".join(f"{each + 0.0:6.3f}" for each in row))


def words() -> tuple[Tensor, Tensor]:
    manual_seed(0)
    return randn(4, 8), randn(4, 8)


def looks() -> None:
    """How much each of four words looks at each of the four. None should look at a later one; rows add up to 1."""
    table(a.attention_weights(*words(), is_causal=True))


def sharpness() -> None:
    """The largest share that a query gives to one key, for random rows of 4, 64 and 1024 features."""
    manual_seed(0)
    for features in (4, 64, 1024):
        weights = a.attention_weights(randn(50, features), randn(50, features))
        print(f"{features:4d} features: {weights.data.max(1).mean():.2f}")


def allowed() -> None:
    """How much a query looks at three keys, where True allows the first two."""
    table(a.attention_weights(ones(1, 4), ones(3, 4), attn_mask=tensor([[True, True, False]])))


def blind() -> None:
    """What a query gets that may look at nothing."""
    table(a.safe_softmax(tensor([[-math.inf, -math.inf], [0.0, 0.0]]), dim=-1))


def heads() -> None:
    """Three places with four features, "place * 10 + feature", in two heads: each head has all the places."""
    x = Tensor(np.array([[10.0 * place + feature for feature in range(4)] for place in range(3)]))
    for head, rows in enumerate(a.split_heads(x, 2)):
        print(f"head {head}:", rows.tolist())


def again() -> None:
    """Whether a layer gives the same twice when it is no longer trained."""
    manual_seed(0)
    layer = a.MultiHeadAttention(8, 2, dropout=0.5).eval()
    x = randn(3, 8)
    first, second = layer(x).data, layer(x).data
    print("the same" if (first == second).all() else "another")


def dropped() -> None:
    """The mean of what 50 queries get of values that are all 1, with dropout_p=0.5, and how many different results."""
    manual_seed(0)
    out = a.scaled_dot_product_attention(randn(50, 8), randn(20, 8), ones(20, 1), dropout_p=0.5).data
    print(f"mean {out.mean():.1f}, different results: {len(np.unique(out.round(4))) > 2}")


HUNTS = {
    "weights_see_the_future": looks,
    "mask_without_itself": looks,
    "weights_without_scale": sharpness,
    "weights_hide_where_true": allowed,
    "softmax_of_nothing": blind,
    "heads_without_transpose": heads,
    "layer_drops_for_ever": again,
    "weights_over_the_queries": looks,
    "attention_never_drops": dropped,
}
