"""`spleeter-consumer separate` as a person at a terminal meets it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from harness.audio import RATE_HZ, error_db, music
from harness.files import decode_file, describe, encode_file, ffmpeg
from tests.separator.jobs import pids_with
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
    killed.write_text("#!/bin/sh\nwhile :; do :; done\n")  # it can't signal anybody, itself included
    killed.chmod(0o700)
    encode_file(tmp_path / "song.wav", music(seconds=0.1))
    settings = {"MODEL_PATH": str(model_path), "FFMPEG_PATH": str(killed)}
    with ThreadPoolExecutor(1) as elsewhere:
        running = elsewhere.submit(partial(run, tmp_path, "song.wav", "-o", "out", **settings))
        while not (found := pids_with(str(killed))):
            assert not running.done(), running.result().stderr
            time.sleep(0.05)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        done = running.result(60)
    assert_one_line(done, 1, "ffmpeg was ended from outside by signal 9")


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below the folder and what is in it, hidden ones included; None for a folder."""
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


def test_flags_have_spleeters_long_names(model_path: Path, tmp_path: Path) -> None:
    """Every long name that works, in one call; `192` is 192 kbit/s; a template's folders and fields are Spleeter's."""
    song = encode_file(tmp_path / "album" / "song.wav", music(seconds=3))
    flags = {
        "--params_filename": "spleeter:2stems",
        "--output_path": "out",
        "--codec": "mp3",
        "--bitrate": "192",
        "--offset": "1.5",
        "--duration": "1",
        "--filename_format": "{foldername}/{instrument}/{filename}.{codec}",
        "--adapter": "spleeter.audio.ffmpeg.FFMPEGProcessAudioAdapter",
    }
    done = run(
        tmp_path, *(word for pair in flags.items() for word in pair), "--verbose", song, MODEL_PATH=str(model_path)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"out/album/{stem}/song.mp3" for stem in ("vocals", "accompaniment")]
    assert {describe(tmp_path / path).bitrate_kbps for path in done.stdout.splitlines()} == {192}
    [line] = done.stderr.splitlines()
    assert "1.00 s (wav, 2 channels, 44100 Hz)" in line


def test_a_track_can_be_asked_for(model_path: Path, tmp_path: Path) -> None:
    """By its number; a file without it is told of, with the tracks that it has."""
    for name, level in (("one.wav", 0.0), ("two.wav", 0.5)):
        encode_file(tmp_path / name, music(seconds=1) * level)
    inputs = (f"file:{tmp_path / 'one.wav'}", "-i", f"file:{tmp_path / 'two.wav'}")
    ffmpeg("-i", *inputs, "-map", "0", "-map", "1", "-c", "copy", f"file:{tmp_path / 'film.mkv'}")
    peaks = []
    for track in (0, 1):
        flags = ("-o", f"out{track}", "--track", track, "--verbose", "film.mkv")
        done = run(tmp_path, *flags, MODEL_PATH=str(model_path))
        assert done.returncode == 0, done.stderr
        assert ("audio track 1)" in done.stderr) == (track == 1)
        peaks.append(max(abs(decode_file(tmp_path / path)).max() for path in done.stdout.splitlines()))
    assert peaks[0] == 0.0 < peaks[1]
    done = run(tmp_path, "--track", 2, "film.mkv", MODEL_PATH=str(model_path))
    assert_one_line(done, 1, "REQUEST_INVALID", "no audio track 2; the file's are 0 (pcm_s16le, 44100 Hz, stereo")


def test_a_copied_configuration_finds_its_weights(model_path: Path, tmp_path: Path) -> None:
    """A configuration as Spleeter ships it names a folder under MODEL_PATH; one beside the file goes first."""
    song = encode_file(tmp_path / "song.wav", music(seconds=0.2))
    config = write_configuration(tmp_path / "mine.json", "2stems", model_path)
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_dir": "2stems"}))
    done = run(tmp_path, "-o", "out", "-p", "mine.json", song, MODEL_PATH=str(model_path))
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "2stems").mkdir()
    assert_one_line(run(tmp_path, "-o", "out", "-p", config, song, MODEL_PATH=str(model_path)), 1, "MODEL_UNAVAILABLE")


