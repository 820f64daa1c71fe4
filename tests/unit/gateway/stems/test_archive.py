"""Archives are what zip tools say that they are, whole and in every part."""

import io
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.events import Stem
from consumer.core.model import ObjectFacts
from consumer.gateway.stems.archive import archive, archive_etag
from consumer.gateway.stems.segments import Segment, read
from devstack import system

AT = datetime(2026, 11, 29, 12, 30, 46, tzinfo=UTC)
CONTENTS = st.dictionaries(st.sampled_from(["vocals", "drums", "bass", "piano", "other"]), st.binary(max_size=200))


class Shelf:
    """Objects in memory, read in pieces of seven bytes."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self._contents = contents

    def read_range(self, source: ObjectFacts, start: int, length: int) -> Iterator[bytes]:
        content = self._contents[source.key][start : start + length]
        for begin in range(0, len(content), 7):
            yield content[begin : begin + 7]


def made_of(contents: dict[str, bytes]) -> tuple[list[Segment], dict[str, ObjectFacts]]:
    """The archive of these contents, and where they lie."""
    stems = [Stem(name=name, key=f"stems/r1/{name}.flac", size_bytes=len(data)) for name, data in contents.items()]
    crc32s = {name: zlib.crc32(data) for name, data in contents.items()}
    pinned = {
        name: ObjectFacts(bucket="b", key=name, etag="e", size_bytes=len(data)) for name, data in contents.items()
    }
    return archive(stems, crc32s, AT), pinned


@given(CONTENTS)
def test_python_reads_what_was_put_in(contents: dict[str, bytes]) -> None:
    """Names, bytes, times and checksums are those of the stems."""
    segments, pinned = made_of(contents)
    size_bytes = sum(segment.size_bytes for segment in segments)
    whole = b"".join(read(Shelf(contents), segments, pinned, 0, size_bytes))
    assert len(whole) == size_bytes
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == {
            f"{name}.flac": data for name, data in contents.items()
        }
        assert {each.date_time for each in found.infolist()} <= {(2026, 11, 29, 12, 30, 46)}
        assert {each.compress_type for each in found.infolist()} <= {zipfile.ZIP_STORED}


@given(CONTENTS, st.data())
def test_each_part_is_that_part_of_the_whole(contents: dict[str, bytes], data: st.DataObject) -> None:
    """Whatever span is asked for."""
    segments, pinned = made_of(contents)
    size_bytes = sum(segment.size_bytes for segment in segments)
    start = data.draw(st.integers(0, size_bytes - 1))
    length = data.draw(st.integers(1, size_bytes - start))
    whole = b"".join(read(Shelf(contents), segments, pinned, 0, size_bytes))
    assert b"".join(read(Shelf(contents), segments, pinned, start, length)) == whole[start : start + length]


def test_unzip_reads_it(tmp_path: Path) -> None:
    """A second program agrees."""
    system.provide({"unzip": "unzip"})
    contents = {"vocals": b"v" * 1000, "accompaniment": b"a" * 3000}
    segments, pinned = made_of(contents)
    path = tmp_path / "stems.zip"
    path.write_bytes(b"".join(read(Shelf(contents), segments, pinned, 0, sum(each.size_bytes for each in segments))))
    tested = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, timeout=60, check=False)
    assert tested.returncode == 0, tested.stdout


def test_large_stems_are_told_by_zip64(tmp_path: Path) -> None:
    """Sizes and offsets beyond four bytes; the file is sparse, so that nothing has to be written."""
    large_bytes, last = (1 << 32) + 5, b"the end"
    stems = [
        Stem(name="vocals", key="k/vocals.wav", size_bytes=large_bytes),
        Stem(name="drums", key="k/drums.wav", size_bytes=len(last)),
    ]
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        for segment in archive(stems, {"vocals": 0, "drums": zlib.crc32(last)}, AT):
            if isinstance(segment.content, bytes):
                file.write(segment.content)
            elif segment.content.name == "drums":
                file.write(last)
            else:
                file.seek(segment.size_bytes, io.SEEK_CUR)
    with zipfile.ZipFile(path) as found:
        assert [each.file_size for each in found.infolist()] == [large_bytes, len(last)]
        assert found.read("drums.wav") == last
        with found.open("vocals.wav") as begun:
            assert begun.read(4) == bytes(4)


def test_other_stems_have_another_tag() -> None:
    """Bytes, names and times are in it."""
    stem = Stem(name="vocals", key="k/vocals.flac", size_bytes=3, sha256="a" * 64)
    tags = {
        archive_etag([stem], AT),
        archive_etag([Stem(name="vocals", key="k/vocals.flac", size_bytes=3, sha256="b" * 64)], AT),
        archive_etag([Stem(name="vocals", key="k/vocals.wav", size_bytes=3, sha256="a" * 64)], AT),
        archive_etag([stem, stem], AT),
        archive_etag([stem], AT.replace(year=2027)),
    }
    assert len(tags) == 5
