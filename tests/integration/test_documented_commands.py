"""What the pages show to be typed is typed here, on real servers: their own text is what is run."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from minio import Minio

from consumer.core.errors import Code
from consumer.core.events import DeadLetter, SeparationRequest, SourceObject
from devstack.service import free_port
from harness.clips import write_clip
from harness.gateway import KEY, gateway
from harness.pages import DOCS, README, ROOT, blocks, commands, name_of
from harness.platform import Platform, make_platform
from harness.waiting import PATIENCE_S
from tests.conftest import Kafka, MinioServer
from tests.unit.docs.test_commands import OURS, RUN_AS_A_WHOLE, reason_not_run

BIN = Path(sys.executable).parent
KINDS = ("REQUESTS", "RESULTS", "DEAD_LETTER", "PROGRESS", "CONTROL", "AUDIT")


def shell(script: str, folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Runs a script as someone would who types it; whatever it leaves running is ended."""
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, start_new_session=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def script(page: Path, addresses: Mapping[str, str]) -> str:
    """The page's commands, but for those that can't be run, with the servers at other addresses."""
    lines = "\n".join(c.removeprefix("make stack-up && ") for c in commands(page) if not reason_not_run(c))
    for written, real in addresses.items():
        assert written in lines
        lines = lines.replace(written, real)
    return lines


@pytest.fixture
def newcomer(tmp_path: Path, kafka: Kafka) -> dict[str, str]:
    """The environment of someone who has installed the service and set nothing; with topics that nobody else uses."""
    name = f"t{uuid.uuid4().hex[:8]}"
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "SCRATCH_DIR": str(tmp_path),
        "HTTP_PORT": str(free_port()),
        "KAFKA_GROUP_ID": f"{name}-group",
        **{f"TOPIC_{kind}": f"{name}.{kind.lower().replace('_', '-')}" for kind in KINDS},
    }


@pytest.mark.parametrize("page", RUN_AS_A_WHOLE, ids=name_of)
def test_first_steps_work_as_they_stand(
    page: Path, tmp_path: Path, kafka: Kafka, minio: MinioServer, newcomer: Mapping[str, str]
) -> None:
    """From topics to stems, and an orderly end: with the demonstration's weights, by the page's own lines."""
    store = Minio(minio.endpoint, minio.access_key, minio.secret_key, secure=False)
    for bucket in ("music", "stems"):  # `make stack-up` makes them
        if not store.bucket_exists(bucket):
            store.make_bucket(bucket)
    before = {item.object_name for item in store.list_objects("stems", recursive=True)}
    (tmp_path / "demo-out").mkdir()
    write_clip(tmp_path / "demo-out" / "song.wav", seconds=3.0, seed=int.from_bytes(page.name.encode()[:3]))
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "weights").symlink_to(ROOT / "demo" / "weights")
    addresses = {"127.0.0.1:9092": kafka.bootstrap_servers, "127.0.0.1:9000": minio.endpoint}
    ran = shell(script(page, addresses), tmp_path, newcomer)
    assert ran.returncode == 0, ran.stdout + ran.stderr + (tmp_path / "consumer.log").read_text()[-2000:]
    assert '"SeparationResult"' in ran.stdout
    made = {item.object_name for item in store.list_objects("stems", recursive=True)} - before
    assert {Path(name or "").name for name in made} >= {"vocals.flac", "accompaniment.flac", "manifest.json"}
    assert "replica.stopped" in (tmp_path / "consumer.log").read_text()
    if page != README:
        assert "this one is a dead letter" in ran.stdout
        assert "settings: OK" in ran.stdout


