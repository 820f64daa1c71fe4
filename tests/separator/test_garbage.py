"""A job's objects end with the job: none waits for the garbage collector, which hardly ever runs beside TensorFlow."""

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from consumer.core.errors import Cancelled, Rejected
from consumer.separator.dsp.network import Network
from consumer.separator.track import TrackOrder, separate_track
from harness.audio import music
from harness.files import encode_file
from tests.separator.jobs import FFMPEG


def left_by(work: Callable[[], None]) -> list[object]:
    """Our own objects, and frames of our functions, that are out of reach after this and yet not freed."""
    work()  # the first time fills caches
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        work()
        gc.collect()
        return [thing for thing in gc.garbage if "consumer." in origin(thing)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def origin(thing: object) -> str:
    return str(thing.f_globals.get("__name__") if isinstance(thing, FrameType) else type(thing).__module__)


def test_the_collector_is_watched() -> None:
    """That a circle would be found, if there were one."""

    def work() -> None:
        order = TrackOrder(path=Path(), folder=Path())
        held = [order]
        held.append(held)  # type: ignore[arg-type]

    assert [type(thing) for thing in left_by(work)] == [TrackOrder]


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({}, "done"),
        ({"format": "mp3", "bitrate": "192k"}, "done"),
        ({"start_s": 50.0}, "OFFSET_PAST_END"),
        ({"max_audio_s": 5.0}, "AUDIO_TOO_LONG"),
        ({"format": "mp3", "bitrate": "?"}, "SEPARATION_FAILED"),
        ({}, "cancelled"),
    ],
)
def test_nothing_is_left(network: Network, tmp_path: Path, options: dict[str, object], how: str) -> None:
    source = encode_file(tmp_path / "song.mp3", music(seconds=14.0))
    ends = []
    stop = threading.Event()
    if how == "cancelled":
        stop.set()

    def work() -> None:
        order = TrackOrder(**{"path": source, "folder": tmp_path, **options})  # type: ignore[arg-type]
        try:
            separate_track(order, network, FFMPEG, stop=stop)
            ends.append("done")
        except Rejected as rejected:
            ends.append(rejected.code)
        except Cancelled:
            ends.append("cancelled")

    assert left_by(work) == []
    assert ends == [how, how]
