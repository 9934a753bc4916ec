"""Grade one submission: each kata alone, on the reference's other katas, and believe only what can be checked.

The results come from a process in which student code runs too. So what it says counts only in the form that was asked
for: listed specs, each once. What is a stub cannot be green. And canaries say whether green means anything.
"""

from __future__ import annotations

import ast
import fcntl
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from dojo.catalogue import KATAS, NAMED, ROOT, SOLUTIONS, Kata, files_below, kata_of
from dojo.run import process
from dojo.run.results import Result
from dojo.run.specs import IMPORT, name_of
from dojo.teach import canary, results, submissions
from dojo.teach.results import LINE, TEXT, Canary, KataResult, SpecResult, Status, Submission
from dojo.teach.sandbox import Limits, Report, Sandbox
from dojo.teach.submissions import Content, Match, Unreadable
from dojo.tree import taking
from dojo.tree.files import write
from dojo.tree.skeleton import derive

DEATHS = 5  # a run that dies in a spec goes on with the next one, so often
TIMINGS = 3  # runs of a timing that cannot be judged
SHORT = 60.0  # seconds for one spec and all its cases
VOID = 6  # canaries that may fail to be imported before the results are not believed

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What is the same for every submission."""

    out: Path
    katas: tuple[Kata, ...]
    sandbox: str
    limits: Limits = field(default_factory=Limits)
    whole: bool = False
    """Whether the student's whole tree runs everything, and not only the stories."""


