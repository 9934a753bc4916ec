"""The pytest plugin: which implementation is under test, a time limit for every spec, and explanations of red ones.

It acts only on the specs in katas/. The tests in tests/ are reported as pytest does it, with tracebacks.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest

from dojo.bootstrap import pin_blas
from dojo.catalogue import ROOT, SOLUTIONS, Kata, kata_of
from dojo.errors import DojoError, said
from dojo.report import threads
from dojo.report.explain import Hang, Misused, explain, from_student, is_speechless
from dojo.report.terminal import KataTerminal, Ledger
from dojo.run import process, specs
from dojo.run.process import SLOW
from dojo.run.results import Result, Spec, labelled, page
from dojo.run.specs import kata_of_id
from dojo.tree import overlay

GRACE = 2.0  # seconds from the alarm, which code can swallow, to the end of the process
ALARM = hasattr(signal, "setitimer")  # without it, as on Windows, a spec that takes too long ends the process
PRINTED = 20_000  # characters of a spec's output that are kept
PLAIN = (bool, int, float, str, tuple, list, type(None))

pin_blas()
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".dojo" / "hypothesis"))


# Options and configuration ------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dojo", "the TinyTorch katas")
    group.addoption("--impl", help="what is under test: student (the default), solutions, or a path")
    group.addoption("--alone", type=int, metavar="N", help="take only kata N's module from --impl")
    group.addoption(
        "--path", choices=specs.PATHS, default=specs.WHOLE, help="which specs: the short path, or all"
    )
    group.addoption("--device", choices=("strict", "cpu", "cuda"), default="strict", help="for device specs")
    group.addoption(
        "--profile", choices=("few", "kata", "dojo", "thorough"), default="kata", help="of hypothesis"
    )
    group.addoption("--dojo-limit", type=float, default=10.0, metavar="S", help="seconds for each spec")
    group.addoption(
        "--stuck", metavar="WORDS", help="how a red spec says to get a hint, instead of `make hint`"
    )
    group.addoption("--plain", action="store_true", help="pytest's own output for katas too")


@pytest.hookimpl(trylast=True)  # the terminal reporter has to be there
def pytest_configure(config: pytest.Config) -> None:
    if (
        config.inipath != ROOT / "pyproject.toml"
    ):  # another one could hide every spec, or take this plugin's away
        raise pytest.UsageError(
            f"The configuration would be {config.inipath}, and not the repository's. Write --impl=PATH, with the "
            "equals sign, or give pytest `-c pyproject.toml --rootdir .`."
        )
    if config.getoption("device") == "cuda":
        _need_a_gpu()
    katas = ROOT / "katas"
    paths = [(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args]
    if overlay.installed() is None:
        _install(config, any(path.is_relative_to(katas) or katas.is_relative_to(path) for path in paths))
    channel = process.stack_channel()
    config.stash[STDERR] = os.dup(2 if channel is None else channel)
    faulthandler.enable(file=config.stash[STDERR])  # instead of pytest's own plugin
    only_katas = all(path.is_relative_to(katas) for path in paths)
    if only_katas:  # `explain` replaces pytest's tracebacks: take the cheapest
        config.option.tbstyle = "value"
    config.stash[THREADS] = threads.Watch()
    config.stash[THREADS].install()
    if hasattr(config, "workerinput"):  # a process of `-n 2`: the one that started it keeps the ledger
        return
    terminal = None
    if only_katas and not _wants_pytests_terminal(config):
        config.pluginmanager.unregister(name="terminalreporter")
        terminal = KataTerminal(config, {kata_of(path) for path in paths})
        config.pluginmanager.register(terminal, "dojo-terminal")
    config.pluginmanager.register(Ledger(terminal), "dojo-ledger")


def _need_a_gpu() -> None:
    """Refuse `--device cuda` where device specs could not run on a GPU: each of them would be red for that alone."""
    try:
        import cupy

        problem = "" if cupy.is_available() else f"CuPy {cupy.__version__} finds none"
    except ImportError as error:
        problem = f"CuPy cannot be imported ({error})"
    if problem:
        raise pytest.UsageError(
            f"--device cuda needs a GPU, and {problem}. Leave it out: device specs then run on a strict stand-in."
        )


def _install(config: pytest.Config, katas: bool) -> None:
    """Choose what is under test: for tests/ that is the reference, unless --impl says otherwise."""
    default = "student" if katas or not SOLUTIONS.is_dir() else "solutions"
    try:
        overlay.install(overlay.plan_for(config.getoption("impl") or default, config.getoption("alone")))
    except DojoError as error:
        raise pytest.UsageError(str(error)) from None


def _wants_pytests_terminal(config: pytest.Config) -> bool:
    options = ("plain", "help", "collectonly", "setupshow", "usepdb")
    return any(config.getoption(each, False) for each in options) or config.getoption("durations") is not None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Report threads that are left: at its end this process would wait for them, without a word."""
    watch = session.config.stash[THREADS]
    ledger = session.config.pluginmanager.get_plugin("dojo-ledger")
    if not isinstance(ledger, Ledger):
        return
    left = [thread for thread in watch.left() if kata_of_id(watch.began[thread][0])]
    if left:
        ledger.add([_left_running(thread.name, *watch.began[thread]) for thread in left])
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.stash[LEFT] = True


