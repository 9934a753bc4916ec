"""What `pytest` shows of the katas: real runs in a repository of a few files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dojo.run import process
from tests import small_repository
from tests.small_repository import environment, write

SPECS = '''
from hypothesis import given
from hypothesis import strategies as st

from tinytorch import dispatch
from tinytorch.activations import relu, swish


def test_what_is_above_is_closed():
    """While a spec of kata 03 runs, what the katas above bring is closed."""
    assert dispatch.highest == 3


@given(st.integers(-5, 5), st.data())
def test_relu_keeps_positive_numbers(x, data):
    """relu gives x itself where x is positive, and zero where it is not, as the
    sketch in the README shows.

    More about it.
    """
    y = data.draw(st.integers(0, 1), label="y")
    print("x is", x)
    assert relu(x) + y == max(x, 0) + y, f"relu({x}) is {relu(x)}, expected {max(x, 0)}"


def test_swish():
    """swish of zero is zero."""
    assert swish(0) == 0


def test_swish_of_text():
    """swish refuses text."""
    swish("a")


def test_device(device):
    """A device spec is told its device."""
    import cupy

    assert (device, cupy.__name__) == ("cuda", "cupy")


def test_timing():
    """It is fast."""
    from dojo.spec import timing

    timing.judge = lambda tries, at_least: "inconclusive"  # as on a machine that is too busy
    timing.speedup(lambda: 1, lambda: 1, at_least=2)
'''
GOOD = """
def relu(x):
    return max(x, 0)


def swish(x):
    return 0 * len(x) if isinstance(x, str) else 0
"""
STUBS = """
def relu(x):
    return max(x, 0)


def swish(x):
    raise NotImplementedError("kata 03: swish")
"""
WRONG = """
def relu(x):
    return abs(x)


def swish(x):
    return 0 / x
"""
DISPATCH = """
from contextlib import contextmanager

highest = 20


@contextmanager
def closed_above(kata):
    global highest
    before, highest = highest, kata
    try:
        yield
    finally:
        highest = before
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = small_repository.build(tmp_path_factory.mktemp("repository"))
    write(home / "katas/03_activations/README.md", "# a kata\n")
    write(home / "katas/03_activations/test_01_relu.py", SPECS)
    write(home / "tinytorch/dispatch.py", DISPATCH)
    write(home / "tests/test_sound.py", "def test_sound():\n    assert [1, 2] == [1, 3]\n")
    return home


def run(repository: Path, *args: str, module: str = GOOD, **env: str) -> str:
    write(repository / "tinytorch/activations.py", module)
    command = [sys.executable, "-m", "pytest", *args]
    both = subprocess.PIPE, subprocess.STDOUT
    done = subprocess.run(
        command, cwd=repository, env=environment(**env), stdout=both[0], stderr=both[1], timeout=240
    )
    return done.stdout.decode()


def test_next_names_the_function_and_its_place(repository: Path) -> None:
    assert run(repository, "-x", "katas/03_activations", module=STUBS) == (
        "Kata 03 activations\n"
        "Without a bend between them, a hundred layers are one.\n"
        "\n"
        "2 green so far, stopped at the first red (6 in all)\n"
        "\n"
        "next: write `swish` in tinytorch/activations.py:7\n"
        "\n"
        "  swish of zero is zero.\n"
        "\n"
        "  spec       katas/03_activations/test_01_relu.py:28 test_swish\n"
        "  stuck?     make hint N=3\n"
    )


def test_wrong_shows_the_requirement_the_smallest_example_and_where_to_look(repository: Path) -> None:
    shown = run(repository, "-x", "katas/03_activations", module=WRONG, COLUMNS="100")
    assert (
        "1 green so far, stopped at the first red (6 in all)\n\nwrong: relu gives x itself where x is"
        in shown
    )
    assert "\n\n  More about it.\n\n" in shown, "what the docstring says besides"
    assert "  for        x = -1\n             y = 0\n\n  relu(-1) is 1, expected 0\n" in shown
    assert "  look at    tinytorch/activations.py:2 (relu)\n" in shown
    assert "  spec       katas/03_activations/test_01_relu.py:23 test_relu_keeps_positive_numbers\n" in shown
    assert "lines before\n" in shown and "x is -1\n  stuck?     make hint N=3\n" in shown


