# PyTorch's.

import torch
from torch.utils import checkpoint as theirs

from tinytorch.tensor.tensor import called


def checkpoint(function, *inputs):
    """PyTorch's, where the second call draws what the first one drew: from kata 01's generators."""
    again, calls = {Device("cpu"): generator_again(Device("cpu"))}, []

    def run(*tensors):
        calls.append(len(calls))
        with torch._C._EnableTorchFunction():
            if calls == [0]:
                return function(*tensors)
            with drawing_from_again({device: make() for device, make in again.items()}):
                return function(*tensors)

    return called(theirs.checkpoint, run, *inputs, use_reentrant=False)
