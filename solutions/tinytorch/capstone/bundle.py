"""A model with all that is needed to use it, in one folder that somebody else can trust.

A bundle is four files and a list of them. config.json and model.safetensors make the GPT, tokenizer.json its tokenizer,
and card.json says what it is. manifest.json has the version of the format, and the SHA-256 of each of the four. So
whoever opens a bundle finds out at once whether it is whole, and not when the first answer is strange.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tinytorch.capstone.text import Tokenizer
from tinytorch.precision import load_model, quantize_dynamic, save_model
from tinytorch.tokenization import BPETokenizer, CharTokenizer, read_json, write_json
from tinytorch.transformers import GPT, GPTConfig

FORMAT = "tinytorch bundle"
VERSION = 1
FILES = ("config.json", "tokenizer.json", "card.json", "model.safetensors")


class BundleError(ValueError):
    """A folder is no bundle, or a damaged one, or one that does not fit together. The message says what is wrong."""


@dataclass
class Bundle:  # given
    """What is in a bundle."""

    model: GPT
    tokenizer: Tokenizer
    card: dict[str, Any]
    """What a person should know of the model, as JSON has it: at least its "name"."""


def check_files(folder: str | os.PathLike[str]) -> None:
    """Raise unless the folder has the files that its manifest.json lists, byte for byte.

    The manifest is {"format": FORMAT, "version": VERSION, "files": {name of each of FILES: its SHA-256, hexadecimal}}.
    Nothing but the manifest is read before its names are known to be those of FILES, and no file is read before it is
    known to be one in the folder itself.

    Raises:
        BundleError: there is no manifest, or it is not JSON, or not of FORMAT; the version is another one, or no
            integer, as true and 1.0 (the message names both versions); the list is not that of FILES, as with
            "../card.json" (the message names what is listed); a file is a symbolic link that leads out of the folder;
            it is not there; or its checksum is another one. The message names the folder, or the file.
    """
    folder = Path(folder)
    manifest = _read(folder / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{folder} is no bundle: its manifest.json is not of the format {FORMAT!r}")
    version = manifest.get("version")
    if type(version) is not int or version != VERSION:
        raise BundleError(
            f"{folder} is a bundle of version {version!r}, and only version {VERSION} is understood"
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or files.keys() != set(FILES):
        listed = sorted(files) if isinstance(files, dict) else files
        raise BundleError(f"{folder}: the manifest lists {listed!r}, expected {sorted(FILES)}")
    for name, expected in files.items():
        if (folder / name).resolve().parent != folder.resolve():
            raise BundleError(f"{folder / name} is a link that leads out of the folder")
        if not (folder / name).is_file():
            raise BundleError(f"{folder / name} is missing")
        if _digest(folder / name) != expected:
            raise BundleError(f"{folder / name} is damaged: its checksum is not that in the manifest")


def save_bundle(
    bundle: Bundle, folder: str | os.PathLike[str], bits: int | None = None, group_size: int | None = None
) -> None:
    """Write a new folder with the bundle: whole, or not at all.

    With `bits`, the model is written as quantize_dynamic(model, bits, group_size) of kata 17 gives it. The files are
    written into a folder beside it, which is then renamed; nothing else is left, after an error either. It has the
    permissions of any new folder, so that others can read it. A bundle is never changed: a new one gets a new name.

    Raises:
        FileExistsError: there is something of that name already, even a link that leads nowhere; the message names it.
        BundleError: load_bundle would refuse it.
        ValueError: as quantize_dynamic.
    """
    folder = Path(folder)
    model = bundle.model if bits is None else quantize_dynamic(bundle.model, bits, group_size)
    if os.path.lexists(folder):
        raise FileExistsError(f"{folder} exists: a bundle is never changed, choose another name")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
        new = Path(beside) / folder.name
        new.mkdir()
        write_json(new / "config.json", asdict(bundle.model.config))
        bundle.tokenizer.save(new / "tokenizer.json")
        write_json(new / "card.json", bundle.card)
        save_model(model, new / "model.safetensors")
        files = {name: _digest(new / name) for name in FILES}
        write_json(new / "manifest.json", {"format": FORMAT, "version": VERSION, "files": files})
        load_bundle(new)  # what nobody could open is not put in place
        os.rename(new, folder)


def load_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """The bundle in a folder, its model in eval mode.

    Raises:
        BundleError: as check_files. Or config.json has not exactly the entries of a GPTConfig, each of its type (a
            whole number will do for a float); the tokenizer is none of kata 11, or has another number of tokens than
            the model (the message names both); the card has no name; or the weights do not fit the config: a tensor is
            missing or has another shape (the message names it).
    """
    folder = Path(folder)
    check_files(folder)
    config = _read_config(folder / "config.json")
    tokenizer = _read_tokenizer(folder / "tokenizer.json")
    card = _read(folder / "card.json")
    if not isinstance(card, dict) or not isinstance(card.get("name"), str):
        raise BundleError(f"{folder / 'card.json'} has no name of the model")
    if tokenizer.vocab_size != config.vocab_size:
        raise BundleError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, and the model {config.vocab_size}"
        )
    try:
        model = load_model(GPT(config), folder / "model.safetensors")
    except (KeyError, ValueError) as error:
        raise BundleError(
            f"{folder / 'model.safetensors'} does not fit config.json: {error.args[0]}"
        ) from error
    assert isinstance(model, GPT)
    model.eval()
    return Bundle(model, tokenizer, card)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except FileNotFoundError:
        raise BundleError(f"{path.parent} is no bundle: it has no {path.name}") from None
    except ValueError as error:
        raise BundleError(str(error)) from None


def _read_config(path: Path) -> GPTConfig:
    entries = _read(path)
    kinds = {each.name: type(each.default) for each in fields(GPTConfig)}
    if not isinstance(entries, dict) or entries.keys() != kinds.keys():
        raise BundleError(f"{path} has not exactly the entries {', '.join(kinds)}")
    for name, value in entries.items():
        if type(value) is not kinds[name] and (type(value), kinds[name]) != (int, float):
            raise BundleError(f"{path}: {name} is {value!r}, expected {kinds[name].__name__}")
    return GPTConfig(**entries)


def _read_tokenizer(path: Path) -> Tokenizer:
    file = _read(path)
    model = file.get("model") if isinstance(file, dict) else None
    characters = isinstance(model, dict) and model.get("type") == "WordLevel"
    try:
        return (CharTokenizer if characters else BPETokenizer).load(path)
    except ValueError as error:
        raise BundleError(str(error)) from None
