"""`make data` and what is under it, against a server here that does what servers do. No test needs a network."""

from __future__ import annotations

import builtins
import errno
import fcntl
import hashlib
import http.server
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dojo import commands
from dojo.catalogue import ROOT
from dojo.datasets import downloads, fetch as fetching
from dojo.datasets.downloads import DATASETS, Dataset
from dojo.datasets.fetch import TRIES, File, fetch
from dojo.errors import DojoError
from dojo.student import data
from tests.small_repository import environment

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes
HALF = len(CONTENT) // 2


class Answer(NamedTuple):
    """What the server does with one request."""

    status: int = 200
    body: bytes | None = None  # in place of its content
    drop: int | None = None  # closes the connection after so many bytes
    reset: bool = False  # and does so rudely
    ranges: bool = True  # knows what Range is
    length: bool = True  # says how long the content is
    etag: str | None = '"one"'
    to: str = ""  # redirects
    shift: int = 0  # sends a part that begins elsewhere
    hang: bool = False  # says nothing more after the bytes


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.script: list[Answer] = []
        self.then = Answer()  # when the script is over
        self.ranges: list[str | None] = []
        self.conditions: list[str | None] = []
        self.served = 0
        self.over = threading.Event()

    def file(self, content: bytes = CONTENT, name: str = "file.bin") -> File:
        sha256 = hashlib.sha256(content).hexdigest()
        return File(name, f"http://127.0.0.1:{self.server_port}/{name}", len(content), sha256)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server, sent = self.server, self.headers
        answer = server.script.pop(0) if server.script else server.then
        server.ranges.append(sent["Range"])
        server.conditions.append(sent["If-Range"])
        body = server.content if answer.body is None else answer.body
        if answer.to:
            self.send_response(302)
            self.send_header("Location", answer.to)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if answer.status != 200:
            self.send_error(answer.status)
            return
        found = re.fullmatch(r"bytes=(\d+)-", sent["Range"] or "")
        begin = int(found[1]) if found and answer.ranges else 0
        if sent["If-Range"] not in (None, answer.etag):
            begin = 0
        if begin and begin >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        begin = max(begin - answer.shift, 0)
        if answer.ranges and found and begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        if answer.length:
            self.send_header("Content-Length", str(len(body) - begin))
        if answer.etag:
            self.send_header("ETag", answer.etag)
        self.end_headers()
        part = body[begin:] if answer.drop is None else body[begin : begin + answer.drop]
        server.served += len(part)
        self.wfile.write(part)
        self.wfile.flush()
        if answer.hang:
            server.over.wait(30)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


