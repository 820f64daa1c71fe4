"""Channels: one, two or many, whatever they are called, and wherever their number changes within a file.

Each channel of an input has a tone of its own, so what is heard on either side tells which channels arrived there.
"""

import stat
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from consumer.core.catalog import SOURCE_FORMATS
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import FFmpeg, bundled_binary
from consumer.separator.audio.mixdown import STANDARD, stereo_filters
from consumer.separator.audio.probe import probe
from harness.audio import RATE_HZ
from harness.files import Samples, ffmpeg, write_wav
from tests.separator.jobs import FFMPEG

LEVEL = 0.5
LFE = {"LFE", "LFE2"}
AMBISONIC_RATE_HZ = 48000  # Opus has no other


def listed() -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Channels and layouts that the bundled ffmpeg can name."""
    channels, layouts = ffmpeg("-layouts").decode().split("Standard channel layouts:")
    names = [line.split()[0] for line in channels.splitlines()[2:] if line.strip()]
    rows = [line.split() for line in layouts.splitlines()[2:] if line.strip()]
    return names, {name: tuple(parts.split("+")) for name, parts in rows}


CHANNELS, LAYOUTS = listed()


def tones(count: int, *, rate_hz: int = RATE_HZ, first: int = 0) -> Samples:
    """A second of so many channels, each with its own tone."""
    frequencies_hz = frequency_hz(first + np.arange(count))
    t = np.arange(rate_hz)[:, None] / rate_hz
    samples: Samples = (LEVEL * np.sin(2 * np.pi * frequencies_hz * t)).astype(np.float32)
    return samples


def frequency_hz(channel: NDArray[np.int_]) -> NDArray[np.int_]:
    return 300 + 100 * channel


def heard(samples: Samples, count: int, *, first: int = 0) -> Samples:
    """How much of each channel's tone is on either side of a second of sound: (channels, 2), 1 for all of it."""
    spectrum = np.abs(np.fft.rfft(samples[:RATE_HZ], axis=0)) / (RATE_HZ / 2)
    return (spectrum[frequency_hz(first + np.arange(count))] / LEVEL).astype(np.float32)


def mixed(samples: Samples, layout: str, args: tuple[str, ...]) -> Samples:
    """What ffmpeg makes of these samples in this layout."""
    source = ("-f", "f32le", "-ar", str(RATE_HZ), "-ch_layout", layout, "-i", "pipe:0")
    out = ffmpeg(*source, *args, "-f", "f32le", "pipe:1", feed=samples.astype("<f4").tobytes())
    return np.frombuffer(out, "<f4").reshape(-1, 2)


def decoded(path: Path, seconds: float = 20.0) -> Samples:
    with Decoder(FFMPEG, path, rate_hz=RATE_HZ, max_s=60.0) as decoder:
        return decoder.read(round(seconds * RATE_HZ))


def as_described(names: tuple[str, ...]) -> str:
    """As ffmpeg calls a layout that is not one of its own."""
    return f"{len(names)} channels ({'+'.join(names)})"


def test_the_table_is_ffmpegs() -> None:
    """Every layout that the bundled ffmpeg has a name for is known, with its channels in their order."""
    assert STANDARD == LAYOUTS


@pytest.mark.parametrize("pair", [*zip(CHANNELS, CHANNELS[1:] + CHANNELS[:1], strict=True)], ids="+".join)
def test_two_channels_stay_as_they_are(pair: tuple[str, str]) -> None:
    """Whatever they are called, the first is left and the second right, bit for bit."""
    source = tones(2)
    for names in (pair, pair[::-1]):
        filters = stereo_filters(as_described(names), 2)
        assert np.array_equal(mixed(source, "+".join(names), ("-af", filters)), source)


@pytest.mark.parametrize(
    "pair", ["BL+BR", "SL+SR", "FLC+FRC", "FL+FC", "FC+LFE", "LFE+FC", "DL+DR", "FR+FL", "BIL+BIR"]
)
@pytest.mark.parametrize("container", ["wav", "mov", "caf", "mka", "flac", "w64"])
def test_two_channels_of_a_file_stay_as_they_are(tmp_path: Path, pair: str, container: str) -> None:
    """In every container, whether it keeps the names or not."""
    source = tones(2)
    path = tmp_path / f"song.{container}"
    codec = "flac" if container == "flac" else "pcm_f32le"
    raw = source.astype("<f4").tobytes()
    args = ("-f", "f32le", "-ar", str(RATE_HZ), "-ch_layout", pair, "-i", "pipe:0", "-c:a", codec)
    ffmpeg(*args, "-sample_fmt", "s16" if codec == "flac" else "flt", "-strict", "-2", f"file:{path}", feed=raw)
    assert np.abs(decoded(path) - source).max() <= (0.51 / 2**15 if codec == "flac" else 0.0)


