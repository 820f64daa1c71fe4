"""`spleeter-consumer separate` as a person at a terminal meets it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.audio import RATE_HZ, error_db, music
from harness.files import decode_file, describe, encode_file
from tests.separator.reference import write_configuration

COMMAND = Path(sys.executable).with_name("spleeter-consumer")


def run(folder: Path, *args: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, with nothing of the consumer's settings but `variables`."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "MODEL_SOURCES": "none"} | variables
    command = [str(COMMAND), "separate", *map(str, args)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=500
    )


@pytest.fixture(scope="module")
def model_path(narrow_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODEL_PATH with a usable 2stems and a damaged 4stems."""
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(narrow_models / "2stems", root / "2stems")
    (root / "4stems").mkdir()
    (root / "4stems" / "model.index").write_bytes(b"no index")
    (root / "4stems" / "model.data-00000-of-00001").write_bytes(b"no data")
    return root


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It ended with the code, and one line on standard error that holds the words; nothing else was printed."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("spleeter-consumer: ")
    assert all(word in line for word in words), line


def test_files_are_separated_into_spleeters_layout(model_path: Path, tmp_path: Path) -> None:
    """Each file's stems are 16-bit WAV files, whole, in a folder of its name; their paths are what is printed."""
    lengths = {"a song.mp3": 1.0, "-50%d: été.flac": 0.5}
    for name, seconds in lengths.items():
        encode_file(tmp_path / name, music(seconds=seconds))
    done = run(tmp_path, "-o", "out", "--", *lengths, MODEL_PATH=str(model_path))
    assert (done.returncode, done.stderr) == (0, "")
    wanted = [f"out/{Path(name).stem}/{stem}.wav" for name in lengths for stem in ("vocals", "accompaniment")]
    assert done.stdout.splitlines() == wanted
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.wav")) == sorted(wanted)
    for printed in wanted:
        found = describe(tmp_path / printed)
        assert (found.codec, found.rate_hz, found.layout) == ("pcm_s16le", RATE_HZ, "stereo")
        [seconds] = [seconds for name, seconds in lengths.items() if Path(name).stem == Path(printed).parent.name]
        assert len(decode_file(tmp_path / printed)) == pytest.approx(seconds * RATE_HZ, abs=1500)


def test_flags_mean_what_they_mean_to_spleeter(model_path: Path, tmp_path: Path) -> None:
    """-p takes a configuration file, -o a folder, -c a codec, -b a bitrate, -s and -d a span."""
    song = encode_file(tmp_path / "song.wav", music(seconds=3))
    config = write_configuration(tmp_path / "mine.json", "2stems", model_path, mask_extension="average")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"instrument_list": ["singing", "band"]}))
    flags = ("-p", config, "-o", tmp_path / "deep" / "out", "-c", "mp3", "-b", "256k", "-s", 1.5, "-d", 0.5)
    done = run(tmp_path, *flags, song)
    assert (done.returncode, done.stderr) == (0, "")
    stems = [tmp_path / "deep" / "out" / "song" / f"{name}.mp3" for name in ("singing", "band")]
    assert done.stdout.splitlines() == [str(stem) for stem in stems]
    assert [describe(stem).bitrate_kbps for stem in stems] == [256, 256]
    first, *others = (decode_file(stem) for stem in stems)
    mix = sum(others, first)
    assert error_db(mix[:22050], decode_file(song)[66150:88200]) < -15  # as near as MP3 comes


@pytest.mark.parametrize(
    ("name", "content", "flags", "words"),
    [
        ("noise.mp3", b"no music, only words", (), ("AUDIO_UNDECODABLE",)),
        ("empty.wav", b"", (), ("AUDIO_EMPTY",)),
        ("song.wav", None, ("-s", "100"), ("OFFSET_PAST_END", "100")),
        ("song.wav", None, ("-p", "spleeter:5stems"), ("MODEL_UNAVAILABLE", "5stems")),
        ("song.wav", None, ("-p", "spleeter:4stems"), ("MODEL_UNAVAILABLE", "4stems")),
        ("song.wav", None, ("-p", "spleeter:7stems"), ("MODEL_UNAVAILABLE", "2stems, 4stems, 5stems")),
        ("song.wav", None, ("-p", "none.json"), ("MODEL_UNAVAILABLE", "none.json")),
        ("song.wav", None, ("-o", "song.wav"), ("song.wav",)),
    ],
    ids=["noise", "empty", "offset", "missing-model", "damaged-model", "unknown-model", "no-config", "out-is-a-file"],
)
def test_what_can_not_be_done_is_reported_in_a_line(
    name: str, content: bytes | None, flags: tuple[str, ...], words: tuple[str, ...], model_path: Path, tmp_path: Path
) -> None:
    """The exit code is 1, standard error holds one line that tells why, and there are no stems."""
    if content is None:
        encode_file(tmp_path / name, music(seconds=1))
    else:
        (tmp_path / name).write_bytes(content)
    out = () if "-o" in flags else ("-o", "out")
    assert_one_line(run(tmp_path, *flags, *out, name, MODEL_PATH=str(model_path)), 1, *words)
    assert not [path for path in tmp_path.rglob("*.wav") if path.name != name]


def test_an_ffmpeg_that_is_killed_is_reported_in_a_line(model_path: Path, tmp_path: Path) -> None:
    """The file is not blamed for what somebody else did."""
    killed = tmp_path / "ffmpeg"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o700)
    encode_file(tmp_path / "song.wav", music(seconds=0.1))
    done = run(tmp_path, "song.wav", "-o", "out", MODEL_PATH=str(model_path), FFMPEG_PATH=str(killed))
    assert_one_line(done, 1, "ffmpeg was ended from outside by signal 9")


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ((), "FILE"),
        (("none.wav",), "none.wav"),
        (("song.wav", "-c", "midi"), "midi"),
        (("song.wav", "-b", "loud"), "loud"),
        (("song.wav", "-s", "-1"), "-s"),
        (("song.wav", "-d", "0"), "-d"),
        (("song.wav", "--stems", "2"), "--stems"),
        ((".",), "directory"),
    ],
    ids=["no-file", "no-such-file", "codec", "bitrate", "offset", "duration", "no-such-flag", "folder"],
)
def test_wrong_usage_is_reported(args: tuple[str, ...], word: str, tmp_path: Path) -> None:
    """The exit code is 2, and standard error names what is wrong, without a traceback."""
    encode_file(tmp_path / "song.wav", music(seconds=0.1))
    done = run(tmp_path, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    """A setting that can't be used ends the command with code 1 and a line that names its variable."""
    encode_file(tmp_path / "song.wav", music(seconds=0.1))
    assert_one_line(run(tmp_path, "song.wav", SEPARATOR_RUNTIME="abacus"), 1, "SEPARATOR_RUNTIME")
