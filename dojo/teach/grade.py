"""`make grade`: grade every submission of a class, several at a time, and write the reports.

Each submission is graded by a process of its own, so that nothing in one can stop another. It writes its result itself,
whole or not at all. What was graded before and has not changed is not run again, so a run that was killed goes on where
it was.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from dojo.catalogue import KATAS, Kata, kata
from dojo.errors import DojoError, display
from dojo.run import process
from dojo.run.process import Child
from dojo.teach import judge, report, results, rights, roster, sandbox, submissions
from dojo.teach.judge import Settings
from dojo.teach.points import Points, read as read_points
from dojo.teach.results import Status, Submission, folder_name, path_of
from dojo.teach.submissions import Match
from dojo.tree.overlay import plan_for

HOST = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
MEMORY = 4 << 30  # bytes of address space of a process that reads a submission
SLOW = 60.0  # seconds on one kata after which it is named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("katas", nargs="?", metavar="N", help="the katas, such as 1-6 or 3,5; all without it")
    parser.add_argument("--submissions", metavar="DIR", help="the folder of submissions")
    parser.add_argument("--out", default="grades", metavar="DIR", help="where the results go (grades)")
    parser.add_argument("--roster", metavar="CSV", help="who is in the class")
    parser.add_argument("--points", metavar="TOML", help="what the katas are worth, and late days")
    parser.add_argument("--jobs", type=int, default=2, metavar="P", help="submissions at a time (2)")
    parser.add_argument("--only", metavar="STUDENT", help="grade this one only")
    parser.add_argument("--dry", action="store_true", help="say who was matched, and run nothing")
    parser.add_argument(
        "--whole", action="store_true", help="run all specs on the whole tree too, not only stories"
    )
    parser.add_argument(
        "--check", action="store_true", help="read roster and points file, and say what is wrong"
    )
    parser.add_argument("--unsafe", action="store_true", help="without a sandbox, run them all the same")
    parser.add_argument(
        "--shard", metavar="I/K", help="grade the I-th of K parts; reports come at the end, without it"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="let the workers of this Dask scheduler grade")
    parser.add_argument(
        "--without-reports", action="store_true", help=argparse.SUPPRESS
    )  # what Dask's workers do


def run(options: argparse.Namespace) -> int:
    if not options.submissions:
        raise DojoError("Say where the submissions are: `make grade SUBMISSIONS=dir`.")
    rows = roster.read(Path(options.roster)) if options.roster else []
    points = read_points(Path(options.points)) if options.points else Points()
    matches = submissions.match(Path(options.submissions), rows)
    if options.check or options.dry:
        tell_matches(matches, only_problems=options.check)
        return 0
    chosen = list(_chosen(matches, options.only, options.shard))
    katas = chosen_katas(options.katas)
    plan_for("solutions")  # where there is no reference, this says so
    kind = sandbox.chosen(options.unsafe)
    out = Path(options.out).absolute()
    settings = Settings(out, katas, kind, whole=options.whole)
    if options.dask:
        from dojo.teach import dask  # an extra: few have it

        dask.grade(options.dask, chosen, _arguments(options))
    else:
        grade_all(chosen, settings, max(1, options.jobs))
    if options.without_reports:
        return 0
    if options.shard:
        display("When all parts are done, the same command without SHARD writes the reports.")
        return 0
    display("writing the reports ...")
    report.make(out, results_of(out, matches), points)
    display(f"{out}: gradebook.csv, details.csv, class.html, and a folder for each student in students/.")
    return 0


def chosen_katas(text: str | None) -> tuple[Kata, ...]:
    """The built katas that `1-6` or `3,5` names; all of them without a word."""
    if not text:
        return tuple(each for each in KATAS if each.built)
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers |= set(range(kata(first).number, kata(last if dash else first).number + 1))
    found = tuple(each for each in KATAS if each.number in numbers and each.built)
    if not found:
        raise DojoError(f"N={text} names no kata that is written already.")
    return found


def tell_matches(matches: Sequence[Match], only_problems: bool = False) -> None:
    """Say whose submission is which."""
    for each in matches:
        if each.problem or not only_problems:
            commit = f" at {each.student.commit}" if each.student.commit else ""
            found = f"{each.path.name!a}{commit}" if each.path else each.problem
            display(f"  {each.student.student!a:<30} {found}")
    missing = sum(each.path is None for each in matches)
    display(f"{len(matches)} students, {len(matches) - missing} submissions.")


def _chosen(matches: Sequence[Match], only: str | None, shard: str | None) -> Iterator[Match]:
    """Those to grade now. A shard is chosen by the ids, so that it stays the same when students come and go."""
    if only and only not in {each.student.student for each in matches}:
        raise DojoError(f"ONLY={only}: there is no such student. DRY=1 lists them.")
    part, parts = _shard(shard) if shard else (1, 1)
    for each in matches:
        name = each.student.student
        mine = int.from_bytes(sha256(name.encode()).digest()[:8], "big") % parts == part - 1
        if (not only or name == only) and mine:
            yield each


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise DojoError(f"SHARD={text} is no part such as 3/20.")
    return int(part), int(parts)


def _arguments(options: argparse.Namespace) -> list[str]:
    """The command line of a worker, for all students alike."""
    words = [f"--submissions={Path(options.submissions).absolute()}", f"--out={Path(options.out).absolute()}"]
    words += [f"--roster={Path(options.roster).absolute()}"] if options.roster else []
    words += [f"--{name}" for name in ("whole", "unsafe") if getattr(options, name)]
    return [*words, "--jobs=1", "--without-reports", *(["--", options.katas] if options.katas else [])]


def results_of(out: Path, matches: Sequence[Match]) -> Iterator[Submission]:
    """The results of these students, one at a time. One that is not graded yet is missing."""
    for each in matches:
        path = path_of(out, each.student.student)
        if path.is_file():
            yield results.load(path)
        else:
            row = each.student
            why = each.problem or "it was not graded yet"
            yield Submission(row.student, Status.MISSING, why, row.name, row.email, row.section)


# All of them --------------------------------------------------------------------------------------------


@dataclass
class Live:
    """A submission that is being graded."""

    match: Match
    child: Child
    doing: str = ""
    since: float = field(default_factory=time.monotonic)
    told: dict[str, Any] = field(default_factory=dict)
    """What its process said last, of each kind."""


def grade_all(matches: Sequence[Match], settings: Settings, jobs: int) -> None:
    """Grade these, `jobs` at a time. Each result is in its file when it is told."""
    sandbox.remove_leftovers()
    rights.adopt_orphans()  # what a grader that died leaves behind comes here
    if len(matches) > 1:
        judge.prepare(settings.katas)
    progress = Progress(len(matches), jobs)
    waiting = iter(matches)
    live: list[Live] = []
    try:
        while True:
            while len(live) < jobs and (match := next(waiting, None)) is not None:
                live.append(
                    Live(match, process.fork(partial(_work, match, settings, os.getpid()), kept=True))
                )
            if not live:
                break
            for each in list(live):
                if each.child.poll():
                    live.remove(each)
                    _ended(each, settings, progress)
                else:
                    _listen(each)
            progress.show(live)
            time.sleep(0.02)
    finally:
        for each in live:
            each.child.kill()
        if live:
            rights.kill_descendants()
        progress.clear()
        sandbox.remove_leftovers()


def _listen(live: Live) -> None:
    for record in live.child.take():
        live.told |= record
        if "doing" in record:
            live.doing, live.since = str(record["doing"]), time.monotonic()


def _ended(live: Live, settings: Settings, progress: Progress) -> None:
    _listen(live)
    if "stop" in live.told:
        raise DojoError(
            f"{live.told['stop']} Finished grades are kept: the same command goes on where it stopped."
        )
    if "graded" in live.told:
        progress.done(str(live.told["graded"]), float(live.told["seconds"]))
        return
    said = str(live.told.get("failed") or live.child.ending)
    row = live.match.student
    submission = Submission(
        row.student,
        Status.UNREADABLE,
        f"it could not be graded: {' '.join(said.split())}"[: results.LINE],
        row.name,
        row.email,
        row.section,
        live.match.path.name if live.match.path else "",
        submitted_at=row.submitted_at,
        extension_days=row.extension_days,
    )
    results.save(settings.out, submission)
    progress.done(told(submission), 0.0)


def _work(match: Match, settings: Settings, parent: int) -> int:
    """What the process of one submission does."""
    rights.die_with_parent()
    if os.getppid() != parent:
        return 1
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    began = time.monotonic()
    try:
        submission = judge.grade(match, settings, lambda text: process.tell({"doing": text}))
        submission = _unchanged(settings.out, submission)
    except DojoError as error:
        process.tell({"failed": str(error)})
        return 1
    except (MemoryError, RecursionError) as error:
        process.tell({"failed": f"reading it takes too much memory ({type(error).__name__})"})
        return 1
    except OSError as error:
        kind = "stop" if error.errno in HOST else "failed"
        process.tell({kind: f"{error.filename or 'A file'} cannot be written or read: {error.strerror}."})
        return 1
    process.tell({"graded": told(submission), "seconds": time.monotonic() - began})
    return 0


def _unchanged(out: Path, submission: Submission) -> Submission:
    """Save the result, unless the same is there: then nothing that is made of it changes either."""
    with contextlib.suppress(OSError, DojoError):
        before = results.load(path_of(out, submission.student))
        if replace(submission, graded_at=before.graded_at, seconds=before.seconds) == before:
            return before
    results.save(out, submission)
    return submission


def told(submission: Submission) -> str:
    """A submission in a line."""
    name = folder_name(submission.student)
    if not submission.katas:
        return f"{name:<20} {submission.status}: {submission.message}"
    green, total = sum(each.green for each in submission.katas), sum(each.total for each in submission.katas)
    odd = [f"{each.kata.id} {each.status}" for each in submission.katas if each.status in ODD]
    return f"{name:<20} {green}/{total} green" + (f"  {', '.join(odd)}" if odd else "")


ODD = (Status.FLAGGED, Status.KILLED, Status.TIMED_OUT, Status.UNREADABLE)


class Progress:
    """What is done, what is running, what is slow, and how long it will take."""

    def __init__(self, total: int, jobs: int) -> None:
        self.total = total
        self.jobs = jobs
        self.count = 0
        self.ran: list[float] = []
        """Seconds of those that were not known from before."""
        self.live = sys.stdout.isatty()
        self.shown = ""

    def done(self, line: str, seconds: float) -> None:
        self.count += 1
        self.clear()
        took = ""
        if seconds >= 1:
            self.ran.append(seconds)
            took = f"  {seconds:.0f} s"
        display(f"  {self.count}/{self.total}  {line}{took}{'' if self.live else self.left()}")

    def left(self) -> str:
        """The time that the rest will take, if each of them takes as long as those that were run."""
        if not self.ran or self.count == self.total:
            return ""
        seconds = sum(self.ran) / len(self.ran) * (self.total - self.count) / self.jobs
        if seconds < 90:
            return f"  about {seconds:.0f} s left"
        return (
            f"  about {seconds / 60:.0f} min left"
            if seconds < 5400
            else f"  about {seconds / 3600:.1f} h left"
        )

    def show(self, live: Sequence[Live]) -> None:
        """On a terminal: one line that says what is running now."""
        if not self.live:
            return
        now = time.monotonic()
        parts = []
        for each in live:
            slow = f" for {now - each.since:.0f} s" if now - each.since > SLOW else ""
            parts.append(f"{folder_name(each.match.student.student)} {each.doing}{slow}")
        line = f"  {self.count}/{self.total}  running: {', '.join(parts)}{self.left()}"
        line = line[: shutil.get_terminal_size().columns - 1]
        if line != self.shown:
            self.clear()
            print(line, end="", flush=True)
            self.shown = line

    def clear(self) -> None:
        if self.shown:
            print("\r" + " " * len(self.shown) + "\r", end="", flush=True)
            self.shown = ""
