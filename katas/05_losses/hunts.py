"""What mistakes in kata 05 look like from outside. `make hunt N=5` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import losses
from tinytorch.tensor import Tensor, tensor

X = np.array([0.0, 1.0, 2.0, 3.0])
Y = 2 * X


def line() -> None:
    """A slope that is fitted to y = 2 * x, by hand."""
    slope = 0.5
    for step in range(5):
        loss = losses.mse_loss(Tensor(slope * X), Tensor(Y)).item()
        print(f"step {step}: slope {slope:8.4f}   loss {loss:.4f}")
        slope -= 0.1 * (losses.mse_loss_backward(np.array(1.0), slope * X, Y) * X).sum()


def exact() -> None:
    """The slope of the squared loss at 3 and 5, where 1 is wanted, and how much the loss grows for each 0.001."""
    input, target, little = np.array([3.0, 5.0]), np.array([1.0, 1.0]), np.array([0.001, 0.0])
    loss = [losses.mse_loss(Tensor(each), Tensor(target)).item() for each in (input - little, input + little)]
    print(f"slope:  {losses.mse_loss_backward(np.array(1.0), input, target)[0]:.4f}")
    print(f"growth: {(loss[1] - loss[0]) / 0.002:.4f}")


def very_wrong() -> None:
    """The loss of a model that is certain, and wrong."""
    print(losses.cross_entropy(tensor([[200.0, 0.0]]), tensor([1])).item())


def padded() -> None:
    """The loss of two words, and of the same two words in a sentence that is filled up to 8."""
    logits = Tensor(np.zeros((8, 5), np.float32))
    for target in ([1, 2], [1, 2, -100, -100, -100, -100, -100, -100]):
        print(f"{losses.cross_entropy(logits[: len(target)], tensor(target)).item():.4f}")


def smoothed() -> None:
    """The loss of the shares 0.91, 0.03, 0.03 and 0.03 under label_smoothing=0.12, which asks for these."""
    logits = tensor(np.log([[0.91, 0.03, 0.03, 0.03]]))
    print(f"{losses.cross_entropy(logits, tensor([0]), label_smoothing=0.12).item():.5f}")


def rare() -> None:
    """The losses of one who is ill and one who is well, where a missed illness counts ten times."""
    logits, ill = tensor([0.0, 0.0]), tensor([1.0, 0.0])
    found = losses.binary_cross_entropy_with_logits(logits, ill, pos_weight=tensor(10.0), reduction="none")
    print([round(each, 4) for each in found.tolist()])


def outlier() -> None:
    """The huber_loss of distances 1 to 5, for two deltas: beyond delta it is a line of slope delta."""
    distance = tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    for delta in (1.0, 3.0):
        found = losses.huber_loss(distance, distance * 0, delta=delta, reduction="none")
        print(f"delta {delta:g}:", found.tolist())


def classes() -> None:
    """Logits of three samples with four classes that are learned by hand: the loss."""
    logits, target = np.zeros((3, 4)), np.array([0, 1, 3])
    for step in range(41):
        if step % 10 == 0:
            print(f"step {step:2d}: {losses.cross_entropy(Tensor(logits), Tensor(target)).item():.4f}")
        logits = logits - losses.cross_entropy_backward(np.array(1.0), logits, target)


def together() -> None:
    """The distances of 1, 2 and 3 from 0, added up."""
    print(losses.l1_loss(tensor([1.0, 2.0, 3.0]), tensor([0.0, 0.0, 0.0]), reduction="sum").item())


HUNTS = {
    "mse_loss_backward_points_at_the_target": line,
    "mse_loss_backward_forgets_two": exact,
    "cross_entropy_by_softmax": very_wrong,
    "nll_loss_counts_the_ignored": padded,
    "label_smoothing_among_the_others": smoothed,
    "bce_weighs_both_outcomes": rare,
    "huber_loss_is_smooth_l1": outlier,
    "cross_entropy_backward_divides_by_entries": classes,
    "l1_loss_ignores_the_reduction": together,
}
