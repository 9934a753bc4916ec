"""XOR: four points that no straight line can part, learned by two layers with every gradient by hand."""

import numpy as np

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
    """One layer, Linear(2, 1): a straight line. Gives its last loss."""
    line = Linear(2, 1)
    optimizer = Adam(line.parameters(), lr=LR)
    for _ in range(STEPS):
        logits = line(Tensor(POINTS)).data  # (4, 1)
        d_logits = binary_cross_entropy_with_logits_backward(ONE, logits, TRUTH)
        _, d_weight, d_bias = linear_backward(d_logits, POINTS, line.weight.data)
        line.weight.grad, line.bias.grad = Tensor(d_weight), Tensor(d_bias)
        optimizer.step()
        step()
    return float(binary_cross_entropy_with_logits(line(Tensor(POINTS)), Tensor(TRUTH)).data)


def learn_two_layers(step):
    """Linear, tanh, Linear. Gives the two layers and the loss after each step."""
    first, second = Linear(2, HIDDEN), Linear(HIDDEN, 1)
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
    return first, second, losses


def draw(predict, losses, path):
    """The loss, step by step, and what the network says of every place in the square."""
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
    manual_seed(int(report.args[0]) if report.args else 0)
    report.say("XOR: 0 for (0, 0) and (1, 1), 1 for (0, 1) and (1, 0). No straight line parts them.")
    with report.progress(STEPS, "one layer ") as step:
        stuck = learn_a_line(step)
    report.say(
        f"One layer ends at a loss of {stuck:.4f}; log(2) is 0.6931: it cannot decide. Now with a bend:"
    )
    with report.progress(STEPS, "two layers") as step:
        first, second, losses = learn_two_layers(step)

    def predict(places):
        return second(tanh(first(Tensor(places)))).data

    draw(predict, losses, report.figure("xor"))
    right, last = ((predict(POINTS) > 0) == (TRUTH > 0)).mean(), losses[-1]
    return report.verdict(
        right == 1 and last < 0.05, f"{right:.0%} of the points are right, the loss is {last:.4f}"
    )
