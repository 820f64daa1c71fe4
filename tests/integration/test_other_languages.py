"""The programs in examples/, built and run by the lines of their page, on real servers with a replica at work."""

import io
import itertools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import fastavro
import pytest
import soundfile
from confluent_kafka import Producer

from consumer.adapters.avro.codec import SINGLE_OBJECT_MARKER, fingerprint, load_earlier, packaged_schemas
from consumer.core.events import DeadLetter, OutputOptions, SourceObject
from devstack import build, system
from harness.clips import write_clip
from harness.pages import DOCS, ROOT, commands
from harness.platform import Platform, make_platform
from tests.conftest import Kafka, MinioServer

# By language: the line that builds its program, and the one that runs it.
LINES: dict[str, list[str]] = {}
for _command in commands(DOCS / "other-languages.md"):
    LINES.setdefault(_command.split("/")[1].split()[0], []).append(_command)
SONG = "music/song.mp3 4stems flac"  # as the page has it
BUILD_S, RUN_S = 1200, 300  # the first time each fetches its libraries and compiles them


@pytest.fixture(scope="module")
def working(
    kafka: Kafka, minio: MinioServer, tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Iterator[Platform]:
    """A platform with a replica and a song of a second."""
    folder = tmp_path_factory.mktemp("platform")
    platform = make_platform(kafka.bootstrap_servers, minio.endpoint, folder, model_path)
    platform.upload(write_clip(folder / "song.mp3", seconds=1.0, seed=3))
    platform.start_replica().wait_ready()
    yield platform
    platform.close()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has examples/ and schemas/ as the repository has them, and bin/go."""
    system.provide({"java": "openjdk-17-jdk-headless", "mvn": "maven", "node": "nodejs", "npm": "npm"})
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(
        ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("target", "node_modules", "separate")
    )
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    (folder / "bin").mkdir()
    go = folder / "bin" / "go"
    go.write_text(f'#!/bin/sh\nexec {" ".join(build.go_command())} "$@"\n')
    go.chmod(0o755)
    return folder


@pytest.fixture(scope="module", params=sorted(LINES))
def language(request: pytest.FixtureRequest, checkout: Path, working: Platform) -> str:
    """Built."""
    name: str = request.param
    build_line, _ = LINES[name]
    ran = type_line(build_line, checkout, working, {}, timeout_s=BUILD_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return name


def type_line(
    line: str, checkout: Path, platform: Platform, environment: Mapping[str, str], *, timeout_s: float = RUN_S
) -> "subprocess.CompletedProcess[str]":
    own = {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}", "GOTOOLCHAIN": "local"}
    return subprocess.run(
        ["bash", "-euc", line], cwd=checkout, env={**os.environ, **platform.environment, **own, **environment},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=timeout_s,
    )  # fmt: skip


def separate(
    language: str, checkout: Path, platform: Platform, song: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """The page's line, with that in place of its song, model and format."""
    _, run_line = LINES[language]
    assert run_line.endswith(f" {SONG}")
    return type_line(run_line.replace(SONG, song), checkout, platform, environment)


@contextmanager
def strangers_at_work(platform: Platform) -> Iterator[None]:
    """Others write to the topics of outcomes meanwhile: garbage, nothing, earlier versions' results, letters."""
    earlier = load_earlier("separation_result", packaged_schemas())
    assert earlier
    values = [("RESULTS", b"garbage"), ("DEAD_LETTER", b"\xc3\x01garbage!"), ("RESULTS", None), ("DEAD_LETTER", None)]
    values += [("RESULTS", _written_by(schema)) for schema in earlier]
    values += [("DEAD_LETTER", platform.codec.encode(DeadLetter(code="X")))]
    is_over = threading.Event()

    def write() -> None:
        producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
        for kind, value in itertools.cycle(values):
            producer.produce(platform.topic(kind), value, b"a-key")
            producer.poll(0)
            if is_over.wait(0.02):
                break
        assert producer.flush(30) == 0

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        is_over.set()
        writing.join(60)


def _written_by(schema: dict[str, object]) -> bytes:
    """A result of nobody here, as a service of that time wrote it."""
    out = io.BytesIO(SINGLE_OBJECT_MARKER + fingerprint(schema))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {"request_id": "somebody-else"})
    return out.getvalue()


def test_a_request_is_sent_and_its_result_printed(language: str, checkout: Path, working: Platform) -> None:
    """It is asked for as the line says, and the stems that are printed lie where they say, as long as the song."""
    before = len(working.requests())
    with strangers_at_work(working):
        ran = separate(language, checkout, working, f"{working.source_bucket}/song.mp3 4stems flac")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = json.loads(ran.stdout)
    asked = [working.codec.decode_request(message.value()) for message in working.requests()]
    assert len(asked) == before + 1
    [request] = [each for each in asked if each.request_id == printed["request_id"]]
    assert (request.source, request.model, request.output, request.metadata) == (
        SourceObject(bucket=working.source_bucket, key="song.mp3"),
        "4stems",
        OutputOptions(format="flac"),
        {"sent-by": language},
    )
    assert request.requested_at.year >= 2026
    assert printed["metadata"] == {"sent-by": language}
    assert [stem["name"] for stem in printed["stems"]] == ["vocals", "drums", "bass", "other"]
    for stem in printed["stems"]:
        working.minio.fget_object(stem["bucket"], stem["key"], str(checkout / "stem.flac"))
        assert soundfile.info(checkout / "stem.flac").frames == 44100


def test_a_request_that_fails_ends_with_its_code(language: str, checkout: Path, working: Platform) -> None:
    """There is no such object: the program prints the dead letter, tells the code, and ends with 1."""
    with strangers_at_work(working):
        ran = separate(language, checkout, working, f"{working.source_bucket}/missing.mp3")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["code"] == "OBJECT_NOT_FOUND"
    assert "OBJECT_NOT_FOUND: " in ran.stderr


def test_what_is_no_outcome_ends_otherwise(language: str, checkout: Path, working: Platform) -> None:
    """Nobody reads the topic that it is sent to; it is called wrongly; the schemas are not there."""
    unread = working.topic("AUDIT")
    late = separate(language, checkout, working, SONG, WAIT_S="3", TOPIC_REQUESTS=unread)
    unused = separate(language, checkout, working, "")
    lost = separate(language, checkout, working, SONG, WAIT_S="30", SCHEMAS="no-such-folder")
    for ran, told in ((late, "no outcome of"), (unused, "usage: "), (lost, "no-such-folder")):
        assert (ran.returncode, ran.stdout) == (2, ""), ran.stdout + ran.stderr
        assert told in ran.stderr
