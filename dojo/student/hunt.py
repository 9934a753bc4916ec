"""`make hunt`: one of the classic mistakes, in a copy of the student's own green code. Only its symptom is shown.

`katas/NN_slug/hunts.py` has functions that print something, each with one sentence about what it prints, and a table
of the mistakes (`tests/mistakes`) that can be seen in it:

    HUNTS = {"mul_forgets_grad": xor}

The function is called on a copy of the student's code, and on one with the mistake in it; the modules of higher katas
are not in the copies. F= names the function that is wrong. With MODE=spec the student writes a spec that finds it.
What was shown and what was found is kept in `.dojo/hunts.json`, which may be deleted at any time.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import io
import json
import shutil
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dojo.catalogue import KATAS, ROOT, SOLUTIONS, Kata, built_kata, files_below, kata_of
from dojo.errors import RED, DojoError, display, fitted
from dojo.report import record
from dojo.report.explain import WIDTH
from dojo.report.record import Record
from dojo.run import jobs, standing
from dojo.student import scene
from dojo.tree import files, mistakes
from dojo.tree.mistakes import Mistake
from dojo.tree.overlay import Plan, plan_for, shown
from dojo.tree.planting import Planted, plant
from dojo.tree.reference import has_reference
from dojo.tree.source import definitions

STATE = ROOT / ".dojo" / "hunts.json"
LIMIT = 60.0  # seconds for a symptom, or for a spec of the student's
SPECS = ROOT / ".dojo" / "hunts"
TEMPLATE = """\"\"\"A spec for the hunt in kata {kata}: green on right code, red on the copy with the mistake.

Write it, and `make hunt N={number} MODE=spec` judges it. It may have several functions.
\"\"\"

import tinytorch.{slug}


def test_hunt():
    raise NotImplementedError("Ask for what the mistake gets wrong.")
"""


class Hunt(NamedTuple):
    mistake: Mistake
    symptom: str
    """The function in hunts.py that shows it."""
    says: str
    """What that function prints, in a sentence."""


class Trail(NamedTuple):
    """A hunt in the student's code: where the mistake is, and what is seen of it."""

    hunt: Hunt
    planted: Planted
    right: str
    wrong: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    scene.add_arguments(parser)
    parser.add_argument("--f", default="", metavar="F", help="your answer: the function that is wrong")
    parser.add_argument(
        "--mode", default="", metavar="MODE", help="spec: write a spec that finds the mistake"
    )
    parser.add_argument("--force", action="store_true", help="give up: show the mistake")
    parser.add_argument("--json", action="store_true", help="the same as data: see AGENTS.md")
    parser.add_argument("--symptom", default="", help=argparse.SUPPRESS)  # in the process of its own


def run(options: argparse.Namespace) -> int:
    if options.scene:
        kata = built_kata(options.n)
        script = kata.folder / "hunts.py"
        return scene.answer(
            kata, script, options.impl, options.symptom, lambda show: {"output": printed(show)}
        )
    if options.json:
        return record.answer("hunt", lambda: (0, found(options)))
    kata = _chosen(options)
    hunts(kata)  # or the error that there are none
    display(f"running a copy of your kata {kata.name} with a mistake in it ...")
    answer = found(options)
    _say(answer["text"])
    while answer["state"] == "open" and (name := _asked(kata)):
        options.f, options.mode, options.force = name, "", False
        answer = found(options)
        _say(answer["text"])
    return 0


def _say(text: str) -> None:
    """Print it after an empty line, wrapped to the terminal. What is indented is code or output, and stays as it is."""
    width = min(shutil.get_terminal_size().columns, WIDTH)
    lines = (line if line.startswith("  ") else fitted(line, width=width) for line in text.splitlines())
    print("", *lines, sep="\n", flush=True)


