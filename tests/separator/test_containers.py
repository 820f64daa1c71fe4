"""Containers that are not among ALLOWED_FORMATS: refused as such, though ffmpeg could open nearly all of them."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import soundfile

from consumer.core.catalog import SOURCE_FORMATS
from consumer.core.errors import Code, Rejected
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import FFmpeg
from devstack.system import provide
from harness.corpus.encoding import encode
from harness.corpus.signal import Signal

# name -> ffmpeg's output options
BY_FFMPEG: dict[str, Sequence[str]] = {
    "truehd.thd": ("-c:a", "truehd", "-strict", "-2"),
    "mlp.mlp": ("-c:a", "mlp", "-strict", "-2"),
    "dts.dts": ("-c:a", "dca", "-strict", "-2"),
    "latm.loas": ("-c:a", "aac", "-f", "latm"),
    "nut.nut": ("-c:a", "pcm_s16le"),
    "voc.voc": ("-c:a", "pcm_s16le"),
    "real-media.rm": ("-c:a", "ac3"),
    "windows-television.wtv": ("-c:a", "mp2"),
    "sox.sox": ("-c:a", "pcm_s32le"),
    "ircam.sf": ("-c:a", "pcm_s16le", "-f", "ircam"),
    "spdif.spdif": ("-c:a", "ac3", "-f", "spdif"),
    "adx.adx": (),
}
# name -> the command that makes it of a WAV file; sox without dither, since of one in twelve dithered files of GSM,
# which has no header, ffmpeg does not guess what it is
BY_OTHERS: dict[str, Sequence[str]] = {
    "musepack.mpc": ("mpcenc", "--silent", "{wav}", "{path}"),
    "gsm.gsm": ("sox", "-D", "{wav}", "-r", "8000", "-c", "1", "{path}"),
}
PACKAGES = {"mpcenc": "musepack-tools", "sox": "sox"}


@pytest.mark.parametrize("name", BY_FFMPEG)
def test_a_container_that_is_not_allowed_is_refused(name: str, tmp_path: Path) -> None:
    """What ffmpeg could decode of it does not count."""
    assert refusal_of(encode(tmp_path / name, Signal(), *BY_FFMPEG[name])) is Code.FORMAT_NOT_ALLOWED


@pytest.mark.parametrize("name", BY_OTHERS)
def test_a_container_of_other_encoders_is_refused(name: str, tmp_path: Path) -> None:
    """Musepack and GSM, of which ffmpeg makes none."""
    provide(PACKAGES)
    wav, path = tmp_path / "source.wav", tmp_path / name
    soundfile.write(wav, Signal().samples(), 44100)
    command = [part.format(wav=wav, path=path) for part in BY_OTHERS[name]]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert refusal_of(path) is Code.FORMAT_NOT_ALLOWED


def refusal_of(path: Path) -> Code:
    with pytest.raises(Rejected) as refusal, Decoder(allowing_all(), path, rate_hz=44100, max_s=60.0):
        pass
    return refusal.value.code


def allowing_all() -> FFmpeg:
    """All that a replica allows by default."""
    return FFmpeg(allowed_formats=SOURCE_FORMATS)
