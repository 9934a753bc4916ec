"""The imports that a text no longer needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dojo.tree.skeleton.lines import Cut, cut_lines
from dojo.tree.skeleton.names import names_read

WIDTH = 110  # ruff's line-length


def without_unused(text: str) -> str:
    """The text without the imports that nothing in it uses. `import a as a` is an export and stays."""
    while True:
        tree = ast.parse(text)
        used = names_read(tree)
        cuts = [cut for node in tree.body for cut in _import_cuts(node, used)]
        if not cuts:
            return text
        text = cut_lines(text.splitlines(keepends=True), cuts)


def _import_cuts(node: ast.stmt, used: set[str]) -> Iterator[Cut]:
    last = node.end_lineno or node.lineno
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        inside = [(each, list(_import_cuts(each, used))) for each in node.body]
        if all(cuts and not cuts[0].text for _, cuts in inside):
            yield Cut(node.lineno, last)
        else:
            yield from (cut for _, cuts in inside for cut in cuts)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        kept = [each for each in node.names if _is_wanted(node, each, used)]
        if len(kept) < len(node.names):
            yield Cut(node.lineno, last, import_text(node, kept))


def _is_wanted(node: ast.Import | ast.ImportFrom, alias: ast.alias, used: set[str]) -> bool:
    exported = alias.name == "*" or alias.asname == alias.name
    future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return exported or future or (alias.asname or alias.name.partition(".")[0]) in used


def import_text(node: ast.Import | ast.ImportFrom, kept: list[ast.alias]) -> str:
    """The import of fewer names, as ruff formats it."""
    if not kept:
        return ""
    indent = " " * node.col_offset
    fewer = (
        ast.Import(kept)
        if isinstance(node, ast.Import)
        else ast.ImportFrom(module=node.module, names=kept, level=node.level)
    )
    line = indent + ast.unparse(fewer)
    if len(line) <= WIDTH:
        return f"{line}\n"
    head = line.partition(" import ")[0]
    names = "".join(f"{indent}    {ast.unparse(each)},\n" for each in kept)
    return f"{head} import (\n{names}{indent})\n"
