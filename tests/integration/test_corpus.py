"""A sample of the corpus through the whole service: each file ends as what it holds says, and none ends a replica."""

from pathlib import Path

import pytest

from consumer.core.errors import UNEXPECTED, Code
from consumer.core.events import DeadLetter, SeparationResult
from devstack.system import provide
from harness.corpus.catalogue import catalogue
from harness.corpus.decoders import PACKAGES
from harness.corpus.specimen import Truth
from harness.platform import Platform

# name -> the stems' format. Covers and tags go into formats that hold them.
SAMPLE = {
    "wave/riff-s24.wav": "wav", "wave/rifx-f32.wav": "flac", "wave/extensible-riff-24-in-32.wav": "wav",
    "wave/wave64-data-0.w64": "wav", "wave/size-both-unknown.wav": "wav", "wave/size-rf64-all-0.wav": "wav",
    "wave/id3-in-front.wav": "mp3", "wave/no-samples.wav": "wav", "wave/no-format.wav": "wav",
    "wave/impossible-no-channels.wav": "wav", "apple/aifc-sowt.aifc": "wav", "apple/size-frames-unknown.aiff": "wav",
    "apple/size-all-unknown.aiff": "opus", "apple/impossible-no-channels.aiff": "wav", "apple/f64-le.caf": "wav",
    "sun/27-alaw.au": "wav", "sun/no-samples.au": "wav", "sun/impossible-encoding-99.au": "wav",
    "channels/unnamed-64.wav": "wav", "channels/mask-0-13.wav": "wav", "channels/named-5.1.wav": "m4a",
    "channels/opus-6.opus": "wav", "rates/8000.mp3": "wav", "rates/384000.wav": "wav", "rates/11024.flac": "flac",
    "lengths/1.wav": "wav", "lengths/16.flac": "flac", "lengths/1152.mp3": "mp3", "lengths/two-minutes.wav": "wav",
    "ogg/gain-minus-6-db.opus": "wav", "ogg/chained-opus.opus": "wav", "mpeg/no-xing.mp3": "wav",
    "movies/aac-fragments.mp4": "wav", "movies/opus-live.webm": "wav", "movies/aac-with-video.mp4": "wav",
    "broadcast/mp2.ts": "wav", "broadcast/wma2.wma": "wav", "broadcast/narrow-band.amr": "wav",
    "damage/half-of-mp3.mp3": "wav", "damage/noise.mp4": "wav", "damage/nothing.mp3": "wav",
    "accessories/cover-html.mp3": "mp3", "accessories/cover-webp.flac": "flac", "accessories/cover-cut.mp3": "flac",
    "accessories/cover-gif.m4a": "m4a", "accessories/title-long.flac": "mp3", "accessories/title-emoji.m4a": "m4a",
}  # fmt: skip
MODEL_RATE_HZ = 44100


def test_a_sample_of_the_corpus_ends_as_it_should(platform: Platform, tmp_path: Path) -> None:
    """What holds sound becomes stems of its length, what holds none gets its code; one replica does it all, and none of
    the files takes it for a fault of its own.
    """
    provide(PACKAGES)
    corpus = catalogue()
    platform.start_replica().wait_ready()
    asked = {}
    for number, (name, output_format) in enumerate(SAMPLE.items()):
        path = tmp_path / f"{number}-{name.rpartition('/')[2]}"
        corpus[name].make(path)
        asked[platform.request(platform.upload(path), output_format=output_format).request_id] = name

    outcomes = {asked[outcome.request_id or ""]: outcome for outcome in platform.outcomes(len(SAMPLE))}

    assert set(outcomes) == set(SAMPLE)
    letters = {name: one for name, one in outcomes.items() if isinstance(one, DeadLetter)}
    assert not {name: one.message for name, one in letters.items() if one.code in UNEXPECTED}
    expected = {name: corpus[name].holds for name in SAMPLE}
    assert {name: one.code for name, one in letters.items()} == {
        name: holds for name, holds in expected.items() if isinstance(holds, Code)
    }, letters
    for name, outcome in outcomes.items():
        holds = expected[name]
        if isinstance(outcome, SeparationResult):
            assert isinstance(holds, Truth)
            assert_has_length_of(outcome, holds)
    assert [replica.process.poll() for replica in platform.replicas] == [None]
    platform.replicas[0].wait_ready()


def assert_has_length_of(result: SeparationResult, holds: Truth) -> None:
    """Source and stems are as long as the sound in the file."""
    signal, slack = holds.signal, holds.precision.length_frames
    wanted_s = (signal.frames + holds.late_frames) / signal.rate_hz
    tolerance_s = slack / signal.rate_hz + 1.5 / MODEL_RATE_HZ
    assert result.source.channels == signal.channels
    assert result.source.duration_s == pytest.approx(wanted_s, abs=tolerance_s)
    assert {stem.name for stem in result.stems} == {"vocals", "accompaniment"}
    for stem in result.stems:
        assert stem.duration_s == result.source.duration_s
