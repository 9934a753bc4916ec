"""A student's work is never lost: backups, and the commands that write into tinytorch/, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import OPTIMIZERS, TENSOR, dojo, environment, write

SKELETON = '"""Kata 01."""\n\n\ndef double(x):\n    """Twice x."""\n    raise NotImplementedError("kata 01: double")\n'
REFERENCE = '"""Kata 01."""\n\n\ndef double(x):\n    """Twice x."""\n    return 2 * x\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The small repository, with a reference and with a student who is at work on kata 01."""
    home = small_repository.build(tmp_path)
    write(home / "solutions/tinytorch/__init__.py", "")
    for name, text in {"setup": REFERENCE, "tensor": TENSOR, "optimizers": OPTIMIZERS}.items():
        write(home / f"solutions/tinytorch/{name}.py", text)
    write(home / "tinytorch/setup.py", "# mine\n")
    return home


def text(home: Path, name: str) -> str:
    return (home / "tinytorch" / name).read_text()


def backups(home: Path) -> list[Path]:
    return sorted((home / ".dojo/backups").iterdir()) if (home / ".dojo/backups").is_dir() else []


def test_the_maintainers_skeleton_takes_no_work_back_without_being_told(home: Path) -> None:
    reset_house(home)
    write(home / "tinytorch/setup.py", REFERENCE)
    done = dojo(home, "dev-skeleton")
    assert done.returncode == 2 and "double" in done.stdout and "make restore N=1" in done.stdout
    assert text(home, "setup.py") == REFERENCE and backups(home) == []
    assert dojo(home, "dev-skeleton", "FORCE=1").returncode == 0
    assert text(home, "setup.py") == SKELETON
    dojo(home, "restore", "N=1")
    assert text(home, "setup.py") == REFERENCE


# reset and restore --------------------------------------------------------------------------------------


def reset_house(home: Path) -> None:
    """Kata 02 of the small repository has no docstrings, so that only kata 01 can be made a skeleton."""
    for name in ("tensor", "optimizers"):
        write(home / f"solutions/tinytorch/{name}.py", "LIMIT = 1\n")


def test_reset_puts_the_skeleton_back_and_restore_takes_yours_back(home: Path) -> None:
    reset_house(home)
    done = dojo(home, "reset", "N=1")
    assert done.returncode == 0, done.stdout
    assert text(home, "setup.py") == SKELETON
    assert text(home, "tensor.py") == TENSOR
    assert "make restore N=1" in done.stdout

    assert "before reset  (1 file differs)" in dojo(home, "restore").stdout
    assert dojo(home, "restore", "N=1").returncode == 0
    assert text(home, "setup.py") == "# mine\n"


def test_restore_can_itself_be_undone(home: Path) -> None:
    reset_house(home)
    dojo(home, "reset", "N=1")
    dojo(home, "restore", "N=1")
    dojo(home, "restore", "N=1")
    assert text(home, "setup.py") == SKELETON
    assert len(backups(home)) == 3


def test_a_module_that_became_a_package_is_reset_whole(home: Path) -> None:
    reset_house(home)
    (home / "tinytorch/setup.py").unlink()
    write(home / "tinytorch/setup/__init__.py", "# mine\n")
    assert dojo(home, "reset", "N=1").returncode == 0
    assert text(home, "setup.py") == SKELETON
    assert not (home / "tinytorch/setup").exists()
    dojo(home, "restore", "N=1")
    assert text(home, "setup/__init__.py") == "# mine\n"
    assert not (home / "tinytorch/setup.py").exists()


def test_a_module_has_files_of_every_kind_in_folders(home: Path) -> None:
    reset_house(home)
    (home / "solutions/tinytorch/setup.py").unlink()
    for name, words in {
        "__init__.py": REFERENCE,
        "web/page.html": "<p>theirs</p>",
        "web/rows.py": "A = 1\n",
    }.items():
        write(home / "solutions/tinytorch/setup" / name, words)
    write(home / "katas/01_setup/test_01_double.py", SPEC_OF_A_PAGE)
    write(home / "katas/01_setup/specs.txt", "test_page 1\n")
    assert dojo(home, "reset", "N=1").returncode == 0
    assert text(home, "setup/__init__.py") == SKELETON and not (home / "tinytorch/setup.py").exists()
    assert (
        text(home, "setup/web/page.html") == "<p>theirs</p>" and text(home, "setup/web/rows.py") == "A = 1\n"
    )

    assert "01 setup 1 0" in " ".join(dojo(home, "board").stdout.split())
    write(home / "tinytorch/setup/web/page.html", "<p>mine</p>")
    assert "01 setup 0 1" in " ".join(dojo(home, "board").stdout.split()), "the board looks at the page too"
    assert "+<p>theirs</p>" in dojo(home, "diff", "N=1").stdout


SPEC_OF_A_PAGE = '''
from pathlib import Path

import tinytorch.setup


def test_page():
    """The page says whose it is."""
    assert "theirs" in (Path(tinytorch.setup.__file__).parent / "web/page.html").read_text()
'''


