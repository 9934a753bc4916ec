"""Small files in both layouts of CIFAR-10: the right pictures, or an error that names the file."""

import io
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.dataloader import (
    CIFAR10,
    CifarUnpickler,
    DataLoader,
    DatasetError,
    PickledArray,
    PickledDtype,
    pickled_bytes,
    read_cifar10_bin,
    read_cifar10_py,
)

RECORD = 3073
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def some(n, seed=0):
    """n pictures and labels."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), np.arange(seed, seed + n) % 10


def binary(pictures, labels):
    """The bytes of a file in the binary layout: for each picture one byte for its label, then those of the picture."""
    return b"".join(
        bytes([label]) + picture.tobytes() for picture, label in zip(pictures, labels, strict=True)
    )


def python_2(pictures, labels):
    """The bytes of a pickle as in the official files: protocol 2, and strings as Python 2 wrote them."""

    def text(raw):
        return b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw

    def integer(number):
        return b"K" + bytes([number]) if number < 256 else b"M" + struct.pack("<H", number)

    n = len(pictures)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
        b"(K\x01(" + integer(n) + integer(3072) + b"tcnumpy\ndtype\n(" + text(b"u1") + b"K\x00K\x01tR"
        b"(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + text(pictures.tobytes())
        + b"tb"
    )
    numbers = b"](" + b"".join(integer(int(label)) for label in labels) + b"e"
    batch = (
        text(b"batch_label")
        + text(b"testing batch 1 of 1")
        + text(b"labels")
        + numbers
        + text(b"data")
        + array
    )
    return b"\x80\x02}(" + batch + b"u."


def python_3(pictures, labels, **changes):
    """The same, as Python 3 pickles it today."""
    batch = {b"labels": [int(label) for label in labels], b"data": pictures.reshape(len(pictures), 3072)}
    return pickle.dumps({**batch, **changes.get("batch", {})}, protocol=changes.get("protocol", 2))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder for files that are written again for each example."""
    return tmp_path_factory.mktemp("cifar")


def written(folder, data, name="batch"):
    path = folder / name
    path.write_bytes(data)
    return path


# Plain bytes


def test_a_binary_file(tmp_path):
    """A record is the label's byte, then the picture: the red plane, the green, the blue, each row by row."""
    pictures, labels = some(3)
    path = written(tmp_path, binary(pictures, labels))
    found, numbers = read_cifar10_bin(path)
    assert_close(found, pictures, "the array of pictures")
    assert_close(numbers, labels.astype(np.int64), "the array of labels")
    assert_close(
        read_cifar10_bin(str(path))[1], labels.astype(np.int64), "the array of labels, with the path as text"
    )


@pytest.mark.parametrize("size", [0, 1, RECORD - 1, RECORD + 1, 2 * RECORD - 3])
def test_a_binary_file_has_whole_records(tmp_path, size):
    """A file that is empty, or ends within a record, is a DatasetError with its path, its size and 3073."""
    pictures, labels = some(2)
    path = written(tmp_path, binary(pictures, labels)[:size])
    with raises(DatasetError, path, size, RECORD):
        read_cifar10_bin(path)


def test_a_label_of_a_binary_file_is_a_class(tmp_path):
    """A label of 10 is a DatasetError with the path, the label and the number of its record."""
    pictures, labels = some(4)
    labels[3] = 10
    path = written(tmp_path, binary(pictures, labels))
    with raises(DatasetError, path, 10, 3):
        read_cifar10_bin(path)


def test_a_missing_file_is_named(tmp_path):
    """A file that is not there is a FileNotFoundError with its path."""
    for read in (read_cifar10_bin, read_cifar10_py):
        with raises(FileNotFoundError, tmp_path / "batch"):
            read(tmp_path / "batch")


# Pickles


