"""Tensors on a disk: written whole or not at all, and checked when they are read."""

import os
import stat

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import (
    die_at_file_change,
    die_when_a_file_grows_beyond,
    in_child,
    interrupt_at_file_change,
    killed,
)
from dojo.spec.strategies import shapes, strided
from tinytorch.layers import Linear
from tinytorch.tensor import Tensor, tensor
from tinytorch.training import CheckpointError, load, load_with_metadata, save, write_atomically

DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"]


def a_state():
    """A small state with a float and an integer in it."""
    return {"layer.weight": tensor([[1.5, -2.0, 0.25]]), "steps": tensor([7, 8])}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# write_atomically


def test_bytes_are_written(tmp_path):
    """write_atomically writes bytes to a path, a string or a Path, over what was there; it leaves no other file."""
    path = tmp_path / "file"
    write_atomically(path, b"old and long")
    write_atomically(str(path), b"new")
    assert_equal(path.read_bytes(), b"new", "the content of the file")
    assert_equal(names_in(tmp_path), ["file"], "the list of the files in the folder")


def test_the_old_file_is_replaced_and_not_written_over(tmp_path):
    """A program that has the old file open still reads the old content: the new file only has the same name."""
    path, link = tmp_path / "file", tmp_path / "link"
    write_atomically(path, b"old")
    os.link(path, link)
    write_atomically(path, b"new")
    assert_equal(link.read_bytes(), b"old", "the content of the old file, which has a second name")
    assert_equal(path.read_bytes(), b"new", "the content of the new one")


@pytest.mark.parametrize("size", [0, 1, 4096, 99_999])
def test_killed_in_the_middle_of_a_write(tmp_path, size):
    """A process that is killed after so many bytes of the new file leaves the old one whole."""
    path = tmp_path / "file"
    write_atomically(path, b"old" * 10)

    def write():
        die_when_a_file_grows_beyond(size)
        write_atomically(path, bytes(100_000))

    assert killed(write), "the file was not written to the disk, or not as a file"
    assert_equal(
        path.read_bytes(), b"old" * 10, f"the content of the file, killed after {size} bytes of the new one"
    )


def test_killed_between_two_steps(tmp_path):
    """Killed before any of its steps (open, rename, ...), write_atomically leaves the old or the new content, whole."""
    path, old, new = tmp_path / "file", b"old" * 10, b"new" * 5000

    def write(number):
        die_at_file_change(number, tmp_path)
        write_atomically(path, new)

    write_atomically(path, old)
    for number in range(20):
        if not killed(lambda number=number: write(number)):
            break
        content = path.read_bytes()
        assert content in (old, new), (
            f"killed before change {number} of the folder, the file has {len(content)} bytes: neither old nor new"
        )
    assert 0 < number < 20, f"write_atomically made {number} changes in the folder"
    assert_equal(path.read_bytes(), new, "the content after a write that was not killed")
    assert_equal(
        names_in(tmp_path),
        ["file"],
        "the list of the files in the folder, after killed runs and one that was not",
    )


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    """A power cut forgets what was not fsynced: first the file with all its bytes, then the rename, then the folder."""
    seen = []

    def note(real):
        def fsync(fd):
            kind = os.fstat(fd if isinstance(fd, int) else fd.fileno())
            seen.append("folder" if stat.S_ISDIR(kind.st_mode) else f"file of {kind.st_size} bytes")
            return real(fd)

        return fsync

    def moved(real):
        def rename(*args, **kwargs):
            seen.append("rename")
            return real(*args, **kwargs)

        return rename

    for name in ("fsync", "fdatasync"):
        if hasattr(os, name):
            monkeypatch.setattr(os, name, note(getattr(os, name)))
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, moved(getattr(os, name)))
    write_atomically(tmp_path / "file", b"12345")
    assert_equal(
        list(dict.fromkeys(seen)), ["file of 5 bytes", "rename", "folder"], "what was fsynced and renamed"
    )


def test_the_new_file_is_written_in_the_folder_of_the_old_one(tmp_path):
    """The bytes are written to another file in the same folder: only there a rename is all or nothing.

    From another disk it may be a copy, or impossible. So a run killed at the right moment leaves both files there.
    """
    path, seen = tmp_path / "file", []

    def write(number):
        die_at_file_change(number, tmp_path)
        write_atomically(path, b"new")

    write_atomically(path, b"old")
    for number in range(20):
        if not killed(lambda number=number: write(number)):
            break
        seen.append(len(names_in(tmp_path)))
    assert max(seen, default=0) > 1, (
        f"killed before each change of the folder, there were {seen} files in it: the new one was written elsewhere"
    )


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    """Where the path is a folder, the write is an OSError, and no other file is left in the folder."""
    (tmp_path / "place" / "inside").mkdir(parents=True)
    with raises(OSError):
        write_atomically(tmp_path / "place", b"new")
    assert_equal(names_in(tmp_path), ["place"], "the list of the files in the folder")


