"""What a separator process and its ffmpeg can reach, and that this is all that they need."""

import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from consumer.core.catalog import FORMATS
from consumer.core.checkpoints import checkpoint_sha256
from consumer.separator import sandbox
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import bundled_binary
from consumer.separator.client import SeparatorClient
from consumer.separator.models.conversion_cache import conversion_path, ensure_converted, is_conversion
from consumer.separator.sandbox import Landlock, Reach, confine, reach_of_programs
from consumer.settings import environment_without_secrets
from harness.audio import RATE_HZ, music
from harness.checkpoints import write_checkpoint
from harness.files import decode_file, encode_file, ffmpeg
from tests.separator.confined import start_confined
from tests.separator.intruder import REPORT
from tests.separator.jobs import FFMPEG, Harness, configuration, job, patience


@dataclass(frozen=True, slots=True)
class Place:
    """A machine's folders, as small as they can be."""

    scratch: Path
    models: Path
    outside: Path

    def client(self, module: str = "consumer.separator.process", **orders: object) -> SeparatorClient:
        given = msgspec.structs.replace(configuration(self.models), scratch=self.scratch, **orders)
        return SeparatorClient(
            given, max_audio_s=60.0, environment=environment_without_secrets(), command=(sys.executable, "-m", module)
        )

    def new_job(self) -> Path:
        folder = self.scratch / f"job-{uuid.uuid4().hex}"
        folder.mkdir()
        return folder


@pytest.fixture
def place(narrow_models: Path, tmp_path: Path) -> Place:
    place = Place(tmp_path / "scratch", tmp_path / "models", tmp_path / "outside")
    for folder in (place.scratch, place.models / "2stems", place.outside):
        folder.mkdir(parents=True)
    for path in (narrow_models / "2stems").iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, place.models / "2stems")
    return place


@pytest.fixture
def server() -> Iterator[str]:
    """The port of someone who listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_a_process_that_was_taken_over_can_do_little(place: Place, server: str) -> None:
    """It reads its job and its models and writes its scratch space; it reads, writes, runs on, reaches or disturbs
    nothing else: no other file, no consumer's environment, no network, no other process."""
    secret = place.outside / "secret"
    secret.write_text("secret")
    elsewhere = place.outside / "weights"
    elsewhere.write_text("weights")
    (place.models / "2stems" / "link").symlink_to(elsewhere)  # as an operator may lay them out
    own = place.new_job()
    (own / "link").symlink_to(place.outside)
    folder, consumer = place.new_job(), os.getpid()
    allowed = {
        "read model": ["read", str(place.models / "2stems" / "checkpoint")],
        "read linked model": ["read", str(place.models / "2stems" / "link")],
        "list jobs": ["list", str(place.scratch)],
        "write": ["write", str(folder / "new")],
        "remove": ["remove", str(folder / "new")],
        "run on own": ["run", str(folder / "song.wav")],
    }
    refused = {
        "read": ["read", str(secret)],
        "read through a link": ["read", str(own / "link" / "secret")],
        "read passwords": ["read", "/etc/passwd"],
        "list": ["list", str(place.outside)],
        "list root": ["list", "/"],
        "list home": ["list", str(Path.home())],
        "write": ["write", str(place.outside / "new")],
        "write through a link": ["write", str(own / "link" / "new")],
        "write over": ["write", str(secret)],
        "write models": ["write", str(place.models / "2stems" / "checkpoint")],
        "write code": ["write", sandbox.__file__],
        "remove": ["remove", str(secret)],
        "run on it": ["run", str(secret)],
        "environment": ["read", f"/proc/{consumer}/environ"],
        "memory": ["read", f"/proc/{consumer}/maps"],
        "connect": ["connect", server],
        "listen": ["listen", "0"],
        "signal": ["signal", str(consumer)],
    }
    order = {f"may {name}": what for name, what in allowed.items()} | {f"not {n}": what for n, what in refused.items()}
    (folder / "song.wav").write_text(json.dumps(order))
    client = place.client("tests.separator.intruder")
    try:
        client.prepare(patience())
        client.separate(job(), folder / "song.wav", cancel=patience(), on_progress=lambda done, total: None)
    finally:
        client.kill()
    assert client.status.sandbox == "landlock, seccomp, limits"
    report = json.loads((folder / REPORT).read_text())
    assert {name: error for name, error in report.items() if name.startswith("may") and error} == {}
    assert {name for name, error in report.items() if name.startswith("not") and not error} == set()
    for name, error in report.items():
        assert not error or name == "not run on it" or error.startswith("PermissionError"), f"{name}: {error}"
    assert secret.read_text() == "secret"


