"""How fast this machine can be: the limit that later katas work towards."""

import itertools
import math
import time

import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.setup import REQUIREMENTS, blas_name, main, matmul_flops, peak_gflops


@given(n=st.integers(1, 5), k=st.integers(1, 5), m=st.integers(1, 5))
@example(n=2, k=3, m=4)
def test_matmul_flops(n, k, m):
    """matmul_flops(n, k, m) counts (n, k) @ (k, m): a multiplication and an addition in each step of three loops."""
    steps = 0
    for _row, _column, _inner in itertools.product(range(n), range(m), range(k)):
        steps += 2
    assert_equal(matmul_flops(n, k, m), steps, f"matmul_flops({n}, {k}, {m})")


def test_peak_is_a_speed():
    """peak_gflops(n) is a float above 0: billions of float32 operations a second in products of (n, n) matrices."""
    speed = peak_gflops(64)
    assert_equal(type(speed), float, "the type of peak_gflops(64)")
    assert 0 < speed < math.inf, f"peak_gflops(64) is {speed}"


@pytest.mark.parametrize("n", [1, 10, 100])
def test_peak_is_operations_over_time(n):
    """The peak is 2 * n**3 operations, divided by the seconds that one product takes on the clock, in billions."""
    ticks = itertools.count()
    speed = peak_gflops(n, repeats=4, clock=lambda: next(ticks) * 0.5)  # it is half a second later each time
    assert_close(
        speed, 2 * n**3 / 0.5 / 1e9, f"peak_gflops({n}) by a clock that says each product takes 0.5 s", atol=0
    )


def test_peak_is_the_best_of_several():
    """Each of the products is timed on its own and the fastest counts: the others were disturbed by something."""
    waits = itertools.chain([5.0, 5.0, 1.0, 1.0], itertools.repeat(3.0))
    clock = itertools.accumulate(waits, initial=100.0)
    speed = peak_gflops(10, repeats=4, clock=lambda: next(clock))
    assert_close(
        speed, 2 * 10**3 / 1.0 / 1e9, "peak_gflops by a clock whose fastest product takes 1 s", atol=0
    )


@pytest.mark.parametrize(("n", "repeats"), [(0, 5), (-3, 5), (8, 0)])
def test_peak_needs_something_to_measure(n, repeats):
    """A size or a number of repeats below 1 is a ValueError whose message names it."""
    with raises(ValueError, n if n < 1 else repeats):
        peak_gflops(n, repeats)


def test_main_prints_what_it_found(capsys):
    """main() prints the environment and, with the unit GFLOP/s, the peak."""
    main()
    printed = capsys.readouterr().out
    assert blas_name() in printed, f"the BLAS is missing in:\n{printed}"
    assert "GFLOP/s" in printed, f"the peak is missing in:\n{printed}"


def test_main_prints_what_is_missing(capsys, monkeypatch):
    """main() prints what check_versions says about REQUIREMENTS."""
    monkeypatch.setitem(REQUIREMENTS, "no-package-has-this-name", "1.5")
    main()
    printed = capsys.readouterr().out
    assert "no-package-has-this-name" in printed, f"the missing package is missing in:\n{printed}"


def test_story_the_wall_is_far_above_a_loop():
    """The same product in three Python loops reaches a small part of the peak: it was not the machine that was slow."""
    n = 24
    a = [[float(i + j) for j in range(n)] for i in range(n)]
    fastest = math.inf
    for _ in range(3):
        start = time.perf_counter()
        [[sum(row[k] * a[k][j] for k in range(n)) for j in range(n)] for row in a]
        fastest = min(fastest, time.perf_counter() - start)
    loop, peak = matmul_flops(n, n, n) / fastest / 1e9, peak_gflops(256)
    assert peak > 10 * loop, f"the peak is {peak:.3g} GFLOP/s, and three Python loops reach {loop:.3g}"
