"""Requests whose words or bytes are hostile; each is one record, and ends with one outcome."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.events import SeparationRequest
from consumer.core.model import Headers

_NAMES = (
    "", ".", "..", "../", "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/", "a\0b", "a\nb",
    "\r", "%2e%2e/", "a//b", "-rf", "--help", "$(id)", "`id`", "; id", "| id", "\u202e", "\ufeff", "\ud7ff",
    "\U0010ffff", "x" * 1_100, "stems/../../x", "C:\\x", "\\\\host\\x", "concat:a|b", "{0.__class__}", "%s%s%n",
    "null", "0", "NaN",
)  # fmt: skip
_NUMBERS = (float("nan"), float("inf"), -float("inf"), -1.0, -0.0, 1e308, 5e-324, 1e13, 1e-7)
_TIMES = (datetime(1, 1, 2, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
_VALUES = (
    "", "x", "-1", "0", "1e99", "99999999999999999999", "128k; id", "../wav", "WAV", "wav -i x", "\0", "2stems\u200b",
    "2stems/../..",
)  # fmt: skip
_FORGED = (
    (b"99999999999999999999",), (b"-1",), (b"",), (b"\xff\xfe",), (b"1" * 100_000,), (b"1", b"2"), (b"NaN",),
    (b"1\n2",),
)  # fmt: skip
_HEADERS = ("separation-attempt", "separation-not-before", "traceparent", "baggage", "tracestate", "content-type")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileRecord:
    """name: what it tries. value: the record's, None for a marker of deletion. headers: beside it."""

    name: str
    value: bytes | None
    headers: Headers = ()


def records(honest: SeparationRequest, codec: AvroCodec) -> Iterator[HostileRecord]:
    """honest: a request that would succeed; each record is it, but for one thing. Ids are all different."""
    for number, (name, changed) in enumerate(_changed(honest)):
        own = changed if "request_id" in name else replace(changed, request_id=f"{honest.request_id[:40]}-{number}")
        yield HostileRecord(name=f"{name}-{number}", value=codec.encode(own))
    plain = codec.encode(honest)
    yield from _bytes(plain)
    for number, (header, values) in enumerate((header, values) for header in _HEADERS for values in _FORGED):
        value = codec.encode(replace(honest, request_id=f"{honest.request_id[:40]}-h{number}"))
        yield HostileRecord(
            name=f"header-{header}-{number}", value=value, headers=tuple((header, each) for each in values)
        )
    many = tuple((f"h{number}", b"x" * 10) for number in range(5_000))
    value = codec.encode(replace(honest, request_id=f"{honest.request_id[:40]}-many"))
    yield HostileRecord(name="header-five-thousand", value=value, headers=many)


def _changed(honest: SeparationRequest) -> Iterator[tuple[str, SeparationRequest]]:
    source, output = honest.source, honest.output
    for text in _NAMES:
        yield "request_id", replace(honest, request_id=text)
        yield "bucket", replace(honest, source=replace(source, bucket=text))
        yield "key", replace(honest, source=replace(source, key=text))
        yield "version_id", replace(honest, source=replace(source, version_id=text))
        yield "etag", replace(honest, source=replace(source, etag=text))
        yield "output-bucket", replace(honest, output=replace(output, bucket=text))
        yield "prefix", replace(honest, output=replace(output, prefix=text))
        yield "tenant", replace(honest, tenant=text)
        yield "metadata", replace(honest, metadata={text: text})
    for text in _VALUES:
        yield "model", replace(honest, model=text)
        yield "format", replace(honest, output=replace(output, format=text))
        yield "bitrate", replace(honest, output=replace(output, format="mp3", bitrate=text))
        yield "high_frequencies", replace(honest, high_frequencies=text)
    for number in _NUMBERS:
        yield "start_s", replace(honest, start_s=number)
        yield "duration_s", replace(honest, duration_s=number)
    for time in _TIMES:
        yield "deadline", replace(honest, deadline=time)
        yield "requested_at", replace(honest, requested_at=time)
    yield "metadata-large", replace(honest, metadata={"k": "v" * 900_000})
    yield "metadata-many", replace(honest, metadata={str(number): "v" for number in range(20_000)})


def _bytes(plain: bytes) -> Iterator[HostileRecord]:
    body = plain[10:]
    shapes: dict[str, bytes | None] = {
        "deleted": None, "empty": b"", "one": b"\xc3", "magic-alone": plain[:10], "registry-0": bytes(5) + body,
        "another-schema": plain[:2] + bytes(8) + body, "registry-largest": b"\0\xff\xff\xff\xff" + body,
        "ones": b"\xff" * 900_000, "zeros": bytes(900_000), "pickle": b"\x80\4c__main__\nx\n.",
        "a-string-of-2-to-62": plain[:10] + b"\xfe" + b"\xff" * 8 + b"\x7f",
        "a-string-of-less-than-nothing": plain[:10] + b"\x01", "json": b'{"request_id": "x"}',
        "container": b"Obj\1" + plain, "more-behind": plain + bytes(100_000),
        "varint-without-end": plain[:10] + b"\x80" * 100_000,
    }  # fmt: skip
    for name, value in shapes.items():
        yield HostileRecord(name=f"bytes-{name}", value=value)
    for length in range(11, len(plain), max(1, len(plain) // 30)):
        yield HostileRecord(name=f"bytes-cut-{length}", value=plain[:length])
    for seed in range(60):
        random, flipped = np.random.default_rng(seed), np.frombuffer(plain, np.uint8).copy()
        places = random.integers(10, len(plain), 1 + seed % 3)
        flipped[places] ^= np.left_shift(1, random.integers(0, 8, len(places))).astype(np.uint8)
        yield HostileRecord(name=f"bytes-flipped-{seed}", value=flipped.tobytes())
    blocks = struct.pack("B", 0x80) * 8 + b"\x01"
    yield HostileRecord(name="bytes-blocks", value=plain + blocks * 1000)
