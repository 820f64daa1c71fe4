"""What somebody tries who has taken over a program in the sandbox. A program of its own, of the standard library alone.

`techniques.py ... TARGETS` tries each technique that the JSON file TARGETS names and writes beside it what came of it:
{name: errno}, 0 where the technique worked. It is started in place of ffmpeg, and imported in place of a separator.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

REPORT = "techniques.json"
Targets = dict[str, Any]  # see Tried in test_attacks

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def raw(number: int, *arguments: int) -> int:
    """A system call by its number. Raises OSError."""
    result = int(_libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def _connect(family: int, kind: int, protocol: int, address: object) -> None:
    with socket.socket(family, kind, protocol) as caller:
        caller.settimeout(5)
        caller.connect(address)  # type: ignore[arg-type]


def _listen(protocol: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()


def _fast_open(port: int, protocol: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as caller:
        caller.sendto(b"x", 0x20000000, ("127.0.0.1", port))  # MSG_FASTOPEN


def _write_elsewhere(path: str, text: str = "x") -> None:
    Path(path).write_text(text)


def _rename_out(targets: Targets) -> None:
    own = Path(targets["folder"]) / "mine"
    own.write_text("x")
    own.rename(Path(targets["outside"]) / "renamed")


def _link_out(targets: Targets) -> None:
    os.link(targets["secret"], Path(targets["folder"]) / f"hard-{os.getpid()}")


def _follow_link(targets: Targets) -> None:
    Path(targets["folder"], "planted").read_bytes()


def _fork() -> None:
    """One child at least."""
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)


def _fork_bomb() -> None:
    """As many children as there can be, up to 300, at the same time."""
    children = []
    try:
        for _ in range(300):
            if not (child := os.fork()):
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _daemon() -> None:
    """Leaves its session and group."""
    if child := os.fork():
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            raise PermissionError(errno.EACCES, "refused")
        return
    try:
        os.setsid()
    except OSError:
        os._exit(1)
    os._exit(0)


def _run_program() -> None:
    os.execve("/bin/true", ["true"], {})


def _write_big_file(targets: Targets) -> None:
    path = Path(targets["folder"]) / "big"
    try:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    finally:
        path.unlink(missing_ok=True)


def _take_memory() -> None:
    try:
        mmap.mmap(-1, 3 << 30).close()
    except ValueError as error:
        raise OSError(errno.ENOMEM, "refused") from error


def _take_all_memory() -> None:
    """As much as the machine has, in parts, without using it."""
    taken = []
    try:
        for _ in range(0, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), 1 << 30):
            taken.append(mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE))  # noqa: PERF401 - so that each is closed again
    finally:
        for part in taken:
            part.close()


def _open_files() -> None:
    opened = []
    try:
        for _ in range(300):
            opened.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - so that each is closed again
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _code(protection: int) -> None:
    mmap.mmap(-1, 4096, prot=protection).close()


def _protect(number: int) -> None:
    with mmap.mmap(-1, 4096) as page:
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    raw(number, address, 4096, 5)  # which is unmapped by now: ENOMEM, if it is asked at all


def _read_inherited(targets: Targets) -> None:
    """Anything that was open in who started it, by what lies there."""
    for descriptor in range(3, 256):
        with contextlib.suppress(OSError):
            if b"secret" in os.pread(descriptor, 64, 0):
                return
    raise PermissionError(errno.EBADF, "none")


def _terminal(call: int) -> None:
    fcntl.ioctl(os.open(os.devnull, os.O_RDWR), call, b"x")


def _pidfd_signal(targets: Targets) -> None:
    signal.pidfd_send_signal(os.pidfd_open(targets["parent"]), 0)


def _signal_by_pipe(command: int, owner: int | bytes) -> None:
    """Have the kernel signal the parent when there is something to read."""
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(reading, command, owner)
    finally:
        os.close(reading)
        os.close(writing)


# What lies in a process's folder of /proc; folders end with a slash, links with an @.
_OF_A_PROCESS = """
    auxv cgroup clear_refs cmdline comm coredump_filter environ io limits maps mem mountinfo mounts mountstats
    numa_maps oom_adj oom_score oom_score_adj pagemap personality projid_map sched schedstat sessionid setgroups smaps
    smaps_rollup stack stat statm status syscall timers timerslack_ns uid_map wchan net/tcp net/unix net/dev
    fd/ fdinfo/ map_files/ net/ ns/ task/ cwd/ root/ cwd@ exe@ root@ fd/0@ fd/1@ fd/2@ ns/mnt@ ns/net@ ns/pid@
