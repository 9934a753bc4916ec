"""The pictures of the README are made of real runs, and load nothing from elsewhere."""

from __future__ import annotations

from dojo.authors import pictures
from dojo.catalogue import ROOT
from dojo.tree import mistakes


def test_a_red_run_is_drawn() -> None:
    planted = next(each for each in mistakes.load(pictures.KATA) if each.name == pictures.MISTAKE).plant()
    output = pictures.output_of_a_run(planted)
    assert "wrong:" in output
    assert "your line" in output
    picture = pictures.drawn("make kata N=3", output)
    assert picture.startswith("<svg")
    assert "your" in picture
    assert "url(" not in picture.replace("url(#", "")


def test_the_readme_shows_the_pictures() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("red", "green"):
        assert f"docs/pictures/{name}.svg" in readme
        assert (pictures.PICTURES / f"{name}.svg").is_file()
