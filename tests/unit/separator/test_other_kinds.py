"""Files that are no sound that is opened here are refused by their names."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from consumer.core.catalog import SOURCE_FORMATS
from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.audio.other_kinds import other_kind
from consumer.separator.audio.probe import probe
from devstack.system import provide
from harness.corpus.signal import Signal
from harness.files import ffmpeg

FFMPEG = FFmpeg(allowed_formats=SOURCE_FORMATS)
NAMES = {
    b"tBaK\1\x0a\0\0": "TAK",
    b"MP+\x07": "Musepack",
    b"MPCKSH": "Musepack",
    b"DSD \x1c\0\0\0\0\0\0\0": "DSD (DSF)",
    b"FRM8\0\0\0\0\0\0\1\0DSD FVER": "DSD (DSDIFF)",
    b"qoaf\0\0\xac\x44": "QOA",
    b"ea3\3\0\0\0\0\0\0": "ATRAC (OpenMG)",
    b"\0\x08\0\0": "ATRAC (AEA)",
    b"ajkg\2": "Shorten",
    b"OFR \x0f\0\0\0": "OptimFROG",
    b"LA04": "LA",
    b".RMF\0\0\0\x12": "RealMedia",
    b"Creative Voice File\x1a\x1a\0": "Creative Voice",
    b"MThd\0\0\0\6\0\1": "MIDI",
    b"\x7f\xfe\x80\x01": "DTS",
    b"NIST_1A\n   1024\n": "NIST SPHERE",
    b"PK\3\4": "archive",
    b"%PDF-1.7": "PDF",
    b"\xff\xd8\xff\xe0": "JPEG (a picture)",
}


@pytest.mark.parametrize("begin", NAMES, ids=NAMES.values())
@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\0\x14" + bytes(20)], ids=["plain", "behind a tag"])
def test_a_kind_is_told_by_its_first_bytes(begin: bytes, tag: bytes, tmp_path: Path) -> None:
    """Each by the bytes that its own description begins a file with, also behind an ID3 tag."""
    path = tmp_path / "song"
    path.write_bytes(tag + begin + bytes(3000))
    assert other_kind(path) == NAMES[begin]


@pytest.mark.parametrize("begin", [b"TAK", b"fLaC", b"RIFF\0\0\0\0WAVE", b"\xff\xfb\x90\x64", b"", b"ID3\4"])
def test_what_may_be_a_song_has_no_other_name(begin: bytes, tmp_path: Path) -> None:
    """Damaged songs are for ffmpeg to look at."""
    (tmp_path / "song").write_bytes(begin + bytes(3000))
    assert other_kind(tmp_path / "song") is None


def _musepack(folder: Path) -> Path:
    provide({"mpcenc": "musepack-tools"})
    soundfile.write(folder / "song.wav", Signal().samples(), 44100)
    command = ["mpcenc", str(folder / "song.wav"), str(folder / "song.mpc")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder / "song.mpc"


def _by_ffmpeg(name: str, *options: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5:sample_rate=44100", *options, str(folder / name))
        return folder / name

    return make


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (_musepack, "Musepack"),
        (_by_ffmpeg("song.dts", "-ar", "48000", "-c:a", "dca", "-strict", "-2"), "DTS"),
        (_by_ffmpeg("song.thd", "-ar", "48000", "-strict", "-2"), "TrueHD"),
        (_by_ffmpeg("song.voc"), "Creative Voice"),
        (_by_ffmpeg("song.sox"), "SoX's own"),
        (_by_ffmpeg("song.sf", "-f", "ircam"), "IRCAM"),
        (_by_ffmpeg("song.rm", "-c:a", "ac3"), "RealMedia"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_real_files_are_refused_by_name(make: Callable[[Path], Path], name: str, tmp_path: Path) -> None:
    """As their encoders write them, with the code for containers that are not opened."""
    with pytest.raises(Rejected, match=rf"files of the kind {name} are not opened here") as refusal:
        probe(FFMPEG, make(tmp_path))
    assert refusal.value.code is Code.FORMAT_NOT_ALLOWED