def test_every_format_is_written_from_inside(place: Place) -> None:
    """With nothing but its models to read and its scratch space to write, a real separator does whole jobs.

    Its ffmpeg may lie anywhere, and is itself all that it can reach there.
    """
    ffmpeg = place.outside / "ffmpeg"
    shutil.copy(bundled_binary(), ffmpeg)
    harness = Harness(place.client(ffmpeg_path=str(ffmpeg)), "")
    try:
        harness.prepare()
        for name in FORMATS:
            song = encode_file(place.new_job() / "song.flac", music(seconds=1))
            stems = harness.separate(song, format=name, bitrate="128k").stems
            assert [decode_file(stem.path).shape[0] >= RATE_HZ * 0.9 for stem in stems] == [True, True]
    finally:
        harness.client.kill()
    assert harness.client.status.sandbox == "landlock, seccomp, limits"


@pytest.mark.parametrize(("runtime", "is_kept"), [("openvino", False), ("native", False), ("native", True)])
def test_other_runtimes_work_from_inside(place: Place, runtime: str, is_kept: bool) -> None:
    """A conversion that was made outside is used; without one the separator reads the checkpoint, and keeps nothing."""
    folder = place.models / "2stems"
    if is_kept:
        ensure_converted("2stems", folder, checkpoint_sha256("2stems", folder))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert (conversion_path("2stems", folder) in before) == is_kept
    harness = Harness(place.client(runtime=runtime), "")
    try:
        harness.prepare()
        stems = harness.separate(encode_file(place.new_job() / "song.flac", music(seconds=1))).stems
        assert [decode_file(stem.path).shape for stem in stems] == [(RATE_HZ, 2)] * 2
    finally:
        harness.client.kill()
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_conversion_is_kept_once(place: Place) -> None:
    """What is kept is the checkpoint's; it is left alone while that is the same, and made anew for another."""
    folder = place.models / "2stems"
    kept = conversion_path("2stems", folder)

    def convert() -> tuple[int, int]:
        """Which file it is, and when it was written last."""
        digest = checkpoint_sha256("2stems", folder)
        ensure_converted("2stems", folder, digest)
        assert is_conversion(kept, digest)
        return kept.stat().st_ino, kept.stat().st_mtime_ns

    first = convert()
    assert convert() == first
    write_checkpoint(place.models, 2, seed=77, filters=(4, 8, 8, 8, 8, 8))
    assert convert() != first


def test_ffmpeg_reaches_its_job_alone(tmp_path: Path, server: str) -> None:
    """Even one that is told to, reads no other job's file, writes into no other folder, and calls nobody."""
    song = encode_file(tmp_path / "one" / "song.wav", music(seconds=1))
    other = encode_file(tmp_path / "other" / "song.wav", music(seconds=1))
    link = tmp_path / "one" / "link.wav"
    link.symlink_to(other)
    ffmpeg = FFMPEG.confined_to(song, song.parent)

    def run(source: str, target: str) -> tuple[int, str]:
        running = ffmpeg.start(["-y", "-i", source, "-f", "wav", target])
        try:
            code = running.process.wait(60)
        finally:
            running.stop()
        return code, "\n".join(running.stderr_lines)

    assert run(f"file:{song}", f"file:{song.parent / 'stem.wav'}")[0] == 0
    for source, target in (
        (f"file:{other}", f"file:{song.parent / 'stem.wav'}"),
        (f"file:{link}", f"file:{song.parent / 'stem.wav'}"),
        ("file:/etc/passwd", f"file:{song.parent / 'stem.wav'}"),
        (f"file:{song}", f"file:{other.parent / 'stem.wav'}"),
        (f"file:{song}", f"file:{other}"),
        (f"tcp://127.0.0.1:{server}", f"file:{song.parent / 'stem.wav'}"),
        (f"file:{song}", f"tcp://127.0.0.1:{server}"),
    ):
        code, stderr = run(source, target)
        assert code != 0, (source, target)
        assert "Permission denied" in stderr, stderr
    assert {path.name for path in other.parent.iterdir()} == {"song.wav"}
    assert other.read_bytes() == song.read_bytes()


