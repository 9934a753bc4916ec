"""The rules of the repository: what imports what, the style of the reference, a kata's folder, a spec file."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dojo.authors import path as paths
from dojo.authors.gate import built, spec_files, spec_names
from dojo.catalogue import KATAS, ROOT, SOLUTIONS, STUDENT, Kata, files_below
from dojo.run import specs
from dojo.tree import reference, source
from dojo.tree.skeleton import derive

SLUGS = {kata.slug: kata for kata in KATAS}
LIBRARIES = {"numpy", "scipy", "safetensors", *sys.stdlib_module_names}
SPEC_LIBRARIES = {"dojo", "hypothesis", "pytest", *LIBRARIES}
GIVEN = {"dispatch"}
SECTIONS = ["The problem", "What you will build", "The API", "How PyTorch does it", "What comes next"]
LEVELS = ["question", "method", "code"]

WRITTEN = [kata for kata in KATAS if reference.modules(kata)]
each_written = pytest.mark.parametrize("kata", WRITTEN, ids=lambda kata: kata.name)
each_built = pytest.mark.parametrize("kata", built(), ids=lambda kata: kata.name)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def at(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imported(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every module that a file imports, wherever in it: `from tinytorch import dispatch` is tinytorch.dispatch."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "tinytorch":
                yield from ((node, f"tinytorch.{alias.name}") for alias in node.names)
            else:
                yield node, "." * node.level + (node.module or "")


# The reference ------------------------------------------------------------------------------------------


@each_written
def test_a_kata_stands_on_the_katas_below_it_and_on_nothing_else(kata: Kata) -> None:
    known = {each.slug for each in KATAS if each.number <= kata.number} | GIVEN
    for path in reference.modules(kata).values():
        for node, module in imported(parsed(path)):
            top, _, rest = module.partition(".")
            if top == "tinytorch":
                slug = rest.partition(".")[0]
                assert slug in known, f"{at(path, node)} imports {module}, which is not below kata {kata.id}"
            elif top in ("cupy", "cupyx"):
                assert getattr(node, "col_offset", 0) > 0, (
                    f"{at(path, node)} imports {module} before it is asked for"
                )
            else:
                assert top in LIBRARIES, f"{at(path, node)} imports {module}"


@pytest.mark.parametrize(
    "path", sorted(SOLUTIONS.rglob("*.py")), ids=lambda path: str(path.relative_to(SOLUTIONS))
)
def test_the_reference_is_made_of_named_and_documented_functions(path: Path) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree), f"{at(path, tree)} has no docstring"
    if path.relative_to(SOLUTIONS).parts[0].removesuffix(".py") not in SLUGS:
        return  # the dispatcher and the faces are given
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Lambda), (
            f"{at(path, node)} has a lambda: what a student writes has a name"
        )
        if isinstance(node, source.Function):
            assert node.name != "_", f"{at(path, node)} is a function without a name"
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not is_given(path, node):
            assert ast.get_docstring(node), f"{at(path, node)}: class {node.name} has no docstring"
    for name, node in source.definitions(tree):
        free = (
            any(part.startswith("_") for part in name.split(".")) or is_given(path, node) or is_setter(node)
        )
        assert free or ast.get_docstring(node), f"{at(path, node)}: {name} has no docstring"


def is_given(path: Path, node: ast.stmt) -> bool:
    return source.is_given(node, path.read_text(encoding="utf-8").splitlines())


def is_setter(node: source.Function) -> bool:
    return any(isinstance(each, ast.Attribute) for each in node.decorator_list)


@each_written
def test_importing_the_reference_calls_none_of_its_own_helpers(kata: Kata) -> None:
    for path in reference.modules(kata).values():
        tree = parsed(path)
        own = {name for name, node in source.definitions(tree) if not is_given(path, node)}
        for node in run_on_import(tree.body):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in own, (
                    f"{at(path, node)} calls {ast.unparse(node.func)} on import"
                )


def run_on_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything but the bodies of functions and lambdas, and what stands
    behind `if __name__ == "__main__":`."""
    waiting: list[ast.AST] = [node for node in body if not _is_main_guard(node)]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, source.Function):
            waiting += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def test_the_skeleton_is_what_the_generator_makes_of_the_reference(tmp_path: Path) -> None:
    made = {str(path): text for path, text in derive.files(SOLUTIONS).items()}
    shipped = {str(path.relative_to(STUDENT)): path.read_bytes() for path in files_below(STUDENT)}
    assert sorted(shipped) == sorted(made), "`make dev-skeleton` writes tinytorch/ again"
    stale = [name for name, text in made.items() if shipped[name] != text]
    assert not stale, f"{stale} are not what `make dev-skeleton` makes of solutions/"