def found(options: argparse.Namespace) -> Record:
    """Where the hunt stands; `text` says all of it.

    `state` is "open" (no answer was judged), "wrong" (that is not the function), "found", "given up", "rejected" (the
    spec), or "done" (there is no hunt left).
    """
    kata = _chosen(options)
    table = hunts(kata)
    tree = plan_for(options.impl).tree
    if options.impl == "student":
        _must_be_green(kata)
    ended = done(kata)
    left = [each for each in table if each.mistake.name not in ended]
    trail = next(filter(None, (follow(each, tree) for each in left)), None)
    about = {"kata": kata.number, "name": kata.name, "hunts": len(table), "ended": len(ended)}
    if trail is None:
        nothing = "None of the mistakes that are left can be planted in your code and be seen there."
        text = nothing if left else f"You have been on all {len(table)} hunts of kata {kata.name}."
        return {**about, "state": "done", "text": text}
    asked = options.force or options.mode or options.f
    if trail.hunt.mistake.name not in _kept(kata):
        _keep(trail, 0)
        lead = "The last hunt is over. Here is " if ended else "Here is "
        state, text = "open", (lead if asked else "") + symptom(trail, len(table))
    elif options.force:
        _keep(trail, "given up")
        state, text = "given up", explained(trail, "It was")
    elif options.mode:
        state, text = _judged(trail, tree)
    elif options.f:
        state, text = _checked(trail, tree, options.f)
    else:
        state, text = "open", symptom(trail, len(table))
    seen = {"says": trail.hunt.says, "wrong": trail.wrong, "right": trail.right}
    return {**about, "state": state, **seen, "text": text}


def _chosen(options: argparse.Namespace) -> Kata:
    if not options.n:
        raise DojoError(f"Say which kata: `make hunt N=7`. {_those_that_have_some()}")
    if options.mode not in ("", "spec"):
        raise DojoError(f"MODE={options.mode}: there is only MODE=spec.")
    return built_kata(options.n)


def hunts(kata: Kata) -> list[Hunt]:
    """The kata's hunts, in the order of its table."""
    table = names(kata)
    if not table:
        raise DojoError(f"Kata {kata.name} has no hunts. {_those_that_have_some()}")
    known = {each.name: each for each in mistakes.load(kata)}
    if not known or not has_reference(kata):
        raise DojoError(
            f"A hunt needs the mistakes and the reference of kata {kata.name}, which are not in this edition."
        )
    script = ast.parse((kata.folder / "hunts.py").read_text(encoding="utf-8"))
    says = {
        each.name: (ast.get_docstring(each) or "").partition("\n")[0]
        for each in script.body
        if isinstance(each, ast.FunctionDef)
    }
    return [Hunt(known[name], show, says[show]) for name, show in table.items()]


def names(kata: Kata) -> dict[str, str]:
    """The table of hunts.py: each mistake, and the function that shows it. The script is read, not imported."""
    script = kata.folder / "hunts.py"
    if not script.is_file():
        return {}
    for each in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "HUNTS":
            assert isinstance(each.value, ast.Dict)
            pairs = zip(each.value.keys, each.value.values, strict=True)
            return {str(ast.literal_eval(key)): ast.unparse(value) for key, value in pairs if key}
    return {}


# What is seen of it -------------------------------------------------------------------------------------


def follow(hunt: Hunt, tree: Path) -> Trail | None:
    """Plant the mistake and look at its symptom. None if the code of `tree` has no place for it, or nothing is seen."""
    kata = hunt.mistake.kata
    try:
        planted = plant(hunt.mistake, tree)
    except DojoError:
        return None
    outputs = []
    changes: list[dict[Path, str]] = [{}, {planted.path: planted.text}]
    for change in changes:
        with copied(tree, kata, change) as folder:
            answer = scene.play("hunt", kata, str(folder), f"--symptom={hunt.symptom}", limit=LIMIT)
        outputs.append(answer.get("output") or answer.get("death") or answer.get("error", "nothing"))
    return Trail(hunt, planted, *outputs) if outputs[0] != outputs[1] else None


