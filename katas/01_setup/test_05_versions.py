"""Whether the installed packages are new enough."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, raises
from tinytorch.setup import check_versions, parse_version


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.13", (2, 13)), ("3.11.7", (3, 11, 7)), ("0.3.31.188", (0, 3, 31, 188)), ("2026.1", (2026, 1))],
)
def test_version_is_a_tuple_of_numbers(version, numbers):
    """parse_version("2.13") is (2, 13): the numbers of a version, as ints."""
    assert_equal(parse_version(version), numbers, f"parse_version({version!r})")


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.13.1+cpu", (2, 13, 1)), ("2.1rc1", (2, 1)), ("1.4.post2", (1, 4)), ("24.1b3", (24, 1))],
)
def test_only_the_leading_numbers_count(version, numbers):
    """parse_version reads the numbers at the beginning and leaves the rest: "2.13.1+cpu" is (2, 13, 1)."""
    assert_equal(parse_version(version), numbers, f"parse_version({version!r})")


@pytest.mark.parametrize(
    ("version", "numbers"), [("2.1.0", (2, 1)), ("3.0.0", (3,)), ("10.0.20", (10, 0, 20)), ("0.0", ())]
)
def test_zeros_at_the_end_do_not_count(version, numbers):
    """parse_version leaves out zeros at the end, because 2.1 and 2.1.0 are the same version: both are (2, 1)."""
    assert_equal(parse_version(version), numbers, f"parse_version({version!r})")


@given(
    a=st.lists(st.integers(0, 12), min_size=3, max_size=3),
    b=st.lists(st.integers(0, 12), min_size=3, max_size=3),
)
@example(a=[2, 9, 0], b=[2, 10, 0])
def test_newer_versions_are_greater(a, b):
    """The tuples compare as the versions do: 2.9.0 is older than 2.10.0."""
    older, newer = (".".join(map(str, numbers)) for numbers in sorted([a, b]))
    found = parse_version(older) < parse_version(newer)
    assert_equal(found, a != b, f"parse_version({older!r}) < parse_version({newer!r})")


@pytest.mark.parametrize("version", ["", "newest", ">=2.1", ".5"])
def test_not_a_version(version):
    """Text that does not begin with a number is a ValueError whose message names it."""
    with raises(ValueError, version):
        parse_version(version)


def test_nothing_to_complain_about():
    """check_versions gives an empty list when every package is installed in the required version or a newer one."""
    assert_equal(check_versions({}), [], "check_versions({})")
    assert_equal(check_versions({"numpy": "1.0"}), [], 'check_versions({"numpy": "1.0"})')
    just_this = {"numpy": np.__version__}
    assert_equal(check_versions(just_this), [], f"check_versions({just_this})")


def test_too_old():
    """An older version is one sentence, a str, that names the package, the version installed and the version needed."""
    problems = check_versions({"numpy": "999.1"})
    assert_equal(len(problems), 1, 'the number of problems of {"numpy": "999.1"}')
    for word in ("numpy", np.__version__, "999.1"):
        assert word in problems[0], f"{word!r} is missing in {problems[0]!r}"


def test_not_installed():
    """A package that is not installed is one sentence with its name and the version needed."""
    problems = check_versions({"no-package-has-this-name": "1.5"})
    assert_equal(len(problems), 1, "the number of problems")
    for word in ("no-package-has-this-name", "1.5"):
        assert word in problems[0], f"{word!r} is missing in {problems[0]!r}"


@pytest.mark.parametrize(
    ("installed", "needed", "fine"),
    [("2.10.0", "2.9", True), ("2.9.0", "2.10", False), ("2.1", "2.1.0", True), ("2.1.0+cpu", "2.1", True)],
)
def test_versions_are_compared_as_numbers(monkeypatch, tmp_path, installed, needed, fine):
    """Versions are compared number by number, not as strings: 2.10.0 is newer than 2.9."""
    folder = tmp_path / f"probe_package-{installed}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: probe-package\nVersion: {installed}\n")
    monkeypatch.syspath_prepend(tmp_path)
    problems = check_versions({"probe-package": needed})
    assert_equal(
        len(problems), 0 if fine else 1, f"the number of problems with {installed} where {needed} is needed"
    )


def test_every_problem_in_order():
    """Every problem is reported, in the order of the requirements, not only the first."""
    problems = check_versions({"no-package-one": "1.0", "numpy": "1.0", "no-package-two": "2.0"})
    assert_equal(len(problems), 2, "the number of problems")
    assert "no-package-one" in problems[0], f"the first is {problems[0]!r}"
    assert "no-package-two" in problems[1], f"the second is {problems[1]!r}"


def test_a_requirement_is_a_version():
    """A requirement that is not a version is a ValueError that names it, even where the package is not installed."""
    with raises(ValueError, "newest"):
        check_versions({"no-package-has-this-name": "newest"})
