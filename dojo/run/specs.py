"""The specs of a kata, as `specs.txt` in its folder lists them: a spec that was never run is not green.

A line is the name of a spec and the number of its cases, which parametrization makes: `test_sum_of_rows 6`. If the kata
has tracks, the spec's track follows. Then it says `short` if all of them are on the short path, or `short ["float32"]`
if only some are. The lines before these, `def Tensor.sum`, are the functions that the short path needs.
`make dev-specs` writes the lists.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from dojo.catalogue import Kata, kata_of

IMPORT = "import"  # the name of the red result that stands for all specs of a file that cannot be imported
WHOLE, SHORT = PATHS = ("whole", "short")
"""The two paths through a kata: all its specs, or those that the stories and the milestones need."""
FUNCTION = "def "


class Spec(NamedTuple):
    """A line of the list."""

    cases: int
    short: frozenset[str] | None = frozenset()
    """What pytest calls the cases on the short path, "" if the spec has no parameters; None means all."""
    track: str = ""

    def on(self, path: str) -> int:
        """How many cases are on a path."""
        return self.cases if path == WHOLE or self.short is None else len(self.short)


def path(kata: Kata) -> Path:
    return kata.folder / "specs.txt"


def where(kata: Kata) -> list[str]:
    """The kata's specs, as pytest is told: its folder, or the files of the chosen track."""
    if not kata.track:
        return [f"katas/{kata.name}"]
    pattern = f"test_*_{kata.track}_*.py"
    names = sorted(file.name for file in kata.folder.glob(pattern))
    return [
        f"katas/{kata.name}/{name}" for name in names or [pattern]
    ]  # pytest says that it finds no such file


def _lines(kata: Kata) -> list[str]:
    return path(kata).read_text(encoding="utf-8").splitlines() if path(kata).is_file() else []


def functions(kata: Kata) -> list[str]:
    """The functions of the kata that are on the short path."""
    return [line.removeprefix(FUNCTION) for line in _lines(kata) if line.startswith(FUNCTION)]


def read(kata: Kata) -> dict[str, Spec]:
    """The specs of the kata, or of its chosen track, in order. Empty if there is no list."""
    found = {}
    for line in _lines(kata):
        if not line.startswith(FUNCTION):
            name, cases, *rest = line.split(" ", 3 + bool(kata.tracks))
            track = rest.pop(0) if kata.tracks else ""
            some = frozenset(json.loads(rest[1])) if rest[1:] else None if rest else frozenset[str]()
            if kata.track in ("", track):
                found[name] = Spec(int(cases), some, track)
    return found


def written(functions: Iterable[str], specs: dict[str, Spec]) -> str:
    """The text of a list."""
    lines = [FUNCTION + name for name in functions]
    for name, spec in specs.items():
        some = "" if spec.short is None else f" {json.dumps(sorted(spec.short))}"
        words = [name, str(spec.cases), *([spec.track] if spec.track else [])]
        lines.append(" ".join(words) + (f" {SHORT}{some}" if spec.short != frozenset() else ""))
    return "".join(f"{line}\n" for line in lines)


def listed(kata: Kata, path: str = WHOLE) -> dict[str, int]:
    """The number of cases of each of the kata's specs on a path, in order. Empty if there is no list."""
    return {name: cases for name, spec in read(kata).items() if (cases := spec.on(path))}


def chooser(kata: Kata, path: str) -> Callable[[str], bool]:
    """Whether the case of a node id is on the path."""
    specs = read(kata)

    def chosen(id: str) -> bool:
        spec = specs.get(name_of(id))
        if path == WHOLE or name_of(id) == IMPORT:
            return True
        return spec is not None and (spec.short is None or case_of(id) in spec.short)

    return chosen


def total(kata: Kata, path: str = WHOLE) -> int:
    """How many cases all the kata's specs have."""
    return sum(listed(kata, path).values())


def counted(ids: Iterable[str]) -> Counter[str]:
    """The number of cases of each spec among these node ids, each once."""
    return Counter(name_of(id) for id in dict.fromkeys(ids))


def green(kata: Kata, ids: Iterable[str], path: str = WHOLE) -> int:
    """How many listed cases these green ids are. Cases that are not listed do not count."""
    cases = listed(kata, path)
    return sum(min(count, cases.get(name, 0)) for name, count in counted(ids).items())


def missing(kata: Kata, ids: Iterable[str], path: str = WHOLE) -> list[str]:
    """The listed specs of which not all cases are among these ids."""
    ran = counted(ids)
    return [name for name, cases in listed(kata, path).items() if ran[name] < cases]


def name_of(id: str) -> str:
    """`test_sum` of `katas/02_tensor/test_03.py::test_sum[float32]`; empty if the id names a whole file."""
    return id.partition("::")[2].partition("[")[0]


def case_of(id: str) -> str:
    """`float32` of `katas/02_tensor/test_03.py::test_sum[float32]`; empty if the spec has no parameters."""
    return id.partition("::")[2].partition("[")[2].removesuffix("]")


def kata_of_id(id: str) -> Kata | None:
    """The kata of a spec's node id."""
    return kata_of(Path(id.partition("::")[0]), Path("katas"))


def part_of_id(kata: Kata, id: str) -> Kata:
    """The kata on the track that the spec of that node id belongs to."""
    return kata.on(kata.track_of(Path(id.partition("::")[0]).name))
