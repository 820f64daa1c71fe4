"""The separator process: `python -m consumer.separator.process`, spoken to over standard input and output.

It ends when its input ends, so it never outlives the consumer, however that died. `sandbox` says what it may touch.
"""

import os
import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, assert_never

from consumer.core.errors import Cancelled, Code, Rejected, WorkerCrashed
from consumer.separator.audio.ffmpeg import FFmpeg, bundled_binary
from consumer.separator.protocol import (
    Alive,
    Command,
    Configure,
    Confined,
    Failed,
    Finished,
    Loaded,
    Progress,
    Reply,
    Separate,
    Stop,
    Stopped,
    decode_command,
    encode,
)
from consumer.separator.sandbox import Reach, confine, limit, reach_of_models, reach_of_python

HEARTBEAT_S = 1.0

# Loads a model by name and separates with it: what the commands are carried out by.
Work = Callable[[Separate, Callable[[Reply], None], threading.Event], Reply]


class Process:
    """Reads commands, carries them out one after the other, writes replies."""

    def __init__(self, commands: BinaryIO, replies: BinaryIO) -> None:
        self._commands, self._replies = commands, replies
        self._writing = threading.Lock()
        self._waiting: queue.SimpleQueue[Separate] = queue.SimpleQueue()
        self._current: int | None = None
        self._stop = threading.Event()
        self._deciding = threading.Lock()  # that a Stop meets the job it means

    def send(self, reply: Reply) -> None:
        with self._writing:
            self._replies.write(encode(reply))
            self._replies.flush()

    def serve(self, make_work: Callable[[Configure, Callable[[Reply], None]], Work]) -> None:
        """Never returns: the process ends with its input."""
        line = self._commands.readline()
        if not line:
            return
        configuration = decode_command(line)
        assert isinstance(configuration, Configure)
        self.send(Confined(confine_to(configuration)))  # before there is another thread: it would not be confined
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        work = make_work(configuration, self.send)
        while True:
            order = self._waiting.get()
            with self._deciding:
                self._current = order.job
                self._stop.clear()
            reply = self._answer(work, order)
            with self._deciding:
                self._current = None
            self.send(reply)

    def _answer(self, work: Work, order: Separate) -> Reply:
        try:
            return work(order, self.send, self._stop)
        except Cancelled:
            return Stopped(order.job)
        except Rejected as rejected:
            return Failed(order.job, rejected.code, rejected.message)
        except WorkerCrashed as crash:
            sys.stderr.write(f"{crash}\n")
            sys.stderr.flush()
            os._exit(1)  # to the consumer an ffmpeg that was killed is as if we had been
        except Exception as error:  # noqa: BLE001 - the parent must hear of it; it decides what becomes of the job
            return Failed(order.job, Code.SEPARATION_FAILED, f"{type(error).__name__}: {error}"[:500])

    def _listen(self) -> None:
        for line in self._commands:
            command: Command = decode_command(line)
            match command:
                case Separate():
                    self._waiting.put(command)
                case Configure():
                    raise ValueError("configured twice")
                case Stop():
                    with self._deciding:
                        if self._current == command.job:
                            self._stop.set()
                case _:
                    assert_never(command)
        os._exit(0)  # the consumer is gone; ffmpeg ends with its pipes

    def _beat(self) -> None:
        while True:
            self.send(Alive())
            time.sleep(HEARTBEAT_S)


def confine_to(configuration: Configure) -> str:
    """Leave this thread what its work needs, which is little; returns what holds, in a few words."""
    # TensorFlow looks for a temporary folder, and for Keras' settings in the home, though it needs neither.
    os.environ.update(TMPDIR=str(configuration.scratch), KERAS_HOME=f"{os.devnull}/keras")
    binary = configuration.ffmpeg_path or bundled_binary()
    ffmpeg = Path(shutil.which(binary) or binary)
    reads = (*reach_of_python(), *reach_of_models(configuration.model_path), ffmpeg)
    return f"{confine(Reach(reads=reads, writes=(configuration.scratch,)))}, {limit()}"


def load_models(configuration: Configure, send: Callable[[Reply], None]) -> Work:
    """Load what was asked for, saying so, and return what separates; other models are loaded when they are needed."""
    from consumer.separator.models.spec import load_spec  # numpy and a runtime, once there is something to do
    from consumer.separator.runtimes.factory import leave_keras_out, make_runtime
    from consumer.separator.runtimes.runtime import Network
    from consumer.separator.track import TrackOrder, separate_track

    ffmpeg = FFmpeg(binary=configuration.ffmpeg_path or bundled_binary(), allowed_formats=configuration.allowed_formats)
    networks: dict[str, Network] = {}
    leave_keras_out()

    def network(model: str) -> Network:
        if model not in networks:
            spec = load_spec(model, configuration.model_path)
            networks[model] = make_runtime(configuration.runtime).load(spec)
        return networks[model]

    def work(order: Separate, send: Callable[[Reply], None], stop: threading.Event) -> Reply:
        track = TrackOrder(
            path=order.path,
            folder=order.folder,
            format=order.format,
            bitrate=order.bitrate,
            start_s=order.start_s,
            duration_s=order.duration_s,
            high_frequencies=order.high_frequencies,
            max_audio_s=order.max_audio_s,
        )
        separation = separate_track(
            track,
            network(order.model),
            ffmpeg,
            on_progress=lambda done, total: send(Progress(order.job, done, total)),
            stop=stop,
        )
        return Finished(order.job, separation)

    for model in configuration.models:
        started = time.monotonic()
        try:
            network(model)
            send(Loaded(model, time.monotonic() - started))
        except Rejected as rejected:
            send(Failed(None, rejected.code, rejected.message))
    return work


def main(make_work: Callable[[Configure, Callable[[Reply], None]], Work] = load_models) -> None:
    """Serve on the standard streams. Whatever else prints, prints to standard error."""
    for ignored in (signal.SIGTERM, signal.SIGINT):  # the consumer decides when to end; a terminal signals everyone
        signal.signal(ignored, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Process(sys.stdin.buffer, replies).serve(make_work)


if __name__ == "__main__":
    main()
