"""State on a disk: written whole or not at all, and checked when it is read.

The format is safetensors: eight bytes that say how long the header is, a header in JSON that says where each array
is, and the bytes of the arrays. It is no pickle: reading a file never runs code. The format has no checksum, so ours
is kept in its metadata, and covers the whole file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from tinytorch.dispatch import Array
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
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TypeError(f"save writes Tensors with names, got {type(value).__name__} for {name!r}")
    for name, text in metadata.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise TypeError(f"metadata are strings, got {type(text).__name__} for {name!r}")
    if taken := {*WRITER, DIGEST} & metadata.keys() | {"__metadata__"} & state.keys():
        raise ValueError(f"{', '.join(sorted(taken))} cannot be used as a name: the file needs it itself")
    arrays = {name: _on_host(value.data) for name, value in state.items()}
    blob = safetensors.numpy.save(arrays, {**metadata, **WRITER, DIGEST: NO_DIGEST})
    write_atomically(path, _with_digest(blob, NO_DIGEST, hashlib.sha256(blob).hexdigest()))


def load(path: str | os.PathLike[str], device: Any = "cpu") -> dict[str, Tensor]:
    """The Tensors of a safetensors file by name, on `device` (safetensors.torch.load_file).

    A file of another program, which has no checksum, is read too.

    Raises:
        CheckpointError: see `load_with_metadata`.
    """
    return {name: value.to(device) for name, value in load_with_metadata(path)[0].items()}


def load_with_metadata(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The Tensors of a file, on the CPU, and its metadata without what `save` added.

    Raises:
        CheckpointError: the file is cut short, or any byte of it is not what `save` wrote, or it is no safetensors
            file at all. The message names the path.
        FileNotFoundError: there is no such file.
    """
    blob = Path(path).read_bytes()
    try:
        arrays = safetensors.numpy.load(blob)
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from error
    metadata: dict[str, str] = header.get("__metadata__") or {}
    digest = metadata.pop(DIGEST, None)
    if metadata.items() >= WRITER.items() or digest is not None:
        if digest is None or hashlib.sha256(_with_digest(blob, digest, NO_DIGEST)).hexdigest() != digest:
            raise CheckpointError(f"{path} is damaged: its checksum does not fit its content")
        metadata.pop("writer", None)
    return {name: Tensor(array) for name, array in arrays.items()}, metadata


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that at every moment, in a power cut too, `path` is the old file or the new one, whole.

    The bytes go to a file beside it (its name with ".tmp" behind), which is flushed and fsynced, and then renamed:
    within a folder a rename is all or nothing. The folder is fsynced last, because the new name stands there. An error,
    and Ctrl-C too, leaves the old file as it was, and no other file behind.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _with_digest(blob: bytes, old: str, new: str) -> bytes:
    return blob.replace(f'"{DIGEST}":"{old}"'.encode(), f'"{DIGEST}":"{new}"'.encode(), 1)


def _on_host(array: Array) -> Array:
    """A copy as a NumPy array in C order: safetensors writes memory in the order in which it is stored."""
    return np.array(array if isinstance(array, np.ndarray) else array.get(), order="C")


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
    tensors: dict[str, Tensor] = {}
    return tensors, json.dumps(_described(state, "", tensors))


def unpack(tensors: Mapping[str, Tensor], text: str) -> Any:
    """The state that was given to `pack`, with the same types: integer keys and tuples too.

    Only NumPy's numbers have become Python's, and all arrays are on the CPU.
    """
    return _restored(json.loads(text), tensors)


def _described(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """What stands for `value` in the text. JSON has lists and plain values; all else is {kind: content}."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        parts = [_described(each, _joined(path, i), tensors) for i, each in enumerate(value)]
        return parts if isinstance(value, list) else {"tuple": parts}
    if isinstance(value, Mapping) and all(type(key) in (str, int) for key in value):
        return {"dict": [[key, _described(each, _joined(path, key), tensors)] for key, each in value.items()]}
    if isinstance(value, Tensor) or hasattr(value, "dtype"):
        if path in tensors:
            raise ValueError(f"two Tensors of the state would both be called {path!r}")
        is_tensor = isinstance(value, Tensor)
        tensors[path] = Tensor(_on_host(value.data if is_tensor else value))
        return {"tensor" if is_tensor else "array": path}
    raise TypeError(f"a state cannot hold {type(value).__name__}, found at {path!r}")


def _restored(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_restored(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(_restored(each, tensors) for each in content)
    if kind == "dict":
        return {key: _restored(each, tensors) for key, each in content}
    return tensors[content] if kind == "tensor" else tensors[content].data


def _joined(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)
