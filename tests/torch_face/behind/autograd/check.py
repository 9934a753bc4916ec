# PyTorch's.

import torch
from torch.autograd.gradcheck import GradcheckError as GradcheckError

from tinytorch.tensor.tensor import called


def gradcheck(function, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    def outside(*tensors):
        with torch._C._EnableTorchFunction():
            return function(*tensors)

    options = {"eps": eps, "atol": atol, "rtol": rtol, "raise_exception": raise_exception}
    return called(torch.autograd.gradcheck, outside, inputs, **options)