@contextmanager
def copied(tree: Path, kata: Kata, change: Mapping[Path, str]) -> Iterator[Path]:
    """A folder, for as long as the block lasts, with a copy of `tree` without the katas above `kata`."""
    with tempfile.TemporaryDirectory(prefix="dojo-hunt-") as folder:
        home = Path(folder) / "tinytorch"
        for path in files_below(tree):
            owner = kata_of(path, tree)
            if owner is None or owner.number <= kata.number:
                (home / path.relative_to(tree)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, home / path.relative_to(tree))
        for path, text in change.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text, encoding="utf-8")
        yield home


def printed(show: Callable[[], None]) -> str:
    """What a symptom prints. An error is a part of it: its last line."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), warnings.catch_warnings(action="ignore"):
        try:
            show()
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
    return output.getvalue()


def symptom(trail: Trail, total: int) -> str:
    """What is shown of a hunt."""
    kata = trail.hunt.mistake.kata
    number = list(names(kata)).index(trail.hunt.mistake.name) + 1
    return "\n".join(
        [
            f"hunt {number} of {total} in kata {kata.name}: one function of the kata is wrong in the copy.",
            "",
            trail.hunt.says,
            "",
            "With the mistake:",
            textwrap.indent(trail.wrong.rstrip("\n"), "  "),
            "",
            "Without it:",
            textwrap.indent(trail.right.rstrip("\n"), "  "),
            "",
            f"Which function is it? `make hunt N={kata.number} F=name` or `F=Class.method`. Or find it with a spec of "
            f"your own: `make hunt N={kata.number} MODE=spec`. FORCE=1 gives up.",
        ]
    )


def explained(trail: Trail, how: str) -> str:
    """The mistake, what is wrong about it, and the spec that catches it."""
    mistake = trail.hunt.mistake
    lines = difflib.unified_diff(
        trail.planted.right.splitlines(), trail.planted.wrong.splitlines(), lineterm="", n=1
    )
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return "\n".join(
        [
            f"{how} `{mistake.function}`. {mistake.sentence}".rstrip(),
            "",
            *(f"  {line}" for line in changed),
            "",
            f"The spec that catches it is {mistake.spec}. `make hunt N={mistake.kata.number}` is the next one.",
        ]
    )


# The answer ---------------------------------------------------------------------------------------------


def _asked(kata: Kata) -> str:
    """The answer of a person at a terminal; nothing is an answer too."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return ""
    try:
        return input(f"\nThe function in kata {kata.id} (Enter for later): ").strip()
    except EOFError:
        return ""


def _checked(trail: Trail, tree: Path, answer: str) -> tuple[str, str]:
    kata = trail.hunt.mistake.kata
    functions = _functions(kata, tree)
    name = answer.removeprefix(f"{kata.slug}.")
    meant = [name] if name in functions else [each for each in functions if each.endswith(f".{name}")]
    if not meant:
        short = [each.rpartition(".")[2] for each in functions]
        methods = [each for each in functions if each.startswith(f"{name}.")]  # where `name` is a class
        near = methods or difflib.get_close_matches(name, functions + short, n=1)
        question = f" Did you mean `{near[0]}`?" if near else ""
        return "open", f"There is no function `{answer}` in kata {kata.id}.{question}"
    if len(meant) > 1:
        return "open", f"Several functions are called `{answer}`: name the class, `F={meant[0]}`."
    if meant == [trail.hunt.mistake.function]:
        _keep(trail, "found")
        return "found", explained(trail, "Found: it was")
    wrong = int(_kept(kata)[trail.hunt.mistake.name]) + 1
    _keep(trail, wrong)
    if wrong == 1:
        advice = "What does the symptom go through, and which part of that could give just this?"
    else:
        advice = (
            f"That is wrong answer {wrong}. A spec for each function that you suspect can tell them apart: "
            f"`make hunt N={kata.number} MODE=spec`. `make hunt N={kata.number} FORCE=1` shows the mistake."
        )
    return "wrong", f"It is not `{answer}`. {advice}"