@pytest.mark.parametrize("name", CHANNELS)
def test_one_channel_is_heard_on_both_sides(name: str) -> None:
    """As loud as it is, whatever it is called."""
    source = tones(1)
    layout = "mono" if name == "FC" else as_described((name,))
    assert np.array_equal(mixed(source, name, ("-af", stereo_filters(layout, 1))), np.repeat(source, 2, axis=1))


@pytest.mark.parametrize("layout", [name for name, parts in LAYOUTS.items() if len(parts) > 2])
def test_no_channel_of_a_layout_is_lost(layout: str) -> None:
    """Left ones are heard on the left, right ones on the right, those between on both sides; in any order."""
    for names in (LAYOUTS[layout], LAYOUTS[layout][::-1]):
        called = layout if names == LAYOUTS[layout] else as_described(names)
        mix = mixed(tones(len(names)), "+".join(names), ("-af", stereo_filters(called, len(names))))
        for name, (left, right) in zip(names, heard(mix, len(names)), strict=True):
            if name in LFE:
                assert max(left, right) < 1e-3
            elif name.endswith("L") or name == "FLC":
                assert left > 0.45 > 1e-3 > right, name
            elif name.endswith("R") or name == "FRC":
                assert right > 0.45 > 1e-3 > left, name
            else:
                assert left == pytest.approx(right, abs=1e-3)
                assert left > 0.45


@pytest.mark.parametrize(
    "layout", ["3.0", "4.0", "quad", "5.0", "5.1", "5.1(side)", "6.1", "7.1", "7.1(wide)", "7.1.2"]
)
def test_common_layouts_are_mixed_as_by_ffmpeg(layout: str) -> None:
    """Weights are those of ffmpeg's own mix to stereo, in whichever order the channels lie."""
    names = LAYOUTS[layout]
    source = tones(len(names))
    theirs = mixed(source, layout, ("-ac", "2"))
    assert np.abs(mixed(source, layout, ("-af", stereo_filters(layout, len(names)))) - theirs).max() < 1e-5
    order = np.roll(np.arange(len(names)), 1)
    turned = tuple(names[number] for number in order)
    ours = mixed(source[:, order], "+".join(turned), ("-af", stereo_filters(as_described(turned), len(names))))
    assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.parametrize("channels", [1, 2, 9, 33, 63, 64])
def test_any_number_of_channels(tmp_path: Path, channels: int) -> None:
    """Without names, even ones go left and odd ones right, in equal parts, up to 64 of them."""
    source = tones(channels)
    pcm = np.rint(source * 32767).astype("<i2")
    path = tmp_path / "song.wav"
    write_wav(path, pcm.tobytes(), rate_hz=RATE_HZ, channels=channels, bits=16)
    mix = heard(decoded(path), channels)
    for side in (0, 1):
        members = range(channels) if channels == 1 else range(side, channels, 2)
        assert mix[list(members), side] == pytest.approx(1 / len(members), rel=0.01)
        assert mix[[n for n in range(channels) if n not in members], side].max(initial=0.0) < 1e-3


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("beside", [0, 2])
def test_ambisonic_sound_is_heard_whole(tmp_path: Path, order: int, beside: int) -> None:
    """Each component is heard, and of stereo beside it each channel on its own side, as it is."""
    components = (order + 1) ** 2
    raw = tones(components + beside, rate_hz=AMBISONIC_RATE_HZ).astype("<f4").tobytes()
    layout = f"ambisonic {order}" + ("+stereo" if beside else "")
    path = tmp_path / "scene.opus"
    source = ("-f", "f32le", "-ar", str(AMBISONIC_RATE_HZ), "-ch_layout", layout, "-i", "pipe:0")
    ffmpeg(*source, "-c:a", "libopus", "-mapping_family", "2", "-b:a", "1000k", f"file:{path}", feed=raw)
    assert probe(FFMPEG, path).channels == components + beside
    mix = heard(decoded(path), components + beside)
    assert mix[:components].min() > 0.008
    assert mix[components:] == pytest.approx(np.eye(beside, 2), abs=0.05)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_an_ambisonic_source_is_heard_where_it_is(order: int) -> None:
    """A source on the left is louder there, one in front as loud on both sides, and none is inverted.

    Its components are as the ambiX format has them for first order, and as products of these for the higher ones.
    """
    for azimuth_deg, louder in ((90, 0), (0, None), (-90, 1), (180, None)):
        y, x = np.sin(np.radians(azimuth_deg)), np.cos(np.radians(azimuth_deg))
        z = 0.0
        components = [1.0, y, z, x]
        root3 = np.sqrt(3.0)
        components += [root3 * x * y, 0.0, -0.5, 0.0, root3 / 2 * (x * x - y * y)]
        components += [
            *(np.sqrt(5 / 8) * y * (3 * x * x - y * y), 0.0, np.sqrt(3 / 8) * -y, 0.0, np.sqrt(3 / 8) * -x, 0.0),
            np.sqrt(5 / 8) * x * (x * x - 3 * y * y),
        ]
        count = (order + 1) ** 2
        scene = np.array(components[:count], np.float32) * tones(1)
        mix = mixed(scene, f"ambisonic {order}", ("-af", stereo_filters(f"ambisonic {order}", count)))
        gains = mix.T @ tones(1)[:, 0] / np.sum(tones(1)[:, 0] ** 2)
        assert gains.min() > 0.0
        if louder is None:
            assert gains[0] == pytest.approx(gains[1], abs=1e-4)
        else:
            assert gains[louder] > 2 * gains[1 - louder]


