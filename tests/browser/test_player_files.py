"""What the player makes of files: every kind of WAVE file that stems come in, compressed ones, and its own mix."""

import base64
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from consumer.separator.audio.encode import Encoding
from consumer.separator.audio.tags import Tags
from consumer.separator.audio.wave_writer import WaveWriter
from harness.audio import music
from harness.browser import PATIENCE_S, window
from harness.files import encode_file
from tests.browser.player_page import mount
from tests.browser.song_server import FileStem, Song, WavStem, served

RATE_HZ = 44100
_DECODED = """
async ([text, sizeBytes]) => {
  const {parseWavHeader} = await import('/page/player/wav_header.js');
  const {decodeInto} = await import('/page/player/samples.js');
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  let head;
  try {
    head = parseWavHeader(bytes, sizeBytes ?? bytes.length);
  } catch (error) {
    return {refused: error.message};
  }
  if (head.needBytes) return head;
  const channels = Array.from({length: head.channels}, () => new Float32Array(head.frames));
  const end = Math.min(bytes.length, head.firstByte + head.frames * head.frameBytes);
  if (head.frames < 1e6) decodeInto(channels, bytes.subarray(head.firstByte, end), head.kind);
  return {...head, samples: head.frames < 1e6 ? channels.map((channel) => Array.from(channel)) : null};
}
"""


@pytest.fixture(scope="module")
def song() -> Iterator[Song]:
    with served(
        WavStem(name="vocals", seed=1, frames=2 * RATE_HZ), WavStem(name="drums", seed=2, frames=2 * RATE_HZ)
    ) as s:
        yield s


def decoded(page: Page, content: bytes, size_bytes: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(_DECODED, [base64.b64encode(content).decode(), size_bytes])
    return found


def samples_of(found: dict[str, Any]) -> NDArray[np.float32]:
    return np.array(found["samples"], np.float32).T


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_f32le"])
def test_our_own_files_are_read_as_another_reader_reads_them(page: Page, tmp_path: Path, codec: str) -> None:
    """Tags and all, to the sample: libsndfile is the other one."""
    path = tmp_path / "vocals.wav"
    with WaveWriter(
        path, Encoding(format="wav", rate_hz=RATE_HZ, tags=Tags(texts={"title": "A song " * 300})), codec
    ) as writer:
        writer.write(music(seconds=0.5, seed=3))
        writer.finish()
    found = decoded(page, path.read_bytes())
    wanted, rate_hz = soundfile.read(path, dtype="float32")
    assert (found["rateHz"], found["channels"], found["frames"]) == (rate_hz, 2, len(wanted))
    assert np.array_equal(samples_of(found), wanted)


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_files_of_another_writer_are_read(page: Page, container: str, subtype: str) -> None:
    """Plain, extensible and RF64, in one channel and in two."""
    for channels in (1, 2):
        wanted = music(seconds=0.1, seed=4)[:, :channels]
        file = io.BytesIO()
        soundfile.write(file, wanted, 48000, format=container, subtype=subtype)
        found = decoded(page, file.getvalue())
        file.seek(0)
        read, _ = soundfile.read(file, dtype="float32", always_2d=True)
        assert (found["rateHz"], found["channels"]) == (48000, channels)
        assert np.array_equal(samples_of(found), read)


def test_a_file_of_more_than_four_gibibytes_has_its_own_length(page: Page) -> None:
    """Which stands in the chunk ds64 alone: by its head, without the rest."""
    frames, unknown = 2_000_000_000, 0xFFFFFFFF
    head = struct.pack("<4sI4s4sIQQQI", b"RF64", unknown, b"WAVE", b"ds64", 28, 4 * frames + 72, 4 * frames, frames, 0)
    head += struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 2, RATE_HZ, 4 * RATE_HZ, 4, 16, b"data", unknown)
    found = decoded(page, head, len(head) + 4 * frames)
    assert (found["frames"], found["firstByte"]) == (frames, len(head))


