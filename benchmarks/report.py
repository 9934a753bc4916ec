"""Show what was measured: a table, a JSON file, pictures."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from benchmarks.measure import GROWTH, Cost, Times
from benchmarks.workloads import WORKLOADS

BASE = "torch"
"""What the others are compared with."""

LABELS = {
    "torch": "PyTorch",
    "torch_m": "tuned malloc",
    "tinytorch": "tinytorch",
    "composed": "composed",
    "mygrad": "MyGrad",
    "autograd": "autograd",
    "one": "one process",
    "two": "two processes",
}


class Ratio(NamedTuple):
    """The median of the ratios of all rounds, the lowest and the highest."""

    median: float
    low: float
    high: float


def ratio(times: Sequence[float], base: Sequence[float]) -> Ratio:
    """How many times as long it took as the base, round by round."""
    each = [one / other for one, other in zip(times, base, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def time_table(times: Times) -> Table:
    """A row for each workload: milliseconds for the base, ratios for the others; without the base, milliseconds."""

    def cell(name: str, found: dict[str, list[float]]) -> str:
        if name not in found:
            return "-"
        if name == BASE or BASE not in found:
            return f"{statistics.median(found[name]) * 1e3:.3g} ms"
        middle, low, high = ratio(found[name], found[BASE])
        return f"{middle:.2f}\n{low:.2f}-{high:.2f}"

    return table("CPU time, one thread. Ratios to PyTorch: the median, and the range", times, cell)


def memory_table(peaks: dict[str, dict[str, int]]) -> Table:
    """A row for each workload: megabytes for the base, and ratios for the others."""

    def cell(name: str, found: dict[str, int]) -> str:
        size = f"{found[name] / 1e6:.0f} MB"
        return size if name == BASE or BASE not in found else f"{found[name] / found[BASE]:.2f}\n{size}"

    return table("Memory of a step, above what was held before it. Ratios to PyTorch", peaks, cell)


def shared_table(shared: Times) -> Table:
    """A row for each workload: milliseconds of CPU time in one process and in the slower of two, and the ratio."""

    def cell(name: str, found: dict[str, list[float]]) -> str:
        time = f"{statistics.median(found[name]) * 1e3:.3g} ms"
        if name == "one":
            return time
        middle, low, high = ratio(found["one"], found["two"])
        return f"{middle:.2f} times as fast, {low:.2f}-{high:.2f}\n{time}"

    return table("tinytorch in one process, and in the slower one of two that share the batch", shared, cell)


def table(title: str, measured: dict[str, dict[str, Any]], cell: Callable[[str, Any], str]) -> Table:
    """A row for each workload, a column for each implementation."""
    names = list(dict.fromkeys(name for found in measured.values() for name in found))
    result = Table(title=title, show_lines=True)
    result.add_column("", no_wrap=True)
    for name in names:
        result.add_column(LABELS[name], justify="right")
    for workload, found in measured.items():
        result.add_row(f"{workload}  {WORKLOADS[workload].title}", *[cell(name, found) for name in names])
    return result


def machine() -> dict[str, str]:
    """The processor and the system."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def processor() -> str:
    """The name of the processor, as Linux tells it; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def record(
    times: Times,
    peaks: dict[str, dict[str, int]],
    shared: Times,
    grown: Sequence[dict[str, list[Cost]]],
    versions: dict[str, str],
) -> dict[str, Any]:
    """Everything that was measured, for the JSON file."""
    return {
        "when": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions,
        "seconds": times,
        "ratios": {
            workload: {
                name: ratio(each, found[BASE])._asdict() for name, each in found.items() if name != BASE
            }
            for workload, found in times.items()
            if BASE in found
        },
        "peak_bytes": peaks,
        "seconds_in_two_processes": shared,
        "growth": [
            {
                **growth._asdict(),
                "costs": {name: [each._asdict() for each in costs] for name, costs in found.items()},
            }
            for growth, found in zip(GROWTH, grown, strict=False)
        ],
    }


def draw(times: Times) -> Any:
    """A row for each workload, a mark for each implementation at its ratio, with the spread."""
    from matplotlib import pyplot as plt

    workloads = [name for name, found in times.items() if BASE in found]
    others = [name for name in LABELS if name != BASE and any(name in times[each] for each in workloads)]
    figure, axes = plt.subplots(figsize=(8, 1.5 + 0.45 * len(workloads)), layout="constrained")
    for place, name in enumerate(others):
        rows = [row for row, each in enumerate(workloads) if name in times[each]]
        ratios = [ratio(times[workloads[row]][name], times[workloads[row]][BASE]) for row in rows]
        middle = [each.median for each in ratios]
        spread = [[each.median - each.low for each in ratios], [each.high - each.median for each in ratios]]
        heights = [row + 0.15 * (place - (len(others) - 1) / 2) for row in rows]
        axes.errorbar(middle, heights, xerr=spread, fmt="o", markersize=5, label=LABELS[name])
    axes.axvline(1, color="gray", linewidth=1)
    axes.set_xscale("log")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10]
    axes.set_xticks(ticks, [str(each) for each in ticks])
    axes.set_xlabel("CPU time, as a multiple of PyTorch's (less is faster)")
    axes.set_yticks(range(len(workloads)), [f"{name}  {WORKLOADS[name].title}" for name in workloads])
    axes.set_ylim(len(workloads) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def draw_growth(grown: Sequence[dict[str, list[Cost]]]) -> Any:
    """Time above, memory below, against each size; both axes logarithmic, so that linear growth has slope 1."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        2, len(grown), figsize=(3.2 * len(grown), 6), layout="constrained", squeeze=False
    )
    for column, (growth, found) in enumerate(zip(GROWTH, grown, strict=False)):
        for row, (what, unit) in enumerate((("seconds", 1e-3), ("peak", 1e6))):
            here = axes[row, column]
            for name, costs in found.items():
                values = [getattr(each, what) / unit for each in costs]
                here.plot(growth.values, values, marker="o", label=LABELS[name])
            first = min(getattr(costs[0], what) / unit for costs in found.values())
            line = [first * value / growth.values[0] for value in growth.values]
            here.plot(growth.values, line, color="gray", linestyle=":", label="linear")
            here.set_xscale("log", base=2)
            here.set_yscale("log", base=2)
            here.yaxis.set_major_formatter("{x:g}")
            here.set_xticks(growth.values, [str(value) for value in growth.values])
            here.set_xlabel(growth.size)
            here.grid(alpha=0.3)
        axes[0, column].set_title(growth.title, fontsize=10)
    axes[0, 0].set_ylabel("CPU time of a step, ms")
    axes[1, 0].set_ylabel("largest memory of a step, MB")
    axes[0, 0].legend(fontsize=8)
    return figure
