"""Two functions beside each other, the reference's and PyTorch's: value and every gradient."""

import numpy as np
import torch

from tinytorch.tensor import Tensor

CLOSE = {"float32": (2e-5, 2e-6), "float64": (1e-10, 1e-10)}
"""rtol and atol for results of each dtype."""


def compare(mine, theirs, *arrays, upstream=None, rtol=None, atol=None):
    """Check that both functions of `arrays` give the same value, and the same gradient for each floating-point array.

    Shapes, dtypes and entries are compared; nan and inf must be at the same places. The upstream gradient is random
    by default.
    """
    results = [_gradients(f, make, arrays, upstream) for f, make in ((mine, Tensor), (theirs, torch.tensor))]
    for place, (actual, expected) in enumerate(zip(*results, strict=True)):
        what = f"gradient {place}" if place else "the value"
        assert actual.shape == expected.shape, what
        assert actual.dtype == expected.dtype, what
        usual = CLOSE[str(expected.dtype)]
        tolerances = {"rtol": usual[0] if rtol is None else rtol, "atol": usual[1] if atol is None else atol}
        np.testing.assert_allclose(actual, expected, **tolerances, err_msg=what)


def _gradients(function, make, arrays, upstream):
    """The output, and the gradient for each input that can have one."""
    inputs = [make(each.copy()) for each in arrays]
    for each, array in zip(inputs, arrays, strict=True):
        each.requires_grad = array.dtype.kind == "f"
    out = function(*inputs)
    value = out.detach().numpy()
    if upstream is None:
        upstream = np.random.default_rng(1).standard_normal(value.shape)
    out.backward(make(np.asarray(upstream, value.dtype)))
    return [value, *(each.grad.numpy() for each in inputs if each.requires_grad)]


def drawn(*shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
