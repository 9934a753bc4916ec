"""Prevented: code that wants out of its sandbox, to the reference, to other students, or to the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from dojo.catalogue import ROOT
from dojo.run import process
from dojo.teach import sandbox
from dojo.teach.sandbox import Sandbox
from tests.hostile.cell import LIMITS, box, judged, needs_sandbox, prevented, told

pytestmark = needs_sandbox

PROBE = """
def reached(function):
    try:
        found = function()
    except (OSError, ImportError, ValueError, AttributeError):
        return
    if found is not False:
        raise AssertionError("REACHED")
"""
"""Raises if what it is given can be done."""

CALL = """
import ctypes
def call(number, *args):
    if ctypes.CDLL(None, use_errno=True).syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""

WRITES = f"""
import pathlib
for path in ({str(ROOT / "katas/03_activations/test_01_functions.py")!r}, {str(ROOT / "dojo/run/process.py")!r},
             {str(ROOT / "katas/03_activations/new.py")!r}, __file__,
             "/usr/bin/mine", "/etc/mine", "/dev/mine", "/mine"):
    reached(lambda: open(path, "a").close() or True)
"""

ESCAPES = {
    "the reference of the kata": f"""
import pathlib
places = [{str(ROOT / "solutions/tinytorch/activations.py")!r}, "/box/reference/tinytorch/activations.py"]
for place in places:
    reached(lambda: open(place).close() or True)
for place in pathlib.Path("/box").rglob("activations*"):
    if "yours" not in place.parts:
        raise AssertionError("REACHED")
""",
    "the reference, imported": f"""
import sys
sys.path.insert(0, {str(ROOT / "solutions")!r})
import importlib, importlib.machinery
sys.meta_path[:] = [importlib.machinery.PathFinder]
reached(lambda: importlib.import_module("tinytorch.activations.nothing"))
Loader = importlib.machinery.SourceFileLoader
reached(lambda: Loader("a", {str(ROOT / "solutions/tinytorch/activations.py")!r}).load_module())
""",
    "a kata above": "reached(lambda: open('/box/reference/tinytorch/losses.py').close() or True)\n"
    "reached(lambda: __import__('tinytorch.losses'))",
    "the mistakes that canaries are made of": f"reached(lambda: open({str(ROOT / 'tests/mistakes/kata_03.py')!r}))",
    "files of the grader's user": "import os\n"
    f"for place in ({str(Path.home() / '.bashrc')!r}, '/etc/shadow', '/etc/passwd', '/var'):\n"
    "    reached(lambda: os.listdir(place) if os.path.isdir(place) else open(place))",
    "other processes": """
import os
others = [int(each) for each in os.listdir("/proc") if each.isdecimal() and int(each) != os.getpid()]
for pid in others:
    for name in ("environ", "mem", "fd/0"):
        reached(lambda: open(f"/proc/{pid}/{name}", "rb"))
if len(others) > 4:
    raise AssertionError("REACHED")
""",
    "the network": """
import socket
for address in (("127.0.0.1", 22), ("8.8.8.8", 53)):
    reached(lambda: socket.create_connection(address, timeout=1))
reached(lambda: socket.getaddrinfo("example.org", 80))
""",
    "sockets of other programs": """
import os, socket
for place in ("/var/run/docker.sock", "/run/dbus/system_bus_socket", "\\0/tmp/.X11-unix/X0"):
    reached(lambda: socket.socket(socket.AF_UNIX).connect(place) or True)
""",
    "a way up, through links": """
import os, tempfile
link = os.path.join(tempfile.gettempdir(), "root")
os.symlink("/", link)
for place in (link + "/etc/shadow", "/proc/1/root/etc/shadow", "/proc/self/cwd/../../etc/shadow"):
    reached(lambda: open(place))
""",
    "other rights": "import os\nreached(lambda: os.setuid(0) or True) if os.getuid() else None\n"
    "reached(lambda: os.setgroups([0]) or True)",
    "higher limits": """
import resource
for what in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE):
    hard = resource.getrlimit(what)[1]
    reached(lambda: resource.setrlimit(what, (hard * 2, hard * 2)) or True)
""",
    "a space of its own": CALL + "reached(lambda: call(272, 0x10000000) or True)",
    "another file system": CALL + "reached(lambda: call(165, b'none', b'/tmp', b'tmpfs', 0, None) or True)",
    "a look into another process": CALL
    + "import os\nreached(lambda: call(101, 16, os.getppid(), 0, 0) or True)",
    "memory that nobody counts": CALL + "reached(lambda: call(319, b'x', 0) or True)\n"
    "reached(lambda: call(29, 0, 1 << 20, 0o1600) or True)",
    "the kernel's keys and programs": CALL + "reached(lambda: call(250, 0, -3, 1) or True)\n"
    "reached(lambda: call(321, 0, None, 0) or True)",
    "the specs, the dojo and the system": WRITES,
    "settings of the kernel": "reached(lambda: open('/proc/sys/kernel/hostname', 'w').write('x'))\n"
    "reached(lambda: open('/proc/sysrq-trigger', 'w').write('b'))",
}


