"""From any Python into .venv: built once, from whatever is there, and never half built."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dojo import bootstrap
from dojo.catalogue import ROOT

OLD = ("__init__", "__main__", "bootstrap", "catalogue", "commands", "doctor", "errors")
BASE: str = sys._base_executable  # type: ignore[attr-defined]  # the Python outside every environment

KATA = """
import os, sys

def add_arguments(parser):
    parser.add_argument("n", nargs="?")

def run(options):
    print("kata", options.n, sys.prefix, os.environ["OPENBLAS_NUM_THREADS"])
    return 1
"""
UV = f"""#!/bin/sh
echo "$@" >> "$UV_LOG"
test "$1" != venv || exec {BASE} -m venv --without-pip .venv
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A repository with nothing but the way in, a command that says where it runs, and no package to install."""
    home = tmp_path / "a repository"
    (home / "dojo").mkdir(parents=True)
    for name in OLD:
        shutil.copy(ROOT / "dojo" / f"{name}.py", home / "dojo")
    (home / "dojo/student").mkdir()
    (home / "dojo/student/__init__.py").touch()
    (home / "dojo/student/kata.py").write_text(KATA)
    (home / "constraints.txt").write_text("# nothing\n")
    (home / "tinytorch").mkdir()
    return home


@pytest.fixture
def uv(tmp_path: Path) -> dict[str, str]:
    """An environment with a `uv` that is quick."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uv").write_text(UV)
    (tmp_path / "bin/uv").chmod(0o755)
    return {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "UV_LOG": str(tmp_path / "uv.log")}


def environment(env: dict[str, str]) -> dict[str, str]:
    without_uv = ":".join(p for p in os.environ["PATH"].split(":") if not os.path.exists(f"{p}/uv"))
    return {**os.environ, "PATH": without_uv, "PIP_RETRIES": "0", "COLUMNS": "80", **env}


def dojo(home: Path, *words: str, python: str = BASE, **env: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "dojo", *words]
    return subprocess.run(
        command, cwd=home, env=environment(env), capture_output=True, text=True, timeout=120
    )


# Building -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", ["nothing", "an environment without pip", "an environment with pip"])
def test_without_uv_the_environment_is_built_with_venv_and_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """Only the steps: what they do takes pip half a minute."""
    steps = []
    venv = tmp_path / ".venv"
    for name, value in {"ROOT": tmp_path, "VENV": venv, "LOG": tmp_path / ".dojo/install.log"}.items():
        monkeypatch.setattr(bootstrap, name, str(value))

    def step(command: list[str], log: object, packages: int = 0) -> None:
        steps.append(command[2:4])
        venv.mkdir(exist_ok=True)

    monkeypatch.setattr(bootstrap, "_run", step)
    monkeypatch.setattr(bootstrap, "is_new", lambda python, module: there == "an environment with pip")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    venv.mkdir()
    bootstrap.build()
    rest = [["-m", "pip"], ["-c", bootstrap.PATH_FILE]]
    assert steps == (rest if there == "an environment with pip" else [["-m", "venv"], *rest])


