"""Songs whose tags say what only ffmpeg, a terminal, a log or a web page may say."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.files import ffmpeg
from harness.hostile.decoy import Decoy
from harness.hostile.specimen import HostileFile, song

_KINDS = ("mp3", "flac", "ogg", "m4a", "wav", "mkv", "wma", "aiff", "opus")
_WORDS: Mapping[str, str] = {
    "stream-line": "x\n  Stream #0:0: Audio: pcm_s16le, 99999999999 Hz, 64 channels, s16, 9999999999 kb/s",
    "stream-line-alone": "Stream #0:1(eng): Audio: mp3, 1 Hz, 100000000000000000000 channels, fltp",
    "duration-line": "x\n  Duration: 99999:00:00.00, start: -99999.0, bitrate: 1 kb/s",
    "input-line": "x\nInput #0, wav, from 'pipe:':\n  Metadata:",
    "progress-line": "x\rsize=       1KiB time=99:99:99.99 bitrate=N/A speed=1e+99x",
    "error-line": "x\n[error] No space left on device\nConversion failed!",
    "json": '","level":"error","event":"separation.published","request_id":"stolen"}\n{"',
    "terminal": "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "html": "<img src=x onerror=alert(1)>", "template": "{{7*7}} ${jndi:ldap://127.0.0.1/x} %s%s%s%n {0.__class__}",
    "options": "-f null -i /etc/passwd", "long": "A" * 60_000, "faces": "\U0001f600" * 5_000,
    "right-to-left": "\u202etxt.exe",
}  # fmt: skip

_KEYS = {"key-of-a-stream": "Stream #0:7: Audio: mp3, 1 Hz, 9999999999 channels", "key-of-a-duration": "Duration"}


def files() -> Iterator[HostileFile]:
    for number, (name, words) in enumerate(_WORDS.items()):
        for extension in sorted({_KINDS[number % len(_KINDS)], _KINDS[(number + 4) % len(_KINDS)], "mp3"}):
            yield HostileFile(name=f"tags/{name}.{extension}", make=partial(_tagged, extension, "title", words))
    for name, key in _KEYS.items():
        yield HostileFile(name=f"tags/{name}.mp3", make=partial(_tagged, "mp3", key, "99:99:99.99"))
        yield HostileFile(name=f"tags/{name}.mkv", make=partial(_tagged, "mkv", key, "99:99:99.99"))


def _tagged(extension: str, key: str, words: str, _: Decoy) -> bytes:
    with TemporaryDirectory() as folder:
        plain, tagged = Path(folder) / f"plain.{extension}", Path(folder) / f"tagged.{extension}"
        plain.write_bytes(song(extension))
        said = f"{key}={words}"
        ffmpeg("-i", f"file:{plain}", "-c", "copy", "-metadata", said, "-metadata:s:a", said, f"file:{tagged}")
        return tagged.read_bytes()
