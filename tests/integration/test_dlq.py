"""Dead letters as an operator handles them: on a real broker, by the installed command."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.adapters.kafka.dead_letters import KafkaDeadLetters
from consumer.core.events import DeadLetter, Header, SeparationRequest, SourceObject
from consumer.settings import KafkaSettings
from harness.platform import Platform

GIVEN = (("traceparent", b"00-1"), ("empty", None))


def a_request(number: int) -> SeparationRequest:
    return SeparationRequest(request_id=f"r{number}", source=SourceObject(bucket="in", key=f"{number}.mp3"))


def a_letter(platform: Platform, number: int, code: str, **fields: object) -> DeadLetter:
    standard = {
        "request_id": f"r{number}", "code": code, "message": f"line one\nof {number}", "stage": "fetch", "attempts": 1,
        "original_key": f"r{number}".encode(), "original_value": platform.codec.encode(a_request(number)),
        "original_headers": tuple(Header(key=k, value=v) for k, v in GIVEN), "topic": platform.topic("REQUESTS"),
        "partition": 0, "offset": number, "failed_at": datetime.now(UTC),
    }  # fmt: skip
    return DeadLetter(**standard | fields)  # type: ignore[arg-type]


@pytest.fixture
def letters(one_partition: Platform) -> Platform:
    """A platform with six letters, one that can't be sent again, and one record that is none."""
    platform = one_partition
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    codes = ["OBJECT_NOT_FOUND", "AUDIO_EMPTY", "OBJECT_NOT_FOUND", "MALWARE_FOUND"]
    values = [platform.codec.encode(a_letter(platform, number, code)) for number, code in enumerate(codes)]
    values.append(b"garbage")
    values.append(
        platform.codec.encode(a_letter(platform, 5, "AVRO_UNDECODABLE", original_value=b"\xff", request_id=None))
    )
    values.append(platform.codec.encode(a_letter(platform, 6, "AUDIO_EMPTY", topic="elsewhere")))
    for value in values:
        producer.produce(platform.topic("DEAD_LETTER"), value, b"key", partition=0)
    assert producer.flush(60) == 0
    return platform


def sent_again(platform: Platform) -> Sequence[tuple[bytes | None, bytes | None, Mapping[str, str | bytes | None]]]:
    """Everything in the topic of requests."""
    consumer = Consumer({
        "bootstrap.servers": platform.bootstrap_servers, "group.id": "reader", "enable.auto.commit": False,
        "enable.partition.eof": True,
    })  # fmt: skip
    consumer.assign([TopicPartition(platform.topic("REQUESTS"), 0, 0)])
    found = []
    while (message := consumer.poll(60)) and not message.error():
        found.append((message.key(), message.value(), dict(message.headers() or [])))
    consumer.close()
    return found


def test_letters_are_listed_and_shown(letters: Platform) -> None:
    """A line a letter, all or those with a code; one of them whole, with the request that it holds."""
    listed = letters.run("dlq", "list")
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["0:0", "0:1", "0:2", "0:3", "0:5", "0:6"]
    topic = letters.topic("REQUESTS")
    assert lines[1].split("  ")[2:] == ["AUDIO_EMPTY", "r1", f"{topic},0,1", "line one of 1"]
    assert lines[4].split("  ")[3] == "-"
    assert listed.stderr.splitlines() == ["0:4 is no dead letter that can be read"]
    assert len(letters.run("dlq", "list", "--code", "OBJECT_NOT_FOUND").stdout.splitlines()) == 2
    # A property that only a member of the group may be made with.
    assert letters.run("dlq", "list", KAFKA_MAX_POLL_INTERVAL_MS="6500").stdout == listed.stdout

    for which in ("0:3", "r3"):
        shown = json.loads(letters.run("dlq", "show", which).stdout)
        assert (shown["partition"], shown["offset"], shown["letter"]["code"]) == (0, 3, "MALWARE_FOUND")
        assert base64.b64decode(shown["letter"]["original_key"]) == b"r3"
        assert shown["request"]["source"]["key"] == "3.mp3"
    assert json.loads(letters.run("dlq", "show", "0:5").stdout)["request"].startswith("neither Avro")
    missing = letters.run("dlq", "show", "0:4")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.splitlines()[-1] == "spleeter-consumer: there is no dead letter 0:4"


def test_records_are_sent_again_as_they_came(letters: Platform) -> None:
    """Those that are meant, in their order, with key, value and headers and a count; a dry run sends nothing."""
    dry = letters.run("dlq", "replay", "--code", "OBJECT_NOT_FOUND", "--dry-run")
    assert (dry.returncode, len(dry.stdout.splitlines())) == (0, 2)
    assert sent_again(letters) == []

    done = letters.run("dlq", "replay", "--code", "OBJECT_NOT_FOUND")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"0:{n}  OBJECT_NOT_FOUND  r{n}  sent to {letters.topic('REQUESTS')}" for n in (0, 2)
    ]
    wanted = dict(GIVEN) | {"separation-replays": b"1"}
    records = [(f"r{n}".encode(), letters.codec.encode(a_request(n)), wanted) for n in range(7)]
    assert sent_again(letters) == [records[0], records[2]]
    assert letters.run("dlq", "replay", "0:1", "0:3", "--request-id", "r3").returncode == 0
    assert sent_again(letters) == [records[0], records[2], records[3]]
    nothing = letters.run("dlq", "replay", "--code", "CANCELLED")
    assert nothing.returncode == 1
    assert nothing.stderr.splitlines()[-1] == "spleeter-consumer: no dead letter is like that"


def test_what_can_not_be_sent_keeps_nothing_else_back(letters: Platform) -> None:
    """All that can be sent is sent, the rest is told of, and the exit code says that there was some."""
    done = letters.run("dlq", "replay", "--all")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "spleeter-consumer: 1 of 6 records can't be sent again"
    assert "0:6  AUDIO_EMPTY  r6  not sent: it came from 'elsewhere'" in done.stdout
    assert [key for key, _, _ in sent_again(letters)] == [b"r0", b"r1", b"r2", b"r3", b"r5"]


def test_a_replayed_request_gets_its_outcome(one_partition: Platform) -> None:
    """A record that was sent again is a request like any other: it fails again, with its replays told in the letter."""
    platform = one_partition
    platform.start_replica().wait_ready()
    platform.request("gone.mp3")
    platform.outcomes(1)
    for count in (1, 2):
        done = platform.run("dlq", "replay", "0:0")
        assert done.returncode == 0, done.stderr
        outcomes = platform.outcomes(1 + count)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, DeadLetter)] == ["OBJECT_NOT_FOUND"] * 3
    assert sorted(len(o.original_headers) for o in outcomes if isinstance(o, DeadLetter)) == [0, 1, 1]


def test_what_comes_meanwhile_is_not_read(one_partition: Platform) -> None:
    """A record that is sent again may fail again at once: its new letter is not sent again by the same command."""
    platform, topic = one_partition, one_partition.topic("DEAD_LETTER")
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(60)

    def write(number: int) -> None:
        """As a replica does: behind each letter lies the marker of its transaction."""
        producer.begin_transaction()
        producer.produce(topic, platform.codec.encode(a_letter(platform, number, "AUDIO_EMPTY")), partition=0)
        producer.commit_transaction(60)

    write(1)
    reading = KafkaDeadLetters(
        KafkaSettings(bootstrap_servers=platform.bootstrap_servers), topic, platform.codec
    ).read()
    first = next(reading)
    write(2)
    assert first.dead_letter is not None
    assert first.dead_letter.request_id == "r1"
    assert list(reading) == []