# What a kata's folder holds -----------------------------------------------------------------------------


@each_built
def test_a_kata_folder_holds_a_readme_hints_specs_and_nothing_else(kata: Kata) -> None:
    names = {path.name for path in kata.folder.iterdir() if path.name != "__pycache__"}
    specs = {path.name for path in spec_files(kata)}
    milestones = {part.milestone_script.name for part in kata.parts if part.milestone}
    assert names - specs - {"picture.py", "hunts.py", "tasks"} == {
        "README.md",
        "hints.toml",
        "specs.txt",
    } | milestones | {*kata.guides}
    if kata.tracks:
        tracks = [name.split("_")[1][0] + kata.on(kata.track_of(name)).track for name in sorted(specs)]
        assert tracks == sorted(tracks) and len(set(tracks)) == len(kata.tracks), "ten numbers for each track"
        return
    for number, name in enumerate(sorted(specs), 1):
        assert re.fullmatch(rf"test_{number:02d}_[a-z0-9_]+\.py", name), (
            f"{name}: the files are numbered from 01"
        )


@each_built
def test_a_readme_tells_the_story_in_its_sections(kata: Kata) -> None:
    text = (kata.folder / "README.md").read_text(encoding="utf-8")
    assert re.match(r"# .", text), "a README begins with its title"
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    headings = re.findall(r"^## (.+?)\s*$", outside, flags=re.M)
    assert headings == SECTIONS
    for heading, body in zip(headings, re.split(r"^## .+$", text, flags=re.M)[1:], strict=False):
        assert body.strip(), f"the section {heading!r} is empty"


@each_built
def test_every_spec_has_hints_in_three_levels(kata: Kata) -> None:
    hints = tomllib.loads((kata.folder / "hints.toml").read_text(encoding="utf-8"))
    names = [name for path in spec_files(kata) for name in spec_names(path)]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"hints and mistakes know specs by name, and these names are taken twice: {twice}"
    assert sorted(names - hints.keys()) == [], "specs without hints"
    assert sorted(hints.keys() - set(names)) == [], "hints for specs that there are no more"
    for name, levels in hints.items():
        assert list(levels) == LEVELS, f"the hints of {name} are {list(levels)}"
        assert all(isinstance(text, str) and text.strip() for text in levels.values()), (
            f"{name} has an empty hint"
        )


# Spec files ---------------------------------------------------------------------------------------------


def spec_paths() -> list[Path]:
    return [path for kata in built() for path in spec_files(kata)]


each_spec_file = pytest.mark.parametrize(
    "path", spec_paths(), ids=lambda path: f"{path.parent.name}/{path.stem}"
)


@each_spec_file
def test_a_spec_file_imports_katas_it_may_know_and_the_dojo_s_words_and_data(path: Path) -> None:
    number = int(path.parent.name[:2])
    known = {kata.slug for kata in KATAS if kata.number <= number}
    for node, module in imported(parsed(path)):
        top, _, rest = module.partition(".")
        slug = rest.partition(".")[0]
        assert not module.startswith("."), f"{at(path, node)}: specs have no helper modules"
        if top == "tinytorch":
            assert slug in known | GIVEN, f"{at(path, node)} imports {module}: no face, no higher kata"
        elif top == "dojo":
            server = ("serve",) if number == 20 else ()  # given with that kata: its specs start it
            assert slug in ("spec", "datasets", *server), (
                f"{at(path, node)} imports {module}: specs use dojo.spec and dojo.datasets"
            )
        elif top not in ("cupy", "cupyx"):  # the strict device answers to that name
            assert top in SPEC_LIBRARIES, f"{at(path, node)} imports {module}"
            assert not module.startswith("scipy.stats"), (
                f"{at(path, node)}: scipy.stats takes half a second before the first red spec"
            )


