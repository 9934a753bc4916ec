"""XOR: four points that no straight line can separate, learned by two layers with every gradient by hand.

The dojo decides, not your loss: it looks at what the network says of places near the four points, which are drawn after
the training.
"""

import math

import numpy as np

from dojo.student import verdicts
from tinytorch.activations import tanh_backward
from tinytorch.layers import Linear, linear_backward
from tinytorch.losses import binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_backward
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tanh

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TRUTH = np.array([[0], [1], [1], [0]], np.float32)
ONE = np.array(1, np.float32)
HIDDEN, LR, STEPS = 8, 0.05, 500


def learn_a_line(step):
    """Train one layer, Linear(2, 1): a straight line. Gives the layer."""
    line = Linear(2, 1)
    optimizer = Adam(line.parameters(), lr=LR)
    for _ in range(STEPS):
        logits = line(Tensor(POINTS)).data  # (4, 1)
        d_logits = binary_cross_entropy_with_logits_backward(ONE, logits, TRUTH)
        _, d_weight, d_bias = linear_backward(d_logits, POINTS, line.weight.data)
        line.weight.grad, line.bias.grad = Tensor(d_weight), Tensor(d_bias)
        optimizer.step()
        step()
    return line


def learn_two_layers(first, second, step):
    """Train Linear, tanh, Linear. Gives the loss after each step."""
    optimizer = Adam([*first.parameters(), *second.parameters()], lr=LR)
    losses = []
    for _ in range(STEPS):
        hidden = tanh(first(Tensor(POINTS)))  # (4, HIDDEN)
        logits = second(hidden)  # (4, 1)
        losses.append(float(binary_cross_entropy_with_logits(logits, Tensor(TRUTH)).data))

        optimizer.zero_grad()
        d_logits = binary_cross_entropy_with_logits_backward(ONE, logits.data, TRUTH)
        d_hidden, d_weight, d_bias = linear_backward(d_logits, hidden.data, second.weight.data)
        second.weight.grad, second.bias.grad = Tensor(d_weight), Tensor(d_bias)
        d_hidden = tanh_backward(d_hidden, hidden.data)
        _, d_weight, d_bias = linear_backward(d_hidden, POINTS, first.weight.data)
        first.weight.grad, first.bias.grad = Tensor(d_weight), Tensor(d_bias)

        optimizer.step()
        step(f"loss {losses[-1]:.4f}")
    return losses


def near_the_points(n, rng):
    """`n` places within 0.1 of each of the four points, and what XOR is there."""
    places = np.tile(POINTS, (n, 1)) + rng.uniform(-0.1, 0.1, (4 * n, 2))
    return places.astype(np.float32), np.tile(TRUTH, (n, 1))


def draw(predict, losses, path):
    """Draw the loss, step by step, and what the network says of every place in the square."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    left.semilogy(losses)
    left.set(title="The loss", xlabel="step", ylabel="binary cross-entropy")

    side = np.linspace(-0.5, 1.5, 101, dtype=np.float32)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)  # (101 * 101, 2)
    chance = 1 / (1 + np.exp(-predict(places).reshape(101, 101)))
    surface = right.contourf(side, side, chance, levels=np.linspace(0, 1, 21), cmap="RdBu_r")
    right.contour(side, side, chance, levels=[0.5], colors="black")
    for label, marker in ((0, "o"), (1, "^")):
        x, y = POINTS[TRUTH[:, 0] == label].T
        right.scatter(x, y, s=90, c="white", edgecolors="black", marker=marker, label=f"XOR is {label}")
    right.set(title="What the network says", xlabel="input a", ylabel="input b", aspect="equal")
    figure.legend(loc="outside lower right", ncols=2)  # outside: it would cover points
    figure.colorbar(surface, ax=right, label="probability that XOR is 1", ticks=[0, 0.5, 1])
    figure.savefig(path, dpi=120)


def main(report):
    """ARGS= may hold a number, the seed of the first weights."""
    report.on = "four points"
    manual_seed(int(report.args[0]) if report.args else 0)
    report.say("XOR: 0 for (0, 0) and (1, 1), 1 for (0, 1) and (1, 0). No straight line separates them.")
    with report.progress(STEPS, "one layer ") as step:
        line = learn_a_line(step)
    stuck = verdicts.binary_cross_entropy(line(Tensor(POINTS)).data, TRUTH)
    report.say(
        f"One layer ends at a loss of {stuck:.4f}; log(2) is 0.6931: it cannot decide. Now with a bend:"
    )
    if stuck < math.log(2) - 1e-4:
        raise verdicts.Refused(
            f"One layer has a loss of {stuck:.4f} on the four points. No straight line gets below log(2), 0.6931: does "
            "Linear give x @ weight.T + bias, with one bias for all rows, and nothing else?"
        )

    first, second = Linear(2, HIDDEN), Linear(HIDDEN, 1)
    before = verdicts.weights(first, second)
    with report.progress(STEPS, "two layers") as step:
        losses = learn_two_layers(first, second, step)
    verdicts.moved(before, first, second)

    def predict(places):
        return second(tanh(first(Tensor(places)))).data

    places, truth = near_the_points(50, np.random.default_rng(1))
    logits = verdicts.answers(predict, places, first, second, batch=4)
    right, loss = ((logits > 0) == (truth > 0)).mean(), verdicts.binary_cross_entropy(logits, truth)
    yours = binary_cross_entropy_with_logits(Tensor(logits), Tensor(truth))
    verdicts.agrees(float(yours.data), loss, "The loss", "binary_cross_entropy_with_logits")
    draw(predict, losses, report.figure("xor"))
    return report.verdict(
        right == 1 and loss < 0.05,
        f"{right:.0%} of {len(places)} places near the four points are right, the loss there is {loss:.4f} "
        "(needed: 100% and less than 0.05)",
    )
