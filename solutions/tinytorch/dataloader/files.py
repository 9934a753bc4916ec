"""The official files of CIFAR-10 and MNIST, read with checks: a damaged file is an error that names it.

CIFAR-10 comes in two layouts: plain bytes and Python pickles. A pickle is a program, and loading it runs it. So a
pickle may name only what an array needs here, and gets stand-ins for that, not NumPy's own functions.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import struct
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

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
    data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    record = 1 + math.prod(CIFAR10_SHAPE)
    if data.size == 0 or data.size % record:
        raise DatasetError(f"{path} has {data.size} bytes: expected records of {record} bytes each")
    records = data.reshape(-1, record)
    labels = _labels(path, records[:, 0], CIFAR10_CLASSES)
    return records[:, 1:].reshape(-1, *CIFAR10_SHAPE).copy(), labels


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
        stand_ins: dict[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): PickledArray,
            ("numpy._core.multiarray", "_reconstruct"): PickledArray,
            ("numpy", "ndarray"): PickledArray,
            ("numpy", "dtype"): PickledDtype,
            ("_codecs", "encode"): pickled_bytes,
        }
        if (module, name) not in stand_ins:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no picture needs")
        return stand_ins[module, name]


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
    data = Path(path).read_bytes()
    try:
        batch = CifarUnpickler(io.BytesIO(data), encoding="bytes").load()
        _, shape, dtype, columns_first, pixels = batch[b"data"].state
        labels = np.array(batch[b"labels"])
        images = np.frombuffer(pixels, np.uint8).reshape(shape, order="F" if columns_first else "C")
        kinds = dtype.text in ("u1", b"u1"), labels.dtype.kind == "i"
    except Exception as error:  # a broken pickle can fail in any way
        raise DatasetError(f"{path} is not a batch of CIFAR-10: {type(error).__name__}: {error}") from error
    size = math.prod(CIFAR10_SHAPE)
    if not all(kinds) or images.ndim != 2 or images.shape[1] != size or labels.shape != images.shape[:1]:
        raise DatasetError(
            f"{path}: expected uint8 data (N, {size}) and N labels, got data {images.shape}, labels {labels.shape}"
        )
    return images.reshape(-1, *CIFAR10_SHAPE).copy(), _labels(path, labels, CIFAR10_CLASSES)


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
        names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
        layouts = (
            ("cifar-10-batches-bin", ".bin", read_cifar10_bin),
            ("cifar-10-batches-py", "", read_cifar10_py),
        )
        for folder, suffix, read in layouts:
            for place in (Path(root) / folder, Path(root)):
                paths = [place / f"{name}{suffix}" for name in names]
                if any(path.is_file() for path in paths):
                    images, labels = zip(*map(read, paths), strict=True)
                    super().__init__(
                        np.concatenate(images), np.concatenate(labels), transform, CIFAR10_CLASSES
                    )
                    return
        raise FileNotFoundError(
            f"no CIFAR-10 in {root}: expected cifar-10-batches-bin/{names[0]}.bin or cifar-10-batches-py/{names[0]}"
        )


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
    data = Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error, struct.error) as error:
            raise DatasetError(f"{path} cannot be decompressed: {error}") from error
    axes = int.from_bytes(data[3:4])
    start = 4 + 4 * axes
    if data[:3] != b"\0\0\x08" or not 1 <= axes <= 3 or len(data) < start:
        raise DatasetError(
            f"{path} begins with {data[:4].hex(' ')}: expected 00 00 08, the axes and their sizes"
        )
    sizes = struct.unpack(f">{axes}I", data[4:start])
    found, expected = len(data) - start, math.prod(sizes)
    if found != expected or not found:
        raise DatasetError(f"{path} has {found} entries: expected {expected}, for the sizes {sizes}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes).copy()


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
        part = "train" if train else "t10k"
        images_path, labels_path = (
            _find(Path(root), name) for name in (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte")
        )
        images, labels = read_idx(images_path), read_idx(labels_path)
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            raise DatasetError(
                f"{images_path}: expected images (N, 28, 28) and N labels, got {images.shape} and {labels.shape}"
            )
        classes = tuple("0123456789")
        super().__init__(images[:, None], _labels(labels_path, labels, classes), transform, classes)


def _find(root: Path, name: str) -> Path:
    for folder in (root, root / "raw", root / "MNIST" / "raw"):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise FileNotFoundError(
        f"no {name} and no {name}.gz in {root}, {root / 'raw'} or {root / 'MNIST' / 'raw'}"
    )


def _labels(path: StrPath, labels: Array, classes: tuple[str, ...]) -> Array:
    """The labels as int64, after a check that each is a class."""
    bad = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if bad.size:
        raise DatasetError(
            f"{path}: label {labels[bad[0]]} of record {bad[0]}, expected 0 to {len(classes) - 1}"
        )
    return labels.astype(np.int64)