class Told:
    """Who is told how it goes, and waits for nothing."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.words: list[str] = []
        self.waits: list[float] = []

    def fetch(self, file: File, folder: Path) -> Path:
        return fetch(file, folder, self.sizes.append, self.words.append, self.waits.append)


@pytest.fixture
def told() -> Told:
    return Told()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leave_half(folder: Path, tag: str = '"one"') -> None:
    """As an earlier run was stopped."""
    (folder / "file.bin.part").write_bytes(CONTENT[:HALF])
    (folder / "file.bin.part.tag").write_text(tag)


# One file -----------------------------------------------------------------------------------------------


def test_a_file_comes_whole_and_nothing_else_is_left(server: Server, told: Told, tmp_path: Path) -> None:
    path = told.fetch(server.file(), tmp_path / "new")

    assert path == tmp_path / "new/file.bin"
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["file.bin"]
    assert told.sizes == sorted(told.sizes)
    assert told.sizes[0] == 0 and told.sizes[-1] == len(CONTENT)
    assert (told.words, server.ranges) == ([], [None])


def test_what_is_there_already_is_not_asked_for(server: Server, told: Told, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == []


@pytest.mark.parametrize("wrong", [b"", b"x" * len(CONTENT), CONTENT + b"x"])
def test_another_file_of_that_name_is_set_aside(
    server: Server, told: Told, tmp_path: Path, wrong: bytes
) -> None:
    (tmp_path / "file.bin").write_bytes(wrong)
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert (tmp_path / "file.bin.wrong").read_bytes() == wrong
    assert "renamed to file.bin.wrong" in told.words[0]


@pytest.mark.parametrize("drop", [Answer(drop=100_000), Answer(drop=100_000, length=False)])
def test_a_dropped_connection_goes_on_where_it_stopped(
    server: Server, told: Told, tmp_path: Path, drop: Answer
) -> None:
    server.script = [drop, drop]

    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT

    assert server.ranges == [None, "bytes=100000-", "bytes=200000-"]
    assert server.conditions == [None, '"one"', '"one"']
    assert server.served == len(CONTENT)  # not a byte twice
    assert told.sizes == sorted(told.sizes)
    assert told.waits == [1, 1]
    assert "dropped the connection: the next try is in 1 s" in told.words[0]
    assert names(tmp_path) == ["file.bin"]


def test_a_reset_connection_goes_on_too(server: Server, told: Told, tmp_path: Path) -> None:
    server.script = [Answer(drop=HALF, reset=True)]
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert len(server.ranges) == 2


def test_a_server_that_falls_silent_is_asked_again(
    server: Server, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SILENCE", 0.2)
    server.script = [Answer(drop=HALF, hang=True)]
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert "silent for" in told.words[0]


def test_connections_that_bring_something_may_drop_as_often_as_they_like(
    server: Server, told: Told, tmp_path: Path
) -> None:
    server.script = [Answer(drop=20_000)] * (3 * TRIES)
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.served == len(CONTENT)


def test_when_nothing_more_comes_it_gives_up_and_the_next_run_goes_on(
    server: Server, told: Told, tmp_path: Path
) -> None:
    server.script = [Answer(drop=HALF), *[Answer(drop=0)] * TRIES]

    with pytest.raises(DojoError) as caught:
        told.fetch(server.file(), tmp_path)

    assert "file.bin could not be downloaded: 127.0.0.1" in str(caught.value)
    assert "0.2 MB of 0.3 MB are here, and the same command continues there" in str(caught.value)
    assert told.waits == [1, 1, 2, 4]
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.tag"]

    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={HALF}-"
    assert server.served == len(CONTENT)


def test_a_server_that_begins_again_and_always_drops_is_given_up(
    server: Server, told: Told, tmp_path: Path
) -> None:
    """More than the last time is no progress, where less than the best is here."""
    server.script = [
        Answer(drop=drop, ranges=False) for drop in (HALF, 50_000, 60_000, 70_000, 80_000, 90_000)
    ]
    with pytest.raises(DojoError, match="dropped the connection"):
        told.fetch(server.file(), tmp_path)
    assert len(server.ranges) == 1 + TRIES


def test_what_arrived_whole_before_it_was_stopped_needs_no_network(
    server: Server, told: Told, tmp_path: Path
) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert (server.ranges, names(tmp_path)) == ([], ["file.bin"])


@pytest.mark.parametrize("answer", [Answer(ranges=False), Answer(etag='"two"')])
def test_a_server_that_begins_again_is_followed(
    server: Server, told: Told, tmp_path: Path, answer: Answer
) -> None:
    """It does not know Range, or the file is another one since."""
    leave_half(tmp_path)
    server.then = answer

    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT

    assert server.ranges == [f"bytes={HALF}-"]
    assert server.served == len(CONTENT)


def test_a_file_that_changed_between_tries_is_not_mixed(server: Server, told: Told, tmp_path: Path) -> None:
    new = CONTENT[::-1]
    server.script = [
        Answer(drop=HALF),
        Answer(body=new, etag='"two"', drop=10),
        Answer(body=new, etag='"two"'),
    ]

    assert told.fetch(server.file(new), tmp_path).read_bytes() == new

    assert server.conditions == [None, '"one"', '"two"']


def test_a_file_that_changed_and_does_not_say_so_is_found_by_its_checksum(
    server: Server, told: Told, tmp_path: Path
) -> None:
    new = CONTENT[::-1]
    server.script = [Answer(drop=HALF, etag=None)]
    server.then = Answer(body=new, etag=None)

    with pytest.raises(DojoError, match=r"is not file.bin \(its checksum is wrong\), and was removed"):
        told.fetch(server.file(new), tmp_path)

    assert names(tmp_path) == []
    assert told.fetch(server.file(new), tmp_path).read_bytes() == new


def test_a_weak_tag_is_no_condition(server: Server, told: Told, tmp_path: Path) -> None:
    """RFC 9110, 13.1.5: If-Range takes strong ones only."""
    server.script = [Answer(drop=HALF, etag='W/"one"')]
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.conditions == [None, None]


def test_more_here_than_there_begins_afresh(server: Server, told: Told, tmp_path: Path) -> None:
    """The server has a shorter file now, and says 416; then it has the right one."""
    leave_half(tmp_path)
    server.script = [Answer(body=CONTENT[:10])]
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={HALF}-", None]


def test_another_part_than_asked_for_is_not_taken(server: Server, told: Told, tmp_path: Path) -> None:
    leave_half(tmp_path)
    server.script = [Answer(shift=100)]
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={HALF}-", None]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"x" + CONTENT[1:], "its checksum is wrong"),
        (CONTENT[:-1], "307199 bytes instead of 307200"),
        (b"<html>Please log in</html>", "26 bytes instead of 307200"),
    ],
)
def test_wrong_bytes_are_removed_and_the_next_run_is_fresh(
    server: Server, told: Told, tmp_path: Path, body: bytes, says: str
) -> None:
    server.script = [Answer(body=body)]
    with pytest.raises(DojoError) as caught:
        told.fetch(server.file(), tmp_path)
    assert says in str(caught.value)
    assert server.file().url in str(caught.value)
    assert names(tmp_path) == []
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT


def test_a_file_that_never_ends_is_not_downloaded_to_its_end(
    server: Server, told: Told, tmp_path: Path
) -> None:
    server.script = [Answer(body=CONTENT * 20)]
    with pytest.raises(DojoError, match="instead of 307200"):
        told.fetch(server.file(), tmp_path)
    assert told.sizes[-1] < 2 * len(CONTENT)
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_an_error_at_once(
    server: Server, told: Told, tmp_path: Path, status: int
) -> None:
    server.then = Answer(status=status)
    with pytest.raises(DojoError) as caught:
        told.fetch(server.file(), tmp_path)
    assert f"{server.file().url} answers {status}" in str(caught.value)
    assert f"put it into {tmp_path}" in str(caught.value)
    assert (len(server.ranges), told.waits) == (1, [])


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_later(server: Server, told: Told, tmp_path: Path, status: int) -> None:
    leave_half(tmp_path)
    server.script = [Answer(status=status)] * 2
    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert told.waits == [1, 2]
    assert f"answers {status}" in told.words[0]
    assert server.served == len(CONTENT) - HALF


def test_a_server_that_stays_busy_is_given_up(server: Server, told: Told, tmp_path: Path) -> None:
    server.then = Answer(status=503)
    with pytest.raises(
        DojoError, match=r"answers 503 Service Unavailable\. Run the same command to try again"
    ):
        told.fetch(server.file(), tmp_path)
    assert (len(server.ranges), told.waits) == (TRIES, [1, 2, 4])


def test_without_a_network_it_is_a_sentence_and_nothing_is_lost(told: Told, tmp_path: Path) -> None:
    leave_half(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(DojoError, match=f"no connection to 127.0.0.1:{port} .* continues there"):
            told.fetch(File("file.bin", f"http://127.0.0.1:{port}/", len(CONTENT), ""), tmp_path)
    assert told.waits == [1, 2, 4]
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:HALF]


def test_a_redirection_is_followed_with_what_is_missing(server: Server, told: Told, tmp_path: Path) -> None:
    leave_half(tmp_path)
    server.script = [Answer(to=server.file().url)]
    assert told.fetch(server.file(name="file.bin"), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={HALF}-"] * 2
    assert server.served == len(CONTENT) - HALF


class Full(io.FileIO):
    def write(self, block: Any) -> int:
        if self.tell() > HALF:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(block)


def test_a_full_disk_is_a_sentence_and_what_arrived_is_kept(
    server: Server, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Any, mode: str = "r", **more: Any) -> Any:
        return Full(path, mode) if mode == "ab" else builtins.open(path, mode, **more)

    monkeypatch.setattr(fetching, "open", opened, raising=False)
    with pytest.raises(DojoError, match=r"The disk is full: 0.2 MB of 0.3 MB of file.bin .* continues there"):
        told.fetch(server.file(), tmp_path)
    monkeypatch.undo()

    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] is not None
    assert told.waits == []


def test_ctrl_c_keeps_what_arrived(server: Server, told: Told, tmp_path: Path) -> None:
    def arrived(size: int) -> None:
        if size >= HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.file(), tmp_path, arrived)
    kept = (tmp_path / "file.bin.part").read_bytes()
    assert len(kept) >= HALF and CONTENT.startswith(kept)

    assert told.fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={len(kept)}-"


def test_two_commands_do_not_write_one_file(server: Server, told: Told, tmp_path: Path) -> None:
    leave_half(tmp_path)
    with open(tmp_path / "file.bin.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DojoError, match="Another command is already downloading"):
            told.fetch(server.file(), tmp_path)
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:HALF]
    assert server.ranges == []


# Archives -----------------------------------------------------------------------------------------------


def archive(*members: str | tarfile.TarInfo) -> bytes:
    """A tar.gz with those members; a name stands for a file that holds its own name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, str):
                info = tarfile.TarInfo(member)
                info.size = len(member)
                tar.addfile(info, io.BytesIO(member.encode()))
            else:
                tar.addfile(member)
    return packed.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