@pytest.mark.parametrize("call", ["One.load()", "loaded(One())"], ids=["on the class", "in a helper"])
def test_what_a_spec_calls_of_one_class_is_not_looked_for_in_another(repository: Path, call: str) -> None:
    spec = repository / "katas/03_activations/test_02_load.py"
    write(
        spec,
        "from tinytorch.activations import One\n\n\n"
        "def loaded(one):\n    return one.load()\n\n\n"
        f'def test_load():\n    """load gives 1."""\n    assert {call} == 1, "it is 2"\n',
    )
    one = "class One:\n    @classmethod\n    def load(cls):\n        return 2\n"
    try:
        shown = run(repository, str(spec), module=one + one.replace("One", "Two"))
    finally:
        spec.unlink()
    assert "look at    tinytorch/activations.py:3 (One.load)\n" in shown
    assert "Two" not in shown


def test_verbose_explains_everything_and_forty_columns_are_enough(repository: Path) -> None:
    shown = run(repository, "-v", "katas/03_activations", module=WRONG, COLUMNS="40")
    assert "  green        test_what_is_above_is_closed  0." in shown
    assert "  inconclusive test_timing  0." in shown
    assert "\n2/6 green, 3 wrong, 1 inconclusive\n" in shown
    assert shown.count("\nwrong: ") == 3
    assert "\ninconclusive: this timing could not be\njudged, run it again\n\n" in shown
    long = [line for line in shown.splitlines() if len(line) > 40]
    assert [line for line in long if "test_" not in line] == []


def test_a_crash_points_at_the_students_line(repository: Path) -> None:
    shown = run(repository, "katas/03_activations", "-k", "swish", module=WRONG)
    assert "0/2 green, 2 wrong (4 not selected)" in shown
    assert "  ZeroDivisionError: division by zero\n" in shown
    assert "  your line  tinytorch/activations.py:7\n               return 0 / x\n" in shown
    assert "  also wrong test_swish_of_text: TypeError: unsupported" in shown


BELOW = """
from tinytorch.tensor import total


def relu(x):
    return max(x, 0)


def swish(x):
    return total(x)
"""
FORGOT = """
import tinytorch.tensor


def relu(x):
    return max(x, 0)


def swish(x):
    return np.zeros(double(x))
"""


def test_a_crash_in_a_lower_kata_points_at_the_line_that_called_it(repository: Path) -> None:
    shown = run(repository, "katas/03_activations", "-k", "swish_of_text", module=BELOW)
    assert "  your line  tinytorch/activations.py:10\n               return total(x)\n" in shown
    assert "  raised in  tinytorch/tensor.py:6 (total)\n" in shown


GIVEN = """
def checked(  # the student gets this
    x,
):  # given
    \"\"\"x, if it is a number.\"\"\"
    return x + 0


def relu(x):
    return max(x, 0)


def swish(x):
    return checked(x)
"""


def test_a_crash_in_what_was_given_points_at_the_line_that_called_it(repository: Path) -> None:
    shown = run(repository, "katas/03_activations", "-k", "swish_of_text", module=GIVEN)
    assert "  your line  tinytorch/activations.py:14\n               return checked(x)\n" in shown
    assert "  raised in  tinytorch/activations.py:6 (checked)\n" in shown


