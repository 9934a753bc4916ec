"""The surfaces that losses make of one line through ten points, and what label smoothing asks for."""

import matplotlib.figure
import numpy as np

from tinytorch import losses
from tinytorch.tensor import Tensor

X = np.linspace(-1, 1, 10)
Y = 1.5 * X + 0.5
Y[-1] = -4  # one point is far off
SLOPES, HEIGHTS = np.linspace(-2.5, 2.5, 81), np.linspace(-1.5, 2, 81)


def surface(loss) -> np.ndarray:
    """The loss of the line y = slope * x + height, for each pair."""
    lines = HEIGHTS[:, None, None] + SLOPES[:, None] * X  # (81, 81, 10)
    each = loss(Tensor(lines), Tensor(np.broadcast_to(Y, lines.shape)), reduction="none")
    return each.mean(-1).data


def draw() -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(12, 9), layout="constrained")
    (first, second), (third, last) = figure.subplots(2, 2)
    for axes, loss in ((first, losses.mse_loss), (second, losses.l1_loss), (third, losses.huber_loss)):
        values = surface(loss)
        drawn = axes.contourf(SLOPES, HEIGHTS, values, levels=30, cmap="viridis_r")
        axes.contour(SLOPES, HEIGHTS, values, levels=drawn.levels[:8:2], colors="white", linewidths=0.8)
        row, column = np.unravel_index(values.argmin(), values.shape)
        axes.plot(SLOPES[column], HEIGHTS[row], "r*", markersize=16, label="lowest place")
        axes.plot(
            1.5, 0.5, "kx", markersize=11, markeredgewidth=2.5, label="line through nine of the ten points"
        )
        axes.set(title=loss.__name__, xlabel="slope of the line", ylabel="its height at x = 0")
        figure.colorbar(drawn, ax=axes, label="loss")
    first.legend(loc="lower left")

    lead = np.linspace(-2, 12, 200)  # of ten logits, the true one is larger than the rest by so much
    logits = Tensor(np.eye(10)[0] * lead[:, None])
    target = Tensor(np.zeros(200, np.int64))
    for smoothing in (0.0, 0.1, 0.3):
        values = losses.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none").data
        [line] = last.plot(lead, values, label=f"label_smoothing={smoothing}")
        if smoothing:
            last.plot(lead[values.argmin()], values.min(), "*", color=line.get_color(), markersize=14)
    last.set(
        title="cross_entropy: smoothed labels punish certainty",
        xlabel="lead of the true logit over the nine others",
        ylabel="loss (nats)",
    )
    last.legend()
    last.grid(alpha=0.3)
    return figure
