"""Scripts written for Spleeter, on this engine: beside Spleeter's own Separator, and what it has no good answer to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spleeter.audio import Codec as SpleetersCodec
from spleeter.separator import Separator as SpleetersSeparator

from bench.one_import import OURS, SPLEETERS, scripts
from consumer.separator import AudioAdapter, Codec, FFMPEGProcessAudioAdapter, Separator, SpleeterError, STFTBackend
from harness.audio import error_db, music_samples, pcm16
from harness.files import decode_file, describe, encode_file, write_float_wav
from tests.separator.reference import KeptSeparator, Samples, write_configuration

MOST_ERROR_DB, LEAST_IDENTICAL = -90.0, 0.995  # as in test_equality
SECOND, SEGMENT = 44100, 512 * 1024
STEMS = ("vocals", "accompaniment")


@pytest.fixture(scope="module")
def configuration(narrow_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the narrow 2stems, by its absolute path."""
    return write_configuration(tmp_path_factory.mktemp("configuration") / "narrow.json", "2stems", narrow_models)


@pytest.fixture(scope="module")
def ours(configuration: Path) -> Separator:
    return Separator(str(configuration))


@pytest.fixture(scope="module")
def spleeters(configuration: Path) -> Iterator[KeptSeparator]:
    kept = KeptSeparator(configuration)
    yield kept
    kept.close()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of mp3."""
    return encode_file(tmp_path_factory.mktemp("a folder") / "a song.mp3", music_samples(3 * SECOND))


def assert_same(got: dict[str, Samples], wanted: dict[str, Samples]) -> None:
    assert list(got) == list(wanted)
    for name, stem in wanted.items():
        assert (got[name].shape, got[name].dtype) == (stem.shape, stem.dtype)
        assert got[name].flags.writeable
        if len(stem):
            assert error_db(got[name], stem) < MOST_ERROR_DB


WAVEFORMS = {
    "empty": music_samples(0),
    "empty, of one channel": music_samples(0)[:, :1],
    "one sample": music_samples(1),
    "half a frame": music_samples(512),
    "more than a segment": music_samples(SEGMENT + 5000),
    "one channel": music_samples(SECOND)[:, :1],
    "three channels": np.concatenate([music_samples(SECOND), music_samples(SECOND, seed=2)[:, :1]], axis=1),
    "column after column": np.asfortranarray(music_samples(SECOND)),
    "every other sample": music_samples(2 * SECOND)[::2],
    "of the other byte order": music_samples(SECOND).astype(">f4"),
    "louder than full scale": music_samples(SECOND) * np.float32(5),
}


@pytest.mark.parametrize("name", WAVEFORMS)
def test_stems_of_a_waveform_are_spleeters(name: str, ours: Separator, spleeters: KeptSeparator) -> None:
    """Names, order, shape, type and numbers, whatever the array's length, channels and layout."""
    waveform = WAVEFORMS[name]
    before = waveform.copy()
    assert_same(ours.separate(waveform, "a description"), spleeters.separate(waveform, "a description"))
    assert np.array_equal(waveform, before)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats_are_taken_for_what_they_are(dtype: str, ours: Separator) -> None:
    """Spleeter fails at them."""
    waveform = music_samples(SECOND).astype(dtype)
    wanted = ours.separate(waveform.astype(np.float32))
    assert all(np.array_equal(stem, wanted[name]) for name, stem in ours.separate(waveform).items())


@pytest.mark.parametrize(
    "waveform",
    [np.zeros(100, np.float32), np.zeros((100, 2), np.int16), np.zeros((9, 9, 2), np.float32),
     np.zeros((9, 0), np.float32), np.zeros((9, 2), np.complex64), "song.mp3", None],
    ids=["1-d", "integers", "3-d", "no-channel", "complex", "a-path", "none"],
)  # fmt: skip
def test_what_is_no_waveform_is_refused(waveform: Any, ours: Separator) -> None:
    """With what it has to be, and what came."""
    with pytest.raises(SpleeterError, match=r"waveform must be floats \(samples, channels\), not "):
        ours.separate(waveform)


