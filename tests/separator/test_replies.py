"""A separator that was taken over, and lies to its parent: nothing of it is believed, and the replica goes on."""

import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.core.errors import WorkerCrashed
from consumer.core.model import StemFile
from consumer.core.stem_files import opened_stem
from consumer.separator.client import SeparatorClient
from consumer.settings import environment_without_secrets
from tests.separator.jobs import PATIENCE_S, Harness, configuration, pids_with
from tests.separator.lies import BESIDE

pytestmark = pytest.mark.attack

SECRET = b"a private key"


@pytest.fixture(scope="module")
def taken_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    client = SeparatorClient(
        configuration(tmp_path_factory.mktemp("models")),
        max_audio_s=60.0,
        environment=environment_without_secrets(),
        command=(sys.executable, "-m", "tests.separator.lies", mark := f"lies-{uuid.uuid4().hex}"),
    )
    try:
        yield Harness(client, mark)
    finally:
        client.kill()


def track(folder: Path, *steps: tuple[str, Any]) -> Path:
    """A file to separate, and how that is to be answered."""
    folder.mkdir()
    if steps:
        (folder / BESIDE).write_text(json.dumps(steps))
    path = folder / "source.wav"
    path.touch()
    return path


def assert_goes_on(taken_over: Harness, folder: Path) -> None:
    """The next job is another process's, and is separated."""
    stems = taken_over.separate(track(folder)).stems
    assert [stem.path for stem in stems] == [folder / "vocals.wav", folder / "accompaniment.wav"]


def assert_not_believed(taken_over: Harness, folder: Path, *steps: tuple[str, Any]) -> None:
    restarts = taken_over.client.status.restarts
    with pytest.raises(WorkerCrashed):
        taken_over.separate(track(folder / "job", *steps))
    assert_goes_on(taken_over, folder / "next")
    assert taken_over.client.status.restarts == restarts + 1


@pytest.mark.parametrize(
    "lie",
    [
        {"stems.0.path": "/etc/passwd"},
        {"stems.0.name": "../../etc/passwd"},
        {"stems.0.name": "/etc/passwd"},
        {"stems.0.name": "source"},
        {"stems.0.name": "vocals\u0000"},
        {"stems.0.name": "vocals\n"},
        {"stems.1.name": "vocals"},
        {"stems": []},
        {"stems": None},
        {"stems.0.overview": [0.0] * 5000},
        {"stems.0.overview": ["loud"]},
        {"stems.0.peak": -1.0},
        {"stems.0.peak": 1e308},
        {"stems.0.peak": None},
        {"stems.0.peak": True},
        {"stems.0.peak": "1"},
        {"stems.0.clipped_samples": -1},
        {"stems.0.clipped_samples": 10**30},
        {"stems.0.clipped_samples": 1.5},
        {"stems.0.loudness_lufs": 1e9},
        {"stems.0.duration_s": 1e6},
        {"stems.0.duration_s": -1.0},
        {"stems.0.unknown": 1},
        {"audio.duration_s": 1e6},
        {"audio.channels": 10**20},
        {"audio.channels": 65},
        {"audio.channels": 0},
        {"audio.sample_rate_hz": 99_999_999_999},
        {"audio.track": 1000},
        {"audio.format": "wav\n" * 9},
        {"audio.format": "x" * 1000},
        {"weights_sha256": "0" * 63},
        {"weights_sha256": "0" * 64 + "\n"},
        {"weights_sha256": "../manifest"},
        {"warnings": ["w"] * 1000},
        {"warnings": ["w" * 100_000]},
        {"timings_s": {"fetch": 1.0}},
        {"timings_s": {"separate": -1.0}},
        {"unknown": {}},
    ],
    ids=lambda lie: next(f"{path}={str(value)[:20]!r}" for path, value in lie.items()).replace("/", "|"),
)
def test_a_report_that_cannot_be_is_not_believed(taken_over: Harness, tmp_path: Path, lie: dict[str, Any]) -> None:
    """A path, another name, a number or a length outside its bounds: the separator counts as dead, and is replaced."""
    assert_not_believed(taken_over, tmp_path, ("finish", lie))


@pytest.mark.parametrize("what", ["link", "hard link"])
def test_another_file_in_a_stems_place_is_not_taken(taken_over: Harness, tmp_path: Path, what: str) -> None:
    """A stem that is a link to a file that only the parent may read, or another name of it, is not opened."""
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    assert_not_believed(taken_over, tmp_path, (what, str(secret)))


@pytest.mark.parametrize("what", ["fifo", "folder", "socket", "nothing"])
def test_what_is_no_file_is_not_taken(taken_over: Harness, tmp_path: Path, what: str) -> None:
    """A pipe, which would be read without end, a folder, a socket, or nothing at all in a stem's place."""
    assert_not_believed(taken_over, tmp_path, (what, None))


def test_devices_are_not_taken(taken_over: Harness, tmp_path: Path) -> None:
    """A link to a device that has any number of bytes."""
    assert_not_believed(taken_over, tmp_path, ("link", "/dev/zero"))


