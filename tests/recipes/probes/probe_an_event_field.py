"""The sender's reference: it travels from the request to the result, and what has none is still read."""

from pathlib import Path
from typing import Any

from consumer.adapters.avro.codec import AvroCodec, load_earlier, load_schema, packaged_schemas
from consumer.adapters.avro.evolution import obstacles
from consumer.core.events import SeparationRequest, SeparationResult, SourceObject
from consumer.testing import MemoryReplica
from tests.schemas.golden import files_of, read

GIVEN: dict[str, Any] = {"reference": "take-2"}


def test_the_result_hands_it_back(tmp_path: Path) -> None:
    """A request that has one gets it back; one without gets none."""
    source = SourceObject(bucket="music", key="song.mp3")
    with MemoryReplica(tmp_path) as replica:
        replica.put("music", "song.mp3", b"any bytes")
        replica.send(SeparationRequest(request_id="r1", source=source, **GIVEN))
        replica.send(SeparationRequest(request_id="r2", source=source))
        outcomes = [replica.outcome(name) for name in ("r1", "r2")]
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    assert [getattr(outcome, "reference") for outcome in outcomes] == ["take-2", None]  # noqa: B009 - not yet a field


def test_records_from_before_are_read() -> None:
    """The bytes that were written before have no reference, and all else as it was."""
    for kind in (SeparationRequest, SeparationResult):
        before, now = (AvroCodec().decode(kind, read(path)) for path in files_of(kind)[-2:])
        assert (getattr(before, "reference"), getattr(now, "reference")) == (None, "take-2")  # noqa: B009
        assert isinstance(before, SeparationRequest | SeparationResult)
        assert isinstance(now, SeparationRequest | SeparationResult)
        assert before.request_id == now.request_id
        assert before.metadata == now.metadata


def test_either_reads_the_other() -> None:
    """By Apache's own library: readers of before take what is written now, and we take theirs."""
    for name in ("separation_request", "separation_result"):
        *_, earlier = load_earlier(name, packaged_schemas())
        assert obstacles(load_schema(name), earlier) == []
        assert obstacles(earlier, load_schema(name)) == []
