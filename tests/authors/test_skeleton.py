"""The skeleton that is derived from the reference: what stays, what goes, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from dojo import catalogue
from dojo.catalogue import ROOT, SOLUTIONS, kata
from dojo.errors import DojoError
from dojo.tree import backups
from dojo.tree.skeleton import derive

TENSOR = kata(2)


def becomes(source: str, expected: str) -> None:
    assert derive.skeleton(dedent(source).lstrip(), TENSOR) == dedent(expected).lstrip()


def test_a_body_goes_and_everything_around_it_stays() -> None:
    becomes(
        '''
        @primitive
        def reshape(
            a: Array,  # the one to reshape
            *,
            shape: tuple[int, ...] = (),
        ) -> Array:
            """The same entries in another shape.

            # not a comment
            """
            # how it is done
            return a.reshape(shape)
            # and done
        ''',
        '''
        @primitive
        def reshape(
            a: Array,  # the one to reshape
            *,
            shape: tuple[int, ...] = (),
        ) -> Array:
            """The same entries in another shape.

            # not a comment
            """
            raise NotImplementedError("kata 02: reshape")
        ''',
    )


def test_methods_are_named_with_their_class() -> None:
    becomes(
        '''
        class Tensor:
            """An array."""

            size: int = 0
            __hash__ = object.__hash__

            def __init__(self, data):
                self.data = data

            def __radd__(self, other):
                return add(other, self)

            @property
            def shape(self):
                """The sides."""
                return self.data.shape

            @shape.setter
            def shape(self, new):
                self.data.shape = new

            @staticmethod
            async def later():
                """Not now."""
                yield 1

            def abstract(self):
                """Nothing to write here."""

            class Inner:
                """Inside."""

                def go(self):
                    """Go."""

                    def nested():
                        return 1

                    return nested()
        ''',
        '''
        class Tensor:
            """An array."""

            size: int = 0
            __hash__ = object.__hash__

            def __init__(self, data):
                raise NotImplementedError("kata 02: Tensor.__init__")

            def __radd__(self, other):
                return add(other, self)

            @property
            def shape(self):
                """The sides."""
                raise NotImplementedError("kata 02: Tensor.shape")

            @shape.setter
            def shape(self, new):
                raise NotImplementedError("kata 02: Tensor.shape")

            @staticmethod
            async def later():
                """Not now."""
                raise NotImplementedError("kata 02: Tensor.later")

            def abstract(self):
                """Nothing to write here."""

            class Inner:
                """Inside."""

                def go(self):
                    """Go."""
                    raise NotImplementedError("kata 02: Tensor.Inner.go")
        ''',
    )


def test_private_things_vanish_with_the_comments_glued_above_them() -> None:
    becomes(
        '''
        """A module."""

        LIMIT = 3
        # how many at once
        _CHUNK = 1 << 10
        """In entries."""
        _TABLE: dict[str, int] = {}
        _TABLE["one"] = 1

        # A comment of its own.

        AFTER = 4


        # the helper's
        # comment
        @cache
        def _helper(x):
            return x


        class _Private:
            def go(self):
                return 1


        def public(x):
            """Twice x."""
            return _helper(x) * 2


        def _last(x):
            return x
        ''',
        '''
        """A module."""

        LIMIT = 3

        # A comment of its own.

        AFTER = 4


        def public(x):
            """Twice x."""
            raise NotImplementedError("kata 02: public")
        ''',
    )


def test_what_is_given_stays_whole_and_so_does_the_constant_it_reads() -> None:
    source = '''
    _KINDS = {"i": 1}
    _SAME = _KINDS


    def kind(x):  # given
        """Its kind."""
        return _rank(x)


    def _rank(
        x: int,
    ) -> int:  # given: used above
        return _SAME[x]


    class Kept:  # given
        def _private(self):
            return 1
    '''
    becomes(source, source)


def test_only_imports_that_are_used_stay() -> None:
    becomes(
        '''
        from __future__ import annotations

        import math
        import os.path
        from collections.abc import (
            Callable,
            Iterator,
            Mapping,
            Sequence,
        )
        from typing import TYPE_CHECKING, Any

        import numpy as np

        from tinytorch.tensor import add as add, mul

        if TYPE_CHECKING:
            from tinytorch.layers import Module

        __all__ = ["Iterator"]


        def total(xs: Sequence[int], y: "Mapping[str, int]") -> np.ndarray:
            """Their sum."""
            m: Module = mul(xs)
            return math.fsum(os.path, Any, m)
        ''',
        '''
        from __future__ import annotations

        from collections.abc import Iterator, Mapping, Sequence

        import numpy as np

        from tinytorch.tensor import add as add

        __all__ = ["Iterator"]


        def total(xs: Sequence[int], y: "Mapping[str, int]") -> np.ndarray:
            """Their sum."""
            raise NotImplementedError("kata 02: total")
        ''',
    )


def test_an_import_for_annotations_stays_under_type_checking() -> None:
    source = '''
    from typing import TYPE_CHECKING

    if TYPE_CHECKING:
        from tinytorch.layers import Module


    def parts(module: Module) -> int:
        """How many."""
        {}
    '''
    becomes(source.format("return 1"), source.format('raise NotImplementedError("kata 02: parts")'))


def test_a_section_comment_stays_where_something_public_follows() -> None:
    becomes(
        '''
        # Creation ----------


        def _finish(x):
            return x


        def zeros(n):
            """All 0."""
            return _finish(n)


        # Helpers ----------


        def _a(x):
            return x


        def _b(x):
            return x


        # Reductions ----------


        def total(n):
            """The sum."""
            return n


        # More helpers ----------


        def _c(x):
            return x
        ''',
        '''
        # Creation ----------


        def zeros(n):
            """All 0."""
            raise NotImplementedError("kata 02: zeros")


        # Reductions ----------


        def total(n):
            """The sum."""
            raise NotImplementedError("kata 02: total")
        ''',
    )


def test_a_section_of_a_class_that_held_only_private_methods_goes() -> None:
    becomes(
        '''
        class A:
            """A class."""

            def go(self):
                """Go."""
                return self._step()

            # How

            def _step(self):
                return 1


        AFTER = 1
        ''',
        '''
        class A:
            """A class."""

            def go(self):
                """Go."""
                raise NotImplementedError("kata 02: A.go")


        AFTER = 1
        ''',
    )


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("LIMIT = _limit()\n\n\ndef _limit():\n    return 3\n", "`_limit` is removed"),
        ("def f(x=_HERE()):\n    '''F.'''\n    return x\n\n\nclass _HERE:\n    pass\n", "`_HERE` is removed"),
        ("def f():  # given\n    return _g()\n\n\ndef _g():\n    return 1\n", "`_g` is removed"),
        (
            "class A:\n    def f(self):  # given\n        return self._g()\n\n    def _g(self):\n        return 1\n",
            "`_g` is removed",
        ),
        (
            "@_mark\ndef f():\n    '''F.'''\n    return 1\n\n\ndef _mark(f):\n    return f\n",
            "`_mark` is removed",
        ),
        ("double = lambda x: 2 * x\n", "a lambda"),
        ("TABLE = {'double': lambda x: 2 * x}\n", "a lambda"),
        ("def _(x):\n    return x\n", "has a name"),
        ("def two():\n    '''Two.'''\n    return 2\n\n\nTWO = two()\n", "would call `two`"),
        (
            "class Tape:\n    def __init__(self):\n        self.n = 1\n\n\ninstall(Tape())\n",
            "would call `Tape`",
        ),
        ("def f(x):\n    return x\n", "f has no docstring"),
        ("if True:\n\n    def f(x):\n        '''F.'''\n        return x\n", "at the top of the module"),
        ("def f(x): return x\n", "no docstring"),
        ("class A:\n    def __len__(self): self.x = 1\n", "on the line of its `def`"),
    ],
)
def test_a_skeleton_that_could_not_stand_is_refused(source: str, says: str) -> None:
    with pytest.raises(DojoError, match=says):
        derive.skeleton(source, TENSOR)


def test_what_a_student_writes_has_names_in_order() -> None:
    source = "def b():\n    '''B.'''\n    return 1\n\n\ndef _a():\n    return 1\n\n\ndef c():  # given\n    return 1\n"
    assert derive.written(source, TENSOR) == ["b"]


# The whole tree -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The skeleton of the real reference."""
    folder = tmp_path_factory.mktemp("skeleton") / "tinytorch"
    folder.mkdir()
    backups.replace(folder, derive.files(SOLUTIONS))
    return folder


