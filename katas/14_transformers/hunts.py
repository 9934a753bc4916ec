"""What mistakes in kata 14 look like from outside. `make hunt N=14` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import transformers as t
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor

CONFIG = t.GPTConfig(vocab_size=5, block_size=8, n_layer=2, n_head=2, n_embd=16)
CIRCLE = np.arange(9) % 5


def row(x: Tensor) -> None:
    print([round(each, 3) + 0.0 for each in x.data.ravel().tolist()])


def drawn(**options) -> None:
    """How often each of five tokens is drawn in 1000 draws."""
    manual_seed(0)
    logits = Tensor(np.tile(np.log([0.4, 0.3, 0.15, 0.1, 0.05]).astype(np.float32), (1000, 1)))
    print(np.bincount(t.sample(logits, **options).data, minlength=5).tolist())


def cheats() -> None:
    """The loss of a small GPT that learns to count in a circle, and what it then writes after 0 1."""
    manual_seed(0)
    model = t.GPT(CONFIG)
    optimizer = AdamW(model.parameters(), lr=0.02)
    ids = Tensor(np.stack([np.roll(CIRCLE[:5], -k).repeat(2)[:9] for k in range(5)]))
    for step in range(31):
        optimizer.zero_grad()
        loss = model.loss(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            print(f"step {step:2d}: loss {loss.item():.3f}")
    print(t.generate(model, tensor([0, 0, 1]), 5, temperature=0.0).tolist())


def first_loss() -> None:
    """The loss of a fresh GPT with five tokens, which knows nothing: log(5) is 1.61."""
    manual_seed(0)
    model = t.GPT(CONFIG)
    print(f"{model.loss(Tensor(CIRCLE[None, :-1]), Tensor(CIRCLE[None, 1:])).item():.2f}")


def peeks() -> None:
    """The logits after the first token, when the tokens behind it are 1 1 and when they are 4 4."""
    manual_seed(0)
    model = t.GPT(CONFIG)
    for ids in ([[0, 1, 1]], [[0, 4, 4]]):
        row(model(tensor(ids))[0, 0])


def cold() -> None:
    """Draws of five tokens with the shares 40, 30, 15, 10 and 5 %, at temperature 0.5: more of the first."""
    drawn(temperature=0.5)


def top() -> None:
    """Draws of five tokens with the shares 40, 30, 15, 10 and 5 %, with top_k=2: the first two."""
    drawn(top_k=2)


def nucleus() -> None:
    """Draws of five tokens with the shares 40, 30, 15, 10 and 5 %, with top_p=0.8: the first three."""
    drawn(top_p=0.8)


def normal() -> None:
    """The deviation of four numbers after layer_norm, divided by four and not by three."""
    print(f"{t.layer_norm(tensor([1.0, 2.0, 3.0, 6.0]), 4).data.std():.3f}")


def far() -> None:
    """layer_norm of 1, 2 and 3, and of the same numbers with 10,000 more."""
    for offset in (0.0, 10_000.0):
        row(t.layer_norm(tensor([offset + 1, offset + 2, offset + 3]), 3))


def prompt() -> None:
    """What generate gives for a prompt of two tokens and three more."""
    manual_seed(0)
    print(t.generate(t.GPT(CONFIG), tensor([3, 4]), 3, temperature=0.0).shape)


HUNTS = {
    "block_looks_ahead": peeks,
    "embeddings_stay_large": first_loss,
    "temperature_multiplies": cold,
    "zero_in_the_place_of_minus_infinity": top,
    "the_one_that_crosses_is_lost": nucleus,
    "unbiased_variance": normal,
    "variance_from_the_squares": far,
    "only_what_is_new": prompt,
    "one_draw_for_all_rows": top,
    "no_residual": cheats,
}
