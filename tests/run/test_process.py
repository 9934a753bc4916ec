"""Child processes: what they tell, how they end, and that it is told in the same words wherever they are used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dojo.run import process
from dojo.run.process import Child, Ending
from tests import small_repository
from tests.small_repository import SETUP, dojo, write

SPAWNED = """
import os, signal, sys, time
sys.path.append({root!r})
from dojo.run import process
process.connect()
{body}
"""
ROOT = Path(process.__file__).parents[2]


def spawned(body: str, tmp_path: Path, **options: object) -> Child:
    script = tmp_path / "script.py"
    script.write_text(SPAWNED.format(root=str(ROOT), body=body))
    return process.spawn([sys.executable, str(script)], cwd=tmp_path, kept=("stdout", "stderr"), **options)  # type: ignore[arg-type]


def forked(body: str, tmp_path: Path, **options: object) -> Child:
    def run() -> None:
        exec(body, {"os": os, "process": process, "signal": signal, "sys": sys, "time": time})

    return process.fork(run, kept=True, **options)  # type: ignore[arg-type]


both = pytest.mark.parametrize("start", [spawned, forked])


@both
def test_a_child_tells_in_order_and_its_end_is_known(start: type, tmp_path: Path) -> None:
    body = (
        "for i in range(3): process.tell({'begins': f'step {i}'})\nprint('words')\nprocess.tell({'ended': 5})"
    )
    child = start(body, tmp_path)
    ending = child.wait()
    assert (ending.kind, ending.number, ending.running) == (process.DONE, 5, "step 2")
    assert [told.get("begins") for told in child.take()][:3] == ["step 0", "step 1", "step 2"]
    assert child.take() == []
    assert child.output == "words\n"


@both
@pytest.mark.parametrize(
    ("body", "kind", "number"),
    [
        ("os._exit(3)", process.EXIT, 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", process.SIGNAL, signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSTOP)", process.SIGNAL, signal.SIGSTOP),
        ("raise KeyboardInterrupt", process.INTERRUPTED, 0),
    ],
)
def test_how_a_child_can_end(start: type, tmp_path: Path, body: str, kind: str, number: int) -> None:
    if start is spawned and kind == process.INTERRUPTED:
        body = f"sys.exit({process.INTERRUPT_CODE})"
    process_ = start(f"process.tell({{'begins': 'it'}})\n{body}", tmp_path)
    assert process_.wait() == Ending(kind, number, running="it")


@both
def test_a_crash_names_its_line(start: type, tmp_path: Path) -> None:
    ending = start("import ctypes\n\n\ndef crash():\n    ctypes.string_at(0)\n\n\ncrash()", tmp_path).wait()
    assert (ending.kind, ending.number) == (process.SIGNAL, signal.SIGSEGV)
    assert "crash" in [frame.function for frame in ending.stack]
    assert str(ending) == "The process was killed by SIGSEGV."


@both
def test_a_child_that_is_over_its_limit_is_ended_and_says_where_it_was(start: type, tmp_path: Path) -> None:
    child = start("def forever():\n    while True: pass\n\n\nforever()", tmp_path, limit=0.5)
    ending = child.wait()
    assert (ending.kind, ending.seconds) == (process.LIMIT, 0.5)
    assert ending.stack[0].function == "forever"
    assert str(ending) == f"It was still running after 0.5 s. {process.SLOW}"
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


@both
def test_what_a_child_started_ends_with_it(start: type, tmp_path: Path) -> None:
    body = (
        "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"
        "process.tell({'begins': str(child.pid)})\ntime.sleep(60)"
    )
    child = start(body, tmp_path)
    while not child.running:
        child.poll()
        time.sleep(0.01)
    child.kill()
    for _ in range(200):  # the process table needs a moment
        if not Path(f"/proc/{child.running}").exists():
            break
        time.sleep(0.01)
    state = subprocess.run(["ps", "-o", "stat=", "-p", child.running], capture_output=True, text=True).stdout
    assert state.strip() in ("", "Z") or state.startswith("Z")


@both
def test_a_child_whose_work_is_done_and_that_does_not_end_is_ended(start: type, tmp_path: Path) -> None:
    began = time.monotonic()
    ending = start("process.tell({'ended': 0})\ntime.sleep(60)", tmp_path).wait()
    assert ending.kind == process.DONE and time.monotonic() - began < 15


@both
def test_lines_that_are_no_records_are_passed_over(start: type, tmp_path: Path) -> None:
    body = (
        "os.write(process._channel[0], b'nonsense\\n[1]\\n{\"begins\": 3}\\n')\nprocess.tell({'told': 1})\n"
        "process.tell({'ended': 0})"
    )
    child = start(body, tmp_path)
    assert child.wait().kind == process.DONE
    assert {"told": 1} in child.take()


def test_a_report_that_cannot_be_written_is_said() -> None:
    def deaf() -> None:
        assert process._channel is not None
        os.close(process._channel[0])
        process.tell({"begins": "it"})

    assert str(process.fork(deaf, kept=True).wait()) == (
        "The report of the run could not be written. Is the disk full?"
    )


def test_ctrl_c_reaches_a_child_at_the_terminal_and_gives_it_a_moment(tmp_path: Path) -> None:
    parent = f"""
