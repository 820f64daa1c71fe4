"""Damaged files: what can't be decoded is silence of its length, what lies behind stays in its place, and it is told.

What is right is known from the sound file before it was damaged.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from mutagen.apev2 import APEv2

from consumer.core.errors import Code, Rejected
from harness.audio import RATE_HZ
from harness.files import encode_file
from tests.separator.decoding import decoded, delay_of, noise
from tests.separator.jobs import Harness

SONG_S = 12.0


def flip(data: bytearray, random: Random) -> None:
    """A few single bits."""
    for _ in range(3):
        data[random.randrange(len(data) // 4, len(data) // 2)] ^= 1 << random.randrange(8)


def blank(data: bytearray, random: Random) -> None:
    """A lost sector."""
    place = random.randrange(len(data) // 4, len(data) // 2)
    data[place : place + 512] = bytes(512)


def scramble(data: bytearray, random: Random) -> None:
    """A block of something else."""
    place = random.randrange(len(data) // 4, len(data) // 2)
    data[place : place + 4096] = random.randbytes(4096)


DAMAGE: dict[str, Callable[[bytearray, Random], None]] = {"bits": flip, "sector": blank, "block": scramble}
CLUSTERS = ("-cluster_time_limit", "1000")
# Their containers, or their frames, say where samples lie.
TIMED: dict[str, tuple[str, Sequence[str]]] = {
    "flac": ("flac", ()),
    "flac-24-bit": ("flac", ("-sample_fmt", "s32", "-ar", "96000")),
    "vorbis": ("ogg", ("-c:a", "libvorbis")),
    "opus": ("opus", ()),
    "flac-in-ogg": ("oga", ("-c:a", "flac")),
    "m4a": ("m4a", ()),
    "alac": ("m4a", ("-c:a", "alac")),
    "wavpack": ("wv", ()),
    "wma": ("wma", ()),
    "matroska": ("mkv", ("-c:a", "aac", *CLUSTERS)),
    "webm": ("webm", ("-c:a", "libopus", *CLUSTERS)),
    "mpegts": ("ts", ("-c:a", "aac")),
    "mpeg": ("mpg", ()),
}
# Frames one behind the other: what can't be recognised as one leaves no trace.
UNTIMED: dict[str, tuple[str, Sequence[str]]] = {"mp3": ("mp3", ()), "adts": ("aac", ()), "ac3": ("ac3", ())}


def damaged(folder: Path, kind: tuple[str, Sequence[str]], how: str, seed: int) -> tuple[Path, Path]:
    extension, args = kind
    whole = encode_file(folder / f"whole.{extension}", noise(SONG_S), args=args)
    data = bytearray(whole.read_bytes())
    DAMAGE[how](data, Random(seed))
    path = folder / f"damaged.{extension}"
    path.write_bytes(data)
    return whole, path


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("kind", TIMED.values(), ids=TIMED)
def test_what_lies_behind_damage_stays_in_its_place(
    kind: tuple[str, Sequence[str]], how: str, seed: int, tmp_path: Path
) -> None:
    """The file is as long as before, its last third is where it was, and if anything differs, that is told."""
    whole, path = damaged(tmp_path, kind, how, seed)
    wanted, _ = decoded(whole)
    samples, warnings = decoded(path)
    assert abs(len(samples) - len(wanted)) <= 0.002 * RATE_HZ
    start, count = 9 * RATE_HZ, 2 * RATE_HZ
    assert abs(delay_of(samples, wanted, start=start, count=count)) <= 0.002 * RATE_HZ
    if (samples == 0).all(axis=1).sum() > (wanted == 0).all(axis=1).sum() + 100:
        assert any("complained" in warning or "missing" in warning for warning in warnings)


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("kind", UNTIMED.values(), ids=UNTIMED)
def test_frames_without_times_are_lost_where_they_can_not_be_recognised(
    kind: tuple[str, Sequence[str]], how: str, tmp_path: Path
) -> None:
    """No more is lost than was damaged: 4096 bytes are a quarter of a second at 128 kb/s, and a frame either side."""
    whole, path = damaged(tmp_path, kind, how, 1)
    wanted, _ = decoded(whole)
    samples, warnings = decoded(path)
    assert 0 <= len(wanted) - len(samples) <= 0.4 * RATE_HZ
    assert -0.4 * RATE_HZ <= delay_of(samples, wanted, start=9 * RATE_HZ, count=RATE_HZ, most=20_000) <= 0
    if len(samples) != len(wanted):
        assert warnings


@pytest.mark.parametrize("extension", ["flac", "wv", "tta"])
def test_a_wrong_checksum_is_heeded(extension: str, tmp_path: Path) -> None:
    """One bit is wrong somewhere in the samples: its frame is silent, as the format's own decoder has it, and not
    noise; all others are as they were.
    """
    whole = encode_file(tmp_path / f"whole.{extension}", noise(SONG_S))
    data = bytearray(whole.read_bytes())
    data[len(data) // 2] ^= 0x10
    (tmp_path / f"bit.{extension}").write_bytes(data)
    wanted, _ = decoded(whole)
    samples, warnings = decoded(tmp_path / f"bit.{extension}")
    assert samples.shape == wanted.shape
    differ = np.flatnonzero((samples != wanted).any(axis=1))
    assert len(differ) > 0
    assert differ[-1] - differ[0] < 1.1 * RATE_HZ  # a frame of TTA
    assert not samples[differ].any()
    assert [warning.partition(":")[0] for warning in warnings[:1]] == ["the decoder complained, and went on"]
    assert "missing in the file" in warnings[1]


@pytest.mark.parametrize("extension", ["flac", "mp3", "ogg", "wav", "m4a"])
def test_a_span_before_the_damage_is_whole(extension: str, tmp_path: Path) -> None:
    """Only what was looked for is told of: a span that ends before the damage equals that of the sound file."""
    whole, path = damaged(tmp_path, (extension, ("-c:a", "libvorbis") if extension == "ogg" else ()), "sector", 3)
    assert np.array_equal(decoded(path, duration_s=1.5)[0], decoded(whole, duration_s=1.5)[0])


def test_more_than_half_is_too_much(tmp_path: Path) -> None:
    """Most frames of this file are noise to its decoder: what remains is no song."""
    whole = encode_file(tmp_path / "whole.flac", noise(SONG_S))
    data = bytearray(whole.read_bytes())
    for place in range(len(data) // 5, len(data) * 9 // 10, 5000):
        data[place] ^= 0xFF
    (tmp_path / "broken.flac").write_bytes(data)
    with pytest.raises(Rejected, match=r"half of the audio can't be decoded|gave up") as refusal:
        decoded(tmp_path / "broken.flac")
    assert refusal.value.code is Code.AUDIO_UNDECODABLE


def test_damage_is_told_in_the_result(separator: Harness, tmp_path: Path) -> None:
    """Through the whole separator: the stems are as long as the song, and the warnings say why some of it is silent."""
    _, path = damaged(tmp_path, ("flac", ()), "sector", 1)
    separation = separator.separate(path)
    assert separation.audio.duration_s == SONG_S
    complaint, missing = separation.warnings
    assert complaint.startswith("the decoder complained, and went on: ")
    assert "0x" not in complaint
    assert missing.endswith("they are silence")


@pytest.mark.parametrize("extension", ["mp3", "flac", "wv"])
@pytest.mark.parametrize("with_ape", [False, True], ids=["id3v1", "apev2"])
def test_tags_behind_the_sound_are_no_damage(extension: str, with_ape: bool, tmp_path: Path) -> None:
    """Nor are they sound: APEv2 as mutagen writes it, ID3v1 as its 128 bytes are, and both."""
    path = encode_file(tmp_path / f"song.{extension}", noise(2.0))
    wanted, _ = decoded(path)
    if with_ape:
        tag = APEv2()
        tag["Comment"] = "a long one " * 500
        tag.save(path)
    path.write_bytes(path.read_bytes() + b"TAG" + b"a title".ljust(124, b"\0") + b"\x0c")
    samples, warnings = decoded(path)
    assert np.array_equal(samples, wanted)
    assert warnings == ()
