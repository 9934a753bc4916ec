"""`make site`: the course as a static site that needs nothing from outside.

Sphinx builds it with MyST and the theme furo, from the same files that are read in the repository: the README, the
guides, and for each kata its README, its specs as requirements, and the first two levels of its hints. With SOLUTIONS=1
the third level is shown too, and the reference.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from dojo.catalogue import KATAS, ROOT, SOLUTIONS, Kata
from dojo.errors import DojoError, display
from dojo.teach.results import listed, requirements

PACKAGES = {"sphinx": "sphinx", "myst_parser": "myst-parser", "furo": "furo"}
CONFIG = """
project = "TinyTorch katas"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "TinyTorch katas"
html_show_copyright = html_show_sourcelink = html_copy_source = False
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]
"""
GUIDES = (
    *("student-quickstart", "cifar10-guide", "instructor-guide", "nbgrader"),
    *("textbook-alignment", "deployment", "assumptions", "development"),
)
CODE = re.compile(r"(`+[^`]*`+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="site", metavar="DIR", help="where the site goes (site)")
    parser.add_argument("--solutions", action="store_true", help="show the last hints and the reference too")


def run(options: argparse.Namespace) -> int:
    missing = [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        words = " ".join(missing)
        raise DojoError(f"make site needs {words}: `.venv/bin/python -m pip install {words}`, then again.")
    out = Path(options.out).absolute()
    if out.exists() and not (out / ".buildinfo").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DojoError(
            f"{options.out} is there already and is no site of this command: choose another OUT=."
        )
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        gather(source, options.solutions)
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", source, built],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise DojoError(f"Sphinx could not build the site:\n{done.stdout.strip()}")
        shutil.rmtree(built / ".doctrees", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(built, out)
    display(f"{options.out}/index.html is the site.")
    return 0


def gather(source: Path, solutions: bool = False) -> None:
    """The pages as Markdown, in the folders that they have in the repository, so that their links stay right."""
    katas = [kata for kata in KATAS if kata.built]
    guides = [name for name in GUIDES if (ROOT / "docs" / f"{name}.md").is_file()]
    shutil.copytree(ROOT / "docs" / "pictures", source / "docs" / "pictures")
    (source / "conf.py").write_text(CONFIG, encoding="utf-8")
    pages = {"docs/README.md": _read(ROOT / "docs" / "README.md").replace("../README.md", "../index.md")}
    pages |= {f"docs/{name}.md": _read(ROOT / "docs" / f"{name}.md") for name in guides}
    pages |= {f"katas/{kata.name}/README.md": kata_page(kata, solutions) for kata in katas}
    tracks = [f"katas/{kata.name}/{guide}" for kata in katas for guide in kata.guides]
    pages |= {guide: _read(ROOT / guide) for guide in tracks}
    contents = _toctree(
        "Katas", [*(f"katas/{kata.name}/README" for kata in katas), *(each[:-3] for each in tracks)]
    )
    contents += _toctree("Guides", ["docs/README", *(f"docs/{name}" for name in guides)])
    pages["index.md"] = _read(ROOT / "README.md") + contents
    for name, text in pages.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def kata_page(kata: Kata, solutions: bool = False) -> str:
    """A kata's README, its specs as requirements with their hints, and with `solutions` the reference."""
    hints = tomllib.loads(_read(kata.folder / "hints.toml"))
    sentences = requirements(kata.number)
    lines = [_read(kata.folder / "README.md"), "## The specs", ""]
    lines += [f"{len(sentences)} requirements, in the order in which they are solved. Each is a spec.", ""]
    file = ""
    for spec in listed(kata.number):
        if spec.file != file:
            file = spec.file
            lines += ["", f"### {file.removesuffix('.py').removeprefix('test_').replace('_', ' ')}", ""]
        lines += [f"- {text(sentences[spec.name])}", *_hint(hints.get(spec.name), solutions)]
    if solutions:
        for path in kata.files(SOLUTIONS):
            lines += [
                "",
                f"## {path.relative_to(SOLUTIONS)}",
                "",
                "`````python",
                _read(path).rstrip(),
                "`````",
            ]
    return "\n".join(lines) + "\n"


def text(sentence: str) -> str:
    """A sentence of a docstring as Markdown: what is not code has no marks."""
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_<\[\\$])", r"\\\1", part)
        for part in CODE.split(sentence)
    )


def _hint(hint: dict[str, str] | None, solutions: bool) -> list[str]:
    if hint is None:
        return []
    levels = [text(hint["question"]), text(hint["method"])]
    if solutions:
        levels.append(f"```python\n{hint['code']}\n```")
    lines = ["<details><summary>hint</summary>", "", *"\n\n".join(levels).splitlines(), "", "</details>"]
    return ["", *(f"  {line}" for line in lines), ""]


def _toctree(title: str, pages: list[str]) -> str:
    names = "\n".join(pages)
    return f"\n```{{toctree}}\n:hidden:\n:maxdepth: 1\n:caption: {title}\n\n{names}\n```\n"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
