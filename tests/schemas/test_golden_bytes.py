"""What each event looks like on the wire. A change of these bytes is a change that readers in the field will meet."""

import io
import textwrap
from dataclasses import asdict
from pathlib import Path

import fastavro
import pytest

from consumer.adapters.avro.codec import AvroCodec, fingerprint, load_earlier, load_schema, packaged_schemas
from consumer.core.events import SCHEMA_FILES, Event, SeparationRequest
from tests.schemas.golden import EVENTS, files_of, keep, read

EVER_WRITTEN = [(kind, path) for kind in SCHEMA_FILES for path in files_of(kind)]


def test_there_is_a_golden_event_for_each_schema() -> None:
    """Each schema has its fully populated event here: no field of it has its default."""
    assert {type(event) for event in EVENTS} == set(SCHEMA_FILES)
    for event in EVENTS:
        blank = type(event)(**{name: getattr(event, name) for name in ("request_id", "source")[: _required(event)]})
        for name in list(event.__dataclass_fields__)[_required(event) :]:
            assert getattr(event, name) != getattr(blank, name) or name == "action", name


def _required(event: Event) -> int:
    return 2 if isinstance(event, SeparationRequest) else 0


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_golden_bytes(event: Event) -> None:
    """The event is written as exactly these bytes, and these bytes are read as exactly the event."""
    golden = read(files_of(type(event))[-1])
    written = AvroCodec().encode(event)
    assert written == golden, "\n".join(textwrap.wrap(written.hex(), 104))
    assert AvroCodec().decode(type(event), golden) == event


@pytest.mark.parametrize(("kind", "path"), EVER_WRITTEN, ids=[path.name for _, path in EVER_WRITTEN])
def test_whatever_was_ever_written_is_still_read(kind: type[Event], path: Path) -> None:
    """Bytes of every schema that an event ever had are read without a registry, with all that they tell."""
    name, golden = SCHEMA_FILES[kind], read(path)
    event = AvroCodec().decode(kind, golden)
    schemas = [load_schema(name), *load_earlier(name, packaged_schemas())]
    [writers] = [schema for schema in schemas if fingerprint(schema) == golden[2:10]]
    again = io.BytesIO()
    fastavro.schemaless_writer(again, fastavro.parse_schema(writers), asdict(event))
    assert again.getvalue() == golden[10:]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_command_adds_and_never_writes_over(event: Event, tmp_path: Path) -> None:
    """Bytes of a schema that has none yet get the next number; where it has some, they stay as they are."""
    earlier = tmp_path / f"{SCHEMA_FILES[type(event)]}.1.hex"
    earlier.write_text("c301 0000000000000000")
    added = keep(event, tmp_path)
    assert added == tmp_path / f"{SCHEMA_FILES[type(event)]}.2.hex"
    assert read(added) == AvroCodec().encode(event)
    assert earlier.read_text() == "c301 0000000000000000"
    assert keep(event, tmp_path) is None