@pytest.mark.attack
def test_ffmpeg_has_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even what the separator itself has."""
    monkeypatch.setenv("SECRET", "hunter2")
    song, program = tmp_path / "song.wav", tmp_path / "env"
    song.write_text("")
    program.write_text('#!/bin/sh\nread -r environment < /proc/self/environ\necho "$SECRET$environment" >&2; set >&2\n')
    program.chmod(0o755)
    running = replace(FFMPEG, binary=str(program), reach=None).start([])
    try:
        running.wait()
    finally:
        running.stop()
    assert running.stderr_lines
    assert not any("hunter2" in line or line.startswith(("HOME=", "LANG=")) for line in running.stderr_lines)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("extension", "args"),
    [
        ("mkv", ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "mpeg4")),
        ("avi", ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "mjpeg")),
        ("mov", ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "png")),
        ("ts", ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "mpeg2video", "-r", "25")),
    ],
)
def test_pictures_are_not_decoded_with_the_sound(tmp_path: Path, extension: str, args: tuple[str, ...]) -> None:
    """A track of pictures beside the sound is left alone by all that opens the file, and the sound is whole."""
    path = tmp_path / f"song.{extension}"
    sound = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=44100")
    ffmpeg(*sound, *args, "-c:a", "mp2", "-map", "0:a", "-map", "1:v", f"file:{path}")

    def ends(mapped: str) -> int:
        confined = FFMPEG.confined_to(path, tmp_path)
        running = confined.start([*confined.open_args(path), "-map", mapped, "-f", "null", "-"])
        try:
            return running.wait()
        finally:
            running.stop()

    assert ends("0:a") == 0
    assert ends("0:v") != 0
    with Decoder(FFMPEG.confined_to(path, tmp_path), path, rate_hz=RATE_HZ, max_s=60.0) as decoder:
        assert len(decoder.read(10 * RATE_HZ)) == pytest.approx(RATE_HZ, rel=0.1)
        assert decoder.warnings == ()


def test_a_kernel_without_landlock_is_reported(tmp_path: Path) -> None:
    """Everything works there, without that wall, and the report says so."""
    absent = Landlock(create_ruleset=100_000)
    reach = Reach(reads=(), writes=(tmp_path,))
    assert confine(reach, absent) == "no landlock (not in this kernel)"
    assert start_confined(reach, lambda: Path("/etc/passwd").read_bytes(), absent)


@pytest.mark.parametrize(("version", "held"), [(1, "files only"), (3, "files only"), (4, "landlock"), (6, "landlock")])
def test_an_older_kernel_holds_what_it_can(tmp_path: Path, version: int, held: str) -> None:
    """With each version of Landlock files are out of reach; that TCP is not, is reported."""
    older = Landlock(version=version)
    (tmp_path / "in").mkdir()
    reach = Reach(reads=reach_of_programs(), writes=(tmp_path / "in", tmp_path / "missing"))
    reported: list[str] = []

    def intrude() -> None:
        reported.append(confine(reach, older))
        (tmp_path / "in" / "file").write_text("x")
        for act in (lambda: Path("/etc/passwd").read_bytes(), lambda: (tmp_path / "out").write_text("x")):
            with pytest.raises(PermissionError):
                act()

    start_confined(reach, intrude, older)
    assert held in reported[0]


def test_only_what_was_started_there_is_confined(tmp_path: Path) -> None:
    """This process goes on as before: its own threads are not bound, and an error is handed on."""
    reach = Reach(reads=reach_of_programs(), writes=(tmp_path,))
    done = start_confined(
        reach, lambda: subprocess.run(["cat", "/etc/passwd"], capture_output=True, check=False, timeout=120)
    )
    assert done.returncode != 0
    assert Path("/etc/passwd").read_bytes()
    with pytest.raises(FileNotFoundError):
        start_confined(reach, lambda: subprocess.Popen([str(tmp_path / "no-such-program")]))
