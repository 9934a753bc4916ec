"""`make dev-gate-torch`: the specs of the katas whose thing PyTorch has, with PyTorch in the student's place.

The *face* in tests/torch_face presents PyTorch as `tinytorch`. It is laid over the reference, module by module: a file
in `instead/` is there instead of the reference's module, one in `behind/` follows its text, so that what it defines
counts, also for the code in front. What is in neither is the reference's, which runs on PyTorch's tensors.

`differences.toml` names every spec that is not green, beside the words of docs/assumptions.md that say why. A red spec
that it does not name is a problem; so is a name whose spec is green or gone, and words that are in that document no
more. Device specs run on the CPU, and timings that cannot be judged count as neither.
"""

from __future__ import annotations

import argparse
import importlib
import re
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from dojo.authors.gate import spec_names, summed_up, where
from dojo.catalogue import KATAS, ROOT, SOLUTIONS, Kata, kata
from dojo.errors import DojoError
from dojo.run import specs, warm
from dojo.run.jobs import LIMIT, Job
from dojo.run.results import Outcome, Result
from dojo.run.specs import name_of
from dojo.run.warm import Task
from dojo.tree.overlay import Plan

FACE = ROOT / "tests" / "torch_face"
TABLE = FACE / "differences.toml"
ASSUMPTIONS = ROOT / "docs" / "assumptions.md"
NUMBERS = (*range(2, 10), *range(12, 17))
GREEN = 0.9
"""The share of the specs that PyTorch has to pass as they are, in all katas together."""
KINDS = ("difference", "message", "own", "skipped")
"""A spec of kind "message" is red only because PyTorch says it in other words, one of kind "own" asks for what PyTorch
does not show, and one of kind "skipped" is about nothing else: it is not run."""
WORDS = re.compile(r"the message of the \w+ should hold")


# The face -----------------------------------------------------------------------------------------------


def face() -> dict[str, str]:
    """The source of each module in which something is PyTorch's."""
    found = {}
    for path in sorted(FACE.glob("*/**/*.py")):
        part = path.relative_to(FACE / path.relative_to(FACE).parts[0])
        text = path.read_text(encoding="utf-8")
        if path.is_relative_to(FACE / "behind"):
            text = f"{(SOLUTIONS / part).read_text(encoding='utf-8')}\n\n{text}"
        found[".".join(("tinytorch", *part.with_suffix("").parts)).removesuffix(".__init__")] = text
    return found


# The table ----------------------------------------------------------------------------------------------


class Link(NamedTuple):
    """A spec, or one case of it, and why it is not green."""

    kata: str
    spec: str
    """A function, "test_x", or one case of it, "test_x[a]"; what is skipped may be a file, "test_01_x.py"."""
    kind: str
    says: str
    """Words of docs/assumptions.md."""

    def covers(self, result: Result) -> bool:
        return self.spec in (name_of(result.id), result.id.rpartition("::")[2])


def links() -> list[Link]:
    """All of the table."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    if unknown := sorted(table.keys() - set(KINDS)):
        raise DojoError(f"{TABLE.name} has entries of the kinds {unknown}; there are {', '.join(KINDS)}.")
    return [
        Link(spec.partition("/")[0], spec.partition("/")[2], kind, entry["says"])
        for kind, entries in table.items()
        for entry in entries
        for spec in entry["specs"]
    ]


def unsaid(all_links: Iterable[Link]) -> list[str]:
    """A problem for each text of the table that docs/assumptions.md does not hold."""
    known = " ".join(ASSUMPTIONS.read_text(encoding="utf-8").split())
    texts = dict.fromkeys(link.says for link in all_links)
    return [
        f"docs/assumptions.md does not say: {text}" for text in texts if " ".join(text.split()) not in known
    ]


# A kata -------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """How PyTorch did in a kata."""

    counts: Counter[str]
    """The number of cases that are green, of each kind of the table, and not judged."""
    problems: list[str]


def tried(kata: Kata, mine: list[Link], plan: Plan) -> Task[Found]:
    """Run the kata's specs but those that are skipped, and compare with the table."""
    skipped = [link.spec for link in mine if link.kind == "skipped"]
    files = [name for name in skipped if name.endswith(".py")]
    args = [
        where(kata),
        "--device=cpu",
        "--dojo-limit=60",
        *(f"--ignore={where(kata)}/{name}" for name in files),
    ]
    outcome: Outcome = yield Job(args, plan, LIMIT, (_Skipped(skipped),))
    counts, problems = Counter(skipped=_cases(kata, skipped)), _stale(kata, mine, outcome.results)
    for result in outcome.results:
        link = next((each for each in mine if each.covers(result)), None)
        if result.state == "green":
            counts["green"] += 1
        elif result.state in ("elsewhere", "inconclusive"):
            counts["not judged"] += 1
        elif link is None:
            counts["unexplained"] += 1
            problems.append(f"{result.id} is red, and {TABLE.name} does not say why\n{result.text}")
        else:
            counts[link.kind] += 1
            if link.kind == "message" and not WORDS.search(result.text):
                problems.append(f"{result.id} is red for more than its message\n{result.text}")
    if not outcome.results:
        problems.append(f"no spec ran\n{outcome.output}")
    return Found(counts, problems)


