"""The stack that is shipped does its work, and goes on with it when parts of it stop answering and come back."""

import contextlib
import hashlib
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from consumer.core.events import DeadLetter, SeparationResult
from devstack.clamd import EICAR
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for
from tests.deployed.stack import CONSUMERS, PROJECT, ComposeStack

pytestmark = pytest.mark.deploy
NETWORK = f"{PROJECT}_default"
AWAY_S = 8.0  # longer than a session


@pytest.fixture
def platform(stack: ComposeStack, tmp_path: Path) -> Iterator[Platform]:
    with stack.platform(tmp_path) as platform:
        yield platform


@pytest.fixture
def song(platform: Platform, tmp_path: Path) -> str:
    """A key of its own: what was separated before would only be copied."""
    seed = time.time_ns() % 2**32
    return platform.upload(write_clip(tmp_path / f"song-{seed}.mp3", seconds=15.0, seed=seed))


def assert_separated(platform: Platform, song: str, *, sending: Callable[[str], str] | None = None) -> None:
    request_id = sending(song) if sending else platform.request(song).request_id
    found: list[SeparationResult] = []

    def has_come() -> bool:
        found[:] = [
            outcome
            for outcome in platform.read_outcomes()
            if isinstance(outcome, SeparationResult) and outcome.request_id == request_id
        ]
        return bool(found)

    wait_for(has_come)
    [result] = found
    assert {stem.name for stem in result.stems} == {"vocals", "accompaniment"}
    for stem in result.stems:
        with platform.minio.get_object(stem.bucket, stem.key) as response:
            assert hashlib.sha256(response.read()).hexdigest() == stem.sha256
    wait_for(lambda: platform.lag() == 0)


def test_request_becomes_stems_and_an_event(platform: Platform, song: str) -> None:
    """Through the published ports: a song in, two stems and one result out, nothing left to do."""
    assert_separated(platform, song)


def test_request_by_http_becomes_stems(stack: ComposeStack, platform: Platform, song: str) -> None:
    """Sent to the gateway's published port with the developer's key, and known there until it is done."""
    key = {"X-API-KEY": "development-key-known-to-everybody"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{stack.gateway_port}", headers=key, timeout=60) as http:
        asked = {"source": {"bucket": platform.source_bucket, "key": song}}
        answer = http.post("/v1/separations", json=asked)
        assert answer.status_code == httpx2.codes.ACCEPTED, answer.text
        place = answer.headers["Location"]

        def state() -> str:
            return str(http.get(place).raise_for_status().json()["state"])

        wait_for(lambda: state() == "succeeded")
        unknown = http.get(place, headers={"X-API-KEY": "nobody-s-key-at-all"})
    assert unknown.status_code == httpx2.codes.UNAUTHORIZED


def test_scanner_is_asked(platform: Platform) -> None:
    """EICAR's test file, which the stack's scanner knows, is never decoded."""
    platform.minio.put_object(platform.source_bucket, "eicar.wav", io.BytesIO(EICAR), len(EICAR))
    request = platform.request("eicar.wav")

    def letters() -> list[DeadLetter]:
        found = [outcome for outcome in platform.read_outcomes() if isinstance(outcome, DeadLetter)]
        return [letter for letter in found if letter.request_id == request.request_id]

    wait_for(letters)
    assert [letter.code for letter in letters()] == ["MALWARE_FOUND"]


def test_prometheus_sees_each_consumer(stack: ComposeStack) -> None:
    """It finds the three by name, and has read the rules."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{stack.prometheus_port}", timeout=10) as prometheus:

        def up() -> list[str]:
            answer = prometheus.get("/api/v1/query", params={"query": 'up{job="spleeter-consumer"} == 1'}).json()
            return [series["metric"]["instance"] for series in answer["data"]["result"]]

        wait_for(lambda: len(up()) == CONSUMERS)
        groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    assert "SeparationNoConsumer" in {rule["name"] for group in groups for rule in group["rules"]}


def is_paused(stack: ComposeStack, container: str) -> bool:
    """Told to be, and is: the kernel can't always freeze what starts processes meanwhile, and does when asked again."""
    with contextlib.suppress(SystemExit):
        stack.engine.docker("pause", container)
    return bool(stack.inspect(container)["State"]["Paused"])


@pytest.mark.parametrize("service", ["kafka", "minio", "registry", "clamd"])
def test_service_that_is_paused_is_waited_for(stack: ComposeStack, platform: Platform, song: str, service: str) -> None:
    """A request that comes while a server hangs gets its result once it goes on."""
    [container] = stack.containers(service)

    def around_a_pause(key: str) -> str:
        request_id = platform.request(key).request_id
        wait_for(lambda: is_paused(stack, container))
        time.sleep(AWAY_S)
        stack.engine.docker("unpause", container)
        return request_id

    assert_separated(platform, song, sending=around_a_pause)
    stack.wait_healthy()


@pytest.mark.parametrize("service", ["kafka", "minio", "registry"])
def test_service_that_is_cut_off_is_waited_for(
    stack: ComposeStack, platform: Platform, song: str, service: str
) -> None:
    """The same where it can't be reached at all, and comes back."""
    [container] = stack.containers(service)
    request_id = platform.request(song).request_id

    def around_a_cut(_: str) -> str:
        stack.engine.docker("network", "disconnect", NETWORK, container)
        time.sleep(AWAY_S)
        stack.engine.docker("network", "connect", "--alias", service, NETWORK, container)
        return request_id

    assert_separated(platform, song, sending=around_a_cut)
    stack.wait_healthy()


def test_registry_that_is_restarted_still_knows_the_schemas(stack: ComposeStack, platform: Platform, song: str) -> None:
    """What was written before can be read after it."""
    assert_separated(platform, song)
    before = len(platform.read_outcomes())
    stack.compose("restart", "registry")
    stack.wait_healthy()
    with stack.platform(platform.folder) as reader:  # that has not seen them yet
        assert len(reader.read_outcomes()) >= before


def test_consumer_that_is_cut_off_is_replaced_by_the_others(stack: ComposeStack, platform: Platform, song: str) -> None:
    """Its partitions move; when it is back, it works again."""
    lonely = stack.containers("consumer")[0]
    stack.engine.docker("network", "disconnect", NETWORK, lonely)
    for _ in range(4):
        assert_separated(platform, song)
    stack.engine.docker("network", "connect", "--alias", "consumer", NETWORK, lonely)
    stack.wait_healthy()
    assert_separated(platform, song)


def test_ours_stop_by_themselves(stack: ComposeStack) -> None:
    """Told to stop, each ends in good order, before it would be killed; started again, it is healthy."""
    for service, count in (("consumer", CONSUMERS), ("lag", 1), ("gateway", 1)):
        stack.compose("stop", service)
        assert [stack.inspect(name)["State"]["ExitCode"] for name in stack.containers(service)] == [0] * count
        stack.compose("start", service)
    stack.wait_healthy()


def test_set_up_may_run_again(stack: ComposeStack) -> None:
    """Topics, buckets and key are there already, and that is no error."""
    stack.compose("up", "--detach", "--no-deps", "--force-recreate", "topics", "buckets")
    for service in ("topics", "buckets"):
        [container] = stack.containers(service)
        wait_for(lambda container=container: stack.inspect(container)["State"]["Status"] == "exited")
        assert stack.inspect(container)["State"]["ExitCode"] == 0, stack.said()
