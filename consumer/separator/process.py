"""The separator process: `python -m consumer.separator.process`, spoken to over standard input and output.

It ends when its input ends, so it never outlives the consumer, however that died. `sandbox` says what it may touch.
"""

import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn, assert_never

from consumer.core.errors import Cancelled, Code, Rejected, WorkerCrashed
from consumer.separator.audio.ffmpeg import bundled_binary
from consumer.separator.blas import use_one_thread
from consumer.separator.bounds import go_first, set_bounds
from consumer.separator.confinement import confine_thread
from consumer.separator.namespaces import leave_namespaces
from consumer.separator.protocol import (
    Alive,
    Command,
    Configure,
    Confined,
    Failed,
    Reply,
    Send,
    Separate,
    Stop,
    Stopped,
    decode_command,
    encode,
)
from consumer.separator.sandbox import Reach, reach_of_models, reach_of_python
from consumer.separator.stop_signals import block_stop_signals
from consumer.separator.walls import require_walls

HEARTBEAT_S = 1.0

# Carries out one command and returns the last reply to it; the ones before it sends. Once the event is set it raises
# Cancelled, soon. Raises Rejected, WorkerCrashed.
Handler = Callable[[Separate, Send, threading.Event], Reply]


class Process:
    """Reads commands, carries them out one after the other, writes replies.

    end: ends the process at once, with this exit code.
    """

    def __init__(self, commands: BinaryIO, replies: BinaryIO, *, end: Callable[[int], NoReturn] = os._exit) -> None:
        self._commands, self._replies, self._end = commands, replies, end
        self._write_lock = threading.Lock()
        self._orders: queue.SimpleQueue[Separate] = queue.SimpleQueue()
        self._job_lock = threading.Lock()  # so that a Stop meets the job it means
        self._job: int | None = None  # the one at hand
        self._stop = threading.Event()

    def send(self, reply: Reply) -> None:
        """Write one reply. Any thread may."""
        with self._write_lock:
            self._replies.write(encode(reply))
            self._replies.flush()

    def serve(self, make_handler: Callable[[Configure, Send], Handler]) -> None:
        """Carry out commands until the input ends, and then end the process."""
        line = self._commands.readline()
        if not line:
            return
        configuration = decode_command(line)
        assert isinstance(configuration, Configure)
        confined = confine_to(configuration)  # before there is another thread: it would not be confined
        self.send(confined)
        if configuration.sandbox_required:
            require_walls(confined.holds)
        threading.Thread(target=self._read_commands, daemon=True).start()
        threading.Thread(target=self._send_heartbeats, daemon=True).start()
        handler = make_handler(configuration, self.send)
        while True:
            order = self._orders.get()
            with self._job_lock:
                self._job = order.job
                self._stop.clear()
            reply = self._handle(handler, order)
            with self._job_lock:
                self._job = None
            self.send(reply)

    def _handle(self, handler: Handler, order: Separate) -> Reply:
        try:
            return handler(order, self.send, self._stop)
        except Cancelled:
            return Stopped(order.job)
        except Rejected as rejected:
            return Failed.of(order.job, rejected.code, rejected.message)
        except WorkerCrashed as crash:
            sys.stderr.write(f"{crash}\n")
            sys.stderr.flush()
            self._end(1)  # to the consumer an ffmpeg that was killed is as if we had been
        except Exception as error:  # noqa: BLE001 - the parent must hear of it; it decides what becomes of the job
            return Failed.of(order.job, Code.SEPARATION_FAILED, f"{type(error).__name__}: {error}"[:500])

    def _read_commands(self) -> None:
        for line in self._commands:
            command: Command = decode_command(line)
            match command:
                case Separate():
                    self._orders.put(command)
                case Configure():
                    raise ValueError("configured twice")
                case Stop():
                    with self._job_lock:
                        if self._job == command.job:
                            self._stop.set()
                case _:
                    assert_never(command)
        self._end(0)  # the consumer is gone; ffmpeg ends with its pipes

    def _send_heartbeats(self) -> None:
        while True:
            self.send(Alive())
            time.sleep(HEARTBEAT_S)


def confine_to(configuration: Configure) -> Confined:
    """Confine this thread, and all that it starts, to what its work needs; returns what holds, in a few words."""
    go_first()
    namespaces = leave_namespaces()  # while files of /proc can still be written to
    # TensorFlow looks for a temporary folder, and for Keras' settings in the home, though it needs neither.
    os.environ.update(TMPDIR=str(configuration.scratch), KERAS_HOME=f"{os.devnull}/keras")
    binary = configuration.ffmpeg_path or bundled_binary()
    ffmpeg = Path(shutil.which(binary) or binary)
    reads = (*reach_of_python(), *reach_of_models(configuration.model_path), ffmpeg)
    holds = confine_thread(Reach(reads=reads, writes=(configuration.scratch,)))
    bounds = set_bounds(counts_threads=namespaces.counts_threads)
    return Confined(holds=f"{holds}, {bounds}", namespaces=namespaces.held)


def load_networks(configuration: Configure, send: Send) -> Handler:
    """What separates with Spleeter's networks.

    Each model that the configuration names is loaded and answered with Loaded or Failed; others when they are needed.
    """
    from consumer.separator.handler import NetworkHandler  # numpy and a runtime, once there is something to do

    handler = NetworkHandler(configuration)
    handler.load(send)
    return handler


def main(make_handler: Callable[[Configure, Send], Handler] = load_networks) -> None:
    """Serve on the standard streams. Whatever else prints, prints to standard error."""
    use_one_thread()
    block_stop_signals()  # before there is another thread: it would have them open
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Process(sys.stdin.buffer, replies).serve(make_handler)


if __name__ == "__main__":
    main()