def test_a_pickle_may_name_what_an_array_is_made_of():
    """find_class gives the stand-in for each name that a pickled array needs, never NumPy's own object."""
    unpickler = CifarUnpickler(io.BytesIO())
    for module, name, stand_in in (
        ("numpy.core.multiarray", "_reconstruct", PickledArray),
        ("numpy._core.multiarray", "_reconstruct", PickledArray),
        ("numpy", "ndarray", PickledArray),
        ("numpy", "dtype", PickledDtype),
        ("_codecs", "encode", pickled_bytes),
    ):
        found = unpickler.find_class(module, name)
        assert found is stand_in, (
            f"find_class({module!r}, {name!r}) gave {found!r}, expected {stand_in.__name__}"
        )


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "scalar"),
        ("os", "dtype"),
    ],
)
def test_a_pickle_may_name_nothing_else(module, name):
    """Any other name, such as os.system, is a pickle.UnpicklingError with "module.name"."""
    with raises(pickle.UnpicklingError, f"{module}.{name}"):
        CifarUnpickler(io.BytesIO()).find_class(module, name)


@pytest.mark.parametrize(
    "write",
    [python_2, python_3, lambda p, n: python_3(p, n, protocol=4)],
    ids=["Python 2", "Python 3", "protocol 4"],
)
def test_a_pickled_file(tmp_path, write):
    """A pickled file gives the same as a binary one, whether Python 2 (as for the official files) or 3 wrote it."""
    pictures, labels = some(3)
    found, numbers = read_cifar10_py(written(tmp_path, write(pictures, labels)))
    assert_close(found, pictures, "the array of pictures")
    assert_close(numbers, labels.astype(np.int64), "the array of labels")


def test_an_array_that_was_pickled_column_by_column(tmp_path):
    """An array in Fortran order, which its pickle says, is read right."""
    pictures, labels = some(3)
    batch = {b"data": np.asfortranarray(pictures.reshape(3, -1))}
    found, _ = read_cifar10_py(written(tmp_path, python_3(pictures, labels, batch=batch)))
    assert_close(found, pictures, "the array of pictures")


