"""What a run of specs shows on the terminal, and the results that it tells to the process that started it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

import pytest
from _pytest.config import create_terminal_writer  # what every terminal plugin uses: NO_COLOR, --color, width

from dojo.catalogue import Kata, kata_of
from dojo.errors import fitted
from dojo.report.explain import WIDTH, wrap
from dojo.run import specs
from dojo.run.process import tell
from dojo.run.results import LABEL, Result, labelled, page
from dojo.run.specs import kata_of_id

LISTED = 12
COLOURS = {"green": "green", "next": "cyan", "wrong": "red", "inconclusive": "yellow", "elsewhere": "yellow"}
WORDS = {
    "wrong": "wrong",
    "next": "to write",
    "inconclusive": "inconclusive",
    "elsewhere": "not for this system",
}


class KataTerminal:
    """Replaces pytest's own reporter: a head line, `12/31 green`, and the first red spec explained."""

    def __init__(self, config: pytest.Config, katas: set[Kata | None]) -> None:
        self.config = config
        self.path: str = config.getoption("path")
        self.writer = create_terminal_writer(config, sys.stdout)
        self.width = min(self.writer.fullwidth, WIDTH)
        self.verbose: bool = config.get_verbosity() > 0
        self.live = sys.stdout.isatty() and not self.verbose and config.getoption("capture") != "no"
        self.announced: set[Kata] = set()
        self.specs: dict[Kata, list[str]] = {}
        self.deselected: Counter[Kata | None] = Counter()
        self.results: dict[str, Result] = {}
        self.only = katas.pop() if len(katas) == 1 else None

    # What pytest tells -----------------------------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        if self.only is not None:  # before anything slow happens
            self.announce(self.only)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.expect(ids)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        self.deselected.update(kata_of(item.path) for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.line(f"{report.nodeid or 'The katas'} could not be read.", red=True)
            self.line(report.longreprtext)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if excinfo.type is KeyboardInterrupt:
            self.line("\nInterrupted.")
        elif excinfo.type is pytest.exit.Exception:
            self.line(f"\nStopped: {excinfo.value}")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        for kata in list(self.specs):
            if any(id in self.results for id in self.specs[kata]):
                self.conclude(kata)
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            words = self.config.getoption("keyword")
            self.lines(f"No spec has a name that matches {words!r}." if words else "No spec was found there.")

    # What is shown ---------------------------------------------------------------------------------------

    def expect(self, ids: Iterable[str]) -> None:
        self.specs = {}
        for id in ids:
            kata = kata_of_id(id)
            if kata is not None:
                self.specs.setdefault(kata, []).append(id)

    def show(self, result: Result) -> None:
        """Show one more result. Katas are concluded in their order, when their last result is there."""
        self.results[result.id] = result
        current = next(iter(self.specs), None)
        if current is None:
            return
        self.announce(current)
        if self.verbose:
            name = result.id.partition("::")[2] if kata_of_id(result.id) == current else result.id
            self.writer.write(f"  {result.state:<13}", **{COLOURS[result.state]: True})
            self.line(f"{name}  {result.duration:.2f} s")
        for kata, ids in list(self.specs.items()):
            if not all(id in self.results for id in ids):
                break
            self.conclude(kata)
        if self.live and current in self.specs:
            self.writer.write("\r" + self.count(current, self.specs[current]), flush=True)

    def announce(self, kata: Kata) -> None:
        if kata in self.announced:
            return
        if self.announced:
            self.line()
        self.announced.add(kata)
        short = ", short path" if self.path == specs.SHORT else ""
        self.line(f"Kata {kata.id} {kata.slug}{short}", bold=True)
        if self.config.get_verbosity() >= 0:
            self.lines(kata.discovery)
        self.line()

    def conclude(self, kata: Kata) -> None:
        """The count, the first red spec in full, and the others in a line each."""
        self.announce(kata)
        ids = self.specs.pop(kata)
        results = [self.results[id] for id in ids if id in self.results]
        red = [r for r in results if r.state in ("next", "wrong")]
        if self.live:
            self.writer.write("\r" + " " * (self.width - 1) + "\r")
        if red and len(results) < len(ids):
            self.lines(self.so_far(results, self.total(kata, ids)))
        else:
            self.line(self.count(kata, ids), green=not red)
        shown = [r for i, r in enumerate(red) if i == 0 or (self.verbose and r.state == "wrong")]
        for result in shown:
            self.line()
            self.explain(result)
            if result is red[0]:
                self.stuck(kata, result)
        self.others([r for r in red if r not in shown and (r.owner is None or r.owner != red[0].owner)])
        elsewhere = [r for r in results if r.state == "elsewhere"]
        for result in [*(r for r in results if r.state == "inconclusive"), *elsewhere[:1]]:
            self.line()
            self.explain(result)
        if elsewhere[1:]:
            self.line(f"  and {len(elsewhere) - 1} more for the same reason")

    def count(self, kata: Kata, ids: list[str]) -> str:
        """`12/31 green`, and the states of the others if more than one is not green."""
        states = Counter(self.results[id].state for id in ids if id in self.results)
        line = f"{states['green']}/{self.total(kata, ids)} green"
        if states.total() - states["green"] > 1:
            line += "".join(f", {states[state]} {word}" for state, word in WORDS.items() if states[state])
        if self.deselected[kata]:
            line += f" ({self.deselected[kata]} not selected)"
        return line

    def total(self, kata: Kata, ids: list[str]) -> int:
        if any(specs.name_of(id) == specs.IMPORT for id in ids):  # it stands for all specs of its file
            return max(len(ids), specs.total(kata, self.path))
        return len(ids)

    def so_far(self, results: list[Result], total: int) -> str:
        """How many specs were green before `-x` stopped the run; the board counts all of them."""
        green = sum(result.state == "green" for result in results)
        return f"{green} green so far, stopped at the first red ({total} in all)"

    def stuck(self, kata: Kata, result: Result) -> None:
        """Say how to get a hint, if there is one: a file that cannot be imported has none."""
        if specs.name_of(result.id) != specs.IMPORT:
            how = self.config.getoption("stuck") or f"make hint {specs.part_of_id(kata, result.id).words}"
            self.line(f"  {'stuck?':<{LABEL}}{how}")

    def explain(self, result: Result) -> None:
        lines = wrap(result.text, self.width)
        head = lines.index("") if "" in lines else 1
        for i, line in enumerate(lines):
            self.line(line, **({COLOURS[result.state]: True, "bold": True} if i < head else {}))

    def others(self, red: list[Result]) -> None:
        if not red:
            return
        self.line()
        wrong = [r for r in red if r.state == "wrong"]
        for result in wrong[:LISTED]:
            self.lines(f"  also wrong {result.id.partition('::')[2]}: {result.summary}")
        if len(wrong) > LISTED:
            self.line(f"  and {len(wrong) - LISTED} more are wrong")
        names = [*dict.fromkeys(f"`{r.owner[1]}`" for r in red if r.owner)]
        if names:
            more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
            self.lines(f"  to write   {', '.join(names[:LISTED])}{more}")

    def lines(self, text: str) -> None:
        for line in wrap(text, self.width):
            self.line(line)

    def line(self, text: str = "", **markup: bool) -> None:
        for part in fitted(text, hang=2, width=self.width).split("\n"):
            self.writer.line(part, **markup)
        self.writer.flush()  # before the next spec's output is captured


class Ledger:
    """Makes one Result of the reports of each spec, shows it, and tells it to the process that started this one.

    {"begins": id} is told before each spec, so that the parent knows what was running if the process dies.
    """

    def __init__(self, terminal: KataTerminal | None) -> None:
        self.terminal = terminal
        self.reports: dict[str, list[pytest.TestReport]] = {}
        self.inconclusive = False

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        tell({"begins": nodeid})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reports = self.reports.setdefault(report.nodeid, [])
        reports.append(report)
        if report.when in ("setup", "call"):
            return
        result = _result(self.reports.pop(report.nodeid))
        if kata_of_id(report.nodeid) is not None:  # one of tests/ may be skipped: it says why
            self.inconclusive |= result.state == "inconclusive"
        tell(result.to_dict())
        if self.terminal is not None:
            self.terminal.show(result)

    def add(self, results: list[Result]) -> None:
        """Add results that were found after the last spec. The first is explained: the others are of the same kind."""
        for result in results:
            tell(result.to_dict())
        if self.terminal is not None:
            self.terminal.line()
            self.terminal.explain(results[0])
            if results[1:]:
                self.terminal.line(f"  and {len(results) - 1} more")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.inconclusive and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _result(reports: list[pytest.TestReport]) -> Result:
    id, duration = reports[0].nodeid, sum(report.duration for report in reports)
    for report in reports:
        if explanation := getattr(report, "dojo", None):
            return Result.from_dict({**explanation, "id": id, "duration": duration})
    bad = next((report for report in reports if report.failed), None)
    if bad is not None and "crashed while running" in bad.longreprtext:
        summary = "The process ended in the middle of this spec."
        text = page(f"wrong: {summary}", ["Does your code call os._exit()?"], labelled("spec", [id]))
        return Result(id, "wrong", summary, text, None, duration)
    if bad is not None:
        return Result(id, "wrong", bad.longreprtext.partition("\n")[0], bad.longreprtext, None, duration)
    if skipped := next((report for report in reports if report.skipped), None):
        # (file, line, "Skipped: reason")
        summary = skipped.longrepr[2] if isinstance(skipped.longrepr, tuple) else skipped.longreprtext
        return Result(id, "inconclusive", summary, summary, None, duration)
    return Result(id, "green", "", "", None, duration)
