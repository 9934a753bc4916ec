"""Words that a stranger would not understand, which were once the idiom of this repository, and stay out of it."""

from __future__ import annotations

import re
import subprocess

from dojo.catalogue import ROOT

SAID_BEFORE = "a|another|each|earlier|every|first|higher|last|later|lower|next|own|same|that|this|upper"
IDIOM = {
    r"anew": "again",
    r"seams?": "extension point",
    r"houses?": "repository",
    rf"floors|(?:{SAID_BEFORE}) floor": "kata",  # `floor` of mathematics is fine
    r"the message holds": "the message names",
    r"gone on with": "resumed",
    r"by halves": "half done",
    r"has the last word": "comes last",
}
"""What is not written here, and what to write instead."""


def test_the_idiom_stays_out() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    names = [
        name for name in listed.decode().split("\0") if name and name != "tests/repository/test_words.py"
    ]
    assert len(names) > 100
    found = []
    for name in names:
        path = ROOT / name
        text = path.read_text(encoding="utf-8", errors="ignore") if path.is_file() else ""
        for words, plain in IDIOM.items():
            pattern = words.replace(" ", r"[\s#]+")  # it may go on in the next line, also of a comment
            for match in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{name}:{line}: {' '.join(match[0].split())!r}: write {plain!r}")
    assert not found, "\n".join(found)
