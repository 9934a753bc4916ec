"""`make show`: a kata's picture, drawn by the student's code, and an answer whatever happens there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dojo.catalogue import KATAS, ROOT
from tests import small_repository
from tests.small_repository import OPTIMIZERS, dojo, write

PICTURE = '''
"""How a point walks down a parabola.

More about it.
"""

from matplotlib.figure import Figure

from tinytorch.optimizers import step


def draw():
    figure = Figure()
    figure.subplots().plot([8.0, step(8.0, 16.0, 0.2)])
    return figure
'''
THAT_HAVE_ONE = [kata for kata in KATAS if (kata.folder / "picture.py").is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def home(built: Path) -> Path:
    write(built / "tinytorch/optimizers.py", OPTIMIZERS)
    write(built / "katas/06_optimizers/picture.py", PICTURE)
    return built


def test_the_picture_is_saved_and_its_path_is_said(home: Path) -> None:
    done = dojo(home, "show", "6")

    assert done.returncode == 0, done.stdout
    assert "how a point walks down a parabola" in done.stdout
    assert "picture: .dojo/pictures/06_optimizers.png" in done.stdout
    assert (home / ".dojo/pictures/06_optimizers.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            'raise NotImplementedError("kata 06: step")',
            "next: write `step` (kata 06), then `make show N=6` again.",
        ),
        ("return gradient / 0", "division by zero"),
        ("import os; os._exit(3)", "The picture ended without a result."),
    ],
)
def test_code_that_cannot_draw_gets_a_sentence(home: Path, body: str, says: str) -> None:
    write(home / "tinytorch/optimizers.py", f"def step(x, gradient, lr):\n    {body}\n")

    done = dojo(home, "show", "6")

    assert done.returncode == 1
    assert says in " ".join(done.stdout.split())


def test_a_function_off_the_short_path_is_called_so(home: Path) -> None:
    """A picture may need more than the stories and the milestones do: then it is said, with the way to have it."""
    write(
        home / "tinytorch/optimizers.py",
        'def step(x, gradient, lr):\n    raise NotImplementedError("kata 06: step")\n',
    )
    write(home / ".dojo/path", "short\n")

    said = " ".join(dojo(home, "show", "6").stdout.split())

    assert (
        "next: write `step` (kata 06), which is off the short path, or `make take N=6 F=step`; then" in said
    )


def test_a_script_may_give_the_text_of_an_svg(home: Path) -> None:
    write(home / "katas/06_optimizers/picture.py", '"""A dot."""\n\n\ndef draw():\n    return "<svg/>"\n')

    done = dojo(home, "show", "6")

    assert "picture: .dojo/pictures/06_optimizers.svg" in done.stdout
    assert (home / ".dojo/pictures/06_optimizers.svg").read_text() == "<svg/>"


def test_every_kata_has_something_to_see() -> None:
    for kata in KATAS:
        if kata.built and not kata.milestone:
            assert (kata.folder / "picture.py").is_file(), kata.name


def test_lines_with_labels_have_a_legend() -> None:
    named = r"\.(plot|scatter|bar|fill_between|stackplot)\([^()]*\blabel="
    for path in (*ROOT.glob("katas/*/picture.py"), *ROOT.glob("katas/*/milestone*.py")):
        text = path.read_text(encoding="utf-8")
        assert ".legend(" in text or not re.search(named, text), path


def test_a_kata_without_a_picture_says_which_have_one(home: Path) -> None:
    done = dojo(home, "show", "1")

    assert done.returncode == 2
    assert "Kata 01_setup has no picture. These katas have a picture: 6." in " ".join(done.stdout.split())


def test_a_kata_with_a_milestone_names_it(home: Path) -> None:
    (home / "katas/06_optimizers/picture.py").unlink()
    write(home / "katas/06_optimizers/milestone.py", "")
    try:
        done = dojo(home, "show", "6")
    finally:
        (home / "katas/06_optimizers/milestone.py").unlink()

    assert done.returncode == 2
    assert "`make milestone N=6`" in done.stdout


@pytest.mark.parametrize("kata", THAT_HAVE_ONE, ids=lambda kata: kata.name)
def test_the_reference_draws_a_picture_with_more_than_one_colour(kata, tmp_path: Path) -> None:
    from PIL import Image

    script = kata.folder / "picture.py"
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 60
    assert ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))

    done = dojo(ROOT, "show", str(kata.number), "--impl", "solutions")

    assert done.returncode == 0, done.stdout
    picture = ROOT / done.stdout.rpartition("picture: ")[2].strip()
    if picture.suffix == ".svg":
        text = picture.read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert len(set(re.findall(r"#[0-9a-f]{6}", text))) > 3
        return
    with Image.open(picture) as image:
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
    assert len([count for count, _ in colours if count > 200]) > 3
