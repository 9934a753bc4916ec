"""What this machine is, what it can do, and where arrays live and random numbers come from.

Every later kata asks this one three things: which library works on an array, which generator draws random
numbers, and how fast the machine could possibly be. It imports no other kata.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

REQUIREMENTS = {"numpy": "2.1", "scipy": "1.14", "safetensors": "0.4.5"}
"""What tinytorch imports, and the oldest version that will do."""

THREAD_VARIABLES = {
    "openblas": ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"),
    "mkl": ("MKL_NUM_THREADS", "OMP_NUM_THREADS"),
    "blis": ("BLIS_NUM_THREADS", "OMP_NUM_THREADS"),
    "accelerate": ("VECLIB_MAXIMUM_THREADS",),
}
"""The environment variables from which each BLAS reads its number of threads, in order of priority."""


# Where arrays live --------------------------------------------------------------------------------------


def get_array_module(*arrays: Any) -> Any:
    """The library that works on these arrays: numpy, or cupy when they are on a GPU (cupy.get_array_module).

    Numbers are on every device and do not count. With no array at all it is numpy. Every operation of every
    kata asks this first, so the common case must be quick. CuPy is never imported here: as long as nobody
    has imported it, no array can be CuPy's.

    Raises:
        RuntimeError: the arrays are on different devices; the message names them, as in "cpu" and "cuda:0".
    """
    raise NotImplementedError("kata 01: get_array_module")


class Device:
    """The place where an array lives (torch.device).

    `type` is "cpu" or "cuda". `index` says which GPU; on the CPU it is None. "cuda" alone means "cuda:0".
    """

    type: str
    index: int | None

    def __init__(self, device: str | Device) -> None:
        """Read "cpu", "cuda", "cuda:0", "cuda:1", ...; a Device is copied.

        It only reads the name: Device("cuda") is fine on a machine without a GPU.

        Raises:
            ValueError: any other value. The message names it and says what is possible.
        """
        raise NotImplementedError("kata 01: Device.__init__")

    def __str__(self) -> str:
        """The name that makes this Device again: "cpu" or "cuda:1"."""
        raise NotImplementedError("kata 01: Device.__str__")

    def __repr__(self) -> str:
        """As one would type it: Device("cuda:1")."""
        raise NotImplementedError("kata 01: Device.__repr__")

    def __eq__(self, other: object) -> bool:
        """Two Devices are equal when they name the same place. A Device never equals a string, as in PyTorch."""
        raise NotImplementedError("kata 01: Device.__eq__")

    def __hash__(self) -> int:
        """Equal Devices have equal hashes, so that a dictionary finds one by the other."""
        raise NotImplementedError("kata 01: Device.__hash__")

    @property
    def array_module(self) -> Any:
        """The library that makes arrays on this device: numpy or cupy.

        Raises:
            RuntimeError: it is a GPU, and this machine has none, or not so many. The message names the device.
        """
        raise NotImplementedError("kata 01: Device.array_module")


def cuda_is_available() -> bool:
    """Whether CuPy is installed and sees a GPU (torch.cuda.is_available). Never raises, whatever is broken."""
    raise NotImplementedError("kata 01: cuda_is_available")


# Where random numbers come from -------------------------------------------------------------------------

generators: dict[Device, np.random.Generator] = {}
"""The default generator of each device that was asked for one since the last `manual_seed`."""

seed_of_all: int | None = None
"""The seed that `manual_seed` was last given. None, before its first call, means fresh entropy."""


def default_generator(device: Device | str = "cpu") -> np.random.Generator:
    """The generator that draws when no other is named (torch.default_generator).

    On a GPU it is a cupy.random.Generator, which has the same methods. Each device has one: a second call
    gives the same object, so that its draws continue instead of starting again.

    Raises:
        RuntimeError: the device is a GPU that this machine does not have; the message names it.
    """
    raise NotImplementedError("kata 01: default_generator")


def manual_seed(seed: int) -> np.random.Generator:
    """Start the default generator of every device again from `seed`; returns the CPU's (torch.manual_seed).

    The same seed gives the same draws. Negative seeds count down from 2**64, as in PyTorch. Before the first
    call the generators are seeded from the operating system's entropy. NumPy's own `np.random` is left alone.

    Raises:
        TypeError: the seed is not an integer; the message names it.
    """
    raise NotImplementedError("kata 01: manual_seed")


# What this machine is -----------------------------------------------------------------------------------


def usable_cores() -> int:
    """How many CPU cores this process may use, at least 1.

    That can be fewer than the machine has: `taskset`, containers and batch systems hand out a part of them.
    (PyTorch's DataLoader asks the same before it warns about too many workers.)
    """
    raise NotImplementedError("kata 01: usable_cores")


def total_memory() -> int | None:
    """The size of the main memory in bytes, or None where the system does not tell."""
    raise NotImplementedError("kata 01: total_memory")


def blas_name() -> str:
    """The library that multiplies NumPy's matrices, with its version: "scipy-openblas 0.3.31" (torch.__config__.show).

    `np.show_config(mode="dicts")` knows it.
    """
    raise NotImplementedError("kata 01: blas_name")


def blas_threads(blas: str, environ: Mapping[str, str], cores: int) -> int:
    """How many threads this BLAS uses for one matrix product (torch.get_num_threads).

    Its variables stand in THREAD_VARIABLES, under a part of its name; the first one that is a positive integer
    decides. An unknown BLAS is taken to read OMP_NUM_THREADS. With none set it uses every core; it never uses more.

    Args:
        blas: as `blas_name` gives it.
        environ: the environment variables, such as os.environ.
        cores: how many cores it may use.
    """
    raise NotImplementedError("kata 01: blas_threads")


def gpu_names() -> list[str]:
    """The name of each GPU, in the order of their indices; empty where there is none (torch.cuda.get_device_name)."""
    raise NotImplementedError("kata 01: gpu_names")


class EnvInfo(NamedTuple):
    """What `get_env_info` finds out (torch.utils.collect_env.SystemEnv)."""

    python: str
    numpy: str
    scipy: str | None
    platform: str
    cores: int
    memory: int | None
    blas: str
    blas_threads: int
    gpus: list[str]


def get_env_info() -> EnvInfo:
    """Ask the machine for everything in EnvInfo (torch.utils.collect_env.get_env_info).

    `python` and `platform` are what the module `platform` says, `memory` is in bytes, and `scipy` is None
    where it is not installed.
    """
    raise NotImplementedError("kata 01: get_env_info")


def format_env_info(info: EnvInfo) -> str:
    """One line for each field, its name first (torch.utils.collect_env.pretty_str).

    `memory` is shown in GiB with one decimal, as in "15.5 GiB"; several GPUs with ", " between them; None
    or an empty value as "none".
    """
    raise NotImplementedError("kata 01: format_env_info")


# Whether the packages will do ---------------------------------------------------------------------------


def installed_version(package: str) -> str | None:
    """The version of an installed package, by the name that pip knows it by; None where it is not installed.

    `importlib.metadata` reads it without importing the package.
    """
    raise NotImplementedError("kata 01: installed_version")


def parse_version(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparing: "2.13.0+cpu" is (2, 13). Zeros at the end do not count.

    Only the leading numbers are read, so "2.0rc1" counts as 2.0 (packaging.version.parse is exact).

    Raises:
        ValueError: it does not begin with a number; the message names it.
    """
    raise NotImplementedError("kata 01: parse_version")


def check_versions(requirements: Mapping[str, str]) -> list[str]:
    """What is wrong with the installed packages: one sentence for each problem, none when all is well.

    `requirements` maps a package to the oldest version that will do, {"numpy": "2.1"}. A sentence names the
    package, the version that is installed, if any, and the one that is needed. They come in the given order.

    Raises:
        ValueError: a required version is not one; the message names it.
    """
    raise NotImplementedError("kata 01: check_versions")


# What this machine can do -------------------------------------------------------------------------------


def matmul_flops(n: int, k: int, m: int) -> int:
    """How many additions and multiplications (n, k) @ (k, m) takes (torch.utils.flop_counter.mm_flop).

    Each of the n*m entries is a sum of k products. By custom that counts as k additions too, not k - 1.
    """
    raise NotImplementedError("kata 01: matmul_flops")


def peak_gflops(n: int = 1024, repeats: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """The machine's own limit: billions of float32 operations a second in a product of two (n, n) matrices.

    One product runs unmeasured, to wake the threads and warm the caches. Then `repeats` are timed, each on its
    own, and the fastest counts: whatever else the machine was doing can only have slowed the others.

    Args:
        clock: gives the time in seconds; it is read only around products that are timed.

    Raises:
        ValueError: `n` or `repeats` is less than 1; the message names it.
    """
    raise NotImplementedError("kata 01: peak_gflops")


def main() -> None:
    """Print the environment, the peak in GFLOP/s, and what check_versions says about REQUIREMENTS.

    This is what `python -m tinytorch.setup` runs, as `python -m torch.utils.collect_env` does for PyTorch.
    """
    raise NotImplementedError("kata 01: main")


if __name__ == "__main__":
    main()