def test_an_array_in_an_example_is_whole_and_where_it_is_cut_it_says_so(repository: Path) -> None:
    write(
        repository / "katas/03_activations/test_02_array.py",
        "from hypothesis import given\nfrom dojo.spec.strategies import arrays\n\n\n"
        "@given(x=arrays((2, 2, 3)), many=arrays((30, 1)))\ndef test_array(x, many):\n    assert x.ndim == 2, 'no'\n",
    )
    try:
        shown = run(repository, "katas/03_activations/test_02_array.py")
    finally:
        (repository / "katas/03_activations/test_02_array.py").unlink()
    assert "x = array([[[0., 0., 0.],\n" in shown
    assert shown.count("[0., 0., 0.]") == 4, "rows that are equal are shown all the same"
    assert "[0., 0., 0.]]], dtype=float32)\n" in shown
    assert "many = array([[0.],\n" in shown and "... and 10 more lines\n" in shown


SPEECHLESS = """
class Speechless(Exception):
    def __str__(self):
        return self.nothing


def relu(x):
    return x


def swish(x):
    raise Speechless
"""


def test_an_error_that_cannot_say_what_it_is_points_at_the_students_line(repository: Path) -> None:
    shown = run(repository, "katas/03_activations", "-k", "swish", module=SPEECHLESS)
    assert "  Speechless: its __str__ raises AttributeError\n" in shown
    assert "  your line  tinytorch/activations.py:12\n" in shown


def test_a_name_that_is_not_imported_is_looked_for(repository: Path) -> None:
    shown = run(repository, "katas/03_activations", "-k", "swish_of_text", module=FORGOT)
    assert "It is not imported: `import numpy as np`." in shown
    shown = run(
        repository,
        "katas/03_activations",
        "-k",
        "swish_of_text",
        module=FORGOT.replace("np.zeros(double(x))", "double(x)"),
    )
    assert "It is not imported: `from tinytorch.setup import double`." in shown


@pytest.mark.parametrize(
    ("cupy", "problem"),
    [
        ("raise ImportError('no libcuda')", "CuPy cannot be imported (no libcuda)"),
        ("__version__ = '14.2.0'\n\n\ndef is_available():\n    return False\n", "CuPy 14.2.0 finds none"),
    ],
    ids=["no CuPy", "no GPU"],
)
def test_a_gpu_that_is_asked_for_has_to_be_there(
    repository: Path, tmp_path: Path, cupy: str, problem: str
) -> None:
    write(tmp_path / "cupy.py", cupy)
    shown = run(repository, "katas/03_activations", "--device=cuda", PYTHONPATH=str(tmp_path))
    assert f"ERROR: --device cuda needs a GPU, and {problem}. Leave it out" in shown
    assert "green" not in shown


def test_two_processes_show_the_same(repository: Path) -> None:
    shown = run(repository, "-n", "2", "katas/03_activations", module=STUBS)
    assert shown.startswith("Kata 03 activations\n") and "gw0" not in shown and "workers" not in shown
    assert "3/6 green, 2 to write, 1 inconclusive\n" in shown
    assert "next: write `swish` in tinytorch/activations.py:7\n" in shown


def test_the_root_walks_the_katas_in_order_and_stops(repository: Path) -> None:
    shown = run(repository, "-x")
    assert (
        shown.startswith("Kata 01 setup\n")
        and "0 green so far, stopped at the first red (3 in all)\n\nnext: write `double`" in shown
    )
    assert "Kata 02" not in shown


def test_a_stub_of_a_lower_kata_says_whose_it_is(repository: Path) -> None:
    shown = run(repository, "-x", "katas/02_tensor")
    assert "1/2 green\n\nnext: write `double` in tinytorch/setup.py:3\n" in shown
    assert "That belongs to kata 01: `make kata N=1` shows what it asks for" in shown


