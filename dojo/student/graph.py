"""The graph that a Tensor was computed by, as a picture in SVG: its Nodes, its leaves, and the shapes on the edges.

    import dojo
    dojo.draw_graph(loss, names=dict(model.named_parameters())).save("graph.svg")

It reads what kata 07 records: `grad_fn`, and the `name` and the `edges` of each Node. Data flows downwards. Every Node
is in a row above all that use it; an edge over several rows has a place of its own in each, so that it crosses no box.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

LARGEST = 1500  # Nodes; a larger picture would not be readable
SWEEPS = 12  # over all rows, to bring neighbours near each other
ROW = 80.0  # pixels from row to row
BOX = 28.0  # pixels: the height of a box
BEND = 40.0  # pixels: the width of an edge in a row
GAP, LETTER = 34.0, 7.6  # pixels: between two boxes, the width of a letter
STYLE = """
text { font: 13px ui-monospace, Menlo, Consolas, monospace; text-anchor: middle; dominant-baseline: central; }
.page { fill: #ffffff; }
.edge { fill: none; stroke: #8a94a3; stroke-width: 1.5; }
.node { fill: #dbe8fb; stroke: #4470b5; }
.leaf { fill: #fdebc8; stroke: #c08a1e; }
.output { fill: #d8f0d8; stroke: #3d8b4a; }
.halo { fill: #ffffff; opacity: 0.85; }
.shape { fill: #45505e; font-size: 11px; }
"""
Point = tuple[float, float]


class SVG(str):
    """A picture as text, which notebooks show."""

    def _repr_svg_(self) -> str:
        return str(self)

    def save(self, path: str | Path) -> None:
        Path(path).write_text(self, encoding="utf-8")


class Bend(NamedTuple):
    """The place in one row of an edge that passes it."""

    edge: int
    row: int


class Edge(NamedTuple):
    source: Any
    target: Any
    label: str


def draw_graph(tensor: Any, names: Mapping[str, Any] | None = None) -> SVG:
    """The graph of `tensor`. `names` are names of leaves, such as dict(model.named_parameters()).

    Raises:
        ValueError: the Tensor has no graph, backward has freed it, or it is too large to be drawn.
    """
    if getattr(tensor, "grad_fn", None) is None:
        raise ValueError(
            "this Tensor has no graph (no grad_fn): draw one that was computed from a Tensor that requires grad"
        )
    edges = _edges(tensor)
    rows, links = _layers(tensor, edges)
    _order(rows, links)
    known = {id(each): name for name, each in (names or {}).items()}
    texts = {
        id(each): _text(each, tensor, known) for row in rows for each in row if not isinstance(each, Bend)
    }
    centres = _place(rows, links, {key: len(text) * LETTER + 20 for key, text in texts.items()})
    return SVG(_written(rows, links, edges, texts, centres, tensor))


def _edges(tensor: Any) -> list[Edge]:
    """Every edge of the graph, from where a value comes to where it is used. The Tensor itself is the last target."""
    edges = [Edge(tensor.grad_fn, tensor, str(tuple(tensor.shape)))]
    waiting, seen = [tensor.grad_fn], {id(tensor.grad_fn)}
    while waiting:
        node = waiting.pop()
        if not node.edges:
            raise ValueError(
                f"the graph below {node.name} was freed: draw it before backward, or retain_graph=True"
            )
        times = Counter(id(source) for _, source, _, _ in node.edges)
        for source, shape in {id(source): (source, shape) for _, source, shape, _ in node.edges}.values():
            twice = f", {times[id(source)]} times" if times[id(source)] > 1 else ""
            edges.append(Edge(source, node, f"{tuple(shape)}{twice}"))
            if hasattr(source, "edges") and id(source) not in seen:
                seen.add(id(source))
                waiting.append(source)
        if len(seen) > LARGEST:
            raise ValueError(f"the graph has more than {LARGEST} Nodes: draw a smaller model, or fewer steps")
    return edges


def _text(item: Any, tensor: Any, known: Mapping[int, str]) -> str:
    """What stands in the box."""
    if hasattr(item, "edges"):
        return str(item.name)
    return known.get(id(item), "the result" if item is tensor else f"leaf {tuple(item.shape)}")


# Where everything goes ----------------------------------------------------------------------------------

Links = list[list[tuple[Any, Any]]]
"""For each row but the last, the pieces of edges from it to the row below."""


def _layers(tensor: Any, edges: Sequence[Edge]) -> tuple[list[list[Any]], Links]:
    """The rows from top to bottom, and the links between them. A row is as far from the last as its longest way."""
    uses: dict[int, list[Any]] = {}
    for each in edges:
        uses.setdefault(id(each.source), []).append(each.target)
    items = {id(each.source): each.source for each in edges}
    newest_first = sorted(items.values(), key=lambda item: -getattr(item, "number", -1))  # leaves come last
    height = {id(tensor): 0}
    for item in newest_first:
        height[id(item)] = 1 + max(height[id(user)] for user in uses[id(item)])
    top = max(height.values())
    rows: list[list[Any]] = [[] for _ in range(top + 1)]
    for item in [tensor, *newest_first]:
        rows[top - height[id(item)]].append(item)
    links: Links = [[] for _ in range(top)]
    for number, edge in enumerate(edges):
        first, last = top - height[id(edge.source)], top - height[id(edge.target)]
        way = [edge.source, *(Bend(number, row) for row in range(first + 1, last)), edge.target]
        for row, link in enumerate(pairwise(way), first):
            links[row].append(link)
        for bend in way[1:-1]:
            rows[bend.row].append(bend)
    return rows, links


def _key(item: Any) -> Any:
    return item if isinstance(item, Bend) else id(item)


def _order(rows: list[list[Any]], links: Links) -> None:
    """Put each row in an order in which few edges cross: by the mean place of the neighbours, down and up again."""
    best, fewest = [list(row) for row in rows], _crossings(rows, links)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for index in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            other = rows[index - 1 if down else index + 1]
            place = {_key(each): float(number) for number, each in enumerate(other)}
            near: dict[Any, list[float]] = {}
            for upper, lower in links[index - 1 if down else index]:
                mine, theirs = (lower, upper) if down else (upper, lower)
                near.setdefault(_key(mine), []).append(place[_key(theirs)])
            old = {_key(each): float(number) for number, each in enumerate(rows[index])}
            rows[index].sort(key=lambda each: _mean(near.get(_key(each), [old[_key(each)]])))
        if (count := _crossings(rows, links)) < fewest:
            best, fewest = [list(row) for row in rows], count
    rows[:] = best


def _crossings(rows: Sequence[Sequence[Any]], links: Links) -> int:
    total = 0
    for above, below, between in zip(rows, rows[1:], links, strict=False):
        upper, lower = ({_key(each): place for place, each in enumerate(row)} for row in (above, below))
        ends = sorted((upper[_key(a)], lower[_key(b)]) for a, b in between)
        total += sum(a < c and b > d for i, (a, b) in enumerate(ends) for c, d in ends[i + 1 :])
    return total


def _place(rows: Sequence[Sequence[Any]], links: Links, widths: Mapping[int, float]) -> dict[Any, float]:
    """The x of each centre: near the mean of what is above it, then of what is below it, with a gap between boxes."""
    above: dict[Any, list[Any]] = {}
    below: dict[Any, list[Any]] = {}
    for a, b in (link for between in links for link in between):
        below.setdefault(_key(a), []).append(_key(b))
        above.setdefault(_key(b), []).append(_key(a))
    x: dict[Any, float] = {}
    for row in rows:
        x |= dict(zip(map(_key, row), _apart([0.0] * len(row), row, widths), strict=True))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in rows if down else reversed(rows):
            wanted = [_mean(x[each] for each in neighbours.get(_key(item), [_key(item)])) for item in row]
            x |= dict(zip(map(_key, row), _apart(wanted, row, widths), strict=True))
    return x


def _apart(wanted: Sequence[float], row: Sequence[Any], widths: Mapping[int, float]) -> list[float]:
    """The places nearest to the wanted ones at which no two boxes of a row touch (pool adjacent violators)."""
    half = [BEND / 2 if isinstance(item, Bend) else widths[id(item)] / 2 for item in row]
    offsets = [0.0]
    for left, right in pairwise(half):
        offsets.append(offsets[-1] + left + GAP + right)
    pools: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        pools.append([want - offset])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    level = [_mean(pool) for pool in pools for _ in pool]
    return [mean + offset for mean, offset in zip(level, offsets, strict=True)]


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


# The text of the picture --------------------------------------------------------------------------------


def _written(
    rows: Sequence[Sequence[Any]],
    links: Links,
    edges: Sequence[Edge],
    texts: Mapping[int, str],
    x: Mapping[Any, float],
    tensor: Any,
) -> str:
    widths = {key: len(text) * LETTER + 20 for key, text in texts.items()}
    y = {_key(each): number * ROW for number, row in enumerate(rows) for each in row}
    left = min(x[key] - widths.get(key, 0) / 2 for key in x) - GAP
    right = max(x[key] + widths.get(key, 0) / 2 for key in x) + GAP
    width, height = right - left, len(rows) * ROW + BOX
    box = f"{left:.0f} {-ROW / 2 - BOX / 2:.0f} {width:.0f} {height:.0f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{width:.0f}" height="{height:.0f}">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8a94a3"/></marker></defs>',
        f'<rect class="page" x="{left:.0f}" y="{-ROW / 2 - BOX / 2:.0f}" width="{width:.0f}" height="{height:.0f}"'
        ' rx="12"/>',
    ]
    ways: dict[int, list[Any]] = {}
    for bend in (each for row in rows for each in row if isinstance(each, Bend)):
        ways.setdefault(bend.edge, []).append(bend)
    branches = Counter(id(edge.source) for edge in edges)
    labels = []
    for number, edge in enumerate(edges):
        way = [id(edge.source), *sorted(ways.get(number, []), key=lambda bend: bend.row), id(edge.target)]
        points = [(x[key], y[key]) for key in way]
        points[0] = (points[0][0], points[0][1] + BOX / 2)
        points[-1] = (points[-1][0], points[-1][1] - BOX / 2 - 2)
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for (x0, y0), (x1, y1) in pairwise(points):
            half = (y1 - y0) / 2
            path += f"C{x0:.1f} {y0 + half:.1f} {x1:.1f} {y1 - half:.1f} {x1:.1f} {y1:.1f}"
        parts.append(f'<path class="edge" d="{path}" marker-end="url(#arrow)"/>')
        labels += _label(
            *_on_the_way(points[0], points[1], 0.6 if branches[id(edge.source)] > 1 else 0.3), edge.label
        )
    parts += labels
    for item in (each for row in rows for each in row if not isinstance(each, Bend)):
        kind = "output" if item is tensor else "node" if hasattr(item, "edges") else "leaf"
        centre, middle, wide = x[id(item)], y[id(item)], widths[id(item)]
        parts += [
            f'<rect class="{kind}" x="{centre - wide / 2:.1f}" y="{middle - BOX / 2:.1f}" width="{wide:.1f}"'
            f' height="{BOX:.0f}" rx="{6 if kind == "node" else 14}"/>',
            f'<text x="{centre:.1f}" y="{middle:.1f}">{escape(texts[id(item)])}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def _on_the_way(start: Point, end: Point, t: float) -> Point:
    """A point of the curve between two points of an edge."""
    (x0, y0), (x1, y1) = start, end
    return x0 + (x1 - x0) * (3 * t**2 - 2 * t**3), y0 + (y1 - y0) * (1.5 * t * (1 - t) + t**3)


def _label(x: float, y: float, text: str) -> list[str]:
    wide = len(text) * LETTER * 0.85 + 4
    return [
        f'<rect class="halo" x="{x - wide / 2:.1f}" y="{y - 8:.1f}" width="{wide:.1f}" height="16"/>'
        f'<text class="shape" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
    ]
