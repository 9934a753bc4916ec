"""`make nbgrader`: each kata as a source assignment of nbgrader's.

A notebook has the kata's README, one cell for each file of the module, which writes that file, and one locked cell with
points for each spec file, which runs the specs in a process of its own. What the student is to write stands between
`### BEGIN SOLUTION` and `### END SOLUTION`: `nbgrader generate_assignment` cuts it out. docs/nbgrader.md is the guide.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from dojo.catalogue import SOLUTIONS, Kata
from dojo.errors import DojoError, display
from dojo.teach.grade import chosen_katas
from dojo.teach.results import listed
from dojo.tree import files
from dojo.tree.overlay import plan_for
from dojo.tree.skeleton import derive

HOME = "TINYTORCH_KATAS"  # the environment variable that says where the repository is
STUB = 'raise NotImplementedError("kata code that is still to be written")'
CONFIG = f'''"""The course, for nbgrader: run its commands in this folder."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "tinytorch"
c.ClearSolutions.code_stub = {{"python": {STUB!r}}}
c.ExecutePreprocessor.timeout = 600  # seconds for a cell of specs
'''
FOLDERS = """from pathlib import Path

for folder in {folders}:
    Path(folder).mkdir(parents=True, exist_ok=True)
"""
TEST = f"""import os
import subprocess
import sys

specs = os.path.join(os.environ["{HOME}"], "katas", "{{kata}}", "{{file}}")
options = ["-q", "--impl", os.path.abspath("tinytorch"), "--alone", "{{number}}"]
done = subprocess.run(
    [sys.executable, "-m", "pytest", *options, specs], cwd=os.environ["{HOME}"], capture_output=True, text=True
)
print(done.stdout[-20000:], done.stderr[-5000:])
assert done.returncode == 0, "specs of {{file}} are red"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("katas", nargs="?", metavar="N", help="the katas, such as 1-6 or 3,5; all without it")
    parser.add_argument("--out", default="course", metavar="DIR", help="where the course goes (course)")


def run(options: argparse.Namespace) -> int:
    plan_for("solutions")  # where there is no reference, this says so
    out = Path(options.out).absolute()
    files.write(out / "nbgrader_config.py", CONFIG)
    for kata in chosen_katas(options.katas):
        path = out / "source" / kata.name / f"{kata.name}.ipynb"
        files.write(path, notebook(kata))
        display(f"{options.out}/source/{kata.name}/{path.name}")
    display(f"docs/nbgrader.md says how to go on. The notebooks read the specs from the folder in {HOME}.")
    return 0


def notebook(kata: Kata) -> str:
    """The source notebook of one kata, as JSON."""
    try:
        import nbformat
        from nbformat import v4
    except ImportError:
        raise DojoError(
            "make nbgrader needs nbformat: `.venv/bin/python -m pip install nbformat`, then again."
        ) from None

    def cell(kind: str, source: str, name: str, points: float | None = None, solution: bool = False) -> Any:
        made = v4.new_code_cell(source) if kind == "code" else v4.new_markdown_cell(source)
        made.id = name
        made.metadata["nbgrader"] = {
            "schema_version": 3,
            "grade_id": name,
            "grade": points is not None,
            "locked": not solution,
            "solution": solution,
            "task": False,
            **({"points": points} if points is not None else {}),
        }
        return made

    files = kata.files(SOLUTIONS)
    folders = sorted({str(Path("tinytorch") / path.relative_to(SOLUTIONS).parent) for path in files})
    cells = [
        cell("markdown", (kata.folder / "README.md").read_text(encoding="utf-8"), "readme"),
        cell("code", FOLDERS.format(folders=folders), "folders"),
    ]
    for path in files:
        inside = path.relative_to(SOLUTIONS)
        source = f"%%writefile tinytorch/{inside.as_posix()}\n{with_regions(path, kata)}"
        name = "-".join(inside.with_suffix("").parts)
        cells.append(cell("code", source, f"write-{name}", solution="### BEGIN SOLUTION" in source))
    for path in sorted(kata.folder.glob("test_*.py")):
        points = sum(spec.file == path.name for spec in listed(kata.number))
        source = TEST.format(kata=kata.name, file=path.name, number=kata.number)
        cells.append(cell("code", source, path.stem.replace("_", "-"), points=points))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return f"{nbformat.writes(made)}\n"


def with_regions(path: Path, kata: Kata) -> str:
    """A file of the reference, with what the skeleton has not between the marks of a solution.

    Where the skeleton has a stub instead, nbgrader puts one too. A private helper that follows goes with it. nbgrader
    puts a stub into every region, so what would leave none, such as an import that only the answer needs, stays.
    """
    if path.suffix != ".py":
        return path.read_text(encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = derive.skeleton("\n".join(lines) + "\n", kata).splitlines()
    return "\n".join(_marked(lines, kept)) + "\n"


def _marked(lines: list[str], kept: list[str]) -> Iterator[str]:
    region: list[str] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, lines, kept, autojunk=False).get_opcodes():
        part = lines[i1:i2]
        if tag == "equal" and any(part):
            yield from _region(region)
            region = []
            yield from part
        elif region or any("NotImplementedError" in line for line in kept[j1:j2]):
            region += part
        else:
            yield from part
    yield from _region(region)


def _region(lines: list[str]) -> Iterator[str]:
    """The lines between the marks. nbgrader gives the stub the indentation of the first mark."""
    while lines and not lines[-1]:
        lines = lines[:-1]
    if lines:
        margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        yield from (f"{margin}### BEGIN SOLUTION", *lines, f"{margin}### END SOLUTION", "")
