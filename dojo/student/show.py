"""`make show`: a kata's picture, drawn by the student's own code.

`katas/NN_slug/picture.py` says in the first line of its docstring what it shows, and defines one function:

    def draw() -> matplotlib.figure.Figure

It imports what it likes from kata modules up to NN. The picture is saved as `.dojo/pictures/NN_slug.png`.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from typing import Any

from dojo.catalogue import KATAS, ROOT, Kata, built_kata
from dojo.errors import RED, DojoError, display
from dojo.student import milestone, scene
from dojo.student.scene import Answer, add_arguments as add_arguments
from dojo.tree.overlay import shown

HOME = ROOT / ".dojo" / "pictures"


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError(f"Say which kata: `make show N=15`. {_those_that_have_one()}")
    kata = built_kata(options.n)
    script = kata.folder / "picture.py"
    if not script.is_file():
        if kata.tracks:
            raise DojoError(
                f"Kata {kata.name} draws in its milestones: `make milestone N={kata.number}` with {kata.choices}. The "
                f"pictures are then in {shown(milestone.HOME)}, as {kata.id}_TRACK_*.png."
            )
        if kata.milestone_script.is_file():
            raise DojoError(
                f"What kata {kata.name} shows is its milestone: `make milestone N={kata.number}`."
            )
        raise DojoError(f"Kata {kata.name} has no picture. {_those_that_have_one()}")
    if options.scene:
        return scene.answer(kata, script, options.impl, "draw", lambda draw: _save(kata, draw()))
    display(f"drawing with your code: {subject(kata)} ...")
    try:
        HOME.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DojoError(f"Cannot write the picture to {HOME}: {error.strerror}.") from None
    answer = scene.play("show", kata, options.impl)
    if "picture" not in answer:
        scene.say_why(answer, "The picture", f"make show N={kata.number}")
        return RED
    print(f"picture: {link(answer['picture'])}")
    return 0


def subject(kata: Kata) -> str:
    """What the picture shows: the first line of the script's docstring, as a part of a sentence."""
    text = ast.get_docstring(ast.parse((kata.folder / "picture.py").read_text(encoding="utf-8"))) or ""
    line = text.partition("\n")[0].rstrip(".")
    return line[:1].lower() + line[1:]


def link(path: str) -> str:
    """A path that terminals which know OSC 8 open when it is clicked."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return path
    return f"\033]8;;{(ROOT / path).as_uri()}\033\\{path}\033]8;;\033\\"


def _save(kata: Kata, figure: Any) -> Answer:
    path = HOME / f"{kata.name}.png"
    figure.savefig(path, dpi=150, bbox_inches="tight")
    return {"picture": shown(path)}


def _those_that_have_one() -> str:
    numbers = [str(kata.number) for kata in KATAS if (kata.folder / "picture.py").is_file()]
    return f"These katas have a picture: {', '.join(numbers)}." if numbers else "No kata has one yet."
