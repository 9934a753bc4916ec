"""`make dev-specs`: write `specs.txt` of each kata, the list of its specs and of how many cases each has.

The ids that pytest collects on the reference and on the skeleton have to be the same, to the letter: a case whose id
depends on student code would be lost where that code is not written yet.
"""

from __future__ import annotations

import argparse

from dojo.authors import gate
from dojo.catalogue import KATAS, SOLUTIONS, Kata
from dojo.errors import DojoError
from dojo.run import specs, warm
from dojo.run.warm import Task
from dojo.tree import files
from dojo.tree.overlay import Plan, shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There is nothing to choose."""


def run(options: argparse.Namespace) -> int:
    warm.preload()
    for kata, ids in warm.together((kata, collect(kata)) for kata in gate.built()):
        print(f"{shown(specs.path(kata))} lists {len(ids)} cases of {write(kata, ids)} specs.")
    return 0


def collect(kata: Kata) -> Task[list[str]]:
    """The ids of the kata's specs, in order."""
    ids, problems = yield from gate.collected(kata, Plan(SOLUTIONS))
    skeletons = Plan(SOLUTIONS, source=gate.skeletons(KATAS))
    others, more = yield from gate.collected(kata, skeletons)
    if problems := [*problems, *more]:
        raise DojoError(f"The specs of kata {kata.name} cannot be collected:\n" + "\n".join(problems))
    if differing := sorted(set(ids) ^ set(others)):
        raise DojoError(
            f"{differing[0]} is there only on the {'reference' if differing[0] in ids else 'skeleton'}: "
            "give the case an id of its own."
        )
    return ids


def write(kata: Kata, ids: list[str]) -> int:
    """Write the kata's list, whole or not at all. Gives the number of specs."""
    counted = specs.counted(ids)
    tracks = {specs.name_of(id): specs.part_of_id(kata, id).track for id in ids}
    lines = (f"{name} {cases} {tracks[name]}".rstrip() + "\n" for name, cases in counted.items())
    files.write(specs.path(kata), "".join(lines))
    return len(counted)
