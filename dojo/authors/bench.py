"""`make bench`: how fast the reference is beside PyTorch. benchmarks/README.md tells how to read what it shows."""

from __future__ import annotations

import argparse
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

from dojo.catalogue import ROOT
from dojo.commands import split
from dojo.errors import DojoError
from dojo.tree import files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workloads", nargs="*", metavar="W3", help="which workloads; all by default")
    parser.add_argument("--args", default="", metavar="ARGS", help="more of them")
    parser.add_argument("--peers", action="store_true", help="MyGrad and HIPS autograd too")
    parser.add_argument(
        "--scaling", action="store_true", help="also time and memory against batch, length, depth"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often they take turns")
    parser.add_argument(
        "--dir",
        type=Path,
        default=ROOT / ".dojo" / "bench",
        metavar="DIR",
        help="where the files are written",
    )


def run(options: argparse.Namespace) -> int:
    check_that_it_runs_here()
    from rich.console import Console

    from benchmarks import measure, report

    def say(line: str) -> None:
        print(line, flush=True)

    workloads = measure.chosen([*" ".join(options.workloads).split(), *split(options.args)])
    names = measure.implementations(options.peers, say)
    ours = [name for name in names if name in ("torch", "tinytorch", "composed")]
    times = measure.compare(workloads, names, options.rounds, say)
    peaks = measure.peaks(workloads, ours, say)
    shared = measure.shared(workloads, options.rounds, say)
    grown = measure.grown(ours, say) if options.scaling else []

    console = Console()
    console.print(report.time_table(times))
    if peaks:
        console.print(report.memory_table(peaks))
        console.print(report.shared_table(shared))
    folder: Path = options.dir
    files.write_json(
        folder / "bench.json", report.record(times, peaks, shared, grown, measure.versions(names))
    )
    report.draw(times).savefig(folder / "bench.svg")
    if grown:
        report.draw_growth(grown).savefig(folder / "growth.svg")
    say(f"Numbers and pictures are in {folder}.")
    return 0


def check_that_it_runs_here() -> None:
    if sys.platform not in ("linux", "darwin"):
        raise DojoError(f"The benchmarks run on Linux and macOS; this is {sys.platform}.")
    if find_spec("torch") is None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        torch = next(each for each in project["optional-dependencies"]["parity"] if each.startswith("torch"))
        raise DojoError(
            f"PyTorch, which they compare with, is missing: {sys.executable} -m pip install {torch}"
        )
