# PyTorch's functions and layers.

import torch
from torch.nn import functional as F

from tinytorch.layers.module import module

conv2d = torch.conv2d
adaptive_avg_pool2d = F.adaptive_avg_pool2d
batch_norm = F.batch_norm


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1):
    return F.max_pool2d(x, kernel_size, stride, padding, dilation)


def avg_pool2d(x, kernel_size, stride=None, padding=0, *, count_include_pad=True):
    return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=count_include_pad)


for _name in ["Conv2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "BatchNorm2d"]:
    globals()[_name] = module(getattr(torch.nn, _name))
