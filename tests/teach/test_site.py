"""`make site`, and the guide that says which books and courses go with the katas."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dojo.catalogue import KATAS, ROOT, SOLUTIONS
from dojo.run import specs
from dojo.tree.skeleton import derive
from tests import needs
from tests.browser import opened
from tests.small_repository import dojo

ALIGNMENT = (ROOT / "docs" / "textbook-alignment.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("sphinx", "myst_parser", "furo"):
        needs.module(package)
    out = tmp_path_factory.mktemp("site") / "site"
    done = dojo(ROOT, "site", f"--out={out}")
    assert done.returncode == 0, done.stdout
    return out


def test_every_kata_has_a_page_with_its_specs(site: Path) -> None:
    for kata in KATAS:
        page = site / "katas" / kata.name / "README.html"
        assert page.is_file() == kata.built
        if kata.built:
            assert "The specs" in page.read_text(encoding="utf-8")


def test_the_site_shows_no_answer(site: Path) -> None:
    code = "key &lt;= place + offset"  # of the last level of a hint of kata 13
    for page in site.rglob("*.html"):
        assert code not in page.read_text(encoding="utf-8"), page
    assert "Which keys j may query i look at?" in (site / "katas/13_attention/README.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_site_is_read_and_searched_without_a_network(site: Path, theme: str) -> None:
    asked: list[str] = []
    with opened(
        (site / "index.html").as_uri(), viewport={"width": 360, "height": 800}, color_scheme=theme
    ) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "search.html").as_uri() + "?q=softmax")
        page.wait_for_selector("#search-results li")
        page.goto((site / "katas/13_attention/README.html").as_uri())
        assert asked and all(url.startswith(("file:", "data:")) for url in asked)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_folder_that_is_no_site_is_left_alone(tmp_path: Path) -> None:
    needs.module("sphinx")
    needs.module("furo")
    (tmp_path / "thesis.txt").write_text("a year's work", encoding="utf-8")
    done = dojo(ROOT, "site", f"--out={tmp_path}")
    assert done.returncode == 2
    assert "is there already" in done.stdout
    assert (tmp_path / "thesis.txt").is_file()


def amounts() -> dict[int, tuple[int, int]]:
    """The functions that a student writes and the specs of each kata."""
    found = {}
    for kata in (kata for kata in KATAS if kata.built):
        texts = (path.read_text(encoding="utf-8") for path in kata.files(SOLUTIONS) if path.suffix == ".py")
        found[kata.number] = (sum(len(derive.written(text, kata)) for text in texts), len(specs.listed(kata)))
    return found


def test_the_amounts_of_work_are_counted() -> None:
    for number, (functions, asked) in amounts().items():
        assert f"| {KATAS[number - 1].id} | {functions} | {asked} |" in ALIGNMENT


@pytest.mark.parametrize(("weeks", "last"), [("Six", 7), ("Ten", 10), ("Fourteen", 14)])
def test_the_amounts_of_a_syllabus_are_counted(weeks: str, last: int) -> None:
    functions, asked = (sum(each[i] for number, each in amounts().items() if number <= last) for i in (0, 1))
    paragraph = next(text for text in ALIGNMENT.split("\n\n") if text.startswith(f"**{weeks} weeks"))
    assert f"{functions} functions and {asked} specs" in re.sub(r"\s+", " ", paragraph)
