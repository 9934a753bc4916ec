"""The machine's own speed, beside the three loops that the definition of a matrix product says."""

import time

import matplotlib.figure
import numpy as np

from tinytorch.setup import blas_name, matmul_flops, peak_gflops, usable_cores

SIZES = (16, 32, 64, 128, 256, 512, 1024)
LOOPED = 48


def looped_gflops(n: int) -> float:
    """Billions of operations a second in three loops of Python, which add up one product of two (n, n) matrices."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((n, n)).tolist() for _ in range(2))
    c = [[0.0] * n for _ in range(n)]
    start = time.perf_counter()
    for i in range(n):
        for j in range(n):
            for k in range(n):
                c[i][j] += a[i][k] * b[k][j]
    return matmul_flops(n, n, n) / (time.perf_counter() - start) / 1e9


def draw() -> matplotlib.figure.Figure:
    loop = looped_gflops(LOOPED)
    machine = [peak_gflops(n) for n in SIZES]
    figure = matplotlib.figure.Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(SIZES, loop, machine, color="C0", alpha=0.12)
    axes.plot(SIZES, machine, "o-", label=f"a @ b: {blas_name()}, {usable_cores()} cores")
    axes.axhline(loop, color="C1", label=f"three loops in Python (measured at n = {LOOPED})")
    for n, speed in zip(SIZES, machine, strict=True):
        axes.annotate(f"{speed:.3g}", (n, speed), (0, 7), textcoords="offset points", ha="center")
    axes.annotate(
        f"{loop:.2g}", (SIZES[0], loop), (0, 7), textcoords="offset points", ha="center", color="C1"
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(SIZES, map(str, SIZES))
    axes.set(
        title=f"The machine is {max(machine) / loop:,.0f} times as fast as the loop",
        xlabel="n, the side of the two square matrices",
        ylabel="speed (billions of operations a second)",
        yscale="log",
        ylim=(loop / 2, max(machine) * 3),
    )
    axes.legend(loc="center right")
    axes.grid(alpha=0.3)
    return figure