@pytest.mark.parametrize("code", ESCAPES.values(), ids=ESCAPES.keys())
def test_it_does_not_get_out(code: str) -> None:
    if sandbox.kind() == sandbox.LANDLOCK and "others = " in code:
        pytest.skip("with landlock alone the names of other processes can be seen, and nothing of them")
    before = sorted(path.name for path in ROOT.iterdir())
    result = judged(PROBE + code)
    prevented(result)
    assert "cannot be imported" not in told(result), told(result)  # the probes themselves ran
    assert sorted(path.name for path in ROOT.iterdir()) == before


def test_a_run_finds_nothing_of_the_run_before() -> None:
    places = ["/dev/shm/note", "note"] if sandbox.kind() == sandbox.BUBBLEWRAP else ["note"]
    here = "import os\nos.chdir(os.environ['TMPDIR'])\n"
    judged(f"{here}for place in {places}:\n    open(place, 'w').write('x')")
    prevented(judged(f"{PROBE}\n{here}for place in {places}:\n    reached(lambda: open(place))"))


def test_folders_that_cannot_be_entered_or_are_very_deep_are_swept_too() -> None:
    judged("""
import os
os.chdir(os.environ["TMPDIR"])
os.mkdir("closed"); open("closed/x", "w").close(); os.chmod("closed", 0)
for _ in range(200):
    os.mkdir("d" * 200); os.chdir("d" * 200)
""")
    prevented(judged(PROBE + "import os\nreached(lambda: os.lstat(os.environ['TMPDIR'] + '/closed'))"))


def test_a_sandbox_that_cannot_be_swept_ends_with_its_run() -> None:
    """Not a little later, when the next run is asked for already: that one would die of nothing it has done."""
    with Sandbox(sandbox.kind(), LIMITS) as box:
        box.scratch.append("/proc/self/fdinfo")  # what is in it cannot be removed
        for _ in range(2):
            report = box.run(["--version"], box.tree)
            assert (report.kind, report.number) == (process.DONE, 0), report
            assert box._process is None


def test_what_a_message_holds_is_text() -> None:
    words = r"\x1b[2J\x1b]0;mine\x07 \x00 \u202e <script>alert(1)</script> \ud800"
    code = f'def relu(x):\n    raise ValueError("{words}")'
    result = judged(code)
    prevented(result)
    said = told(result)
    assert "<script>" in said  # the reports escape it
    assert all(each.isprintable() or each == "\n" for each in said)
    said.encode()


def test_no_other_submission_is_in_the_box() -> None:
    assert {path.name for path in Path(box().box).iterdir()} <= {"yours", "reference", "tmp", "said"}