def _functions(kata: Kata, tree: Path) -> list[str]:
    """The qualified names of the kata's functions in that code."""
    modules = [path for path in kata.files(tree) if path.suffix == ".py" and path.is_file()]
    found = (definitions(ast.parse(path.read_text(encoding="utf-8"))) for path in modules)
    return list(dict.fromkeys(name for each in found for name, _ in each))


def _judged(trail: Trail, tree: Path) -> tuple[str, str]:
    """Run the student's spec on right code and on wrong code."""
    kata = trail.hunt.mistake.kata
    path = SPECS / f"test_kata_{kata.id}.py"
    template = TEMPLATE.format(kata=kata.name, number=kata.number, slug=kata.slug)
    if not path.is_file():
        files.write(path, template)
        return "rejected", f"Write a spec in {shown(path)}, then `make hunt N={kata.number} MODE=spec` again."
    if path.read_text(encoding="utf-8") == template:
        return "rejected", f"The spec is not written yet: {shown(path)}"
    modules = [path for path in kata.files(SOLUTIONS) if path.suffix == ".py"]
    reference = {path.relative_to(SOLUTIONS): path.read_text(encoding="utf-8") for path in modules}
    rights: dict[str, dict[Path, str]] = {"your own code": {}, "the reference": reference}
    for name, change in rights.items():
        with copied(tree, kata, change) as folder:
            code, output = _pytest(path, folder)
        if code != 0:
            why = f"The spec is red on {name}, which is right: it asks for too much."
            return "rejected", f"On {name}:\n{output}\n\n{why}"
    with copied(tree, kata, {trail.planted.path: trail.planted.text}) as folder:
        code, output = _pytest(path, folder)
    if code != RED:
        return (
            "rejected",
            "The spec is green on right code, and on the copy with the mistake: it does not see it. So the mistake "
            "is not in what the spec has checked.",
        )
    _keep(trail, "found")
    kept = path.replace(SPECS / f"{trail.hunt.mistake.name}.py")
    judged = f"The spec is green on right code and red on the mistake. It is kept in {shown(kept)}."
    return "found", f"On the copy with the mistake:\n{output}\n\n{judged}\n\n{explained(trail, 'It was')}"


def _pytest(path: Path, folder: Path) -> tuple[int | None, str]:
    outcome = jobs.cold(jobs.Job([str(path), "-q", "--tb=line"], Plan(folder), LIMIT), shown=False).wait()
    return outcome.code, textwrap.indent(outcome.output.strip(), "  ")


def _must_be_green(kata: Kata) -> None:
    found = standing.stand([kata])[kata]
    if found.red and found.state != "inconclusive":
        raise DojoError(
            f"A mistake is planted in green code, and kata {kata.name} is not green yet ({found.green}/{found.total}): "
            f"`make kata N={kata.number}`."
        )


# What was found -----------------------------------------------------------------------------------------


def done(kata: Kata, how: str = "") -> list[str]:
    """The names of the mistakes that were found or given up; only one of these if `how` is "found" or "given up"."""
    return [name for name, end in _kept(kata).items() if end in ([how] if how else ["found", "given up"])]


def _kept(kata: Kata) -> dict[str, str | int]:
    """How each hunt of the kata ended; for one that was shown and has not ended, how many answers were wrong."""
    kept = _all_kept().get(kata.id)
    return kept if isinstance(kept, dict) else {}


def _all_kept() -> dict[str, dict[str, str | int]]:
    try:
        state = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _keep(trail: Trail, how: str | int) -> None:
    kata = trail.hunt.mistake.kata
    standing.write_json(STATE, {**_all_kept(), kata.id: {**_kept(kata), trail.hunt.mistake.name: how}})


def _those_that_have_some() -> str:
    numbers = [str(kata.number) for kata in KATAS if names(kata)]
    return f"These katas have hunts: {', '.join(numbers)}." if numbers else "No kata has any yet."
