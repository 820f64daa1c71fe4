"""A cluster of one broker that is frozen: its controller takes it for dead, and for a moment names no broker at all."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.kafka import kafka
from devstack.service import Running, free_port
from harness.clips import write_clip
from harness.gateway import Gateway, gateway
from harness.platform import COMMAND, make_platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for
from harness.webhooks import LOCAL, an_endpoint, receiver, write_endpoints
from tests.conftest import MinioServer

FREEZES, FROZEN_S = 3, 12.0  # longer than a broker may be silent


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[str, Running]]:
    port = free_port()
    running = kafka(tmp_path / "kafka", port).start()
    yield f"127.0.0.1:{port}", running
    running.process.send_signal(signal.SIGCONT)
    running.stop()


def test_everyone_comes_back_to_it(
    broker: tuple[str, Running], minio: MinioServer, model_path: Path, tmp_path: Path
) -> None:
    """Replica, lag's exporter, gateway and webhooks are ready again each time, by themselves, and the work is done."""
    address, running = broker
    platform = make_platform(address, minio.endpoint, tmp_path, model_path)
    try:
        with gateway(platform) as door, receiver() as there:
            endpoints = tmp_path / "webhooks.json"
            write_endpoints(endpoints, [an_endpoint("main", there.url("/"), tenant=None)])
            replica, exporter = platform.start_replica(), platform.start_lag_exporter()
            webhooks = platform.start_process([*COMMAND, "webhooks"], {**LOCAL, "WEBHOOKS_FILE": str(endpoints)})
            everyone = (replica, exporter, webhooks, door.process)
            for each in everyone:
                each.wait_ready()
            key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=1))
            with asked_on_failure(*everyone):
                for number in range(1, FREEZES + 1):
                    freeze(running)
                    request_id = platform.request(key).request_id
                    place = f"/v1/separations/{request_id}"
                    # By their ids: a producer may send again what a frozen broker has taken.
                    wait_for(lambda count=number: len({each.request_id for each in platform.read_outcomes()}) == count)
                    wait_for(lambda page=place: is_known(door, page))
                    wait_for(lambda told=request_id: told in there.told("/"))
                    wait_for(lambda: door.http.get("/v1/operator/replicas").is_success)
                    wait_for(lambda: set(exporter.gauges("lag_messages").values()) == {0.0})
                    for each in everyone:
                        each.wait_ready()
    finally:
        platform.close()


@contextmanager
def asked_on_failure(*processes: ReplicaProcess) -> Iterator[None]:
    """Where something did not come, the report holds what each of these said of itself then."""
    try:
        yield
    except AssertionError as error:
        for each in processes:
            ready, log = each.get("/ready"), each.log.read_text()
            error.add_note(f"{each.log.name}: exit code {each.process.poll()}, {ready and ready.text}\n{log[-3000:]}")
        raise


def is_known(door: Gateway, place: str) -> bool:
    """That it is done; a gateway whose brokers are away may say so meanwhile."""
    answer = door.http.get(place)
    return answer.is_success and answer.json()["state"] == "succeeded"


def freeze(running: Running) -> None:
    os.kill(running.process.pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(running.process.pid, signal.SIGCONT)