def _left_running(name: str, spec: str, line: str) -> Result:
    head = f"A thread is left running, {name}, and Python would wait for it for ever."
    body = [
        f"{specs.name_of(spec) or spec} began it and did not end it. Code that starts a thread has to tell it to end, "
        "and to join it, also after an error in between."
    ]
    where = [*labelled("begun in", [line]), *labelled("spec", spec.split("::", 1))]
    return Result(spec, "wrong", head, page(f"wrong: {head}", body, where), None, 0.0)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if THREADS in config.stash:
        config.stash[THREADS].uninstall()
    if LEFT in config.stash:  # there is no other way to end while such a thread runs
        process.tell({"ended": int(pytest.ExitCode.TESTS_FAILED)})
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(pytest.ExitCode.TESTS_FAILED)
    if STDERR in config.stash:
        faulthandler.disable()
        os.close(config.stash[STDERR])
        del config.stash[STDERR]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Switch garbage collection off during imports, which make objects that stay: it takes a tenth of the time."""
    gc.disable()
    try:
        _load_profile(session.config.getoption("profile"))
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _load_profile(name: str) -> None:
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.internal.conjecture import providers

    # Constants that stand in the code under test would be tried too: to find them, every module is parsed in every
    # run, and the examples would differ from student to student.
    inside = vars(providers)
    if "_get_local_constants" in inside:
        inside["_get_local_constants"] = inside["Constants"]

    common: dict[str, Any] = {
        "deadline": None,
        "database": None,
        "print_blob": False,
        "report_multiple_bugs": False,
        "phases": (Phase.explicit, Phase.generate, Phase.shrink),  # `explain` points at NumPy's insides
        "suppress_health_check": (HealthCheck.too_slow,),  # it measures the machine
    }
    settings.register_profile("few", max_examples=8, derandomize=True, **common)
    settings.register_profile("kata", max_examples=25, derandomize=True, **common)
    settings.register_profile("dojo", max_examples=100, derandomize=False, **common)
    settings.register_profile("thorough", max_examples=1000, derandomize=False, **common)
    settings.load_profile(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the specs on the path. The others are not said to be deselected: the path was chosen once for all."""
    path = config.getoption("path")
    if path == specs.WHOLE:
        return
    on_path: dict[Kata | None, Callable[[str], bool]] = {None: lambda id: True}
    for each in items:
        if (kata := kata_of(each.path)) and kata not in on_path:
            on_path[kata] = specs.chooser(kata, path)
    items[:] = [each for each in items if on_path[kata_of(each.path)](each.nodeid)]


@pytest.fixture(scope="session")  # hypothesis refuses fixtures of one function
def device(request: pytest.FixtureRequest) -> str:
    """The device on which a device spec puts its arrays. With `strict`, "cuda" is a stand-in for CuPy."""
    return "cpu" if request.config.getoption("device") == "cpu" else "cuda"


# Spec files that cannot be imported ---------------------------------------------------------------------


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if kata_of(module_path) is None:
        return None
    return SpecFile.from_parent(parent, path=module_path)


