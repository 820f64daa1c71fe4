"""A separator for volume: `python -m harness.chaos.separator` takes milliseconds a track; its stems can be foretold.

The protocol is the real one, and so is the process around it; only what separates is not. A source may begin with one
of the words below, which make its separation go wrong, or wait. With CHAOS_BROKEN every separation goes wrong.
"""

import hashlib
import io
import os
import signal
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path

from consumer.core.errors import Cancelled
from consumer.core.model import AudioFacts, Separation, StemFile
from consumer.separator.process import Handler, main
from consumer.separator.protocol import Configure, Finished, Loaded, Progress, Reply, Separate

PATIENCE_S = 180.0  # before it gives up on being let go on
STEMS = ("vocals", "accompaniment")
SEGMENTS = 3
_FRAMES, _RATE_HZ = 2000, 8000

KILLS_SEPARATOR, FAILS = b"kills its separator\n", b"fails\n"
KILLS_REPLICA = b"kills its replica\n"  # which does it itself: a separator can't signal anybody
WAITS = b"waits for the release\n"  # until the file CHAOS_RELEASE exists


def stem_wav(source: bytes, name: str) -> bytes:
    """The stem of this name that belongs to this source, byte for byte: no other source has the same."""
    out = io.BytesIO()
    with wave.open(out, "wb") as audio:
        audio.setnchannels(2)
        audio.setsampwidth(2)
        audio.setframerate(_RATE_HZ)
        audio.writeframes(hashlib.shake_256(name.encode() + source).digest(4 * _FRAMES))
    return out.getvalue()


def make_handler(configuration: Configure, send: Callable[[Reply], None]) -> Handler:
    segment_s = float(os.environ.get("CHAOS_SEGMENT_S", "0.003"))
    for model in configuration.models:
        send(Loaded(model, 0.0))

    def work(order: Separate, send: Callable[[Reply], None], stop: threading.Event) -> Reply:
        source = order.path.read_bytes()
        if "CHAOS_BROKEN" in os.environ:
            raise RuntimeError("nothing can be separated here")
        _follow(source, stop)
        for segment in range(SEGMENTS):
            time.sleep(segment_s)
            if stop.is_set():
                raise Cancelled("stopped")
            send(Progress(order.job, segment + 1, SEGMENTS))
        stems = []
        for name in STEMS:
            path = order.folder / f"{name}.{order.format}"
            path.write_bytes(stem_wav(source, name))
            stems.append(StemFile(name=name, path=path, duration_s=_FRAMES / _RATE_HZ, peak=1.0, clipped_samples=0))
        audio = AudioFacts(format="wav", duration_s=_FRAMES / _RATE_HZ, channels=2, sample_rate_hz=_RATE_HZ)
        return Finished.of(order.job, Separation(audio=audio, stems=tuple(stems), weights_sha256="0" * 64))

    return work


def _follow(source: bytes, stop: threading.Event) -> None:
    """What the source asks for by its first word."""
    if source.startswith(KILLS_SEPARATOR):
        os.kill(os.getpid(), signal.SIGKILL)
    elif source.startswith(FAILS):
        raise RuntimeError("a bug")
    elif source.startswith(WAITS):
        deadline = time.monotonic() + PATIENCE_S
        while not Path(os.environ["CHAOS_RELEASE"]).exists():
            assert time.monotonic() < deadline, "nobody let it go on"
            if stop.wait(0.02):
                raise Cancelled("stopped")


if __name__ == "__main__":
    main(make_handler)
