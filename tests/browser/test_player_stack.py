"""From a real job to sound: what the page's audio graph makes of real stems is the song that was sent."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playwright.sync_api import expect

from harness.audio import RATE_HZ, error_db, music
from harness.browser import PATIENCE_S, Window
from harness.gateway import KEY, Gateway, gateway
from tests.browser.conftest import Stack
from tests.browser.player_page import render
from tests.browser.steps import check_accessible, sign_in

SECONDS = 9
STEP = 1 / 32768  # of 16-bit samples


@pytest.fixture(scope="module")
def song(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, NDArray[np.float32]]:
    """The key of a song in the store, and float32 (frames, 2): its samples, which 16 bits hold exactly."""
    samples = np.rint(music(seconds=SECONDS, seed=5) * 20000) / 32768
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
    return stack.platform.upload(path), samples.astype(np.float32)


@pytest.fixture(scope="module")
def linking(stack: Stack) -> Iterator[Gateway]:
    """A second gateway, which hands out links to the store."""
    with gateway(stack.platform, MINIO_PUBLIC_ENDPOINT=stack.platform.environment["MINIO_ENDPOINT"]) as door:
        yield door


def separated(http: httpx2.Client, stack: Stack, key: str, **output: Any) -> dict[str, Any]:
    """A job that has succeeded, as the API shows it."""
    body = {
        "source": {"bucket": stack.platform.source_bucket, "key": key}, "model": "2stems",
        "output": output, "high_frequencies": "average",
    }  # fmt: skip
    job: dict[str, Any] = http.post("/v1/separations", json=body, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "succeeded", job
    return job


@pytest.mark.parametrize(("kind", "most"), [("wav-f32", 2e-5), ("wav", 2e-5 + 2 * 0.5 * STEP)])
def test_the_stems_add_up_to_the_song_in_the_page_s_own_audio_graph(
    stack: Stack, opened: Window, song: tuple[str, NDArray[np.float32]], kind: str, most: float
) -> None:
    """To the sample: float32's accuracy, and half a step of 16 bits for each stem where they have 16."""
    key, mix = song
    job = separated(stack.http, stack, key, format=kind)
    opened.page.goto(stack.url)
    got = render(opened.page, job, seconds=SECONDS + 1, key=KEY)
    at = got["spans"][0]["at"]
    assert [span["at"] - at for span in got["spans"]] == [span["start"] for span in got["spans"]]
    played = got["samples"][at : at + len(mix)]
    assert float(np.abs(played - mix).max()) < most
    assert error_db(played, mix) < -80
    assert not got["samples"][at + len(mix) :].any()


@pytest.mark.parametrize("is_linking", [False, True])
def test_a_job_is_heard_on_its_page(
    stack: Stack, opened: Window, linking: Gateway, song: tuple[str, NDArray[np.float32]], is_linking: bool
) -> None:
    """By the gateway, and by links to the store, which never sees the key; stem, zip and mix are saved too."""
    url = linking.url if is_linking else stack.url
    job = separated(stack.http, stack, song[0], format="wav-s24")
    sent: list[tuple[str, dict[str, str]]] = []
    opened.page.on("request", lambda request: sent.append((request.url, request.headers)))
    sign_in(opened.page, url)
    opened.page.goto(f"{url}/#/jobs/{job['id']}")
    page = opened.page
    page.click(".player-play")
    expect(page.locator(".player-play")).to_have_attribute("data-state", "playing", timeout=PATIENCE_S * 1000)
    expect(page.locator(".player-now")).to_have_text("0:01", timeout=PATIENCE_S * 1000)
    check_accessible(page)
    saved = {
        button: download(opened, button)
        for button in ("Download Vocals", "Download all stems", "Download this mix")
    }  # fmt: skip
    stems = {stem["name"]: stem for stem in job["result"]["stems"]}
    assert saved["Download Vocals"].stat().st_size == stems["vocals"]["size_bytes"]
    with stack.door.client(**{"X-API-KEY": KEY}) as http, closing(http):
        assert saved["Download all stems"].read_bytes() == http.get(f"/v1/separations/{job['id']}/archive").content
    mix, _ = soundfile.read(saved["Download this mix"], dtype="float32")
    assert float(np.abs(mix - song[1]).max()) < 2e-5
    assert opened.complained() == []
    elsewhere = [headers for asked, headers in sent if not asked.startswith((url, "blob:", "data:"))]
    assert bool(elsewhere) == is_linking
    assert KEY not in str(elsewhere)


def download(opened: Window, button: str) -> Path:
    """What is saved once it is pressed."""
    with opened.page.expect_download() as saved:
        opened.page.get_by_role("button", name=button).click()
    return Path(saved.value.path())
