"""The specs of a kata, as `specs.txt` in its folder lists them: a spec that was never run is not green.

A line is the name of a spec and the number of its cases, which parametrization makes: `test_sum_of_rows 6`. If the kata
has tracks, the spec's track follows.
`make dev-specs` writes the lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dojo.catalogue import Kata, kata_of

IMPORT = "import"  # the name of the red result that stands for all specs of a file that cannot be imported


def path(kata: Kata) -> Path:
    return kata.folder / "specs.txt"


def listed(kata: Kata) -> dict[str, int]:
    """The number of cases of each of the specs of the kata, or of its chosen track. Empty if there is no list."""
    if not path(kata).is_file():
        return {}
    lines = path(kata).read_text(encoding="utf-8").splitlines()
    return {
        name: int(cases)
        for name, cases, *track in map(str.split, lines)
        if not kata.track or track == [kata.track]
    }


def where(kata: Kata) -> list[str]:
    """The kata's specs, as pytest is told: its folder, or the files of the chosen track."""
    if not kata.track:
        return [f"katas/{kata.name}"]
    pattern = f"test_*_{kata.track}_*.py"
    names = sorted(file.name for file in kata.folder.glob(pattern))
    return [
        f"katas/{kata.name}/{name}" for name in names or [pattern]
    ]  # pytest says that it finds no such file


def total(kata: Kata) -> int:
    """How many cases all the kata's specs have."""
    return sum(listed(kata).values())


def counted(ids: Iterable[str]) -> Counter[str]:
    """The number of cases of each spec among these node ids, each once."""
    return Counter(name_of(id) for id in dict.fromkeys(ids))


def green(kata: Kata, ids: Iterable[str]) -> int:
    """How many listed cases these green ids are. Cases that are not listed do not count."""
    cases = listed(kata)
    return sum(min(count, cases.get(name, 0)) for name, count in counted(ids).items())


def missing(kata: Kata, ids: Iterable[str]) -> list[str]:
    """The listed specs of which not all cases are among these ids."""
    ran = counted(ids)
    return [name for name, cases in listed(kata).items() if ran[name] < cases]


def name_of(id: str) -> str:
    """`test_sum` of `katas/02_tensor/test_03.py::test_sum[float32]`; empty if the id names a whole file."""
    return id.partition("::")[2].partition("[")[0]


def kata_of_id(id: str) -> Kata | None:
    """The kata of a spec's node id."""
    return kata_of(Path(id.partition("::")[0]), Path("katas"))


def part_of_id(kata: Kata, id: str) -> Kata:
    """The kata on the track that the spec of that node id belongs to."""
    return kata.on(kata.track_of(Path(id.partition("::")[0]).name))