def test_numbers_that_are_none_harm_nothing_after_them(ours: Separator, spleeters: KeptSeparator) -> None:
    """NaN comes out as NaN, as of Spleeter; the next waveform is as if nothing had been."""
    broken = music_samples(SECOND)
    broken[100] = np.nan
    assert all(np.isnan(stem).any() for stem in ours.separate(broken).values())
    waveform = music_samples(SECOND)
    assert_same(ours.separate(waveform), spleeters.separate(waveform))


CONFIGURATIONS: list[dict[str, Any]] = [
    {"T": 192, "F": 512, "frame_length": 2048, "frame_step": 512, "separation_exponent": 1,
     "mask_extension": "average"},
    {"T": 128, "F": 1536, "frame_step": 2048, "sample_rate": 22050, "instrument_list": ["solo", "rest"]},
    {"T": 64, "F": 64, "model": {"type": "unet.softmax_unet", "params": {
        "conv_n_filters": [4, 8, 8, 8, 8, 8], "conv_activation": "ReLU", "deconv_activation": "LeakyReLU"}}},
]  # fmt: skip


@pytest.mark.parametrize("changes", CONFIGURATIONS, ids=["other-spectrum", "few-frames", "other-network"])
def test_a_configuration_of_ones_own_is_heeded(changes: dict[str, Any], configuration: Path, tmp_path: Path) -> None:
    """Every value that Spleeter itself heeds, whichever runtime it takes."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(json.loads(configuration.read_text()) | changes))
    waveform = music_samples(2 * SECOND)
    wanted = SpleetersSeparator(str(path), multiprocess=False).separate(waveform)
    wanted = {name: wanted[name] for name in wanted}
    assert_same(Separator(path).separate(waveform), wanted)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"model": {"type": "blstm.blstm", "params": {}}}, "model.type"),
        ({"model": {"type": "unet.unet"}}, "model.params"),
        ({"model": {"params": {"conv_n_filters": [4, 8]}}}, "model.params.conv_n_filters"),
        ({"model": {"params": {"conv_n_filters": [4, 8, 8, 8, 8, 0]}}}, "conv_n_filters"),
        ({"model": None}, "model"),
        ({"n_channels": 1}, "n_channels"),
        ({"T": 500}, "T"),
        ({"T": "512"}, "T"),
        ({"F": 1000}, "F"),
        ({"F": 4096}, "F"),
        ({"frame_length": 3000}, "frame_length"),
        ({"frame_step": 1000}, "frame_step"),
        ({"separation_exponent": 1.5}, "separation_exponent"),
        ({"mask_extension": "ones"}, "mask_extension"),
        ({"instrument_list": []}, "instrument_list"),
        ({"instrument_list": ["../up", "down"]}, "instrument_list"),
        ({"sample_rate": "44100"}, "sample_rate"),
        ({"model_dir": 5}, "model_dir"),
    ],
    ids=str,
)
def test_what_a_configuration_can_not_have_is_named(
    changes: dict[str, Any], key: str, configuration: Path, tmp_path: Path
) -> None:
    """By its key, as soon as the Separator is made."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(json.loads(configuration.read_text()) | changes))
    with pytest.raises(SpleeterError, match=rf"(^|\W){key}\W"):
        Separator(str(path))


