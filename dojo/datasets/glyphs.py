"""How people write the digits: the points that a pen goes through, in several styles."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STYLES = (
    # digit, strokes, and their points a, b, c, ... as x,y: ten high, y goes down. A stroke is a smooth curve through
    # its points, closed where it ends as it begins. Strokes that share a point meet there in a corner.
    (0, "abcdefgha", "3.5,0 1,1.5 0,5 1,8.5 3.5,10 6,8.5 7,5 6,1.5"),
    (0, "abcdefghi", "4.4,.4 2,.6 .3,4 .8,8 3,10 5.8,8.7 6.8,5 5.8,1.5 3.4,.1"),
    (1, "abc", "3,0 3,5 3,10"),
    (1, "ab bc", ".8,2.6 3.2,0 3.2,10"),
    (1, "ab bc de", ".8,2.6 3.2,0 3.2,10 .8,10 5.6,10"),
    (2, "abcdefg gh", ".4,2.4 1.3,.6 3.4,0 5.9,1 6,3.4 3.8,6.6 .2,10 6.8,10"),
    (2, "abcdefghijk", ".4,2.2 1.5,.4 4,.1 6,1.8 5.3,4.6 3,7.8 1.2,9.8 .2,9.2 1.3,8.4 3.6,9.4 6.8,9.8"),
    (3, "abcdef fghijk", ".6,1.4 2.4,.1 5,.5 5.8,2.4 4.9,4.2 2.4,4.8 5.4,5.6 6.3,7.4 5,9.5 2.6,10 .3,8.6"),
    (3, "ab bc cdefgh", ".6,0 6,0 2.8,4 5.4,4.9 6.3,7 5,9.4 2.5,10 .2,8.6"),
    (4, "ab bc de", "1.6,.2 .4,5.8 7,5.8 5,1.4 4.8,10"),
    (4, "ab bc ad", "4.8,0 0,6.8 7,6.8 4.8,10"),
    (4, "abcd ef", "1,.4 .6,3.8 2,5.4 5.4,4.9 5.8,.3 5.4,10"),
    (5, "ab bc cdefghi", "6.2,0 1.2,0 .8,4.4 3,3.6 5.6,4.4 6.5,6.8 5.2,9.3 2.8,10 .3,8.9"),
    (5, "ab ac cdefgh", "1.6,.2 6.8,-.2 .9,4.6 3.4,4 6,5.4 6.1,8.1 3.8,9.9 .5,9.2"),
    (6, "abcdefghij", "5.4,0 2.6,1.8 .6,5 .5,8 2.6,10 5.4,9.3 6.2,7 4.6,5.1 2.2,5.4 .7,7.4"),
    (6, "abcdefghi", "4.2,0 1.6,3.6 .3,7 1.4,9.6 3.8,10 5.9,8.6 5.6,6.2 3.4,5.4 .8,7.2"),
    (7, "ab bc", ".2,0 6.4,0 2.4,10"),
    (7, "ab bc de", ".2,0 6.4,0 2.4,10 1.6,5.2 6,4.8"),
    (7, "ab bc cde", ".3,2 .5,.1 6.5,.2 4.2,4.2 2.9,10"),
    (8, "abcdefghija", "5.6,1.4 3.4,0 1.1,1.6 2,3.8 4.8,5.6 6.2,7.9 3.4,10 .5,7.9 2,5.6 4.9,3.7"),
    (8, "abcdefa dghijkd", "3.4,0 1.2,1.3 1.3,3.6 3.4,4.8 5.5,3.6 5.6,1.3 .9,6 .8,8.6 3.4,10 6,8.6 5.9,6"),
    (9, "abcdefa ag", "6,2.2 4.6,.2 2,.3 .4,2.7 1.6,5.1 4.4,4.9 5.6,10"),
    (9, "abcdefa aghij", "6,2 4.6,.1 2,.3 .4,2.7 1.6,5.1 4.4,4.9 6.2,5.6 5.2,9 2.8,10 .8,9.2"),
)
POINTS = 12
"""Room for the points of any style."""
STEPS = 56
"""Small straight steps of the pen in any style."""


class Pens(NamedTuple):
    """All styles in arrays of one shape, so that many digits are written by one matrix product."""

    points: Floats  # (styles, POINTS, 2), one high, unused ones 0
    curves: Floats  # (styles, STEPS, 2, POINTS): both ends of a step, as a mixture of the points
    first: NDArray[np.int64]  # (10,) where a digit's styles begin
    styles: NDArray[np.int64]  # (10,) and how many there are


@cache
def pens() -> Pens:
    points = np.zeros((len(STYLES), POINTS, 2), np.float32)
    curves = np.zeros((len(STYLES), STEPS, 2, POINTS), np.float32)
    for style, (_, strokes, text) in enumerate(STYLES):
        places = np.array([pair.split(",") for pair in text.split()], np.float32) / 10
        points[style, : len(places)] = places
        paths = [[ord(letter) - ord("a") for letter in stroke] for stroke in strokes.split()]
        lengths = [np.linalg.norm(np.diff(places[path], axis=0), axis=1).sum() for path in paths]
        ends = np.round(np.cumsum([0, *lengths]) / sum(lengths) * STEPS).astype(int)
        for path, begin, end in zip(paths, ends[:-1], ends[1:], strict=True):
            curve = smooth(path, end - begin)
            curves[style, begin:end] = np.stack([curve[:-1], curve[1:]], 1)
    digits = np.array([digit for digit, _, _ in STYLES])
    return Pens(points, curves, np.searchsorted(digits, np.arange(10)), np.bincount(digits))


def smooth(path: list[int], steps: int) -> Floats:
    """A Catmull-Rom spline through the points of that path: (steps + 1, POINTS) weights for them."""
    closed = path[0] == path[-1]
    before, after = (path[-2], path[1]) if closed else (path[0], path[-1])
    knots = np.eye(POINTS)[[before, *path, after]]
    where = np.linspace(0, len(path) - 1, steps + 1)
    piece = np.minimum(where.astype(int), len(path) - 2)
    t = (where - piece)[:, None]
    a, b, c, d = (knots[piece + k] for k in range(4))
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(curve, np.float32)
