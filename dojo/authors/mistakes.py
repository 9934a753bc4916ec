"""Classic mistakes, planted in the reference to see that a spec catches each and says the right thing.

    @mistake("tensor.Tensor.sum", spec="test_sum_of_rows", says="shape")
    def sum_forgets_dim(self, dim=None, keepdim=False):
        \"\"\"dim is ignored: everything is summed.\"\"\"
        return sum(self)

Only the body is used: it takes the place of the reference's body, so its names mean what they mean there, and
decorators and signature stay. `says` is text that the report of the failing spec must hold.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojo import catalogue
from dojo.catalogue import KATAS, Kata
from dojo.errors import DojoError
from dojo.tree import reference
from dojo.tree.source import Function


@dataclass(frozen=True)
class Mistake:
    name: str
    kata: Kata
    function: str
    """The qualified name in the kata's module: "Tensor.sum"."""
    spec: str
    """The name of the spec that catches it."""
    says: str
    source: str

    def plant(self) -> dict[str, str]:
        """The reference with this mistake in it, by module name."""
        seen: list[str] = []

        def edit(node: Function) -> None:
            if seen:
                raise DojoError(f"the reference defines {self.function} more than once")
            seen.append(node.name)
            wrong = ast.parse(self.source).body[0]
            assert isinstance(wrong, Function)
            if unknown := _parameters(wrong) - _parameters(node):
                theirs = ast.unparse(node.args)
                raise DojoError(f"it has the parameters {sorted(unknown)}; {self.function} has ({theirs})")
            body = wrong.body[len(reference.docstring(wrong)) :]
            if not body:
                raise DojoError("it has no body: write `pass` if doing nothing is the mistake")
            node.body = reference.docstring(node) + body

        return reference.edited(self.kata, {self.function: edit})


def _parameters(node: Function) -> set[str]:
    return {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}


def mistake(place: str, *, spec: str, says: str) -> Callable[[Callable[..., Any]], Mistake]:
    """Make a mistake of a function whose body replaces the one at `place`, "slug.Qualified.name"."""
    slug, _, qualified = place.partition(".")
    katas = [kata for kata in KATAS if kata.slug == slug]
    if not katas or not qualified:
        raise DojoError(f'A mistake names its place as "slug.function", not {place!r}.')

    def make(function: Callable[..., Any]) -> Mistake:
        source = textwrap.dedent(inspect.getsource(function))
        return Mistake(function.__name__, katas[0], qualified, spec, says, source)

    return make


def file(kata: Kata) -> Path:
    return catalogue.ROOT / "tests" / "mistakes" / f"kata_{kata.id}.py"


def load(kata: Kata) -> list[Mistake]:
    """The kata's mistakes, in the order they are written. A kata without a file has none."""
    path = file(kata)
    if not path.is_file():
        return []
    written = [
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    if twice := {name for name in written if written.count(name) > 1}:
        raise DojoError(f"{path.name} has two mistakes called {', '.join(sorted(twice))}.")
    spec = importlib.util.spec_from_file_location(f"mistakes_{kata.id}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DojoError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error
    found = [each for each in vars(module).values() if isinstance(each, Mistake)]
    for each in found:
        if each.kata != kata:
            raise DojoError(
                f"{each.name} in {path.name} is about kata {each.kata.id}: it belongs in its file."
            )
    return found
