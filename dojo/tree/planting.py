"""A mistake planted in the student's own code, for the bug hunts: nothing here writes a file.

A mistake is written for the reference. If its swap fits the student's function, that changes; else the reference's
function with the mistake in it takes the place of the student's, and brings what it needs: imports and helpers of the
reference that the student's module lacks. Private helpers come under new names, because the student may have others of
the same name.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dojo.errors import DojoError
from dojo.tree import reference
from dojo.tree.mistakes import Mistake, parts
from dojo.tree.source import Function, definitions

SUFFIX = "__of_the_reference"


class Planted(NamedTuple):
    path: Path
    """The student's file, below the `tinytorch` folder."""
    text: str
    """Its source with the mistake in it."""
    right: str
    """The function without the mistake: the student's, or the reference's if that took its place."""
    wrong: str


def plant(mistake: Mistake, tree: Path) -> Planted:
    """The mistake in the code of `tree`. A DojoError if that code has no place for it."""
    path, text, node = _function_of(mistake, tree)
    right = reference.source(text, node)
    fits = all(_stands_in(right, old) for old, _ in mistake.swaps)
    if not fits:
        right = reference.source(*reference.only(mistake.kata, mistake.function)[1:])
    wrong = mistake.wrong(right)
    module = ast.parse(text)
    new = ast.parse(wrong).body[0]
    assert isinstance(new, Function)
    _replace(module, mistake.function, new)
    _bring(mistake, module, new, all_private=not (fits and mistake.swaps))
    planted = ast.unparse(ast.fix_missing_locations(module)) + "\n"
    return Planted(path.relative_to(tree), planted, right, wrong)


def _stands_in(function: str, old: str) -> bool:
    """Whether a text to swap is there once, outside the docstring, and cuts no name in two."""
    signature, _, body = parts(function)
    before, after = (r"\b" if re.match(r"\w", each) else "" for each in (old[0], old[-1]))
    whole = re.findall(before + re.escape(old) + after, signature + body)
    return len(whole) == 1 == (signature + body).count(old)


def _function_of(mistake: Mistake, tree: Path) -> tuple[Path, str, Function]:
    for path in mistake.kata.files(tree):
        if path.suffix == ".py" and path.is_file():
            text = path.read_text(encoding="utf-8")
            for name, node in definitions(ast.parse(text)):
                if name == mistake.function:
                    return path, text, node
    raise DojoError(f"there is no {mistake.function} in kata {mistake.kata.name}")


def _replace(module: ast.Module, name: str, new: Function) -> None:
    body = _class_of(module, name).body if "." in name else module.body
    for place, each in enumerate(body):
        if isinstance(each, Function) and each.name == new.name:
            body[place] = new
            return


def _class_of(module: ast.Module, name: str) -> ast.ClassDef:
    found: ast.Module | ast.ClassDef = module
    for part in name.split(".")[:-1]:
        found = next(each for each in found.body if isinstance(each, ast.ClassDef) and each.name == part)
    assert isinstance(found, ast.ClassDef)
    return found


def _bring(mistake: Mistake, module: ast.Module, new: Function, all_private: bool) -> None:
    """Put what `new` needs, and `module` lacks, in front of it, from the module of the reference that it comes from.

    With `all_private` every private name is brought under a new one.
    """
    source = ast.parse(reference.only(mistake.kata, mistake.function)[1])
    there, here = _bound(source), _bound(module)
    brought: dict[str, ast.stmt] = {}
    renamed: dict[str, str] = {}
    waiting: list[ast.AST] = [new]

    def need(name: str) -> None:
        private = name.startswith("_") and not name.startswith("__")
        if name in brought or name not in there or (name in here and not (private and all_private)):
            return
        brought[name] = copy.deepcopy(there[name])
        if private:
            renamed[name] = name + SUFFIX
        waiting.append(brought[name])

    methods = _private_methods(source, _class_of(source, mistake.function)) if "." in mistake.function else {}
    mine = _class_of(module, mistake.function) if "." in mistake.function else None
    added: dict[str, Function] = {}
    while waiting:
        for each in ast.walk(waiting.pop()):
            if isinstance(each, ast.Name):
                need(each.id)
            elif all_private and mine and isinstance(each, ast.Attribute) and _is_of_self(each):
                if each.attr in methods and each.attr not in added:
                    added[each.attr] = copy.deepcopy(methods[each.attr])
                    renamed[each.attr] = each.attr + SUFFIX
                    waiting.append(added[each.attr])
                elif (
                    each.attr.startswith("_")
                    and each.attr not in methods
                    and not _mentions(mine, new, each.attr)
                ):
                    raise DojoError(
                        f"your {mistake.function} has its state in other attributes than {each.attr}"
                    )
    for each in (new, *brought.values(), *added.values()):
        _Renaming(renamed).visit(each)
    if mine:
        mine.body += added.values()
    top = next(
        place for place, each in enumerate(module.body) if each is new or (mine and mine in ast.walk(each))
    )
    order = list(there)
    module.body[top:top] = [brought[name] for name in sorted(brought, key=order.index)]


def _bound(module: ast.Module) -> Mapping[str, ast.stmt]:
    """The statement that binds each name of a module; an import of several names counts as several statements."""
    found: dict[str, ast.stmt] = {}
    for each in module.body:
        if isinstance(each, (Function, ast.ClassDef)):
            found[each.name] = each
        elif isinstance(each, (ast.Import, ast.ImportFrom)):
            for alias in each.names:
                one = copy.copy(each)
                one.names = [alias]
                found[(alias.asname or alias.name).partition(".")[0]] = one
        elif isinstance(each, (ast.Assign, ast.AnnAssign)):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            found |= {
                name.id: each for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
            }
    return found


def _private_methods(module: ast.Module, node: ast.ClassDef) -> dict[str, Function]:
    """The private methods of a class, and of those of its bases that are in the same module."""
    bases = {ast.unparse(base) for base in node.bases}
    found: dict[str, Function] = {}
    for each in module.body:
        if isinstance(each, ast.ClassDef) and each.name in bases:
            found |= _private_methods(module, each)
    own = (each for each in node.body if isinstance(each, Function))
    return found | {
        each.name: each for each in own if each.name.startswith("_") and not each.name.startswith("__")
    }


def _is_of_self(node: ast.Attribute) -> bool:
    return ast.unparse(node.value) in ("self", "cls")


def _mentions(node: ast.ClassDef, new: Function, name: str) -> bool:
    """Whether another method of the class uses that attribute."""
    others = (each for each in node.body if each is not new)
    return any(
        isinstance(part, ast.Attribute) and part.attr == name for each in others for part in ast.walk(each)
    )


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        if _is_of_self(node):
            node.attr = self.names.get(node.attr, node.attr)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node