GOOD = archive(special("box", tarfile.DIRTYPE), "box/a", "box/b", "box/more/readme")


def boxed(file: File) -> Dataset:
    return Dataset("box", "two letters", (file,), "box", ("a", "b"))


def begin(_: File) -> Callable[[int], None]:
    return lambda _: None


def test_an_archive_is_unpacked_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = GOOD
    wanted = boxed(server.file(GOOD, "box.tar.gz"))

    downloads.get(wanted, tmp_path, begin)

    assert wanted.there(tmp_path)
    assert (tmp_path / "box/a").read_text() == "box/a"
    assert names(tmp_path) == ["box"]
    downloads.get(wanted, tmp_path, begin)
    assert len(server.ranges) == 1


def test_an_archive_that_a_person_put_there_is_taken_and_stays(server: Server, tmp_path: Path) -> None:
    (tmp_path / "box.tar.gz").write_bytes(GOOD)
    downloads.get(boxed(server.file(GOOD, "box.tar.gz")), tmp_path, begin)
    assert names(tmp_path) == ["box", "box.tar.gz"]
    assert server.ranges == []


def test_a_folder_that_lacks_files_is_not_overwritten(server: Server, tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box/a").write_text("mine")
    with pytest.raises(DojoError, match="box exists, but files are missing in it: move it away"):
        downloads.get(boxed(server.file(GOOD, "box.tar.gz")), tmp_path, begin)
    assert (tmp_path / "box/a").read_text() == "mine"
    assert server.ranges == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (archive("box/a", "box/b", "../evil"), "holds '../evil'"),
        (archive("box/a", "box/b", "box/../../evil"), "holds 'box/../../evil'"),
        (archive("box/a", "box/b", "/evil"), "holds '/evil'"),
        (archive("box/a", "box/b", special("box/c", tarfile.SYMTYPE, "/")), "holds 'box/c'"),
        (archive("box/a", "box/b", special("box/c", tarfile.LNKTYPE, "box/a")), "holds 'box/c'"),
        (archive("box/a", "box/b", special("box/c", tarfile.CHRTYPE)), "holds 'box/c'"),
        (archive("box/a"), "does not hold all the files"),
        (GOOD[:-40], "cannot be unpacked"),
        (GOOD[:60] + b"\0" * 20 + GOOD[80:], "cannot be unpacked"),
        (b"no archive", "cannot be unpacked"),
    ],
    ids=range(10),  # the bytes hold the time, and would be other names in another worker
)
def test_a_bad_archive_leaves_nothing(tmp_path: Path, content: bytes, says: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "box.tar.gz").write_bytes(content)
    with pytest.raises(DojoError) as caught:
        downloads.unpack(home / "box.tar.gz", home, boxed(File("box.tar.gz", "", 0, "")))
    assert says in str(caught.value)
    assert names(home) == ["box.tar.gz"]
    assert names(tmp_path) == ["home"]


