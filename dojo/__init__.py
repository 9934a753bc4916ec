"""What runs the katas: the command line, the pytest plugin, and the functions that specs are written with.

`dojo.draw_graph(tensor)` is for a student's own Python: it is imported when it is asked for.
"""


def __getattr__(name: str) -> object:  # nothing is imported above: a scratch file beside it could be meant
    if name == "draw_graph":
        from importlib import import_module

        return import_module("dojo.student.graph").draw_graph
    raise AttributeError(f"module 'dojo' has no attribute {name!r}")
