"""`make student-edition`: a repository for students, without the reference.

It has the katas with their hints, the dojo, the guides for students, and a workflow that runs a student's own katas.
What needs the reference, `make diff`, `make start`, `make hunt` and `make another`, works only for the katas of
DIFF=1-3: their modules, their mistakes and their other answers are in it.
The maintainers' tests and the instructor's commands are left out.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from dojo.catalogue import ROOT, SOLUTIONS, STUDENT, files_below
from dojo.errors import DojoError, display
from dojo.teach.grade import chosen_katas
from dojo.tree import answers, mistakes
from dojo.tree.backups import contents
from dojo.tree.overlay import plan_for
from dojo.tree.skeleton import derive

FOLDERS = ("dojo", "katas", "tinytorch", ".devcontainer", "docs/pictures")
LINK = re.compile(r"\]\(([^)#]+)")
LEFT_OUT = ("dojo/teach", "dojo/authors")
FILES = (
    *(
        "README.md",
        "AGENTS.md",
        "LICENSE",
        "CHANGELOG.md",
        "Makefile",
        "pyproject.toml",
        "conftest.py",
        "constraints.txt",
    ),
    *("constraints-dev.txt", ".gitignore", ".gitattributes"),
    *("docs/README.md", "docs/student-quickstart.md", "docs/cifar10-guide.md", "docs/assumptions.md"),
)
WORKFLOW = """name: katas
on: [push]
jobs:
  katas:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    strategy:
      fail-fast: false
      matrix:
        kata: [{katas}]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: make kata N=${{{{ matrix.kata }}}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "katas", nargs="?", metavar="N", help="the katas that the workflow runs; all without it"
    )
    parser.add_argument("--out", default="student-edition", metavar="DIR", help="where it goes")
    parser.add_argument(
        "--diff", metavar="N", help="the katas whose reference students may see: none without it"
    )
    parser.add_argument(
        "--policy", metavar="FILE", help="what a coding assistant may do: it takes the place of AGENTS.md"
    )


def run(options: argparse.Namespace) -> int:
    plan_for("solutions")  # where there is no reference, this says so
    if work := derive.work(derive.files(ROOT / "solutions" / "tinytorch"), contents(STUDENT)):
        raise DojoError(
            f"tinytorch/ holds somebody's work ({work[0]}): take a fresh clone for the students' edition."
        )
    out = Path(options.out).absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DojoError(f"{options.out} is there already: choose another OUT=, or remove it.")
    katas = ", ".join(f'"{kata.number}"' for kata in chosen_katas(options.katas))
    out.parent.mkdir(parents=True, exist_ok=True)
    shown = chosen_katas(options.diff) if options.diff else ()
    if options.policy and not Path(options.policy).is_file():
        raise DojoError(f"POLICY={options.policy} is no file.")
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        made = Path(folder, "edition")
        paths = [path for name in FOLDERS for path in files_below(ROOT / name)]
        for kata in shown:
            paths += [*kata.files(SOLUTIONS), mistakes.file(kata), *answers.files(kata)]
        paths += [ROOT / name for name in FILES]
        for path in paths:
            inside = path.relative_to(ROOT)
            if path.suffix != ".pyc" and not inside.as_posix().startswith(LEFT_OUT):
                (made / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, made / inside)
        if options.policy:
            shutil.copyfile(options.policy, made / "AGENTS.md")
        for name, text in texts(made).items():
            (made / name).write_text(text, encoding="utf-8")
        workflow = made / ".github" / "workflows" / "katas.yml"
        workflow.parent.mkdir(parents=True)
        workflow.write_text(WORKFLOW.format(katas=katas), encoding="utf-8")
        if out.exists():
            out.rmdir()
        made.replace(out)
    display(
        f"{options.out} is the students' edition: make a repository of it. `make kata N=1` is where they begin."
    )
    return 0


def texts(made: Path) -> dict[str, str]:
    """The README and the list of guides, without what speaks of the parts that are left out."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## For a class")[0]
    guides = (ROOT / "docs" / "README.md").read_text(encoding="utf-8").splitlines()
    there = [line for line in guides if all((made / "docs" / link).exists() for link in LINK.findall(line))]
    return {"README.md": f"{readme.rstrip()}\n", "docs/README.md": "\n".join(there) + "\n"}
