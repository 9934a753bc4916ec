"""Classic mistakes, planted in the reference to see that a spec catches each, with words that help.

    @mistake("tensor.Tensor.sum", spec="test_sum_of_rows", says="shape", swap=("sum(self, dim)", "sum(self)"))
    def sum_forgets_dim():
        \"\"\"dim is ignored: everything is summed.\"\"\"

`swap` is an old text and a new one, or a list of such pairs. Each old text stands exactly once in the source of the
function, which is read from its decorators to its end as if it were not indented: the lines of its body begin with
4 spaces, in a method too. Its docstring is left out. `says` is text that the report of the failing spec must hold.

Where nearly every line differs, a body reads better. It takes the place of the reference's, below the docstring, so
its names mean what they mean there:

    @mistake("tensor.Tensor.sum", spec="test_sum_of_rows", says="shape")
    def sum_forgets_dim(self, dim=None, keepdim=False):
        \"\"\"dim is ignored: everything is summed.\"\"\"
        return sum(self)
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
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

Swap = tuple[str, str]


@dataclass(frozen=True)
class Mistake:
    name: str
    kata: Kata
    function: str
    """The qualified name in the kata's module: "Tensor.sum"."""
    spec: str
    """The name of the spec that catches it."""
    says: str
    swaps: list[Swap]
    source: str
    """The function as it is written here: only a docstring if there are swaps, else with the wrong body."""

    @property
    def sentence(self) -> str:
        """What is wrong, as its docstring says; "" where the name says it all."""
        [node] = ast.parse(self.source).body
        assert isinstance(node, Function)
        return " ".join((ast.get_docstring(node) or "").split())

    def plant(self) -> dict[str, str]:
        """The reference with this mistake in it, by module name. All other text stays as it is."""
        module, text, node = reference.only(self.kata, self.function)
        wrong = self.wrong(reference.source(text, node))
        try:
            ast.parse(wrong)
        except SyntaxError as error:
            raise DojoError(f"{self.function} with {self.name} in it is not Python: {error}") from error
        lines = text.splitlines(keepends=True)
        lines[reference.lines(node)] = [textwrap.indent(wrong, " " * node.col_offset)]
        return {module: "".join(lines)}

    def wrong(self, right: str) -> str:
        """The source of the reference's function with this mistake in it, as if it were not indented."""
        if self.swaps and parts(self.source)[2]:
            raise DojoError(f"{self.name} has a swap and a body: one of them is enough")
        return self._swapped(right) if self.swaps else self._rewritten(right)

    def _swapped(self, right: str) -> str:
        signature, docstring, body = parts(right)
        for old, _ in self.swaps:
            if (found := (signature + body).count(old)) != 1:
                raise DojoError(
                    f"{self.name} swaps {old!r}, found {found} times in {self.function}, not once"
                )
        new = dict(self.swaps)
        any_old = "|".join(map(re.escape, new))
        swapped = re.sub(any_old, lambda old: new.pop(old[0]), signature) + docstring
        swapped += re.sub(any_old, lambda old: new.pop(old[0]), body)
        if new:
            raise DojoError(f"the swaps of {self.name} overlap: make one of them")
        return swapped

    def _rewritten(self, right: str) -> str:
        signature, docstring, _ = parts(right)
        _, _, body = parts(self.source)
        if not body:
            raise DojoError("it has no body: write `pass` if doing nothing is the mistake")
        theirs = _arguments(right)
        if unknown := _names(_arguments(self.source)) - _names(theirs):
            raise DojoError(
                f"it has the parameters {sorted(unknown)}; {self.function} has ({ast.unparse(theirs)})"
            )
        return signature + docstring + body


def parts(function: str) -> tuple[str, str, str]:
    """The lines of a function: decorators and signature, docstring, body."""
    [node] = ast.parse(function).body
    assert isinstance(node, Function)
    docstring = reference.docstring(node)
    above = node.body[0].lineno - 1
    below = docstring[0].end_lineno if docstring else above
    lines = function.splitlines(keepends=True)
    return "".join(lines[:above]), "".join(lines[above:below]), "".join(lines[below:])


def _arguments(function: str) -> ast.arguments:
    [node] = ast.parse(function).body
    assert isinstance(node, Function)
    return node.args


def _names(arguments: ast.arguments) -> set[str]:
    return {each.arg for each in ast.walk(arguments) if isinstance(each, ast.arg)}


def mistake(
    place: str, *, spec: str, says: str, swap: Swap | list[Swap] | None = None
) -> Callable[[Callable[..., Any]], Mistake]:
    """Make a mistake of a function. It is planted at `place`, "slug.Qualified.name", by its swaps or its body."""
    slug, _, qualified = place.partition(".")
    katas = [kata for kata in KATAS if kata.slug == slug]
    if not katas or not qualified:
        raise DojoError(f'A mistake names its place as "slug.function", not {place!r}.')
    swaps = [swap] if isinstance(swap, tuple) else swap or []

    def make(function: Callable[..., Any]) -> Mistake:
        source = textwrap.dedent(inspect.getsource(function))
        return Mistake(function.__name__, katas[0], qualified, spec, says, swaps, source)

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