def test_resetting_what_is_the_skeleton_makes_no_backup(home: Path) -> None:
    reset_house(home)
    write(home / "tinytorch/setup.py", SKELETON)
    assert "already" in dojo(home, "reset", "N=1").stdout
    assert backups(home) == []


def test_a_backup_holds_everything_but_bytecode(home: Path) -> None:
    reset_house(home)
    write(home / "tinytorch/notes/plan.txt", "a plan")
    write(home / "tinytorch/__pycache__/setup.pyc", "")
    dojo(home, "reset", "N=1")
    [backup] = backups(home)
    found = sorted(str(path.relative_to(backup)) for path in backup.rglob("*") if path.is_file())
    assert found == ["__init__.py", "notes/plan.txt", "optimizers.py", "setup.py", "tensor.py"]
    assert text(home, "notes/plan.txt") == "a plan"


def test_a_folder_that_is_gone_is_restored(home: Path) -> None:
    reset_house(home)
    dojo(home, "reset", "N=1")
    (home / "tinytorch").rename(home / "gone")
    assert dojo(home, "restore", "N=1").returncode == 0
    assert text(home, "setup.py") == "# mine\n"


@pytest.mark.parametrize("number", ["0", "2", "abc", "-1"])
def test_a_backup_that_is_not_there_is_a_sentence(home: Path, number: str) -> None:
    reset_house(home)
    done = dojo(home, "restore", f"N={number}")
    assert (done.returncode, done.stdout.startswith("There is no backup yet")) == (2, True)
    dojo(home, "reset", "N=1")
    done = dojo(home, "restore", f"N={number}")
    assert done.returncode == 2
    assert f"There is no backup {number!r}: they are numbered 1 to 1" in done.stdout


def test_a_command_that_is_killed_leaves_no_half_written_file(home: Path) -> None:
    """Killed at any moment, every file is the old one or the new one, and what was there is in a backup."""
    big = "A = 1\n" + "# a line of the reference\n" * 40_000
    for name in ("tensor", "optimizers"):
        write(home / f"solutions/tinytorch/{name}.py", big)
    command = [sys.executable, "-m", "dojo", "start", "N=6", "FORCE=1"]
    for delay in (0.25, 0.3, 0.35):
        child = subprocess.Popen(command, cwd=home, env=environment(), stdout=subprocess.DEVNULL)
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert text(home, "tensor.py") in (TENSOR, big)
        assert text(home, "setup.py") in ("# mine\n", REFERENCE)
        if text(home, "setup.py") != "# mine\n":
            assert any((backup / "setup.py").read_text() == "# mine\n" for backup in backups(home))


def test_a_folder_that_cannot_be_written_is_a_sentence(home: Path) -> None:
    reset_house(home)
    write(home / ".dojo/backups", "a file where a folder should be")
    done = dojo(home, "reset", "N=1")
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    assert "No backup can be made" in done.stdout
    assert text(home, "setup.py") == "# mine\n"


DISK_FULL = """
import errno, pathlib
from dojo.student import restore
from dojo.tree import backups

def write_bytes(path, data):
    if path.name.startswith(".tensor.py"):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    path.write_text(data.decode())

pathlib.Path.write_bytes = write_bytes
restore.restore(backups.saved()[-1])
"""


def test_where_one_file_cannot_be_written_none_is_changed(home: Path) -> None:
    write(home / ".dojo/backups/2026-01-31-174500-before-start/setup.py", REFERENCE)
    write(home / ".dojo/backups/2026-01-31-174500-before-start/tensor.py", "# other\n")
    before = sorted((path, path.read_text()) for path in (home / "tinytorch").rglob("*.py"))
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL], cwd=home, env=environment(), capture_output=True, text=True
    )
    assert "tinytorch/tensor.py cannot be written (No space left on device), so nothing" in done.stderr
    assert sorted((path, path.read_text()) for path in (home / "tinytorch").rglob("*.py")) == before
    assert not list((home / "tinytorch").rglob(".*")), "what was written aside is gone"


def test_a_backup_that_does_not_fit_on_the_disk_is_a_sentence(home: Path) -> None:
    reset_house(home)
    os.mkfifo(home / "tinytorch/queue")  # a copy of it fails in the middle, as that of a file on a full disk
    done = dojo(home, "reset", "N=1")
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    assert "No backup can be made (" in done.stdout and "so nothing was changed" in done.stdout
    assert text(home, "setup.py") == "# mine\n" and backups(home) == []


# start --------------------------------------------------------------------------------------------------


def test_start_fills_what_is_not_green_and_keeps_what_is(home: Path) -> None:
    mine = "# mine\n" + TENSOR
    write(home / "tinytorch/tensor.py", mine)
    done = dojo(home, "start", "N=6")
    assert done.returncode == 0, done.stdout
    assert text(home, "setup.py").startswith(REFERENCE)
    assert text(home, "tensor.py") == mine, "green, though kata 01 was red"
    assert "Copied from the reference:\n  01_setup (0 of 3 were green)\n" in done.stdout
    assert f"What was there is in {backups(home)[0].relative_to(home)}: `make restore N=1`" in done.stdout
    assert "Kept as they are: 02_tensor." in done.stdout
    assert (backups(home)[0] / "setup.py").read_text() == "# mine\n"