# What there is, and where -------------------------------------------------------------------------------


def test_the_table_is_sound() -> None:
    assert [each.name for each in DATASETS] == ["mnist", "cifar10", "cifar10-python", "shakespeare", "gpt2"]
    for each in DATASETS:
        assert bool(each.folder) == bool(each.files)
        assert not each.folder or len(each.sources) == 1
        for source in each.sources:
            assert source.url.startswith("https://")
            assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
            assert source.size > 500
    assert len({source.sha256 for each in DATASETS for source in each.sources}) == 10


def test_find_looks_where_it_is_told_or_where_it_was_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "HOME", tmp_path / "data")
    mine = tmp_path / "mine"
    mine.mkdir()
    assert downloads.find("shakespeare") is None
    with pytest.raises(DojoError, match=r"mine does not hold shakespeare: tinyshakespeare\.txt"):
        downloads.find("shakespeare", mine)
    with pytest.raises(DojoError, match=r"There is no data set 'shakespear'\. There are mnist, "):
        downloads.find("shakespear")

    for place in (tmp_path / "data/shakespeare", mine):
        place.mkdir(parents=True, exist_ok=True)
        (place / "tinyshakespeare.txt").write_text("To be")
    assert downloads.find("shakespeare") == tmp_path / "data/shakespeare"
    assert downloads.find("shakespeare", mine) == mine
    assert downloads.find("shakespeare", tmp_path / "data") == tmp_path / "data/shakespeare"


def test_find_wants_every_file(tmp_path: Path) -> None:
    batches = tmp_path / "cifar-10-batches-bin"
    batches.mkdir()
    for name in downloads.dataset("cifar10").files:
        with pytest.raises(DojoError, match="does not hold cifar10: cifar-10-batches-bin/data_batch_1"):
            downloads.find("cifar10", tmp_path)
        (batches / name).touch()
    assert downloads.find("cifar10", tmp_path) == tmp_path


