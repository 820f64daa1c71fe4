"""`python -m harness.page_pictures`: pictures of the page's views for docs/, of the service as it runs.

Light and dark, on a phone and on a desk; on real servers, with a song of the demonstration's and its weights.
"""

import itertools
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import scipy.io.wavfile
from playwright.sync_api import Browser, Page

from demo.songs import make_song
from devstack import kafka, minio
from devstack.service import free_port
from harness.browser import chromium, window
from harness.gateway import KEY, gateway
from harness.platform import make_platform

ROOT = Path(__file__).parents[1]
DOCS, WEIGHTS = ROOT / "docs", ROOT / "demo" / "weights"
SCREENS = {"desktop": {"width": 1180, "height": 860}, "phone": {"width": 360, "height": 740}}
SCHEMES = ("light", "dark")
MOST_BYTES, MOST_PIXELS = 150_000, 1500  # of a file; of its height: what is below is more of the same
_SEED = 2026
_SONG_S, _TIMES = 30.0, 16
_SETTLE_S = 1.5  # for waveforms and plots to be drawn


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as url, chromium() as browser:
        done = _send(browser, url, _songs(Path(folder)))
        for view, address in {"home": "/", "job": done, "operate": "/operate", "sign-in": None}.items():
            for scheme, screen in itertools.product(SCHEMES, SCREENS):
                with window(browser, color_scheme=scheme, viewport=SCREENS[screen], reduced_motion="reduce") as opened:
                    _open(opened.page, url, address)
                    _draw(opened.page, f"page-{view}-{screen}-{scheme}")


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    """A gateway's address, with a replica behind it."""
    for name in ("kafka", "minio", "platform"):
        (folder / name).mkdir()
    kafka_port, minio_port = free_port(), free_port()
    with ExitStack() as stack:
        stack.callback(kafka.kafka(folder / "kafka", kafka_port).start().stop)
        stack.callback(minio.minio(folder / "minio", minio_port).start().stop)
        servers = f"127.0.0.1:{kafka_port}", f"127.0.0.1:{minio_port}"
        platform = make_platform(*servers, folder / "platform", WEIGHTS, partitions=2)
        stack.callback(platform.close)
        replica = platform.start_replica()
        door = stack.enter_context(gateway(platform))
        replica.wait_ready()
        yield door.url


def _songs(folder: Path) -> list[Path]:
    """A song, a file that is none, and a song that goes on and on."""
    song = make_song(_SEED, _SONG_S)
    samples = np.round(song.mix * 32767).astype(np.int16)
    paths = [folder / name for name in ("Morning light.wav", "Cut off.wav", "A long evening.wav")]
    scipy.io.wavfile.write(paths[0], song.rate_hz, samples)
    paths[1].write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(64))
    scipy.io.wavfile.write(paths[2], song.rate_hz, np.tile(samples, (_TIMES, 1)))
    return paths


def _send(browser: Browser, url: str, songs: list[Path]) -> str:
    """Sends them, and returns the address of the first one's job once it is done and the last one is at work."""
    with window(browser) as opened:
        page = opened.page
        page.goto(f"{url}/#key={KEY}")
        page.locator("input[type=file]").set_input_files([str(path) for path in songs])
        ready = page.get_by_role("link", name=f"Listen to {songs[0].stem}")
        ready.wait_for()
        page.get_by_role("listitem").filter(has_text=songs[-1].stem).get_by_text("Working").wait_for()
        return str(ready.get_attribute("href")).partition("#")[2]


def _open(page: Page, url: str, address: str | None) -> None:
    """Signed in, at this view; None: before that."""
    if address is None:
        page.goto(url)
        page.get_by_label("Your key", exact=True).wait_for()
        return
    page.goto(f"{url}/#key={KEY}&view={address}")
    page.get_by_role("button", name="Sign out").wait_for()
    page.wait_for_timeout(_SETTLE_S * 1000)
    page.get_by_text(re.compile("^Loading( your songs)? …$")).first.wait_for(state="hidden")


def _draw(page: Page, name: str) -> None:
    path = DOCS / f"{name}.png"
    width, height = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    page.set_viewport_size({"width": width, "height": min(height, MOST_PIXELS)})
    page.screenshot(path=path, animations="disabled")
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path.name} is larger than {MOST_BYTES} bytes")


if __name__ == "__main__":
    main()
