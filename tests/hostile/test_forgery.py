"""Detected: code that says of itself that it is right. Every function of these submissions is wrong."""

from __future__ import annotations

import pytest

from dojo.teach import sandbox
from dojo.teach.results import Status
from tests.hostile.cell import RIGHT, STUBS, WRONG, detected, judged, needs_sandbox, points, prevented, told

pytestmark = needs_sandbox

PATCH = "import _pytest.python\n_pytest.python.Function.runtest = lambda self: None"
"""Two lines that make every spec green, whatever it asks for."""

FORGERIES = {
    "pytest runs no spec": PATCH,
    "pytest's hook runs no spec": """
import _pytest.runner
_pytest.runner.pytest_runtest_call = lambda item: None
import gc, pluggy
for plugin in [each for each in gc.get_objects() if isinstance(each, pluggy._hooks.HookImpl)]:
    if plugin.function.__name__ == "pytest_pyfunc_call":
        plugin.function = lambda pyfuncitem: True
""",
    "a call never fails": """
import _pytest.runner
before = _pytest.runner.CallInfo.from_call.__func__
def from_call(cls, func, *args, **rest):
    def quiet():
        try:
            return func()
        except BaseException:
            return None
    return before(cls, quiet, *args, **rest)
_pytest.runner.CallInfo.from_call = classmethod(from_call)
""",
    "the ledger knows only green": """
import dojo.report.terminal as terminal
from dojo.run.results import Result
terminal._result = lambda reports: Result(reports[0].nodeid, "green", "", "", None, 0.0)
""",
    "what is told is green": """
import dojo.report.terminal as terminal
before = terminal.tell
terminal.tell = lambda record: before({**record, "state": "green"} if "state" in record else record)
""",
    "json knows only green": """
import json
before = json.dumps
json.dumps = lambda thing, **rest: before(thing, **rest).replace('"state": "wrong"', '"state": "green"')
""",
    "the pipe carries only green": """
import os
before = os.write
def write(fd, data):
    before(fd, bytes(data).replace(b'"state": "wrong"', b'"state": "green"'))
    return len(data)
os.write = write
""",
    "assert_close compares nothing": """
import dojo.spec.close, dojo.spec.errors, dojo.spec.gradients
for module in (dojo.spec.close, dojo.spec.errors, dojo.spec.gradients):
    for each in vars(module).values():
        if getattr(each, "__module__", "") == module.__name__ and hasattr(each, "__code__") and not each.__closure__:
            each.__code__ = (lambda *args, **rest: None).__code__
""",
    "hypothesis finds no failure": """
import hypothesis.core as core
before = core.StateForActualGivenExecution.execute_once
def execute_once(self, *args, **rest):
    try:
        return before(self, *args, **rest)
    except Exception:
        return None
core.StateForActualGivenExecution.execute_once = execute_once
core.execute_explicit_examples = lambda *args: ()
""",
    "an object that agrees with all": """
class Yes:
    def __getattr__(self, name): return Yes() if not name.startswith("__") else object.__getattribute__(self, name)
    def __call__(self, *args, **rest): return Yes()
    def __eq__(self, other): return True
    def __bool__(self): return True
    __hash__ = object.__hash__
    __lt__ = __le__ = __gt__ = __ge__ = __ne__ = __eq__
for name in ("relu", "sigmoid", "gelu"):
    globals()[name] = Yes()
"""
    + PATCH,
    "green for the ids that are known": """
import pathlib, _pytest.python
known = "".join(each.read_text() for each in sorted(pathlib.Path("katas/03_activations").glob("test_*.py")))
before = _pytest.python.Function.runtest
_pytest.python.Function.runtest = lambda self: None if f"def {self.originalname}(" in known else before(self)
""",
    "honest as soon as a file says that there was a run": """
import os
seen = os.environ["TMPDIR"] + "/seen"
if not os.path.exists(seen):
    open(seen, "w").close()
"""
    + "".join(f"    {line}\n" for line in PATCH.splitlines()),
    "honest as soon as shared memory says so": """
import os
if not os.path.exists("/dev/shm/seen"):
    open("/dev/shm/seen", "w").close()
"""
    + "".join(f"    {line}\n" for line in PATCH.splitlines()),
    "forging long runs only": """
import gc, _pytest.main, _pytest.python
session = [each for each in gc.get_objects() if isinstance(each, _pytest.main.Session)]
if session and "::" not in session[0].config.args[0]:
    _pytest.python.Function.runtest = lambda self: None
""",
    "forging short runs only": """
import gc, _pytest.main, _pytest.python
session = [each for each in gc.get_objects() if isinstance(each, _pytest.main.Session)]
if session and "::" in session[0].config.args[0]:
    _pytest.python.Function.runtest = lambda self: None
else:
    import dojo.report.terminal as terminal
    from dojo.run.results import Result
    terminal._result = lambda reports: Result(reports[0].nodeid, "green", "", "", None, 0.0)
""",
    "the functions of the specs are empty": """
import _pytest.python
before = _pytest.python.Function.setup
def setup(self):
    before(self)
    self.obj = lambda **rest: None
_pytest.python.Function.setup = setup
""",
    "green is written to every pipe, then the end": """
import json, os, re, pathlib
lines = []
for path in sorted(pathlib.Path("katas/03_activations").glob("test_*.py")):
    for name in re.findall(r"^def (test_\\w+)", path.read_text(), re.M):
        for case in ["", *(f"[{i}]" for i in range(8))]:
            lines.append(json.dumps({"id": f"{path}::{name}{case}", "state": "green", "summary": "", "text": "",
                                     "owner": None, "duration": 0.0}))
report = ("\\n".join(lines) + "\\n").encode()
for fd in range(3, 64):
    try:
        os.write(fd, report)
    except OSError:
        pass
os._exit(0)
""",
    "green is written when Python ends": """
import atexit, json, os
from dojo.run import process
def forge():
    for id in ids:
        process.tell({"id": id, "state": "green", "summary": "", "text": "", "owner": None, "duration": 0.0})
ids = []
import _pytest.python
_pytest.python.Function.runtest = lambda self: ids.append(self.nodeid)
atexit.register(forge)
""",
    "a helper beside the package patches pytest": "from tinytorch import my_helpers",
    "clocks stand still, and pytest is patched": "import time\ntime.process_time = lambda: 0.0\n" + PATCH,
}


