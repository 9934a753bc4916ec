"""The bends, and how steep each is at every place: their gradients, which you wrote by hand."""

import matplotlib.figure
import numpy as np

from tinytorch import activations as a
from tinytorch.tensor import Tensor, tanh

X = np.linspace(-5, 5, 401, dtype=np.float32)
ONES = np.ones_like(X)
CURVES = {
    "relu": (a.relu, lambda out: a.relu_backward(ONES, X)),
    "leaky_relu, slope 0.1": (
        lambda x: a.leaky_relu(x, 0.1),
        lambda out: a.leaky_relu_backward(ONES, X, 0.1),
    ),
    "softplus": (a.softplus, lambda out: a.softplus_backward(ONES, X)),
    "sigmoid": (a.sigmoid, lambda out: a.sigmoid_backward(ONES, out)),
    "tanh": (tanh, lambda out: a.tanh_backward(ONES, out)),
    "gelu": (a.gelu, lambda out: a.gelu_backward(ONES, X)),
    "silu": (a.silu, lambda out: a.silu_backward(ONES, X)),
}


def draw() -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(13, 6.5), layout="constrained")
    *each, last = figure.subplots(2, 4, sharex=True).ravel()
    for axes, (name, (function, slope)) in zip(each, CURVES.items(), strict=True):
        out = function(Tensor(X)).data
        axes.plot(X, out, linewidth=2.5, label="value")
        axes.plot(X, slope(out), "--", label="slope")
        axes.set(title=name, ylim=(-1.3, 3.2))
    rows = np.stack([X, 0 * X, 1 + 0 * X], axis=-1)  # three logits, of which one changes
    shares = a.softmax(Tensor(rows), dim=-1).data
    last.stackplot(X, shares.T, labels=["x", "0", "1"], alpha=0.8)
    last.set(title="softmax of (x, 0, 1): shares of 1", ylim=(0, 1))
    last.legend(title="share of", loc="upper left")
    each[0].legend(loc="upper left")
    for axes in (*each, last):
        axes.grid(alpha=0.3)
        axes.axvline(0, color="0.6", linewidth=0.8)
    figure.supxlabel("x (no unit)")
    figure.supylabel("value, and slope: how much the value changes for each unit of x")
    return figure