def test_two_commands_at_once_build_one_environment(home: Path, uv: dict[str, str]) -> None:
    command = [BASE, "-m", "dojo", "kata", "N=7"]
    both = [
        subprocess.Popen(command, cwd=home, env=environment(uv), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    text = "".join(child.communicate(timeout=120)[0] for child in both)
    assert [child.returncode for child in both] == [1, 1]
    assert text.count("building .venv (once, about a minute) ...\n") == 1
    assert text.count(f"kata 7 {home}/.venv 1\n") == 2


def test_uv_builds_it_where_there_is_one(home: Path, uv: dict[str, str]) -> None:
    assert dojo(home, "kata", **uv).returncode == 1
    log = Path(uv["UV_LOG"]).read_text().splitlines()
    assert log == [
        f"venv --seed --python {BASE} {home}/.venv",
        f"pip install --python {home}/.venv/bin/python -r {home}/constraints.txt",
    ]


def test_the_maintainers_packages_come_with_their_first_command(home: Path, uv: dict[str, str]) -> None:
    (home / "constraints-dev.txt").write_text("# nothing\n")
    (home / "dojo/authors").mkdir()
    (home / "dojo/authors/__init__.py").touch()
    (home / "dojo/authors/own_tests.py").write_text(KATA)
    dojo(home, "kata", **uv)
    assert "constraints-dev" not in Path(uv["UV_LOG"]).read_text()
    assert dojo(home, "test", **uv).stdout.startswith("building .venv")
    assert f"-r {home}/constraints.txt -r {home}/constraints-dev.txt" in Path(uv["UV_LOG"]).read_text()
    assert not dojo(home, "kata", **uv).stdout.startswith("building"), "what has more has enough"
    assert not dojo(home, "test", **uv).stdout.startswith("building")


def test_new_pins_are_installed_into_the_environment_that_is_there(home: Path, uv: dict[str, str]) -> None:
    dojo(home, "kata", **uv)
    (home / ".venv/mine").write_text("")
    (home / "constraints.txt").write_text("# nothing else\n")
    done = dojo(home, "kata", **uv)
    assert "building" in done.stdout
    assert (home / ".venv/mine").exists()
    assert [line.split()[0] for line in Path(uv["UV_LOG"]).read_text().splitlines()] == ["venv", "pip", "pip"]


def test_a_repository_that_was_moved_builds_anew(home: Path, uv: dict[str, str]) -> None:
    dojo(home, "kata", **uv)
    there = home.rename(home.parent / "another repository")
    assert f"kata None {there}/.venv 1\n" in dojo(there, "kata", **uv).stdout


@pytest.mark.parametrize("left", ["nothing in it", "a broken link"])
def test_a_half_built_environment_is_built_again(home: Path, uv: dict[str, str], left: str) -> None:
    (home / ".venv/bin").mkdir(parents=True)
    (home / ".venv/half").write_text("")
    if left == "a broken link":
        (home / ".venv/bin/python").symlink_to(home / "nowhere")
    assert dojo(home, "kata", **uv).stdout.endswith(f"kata None {home}/.venv 1\n")
    assert not (home / ".venv/half").exists()


def test_a_build_that_fails_leaves_nothing_half_built(home: Path, uv: dict[str, str]) -> None:
    """pip is asked at an address where nobody listens."""
    make = f"test $1 = venv && exec {BASE} -m venv --without-pip .venv"
    install = f"exec {sys.executable} -m pip install -r constraints.txt"
    (Path(uv["PATH"].split(":")[0]) / "uv").write_text(f"#!/bin/sh\n{make}\n{install}\n")
    (home / "constraints.txt").write_text("no-such-package==1\n")
    done = dojo(home, "kata", PIP_INDEX_URL="http://127.0.0.1:9", **uv)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "could not be downloaded" in done.stderr
    assert not (home / ".venv").exists()


def test_without_a_network_there_is_one_sentence_and_what_was_there_stays(
    home: Path, uv: dict[str, str]
) -> None:
    dojo(home, "kata", **uv)
    (home / "constraints.txt").write_text("no-such-package==1\n")
    (Path(uv["PATH"].split(":")[0]) / "uv").write_text("#!/bin/sh\necho 'error: dns error'\nexit 2\n")
    done = dojo(home, "kata", **uv)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Is there a network?" in done.stderr
    assert ".dojo/install.log" in done.stderr
    assert (home / ".venv/bin/python").exists()
    assert not (home / ".venv" / bootstrap.STAMP).exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(home: Path) -> None:
    (home / ".dojo").write_text("a file where a folder should be")
    done = dojo(home, "kata")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be written" in done.stderr
    assert not (home / ".venv").exists()


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("The virtual environment was not created: ensurepip is not available", "python3-venv"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("Failed to establish a new connection: [Errno -2] Name or service not known", "Is there a network?"),
        ("building wheels\nERROR: Failed building wheel for numpy\nbye", "Failed building wheel for numpy."),
        ("", "no reason was given"),
    ],
)
def test_why_a_build_failed(log: str, says: str) -> None:
    assert says in bootstrap.why(log)


def test_the_environment_of_another_copy_with_the_same_pins_serves(home: Path, uv: dict[str, str]) -> None:
    dojo(home, "kata", **uv)
    other = home.parent / "copy"
    shutil.copytree(home, other, ignore=shutil.ignore_patterns(".venv", ".dojo"))
    done = dojo(other, "kata", python=f"{home}/.venv/bin/python")
    assert done.stdout == f"kata None {home}/.venv 1\n"
    assert not (other / ".venv").exists()


def test_a_warm_start_imports_little(home: Path, uv: dict[str, str]) -> None:
    dojo(home, "kata", **uv)
    command = [BASE, "-S", "-X", "importtime", "-m", "dojo", "kata"]
    loaded = subprocess.run(command, cwd=home, env=environment(uv), capture_output=True, text=True).stderr
    assert re.search(r"\| +dojo.bootstrap\n", loaded)
    slow = ("argparse", "subprocess", "pathlib", "shutil", "hashlib", "tempfile")
    assert not [name for name in slow if re.search(rf"\| +{name}\n", loaded)]


# Old Pythons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OLD)
def test_the_way_in_parses_on_python_3_8_and_needs_only_the_standard_library(name: str) -> None:
    tree = ast.parse((ROOT / "dojo" / f"{name}.py").read_text(), feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""] if node.module != "dojo" else [f"dojo.{a.name}" for a in node.names]
        else:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            first, _, rest = module.partition(".")
            assert first in sys.stdlib_module_names or (first == "dojo" and rest in OLD), module


def old_python() -> str:
    """A Python that is too old, if there is one here."""
    for name in ("python3.8", "python3.9", "python3.10"):
        python = shutil.which(name)
        if python and subprocess.run([python, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    pytest.skip("every Python here is new enough")


def test_an_old_python_finds_a_newer_one(home: Path, tmp_path: Path, uv: dict[str, str]) -> None:
    (tmp_path / "bin/python3.13").symlink_to(BASE)
    done = dojo(home, "kata", "N=7", python=old_python(), **uv)
    assert done.stdout.endswith(f"kata 7 {home}/.venv 1\n"), done.stderr


def test_an_old_python_alone_is_a_sentence(home: Path, tmp_path: Path) -> None:
    python = old_python()
    real = subprocess.run(
        [python, "-c", "import sys; print(sys.executable)"], stdout=subprocess.PIPE, text=True
    )
    done = dojo(home, "kata", python=real.stdout.strip(), PATH=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert re.search(r"This is Python 3\.\d+, and the katas need 3\.11 or newer", done.stderr)
    listed = dojo(home, python=real.stdout.strip(), PATH=str(tmp_path))
    assert "make kata" in listed.stdout


# Pins ---------------------------------------------------------------------------------------------------


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("dev", [False, True], ids=["the dojo", "its development"])
def test_the_pins_are_exactly_what_is_needed(dev: bool) -> None:
    """Every package of pyproject.toml, with `dev` or without, what those need in turn, and nothing else."""
    pinned = pins("constraints.txt") | (pins("constraints-dev.txt") if dev else {})
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    more = project["optional-dependencies"]["dev"] if dev else []
    todo = [Requirement(each) for each in project["dependencies"] + more]
    needed = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        assert name in pinned, f"{requirement} is not pinned"
        assert requirement.specifier.contains(pinned[name]), f"{requirement}, pinned to {pinned[name]}"
        if name not in needed:
            needed.add(name)
            todo += [Requirement(each) for each in distribution(name).requires or []]
    assert set(pinned) - needed <= {"typing-extensions"}, "needed on some Pythons only"


# The doctor ---------------------------------------------------------------------------------------------


def test_the_doctor_builds_nothing(home: Path) -> None:
    done = dojo(home, "doctor")
    assert "ok        Python 3." in done.stdout
    assert ".venv is not built yet: the first `make kata` does it" in done.stdout
    assert "solutions/ is not here" in done.stdout
    assert done.returncode == 0, done.stdout
    assert not (home / ".venv").exists()
    assert not (home / ".dojo").exists()


def test_the_doctor_says_what_is_missing_and_what_to_do(home: Path, uv: dict[str, str]) -> None:
    dojo(home, "kata", **uv)
    (home / "constraints.txt").write_text("numpy==2.4.6\n")
    (home / "tinytorch/setup.py").write_text("def f(:\n")
    done = dojo(home, "doctor", **uv)
    assert done.returncode == 1
    assert "missing   in .venv: numpy 2.4.6\n          The next `make kata` installs it." in done.stdout
    assert "missing   tinytorch/setup.py cannot be read: line 1" in done.stdout
    assert "2 to fix." in done.stdout
