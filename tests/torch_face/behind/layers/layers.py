# PyTorch's layers; the gradients of `linear` on arrays are what its autograd finds.

import numpy as np
import torch
from torch.nn import functional as F

from tinytorch.layers.module import module
from tinytorch.tensor.creation import drawing

linear = F.linear
dropout = drawing(F.dropout)

for _name in [
    "Linear",
    "ModuleList",
    "Sequential",
    "Dropout",
    "Flatten",
    "Identity",
    "ReLU",
    "LeakyReLU",
    "Sigmoid",
    "Tanh",
    "GELU",
    "SiLU",
    "Softplus",
    "Softmax",
    "LogSoftmax",
]:
    globals()[_name] = module(getattr(torch.nn, _name))
Dropout.forward = drawing(torch.nn.Dropout.forward)


def linear_backward(grad, x, weight):
    from tinytorch.autograd import grad as gradients

    inputs = [Tensor(x, True), Tensor(weight, True), Tensor(np.zeros(len(weight), x.dtype), True)]
    return tuple(each.data for each in gradients(linear(*inputs), inputs, Tensor(grad)))
