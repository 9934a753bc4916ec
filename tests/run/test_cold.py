"""The verdict on a kata, whatever the student's code does to the process that runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dojo.run.cold import Result, Verdict
from tests import small_repository
from tests.small_repository import MANIFEST, OPTIMIZERS, SETUP, STUB, TENSOR, environment, write

CODE = """
import sys
from dojo.catalogue import kata
from dojo.run.cold import run_kata
verdict = run_kata(kata(1), args={args!r}, limit={limit!r})
sys.stdout.flush()
open("verdict", "w").write(repr(verdict))
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("house"))


def run(
    house: Path, module: str, args: tuple[str, ...] = ("-x",), limit: float = 30.0
) -> tuple[Verdict, str]:
    write(house / "tinytorch/setup.py", module)
    command = [sys.executable, "-c", CODE.format(args=args, limit=limit)]
    done = subprocess.run(
        command,
        cwd=house,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    verdict = eval((house / "verdict").read_text(), {"Result": Result, "Verdict": Verdict})
    return verdict, done.stdout


def double(body: str) -> str:
    return f"import os, time\n\n\ndef double(x):\n    {body}\n\n\ndef triple(x):\n    return 3 * x\n"


def test_green_is_every_spec_of_the_manifest(house: Path) -> None:
    verdict, shown = run(house, SETUP)
    assert (verdict.code, verdict.missing, verdict.first_red) == (0, [], None)
    assert [r.state for r in verdict.results] == ["green"] * 3
    assert shown.endswith("3/3 green\n")


@pytest.mark.parametrize("code", ["", ", 0"])
def test_a_part_that_was_stopped_is_not_green(house: Path, code: str) -> None:
    verdict, shown = run(house, double(f"import pytest; pytest.exit('enough'{code})"), ("-x", "-k", "double"))
    assert (verdict.code, verdict.results) == (1, [])
    assert "Stopped: enough" in shown


def test_a_skipped_spec_says_why(house: Path) -> None:
    verdict, shown = run(house, double("import pytest; pytest.skip('no second device')"))
    assert [r.state for r in verdict.results] == ["inconclusive", "inconclusive", "green"]
    assert "\nSkipped: no second device\n" in shown
    assert verdict.code == 1


def test_the_first_red_spec_ends_the_run(house: Path) -> None:
    verdict, shown = run(house, STUB)
    assert verdict.code == 1 and len(verdict.missing) == 2
    assert verdict.first_red is not None and verdict.first_red.owner == (1, "double")
    assert "next: write `double` in tinytorch/setup.py:3" in shown


def test_a_spec_that_is_gone_is_not_green(house: Path) -> None:
    path = house / "katas/01_setup/test_02_triple.py"
    aside = path.rename(house / "aside")
    try:
        verdict, shown = run(house, SETUP)
        assert verdict.code == 1 and verdict.missing == [
            "katas/01_setup/test_02_triple.py::test_triple_of_two"
        ]
        assert "1 of the kata's specs did not run (test_triple_of_two)" in " ".join(shown.split())
    finally:
        aside.rename(path)


def test_what_was_left_out_on_purpose_is_not_missed(house: Path) -> None:
    verdict, shown = run(house, SETUP, args=("-k", "two"))
    assert verdict.code == 0 and "2/2 green (1 not selected)" in shown


def test_arguments_that_pytest_refuses(house: Path) -> None:
    verdict, shown = run(house, SETUP, args=("--nonsense",))
    assert verdict.code == 2 and "unrecognized arguments: --nonsense" in shown


def test_exit_in_the_middle_is_seen(house: Path) -> None:
    verdict, shown = run(house, double("os._exit(0)"))
    red = verdict.first_red
    assert verdict.code == 1 and red is not None and red.id.endswith("::test_double_of_two")
    assert "0/3 green\n\nwrong: test_double_of_two did not come to its end." in shown
    assert "exit status 0. Does your code call os._exit()?" in " ".join(shown.split())


def test_exit_at_import_is_seen(house: Path) -> None:
    verdict, shown = run(house, "import os\nos._exit(0)\n")
    assert verdict.code == 1 and "test_01_double.py could not be imported." in shown


def test_a_loop_is_stopped_at_its_line(house: Path) -> None:
    verdict, shown = run(house, double("while True: pass"), args=("-x", "--dojo-limit=0.5"))
    assert verdict.code == 1 and "It was still running after 0.5 s." in shown
    assert "A loop that never ends, or something very slow?" in " ".join(shown.split())
    assert "your line  tinytorch/setup.py:5" in shown


def test_a_loop_at_import_is_waited_for_once(house: Path) -> None:
    verdict, shown = run(house, "while True: pass\n", args=("--dojo-limit=0.5",))
    assert verdict.code == 1 and "your line  tinytorch/setup.py:1" in shown
    reds = [result for result in verdict.results if result.state == "wrong"]
    assert len(reds) == 2, "a red spec stands for each of the two files"
    assert reds[1].duration < 0.4 and "still running after 0.5 s" in reds[1].text


def test_a_loop_that_no_exception_gets_out_of_is_stopped_too(house: Path) -> None:
    body = "while True:\n        try:\n            time.sleep(0.01)\n        except BaseException: pass"
    verdict, shown = run(house, double(body), args=("-x", "--dojo-limit=0.5"))
    assert verdict.code == 1 and "and nothing could interrupt it" in " ".join(shown.split())
    assert "your line  tinytorch/setup.py:7" in shown


def test_the_whole_run_has_a_limit_and_leaves_nothing_running(house: Path) -> None:
    started = time.monotonic()
    verdict, shown = run(house, double("os.system('sleep 60')"), limit=1.5)
    assert time.monotonic() - started < 10
    assert verdict.code == 1 and "It was stopped after 1.5 s." in shown


def test_a_flood_of_output_is_cut(house: Path) -> None:
    verdict, shown = run(house, double("print('spam\\n' * 300_000); return 5"))
    assert verdict.code == 1 and len(shown) < 2000
    assert "... 299,995 lines before" in shown


def test_the_manifest_lists_what_is_collected_on_the_reference(house: Path) -> None:
    for name, module in {"__init__": "", "setup": SETUP, "tensor": TENSOR, "optimizers": OPTIMIZERS}.items():
        write(house / f"solutions/tinytorch/{name}.py", module)
    (house / "katas/manifest.txt").write_text("stale\n", encoding="utf-8")
    command = [sys.executable, "-c", "from dojo.run.specs import run; run(None)"]
    done = subprocess.run(command, cwd=house, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.stdout == "katas/manifest.txt lists 6 specs.\n"
    assert (house / "katas/manifest.txt").read_text(encoding="utf-8") == MANIFEST