def test_the_skeleton_is_formatted(tree: Path) -> None:
    for command in (["format", "--check", "--diff"], ["check", "--select", "E,W,I,F811,F821"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", "pyproject.toml", str(tree)]
        done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_dispatcher_and_the_faces_are_the_reference_s_own(tree: Path) -> None:
    for name in ("dispatch.py", "faces.py", "__init__.py"):
        assert (tree / name).read_text() == (SOLUTIONS / name).read_text()


def test_no_kata_keeps_the_name_of_a_private_function(tree: Path) -> None:
    text = (tree / "tensor/tensor.py").read_text()
    assert "def _arrays" not in text
    assert 'raise NotImplementedError("kata 02: Tensor.__getitem__")' in text


def test_writing_again_changes_nothing(tree: Path) -> None:
    assert derive.files(SOLUTIONS) == backups.contents(tree)


def test_files_that_the_reference_no_longer_has_are_removed(tmp_path: Path) -> None:
    solutions, student = tmp_path / "solutions", tmp_path / "tinytorch"
    for path, text in {"tensor.py": "A = 1\n", "dispatch.py": "run = lambda: 1\n"}.items():
        (solutions / path).parent.mkdir(exist_ok=True)
        (solutions / path).write_text(text)
    for path in ("tensor/__init__.py", "tensor/__pycache__/x.pyc", "old.py", "notes.txt"):
        (student / path).parent.mkdir(exist_ok=True, parents=True)
        (student / path).write_text("")
    wanted = derive.wanted(derive.files(solutions), backups.contents(student))
    changed = backups.replace(student, wanted)
    assert [str(path) for path in changed] == ["dispatch.py", "old.py", "tensor/__init__.py", "tensor.py"]
    assert sorted(path.name for path in student.iterdir()) == ["dispatch.py", "notes.txt", "tensor.py"]


def test_a_module_is_shipped_with_all_its_files_in_folders(tmp_path: Path) -> None:
    page = tmp_path / "capstone/web/page.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>Words</p>")
    (tmp_path / "capstone/__init__.py").write_text("")
    (tmp_path / "capstone/.swp").write_text("an editor's own")
    made = derive.files(tmp_path)
    assert made == {Path("capstone/web/page.html"): b"<p>Words</p>", Path("capstone/__init__.py"): b""}
    assert catalogue.kata(20).files(tmp_path) == [tmp_path / "capstone/__init__.py", page]


def test_a_tree_with_somebody_s_work_is_not_taken_back(tmp_path: Path) -> None:
    stub = "def f(x):\n    '''F.'''\n    raise NotImplementedError('kata 02: f')\n"
    made = {Path("tensor.py"): stub.encode()}
    assert derive.work(made, {Path("tensor.py"): stub.encode() + b"# a word\n"}) == []
    assert derive.work(made, {Path("tensor.py"): b"def f(x):\n    return x\n"}) == ["f"]
    assert derive.work(made, {Path("tensor/__init__.py"): b"def f(x):\n    return x\n"}) == ["f"]
    assert derive.work(made, {Path("tensor.py"): stub.encode() + b"def _own(x):\n    return x\n"}) == ["_own"]
    assert derive.work(made, {Path("tensor.py"): b"def f(x:\n"}) == ["tensor.py"]


def test_an_import_of_a_name_that_vanished_in_another_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tensor.py").write_text("def _helper():\n    return 1\n")
    (tmp_path / "losses.py").write_text(
        "from tinytorch.tensor import _helper\n\n\ndef f():  # given\n    return _helper()\n"
    )
    with pytest.raises(DojoError, match="has no _helper in the skeleton"):
        derive.files(tmp_path)


def test_a_name_may_come_by_an_import_of_all(tmp_path: Path) -> None:
    package = tmp_path / "tensor"
    package.mkdir()
    (package / "public.py").write_text("from tinytorch.dispatch import run as run\n")
    (package / "__init__.py").write_text("from tinytorch.tensor.public import *\n")
    (tmp_path / "losses.py").write_text("from tinytorch.tensor import run as run\n")
    assert len(derive.files(tmp_path)) == 3
    (tmp_path / "losses.py").write_text("from tinytorch.tensor import walk as walk\n")
    with pytest.raises(DojoError, match="has no walk in the skeleton"):
        derive.files(tmp_path)
