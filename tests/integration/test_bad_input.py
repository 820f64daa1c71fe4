"""Bad input: one dead letter each, with its code and the record as it came, and the next message is processed."""

import io
import os
from datetime import UTC, datetime
from pathlib import Path

from consumer.core.events import DeadLetter, OutputOptions, SeparationRequest, SeparationResult, SourceObject
from harness.clips import write_clip
from harness.platform import Platform


def test_each_kind_of_bad_input_ends_as_its_code(platform: Platform, tmp_path: Path) -> None:
    """Garbage of each kind among good requests: every code once, nothing lost, the good ones done."""
    platform.start_replica(MAX_OBJECT_BYTES="5000000", MAX_AUDIO_SECONDS="20").wait_ready()
    good = platform.upload(write_clip(tmp_path / "good.mp3", seconds=1.0, seed=1))

    def put(key: str, body: bytes) -> str:
        platform.minio.put_object(platform.source_bucket, key, io.BytesIO(body), len(body))
        return key

    def source(key: str, **fields: object) -> SourceObject:
        return SourceObject(bucket=platform.source_bucket, key=key, **fields)  # type: ignore[arg-type]

    values: dict[bytes | None, str] = {}

    def ask(code: str, **fields: object) -> None:
        standard = {"request_id": f"bad-{len(values)}", "source": source(good), "requested_at": datetime.now(UTC)}
        request = SeparationRequest(**(standard | fields))  # type: ignore[arg-type]
        values[platform.codec.encode(request)] = code

    encoded = platform.codec.encode(SeparationRequest(request_id="x", source=source(good)))
    values[b"not avro at all"] = "AVRO_UNDECODABLE"
    values[encoded[:-3]] = "AVRO_UNDECODABLE"
    values[b"\xc3\x01" + b"12345678" + encoded[10:]] = "SCHEMA_UNKNOWN"
    values[b"\x00\x00\x00\x00\x07" + encoded[10:]] = "SCHEMA_UNKNOWN"
    ask("REQUEST_INVALID", model="7stems")
    ask("REQUEST_INVALID", request_id="no spaces, please")
    ask("REQUEST_INVALID", output=OutputOptions(format="midi"))
    ask("BUCKET_NOT_ALLOWED", source=SourceObject(bucket="elsewhere", key=good))
    ask("BUCKET_NOT_ALLOWED", output=OutputOptions(bucket="elsewhere"))
    ask("OBJECT_NOT_FOUND", source=source("nothing.mp3"))
    ask("OBJECT_CHANGED", source=source(good, etag="0" * 32))
    ask("OBJECT_TOO_LARGE", source=source(put("large.wav", bytes(5_000_001))))
    ask("AUDIO_EMPTY", source=source(put("empty.mp3", b"")))
    ask("AUDIO_UNDECODABLE", source=source(put("noise.mp3", os.urandom(50_000))))
    ask(
        "FORMAT_NOT_ALLOWED",
        source=source(put("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n")),
    )
    ask("AUDIO_TOO_LONG", source=source(platform.upload(write_clip(tmp_path / "long.mp3", seconds=25.0, seed=2))))
    ask("OFFSET_PAST_END", start_s=10.0)
    ask("MODEL_UNAVAILABLE", model="4stems")
    ask("DEADLINE_EXCEEDED", deadline=datetime(2020, 1, 1, tzinfo=UTC))
    (Path(platform.environment["MODEL_PATH"]) / "4stems").rename(tmp_path / "4stems")
    try:
        for number, value in enumerate(values):
            platform.send(value, f"key-{number}")
            if number % 4 == 0:
                platform.request(good)
        platform.request(good)
        sent = len(values) + len(range(0, len(values), 4)) + 1
        outcomes = platform.outcomes(sent)
    finally:
        (tmp_path / "4stems").rename(Path(platform.environment["MODEL_PATH"]) / "4stems")

    letters = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
    assert {letter.original_value: letter.code for letter in letters} == values
    assert len(letters) == len(values)
    assert len([o for o in outcomes if isinstance(o, SeparationResult)]) == sent - len(values)
    records = {(message.partition(), message.offset()): message.value() for message in platform.requests()}
    keys = {f"key-{number}".encode(): value for number, value in enumerate(values)}
    for letter in letters:
        assert keys[letter.original_key or b""] == letter.original_value
        assert letter.topic == platform.topic("REQUESTS")
        assert records[letter.partition, letter.offset] == letter.original_value
        assert letter.message
        assert "Traceback" not in letter.message


def test_wrong_settings_stop_the_start_with_one_line(platform: Platform) -> None:
    """A wrong setting is named in one line on standard error, exit code 1, whichever it is."""
    wrong = {
        "RETRY_DELAYS": "soon",
        "MINIO_ENDPOINT": "http://somewhere/",
        "KAFKA_BOOTSTRAP_SERVERS": "",
        "MINIO_SECRET_KEY": "wrong-key",
        "OUTPUT_BUCKET": "there-is-no-such-bucket",
        "KAFKA_NO_SUCH_PROPERTY": "1",
        "MAX_OBJECT_BYTES": "many",
        "SCRATCH_DIR": "/proc",
    }
    for name, value in wrong.items():
        ran = platform.run("run", **{name: value, "HTTP_PORT": "0"})
        assert ran.returncode == 1, name
        [line] = [line for line in ran.stderr.splitlines() if not line.startswith("{")]
        assert name in line, line
