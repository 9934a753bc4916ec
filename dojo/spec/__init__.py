"""The functions that specs are written with. They use nothing of `tinytorch` to compute what is expected."""

from __future__ import annotations

from dojo.spec import strategies
from dojo.spec.again import Again
from dojo.spec.cache import Remembered, Together
from dojo.spec.close import assert_close, assert_equal, unchanged
from dojo.spec.device import hide_cupy, on_device, to_numpy
from dojo.spec.draws import extreme
from dojo.spec.errors import ShapeError, no_warnings, raises, raises_with_note, refuses_to_mix
from dojo.spec.gradients import gradcheck, numerical_gradient
from dojo.spec.graph import assert_followed
from dojo.spec.kernels import channels_last, check_kernel, peak
from dojo.spec.modules import settled
from dojo.spec.rules import check_rule
from dojo.spec.tape import check_tape, through_the_tape
from dojo.spec.threads import no_thread_left
from dojo.spec.timing import Inconclusive, speedup

__all__ = [
    "Again",
    "Inconclusive",
    "Remembered",
    "ShapeError",
    "Together",
    "assert_close",
    "assert_equal",
    "assert_followed",
    "channels_last",
    "check_kernel",
    "check_rule",
    "check_tape",
    "extreme",
    "gradcheck",
    "hide_cupy",
    "no_thread_left",
    "no_warnings",
    "numerical_gradient",
    "on_device",
    "peak",
    "raises",
    "raises_with_note",
    "refuses_to_mix",
    "settled",
    "speedup",
    "strategies",
    "through_the_tape",
    "to_numpy",
    "unchanged",
]
