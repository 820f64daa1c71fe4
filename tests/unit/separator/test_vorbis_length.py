"""How many samples the packets of Ogg Vorbis give, and what its pages' positions are believed of."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.separator.audio.ogg_pages import first_pages
from consumer.separator.audio.vorbis_length import vorbis_span
from consumer.separator.audio.vorbis_packets import VorbisPackets, mode_blocks
from harness.corpus.encoding import encode
from harness.corpus.signal import Signal


@pytest.fixture(scope="module", params=[8000, 22050, 44100, 96000])
def song(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With attacks, which make short blocks, on small pages."""
    signal = Signal(rate_hz=request.param, frames=request.param)
    path = tmp_path_factory.mktemp("vorbis") / "song.ogg"
    return encode(path, signal, "-q:a", "6", "-page_duration", "30000", "-af", "tremolo=f=9:d=1")


def test_packets_hold_what_pages_tell(song: Path) -> None:
    """On each page but the last, whose end is cut, by libvorbis's own positions."""
    with song.open("rb") as file:
        pages = list(first_pages(file, 0, song.stat().st_size))
        file.seek(pages[0].body)
        head = file.read(30)
        blocks = (1 << (head[28] & 15), 1 << (head[28] >> 4))
        ended = np.cumsum([page.packets for page in pages]).tolist()
        sound = ended.index(3) + 1  # behind the three headers
        modes = mode_blocks(file, pages[sound - 1].end, blocks)
        assert modes in (blocks, blocks[:1])  # some encoders have long ones alone
        assert modes
        packets = VorbisPackets(modes, is_beginning=True)
        ends = np.cumsum([packets.on_page(file, page) or 0 for page in pages[sound:]])
    assert len(ends) > 5
    assert [page.position for page in pages[sound:-1]] == ends[:-1].tolist()
    assert 0 <= ends[-1] - pages[-1].position <= max(blocks)


def test_the_sound_is_as_long_as_libsndfile_says(song: Path) -> None:
    """At every rate, though its first block and its last one differ."""
    span = vorbis_span(song)
    assert span is not None
    assert (span.count, span.rate_hz) == (soundfile.info(song).frames, soundfile.info(song).samplerate)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_whatever_stands_on_its_pages_it_is_looked_at(song: Path, data: st.DataObject) -> None:
    """Bytes changed or gone anywhere: a span, or none."""
    content = bytearray(song.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    damaged = song.with_suffix(".damaged.ogg")
    damaged.write_bytes(content)
    span = vorbis_span(damaged)
    assert span is None or (span.first >= 0 and (span.count is None or span.count > 0))


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_modes_are_read_of_whatever_ends_a_header(tail: bytes) -> None:
    """None of what holds no modes; never more than there can be."""
    modes = mode_blocks(io.BytesIO(tail), len(tail), (256, 2048))
    assert modes is None or 1 <= len(modes) <= 64
