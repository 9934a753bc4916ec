"""What happens to pictures on their way to the model: scaled, normalised, and, at random, cropped and turned over.

Every transform takes one picture, (C, H, W), or many at once, (N, C, H, W), each of which draws for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor


class Transform:
    """What is called with pictures and gives pictures (torchvision.transforms.v2.Transform).

    A subclass writes `transform` for arrays; a Tensor that is given comes back as a Tensor. The pictures that are
    given are never written into.
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
        """The pictures through every transform, in order."""
        raise NotImplementedError("kata 10: Compose.__call__")


class ToDtype(Transform):
    """Another dtype; with `scale`, integers also become fractions of their largest (torchvision.transforms.v2.ToDtype).

    ToDtype(float32, scale=True) makes of uint8, 0 to 255, float32, 0.0 to 1.0.
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        """
        Raises:
            ValueError: `scale` with a dtype that is not floating point; the message holds it.
        """
        raise NotImplementedError("kata 10: ToDtype.__init__")

    def transform(self, pictures: Array) -> Array:
        """The pictures as `dtype`; with `scale`, integers divided by the largest of their dtype."""
        raise NotImplementedError("kata 10: ToDtype.transform")


class Normalize(Transform):
    """(x - mean) / std, channel by channel (torchvision.transforms.v2.Normalize)."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """One number for each channel.

        Raises:
            ValueError: there are not as many of one as of the other, the message holds both numbers; or a std is not
                above 0, the message holds it.
        """
        raise NotImplementedError("kata 10: Normalize.__init__")

    def transform(self, pictures: Array) -> Array:
        """Pictures of the same dtype.

        Raises:
            TypeError: the pictures are not floating point; the message holds their dtype.
            ValueError: they have another number of channels than `mean`; the message holds both.
        """
        raise NotImplementedError("kata 10: Normalize.transform")


class RandomCrop(Transform):
    """A random window of `size` in the picture with a margin of zeros (torchvision.transforms.v2.RandomCrop)."""

    def __init__(self, size: int | tuple[int, int], padding: int = 0) -> None:
        """`size`: (height, width), or one number for both. `padding`: the margin on all four sides.

        Raises:
            ValueError: a side is less than 1, or padding less than 0; the message holds it.
        """
        raise NotImplementedError("kata 10: RandomCrop.__init__")

    def transform(self, pictures: Array) -> Array:
        """(..., C, height, width). Every place where the window fits is equally likely.

        Raises:
            ValueError: the window does not fit; the message holds its size, and that of the picture with margins.
        """
        raise NotImplementedError("kata 10: RandomCrop.transform")


class RandomHorizontalFlip(Transform):
    """Left and right change places with probability `p` (torchvision.transforms.v2.RandomHorizontalFlip)."""

    def __init__(self, p: float = 0.5) -> None:
        """
        Raises:
            ValueError: p is not in [0, 1]; the message holds it.
        """
        raise NotImplementedError("kata 10: RandomHorizontalFlip.__init__")

    def transform(self, pictures: Array) -> Array:
        """Each picture as it is, or mirrored along its last axis: a new array."""
        raise NotImplementedError("kata 10: RandomHorizontalFlip.transform")
