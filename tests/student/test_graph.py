"""`dojo.draw_graph`: the graph of a Tensor in SVG, tidy, and a sentence where there is none."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

import dojo
from tinytorch.activations import softmax
from tinytorch.dispatch import disabled
from tinytorch.layers import Linear
from tinytorch.tensor import Tensor

NAME = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]


def leaf(*shape: int) -> Tensor:
    return Tensor(np.arange(1.0, np.prod(shape) + 1).reshape(shape), requires_grad=True)


def words(svg: str, kind: str | None = None) -> list[str]:
    return [
        each.text or ""
        for each in ElementTree.fromstring(svg).iter(f"{NAME}text")
        if each.get("class") == kind
    ]


def boxes(svg: str) -> list[Box]:
    """The left, right, top and bottom of each box."""
    found = []
    for each in ElementTree.fromstring(svg).iter(f"{NAME}rect"):
        if each.get("class") in ("node", "leaf", "output"):
            x, y, width, height = (float(each.get(name, "")) for name in ("x", "y", "width", "height"))
            found.append((x, x + width, y, y + height))
    return found


def test_nodes_leaves_names_and_shapes() -> None:
    layer = Linear(3, 2)
    with disabled():
        total = layer(Tensor(np.ones((4, 3), np.float32))).sum()
    svg = dojo.draw_graph(total, names=dict(layer.named_parameters()))

    assert sorted(words(svg)) == sorted(["weight", "bias", "permute", "bmm", "add", "sum", "the result"])
    assert sorted(words(svg, "shape")) == sorted(["(2, 3)", "(3, 2)", "(4, 2)", "(2,)", "(4, 2)", "()"])


def test_what_is_used_twice_is_drawn_once() -> None:
    x = leaf(2, 3)
    y = x.exp()
    svg = dojo.draw_graph((y * y + y).sum())

    assert words(svg).count("exp") == 1
    assert words(svg).count("leaf (2, 3)") == 1
    assert "(2, 3), 2 times" in words(svg, "shape")


def test_no_box_touches_another_and_no_edge_crosses_one() -> None:
    """A softmax and many ways around it: long edges have a place of their own in each row that they pass."""
    x = leaf(3, 4)
    y = x.exp()
    total = y
    for _ in range(6):
        total = softmax(total.tanh() * y, -1) + x
    svg = dojo.draw_graph(total.sum())

    found = boxes(svg)
    for one, other in combinations(found, 2):
        assert one[1] < other[0] or other[1] < one[0] or one[3] < other[2] or other[3] < one[2], (one, other)
    for path in re.findall(r'class="edge" d="([^"]+)"', svg):
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", path)]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))[
            ::3
        ]  # a start, then two controls and an end
        assert all(a[1] < b[1] for a, b in pairwise(points)), "an edge goes up"
        for x_, y_ in points[1:-1]:
            assert not any(left < x_ < right and top < y_ < bottom for left, right, top, bottom in found)


def test_a_long_chain_needs_no_recursion() -> None:
    x = y = leaf(2)
    for _ in range(1400):
        y = y.tanh()
    assert words(dojo.draw_graph(y)).count("tanh") == 1400
    for _ in range(200):
        y = y.tanh()
    with pytest.raises(ValueError, match="more than 1500 Nodes"):
        dojo.draw_graph(y)
    assert x.grad is None


def test_what_has_no_graph_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="has no graph"):
        dojo.draw_graph(leaf(2))
    total = (leaf(2) * 2).sum()
    total.backward()
    with pytest.raises(ValueError, match="was freed"):
        dojo.draw_graph(total)


def test_it_can_be_saved(tmp_path) -> None:
    svg = dojo.draw_graph(leaf(2).sum())
    svg.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == svg == svg._repr_svg_()


def test_the_dojo_offers_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute"):
        getattr(dojo, "draw_everything")  # noqa: B009
