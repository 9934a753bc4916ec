"""The vocabulary that specs are written in. Its oracles use nothing of `tinytorch`."""

from __future__ import annotations

from dojo.spec import strategies
from dojo.spec.again import Again
from dojo.spec.close import assert_close, assert_equal, unchanged
from dojo.spec.device import on_device, to_numpy
from dojo.spec.errors import ShapeError, no_warnings, raises
from dojo.spec.gradients import gradcheck, numerical_gradient
from dojo.spec.graph import assert_followed
from dojo.spec.rules import check_rule
from dojo.spec.timing import Inconclusive, speedup

__all__ = [
    "Again",
    "Inconclusive",
    "ShapeError",
    "assert_close",
    "assert_equal",
    "assert_followed",
    "check_rule",
    "gradcheck",
    "no_warnings",
    "numerical_gradient",
    "on_device",
    "raises",
    "speedup",
    "strategies",
    "to_numpy",
    "unchanged",
]
