# PyTorch's optimizers, and its updates on arrays. Convention: the state holds Tensors of the class above PyTorch's.

import numpy as np
import torch
from torch.optim import adam as _adam, rmsprop as _rmsprop, sgd as _sgd

from tinytorch.tensor.tensor import called, presented, shared


def _on_arrays(update):
    """PyTorch's update on arrays. What it puts into a list of buffers is put there as an array."""

    def call(params, grads, *lists, **options):
        def tensors(each):
            return [shared(a) if isinstance(a, np.ndarray) else a for a in each]

        given = [list(each) for each in lists]
        with torch.no_grad():
            theirs = [tensors(each) for each in given]
            update(tensors(params), tensors(grads), *theirs, **options)
        for each, out in zip(lists, theirs, strict=True):
            for place, value in enumerate(out):
                if isinstance(each, list) and each[place] is None and value is not None:
                    each[place] = value.numpy()

    return call


@_on_arrays
def sgd_update(params, grads, buffers, **options):
    _sgd.sgd(params, grads, buffers, foreach=False, fused=False, maximize=False, **options)


@_on_arrays
def adam_update(params, grads, exp_avgs, exp_avg_sqs, steps, *, betas, decoupled, **options):
    counts = [torch.tensor(float(step - 1)) for step in steps]
    beta1, beta2 = betas
    options |= {"amsgrad": False, "maximize": False, "decoupled_weight_decay": decoupled, "foreach": False}
    _adam.adam(params, grads, exp_avgs, exp_avg_sqs, [], counts, beta1=beta1, beta2=beta2, **options)


@_on_arrays
def rmsprop_update(params, grads, square_avgs, buffers, **options):
    counts = [torch.tensor(0.0) for _ in params]
    _rmsprop.rmsprop(
        params,
        grads,
        square_avgs,
        [],
        buffers,
        counts,
        centered=False,
        maximize=False,
        foreach=False,
        **options,
    )


class Optimizer(torch.optim.Optimizer):
    def step(self):
        called(super().step)
        for state in self.state.values():
            state.update({name: presented(value) for name, value in state.items()})

    def load_state_dict(self, state):
        called(super().load_state_dict, state)
        for state in self.state.values():
            state.update({name: presented(value) for name, value in state.items()})


def _optimizer(theirs):
    return type(theirs.__name__, (Optimizer, theirs), {})


SGD, Adam, AdamW, RMSprop = map(
    _optimizer, (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop)
)
