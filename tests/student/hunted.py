"""What the hunts of a kata show, as JSON: `PYTHONPATH=. python tests/student/hunted.py 7`.

For each mistake: the output on the reference, on the reference with the mistake, on the code of another student, and on
that with the mistake. The other student has the same functions, and other private names and spellings.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy  # noqa: F401  # once, before the forks
import scipy.special  # noqa: F401

from dojo.catalogue import KATAS, SOLUTIONS, Kata, files_below, kata
from dojo.run import process, warm
from dojo.student import hunt
from dojo.student.scene import _imported
from dojo.tree.overlay import Plan, install
from dojo.tree.planting import Planted, plant

PRIVATE = re.compile(r"(?:def |class |^|self\.)(_[a-zA-Z]\w*)(?=\(|:| =|\[)", re.MULTILINE)
USED = re.compile(r"\b_[a-zA-Z]\w*\b")


def other_student(number: Kata, home: Path) -> Path:
    """The modules of one kata, in a folder, with other private names; formatting and comments are lost."""
    mine = [path for path in number.files(SOLUTIONS) if path.suffix == ".py"]
    others = "".join(
        path.read_text("utf-8")
        for path in files_below(SOLUTIONS)
        if path.suffix == ".py" and path not in mine
    )
    texts = {path: path.read_text("utf-8") for path in mine}
    found = {name for text in texts.values() for name in PRIVATE.findall(text)} - set(USED.findall(others))
    for path, text in texts.items():
        for name in found:
            text = re.sub(rf"(?<!\w){name}\b", f"{name}_of_mine", text)
        place = home / path.relative_to(SOLUTIONS)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(ast.unparse(ast.parse(text)), "utf-8")
    return home


def shown(number: Kata, symptom: str, plan: Plan) -> str:
    """What a symptom prints, in a fork of this process."""

    def look() -> int:
        install(plan)
        process.tell({"output": hunt.printed(getattr(_imported(number.folder / "hunts.py"), symptom))})
        return 0

    child = process.fork(look, limit=60.0)
    ending = child.wait()
    told = [record["output"] for record in child.take() if "output" in record]
    return told[-1] if told else str(ending)


def main(number: Kata) -> dict[str, list[str]]:
    closed = frozenset(each.slug for each in KATAS if each.number > number.number)
    warm.compile_ahead(SOLUTIONS)
    right: dict[tuple[str, bool], str] = {}

    def look(each: hunt.Hunt, tree: Path, planted: Planted) -> list[str]:
        special = {} if tree == SOLUTIONS else {number.slug: tree}
        key = (each.symptom, tree == SOLUTIONS)
        if key not in right:
            right[key] = shown(number, each.symptom, Plan(SOLUTIONS, special, closed))
        parts = (part for part in planted.path.with_suffix("").parts if part != "__init__")
        source = {".".join(("tinytorch", *parts)): planted.text}
        return [right[key], shown(number, each.symptom, Plan(SOLUTIONS, special, closed, source))]

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        theirs = other_student(number, Path(folder))
        warm.compile_ahead(theirs)
        for each in hunt.hunts(number):
            ours, other = plant(each.mistake, SOLUTIONS), plant(each.mistake, theirs)
            seen = look(each, SOLUTIONS, ours)
            swapped = (
                each.mistake.swaps and other.right != ours.right
            )  # in their own function: nothing was brought
            found[each.mistake.name] = seen + (seen if swapped else look(each, theirs, other))
    return found


if __name__ == "__main__":
    print(json.dumps(main(kata(sys.argv[1]))))