# The command --------------------------------------------------------------------------------------------


def run(*words: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    return data.run(parser.parse_args(commands.words(list(words))))


@pytest.fixture
def home(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One dataset, from the server."""
    monkeypatch.setattr(downloads, "HOME", tmp_path)
    monkeypatch.setattr(downloads, "DATASETS", (Dataset("bytes", "many bytes", (server.file(),)),))
    return tmp_path


def test_without_a_name_it_lists_what_there_is_and_what_is_here(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    assert re.search(r"bytes +0.3 MB +not here +many bytes", capsys.readouterr().out)

    (home / "bytes").mkdir()
    leave_half(home / "bytes")
    run("NAME=")
    assert "50% here" in capsys.readouterr().out

    run("NAME=bytes")
    run()
    assert re.search(r"bytes +0.3 MB +here ", capsys.readouterr().out)


def test_with_a_name_it_downloads_there_or_into_dir(
    home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("NAME=bytes") == 0
    assert (home / "bytes/file.bin").read_bytes() == CONTENT
    assert capsys.readouterr().out.startswith("file.bin (0.3 MB) ...\nbytes is in ")

    assert run("NAME=bytes", f"DIR={home}/else where") == 0
    assert (home / "else where/file.bin").read_bytes() == CONTENT
    assert len(server.ranges) == 2


@pytest.mark.parametrize(
    ("words", "says"), [(["NAME=byte"], "There is no data set 'byte'"), (["DIR={file}"], "is not a folder")]
)
def test_what_cannot_be_is_a_sentence(home: Path, words: list[str], says: str) -> None:
    (home / "file").touch()
    with pytest.raises(DojoError, match=says):
        run(*(word.format(file=home / "file") for word in words))


SCRIPT = """
import pathlib, sys
from dojo.__main__ import main
from dojo.datasets import downloads
from dojo.datasets.fetch import File
downloads.HOME = pathlib.Path(sys.argv[1])
downloads.DATASETS = (downloads.Dataset("bytes", "many", (File("file.bin", sys.argv[2], 307200, sys.argv[3]),)),)
sys.argv[1:] = ["data", "bytes"]
sys.exit(main())
"""


def begun(server: Server, home: Path, **env: str) -> subprocess.Popen[str]:
    file = server.file()
    command = [sys.executable, "-c", SCRIPT, str(home), file.url, file.sha256]
    return subprocess.Popen(
        command, env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_ctrl_c_is_one_word_and_the_same_command_goes_on(server: Server, tmp_path: Path) -> None:
    server.script = [Answer(drop=HALF, hang=True)]
    part = tmp_path / "bytes/file.bin.part"

    child = begun(server, tmp_path)
    for _ in range(1000):
        if part.exists() and part.stat().st_size:
            break
        threading.Event().wait(0.01)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)

    assert (child.returncode, err) == (130, "\nstopped\n")
    assert out == "file.bin (0.3 MB) ...\n"
    kept = part.stat().st_size
    assert kept

    child = begun(server, tmp_path)
    assert child.communicate(timeout=120)[1] == ""
    assert (tmp_path / "bytes/file.bin").read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={kept}-"


def test_on_a_terminal_there_is_a_bar(server: Server, tmp_path: Path) -> None:
    (tmp_path / "bytes").mkdir()
    leave_half(tmp_path / "bytes")
    child = begun(server, tmp_path, FORCE_COLOR="1", COLUMNS="100")
    out, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, "")
    assert re.search("file.bin .*━.*307.2/307.2 kB", out)
    assert "bytes is in" in out


def test_values_that_the_environment_holds_by_chance_are_not_taken(tmp_path: Path) -> None:
    """WSL has a NAME in every environment."""
    makefile = ROOT / "Makefile"
    told = tmp_path / "python"
    told.write_text('#!/bin/sh\nprintf "%s|" "$@" "$NAME" "$DIR"\n')
    told.chmod(0o755)

    def make(*words: str) -> str:
        command = ["make", "-f", str(makefile), "data", f"PYTHON={told}", *words]
        env = {**os.environ, "NAME": "DESKTOP-1", "DIR": "there"}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True).stdout

    assert make() == "dojo/__main__.py|data|NAME=|DIR=|||"
    assert (
        make("NAME=a $b,c`d`", "DIR=e f#") == "dojo/__main__.py|data|NAME=a $b,c`d`|DIR=e f#|a $b,c`d`|e f#|"
    )
