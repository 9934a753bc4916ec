"""Where the bundles are, and how one is made: from kata 14's milestone, a folder of Hugging Face's, or on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dojo.catalogue import ROOT, kata
from dojo.errors import RED, DojoError
from dojo.report.explain import explain
from dojo.run.results import Spec

if TYPE_CHECKING:
    from tinytorch.capstone import Bundle

HOME = ROOT / ".dojo" / "bundle"
SECONDS = 80.0  # of training
MILESTONE = ROOT / ".dojo" / "milestones" / "14_models"


def make(say: Callable[[str], None], source: Path | None = None, seconds: float = SECONDS) -> Bundle:
    """A bundle of the `source`, a folder in Hugging Face's layout; or of what there is, or trained for so long."""
    from dojo.serve import small  # it imports the student's code, as the next one does

    if source is not None:
        from dojo.serve.huggingface import from_huggingface

        return from_huggingface(source)
    if (found := small.of_milestone(MILESTONE)) is not None:
        say("The model is the one that the milestone of kata 14 has trained.")
        return found
    say(
        f"A small GPT learns Python's source for {seconds:g} seconds. The milestone of kata 14 trains a better one."
    )
    return small.train(say, seconds)


@contextmanager
def explained(command: str, function: Callable[..., Any], code: int = RED) -> Iterator[None]:
    """Tell a student whose code raises in the block what is wrong with it, as after a red spec."""
    try:
        yield
    except DojoError:
        raise
    except Exception as error:
        why = explain(error, Spec(kata(20), Path(__file__), 1, command, function))
        if why.owner is None:
            raise DojoError(why.text, code) from None
        number, name = why.owner
        raise DojoError(f"next: write `{name}` (kata {number:02d}), then `{command}` again.", code) from None
