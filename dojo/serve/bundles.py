"""Where the bundles are, and how one is made: from kata 14's milestone, a folder of Hugging Face's, or on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dojo.catalogue import ROOT, kata
from dojo.errors import RED, DojoError
from dojo.report.explain import explain
from dojo.run.results import Spec
from dojo.tree.overlay import shown

HOME = ROOT / ".dojo" / "bundle"
MILESTONE = ROOT / ".dojo" / "milestones" / "14_models"


def make(
    folder: Path,
    say: Callable[[str], None],
    source: Path | None = None,
    bits: int | None = None,
    group_size: int | None = None,
) -> None:
    """Write a bundle into a new folder: of the `source`, a folder in Hugging Face's layout, or of what there is."""
    from dojo.serve import small  # it imports the student's code
    from tinytorch.capstone import save_bundle

    if source is not None:
        from dojo.serve.huggingface import from_huggingface

        bundle = from_huggingface(source)
    elif (found := small.of_milestone(MILESTONE)) is not None:
        say("The model is the one that the milestone of kata 14 has trained.")
        bundle = found
    else:
        say(
            f"A small GPT learns Python's own source, for {small.SECONDS:.0f} seconds. The milestone of kata 14 trains "
            "a better one."
        )
        bundle = small.train(say)
    folder.parent.mkdir(parents=True, exist_ok=True)
    save_bundle(bundle, folder, bits, group_size)
    say(f"{bundle.card['name']} is in {shown(folder)}")


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
