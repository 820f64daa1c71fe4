"""A hostile file: its name, and its bytes for a decoy that it may point at."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.corpus.encoding import encode
from harness.corpus.signal import Signal
from harness.hostile.decoy import Decoy

# extension -> ffmpeg's output options: a song of half a second in every container that is allowed.
CONTAINERS: dict[str, tuple[str, ...]] = {
    "mp3": ("-b:a", "128k"), "flac": (), "ogg": (), "opus": ("-b:a", "96k"), "m4a": (), "wav": (), "aiff": (),
    "mkv": ("-c:a", "flac"), "wma": (), "caf": (), "wv": (), "tta": (), "ac3": (), "aac": ("-b:a", "96k"), "au": (),
    "w64": (), "mp4": ("-c:a", "alac"), "webm": ("-c:a", "libopus"),
}  # fmt: skip
_SIGNAL = Signal(frames=22050)
_AT_48 = Signal(rate_hz=48000, frames=24000)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileFile:
    """name: family and file name. make: its content, given what it may point at."""

    name: str
    make: Callable[[Decoy], bytes]


@cache
def song(extension: str) -> bytes:
    """A sound file as an honest sender would have it."""
    signal = _AT_48 if extension in ("opus", "webm") else _SIGNAL
    with TemporaryDirectory() as folder:
        return encode(Path(folder) / f"song.{extension}", signal, *CONTAINERS[extension]).read_bytes()
