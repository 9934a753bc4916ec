"""What mistakes in kata 02 look like from outside. `make hunt N=2` plants one of them in a copy of your code."""

import numpy as np

from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, arange, argsort, index_add, permute, rand, tensor, topk, zeros


def word_counts() -> None:
    """How often each of the ids 0, 1, 2 and 3 stands in 0 2 2 1 2 0."""
    ids = tensor([0, 2, 2, 1, 2, 0])
    print(index_add(zeros(4), 0, ids, Tensor(np.ones(6, np.float32))).tolist())


def column_means() -> None:
    """The mean height and weight of three people: (180, 80), (170, 60) and (160, 70)."""
    people = tensor([[180.0, 80.0], [170.0, 60.0], [160.0, 70.0]])
    print(people.mean(dim=0).tolist())


def weekdays() -> None:
    """The week and the weekday of days before and after Monday, day 0: day = 7 * week + weekday."""
    days = tensor([-8, -7, -1, 0, 6, 7])
    print("day:    ", days.tolist())
    print("week:   ", (days // 7).tolist())
    print("weekday:", (days % 7).tolist())


def turned_letter() -> None:
    """A letter that is drawn in 6 rows of 4, mirrored at its diagonal, and then read as one row of 24."""
    rows = ["#...", "#...", "#...", "#...", "#...", "####"]
    letter = tensor([[cell == "#" for cell in row] for row in rows])
    line = "".join("#" if cell else "." for cell in letter.T.reshape(24).tolist())
    print(*(line[i : i + 6] for i in range(0, 24, 6)), sep="\n")


def photograph() -> None:
    """The shape of photographs (rows 2, columns 3, colours 4) when colours come first, then rows, then columns."""
    print(permute(arange(24).reshape(2, 3, 4), (2, 0, 1)).shape)


def ranking() -> None:
    """Runners in the order of their points, the most first; of equal ones whoever came in first."""
    names = ["Ada", "Ben", "Cem", "Dia", "Eva"]
    points = tensor([3, 5, 3, 5, 1])
    print(*(names[place] for place in argsort(points, descending=True).tolist()))


def overdraft() -> None:
    """What is left of accounts that may not go below 0."""
    print(tensor([12.5, -3.0, 0.0, -0.5]).clamp(0).tolist())


def again() -> None:
    """Two draws of three numbers after the same seed: the same as at first, or others."""
    for _ in range(2):
        manual_seed(7)
        print("the same" if rand(3).tolist() == FIRST else "others")


def podium() -> None:
    """The three largest of 2, 9, 4, 7 and 1."""
    print(topk(tensor([2, 9, 4, 7, 1]), 3)[0].tolist())


manual_seed(7)
FIRST = rand(3).tolist()

HUNTS = {
    "index_add_with_plus": word_counts,
    "mean_divides_by_all": column_means,
    "floor_divide_rounds_towards_zero": weekdays,
    "reshape_in_the_order_of_memory": turned_letter,
    "permute_the_inverse_way": photograph,
    "argsort_turns_equals_around": ranking,
    "clamp_takes_zero_for_nothing": overdraft,
    "rand_ignores_the_seed": again,
    "topk_smallest_first": podium,
}
