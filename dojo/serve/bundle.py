"""`make bundle`: make a bundle, or show what is in one."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from dojo.commands import split
from dojo.errors import DojoError, display
from dojo.serve.bundles import HOME, SECONDS, explained, make
from dojo.tree import overlay
from dojo.tree.overlay import shown

AGAIN = "make bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", metavar="DIR", help=f"where to write it (default: {shown(HOME)})")
    parser.add_argument("--inspect", metavar="DIR", help="show what is in this one")
    parser.add_argument("--dir", metavar="DIR", help="make it of a model in Hugging Face's layout")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="how long to train, if a model is trained"
    )
    parser.add_argument("--bits", type=int, choices=(4, 8), help="store the weights in so many bits")
    parser.add_argument("--group-size", type=int, metavar="N", help="weights that share a scale")
    parser.add_argument("--force", action="store_true", help="replace the one that is there")
    parser.add_argument("--impl", default="student", help="student (default), solutions, or a path")
    parser.add_argument("--args", default="", help="the same options as one text: --bits 8")


def run(options: argparse.Namespace) -> int:
    """Put a model into a folder, with all that is needed to use it."""
    parser = argparse.ArgumentParser(f'{AGAIN} ARGS="..."', allow_abbrev=False)
    add_arguments(parser)
    options = parser.parse_args(split(options.args), options)
    overlay.install(overlay.plan_for(options.impl))
    with explained(AGAIN, run):
        from tinytorch.capstone import BundleError

        try:
            if options.inspect:
                inspect(_path(options.inspect))
            else:
                write(options)
        except (BundleError, FileExistsError, ValueError) as error:
            raise DojoError(f"{str(error).removesuffix('.')}.") from None
    return 0


def write(options: argparse.Namespace) -> None:
    """Make the bundle that the options describe. With --force, the old one is there until the new one is whole."""
    from tinytorch.capstone import save_bundle

    folder = _path(options.bundle) if options.bundle else HOME
    if folder.exists() and not options.force:
        raise DojoError(
            f"There is a bundle in {shown(folder)} already: FORCE=1 replaces it, BUNDLE= names another folder."
        )
    bundle = make(display, _path(options.dir) if options.dir else None, options.seconds)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bundle") as beside:
        new = Path(beside) / folder.name
        save_bundle(bundle, new, options.bits, options.group_size)
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    display(f"{bundle.card['name']} is in {shown(folder)}")


def inspect(folder: Path) -> None:
    """Show the card of a bundle, and the size of its parts."""
    from tinytorch.capstone import load_bundle
    from tinytorch.precision import memory_footprint

    bundle = load_bundle(folder)
    config, tokenizer = bundle.model.config, bundle.tokenizer
    lines = {
        **bundle.card,
        "model": f"{config.n_layer} layers, {config.n_head} heads, {config.n_embd} features, "
        f"context {config.block_size}",
        "weights": f"{memory_footprint(bundle.model):,} bytes in memory",
        "tokenizer": f"{type(tokenizer).__name__}, {tokenizer.vocab_size} tokens",
    }
    for path in sorted(folder.iterdir()):
        lines[path.name] = f"{path.stat().st_size:,} bytes"
    width = max(map(len, lines))
    for name, value in lines.items():
        display(f"{name:{width}}  {value}", hang=width + 2)


def _path(given: str) -> Path:
    return Path(given).expanduser().resolve()
