"""Kata 04: models as trees of parameters. Given: the names that the files beside this one define."""

from tinytorch.layers import init as init
from tinytorch.layers.layers import (
    GELU as GELU,
    Dropout as Dropout,
    Flatten as Flatten,
    Identity as Identity,
    LeakyReLU as LeakyReLU,
    Linear as Linear,
    LogSoftmax as LogSoftmax,
    ModuleList as ModuleList,
    ReLU as ReLU,
    Sequential as Sequential,
    Sigmoid as Sigmoid,
    SiLU as SiLU,
    Softmax as Softmax,
    Softplus as Softplus,
    Tanh as Tanh,
    dropout as dropout,
    linear as linear,
    linear_backward as linear_backward,
)
from tinytorch.layers.module import (
    Buffer as Buffer,
    LoadResult as LoadResult,
    Module as Module,
    Parameter as Parameter,
)
