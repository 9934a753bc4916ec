"""What a view is: four Tensors over the same twelve numbers in memory, and not one of them a copy."""

import itertools

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib.patches import Rectangle

from tinytorch.tensor import Tensor, arange, contiguous_strides

GREY = (0.95, 0.95, 0.95, 1.0)


def places(x: Tensor, first: int) -> dict[tuple[int, ...], int]:
    """Where in memory each entry of `x` lies, from its strides alone. Its first entry lies at `first`."""
    indices = itertools.product(*map(range, x.shape))
    return {
        index: first + sum(i * step for i, step in zip(index, x.stride(), strict=True)) for index in indices
    }


def box(axes, column, row, text, colour):
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=2))
    dark = np.dot(colour[:3], (0.3, 0.6, 0.1)) < 0.5
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color="white" if dark else "black")


def draw() -> matplotlib.figure.Figure:
    x = arange(12).reshape(3, 4)
    views = {
        "x = arange(12).reshape(3, 4)": x,
        "x.T": x.T,
        "x[::2]": x[::2],
        "x[1:2].expand(3, 4)": x[1:2].expand(3, 4),
    }
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 1, 12))
    figure = matplotlib.figure.Figure(figsize=(11, 10))
    axes = figure.add_axes((0, 0, 1, 0.94))
    top = 0.0
    for title, view in views.items():
        found = places(view, int(view[0, 0]))
        for (i, j), place in found.items():
            box(axes, j, top + 0.9 + i, str(int(view[i, j])), colours[place])
        uses = list(found.values())
        for place in range(12):
            used = place in uses
            box(axes, 6 + place, top + 1.4, str(place), colours[place] if used else GREY)
            if uses.count(place) > 1:
                axes.text(6.5 + place, top + 2.8, f"{uses.count(place)} times", ha="center", fontsize=8)
        copied = contiguous_strides(view.shape)
        words = "in the order of memory" if view.stride() == copied else f"a copy would have {copied}"
        axes.text(0, top + 0.5, title, family="monospace", weight="bold", va="center")
        axes.text(6, top + 0.9, f"shape {view.shape}, stride {view.stride()}: {words}", va="center")
        top += view.shape[0] + 1.7
    axes.set(xlim=(-0.3, 18.3), ylim=(top, 0), aspect="equal")
    axes.axis("off")
    figure.suptitle("Left the Tensor, right its memory: [i, j] lies at first + i * stride[0] + j * stride[1]")
    return figure
