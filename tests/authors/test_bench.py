"""`make bench` as far as it goes without PyTorch; tests/parity/test_bench.py has the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu, measure, report
from dojo.authors import bench
from dojo.catalogue import KATAS, ROOT
from dojo.commands import words
from dojo.errors import DojoError
from dojo.tree import files

SMALLEST = ["W1", "W6a"]
said: list[str] = []


@pytest.fixture(scope="module")
def times() -> measure.Times:
    return measure.compare(SMALLEST, ["tinytorch", "composed"], 2, said.append)


def test_each_implementation_is_timed_once_a_round(times: measure.Times) -> None:
    assert list(times) == SMALLEST
    for found in times.values():
        assert set(found) == {"tinytorch", "composed"}
        assert all(len(each) == 2 and min(each) > 0 for each in found.values())
    assert any("XOR" in line for line in said)


def test_a_ratio_is_taken_within_a_round() -> None:
    assert report.ratio([1.0, 6.0, 1.0], [2.0, 2.0, 1.0]) == (1.0, 0.5, 3.0)


def test_the_table_has_milliseconds_for_the_base_and_ratios_for_the_others() -> None:
    table = report.time_table({"W1": {"torch": [0.001, 0.002], "tinytorch": [0.0005, 0.0012]}})
    cells = [list(column.cells) for column in table.columns]
    assert cells == [["W1  XOR step"], ["1.5 ms"], ["0.55\n0.50-0.60"]]


def test_what_an_implementation_lacks_is_a_dash() -> None:
    table = report.time_table({"W1": {"torch": [1.0], "autograd": [2.0]}, "W3": {"torch": [1.0]}})
    assert list(table.columns[2].cells) == ["2.00\n2.00-2.00", "-"]


def test_everything_is_in_the_file(times: measure.Times, tmp_path: Path) -> None:
    times = {"W1": {**times["W1"], "torch": [each / 2 for each in times["W1"]["tinytorch"]]}}
    costs = {"tinytorch": [measure.Cost(1.0, 100), measure.Cost(2.0, 200)]}
    files.write_json(
        tmp_path / "new/bench.json", report.record(times, {"W3": {"torch": 7}}, {}, [costs], {"numpy": "2"})
    )
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["bench.json"]
    found = json.loads((tmp_path / "new/bench.json").read_text())
    assert found["machine"]["processor"] and found["versions"] == {"numpy": "2"}
    assert found["ratios"]["W1"]["tinytorch"]["median"] == pytest.approx(2.0)
    assert found["growth"][0]["costs"]["tinytorch"][1] == {"seconds": 2.0, "peak": 200}


def test_kernels_and_compositions_compute_the_same() -> None:
    with measure.Process("tinytorch") as one, measure.Process("composed") as other:
        for workload, sizes in (("W2", {"batch": 5}), ("W4", {"batch": 2, "length": 16, "layers": 1})):
            results = []
            for process in (one, other):
                assert process.ask("prepare", workload, sizes)
                results.append(process.ask("results", 3))
            assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_two_processes_share_a_batch() -> None:
    with measure.Process("tinytorch") as process:
        assert process.ask("shared", "W2", {"batch": 16}) > 0
    table = report.shared_table({"W3": {"one": [3.0, 4.0], "two": [2.0, 2.0]}})
    assert [list(column.cells) for column in table.columns[1:]] == [
        ["3.5e+03 ms"],
        ["1.75 times as fast, 1.50-2.00\n2e+03 ms"],
    ]


def test_memory_and_time_of_a_process_of_its_own() -> None:
    cost = measure.cost("composed", "W2", {"batch": 4096})
    assert cost.seconds > 0
    assert cost.peak > 4096 * 256 * 4  # what the hidden layer alone takes


def test_the_processor_that_blas_chose_its_kernels_for_is_known() -> None:
    with measure.Process("composed") as process:
        about = process.ask("about")
    assert about["numpy"] and about["BLAS kernel"]


def test_a_process_that_ends_is_an_error_with_its_name() -> None:
    with measure.Process("composed") as process:
        process.child.kill()
        with pytest.raises(DojoError, match=r"process of composed .* exit code -9"):
            process.ask("about")


def test_what_goes_wrong_in_a_process_is_told() -> None:
    with (
        measure.Process("composed") as process,
        pytest.raises(DojoError, match=r"(?s)composed failed:.*KeyError"),
    ):
        process.ask("prepare", "W99", {})


def test_workloads_are_chosen_by_name_or_by_its_beginning() -> None:
    assert measure.chosen([]) == list(measure.WORKLOADS)
    assert measure.chosen(["w6", "W1"]) == ["W1", "W6a", "W6b"]
    assert measure.chosen(["W5"]) == ["W5"]
    with pytest.raises(DojoError, match="no workload W9: there are W1, W2"):
        measure.chosen(["W9"])


def test_makes_variables_are_its_options() -> None:
    assert words(["ARGS=W3 W4", "PEERS=1", "SCALING=0"]) == ["--args=W3 W4", "--peers"]


def test_growth_is_drawn_beside_a_line_for_linear_growth() -> None:
    costs = [measure.Cost(0.001 * side, 1_000_000 * side) for side in (1, 2, 4, 8)]
    figure = report.draw_growth([{"torch": costs, "tinytorch": costs}])
    times, memory = figure.axes
    assert [line.get_label() for line in times.lines] == ["PyTorch", "tinytorch", "linear"]
    assert all(
        list(line.get_ydata()) == pytest.approx([1, 2, 4, 8]) for line in (*times.lines, *memory.lines)
    )


def test_where_it_cannot_run_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    with pytest.raises(DojoError, match=r"PyTorch.*pip install torch==\d"):
        bench.check_that_it_runs_here()
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(DojoError, match="Linux and macOS"):
        bench.check_that_it_runs_here()


def test_a_peer_that_is_missing_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "find_spec", lambda name: name == "autograd" or None)
    told: list[str] = []
    assert measure.implementations(peers=True, say=told.append)[-1] == "autograd"
    assert len(told) == 1 and "pip install mygrad" in told[0]


# benchmarks/gpu.py


def without_a_card(tmp_path: Path, cupy: str) -> subprocess.CompletedProcess[str]:
    """`python -m benchmarks.gpu` where that is the module cupy. It must not write."""
    (tmp_path / "cupy.py").write_text(cupy, encoding="utf-8")
    out = str(tmp_path / "gpu.json")
    start = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['--out', {out!r}]"
    command = [sys.executable, "-c", f"{start}; runpy.run_module('benchmarks.gpu', run_name='__main__')"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize(
    ("cupy", "said"),
    [
        ("raise ImportError", "CuPy is not installed."),
        ("__version__ = '14.2.0'\ndef is_available(): return False\n", "CuPy 14.2.0 finds none."),
        (
            "import sys; from dojo.fake_cupy.modules import install; del sys.modules['cupy']; install()",
            "this is the stand-in for CuPy, which computes with NumPy.",
        ),
    ],
    ids=["no CuPy", "no GPU", "the stand-in"],
)
def test_without_a_card_it_says_so_and_writes_nothing(tmp_path: Path, cupy: str, said: str) -> None:
    done = without_a_card(tmp_path, cupy)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"There is no GPU to measure: {said}\n"
    assert not (tmp_path / "gpu.json").exists()


def test_every_kata_that_computes_has_device_specs() -> None:
    assert {path.parent for path in gpu.spec_files()} == {kata.folder for kata in KATAS}


def test_a_step_is_timed_until_the_device_is_done() -> None:
    calls = []
    taken = gpu.seconds(lambda: calls.append("step"), lambda: calls.append("wait"), block=1e-4, blocks=2)
    assert 0 < taken < 1e-3
    assert calls[:6] == ["wait", "step", "step", "wait", "wait", "step"]
    assert calls[-1] == "wait"


ON_THE_STAND_IN = """
from dojo.fake_cupy.modules import install
from benchmarks import in_tinytorch
from benchmarks.workloads import WORKLOADS
install()
small = {"W4": {"batch": 2, "length": 8, "layers": 1}, "W5": {"tokens": 3}, "W6a": {}, "W7a": {}}
for name, sizes in small.items():
    results = []
    for device in ("cpu", "cuda"):
        step = WORKLOADS[name].make(in_tinytorch.library(device=device), **{**WORKLOADS[name].sizes, **sizes})
        results.append(step())
    print(name, results[1].device, results[1].shape == results[0].shape,
          name == "W5" or abs(results[1].sum().item() - results[0].sum().item()) < 1e-2)
"""


def test_the_workloads_run_on_a_device() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_THE_STAND_IN], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines() == [f"{name} cuda:0 True True" for name in ("W4", "W5", "W6a", "W7a")], (
        done.stderr
    )
