"""What is told of a failure, from what ffmpeg prints of it."""

import pytest

from consumer.separator.audio.ffmpeg import reason_in

OPUS = """[libopus @ 0x55ccf7839040] The bit rate 640000 bps is unsupported.
[aost#0:0/libopus @ 0x55ccf7838440] [enc:libopus @ 0x55ccf7838f80] Error while opening encoder
[out#0/opus @ 0x55ccf78377c0] Nothing was written into output file"""
NOISE = """[in#0 @ 0x558878fff040] Format mp3 detected only with low score of 1, misdetection possible!
[in#0 @ 0x558878fff040] Failed to find two consecutive MPEG audio frames.
[in#0 @ 0x558878ffecc0] Error opening input: Invalid data found when processing input
Error opening input file file:/scratch/a/song.mp3."""


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (OPUS, "The bit rate 640000 bps is unsupported."),
        (NOISE, "Failed to find two consecutive MPEG audio frames."),
        ("\n[png @ 0x1f] Invalid PNG signature 0xFFD8FFE000104A46.", "Invalid PNG signature 0xFFD8FFE000104A46."),
        ("[a @ 0x1] [b @ 0x2] lost by c @ 0x7ffe12ab", "lost by c"),
        ("Error opening input file file:/scratch/a/song.mp3.", "no reason given"),
        ("", "no reason given"),
        ("x" * 999, "x" * 200),
    ],
)
def test_the_first_complaint_is_the_reason(printed: str, reason: str) -> None:
    """Not the last one, which only follows from it; without addresses and without names of our folders."""
    assert reason_in(printed.splitlines()) == reason
