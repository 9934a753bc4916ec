"""Functions under the names that PyTorch users know (torch.nn.functional).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.activations import (
        gelu as gelu,
        leaky_relu as leaky_relu,
        log_softmax as log_softmax,
        relu as relu,
        sigmoid as sigmoid,
        silu as silu,
        softmax as softmax,
        softplus as softplus,
    )
    from tinytorch.attention import (
        scaled_dot_product_attention as scaled_dot_product_attention,
    )
    from tinytorch.embeddings import (
        embedding as embedding,
    )
    from tinytorch.layers import (
        dropout as dropout,
        linear as linear,
    )
    from tinytorch.losses import (
        binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
        cross_entropy as cross_entropy,
        huber_loss as huber_loss,
        l1_loss as l1_loss,
        mse_loss as mse_loss,
        nll_loss as nll_loss,
    )
    from tinytorch.spatial import (
        adaptive_avg_pool2d as adaptive_avg_pool2d,
        avg_pool2d as avg_pool2d,
        batch_norm as batch_norm,
        conv2d as conv2d,
        max_pool2d as max_pool2d,
    )
    from tinytorch.tensor import (
        pad as pad,
        tanh as tanh,
    )
    from tinytorch.transformers import (
        layer_norm as layer_norm,
        rms_norm as rms_norm,
    )

__getattr__, __dir__ = face(__name__)
