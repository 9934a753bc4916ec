"""What this machine is: cores, memory, the library that multiplies matrices, and the GPUs."""

import os
import platform
from pathlib import Path

import numpy as np
import pytest

from dojo.spec import assert_equal, hide_cupy
from tinytorch.setup import (
    EnvInfo,
    blas_name,
    blas_threads,
    format_env_info,
    get_env_info,
    gpu_names,
    installed_version,
    total_memory,
    usable_cores,
)


def test_cores():
    """usable_cores() is an int, at least 1 and no more than the machine has."""
    cores, most = usable_cores(), os.cpu_count()
    assert_equal(type(cores), int, "the type of usable_cores()")
    assert cores >= 1, f"usable_cores() is {cores}, but this test runs on one"
    assert most is None or cores <= most, f"usable_cores() is {cores}, but the machine has {most}"


def test_cores_that_this_process_may_use():
    """usable_cores() counts only the cores that this process may run on, where the system tells (Linux does)."""
    if not hasattr(os, "sched_setaffinity"):
        assert usable_cores() >= 1
        return
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        cores = usable_cores()
    finally:
        os.sched_setaffinity(0, allowed)
    assert_equal(cores, 1, "usable_cores() of a process that may use one core")


def test_memory():
    """total_memory() is the size of the main memory in bytes, an int; None only where the system does not tell."""
    memory = total_memory()
    if memory is None:
        assert not hasattr(os, "sysconf"), (
            "it is None, but os.sysconf knows how many pages there are, and their size"
        )
        return
    assert_equal(type(memory), int, "the type of total_memory()")
    meminfo = Path("/proc/meminfo")  # Linux: "MemTotal:  16384000 kB"
    expected = int(meminfo.read_text().split()[1]) * 1024 if meminfo.is_file() else 16 * 2**30
    assert expected / 100 < memory < expected * 100, (
        f"total_memory() is {memory:,}, expected about {expected:,}: is it in bytes?"
    )


def test_blas_name():
    """blas_name() is the name of the BLAS that NumPy was built with and its version, as NumPy's configuration says."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    assert_equal(blas_name(), f"{blas['name']} {blas['version']}", "blas_name()")


@pytest.mark.parametrize(
    "blas", ["scipy-openblas 0.3.31", "mkl-sdl 2024.1", "accelerate unknown", "atlas 3.10"]
)
def test_blas_uses_every_core(blas):
    """With no environment variable set, a BLAS uses as many threads as there are cores."""
    assert_equal(blas_threads(blas, {}, 8), 8, f"blas_threads({blas!r}, {{}}, 8)")


@pytest.mark.parametrize(
    ("blas", "environ", "threads"),
    [
        ("scipy-openblas 0.3.31", {"OPENBLAS_NUM_THREADS": "2"}, 2),
        ("mkl-sdl 2024.1", {"MKL_NUM_THREADS": "3"}, 3),
        ("MKL 2024.1", {"MKL_NUM_THREADS": "3"}, 3),
        ("accelerate unknown", {"VECLIB_MAXIMUM_THREADS": "1"}, 1),
        ("scipy-openblas 0.3.31", {"MKL_NUM_THREADS": "3"}, 8),
        ("scipy-openblas 0.3.31", {"OMP_NUM_THREADS": "4"}, 4),
        ("scipy-openblas 0.3.31", {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "2"}, 2),
        ("accelerate unknown", {"OMP_NUM_THREADS": "4"}, 8),
        ("atlas 3.10", {"OMP_NUM_THREADS": "4"}, 4),
    ],
)
def test_blas_reads_its_own_variables(blas, environ, threads):
    """Each BLAS reads its own variables, in the order of THREAD_VARIABLES; an unknown one reads OMP_NUM_THREADS."""
    assert_equal(blas_threads(blas, environ, 8), threads, f"blas_threads({blas!r}, {environ}, 8)")


@pytest.mark.parametrize("value", ["", "0", "-1", "many", "2.5"])
def test_blas_passes_over_nonsense(value):
    """A variable that holds no positive integer is passed over, and the next one decides."""
    environ = {"OPENBLAS_NUM_THREADS": value, "OMP_NUM_THREADS": "3"}
    threads = blas_threads("scipy-openblas 0.3.31", environ, 8)
    assert_equal(threads, 3, f"blas_threads('scipy-openblas 0.3.31', {environ}, 8)")


def test_blas_never_uses_more_than_the_cores():
    """A variable that asks for more threads than there are cores gets one for each core."""
    threads = blas_threads("scipy-openblas 0.3.31", {"OPENBLAS_NUM_THREADS": "64"}, 8)
    assert_equal(threads, 8, "blas_threads('scipy-openblas 0.3.31', {'OPENBLAS_NUM_THREADS': '64'}, 8)")


def test_no_gpu_has_no_name(monkeypatch):
    """gpu_names() is an empty list where there is no GPU."""
    hide_cupy(monkeypatch)
    assert_equal(gpu_names(), [], "gpu_names()")


def test_every_gpu_has_a_name(device):
    """gpu_names() is a list with one str for each GPU."""
    names = gpu_names()
    assert_equal(type(names), list, "the type of gpu_names()")
    if device == "cuda":
        assert names, "gpu_names() is empty, and there is a GPU"
    assert all(isinstance(name, str) and name for name in names), (
        f"gpu_names() is {names}, expected non-empty strings"
    )


def test_installed_version():
    """installed_version(package) is the version of an installed package as pip knows it."""
    assert_equal(installed_version("numpy"), np.__version__, 'installed_version("numpy")')


def test_version_without_an_import(monkeypatch, tmp_path):
    """installed_version reads the version that pip recorded, by pip's name for the package, and never imports it."""
    folder = tmp_path / "Probe_Package-2.10.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: Probe-Package\nVersion: 2.10.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert_equal(installed_version("probe-package"), "2.10.0", 'installed_version("probe-package")')


