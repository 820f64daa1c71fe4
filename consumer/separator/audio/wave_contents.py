"""What lies in a WAVE file in place of samples: a whole file of another kind, or a codec's frames as they are.

Frames that do not say where they end need a container that does, which WAVE is not.
"""

from pathlib import Path

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.wave_header import WaveFormat, is_extended_rifx, read_format, samples_place

_WHOLE_FILES = (b"OggS\x00\x02", b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
_MAGIC_BYTES = 8
# By the number of the format (RFC 2361, and Microsoft's and Nullsoft's later ones).
_MPEG = (0x0050, 0x0055)
_AAC = (0x00FF, 0x1600, 0x1601, 0x1602, 0x1610, 0x4143, 0x706D, 0xA106)
_PACKETS = {0x566F: "Vorbis", 0x704F: "Opus"} | dict.fromkeys(
    (0x674F, 0x6750, 0x6751, 0x676F, 0x6770, 0x6771), "Vorbis"
)


def file_within(path: Path) -> Section | None:
    """Where in this WAVE file another one lies in place of its samples; None where none does."""
    with path.open("rb") as file:
        found = read_format(file)
        if found is None or (place := samples_place(file)) is None:
            return None
        first, end = place
        if found.kind in _MPEG and is_extended_rifx(file):  # which ffmpeg does not open; its frames are a file too
            return Section(first=first, end=end)
        file.seek(first)
        return Section(first=first, end=end) if file.read(_MAGIC_BYTES).startswith(_WHOLE_FILES) else None


def framed_codec(path: Path, *, first: int = 0) -> str | None:
    """ffmpeg's decoder for the AAC in the WAVE file that begins at this byte; None where it holds something else.

    Raises Rejected(AUDIO_UNDECODABLE) where it holds frames of a codec that do not say where they end.
    """
    with path.open("rb") as file:
        found = read_format(file, first)
        if found is None or found.kind not in (*_AAC, *_PACKETS):
            return None
        place = samples_place(file, first)
        file.seek(place[0] if place else 0)
        begin = file.read(2).ljust(2, b"\0")
    if found.kind in _AAC:
        if begin[0] == 0xFF and begin[1] & 0xF6 == 0xF0:
            return "aac"
        if begin[0] == 0x56 and begin[1] & 0xE0 == 0xE0:
            return "aac_latm"
    told = f"it is raw {_PACKETS.get(found.kind, 'AAC')} in a WAVE file ({_number(found)})"
    raise Rejected(Code.AUDIO_UNDECODABLE, f"{told}, without the sizes of its frames")


def refuse_unknown(path: Path) -> None:
    """Name the codec of a WAVE file that ffmpeg does not know. Raises Rejected(AUDIO_UNDECODABLE) for such a file."""
    with path.open("rb") as file:
        found = read_format(file)
    if found is not None:
        raise Rejected(Code.AUDIO_UNDECODABLE, f"it is a WAVE file of {_number(found)}, which there is no decoder for")


def _number(found: WaveFormat) -> str:
    return f"format 0x{found.kind:04x}"
