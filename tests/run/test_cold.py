"""The verdict on a kata, whatever the student's code does to the process that runs it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dojo.run.cold import Verdict
from dojo.run.results import Result
from tests import small_repository
from tests.small_repository import LISTS, OPTIMIZERS, SETUP, STUB, TENSOR, dojo, environment, write

CODE = """
import sys
from dojo.catalogue import kata
from dojo.run.cold import run_kata
verdict = run_kata(kata(1), args={args!r}, limit={limit!r})
print(verdict.said)
sys.stdout.flush()
open("verdict", "w").write(repr(verdict))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("repository"))


def run(
    repository: Path, module: str, args: tuple[str, ...] = ("-x",), limit: float = 30.0
) -> tuple[Verdict, str]:
    write(repository / "tinytorch/setup.py", module)
    command = [sys.executable, "-c", CODE.format(args=args, limit=limit)]
    done = subprocess.run(
        command,
        cwd=repository,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    verdict = eval((repository / "verdict").read_text(), {"Result": Result, "Verdict": Verdict})
    return verdict, done.stdout


def documented(module: str) -> str:
    """The skeleton is made of functions with docstrings."""
    return re.sub(r"(def .*:\n)", r'\1    """It does it."""\n', module)


def double(body: str) -> str:
    return f"import os, time\n\n\ndef double(x):\n    {body}\n\n\ndef triple(x):\n    return 3 * x\n"


def test_green_is_every_spec_of_the_list(repository: Path) -> None:
    verdict, shown = run(repository, SETUP)
    assert (verdict.code, verdict.missing, verdict.first_red) == (0, [], None)
    assert [r.state for r in verdict.results] == ["green"] * 3
    assert shown.endswith("3/3 green\n\n") and verdict.said == ""


@pytest.mark.parametrize("code", ["", ", 0"])
def test_a_part_that_was_stopped_is_not_green(repository: Path, code: str) -> None:
    verdict, shown = run(
        repository, double(f"import pytest; pytest.exit('enough'{code})"), ("-x", "-k", "double")
    )
    assert verdict.code == 1 and all(r.state == "wrong" for r in verdict.results)
    assert "Your code called pytest.exit()." in shown


RAISED = {
    "import pytest; pytest.skip('no second device')": "Your code called pytest.skip()",
    "from dojo.spec import Inconclusive; raise Inconclusive('busy')": "Inconclusive: busy",
    "raise KeyboardInterrupt": "Your code raised KeyboardInterrupt",
    "raise SystemExit": "Your code called exit()",
    "input()": "Your code waits for input(), and a spec has no keyboard",
    "breakpoint(); return x": "Your code starts a debugger",
}


@pytest.mark.parametrize("body", RAISED)
def test_student_code_cannot_talk_itself_out_of_a_spec(repository: Path, body: str) -> None:
    verdict, shown = run(repository, double(body), args=("-x",))
    assert verdict.code == 1 and verdict.first_red is not None and verdict.first_red.state == "wrong"
    assert RAISED[body] in " ".join(shown.split())
    assert "tinytorch/setup.py:" in shown


def test_a_spec_that_skips_itself_says_why(repository: Path) -> None:
    spec = repository / "katas/01_setup/test_02_triple.py"
    before = spec.read_text()
    write(
        spec,
        before.replace("    assert triple", "    __import__('pytest').skip('one device')\n    assert triple"),
    )
    try:
        verdict, shown = run(repository, SETUP)
    finally:
        write(spec, before)
    assert [r.state for r in verdict.results] == ["green", "green", "inconclusive"]
    assert "\nSkipped: one device\n" in shown and verdict.code == 1


def test_the_first_red_spec_ends_the_run(repository: Path) -> None:
    verdict, shown = run(repository, STUB)
    assert verdict.code == 1 and len(verdict.missing) == 2
    assert verdict.first_red is not None and verdict.first_red.owner == (1, "double")
    assert "next: write `double` in tinytorch/setup.py:3" in shown


def test_a_spec_that_is_gone_is_not_green(repository: Path) -> None:
    path = repository / "katas/01_setup/test_02_triple.py"
    aside = path.rename(repository / "aside")
    try:
        verdict, shown = run(repository, SETUP)
        assert verdict.code == 1 and verdict.missing == ["test_triple_of_two"]
        assert "1 of the kata's specs did not run (test_triple_of_two)" in " ".join(shown.split())
    finally:
        aside.rename(path)


def test_what_was_left_out_on_purpose_is_not_missed(repository: Path) -> None:
    verdict, shown = run(repository, SETUP, args=("-k", "two"))
    assert verdict.code == 0 and "2/2 green (1 not selected)" in shown


def test_arguments_that_pytest_refuses(repository: Path) -> None:
    verdict, shown = run(repository, SETUP, args=("--nonsense",))
    assert verdict.code == 2 and "unrecognized arguments: --nonsense" in shown


def test_exit_in_the_middle_is_seen(repository: Path) -> None:
    verdict, shown = run(repository, double("os._exit(0)"))
    red = verdict.first_red
    assert verdict.code == 1 and red is not None and red.id.endswith("::test_double_of_two")
    assert "0/3 green\n\nwrong: test_double_of_two did not come to its end." in shown
    assert "exit status 0. Does your code call os._exit()?" in " ".join(shown.split())


def test_exit_at_import_is_seen(repository: Path) -> None:
    verdict, shown = run(repository, "import os\nos._exit(0)\n")
    assert verdict.code == 1 and "test_01_double.py could not be imported." in shown


def test_a_loop_is_stopped_at_its_line(repository: Path) -> None:
    verdict, shown = run(repository, double("while True: pass"), args=("-x", "--dojo-limit=0.5"))
    assert verdict.code == 1 and "It was still running after 0.5 s." in shown
    assert "A loop that never ends, or something very slow?" in " ".join(shown.split())
    assert "your line  tinytorch/setup.py:5" in shown


def test_a_loop_at_import_is_waited_for_once(repository: Path) -> None:
    verdict, shown = run(repository, "while True: pass\n", args=("--dojo-limit=0.5",))
    assert verdict.code == 1 and "your line  tinytorch/setup.py:1" in shown
    reds = [result for result in verdict.results if result.state == "wrong"]
    assert len(reds) == 2, "a red spec stands for each of the two files"
    assert reds[1].duration < 0.4 and "still running after 0.5 s" in reds[1].text


def test_a_loop_that_no_exception_gets_out_of_is_stopped_too(repository: Path) -> None:
    body = "while True:\n        try:\n            time.sleep(0.01)\n        except BaseException: pass"
    verdict, shown = run(repository, double(body), args=("-x", "--dojo-limit=0.5"))
    assert verdict.code == 1 and "and nothing could interrupt it" in " ".join(shown.split())
    assert "your line  tinytorch/setup.py:7" in shown


def test_the_whole_run_has_a_limit_and_leaves_nothing_running(repository: Path) -> None:
    started = time.monotonic()
    verdict, shown = run(repository, double("os.system('sleep 60')"), limit=1.5)
    assert time.monotonic() - started < 10
    assert verdict.code == 1 and "It was still running after 1.5 s." in shown


def test_a_flood_of_output_is_cut(repository: Path) -> None:
    verdict, shown = run(repository, double("print('spam\\n' * 300_000); return 5"))
    assert verdict.code == 1 and len(shown) < 2000
    assert "... 299,995 lines before" in shown


def test_what_pytest_collects_on_the_reference_is_listed(repository: Path) -> None:
    for name, module in {"__init__": "", "setup": SETUP, "tensor": TENSOR, "optimizers": OPTIMIZERS}.items():
        write(repository / f"solutions/tinytorch/{name}.py", documented(module))
    for name in LISTS:
        (repository / f"katas/{name}/specs.txt").write_text("test_stale 7\n", encoding="utf-8")
    done = dojo(repository, "dev-specs")
    assert "katas/01_setup/specs.txt lists 3 cases of 3 specs, 0 cases of them short.\n" in done.stdout
    assert {name: (repository / f"katas/{name}/specs.txt").read_text() for name in LISTS} == LISTS


def test_a_case_whose_id_depends_on_student_code_is_not_listed(repository: Path) -> None:
    spec = repository / "katas/06_optimizers/test_01_step.py"
    before = spec.read_text()
    case = "import pytest, tinytorch.optimizers as o\n\n\n@pytest.mark.parametrize('x', [hasattr(o, '_twice')])\n"
    write(spec, before.replace("def test_step():", f"{case}def test_step(x):"))
    with (repository / "solutions/tinytorch/optimizers.py").open("a", encoding="utf-8") as file:
        file.write("\n\ndef _twice(x):\n    return 2 * x\n")
    try:
        done = dojo(repository, "dev-specs")
    finally:
        write(spec, before)
    assert done.returncode == 2 and "is there only on the" in done.stdout
