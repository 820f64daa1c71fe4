"""`python -m devstack up|down`: Kafka on 127.0.0.1:9092 and MinIO on 127.0.0.1:9000.

By Docker Compose where an engine answers, else as processes of this machine, which are left running: their process
ids lie in .stack, with their data.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minio import Minio

from devstack.kafka import kafka
from devstack.minio import ACCESS_KEY, SECRET_KEY, minio
from devstack.service import Service

_KAFKA_PORT, _MINIO_PORT = 9092, 9000
_END_WITHIN_S = 60.0
_BUCKETS = ("music", "stems")  # as the README uses them
_FOLDER = Path(".stack").absolute()
_COMPOSE = ["docker", "compose", "--env-file", "deploy/compose/development.env", "-f", "docker-compose.kafka.yml"]


def main() -> None:
    match sys.argv[1:], _has_docker():
        case ["up"], True:
            subprocess.run([*_COMPOSE, "up", "--detach", "--wait"], check=True, timeout=1800)
            _make_buckets()
        case ["down"], True:
            subprocess.run([*_COMPOSE, "down", "--volumes"], check=True, timeout=1800)
        case ["up"], False:
            _up()
            _make_buckets()
        case ["down"], False:
            _down()
        case _:
            raise SystemExit("usage: python -m devstack up|down")


def _has_docker() -> bool:
    if not shutil.which("docker"):
        return False
    command = ["docker", "info"]
    try:
        ran = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def _up() -> None:
    makers: list[tuple[Callable[[Path, int], Service], str, int]] = [
        (kafka, "kafka", _KAFKA_PORT),
        (minio, "minio", _MINIO_PORT),
    ]
    with ThreadPoolExecutor() as pool:
        for line in pool.map(lambda maker: _start(*maker), makers):
            sys.stdout.write(f"{line}\n")


def _make_buckets() -> None:
    store = Minio(f"127.0.0.1:{_MINIO_PORT}", ACCESS_KEY, SECRET_KEY, secure=False)
    for name in _BUCKETS:
        if not store.bucket_exists(name):
            store.make_bucket(name)
    sys.stdout.write(f"buckets: {', '.join(_BUCKETS)}\n")


def _start(make: Callable[[Path, int], Service], name: str, port: int) -> str:
    folder = _FOLDER / name
    if _process_of(folder):
        return f"{name} is already up on 127.0.0.1:{port}"
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SystemExit(f"{name} can't be started: something else listens on 127.0.0.1:{port}")
    running = make(folder, port).start()
    (folder / "pid").write_text(f"{running.process.pid} {_started_at(running.process.pid)}")
    return f"{name} is up on 127.0.0.1:{port}"


def _down() -> None:
    for name in ("kafka", "minio"):
        if pid := _process_of(_FOLDER / name):
            os.killpg(pid, signal.SIGTERM)
            deadline = time.monotonic() + _END_WITHIN_S
            while _process_of(_FOLDER / name):
                if time.monotonic() > deadline:
                    os.killpg(pid, signal.SIGKILL)
                time.sleep(0.1)
    shutil.rmtree(_FOLDER, ignore_errors=True)


def _process_of(folder: Path) -> int | None:
    """The process that was started there, if it still runs: an id alone may by now be someone else's."""
    try:
        pid, started_at = (folder / "pid").read_text().split()
        return int(pid) if _started_at(int(pid)) == started_at else None
    except OSError:
        return None


def _started_at(pid: int) -> str:
    """Clock ticks after boot; raises FileNotFoundError where there is no such process. Linux."""
    state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    if state == "Z":
        raise FileNotFoundError(pid)
    return fields[18]


if __name__ == "__main__":
    main()
