"""Transforms of pictures for the model: scale, normalise, crop at random and flip at random.

Every transform takes one picture, (C, H, W), or many at once, (N, C, H, W). Random ones draw for each picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch.dataloader.generators import current_generator
from tinytorch.dispatch import Array
from tinytorch.setup import get_array_module
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
        for transform in self.transforms:
            pictures = transform(pictures)
        return pictures


class ToDtype(Transform):
    """Change the dtype; with `scale`, divide integers by their largest value (torchvision.transforms.v2.ToDtype).

    ToDtype(float32, scale=True) turns uint8, 0 to 255, into float32, 0.0 to 1.0.
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        """Keep `dtype` and `scale`.

        Raises:
            ValueError: `scale` with a dtype that is not floating point; the message names it.
        """
        self.dtype = np.dtype(dtype)
        self.scale = scale
        if scale and self.dtype.kind != "f":
            raise ValueError(f"fractions need a floating point dtype, got {self.dtype}")

    def transform(self, pictures: Array) -> Array:
        """The pictures as `dtype`; with `scale`, integers are divided by the largest value of their dtype."""
        converted = pictures.astype(self.dtype)
        if self.scale and pictures.dtype.kind in "iu":
            converted /= np.iinfo(pictures.dtype).max
        return converted


class Normalize(Transform):
    """(x - mean) / std, channel by channel (torchvision.transforms.v2.Normalize)."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Keep `mean` and `std`: one number for each channel.

        Raises:
            ValueError: `mean` and `std` have different lengths, the message names both; or a std is not above 0, the
                message names it.
        """
        if len(mean) != len(std):
            raise ValueError(f"there are {len(mean)} means and {len(std)} stds")
        for each in std:
            if not each > 0:
                raise ValueError(f"a std must be above 0, got {each}")
        self.mean = mean
        self.std = std

    def transform(self, pictures: Array) -> Array:
        """The normalised pictures, in their own dtype.

        Raises:
            TypeError: the pictures are not floating point; the message names their dtype.
            ValueError: they have another number of channels than `mean`; the message names both.
        """
        if pictures.dtype.kind != "f":
            raise TypeError(
                f"Normalize takes floating point pictures, got {pictures.dtype}: ToDtype before it"
            )
        _check_pictures(pictures)
        if pictures.shape[-3] != len(self.mean):
            raise ValueError(f"the pictures have {pictures.shape[-3]} channels, mean has {len(self.mean)}")
        xp = get_array_module(pictures)
        normalized = pictures - xp.asarray(self.mean, dtype=pictures.dtype)[:, None, None]  # (C, 1, 1)
        normalized /= xp.asarray(self.std, dtype=pictures.dtype)[:, None, None]
        return normalized


class RandomCrop(Transform):
    """A random window of `size` in the picture with a margin of zeros (torchvision.transforms.v2.RandomCrop)."""

    def __init__(self, size: int | tuple[int, int], padding: int = 0) -> None:
        """Keep `size`, (height, width) or one number for both, and `padding`, the margin on all four sides.

        Raises:
            ValueError: a side is less than 1, or padding less than 0; the message names it.
        """
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        if min(self.size) < 1 or padding < 0:
            raise ValueError(f"a window of {self.size} with a margin of {padding} is none")
        self.padding = padding

    def transform(self, pictures: Array) -> Array:
        """The windows, (..., C, height, width). Every place where the window fits is equally likely.

        Raises:
            ValueError: the window does not fit; the message names its size and that of the picture with its margins.
        """
        _check_pictures(pictures)
        height, width = self.size
        *lead, c, h, w = pictures.shape
        h, w, p = h + 2 * self.padding, w + 2 * self.padding, self.padding
        if height > h or width > w:
            raise ValueError(f"a window of {self.size} does not fit into a picture of {(h, w)}")
        xp = get_array_module(pictures)
        n = math.prod(lead)
        padded = xp.zeros((n, c, h, w), dtype=pictures.dtype)
        padded[:, :, p : h - p, p : w - p] = pictures.reshape(n, c, h - 2 * p, w - 2 * p)
        generator = current_generator()
        tops = generator.integers(h - height + 1, size=n).tolist()
        lefts = generator.integers(w - width + 1, size=n).tolist()
        crops = xp.empty((n, c, height, width), dtype=pictures.dtype)
        for crop, picture, top, left in zip(crops, padded, tops, lefts, strict=True):
            crop[...] = picture[:, top : top + height, left : left + width]
        return crops.reshape(*lead, c, height, width)


def _check_pictures(pictures: Array) -> None:
    if pictures.ndim < 3:
        raise ValueError(f"pictures have shape (..., C, H, W), got {pictures.shape}")


class RandomHorizontalFlip(Transform):
    """Mirror left and right with probability `p` (torchvision.transforms.v2.RandomHorizontalFlip)."""

    def __init__(self, p: float = 0.5) -> None:
        """Keep `p`.

        Raises:
            ValueError: p is not in [0, 1]; the message names it.
        """
        if not 0 <= p <= 1:
            raise ValueError(f"p is a probability, got {p}")
        self.p = p

    def transform(self, pictures: Array) -> Array:
        """Each picture as it is, or mirrored along its last axis; always a new array."""
        flips = current_generator().random(pictures.shape[:-3]) < self.p
        flips = get_array_module(pictures).asarray(flips)
        turned = pictures.copy()
        turned[flips] = pictures[flips][..., ::-1]
        return turned
