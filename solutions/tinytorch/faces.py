"""How the names that PyTorch users know are found in the katas. Given.

A name is looked up when it is used, so a mistake in one kata never stops another: the error comes from the
line that asks for the name, and says which kata could not be imported, and why.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def open_floor(module: str) -> Exception | None:
    """Import a kata at once. Gives what went wrong, or None."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return error
    return None


def face(name: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of module `name` (PEP 562). `homes`: each kata's module, and its names."""
    home = {each: module for module, names in homes.items() for each in names.split()}

    def __getattr__(attribute: str) -> Any:
        if attribute not in home:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        module = home[attribute]
        if (error := open_floor(module)) is not None:
            raise ImportError(
                f"{name}.{attribute} comes from {module}, which cannot be imported: {error}"
            ) from error
        return getattr(sys.modules[module], attribute)

    def __dir__() -> list[str]:
        return sorted(home)

    return __getattr__, __dir__
