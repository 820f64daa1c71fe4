"""A browser, and what it looks at: the gateway's page before a real Kafka, MinIO and a replica."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page

from harness.browser import Window, chromium, window
from harness.gateway import Gateway, gateway
from harness.platform import Platform, make_platform
from harness.replica_process import ReplicaProcess
from tests.browser.song_server import Song
from tests.conftest import Kafka, MinioServer
from tests.integration.conftest import model_path as model_path  # narrow networks: replicas start quickly


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The service as it runs: topics and buckets of its own, a gateway and a replica, both ready."""

    platform: Platform
    door: Gateway
    replica: ReplicaProcess

    @property
    def url(self) -> str:
        """The gateway's address, without a slash at its end."""
        return self.door.url

    @property
    def http(self) -> httpx2.Client:
        """A client that has a key with every right."""
        return self.door.http


@pytest.fixture(scope="module")
def stack(
    kafka: Kafka, minio: MinioServer, model_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """One for the tests of a module, which leave it as it was."""
    folder = tmp_path_factory.mktemp("stack")
    with closing(make_platform(kafka.bootstrap_servers, minio.endpoint, folder, model_path, partitions=2)) as platform:
        replica = platform.start_replica()
        with gateway(platform) as door:
            replica.wait_ready()
            yield Stack(platform=platform, door=door, replica=replica)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a module, no longer: while it is open, asyncio is Playwright's in this thread."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def opened(browser: Browser) -> Iterator[Window]:
    """An empty window with a profile of its own."""
    with window(browser) as made:
        yield made


@pytest.fixture
def page(browser: Browser, song: Song) -> Iterator[Page]:
    """A window at the address of the module's own song; nothing may be complained of in it."""
    with window(browser) as opened:
        opened.page.goto(song.url)
        yield opened.page
        assert opened.complained() == []
