"""The gate with PyTorch in the student's place: what of its table can be checked without PyTorch, and how it judges."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dojo.authors import torch_gate
from dojo.authors.gate import spec_names
from dojo.authors.torch_gate import Found, Link, face, links, tried, unsaid
from dojo.catalogue import KATAS, SOLUTIONS, kata
from dojo.errors import DojoError
from dojo.run import process
from dojo.run.process import Ending
from dojo.run.results import Outcome, Result
from dojo.tree.overlay import Plan

ACTIVATIONS = kata(3)
FILE = "katas/03_activations/test_01_functions.py"
SPEC = spec_names(ACTIVATIONS.folder / "test_01_functions.py")[0]


def test_the_document_says_what_the_table_quotes() -> None:
    assert unsaid(links()) == []


def test_the_table_names_specs_that_there_are() -> None:
    for link in links():
        found = next(each for each in KATAS if each.name == link.kata)
        files = {path.name: spec_names(path) for path in found.folder.glob("test_*.py")}
        names = {*files, *(name for some in files.values() for name in some)}
        assert link.spec.partition("[")[0] in names, link


def test_no_spec_is_named_twice() -> None:
    named = [(link.kata, link.spec) for link in links()]
    assert sorted(named) == sorted(set(named))


def test_what_follows_the_reference_has_a_module_there() -> None:
    for path in (torch_gate.FACE / "behind").rglob("*.py"):
        assert (SOLUTIONS / path.relative_to(torch_gate.FACE / "behind")).is_file(), path
    assert all(source.strip() for source in face().values())


def test_words_that_are_gone_are_a_problem() -> None:
    link = Link("03_activations", SPEC, "difference", "we never said this")
    assert unsaid([link]) == ["docs/assumptions.md does not say: we never said this"]


def test_a_kind_that_there_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "differences.toml"
    table.write_text('[[excuse]]\nsays = "x"\nspecs = ["03_activations/test_x"]\n')
    monkeypatch.setattr(torch_gate, "TABLE", table)
    with pytest.raises(DojoError, match="excuse"):
        links()


def result(state: str, text: str = "") -> Result:
    return Result(f"{FILE}::{SPEC}[a]", state, "", text, None, 0.0)


def judged(mine: list[Link], *results: Result) -> Found:
    """What the gate says of these results."""
    run = tried(ACTIVATIONS, mine, Plan(SOLUTIONS))
    next(run)
    with pytest.raises(StopIteration) as end:
        run.send(Outcome([*results], 1, Ending(process.DONE, 1), "", []))
    found = end.value.value
    assert isinstance(found, Found)
    return found


def link(kind: str, spec: str = SPEC) -> Link:
    return Link(ACTIVATIONS.name, spec, kind, "x")


def test_a_red_spec_needs_a_link() -> None:
    assert "does not say why" in judged([], result("wrong"))[1][0]
    for spec in (SPEC, f"{SPEC}[a]"):
        counts, problems = judged([link("difference", spec)], result("wrong"))
        assert (counts["difference"], problems) == (1, [])


def test_a_link_needs_a_red_spec() -> None:
    assert "is green" in judged([link("difference")], result("green"))[1][0]
    assert "1 of 2 cases" in judged([link("difference")], result("green"), result("wrong"))[1][0]
    assert "is gone" in judged([link("difference", "test_of_yesterday")], result("green"))[1][0]
    assert "is gone" in judged([link("skipped", "test_99_of_yesterday.py")], result("green"))[1][0]


def test_a_message_is_all_that_differs() -> None:
    said = "the message of the ValueError should hold 3; it says: no"
    assert judged([link("message")], result("wrong", said)) == (Counter(message=1), [])
    assert "more than its message" in judged([link("message")], result("wrong", "2 is not 3"))[1][0]


def test_what_is_skipped_is_counted() -> None:
    counts, _ = judged([link("skipped")], result("green"))
    assert counts["skipped"] >= 1


def test_a_run_without_a_spec_is_a_problem() -> None:
    assert "no spec ran" in judged([])[1][0]
