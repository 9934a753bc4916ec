"""Every function that a student writes has a planted mistake, a row in its README's API, and a line beside PyTorch.

The rule looks at text alone: `mistake` is missing where none in tests/mistakes is planted in the function, `readme`
where the last part of its name is no word of the section "The API" of the README or of a track's guide, and `parity`
where it is no word of the kata's files in tests/parity/. There a method that is called by another name (`__init__`,
`__len__`, `forward`) counts by its class.

tests/repository/uncovered.txt lists what is missing today. It only gets shorter: what a new function lacks is added
to the kata.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dojo.authors import gate
from dojo.catalogue import ROOT, Kata
from dojo.tree import mistakes

UNCOVERED = Path(__file__).parent / "uncovered.txt"


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def missing(kata: Kata) -> list[str]:
    """A line for each thing that a function lacks: "08 Trainer.fit parity"."""
    guides = [(kata.folder / name).read_text(encoding="utf-8") for name in ("README.md", *kata.guides)]
    api = words("".join(text.partition("\n## The API\n")[2].partition("\n## ")[0] for text in guides))
    beside = (ROOT / "tests/parity").glob(f"test_kata_{kata.id}*.py")
    parity = words("".join(path.read_text(encoding="utf-8") for path in beside))
    planted = {each.function for each in mistakes.load(kata)}
    lines = []
    for function in gate.functions(kata):
        first, _, last = function.rpartition(".")
        name = first.rpartition(".")[2] if last == "forward" or last.startswith("__") else last
        has = {"mistake": function in planted, "readme": name in api, "parity": name in parity}
        lines += [f"{kata.id} {function} {what}" for what, there in has.items() if not there]
    return lines


@pytest.mark.parametrize("kata", gate.built(), ids=lambda kata: kata.name)
def test_every_function_is_covered_or_listed(kata: Kata) -> None:
    lines = UNCOVERED.read_text(encoding="utf-8").splitlines()
    known, found = [line for line in lines if line.startswith(f"{kata.id} ")], missing(kata)
    new = [line for line in found if line not in known]
    ready = [line for line in known if line not in found]
    assert not new, "missing, and not in tests/repository/uncovered.txt:\n" + "\n".join(new)
    assert not ready, "there now: take it off tests/repository/uncovered.txt\n" + "\n".join(ready)


def test_each_line_is_of_a_kata_and_stands_once_in_order() -> None:
    lines = UNCOVERED.read_text(encoding="utf-8").splitlines()
    katas = [line.partition(" ")[0] for line in lines]
    assert katas == sorted(katas)
    assert set(katas) <= {kata.id for kata in gate.built()}
    assert len(lines) == len(set(lines))