class SpecFile(pytest.Module):
    """A file of specs. If it cannot be imported, it holds one spec, which is red and says why."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        if self.config.pluginmanager.get_plugin("dojo-ledger"):
            process.tell({"begins": self.nodeid})
        try:
            if HUNG in self.config.stash:  # the other files import it too: do not wait for it again
                raise self.config.stash[HUNG]
            with _limited(self.config):
                _ = self.obj  # imports the file
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if isinstance(error, Hang):
                self.config.stash[HUNG] = error
            return [ImportSpec.from_parent(self, name=specs.IMPORT, error=error)]
        return super().collect()


class ImportSpec(pytest.Item):
    def __init__(self, *, error: BaseException, **rest: Any) -> None:
        super().__init__(**rest)
        self.error = error

    def runtest(self) -> NoReturn:
        raise self.error

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


# One spec -----------------------------------------------------------------------------------------------

STDERR = pytest.StashKey[int]()
THREADS = pytest.StashKey[threads.Watch]()
LEFT = pytest.StashKey[bool]()
HUNG = pytest.StashKey[Hang]()


@contextlib.contextmanager
def _limited(config: pytest.Config, marker: pytest.Mark | None = None) -> Iterator[None]:
    """A time limit on student code: an exception that names its line, then the end of the process.

    `@pytest.mark.timeout(30)` on a slow spec changes the limit, as it would for pytest-timeout.
    """
    limit: float = marker.args[0] if marker else config.getoption("dojo_limit")
    if config.getoption("usepdb", False) or limit <= 0:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> NoReturn:
        raise Hang(f"It was still running after {limit:g} s. {SLOW}")

    faulthandler.dump_traceback_later(limit + GRACE, exit=True, file=config.stash[STDERR])
    before = signal.signal(signal.SIGALRM, ring) if ALARM else None
    if ALARM:
        signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        _cancel()
        if ALARM:
            signal.signal(signal.SIGALRM, before)


def _cancel() -> None:
    if ALARM:
        signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()


def pytest_enter_pdb() -> None:
    _cancel()


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item) -> bool | None:
    """Specs have the limit above; pytest-timeout uses the same signal."""
    return True if kata_of(item.path) else None


@contextlib.contextmanager
def _guarded(item: pytest.Item) -> Iterator[None]:
    """Run a spec of kata N without kernels or tape of higher katas, with a time limit and the device it asks for."""
    kata = kata_of(item.path)
    if kata is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        if dispatch := sys.modules.get("tinytorch.dispatch"):
            stack.enter_context(dispatch.closed_above(kata.number))
        if "device" in getattr(item, "fixturenames", ()) and item.config.getoption("device") == "strict":
            from dojo.fake_cupy.modules import installed

            stack.enter_context(installed())
            stack.enter_context(_same_generators())
        stack.enter_context(_limited(item.config, item.get_closest_marker("timeout")))
        item.config.stash[THREADS].spec = item.nodeid
        yield


@contextlib.contextmanager
def _same_generators() -> Iterator[None]:
    """Afterwards kata 01's default generators are as before: one on a stand-in of a device would outlive it."""
    generators = getattr(sys.modules.get("tinytorch.setup"), "generators", {})
    before = dict(generators)
    try:
        yield
    finally:
        generators.clear()
        generators.update(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with _guarded(item) if _has_fixtures(item) else contextlib.nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with _guarded(item):
        try:
            return (yield)
        except (KeyboardInterrupt, pytest.exit.Exception) as error:
            if not _is_the_students(item, error):
                raise
            raise Misused from error
        except Exception as error:
            if not is_speechless(error):
                raise
            words = f"{type(error).__name__}: {said(error)}"
            raise Misused(words).with_traceback(error.__traceback__) from None


def _is_the_students(item: pytest.Item, error: BaseException) -> bool:
    """Whether student code itself raised the error.

    A real Ctrl-C does not reach a run that another process has started.
    """
    unheard = isinstance(error, pytest.exit.Exception) or process.stack_channel() is not None
    return kata_of(item.path) is not None and unheard and from_student(error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with _guarded(item) if _has_fixtures(item) else contextlib.nullcontext():
        return (yield)


def _has_fixtures(item: pytest.Item) -> bool:
    """Whether anything but pytest runs before and after the spec. A guard takes a tenth of a small spec's time."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    return any(name not in given for name in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    kata = kata_of(item.path)
    if kata is None:
        return (yield)
    item.repr_failure = lambda *_: ""  # type: ignore[method-assign]  # it is slow, and `explain` says it better
    report = yield
    if report.skipped and call.excinfo is not None and from_student(call.excinfo.value):
        report.outcome = "failed"  # a spec may skip itself; student code may not
    if report.failed and call.excinfo is not None:
        explanation = explain(call.excinfo.value, _spec(item, kata), _captured(report))
        report.dojo = explanation._asdict()  # type: ignore[attr-defined]  # plain: workers send it
        report.longrepr = explanation.text
        if explanation.state in ("inconclusive", "elsewhere"):  # neither red nor green, so `-x` goes on
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1] or 0, explanation.text)
    report.sections = [(name, text[-PRINTED:]) for name, text in report.sections]
    return report


def _spec(item: pytest.Item, kata: Kata) -> Spec:
    values = getattr(getattr(item, "callspec", None), "params", {})
    plain = {name: repr(value) for name, value in values.items() if isinstance(value, PLAIN)}
    functions = tuple(value for value in values.values() if callable(value))
    line = (item.location[1] or 0) + 1
    return Spec(kata, item.path, line, item.name, getattr(item, "function", None), plain, functions)


def _captured(report: pytest.TestReport) -> str:
    return "".join(text for name, text in report.sections if name.startswith("Captured std"))