def test_what_is_no_wave_file_or_ends_too_early_is_refused_in_words(page: Page) -> None:
    """A head that needs more of the file says how much; one that can't be had says why."""
    file = io.BytesIO()
    soundfile.write(file, music(seconds=0.1), RATE_HZ, format="WAV", subtype="PCM_16")
    whole = file.getvalue()
    for length in range(44):
        found = decoded(page, whole[:length], len(whole))
        assert length < found["needBytes"] <= len(whole)
        assert "refused" in decoded(page, whole[:length])
    cut = decoded(page, whole[:1000])
    assert cut["frames"] == (1000 - cut["firstByte"]) // 4
    for broken in (
        b"fLaC" + whole[4:], whole[:8] + b"AVI " + whole[12:], whole[:20] + b"\x55\0" + whole[22:],
        whole[:22] + b"\0\0" + whole[24:], whole[:32] + b"\7\0" + whole[34:], whole[:12] + b"data" + whole[16:],
    ):  # fmt: skip
        assert "refused" in decoded(page, broken)


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "m4a", "opus"])
def test_compressed_stems_play(browser: Browser, kind: str, tmp_path: Path) -> None:
    """They are fetched when they are wanted, and not before."""
    stems = []
    for name, seed in (("vocals", 1), ("drums", 2)):
        file = encode_file(tmp_path / f"{name}.{kind}", music(seconds=3, seed=seed))
        stems.append(FileStem(file_name=file.name, content=file.read_bytes(), duration_s=3.0))
    with served(*stems) as song, window(browser) as opened:
        mount(opened.page, song)
        opened.page.wait_for_timeout(200)
        assert not any("/stems/" in path for path, _ in song.asked)
        opened.page.click(".player-play")
        opened.page.wait_for_selector(".player-play[data-state=playing]")
        expect(opened.page.locator(".player-now")).to_have_text("0:01", timeout=PATIENCE_S * 1000)
        assert opened.complained() == []


def test_compressed_stems_that_are_too_long_say_so_and_can_be_downloaded(browser: Browser) -> None:
    """Instead of taking all of a machine's memory."""
    stems = [FileStem(file_name=f"{name}.flac", content=b"fLaC", duration_s=2400.0) for name in ("vocals", "drums")]
    with served(*stems) as song, window(browser) as opened:
        mount(opened.page, song)
        # 1 GiB of float32 in two channels, for each of two stems
        minutes = int(2**30 / (RATE_HZ * 2 * 4 * 2 * 60))
        expect(opened.page.locator(".player-status")).to_contain_text(f"{minutes} minutes")
        expect(opened.page.locator(".player-play")).to_be_hidden()
        with opened.page.expect_download() as download:
            opened.page.get_by_role("button", name="Download Drums").click()
        assert download.value.suggested_filename == "drums.flac"
        assert Path(download.value.path()).read_bytes() == b"fLaC"


def test_the_mix_that_is_saved_is_the_mix_that_is_set(page: Page, song: Song, tmp_path: Path) -> None:
    """Read by another reader: the stems at their levels, to the sample; nothing is cut off where it is loud."""
    mount(page, song)
    page.get_by_role("slider", name="Volume of Drums").fill("50")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download this mix").click()
    assert download.value.suggested_filename == "made-up.mix.wav"
    got, rate_hz = soundfile.read(Path(download.value.path()), dtype="float32")
    vocals, drums = (song.stems[name].samples(0, 2 * RATE_HZ) / 32768 for name in ("vocals", "drums"))
    assert rate_hz == RATE_HZ
    assert np.array_equal(got, (vocals + 0.25 * drums).astype(np.float32))
    page.get_by_role("button", name="Solo Vocals").click()
    with page.expect_download() as download:
        page.keyboard.press("x")
    alone, _ = soundfile.read(Path(download.value.path()), dtype="float32")
    assert np.array_equal(alone, vocals.astype(np.float32))
