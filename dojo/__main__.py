"""`python -m dojo`, or `python dojo/__main__.py`: run a command with any Python, inside .venv if it needs that.

Standard library only, and it runs on Python 3.8, so that it can tell a person that their Python is too old.
"""

from __future__ import annotations

import errno
import os
import sys


def put_the_repository_last() -> None:
    """Make the repository the last place where Python looks, and this copy of it the only one.

    So a file called random.py or numpy.py beside the Makefile hides nothing.
    """
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # where this file lies, or the folder that the person is in
    root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    others = [path for path in sys.path if not os.path.isfile(os.path.join(path, "dojo", "__main__.py"))]
    sys.path[:] = [*others, root]


if __name__ == "__main__":
    put_the_repository_last()

from dojo import bootstrap, commands  # noqa: E402
from dojo.errors import INTERRUPTED, USAGE, DojoError, display  # noqa: E402

BROKEN_PIPE = 141  # as shells count it
MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", *commands.VALUES, *commands.SWITCHES)


def main() -> int:
    arguments = sys.argv[1:]
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a letter that the terminal cannot show is escaped, and is no traceback
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if "MAKELEVEL" in os.environ:  # make's variables are for this command, not for a make that it starts
        for name in MAKE:
            os.environ.pop(name, None)
    try:
        code = run(arguments)
        sys.stdout.flush()
        return code
    except DojoError as error:
        display(str(error), file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the last flush would fail again
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT):
            raise
        what = f"{error.filename or 'A file'} cannot be written or read: {error.strerror}."
        display(f"{what} None of your files was half changed.", file=sys.stderr)
        return USAGE


def path_of(command: commands.Command) -> str:
    return os.path.join(bootstrap.ROOT, "dojo", *command.module.split(".")) + ".py"


def run(arguments: list[str]) -> int:
    """Run one command, in another Python if it needs one: then this call does not return."""
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        from shutil import get_terminal_size

        display(f"Learn how PyTorch works by building it.\n\n{commands.listing(get_terminal_size().columns)}")
        return 0
    name, *rest = arguments
    command = commands.COMMANDS.get(name)
    if command is not None and not os.path.isfile(path_of(command)):
        raise DojoError(f"`make {name}` is not in this edition of the repository.")
    if command is None:
        raise DojoError(f"There is no command {name!r}: `make` alone lists the commands.")
    if command.needs in (commands.VENV, commands.DEV):
        bootstrap.enter_venv(arguments, dev=command.needs == commands.DEV)
    elif command.needs == commands.PYTHON:
        bootstrap.enter_python(arguments)

    import argparse
    from importlib import import_module

    module = import_module(f"dojo.{command.module}")
    parser = argparse.ArgumentParser(f"python -m dojo {name}", description=command.help, allow_abbrev=False)
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(commands.words(rest))))


if __name__ == "__main__":
    sys.exit(main())
