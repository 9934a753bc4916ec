"""`make serve`: the server, on the student's code. It makes a bundle first if there is none."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from dojo.bootstrap import ENTRY
from dojo.commands import split
from dojo.errors import DojoError, display
from dojo.serve.bundles import HOME, explained, make
from dojo.serve.settings import add_settings, option, settings_from
from dojo.tree import overlay
from dojo.tree.overlay import shown

AGAIN = "make serve"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", metavar="DIR", help=f"what to serve (default: {shown(HOME)})")
    parser.add_argument("--impl", default="student", help="student (default), solutions, or a path")
    parser.add_argument("--args", default="", help=f"the same options as one text: {option('rows')} 32")
    add_settings(parser)
    parser.epilog = (
        "exit status: 0 after SIGTERM or Ctrl-C, if all that had begun was finished; 1 if something was cut off, or at "
        "a second signal; 2 if the server could not begin; 3 if the engine died"
    )


def run(options: argparse.Namespace) -> int:
    """Serve a model to whoever asks."""
    parser = argparse.ArgumentParser(f'{AGAIN} ARGS="..."', allow_abbrev=False)
    add_arguments(parser)
    options = parser.parse_args(split(options.args), options)
    try:
        settings = settings_from(options)
    except ValueError as error:
        raise DojoError(f"{error}.") from None
    folder = Path(options.bundle).expanduser().resolve() if options.bundle else HOME
    if options.bundle and not folder.exists():
        raise DojoError(f"{folder} is not there. `make bundle BUNDLE={options.bundle}` makes a bundle of it.")
    overlay.install(overlay.plan_for(options.impl))
    if not folder.exists() and not options.bundle:
        display(f"There is no model in {shown(HOME)} yet, so one is made first.")
        with explained(AGAIN, run):
            from tinytorch.capstone import save_bundle

            HOME.parent.mkdir(exist_ok=True)
            save_bundle(make(display), HOME)
        os.execv(
            sys.executable, [sys.executable, "-P", ENTRY, *sys.argv[1:]]
        )  # a fresh process, of the same number
    with explained(AGAIN, run):
        from dojo.serve.server import DEAD, EngineDied, serve
        from tinytorch.capstone import BundleError, load_bundle

        try:
            bundle = load_bundle(folder)
            started = f"serving {bundle.card['name']} at {{}} (Ctrl-C ends it)"
            return asyncio.run(serve(bundle, settings, lambda address: display(started.format(address))))
        except BundleError as error:
            raise DojoError(f"{error}.") from None
        except EngineDied as error:
            with explained(AGAIN, run, DEAD):
                raise error.__cause__ or error from None
        except (ValueError, OSError) as error:
            raise DojoError(f"The server cannot begin: {error}.") from None
    return 0