def test_an_interrupted_write_leaves_nothing_behind(tmp_path):
    """Ctrl-C before any of its steps leaves the old content or the new one, and no other file in the folder."""
    path = tmp_path / "file"

    def interrupted(number):
        interrupt_at_file_change(number, tmp_path)
        try:
            write_atomically(path, b"new")
        except KeyboardInterrupt:
            return {"interrupted": np.array(True)}
        return {"interrupted": np.array(False)}

    write_atomically(path, b"old")
    for number in range(20):
        found = in_child(lambda number=number: interrupted(number))["interrupted"]
        assert_equal(
            names_in(tmp_path), ["file"], f"the files in the folder, interrupted before change {number}"
        )
        assert path.read_bytes() in (b"old", b"new"), f"the file holds {path.read_bytes()}"
        if not found:
            break
    assert 0 < number < 20, f"of a write {number} changes of the folder were interrupted"


def test_the_file_is_as_readable_as_any(tmp_path):
    """The file has the permissions of a file made with open(), so others may read it too."""
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "file", b"new")
    modes = [oct((tmp_path / name).stat().st_mode) for name in ("file", "plain")]
    assert_equal(modes[0], modes[1], "the mode, which has the permissions of the file,")


# save and load


def test_what_is_saved_is_loaded(tmp_path):
    """load gives the Tensors that save was given, by name, in their shapes and dtypes."""
    path, state = tmp_path / "a.safetensors", a_state()
    save(state, path)
    back = load(path)
    assert_equal(sorted(back), ["layer.weight", "steps"], "the list of the names")
    for name, value in state.items():
        assert isinstance(back[name], Tensor), f"{name} is a {type(back[name]).__name__}, expected a Tensor"
        assert_close(back[name], value.data, name, rtol=0, atol=0)


def test_a_model_is_saved_and_loaded(tmp_path):
    """A model's state_dict goes into a file, and from there into another model, bit for bit."""
    one, other = Linear(3, 2), Linear(3, 2)
    save(one.state_dict(), str(tmp_path / "model"))
    other.load_state_dict(load(str(tmp_path / "model")))
    assert_close(other.weight, one.weight.data, "the weight of the other model", rtol=0, atol=0)
    assert_close(other.bias, one.bias.data, "the bias of the other model", rtol=0, atol=0)


