"""What mistakes in kata 12 look like from outside. `make hunt N=12` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import embeddings as e
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor

ROWS = Tensor(np.arange(10, dtype=np.float32).reshape(5, 2))


def wrong_id() -> None:
    """The row of id -1, which is no word."""
    print(e.embedding(tensor([-1]), ROWS).tolist())


def frequent() -> None:
    """What each of five words gets of a gradient of 1 for each word of "0 2 2 2 4"."""
    rows = Tensor(ROWS.data.copy(), requires_grad=True)
    e.embedding(tensor([0, 2, 2, 2, 4]), rows).sum().backward()
    print([None if rows.grad is None else rows.grad.data[:, 0].tolist()])


def padding() -> None:
    """What the words get when 0 fills short sentences up: "3 1 0 0 0"."""
    layer = e.Embedding(4, 2, padding_idx=0)
    layer(tensor([3, 1, 0, 0, 0])).sum().backward()
    print(layer.weight.grad.data[:, 0].tolist())


def frozen() -> None:
    """Whether rows that somebody else has learned would change in training."""
    print(e.Embedding.from_pretrained(ROWS).weight.requires_grad)


def spread() -> None:
    """The deviation of fresh rows, and the share of entries that are larger than 2: 5 % of a normal distribution."""
    manual_seed(0)
    fresh = e.Embedding(1000, 20).weight.data
    print(f"deviation {fresh.std():.2f}, larger than 2: {(np.abs(fresh) > 2).mean():.0%}")


def continued() -> None:
    """The same row at the places 0, 1 and 2 of apply_rope, and at the places 1, 2 and 3."""
    for start in (0, 1):
        print(e.apply_rope(Tensor(np.ones((3, 2))), start).data.round(2).tolist())


def turned() -> None:
    """The length of a row after apply_rope, place by place: turning changes no length."""
    print(np.linalg.norm(e.apply_rope(Tensor(np.array([[3.0, 4.0]] * 5))).data, axis=1).round(3).tolist())


def silent() -> None:
    """The row of padding, number 0, of a fresh layer."""
    manual_seed(0)
    print(e.Embedding(3, 2, padding_idx=0).weight.data[0].tolist())


HUNTS = {
    "minus_one_is_the_last_row": wrong_id,
    "the_last_one_wins": frequent,
    "padding_is_ignored": padding,
    "pretrained_rows_thaw": frozen,
    "rows_are_drawn_evenly": spread,
    "rope_begins_at_0": continued,
    "both_use_the_new_one": turned,
    "padding_is_drawn_too": silent,
    "looked_up_by_hand": frequent,
}
