# PyTorch's.

import torch

from tinytorch.tensor.tensor import called


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    return called(torch.nn.utils.clip_grad_norm_, parameters, max_norm, norm_type, error_if_nonfinite)


def clip_grad_value_(parameters, clip_value):
    return called(torch.nn.utils.clip_grad_value_, parameters, clip_value)
