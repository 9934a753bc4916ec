"""A model with all that is needed to use it, in one folder that somebody else can trust.

A bundle is four files and a list of them. config.json and model.safetensors make the GPT, tokenizer.json its tokenizer,
and card.json says what it is. manifest.json has the version of the format, and the SHA-256 of each of the four. So
whoever opens a bundle finds out at once whether it is whole, and not when the first answer is strange.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from tinytorch.capstone.text import Tokenizer
from tinytorch.transformers import GPT

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
    raise NotImplementedError("kata 20: check_files")


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
    raise NotImplementedError("kata 20: save_bundle")


def load_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """The bundle in a folder, its model in eval mode.

    Raises:
        BundleError: as check_files. Or config.json has not exactly the entries of a GPTConfig, each of its type (a
            whole number will do for a float); the tokenizer is none of kata 11, or has another number of tokens than
            the model (the message names both); the card has no name; or the weights do not fit the config: a tensor is
            missing or has another shape (the message names it).
    """
    raise NotImplementedError("kata 20: load_bundle")
