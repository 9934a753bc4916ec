"""What a process gives up before it runs student code: its user, its limits, the system calls that nobody needs.

Linux only. Everything here goes through the C library, because Python has no names for it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
NEW_NETWORK, NEW_IPC = 0x40000000, 0x08000000
NEW_SPACES = 0x7E020000  # the flags with which clone makes a space of users, mounts, processes, ...
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on every machine
LANDLOCK_ABI = 6  # the first that keeps signals inside


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int, more: int = 0) -> None:
    arguments = [ctypes.c_ulong(each) for each in (value, more, 0, 0)]
    _checked(_libc().prctl(option, *arguments), f"prctl {option}")


def be_unreadable() -> None:
    """Let no process of the same user look into the memory and the descriptors of this one."""
    prctl(PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Be the parent of every process below this one that loses its own."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def space_of_processes() -> str:
    """The space of processes in which this one is, as the kernel names it."""
    return os.readlink("/proc/self/ns/pid")


# Before student code ------------------------------------------------------------------------------------


def confine(
    kind: str, uid: int, limits: Mapping[str, int], readable: Iterable[str], writable: Iterable[str]
) -> None:
    """Give up in this process, for good, what student code has no need of."""
    limit(limits, others=_processes_of(os.getuid()) if kind != "bubblewrap" and not uid else 0)
    if kind == "landlock" and os.geteuid() == 0:
        _checked(_libc().unshare(NEW_NETWORK | NEW_IPC), "unshare")
    if uid:
        become(uid)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if kind == "landlock":
        landlock(readable, [*writable, "/dev/null"])
    if kind != "none":
        refuse_calls(network=kind == "bubblewrap" or uid != 0)
    prctl(PR_SET_DUMPABLE, 1)  # a spec may look at its own process
    die_with_parent()  # a change of the user forgets it, so this comes last


def become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def limit(limits: Mapping[str, int], others: int = 0) -> None:
    """Set the limits of this process. `others` are processes of the same user that count as well."""
    for what, value in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NPROC, limits["processes"] + others),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def _processes_of(uid: int) -> int:
    """How many processes and threads this user has now."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdecimal() and entry.stat().st_uid == uid:
                count += len(os.listdir(f"/proc/{entry.name}/task"))
        except OSError:  # it has just ended, or hides
            continue
    return count


def as_user(uid: int, function: Callable[[], object]) -> None:
    """Call the function in a process of that user, and wait for it."""
    if pid := os.fork():
        os.waitpid(pid, 0)
        return
    try:
        become(uid)
        function()
    finally:
        os._exit(0)


def kill_descendants(patience: float = 5.0) -> None:
    """Kill every process below this one. Orphans come here if this process adopts them."""
    until = time.monotonic() + patience
    while (found := descendants(os.getpid())) and time.monotonic() < until:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                continue


def descendants(pid: int) -> list[int]:
    """The processes below one, nearest first."""
    found = [pid]
    for each in found:
        try:
            for thread in os.listdir(f"/proc/{each}/task"):
                children = Path(f"/proc/{each}/task/{thread}/children").read_bytes()
                found += [int(child) for child in children.split()]
        except OSError:  # it has ended
            continue
    return found[1:]


def remove(folder: str | os.PathLike[str]) -> None:
    """Remove a folder that student code wrote in: some of it may be closed to everybody."""
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        command = ["chmod", "-R", "u+rwX", os.fspath(folder)]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(folder, ignore_errors=True)


# System calls -------------------------------------------------------------------------------------------

CALLS = {
    "x86_64": {
        "arch": 0xC000003E,
        "clone": 56,
        "clone3": 435,
        "socket": 41,
        "refused": {
            "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
            "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438,
            "keyctl": 250, "add_key": 248, "request_key": 249, "bpf": 321, "perf_event_open": 298,
            "userfaultfd": 323, "io_uring_setup": 425, "memfd_create": 319, "memfd_secret": 447,
            "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "open_by_handle_at": 304,
            "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432, "mount_setattr": 442,
            "fanotify_init": 300, "kexec_load": 246, "init_module": 175, "finit_module": 313, "reboot": 169,
        },
    },
    "aarch64": {
        "arch": 0xC00000B7,
        "clone": 220,
        "clone3": 435,
        "socket": 198,
        "refused": {
            "unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
            "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "pidfd_getfd": 438,
            "keyctl": 219, "add_key": 217, "request_key": 218, "bpf": 280, "perf_event_open": 241,
            "userfaultfd": 282, "io_uring_setup": 425, "memfd_create": 279, "memfd_secret": 447,
            "shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180, "open_by_handle_at": 265,
            "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432, "mount_setattr": 442,
            "fanotify_init": 262, "kexec_load": 104, "init_module": 105, "finit_module": 273, "reboot": 142,
        },
    },
}  # fmt: skip
"""By machine: the number by which seccomp knows it, and its numbers of system calls."""