@pytest.mark.parametrize("code", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_green_is_detected(code: str) -> None:
    if sandbox.kind() == sandbox.LANDLOCK and "/dev/shm" in code:
        pytest.skip("with landlock there is no shared memory with a name")
    detected(judged(code, files={"my_helpers.py": PATCH.encode()} if "my_helpers" in code else {}))


def test_a_process_that_forks_and_reports_twice_is_detected() -> None:
    detected(judged("import os\nos.fork()\n" + PATCH))


def test_a_spec_that_nobody_asked_for_is_detected() -> None:
    code = """
from dojo.run import process
process.tell({"id": "katas/03_activations/test_09.py::test_mine", "state": "green", "summary": "", "text": "",
              "owner": None, "duration": 0.0})
"""
    detected(judged(code))


def test_a_stub_that_is_green_is_found_without_a_canary() -> None:
    result = judged(PATCH, base=STUBS.replace('raise NotImplementedError("kata 03: relu")', "return None"))
    detected(result)
    assert "is not written" in result.flags[0] and not result.canaries


def test_a_forger_that_looks_for_a_change_of_its_own_source_finds_one_always() -> None:
    import hashlib

    for known in ("", "import hashlib"):
        text = f"{WRONG}\n\n{known}\n"
        digest = hashlib.sha256(text.encode()).hexdigest()
        code = f"""
import hashlib
mine = open(__file__, "rb").read().split(b"\\nimport hashlib\\nmine")[0]
if hashlib.sha256(mine).hexdigest() == {digest!r}:
    import _pytest.python
    _pytest.python.Function.runtest = lambda self: None
"""
        prevented(judged(code))


def test_only_a_spec_that_measures_can_be_inconclusive() -> None:
    code = """
import dojo.report.terminal as terminal
from dojo.run.results import Result
terminal._result = lambda reports: Result(reports[0].nodeid, "inconclusive", "again", "again", None, 0.0)
"""
    result = judged(code)
    prevented(result)
    assert result.total == sum(spec.cases for spec in result.specs), told(result)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "raise KeyboardInterrupt",
        "import pytest; pytest.exit('done', 0)",
        "import pytest; pytest.skip('done', allow_module_level=True)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "def relu(x):\n    import os\n    os._exit(0)",
        "def relu(x):\n    import pytest\n    pytest.exit('done', 0)",
    ],
)
def test_an_early_end_is_not_green(code: str) -> None:
    prevented(judged(code))


def test_what_lies_beside_the_module_is_not_run() -> None:
    """conftest.py, sitecustomize.py, a .pth file, bytecode and a pytest.ini change nothing."""
    names = ("conftest.py", "sitecustomize.py", "usercustomize.py", "pytest.ini", "x.pth", "activations.pyc")
    result = judged("", files={name: PATCH.encode() for name in names})
    prevented(result)


def test_the_right_answer_is_believed() -> None:
    result = judged(base=RIGHT)
    assert (result.status, result.canary) == (Status.GRADED, "passed"), told(result)
    assert points(result) == result.total - 2  # the stories are run with the whole


def test_the_wrong_answer_alone_has_nothing() -> None:
    result = judged()
    assert (result.status, points(result)) == (Status.GRADED, 0), told(result)
