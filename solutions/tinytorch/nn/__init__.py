"""Modules and losses under the names that PyTorch users know (torch.nn).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face
from tinytorch.nn import functional as functional, utils as utils

if TYPE_CHECKING:
    from tinytorch.embeddings import (
        Embedding as Embedding,
    )
    from tinytorch.layers import (
        GELU as GELU,
        Buffer as Buffer,
        Dropout as Dropout,
        Flatten as Flatten,
        Identity as Identity,
        LeakyReLU as LeakyReLU,
        Linear as Linear,
        LogSoftmax as LogSoftmax,
        Module as Module,
        ModuleList as ModuleList,
        Parameter as Parameter,
        ReLU as ReLU,
        Sequential as Sequential,
        Sigmoid as Sigmoid,
        SiLU as SiLU,
        Softmax as Softmax,
        Softplus as Softplus,
        Tanh as Tanh,
        init as init,
    )
    from tinytorch.losses import (
        BCEWithLogitsLoss as BCEWithLogitsLoss,
        CrossEntropyLoss as CrossEntropyLoss,
        HuberLoss as HuberLoss,
        L1Loss as L1Loss,
        MSELoss as MSELoss,
        NLLLoss as NLLLoss,
    )
    from tinytorch.spatial import (
        AdaptiveAvgPool2d as AdaptiveAvgPool2d,
        AvgPool2d as AvgPool2d,
        BatchNorm2d as BatchNorm2d,
        Conv2d as Conv2d,
        MaxPool2d as MaxPool2d,
    )
    from tinytorch.transformers import (
        LayerNorm as LayerNorm,
        RMSNorm as RMSNorm,
    )

__getattr__, __dir__ = face(__name__)