def grade(match: Match, settings: Settings, say: Say = lambda text: None) -> Submission:
    """Grade the submission. What is known from before is not run again."""
    began = time.monotonic()
    row = match.student
    submission = Submission(
        student=row.student,
        status=Status.GRADED,
        name=row.name,
        email=row.email,
        section=row.section,
        source=match.path.name if match.path else "",
        submitted_at=row.submitted_at,
        extension_days=row.extension_days,
        reference_version=results.reference_version(),
    )
    try:
        if match.path is None:
            status = Status.MISSING if match.problem == submissions.NOTHING else Status.UNREADABLE
            return replace(submission, status=status, message=match.problem, graded_at=_now())
        content = submissions.read(match.path, row.commit)
    except Unreadable as error:
        return replace(submission, status=Status.UNREADABLE, message=_line(str(error)), graded_at=_now())
    with Grader(row.student, content, settings, say) as grader:
        katas, whole = grader.grade()
    flagged = any(not each.believed for each in katas)
    return replace(
        submission,
        status=Status.FLAGGED if flagged else Status.GRADED,
        commit=content.commit,
        katas=katas,
        whole=whole,
        notes=content.notes,
        submission_sha256=content.sha256,
        graded_at=_now(),
        seconds=round(time.monotonic() - began, 1),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _line(text: str) -> str:
    return " ".join(text.split())[:LINE]


class Grader:
    """Grades the katas of one submission in one sandbox."""

    def __init__(self, student: str, content: Content, settings: Settings, say: Say) -> None:
        self.student = student
        self.content = content
        self.settings = settings
        self.say = say
        self.draw = random.SystemRandom()
        self.box = Sandbox(settings.sandbox, settings.limits)
        self.shown: frozenset[str] | None = None
        self.kept = Kept(settings.out)

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.box.close()

    # All katas -------------------------------------------------------------------------------------------

    def grade(self) -> tuple[list[KataResult], list[KataResult]]:
        """Every kata alone, and the stories of the whole.

        First the specs and the canaries of each; then the stories; then, with nothing beside them, what measures time.
        """
        done: dict[Kata, KataResult] = {}
        fresh = []
        for kata in self.settings.katas:
            key = self._key(kata)
            if found := self.kept.get(key):
                [done[kata]] = found
                continue
            self.say(f"kata {kata.id}")
            with beside():
                done[kata] = replace(self.kata(kata), key=key)
            fresh.append(kata)
        whole = self.whole()
        running = [kata for kata in fresh if done[kata].status in RUN]
        honest = all(each.believed for each in done.values())
        for kata in running:
            with beside():
                done[kata] = self._told(kata, done[kata], whole if honest else [])
        measured = [kata for kata in running if timings(kata.number)]
        if measured:
            self.say("timings")
            with alone():
                for kata in measured:
                    done[kata] = self._timed(kata, done[kata])
        for kata in fresh:
            self._keep(done[kata])
        return [done[kata] for kata in self.settings.katas], whole

    def _keep(self, graded: KataResult) -> None:
        """Store the result, and a line that says what was run for it: no kata of a student should have two."""
        self.kept.put(graded.key, [graded])
        line = f"{_now()} {results.folder_name(self.student)} {graded.kata.id} {graded.key}\n"
        fd = os.open(self.settings.out / "graded.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)

    def _key(self, kata: Kata) -> str:
        """One hash of everything that the kata's results depend on."""
        digest = sha256(_common(kata.number).encode())
        digest.update(json.dumps([self.settings.sandbox, asdict(self.settings.limits)]).encode())
        for name, content in sorted(self._files(kata).items()):
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    # One kata --------------------------------------------------------------------------------------------

    def kata(self, kata: Kata) -> KataResult:
        began = time.monotonic()
        files = self._files(kata)
        own = {name: content for name, content in files.items() if kata_of(Path(name), Path()) == kata}
        helpers = sorted(
            {name.partition("/")[0] for name in files.keys() - own.keys() if name.endswith(".py")}
        )
        unseen = KataResult(
            kata.number, Status.MISSING, specs=list(results.listed(kata.number)), canary="not run"
        )
        if not {f"{kata.slug}.py", f"{kata.slug}/__init__.py"} & own.keys():
            return replace(
                unseen, message=f"there is no tinytorch/{kata.slug}.py and no tinytorch/{kata.slug}/"
            )
        if problem := _no_text(own):
            return replace(unseen, status=Status.UNREADABLE, message=problem)
        if written(kata.number) <= canary.unwritten(own, kata):
            return replace(unseen, status=Status.NOT_WRITTEN, message="it is as the skeleton has it")
        self._show_reference(kata)
        later = [
            *timing_ids(kata.number),
            *(f"katas/{kata.name}/{name}" for name in story_files(kata.number)),
        ]
        found = self._run(kata, files, [f"katas/{kata.name}"], skip=later)
        graded = self._judged(kata, found)
        marked = [name for _, content in sorted(own.items()) for name in taking.taken(content)]
        graded = replace(graded, imports=canary.imports(own, kata), helpers=helpers, taken=marked)
        if not graded.flags:
            graded = self._probed(kata, files, graded)
        if graded.flags:
            graded = replace(graded, status=Status.FLAGGED, message=graded.flags[0])
        return replace(graded, seconds=round(time.monotonic() - began, 2))

    def _judged(self, kata: Kata, found: Found) -> KataResult:
        """What the reports say, as far as it can be believed without another run."""
        specs, flags = specs_of(kata, found.results, skipped=timings(kata.number) | stories(kata.number))
        status, message = _status(found, specs)
        green = [spec.name for spec in specs if spec.green]
        flags += canary.forged(self._files(kata), kata, green)[:5]
        return KataResult(kata.number, status, message, specs, flags, canary="not run")

    def _files(self, kata: Kata) -> dict[str, bytes]:
        """The kata's files, and the modules of the student's own beside the package."""
        return {
            name: content
            for name, content in self.content.files.items()
            if (first := name.partition("/")[0].removesuffix(".py")) == kata.slug or first not in given()
        }

    def _show_reference(self, kata: Kata) -> None:
        """Let the sandbox see the reference of the katas below, and of no other."""
        hidden = frozenset(each.slug for each in KATAS if each.number >= kata.number)
        if hidden != self.shown:
            self.box.show(self.box.reference, _reference(hidden))
            self.shown = hidden

    def _run(
        self,
        kata: Kata,
        files: Mapping[str, bytes],
        args: list[str],
        skip: Sequence[str] = (),
        limit: float | None = None,
    ) -> Found:
        """Run these specs on a copy of these files. A run that dies in a spec goes on with the next one."""
        found = Found([], Report())
        skipped = list(skip)
        for _ in range(DEATHS):
            self.box.show(self.box.tree, canary.disturbed(files, self.draw))
            special = {name.partition("/")[0].removesuffix(".py"): self.box.tree for name in files}
            above = frozenset(each.slug for each in KATAS if each.number > kata.number)
            options = ["--profile=few", *(f"--deselect={each}" for each in skipped)]
            report = self.box.run([*args, *options], self.box.reference, special, above, limit)
            found = Found([*found.results, *report.results], report)
            if report.kind == process.DONE or "::" not in report.running:
                break
            death = report.text or f"wrong: {name_of(report.running)} did not come to its end."
            words = report.spoiled or report.words
            found.results.append(Result(report.running, "wrong", words, death, None, 0.0))
            skipped += [each.id for each in found.results if each.id not in skipped]
            if _timed_out(report) or report.spoiled:  # another one would be as dear
                break
        return found

    # Canaries --------------------------------------------------------------------------------------------

    def _probed(self, kata: Kata, files: Mapping[str, bytes], graded: KataResult) -> KataResult:
        """Believe the green specs, or not.

        One canary that passes is enough, unless the code has means to reach its judge: then there are more. There are
        more, too, when one fails. A spec that is red for another reason than the mistake, such as a name that the
        student's module has not, proves little: then the next mistake is tried.
        """
        timed = timings(graded.number)
        green = [spec.name for spec in graded.specs if spec.green == spec.cases and spec.name not in timed]
        needed = canary.TRIES if canary.could_reach_its_judge(files, kata) else 1
        canaries: list[Canary] = []
        failed: list[Canary] = []
        void = weak = 0
        for mistake, right, wrong in canary.fitting(kata, green, self.draw)[: 2 * canary.TRIES]:
            if len(canaries) >= needed or len(failed) >= canary.FAILURES or void >= VOID:
                break
            planted = canary.plant(files, mistake, right, wrong)
            if planted is None:
                continue
            spec = next(spec for spec in graded.specs if spec.name == mistake.spec)
            pair = self._pair(kata, files, planted, spec)
            if pair is None:  # with the mistake in it the module cannot be imported: that proves nothing
                void += 1
                continue
            own, now = pair
            found = Canary(spec.name, mistake.function, canary.says(mistake), own.state, now.state)
            if found.passed and mistake.says not in now.text:
                weak += 1
                continue
            canaries.append(found)
            if not found.passed:
                failed.append(found)
                needed = canary.TRIES
        if len(failed) >= canary.FAILURES or void >= VOID:
            flags = [_evidence(each) for each in failed]
            if void >= VOID:
                flags.append(f"with any of {void} functions replaced the module cannot be imported")
            return replace(graded, canaries=canaries, canary="failed", flags=[*graded.flags, *flags])
        if failed:
            word = f"{len(failed)} of {len(canaries)} failed"
        else:
            word = "passed" if canaries else "weak" if weak else "none fits"
        return replace(graded, canaries=canaries, canary=word)

    def _pair(
        self, kata: Kata, files: Mapping[str, bytes], planted: Mapping[str, bytes], spec: SpecResult
    ) -> tuple[SpecResult, SpecResult] | None:
        """The spec on the student's code and with the mistake, run in a random order."""
        where = [f"katas/{kata.name}/{spec.file}::{spec.name}"]
        runs = {"own": files, "planted": planted}
        order = list(runs)
        self.draw.shuffle(order)
        found = {}
        for each in order:
            ran = self._run(kata, runs[each], where, limit=SHORT)
            if each == "planted" and any(name_of(result.id) == IMPORT for result in ran.results):
                return None
            [found[each]] = [one for one in specs_of(kata, ran.results)[0] if one.name == spec.name]
        return found["own"], found["planted"]

    # Stories and timings ---------------------------------------------------------------------------------

    def _told(self, kata: Kata, graded: KataResult, whole: Sequence[KataResult]) -> KataResult:
        """The stories. Those that are green on the student's whole tree are green; the others are run alone."""
        told = next((each.specs for each in whole if each.number == kata.number), [])
        green = {
            spec.name: spec for spec in told if spec.name in stories(kata.number) and spec.green == spec.cases
        }
        left = stories(kata.number) - green.keys()
        graded = replace(graded, specs=[green.get(spec.name, spec) for spec in graded.specs])
        return self._added(kata, graded, left) if left else graded

    def _timed(self, kata: Kata, graded: KataResult) -> KataResult:
        """What measures time: again, as long as it cannot be judged."""
        left = timings(kata.number)
        for _ in range(TIMINGS):
            graded = self._added(kata, graded, left)
            left = frozenset(spec.name for spec in graded.specs if spec.name in left and not spec.counts)
            if not left:
                break
        return graded

    def _added(self, kata: Kata, graded: KataResult, names: frozenset[str]) -> KataResult:
        """The result with these specs, which are run now."""
        self._show_reference(kata)
        where = [f"katas/{kata.name}/{spec.file}::{spec.name}" for spec in graded.specs if spec.name in names]
        found = self._run(kata, self._files(kata), where)
        specs, flags = specs_of(kata, found.results, timings(kata.number))
        new = {spec.name: spec for spec in specs if spec.name in names}
        flags += canary.forged(self._files(kata), kata, [name for name in new if new[name].green])
        graded = replace(graded, specs=[new.get(spec.name, spec) for spec in graded.specs])
        if not flags:
            return graded
        return replace(graded, status=Status.FLAGGED, message=flags[0], flags=[*graded.flags, *flags])

    # The whole -------------------------------------------------------------------------------------------

    def whole(self) -> list[KataResult]:
        """The stories of the student's whole tree, or all its specs."""
        katas = [kata for kata in self.settings.katas if kata.slug in self._modules()]
        paths = [
            path
            for kata in katas
            for path in sorted(kata.folder.glob("test_*.py"))
            if self.settings.whole or path.name in story_files(kata.number)
        ]
        if not paths:
            return []
        digest = sha256(f"whole {self.settings.whole} {_common(len(KATAS))} {self.content.sha256}".encode())
        digest.update(json.dumps([kata.number for kata in katas]).encode())
        key = digest.hexdigest()
        if (known := self.kept.get(key)) is not None:
            return known
        self.say("the whole")
        self.box.show(self.box.tree, canary.disturbed(self.content.files, self.draw))
        self.box.show(self.box.reference, {})
        self.shown = None
        with beside():
            report = self.box.run([str(path.relative_to(ROOT)) for path in paths], self.box.tree)
        found = []
        for kata in katas:
            mine = [each for each in report.results if each.id.startswith(f"katas/{kata.name}/")]
            specs, _ = specs_of(kata, mine, timings(kata.number))
            files = {path.name for path in paths if path.parent == kata.folder}
            status, message = _status(Found(mine, report), specs)
            seconds = round(sum(each.duration for each in mine), 2)
            specs = [spec for spec in specs if spec.file in files]
            found.append(KataResult(kata.number, status, message, specs, seconds=seconds))
        self.kept.put(key, found)
        return found

    def _modules(self) -> set[str]:
        return {name.partition("/")[0].removesuffix(".py") for name in self.content.files}


class Found(NamedTuple):
    """What the runs of a kata gave."""

    results: list[Result]
    report: Report
    """Of the last run."""


RUN = (Status.GRADED, Status.TIMED_OUT, Status.KILLED)
"""The states of a kata of which at least a part was run."""


# What is believed ---------------------------------------------------------------------------------------


def specs_of(
    kata: Kata,
    found: Iterable[Result],
    timed: frozenset[str] = frozenset(),
    skipped: frozenset[str] = frozenset(),
) -> tuple[list[SpecResult], list[str]]:
    """The listed specs with what was reported of each, and what no honest report would say.

    Only a spec of `timed` can be inconclusive; those of `skipped` were not asked for.
    """
    listed = {spec.name: spec for spec in results.listed(kata.number)}
    cases: dict[str, dict[str, Result]] = {}
    broken: dict[str, Result] = {}
    flags: list[str] = []
    for each in found:
        name = name_of(each.id)
        path = each.id.partition("::")[0]
        if name == IMPORT:
            broken[path.rpartition("/")[2]] = each
        elif name not in listed or path != f"katas/{kata.name}/{listed[name].file}" or name in skipped:
            flags.append(_line(f"the report names a spec that was not asked for: {each.id!a}"))
        else:
            before = cases.setdefault(name, {}).get(each.id)
            if before is None or before.state == "green" != each.state:
                cases[name][each.id] = each
            elif before.state == each.state == "green":
                flags.append(_line(f"the report says twice that {name} is green"))
    specs = []
    for spec in listed.values():
        mine = list(cases.get(spec.name, {}).values())
        if len(mine) > spec.cases:
            flags.append(f"the report has {len(mine)} cases of {spec.name}, which has {spec.cases}")
        specs.append(_spec(spec, mine, broken.get(spec.file), spec.name in timed))
    return specs, flags[:5]


def _spec(spec: SpecResult, cases: Sequence[Result], broken: Result | None, timed: bool) -> SpecResult:
    green = min(sum(each.state == "green" for each in cases), spec.cases)
    seconds = round(sum(each.duration for each in cases), 3)
    red = broken or next((each for each in cases if each.state != "green"), None)
    if red is None:
        state = "green" if green == spec.cases else "not run"
        return replace(spec, green=green, state=state, seconds=seconds)
    state = (
        red.state if red.state in ("next", "wrong") or (timed and red.state == "inconclusive") else "wrong"
    )
    case = red.id.partition("[")[2].rstrip("]")
    return SpecResult(
        spec.name,
        spec.file,
        spec.cases,
        green,
        state,
        case[:LINE],
        _line(red.summary),
        red.text[:TEXT],
        seconds,
    )


def _status(found: Found, specs: Sequence[SpecResult]) -> tuple[Status, str]:
    report = found.report
    imported = [each for each in found.results if name_of(each.id) == IMPORT]
    if imported and not any(spec.green for spec in specs):
        return Status.CANNOT_IMPORT, _line(imported[0].summary)
    where = f" ({name_of(report.running) or report.running})" if report.running else ""
    if _timed_out(report):
        return Status.TIMED_OUT, _line((report.spoiled or report.words) + where)
    if report.kind != process.DONE or report.spoiled:
        return Status.KILLED, _line((report.spoiled or report.words) + where)
    if report.number not in (0, 1):
        return Status.KILLED, f"pytest could not finish (exit status {report.number})"
    return Status.GRADED, ""


def _timed_out(report: Report) -> bool:
    return (report.kind == process.LIMIT and not report.spoiled) or "time" in report.spoiled


def _evidence(failed: Canary) -> str:
    if failed.own != "green":
        return f"{failed.spec} was green and is {failed.own} when it is run again alone"
    how = "stays green" if failed.planted == "green" else "does not run"
    return f"{failed.spec} {how} with `{failed.function}` replaced by a wrong one ({failed.mistake})"


def _no_text(files: Mapping[str, bytes]) -> str:
    """Why a file of these is no Python source, or nothing. An error of syntax is told by the specs."""
    for name, content in files.items():
        if name.endswith(".py"):
            try:
                canary.text_of(content)
            except (SyntaxError, ValueError) as error:
                return _line(f"tinytorch/{name} is no Python source: {error}")
    return ""


# What the repository says -------------------------------------------------------------------------------


@cache
def given() -> frozenset[str]:
    """The names in `tinytorch` that are no helpers: of katas, and of what is given."""
    top = {path.name.removesuffix(".py") for path in SOLUTIONS.iterdir()}
    return frozenset(top | {each.slug for each in NAMED.values()} | {"__init__"})


@cache
def written(number: int) -> frozenset[str]:
    """The functions that a student writes in a kata."""
    kata = KATAS[number - 1]
    paths = [path for path in kata.files(SOLUTIONS) if path.suffix == ".py"]
    return frozenset(
        name for path in paths for name in derive.written(path.read_text(encoding="utf-8"), kata)
    )


@cache
def timings(number: int) -> frozenset[str]:
    """The specs of a kata that measure time."""
    return frozenset(id.rpartition("::")[2] for id in timing_ids(number))


@cache
def stories(number: int) -> frozenset[str]:
    """The specs of a kata that tell its story: what all of it together is good for."""
    return frozenset(spec.name for spec in results.listed(number) if spec.file in story_files(number))


@cache
def story_files(number: int) -> frozenset[str]:
    return frozenset(path.name for path in KATAS[number - 1].folder.glob("test_*_story.py"))


@cache
def timing_ids(number: int) -> tuple[str, ...]:
    kata = KATAS[number - 1]
    found = []
    for path in sorted(kata.folder.glob("test_*.py")):
        text = path.read_text("utf-8")
        measuring = {"speedup", "measure"}
        if not any(name in text for name in measuring):
            continue
        functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        for node in sorted(functions, key=lambda node: node.name.startswith("test_")):  # helpers first
            if measuring & {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}:
                measuring.add(node.name)
                found.append(f"katas/{kata.name}/{path.name}::{node.name}")
    return tuple(each for each in found if "::test_" in each)


@cache
def _reference(hidden: frozenset[str]) -> dict[str, bytes]:
    """The files of the reference without those of the hidden katas. What only imports is shown: the faces read it."""
    return {
        name: content
        for name, (content, only_imports) in _whole_reference().items()
        if name.partition("/")[0].removesuffix(".py") not in hidden or only_imports
    }


@cache
def _whole_reference() -> dict[str, tuple[bytes, bool]]:
    """The files of the reference, and whether they only import."""
    found = {}
    for path in files_below(SOLUTIONS):
        content = path.read_bytes()
        statements = ast.parse(content).body[1:] if path.suffix == ".py" else [ast.Pass()]
        only_imports = all(isinstance(each, (ast.Import, ast.ImportFrom)) for each in statements)
        found[path.relative_to(SOLUTIONS).as_posix()] = content, only_imports
    return found


@cache
def _common(number: int) -> str:
    """One hash of what all submissions share in a kata: the reference below it, its specs, and the dojo."""
    kata = KATAS[number - 1]
    hidden = frozenset(each.slug for each in KATAS if each.number >= number)
    digest = sha256()
    for name, content in sorted(_reference(hidden).items()):
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    digest.update(_hash_of(kata.folder) + _hash_of(ROOT / "dojo"))
    return digest.hexdigest()


@cache
def _hash_of(folder: Path) -> bytes:
    """A hash of what is run of a folder: its names and contents, without texts and hints."""
    digest = sha256()
    for path in files_below(folder):
        if path.suffix not in (".md", ".toml"):
            digest.update(b"\0" + os.fsencode(path.relative_to(ROOT)) + b"\0" + path.read_bytes())
    return digest.digest()


def prepare(katas: Iterable[Kata]) -> None:
    """Read all of this now: the processes that grade are copies of this one."""
    results.reference_version()
    _common(len(KATAS))
    for kata in katas:
        canary.known(kata.number)
        canary.specs_naming(kata.number)
        canary.imports({}, kata)
        results.listed(kata.number)
        written(kata.number)
        timings(kata.number)
        stories(kata.number)
        _common(kata.number)


# What is known from before ------------------------------------------------------------------------------


class Kept:
    """Results by the hash of everything that they depend on: what has not changed is not run again."""

    def __init__(self, out: Path) -> None:
        self.folder = out / "kept"

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str) -> list[KataResult] | None:
        try:
            return [
                results.kata_from(each) for each in json.loads(self._path(key).read_text(encoding="utf-8"))
            ]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, graded: list[KataResult]) -> None:
        write(self._path(key), f"[{','.join(map(results.to_json, graded))}]\n")


# Alone on the machine -----------------------------------------------------------------------------------


def _lock(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"dojo-grade-{os.getuid()}-{name}.lock"


@contextmanager
def beside() -> Iterator[None]:
    """Run while others may run, but nothing that measures time."""
    with _locked("turn", fcntl.LOCK_EX):
        pass
    with _locked("runs", fcntl.LOCK_SH):
        yield


@contextmanager
def alone() -> Iterator[None]:
    """Run while no other grading process of this user on this machine runs student code."""
    with _locked("turn", fcntl.LOCK_EX), _locked("runs", fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(name: str, how: int) -> Iterator[None]:
    fd = os.open(_lock(name), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)
