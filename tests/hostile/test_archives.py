"""Prevented: archives, folders and repositories that bite whoever unpacks them. Nothing here needs a sandbox."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dojo.teach import submissions
from dojo.teach.submissions import Unreadable, read

GOOD = {"tinytorch/setup.py": b"x = 1\n"}


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """None of them takes long."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 20


def zipped(path: Path, files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


SETUP = (member("tinytorch/setup.py"), b"x = 1\n")


def test_a_zip_bomb(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {**GOOD, "tinytorch/big.py": bytes(200 << 20)})
    with pytest.raises(Unreadable, match="larger than 2 MB"):
        read(path)


def test_a_bomb_in_a_bomb_is_not_opened(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"0": bytes(50 << 20)}).read_bytes()
    path = zipped(tmp_path / "42.zip", {f"lib {i}.zip": inner for i in range(16)})
    with pytest.raises(Unreadable, match="no tinytorch folder"):
        read(path)


def test_very_many_entries(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(51_000):
            archive.writestr(f"{i}", b"")
    with pytest.raises(Unreadable, match="more than 50000"):
        read(tmp_path / "a.zip")


def test_very_many_files_of_tinytorch(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="more than 2000 files"):
        read(zipped(tmp_path / "a.zip", {**GOOD, **{f"tinytorch/x{i}.py": b"" for i in range(2001)}}))


def test_a_packing_that_has_no_limit(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", GOOD, zipfile.ZIP_BZIP2)
    with pytest.raises(Unreadable, match="ordinary zip"):
        read(path)


def test_an_archive_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "a.zip").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(Unreadable, match="at most 512"):
        read(tmp_path / "a.zip")


def test_paths_of_a_zip_that_climb_out(tmp_path: Path) -> None:
    outside = {
        "../tinytorch/losses.py": b"",
        "/tinytorch/losses.py": b"",
        "tinytorch/../../x.py": b"",
        "C:/x.py": b"",
    }
    content = read(zipped(tmp_path / "a.zip", {**GOOD, **outside, "..\\tinytorch\\tensor.py": b""}))
    assert list(content.files) == ["setup.py"] and len(content.notes) == 5
    assert os.listdir(tmp_path) == ["a.zip"]


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("tinytorch/setup.py", b"x = 1\n")
        info = zipfile.ZipInfo("tinytorch/losses.py")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    content = read(tmp_path / "a.zip")
    assert list(content.files) == ["setup.py"] and "link" in content.notes[0]


def test_links_and_devices_in_a_tarball(tmp_path: Path) -> None:
    path = tarred(
        tmp_path / "a.tar.gz",
        SETUP,
        (member("tinytorch/losses.py", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("tinytorch/layers.py", tarfile.LNKTYPE, "/etc/passwd"), b""),
        (member("tinytorch/tensor.py", tarfile.CHRTYPE), b""),
        (member("tinytorch/spatial.py", tarfile.FIFOTYPE), b""),
        (member("../tinytorch/attention.py"), b"x"),
        (member("/tinytorch/attention.py"), b"x"),
    )
    content = read(path)
    assert list(content.files) == ["setup.py"] and len(content.notes) == 6


def test_a_tarball_that_unpacks_to_much(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        info = tarfile.TarInfo("data.bin")
        info.size = 3 << 30
        file.write(info.tobuf())
        for _ in range(1100):
            file.write(bytes(1 << 20))
    with pytest.raises(Unreadable, match="unpacks to more than"):
        read(tmp_path / "a.tar.gz")


def test_a_header_that_promises_much(tmp_path: Path) -> None:
    info = member("pax", tarfile.XHDTYPE)
    info.size = 8 << 30
    (tmp_path / "a.tar").write_bytes(info.tobuf() + bytes(2048))
    with pytest.raises(Unreadable):
        read(tmp_path / "a.tar")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz", "a.tar.bz2", "a.tar"])
def test_what_is_no_archive(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(os.urandom(5000))
    with pytest.raises(Unreadable, match=r"no zip|no tarball|no tinytorch"):
        read(tmp_path / name)


# Folders ------------------------------------------------------------------------------------------------


def folder(path: Path) -> Path:
    (path / "tinytorch").mkdir(parents=True)
    (path / "tinytorch" / "setup.py").write_bytes(b"x = 1\n")
    return path


def test_links_in_a_folder(tmp_path: Path) -> None:
    other = folder(tmp_path / "other")
    mine = folder(tmp_path / "mine")
    (mine / "tinytorch" / "losses.py").symlink_to(other / "tinytorch" / "setup.py")
    (mine / "tinytorch" / "tensor").symlink_to(other / "tinytorch")
    content = read(mine)
    assert list(content.files) == ["setup.py"] and len(content.notes) == 2


def test_a_folder_or_a_tinytorch_that_is_a_link(tmp_path: Path) -> None:
    other = folder(tmp_path / "other")
    (tmp_path / "mine").symlink_to(other)
    (tmp_path / "yours").mkdir()
    (tmp_path / "yours" / "tinytorch").symlink_to(other / "tinytorch")
    found = {each.student.student: each for each in submissions.match(tmp_path)}
    assert found["mine"].path is None and "link" in found["mine"].problem
    with pytest.raises(Unreadable, match="no tinytorch"):
        read(tmp_path / "yours")


def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine")
    os.mkfifo(mine / "tinytorch" / "losses.py")
    assert list(read(mine).files) == ["setup.py"]


def test_folders_in_folders_without_end(tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine")
    here = mine
    for _ in range(60):
        here = here / "deep"
    here.mkdir(parents=True)
    assert list(read(mine).files) == ["setup.py"]


# Git ----------------------------------------------------------------------------------------------------


def git(home: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=home, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    mine = folder(tmp_path / "mine")
    git(mine, "init", "-q")
    git(mine, "add", "-A")
    git(mine, "commit", "-qm", "first", "--date=2026-01-02T03:04:05Z")
    return mine


def test_a_commit_is_read_and_the_folder_is_not(repository: Path) -> None:
    (repository / "tinytorch" / "setup.py").write_bytes(b"later\n")
    assert read(repository, "HEAD").files == {"setup.py": b"x = 1\n"}
    assert read(repository).files == {"setup.py": b"later\n"}


@pytest.mark.parametrize(
    "bite",
    [
        lambda mine: git(mine, "config", "core.fsmonitor", "touch ran; false"),
        lambda mine: git(mine, "config", "core.pager", "touch ran"),
        lambda mine: git(mine, "config", "core.sshCommand", "touch ran"),
        lambda mine: git(mine, "config", "filter.x.smudge", "touch ran"),
        lambda mine: (mine / ".gitattributes").write_text("* filter=x diff=x\n"),
        lambda mine: (mine / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\ntouch ran\n"),
    ],
)
def test_a_repository_runs_no_program(repository: Path, bite: Callable[[Path], None]) -> None:
    bite(repository)
    assert read(repository, "HEAD").files == {"setup.py": b"x = 1\n"}
    assert not list(repository.rglob("ran"))


@pytest.mark.parametrize(
    "commit", ["--upload-pack=touch ran", "$(touch ran)", "HEAD; touch ran", "nothing", "1999-01-01"]
)
def test_a_name_of_a_commit_is_no_command(repository: Path, commit: str) -> None:
    with pytest.raises(Unreadable):
        read(repository, commit)
    assert not list(repository.rglob("ran"))


def test_a_repository_that_points_to_another(repository: Path, tmp_path: Path) -> None:
    theirs = folder(tmp_path / "theirs")
    (theirs / ".git").write_text(f"gitdir: {repository}/.git\n")
    with pytest.raises(Unreadable, match="no git repository"):
        read(theirs, "HEAD")
    (repository / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "objects" / "info" / "alternates").write_text("/elsewhere\n")
    with pytest.raises(Unreadable, match="borrows"):
        read(repository, "HEAD")


def test_a_link_in_a_commit(repository: Path) -> None:
    (repository / "tinytorch" / "losses.py").symlink_to("/etc/passwd")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "link")
    assert list(read(repository, "HEAD").files) == ["setup.py"]
