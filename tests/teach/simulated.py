"""The results of a class that does not exist, to try the reports on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from dojo.catalogue import KATAS, Kata
from dojo.teach.results import (
    Canary,
    KataResult,
    Status,
    Submission,
    listed,
    reference_version,
    requirements,
)


def simulated(students: int, seed: int = 0) -> Iterator[Submission]:
    """The results of a class that does not exist, to try the reports on: outcomes at random, over the real specs."""
    draw = random.Random(seed)
    built = [kata for kata in KATAS if kata.built]
    for i in range(students):
        skill, reached = draw.betavariate(5, 1.5), draw.randint(1, len(built) + 3)
        student = f"s{i:05d}"
        who = (f"Student {i}", f"{student}@example.org", "ABCD"[i % 4])
        if draw.random() < 0.02:
            yield Submission(student, Status.MISSING, "nothing was submitted", *who)
            continue
        katas = [_simulated_kata(kata, draw, skill, kata.number <= reached) for kata in built]
        stories = [
            replace(each, specs=[spec for spec in each.specs if "story" in spec.file], canaries=[], canary="")
            for each in katas
        ]
        flagged = any(not each.believed for each in katas)
        yield Submission(
            student,
            Status.FLAGGED if flagged else Status.GRADED,
            "",
            *who,
            source=student,
            submitted_at="2026-11-20T23:59:00+00:00",
            katas=katas,
            whole=stories,
            submission_sha256=sha256(student.encode()).hexdigest(),
            reference_version=reference_version(),
            graded_at="2026-11-21T08:00:00+00:00",
            seconds=sum(each.seconds for each in katas),
        )


def _simulated_kata(kata: Kata, draw: random.Random, skill: float, tried: bool) -> KataResult:
    specs = list(listed(kata.number))
    if not tried:
        return KataResult(
            kata.number, Status.NOT_WRITTEN, "it is as the skeleton has it", specs, canary="not run"
        )
    if draw.random() < 0.02:
        return KataResult(
            kata.number, Status.CANNOT_IMPORT, "NameError: name 'np' is not defined", specs, canary="not run"
        )
    done = []
    for spec in specs:
        seconds = round(draw.expovariate(30), 3)
        if draw.random() < skill:
            done.append(replace(spec, green=spec.cases, state="green", seconds=seconds))
        elif draw.random() < 0.01:
            done.append(
                replace(spec, state="inconclusive", summary="inconclusive: run again", seconds=seconds)
            )
        else:
            state = draw.choice(["wrong", "wrong", "next"])
            summary = f"{state}: yours is 1.304, expected -3.032 <b>& more</b>"
            text = f"{state}: {requirements(kata.number)[spec.name]}\n\n  {summary}"
            green = draw.randrange(spec.cases)
            done.append(replace(spec, green=green, state=state, summary=summary, text=text, seconds=seconds))
    first = done[0]
    canary = Canary(first.name, "relu", "it gives its input back", "green", "wrong")
    result = KataResult(
        kata.number,
        Status.GRADED,
        "",
        done,
        canaries=[canary],
        canary="passed",
        seconds=round(sum(spec.seconds for spec in done), 3),
    )
    if draw.random() < 0.003:
        evidence = f"{first.name} stayed green with `relu` replaced: it gives its input back"
        stayed = replace(canary, planted="green")
        return replace(
            result,
            status=Status.FLAGGED,
            message=evidence,
            flags=[evidence],
            canaries=[stayed] * 3,
            canary="failed",
        )
    return result