"""


def _look_at(place: str) -> None:
    if place.endswith("@"):
        os.readlink(place[:-1])  # noqa: PTH115
    elif place.endswith("/"):
        os.listdir(place)  # noqa: PTH208
    else:
        os.close(os.open(place, os.O_RDONLY))


def _any_of(acts: Iterable[Callable[[], object]]) -> None:
    """Succeeds where one of them does; else the last refusal is raised."""
    refused = OSError(errno.ENOENT, "none")
    for act in acts:
        try:
            act()
            return
        except OSError as error:
            refused = error if error.errno != errno.ENOENT else refused
    raise refused


def _look_into(targets: Targets) -> None:
    parent = f"/proc/{targets['parent']}"
    threads = f"{parent}/task/{targets['parent']}"
    _any_of(partial(_look_at, f"{folder}/{name}") for folder in (parent, threads) for name in _OF_A_PROCESS.split())


def _change_by_proc(targets: Targets) -> None:
    """Opened for writing, which changes nothing yet."""
    names = [f"/proc/{targets['parent']}/{name}" for name in _OF_A_PROCESS.split() if name[-1] not in "/@"]
    _any_of(partial(lambda name: os.close(os.open(name, os.O_WRONLY)), name) for name in names)


def _look_for_others(targets: Targets) -> None:
    """Any process with a number near ours, whoever it is."""
    near = range(max(1, targets["parent"] - 500), targets["parent"] + 500)
    others = [1, *(pid for pid in near if pid != os.getpid())]
    _any_of(partial(_look_at, f"/proc/{pid}/{name}") for pid in others for name in ("cmdline", "environ", "fd/"))


def _limit_parent(targets: Targets) -> None:
    kind = resource.RLIMIT_CPU
    resource.prlimit(targets["parent"], kind, resource.prlimit(targets["parent"], kind))


def _clone(flags: int, number: int) -> None:
    if not raw(number, flags | signal.SIGCHLD, 0, 0, 0, 0):
        os._exit(0)
    os.waitpid(-1, 0)


def _change(targets: Targets, change: Callable[[str], object]) -> None:
    change(targets["victim"])


def _run(targets: Targets) -> dict[str, Callable[[], object]]:
    """Each technique by its name; returns what carries it out against these targets. OSError means refusal."""
    port, calls, parent = targets["port"], targets["calls"], targets["parent"]
    inet, stream, datagram = socket.AF_INET, socket.SOCK_STREAM, socket.SOCK_DGRAM
    here = ("127.0.0.1", port)
    return {
        "tcp": lambda: _connect(inet, stream, 0, here),
        "tcp listen": lambda: _listen(0),
        "mptcp": lambda: _connect(inet, stream, 262, here),
        "mptcp listen": lambda: _listen(262),
        "tcp fast open": lambda: _fast_open(port, 0),
        "mptcp fast open": lambda: _fast_open(port, 262),
        "udp": lambda: socket.socket(inet, datagram).sendto(b"x", here),
        "udp over ipv6": lambda: socket.socket(socket.AF_INET6, datagram).sendto(b"x", ("::1", port)),
        "ping": lambda: socket.socket(inet, datagram, socket.IPPROTO_ICMP),
        "raw socket": lambda: socket.socket(inet, socket.SOCK_RAW, socket.IPPROTO_TCP),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
        "vsock": lambda: socket.socket(40, stream),
        "kernel's cryptography": lambda: socket.socket(38, socket.SOCK_SEQPACKET),
        "unix socket": lambda: _connect(socket.AF_UNIX, stream, 0, targets["socket"]),
        "abstract unix socket": lambda: _connect(socket.AF_UNIX, stream, 0, f"\0{targets['abstract']}"),
        "unix datagram": lambda: socket.socket(socket.AF_UNIX, datagram).sendto(b"x", targets["socket"]),
        "socket pair": socket.socketpair,
        "parent's memory": lambda: Path(f"/proc/{parent}/mem").open("rb").close(),
        "parent's map": lambda: Path(f"/proc/{parent}/maps").read_bytes(),
        "parent's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "parent's files": lambda: os.listdir(f"/proc/{parent}/fd"),  # noqa: PTH208
        "parent's command line": lambda: Path(f"/proc/{parent}/cmdline").read_bytes(),
        "parent in /proc": lambda: _look_into(targets),
        "parent by /proc": lambda: _change_by_proc(targets),
        "processes": lambda: os.listdir("/proc"),  # noqa: PTH208
        "any process": lambda: _look_for_others(targets),
        "signal by a pipe": lambda: _signal_by_pipe(fcntl.F_SETOWN, parent),
        "signal by a pipe to a process": lambda: _signal_by_pipe(15, struct.pack("=ii", 1, parent)),
        "parent's root": lambda: os.listdir(f"/proc/{parent}/root"),  # noqa: PTH208
        "signal to parent": lambda: os.kill(parent, 0),
        "signal to parent's thread": lambda: raw(calls["tgkill"], parent, parent, 0),
        "signal by descriptor": lambda: _pidfd_signal(targets),
        "parent's limits": lambda: _limit_parent(targets),
        "parent's priority": lambda: os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent)),
        "parent's processors": lambda: os.sched_setaffinity(parent, os.sched_getaffinity(parent)),
        "read passwords": lambda: Path("/etc/passwd").read_bytes(),
        "read": lambda: Path(targets["secret"]).read_bytes(),
        "list": lambda: os.listdir(targets["outside"]),  # noqa: PTH208
        "write": lambda: _write_elsewhere(targets["victim"]),
        "make a file": lambda: _write_elsewhere(f"{targets['outside']}/new"),
        "make a folder": lambda: os.mkdir(f"{targets['outside']}/folder"),  # noqa: PTH102
        "remove": lambda: os.remove(targets["doomed"]),  # noqa: PTH107
        "rename out": lambda: _rename_out(targets),
        "hard link": lambda: _link_out(targets),
        "symbolic link": lambda: os.symlink("/etc", f"{targets['folder']}/to-etc"),  # noqa: PTH211
        "follow a planted link": lambda: _follow_link(targets),
        "named pipe": lambda: os.mkfifo(f"{targets['folder']}/fifo"),
        "device": lambda: os.mknod(f"{targets['folder']}/device", 0o020600, os.makedev(1, 3)),
        "mode": lambda: _change(targets, lambda path: os.chmod(path, 0o666)),  # noqa: PTH101
        "own mode": lambda: os.chmod(targets["folder"], 0o777),  # noqa: PTH101
        "owner": lambda: _change(targets, lambda path: os.chown(path, os.getuid(), os.getgid())),
        "attribute": lambda: _change(targets, lambda path: os.setxattr(path, "user.x", b"x")),
        "times": lambda: _change(targets, lambda path: os.utime(path, (0, 0))),
        "cut by path": lambda: _change(targets, lambda path: os.truncate(path, 3)),
        "big file": lambda: _write_big_file(targets),
        "memory": _take_memory,
        "all memory": _take_all_memory,
        "be spared where memory runs out": lambda: _write_elsewhere("/proc/self/oom_score_adj", "0"),
        "many files": _open_files,
        "inherited descriptor": lambda: _read_inherited(targets),
        "writable code": lambda: _code(7),
        "code of its own": lambda: _code(5),
        "code made of data": lambda: _protect(calls["mprotect"]),
        "personality": lambda: raw(calls["personality"], 0xFFFFFFFF),
        "input to a terminal": lambda: _terminal(0x5412),
        "console": lambda: _terminal(0x541C),
        "fork": _fork,
        "fork bomb": _fork_bomb,
        "daemon": _daemon,
        "another program": _run_program,
        "clone": lambda: _clone(0, calls["clone"]),
        "clone into a user namespace": lambda: _clone(0x10000000, calls["clone"]),
        "clone3": lambda: raw(calls["clone3"], 0, 0),
        "user namespace": lambda: raw(calls["unshare"], 0x10000000),
        "network namespace": lambda: raw(calls["unshare"], 0x40000000),
        "shared memory": lambda: raw(calls["shmget"], 0, 4096, 0o1600),
        "message queue": lambda: raw(calls["msgget"], 0, 0o1600),
        "semaphores": lambda: raw(calls["semget"], 0, 1, 0o1600),
        "keyring": lambda: raw(calls["keyctl"], 0, -3, 1),
        "x32": lambda: raw(0x40000000 | 39) if struct.calcsize("P") == 8 else None,
        "unknown call": lambda: raw(9999),
        # Whatever the filter knows, with arguments that do no harm where nothing refuses it.
        **{f"call {name}": partial(raw, number, *[-1] * 6) for name, number in targets["all"].items()},
    }


def attempt(targets: Targets, report: Path) -> None:
    """Write what came of each technique: 0 where it worked, the error's number where not.

    After each one: what runs another program in our place comes last, and does not come back where it works.
    """
    techniques, found = _run(targets), {}
    for name in targets["names"]:
        try:
            techniques[name]()
            found[name] = 0
        except (OSError, MemoryError) as error:
            found[name] = getattr(error, "errno", None) or errno.ENOMEM
        report.write_text(json.dumps(found))


def main() -> None:
    path = Path(sys.argv[-1])
    attempt(json.loads(path.read_text()), path.parent / REPORT)


if __name__ == "__main__":
    main()
