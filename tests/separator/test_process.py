"""The separator process as its parent sees it: killed, cancelled, or left alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.app import vendors as parts
from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, WorkerCrashed
from consumer.core.runtimes import ChosenRuntime
from consumer.separator.client import SeparatorClient
from consumer.separator.protocol import (
    Configure,
    Finished,
    Loaded,
    Progress,
    Reply,
    Separate,
    Stop,
    Stopped,
    decode_reply,
    encode,
)
from consumer.settings import Settings
from harness.audio import RATE_HZ, music
from harness.files import encode_file, ffmpeg
from tests.separator.jobs import (
    PATIENCE_S,
    Harness,
    assert_works,
    configuration,
    make_harness,
    patience,
    pids_with,
    wait_until_none,
)

SEGMENT_S = 512 * 1024 / RATE_HZ
LONG_S = 1800.0
LONG_SEGMENTS = int(LONG_S / SEGMENT_S) + 1


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half an hour: more than is separated before anyone can react."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    ffmpeg("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={LONG_S}", "-ac", "2", str(path))
    return path


@pytest.fixture
def long_job(long_song: Path, tmp_path: Path) -> Path:
    """The long song in a folder of its own."""
    path = tmp_path / "long.flac"
    path.symlink_to(long_song)
    return path


@pytest.fixture(scope="module")
def own(narrow_models: Path) -> Iterator[Harness]:
    """A process that these tests may end; each leaves a living one behind."""
    ready = make_harness(narrow_models)
    try:
        ready.prepare()
        yield ready
    finally:
        ready.client.kill()


def test_a_killed_process_is_a_crash_and_is_replaced(own: Harness, long_job: Path, tmp_path: Path) -> None:
    """Killed in mid job it is reported as crashed, its ffmpegs end with it, and the next job finds another one."""
    [victim] = own.pids
    restarts = own.client.status.restarts
    ffmpegs: set[int] = set()

    def kill(done: int, total: int | None) -> None:
        ffmpegs.update(pids_with(str(tmp_path)))
        os.kill(victim, signal.SIGKILL)

    with pytest.raises(WorkerCrashed, match="signal 9"):
        own.separate(long_job, on_progress=kill)
    assert ffmpegs
    wait_until_none(str(tmp_path))
    assert_works(own, tmp_path / "next")
    assert victim not in own.pids
    assert own.client.status.restarts == restarts + 1


def test_a_cancelled_job_ends_and_makes_way(own: Harness, long_job: Path, tmp_path: Path) -> None:
    """A job cancelled while it separates ends as cancelled, its ffmpegs end with it, and the next one works."""
    cancel = patience()
    ffmpegs: set[int] = set()

    def stop(done: int, total: int | None) -> None:
        assert total == LONG_SEGMENTS
        ffmpegs.update(pids_with(str(tmp_path)))
        cancel.cancel("nobody wants it")

    with pytest.raises(Cancelled, match="nobody wants it"):
        own.separate(long_job, cancel=cancel, on_progress=stop)
    assert ffmpegs
    wait_until_none(str(tmp_path))
    assert_works(own, tmp_path / "next")


def test_a_job_cancelled_beforehand_is_not_begun(own: Harness, long_job: Path) -> None:
    """A job whose cancellation came first fails at once, and says nothing to the process."""
    cancel = Cancellation()
    cancel.cancel("too late")
    with pytest.raises(Cancelled, match="too late"):
        own.separate(long_job, cancel=cancel, on_progress=lambda done, total: pytest.fail("it was begun"))


def test_progress_counts_the_segments(own: Harness, tmp_path: Path) -> None:
    """Progress rises by one from 1 to the number of segments that the file's length gives."""
    path = encode_file(tmp_path / "song.flac", music(seconds=2.5 * SEGMENT_S))
    seen: list[tuple[int, int | None]] = []
    own.separate(path, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


class Child:
    """A separator process spoken to directly."""

    def __init__(self, model_path: Path) -> None:
        command = (sys.executable, "-m", "consumer.separator.process")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.send(configuration(model_path))
        self.wait_for(Loaded)

    def send(self, message: Configure | Separate | Stop) -> None:
        assert self.process.stdin
        self.process.stdin.write(encode(message))
        self.process.stdin.flush()

    def close(self) -> None:
        """Say nothing more."""
        assert self.process.stdin
        self.process.stdin.close()

    def wait_for(self, *kinds: type[Reply]) -> Reply:
        """The next reply of one of the kinds."""
        assert self.process.stdout
        return next(reply for line in self.process.stdout if isinstance(reply := decode_reply(line), kinds))


@pytest.fixture
def child(narrow_models: Path) -> Iterator[Child]:
    started = Child(narrow_models)
    with started.process:
        yield started
        started.process.kill()


def test_a_stop_meets_its_job_only_and_then_the_end_of_input_ends_all(
    child: Child, long_job: Path, tmp_path: Path
) -> None:
    """A Stop ends just the job that it names, soon and without a trace; the end of input ends all, in mid job."""
    order = Separate(
        job=7, model="2stems", path=long_job, folder=tmp_path, format="mp3", bitrate=None, start_s=None,
        duration_s=None, high_frequencies="zeros", max_audio_s=7200.0,
    )  # fmt: skip
    child.send(order)
    child.send(Stop(6))
    assert child.wait_for(Progress, Stopped) == Progress(7, 1, LONG_SEGMENTS)
    child.send(Stop(7))
    replies = [child.wait_for(Progress, Stopped, Finished)]
    while isinstance(replies[-1], Progress):
        replies.append(child.wait_for(Progress, Stopped, Finished))
    assert replies[-1] == Stopped(7)
    assert len(replies) < LONG_SEGMENTS / 10
    assert list(tmp_path.iterdir()) == [long_job]
    assert not pids_with(str(tmp_path))

    child.send(order)
    child.wait_for(Progress)
    assert pids_with(str(tmp_path))
    child.close()
    assert child.process.wait(60) == 0
    wait_until_none(str(tmp_path))


def test_an_unreadable_reply_is_a_crash(tmp_path: Path) -> None:
    """A process that talks nonsense is ended and reported, instead of being waited for."""
    talk = "import sys; sys.stdin.readline(); sys.stdin.readline(); print('{}', flush=True); sys.stdin.read()"
    client = SeparatorClient(
        configuration(tmp_path), max_audio_s=60, environment=os.environ, command=(sys.executable, "-c", talk)
    )
    with pytest.raises(WorkerCrashed, match="signal 9"):
        Harness(client, "").separate(tmp_path / "song.wav")
    client.kill()


def test_the_process_is_given_no_credentials(
    monkeypatch: pytest.MonkeyPatch, narrow_models: Path, tmp_path: Path
) -> None:
    """The process as the consumer starts it has none of the variables that Kafka and the store are reached with."""
    secrets = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "KAFKA_SASL_PASSWORD": "secret", "MINIO_ENDPOINT": "127.0.0.1:2",
        "MINIO_ACCESS_KEY": "secret", "MINIO_SECRET_KEY": "secret", "SPLEETER_API_KEY": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret", "SCHEMA_REGISTRY_URL": "http://user:secret@127.0.0.1:3",
    }  # fmt: skip
    others = {"ALLOWED_SOURCE_BUCKETS": "songs", "OUTPUT_BUCKET": "stems", "MODEL_PATH": str(narrow_models)}
    for name, value in (secrets | others).items():
        monkeypatch.setenv(name, value)
    of_tests = ChosenRuntime(name="tensorflow", reason="the tests' own")
    [client] = parts.make_separators(Settings.load(), of_tests, (*parts.SEPARATOR_COMMAND, str(tmp_path)))
    client.start()
    try:
        [pid] = pids_with(str(tmp_path))
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode()
    finally:
        client.kill()
    assert f"MODEL_PATH={narrow_models}" in environment
    assert "secret" not in environment
    assert not [name for name in secrets if f"{name}=" in environment]


def test_a_process_that_died_while_idle_is_revived(narrow_models: Path) -> None:
    """What died with nothing to do is started again without a job, and is ready again; what lives is left alone."""
    running = make_harness(narrow_models, restart_delay_s=0.0)
    try:
        running.prepare()
        [first] = running.pids
        running.client.revive()
        assert running.pids == {first}
        os.kill(first, signal.SIGKILL)
        wait_until_none(running.mark)
        deadline = time.monotonic() + PATIENCE_S
        while not (running.client.status.restarts and running.client.status.ready):
            running.client.revive()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert running.pids != {first}
        assert running.client.status.restarts == 1
    finally:
        running.client.kill()