KEYS = (
    "model", "model_dir", "n_channels", "T", "F", "frame_length", "frame_step", "sample_rate", "instrument_list",
    "separation_exponent", "mask_extension",
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_what_a_configuration_lacks_is_named(key: str, configuration: Path, tmp_path: Path) -> None:
    """By its key."""
    path = tmp_path / "mine.json"
    params = json.loads(configuration.read_text())
    del params[key]
    path.write_text(json.dumps(params))
    with pytest.raises(SpleeterError, match=rf"\W{key}\W.*missing"):
        Separator(str(path))


@pytest.mark.parametrize(
    ("descriptor", "words"),
    [
        ("spleeter:7stems", "No embedded configuration 7stems found; there are 2stems"),
        ("no-such.json", "Configuration file no-such.json not found"),
        (__file__, "can't be read"),
        (str(Path(__file__).parent), "can't be read"),
    ],
)
def test_what_names_no_model_is_refused(descriptor: str, words: str) -> None:
    """A name that is not Spleeter's, a file that is not there, one that is no configuration."""
    with pytest.raises(SpleeterError, match=words):
        Separator(descriptor)


def test_missing_weights_are_told_with_their_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And with how to get them; nothing is fetched, and no folder is made."""
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "weights"))
    separator = Separator("spleeter:4stems")
    with pytest.raises(SpleeterError, match=rf"{tmp_path}/weights/4stems.*`spleeter-consumer models pull 4stems`"):
        separator.separate(music_samples(10))
    assert list(tmp_path.iterdir()) == []


def test_model_path_is_where_weights_are(monkeypatch: pytest.MonkeyPatch, narrow_models: Path, ours: Separator) -> None:
    """spleeter:2stems is MODEL_PATH's 2stems; with another digest than MODEL_SHA256 asks for it is refused."""
    monkeypatch.setenv("MODEL_PATH", str(narrow_models))
    waveform = music_samples(SECOND)
    assert_same(Separator("spleeter:2stems").separate(waveform), ours.separate(waveform))
    monkeypatch.setenv("MODEL_SHA256", f"2stems={'0' * 64}")
    with pytest.raises(SpleeterError, match="MODEL_SHA256"):
        Separator("spleeter:2stems").separate(waveform)


@pytest.mark.parametrize("runtime", ["tensorflow", "openvino", "native", "auto"])
def test_each_runtime_can_be_asked_for(
    runtime: str, configuration: Path, ours: Separator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SEPARATOR_RUNTIME."""
    monkeypatch.setenv("SEPARATOR_RUNTIME", runtime)
    waveform = music_samples(SECOND)
    assert_same(Separator(configuration).separate(waveform), ours.separate(waveform))
    monkeypatch.setenv("SEPARATOR_RUNTIME", "abacus")
    with pytest.raises(SpleeterError, match="SEPARATOR_RUNTIME must be one of auto, native, openvino, tensorflow"):
        Separator(configuration).separate(waveform)


def test_options_of_older_spleeters_are_taken(configuration: Path) -> None:
    """Any of its backends, by name or constant; Wiener filtering is refused in a line."""
    for backend in ("auto", "tensorflow", "librosa", *STFTBackend, None):
        Separator(str(configuration), MWF=False, stft_backend=backend, multiprocess=False)
    with pytest.raises(SpleeterError, match="stft_backend must be one of"):
        Separator(str(configuration), stft_backend="numpy")
    with pytest.raises(SpleeterError, match="MWF is not supported"):
        Separator(str(configuration), MWF=True)


class Recorder(AudioAdapter):
    """An adapter of a script's own: it has one track, and remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.saved: dict[str, Samples] = {}

    def load(self, *arguments: Any, **named: Any) -> tuple[Samples, float]:
        self.calls.append(("load", arguments, named))
        return music_samples(SECOND), 44100.0

    def save(self, path: Any, data: Any, *rest: Any) -> None:
        self.calls.append(("save", path, Path(path).parent.is_dir(), *rest))
        self.saved[path] = data


CALLS: list[dict[str, Any]] = [
    {},
    {"offset": 1.5, "duration": 2.5, "codec": "mp3", "bitrate": "192k"},
    {"duration": None, "filename_format": "export/{filename}/{instrument}.{codec}", "codec": SpleetersCodec.M4A},
    {"filename_format": "{foldername}-{filename}-{instrument}", "synchronous": False},
    {"codec": "a codec of the adapter's"},
]


@pytest.mark.parametrize("arguments", CALLS, ids=str)
@pytest.mark.parametrize("descriptor", ["music/my.song.mp3", "/a/b c/.hidden", "x/no-ending"])
def test_an_adapter_is_called_as_by_spleeter(
    arguments: dict[str, Any], descriptor: str, configuration: Path, spleeters: KeptSeparator, tmp_path: Path
) -> None:
    """With the same arguments in the same way, for files of the same names in folders that are there."""
    adapters = Recorder(), Recorder()
    separator = Separator(configuration, multiprocess=False)
    both: tuple[Any, Any] = spleeters, separator
    for one, adapter in zip(both, adapters, strict=True):
        one.separate_to_file(descriptor, str(tmp_path), audio_adapter=adapter, **arguments)
        one.join()
    wanted, got = adapters
    assert got.calls == wanted.calls
    assert_same(got.saved, wanted.saved)


def test_an_adapters_failures_are_told(ours: Separator, configuration: Path, tmp_path: Path) -> None:
    """Those of saving by `join`, where the call was not to wait for them; those of loading at once."""

    class Broken(Recorder):
        def save(self, path: Any, data: Any, *rest: Any) -> None:
            raise OSError("no room")

    ours.separate_to_file("x.mp3", tmp_path, audio_adapter=Broken(), synchronous=False)
    with pytest.raises(OSError, match="no room"):
        ours.join()
    with pytest.raises(OSError, match="no room"):
        ours.join()  # of the other stem
    ours.join()
    for separator in (ours, Separator(configuration, multiprocess=False)):
        with pytest.raises(OSError, match="no room"):
            separator.separate_to_file("x.mp3", tmp_path, audio_adapter=Broken())
    with pytest.raises(OSError, match="no room"):
        ours.join()


@pytest.mark.parametrize(
    "span", [{}, {"offset": 1.25}, {"duration": 0.75}, {"offset": 0.5, "duration": 100.0}], ids=str
)
def test_files_are_spleeters(
    span: dict[str, float], song: Path, ours: Separator, spleeters: KeptSeparator, tmp_path: Path
) -> None:
    """Of the whole track or of a part: WAV files of 16 bits, in a folder of the track's name, and nothing beside."""
    ours.separate_to_file(str(song), str(tmp_path / "out"), **span)  # type: ignore[arg-type]
    options = [
        word
        for name, flag in (("offset", "-ss"), ("duration", "-t"))
        if name in span
        for word in (flag, str(span[name]))
    ]
    wanted = spleeters.separate(decode_file(song, args=options))
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {f"out/a song/{name}.wav" for name in STEMS}
    for name in STEMS:
        path = tmp_path / "out" / "a song" / f"{name}.wav"
        assert describe(path).codec == "pcm_s16le"
        got = pcm16(decode_file(path))
        assert got.shape == wanted[name].shape
        assert np.mean(got == pcm16(wanted[name])) >= LEAST_IDENTICAL


def test_no_more_than_ten_minutes_are_separated_unless_asked_for(ours: Separator, tmp_path: Path) -> None:
    """Spleeter's default; None is all of it. Memory does not grow with the track, though its samples take 200 MB."""
    script = """
import resource, sys
from consumer.separator import Separator
separator = Separator(sys.argv[1])
peaks = []
separator.separate_to_file("long.wav", sys.argv[2], offset=595, duration=None, filename_format="end-{instrument}.wav")
for name in ("short", "long"):
    separator.separate_to_file(f"{name}.wav", sys.argv[2], filename_format="{filename}-{instrument}.{codec}")
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(*peaks)
"""
    rate_hz = 8000
    for name, seconds in (("short", 30), ("long", 610)):
        write_float_wav(tmp_path / f"{name}.wav", music_samples(seconds * rate_hz), rate_hz=rate_hz)
    ran = subprocess.run(
        [sys.executable, "-c", script, ours_path(tmp_path, ours), "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    seconds_of = {path.stem: (path.stat().st_size - 44) / 4 / 44100 for path in (tmp_path / "out").iterdir()}
    assert seconds_of["long-vocals"] == pytest.approx(600, abs=0.01)
    assert seconds_of["end-accompaniment"] == pytest.approx(15, abs=0.01)
    short_mb, long_mb = map(int, ran.stdout.split())
    assert long_mb < short_mb + 60


def ours_path(folder: Path, separator: Separator) -> str:
    """A configuration of the same weights."""
    return str(write_configuration(folder / "same.json", "2stems", separator._spec.folder.parent))


CODECS = {
    "wav": "pcm_s16le", "mp3": "mp3", "ogg": "vorbis", "m4a": "aac", "wma": "wmav2", "flac": "flac",
    "opus": "opus", "wav-s24": "pcm_s24le", "wav-f32": "pcm_f32le",
}  # fmt: skip


@pytest.mark.parametrize(
    "codec", [*CODECS, *Codec, *SpleetersCodec], ids=lambda codec: f"{type(codec).__name__}-{codec}"
)
def test_each_codec_is_written(codec: str, song: Path, ours: Separator, tmp_path: Path) -> None:
    """By its name, by our constant or by Spleeter's own, under the ending that Spleeter gives."""
    ours.separate_to_file(str(song), tmp_path, codec=codec, duration=0.5, bitrate="96k")
    paths = [tmp_path / "a song" / f"{name}.{str(codec).partition('-')[0]}" for name in STEMS]
    assert sorted(tmp_path.glob("*/*")) == sorted(paths)
    for path in paths:
        assert describe(path).codec == CODECS[codec]
        assert len(decode_file(path)) == pytest.approx(22050, abs=4096)  # what lossy codecs put around
    assert error_db(*(decode_file(path)[:20000] for path in paths)) > -12


def test_a_files_ending_is_heeded_where_no_codec_is_given(song: Path, ours: Separator, tmp_path: Path) -> None:
    """As ffmpeg does for Spleeter; an ending that contradicts the codec is refused."""
    ours.separate_to_file(str(song), tmp_path, duration=0.5, filename_format="{instrument}.mp3")
    assert {path.name: describe(path).codec for path in tmp_path.iterdir()} == {f"{name}.mp3": "mp3" for name in STEMS}
    with pytest.raises(SpleeterError, match=r"the codec flac makes \.flac files, not "):
        ours.separate_to_file(str(song), tmp_path, codec="flac", filename_format="{instrument}.mp3")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filename_format": "I wanna be your lover"}, "Separated source path conflict"),
        ({"filename_format": "{filename}/x/../{instrument:.0}y"}, "Separated source path conflict"),
        ({"filename_format": "{artist}/{instrument}"}, "filename_format must be a template of {filename}"),
        ({"filename_format": "{instrument"}, "filename_format must be a template"),
        ({"codec": "midi"}, "codec must be one of wav, .*wma, not midi"),
        ({"codec": "mp3", "bitrate": "350k"}, "bitrate must be one of .*320k for mp3, not 350k"),
        ({"bitrate": "fast"}, "bitrate must be bits per second"),
        ({"offset": -1}, "offset must be seconds from 0"),
        ({"offset": float("nan")}, "offset must be seconds from 0"),
        ({"offset": 100}, "the audio ends before start_s = 100"),
        ({"duration": 0}, "duration must be at least"),
        ({"duration": -5.0}, "duration must be at least"),
        ({"duration": float("nan")}, "duration must be at least"),
        ({"audio_descriptor": "no such song.mp3"}, "no such song.mp3: no such file"),
        ({"audio_descriptor": "."}, "is a folder, not a file"),
        ({"audio_descriptor": __file__}, "."),
    ],
    ids=str,
)
def test_what_can_not_be_done_is_a_spleeter_error(
    arguments: dict[str, Any], words: str, song: Path, ours: Separator, tmp_path: Path
) -> None:
    """Where Spleeter gives empty files, none at all or another error; and nothing is left behind."""
    given: dict[str, Any] = {"audio_descriptor": str(song), "destination": tmp_path / "out"}
    with pytest.raises(SpleeterError, match=words):
        ours.separate_to_file(**given | arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_track_is_never_written_onto(ours: Separator, tmp_path: Path) -> None:
    """Nor are stems that are there harmed by a track that can't be separated."""
    track = encode_file(tmp_path / "vocals.wav", music_samples(SECOND))
    before = track.read_bytes()
    with pytest.raises(SpleeterError, match="would be written over the track"):
        ours.separate_to_file(track, tmp_path, filename_format="{instrument}.{codec}")
    (tmp_path / "noise.wav").write_bytes(b"no music")
    with pytest.raises(SpleeterError):
        ours.separate_to_file(tmp_path / "noise.wav", tmp_path, filename_format="{instrument}.{codec}")
    assert track.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise.wav", "vocals.wav"]


def test_a_track_in_the_working_folder_goes_by_that_folders_name(
    song: Path, ours: Separator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """{foldername} of a bare name is empty with Spleeter, and leads to the root of the file system."""
    monkeypatch.chdir(song.parent)
    ours.separate_to_file(song.name, tmp_path, duration=0.1, filename_format="{foldername}/{instrument}.{codec}")
    assert sorted(tmp_path.rglob("*.wav")) == [tmp_path / song.parent.name / f"{name}.wav" for name in sorted(STEMS)]


def test_a_damaged_track_is_told_of(ours: Separator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is separated, and the logger says what of it is not as it should be."""
    whole = encode_file(tmp_path / "whole.flac", music_samples(3 * SECOND)).read_bytes()
    (tmp_path / "damaged.flac").write_bytes(whole[:200_000] + bytes(40_000) + whole[240_000:])
    ours.separate_to_file(tmp_path / "damaged.flac", tmp_path)
    assert {record.name for record in caplog.records if "damaged.flac" in record.message} == {"consumer.separator"}
    assert len(decode_file(tmp_path / "damaged" / "vocals.wav")) == 3 * SECOND


def test_stems_are_saved_as_by_spleeter(ours: Separator, spleeters: KeptSeparator, tmp_path: Path) -> None:
    """`save_to_file` of stems that a script has changed, with the default adapter: each its own samples."""
    stems = {"a": music_samples(SECOND) / 4, "b": music_samples(SECOND, seed=5)[:, :1] / 4}
    ours.save_to_file(stems, "x/song.mp3", tmp_path, codec="flac")
    for name, stem in stems.items():
        path = tmp_path / "song" / f"{name}.flac"
        assert error_db(decode_file(path, channels=stem.shape[1]), stem) < -60
    with pytest.raises(SpleeterError, match="Separated source path conflict"):
        ours.save_to_file(stems, "x/song.mp3", tmp_path, "same")


def test_the_default_adapter_reads_what_is_in_a_file(tmp_path: Path) -> None:
    """Channels, rate, span and type as asked for; the numbers are the file's."""
    adapter = AudioAdapter.default()
    assert adapter is AudioAdapter.get("") is AudioAdapter.get("spleeter.audio.ffmpeg.FFMPEGProcessAudioAdapter")
    assert isinstance(adapter, FFMPEGProcessAudioAdapter)
    mono = write_float_wav(tmp_path / "mono.wav", music_samples(8000)[:, :1], rate_hz=8000)
    waveform, rate_hz = adapter.load(str(mono))
    assert (waveform.shape, str(waveform.dtype), rate_hz) == ((8000, 1), "float32", 8000)
    assert np.array_equal(waveform, music_samples(8000)[:, :1])
    stereo = write_float_wav(tmp_path / "stereo.wav", music_samples(2 * SECOND))
    waveform, rate_hz = adapter.load(stereo, 0.5, 1.0, 44100, b"float64")
    assert (str(waveform.dtype), rate_hz) == ("float64", 44100)
    assert np.array_equal(waveform, music_samples(2 * SECOND)[22050:66150])
    waveform, rate_hz = adapter.load(stereo, sample_rate=22050)
    assert (waveform.shape, rate_hz) == ((SECOND, 2), 22050)
    for wrong in ("no such", tmp_path, __file__):
        with pytest.raises(SpleeterError):
            adapter.load(wrong)


def test_the_default_adapter_writes_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of channels that the format has, at any rate; by the ending where no codec is given."""
    adapter = AudioAdapter.default()
    for name, channels, codec in (("a.wav", 1, None), ("b.flac", 6, "flac"), ("c.mp3", 2, None), ("d", 2, Codec.WAV)):
        samples = np.tile(music_samples(8000)[:, :1], (1, channels)).astype(np.float64) / 4
        adapter.save(tmp_path / name, samples, 22050, codec, "96k")
        got = decode_file(tmp_path / name, rate_hz=22050, channels=channels)
        assert describe(tmp_path / name).rate_hz == 22050
        assert len(got) == pytest.approx(8000, abs=0 if name != "c.mp3" else 2400)
        if name != "c.mp3":
            assert error_db(got, samples) < -60
    with pytest.raises(SpleeterError, match="output directory does not exist"):
        adapter.save(tmp_path / "none" / "a.wav", samples, 44100)
    monkeypatch.setenv("FFMPEG_PATH", "/bin/false")
    with pytest.raises(SpleeterError, match="FFMPEG error"):
        FFMPEGProcessAudioAdapter().save(tmp_path / "e.mp3", samples, 44100)
    for wrong in (np.zeros(100, np.float32), np.zeros((100, 2), np.int16)):
        with pytest.raises(SpleeterError, match="data must be floats"):
            adapter.save(tmp_path / "f.wav", wrong, 44100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.flac", "c.mp3", "d"]


def test_an_adapter_is_found_by_its_name() -> None:
    """One of a script's own; what is none is refused."""
    assert isinstance(AudioAdapter.get(f"{__name__}.Recorder"), Recorder)
    with pytest.raises(SpleeterError, match="Path is not a valid AudioAdapter class"):
        AudioAdapter.get("pathlib.Path")


@pytest.mark.parametrize(
    "statement", ["import consumer.separator", "from consumer.separator import SpleeterError, Codec, STFTBackend"]
)
def test_nothing_is_loaded_before_it_is_needed(statement: str) -> None:
    """The names are there without numpy; an unknown one is an error as of any module."""
    script = f"{statement}\nimport sys\nprint([m for m in ('numpy', 'scipy', 'tensorflow') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"
    with pytest.raises(ImportError):
        exec("from consumer.separator import Separators")


def test_the_script_of_the_page_works_as_it_stands(song: Path, narrow_models: Path, tmp_path: Path) -> None:
    """It makes the stems of the songs that it is given; but for one import it is a script for Spleeter."""
    ours, spleeters = scripts()[OURS].splitlines(), scripts()[SPLEETERS].splitlines()
    [(line, changed)] = [pair for pair in zip(ours, spleeters, strict=True) if pair[0] != pair[1]]
    assert (line.partition("  #")[0], changed.partition("  #")[0]) == (OURS, SPLEETERS)
    subprocess.run(
        [sys.executable, "-c", "\n".join(ours), str(song)],
        cwd=tmp_path, env={**os.environ, "MODEL_PATH": str(narrow_models)}, check=True, timeout=100,
    )  # fmt: skip
    assert {path.name for path in (tmp_path / "stems" / "a song").iterdir()} == {f"{name}.wav" for name in STEMS}