def test_start_with_force_takes_all(home: Path) -> None:
    write(home / "tinytorch/tensor.py", "# mine\n" + TENSOR)
    done = dojo(home, "start", "N=6", "FORCE=1")
    assert "Copied from the reference:\n  01_setup\n  02_tensor\n" in done.stdout
    assert text(home, "tensor.py") == TENSOR
    assert text(home, "optimizers.py") == OPTIMIZERS, "kata 06 itself is the student's"


def test_what_is_saved_while_start_looks_at_the_katas_stays(home: Path) -> None:
    saves = "from pathlib import Path\nPath('tinytorch/optimizers.py').write_text('# saved meanwhile\\n')\n"
    write(home / "tinytorch/tensor.py", saves)
    assert dojo(home, "start", "N=6").returncode == 0
    assert (text(home, "tensor.py"), text(home, "optimizers.py")) == (TENSOR, "# saved meanwhile\n")


def test_start_loses_no_module_to_a_typo(home: Path) -> None:
    write(home / "tinytorch/tensor.py", TENSOR + "\n\ndef f(:\n")
    done = dojo(home, "start", "N=6")
    assert done.returncode == 2 and "tinytorch/tensor.py is not Python yet: line" in " ".join(
        done.stdout.split()
    )
    assert text(home, "tensor.py").endswith("def f(:\n") and backups(home) == []
    assert dojo(home, "start", "N=6", "FORCE=1").returncode == 0
    assert text(home, "tensor.py") == TENSOR


def test_start_goes_up_to_a_kata_that_is_only_planned(home: Path) -> None:
    done = dojo(home, "start", "N=15")
    assert done.returncode == 0 and text(home, "setup.py").startswith(REFERENCE)
    assert "Kata 15_acceleration is planned and not written yet" in done.stdout


def test_start_needs_the_reference(home: Path) -> None:
    (home / "solutions").rename(home / "elsewhere")
    done = dojo(home, "start", "N=2")
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    assert "copies katas from solutions/" in done.stdout


@pytest.mark.parametrize("command", [("dev-gate", "N=1"), ("test",), ("test", "ARGS='")])
def test_what_checks_the_reference_needs_it_too(home: Path, command: tuple[str, ...]) -> None:
    (home / "solutions").rename(home / "elsewhere")
    done = dojo(home, *command)
    assert (done.returncode, done.stdout.count("\n")) == (2, 1), done.stdout


# diff ---------------------------------------------------------------------------------------------------


def test_diff_goes_from_yours_to_the_reference(home: Path) -> None:
    lines = dojo(home, "diff", "N=1").stdout.splitlines()
    assert lines[:2] == ["--- tinytorch/setup.py (yours)", "+++ solutions/tinytorch/setup.py (the reference)"]
    assert "-# mine" in lines
    assert "+    return 2 * x" in lines
    assert "word for word" in dojo(home, "diff", "N=2").stdout


# solutions-branch ---------------------------------------------------------------------------------------


def git(home: Path, *words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env = {**clean, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        ["git", *who, *words], cwd=home, env=env, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def repository(home: Path) -> Path:
    write(home / ".gitignore", "__pycache__/\n.dojo/\n")
    git(home, "init", "-q")
    git(home, "add", ".")
    git(home, "commit", "-q", "-m", "as shipped")
    return home


def test_the_solutions_branch_touches_neither_files_nor_index(repository: Path) -> None:
    write(repository / "tinytorch/setup.py", "# staged\n")
    git(repository, "add", ".")
    write(repository / "tinytorch/setup.py", "# not staged\n")
    before = git(repository, "status", "--porcelain=v2", "--branch")

    done = dojo(repository, "solutions-branch")
    assert done.returncode == 0, done.stdout
    assert git(repository, "status", "--porcelain=v2", "--branch") == before
    assert git(repository, "show", "solutions:tinytorch/setup.py") == REFERENCE
    assert git(repository, "diff", "--name-only", "solutions", "--", "tinytorch") == "tinytorch/setup.py\n"
    assert git(repository, "diff", "--name-only", "HEAD", "solutions", "--", ":!tinytorch") == ""


def test_the_solutions_branch_is_made_again_and_a_foreign_one_is_refused(repository: Path) -> None:
    assert dojo(repository, "solutions-branch").returncode == 0
    assert dojo(repository, "solutions-branch").returncode == 0
    git(repository, "branch", "-f", "solutions", "HEAD")
    done = dojo(repository, "solutions-branch")
    assert done.returncode == 2
    assert "this command did not make it" in done.stdout


def test_without_a_repository_the_solutions_branch_is_a_sentence(home: Path) -> None:
    done = dojo(home, "solutions-branch", GIT_CEILING_DIRECTORIES=str(home.parent))
    assert (done.returncode, done.stdout) == (2, "This is not a git repository with a commit.\n")
