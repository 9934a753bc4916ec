"""Lines of text: what is cut, and the blank lines and section comments that lost their purpose with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Cut(NamedTuple):
    """Lines `first` to `last`, counted from 1, become `text`."""

    first: int
    last: int
    text: str = ""


def cut_lines(lines: list[str], cuts: list[Cut]) -> str:
    """The lines after the cuts, without the blank lines and section comments that lost their purpose."""
    spans: list[Cut] = []
    for cut in sorted(set(cuts)):
        if spans and not spans[-1].text and not cut.text and _is_blank(lines[spans[-1].last : cut.first - 1]):
            spans[-1] = Cut(spans[-1].first, cut.last)
        else:
            spans.append(cut)
    result = list(lines)
    for cut in reversed(spans):
        if cut.text:
            result[cut.first - 1 : cut.last] = [cut.text]
        else:
            _remove(result, cut.first - 1, cut.last)
    return "".join(result)


def _remove(lines: list[str], start: int, end: int) -> None:
    """Remove lines[start:end], a section comment that heads nothing else, and the blank lines too many."""
    above = _skip(start, -1, lambda i: i > 0 and not lines[i - 1].strip())
    below = _skip(end, 1, lambda i: i < len(lines) and not lines[i].strip())
    section = _skip(above, -1, lambda i: i > 0 and lines[i - 1].lstrip().startswith("#"))
    if section < above < start and section > 0 and not lines[section - 1].strip():
        indent = _indent(lines[section])
        over = below == len(lines) or _indent(lines[below]) < indent or _is_section(lines, below)
        if over:
            return _remove(lines, section, end)
    blank = max(start - above, below - end)
    if below == len(lines) or lines[above - 1].rstrip().endswith(":"):
        blank = 0
    elif not re.match(r"(async |def |class |@|#)", lines[below]) and not lines[above - 1].startswith(" "):
        blank = min(blank, 1)
    lines[above:below] = ["\n"] * blank
    return None


def _skip(i: int, step: int, going: Callable[[int], bool]) -> int:
    while going(i):
        i += step
    return i


def _is_blank(lines: list[str]) -> bool:
    return not any(line.strip() for line in lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_section(lines: list[str], i: int) -> bool:
    """Whether a comment that stands alone begins at line `i`."""
    end = _skip(i, 1, lambda j: j < len(lines) and lines[j].lstrip().startswith("#"))
    return end > i and (end == len(lines) or not lines[end].strip())
