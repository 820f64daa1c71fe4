"""Where the sound of Windows Media Audio 1 and 2 begins, of files that ffmpeg's own encoder made.

That puts one frame in front; ffmpeg's decoder leaves out two, as it takes Microsoft's encoder to put there. ffmpeg's
files are told by the encoder's options in them: one alone, and nothing said of a block's size.
"""

import re
import struct
from pathlib import Path

from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.trimming import trim, trimmed

_LOOK_BYTES = 1 << 16
# A WAVEFORMATEX (Microsoft, mmreg.h) of tag 0x160 or 0x161, and what follows it in ffmpeg's files: in version 1 samples
# of a block and options, 2 bytes each, in version 2 4 and 2 bytes. What ffmpeg does not tell of blocks is 0.
_HEAD = re.compile(
    rb"(?:\x60\x01([\x01\x02])\x00(.{4}).{8}\x04\x00\0\0\x01\0|\x61\x01([\x01\x02])\x00(.{4}).{8}[\x06-\x0a]\0\0\0\0\0\x01\0)",
    re.DOTALL,
)
_WRITER = (b"Lavf", "Lavf".encode("utf-16-le"))
_MOST_RATE_HZ = 50_000


def whole_wma(args: list[str], path: Path, section: Section | None) -> list[str]:
    """ffmpeg's options to decode this file such that no sound is lost at its start; as they were where it is of another
    codec, or another encoder's.
    """
    with path.open("rb") as file:
        file.seek(section.first if section else 0)
        head = file.read(_LOOK_BYTES)
    found = {_frame(match, head) for match in _HEAD.finditer(head)}
    if len(found) != 1 or not all(found):
        return args
    [(frame, rate_hz)] = filter(None, found)
    return trimmed(args, trim(first=frame, count=None, rate_hz=rate_hz))


def _frame(match: re.Match[bytes], head: bytes) -> tuple[int, int] | None:
    """Samples of a frame, and the rate, of a track that ffmpeg encoded; None where that is not certain."""
    is_second = match[2] is None
    rate_hz = struct.unpack("<I", match[4] if is_second else match[2])[0]
    if not 0 < rate_hz <= _MOST_RATE_HZ or not (is_second or any(name in head for name in _WRITER)):
        return None
    if rate_hz <= 16_000:
        return 512, rate_hz
    return (1024 if rate_hz <= (22_050 if is_second else 32_000) else 2048), rate_hz