class _Skipped:
    """A plugin that leaves out what the table skips."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [each for each in items if name_of(each.nodeid) not in self.names]


def _stale(kata: Kata, mine: list[Link], results: list[Result]) -> list[str]:
    """A problem for each link whose spec is gone, or is green in any case that the link covers."""
    names = {path.name: spec_names(path) for path in kata.folder.glob("test_*.py")}
    known = {*names, *(name for some in names.values() for name in some)}
    problems = []
    for link in mine:
        of_it = [result for result in results if link.covers(result)]
        if link.kind == "skipped":
            problems += [] if link.spec in known else [f"{TABLE.name} skips {link.spec}, which is gone"]
        elif not of_it:
            problems.append(f"{TABLE.name} names {kata.name}/{link.spec}, which is gone")
        elif green := [result.id for result in of_it if result.state == "green"]:
            rest = f" in {len(green)} of {len(of_it)} cases: name the others" if len(of_it) > 1 else ""
            problems.append(f"{TABLE.name} names {kata.name}/{link.spec}, which is green{rest}")
    return problems


def _cases(kata: Kata, skipped: list[str]) -> int:
    """How many cases the skipped specs and files have."""
    names = {name for each in skipped for name in (_in_file(kata, each) if each.endswith(".py") else [each])}
    return sum(count for name, count in specs.listed(kata).items() if name in names)


def _in_file(kata: Kata, name: str) -> list[str]:
    path = kata.folder / name
    return spec_names(path) if path.is_file() else []


# The command --------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", nargs="?", metavar="N", help="one kata; without it, all that PyTorch has")
    parser.add_argument("--at-once", type=int, default=2, metavar="P", help="processes at a time (2)")


def run(options: argparse.Namespace) -> int:
    katas = [kata(options.number)] if options.number else [each for each in KATAS if each.number in NUMBERS]
    if any(each.number not in NUMBERS for each in katas):
        raise DojoError(f"PyTorch takes the place of a student in the katas {', '.join(map(str, NUMBERS))}.")
    try:
        importlib.import_module("torch")  # once, and not in each run
    except ImportError:
        raise DojoError("PyTorch is not installed: `.venv/bin/python -m pip install torch`.") from None
    began = time.monotonic()
    warm.preload()
    plan, table = Plan(SOLUTIONS, source=face()), links()
    problems = unsaid(table)
    problems += [f"{TABLE.name} names kata {name}, which is none of these" for name in _strangers(table)]
    total: Counter[str] = Counter()
    tasks = ((each, tried(each, [link for link in table if link.kata == each.name], plan)) for each in katas)
    for each, found in warm.together(tasks, options.at_once):
        print(_row(f"kata {each.id}", found.counts), flush=True)
        total += found.counts
        problems += found.problems
    share = total["green"] / max(1, total.total() - total["skipped"])
    print(f"{_row('together', total)}: {share:.1%} green of what ran")
    if share < GREEN and len(katas) > 1:
        problems.append(f"only {share:.1%} are green, expected {GREEN:.0%}")
    for text in problems:
        print(f"! {text}")
    return summed_up(len(problems), began)


def _strangers(table: list[Link]) -> list[str]:
    names = {each.name for each in KATAS if each.number in NUMBERS}
    return sorted({link.kata for link in table} - names)


def _row(title: str, counts: Counter[str]) -> str:
    return f"{title:<10}" + "".join(
        f"{counts[kind]:>6} {'own API' if kind == 'own' else kind}"
        for kind in ("green", *KINDS, "not judged", "unexplained")
        if counts[kind] or kind in ("green", *KINDS)
    )
