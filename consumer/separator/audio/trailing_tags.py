"""Tags behind the sound of a file: ID3v1, APEv2 and Lyrics3. ffmpeg's demuxers take some of them for damaged sound."""

import struct
from pathlib import Path
from typing import BinaryIO

_ID3V1_BYTES, _APE_FOOTER_BYTES, _HAS_APE_HEADER = 128, 32, 1 << 31
_LYRICS_END, _LYRICS_SIZE_DIGITS = b"LYRICS200", 6
_MOST_TAGS = 8


def end_of_sound(path: Path) -> int:
    """How many bytes of the file come before the tags at its end; all of them where there are none."""
    with path.open("rb") as file:
        end = path.stat().st_size
        for _ in range(_MOST_TAGS):
            tag_bytes = _tag_before(file, end)
            if not 0 < tag_bytes < end:
                break
            end -= tag_bytes
    return end


def _tag_before(file: BinaryIO, end: int) -> int:
    """The size of the tag that ends here; 0 where none does."""
    file.seek(max(0, end - _ID3V1_BYTES))
    tail = file.read(min(end, _ID3V1_BYTES))
    if len(tail) == _ID3V1_BYTES and tail.startswith(b"TAG"):
        return _ID3V1_BYTES
    footer = tail[-_APE_FOOTER_BYTES:]
    if len(footer) == _APE_FOOTER_BYTES and footer.startswith(b"APETAGEX"):
        size, _, flags = struct.unpack_from("<III", footer, 12)
        return int(size) + (_APE_FOOTER_BYTES if flags & _HAS_APE_HEADER else 0)
    digits = tail[-len(_LYRICS_END) - _LYRICS_SIZE_DIGITS : -len(_LYRICS_END)]
    if tail.endswith(_LYRICS_END) and digits.isdigit():
        return int(digits) + _LYRICS_SIZE_DIGITS + len(_LYRICS_END)
    return 0