BROKEN = {
    "04_layers": (
        "def f(x:\n    return x\n",
        "wrong: tinytorch/layers.py:1 is not Python yet: '(' was never closed\n\n    def f(x:\n         ^\n",
    ),
    "05_losses": (
        "from tinytorch.setup import double\n\nf = double + 1\n",
        "wrong: Your module cannot be imported.\n\n  TypeError: unsupported operand",
    ),
    "07_autograd": (
        "def g(x):\n    return x\n",
        "wrong: tinytorch/autograd.py has no `f`.\n",
    ),
    "08_training": (
        "from tinytorch.ring import g\n\n\ndef f(): ...\n",
        "wrong: Your modules import each other in a ring.\n\n"
        "  tinytorch/training.py:1 imports the next\n"
        "  tinytorch/ring.py:1 closes the ring\n",
    ),
    "09_spatial": (
        "",
        "wrong: A module of tinytorch cannot be imported.\n\n  There is no tinytorch/spatial.py, and no",
    ),
}


def test_a_module_that_cannot_be_imported_is_one_red_spec_in_its_place(repository: Path) -> None:
    write(repository / "tinytorch/ring.py", "from tinytorch.training import f\n\n\ndef g(): ...\n")
    for name, (module, _) in BROKEN.items():
        slug = name[3:]
        write(repository / f"katas/{name}/README.md", "# a kata\n")
        write(
            repository / f"katas/{name}/test_01_f.py",
            f"from tinytorch.{slug} import f\n\n\ndef test_f(): f()\n",
        )
        if module:
            write(repository / f"tinytorch/{slug}.py", module)
    shown = run(repository, *(f"katas/{name}" for name in BROKEN))
    assert [expected for _, expected in BROKEN.values() if expected not in shown] == []
    assert "_pytest/python.py" not in shown, "where Python found that out is nobody's line"
    records = told(repository, *(f"katas/{name}" for name in BROKEN))
    assert [r["id"] for r in records if "id" in r] == [f"katas/{n}/test_01_f.py::import" for n in BROKEN]


def test_the_report_has_a_line_for_each_spec_as_it_ends(repository: Path) -> None:
    write(repository / "tinytorch/activations.py", STUBS)
    records = told(repository, "katas/03_activations")
    assert records[0] == {"begins": "katas/03_activations/test_01_relu.py"}
    assert records[-1] == {"ended": 1}
    results = [r for r in records if "state" in r]
    assert [r["state"] for r in results] == ["green", "green", "next", "next", "green", "inconclusive"]
    assert results[2]["id"] == "katas/03_activations/test_01_relu.py::test_swish"
    assert results[2]["owner"] == [3, "swish"]
    assert results[2]["summary"] == "next: write `swish` in tinytorch/activations.py:7"


def told(repository: Path, *args: str) -> list[dict[str, Any]]:
    """What a run tells the process that started it."""
    command = [sys.executable, "-P", str(repository / "dojo/__main__.py"), "pytest", "--", *args]
    child = process.spawn(command, cwd=repository, env=environment(), kept=("stdout", "stderr"))
    child.wait()
    return child.take()


def test_the_repositorys_own_tests_keep_pytests_output(repository: Path) -> None:
    shown = run(repository, "tests")
    assert "test session starts" in shown and ">       assert [1, 2] == [1, 3]" in shown


def test_one_of_the_repositorys_own_tests_may_be_skipped(repository: Path) -> None:
    write(
        repository / "tests/test_skipped.py",
        'import pytest\n\n\ndef test_it():\n    pytest.skip("no torch here")\n',
    )
    command = [sys.executable, "-m", "pytest", "tests/test_skipped.py"]
    done = subprocess.run(
        command, cwd=repository, env=environment(), capture_output=True, text=True, timeout=240
    )
    assert "1 skipped" in done.stdout
    assert done.returncode == 0


def test_an_implementation_that_is_not_there_is_a_usage_error(repository: Path) -> None:
    assert "there is no such folder" in run(repository, "katas/03_activations", "--impl", "nowhere")
    assert "the folder solutions/ is missing" in run(repository, "katas/03_activations", "--alone", "3")