import sys
sys.path.append({str(ROOT)!r})
from pathlib import Path
from dojo.run import process
child = process.spawn([sys.executable, "child.py"], cwd=Path("."), terminal=True)
try:
    child.wait()
except KeyboardInterrupt:
    print("parent:", child.ending.kind, flush=True)
"""
    (tmp_path / "parent.py").write_text(parent)
    body = (
        "print('on', flush=True)\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    time.sleep(0.3)\n"
        "    print('child: saved', flush=True)\n    sys.exit(130)"
    )
    (tmp_path / "child.py").write_text(SPAWNED.format(root=str(ROOT), body=body))
    command = [sys.executable, "parent.py"]
    shell = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert shell.stdout is not None and shell.stdout.readline() == "on\n"
    time.sleep(0.5)  # the parent waits now
    os.killpg(shell.pid, signal.SIGINT)
    assert shell.communicate(timeout=120)[0] == "child: saved\nparent: interrupted\n"


# The same words for its four users ----------------------------------------------------------------------

LOOP = "while True:\n        try:\n            time.sleep(0.01)\n        except BaseException: pass"
DEATHS = {
    "a loop that swallows the alarm": (
        LOOP,
        "It was still running after 3 s, and nothing could interrupt it.",
    ),
    "os._exit": ("os._exit(0)", "The process ended in the middle, with exit status 0."),
    "SIGKILL": ("os.kill(os.getpid(), 9)", "The process was killed by SIGKILL. Did it use up the memory?"),
    "a crash": ("import ctypes; ctypes.string_at(0)", "The process was killed by SIGSEGV."),
}
SPEC = '''
from dojo.spec.child import in_child
from tinytorch.setup import double


def test_double_of_two():
    """`double(2)` is 4, in a child process too."""
    in_child(lambda: {"x": double(2)})


def test_double_of_a_negative():
    """`double(-3)` is -6."""
    assert double(-3) == -6
'''
SCENE = '''
from tinytorch.setup import double


def main(report):
    """It doubles."""
    report.on = "numbers"
    return report.verdict(double(2) == 4, "doubled")
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = small_repository.build(tmp_path_factory.mktemp("repository"))
    write(home / "katas/06_optimizers/milestone.py", SCENE)
    pyproject = (home / "pyproject.toml").read_text()
    write(home / "pyproject.toml", pyproject.replace("--import-mode", "--dojo-limit=1 --import-mode"))
    return home


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("user", ["kata", "board", "milestone", "spec"])
def test_a_death_is_told_in_the_same_words(home: Path, user: str, death: str) -> None:
    body, words = DEATHS[death]
    write(home / "tinytorch/setup.py", "import os, time\n" + SETUP.replace("return 2 * x", body))
    specs = home / "katas/01_setup/test_01_double.py"
    write(specs, SPEC if user == "spec" else small_repository.SPECS["01_setup/test_01_double.py"])
    if user == "milestone":
        if body is LOOP:
            pytest.skip("a milestone has no limit: Ctrl-C ends it")
        done = dojo(home, "milestone", "6", "--impl", "tinytorch")
    else:
        done = dojo(home, *(["board"] if user == "board" else ["kata", "1"]), COLUMNS="200")
    said = " ".join(done.stdout.split())
    if user == "spec" and body is LOOP:
        words = "It was still running after 1 s."  # the spec's own limit ends its child
    assert words in said
    assert "Traceback" not in done.stdout and "Fatal Python error" not in done.stdout
    if user != "board" and death in ("a loop that swallows the alarm", "a crash"):
        assert "your line tinytorch/setup.py:" in said
