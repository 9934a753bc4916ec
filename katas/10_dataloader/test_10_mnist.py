"""Small files in MNIST's format, compressed or not: the right digits, or an error that names the file."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises, strategies
from tinytorch.dataloader import MNIST, DataLoader, DatasetError, read_idx


def idx(array):
    """The bytes of an array in the IDX format: 0, 0, 8, the number of axes, their sizes, the entries."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def zipped(data):
    return gzip.compress(data, mtime=0)


def some(n, seed=0):
    """n digits and labels."""
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(
        n, dtype=np.uint8
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder for files that are written again for each example."""
    return tmp_path_factory.mktemp("mnist")


def written(folder, data, name="idx"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return path


# One file


@given(
    array=strategies.arrays(strategies.shapes(1, 3, 1, 5), dtype=np.uint8, low=0, high=99),
    packed=st.booleans(),
)
def test_an_idx_file(folder, array, packed):
    """read_idx gives the uint8 array, of 1 to 3 axes, that was written, whether the file is compressed or not."""
    data = idx(array)
    assert_close(read_idx(written(folder, zipped(data) if packed else data)), array, "the array")


def test_sizes_are_written_the_highest_byte_first(tmp_path):
    """The four bytes 00 00 01 02 are 258 entries."""
    path = written(tmp_path, b"\0\0\x08\x01" + b"\0\0\x01\x02" + bytes(258))
    assert_equal(read_idx(path).shape, (258,), "the shape")


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\0\0",
        b"\0\0\x08",
        b"\0\0\x08\x03\0\0",
        b"\1\0\x08\x01",
        b"\0\0\x0d\x01",
        b"\0\0\x08\0",
        b"\0\0\x08\x04" + b"\0\0\0\1" * 3,
        b"PK\3\4",
    ],
)
def test_an_idx_file_begins_as_it_should(tmp_path, start):
    """A file that begins in another way (00 00 0d: floats; 4 axes) or ends too early is a DatasetError with path."""
    more = b"" if len(start) < 4 or start.endswith(b"\3\0\0") else b"\0\0\0\4abcd"
    path = written(tmp_path, start + more)
    with raises(DatasetError, path):
        read_idx(path)


@pytest.mark.parametrize("entries", [0, 11, 13])
def test_an_idx_file_has_as_many_entries_as_it_says(tmp_path, entries):
    """11 or 13 entries where the sizes 3 and 4 promise 12 are a DatasetError with the path and both numbers."""
    path = written(tmp_path, b"\0\0\x08\x02" + struct.pack(">2I", 3, 4) + bytes(entries))
    with raises(DatasetError, path, entries, 12):
        read_idx(path)


def test_an_idx_file_of_nothing(tmp_path):
    """A size of 0 is a DatasetError with the path; so are sizes that no memory could hold."""
    path = written(tmp_path, b"\0\0\x08\x01" + bytes(4))
    with raises(DatasetError, path):
        read_idx(path)
    path = written(tmp_path, b"\0\0\x08\x03" + b"\xff" * 12 + bytes(9))
    with raises(DatasetError, path):
        read_idx(path)


def test_a_missing_idx_file(tmp_path):
    """A file that is not there is a FileNotFoundError with its path."""
    with raises(FileNotFoundError, tmp_path / "idx"):
        read_idx(tmp_path / "idx")


@given(data=st.data(), packed=st.booleans())
def test_a_truncated_idx_file_is_refused(folder, data, packed):
    """A file cut off anywhere, compressed or not, is a DatasetError with its path."""
    whole = idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    whole = zipped(whole) if packed else whole
    size = data.draw(st.integers(0, len(whole) - 1), label="the size of the file")
    path = written(folder, whole[:size])
    with raises(DatasetError, path):
        read_idx(path)


@given(data=st.data(), packed=st.booleans(), byte=st.integers(0, 255))
def test_an_idx_file_with_a_wrong_byte_is_right_or_refused(folder, data, packed, byte):
    """A wrong byte in the header, or in a compressed file, changes nothing or is a DatasetError with the path."""
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    whole = bytearray(zipped(idx(array)) if packed else idx(array))
    place = data.draw(st.integers(0, len(whole) - 1 if packed else 15), label="the place of the byte")
    whole[place] = byte
    path = written(folder, bytes(whole))
    try:
        found = read_idx(path)
    except DatasetError as error:
        assert str(path) in str(error), f"the message does not name the path: {error}"
    else:
        assert_close(found, array, "the array")


# The whole data set


def lay_out(root, suffix="", train=3, test=2):
    """Write four small files as in the official folder. Returns (digits, labels) for training and for testing."""
    parts = {"train": some(train), "t10k": some(test, seed=1)}
    for name, (digits, labels) in parts.items():
        for what, array in (("images-idx3", digits), ("labels-idx1", labels)):
            data = idx(array)
            written(root, zipped(data) if suffix else data, f"{name}-{what}-ubyte{suffix}")
    return parts["train"], parts["t10k"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("place", [".", "raw", "MNIST/raw"])
def test_the_files_of_mnist(tmp_path, place, suffix):
    """MNIST(root) reads digits (N, 1, 28, 28) and int64 labels in root, root/raw or root/MNIST/raw, also .gz."""
    (digits, labels), (test_digits, test_labels) = lay_out(tmp_path / place, suffix)
    dataset = MNIST(tmp_path)
    assert_close(dataset.data, digits[:, None], "the array of digits for training")
    assert_close(dataset.targets, labels.astype(np.int64), "the array of labels for training")
    assert_equal((len(dataset), dataset.classes), (3, tuple("0123456789")), "the pair of length and classes")
    test = MNIST(str(tmp_path), train=False)
    assert_close(test.data, test_digits[:, None], "the array of digits for testing")
    assert_close(test.targets, test_labels.astype(np.int64), "the array of labels for testing")


def test_mnist_is_an_image_dataset(tmp_path):
    """MNIST takes a transform, and a loader reads it a batch at a time."""
    (digits, labels), _ = lay_out(tmp_path)
    dataset = MNIST(tmp_path, True, lambda pictures: pictures // 2)
    assert_close(dataset[1][0], digits[1][None] // 2, "the picture of a sample")
    batch = next(iter(DataLoader(dataset, 2)))
    assert_close(batch[0], digits[:2, None] // 2, "the array of pictures of a batch")
    assert_close(batch[1], labels[:2].astype(np.int64), "the array of its labels")


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_a_missing_part_of_mnist(tmp_path, name):
    """One of the two files missing is a FileNotFoundError with its name and the root."""
    lay_out(tmp_path)
    (tmp_path / name).unlink()
    with raises(FileNotFoundError, name, tmp_path):
        MNIST(tmp_path)


def test_mnist_fits_together(tmp_path):
    """3 digits with 2 labels, pictures of another size, or exchanged files are a DatasetError with the shapes."""
    lay_out(tmp_path)
    written(tmp_path, idx(np.zeros(2, np.uint8)), "train-labels-idx1-ubyte")
    with raises(DatasetError, (3, 28, 28), (2,)):
        MNIST(tmp_path)
    written(tmp_path, idx(np.zeros((2, 28, 27), np.uint8)), "train-images-idx3-ubyte")
    with raises(DatasetError, (2, 28, 27)):
        MNIST(tmp_path)
    written(tmp_path, idx(np.zeros(2, np.uint8)), "train-images-idx3-ubyte")
    written(tmp_path, idx(np.zeros((2, 28, 28), np.uint8)), "train-labels-idx1-ubyte")
    with raises(DatasetError, (2,), (2, 28, 28)):
        MNIST(tmp_path)


def test_a_label_of_mnist_is_a_digit(tmp_path):
    """A label of 10 is a DatasetError with the path of the labels, the label and its number."""
    lay_out(tmp_path)
    path = written(tmp_path, idx(np.array([1, 10, 2], np.uint8)), "train-labels-idx1-ubyte")
    with raises(DatasetError, path, 10, 1):
        MNIST(tmp_path)
