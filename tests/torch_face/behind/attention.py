# PyTorch's function. The layer is the reference's: docs/assumptions.md says how PyTorch's is another one.

from torch.nn import functional as F

from tinytorch.tensor.creation import drawing


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None
):
    return F.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)


scaled_dot_product_attention = drawing(scaled_dot_product_attention)
