"""`make hunt`: a mistake in a copy of the student's code, its symptom, the answer, and a spec that finds it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalogue import KATAS, ROOT, Kata
from dojo.errors import DojoError
from dojo.student import hunt
from dojo.tree import mistakes
from tests import small_repository
from tests.small_repository import SETUP, dojo, environment, write

THAT_HAVE_SOME = [kata for kata in KATAS if hunt.names(kata)]

MISTAKES = '''"""Mistakes."""

from dojo.tree.mistakes import mistake


@mistake("setup.double", spec="test_double_of_two", says="4", swap=("2 * x", "x"))
def double_forgets():
    """It gives x back."""


@mistake("setup.triple", spec="test_triple_of_two", says="6")
def triple_adds(x):
    """3 is added."""
    return x + 3
'''
HUNTS = '''"""Hunts."""

from tinytorch.setup import double, triple


def twice():
    """Twice 5."""
    print(double(5))


def thrice():
    """Three times 5."""
    print(triple(5))


HUNTS = {"double_forgets": twice, "triple_adds": thrice}
'''
OTHER_SETUP = """
def double(number):
    return number + number


def triple(x):
    return double(x) + x
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Kata 01 is green, in other words than the reference's."""
    home = small_repository.build(tmp_path)
    write(home / "tinytorch/setup.py", OTHER_SETUP)
    write(home / "solutions/tinytorch/__init__.py", "")
    write(home / "solutions/tinytorch/setup.py", SETUP)
    write(home / "tests/mistakes/kata_01.py", MISTAKES)
    write(home / "katas/01_setup/hunts.py", HUNTS)
    return home


def said(home: Path, *words: str, code: int = 0) -> str:
    done = dojo(home, "hunt", "1", *words)
    assert done.returncode == code, done.stdout
    return " ".join(done.stdout.split())


# The command --------------------------------------------------------------------------------------------


def test_the_symptom_is_shown_and_the_student_s_code_stays(home: Path) -> None:
    text = said(home)

    assert "hunt 1 of 2 in kata 01_setup" in text
    assert "Twice 5." in text
    assert "With the mistake: 5 Without it: 10" in text
    assert "double_forgets" not in text, "the name says what is wrong"
    assert "hunts.py" not in text, "the answers are in that file"
    assert "`make hunt N=1 F=name` or `F=Class.method`" in text
    assert (home / "tinytorch/setup.py").read_text() == OTHER_SETUP


def test_an_answer_is_checked_and_the_mistake_is_explained(home: Path) -> None:
    said(home)
    assert "It is not `triple`. What does the symptom go through" in said(home, "--f=triple")
    text = said(home, "--f=triple")
    assert "wrong answer 2" in text and "MODE=spec" in text and "FORCE=1" in text

    text = said(home, "--f=double")

    assert "Found: it was `double`. It gives x back." in text
    assert "- return 2 * x + return x" in text
    assert "test_double_of_two" in text
    assert "hunt 2 of 2" in said(home)
    assert ", 1 of 2 hunts" in " ".join(dojo(home, "board", COLUMNS="100").stdout.split())


def test_who_gives_up_sees_the_mistake_and_it_does_not_count(home: Path) -> None:
    said(home)
    assert "It was `double`." in said(home, "--force")
    said(home)
    assert "Found: it was `triple`" in said(home, "--f=setup.triple")
    assert "You have been on all 2 hunts" in said(home)
    assert ", 1 of 2 hunts" in " ".join(dojo(home, "board", COLUMNS="100").stdout.split())


@pytest.mark.parametrize("word", ["--f=triple", "--mode=spec", "--force"])
def test_a_hunt_is_shown_before_an_answer_to_it_is_judged(home: Path, word: str) -> None:
    assert "Here is hunt 1 of 2" in said(home, word)
    said(home, "--f=double")

    text = said(home, word)

    assert "The last hunt is over. Here is hunt 2 of 2" in text and "Without it: 15" in text
    assert hunt_state(home) == {"double_forgets": "found", "triple_adds": 0}


def hunt_state(home: Path) -> dict[str, object]:
    state: dict[str, object] = json.loads((home / ".dojo/hunts.json").read_text())["01"]
    return state


def test_a_name_that_means_no_function_or_several_is_not_counted(home: Path) -> None:
    one, other = (f"\n\nclass {name}:\n    def forward(self):\n        pass\n" for name in ("Block", "Layer"))
    alone = "\n    def backward(self):\n        pass\n"
    write(home / "tinytorch/setup.py", OTHER_SETUP + one + other + alone)
    said(home)

    for answer, says in {
        "forward": "Several functions are called `forward`: name the class, `F=Block.forward`.",
        "duoble": "There is no function `duoble` in kata 01. Did you mean `double`?",
        "backwards": "Did you mean `backward`?",
        "Blok.forward": "There is no function `Blok.forward` in kata 01. Did you mean `Block.forward`?",
        "Layer": "Did you mean `Layer.forward`?",
        "xyz": "There is no function `xyz` in kata 01.",
    }.items():
        assert said(home, f"--f={answer}").endswith(says)
    assert hunt_state(home) == {"double_forgets": 0}

    assert "It is not `backward`." in said(home, "--f=backward"), "there is one of that name"