EVIL = {
    "os.system": b"cos\nsystem\n(S'echo ran > %s'\ntR.",
    "builtins.eval": b'cbuiltins\neval\n(S\'open("%s", "w")\'\ntR.',
    "__builtin__.eval": b'c__builtin__\neval\n(S\'open("%s", "w")\'\ntR.',
    "builtins.getattr": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR0(dS'%s'\ns.",
}


@pytest.mark.parametrize("name", EVIL)
def test_a_pickle_runs_nothing(tmp_path, name):
    """A file that names os.system, eval or getattr is a DatasetError with its path and that name; nothing runs."""
    trace = tmp_path / "ran"
    path = written(tmp_path, EVIL[name] % str(trace).encode())
    with raises(DatasetError, path):
        read_cifar10_py(path)
    assert not trace.exists(), f"the pickle ran {name}"
    with raises(DatasetError, name):
        read_cifar10_py(path)


def test_a_pickle_must_not_run_in_a_key_either(tmp_path):
    """A forbidden name beside good data: the whole file is a DatasetError with path and name, and nothing runs."""
    trace = tmp_path / "ran"
    good = python_2(*some(1))
    path = written(
        tmp_path, good[:-2] + b"S'x'\n" + (EVIL["builtins.eval"] % str(trace).encode())[:-1] + b"u."
    )
    with raises(DatasetError, path, "builtins.eval"):
        read_cifar10_py(path)
    assert not trace.exists(), "the pickle ran eval"


PICTURES, LABELS = some(2)
BROKEN = {
    "no pickle": b"this is no pickle",
    "empty": b"",
    "a list": pickle.dumps([1, 2, 3], 2),
    "no data": pickle.dumps({b"labels": [1, 2]}, 2),
    "no labels": pickle.dumps({b"data": PICTURES.reshape(2, -1)}, 2),
    "data a list": pickle.dumps({b"data": [1, 2], b"labels": [1, 2]}, 2),
    "labels a text": python_3(PICTURES, LABELS, batch={b"labels": b"12"}),
    "labels not whole": python_3(PICTURES, LABELS, batch={b"labels": [1.5, 2.5]}),
    "floats": python_3(PICTURES, LABELS, batch={b"data": PICTURES.reshape(2, -1).astype(np.float32)}),
    "int8": python_3(PICTURES, LABELS, batch={b"data": PICTURES.reshape(2, -1).view(np.int8)}),
    "gray": python_3(PICTURES, LABELS, batch={b"data": PICTURES[:, 0].reshape(2, -1)}),
    "four axes": python_3(PICTURES, LABELS, batch={b"data": PICTURES}),
    "no pictures": python_3(PICTURES[:0], LABELS[:0]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_pickle_of_something_else(tmp_path, what):
    """A file that is not a pickle, or not a pickle of pictures and labels, is a DatasetError with its path."""
    path = written(tmp_path, BROKEN[what])
    with raises(DatasetError, path):
        read_cifar10_py(path)


def test_pickled_pictures_and_labels_are_as_many(tmp_path):
    """2 pictures with 3 labels are a DatasetError with the path and both numbers."""
    path = written(tmp_path, python_3(PICTURES, LABELS, batch={b"labels": [1, 2, 3]}))
    with raises(DatasetError, path, 2, 3):
        read_cifar10_py(path)


@pytest.mark.parametrize("label", [10, -1, 266])
def test_a_label_of_a_pickle_is_a_class(tmp_path, label):
    """A label of 10, -1 or 266 (which is 10 in a byte) is a DatasetError with the path, the label and its number."""
    path = written(tmp_path, python_3(PICTURES, LABELS, batch={b"labels": [3, label]}))
    with raises(DatasetError, path, label, 1):
        read_cifar10_py(path)


# Whatever happens to a file


@given(data=st.data(), write=st.sampled_from([binary, python_2]))
def test_a_truncated_file_is_right_or_refused(folder, data, write):
    """A file cut off anywhere is a DatasetError with its path, or, cut between records, gives those before the cut."""
    pictures, labels = some(2)
    whole = write(pictures, labels)
    size = data.draw(st.integers(0, len(whole) - 1), label="the size of the file")
    path = written(folder, whole[:size])
    if write is binary and size == RECORD:
        assert_close(read_cifar10_bin(path)[0], pictures[:1], "the picture before the cut")
        return
    with raises(DatasetError, path):
        (read_cifar10_bin if write is binary else read_cifar10_py)(path)


@given(data=st.data(), byte=st.integers(0, 255))
def test_a_pickle_with_a_wrong_byte_is_right_or_refused(folder, data, byte):
    """A pickle with a wrong byte gives pictures and labels of the right kind, or a DatasetError with its path."""
    pictures, labels = some(2)
    whole = bytearray(python_2(pictures, labels))
    pixels = whole.index(pictures.tobytes())  # the pickle's own bytes are before and after them
    place = data.draw(st.integers(-4, pixels - 1), label="the place of the byte")
    whole[place] = byte
    path = written(folder, bytes(whole))
    try:
        found, numbers = read_cifar10_py(path)
    except DatasetError as error:
        assert str(path) in str(error), f"the message does not name the path: {error}"
    else:
        assert_equal(
            (found.shape, str(found.dtype)), ((2, 3, 32, 32), "uint8"), "shape and dtype of the pictures"
        )
        assert_equal((numbers.shape, str(numbers.dtype)), ((2,), "int64"), "shape and dtype of the labels")
        assert ((numbers >= 0) & (numbers < 10)).all(), f"the labels are {numbers.tolist()}"


@pytest.mark.parametrize(("place", "byte"), [(0, 150), (151, 149), (-4, 139)])
def test_these_wrong_bytes_are_refused(tmp_path, place, byte):
    """A wrong byte that asks for all memory, or leaves half a number, is a DatasetError with the path."""
    whole = bytearray(python_2(*some(2)))
    whole[place] = byte
    path = written(tmp_path, bytes(whole))
    with raises(DatasetError, path):
        read_cifar10_py(path)


# The whole data set


def lay_out(root, layout):
    """Write six small files as in the official folder. Returns (pictures, labels) for training and for testing."""
    root.mkdir(parents=True)
    suffix, write = (".bin", binary) if layout == "bin" else ("", python_2)
    parts = [some(n + 1, seed=n) for n in range(6)]
    for name, part in zip([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], parts, strict=True):
        written(root, write(*part), f"{name}{suffix}")
    train = [np.concatenate(each) for each in zip(*parts[:5], strict=True)]
    return train, parts[5]


each_layout = pytest.mark.parametrize("layout", ["bin", "py"])


@each_layout
@pytest.mark.parametrize("inside", [True, False], ids=["the root", "the folder itself"])
def test_the_files_of_cifar_10(tmp_path, layout, inside):
    """CIFAR10(root) reads data_batch_1 to 5 in order, CIFAR10(root, train=False) test_batch, in either layout."""
    folder = tmp_path / f"cifar-10-batches-{layout}"
    (pictures, labels), (test_pictures, test_labels) = lay_out(folder, layout)
    root = tmp_path if inside else folder
    dataset = CIFAR10(root)
    assert_close(dataset.data, pictures, "the array of pictures for training")
    assert_close(dataset.targets, labels.astype(np.int64), "the array of labels for training")
    assert_equal((len(dataset), dataset.classes), (15, CLASSES), "the pair of length and classes")
    test = CIFAR10(str(root), train=False)
    assert_close(test.data, test_pictures, "the array of pictures for testing")
    assert_close(test.targets, test_labels.astype(np.int64), "the array of labels for testing")


def test_cifar_10_is_an_image_dataset(tmp_path):
    """CIFAR10 takes a transform, and a loader reads it a batch at a time."""
    _, (pictures, labels) = lay_out(tmp_path / "cifar-10-batches-bin", "bin")
    dataset = CIFAR10(tmp_path, False, lambda pictures: pictures // 2)
    assert_close(dataset[1][0], pictures[1] // 2, "the picture of a sample")
    batch = next(iter(DataLoader(dataset, 4)))
    assert_close(batch[0], pictures[:4] // 2, "the array of pictures of a batch")
    assert_close(batch[1], labels[:4].astype(np.int64), "the array of its labels")


def test_the_first_place_is_taken(tmp_path):
    """If both layouts are in one root, the binary one is read."""
    (_, _), (pictures, _) = lay_out(tmp_path / "cifar-10-batches-bin", "bin")
    lay_out(tmp_path / "cifar-10-batches-py", "py")
    written(tmp_path / "cifar-10-batches-py", b"garbage", "test_batch")
    assert_close(CIFAR10(tmp_path, train=False).data, pictures, "the array of pictures for testing")


def test_cifar_10_that_is_not_there(tmp_path):
    """A root without any of the files, or that does not exist, is a FileNotFoundError with its path."""
    with raises(FileNotFoundError, tmp_path):
        CIFAR10(tmp_path)
    with raises(FileNotFoundError, tmp_path / "nowhere"):
        CIFAR10(tmp_path / "nowhere", train=False)


@each_layout
def test_a_missing_part_of_cifar_10(tmp_path, layout):
    """One file of five missing is a FileNotFoundError with its path; a broken one is a DatasetError."""
    folder = tmp_path / f"cifar-10-batches-{layout}"
    lay_out(folder, layout)
    path = folder / f"data_batch_3{'.bin' if layout == 'bin' else ''}"
    path.write_bytes(path.read_bytes()[:-1])
    with raises(DatasetError, path):
        CIFAR10(tmp_path)
    path.unlink()
    with raises(FileNotFoundError, path):
        CIFAR10(tmp_path)
