"""`python -m bench.dashboard [FILE]`: the dashboard as a picture, docs/dashboard.png by default. Takes six minutes.

It is no Grafana: real replicas and a gateway work under bursts on real Kafka and MinIO, a real Prometheus scrapes
them, and dashboard.json's own queries are put to that Prometheus and drawn where the dashboard has its panels.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import psutil

from bench.material import write_models, write_song
from bench.panels import Series, draw
from consumer.core.events import OutputOptions, SourceObject
from devstack.kafka import kafka
from devstack.minio import minio
from devstack.prometheus import prometheus
from devstack.service import free_port
from harness.gateway import KEY, start_gateway
from harness.platform import Platform, make_platform

_ROOT = Path(__file__).parents[1]
_DASHBOARD = _ROOT / "deploy/grafana/dashboard.json"
_SPAN_S, _STEP_S, _RATE = 240.0, 2.0, "20s"
_LATE_BUCKET = "separation-archive"  # which is missing at first
_TITLE = (
    "deploy/grafana/dashboard.json's queries, as a real Prometheus answers them beside two real replicas and a gateway"
    " under three bursts of requests; drawn by python -m bench.dashboard, not by Grafana"
)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT / "docs/dashboard.png"
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        kafka_port, minio_port, prometheus_port = free_port(), free_port(), free_port()
        for service in (kafka(folder / "kafka", kafka_port), minio(folder / "minio", minio_port)):
            stack.callback(service.start().stop)
        platform = make_platform(
            f"127.0.0.1:{kafka_port}", f"127.0.0.1:{minio_port}", folder, write_models(folder / "models"),
            name="separation",
        )  # fmt: skip
        stack.callback(platform.close)
        ports = {name: free_port() for name in ("replica-0", "replica-1", "gateway-0")}
        targets = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}} for name, port in ports.items()]
        (folder / "targets.json").write_text(json.dumps(targets))
        watching = prometheus(folder / "prometheus", prometheus_port, folder / "targets.json", interval_s=1)
        stack.callback(watching.start().stop)
        with _callers(platform, ports["gateway-0"]):
            began_s = _act(platform, folder, list(ports.values()))
        ask = _asker(f"http://127.0.0.1:{prometheus_port}", began_s)
        draw(json.loads(_DASHBOARD.read_text()), ask, _SPAN_S, _TITLE, path)
    sys.stdout.write(f"{path}: {path.stat().st_size >> 10} KiB\n")


@contextmanager
def _callers(platform: Platform, port: int) -> Iterator[None]:
    """A gateway, and two who ask it: one for its jobs and for one that is not there, the other without a key."""
    process = start_gateway(platform, {"HTTP_PORT": str(port), "ALLOWED_OUTPUT_BUCKETS": _LATE_BUCKET})
    process.port = port
    process.wait_ready()
    stopped = threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            while not stopped.wait(0.2):
                for page in ("/v1/separations", "/v1/separations", "/v1/separations/nobody-s", "/v1/models"):
                    http.get(page, headers={"X-API-KEY": KEY})
                http.get("/v1/models")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(120)


def _act(platform: Platform, folder: Path, ports: Sequence[int]) -> float:
    """Traffic and faults for as long as the picture is wide; returns when it began."""
    environment = {
        "MODELS": "2stems,4stems", "SEPARATOR_RUNTIME": "openvino", "ALLOWED_OUTPUT_BUCKETS": _LATE_BUCKET,
        "DEDUPLICATE_CONTENT": "false", "RETRY_DELAYS": "15s,30s,60s", "TARGET_WAIT_S": "30s",
    }  # fmt: skip
    song = platform.upload(write_song(folder / "song.mp3", 240.0))
    first = platform.start_replica(**environment, HTTP_PORT=str(ports[0]))
    first.port = ports[0]
    first.wait_ready()

    def burst(count: int) -> None:
        for number in range(count):
            model = "4stems" if number % 4 == 3 else "2stems"
            platform.request(song, model=model, start_s=float(number), duration_s=30.0 + 3 * (number % 10))

    def strangers() -> None:
        for number in range(6):
            platform.send(b"no request", f"stranger-{number}")
            platform.request("no-such-song.mp3")
            platform.request(song, source=SourceObject(bucket="elsewhere", key=song))
        for _ in range(4):
            platform.request(song, duration_s=20.0, output=OutputOptions(bucket=_LATE_BUCKET))

    def second() -> None:
        platform.start_replica(**environment, HTTP_PORT=str(ports[1]))

    def kill_separator() -> None:
        for child in psutil.Process(first.process.pid).children():
            child.kill()

    script: list[tuple[float, Callable[[], object]]] = [
        (0.0, lambda: burst(2)), (12.0, lambda: burst(14)), (30.0, second), (75.0, strangers), (100.0, kill_separator),
        (130.0, lambda: burst(10)), (150.0, strangers), (175.0, lambda: platform.minio.make_bucket(_LATE_BUCKET)),
        (195.0, lambda: burst(30)),
    ]  # fmt: skip
    began_s = time.time()
    for at_s, act in script:
        time.sleep(max(0.0, began_s + at_s - time.time()))
        act()
    time.sleep(max(0.0, began_s + _SPAN_S - time.time()))
    return began_s


def _asker(address: str, began_s: float) -> Callable[[str], list[Series]]:
    def ask(query: str) -> list[Series]:
        answer = httpx2.get(
            f"{address}/api/v1/query_range",
            params={
                "query": query.replace("$__rate_interval", _RATE), "start": began_s, "end": began_s + _SPAN_S,
                "step": _STEP_S,
            },
            timeout=60,
        ).json()  # fmt: skip
        if answer["status"] != "success":
            raise SystemExit(f"{query}: {answer['error']}")
        return [_series(each, began_s) for each in answer["data"]["result"]]

    return ask


def _series(found: dict[str, list[tuple[float, str]]], began_s: float) -> Series:
    """With NaN wherever there was nothing, so that a gap is one."""
    values = {round((at_s - began_s) / _STEP_S): float(value) for at_s, value in found["values"]}
    steps = range(round(_SPAN_S / _STEP_S) + 1)
    return Series(
        labels=found["metric"],  # type: ignore[arg-type]
        at_s=[step * _STEP_S for step in steps],
        values=[values.get(step, float("nan")) for step in steps],
    )


if __name__ == "__main__":
    main()
