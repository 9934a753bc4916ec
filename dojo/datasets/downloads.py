"""What `make data` downloads, where it is stored, and how it is found again.

    folder = downloads.find("cifar10", report.data)     # where DATA= says, or where `make data` puts it, or None

None of these files is in the repository.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dojo.catalogue import ROOT
from dojo.datasets.fetch import File, fetch, ignore
from dojo.errors import DojoError

HOME = ROOT / ".dojo" / "data"
GPT2 = "https://huggingface.co/openai-community/gpt2/resolve/607a30d783dfa663caf39e06633721c8d4cfcd7e/"
TORONTO = "https://www.cs.toronto.edu/~kriz/"
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"


class Dataset(NamedTuple):
    name: str
    what: str
    sources: tuple[File, ...]
    folder: str = ""
    """The folder that the one source, an archive, unpacks to; empty if the sources are used as they are."""
    files: tuple[str, ...] = ()
    """Files that must be in that folder."""

    @property
    def size(self) -> int:
        return sum(source.size for source in self.sources)

    def there(self, home: Path) -> bool:
        """Whether all its files are in `home`, ready to be read."""
        names = [source.name for source in self.sources]
        if self.folder:
            names = [f"{self.folder}/{name}" for name in self.files]
        return all((home / name).is_file() for name in names)


def files(address: str, sums: str) -> tuple[File, ...]:
    """The files at that address: a line for each, with sha256, bytes and name."""
    rows = [line.split() for line in sums.strip().splitlines()]
    return tuple(File(name, address + name, int(size), sha256) for sha256, size, name in rows)


MNIST_FILES = """
440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609  9912422  train-images-idx3-ubyte.gz
3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c    28881  train-labels-idx1-ubyte.gz
8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6  1648877  t10k-images-idx3-ubyte.gz
f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6     4542  t10k-labels-idx1-ubyte.gz
"""
CIFAR_BINARY = """
c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd  170052171  cifar-10-binary.tar.gz
"""
CIFAR_PYTHON = """
6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce  170498071  cifar-10-python.tar.gz
"""
GPT2_FILES = """
0daed7749b4f02b8f76240d5444551d7b08712dab4d0adb8239c56ba823bb7b4        665  config.json
8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6    1355256  tokenizer.json
248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707  548105171  model.safetensors
"""
SHAKESPEARE = File(
    "tinyshakespeare.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    1115394,
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
BATCHES = tuple(f"data_batch_{k}" for k in range(1, 6))
DATASETS = (
    Dataset("mnist", "70,000 handwritten digits, 28x28, grey", files(MNIST, MNIST_FILES)),
    Dataset(
        "cifar10",
        "60,000 photos, 32x32, as plain bytes",
        files(TORONTO, CIFAR_BINARY),
        "cifar-10-batches-bin",
        (*(f"{batch}.bin" for batch in BATCHES), "test_batch.bin", "batches.meta.txt"),
    ),
    Dataset(
        "cifar10-python",
        "the same photos, as Python pickles",
        files(TORONTO, CIFAR_PYTHON),
        "cifar-10-batches-py",
        (*BATCHES, "test_batch", "batches.meta"),
    ),
    Dataset("shakespeare", "a million characters of his plays", (SHAKESPEARE,)),
    Dataset("gpt2", "the smallest published GPT-2, in Hugging Face's layout", files(GPT2, GPT2_FILES)),
)


def dataset(name: str) -> Dataset:
    """The dataset of that name. Any other name is a DojoError that lists them."""
    for each in DATASETS:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in DATASETS)
    raise DojoError(
        f"There is no data set {name!r}. There are {names}: try `make data NAME={DATASETS[0].name}`."
    )


def find(name: str, given: Path | None = None) -> Path | None:
    """The folder with the files of that dataset, or None if they were not downloaded. No network is used.

    Args:
        given: the folder that a person names with DATA=. The files are in it, or in its folder of the dataset's name.

    Raises:
        DojoError: they are not in the folder that was given. The message names one that is missing.
    """
    wanted = dataset(name)
    places = [given, given / name] if given else [HOME / name]
    for place in places:
        if wanted.there(place):
            return place
    if given is None:
        return None
    first = f"{wanted.folder}/{wanted.files[0]}" if wanted.folder else wanted.sources[0].name
    raise DojoError(f"{given} does not hold {name}: {first} or another of its files is missing there.")


def get(
    wanted: Dataset,
    home: Path,
    begin: Callable[[File], Callable[[int], object]],
    say: Callable[[str], object] = ignore,
) -> None:
    """Download what is not in `home` yet, and unpack it.

    `begin` is called with each file and returns a function, which is called with the bytes that have arrived.

    Raises:
        DojoError: it cannot be downloaded or unpacked.
    """
    if wanted.folder and (home / wanted.folder).exists():
        if wanted.there(home):
            return
        raise DojoError(
            f"{home / wanted.folder} exists, but files are missing in it: move it away, and run the command again."
        )
    for source in wanted.sources:
        brought = not (home / source.name).exists()
        path = fetch(source, home, begin(source), say)
        if wanted.folder:
            say(f"unpacking {source.name} ...")
            unpack(path, home, wanted)
            if brought:  # what a person put there stays
                path.unlink()


def unpack(archive: Path, home: Path, wanted: Dataset) -> None:
    """Unpack the archive so that its folder appears in `home` as a whole or not at all.

    Raises:
        DojoError: it holds anything but files and folders inside that folder, or a file is missing in it.
    """
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=home) as name:
        new = Path(name)
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    _unpack_member(tar, member, new)
        except (tarfile.TarError, EOFError, BadGzipFile, zlib.error) as error:
            reason = str(error).partition("\n")[0].rstrip(":")
            raise DojoError(f"{archive} cannot be unpacked: {reason}.") from None
        if not wanted.there(new):
            raise DojoError(f"{archive} does not hold all the files of {wanted.name}.")
        (new / wanted.folder).rename(home / wanted.folder)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, home: Path) -> None:
    """Write the bytes of one file and nothing else: no owner, no mode, no link, and nothing outside `home`."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise DojoError(
            f"{tar.name!s} holds {member.name!r}, which does not belong there: nothing was unpacked."
        )
    if member.isdir():
        return
    target = home / path
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None  # it is a file
    with content, open(target, "wb") as file:
        shutil.copyfileobj(content, file)
