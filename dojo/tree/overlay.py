"""Which file each module of `tinytorch` comes from.

The student's tree, the reference's, or a mixture of both: the choice is one finder, first in `sys.meta_path`.
`sys.path` does not decide. Bytecode is neither read nor written: Python takes a `.pyc` for up to date
if the source has the same size and second, as after a quick edit. A process remembers what it compiled, and so do the
copies of it.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

from dojo.catalogue import KATAS, NAMED, ROOT, SOLUTIONS, STUDENT, kata, kata_of
from dojo.errors import DojoError

DEPTHS = ("*/", "*/*/")  # where in a folder `tinytorch` may be


@dataclass(frozen=True)
class Plan:
    """Where `tinytorch` comes from in this process."""

    tree: Path
    """The `tinytorch` directory that everything comes from, except what is named below."""
    special: Mapping[str, Path] = field(default_factory=dict)
    """Slugs whose module, file or package, comes from another tree."""
    closed: frozenset[str] = frozenset()
    """Slugs that cannot be imported, because their katas are above the one under test."""
    source: Mapping[str, str] = field(default_factory=dict)
    """Full module names whose source is this text, and not that of the file."""

    def tree_of(self, slug: str) -> Path:
        return self.special.get(slug, self.tree)

    def arguments(self) -> list[str]:
        """The plan as arguments of pytest. A plan that changes sources cannot be written so."""
        for slug, tree in self.special.items():
            return ["--impl", str(tree), "--alone", str(NAMED[slug].number)]
        return ["--impl", str(self.tree)]


def plan_for(impl: str, alone: int | None = None) -> Plan:
    """The plan of `--impl` and `--alone`.

    `impl` is "student", "solutions", or a path: a `tinytorch` directory, or a directory that holds one.
    `alone` takes only that kata's module from there: the katas below, the dispatcher and the faces are the
    reference's, the katas above are closed.
    """
    tree = _tree(impl)
    if alone is None:
        return Plan(tree)
    one = kata(alone)
    closed = frozenset(k.slug for k in KATAS if k.number > one.number)
    return Plan(_tree("solutions"), special={one.slug: tree}, closed=closed)


def _tree(impl: str) -> Path:
    named = {"student": STUDENT, "solutions": SOLUTIONS}
    tree = named.get(impl) or _package(Path(impl).resolve())
    if tree.is_dir():
        return tree
    if impl == "solutions":
        raise DojoError("This needs the reference, and the folder solutions/ is missing.")
    if impl == "student":
        raise DojoError(
            "The folder tinytorch/ is missing. `make restore` lists its backups; without one, `git checkout tinytorch` "
            "brings back what was last committed."
        )
    raise DojoError(f"--impl {impl}: there is no such folder. Give `student`, `solutions`, or a path.")


def _package(folder: Path) -> Path:
    """The `tinytorch` in a folder, or the folder itself if it is one."""
    if (folder / "tinytorch").is_dir():
        return folder / "tinytorch"
    is_one = (
        folder.name == "tinytorch" or not folder.is_dir() or any(kata_of(p, folder) for p in folder.iterdir())
    )
    if is_one:
        return folder
    found = [path for depth in DEPTHS for path in sorted(folder.glob(f"{depth}tinytorch")) if path.is_dir()]
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(shown(path) for path in found[:3])
        raise DojoError(
            f"--impl {folder}: there are {len(found)} tinytorch folders in it ({named}). Name one of them."
        )
    raise DojoError(f"--impl {folder}: there is no tinytorch folder in it, and no module of a kata.")


def install(plan: Plan) -> None:
    """Make `plan` the source of `tinytorch` for the rest of this process."""
    loaded = [name for name in sys.modules if name.partition(".")[0] == "tinytorch"]
    if loaded:
        raise DojoError(f"{loaded[0]} is already imported, so it is too late to choose where it comes from.")
    sys.meta_path[:] = [Finder(plan), *(f for f in sys.meta_path if not isinstance(f, Finder))]


def go_on(plan: Plan) -> None:
    """Make `plan` the source of what is not imported yet: what is has to be the same in both."""
    for finder in sys.meta_path:
        if isinstance(finder, Finder):
            finder.plan = plan


def installed() -> Plan | None:
    """The plan of this process, or None."""
    return next((f.plan for f in sys.meta_path if isinstance(f, Finder)), None)


class Finder(MetaPathFinder):
    """Finds `tinytorch` and all below it where the plan says, or nowhere."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        top, *rest = fullname.split(".")
        if top != "tinytorch":
            return None
        slug = rest[0] if rest else ""
        if slug in self.plan.closed:
            raise ImportError(_closed(slug), name=fullname)
        base = self.plan.tree_of(slug).joinpath(*rest)
        package, module = base / "__init__.py", base.with_suffix(".py")
        text = self.plan.source.get(fullname)
        if package.is_file():
            loader = Loader(fullname, package, text)
            return importlib.util.spec_from_file_location(
                fullname, package, loader=loader, submodule_search_locations=[str(base)]
            )
        if rest and (module.is_file() or text is not None):
            return importlib.util.spec_from_file_location(
                fullname, module, loader=Loader(fullname, module, text)
            )
        raise ModuleNotFoundError(_missing(base, slug), name=fullname)


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles what is in the file now, or `text` instead."""

    def __init__(self, fullname: str, path: Path, text: str | None) -> None:
        super().__init__(fullname, str(path))
        self.text = text
        if text is not None:  # tracebacks and `inspect` would show the file's lines otherwise
            linecache.cache[self.path] = (len(text), None, text.splitlines(keepends=True), self.path)

    def get_data(self, path: str) -> bytes:
        return super().get_data(path) if self.text is None else self.text.encode()

    def get_code(self, fullname: str) -> CodeType:
        data = self.get_data(self.path)
        if (place := data.find(b"\0")) >= 0:  # Python's own error names no file
            line = data.count(b"\n", 0, place) + 1
            raise SyntaxError("it holds a null byte. Is it saved as UTF-8?", (self.path, line, None, None))
        return compiled(data, self.path)


@cache
def compiled(data: bytes, path: str) -> CodeType:
    """The code of a module with exactly this text."""
    return compile(data, path, "exec", dont_inherit=True)


@cache
def compile_ahead(path: Path) -> None:
    """Compile a file that is trusted before this process is copied, once: a copy compiles what has changed since."""
    with contextlib.suppress(SyntaxError, ValueError):  # the run tells it, if it imports the file
        compiled(path.read_bytes(), str(path))


def shown(path: Path | str) -> str:
    """A path, relative to the root of the repository if it is in it."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _closed(slug: str) -> str:
    above = NAMED[slug]
    return (
        f"tinytorch.{slug} is kata {above.id}, which is above the one under test, and cannot be imported while "
        "that one is tested alone. A kata imports only the katas below it."
    )


def _missing(base: Path, slug: str) -> str:
    owner = NAMED.get(slug)
    if owner is not None and base.name == slug:
        if not owner.built:
            return f"Kata {owner.name} is planned and not written yet, so there is no tinytorch.{slug}."
        module, package = shown(base.with_suffix(".py")), shown(base / "__init__.py")
        gone = f"{package} is missing" if base.is_dir() else f"There is no {module}, and no {package}"
        mend = f"`make restore` lists the backups, `make reset N={owner.number}` puts the skeleton back."
        return f"{gone}. {mend}"
    return f"There is no {shown(base.with_suffix('.py') if slug else base / '__init__.py')}."
