"""Samples in an MP4 or QuickTime file, of which its tables may tell another size than their description does.

ffmpeg goes by the description, and its own encoder of 64 bits has written none that there is a name for.
"""

from pathlib import Path
from typing import BinaryIO

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.movie_boxes import Box, find, find_movie, read, sound_tracks

# Bytes of a sample, by the name of its description (QuickTime File Format, sound sample descriptions); 0: as it says.
_SAMPLE_BYTES = {
    b"in24": 3, b"in32": 4, b"fl32": 4, b"fl64": 8, b"ulaw": 1, b"alaw": 1, b"raw ": 0, b"NONE": 0, b"twos": 0,
    b"sowt": 0, b"ms\0\1": 0, b"ms\0\3": 0,
}  # fmt: skip
_INTEGERS = (b"raw ", b"NONE", b"twos", b"sowt", b"ms\0\1")
_MOST_BITS = 32  # of integers, for ffmpeg
_DESCRIPTION_AT, _DESCRIPTION_BYTES = 8, 60


def check_samples(path: Path, track: int) -> None:
    """Raises Rejected(AUDIO_UNDECODABLE) where the audio track of this number holds plain samples, and larger ones
    than its description tells of, or than ffmpeg reads.
    """
    with path.open("rb") as file:
        movie = find_movie(file)
        tracks = sound_tracks(file, movie) if movie else []
        if track >= len(tracks):
            return
        description, sizes = _table(file, tracks[track], b"stsd"), _table(file, tracks[track], b"stsz")
    name, version = description[4:8], description[17:18]
    if version == b"\2" and name in _INTEGERS:  # whose own fields come behind the older ones
        bits = int.from_bytes(description[56:60], "big")
        if bits > _MOST_BITS:
            raise Rejected(
                Code.AUDIO_UNDECODABLE, f"there is no decoder for integers of {bits} bits in QuickTime files"
            )
    if len(description) < 36 or name not in _SAMPLE_BYTES or version not in (b"\0", b"\1"):
        return
    channels, bits = int.from_bytes(description[24:26], "big"), int.from_bytes(description[26:28], "big")
    frame_bytes = channels * (_SAMPLE_BYTES[name] or -(-bits // 8))
    if version == b"\1":
        frame_bytes = max(frame_bytes, int.from_bytes(description[44:48], "big"))
    size = int.from_bytes(sizes[:4], "big")  # old files have 1 here, whatever it is
    if size > frame_bytes:
        told = f"samples of {size} bytes for {channels} channels of {bits} bits"
        raise Rejected(Code.AUDIO_UNDECODABLE, f"the movie's header contradicts itself: {told}")


def _table(file: BinaryIO, track: Box, name: bytes) -> bytes:
    """The first bytes of the table of this name: its first entry, or the one size of all samples."""
    box = find(file, track, b"mdia", b"minf", b"stbl", name)
    if box is None:
        return b""
    return read(file, box, 8 + _DESCRIPTION_BYTES)[_DESCRIPTION_AT if name == b"stsd" else 4 :]