@each_built
def test_a_script_of_a_kata_imports_katas_up_to_its_own(kata: Kata) -> None:
    known = {each.slug for each in KATAS if each.number <= kata.number}
    for name in ("picture.py", "hunts.py"):
        path = kata.folder / name
        for node, module in imported(parsed(path)) if path.is_file() else ():
            top, _, rest = module.partition(".")
            if top == "tinytorch":
                assert rest.partition(".")[0] in known | GIVEN, f"{at(path, node)} imports {module}"


def student_names(tree: ast.Module) -> set[str]:
    """What a spec file imports from the student."""
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinytorch")
        for alias in node.names
    }


@each_spec_file
def test_a_spec_is_a_documented_function_that_pins_behaviour(path: Path) -> None:
    tree = parsed(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{at(path, node)}: a bare except hides the skeleton's error"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) != "pytest.raises", f"{at(path, node)}: use dojo.spec.raises"
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            assert not private, f"{at(path, node)}: {node.attr} is private, specs pin behaviour"
        if isinstance(node, ast.ImportFrom) and node.module == "pytest":
            assert "raises" not in {each.name for each in node.names}, (
                f"{at(path, node)}: use dojo.spec.raises"
            )
    for node in tree.body:
        if isinstance(node, ast.ClassDef):  # a model to look at, as a user of the kata would write it
            bases = {ast.unparse(base) for base in node.bases}
            assert bases & student_names(tree), f"{at(path, node)}: specs are functions"
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            sentence = (ast.get_docstring(node) or "").strip()
            assert sentence.split("\n\n")[0].rstrip().endswith((".", "?", "!")), (
                f"{at(path, node)}: no sentence"
            )


@each_spec_file
def test_a_spec_file_calls_student_code_only_inside_specs(path: Path) -> None:
    tree = parsed(path)
    student = student_names(tree) | {"tinytorch"}
    for node in run_on_import(tree.body):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).partition(".")[0].partition("(")[0]
            assert name not in student, (
                f"{at(path, node)} calls {ast.unparse(node.func)} while it is collected"
            )


# The repository -----------------------------------------------------------------------------------------


def test_the_map_in_the_readme_is_the_catalogue() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \| (?:\[(\w+)\]\((\S+)\)|(\w+)) \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) == len(KATAS)
    for kata, (number, linked, link, plain, discovery) in zip(KATAS, rows, strict=True):
        assert (number, linked or plain) == (kata.id, kata.slug)
        assert link == (f"katas/{kata.name}/README.md" if kata.built else "")
        told = f"{kata.discovery} *Milestone: {kata.milestone}.*" if kata.milestone else kata.discovery
        assert discovery == told


@pytest.mark.parametrize("guide", ["README.md", "docs/student-quickstart.md"])
def test_the_guides_say_how_long_both_paths_are(guide: str) -> None:
    text = " ".join((ROOT / guide).read_text(encoding="utf-8").split())
    katas = [kata for kata in KATAS if kata.built]
    for some in (katas, *([katas[:14]] if guide == "README.md" else [])):
        for each in specs.PATHS:
            assert str(paths.length(some, each)) in text, f"katas 01 to {some[-1].id}, the {each} path"


@each_built
def test_the_list_of_specs_is_current(kata: Kata) -> None:
    """The cases are counted by the gate (c); here, that no spec is missing."""
    names = [name for path in spec_files(kata) for name in spec_names(path)]
    assert list(specs.listed(kata)) == names, "`make dev-specs` writes the lists again"


def test_no_line_names_a_place_on_somebody_s_machine() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listing = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    machine = re.compile(rb"(?<![\w.~-])/(work|root|home|Users|mnt|tmp)/\w")
    found = []
    for name in filter(None, names):
        path = ROOT / name
        if name.startswith("tests/hostile/"):  # what is there looks for such places
            continue
        if path.is_file() and not path.is_symlink():
            lines = path.read_bytes().splitlines() if path.stat().st_size < 2**20 else []
            found += [f"{name}:{i}" for i, line in enumerate(lines, 1) if machine.search(line)]
    assert not found, found
