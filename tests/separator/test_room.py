"""Room for stems: a small file may unpack to more than a disk holds, which is known before any of it is written."""

from pathlib import Path

import pytest

from consumer.core.catalog import FORMATS
from consumer.core.errors import Code, Rejected, ScratchUnavailable
from consumer.core.stem_files import most_stem_bytes, stem_bytes
from harness.audio import RATE_HZ, music
from harness.files import encode_file, write_wav
from tests.separator.jobs import Harness, job, patience

LONG_S = 50.0


class Disk:
    """See ports.Room. asked: what it was to keep free, one after the other."""

    def __init__(self, most_bytes: int, *, free_bytes: int | None = None) -> None:
        self.most_bytes = most_bytes
        self._free_bytes = most_bytes if free_bytes is None else free_bytes
        self.asked: list[int] = []

    def reserve(self, size_bytes: int) -> None:
        self.asked.append(size_bytes)
        if size_bytes > self._free_bytes:
            raise ScratchUnavailable("full")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """444 bytes that are 50 s of sound."""
    path = tmp_path / "tiny.wav"
    write_wav(path, bytes(8 * int(LONG_S)), rate_hz=8, channels=1, bits=8)
    assert path.stat().st_size < 500
    return path


def separate(separator: Harness, path: Path, disk: Disk, format: str = "wav-f32") -> list[int]:
    """The stems' sizes."""
    done = separator.client.separate(
        job(format=format), path, cancel=patience(), on_progress=lambda *_: None, room=disk
    )
    return [stem.path.stat().st_size for stem in done.stems]


def left_in(folder: Path) -> list[str]:
    """Without what a process that was ended had begun: its folder is removed, or it is written anew."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".part")


# Two stems of two channels of four bytes, at the rate of the networks.
NEEDED_BYTES = 2 * int(LONG_S * RATE_HZ * 2 * 4)


@pytest.mark.attack
def test_a_file_whose_stems_never_fit_is_refused_before_work(separator: Harness, tiny: Path) -> None:
    """A second less room than its stems need: the message's fault, and nothing was written."""
    disk = Disk(NEEDED_BYTES * 49 // 50)
    with pytest.raises(Rejected, match=r"SCRATCH_DIR holds wav-f32 stems of 49 s at most") as caught:
        separate(separator, tiny, disk)
    assert caught.value.code == Code.AUDIO_TOO_LONG
    assert disk.asked == []
    assert left_in(tiny.parent) == ["tiny.wav"]


@pytest.mark.attack
def test_a_file_whose_stems_do_not_fit_now_waits(separator: Harness, tiny: Path) -> None:
    """Where others take the room it is tried again later; no stem is there, and nothing was the file's fault."""
    disk = Disk(4 * NEEDED_BYTES, free_bytes=NEEDED_BYTES - 1)
    with pytest.raises(ScratchUnavailable):
        separate(separator, tiny, disk)
    assert left_in(tiny.parent) == ["tiny.wav"]
    assert disk.asked[0] >= NEEDED_BYTES
    separate(separator, tiny, Disk(4 * NEEDED_BYTES))


def test_room_that_is_just_enough_is_enough(separator: Harness, tiny: Path) -> None:
    """What was asked for, once and before work, holds all that was written but for headers."""
    disk = Disk(NEEDED_BYTES + 100)
    sizes = separate(separator, tiny, disk)
    assert len(disk.asked) == 1
    assert NEEDED_BYTES <= disk.asked[0] <= NEEDED_BYTES + 100
    assert NEEDED_BYTES < sum(sizes) < NEEDED_BYTES + 10_000


@pytest.mark.attack
def test_a_header_that_lies_of_more_is_no_reason_to_refuse(separator: Harness, tmp_path: Path) -> None:
    """A second of sound that claims to be an hour is separated, as long as the second fits."""
    path = tmp_path / "lying.wav"
    write_wav(path, bytes(2 * RATE_HZ), rate_hz=RATE_HZ, channels=1, bits=16, claimed_bytes=50 * 2 * RATE_HZ)
    separate(separator, path, Disk(5 * 2 * RATE_HZ * 8, free_bytes=1 << 40))


@pytest.mark.attack
def test_a_header_that_tells_nothing_is_asked_for_as_it_goes_on(separator: Harness, tmp_path: Path) -> None:
    """Sound without a length, which can't be known before, ends where its stems would no longer fit."""
    path = encode_file(tmp_path / "song.aac", music(seconds=30.0), args=("-f", "adts"))
    disk = Disk(20 * 2 * RATE_HZ * 8)
    with pytest.raises((Rejected, ScratchUnavailable), match=r"SCRATCH_DIR|full"):
        separate(separator, path, disk)
    assert left_in(tmp_path) == ["song.aac"]


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_reckoned_is_enough_for_noise(separator: Harness, tmp_path: Path, format: str) -> None:
    """Stems of noise, the worst there is for every encoder, are no larger than reckoned, but for headers."""
    import numpy as np

    noise = np.random.default_rng(1).uniform(-1, 1, size=(8 * RATE_HZ, 2)).astype(np.float32)
    path = encode_file(tmp_path / "noise.wav", noise, args=("-c:a", "pcm_f32le"))
    for size in separate(separator, path, Disk(1 << 40), format):
        assert size <= stem_bytes(format, None, 8.0) + 10_000
        assert size < most_stem_bytes(format, None, 8.0)