def test_version_of_what_is_not_installed():
    """installed_version(package) is None where the package is not installed."""
    name = "no-package-has-this-name"
    assert_equal(installed_version(name), None, f"installed_version({name!r})")


def test_env_info_knows_the_versions():
    """get_env_info() is an EnvInfo with the versions of Python, NumPy and SciPy, and the name of the platform."""
    info = get_env_info()
    assert_equal(type(info), EnvInfo, "the type of get_env_info()")
    assert_equal(info.python, platform.python_version(), "info.python")
    assert_equal(info.numpy, np.__version__, "info.numpy")
    assert_equal(info.scipy, installed_version("scipy"), "info.scipy")
    assert_equal(info.platform, platform.platform(), "info.platform")


def test_env_info_knows_the_machine(monkeypatch):
    """get_env_info() has the cores, the memory, the BLAS, its threads under today's environment, and the GPUs."""
    for name in ("OPENBLAS", "OMP", "MKL", "BLIS"):
        monkeypatch.setenv(f"{name}_NUM_THREADS", "1")
    monkeypatch.setenv("VECLIB_MAXIMUM_THREADS", "1")
    info = get_env_info()
    assert_equal(info.cores, usable_cores(), "info.cores")
    assert_equal(info.memory, total_memory(), "info.memory")
    assert_equal(info.blas, blas_name(), "info.blas")
    assert_equal(info.blas_threads, 1, "info.blas_threads with every variable set to 1")
    assert_equal(info.gpus, gpu_names(), "info.gpus")


def test_formatted_line_by_line():
    """format_env_info(info) has one line for each field of info, in that order: the name, spaces, the value."""
    text = format_env_info(
        EnvInfo("3.11.7", "2.4.6", "1.17.1", "Linux-6.1", 8, 2**30, "openblas 0.3.31", 2, ["H200"])
    )
    names = "python numpy scipy platform cores memory blas blas_threads gpus"
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    assert_equal([line[0] for line in lines], names.split(), "the list of first words")
    shown = {name: rest.strip() for name, rest in lines}
    assert_equal(shown["python"], "3.11.7", "the line of python")
    assert_equal(shown["blas"], "openblas 0.3.31", "the line of blas")
    assert_equal(shown["cores"], "8", "the line of cores")
    assert_equal(shown["blas_threads"], "2", "the line of blas_threads")


@pytest.mark.parametrize(
    ("memory", "shown"),
    [(16_642_998_272, "15.5 GiB"), (2**30, "1.0 GiB"), (2**29, "0.5 GiB"), (None, "none")],
)
def test_formatted_memory(memory, shown):
    """format_env_info shows memory in GiB, which is 2**30 bytes, with one decimal; None as "none"."""
    text = format_env_info(EnvInfo("3.11.7", "2.4.6", "1.17.1", "Linux", 8, memory, "openblas 0.3.31", 2, []))
    lines = [line for line in text.splitlines() if line.startswith("memory")]
    assert_equal([line.split(maxsplit=1)[1] for line in lines], [shown], "the line of memory")


@pytest.mark.parametrize(
    ("gpus", "shown"),
    [([], "none"), (["H200"], "H200"), (["NVIDIA H200", "NVIDIA L4"], "NVIDIA H200, NVIDIA L4")],
)
def test_formatted_gpus(gpus, shown):
    """format_env_info shows the GPUs with ", " between them, and no GPU or a missing package as "none"."""
    text = format_env_info(EnvInfo("3.11.7", "2.4.6", None, "Linux", 8, 2**30, "openblas 0.3.31", 2, gpus))
    found = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert_equal(found["gpus"], shown, "the line of gpus")
    assert_equal(found["scipy"], "none", "the line of scipy")
