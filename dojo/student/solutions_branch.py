"""`make solutions-branch`: a branch whose tinytorch/ is the reference, for `git diff solutions -- tinytorch`.

Only git's object store is written: the student's files and index are not touched.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from dojo.catalogue import ROOT
from dojo.errors import DojoError, display

BRANCH = "solutions"
MESSAGE = "tinytorch/ is the reference (made by `make solutions-branch`)"
AUTHOR = {"NAME": "TinyTorch katas", "EMAIL": "katas@tinytorch.invalid"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(options: argparse.Namespace) -> int:
    del options
    head = git(
        "rev-parse", "--verify", "HEAD^{commit}", otherwise="This is not a git repository with a commit."
    )
    prefix = git("rev-parse", "--show-prefix")
    reference = git(
        "rev-parse",
        "--verify",
        f"HEAD:{prefix}solutions/tinytorch",
        otherwise="The branch is made from the last commit, which has no solutions/tinytorch.",
    )
    refuse_foreign_branch()
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git("read-tree", head, **index)
        git("rm", "-r", "-q", "--cached", "--ignore-unmatch", "tinytorch", **index)
        git("read-tree", f"--prefix={prefix}tinytorch/", reference, **index)
        tree = git("write-tree", **index)
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in AUTHOR.items()}
    commit = git("commit-tree", tree, "-p", head, "-m", MESSAGE, **who)
    git("branch", "--no-track", "-f", BRANCH, commit)
    display(f"The branch {BRANCH} has the reference in tinytorch/. See what differs from yours:")
    print(f"  git diff {BRANCH} -- tinytorch")
    return 0


def refuse_foreign_branch() -> None:
    """Refuse to move a branch of that name that this command did not make."""
    try:
        subject = git("log", "-1", "--format=%s", f"refs/heads/{BRANCH}", "--")
    except DojoError:  # there is none
        return
    if subject != MESSAGE:
        raise DojoError(
            f"There is a branch {BRANCH!r} already, and this command did not make it. Rename it first: "
            f"`git branch -m {BRANCH} another-name`."
        )


def git(*words: str, otherwise: str = "", **env: str) -> str:
    """Run one git command and return what it prints. A failure is the sentence `otherwise`, or git's own."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise DojoError("git is not installed, and this command needs it.") from None
    if done.returncode:
        raise DojoError(otherwise or f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
