"""On a machine with a GPU: run the device specs of all katas there, and time tinytorch beside its CPU and PyTorch.

    python3 -m benchmarks.gpu

CuPy has to be installed, and PyTorch with CUDA for its two columns. It takes some minutes, and writes
benchmarks/gpu.json. Without a GPU it says so in a line, writes nothing, and ends with 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import in_tinytorch, report
from benchmarks.workloads import WORKLOADS, Step
from dojo.catalogue import KATAS, ROOT, kata_of
from dojo.errors import DojoError
from dojo.tree import files

MEASURED = ("W6a", "W6b", "W7a", "W7b", "W4", "W5")
"""Convolution, attention, the step of a GPT, and 128 tokens with a cache."""

BLOCK = 0.2
"""The least number of seconds that a measurement takes."""

BLOCKS = 5


def card() -> str:
    """The name of the GPU.

    Raises:
        DojoError: there is none, or the CuPy that is imported is the stand-in.
    """
    try:
        import cupy
    except ImportError:
        raise DojoError("There is no GPU to measure: CuPy is not installed.") from None
    if getattr(cupy, "__file__", None) is None:
        raise DojoError(
            "There is no GPU to measure: this is the stand-in for CuPy, which computes with NumPy."
        )
    if not cupy.is_available():
        raise DojoError(f"There is no GPU to measure: CuPy {cupy.__version__} finds none.")
    name: bytes = cupy.cuda.runtime.getDeviceProperties(0)["name"]
    return name.decode()


# The specs ----------------------------------------------------------------------------------------------


def spec_files() -> list[Path]:
    """The spec files of all katas in which a spec asks for the device."""
    found = sorted(path for kata in KATAS for path in kata.folder.glob("test_*.py"))
    asks = re.compile(r"^def test_\w+\([^)]*\bdevice\b", re.MULTILINE)
    return [path for path in found if asks.search(path.read_text(encoding="utf-8"))]


def run_specs(device: str = "cuda") -> dict[str, dict[str, Any]]:
    """The specs of those files on the device: for each kata how many there are, and the names of those that are red."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "specs.xml")
        command = [
            sys.executable,
            "-m",
            "pytest",
            *map(str, spec_files()),
            "--impl=solutions",
            "--plain",
            "-q",
        ]
        subprocess.run([*command, f"--device={device}", f"--junitxml={path}"], cwd=ROOT, check=False)
        if not path.is_file():
            raise DojoError("The specs did not run to their end.")
        cases = list(ElementTree.parse(path).iter("testcase"))
    found: dict[str, dict[str, Any]] = {}
    for case in cases:
        file = ROOT.joinpath(*case.attrib["classname"].split("."))
        kata = kata_of(file)
        row = found.setdefault(kata.id if kata else "?", {"specs": 0, "red": []})
        row["specs"] += 1
        if case.find("failure") is not None or case.find("error") is not None:
            row["red"].append(f"{file.name}::{case.attrib['name']}")
    return found


# The times ----------------------------------------------------------------------------------------------


def nothing() -> None:
    """What there is to wait for on a CPU."""


def in_turn() -> dict[str, Callable[[], tuple[Any, Callable[[], object]]]]:
    """Each implementation: a function that gives its library, and a function that waits until it is done."""

    def tinytorch_on_gpu() -> tuple[Any, Callable[[], object]]:
        import cupy

        return in_tinytorch.library(device="cuda"), cupy.cuda.Device(0).synchronize

    found: dict[str, Callable[[], tuple[Any, Callable[[], object]]]] = {
        "tinytorch, GPU": tinytorch_on_gpu,
        "tinytorch, CPU": lambda: (in_tinytorch.library(), nothing),
    }
    if find_spec("torch") is not None:
        import torch

        from benchmarks import in_pytorch

        if torch.cuda.is_available():
            found["PyTorch, GPU"] = lambda: (in_pytorch.library(device="cuda"), torch.cuda.synchronize)
        found["PyTorch, CPU"] = lambda: (in_pytorch.library(), nothing)
    return found


def seconds(step: Step, wait: Callable[[], object], block: float = BLOCK, blocks: int = BLOCKS) -> float:
    """Wall time of a step: the best of some blocks of calls, each until the device is done."""

    def timed(calls: int) -> float:
        wait()
        start = time.perf_counter()
        for _ in range(calls):
            step()
        wait()
        return time.perf_counter() - start

    timed(2)  # kernels are compiled, and memory is taken
    calls = 1
    while timed(calls) < block:
        calls *= 2
    return min(timed(calls) for _ in range(blocks)) / calls


def times(say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Seconds of a step: by workload, by implementation."""
    found: dict[str, dict[str, float]] = {name: {} for name in MEASURED}
    for implementation, library in in_turn().items():
        lib, wait = library()
        for name in MEASURED:
            workload = WORKLOADS[name]
            taken = seconds(workload.make(lib, **workload.sizes), wait)
            found[name][implementation] = taken
            say(f"{workload.title:20} {implementation:16} {taken * 1e3:10.3f} ms")
    return found


def versions() -> dict[str, str]:
    import cupy

    found = {**in_tinytorch.about(), "cupy": cupy.__version__}
    found["CUDA driver"] = str(cupy.cuda.runtime.driverGetVersion())
    if find_spec("torch") is not None:
        import torch

        found |= {"torch": torch.__version__, "torch's CUDA": str(torch.version.cuda)}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "gpu.json", help="where it writes")
    options = parser.parse_args()
    try:
        name = card()
        specs = run_specs()
        measured = times(print)
    except DojoError as error:
        print(error, file=sys.stderr)
        return 1
    record = {
        "when": datetime.now().astimezone().isoformat(timespec="seconds"),
        "card": name,
        "machine": report.machine(),
        "versions": versions(),
        "specs": specs,
        "seconds": {f"{each}  {WORKLOADS[each].title}": row for each, row in measured.items()},
    }
    files.write_json(options.out, record)
    red = [each for row in specs.values() for each in row["red"]]
    print(
        f"{name}: {len(red)} specs of {sum(row['specs'] for row in specs.values())} are red. See {options.out}."
    )
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