@pytest.mark.parametrize("tie", ["itself", "symbolic", "hard", "later"])
def test_a_file_that_is_read_is_never_written(tie: str, model_path: Path, tmp_path: Path) -> None:
    """A stem's place that is one of the inputs is refused in a line, and nothing at all is changed."""
    target = tmp_path / "o" / "vocals" / "vocals.wav"
    source = encode_file(target if tie == "itself" else tmp_path / "vocals.wav", music(seconds=0.2))
    target.parent.mkdir(parents=True, exist_ok=True)
    if tie == "symbolic":
        target.symlink_to("../../vocals.wav")
    elif tie == "hard":
        target.hardlink_to(source)
    elif tie == "later":
        encode_file(target, music(seconds=0.3))
    before = contents(tmp_path)
    also = [target] if tie == "later" else []
    assert_one_line(run(tmp_path, "-o", "o", source, *also, MODEL_PATH=str(model_path)), 1, "vocals.wav", "is read")
    assert contents(tmp_path) == before


def test_two_files_of_one_name_are_refused(model_path: Path, tmp_path: Path) -> None:
    """Both would be written to one folder: a line says so before any work; -f tells them apart."""
    songs = [encode_file(tmp_path / folder / "song.wav", music(seconds=0.2)) for folder in ("a", "b")]
    before = contents(tmp_path)
    assert_one_line(run(tmp_path, "-o", "out", *songs, MODEL_PATH=str(model_path)), 1, "a/song.wav", "b/song.wav", "-f")
    assert contents(tmp_path) == before
    template = "{foldername}/{filename}/{instrument}.{codec}"
    done = run(tmp_path, "-o", "out", "-f", template, *songs, MODEL_PATH=str(model_path))
    assert (done.returncode, done.stderr) == (0, "")
    wanted = [f"out/{folder}/song/{stem}.wav" for folder in "ab" for stem in ("vocals", "accompaniment")]
    assert done.stdout.splitlines() == wanted
    assert all((tmp_path / path).is_file() for path in wanted)