LOAD, EQUAL, AT_LEAST, SET, ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06  # of the filter's own language
ALLOWED, REFUSED, KILLED = 0x7FFF0000, 0x00050000, 0x80000000
NR, ARCH, FIRST = 0, 4, 16  # where a call's number, its machine and its first argument are
UNIX = 1  # the family of sockets that stay on the machine


def refuse_calls(network: bool) -> None:
    """Refuse, from now on, the calls that open a way out or take memory that nobody counts.

    Without `network` there are no sockets but those between processes.
    """
    calls = CALLS.get(platform.machine())
    if calls is None:
        return
    program = _filter(calls, network)
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code)
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    place = ctypes.create_string_buffer(head)
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(place))


def _filter(calls: Mapping[str, object], network: bool) -> list[tuple[int, int, int, int]]:
    """The filter: steps of (what, steps to skip if true, if false, value)."""
    refused = calls["refused"]
    assert isinstance(refused, dict)

    def one(number: object, then: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
        """Do `then` for this call."""
        assert isinstance(number, int)
        return [(EQUAL, 0, len(then), number), *then]

    denied = (ANSWER, 0, 0, REFUSED | errno.EPERM)
    machine = calls["arch"]
    assert isinstance(machine, int)
    steps = [(LOAD, 0, 0, ARCH), (EQUAL, 1, 0, machine), (ANSWER, 0, 0, KILLED), (LOAD, 0, 0, NR)]
    steps += [(AT_LEAST, 0, 1, 0x40000000), denied]  # the numbers of a third kind of calls, on x86
    for number in refused.values():
        steps += one(number, [denied])
    steps += one(calls["clone3"], [(ANSWER, 0, 0, REFUSED | errno.ENOSYS)])  # its flags cannot be read here
    new_space = [(LOAD, 0, 0, FIRST), (SET, 0, 1, NEW_SPACES), denied, (ANSWER, 0, 0, ALLOWED)]
    steps += one(calls["clone"], new_space)
    if not network:
        steps += one(
            calls["socket"], [(LOAD, 0, 0, FIRST), (EQUAL, 1, 0, UNIX), denied, (ANSWER, 0, 0, ALLOWED)]
        )
    return [*steps, (ANSWER, 0, 0, ALLOWED)]


# Landlock -----------------------------------------------------------------------------------------------

READ = 0b1101  # execute, read a file, read a folder
LIST = 0b1000  # read a folder
FILES = (1 << 16) - 1  # everything that can be done with files and folders
ON_FILES = 0b1100000000000111  # what can be done with a file: execute, write, read, truncate, ioctl


def landlock_abi() -> int:
    """The version of landlock, 0 where there is none."""
    try:
        return int(max(_libc().syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1)), 0))
    except OSError:
        return 0


def landlock(readable: Iterable[str], writable: Iterable[str]) -> None:
    """From now on nothing but these files and folders exists, no TCP, and no process outside can be sent a signal."""
    attributes = struct.pack("QQQ", FILES, 0b11, 0b11)
    ruleset = _checked(
        _libc().syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)),
        "landlock",
    )
    rules = [(path, READ) for path in readable] + [(path, FILES) for path in writable]
    rules.append((os.getcwd(), LIST))  # pytest looks at the names in its root folder
    for path, allowed in rules:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            allowed &= FILES if os.path.isdir(path) else ON_FILES
            rule = struct.pack("=Qi", allowed, fd)
            _checked(
                _libc().syscall(LANDLOCK_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint(0)),
                f"landlock {path}",
            )
        finally:
            os.close(fd)
    _checked(_libc().syscall(LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0)), "landlock")
    os.close(ruleset)
