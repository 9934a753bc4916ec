"""stdlib: the same text every time, and only programs in it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from dojo.datasets import stdlib
from dojo.errors import DojoError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A standard library of our own."""
    for name, text in {
        "abc.py": b"a = 1\n",
        "json/__init__.py": b"j = 1\r\n\r\n",
        "json/tool.py": b"",
        "string.py": "s = 'ö'\n".encode(),
        "token.py": b"\xff\xfe broken",
        "unittest/test/mock.py": b"no = 1\n",
        "test/test_it.py": b"no = 2\n",
        "idlelib/run.py": b"no = 3\n",
        "encodings/ascii.py": b"no = 4\n",
        "site-packages/numpy/__init__.py": b"no = 5\n",
        "sitecustomize.py": b"no = 6\n",
        "json/__pycache__/tool.py": b"no = 7\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    return tmp_path


def test_it_is_python_s_own_source_in_ascii() -> None:
    text = stdlib.text(200_000)
    assert text.isascii()
    assert text.count("def ") > 100
    assert 50 < len(set(text)) < 100


@pytest.mark.parametrize("limit", [0, 1, 5_000, 300_000])
def test_a_limit_is_kept_to_the_end_of_a_line_and_the_beginning_is_always_the_same(limit: int) -> None:
    text = stdlib.text(limit)
    assert len(text) <= limit
    assert len(text) > limit - 200
    assert not text or text.endswith("\n")
    assert stdlib.text(400_000).startswith(text)


def test_every_process_gets_the_same_text() -> None:
    told = "from dojo.datasets import stdlib; print(hash(0), stdlib.text(50_000))"
    one, two = (
        subprocess.run([sys.executable, "-c", told], env={"PYTHONHASHSEED": seed}, capture_output=True).stdout
        for seed in ("1", "2")
    )
    assert one == two
    assert len(one) > 40_000


def test_tests_tables_and_what_is_not_python_s_are_left_out(repository: Path) -> None:
    assert sorted(stdlib.text(None).split("\n\n\n")) == ["", "a = 1", "j = 1"]
    assert "s = 'ö'" in stdlib.text(None, ascii_only=False)


def test_a_python_without_source_is_a_sentence(repository: Path) -> None:
    for path in repository.rglob("*.py"):
        path.unlink()
    with pytest.raises(DojoError, match="no source of its standard library in"):
        stdlib.text()


@pytest.mark.parametrize(
    ("share", "train", "validation"),
    [(0.5, "ab\n", "cd\nef\n"), (0.0, "ab\ncd\nef\n", ""), (1.0, "", "ab\ncd\nef\n")],
)
def test_split_parts_at_the_end_of_a_line(share: float, train: str, validation: str) -> None:
    assert stdlib.split("ab\ncd\nef\n", share) == (train, validation)


def test_split_parts_anywhere_where_there_are_no_lines() -> None:
    assert stdlib.split("abcdefghij", 0.3) == ("abcdefg", "hij")


def test_the_end_is_like_the_beginning() -> None:
    """Else what is validated with is another kind of text."""
    train, validation = stdlib.split(stdlib.text(2_000_000))
    assert abs(len(validation) / len(train) - 1 / 9) < 0.01
    assert set(validation) <= set(train)
    for word in ("self", "return", "import"):
        assert 0.4 < (validation.count(word) / len(validation)) / (train.count(word) / len(train)) < 2.5


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: stdlib.text(-1), "limit must be zero or more, and is -1"),
        (lambda: stdlib.split("", 1.5), "validation is a share from 0.0 to 1.0, and is 1.5"),
        (lambda: stdlib.split("", float("nan")), "and is nan"),
    ],
)
def test_a_number_out_of_range_is_an_error_with_its_name(call: Any, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert says in str(caught.value)
