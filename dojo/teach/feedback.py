"""feedback.html: what a student gets back.

Neither what the points file hides is in it nor any line of the reference.
"""

from __future__ import annotations

from dojo.teach.formats import NO_TESTS, plain, shown, told
from dojo.teach.pages import escape, page, part
from dojo.teach.points import Points
from dojo.teach.results import KataResult, SpecResult, Submission, requirements


def html(submission: Submission, points: Points) -> str:
    """The page of one student."""
    total, penalty = points.total(submission)
    days = points.late_days(submission)
    possible = sum(points.of(each.number).weight * each.possible for each in submission.katas)
    possible += sum(each.possible for each in submission.whole)
    facts = [f"{total:g} of {possible:g} points"]
    if days:
        facts.append(f"{days} {'day' if days == 1 else 'days'} late: {penalty:g} points are off")
    if submission.message:
        facts.append(submission.message)
    who = submission.name or submission.student
    rows = "".join(_row(kata, kata.kata.name) for kata in submission.katas)
    rows += "".join(_row(kata, f"{kata.kata.name}, stories on your whole code") for kata in submission.whole)
    katas = "".join(_kata(kata, points) for kata in submission.katas)
    stamp = f"Specs and reference {submission.reference_version}, graded {submission.graded_at}."
    body = f"""<main>
<h1>{_text(who)}</h1>
<p>{_text("; ".join(facts))}.</p>
<div class="wide" tabindex="0" role="region" aria-label="points by kata"><table>
<thead><tr><th scope="col">kata</th><th scope="col" class="number">points</th><th scope="col" class="number">of</th>
<th scope="col" class="number">green</th><th scope="col">state</th></tr></thead>
<tbody>{rows}</tbody></table></div>
{katas}
<p class="quiet">{_text(stamp)}</p>
</main>"""
    return page(f"{plain(who)}: feedback", part("page.css"), body)


def _row(kata: KataResult, name: str) -> str:
    green = f"{kata.green}/{kata.total}" if kata.status not in NO_TESTS and kata.believed else ""
    done = kata.believed and kata.green == kata.total
    return (
        f'<tr><th scope="row">{name}</th><td class="number">{kata.points:g}</td>'
        f'<td class="number">{kata.possible:g}</td>'
        f'<td class="number">{green}</td><td class="{"good" if done else "bad"}">'
        f"{'all green' if done else _text(told(kata) or 'not all green')}</td></tr>"
    )


def _kata(kata: KataResult, points: Points) -> str:
    """The red specs of a kata, in the order in which they are solved."""
    if kata.status in NO_TESTS or not kata.believed:
        return ""
    red = [spec for spec in shown(kata, points) if spec.counts and spec.green < spec.cases]
    hidden = len(kata.specs) - len(shown(kata, points))
    notes = []
    if kata.kata.tracks:
        notes.append("One of its tracks is enough: the points are those of the best one.")
    if kata.taken_out:
        notes.append(f"Not counted, because the machine was too busy to say: {', '.join(kata.taken_out)}.")
    if hidden:
        notes.append(f"{hidden} of its specs count and are not shown.")
    if not red and not notes:
        return ""
    lines = "".join(f"<p>{_text(note)}</p>" for note in notes)
    return f"<h2>{kata.kata.name}</h2>{lines}{''.join(_spec(kata, spec) for spec in red)}"


def _spec(kata: KataResult, spec: SpecResult) -> str:
    partly = f" ({spec.green} of {spec.cases} cases are green)" if spec.green else ""
    about = spec.text or spec.summary or f"{spec.state}: {spec.file}"
    return (
        f"<details><summary>{_text(requirements(kata.number)[spec.name])}{partly}</summary>"
        f'<p class="quiet"><code>{spec.file}::{spec.name}</code></p><pre tabindex="0">{_text(about)}</pre></details>'
    )


def _text(text: str) -> str:
    return escape(plain(text))
