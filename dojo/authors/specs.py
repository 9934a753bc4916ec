"""`make dev-specs`: write `specs.txt` of each kata, the list of its specs, and what of it is on the short path.

The ids that pytest collects on the reference and on the skeleton have to be the same, to the letter: a case whose id
depends on student code would be lost where that code is not written yet.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from dojo.authors import gate, path
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
    print("playing the stories and the milestones: what they call is the short path ...", flush=True)
    found = path.find()
    source = path.without(found)
    for kata, (ids, short) in warm.together((kata, cases(kata, source)) for kata in gate.built()):
        functions = [name for name in gate.functions(kata) if name in found[kata]]
        write(kata, functions, ids, short)
        count = f"{len(ids)} cases of {len(specs.read(kata))} specs, {len(short)} cases of them short"
        print(f"{shown(specs.path(kata))} lists {count}.", flush=True)
    return 0


def cases(kata: Kata, source: Mapping[str, str]) -> Task[tuple[list[str], set[str]]]:
    """The ids of the kata's cases, and of those that are short."""
    ids = yield from collect(kata)
    short = yield from path.short(kata, source)
    return ids, short


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


def write(kata: Kata, functions: list[str], ids: list[str], short: set[str]) -> None:
    """Write the kata's list, whole or not at all."""
    tracks = {specs.name_of(id): specs.part_of_id(kata, id).track for id in ids}
    lines = {}
    for name, count in specs.counted(ids).items():
        chosen = frozenset(specs.case_of(id) for id in ids if id in short and specs.name_of(id) == name)
        lines[name] = specs.Spec(count, None if len(chosen) == count else chosen, tracks[name])
    files.write(specs.path(kata), specs.written(functions, lines))