def test_a_run_that_fails_takes_nothing_away(model_path: Path, tmp_path: Path) -> None:
    """Of a file that fails from its start, and of one whose stems can't be written whole, the old ones stay."""
    encode_file(tmp_path / "song.wav", music(seconds=0.5))
    (tmp_path / "out" / "song").mkdir(parents=True)
    for stem in ("vocals", "accompaniment"):
        (tmp_path / "out" / "song" / f"{stem}.wav").write_bytes(b"of an earlier run")
    before = contents(tmp_path / "out")
    assert_one_line(run(tmp_path, "-o", "out", "-s", "9", "song.wav", MODEL_PATH=str(model_path)), 1, "OFFSET_PAST_END")
    assert contents(tmp_path / "out") == before
    small = ("bash", "-c", 'ulimit -f 40; exec "$@"', "-", str(COMMAND), "separate", "-o", "out", "song.wav")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MODEL_PATH": str(model_path)}
    done = subprocess.run(
        small, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    assert_one_line(done, 1, "song.wav", "File too large")
    assert contents(tmp_path / "out") == before
    done = run(tmp_path, "-o", "out", "song.wav", MODEL_PATH=str(model_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(tmp_path / "out").keys() == before.keys()
    assert len(decode_file(tmp_path / "out" / "song" / "vocals.wav")) == RATE_HZ / 2


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty minutes, which no machine separates before it is told to stop."""
    path = tmp_path_factory.mktemp("long") / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=1200", f"file:{path}")
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_ended_leaves_nothing_half_done(
    number: signal.Signals, long_song: Path, model_path: Path, tmp_path: Path
) -> None:
    """What it had begun goes, with the folders that it made."""
    environment = {"PATH": os.environ["PATH"], "MODEL_PATH": str(model_path)}
    # As at a terminal; whoever runs these tests in the background has all that they start ignore SIGINT.
    command = ["env", "--default-signal=INT", str(COMMAND), "separate", "-o", "out", str(long_song)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        while not list((tmp_path / "out").rglob("*.part")):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            assert process.returncode is None
        process.send_signal(number)
        assert process.wait(60) != 0
    assert not (tmp_path / "out").exists()


def test_a_bad_file_does_not_end_the_others(model_path: Path, tmp_path: Path) -> None:
    """Each failure is a line that begins with its file; the rest is done; no folder is left for what has no stems."""
    encode_file(tmp_path / "first.wav", music(seconds=0.2))
    encode_file(tmp_path / "last.wav", music(seconds=0.2))
    (tmp_path / "noise.mp3").write_bytes(b"no music, only words")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "no folder").write_bytes(b"")
    files = ("noise.mp3", "first.wav", "empty.wav", "last.wav")
    done = run(tmp_path, "-o", "out", *files, MODEL_PATH=str(model_path))
    assert done.returncode == 1
    wanted = [f"out/{name}/{stem}.wav" for name in ("first", "last") for stem in ("vocals", "accompaniment")]
    assert done.stdout.splitlines() == wanted
    noise, empty = done.stderr.splitlines()
    assert noise.startswith("spleeter-consumer: noise.mp3: AUDIO_UNDECODABLE: ")
    assert empty.startswith("spleeter-consumer: empty.wav: AUDIO_EMPTY: ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first", "last", "no folder"]


def test_any_name_that_a_file_may_have_works(model_path: Path, tmp_path: Path) -> None:
    """Bytes that are no text, lines, markup, names of dots: under a strict locale, with stems in a folder of their own.

    The folder is named as Spleeter names it: by the name without its ending, of which "..wav" has none.
    """
    folders = {b"\xff[b]\n.wav": b"\xff[b]\n", b"...wav": b"...wav", b"..wav": b"..wav", b".wav": b".wav"}
    song = encode_file(tmp_path / "song.wav", music(seconds=0.2)).read_bytes()
    bad = b"bad\xfe.mp3"
    (tmp_path / "in").mkdir()
    for name in folders:
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(song)
    (tmp_path / "in" / os.fsdecode(bad)).write_bytes(b"no music")
    environment = {"PATH": os.environ["PATH"], "MODEL_PATH": str(model_path), "PYTHONIOENCODING": "utf-8:strict"}
    inputs = [b"in/" + name for name in (*folders, bad)]
    done = subprocess.run(
        [COMMAND, "separate", "-o", "out/deep", *inputs],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("spleeter-consumer: in/bad\\xfe.mp3: AUDIO_UNDECODABLE")
    stems = (b"vocals.wav", b"accompaniment.wav")
    wanted = {b"out/deep/" + folder + b"/" + stem for folder in folders.values() for stem in stems}
    assert done.stdout == b"".join(
        b"out/deep/" + folder + b"/" + stem + b"\n" for folder in folders.values() for stem in stems
    )
    found = {os.fsencode(path.relative_to(tmp_path)) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == wanted


def test_progress_is_shown_for_any_name(model_path: Path, tmp_path: Path) -> None:
    """At a terminal, a name is shown as it is, or escaped, never read as markup."""
    name = b"\xff [bold].wav"
    encode_file(tmp_path / "song.wav", music(seconds=0.2)).rename(tmp_path / os.fsdecode(name))
    ours, theirs = os.openpty()
    environment = {"PATH": os.environ["PATH"], "MODEL_PATH": str(model_path), "COLUMNS": "120", "TERM": "dumb"}
    with subprocess.Popen(
        [COMMAND, "separate", "-o", "out", name], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal's end is told
            while data := os.read(ours, 1 << 16):
                shown += data
        os.close(ours)
    assert process.returncode == 0, shown
    assert b"\\xff [bold].wav" in shown


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ((), "FILE"),
        (("none.wav",), "none.wav"),
        (("song.wav", "-c", "midi"), "midi"),
        (("song.wav", "-b", "loud"), "loud"),
        (("song.wav", "-s", "-1"), "-s"),
        (("song.wav", "-d", "0"), "-d"),
        (("song.wav", "-s", "nan"), "-s"),
        (("song.wav", "-s", "1e13"), "-s"),
        (("song.wav", "-d", "inf"), "-d"),
        (("song.wav", "-d", "1e-7"), "-d"),
        (("song.wav", "-b", "0"), "-b"),
        (("song.wav", "-f", "{title}"), "-f"),
        (("song.wav", "-f", "{instrument}.mp3"), "-f"),
        (("song.wav", "--stems", "2"), "--stems"),
        ((".",), "directory"),
    ],
    ids=[
        "no-file",
        "no-such-file",
        "codec",
        "bitrate",
        "offset",
        "duration",
        "offset-nan",
        "offset-beyond",
        "duration-inf",
        "duration-tiny",
        "no-bits",
        "field",
        "ending",
        "no-such-flag",
        "folder",
    ],
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


def test_nothing_is_loaded_that_is_not_needed(model_path: Path, tmp_path: Path) -> None:
    """Where the weights are there, and nobody looks at its progress: no HTTP, no logs, no display, no other runtime."""
    song = encode_file(tmp_path / "song.wav", music(seconds=0.2))
    environment = {"PATH": os.environ["PATH"], "MODEL_PATH": str(model_path), "SEPARATOR_RUNTIME": "native"}
    code = "import json, sys\nfrom consumer.cli import main\ntry:\n    main()\nfinally:\n"
    code += "    print(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", code, "separate", str(song), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "spleeter_kernels.unet" in loaded
    unneeded = {"httpx2", "structlog", "rich", "confluent_kafka", "minio", "fastavro", "tensorflow", "openvino"}
    assert not loaded & unneeded
    groups = {name for name in loaded if name.startswith("consumer.settings.")}
    assert groups == {"consumer.settings.separator", "consumer.settings.variables", "consumer.settings.secret_files"}
