"""The official files of CIFAR-10 and MNIST, read with checks: a damaged file is an error that names it.

CIFAR-10 comes in two layouts: plain bytes and Python pickles. A pickle is a program, and loading it runs it. So a
pickle may name only what an array needs here, and gets stand-ins for that, not NumPy's own functions.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from os import PathLike
from typing import Any

from tinytorch.dataloader.datasets import ImageDataset
from tinytorch.dispatch import Array

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
CIFAR10_SHAPE = (3, 32, 32)

StrPath = str | PathLike[str]


class DatasetError(ValueError):
    """A file of a data set is damaged or of another format. The message names its path."""


# CIFAR-10 -----------------------------------------------------------------------------------------------


def read_cifar10_bin(path: StrPath) -> tuple[Array, Array]:
    """One file of the binary layout: images, uint8 of shape (N, 3, 32, 32), and labels, N int64.

    A record is one byte, the label from 0 to 9, and 3072 bytes of the image: its red plane, then green, then blue,
    each row by row. The official files have 10,000 records; any number from 1 on is allowed.

    Raises:
        DatasetError: the size is not that of whole records, the message names it and 3073; or a label is above 9, the
            message names it and the number of its record.
        FileNotFoundError: there is no such file; the message names the path.
    """
    raise NotImplementedError("kata 10: read_cifar10_bin")


class PickledDtype:  # given
    """A stand-in for numpy.dtype while a pickle is read: `text` is b"u1" or "u1" for uint8."""

    def __init__(self, text: Any, align: Any = False, copy: Any = False) -> None:
        self.text = text

    def __setstate__(self, state: Any) -> None:
        pass


class PickledArray:  # given
    """A stand-in for a NumPy array while a pickle is read. It only keeps the parts of the array.

    `state` is (version, shape, a PickledDtype, whether columns come first, the bytes).
    """

    state: Any = None

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


def pickled_bytes(text: str, encoding: str) -> bytes:  # given
    """A stand-in for _codecs.encode, by which Python 3 writes bytes in a pickle that Python 2 can read."""
    return text.encode("latin1")


class CifarUnpickler(pickle._Unpickler):
    """A pickle.Unpickler that runs no code of the pickle. A pickle may name these, and gets stand-ins:

    * `_reconstruct` of numpy.core.multiarray and of numpy._core.multiarray, and numpy.ndarray: PickledArray
    * numpy.dtype: PickledDtype
    * _codecs.encode: pickled_bytes

    A wrong byte can crash NumPy's own functions. It can also crash the unpickler in C, or make it ask for all the
    memory: so this class is based on the unpickler in Python.
    """

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle gets when it names `module.name`.

        Raises:
            pickle.UnpicklingError: any other name; the message names "module.name". Nothing is imported.
        """
        raise NotImplementedError("kata 10: CifarUnpickler.find_class")


def read_cifar10_py(path: StrPath) -> tuple[Array, Array]:
    """One file of the Python layout, as read_cifar10_bin gives it.

    It is a pickled dict, read by CifarUnpickler(file, encoding="bytes"). b"data" is a uint8 array of shape (N, 3072),
    each row an image as in the binary layout, and b"labels" a list of N integers. N is at least 1.

    Raises:
        DatasetError: whatever is wrong with it. The message names what the pickle asks for and must not have, as in
            "os.system"; the numbers of images and of labels, if they differ; a label that is not from 0 to 9, and
            its number.
        FileNotFoundError: there is no such file; the message names the path.
    """
    raise NotImplementedError("kata 10: read_cifar10_py")


class CIFAR10(ImageDataset):
    """60,000 colour pictures of ten kinds of things, (3, 32, 32) (torchvision.datasets.CIFAR10; Krizhevsky, 2009)."""

    def __init__(
        self, root: StrPath, train: bool = True, transform: Callable[[Any], Any] | None = None
    ) -> None:
        """Read data_batch_1 to data_batch_5, in this order, or with train=False test_batch.

        They are in `root` or its folder cifar-10-batches-bin, and are called data_batch_1.bin; or in `root` or its
        folder cifar-10-batches-py, without a suffix. The first of these places that has one of them is used.
        `classes` are CIFAR10_CLASSES.

        Raises:
            FileNotFoundError: no place has any of the files, the message names `root`; or one file is missing, the
                message names its path.
            DatasetError: as the readers.
        """
        raise NotImplementedError("kata 10: CIFAR10.__init__")


# MNIST --------------------------------------------------------------------------------------------------


def read_idx(path: StrPath) -> Array:
    """An array of bytes in the IDX format of MNIST, uint8; the file may be compressed with gzip.

    It begins with two bytes 0, a byte 8 (for uint8) and a byte with the number of axes, 1 to 3 here. Then come four
    bytes for the size of each axis, the highest byte first, and then the entries, at least one. A compressed file
    begins with the bytes 0x1f 0x8b.

    Raises:
        DatasetError: the file begins with something else; it has more or fewer entries than the sizes say, the message
            names both numbers; gzip cannot read it. The message always holds the path.
        FileNotFoundError: there is no such file; the message names the path.
    """
    raise NotImplementedError("kata 10: read_idx")


class MNIST(ImageDataset):
    """70,000 handwritten digits, (1, 28, 28) (torchvision.datasets.MNIST; LeCun et al., 1998)."""

    def __init__(
        self, root: StrPath, train: bool = True, transform: Callable[[Any], Any] | None = None
    ) -> None:
        """Read train-images-idx3-ubyte and train-labels-idx1-ubyte, or with train=False t10k-... of both.

        Each is in `root`, in root/raw or in root/MNIST/raw, with or without the suffix .gz. `classes` are "0" to "9".

        Raises:
            FileNotFoundError: a file is in none of these places; the message gives its name and `root`.
            DatasetError: as read_idx; or the images are not (N, 28, 28), or the labels not N numbers from 0 to 9: the
                message names the shapes, or the label.
        """
        raise NotImplementedError("kata 10: MNIST.__init__")
