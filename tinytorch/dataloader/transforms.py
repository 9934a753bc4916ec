"""Transforms of pictures for the model: scale, normalise, crop at random and flip at random.

Every transform takes one picture, (C, H, W), or many at once, (N, C, H, W). Random ones draw for each picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor


class Transform:
    """A function of pictures that gives pictures (torchvision.transforms.v2.Transform).

    A subclass writes `transform` for arrays. Called with a Tensor, it returns a Tensor. It never changes the
    pictures that it is given.
    """

    def __call__(self, pictures: Any) -> Any:  # given
        if isinstance(pictures, Tensor):
            return Tensor(self.transform(pictures.data))
        return self.transform(pictures)

    def transform(self, pictures: Array) -> Array:  # given
        raise NotImplementedError(f"{type(self).__name__} has no transform")


class Compose:
    """One transform after the other (torchvision.transforms.v2.Compose)."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:  # given
        self.transforms = transforms

    def __call__(self, pictures: Any) -> Any:
        """Apply every transform to the pictures, in order."""
        raise NotImplementedError("kata 10: Compose.__call__")


class ToDtype(Transform):
    """Change the dtype; with `scale`, divide integers by their largest value (torchvision.transforms.v2.ToDtype).

    ToDtype(float32, scale=True) turns uint8, 0 to 255, into float32, 0.0 to 1.0.
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        """Keep `dtype` and `scale`.

        Raises:
            ValueError: `scale` with a dtype that is not floating point; the message names it.
        """
        raise NotImplementedError("kata 10: ToDtype.__init__")

    def transform(self, pictures: Array) -> Array:
        """The pictures as `dtype`; with `scale`, integers are divided by the largest value of their dtype."""
        raise NotImplementedError("kata 10: ToDtype.transform")


class Normalize(Transform):
    """(x - mean) / std, channel by channel (torchvision.transforms.v2.Normalize)."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Keep `mean` and `std`: one number for each channel.

        Raises:
            ValueError: `mean` and `std` have different lengths, the message names both; or a std is not above 0, the
                message names it.
        """
        raise NotImplementedError("kata 10: Normalize.__init__")

    def transform(self, pictures: Array) -> Array:
        """The normalised pictures, in their own dtype.

        Raises:
            TypeError: the pictures are not floating point; the message names their dtype.
            ValueError: they have another number of channels than `mean`; the message names both.
        """
        raise NotImplementedError("kata 10: Normalize.transform")


class RandomCrop(Transform):
    """A random window of `size` in the picture with a margin of zeros (torchvision.transforms.v2.RandomCrop)."""

    def __init__(self, size: int | tuple[int, int], padding: int = 0) -> None:
        """Keep `size`, (height, width) or one number for both, and `padding`, the margin on all four sides.

        Raises:
            ValueError: a side is less than 1, or padding less than 0; the message names it.
        """
        raise NotImplementedError("kata 10: RandomCrop.__init__")

    def transform(self, pictures: Array) -> Array:
        """The windows, (..., C, height, width). Every place where the window fits is equally likely.

        Raises:
            ValueError: the window does not fit; the message names its size and that of the picture with its margins.
        """
        raise NotImplementedError("kata 10: RandomCrop.transform")


class RandomHorizontalFlip(Transform):
    """Mirror left and right with probability `p` (torchvision.transforms.v2.RandomHorizontalFlip)."""

    def __init__(self, p: float = 0.5) -> None:
        """Keep `p`.

        Raises:
            ValueError: p is not in [0, 1]; the message names it.
        """
        raise NotImplementedError("kata 10: RandomHorizontalFlip.__init__")

    def transform(self, pictures: Array) -> Array:
        """Each picture as it is, or mirrored along its last axis; always a new array."""
        raise NotImplementedError("kata 10: RandomHorizontalFlip.transform")