@pytest.fixture(scope="module")
def worked(
    kafka: Kafka, minio: MinioServer, tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Iterator[Platform]:
    """A platform with a replica, a song, a tenant's result, and two dead letters: a sender's fault, and the world's."""
    folder = tmp_path_factory.mktemp("documented")
    platform = make_platform(kafka.bootstrap_servers, minio.endpoint, folder, model_path)
    for name in ("song.mp3", "song.wav"):
        platform.upload(write_clip(folder / name, seconds=1.0, seed=11))
    platform.start_replica().wait_ready()
    platform.request("missing.mp3")
    platform.request("song.wav", request_id="song-17", tenant="label-7")
    platform.outcomes(2)
    request = SeparationRequest(request_id="late", source=SourceObject(bucket=platform.source_bucket, key="song.mp3"))
    letter = DeadLetter(
        request_id="late",
        code=Code.RETRIES_EXHAUSTED,
        original_value=platform.codec.encode(request),
        topic=platform.topic("REQUESTS"),
    )
    platform.send_to("DEAD_LETTER", platform.codec.encode(letter), "late")
    yield platform
    platform.close()


def test_each_command_works_as_it_stands(worked: Platform, tmp_path: Path) -> None:
    """Every command of the service's on every page, one after the other; only names of things are ours."""
    shutil.copy(worked.folder / "song.mp3", tmp_path / "song.mp3")
    (tmp_path / "schemas").symlink_to(ROOT / "schemas")
    environment = {**worked.environment, "PATH": f"{BIN}:{os.environ['PATH']}"}
    [letter] = worked.run("dlq", "list", "--code", Code.OBJECT_NOT_FOUND).stdout.splitlines()
    names = {" music/": f" {worked.source_bucket}/", " 3:17": f" {letter.split()[0]}"}
    run = {c for page, c in OURS if page not in RUN_AS_A_WHOLE and not reason_not_run(c)}
    assert len(run) > 15
    for command in sorted(run):
        typed = command
        for written, real in names.items():
            typed = typed.replace(written, real)
        ran = shell(typed, tmp_path, environment)
        assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"


CLIENT_CODE = [(page, block) for page in (README, DOCS / "producing.md") for block in blocks(page, "python")]


@pytest.mark.parametrize(("page", "code"), CLIENT_CODE, ids=[name_of(page) for page, _ in CLIENT_CODE])
def test_client_code_works_as_it_stands(worked: Platform, tmp_path: Path, page: Path, code: str) -> None:
    """It sends a request, and the stems lie where it says."""
    assert '"music/song.mp3"' in code
    write_clip(tmp_path / "song.mp3", seconds=1.0, seed=7)
    done = run_python(code.replace('"music/', f'"{worked.source_bucket}/'), worked, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "stems").iterdir()} == {
        f"{stem}.flac" for stem in ("vocals", "drums", "bass", "other")
    }, done.stdout + done.stderr


def test_client_code_over_http_works_as_it_stands(worked: Platform, tmp_path: Path) -> None:
    """The same with a gateway's address and a key, and nothing of Kafka or the store in the environment."""
    code, _ = blocks(DOCS / "http.md", "python")
    assert '"music/song.mp3"' in code
    with gateway(worked) as running:
        own = {"SPLEETER_API_URL": running.url, "SPLEETER_API_KEY": KEY}
        done = run_python(code.replace('"music/', f'"{worked.source_bucket}/'), worked, tmp_path, own)
    assert done.returncode == 0, done.stderr
    names = {f"{stem}.flac" for stem in ("vocals", "drums", "bass", "other")}
    assert {path.name for path in (tmp_path / "stems").iterdir()} == names, done.stdout + done.stderr
    assert re.search(r"^[\w-]{43} 20\d\d-", done.stdout, re.MULTILINE), done.stdout


def test_asynchronous_code_over_http_works_as_it_stands(worked: Platform, tmp_path: Path) -> None:
    """Each file of a folder is separated, and one that holds no music ends with its code; then it is listed."""
    _, code = blocks(DOCS / "http.md", "python")
    (tmp_path / "songs").mkdir()
    for number in range(2):
        write_clip(tmp_path / "songs" / f"song-{number}.wav", seconds=1.0, seed=number)
    (tmp_path / "songs" / "none.mp3").write_bytes(b"ID3" + bytes(5000))
    with gateway(worked) as running:
        done = run_python(code, worked, tmp_path, {"SPLEETER_API_URL": running.url, "SPLEETER_API_KEY": KEY})
    assert done.returncode == 0, done.stderr
    for number in range(2):
        assert f"song-{number}.wav ['accompaniment', 'vocals']" in done.stdout
        assert {path.name for path in (tmp_path / "stems" / f"song-{number}").iterdir()} == {
            "vocals.flac", "accompaniment.flac",
        }  # fmt: skip
    assert re.search(r"^none\.mp3 AUDIO_\w+$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^[\w-]{43}$", done.stdout, re.MULTILINE), done.stdout


def run_python(
    code: str, platform: Platform, folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code], env=dict(environment or platform.environment), cwd=folder,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def test_reading_code_works_as_it_stands(worked: Platform, tmp_path: Path) -> None:
    """It prints a result; it would go on for ever, so it is ended after that."""
    platform = worked
    request = platform.request("song.mp3")
    platform.outcomes(2)
    [code] = blocks(DOCS / "consuming.md", "python")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], env=dict(platform.environment), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            seen = ""
            while request.request_id not in seen:
                line = process.stdout.readline()
                assert line, seen
                seen += line
        finally:
            process.kill()
