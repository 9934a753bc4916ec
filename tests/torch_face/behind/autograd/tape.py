# PyTorch's switches and `grad`. Node, Tape and what they need stay the reference's: their specs are not run.

import torch

from tinytorch.tensor.tensor import called

is_grad_enabled = torch.is_grad_enabled
no_grad = torch.no_grad
enable_grad = torch.enable_grad


def grad(outputs, inputs, grad_outputs=None, retain_graph=False, allow_unused=False):
    return called(
        torch.autograd.grad,
        outputs,
        inputs,
        grad_outputs,
        retain_graph=retain_graph,
        allow_unused=allow_unused,
    )
