"""`make bench` beside PyTorch: the workloads compute the same thing, and the command writes its files."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import measure
from dojo.authors import bench

SIZES = {
    "W1": {},
    "W2": {"batch": 5},
    "W3": {"batch": 2},
    "W4": {"batch": 2, "length": 16, "layers": 2},
    "W6a": {},
    "W7a": {},
}


def test_the_workloads_have_the_same_results_in_both() -> None:
    with measure.Process("torch") as theirs, measure.Process("tinytorch") as ours:
        for workload, sizes in SIZES.items():
            results = []
            for process in (theirs, ours):
                assert process.ask("prepare", workload, sizes)
                results.append(process.ask("results", 3))
            assert results[1] == pytest.approx(results[0], rel=1e-5), workload


def test_the_command_shows_ratios_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    assert bench.run(parser.parse_args(["W1", "--args=W6a", "--rounds=1", f"--dir={tmp_path}"])) == 0
    shown = capsys.readouterr().out
    assert "XOR step" in shown and "conv2d, small" in shown
    found = json.loads((tmp_path / "bench.json").read_text())
    assert list(found["ratios"]) == ["W1", "W6a"]
    assert found["ratios"]["W1"]["tinytorch"]["median"] > 0
    assert "torch" in found["versions"]
    assert (tmp_path / "bench.svg").read_text().startswith("<?xml")
