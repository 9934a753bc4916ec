"""What runs the katas: the command line, the pytest plugin, and the functions that specs are written with.

`dojo.draw_graph(tensor)` is for a student's own Python: it is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "draw_graph":
        from importlib import import_module

        return import_module("dojo.student.graph").draw_graph
    raise AttributeError(f"module 'dojo' has no attribute {name!r}")