@given(array=st.sampled_from(DTYPES).flatmap(lambda dtype: strided(shapes(), dtype)))
@example(array=np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
@example(array=np.array(1.5, np.float32))
def test_any_tensor_is_saved_as_what_it_shows(tmp_path_factory, array):
    """Any shape, 0-d and empty ones too, any dtype, and any order in memory is saved.

    safetensors itself ignores strides.
    """
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    save({"x": Tensor(array)}, path)
    assert_close(load(path)["x"], array, "the loaded Tensor", rtol=0, atol=0)
    assert_close(safetensors.numpy.load_file(path)["x"], array, "what safetensors reads", rtol=0, atol=0)


def test_nothing_at_all_is_a_state(tmp_path):
    """A state without Tensors is saved and loaded as such."""
    save({}, tmp_path / "empty")
    assert_equal(load(tmp_path / "empty"), {}, "the loaded state")


def test_what_is_loaded_can_be_changed(tmp_path):
    """A loaded Tensor can be written into, and that changes neither the file nor what is loaded next."""
    save(a_state(), tmp_path / "a")
    first = load(tmp_path / "a")["steps"]
    first.fill_(0)
    assert_close(load(tmp_path / "a")["steps"], np.array([7, 8]), "what is loaded next")


def test_the_metadata_come_back(tmp_path):
    """load_with_metadata gives the Tensors and the metadata that save was given, and no others."""
    save(a_state(), tmp_path / "a", {"epoch": "3", "note": 'with "quotes" and é'})
    state, metadata = load_with_metadata(tmp_path / "a")
    assert_close(state["steps"], np.array([7, 8]), "a Tensor")
    assert_equal(metadata, {"epoch": "3", "note": 'with "quotes" and é'}, "the dict of the metadata")
    save(a_state(), tmp_path / "b")
    assert_equal(load_with_metadata(tmp_path / "b")[1], {}, "the dict of the metadata where none was given")


def test_data_may_look_like_the_place_of_the_checksum(tmp_path):
    """Only the place of the checksum is replaced, not what looks like it.

    A note of 64 "0" comes back as it was, and so does a uint8 Tensor with the bytes of
    "tinytorch_sha256":"000...": the name, in the quotes and with the colon that JSON has, and 64 "0".
    """
    likeness = np.frombuffer(b'"tinytorch_sha256":"' + b"0" * 64 + b'"', np.uint8)
    save({"likeness": Tensor(likeness)}, tmp_path / "a", {"note": "0" * 64})
    state, metadata = load_with_metadata(tmp_path / "a")
    assert_close(state["likeness"], likeness, "the Tensor", rtol=0, atol=0)
    assert_equal(metadata, {"note": "0" * 64}, "the dict of the metadata")


def test_any_program_reads_the_file(tmp_path):
    """safetensors' own reader finds names, Tensors and metadata."""
    path = tmp_path / "a.safetensors"
    save(a_state(), path, {"epoch": "3"})
    with safetensors.safe_open(path, framework="np") as file:
        assert_equal(sorted(file.keys()), ["layer.weight", "steps"], "the list of the names in the file")
        assert_equal(file.metadata().get("epoch"), "3", "epoch in the metadata of the file")
        assert_close(
            file.get_tensor("layer.weight"), a_state()["layer.weight"].data, "the weight in the file"
        )


def test_the_file_of_another_program_is_read(tmp_path):
    """A file that safetensors wrote, with metadata or without, has no checksum of ours, and is loaded all the same."""
    arrays = {"x": np.array([1.0, 2.0], np.float32)}
    for metadata in (None, {"format": "pt"}):
        safetensors.numpy.save_file(arrays, tmp_path / "other", metadata)
        state, found = load_with_metadata(tmp_path / "other")
        assert_close(state["x"], arrays["x"], "the Tensor")
        assert_equal(found, metadata or {}, "the dict of the metadata")


def test_save_is_atomic(tmp_path):
    """If the process is killed in the middle of a save, the old file is still there, whole."""
    path = tmp_path / "a"
    save(a_state(), path)

    def again():
        die_when_a_file_grows_beyond(2000)
        save({"large": Tensor(np.ones(10_000, np.float32))}, path)

    assert killed(again), "40,000 bytes were saved, and no file has grown beyond 2,000"
    assert_equal(sorted(load(path)), ["layer.weight", "steps"], "the list of the names in the file")


# Damage


@pytest.mark.parametrize("bits", [0x01, 0x80])
def test_a_changed_byte_is_noticed(tmp_path, bits):
    """Any changed byte, in the header, the metadata, a name or a number, is a CheckpointError that names the path."""
    path = tmp_path / "a.safetensors"
    save(a_state(), path, {"epoch": "3"})
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= bits
        path.write_bytes(damaged)
        around = whole[max(place - 8, 0) : place + 8]
        try:
            with raises(CheckpointError, path):
                load(path)
        except AssertionError as error:
            raise AssertionError(
                f"byte {place} of {len(whole)} was changed, about {around!r}: {error}"
            ) from None


def test_a_file_cut_short_is_noticed(tmp_path):
    """A file that is cut short after any number of bytes, 0 too, is a CheckpointError with the path."""
    path = tmp_path / "a.safetensors"
    save(a_state(), path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            with raises(CheckpointError, path):
                load(path)
        except AssertionError as error:
            raise AssertionError(f"the first {size} of {len(whole)} bytes: {error}") from None


def test_a_file_that_goes_on_is_noticed(tmp_path):
    """A file with more bytes after its end is a CheckpointError."""
    path = tmp_path / "a.safetensors"
    save(a_state(), path)
    path.write_bytes(path.read_bytes() + b"\0")
    with raises(CheckpointError, path):
        load(path)


def test_damage_of_another_program_s_file_is_noticed_where_it_can_be(tmp_path):
    """A file without a checksum that is cut short, or is no safetensors file, is still a CheckpointError."""
    path = tmp_path / "other"
    safetensors.numpy.save_file({"x": np.ones(4, np.float32)}, path)
    for damaged in (path.read_bytes()[:-1], b"PK\x03\x04 no safetensors at all", b"\x02" + bytes(7) + b"[]"):
        path.write_bytes(damaged)
        with raises(CheckpointError, path):
            load(path)


def test_checkpoint_error_is_a_value_error():
    """A CheckpointError is a ValueError, but a file that does not exist is a FileNotFoundError."""
    assert issubclass(CheckpointError, ValueError)
    with raises(FileNotFoundError):
        load("there is no such file")


# What save refuses


@pytest.mark.parametrize(
    ("state", "metadata", "kind", "word"),
    [
        ({"x": np.ones(2)}, {}, TypeError, "x"),
        ({"x": 3.0}, {}, TypeError, "x"),
        ({7: "tensor"}, {}, TypeError, 7),
        ({"x": "tensor"}, {"epoch": 3}, TypeError, "epoch"),
        ({"x": "tensor"}, {"writer": "me"}, ValueError, "writer"),
        ({"__metadata__": "tensor"}, {}, ValueError, "__metadata__"),
    ],
)
def test_save_refuses_what_it_cannot_write(tmp_path, state, metadata, kind, word):
    """What save cannot write is an error that names the entry, and nothing is written.

    Arrays, numbers, names that are not strings and metadata that are not strings are TypeErrors; names that the file
    needs itself are ValueErrors.
    """
    state = {name: tensor([1.0]) if isinstance(value, str) else value for name, value in state.items()}
    with raises(kind, word):
        save(state, tmp_path / "a", metadata)
    assert_equal(names_in(tmp_path), [], "the list of the files in the folder")
