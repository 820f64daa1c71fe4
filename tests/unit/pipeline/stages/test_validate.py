from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from consumer.core.errors import Code, Rejected
from consumer.core.events import OutputOptions, SeparationRequest, SourceObject
from consumer.pipeline.stages.validate import Validate, check_deadline
from harness.fakes import NOON, a_request

VALIDATE = Validate(
    source_buckets=("in", "more"), output_bucket="out", output_prefix="stems/", further_output_buckets=("extra",)
)
FUTURE = NOON.replace(year=9000)


def source(**fields: Any) -> SourceObject:
    return replace(SourceObject(bucket="in", key="a.mp3"), **fields)


INVALID = Code.REQUEST_INVALID
REJECTED = [
    ({"request_id": ""}, INVALID, "request_id"),
    ({"request_id": "x" * 65}, INVALID, "request_id"),
    ({"request_id": "a/b"}, INVALID, "request_id"),
    ({"request_id": "a\n"}, INVALID, "request_id"),
    ({"request_id": "ü"}, INVALID, "request_id"),
    ({"model": "7stems"}, INVALID, "model"),
    ({"model": "2STEMS"}, INVALID, "model"),
    ({"high_frequencies": "loud"}, INVALID, "high_frequencies"),
    ({"output": OutputOptions(format="aiff")}, INVALID, "output.format"),
    ({"output": OutputOptions(format="mp3", bitrate="-i")}, INVALID, "output.bitrate"),
    (
        {"output": OutputOptions(format="opus", bitrate="640k")},
        INVALID,
        "output.bitrate must be from 6k to 510k for opus",
    ),
    (
        {"output": OutputOptions(format="ogg", bitrate="32k")},
        INVALID,
        "output.bitrate must be from 45k to 500k for ogg",
    ),
    ({"output": OutputOptions(format="ogg", bitrate="510k")}, INVALID, "output.bitrate must be from 45k to 500k"),
    ({"output": OutputOptions(format="m4a", bitrate="640k")}, INVALID, "output.bitrate must be from 12k to 384k"),
    (
        {"output": OutputOptions(format="wma", bitrate="64k")},
        INVALID,
        "not wma: its files can't hold where a stem begins",
    ),
    ({"output": OutputOptions(format="mp3", bitrate="8k")}, INVALID, "output.bitrate must be one of 32k, 40k, 48k"),
    ({"output": OutputOptions(format="mp3", bitrate="640k")}, INVALID, "output.bitrate must be one of 32k, 40k, 48k"),
    ({"output": OutputOptions(prefix="../")}, INVALID, "output.prefix"),
    ({"output": OutputOptions(prefix="/abs/")}, INVALID, "output.prefix"),
    ({"output": OutputOptions(prefix="a//")}, INVALID, "output.prefix"),
    ({"output": OutputOptions(prefix="x" * 1024)}, INVALID, "output.prefix"),
    ({"output": OutputOptions(bucket="secret")}, Code.BUCKET_NOT_ALLOWED, "output bucket"),
    ({"source": source(key="")}, INVALID, "source.key"),
    ({"source": source(key="a/../b")}, INVALID, "source.key"),
    ({"source": source(key="./a")}, INVALID, "source.key"),
    ({"source": source(key="/a")}, INVALID, "source.key"),
    ({"source": source(key="a//b")}, INVALID, "source.key"),
    ({"source": source(key="a\x00b")}, INVALID, "source.key"),
    ({"source": source(key="a\x7fb")}, INVALID, "source.key"),
    ({"source": source(key="a\x85b")}, INVALID, "source.key"),
    ({"output": OutputOptions(prefix="a\nb/")}, INVALID, "output.prefix"),
    ({"output": OutputOptions(prefix="ü" * 500)}, INVALID, "output.prefix"),
    ({"source": source(key="ü" * 513)}, INVALID, "source.key"),
    ({"source": source(bucket="secret")}, Code.BUCKET_NOT_ALLOWED, "source bucket"),
    ({"source": source(bucket="")}, Code.BUCKET_NOT_ALLOWED, "source bucket"),
    ({"start_s": -0.1}, INVALID, "start_s"),
    ({"start_s": float("nan")}, INVALID, "start_s"),
    ({"start_s": float("inf")}, INVALID, "start_s"),
    ({"duration_s": 0.0}, INVALID, "duration_s"),
    ({"duration_s": float("nan")}, INVALID, "duration_s"),
    ({"start_s": 1.1e9}, INVALID, "start_s must be a number of seconds from 0 to 1e+09"),
    ({"start_s": 1e13}, INVALID, "start_s"),
    ({"start_s": 1e300}, INVALID, "start_s"),
    ({"duration_s": 1e-7}, INVALID, "duration_s must be a number of seconds from 0.001 to 1e+09"),
    ({"duration_s": 5e-324}, INVALID, "duration_s"),
    ({"duration_s": -1.0}, INVALID, "duration_s"),
    ({"duration_s": float("inf")}, INVALID, "duration_s"),
    ({"duration_s": 1e13}, INVALID, "duration_s"),
    ({"track": -1}, INVALID, "track must be a number from 0 to 999, not '-1'"),
    ({"track": 1000}, INVALID, "track"),
    ({"metadata": {"k": "v" * 65536}}, INVALID, "metadata"),
    ({"metadata": {"ü": "ü" * 32768}}, INVALID, "metadata"),
    ({"deadline": NOON}, Code.DEADLINE_EXCEEDED, "2024-05-06T12:00:00"),
]


