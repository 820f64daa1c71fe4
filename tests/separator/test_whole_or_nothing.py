"""What bears a stem's name is whole: the stem that was there before, or the new one."""

import threading
from pathlib import Path

import pytest

from consumer.core.catalog import SOURCE_FORMATS
from consumer.core.errors import Cancelled
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.dsp.network import Network
from consumer.separator.track import TrackOrder, separate_track
from harness.audio import RATE_HZ, music
from harness.files import decode_file, encode_file


def test_a_stem_gets_its_name_when_it_is_whole(network: Network, tmp_path: Path) -> None:
    """While a track is separated, and when that ends early, an earlier stem stays; nothing half-done is left then."""
    song = encode_file(tmp_path / "song.flac", music(seconds=25))
    folder = tmp_path / "out"
    folder.mkdir()
    order, ffmpeg = TrackOrder(path=song, folder=folder), FFmpeg(allowed_formats=SOURCE_FORMATS)
    earlier = {"vocals.wav": b"vocals of before", "accompaniment.wav": b"accompaniment of before"}
    for name, content in earlier.items():
        (folder / name).write_bytes(content)
    stop, seen = threading.Event(), []

    def look(done: int, total: int | None) -> None:
        seen.append({name: (folder / name).read_bytes() for name in earlier})
        stop.set()

    with pytest.raises(Cancelled):
        separate_track(order, network, ffmpeg, on_progress=look, stop=stop)
    assert seen == [earlier]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == earlier
    separate_track(order, network, ffmpeg)
    assert sorted(path.name for path in folder.iterdir()) == sorted(earlier)
    assert [len(decode_file(folder / name)) for name in earlier] == [25 * RATE_HZ] * 2