@pytest.mark.parametrize(
    ("extension", "first", "second"),
    [
        *((extension, *pair) for extension in ("mp3", "ts") for pair in (("mono", "stereo"), ("stereo", "mono"))),
        *((extension, *pair) for extension in ("aac", "ac3") for pair in permutations(("mono", "stereo", "5.1"), 2)),
    ],
)
def test_channels_may_change_within_a_file(tmp_path: Path, extension: str, first: str, second: str) -> None:
    """Each part is heard as it is, whatever the part before it had."""
    parts: list[bytes] = []
    offset = 0
    for layout in (first, second):
        samples = np.tile(tones(len(LAYOUTS[layout]), first=offset), (3, 1)) * np.float32(0.3)
        offset += len(LAYOUTS[layout])
        path = tmp_path / f"{len(parts)}.{extension}"
        raw = samples.astype("<f4").tobytes()
        source = ("-f", "f32le", "-ar", str(RATE_HZ), "-ch_layout", layout, "-i", "pipe:0", "-b:a", "192k")
        ffmpeg(*source, *(("-write_xing", "0") if extension == "mp3" else ()), f"file:{path}", feed=raw)
        parts.append(path.read_bytes())
    whole = tmp_path / f"song.{extension}"
    whole.write_bytes(b"".join(parts))
    mix = decoded(whole)
    assert len(mix) / RATE_HZ == pytest.approx(6.0, abs=0.25)
    offset = 0
    for at_s, layout in ((1, first), (4, second)):
        names = LAYOUTS[layout]
        found = heard(mix[at_s * RATE_HZ :], len(names), first=offset) / 0.3
        offset += len(names)
        for name, gains in zip(names, found, strict=True):
            if layout == "mono":
                assert gains == pytest.approx([1.0, 1.0], abs=0.1)
            elif layout == "stereo":
                assert gains == pytest.approx([float(name == "FL"), float(name == "FR")], abs=0.1)
            elif name not in LFE:
                assert gains.max() > 0.4


def test_a_layout_that_nobody_knows_is_so_many_channels(tmp_path: Path) -> None:
    """A name of another ffmpeg's costs nothing: its channels are counted, and treated as those without names."""
    path, source = tmp_path / "song.wav", tones(5)
    pcm = np.rint(source * 32767).astype("<i2")
    write_wav(path, pcm.tobytes(), rate_hz=RATE_HZ, channels=5, bits=16)
    strange = tmp_path / "ffmpeg"
    renames = 'sed "s/5 channels/pentagon/" "$0.said" >&2'
    strange.write_text(f'#!/bin/sh\n"{bundled_binary()}" "$@" 2>"$0.said"\ncode=$?\n{renames}\nexit $code\n')
    strange.chmod(strange.stat().st_mode | stat.S_IXUSR)
    found = probe(FFmpeg(binary=str(strange), allowed_formats=SOURCE_FORMATS), path)
    assert (found.layout, found.channels) == ("pentagon", 5)
    mix = heard(mixed(source, "5 channels", ("-af", stereo_filters(found.layout, found.channels))), 5)
    assert mix == pytest.approx(np.array([[1 / 3, 0], [0, 1 / 2]] * 3)[:5], abs=1e-3)
