"""Download one file: it is whole and verified, or not there at all. An interrupted download is resumed.

`name.part` holds what has arrived, `name.part.tag` the version of the file that it belongs to. The file gets its name
only when it is complete and its checksum is right.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from dojo import bootstrap
from dojo.errors import DojoError

TRIES = 4  # in a row that bring no bytes
BUSY = {408, 425, 429, 500, 502, 503, 504}  # answers that are worth another try
SILENCE = 30.0  # seconds without a byte: the connection is dead
BLOCK = 64 * 1024


class File(NamedTuple):
    name: str
    url: str
    size: int
    sha256: str


def shown(size: int) -> str:
    """A number of bytes in MB or kB."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


class Lost(Exception):
    """The connection or the server failed; another try may succeed."""


def ignore(_: object) -> None:
    """Do nothing: the default of `arrived` and `say`."""


def fetch(
    file: File,
    folder: Path,
    arrived: Callable[[int], object] = ignore,
    say: Callable[[str], object] = ignore,
    sleep: Callable[[float], object] = time.sleep,
) -> Path:
    """The path of the file in `folder`. It is downloaded if it is not there.

    A file of that name with another content is set aside as `name.wrong`. `arrived` is called with the number of bytes
    that are here, `say` with the reason if it takes longer, and `sleep` waits until the next try.

    Raises:
        DojoError: it cannot be downloaded; the message says why, and what to do. What has arrived is kept, unless it is
            wrong.
    """
    path = folder / file.name
    if path.is_file():
        if is_right(path, file):
            return path
        say(f"{path} is not the right file: it was renamed to {file.name}.wrong.")
        path.replace(path.with_name(f"{file.name}.wrong"))
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{file.name}.part")
    try:
        with open(part, "ab") as stream:
            _lock(stream, file)
            _patiently(file, part, stream, arrived, say, sleep)
            stream.flush()
            _check(part, file)
            part.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DojoError(
            f"The disk is full: {shown(part.stat().st_size)} of {shown(file.size)} of {file.name} are in "
            f"{folder}. Make room, and the same command continues there."
        ) from None
    _tag(part).unlink(missing_ok=True)
    return path


def is_right(path: Path, file: File) -> bool:
    """Whether that file has the size and the checksum."""
    if path.stat().st_size != file.size:
        return False
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _check(part: Path, file: File) -> None:
    """Remove a wrong file and raise; else the next try would continue it."""
    if is_right(part, file):
        return
    size = part.stat().st_size
    part.unlink()
    _tag(part).unlink(missing_ok=True)
    found = "its checksum is wrong" if size == file.size else f"{size} bytes instead of {file.size}"
    raise DojoError(
        f"What came from {file.url} is not {file.name} ({found}), and was removed: the same command starts again. If "
        f"that does not help, the file there has changed: put the right one (sha256 {file.sha256}) into {part.parent}."
    )


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _lock(stream: IO[bytes], file: File) -> None:
    """Lock the file: two commands that write one file would spoil it."""
    if not bootstrap.try_to_lock(stream):
        raise DojoError(f"Another command is already downloading {file.name}: wait for it.")


def _patiently(
    file: File,
    part: Path,
    stream: IO[bytes],
    arrived: Callable[[int], object],
    say: Callable[[str], object],
    sleep: Callable[[float], object],
) -> None:
    """Ask again after a lost connection, until TRIES in a row have brought no bytes."""
    best = stream.tell()
    failed = 0
    while stream.tell() < file.size:
        try:
            _receive(file, part, stream, arrived)
            return
        except Lost as lost:
            stream.flush()
            failed = 0 if stream.tell() > best else failed + 1
            best = max(best, stream.tell())
            if failed == TRIES:
                raise DojoError(
                    f"{file.name} could not be downloaded: {lost}. {_what_next(stream, file)}"
                ) from None
            seconds = 2.0 ** max(failed - 1, 0)
            say(f"{lost}: the next try is in {seconds:.0f} s.")
            sleep(seconds)


def _what_next(stream: IO[bytes], file: File) -> str:
    if not stream.tell():
        return "Run the same command to try again."
    return f"{shown(stream.tell())} of {shown(file.size)} are here, and the same command continues there."


def _receive(file: File, part: Path, stream: IO[bytes], arrived: Callable[[int], object]) -> None:
    """Ask for what is missing, and write what comes to the end of `stream`."""
    with _ask(file, part, stream) as response:
        if (
            response.status != http.client.PARTIAL_CONTENT
        ):  # it sends the file from its beginning, whatever was asked for
            _empty(stream)
        elif not _goes_on(response, stream.tell()):
            _empty(stream)
            raise Lost(f"{_host(file)} sent another part of the file than it was asked for")
        _tag(part).write_text(_version(response), encoding="latin-1")
        promised = response.length
        arrived(stream.tell())
        while block := _read(response, file):
            stream.write(block)
            promised = promised and promised - len(block)
            arrived(stream.tell())
            if stream.tell() > file.size:
                return  # this is another file: no need for the rest
    if promised or (promised is None and stream.tell() < file.size):
        raise Lost(f"{_host(file)} dropped the connection")


def _empty(stream: IO[bytes]) -> None:
    stream.seek(0)
    stream.truncate()


def _ask(file: File, part: Path, stream: IO[bytes]) -> Any:
    """The answer to a request for the file, or for what is missing of it."""
    request = urllib.request.Request(file.url, headers={"User-Agent": "tinytorch-katas"})
    here = stream.tell()
    if here:
        request.add_header("Range", f"bytes={here}-")
        if version := bootstrap.read(str(_tag(part))):
            request.add_header("If-Range", version)
    try:
        return urllib.request.urlopen(request, timeout=SILENCE)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and here:
            _empty(stream)
            raise Lost(
                f"{_host(file)} has less of the file than is here, so the download starts again"
            ) from None
        if error.code in BUSY:
            raise Lost(f"{_host(file)} answers {error.code} {error.reason}") from None
        raise DojoError(
            f"{file.url} answers {error.code} {error.reason}. If the file has moved, download {file.name} from "
            f"elsewhere and put it into {part.parent}: the same command then takes it from there."
        ) from None
    except urllib.error.URLError as error:
        raise Lost(f"no connection to {_host(file)} ({_reason(error.reason)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise Lost(f"no answer from {_host(file)} ({_reason(error)})") from None


def _version(response: Any) -> str:
    """What If-Range may ask for: a strong ETag or a date; empty if there is neither."""
    tag = response.headers.get("ETag") or ""
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified") or ""


def _goes_on(response: Any, here: int) -> bool:
    """Whether the part that comes begins where we stopped."""
    return (response.headers.get("Content-Range") or "").startswith(f"bytes {here}-")


def _read(response: Any, file: File) -> bytes:
    try:
        return bytes(response.read(BLOCK))
    except (OSError, http.client.HTTPException) as error:
        raise Lost(f"{_host(file)} dropped the connection ({_reason(error)})") from None


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"silent for {SILENCE:.0f} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _host(file: File) -> str:
    return urlsplit(file.url).netloc
