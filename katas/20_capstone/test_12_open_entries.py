"""An entry is a file, and what it weighs is all that it needs."""

import sys
import zlib

import numpy as np
import pytest

from dojo.spec import assert_equal, raises
from tinytorch.capstone import EntryError, load_entry, weigh

LOAD = "def load(model, weights):\n    return lambda x: x\n"


def an_entry(folder, text=LOAD, name="entry"):
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_entry_is_a_module(tmp_path):
    """load_entry(path) imports the file and gives its module."""
    module = load_entry(an_entry(tmp_path, "GAIN = 3\n" + LOAD))
    assert_equal(module.GAIN, 3, "what the file defines")
    assert_equal(module.load({}, {})(5), 5, "what the function gives that load gives")


def test_an_entry_is_imported_each_time(tmp_path):
    """load_entry imports the file again each time, and leaves nothing in sys.modules, after an error either."""
    before = set(sys.modules)
    path = an_entry(tmp_path, "SEEN = []\n" + LOAD, "seen")
    load_entry(path).SEEN.append("a question")
    assert_equal(load_entry(path).SEEN, [], "a list of the module, imported a second time")
    with raises(EntryError):
        load_entry(an_entry(tmp_path, "1 / 0", "broken"))
    assert_equal(sorted(set(sys.modules) - before), [], "what is new in sys.modules")


def test_an_entry_may_have_dataclasses(tmp_path):
    """While its file is run, the module is in sys.modules, where a dataclass looks for it (postponed annotations)."""
    text = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Layer:
    size: int = 3

"""
    assert_equal(load_entry(an_entry(tmp_path, text + LOAD)).Layer().size, 3, "the size of the entry's Layer")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def load(", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import no_such_module", "no_such_module"),
        ("loads = 1", "load"),
        ("load = 1", "load"),
    ],
)
def test_an_entry_that_is_none_is_named(tmp_path, text, says):
    """A file that cannot be imported, or has no function load, is an EntryError with its name and what is wrong."""
    with raises(EntryError, "entry.py", says):
        load_entry(an_entry(tmp_path, text))
    with raises(EntryError, "nowhere.py"):
        load_entry(tmp_path / "nowhere.py")


def test_the_weight_is_that_of_arrays_names_and_source(tmp_path):
    """weigh adds up the bytes of all arrays, of their names in UTF-8, and of the source, compressed (zlib, level 9)."""
    dense = "".join("ab"[n.bit_count() % 2] for n in range(2000))  # what level 6 makes of it is longer
    path = an_entry(tmp_path, f"{LOAD}# {dense}\n")
    weights = {"a": np.zeros((3, 5), np.int8), "größe": np.ones(7, np.float32), "": np.zeros(0)}
    expected = 15 + 28 + 1 + 7 + len(zlib.compress(path.read_bytes(), 9))
    assert_equal(weigh(weights, path), expected, "the weight")


def test_numbers_in_the_source_weigh_too(tmp_path):
    """An entry whose numbers stand in its source, and not in its arrays, weighs no less."""
    numbers = np.random.default_rng(0).integers(0, 10**9, 500)
    weight = weigh({}, an_entry(tmp_path, f"NUMBERS = {numbers.tolist()}\n{LOAD}"))
    assert weight > 500 * np.log(10**9) / np.log(256), f"500 numbers of 9 digits weigh only {weight} bytes"


@pytest.mark.parametrize(
    "array",
    [[1.0, 2.0], np.zeros(2).view(np.recarray), np.array([print, None]), np.array(["text"]), np.float32(1)],
    ids=["a list", "a subclass", "objects", "text", "a scalar"],
)
def test_only_arrays_of_numbers_are_weights(tmp_path, array):
    """A weight that is no np.ndarray itself, or no array of numbers or booleans, is an EntryError with its name."""
    with raises(EntryError, "bias"):
        weigh({"fine": np.ones(2, bool), "bias": array}, an_entry(tmp_path))


def test_weights_are_a_dict(tmp_path):
    """Weights that are no dict are an EntryError with the name of their type; so is a name that is no string."""
    with raises(EntryError, "list"):
        weigh([np.zeros(2)], an_entry(tmp_path))
    with raises(EntryError, "7"):
        weigh({7: np.zeros(2)}, an_entry(tmp_path))
