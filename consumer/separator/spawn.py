"""Starts a program confined: by a thread that confines itself first, and with limits that it has from its first moment.

The thread's filter asks about each start of a process and of a program. Asked is this process, in the thread that
called: it lets the one start pass that it wants, sets the new process's limits before that runs its program, and
closes the descriptor by which it is asked. From then on the kernel refuses all further starts by itself. So the program
can start nothing: no other program, and no process that outlives it.

Python's own subprocess holds the interpreter's lock while it starts something, so nobody could be asked meanwhile:
hence the C library's posix_spawn.
"""

import ctypes
import errno
import fcntl
import os
import queue
import resource
import select
import signal
import struct
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from consumer.separator import seccomp
from consumer.separator.capabilities import give_up_capabilities
from consumer.separator.libc import libc
from consumer.separator.sandbox import Reach, confine

# linux/seccomp.h: requests to a listener, the sizes of what they carry, and the answer that lets a call pass.
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTICE_BYTES, _CONTINUE = 80, 1
_SET_GROUP, _SET_DEFAULT_SIGNALS = 0x02, 0x04  # spawn.h
_ATTRIBUTES_BYTES, _ACTIONS_BYTES, _SIGNALS_BYTES = 512, 256, 128  # more than the C library's own

Limits = Mapping[int, int]
Streams = tuple[int, int, int]  # descriptors that become a program's standard input, output and error


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is started. argv: its path, and its arguments. inherits: descriptors of this process that it has too, under
    the same numbers; it has no others beside its standard streams. limits: of resources, soft and hard. group: the
    process group that it joins; 0: one of its own, None: it stays in this process's.
    """

    argv: Sequence[str]
    inherits: tuple[int, ...] = ()
    limits: Limits
    group: int | None = 0


def spawn(program: Program, streams: Streams, reach: Reach | None) -> int:
    """The new process's id. reach: the files that it may touch; None confines it no more than this thread is.

    Its environment is empty. Raises OSError where it can't be started.
    """
    if reach is None:
        pid = _posix_spawn(program, streams)
        _set_limits(pid, program.limits)
        return pid
    listeners: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    ended = os.eventfd(0, os.EFD_CLOEXEC)

    def start() -> int:
        listener = None
        try:
            confine(reach)
            listener = _confine_calls(program.group)
        finally:
            listeners.put(listener)
        try:
            return _posix_spawn(program, streams)
        finally:
            os.eventfd_write(ended, 1)

    try:
        with ThreadPoolExecutor(1) as thread:
            starting = thread.submit(start)
            listener = listeners.get()
            if listener is not None:
                _let_one_pass(listener, ended, program.limits)
            pid = starting.result()
            if listener is None:
                _set_limits(pid, program.limits)
            return pid
    finally:
        os.close(ended)


def _confine_calls(group: int | None) -> int | None:
    """Of this thread, whose program joins this group at most. The listener, None where the kernel has no such thing; it
    is told at a separator's start.
    """
    with suppress(OSError):
        give_up_capabilities()
    try:
        return seccomp.install_with_listener(group)
    except OSError:
        with suppress(OSError):
            seccomp.install_without_listener(group)
        return None


def _let_one_pass(listener: int, ended: int, limits: Limits) -> None:
    """Until the program runs, or could not be started. Closes the listener."""
    try:
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        waiting.register(ended, select.POLLIN)
        execve, has_started = seccomp.number_of("execve"), False
        while ended not in (ready := {descriptor for descriptor, _ in waiting.poll()}):
            if listener not in ready:
                continue
            notice = bytearray(_NOTICE_BYTES)
            fcntl.ioctl(listener, _RECEIVE, notice)
            number, pid, _, call = struct.unpack_from("=QIIi", notice)
            is_program = call == execve
            if is_program:
                _set_limits(pid, limits)
            is_let_pass = is_program or not has_started
            has_started = True
            answer = struct.pack("=QqiI", number, 0, 0 if is_let_pass else -errno.EACCES, _CONTINUE * is_let_pass)
            fcntl.ioctl(listener, _SEND, bytearray(answer))
            if is_program:
                return
    finally:
        os.close(listener)


def _set_limits(pid: int, limits: Limits) -> None:
    """None is raised by this: the hard limit that a process has already is none for less."""
    for kind, most in limits.items():
        _, hard = resource.prlimit(pid, kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.prlimit(pid, kind, (least, least))


def _posix_spawn(program: Program, streams: Streams) -> int:
    """As the C library has it: while it waits for the new process, Python goes on."""
    argv = [os.fsencode(text) for text in program.argv]
    arguments = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    environment = (ctypes.c_char_p * 1)(None)
    pid = ctypes.c_int()
    with _actions(program, streams) as actions, _attributes(program) as attributes:
        given = (ctypes.byref(pid), argv[0], actions, attributes, arguments, environment)
        error = libc().posix_spawn(*given)
    if error:
        raise OSError(error, os.strerror(error), program.argv[0])
    return pid.value


@contextmanager
def _actions(program: Program, streams: Streams) -> Iterator[ctypes.Array[ctypes.c_char]]:
    """What the new process does with its descriptors."""
    c, actions = libc(), ctypes.create_string_buffer(_ACTIONS_BYTES)
    _succeed(c.posix_spawn_file_actions_init(actions))
    try:
        for target, source in enumerate(streams):
            _succeed(c.posix_spawn_file_actions_adddup2(actions, source, target))
        highest = max(program.inherits, default=2)
        for descriptor in range(3, highest + 1):
            if descriptor in program.inherits:  # upon itself: so it is kept
                _succeed(c.posix_spawn_file_actions_adddup2(actions, descriptor, descriptor))
            else:
                _succeed(c.posix_spawn_file_actions_addclose(actions, descriptor))
        # Python's own are closed by themselves; those of libraries may not be.
        if close_from := getattr(c, "posix_spawn_file_actions_addclosefrom_np", None):
            _succeed(close_from(actions, highest + 1))
        yield actions
    finally:
        c.posix_spawn_file_actions_destroy(actions)


@contextmanager
def _attributes(program: Program) -> Iterator[ctypes.Array[ctypes.c_char]]:
    """What the new process is apart from that."""
    c, attributes = libc(), ctypes.create_string_buffer(_ATTRIBUTES_BYTES)
    _succeed(c.posix_spawnattr_init(attributes))
    try:
        signals = ctypes.create_string_buffer(_SIGNALS_BYTES)
        c.sigemptyset(signals)
        c.sigaddset(signals, signal.SIGPIPE)  # which Python ignores
        _succeed(c.posix_spawnattr_setsigdefault(attributes, signals))
        if program.group is not None:
            _succeed(c.posix_spawnattr_setpgroup(attributes, program.group))
        flags = _SET_DEFAULT_SIGNALS | (0 if program.group is None else _SET_GROUP)
        _succeed(c.posix_spawnattr_setflags(attributes, ctypes.c_short(flags)))
        yield attributes
    finally:
        c.posix_spawnattr_destroy(attributes)


def _succeed(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error))