def test_a_difference_is_not_wrapped(home: Path) -> None:
    long = f"    return 2 * x  # {'long ' * 20}".rstrip()
    write(home / "tinytorch/setup.py", OTHER_SETUP.replace("    return number + number", long))
    write(home / "tinytorch/setup.py", (home / "tinytorch/setup.py").read_text().replace("number", "x"))
    said(home)
    assert f"  -{long}\n" in dojo(home, "hunt", "1", "--f=double", COLUMNS="60").stdout


def test_a_spec_is_judged_by_right_code_and_by_wrong_code(home: Path) -> None:
    said(home)
    spec = home / ".dojo/hunts/test_kata_01.py"
    assert "Write a spec in .dojo/hunts/test_kata_01.py" in said(home, "--mode=spec")
    assert "The spec is not written yet: .dojo/hunts/test_kata_01.py" in said(home, "--mode=spec")
    head = "from tinytorch.setup import double\n\n\ndef test_hunt():\n    assert "
    write(spec, f"{head}double(0) == 0\n")
    assert "it does not see it" in said(home, "--mode=spec")
    write(spec, f"{head}double(2) == 5\n")
    assert "red on your own code" in said(home, "--mode=spec")
    write(spec, f"{head}double.__code__.co_varnames == ('number',)\n")
    assert "red on the reference" in said(home, "--mode=spec")
    write(spec, f"{head}double(2) == 4\n")

    text = said(home, "--mode=spec")

    assert text.index("On the copy with the mistake:") < text.index("1 failed")
    kept = ".dojo/hunts/double_forgets.py"
    assert (
        f"green on right code and red on the mistake. It is kept in {kept}. It was `double`. It gives" in text
    )
    assert (home / kept).is_file()
    assert "hunt 2 of 2" in said(home)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"tinytorch/setup.py": small_repository.STUB},
            "kata 01_setup is not green yet (0/3): `make kata N=1`",
        ),
        ({"katas/01_setup/hunts.py": ""}, "Kata 01_setup has no hunts. No kata has any yet."),
        ({"tests/mistakes/kata_01.py": ""}, "which are not in this edition"),
    ],
    ids=["red", "none", "edition"],
)
def test_where_there_is_nothing_to_hunt_a_sentence_says_so(
    home: Path, change: dict[str, str], says: str
) -> None:
    for name, text in change.items():
        write(home / name, text)
    text = said(home, code=2)
    assert says in text
    assert "running a copy" not in text or "green" in says


@pytest.mark.parametrize("file", ["tests/mistakes/kata_01.py", "solutions/tinytorch/setup.py"])
def test_a_hunt_is_offered_only_in_an_edition_that_has_it(home: Path, file: str) -> None:
    offer = "`make hunt N=1`"
    assert offer in dojo(home, "kata", "1").stdout
    (home / file).unlink()
    assert offer not in dojo(home, "kata", "1").stdout


def test_an_error_is_a_symptom(home: Path) -> None:
    write(home / "katas/01_setup/hunts.py", HUNTS.replace("print(double(5))", "print(1 / (double(5) - 5))"))
    assert "With the mistake: ZeroDivisionError: division by zero" in said(home)


def test_a_mistake_that_never_ends_is_stopped(home: Path) -> None:
    source = (home / "dojo/student/hunt.py").read_text(encoding="utf-8")
    write(home / "dojo/student/hunt.py", source.replace("LIMIT = 60.0", "LIMIT = 3.0"))
    write(
        home / "katas/01_setup/hunts.py",
        HUNTS.replace("print(double(5))", "while double(5) == 5: pass\n    print(10)"),
    )
    assert "With the mistake: It was still running after 3 s" in said(home)


# Each hunt of each kata ---------------------------------------------------------------------------------


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kata", THAT_HAVE_SOME, ids=lambda kata: kata.name)
def test_each_hunt_shows_in_the_reference_and_in_the_code_of_another_student(kata: Kata) -> None:
    done = subprocess.run(
        [sys.executable, "tests/student/hunted.py", str(kata.number)],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)

    assert len(found) >= 5
    for name, (right, wrong, other_right, other_wrong) in found.items():
        assert right and right != wrong, f"{name} is not seen"
        assert (right, wrong) == (other_right, other_wrong), f"{name} looks different in other code"


@pytest.mark.parametrize("kata", THAT_HAVE_SOME, ids=lambda kata: kata.name)
def test_a_hunt_asks_for_a_function_of_the_student_s_in_a_sentence(kata: Kata) -> None:
    for each in hunt.hunts(kata):
        assert not each.mistake.function.rpartition(".")[2].startswith("_") or "__" in each.mistake.function
        assert each.mistake.sentence
        assert each.says and each.says[0].isalnum() and each.says[-1] in ".?:", each.symptom


def test_every_kata_but_the_first_and_the_last_has_hunts() -> None:
    assert [kata.number for kata in THAT_HAVE_SOME] == [kata.number for kata in KATAS[1:-1]]


def test_a_hunt_needs_a_place_in_the_student_s_code(tmp_path: Path) -> None:
    from dojo.tree.planting import plant

    sub = next(each for each in mistakes.load(KATAS[6]) if each.name == "sub_forgets_the_sign")
    write(tmp_path / "autograd.py", "def other():\n    pass\n")
    with pytest.raises(DojoError, match="there is no sub_backward in kata 07_autograd"):
        plant(sub, tmp_path)