def test_more_bytes_than_a_stem_can_have_are_not_taken(taken_over: Harness, tmp_path: Path) -> None:
    """A terabyte, as a hole, for a second of sound."""
    assert_not_believed(taken_over, tmp_path, ("hole", 1 << 40))


def test_a_link_in_the_folders_place_is_not_followed(taken_over: Harness, tmp_path: Path) -> None:
    """The whole folder moved away, and a link to one with files of the right names in its place."""
    other = tmp_path / "other"
    other.mkdir()
    for name in ("vocals", "accompaniment"):
        (other / f"{name}.wav").write_bytes(SECRET)
    assert_not_believed(taken_over, tmp_path, ("folder link", str(other)))


@pytest.mark.parametrize(
    "steps",
    [
        [("say", '{"type":"Finished","job":%JOB}')],
        [("say", '{"type":"Failed","job":%JOB,"code":"CANCELLED","message":""}')],
        [("say", '{"type":"Failed","job":%JOB,"code":"NO_SUCH_CODE","message":""}')],
        [("say", '{"type":"Failed","job":%JOB,"code":"AUDIO_EMPTY","message":"' + "m" * 100_000 + '"}')],
        [("say", '{"type":"Failed","job":%JOB,"code":"AUDIO_EMPTY","message":"\\ud800"}')],
        [("say", '{"type":"Failed","job":null,"code":"AUDIO_EMPTY","message":""}')],
        [("say", '{"type":"Stopped","job":999}')],
        [("say", '{"type":"Finished","job":0,"separation":{}}')],
        [("say", '{"type":"Progress","job":%JOB,"done":-1,"total":null}')],
        [("say", '{"type":"Progress","job":%JOB,"done":1e400,"total":null}')],
        [("say", '{"type":"Progress","job":%JOB,"done":NaN,"total":null}')],
        [("say", '{"type":"Progress","job":%JOB,"done":' + "9" * 10_000 + ',"total":null}')],
        [("say", '{"type":"Needs","job":%JOB,"audio_s":-1.0}')],
        [("say", '{"type":"Needs","job":%JOB,"audio_s":1e308}')],
        [("say", '{"type":"Loaded","model":"2stems","seconds":0.0}')],
        [("say", '{"type":"Confined","holds":"all"}')],
        [("say", '{"type":"Separate","job":1}')],
        [("say", '{"type":"Alive","more":1}')],
        [("say", "[" * 100_000)],
        [("say", '{"type":"Alive","a":' * 50_000)],
        [("say", "")],
        [("say", "null")],
        [("say", "\ud800")],
        [("bytes", "00ff0a")],
        [("bytes", "7b22fffe227d0a")],
        [("bytes", "7b"), ("end", 0)],
        [("say", '{"type":"Stopped","job":%JOB'), ("end", 0)],
        [("end", 0)],
        [("endless", '{"type":"Alive"')],
        [("endless", "")],
        [("flood", '{"type":"Alive"}')],
        [("flood", '{"type":"Progress","job":%JOB,"done":1,"total":null}')],
        [("flood", '{"type":"Needs","job":%JOB,"audio_s":1.0}')],
    ],
    ids=lambda steps: "+".join(f"{what} {str(argument)[:50]}" for what, argument in steps).replace("/", "|"),
)
def test_a_reply_that_is_none_is_the_end_of_its_separator(
    taken_over: Harness, tmp_path: Path, steps: list[tuple[str, Any]]
) -> None:
    """Broken, half, endless, of another job, of nobody, or without measure: a crash, and another process goes on."""
    assert_not_believed(taken_over, tmp_path, *steps)


def test_a_second_answer_is_nobodys(taken_over: Harness, tmp_path: Path) -> None:
    """The first answer counts; the one behind it is not taken for the next job's, whose process is another."""
    restarts = taken_over.client.status.restarts
    first = pids_with(taken_over.mark)
    assert len(taken_over.separate(track(tmp_path / "first", ("finish twice", None))).stems) == 2
    deadline = time.monotonic() + PATIENCE_S
    while first & pids_with(taken_over.mark):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert_goes_on(taken_over, tmp_path / "second")
    assert taken_over.client.status.restarts == restarts + 1


def test_a_trickle_is_not_waited_for(taken_over: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that comes byte by byte, without a sign of life between, ends its separator, not the job's whole time."""
    monkeypatch.setattr("consumer.separator.child_process._TICK_S", 0.02)
    steps = [step for byte in b'{"type":"Alive"' for step in (("bytes", f"{byte:02x}"), ("stop", 0.01))]
    assert_not_believed(taken_over, tmp_path, *steps, ("stop", 600))


def test_what_is_swapped_before_it_is_stored_is_not_read(tmp_path: Path) -> None:
    """The file that was opened is the one that is measured and sent, whatever bears its name by then."""
    path = tmp_path / "vocals.wav"
    path.write_bytes(b"sound")
    stem = StemFile(name="vocals", path=path, duration_s=1.0, peak=0.0, clipped_samples=0)
    with opened_stem(stem, "wav", None) as opened:
        path.unlink()
        path.write_bytes(SECRET)
        assert opened.path.read_bytes() == b"sound"
        assert opened.size_bytes == len(b"sound")