@pytest.mark.parametrize(("fields", "code", "told"), REJECTED, ids=lambda value: str(value)[:40])
def test_what_may_not_be_done_is_rejected(fields: dict[str, Any], code: Code, told: str) -> None:
    """Each thing that is wrong with a request has its code, and a short message that says what it is."""
    with pytest.raises(Rejected) as caught:
        VALIDATE(a_request(**fields))
    assert caught.value.code == code
    assert told in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("output", "bucket", "prefix"),
    [
        (OutputOptions(), "out", "stems/r1/"),
        (OutputOptions(bucket="extra", prefix="there/"), "extra", "there/r1/"),
        (OutputOptions(bucket="out", prefix=""), "out", "r1/"),
        (OutputOptions(format="mp3", bitrate="192k"), "out", "stems/r1/"),
    ],
)
def test_a_request_becomes_a_job(output: OutputOptions, bucket: str, prefix: str) -> None:
    """A job says where the stems go: the consumer's place, or the one that was asked for and is allowed."""
    request = a_request(output=output, deadline=FUTURE, start_s=0.0, duration_s=0.001)
    job = VALIDATE(request)
    assert job.request is request
    assert (job.output_bucket, job.output_prefix, job.manifest_key) == (bucket, prefix, f"{prefix}manifest.json")
    assert (job.format, job.bitrate) == (output.format, output.bitrate)


@pytest.mark.parametrize(
    "key",
    ["Müller/a.mp3", "no\u00a0break", "narrow\u202fno-break", "wide\u3000space", "join\u200ded", "\u200c", "rtl\u202e",
     "\u2028", "\ufeff", "\U0001f3b5", " ", "a b ", "%2e", "a\\b", "?#&=+*:|<>\"'", "e\u0301"],
)  # fmt: skip
def test_a_key_may_hold_all_that_s3_allows(key: str) -> None:
    """Letters, spaces and joiners of any script are a key's own, also in a prefix."""
    request = a_request(source=source(key=key), output=OutputOptions(prefix=f"{key}/"))
    assert VALIDATE(request).output_prefix == f"{key}/r1/"


@pytest.mark.parametrize(
    "fields",
    [
        {"source": source(key="b.mp3")},
        {"source": source(bucket="more")},
        {"source": source(version_id="v1")},
        {"source": source(etag="e1")},
        {"model": "4stems"},
        {"output": OutputOptions(format="flac")},
        {"output": OutputOptions(bitrate="192k")},
        {"start_s": 1.0},
        {"duration_s": 1.0},
        {"high_frequencies": "average"},
        {"track": 0},
        {"track": 1},
    ],
    ids=str,
)
def test_another_wish_has_another_fingerprint(fields: dict[str, Any]) -> None:
    """Whatever would change the stems changes the job's fingerprint."""
    assert VALIDATE(a_request(**fields)).fingerprint != VALIDATE(a_request()).fingerprint


def test_the_same_wish_has_the_same_fingerprint() -> None:
    """When it is asked, and under which id, does not matter to it."""
    again = a_request(request_id="r2", requested_at=NOON, metadata={"a": "b"}, deadline=FUTURE)
    assert VALIDATE(again).fingerprint == VALIDATE(a_request()).fingerprint


def test_fingerprints_outlive_the_choice_of_a_track() -> None:
    """What was asked for when there was none to choose has the fingerprint that its manifest has borne since then."""
    request = SeparationRequest(request_id="r1", source=source())
    assert VALIDATE(request).fingerprint == "1a1a6dd5db11fc60ecc64b6458b9a630653e6b47de01f4d476d78ba998f71ea1"


def test_a_deadline_counts_to_its_moment() -> None:
    """A request is worth doing without a deadline and before it, and not after."""
    check_deadline(a_request())
    check_deadline(a_request(deadline=FUTURE))
    with pytest.raises(Rejected, match="deadline"):
        check_deadline(a_request(deadline=NOON + timedelta(days=1)))
