"""A model is a tree: its modules, the parameters that they hold, and where the weights are."""

import matplotlib.figure

from tinytorch import layers
from tinytorch.setup import manual_seed

COLOURS = {"Sequential": "0.4", "Linear": "C0", "ReLU": "C2", "GELU": "C2", "Dropout": "C3", "Flatten": "C4"}


def model() -> layers.Module:
    manual_seed(0)
    block = [layers.Sequential(layers.Linear(128, 128), layers.GELU(), layers.Dropout(0.1)) for _ in range(2)]
    return layers.Sequential(
        layers.Flatten(), layers.Linear(784, 128), layers.ReLU(), *block, layers.Linear(128, 10)
    )


def draw() -> matplotlib.figure.Figure:
    tree = model()
    rows = []  # depth, text, colour, how many numbers
    for path, module in tree.named_modules():
        kind = type(module).__name__
        depth = path.count(".") + 1 if path else 0
        head = f"{path or 'model'}: {kind}({module.extra_repr()})"
        rows.append((depth, head, COLOURS[kind], sum(each.numel() for each in module.parameters())))
        for name, each in module.named_parameters(recurse=False):
            rows.append((depth + 1, f"{name} {each.shape}", COLOURS[kind], each.numel()))

    total = rows[0][3]
    figure = matplotlib.figure.Figure(figsize=(12, 8.5), layout="constrained")
    names, bars = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    last = {}  # the row of the parent at each depth
    for y, (depth, text, colour, count) in enumerate(rows):
        if depth:
            names.plot(
                [depth - 1, depth - 1, depth - 0.1], [last[depth - 1] + 0.3, y, y], color="0.75", zorder=1
            )
        last[depth] = y
        names.plot(depth, y, "s" if ":" in text else "o", color=colour, markersize=8)
        names.text(depth + 0.12, y, text, va="center", weight="bold" if ":" in text else "normal")
        if ":" not in text:
            bars.barh(y, count, color=colour)
            bars.text(count, y, f" {count:,}  ({count / total:.1%})", va="center")
        elif count:
            bars.text(0, y, f" {count:,} below it", va="center", color="0.5")
    names.set(
        xlim=(-0.2, 4.5), ylim=(len(rows) - 0.5, -0.5), title="modules (squares) and parameters (circles)"
    )
    names.axis("off")
    bars.set(xlabel="numbers to learn", title=f"{total:,} of them, most in one matrix", xlim=(0, total * 1.1))
    bars.locator_params(axis="x", nbins=4)
    bars.spines[["top", "right", "left"]].set_visible(False)
    bars.tick_params(left=False)
    return figure
