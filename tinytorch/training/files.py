"""State on a disk: written whole or not at all, and checked when it is read.

The format is safetensors: eight bytes that say how long the header is, a header in JSON that says where each array
is, and the bytes of the arrays. It is no pickle: reading a file never runs code. The format has no checksum, so ours
is kept in its metadata, and covers the whole file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tinytorch.tensor import Tensor

WRITER = {"writer": "tinytorch"}
"""In the metadata of every file that `save` writes: such a file has a checksum."""

DIGEST = "tinytorch_sha256"
"""The name of the checksum in the metadata."""

NO_DIGEST = "0" * 64
"""What stands there instead of the checksum while it is computed."""


class CheckpointError(ValueError):
    """A file is damaged, or is no safetensors file. The message names its path, and says what is wrong."""


# Tensors to a file and back -----------------------------------------------------------------------------


def save(state: Mapping[str, Tensor], path: str | os.PathLike[str], metadata: Mapping[str, str] = {}) -> None:
    """Write Tensors with their names, such as a model's state_dict, as safetensors (safetensors.torch.save_file).

    Tensors on a GPU, transposed Tensors and other views are written with the entries that they show, in C order.
    `write_atomically` does the writing. The file's metadata are `metadata`, WRITER, and under DIGEST the hexadecimal
    SHA-256 of the whole file. It is computed with NO_DIGEST in that place, and there only: data may look like it.

    Raises:
        TypeError: a value is not a Tensor, or a name or an entry of `metadata` is not a string; the message has
            its name.
        ValueError: `metadata` has "writer" or DIGEST of its own, or a Tensor is called "__metadata__"; the message
            names it. In all cases nothing is written.
    """
    raise NotImplementedError("kata 08: save")


def load(path: str | os.PathLike[str], device: Any = "cpu") -> dict[str, Tensor]:
    """The Tensors of a safetensors file by name, on `device` (safetensors.torch.load_file).

    A file of another program, which has no checksum, is read too.

    Raises:
        CheckpointError: see `load_with_metadata`.
    """
    raise NotImplementedError("kata 08: load")


def load_with_metadata(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The Tensors of a file, on the CPU, and its metadata without what `save` added.

    Raises:
        CheckpointError: the file is cut short, or any byte of it is not what `save` wrote, or it is no safetensors
            file at all. The message names the path.
        FileNotFoundError: there is no such file.
    """
    raise NotImplementedError("kata 08: load_with_metadata")


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that at every moment, in a power cut too, `path` is the old file or the new one, whole.

    The bytes go to a file beside it (its name with ".tmp" behind), which is flushed and fsynced, and then renamed:
    within a folder a rename is all or nothing. The folder is fsynced last, because the new name stands there. An error,
    and Ctrl-C too, leaves the old file as it was, and no other file behind.
    """
    raise NotImplementedError("kata 08: write_atomically")


# Anything that is a state to tensors and text, and back -------------------------------------------------


def pack(state: Any) -> tuple[dict[str, Tensor], str]:
    """Split a state into Tensors by name and a JSON text that says how to put them together again.

    A state is a dict with strings or integers as keys, a list, a tuple, a number, a string, a boolean, None, a Tensor
    or an array. Arrays become Tensors too. A name is made of the keys that lead to the Tensor:
    "optimizer.state.0.step". Everything is copied, to the CPU: what is packed does not change when training continues.

    Raises:
        TypeError: the state contains anything else; the message names the type and the keys that lead to it, as in
            "model.0". For a key of another type, it names those that lead to its dict.
        ValueError: two Tensors would have the same name; the message names it.
    """
    raise NotImplementedError("kata 08: pack")


def unpack(tensors: Mapping[str, Tensor], text: str) -> Any:
    """The state that was given to `pack`, with the same types: integer keys and tuples too.

    Only NumPy's numbers have become Python's, and all arrays are on the CPU.
    """
    raise NotImplementedError("kata 08: unpack")
