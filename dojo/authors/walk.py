"""The perfect student, in one process: what the gate does in a child to prove that a kata can be walked.

Every function of the kata's reference begins with a question, `asked("Tensor.sum")`. While that function is not
written, the question raises what the skeleton's stub would raise. So a spec that asks for a function can be run
again with it written, without importing anything again, and the gate learns which specs call what.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

import pytest
from _pytest.runner import runtestprotocol

from dojo.catalogue import Kata
from dojo.run.results import Explanation
from dojo.run.warm import tell
from dojo.tree import reference
from dojo.tree.source import Function, stub

unwritten: set[str] = set()
called: set[str] = set()


def asked(name: str, stub: str) -> None:
    """What every function of the kata calls first."""
    called.add(name)
    if name in unwritten:
        raise NotImplementedError(stub)


def questioned(kata: Kata, names: Iterable[str], off: Iterable[str] = ()) -> dict[str, str]:
    """The reference, by module name, in which each named function calls `asked` first. Those in `off` are stubs."""
    asking = {name: question(kata, name, f"{__name__}.asked") for name in names}
    return reference.edited(kata, asking | {name: reference.taken_away(kata, name) for name in off})


def question(kata: Kata, name: str, asked: str) -> reference.Edit:
    """Let a function first call `asked`, a function of a module of the dojo, with its name and the text of its stub."""
    module, _, function = asked.rpartition(".")

    def edit(node: Function) -> None:
        call = f"__import__('sys').modules[{module!r}].{function}({name!r}, {stub(kata, name)!r})"
        docstring = reference.docstring(node)
        node.body = docstring + ast.parse(call).body + node.body[len(docstring) :]

    return edit


def attempt(item: pytest.Item) -> Explanation:
    """Run one spec from its setup to its teardown, and explain its result. `called` has the functions it called."""
    called.clear()
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)  # a death has a name
    if hasattr(item, "_initrequest"):
        item._initrequest()  # new fixtures, as on a first run
    reports = runtestprotocol(item, log=False, nextitem=None)
    told = next((report.dojo for report in reports if hasattr(report, "dojo")), None)
    return Explanation(**told) if told else Explanation("green", "", "")


class Walk:
    """Runs the collected specs as the perfect student does, then takes each function away again.

    Tells {"step": function, "spec": id} for each function written, {"problem": sentence}, and
    {"callers": {function: [ids]}}.
    """

    def __init__(self, kata: Kata, names: list[str]) -> None:
        self.kata = kata
        self.names = names

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.take_away(session.items, self.walk(session.items))
        return True

    def walk(self, items: list[pytest.Item]) -> dict[str, list[str]]:
        """Write the functions that are asked for until all is green. Gives the specs that call each function."""
        unwritten.update(self.names)
        callers: dict[str, list[str]] = {}
        for item in items:
            while (result := attempt(item)).state == "next" and self.write(item, result):
                pass
            if result.state == "wrong":
                left = ", ".join(sorted(unwritten))
                where = f"not written yet: {left}\n{result.text}" if left else "with all functions written"
                tell({"problem": f"{item.nodeid} is wrong in the walk, {where}"})
            for name in called:
                callers.setdefault(name, []).append(item.nodeid)
        for name in [name for name in self.names if name in unwritten]:
            tell({"problem": f"{name} is never asked for: no spec needs it"})
            callers.pop(name, None)
        unwritten.clear()
        tell({"callers": callers})
        return callers

    def write(self, item: pytest.Item, result: Explanation) -> bool:
        """Write the function that the spec asks for, if it is one to write now."""
        number, name = result.owner or (0, "")
        if number == self.kata.number and name in unwritten:
            unwritten.discard(name)
            tell({"step": name, "spec": item.nodeid})
            return True
        elsewhere = "off the short path" if number == self.kata.number else f"not of kata {self.kata.id}"
        why = "written already" if name in self.names else elsewhere
        tell({"problem": f"{item.nodeid} asks for kata {number:02d}: {name}, which is {why}"})
        return False

    def take_away(self, items: list[pytest.Item], callers: dict[str, list[str]]) -> None:
        """Make each function alone a stub again: some spec has to name it."""
        by_id = {item.nodeid: item for item in items}
        for name in [name for name in self.names if name in callers]:
            unwritten.add(name)
            if not any(attempt(by_id[id]).owner == (self.kata.number, name) for id in callers[name]):
                tell({"problem": f"{name} alone made a skeleton again: no spec says `next: write {name}`"})
            unwritten.clear()
