"""What mistakes in kata 09 look like from outside. `make hunt N=9` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import spatial as s
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, ones, randn, tensor

CORNER = Tensor(np.kron(np.array([[1, 0], [1, 1]], np.float32), np.ones((3, 4), np.float32))[None])  # an L


def picture(x: Tensor) -> None:
    for row in x.data.reshape(-1, x.shape[-1]):
        print(" ".join(f"{each + 0.0:5.1f}" for each in row))


def edges() -> None:
    """A bright L on dark, and the kernel (-1, 1): 1 where it becomes bright, and -1 where it becomes dark."""
    picture(s.conv2d(CORNER, tensor([[[[-1.0, 1.0]]]])))


def columns() -> None:
    """The first entry of what each of the six positions of a kernel of 2 rows and 3 columns sees in 0 to 19."""
    x = Tensor(np.arange(20.0).reshape(4, 5))
    print([each[0, 0].item() for each in s.windows(x, (2, 3))])


def night() -> None:
    """The largest pixel of each window of 2, where all pixels are below 0, with a margin of 1."""
    picture(s.max_pool2d(-ones(1, 4, 4) * 3, 2, padding=1))


def groups() -> None:
    """Four channels with the values 1, 10, 100 and 1000, added up in two groups: the first two, and the last two."""
    x = Tensor(np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1, 1))
    print(s.conv2d(x, Tensor(np.ones((2, 2, 1, 1))), groups=2).data.ravel().tolist())


def margin() -> None:
    """The means of windows of 2 in a picture of ones, when the margin of zeros does not count."""
    picture(s.avg_pool2d(ones(1, 4, 4), 2, padding=1, count_include_pad=False))


def channel() -> None:
    """The mean and the deviation of two channels after batch_norm: the first was dark, the second bright."""
    manual_seed(0)
    x = randn(8, 2, 4, 4) * 3 + tensor([-5.0, 20.0]).reshape(1, 2, 1, 1)
    x = x + Tensor(np.arange(16, dtype=np.float32).reshape(4, 4))  # and brighter at the bottom
    y = s.batch_norm(x, None, None, training=True).data
    print("means:         ", (y.mean((0, 2, 3)).round(3) + 0.0).tolist())
    print("of the corners:", (y.mean(0)[:, 0, 0].round(3) + 0.0).tolist())


def in_use() -> None:
    """What a BatchNorm2d that has seen a thousand pictures makes of a single white one, when training is over."""
    manual_seed(0)
    norm = s.BatchNorm2d(1)
    for _ in range(50):
        norm(randn(20, 1, 4, 4))
    norm.eval()
    print(f"{norm(ones(1, 1, 4, 4)).data.mean():.1f}")


def halves() -> None:
    """The size of a picture of 8 times 8 after max_pool2d with windows of 2."""
    print(s.max_pool2d(ones(1, 1, 8, 8), 2).shape)


def dilated() -> None:
    """Where a kernel of 2 times 2 with dilation 3 looks: the sum of 0 to 24 at its four places, for each place."""
    layer = s.Conv2d(1, 1, 2, dilation=3, bias=False)
    layer.weight.data[...] = 1
    picture(layer(Tensor(np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5))))


HUNTS = {
    "conv2d_flips": edges,
    "windows_column_by_column": columns,
    "max_pool_pads_with_zeros": night,
    "conv2d_deals_channels_in_turns": groups,
    "avg_pool_always_counts": margin,
    "normalised_over_the_batch_only": channel,
    "always_in_training": in_use,
    "max_pool_steps_by_one": halves,
    "layer_forgets_dilation": dilated,
}
